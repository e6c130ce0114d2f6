"""Noise of one picture, drawn on the CPU, so that a seed gives the same noise on every device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import torch

from .philox import PhiloxGenerator
from .values import NoiseLike

NoiseSource = Literal["cpu", "nv"]
"""torch's generator of the CPU, or the numbers that torch draws on a GPU of NVIDIA."""


class NormalNumbers(Protocol):
    """A stream of standard normal numbers."""

    def normal(self, shape: tuple[int, ...]) -> torch.Tensor:
        """The next numbers, float32 on the CPU."""


class CpuNumbers:
    """The numbers of torch's generator of the CPU."""

    def __init__(self, seed: int) -> None:
        """Start from a seed, 0 to 2**63 - 1."""
        self._generator = torch.Generator("cpu").manual_seed(seed)

    def normal(self, shape: tuple[int, ...]) -> torch.Tensor:
        """The next numbers."""
        return torch.randn(shape, generator=self._generator, dtype=torch.float32)


def numbers_of(source: NoiseSource, seed: int) -> NormalNumbers:
    """The stream of a seed."""
    return PhiloxGenerator(seed) if source == "nv" else CpuNumbers(seed)


class Noise:
    """Standard normal noise from a generator of one picture."""

    def __init__(self, seed: int | torch.Generator) -> None:
        """Start from a seed, 0 to 2**63 - 1, or from the state of a CPU generator."""
        self.generator = seed if isinstance(seed, torch.Generator) else torch.Generator("cpu").manual_seed(seed)
        self._ahead: torch.Tensor | None = None

    def draw_ahead(self, like: torch.Tensor) -> None:
        """Draw the next noise now, so that other draws from the generator come after it."""
        self._ahead = self(like)

    def __call__(self, like: torch.Tensor) -> torch.Tensor:
        """Noise of the shape and on the device of `like`, float32."""
        if self._ahead is not None:
            drawn, self._ahead = self._ahead, None
            return drawn
        drawn = torch.randn(tuple(like.shape), generator=self.generator, dtype=torch.float32)
        return drawn.to(like.device)


@dataclass(frozen=True, slots=True)
class SeedVariation:
    """How the first noise differs from that of its seed alone (spec/inpaint-settings.md 1, "Seeds").

    Attributes:
        seed: Of the noise that is mixed in.
        strength: 0 for the picture's own noise, 1 for the other.
        size: Width and height in cells of a smaller or larger noise that is centred in the first noise, so that a
            picture of another size looks alike; None for none.
        later: What is added to the seed for all noise after the first; 0 goes on with the same numbers.
    """

    seed: int = 0
    strength: float = 0.0
    size: tuple[int, int] | None = None
    later: int = 0


class VariedNoise:
    """Noise of one picture as AUTOMATIC1111 draws it: the first may be a variation, and later noise reseeded."""

    def __init__(self, seed: int, source: NoiseSource = "cpu", variation: SeedVariation = SeedVariation()) -> None:
        """Start from a seed, 0 to 2**63 - 1."""
        self._seed, self._source, self._variation = seed, source, variation
        self._numbers = numbers_of(source, seed)
        self._begun = False

    def __call__(self, like: torch.Tensor) -> torch.Tensor:
        """Noise of the shape (1, C, h, w) and on the device of `like`, float32."""
        shape = tuple(like.shape[1:])
        if self._begun:
            return self._numbers.normal(shape)[None].to(like.device)
        self._begun = True
        drawn = self._first((shape[0], shape[1], shape[2]))[None].to(like.device)
        if self._variation.later:
            self._numbers = numbers_of(self._source, self._seed + self._variation.later)
        return drawn

    def _first(self, shape: tuple[int, int, int]) -> torch.Tensor:
        variation = self._variation
        inner = shape if variation.size is None else (shape[0], variation.size[1], variation.size[0])
        resized = inner != shape
        own = numbers_of(self._source, self._seed).normal(inner) if resized else self._numbers.normal(shape)
        if variation.strength > 0:
            own = slerp(variation.strength, own, numbers_of(self._source, variation.seed).normal(inner))
        return centred(own, self._numbers.normal(shape)) if resized else own


def slerp(share: float, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Spherical interpolation of noise (C, h, w) as AUTOMATIC1111 has it, for each column over the rows.

    Where both are nearly parallel it is linear, and there `share` is that of `one`.
    """
    across = (one / one.norm(dim=1, keepdim=True)) * (other / other.norm(dim=1, keepdim=True))
    cosine = across.sum(dim=1)
    if cosine.mean() > 0.9995:
        return share * one + (1 - share) * other
    angle = torch.acos(cosine)
    whole = torch.sin(angle)
    first, second = torch.sin((1 - share) * angle) / whole, torch.sin(share * angle) / whole
    return first[:, None] * one + second[:, None] * other


def centred(inner: torch.Tensor, around: torch.Tensor) -> torch.Tensor:
    """`inner` (C, h', w') in the middle of `around` (C, h, w), cut where it is larger."""
    made = around.clone()
    here, there = [slice(None)], [slice(None)]
    for side, own in zip(around.shape[1:], inner.shape[1:], strict=True):
        before = (side - own) // 2
        length = own if before >= 0 else own + 2 * before
        here.append(slice(max(before, 0), max(before, 0) + length))
        there.append(slice(max(-before, 0), max(-before, 0) + length))
    made[tuple(here)] = inner[tuple(there)]
    return made


def scaled(noise: NoiseLike, factor: float) -> NoiseLike:
    """The same noise times a factor."""
    return noise if factor == 1 else lambda like: factor * noise(like)
