"""Coherent matches: neighbouring patches are copied from neighbouring sources where that costs little.

Ashikhmin, "Synthesizing natural textures", I3D 2001: the candidates for a patch are the sources of its neighbours,
shifted by as much. Hertzmann et al., "Image analogies", SIGGRAPH 2001, section 3.2: a coherent candidate is taken
although its distance is a little larger, by the factor 1 + kappa, because verbatim copies look better than mixtures.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .features import Floats, Places
from .parallel import ALONE, Parallel, blocks
from .sites import AROUND, Sites

NONE = -1
"""A patch that has no match yet."""

_BLOCK, _PIECE = 16_384, 2048
"""Patches that a thread takes at once, and those compared at once, few enough for the processor's caches."""


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
        for piece in blocks(len(patches), _PIECE):
            mine, offered = patches[piece], rows[piece]
            difference = np.take(self.queries, mine, axis=0)  # three times as fast as [], here and elsewhere
            difference -= np.take(self._table, offered, axis=0)
            distances = np.einsum("ij,ij->i", difference, difference)
            better = distances < self.distances[mine] * np.float32(1 + favour)
            taken = mine[better]
            self.rows[taken] = offered[better]
            self.distances[taken] = distances[better]

    def offer_all(self, patches: Places, rows: Places, parallel: Parallel = ALONE) -> None:
        """`offer`, shared among threads; each patch occurs once at most."""
        parallel.each(lambda block: self.offer(patches[block], rows[block]), blocks(len(patches), _BLOCK))

    def difference(self, dims: int, samples: int) -> float:
        """Root mean square difference of the patches from their sources: of `dims` features, over `samples` a patch."""
        squares = np.empty(len(self.rows), np.float32)
        for piece in blocks(len(squares), _PIECE):
            apart = self.queries[piece, :dims] - np.take(self._table, self.rows[piece], axis=0)[:, :dims]
            np.einsum("ij,ij->i", apart, apart, out=squares[piece])
        return float(np.sqrt(squares.mean() / samples))

    def cohere(self, favour: float, rounds: int, check: Callable[[], None], parallel: Parallel = ALONE) -> None:
        """Offer each patch the shifted sources of its eight neighbours; each round carries them one pixel further."""
        sites = self._sites
        width = sites.shape[1]
        padded = sites.padded(sites.centres)
        before = np.full(len(self.rows) + 1, NONE, np.intp)  # the last one stands for a patch that there is not
        for dy, dx in AROUND * rounds:
            before[:-1] = self.rows

            def carry(block: slice, beside: int = sites.step(dy, dx), step: int = dy * width + dx) -> None:
                check()
                rows = before[sites.patch_at[padded[block] + beside]]
                # A source lies inside the picture by its radius, so that a step of one pixel never leaves it.
                shifted = sites.row_at[sites.sources[rows] - step]
                worth = np.flatnonzero((rows != NONE) & (shifted != NONE) & (shifted != self.rows[block]))
                self.offer(worth + block.start, shifted[worth], favour)

            parallel.each(carry, blocks(len(self.rows), _BLOCK))
