"""Tensors out of files, safely: safetensors, and pickles as weights alone where the user allowed them."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from overpaint.models import ModelError, Table, read_json, read_table

Tensors = Mapping[str, torch.Tensor]


def read_tensors(path: Path, *, allow_pickle: bool = False) -> dict[str, torch.Tensor]:
    """The tensors of a file by name; of a training checkpoint, those of its `state_dict`.

    A file `NAME.index.json` (or `NAME.index.VARIANT.json`) stands for the shards that it lists.

    Args:
        path: The file.
        allow_pickle: Whether a pickle may be read. It is scanned first, and torch reads its weights alone: nothing in
            it is run.

    Raises:
        ModelError: Not a file of weights, cut short, damaged, would run code, or a pickle that was not allowed.
    """
    if path.suffix == ".json" and ".index." in path.name:
        return _shards(path, allow_pickle=allow_pickle)
    table = read_table(path)
    try:
        if table.form == "safetensors":
            from safetensors.torch import load_file

            found: dict[str, torch.Tensor] = load_file(path)
            return found
        if not allow_pickle:
            raise ModelError(
                f"{path.name} is a pickle, which can hold code",
                code="pickle-refused",
                field="allow_pickle",
                value=str(path),
                hint="if you trust its source, set allow_pickle: only its weights are read, and no code is run",
            )
        return _pickle(path, table)
    except ModelError:
        raise
    except MemoryError as error:
        raise ModelError(f"{path.name} does not fit into memory") from error
    except Exception as error:  # whatever bytes can make a reader do
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{path.name} can't be read: {reason}; download it again") from error


def _shards(path: Path, *, allow_pickle: bool) -> dict[str, torch.Tensor]:
    placed = read_json(path).get("weight_map", {})
    names = sorted(set(placed.values())) if isinstance(placed, dict) else []
    if not names or any("/" in str(name) or "\\" in str(name) for name in names):
        raise ModelError(f"{path} is damaged: it lists no shards beside it")
    whole: dict[str, torch.Tensor] = {}
    for name in names:
        whole |= read_tensors(path.parent / str(name), allow_pickle=allow_pickle)
    return whole


def _pickle(path: Path, table: Table) -> dict[str, torch.Tensor]:
    """What torch's weights-only reader gives, harmless classes of training programs being stood in for.

    The official Stable Diffusion files mention PyTorch Lightning's callbacks, which that reader alone refuses.
    """
    stand_ins = [(type("StandIn", (_StandIn,), {}), name) for name in sorted(table.stand_ins)]
    try:
        with path.open("rb") as file:
            archive = file.read(2) == b"PK"
        with torch.serialization.safe_globals(stand_ins):
            held = torch.load(path, map_location="cpu", weights_only=True, mmap=archive)
    except pickle.UnpicklingError as error:
        raise ModelError(f"{path.name} holds more than weights, and was not loaded: use a .safetensors file") from error
    inner = held.get("state_dict") if isinstance(held, Mapping) else None
    return _flat(inner if isinstance(inner, Mapping) else held)


class _StandIn:
    """Takes what a class of a training program would, and does nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def _flat(value: Any, prefix: str = "", depth: int = 3) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    for name, one in value.items() if isinstance(value, Mapping) and depth >= 0 else ():
        if isinstance(one, torch.Tensor):
            found[f"{prefix}{name}"] = one
        elif isinstance(one, Mapping):
            found |= _flat(one, f"{prefix}{name}.", depth - 1)
    return found
