"""Weights in TorchScript programs (`.pt`, `.jit`), read without running any of their code.

A TorchScript file is a zip archive: a pickle of the program's object (`data.pkl`), its code as text, and one file for
each block of numbers. Here the pickle's objects become inert stand-ins that only hold what they were given, so that the
tensors can be taken out by the names that the program's modules have. The layout is torch's own
(torch/csrc/jit/docs/serialization.md).
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from overpaint.errors import ModelError

_STORAGES = {
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "DoubleStorage": "float64",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
_DEPTH = 64  # of modules within modules; more is no network
_MOST_PARTS = 200_000

MOST_PICKLE = 1 << 28
"""Bytes of what a file of torch has beside its numbers: a small one may be packed as a large one."""


@dataclass(frozen=True, slots=True)
class ScriptTensor:
    """A tensor in a TorchScript file, whose numbers are not read yet.

    Attributes:
        key: Name of its block of numbers in the archive.
        dtype: torch's name of its type: "float32".
        offset: Where it begins in the block, in elements.
        shape: Its sides.
        strides: Steps between neighbours along each side, in elements.
    """

    key: str
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def is_torchscript(path: Path) -> bool:
    """Whether a file is a zip archive with a TorchScript program in it. Raises OSError."""
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except OSError:
        raise
    except Exception:  # any bytes may be in the file, and zipfile has many errors for them
        return False
    return any(name.count("/") == 1 and name.endswith("/constants.pkl") for name in names)


def script_tensors(path: Path) -> dict[str, ScriptTensor]:
    """The tensors of a TorchScript file by the names of its modules. No numbers are read, and no code is run.

    Raises:
        ModelError: It is cut short or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            inside = archive.getinfo(f"{_top(archive)}/data.pkl")
            if inside.file_size > MOST_PICKLE:
                raise ValueError("no network has as much beside its numbers")
            whole = _InertUnpickler(io.BytesIO(archive.read(inside))).load()
        return dict(_tensors(whole, count(1)))
    except Exception as error:  # any bytes may be in the file
        raise ModelError(f"{path.name} is cut short or damaged; download it again") from error


def load_script_tensors(path: Path) -> dict[str, Any]:
    """The tensors of a TorchScript file with their numbers, by the names of its modules; no code is run.

    Raises:
        ModelError: It is cut short or damaged.
    """
    import torch

    found: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            top = _top(archive)
            for name, one in script_tensors(path).items():
                block = torch.frombuffer(bytearray(archive.read(f"{top}/data/{one.key}") or b"\0"), dtype=torch.uint8)
                dtype = getattr(torch, one.dtype)
                numbers = block[: block.numel() // dtype.itemsize * dtype.itemsize].view(dtype)
                found[name] = torch.as_strided(numbers, one.shape, one.strides, one.offset).contiguous()
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{path.name} is cut short or damaged; download it again") from error
    return found


def _top(archive: zipfile.ZipFile) -> str:
    (top,) = [name.partition("/")[0] for name in archive.namelist() if name.endswith("/data.pkl")]
    return top


class _Inert:
    """Stands in for any object of a program: it holds its state and does nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def append(self, item: Any) -> None:
        """A list of the program's own kind; what is in it is no module."""

    def extend(self, items: Any) -> None:
        """As `append`."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """A dictionary of the program's own kind."""


class _InertUnpickler(pickle.Unpickler):
    """Gives no class of any package to the pickle: only stand-ins, and descriptions of tensors."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _STORAGES:
            return name
        if name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
            return _tensor
        if name == "_rebuild_parameter":
            return lambda tensor, *rest: tensor
        return type("Inert", (_Inert,), {})

    def persistent_load(self, reference: Any) -> Any:
        _, storage, key, *_ = reference
        return str(storage), str(key)


def _tensor(storage: tuple[str, str], offset: int, shape: Any, strides: Any, *rest: Any) -> ScriptTensor:
    sides = tuple(int(side) for side in shape)
    steps = tuple(int(step) for step in strides)
    return ScriptTensor(storage[1], _STORAGES[storage[0]], int(offset), sides, steps)


def _tensors(
    held: Any, parts: Iterator[int], prefix: str = "", depth: int = _DEPTH
) -> Iterator[tuple[str, ScriptTensor]]:
    """Tensors of an object and of those within it, by names joined with dots; `parts` counts the objects.

    Raises:
        ValueError: There are too many, as where an object is within itself.
    """
    if next(parts) > _MOST_PARTS:
        raise ValueError("no network has as many parts")
    state = held.state if isinstance(held, _Inert) else held
    if not isinstance(state, Mapping) or depth == 0:
        return
    for name, one in state.items():
        if isinstance(one, ScriptTensor):
            yield f"{prefix}{name}", one
        elif isinstance(one, _Inert | Mapping):
            yield from _tensors(one, parts, f"{prefix}{name}.", depth - 1)
