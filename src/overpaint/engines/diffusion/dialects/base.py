"""The interface of a dialect."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from overpaint.engines.base import Canvas, Monitor
from overpaint.engines.diffusion.blend import BlendRule
from overpaint.engines.diffusion.names import SamplerChoice
from overpaint.engines.diffusion.options import options_of
from overpaint.engines.diffusion.schedule import Schedule
from overpaint.engines.diffusion.start import Encoder, ExtraInput, Pixels, SampleStart
from overpaint.models import Prediction

if TYPE_CHECKING:
    from overpaint.engines.diffusion.sample import SamplingPlan


class Dialect(ABC):
    """A tool's rules for start, strength, steps, masks on the latent grid, blending and texts.

    Attributes:
        name: As in requests.
        plain_text: Whether a prompt is taken as it is written, without weights, schedules or tags, up to one chunk.
            `clip_skip` then acts on the prompt alone, and an empty negative prompt is encoded like any other text.
        options: Names of the engine's options that act in some dialects only, of those that act in this one.
        counts_calls: Whether texts and guidance change with the network's calls instead of the steps; a step of some
            samplers has two calls.
        switch_delay: Steps, or calls, for which a text stays beyond the one at which its schedule ends it.
    """

    name: str
    plain_text: bool = False
    options: frozenset[str] = frozenset()
    counts_calls: bool = False
    switch_delay: int = 0

    @abstractmethod
    def schedule(self, plan: SamplingPlan) -> Schedule:
        """The noise levels of a plan.

        Raises:
            RequestError: A scheduler that this dialect does not have, or a strength that leaves no step.
        """

    def prompt_steps(self, choice: SamplerChoice, steps: int) -> int:
        """The steps that schedules in a prompt divide, of a request with so many."""
        return steps

    def eta(self, sampler: str, eta: float | None) -> float | None:
        """The share of noise that a sampler renews; None: the sampler's usual."""
        return eta

    def extrapolates(self, prediction: Prediction) -> Prediction:
        """The kind of output that PLMS extrapolates, for a network with this prediction."""
        return "epsilon"

    def guides_at(self, scale: float) -> bool:
        """Whether a guidance scale makes both the prompt's and the negative prompt's estimate needed."""
        return scale != 1

    @abstractmethod
    def blend_rule(self, *, inpainting: bool) -> BlendRule:
        """How kept cells are held, for a network that is shown mask and masked picture or one that is not."""

    @abstractmethod
    def latent_mask(self, mask: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """The denoise mask on the grid of latents.

        Args:
            mask: (H, W) in [0, 1]; 1 is repainted.
            height: Of the latents, in cells.
            width: Of the latents, in cells.

        Returns:
            (1, 1, height, width) float32 in [0, 1].
        """

    def hole(self, canvas: Canvas) -> NDArray[np.bool_]:
        """(H, W): the pixels that networks are not shown, where they see the picture itself."""
        return canvas.hole

    def soft_mask(self, mask: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """The denoise mask on the grid of latents for soft inpainting, which reads fractions linearly: cells' means.

        Arguments and result are those of `latent_mask`.
        """
        return torch.nn.functional.adaptive_avg_pool2d(mask.to(torch.float32)[None, None], (height, width))

    def mask_of(self, canvas: Canvas, latents: torch.Tensor) -> torch.Tensor:
        """The denoise mask of a canvas on the grid of its latents (1, C, h, w), as its options want it read."""
        soft = "soft_inpainting" in self.options and options_of(canvas).soft_inpainting
        height, width = latents.shape[2:]
        return (self.soft_mask if soft else self.latent_mask)(torch.tensor(canvas.mask), height, width).to(latents)

    @abstractmethod
    def start(self, canvas: Canvas, encode: Encoder, extra_input: ExtraInput | None, monitor: Monitor) -> SampleStart:
        """Encode a canvas, and draw in the dialect's order.

        Args:
            canvas: The canvas to paint, with its masked content and strength.
            encode: The autoencoder; equal pictures are encoded once.
            extra_input: `Family.extra_input` of a model that is shown more than x, or None.
            monitor: Cancels filling the hole.
        """

    def finished(self, pixels: Pixels, canvas: Canvas, shown: Pixels) -> Pixels:
        """The decoded picture as the engine gives it.

        Args:
            pixels: (H, W, 3) float32 in [0, 1], decoded.
            canvas: What was painted.
            shown: (H, W, 3) the picture that painting started from, the masked content in its hole.
        """
        return pixels
