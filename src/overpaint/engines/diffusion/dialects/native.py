"""The native dialect: exactly `steps` intervals from the noise level that `strength` names, under any scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from overpaint.engines.base import Canvas, Monitor
from overpaint.engines.diffusion.blend import ESTIMATE, BlendRule
from overpaint.engines.diffusion.names import SAMPLER_NAMES
from overpaint.engines.diffusion.noise import Noise
from overpaint.engines.diffusion.options import SOFT_OPTIONS
from overpaint.engines.diffusion.schedule import Schedule, Training
from overpaint.engines.diffusion.spacings import SPACINGS, LevelSpan
from overpaint.engines.diffusion.start import (
    Encoder,
    ExtraInput,
    SampleStart,
    content_latents,
    content_pixels,
    sampling_of,
)
from overpaint.engines.diffusion.values import SampleLatents

from .base import Dialect

if TYPE_CHECKING:
    from overpaint.engines.diffusion.sample import SamplingPlan


class NativeDialect(Dialect):
    """Overpaint's own rules."""

    name = "native"
    options = SOFT_OPTIONS | {"rho"}

    def schedule(self, plan: SamplingPlan) -> Schedule:
        """See `native_schedule`."""
        return native_schedule(
            plan.training,
            steps=plan.steps,
            strength=plan.strength,
            scheduler=plan.choice.usual,
            rho=plan.rho,
            discards=SAMPLER_NAMES[plan.choice.sampler].discards,
        )

    def blend_rule(self, *, inpainting: bool) -> BlendRule:
        """The estimate's kept cells are replaced by the known latents, for every network."""
        return ESTIMATE

    def latent_mask(self, mask: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """A cell that the core (0.5 or more) touches is free, 1. Others have their largest value.

        The latter is the progress left at which `EstimateRule` frees them.
        """
        cells = torch.nn.functional.adaptive_max_pool2d(mask.to(torch.float32)[None, None], (height, width))
        return torch.where(cells >= 0.5, torch.ones_like(cells), cells)

    def start(self, canvas: Canvas, encode: Encoder, extra_input: ExtraInput | None, monitor: Monitor) -> SampleStart:
        """The mean of the autoencoder's distribution, whatever the seed; the extra input's hole is mask > 0."""
        content = sampling_of(canvas).masked_content
        pixels = content_pixels(canvas, content, monitor)
        z = encode(pixels).mean
        mask = self.mask_of(canvas, z)
        extra = None
        if extra_input is not None:
            height, width = z.shape[2:]
            covered = self.latent_mask(torch.from_numpy(canvas.hole.astype(np.float32)), height, width).to(z.device)
            extra = extra_input(canvas.pixels, canvas.hole, covered, lambda picture: encode(picture).mean)
        latents = SampleLatents(content_latents(z, mask, content, canvas.seed), mask, extra)
        return SampleStart(latents, Noise(canvas.seed), (pixels, z))


NATIVE = NativeDialect()


def native_schedule(
    training: Training,
    *,
    steps: int,
    strength: float = 1.0,
    scheduler: str = "normal",
    rho: float | None = None,
    discards: bool = False,
) -> Schedule:
    """Exactly `steps` steps from the noise level of training time strength x T down to 0.

    Training times count from 1 here, so that strength 1 is the last and noisiest. The content stays under the noise,
    also at strength 1. Strength 0 gives a schedule without steps.

    Args:
        training: The network's own levels.
        steps: At least 1.
        strength: 0 to 1.
        scheduler: One of `SPACINGS`.
        rho: Exponent of Karras' and of polyexponential levels; None: 7 and 1.
        discards: Whether the last level above 0 of one step more is left out (see `SamplingName.discards`).

    Raises:
        RequestError: The scheduler has no levels for this network.
    """
    if strength == 0:
        return Schedule(training, (0.0,), ())
    first = strength * training.steps - 1
    start = training.sigma(first)
    # Below the first training time all spacings would be one point; the levels are even there.
    if first <= 0:
        levels = start * (1 - np.arange(steps) / steps)
    else:
        levels = SPACINGS[scheduler](LevelSpan(training, first, steps + discards, rho))[:steps]
    levels[0] = start
    sigmas = (*(float(level) for level in levels), 0.0)
    return Schedule(training, sigmas, tuple(training.time(sigma) for sigma in sigmas[:-1]))
