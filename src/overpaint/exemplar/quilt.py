"""Extend a picture beyond its right border with large pieces of itself.

Efros and Freeman, "Image quilting for texture synthesis and transfer", SIGGRAPH 2001: block after block is copied from
where the picture fits what is there already, and joined along the cheapest cut. (A patent on it, US 6,919,903, had its
priority in March 2001.) For a picture in place of a texture:

- A piece comes from about the same rows, so that the horizon, floors and lines go on where they belong.
- A piece that shows what the border does not (`border`), or what was copied before, costs more.
- A thin strip of the picture, mirrored at its border, lies between the picture and a piece. The cut runs through it, so
  that the border itself is no seam.
- The border is cut into one, two, four and eight blocks; the cheapest extension of all is kept.
- A piece gets the colours of what it joins: their smooth difference, bounded, is continued over it.

Pieces are compared on a reduced picture, and copied at full scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Margins

from .border import unlike_border
from .cut import cheapest_cut
from .features import Flags, Floats
from .smooth import membrane

LEAST = 12
"""A picture needs at least so many pixels in both directions to be extended."""


@dataclass(frozen=True, slots=True)
class QuiltSettings:
    """How a picture is extended.

    Attributes:
        side: The longer side of the reduced picture on which pieces are compared.
        blocks: Numbers of blocks along the border that are tried.
        overlap: Width of an overlap, as a share of the picture's shorter side.
        rows: Largest shift of a piece along the border, as a share of the picture's height.
        shifted: Cost of a shift by the shorter side, in squared differences.
        unlike: Cost of a piece that is unlike the border.
        repeated: Cost of a piece that was copied before.
        adapt: Most that a piece is made brighter or darker in each channel; `tone` where both it and what it joins have
            gradients below `smooth`.
        trust: Differences of more than this tell nothing about brightness.
        mirrored: Width of the mirrored strip, as a share of the picture's shorter side.
        far: Cost of a cut at the strip's outer end, in squared differences: where a piece fits, the strip is not seen.
        variety: A piece may cost more than the best one by this share; the seed chooses among those.
    """

    side: int = 320
    blocks: tuple[int, ...] = (1, 2, 4, 8)
    overlap: float = 0.06
    rows: float = 0.25
    shifted: float = 0.025
    unlike: float = 1.2
    repeated: float = 0.02
    adapt: float = 0.06
    trust: float = 0.12
    tone: float = 0.3
    smooth: float = 0.012
    mirrored: float = 0.05
    far: float = 2e-3
    variety: float = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Quilted:
    """A picture with margins made of pieces.

    Attributes:
        pixels: (h, w, 3) float32.
        owner: (h, w) int32: 0 in the picture and its mirrored strips, another number in each piece. Where neighbours
            differ is a seam.
    """

    pixels: Floats
    owner: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A rectangle of the extended picture and where it is copied from, in pixels of the reduced picture.

    Attributes:
        top, bottom, left, right: With the overlaps.
        source: (row, column) of the top left corner in the picture.
        beside: Columns of the overlap on the left.
        over, under: Rows of the overlap with the block above and below; 0 where there is none.
    """

    top: int
    bottom: int
    left: int
    right: int
    source: tuple[int, int]
    beside: int
    over: int
    under: int


def extended(
    pixels: Floats,
    usable: Flags | None,
    margins: Margins,
    settings: QuiltSettings,
    seed: int,
    check: Callable[[], None] = lambda: None,
) -> Quilted:
    """The picture with margins, (top + h + bottom, left + w + right, 3), that continue it.

    The sides are continued before top and bottom, whose pieces take the corners along.

    Args:
        pixels: (h, w, 3) float32, at least LEAST pixels a side.
        usable: (h, w) bool: what may be copied; None: all. Other pixels are copied where nothing else is there.
        margins: Pixels to add.
        settings: How.
        seed: Chooses among nearly equal pieces.
        check: Called often; may raise to stop.
    """
    rng = np.random.default_rng(seed)
    allowed = np.ones(pixels.shape[:2], bool) if usable is None else usable
    owner = np.zeros(pixels.shape[:2], np.int32)
    for margin, turn in (
        (margins.right, _same),
        (margins.left, np.fliplr),
        (margins.bottom, _turned),
        (margins.top, _up),
    ):
        if margin:
            turned = np.ascontiguousarray(turn(pixels))
            wider = extended_right(turned, np.ascontiguousarray(turn(allowed)), margin, settings, rng, check)
            pixels = np.ascontiguousarray(turn(wider.pixels))
            # What was there, and its mirrored strip, keep their numbers.
            before = np.pad(turn(owner), ((0, 0), (0, margin)), mode="edge")
            owner = turn(np.where(wider.owner > 0, wider.owner + owner.max(), before).astype(np.int32))
            allowed = turn(np.pad(turn(allowed), ((0, 0), (0, margin)), constant_values=True))
    return Quilted(pixels, np.ascontiguousarray(owner))


