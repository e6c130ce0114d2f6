"""A pool of encoded scenes: making and encoding a scene costs more than a training step on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Generator, Tensor


@dataclass(frozen=True, slots=True, eq=False)
class EncodedScenes:
    """Scenes as the denoiser sees them, a row each.

    Attributes:
        clean: (n, c, h, w) scaled latents of the pictures.
        known: (n, c, h, w) scaled latents of the pictures with their holes grey.
        hole: (n, 1, h, w), 1 where to repaint.
        ids: (n, length) int64 token ids of the prompts.
    """

    clean: Tensor
    known: Tensor
    hole: Tensor
    ids: Tensor

    def __len__(self) -> int:
        return len(self.clean)

    def rows(self, which: Tensor) -> EncodedScenes:
        """The scenes at indices (k,) int64, in that order, repeats included; latents and holes in float32."""
        return EncodedScenes(
            self.clean[which].float(), self.known[which].float(), self.hole[which].float(), self.ids[which].long()
        )


class ScenePool:
    """Ring buffer of the latest scenes: new ones overwrite the oldest."""

    def __init__(self, make: Callable[[int], EncodedScenes], *, capacity: int, chunk: int = 1024) -> None:
        """Empty.

        Args:
            make: Makes n scenes.
            capacity: Largest number of scenes: 9 KB each at 24x24 latents of 4 channels in half precision.
            chunk: Number of scenes made in one call, which costs less than single calls.
        """
        self._make, self._capacity, self._chunk = make, capacity, min(chunk, capacity)
        self._stored: EncodedScenes | None = None
        self._count = self._next = self._pending = 0

    def __len__(self) -> int:
        return self._count

    def draw(self, n: int, *, fresh: int, generator: Generator) -> EncodedScenes:
        """n scenes at random, with replacement.

        Args:
            n: Rows.
            fresh: New scenes that this draw adds; they are made once they fill a chunk.
            generator: Random source on the scenes' device.
        """
        self._pending += fresh
        while self._stored is None or self._pending >= self._chunk:
            self._add(self._make(self._chunk))
            self._pending -= self._chunk
        which = torch.randint(self._count, (n,), device=self._stored.clean.device, generator=generator)
        return self._stored.rows(which)

    def _add(self, made: EncodedScenes) -> None:
        if self._stored is None:
            dtypes = {"clean": torch.float16, "known": torch.float16, "hole": torch.bool, "ids": torch.int32}
            parts = {part.name: getattr(made, part.name) for part in fields(made)}
            buffers = {
                name: torch.empty(self._capacity, *value.shape[1:], dtype=dtypes[name], device=value.device)
                for name, value in parts.items()
            }
            self._stored = EncodedScenes(**buffers)
        places = (torch.arange(len(made), device=made.clean.device) + self._next) % self._capacity
        for part in fields(made):
            buffer = getattr(self._stored, part.name)
            buffer[places] = getattr(made, part.name).to(buffer.dtype)
        self._next = (self._next + len(made)) % self._capacity
        self._count = min(self._capacity, self._count + len(made))
