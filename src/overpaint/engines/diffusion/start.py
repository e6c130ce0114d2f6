"""The start of a sample: latents of the masked content, of the mask and of the extra input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from overpaint.engines.base import Canvas, Monitor
from overpaint.engines.exemplar import Exemplar, ExemplarOptions
from overpaint.exemplar.smooth import blurred
from overpaint.request import MaskedContent, Sampling

from .noise import Noise
from .values import NoiseLike, SampleLatents

Pixels = NDArray[np.float32]

_CONTENT_SEED = 0x6F766572
"""Changes the seed for latent noise as content: with the noise of sampling, both would add up to one scaled noise
instead of two independent ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """A picture's distribution of latents.

    Attributes:
        mean: (1, C, h, w) float32, scaled as the network takes it.
        deviation: Of the same shape, or None for an autoencoder without a distribution.
    """

    mean: torch.Tensor
    deviation: torch.Tensor | None = None

    def draw(self, generator: torch.Generator) -> torch.Tensor:
        """One draw, as diffusers' pipelines make it."""
        if self.deviation is None:
            return self.mean
        noise = torch.randn(tuple(self.mean.shape), generator=generator, dtype=torch.float32)
        return self.mean + self.deviation * noise.to(self.mean.device)


Encoder = Callable[[Pixels], Moments]
"""An autoencoder: (H, W, 3) float32 in [0, 1] to its latents."""

ExtraInput = Callable[[Pixels, NDArray[np.bool_], torch.Tensor, Callable[[Pixels], torch.Tensor]], torch.Tensor | None]
"""See `Family.extra_input`."""


@dataclass(frozen=True, slots=True, eq=False)
class SampleStart:
    """The start of a sample.

    Attributes:
        latents: Content, mask and extra input.
        noise: The picture's own noise: the first draw is what it starts with.
        shown: A picture (H, W, 3) and its latents, from which previews learn colours.
    """

    latents: SampleLatents
    noise: NoiseLike
    shown: tuple[Pixels, torch.Tensor]


def sampling_of(canvas: Canvas) -> Sampling:
    """The canvas's settings of sampling; without any, those of an ordinary request."""
    return canvas.sampling or Sampling()


def content_pixels(canvas: Canvas, content: MaskedContent, monitor: Monitor) -> Pixels:
    """(H, W, 3): the canvas with the masked content in its hole.

    Where a soft mask fades, so does the content: wholly new from 0.5 on, like the composite mask. The latent contents
    start from the blur, as in AUTOMATIC1111 (spec/inpaint-settings.md 1), so that the old object does not leak into
    the cells around the hole.
    """
    if content == "original":
        return canvas.pixels
    if content == "exemplar":
        draft = replace(canvas, options=ExemplarOptions(quality="draft"))
        engine = Exemplar()
        engine.threads = 1  # the processor's others are torch's
        filled = engine.paint_one(draft, monitor.silent()).pixels
    elif canvas.known.any():
        filled = blurred(canvas.pixels, canvas.known)
    else:
        filled = np.broadcast_to(canvas.pixels.mean(axis=(0, 1)), canvas.pixels.shape)
    weight = np.minimum(1, 2 * canvas.mask)[..., None]
    return np.asarray(canvas.pixels + weight * (filled - canvas.pixels), dtype=np.float32)


def content_latents(z: torch.Tensor, mask: torch.Tensor, content: MaskedContent, seed: int) -> torch.Tensor:
    """Latents with the masked content: noise of deviation 1, zeros, or as they are."""
    if content == "latent_noise":
        return z * (1 - mask) + Noise(seed ^ _CONTENT_SEED)(z) * mask
    if content == "latent_nothing":
        return z * (1 - mask)
    return z