def _same(values: NDArray[Any]) -> NDArray[Any]:
    return values


def _turned(values: NDArray[Any]) -> NDArray[Any]:
    """Rows as columns: the lower border is on the right."""
    return values.swapaxes(0, 1)


def _up(values: NDArray[Any]) -> NDArray[Any]:
    """Rows as columns, mirrored in both directions: the upper border is on the right."""
    return values[::-1, ::-1].swapaxes(0, 1)


def extended_right(
    pixels: Floats,
    usable: Flags | None,
    margin: int,
    settings: QuiltSettings,
    rng: np.random.Generator,
    check: Callable[[], None] = lambda: None,
) -> Quilted:
    """The picture (h, w + margin, 3) with its right side continued.

    Args:
        pixels: (h, w, 3) float32, at least LEAST pixels a side.
        usable: (h, w) bool: what may be copied; None: all. Other pixels are copied where nothing else is there.
        margin: Columns to add.
        settings: How.
        rng: Chooses among nearly equal pieces.
        check: Called often; may raise to stop.
    """
    height, width = pixels.shape[:2]
    factor = max(1, round(max(height, width) / settings.side))
    # Whole cells: mirrored rows below and columns on the left, so that the border itself lies on one.
    short = [(0, -height % factor), (-width % factor, 0), (0, 0)]
    whole = np.pad(pixels, short, mode="symmetric")
    small = _reduced(whole, factor)
    unlike = unlike_border(small)
    if usable is not None:
        unlike = np.maximum(unlike, 10 * (1 - _reduced(np.pad(usable, short[:2]).astype(np.float32), factor)))
    best: _Quilt | None = None
    for count in settings.blocks:
        if count > 1 and small.shape[0] < LEAST * count:
            break
        quilt = _Quilt(small, unlike, -(-margin // factor), settings)
        quilt.fill(count, rng, check)
        if best is None or quilt.cost < best.cost:
            best = quilt
    assert best is not None
    if factor == 1:
        return Quilted(best.pixels, best.owner)
    canvas = _Canvas(whole, best.margin * factor, settings)
    for piece in best.pieces:
        canvas.copy(piece, factor)
        check()
    left = -width % factor
    here = (slice(height), slice(left, left + width + margin))
    return Quilted(canvas.pixels[here], canvas.owner[here])


class _Canvas:
    """A picture with columns added on the right, which pieces are copied to."""

    def __init__(self, picture: Floats, margin: int, settings: QuiltSettings) -> None:
        self.picture, self.settings = picture, settings
        height, self.width, _ = picture.shape
        self.pixels = np.concatenate([picture, np.zeros((height, margin, 3), np.float32)], axis=1)
        self.filled = np.zeros(self.pixels.shape[:2], bool)
        self.filled[:, : self.width] = True
        self.owner = np.zeros(self.filled.shape, np.int32)
        self.overlap = max(3, round(settings.overlap * min(height, self.width)))
        self.strip = max(1, min(round(settings.mirrored * min(height, self.width)), margin, self.width - 1))
        self.pixels[:, self.width : self.width + self.strip] = picture[:, -2 : -self.strip - 2 : -1]

    def copy(self, piece: _Piece, factor: int = 1) -> float:
        """Copy a piece whose measures are in units of `factor` pixels; the cost of its cuts."""
        top, bottom, left, right = (factor * at for at in (piece.top, piece.bottom, piece.left, piece.right))
        row, column = (factor * at for at in piece.source)
        here = (slice(top, bottom), slice(left, right))
        there = self.picture[row : row + bottom - top, column : column + right - left]
        old, known = self.pixels[here], self.filled[here]
        number = int(self.owner.max()) + 1
        new = there + self._correction(old, there, known, factor)
        errors = np.where(known, ((old - new) ** 2).sum(axis=2), np.float32(0)) + np.float32(1e-6)
        beside = piece.beside * factor
        if left < self.width:  # the picture's own pixels stay
            strip = slice(beside, min(beside + self.strip, right - left))
            known = known.copy()
            known[:, strip] = True
            apart = ((old[:, strip] - new[:, strip]) ** 2).sum(axis=2)
            slope = np.linspace(0, self.settings.far, apart.shape[1], dtype=np.float32)
            path, cost = cheapest_cut(apart + slope + np.float32(1e-6))
            taken = np.arange(right - left)[None] >= beside + path[:, None]
            errors[:, strip] = apart
        else:
            path, cost = cheapest_cut(errors[:, :beside])
            taken = np.arange(right - left)[None] >= path[:, None]
        for rows, flip in ((piece.over * factor, False), (piece.under * factor, True)):
            if rows:
                turned = errors[::-1] if flip else errors
                path, more = cheapest_cut(turned[:rows].T)
                kept = np.arange(bottom - top)[:, None] >= path[None]
                taken &= kept[::-1] if flip else kept
                cost += more
        taken |= ~known
        soft = cv2.GaussianBlur(taken.astype(np.float32), (0, 0), 0.7)
        soft = np.where(known, soft, np.float32(1))[..., None]
        soft[:, : max(0, self.width - left)] = 0
        self.pixels[here] = old * (1 - soft) + new * soft
        self.owner[here][soft[..., 0] > 0.5] = number
        self.filled[here] = True
        return cost

    def _correction(self, old: Floats, new: Floats, known: Flags, factor: int) -> Floats:
        """(h, w, 3) what makes a piece as bright as what it joins: the mean difference over cells of `factor` pixels.

        Where both are smooth, as in a sky, a larger difference is one of brightness too.
        """
        difference = old - new
        apart = np.abs(difference).max(axis=2)
        rough = np.maximum(_roughness(old), _roughness(new))
        smooth = rough < self.settings.smooth
        limit = np.where(smooth, self.settings.tone, self.settings.adapt).astype(np.float32)[..., None]
        near = known & (apart < np.where(smooth, self.settings.tone, self.settings.trust))
        mass = _reduced(near.astype(np.float32), factor)
        total = _reduced(np.where(near[..., None], difference.clip(-limit, limit), np.float32(0)), factor)
        means = np.asarray(total / np.maximum(mass, 1e-6)[..., None], np.float32)
        correction = _continued(means, mass > 0.25, 2.0)
        if factor == 1:
            return correction
        size = (old.shape[1], old.shape[0])
        return np.asarray(cv2.resize(correction, size, interpolation=cv2.INTER_LINEAR), np.float32)


class _Quilt(_Canvas):
    """A reduced picture, extended by pieces that it chooses.

    Attributes:
        margin: Columns to add.
        cost: The mean cost of cuts and pieces so far.
        pieces: Those copied so far, in their order.
    """

    def __init__(self, picture: Floats, unlike: Floats, margin: int, settings: QuiltSettings) -> None:
        super().__init__(picture, margin, settings)
        self.margin, self.cost = margin, 0.0
        self.pieces: list[_Piece] = []
        self._unlike, self._used = unlike, np.zeros_like(unlike)
        self._look = _look(picture)

    def fill(self, count: int, rng: np.random.Generator, check: Callable[[], None]) -> None:
        """Fill the margin, column of blocks by column, with `count` blocks in each; blocks with structure first."""
        height = len(self.picture)
        edges = np.linspace(0, height, count + 1).round().astype(int)
        widest = max(1, min(self.width - self.overlap - 1, self.margin))
        wanted = widest if count == 1 else min(widest, max(int(edges[1]), 2 * self.overlap))
        columns = np.linspace(0, self.margin, -(-self.margin // wanted) + 1).round().astype(int) + self.width
        for left, right in pairwise(columns):
            before = self.pixels[:, left - self.overlap : left].mean(axis=2)
            steps = np.abs(np.diff(before, axis=0, append=before[-1:])).sum(axis=1)
            order = sorted(range(count), key=lambda block: -steps[edges[block] : edges[block + 1]].sum())
            placed: set[int] = set()
            for block in order:
                self._place(int(edges[block]), int(edges[block + 1]), int(left), int(right), block, placed, rng)
                placed.add(block)
                check()

    def _place(
        self, top: int, bottom: int, left: int, right: int, block: int, placed: set[int], rng: np.random.Generator
    ) -> None:
        lap, height = self.overlap, len(self.picture)
        first, last = max(0, top - lap), min(height, bottom + lap)
        start = left - lap
        known = self.filled[first:last, start:right]
        piece_size = known.shape
        reach = 0 if len(known) == height else int(self.settings.rows * height)
        low, high = max(0, first - reach), min(height, last + reach)
        look = _look(self.pixels[:, max(0, start - 1) : right])[first:last, start - max(0, start - 1) :]
        weight = cv2.erode(known.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
        if start < self.width:  # no cut can hide what differs just beside the border
            weight[:, :lap] *= np.linspace(0.1, 1, lap, dtype=np.float32) ** 2
        costs = _differences(self._look[low:high], np.ascontiguousarray(look), weight)
        shift = (np.arange(len(costs)) + low - first)[:, None] / min(height, self.width)
        own = self.settings.unlike * _means(self._unlike[low:high], piece_size)
        own += self.settings.repeated * _means(self._used[low:high], piece_size)
        costs += own + self.settings.shifted * shift**2
        good = np.flatnonzero(costs.ravel() <= costs.min() * (1 + self.settings.variety))
        row, column = (int(at) for at in np.unravel_index(good[int(rng.integers(len(good)))], costs.shape))
        over = min(2 * lap, last - first) if block - 1 in placed else 0
        under = min(2 * lap, last - first) if block + 1 in placed else 0
        piece = _Piece(first, last, start, right, (low + row, column), lap, over, under)
        self._used[low + row : low + row + piece_size[0], column : column + piece_size[1]] += 1
        self.pieces.append(piece)
        share = (bottom - top) * (right - left) / (height * self.margin)
        self.cost += self.copy(piece) / height + float(own[row, column]) * share


def _reduced(values: Floats, factor: int) -> Floats:
    """Means of squares of `factor` pixels."""
    if factor == 1:
        return values
    size = (values.shape[1] // factor, values.shape[0] // factor)
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _roughness(pixels: Floats) -> Floats:
    """(h, w) the mean of absolute gradients about each pixel."""
    grey = np.ascontiguousarray(pixels.mean(axis=2))
    slopes = np.abs(cv2.Sobel(grey, -1, 1, 0, ksize=3)) + np.abs(cv2.Sobel(grey, -1, 0, 1, ksize=3))
    return np.asarray(cv2.blur(slopes, (5, 5)) / 4, np.float32)


def _look(pixels: Floats) -> Floats:
    """(h, w, 5): colours, and gradients across and down."""
    grey = np.ascontiguousarray(pixels.mean(axis=2))
    slopes = [cv2.Sobel(grey, -1, across, 1 - across, ksize=3) / 4 for across in (1, 0)]
    return np.concatenate([pixels, np.stack(slopes, axis=-1)], axis=2).astype(np.float32)


def _differences(source: Floats, wanted: Floats, weight: Floats) -> Floats:
    """The mean squared difference of `wanted` (h, w, C), by its weight (h, w), from each place of `source`."""
    weights = np.repeat(weight[..., None], source.shape[2], axis=2)
    squares = cv2.matchTemplate(source * source, weights, cv2.TM_CCORR)
    products = cv2.matchTemplate(source, wanted * weights, cv2.TM_CCORR)
    total = squares - 2 * products + np.float32((wanted * wanted * weights).sum())
    return np.asarray(np.maximum(total, 0) / max(1e-3, float(weight.sum())), np.float32)


def _means(values: Floats, size: tuple[int, int]) -> Floats:
    """The mean over a rectangle of `size` (h, w) at each place."""
    total = cv2.matchTemplate(values, np.ones(size, np.float32), cv2.TM_CCORR)
    return np.asarray(np.maximum(total, 0) / (size[0] * size[1]), np.float32)


def _continued(difference: Floats, known: Flags, sigma: float) -> Floats:
    """A difference, smoothed where it is known, continued over the rest by a membrane."""
    weight = known.astype(np.float32)
    near = cv2.GaussianBlur(difference * weight[..., None], (0, 0), sigma)
    near = near / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-6)[..., None]
    return membrane(near.astype(np.float32), known)
