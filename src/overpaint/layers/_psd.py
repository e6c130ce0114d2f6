"""Writing PSD and PSB (Adobe, Photoshop File Formats Specification), layer by layer.

All channels, layer masks too, have the picture's depth and are packed in runs, which every reader knows: Krita 5.1
misreads what is deflated with differences. Layers of 16 bits are in a block "Lr16" of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from struct import pack
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import OutputError
from overpaint.geometry import Box, Size
from overpaint.picture import Colour, Picture, Samples

from ._packbits import packed_rows
from ._resources import image_resources
from ._values import LayeredPicture, LayerGroup, LayerNode, LayerPixels, plain_name

LARGEST_SIDE = {"psd": 30_000, "psb": 300_000}  # pixels
LARGEST_PSD = (1 << 31) - 1  # bytes
_MODES = {Colour.GREY: 1, Colour.RGB: 3, Colour.CMYK: 4}
_ROWS = 64  # so many rows are coded at a time
_ALPHA, _MASK = -1, -2  # identifiers of channels; colours count from 0
_OPEN, _END = 1, 3  # kinds of section dividers
_RAW, _RUNS = 0, 1  # codings of a channel


def check_psd(format: str, size: Size) -> None:
    """Raise OutputError where a picture of this size is too large for a PSD or a PSB file."""
    most = LARGEST_SIDE[format]
    if max(size) > most:
        message = f"a {format.upper()} file can't hold {size}: a side has at most {most} pixels"
        raise _too_large(format, message, str(size), "PNG" if format == "psb" else "")


def write_psd(layered: LayeredPicture, file: BinaryIO, format: str) -> None:
    """Write a PSD or PSB file: the original, above it each layer with its mask, and the merged result.

    Args:
        layered: The layers.
        file: Where, at its beginning; it can be read from any place.
        format: "psd" or "psb".

    Raises:
        OutputError: The picture, or the file, is larger than the format allows.
    """
    merged = layered.merged
    check_psd(format, merged.size)
    writer = PsdStream(file, wide=format == "psb")
    channels = merged.colour.samples + (layered.transparency is not None)
    version = 2 if writer.wide else 1
    width, height = merged.size
    head = pack(">4sH6xHIIHH", b"8BPS", version, channels, height, width, merged.depth, _MODES[merged.colour])
    file.write(head + pack(">I", 0))  # no table of colours
    resources = image_resources(merged, layered.metadata(format).metadata)
    file.write(pack(">I", len(resources)) + resources)
    with writer.section():
        if merged.depth == 16:
            file.write(writer.length(0) + bytes(4))  # no layers here, no common mask
            file.write(b"8BIMLr16")
            with writer.section():
                _write_layers(layered, writer)
            if layered.transparency is not None:  # behind the layers: GIMP 2.10 looks for them at the beginning
                file.write(b"8BIMMt16" + writer.length(0))
        else:
            with writer.section():
                _write_layers(layered, writer)
            file.write(bytes(4))
    _write_merged(layered, writer)


@dataclass(frozen=True, slots=True)
class _Record:
    """One record of the list of layers, the lowest first: a layer, or one end of a group.

    Attributes:
        name: For people.
        box: Where its pixels lie.
        read: Gives them; None for an end of a group.
        mask: Where its mask lies; None: it has none.
        opacity: 0 to 1.
        visible: Whether it shows.
        divider: Which end of a group it is; 0 for a layer.
        blend: How it is blended.
    """

    name: str
    box: Box
    read: Callable[[], LayerPixels] | None = None
    mask: Box | None = None
    opacity: float = 1.0
    visible: bool = True
    divider: int = 0
    blend: bytes = b"norm"

    def channels(self, colours: int) -> tuple[int, ...]:
        """The identifiers of its channels, in their order."""
        return (_ALPHA, *range(colours), *(() if self.mask is None else (_MASK,)))


def _records(layered: LayeredPicture) -> Iterator[_Record]:
    canvas = layered.base.size.box
    base = _Record("Original", canvas, lambda: LayerPixels(layered.base.samples, np.empty((0, 0), np.float32)))
    nowhere = Box(0, 0, 0, 0)
    alpha = layered.transparency
    if alpha is not None:
        yield _Record("</Layer group>", nowhere, divider=_END)
    yield base
    for node in layered.layers:
        yield from _of_node(node)
    if alpha is not None:
        most = np.float32(layered.merged.maximum)
        whole = LayerPixels(layered.base.samples[:0, :0], np.divide(alpha, most, dtype=np.float32))
        yield _Record("Picture", nowhere, lambda: whole, canvas, divider=_OPEN)


def _of_node(node: LayerNode) -> Iterator[_Record]:
    if not isinstance(node, LayerGroup):
        yield _Record(node.name, node.box, node.read, node.box, node.opacity, node.visible)
        return
    yield _Record("</Layer group>", Box(0, 0, 0, 0), divider=_END)
    for member in node.members:
        yield from _of_node(member)
    # Passing through: its members blend with what is below, as they would without the group.
    yield _Record(node.name, Box(0, 0, 0, 0), visible=node.visible, divider=_OPEN, blend=b"pass")


class PsdStream:
    """A file of which some lengths are known only once what they are of has been written."""

    def __init__(self, file: BinaryIO, *, wide: bool) -> None:
        self.file = file
        self.wide = wide

    def length(self, value: int) -> bytes:
        """A length as this format has it."""
        return pack(">Q" if self.wide else ">I", value)

    @contextmanager
    def section(self) -> Iterator[None]:
        """What is written within gets its length before it, and is filled up to a multiple of 4."""
        at = self.file.tell()
        self.file.write(self.length(0))
        yield
        start = at + len(self.length(0))
        self.file.write(bytes(-(self.file.tell() - start) % 4))
        self.at(at, lambda: self.length(self.check() - start))

    def at(self, place: int, made: Callable[[], bytes]) -> None:
        """Write something in an earlier place."""
        data, end = made(), self.file.tell()
        self.file.seek(place)
        self.file.write(data)
        self.file.seek(end)

    def check(self) -> int:
        """Where the file's end is. Raises OutputError where a PSD file would be longer than it may be."""
        end = self.file.tell()
        if not self.wide and end > LARGEST_PSD:
            message = "these layers take more than the 2 GB that a PSD file holds"
            raise _too_large("psd", message, None)
        return end


