"""Units of the extension ControlNet (`alwayson_scripts.controlnet`), as controls of an edit.

A unit names a preprocessor ("module"), which makes a map of a picture, and the network that reads it ("model").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Field

from overpaint.errors import RequestError, did_you_mean, some_names
from overpaint.models import CONTROL_KINDS
from overpaint.record import CONTROL_MODES, CONTROL_MODULES, ControlModule, control_module, network_name
from overpaint.request import MAP_KINDS, PICTURE_KINDS
from overpaint.server.compat.lenient import Lenient, Number, Whole, Yes
from overpaint.server.compat.models import read_by
from overpaint.server.tasks import TaskControl

from .always_on import CONTROLNET, plain_name
from .bodies import Words
from .pictures import COVER
from .refusals import ControlUnitError

MOST_UNITS = 10


_RESIZES: Mapping[str, int] = MappingProxyType(
    {
        "0": 0,
        "1": COVER,
        "2": 2,
        "just resize": 0,
        "crop and resize": COVER,
        "scale to fit (inner fit)": COVER,
        "inner fit (scale to fit)": COVER,
        "resize and fill": 2,
        "envelope (outer fit)": 2,
        "outer fit (shrink to fit)": 2,
    }
)
"""Numbers of `RESIZE_MODES` by the extension's numbers and words."""

_UNIONS = MappingProxyType({"hard edge": "softedge", "soft edge": "softedge", "line art": "lineart", "edges": "canny"})
_SILENT = frozenset(
    {"low_vram", "lowvram", "hr_option", "input_mode", "batch_images", "output_dir", "loopback"}
    | {"use_preview_as_input", "generated_image", "advanced_weighting", "animatediff_batch", "batch_modifiers"}
    | {"batch_image_files", "batch_keyframe_idx", "batch_mask_dir", "inpaint_crop_input_image", "is_ui"}
)
"""Settings of a unit of which no note is made: they change nothing of the picture, or are always so here."""


class UnitBody(Lenient):
    """One unit."""

    enabled: Yes = True
    module: Words = "none"
    model: Words = "None"
    weight: Annotated[Number, Field(ge=0, le=4)] = 1.0
    image: Any = None
    input_image: Any = None
    mask: Any = None
    mask_image: Any = None
    resize_mode: Words = "1"
    processor_res: Whole = -1
    threshold_a: Number = -1
    threshold_b: Number = -1
    guidance_start: Annotated[Number, Field(ge=0, le=1)] = 0.0
    guidance_end: Annotated[Number, Field(ge=0, le=1)] = 1.0
    control_mode: Words = "0"
    pixel_perfect: Yes = False
    union_control_type: Words = ""
    save_detected_map: Yes = True

    @property
    def picture(self) -> Any:
        """The picture that was sent, in base64; None for none."""
        given = self.image if self.image is not None else self.input_image
        if isinstance(given, Mapping):
            given = given.get("image")
        return given or None


@dataclass(frozen=True, slots=True)
class ControlUnit:
    """A unit as a control.

    Attributes:
        settings: Of the control, without its image.
        picture: The picture that was sent, in base64; None for none.
        resize: How it becomes the size of the picture that is edited; None where it keeps its own.
        notes: What has no effect, or is another thing here.
        shows_map: Whether the client wants its map back.
    """

    settings: Mapping[str, Any]
    picture: Any = None
    resize: int | None = COVER
    notes: tuple[str, ...] = ()
    shows_map: bool = True

    def control(self, image: str | None) -> TaskControl:
        """The control, with the id of its stored image. RequestError where it can't be one."""
        return TaskControl(**self.settings, image=image)


def units_of(scripts: Mapping[str, Any], models: Sequence[str]) -> list[ControlUnit]:
    """The units that are switched on.

    Args:
        scripts: `alwayson_scripts` of a body.
        models: The names of the ControlNets and IP-Adapters of this machine.

    Raises:
        RequestError: A unit can't be read.
        ControlUnitError: A preprocessor or a model is not here.
    """
    found = []
    for name, table in scripts.items():
        if plain_name(name) != CONTROLNET:
            continue
        arguments = table.get("args") if isinstance(table, Mapping) else table
        listed = arguments if isinstance(arguments, list) else [] if arguments is None else [arguments]
        for number, one in enumerate(one for one in listed if isinstance(one, Mapping)):
            body: UnitBody = UnitBody.read(dict(one))
            if body.enabled:
                found.append(_unit_of(body, number, models))
    if len(found) > MOST_UNITS:
        message = f"{len(found)} units of ControlNet are too many: {MOST_UNITS} at the most"
        raise ControlUnitError(message, field="alwayson_scripts", value=len(found))
    return found


