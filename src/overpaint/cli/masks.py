"""`overpaint mask`: make, combine, resize, refine and convert masks, from files to files."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter

from overpaint.doors import forms
from overpaint.doors.inputs import mask_from
from overpaint.doors.places import Places, mask_at
from overpaint.errors import MaskError, RequestError, concerning
from overpaint.geometry import Size

from .convert import convert
from .maskfiles import check_output, write
from .options import (
    HOW,
    OUT,
    PICTURE,
    WHERE,
    WHERE_UNSET,
    WRITTEN_UNSET,
    About,
    Channel,
    Label,
    MaskFile,
    Resize,
    Shapes,
    Where,
    Written,
    argument,
    verb_group,
)
from .preview import preview
from .selecting import select, selectors
from .streams import as_written, check_one_reader, load, opened

if TYPE_CHECKING:
    from overpaint.mask import Mask

_STEPS = Group("How", sort_key=2, help="Done in this order, whatever the order they are given in.")

app = verb_group(
    "mask",
    "Make, select, combine, resize, refine, convert and look at masks. In a mask, white is repainted.",
    "mask make photo.jpg --box 10%,20%,40%,60% --feather 20 -o mask.png",
    "mask select photo.jpg --point 420,310 -o thing.png",
    "mask refine mask.png --grow 4 --fill-holes -o better.png",
    "mask preview photo.jpg better.png -o look.png",
)
app.command(select, sort_key=4)
app.command(selectors, sort_key=4)
app.command(convert, sort_key=4)
app.command(preview, sort_key=5)

Output = Annotated[
    str, argument(("--output", "-o"), "The mask, as .png or .tif; - writes a PNG to standard output.", OUT, "OUT")
]


@app.command(sort_key=0)
def make(
    picture: Annotated[str | None, Parameter(group=PICTURE)] = None,
    /,
    *,
    size: Annotated[str | None, Parameter(group=PICTURE, metavar="WxH")] = None,
    where: Where = WHERE_UNSET,
    stroke: Annotated[Shapes, Parameter(group=WHERE, metavar="'X,Y X,Y ...'")] = (),
    width: Annotated[float, Parameter(group=WHERE, metavar="PX")] = 20.0,
    feather: Annotated[float, Parameter(group=WHERE, metavar="PX")] = 0.0,
    output: Output,
    written: Written = WRITTEN_UNSET,
) -> int:
    """Draw a mask from shapes, strokes and other masks, for a picture or of a size.

    [dim]$[/] overpaint mask make photo.jpg --ellipse 120,80,260,310 --feather 20 -o mask.png
    [dim]$[/] overpaint mask make --size 1920x1080 --stroke "10,900 900,880" --width 40 -o mask.png

    Args:
        picture: The picture that the mask is for; or give --size.
        size: The mask's size, without a picture.
        stroke: A brush stroke through these points. May be given again.
        width: How wide the brush is.
        feather: Soften the edge: sigma of a Gaussian.
    """
    from overpaint.mask import Mask
    from overpaint.request import MaskSpec, StrokesPart
    from overpaint.studio import mask_of

    if (picture is None) == (size is None):
        raise RequestError("mask make needs either a PICTURE that the mask is for, or --size WxH")
    if not where.named and not stroke:
        raise RequestError("nothing to draw: give --box, --ellipse, --polygon, --stroke, --select, --point or --mask")
    check_one_reader((picture, *where.mask))
    check_output(output, written.overwrite)
    source = None if picture is None else opened(picture)
    extent = source.size if source is not None else forms.size_of(size or "", "size")
    found = mask_at(
        replace(where, invert=False), extent, lambda name, how: mask_from(load(name), extent, how, about=source)
    )
    mask = Mask.empty(extent).with_notes(where.notes) if found is None else found.drawn(extent, source)
    if stroke:
        lines = tuple(tuple(forms.points(text, extent, "stroke", least=1)) for text in stroke)
        mask = mask.union(mask_of(MaskSpec(parts=(StrokesPart(strokes=lines, width=width),)), extent))
    if where.invert:
        mask = mask.invert()
    with concerning("feather"):
        mask = mask.feather(feather)
    return write(mask, output, written)


@app.command(sort_key=1)
def combine(
    *masks: MaskFile,
    op: Annotated[Literal["union", "subtract", "intersect"], Parameter(group=HOW)] = "union",
    mask_picture: About = None,
    mask_resize: Resize = False,
    output: Output,
    written: Written = WRITTEN_UNSET,
) -> int:
    """Put several masks of one size together.

    [dim]$[/] overpaint mask combine person.png hair.png -o both.png
    [dim]$[/] overpaint mask combine person.png face.png --op subtract -o body.png

    Args:
        op: The union; the first without the others; the intersection.
    """
    if len(masks) < 2:
        raise RequestError(f"mask combine needs two masks or more, not {len(masks)}")
    check_one_reader(masks)
    check_output(output, written.overwrite, masks)
    first, *others = masks
    how = Places(mask_picture=mask_picture, mask_resize=mask_resize)
    start = mask_from(load(first), None, how)
    rest = [_of_size(name, start.size, f"{as_written(first)} is", how) for name in others]
    whole = reduce(lambda left, right: getattr(left, op)(right), rest, start)
    return write(whole, output, written)


def _of_size(name: str, size: Size, wanted: str, how: Places) -> Mask:
    """The mask of a file in a size that is not a picture's but, in words, what `wanted` says."""
    try:
        return mask_from(load(name), size, how)
    except MaskError as error:
        if error.code != "mask-size":
            raise
        message = f"{as_written(name)} is {error.value}, and {wanted} {size}"
        raise MaskError(message, code=error.code, value=error.value, hint=error.hint) from None


