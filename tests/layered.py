"""Layered pictures for tests, and what programs find in their files: psd-tools in PSD, a reading of our own in ORA."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
from defusedxml import ElementTree
from hypothesis import strategies as st

from overpaint.composite import lay
from overpaint.geometry import Box, Size
from overpaint.layers import Layer, LayeredPicture, LayerGroup, LayerPixels
from overpaint.picture import Picture, open_picture
from test_untouched import MODES, picture_of


@dataclass
class Laid:
    """A patch as the compositor takes it."""

    box: Box
    patch: np.ndarray
    weight: np.ndarray
    opacity: np.ndarray | None = None


def layered_of(
    base: Picture, boxes: list[Box], *, seed: int = 0, soft: bool = True, opacities: list[float] | None = None
) -> LayeredPicture:
    """Noise in these boxes, one layer each, over a picture whose alpha is left out; the result is the compositor's."""
    rng = np.random.default_rng(seed)
    opacities = opacities or [1.0] * len(boxes)
    samples, layers = base.samples.copy(), []
    for number, (box, opacity) in enumerate(zip(boxes, opacities, strict=True)):
        shape = box.size.shape
        paint = rng.integers(0, base.maximum + 1, (*shape, base.colour.samples)).astype(base.samples.dtype)
        mask = rng.random(shape, dtype=np.float32)
        mask = np.clip(mask * 2 - 0.5, 0, 1).astype(np.float32) if soft else np.rint(mask)
        lay(samples, None, [Laid(box, paint.astype(np.float32), mask * np.float32(opacity))], "keep")
        pixels = LayerPixels(paint, mask)
        layers.append(Layer(f"Layer {number}", box, lambda pixels=pixels: pixels, opacity))
    return LayeredPicture(base, tuple(layers), base.with_pixels(samples, base.alpha))


@st.composite
def layered_pictures(draw: st.DrawFn, *, modes: tuple[str, ...] = (*MODES, "cmyk+alpha")) -> LayeredPicture:
    """Odd sizes, boxes of one pixel or at the borders, names in any script, groups in groups, hidden layers."""
    size = Size(draw(st.integers(1, 140)), draw(st.integers(1, 70)))
    base = picture_of(size, draw(st.sampled_from(modes)), draw(st.sampled_from([8, 16])), draw(st.integers(0, 9)))
    boxes = []
    for _ in range(draw(st.integers(0, 4))):
        left, top = draw(st.integers(0, size.width - 1)), draw(st.integers(0, size.height - 1))
        right, bottom = draw(st.integers(left + 1, size.width)), draw(st.integers(top + 1, size.height))
        boxes.append(Box(left, top, right, bottom))
    opacities = [draw(st.sampled_from([0.0, 0.2, 0.6, 1.0])) for _ in boxes]
    made = layered_of(base, boxes, seed=draw(st.integers(0, 99)), soft=draw(st.booleans()), opacities=opacities)
    name = st.text(max_size=300)
    nodes: list[Any] = []
    for layer in made.layers:
        assert isinstance(layer, Layer)
        one: Any = Layer(draw(name), layer.box, layer.read, layer.opacity, True)
        for _ in range(draw(st.integers(0, 2))):
            hidden = Layer(draw(name), layer.box, layer.read, 1.0, False)
            one = LayerGroup(draw(name), (one, hidden) if draw(st.booleans()) else (hidden, one))
        nodes.append(one)
    return LayeredPicture(base, tuple(nodes), made.merged)


def parts_of_ora(data: bytes) -> tuple[zipfile.ZipFile, Any]:
    """The archive, and its list of layers."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    return archive, ElementTree.fromstring(archive.read("stack.xml"))


def composed_ora(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, C) and (H, W) float64 in [0, 1]: an OpenRaster file's layers composited by its specification."""
    archive, image = parts_of_ora(data)
    width, height = int(image.get("w")), int(image.get("h"))
    first = open_picture(archive.read("mergedimage.png"))
    colour, alpha = np.zeros((height, width, first.colour.samples)), np.zeros((height, width))

    def paint(node: Any) -> None:
        if node.get("visibility") == "hidden":
            return
        if node.tag == "stack":
            for one in reversed(node):
                paint(one)
            return
        layer = open_picture(archive.read(node.get("src")))
        box = layer.size.box.shift(int(node.get("x")), int(node.get("y")))
        own = np.ones(layer.size.shape) if layer.alpha is None else layer.alpha / layer.maximum
        own = own * float(node.get("opacity"))
        inside = box.intersect(Box(0, 0, width, height))
        if inside.empty:
            return
        part = inside.shift(-box.left, -box.top).slices
        samples, own = layer.samples[part], own[part]
        below, here = alpha[inside.slices], colour[inside.slices]
        if node.get("composite-op") == "svg:dst-out":
            below *= 1 - own
            return
        assert node.get("composite-op") == "svg:src-over"
        over = own + below * (1 - own)
        share = np.divide(own, over, out=np.zeros_like(own), where=over > 0)[..., None]
        here[...] = samples / layer.maximum * share + here * (1 - share)
        below[...] = over

    paint(image.find("stack"))
    return colour, alpha


def composed_psd(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The same of a PSD file as psd-tools composites it; inks positive."""
    from psd_tools import PSDImage
    from psd_tools.composite import composite

    document = PSDImage.open(io.BytesIO(data))
    colour, _, alpha = composite(document, force=True)
    colour = np.asarray(colour, np.float64)
    return (1 - colour if colour.shape[2] == 4 else colour), np.asarray(alpha[..., 0], np.float64)


def largest_difference(composed: tuple[np.ndarray, np.ndarray], wanted: Picture) -> float:
    """In levels, of what can be seen: colour where anything shows, and alpha."""
    colour, alpha = (np.rint(one * wanted.maximum) for one in composed)
    own = np.full(wanted.size.shape, wanted.maximum) if wanted.alpha is None else wanted.alpha
    shows = own > 0
    apart = np.abs(colour - wanted.samples)[shows]
    return max(float(apart.max(initial=0)), float(np.abs(alpha - own).max()))
