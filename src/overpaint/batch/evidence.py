"""The ledger as a witness of the audit log: it keeps the end of the log's chain, and knows which results there are."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from overpaint.audit import ChainHead, Witness, entries, place_of
from overpaint.audit import id_of as id_of_record
from overpaint.errors import OutputError, OverpaintError
from overpaint.ledger import Ledger, LedgerEntry

from .folders import FOLDER, LEDGER, ledger_elsewhere
from .report import PAGE, TABLE
from .store import name_of_result


@dataclass(frozen=True, slots=True)
class LogWitness:
    """What a ledger knows of one log.

    Attributes:
        open: Gives the ledger, open.
        key: The log's name in the ledger: of the batch's own log its file name, so that the folder may be moved; of
            another one, which others may append to as well, its path.
    """

    open: Callable[[], AbstractContextManager[Ledger]]
    key: str

    @classmethod
    def of(cls, ledger: Ledger, log: Path, own_folder: Path) -> LogWitness:
        """A run's ledger, for its log; `own_folder` is where the batch's own log lies."""
        own = log.parent.resolve() == own_folder.resolve()
        key = log.name if own else str(log.absolute())
        return cls(lambda: contextlib.nullcontext(ledger), key)

    @classmethod
    def reading(cls, path: Path, log: Path) -> LogWitness:
        """A ledger that is only read, for a log of its batch.

        Raises:
            LedgerError: It can't be read.
        """
        with Ledger(path, read_only=True) as ledger:
            key = log.name if _knows(ledger, log.name) else str(log.absolute())
        return cls(lambda: Ledger(path, read_only=True), key)

    @classmethod
    def beside(cls, log: Path) -> LogWitness | None:
        """The ledger of the batch whose own log this is, for a program that appends to it too; None for none.

        Raises:
            OutputError: The name is a link to such a log.
        """
        _refuse_link(log)
        path = ledger_at(log.parent)
        if path is None:
            return None
        with Ledger(path) as ledger:
            return cls(lambda: Ledger(path), log.name) if _knows(ledger, log.name) else None

    def witness(self) -> Witness:
        """What the ledger knows of the log now."""
        with self.open() as ledger:
            end = ledger.log_end(self.key)
            pending = frozenset(map(_record_id, ledger.entries("finished")))
            head = None if end is None else ChainHead(*end)
            lines = 0 if end is not None else _lines_of_results(ledger, self.key)
            own = not Path(self.key).is_absolute()
            return Witness(ledger.path.name, head, own=own, pending=pending, lines=lines)

    def full_witness(self, log: Path) -> Witness:
        """The same with the results that lie in the log's folder, where that is the batch's."""
        known = self.witness()
        with self.open() as ledger:
            if not known.own or ledger.path.parent == log.parent:
                return known
            entries = ledger.entries("done", "needs-review")
        results = {name_of_result(entry): entry.result for entry in entries if entry.result and entry.spec}
        return replace(known, results=results, files=frozenset((PAGE, TABLE)))

    def advance(self, end: ChainHead) -> None:
        """Keep the end of the chain."""
        with self.open() as ledger:
            ledger.keep_log_end(self.key, end.count, end.hash)


def ledger_at(place: Path) -> Path | None:
    """The ledger at a place: the file, in the folder of a batch's state, or in that of its results, which may name the
    former. None for none.
    """
    found = (place / LEDGER, place / FOLDER / LEDGER) if place.is_dir() else (place,)
    return next((path for path in found if path.exists()), None) or ledger_elsewhere(place)


def refuse_log_of_another(log: Path, ledger: Ledger) -> None:
    """Raise OutputError where a log is another batch's own: lines that its ledger does not know would be faults for
    good. So would lines that come by a link, as the head is beside the link then.
    """
    _refuse_link(log)
    for other in (log.parent / LEDGER, log.parent / FOLDER / LEDGER, ledger_elsewhere(log.parent)):
        if other is None or not other.exists() or other.samefile(ledger.path):
            continue
        with Ledger(other, read_only=True) as found:
            knows = _knows(found, log.name)
        if knows:
            message = f"the audit log {log} is that of another batch, whose ledger is {other.resolve()}"
            raise _of_another(f"{message}, and this one's is {ledger.path}", log)


def notes_on_lost(refused: Iterable[OverpaintError], log: Path | None) -> tuple[str, ...]:
    """The note on files that are in the way of results, and that an audit log knows as results: the ledger was lost.
    None where there are no such files.
    """
    there = {str(error.value) for error in refused if error.code == "output-exists"}
    if log is None or not there or not log.exists():
        return ()
    known = {one.record.output.place for one in entries(log) if one.whole}
    count = sum(place_of(name, log.parent) in known for name in there)
    if not count:
        return ()
    files = "1 file that is there is a result" if count == 1 else f"{count} files that are there are results"
    return (f"{files} by the audit log, and the ledger does not know that: adopt them to make the ledger again",)


def _refuse_link(log: Path) -> None:
    """Raise OutputError where a name leads to a batch's own log that has another name, or is in another folder."""
    target = log.resolve()
    if not log.is_symlink() or target == log.parent.resolve() / log.name:
        return
    path = ledger_at(target.parent)
    if path is None:
        return
    with Ledger(path, read_only=True) as ledger:
        knows = _knows(ledger, target.name)
    if knows:
        message = f"the audit log {log} is a link to {target}, that of another batch, whose ledger is {path.resolve()}"
        raise _of_another(message, log)


def _of_another(message: str, log: Path) -> OutputError:
    hint = "each batch has a log of its own: name another file"
    return OutputError(message, code="audit-of-another", field="audit", value=str(log), hint=hint)


def _knows(ledger: Ledger, log: str) -> bool:
    """Whether a ledger's runs have appended to the log of that name in the folder of their results."""
    return ledger.log_end(log) is not None or _lines_of_results(ledger, log) > 0


def _lines_of_results(ledger: Ledger, log: str) -> int:
    """The last line of a log that a result of the ledger has; 0 for none."""
    return max((_line_in(entry, log) for entry in ledger.entries("done")), default=0)


def _line_in(entry: LedgerEntry, log: str) -> int:
    try:
        return int(json.loads(entry.detail or "{}")["logged"][log])
    except (ValueError, TypeError, KeyError):
        return 0


def _record_id(entry: LedgerEntry) -> str:
    """The id of the record of a job that is finished and may have its line."""
    try:
        return id_of_record(json.loads(entry.line or "{}")["record"])
    except (ValueError, TypeError, KeyError):
        return ""
