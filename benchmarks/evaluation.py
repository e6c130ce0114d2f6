"""Figures of fills: every metric of every fill, then a value and interval for each contender and kind of mask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.contenders import Contender
from benchmarks.dataset import Case
from benchmarks.fills import FillCache
from benchmarks.metrics import (
    Classifier,
    Interval,
    bootstrap,
    cosine_distance,
    draw_weights,
    gradient_energy_ratio,
    kernel_statistic,
    kid,
    mean_statistic,
    median_statistic,
    pair_matrix,
    paired_bootstrap,
    psnr,
    ssim,
)

Table = NDArray[np.float64]
"""(photos, kinds)."""

MEANS = ("wall", "cpu", "psnr", "ssim", "feature_distance")
MEDIANS = ("gradient_ratio", "gradient_error")
KERNEL = "kernel_distance"
METRICS = (*MEANS, *MEDIANS, KERNEL)


@dataclass(frozen=True, slots=True, eq=False)
class FillFigures:
    """All figures of one contender's fills.

    Attributes:
        table: By metric (all but the kernel distance), one value for each photo and kind.
        features: (photos, kinds, 2, d): the crop's features and those of its mirror image. The second
            view lowers the variance without bias, since a mirrored photo is a photo too.
    """

    table: Mapping[str, Table]
    features: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Grid:
    """The cases as photos by kinds."""

    photos: tuple[str, ...]
    kinds: tuple[str, ...]
    cases: Mapping[tuple[str, str], Case]

    @classmethod
    def of(cls, wanted: Sequence[Case]) -> Grid:
        """The grid of a list in which every photo has every kind."""
        return cls(
            tuple(dict.fromkeys(case.photo for case in wanted)),
            tuple(dict.fromkeys(case.kind for case in wanted)),
            {(case.photo, case.kind): case for case in wanted},
        )


def views(crop: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A crop and its mirror image."""
    return crop, crop[:, ::-1]


def measure_fills(
    grid: Grid, cache: FillCache, net: Classifier, done: Callable[[], None] = lambda: None
) -> FillFigures:
    """Measure every fill of one contender. `done` is called after each."""
    shape = (len(grid.photos), len(grid.kinds))
    table = {name: np.full(shape, np.nan) for name in (*MEANS, *MEDIANS)}
    features = np.empty((*shape, 2, 1280), np.float32)
    for p, photo in enumerate(grid.photos):
        for k, kind in enumerate(grid.kinds):
            case = grid.cases[photo, kind]
            crop, took = cache.get(case)
            loaded = case.load()
            here = loaded.crop.slices
            original, hole = loaded.pixels[here], loaded.hole[here]
            features[p, k] = net.features(views(crop))
            ratio = gradient_energy_ratio(crop, original, hole)
            row = {
                "wall": took.wall,
                "cpu": took.cpu,
                "psnr": psnr(crop, original, hole),
                "ssim": ssim(crop, original, hole),
                "gradient_ratio": ratio,
                "gradient_error": abs(np.log(ratio)),
                "feature_distance": float(cosine_distance(features[p, k], net.features(views(original))).mean()),
            }
            for name, value in row.items():
                table[name][p, k] = value
            done()
    return FillFigures(table, features)


@dataclass(frozen=True, slots=True)
class Summary:
    """One contender over one selection of masks.

    Attributes:
        values: An interval by metric.
        textbook: The usual estimate of the kernel distance, biased low for paired photos.
        behind: By metric, the focus minus this contender (a paired difference); empty for the focus.
    """

    values: Mapping[str, Interval]
    textbook: float
    behind: Mapping[str, Interval]


def summaries(
    figures_by_label: Mapping[str, FillFigures], grid: Grid, untouched: str, focus: str, *, resamples: int = 10_000
) -> dict[str, dict[str, Summary]]:
    """Summaries by selection ("overall", then each kind) and label.

    Args:
        figures_by_label: By label, the untouched photo among them.
        grid: The cases.
        untouched: Label of the reference features.
        focus: Label of the contender that is compared with all others.
        resamples: Number of bootstrap resamples.
    """
    weights = draw_weights(len(grid.photos), resamples)
    selections = {"overall": tuple(range(len(grid.kinds)))}
    if len(grid.kinds) > 1:
        selections |= {kind: (k,) for k, kind in enumerate(grid.kinds)}
    found: dict[str, dict[str, Summary]] = {}
    for name, kinds in selections.items():
        reference = _rows(figures_by_label[untouched], kinds)
        groups = np.repeat(np.arange(len(grid.photos)), len(reference) // len(grid.photos))
        statistics = {}
        for label, figures in figures_by_label.items():
            own = {metric: mean_statistic(figures.table[metric][:, kinds]) for metric in MEANS}
            own |= {metric: median_statistic(figures.table[metric][:, kinds]) for metric in MEDIANS}
            own[KERNEL] = kernel_statistic(pair_matrix(_rows(figures, kinds), reference, groups))
            statistics[label] = own
        found[name] = {
            label: Summary(
                values={metric: bootstrap(own[metric], weights) for metric in METRICS},
                textbook=kid(_rows(figures_by_label[label], kinds), reference),
                behind={}
                if label in (focus, untouched)
                else {m: paired_bootstrap(statistics[focus][m], own[m], weights) for m in METRICS},
            )
            for label, own in statistics.items()
        }
    return found


def _rows(figures_by_label: FillFigures, kinds: Sequence[int]) -> NDArray[np.float32]:
    """(photos x kinds x 2, d), photo by photo."""
    chosen = figures_by_label.features[:, list(kinds)]
    return chosen.reshape(-1, chosen.shape[-1])


def choose_focus(wanted: str | None, labels: Sequence[Contender]) -> str:
    """The label that is compared with the others: `wanted`, else "exemplar", else the first."""
    names = [contender.label for contender in labels]
    if wanted is not None and wanted not in names[:-1]:
        raise ValueError(f"--focus {wanted}: not among the contenders {', '.join(names[:-1])}")
    return wanted or ("exemplar" if "exemplar" in names else names[0])
