"""The order in which a client's waiting jobs are to be done, where it is not that of their arrival: in the ledger."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence

from overpaint.ledger import Ledger, LedgerEntry

from .job import EditJob

_ORDER = "order of "
"""Before a client's name, what the ledger keeps the order of its waiting jobs under."""


def keep_order(ledger: Ledger, owner: str, ids: Sequence[str]) -> None:
    """Write down the order of a client's jobs, by their ids."""
    ledger.keep(_ORDER + owner, json.dumps(ids))


def in_order(ledger: Ledger, jobs: Iterable[tuple[EditJob, LedgerEntry]]) -> list[tuple[EditJob, LedgerEntry]]:
    """The jobs, of each client in the order that was written down last, and those that came later behind them."""
    stored = sorted(jobs, key=lambda pair: pair[0].updated if pair[0].ended else math.inf)
    orders: dict[str, dict[str, int]] = {}
    for owner in {job.owner for job, _ in stored if not job.ended}:
        kept = json.loads(ledger.kept(_ORDER + owner) or "[]")
        orders[owner] = {id: place for place, id in enumerate(kept)}

    def place(pair: tuple[EditJob, LedgerEntry]) -> int:
        job = pair[0]
        return -1 if job.ended else orders[job.owner].get(job.id, len(stored))

    return sorted(stored, key=place)
