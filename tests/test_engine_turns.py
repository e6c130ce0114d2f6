"""Canvases of one engine take turns: a short one never waits for a long one to end, and pixels don't depend on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from itertools import count

import numpy as np
import pytest

from overpaint import Mask, Studio
from overpaint.engines import Canvas, Monitor, Painted, canvas_turns
from overpaint.engines.canvas_turns import CanvasTurns
from overpaint.engines.exemplar import Exemplar, ExemplarOptions
from overpaint.errors import Cancelled
from overpaint.studio.progress import LinkedMonitor
from stand_ins import StandIn

CANVAS = Canvas(np.zeros((4, 4, 3), np.float32), np.ones((4, 4), np.float32))


class Working(StandIn):
    """Works for as many milliseconds as the seed says, with a check at each; some seeds have work of their own."""

    reentrant = True

    def __init__(self, special: dict[int, Callable[[Monitor], None]] | None = None) -> None:
        super().__init__(self._worked)
        self.ended: list[int] = []
        self.at_once = self.most = 0
        self._special = special or {}
        self._lock = threading.Lock()

    def _worked(self, canvas: Canvas, monitor: Monitor) -> Painted:
        with self._lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        try:
            if canvas.seed in self._special:
                self._special[canvas.seed](monitor)
            else:
                for _ in range(canvas.seed):
                    time.sleep(0.001)
                    monitor.check()
        finally:
            with self._lock:
                self.at_once -= 1
        self.ended.append(canvas.seed)
        return Painted(canvas.pixels.copy())

    def start(self, milliseconds: int, monitor: Monitor | None = None) -> Future[Painted]:
        return self.submit(Canvas(CANVAS.pixels, CANVAS.mask, seed=milliseconds), monitor or Monitor())


@pytest.fixture(autouse=True)
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canvas_turns, "_AHEAD", (0.25, 0.02))
    monkeypatch.setattr(canvas_turns, "_PATIENCE", 0.02)
    monkeypatch.setattr(canvas_turns, "_LOOK", 0.01)


@pytest.fixture
def engine() -> Iterator[Working]:
    made = Working()
    yield made
    made.close()


def begun(engine: Working, number: int = 1) -> None:
    over = time.monotonic() + 10
    while len(engine.canvases) < number:
        assert time.monotonic() < over
        time.sleep(0.001)


def test_a_short_canvas_is_done_while_a_long_one_rests(engine):
    long = Monitor()
    first = engine.start(600, long)
    begun(engine)
    time.sleep(0.1)
    for length in (5, 6, 7):
        engine.start(length).result(10)
    assert not first.done()
    first.result(10)
    assert engine.ended == [5, 6, 7, 600]
    assert long.paused > 0


def test_the_seconds_of_painting_are_those_without_rest(monkeypatch):
    monkeypatch.setattr(canvas_turns, "_PATIENCE", 10.0)
    with Studio() as studio:
        engine = Working()
        studio.add_engine(engine)
        given = {"mask": Mask.box((8, 8), (2, 2, 5, 5)), "engine": "stand-in", "intent": "custom"}
        found = []

        def edit(milliseconds: int) -> None:
            found.append(studio.edit(np.zeros((8, 8, 3), np.uint8), seed=milliseconds, **given))

        threads = [threading.Thread(target=edit, args=(milliseconds,)) for milliseconds in (200, 190)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - began
    assert sum(edited.timings["paint"] for edited in found) < 1.1 * seconds
    assert max(edited.timings["wait"] for edited in found) > 0.1


def test_a_canvas_that_does_not_check_holds_up_no_other():
    gate = threading.Event()

    def holds(monitor: Monitor) -> None:
        assert gate.wait(10)
        monitor.check()

    engine = Working({1000: holds})
    try:
        first = engine.start(1000)
        begun(engine)
        engine.start(3).result(10)
        assert not first.done()
        gate.set()
        first.result(10)
        assert engine.most == 2
    finally:
        gate.set()
        engine.close()


def test_canvases_of_one_edit_or_batch_are_painted_one_after_another(engine):
    batch = Monitor()
    found = [engine.start(length, LinkedMonitor(LinkedMonitor(batch))) for length in (80, 3, 2, 60)]
    short = engine.start(1)
    for future in found:
        future.result(10)
    short.result(10)
    assert [length for length in engine.ended if length != 1] == [80, 3, 2, 60]
    assert engine.ended[-1] != 1
    assert engine.most <= 2


def test_a_resting_canvas_can_be_cancelled(engine):
    long = Monitor()
    first = engine.start(100_000, long)
    begun(engine)
    time.sleep(0.05)
    other = Monitor()
    second = engine.start(100_000, other)
    begun(engine, 2)
    long.cancel()
    with pytest.raises(Cancelled):
        first.result(10)
    other.cancel()
    with pytest.raises(Cancelled):
        second.result(10)


def test_an_engine_that_is_closed_ends_what_it_has_begun_and_nothing_else(engine):
    long = engine.start(150)
    begun(engine)
    time.sleep(0.05)
    short = engine.start(120)
    begun(engine, 2)
    batch = Monitor()
    waiting = [engine.start(100, LinkedMonitor(batch)) for _ in range(3)]
    time.sleep(0.03)
    engine.close()
    assert long.done()
    assert short.done()
    assert sorted(engine.ended)[-2:] == [120, 150]
    cancelled = 0
    for future in waiting:
        try:
            future.result(10)
        except CancelledError:
            cancelled += 1
    assert cancelled >= 2
    assert not [thread for thread in threading.enumerate() if thread.name == "overpaint-stand-in"]


def test_a_canvas_is_not_held_once_it_is_painted(engine):
    monitor = Monitor()
    engine.start(3, monitor).result(10)
    over = time.monotonic() + 10
    while monitor._pause is not None:
        assert time.monotonic() < over
        time.sleep(0.001)


def test_a_long_canvas_gets_a_fifth_of_the_time_however_many_short_ones_come():
    """The test has its own clock, which each canvas moves on: the load of the machine does not count."""
    now = 0.0
    line = CanvasTurns("x", clock=lambda: now)
    done, ends = threading.Event(), threading.Event()
    worked = {"long": 0.0, "short": 0.0}
    numbers = count()

    def work(kind: str, seconds: float, monitor: Monitor) -> None:
        nonlocal now
        while seconds > 0 and not ends.is_set():
            now += 0.005
            worked[kind] += 0.005
            seconds -= 0.005
            monitor.check()

    def long() -> None:
        come()
        work("long", 4.0, first)
        done.set()

    def short(monitor: Monitor) -> None:
        if not done.is_set() and next(numbers) < 5000:
            come()  # before it has ended, so that there is always one that waits
        work("short", 0.1, monitor)

    def come() -> None:
        monitor = Monitor()
        line.add(monitor, lambda: short(monitor))

    first = Monitor()
    line.add(first, long)
    assert done.wait(60)
    share = worked["long"] / (worked["long"] + worked["short"])
    ends.set()
    line.close()
    assert 0.15 < share < 0.4


def test_pixels_do_not_depend_on_turns(monkeypatch):
    """The patch-based fill, of two sizes, alone and in turns of a few milliseconds."""
    monkeypatch.setattr(canvas_turns, "_AHEAD", (0.0, 0.02))
    rng = np.random.default_rng(3)
    canvases = []
    for side, hole in ((100, 34), (80, 24)):
        mask = np.zeros((side, side), np.float32)
        mask[20 : 20 + hole, 24 : 24 + hole] = 1
        canvases.append(
            Canvas(
                rng.random((side, side, 3), dtype=np.float32), mask, seed=4, options=ExemplarOptions(quality="draft")
            )
        )
    alone = Exemplar()
    expected = [alone.submit(canvas, Monitor()).result().pixels for canvas in canvases]
    alone.close()
    engine = Exemplar()
    monitors = [Monitor(), Monitor()]
    found = [engine.submit(canvas, monitor) for canvas, monitor in zip(canvases, monitors, strict=True)]
    for future, pixels in zip(found, expected, strict=True):
        assert np.array_equal(future.result().pixels, pixels)
    engine.close()
    assert sum(monitor.paused for monitor in monitors) > 0
