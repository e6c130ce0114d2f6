"""The mask: where to repaint. 1 means repaint; there is no other polarity inside the house."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overpaint.errors import MaskError
from overpaint.geometry import Box, Size

from . import _checks

if TYPE_CHECKING:
    import os

    from overpaint.picture import Picture

    from ._checks import BoxLike, SizeLike
    from ._components import Components
    from ._shapes import Rule
    from ._sources import Channel, FileLike


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Where to repaint, and how surely. A value: every method gives a new mask, or this one when nothing changes.

    Attributes:
        values: (H, W) float32 in [0, 1], read-only; 1 = repaint.
        notes: What was corrected when the mask was read, and what is likely wrong with it. For people.

    Core: values >= 0.5. Support: values > 0. Hard: no ramp between 0 and 1 is wider than 2 pixels.

    The shapes (`box`, `ellipse`, `polygon`, `strokes`) take coordinates in pixels of the picture as displayed, the
    origin in the upper left corner of the upper left pixel; they may be fractions. A pixel is in a hard shape when its
    centre is. What sticks out of the picture is cut off. `feather` blurs the shape (see `feather`), `antialias` gives
    it an edge of one pixel; without both it is hard. They raise MaskError for coordinates that are not numbers, and
    when no pixel of the picture is in the shape.
    """

    values: NDArray[np.float32]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        values = self.values
        if values.ndim != 2 or values.dtype != np.float32:
            raise MaskError(f"mask values must be float32 of shape (H, W), not {values.dtype} of shape {values.shape}")
        if values.flags.writeable or not values.flags.c_contiguous:
            values = np.ascontiguousarray(values).view()
            values.flags.writeable = False
            object.__setattr__(self, "values", values)

    # Making masks

    @classmethod
    def full(cls, size: SizeLike) -> Mask:
        """All of the picture."""
        return cls(np.ones(_checks.as_size(size).shape, dtype=np.float32))

    @classmethod
    def empty(cls, size: SizeLike) -> Mask:
        """Nothing of the picture."""
        return cls(np.zeros(_checks.as_size(size).shape, dtype=np.float32))

    @classmethod
    def box(cls, size: SizeLike, box: BoxLike, *, feather: float = 0, antialias: bool = False) -> Mask:
        """A rectangle (left, top, right, bottom), right and bottom exclusive.

        `Mask.box(picture.size, (100, 100, 300, 250), feather=20)` is the feathered box of the tutorials.
        """
        from . import _shapes

        return cls(_shapes.box(_checks.as_size(size), box, antialias)).feather(feather)

    @classmethod
    def ellipse(cls, size: SizeLike, box: BoxLike, *, feather: float = 0, antialias: bool = False) -> Mask:
        """The ellipse that touches the four sides of a box (left, top, right, bottom)."""
        from . import _shapes

        return cls(_shapes.ellipse(_checks.as_size(size), box, antialias)).feather(feather)

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
        """The inside of one ring of (x, y) points, or of several: a list of points, or a list of such lists.

        Args:
            size: The picture's (width, height).
            points: Three or more points for each ring, which closes by itself.
            rule: "union": all that a ring winds around, so that a lasso that crosses itself leaves no gap, and of
                several rings all together. "evenodd": what is inside an odd number of rings, so that a ring inside
                another is a hole.
            feather: Radius of the blur in pixels.
            antialias: An edge of one pixel (in steps of 1/16) instead of a hard one.
        """
        from . import _shapes

        return cls(_shapes.polygon(_checks.as_size(size), points, rule, antialias)).feather(feather)

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
        """Brush strokes with round ends: all within half the width of a line through the points of each stroke.

        Args:
            size: The picture's (width, height).
            strokes: Each a list of points (x, y), or (x, y, pressure) with pressure from 0 to 1, by which the width is
                multiplied, evenly changing from point to point. One point is a dot.
            width: Pixels across, for all strokes or for each.
            feather: Radius of the blur in pixels.
            antialias: An edge of one pixel instead of a hard one.
        """
        from . import _strokes

        return cls(_strokes.strokes(_checks.as_size(size), strokes, width, antialias)).feather(feather)

    @classmethod
    def from_array(cls, array: ArrayLike) -> Mask:
        """From (H, W) bool, uint8 (255 = repaint), uint16 (65535 = repaint) or float in [0, 1].

        Raises:
            MaskError: another shape or type; NaN or values out of range; whole numbers of which the largest is 1,
                which would be a mask so faint that it was surely meant to be bool.
        """
        from . import _sources

        return _sources.from_array(array)

    @classmethod
    def from_bytes8(cls, array: NDArray[np.uint8]) -> Mask:
        """From (H, W) uint8 as `to_bytes8` makes it, taken as it is: 255 = repaint."""
        if array.dtype != np.uint8 or array.ndim != 2 or array.size == 0:
            raise MaskError(f"the bytes of a mask must be uint8 of shape (H, W), not {array.dtype} of {array.shape}")
        return cls(array.astype(np.float32) / np.float32(255))

    @classmethod
    def from_alpha(cls, picture: Picture) -> Mask:
        """The transparent part of a picture: 1 where alpha is 0. This is how OpenAI's API has its masks.

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

        The content decides which. Orientation is applied as for pictures. Masks from lossy files are `snapped`. Levels,
        noise and doubts are handled as `overpaint.mask.plausible` says, with a note in `notes` for each. `channel` is
        what counts:

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
        if wanted is None:
            return mask
        return mask.resize(wanted) if resize and mask.size.alike(wanted) else mask.require_size(wanted)

    # Properties

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return Size(self.values.shape[1], self.values.shape[0])

    @property
    def core(self) -> NDArray[np.bool_]:
        """(H, W) bool: what must be painted anew entirely."""
        return self.values >= np.float32(0.5)

    @property
    def support(self) -> NDArray[np.bool_]:
        """(H, W) bool: what may be touched at all before the reach is added."""
        return self.values > 0

    @property
    def bounds(self) -> Box:
        """The smallest box around the support; an empty box for an empty mask."""
        return _checks.bounds_of(self.support)

    @property
    def area(self) -> float:
        """The sum of all values, in pixels."""
        return float(self.values.sum(dtype=np.float64))

    @property
    def fraction(self) -> float:
        """The area as a part of the picture, 0 to 1."""
        return self.area / self.size.area

    @property
    def hard(self) -> bool:
        """Whether no ramp between 0 and 1 is wider than 2 pixels: an antialiased edge is hard, a feathered one soft."""
        from . import _morphology

        return _morphology.is_hard(self.values)

    @property
    def bilevel(self) -> bool:
        """Whether no value lies between 0 and 1."""
        from . import _morphology

        return _morphology.is_bilevel(self.values)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be repainted: all values are 0."""
        return not self.values.any()

    def equals(self, other: Mask) -> bool:
        """Whether size and all values are the same. (`==` compares identity: masks can be keys of a dict.)"""
        return np.array_equal(self.values, other.values)

    def components(self) -> Components:
        """The connected pieces of the support (8 neighbours): a sequence of `Component`, made when asked for."""
        from ._components import Components

        return Components(self.values)

    def require_size(self, size: SizeLike) -> Mask:
        """This mask, if it has that size.

        Raises:
            MaskError: it has another; the hint says what to do when the sides are swapped or in proportion.
        """
        wanted = _checks.as_size(size)
        if self.size == wanted:
            return self
        raise _checks.wrong_size(self.size, wanted)

    # Putting masks together

    def union(self, other: Mask) -> Mask:
        """What either marks: the larger value."""
        return self._joined(np.maximum(self.values, other.require_size(self.size).values), other)

    def intersect(self, other: Mask) -> Mask:
        """What both mark: the smaller value."""
        return self._joined(np.minimum(self.values, other.require_size(self.size).values), other)

    def subtract(self, other: Mask) -> Mask:
        """What this marks and the other does not: the smaller of this value and 1 - the other."""
        rest = np.float32(1) - other.require_size(self.size).values
        return self._joined(np.minimum(self.values, rest), other)

    def invert(self) -> Mask:
        """The rest of the picture: 1 - values."""
        return self._with(np.float32(1) - self.values)

    __or__ = union
    __and__ = intersect
    __sub__ = subtract
    __invert__ = invert

    # Refining masks

    def grow(self, pixels: float) -> Mask:
        """Outwards by so many pixels in every direction: each pixel takes the largest value within that distance.

        Distances are Euclidean, centre to centre, so that corners become round; below 1 nothing happens. A soft mask
        keeps the shape of its edge, which moves outwards as a whole (greyscale dilation by a flat disc).
        """
        from . import _morphology

        return self._with(_morphology.grow(self.values, _checks.as_pixels(pixels, "the distance to grow by")))

    def shrink(self, pixels: float) -> Mask:
        """Inwards by so many pixels: each pixel takes the smallest value within that distance (see `grow`).

        The picture's border counts as no edge: a mask that touches it goes on touching it.
        """
        from . import _morphology

        return self._with(_morphology.shrink(self.values, _checks.as_pixels(pixels, "the distance to shrink by")))

    def feather(self, radius: float) -> Mask:
        """Blur by a Gaussian whose sigma is `radius` pixels: Pillow's `GaussianBlur(radius)`, 10 to 30 being typical.

        Within 1.7 / 255 of the true Gaussian at any radius up to 1024, and fast (see `_blur.gaussian` for the method).
        Outside the picture its outermost pixels go on. Values change no farther than ceil(3.5 radius) pixels from where
        the mask changes: beyond, 0 stays exactly 0 and 1 exactly 1.
        """
        if radius == 0:
            return self
        from . import _blur

        return self._with(_blur.gaussian(self.values, radius))

    def fill_holes(self) -> Mask:
        """1 on everything that the core encloses. What is open to the picture's border is no hole."""
        from . import _morphology

        return self._with(_morphology.fill_holes(self.values))

    def remove_specks(self, area: float) -> Mask:
        """Without the connected pieces (8 neighbours) whose support has fewer than `area` pixels."""
        from . import _morphology

        return self._with(_morphology.remove_specks(self.values, _checks.as_pixels(area, "the area of a speck")))

    def threshold(self, level: float = 0.5) -> Mask:
        """A hard mask: 1 where the value is at least `level`, which must be more than 0 and at most 1."""
        if not 0 < level <= 1:
            raise MaskError(f"the level of a threshold must be more than 0 and at most 1, not {level}")
        return self._with((self.values >= np.float32(level)).astype(np.float32))

    def resize(self, size: SizeLike) -> Mask:
        """At another size: a hard mask by its nearest pixels, a soft one by averages (linear where it is enlarged)."""
        from . import _morphology

        return self._with(_morphology.resized(self.values, _checks.as_size(size)))

    def snapped(self) -> Mask:
        """0 under 0.1 and 1 over 0.9, to take away what lossy encoding left around the two ends."""
        from . import _plausible

        return self._with(_plausible.snapped(self.values))

    # Handing masks on

    def to_bytes8(self) -> NDArray[np.uint8]:
        """(H, W) uint8, 255 = repaint, rounded half up: the core stays the core."""
        return (self.values * np.float32(255) + np.float32(0.5)).astype(np.uint8)

    def to_picture(self) -> Picture:
        """An 8-bit grey picture, white = repaint."""
        from overpaint.picture import from_array

        return from_array(self.to_bytes8())

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write an 8-bit grey PNG, white = repaint.

        Raises:
            OutputError: the file exists and `overwrite` is false, or it can't be written.
        """
        from overpaint.files import write_file
        from overpaint.picture import encode

        write_file(path, encode(self.to_picture(), "png").data, overwrite=overwrite)

    def _with(self, values: NDArray[np.float32]) -> Mask:
        return self if values is self.values else Mask(values, self.notes)

    def _joined(self, values: NDArray[np.float32], other: Mask) -> Mask:
        return Mask(values, tuple(dict.fromkeys(self.notes + other.notes)))

    def __repr__(self) -> str:
        return f"<Mask {self.size}, {self.fraction:.1%} in {self.bounds}{'' if self.hard else ', soft'}>"
