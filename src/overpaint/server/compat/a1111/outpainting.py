"""AUTOMATIC1111's two outpainting scripts, which extend the picture: what their positional arguments mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from overpaint.errors import RequestError
from overpaint.geometry import Margins

from .refusals import ScriptNotFoundError

POOR_MAN, MARK_2 = "poor man's outpainting", "outpainting mk2"
SCRIPTS = (MARK_2, POOR_MAN)
"""The names of the scripts that are served, as `GET /sdapi/v1/scripts` has them."""

_ARGUMENTS = {
    MARK_2: ("note", "pixels", "mask_blur", "direction", "noise_q", "color_variation"),
    POOR_MAN: ("pixels", "mask_blur", "inpainting_fill", "direction"),
}
_DIRECTIONS = ("left", "right", "up", "down")
_PIXELS = 128
_MOST = 1 << 14
FILLS = ("fill", "original", "latent_noise", "latent_nothing")
"""Masked content by the numbers of `inpainting_fill`."""


@dataclass(frozen=True, slots=True)
class Outpainting:
    """How far a picture is extended.

    Attributes:
        margins: Pixels on each side.
        fill: What painting starts from; None where the script does not say.
        unused: Arguments that have no effect here.
    """

    margins: Margins
    fill: str | None = None
    unused: tuple[str, ...] = ()


def outpainting(name: str | None, arguments: Sequence[Any]) -> Outpainting | None:
    """The extension that a script asks for; None where no script is named.

    Raises:
        ScriptNotFoundError: Another script is named.
        RequestError: Its arguments can't be read.
    """
    plain = (name or "").strip().lower().replace("’", "'")
    if plain in ("", "none"):
        return None
    plain = plain.replace("mk-2", "mk2").replace("mk 2", "mk2").replace("mk_2", "mk2")
    if plain not in SCRIPTS:
        raise ScriptNotFoundError(
            f"Script '{str(name)[:80]}' not found",
            value=str(name)[:80],
            hint=f"scripts that are served are {' and '.join(SCRIPTS)}",
        )
    values = dict(zip(_ARGUMENTS[plain], arguments, strict=False))
    pixels = _pixels(values.get("pixels"))
    sides = _sides(values.get("direction"))
    margins = Margins(*(pixels if side in sides else 0 for side in ("left", "up", "right", "down")))
    unused = tuple(name for name in ("mask_blur", "noise_q", "color_variation") if values.get(name) is not None)
    return Outpainting(margins, _fill(values.get("inpainting_fill")), unused)


def _pixels(value: Any) -> int:
    if value in (None, ""):
        return _PIXELS
    try:
        pixels = round(float(value))
    except (TypeError, ValueError, OverflowError):
        pixels = 0
    if not 1 <= pixels <= _MOST:
        raise RequestError(
            f"{{field}}: pixels to expand must be 1 to {_MOST}, not {value!r}", field="script_args", value=str(value)
        )
    return pixels


def _sides(value: Any) -> set[str]:
    named = _DIRECTIONS if value is None else [value] if isinstance(value, str) else value
    sides = {str(one).strip().lower() for one in named} if isinstance(named, list | tuple) else {""}
    sides = {_DIRECTIONS[int(one)] if one in ("0", "1", "2", "3") else one for one in sides}
    if not sides or sides - set(_DIRECTIONS):
        raise RequestError(
            f"{{field}}: directions are a list of {', '.join(_DIRECTIONS)}, not {value!r}",
            field="script_args",
            value=str(value),
        )
    return sides


def _fill(value: Any) -> str | None:
    if isinstance(value, str):
        return next((name for name in FILLS if name == value.strip().lower().replace(" ", "_")), None)
    if isinstance(value, int | float) and 0 <= value < len(FILLS):
        return FILLS[int(value)]
    return None
