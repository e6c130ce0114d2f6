"""How many bytes of a device's memory a model takes, counted from its tensors' shapes, and what therefore takes turns.

The tensors of each network's call are counted on torch's meta device, where nothing is calculated. What a device's own
libraries need beside tensors (programs, buffers of convolutions) is not counted: `SPARE` leaves room for it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from overpaint.geometry import Size

from .blocks import blocks_of
from .caches import bytes_of
from .clip import ClipText
from .families import Family
from .memory_count import peak_bytes
from .vae_strips import STRIP_BYTES, StripVae, in_strips, strip_bytes
from .values import LoadedModel

Memory = Literal["whole", "model", "block"]

SPARE = 0.1
"""Share of the free memory that stays free."""

ROWS = 2
"""Rows of one picture with guidance: prompt and negative prompt."""


@dataclass(frozen=True, slots=True)
class PartBytes:
    """Bytes of one stage: text encoders, autoencoder, or the network that predicts.

    Attributes:
        weights: Of all its weights.
        blocks: Of the weights that are on the device at once where blocks take turns: two blocks, and all that is in
            none.
        call: Of the tensors that a call makes, with one row.
        row: Of each further row.
    """

    weights: int
    blocks: int
    call: int
    row: int = 0


@dataclass(frozen=True, slots=True)
class ModelBytes:
    """Bytes of a model for canvases of one area.

    Attributes:
        text: The text encoders.
        vae: The autoencoder as a whole.
        strips: Of the tensors of the autoencoder in strips.
        network: The network that predicts.
        area: Pixels of the canvas that calls were counted for. They grow with the area.
    """

    text: PartBytes
    vae: PartBytes
    strips: int
    network: PartBytes
    area: int

    def peak(self, memory: Memory, *, rows: int = ROWS, area: int | None = None) -> int:
        """The most bytes on the device at once.

        Args:
            memory: What is on the device at a time (`Placement`).
            rows: Rows of a network call.
            area: Pixels of the canvas; None: those that were counted for.
        """
        factor = (area or self.area) / self.area
        calls = (
            self.text.call,
            int((self.vae.call if memory == "whole" else self.strips) * factor),
            int((self.network.call + (rows - 1) * self.network.row) * factor),
        )
        return max(one + call for one, call in zip(self._weights(memory), calls, strict=True))

    def _weights(self, memory: Memory) -> tuple[int, int, int]:
        """Bytes of the weights that are on the device while a text, a picture and a step are calculated."""
        parts = self.text, self.vae, self.network
        if memory == "whole":
            whole = sum(one.weights for one in parts)
            return whole, whole, whole
        if memory == "model":
            return self.text.weights, self.vae.weights, self.network.weights
        return self.text.blocks, self.vae.weights, self.network.blocks

    def choice(self, free: int, *, area: int | None = None) -> Memory:
        """The fastest way that fits into so many bytes; blocks where none does."""
        room = int(free * (1 - SPARE))
        ways: tuple[Memory, ...] = ("whole", "model")
        return next((one for one in ways if self.peak(one, area=area) <= room), "block")

    def rows(self, memory: Memory, free: int, *, area: int | None = None) -> int:
        """How many rows of a network call fit into so many bytes; 1 at least."""
        factor = (area or self.area) / self.area
        left = free * (1 - SPARE) - self._weights(memory)[2] - self.network.call * factor
        return 1 + max(0, int(left / max(1.0, self.network.row * factor)))


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """How a model uses a device.

    Attributes:
        memory: What is on the device at a time.
        free: Bytes that the device had before; None: unknown.
        counted: What the model takes; None: unknown.
    """

    memory: Memory
    free: int | None = None
    counted: ModelBytes | None = None

    @property
    def weights_room(self) -> int | None:
        """Bytes for the weights of one network beside the tensors of its call."""
        if self.free is None or self.counted is None:
            return None
        one = self.counted.network
        return int(self.free * (1 - SPARE)) - one.call - (ROWS - 1) * one.row

    def rows(self, area: int) -> int:
        """The most rows of a network call on canvases of so many pixels."""
        if self.free is None or self.counted is None:
            return 1 << 30
        return self.counted.rows(self.memory, self.free, area=area)


def plan_of(model: LoadedModel, size: Size, free: int | None, memory: Memory | Literal["auto"] = "auto") -> MemoryPlan:
    """The plan for a device with so many bytes free; all of the model is there where that is unknown.

    Args:
        model: With its networks, on any device.
        size: Of the canvas.
        free: Bytes; None: unknown.
        memory: A way that was chosen, or "auto".
    """
    counted = None
    if free is not None:
        counted = counted_bytes(model.family, model.network, model.vae, model.text_encoders, size)
    if memory == "auto":
        memory = "whole" if counted is None or free is None else counted.choice(free)
    return MemoryPlan(memory, free, counted)


def counted_bytes(family: Family, network: Any, vae: Any, encoders: tuple[Any, ...], size: Size) -> ModelBytes | None:
    """The bytes of a model for canvases of a size; None for a family that gives no example of a call.

    Args:
        family: How the networks are called.
        network: What predicts, on any device.
        vae: The autoencoder.
        encoders: The text encoders.
        size: Of the canvas.
    """
    example = family.example_input(network, size, ROWS)
    if example is None:
        return None
    shaped, vae_shaped = _shapes_of(network), _shapes_of(vae)

    row = peak_bytes(lambda: family.predict(shaped, example)) // ROWS  # all of a call's tensors have rows
    cells = (1, vae.config["latent_channels"], size.height // family.cell, size.width // family.cell)
    whole = peak_bytes(lambda: family.decode(vae_shaped, torch.empty(cells, device="meta")))
    strips = whole
    if isinstance(in_strips(vae), StripVae):
        strips = min(whole, strip_bytes(vae, size.area) + 6 * STRIP_BYTES)
    text = max((_text_bytes(one) for one in encoders if isinstance(one, ClipText)), default=0)
    return ModelBytes(
        PartBytes(sum(map(_weights, encoders)), sum(map(_blocks, encoders)), text),
        PartBytes(_weights(vae), _weights(vae), whole),
        strips,
        PartBytes(_weights(network), _blocks(network), row, row),
        size.area,
    )


def _text_bytes(encoder: ClipText) -> int:
    """Bytes of the tensors of one chunk of text."""
    shaped, tokens = _shapes_of(encoder), min(77, encoder.config.max_position_embeddings)
    return peak_bytes(lambda: shaped(torch.zeros((1, tokens), dtype=torch.long, device="meta")))


def _tensors(network: Any) -> list[torch.Tensor]:
    return [*network.parameters(), *network.buffers()]


def _weights(network: Any) -> int:
    return bytes_of(*_tensors(network))


def _blocks(network: Any) -> int:
    sizes = sorted(_weights(one) for one in blocks_of(network))
    return _weights(network) - sum(sizes[:-2])


def _shapes_of(network: Any) -> Any:
    """The network on the meta device: shapes and types without memory."""
    empty: dict[int, torch.Tensor] = {}
    for one in _tensors(network):
        made = torch.empty_like(one, device="meta")
        empty[id(one)] = nn.Parameter(made, requires_grad=False) if isinstance(one, nn.Parameter) else made
    return copy.deepcopy(network, empty)
