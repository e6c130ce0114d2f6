"""Painting the steps of a session once more, and comparing what comes out with what is in it and in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from overpaint.engines import Monitor
from overpaint.errors import MaskError, RequestError, SessionError
from overpaint.record import version
from overpaint.session import PaintedAgain, Session, SessionAction, Take

from ._record_compared import contradictions
from ._replay import Comparison, changes_since, difference
from ._session import paint_digest
from ._session_record import LoggedTake


@dataclass(frozen=True, slots=True)
class ReplayedTake:
    """A take of a session that was painted once more.

    Attributes:
        action: Number of the action that painted it.
        step, take: Its step, and its number among the takes of that; 0 where it was dropped.
        outcome: Whether the same came out, in full depth, and all that its record says is what the replay found.
        reason: Why not, or why it was not compared.
        notes: What has changed since (versions, device, engine).
        unlogged: Whether it was not compared because the log does not have it.
        contradictions: Where its record says something else than the replay, each in words.
        painted: Whether the same came out, whatever the record says; None where nothing was painted.
    """

    action: int
    step: int
    take: int
    outcome: Comparison
    reason: str = ""
    notes: tuple[str, ...] = ()
    unlogged: bool = False
    contradictions: tuple[str, ...] = ()
    painted: bool | None = None


def replay_session(
    session: Session,
    *,
    wanted: Callable[[SessionAction], bool] = lambda action: True,
    takes: frozenset[str] | None = None,
    logged: Mapping[str, LoggedTake] | None = None,
    log: str = "",
    monitor: Monitor | None = None,
) -> Iterator[ReplayedTake]:
    """Paint takes of a session once more, each on what was below it then.

    Args:
        session: The session, which stays as it is.
        wanted: Whether what an action painted is wanted.
        takes: The digests of those that are wanted; None for all.
        logged: What a log has of takes, by their digests, to compare with; None for no log.
        log: The name of that log, for reasons.
        monitor: Progress and cancellation.

    Raises:
        SessionError: The session is damaged.
        OverpaintError: As `Session.edit`.
    """
    for action in session.actions:
        if not action.takes or not wanted(action) or (takes is not None and takes.isdisjoint(action.takes)):
            continue
        step = getattr(action.action, "step", 0)
        left = len(action.takes)
        try:
            for digest, again in zip(action.takes, session.paint_again(action, monitor=monitor), strict=False):
                left -= 1
                if takes is None or digest in takes:
                    yield _compared(action, digest, again, logged, log or "the log")
        except (SessionError, RequestError, MaskError) as error:
            if isinstance(error, SessionError) and error.code != "session-step":
                raise
            said = str(error) if isinstance(error, SessionError) else f"its record can't be painted again: {error}"
            more = f"; of this action {left} takes were not painted" if left > 1 else ""
            yield ReplayedTake(action.number, step, 0, "not compared", f"{said}{more}")


def _compared(
    action: SessionAction, digest: str, again: PaintedAgain, logged: Mapping[str, LoggedTake] | None, log: str
) -> ReplayedTake:
    found = contradictions(again)
    one = ReplayedTake(
        action=action.number,
        step=again.step,
        take=again.number,
        outcome="same" if again.equal and not found else "different",
        reason="; ".join((*_of_paint(again), *found)),
        notes=tuple(_changes(again)),
        contradictions=found,
        painted=again.equal,
    )
    if logged is None or one.outcome == "different":
        return one
    if digest not in logged:
        return replace(one, outcome="not compared", reason=f"{log} does not have it", unlogged=True)
    unlike = _unlike(logged[digest], again.take)
    return replace(one, outcome="different", reason=f"{log} has {unlike} of it") if unlike else one


def _of_paint(again: PaintedAgain) -> Iterator[str]:
    """How what came out differs."""
    if again.equal:
        return
    same_size = again.before.size == again.edited.picture.size
    found = difference(again.before, again.edited.picture) if same_size else None
    yield "it differs below what 8 or 16 bits show" if found is None else str(found)


def _unlike(logged: LoggedTake, take: Take) -> str:
    """What a log has in another way of a take, in words; "" for nothing."""
    if logged.paint != paint_digest(take):
        return "another paint"
    if logged.request is None:  # private mode: hashes stand for the prompts
        return ""
    if logged.request != take.record.resolved.digest:
        return "another request"
    edit = logged.edit.model_copy(update={"painted_from": take.record.painted_from})  # older logs do not have it
    return "" if edit == take.record else "another record"


def _changes(again: PaintedAgain) -> Iterator[str]:
    """What has changed since, in words."""
    yield from changes_since(again.take.record, again.edited)
    if again.take.record.overpaint != version():
        yield f"overpaint was {again.take.record.overpaint} and is {version()}"
