"""Control images: what guides an engine beside its prompt (edges, depth, a pose, a reference)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, JsonValue, model_validator

from overpaint.errors import RequestError
from overpaint.values import Value

from ._blob import Blob, eight_bit
from ._types import Fraction, Name


class Control(Value):
    """One control image with its settings.

    Attributes:
        kind: What the image shows: "canny", "depth", "pose", "reference" ...
        image: The image, of the picture's size, 1, 3 or 4 channels of 8 bits.
        weight: How strongly it guides.
        start, end: The part of the steps in which it guides, as fractions.
        model: The network that reads it; None: the engine's own choice.
        options: Settings that only this kind knows.
    """

    kind: Name
    image: Annotated[Blob, eight_bit(1, 3, 4)]
    weight: Annotated[float, Field(ge=0, le=4)] = 1.0
    start: Fraction = 0.0
    end: Fraction = 1.0
    model: Name | None = None
    options: Mapping[str, JsonValue] = {}

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if self.start > self.end:
            raise RequestError(f"the control {self.kind!r} ends at {self.end}, before it starts at {self.start}")
        return self
