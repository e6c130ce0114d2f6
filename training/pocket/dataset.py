"""The photo dataset: all photos and cut-out objects in arrays on the training device; a batch is one gather."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Generator, Tensor

from . import colours
from .config import Data
from .objects import ObjectCut, cut_object
from .photos import Photo, PhotoFile, PhotoRecord, read

_FILES = ("pixels.npy", "shapes.npy", "boxes.npy", "tiles.npy", "shelf.json")


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """Squares cut from photos.

    Attributes:
        pictures: (n, 3, size, size) float, [0, 1].
        photo: (n,) int64, which photo each is from.
        boxes: (n, 4) float, the photo's object in sides of the crop (may reach outside); NaN if unknown.
    """

    pictures: Tensor
    photo: Tensor
    boxes: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class PhotoDataset:
    """All photos and cut-out objects.

    Attributes:
        pixels: (P, 3) uint8, the pixels of all photos, row after row.
        first: (N,) int64, each photo's first pixel.
        shapes: (N, 2) int64, height and width.
        smallest_side: Shortest side of all photos, the largest size of crops.
        boxes: (N, 4) float32, each photo's object in pixels, NaN if unknown.
        tiles: (M, 4, side, side) uint8, cut-out objects.
        records: Metadata of each photo.
        box_nouns: Names of each photo's boxed object.
        box_tones: Colour words of that object, if it was cut out.
        tile_nouns: Names of each cut-out object.
    """

    pixels: Tensor
    first: Tensor
    shapes: Tensor
    smallest_side: int
    boxes: Tensor
    tiles: Tensor
    records: Sequence[PhotoRecord]
    box_nouns: Sequence[tuple[str, ...]]
    box_tones: Sequence[list[str]]
    tile_nouns: Sequence[tuple[str, ...]]

    @property
    def device(self) -> torch.device:
        """Device of the arrays."""
        return self.pixels.device

    def crops(self, n: int, size: int, generator: Generator) -> Crops:
        """Random squares of random photos, half of them mirrored; ValueError when a photo is smaller."""
        if size > self.smallest_side:
            raise ValueError(f"crops of {size} pixels need photos of that size; the smallest is {self.smallest_side}")
        draw = torch.rand(4, n, device=self.device, generator=generator)
        photo = (draw[0] * len(self.first)).long().clamp_max(len(self.first) - 1)
        room = self.shapes[photo] - size
        top, left = (torch.minimum((draw[k + 1] * (room[:, k] + 1)).long(), room[:, k]) for k in (0, 1))
        mirrored = draw[3] < 0.5
        steps = torch.arange(size, device=self.device)
        columns = torch.where(mirrored[:, None], size - 1 - steps, steps) + left[:, None]
        rows = (steps + top[:, None]) * self.shapes[photo, 1][:, None] + self.first[photo][:, None]
        taken = self.pixels[rows[:, :, None] + columns[:, None, :]]
        corner = torch.stack((left, top, left, top), 1)
        boxes = (self.boxes[photo] - corner) / size
        swapped = torch.stack((1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]), 1)
        boxes = torch.where(mirrored[:, None], swapped, boxes)
        return Crops(taken.permute(0, 3, 1, 2).float() / 255, photo, boxes)


def build(
    photos: Path,
    folder: Path,
    settings: Data,
    *,
    limit: int | None = None,
    jobs: int = 1,
    report: Callable[[str], None],
) -> None:
    """Read the tars, cut out objects, and write the arrays to a folder; the index is written last.

    Objects are cut out in `jobs` processes; photos keep their order, so that the files do not depend on it.

    Raises:
        FileNotFoundError: No tars there.
        ValueError: A photo without its JSON or smaller than 8 pixels, no photo left, or `jobs` below 1.
    """
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}: at least one process is needed")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _FILES[-1]).unlink(missing_ok=True)
    flat: list[np.ndarray] = []
    shapes: list[tuple[int, int]] = []
    boxes: list[tuple[float, ...]] = []
    tiles: list[np.ndarray] = []
    rows: list[dict[str, object]] = []
    tile_nouns: list[tuple[str, ...]] = []
    with _parallel_map(jobs) as parallel_map:
        several = parallel_map(
            partial(_decode_and_cut, settings=settings), read(photos, without=settings.without, limit=limit)
        )
        for number, (photo, found) in enumerate(several, 1):
            flat.append(photo.pixels.reshape(-1, 3))
            shapes.append((photo.pixels.shape[0], photo.pixels.shape[1]))
            if found is not None:
                tiles.append(found.tile)
                tile_nouns.append(found.nouns)
            box, named = _object_of(photo, found)
            boxes.append(box)
            tones = _tones(found) if found is not None and named == found.nouns else []
            rows.append({**photo.record.mapping(), "nouns": named, "tones": tones})
            if number % 500 == 0:
                report(f"{number} photos, {len(tiles)} objects")
    if not rows:
        raise ValueError(f"no photo in {photos} is left after leaving out {', '.join(settings.without)}")
    np.save(folder / "pixels.npy", np.concatenate(flat))
    np.save(folder / "shapes.npy", np.array(shapes, np.int64))
    np.save(folder / "boxes.npy", np.array(boxes, np.float32))
    side = settings.tile
    stacked = np.stack(tiles) if tiles else np.zeros((0, side, side, 4), np.uint8)
    np.save(folder / "tiles.npy", np.ascontiguousarray(stacked.transpose(0, 3, 1, 2)))
    (folder / _FILES[-1]).write_text(json.dumps({"photos": rows, "tiles": tile_nouns}), "utf-8")
    report(f"{len(rows)} photos, {len(tiles)} objects: {folder}")


def _decode_and_cut(file: PhotoFile, settings: Data) -> tuple[Photo, ObjectCut | None]:
    photo = file.photo()
    return photo, cut_object(photo, settings.cut, settings.tile)


@contextmanager
def _parallel_map(jobs: int) -> Iterator[Callable[..., Any]]:
    """`map`, in `jobs` processes of one thread each if there is more than one.

    Spawned, not forked: a fork of a process whose threads hold locks (OpenCV's, PyTorch's) can wait for ever.
    """
    if jobs == 1:
        yield map
        return
    with get_context("spawn").Pool(jobs, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        yield partial(pool.imap, chunksize=16)


def _tones(found: ObjectCut) -> list[str]:
    """Colour words for a cut-out object, without its surroundings."""
    tile = torch.from_numpy(found.tile).permute(2, 0, 1)[None]
    return colours.words(tile[:, :3].float() / 255, tile[:, 3:] > 127)[0]


def _object_of(photo: Photo, found: ObjectCut | None) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Box and names of the photo's largest labelled object, else of the cut-out object."""
    if photo.record.boxes:
        *box, label = max(photo.record.boxes, key=lambda b: (b[2] - b[0]) * (b[3] - b[1]))
        return tuple(float(v) for v in box), (str(label),)
    if found is not None:
        return tuple(float(v) for v in found.box), found.nouns
    return (float("nan"),) * 4, ()


