"""Stand-in engines for tests: they paint known values, wait, or fail in a known way."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from overpaint.engines import Canvas, EngineCard, Monitor, Painted, SizeRules, ThreadedEngine
from overpaint.request import SAMPLING_SETTINGS


class StandIn(ThreadedEngine):
    """Paints a function of the canvas, and records every canvas."""

    def __init__(self, paint: Callable[[Canvas, Monitor], Painted], card: EngineCard | None = None) -> None:
        super().__init__()
        self.card = card or EngineCard(name="stand-in", title="a stand-in", accepts=frozenset({"seed"}))
        self.canvases: list[Canvas] = []
        self._paint = paint

    def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
        self.canvases.append(canvas)
        return self._paint(canvas, monitor)


def flat(value: float = 0.5, card: EngineCard | None = None) -> StandIn:
    """Paints one value everywhere, also outside the hole, which only the compositor protects."""
    return StandIn(lambda canvas, _: Painted(np.full_like(canvas.pixels, value)), card)


def noise(card: EngineCard | None = None) -> StandIn:
    """Paints noise from the seed everywhere."""
    return StandIn(
        lambda canvas, _: Painted(np.random.default_rng(canvas.seed).random(canvas.pixels.shape, dtype=np.float32)),
        card,
    )


def echo(card: EngineCard | None = None) -> StandIn:
    """Returns the canvas."""
    return StandIn(lambda canvas, _: Painted(canvas.pixels.copy()), card)


def shifting(shift: tuple[float, float, float], card: EngineCard | None = None) -> StandIn:
    """A learned engine that returns the canvas with a colour shift, also in its evidence."""

    def paint(canvas: Canvas, monitor: Monitor) -> Painted:
        estimate = canvas.pixels + np.float32(shift)
        return Painted(estimate, evidence=estimate)

    return StandIn(paint, card or EngineCard(name="stand-in", title="shifts colours", edge="diffusion"))


def waiting(gate: threading.Event, started: threading.Event) -> StandIn:
    """Sets `started`, then reports steps until the gate opens or the edit is cancelled."""

    def paint(canvas: Canvas, monitor: Monitor) -> Painted:
        started.set()
        step = 0
        while not gate.wait(0.005):
            step += 1
            monitor.progress(min(step, 999), 1000)
        return Painted(canvas.pixels.copy())

    return StandIn(paint)


PIXEL = EngineCard(name="e", title="", digest="d")
DIFFUSION = EngineCard(
    name="e",
    title="",
    paints_from="prompt",
    samples=True,
    accepts=SAMPLING_SETTINGS | {"model", "sketch", "seed"},
    edge="diffusion",
    sizes=SizeRules(native=512, multiple=8),
    digest="d",
)
"""Cards to resolve requests with, without engines."""

LEARNED = EngineCard(
    name="stand-in",
    title="of a learned engine's size",
    paints_from="prompt",
    samples=True,
    accepts=SAMPLING_SETTINGS | {"model", "sketch", "seed"},
    edge="diffusion",
    sizes=SizeRules(native=64, multiple=8, maximum_area=96 * 96),
    colour_space="srgb",
)


def by_seed(card: EngineCard | None = None) -> StandIn:
    """Leaves the picture as it is where the seed is even; an odd one paints white, with a seam that shows. A seed that
    is 1 modulo 4 is the whitest.
    """

    def paint(canvas: Canvas, _: Monitor) -> Painted:
        if canvas.seed % 2 == 0:
            return Painted(canvas.pixels.copy())
        return Painted(np.full_like(canvas.pixels, 1.0 if canvas.seed % 4 == 1 else 0.9))

    return StandIn(paint, card)
