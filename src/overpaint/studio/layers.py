"""An edit as layers: a PSD that Photoshop, GIMP, Krita and Affinity open."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import OutputError
from overpaint.geometry import Box, Size
from overpaint.picture import Colour, Picture, Samples
from overpaint.picture.colour import icc_of

if TYPE_CHECKING:
    from psd_tools import PSDImage
    from psd_tools.api.layers import PixelLayer

    from ._edited import Edited

_MODES = {Colour.GREY: "L", Colour.RGB: "RGB", Colour.CMYK: "CMYK"}
LARGEST_SIDE = 30_000  # pixels, of the PSD format


def encode_layers(edited: Edited) -> bytes:
    """A PSD file: the original at the bottom, each painted region above it with its composite mask as layer mask.

    Where the edit made the picture transparent, the layer has that transparency, and the original is hidden.
    The layers hold the painted pixels unblended, so that a retoucher can soften or widen the edge. The merged preview
    has the result's own pixels, over black where they are transparent. Depth and colour profile are the picture's;
    layer masks have 8 bits.

    Raises:
        OutputError: The picture is larger than the format allows (30,000 pixels a side).
    """
    check_layers_size(edited.picture.size)
    from PIL import Image
    from psd_tools import PSDImage
    from psd_tools.constants import Resource
    from psd_tools.psd.image_resources import ImageResource

    stage = edited.base
    document = PSDImage.new(_MODES[stage.colour], (stage.size.width, stage.size.height), depth=stage.depth)
    if icc := icc_of(stage.metadata, grey=stage.colour is Colour.GREY):
        document.image_resources[Resource.ICC_PROFILE] = ImageResource(key=Resource.ICC_PROFILE.value, data=icc)
    original = _add_layer(document, "Original", stage, stage.samples, stage.alpha, stage.size.box)
    if cleared := _cleared(edited):
        original.visible = False  # it would show through
    title = edited.bare_request.intent.capitalize()
    for number, region in enumerate(edited.regions, start=1):
        painted = np.clip(np.rint(region.patch), 0, stage.maximum).astype(stage.samples.dtype)
        name = f"{title} {number}" if len(edited.regions) > 1 else title
        alpha = None if region.opacity is None else np.rint(region.opacity * stage.maximum).astype(painted.dtype)
        layer = _add_layer(document, name, stage, painted, alpha, region.box)
        if not cleared:
            layer.create_mask(Image.fromarray(np.rint(region.weight * 255).astype(np.uint8)))
    result = edited.picture
    shown = result.samples if result.alpha is None else result.samples * (result.alpha[..., None] / result.maximum)
    planes = np.moveaxis(_stored(stage, np.rint(shown)), 2, 0).astype(f">u{stage.depth // 8}")
    # The file's record is written as it is: `document.save` would composite the layers in floats for the preview.
    file = document._record
    file.image_data.set_data([plane.tobytes() for plane in planes], file.header)
    buffer = io.BytesIO()
    file.write(buffer)
    return buffer.getvalue()


def _cleared(edited: Edited) -> bool:
    """Whether the edit made anything more transparent than it was."""
    after, before = edited.picture.alpha, edited.base.alpha
    return after is not None and bool((after < (edited.base.maximum if before is None else before)).any())


def check_layers_size(size: Size) -> None:
    """Raise OutputError where a picture of this size is too large for a PSD file."""
    if max(size) > LARGEST_SIDE:
        message = f"a PSD file can't hold {size}: a side has at most {LARGEST_SIDE} pixels"
        raise OutputError(message, code="output-too-large", field="layers", value=str(size))


def _add_layer(
    document: PSDImage, name: str, stage: Picture, samples: Samples, alpha: Samples | None, box: Box
) -> PixelLayer:
    """Add a layer of (h, w, C) samples at the box; `alpha` (h, w) is its transparency."""
    samples = _stored(stage, samples)
    pixels = samples if alpha is None else np.dstack([samples, alpha])
    layer = document.create_pixel_layer_from_array(pixels, top=box.top, left=box.left)
    # Set afterwards: given at creation, the name is written without its Unicode block, and GIMP shows other characters.
    layer.name = name
    return layer


def _stored(stage: Picture, samples: NDArray[Any]) -> NDArray[Any]:
    """Samples as PSD files store them: CMYK inverted, so that the largest value is no ink."""
    return stage.maximum - samples if stage.colour is Colour.CMYK else samples
