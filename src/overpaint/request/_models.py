"""The settings that a model is usually used with, and the models that a result was made with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from overpaint.values import Value

from ._types import Fraction, Name

ModelRole = Literal[
    "checkpoint",
    "vae",
    "lora",
    "embedding",
    "controlnet",
    "ip-adapter",
    "image-encoder",
    "eraser",
    "upscaler",
    "faces",
    "face-detector",
    "selector",
    "mapper",
]


class Usual(Value):
    """A model's own defaults, where a request leaves settings open; None: the general default (see `intents`).

    A model that was distilled to few steps, or trained with another schedule, needs other defaults. `background_prompt`
    is its phrase for an empty background; `edge` replaces an intent's "scaled" edge, for a model that would spoil the
    surroundings of the mask; `detail` replaces "full" where no prompt is given, for a model with poor texture.
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
        """These settings, and the other's where these are None. A sampler keeps its own scheduler."""
        below = other.model_dump(exclude={"scheduler"} if self.sampler is not None else None)
        return Usual(**{**below, **self.model_dump(exclude_none=True)})


class UsedModel(Value):
    """A file or folder of weights that a result was made with.

    Attributes:
        role: Its use.
        name: Its name in the request.
        sha256: Its digest.
        licence: From its card or the catalogue; "unknown" where none is stated.
        accepted: The day on which the user accepted its licence, as 2026-11-29; None where none need be accepted.
    """

    role: ModelRole
    name: str
    sha256: str
    licence: str = "unknown"
    accepted: str | None = None
