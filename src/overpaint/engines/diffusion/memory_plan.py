"""How many bytes of a device's memory a model takes with the ControlNets and IP-Adapters of a canvas, counted from its
tensors' shapes, and what therefore takes turns.

The tensors of each network's call are counted on torch's meta device, where nothing is calculated. What a device's own
libraries need beside tensors (programs, buffers of convolutions) is not counted: `SPARE` leaves room for it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from overpaint.geometry import Size

from .adapters import Adapter, tokens_of_pixels, with_pictures
from .blocks import blocks_of, trunk_of
from .clip import ClipText
from .control_networks import Guide
from .controls import ControlNetwork, Outputs, RowControl, residuals
from .copies import copy_with, network_bytes
from .families import Family
from .fp8_weights import fp8_saving
from .memory_count import peak_bytes
from .vae_strips import STRIP_BYTES, StripVae, in_strips, strip_bytes
from .values import LoadedModel, NetworkInput

Memory = Literal["whole", "model", "block"]

_WAYS: tuple[Memory, ...] = ("whole", "model", "block")

SPARE = 0.1
"""Share of the free memory that stays free."""

ROWS = 2
"""Rows of one picture with guidance: prompt and negative prompt."""


@dataclass(frozen=True, slots=True)
class PartBytes:
    """Bytes of one stage: encoders of texts or pictures, autoencoder, or the network that predicts.

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
        network: The network that predicts, with the ControlNets and the layers of IP-Adapters.
        area: Pixels of the canvas that calls were counted for. They grow with the area.
        pictures: The picture encoders of IP-Adapters.
        guides: Of `network` and `pictures`, the weights of ControlNets and IP-Adapters.
        changed: Weights that LoRAs change. Where all networks are on the device, they are there twice.
    """

    text: PartBytes
    vae: PartBytes
    strips: int
    network: PartBytes
    area: int
    pictures: PartBytes = PartBytes(0, 0, 0)
    guides: int = 0
    changed: int = 0

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
            self.pictures.call,
        )
        return max(one + call for one, call in zip(self._weights(memory), calls, strict=True))

    def _weights(self, memory: Memory) -> tuple[int, int, int, int]:
        """Bytes of the weights that are on the device while a text, a canvas, a step and a reference picture are
        calculated."""
        text, vae, network, pictures = self.text, self.vae, self.network, self.pictures
        if memory == "whole":
            whole = text.weights + vae.weights + network.weights + pictures.weights + self.changed
            return whole, whole, whole, whole
        if memory == "model":
            return text.weights, vae.weights, network.weights, pictures.weights
        return text.blocks, vae.weights, network.blocks, pictures.blocks

    def choice(self, free: int, *, area: int | None = None) -> Memory:
        """The fastest way that fits into so many bytes; blocks where none does."""
        room = int(free * (1 - SPARE))
        return next((one for one in _WAYS if self.peak(one, area=area) <= room), "block")

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
        guides: The keys of the ControlNets and IP-Adapters that were counted.
    """

    memory: Memory
    free: int | None = None
    counted: ModelBytes | None = None
    guides: frozenset[Hashable] = frozenset()

    @property
    def weights_room(self) -> int | None:
        """Bytes for the weights of one network beside the tensors of its call."""
        if self.free is None or self.counted is None:
            return None
        one = self.counted.network
        return int(self.free * (1 - SPARE)) - one.call - (ROWS - 1) * one.row

    @property
    def guides_room(self) -> int | None:
        """Bytes for the weights of ControlNets and IP-Adapters that may stay on the device; None: any, or unknown."""
        if self.memory != "whole" or self.free is None or self.counted is None:
            return None
        return int(self.free * (1 - SPARE)) - self.counted.peak("whole") + self.counted.guides

    def rows(self, area: int) -> int:
        """The most rows of a network call on canvases of so many pixels."""
        if self.free is None or self.counted is None:
            return 1 << 30
        return self.counted.rows(self.memory, self.free, area=area)

    def with_changed(self, changed: int) -> MemoryPlan:
        """The plan with so many bytes of weights that a canvas's LoRAs change, or as many as were counted before."""
        if self.counted is None or changed <= self.counted.changed:
            return self
        return replace(self, counted=replace(self.counted, changed=changed))

    def within(self, area: int) -> MemoryPlan:
        """The plan itself, or one with less on the device at a time where a canvas of so many pixels needs that."""
        if self.free is None or self.counted is None:
            return self
        found = self.counted.choice(self.free, area=area)
        return replace(self, memory=found) if _WAYS.index(found) > _WAYS.index(self.memory) else self


def plan_of(
    model: LoadedModel,
    size: Size,
    free: int | None,
    memory: Memory | Literal["auto"] = "auto",
    guides: Sequence[Guide] = (),
    changed: int = 0,
) -> MemoryPlan:
    """The plan for a device with so many bytes free; all of the model is there where that is unknown.

    Args:
        model: With its networks, on any device.
        size: Of the canvas.
        free: Bytes; None: unknown.
        memory: A way that was chosen, or "auto".
        guides: The canvas's ControlNets and IP-Adapters, for each of its controls the one that reads it.
        changed: Bytes of the weights that its LoRAs change.
    """
    counted = None
    if free is not None:
        counted = counted_bytes(model.family, model.network, model.vae, model.text_encoders, size, guides)
        counted = None if counted is None else replace(counted, changed=changed)
    if memory == "auto":
        memory = "whole" if counted is None or free is None else counted.choice(free)
    return MemoryPlan(memory, free, counted, frozenset(one.key for one in guides))


