"""A picture in layers, and the files that Photoshop, GIMP, Krita, Affinity and MyPaint open: PSD and OpenRaster."""

from ._files import (
    LAYERED_EXTENSIONS,
    check_layered,
    encode_layers,
    layered_format,
    layers_notes,
    prepare_layers,
    write_layers,
)
from ._values import Layer, LayeredPicture, LayerGroup, LayerNode, LayerPixels, layers_of, title_of

__all__ = [
    "LAYERED_EXTENSIONS",
    "Layer",
    "LayerGroup",
    "LayerNode",
    "LayerPixels",
    "LayeredPicture",
    "check_layered",
    "encode_layers",
    "layered_format",
    "layers_notes",
    "layers_of",
    "prepare_layers",
    "title_of",
    "write_layers",
]