def records(folder: Path) -> list[PhotoRecord]:
    """Metadata of the prepared photos."""
    return [PhotoRecord.of(row) for row in _table(folder)["photos"]]


def _table(folder: Path) -> dict[str, Any]:
    if missing := [name for name in _FILES if not (folder / name).is_file()]:
        raise FileNotFoundError(
            f"no prepared photos in {folder} ({missing[0]} is missing): run the stage `photos` first"
        )
    table: dict[str, Any] = json.loads((folder / _FILES[-1]).read_text("utf-8"))
    return table


def load(folder: Path, device: torch.device) -> PhotoDataset:
    """Load the folder that `build` wrote; FileNotFoundError when it is missing or incomplete."""
    table = _table(folder)
    arrays = [torch.from_numpy(np.load(folder / name)).to(device) for name in _FILES[:-1]]
    pixels, shapes, boxes, tiles = arrays
    areas = shapes.prod(1)
    return PhotoDataset(
        pixels=pixels,
        first=areas.cumsum(0) - areas,
        shapes=shapes,
        smallest_side=int(shapes.min()),
        boxes=boxes,
        tiles=tiles,
        records=[PhotoRecord.of(row) for row in table["photos"]],
        box_nouns=[tuple(row["nouns"]) for row in table["photos"]],
        box_tones=[list(row["tones"]) for row in table["photos"]],
        tile_nouns=[tuple(names) for names in table["tiles"]],
    )
