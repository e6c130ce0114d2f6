"""The ledger as rows of a report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from overpaint.batch import store
from overpaint.ledger import Ledger, LedgerEntry

ReportRow: TypeAlias = Mapping[str, Any]
"""One row of the report, plain JSON values: what is known of it (see `worker`), and over that

row: its number in the manifest; 0 where it is not known.
id, state, attempts: as in the ledger.
output: the result's file, relative to the report.
sha256: the result's digest; "" where there is none.
reason: why there is none.
listed: whether it is a row of the list; False for one that is no longer in it, whose result is still there.
updated: when its state last changed, in whole seconds since 1970.
"""

_OWN = ("key", "aside", "variation", "tried", "seeded")
"""Details that are for the next run."""


def view(ledger: Ledger, listed: Mapping[str, int] | None = None) -> list[ReportRow]:
    """Every row of the ledger, in the order of the manifest; those that are no longer in it come last, without
    a number. `listed` has the numbers of its rows by their ids; None: all are in it.
    """
    rows = [_row(entry, listed) for entry in ledger.entries()]
    return sorted(rows, key=lambda row: (row["row"] == 0, row["row"]))


def _row(entry: LedgerEntry, listed: Mapping[str, int] | None) -> ReportRow:
    details = json.loads(entry.detail) if entry.detail else {}
    details.pop("logged", None)
    return {
        **{name: value for name, value in details.items() if name not in _OWN},
        "row": int(details.get("row") or 0) if listed is None else listed.get(entry.id, 0),
        "id": entry.id,
        "state": entry.state,
        "listed": listed is None or entry.id in listed,
        "attempts": entry.attempts,
        "output": store.name_of_result(entry),
        "sha256": entry.result or "" if entry.state in ("done", "needs-review") else "",
        "reason": entry.note or "",
        "updated": round(entry.updated),
    }
