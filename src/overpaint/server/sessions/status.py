"""How a session is now, as clients see it."""

from __future__ import annotations

from pydantic import BaseModel, Field

from overpaint.session import Session, Step
from overpaint.values import Value, digest_of

from .store import StoredSession


class StepStatus(BaseModel):
    """One step of a session."""

    number: int = Field(description="its number, which it keeps")
    place: int = Field(description="its place in the stack, 1 being the lowest")
    intent: str
    engine: str = Field(description="the engine, or the model, that painted it")
    prompt: str
    seed: int | None
    take: int = Field(description="the take that shows, from 1")
    paint: str = Field(description="the digest of the take that shows")
    takes: int = Field(description="how many there are: variations, and times that it was painted again")
    aside: list[int] = Field(description="the takes that were put aside, from 1: they stay, and lists leave them out")
    visible: bool
    opacity: float
    masked: bool = Field(description="whether a mask hides a part of it")
    stale: bool = Field(description="whether what its engine saw of the steps below is no longer so")
    box: tuple[int, int, int, int] = Field(description="what it may change, in pixels of the original")
    doubt: str
    notes: list[str]

    @classmethod
    def of(cls, step: Step, paint: str) -> StepStatus:
        """From the session's step; `paint` is the digest of its take."""
        values = {name: getattr(step, name) for name in cls.model_fields if name != "paint"}
        lists = {"box": tuple(step.box), "notes": list(step.notes), "aside": list(step.aside)}
        return cls(**{**values, **lists, "paint": paint})


class HistoryEnd(BaseModel):
    """What undo, or redo, would do."""

    count: int = Field(description="how often it can be done")
    text: str = Field(description="what the next one takes back, or does again; empty for nothing")
    do: str = Field(description="the kind of action that it is, such as edit, rerun or opacity; empty for nothing")
    step: int | None = Field(description="the step that it changes")

    @classmethod
    def of(cls, count: int, text: str, action: Value | None) -> HistoryEnd:
        """From the session's next action that is taken back, or done again."""
        return cls(count=count, text=text, do=getattr(action, "do", ""), step=getattr(action, "step", None))


class SessionStatus(BaseModel):
    """How a session is now."""

    id: str
    name: str
    created: float = Field(description="seconds since 1970")
    version: int = Field(description="grows with each change")
    width: int = Field(description="of the present picture")
    height: int
    left: int = Field(description="where the present picture begins, in pixels of the original; 0 unless it has grown")
    top: int
    original_width: int = Field(description="of the original, as displayed")
    original_height: int
    original: str = Field(description="the SHA-256 of the original's file")
    picture: str = Field(description="a digest that changes with the present picture")
    branch: str
    branches: list[str]
    undo: HistoryEnd
    redo: HistoryEnd
    steps: list[StepStatus] = Field(description="from below to above")
    bytes: int = Field(description="of the session's file")
    torn: bool = Field(description="whether the file's end was lost by a crash, and the rest is whole")
    audited: bool = Field(description="whether it has an audit log")
    jobs: list[str] = Field(default=[], description="the ids of its jobs that wait or run")

    @classmethod
    def of(cls, stored: StoredSession, session: Session) -> SessionStatus:
        """From an open session."""
        canvas = session.canvas
        return cls(
            id=stored.id,
            name=stored.name,
            created=stored.created,
            version=len(session.actions) + stored.renamed,
            width=canvas.size.width,
            height=canvas.size.height,
            left=canvas.left,
            top=canvas.top,
            original_width=session.head.original.width,
            original_height=session.head.original.height,
            original=session.head.original.sha256,
            picture=session.look,
            branch=session.branch,
            branches=list(session.branches),
            undo=HistoryEnd.of(session.undo_count, session.undo_text, session.undo_action),
            redo=HistoryEnd.of(session.redo_count, session.redo_text, session.redo_action),
            steps=[StepStatus.of(step, session.take(step.number)) for step in session.steps],
            bytes=session.path.stat().st_size,
            torn=session.torn,
            audited=stored.audited,
        )

    @property
    def etag(self) -> str:
        """The header by which a change is made conditional."""
        return f'"{self.version}"'


def shown_digest(*parts: object) -> str:
    """The ETag of something that follows from these parts alone."""
    return f'"{digest_of([str(part) for part in parts])[:32]}"'
