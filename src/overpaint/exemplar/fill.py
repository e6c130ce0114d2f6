"""Fill a hole with texture and structure of its surroundings: coarse to fine, search and vote.

All methods were published before 2005. The outline is Wexler, Shechtman and Irani, "Space-time video completion", CVPR
2004, for one picture in place of a video: at each scale of a pyramid, every patch that touches the hole is matched with
the most similar patch of the known picture, every pixel of the hole takes the mode of the colours that the patches over
it vote for, and both steps are repeated.

- The initial guess, at the coarsest scale, grows layer by layer from the edge (`onion`: Efros and Leung, ICCV 1999).
- Nearest neighbours are searched in a space of principal components (`features`: Hertzmann et al., "Image analogies",
  SIGGRAPH 2001) by a vector quantiser (`search`: Wei and Levoy, SIGGRAPH 2000).
- The shifted sources of neighbouring patches are candidates too, and are favoured (`coherence`: Ashikhmin, I3D 2001;
  Hertzmann et al. 2001).
- From scale to scale only *colours* are enlarged, and the search starts again. An enlarged picture is soft and would
  match soft sources. So the first search at a scale is an image analogy (Hertzmann et al. 2001): the enlarged coarse
  hole is compared with the enlarged coarse surroundings, and the match's sharp pixels are copied.

Not used, because patents on them may be in force: random search with propagation of offsets; matches at a coarse scale
that limit the search at a finer one; priorities that order the filling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from .blas import one_thread
from .coherence import NONE, Matches
from .features import Basis, Flags, Floats, Places, inside
from .onion import onion
from .pyramid import Level, cells, doubled, halved
from .search import Quantiser
from .sites import Sites
from .smooth import membrane
from .vote import voted

_FEWEST_SOURCES = 60
"""A scale with fewer sources is not used."""

_FIRST_TARGET = 3000
"""The initial guess compares every pixel with every source, so that the coarsest target has at most so many pixels."""

_FIRST_SOURCES = 6000
"""The initial guess uses at most about so many sources."""


@dataclass(frozen=True, slots=True)
class FillSettings:
    """How a hole is filled.

    Attributes:
        radius: Of the patches, in pixels: side = 2 radius + 1.
        dims: Principal components kept.
        iterations: Rounds of search and vote at each scale, after the analogy.
        finest_iterations: The same at the picture's own scale, where a round costs most.
        probes: Cells of the quantiser that a search covers.
        lattice_above: With more patches than this a search covers every second one in both directions, and coherence
            finds the others' sources.
        most_votes: Pixels times rounds at one scale, without the analogy: huge holes get fewer rounds.
        most_sources: Sources kept: the nearest to the hole.
        depth: The coarsest scale is the first at which the hole is at most so many patches wide.
        nearness: Weight of a source's place against its colours: near sources are preferred.
        favour: A coherent source may be further by this factor (kappa).
        rounds: Of coherence.
        decay: A vote weighs decay ** -d at d pixels from the known picture (Wexler's gamma).
        quantile: Of the distances: sigma squared of the weights of votes (Wexler: the 75th percentile).
        bandwidth: Of the mean shift that finds the votes' mode, in colour units.
        last_bandwidth: The same for the last vote of all. 0: the best patch decides.
        shift: Most that a copied patch is made brighter or darker in each channel, to have the mean colour of what it
            replaces: skies and walls continue without steps.
        variety: A match of the initial guess may be further than the best one by this share; the seed chooses among
            those (Efros and Leung 1999, whose epsilon is 0.1). 0 takes the best.
    """

    radius: int = 3
    dims: int = 20
    iterations: int = 4
    finest_iterations: int = 2
    probes: int = 3
    lattice_above: int = 10_000
    most_votes: int = 400_000
    most_sources: int = 250_000
    depth: float = 4.0
    nearness: float = 0.1
    favour: float = 0.1
    rounds: int = 2
    decay: float = 1.3
    quantile: float = 0.75
    bandwidth: float = 0.08
    last_bandwidth: float = 0.02
    shift: float = 0.04
    variety: float = 0.0


@dataclass(frozen=True, slots=True)
class FillCallbacks:
    """What a fill calls while it runs.

    Attributes:
        done: Called after each round with the fraction of the work done, 0 to 1; may raise to stop.
        check: Called often; may raise to stop.
    """

    done: Callable[[float], None] = lambda fraction: None
    check: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True, eq=False)
class InitialGuess:
    """Coarse structure to start from. Where other patches fit together better, the fill departs from it.

    Attributes:
        pixels: (h, w, 3) float32: the whole picture, target included. Around the target it may differ from the picture
            in the same way as at the target: the first search compares the guess with itself.
        octaves: How often it is halved before use, >= 1; finer detail in it is ignored.
    """

    pixels: Floats
    octaves: int


def fill(
    pixels: Floats,
    known: Flags,
    target: Flags,
    settings: FillSettings,
    seed: int,
    callbacks: FillCallbacks | None = None,
    guess: InitialGuess | None = None,
) -> Floats:
    """The picture with its target filled.

    Args:
        pixels: (h, w, 3) float32. Values at the target are ignored; pixels that are neither known nor target are
            compared with, but never copied.
        known: (h, w) bool: what may be copied.
        target: (h, w) bool: what to fill; apart from `known`.
        settings: How it is filled.
        seed: Of the sample that the search's cells are made from. The same seed gives the same pixels.
        callbacks: For progress and cancellation.
        guess: Used in place of an initial guess from the target's edge.

    Returns:
        (h, w, 3) float32, equal to `pixels` outside the target. Without a patch to copy from, a membrane or the guess.
    """
    with one_thread():
        return _filled(pixels, known, target, settings, seed, callbacks or FillCallbacks(), guess)


def _filled(
    pixels: Floats,
    known: Flags,
    target: Flags,
    settings: FillSettings,
    seed: int,
    callbacks: FillCallbacks,
    guess: InitialGuess | None,
) -> Floats:
    radius = _fitting_radius(known, settings.radius)
    if radius == 0:
        return np.where(target[..., None], membrane(pixels, ~target) if guess is None else guess.pixels, pixels)
    rng = np.random.default_rng(seed)
    finest = Level(pixels, known, target)
    levels = _levels(
        finest,
        radius,
        lambda found: _few_patches(found[-1], radius, settings) if guess is None else len(found) > guess.octaves,
    )
    costs = [_cost(level, number, settings) for number, level in enumerate(levels)]
    total, spent = sum(costs), 0.0
    start = None if guess is None else _coarse(guess.pixels, len(levels) - 1)
    current = _first_guess(levels[-1], radius, settings, np.random.default_rng((seed, 1))) if start is None else start
    for number in reversed(range(len(levels))):
        level = levels[number]
        if number < len(levels) - 1:
            start = doubled(current, level.known.shape)
        if start is not None:
            current = np.where(level.target[..., None], start, level.pixels)
        rounds = _rounds(level, number, settings)
        share = costs[number] / total

        def done(fraction: float, spent: float = spent, share: float = share) -> None:
            callbacks.done(spent + share * fraction)

        step = _Scale(level, radius, settings, rng, FillCallbacks(done, callbacks.check), final=number == 0)
        current = step.run(current, start, rounds)
        spent += share
    return current


def _fitting_radius(known: Flags, radius: int) -> int:
    """The largest radius up to `radius` at which there is a patch to copy; 0 where there is none."""
    for fitting in range(radius, 0, -1):
        if inside(known, fitting).any():
            return fitting
    return 0


def _levels(finest: Level, radius: int, enough: Callable[[list[Level]], bool]) -> list[Level]:
    """The pyramid, finest first, until it is enough or too few sources would be left."""
    levels = [finest]
    while not enough(levels):
        coarser = halved(levels[-1])
        if np.count_nonzero(inside(coarser.known, radius)) < _FEWEST_SOURCES:
            break
        levels.append(coarser)
    return levels


def _few_patches(level: Level, radius: int, settings: FillSettings) -> bool:
    """Whether the hole is small enough to start with: a few patches wide."""
    padded = np.pad(level.target, 1).astype(np.uint8)
    width = 2 * float(cv2.distanceTransform(padded, cv2.DIST_L2, 3).max())
    return int(np.count_nonzero(level.target)) <= _FIRST_TARGET and width <= settings.depth * (2 * radius + 1)


def _coarse(pixels: Floats, octaves: int) -> Floats:
    """A picture without holes, halved `octaves` times."""
    for _ in range(octaves):
        pixels = cells(pixels)
    return pixels


def _rounds(level: Level, number: int, settings: FillSettings) -> int:
    """Rounds of search and vote at a level, after the analogy: fewer where a round is expensive."""
    wanted = settings.iterations if number else settings.finest_iterations
    return min(wanted, settings.most_votes // max(1, int(np.count_nonzero(level.target))))


def _cost(level: Level, number: int, settings: FillSettings) -> float:
    """The relative cost of a level, for progress."""
    rounds = 1 + _rounds(level, number, settings)
    sources = min(int(np.count_nonzero(level.known)), settings.most_sources)
    return 1000 + 0.5 * sources + rounds * float(np.count_nonzero(level.target))


def _first_guess(level: Level, radius: int, settings: FillSettings, rng: np.random.Generator) -> Floats:
    sources = Sites.of(level, radius, settings.most_sources).sources
    sources = sources[:: -(-len(sources) // _FIRST_SOURCES)]
    return onion(level.pixels, level.target, sources, radius, settings.nearness, settings.shift, settings.variety, rng)


class _Scale:
    """Search and vote at one scale."""

    def __init__(
        self,
        level: Level,
        radius: int,
        settings: FillSettings,
        rng: np.random.Generator,
        callbacks: FillCallbacks,
        *,
        final: bool,
    ) -> None:
        self._level, self._recipe, self._rng, self._callbacks, self._final = level, settings, rng, callbacks, final
        self._sites = Sites.of(level, radius, settings.most_sources)
        self._confidence = np.float32(settings.decay) ** -self._sites.depth
        self._matches: Matches | None = None

    def run(self, current: Floats, start: Floats | None, rounds: int) -> Floats:
        """`current` (h, w, 3) after so many rounds; `start` is the enlarged coarser picture, where there is one."""
        rounds = max(rounds, 1) if start is None else rounds
        steps = rounds + (start is not None)
        if start is not None:
            current = self._round(self._index(start), start, current, last=steps == 1)
            self._callbacks.done(1 / steps)
        if rounds == 0:
            return current
        index = self._index(self._level.pixels)
        for number in range(rounds):
            current = self._round(index, current, current, last=number == rounds - 1, phase=number)
            self._callbacks.done((number + 1 + steps - rounds) / steps)
        return current

    def _index(self, pixels: Floats) -> _SourceIndex:
        self._callbacks.check()
        return _SourceIndex(pixels, self._sites, self._recipe, self._rng)

    def _round(self, index: _SourceIndex, searched: Floats, current: Floats, *, last: bool, phase: int = 0) -> Floats:
        """One search for the patches of `searched`, and one vote."""
        sites, settings = self._sites, self._recipe
        matches = Matches(sites, index.features(searched), index.table)
        chosen = self._searched(phase)
        matches.offer(chosen, index.nearest(matches.queries[chosen], self._callbacks.check))
        if self._matches is not None:
            matches.offer(np.arange(len(sites.centres)), self._matches.rows)
        matches.cohere(settings.favour, settings.rounds, self._callbacks.check)
        if len(left := np.flatnonzero(matches.rows == NONE)):
            matches.offer(left, index.nearest(matches.queries[left], self._callbacks.check))
        self._matches = matches
        sigma = np.quantile(matches.distances, settings.quantile) + 1e-8
        weights = self._confidence * np.exp(matches.distances / np.float32(-2 * sigma)) + np.float32(1e-12)
        bandwidth = settings.last_bandwidth if last and self._final else settings.bandwidth
        shifts = self._shifts(current, matches.rows)
        colours = voted(self._level.pixels, sites, matches.rows, weights, shifts, bandwidth, 2, self._callbacks.check)
        filled = current.copy()
        filled.reshape(-1, 3)[sites.places] = colours
        return filled

    def _shifts(self, current: Floats, rows: Places) -> Floats:
        """(n, 3): the patches' mean colours minus those of their sources, bounded."""
        sites, limit = self._sites, np.float32(self._recipe.shift)
        side = (2 * sites.radius + 1, 2 * sites.radius + 1)
        wanted = cv2.blur(current, side).reshape(-1, 3)[sites.centres]
        copied = cv2.blur(self._level.pixels, side).reshape(-1, 3)[sites.sources[rows]]
        return np.asarray((wanted - copied).clip(-limit, limit), np.float32)

    def _searched(self, phase: int) -> Places:
        """Indices of the patches that this round searches for; they alternate between rounds."""
        count = len(self._sites.centres)
        if count <= self._recipe.lattice_above:
            return np.arange(count)
        rows, columns = np.divmod(self._sites.centres, self._sites.shape[1])
        return np.flatnonzero((rows % 2 == phase % 2) & (columns % 2 == phase // 2 % 2))


class _SourceIndex:
    """The sources of one scale as features, and their search."""

    def __init__(self, pixels: Floats, sites: Sites, settings: FillSettings, rng: np.random.Generator) -> None:
        self._sites, self._recipe = sites, settings
        self._basis = Basis.of(pixels, sites.sources, sites.radius, settings.dims)
        # A distance of the whole diagonal weighs as much as a difference of `nearness` in every sample of a patch.
        self._reach = np.float32(settings.nearness * np.sqrt(3) * (2 * sites.radius + 1))
        self.table = self._placed(pixels, sites.sources)
        self._quantiser = Quantiser(self.table, rng)

    def features(self, pixels: Floats) -> Floats:
        """(n, d) of the target's patches in `pixels`."""
        return self._placed(pixels, self._sites.centres)

    def nearest(self, queries: Floats, check: Callable[[], None]) -> Places:
        """(n,) the index of the nearest source."""
        return self._quantiser.nearest(queries, self._recipe.probes, check)

    def _placed(self, pixels: Floats, centres: Places) -> Floats:
        colours = self._basis.project(pixels, centres)
        return np.concatenate([colours, self._sites.positions(centres) * self._reach], axis=1)
