"""One job, from its stored pictures to stored results."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from overpaint.bounded import MemoryBudget, MemoryShare, is_shortage
from overpaint.doors.inputs import EditInputs
from overpaint.doors.places import Places
from overpaint.doors.reading import EditFiles, read_edit, readers
from overpaint.engines import Monitor
from overpaint.engines.weight_store import available_memory, share_of
from overpaint.errors import EngineError, OutputError, OverpaintError
from overpaint.files import is_full
from overpaint.geometry import Size
from overpaint.layers import layers_notes
from overpaint.picture.limits import MEMORY_PER_PIXEL
from overpaint.record import infotext
from overpaint.request import EditRequest
from overpaint.studio import Edited, Enhanced, Studio

from .decoding import PictureFacts
from .pictures import PictureStore
from .settings import ServerSettings
from .tasks import EditTask, ResultSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_UNKNOWN = 8 << 30
"""Bytes for all jobs that run, where nobody says how much memory there is."""

_SELECTING_PER_PIXEL = 110
"""Bytes that it takes to select something, for each pixel of the picture: measured with `grabcut`."""

_MASK_PER_PIXEL = 4
"""Bytes of a mask in float32."""

Results = list[dict[str, Any]]


def memory_of_jobs() -> MemoryBudget:
    """The memory that all jobs share."""
    return MemoryBudget(share_of(available_memory() or 2 * _UNKNOWN) // 2)


def memory_of_edit(request: EditRequest, size: Size) -> int:
    """Bytes that an edit of a picture of this size takes; more where a mask is selected in the picture, and for the
    masks of regional prompts.
    """
    selects = any(part.kind == "select" for spec in request.masks for part in spec.parts)
    masks = _MASK_PER_PIXEL * len(request.regional_prompts or ())
    return size.area * (MEMORY_PER_PIXEL + masks + (_SELECTING_PER_PIXEL if selects else 0))


@contextlib.contextmanager
def failures_as_errors() -> Iterator[None]:
    """Within the block, a failure that is no OverpaintError becomes one: a want of memory, a full disk, or a fault."""
    try:
        yield
    except OverpaintError:
        raise
    except Exception as error:
        if is_shortage(error):
            raise EngineError("there was not enough memory", code="memory-short") from None
        if is_full(error):
            raise OutputError("the disk is full", code="disk-full") from error
        raise EngineError(f"it failed unexpectedly: {type(error).__name__}: {error}") from error


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

    def written(self, owner: str, task: Any, job: str) -> tuple[Results, bool]:
        """What a job had written down before the server ended, and whether that is all that it was to do."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class MadeResult:
    """A result before it is stored.

    Attributes:
        files: The result's file, and where these were asked for its control maps and a layered one, each with what is
            known of it.
        told: What clients are told of it.
    """

    files: tuple[tuple[bytes, PictureFacts], ...]
    told: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EditWork:
    """An edit with all that it takes: what can be done here, or be sent to another process.

    Attributes:
        task: What is asked for.
        contents: The files of its pictures, by their ids.
        reading: Seconds that reading them may take.
        most_pixels: Of a picture; None for the library's limit.
    """

    task: EditTask
    contents: Mapping[str, bytes]
    reading: float
    most_pixels: int | None

    def results(self, studio: Studio, budget: MemoryBudget, monitor: Monitor) -> Iterator[MadeResult]:
        """The results as they are done. Raises OverpaintError; Cancelled where the monitor was cancelled.

        Args:
            studio: What paints.
            budget: The memory that all edits share.
            monitor: Of the work.
        """
        with failures_as_errors(), MemoryShare(budget) as share:
            inputs = self._read(monitor, budget, share)
            share.grow(memory_of_edit(inputs.request, inputs.picture.size), monitor.check)
            for edited in self._edits(studio, inputs, monitor):
                monitor.check()
                yield made_of(inputs.noted(edited), self.task)

    def _read(self, monitor: Monitor, budget: MemoryBudget, share: MemoryShare) -> EditInputs:
        """All that the task takes, decoded in a process of its own, once there is memory for it."""
        task = self.task
        files = EditFiles(
            picture=task.picture,
            request=task.request,
            contents=self.contents,
            places=Places() if task.marks is None else task.marks.places(),
            avoid=Places() if task.avoid is None else task.avoid.places(),
            regions=task.regions,
            sketch=task.sketch,
            insert=task.insert,
            controls=task.guides,
            rasters=tuple(task.rasters),
            pixels=self.most_pixels,
            format=task.format or "",
        )
        inputs, _ = readers.call(
            read_edit,
            files,
            seconds=self.reading,
            memory=budget.total,
            grant=lambda wanted: share.grow(wanted, monitor.check),
            check=monitor.check,
        )
        return inputs

    def _edits(self, studio: Studio, inputs: EditInputs, monitor: Monitor) -> Iterator[Edited]:
        count = self.task.count
        if count > 1:
            yield from studio.variations(inputs.picture, inputs.request, count=count, monitor=monitor, **inputs.rest)
        else:
            yield studio.edit(inputs.picture, inputs.request, monitor=monitor, **inputs.rest)


