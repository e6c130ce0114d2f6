"""What a server says of its pictures, masks and jobs, as values. Fields that a newer server adds are passed over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from overpaint.errors import OverpaintError
from overpaint.geometry import Box, Size

from ._replies import FINAL, error_from, foreign


def plain(table: Any) -> dict[str, Any]:
    """A table of a reply, whose lists are tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in dict(table).items()}


class ServerAnswer:
    """A value that a server's table has the fields of."""

    __slots__ = ()

    @classmethod
    def of(cls, table: Any, url: str = "the server") -> Self:
        """From the server's table. ServerError where it lacks a field."""
        try:
            given = cls._parts(table)
            names = {one.name for one in fields(cls)}  # type: ignore[arg-type]
            return cls(**{name: value for name, value in given.items() if name in names})
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise foreign(url, f"its reply has another form ({error})") from None

    @classmethod
    def _parts(cls, table: Any) -> dict[str, Any]:
        return plain(table)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedPicture(ServerAnswer):
    """A picture that a server keeps.

    Attributes:
        id: The SHA-256 of its file.
        format: "png", "jpeg", ...
        width, height: In pixels, as it is shown.
        mode: Channels and bits: "rgb 8-bit".
        bytes: The file's size.
        transparent: Whether a part of it is transparent.
        notes: What is damaged, say.
    """

    id: str
    format: str
    width: int
    height: int
    mode: str
    bytes: int
    transparent: bool = False
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return Size(self.width, self.height)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedMask(UploadedPicture):
    """A mask that a server keeps; white = repaint.

    Attributes:
        fraction: The share of the picture that is marked.
        bounds: The box around what is marked.
        hard: Whether its edges are no wider than an antialiased brush's.
    """

    fraction: float
    bounds: Box
    hard: bool

    @classmethod
    def _parts(cls, table: Any) -> dict[str, Any]:
        found = plain(table)
        return {**found, "bounds": Box(*found["bounds"])}


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedSelection(UploadedMask):
    """A mask of something that a server's selector found, which the server keeps.

    Attributes:
        score: How sure the selector is, 0 to 1.
        label: What it is; "" where there is nothing to say.
        alternative: Whether it is another meaning of the same hints as the one before it, and not joined with others.
    """

    score: float
    label: str = ""
    alternative: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFile(ServerAnswer):
    """A result of a job, which is a picture that the server keeps.

    Attributes:
        picture: The picture's id.
        width, height: In pixels.
        format: "png", "jpeg", ...
        bytes: The file's size.
        seed: The seed that was used; None for an engine without one.
        fidelity: "lossless", "blocks" or "re-encoded": how the file keeps the pixels beyond the reach.
        reach: Pixels beyond the mask from which on nothing changed.
        changed: Pixels beyond the reach that the file's own loss changed.
        notes: For people.
        doubt: Why the fill is doubtful; "" where nothing was found.
        timings: Seconds by step.
    """

    picture: str
    width: int
    height: int
    format: str
    bytes: int
    seed: int | None = None
    fidelity: str = ""
    reach: int = 0
    changed: int = 0
    notes: tuple[str, ...] = ()
    doubt: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTake(ServerAnswer):
    """A result of a job on a session: a take of one of its steps.

    Attributes:
        session: The session's id.
        step, take: Their numbers.
        version: The session's version once it was there.
        seed: The seed that was used; None for an engine without one.
        notes: For people.
        doubt: Why the fill is doubtful; "" where nothing was found.
        timings: Seconds by step.
    """

    session: str
    step: int
    take: int
    version: int
    seed: int | None = None
    notes: tuple[str, ...] = ()
    doubt: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSnapshot(ServerAnswer):
    """Where a job stands, or stood when it was last asked for.

    Attributes:
        id: Its name.
        state: "queued", "running", "done", "failed" or "cancelled".
        created, updated: Seconds since 1970.
        attempts: How often it was started.
        place: How many jobs go before it; None unless it waits.
        step, steps: The engine's progress; steps is 0 before the first.
        notes: What a person should know before it is painted.
        results: Those of an edit that there are.
        takes: Those of a session that there are.
        canvases: Ids of painted canvases that there are.
        session: The session that it works on; None for none.
        error: Why it failed; None where it did not.
        task: What was asked for, without what was left open.
    """

    id: str
    state: str
    created: float
    updated: float
    attempts: int = 0
    place: int | None = None
    step: int = 0
    steps: int = 0
    notes: tuple[str, ...] = ()
    results: tuple[ResultFile, ...] = ()
    takes: tuple[SessionTake, ...] = ()
    canvases: tuple[str, ...] = ()
    session: str | None = None
    error: OverpaintError | None = None
    task: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.state in FINAL

    @classmethod
    def _parts(cls, table: Any) -> dict[str, Any]:
        found = plain(table)
        error = found.get("error")
        given = found.get("results", ())
        return {
            **found,
            "results": tuple(ResultFile.of(one) for one in given if "picture" in one),
            "takes": tuple(SessionTake.of(one) for one in given if "session" in one),
            "canvases": tuple(one["canvas"] for one in given if "canvas" in one),
            "error": None if error is None else error_from(error),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHealth(ServerAnswer):
    """That a server answers.

    Attributes:
        status: "ok".
        version: The version of Overpaint that it runs.
    """

    status: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLoad(ServerAnswer):
    """What a server does for this client now.

    Attributes:
        seconds: Since it was started.
        lanes: Jobs that are worked on at the same time.
        jobs: The client's jobs by state.
    """

    seconds: float
    lanes: int
    jobs: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerNames(ServerAnswer):
    """The names of samplers and schedulers that a server's engines know."""

    samplers: tuple[str, ...]
    schedulers: tuple[str, ...]
