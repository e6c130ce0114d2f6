"""From the files and uploads of a request to the values that a studio takes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from overpaint.errors import InputError, MaskError, PictureError, RequestError
from overpaint.geometry import Margins, Size

from .controls import ControlInput
from .extension import Extension, margins_of
from .places import OF_FILES, MaskInput, Places, RegionPlaces, mask_at

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from overpaint.mask import Mask
    from overpaint.picture import Picture
    from overpaint.request import Control, EditRequest, RegionalPrompt
    from overpaint.studio import Edited

_UNNAMED = "the picture: "  # before an error of a picture that is opened from bytes

Source: TypeAlias = str | Path | bytes
"""A path, or the bytes of a file."""

Loader: TypeAlias = Callable[[str], Source]
"""From the name that a request has for a file to its path or its bytes."""


@dataclass(frozen=True, slots=True)
class Uploads:
    """Files that came with a request. The names are keys chosen by a client, and never become paths.

    Attributes:
        files: Their bytes by name.
    """

    files: Mapping[str, bytes]

    def __call__(self, name: str) -> bytes:
        """The bytes of a file. Raises RequestError for a name that did not come with the request."""
        if name not in self.files:
            raise RequestError(f"no file {name!r} came with the request", code="upload-missing", value=name)
        return self.files[name]


@dataclass(frozen=True, slots=True)
class EditInputs:
    """One edit as a studio takes it.

    Attributes:
        picture: The picture.
        request: The request, with margins and shapes filled in.
        mask: The mask where one file says it.
        sketch: (H, W, 4) uint8 strokes, RGBA.
        insert: The picture to put in, in sRGB.
        rasters: Rasters that the request names, by SHA-256.
        notes: What was found about mask files; a lone `mask` has its own.
    """

    picture: Picture
    request: EditRequest
    mask: Mask | None = None
    sketch: NDArray[np.uint8] | None = None
    insert: Picture | None = None
    rasters: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> Size:
        """The size of the result: the picture's, with the request's margins."""
        return self.picture.size.box.pad(Margins(*self.request.margins or ())).size

    @property
    def rest(self) -> dict[str, Any]:
        """All but picture and request, as the keyword arguments of `Studio.prepare` and `Studio.variations`."""
        return {"mask": self.mask, "sketch": self.sketch, "insert": self.insert, "inputs": self.rasters}

    def noted(self, edited: Edited) -> Edited:
        """The result with these notes before its own."""
        return replace(edited, notes=tuple(dict.fromkeys(self.notes + edited.notes))) if self.notes else edited


def collect(
    picture: Picture,
    request: EditRequest,
    load: Loader,
    *,
    places: Places | None = None,
    avoid: Places | None = None,
    regions: Sequence[RegionPlaces] = (),
    sketch: str | None = None,
    insert: str | None = None,
    insert_mask: str | None = None,
    controls: Sequence[ControlInput] = (),
    extension: Extension | None = None,
    scene: bool = False,
    written: Callable[[str], str] = str,
) -> EditInputs:
    """Read everything that a request names, and fill in what follows from the picture's size.

    Args:
        picture: The picture.
        request: The request as far as it is known without the picture.
        load: Where files are: `Uploads`, or a function that returns paths.
        places: Where to repaint.
        avoid: What must not be copied.
        regions: Regional prompts with their places.
        sketch: The name of a file of strokes.
        insert: The name of the file of a picture to put in.
        insert_mask: The name of a mask file that marks the object in it.
        controls: What guides the engine; they take the place of the request's.
        extension: How far the picture is extended.
        scene: Whether the prompt is completed by the picture's light and lens.
        written: The name of a file as errors show it.

    Raises:
        RequestError: Something is not written as it should be, or given twice.
        MaskError, PictureError: A file can't be read or has another size than the picture.
    """
    places = places or Places()
    if places.named and request.mask is not None:
        raise RequestError("the mask is given twice: in the request, and as a file or a shape", code="mask-twice")
    if avoid is not None and avoid.named:
        places, avoid = _read_alike(places, avoid)
    if avoid is not None and avoid.named and request.avoid is not None:
        message = "what is not to be copied is given twice: in the request, and as a file or a shape"
        raise RequestError(message, code="avoid-twice", field="avoid")

    if regions and request.regional_prompts is not None:
        from overpaint.studio.inputs import regional_twice

        raise regional_twice("as files or shapes")

    def read(name: str, places: Places) -> Mask:
        source = load(name)
        try:
            return mask_from(source, picture.size, places, about=picture)
        except MaskError as error:
            raise error.within(written(name)) if isinstance(source, bytes) else error from None

    if insert is None and insert_mask is not None:
        raise RequestError(
            "{field} marks the object in a picture to put in, and none is given",
            code="insert-missing",
            field="insert_mask",
            value=insert_mask,
            hint="set insert",
        )
    found = mask_at(places, picture.size, read)
    strokes = put_in = None
    if sketch is not None:
        with _naming(written(sketch), "sketch"):
            strokes = sketch_from(load(sketch), picture.size, written(sketch))
    if insert is not None:
        cut = None if insert_mask is None else load(insert_mask)
        with _naming(written(insert), "insert"):
            put_in = insert_from(load(insert), cut, picture.size)
    if found is not None and found.spec is not None:
        request = request.merged(mask=found.spec)
    if extension is not None and not (extension.unset and request.margins is not None):
        request = request.merged(margins=tuple(margins_of(extension, picture.size)))
    mask, rasters, notes = (None, {}, places.notes) if found is None else (found.mask, found.rasters, found.notes)
    if avoid is not None and avoid.named:
        unwanted = _avoided(avoid, picture.size, read)
        request = request.merged(avoid=unwanted.spec)
        rasters, notes = {**rasters, **unwanted.rasters}, (*notes, *unwanted.notes)
    if regions:
        regional, carried, own = _regional(regions, picture.size, read)
        request = request.merged(regional_prompts=regional)
        rasters, notes = {**rasters, **carried}, (*notes, *own)
    if controls:
        request, carried = _guided(request, controls, load, written)
        rasters = {**rasters, **carried}
    if scene:
        from overpaint.prompt import scene_prompt
        from overpaint.studio.masks import mask_of

        seen = mask
        if seen is None and request.mask is not None:
            seen = mask_of(request.mask, picture.size, inputs=rasters, picture=picture)
        request = request.merged(prompt=scene_prompt(request.prompt or "", picture, seen))
    return EditInputs(picture, request, mask, strokes, put_in, rasters, notes)


def _guided(
    request: EditRequest, controls: Sequence[ControlInput], load: Loader, written: Callable[[str], str]
) -> tuple[EditRequest, dict[str, NDArray[Any]]]:
    """The request with these controls, and the rasters of their images that are too large to be in it."""
    found: list[Control] = []
    rasters: dict[str, NDArray[Any]] = {}
    for one in controls:
        with _naming(written(one.file or ""), "controls"):
            control, carried = one.control(None if one.file is None else load(one.file))
        found.append(control)
        rasters |= carried
    return request.merged(controls=tuple(found)), rasters


@contextlib.contextmanager
def _naming(name: str, field: str) -> Iterator[None]:
    """An error of a picture that came as bytes says its name, and its field."""
    try:
        yield
    except PictureError as error:
        if error.context != _UNNAMED:
            raise
        error.context, error.field = f"{name}: ", field
        raise


def _read_alike(places: Places, avoid: Places) -> tuple[Places, Places]:
    """Both places; what is said about mask files holds for those of `avoid` where they are the only ones."""
    if not avoid.files:
        return places, avoid
    if places.files:
        return places, replace(avoid, mask_resize=places.mask_resize or avoid.mask_resize)
    said = {name: getattr(places, name) for name in OF_FILES}
    return replace(places, **{name: getattr(Places(), name) for name in OF_FILES}), replace(avoid, **said)


def _avoided(avoid: Places, size: Size, read: Callable[[str, Places], Mask]) -> MaskInput:
    """What must not be copied, as a request names it, and notes on its files."""
    from overpaint.studio.inputs import about_avoid
    from overpaint.studio.masks import spec_of

    try:
        found = mask_at(avoid, size, read, box="avoid_box")
    except MaskError as error:
        raise about_avoid(error) from None
    assert found is not None
    if found.mask is not None:
        spec, rasters = spec_of(found.mask)
        found = MaskInput(spec=spec, rasters=rasters, notes=found.mask.notes)
    return replace(found, notes=tuple(f"avoid: {note}" for note in found.notes))


def _regional(
    regions: Sequence[RegionPlaces], size: Size, read: Callable[[str, Places], Mask]
) -> tuple[list[RegionalPrompt], dict[str, NDArray[Any]], list[str]]:
    """Regional prompts as a request names them, the rasters of their masks, and notes on their files."""
    from overpaint.request import RegionalPrompt
    from overpaint.studio.masks import spec_of
    from overpaint.studio.regional import about_region

    found: list[RegionalPrompt] = []
    rasters: dict[str, NDArray[Any]] = {}
    notes: list[str] = []
    for number, one in enumerate(regions, start=1):
        try:
            place = mask_at(one.places, size, read)
            if place is None:
                raise MaskError("it has no mask and no shape", code="mask-missing")
        except InputError as error:
            raise about_region(error, number) from None
        spec, own = place.spec, place.notes
        rasters |= place.rasters
        if place.mask is not None:
            (spec, carried), own = spec_of(place.mask), place.mask.notes
            rasters |= carried
        assert spec is not None
        found.append(RegionalPrompt(mask=spec, **one.text.to_mapping()))
        notes += (f"regional prompt {number}: {note}" for note in own)
    return found, rasters, notes


def mask_from(
    source: Source, size: Size | None = None, places: Places | None = None, *, about: Picture | None = None
) -> Mask:
    """The mask of a file, of a picture's size where one is given.

    Args:
        source: A picture, or COCO, LabelMe or CVAT annotations.
        size: The size that it must have.
        places: Which channel, label and picture count, and whether it is resized; the defaults when left out.
        about: The picture, whose file name chooses among the pictures of annotations where `places` chooses none.
    """
    from overpaint.mask import Mask

    how = places or Places()
    read = partial(Mask.from_file, source, size, channel=how.mask_channel, label=how.mask_label, resize=how.mask_resize)
    try:
        return read(image=how.mask_picture)
    except MaskError as error:
        found = error
    if found.code == "mask-picture" and how.mask_picture is None and about is not None and about.source.path:
        try:
            return read(image=about.source.path.name)
        except MaskError as error:
            found = found if error.code == "mask-picture" else error
    own = found.hint.replace("set resize", "set mask_resize").replace("set image", "set mask_picture")
    found.hint = own if places is not None or own == found.hint else ""
    raise found


def sketch_from(source: Source, size: Size, name: str) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 strokes of a file with transparency and of a picture's size; `name` is for errors.

    Raises:
        RequestError: It has no transparency, or another size.
    """
    import numpy as np

    from overpaint.picture import open_picture, to_pil

    drawn = open_picture(source)
    if drawn.alpha is None:
        raise RequestError(
            f"the sketch {name} has no transparency, and would hide the whole picture",
            code="sketch-opaque",
            field="sketch",
            hint="use a PNG with alpha",
        )
    if drawn.size != size:
        swapped = "width and height are swapped" if drawn.size == size.swapped else ""
        raise RequestError(
            f"the sketch {name} is {drawn.size}, but the picture is {size}",
            code="sketch-size",
            field="sketch",
            hint=swapped,
        )
    return np.asarray(to_pil(drawn).convert("RGBA"))


def insert_from(source: Source, mask: Source | None, place: Size) -> Picture:
    """The picture of a file in sRGB, cut out where a mask file marks its object, with what the file says of its origin.

    One that is far larger than `place`, the size of the picture that it is put into, is reduced.

    Raises:
        PictureError, MaskError: A file can't be read, or the mask has another size.
    """
    from overpaint.picture import from_array, open_picture
    from overpaint.studio.inserts import insert_raster

    picture = open_picture(source)
    raster = insert_raster(picture, None if mask is None else mask_from(mask, picture.size), place)
    said = replace(picture.metadata, icc=None, code_points=None)  # the raster is sRGB
    return replace(from_array(raster), metadata=said, source=picture.source)
