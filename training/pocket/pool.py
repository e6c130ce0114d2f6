"""Encoded scenes kept to draw from: to make and to encode one costs more than the step that learns from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Generator, Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
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

    def rows(self, which: Tensor) -> Encoded:
        """The scenes of these numbers (k,) int64, in this order, once more where one is there twice; in float32."""
        return Encoded(
            self.clean[which].float(), self.known[which].float(), self.hole[which].float(), self.ids[which].long()
        )


class Pool:
    """The latest scenes, in a ring: new ones take the place of the oldest."""

    def __init__(self, make: Callable[[int], Encoded], *, capacity: int, chunk: int = 1024) -> None:
        """Empty.

        Args:
            make: Makes n scenes.
            capacity: Most scenes kept: 9 KB each at 24x24 latents of 4 channels, since they are kept in half precision.
            chunk: How many are made at a time, which costs less than one by one.
        """
        self._make, self._capacity, self._chunk = make, capacity, min(chunk, capacity)
        self._kept: Encoded | None = None
        self._count = self._next = self._owed = 0

    def __len__(self) -> int:
        return self._count

    def draw(self, n: int, *, fresh: int, generator: Generator) -> Encoded:
        """n scenes at random, some perhaps twice.

        Args:
            n: Rows.
            fresh: So many new scenes are owed by this draw; they are made once a whole chunk is owed.
            generator: Source of chance, on the scenes' device.
        """
        self._owed += fresh
        while self._kept is None or self._owed >= self._chunk:
            self._add(self._make(self._chunk))
            self._owed -= self._chunk
        which = torch.randint(self._count, (n,), device=self._kept.clean.device, generator=generator)
        return self._kept.rows(which)

    def _add(self, made: Encoded) -> None:
        if self._kept is None:
            kinds = {"clean": torch.float16, "known": torch.float16, "hole": torch.bool, "ids": torch.int32}
            parts = {part.name: getattr(made, part.name) for part in fields(made)}
            rooms = {
                name: torch.empty(self._capacity, *value.shape[1:], dtype=kinds[name], device=value.device)
                for name, value in parts.items()
            }
            self._kept = Encoded(**rooms)
        places = (torch.arange(len(made), device=made.clean.device) + self._next) % self._capacity
        for part in fields(made):
            room = getattr(self._kept, part.name)
            room[places] = getattr(made, part.name).to(room.dtype)
        self._next = (self._next + len(made)) % self._capacity
        self._count = min(self._capacity, self._count + len(made))
