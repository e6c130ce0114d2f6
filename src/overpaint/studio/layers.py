"""An edit as layers: a PSD that Photoshop, GIMP, Krita and Affinity open."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import OutputError
from overpaint.files import write_file
from overpaint.geometry import Box
from overpaint.picture import Colour, Picture, Samples

if TYPE_CHECKING:
    from ._edited import Edited, PaintedRegion

_MODES = {Colour.GREY: "L", Colour.RGB: "RGB", Colour.CMYK: "CMYK"}
_MOST_SIDE = 30_000  # of the PSD format


def save_layers(edited: Edited, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a PSD: the original at the bottom, each painted region above it with its composite mask as layer mask.

    The layers hold the painted pixels unblended, so that a retoucher can soften or widen the edge; the merged preview
    is what the layers give, in the picture's own depth and with its profile.

    Args:
        edited: The edit.
        path: Where to write; named .psd.
        overwrite: Whether an existing file may be replaced.

    Raises:
        OutputError: The file exists, or the picture is larger than the format allows (30,000 pixels a side).
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists already: choose another name, or allow it to be overwritten")
    if max(edited.picture.size) > _MOST_SIDE:
        raise OutputError(f"a PSD holds at most {_MOST_SIDE} pixels a side, and the picture is {edited.picture.size}")
    buffer = io.BytesIO()
    _document(edited).save(buffer)
    write_file(target, buffer.getvalue(), overwrite=overwrite)
    return target


def _document(edited: Edited) -> Any:
    from psd_tools import PSDImage
    from psd_tools.constants import Resource

    stage = edited.stage
    mode, depth = _MODES[stage.colour], stage.depth
    document = PSDImage.new(mode, (stage.size.width, stage.size.height), depth=depth)
    if stage.metadata.icc is not None:
        document.image_resources[Resource.ICC_PROFILE] = _resource(Resource.ICC_PROFILE, stage.metadata.icc)
    _layer(document, "Original", stage.samples, stage.alpha, stage.size.box)
    for number, region in enumerate(edited.regions, start=1):
        name = f"{edited.request.intent.capitalize()} {number}" if len(edited.regions) > 1 else _title(edited)
        _layer(document, name, _painted(region, stage), _mask(region, stage), region.box)
    return document


def _title(edited: Edited) -> str:
    return edited.request.intent.capitalize()


def _painted(region: PaintedRegion, stage: Picture) -> Samples:
    patch = np.clip(np.rint(region.patch), 0, stage.maximum)
    painted: Samples = patch.astype(stage.samples.dtype)
    return painted


def _mask(region: PaintedRegion, stage: Picture) -> Samples:
    mask: Samples = np.rint(region.weight * stage.maximum).astype(stage.samples.dtype)
    return mask


def _layer(document: Any, name: str, samples: Samples, mask: NDArray[Any] | None, box: Box) -> None:
    """A pixel layer at the box, the mask (or the picture's alpha) as its layer mask."""
    pixels = samples if mask is None else np.dstack([samples, mask])
    layer = document.create_pixel_layer_from_array(pixels, top=box.top, left=box.left)
    # Set afterwards: given at creation, the name is written without its Unicode block, and GIMP shows rubbish.
    layer.name = name


def _resource(kind: Any, data: bytes) -> Any:
    from psd_tools.psd.image_resources import ImageResource

    return ImageResource(key=kind.value, name="", data=data)
