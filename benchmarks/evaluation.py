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
    seam,
    ssim,
)
from benchmarks.networks import FeatureNetwork

Table = NDArray[np.float64]
"""(photos, kinds)."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Names of the figures that the features of one network give.

    Attributes:
        kernel: The kernel distance of a set of fills.
        distance: The mean cosine distance of a fill's crop from the original crop.
    """

    kernel: str
    distance: str


KERNEL = "kernel_distance"
ADE_KERNEL = "ade_kernel_distance"
JUDGES = {"classifier": Judge(KERNEL, "feature_distance"), "segmenter": Judge(ADE_KERNEL, "ade_distance")}
KERNELS = tuple(judge.kernel for judge in JUDGES.values())
MEANS = ("wall", "cpu", "psnr", "ssim", "seam", *(judge.distance for judge in JUDGES.values()))
MEDIANS = ("gradient_ratio", "gradient_error")
METRICS = (*MEANS, *MEDIANS, *KERNELS)


@dataclass(frozen=True, slots=True, eq=False)
class FillFigures:
    """All figures of one contender's fills.

    Attributes:
        table: By metric (all but the kernel distances), one value for each photo and kind.
        features: By judge, (photos, kinds, 2, d): the crop's features and those of its mirror image. The second
            view lowers the variance without bias, since a mirrored photo is a photo too.
    """

    table: Mapping[str, Table]
    features: Mapping[str, NDArray[np.float32]]


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
    grid: Grid, cache: FillCache, nets: Mapping[str, FeatureNetwork], done: Callable[[], None] = lambda: None
) -> FillFigures:
    """Measure every fill of one contender. `done` is called after each.

    Args:
        grid: The cases.
        cache: The contender's fills.
        nets: The judges, by their names in JUDGES.
        done: Called after each fill.
    """
    shape = (len(grid.photos), len(grid.kinds))
    table = {name: np.full(shape, np.nan) for name in (*MEANS, *MEDIANS)}
    features = {name: np.empty((*shape, 2, net.shape[3]), np.float32) for name, net in nets.items()}
    for p, photo in enumerate(grid.photos):
        for k, kind in enumerate(grid.kinds):
            case = grid.cases[photo, kind]
            crop, took = cache.get(case)
            loaded = case.load()
            here = loaded.crop.slices
            original, hole = loaded.truth[here], loaded.hole[here]
            ratio = gradient_energy_ratio(crop, original, hole)
            row = {
                "wall": took.wall,
                "cpu": took.cpu,
                "psnr": psnr(crop, original, hole),
                "ssim": ssim(crop, original, hole),
                "seam": seam(crop, hole),
                "gradient_ratio": ratio,
                "gradient_error": abs(np.log(ratio)),
            }
            for name, net in nets.items():
                features[name][p, k] = net.features(views(crop))
                distances = cosine_distance(features[name][p, k], net.features(views(original)))
                row[JUDGES[name].distance] = float(distances.mean())
            for name, value in row.items():
                table[name][p, k] = value
            done()
    return FillFigures(table, features)


@dataclass(frozen=True, slots=True)
class Summary:
    """One contender over one selection of masks.

    Attributes:
        values: An interval by metric.
        textbook: By kernel distance, its usual estimate, biased low for paired photos.
        behind: By metric, the focus minus this contender (a paired difference); empty for the focus.
    """

    values: Mapping[str, Interval]
    textbook: Mapping[str, float]
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
        rows = {
            label: {judge: _rows(features, kinds) for judge, features in figures.features.items()}
            for label, figures in figures_by_label.items()
        }
        statistics = {}
        for label, figures in figures_by_label.items():
            own = {metric: mean_statistic(figures.table[metric][:, kinds]) for metric in MEANS}
            own |= {metric: median_statistic(figures.table[metric][:, kinds]) for metric in MEDIANS}
            for judge, features in rows[label].items():
                reference = rows[untouched][judge]
                groups = np.repeat(np.arange(len(grid.photos)), len(reference) // len(grid.photos))
                own[JUDGES[judge].kernel] = kernel_statistic(pair_matrix(features, reference, groups))
            statistics[label] = own
        found[name] = {
            label: Summary(
                values={metric: bootstrap(own[metric], weights) for metric in METRICS},
                textbook={
                    JUDGES[judge].kernel: kid(features, rows[untouched][judge])
                    for judge, features in rows[label].items()
                },
                behind={}
                if label in (focus, untouched)
                else {m: paired_bootstrap(statistics[focus][m], own[m], weights) for m in METRICS},
            )
            for label, own in statistics.items()
        }
    return found


def _rows(features: NDArray[np.float32], kinds: Sequence[int]) -> NDArray[np.float32]:
    """(photos x kinds x 2, d), photo by photo, of (photos, kinds, 2, d)."""
    chosen = features[:, list(kinds)]
    return chosen.reshape(-1, chosen.shape[-1])


def choose_focus(wanted: str | None, labels: Sequence[Contender]) -> str:
    """The label that is compared with the others: `wanted`, else "exemplar", else the first."""
    names = [contender.label for contender in labels]
    if wanted is not None and wanted not in names[:-1]:
        raise ValueError(f"--focus {wanted}: not among the contenders {', '.join(names[:-1])}")
    return wanted or ("exemplar" if "exemplar" in names else names[0])