def counted_bytes(
    family: Family, network: Any, vae: Any, encoders: tuple[Any, ...], size: Size, guides: Sequence[Guide] = ()
) -> ModelBytes | None:
    """The bytes of a model for canvases of a size; None for a family that gives no example of a call.

    Args:
        family: How the networks are called.
        network: What predicts, on any device.
        vae: The autoencoder.
        encoders: The text encoders.
        size: Of the canvas.
        guides: See `plan_of`.
    """
    example = family.example_input(network, size, ROWS)
    if example is None:
        return None
    shapes = _Shapes()
    vae_shaped = shapes.of(vae)
    adapters = [shapes.of_adapter(one) for one in guides if isinstance(one, Adapter)]
    controls = [replace(one, network=shapes.of(one.network)) for one in guides if isinstance(one, ControlNetwork)]
    shaped = family.adapted(shapes.of(network), adapters) if adapters else shapes.of(network)
    given = _with_tokens(example, adapters)

    call = peak_bytes(lambda: family.predict(shaped, replace(given, residuals=_added(family, given, controls, size))))
    row = call // ROWS  # all of a call's tensors have rows
    cells = (1, vae.config["latent_channels"], size.height // family.cell, size.width // family.cell)
    whole = peak_bytes(lambda: family.decode(vae_shaped, torch.empty(cells, device="meta")))
    strips = whole
    if isinstance(in_strips(vae), StripVae):
        strips = min(whole, strip_bytes(vae, size.area) + 6 * STRIP_BYTES)
    text = max((_text_bytes(one) for one in encoders if isinstance(one, ClipText)), default=0)
    beside = _each_once([one.network for one in controls])
    pictures = _each_once([part for one in adapters for part in (one.encoder, one.projection)])
    layers = _each_once([one.layers for one in adapters])
    return ModelBytes(
        PartBytes(sum(map(_weights, encoders)), sum(map(_blocks, encoders)), text),
        PartBytes(_weights(vae), _weights(vae), whole),
        strips,
        PartBytes(_weights(shaped) + _weights(*beside), _blocks(shaped) + sum(map(_blocks, beside)), row, row),
        size.area,
        PartBytes(_weights(*pictures), sum(map(_blocks, pictures)), max(map(_picture_bytes, adapters), default=0)),
        _weights(*beside, *pictures, *layers),
    )


def counted_in_fp8(counted: ModelBytes, network: Any) -> ModelBytes:
    """The same with the weights of the network that predicts in eight bits: `network`, which has them in its type.

    A call takes as much: its layers with the largest weights are not those with the largest tensors.
    """
    part = counted.network
    rest = part.weights - sum(map(fp8_saving, trunk_of(network)))
    sizes = sorted(_weights(one) - fp8_saving(one) for one in blocks_of(network))
    return replace(counted, network=replace(part, weights=rest, blocks=rest - sum(sizes[:-2])))


def _added(family: Family, given: NetworkInput, controls: Sequence[ControlNetwork], size: Size) -> Outputs:
    """What ControlNets add to a call, each for all rows."""
    if not controls:
        return ()
    hints = [torch.empty((1, 3, *size.shape), device="meta") for _ in controls]  # each is on the device all the while

    def call(one: ControlNetwork, rows: Sequence[int], acting: Sequence[RowControl]) -> Outputs:
        shown = torch.cat([row.hint for row in acting]).to(given.x.dtype)
        return family.control(one, given.rows(rows), shown, [0] * len(acting))

    acting = [[RowControl(*pair) for pair in zip(controls, hints, strict=True)] for _ in range(len(given.x))]
    return residuals(acting, call)


def _with_tokens(given: NetworkInput, adapters: Sequence[Adapter]) -> NetworkInput:
    """The input with the tokens of a picture for each adapter."""
    if not adapters:
        return given
    rows, dtype = len(given.x), given.x.dtype
    tokens = [_picture_tokens(one).to(dtype).expand(rows, -1, -1) for one in adapters]
    weights = torch.empty((rows, len(adapters)), dtype=dtype, device="meta")
    return replace(given, conditioning=with_pictures(given.conditioning, tokens, weights))


def _picture_tokens(adapter: Adapter) -> torch.Tensor:
    side = adapter.encoder.config.image_size
    with torch.inference_mode():
        return tokens_of_pixels(adapter, torch.empty((1, 3, side, side), dtype=adapter.encoder.dtype, device="meta"))[0]


def _picture_bytes(adapter: Adapter) -> int:
    """Bytes of the tensors by which a reference picture is encoded."""
    return peak_bytes(lambda: _picture_tokens(adapter))


def _text_bytes(encoder: ClipText) -> int:
    """Bytes of the tensors of one chunk of text."""
    shaped, tokens = _Shapes().of(encoder), min(77, encoder.config.max_position_embeddings)
    return peak_bytes(lambda: shaped(torch.zeros((1, tokens), dtype=torch.long, device="meta")))


def _each_once(networks: Sequence[Any]) -> list[Any]:
    return list({id(one): one for one in networks}.values())


def _weights(*networks: Any) -> int:
    return sum(map(network_bytes, networks))


def _blocks(network: Any) -> int:
    sizes = sorted(_weights(one) for one in blocks_of(network))
    return _weights(network) - sum(sizes[:-2])


class _Shapes:
    """Networks on the meta device: shapes and types without memory. One network is one copy."""

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}

    def of(self, network: Any) -> Any:
        if id(network) not in self._made:
            self._made[id(network)] = copy_with(network, lambda one: torch.empty_like(one, device="meta"))
        return self._made[id(network)]

    def of_adapter(self, one: Adapter) -> Adapter:
        layers, projection, encoder = map(self.of, one.networks)
        return replace(one, layers=layers, projection=projection, encoder=encoder)
