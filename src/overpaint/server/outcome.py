"""What the work on a job came to."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from overpaint.errors import Cancelled, EngineError, OutputError, OverpaintError
from overpaint.files import is_full

from .job import EditJob, JobState
from .work import JobWorker, Results

log = logging.getLogger("overpaint.server")


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """How a job ended.

    Attributes:
        state: "done", "failed" or "cancelled".
        results: Those that there are, also of a job that failed later.
        error: Why it failed.
    """

    state: JobState
    results: Results
    error: OverpaintError | None = None


def outcome_of(
    worker: JobWorker, job: EditJob, on_result: Callable[[dict[str, Any]], None], longest: float
) -> JobOutcome:
    """Do a job's task, and say what that came to. It raises nothing, so that its lane goes on.

    Args:
        worker: What does tasks.
        job: The job, with its monitor.
        on_result: Called with each result.
        longest: Seconds that painting may take, for the words of a job that took longer.
    """
    assert job.monitor is not None
    try:
        found = worker.do(job.owner, job.task, job.monitor, on_result, temporary=job.temporary, job=job.id)
        return JobOutcome("done", found)
    except Cancelled:
        by_then = list(job.results)
        if job.late and not job.given_back:
            error = EngineError(f"it took longer than {longest:g} seconds", code="time-limit", value=longest)
            return JobOutcome("failed", by_then, error)
        return JobOutcome("cancelled", by_then)
    except OverpaintError as error:
        return JobOutcome("failed", list(job.results), error)
    except Exception as error:
        log.exception("the job %s failed unexpectedly", job.id)
        if is_full(error):
            return JobOutcome("failed", list(job.results), OutputError("the disk is full", code="disk-full"))
        failure = EngineError("it failed unexpectedly; the server's log says more")
        return JobOutcome("failed", list(job.results), failure)
