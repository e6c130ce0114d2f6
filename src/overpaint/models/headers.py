"""Names, shapes and types of the tensors in a file of weights, read without loading a weight or running any code.

A `.safetensors` file has them in its JSON header, a GGUF file in its own header; of a pickle (`.ckpt`, `.pt`, `.bin`)
torch reads them without its weights (see `pickles`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from overpaint.errors import MissingExtraError, ModelError

from .onnx_graph import is_onnx, read_graph
from .pickles import load_pickle
from .torchscript import is_torchscript, script_tensors
from .values import Form

_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
_DTYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
}
"""safetensors' names of torch's types of weights."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor: its shape, and its type as safetensors calls it ("F16"); "other" for integers in a pickle."""

    shape: tuple[int, ...]
    dtype: str

    def side(self, axis: int) -> int:
        """Its length along an axis, negative ones counted from the last; 0 where it has no such axis, as in a file that
        is damaged or made to be.
        """
        return self.shape[axis] if -len(self.shape) <= axis < len(self.shape) else 0

    @property
    def bytes(self) -> int:
        """Its size, of a type of weights."""
        return prod(self.shape) * _SIZES.get(self.dtype, 1)


@dataclass(frozen=True, slots=True)
class TensorTable:
    """The tensors of a file of weights.

    Attributes:
        form: "safetensors", "pickle", "gguf", "torchscript" or "onnx" (whose tensors are not listed).
        tensors: Tensors by name. Of a training checkpoint, those of its `state_dict`.
        metadata: Text in the header of a safetensors file.
        numbers: Whole numbers beside the weights in a pickle, such as `global_step`.
    """

    form: Form
    tensors: Mapping[str, TensorInfo]
    metadata: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)


def read_table(path: Path) -> TensorTable:
    """The tensors of a file of weights, without their values.

    Raises:
        ModelError: No such file; neither safetensors, GGUF nor a pickle of torch; cut short; or a pickle that would run
            code.
        MissingExtraError: A GGUF file, without the extra "gguf".
    """
    try:
        with path.open("rb") as file:
            start = file.read(9)
        if len(start) == 9 and start[8:] == b"{":
            return _safetensors(path)
        if start[:4] == b"GGUF":
            return _gguf(path)
        if is_torchscript(path):
            return _torchscript(path)
        if start[:4] == b"PK\x03\x04" or start[:1] == b"\x80":
            return _pickled(path)
        if is_onnx(path):
            read_graph(path)
            return TensorTable("onnx", {})
    except OSError as error:
        raise ModelError(f"can't read {path}: {error.strerror or error}") from error
    if b"<html" in start.lower() or start[:1] == b"<":
        raise ModelError(f"{path.name} is a web page, not a model: download it again")
    if start.startswith(b"version h"):
        raise ModelError(f"{path.name} is a pointer of Git LFS, not the model itself: fetch it with 'git lfs pull'")
    if not start:
        raise ModelError(f"{path.name} is empty: download it again")
    raise ModelError(f"{path.name} is neither a .safetensors file nor a checkpoint of torch")


def _safetensors(path: Path) -> TensorTable:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            slices = {str(name): file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            tensors = {name: TensorInfo(tuple(one.get_shape()), one.get_dtype()) for name, one in slices.items()}
            return TensorTable("safetensors", tensors, file.metadata() or {})
    except SafetensorError as error:
        if any(words in str(error) for words in ("not fully covered", "too large", "too small", "header length")):
            raise ModelError(f"{path.name} is cut short; download it again") from error
        raise ModelError(f"{path.name} is damaged: its header can't be read ({error})") from error


def _pickled(path: Path) -> TensorTable:
    found = load_pickle(path, "meta")
    tensors = {
        name: TensorInfo(tuple(one.shape), _DTYPES.get(str(one.dtype).removeprefix("torch."), "other"))
        for name, one in found.tensors.items()
    }
    return TensorTable("pickle", tensors, {}, found.numbers)


def _torchscript(path: Path) -> TensorTable:
    tensors = {
        name: TensorInfo(one.shape, _DTYPES.get(one.dtype, "other")) for name, one in script_tensors(path).items()
    }
    return TensorTable("torchscript", tensors)


def _gguf(path: Path) -> TensorTable:
    tensors = {name: TensorInfo(shape, one.tensor_type.name) for name, shape, one in read_gguf(path)}
    return TensorTable("gguf", tensors)


def read_gguf(path: Path) -> list[tuple[str, tuple[int, ...], Any]]:
    """Name, shape in torch's order, and the gguf package's tensor, whose data is not read yet, of each tensor.

    Raises:
        ModelError: The file is damaged.
        MissingExtraError: The extra "gguf" is not installed.
    """
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise MissingExtraError.of(f"{path.name}, a GGUF file,", "gguf") from error
    try:
        reader = GGUFReader(path)
        found = []
        for one in reader.tensors:
            original = reader.get_field(f"comfy.gguf.orig_shape.{one.name}")  # of tensors that were flattened to rows
            shape = one.shape[::-1] if original is None else original.contents()
            found.append((str(one.name), tuple(int(side) for side in shape), one))
        return found
    except Exception as error:  # any bytes may be in the file
        raise ModelError(f"{path.name} is cut short or damaged; download it again") from error
