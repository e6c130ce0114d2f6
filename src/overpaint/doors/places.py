"""Where to repaint, as people write it: mask files, boxes in pixels or per cent, polygons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from overpaint.errors import MaskError, RequestError
from overpaint.geometry import Size

from . import forms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from overpaint.mask import Mask
    from overpaint.picture import Picture
    from overpaint.request import MaskSpec, Part

Channel = Literal["auto", "luminance", "alpha", "transparent"]

WORDS = ("alpha", "full")
"""Words that stand for a mask file: the picture's own transparency, all of the picture."""

OF_FILES = ("mask_channel", "mask_label", "mask_picture", "mask_resize")
"""Attributes of `Places` that say how mask files are read."""


@dataclass(frozen=True, slots=True)
class Places:
    """Files and shapes that mark where to repaint; their union counts.

    Attributes:
        mask: Mask files, or "alpha" or "full".
        box, ellipse: "left,top,right,bottom" each, in pixels or per cent of the picture.
        polygon: "x,y x,y x,y" each, likewise.
        mask_channel: Which channel of a mask file with alpha counts.
        mask_label: The label whose shapes are taken, for annotations; None takes all.
        mask_picture: The file name of the picture, for annotations of several pictures.
        mask_resize: Whether a mask of another size, whose sides are in proportion, is resized.
        invert: Repaint everything but these.
    """

    mask: tuple[str, ...] = ()
    box: tuple[str, ...] = ()
    ellipse: tuple[str, ...] = ()
    polygon: tuple[str, ...] = ()
    mask_channel: Channel = "auto"
    mask_label: str | None = None
    mask_picture: str | None = None
    mask_resize: bool = False
    invert: bool = False

    @property
    def named(self) -> bool:
        """Whether any place is named."""
        return bool(self.mask or self.box or self.ellipse or self.polygon)

    @property
    def files(self) -> tuple[str, ...]:
        """The mask files."""
        return tuple(name for name in self.mask if name not in WORDS)

    @property
    def notes(self) -> tuple[str, ...]:
        """A note that names what is said about mask files where there are none."""
        lost = [name for name in OF_FILES if getattr(self, name) != getattr(Places(), name)]
        if self.files or not lost:
            return ()
        return (f"no mask file is named, so that {' and '.join(lost)} had no effect",)


@dataclass(frozen=True, slots=True)
class MaskInput:
    """A mask as a studio takes it: for one file the mask itself, otherwise parts of a request.

    Attributes:
        mask: The mask of a single file; None where `spec` is given.
        spec: Shapes and files joined; None where `mask` is given.
        rasters: Rasters that `spec` names, by SHA-256.
        notes: Of the files of `spec`.
    """

    mask: Mask | None = None
    spec: MaskSpec | None = None
    rasters: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def drawn(self, size: Size, picture: Picture | None = None) -> Mask:
        """The mask, for a picture of that size, whose alpha counts where "alpha" is named."""
        if self.mask is not None:
            return self.mask
        from overpaint.studio.masks import mask_of

        assert self.spec is not None
        return mask_of(self.spec, size, inputs=self.rasters, picture=picture).with_notes(self.notes)


def mask_at(places: Places, size: Size, read: Callable[[str, Places], Mask], *, box: str = "box") -> MaskInput | None:
    """Everything that is named, joined; None when nothing is.

    Args:
        places: What is named.
        size: The picture's size.
        read: From the name of a mask file, and what counts of it, to its mask, which has the picture's size.
        box: The field that an error about a box names.

    Raises:
        RequestError: A shape is not written as it should be, or `invert` has nothing to invert.
        MaskError: As `read` raises it; a label or picture is named, and no file is of annotations.
    """
    if not places.named:
        if places.invert:
            raise RequestError("{field} inverts a mask, and none is given", field="invert", value=True)
        return None
    alone = replace(places, mask=places.files[:1], box=(), ellipse=(), polygon=(), invert=False)
    if places.files and places == alone:
        return MaskInput(read(places.mask[0], places))
    # here, as the command line imports this module for its help, which must not load the request's model
    from overpaint.request import AlphaPart, BoxPart, EllipsePart, FullPart, MaskSpec, PolygonPart
    from overpaint.studio.masks import spec_of

    parts: list[Part] = []
    rasters: dict[str, NDArray[Any]] = {}
    notes: list[str] = []
    plain: list[MaskError] = []  # of files without labels, beside annotations with them
    for name in places.mask:
        if name in WORDS:
            parts.append(AlphaPart() if name == "alpha" else FullPart())
            continue
        try:
            mask = read(name, places)
        except MaskError as error:
            plain.append(error)
            if error.code != "mask-not-annotated" or len(plain) == len(places.files):
                raise
            mask = read(name, replace(places, mask_label=None, mask_picture=None))
        spec, carried = spec_of(mask)
        parts += spec.parts
        rasters |= carried
        notes += mask.notes
    boxes: Any = [forms.box(text, size, box) for text in places.box]
    ellipses: Any = [forms.box(text, size, "ellipse") for text in places.ellipse]
    parts += [BoxPart(box=one) for one in boxes] + [EllipsePart(box=one) for one in ellipses]
    parts += [PolygonPart(points=tuple(forms.points(text, size, "polygon"))) for text in places.polygon]
    return MaskInput(None, MaskSpec(parts=tuple(parts), invert=places.invert), rasters, (*notes, *places.notes))