def module_of(name: str) -> ControlModule:
    """The preprocessor of this name. ControlUnitError for one that is not here."""
    wanted, found = control_module(name)
    if found is None:
        kind = re.split("[-_ ]", wanted, maxsplit=1)[0]
        others = sorted(CONTROL_MODULES, key=lambda one: (CONTROL_MODULES[one].kind != kind, one))
        alike = CONTROL_MODULES[others[0]].kind == kind  # what serves the same comes before what is spelled alike
        raise ControlUnitError(
            f"the preprocessor {name[:80]!r} is not here; there are {some_names(others, '' if alike else wanted)}"
            f"{did_you_mean(wanted, CONTROL_MODULES)}",
            field="module",
            value=name[:80],
        )
    return found


def _unit_of(body: UnitBody, number: int, models: Sequence[str]) -> ControlUnit:
    module, model = module_of(body.module), model_of(body.model, models)
    about = f"ControlNet unit {number}"
    notes = []
    if module.similar:
        notes.append(f"{about}: {body.module} is Overpaint's own {module.kind}, whose map differs from the extension's")
    if body.processor_res > 0 and not body.pixel_perfect and body.picture is None:
        notes.append(f"{about}: processor_res has no effect: maps are made at the working size")
    if body.mask is not None or body.mask_image is not None:
        notes.append(f"{about}: its mask has no effect: the mask of the edit counts")
    strange = sorted(set(body.unknown) - _SILENT)
    if strange:
        notes.append(f"{about}: {', '.join(one[:40] for one in strange[:8])} has no effect")
    kind = module.kind or _kind_of(body, model)
    options = {
        option: max(1.0, value) if option in ("low", "high", "down") else value
        for option, value in zip(module.thresholds, (body.threshold_a, body.threshold_b), strict=False)
        if value > 0
    }
    settings: dict[str, Any] = {
        "kind": kind,
        "weight": body.weight,
        "start": body.guidance_start,
        "end": body.guidance_end,
        "mode": _word(body.control_mode, CONTROL_MODES, "control_mode"),
        "model": model,
        "options": options,
    }
    if module.kind is None and body.picture is None and kind in MAP_KINDS and kind not in ("inpaint", "tile"):
        raise ControlUnitError(
            f"{about} has neither a preprocessor nor an image", field="alwayson_scripts", value=body.module
        )
    if kind in PICTURE_KINDS:
        if body.picture is None:
            raise ControlUnitError(f"{about} has no image to paint after", field="alwayson_scripts", value=body.module)
        return ControlUnit(settings, body.picture, None, tuple(notes))
    if body.picture is None:
        settings["inside"] = True  # as the extension, which looks at the whole picture
    elif module.kind is not None and module.kind != "inpaint":
        settings["preprocess"] = True
    mode = _word(body.resize_mode, _RESIZES, "resize_mode")
    return ControlUnit(settings, body.picture, mode, tuple(notes), body.save_detected_map)


def _word(given: str, known: Mapping[str, Any], field: str) -> Any:
    found = known.get(given.strip().lower().removesuffix(".0"))
    if found is None:
        raise RequestError(
            f"{{field}}: {given[:40]!r} is not one of {some_names(known, given)}", field=field, value=given[:40]
        )
    return found


def _kind_of(body: UnitBody, model: str | None) -> str:
    """What an image shows that comes without a preprocessor: by the union's kind, else by the model's name."""
    union = body.union_control_type.strip().lower()
    union = _UNIONS.get(union, union)
    if union in CONTROL_KINDS:
        return union
    if model is None:
        raise ControlUnitError(
            "a unit of ControlNet has neither a preprocessor nor a model, so that nothing says what its image shows",
            field="model",
            value=body.model,
        )
    found = "reference" if _ADAPTER.search(model) else read_by(model)
    if found is None:
        raise ControlUnitError(
            f"the name of {model!r} does not say what it reads: send a preprocessor, or union_control_type",
            field="model",
            value=model,
        )
    return found


_ADAPTER = re.compile(r"ip[-_ ]?adapter", re.IGNORECASE)
"""What the names of IP-Adapters have."""


def model_of(name: str, models: Iterable[str]) -> str | None:
    """The ControlNet of a name, with or without a digest behind it; None where none is named.

    Raises:
        ControlUnitError: It is not on this machine.
    """
    wanted = network_name(name).lower()
    if not wanted:
        return None
    known = {one.lower(): one for one in models}
    plain = {_plain(one): name for one, name in known.items()}
    found = known.get(wanted) or plain.get(_plain(wanted))
    if found is None:
        here = f"there are {some_names(sorted(known.values()), wanted)}" if known else "none is on this server"
        raise ControlUnitError(
            f"the ControlNet {name[:100]!r} is not on this server: {here}", field="model", value=name[:100]
        )
    return found


def _plain(name: str) -> str:
    """A name without what stands before and behind it in the names of files."""
    return name.rpartition("/")[2].removesuffix(".safetensors").removesuffix(".pth")
