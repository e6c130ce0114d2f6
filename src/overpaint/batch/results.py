"""Publishing a result: from a hidden file to one with its name, its line in the audit log, and "done" in the ledger.

The order makes a crash harmless. The result is on the disk; then the ledger says so, with all that is left to do; then
the file is renamed, the audit line written, and the job done. Each step may be repeated, so the next run repeats them
for every job that is "finished".
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from overpaint.audit import AuditLog
from overpaint.errors import OutputError
from overpaint.ledger import Lease, Ledger

from .files import Files
from .store import Place, publish, write
from .task import TaskResult


@dataclass(frozen=True, slots=True)
class FinishedRow:
    """What is left to do for a finished row.

    Files are named relative to the folder of results, which may be moved between two runs.

    Attributes:
        hidden: The result's file for now.
        target: Its name.
        replaces: Whether a file of that name may be replaced.
        sidecar: Name and content of the record beside it, or None.
        record: The audit record as JSON; "" where no audit is kept.
        details: What the report says of it, plain JSON values.
    """

    hidden: str
    target: str
    replaces: bool
    sidecar: tuple[str, str] | None
    record: str
    details: Mapping[str, Any]

    def to_json(self) -> str:
        """As the ledger keeps it."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> FinishedRow:
        """From the ledger."""
        table = json.loads(text)
        sidecar = table["sidecar"]
        return cls(**{**table, "sidecar": None if sidecar is None else (sidecar[0], sidecar[1])})


def hidden_beside(target: Place, token: str) -> Place:
    """The hidden file of a result; named by the lease, so that one that was left behind can be found."""
    return target.with_name(f".{target.name[:40]}.{token}.part")


@dataclass(frozen=True, slots=True)
class ResultPublisher:
    """Publishes results.

    Attributes:
        out: The folder of results.
        ledger, files: Of the batch.
        audit: The log, or None where none is kept.
        stale: Hidden files of attempts that have ended, which their workers may still write.
    """

    out: Place
    ledger: Ledger
    files: Files
    audit: AuditLog | None
    stale: list[Place] = field(default_factory=list, compare=False)

    def publish(self, lease: Lease, result: TaskResult, row: FinishedRow) -> None:
        """Publish a result that lies on the disk.

        Raises:
            LeaseLostError: Another process has the row; the result is dropped.
            PublishError: The result can't get its name: the row has failed.
            LedgerError, OutputError: The ledger or the audit log can't be written; the next run publishes the row.
        """
        self.ledger.finish(lease, result.sha256, row.to_json())
        self._complete(lease.id, result.sha256, row)

    def recover(self) -> int:
        """Complete what an interrupted run left: publish finished rows, remove hidden files of the others.

        Returns:
            How many rows were completed.
        """
        interrupted = self.ledger.expire(owners_gone=True)
        self.stale.extend(hidden_beside(self.out / one.spec, one.token or "") for one in interrupted if one.spec)
        # Files of the first call are removed once more at the run's end: workers of a cluster whose driver was killed
        # live on for a moment, and may write theirs.
        for place in self.stale:
            with contextlib.suppress(OSError):
                place.unlink(missing_ok=True)
        completed = 0
        for entry in self.ledger.entries("finished"):
            try:
                self._complete(entry.id, entry.result or "", FinishedRow.from_json(entry.line or "{}"))
                completed += 1
            except (KeyError, TypeError, ValueError):
                self.ledger.undo(entry.id, "what an interrupted run left of it can't be read")
            except PublishError:
                continue
        return completed

    def _complete(self, id: str, sha256: str, row: FinishedRow) -> None:
        hidden, target = self.out / row.hidden, self.out / row.target
        try:
            self._rename(hidden, target, sha256, row.replaces)
        except OutputError as error:
            hidden.unlink(missing_ok=True)
            self.ledger.undo(id, str(error), state="failed")
            raise PublishError(str(error)) from error
        except FileNotFoundError:
            self.ledger.undo(id, "its result was gone before it had its name")
            return
        if row.sidecar is not None:
            write(self.out / row.sidecar[0], row.sidecar[1].encode())
        if self.audit is not None and row.record:
            self.audit.append(row.record)
        self.files.note(target, sha256)
        self.ledger.done(id, json.dumps(row.details, ensure_ascii=False))

    def _rename(self, hidden: Place, target: Place, sha256: str, replaces: bool) -> None:
        """Give the file its name, unless it has it already. FileNotFoundError when there is neither."""
        if not hidden.exists():
            if not _has_digest(target, sha256):
                raise FileNotFoundError(target)
            return
        if not replaces and _has_digest(target, sha256):  # stopped between the two halves of taking a free name
            hidden.unlink(missing_ok=True)
            return
        publish(hidden, target, overwrite=replaces)


class PublishError(OutputError):
    """A result could not get its name; its row has failed, and the run goes on."""


def _has_digest(path: Place, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False
