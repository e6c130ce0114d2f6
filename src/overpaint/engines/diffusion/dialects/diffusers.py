"""The dialect of diffusers' inpainting pipelines (spec/diffusers.md 2).

Strength leaves steps out; at strength 1 the picture starts as noise alone; masks are binary, at 0.5; draws come from
one generator, in the pipelines' order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from overpaint.engines.base import Canvas, Monitor
from overpaint.engines.diffusion.blend import KEEPS_NOTHING, RENOISE, BlendRule
from overpaint.engines.diffusion.noise import Noise
from overpaint.engines.diffusion.schedule import Schedule
from overpaint.engines.diffusion.start import (
    Encoder,
    ExtraInput,
    Moments,
    SampleStart,
    content_latents,
    content_pixels,
    sampling_of,
)
from overpaint.engines.diffusion.values import SampleLatents
from overpaint.models import Prediction

from .base import Dialect
from .diffusers_schedule import diffusers_schedule

if TYPE_CHECKING:
    from overpaint.engines.diffusion.sample import SamplingPlan


class DiffusersDialect(Dialect):
    """The rules of StableDiffusionInpaintPipeline and StableDiffusionXLInpaintPipeline."""

    name = "diffusers"
    plain_text = True

    def schedule(self, plan: SamplingPlan) -> Schedule:
        """See `diffusers_schedule`."""
        return diffusers_schedule(
            plan.config, plan.choice.sampler, steps=plan.steps, strength=plan.strength, scheduler=plan.choice.scheduler
        )

    def eta(self, sampler: str, eta: float | None) -> float | None:
        """The pipelines give 0 to the schedulers that take an eta."""
        return 0.0 if eta is None and sampler in ("ddim", "tcd") else eta

    def extrapolates(self, prediction: Prediction) -> Prediction:
        """PNDMScheduler extrapolates the network's own output."""
        return prediction

    def guides_at(self, scale: float) -> bool:
        """The pipelines do not guide at 1 or below."""
        return scale > 1

    def blend_rule(self, *, inpainting: bool) -> BlendRule:
        """Kept cells are noised anew after each step; a network made for inpainting is left to keep them itself."""
        return KEEPS_NOTHING if inpainting else RENOISE

    def latent_mask(self, mask: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """1 where the mask is 0.5 or more at a cell's first pixel, else 0."""
        pixels = (mask.to(torch.float32)[None, None] >= 0.5).float()
        return torch.nn.functional.interpolate(pixels, size=(height, width))

    def hole(self, canvas: Canvas) -> NDArray[np.bool_]:
        """See `Dialect.hole`: the mask from 0.5 on."""
        return canvas.mask >= 0.5

    def start(self, canvas: Canvas, encode: Encoder, extra_input: ExtraInput | None, monitor: Monitor) -> SampleStart:
        """Draws for the picture, the noise, the masked picture, in this order.

        The pipelines encode the masked picture for 4 channels too and throw it away; only its draw is repeated here.
        They know no content but the original: for others, only the noise and the masked picture are drawn.
        """
        generator = torch.Generator("cpu").manual_seed(canvas.seed)
        hole = self.hole(canvas)
        content = sampling_of(canvas).masked_content
        original = content == "original"
        if extra_input is not None and sampling_of(canvas).strength == 1:  # starts as noise alone, and nothing is kept
            pixels = np.where(hole[..., None], np.float32(0.5), canvas.pixels)
            moments = encode(pixels)
            latents = torch.zeros_like(moments.mean)
        else:
            pixels = content_pixels(canvas, content, monitor)
            moments = encode(pixels)
            latents = moments.draw(generator) if original else moments.mean
        mask = self.mask_of(canvas, latents)
        if not original:
            latents = content_latents(latents, mask, content, canvas.seed)
        noise = Noise(generator)
        noise.draw_ahead(latents)
        extra = None
        if extra_input is not None:
            extra = extra_input(canvas.pixels, hole, mask, lambda picture: encode(picture).draw(generator))
        elif original:
            Moments(latents, latents).draw(generator)
        return SampleStart(SampleLatents(latents, mask, extra), noise, (pixels, moments.mean))


DIFFUSERS = DiffusersDialect()
