"""Models as a request meets them: the settings that one is usually used with, and which ones a result was made with."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from overpaint.values import Value

from ._types import Fraction, Name

ModelRole = Literal["checkpoint", "vae", "lora", "embedding"]


class Usual(Value):
    """What a model is usually asked for, where a request leaves it open; None: as the house has it (see `intents`).

    A model that was distilled to few steps, or trained with another schedule, is no good with everyone's defaults; nor
    is one of few words with everyone's phrase for an empty background. One that would spoil what lies around the mask
    should paint little of it: `edge` takes the place of an intent's "scaled" one (see `intents`). And where one's
    layouts are no better than a first guess, `detail` takes the place of "full" where no prompt is given.
    """

    steps: Annotated[int | None, Field(ge=1, le=1000)] = None
    guidance_scale: Annotated[float | None, Field(ge=0, le=100)] = None
    guidance_rescale: Fraction | None = None
    sampler: Name | None = None
    scheduler: Name | None = None
    clip_skip: Annotated[int | None, Field(ge=1, le=12)] = None
    background_prompt: Annotated[str | None, Field(max_length=1000)] = None
    edge: Literal["scaled", "narrow"] | None = None
    detail: Literal["surroundings", "full"] | None = None

    def over(self, other: Usual) -> Usual:
        """These settings, and the other's where these say nothing. A sampler keeps its own scheduler."""
        settings: dict[str, Any] = {name: getattr(self, name) for name in Usual.model_fields}
        for name, value in settings.items():
            if value is None and not (name == "scheduler" and self.sampler is not None):
                settings[name] = getattr(other, name)
        return Usual(**settings)


class UsedModel(Value):
    """A file or folder of weights that a result was made with.

    Attributes:
        role: What it was used as.
        name: As it was asked for.
        sha256: Its digest.
        licence: As its card or the catalogue has it; "unknown" where nobody says.
    """

    role: ModelRole
    name: str
    sha256: str
    licence: str = "unknown"
