"""Poses of people by a network, and their skeletons as ControlNets for poses take them.

Xu et al., "ViTPose: simple vision transformer baselines for human pose estimation", NeurIPS 2022. The network takes one
person at a time, and the whole picture is taken for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import ModelError
from overpaint.geometry import Size
from overpaint.models import ModelRef

from .contours import Flags, Floats
from .networks import PictureForm, loaded_map_network

POSE_NETWORKS = ("vitpose",)
SUGGESTED_POSE = "vitpose-base-simple"

_JOINTS = 17
"""Of COCO: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles; the left one of each pair first."""

_OF_COCO = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""The 18 joints of OpenPose's skeleton, as joints of COCO; the neck is between the shoulders."""

LIMBS = (
    *((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10)),
    *((1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17)),
)
"""Pairs of joints that are joined: shoulders, arms, right leg, left leg, head."""


@dataclass(frozen=True, slots=True, eq=False)
class PersonPose:
    """The joints of one person.

    Attributes:
        places: (18, 2) float32, x and y in pixels, from the centre of the upper left pixel.
        seen: (18,) bool: the joints that were found.
    """

    places: NDArray[np.float32]
    seen: NDArray[np.bool_]

    def outside(self, hole: Flags | None) -> PersonPose:
        """The pose without its joints in a hole."""
        if hole is None:
            return self
        height, width = hole.shape
        x, y = (np.rint(self.places[:, k]).astype(int).clip(0, most - 1) for k, most in ((0, width), (1, height)))
        return PersonPose(self.places, self.seen & ~hole[y, x])


def pose_of(pixels: Floats, ref: ModelRef, least: float = 0.3) -> PersonPose:
    """The pose of the person in a picture.

    Args:
        pixels: (H, W, 3) float32 in [0, 1], sRGB.
        ref: The network's folder.
        least: Joints that the network is less sure of, in [0, 1], count as not seen.

    Raises:
        ModelError, MissingExtraError, EngineError: The network can't be used.
    """
    import torch

    network = loaded_map_network(ref, "vitpose.modeling_vitpose", "VitPoseForPoseEstimation")
    form, size = PictureForm(192).read(ref), _input_size(network, ref)
    height, width = pixels.shape[:2]
    scale = min(size.width / width, size.height / height)
    seen = Size(max(1, round(width * scale)), max(1, round(height * scale)))
    plane = torch.zeros(1, 3, size.height, size.width)  # what is beyond the picture has the mean colour
    left, top = (size.width - seen.width) // 2, (size.height - seen.height) // 2
    plane[..., top : top + seen.height, left : left + seen.width] = form.tensor(pixels, seen)
    experts = getattr(network.config.backbone_config, "num_experts", 1) or 1
    which = {"dataset_index": torch.tensor([0])} if experts > 1 else {}  # the expert for COCO
    with torch.inference_mode():
        heat = np.asarray(network(pixel_values=plane, **which).heatmaps[0].float().numpy())
    if heat.shape[0] != _JOINTS:
        message = f"{ref.name} finds {heat.shape[0]} joints, and not the {_JOINTS} of COCO"
        raise ModelError(message, code="model-other-task", field="controls", value=ref.name)
    across, down, sure = _peaks(heat)
    x = ((across + 0.5) * size.width / heat.shape[2] - left) * width / seen.width - 0.5
    y = ((down + 0.5) * size.height / heat.shape[1] - top) * height / seen.height - 0.5
    within = (x > -1) & (x < width) & (y > -1) & (y < height)
    return _openpose(np.stack([x, y], axis=1).astype(np.float32), (sure >= least) & within)


def _input_size(network: Any, ref: ModelRef) -> Size:
    given = network.config.backbone_config.image_size
    height, width = (given, given) if isinstance(given, int) else given
    if not (16 <= height <= 4096 and 16 <= width <= 4096):
        raise ModelError(f"{ref.name} takes pictures of a size that makes no sense", field="model", value=ref.name)
    return Size(width, height)


def _peaks(heat: Floats) -> tuple[Floats, Floats, Floats]:
    """Place and height of the highest point of each plane, between cells by a parabola through its neighbours."""
    count, height, width = heat.shape
    best = heat.reshape(count, -1).argmax(axis=1)
    rows, columns = best // width, best % width
    joint = np.arange(count)
    sure = heat[joint, rows, columns]

    def between(before: Floats, after: Floats) -> Floats:
        bend = before - 2 * sure + after
        return np.where(bend < 0, (before - after) / np.where(bend < 0, 2 * bend, 1), 0).clip(-0.5, 0.5)

    left, right = heat[joint, rows, (columns - 1).clip(0)], heat[joint, rows, (columns + 1).clip(0, width - 1)]
    above, below = heat[joint, (rows - 1).clip(0), columns], heat[joint, (rows + 1).clip(0, height - 1), columns]
    return columns + between(left, right), rows + between(above, below), sure


def _openpose(places: Floats, seen: Flags) -> PersonPose:
    """OpenPose's joints from those of COCO."""
    neck, has_neck = places[5:7].mean(axis=0), bool(seen[5:7].all())
    found = [neck if one is None else places[one] for one in _OF_COCO]
    return PersonPose(
        np.stack(found).astype(np.float32), np.array([has_neck if one is None else seen[one] for one in _OF_COCO])
    )


def skeleton_map(people: tuple[PersonPose, ...], size: Size) -> Floats:
    """(H, W, 3) float32 in [0, 1]: skeletons on black: a limb has a colour of its own, and a joint too.

    Colours go around the colour circle from joint to joint; limbs are ellipses at 60 % of the brightness.
    """
    import cv2

    drawn = np.zeros((*size.shape, 3), np.uint8)
    thick = max(1, round(4 * np.sqrt(size.area) / 512))
    colours = [_colour(number) for number in range(len(_OF_COCO))]
    for person in people:
        for number, (a, b) in enumerate(LIMBS):
            if person.seen[a] and person.seen[b]:
                one, other = person.places[a], person.places[b]
                middle, way = (one + other) / 2, other - one
                axes = (max(1, round(float(np.hypot(*way)) / 2)), thick)
                angle = float(np.degrees(np.arctan2(way[1], way[0])))
                shape = cv2.ellipse2Poly(tuple(int(v) for v in np.rint(middle)), axes, int(angle), 0, 360, 1)
                cv2.fillConvexPoly(drawn, shape, tuple(int(0.6 * part) for part in colours[number]))
        for number, place in enumerate(person.places):
            if person.seen[number]:
                cv2.circle(drawn, tuple(int(v) for v in np.rint(place)), thick, colours[number], -1)
    return np.asarray(drawn, np.float32) / np.float32(255)


def _colour(number: int) -> tuple[int, int, int]:
    """Colour k of the skeleton: the hue goes round in 18 steps of 20 degrees, at full brightness."""
    import colorsys

    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(number / len(_OF_COCO), 1.0, 1.0))  # type: ignore[return-value]
