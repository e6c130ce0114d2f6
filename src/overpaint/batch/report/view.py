"""The ledger as rows of a report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from overpaint.ledger import Ledger


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One row of the report.

    Attributes:
        id, state, attempts: As in the ledger.
        output: The result's file, relative to the report.
        sha256: The result's digest; "" where there is none.
        reason: Why there is none.
        updated: When its state last changed, in seconds since 1970.
        details: What is known of it (see `worker`), plain JSON values.
    """

    id: str
    state: str
    attempts: int
    output: str
    sha256: str
    reason: str
    updated: float
    details: Mapping[str, Any]

    @property
    def row(self) -> int:
        """Its number in the manifest; 0 where it is not known."""
        return int(self.details.get("row") or 0)


def view(ledger: Ledger) -> list[ReportRow]:
    """Every row of the ledger, in the order of the manifest."""
    rows = [
        ReportRow(
            id=entry.id,
            state=entry.state,
            attempts=entry.attempts,
            output=entry.spec,
            sha256=entry.result or "" if entry.state == "done" else "",
            reason=entry.note or "",
            updated=entry.updated,
            details=json.loads(entry.detail) if entry.detail else {},
        )
        for entry in ledger.entries()
    ]
    return sorted(rows, key=lambda row: (row.row == 0, row.row))
