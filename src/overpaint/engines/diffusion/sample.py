"""One picture that is being sampled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from overpaint.engines.base import Monitor
from overpaint.errors import EngineError, OverpaintError, RequestError

from .adapters import ReferencePicture, ReferencePictures
from .blend import BlendRule, KeptLatents
from .controls import RowControl, SampleControl
from .deep_features import ALL_WHOLE, FeatureMemory, FeatureReuse, RowFeatures
from .denoiser import NetworkDenoiser
from .dialects import NATIVE, Dialect
from .guidance import Guidance, GuidanceMemory
from .mixing import StepTexts, scale_factor
from .names import SamplerChoice
from .noise import scaled
from .samplers import NO_CHURN, SAMPLERS, Churn, SamplerContext
from .schedule import Schedule, Training
from .values import (
    Conditioning,
    Mixture,
    NegativeQuery,
    NoiseLike,
    NotFiniteError,
    Query,
    SampleLatents,
    SamplerRun,
    StepResult,
    Timeline,
)


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """How a picture is sampled.

    Attributes:
        choice: Sampler and scheduler, as `names.parse_sampler` gives them.
        steps: Steps of the request. Native takes all of them; in the dialect diffusers strength < 1 leaves some out.
        strength: 0 to 1. Native: 0 gives the content back. diffusers: above 0.
        dialect: Its rules decide about schedule, start, blending and guidance.
        eta: Share of noise that a sampler renews; None: its usual in the dialect.
        config: The model's scheduler config, for spacing in the dialect diffusers.
        training: The noise levels of training.
        rho: Exponent of schedulers that have one; None: their usual.
        churn: Noise that some samplers add before a step.
        noise_scale: Factor of all fresh noise after the first.
        exact_steps: Whether all steps are taken at any strength, in the dialect webui.
        noise_multiplier: Factor of the first noise, in the dialect webui.
        extra_noise: How much more of the first noise is added, in the dialect webui.
    """

    choice: SamplerChoice
    steps: int = 25
    strength: float = 1.0
    dialect: Dialect = NATIVE
    eta: float | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    training: Training = field(default_factory=Training.of)
    rho: float | None = None
    churn: Churn = NO_CHURN
    noise_scale: float = 1.0
    exact_steps: bool = False
    noise_multiplier: float = 1.0
    extra_noise: float = 0.0

    def schedule(self) -> Schedule:
        """The noise levels that follow.

        Raises:
            RequestError: for numbers out of range, or a scheduler that the dialect does not have.
        """
        if self.steps < 1 or not 0 <= self.strength <= 1:
            raise RequestError(f"steps must be 1 or more and strength 0 to 1, not {self.steps} and {self.strength}")
        return self.dialect.schedule(self)

    def guides_at(self, scale: float) -> bool:
        """Whether a guidance scale makes both the prompt's and the negative prompt's estimate needed."""
        return "negative" in self.choice.traits or self.dialect.guides_at(scale)


@dataclass(frozen=True, slots=True, eq=False)
class NetworkRow:
    """One row of a network call.

    Attributes:
        query: The noisy latent with its noise level.
        conditioning: Of a part of the prompt, or of the negative prompt.
        extra: Further input, or None.
        guidance: The guidance scale, for networks that embed it.
        controls: What guides it beside its conditioning.
        features: Deep features of the row, or None where none are kept.
    """

    query: Query
    conditioning: Conditioning
    extra: torch.Tensor | None
    guidance: float | None
    controls: tuple[RowControl, ...] = ()
    features: RowFeatures | None = None

    @property
    def shapes(self) -> tuple[object, ...]:
        """Shapes that must be equal for rows to share a call, and which layers run for them."""
        extra = None if self.extra is None else tuple(self.extra.shape[1:])
        layers = None if self.features is None else (self.features.depth, self.features.deep is None)
        return tuple(self.query.x.shape[1:]), self.conditioning.shapes, extra, self.guidance is None, layers


class Sample:
    """One picture that is being sampled: its sampler, noise, conditioning and guidance over the steps, and blend rule.

    The loop takes its `rows`, calls the network, and passes the estimates to `receive`. Samples share nothing. When a
    sample is `done`, `result` returns its latents or raises its error.
    """

    def __init__(
        self,
        denoiser: NetworkDenoiser,
        plan: SamplingPlan,
        latents: SampleLatents,
        *,
        positive: Conditioning | Timeline,
        negative: Conditioning | Timeline,
        noise: NoiseLike,
        guidance: Guidance | None = None,
        controls: Sequence[SampleControl] = (),
        pictures: Sequence[ReferencePicture] = (),
        blend: BlendRule | None = None,
        monitor: Monitor | None = None,
        features: FeatureReuse = ALL_WHOLE,
    ) -> None:
        """Start a picture.

        Args:
            denoiser: The network.
            plan: How it is sampled.
            latents: Content, mask and further input.
            positive: The prompt, over the steps.
            negative: The negative prompt, over the steps.
            noise: The picture's own noise; the first draw is the noise that it starts with.
            guidance: How it is guided.
            controls: What guides it beside its texts.
            pictures: Reference pictures, one for each that the network reads.
            blend: The blend rule; None: the dialect's own.
            monitor: For progress and cancellation.
            features: How deep features are kept from step to step.

        Raises:
            RequestError: Numbers of the plan are out of range.
        """
        self.denoiser = denoiser
        self.plan = plan
        self.schedule = plan.schedule()
        self.guidance = guidance or Guidance()
        self.monitor = monitor or Monitor()
        self.estimate: torch.Tensor | None = None
        """(1, C, h, w): the latest estimate x0, for previews; None before the first."""
        self.step = 0
        """Number of steps that are done."""
        self.uses_negative = False
        """Whether the negative prompt's estimate was used for guidance so far."""
        self._positive, self._negative = Timeline.of(positive), Timeline.of(negative)
        self._extra = latents.extra
        self._controls = tuple(controls)
        self._pictures = ReferencePictures(pictures)
        self._run: SamplerRun | None = None
        self._query: Query | None = None
        self._calls = -1
        self._memory = GuidanceMemory()
        self._features = None if features.interval == 1 else FeatureMemory(features)
        self._negative_estimate: torch.Tensor | None = None
        self._result: torch.Tensor | None = None
        self.error: BaseException | None = None
        """The error that ended it early, or None."""
        self._rule = blend or plan.dialect.blend_rule(inpainting=latents.extra is not None)
        if self.schedule.steps == 0:
            self._result = latents.content
            return
        first = noise(latents.content)
        scale = self.schedule.start if self.schedule.noise_scale is None else self.schedule.noise_scale
        x = first * scale if self.schedule.pure else latents.content + first * scale
        self.kept = KeptLatents(latents.mask, latents.content, first)
        """What the blend rule keeps."""
        eta = plan.dialect.eta(plan.choice.sampler, plan.eta)
        extrapolates = plan.dialect.extrapolates(denoiser.prediction)
        context = SamplerContext(self.schedule, scaled(noise, plan.noise_scale), eta, extrapolates, plan.churn)
        self._run = SAMPLERS[plan.choice.sampler](x, context)
        self._continue(None)

    @property
    def steps(self) -> int:
        """Number of all steps."""
        return self.schedule.steps

    @property
    def kept_bytes(self) -> int:
        """Memory of the deep features that it keeps."""
        return 0 if self._features is None else self._features.bytes

    @property
    def done(self) -> bool:
        """Whether it has a result or an error."""
        return self._result is not None or self.error is not None

    def result(self) -> torch.Tensor:
        """The finished latents, (1, C, h, w) float32, scaled as the content was.

        Raises:
            Cancelled: It was cancelled.
            EngineError: It failed, or is not finished.
        """
        if self.error is not None:
            if isinstance(self.error, OverpaintError):
                raise self.error
            raise EngineError(f"sampling failed at step {self.step + 1} of {self.steps}: {self.error}") from self.error
        if self._result is None:
            raise EngineError(f"sampling is at step {self.step + 1} of {self.steps} and has no result yet")
        return self._result

    def fail(self, error: BaseException) -> None:
        """End it with an error; other samples continue."""
        self.error = error
        self._query = None
        if self._run is not None:
            self._run.close()

    def rows(self) -> tuple[NetworkRow, ...]:
        """The rows that it needs now: those of the prompt's parts, the negative prompt's, or both; none once done."""
        query = self._query
        if query is None:
            return ()
        scale = self.guidance.scale if self.denoiser.embeds_guidance else None
        acting = [one for one in self._controls if one.acts_at(query.step, self.steps)]
        rows = [
            (
                self._pictures.joined(one.text, query.step, self.steps, negative=one.negative),
                tuple(each.row for each in acting if not (one.negative and each.prompt_only)),
            )
            for one in self._texts(query).rows
        ]
        kept = [None] * len(rows) if self._features is None else self._features.rows(rows, query.step)
        return tuple(
            NetworkRow(query, text, self._extra, scale, controls, features)
            for (text, controls), features in zip(rows, kept, strict=True)
        )

    def receive(self, estimates: list[torch.Tensor]) -> None:
        """Continue with the network's estimates, (1, C, h, w), one for each of `rows` in their order."""
        query = self._query
        assert query is not None, "a finished sample has no rows"
        try:
            texts = self._texts(query)
            positive, negative = texts.estimates(estimates)
            self.uses_negative |= negative is not None
            x0 = self.guidance.combine(
                positive,
                negative,
                query.x,
                query.sigma,
                self.denoiser.prediction,
                self._memory,
                first=query.step == 0,
                factor=scale_factor(texts.mixture.weight),
            )
            if not torch.isfinite(x0).all():
                raise NotFiniteError(
                    f"the network gave numbers that are not finite at step {query.step + 1} of {self.steps}"
                )
            self.estimate, self._negative_estimate = (
                self._rule.estimate(one, self.kept, query.sigma, query.step / self.steps)
                for one in (x0, x0 if negative is None else negative)
            )
            self._continue(self.estimate)
        except BaseException as error:
            self.fail(error)
            if not isinstance(error, Exception):
                raise

    def _texts(self, query: Query) -> StepTexts:
        """The texts whose estimates are needed now."""
        at, _ = self._progress(query)
        mixture, negative = self._positive.at(at), self._negative.at(at)
        apart = any(one.prompt_only and one.acts_at(query.step, self.steps) for one in self._controls)
        apart |= self._pictures.act_at(query.step, self.steps)
        return StepTexts(mixture, negative, self._sides(query, mixture, negative, apart), apart)

    def _progress(self, query: Query) -> tuple[int, int]:
        """What texts and guidance change with: the number of the step, or of the call, and how many there are."""
        if not self.plan.dialect.counts_calls:
            return query.step, self.steps
        return self._calls, self.steps * (2 if "two_calls" in self.plan.choice.traits else 1)

    def _sides(self, query: Query, mixture: Mixture, negative: Mixture, apart: bool) -> tuple[bool, bool]:
        """Whether the prompt's and the negative prompt's estimates are needed; one is enough where both are equal,
        unless more than texts sets them `apart`.
        """
        factor = scale_factor(mixture.weight)
        factors = [float(one) for one in factor.aminmax()] if isinstance(factor, torch.Tensor) else [factor]
        if self.denoiser.embeds_guidance or not any(self.plan.guides_at(self.guidance.scale * one) for one in factors):
            return True, False
        sides = self.guidance.sides(*self._progress(query), query.sigma, self._memory)
        return (True, False) if all(sides) and mixture.same(negative) and not apart else sides

    def _continue(self, x0: torch.Tensor | None) -> None:
        """Run the sampler to its next query, or to its end."""
        assert self._run is not None
        output = next(self._run) if x0 is None else self._run.send(x0)
        while not isinstance(output, Query):
            if isinstance(output, NegativeQuery):
                assert self._negative_estimate is not None, "there is an estimate after the first query"
                output = self._run.send(self._negative_estimate)
                continue
            x = self._blended(output)
            if not output.inner:
                self.step = output.step + 1
                self.monitor.progress(self.step, self.steps)
            if self._result is not None:
                return
            output = self._run.send(x)
        self._query = output
        self._calls += 1

    def _blended(self, result: StepResult) -> torch.Tensor:
        """x with the kept cells put back; at the last step, the final latents."""
        if result.inner or result.step < self.steps - 1:
            return self._rule.step(result, self.kept)
        x = result.x
        if self.schedule.preserving:
            x = x / (1 + result.sigma**2) ** 0.5
        self._result = self._rule.final(x, self.kept, self.steps)
        self._query = None
        return self._result
