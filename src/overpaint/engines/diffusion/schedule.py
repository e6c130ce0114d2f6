"""Noise levels of training, and of the steps that a picture is sampled in.

A schedule of n steps has n + 1 levels sigma, descending; step i leads from level i to level i + 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from overpaint.errors import RequestError

Levels = NDArray[np.float64]

KARRAS_RHO = 7.0
"""Karras et al. 2022, table 1."""

BETA_SHAPE = 0.6
"""Both shape parameters of Lee et al. 2024 (arXiv 2407.12173)."""


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """The noise levels that a network was trained on.

    Attributes:
        sigmas: (T,) noise levels sqrt((1 - a) / a), ascending.
        aligned: Descending levels that were found best for the networks (Sabour et al. 2024, arXiv 2404.14507); () for
            networks without published ones.
    """

    sigmas: Levels
    aligned: tuple[float, ...] = ()

    @staticmethod
    def of(config: Mapping[str, Any] | None = None) -> Training:
        """The levels of a scheduler's config; keys that are missing have Stable Diffusion's values.

        Keys: num_train_timesteps, beta_start, beta_end, beta_schedule ("scaled_linear", "linear",
        "squaredcos_cap_v2"), trained_betas and rescale_betas_zero_snr.
        """
        config = config or {}
        steps = int(config.get("num_train_timesteps", 1000))
        start, end = float(config.get("beta_start", 0.00085)), float(config.get("beta_end", 0.012))
        kind = config.get("beta_schedule", "scaled_linear")
        zero_snr = bool(config.get("rescale_betas_zero_snr", False))
        # In float32, as diffusers has them: 1 - a is small, so that its rounding matters.
        if (trained := config.get("trained_betas")) is not None:
            betas = torch.tensor([float(beta) for beta in trained], dtype=torch.float32)
        elif kind == "scaled_linear":
            betas = torch.linspace(start**0.5, end**0.5, steps, dtype=torch.float32) ** 2
        elif kind == "linear":
            betas = torch.linspace(start, end, steps, dtype=torch.float32)
        elif kind == "squaredcos_cap_v2":  # Nichol and Dhariwal 2021 (arXiv 2102.09672), equation 17

            def bar(t: float) -> float:
                return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2

            betas = torch.tensor([min(1 - bar((i + 1) / steps) / bar(i / steps), 0.999) for i in range(steps)])
        else:
            raise RequestError(f"beta_schedule must be scaled_linear, linear or squaredcos_cap_v2, not {kind!r}")
        if zero_snr:
            betas = _zero_terminal_snr(betas)
        alphas = torch.cumprod(1.0 - betas, dim=0)
        if zero_snr:
            alphas[-1] = 2**-24  # keeps the last sigma finite
        levels = alphas.double()
        return Training(((1 - levels) / levels).sqrt().numpy())

    @staticmethod
    def flow(steps: int = 1000, shift: float = 1.0) -> Training:
        """Levels of flow matching, x = (1 - s) x0 + s noise, whose sigma is s / (1 - s).

        Args:
            steps: Training times; s rises evenly to 1, which stands for a sigma of 10,000 here.
            shift: Moves the levels towards noise: s becomes shift s / (1 + (shift - 1) s) (Esser et al. 2024,
                arXiv 2403.03206, section 5.3.2).
        """
        s = np.arange(1, steps + 1) / steps
        s = np.minimum(shift * s / (1 + (shift - 1) * s), 1 - 1e-4)
        return Training(s / (1 - s))

    @property
    def steps(self) -> int:
        """Number of training times."""
        return len(self.sigmas)

    def sigma(self, t: float) -> float:
        """The noise level of a training time, linear between whole times; 0 at -1, one before the first."""
        return float(self.levels(np.array(t)))

    def levels(self, times: NDArray[Any]) -> Levels:
        """The noise levels of training times, as `sigma`."""
        return np.asarray(np.interp(times, np.arange(-1, self.steps), np.concatenate([[0.0], self.sigmas])))

    def time(self, sigma: float) -> float:
        """The training time of a noise level, 0 to T - 1, linear in log sigma between whole times.

        The logarithms are rounded to single precision as in diffusers: some of its schedulers cut the time down to a
        whole number, where 998.99999 becomes 998.
        """
        logs = np.log(self.sigmas.astype(np.float32)).astype(np.float64)
        return float(np.interp(math.log(max(sigma, 1e-10)), logs, np.arange(self.steps)))


def _zero_terminal_snr(betas: torch.Tensor) -> torch.Tensor:
    """Betas changed so that the last training time is pure noise (Lin et al. 2024, arXiv 2305.08891, algorithm 1)."""
    root = torch.cumprod(1.0 - betas, dim=0).sqrt()
    root = (root - root[-1]) * (root[0] / (root[0] - root[-1]))
    bar = root**2
    return 1 - torch.cat([bar[:1], bar[1:] / bar[:-1]])


@dataclass(frozen=True, slots=True)
class Interval:
    """One step between noise levels.

    Attributes:
        step: Its number, from 0 at the picture's first step.
        index: Its number, from 0 at the start of the whole schedule.
        sigma: The level at its start.
        time: The training time of `sigma`, which the network is given.
        target: The level at its end.
    """

    step: int
    index: int
    sigma: float
    time: float
    target: float


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """The noise levels of one picture.

    Attributes:
        training: The network's own levels.
        sigmas: n + 1 levels, descending.
        times: n training times, one for each step.
        begin: The first step that is taken: diffusers' strength leaves the earlier ones out; 0 in native schedules.
        targets: n levels that DDIM and PLMS step to, where diffusers' differ from the next step's level; None: equal.
        stride: Of PLMS in the dialect diffusers: training times in a step. The second time occurs twice in `times` and
            `sigmas` then, as PLMS makes two queries there. None elsewhere.
        noise_scale: Factor of the first noise; None: the level that the picture starts at.
        pure: Whether the picture starts as noise alone, without content (diffusers at strength 1).
        preserving: Whether the result is the variance-preserving latent of the last level, which differs from x when
            that level is not 0 (diffusers' DDIM, PNDM and TCD).
    """

    training: Training
    sigmas: tuple[float, ...]
    times: tuple[float, ...]
    begin: int = 0
    targets: tuple[float, ...] | None = None
    stride: int | None = None
    noise_scale: float | None = None
    pure: bool = False
    preserving: bool = False

    @property
    def steps(self) -> int:
        """Number of steps that are taken."""
        queries = len(self.times) - self.begin
        return queries - 1 if self.stride and queries > 1 else queries

    @property
    def start(self) -> float:
        """The level that the picture starts at; 0 for a schedule without steps."""
        return self.sigmas[self.begin] if self.times else 0.0

    def intervals(self) -> Iterator[Interval]:
        """The steps from `begin` on."""
        targets = self.targets or self.sigmas[1:]
        for index in range(self.begin, len(self.times)):
            yield Interval(index - self.begin, index, self.sigmas[index], self.times[index], targets[index])


def karras_levels(high: float, low: float, steps: int, rho: float = KARRAS_RHO) -> Levels:
    """Even in sigma^(1/rho) (Karras et al. 2022, equation 5)."""
    root = np.linspace(high ** (1 / rho), low ** (1 / rho), steps)
    return np.asarray(root**rho)


def exponential_levels(high: float, low: float, steps: int) -> Levels:
    """Even in log sigma."""
    return np.exp(np.linspace(math.log(high), math.log(low), steps))


def beta_quantiles(at: Levels) -> Levels:
    """Quantiles of the beta distribution of Lee et al. 2024."""
    from scipy.special import betaincinv

    return np.asarray(betaincinv(BETA_SHAPE, BETA_SHAPE, at), dtype=np.float64)
