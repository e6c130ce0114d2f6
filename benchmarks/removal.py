"""The removal set: objects cut out of photos and pasted on others, so that what is behind them is known.

Fills of the masks of `dataset` are compared with photos that still show the object, so that remains of it score well.
Here they are compared with the clean photo. Kind "removal": an object without a shadow. Kind "shadow": another object,
whose soft contact shadow reaches beyond the mask, and is grown into the hole by fills that trust everything outside.

Objects, sizes and places are drawn by a seed; another seed gives another set. A place counts where the segmenter sees
surfaces (walls, ground, sky, plants ...) in nearly all of the evaluated crop; photos without such a place are left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.cutouts import Pasting, outline, scene
from benchmarks.dataset import CONTEXT, Case, LoadedCase, cases
from benchmarks.segmenter import SURFACES, Segmenter
from overpaint.geometry import Size

KINDS = ("removal", "shadow")
OBJECTS = ("002", "003", "013", "014", "020", "021", "022", "032", "034", "038", "042", "044")
"""Photos of the evaluation set whose object is whole, and its outline exact: people, dogs, taxis, food, a cup."""

LONG_SIDE = 640
"""Photos are reduced to this."""

AREAS = (0.03, 0.10)
"""Least and largest share of the photo that an object covers."""

SURFACE = 0.95
"""Share of the evaluated crop that must be surfaces."""

TRIES = 300


@dataclass(frozen=True)
class RemovalCase(Case):
    """An object on a clean photo, and the mask around it."""

    pasting: Pasting

    @cached_property
    def digest(self) -> str:
        """Of the scene: fills are kept as long as it is the same."""
        loaded = self.load()
        return hashlib.sha256(loaded.pixels.tobytes() + loaded.hole.tobytes()).hexdigest()[:8]

    @property
    def key(self) -> str:
        """Name of the case in file names, another one for another scene: "007_removal_1f00ab12"."""
        return f"{self.photo}_{self.kind}_{self.digest}"

    def load(self) -> LoadedCase:
        """Paste the object on the photo."""
        return scene(_background(self.image), self.pasting)


def removals(
    folder: Path, net: Segmenter, store: Path, *, kinds: Sequence[str] = KINDS, seed: int = 0, limit: int | None = None
) -> list[RemovalCase]:
    """The cases of the first `limit` photos that have places for all kinds.

    Args:
        folder: The photos of `dataset.cases`.
        net: Finds surfaces.
        store: Folder in which its labels are kept.
        kinds: "removal", "shadow".
        seed: Of objects and places.
        limit: Number of photos; None: all.

    Raises:
        FileNotFoundError: The photos are not there.
        ValueError: No such kind.
    """
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise ValueError(f"no removals of kind {', '.join(unknown)}; there are: {', '.join(KINDS)}")
    photos = cases(folder, kinds=["object"])
    objects = [photo for photo in photos if photo.photo in OBJECTS]
    found: list[RemovalCase] = []
    for photo in photos:
        if limit is not None and len(found) >= limit * len(kinds):
            break
        surface = _surface(photo, net, store)
        others = [one for one in objects if one.photo != photo.photo]
        placed = [_pasting(photo, KINDS.index(kind), surface, others, seed) for kind in kinds]
        found += [
            RemovalCase(photo.photo, kind, photo.image, photo.mask, photo.caption, pasting)
            for kind, pasting in zip(kinds, placed, strict=True)
            if pasting is not None and None not in placed
        ]
    return found


def _background(image: Path) -> NDArray[np.uint8]:
    with Image.open(image) as opened:
        photo = opened.convert("RGB")
    photo.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(photo)


def _surface(case: Case, net: Segmenter, store: Path) -> NDArray[np.bool_]:
    """(h, w) of the reduced photo: whether the segmenter sees a surface, and the photo's own object is not there."""
    photo = _background(case.image)
    path = store / f"labels-{hashlib.sha256(photo.tobytes()).hexdigest()[:24]}.npy"
    if not path.is_file():
        store.mkdir(parents=True, exist_ok=True)
        np.save(path, net.labels(photo))
    surface: NDArray[np.bool_] = np.isin(np.load(path), SURFACES)
    rows, columns = (np.arange(n) * side // n for n, side in zip(photo.shape[:2], surface.shape, strict=True))
    with Image.open(case.mask) as mask:
        own = np.asarray(mask.convert("L").resize(photo.shape[1::-1])) > 127
    clear: NDArray[np.bool_] = surface[rows[:, None], columns] & ~own
    return clear


def _pasting(photo: Case, kind: int, surface: NDArray[np.bool_], objects: Sequence[Case], seed: int) -> Pasting | None:
    """An object at a place where nearly all that is judged is surface; None where no place is found."""
    rng = np.random.default_rng([seed, int(photo.photo), kind])
    height, width = surface.shape
    for _ in range(TRIES):
        chosen = objects[int(rng.integers(len(objects)))]
        outlined, cover = outline(chosen.mask)
        scale = np.sqrt(rng.uniform(*AREAS) * surface.size / (outlined.area * cover))
        size = Size(round(outlined.width * scale), round(outlined.height * scale))
        mirrored, aside = bool(rng.integers(2)), float(rng.choice([-1, 1]) * rng.uniform(0.15, 0.4))
        across, down = rng.random(2)
        if size.width > 0.8 * width or size.height > 0.8 * height:
            continue
        box = size.box.shift(round(across * (width - size.width)), round(down * (height - size.height)))
        judged = box.pad(round((CONTEXT - 1) / 2 * max(size))).intersect(Size(width, height).box)
        if surface[judged.slices].mean() >= SURFACE:
            return Pasting(chosen.image, chosen.mask, box, mirrored, aside if KINDS[kind] == "shadow" else None)
    return None
