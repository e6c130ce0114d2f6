"""Events of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Began:
    """The plan is made, and what an earlier run left is completed.

    Attributes:
        rows: Of the manifest.
        to_do: Rows that will be done now.
        unchanged: Rows whose result is present and valid.
        left: Rows that the filter or the limit leaves for another run.
        bad: Rows that can't be started.
        completed: Results of an interrupted run that were published now.
        notes: For people: files of the folder that were left out, things in prompts that a model can't paint.
        in_review: Rows whose result needs a review since an earlier run.
    """

    rows: int
    to_do: int
    unchanged: int
    left: int
    bad: int
    completed: int = 0
    notes: tuple[str, ...] = ()
    in_review: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """A row has its result.

    Attributes:
        id, row: Its id and number.
        output: The file, relative to the folder of results.
        seconds: Time that it took, without waiting.
        warnings: What a person should check.
        details: All that the report says of it.
    """

    id: str
    row: int
    output: str
    seconds: float
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Doubted:
    """A row has a doubtful result, which was set aside for review.

    Attributes:
        id, row, seconds, warnings, details: As of `Done`.
        output: The file that it gets once it is accepted, relative to the folder of results.
        aside: The file now, likewise.
        doubts: The measures above their limits; `details` has their values.
        image: The row's picture, as the list names it; "" for a row that continues from another one.
    """

    id: str
    row: int
    output: str
    aside: str
    seconds: float
    doubts: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)
    image: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """A person has decided, by a review while the run goes on, on a result that was set aside.

    Attributes:
        id, row: Id and number of its row.
        output: The file that it got if it was accepted, relative to the folder of results.
        verdict: "accepted": the row is done. "rejected": it has failed; a run of a list leaves it to the next run, and
            one that watches a folder paints it again where another seed gives another picture.
        seeded: Whether it does.
    """

    id: str
    row: int
    output: str
    verdict: Literal["accepted", "rejected"]
    seeded: bool = True


@dataclass(frozen=True, slots=True)
class Failed:
    """A row failed.

    Attributes:
        id, row: Its id and number.
        reason: Why.
        again: Whether it is tried again.
        begun: False for a row that could not be started.
        image: Its picture, as the list names it; "" where that is not known.
        before: In a folder that is watched, of a row that could not be started: its state before; "" for a new one.
    """

    id: str
    row: int
    reason: str
    again: bool = False
    begun: bool = True
    image: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A chained row turned out to be done already, once the result before it was made again."""

    id: str
    row: int


@dataclass(frozen=True, slots=True)
class Watching:
    """A folder is watched from now on; `Began` follows when what is in it has been looked at.

    Attributes:
        folder: The folder.
    """

    folder: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """A picture has come into a folder that is watched, or was changed there, and is whole.

    Attributes:
        id, row: Id and number of its row.
        image, mask: The files; no mask where it is not from a file.
        again: Whether the row was there before.
        before: Its state then: "done", "unchanged", "needs-review", "failed", "waiting", or "left" by the filter.
    """

    id: str
    row: int
    image: str
    mask: str | None = None
    again: bool = False
    before: str = ""


@dataclass(frozen=True, slots=True)
class Departed:
    """A picture is no longer in a folder that is watched: its row has left the list. Its result stays.

    Attributes:
        image: The file.
        row: The number of its row.
        state: The row's until then, as of `Arrived`.
    """

    image: str
    row: int
    state: str = ""


@dataclass(frozen=True, slots=True)
class Postponed:
    """A picture in a folder that is watched can't be a row yet, as its mask has not come; or a folder can't be read.

    Attributes:
        image: The file, or the folder.
        reason: What it waits for.
    """

    image: str
    reason: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Files in a folder that is watched that are no pictures; each is reported once."""

    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing is to be done in a folder that is watched; reported when this begins, and every minute.

    Attributes:
        rows: Pictures that are rows.
        done, unchanged, failed: Of these, as at the end of a run.
        unfinished: Files that are still being written.
        postponed: Pictures whose masks have not come.
        in_review: Rows whose result needs a review.
    """

    rows: int
    done: int
    unchanged: int
    failed: int
    unfinished: int = 0
    postponed: int = 0
    in_review: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is over.

    Attributes:
        done: Rows that were done.
        unchanged: Rows that were done before.
        failed: Rows without a result, for a reason.
        left: Rows that are still to be done.
        seconds: Time of the run.
        painting: Seconds that engines worked, summed over the rows.
        interrupted: Whether the user stopped it.
        stopped: Why else it ended early: a failure with fail_fast, a full disk.
        head: The end of the audit log's chain.
        in_review: Rows with a doubtful result that needs a review, of this run and of earlier ones.
        warned: Of the rows that were done, those whose result has a warning.
        doubtful: Of these, those whose result is doubtful: it was not set aside, as the run had no gate.
        departed: Of the rows that were done, those whose picture has left a folder that is watched since.
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
    in_review: int = 0
    warned: int = 0
    doubtful: int = 0
    departed: int = 0


@dataclass(frozen=True, slots=True)
class Starting:
    """Workers of a cluster start.

    Attributes:
        workers: How many.
        nodes: On so many nodes.
    """

    workers: int
    nodes: int


@dataclass(frozen=True, slots=True)
class Ready:
    """The workers that were starting are ready, or could not be started. Models are loaded with the first rows.

    Attributes:
        workers: Ready now.
        reused: Of these, kept by an earlier run, with the models that it loaded.
        seconds: Since they were started.
    """

    workers: int
    reused: int
    seconds: float


Event = (
    Began
    | Done
    | Doubted
    | Decided
    | Failed
    | Unchanged
    | Starting
    | Ready
    | Ended
    | Watching
    | Arrived
    | Departed
    | Postponed
    | LeftOut
    | Idle
)
