"""A picture as layers, and as a PSD that Photoshop, GIMP, Krita and Affinity open."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from overpaint.composite import Floats, Patch
from overpaint.errors import OutputError
from overpaint.files import check_writable, write_file
from overpaint.geometry import Box, Size
from overpaint.picture import Colour, Picture, Samples
from overpaint.picture.colour import icc_of

if TYPE_CHECKING:
    from psd_tools import PSDImage
    from psd_tools.api.layers import PixelLayer

_MODES = {Colour.GREY: "L", Colour.RGB: "RGB", Colour.CMYK: "CMYK"}
LARGEST_SIDE = 30_000  # pixels, of the PSD format


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Painted pixels above the picture, unblended, so that a retoucher can soften or widen their edge.

    Attributes:
        name: For people.
        box: Where, inside the picture.
        pixels: (h, w, C) float32 over `box`, in units of the picture's samples.
        mask: (h, w) float32 in [0, 1] over `box`: where the layer shows.
        alpha: (h, w) float32 in [0, 1], the paint's own transparency; None where it has none.
        opacity: Of the whole layer, 0 to 1.
        visible: Whether it shows.
        group: The name of the group that it belongs to; "" for none.
    """

    name: str
    box: Box
    pixels: Floats
    mask: Floats
    alpha: Floats | None = None
    opacity: float = 1.0
    visible: bool = True
    group: str = ""

    @classmethod
    def of(cls, patch: Patch, name: str, *, opacity: float = 1.0, visible: bool = True, group: str = "") -> Layer:
        """The layer of a painted patch."""
        return cls(name, patch.box, patch.patch, patch.weight, patch.opacity, opacity, visible, group)


@dataclass(frozen=True, slots=True, eq=False)
class LayeredPicture:
    """A picture in layers.

    Attributes:
        base: The lowest: the original with its margins.
        layers: Above it, from below to above.
        merged: The result.
    """

    base: Picture
    layers: tuple[Layer, ...]
    merged: Picture

    @property
    def clears(self) -> bool:
        """Whether the layers made anything more transparent than it was."""
        after, before = self.merged.alpha, self.base.alpha
        return after is not None and bool((after < (self.base.maximum if before is None else before)).any())

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the layers to a file, named .psd.

        Raises:
            OutputError: The file exists, or the picture is larger than the format allows (30,000 pixels a side).
        """
        target = Path(path)
        check_writable(target, overwrite=overwrite)
        write_file(target, encode_layers(self), overwrite=overwrite)
        return target


def encode_layers(layered: LayeredPicture) -> bytes:
    """A PSD file: the original at the bottom, each layer above it with its mask as layer mask.

    Where the layers made the picture transparent, they have that transparency, and the original is hidden. The merged
    preview has the result's own pixels, over black where they are transparent. Depth and colour profile are the
    picture's; layer masks have 8 bits.

    Raises:
        OutputError: The picture is larger than the format allows (30,000 pixels a side).
    """
    base = layered.base
    check_layers_size(base.size)
    from PIL import Image
    from psd_tools import PSDImage
    from psd_tools.constants import Resource
    from psd_tools.psd.image_resources import ImageResource

    document = PSDImage.new(_MODES[base.colour], (base.size.width, base.size.height), depth=base.depth)
    if icc := icc_of(base.metadata, grey=base.colour is Colour.GREY):
        document.image_resources[Resource.ICC_PROFILE] = ImageResource(key=Resource.ICC_PROFILE.value, data=icc)
    original = _add_layer(document, "Original", base, base.samples, base.alpha, base.size.box)
    if cleared := layered.clears:
        original.visible = False  # it would show through
    for one in layered.layers:
        painted = np.clip(np.rint(one.pixels), 0, base.maximum).astype(base.samples.dtype)
        alpha = None if one.alpha is None else np.rint(one.alpha * base.maximum).astype(painted.dtype)
        layer = _add_layer(document, one.name, base, painted, alpha, one.box)
        layer.visible = one.visible
        layer.opacity = round(one.opacity * 255)
        if not cleared:
            layer.create_mask(Image.fromarray(np.rint(one.mask * 255).astype(np.uint8)))
    result = layered.merged
    shown = result.samples if result.alpha is None else result.samples * (result.alpha[..., None] / result.maximum)
    planes = np.moveaxis(_stored(base, np.rint(shown)), 2, 0).astype(f">u{base.depth // 8}")
    # The file's record is written as it is: `document.save` would composite the layers in floats for the preview.
    file = document._record
    file.image_data.set_data([plane.tobytes() for plane in planes], file.header)
    buffer = io.BytesIO()
    file.write(buffer)
    return buffer.getvalue()


def check_layers_size(size: Size) -> None:
    """Raise OutputError where a picture of this size is too large for a PSD file."""
    if max(size) > LARGEST_SIDE:
        message = f"a PSD file can't hold {size}: a side has at most {LARGEST_SIDE} pixels"
        raise OutputError(message, code="output-too-large", field="layers", value=str(size))


def _add_layer(
    document: PSDImage, name: str, base: Picture, samples: Samples, alpha: Samples | None, box: Box
) -> PixelLayer:
    """Add a layer of (h, w, C) samples at the box; `alpha` (h, w) is its transparency."""
    samples = _stored(base, samples)
    pixels = samples if alpha is None else np.dstack([samples, alpha])
    layer = document.create_pixel_layer_from_array(pixels, top=box.top, left=box.left)
    # Set afterwards: given at creation, the name is written without its Unicode block, and GIMP shows other characters.
    layer.name = name
    return layer


def _stored(base: Picture, samples: NDArray[Any]) -> NDArray[Any]:
    """Samples as PSD files store them: CMYK inverted, so that the largest value is no ink."""
    return base.maximum - samples if base.colour is Colour.CMYK else samples
