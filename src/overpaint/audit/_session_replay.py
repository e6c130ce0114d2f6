"""Painting the steps of a session once more, and comparing what comes out with what is in it and in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from overpaint.engines import Monitor
from overpaint.errors import SessionError
from overpaint.session import PaintedAgain, Session, SessionAction

from ._replay import Comparison, changes_since, difference
from ._session import paint_digest


@dataclass(frozen=True, slots=True)
class ReplayedTake:
    """A take of a session that was painted once more.

    Attributes:
        action: Number of the action that painted it.
        step, take: Its step, and its number among the takes of that; 0 where it was dropped.
        outcome: Whether the same came out, in full depth.
        reason: Why not, or why it was not compared.
        notes: What has changed since (versions, device, engine).
        unlogged: Whether it was not compared because the log does not have it.
    """

    action: int
    step: int
    take: int
    outcome: Comparison
    reason: str = ""
    notes: tuple[str, ...] = ()
    unlogged: bool = False


def replay_session(
    session: Session,
    *,
    wanted: Callable[[SessionAction], bool] = lambda action: True,
    takes: frozenset[str] | None = None,
    logged: Mapping[str, str] | None = None,
    log: str = "",
    monitor: Monitor | None = None,
) -> Iterator[ReplayedTake]:
    """Paint takes of a session once more, each on what was below it then.

    Args:
        session: The session, which stays as it is.
        wanted: Whether what an action painted is wanted.
        takes: The digests of those that are wanted; None for all.
        logged: Digests of paint by those of takes, as a log has them, to compare with; None for no log.
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
        try:
            for digest, again in zip(action.takes, session.paint_again(action, monitor=monitor), strict=False):
                if takes is None or digest in takes:
                    yield _compared(action, digest, again, logged, log or "the log")
        except SessionError as error:
            if error.code != "session-step":
                raise
            yield ReplayedTake(action.number, step, 0, "not compared", str(error))


def _compared(
    action: SessionAction, digest: str, again: PaintedAgain, logged: Mapping[str, str] | None, log: str
) -> ReplayedTake:
    notes = tuple(changes_since(again.take.record, again.edited))
    outcome: Comparison = "same" if again.equal else "different"
    reason, unlogged = "", False
    if not again.equal:
        same_size = again.before.size == again.edited.picture.size
        found = difference(again.before, again.edited.picture) if same_size else None
        reason = "it differs below what 8 or 16 bits show" if found is None else str(found)
    elif logged is not None and digest not in logged:
        outcome, reason, unlogged = "not compared", f"{log} does not have it", True
    elif logged is not None and logged[digest] != paint_digest(again.take):
        outcome, reason = "different", f"{log} has another paint of it"
    return ReplayedTake(action.number, again.step, again.number, outcome, reason, notes, unlogged)
