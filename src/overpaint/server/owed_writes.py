"""What the ledger has still to be given: the ends of jobs that could not be written down, on a full disk, say.

A job has ended once its work has: clients hear of it, and its results are there. What was not written down is tried
again until it is. Before that, a server that is killed does the job again at its next start.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable

from overpaint.errors import LedgerError
from overpaint.ledger import LeaseLostError

log = logging.getLogger("overpaint.server")

_REST = 0.5
"""Seconds between two times that all are tried again."""


class OwedWrites:
    """Writes about jobs, of each in their order. Its methods are called within the queue's lock."""

    def __init__(self) -> None:
        self._owed: dict[str, deque[Callable[[], object]]] = {}
        self._tried = 0.0

    def __len__(self) -> int:
        return len(self._owed)

    def write(self, job: str, writes: Iterable[Callable[[], object]]) -> None:
        """Write about a job, now or, where the ledger fails, later.

        Args:
            job: Its id.
            writes: Calls of the ledger, each of which is done once.
        """
        self._owed.setdefault(job, deque()).extend(writes)
        try:
            self.settle(job)
        except LedgerError as error:
            self._tried = time.monotonic()
            log.error("the end of the job %s can't be written yet: %s", job, error)

    def settle(self, job: str) -> None:
        """Write what is owed about a job. Raises LedgerError where that fails still."""
        writes = self._owed.get(job)
        while writes:
            try:
                writes[0]()
            except LeaseLostError as error:  # there is nothing to be written any more
                log.error("%s", error)
            writes.popleft()
        self._owed.pop(job, None)

    def settle_all(self, *, at_once: bool = False) -> None:
        """Write what is owed about all jobs, where some time has gone by since that was tried last."""
        now = time.monotonic()
        if not self._owed or (now - self._tried < _REST and not at_once):
            return
        self._tried = now
        for job in list(self._owed):
            try:
                self.settle(job)
            except LedgerError as error:
                log.error("the ends of %d jobs can't be written yet: %s", len(self._owed), error)
                return
            log.warning("the end of the job %s is written now", job)
