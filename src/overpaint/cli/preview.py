"""`overpaint mask preview`: what a mask marks, shown on the picture; or the map of a control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from overpaint.doors.controls import control_input
from overpaint.doors.inputs import mask_from
from overpaint.doors.outputs import check_writable_all
from overpaint.doors.places import mask_at
from overpaint.errors import RequestError
from overpaint.files import write_file

from .maskfiles import describe
from .options import HOW, OUT, WHERE, WHERE_UNSET, WRITTEN_UNSET, Input, Where, Written
from .outputs import check_least
from .streams import check_one_reader, load, opened, paths
from .texts import print_json, print_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from overpaint.frame import Region
    from overpaint.mask import Mask
    from overpaint.mask.overlay import OverlayColour
    from overpaint.picture import Picture


def preview(
    picture: Input,
    mask: Annotated[str | None, Parameter(group=WHERE)] = None,
    /,
    *,
    where: Where = WHERE_UNSET,
    grow: Annotated[float | None, Parameter(group=WHERE, metavar="PX")] = None,
    feather: Annotated[float | None, Parameter(group=WHERE, metavar="PX")] = None,
    control: Annotated[str | None, Parameter(group=HOW, metavar="KIND")] = None,
    size: Annotated[int | None, Parameter(group=HOW, metavar="PX", show_default="the picture's own")] = None,
    output: Annotated[str, Parameter(alias="-o", group=OUT, metavar="OUT")],
    written: Written = WRITTEN_UNSET,
) -> int:
    """Show on a picture what a mask marks.

    The mask is filled; outlines show the reach (of an engine that continues the surroundings) and the regions that are
    painted one by one. Colours are chosen to stand out from the picture; the summary names them.

    [dim]$[/] overpaint mask preview photo.jpg mask.png -o look.png
    [dim]$[/] overpaint mask preview photo.jpg --box 10%,20%,40%,60% -o look.png
    [dim]$[/] overpaint mask preview photo.jpg --control canny:low=50 --size 512 -o edges.png

    With --control the map is written that would guide a model, without what a mask covers (unless inside=true).

    Args:
        mask: The mask; or name places with the options below.
        grow: Show the reach with this growth.
        feather: Show the reach with this fade.
        control: The map of this control, made from the picture, instead of what a mask marks.
        size: With --control: the working size, as the side of a square.
        output: The picture to write.
    """
    import numpy as np

    from overpaint.mask.overlay import overlay_colours
    from overpaint.picture import encode, format_of_path, from_array, to_pil

    places = where if mask is None else replace(where, mask=(mask, *where.mask))
    check_one_reader((picture, *places.mask))
    path = Path(output)
    format = format_of_path(path)
    check_writable_all([("output", path)], overwrite=written.overwrite, inputs=paths((picture, *places.files)))
    shown = opened(picture)
    found = mask_at(places, shown.size, lambda name, how: mask_from(load(name), shown.size, how, about=shown))
    if control is not None:
        hidden = None if found is None else found.drawn(shown.size, shown)
        return _map(shown, control, size, hidden, path, written)
    if size is not None:
        raise RequestError("{field} is about the map of a control, and none is named", field="size", hint="set control")
    if found is None:
        raise RequestError("mask preview needs a mask: MASK, --box, --ellipse, --polygon, --point or --select")
    marked = found.drawn(shown.size, shown)
    regions = planned(marked, grow=grow, feather=feather)
    pixels = np.asarray(to_pil(shown).convert("RGBA").convert("RGB"))
    colours = overlay_colours(pixels, marked, 3)
    drawn = from_array(overlay(pixels, marked, regions, colours))
    write_file(path, encode(drawn, format).data, overwrite=written.overwrite)
    reach = max((int(region.edge.total + 0.999) for region in regions), default=0)
    names = dict(zip(("mask", "reach", "regions"), (colour.name for colour in colours), strict=True))
    boxes = [list(region.box) for region in regions]
    describe(marked, output, written, reach=reach, regions=boxes, colours=names)
    if not (written.json or written.quiet):
        print_line(f"mask in {names['mask']}, reach in {names['reach']}, regions in {names['regions']}")
    return 0


def _map(shown: Picture, control: str, size: int | None, hidden: Mask | None, path: Path, written: Written) -> int:
    """Write the map of a control."""
    from overpaint.picture import encode, format_of_path
    from overpaint.select import network_access
    from overpaint.studio.controls import control_map

    check_least("size", size, 16)
    asked = control_input(control)
    if asked.file is not None:
        raise RequestError("{field}: the map is made from the picture: leave FILE out", field="control", value=control)
    with network_access(paths=True):
        made = control_map(shown, asked.settings, mask=hidden, size=size)
    write_file(path, encode(made, format_of_path(path)).data, overwrite=written.overwrite)
    if written.json:
        print_json({"output": str(path), "size": list(made.size), "control": dict(asked.settings)})
    elif not written.quiet:
        print_line(f"{path}: the map of {asked.settings['kind']}, {made.size}")
    return 0


def planned(mask: Mask, *, grow: float | None = None, feather: float | None = None) -> tuple[Region, ...]:
    """The regions of an engine that continues the surroundings."""
    from overpaint.frame import Context, Framing, SizeRules, plan

    framing = Framing("masked", None, Context())
    return plan(mask, engine="pixel", sizes=SizeRules(), framing=framing, grow=grow, feather=feather)


def overlay(
    pixels: NDArray[np.uint8], mask: Mask, regions: tuple[Region, ...], colours: Sequence[OverlayColour]
) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: the picture in weaker colours, with mask, outline, reach and regions drawn over it."""
    import cv2
    import numpy as np

    from overpaint.mask.overlay import tinted

    grey = pixels.mean(axis=2, keepdims=True, dtype=np.float32)
    muted = np.rint(pixels * np.float32(0.75) + grey * np.float32(0.25)).astype(np.uint8)
    drawn = np.ascontiguousarray(tinted(muted, mask, colours[0], 0.5))
    line = max(1, round(max(mask.size) / 900))
    reached = np.zeros(mask.size.shape, np.uint8)
    for region in regions:
        reached[region.box.slices] |= (region.masks.composite > 0).astype(np.uint8)
    for marked, colour in ((reached, colours[1]), (mask.core.astype(np.uint8), colours[0])):
        contours, _ = cv2.findContours(marked, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, contours, -1, colour.rgb, line)
    for region in regions:
        left, top, right, bottom = region.box
        cv2.rectangle(drawn, (left, top), (right - 1, bottom - 1), colours[2].rgb, line)
    return drawn
