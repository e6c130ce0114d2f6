"""One edit, from its input files to its result's file.

Several threads do this at once, so that reading and writing overlap painting. Only a few read or write at a time, as
they would take the processor from the engine and from one another.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from overpaint.audit import MaskFile, Secret, edit_record, place_of
from overpaint.bounded import MemoryBudget, MemoryShare, is_shortage
from overpaint.doors.inputs import EditInputs
from overpaint.doors.reading import EditFiles, check_edit, read_edit, readers
from overpaint.engines import Monitor
from overpaint.engines.weight_store import available_memory, share_of
from overpaint.errors import Cancelled, EngineError, OverpaintError, PictureError, StoreError
from overpaint.picture import format_of_path
from overpaint.record import sidecar_path
from overpaint.studio import Edited, PreparedEdit, Rendered, Studio
from overpaint.studio.progress import LinkedMonitor

from .calls import Patience, may_pass
from .quality import quality_of
from .store import FETCHING, Address, Place, at, check_inside, is_there, stage
from .task import RowLimits, Task, TaskResult
from .thumbnails import thumbnails_of

_AT_ONCE = 2  # tasks that are read, and as many that are written
_UNKNOWN = 8 << 30  # bytes for all rows in flight where nobody says how much memory there is


class Worker:
    """Runs tasks with a studio. Thread-safe."""

    def __init__(self, studio: Studio, *, memory: int | None = None) -> None:
        """`studio` paints; the caller closes it. `memory`: bytes for all tasks in flight; None: half of this
        process's share of what is free now.
        """
        self._studio = studio
        self._reading = threading.Semaphore(_AT_ONCE)
        self._writing = threading.Semaphore(_AT_ONCE)
        self._budget = MemoryBudget(memory or share_of(available_memory() or 2 * _UNKNOWN) // 2)

    @property
    def studio(self) -> Studio:
        """What paints."""
        return self._studio

    @property
    def budget(self) -> MemoryBudget:
        """The memory that all tasks in flight share."""
        return self._budget

    def do(self, task: Task, monitor: Monitor) -> TaskResult:
        """Read, paint, finish and write to the task's hidden file.

        Raises:
            OverpaintError: It failed or was cancelled; there is no hidden file. An unexpected error becomes an
                EngineError, so that one row does not cost the others.
        """
        own = RowMonitor(monitor, task.options.limits.seconds)
        try:
            with MemoryShare(self._budget) as share:
                files = _files_of(task, monitor)  # first: a store that does not answer holds up no other row
                with self._reading:
                    monitor.check()
                    if task.alone:  # only here: who holds memory must not wait for those that read, as they wait for it
                        share.grow(self._budget.total, monitor.check)
                    prepared, inputs = self._prepared(task, files, share, monitor)
                made = self._made(prepared, task, own)
                with self._writing:
                    monitor.check()
                    return _written(replace(made, edited=inputs.noted(made.edited)), task, monitor)
        except Cancelled:
            if own.late and not monitor.cancelled:
                raise _too_slow(task.options.limits) from None
            raise
        except OverpaintError:
            raise
        except Exception as error:
            if is_shortage(error):
                raise EngineError(f"there was not enough memory for {task.item.image}", code="memory-short") from None
            raise EngineError(f"it failed unexpectedly: {type(error).__name__}: {error}") from error

    def _made(self, prepared: PreparedEdit, task: Task, monitor: RowMonitor) -> _Made:
        """The result; of several seeds, where doubtful ones are to be tried again, the first without a doubt or the
        least doubtful one. A later try that fails, or for which no time is left, costs no earlier result.
        """
        seeded = prepared.painter.card.uses("seed")
        end = task.variation + 1 + (task.options.gate_retries if seeded else 0)
        best = _Made(self._painted(prepared, task.variation, monitor), task.variation, task.variation + 1, seeded)
        while best.edited.doubts and best.tried < end:
            try:
                made = replace(best, edited=self._painted(prepared, best.tried, monitor), variation=best.tried)
            except Cancelled:
                if not monitor.late:
                    raise
                return replace(best, tried=end)
            except EngineError:
                break
            better = made if made.excess < best.excess else best
            best = replace(better, tried=best.tried + 1)
        return best

    def _painted(self, prepared: PreparedEdit, variation: int, monitor: Monitor) -> Edited:
        one = prepared.variation(variation)
        return self._studio.finish(one, self._studio.paint(one, monitor))

    def check(self, task: Task, monitor: Monitor) -> None:
        """Check a task without painting or, as far as possible, decoding its picture.

        Raises:
            OverpaintError: It would be refused once its files are read.
        """
        limits = task.options.limits
        files, card = _files_of(task, monitor), self._studio.card_for(task.item.request)
        try:
            readers.call(
                check_edit,
                files,
                card,
                seconds=limits.reading,
                memory=limits.memory or self._budget.total,
                check=monitor.check,
            )
        except OverpaintError:
            self.prepared(task, monitor)  # as a run does it: what decoding tells counts

    def prepared(self, task: Task, monitor: Monitor) -> PreparedEdit:
        """A task before it is painted: its files are read. Raises OverpaintError as `do`."""
        with MemoryShare(self._budget) as share:
            return self._prepared(task, _files_of(task, monitor), share, monitor)[0]

    def _prepared(
        self, task: Task, files: EditFiles, share: MemoryShare, monitor: Monitor
    ) -> tuple[PreparedEdit, EditInputs]:
        limits, waited = task.options.limits, 0.0

        def grant(wanted: int) -> None:
            nonlocal waited
            asked = time.perf_counter()
            if limits.memory is not None and wanted > limits.memory:
                raise _too_large(wanted, limits.memory)
            share.grow(wanted, monitor.check)
            waited += time.perf_counter() - asked

        inputs, seconds = readers.call(
            read_edit,
            files,
            seconds=limits.reading,
            memory=limits.memory or (None if task.alone else self._budget.total),
            grant=grant,
            check=monitor.check,
        )
        prepared = self._studio.prepare(inputs.picture, inputs.request, **inputs.rest)
        return replace(prepared, timings={**prepared.timings, "open": round(seconds - waited, 6)}), inputs


def _files_of(task: Task, monitor: Monitor) -> EditFiles:
    """The files of a row. Those that addresses name are read here, with what this process knows of their stores.

    Raises:
        PictureError, StoreError: One can't be read.
    """
    item, base, digests = task.item, task.options.base, task.masks
    contents: dict[str, bytes] = {}
    patience = _patience(task, monitor)

    def named(place: Place, digest: str) -> str:
        name = str(place)
        digests[name] = digest
        if isinstance(place, Address):
            contents[name] = _fetched(place, patience)
        return name

    sketch, insert = (None if one is None else named(at(base, one[0]), one[1]) for one in (item.sketch, item.insert))
    for name, digest in (*item.masks, *item.controls):
        named(at(base, name), digest)
    return EditFiles(
        picture=named(item.image, task.image_sha256),
        request=item.request,
        digests=digests,
        contents=contents,
        places=item.places(base),
        avoid=item.avoided(base),
        regions=item.regions(base),
        sketch=sketch,
        insert=insert,
        controls=item.guided(base),
        pixels=task.options.limits.pixels,
        format=format_of_path(item.output),
    )


def _fetched(place: Address, patience: Patience) -> bytes:
    try:
        return place.read_bytes(patience)
    except FileNotFoundError:
        raise PictureError(f"the file {place} doesn't exist", field="image", value=str(place)) from None
    except OSError as error:
        kind = StoreError if may_pass(error) else PictureError
        raise kind(f"{place} can't be read: {error.strerror or error}", field="image", value=str(place)) from None


def _patience(task: Task, monitor: Monitor) -> Patience:
    """How long a store is waited for, at most as long as the row may be painted."""
    return Patience(min(FETCHING.seconds, task.options.limits.seconds), monitor.check)


class RowMonitor(LinkedMonitor):
    """A monitor that is cancelled with another, or when a row has been painted for too long.

    Attributes:
        late: Whether it was.
    """

    def __init__(self, parent: Monitor, seconds: float) -> None:
        super().__init__(parent, parent.progress)
        self._seconds = seconds
        self._painting_since: float | None = None
        self.late = False

    def check(self) -> None:
        """Raise Cancelled when it is; the clock starts only when an engine looks at `cancelled`."""
        self._parent.check()

    @property
    def cancelled(self) -> bool:
        """Whether this one or the other was cancelled, or the time is over. The first look starts the clock."""
        now = time.monotonic()
        self._painting_since = now if self._painting_since is None else self._painting_since
        self.late = self.late or now - self._painting_since > self._seconds
        return self.late or super().cancelled


def _too_slow(limits: RowLimits) -> EngineError:
    return EngineError(
        f"painting it took longer than {limits.seconds:g} seconds", code="time-limit", value=limits.seconds
    )


def _too_large(wanted: int, most: int) -> PictureError:
    return PictureError(
        f"it needs about {wanted / 1e9:.3g} GB of memory, and a row may take {most / 1e9:.3g}",
        code="memory-limit",
        value=wanted,
    )


@dataclass(frozen=True, slots=True)
class _Made:
    """A result.

    Attributes:
        edited: The result.
        variation: What was added to the row's seed for it.
        tried: What would be added next.
        seeded: Whether its engine uses the seed.
    """

    edited: Edited
    variation: int
    tried: int = 1
    seeded: bool = True

    @property
    def excess(self) -> float:
        """How far the worst of its doubts is above its limit; 0 without one."""
        return self.edited.quality.excess(self.edited.doubts)


def _written(made: _Made, task: Task, monitor: Monitor) -> TaskResult:
    began = time.perf_counter()
    edited, item, options = made.edited, task.item, task.options
    output = task.aside if options.gate and edited.doubts and task.aside is not None else item.output
    aside = output is task.aside
    other = item.output if aside else task.aside
    removes = other is not None and is_there(other) and (item.was_named if aside else item.was_aside)
    record = "none" if options.key is not None else options.record
    rendered = edited.render(
        format_of_path(item.output), quality=item.row.quality, record=record, verify=True, marking=options.marking
    )
    # `saved` wants a path, so an address gives it its name only; the audit record has the address.
    target = Path(output.name) if isinstance(output, Address) else output
    beside = sidecar_path(target) if record == "sidecar" else None
    saved = rendered.saved(target, beside)
    masks = [MaskFile(place=place_of(name, options.log), sha256=digest) for name, digest in task.masks.items()]
    evidence = edit_record(
        edited,
        saved,
        attempt=task.attempt,
        masks=masks,
        folder=options.log,
        source=str(item.image),
        target=str(output),
        variation=made.variation,
        removed=(str(other),) if removes else (),
        secret=None if options.key is None else Secret(options.key),
    )
    details = _details(made, rendered, task, quality_of(edited, saved))
    small = thumbnails_of(edited) if options.thumbnails else None
    if options.out is not None:
        check_inside(output, options.out)
    stage(task.hidden, rendered.data, item.output, options.permissions, patience=_patience(task, monitor))
    sidecar = saved.record(edited.record).to_json() if beside is not None else None
    if sidecar is not None:
        details["sidecar_sha256"] = hashlib.sha256(sidecar.encode()).hexdigest()
    details["timings"]["save"] = round(time.perf_counter() - began, 6)
    details["seconds"] = round(sum(seconds for name, seconds in details["timings"].items() if name != "wait"), 4)
    return TaskResult(
        sha256=rendered.sha256,
        replaces=item.replaces,
        record=evidence.to_json(),
        sidecar=sidecar,
        details=details,
        thumbnails=small,
        aside=aside,
        removes=removes,
    )


def _details(made: _Made, rendered: Rendered, task: Task, quality: dict[str, Any]) -> dict[str, Any]:
    """What the report says of a result, beside `describe`: plain values. In private mode no prompt is among them."""
    edited = made.edited
    resolved, private = edited.bare_resolved, task.options.key is not None
    settings = {
        name: getattr(resolved, name)
        for name in ("strength", "steps", "guidance_scale", "sampler", "grow", "feather", "padding", "area", "exact")
        if getattr(resolved, name) is not None
    }
    return {
        **quality,
        **({"seed": resolved.seed} if made.variation else {}),
        "variation": made.variation,
        "seeded": made.seeded,
        "tried": made.tried,
        "excess": round(edited.quality.excess(edited.doubts), 3),
        "prompt": None if private else resolved.prompt or edited.bare_request.prompt,
        "settings": settings,
        "regions": len(edited.regions),
        "device": edited.execution.device,
        "timings": dict(edited.timings),
        "bytes": len(rendered.data),
        "notes": [*(edited.notes_without_prompt if private else edited.notes), *rendered.notes],
    }
