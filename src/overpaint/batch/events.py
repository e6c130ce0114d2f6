"""What a run tells while it goes on: one value for each thing that happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Began:
    """The plan is made, and what an earlier run left is in order.

    Attributes:
        rows: Of the manifest.
        to_do: Rows that will be done now.
        unchanged: Rows whose result is there and as it should be.
        left: Rows that could be done and will not be now: the filter or the limit left them out.
        bad: Rows that can't be begun.
        completed: Results of an interrupted run that got their names now.
        notes: For people: files of the folder that were left out.
    """

    rows: int
    to_do: int
    unchanged: int
    left: int
    bad: int
    completed: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """A row has its result.

    Attributes:
        id, row: Its name and number.
        output: The file, relative to the folder of results.
        seconds: Of work for it, waiting left out.
        warnings: What a person might look at.
        told: All that the report says of it.
    """

    id: str
    row: int
    output: str
    seconds: float
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """A row did not work out.

    Attributes:
        id, row: Its name and number.
        reason: Why not.
        again: Whether it is tried again.
        begun: False for a row that could not even be begun.
    """

    id: str
    row: int
    reason: str
    again: bool = False
    begun: bool = True


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A chained row turned out to be done already, once the one before it was there again."""

    id: str
    row: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is over.

    Attributes:
        done: Rows that were done in it.
        unchanged: Rows that were done before.
        failed: Rows without a result, for a reason.
        left: Rows that could still be done.
        seconds: How long it took.
        painting: Seconds that the engine was at work, summed over what it painted.
        interrupted: Whether it was called off.
        stopped: Why it ended early otherwise: a failure with fail_fast, a full disk.
        head: The end of the audit log's chain.
    """

    done: int
    unchanged: int
    failed: int
    left: int
    seconds: float
    painting: float = 0.0
    interrupted: bool = False
    stopped: str = ""
    head: str = ""


Event = Began | Done | Failed | Unchanged | Ended
