"""Writing OpenRaster (.ora): a zip file with a list of layers and a PNG file for each
(https://www.openraster.org/baseline/file-layout-spec.html).

The format has no layer masks. A layer's mask is its PNG's alpha; the colours below it are the whole paint, so that
Krita ("Split Alpha into Mask") and GIMP ("Add Layer Mask: Transfer layer's alpha channel") turn it back into a mask
that can be widened. The result's transparency is an uppermost layer that erases what is below it ("svg:dst-out").
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO
from xml.sax.saxutils import quoteattr
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from overpaint.errors import FormatError
from overpaint.geometry import Box, Size
from overpaint.picture import Colour, Metadata, Picture, Samples
from overpaint.picture.colour import converter_for
from overpaint.picture.png_write import metadata_chunks, write_blocks

from ._values import Layer, LayeredPicture, LayerGroup, LayerNode, LayerPixels, plain_name

MIMETYPE = "image/openraster"
THUMBNAIL = 256  # pixels of its longer side
_ROWS = 64  # so many rows are coded at a time


def check_openraster(colour: Colour) -> None:
    """Raise FormatError for colours that OpenRaster can't hold."""
    if colour is Colour.CMYK:
        message, hint = "OpenRaster can't hold CMYK: its layers are PNG files", "name it .psd"
        raise FormatError(message, field="layers", value=str(colour), hint=hint)


def write_openraster(layered: LayeredPicture, file: BinaryIO) -> None:
    """Write an OpenRaster file: the original, above it each layer, and the merged result.

    Raises:
        FormatError: The picture is CMYK.
    """
    check_openraster(layered.merged.colour)
    OpenRasterArchive(layered, file).write()


class OpenRasterArchive:
    """A file that is being written."""

    def __init__(self, layered: LayeredPicture, file: BinaryIO) -> None:
        self._layered = layered
        self._file = file
        self._count = 0
        own = layered.metadata("ora").metadata
        colour = Metadata(icc=own.icc, code_points=own.code_points, dpi=own.dpi)
        self._chunks = tuple(metadata_chunks(replace(layered.merged, metadata=colour)))

    def write(self) -> None:
        """Write all of it."""
        layered = self._layered
        merged, alpha = layered.merged, layered.transparency
        with ZipFile(self._file, "w") as self._archive:
            self._add("mimetype", MIMETYPE.encode(), stored=True)
            base = layered.base.samples
            lines = [self._layer("Original", merged.size.box, lambda rows: base[rows])]
            lines += [line for node in layered.layers for line in self._node(node)]
            if alpha is not None:
                lines.append(self._layer("Transparency", merged.size.box, self._erased(alpha), how="svg:dst-out"))
            self._add("stack.xml", self._stack(lines).encode(), stored=False)
            chunks = metadata_chunks(replace(merged, metadata=layered.metadata("ora").metadata))
            self._png("mergedimage.png", merged.size, _interleaved(merged), chunks)
            small = _thumbnail(merged)
            self._png("Thumbnails/thumbnail.png", Size(small.shape[1], small.shape[0]), lambda rows: small[rows], ())

    def _stack(self, lines: Iterable[str]) -> str:
        width, height = self._layered.merged.size
        dpi = self._layered.merged.metadata.dpi
        resolution = "" if dpi is None else ' xres="{}" yres="{}"'.format(*(max(1, round(one)) for one in dpi))
        # The uppermost layer comes first.
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<image version="0.0.5" w="{width}" h="{height}"{resolution}>\n<stack>\n'
            + "".join(f"{line}\n" for line in reversed(list(lines)))
            + "</stack>\n</image>\n"
        )

    def _node(self, node: LayerNode) -> Iterator[str]:
        """Lines from below to above: a group's end stands before its members, its beginning after them."""
        if isinstance(node, LayerGroup):
            yield "</stack>"
            for member in node.members:
                yield from self._node(member)
            yield f"<stack {_attributes(node.name, visible=node.visible)}>"
            return
        yield self._painted(node)

    def _painted(self, layer: Layer) -> str:
        pixels = layer.read()
        rows = _masked(pixels, self._layered.base)
        return self._layer(layer.name, layer.box, rows, layer.opacity, visible=layer.visible)

    def _layer(
        self,
        name: str,
        box: Box,
        rows: Callable[[slice], Samples],
        opacity: float = 1.0,
        *,
        visible: bool = True,
        how: str = "svg:src-over",
    ) -> str:
        """Write a layer's PNG file; its line in the list of layers."""
        path = f"data/layer{self._count:04}.png"
        self._count += 1
        self._png(path, box.size, rows, self._chunks)
        place = f'src="{path}" x="{box.left}" y="{box.top}"'
        return f'<layer {_attributes(name, visible=visible)} {place} opacity="{opacity:.6g}" composite-op="{how}"/>'

    def _erased(self, alpha: Samples) -> Callable[[slice], Samples]:
        merged = self._layered.merged

        def rows(part: slice) -> Samples:
            erased = np.subtract(merged.maximum, alpha[part], dtype=alpha.dtype)
            return np.dstack([np.zeros_like(merged.samples[part]), erased])

        return rows

    def _png(
        self, name: str, size: Size, rows: Callable[[slice], Samples], chunks: Iterable[tuple[bytes, bytes]]
    ) -> None:
        parts = (slice(top, min(top + _ROWS, size.height)) for top in range(0, size.height, _ROWS))
        large = size.area * 8 > 1 << 31  # bytes of RGB and alpha in 16 bits
        with self._archive.open(_entry(name), "w", force_zip64=large) as file:
            write_blocks(file, size, (rows(part) for part in parts), chunks)

    def _add(self, name: str, data: bytes, *, stored: bool) -> None:
        info = _entry(name)
        info.compress_type = ZIP_STORED if stored else ZIP_DEFLATED
        self._archive.writestr(info, data)


def _entry(name: str) -> ZipInfo:
    info = ZipInfo(name, time.localtime()[:6])
    info.external_attr = 0o100644 << 16
    return info


def _attributes(name: str, *, visible: bool) -> str:
    return f'name={quoteattr(plain_name(name))} visibility="{"visible" if visible else "hidden"}"'


def _masked(pixels: LayerPixels, base: Picture) -> Callable[[slice], Samples]:
    """Rows of a layer's paint, with its mask as their alpha."""
    most = np.float32(base.maximum)

    def rows(part: slice) -> Samples:
        alpha = np.rint(pixels.mask[part] * most).astype(base.samples.dtype)
        return np.dstack([pixels.samples[part], alpha])

    return rows


def _interleaved(picture: Picture) -> Callable[[slice], Samples]:
    def rows(part: slice) -> Samples:
        samples = picture.samples[part]
        return samples if picture.alpha is None else np.dstack([samples, picture.alpha[part]])

    return rows


def _thumbnail(picture: Picture) -> Samples:
    """(h, w, 3 or 4) uint8 sRGB, its longer side at most 256 pixels."""
    import cv2

    scale = min(1.0, THUMBNAIL / max(picture.size))
    size = [max(1, round(side * scale)) for side in picture.size]
    planes = [picture.samples, *([] if picture.alpha is None else [picture.alpha[..., None]])]
    small = [cv2.resize(one, size, interpolation=cv2.INTER_AREA).reshape(*size[::-1], one.shape[2]) for one in planes]
    levels = np.float32(255 / picture.maximum)
    canvas = np.clip(converter_for(picture, "srgb").to_canvas(small[0]), 0, 1) * np.float32(255)
    return np.dstack([np.rint(one).astype(np.uint8) for one in (canvas, *(alpha * levels for alpha in small[1:]))])
