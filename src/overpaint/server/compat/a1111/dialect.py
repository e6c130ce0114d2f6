"""What AUTOMATIC1111 knows of start noise, seeds and conditioning, as options of a checkpoint in the dialect webui."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from overpaint.server.compat.lenient import Number, Whole, Yes

from .always_on import SOFT_INPAINTING, SOFTENING, arguments_of
from .bodies import PaintBody, PictureBody

_FRACTION, _COUNT, _SWITCH = TypeAdapter[float](Number), TypeAdapter[int](Whole), TypeAdapter[bool](Yes)

_OF_BOTH: Mapping[str, tuple[str, TypeAdapter[Any], Any]] = MappingProxyType(
    {
        "eta_noise_seed_delta": ("ensd", _COUNT, 0),
        "skip_early_cond": ("skip_early_cond", _FRACTION, 0.0),
        "s_min_uncond_all": ("s_min_uncond_all", _SWITCH, False),
    }
)
_OF_PICTURES: Mapping[str, tuple[str, TypeAdapter[Any], Any]] = MappingProxyType(
    {
        "inpainting_mask_weight": ("inpainting_mask_weight", _FRACTION, 1.0),
        "initial_noise_multiplier": ("initial_noise_multiplier", _FRACTION, 1.0),
        "img2img_extra_noise": ("extra_noise", _FRACTION, 0.0),
        "img2img_fix_steps": ("exact_steps", _SWITCH, False),
        "img2img_color_correction": ("colour_correction", _SWITCH, False),
    }
)
"""Settings of the web UI with our options, how they are read, and the values that change nothing; of img2img alone."""

SETTINGS = frozenset({*_OF_BOTH, *_OF_PICTURES, "randn_source"})
"""Settings of the web UI that act in the dialect webui alone."""


def dialect_options(
    body: PaintBody, settings: Mapping[str, Any], seed: int, subseed: int
) -> tuple[dict[str, Any], list[str]]:
    """Options of a checkpoint in the dialect webui, and notes on what differs.

    Args:
        body: What the client sent.
        settings: The caller's, and those of the call.
        seed: Of the first picture.
        subseed: Of the first picture's variation.
    """
    notes: list[str] = []
    options: dict[str, Any] = {}
    table = {**_OF_BOTH, **(_OF_PICTURES if isinstance(body, PictureBody) else {})}
    given = dict(settings)
    if body.initial_noise_multiplier is not None:
        given["initial_noise_multiplier"] = body.initial_noise_multiplier
    for name, (option, kind, neutral) in table.items():
        try:
            value = kind.validate_python(given.get(name, neutral))
        except ValidationError:
            notes.append(f"the setting {name} can't be read, and was left out")
            continue
        if value != neutral:
            options[option] = value
    if body.subseed_strength != 0:
        options |= {"subseed": subseed, "subseed_strength": body.subseed_strength}
    if body.seed_resize_from_w > 0 and body.seed_resize_from_h > 0:
        options |= {"seed_resize_from_w": body.seed_resize_from_w, "seed_resize_from_h": body.seed_resize_from_h}
    options |= _noise_source(str(given.get("randn_source") or "CPU"), notes)
    if isinstance(body, PictureBody) and body.mask not in (None, ""):
        options |= softening(body.alwayson_scripts, notes)
    if isinstance(body, PictureBody) and body.inpainting_fill == 2 and body.n_iter > 1 and body.subseed_strength == 0:
        if body.batch_size == 1:
            options["content_seed"] = seed
        else:
            notes.append("beyond the first batch latent noise has each picture's own seed")
    return options, notes


def softening(scripts: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """Options of soft inpainting; none where it is not switched on.

    Args:
        scripts: The extensions of a call. Arguments are a list, or one table by the labels of the page.
        notes: Receives a note on a value that can't be read.
    """
    arguments = arguments_of(scripts, SOFT_INPAINTING)
    if not arguments:
        return {}
    if isinstance(arguments[0], Mapping):
        plain = {str(label).strip().lower(): value for label, value in arguments[0].items()}
        arguments = [plain.get("soft inpainting"), *(plain.get(label) for label in SOFTENING)]
    if arguments[0] in (False, None, "", 0):
        return {}
    options: dict[str, Any] = {"soft_inpainting": True}
    for (label, option), value in zip(SOFTENING.items(), arguments[1:], strict=False):
        try:
            options |= {} if value is None else {option: _FRACTION.validate_python(value)}
        except ValidationError:
            notes.append(f"soft inpainting: the {label} can't be read, and was left out")
    return options


def _noise_source(named: str, notes: list[str]) -> dict[str, str]:
    """The option for "CPU", "NV" or "GPU"."""
    plain = named.strip().upper()
    if plain == "GPU":
        notes.append("randn_source GPU: the numbers are those of a GPU of NVIDIA")
    elif plain not in ("CPU", "NV"):
        notes.append(f"randn_source {named[:20]!r} is not known: CPU was used")
    return {"noise_source": "nv"} if plain in ("GPU", "NV") else {}
