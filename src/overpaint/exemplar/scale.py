"""Search and vote at one scale."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from .coherence import NONE, Matches
from .features import Basis, Floats, Places
from .joining import StepLimits, edge_of, joined, seam_steps
from .palette import Palette
from .parallel import Parallel
from .preference import foreignness, sideways
from .pyramid import Level
from .search import Quantiser
from .settings import FillCallbacks, FillSettings
from .sites import Sites
from .vote import voted

_PLACED = 3
"""Features that tell a source's place and its penalty; the others tell its look."""

_NEAR = 0.02
"""A copied patch is shifted by half where its mean colour would be this far from the picture's colours."""

_DEEP = 80.0
"""Pixels into a hole beyond which a vote weighs no less."""

_MANY = 200_000
"""Pixels of a target above which only every second patch votes, and coherence takes two rounds at most."""


class Meter:
    """Reports which share of the expected work is done, in the thread that made it."""

    def __init__(self, callbacks: FillCallbacks) -> None:
        """Nothing is expected yet."""
        self._callbacks, self._expected, self._spent = callbacks, 0.0, 0.0
        self._lock, self._thread = threading.Lock(), threading.get_ident()

    def expect(self, scales: Iterable[Scale]) -> None:
        """Count one run of each scale as work to be done."""
        self._expected += sum(scale.cost for scale in scales)

    def spend(self, cost: float) -> None:
        """Count work as done."""
        with self._lock:
            self._spent += cost
        if threading.get_ident() == self._thread:
            self._callbacks.done(min(1.0, self._spent / max(self._expected, 1e-9)))

    def check(self) -> None:
        """Raise when the work was cancelled."""
        self._callbacks.check()


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A fill on its way.

    Attributes:
        picture: (h, w, 3) float32, the whole picture at a scale.
        number: Of that scale; 0 is the finest.
        matches: Of patches and their sources at the last search.
        samples: Of a patch.
    """

    picture: Floats
    number: int
    matches: Matches
    samples: int

    @property
    def match(self) -> float:
        """Root mean square difference between patches and their sources at the last search, a sample."""
        return self.matches.difference(self.matches.queries.shape[1] - _PLACED, self.samples)


class Scale:
    """Search and vote at one scale.

    Attributes:
        level: The picture at this scale.
        cost: The relative cost of a run, for progress.
    """

    def __init__(
        self,
        level: Level,
        radius: int,
        settings: FillSettings,
        seed: tuple[int, int],
        meter: Meter,
        parallel: Parallel,
        *,
        final: bool,
    ) -> None:
        """`seed`: of all, and the number of the scale; `final`: whether its last vote is the last of all."""
        self.level, self._settings, self._seed, self._meter, self._final = level, settings, seed, meter, final
        self._parallel, self._lock = parallel, threading.RLock()
        self._radius = radius
        count = int(np.count_nonzero(level.target))
        self._coarse = count <= settings.coarse_target and not final
        wanted = settings.coarse_iterations if self._coarse else settings.iterations
        wanted = settings.finest_iterations if final else wanted
        self._rounds = min(wanted, settings.most_votes // max(1, count))
        sources = min(int(np.count_nonzero(level.known)), settings.most_sources)
        self.cost = 1000 + 0.5 * sources + (1 + self._rounds) * float(count)
        self._lazy_sites: Sites | None = None
        self._lazy_penalties: Floats | None = None
        self._lazy_palette: Palette | None = None
        self._lazy_index: SourceIndex | None = None
        self._lazy_source_means: Floats | None = None

    @property
    def _sites(self) -> Sites:
        with self._lock:
            if self._lazy_sites is None:
                self._lazy_sites = Sites.of(self.level, self._radius, self._settings.most_sources)
            return self._lazy_sites

    @property
    def _penalties(self) -> Floats:
        with self._lock:
            if self._lazy_penalties is None:
                self._lazy_penalties = self._penalised()
            return self._lazy_penalties

    @property
    def _palette(self) -> Palette:
        with self._lock:
            if self._lazy_palette is None:
                self._lazy_palette = Palette.of(self.level.pixels, self.level.known)
            return self._lazy_palette

    @property
    def _index(self) -> SourceIndex:
        with self._lock:
            if self._lazy_index is None:
                self._lazy_index = self._indexed(self.level.pixels)
            return self._lazy_index

    @property
    def _source_means(self) -> Floats:
        """(s, 3) the sources' mean colours."""
        with self._lock:
            if self._lazy_source_means is None:
                self._lazy_source_means = self._patch_means(self.level.pixels, self._sites.sources)
            return self._lazy_source_means

    def guessed(self, guess: Floats) -> Trial:
        """A first guess (h, w, 3) of this scale, refined; at least one round."""
        return self._run(guess, None, max(1, self._rounds))

    def enlarged(self, start: Floats) -> Trial:
        """The coarser scale's picture, enlarged to (h, w, 3), made sharp by analogy and refined."""
        return self._run(np.where(self.level.target[..., None], start, self.level.pixels), start, self._rounds)

    def _run(self, current: Floats, start: Floats | None, rounds: int) -> Trial:
        cost = self.cost / (rounds + (start is not None))
        matches: Matches | None = None
        if start is not None:
            matches = self._matched(self._indexed(start), start, None, 0)
            current = self._voted(current, matches, last=rounds == 0)
            self._meter.spend(cost)
        for number in range(rounds):
            matches = self._matched(self._index, current, matches, number)
            mixed = self._coarse and number < rounds - self._settings.copied
            current = self._voted(current, matches, last=number == rounds - 1, mixed=mixed)
            self._meter.spend(cost)
        assert matches is not None
        return Trial(current, self._seed[1], matches, 3 * (2 * self._radius + 1) ** 2)

    def _penalised(self) -> Floats:
        found = np.zeros(len(self._sites.sources), np.float32)
        if self._settings.foreign > 0:
            found += np.float32(self._settings.foreign) * foreignness(self.level, self._sites, self._radius + 1)
        if self._settings.variety > 0:
            side = np.random.default_rng(self._seed[0]).uniform(0, 2 * np.pi)
            found += np.float32(self._settings.variety) * sideways(self.level, self._sites, side)
        return found

    def _indexed(self, pixels: Floats) -> SourceIndex:
        self._meter.check()
        rng = np.random.default_rng(self._seed)
        return SourceIndex(pixels, self._sites, self._penalties, self._settings, rng, self._parallel)

    def _matched(self, index: SourceIndex, picture: Floats, before: Matches | None, phase: int) -> Matches:
        """A source for each patch of `picture` that touches the target."""
        sites, check, parallel = self._sites, self._meter.check, self._parallel
        matches = Matches(sites, index.features(picture), index.table)
        chosen = self._searched(phase)
        matches.offer_all(chosen, index.nearest(matches.queries[chosen], check), parallel)
        if before is not None:
            matches.offer_all(np.arange(len(sites.centres)), before.rows, parallel)
        rounds = self._settings.rounds if len(sites.places) <= _MANY else min(2, self._settings.rounds)
        matches.cohere(self._settings.favour, rounds, check, parallel)
        if len(left := np.flatnonzero(matches.rows == NONE)):
            matches.offer_all(left, index.nearest(matches.queries[left], check), parallel)
        return matches

    def _searched(self, phase: int) -> Places:
        """Indices of the patches that this round searches for; they alternate between rounds."""
        count = len(self._sites.centres)
        if count <= self._settings.lattice_above:
            return np.arange(count)
        rows, columns = np.divmod(self._sites.centres, self._sites.shape[1])
        return np.flatnonzero((rows % 2 == phase % 2) & (columns % 2 == phase // 2 % 2))

    def _voted(self, current: Floats, matches: Matches, *, last: bool, mixed: bool = False) -> Floats:
        """The picture with the colours that the sources vote for.

        By the last vote at a scale its pieces are joined, and by the last vote of all the fill is joined at the edge.
        """
        sites, settings = self._sites, self._settings
        sigma = np.quantile(matches.distances, settings.quantile) + 1e-8
        weights = vote_weights(sites.depth, matches.distances / np.float32(2 * sigma), settings.decay)
        places = sites.places
        edge = edge_of(self.level.target) if last and settings.join > 0 else places[:0]
        voters = edge if self._final else edge[:0]
        colours, copies = voted(
            self.level.pixels,
            sites,
            np.concatenate([places, voters]),
            matches.rows,
            weights,
            self._shifts(current, matches.rows),
            self._meter.check,
            self._parallel,
            every_second=len(places) > _MANY,
            mixed=mixed,
        )
        filled = current.copy()
        filled.reshape(-1, 3)[places] = colours[: len(places)]
        if len(edge):
            difference = np.zeros((len(edge), 3), np.float32)
            if self._final:
                difference = filled.reshape(-1, 3)[edge] - colours[len(places) :]
                # A large difference is the border of two things; carried into the hole it would be a haze.
                size = np.sqrt((difference * difference).mean(axis=1, keepdims=True))
                difference /= 1 + (size / np.float32(settings.join)) ** 4
            limits = StepLimits() if self._final else None
            steps = seam_steps(filled, self.level, copies[: len(places)], self._palette, limits)
            filled = joined(filled, self.level.target, edge, difference, steps)
        return filled

    def _shifts(self, current: Floats, rows: Places) -> Floats:
        """(n, 3): the patches' mean colours minus those of their sources, bounded; less towards colours that are not
        the picture's.
        """
        limit = np.float32(self._settings.shift)
        change = self._patch_means(current, self._sites.centres)
        sources = np.take(self._source_means, rows, axis=0)
        change -= sources
        change.clip(-limit, limit, out=change)
        change *= self._palette.share(sources + change, _NEAR)[:, None]
        return change

    def _patch_means(self, pixels: Floats, centres: Places) -> Floats:
        """(n, 3) the mean colours of the patches around some pixels."""
        side = (2 * self._radius + 1, 2 * self._radius + 1)
        return np.take(cv2.blur(pixels, side).reshape(-1, 3), centres, axis=0)


def vote_weights(depth: Floats, difference: Floats, decay: float) -> Floats:
    """(n,) float32 > 0: how much patches vote, less the deeper they lie in the hole and the less they match.

    Args:
        depth: (n,) pixels from the known picture.
        difference: (n,) of each patch from its source, >= 0; 1 weighs 1 / e.
        decay: See `FillSettings`. Beyond `_DEEP` all lie as deep: matches would count for nothing in small numbers.
    """
    weights = np.float32(decay) ** -np.minimum(depth, _DEEP)
    return np.asarray(weights * np.maximum(np.exp(-difference), np.float32(1e-12)), np.float32)


class SourceIndex:
    """The sources of one scale as features, and their search."""

    def __init__(
        self,
        pixels: Floats,
        sites: Sites,
        penalties: Floats,
        settings: FillSettings,
        rng: np.random.Generator,
        parallel: Parallel,
    ) -> None:
        """Features of `pixels` (h, w, 3) at the sites' sources; `penalties` (s,) are differences of colour."""
        self._sites, self._settings, self._parallel = sites, settings, parallel
        self._basis = Basis.of(pixels, sites.sources, sites.radius, settings.dims, edges=settings.edges)
        # What a difference of 1 in every sample of a patch weighs.
        self._whole = np.float32(np.sqrt(3) * (2 * sites.radius + 1))
        self.table = self._placed(pixels, sites.sources, penalties)
        self._quantiser = Quantiser(self.table, rng, parallel=parallel)

    def features(self, pixels: Floats) -> Floats:
        """(n, d) of the target's patches in `pixels`."""
        return self._placed(pixels, self._sites.centres, np.zeros(len(self._sites.centres), np.float32))

    def nearest(self, queries: Floats, check: Callable[[], None]) -> Places:
        """(n,) the index of the nearest source."""
        return self._quantiser.nearest(queries, self._settings.probes, check)

    def _placed(self, pixels: Floats, centres: Places, penalties: Floats) -> Floats:
        """Colours, then the place: a distance of the picture's diagonal weighs `nearness`; then the penalty."""
        dims = self._basis.axes.shape[1]
        found = np.empty((len(centres), dims + _PLACED), np.float32)
        self._basis.project(pixels, centres, self._parallel, found[:, :dims])
        found[:, dims:-1] = self._sites.positions(centres) * (self._whole * np.float32(self._settings.nearness))
        found[:, -1] = penalties * self._whole
        return found
