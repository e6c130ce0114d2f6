"""Tensors of files: safetensors, GGUF, and pickles where the user allows them. Quantised weights become plain ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from overpaint.models import ModelError, read_json, read_table
from overpaint.models.headers import read_gguf
from overpaint.models.pickles import load_pickle, pickle_not_allowed

Tensors = Mapping[str, torch.Tensor]

_SCALE = re.compile(r"(?P<layer>.+)\.(scale_weight|weight_scale)")
_BESIDE = re.compile(r"(.+\.)?(scale_weight|scale_input|weight_scale|input_scale|scaled_fp8|comfy_quant)")


def read_tensors(path: Path, *, allow_pickle: bool = False, dtype: Any = torch.float32) -> dict[str, torch.Tensor]:
    """The tensors of a file by name; of a training checkpoint, those of its `state_dict`.

    A file `NAME.index.json` (or `NAME.index.VARIANT.json`) stands for the shards that it lists.

    Args:
        path: The file.
        allow_pickle: Whether a pickle may be read; no code in it is run.
        dtype: The type that quantised weights (GGUF, scaled fp8) get.

    Raises:
        ModelError: Not a file of weights, cut short, damaged, would run code, or a pickle that is not allowed.
        MissingExtraError: A GGUF file, without the extra "gguf".
    """
    if is_shard_list(path):
        whole: dict[str, torch.Tensor] = {}
        for one in shards_in(path):
            whole |= read_tensors(one, allow_pickle=allow_pickle, dtype=dtype)
        return whole
    form = read_table(path).form
    if form == "pickle" and not allow_pickle:
        raise pickle_not_allowed(path)
    try:
        if form == "gguf":
            return _gguf(path, dtype)
        if form == "pickle":
            return _descaled(load_pickle(path).tensors, path, dtype)
        from safetensors.torch import load_file

        return _descaled(load_file(path), path, dtype)
    except ModelError:
        raise
    except MemoryError as error:
        raise ModelError(f"{path.name} does not fit into memory") from error
    except Exception as error:  # any bytes may be in the file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{path.name} can't be read: {reason}; download it again") from error


def is_shard_list(path: Path) -> bool:
    """Whether a file is the list of a model's shards."""
    return path.suffix == ".json" and ".index." in path.name


def shards_in(path: Path) -> list[Path]:
    """The shards of a list, which are beside it. Raises ModelError for a damaged list."""
    placed = read_json(path).get("weight_map", {})
    names = sorted({str(name) for name in placed.values()}) if isinstance(placed, dict) else []
    if not names or any("/" in name or "\\" in name for name in names):
        raise ModelError(f"{path} is damaged: it lists no shards beside it")
    return [path.parent / name for name in names]


def _descaled(tensors: Tensors, path: Path, dtype: Any) -> dict[str, torch.Tensor]:
    """Weights times their scales: ComfyUI keeps fp8 weights beside a `scale_weight` (later `weight_scale`) each."""
    found = {name: one for name, one in tensors.items() if not _BESIDE.fullmatch(name)}
    for name, scale in tensors.items():
        match = _SCALE.fullmatch(name)
        weight = tensors.get(f"{match['layer']}.weight") if match else None
        if match is None or weight is None:
            continue
        if not weight.is_floating_point():
            raise ModelError(f"{path.name} is quantised in a way that is not supported: {match['layer']} is packed")
        rows = scale.float().reshape(-1, *(1,) * (weight.ndim - 1)) if scale.numel() > 1 else scale.float()
        found[f"{match['layer']}.weight"] = (weight.float() * rows).to(dtype)
    return found


def _gguf(path: Path, dtype: Any) -> dict[str, torch.Tensor]:
    from gguf.quants import dequantize

    return {
        name: torch.from_numpy(np.require(dequantize(one.data, one.tensor_type), requirements="W"))
        .reshape(shape)
        .to(dtype)
        for name, shape, one in read_gguf(path)
    }
