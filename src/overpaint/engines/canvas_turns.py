"""Turns of canvases on one engine: which of them are painted now, and which rest.

A canvas that is new or has had little time goes before one that has had much, which rests at its next check: so a
short one never waits for a long one to end, and nobody need know how long each takes ("foreground-background", or
least attained service: Kleinrock, Queueing Systems II, 1976, ch. 4; Nuyens, Wierman, The foreground-background queue: a
survey, Performance Evaluation 65, 2008). It rests once it is ahead by a quarter, so that canvases of like length take
few turns; and a long one gets at least a fifth of the time, however many short ones come.

A canvas that does not check (one call of a library that takes seconds) can't rest. One that has had less time is then
begun beside it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from weakref import WeakKeyDictionary

from .monitor import Monitor

_AT_ONCE = 1
"""Canvases that are painted at once where all check often. Each shares its work among the processors itself."""

_AHEAD = 0.25, 0.5  # a canvas rests once it has had so much more time than another: a share of that one's, and seconds
_PAID_BACK = 0.25  # of the time that a work rests is taken off the time that it has had
_PATIENCE = 0.25  # seconds that a canvas waits for one that does not check
_LOOK = 0.1  # seconds between two looks at canvases that don't check, or were cancelled


@dataclass(eq=False, slots=True)
class WorkTime:
    """The time that the canvases of one work have had.

    Attributes:
        seconds: Painted, less what was paid back.
        since: When that was so.
        painted: How many of its canvases are painted now.
    """

    seconds: float
    since: float
    painted: int = 0

    def until(self, now: float) -> float:
        """The seconds, counted until now."""
        gone = now - self.since
        self.seconds = max(0.0, self.seconds + gone * (self.painted or -_PAID_BACK))
        self.since = now
        return self.seconds


@dataclass(eq=False, slots=True)
class Turn:
    """One canvas.

    Attributes:
        monitor: The canvas's.
        paint: Paints it, to its end.
        time: That of its work.
        since: When it came, or was last begun or put to rest.
        state: "waiting" before it is begun; "painted"; "resting".
    """

    monitor: Monitor
    paint: Callable[[], None]
    time: WorkTime
    since: float
    state: Literal["waiting", "painted", "resting"] = "waiting"


@dataclass(eq=False)
class CanvasTurns:
    """The canvases of one engine, each with a thread once it is begun. Thread-safe.

    Attributes:
        name: Of the threads.
        clock: Seconds.
    """

    name: str
    clock: Callable[[], float] = time.monotonic
    _turns: list[Turn] = field(default_factory=list)  # in the order in which they came
    _times: WeakKeyDictionary[Monitor, WorkTime] = field(default_factory=WeakKeyDictionary)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _asked: bool = False  # whether any canvas is not painted that could be

    def add(self, monitor: Monitor, paint: Callable[[], None]) -> None:
        """A canvas has come. `paint` is called on a thread of its own when it is its turn."""
        with self._changed:
            now = self.clock()
            found = self._times.setdefault(monitor.work, WorkTime(0.0, now))
            turn = Turn(monitor, paint, found, now)
            monitor.pause_by(lambda: self._check(turn))
            self._turns.append(turn)
            self._go_on(now)

    def look(self) -> float | None:
        """Begin canvases that have waited too long for one that does not check; to be called again after so many
        seconds, or at the next canvas where None.
        """
        with self._changed:
            now = self.clock()
            self._go_on(now)
            first = self._first(now)
            if first is None:
                return None
            if now - first.since > _PATIENCE and any(_ahead(turn, first, now) for turn in self._painted()):
                self._begin(first, now)
            return _LOOK

    def close(self) -> None:
        """Call `paint` of all that wait, which ends them, and wait until the others have ended."""
        with self._changed:
            waiting = [turn for turn in self._turns if turn.state == "waiting"]
            self._turns = [turn for turn in self._turns if turn.state != "waiting"]
        for turn in waiting:
            turn.paint()
        with self._changed:
            while self._turns:
                self._go_on(self.clock())
                self._changed.wait(_LOOK)

    # ── on the canvases' threads ──────────────────────────────────────────────────────────────────────────────────

    def _run(self, turn: Turn) -> None:
        try:
            turn.paint()
        finally:
            turn.monitor.pause_by(None)  # it would hold the canvas
            with self._changed:
                self._set(turn, "resting", self.clock())
                self._turns.remove(turn)
                self._go_on(self.clock())
                self._changed.notify_all()

    def _check(self, turn: Turn) -> None:
        """A canvas can rest here, on any of its threads; return once it may go on, or was cancelled."""
        if not self._asked and turn.state == "painted":
            return
        with self._changed:
            now = self.clock()
            if turn.state == "painted" and self._gives_way(turn, now):
                self._set(turn, "resting", now)
                self._go_on(now)
            while turn.state == "resting" and turn in self._turns and not turn.monitor.cancelled:
                self._changed.wait(_LOOK)

    # ── within the lock ───────────────────────────────────────────────────────────────────────────────────────────

    def _gives_way(self, turn: Turn, now: float) -> bool:
        """Whether a canvas that is painted rests now."""
        painted = self._painted()
        if len(painted) > _AT_ONCE:  # one was begun beside one that did not check
            return turn.time.until(now) >= max(one.time.until(now) for one in painted)
        first = self._first(now)
        return first is not None and _ahead(turn, first, now)

    def _go_on(self, now: float) -> None:
        """Paint as many as may be painted."""
        free = _AT_ONCE - len(self._painted())
        while free > 0 and (first := self._first(now)) is not None and self._begin(first, now):
            free -= 1
        self._asked = self._first(now) is not None or free < 0

    def _first(self, now: float) -> Turn | None:
        """The next one to be painted: of the work with the least time; of one work, or of equals, the first to come."""
        left = [turn for turn in self._turns if turn.state != "painted"]
        return min(left, key=lambda turn: turn.time.until(now), default=None)

    def _painted(self) -> list[Turn]:
        return [turn for turn in self._turns if turn.state == "painted"]

    def _begin(self, turn: Turn, now: float) -> bool:
        """Paint a canvas now. False where the system gives no more threads."""
        new = turn.state == "waiting"
        if new:
            try:
                threading.Thread(target=self._run, args=(turn,), name=f"overpaint-{self.name}", daemon=True).start()
            except RuntimeError:
                return False
        else:
            turn.monitor.paused += now - turn.since
        self._set(turn, "painted", now)
        self._changed.notify_all()
        return True

    def _set(self, turn: Turn, state: Literal["painted", "resting"], now: float) -> None:
        turn.time.until(now)
        turn.time.painted += (state == "painted") - (turn.state == "painted")
        turn.state, turn.since = state, now


def _ahead(turn: Turn, other: Turn, now: float) -> bool:
    """Whether a canvas has had so much more time than another that it is that one's turn."""
    share, seconds = _AHEAD
    had = other.time.until(now)
    return turn.time is not other.time and turn.time.until(now) > had + max(share * had, seconds)
