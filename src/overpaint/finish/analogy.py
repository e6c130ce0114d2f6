"""One octave of detail by image analogy.

Hertzmann, Jacobs, Oliver, Curless and Salesin, "Image analogies", SIGGRAPH 2001, section 4.2 (super-resolution): pairs
of soft and sharp pixels of the known picture are the examples; each patch of the soft target gets the fine part of the
most similar soft patch. As in Freeman, Jones and Pasztor, "Example-based super-resolution", IEEE CG&A 2002, only the
fine part is copied and added, so that the target keeps its structure.

Neighbours are searched in principal components by a vector quantiser, and coherent sources are favoured (`exemplar`).
Each octave has a search of its own; matches of other octaves are not used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.lib.stride_tricks import as_strided

from overpaint.exemplar.features import Basis, Flags, Floats, Places, gathered, inside
from overpaint.exemplar.search import Quantiser

STEP = 4
"""Pixels between the patches of the target. A patch's block of detail is twice as wide."""

STRIDE = 2
"""Pixels between the samples of a patch: soft pictures vary no faster."""

EDGE = 6.0
"""At a straight edge a match must be better by the factor 1 + EDGE: texture hides errors, an edge shows them."""

VISIBLE = (4 / 255, 12 / 255)
"""Contrast at which an edge starts to show errors, and at which it shows all, on the scale 0 to 1."""

WINDOW = np.float32(1.5)
"""Power of the window of a block: 1 is a linear fade."""

RADIUS = 2
"""Radius of the compared patches in samples: side = 2 RADIUS + 1, STRIDE pixels apart."""

REACH = max(RADIUS * STRIDE, STEP)
"""Pixels from a patch's centre to the furthest sample of it or of its block."""

_DIMS = 20
"""Principal components kept."""

_PROBES = 2
"""Cells of the quantiser that a search covers."""

_MOST_SOURCES = 250_000
"""Known patches on a lattice of every first, second or fourth pixel, and of those the nearest to the target."""

_MOST_PAIRS = 3e9
"""Most sources times patches of the target: large targets have fewer sources."""

_FAVOUR = 0.25
"""A coherent source may be further by this factor (kappa of image analogies)."""

_FLAT = 1.5 / 255
"""Contrast below which patches count as flat, on the scale 0 to 1."""

_CHUNKS = (8, 4, 2)
"""Sides of squares of patches that are offered the source of the square's middle, in this order."""

_ROUNDS = 2
"""Rounds of coherence between neighbours."""

_FEWEST_SOURCES = 60
_BLOCKS = 16_384
_AROUND = ((0, -1), (-1, 0), (0, 1), (1, 0))


@dataclass(frozen=True, slots=True)
class MatchLimits:
    """How good a match must be. Each is a pair: up to the first, all detail is added; from the second on, none.

    Attributes:
        colour: Difference of the patches' mean colours, the largest of the channels, on the scale 0 to 1.
        look: Mean squared difference of the patches over their mean squared contrast: 0 is equal, 1 no better than a
            flat patch.
    """

    colour: tuple[float, float]
    look: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Octave:
    """The input of one octave, all on one grid.

    Attributes:
        soft: (h, w, 3) float32, the known picture without its fine part, as soft as the target.
        fine: (h, w, 3) float32, its fine part.
        known: (h, w) bool: where both show the picture.
        query: (h, w, 3) float32, the target without its fine part.
        target: (h, w) bool: where detail is wanted; further than REACH and two steps from every border.
    """

    soft: Floats
    fine: Floats
    known: Flags
    query: Floats
    target: Flags


@dataclass(frozen=True, slots=True, eq=False)
class FineDetail:
    """Fine part (h, w, 3) float32, not yet multiplied by its trust (h, w) float32 in [0, 1]."""

    fine: Floats
    trust: Floats


def analogy(
    octave: Octave, limits: MatchLimits, rng: np.random.Generator, check: Callable[[], None]
) -> FineDetail | None:
    """The fine part for the target; None without enough sources."""
    lattice = _Lattice.of(octave.target)
    sources = _sources(octave, len(lattice.places))
    if len(sources) < _FEWEST_SOURCES or len(lattice.places) == 0:
        return None
    found = sources[_matched(octave, lattice, sources, rng, check)]
    check()
    gain, trust = _gain_and_trust(octave, lattice.places, found, limits)
    return _pasted(octave, lattice, found, gain, trust)


def _sources(octave: Octave, queries: int) -> Places:
    """Centres of patches whose samples and block are known; sorted."""
    whole = inside(octave.known, REACH)
    most = round(min(_MOST_SOURCES, max(_MOST_PAIRS / max(1, queries), _FEWEST_SOURCES)))
    for every in (1, 2, STEP):
        # Divisors of STEP, so that a source's neighbours a step away are on the lattice too, for coherence.
        rows, columns = np.nonzero(whole[::every, ::every])
        if len(rows) <= most:
            break
    places: Places = rows * (every * whole.shape[1]) + columns * every
    if len(places) > most:
        distance = cv2.distanceTransform((~octave.target).astype(np.uint8), cv2.DIST_L2, 3).ravel()[places]
        places = places[np.sort(np.argpartition(distance, most)[:most])]
    return places


