"""Votes: every patch that covers a pixel votes for its source's colour there.

Wexler, Shechtman and Irani, "Space-time video completion", CVPR 2004, section 3: votes weigh more the more similar the
patch is to its source, and the nearer it lies to the known picture; and the colour is the mode of the votes, found by
mean shift, rather than their mean, which would be blurred.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

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
    bandwidth: float,
    sweeps: int,
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
        bandwidth: Of the mean shift, in colour units: votes further from the mode hardly count. 0: the vote with the
            largest weight decides.
        sweeps: Steps of the mean shift.
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
    result = np.empty((len(places), 3), np.float32)
    step = max(1, _BLOCK // len(offsets))
    for start in range(0, len(places), step):
        here = places[start : start + step]
        shares = np.empty((len(offsets), len(here)), np.float32)
        colours = np.empty((len(offsets), len(here), 3), np.float32)
        for vote, (dy, dx) in enumerate(offsets):
            patch = sites.patches(here, -dy, -dx)
            shares[vote] = weights[patch]
            np.take(flat, sources[patch] + (dy * width + dx), axis=0, out=colours[vote])
            colours[vote] += shifts[patch]
        result[start : start + step] = _mode(colours, shares, bandwidth, sweeps)
        check()
    return result


def _mode(colours: Floats, weights: Floats, bandwidth: float, sweeps: int) -> Floats:
    """The mode (n, 3) of votes (k, n, 3) by mean shift from the heaviest vote."""
    mode: Floats = colours[weights.argmax(axis=0), np.arange(colours.shape[1])]
    if bandwidth <= 0:
        return mode
    for _ in range(sweeps):
        difference = colours - mode
        closeness = np.einsum("kni,kni->kn", difference, difference)
        closeness *= np.float32(-0.5 / bandwidth**2)
        np.exp(closeness, out=closeness)
        closeness *= weights
        mode = np.einsum("kn,kni->ni", closeness, colours) / closeness.sum(axis=0)[:, None]
    return mode
