"""The ledger as a witness of the audit log: it keeps the end of the log's chain, and knows which results there are."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from overpaint.audit import ChainHead, Witness
from overpaint.audit import id_of as id_of_record
from overpaint.ledger import Ledger, LedgerEntry

from .folders import FOLDER, LEDGER
from .report import PAGE, TABLE


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
        key = log.name if log.parent == own_folder else str(log.absolute())
        return cls(lambda: contextlib.nullcontext(ledger), key)

    @classmethod
    def reading(cls, path: Path, log: Path) -> LogWitness:
        """A ledger that is only read, for a log of its batch.

        Raises:
            LedgerError: It can't be read.
        """
        with Ledger(path, read_only=True) as ledger:
            key = log.name if ledger.log_end(log.name) else str(log.absolute())
        return cls(lambda: Ledger(path, read_only=True), key)

    @classmethod
    def beside(cls, log: Path) -> LogWitness | None:
        """The ledger of the batch whose own log this is, for a program that appends to it too; None for none."""
        path = ledger_at(log.parent)
        if path is None:
            return None
        with Ledger(path) as ledger:
            return cls(lambda: Ledger(path), log.name) if ledger.log_end(log.name) else None

    def witness(self) -> Witness:
        """What the ledger knows of the log now."""
        with self.open() as ledger:
            end = ledger.log_end(self.key)
            pending = frozenset(map(_record_id, ledger.entries("finished")))
            head = None if end is None else ChainHead(*end)
            return Witness(ledger.path.name, head, own=not Path(self.key).is_absolute(), pending=pending)

    def full_witness(self, log: Path) -> Witness:
        """The same with the results that lie in the log's folder, where that is the batch's."""
        known = self.witness()
        with self.open() as ledger:
            if not known.own or ledger.path.parent == log.parent:
                return known
            done = ledger.entries("done")
        results = {entry.spec: entry.result for entry in done if entry.result and entry.spec}
        return replace(known, results=results, files=frozenset((PAGE, TABLE)))

    def advance(self, end: ChainHead) -> None:
        """Keep the end of the chain."""
        with self.open() as ledger:
            ledger.keep_log_end(self.key, end.count, end.hash)


def ledger_at(place: Path) -> Path | None:
    """The ledger at a place: the file, in the folder of a batch's state, or in that of its results. None for none."""
    found = (place / LEDGER, place / FOLDER / LEDGER) if place.is_dir() else (place,)
    return next((path for path in found if path.exists()), None)


def _record_id(entry: LedgerEntry) -> str:
    """The id of the record of a job that is finished and may have its line."""
    try:
        return id_of_record(json.loads(entry.line or "{}")["record"])
    except (ValueError, TypeError, KeyError):
        return ""
