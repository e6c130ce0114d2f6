"""Upscalers from files, by spandrel's architectures (extra restore), in tiles whose seams can't be seen.

A tile is enlarged with MARGIN more pixels on each side. Of these the outer ones, which lack their surroundings, are not
used, and over BLEND pixels around the border of two tiles one goes over into the other. Where a network looks no
further than MARGIN - BLEND / 2 pixels, the result is that of the whole picture at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from overpaint.engines.spandrel_import import torchvision_stood_in
from overpaint.errors import MissingExtraError, ModelError
from overpaint.models import ModelRef, find_network, store_folder
from overpaint.models.places import further_folders
from overpaint.models.values import What

from .self_taught import Plane

TILE = 192
"""Pixels of a tile's side, without its margin."""

MARGIN = 32
"""Pixels around a tile that the network sees too."""

BLEND = 16
"""Pixels over which two tiles go over into each other."""

_ENDINGS = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")
_WRAPPERS = ("params_ema.", "params.", "state_dict.")
"""What training programs put before the names of all tensors; the first that is there counts."""


class SpandrelUpscaler:
    """A network of spandrel's that enlarges.

    Attributes:
        ref: Its file, licence and name.
        name: Its name.
        scale: How many times as wide it makes a picture.
        architecture: Its layout: "ESRGAN", "SwinIR" ...
        device: Where it computes.
    """

    def __init__(self, ref: ModelRef, descriptor: Any) -> None:
        self.ref, self.name = ref, ref.name
        self.device = str(descriptor.device)
        self.scale: int = descriptor.scale
        self.architecture: str = descriptor.architecture.name
        self._descriptor = descriptor

    def __call__(self, colours: Plane, on_tile: Callable[[int, int], None] = lambda _tile, _tiles: None) -> Plane:
        """As `Upscaler`. One tile at a time is on the device."""
        return tiled(self._enlarged, colours, self.scale, on_tile, whole=self._descriptor.tiling.name == "INTERNAL")

    def _enlarged(self, part: Plane) -> Plane:
        import torch

        own = self._descriptor
        image = torch.from_numpy(np.ascontiguousarray(part.transpose(2, 0, 1))[None]).to(own.device)
        # A network that knows grey alone is given each channel by itself.
        rows = [image] if own.input_channels == 3 else list(image.split(1, dim=1))
        made = torch.cat([own(row) for row in rows], dim=1)
        return np.ascontiguousarray(made[0].float().cpu().numpy().transpose(1, 2, 0))


class EnlargesPart(Protocol):
    """Enlarges a part of a picture, (h, w, C) float32, to (scale h, scale w, C)."""

    def __call__(self, part: Plane) -> Plane:
        """The part enlarged."""


def tiled(
    enlarged: EnlargesPart,
    colours: Plane,
    scale: int,
    on_tile: Callable[[int, int], None],
    *,
    whole: bool = False,
) -> Plane:
    """A picture enlarged tile by tile.

    Args:
        enlarged: The network.
        colours: (H, W, C) float32.
        scale: How many times as wide a tile becomes.
        on_tile: Called after each tile.
        whole: Whether there is one tile only.
    """
    height, width = colours.shape[:2]
    result = np.zeros((height * scale, width * scale, colours.shape[2]), np.float32)
    rows, columns = ([(0, side)] if whole else list(_cuts(side)) for side in (height, width))
    for number, (row, column) in enumerate((row, column) for row in rows for column in columns):
        (top, bottom), (left, right) = (
            (max(0, one[0] - MARGIN), min(side, one[1] + MARGIN)) for one, side in ((row, height), (column, width))
        )
        part = enlarged(colours[top:bottom, left:right])
        down, across = _ramp(row, (top, bottom), height, scale), _ramp(column, (left, right), width, scale)
        result[top * scale : bottom * scale, left * scale : right * scale] += part * (down[:, None] * across)[..., None]
        on_tile(number + 1, len(rows) * len(columns))
    return result


def _cuts(side: int) -> Iterator[tuple[int, int]]:
    """Where tiles begin and end along a side; the last one is no thinner than half a tile."""
    begin = 0
    while side - begin > TILE * 3 // 2:
        yield begin, begin + TILE
        begin += TILE
    yield begin, side


