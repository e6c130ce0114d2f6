"""Sizes, boxes and margins: the values that all packages use.

Boxes are (left, top, right, bottom) in whole pixels, right and bottom exclusive, the origin in the upper left corner.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels, neither negative."""

    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 0 or self.height < 0:
            raise ValueError(f"a size can't be negative: {self.width}x{self.height}")

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.width * self.height

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), as in arrays."""
        return (self.height, self.width)

    @property
    def swapped(self) -> Size:
        """The size after a rotation by a quarter turn."""
        return Size(self.height, self.width)

    @property
    def box(self) -> Box:
        """The box from the origin that has this size."""
        return Box(0, 0, self.width, self.height)

    def in_proportion_to(self, other: Size) -> bool:
        """Whether both sides are in proportion: scaling one side to the other's gives the second, rounded."""
        across, down = self.width * other.height / self.height, self.height * other.width / self.width
        return abs(across - other.width) <= 0.5 or abs(down - other.height) <= 0.5

    def __iter__(self) -> Iterator[int]:
        return iter((self.width, self.height))

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class Margins:
    """Pixels added on each side of a picture or a box."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def __iter__(self) -> Iterator[int]:
        return iter((self.left, self.top, self.right, self.bottom))

    def __bool__(self) -> bool:
        return any(self)

    def __str__(self) -> str:
        return f"{self.left},{self.top},{self.right},{self.bottom}"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of pixels: left <= x < right, top <= y < bottom. It may lie partly or wholly outside a picture."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def around(cls, marked: NDArray[Any]) -> Box:
        """The smallest box around the True pixels of (H, W) bool; an empty box at the origin when there are none."""
        (rows,) = marked.any(axis=1, keepdims=True).ravel().nonzero()
        if rows.size == 0:
            return cls(0, 0, 0, 0)
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        (columns,) = marked[top:bottom].any(axis=0, keepdims=True).ravel().nonzero()
        return cls(int(columns[0]), top, int(columns[-1]) + 1, bottom)

    @property
    def width(self) -> int:
        """Pixels across; never negative."""
        return max(0, self.right - self.left)

    @property
    def height(self) -> int:
        """Pixels down; never negative."""
        return max(0, self.bottom - self.top)

    @property
    def size(self) -> Size:
        """Width and height."""
        return Size(self.width, self.height)

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.width * self.height

    @property
    def empty(self) -> bool:
        """Whether no pixel lies within."""
        return self.right <= self.left or self.bottom <= self.top

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices of an array that holds the box; a box with negative sides is refused."""
        if self.left < 0 or self.top < 0:
            raise ValueError(f"the box {self} starts outside the array")
        return (slice(self.top, self.bottom), slice(self.left, self.right))

    def __iter__(self) -> Iterator[int]:
        return iter((self.left, self.top, self.right, self.bottom))

    def __str__(self) -> str:
        return f"{self.left},{self.top},{self.right},{self.bottom}"

    def pad(self, margins: Margins | int) -> Box:
        """Grow by the margins (or by one number of pixels on every side)."""
        m = Margins(margins, margins, margins, margins) if isinstance(margins, int) else margins
        return Box(self.left - m.left, self.top - m.top, self.right + m.right, self.bottom + m.bottom)

    def shift(self, x: int, y: int) -> Box:
        """Move right by x and down by y."""
        return Box(self.left + x, self.top + y, self.right + x, self.bottom + y)

    def intersect(self, other: Box) -> Box:
        """The pixels in both; an empty box at the nearer corner when there are none."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        return Box(left, top, max(left, min(self.right, other.right)), max(top, min(self.bottom, other.bottom)))

    def union(self, other: Box) -> Box:
        """The smallest box around both. An empty box adds nothing."""
        if self.empty:
            return other
        if other.empty:
            return self
        left, top = min(self.left, other.left), min(self.top, other.top)
        return Box(left, top, max(self.right, other.right), max(self.bottom, other.bottom))

    def contains(self, other: Box) -> bool:
        """Whether every pixel of `other` is in this box."""
        return other.empty or self.intersect(other) == other

    def move_inside(self, outer: Box) -> Box:
        """Shift, without resizing, so that as little as possible is outside of `outer`.

        Along an axis on which this box is longer than `outer`, it covers the whole of `outer`.
        """
        across = _shift(self.left, self.right, outer.left, outer.right)
        return self.shift(across, _shift(self.top, self.bottom, outer.top, outer.bottom))

    def overhang(self, outer: Box) -> Margins:
        """How far this box extends beyond `outer` on each side."""
        left, top = max(0, outer.left - self.left), max(0, outer.top - self.top)
        return Margins(left, top, max(0, self.right - outer.right), max(0, self.bottom - outer.bottom))


def _shift(low: int, high: int, outer_low: int, outer_high: int) -> int:
    if high - low <= outer_high - outer_low:
        return max(0, outer_low - low) - max(0, high - outer_high)
    return min(0, outer_low - low) + max(0, outer_high - high)
