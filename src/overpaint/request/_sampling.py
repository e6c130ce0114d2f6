"""The settings of sampling, and the names of all settings that an engine may act on."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ._regional import RegionText
from ._types import Dialect
from .intents import GUIDANCE_SCALE, SAMPLER, STEPS, MaskedContent


@dataclass(frozen=True, slots=True)
class Sampling:
    """What an engine that paints from a prompt or samples is given. A setting that it does not accept has its default.

    Attributes:
        prompt: What to paint; "" for nothing in particular.
        negative_prompt: What not to paint; None: none was given, which a dialect may tell from an empty one.
        regional_prompts: The texts of regional prompts, whose places a canvas has.
        strength: 0 keeps the masked content, 1 starts from noise.
        masked_content: What painting starts from in the hole.
        steps: Denoising steps.
        guidance_scale: Scale of classifier-free guidance; 1 is none.
        guidance_rescale: 0 to 1, how far guided values are scaled back to the unguided spread.
        guidance_interval: The part of the steps that guidance acts on, as fractions.
        sampler: Its name.
        scheduler: The spacing of noise levels; None: the sampler's own.
        clip_skip: The text encoder's layer, counted from the last; None: the model's own.
        dialect: Whose arithmetic to follow.
        exact: Whether pixels must not depend on what else is painted at the same time.
    """

    prompt: str = ""
    negative_prompt: str | None = None
    regional_prompts: tuple[RegionText, ...] = ()
    strength: float = 1.0
    masked_content: MaskedContent = "original"
    steps: int = STEPS
    guidance_scale: float = GUIDANCE_SCALE
    guidance_rescale: float = 0.0
    guidance_interval: tuple[float, float] = (0.0, 1.0)
    sampler: str = SAMPLER
    scheduler: str | None = None
    clip_skip: int | None = None
    dialect: Dialect = "native"
    exact: bool = False


SAMPLING_SETTINGS = frozenset(one.name for one in fields(Sampling)) - {"exact"}
"""Names of the request's settings that `Sampling` carries, but for `exact`, which concerns every engine."""

ENGINE_SETTINGS = (
    "prompt", "negative_prompt", "regional_prompts", "model", "avoid", "sketch", "insert", "controls", "strength",
    "masked_content", "steps", "guidance_scale", "guidance_rescale", "guidance_interval", "sampler", "scheduler",
    "clip_skip", "dialect", "seed", "size", "detail", "follow_effects",
)  # fmt: skip
"""Names of the request's settings that depend on the engine's support, in the order in which notes list them."""
