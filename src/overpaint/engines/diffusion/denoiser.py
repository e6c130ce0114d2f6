"""Networks in one form: (x, sigma, t, conditioning) to the estimate x0, whatever they predict."""

from __future__ import annotations

import math
from collections.abc import Hashable
from contextlib import nullcontext

import torch

from overpaint.engines.weight_store import call_lock
from overpaint.models import Prediction

from .batch_invariance import RowByRow
from .families import Family
from .first_layers import once, repeats
from .values import Conditioning


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
    """A network of any family in one common form. It works in its own type; x, sigma and the estimate are float32.

    Attributes:
        key: Digest of the network with its LoRAs: equal keys give equal estimates.
        prediction: What the network's output stands for.
        embeds_guidance: Whether the guidance scale is an input of the network (as in LCM), so that the prompt's row is
            enough.
    """

    def __init__(
        self, family: Family, network: torch.nn.Module, *, prediction: Prediction, key: Hashable, exact: bool = False
    ) -> None:
        """Wrap `network`.

        Args:
            family: How it is called.
            network: In evaluation mode, on its device.
            prediction: What its output stands for.
            key: Digest of the network, with its LoRA set and weights.
            exact: Whether a row has the same bits in any batch. Then bf16 on one CPU thread is batched with `RowByRow`;
                other types and devices, and more threads, take one row a call.
        """
        parameter = next(network.parameters())
        self._family = family
        self._network = network
        self._dtype: torch.dtype = parameter.dtype
        self._device: torch.device = parameter.device
        self._exact = exact
        # Not in single precision: there a row's bits depend on the batch, and a picture would change by more than 1e-5
        # with its neighbours.
        half = self._dtype in (torch.bfloat16, torch.float16)
        self._first = family.text_free_layers(network) if half else ()
        self.prediction: Prediction = prediction
        self.key: Hashable = (key, exact)
        self.embeds_guidance = family.embeds_guidance(network)

    @property
    def rows_at_once(self) -> int | None:
        """The most rows that a call may have without changing results, None for no limit.

        One in exact mode, unless type, device and threads allow more.
        """
        batched = self._dtype == torch.bfloat16 and self._device.type == "cpu" and torch.get_num_threads() == 1
        return 1 if self._exact and not batched else None

    def __call__(
        self,
        x: torch.Tensor,
        sigma: torch.Tensor,
        t: torch.Tensor,
        conditioning: Conditioning,
        extra: torch.Tensor | None = None,
        guidance: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The estimate x0.

        Args:
            x: (B, C, h, w) float32.
            sigma: (B,) float32 noise levels.
            t: (B,) float32 training times.
            conditioning: B rows.
            extra: (B, E, h, w) further input (`Family.extra_input`), or None.
            guidance: (B,) guidance scales, for a network that embeds them.

        Returns:
            (B, C, h, w) float32.
        """
        output = self.output(x, sigma, t, conditioning, extra, guidance)
        return to_estimate(output, x, sigma, self.prediction)

    def output(
        self,
        x: torch.Tensor,
        sigma: torch.Tensor,
        t: torch.Tensor,
        conditioning: Conditioning,
        extra: torch.Tensor | None = None,
        guidance: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """What the network itself gives, (B, C', h, w) float32, with channels of its own where it has further ones.

        Arguments are those of a call.
        """
        seen = to_input(x, sigma, self.prediction)
        same = repeats(seen, extra, sigma, t, guidance) if self._first and len(seen) > 1 else None
        shared = once(self._first, *same) if same else nullcontext()
        with call_lock(self._network), torch.inference_mode(), RowByRow() if self._exact else nullcontext(), shared:
            output = self._family.predict(
                self._network,
                self._own(seen),
                sigma,
                t,
                conditioning.map(self._own),
                None if extra is None else self._own(extra),
                guidance,
            )
        return output.to(torch.float32)

    def _own(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor on the network's device, and in its type unless it holds integers or flags."""
        return tensor.to(self._device, self._dtype if tensor.is_floating_point() else tensor.dtype)
