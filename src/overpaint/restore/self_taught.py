"""Enlarging to twice the size with filters that the photo itself teaches.

A photo shows the same kinds of places at several scales: Glasner, Bagon and Irani, "Super-resolution from a single
image", ICCV 2009. So the photo and its own reduction to half the size are the examples. Small patches of the reduction
are grouped by what they look like, and for each group one linear filter is fitted, from the patch to the four pixels
that were there, less what Lanczos' filter makes of them: Yang and Yang, "Fast direct super-resolution by simple
functions", ICCV 2013. The same filters then enlarge the photo.

The reduction is made in two ways, by means over areas and by Lanczos' filter, as nobody knows how the photo was made:
the filters hold for both. Noise of the photo is not in its reduction, so that the filters learn not to sharpen it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float32]
"""(H, W) float32, or (H, W, C)."""

RADIUS = 2
"""Of a patch in pixels: side = 2 RADIUS + 1."""

LEAST_SIDE = 32
"""Pixels of the shorter side below which a photo teaches nothing."""

_GROUPS = 48
_DIMS = 10
"""Principal components by which patches are grouped."""

_MOST_EXAMPLES = 20_000
"""Patches of each reduction; each counts in its eight turned and mirrored forms."""

_FLAT = np.float32(2 / 255)
"""Contrast below which patches count as flat, on the scale 0 to 1."""

_OF_ALL = 1e-5
"""Weight of a small filter in the fit of the filter for all patches, as a share of the examples."""

_OF_GROUP = 1.25e-6
"""Weight of the filter for all patches in the fit of a group's, as a share of the examples."""

_ROUNDS = 8
_AT_ONCE = 65_536
"""Patches that are in memory at once, about 30 MB."""

_GREY = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class TaughtFilters:
    """What a photo taught.

    Attributes:
        basis: (patch, _DIMS) float32, the principal components.
        centres: (_GROUPS, _DIMS) float32, the middle of each group.
        filters: (_GROUPS, patch, 4) float32: from a patch less its mean to four corrections: top left, top right,
            bottom left, bottom right.
    """

    basis: Plane
    centres: Plane
    filters: Plane


