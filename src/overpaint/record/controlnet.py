"""Controls in the words of AUTOMATIC1111's extension ControlNet, which infotext and the compatible API share.

A unit of the extension names a preprocessor ("module"), which makes a map of a picture, and the network that reads it
("model"). Its infotext has one key for each unit, whose value is a list of its own:

    ControlNet 0: "Module: canny, Model: control_v11p_sd15_canny [d14c016b], Weight: 1, Resize Mode: Crop and Resize,
    Processor Res: 512, Threshold A: 100, Threshold B: 200, Guidance Start: 0, Guidance End: 1, Pixel Perfect: False,
    Control Mode: Balanced"

Older versions write "preprocessor: canny, ..., starting/ending: (0, 1), ..., preprocessor params: (512, 100, 200)".
What has no value of its own is left out. The picture of a unit is never in the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from overpaint.errors import InputError
from overpaint.request import PICTURE_KINDS, Control, ControlMode, without_codes

OWN = "Controls"
"""Our own key of infotext: the controls as JSON, whose images are named by their digests."""

_UNIT = re.compile(r"ControlNet (\d+)", re.IGNORECASE)
# A pair of brackets holds no further "(": else a text of many open ones takes the square of its length.
_FIELD = re.compile(r"(?:^|, )([A-Za-z][A-Za-z/_ ]*+): (\([^()]*+\)|[^,]*+)")
_HASH = re.compile(r"\[[0-9a-f]{6,64}\]\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ControlModule:
    """A preprocessor of the extension, as it is made here.

    Attributes:
        kind: The kind of its map; None for those that take the image as the map.
        thresholds: Options of the map that its two sliders set.
        similar: Whether the extension runs a network of its own here, so that the map is another one than there.
    """

    kind: str | None
    thresholds: tuple[str, ...] = ()
    similar: bool = True


def _modules() -> dict[str, ControlModule]:
    found = {
        "none": ControlModule(None, similar=False),
        "invert": ControlModule(None, similar=False),
        "canny": ControlModule("canny", ("low", "high"), similar=False),
        "tile_resample": ControlModule("tile", ("down",), similar=False),
        "blur_gaussian": ControlModule("tile", ("blur",), similar=False),
        "lineart_standard": ControlModule("lineart"),
        "inpaint": ControlModule("inpaint", similar=False),
        "inpaint_only": ControlModule("inpaint", similar=False),
        "inpaint_global_harmonious": ControlModule("inpaint", similar=False),
        "inpaint_only+lama": ControlModule("inpaint"),
        "tile_colorfix": ControlModule("tile"),
        "tile_colorfix+sharp": ControlModule("tile"),
    }
    others = {
        "lineart": "lineart lineart_realistic lineart_coarse lineart_anime lineart_anime_denoise",
        "scribble": "scribble_pidinet scribble_hed scribble_xdog fake_scribble pidinet_scribble",
        "softedge": "softedge_pidinet softedge_pidisafe softedge_hed softedge_hedsafe softedge_teed softedge_anyline "
        "hed hed_safe pidinet pidinet_safe softedge",
        "depth": "depth depth_midas depth_leres depth_leres++ depth_zoe depth_anything depth_anything_v2 "
        "depth_hand_refiner depth_marigold",
        "openpose": "openpose openpose_face openpose_faceonly openpose_full openpose_hand dw_openpose_full",
    }
    # IP-Adapters, whose encoder each adapter brings with it; those for faces read another network
    references = "ip-adapter-auto ip-adapter_clip_sd15 ip-adapter_clip_sdxl ip-adapter_clip_sdxl_plus_vith "
    references += "ip-adapter_clip_h ip-adapter_clip_g"
    found |= {name: ControlModule(kind) for kind, names in others.items() for name in names.split()}
    return found | {name: ControlModule("reference", similar=False) for name in references.split()}


CONTROL_MODULES: Mapping[str, ControlModule] = MappingProxyType(_modules())
"""Preprocessors of the extension by their names in small letters."""

_USUAL: Mapping[str, str] = MappingProxyType(
    {
        "canny": "canny",
        "lineart": "lineart_realistic",
        "scribble": "scribble_pidinet",
        "softedge": "softedge_pidinet",
        "depth": "depth_midas",
        "openpose": "openpose",
        "tile": "tile_resample",
        "inpaint": "inpaint_only",
        "reference": "ip-adapter-auto",
    }
)
"""The preprocessor that stands for a kind of our maps."""

_LABELS: Mapping[str, str] = MappingProxyType(
    {
        "invert (from white bg & black line)": "invert",
        "lineart_standard (from white bg & black line)": "lineart_standard",
    }
)
"""Names with the extension's explanations."""

_MODES: Mapping[ControlMode, str] = MappingProxyType(
    {
        "balanced": "Balanced",
        "prompt": "My prompt is more important",
        "control": "ControlNet is more important",
    }
)

CONTROL_MODES: Mapping[str, ControlMode] = MappingProxyType(
    {str(number): mode for number, mode in enumerate(_MODES)} | {words.lower(): mode for mode, words in _MODES.items()}
)
"""Modes of a control by the extension's numbers and words."""


def control_module(name: str) -> tuple[str, ControlModule | None]:
    """A preprocessor's name without explanations and in small letters, and what it is here; None for an unknown one."""
    plain = name.strip().lower()
    plain = _LABELS.get(plain, plain) or "none"
    return plain, CONTROL_MODULES.get(plain)


def usual_module(kind: str, options: Mapping[str, Any]) -> str | None:
    """The preprocessor that stands for a map of ours with these options; None for a kind that has none."""
    return "blur_gaussian" if kind == "tile" and "blur" in options else _USUAL.get(kind)


