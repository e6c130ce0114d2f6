"""The latent diffusion eraser (LDM): three TorchScript programs and a sampler.

Rombach et al., High-resolution image synthesis with latent diffusion models, CVPR 2022. The noise schedule is that of
its inpainting model; the sampler is PLMS (Liu, Ren, Lin, Zhao, Pseudo numerical methods for diffusion models on
manifolds, ICLR 2022), whose weights are those of Adams and Bashforth.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .network import OnStep

STEPS = 20
_TIMES = 1000
_BETAS = 0.0015, 0.0205  # the first and the last of the schedule
_ADAMS_BASHFORTH = ((1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))
"""Weights of the newest estimate and those before it."""


class ScriptedLatentDiffusion:
    """diffusion(x, embedded time, condition) -> noise; encode(picture in [-1, 1]) -> latent; decode(latent) -> picture.

    The condition is the latent of the picture with a grey hole, and the hole in [-1, 1] at the latent's size.
    """

    sees_whole = True

    def __init__(self, diffusion: Any, encode: Any, decode: Any) -> None:
        self.diffusion, self.encode, self.decode = diffusion, encode, decode
        betas = torch.linspace(_BETAS[0] ** 0.5, _BETAS[1] ** 0.5, _TIMES, dtype=torch.float64) ** 2
        self.kept = torch.cumprod(1 - betas, dim=0)  # the share of the picture's variance at each time

    def __call__(self, picture: Tensor, hole: Tensor, seed: int, on_step: OnStep) -> Tensor:
        """As `EraserNetwork`; the noise follows from the seed."""
        latent = self.encode(2 * picture * (1 - hole) - 1)
        small = functional.interpolate(2 * hole - 1, size=latent.shape[-2:])
        condition = torch.cat((latent, small), dim=1)
        noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed)).to(latent.device)
        found: Tensor = self.decode(self._sampled(noise, condition, on_step))
        return (found + 1) / 2

    def _sampled(self, x: Tensor, condition: Tensor, on_step: OnStep) -> Tensor:
        """From noise to a latent, in steps that are equal in time."""
        times = [time + 1 for time in range(0, _TIMES, _TIMES // STEPS)][::-1]
        before: list[Tensor] = []
        for step, time in enumerate(times):
            here = float(self.kept[time])
            there = float(self.kept[times[step + 1]] if step + 1 < len(times) else self.kept[0])
            noise = self._noise(x, time, condition)
            before = [noise, *before[:3]]
            if step == 0:  # nothing before it: the mean of the slopes at both ends of the step
                following = times[min(1, len(times) - 1)]
                noise = (noise + self._noise(_moved(x, noise, here, there), following, condition)) / 2
            else:
                weights = _ADAMS_BASHFORTH[len(before) - 1]
                noise = sum((weight * one for weight, one in zip(weights, before, strict=True)), torch.zeros_like(x))
            x = _moved(x, noise, here, there)
            on_step(step + 1, len(times))
        return x

    def _noise(self, x: Tensor, time: int, condition: Tensor) -> Tensor:
        found: Tensor = self.diffusion(x, embedded(time).to(x.device), condition)
        return found


def _moved(x: Tensor, noise: Tensor, here: float, there: float) -> Tensor:
    """x at another time, if it consists of this noise and a picture (DDIM's step)."""
    picture = (x - math.sqrt(1 - here) * noise) / math.sqrt(here)
    return math.sqrt(there) * picture + math.sqrt(1 - there) * noise


def embedded(time: int, width: int = 256) -> Tensor:
    """(1, width): cosines and sines of a time at falling frequencies."""
    half = width // 2
    frequencies = torch.exp(-math.log(10_000) * torch.arange(half, dtype=torch.float32) / half)
    angles = time * frequencies
    return torch.cat((angles.cos(), angles.sin()))[None]
