"""Figures as Prometheus reads them: its text format, version 0.0.4.

Source: Prometheus documentation, "Exposition formats", section "Text-based format".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

MetricKind = Literal["gauge", "counter"]

MEDIA_TYPE = "text/plain; version=0.0.4"


class Histogram:
    """How many values lie within each of some bounds. Not thread-safe: its user has a lock."""

    def __init__(self, bounds: Iterable[float]) -> None:
        """`bounds` are inclusive upper ends, rising."""
        self.bounds = tuple(bounds)
        self.buckets = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    @property
    def count(self) -> int:
        """How many values were added."""
        return sum(self.buckets)

    def add(self, value: float) -> None:
        """Count a value."""
        self.buckets[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def lines(self, name: str, about: str) -> Iterator[str]:
        """All lines of the metric."""
        yield from head(name, "histogram", about)
        total = 0
        for bound, count in zip((*self.bounds, float("inf")), self.buckets, strict=True):
            total += count
            yield f'{name}_bucket{{le="{"+Inf" if bound == float("inf") else f"{bound:g}"}"}} {total}'
        yield f"{name}_sum {self.sum:.15g}"
        yield f"{name}_count {total}"


def head(name: str, kind: str, about: str) -> Iterator[str]:
    """The two lines before a metric's values."""
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} {kind}"


def single(name: str, kind: MetricKind, about: str, value: float) -> Iterator[str]:
    """All lines of a metric that has one value."""
    yield from head(name, kind, about)
    yield f"{name} {value:.15g}"


def labelled(name: str, kind: MetricKind, about: str, label: str, values: Mapping[str, float]) -> Iterator[str]:
    """All lines of a metric that has a value for each value of a label, which holds no quotes and no backslashes."""
    yield from head(name, kind, about)
    yield from (f'{name}{{{label}="{key}"}} {value:.15g}' for key, value in values.items())
