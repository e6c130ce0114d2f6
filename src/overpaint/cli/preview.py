"""`overpaint mask preview`: what a mask marks, shown on the picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from overpaint.doors.inputs import mask_from
from overpaint.doors.outputs import check_writable_all
from overpaint.doors.places import mask_at
from overpaint.errors import RequestError

from .maskfiles import describe
from .options import OUT, WHERE, AsJson, Debug, Input, Overwrite, Quiet, Where
from .streams import load, opened, paths

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from overpaint.frame import Region
    from overpaint.mask import Mask
    from overpaint.picture import Picture

MARK = (235, 45, 75)  # what is repainted
REACH = (255, 190, 40)  # how far it reaches at the most
BOXES = (40, 160, 255)  # the regions


def preview(
    picture: Input,
    mask: Annotated[
        str | None, Parameter(name="MASK", help="The mask; or name places with the options below.", group=WHERE)
    ] = None,
    /,
    *,
    where: Annotated[Where | None, Parameter(name="*")] = None,
    grow: Annotated[
        float | None,
        Parameter(name="--grow", metavar="PX", help="Show the reach with this growth.", group=WHERE),
    ] = None,
    feather: Annotated[
        float | None,
        Parameter(name="--feather", metavar="PX", help="Show the reach with this fade.", group=WHERE),
    ] = None,
    output: Annotated[str, Parameter(name=("--output", "-o"), metavar="OUT", help="The picture to write.", group=OUT)],
    overwrite: Overwrite = False,
    json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """Show on a picture what a mask marks.

    Red is what is repainted; yellow, how far an edit reaches at the most (with an engine without weights); blue, the
    regions that are painted one by one.

    [dim]$[/] overpaint mask preview photo.jpg mask.png -o look.png
    [dim]$[/] overpaint mask preview photo.jpg --box 10%,20%,40%,60% -o look.png
    """
    from overpaint.files import write_file
    from overpaint.picture import encode, format_of_path, from_array

    places = where or Where()
    if mask is not None:
        places = replace(places, mask=(mask, *places.mask))
    path = Path(output)
    format = format_of_path(path)
    check_writable_all([path], overwrite=overwrite, inputs=paths((picture, *places.files)))
    shown = opened(picture)
    found = mask_at(places, shown.size, lambda name: mask_from(load(name), shown.size, places))
    if found is None:
        raise RequestError("mask preview needs a mask: MASK, --box, --ellipse or --polygon")
    marked = found.drawn(shown.size, shown)
    regions = planned(marked, grow=grow, feather=feather)
    write_file(path, encode(from_array(overlay(shown, marked, regions)), format).data, overwrite=overwrite)
    reach = max((int(region.edge.total + 0.999) for region in regions), default=0)
    describe(marked, output, as_json=json, quiet=quiet, reach=reach, regions=[list(region.box) for region in regions])
    return 0


def planned(mask: Mask, *, grow: float | None = None, feather: float | None = None) -> tuple[Region, ...]:
    """The regions that an engine without weights would paint."""
    from overpaint.frame import Context, Framing, SizeRules, plan

    framing = Framing("masked", None, Context())
    return plan(mask, engine="pixel", sizes=SizeRules(), framing=framing, grow=grow, feather=feather)


def overlay(picture: Picture, mask: Mask, regions: tuple[Region, ...]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: the picture, greyed a little, with mask, outline, reach and regions drawn over it."""
    import cv2
    import numpy as np

    from overpaint.picture import to_pil

    base = np.asarray(to_pil(picture).convert("RGBA").convert("RGB"), dtype=np.float32)
    shown = base * np.float32(0.75) + base.mean(axis=2, keepdims=True) * np.float32(0.25)
    shown += (np.array(MARK, np.float32) - shown) * (mask.values[..., None] * np.float32(0.5))
    drawn: NDArray[np.uint8] = np.ascontiguousarray(np.clip(shown + 0.5, 0, 255).astype(np.uint8))
    line = max(1, round(max(mask.size) / 900))
    reached = np.zeros(mask.size.shape, np.uint8)
    for region in regions:
        reached[region.box.slices] |= (region.masks.composite > 0).astype(np.uint8)
    _outline(cv2, drawn, reached, REACH, line)
    _outline(cv2, drawn, mask.core.astype(np.uint8), MARK, line)
    for region in regions:
        left, top, right, bottom = region.box
        cv2.rectangle(drawn, (left, top), (right - 1, bottom - 1), BOXES, line)
    return drawn


def _outline(cv2: Any, drawn: NDArray[np.uint8], marked: NDArray[np.uint8], colour: Any, line: int) -> None:
    contours, _ = cv2.findContours(marked, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, contours, -1, colour, line)
