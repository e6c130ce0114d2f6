"""Votes: every patch that covers a pixel votes for its source's colour there.

Wexler, Shechtman and Irani, "Space-time video completion", CVPR 2004, section 3: votes weigh more the more similar the
patch is to its source, and the nearer it lies to the known picture.

At first, at coarse scales, a pixel takes the mode of the votes' colours, found by mean shift, as there: a blend from
which the next search can go anywhere. Blends of what differs are flat, though, and the next search then prefers flat
sources: grass, gravel and snow become sheets. So in the last rounds of a coarse scale and at finer ones a pixel takes
the colour of the one pixel that most votes copy, by weight. Where neighbours are copied together (`coherence`), their
votes agree, so that whole pieces are copied as they are, as by Ashikhmin, "Synthesizing natural textures", I3D 2001.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .features import Floats, Places
from .parallel import ALONE, Parallel, blocks
from .sites import Sites

_BLOCK = 200_000
"""Votes held at once, few enough for the processor's caches; blocks are what threads share."""

_BANDWIDTH, _SWEEPS = 0.08, 2
"""Of the mean shift: votes further from the mode, in units of colour, hardly count; and its steps."""


def voted(
    pixels: Floats,
    sites: Sites,
    places: Places,
    rows: Places,
    weights: Floats,
    shifts: Floats,
    check: Callable[[], None],
    parallel: Parallel = ALONE,
    *,
    every_second: bool = False,
    mixed: bool = False,
) -> tuple[Floats, Places]:
    """The colours (t, 3) of some pixels by the votes of all patches that cover them, and the pixels (t,) they copy.

    Args:
        pixels: (h, w, 3) float32, where the sources lie.
        sites: The patches.
        places: (t,) flat indices of the pixels, each covered by a patch.
        rows: (n,) each patch's source.
        weights: (n,) each patch's weight, > 0.
        shifts: (n, 3) added to the colours of each patch's source.
        check: Called between blocks; may raise to stop.
        parallel: The threads.
        every_second: Only every second patch over a pixel votes, as on a chequerboard.
        mixed: Colours are modes of the votes, and need not be copies.
    """
    width, radius = sites.shape[1], sites.radius
    flat = pixels.reshape(-1, 3)
    # One more patch, of no weight, stands for none.
    none = len(rows)
    sources = np.append(sites.sources[rows], sites.sources[0]).astype(np.int32)
    weights = np.append(weights, np.float32(0))
    shifts = np.append(shifts, np.zeros((1, 3), np.float32), axis=0)
    weighed = np.concatenate([shifts * weights[:, None], weights[:, None]], axis=1).astype(np.float64)
    line = range(-radius, radius + 1)
    offsets = [(dy, dx) for dy in line for dx in line if not every_second or (dy + dx) % 2 == 0]
    # A pixel that many votes copy is among those of a few patches, a third of a patch apart.
    apart = max(2, len(line) // 3)
    candidates = [vote for vote, (dy, dx) in enumerate(offsets) if dy % apart == 0 and dx % apart == 0]
    steps = np.array([dy * width + dx for dy, dx in offsets], np.int32)[:, None]
    wide_steps = np.array([sites.step(dy, dx) for dy, dx in offsets], np.intp)[:, None]
    result = np.empty((len(places), 3), np.float32)
    copied = np.empty(len(places), np.intp)

    def count(block: slice) -> None:
        check()
        patches = sites.patch_at[sites.padded(places[block]) - wide_steps]
        copies = sources[patches] + steps
        winner = copies[0].copy()
        split = np.flatnonzero((copies != winner).any(axis=0))
        # Sums of one column, or of columns that [] takes, are added up in another order, with other last bits.
        columns = np.repeat(split, 2) if len(split) == 1 else split
        shares = weights[np.take(patches, columns, axis=1)]
        winner[columns] = _most_copied(shares, np.take(copies, columns, axis=1), candidates)
        copied[block] = winner
        if mixed:
            result[block] = _mode(np.take(flat, copies, axis=0) + np.take(shifts, patches, axis=0), weights[patches])
            return
        sums = np.zeros((len(winner), 4))
        for vote, patch in zip(copies, patches, strict=True):
            sums += np.take(weighed, np.where(vote == winner, patch, none), axis=0)
        change = sums[:, :3] / np.maximum(sums[:, 3:], 1e-30)
        result[block] = flat[winner] + change.astype(np.float32)

    parallel.each(count, blocks(len(places), max(1, _BLOCK // len(offsets))))
    return result, copied


def _most_copied(weights: Floats, copies: NDArray[np.int32], candidates: Sequence[int]) -> NDArray[np.int32]:
    """(n,) the pixel that most votes copy, by weight.

    Args:
        weights: (k, n), of the votes.
        copies: (k, n), which pixel a vote copies.
        candidates: The votes among which the pixel is sought, besides the heaviest.
    """
    heaviest = weights.argmax(axis=0)[None]
    most = np.take_along_axis(weights, heaviest, axis=0)[0]
    winner: NDArray[np.int32] = np.take_along_axis(copies, heaviest, axis=0)[0]
    for candidate in candidates:
        total = np.einsum("kn,kn->n", weights, copies == copies[candidate])
        better = total > most
        np.copyto(most, total, where=better)
        np.copyto(winner, copies[candidate], where=better)
    return winner


def _mode(colours: Floats, weights: Floats) -> Floats:
    """The mode (n, 3) of votes (k, n, 3) with weights (k, n), by mean shift from the heaviest vote."""
    mode: Floats = colours[weights.argmax(axis=0), np.arange(colours.shape[1])]
    for _ in range(_SWEEPS):
        difference = colours - mode
        closeness = np.einsum("kni,kni->kn", difference, difference)
        closeness *= np.float32(-0.5 / _BANDWIDTH**2)
        np.exp(closeness, out=closeness)
        closeness *= weights
        mode = np.einsum("kn,kni->ni", closeness, colours) / closeness.sum(axis=0)[:, None]
    return mode
