"""Losses of a reconstruction: colour, edges, low frequencies, features of networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F


def gradients(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute difference of horizontal and of vertical differences."""
    error = one - other
    return error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()


def low_pass(one: Tensor, other: Tensor, factor: int = 4) -> Tensor:
    """Mean absolute difference at a quarter of the size."""
    return F.avg_pool2d(one - other, factor).abs().mean()


def moments(latents: Tensor) -> Tensor:
    """Distance of latent channels from mean 0 and deviation 1, which the denoiser expects, plus the excess over 3."""
    means, deviations = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    return means.square().mean() + (deviations - 1).square().mean() + F.relu(latents.abs() - 3).mean()


def balanced_gradient(seen: Tensor, first: Tensor, others: Sequence[tuple[Tensor, float | Tensor]]) -> Tensor:
    """Gradient of several losses at the pictures; each other loss is scaled to its share of the first one's norm.

    Losses of different kinds have different scales, which change in training; a share of the gradient at the output
    keeps its meaning (Defossez et al. 2022, "High fidelity neural audio compression", section 3.4).

    Args:
        seen: The pictures, a leaf tensor from which the losses were computed.
        first: The loss with an unscaled gradient.
        others: Losses, and the norm of their gradient over that of the first.
    """
    (whole,) = torch.autograd.grad(first, seen, retain_graph=True)
    norm = whole.norm()
    for loss, share in others:
        (own,) = torch.autograd.grad(loss, seen, retain_graph=True)
        whole = whole + own * (share * norm / own.norm().clamp_min(1e-12))
    return whole


def feature_distance(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    """Distance of two pictures' feature maps (n, c, h, w), features normalised at each place (Zhang et al.
    2018, "The unreasonable effectiveness of deep features", with all channels alike); the mean over maps.
    """
    pairs = [(F.normalize(a.float(), dim=1), F.normalize(b.float(), dim=1)) for a, b in zip(one, other, strict=True)]
    return torch.stack([(a - b).square().sum(1).mean() for a, b in pairs]).mean()


Features = Callable[[Tensor, Tensor], Tensor]


def feature_loss(path: Path, device: torch.device) -> Features:
    """Distance between the inner layers of a published tiny encoder (TAESD's family), as perceptual losses use VGG.

    The file is a state of plain convolutions and residual blocks, numbered in order; layers after the second
    halving of the size are not used. FileNotFoundError without the file.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"no encoder for the feature loss at {path}; set autoencoder.features to 0 to do without"
        )
    state = {key: value.to(device).float() for key, value in torch.load(path, weights_only=True).items()}
    numbers = sorted({int(key.split(".")[0]) for key in state})

    def layer(x: Tensor, number: int) -> Tensor:
        if f"{number}.weight" in state:
            stride = 1 if f"{number}.bias" in state else 2
            return F.conv2d(x, state[f"{number}.weight"], state.get(f"{number}.bias"), stride, 1)
        y = x
        for part in (0, 2, 4):
            y = F.conv2d(y, state[f"{number}.conv.{part}.weight"], state[f"{number}.conv.{part}.bias"], padding=1)
            y = F.relu(y) if part < 4 else y
        return F.relu(x + y)

    def inner(pictures: Tensor) -> list[Tensor]:
        x, kept, halvings = (pictures + 1) / 2, [], 0
        for number in numbers:
            halvings += f"{number}.weight" in state and f"{number}.bias" not in state
            if halvings > 2:
                break
            x = layer(x, number)
            if f"{number}.conv.0.weight" in state:
                kept.append(F.normalize(x, dim=1))
        return kept

    def distance(one: Tensor, other: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = inner(other)
        pairs = zip(inner(one), wanted, strict=True)
        return torch.stack([(a - b).square().sum(1).mean() for a, b in pairs]).mean()

    return distance
