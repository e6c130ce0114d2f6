"""The precision of fast matrix products on a device."""

from __future__ import annotations

import torch


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 on GPUs and on processors with instructions for it; else float32, since without them a row of the
    denoiser's training took minutes in bfloat16.
    """
    supported = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.float32 if device.type == "cpu" and not supported else torch.bfloat16
