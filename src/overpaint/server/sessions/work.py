"""Jobs of sessions: a new step, or steps that are painted again, written into the session once they are there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from overpaint.bounded import MemoryBudget, MemoryShare
from overpaint.doors.inputs import EditInputs
from overpaint.doors.places import Places
from overpaint.doors.reading import EditFiles, read_beside, readers, unseen
from overpaint.engines import Monitor
from overpaint.picture.limits import MEMORY_PER_PIXEL
from overpaint.request import EditRequest
from overpaint.server.pictures import PictureStore
from overpaint.server.settings import ServerSettings
from overpaint.server.tasks import (
    CanvasTask,
    EditTask,
    EnhanceTask,
    EnlargeTask,
    RestoreTask,
    ServerTask,
    SessionTask,
)
from overpaint.server.work import JobWorker, Results, TaskWorker, failures_as_errors, memory_of_edit
from overpaint.session import PaintedTake, Session, StepPlan
from overpaint.studio import Studio

from .pool import SessionPool


class SessionWorker:
    """Does tasks of sessions with a studio. Thread-safe."""

    def __init__(
        self, studio: Studio, pictures: PictureStore, pool: SessionPool, settings: ServerSettings, budget: MemoryBudget
    ) -> None:
        """The caller closes the studio; all jobs share the budget of memory."""
        self._studio = studio
        self._pictures = pictures
        self._pool = pool
        self._settings = settings
        self._budget = budget

    def check(self, task: SessionTask) -> tuple[str, ...]:
        """See `TaskWorker`. What is painted again has settings of its own, which are not known here."""
        if task.again is not None:
            return ()
        return self._studio.check(task.request, masked=task.masked, count=task.count)

    def do(
        self,
        owner: str,
        task: SessionTask,
        monitor: Monitor,
        on_result: Callable[[dict[str, Any]], None],
        *,
        temporary: bool = False,
        job: str = "",
    ) -> Results:
        """See `TaskWorker`. What the job wrote into the session before a crash is not painted again."""
        found: Results = []
        with failures_as_errors():
            found += self._before(owner, task, job)
            for result in found:
                on_result(result)
            if task.again == "stale":
                for step in self._pool.read(owner, task.session, _shown_steps):
                    if self._pool.read(owner, task.session, partial(_is_stale, step)):
                        found += self._painted(owner, task, step, monitor, job, on_result)
            elif not found:
                found += self._painted(owner, task, task.again, monitor, job, on_result)
        return found

    def written(self, owner: str, task: SessionTask, job: str) -> tuple[Results, bool]:
        """See `JobWorker`. Of stale steps it is all where none that shows is stale any more."""
        found = self._before(owner, task, job)
        if task.again != "stale":
            return found, bool(found)
        left = self._pool.read(owner, task.session, lambda session: [one for one in session.steps if one.stale])
        return found, bool(found) and not any(step.visible for step in left)

    def _before(self, owner: str, task: SessionTask, job: str) -> Results:
        """Results of steps that are there since before a crash."""
        found: Results = []
        for step, first, count in self._pool.landed(owner, task.session, job):
            version = self._pool.status(owner, task.session).version
            found += [_result(task.session, step, take, version) for take in range(first, first + count)]
        return found

    def _painted(
        self,
        owner: str,
        task: SessionTask,
        step: int | None,
        monitor: Monitor,
        job: str,
        on_result: Callable[[dict[str, Any]], None],
    ) -> Results:
        """Paint a new step, or this one again, and write it into the session."""
        painted: list[PaintedTake] = []
        with MemoryShare(self._budget) as share, self._pool.painting(owner, task.session):
            plan = self._pool.read(owner, task.session, _plan_of(step))
            share.grow(plan.picture.size.area * MEMORY_PER_PIXEL, monitor.check)
            inputs = self._inputs(owner, task, plan, monitor)
            share.grow(memory_of_edit(inputs.request, plan.picture.size), monitor.check)
            for one in plan.paint(
                self._studio,
                inputs.request,
                variations=task.count,
                notes=inputs.notes,
                monitor=monitor,
                **inputs.rest,
            ):
                monitor.check()
                self._pool.read(owner, task.session, partial(_keep, one))
                # The arrays are on the disk now; of several takes they are not kept in memory.
                painted.append(one if task.count == 1 else replace(one, files=[]))
                last = one.edited if task.count == 1 else None
            digests = [one.sha256 for one in painted]
            made, status = self._pool.land(owner, task.session, job, plan, digests, last)
        results = []
        for take, one in enumerate(painted, start=made.take):
            results.append(
                {
                    **_result(task.session, made.number, take, status.version),
                    "seed": one.edited.bare_resolved.seed,
                    "notes": list(one.edited.notes),
                    "doubt": one.edited.doubt,
                    "timings": dict(one.edited.timings),
                }
            )
            on_result(results[-1])
        return results

    def _inputs(self, owner: str, task: SessionTask, plan: StepPlan, monitor: Monitor) -> EditInputs:
        """All that the task takes beside the picture; files are decoded in a process of their own."""
        places = Places() if task.marks is None else task.marks.places()
        avoid = Places() if task.avoid is None else task.avoid.places()
        files = EditFiles(
            picture="",
            request=task.request if plan.step is None else _changed(plan.request, task),
            contents={id: self._pictures.data(owner, id) for id in task.pictures},
            places=places,
            avoid=avoid,
            regions=task.regions,
            sketch=task.sketch,
            insert=task.insert,
            controls=task.guides,
            rasters=tuple(task.rasters),
            pixels=self._settings.most_pixels,
        )
        picture = unseen(plan.picture, files)
        if not files.contents:
            return replace(read_beside(picture, files), picture=plan.picture)
        inputs = readers.call(
            read_beside,
            picture,
            files,
            seconds=self._settings.reading,
            memory=self._budget.total,
            check=monitor.check,
        )
        return replace(inputs, picture=plan.picture)


class TaskWorkers:
    """Gives each task to the worker of its kind."""

    def __init__(self, edits: TaskWorker, sessions: JobWorker, canvases: TaskWorker, enhancements: TaskWorker) -> None:
        """The workers of edits, of sessions, of canvases for studios elsewhere, and of whole pictures."""
        self._edits, self._sessions, self._canvases, self._enhancements = edits, sessions, canvases, enhancements

    def check(self, task: ServerTask) -> tuple[str, ...]:
        """See `TaskWorker`."""
        if isinstance(task, SessionTask):
            return self._sessions.check(task)
        return self._painter(task).check(task)

    def do(
        self,
        owner: str,
        task: ServerTask,
        monitor: Monitor,
        on_result: Callable[[dict[str, Any]], None],
        *,
        temporary: bool = False,
        job: str = "",
    ) -> Results:
        """See `TaskWorker`."""
        if isinstance(task, SessionTask):
            return self._sessions.do(owner, task, monitor, on_result, temporary=temporary, job=job)
        return self._painter(task).do(owner, task, monitor, on_result, temporary=temporary)

    def written(self, owner: str, task: ServerTask, job: str) -> tuple[Results, bool]:
        """See `JobWorker`. Other results than those of sessions count once they are in the ledger."""
        return self._sessions.written(owner, task, job) if isinstance(task, SessionTask) else ([], False)

    def _painter(self, task: EditTask | CanvasTask | EnhanceTask) -> TaskWorker:
        if isinstance(task, EnlargeTask | RestoreTask):
            return self._enhancements
        return self._edits if isinstance(task, EditTask) else self._canvases


def _changed(own: EditRequest, task: SessionTask) -> EditRequest:
    """A step's own request with the settings that are given anew; rasters that come anew take the place of its own."""
    new: dict[str, Any] = task.request.settings()
    if new["intent"] == "custom":  # left open
        del new["intent"]
    new |= {"mask": None} if task.marks is not None and task.marks.places().named else {}
    new |= {"avoid": None} if task.avoid is not None and task.avoid.places().named else {}
    new |= {"regional_prompts": None} if task.regional_prompts else {}
    new |= {"insert": None} if task.insert is not None else {}
    new |= {"sketch": None} if task.sketch is not None else {}
    return own.merged(**new)


def _plan_of(step: int | None) -> Callable[[Session], StepPlan]:
    return lambda session: session.plan_edit() if step is None else session.plan_rerun(step)


def _keep(painted: PaintedTake, session: Session) -> None:
    session.keep(painted)


def _shown_steps(session: Session) -> list[int]:
    return [step.number for step in session.steps if step.visible]


def _is_stale(number: int, session: Session) -> bool:
    return any(step.number == number and step.stale for step in session.steps)


def _result(session: str, step: int, take: int, version: int) -> dict[str, Any]:
    return {
        "session": session,
        "step": step,
        "take": take,
        "version": version,
        "seed": None,
        "notes": [],
        "doubt": "",
        "timings": {},
    }
