"""Samplers: each reads like its equation, yields queries for estimates, and knows no model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch

from overpaint.engines.diffusion.values import SamplerRun

from .context import NO_CHURN, Churn, SamplerContext
from .dpm_solver import dpm_adaptive, dpm_fast
from .first_order import ddim, ddim_cfg_pp, euler, euler_a, euler_cfg_pp, lcm, tcd
from .multistep import dpmpp_2m, dpmpp_2m_sde, dpmpp_2m_sde_heun, dpmpp_3m_sde, lms, pndm, unipc
from .restart import restart
from .second_order import dpm2, dpm2_a, heun
from .single_step import dpmpp_2s_a, dpmpp_sde

Sampler = Callable[[torch.Tensor, SamplerContext], SamplerRun]

_ALL = (
    *(euler, euler_a, heun, lms, dpm2, dpm2_a, dpmpp_2m, dpmpp_2m_sde, dpmpp_3m_sde, dpmpp_sde, dpmpp_2s_a),
    *(dpm_fast, dpm_adaptive, restart, ddim, ddim_cfg_pp, euler_cfg_pp, pndm, unipc, lcm, tcd),
    dpmpp_2m_sde_heun,
)

SAMPLERS: Mapping[str, Sampler] = MappingProxyType({one.__name__: one for one in _ALL})
"""Samplers by canonical name; `names.parse_sampler` knows their other names."""

__all__ = ["NO_CHURN", "SAMPLERS", "Churn", "Sampler", "SamplerContext"]
