"""Jobs, and decisions on their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from overpaint.errors import LedgerError

State = Literal["waiting", "leased", "finished", "needs-review", "done", "failed"]


class LeaseLostError(LedgerError):
    """The lease was over before the job was finished: another worker may have it, and the result must be dropped."""


@dataclass(frozen=True, slots=True)
class Job:
    """A unit of work.

    Attributes:
        id: Its permanent name.
        key: Digest of everything that its result follows from. A job with another key starts again.
        spec: What a worker needs to know, as text; the ledger does not read it.
        retries: Times it may be tried again after a failure.
    """

    id: str
    key: str
    spec: str = ""
    retries: int = 0


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A job with its state. Of a job that was claimed it is the lease: the right to do the job until a time.

    Attributes:
        id, key, spec: The job's.
        state: See the module.
        attempts: Times it was started.
        retries: Times it may be tried again.
        token, owner, until: Of the lease: its unique name, its holder, and when it is over unless renewed, in seconds
            of the ledger's clock. None without one; a finished job keeps its token.
        result: Digest of the result when it was last finished, also when the job was started again since; None where
            that result was set aside for review, and not accepted.
        line: What is left to do for a finished job, or for one that is accepted, as text.
        detail: For reports, as text.
        note: Why it failed.
        updated: Time of the last change of state, in seconds since 1970.
    """

    id: str
    key: str
    spec: str
    state: State
    attempts: int
    retries: int
    token: str | None
    owner: str | None
    until: float | None
    result: str | None
    line: str | None
    detail: str | None
    note: str | None
    updated: float


@dataclass(frozen=True, slots=True)
class LeftDecision:
    """A person's decision on a result, left for the process that runs the jobs.

    Attributes:
        id: The job's.
        result: Digest of the result that it is about.
        line: The decision, as text.
        problem: Why it could not be carried out; None before it was tried.
    """

    id: str
    result: str
    line: str
    problem: str | None = None
