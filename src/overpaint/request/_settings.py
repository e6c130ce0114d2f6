"""The settings of a request as keyword arguments, so that type checkers and editors know them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypedDict

from pydantic import JsonValue

from ._blob import Blob
from ._types import Area, Dialect, Preset
from .intents import AlphaRule, Intent, MaskedContent


class EditSettings(TypedDict, total=False):
    """Fields of EditRequest, by name. One that is left out or None is left open; docs/settings.md has their ranges."""

    intent: Intent
    image: Blob | None
    margins: tuple[int, int, int, int] | None
    prompt: str | None
    negative_prompt: str | None
    engine: str | None
    model: str | None
    options: Mapping[str, JsonValue] | None
    size: int | None
    working_size: tuple[int, int] | None
    area: Area | None
    padding: int | None
    mask_blur: float | tuple[float, float] | None
    grow: float | None
    feather: float | None
    strict: bool | None
    reach_limit: int | None
    follow_effects: bool | None
    strength: float | None
    steps: int | None
    guidance_scale: float | None
    guidance_rescale: float | None
    guidance_interval: tuple[float, float] | None
    sampler: str | None
    scheduler: str | None
    clip_skip: int | None
    seed: int | None
    masked_content: MaskedContent | None
    dialect: Dialect | None
    alpha: AlphaRule | None
    colour_match: bool | None
    seam: bool | None
    detail: Literal["surroundings", "full", "careful", "none"] | None
    restore_faces: str | bool | None
    face_weight: float | None
    face_fidelity: float | None
    exact: bool | None
    preset: Preset | None
