"""What a worker gets and gives back: small values that can be sent to another process or machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overpaint.doors.places import Places
from overpaint.request import EditRequest

from .plan import PlannedEdit, RecordMode
from .store import Place, at


@dataclass(frozen=True, slots=True)
class Task:
    """One edit to do.

    Attributes:
        id: The row's id.
        attempt: Number of the attempt, from 1.
        image: The picture's path.
        image_sha256: The digest that it must have.
        request: The request, with its seed.
        places: Where to repaint, with the paths of mask files.
        masks: Digests that mask files must have, by path.
        sketch: Path and digest of the strokes.
        target: The result's path in the end.
        hidden: The result's path until it is published.
        quality, record: How it is saved.
        log: The folder of the audit log, which paths in the log are relative to.
        key: In private mode the key that prompts are hashed with.
        thumbnails: Whether small pictures for the report are made.
    """

    id: str
    attempt: int
    image: Place
    image_sha256: str
    request: EditRequest
    places: Places
    masks: Mapping[str, str]
    sketch: tuple[Place, str] | None
    target: Place
    hidden: Place
    quality: int | None = None
    record: RecordMode = "embed"
    log: Path | None = None
    key: bytes | None = field(default=None, repr=False)
    thumbnails: bool = True


Three = tuple[bytes, bytes, bytes]
"""Files of small pictures: before, mask and after."""


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """Small pictures of the area of an edit: JPEG, and PNG for the mask.

    Attributes:
        large: At most 320 pixels a side.
        small: At most 112 pixels a side.
    """

    large: Three
    small: Three


@dataclass(frozen=True, slots=True)
class TaskResult:
    """A result, in the task's hidden file.

    Attributes:
        sha256: The file's digest.
        size: Its bytes.
        record: The audit record as JSON.
        sidecar: The record beside it as JSON, or None.
        details: What the report says of it, plain JSON values.
        thumbnails: Small pictures for the report, or None.
    """

    sha256: str
    size: int
    record: str
    sidecar: str | None
    details: Mapping[str, Any]
    thumbnails: Thumbnails | None = None


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """How rows are done.

    Attributes:
        base: The folder that paths in rows are relative to.
        record: Where the record of a result goes.
        log: The folder of the audit log.
        key: In private mode the key that prompts are hashed with.
        retries: How often a row is tried again that failed for another reason than its input.
        fail_fast: Whether the first failure ends the run.
        thumbnails: Whether small pictures for the report are made.
    """

    base: Path
    record: RecordMode = "embed"
    log: Path | None = None
    key: bytes | None = field(default=None, repr=False)
    retries: int = 0
    fail_fast: bool = False
    thumbnails: bool = True

    def task(
        self, item: PlannedEdit, image_sha256: str, hidden: Place, *, target: Place | None = None, attempt: int = 1
    ) -> Task:
        """The task of a row.

        Args:
            item: The row.
            image_sha256: The digest that its picture must have.
            hidden: The result's path until it is published.
            target: Its path in the end; the row's own output when left out.
            attempt: Number of the attempt.
        """
        return Task(
            id=item.id,
            attempt=attempt,
            image=item.image,
            image_sha256=image_sha256,
            request=item.request,
            places=item.places(self.base),
            masks={str(at(self.base, name)): digest for name, digest in item.masks},
            sketch=None if item.sketch is None else (at(self.base, item.sketch[0]), item.sketch[1]),
            target=target or item.output,
            hidden=hidden,
            quality=item.row.quality,
            record=self.record,
            log=self.log,
            key=self.key,
            thumbnails=self.thumbnails,
        )
