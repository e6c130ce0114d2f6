"""The results of the gallery's jobs in a folder: made by the product's own API, kept as PNG files beside one table."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.gallery.jobs import Job, opened, prepared
from overpaint import Studio
from overpaint.errors import OverpaintError
from overpaint.picture import encode


@dataclass(frozen=True, slots=True)
class JobResult:
    """One job done by one engine, or not.

    Attributes:
        job: The job's name.
        engine: The engine or checkpoint that painted; the one that was asked for, or "default", where nothing was.
        seconds: Of one edit, the engine being open.
        digest: SHA-256 of the result's pixels.
        placed: Left and top of the original in the result.
        notes: What the product told.
        error: Why there is no result.
        own: Whether it is what the job gives where no engine is named.
    """

    job: str
    engine: str
    seconds: float = 0.0
    digest: str = ""
    placed: tuple[int, int] = (0, 0)
    notes: list[str] = field(default_factory=list)
    error: str = ""
    own: bool = False


class ResultFolder:
    """Results in a folder; the newest of a job and an engine counts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._table = folder / "results.json"
        known = json.loads(self._table.read_text("utf-8")) if self._table.exists() else []
        self._found = {(entry["job"], entry["engine"]): JobResult(**entry) for entry in known}

    def of(self, job: Job) -> list[JobResult]:
        """What is there of a job, by engine's name."""
        return [self._found[key] for key in sorted(self._found) if key[0] == job.name]

    def before(self, job: Job, pictures: Path) -> Image.Image:
        """The picture before."""
        return Image.open(prepared(job.picture, pictures, self._folder / "pictures"))

    def after(self, result: JobResult) -> Image.Image:
        """The picture after. Raises FileNotFoundError."""
        return Image.open(self._file(result))

    def run(self, jobs: Iterable[Job], engine: str | None, pictures: Path) -> Iterable[JobResult]:
        """Do the jobs, each once, after one that is not counted, and keep every result as soon as it is there."""
        warm: set[str] = set()
        with Studio() as studio:
            for job in jobs:
                if job.intent not in warm:
                    self._edit(studio, job, engine, pictures)
                    warm.add(job.intent)
                yield self._edit(studio, job, engine, pictures)

    def _edit(self, studio: Studio, job: Job, engine: str | None, pictures: Path) -> JobResult:
        picture = opened(job.picture, pictures, self._folder / "pictures")
        insert: dict[str, Any] = (
            {} if job.insert is None else {"insert": prepared(job.insert, pictures, self._folder / "pictures")}
        )
        began = time.perf_counter()
        try:
            edited = studio.edit(picture, job.request(engine), **insert)
        except OverpaintError as error:
            return self._keep(JobResult(job.name, engine or "default", error=str(error), own=engine is None), None)
        seconds = time.perf_counter() - began
        name = edited.resolved.model or edited.resolved.engine
        placed = (edited.placed.left, edited.placed.top)
        notes = [str(note) for note in edited.notes]
        result = JobResult(job.name, name, round(seconds, 2), edited.pixels_sha256, placed, notes, own=engine is None)
        return self._keep(result, encode(edited.picture, "png").data)

    def _keep(self, result: JobResult, png: bytes | None) -> JobResult:
        if result.own:
            self._found = {k: r for k, r in self._found.items() if r.job != result.job or not r.own}
        elif (known := self._found.get((result.job, result.engine))) is not None:
            result = replace(result, own=known.own)
        if png is not None:
            self._file(result).parent.mkdir(parents=True, exist_ok=True)
            self._file(result).write_bytes(png)
        self._found[result.job, result.engine] = result
        self._folder.mkdir(parents=True, exist_ok=True)
        self._table.write_text(json.dumps([asdict(self._found[key]) for key in sorted(self._found)], indent=1), "utf-8")
        return result

    def _file(self, result: JobResult) -> Path:
        return self._folder / "results" / f"{result.job}.{result.engine.replace('/', '-')}.png"
