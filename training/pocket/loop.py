"""The loop that both networks' stages share: rate over time, averaged weights, state that survives being stopped."""

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
    """What can be saved: a network, an optimiser, averaged weights."""

    def state_dict(self) -> Any:
        """Its state in tensors and plain values."""

    def load_state_dict(self, state: Any) -> Any:
        """Take up a state."""


@dataclass(slots=True)
class Progress:
    """How far a stage has come, over all runs together."""

    step: int = 0
    seconds: float = 0.0


class Average:
    """An exponential average of weights, in float32; its decay rises from 0.1, so that it forgets the first steps."""

    def __init__(self, nets: Mapping[str, Any], decay: float) -> None:
        """Begin at the networks' present weights."""
        self._decay = decay
        self._count = 0
        self._live = {f"{name}.{key}": p for name, net in nets.items() for key, p in net.named_parameters()}
        self.weights = {key: p.detach().clone().float() for key, p in self._live.items()}

    def update(self) -> None:
        """After a step."""
        self._count += 1
        decay = min(self._decay, self._count / (9 + self._count))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.weights.values()), [p.detach().float() for p in self._live.values()], 1 - decay
            )

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """The networks have the averaged weights inside."""
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
        """Take up a state; KeyError when it is of other networks."""
        self._count = int(state["count"])
        for key, value in self.weights.items():
            value.copy_(state["weights"][key])


class Chance:
    """A generator that can be saved."""

    def __init__(self, generator: Generator) -> None:
        """Of a generator on any device."""
        self.generator = generator

    def state_dict(self) -> dict[str, Any]:
        """The generator's state."""
        return {"state": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state; one of another kind of device is left, and the generator seeded by it."""
        try:
            self.generator.set_state(state["state"].cpu())
        except RuntimeError:  # saved on a GPU, gone on with on a CPU, or the other way round
            self.generator.manual_seed(int(state["state"].cpu().long().sum()))


@dataclass(frozen=True, slots=True)
class Keeper:
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
        """Take up the saved state; a fresh Progress when there is none. ValueError when it is of other networks."""
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
    """Ends of this run, whatever the schedule says: the state is then saved and can be gone on from."""

    steps: int | None = None
    seconds: float | None = None


def done(schedule: Schedule, progress: Progress) -> float:
    """Share of the schedule that is behind, 0 to 1: of the time when it has one, else of the steps."""
    by_steps = progress.step / schedule.steps
    by_time = progress.seconds / (60 * schedule.minutes) if schedule.minutes else 0.0
    return min(1.0, max(by_steps, by_time))


def rate(schedule: Schedule, progress: Progress) -> float:
    """Factor on the learning rate: a linear rise, a plateau, a fall to 0."""
    rise = min(1.0, (progress.step + 1) / (schedule.warm_up + 1))
    behind = max(0.0, (done(schedule, progress) - schedule.hold) / (1 - schedule.hold))
    fall = 1 - behind if schedule.decay == "linear" else 0.5 * (1 + math.cos(math.pi * behind))
    return rise * fall


@dataclass(slots=True)
class Log:
    """Lines for people, and one JSON object a line for plots; both carry means since the last line."""

    path: Path
    say: Callable[[str], None]
    every: float = 10.0
    _sums: dict[str, float] = field(default_factory=dict)
    _count: int = 0
    _last: float = field(default_factory=time.monotonic)

    def add(self, values: Mapping[str, Tensor], progress: Progress, factor: float, *, now: bool = False) -> None:
        """Count a step's figures; write a line when it is time, or `now`."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value.detach()  # no wait for the device until it is written
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
        self.say(f"step {progress.step}  {progress.seconds:.0f} s  {spent / self._count:.3f} s/step  {figures}")
        self._sums, self._count, self._last = {}, 0, time.monotonic()


def run(
    step: Callable[[float, float], Mapping[str, Tensor]],
    *,
    schedule: Schedule,
    limits: Limits,
    keeper: Keeper,
    progress: Progress,
    log: Log,
    sheet: Callable[[Progress], None],
) -> Progress:
    """Train until the schedule or a limit ends, or until interrupted; the state is saved in any case.

    Args:
        step: One optimiser step: from the factor on its rate and the share done, to figures to log.
        schedule: How long and how fast.
        limits: Of this run.
        keeper: Where the state goes.
        progress: Where to go on.
        log: Where figures go.
        sheet: Draws samples.

    Raises:
        ArithmeticError: A figure is not a number any more; the last saved state is from before.
    """
    begun, before = time.monotonic(), progress.seconds
    first, saved, drawn = progress.step, begun, begun
    with _interruptible() as stopped:
        while done(schedule, progress) < 1 and not stopped():
            if limits.steps is not None and progress.step - first >= limits.steps:
                break
            if limits.seconds is not None and time.monotonic() - begun >= limits.seconds:
                break
            factor = rate(schedule, progress)
            figures = step(factor, done(schedule, progress))
            progress.step += 1
            now = time.monotonic()
            progress.seconds = before + now - begun
            log.add(figures, progress, factor)
            if now - saved > schedule.save_seconds:
                _finite(figures, progress)
                keeper.save(progress)
                saved = now
            if now - drawn > schedule.sheet_seconds:
                sheet(progress)
                drawn = time.monotonic()
    if progress.step > first:
        _finite(figures, progress)
        log.add({}, progress, rate(schedule, progress), now=True)
    keeper.save(progress)
    sheet(progress)
    return progress


def _finite(figures: Mapping[str, Tensor], progress: Progress) -> None:
    for name, value in figures.items():
        if not math.isfinite(float(value)):
            raise ArithmeticError(
                f"{name} is {float(value)} at step {progress.step}: lower the rate, go on from the saved state"
            )


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Inside, Ctrl-C and a polite kill only ask to stop after the step in hand."""
    asked: list[int] = []
    old = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            old[number] = signal.signal(number, lambda number, _frame: asked.append(number))
    except ValueError:  # not the main thread: whoever started it can stop it by limits
        pass
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
