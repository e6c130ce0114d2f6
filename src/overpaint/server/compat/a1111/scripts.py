"""Paths that tell which scripts are served, and what their arguments are."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from overpaint.server.native.callers import Reader

from .always_on import BUILT_IN, CONTROLNET, SOFT_INPAINTING
from .outpainting import FILLS, MARK_2, POOR_MAN, SCRIPTS

router = APIRouter(include_in_schema=False)


@router.get("/sdapi/v1/scripts")
async def scripts(owner: Reader) -> dict[str, list[str]]:
    """The scripts that are served."""
    return {
        "txt2img": [*BUILT_IN, CONTROLNET],
        "img2img": [*SCRIPTS, *BUILT_IN, SOFT_INPAINTING, CONTROLNET],
    }


@router.get("/sdapi/v1/script-info")
async def script_info(owner: Reader) -> list[dict[str, Any]]:
    """The arguments of the scripts that are served, but for units of ControlNet, which are tables."""
    always = _built_in()
    both = [(name, True, of_pictures, always.get(name, [])) for of_pictures in (False, True) for name in BUILT_IN]
    own = [(SOFT_INPAINTING, True, True, _soft_inpainting()), *((one, False, True, of) for one, of in _selectable())]
    return [
        {"name": name, "is_alwayson": always_on, "is_img2img": of_pictures, "args": arguments}
        for name, always_on, of_pictures, arguments in [*both, *own]
    ]


def _argument(label: str, value: Any, least: float | None = None, most: float | None = None, **more: Any) -> Any:
    return {"label": label, "value": value, "minimum": least, "maximum": most, "step": None, "choices": None, **more}


def _built_in() -> dict[str, list[Any]]:
    from overpaint.engines.diffusion.names import SAMPLER_NAMES, SCHEDULER_NAMES

    samplers = [one.title for one in SAMPLER_NAMES.values()]
    schedulers = ["Automatic", *(one.title for one in SCHEDULER_NAMES.values())]
    return {
        "refiner": [_argument("Refiner", False), _argument("Checkpoint", ""), _argument("Switch at", 0.8, 0.01, 1.0)],
        "sampler": [
            _argument("Sampling steps", 20, 1, 150, step=1),
            _argument("Sampling method", samplers[0], choices=samplers),
            _argument("Schedule type", "Automatic", choices=schedulers),
        ],
        "seed": [
            _argument("Seed", -1),
            _argument("Extra", False),
            _argument("Variation seed", -1),
            _argument("Variation strength", 0.0, 0, 1, step=0.01),
            _argument("Resize seed from width", 0, 0, 2048, step=8),
            _argument("Resize seed from height", 0, 0, 2048, step=8),
        ],
    }


def _soft_inpainting() -> list[Any]:
    return [
        _argument("Soft inpainting", False),
        _argument("Schedule bias", 1, 0, 8, step=0.1),
        _argument("Preservation strength", 0.5, 0, 8, step=0.05),
        _argument("Transition contrast boost", 4, 1, 32, step=0.5),
        _argument("Mask influence", 0, 0, 1, step=0.05),
        _argument("Difference threshold", 0.5, 0, 8, step=0.25),
        _argument("Difference contrast", 2, 0, 8, step=0.25),
    ]


def _selectable() -> list[tuple[str, list[Any]]]:
    directions = ["left", "right", "up", "down"]
    pixels = _argument("Pixels to expand", 128, 8, 256, step=8)
    blur = _argument("Mask blur", 8, 0, 64, step=1)
    sides = _argument("Outpainting direction", directions, choices=directions)
    fill = _argument("Masked content", "fill", choices=[one.replace("_", " ") for one in FILLS])
    quality = _argument("Fall-off exponent (lower=higher detail)", 1.0, 0.0, 4.0, step=0.01)
    colours = _argument("Color variation", 0.05, 0.0, 1.0, step=0.01)
    return [
        (MARK_2, [_argument("", ""), pixels, blur, sides, quality, colours]),
        (POOR_MAN, [pixels, blur, fill, sides]),
    ]
