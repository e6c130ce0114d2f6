"""What an engine asks of the frames it is given."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class SizeRules:
    """Which working sizes an engine takes.

    Attributes:
        native: The side it works best at; a working size is never below native x native pixels in area. None: any
            size, at the picture's own scale.
        multiple: Both sides are multiples of this.
        minimum: The shortest side it takes.
        maximum_area: The most pixels it takes at once; larger frames are scaled down.
        maximum_aspect: The longest side over the shortest, at most; longer frames are given more context instead.
        square: Whether it takes squares alone.
    """

    native: int | None = None
    multiple: int = 1
    minimum: int = 1
    maximum_area: int | None = None
    maximum_aspect: float | None = None
    square: bool = False

    def at(self, side: int) -> SizeRules:
        """The same rules for a working area of side x side pixels; an engine without a native size does not enlarge."""
        return replace(self, native=None if self.native is None else side, maximum_area=side * side)


@dataclass(frozen=True, slots=True)
class Context:
    """How much of the surroundings an engine wants to see when a request leaves the padding open.

    Padding = clamp(ratio x the mean of the mask box's sides, minimum, maximum), in pixels of the picture.
    """

    ratio: float = 0.5
    minimum: int = 32
    maximum: int = 512

    def padding(self, width: int, height: int) -> int:
        """Pixels of context for a mask box of this size."""
        return round(min(max(self.ratio * (width + height) / 2, self.minimum), self.maximum))

    def scaled(self, factor: float) -> Context:
        """More (or less) context in the same manner."""
        return Context(self.ratio * factor, round(self.minimum * factor), round(self.maximum * factor))
