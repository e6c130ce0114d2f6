"""Which planned rows a run would refuse once it has read their files: a box outside of the picture, say."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from overpaint.engines import Monitor
from overpaint.errors import OverpaintError

from .plan import PlannedEdit
from .reasons import unexpected
from .rows import BadRow
from .store import Address, is_address
from .task import Task, TaskOptions
from .worker import Worker

_AT_ONCE = 2


def refused_rows(items: Sequence[PlannedEdit], worker: Worker, options: TaskOptions) -> list[BadRow]:
    """Rows that would be refused, by what `Worker.check` sees. Those that continue from another row's result, and those
    that have a file in an object store, are left to the run.
    """
    here = [item for item in items if item.after is None and not _is_elsewhere(item)]
    monitor = Monitor()

    def problem(item: PlannedEdit) -> OverpaintError | None:
        try:
            worker.check(Task(item, options, item.image_sha256, item.output), monitor)
        except OverpaintError as error:
            return error
        except Exception as error:  # one row does not cost the others
            return unexpected(error)
        return None

    threads = ThreadPoolExecutor(_AT_ONCE, "overpaint-check")
    try:
        found = list(threads.map(problem, here))
    except BaseException:
        monitor.cancel()
        raise
    finally:
        threads.shutdown(cancel_futures=True)
    return [
        BadRow(item.row.number, error, item.row.id, item.row.image)
        for item, error in zip(here, found, strict=True)
        if error is not None
    ]


def _is_elsewhere(item: PlannedEdit) -> bool:
    return isinstance(item.image, Address) or any(is_address(name) for name, _ in item.beside)
