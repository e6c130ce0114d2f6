"""How long jobs take, for clients that should come again once one has ended."""

from __future__ import annotations

import statistics
import time
from collections import OrderedDict, deque
from collections.abc import Iterable

from .job import EditJob
from .tasks import CanvasTask, EnlargeTask, RestoreTask, ServerTask

_LAST = 9
"""Jobs of a kind whose times are remembered."""

_KINDS = 256
"""Kinds that are remembered; the one that was seen longest ago goes first."""

_UNKNOWN = 1.0
"""Seconds of a job of which nothing is known, as nothing has ended and it has not run for longer."""

_MOST = 600
"""Seconds that a client is kept away at most."""


class JobPace:
    """The times of the last jobs of each kind. Its methods are called within the queue's lock."""

    def __init__(self) -> None:
        self._seconds: OrderedDict[tuple[object, ...], deque[float]] = OrderedDict()

    def ended(self, job: EditJob) -> None:
        """A job is done now."""
        kind = _kind_of(job.task)
        self._seconds.setdefault(kind, deque(maxlen=_LAST)).append(time.monotonic() - job.begun)
        self._seconds.move_to_end(kind)
        while len(self._seconds) > _KINDS:
            self._seconds.popitem(last=False)

    def until_room(self, running: Iterable[EditJob], owner: str | None = None) -> int:
        """Whole seconds, 1 to 600, until the first of the running jobs is likely to end.

        Args:
            running: The jobs that run.
            owner: The client one of whose jobs has to end; where none of them runs yet, one of any other ends first,
                and then one of the client's takes its time.
        """
        jobs = list(running)
        own = [job for job in jobs if owner in (None, job.owner)]
        left = min(map(self._left, own or jobs), default=0.0)
        if not own:
            left += self._usual()
        return max(1, min(_MOST, round(left)))

    def _left(self, job: EditJob) -> float:
        """Seconds that a running job still takes: of its kind's median, and where it has run for longer than that, or
        its kind is not known, as long as it is over.
        """
        run, known = time.monotonic() - job.begun, self._seconds.get(_kind_of(job.task))
        return abs(statistics.median(known) - run) if known else max(run, self._usual() - run)

    def _usual(self) -> float:
        """The median of the kinds' own."""
        return statistics.median(map(statistics.median, self._seconds.values())) if self._seconds else _UNKNOWN


def _kind_of(task: ServerTask) -> tuple[object, ...]:
    """What the time of a task mostly follows from, as far as that is known without its picture."""
    if isinstance(task, CanvasTask):
        return "canvas", task.settings.engine, task.settings.model
    if isinstance(task, EnlargeTask | RestoreTask):
        return "enhance", task.enhance, task.model
    request = task.request
    return "edit", request.intent, request.engine, request.model, request.steps, task.count
