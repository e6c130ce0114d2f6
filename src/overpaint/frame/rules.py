"""An engine's requirements on frames: working sizes and context."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class SizeRules:
    """The working sizes that an engine takes.

    Attributes:
        native: The side it works best at: a working size has at least native x native pixels. None: any size, at the
            picture's own scale.
        multiple: Both sides are multiples of this.
        minimum: The minimum of both sides.
        maximum_area: The maximum number of pixels; larger frames are scaled down.
        maximum_aspect: The maximum of the longer side over the shorter; frames beyond it get more context.
        square: Whether it takes squares only.
    """

    native: int | None = None
    multiple: int = 1
    minimum: int = 1
    maximum_area: int | None = None
    maximum_aspect: float | None = None
    square: bool = False

    def at(self, side: int) -> SizeRules:
        """The same rules for a working area of side x side pixels; without a native size nothing is enlarged."""
        return replace(self, native=None if self.native is None else side, maximum_area=side * side)


@dataclass(frozen=True, slots=True)
class Context:
    """The surroundings that an engine sees when a request leaves the padding open.

    Padding = clamp(ratio x the mean of the mask box's sides, minimum, maximum), in pixels of the picture.
    """

    ratio: float = 0.5
    minimum: int = 32
    maximum: int = 512

    def padding(self, width: int, height: int) -> int:
        """Pixels of context for a mask box of this size."""
        return round(min(max(self.ratio * (width + height) / 2, self.minimum), self.maximum))

    def scaled(self, factor: float) -> Context:
        """The same rule with all lengths times `factor`."""
        return Context(self.ratio * factor, round(self.minimum * factor), round(self.maximum * factor))
