"""The training loop of both stages: learning rate schedule, averaged weights, saved state, logs."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Generator, Tensor

from .config import Schedule


class Stateful(Protocol):
    """An object with a saved state: a network, an optimiser, averaged weights."""

    def state_dict(self) -> Any:
        """The state in tensors and plain values."""

    def load_state_dict(self, state: Any) -> Any:
        """Load a state."""


@dataclass(slots=True)
class Progress:
    """Steps and seconds of a stage, over all runs."""

    step: int = 0
    seconds: float = 0.0


class WeightAverage:
    """An exponential average of weights, in float32; its decay rises from 0.1, so that it forgets the first steps."""

    def __init__(self, nets: Mapping[str, Any], decay: float) -> None:
        """Start at the current weights of the networks."""
        self._decay = decay
        self._count = 0
        self._live = {f"{name}.{key}": p for name, net in nets.items() for key, p in net.named_parameters()}
        self.weights = {key: p.detach().clone().float() for key, p in self._live.items()}

    def update(self) -> None:
        """Add the current weights; call once after each step."""
        self._count += 1
        decay = min(self._decay, self._count / (9 + self._count))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.weights.values()), [p.detach().float() for p in self._live.values()], 1 - decay
            )

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Context in which the networks have the averaged weights."""
        kept = {key: p.detach().clone() for key, p in self._live.items()}
        self._put(self.weights)
        try:
            yield
        finally:
            self._put(kept)

    def _put(self, weights: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for key, p in self._live.items():
                p.copy_(weights[key])

    def state_dict(self) -> dict[str, Any]:
        """Weights and count."""
        return {"weights": self.weights, "count": self._count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state; KeyError when it belongs to other networks."""
        self._count = int(state["count"])
        for key, value in self.weights.items():
            value.copy_(state["weights"][key])


class GeneratorState:
    """A random generator whose state can be saved."""

    def __init__(self, generator: Generator) -> None:
        """Wrap a generator on any device."""
        self.generator = generator

    def state_dict(self) -> dict[str, Any]:
        """The generator's state."""
        return {"state": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state; a state from another kind of device seeds the generator instead."""
        try:
            self.generator.set_state(state["state"].cpu())
        except RuntimeError:  # saved on a GPU and loaded on a CPU, or the reverse
            self.generator.manual_seed(int(state["state"].cpu().long().sum()))


@dataclass(frozen=True, slots=True)
class StateFile:
    """A stage's state on disk: one file, replaced as a whole."""

    path: Path
    parts: Mapping[str, Stateful]

    def save(self, progress: Progress) -> None:
        """Write all parts; the old file stays until the new one is complete."""
        state = {name: part.state_dict() for name, part in self.parts.items()}
        partial = self.path.with_suffix(".part")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"step": progress.step, "seconds": progress.seconds, **state}, partial)
        partial.replace(self.path)

    def load(self, device: torch.device) -> Progress:
        """Load the saved state; a new Progress when there is none. ValueError when it belongs to other networks."""
        if not self.path.is_file():
            return Progress()
        state = torch.load(self.path, map_location=device, weights_only=True)
        try:
            for name, part in self.parts.items():
                part.load_state_dict(state[name])
        except (KeyError, RuntimeError, ValueError) as error:
            raise ValueError(f"{self.path} is of other networks (move it away to begin anew): {error}") from error
        return Progress(int(state["step"]), float(state["seconds"]))


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one run; a run that reaches one saves its state and can be continued."""

    steps: int | None = None
    seconds: float | None = None


def share_done(schedule: Schedule, progress: Progress) -> float:
    """Share of the schedule that is done, 0 to 1: the larger of the shares of time (if limited) and of steps."""
    by_steps = progress.step / schedule.steps
    by_time = progress.seconds / (60 * schedule.minutes) if schedule.minutes else 0.0
    return min(1.0, max(by_steps, by_time))


def rate_factor(schedule: Schedule, progress: Progress) -> float:
    """Factor on the learning rate: a linear rise, a plateau, a fall to 0."""
    rise = min(1.0, (progress.step + 1) / (schedule.warm_up + 1))
    behind = max(0.0, (share_done(schedule, progress) - schedule.hold) / (1 - schedule.hold))
    fall = 1 - behind if schedule.decay == "linear" else 0.5 * (1 + math.cos(math.pi * behind))
    return rise * fall


@dataclass(slots=True)
class Log:
    """Progress lines for readers and JSON lines for plots; both hold means since the last line."""

    path: Path
    report: Callable[[str], None]
    every: float = 10.0
    _sums: dict[str, float] = field(default_factory=dict)
    _count: int = 0
    _last: float = field(default_factory=time.monotonic)

    def add(self, values: Mapping[str, Tensor], progress: Progress, factor: float, *, now: bool = False) -> None:
        """Add the figures of a step; write a line every `every` seconds, or `now`."""
        for name, value in values.items():
            self._sums[name] = (
                self._sums.get(name, 0.0) + value.detach()
            )  # read from the device only when a line is written
        self._count += bool(values)
        spent = time.monotonic() - self._last
        if self._count == 0 or (not now and spent < self.every):
            return
        means = {name: float(total) / self._count for name, total in self._sums.items()}
        row = {"step": progress.step, "seconds": round(progress.seconds, 1), "rate": round(factor, 4), **means}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        figures = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
        self.report(f"step {progress.step}  {progress.seconds:.0f} s  {spent / self._count:.3f} s/step  {figures}")
        self._sums, self._count, self._last = {}, 0, time.monotonic()


def run(
    step: Callable[[float, float], Mapping[str, Tensor]],
    *,
    schedule: Schedule,
    limits: Limits,
    state_file: StateFile,
    progress: Progress,
    log: Log,
    sheet: Callable[[Progress], None],
) -> Progress:
    """Train until the schedule or a limit ends or a signal comes; the state is always saved.

    Args:
        step: One optimiser step: takes the factor on its rate and the share done, returns figures to log.
        schedule: Length and learning rate of the training.
        limits: Limits of this run.
        state_file: Saves the state.
        progress: Progress so far; updated in place.
        log: Receives the figures.
        sheet: Draws samples.

    Raises:
        ArithmeticError: A figure is not finite; the last saved state is older than that.
    """
    begun, before = time.monotonic(), progress.seconds
    first, saved, drawn = progress.step, begun, begun
    with _interruptible() as stopped:
        while share_done(schedule, progress) < 1 and not stopped():
            if limits.steps is not None and progress.step - first >= limits.steps:
                break
            if limits.seconds is not None and time.monotonic() - begun >= limits.seconds:
                break
            factor = rate_factor(schedule, progress)
            figures = step(factor, share_done(schedule, progress))
            progress.step += 1
            now = time.monotonic()
            progress.seconds = before + now - begun
            log.add(figures, progress, factor)
            if now - saved > schedule.save_seconds:
                _check_finite(figures, progress)
                state_file.save(progress)
                saved = now
            if now - drawn > schedule.sheet_seconds:
                sheet(progress)
                drawn = time.monotonic()
    if progress.step > first:
        _check_finite(figures, progress)
        log.add({}, progress, rate_factor(schedule, progress), now=True)
    state_file.save(progress)
    sheet(progress)
    return progress


def _check_finite(figures: Mapping[str, Tensor], progress: Progress) -> None:
    for name, value in figures.items():
        if not math.isfinite(float(value)):
            raise ArithmeticError(
                f"{name} is {float(value)} at step {progress.step}: lower the rate and continue from the saved state"
            )


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Context in which SIGINT and SIGTERM request a stop after the current step; yields whether one came."""
    received: list[int] = []
    old = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            old[number] = signal.signal(number, lambda number, _frame: received.append(number))
    except ValueError:  # not the main thread: limits end the run
        pass
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
