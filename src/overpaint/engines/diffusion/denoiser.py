"""Networks in one form: (x, sigma, t, conditioning) to the estimate x0, whatever they predict."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import replace

import torch

from overpaint.models import Prediction

from .back_ends import BackEnd, Stage, unheard
from .families import Family
from .network_call import NetworkCall
from .values import NetworkInput


def _wide(sigma: torch.Tensor) -> torch.Tensor:
    """(B,) as (B, 1, 1, 1), the shape of latents."""
    return sigma.reshape(-1, 1, 1, 1)


def to_input(x: torch.Tensor, sigma: torch.Tensor, prediction: Prediction) -> torch.Tensor:
    """x, (B, C, h, w), scaled as in training.

    Variance preserving, x / sqrt(1 + sigma^2); for flow matching, (1 - s) x0 + s noise with sigma = s / (1 - s), which
    is x / (1 + sigma).
    """
    sigma = _wide(sigma)
    return x / (1 + sigma) if prediction == "flow" else x / (sigma**2 + 1).sqrt()


def to_estimate(output: torch.Tensor, x: torch.Tensor, sigma: torch.Tensor, prediction: Prediction) -> torch.Tensor:
    """x0 from the network's output, (B, C, h, w).

    epsilon: x0 = x - sigma e. v (Salimans and Ho 2022, arXiv 2202.00512): x0 = x / (sigma^2 + 1) - v sigma /
    sqrt(sigma^2 + 1). flow: the output is noise - x0, hence x0 = (x - sigma output) / (1 + sigma).
    """
    sigma = _wide(sigma)
    if prediction == "epsilon":
        return x - sigma * output
    if prediction == "v":
        return x / (sigma**2 + 1) - output * (sigma / (sigma**2 + 1).sqrt())
    if prediction == "flow":
        return (x - sigma * output) / (1 + sigma)
    return output


def to_output(estimate: torch.Tensor, x: torch.Tensor, sigma: torch.Tensor, prediction: Prediction) -> torch.Tensor:
    """The network's output for an estimate: the inverse of `to_estimate`, for sigma > 0."""
    sigma = _wide(sigma)
    if prediction == "epsilon":
        return (x - estimate) / sigma
    if prediction == "v":
        return (x / (sigma**2 + 1) - estimate) * ((sigma**2 + 1).sqrt() / sigma)
    if prediction == "flow":
        return (x - (1 + sigma) * estimate) / sigma
    return estimate


def guidance_embedding(scale: torch.Tensor, width: int) -> torch.Tensor:
    """(B, width) sinusoidal embedding of guidance scales for networks distilled with it.

    Luo et al. 2023 (arXiv 2310.04378): the scale minus one, times 1000, in the position embedding of Transformers.
    """
    half = width // 2
    frequency = torch.exp(torch.arange(half, dtype=torch.float32) * (-math.log(10000.0) / (half - 1)))
    angle = (scale.float() - 1)[:, None] * 1000.0 * frequency.to(scale.device)[None, :]
    embedding = torch.cat([angle.sin(), angle.cos()], dim=1)
    return torch.nn.functional.pad(embedding, (0, width - 2 * half))


class NetworkDenoiser:
    """A network of any family in one common form: a noisy x to the estimate x0, both float32.

    Attributes:
        key: Digest of the network with its LoRAs: equal keys give equal estimates.
        prediction: What the network's output stands for.
        embeds_guidance: Whether the guidance scale is an input of the network (as in LCM), so that the prompt's row is
            enough.
    """

    def __init__(
        self,
        family: Family,
        network: torch.nn.Module,
        *,
        prediction: Prediction,
        key: Hashable,
        exact: bool = False,
        back_end: BackEnd | None = None,
    ) -> None:
        """Wrap `network`.

        Args:
            family: How it is called.
            network: In evaluation mode, on its device.
            prediction: What its output stands for.
            key: Digest of the network, with its LoRA set and weights.
            exact: See `NetworkCall`.
            back_end: See `NetworkCall`.
        """
        self._call = NetworkCall(family, network, exact=exact, back_end=back_end)
        self._back_end = back_end
        self.prediction: Prediction = prediction
        self.key: Hashable = (key, exact, type(back_end))
        self.embeds_guidance = family.embeds_guidance(network)

    @property
    def rows_at_once(self) -> int | None:
        """See `NetworkCall.rows_at_once`."""
        return self._call.rows_at_once

    @property
    def notes(self) -> tuple[str, ...]:
        """What ran without the back end after all, for people."""
        return () if self._back_end is None else tuple(self._back_end.notes)

    @property
    def layers(self) -> int:
        """See `Family.layer_count`."""
        return self._call.layers

    def __call__(self, given: NetworkInput, stage: Stage = unheard) -> torch.Tensor:
        """The estimate x0, (B, C, h, w) float32; `stage` gets a text about what takes long."""
        return to_estimate(self.output(given, stage), given.x, given.sigma, self.prediction)

    def output(self, given: NetworkInput, stage: Stage = unheard) -> torch.Tensor:
        """What the network itself gives, (B, C', h, w) float32, with channels of its own where it has further ones."""
        return self._call(replace(given, x=to_input(given.x, given.sigma, self.prediction)), stage)
