"""Depth maps by a network: the nearer, the brighter, as ControlNets for depth take them.

Yang et al., "Depth anything: unleashing the power of large-scale unlabeled data", CVPR 2024; Ranftl, Bochkovskiy and
Koltun, "Vision transformers for dense prediction", ICCV 2021.
"""

from __future__ import annotations

import numpy as np

from overpaint.geometry import Size
from overpaint.models import ModelRef

from .contours import Floats
from .networks import PictureForm, loaded_map_network

DEPTH_NETWORKS = ("depth-anything", "dpt")
SUGGESTED_DEPTH = "depth-anything-v2-small"

_CLASSES = {
    "depth-anything": ("depth_anything.modeling_depth_anything", "DepthAnythingForDepthEstimation"),
    "dpt": ("dpt.modeling_dpt", "DPTForDepthEstimation"),
}
_SIDES = {"depth-anything": 518, "dpt": 384}


def depth_map(pixels: Floats, ref: ModelRef) -> Floats:
    """(H, W) float32 in [0, 1]: 1 is the nearest place of the picture, 0 the farthest.

    Args:
        pixels: (H, W, 3) float32 in [0, 1], sRGB.
        ref: The network's folder.

    Raises:
        ModelError, MissingExtraError, EngineError: The network can't be used.
    """
    import torch

    network = loaded_map_network(ref, *_CLASSES[ref.kind.network])
    form = PictureForm(_SIDES[ref.kind.network]).read(ref)
    height, width = pixels.shape[:2]
    # Depth Anything takes any multiple of its cells, with the picture's proportions; DPT was trained on squares.
    cell = int(getattr(network.config, "patch_size", 14) or 14)
    scale = form.side / min(height, width) if ref.kind.network == "depth-anything" else 0.0
    size = (
        Size(form.side, form.side)
        if not scale
        else Size(*(max(cell, round(one * scale / cell) * cell) for one in (width, height)))
    )
    with torch.inference_mode():
        found = network(pixel_values=form.tensor(pixels, size)).predicted_depth
        plane = torch.nn.functional.interpolate(
            found[None].reshape(1, 1, *found.shape[-2:]).float(), (height, width), mode="bicubic", align_corners=False
        )
    depth: Floats = plane[0, 0].numpy()
    if getattr(network.config, "depth_estimation_type", "relative") == "metric":
        depth = np.asarray(1 / np.maximum(depth, 1e-3), np.float32)  # distances, where the others give nearness
    return depth


def spread(depth: Floats) -> Floats:
    """A plane over the whole range of 0 to 1; 0 where it is even."""
    low, high = float(depth.min()), float(depth.max())
    if high - low < 1e-6:
        return np.zeros_like(depth)
    return np.asarray((depth - np.float32(low)) / np.float32(high - low), np.float32)
