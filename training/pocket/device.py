"""Device, precision, memory format and optimisers, on a CPU and on a GPU."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from .muon import CombinedOptimiser, Muon
from .precision import fast_dtype


def choose_device(name: str) -> torch.device:
    """The device of a name; "auto" is the GPU if there is one. ValueError for a missing GPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"there is no GPU for device {name!r}; available: cpu")
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
    return device


def mixed_precision(device: torch.device) -> Any:
    """Context in which convolutions and matrix products run in bfloat16 where the device is fast at it; weights and
    losses stay in float32.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=fast_dtype(device) is torch.bfloat16)


def cpu_attention(device: torch.device) -> AbstractContextManager[Any]:
    """Context in which attention on a CPU is plain matrix products: at the few hundred places of a small latent the
    backward pass of the flash kernel is slower (30 % of a whole step of the denoiser, measured).
    """
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


def on_device(net: Any, device: torch.device) -> Any:
    """A network on a device in channels-last format, which is faster for convolutions on both kinds."""
    return net.to(device=device, memory_format=torch.channels_last)


def adamw(nets: list[Any], rate: float, decay: float, device: torch.device) -> Any:
    """AdamW, fused; no weight decay on vectors (biases, norms)."""
    weights = [p for net in nets for p in net.parameters()]
    return _adamw([p for p in weights if p.ndim > 1], [p for p in weights if p.ndim <= 1], rate, decay, device)


def muon_and_adamw(nets: list[Any], rate: float, decay: float, device: torch.device) -> Any:
    """Muon for the matrices and convolutions between the first and the last layer, AdamW for the rest."""
    hidden: list[Any] = []
    outer: list[Any] = []
    vectors: list[Any] = []
    for net in nets:
        for name, weight in net.named_parameters():
            ends = any(part in name for part in ("conv_in.", "conv_out.", "_embedding.weight"))
            (vectors if weight.ndim <= 1 else outer if ends else hidden).append(weight)
    return CombinedOptimiser(Muon(hidden, lr=rate, weight_decay=decay), _adamw(outer, vectors, rate, decay, device))


def _adamw(matrices: list[Any], vectors: list[Any], rate: float, decay: float, device: torch.device) -> Any:
    groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99), fused=device.type in ("cpu", "cuda"))


def set_rate(optimiser: Any, rate: float) -> None:
    """Set the learning rate of all groups."""
    for group in optimiser.param_groups:
        group["lr"] = rate