@dataclass(frozen=True, slots=True, eq=False)
class _Lattice:
    """Patches of the target on a lattice, STEP apart from (REACH, REACH) on.

    Attributes:
        places: (n,) flat indices of their centres.
        rows, columns: (n,) positions in the lattice.
        at: (lattice rows, lattice columns) index of the patch, -1 where there is none.
    """

    places: Places
    rows: Places
    columns: Places
    at: Places

    @classmethod
    def of(cls, target: Flags) -> _Lattice:
        """The patches whose block touches the target."""
        height, width = target.shape
        side = 2 * STEP + 1
        touched = cv2.dilate(target.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
        chosen = touched[REACH : height - REACH : STEP, REACH : width - REACH : STEP]
        rows, columns = np.nonzero(chosen)
        at = np.full(chosen.shape, -1, np.intp)
        at[rows, columns] = np.arange(len(rows))
        return cls((rows * STEP + REACH) * width + columns * STEP + REACH, rows, columns, at)


def _matched(
    octave: Octave, lattice: _Lattice, sources: Places, rng: np.random.Generator, check: Callable[[], None]
) -> Places:
    """(n,) the index of the source of each patch of the lattice."""
    basis = Basis.of(octave.soft, sources, RADIUS, _DIMS, stride=STRIDE)
    table, queries = basis.project(octave.soft, sources), basis.project(octave.query, lattice.places)
    check()
    height, width = octave.target.shape
    row_at = np.full(height * width, -1, np.intp)
    row_at[sources] = np.arange(len(sources))
    # In a flat area a thousand sources are equally near: noise keeps all patches from choosing the same one.
    slack = np.float32(_FLAT**2 * 3 * (2 * RADIUS + 1) ** 2)
    noise = rng.standard_normal(queries.shape, dtype=np.float32) * np.float32(_FLAT)
    found = Quantiser(table, rng).nearest(queries + noise, _PROBES, check)
    every = np.arange(len(queries))
    best = _distances(queries, table, every, found)

    def offer(patches: Places, places: Places) -> None:
        rows = row_at[places.clip(0, height * width - 1)]
        worth = np.flatnonzero((rows >= 0) & (rows != found[patches]))
        patches, rows = patches[worth], rows[worth]
        distance = _distances(queries, table, patches, rows)
        better = distance < best[patches] * np.float32(1 + _FAVOUR) + slack
        found[patches[better]] = rows[better]
        best[patches[better]] = distance[better]

    for side in _CHUNKS:
        rows = np.minimum(lattice.rows // side * side + side // 2, lattice.at.shape[0] - 1)
        columns = np.minimum(lattice.columns // side * side + side // 2, lattice.at.shape[1] - 1)
        middle = lattice.at[rows, columns]
        mine = every[middle >= 0]
        beside = (lattice.rows - rows)[mine] * width + (lattice.columns - columns)[mine]
        offer(mine, sources[found[middle[mine]]] + beside * STEP)
        check()
    padded = np.pad(lattice.at, 1, constant_values=-1)
    for _ in range(_ROUNDS):
        for dy, dx in _AROUND:
            neighbour = padded[lattice.rows + 1 + dy, lattice.columns + 1 + dx]
            mine = every[neighbour >= 0]
            offer(mine, sources[found[neighbour[mine]]] - (dy * width + dx) * STEP)
        check()
    return found


def _distances(queries: Floats, table: Floats, patches: Places, rows: Places) -> Floats:
    difference = queries[patches]
    difference -= table[rows]
    return np.asarray(np.einsum("ij,ij->i", difference, difference), np.float32)


def _gain_and_trust(octave: Octave, places: Places, found: Places, limits: MatchLimits) -> tuple[Floats, Floats]:
    """Gain and trust of each patch's fine part, both (n,) in [0, 1].

    Detail is proportional to contrast: a patch that is flatter than its source gets less of the fine part.
    """
    gain, trust = np.empty(len(places), np.float32), np.empty(len(places), np.float32)
    edges = EDGE * _edges(octave.query, REACH, places)
    noise = np.float32(_FLAT**2)
    for start in range(0, len(places), _BLOCKS):
        chunk = slice(start, start + _BLOCKS)
        wanted = gathered(octave.query, places[chunk], RADIUS, STRIDE).reshape(-1, (2 * RADIUS + 1) ** 2, 3)
        given = gathered(octave.soft, found[chunk], RADIUS, STRIDE).reshape(wanted.shape)
        mean_wanted, mean_given = _means(wanted), _means(given)
        colour = np.abs(mean_wanted - mean_given).max(axis=1)
        wanted -= mean_wanted[:, None]
        given -= mean_given[:, None]
        contrast = _mean_square(wanted) + noise
        gain[chunk] = np.sqrt(np.minimum(contrast / (_mean_square(given) + noise), np.float32(1)))
        wanted -= given
        strict = 1 + edges[chunk] * (1 - _falling(np.sqrt(contrast), VISIBLE))
        trust[chunk] = _falling(colour, limits.colour) * _falling(strict * _mean_square(wanted) / contrast, limits.look)
    return gain, trust


def _edges(image: Floats, reach: int, places: Places) -> Floats:
    """(n,) in [0, 1]: 1 where the neighbourhood of a place has one direction, as at an edge; 0 where it has many.

    The coherence of the structure tensor: Bigun and Granlund, "Optimal orientation detection of linear symmetry", ICCV
    1987.
    """
    rows, columns = np.divmod(places, image.shape[1])
    grey = cv2.cvtColor(np.ascontiguousarray(image[::STRIDE, ::STRIDE]), cv2.COLOR_RGB2GRAY)
    across, down = cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1)
    side = (2 * (reach // STRIDE) + 1,) * 2
    xx, yy, xy = (
        cv2.blur(product, side)[rows // STRIDE, columns // STRIDE]
        for product in (across * across, down * down, across * down)
    )
    coherence = np.sqrt((xx - yy) ** 2 + 4 * xy * xy) / (xx + yy + np.float32(1e-8))
    return np.asarray(1 - _falling(coherence, (0.5, 0.9)), np.float32)


def _means(patches: Floats) -> Floats:
    """(n, 3) means of patches (n, k, 3), five times as fast as `mean`."""
    sums: Floats = np.einsum("nkc->nc", patches)
    return sums / np.float32(patches.shape[1])


def _mean_square(patches: Floats) -> Floats:
    return np.asarray(np.einsum("nkc,nkc->n", patches, patches) / np.float32(patches[0].size), np.float32)


def _falling(values: Floats, between: tuple[float, float]) -> Floats:
    """1 up to the first of `between`, 0 from the second on, smooth in between."""
    low, high = between
    share = ((np.float32(high) - values) / np.float32(high - low)).clip(0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def _pasted(octave: Octave, lattice: _Lattice, found: Places, gain: Floats, trust: Floats) -> FineDetail:
    """Overlapping blocks of the fine part, under a window that falls from a block's middle to its neighbours'."""
    width, side = octave.target.shape[1], 2 * STEP
    line = (1 - np.abs(np.arange(side) + 0.5 - STEP) / STEP).astype(np.float32)
    hat = line[:, None] * line
    # A mean of different blocks is flat; a steeper window averages less, and shows more of the seams.
    window = hat**WINDOW
    colours = np.repeat(window, 3, axis=1)
    fine = np.ascontiguousarray(octave.fine)
    blocks = _runs(fine, (0, 0), 1)
    out, mass, sure = np.zeros_like(fine), np.zeros(fine.shape[:2], np.float32), np.zeros(fine.shape[:2], np.float32)
    rows, columns = (part - STEP for part in np.divmod(found, width))
    # A block without trust counts where there is no other, so that nothing is divided by 0.
    counts = np.maximum(trust, np.float32(1e-3))
    for parity in np.ndindex(2, 2):  # blocks of one parity do not overlap
        corner = (REACH - STEP + STEP * parity[0], REACH - STEP + STEP * parity[1])
        into, weights, shares = (_runs(image, corner, side) for image in (out, mass, sure))
        for row, patches in enumerate(lattice.at[parity[0] :: 2, parity[1] :: 2]):
            here = np.flatnonzero(patches >= 0)
            if len(here) == 0:
                continue
            some = patches[here]
            count = counts[some, None, None]
            weights[row, here] += window * count
            shares[row, here] += hat * trust[some, None, None]
            block = colours * count
            block *= gain[some, None, None]
            block *= blocks[rows[some], columns[some]]
            into[row, here] += block
    out /= cv2.merge([np.maximum(mass, np.float32(1e-9))] * 3)
    return FineDetail(out, np.minimum(sure, np.float32(1)))


def _runs(image: Floats, corner: tuple[int, int], pitch: int) -> Floats:
    """(rows, columns, 2 STEP, 2 STEP C) view of the squares from `corner` on, `pitch` pixels apart.

    Colours are part of the last axis: an axis of three would take NumPy several times as long.
    """
    side = 2 * STEP
    part = image[corner[0] :, corner[1] :]
    rows, columns = ((length - side) // pitch + 1 for length in part.shape[:2])
    depth = part.shape[2] if part.ndim == 3 else 1
    down, across = part.strides[:2]
    return as_strided(part, (rows, columns, side, side * depth), (pitch * down, pitch * across, down, part.itemsize))
