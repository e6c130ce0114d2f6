"""Carrying JPEG blocks over: only painted blocks get new coefficients, all others keep theirs.

The forward transform is computed here (ITU-T T.81, A.3.3; colours by JFIF 1.02, section 7), in floats: so it serves
every sampling, colour transform and table of a file, and few blocks need it. jpeglib (extra `jpeg`) reads and writes
coefficients.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .jpeg_segments import APP0, COM, DHT, DQT, FRAMES, SOS, JpegFile, JpegSegment, bare, quantisation_tables, segments

Flags = NDArray[np.bool_]
Planes = list[NDArray[np.int16]]  # of each component (rows, columns, 8, 8)

# The 8x8 block's values, counted row by row, as a file has them: along the diagonals, up and down in turn.
_ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, i // 8 if (i // 8 + i % 8) % 2 else i % 8))
_COSINES = np.cos((2 * np.arange(8) + 1) * np.arange(8)[:, np.newaxis] * np.pi / 16).astype(np.float32) / 2
_COSINES[0] /= np.sqrt(np.float32(2))
_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]], np.float32
)
_AT_ONCE = 1 << 22  # pixels transformed together
_SEQUENTIAL, _PROGRESSIVE = "turbo210", "mozjpeg403"  # of jpeglib's libraries; the second writes progressive scans
_LOCK = threading.Lock()  # jpeglib's choice of library is global


class BlocksUnavailable(Exception):  # noqa: N818 - a reason for a note, never an error
    """Blocks of this file can't be carried over; the message becomes a note."""


@dataclass(frozen=True, slots=True)
class CarriedBlocks:
    """The new file's segments without metadata, and the stored pixels (H, W) whose decoded values may differ."""

    parts: list[JpegSegment]
    touched: Flags


def natural_tables(parts: list[JpegSegment]) -> dict[int, NDArray[np.float32]]:
    """The quantisation tables as 8x8, rows by vertical frequency."""
    places = np.argsort(_ZIGZAG).reshape(8, 8)
    return {number: np.array(values, np.float32)[places] for number, values in quantisation_tables(parts).items()}


def carried_over(file: JpegFile, samples: NDArray[np.uint8], touched: Flags) -> CarriedBlocks:
    """The file with new coefficients in the blocks that `touched` reaches into.

    Args:
        file: The original file.
        samples: (H, W, C) as stored, CMYK with 0 = no ink.
        touched: (H, W), as stored: where `samples` differs from the original.

    Raises:
        BlocksUnavailable: No jpeglib, or a file that it can't write again.
    """
    frame, tables = file.frame, natural_tables(file.parts)
    largest_h, largest_v = frame.largest
    if not frame.usual_dct:
        raise BlocksUnavailable("its kind of JPEG coding can't be written")
    if any(largest_h % c.horizontal or largest_v % c.vertical or c.table not in tables for c in frame.components):
        raise BlocksUnavailable(f"its sampling ({frame.sampling}) can't be written")
    try:
        import jpeglib
    except ImportError as error:
        raise BlocksUnavailable("pip install 'overpaint[jpeg]' carries untouched blocks over") from error
    with _LOCK, tempfile.TemporaryDirectory(prefix="overpaint-") as folder, jpeglib.version(_SEQUENTIAL):
        try:
            image, coefficients = _coefficients(jpeglib, bare(file.parts), Path(folder))
            changed = _replace_blocks(coefficients, file, samples, touched)
            new = _written(jpeglib, image, coefficients, file, Path(folder))
        except (OSError, RuntimeError, AttributeError, KeyError) as error:
            raise BlocksUnavailable(f"jpeglib can't rewrite it: {error}") from error
    kept = [p for p in new if not (APP0 <= p.marker <= 0xEF or p.marker == COM)]
    return CarriedBlocks(kept, changed)


def _coefficients(jpeglib: Any, data: bytes, folder: Path) -> tuple[Any, Planes]:
    """jpeglib's image, and (rows, columns, 8, 8) of each component, which may be written to."""
    path = folder / "source.jpeg"
    path.write_bytes(data)
    image = jpeglib.read_dct(str(path))
    image.load()
    planes = [image.Y, image.Cb, image.Cr, image.K]
    return image, [np.require(plane, np.int16, ["C", "W"]) for plane in planes if plane is not None]


