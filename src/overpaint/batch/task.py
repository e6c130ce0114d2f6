"""What a worker gets and gives back: small values that can be sent to another process or machine."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from overpaint.files import READING
from overpaint.record import Marking

from .plan import PlannedEdit, RecordMode
from .store import Place, at

if TYPE_CHECKING:
    from overpaint.engines import Monitor

    from .worker import Worker


class ClusterTask(Protocol):
    """What a worker of a cluster is given. It is sent there, and so is its result."""

    @property
    def name(self) -> str:
        """Its own name, also of a later attempt at it."""
        ...

    @property
    def private(self) -> bool:
        """Whether a worker that has done it must end with the run."""
        ...

    @property
    def followed(self) -> bool:
        """Whether anybody waits for its progress."""
        ...

    def done_by(self, worker: Worker, monitor: Monitor) -> Any:
        """Do it with a worker's studio, in the worker's process. Raises OverpaintError."""
        ...

    def drop(self) -> None:
        """Remove what a lost worker may have left."""
        ...


@dataclass(frozen=True, slots=True)
class RowLimits:
    """What one row may take.

    Attributes:
        pixels: Of a picture, a mask, or whatever else it names; None: as many as anywhere.
        seconds: How long it may be painted; and how long its files may be read, where that is less than a minute.
        memory: Bytes; None: as many as all rows in flight may take together.
    """

    pixels: int | None = None
    seconds: float = 3600.0
    memory: int | None = None

    @property
    def reading(self) -> float:
        """How long its files may be read, in seconds: no file of 200 million pixels takes a minute."""
        return min(READING, self.seconds)


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """How rows are done.

    Attributes:
        base: The folder that paths in rows are relative to.
        record: Where the record of a result goes.
        marking: What a result's file says of its origin.
        log: The folder of the audit log.
        key: In private mode the key that prompts are hashed with.
        retries: How often a row is tried again that failed for another reason than its input.
        fail_fast: Whether the first failure ends the run.
        thumbnails: Whether small pictures for the report are made.
        limits: What a row may take.
        out: The folder that results must not lead out of; None where that is not checked.
        gate: Whether a doubtful result is set aside for review.
        gate_retries: How often a doubtful row is painted again with the next seed; the least doubtful result is kept.
    """

    base: Path
    record: RecordMode = "embed"
    marking: Marking = Marking()  # noqa: RUF009 - it is frozen
    log: Path | None = None
    key: bytes | None = field(default=None, repr=False)
    retries: int = 0
    fail_fast: bool = False
    thumbnails: bool = True
    limits: RowLimits = field(default_factory=RowLimits)
    out: Place | None = None
    gate: bool = False
    gate_retries: int = 0

    @property
    def permissions(self) -> int:
        """Of the files of results; in private mode only for their owner."""
        return 0o666 if self.key is None else 0o600


@dataclass(frozen=True, slots=True)
class Task:
    """One edit to do.

    Attributes:
        item: The row.
        options: How it is done.
        image_sha256: The digest that its picture must have; of a chained row's it is known only now.
        hidden: The result's path until it is published.
        attempt: Number of the attempt, from 1.
        alone: Whether it runs beside no other, as memory was short when it did.
        variation: What is added to the row's seed, as its results with smaller ones were rejected.
        aside: Where its result goes if it is set aside for review; None where none is.
    """

    item: PlannedEdit
    options: TaskOptions
    image_sha256: str
    hidden: Place
    attempt: int = 1
    alone: bool = False
    variation: int = 0
    aside: Place | None = None

    @property
    def name(self) -> str:
        """The row's id."""
        return self.item.id

    @property
    def private(self) -> bool:
        """Whether a worker that has done it must end with the run."""
        return self.options.key is not None

    @property
    def followed(self) -> bool:
        """Whether anybody waits for its progress: not for a row's."""
        return False

    def done_by(self, worker: Worker, monitor: Monitor) -> TaskResult:
        """Have a worker do it. Raises OverpaintError."""
        return worker.do(self, monitor)

    def drop(self) -> None:
        """Remove what a lost worker may have left."""
        with contextlib.suppress(OSError):
            self.hidden.unlink(missing_ok=True)

    @property
    def masks(self) -> dict[str, str]:
        """Digests that mask files must have, by path."""
        return {str(at(self.options.base, name)): digest for name, digest in self.item.masks}


Three = tuple[bytes, ...]
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
    """A result, in the task's hidden file, and all that is left to do for it.

    Attributes:
        sha256: The file's digest.
        replaces: Whether a file that has its name may be replaced.
        record: The audit record as JSON.
        sidecar: The record beside it as JSON, or None.
        details: What the report says of it, plain JSON values.
        thumbnails: Small pictures for the report, or None.
        aside: Whether it is doubtful, and set aside for review.
        removes: Whether the row's earlier result, which lies in the other of its two places, is removed.
        review: Of a result that was set aside and accepted: the review.
    """

    sha256: str
    replaces: bool
    record: str
    sidecar: str | None
    details: Mapping[str, Any]
    thumbnails: Thumbnails | None = None
    aside: bool = False
    removes: bool = False
    review: Mapping[str, Any] | None = None

    def to_json(self) -> str:
        """As the ledger keeps it, without thumbnails."""
        return json.dumps(asdict(replace(self, thumbnails=None)), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> TaskResult:
        """From the ledger."""
        return cls(**json.loads(text))
