"""The kernel distance between fills and photos, and bootstrap intervals that respect which photo a crop came from.

**The distance.** Squared maximum mean discrepancy with the cubic polynomial kernel k(x, y) = (x.y / d + 1)^3 on
features of dimension d: the kernel distance (KID) of Binkowski, Sutherland, Arbel and Gretton 2018, "Demystifying MMD
GANs". Its textbook estimate (`kid`) averages k(x_i, x_j) and k(y_i, y_j) over i != j and k(x_i, y_j) over *all* i, j;
it is unbiased for two independent sets. Ours are not independent: each filled crop has its own untouched crop in the
reference, and k(x_i, y_i) is far larger than k(x_i, y_j). The textbook estimate is then biased low by about 1/n of that
gap, and more so for fills that are nearer to their photo. An untouched set would score below zero.

**What we report** (`paired_kid`) is the U-statistic of Gretton et al. 2012, "A kernel two-sample test", lemma 6:

    h(i, j) = k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i), averaged over pairs i, j from different photos.

No crop is ever compared with a crop of its own photo, under any mask: every filled crop is judged against the crops of
*other* photos alone, which are independent of it. So the estimate is unbiased although both sets show the same photos;
sharing photos lowers its variance, since the common part cancels. The untouched photo scores
exactly 0, the best that a fill can do in expectation. A split (fills of one half against photos of the other) would
estimate the same number with more noise.

**Intervals.** Photos are drawn with replacement, the same draws for every engine (a paired bootstrap); a resample
weighs each photo by how often it was drawn, and pairs of a photo with itself stay out, as they do in the estimate.
Percentile intervals from some fifty photos are a little narrow: in simulations with 40, 93 of 100 held a true mean and
89 of 100 the true distance of a heavy-tailed example, where 95 should.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Statistic = Callable[[Array], Array]
"""From weights (B, G), how often each of G photos was drawn in each of B resamples, to one value a resample (B,)."""


def cubic_kernel(x: ArrayLike, y: ArrayLike) -> Array:
    """(n, m) values of (x.y / d + 1)^3 for features x (n, d) and y (m, d)."""
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"features must be (n, d) and (m, d), not {a.shape} and {b.shape}")
    values: Array = (a @ b.T / a.shape[1] + 1) ** 3
    return values


def kid(x: ArrayLike, y: ArrayLike) -> float:
    """The textbook estimate for two independent sets, (n, d) and (m, d), of at least two features each."""
    xx, yy, xy = cubic_kernel(x, x), cubic_kernel(y, y), cubic_kernel(x, y)
    n, m = xy.shape
    if n < 2 or m < 2:
        raise ValueError(f"a kernel distance needs two features a set, not {n} and {m}")
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(within - 2 * xy.mean())


def pair_matrix(filled: ArrayLike, reference: ArrayLike, groups: ArrayLike) -> Array:
    """Mean of h(i, j) over the crops i of one photo and j of another, for every two photos.

    Args:
        filled: (n, d) features of filled crops.
        reference: (n, d) features of the same crops of the untouched photos, row by row.
        groups: (n,) which photo each row belongs to, any labels; all crops of a photo (masks, mirrored copies) share
            one.

    Returns:
        (G, G) symmetric, photos in sorted order of their labels, 0 on the diagonal.
    """
    x, y, g = np.asarray(filled, np.float64), np.asarray(reference, np.float64), np.asarray(groups)
    if x.shape != y.shape or g.shape != (x.shape[0],):
        raise ValueError(f"rows must match: filled {x.shape}, reference {y.shape}, groups {g.shape}")
    labels, index = np.unique(g, return_inverse=True)
    if labels.size < 2:
        raise ValueError(f"a paired kernel distance needs crops of two photos, not {labels.size}")
    cross = cubic_kernel(x, y)
    h = cubic_kernel(x, x) + cubic_kernel(y, y) - cross - cross.T
    member = np.zeros((labels.size, g.size))
    member[index, np.arange(g.size)] = 1.0
    member /= member.sum(axis=1, keepdims=True)
    matrix: Array = member @ h @ member.T
    np.fill_diagonal(matrix, 0.0)
    return matrix


def paired_kid(filled: ArrayLike, reference: ArrayLike, groups: ArrayLike | None = None) -> float:
    """The kernel distance between fills and the photos they were made in; every row its own photo when left out."""
    rows = len(np.asarray(filled))
    matrix = pair_matrix(filled, reference, np.arange(rows) if groups is None else groups)
    return float(kernel_statistic(matrix)(np.ones((1, len(matrix))))[0])


def kernel_statistic(matrix: Array) -> Statistic:
    """The kernel distance as a statistic of the weights of photos, from their `pair_matrix`."""

    def statistic(weights: Array) -> Array:
        pairs = weights.sum(axis=1) ** 2 - (weights**2).sum(axis=1)
        value: Array = ((weights @ matrix) * weights).sum(axis=1) / pairs
        return value

    return statistic


def mean_statistic(values: Array) -> Statistic:
    """Mean of per-photo values (G,) or (G, K); NaN is left out."""
    table = values.reshape(len(values), -1)
    there = np.isfinite(table)
    total, count = np.where(there, table, 0.0).sum(axis=1), there.sum(axis=1)

    def statistic(weights: Array) -> Array:
        value: Array = (weights @ total) / (weights @ count)
        return value

    return statistic


def median_statistic(values: Array) -> Statistic:
    """Median (the lower one of an even count) of per-photo values (G,) or (G, K); NaN is left out."""
    table = values.reshape(len(values), -1)
    photo = np.repeat(np.arange(len(table)), table.shape[1])
    flat = table.ravel()
    keep = np.flatnonzero(np.isfinite(flat))
    keep = keep[np.argsort(flat[keep], kind="stable")]
    ordered, owner = flat[keep], photo[keep]

    def statistic(weights: Array) -> Array:
        cumulated = np.cumsum(weights[:, owner], axis=1)
        value: Array = ordered[np.argmax(cumulated >= cumulated[:, -1:] / 2, axis=1)]
        return value

    return statistic


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its percentile interval."""

    value: float
    low: float
    high: float
    level: float = 0.95

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside the interval."""
        return self.low > 0 or self.high < 0


def draw_weights(photos: int, resamples: int = 10_000, seed: int = 0) -> Array:
    """(resamples, photos): how often each photo is drawn when as many as there are are drawn with replacement.

    A resample of one single photo has no pairs and tells nothing; such draws (they happen with a few photos alone) are
    left out, so fewer rows may come back.
    """
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(photos, np.full(photos, 1.0 / photos), size=resamples).astype(np.float64)
    return weights if photos == 1 else weights[weights.max(axis=1) < photos]


def bootstrap(statistic: Statistic, weights: Array, level: float = 0.95) -> Interval:
    """The statistic on all photos, and the percentile interval over the resamples."""
    value = float(statistic(np.ones((1, weights.shape[1])))[0])
    low, high = np.quantile(statistic(weights), [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), level)


def paired_bootstrap(one: Statistic, other: Statistic, weights: Array, level: float = 0.95) -> Interval:
    """Difference `one` minus `other` under the same resamples: of photos that both filled."""
    return bootstrap(lambda w: one(w) - other(w), weights, level)
