"""The subject of a picture, and its background: by a network where one is here, else by colours.

By colours, what is joined to the border by ground of its own colours is background, and what differs from that is the
subject: Zhu, Liang, Wei and Sun, "Saliency optimization from robust background detection", CVPR 2014, whose equations
are numbered below. GrabCut then finds its edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from overpaint.mask import Mask
from overpaint.models import ModelRef
from overpaint.picture import Picture
from overpaint.request import UsedModel

from . import birefnet
from .base import Selection, SelectorCard, SelectorHints, SelectorOptions
from .cache import shared
from .colour import lab_of
from .grabcut import at_own_size, cut
from .prepare import title_of, used_network
from .seen import SeenPicture

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

SIDE = 320
"""Pixels of the longer side that it works at."""

PATCHES = 250
COMPACT = 12.0
"""How many patches of about one colour the picture is cut into, and how compact they are (SLIC)."""

COLOURS = 10.0
"""Distance in Lab over which colours count as alike."""

NEAR = 0.25
"""Distance over which places count as near, as a share of the longer side."""

LEAST = 0.1
"""Of colours that are alike: what neighbours are held together by at the least."""

SURE = 0.75
"""What is so salient or more is certainly of the subject."""

RIM = 10
"""Pixels by which what is certain is less than what is so salient."""

HAZE = 0.04
"""Coverage by a network below this is none, and above 1 less this all."""

NOTHING = 0.02
"""A subject of a smaller share of the picture is none."""


class SubjectOptions(SelectorOptions):
    """What finds it, and where the line is drawn."""

    by: Literal["auto", "network", "colours"] = Field(
        default="auto", description="what finds it; auto: a network (BiRefNet) where one is here, else its colours"
    )
    model: str = Field(default="", max_length=1024, description="the network's name; left out, the first that is here")
    threshold: float = Field(default=0.5, gt=0, lt=1, description="lower takes more of the picture for the subject")
    soft: bool = Field(default=False, description="with a network: hair and fur as soft edges")


class Subject:
    """What a picture is of: by a network where one is here, else what stands out from the picture's border."""

    card = SelectorCard(
        name="subject",
        title="the subject: by a network (BiRefNet), else what differs from the ground at the picture's border",
        options=SubjectOptions,
        tip="lower the threshold, or draw a box around it and use grabcut",
        digest="subject-2",
        without={"by": "colours"},
        references=(
            "Zheng et al., Bilateral reference for high-resolution dichotomous image segmentation, CAAI AIR 2024",
            "Zhu, Liang, Wei and Sun, Saliency optimization from robust background detection, CVPR 2014",
            "Rother, Kolmogorov and Blake, GrabCut, ACM Transactions on Graphics 23(3), 2004",
        ),
    )

    def models(self, hints: SelectorHints) -> tuple[UsedModel, ...]:
        """As `NetworkSelector`."""
        ref = _network(hints)
        return () if ref is None else (used_network(ref),)

    def select(self, picture: Picture, hints: SelectorHints) -> list[Selection]:
        """One mask."""
        return _selected(picture, hints, "subject", inside=True)


class Background:
    """All but the subject."""

    card = SelectorCard(
        name="background",
        title="the background: all but the subject",
        options=SubjectOptions,
        tip="raise the threshold, or draw a box around the subject and use grabcut, inverted",
        digest="background-2",
        without={"by": "colours"},
        references=Subject.card.references,
    )

    def models(self, hints: SelectorHints) -> tuple[UsedModel, ...]:
        """As `NetworkSelector`."""
        return Subject().models(hints)

    def select(self, picture: Picture, hints: SelectorHints) -> list[Selection]:
        """One mask; nothing where there is no subject."""
        return _selected(picture, hints, "background", inside=False)


def _network(hints: SelectorHints) -> ModelRef | None:
    """The network that these hints mean; None: colours."""
    options = SubjectOptions.model_validate(dict(hints.options))
    if options.by == "colours":
        return None
    if options.by == "auto" and not options.model and not birefnet.is_here():
        return None
    return birefnet.subject_network(options.model)


def _selected(picture: Picture, hints: SelectorHints, label: str, *, inside: bool) -> list[Selection]:
    """The subject, or all but it."""
    options, ref = SubjectOptions.model_validate(dict(hints.options)), _network(hints)
    seen = SeenPicture.of(picture)
    if ref is None:
        marked, score = _by_colours(seen, options.threshold)
        mask = Mask((marked if inside else ~marked).astype(np.float32))
    else:
        covered = birefnet.coverage(seen, ref)
        marked = covered >= np.float32(options.threshold)
        score = float(covered[marked].mean()) if marked.any() else 0.0
        mask = Mask((marked if inside else ~marked).astype(np.float32))
        if options.soft:
            mask = Mask(_without_haze(covered if inside else 1 - covered))
        mask = mask.with_notes((f"found by {title_of(ref)}",))
    return [Selection(mask, score, label)] if marked.any() else []