def _replace_blocks(coefficients: Planes, file: JpegFile, samples: NDArray[np.uint8], touched: Flags) -> Flags:
    """Set the blocks that were touched; returns the pixels that may decode to something else."""
    frame, tables = file.frame, natural_tables(file.parts)
    height, width = samples.shape[:2]
    largest_h, largest_v = frame.largest
    unit_h, unit_w = 8 * largest_v, 8 * largest_h
    pad = ((0, -height % unit_h), (0, -width % unit_w))
    units = _tiles(np.pad(touched, pad), unit_h, unit_w)
    where = np.argwhere(units.any(axis=(2, 3)))
    tiles = _tiles(np.pad(samples, (*pad, (0, 0)), mode="edge"), unit_h, unit_w)
    blocks: list[Flags] = [np.zeros(plane.shape[:2], np.bool_) for plane in coefficients]
    for start in range(0, len(where), max(1, _AT_ONCE // (unit_h * unit_w))):
        some = where[start : start + max(1, _AT_ONCE // (unit_h * unit_w))]
        inks = _components(tiles[some[:, 0], some[:, 1]], file.transform)
        marks = units[some[:, 0], some[:, 1]]
        for i, component in enumerate(frame.components):
            step_y, step_x = largest_v // component.vertical, largest_h // component.horizontal
            new = _transformed(inks[..., i], step_y, step_x, tables[component.table])
            mark = marks.reshape(len(some), component.vertical, 8 * step_y, component.horizontal, 8 * step_x)
            index, down, right = np.nonzero(mark.any(axis=(2, 4)))
            rows = some[index, 0] * component.vertical + down
            columns = some[index, 1] * component.horizontal + right
            inside = (rows < blocks[i].shape[0]) & (columns < blocks[i].shape[1])
            place = (rows[inside], columns[inside])
            coefficients[i][place] = new[index[inside], down[inside], right[inside]]
            blocks[i][place] = True
    changed = np.zeros((height, width), np.bool_)
    for component, block in zip(frame.components, blocks, strict=True):
        changed |= _pixels_of(block, largest_v // component.vertical, largest_h // component.horizontal, height, width)
    return changed


def _tiles(values: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """(rows, columns, height, width, ...): a view of an array whose sides are multiples of a tile's."""
    rows, columns = values.shape[0] // height, values.shape[1] // width
    return values.reshape(rows, height, columns, width, *values.shape[2:]).swapaxes(1, 2)


def _components(tiles: NDArray[np.uint8], transform: str) -> NDArray[np.float32]:
    """(n, h, w, C) colours as the file's components, around 0."""
    values = tiles.astype(np.float32)
    if transform == "cmyk":  # stored inverted, as Adobe does
        return 127 - values
    if transform == "ycck":  # the complement of the stored values, 255 - ink, is transformed, so the ink itself
        ycc = values[..., :3] @ _YCC.T
        ycc[..., 0] -= 128
        return np.concatenate([ycc, 127 - values[..., 3:]], axis=-1)
    if transform == "ycc":
        values = values @ _YCC.T
        values[..., 0] -= 128
        return values
    return values - 128


def _transformed(plane: NDArray[np.float32], step_y: int, step_x: int, table: NDArray[np.float32]) -> NDArray[np.int16]:
    """(n, H, W) of one component as quantised blocks (n, rows, columns, 8, 8), averaged over its sampling steps."""
    count, height, width = plane.shape
    if step_y > 1 or step_x > 1:
        plane = plane.reshape(count, height // step_y, step_y, width // step_x, step_x).mean(axis=(2, 4))
        height, width = height // step_y, width // step_x
    blocks = plane.reshape(count, height // 8, 8, width // 8, 8).swapaxes(2, 3)
    quantised = np.rint(_COSINES @ blocks @ _COSINES.T / table)
    return np.clip(quantised, -1024, 1023).astype(np.int16)


def _pixels_of(blocks: Flags, step_y: int, step_x: int, height: int, width: int) -> Flags:
    """The pixels that blocks of one component are decoded to.

    Decoders interpolate components that have fewer samples than there are pixels ("fancy upsampling"): a block's last
    sample also shows in the pixel next to the block.
    """
    import cv2

    covered = np.zeros((height, width), np.uint8)
    whole = blocks.repeat(8 * step_y, axis=0).repeat(8 * step_x, axis=1)[:height, :width]
    covered[: whole.shape[0], : whole.shape[1]] = whole
    down, right = ({1: 0, 2: 1}.get(step, 2) for step in (step_y, step_x))
    reached: NDArray[np.uint8] = cv2.dilate(covered, np.ones((2 * down + 1, 2 * right + 1), np.uint8))
    return reached.astype(np.bool_)


def _written(jpeglib: Any, image: Any, coefficients: Planes, file: JpegFile, folder: Path) -> list[JpegSegment]:
    """The segments of a file with these coefficients; progressive if the original was."""
    if len(coefficients) == 4:
        return _written_apart(jpeglib, coefficients, file, folder)
    # `carried_over` has chosen the other library, and each choice searches a folder.
    with jpeglib.version(_PROGRESSIVE) if file.frame.progressive else contextlib.nullcontext():
        image.Y = coefficients[0]
        if len(coefficients) == 3:
            image.Cb, image.Cr = coefficients[1], coefficients[2]
        image.qt, image.markers = 0, None  # no tables given: those of the original stay, component numbers too
        target = folder / "target.jpeg"
        image.write_dct(str(target))
    return list(segments(target.read_bytes()))


def _written_apart(jpeglib: Any, coefficients: Planes, file: JpegFile, folder: Path) -> list[JpegSegment]:
    """Four components: jpeglib never writes the fourth one's new coefficients. Each is written as a grey picture, and
    their scans are put behind one frame header, one scan a component (T.81, A.2.2: not interleaved)."""
    tables = [p for p in file.parts if p.marker == DQT]
    header = next(p for p in file.parts if p.marker in FRAMES)
    found = [*tables, JpegSegment(0xC1 if header.marker not in (0xC0, 0xC1) else header.marker, header.body)]
    for component, plane in zip(file.frame.components, coefficients, strict=True):
        target = folder / "component.jpeg"
        ones = np.ones((1, 8, 8), np.uint16)
        jpeglib.from_dct(np.ascontiguousarray(plane), qt=ones).write_dct(str(target))
        for part in segments(target.read_bytes()):
            if part.marker == DHT:
                found.append(part)
            elif part.marker == SOS:  # one component, with Huffman tables 0 and 0
                found.append(JpegSegment(SOS, bytes((1, component.identifier, 0, 0, 63, 0)), part.scan))
    return found
