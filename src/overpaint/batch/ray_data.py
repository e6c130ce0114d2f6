"""Edits as a step of a Ray Data pipeline: takes blocks of rows, and adds columns for their results."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overpaint.doors.names import DEFAULT_TEMPLATE
from overpaint.engines import Monitor
from overpaint.errors import OverpaintError, RequestError
from overpaint.record import Marking
from overpaint.studio import Studio

from .files import Files
from .plan import PlannedEdit, RecordMode, Rules, plan
from .reasons import reason_of
from .results import hidden_beside
from .rows import OWN, REQUEST, RawRow, Reader, RowDefaults
from .store import at, publish
from .task import Task, TaskOptions
from .worker import Worker

Block = Mapping[str, NDArray[Any]]
"""A column of values by name, all of one length."""


class EditActor:
    """A callable for `Dataset.map_batches`: takes rows of a batch, and adds the columns `output`, `sha256`, `error`.

        rows.map_batches(EditActor, fn_constructor_kwargs={"out": "/shared/out", "intent": "remove"}, concurrency=4)

    A row's columns are those of a batch's list: image, mask, box, prompt, id ...; others are passed through. A row that
    fails has the reason in `error`. Ray Data may run a block twice without harm: the same row has the same seed and
    gives the same file, which gets its name in one step.
    """

    def __init__(
        self,
        out: str,
        *,
        base: str = ".",
        name: str = DEFAULT_TEMPLATE,
        seed: int = 0,
        record: RecordMode = "embed",
        marking: Marking = Marking(),  # noqa: B008 - it is frozen
        allow: tuple[str, ...] = (),
        ahead: int = 4,
        device: str = "auto",
        threads: int | None = 1,
        allow_pickle: bool = False,
        **settings: Any,
    ) -> None:
        """Nothing is loaded before the first block.

        Args:
            out: The folder of results, the same on every node, or the address of one in an object store.
            base: The folder that paths in rows are relative to.
            name: The template of results' names; it can't have {row}, as a block does not know its position.
            seed: From this, and the row's id or output, follow the seeds of rows without one.
            record: Where the record of a result goes.
            marking: What a result's file says of its origin.
            allow: The beginnings of addresses that rows may name.
            ahead: Rows in progress at once.
            device, threads, allow_pickle: Of the studio.
            **settings: Fields of the request for every row: intent, prompt, engine ... Left out, intent is "remove" and
                exact is true, as in a batch.
        """
        if "{row}" in name:
            raise RequestError(f"the name {name!r} has {{row}}; a block of rows does not know its position: use {{id}}")

        self._rules = Rules(
            out=at(Path.cwd(), out),
            base=Path(base).absolute(),
            name=name,
            seed=seed,
            record=record,
            marking=marking,
            overwrite=True,
            allow=allow,
        )
        self._reader = Reader(RowDefaults(settings=settings))
        self._studio = Studio(device=device, threads=threads, allow_pickle=allow_pickle)  # type: ignore[arg-type]
        self._worker = Worker(self._studio)
        self._pool = ThreadPoolExecutor(ahead, thread_name_prefix="overpaint-data")

    def __call__(self, block: Block) -> dict[str, NDArray[Any]]:
        """Run the rows of a block.

        Raises:
            RequestError: Two of them would write one file.
        """
        count = len(next(iter(block.values()), ()))
        tables = [{name: _plain(column[index]) for name, column in block.items()} for index in range(count)]
        own = {*OWN, *REQUEST}  # a data set may have other columns
        raw = [RawRow(index, {name: table[name] for name in own & table.keys()}) for index, table in enumerate(tables)]
        with tempfile.TemporaryDirectory(prefix="overpaint-") as folder, Files(Path(folder) / "files.sqlite") as files:
            planned = plan(map(self._reader.read, raw), self._rules, self._studio, files)
        outcomes = {row.number: ("", "", reason_of(row.error, private=False)) for row in planned.bad}
        numbers = (item.row.number for item in planned.items)
        outcomes |= zip(numbers, self._pool.map(self._do, planned.items), strict=True)
        names = enumerate(("output", "sha256", "error"))
        found = {name: np.array([outcomes[n][place] for n in range(count)], dtype=object) for place, name in names}
        return {**block, **found}

    def _do(self, item: PlannedEdit) -> tuple[str, str, str]:
        """Path and digest of the result, and why there is none."""
        hidden = hidden_beside(item.output, f"{item.key[:16]}-{id(item):x}")
        options = TaskOptions(
            self._rules.base, record=self._rules.record, marking=self._rules.marking, thumbnails=False
        )
        task = Task(item, options, item.image_sha256, hidden)
        try:
            result = self._worker.do(task, Monitor())
            publish(hidden, item.output, overwrite=True)
        except OverpaintError as error:
            return ("", "", reason_of(error, private=False))
        return (str(item.output), result.sha256, "")


def _plain(value: Any) -> Any:
    """A cell as a JSON value; None for an empty one."""
    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value.tolist()]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else value
