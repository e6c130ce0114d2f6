"""From a canvas's settings to the values that the loop and the text encoders take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from overpaint.engines.base import Canvas
from overpaint.request import Sampling

from .dialects import Dialect, dialect_of
from .families import Family
from .guidance import Guidance
from .names import SAMPLER_NAMES, SamplerChoice, parse_sampler
from .options import DiffusionOptions
from .sample import SamplingPlan
from .samplers import ETA_SAMPLERS
from .start import sampling_of
from .text_plan import TextSettings


@dataclass(frozen=True, slots=True)
class PaintSettings:
    """How one canvas is painted.

    Attributes:
        plan: How it is sampled.
        guidance: How it is guided.
        text: How its texts are read.
        sampling: The settings of the request.
    """

    plan: SamplingPlan
    guidance: Guidance
    text: TextSettings
    sampling: Sampling

    @property
    def notes(self) -> tuple[str, ...]:
        """Settings that have no effect, for people."""
        sampler, found = self.plan.choice.sampler, []
        if self.plan.eta is not None and sampler not in ETA_SAMPLERS:
            title = SAMPLER_NAMES[sampler].title
            found.append(f"the option eta has no effect with {title}, which renews no share of the noise")
        if self.text.plain and self.text.emphasis in ("no_norm", "ignore"):
            found.append(f"the option emphasis has no effect in the dialect {self.plan.dialect.name}: a prompt is text")
        return tuple(found)

    def unguided(self, *, embedded: bool) -> tuple[str, ...]:
        """Settings that have no effect because nothing is guided by the negative prompt, for people.

        `embedded`: the guidance scale is an input of the network.
        """
        if self.plan.dialect.guides_at(self.guidance.scale) and not embedded:
            return ()
        named = {
            "negative_prompt": bool((self.sampling.negative_prompt or "").strip()),
            "guidance_rescale": self.guidance.rescale != 0,
            "guidance_interval": self.guidance.interval != (0.0, 1.0),
        }
        given = ", ".join(name for name, one in named.items() if one)
        reason = "the network takes guidance_scale as an input"
        if not embedded:
            reason = f"guidance_scale {self.guidance.scale:g} guides nothing"
        return (f"{reason}: {given} had no effect",) if given else ()


def paint_settings(canvas: Canvas, family: Family, config: Mapping[str, Any]) -> PaintSettings:
    """Read a canvas's settings; left out, they are those of an ordinary request.

    Args:
        canvas: With its settings and options.
        family: The model's.
        config: The model's scheduler config.

    Raises:
        RequestError: A sampler, scheduler or dialect that is not available; numbers out of range.
    """
    sampling = sampling_of(canvas)
    options = canvas.options if isinstance(canvas.options, DiffusionOptions) else DiffusionOptions()
    choice, dialect = check_names(sampling, family)
    levels = family.training(config, canvas.size)
    return PaintSettings(
        plan=SamplingPlan(choice, sampling.steps, sampling.strength, dialect, options.eta, config, levels),
        guidance=Guidance(sampling.guidance_scale, sampling.guidance_interval, sampling.guidance_rescale),
        text=TextSettings(sampling.clip_skip, options.emphasis, dialect.plain_text),
        sampling=sampling,
    )


def check_names(sampling: Sampling, family: Family) -> tuple[SamplerChoice, Dialect]:
    """The sampler and the dialect. Raises RequestError when one of them is not available."""
    dialect = dialect_of(sampling.dialect, family.dialects)
    return parse_sampler(sampling.sampler, sampling.scheduler), dialect
