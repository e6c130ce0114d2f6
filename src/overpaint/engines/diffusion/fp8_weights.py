"""Weights that are kept in eight bits: half the memory of half precision. Calculations stay in the network's own type.

Linear layers and convolutions inside the network's blocks are kept as float8 (e4m3: four bits of exponent, three of
mantissa; Micikevicius et al. 2022, arXiv 2209.05433), each output channel with a factor of its own that brings its
largest weight to the largest number of the type. First and last convolution, embeddings of time and size, norms and
biases stay as they are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from .blocks import trunk_of
from .copies import shared_copy

LARGEST = 448.0
"""The largest number of float8 e4m3."""


class Fp8Layer(nn.Module):  # type: ignore[misc]
    """A layer whose weight is kept in eight bits with a factor for each output channel."""

    weight: torch.Tensor
    fp8_scale: torch.Tensor

    def wide_weight(self, x: torch.Tensor) -> torch.Tensor:
        """The weight in the type of its input, while it is used."""
        return self.weight.to(x.dtype) * self.fp8_scale.to(x.dtype)


class Fp8Linear(nn.Linear, Fp8Layer):  # type: ignore[misc]
    """A linear layer with its weight in eight bits."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As a linear layer."""
        return F.linear(x, self.wide_weight(x), self.bias)


class Fp8Conv2d(nn.Conv2d, Fp8Layer):  # type: ignore[misc]
    """A convolution with its weight in eight bits."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As a convolution."""
        found: torch.Tensor = self._conv_forward(x, self.wide_weight(x), self.bias)
        return found


def with_fp8_weights(network: Any) -> Any:
    """A copy of a network with weights in eight bits; all other tensors are shared with it, and it stays as it is.

    Args:
        network: In evaluation mode; one without blocks is returned as it is.
    """
    other = shared_copy(network)
    layers = [one for part in trunk_of(other) for one in _layers(part)]
    for layer in layers:
        weight, scale = quantised(layer.weight)
        layer.weight = nn.Parameter(weight, requires_grad=False)
        layer.register_buffer("fp8_scale", scale)
        layer.__class__ = Fp8Linear if isinstance(layer, nn.Linear) else Fp8Conv2d
    return other if layers else network


def fp8_saving(part: nn.Module) -> int:
    """Bytes that a part of a network's trunk takes less with weights in eight bits."""
    return sum(one.weight.numel() * (one.weight.element_size() - 1) - 4 * len(one.weight) for one in _layers(part))


def _layers(part: nn.Module) -> list[Any]:
    """The layers whose weights are kept in eight bits."""
    return [one for one in part.modules() if type(one) in (nn.Linear, nn.Conv2d)]


def quantised(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight (out, ...) in float8, and its factors (out, 1, ...) float32: their product is near the weight."""
    wide = weight.float()
    scale = wide.abs().amax(dim=tuple(range(1, wide.ndim)), keepdim=True).clamp(min=1e-12) / LARGEST
    return (wide / scale).to(torch.float8_e4m3fn), scale
