"""From the places that were named to a mask as the request carries it; from edges to margins."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from overpaint.errors import RequestError
from overpaint.geometry import Margins, Size
from overpaint.places import Placed, Places, placed

from . import values
from .options import Bounds, ChannelName, Where
from .values import STDIO

if TYPE_CHECKING:
    from overpaint.mask import Mask
    from overpaint.picture import Picture


def opened(source: str) -> Picture:
    """The picture behind a file argument; `-` is standard input."""
    from overpaint.picture import open_picture

    return open_picture(sys.stdin.buffer.read() if source == STDIO else source)


def loaded(
    source: str,
    size: Size | None = None,
    *,
    channel: ChannelName = "auto",
    label: str | None = None,
    picture: str | None = None,
) -> Mask:
    """The mask behind a file argument, of a picture's size where one is given; `-` is standard input."""
    from overpaint.mask import Mask

    data = sys.stdin.buffer.read() if source == STDIO else source
    return Mask.from_file(data, size, channel=channel, label=label, image=picture)


def place(where: Where, size: Size) -> Placed | None:
    """Everything that was named, joined; None when nothing was. Raises RequestError or MaskError."""
    places = Places(
        mask=where.mask,
        box=where.box,
        ellipse=where.ellipse,
        polygon=where.polygon,
        mask_channel=where.mask_channel,
        mask_label=where.mask_label,
        mask_picture=where.mask_picture,
        invert=where.invert,
    )

    def load(source: str) -> Mask:
        return loaded(source, size, channel=where.mask_channel, label=where.mask_label, picture=where.mask_picture)

    return placed(places, size, load, name="--{}".format)


def margins(bounds: Bounds, size: Size) -> Margins:
    """How many pixels each side gets. Raises RequestError when nothing would be added or two ways are mixed."""
    sides = (bounds.left, bounds.top, bounds.right, bounds.bottom)
    ways = [any(side is not None for side in sides), bounds.to is not None, bounds.aspect is not None]
    if sum(ways) > 1:
        raise RequestError("use one of: --left/--top/--right/--bottom, --to, --aspect")
    if not any(ways):
        raise RequestError("say how far: --left, --top, --right, --bottom (256 or 20%), --to WxH or --aspect W:H")
    if ways[0]:
        return _sides(sides, size)
    target = values.size_of(bounds.to, "--to") if bounds.to is not None else _to_aspect(size, bounds.aspect or "")
    if target.width < size.width or target.height < size.height:
        raise RequestError(f"--to {target} is smaller than the picture, which is {size}: expand only adds")
    if target == size:
        raise RequestError(f"the picture has that size already: {size}")
    across = _share(target.width - size.width, bounds.anchor, "left", "right")
    down = _share(target.height - size.height, bounds.anchor, "top", "bottom")
    return Margins(across[0], down[0], across[1], down[1])


def _sides(texts: tuple[str | None, ...], size: Size) -> Margins:
    found = []
    for text, name, side in zip(
        texts, ("--left", "--top", "--right", "--bottom"), (size.width, size.height) * 2, strict=True
    ):
        pixels = 0 if text is None else round(values.length(text, name).pixels(side))
        if pixels < 0:
            raise RequestError(f"{name} {text}: expand only adds; to cut a picture is another tool's job")
        found.append(pixels)
    if not any(found):
        raise RequestError("nothing to add: give at least one side some pixels")
    return Margins(*found)


def _to_aspect(size: Size, text: str) -> Size:
    """The smallest size of this aspect ratio that holds the picture."""
    ratio = values.aspect_of(text, "--aspect")
    if size.width < ratio * size.height:
        return Size(max(size.width, round(ratio * size.height)), size.height)
    return Size(size.width, max(size.height, round(size.width / ratio)))


def _share(extra: int, anchor: str, low: str, high: str) -> tuple[int, int]:
    """What each of two opposite sides gets of `extra` pixels: none on the side that the old picture sits at."""
    words = anchor.split("-")
    if low in words:
        return (0, extra)
    return (extra, 0) if high in words else (extra // 2, extra - extra // 2)
