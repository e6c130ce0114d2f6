"""The inputs of an edit: one request, and picture, mask, sketch and control images as pixels."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import InputError, MaskError, RequestError
from overpaint.geometry import Size
from overpaint.mask import Mask, of_values
from overpaint.picture import Picture
from overpaint.record import said_types
from overpaint.request import (
    Blob,
    EditRequest,
    EditSettings,
    MaskSpec,
    RegionalPrompt,
    blob_array,
    blob_of,
    picture_blob,
)

from .controls import ControlLike, controls_of
from .inserts import Pictured, insert_picture, insert_raster
from .masks import spec_of
from .regional import are_settings, regional_prompts_of

if TYPE_CHECKING:
    from PIL.Image import Image

Rasters = Mapping[str, NDArray[Any]]
"""Rasters by the SHA-256 of their bytes."""

MaskLike: TypeAlias = "Mask | NDArray[Any] | Image | str | os.PathLike[str] | bytes | BinaryIO"
"""A mask, an array that `Mask.from_array` takes, a PIL image, or a file that `Mask.from_file` reads."""


InsertLike: TypeAlias = "Pictured | tuple[Pictured, MaskLike]"
"""A picture to put in, or a picture and the mask that marks the object in it."""


class GivenRasters(TypedDict, total=False):
    """What an edit is given as values beside its request.

    Attributes:
        mask: Where to repaint, 1 = repaint, of the picture's size; instead of a mask in the request.
        sketch: (H, W, 4) uint8 RGBA strokes, of the picture's size, laid over it before painting; where there is no
            mask, they are the mask too.
        insert: The picture to put in, of any size; a picture and a mask, which marks the object in it, as well.
        avoid: Pixels that must not be copied, 1 = avoided, of the picture's size.
        controls: What guides the engine: controls, kinds of maps that are made from the picture, or tables whose image
            is any picture.
        regional_prompts: Prompts for parts of the picture: each as in a request, or a table whose mask is of the
            picture's size and in any form.
        inputs: Rasters that the request names by digest.
    """

    mask: MaskLike | None
    sketch: NDArray[np.uint8] | None
    insert: InsertLike | None
    avoid: MaskLike | MaskSpec | None
    controls: Sequence[ControlLike] | None
    regional_prompts: Sequence[RegionalPrompt | Mapping[str, Any]] | None
    inputs: Rasters | None


class EditArguments(EditSettings, GivenRasters, total=False):
    """The keyword arguments that all ways to edit share: settings by name, and rasters as values."""


def split(given: EditArguments) -> tuple[EditArguments, dict[str, Any]]:
    """The rasters and the settings of an edit's arguments; what has no raster in it is a setting."""
    settings: dict[str, Any] = dict(given)
    rasters = {name: settings.pop(name) for name in GivenRasters.__annotations__ if name in settings}
    if isinstance(rasters.get("avoid"), MaskSpec | Mapping):
        settings["avoid"] = rasters.pop("avoid")
    if "regional_prompts" in rasters and are_settings(rasters["regional_prompts"]):
        settings["regional_prompts"] = rasters.pop("regional_prompts")
    return cast(EditArguments, rasters), settings


@dataclass(frozen=True, eq=False)
class InputRasters:
    """The pixels that an edit begins with. They are coded for a request when that is first needed.

    Attributes:
        picture: The picture as opened.
        mask: The mask that was given as a value; None where the request has one, or none is needed.
        sketch: (H, W, 4) uint8, the sketch that was given as an array; None likewise.
        by_digest: Rasters that the request names.
        insert_generative: Whether the picture to put in says that generative AI made it or a part of it.
    """

    picture: Picture
    mask: Mask | None = None
    sketch: NDArray[np.uint8] | None = None
    by_digest: Rasters = field(default_factory=dict)
    insert_generative: bool = False

    @cached_property
    def image(self) -> Blob:
        """The picture's name in a request."""
        return picture_blob(self.picture)

    @cached_property
    def coded(self) -> Mapping[str, Any]:
        """The mask and the sketch that were given as values, as a request's fields."""
        found: dict[str, Any] = {}
        if self.mask is not None:
            found["mask"], _ = spec_of(self.mask)
        if self.sketch is not None:
            found["sketch"] = blob_of(self.sketch)
        return found


