"""An edit as layers: a PSD that Photoshop, GIMP, Krita and Affinity open."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from overpaint.errors import OutputError
from overpaint.files import check_writable, write_file
from overpaint.geometry import Box
from overpaint.picture import Colour, Picture, Samples
from overpaint.picture.colour import icc_of

if TYPE_CHECKING:
    from psd_tools import PSDImage
    from psd_tools.api.layers import PixelLayer

    from ._edited import Edited

_MODES = {Colour.GREY: "L", Colour.RGB: "RGB", Colour.CMYK: "CMYK"}
LARGEST_SIDE = 30_000  # pixels, of the PSD format


def save_layers(edited: Edited, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a PSD file: the original at the bottom, each painted region above it with its composite mask as layer mask.

    The layers hold the painted pixels unblended, so that a retoucher can soften or widen the edge. The merged preview
    is what the layers give. Depth and colour profile are the picture's; layer masks have 8 bits.

    Args:
        edited: The edit.
        path: Where to write; named .psd.
        overwrite: Whether an existing file may be replaced.

    Raises:
        OutputError: The file exists, or the picture is larger than the format allows (30,000 pixels a side).
    """
    target = Path(path)
    check_writable(target, overwrite=overwrite)
    if max(edited.picture.size) > LARGEST_SIDE:
        raise OutputError(
            f"a PSD file can't hold {edited.picture.size}: a side has at most {LARGEST_SIDE} pixels",
            code="output-too-large",
        )
    buffer = io.BytesIO()
    _document(edited).save(buffer)
    write_file(target, buffer.getvalue(), overwrite=overwrite)
    return target


def _document(edited: Edited) -> PSDImage:
    from PIL import Image
    from psd_tools import PSDImage
    from psd_tools.constants import Resource
    from psd_tools.psd.image_resources import ImageResource

    stage = edited.base
    document = PSDImage.new(_MODES[stage.colour], (stage.size.width, stage.size.height), depth=stage.depth)
    if icc := icc_of(stage.metadata, grey=stage.colour is Colour.GREY):
        document.image_resources[Resource.ICC_PROFILE] = ImageResource(Resource.ICC_PROFILE.value, name="", data=icc)
    _add_layer(document, "Original", stage, stage.samples, stage.alpha, stage.size.box)
    title = edited.request.intent.capitalize()
    for number, region in enumerate(edited.regions, start=1):
        painted = np.clip(np.rint(region.patch), 0, stage.maximum).astype(stage.samples.dtype)
        name = f"{title} {number}" if len(edited.regions) > 1 else title
        layer = _add_layer(document, name, stage, painted, None, region.box)
        layer.create_mask(Image.fromarray(np.rint(region.weight * 255).astype(np.uint8)))
    return document


def _add_layer(
    document: PSDImage, name: str, stage: Picture, samples: Samples, alpha: Samples | None, box: Box
) -> PixelLayer:
    """Add a layer of (h, w, C) samples at the box; `alpha` (h, w) is its transparency."""
    if stage.colour is Colour.CMYK:
        samples = stage.maximum - samples  # PSD files store CMYK inverted: the largest value is no ink
    pixels = samples if alpha is None else np.dstack([samples, alpha])
    layer = document.create_pixel_layer_from_array(pixels, top=box.top, left=box.left)
    # Set afterwards: given at creation, the name is written without its Unicode block, and GIMP shows other characters.
    layer.name = name
    return layer
