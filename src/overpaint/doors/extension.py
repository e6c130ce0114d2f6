"""How far an extended picture reaches beyond the one that is there, as people write it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from overpaint.errors import RequestError
from overpaint.geometry import Margins, Size

from . import forms

Anchor = Literal["center", "left", "right", "top", "bottom", "top-left", "top-right", "bottom-left", "bottom-right"]


@dataclass(frozen=True, slots=True)
class Extension:
    """One of three ways: so much on each side, to a size, or to an aspect ratio.

    Attributes:
        left, top, right, bottom: Pixels, or per cent of the picture's width or height.
        to: The new size, "1920x1080".
        aspect: The new aspect ratio, "16:9".
        anchor: The side or corner that the old picture keeps, with `to` or `aspect`.
    """

    left: str | None = None
    top: str | None = None
    right: str | None = None
    bottom: str | None = None
    to: str | None = None
    aspect: str | None = None
    anchor: Anchor = "center"

    @property
    def sides(self) -> dict[str, str | None]:
        """The four sides by name."""
        return {"left": self.left, "top": self.top, "right": self.right, "bottom": self.bottom}

    @property
    def unset(self) -> bool:
        """Whether nothing is given."""
        return not any((*self.sides.values(), self.to, self.aspect))


def margins_of(extension: Extension, size: Size) -> Margins:
    """How many pixels each side of a picture gets.

    Raises:
        RequestError: Nothing would be added, a side would get less than half a pixel, or two ways are mixed.
    """
    ways = [any(extension.sides.values()), extension.to is not None, extension.aspect is not None]
    if sum(ways) > 1:
        raise RequestError(
            "left, top, right and bottom, a size and an aspect ratio exclude one another", code="extension-mixed"
        )
    if not any(ways):
        raise RequestError(
            "how far the picture should be extended is not set",
            code="extension-missing",
            hint="give left, top, right or bottom (256 or 20%), a size or an aspect ratio",
        )
    if ways[0]:
        if extension.anchor != "center":
            message = f"{{field}} {extension.anchor} is for a size or an aspect ratio; here the sides are given"
            raise RequestError(message, code="extension-mixed", field="anchor", value=extension.anchor)
        return _sides(extension, size)
    if extension.to is not None:
        target, name = forms.size_of(extension.to, "to"), "to"
    else:
        target, name = _to_aspect(size, extension.aspect or ""), "aspect"
    if target.width < size.width or target.height < size.height:
        raise RequestError(
            f"{{field}} {target} is smaller than the picture, which is {size}: a picture is only extended",
            field=name,
            value=str(target),
        )
    if target == size:
        raise RequestError(f"the picture has that size already: {size}", field=name, value=str(size))
    across = _shares(target.width - size.width, extension.anchor, "left", "right")
    down = _shares(target.height - size.height, extension.anchor, "top", "bottom")
    return Margins(across[0], down[0], across[1], down[1])


def _sides(extension: Extension, size: Size) -> Margins:
    found = []
    for (name, text), side in zip(extension.sides.items(), (size.width, size.height) * 2, strict=True):
        wanted = 0.0 if text is None else forms.length(text, name).pixels(side)
        pixels = round(wanted)
        if wanted > 0 and pixels == 0:
            message = f"{{field}} {text} is less than half a pixel of a picture of {size}"
            raise RequestError(message, field=name, value=text)
        if pixels < 0:
            raise RequestError(f"{{field}} {text}: a picture is only extended, not cut", field=name, value=text)
        found.append(pixels)
    if not any(found):
        raise RequestError("nothing to add: give at least one side some pixels")
    return Margins(*found)


def _to_aspect(size: Size, text: str) -> Size:
    """The smallest size of this aspect ratio that holds the picture."""
    ratio = forms.aspect_of(text, "aspect")
    if size.width < ratio * size.height:
        return Size(max(size.width, round(ratio * size.height)), size.height)
    return Size(size.width, max(size.height, round(size.width / ratio)))


def _shares(extra: int, anchor: str, low: str, high: str) -> tuple[int, int]:
    """How `extra` pixels are divided between two opposite sides; a side that the old picture keeps gets none."""
    words = anchor.split("-")
    if low in words:
        return (0, extra)
    return (extra, 0) if high in words else (extra // 2, extra - extra // 2)