@app.command(sort_key=2)
def resize(
    mask: MaskFile,
    /,
    *,
    picture: Annotated[str | None, Parameter(group=HOW, metavar="FILE")] = None,
    size: Annotated[str | None, Parameter(group=HOW, metavar="WxH")] = None,
    output: Output,
    written: Written = WRITTEN_UNSET,
) -> int:
    """Give a mask another size in proportion: a hard mask stays hard, a soft one is averaged.

    [dim]$[/] overpaint mask resize mask.png --picture photo.jpg -o large.png

    Args:
        picture: To the size of this picture.
        size: To this size.
    """
    if (picture is None) == (size is None):
        raise RequestError("mask resize needs either --picture FILE or --size WxH")
    check_one_reader((mask, picture))
    check_output(output, written.overwrite, (mask, *(() if picture is None else (picture,))))
    wanted = opened(picture).size if picture is not None else forms.size_of(size or "", "size")
    result = _of_size(mask, wanted, "wanted is", Places(mask_resize=True))
    return write(result, output, written)


@app.command(sort_key=3)
def refine(
    mask: MaskFile,
    /,
    *,
    mask_channel: Channel = "auto",
    mask_label: Label = None,
    mask_picture: About = None,
    threshold: Annotated[float | None, Parameter(group=_STEPS, metavar="0-1")] = None,
    fill_holes: Annotated[bool, Parameter(group=_STEPS, negative=())] = False,
    remove_specks: Annotated[float | None, Parameter(group=_STEPS, metavar="AREA")] = None,
    grow: Annotated[float | None, Parameter(group=_STEPS, metavar="PX")] = None,
    shrink: Annotated[float | None, Parameter(group=_STEPS, metavar="PX")] = None,
    feather: Annotated[float | None, Parameter(group=_STEPS, metavar="PX")] = None,
    invert: Annotated[bool, Parameter(group=_STEPS, negative=())] = False,
    output: Output,
    written: Written = WRITTEN_UNSET,
) -> int:
    """Make a mask cleaner, larger, smaller, softer or harder.

    [dim]$[/] overpaint mask refine rough.png --threshold 0.5 --remove-specks 30 --grow 3 -o mask.png

    Args:
        threshold: Make it hard: at least this is repainted.
        fill_holes: Fill what the mask encloses.
        remove_specks: Drop pieces of fewer pixels than this.
        grow: Outwards by so many pixels.
        shrink: Inwards by so many pixels.
        feather: Soften the edge: sigma of a Gaussian.
        invert: Invert the mask.
    """
    check_output(output, written.overwrite, (mask,))
    how = Places(mask_channel=mask_channel, mask_label=mask_label, mask_picture=mask_picture)
    result = mask_from(load(mask), None, how)
    steps = {"threshold": threshold, "fill_holes": fill_holes, "remove_specks": remove_specks}
    steps |= {"grow": grow, "shrink": shrink, "feather": feather, "invert": invert}
    for name, value in steps.items():
        if value is None or value is False:
            continue
        with concerning(name):
            step = getattr(result, name)
            result = step() if value is True else step(value)
    return write(result, output, written)