def network_name(model: str) -> str:
    """The name of a network without a digest behind it; "" for none."""
    plain = _HASH.sub("", model).strip()
    return "" if plain.lower() == "none" else plain


# ── written ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def written_controls(controls: tuple[Control, ...]) -> Iterator[tuple[str, str]]:
    """Keys and values of infotext: the extension's for each control, and ours with all of them."""
    for number, control in enumerate(controls):
        yield f"ControlNet {number}", ", ".join(f"{name}: {value}" for name, value in _unit(control))
    if controls:
        yield OWN, json.dumps([_table(one) for one in controls], ensure_ascii=False)


def _table(control: Control) -> dict[str, Any]:
    """A control as plain values, without those that it has in any case."""
    table = without_codes(control.to_mapping())
    return {name: value for name, value in table.items() if value != Control.model_fields[name].default}


def _unit(control: Control) -> Iterator[tuple[str, str]]:
    usual = usual_module(control.kind, control.options)
    module = usual or "none" if control.made or control.shows_itself else "none"
    yield "Module", module
    yield "Model", re.sub(r"[,:]", " ", (control.model or "None").rpartition("/")[2])
    yield "Weight", f"{control.weight:g}"
    yield "Resize Mode", "Crop and Resize"
    for letter, option in zip("AB", CONTROL_MODULES[module].thresholds, strict=False):
        if isinstance(value := control.options.get(option), int | float):
            yield f"Threshold {letter}", f"{value:g}"
    yield "Guidance Start", f"{control.start:g}"
    yield "Guidance End", f"{control.end:g}"
    yield "Pixel Perfect", str(control.made)  # maps are made at the working size
    yield "Control Mode", _MODES[control.mode]


# ── read ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ReadControls:
    """What infotext says of controls.

    Attributes:
        tables: Controls as plain values; images are named by their digests.
        notes: What is not in the text, in words.
        keys: The keys that said it.
    """

    tables: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    keys: frozenset[str] = frozenset()


def read_controls(settings: Mapping[str, str]) -> ReadControls:
    """The controls of the settings of infotext: as our own key has them, else as those of the extension say."""
    units = {key: int(found[1][:9]) for key in settings if (found := _UNIT.fullmatch(key))}
    own = _own(settings.get(OWN, ""))
    if own is not None:
        return ReadControls(own, tuple(_by_digest(own)), frozenset((*units, OWN)))
    tables, notes, keys = [], [], set[str]()
    if settings.get(OWN):
        notes.append(f"{OWN} can't be read: {settings[OWN][:40]!r}")
    for key in sorted(units, key=units.__getitem__):
        table, note = _of_unit(key, _fields(settings[key]))
        notes.append(note)
        if table is not None:
            tables.append(table)
            keys.add(key)
    return ReadControls(tuple(tables), tuple(notes), frozenset(keys))


def _own(text: str) -> tuple[dict[str, Any], ...] | None:
    """The controls of our key; None where there are none that can be read."""
    try:
        listed = json.loads(text) if text else None
        if not isinstance(listed, list):
            return None
        return tuple([Control(**one).to_mapping() for one in listed])
    except (InputError, TypeError, ValueError, RecursionError):
        return None


def _by_digest(tables: tuple[dict[str, Any], ...]) -> Iterator[str]:
    for number, table in enumerate(tables):
        if (image := table.get("image")) is not None:
            name = f"{image['width']}x{image['height']}, {image['sha256'][:12]}..."
            yield f"the picture of control {number} ({name}) is not in this text, which names it by its digest"


def _fields(text: str) -> dict[str, str]:
    """The values of a unit by their names in small letters."""
    return {name.strip().lower().replace("_", " "): value.strip() for name, value in _FIELD.findall(text)}


def _of_unit(key: str, fields: Mapping[str, str]) -> tuple[dict[str, Any] | None, str]:
    """A unit as a control, and a note; None where it can be none without its picture."""
    name, module = control_module(fields.get("module", fields.get("preprocessor", "none")))
    model = network_name(fields.get("model", ""))
    lost = f"{key} was guided by a picture that is not in this text"
    if module is None:
        return None, f"{key} has the preprocessor {name[:40]!r}, which is not here"
    if module.kind is None or module.kind in PICTURE_KINDS:
        return None, f"{lost}, by {model[:80]}" if model else lost
    start, end = _numbers(fields.get("starting/ending", ""), 2)
    _, *old = _numbers(fields.get("preprocessor params", ""), 3)
    sliders = [_number(fields.get(f"threshold {letter}", "")) or old[at] for at, letter in enumerate("ab")]
    options = {name: value for name, value in zip(module.thresholds, sliders, strict=False) if (value or 0) > 0}
    said: dict[str, Any] = {
        "weight": _number(fields.get("weight", "")),
        "start": _first(_number(fields.get("guidance start", "")), start),
        "end": _first(_number(fields.get("guidance end", "")), end),
        "mode": CONTROL_MODES.get(fields.get("control mode", "").lower()),
        "model": model or None,
        "options": options or None,
    }
    try:
        table = Control(**{"kind": module.kind, **{name: one for name, one in said.items() if one is not None}})
    except InputError as error:
        return None, f"{key} can't be read: {error}"
    return table.to_mapping(), f"{lost}: its map is made of the picture that is edited, where none is given"


def _numbers(text: str, count: int) -> tuple[float | None, ...]:
    """The numbers of "(0, 1)", so many."""
    found = [_number(one) for one in text.strip("() ").split(",")][:count]
    return (*found, *[None] * (count - len(found)))


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\s*-?\d{1,9}(\.\d{1,30})?\s*", text) else None


def _first(one: float | None, other: float | None) -> float | None:
    return other if one is None else one
