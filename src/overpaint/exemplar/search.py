"""Nearest neighbours of patches by a two-level vector quantiser.

Wei and Levoy, "Fast texture synthesis using tree-structured vector quantization", SIGGRAPH 2000, with one level of the
tree and backtracking to several cells; the search within cells is exact.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .features import Floats

Rows = NDArray[np.intp]
"""(n,) row numbers of a dictionary."""

_BLOCK = 2_000_000
"""Distances held at once."""


class Quantiser:
    """Vectors sorted into cells around means, so that a search covers a few cells only."""

    def __init__(self, vectors: Floats, rng: np.random.Generator, cells: int | None = None) -> None:
        """Sort `vectors` (n, d) into about sqrt(n) cells, by four rounds of Lloyd's algorithm on a sample."""
        count = len(vectors)
        cells = cells or max(1, int(np.sqrt(count) * 0.7))
        sample = vectors[rng.choice(count, min(count, cells * 24), replace=False)]
        means = sample[:cells].copy()
        for _ in range(4):
            owner = _nearest_rows(sample, means)
            # the sums of np.add.at in double precision, ten times as fast
            sums = np.stack([np.bincount(owner, column, minlength=len(means)) for column in sample.T], axis=1)
            sizes = np.bincount(owner, minlength=len(means))
            means[sizes > 0] = (sums[sizes > 0] / sizes[sizes > 0, None]).astype(np.float32)
        owner = _nearest_rows(vectors, means)
        self._order = np.argsort(owner, kind="stable")
        self._ends = np.cumsum(np.bincount(owner, minlength=len(means)))
        self._means = means
        sorted_vectors = vectors[self._order]
        self._table = _for_ranking(sorted_vectors)

    def nearest(self, queries: Floats, probes: int, check: Callable[[], None]) -> Rows:
        """For each of `queries` (n, d) the row of the nearest vector in its `probes` nearest cells."""
        probes = min(probes, len(self._means))
        extended = np.concatenate([queries, np.ones((len(queries), 1), np.float32)], axis=1)
        best = np.full(len(queries), np.inf, np.float32)
        found = np.zeros(len(queries), np.intp)
        cells = self._nearest_cells(extended, probes)
        query_of = np.repeat(np.arange(len(queries)), probes)
        order = np.argsort(cells.ravel(), kind="stable")
        query_of = query_of[order]
        ends = np.cumsum(np.bincount(cells.ravel(), minlength=len(self._means)))
        start = low = 0
        for end, high in zip(ends, self._ends, strict=True):
            step = max(64, _BLOCK // max(1, high - low))
            for at in range(start, end if high > low else start, step):
                mine = query_of[at : min(end, at + step)]
                ranks = extended[mine] @ self._table[:, low:high]
                nearest = ranks.argmin(axis=1)
                rank = ranks[np.arange(len(mine)), nearest]
                better = rank < best[mine]
                best[mine[better]] = rank[better]
                found[mine[better]] = nearest[better] + low
            check()
            start, low = end, high
        return self._order[found]

    def _nearest_cells(self, extended: Floats, probes: int) -> NDArray[np.intp]:
        table = _for_ranking(self._means)
        cells = np.empty((len(extended), probes), np.intp)
        step = max(64, _BLOCK // len(self._means))
        for at in range(0, len(extended), step):
            if probes == len(self._means):
                cells[at : at + step] = np.arange(probes)
                continue
            ranks = extended[at : at + step] @ table
            every = np.arange(len(ranks))
            # For a few probes, one argmin each is several times faster than a partition.
            for probe in range(probes):
                nearest = ranks.argmin(axis=1)
                cells[at : at + step, probe] = nearest
                ranks[every, nearest] = np.inf
        return cells


def _for_ranking(vectors: Floats) -> Floats:
    """(d + 1, n): the product of (q, 1) with it is |q - v|^2 - |q|^2, which ranks as the distance does."""
    return np.concatenate([-2 * vectors.T, np.einsum("ij,ij->i", vectors, vectors)[None]]).astype(np.float32)


def _nearest_rows(vectors: Floats, means: Floats) -> Rows:
    table = _for_ranking(means)
    found = np.empty(len(vectors), np.intp)
    step = max(64, _BLOCK // len(means))
    for at in range(0, len(vectors), step):
        chunk = vectors[at : at + step]
        found[at : at + step] = (chunk @ table[:-1] + table[-1]).argmin(axis=1)
    return found