def _write_layers(layered: LayeredPicture, writer: PsdStream) -> None:
    """Their number, their records, and the channels of each."""
    file, base = writer.file, layered.base
    records = list(_records(layered))
    lengths = [[0] * len(one.channels(base.colour.samples)) for one in records]

    def listed() -> bytes:
        numbered = enumerate(zip(records, lengths, strict=True), start=1)
        return b"".join(_record_bytes(one, found, number, base, writer) for number, (one, found) in numbered)

    # A negative number says that the merged result has transparency.
    file.write(pack(">h", len(records) if layered.transparency is None else -len(records)))
    start = file.tell()
    file.write(listed())
    for record, found in zip(records, lengths, strict=True):
        pixels = None if record.read is None else record.read()
        for place, channel in enumerate(record.channels(base.colour.samples)):
            before = file.tell()
            size, rows = _channel(base, pixels, channel, record)
            _write_channel(writer, size, rows)
            found[place] = writer.check() - before
    writer.at(start, listed)


def _channel(base: Picture, pixels: LayerPixels | None, channel: int, record: _Record) -> tuple[Size, Rows]:
    """The size of a channel, and what gives a slice of its rows as they are stored."""
    most = base.maximum
    kind = base.samples.dtype
    if channel == _MASK:
        assert pixels is not None
        mask = pixels.mask
        return Size(mask.shape[1], mask.shape[0]), lambda rows: np.rint(mask[rows] * np.float32(most)).astype(kind)
    size = record.box.size
    if channel == _ALPHA or pixels is None:
        # A layer is opaque within its box: what of it shows is its mask's alone.
        return size, lambda rows: np.full((rows.stop - rows.start, size.width), most, kind)
    samples = pixels.samples
    return size, lambda rows: _stored(base, samples[rows, :, channel])


Rows = Callable[[slice], NDArray[Any]]
"""(n, w) samples of some rows of a plane."""


def _write_channel(writer: PsdStream, size: Size, rows: Rows) -> None:
    """The coding of a plane, and the plane."""
    if 0 in size:
        writer.file.write(pack(">H", _RAW))
    else:
        writer.file.write(pack(">H", _RUNS))
        _write_runs(writer, size, [rows])


def _write_runs(writer: PsdStream, size: Size, planes: Sequence[Rows]) -> None:
    """The packed lengths of all rows of all planes, then the rows."""
    start, count = writer.file.tell(), size.height * len(planes)
    lengths = np.zeros(count, ">u4" if writer.wide else ">u2")
    writer.file.write(lengths.tobytes())
    at = 0
    for rows in planes:
        for part in _slices(size):
            found, packed = packed_rows(_bytes(rows(part)))
            lengths[at : at + found.size] = found
            at += found.size
            writer.file.write(packed)
        writer.check()
    writer.at(start, lengths.tobytes)


