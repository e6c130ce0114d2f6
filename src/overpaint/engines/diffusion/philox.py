"""Random numbers of a GPU of NVIDIA on the CPU: Philox4x32-10 (Salmon et al. 2011) with Box and Muller's sine.

torch on a GPU draws normal numbers so; the counters are those of spec/inpaint-settings.md 1, "RNG source".
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_INCREMENTS = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


class PhiloxGenerator:
    """A stream of standard normal numbers of a seed. Each call takes the next counter."""

    def __init__(self, seed: int) -> None:
        """Start at the counter 0. `seed`: 0 to 2**64 - 1."""
        self._key = (seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF)
        self._calls = 0

    def normal(self, shape: tuple[int, ...]) -> torch.Tensor:
        """The next numbers, float32, in row-major order."""
        a, b = philox(self._calls, math.prod(shape), self._key)
        self._calls += 1
        u = a * 2.0**-32 + 2.0**-33
        v = (b * 2.0**-32 + 2.0**-33) * (2 * math.pi)
        drawn = np.sqrt(-2 * np.log(u)) * np.sin(v)
        return torch.from_numpy(drawn.astype(np.float32).reshape(shape))


def philox(call: int, count: int, key: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The first two words of Philox4x32-10 for the counters (call, 0, index, 0), for so many indices from 0."""
    index = np.arange(count, dtype=np.uint64)
    counter = [np.full(count, call, np.uint64), np.zeros(count, np.uint64), index, np.zeros(count, np.uint64)]
    first, second = key
    for _ in range(_ROUNDS):
        low, high = (counter[2 * k] * _MULTIPLIERS[k] for k in range(2))
        counter = [
            (high >> _HALF) ^ counter[1] ^ np.uint64(first),
            high & _LOW,
            (low >> _HALF) ^ counter[3] ^ np.uint64(second),
            low & _LOW,
        ]
        first, second = (first + _INCREMENTS[0]) & 0xFFFFFFFF, (second + _INCREMENTS[1]) & 0xFFFFFFFF
    return counter[0].astype(np.float64), counter[1].astype(np.float64)
