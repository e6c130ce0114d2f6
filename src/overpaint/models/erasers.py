"""Erasers: networks that fill a hole from its surroundings, without a prompt; which file is which, and their parts.

LaMa, MI-GAN and MAT are recognised by the names of their tensors. The others come as TorchScript programs, and are
recognised by their published file names, as their weights have no names in common.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overpaint.errors import ModelError

from .catalogue import ERASERS, OTHER_NETWORKS, CatalogueEntry, released
from .networks import onnx_network_of
from .onnx_graph import OnnxGraph, Port, read_graph
from .values import NETWORK_TITLES, Form, Kind

FIRST_OF = {
    "lama": "model.1.ffc.convl2l.weight",
    "migan": "encoder.b4.conv1.conv1.weight",
    "mat": "synthesis.first_stage.conv_first.conv.resample_filter",
    "osor": "unet.conv_out.weight",
}
"""A tensor that only this network has, by the network; other files put more before the name."""

_BY_FILE_NAME = {"lama": r"lama", "migan": r"mi-?gan", "fcf": r"fcf"}
"""Networks of TorchScript programs in one file, whose own names are not published ones."""


def eraser_of(names: Mapping[str, Any], form: Form, path: Path) -> Kind | None:
    """The kind of a file with tensors of these names, if it is an eraser, or one of its parts."""
    for network, first in FIRST_OF.items():
        found = next((one for name, one in names.items() if name == first or name.endswith(f".{first}")), None)
        if found is not None and (network != "osor" or _has_alpha_head(names, found)):
            return Kind("eraser", form, network=network)
    if form != "torchscript":
        return None
    if (known := released(path.name)) is not None:
        row, file = known
        if row.what == "eraser" and file != row.files[0]:
            because = f"a part of the eraser {row.name}, which is named by {row.files[0].name}"
            return Kind("other", form, because=because)
        if row.what == "eraser":
            return Kind("eraser", form, network=row.network)
    for network, pattern in _BY_FILE_NAME.items():
        if re.search(pattern, path.stem.lower()):
            return Kind("eraser", form, network=network)
    return Kind("other", form, because="a TorchScript program of a network that is not known")


def _has_alpha_head(names: Mapping[str, Any], last: Any) -> bool:
    """Whether a file is OSOR's: a LoRA beside a last convolution of five channels, four of noise and one of alpha."""
    return tuple(last.shape)[:1] == (5,) and any(".lora_A." in name for name in names)


def eraser_folder(path: Path) -> Kind | None:
    """The kind of a folder with all files of an eraser."""
    for row in ERASERS:
        if len(row.files) > 1 and all((path / one.name).is_file() for one in row.files):
            return Kind("eraser", "torchscript", network=row.network)
    return None


def parts_of(path: Path, kind: Kind) -> dict[str, Path]:
    """The files of an eraser's parts by their published names; of one in a single file, that file by its own.

    Raises:
        ModelError: A part is not beside the others.
    """
    row = next((one for one in ERASERS if one.network == kind.network and len(one.files) > 1), None)
    if row is None:
        return {path.name: path}
    folder = path if path.is_dir() else path.parent
    found = {one.name: folder / one.name for one in row.files}
    if missing := [name for name, one in found.items() if not one.is_file()]:
        raise ModelError(
            f"{NETWORK_TITLES[kind.network]} has {len(found)} files, of which {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not in {folder}",
            code="model-incomplete",
            field="model",
            value=missing[0],
        )
    return found


def onnx_kind(path: Path) -> Kind:
    """The kind of an ONNX file: LaMa or MI-GAN's pipeline by what it takes, else "other" with what it takes."""
    graph = read_graph(path)
    network = onnx_network(graph)
    if network is None and (other := onnx_network_of(graph)) is not None:
        return other
    if network is None:
        takes = ", ".join(map(str, graph.inputs)) or "nothing"
        because = f"an ONNX file that takes {takes}: an eraser takes a picture and a mask"
        return Kind("other", "onnx", because=because)
    return Kind("eraser", "onnx", network=network)


def onnx_network(graph: OnnxGraph) -> str | None:
    """The network of a graph that takes a picture [1, 3, H, W] and a mask [1, 1, H, W], and gives a picture.

    float32 is LaMa (Carve/LaMa-ONNX, OpenCV's zoo), uint8 MI-GAN's pipeline; None for any other graph.
    """
    if len(graph.inputs) != 2 or not graph.outputs:
        return None
    picture, mask = graph.inputs
    fits = _is_picture(picture, 3) and _is_picture(mask, 1) and picture.dtype == mask.dtype
    return {"float32": "lama", "uint8": "migan"}.get(picture.dtype) if fits else None


def _is_picture(port: Port, channels: int) -> bool:
    if len(port.shape) != 4:
        return False
    batch, depth, height, width = port.shape
    square = height == width or None in (height, width)  # sides that are fixed are those of a square
    return square and batch in (1, None) and depth in (channels, None)


def row_of(path: Path, kind: Kind) -> CatalogueEntry | None:
    """The catalogue's entry of a network, by its file's name, else by a network that has one set of weights only."""
    if (known := released(path.name)) is not None:
        return known[0]
    rows = [row for row in (*ERASERS, *OTHER_NETWORKS) if row.network == kind.network]
    return rows[0] if len(rows) == 1 else None
