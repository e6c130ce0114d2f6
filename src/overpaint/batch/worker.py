"""One edit, from its input files to its result's file.

Several threads do this at once, so that reading and writing overlap painting. Only a few read or write at a time, as
they would take the processor from the engine and from one another.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from overpaint.audit import MaskFile, Secret, edit_record, place_of
from overpaint.doors.inputs import EditInputs, collect
from overpaint.engines import Monitor
from overpaint.errors import EngineError, OverpaintError, PictureError
from overpaint.picture import Picture, check_size, format_of_path, open_picture
from overpaint.record import sidecar_path
from overpaint.studio import Edited, PreparedEdit, Rendered, Studio

from .quality import quality_of
from .store import Address, Place, at, stage
from .task import Task, TaskResult
from .thumbnails import thumbnails_of

_AT_ONCE = 2  # tasks that are read, and as many that are written


class Worker:
    """Runs tasks with a studio. Thread-safe."""

    def __init__(self, studio: Studio) -> None:
        """`studio` paints; the caller closes it."""
        self._studio = studio
        self._reading = threading.Semaphore(_AT_ONCE)
        self._writing = threading.Semaphore(_AT_ONCE)

    def do(self, task: Task, monitor: Monitor) -> TaskResult:
        """Read, paint, finish and write to the task's hidden file.

        Raises:
            OverpaintError: It failed or was cancelled; there is no hidden file. An unexpected error becomes an
                EngineError, so that one row does not cost the others.
        """
        try:
            with self._reading:
                monitor.check()
                prepared, inputs = _prepared(self._studio, task)
            painted = self._studio.paint(prepared, monitor)
            with self._writing:
                monitor.check()
                return _written(inputs.noted(self._studio.finish(prepared, painted)), task)
        except OverpaintError:
            raise
        except MemoryError:
            raise EngineError(f"there was not enough memory for {task.item.image}", code="memory-short") from None
        except Exception as error:
            raise EngineError(f"it failed unexpectedly: {type(error).__name__}: {error}") from error


def _prepared(studio: Studio, task: Task) -> tuple[PreparedEdit, EditInputs]:
    began = time.perf_counter()
    item, base = task.item, task.options.base
    picture = _opened(item.image)
    if picture.source.sha256 != task.image_sha256:
        raise PictureError(f"{item.image} was replaced during the run; the next run takes the new one")
    opened = time.perf_counter()

    digests = task.masks

    def named(file: tuple[str, str] | None) -> str | None:
        if file is None:
            return None
        name = str(at(base, file[0]))
        digests[name] = file[1]
        return name

    sketch, insert = named(item.sketch), named(item.insert)

    def load(name: str) -> bytes:
        return _bytes(at(Path(), name), digests[name])

    places, avoid = item.places(base), item.avoided(base)
    inputs = collect(picture, item.request, load, places=places, avoid=avoid, sketch=sketch, insert=insert)
    check_size(inputs.size, format_of_path(item.output))
    prepared = studio.prepare(inputs.picture, inputs.request, **inputs.rest)
    return replace(prepared, timings={**prepared.timings, "open": round(opened - began, 6)}), inputs


def _opened(place: Place) -> Picture:
    if isinstance(place, Path):
        return open_picture(place)
    try:
        return open_picture(place.read_bytes())
    except OSError as error:
        raise PictureError(f"the image {place} can't be read: {error.strerror or error}") from None
    except PictureError as error:
        raise error.within(str(place)) from error


def _bytes(path: Place, digest: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PictureError(f"{path} can't be read: {error.strerror or error}") from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise PictureError(f"{path} was replaced during the run; the next run takes the new one")
    return data


def _written(edited: Edited, task: Task) -> TaskResult:
    began = time.perf_counter()
    item, options = task.item, task.options
    record = "none" if options.key is not None else options.record
    rendered = edited.render(format_of_path(item.output), quality=item.row.quality, record=record, verify=True)
    # `saved` wants a path, so an address gives it its name only; the audit record has the address.
    target = Path(item.output.name) if isinstance(item.output, Address) else item.output
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
        target=str(item.output),
        secret=None if options.key is None else Secret(options.key),
    )
    details = _details(edited, rendered, task, quality_of(edited, saved))
    small = thumbnails_of(edited) if options.thumbnails else None
    stage(task.hidden, rendered.data, item.output)
    details["timings"]["save"] = round(time.perf_counter() - began, 6)
    details["seconds"] = round(sum(seconds for name, seconds in details["timings"].items() if name != "wait"), 4)
    return TaskResult(
        sha256=rendered.sha256,
        replaces=item.replaces,
        record=evidence.to_json(),
        sidecar=edited.record_of(saved.reach).to_json() if beside is not None else None,
        details=details,
        thumbnails=small,
    )


def _details(edited: Edited, rendered: Rendered, task: Task, quality: dict[str, Any]) -> dict[str, Any]:
    """What the report says of a result, beside `describe`: plain values. In private mode no prompt is among them."""
    resolved, private = edited.bare_resolved, task.options.key is not None
    settings = {
        name: getattr(resolved, name)
        for name in ("strength", "steps", "guidance_scale", "sampler", "grow", "feather", "padding", "area", "exact")
        if getattr(resolved, name) is not None
    }
    return {
        **quality,
        "prompt": None if private else resolved.prompt or edited.bare_request.prompt,
        "settings": settings,
        "regions": len(edited.regions),
        "device": edited.execution.device,
        "timings": dict(edited.timings),
        "bytes": len(rendered.data),
        "notes": [*(edited.notes_without_prompt if private else edited.notes), *rendered.notes],
    }
