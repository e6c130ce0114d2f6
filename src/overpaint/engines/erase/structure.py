"""ZITS: edges and straight lines are continued first, and the hole is filled along them. Four TorchScript programs.

Dong, Cao, Fu, Incremental transformer structure enhanced image inpainting with masking positional encoding, CVPR 2022.
Structure is found at 256 and 512 pixels, doubled until it has the picture's size, and given to the last network beside
the picture and, for each pixel of the hole, its distance and directions to what is known.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .network import OnStep

_SIDE, _WIDE = 256, 512
_MEAN, _SPREAD = (109.730, 103.832, 98.681), (22.275, 22.124, 23.229)  # of the wireframe network's pictures, 0 to 255
_LEAST_SCORE = 0.85  # of a line
_FURTHEST = 127  # the largest distance that the network knows


class ScriptedZits:
    """inpaint, edge_line, upsample and wireframe (see spec/iopaint.md 2)."""

    sees_whole = True

    def __init__(self, inpaint: Any, edge_line: Any, upsample: Any, wireframe: Any) -> None:
        self.inpaint, self.edge_line, self.upsample, self.wireframe = inpaint, edge_line, upsample, wireframe

    def __call__(self, picture: Tensor, hole: Tensor, seed: int, on_step: OnStep) -> Tensor:
        """As `EraserNetwork`, for squares."""
        image = (picture[0].permute(1, 2, 0).cpu().numpy() * 255).round().astype(np.uint8)
        marked = (hole[0, 0].cpu().numpy() > 0.5).astype(np.uint8) * 255
        lines = self._lines(_resized(image, _WIDE), _shrunk(marked, _WIDE), picture.device)
        on_step(1, 3)
        edge, line = self._continued(_resized(image, _SIDE), _shrunk(marked, _SIDE), lines, picture.device)
        side = picture.shape[-1]
        edge, line = self._enlarged(edge, side), self._enlarged(line, side)
        on_step(2, 3)
        distance, direction = positions(marked)
        found: Tensor = self.inpaint(
            picture,
            hole,
            edge,
            line,
            torch.from_numpy(distance)[None].to(picture.device),
            torch.from_numpy(direction)[None].to(picture.device),
        )
        on_step(3, 3)
        return found

    def _lines(self, image: NDArray[np.uint8], marked: NDArray[np.float32], device: Any) -> Tensor:
        """(1, 1, 256, 256): the straight lines of the known part, antialiased."""
        from skimage.draw import line_aa

        known = np.where(marked[..., None] > 0, np.float32(127.5), image.astype(np.float32))
        scaled = (known - np.asarray(_MEAN, np.float32)) / np.asarray(_SPREAD, np.float32)
        found = self.wireframe(_tensor(np.asarray(scaled, np.float32), device))
        drawn = np.zeros((_SIDE, _SIDE))
        if int(found["num_proposals"]):
            ends = (found["lines_pred"].cpu().numpy() * _SIDE).astype(int).clip(0, _SIDE - 1)
            for one, score in zip(ends, found["lines_score"].cpu().numpy(), strict=True):
                if score > _LEAST_SCORE:
                    rows, columns, share = line_aa(one[1], one[0], one[3], one[2])
                    drawn[rows, columns] = np.maximum(drawn[rows, columns], share)
        levels = np.asarray((drawn * 255).astype(np.uint8) / 255, np.float32)
        return _tensor(levels[..., None], device)

    def _continued(
        self, image: NDArray[np.uint8], marked: NDArray[np.float32], lines: Tensor, device: Any
    ) -> tuple[Tensor, Tensor]:
        """Edges and lines of the whole picture, each (1, 1, 256, 256) in [0, 1]."""
        from skimage.color import rgb2gray
        from skimage.feature import canny

        edges = _tensor(canny(rgb2gray(image), sigma=3.0).astype(np.float32)[..., None], device)
        small = _tensor(np.asarray(image / 127.5 - 1, np.float32), device)
        hole = _tensor(marked[..., None], device)
        edge, line = edges * (1 - hole), lines * (1 - hole)
        new_edge, new_line = self.edge_line(small * (1 - hole), edge, line, masks=hole)
        edge = (edge + torch.sigmoid(new_edge) * hole >= 0.25).float()
        return edge, line + torch.sigmoid((new_line + 0.05) * 4) * hole

    def _enlarged(self, structure: Tensor, side: int) -> Tensor:
        """Edges or lines at the picture's size."""
        if side <= _SIDE:
            return structure
        while structure.shape[-1] < side:
            structure = torch.sigmoid((self.upsample(structure) + 2) * 2)
        return functional.interpolate(structure, size=(side, side), mode="bilinear", align_corners=False)


def positions(marked: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each pixel of the hole: its distance to the known part, and the corners of its neighbourhood that lie nearer.

    Args:
        marked: (H, W), 255 in the hole, else 0.

    Returns:
        (H, W) the distance in steps of a king, at 256 pixels; (H, W, 4) 1 where one of the three neighbours above left,
        below left, above right, below right is nearer to the known part. Both 0 outside the hole.
    """
    from scipy.ndimage import distance_transform_cdt

    hole = _shrunk(marked, _SIDE) > 0
    steps = (
        distance_transform_cdt(hole, metric="chessboard").astype(np.int64)
        if not hole.all()
        else np.zeros(hole.shape, np.int64)
    )
    around = np.pad(steps, 1, mode="reflect")
    direction = np.zeros((*hole.shape, 4), np.int64)
    for corner, (down, right) in enumerate(((-1, -1), (1, -1), (-1, 1), (1, 1))):
        nearest = np.minimum.reduce([_moved(around, down, 0), _moved(around, 0, right), _moved(around, down, right)])
        direction[..., corner] = hole & (nearest < steps)
    distance = np.minimum(steps, _FURTHEST)
    if marked.shape != hole.shape:
        size, inside = marked.shape[::-1], marked > 0
        distance = np.where(inside, _nearest(distance, size), 0)
        direction = np.where(inside[..., None], _nearest(direction, size), 0)
    return distance, direction


def _moved(around: NDArray[np.int64], down: int, right: int) -> NDArray[np.int64]:
    """What is that far from each pixel, of an array with a border of one."""
    height, width = around.shape
    return around[1 + down : height - 1 + down, 1 + right : width - 1 + right]


def _nearest(values: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.int64]:
    enlarged = cv2.resize(values.astype(np.int32), size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(enlarged, np.int64)


def _resized(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A square picture at another size."""
    smaller = image.shape[0] > side
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (side, side), interpolation=method), np.uint8)


def _shrunk(marked: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """A hole at another size: 1 where any part of it is, else 0."""
    return np.asarray(cv2.resize(marked, (side, side), interpolation=cv2.INTER_AREA) > 0, np.float32)


def _tensor(image: NDArray[np.float32], device: Any) -> Tensor:
    """(H, W, C) as (1, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].to(device)
