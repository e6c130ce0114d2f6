"""Names, shapes and types of the tensors in a file of weights, read without loading a weight or running any code.

A `.safetensors` file says them in its JSON header. A pickle (`.ckpt`, `.pt`, `.bin`) is read by an unpickler in which
every name stands for an inert stand-in of ours: what would be called is only looked at, and a name that has no place
in a file of weights is an error.
"""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from overpaint.errors import ModelError

from .values import Form

_SIZES = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2}
_STORAGES = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
    "UntypedStorage": "U8",
}
_LARGEST_HEADER = 100_000_000  # bytes; the format's own limit


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor: its shape, and its type as safetensors calls it ("F16")."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def bytes(self) -> int:
        """How much room it takes."""
        return prod(self.shape) * _SIZES.get(self.dtype, 1)


@dataclass(frozen=True, slots=True)
class Table:
    """What a file of weights has.

    Attributes:
        form: "safetensors" or "pickle".
        tensors: By name. Of a training checkpoint, those of its `state_dict`.
        metadata: Text that a safetensors header carries.
        numbers: Whole numbers beside the weights in a pickle, such as `global_step`.
        stand_ins: Names of harmless classes of a training program that a pickle mentions and that must be stood in for.
    """

    form: Form
    tensors: Mapping[str, TensorInfo]
    metadata: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    stand_ins: frozenset[str] = frozenset()


def read_table(path: Path) -> Table:
    """What a file of weights has.

    Raises:
        ModelError: No such file; it is neither safetensors nor a pickle of torch; it is cut short; or it is a pickle
            that would run code.
    """
    try:
        with path.open("rb") as file:
            start = file.read(9)
            size = path.stat().st_size
            file.seek(0)
            if len(start) == 9 and start[8:] == b"{":
                return _safetensors(file, size, path)
            if start[:4] == b"PK\x03\x04":
                return _archive(file, path)
            if start[:1] == b"\x80":
                return _old_pickle(file, path)
    except OSError as error:
        raise ModelError(f"can't read {path}: {error.strerror or error}") from error
    if b"<html" in start.lower() or start[:1] == b"<":
        raise ModelError(f"{path.name} is a web page, not a model: download it again")
    if start.startswith(b"version h"):
        raise ModelError(f"{path.name} is a pointer of Git LFS, not the model itself: fetch it with 'git lfs pull'")
    if not start:
        raise ModelError(f"{path.name} is empty: download it again")
    raise ModelError(f"{path.name} is neither a .safetensors file nor a checkpoint of torch")


def _safetensors(file: BinaryIO, size: int, path: Path) -> Table:
    length = int.from_bytes(file.read(8), "little")
    if length > min(size - 8, _LARGEST_HEADER):
        raise _cut_short(path, size, 8 + length)
    try:
        header = json.loads(file.read(length))
        metadata = {str(name): str(value) for name, value in (header.pop("__metadata__", None) or {}).items()}
        tensors, end = {}, 0
        for name, entry in header.items():
            shape = tuple(int(side) for side in entry["shape"])
            begin, stop = entry["data_offsets"]
            tensors[name] = TensorInfo(shape, str(entry["dtype"]))
            if begin < 0 or stop < begin or (entry["dtype"] in _SIZES and stop - begin != tensors[name].bytes):
                raise ModelError(f"{path.name} is damaged: {name!r} has {stop - begin} bytes for its shape {shape}")
            end = max(end, stop)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{path.name} is damaged: its header can't be read") from error
    if size < 8 + length + end:
        raise _cut_short(path, size, 8 + length + end)
    return Table("safetensors", tensors, metadata)


def _cut_short(path: Path, size: int, needed: int) -> ModelError:
    return ModelError(f"{path.name} is cut short: {size:,} bytes of at least {needed:,}; download it again")


