"""Fill a hole with texture and structure of its surroundings: coarse to fine, search and vote.

All methods were published before 2005, or their patents have lapsed. The outline is Wexler, Shechtman and Irani,
"Space-time video completion", CVPR 2004, for one picture in place of a video: at each scale of a pyramid, every patch
that touches the hole is matched with the most similar patch of the known picture, every pixel of the hole takes a
colour that the patches over it agree on (`vote`), and both steps are repeated.

- From scale to scale the hole closes (`pyramid`): what surrounds it reaches further into it, until little is left to
  be guessed.
- Lines that run into the hole on both sides are drawn through it (`lines`), so that horizons and strokes go on.
- Several first guesses (`guesses`) are tried at coarse scales; the one is kept whose patches match their sources best.
- Sources unlike anything that touches the hole are avoided (`preference`).
- Colours and gradients of patches are compared (`features`), in a space of principal components (Hertzmann et al.,
  "Image analogies", SIGGRAPH 2001), by a vector quantiser (`search`: Wei and Levoy, SIGGRAPH 2000).
- The shifted sources of neighbouring patches are candidates too, and are favoured (`coherence`: Ashikhmin, I3D 2001;
  Hertzmann et al. 2001).
- From scale to scale only *colours* are enlarged, and the search starts again. An enlarged picture is soft and would
  match soft sources. So the first search at a scale is an image analogy (Hertzmann et al. 2001): the enlarged coarse
  hole is compared with the enlarged coarse surroundings, and the match's sharp pixels are copied.
- At every scale but the finest the steps between pieces that no source shows are taken away (`joining`): pieces that
  grow from two sides meet half way, and a border between them would be sharpened from scale to scale.
- At the end the fill is joined to its surroundings, and its pieces to each other.
- What is mixed or shifted stays among the picture's colours (`palette`).

Not used, because patents on them may be in force: random search with propagation of offsets; matches at a coarse scale
that limit the search at a finer one; statistics of offsets; patches turned or scaled.

Tried and left out, on 60 removals at half the size with known truth (`benchmarks.fill`, kinds removal and shadow;
kernel distance in thousandths by the classifier and by the segmenter; differences under about 1 and 0.5 are luck).
Without joined pieces 5.3 and 0.8 in place of 4.6 and 0.4; the rest without them too. Copies in every round, no modes:
5.7 and 1.3. The membrane as the only guess: 6.1 and 1.1; the layers alone: 5.4 and 1.1; whole patches in the order of
Criminisi, Perez and Toyama (IEEE Transactions on Image Processing, 2004) alone: 6.2 and 1.3, with objects that grow
into the hole. Guesses chosen by their flatness too: 5.4 and 0.9, with foreign objects more often. Sources of the same
height preferred: 5.2 and 0.9, or 5.8 and 0.9. `nearness` twice as much: 5.5 and 1.1; `foreign`: 5.8 and 0.8; half of
`shift`: 5.4 and 1.0. Before that, on other fills: modes of colours in every round (0.69 of the
gradient energy instead of 0.99), first guesses that continue the main directions of lines straight through the hole, a
channel of roughness, 32 components, twice the weight of gradients.

Of steps between pieces, by eye on soft scenes (water, clouds, fog, dunes, dusk; ellipses and figures cut out of 50
photos, before and after without names: 13 better, 4 worse, 33 level): without limits at the finest scale too, things
fade into the sky beside them (18 better, 9 worse). With them at the finest scale alone, borders stay as hard. Steps of
more than 0.3 kept at coarse scales too: half of the hard borders are back. Joined after each round that copies: no
difference. Steps that texture hides go at coarse scales too: the same by eye, gradient error 0.36 in place of 0.30.

Of colours that the picture does not have (`palette`), on an orange figure before a blue sky whose rim the mask leaves:
steps that are limited alone, shifts alone, or shifts that are grey alone each leave a violet or grey haze.

Of lines, by eye on the gallery and on object masks of 52 photos: lines that stay as drawn at the finest scale too are
smooth streaks in texture; in drawings they stay whole, where copies break. Rivals counted only among ends half
as marked or more: an edge is drawn through fallen leaves. Without the count of like ends, rows of bricks are drawn, and
their joints smeared. Tangents from straight fits alone: arcs too high by 5 pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .blas import one_thread
from .features import Flags, Floats, inside
from .guesses import first_where, hole_width, layered_guess, layers_fit, smooth_guess
from .lines import lines_fit, with_lines
from .parallel import Parallel, parallel
from .pyramid import Level, cells, doubled, halved
from .scale import Meter, Scale, Trial
from .settings import FillCallbacks, FillSettings
from .smooth import membrane

_FEWEST_SOURCES = 60
"""A scale with fewer sources is not used."""


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


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """A picture with its hole filled.

    Attributes:
        pixels: (h, w, 3) float32, equal to the input outside the target.
        match: Root mean square difference between the patches of the fill and their sources, gradients included, on the
            scale of colours 0 to 1. Large where nothing in the picture continues what surrounds the hole. None without
            a patch to copy from, where a membrane or the guess fills.
    """

    pixels: Floats
    match: float | None


def fill(
    pixels: Floats,
    known: Flags,
    target: Flags,
    settings: FillSettings,
    seed: int,
    callbacks: FillCallbacks | None = None,
    guess: InitialGuess | None = None,
    threads: int = 1,
) -> Filled:
    """Fill a target.

    Args:
        pixels: (h, w, 3) float32. Values at the target are ignored; pixels that are neither known nor target are
            compared with, but never copied.
        known: (h, w) bool: what may be copied.
        target: (h, w) bool: what to fill; apart from `known`.
        settings: How it is filled.
        seed: Of the samples that the search's cells are made from. The same seed gives the same pixels.
        callbacks: For progress and cancellation.
        guess: Used in place of first guesses from the target's edge.
        threads: That share the work, with the caller's among them. Pixels do not depend on it.
    """
    with one_thread(), parallel(threads) as shared:
        return _filled(pixels, known, target, settings, seed, callbacks or FillCallbacks(), guess, shared)


def _filled(
    pixels: Floats,
    known: Flags,
    target: Flags,
    settings: FillSettings,
    seed: int,
    callbacks: FillCallbacks,
    guess: InitialGuess | None,
    shared: Parallel,
) -> Filled:
    radius = _fitting_radius(known, settings.radius)
    if radius == 0:
        smooth = membrane(pixels, ~target) if guess is None else guess.pixels
        return Filled(np.where(target[..., None], smooth, pixels), None)
    finest = Level(pixels, known, target)
    if guess is None:
        levels = _levels(finest, radius, lambda found: hole_width(found[-1]) <= settings.closed, closing=True)
        if settings.lines:
            levels = _with_lines(levels, radius, settings)
            if not levels[0].target.any():
                return Filled(levels[0].pixels, None)
    else:
        levels = _levels(finest, radius, lambda found: len(found) > guess.octaves, closing=False)
    meter = Meter(callbacks)
    scales = [
        Scale(level, radius, settings, (seed, number), meter, shared, final=number == 0)
        for number, level in enumerate(levels)
    ]
    if guess is not None:
        meter.expect(scales)
        coarse = guess.pixels
        for _ in range(len(levels) - 1):
            coarse = cells(coarse)
        best = scales[-1].enlarged(coarse)
    else:
        best = _best_guess(scales, radius, settings, seed, meter, shared)
    for scale in reversed(scales[: best.number]):
        best = scale.enlarged(doubled(best.picture, scale.level.known.shape))
    return Filled(best.picture, best.match)


def _with_lines(levels: list[Level], radius: int, settings: FillSettings) -> list[Level]:
    """The pyramid with lines through the hole: seen at coarse scales, and on plain ground where they were drawn."""
    number = first_where(levels, lambda level: lines_fit(level.target))
    level = levels[number]
    drawn = with_lines(level.pixels, level.known, level.target)
    if drawn is None or (number > 0 and not (level.target & ~drawn.kept).any()):
        return levels
    lined = Level(drawn.pixels, level.known, level.target & ~drawn.strips)
    coarse = _levels(lined, radius, lambda found: hole_width(found[-1]) <= settings.closed, closing=True)
    return [*levels[:number], Level(drawn.pixels, level.known, level.target & ~drawn.kept), *coarse[1:]]


def _best_guess(
    scales: Sequence[Scale], radius: int, settings: FillSettings, seed: int, meter: Meter, shared: Parallel
) -> Trial:
    """First guesses, refined down to one scale; the one with the best matches there, or with variety the seed's."""
    levels = [scale.level for scale in scales]
    rng = np.random.default_rng((seed, len(levels)))
    layers = first_where(levels, lambda level: layers_fit(level, radius, settings))
    guesses: list[tuple[int, Callable[[Level], Floats]]] = [
        (len(levels) - 1, smooth_guess),
        (layers, lambda level: layered_guess(level, radius, settings, rng)),
    ]
    if settings.variety > 0:
        guesses = [guesses[int(rng.integers(len(guesses)))]]
    stop = first_where(levels, lambda level: int(np.count_nonzero(level.target)) <= settings.coarse_target)
    stop = min(stop, *(first for first, _ in guesses), len(levels) - 1)
    meter.expect(scales[:stop])
    for first, _ in guesses:
        meter.expect(scales[stop : first + 1])
    trials: dict[int, Trial] = {}

    def refine(number: int) -> None:
        first, guessed = guesses[number]
        trial = scales[first].guessed(guessed(levels[first]))
        for scale in reversed(scales[stop:first]):
            trial = scale.enlarged(doubled(trial.picture, scale.level.known.shape))
        trials[number] = trial

    shared.each(refine, range(len(guesses)))
    meter.spend(0)  # reports what other threads have done
    return min((trials[number] for number in range(len(guesses))), key=lambda trial: trial.match)


def _fitting_radius(known: Flags, radius: int) -> int:
    """The largest radius up to `radius` at which there is a patch to copy; 0 where there is none."""
    for fitting in range(radius, 0, -1):
        if inside(known, fitting).any():
            return fitting
    return 0


def _levels(finest: Level, radius: int, enough: Callable[[list[Level]], bool], *, closing: bool) -> list[Level]:
    """The pyramid, finest first, until it is enough, the hole is closed, or too few sources would be left."""
    levels = [finest]
    while not enough(levels):
        coarser = halved(levels[-1], closing=closing)
        if not coarser.target.any() or np.count_nonzero(inside(coarser.known, radius)) < _FEWEST_SOURCES:
            break
        levels.append(coarser)
    return levels
