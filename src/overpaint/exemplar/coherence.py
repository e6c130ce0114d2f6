"""Coherent matches: neighbouring patches are copied from neighbouring sources where that costs little.

Ashikhmin, "Synthesizing natural textures", I3D 2001: the candidates for a patch are the sources of its neighbours,
shifted by as much. Hertzmann et al., "Image analogies", SIGGRAPH 2001, section 3.2: a coherent candidate is taken
although its distance is a little larger, by the factor 1 + kappa, because verbatim copies look better than mixtures.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .features import Floats, Places
from .sites import AROUND, Sites

NONE = -1
"""A patch that has no match yet."""


class Matches:
    """The source that each patch of the target is matched with, and its distance.

    Attributes:
        queries: (n, d) the patches' features.
        rows: (n,) indices of sources, NONE where there is none yet.
        distances: (n,) squared distances of features, infinite where there is none yet.
    """

    def __init__(self, sites: Sites, queries: Floats, table: Floats) -> None:
        """No matches yet, for patches with features `queries` (n, d) among sources with features `table` (s, d)."""
        self._sites, self.queries, self._table = sites, queries, table
        self.rows = np.full(len(queries), NONE, np.intp)
        self.distances = np.full(len(queries), np.inf, np.float32)

    def offer(self, patches: Places, rows: Places, favour: float = 0.0) -> None:
        """Match patches with these sources where they are nearer than 1 + `favour` times the distance so far."""
        difference = self.queries[patches]
        difference -= self._table[rows]
        distances = np.einsum("ij,ij->i", difference, difference)
        better = distances < self.distances[patches] * np.float32(1 + favour)
        taken = patches[better]
        self.rows[taken] = rows[better]
        self.distances[taken] = distances[better]

    def difference(self, dims: int, samples: int) -> float:
        """Root mean square difference of the patches from their sources: of `dims` features, over `samples` a patch."""
        apart = self.queries[:, :dims] - self._table[self.rows, :dims]
        return float(np.sqrt(np.einsum("ij,ij->i", apart, apart).mean() / samples))

    def cohere(self, favour: float, rounds: int, check: Callable[[], None]) -> None:
        """Offer each patch the shifted sources of its eight neighbours; each round carries them one pixel further."""
        sites = self._sites
        width = sites.shape[1]
        beside = sites.patches(sites.centres, AROUND)
        for _ in range(rounds):
            for (dy, dx), neighbour in zip(AROUND, beside, strict=True):
                rows = np.append(self.rows, NONE)[neighbour]
                # A source lies inside the picture by its radius, so that a step of one pixel never leaves it.
                shifted = sites.row_at[sites.sources[rows] - (dy * width + dx)]
                worth = np.flatnonzero((rows != NONE) & (shifted != NONE) & (shifted != self.rows))
                self.offer(worth, shifted[worth], favour)
                check()