def _write_merged(layered: LayeredPicture, writer: PsdStream) -> None:
    """The result, over white where it is transparent, as Photoshop stores it; then its transparency."""
    merged, alpha = layered.merged, layered.transparency
    most = np.float32(merged.maximum)

    def colour(channel: int) -> Rows:
        def rows(part: slice) -> NDArray[Any]:
            values = _stored(merged, merged.samples[part, :, channel])
            if alpha is None:
                return values
            return np.rint(most + (values - most) * (alpha[part] / most)).astype(values.dtype)

        return rows

    planes = [colour(channel) for channel in range(merged.colour.samples)]
    if alpha is not None:
        planes.append(lambda part: alpha[part])
    # Readers that take fewer channels than there are, as Pillow does of grey or CMYK with alpha, find only raw ones.
    if alpha is None or merged.colour is Colour.RGB:
        writer.file.write(pack(">H", _RUNS))
        _write_runs(writer, merged.size, planes)
        return
    writer.file.write(pack(">H", _RAW))
    for rows in planes:
        for part in _slices(merged.size):
            writer.file.write(_bytes(rows(part)).tobytes())
        writer.check()


def _bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """(n, w) samples as (n, bytes), high bytes first."""
    ordered = np.ascontiguousarray(values, values.dtype.newbyteorder(">"))
    return ordered.view(np.uint8).reshape(len(values), -1)


def _slices(size: Size) -> Iterator[slice]:
    return (slice(top, min(top + _ROWS, size.height)) for top in range(0, size.height, _ROWS))


def _stored(picture: Picture, samples: Samples) -> Samples:
    """Samples as PSD files store them: CMYK inverted, so that the largest value is no ink."""
    if picture.colour is not Colour.CMYK:
        return samples
    return np.subtract(picture.maximum, samples, dtype=samples.dtype)


def _record_bytes(record: _Record, lengths: Sequence[int], number: int, base: Picture, writer: PsdStream) -> bytes:
    """A record, with the lengths of its channels."""
    channels = record.channels(base.colour.samples)
    listed = (pack(">h", one) + writer.length(length) for one, length in zip(channels, lengths, strict=True))
    # Bit 1: hidden. Bit 3: bit 4 counts. Bit 4: the pixels have no part in the look.
    flags = 0x08 | (0 if record.visible else 0x02) | (0x10 if record.divider else 0)
    extra = _mask_bytes(record.mask) + pack(">I", 0) + _short_name(record.name) + _blocks(record, number)
    return b"".join(
        (
            _rectangle(record.box),
            pack(">H", len(channels)),
            *listed,
            b"8BIM",
            record.blend,
            pack(">BBBx", round(record.opacity * 255), 0, flags),
            pack(">I", len(extra)),
            extra,
        )
    )


def _rectangle(box: Box) -> bytes:
    return pack(">4i", box.top, box.left, box.bottom, box.right)


def _mask_bytes(box: Box | None) -> bytes:
    """A mask's rectangle, beyond which it hides the layer."""
    if box is None:
        return pack(">I", 0)
    return pack(">I", 20) + _rectangle(box) + pack(">BBxx", 0, 0)


def _short_name(name: str) -> bytes:
    """The name for programs that know the old form alone: at most 31 bytes of Mac Roman."""
    short = plain_name(name).encode("mac_roman", "replace")[:31]
    return (pack(">B", len(short)) + short).ljust(-(-(len(short) + 1) // 4) * 4, b"\0")


def _blocks(record: _Record, number: int) -> bytes:
    """The name in Unicode, a number, and which end of a group it is."""
    wide = plain_name(record.name).encode("utf-16-be")
    named = pack(">I", len(wide) // 2) + wide
    found = {b"luni": named + bytes(-len(named) % 4), b"lyid": pack(">I", number)}
    if record.divider == _END:
        found[b"lsct"] = pack(">I", _END)
    elif record.divider:
        found[b"lsct"] = pack(">I4s4s", record.divider, b"8BIM", record.blend)
    return b"".join(pack(">4s4sI", b"8BIM", key, len(data)) + data for key, data in found.items())


def _too_large(format: str, message: str, value: object, instead: str = "") -> OutputError:
    hint = f"use {instead}" if instead else "name it .psb, which holds more, or .ora"
    return OutputError(message, code="output-too-large", field="layers", value=value, hint=hint)
