"""What a ledger knows of a log: a second place that tells how it ended, with the results that it should have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ._line import ChainHead


@dataclass(frozen=True, slots=True)
class Witness:
    """What a ledger knows of a log.

    Attributes:
        name: The ledger's, for messages.
        end: The end of the chain when the ledger last appended; None where it never did.
        own: Whether only this ledger's programs append to the log, so that it knows every edit.
        pending: Ids of records that may have been appended since.
        lines: How many lines the log had when the last result of those that the ledger has got its line; 0 for none.
        results: The digests of results, by their places.
        files: Names of files beside the log that belong to the ledger's program, where every other file in the folder
            should be in the log; else None.
    """

    name: str
    end: ChainHead | None
    own: bool = False
    pending: frozenset[str] = frozenset()
    lines: int = 0
    results: Mapping[str, str] = field(default_factory=dict)
    files: frozenset[str] | None = None


class LogLedger(Protocol):
    """A ledger as a log sees it."""

    def witness(self) -> Witness:
        """What it knows of the log now."""

    def advance(self, end: ChainHead) -> None:
        """Keep the end of the chain, on the disk."""
