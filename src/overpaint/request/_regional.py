"""Regional prompts: a text for a part of the picture, beside the prompt, which holds elsewhere."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from overpaint.values import Value

from ._parts import MaskSpec
from ._types import MOST_PROMPT

MOST_REGIONS = 8
"""The most regional prompts of a request: each costs a network call in every step."""

MOST_WEIGHT = 10


class RegionText(Value):
    """What a regional prompt says, without its place."""

    prompt: Annotated[str, Field(max_length=MOST_PROMPT, description="what to paint there")]
    weight: Annotated[
        float, Field(gt=0, le=MOST_WEIGHT, description="its share where regions overlap, beside the others' weights")
    ] = 1.0
    negative_prompt: Annotated[
        str | None,
        Field(max_length=MOST_PROMPT, description="what not to paint there; left out, the request's own"),
    ] = None

    @property
    def text(self) -> RegionText:
        """Its text alone."""
        return RegionText(prompt=self.prompt, weight=self.weight, negative_prompt=self.negative_prompt)


class RegionalPrompt(RegionText):
    """A prompt for the part of the picture that its mask marks.

    RegionalPrompt(prompt="a red car", mask=MaskSpec(parts=[BoxPart(box=(10, 10, 90, 60))]))
    """

    mask: Annotated[MaskSpec, Field(description="where the prompt holds: 1 or white is there")]
