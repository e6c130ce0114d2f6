"""Nearest neighbours of patches by a two-level vector quantiser.

Wei and Levoy, "Fast texture synthesis using tree-structured vector quantization", SIGGRAPH 2000, with one level of the
tree and backtracking to several cells; the search within cells is exact.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .features import Floats
from .parallel import ALONE, Parallel, blocks, pieces

Rows = NDArray[np.intp]
"""(n,) row numbers of a dictionary."""

_BLOCK = 2_000_000
"""Distances of a block of queries; blocks are what threads share."""

_PIECE = 504
"""Queries multiplied at once, few enough for the processor's caches.

The last bits of a row's product depend on its place among the rows, modulo 12 for OpenBLAS: so this is a multiple of
12, and products of pieces equal those of whole blocks.
"""


class Quantiser:
    """Vectors sorted into cells around means, so that a search covers a few cells only."""

    def __init__(
        self, vectors: Floats, rng: np.random.Generator, cells: int | None = None, parallel: Parallel = ALONE
    ) -> None:
        """Sort `vectors` (n, d) into about sqrt(n) cells, by four rounds of Lloyd's algorithm on a sample."""
        self._parallel = parallel
        count = len(vectors)
        cells = cells or max(1, int(np.sqrt(count) * 0.7))
        sample = vectors[rng.choice(count, min(count, cells * 24), replace=False)]
        means = sample[:cells].copy()
        for _ in range(4):
            owner = self._nearest_means(sample, means)
            # the sums of np.add.at in double precision, ten times as fast
            sums = np.stack([np.bincount(owner, column, minlength=len(means)) for column in sample.T], axis=1)
            sizes = np.bincount(owner, minlength=len(means))
            means[sizes > 0] = (sums[sizes > 0] / sizes[sizes > 0, None]).astype(np.float32)
        owner = self._nearest_means(vectors, means)
        self._order = np.argsort(owner, kind="stable")
        self._ends = np.cumsum(np.bincount(owner, minlength=len(means)))
        self._means = means
        self._table = _for_ranking(np.take(vectors, self._order, axis=0))

    def nearest(self, queries: Floats, probes: int, check: Callable[[], None]) -> Rows:
        """For each of `queries` (n, d) the row of the nearest vector in its `probes` nearest cells."""
        probes = min(probes, len(self._means))
        extended = np.concatenate([queries, np.ones((len(queries), 1), np.float32)], axis=1)
        cells = self._nearest_cells(extended, probes).ravel()
        # Pairs of a query and a cell, by cell: each cell's are one product.
        pairs = np.argsort(cells, kind="stable")
        query_of = pairs // probes
        ends = np.cumsum(np.bincount(cells, minlength=len(self._means)))
        ranks = np.full(len(pairs), np.inf, np.float32)
        found = np.zeros(len(pairs), np.intp)

        def search(some: slice) -> None:
            for cell in range(some.start, some.stop):
                check()
                start, end = ends[cell - 1] if cell else 0, ends[cell]
                low, high = self._ends[cell - 1] if cell else 0, self._ends[cell]
                if low == high:
                    continue
                table = self._table[:, low:high]
                for block in blocks(end - start, _step(high - low)):
                    for piece in pieces(slice(start + block.start, start + block.stop), _PIECE):
                        nearest, ranks[piece] = _least(np.take(extended, query_of[piece], axis=0) @ table)
                        found[piece] = nearest + low

        share = _step(len(pairs) * len(self._order) // len(self._means) ** 2)
        self._parallel.each(search, blocks(len(self._means), share))
        place = np.empty(len(pairs), np.intp)
        place[pairs] = np.arange(len(pairs))
        # In the cells' order, so that of equal ranks the first cell's is taken.
        place = np.sort(place.reshape(-1, probes), axis=1)
        best = place[np.arange(len(place)), ranks[place].argmin(axis=1)]
        return np.asarray(self._order[found[best]], np.intp)

    def _nearest_cells(self, extended: Floats, probes: int) -> NDArray[np.intp]:
        """(n, probes) the cells with the nearest means, nearest first."""
        if probes == len(self._means):
            return np.tile(np.arange(probes), (len(extended), 1))
        table = _for_ranking(self._means)
        cells = np.empty((len(extended), probes), np.intp)

        def rank(block: slice) -> None:
            for piece in pieces(block, _PIECE):
                ranks = extended[piece] @ table
                every = np.arange(len(ranks))
                # For a few probes, one argmin each is several times faster than a partition.
                for probe in range(probes):
                    nearest = ranks.argmin(axis=1)
                    cells[piece, probe] = nearest
                    ranks[every, nearest] = np.inf

        self._parallel.each(rank, blocks(len(extended), _step(len(self._means))))
        return cells

    def _nearest_means(self, vectors: Floats, means: Floats) -> Rows:
        """(n,) the number of the nearest of some means."""
        table = _for_ranking(means)
        found = np.empty(len(vectors), np.intp)

        def rank(block: slice) -> None:
            for piece in pieces(block, _PIECE):
                ranks = vectors[piece] @ table[:-1]
                ranks += table[-1]
                found[piece] = ranks.argmin(axis=1)

        self._parallel.each(rank, blocks(len(vectors), _step(len(means))))
        return found


def _step(width: int) -> int:
    """Queries of a block whose distances from `width` vectors are wanted."""
    return max(64, _BLOCK // max(1, width))


def _least(ranks: Floats) -> tuple[Rows, Floats]:
    """(n,) the column of the least value of each row, and that value."""
    column = ranks.argmin(axis=1)
    return column, ranks[np.arange(len(ranks)), column]


def _for_ranking(vectors: Floats) -> Floats:
    """(d + 1, n): the product of (q, 1) with it is |q - v|^2 - |q|^2, which ranks as the distance does."""
    count, dims = vectors.shape
    table = np.empty((dims + 1, count), np.float32)
    np.multiply(vectors.T, np.float32(-2), out=table[:-1])
    np.einsum("ij,ij->i", vectors, vectors, out=table[-1])
    return table
