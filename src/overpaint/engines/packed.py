"""Canvases and painted canvases as bytes, for an engine on another machine: exactly the same values there.

The form: "OVPC", the length of a table (4 bytes, low byte first), the table as JSON, and the arrays behind it in its
order. An array has its name, shape and type, and how it is coded: float32 values that are whole numbers over 255 or
65535 travel as these numbers, and masks, of which most is 0 or 1, are compressed (zlib). No size is trusted: an array
must have exactly the bytes that its shape asks for.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import RequestError

from .base import Canvas, Painted

CANVAS_PROTOCOL = 1
"""Number of this form, and of what a canvas means. Both sides must have the same."""

_MAGIC = b"OVPC"
_MOST_TABLE = 1 << 16
_MOST_ARRAYS = 40
_TYPES = {"uint8": np.uint8, "uint16": np.uint16, "float32": np.float32, "bool": np.bool_}
_SCALES = {"uint8": 255, "uint16": 65535}


@dataclass(frozen=True, slots=True, eq=False)
class PackedArrays:
    """Arrays by name, and a table of plain values.

    Attributes:
        arrays: The arrays: float32, or bool.
        table: JSON values.
    """

    arrays: Mapping[str, NDArray[Any]]
    table: Mapping[str, Any] = field(default_factory=dict)


def pack(value: PackedArrays) -> bytes:
    """The bytes of arrays and a table."""
    entries, bodies = [], []
    for name, array in value.arrays.items():
        entry, body = _packed(array)
        entries.append({"name": name, "shape": list(array.shape), **entry, "bytes": len(body)})
        bodies.append(body)
    head = json.dumps({"protocol": CANVAS_PROTOCOL, "table": dict(value.table), "arrays": entries}).encode()
    return b"".join((_MAGIC, len(head).to_bytes(4, "little"), head, *bodies))


def unpack(data: bytes, *, most: int | None = None) -> PackedArrays:
    """Arrays and a table from their bytes.

    Args:
        data: The bytes.
        most: The most elements that one array may have; None: as many as there are.

    Raises:
        RequestError: They are damaged, of another protocol, or larger than they may be.
    """
    with _damage():
        head = _head(data)
        return PackedArrays(dict(_arrays(memoryview(data)[head.size :], head.entries, most)), head.table)


def unpacked_size(data: bytes) -> int:
    """Bytes that the arrays take once they are unpacked as float32, as the table in front of them says.

    Raises:
        RequestError: The table is damaged, or of another protocol.
    """
    with _damage():
        return sum(4 * math.prod(_shape(entry)) for entry in _head(data).entries)


@dataclass(frozen=True, slots=True)
class _PackedHead:
    """What stands before arrays.

    Attributes:
        size: Its bytes.
        entries: What is said of each array.
        table: The further values.
    """

    size: int
    entries: list[Any]
    table: dict[str, Any]


@contextmanager
def _damage() -> Iterator[None]:
    """What damaged bytes raise becomes a RequestError."""
    try:
        yield
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, RequestError):
            raise
        raise _damaged(str(error)) from None


def _head(data: bytes) -> _PackedHead:
    size = int.from_bytes(data[4:8], "little")
    if data[:4] != _MAGIC or size > min(_MOST_TABLE, len(data) - 8):
        raise _damaged("they do not begin as a canvas does")
    head = json.loads(data[8 : 8 + size])
    protocol, table, entries = head["protocol"], head["table"], head["arrays"]
    if protocol != CANVAS_PROTOCOL:
        raise other_protocol(protocol)
    if not isinstance(table, dict) or not isinstance(entries, list) or len(entries) > _MOST_ARRAYS:
        raise _damaged("their table has another form")
    return _PackedHead(8 + size, entries, table)


def _shape(entry: Mapping[str, Any]) -> tuple[int, ...]:
    shape = tuple(entry["shape"])
    if not 1 <= len(shape) <= 3 or not all(type(side) is int and 1 <= side <= 1 << 20 for side in shape):
        raise _damaged(f"the shape {shape}")
    return shape


def _arrays(data: memoryview, entries: list[Any], most: int | None) -> Iterator[tuple[str, NDArray[Any]]]:
    for entry in entries:
        shape = _shape(entry)
        count = math.prod(shape)
        if most is not None and count > most:
            raise RequestError(
                f"a canvas of {shape} is larger than the {most} values that it may have",
                code="canvas-too-large",
                field="canvas",
                value=count,
            )
        kind = np.dtype(_TYPES[entry["type"]])
        length = entry["bytes"]
        body = data[:length] if type(length) is int and length >= 0 else data[:0]
        if len(body) != length:
            raise _damaged("they are cut short")
        data = data[len(body) :]
        raw = _inflated(body, count * kind.itemsize) if entry.get("packed") else body
        if len(raw) != count * kind.itemsize:
            raise _damaged(f"the array {entry['name']} has {len(raw)} bytes")
        values = np.frombuffer(raw, kind.newbyteorder("<")).reshape(shape)
        scale = _SCALES.get(entry["type"])
        yield str(entry["name"]), (values.copy() if scale is None else _over(values, scale))
    if len(data):
        raise _damaged("they are longer than their table says")


def _packed(array: NDArray[Any]) -> tuple[dict[str, Any], bytes]:
    """How an array is coded, and its bytes."""
    if array.dtype == np.bool_:
        return {"type": "bool", "packed": True}, zlib.compress(np.ascontiguousarray(array).tobytes(), 1)
    values = np.ascontiguousarray(array, np.float32)
    for name, scale in _SCALES.items():
        with np.errstate(invalid="ignore"):
            whole = np.clip(np.rint(values * np.float32(scale)), 0, scale).astype(_TYPES[name])
        if np.array_equal(_over(whole, scale), values):
            body = whole.astype(whole.dtype.newbyteorder("<")).tobytes()
            return _smaller({"type": name}, body, flat=values.ndim == 2)
    return _smaller({"type": "float32"}, values.astype("<f4").tobytes(), flat=values.ndim == 2)


def _smaller(entry: dict[str, Any], body: bytes, *, flat: bool) -> tuple[dict[str, Any], bytes]:
    """The bytes of a mask compressed; pixels hardly become smaller."""
    return ({**entry, "packed": True}, zlib.compress(body, 1)) if flat else (entry, body)


def _over(values: NDArray[Any], scale: int) -> NDArray[np.float32]:
    return values.astype(np.float32) / np.float32(scale)


def _inflated(data: memoryview, size: int) -> bytes:
    """The bytes before they were compressed, never more than `size` + 1 of them."""
    worker = zlib.decompressobj()
    try:
        found = worker.decompress(data, size + 1)
    except zlib.error as error:
        raise _damaged(str(error)) from None
    if not worker.eof or worker.unused_data:
        raise _damaged("an array is longer than its shape allows")
    return found


_OF_CANVAS = ("pixels", "mask", "usable", "marked", "opacity", "insert")
_OF_PAINTED = ("pixels", "evidence", "effect", "opacity", "share")


def pack_canvas(canvas: Canvas) -> bytes:
    """The arrays of a canvas, of its controls and regional prompts; its settings and its seed are no part of it."""
    arrays = {name: value for name in _OF_CANVAS if (value := getattr(canvas, name)) is not None}
    arrays |= {f"control {number}": one.pixels for number, one in enumerate(canvas.controls)}
    arrays |= {f"prompt mask {number}": one for number, one in enumerate(canvas.prompt_masks)}
    return pack(PackedArrays(arrays))


def canvas_arrays(data: bytes, *, most: int | None = None) -> tuple[dict[str, Any], list[NDArray[np.float32]]]:
    """The arrays of a canvas by their names as a `Canvas` has them, and the pixels of its controls, checked.

    Args:
        data: What `pack_canvas` made, from anyone.
        most: The most pixels that an array may have.

    Raises:
        RequestError: It is damaged, too large, or its arrays do not go together.
    """
    found = dict(unpack(data, most=None if most is None else 4 * most).arrays)
    controls, prompt_masks = (_numbered(found, name) for name in ("control", "prompt mask"))
    if not {"pixels", "mask"} <= found.keys() <= set(_OF_CANVAS):
        raise _damaged(f"a canvas has no arrays {', '.join(sorted(found))[:200]}")
    size = found["pixels"].shape[:2]
    further = (*(("control", one) for one in controls), *(("prompt mask", one) for one in prompt_masks))
    for name, array in (*found.items(), *further):
        shape = array.shape
        if name == "pixels":
            right = shape == (*size, 3)
        elif name == "control":  # of the canvas's size, or a reference picture of its own
            right = len(shape) == 3 and shape[2] == 3 and min(shape) > 0
        elif name == "insert":
            right = len(shape) == 3 and shape[2] == 4
        else:
            right = shape == size
        if not right or (array.dtype == np.bool_) != (name == "usable"):
            raise _damaged(f"{name} is {array.dtype} {shape}")
        if array.dtype != np.bool_ and not (np.isfinite(array).all() and array.min() >= -8 and array.max() <= 8):
            raise _damaged(f"{name} has values that no canvas has")
    if any(one.min() < 0 or one.max() > 1 for one in prompt_masks):
        raise _damaged("a mask of a regional prompt is not within 0 and 1")
    return {**found, "prompt_masks": tuple(prompt_masks)}, controls


def _numbered(found: dict[str, Any], name: str) -> list[NDArray[np.float32]]:
    """Arrays that have this name and a number, in the order of these; taken out of `found`."""
    return [found.pop(f"{name} {number}") for number in range(len(found)) if f"{name} {number}" in found]


def pack_painted(painted: Painted, table: Mapping[str, Any]) -> bytes:
    """A painted canvas, with further values."""
    arrays = {name: value for name in _OF_PAINTED if (value := getattr(painted, name)) is not None}
    own = {"notes": list(painted.notes), "match": painted.match}
    return pack(PackedArrays(arrays, {**table, **own}))


def unpack_painted(data: bytes) -> tuple[Painted, Mapping[str, Any]]:
    """A painted canvas, and the values that were packed with it. RequestError where it is damaged."""
    found = unpack(data)
    if not {"pixels"} <= found.arrays.keys() <= set(_OF_PAINTED):
        raise _damaged("a painted canvas has other arrays")
    arrays: dict[str, Any] = dict(found.arrays)
    match, notes = found.table.get("match"), found.table.get("notes", ())
    return Painted(**arrays, notes=tuple(map(str, notes)), match=None if match is None else float(match)), found.table


def other_protocol(number: object) -> RequestError:
    """The error of canvases of another version."""
    return RequestError(
        f"canvases are sent in the form {CANVAS_PROTOCOL} here, and {number!r} there",
        code="canvas-protocol",
        field="server",
        hint="use the same version of Overpaint on both machines",
    )


def _damaged(why: str) -> RequestError:
    return RequestError(f"the bytes of a canvas are damaged: {why}", code="canvas-damaged", field="canvas")
