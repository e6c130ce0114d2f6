"""One job, from its stored pictures to stored results."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol

from overpaint.bounded import MemoryBudget, MemoryShare, is_shortage
from overpaint.doors.inputs import EditInputs
from overpaint.doors.places import Places
from overpaint.doors.reading import EditFiles, read_edit, readers
from overpaint.engines import Monitor
from overpaint.engines.weight_store import available_memory, share_of
from overpaint.errors import EngineError, OverpaintError
from overpaint.layers import layers_notes
from overpaint.record import infotext
from overpaint.studio import Edited, Studio

from .decoding import PictureFacts
from .pictures import PictureStore
from .settings import ServerSettings
from .tasks import EditTask

_UNKNOWN = 8 << 30
"""Bytes for all jobs that run, where nobody says how much memory there is."""

Results = list[dict[str, Any]]


def memory_of_jobs() -> MemoryBudget:
    """The memory that all jobs share."""
    return MemoryBudget(share_of(available_memory() or 2 * _UNKNOWN) // 2)


class TaskWorker(Protocol):
    """What does the tasks of jobs."""

    def check(self, task: Any) -> tuple[str, ...]:
        """Notes on a task before it waits. Raises OverpaintError for one that can't be done, whatever its picture."""
        ...

    def do(
        self,
        owner: str,
        task: Any,
        monitor: Monitor,
        on_result: Callable[[dict[str, Any]], None],
        *,
        temporary: bool = False,
    ) -> Results:
        """Do a task. Raises OverpaintError; Cancelled where the monitor was cancelled.

        Args:
            owner: Whose it is.
            task: The task.
            monitor: Of the work.
            on_result: Called with each result once it is stored.
            temporary: Whether results are removed once the caller has them.
        """
        ...


class JobWorker(Protocol):
    """What does jobs, each by its task."""

    def check(self, task: Any) -> tuple[str, ...]:
        """See `TaskWorker`."""
        ...

    def do(
        self,
        owner: str,
        task: Any,
        monitor: Monitor,
        on_result: Callable[[dict[str, Any]], None],
        *,
        temporary: bool = False,
        job: str = "",
    ) -> Results:
        """See `TaskWorker`; `job` is the id of the job, by which what was done before a crash is found."""
        ...


class StudioWorker:
    """Does tasks with a studio. Thread-safe."""

    def __init__(
        self, studio: Studio, pictures: PictureStore, settings: ServerSettings, budget: MemoryBudget | None = None
    ) -> None:
        """The caller closes the studio; all jobs share the budget of memory."""
        self._studio = studio
        self._pictures = pictures
        self._settings = settings
        self._budget = budget or memory_of_jobs()

    def check(self, task: EditTask) -> tuple[str, ...]:
        """See `TaskWorker`."""
        task.check()
        self._studio.resolved(task.request, seed=0)
        return self._studio.notes_before(task.request)

    def do(
        self,
        owner: str,
        task: EditTask,
        monitor: Monitor,
        on_result: Callable[[dict[str, Any]], None],
        *,
        temporary: bool = False,
    ) -> Results:
        """See `TaskWorker`."""
        found: Results = []
        try:
            with MemoryShare(self._budget) as share:
                inputs = self._read(owner, task, monitor, share)
                for edited in self._edits(inputs, task, monitor):
                    monitor.check()
                    found.append(self._kept(owner, inputs.noted(edited), task, temporary))
                    on_result(found[-1])
        except OverpaintError:
            raise
        except Exception as error:
            if is_shortage(error):
                raise EngineError("there was not enough memory", code="memory-short") from None
            raise EngineError(f"it failed unexpectedly: {type(error).__name__}: {error}") from error
        return found

    def _read(self, owner: str, task: EditTask, monitor: Monitor, share: MemoryShare) -> EditInputs:
        """All that the task takes, decoded in a process of its own, once there is memory for it."""
        files = EditFiles(
            picture=task.picture,
            request=task.request,
            contents={id: self._pictures.data(owner, id) for id in task.pictures},
            places=Places() if task.marks is None else task.marks.places(),
            avoid=Places() if task.avoid is None else task.avoid.places(),
            sketch=task.sketch,
            insert=task.insert,
            rasters=tuple(task.rasters),
            pixels=self._settings.most_pixels,
            format=task.format or "",
        )
        inputs, _ = readers.call(
            read_edit,
            files,
            seconds=self._settings.reading,
            memory=self._budget.total,
            grant=lambda wanted: share.grow(wanted, monitor.check),
            check=monitor.check,
        )
        return inputs

    def _edits(self, inputs: EditInputs, task: EditTask, monitor: Monitor) -> Iterator[Edited]:
        if task.count > 1:
            yield from self._studio.variations(
                inputs.picture, inputs.request, count=task.count, monitor=monitor, **inputs.rest
            )
        else:
            yield self._studio.edit(inputs.picture, inputs.request, monitor=monitor, **inputs.rest)

    def _kept(self, owner: str, edited: Edited, task: EditTask, temporary: bool) -> dict[str, Any]:
        """A result, stored, and what is said of it."""
        record, marking = ("none" if task.private else task.record), task.marking
        rendered = edited.render(task.format, quality=task.quality, record=record, marking=marking)
        picture = edited.picture
        facts = PictureFacts(
            id=hashlib.sha256(rendered.data).hexdigest(),
            format=rendered.format,
            width=picture.size.width,
            height=picture.size.height,
            mode=picture.mode,
            bytes=len(rendered.data),
            transparent=picture.alpha is not None and bool((picture.alpha < picture.maximum).any()),
        )
        self._pictures.keep(owner, rendered.data, facts, temporary=temporary)
        layers, notes = None, rendered.notes
        if task.layers is not None:
            layered = edited.layered(record=record, marking=marking)
            data = layered.encode(task.layers)
            layers = replace(facts, id=hashlib.sha256(data).hexdigest(), format=task.layers, bytes=len(data))
            self._pictures.keep(owner, data, layers, temporary=temporary)
            notes = (*notes, *layers_notes(layered, task.layers))
        return {
            "picture": facts.id,
            "width": facts.width,
            "height": facts.height,
            "format": facts.format,
            "bytes": facts.bytes,
            "seed": edited.bare_resolved.seed,
            "fidelity": rendered.fidelity,
            "reach": rendered.reach,
            "changed": rendered.changed,
            "layers": None if layers is None else layers.id,
            "marks": rendered.marks.to_mapping(),
            "infotext": "" if task.private else infotext(edited.record),
            "notes": list(dict.fromkeys((*(edited.notes_without_prompt if task.private else edited.notes), *notes))),
            "doubt": edited.doubt,
            "timings": dict(edited.timings),
        }
