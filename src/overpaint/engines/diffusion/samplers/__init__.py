"""Samplers: each reads like its equation, yields queries for estimates, and knows no model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch

from overpaint.engines.diffusion.values import SamplerRun

from .context import SamplerContext
from .first_order import ddim, euler, euler_a, lcm, tcd
from .multistep import dpmpp_2m, dpmpp_2m_sde, lms, pndm, unipc
from .second_order import dpm2, dpm2_a, heun

Sampler = Callable[[torch.Tensor, SamplerContext], SamplerRun]

_ALL = (euler, euler_a, heun, lms, dpm2, dpm2_a, dpmpp_2m, dpmpp_2m_sde, ddim, pndm, unipc, lcm, tcd)

SAMPLERS: Mapping[str, Sampler] = MappingProxyType({one.__name__: one for one in _ALL})
"""Samplers by canonical name; `names.parse_sampler` knows their other names."""

ETA_SAMPLERS = frozenset({"euler_a", "dpm2_a", "dpmpp_2m_sde", "ddim", "tcd"})
"""Samplers that renew a share `eta` of the noise at each step."""

__all__ = ["ETA_SAMPLERS", "SAMPLERS", "Sampler", "SamplerContext"]