def _ramp(own: tuple[int, int], seen: tuple[int, int], side: int, scale: int) -> Plane:
    """(scale x length,) weights of what is seen along a side: 1 within the tile, and falling around its borders."""
    at = (np.arange(seen[0] * scale, seen[1] * scale, dtype=np.float32) + np.float32(0.5)) / np.float32(scale)
    weights = np.ones_like(at)
    if own[0] > 0:
        weights *= np.clip((at - own[0]) / BLEND + np.float32(0.5), 0, 1)
    if own[1] < side:
        weights *= 1 - np.clip((at - own[1]) / BLEND + np.float32(0.5), 0, 1)
    return weights


def load_upscaler(
    name: str, *, paths: bool = True, allow_pickle: bool = False, device: str = "auto"
) -> SpandrelUpscaler:
    """An upscaler's network. Nothing is downloaded.

    Args:
        name: A path, or the name of a file in the store or in a folder of OVERPAINT_MODEL_PATH.
        paths: Whether a path is taken at all.
        allow_pickle: Whether a pickle (.pth) may be read; no code in it is run.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        ModelError: There is none of this name; it is damaged, of a layout that nobody knows, or no upscaler; or it is a
            pickle that is not allowed.
        MissingExtraError: spandrel is not installed.
        EngineError: The device does not exist.
    """
    from overpaint.engines.diffusion.devices import device_of

    ref = found_network(name, "upscaler", paths=paths, allow_pickle=allow_pickle)
    path = ref.path
    with torchvision_stood_in():
        try:
            from spandrel import ImageModelDescriptor, ModelLoader
        except ImportError as error:
            raise MissingExtraError.of(f"the upscaler {path.stem}", "restore") from error
    tensors = model_tensors(path, allow_pickle=allow_pickle)
    try:
        descriptor = ModelLoader(device_of(device)).load_from_state_dict(tensors)
    except Exception as error:  # any tensors may be in the file
        reason = "spandrel knows no network with its tensors" if "nsupported" in type(error).__name__ else str(error)
        raise ModelError(f"{path.name} can't be loaded: {reason.splitlines()[0]}", field="model", value=name) from error
    channels = {descriptor.input_channels, descriptor.output_channels}
    if not isinstance(descriptor, ImageModelDescriptor) or descriptor.purpose != "SR" or descriptor.scale < 2:
        message = f"{path.name} is a network of {descriptor.architecture.name} that does not enlarge"
        raise ModelError(message, field="model", value=name)
    if channels not in ({3}, {1}):
        raise ModelError(f"{path.name} is not for pictures of 3 channels or 1", field="model", value=name)
    descriptor.float().eval()
    descriptor.model.requires_grad_(False)
    return SpandrelUpscaler(ref, descriptor)


def found_network(name: str, what: What, *, paths: bool = True, allow_pickle: bool = False) -> ModelRef:
    """As `overpaint.models.find_network`; one from a path is called as its file, without extension."""
    ref = find_network(name, what, paths=paths, allow_pickle=allow_pickle)
    return replace(ref, name=ref.path.stem) if Path(name).name == ref.path.name else ref


def model_tensors(path: Path, *, allow_pickle: bool) -> dict[str, Any]:
    """The tensors of a file by the names that their network has for them. Raises ModelError."""
    from overpaint.engines.diffusion.weights import read_tensors

    tensors = read_tensors(path, allow_pickle=allow_pickle)
    for prefix in _WRAPPERS:
        if own := {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}:
            return own
    return tensors


def model_file(name: str, what: str, *, paths: bool = True) -> Path:
    """The file of a path, or of a name in the store or in a folder of OVERPAINT_MODEL_PATH.

    Raises:
        ModelError: There is none.
    """
    if paths and Path(name).expanduser().is_file():
        return Path(name).expanduser()
    if not {"/", "\\"} & set(name):
        for folder in (store_folder(), *further_folders()):
            for ending in ("", *_ENDINGS):
                if (folder / f"{name}{ending}").is_file():
                    return folder / f"{name}{ending}"
    hint = "give the path of its file, or put it into a folder of OVERPAINT_MODEL_PATH"
    raise ModelError(f"there is no {what} {name!r}", field="model", value=name, hint=hint)
