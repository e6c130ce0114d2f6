"""The dialect of AUTOMATIC1111's web UI 1.10 (spec/inpaint-settings.md 1 to 3).

Strength takes the last steps of a schedule, and one more than its share; the mask is binary on the latent grid; start
noise, masked content and the input of inpainting networks follow the web UI. What lies outside of the engine, the crop
box and what is pasted, is in `overpaint.frame.webui`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from overpaint.engines.base import Canvas, Monitor
from overpaint.engines.diffusion.blend import ESTIMATE, BlendRule
from overpaint.engines.diffusion.names import SamplerChoice
from overpaint.engines.diffusion.noise import SeedVariation, VariedNoise, numbers_of
from overpaint.engines.diffusion.options import DIALECT_OPTIONS, DiffusionOptions, options_of
from overpaint.engines.diffusion.schedule import Schedule
from overpaint.engines.diffusion.start import Encoder, ExtraInput, Pixels, SampleStart, content_pixels, sampling_of
from overpaint.engines.diffusion.values import SampleLatents

from .base import Dialect
from .webui_pictures import colour_corrected, fill_pyramid, levels_of
from .webui_schedule import noise_factor, step_count, webui_schedule

if TYPE_CHECKING:
    from overpaint.engines.diffusion.sample import SamplingPlan

_CALLS_OF_TWO = 2


class WebuiDialect(Dialect):
    """The web UI's rules."""

    name = "webui"
    options = DIALECT_OPTIONS
    counts_calls = True
    switch_delay = 1

    def schedule(self, plan: SamplingPlan) -> Schedule:
        """See `webui_schedule`; the first noise is that of the options."""
        count = step_count(plan.steps, plan.strength, exact=plan.exact_steps)
        schedule = webui_schedule(plan.training, plan.choice, count, plan.rho)
        factor = noise_factor(schedule.start, multiplier=plan.noise_multiplier, extra=plan.extra_noise)
        return replace(schedule, noise_scale=factor)

    def prompt_steps(self, choice: SamplerChoice, steps: int) -> int:
        """The steps of the page, whatever the strength; the calls for samplers with two calls a step."""
        return steps * (_CALLS_OF_TWO if "two_calls" in choice.traits else 1)

    def blend_rule(self, *, inpainting: bool) -> BlendRule:
        """The estimate's kept cells are replaced by the known latents, for every network and sampler.

        With DDIM, PLMS and UniPC the web UI puts latents without noise into x instead, a defect that darkens pictures.
        """
        return ESTIMATE

    def latent_mask(self, mask: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """The mask in 8 bits, resized by Pillow's bicubic filter, and rounded."""
        return self.soft_mask(mask, height, width).round()

    def soft_mask(self, mask: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """The same without rounding."""
        levels = Image.fromarray(levels_of(mask.cpu().numpy())).resize((width, height), Image.Resampling.BICUBIC)
        return torch.from_numpy(np.asarray(levels, np.float32) / np.float32(255))[None, None]

    def hole(self, canvas: Canvas) -> NDArray[np.bool_]:
        """See `Dialect.hole`: the mask's upper half of 8 bits."""
        return levels_of(canvas.mask) >= 128

    def start(self, canvas: Canvas, encode: Encoder, extra_input: ExtraInput | None, monitor: Monitor) -> SampleStart:
        """See the module. The latent contents start from the fill, so that little of the old picture is left."""
        options, content = options_of(canvas), sampling_of(canvas).masked_content
        filled = content not in ("original", "exemplar")
        pixels = fill_pyramid(canvas.pixels, canvas.mask) if filled else content_pixels(canvas, content, monitor)
        z = encode(pixels).mean
        height, width = z.shape[2:]
        mask = self.mask_of(canvas, z)
        kept = z
        if content == "latent_noise":
            seed = canvas.seed if options.content_seed is None else options.content_seed
            noise = numbers_of(options.noise_source, seed).normal(tuple(z.shape[1:]))[None].to(z.device)
            kept = z * (1 - mask) + noise * mask
        elif content == "latent_nothing":
            kept = z * (1 - mask)
        extra = None
        if extra_input is not None:
            extra = _conditioned(pixels, canvas, options, extra_input, encode, (height, width), z.device)
        cell = canvas.size.height // height
        return SampleStart(SampleLatents(kept, mask, extra), _noise(canvas.seed, options, cell), (pixels, z))

    def finished(self, pixels: Pixels, canvas: Canvas, shown: Pixels) -> Pixels:
        """The colours are corrected to those that painting started from, where the options want it."""
        return colour_corrected(pixels, shown) if options_of(canvas).colour_correction else pixels


def _noise(seed: int, options: DiffusionOptions, cell: int) -> VariedNoise:
    width, height = options.seed_resize_from_w, options.seed_resize_from_h
    size = None if width is None or height is None else (max(1, width // cell), max(1, height // cell))
    variation = SeedVariation(options.subseed, options.subseed_strength, size, options.ensd)
    return VariedNoise(seed, options.noise_source, variation)


def _conditioned(
    pixels: Pixels,
    canvas: Canvas,
    options: DiffusionOptions,
    extra_input: ExtraInput,
    encode: Encoder,
    cells: tuple[int, int],
    device: torch.device,
) -> torch.Tensor | None:
    """The further input: the rounded mask, at each cell's first pixel, and the picture with its hole in grey.

    `inpainting_mask_weight` w leaves 1 - w of the picture in the hole.
    """
    hole = WEBUI.hole(canvas)
    grey = np.float32(0.5)
    masked = np.where(hole[..., None], pixels + np.float32(options.inpainting_mask_weight) * (grey - pixels), pixels)
    nearest = torch.nn.functional.interpolate(torch.from_numpy(hole.astype(np.float32))[None, None], size=cells)
    nothing = np.zeros_like(hole)
    return extra_input(masked, nothing, nearest.to(device), lambda picture: encode(picture).mean)


WEBUI = WebuiDialect()