def _archive(file: BinaryIO, path: Path) -> Table:
    """A checkpoint of torch 1.6 or later: a zip file with the pickle `data.pkl` and the weights beside it."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            inner = [name for name in names if name.rsplit("/", 1)[-1] == "data.pkl" and name.count("/") <= 1]
            if any(name.rsplit("/", 1)[-1] == "constants.pkl" for name in names):
                raise ModelError(f"{path.name} is a TorchScript program, which is not loaded: it holds code")
            if len(inner) != 1:
                raise ModelError(f"{path.name} is a zip file, but no checkpoint of torch")
            if archive.getinfo(inner[0]).file_size > _LARGEST_HEADER:
                raise ModelError(f"{path.name} has an index of more than {_LARGEST_HEADER:,} bytes")
            return _table(_scan(io.BytesIO(archive.read(inner[0])), path, 1))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{path.name} is cut short or damaged ({error}); download it again") from error


def _old_pickle(file: BinaryIO, path: Path) -> Table:
    """A checkpoint of torch before 1.6: magic number, version, system, then the pickle; the weights after it."""
    return _table(_scan(file, path, 4))


class _Inert:
    """Stands in for whatever a pickle wants to make. It takes everything and does nothing."""

    state: Any = None

    def __new__(cls, *args: Any, **kwargs: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        """As a list would."""

    def extend(self, values: Any) -> None:
        """As a list would."""

    def add(self, *values: Any) -> None:
        """As a set would."""


class _Dict(dict[Any, Any]):
    """Stands in for an OrderedDict, whose attributes (a module's versions) are dropped."""

    def __setstate__(self, state: Any) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _Storage:
    dtype: str


def _tensor(storage: Any, _offset: Any, size: Any, *_: Any) -> Any:
    dtype = storage.dtype if isinstance(storage, _Storage) else "F32"
    return TensorInfo(tuple(int(side) for side in size), dtype)


def _first(value: Any, *_: Any) -> Any:
    return value


_MADE: dict[str, Any] = {
    "collections.OrderedDict": _Dict,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _first,
    "torch.nn.parameter.Parameter": _first,
    "torch.Size": _first,
}
_INERT = {
    "_codecs.encode",
    "builtins.set",
    "__builtin__.set",
    "torch.device",
    "torch.nn.modules.container.ParameterDict",
    "torch._utils._rebuild_device_tensor_from_numpy",
}
"""What torch's weights-only loading knows itself, or reads as plain values."""

_TRAINERS = (
    "pytorch_lightning.",
    "lightning.",
    "lightning_fabric.",
    "omegaconf.",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "numpy.dtypes.",
    "torch.nn.modules.container.ParameterDict",
    "argparse.Namespace",
    "pathlib.",
    "typing.",
)
"""Classes of training programs, which checkpoints mention beside the weights. None of them is loaded."""


class _Scanner(pickle.Unpickler):
    """An unpickler that can make only the stand-ins above."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        super().__init__(file, encoding="latin-1")
        self.path = path
        self.stand_ins: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        whole = f"{module}.{name}"
        if whole in _MADE:
            return _MADE[whole]
        if module in ("torch", "torch.storage") and name in _STORAGES:
            return type(name, (), {"dtype": _STORAGES[name]})
        if module == "torch" and name in ("float32", "float16", "bfloat16", "float64", "int64", "int32", "uint8"):
            return _Inert()
        if whole.startswith(_TRAINERS):
            self.stand_ins.add(whole)
            return _Inert
        if whole in _INERT:
            return _Inert
        raise ModelError(
            f"{self.path.name} is a pickle that would run {whole}: it was not loaded, and nothing in it was run; "
            "use a .safetensors file of this model"
        )

    def persistent_load(self, identity: Any) -> Any:
        kind = identity[1] if isinstance(identity, tuple) and len(identity) > 1 else None
        return _Storage(getattr(kind, "dtype", "F32"))


@dataclass(frozen=True, slots=True)
class _Scanned:
    value: Any
    stand_ins: frozenset[str]


def _scan(file: BinaryIO, path: Path, pickles: int) -> _Scanned:
    """The last of so many pickles that follow each other in a file."""
    value: Any = None
    stand_ins: set[str] = set()
    try:
        for _ in range(pickles):
            scanner = _Scanner(file, path)
            value = scanner.load()
            stand_ins |= scanner.stand_ins
            if pickles > 1 and isinstance(value, dict) and _tensors(value):
                break
    except ModelError:
        raise
    except Exception as error:  # whatever bytes can make an unpickler do
        _damaged(path, error)
    return _Scanned(value, frozenset(stand_ins))


def _damaged(path: Path, error: Exception) -> NoReturn:
    raise ModelError(f"{path.name} is damaged or no checkpoint of torch ({error})") from error


def _tensors(value: Any, prefix: str = "", depth: int = 3) -> dict[str, TensorInfo]:
    found: dict[str, TensorInfo] = {}
    if isinstance(value, _Inert) and isinstance(value.state, dict):
        value = value.state.get("_parameters", {})
    if not isinstance(value, dict) or depth < 0:
        return found
    for name, one in value.items():
        if isinstance(one, TensorInfo):
            found[f"{prefix}{name}"] = one
        elif isinstance(one, dict | _Inert):
            found |= _tensors(one, f"{prefix}{name}.", depth - 1)
    return found


def _table(scanned: _Scanned) -> Table:
    value = scanned.value
    inner = value.get("state_dict") if isinstance(value, dict) else None
    top = inner if isinstance(inner, dict) else value
    tensors = _tensors(top)
    numbers = {
        str(name): one
        for name, one in (value.items() if isinstance(value, dict) else ())
        if isinstance(one, int) and not isinstance(one, bool)
    }
    return Table("pickle", tensors, {}, numbers, scanned.stand_ins)
