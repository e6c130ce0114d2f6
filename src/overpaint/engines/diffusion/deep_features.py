"""Deep features of a U-Net, kept from one step for the next ones.

What the deep layers of a U-Net give changes slowly from step to step. So every `interval`-th step runs the whole
network, and the steps between run its outer layers alone, with the deep features of the last whole step (Ma et al.
2023, DeepCache, arXiv 2312.00858).
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from .caches import bytes_of
from .controls import RowControl
from .values import Conditioning


@dataclass(frozen=True, slots=True)
class FeatureReuse:
    """How often deep features are made anew.

    Attributes:
        interval: Every step of this number is whole; 1: all are.
        depth: How many of the outer layers run at every step, counted on the way in (`Family.layer_count`).
    """

    interval: int = 1
    depth: int = 1


ALL_WHOLE = FeatureReuse()
"""Every step runs the whole network."""


@dataclass(slots=True, eq=False)
class RowFeatures:
    """The deep features of one row of network calls. A call with the whole network sets them; others read them.

    Attributes:
        depth: See `FeatureReuse`.
        deep: (1, C, h, w), on the network's device and in its type; None before the call.
    """

    depth: int
    deep: torch.Tensor | None = None


class FeatureMemory:
    """The deep features of one picture, for each of its texts and the controls that guide it.

    All texts of a step are whole, or none is: guidance takes the difference of their outputs, which features of
    different ages would falsify.
    """

    def __init__(self, reuse: FeatureReuse) -> None:
        """Start without features."""
        self._reuse = reuse
        self._step = 0
        self._rows: list[tuple[Conditioning, tuple[RowControl, ...], RowFeatures]] = []

    def rows(self, wanted: Sequence[tuple[Conditioning, tuple[RowControl, ...]]], step: int) -> tuple[RowFeatures, ...]:
        """Features for one row of each text: those that are kept, or empty ones, which the network call fills.

        A step is whole where it is the `interval`-th since the last whole one, and where a text has no features with
        these controls yet. Both calls of a second-order step are of one kind.
        """
        if self._step < step < self._step + self._reuse.interval:
            known = [self._known(*one) for one in wanted]
            kept = tuple(one for one in known if one is not None)
            if len(kept) == len(known):
                return kept
        self._step = step
        self._rows = [(*one, RowFeatures(self._reuse.depth)) for one in wanted]
        return tuple(row for _, _, row in self._rows)

    def _known(self, text: Conditioning, controls: tuple[RowControl, ...]) -> RowFeatures | None:
        for one, with_controls, row in self._rows:
            alike = len(controls) == len(with_controls) and all(map(operator.is_, controls, with_controls))
            if alike and one.same(text) and row.deep is not None:
                return row
        return None

    @property
    def bytes(self) -> int:
        """Memory that is kept."""
        return bytes_of(*(row.deep for _, _, row in self._rows))
