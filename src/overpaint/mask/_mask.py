"""The mask: where to repaint. 1 means repaint; the library has no other polarity."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overpaint.errors import MaskError
from overpaint.files import write_file
from overpaint.geometry import Box, Size
from overpaint.picture import Picture, encode, from_array
from overpaint.picture._picture import frozen
from overpaint.picture.open import FileLike

from . import _blur, _checks, _morphology, _shapes, _strokes
from ._checks import BoxLike, SizeLike

if TYPE_CHECKING:
    from ._shapes import Rule
    from ._sources import Channel
    from .component import MaskComponent


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Where to repaint. Immutable: every method returns a new mask, or this one where nothing changes.

    Attributes:
        values: (H, W) float32 in [0, 1], read-only; 1 = repaint.
        notes: Corrections that were made when the mask was read, and likely mistakes in it. For people.

    Core: values >= 0.5. Support: values > 0. Hard: no ramp between 0 and 1 is wider than 2 pixels.

    The shapes (`box`, `ellipse`, `polygon`, `strokes`) take coordinates in pixels of the picture as displayed, whole or
    fractional, from the upper left corner of the upper left pixel. A pixel is in a shape when its centre is; parts
    outside of the picture are cut off. `feather` blurs the shape (see `feather`), `antialias` gives it an edge of one
    pixel. They raise MaskError for coordinates that are not numbers and for a shape without a pixel in the picture.
    """

    values: NDArray[np.float32]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        values = self.values
        if values.ndim != 2 or values.dtype != np.float32:
            raise MaskError(f"mask values must be float32 of shape (H, W), not {values.dtype} of shape {values.shape}")
        object.__setattr__(self, "values", frozen(values))
        object.__setattr__(self, "notes", tuple(dict.fromkeys(self.notes)))

    # Construction

    @classmethod
    def full(cls, size: SizeLike) -> Mask:
        """The whole picture."""
        return cls(np.ones(_checks.as_size(size).shape, dtype=np.float32))

    @classmethod
    def empty(cls, size: SizeLike) -> Mask:
        """A mask that marks nothing."""
        return cls(np.zeros(_checks.as_size(size).shape, dtype=np.float32))

    @classmethod
    def box(cls, size: SizeLike, box: BoxLike, *, feather: float = 0, antialias: bool = False) -> Mask:
        """A rectangle (left, top, right, bottom), right and bottom exclusive.

        `Mask.box(picture.size, (100, 100, 300, 250), feather=20)` is the feathered box of the tutorials.
        """
        return cls._drawn(size, _shapes.box, box, antialias).feather(feather)

    @classmethod
    def ellipse(cls, size: SizeLike, box: BoxLike, *, feather: float = 0, antialias: bool = False) -> Mask:
        """The ellipse inscribed in a box (left, top, right, bottom)."""
        return cls._drawn(size, _shapes.ellipse, box, antialias).feather(feather)

    @classmethod
    def polygon(
        cls,
        size: SizeLike,
        points: Iterable[object],
        *,
        rule: Rule = "union",
        feather: float = 0,
        antialias: bool = False,
    ) -> Mask:
        """The inside of one or several rings of (x, y) points: a list of points, or a list of such lists.

        Args:
            size: The picture's (width, height).
            points: Three or more points a ring; the last is joined to the first.
            rule: "union": every pixel that a ring winds around, so that a lasso that crosses itself leaves no gap.
                "evenodd": pixels inside an odd number of rings, so that a ring inside another is a hole.
            feather: Radius of the blur in pixels.
            antialias: An edge of one pixel (in steps of 1/16) instead of a hard one.
        """
        return cls._drawn(size, _shapes.polygon, points, rule, antialias).feather(feather)

    @classmethod
    def strokes(
        cls,
        size: SizeLike,
        strokes: Iterable[Iterable[Iterable[float]]],
        width: float | Sequence[float],
        *,
        feather: float = 0,
        antialias: bool = False,
    ) -> Mask:
        """Brush strokes with round ends: pixels within half the width of the line through the points of a stroke.

        Args:
            size: The picture's (width, height).
            strokes: Lists of points (x, y), or (x, y, pressure) with pressure from 0 to 1, which multiplies the width
                and is interpolated between points. One point is a dot.
            width: In pixels, one for all strokes or one for each.
            feather: Radius of the blur in pixels.
            antialias: An edge of one pixel instead of a hard one.
        """
        return cls._drawn(size, _strokes.strokes, strokes, width, antialias).feather(feather)

    @classmethod
    def _drawn(cls, size: SizeLike, draw: Callable[..., None], *shape: object) -> Mask:
        """What a function draws over the values of an empty mask."""
        values = np.zeros(_checks.as_size(size).shape, dtype=np.float32)
        draw(values, *shape)
        return cls(values)

    @classmethod
    def from_array(cls, array: ArrayLike) -> Mask:
        """From (H, W) or (H, W, 1) bool, uint8 or other integers (255 = repaint), uint16 (65535) or float in [0, 1].

        Other known scales of whole numbers, such as labels, are recognised, and noise is removed (see
        `overpaint.mask.plausible`).

        Raises:
            MaskError: another shape or type; NaN or values out of range; many small whole numbers that may be labels.
        """
        from . import _sources

        return _sources.from_array(array)

    @classmethod
    def from_alpha(cls, picture: Picture) -> Mask:
        """The transparent part of a picture: 1 where alpha is 0. This is the form of OpenAI's API.

        Raises:
            MaskError: the picture has no alpha.
        """
        from . import _sources

        return _sources.from_alpha(picture)

    @classmethod
    def from_file(
        cls,
        source: FileLike,
        size: SizeLike | None = None,
        *,
        channel: Channel = "auto",
        label: str | None = None,
        image: str | None = None,
        resize: bool = False,
    ) -> Mask:
        """From a picture file of any mode (white = repaint), or from a COCO, LabelMe or CVAT document.

        The content decides which. Orientation is applied as for pictures. Other scales of levels are recognised and
        noise is removed, with notes (see `overpaint.mask.plausible`). `channel` is what counts:

        - "auto": of an opaque file its levels; a drawing in one hue on black by its brightest channel; all other
          colour by its luminance. Of a file with transparent parts: alpha, for strokes of one colour on a transparent
          layer; the transparent parts, for a photograph with a hole (OpenAI's form); otherwise "luminance".
        - "luminance": the luminance (BT.601, as Pillow's "L") of the picture over black.
        - "alpha": opaque = repaint.
        - "transparent": transparent = repaint, as in `from_alpha`.

        Args:
            source: Path, encoded bytes or binary file.
            size: The picture's (width, height), if the mask must have it.
            channel: See above.
            label: In a document: only the shapes with this label.
            image: In a document about several pictures: the file name of the picture.
            resize: Whether a mask of another size with the same aspect ratio is resized (see `resize`).

        Raises:
            MaskError: unreadable; of another size; without such a label or image; an opaque photograph in colour; a
                layer with nothing but black on it.
        """
        from . import _sources

        wanted = None if size is None else _checks.as_size(size)
        mask = _sources.from_file(source, channel, wanted, label, image)
        if wanted is None or mask.size == wanted:
            return mask
        if resize and mask.size.in_proportion_to(wanted):
            return mask.resize(wanted)
        raise _checks.wrong_size(mask.size, wanted, resize)

    # Properties

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return Size(self.values.shape[1], self.values.shape[0])

    @property
    def core(self) -> NDArray[np.bool_]:
        """(H, W) bool: the pixels that are repainted entirely."""
        return self.values >= np.float32(0.5)

    @property
    def support(self) -> NDArray[np.bool_]:
        """(H, W) bool: the pixels that are marked at all."""
        return self.values > 0

    @property
    def bounds(self) -> Box:
        """The smallest box around the support; an empty box for an empty mask."""
        return Box.around(self.support)

    @property
    def area(self) -> float:
        """The sum of all values, in pixels."""
        return float(self.values.sum(dtype=np.float64))

    @property
    def fraction(self) -> float:
        """The area divided by that of the picture, 0 to 1."""
        return self.area / self.size.area

    @property
    def hard(self) -> bool:
        """Whether no ramp between 0 and 1 is wider than 2 pixels: an antialiased edge is hard, a feathered one soft."""
        return _morphology.is_hard(self.values)

    @property
    def bilevel(self) -> bool:
        """Whether no value lies between 0 and 1."""
        return _morphology.is_bilevel(self.values)

    @property
    def is_empty(self) -> bool:
        """Whether all values are 0."""
        return not self.values.any()

    def equals(self, other: Mask) -> bool:
        """Whether size and values are equal. (`==` compares identity, so that masks can be keys of a dict.)"""
        return np.array_equal(self.values, other.values)

    def components(self) -> tuple[MaskComponent, ...]:
        """The connected components of the support (8 neighbours), in the order of their first pixels."""
        from .component import components_of

        return components_of(self)

    def require_size(self, size: SizeLike) -> Mask:
        """This mask, if it has that size.

        Raises:
            MaskError: it has another; the hint says what to do when the sides are swapped or in proportion.
        """
        wanted = _checks.as_size(size)
        if self.size == wanted:
            return self
        raise _checks.wrong_size(self.size, wanted)

    # Combination

    def union(self, other: Mask) -> Mask:
        """Marked in either mask: the larger value."""
        return self._joined(np.maximum(self.values, other.require_size(self.size).values), other)

    def intersect(self, other: Mask) -> Mask:
        """Marked in both masks: the smaller value."""
        return self._joined(np.minimum(self.values, other.require_size(self.size).values), other)

    def subtract(self, other: Mask) -> Mask:
        """Marked in this mask and not in the other: the smaller of this value and 1 - the other."""
        rest = np.float32(1) - other.require_size(self.size).values
        return self._joined(np.minimum(self.values, rest), other)

    def invert(self) -> Mask:
        """The rest of the picture: 1 - values."""
        return self._with(np.float32(1) - self.values)

    __or__ = union
    __and__ = intersect
    __sub__ = subtract
    __invert__ = invert

    # Refinement

    def grow(self, pixels: float) -> Mask:
        """Dilation: each pixel takes the largest value within this distance.

        Distances are Euclidean, centre to centre, so that corners become round; below 1 nothing happens. The ramp of a
        soft mask keeps its shape and moves outwards (greyscale dilation by a flat disc).
        """
        return self._with(_morphology.grow(self.values, _checks.as_pixels(pixels, "the distance to grow by")))

    def shrink(self, pixels: float) -> Mask:
        """Erosion: each pixel takes the smallest value within this distance (see `grow`).

        The picture's border is no edge: a mask that touches it still does.
        """
        return self._with(_morphology.shrink(self.values, _checks.as_pixels(pixels, "the distance to shrink by")))

    def feather(self, radius: float) -> Mask:
        """Blur by a Gaussian whose sigma is `radius` pixels: Pillow's `GaussianBlur(radius)`, 10 to 30 being typical.

        Within 1.7 / 255 of the true Gaussian at any radius up to 1024, and fast (see `_blur.gaussian` for the method).
        Beyond the border the outermost pixels are repeated. Farther than ceil(3.5 radius) pixels from an edge, 0 stays
        exactly 0 and 1 exactly 1.
        """
        radius = _checks.as_number(radius, "a feather radius", " of pixels")
        if radius == 0:
            return self
        return self._with(_blur.gaussian(self.values, radius))

    def fill_holes(self) -> Mask:
        """1 on all pixels that the core encloses; a gap that is open to the picture's border is no hole."""
        return self._with(_morphology.fill_holes(self.values))

    def remove_specks(self, area: float) -> Mask:
        """Without the connected pieces (8 neighbours) whose support has fewer than `area` pixels."""
        return self._with(_morphology.remove_specks(self.values, _checks.as_pixels(area, "the area of a speck")))

    def threshold(self, level: float = 0.5) -> Mask:
        """A hard mask: 1 where the value is at least `level`, which must be more than 0 and at most 1."""
        level = _checks.as_number(level, "the level of a threshold")
        if not 0 < level <= 1:
            message = f"the level of a threshold must be more than 0 and at most 1, not {level}"
            raise MaskError(message, field="", value=level)
        return self._with((self.values >= np.float32(level)).astype(np.float32))

    def resize(self, size: SizeLike) -> Mask:
        """At another size: a hard mask by its nearest pixels, a soft one by averages (linear where it is enlarged)."""
        return self._with(_morphology.resized(self.values, _checks.as_size(size)))

    # Output

    def to_bytes8(self) -> NDArray[np.uint8]:
        """(H, W) uint8, 255 = repaint, rounded half up: the core stays the core."""
        return (self.values * np.float32(255) + np.float32(0.5)).astype(np.uint8)

    def to_picture(self) -> Picture:
        """An 8-bit grey picture, white = repaint."""
        return from_array(self.to_bytes8())

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write an 8-bit grey PNG, white = repaint.

        Raises:
            OutputError: the file exists and `overwrite` is false, or it can't be written.
        """
        write_file(path, encode(self.to_picture(), "png").data, overwrite=overwrite)

    def with_notes(self, notes: Iterable[str]) -> Mask:
        """The same values, with these notes before its own."""
        return Mask(self.values, (*notes, *self.notes))

    def _with(self, values: NDArray[np.float32]) -> Mask:
        return self if values is self.values else Mask(values, self.notes)

    def _joined(self, values: NDArray[np.float32], other: Mask) -> Mask:
        return Mask(values, self.notes + other.notes)

    def __repr__(self) -> str:
        return f"<Mask {self.size}, {self.fraction:.1%} in {self.bounds}{'' if self.hard else ', soft'}>"
