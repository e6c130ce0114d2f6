"""Training samples of the denoiser: a picture, a hole in it, and a prompt that describes the hole's content."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from . import colours, masks, phrases
from .config import DenoiserStage
from .dataset import Crops, PhotoDataset


@dataclass(frozen=True, slots=True, eq=False)
class Scenes:
    """A batch.

    Attributes:
        pictures: (n, 3, size, size) float, [-1, 1], as the networks see them.
        holes: (n, 1, size, size) bool, True where to repaint.
        prompts: n strings; empty for guidance.
    """

    pictures: Tensor
    holes: Tensor
    prompts: list[str]

    @property
    def masked(self) -> Tensor:
        """The pictures with mid-grey, 0, in the holes: the masked picture of diffusers' pipeline."""
        return self.pictures * ~self.holes


def make(dataset: PhotoDataset, settings: DenoiserStage, n: int, size: int, generator: Generator) -> Scenes:
    """Draw n scenes with a generator on the dataset's device."""
    seed = torch.randint(0, 2**31 - 1, (), device=generator.device, generator=generator)
    draw = np.random.default_rng(int(seed))
    crops = dataset.crops(n, _side(size, dataset.smallest_side, generator), generator)
    pictures, holes = _shrunk(crops.pictures, size), masks.mixture(n, size, generator)
    pasted = draw.random(n) < (settings.pasted if len(dataset.tiles) else 0)
    which = np.zeros(n, np.int64)
    if pasted.any():
        which[pasted] = draw.integers(0, len(dataset.tiles), int(pasted.sum()))
        chosen = torch.from_numpy(np.flatnonzero(pasted)).to(dataset.device)
        tiles = dataset.tiles[torch.from_numpy(which[pasted]).to(dataset.device)]
        pictures[chosen], shapes = paste(pictures[chosen], tiles, generator)
        holes[chosen] = holes_around(shapes, generator)
        filled = torch.zeros_like(holes)
        filled[chosen] = shapes
    else:
        filled = torch.zeros_like(holes)
    seen, boxed = holes_in_place(crops, size, generator)
    own = seen.cpu().numpy() & ~pasted & (draw.random(n) < settings.in_place / max(1e-6, 1 - settings.pasted))
    rows = torch.from_numpy(own).to(dataset.device)
    holes = torch.where(rows.view(-1, 1, 1, 1), boxed, holes)
    shown = torch.where(filled.flatten(1).any(1).view(-1, 1, 1, 1), filled, holes)
    tones = colours.words(pictures, shown)
    middles = _middles(holes)
    clear = ~overlaps_object(crops, holes).cpu().numpy()
    photo = crops.photo.tolist()
    prompts = []
    for k in range(n):
        if draw.random() < settings.drop:
            prompts.append("")
        elif pasted[k]:
            prompts.append(phrases.object_phrase(dataset.tile_nouns[which[k]], tones[k], draw))
        elif own[k]:
            prompts.append(
                phrases.object_phrase(dataset.box_nouns[photo[k]], dataset.box_tones[photo[k]] or tones[k], draw)
            )
        elif clear[k] and draw.random() < settings.background:
            prompts.append(phrases.BACKGROUND)
        else:
            prompts.append(phrases.region_phrase(dataset.records[photo[k]], middles[k], tones[k], draw))
    return Scenes(pictures * 2 - 1, holes, prompts)


