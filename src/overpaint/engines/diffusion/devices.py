"""Devices: which there are, the number type of networks on each, and the memory that is left."""

from __future__ import annotations

import torch

from overpaint.engines.weight_store import available_memory, total_memory
from overpaint.errors import EngineError

NARROW = 128
"""Channels of a network's first level below which it takes one thread of a CPU, and bf16 only where there is AMX."""


def device_of(name: str) -> torch.device:
    """The device of a name; "auto" is a GPU where there is one.

    Raises:
        EngineError: The machine has no such device.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device("cuda" if present["cuda"] else "mps" if present["mps"] else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or not present.get(device.type, False):
        raise EngineError(
            f"this machine has no device {name!r}",
            code="device-missing",
            field="device",
            value=name,
            hint=f"auto, or one of: {', '.join(one for one, here in present.items() if here)}",
        )
    return device


def usual_dtype(device: torch.device, width: int = 320) -> torch.dtype:
    """The type for a network with so many channels at its first level.

    On a GPU fp16, in which checkpoints are published, and which rounds eight times finer than bf16; what overflows in
    it is calculated again in single precision. On a CPU bf16 where the CPU has instructions for it; networks narrower
    than `NARROW` only with AMX. The choice follows from the CPU's features alone, so that it is the same in every run.
    """
    if device.type == "cuda":
        return torch.float16
    if device.type == "cpu":
        amx = torch.cpu._is_amx_tile_supported()
        if amx or (width >= NARROW and torch.cpu._is_avx512_bf16_supported()):
            return torch.bfloat16
    return torch.float32


def memory_left(device: torch.device) -> int | None:
    """Bytes of memory that the device has left; None where that is unknown."""
    if device.type == "cuda":
        # What torch's allocator holds without use, after calls of networks, is there for the next tensors.
        unused: int = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + unused)
    return available_memory() if device.type == "cpu" else None


def memory_in_all(device: torch.device) -> int | None:
    """Bytes of memory of a device; None where that is unknown."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[1])
    return total_memory() if device.type == "cpu" else None
