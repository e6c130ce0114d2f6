"""From a result in its hidden file to one with its name, its line in the audit log, and "done" in the ledger.

The order is what makes a crash harmless. The result is on the disk; then the ledger says so, with all that is left to
do; then the name is taken, the audit written, and the job done. Each step may be done again, so that whoever finds a
job "finished" just does them all.
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
from overpaint.ledger import Entry, Lease, Ledger

from .files import Files
from .store import Place, publish, write
from .task import TaskResult


@dataclass(frozen=True, slots=True)
class FinishedRow:
    """What is left to do for a finished row.

    Files are named relative to the folder of results, which may be moved between two runs.

    Attributes:
        hidden: The result's file for now.
        target: Where it belongs.
        replaces: Whether a file there may be replaced.
        sidecar: Name and content of the record beside it, or None.
        record: The audit record as JSON; "" where no audit is kept.
        told: What the report tells, as JSON.
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
    """Where a result lies before it has its name; follows from the lease, so that one that was left can be found."""
    return target.with_name(f".{target.name[:40]}.{token}.part")


def spec_of(output: str) -> str:
    """What the ledger keeps of a row: where its result goes, relative to the folder of results."""
    return json.dumps({"output": output}, ensure_ascii=False)


def output_of(entry: Entry) -> str:
    """Where a row's result goes; "" for a row that could never be begun."""
    if not entry.spec:
        return ""
    output: str = json.loads(entry.spec)["output"]
    return output


@dataclass(frozen=True, slots=True)
class ResultPublisher:
    """Brings finished rows to their end.

    Attributes:
        out: The folder of results.
        ledger, files: Of the batch.
        audit: The log, or None where none is kept.
        stale: Hidden files of attempts that are over, which whoever was at them may yet write.
    """

    out: Place
    ledger: Ledger
    files: Files
    audit: AuditLog | None
    stale: list[Place] = field(default_factory=list, compare=False)

    def settle(self, lease: Lease, made: TaskResult, line: FinishedRow) -> None:
        """From a result on the disk to a row that is done.

        Raises:
            LeaseLostError: The row is someone else's; the result is dropped.
            OutputError: The result can't get its name: the row has failed.
            LedgerError, OutputError: The ledger or the audit log can't be written; the row is settled in the next run.
        """
        self.ledger.finish(lease, made.sha256, line.to_json())
        self._complete(lease.id, made.sha256, line)

    def recover(self) -> tuple[int, int]:
        """Do what an interrupted run left: finished rows get their names, and hidden files of the others are removed.

        Returns:
            Rows that were completed, and rows that had been at work.
        """
        gone = self.ledger.expire(owners_gone=True)
        for entry in gone:
            with contextlib.suppress(ValueError, KeyError):
                self.stale.append(hidden_beside(self.out / output_of(entry), entry.token or ""))
        # Those of the run's beginning are cleared once more at its end: workers of a cluster whose driver was killed
        # live on for a moment, and may write what they were at.
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
        return completed, len(gone)

    def _complete(self, id: str, sha256: str, line: FinishedRow) -> None:
        hidden, target = self.out / line.hidden, self.out / line.target
        try:
            self._name(hidden, target, sha256, line.replaces)
        except OutputError as error:
            hidden.unlink(missing_ok=True)
            self.ledger.undo(id, str(error), state="failed")
            raise PublishError(str(error)) from error
        except FileNotFoundError:
            self.ledger.undo(id, "its result was gone before it had its name")
            return
        if line.sidecar is not None:
            write(self.out / line.sidecar[0], line.sidecar[1].encode())
        if self.audit is not None and line.record:
            self.audit.append(line.record)
        self.files.note(target, sha256)
        self.ledger.done(id, json.dumps(line.details, ensure_ascii=False))

    def _name(self, hidden: Place, target: Place, sha256: str, replaces: bool) -> None:
        """Give the file its name, unless it has it already. FileNotFoundError when there is neither."""
        if not hidden.exists():
            if not _is(target, sha256):
                raise FileNotFoundError(target)
            return
        if not replaces and _is(target, sha256):  # stopped between the two halves of taking a free name
            hidden.unlink(missing_ok=True)
            return
        publish(hidden, target, overwrite=replaces)


class PublishError(OutputError):
    """A result could not get its name; its row has failed, and the run goes on."""


def _is(path: Place, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False
