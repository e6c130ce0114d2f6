"""From a canvas's plain settings to the values that the loop and the text encoders take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from overpaint.engines.base import Canvas
from overpaint.errors import RequestError
from overpaint.request import MaskedContent, Sampling

from .families import Family
from .guidance import Guidance
from .names import SamplerChoice, parse_sampler
from .options import DiffusionOptions
from .sample import Plan
from .text import Emphasis, TextSettings
from .values import Dialect

DIALECTS: tuple[Dialect, ...] = ("native", "diffusers")


@dataclass(frozen=True, slots=True)
class Asked:
    """What one canvas asks for.

    Attributes:
        plan: How it is sampled.
        guidance: How it is guided.
        text: How its texts are read.
        prompt: What is to be painted.
        negative: What is not; None: nothing was said.
        content: What the hole begins with.
        exact: Whether its bits must not depend on its neighbours.
    """

    plan: Plan
    guidance: Guidance
    text: TextSettings
    prompt: str
    negative: str | None
    content: MaskedContent
    exact: bool


def asked_of(canvas: Canvas, family: Family, config: Mapping[str, Any]) -> Asked:
    """Read a canvas's settings; what they leave open is as an ordinary request would have it.

    Args:
        canvas: Whose.
        family: The model's.
        config: The model's scheduler config.

    Raises:
        RequestError: A sampler, scheduler or dialect that is not there; numbers out of range.
    """
    sampling = canvas.sampling or Sampling()
    options = canvas.options if isinstance(canvas.options, DiffusionOptions) else DiffusionOptions()
    choice, dialect = check_names(sampling)
    try:
        guidance = Guidance(sampling.guidance_scale, sampling.guidance_interval, sampling.guidance_rescale)
    except ValueError as error:
        raise RequestError(str(error)) from None
    return Asked(
        plan=Plan(choice, sampling.steps, sampling.strength, dialect, options.eta, config),
        guidance=guidance,
        text=text_settings(sampling.clip_skip, options.emphasis, family, dialect),
        prompt=sampling.prompt,
        negative=sampling.negative_prompt if sampling.negative_prompt.strip() else None,
        content=sampling.masked_content,
        exact=sampling.exact,
    )


def check_names(sampling: Sampling) -> tuple[SamplerChoice, Dialect]:
    """The sampler and the dialect. Raises RequestError when there are none of these names."""
    dialect = sampling.dialect
    if dialect not in DIALECTS:
        raise RequestError(f"the dialect {dialect!r} is not one that this engine speaks; it has {', '.join(DIALECTS)}")
    return parse_sampler(sampling.sampler, sampling.scheduler), dialect


def text_settings(clip_skip: int | None, emphasis: Emphasis, family: Family, dialect: Dialect) -> TextSettings:
    """A request counts layers from the last, which is 1, in every dialect; diffusers counts those that it skips."""
    if clip_skip is not None and dialect == "diffusers":
        clip_skip = max(0, clip_skip - getattr(family, "text_layer", 1))
    return TextSettings(clip_skip, emphasis, dialect)
