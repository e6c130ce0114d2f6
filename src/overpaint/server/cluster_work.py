"""Jobs that workers on a Ray cluster do. The queue, its ledger and the pictures stay here."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from overpaint.bounded import MemoryBudget
from overpaint.engines import Monitor
from overpaint.errors import WorkerLostError
from overpaint.studio import Studio

from .pictures import PictureStore
from .settings import ServerSettings
from .work import EditWork, MadeResult, StudioWorker

if TYPE_CHECKING:
    from overpaint.batch.cluster import RayExecutor
    from overpaint.batch.worker import Worker

log = logging.getLogger("overpaint.server")

_ATTEMPTS = 3
"""Workers that a job may lose; then it is likely what ends them."""


@dataclass(frozen=True, slots=True)
class ClusterEdit:
    """An edit as a worker of a cluster gets it (see `batch.task.ClusterTask`). Nothing of it is on a disk there.

    Attributes:
        name: One of its own.
        work: What is to be done.
    """

    name: str
    work: EditWork

    @property
    def private(self) -> bool:
        """Whether the worker must end with the server."""
        return self.work.task.private

    @property
    def followed(self) -> bool:
        """Its progress is followed."""
        return True

    def done_by(self, worker: Worker, monitor: Monitor) -> tuple[MadeResult, ...]:
        """The results, made in the worker's process."""
        return tuple(self.work.results(worker.studio, worker.budget, monitor))

    def drop(self) -> None:
        """A lost worker leaves nothing."""


class ClusterWorker(StudioWorker):
    """Has tasks done on a cluster. The studio here only checks them. Thread-safe."""

    def __init__(
        self,
        studio: Studio,
        pictures: PictureStore,
        settings: ServerSettings,
        budget: MemoryBudget,
        executor: RayExecutor,
    ) -> None:
        """The caller closes the studio and stops the executor."""
        super().__init__(studio, pictures, settings, budget)
        self._executor = executor

    def _made(self, work: EditWork, monitor: Monitor) -> Iterable[MadeResult]:
        """The results of an edit. One whose worker is lost is done again by another: it has stored nothing here.

        Raises:
            OverpaintError: As in the worker; WorkerLostError where each attempt lost its worker.
        """
        task = ClusterEdit(secrets.token_hex(16), work)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                found: Iterable[MadeResult] = self._executor.start(task, monitor).result()
                return found
            except WorkerLostError as error:
                log.warning("an edit lost its worker (attempt %d): %s", attempt, error)
                monitor.check()
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError
