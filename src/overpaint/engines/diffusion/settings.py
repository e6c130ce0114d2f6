"""From a canvas's settings to the values that the loop and the text encoders take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from overpaint.engines.base import Canvas
from overpaint.request import Sampling

from .back_ends import BackEndName
from .deep_features import ALL_WHOLE, FeatureReuse
from .dialects import Dialect, dialect_of
from .families import Family
from .guidance import Guidance, Projection
from .names import SAMPLER_NAMES, SCHEDULER_NAMES, SamplerChoice, parse_sampler
from .options import DIALECT_OPTIONS, SOFT_OPTIONS, DiffusionOptions, options_of
from .sample import SamplingPlan
from .samplers import NO_CHURN, Churn
from .soft import SoftInpainting
from .start import sampling_of
from .text_plan import TextSettings

CFG_PP_SCALE = 12.5
"""A guidance scale over this is that of CFG++, 0 to 1, so that one slider serves all samplers, as in AUTOMATIC1111."""


@dataclass(frozen=True, slots=True)
class PaintSettings:
    """How one canvas is painted.

    Attributes:
        plan: How it is sampled.
        guidance: How it is guided.
        text: How its texts are read.
        sampling: The settings of the request.
        ignored: Names of options that have no effect in the dialect.
        mask_weight: The option inpainting_mask_weight.
        features: How deep features of the network are kept from step to step.
        back_end: What runs the network.
        soft: Soft inpainting, where it is wanted and the dialect has it.
        idle: Names of its options that are given without it.
    """

    plan: SamplingPlan
    guidance: Guidance
    text: TextSettings
    sampling: Sampling
    ignored: tuple[str, ...] = ()
    mask_weight: float = 1.0
    features: FeatureReuse = ALL_WHOLE
    back_end: BackEndName = "eager"
    soft: SoftInpainting | None = None
    idle: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Settings that have no effect, for people."""
        plan, traits, found = self.plan, self.plan.choice.traits, []
        title = SAMPLER_NAMES[plan.choice.sampler].title
        if plan.eta is not None and "eta" not in traits:
            found.append(f"the option eta has no effect with {title}, which renews no share of the noise")
        churned = plan.churn.amount > 0 and "churn" in traits
        if plan.churn != NO_CHURN and not churned:
            reason = "where s_churn is 0" if plan.churn.amount == 0 else f"with {title}, which takes no churn"
            found.append(f"the options s_churn, s_tmin and s_tmax have no effect {reason}")
        if plan.noise_scale != 1 and not churned and "noise" not in traits:
            found.append(f"the option s_noise has no effect with {title}, which adds no noise on the way")
        if self.ignored:
            found.append(f"{_options(self.ignored)} no effect in the dialect {plan.dialect.name}")
        if self.idle:
            found.append(f"{_options(self.idle)} no effect without soft_inpainting")
        if plan.rho is not None and "rho" not in self.ignored and not SCHEDULER_NAMES[plan.choice.usual].rho:
            found.append("the option rho has no effect: the scheduler has no exponent")
        if plan.choice.scheduler is not None and "own_levels" in traits:
            found.append(f"{title} spaces most noise levels itself: of the scheduler it takes the first and the last")
        if self.text.plain and self.text.emphasis in ("no_norm", "ignore"):
            found.append(f"the option emphasis has no effect in the dialect {self.plan.dialect.name}: a prompt is text")
        return tuple(found)

    def unmasked(self, *, inpainting: bool) -> tuple[str, ...]:
        """Settings that have no effect because the network is not shown the mask, for people."""
        if inpainting or self.mask_weight == 1:
            return ()
        return ("the option inpainting_mask_weight has no effect: the network was not made for inpainting",)

    def reuse(self, layers: int) -> tuple[FeatureReuse, tuple[str, ...]]:
        """How deep features are kept with a network of so many layers (`Family.layer_count`), and notes for people."""
        usual, wanted = ALL_WHOLE, self.features
        if wanted.interval == 1:
            given = wanted.depth != DiffusionOptions().cache_depth
            return usual, ("the option cache_depth has no effect where cache_interval is 1",) if given else ()
        if self.sampling.exact:
            return usual, ("the option cache_interval has no effect in exact mode, which runs the whole network",)
        if not layers:
            return usual, ("the option cache_interval has no effect: this network has no deep layers to leave out",)
        if layers <= wanted.depth:
            return usual, (
                f"the option cache_interval has no effect: the network has {layers} layers on its way in, of which "
                f"cache_depth {wanted.depth} leaves none out",
            )
        return wanted, ()

    def runs_on(self, device: str) -> tuple[BackEndName, tuple[str, ...]]:
        """What runs the network on a device ("cpu", "cuda"), and notes for people."""
        if self.back_end == "eager":
            return "eager", ()
        if self.sampling.exact:
            return "eager", (f"the option backend {self.back_end} has no effect in exact mode",)
        if self.back_end == "openvino" and device != "cpu":
            return "eager", (f"the option backend openvino has no effect on {device}: it is for a CPU",)
        return self.back_end, ()

    def unguided(self, *, embedded: bool) -> tuple[str, ...]:
        """Settings that have no effect because nothing is guided by the negative prompt, for people.

        `embedded`: the guidance scale is an input of the network.
        """
        if self.plan.guides_at(self.guidance.scale) and not embedded:
            return ()
        named = {
            "negative_prompt": bool((self.sampling.negative_prompt or "").strip()),
            "guidance_rescale": self.guidance.rescale != 0,
            "guidance_interval": self.guidance.interval != (0.0, 1.0),
            "guidance_method": self.guidance.method != "cfg",
            "guidance_stop": self.guidance.stop_at is not None,
            "s_min_uncond": self.guidance.skip_below != 0,
            "skip_early_cond": self.guidance.skip_early != 0,
        }
        given = ", ".join(name for name, one in named.items() if one)
        reason = "the network takes guidance_scale as an input"
        if not embedded:
            reason = f"guidance_scale {self.guidance.scale:g} guides nothing"
        return (f"{reason}: {given} had no effect",) if given else ()


def _options(names: Sequence[str]) -> str:
    """ "the option a has", or "the options a, b have"."""
    return f"the option {names[0]} has" if len(names) == 1 else f"the options {', '.join(names)} have"


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
    options = options_of(canvas)
    choice, dialect = check_names(sampling, family)
    levels = family.training(config, canvas.size)
    plan = SamplingPlan(
        choice,
        sampling.steps,
        sampling.strength,
        dialect,
        options.eta,
        config,
        levels,
        rho=options.rho,
        churn=Churn(options.s_churn, options.s_tmin, math.inf if options.s_tmax is None else options.s_tmax),
        noise_scale=options.s_noise,
        exact_steps=options.exact_steps,
        noise_multiplier=options.initial_noise_multiplier,
        extra_noise=options.extra_noise,
    )
    usual = DiffusionOptions()
    given = {one for one in DIALECT_OPTIONS if getattr(options, one) != getattr(usual, one)}
    ignored = given - dialect.options
    return PaintSettings(
        plan=plan,
        guidance=_guidance(sampling, options, choice),
        text=text_settings(sampling, options, choice, dialect),
        sampling=sampling,
        ignored=tuple(sorted(ignored)),
        mask_weight=options.inpainting_mask_weight if "inpainting_mask_weight" in dialect.options else 1.0,
        features=FeatureReuse(options.cache_interval, options.cache_depth),
        back_end=options.backend,
        soft=_soft(options) if options.soft_inpainting and "soft_inpainting" in dialect.options else None,
        idle=() if options.soft_inpainting else tuple(sorted(given & SOFT_OPTIONS & dialect.options)),
    )


def _soft(options: DiffusionOptions) -> SoftInpainting:
    return SoftInpainting(
        options.soft_bias,
        options.soft_preservation,
        options.soft_contrast,
        options.soft_mask_influence,
        options.soft_difference_threshold,
        options.soft_difference_contrast,
    )


def _guidance(sampling: Sampling, options: DiffusionOptions, choice: SamplerChoice) -> Guidance:
    scale = sampling.guidance_scale
    return Guidance(
        scale / CFG_PP_SCALE if "negative" in choice.traits else scale,
        sampling.guidance_interval,
        sampling.guidance_rescale,
        options.guidance_method,
        Projection(options.apg_eta, options.apg_norm, options.apg_momentum),
        options.s_min_uncond,
        options.guidance_stop,
        options.s_min_uncond_all,
        options.skip_early_cond,
    )


def check_names(sampling: Sampling, family: Family) -> tuple[SamplerChoice, Dialect]:
    """The sampler and the dialect. Raises RequestError when one of them is not available."""
    dialect = dialect_of(sampling.dialect, family.dialects)
    return parse_sampler(sampling.sampler, sampling.scheduler), dialect


def text_settings(
    sampling: Sampling, options: DiffusionOptions, choice: SamplerChoice, dialect: Dialect
) -> TextSettings:
    """How the texts of these settings are read."""
    steps = dialect.prompt_steps(choice, sampling.steps)
    return TextSettings(sampling.clip_skip, options.emphasis, dialect.plain_text, steps, dialect.switch_delay)