def paste(pictures: Tensor, tiles: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Put one object on each picture, at a random size and place, mirrored half the time, a little lighter or darker.

    Args:
        pictures: (n, 3, size, size) float, [0, 1].
        tiles: (n, 4, side, side) uint8.
        generator: Random source.

    Returns:
        The pictures, and (n, 1, size, size) bool: True at the object.
    """
    n, size = len(pictures), pictures.shape[-1]
    extent = masks.uniform(n, 0.3, 0.8, generator)
    across, down = (masks.uniform(n, -0.85, 0.85, generator) * (1 - extent) for _ in range(2))
    mirror = torch.where(masks.uniform(n, 0, 1, generator) < 0.5, -1.0, 1.0)
    nothing = torch.zeros_like(extent)
    ways = torch.stack(
        (
            torch.stack((mirror / extent, nothing, -mirror * across / extent), 1),
            torch.stack((nothing, 1 / extent, -down / extent), 1),
        ),
        1,
    )
    light = masks.uniform(n, 0.85, 1.15, generator).view(-1, 1, 1, 1)
    values = tiles.float() / 255
    opaque = values[:, 3:]
    layered = torch.cat(((values[:, :3] * light).clamp_max(1) * opaque, opaque), 1)
    places = F.affine_grid(ways, [n, 4, size, size], align_corners=False)
    moved = F.grid_sample(layered, places, mode="bilinear", padding_mode="zeros", align_corners=False)
    alpha = moved[:, 3:]
    return pictures * (1 - alpha) + moved[:, :3], alpha > 0.5


def holes_around(shapes: Tensor, generator: Generator) -> Tensor:
    """Holes over objects: half of them the shape grown by some pixels, half a box or an ellipse around it."""
    n, size = len(shapes), shapes.shape[-1]
    reach = int(torch.randint(1, max(2, size // 16), (), device=generator.device, generator=generator))
    grown = F.max_pool2d(shapes.float(), 2 * reach + 1, stride=1, padding=reach) > 0
    boxes = enlarged_boxes(bounding_boxes(shapes), generator)
    kind = masks.uniform(n, 0, 1, generator).view(-1, 1, 1, 1)
    boxed = torch.where(kind < 0.8, masks.inside(boxes, size), masks.oval(_widened(boxes), size) | grown)
    return torch.where(kind < 0.5, grown, boxed | shapes)


def holes_in_place(crops: Crops, size: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """(n,) bool, whether a crop shows most of its object at a moderate size; and holes over the object boxes."""
    boxes = torch.nan_to_num(crops.boxes, nan=-1.0)
    clipped = boxes.clamp(0, 1)
    area, seen = ((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (boxes, clipped))
    good = (seen > 0.6 * area) & (seen > 0.02) & (seen < 0.8)
    enlarged = enlarged_boxes(clipped, generator)
    ovals = masks.uniform(len(boxes), 0, 1, generator).view(-1, 1, 1, 1) < 0.3
    return good, torch.where(ovals, masks.oval(_widened(enlarged), size), masks.inside(enlarged, size))


def overlaps_object(crops: Crops, holes: Tensor) -> Tensor:
    """(n,) bool: whether more than a tenth of a hole lies in the box of the photo's object, where that is known."""
    boxes = torch.nan_to_num(crops.boxes, nan=-1.0).clamp(0, 1)
    shared = (masks.inside(boxes, holes.shape[-1]) & holes).flatten(1).sum(1)
    return shared > 0.1 * holes.flatten(1).sum(1)


def bounding_boxes(shapes: Tensor) -> Tensor:
    """(n, 4) boxes of masks (n, 1, size, size), in sides of the picture; zeros for an empty one."""
    size = shapes.shape[-1]
    ends = []
    for axis in (2, 3):  # any() over rows leaves columns: left and right, then top and bottom
        there = shapes.any(axis)[:, 0]
        first = there.float().argmax(1)
        last = size - there.flip(1).float().argmax(1)
        ends.append((first, torch.where(there.any(1), last, first)))
    (left, right), (top, bottom) = ends
    return torch.stack((left, top, right, bottom), 1) / size


def enlarged_boxes(boxes: Tensor, generator: Generator, most: float = 0.12) -> Tensor:
    """Boxes with each side moved outwards by up to `most` of the picture, cut at its borders."""
    moves = torch.rand(boxes.shape, device=boxes.device, generator=generator) * most
    outward = torch.tensor([-1.0, -1.0, 1.0, 1.0], device=boxes.device)
    return (boxes + moves * outward).clamp(0, 1)


def _widened(boxes: Tensor) -> Tensor:
    """Boxes times 1.2 about their middle: an ellipse in them covers most of the original box."""
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) * 0.6
    return torch.cat((middle - half, middle + half), 1)


def _side(size: int, largest: int, generator: Generator) -> int:
    """Side of the crops of a batch: half the time `size`, else up to the whole photo, so that small pictures show
    whole scenes and not only parts of large ones.
    """
    wide, where = torch.rand(2, device=generator.device, generator=generator).tolist()
    return size if wide < 0.5 else size + round(where * (largest - size))


def _shrunk(pictures: Tensor, size: int) -> Tensor:
    if pictures.shape[-1] == size:
        return pictures
    return F.interpolate(pictures, (size, size), mode="bilinear", antialias=True, align_corners=False).clamp(0, 1)


def _middles(holes: Tensor) -> list[float]:
    size = holes.shape[-1]
    rows = holes.float().sum((1, 3))
    at = (torch.arange(size, device=holes.device) + 0.5) / size
    found: list[float] = ((rows * at).sum(1) / rows.sum(1).clamp_min(1)).tolist()
    return found
