"""Extension beyond a picture's borders: large pieces of it, whose seams patches mend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overpaint.exemplar.border import border_breaks, unlike_beyond
from overpaint.exemplar.fill import Filled, InitialGuess, fill
from overpaint.exemplar.parallel import usable_threads
from overpaint.exemplar.quilt import LEAST, Quilted, QuiltSettings, extended
from overpaint.exemplar.settings import FillCallbacks
from overpaint.exemplar.smooth import blurred
from overpaint.frame import Context
from overpaint.geometry import Box

from .base import Canvas, EngineCard, EngineOptions, Monitor, Painted, ThreadedEngine
from .classical import mean_filled
from .exemplar import QUALITIES, Floats, behind, shown

_OCTAVES = 2
"""Seams are mended from this scale on, at least: what is coarser stays as it was copied."""

_SEAM = 8
"""Pixels on either side of a seam that patches mend, on a canvas of up to `_WHOLE`."""

_WHOLE, _TRIED = 640, 480
"""A canvas with a longer side than the first is reduced to the second, where both ways are tried."""

_BROKEN, _UNLIKE = 0.5, 0.2
"""Weights of a broken border, and of what the border does not show, beside the match with the sources."""

_WORSE = 0.01
"""A side that costs more by this at full size than in the trial is done in the other way, if that costs less."""

_NEAR = 256
"""Pixels around what is filled on a large canvas that are copied from and compared with."""

_FAR = 0.5
"""Margins of more than this share of the picture's side repeat its content visibly."""


class ExtendOptions(EngineOptions):
    """Options of the extension."""

    quality: Literal["draft", "normal", "best"] = Field(
        default="normal", description="how thoroughly seams are mended, as the options of exemplar of that name say"
    )
    variety: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="how much worse than the best a copied piece may be, by the seed's choice (0.5 for variations "
        "unless given)",
    )


class Extend(ThreadedEngine):
    """Continues a picture beyond its borders.

    Large pieces of the picture are laid along its border, joined along the cheapest cuts (`overpaint.exemplar.quilt`),
    and their seams are mended by patches (`overpaint.exemplar.fill`). Pieces come from about the same rows, and show
    what the border shows. A side where a fill by patches alone is better by measure is filled so, and so is a hole
    inside the picture.
    """

    reentrant = True
    card = EngineCard(
        name="extend",
        title="Extension by pieces: continues lines, horizon and texture beyond the borders, without weights",
        accepts=frozenset({"avoid", "seed"}),
        context=Context(ratio=2.0, minimum=256, maximum=4096),
        options=ExtendOptions,
        variation_options={"variety": 0.5},
        digest="extend-6",
        references=(
            "Efros, Freeman, Image quilting for texture synthesis and transfer, SIGGRAPH 2001",
            "Wexler, Shechtman, Irani, Space-time video completion, CVPR 2004",
        ),
    )

    def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
        """Lay pieces and mend their seams, or fill by patches alone, as is better on each side.

        Both are tried, on a small canvas where this one is large; what was chosen is measured again at full size.
        """
        options = canvas.options if isinstance(canvas.options, ExtendOptions) else ExtendOptions()
        if not canvas.known.any():
            return mean_filled(canvas)
        if not canvas.hole.any():
            return Painted(canvas.pixels)
        monitor.progress(0, 100)
        filled = _extended(canvas, options, monitor, usable_threads(self.threads))
        painted: Floats = np.where(canvas.hole[..., None], filled.pixels.clip(0, 1), canvas.pixels)
        monitor.progress(100, 100)
        return Painted(painted, notes=_doubts(canvas), match=filled.match)


