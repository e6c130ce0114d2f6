"""Votes: every patch that covers a pixel votes for its source's colour there.

Wexler, Shechtman and Irani, "Space-time video completion", CVPR 2004, section 3: votes weigh more the more similar the
patch is to its source, and the nearer it lies to the known picture.

A pixel takes the colour of the one pixel that most votes copy, by weight. A mean of the votes, or a mode of their
colours, would blur what differs: grass, gravel and snow become flat, and the next search prefers flat sources. Where
neighbours are copied together (`coherence`), their votes agree, so that whole pieces are copied as they are, as by
Ashikhmin, "Synthesizing natural textures", I3D 2001.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .features import Floats, Places
from .sites import Sites

_BLOCK = 1_000_000
"""Votes held at once."""


def voted(
    pixels: Floats,
    sites: Sites,
    places: Places,
    rows: Places,
    weights: Floats,
    shifts: Floats,
    check: Callable[[], None],
    *,
    every_second: bool = False,
) -> Floats:
    """The colours (t, 3) of some pixels by the votes of all patches that cover them.

    Args:
        pixels: (h, w, 3) float32, where the sources lie.
        sites: The patches.
        places: (t,) flat indices of the pixels, each covered by a patch.
        rows: (n,) each patch's source.
        weights: (n,) each patch's weight, > 0.
        shifts: (n, 3) added to the colours of each patch's source.
        check: Called between blocks; may raise to stop.
        every_second: Only every second patch over a pixel votes, as on a chequerboard.
    """
    width, radius = sites.shape[1], sites.radius
    flat = pixels.reshape(-1, 3)
    # One more patch, of no weight, stands for none.
    sources = np.append(sites.sources[rows], sites.sources[0])
    weights = np.append(weights, np.float32(0))
    shifts = np.append(shifts, np.zeros((1, 3), np.float32), axis=0)
    line = range(-radius, radius + 1)
    offsets = [(dy, dx) for dy in line for dx in line if not every_second or (dy + dx) % 2 == 0]
    # A pixel that many votes copy is among those of a few patches, a third of a patch apart.
    apart = max(2, len(line) // 3)
    candidates = [vote for vote, (dy, dx) in enumerate(offsets) if dy % apart == 0 and dx % apart == 0]
    result = np.empty((len(places), 3), np.float32)
    step = max(1, _BLOCK // len(offsets))
    for start in range(0, len(places), step):
        here = places[start : start + step]
        shares = np.empty((len(offsets), len(here)), np.float32)
        colours = np.empty((len(offsets), len(here), 3), np.float32)
        copies = np.empty((len(offsets), len(here)), np.int32)
        for vote, (dy, dx) in enumerate(offsets):
            patch = sites.patches(here, -dy, -dx)
            shares[vote] = weights[patch]
            copies[vote] = sources[patch] + (dy * width + dx)
            np.take(flat, copies[vote], axis=0, out=colours[vote])
            colours[vote] += shifts[patch]
        result[start : start + step] = _copied(colours, shares, copies, candidates)
        check()
    return result


def _copied(colours: Floats, weights: Floats, copies: NDArray[np.int32], candidates: Sequence[int]) -> Floats:
    """The colour (n, 3) of the pixel that most votes copy, by weight.

    Args:
        colours: (k, n, 3), the votes.
        weights: (k, n).
        copies: (k, n), which pixel a vote copies.
        candidates: The votes among which the pixel is sought, besides the heaviest.
    """
    heaviest = weights.argmax(axis=0)[None]
    most = np.take_along_axis(weights, heaviest, axis=0)[0]
    winner = np.take_along_axis(copies, heaviest, axis=0)[0]
    for candidate in candidates:
        total = np.multiply(weights, copies == copies[candidate]).sum(axis=0)
        better = total > most
        np.copyto(most, total, where=better)
        np.copyto(winner, copies[candidate], where=better)
    agreeing = weights * (copies == winner)
    found = np.einsum("kn,kni->ni", agreeing, colours) / agreeing.sum(axis=0)[:, None]
    return np.asarray(found, np.float32)
