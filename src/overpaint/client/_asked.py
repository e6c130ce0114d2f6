"""From the arguments of an edit to what a server is sent: files by their digest, and a task that names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import RequestError
from overpaint.geometry import Size
from overpaint.picture import Colour, Metadata, Picture, encode, from_array, open_picture
from overpaint.request import EditRequest, raster_tables
from overpaint.studio.inputs import EditArguments, InputRasters, gather
from overpaint.studio.inserts import Pictured, insert_picture, picture_of

from ._connection import FileBody


@dataclass(frozen=True, slots=True, eq=False)
class AskedEdit:
    """An edit, ready to be sent.

    Attributes:
        rasters: The picture as opened here, and the mask and sketch that were given as values.
        request: The request, without those.
        picture: The picture's file; None where a session has the picture.
        insert: The file of the picture to put in; None for none.
        carried: Files with the rasters that the request names by digest.
        table: The request as it is sent.
        original: Whether the picture's file is as it was given; else it was written here, without loss.
    """

    rasters: InputRasters
    request: EditRequest
    picture: FileBody | None
    insert: FileBody | None
    carried: tuple[FileBody, ...]
    table: Mapping[str, Any] = field(repr=False)
    original: bool = False

    @property
    def files(self) -> tuple[FileBody, ...]:
        """All files."""
        alone = (self.picture, self.insert)
        return (*(one for one in alone if one is not None), *self.carried)

    @property
    def task(self) -> dict[str, Any]:
        """What a server is asked for."""
        found: dict[str, Any] = {"request": dict(self.table)}
        if self.picture is not None:
            found["picture"] = self.picture.sha256
        if self.insert is not None:
            found["insert"] = self.insert.sha256
        if self.carried:
            found["rasters"] = [one.sha256 for one in self.carried]
        return found

    def without_loss(self) -> AskedEdit:
        """The same with the picture in a file that every server reads."""
        return replace(self, picture=FileBody(lossless(self.rasters.picture)), original=False)


def asked_edit(picture: Pictured, request: EditRequest | None, given: EditArguments) -> AskedEdit:
    """An edit from its arguments. They are checked as for an edit on this machine.

    Args:
        picture: A picture, an array, a PIL image, or a file.
        request: The request; settings given beside it override its fields.
        given: Rasters and settings, as of `Studio.edit`.

    Raises:
        PictureError, MaskError, RequestError: What came in can't be used.
    """
    opened = picture_of(picture)
    asked = _asked(opened, request, given)
    body, original = picture_body(picture, opened)
    return replace(asked, picture=body, original=original)


def asked_step(size: Size, request: EditRequest | None, given: EditArguments) -> AskedEdit:
    """A step of a session, whose picture of this size is on the server. Arguments and errors as of `asked_edit`."""
    return _asked(Picture(np.zeros((*size.shape, 1), np.uint8), None, Colour.GREY), request, given)


def _asked(opened: Picture, request: EditRequest | None, given: EditArguments) -> AskedEdit:
    """An edit without its picture's file."""
    given = given.copy()
    put_in: Picture | None = None
    if (insert := given.get("insert")) is not None:
        shown, marked = insert if isinstance(insert, tuple) and len(insert) == 2 else (insert, None)
        put_in = insert_picture(shown)
        given["insert"] = put_in if marked is None else (put_in, marked)
    request, rasters = gather(opened, request, given)
    sent = request.model_copy(update={"image": None, **rasters.coded})
    file = None
    if put_in is not None and sent.insert is not None:
        raster = rasters.by_digest[sent.insert.sha256]
        said = Metadata(xmp=put_in.metadata.xmp, text=put_in.metadata.text)
        file = FileBody(lossless(replace(from_array(raster), metadata=said)))
        sent = sent.model_copy(update={"insert": None})
    table = sent.to_mapping()
    return AskedEdit(rasters, request, None, file, tuple(_carried(table, rasters)), table)


def _carried(table: Mapping[str, Any], rasters: InputRasters) -> list[FileBody]:
    """Files with the rasters that a request names without holding them."""
    beside = {
        "mask": None if rasters.mask is None else rasters.mask.to_bytes8(),
        "sketch": rasters.sketch,
    }
    found: dict[str, FileBody] = {}
    for name, part in table.items():
        for raster in raster_tables([part]):
            digest = raster["sha256"]
            if raster.get("data") is not None or digest in found:
                continue
            pixels: NDArray[Any] | None = rasters.by_digest.get(digest)
            pixels = beside.get(name) if pixels is None else pixels
            if pixels is None:
                raise RequestError(
                    f"the raster {digest[:12]}... is neither in the request nor among the inputs: give it with the "
                    "request",
                    code="raster-missing",
                    field=name,
                )
            found[digest] = FileBody(lossless(from_array(np.asarray(pixels))))
    return list(found.values())


def picture_body(given: Pictured, opened: Picture) -> tuple[FileBody, bool]:
    """The file of a picture, and whether it is as it was given: the file that it came from where its pixels are still
    that one's, else one without loss.
    """
    data = opened.source.data
    if data is None or opened.source.format == "heif":  # not every server reads those
        return FileBody(lossless(opened)), False
    if isinstance(given, Picture) and not same_pixels(open_picture(data), given):
        return FileBody(lossless(opened)), False
    return FileBody(data), True


def same_pixels(one: Picture, other: Picture) -> bool:
    """Whether two pictures have the same samples and the same alpha."""
    if one.mode != other.mode or one.size != other.size:
        return False
    if one.alpha is not None and other.alpha is not None and not np.array_equal(one.alpha, other.alpha):
        return False
    return np.array_equal(one.samples, other.samples)


def lossless(picture: Picture) -> bytes:
    """A file that gives the picture back exactly: PNG, or TIFF for CMYK."""
    return encode(picture, transport_format(picture)).data


def transport_format(picture: Picture) -> str:
    """The format in which a picture and the results of its edits travel without loss."""
    return "tiff" if picture.colour is Colour.CMYK else "png"
