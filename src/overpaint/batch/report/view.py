"""The ledger as rows of a report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from overpaint.ledger import Ledger, LedgerEntry

ReportRow: TypeAlias = Mapping[str, Any]
"""One row of the report, plain JSON values: what is known of it (see `worker`), and over that

row: its number in the manifest; 0 where it is not known.
id, state, attempts: as in the ledger.
output: the result's file, relative to the report.
sha256: the result's digest; "" where there is none.
reason: why there is none.
updated: when its state last changed, in whole seconds since 1970.
"""


def view(ledger: Ledger) -> list[ReportRow]:
    """Every row of the ledger, in the order of the manifest."""
    return sorted(map(_row, ledger.entries()), key=lambda row: (row["row"] == 0, row["row"]))


def _row(entry: LedgerEntry) -> ReportRow:
    details = json.loads(entry.detail) if entry.detail else {}
    return {
        **details,
        "row": int(details.get("row") or 0),
        "id": entry.id,
        "state": entry.state,
        "attempts": entry.attempts,
        "output": entry.spec,
        "sha256": entry.result or "" if entry.state == "done" else "",
        "reason": entry.note or "",
        "updated": round(entry.updated),
    }