def _without_haze(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Coverage in which what is nearly none or all is none or all."""
    return np.asarray(np.clip((values - HAZE) / (1 - 2 * HAZE), 0, 1), np.float32)


def _by_colours(seen: SeenPicture, threshold: float) -> tuple[Flags, float]:
    """(H, W) bool and how sure it is."""
    key = (seen.digest, "subject", threshold)
    found: tuple[Flags, float] = shared.get(key, lambda: _found(seen, threshold), lambda made: int(made[0].nbytes))
    return found


def _found(seen: SeenPicture, threshold: float) -> tuple[Flags, float]:
    colours = seen.part(None, SIDE)
    if min(colours.shape[:2]) < 16:
        return np.zeros(seen.size.shape, np.bool_), 0.0
    salient = saliency(colours)
    inside = salient >= threshold
    if inside.mean() < NOTHING or inside.all():
        return np.zeros(seen.size.shape, np.bool_), 0.0
    labels = np.where(inside, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    sure = (salient >= max(SURE, (1 + threshold) / 2)).view(np.uint8)  # but for its rim: patches lie across edges
    labels[cv2.erode(sure, np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)) > 0] = cv2.GC_FGD
    labels[salient <= threshold / 5] = cv2.GC_BGD
    scale = seen.scale_to(SIDE)
    marked = at_own_size(seen, cut(colours, labels, 3), seen.size.box, scale)
    score = float(salient[inside].mean() - salient[~inside].mean())
    return marked, min(1.0, max(0.0, score))


@dataclass(frozen=True, slots=True, eq=False)
class _PatchGraph:
    """Patches of about one colour.

    Attributes:
        labels: (h, w) the number of each pixel's patch.
        apart: (N, N) distances of their colours in Lab.
        away: (N, N) distances of their places, as shares of the longer side.
        beside: (N, N) bool: whether they touch; patches at the border all touch each other.
        border: (N,) bool: whether it is at the picture's border.
    """

    labels: NDArray[np.intp]
    apart: Floats
    away: Floats
    beside: Flags
    border: Flags


def saliency(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w) float32 in [0, 1]: how much each place stands out from the background.

    Args:
        colours: (h, w, 3) float32 in [0, 1], sRGB.
    """
    graph = _graph(colours)
    rows, columns = np.nonzero(np.triu(graph.beside, 1))
    costs = np.maximum(graph.apart[rows, columns] - _usual(graph), 0) + 1e-6
    count = len(graph.border)
    ways = dijkstra(coo_array((costs, (rows, columns)), (count, count)).tocsr(), directed=False)  # (5)
    near = np.exp(-np.square(ways) / (2 * COLOURS**2))
    connected = near[:, graph.border].sum(axis=1) / np.sqrt(near.sum(axis=1))  # (3), (4), (6), (7)
    ground = 1 - np.exp(-np.square(connected) / 2)  # (9)
    contrast = (graph.apart * np.exp(-np.square(graph.away) / (2 * NEAR**2)) * ground).sum(axis=1)  # (8)
    contrast /= max(float(contrast.max()), 1e-9)
    contrast[contrast < 0.1] = 0
    alike = np.where(graph.beside, np.exp(-np.square(graph.apart) / (2 * COLOURS**2)) + LEAST, 0)
    np.fill_diagonal(alike, 0)
    stiff = np.diag(alike.sum(axis=1)) - alike
    found = np.linalg.solve(stiff + np.diag(ground + contrast + 1e-6), contrast)  # the minimum of (10)
    found = (found - found.min()) / max(float(np.ptp(found)), 1e-9)
    return np.asarray(found[graph.labels], np.float32)


def _graph(colours: NDArray[np.float32]) -> _PatchGraph:
    from skimage.segmentation import slic

    lab = lab_of(colours)
    labels = slic(
        lab, n_segments=PATCHES, compactness=COMPACT, convert2lab=False, start_label=0, channel_axis=2, max_num_iter=5
    )
    _, labels = np.unique(labels, return_inverse=True)
    labels = labels.reshape(lab.shape[:2])
    count = int(labels.max()) + 1
    areas = np.bincount(labels.ravel(), minlength=count)
    height, width = colours.shape[:2]
    down, across = np.mgrid[:height, :width] / max(height, width)
    planes = (*(lab[..., k] for k in range(3)), across, down)
    means = np.stack([np.bincount(labels.ravel(), one.ravel(), count) / areas for one in planes], axis=1)
    apart = np.linalg.norm(means[:, None, :3] - means[None, :, :3], axis=2)
    away = np.linalg.norm(means[:, None, 3:] - means[None, :, 3:], axis=2)
    beside = np.zeros((count, count), np.bool_)
    for first, second in ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])):
        beside[first.ravel(), second.ravel()] = True
    beside |= beside.T
    border = np.zeros(count, np.bool_)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        border[edge] = True
    beside |= border[:, None] & border[None, :]
    np.fill_diagonal(beside, False)
    return _PatchGraph(labels, apart, away, beside, border)


def _usual(graph: _PatchGraph) -> float:
    """The distance to the most alike neighbour that patches usually have: such a step costs nothing."""
    nearest = np.where(graph.beside, graph.apart, np.inf).min(axis=1)
    return float(np.mean(nearest[np.isfinite(nearest)])) if np.isfinite(nearest).any() else 0.0