def _extended(canvas: Canvas, options: ExtendOptions, monitor: Monitor, threads: int) -> Filled:
    longest = max(canvas.size)
    factor = 1.0 if longest <= _WHOLE else longest / _TRIED
    work = _Work.of(canvas, 1, options, monitor, threads)
    small = work if factor == 1 else _Work.of(canvas, factor, options, monitor, threads)
    first, second = (30, 50) if factor > 1 else (45, 90) if work.extensible else (100, 100)
    alone = small.filled(small.pixels, small.hole, None, (0, first))
    work = work.over(alone.pixels)
    small = work if factor == 1 else small.over(alone.pixels)
    pieces = work.quilted()
    if pieces is None or alone.match is None:
        return alone if factor == 1 else work.joined(None, alone.pixels, work.hole, factor, (30, 100))
    mended = small.joined(_reduced(pieces, small.hole), alone.pixels, small.inner, 1, (first, second))
    if mended.match is None:
        return alone if factor == 1 else work.joined(None, alone.pixels, work.hole, factor, (50, 100))
    picture = small.picture
    sides = [side for side, margin in enumerate(small.whole.overhang(picture)) if margin]
    ways, matches = (mended, alone), (mended.match, alone.match)
    costs = [_costs(way.pixels, match, picture) for way, match in zip(ways, matches, strict=True)]
    chosen = [int(costs[1][side] < costs[0][side]) for side in range(4)]
    found = alone
    for part in ((second, 90), (90, 100)):
        if factor == 1 and len({chosen[side] for side in sides}) == 1:
            return ways[chosen[sides[0]]]
        taken = work.hole & _beyond(work.picture, work.hole.shape, chosen)
        found = work.joined(pieces, alone.pixels, taken, factor, part)
        # Trials may promise what the full size does not keep.
        again = [_costs(_resized(found.pixels, small.hole), match, picture) for match in matches]
        failed = [side for side in _failed(again, costs, chosen) if side in sides]
        if not failed:
            break
        chosen = [1 - way if side in failed else way for side, way in enumerate(chosen)]
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """What is to be filled, and how.

    Attributes:
        pixels: (h, w, 3) float32, smoothly continued where nothing is known.
        known: (h, w) bool, what may be copied.
        hole: (h, w) bool, what to fill.
        avoided: (h, w) bool, what shows the picture and may not be copied.
        unseen: (h, w) bool, what of that is filled as the hole is, so that the picture goes on behind it.
        options: The engine's.
        seed: The canvas's.
        monitor: For progress and cancellation.
        threads: That share the work.
    """

    pixels: Floats
    known: NDArray[np.bool_]
    hole: NDArray[np.bool_]
    avoided: NDArray[np.bool_]
    unseen: NDArray[np.bool_]
    options: ExtendOptions
    seed: int
    monitor: Monitor
    threads: int

    @classmethod
    def of(cls, canvas: Canvas, factor: float, options: ExtendOptions, monitor: Monitor, threads: int) -> _Work:
        """The whole canvas, at a scale that is smaller by a factor; 1: as it is."""
        hole, avoided, seen = canvas.hole, canvas.avoided, shown(canvas)
        pixels, mass, weight = canvas.pixels, canvas.known.astype(np.float32), seen.astype(np.float32)
        unseen = behind(hole, avoided & ~seen)
        if factor > 1:
            size = (max(1, round(canvas.size.width / factor)), max(1, round(canvas.size.height / factor)))
            pixels, mass, weight, *touched = (
                np.asarray(cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)
                for values in (np.where(seen[..., None], pixels, 0), mass, weight, hole, avoided, unseen)
            )
            pixels = np.asarray(pixels / np.maximum(weight, 1e-6)[..., None], np.float32)
            hole, avoided, unseen = (share > 0 for share in touched)
        known = (mass > 0.999) & ~hole
        avoided, unseen = avoided & ~hole, unseen & ~hole & ~known
        return cls(blurred(pixels, weight > 0), known, hole, avoided, unseen, options, canvas.seed, monitor, threads)

    @property
    def whole(self) -> Box:
        """All of it."""
        return Box(0, 0, self.hole.shape[1], self.hole.shape[0])

    @property
    def picture(self) -> Box:
        """The box of what shows the picture."""
        return Box.around(self.known | self.avoided)

    @property
    def inner(self) -> NDArray[np.bool_]:
        """(h, w) bool: holes within the known picture."""
        inner = np.zeros_like(self.hole)
        here = self.picture.slices
        inner[here] = self.hole[here]
        return inner

    def over(self, filled: Floats) -> _Work:
        """This work with the unseen pixels taken from `filled`, (h, w, 3) float32, resized to the canvas."""
        if not self.unseen.any():
            return self
        return replace(self, pixels=np.where(self.unseen[..., None], _resized(filled, self.hole), self.pixels))

    @property
    def extensible(self) -> bool:
        """Whether the picture is large enough to be extended, and does not fill the canvas."""
        return min(self.picture.size) >= LEAST and self.picture != self.whole

    def quilted(self) -> Quilted | None:
        """Large pieces beyond the picture; None where it is not `extensible`."""
        if not self.extensible:
            return None
        inner = self.picture
        here, settings = inner.slices, QuiltSettings(variety=self.options.variety)
        margins = self.whole.overhang(inner)
        return extended(self.pixels[here], self.known[here], margins, settings, self.seed, self.monitor.check)

    def joined(
        self, pieces: Quilted | None, patches: Floats, taken: NDArray[np.bool_], factor: float, part: tuple[int, int]
    ) -> Filled:
        """Pieces whose seams patches mend, and a fill by patches where it is taken.

        Args:
            pieces: Of this size; None where all is taken.
            patches: (h', w', 3) the fill, of this size or a trial's, from which the hole is filled where it is taken.
            taken: (h, w) bool.
            factor: By which the trial was smaller.
            part: Of the progress, from and to percent.
        """
        pixels, target = _resized(patches, self.hole), taken
        if pieces is not None:
            pixels = np.where(taken[..., None], pixels, pieces.pixels)
            reach = round(_SEAM * math.sqrt(factor))
            # A fill of this size is done; another is the guess of a fill.
            done = patches.shape == self.pixels.shape
            seams = self.hole & _beside_seams(np.where(taken, 0, pieces.owner), reach)
            target = seams if done else seams | taken
        pixels = np.where(self.hole[..., None], pixels, self.pixels)
        return self.filled(pixels, target, max(_OCTAVES, round(math.log2(factor))), part)

    def filled(self, pixels: Floats, target: NDArray[np.bool_], octaves: int | None, part: tuple[int, int]) -> Filled:
        """A target filled by patches.

        Args:
            pixels: (h, w, 3) what is seen beside the target.
            target: (h, w) bool.
            octaves: How often `pixels` are halved to be what is started from; None: from the known picture alone.
            part: Of the progress, from and to percent.
        """
        first, last = part
        if not target.any():
            return Filled(pixels, 0.0)
        target = target | self.unseen

        def done(fraction: float) -> None:
            self.monitor.progress(first + round((last - first) * fraction), 100)

        recipe, window = QUALITIES[self.options.quality], self.whole
        if max(self.hole.shape) > 2 * _WHOLE:
            recipe = replace(recipe, probes=1, rounds=2)
            window = Box.around(target).pad(_NEAR).intersect(self.whole)
            if np.count_nonzero(self.known[window.slices]) < _NEAR**2:
                window = self.whole
        here = window.slices
        guess = None if octaves is None else InitialGuess(pixels[here], octaves)
        callbacks = FillCallbacks(done, self.monitor.check)
        found = fill(pixels[here], self.known[here], target[here], recipe, self.seed, callbacks, guess, self.threads)
        filled = pixels.copy()
        filled[here] = found.pixels
        return Filled(filled, found.match)