def made_of(edited: Edited, task: EditTask) -> MadeResult:
    """A result as files, and what is said of it."""
    made = file_of(edited, task)
    (_, facts), *_ = made.files
    told = {**made.told, "seed": edited.bare_resolved.seed, "doubt": edited.doubt}
    if task.maps:
        maps = [_map_file(one) for region in edited.regions for one in region.maps]
        made = MadeResult((*made.files, *maps), made.told)
        told["maps"] = [about.id for _, about in maps]
    if task.layers is None:
        return MadeResult(made.files, told)
    layered = edited.layered(record=_record_of(task), marking=task.marking)
    data = layered.encode(task.layers)
    layers = replace(facts, id=hashlib.sha256(data).hexdigest(), format=task.layers, bytes=len(data))
    notes = list(dict.fromkeys((*told["notes"], *layers_notes(layered, task.layers))))
    return MadeResult((*made.files, (data, layers)), {**told, "layers": layers.id, "notes": notes})


def _map_file(pixels: NDArray[np.uint8]) -> tuple[bytes, PictureFacts]:
    """A PNG of a control map (H, W, 3), and what is known of it."""
    from overpaint.picture import encode, from_array

    picture = from_array(pixels)
    data = encode(picture, "png").data
    size = picture.size
    facts = PictureFacts(
        id=hashlib.sha256(data).hexdigest(),
        format="png",
        width=size.width,
        height=size.height,
        mode=picture.mode,
        bytes=len(data),
        transparent=False,
    )
    return data, facts


def file_of(made: Edited | Enhanced, task: ResultSettings) -> MadeResult:
    """A result as a file, and what is said of it."""
    rendered = made.render(task.format, quality=task.quality, record=_record_of(task), marking=task.marking)
    picture = made.picture
    facts = PictureFacts(
        id=hashlib.sha256(rendered.data).hexdigest(),
        format=rendered.format,
        width=picture.size.width,
        height=picture.size.height,
        mode=picture.mode,
        bytes=len(rendered.data),
        transparent=picture.alpha is not None and bool((picture.alpha < picture.maximum).any()),
    )
    notes = made.notes_without_prompt if task.private else made.notes
    told = {
        "picture": facts.id,
        "width": facts.width,
        "height": facts.height,
        "format": facts.format,
        "bytes": facts.bytes,
        "seed": None,
        "fidelity": rendered.fidelity,
        "reach": rendered.reach,
        "changed": rendered.changed,
        "layers": None,
        "marks": rendered.marks.to_mapping(),
        "infotext": "" if task.private else infotext(made.record),
        "notes": list(dict.fromkeys((*notes, *rendered.notes))),
        "doubt": "",
        "timings": dict(made.timings),
    }
    return MadeResult(((rendered.data, facts),), told)


def _record_of(task: ResultSettings) -> Literal["embed", "none"]:
    return "none" if task.private else task.record


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
        return self._studio.check(task.request, masked=task.masked, count=task.count)

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
        for made in self._made(self._work(owner, task), monitor):
            for data, facts in made.files:
                self._pictures.keep(owner, data, facts, temporary=temporary)
            found.append(made.told)
            on_result(made.told)
        return found

    def _work(self, owner: str, task: EditTask) -> EditWork:
        contents = {id: self._pictures.data(owner, id) for id in task.pictures}
        return EditWork(task, contents, self._settings.reading, self._settings.most_pixels)

    def _made(self, work: EditWork, monitor: Monitor) -> Iterable[MadeResult]:
        """The results of an edit, made here."""
        return work.results(self._studio, self._budget, monitor)