def gather(picture: Picture, request: EditRequest | None, given: EditArguments) -> tuple[EditRequest, InputRasters]:
    """One request from a request and the settings laid over it, and the rasters beside it.

    Raises:
        RequestError: A setting is unknown or out of range, the mask is given twice, or the request is for another
            picture.
        MaskError: The mask, or what is avoided, can't be read, or has another size than the picture.
    """
    values, settings = split(given)
    request, drawn = _as_request(request), dict[str, NDArray[Any]]()
    if (guiding := values.get("controls")) is not None:
        settings["controls"], drawn = controls_of(guiding)
    if request is None:
        request = EditRequest.of(**settings)
    elif settings:
        request = request.merged(**settings)
    mask: Mask | None = None
    if (marked := values.get("mask")) is not None:
        mask = as_mask(marked).require_size(picture.size)
        if request.mask is not None:
            raise RequestError(
                "the mask is given twice: in the request, and beside it", code="mask-twice", field="mask"
            )
        mask = _checked(mask)
    by_digest, generative = {**_rasters(values.get("inputs")), **drawn}, False
    if (insert := values.get("insert")) is not None:
        if request.insert is not None:
            raise RequestError("the picture to put in is given twice: in the request, and beside it", field="insert")
        shown, marked = _pair(insert)
        put_in = insert_picture(shown)
        raster = insert_raster(put_in, None if marked is None else as_mask(marked), picture.size)
        generative = any(one.generative for one in said_types(put_in))
        blob = blob_of(raster, inline=False)
        request, by_digest[blob.sha256] = request.merged(insert=blob), raster
    avoid = values.get("avoid")
    if avoid is not None and not isinstance(avoid, MaskSpec):
        if request.avoid is not None:
            message = "what is not to be copied is given twice: in the request, and beside it"
            raise RequestError(message, code="avoid-twice", field="avoid")
        spec, carried = _avoided(avoid, picture.size)
        request, by_digest = request.merged(avoid=spec), {**by_digest, **carried}
    if (regional := values.get("regional_prompts")) is not None:
        if request.regional_prompts is not None:
            raise regional_twice("beside it")
        regions, carried = regional_prompts_of(
            regional, lambda given: _checked(as_mask(given).require_size(picture.size))
        )
        request, by_digest = request.merged(regional_prompts=regions), {**by_digest, **carried}
    rasters = InputRasters(picture, mask, _as_sketch(values.get("sketch")), by_digest, generative)
    if request.image is not None and request.image.sha256 != rasters.image.sha256:
        raise RequestError(
            f"the request is for another picture: its image is {request.image.sha256[:12]}... "
            f"({request.image.size}), this one is {rasters.image.sha256[:12]}... ({rasters.image.size})"
        )
    return request, rasters


def sketch_of(request: EditRequest, rasters: InputRasters) -> NDArray[np.uint8] | None:
    """The sketch, (H, W, 4) uint8 of the picture's size, from the request or beside it.

    Raises:
        RequestError: It has another size, or is not there.
    """
    given = request.sketch if rasters.sketch is None else rasters.sketch
    if given is None:
        return None
    found = f"{given.dtype if isinstance(given, np.ndarray) else 'uint8'} {given.shape}"
    wanted = f"uint8 {(*rasters.picture.size.shape, 4)}"
    if found != wanted:
        message = f"a sketch is RGBA of the picture's size, {wanted}, not {found}"
        raise RequestError(message, code="sketch-size", field="sketch", value=found)
    return (
        given if isinstance(given, np.ndarray) else blob_array(given, rasters.by_digest, what="sketch", field="sketch")
    )


def _as_request(given: Any) -> EditRequest | None:
    if given is None or isinstance(given, EditRequest):
        return given
    found = type(given).__name__
    message = f"a request is an EditRequest, not {found}"
    hint = "EditRequest.of(**settings) makes one from settings, EditRequest.from_json from text"
    raise RequestError(message, field="request", value=found, hint=hint)


def _rasters(given: Any) -> dict[str, NDArray[Any]]:
    if given is not None and not isinstance(given, Mapping):
        message = f"the inputs are a table of arrays by their SHA-256, not {type(given).__name__}"
        raise RequestError(message, field="inputs", value=type(given).__name__)
    return dict(given or {})


def _pair(given: Any) -> tuple[Any, Any]:
    """A picture to put in, and the mask of its object; None where the mask is left out."""
    if not isinstance(given, tuple):
        return given, None
    if len(given) != 2:
        message = f"a picture to put in is one value, or a picture and a mask, not {len(given)} values"
        raise RequestError(message, field="insert", value=len(given))
    return given


def _as_sketch(given: Any) -> NDArray[np.uint8] | None:
    if given is None or isinstance(given, np.ndarray):
        return given
    found = type(given).__name__
    message = f"a sketch is an array of RGBA, (height, width, 4) uint8, not {found}"
    raise RequestError(message, code="sketch-size", field="sketch", value=found)


def _avoided(given: MaskLike, size: Size) -> tuple[MaskSpec, Rasters]:
    """What a request avoids, and its raster where that is too large for the request."""
    try:
        return spec_of(_checked(as_mask(given).require_size(size)))
    except MaskError as error:
        raise about_avoid(error) from None


def about_avoid(error: InputError) -> InputError:
    """The error of a mask as that of what is avoided."""
    found = error.within("avoid")
    found.field = "avoid"
    return found


def regional_twice(where: str) -> RequestError:
    """The error of regional prompts in a request, and elsewhere as well."""
    message = f"regional prompts are given twice: in the request, and {where}"
    return RequestError(message, code="regional-twice", field="regional_prompts")


def as_mask(given: MaskLike) -> Mask:
    """The mask itself, or that of an array, a PIL image or a file.

    Raises:
        MaskError: It can't be read, or is something else.
    """
    from PIL.Image import Image

    if isinstance(given, Mask):
        return given
    if isinstance(given, np.ndarray):
        return Mask.from_array(given)
    if isinstance(given, Image):
        file = io.BytesIO()
        try:
            given.save(file, "PNG")
        except OSError:
            raise MaskError(f"a PIL image of the mode {given.mode} can't be the mask", hint="convert it to L") from None
        given = file.getvalue()
    if isinstance(given, str | os.PathLike | bytes) or hasattr(given, "read"):
        return Mask.from_file(given)
    raise MaskError(
        f"a mask can't be a {type(given).__name__}",
        field="mask",
        hint="right would be a Mask, an array (height, width), a PIL image, or the path of a mask file",
    )


def _checked(mask: Mask) -> Mask:
    """The mask as a request keeps it, in 8 bits and without noise, so that its replay gives the same pixels."""
    if mask.bilevel:
        return mask
    found = of_values(mask.to_bytes8())
    return replace(found, notes=tuple(dict.fromkeys(mask.notes + found.notes)))