def _costs(pixels: Floats, match: float, picture: Box) -> list[float]:
    """The cost of an extension on each side: worse matches, a broken border, and what the border does not show.

    Args:
        pixels: (h, w, 3) the extended picture.
        match: Of its patches and their sources.
        picture: The known picture in it.
    """
    breaks, unlike = border_breaks(pixels, picture), unlike_beyond(pixels, picture)
    return [match + _BROKEN * broken + _UNLIKE * foreign for broken, foreign in zip(breaks, unlike, strict=True)]


def _failed(again: Sequence[Sequence[float]], costs: Sequence[Sequence[float]], chosen: Sequence[int]) -> list[int]:
    """The sides that cost clearly more than their trial did, and more than the other way's.

    Args:
        again: Costs at full size by the match of each way, and by side.
        costs: Of the trials of both ways, by side.
        chosen: The way of each side.
    """
    return [
        side
        for side, way in enumerate(chosen)
        if again[way][side] > max(costs[way][side] + _WORSE, costs[1 - way][side])
    ]


def _beyond(picture: Box, shape: tuple[int, ...], sides: Sequence[int]) -> NDArray[np.bool_]:
    """(h, w) bool: what is inside a picture, or furthest beyond a side (left, top, right, bottom) whose flag is 1."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    furthest, taken = np.zeros(shape, np.int32), np.ones(shape, bool)
    apart = (picture.left - columns, picture.top - rows, columns - picture.right + 1, rows - picture.bottom + 1)
    for distance, flag in zip(apart, sides, strict=True):
        further = distance > furthest
        furthest = np.maximum(furthest, distance)
        taken = np.where(further, bool(flag), taken)
    return taken


def _beside_seams(owner: NDArray[np.int32], reach: int) -> NDArray[np.bool_]:
    """(h, w) bool: pixels up to `reach` from where the owner changes."""
    seams = np.zeros(owner.shape, np.uint8)
    seams[:, 1:] |= owner[:, 1:] != owner[:, :-1]
    seams[1:] |= owner[1:] != owner[:-1]
    near: NDArray[np.bool_] = cv2.dilate(seams, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
    return near


def _reduced(pieces: Quilted, like: NDArray[np.bool_]) -> Quilted:
    """Pieces at the size of `like`."""
    height, width = like.shape
    owner = cv2.resize(pieces.owner, (width, height), interpolation=cv2.INTER_NEAREST)
    return Quilted(_resized(pieces.pixels, like), np.asarray(owner, np.int32))


def _resized(pixels: Floats, like: NDArray[np.bool_]) -> Floats:
    """A picture (h, w, 3) at the size of `like`."""
    height, width = like.shape
    if pixels.shape[:2] == like.shape:
        return pixels
    way = cv2.INTER_AREA if len(pixels) > height else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=way), np.float32)


def _doubts(canvas: Canvas) -> tuple[str, ...]:
    """A note where the margins are too wide for what is there to copy from."""
    copied = canvas.known if canvas.usable is None else canvas.usable
    source, picture = Box.around(copied), Box.around(copied | ~canvas.hole)
    left, top, right, bottom = canvas.size.box.overhang(picture)
    share = max(max(left, right) / source.width, max(top, bottom) / source.height)
    if share <= _FAR:
        return ()
    part = "the picture" if source == picture else "the part of the picture that may be copied"
    return (
        f"a side is extended by {share:.0%} of {part}, so that its content repeats visibly: doubtful beyond "
        f"{_FAR:.0%}; a smaller margin, or a model with a prompt, does better",
    )
