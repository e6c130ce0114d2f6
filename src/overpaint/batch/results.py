"""Publishing a result: from a hidden file to one with its name, its line in the audit log, and "done" in the ledger.

The order makes a crash harmless. The result is on the disk; then the ledger says so, with all that is left to do; then
the file is renamed, the audit line written, and the job done. Each step may be repeated, so the next run repeats them
for every job that is "finished".

A result that is set aside for review gets its name in another folder, and the ledger has "needs-review" in place of
"done". Once a person has decided on it the job is "finished" again: an accepted one is published like any other, from
there; a rejected one is removed. Neither is done to a file that is not the one that was written.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from overpaint.audit import AuditLog, AuditRecord, Review, place_of
from overpaint.errors import OutputError
from overpaint.files import close_to_others, digest_in_time
from overpaint.ledger import Ledger, LedgerEntry
from overpaint.record import sidecar_path

from .files import Files
from .removal import read_result
from .store import ASIDE, Address, Place, aside_of, check_inside, disk_is_full, make_folder, publish, write
from .task import TaskResult


def hidden_beside(target: Place, token: str | None) -> Place:
    """The hidden file of a result; named by the lease, so that one that was left behind can be found."""
    return target.with_name(f".{target.name[:40]}.{token}.part")


@dataclass(frozen=True, slots=True)
class ResultPublisher:
    """Publishes results.

    Attributes:
        out: The folder of results.
        ledger, files: Of the batch.
        audit: The log, or None where none is kept.
        log: Its name in the ledger (see `LogWitness`).
        private: Whether only their owner may read results.
        stale: Hidden files of attempts that have ended, which their workers may still write.
    """

    out: Place
    ledger: Ledger
    files: Files
    audit: AuditLog | None
    log: str = ""
    private: bool = False
    stale: list[Place] = field(default_factory=list, compare=False)

    def publish(self, lease: LedgerEntry, result: TaskResult) -> None:
        """Publish a result that lies on the disk.

        Raises:
            LeaseLostError: Another process has the row; the result is dropped.
            PublishError: The result is gone, or can't get its name: the row has failed, or waits for the next run.
            LedgerError, OutputError: The ledger or the audit log can't be written; the next run publishes the row.
        """
        self.ledger.finish(lease, result.sha256, result.to_json())
        self._complete(lease, result)

    def recover(self) -> list[LedgerEntry]:
        """Complete what an interrupted run left: publish finished rows, remove hidden files of the others.

        Returns:
            The rows that were completed, as they are now.
        """
        interrupted = self.ledger.expire(owners_gone=True)
        self.stale.extend(hidden_beside(self.out / one.spec, one.token) for one in interrupted if one.spec)
        # Files of the first call are removed once more at the run's end: workers of a cluster whose driver was killed
        # live on for a moment, and may write theirs.
        for place in self.stale:
            with contextlib.suppress(OSError):
                place.unlink(missing_ok=True)
        completed: list[LedgerEntry] = []
        for entry in self.ledger.entries("finished"):
            try:
                self._complete(entry, TaskResult.from_json(entry.line or "{}"))
                completed += [one for one in (self.ledger.entry(entry.id),) if one is not None]
            except (KeyError, TypeError, ValueError):
                self.ledger.undo(entry.id, "what an interrupted run left of it can't be read")
            except PublishError:
                continue
        return completed

    def _complete(self, entry: LedgerEntry, result: TaskResult) -> None:
        named, aside = self.out / entry.spec, aside_of(self.out, self.out / entry.spec)
        verdict = "" if result.review is None else result.review["verdict"]
        if verdict:
            self._check_as_written(entry, result)
        if verdict == "rejected":
            self._complete_rejection(entry, result)
            return
        accepted = verdict == "accepted"
        target, other = (aside, named) if result.aside and not accepted else (named, aside)
        hidden = aside if accepted else hidden_beside(named, entry.token)
        try:
            self._rename(hidden, target, result, overwrite=result.replaces or target is aside)
        except OutputError as error:
            if accepted:
                self._back_to_review(entry, result)
                raise PublishError(str(error)) from error
            with contextlib.suppress(OSError):
                hidden.unlink(missing_ok=True)
            self.ledger.undo(entry.id, str(error), state="failed")
            raise PublishError(str(error)) from error
        except FileNotFoundError as error:
            gone = "its result was gone before it had its name"
            self.ledger.undo(entry.id, gone)
            raise PublishError(gone) from error
        except OSError as error:  # an object store can't be reached, say: the next run publishes the row
            raise OutputError(f"can't write {target}: {error.strerror or error}") from error
        if result.sidecar is not None:
            try:
                write(target.with_name(sidecar_path(target.name).name), result.sidecar.encode())
            except OutputError as error:
                if disk_is_full(error):
                    raise
                if not result.replaces:  # a picture without its record would be in the way of the next try
                    with contextlib.suppress(OSError):
                        target.unlink(missing_ok=True)
                self.ledger.undo(entry.id, str(error), state="failed")
                raise PublishError(str(error)) from error
        if result.removes or accepted:
            self._remove(other)
        details = dict(result.details)
        if self.audit is not None and result.record:
            record = AuditRecord.from_json(result.record)
            if result.review is not None:
                review = Review(**result.review)
                record = record.reviewed(review, place_of(str(named), self.audit.path.parent))
            end = self.audit.append(record)
            details["logged"] = {self.log: end.count}
        self.files.note(target, result.sha256)
        if accepted:  # its measures are as they were
            details["accepted"] = True
        if target is aside:
            self.ledger.set_aside(entry.id, result.to_json(), _detail(details))
        else:  # `aside` says that a file is there
            self.ledger.done(entry.id, _detail({key: value for key, value in details.items() if key != "aside"}))

    def _remove(self, place: Place) -> None:
        """Remove a result and its record beside it; what can't be removed stays, and `audit verify` names it."""
        for one in (place, place.with_name(sidecar_path(place.name).name)):
            with contextlib.suppress(OSError, OutputError):
                check_inside(one, self.out)
                one.unlink(missing_ok=True)

    def decide(self, entry: LedgerEntry, review: Review) -> None:
        """Do what a person has decided on a result that needs a review: one that is accepted gets its own name, one
        that is rejected is removed, and the next run begins with the next seed.

        Raises:
            PublishError: It is not as it was written, or can't get its name; it still needs the review.
            OutputError: The ledger or the audit log can't be written; the next run or review completes it.
        """
        # what lies under its name by now is another's
        result = replace(TaskResult.from_json(entry.line or "{}"), review=review.to_mapping(), replaces=False)
        if self.ledger.decide(entry.id, result.to_json()):
            self._complete(entry, result)

    def take_decisions(self) -> Iterator[tuple[LedgerEntry, Review]]:
        """Carry out what reviews have decided while this process had the folders, or another one that has ended. Yields
        each row as it was, when its decision is carried out; what can't be is noted for the review that waits for it.

        Raises:
            OutputError: As of `decide`.
        """
        for left in self.ledger.left_decisions():
            if left.problem is not None:
                continue
            entry = self.ledger.entry(left.id)
            if entry is None or (entry.state, entry.result) != ("needs-review", left.result):
                self.ledger.refuse_decision(left, "its result does not need a review any more")
                continue
            review = Review(**json.loads(left.line))
            try:
                self.decide(entry, review)
            except PublishError as error:
                self.ledger.refuse_decision(left, str(error))
            else:
                self.ledger.drop_decisions([left])
                yield entry, review

    def _complete_rejection(self, entry: LedgerEntry, result: TaskResult) -> None:
        review = Review(**result.review or {})
        if self.audit is not None and result.record:
            self.audit.append(AuditRecord.from_json(result.record).reviewed(review))
        self._remove(aside_of(self.out, self.out / entry.spec))
        note = f"rejected in review by {review.who.words}" if review.who.words else "rejected in review"
        details = {key: value for key, value in result.details.items() if key != "aside"}
        self.ledger.reject(entry.id, note, _detail({**details, "variation": details["tried"]}))

    def _check_as_written(self, entry: LedgerEntry, result: TaskResult) -> None:
        """Raise PublishError where a result that a person has decided on is not the file that was written; it then
        still needs the review. One that is gone is none: it may have its name by now.
        """
        name = f"{ASIDE}/{entry.spec}"
        try:
            changed = read_result(self.out, name).sha256 != result.sha256
            why = f"{name} was changed since it was written" if changed else ""
        except FileNotFoundError:
            return
        except OSError as error:
            why = f"{name} can't be read: {error.strerror or error}"
        if why:
            self._back_to_review(entry, result)
            raise PublishError(f"{why}: move it elsewhere, and the next run paints the row again")

    def _back_to_review(self, entry: LedgerEntry, result: TaskResult) -> None:
        self.ledger.set_aside(entry.id, replace(result, review=None).to_json(), _detail(result.details))

    def _rename(self, hidden: Place, target: Place, result: TaskResult, *, overwrite: bool) -> None:
        """Give the file its name, unless it has it already. FileNotFoundError when there is neither."""
        if not hidden.exists():
            if not _has_digest(target, result.sha256):
                raise FileNotFoundError(target)
            return
        if not overwrite and _has_digest(target, result.sha256):
            # It was stopped between the two halves of taking a free name.
            hidden.unlink(missing_ok=True)
            return
        check_inside(target, self.out)
        if isinstance(target, Path):
            make_folder(target.parent)
        if self.private and isinstance(target, Path):
            close_to_others([hidden, target] if isinstance(hidden, Path) else [target])
        publish(hidden, target, overwrite=overwrite)


class PublishError(OutputError):
    """A result could not get its name; its row is without a result, and the run goes on."""


def _detail(details: Mapping[str, Any]) -> str:
    return json.dumps(details, ensure_ascii=False)


def _has_digest(path: Place, sha256: str) -> bool:
    try:
        if isinstance(path, Path):
            return digest_in_time(path) == sha256
        return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except FileNotFoundError:
        return False
    except OSError:
        if isinstance(path, Address):  # the store does not answer: nobody knows
            raise
        return False