def taught_by(colours: Plane) -> TaughtFilters | None:
    """The filters that a photo teaches; None where it is too small.

    Args:
        colours: (H, W, C) float32 in [0, 1].
    """
    grey = _grey(colours)
    height, width = (side // 2 * 2 for side in grey.shape)
    if min(height, width) < LEAST_SIDE:
        return None
    sharp = np.ascontiguousarray(grey[:height, :width])
    rng = np.random.default_rng(0)
    patches, corrections = zip(*(_examples(sharp, half, rng) for half in _halves(sharp)), strict=True)
    known, wanted = _all_ways(np.concatenate(patches), np.concatenate(corrections))
    looks = _looks(known)
    values, vectors = np.linalg.eigh((looks.T @ looks).astype(np.float64))
    basis = np.ascontiguousarray(vectors[:, np.argsort(values)[::-1][:_DIMS]], np.float32)
    places = looks @ basis
    centres = _grouped(places, rng)
    group = _nearest(places, centres)
    nothing = np.zeros((known.shape[1], 4))
    general = _fitted(known, wanted, nothing, _OF_ALL * len(known))
    filters = [
        _fitted(known[mine], wanted[mine], general, _OF_GROUP * len(known))
        for mine in (group == index for index in range(_GROUPS))
    ]
    return TaughtFilters(basis, centres, np.asarray(filters, np.float32))


def doubled(colours: Plane, taught: TaughtFilters | None, check: Callable[[], None] = lambda: None) -> Plane:
    """The picture at twice its size, (2 H, 2 W, C) float32 in [0, 1]; by Lanczos' filter alone without filters.

    Every pixel depends on the patch around it alone, so that it makes no difference in which parts the work is done.

    Args:
        colours: (H, W, C) float32 in [0, 1].
        taught: The filters.
        check: Called often; may raise to stop.
    """
    height, width = colours.shape[:2]
    result = lanczos(colours, (2 * width, 2 * height))
    if taught is not None:
        padded = np.pad(colours, ((RADIUS, RADIUS), (RADIUS, RADIUS), (0, 0)), mode="edge")
        rows = max(1, _AT_ONCE // width)
        for top in range(0, height, rows):
            check()
            bottom = min(top + rows, height)
            _correct(result[2 * top : 2 * bottom], padded[top : bottom + 2 * RADIUS], taught)
    return np.clip(result, 0, 1, out=result)


def lanczos(colours: Plane, size: tuple[int, int]) -> Plane:
    """(h, w, C) float32: the picture at another size (width, height) by Lanczos' filter, not clipped."""
    filter = Image.Resampling.LANCZOS
    planes = (np.ascontiguousarray(colours[..., index]) for index in range(colours.shape[2]))
    return np.dstack([np.asarray(Image.fromarray(one).resize(size, filter), np.float32) for one in planes])


def _correct(result: Plane, padded: Plane, taught: TaughtFilters) -> None:
    """Add the corrections to some rows of the result."""
    height, width = result.shape[0] // 2, result.shape[1] // 2
    group = _nearest(_looks(_centred(_patches(_grey(padded)))) @ taught.basis, taught.centres)
    order = np.argsort(group, kind="stable")
    ends = np.searchsorted(group[order], np.arange(_GROUPS + 1))
    for channel in range(result.shape[2]):
        patches = _centred(_patches(padded[..., channel]))
        found = np.empty((len(patches), 4), np.float32)
        for index, filter in enumerate(taught.filters):
            mine = order[ends[index] : ends[index + 1]]
            found[mine] = patches[mine] @ filter
        cells = found.reshape(height, width, 2, 2).transpose(0, 2, 1, 3)
        result[..., channel] += cells.reshape(2 * height, 2 * width)


def _halves(sharp: Plane) -> tuple[Plane, Plane]:
    """The photo at half its size, reduced in both ways."""
    size = (sharp.shape[1] // 2, sharp.shape[0] // 2)
    by_area = np.asarray(cv2.resize(sharp, size, interpolation=cv2.INTER_AREA), np.float32)
    return by_area, lanczos(sharp[..., None], size)[..., 0]


def _examples(sharp: Plane, half: Plane, rng: np.random.Generator) -> tuple[Plane, Plane]:
    """Patches (n, patch) of the reduction less their means, and what Lanczos' filter lacks at their middles (n, 4)."""
    height, width = half.shape
    lack = sharp - lanczos(half[..., None], (2 * width, 2 * height))[..., 0]
    cells = lack.reshape(height, 2, width, 2).transpose(0, 2, 1, 3).reshape(-1, 4)
    # Beyond the border pixels are made up.
    rows, columns = np.mgrid[RADIUS : height - RADIUS, RADIUS : width - RADIUS].reshape(2, -1)
    if len(rows) > _MOST_EXAMPLES:
        some = np.sort(rng.choice(len(rows), _MOST_EXAMPLES, replace=False))
        rows, columns = rows[some], columns[some]
    side = 2 * RADIUS + 1
    patches = sliding_window_view(half, (side, side))[rows - RADIUS, columns - RADIUS].reshape(-1, side * side)
    return _centred(patches), cells[rows * width + columns]


def _all_ways(patches: Plane, corrections: Plane) -> tuple[Plane, Plane]:
    """The examples in their eight turned and mirrored forms."""
    side = 2 * RADIUS + 1
    known, wanted = patches.reshape(-1, side, side), corrections.reshape(-1, 2, 2)
    forms = []
    for turns in range(4):
        one, other = np.rot90(known, turns, (1, 2)), np.rot90(wanted, turns, (1, 2))
        forms += [(one, other), (one[..., ::-1], other[..., ::-1])]
    return tuple(  # type: ignore[return-value]
        np.concatenate([one.reshape(len(patches), -1) for one in column]) for column in zip(*forms, strict=True)
    )


def _grouped(places: Plane, rng: np.random.Generator) -> Plane:
    """The middles of groups, by Lloyd's algorithm on a part of the places."""
    some = places[rng.choice(len(places), min(len(places), _MOST_EXAMPLES), replace=False)]
    centres = some[rng.choice(len(some), _GROUPS, replace=len(some) < _GROUPS)].copy()
    for _ in range(_ROUNDS):
        group = _nearest(some, centres)
        for index in range(_GROUPS):
            mine = group == index
            if mine.any():
                centres[index] = some[mine].mean(axis=0)
    return centres


def _fitted(known: Plane, wanted: Plane, prior: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    """The filter of the least squares, drawn to a prior one: (A'A + w I)^-1 (A'B + w P)."""
    normal = (known.T @ known).astype(np.float64) + weight * np.eye(known.shape[1])
    right = (known.T @ wanted).astype(np.float64) + weight * prior
    return np.asarray(np.linalg.solve(normal, right), np.float64)


def _nearest(places: Plane, centres: Plane) -> NDArray[np.intp]:
    distance = places @ (-2 * centres.T)
    distance += np.einsum("ij,ij->i", centres, centres)
    return np.asarray(distance.argmin(axis=1), np.intp)


def _grey(colours: Plane) -> Plane:
    if colours.shape[2] == 3:
        return np.asarray(colours @ _GREY, np.float32)
    return np.asarray(colours.mean(axis=2, dtype=np.float32), np.float32)


def _patches(plane: Plane) -> Plane:
    """(n, patch) of a plane with RADIUS pixels around it."""
    side = 2 * RADIUS + 1
    patches: Plane = sliding_window_view(plane, (side, side)).reshape(-1, side * side)
    return patches


def _centred(patches: Plane) -> Plane:
    centred: Plane = patches - patches.mean(axis=1, keepdims=True)
    return centred


def _looks(centred: Plane) -> Plane:
    """Patches without brightness, and but for flat ones without contrast."""
    contrast = np.sqrt(np.einsum("ij,ij->i", centred, centred) / np.float32(centred.shape[1]))
    return np.asarray(centred / (contrast + _FLAT)[:, None], np.float32)
