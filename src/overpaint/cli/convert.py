"""`overpaint mask convert`: writes a mask in another form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter

from overpaint.doors import forms
from overpaint.doors.inputs import mask_from
from overpaint.doors.outputs import check_writable_all
from overpaint.doors.places import Places
from overpaint.errors import OutputError

from .maskfiles import describe
from .options import OUT, WHERE, WRITTEN_UNSET, About, Channel, Label, MaskFile, Resize, Written
from .streams import STDIO, load, paths, write_output

if TYPE_CHECKING:
    from overpaint.mask import Mask

MaskForm = Literal["png", "tiff", "coco-rle", "coco-polygons", "labelme", "cvat"]

_BY_ENDING: dict[str, MaskForm] = {".png": "png", ".tif": "tiff", ".tiff": "tiff", ".json": "labelme", ".xml": "cvat"}
_WRITTEN = Group("Written", sort_key=4)


def convert(
    mask: MaskFile,
    /,
    *,
    mask_channel: Channel = "auto",
    mask_label: Label = None,
    mask_picture: About = None,
    mask_resize: Resize = False,
    size: Annotated[str | None, Parameter(group=WHERE, metavar="WxH")] = None,
    to: Annotated[MaskForm | None, Parameter(group=_WRITTEN)] = None,
    label: Annotated[str, Parameter(group=_WRITTEN, metavar="NAME")] = "mask",
    picture: Annotated[str, Parameter(group=_WRITTEN, metavar="NAME")] = "",
    output: Annotated[str, Parameter(alias="-o", group=OUT, metavar="OUT")],
    written: Written = WRITTEN_UNSET,
) -> int:
    """Write a mask in another form: an image, or COCO, LabelMe or CVAT annotations, which hold hard masks.

    [dim]$[/] overpaint mask convert mask.png --to coco-rle --label person -o mask.json
    [dim]$[/] overpaint mask convert annotations.xml --mask-label car -o car.png

    Args:
        size: The picture's size, which the mask must have; bare COCO polygons don't say it.
        to: The form. Left out: by the name of OUT, .json being LabelMe and .xml CVAT.
        label: What the shapes are called.
        picture: The file name of the picture, as the annotations are to have it.
        output: The file; - writes to standard output.
    """
    from overpaint.mask import Mask

    form = to or _form(output)
    if output != STDIO:
        check_writable_all([("output", Path(output))], overwrite=written.overwrite, inputs=paths((mask,)))
    extent = None if size is None else forms.size_of(size, "size")
    found = mask_from(
        load(mask),
        extent,
        Places(mask_channel=mask_channel, mask_label=mask_label, mask_picture=mask_picture, mask_resize=mask_resize),
    )
    if not found.bilevel and form not in ("png", "tiff"):
        note = f"{form} holds bilevel masks: what is at least half marked was written"
        found = Mask(found.threshold().values, (*found.notes, note))
    write_output(output, encoded(found, form, label=label, picture=picture), overwrite=written.overwrite)
    describe(found, output, written, form=form)
    return 0


def _form(output: str) -> MaskForm:
    ending = "" if output == STDIO else Path(output).suffix.lower()
    if ending not in _BY_ENDING:
        where = "standard output" if output == STDIO else f"--output {output}"
        raise OutputError(f"{where} does not say which form: add --to png, coco-rle, coco-polygons, labelme or cvat")
    return _BY_ENDING[ending]


def encoded(mask: Mask, form: MaskForm, *, label: str, picture: str) -> bytes:
    """A mask as a file's bytes in one of the forms; COCO's has one picture, one category and one annotation."""
    from overpaint.mask import formats
    from overpaint.picture import encode

    if form in ("png", "tiff"):
        return encode(mask.to_picture(), form).data
    if form == "labelme":
        return formats.to_labelme(mask, label=label, image=picture).encode()
    if form == "cvat":
        return formats.to_cvat(mask, label=label, image=picture).encode()
    width, height = mask.size
    document = {
        "images": [{"id": 1, "file_name": picture, "width": width, "height": height}],
        "categories": [{"id": 1, "name": label}],
        "annotations": [formats.to_coco_annotation(mask, kind="rle" if form == "coco-rle" else "polygons")],
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode()
