"""What an ONNX file takes and gives, read from its own bytes: no runtime is needed, and no weight is read.

An ONNX file is one protobuf message (onnx/onnx.proto). Of it only the graph's inputs and outputs are looked at; weights
are skipped by their lengths.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overpaint.errors import ModelError

_GRAPH, _INITIALIZER, _INPUT, _OUTPUT = 7, 5, 11, 12  # fields of ModelProto and GraphProto
_TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a graph.

    Attributes:
        name: Its name.
        dtype: "float32", "uint8" ...; "other" for a type that no picture has.
        shape: Its sides; None where a side is open.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sides = ", ".join("?" if side is None else str(side) for side in self.shape)
        return f"{self.name} {self.dtype} [{sides}]"


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """What a graph takes (weights left out) and gives, in its own order."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


def is_onnx(path: Path) -> bool:
    """Whether a file may be ONNX: it begins with the version of that form, and its name says so. Raises OSError."""
    with path.open("rb") as file:
        return path.suffix == ".onnx" and file.read(1) == b"\x08"


def read_graph(path: Path) -> OnnxGraph:
    """The inputs and outputs of an ONNX file.

    Raises:
        ModelError: It is cut short, or not ONNX.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            graphs = [(start, end) for field, start, end in _fields(data, 0, len(data)) if field == _GRAPH]
            ((start, end),) = graphs
            inputs: list[Port] = []
            outputs: list[Port] = []
            weights: set[str] = set()
            for field, first, last in _fields(data, start, end):
                if field == _INPUT:
                    inputs.append(_port(data, first, last))
                elif field == _OUTPUT:
                    outputs.append(_port(data, first, last))
                elif field == _INITIALIZER:
                    weights.add(_text(data, first, last, 8))
    except OSError as error:
        raise ModelError(f"can't read {path}: {error.strerror or error}") from error
    except (ValueError, IndexError) as error:
        raise ModelError(f"{path.name} is cut short, or no ONNX file; download it again") from error
    return OnnxGraph(tuple(one for one in inputs if one.name not in weights), tuple(outputs))


def _port(data: Any, start: int, end: int) -> Port:
    """A ValueInfoProto: name (1), type (2) with a tensor's type (1) of element (1) and shape (2)."""
    dtype, sides = "other", []
    for _, first, last in _parts(data, start, end, 2):
        for _, begin, stop in _parts(data, first, last, 1):
            for field, one, other in _fields(data, begin, stop):
                if field == 1:
                    dtype = _TYPES.get(one, "other")
                elif field == 2:
                    sides = [_side(data, *dim[1:]) for dim in _parts(data, one, other, 1)]
    return Port(_text(data, start, end, 1), dtype, tuple(sides))


def _side(data: Any, start: int, end: int) -> int | None:
    """A dimension: its value (1), or a name (2), which leaves it open."""
    return next((value for field, value, _ in _fields(data, start, end) if field == 1), None)


def _parts(data: Any, start: int, end: int, wanted: int) -> Iterator[tuple[int, int, int]]:
    return (one for one in _fields(data, start, end) if one[0] == wanted)


def _text(data: Any, start: int, end: int, wanted: int) -> str:
    return next((data[first:last].decode() for _, first, last in _parts(data, start, end, wanted)), "")


def _fields(data: Any, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(field, start, end) of each field of a message; of a number (field, value, 0). Raises ValueError, IndexError."""
    place = start
    while place < end:
        tag, place = _number(data, place)
        field, kind = tag >> 3, tag & 7
        if kind == 0:
            value, place = _number(data, place)
            yield field, value, 0
        else:
            length, place = (8, place) if kind == 1 else (4, place) if kind == 5 else _number(data, place)
            if kind not in (1, 2, 5) or field == 0 or place + length > end:
                raise ValueError("no message of protobuf")
            yield field, place, place + length
            place += length


def _number(data: Any, place: int) -> tuple[int, int]:
    """(value, place after it) of a number in groups of seven bits."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number is too long")
