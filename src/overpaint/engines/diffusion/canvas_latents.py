"""From a canvas to what a Sample begins with: content, mask and further channels on the grid of latents, and noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from overpaint.engines.base import Canvas, Monitor
from overpaint.engines.exemplar import Exemplar, ExemplarOptions
from overpaint.exemplar.smooth import blurred
from overpaint.request import MaskedContent

from .blend import latent_mask
from .noise import Noise
from .sample import Latents
from .settings import Asked

Pixels = NDArray[np.float32]

_CONTENT_SEED = 0x6F766572
"""Latent noise as content is drawn from another generator than the noise of sampling: with the same noise twice, the
hole would begin as one noise of another size instead of a sum of two."""


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """What an autoencoder makes of a picture.

    Attributes:
        mean: (1, C, h, w) float32, scaled as the network takes it.
        deviation: Of the same shape, or None for an autoencoder without a distribution.
    """

    mean: torch.Tensor
    deviation: torch.Tensor | None = None

    def drawn(self, generator: torch.Generator) -> torch.Tensor:
        """One draw, as diffusers' pipelines take it."""
        if self.deviation is None:
            return self.mean
        noise = torch.randn(tuple(self.mean.shape), generator=generator, dtype=torch.float32)
        return self.mean + self.deviation * noise.to(self.mean.device)


Encoder = Callable[[Pixels], Moments]
"""An autoencoder: (H, W, 3) float32 in [0, 1] to its latents."""

ExtraInput = Callable[[Pixels, NDArray[np.bool_], torch.Tensor, Callable[[Pixels], torch.Tensor]], torch.Tensor | None]


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What a Sample begins with.

    Attributes:
        latents: Content, mask and further channels.
        noise: The picture's own noise.
        shown: A picture and its latents, by which previews tell colours; None where nothing was encoded.
    """

    latents: Latents
    noise: Noise
    shown: tuple[Pixels, torch.Tensor] | None


def prepare(
    canvas: Canvas, asked: Asked, extra_input: ExtraInput | None, encode: Encoder, monitor: Monitor
) -> Prepared:
    """Encode a canvas as its dialect does.

    Args:
        canvas: What is painted.
        asked: Its settings.
        extra_input: `Family.extra_input` of a model that is shown more than x, or None.
        encode: The autoencoder.
        monitor: Asked about cancellation before each encoding.
    """

    def checked(pixels: Pixels) -> Moments:
        monitor.check()
        return encode(pixels)

    if asked.plan.dialect == "diffusers":
        return _diffusers(canvas, asked, extra_input, checked, monitor)
    return _native(canvas, asked, extra_input, checked, monitor)


def _native(
    canvas: Canvas, asked: Asked, extra_input: ExtraInput | None, encode: Encoder, monitor: Monitor
) -> Prepared:
    """The mean of the autoencoder's distribution, whatever the seed; mask and masked picture from mask > 0."""
    pixels = content_pixels(canvas, asked.content, monitor)
    z = encode(pixels).mean
    height, width = z.shape[2:]
    mask = latent_mask(torch.tensor(canvas.mask), height, width).to(z.device)
    content = content_latents(z, mask, asked.content, canvas.seed)
    extra = None
    if extra_input is not None:
        covered = latent_mask(torch.from_numpy(canvas.hole.astype(np.float32)), height, width).to(z.device)
        extra = extra_input(canvas.pixels, canvas.hole, covered, lambda picture: encode(picture).mean)
    return Prepared(Latents(content, mask, extra=extra), Noise(canvas.seed), (pixels, z))


def _diffusers(
    canvas: Canvas, asked: Asked, extra_input: ExtraInput | None, encode: Encoder, monitor: Monitor
) -> Prepared:
    """As StableDiffusionInpaintPipeline draws from its generator: picture, noise, masked picture (spec/diffusers.md 2).

    It encodes the masked picture for 4 channels too and throws it away; only its draw is repeated here. Content other
    than the original is not known there: then nothing but the noise and the masked picture is drawn.
    """
    generator = torch.Generator("cpu").manual_seed(canvas.seed)
    hole = canvas.mask >= 0.5
    masked = np.where(hole[..., None], np.float32(0.5), canvas.pixels)
    original = asked.content == "original"
    alone = extra_input is not None and asked.plan.strength == 1  # begins as noise alone, and nothing is held
    pixels = masked if alone else content_pixels(canvas, asked.content, monitor)
    moments = encode(pixels)
    content = moments.drawn(generator) if original and not alone else moments.mean
    if alone:
        content = torch.zeros_like(content)
    height, width = content.shape[2:]
    mask = latent_mask(torch.tensor(canvas.mask), height, width, "diffusers").to(content.device)
    if not original:
        content = content_latents(content, mask, asked.content, canvas.seed)
    noise = Begun(generator, content)
    extra = None
    if extra_input is not None:
        extra = extra_input(canvas.pixels, hole, mask, lambda picture: encode(picture).drawn(generator))
    elif original:
        Moments(content, content).drawn(generator)
    return Prepared(Latents(content, mask, extra=extra), noise, (pixels, moments.mean))


class Begun(Noise):
    """Noise whose first draw was made already; what is drawn from its generator meanwhile comes between."""

    def __init__(self, generator: torch.Generator, like: torch.Tensor) -> None:
        super().__init__(generator)
        self._first: torch.Tensor | None = super().__call__(like)

    def __call__(self, like: torch.Tensor) -> torch.Tensor:
        """Noise of the shape and on the device of `like`, float32."""
        if self._first is None:
            return super().__call__(like)
        first, self._first = self._first, None
        return first


def content_pixels(canvas: Canvas, content: MaskedContent, monitor: Monitor) -> Pixels:
    """(H, W, 3): the canvas with what its hole begins with.

    Where a soft mask fades, so does what is put in: wholly new from 0.5 on, as the composite mask has it. The latent
    contents begin from the blur, as in AUTOMATIC1111 (spec/inpaint-settings.md 1), so that the old object does not leak
    into the cells around the hole.
    """
    if content == "original":
        return canvas.pixels
    if content == "exemplar":
        draft = replace(canvas, options=ExemplarOptions(quality="draft"))
        filled = Exemplar().paint_one(draft, _Quiet(monitor)).pixels
    else:
        known = ~canvas.hole if canvas.usable is None else ~canvas.hole & canvas.usable
        if known.any():
            filled = blurred(canvas.pixels, known)
        else:
            filled = np.broadcast_to(canvas.pixels.mean(axis=(0, 1)), canvas.pixels.shape)
    weight = np.minimum(1, 2 * canvas.mask)[..., None]
    return np.asarray(canvas.pixels + weight * (filled - canvas.pixels), dtype=np.float32)


def content_latents(z: torch.Tensor, mask: torch.Tensor, content: MaskedContent, seed: int) -> torch.Tensor:
    """Latents with what the hole begins with: noise of deviation 1, zeros, or what they are."""
    if content == "latent_noise":
        return z * (1 - mask) + Noise(seed ^ _CONTENT_SEED)(z) * mask
    if content == "latent_nothing":
        return z * (1 - mask)
    return z


class _Quiet(Monitor):
    """Called off with another monitor, and says nothing to it."""

    def __init__(self, parent: Monitor) -> None:
        super().__init__()
        self._parent = parent

    @property
    def cancelled(self) -> bool:
        """Whether the other was called off."""
        return self._parent.cancelled
