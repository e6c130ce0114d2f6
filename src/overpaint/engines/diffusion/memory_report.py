"""What fits into the memory of this machine: checkpoints at the size of canvas that they were trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch

from overpaint.errors import OverpaintError
from overpaint.geometry import Size
from overpaint.models import Kind, ModelRef, family_of, find, read_hints

from .devices import memory_left, usual_dtype
from .families import Family
from .memory_plan import SPARE, Memory, ModelBytes, counted_bytes, counted_in_fp8

USUAL = ("sd1", "sdxl")
"""Families that are counted where no checkpoint is installed."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether checkpoints of one architecture fit into a device's memory.

    Attributes:
        title: Of the architecture, for people.
        names: Of the checkpoints; () where it is a family of which none is installed.
        size: Of the canvas.
        dtype: The type that the networks calculate in: "float16".
        free: Bytes that the device has left.
        plain: What the networks take.
        fp8: The same with the weights of the network that predicts in eight bits.
        in_turns: Whether networks may take turns on the device, whose weights the CPU's memory holds then.
    """

    title: str
    names: tuple[str, ...]
    size: Size
    dtype: str
    free: int
    plain: ModelBytes
    fp8: ModelBytes
    in_turns: bool

    def fits(self, memory: Memory, *, fp8: bool = False) -> bool:
        """Whether one way fits, with a tenth of the free memory to spare."""
        counted = self.fp8 if fp8 else self.plain
        return counted.peak(memory) <= self.free * (1 - SPARE)

    @property
    def ways(self) -> tuple[Memory, ...]:
        """The ways to use the device, the fastest first."""
        return ("whole", "model", "block") if self.in_turns else ("whole",)

    @property
    def best(self) -> tuple[Memory, bool] | None:
        """The first way that fits, and whether with fp8, which is taken where nothing else fits; None: none fits."""
        for fp8 in (False, True):
            for way in self.ways:
                if self.fits(way, fp8=fp8):
                    return way, fp8
        return None


def fits(names: Sequence[str], device: torch.device) -> list[Fit]:
    """What fits into a device's memory, one value for each architecture and size; [] where its memory is unknown.

    Args:
        names: Of checkpoints, as `overpaint.models.find` takes them; those that can't be read are left out. (): the
            `USUAL` families.
        device: The device.
    """
    free = memory_left(device)
    if free is None:
        return []
    if not names:
        usual = [_usual(one, device) for one in USUAL]
        return [replace(one, free=free) for one in usual if one is not None]
    found: dict[Fit, list[str]] = {}
    for name in names:
        try:
            fit = _fit(find(name), device)
        except OverpaintError:  # damaged, or parts are missing: the list of models says so
            continue
        if fit is not None:
            found.setdefault(fit, []).append(name)
    return [replace(fit, free=free, names=tuple(held)) for fit, held in found.items()]


@cache
def _usual(family: str, device: torch.device) -> Fit | None:
    kind = Kind("checkpoint", "safetensors", family=family, channels=9, prediction="epsilon")
    return _fit(ModelRef("", Path("none"), kind), device)


def _fit(ref: ModelRef, device: torch.device) -> Fit | None:
    """What a checkpoint needs, without its name and the device's memory; None for a family that can't be counted."""
    family: Family = family_of(ref.kind.family or "")
    family.import_networks()
    dtype, side = usual_dtype(device, family.width(ref)), read_hints(ref.path).native or family.native_size(ref)
    model, size = family.empty(ref, dtype), Size(side, side)
    if model is None:
        return None
    plain = counted_bytes(family, model.network, model.vae, model.text_encoders, size)
    if plain is None:
        return None
    title = f"{family.title}{' inpainting' if ref.kind.inpainting else ''}"
    small = counted_in_fp8(plain, model.network)
    return Fit(title, (), size, str(dtype).removeprefix("torch."), 0, plain, small, device.type != "cpu")
