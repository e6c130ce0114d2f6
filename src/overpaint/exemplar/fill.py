"""Fill a hole with texture and structure of its surroundings: coarse to fine, search and vote.

Everything here was published before 2005. The frame is Wexler, Shechtman and Irani, "Space-time video completion",
CVPR 2004, for one picture in place of a video: at each scale of a pyramid, every patch that touches the hole is matched
with the most similar patch of the known picture, every pixel of the hole takes the mode of the colours that the patches
covering it want, and the two steps are repeated. In it:

- the first guess, at the coarsest scale, comes layer by layer from the edge (`onion`: Efros and Leung, ICCV 1999);
- nearest neighbours are sought in a space of principal components (`features`: Hertzmann et al., "Image analogies",
  SIGGRAPH 2001) by a vector quantiser (`search`: Wei and Levoy, SIGGRAPH 2000);
- the sources of neighbouring patches, shifted, are candidates too, and are favoured (`coherence`: Ashikhmin, I3D 2001;
  Hertzmann et al. 2001);
- from scale to scale the *colours* are enlarged, nothing else, and the search begins anew. An enlarged picture is soft,
  and would find soft sources. So the first search at a scale is an image analogy (Hertzmann et al. 2001): the enlarged
  coarse hole is compared with the enlarged coarse surroundings, and the sharp pixels of the match are what is copied.

Not used, because patents on them may be in force: random search with propagation of offsets; matches at a coarse scale
that tell where to look at a finer one; priorities that order the filling.
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
"""A scale with fewer sources than this has no choice to offer."""

_FIRST_TARGET = 3000
"""The first guess compares every pixel with every source: it is made where the target has no more pixels than this."""

_FIRST_SOURCES = 6000
"""And with no more sources than this."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a hole is filled.

    Attributes:
        radius: Of the patches, in pixels: side = 2 radius + 1.
        dims: Principal components kept.
        iterations: Rounds of search and vote at each scale, after the analogy.
        finest_iterations: The same, at the picture's own scale, where a round costs most.
        probes: Cells of the quantiser that a search looks through.
        lattice_above: With more patches than this every second one in both directions is searched for, and coherence
            finds the others' sources.
        most_votes: Pixels times rounds at one scale, the analogy apart: huge holes get fewer rounds.
        most_sources: Of the sources, the nearest to the hole, as many as this.
        depth: The coarsest scale is the first at which the hole is at most this many patches wide.
        nearness: Weight of a source's place against its look: matches come rather from nearby.
        favour: By how much a coherent source may be further (kappa).
        rounds: Of coherence.
        decay: A vote weighs decay ** -d at d pixels from the known picture (Wexler's gamma).
        quantile: Of the distances: sigma squared of the weights of votes (Wexler: the 75th percentile).
        bandwidth: Of the mean shift that finds the votes' mode, in colour units.
        last_bandwidth: The same, in the last vote of all. 0: the best patch alone decides.
        shift: By how much a copied patch may be made brighter or darker, in each channel, to have the mean colour of
            what it replaces: skies and walls go on without steps.
        variety: By how much a match of the first guess may be further away than the best one, as a share; the seed
            chooses among those (Efros and Leung 1999, whose epsilon is 0.1). 0 takes the best.
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
class Watch:
    """Who waits for the fill.

    Attributes:
        done: Called with the fraction of the work that is done, 0 to 1, after each round; may raise to stop.
        check: Called often; may raise to stop.
    """

    done: Callable[[float], None] = lambda fraction: None
    check: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """What the fill is to look like in the large. It is begun with, and left where patches fit together better.

    Attributes:
        pixels: (h, w, 3) float32: the whole picture, target and all, as whoever made the sketch shows it. Around the
            target it may differ from the picture, as long as it differs there as it does at the target: the first
            search compares the sketch with itself.
        octaves: So often it is halved before it is believed, >= 1; what is finer in it is not looked at.
    """

    pixels: Floats
    octaves: int


def fill(
    pixels: Floats,
    known: Flags,
    target: Flags,
    recipe: Recipe,
    seed: int,
    watch: Watch | None = None,
    sketch: Sketch | None = None,
) -> Floats:
    """The picture with its target filled.

    Args:
        pixels: (h, w, 3) float32. At the target it is not looked at; where it is neither known nor target it is
            compared with, but never copied.
        known: (h, w) bool: what may be copied.
        target: (h, w) bool: what to fill; apart from `known`.
        recipe: How.
        seed: Of the sample that the search's cells are made from. The same seed gives the same pixels.
        watch: Told of progress.
        sketch: What to begin with, in place of a first guess from the target's edge.

    Returns:
        (h, w, 3) float32, equal to `pixels` outside the target. With no patch to copy from, a membrane or the sketch.
    """
    with one_thread():
        return _filled(pixels, known, target, recipe, seed, watch or Watch(), sketch)


def _filled(
    pixels: Floats, known: Flags, target: Flags, recipe: Recipe, seed: int, watch: Watch, sketch: Sketch | None
) -> Floats:
    radius = _fitting_radius(known, recipe.radius)
    if radius == 0:
        return np.where(target[..., None], membrane(pixels, ~target) if sketch is None else sketch.pixels, pixels)
    rng = np.random.default_rng(seed)
    finest = Level(pixels, known, target)
    levels = _levels(finest, radius, recipe) if sketch is None else _halvings(finest, radius, sketch.octaves)
    costs = [_cost(level, number, recipe) for number, level in enumerate(levels)]
    total, spent = sum(costs), 0.0
    start = None if sketch is None else _coarse(sketch.pixels, len(levels) - 1)
    current = _first_guess(levels[-1], radius, recipe, np.random.default_rng((seed, 1))) if start is None else start
    for number in reversed(range(len(levels))):
        level = levels[number]
        if number < len(levels) - 1:
            start = doubled(current, level.known.shape)
        if start is not None:
            current = np.where(level.target[..., None], start, level.pixels)
        rounds = _rounds(level, number, recipe)
        share = costs[number] / total

        def done(fraction: float, spent: float = spent, share: float = share) -> None:
            watch.done(spent + share * fraction)

        step = _Scale(level, radius, recipe, rng, Watch(done, watch.check), final=number == 0)
        current = step.run(current, start, rounds)
        spent += share
    return current


def _fitting_radius(known: Flags, radius: int) -> int:
    """The largest radius up to `radius` at which there is a patch to copy; 0 when there is none."""
    for fitting in range(radius, 0, -1):
        if inside(known, fitting).any():
            return fitting
    return 0


def _levels(finest: Level, radius: int, recipe: Recipe) -> list[Level]:
    """The pyramid, finest first: until the hole is a few patches wide, or too little would be left to copy from."""
    levels = [finest]
    while True:
        level = levels[-1]
        padded = np.pad(level.target, 1).astype(np.uint8)
        width = 2 * float(cv2.distanceTransform(padded, cv2.DIST_L2, 3).max())
        small = np.count_nonzero(level.target) <= _FIRST_TARGET
        if small and width <= recipe.depth * (2 * radius + 1):
            return levels
        coarser = halved(level)
        if np.count_nonzero(inside(coarser.known, radius)) < _FEWEST_SOURCES:
            return levels
        levels.append(coarser)


def _halvings(finest: Level, radius: int, octaves: int) -> list[Level]:
    """The pyramid, finest first, of so many halvings; of fewer where too little would be left to copy from."""
    levels = [finest]
    for _ in range(octaves):
        coarser = halved(levels[-1])
        if np.count_nonzero(inside(coarser.known, radius)) < _FEWEST_SOURCES:
            break
        levels.append(coarser)
    return levels


def _coarse(pixels: Floats, octaves: int) -> Floats:
    """A picture without holes, halved so often."""
    for _ in range(octaves):
        pixels = cells(pixels)
    return pixels


def _rounds(level: Level, number: int, recipe: Recipe) -> int:
    """How often search and vote are repeated at a level, after the analogy: less often where a round costs much."""
    wanted = recipe.iterations if number else recipe.finest_iterations
    return min(wanted, recipe.most_votes // max(1, int(np.count_nonzero(level.target))))


def _cost(level: Level, number: int, recipe: Recipe) -> float:
    """What a level costs, about, in any unit."""
    rounds = 1 + _rounds(level, number, recipe)
    sources = min(int(np.count_nonzero(level.known)), recipe.most_sources)
    return 1000 + 0.5 * sources + rounds * float(np.count_nonzero(level.target))


def _first_guess(level: Level, radius: int, recipe: Recipe, rng: np.random.Generator) -> Floats:
    sources = Sites.of(level, radius, recipe.most_sources).sources
    sources = sources[:: -(-len(sources) // _FIRST_SOURCES)]
    return onion(level.pixels, level.target, sources, radius, recipe.nearness, recipe.shift, recipe.variety, rng)


class _Scale:
    """Search and vote at one scale."""

    def __init__(
        self, level: Level, radius: int, recipe: Recipe, rng: np.random.Generator, watch: Watch, *, final: bool
    ) -> None:
        self._level, self._recipe, self._rng, self._watch, self._final = level, recipe, rng, watch, final
        self._sites = Sites.of(level, radius, recipe.most_sources)
        self._confidence = np.float32(recipe.decay) ** -self._sites.depth
        self._matches: Matches | None = None

    def run(self, current: Floats, start: Floats | None, rounds: int) -> Floats:
        """`current` (h, w, 3) after so many rounds; `start` is the coarser picture enlarged, if there is one."""
        rounds = max(rounds, 1) if start is None else rounds
        steps = rounds + (start is not None)
        if start is not None:
            current = self._round(self._book(start), start, current, last=steps == 1)
            self._watch.done(1 / steps)
        if rounds == 0:
            return current
        book = self._book(self._level.pixels)
        for number in range(rounds):
            current = self._round(book, current, current, last=number == rounds - 1, phase=number)
            self._watch.done((number + 1 + steps - rounds) / steps)
        return current

    def _book(self, pixels: Floats) -> _Book:
        self._watch.check()
        return _Book(pixels, self._sites, self._recipe, self._rng)

    def _round(self, book: _Book, asked: Floats, current: Floats, *, last: bool, phase: int = 0) -> Floats:
        """One search, with the patches of `asked`, and one vote."""
        sites, recipe = self._sites, self._recipe
        matches = Matches(sites, book.features(asked), book.table)
        searched = self._searched(phase)
        matches.offer(searched, book.nearest(matches.queries[searched], self._watch.check))
        if self._matches is not None:
            matches.offer(np.arange(len(sites.centres)), self._matches.rows)
        matches.cohere(recipe.favour, recipe.rounds, self._watch.check)
        if len(left := np.flatnonzero(matches.rows == NONE)):
            matches.offer(left, book.nearest(matches.queries[left], self._watch.check))
        self._matches = matches
        sigma = np.quantile(matches.distances, recipe.quantile) + 1e-8
        weights = self._confidence * np.exp(matches.distances / np.float32(-2 * sigma)) + np.float32(1e-12)
        bandwidth = recipe.last_bandwidth if last and self._final else recipe.bandwidth
        shifts = self._shifts(current, matches.rows)
        colours = voted(self._level.pixels, sites, matches.rows, weights, shifts, bandwidth, 2, self._watch.check)
        filled = current.copy()
        filled.reshape(-1, 3)[sites.places] = colours
        return filled

    def _shifts(self, current: Floats, rows: Places) -> Floats:
        """(n, 3): the mean colours of the patches less those of their sources, within bounds."""
        sites, limit = self._sites, np.float32(self._recipe.shift)
        side = (2 * sites.radius + 1, 2 * sites.radius + 1)
        there = cv2.blur(current, side).reshape(-1, 3)[sites.centres]
        here = cv2.blur(self._level.pixels, side).reshape(-1, 3)[sites.sources[rows]]
        shifts: Floats = (there - here).clip(-limit, limit)
        return shifts

    def _searched(self, phase: int) -> Places:
        """The numbers of the patches that are searched for; other ones in other rounds."""
        count = len(self._sites.centres)
        if count <= self._recipe.lattice_above:
            return np.arange(count)
        rows, columns = np.divmod(self._sites.centres, self._sites.shape[1])
        return np.flatnonzero((rows % 2 == phase % 2) & (columns % 2 == phase // 2 % 2))


class _Book:
    """All sources of one scale, as features that can be searched."""

    def __init__(self, pixels: Floats, sites: Sites, recipe: Recipe, rng: np.random.Generator) -> None:
        self._sites, self._recipe = sites, recipe
        self._basis = Basis.of(pixels, sites.sources, sites.radius, recipe.dims)
        # A place across the whole picture weighs as much as `nearness` in every sample of a patch.
        self._reach = np.float32(recipe.nearness * np.sqrt(3) * (2 * sites.radius + 1))
        self.table = self._placed(pixels, sites.sources)
        self._quantiser = Quantiser(self.table, rng)

    def features(self, pixels: Floats) -> Floats:
        """(n, d) of the target's patches in `pixels`."""
        return self._placed(pixels, self._sites.centres)

    def nearest(self, queries: Floats, check: Callable[[], None]) -> Places:
        """(n,) the number of the nearest source."""
        return self._quantiser.nearest(queries, self._recipe.probes, check)

    def _placed(self, pixels: Floats, centres: Places) -> Floats:
        looks = self._basis.project(pixels, centres)
        return np.concatenate([looks, self._sites.positions(centres) * self._reach], axis=1)
