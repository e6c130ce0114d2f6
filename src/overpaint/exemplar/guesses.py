"""First guesses of a hole's content, at a coarse scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from .features import Floats
from .onion import onion
from .pyramid import Level
from .settings import FillSettings
from .sites import Sites
from .smooth import membrane

_LAYERS_TARGET = 3000
"""The guess by layers compares every pixel with every source, so that its target has at most so many pixels."""

_LAYERS_SOURCES = 6000
"""The guess by layers uses at most about so many sources."""


def smooth_guess(level: Level) -> Floats:
    """A membrane: colours of the edge, blended."""
    return membrane(level.pixels, ~level.target)


def layered_guess(level: Level, radius: int, settings: FillSettings, rng: np.random.Generator) -> Floats:
    """Pixel by pixel from the edge inwards (`onion`): structures grow into the hole, and objects with them."""
    sources = Sites.of(level, radius, settings.most_sources).sources
    sources = sources[:: -(-len(sources) // _LAYERS_SOURCES)]
    return onion(level.pixels, level.target, sources, radius, settings.nearness, settings.shift, settings.variety, rng)


def layers_fit(level: Level, radius: int, settings: FillSettings) -> bool:
    """Whether the hole is small enough for the guess by layers: a few patches wide."""
    few = int(np.count_nonzero(level.target)) <= _LAYERS_TARGET
    return few and hole_width(level) <= settings.depth * (2 * radius + 1)


def hole_width(level: Level) -> float:
    """The largest width of the target, in pixels."""
    return 2 * float(cv2.distanceTransform(np.pad(level.target, 1).astype(np.uint8), cv2.DIST_L2, 3).max())


def first_where(levels: Sequence[Level], fits: Callable[[Level], bool]) -> int:
    """The number of the finest level that fits, else the coarsest one's."""
    return next((number for number, level in enumerate(levels) if fits(level)), len(levels) - 1)
