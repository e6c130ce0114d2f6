"""Reading a session's file that somebody sent, whole, before anything else is done with it.

This runs in a process of its own (`overpaint.bounded`): nobody vouches for the file.
"""

from __future__ import annotations

from dataclasses import dataclass

from overpaint.bounded import working_on

_MOST_ACTIONS, _MOST_STEPS = 20_000, 1_000
"""Of a session that is sent: reading more would take the server long, which is done each time that it is opened."""


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What is known of a session that is whole.

    Attributes:
        name: The name of its original's file; "" for none.
        width, height: Of the original, as displayed.
    """

    name: str
    width: int
    height: int


def checked_session(path: str, pixels: int | None) -> SessionFacts:
    """Read all that a session's file has, and composite its picture. An end that is missing is mended.

    Args:
        path: The file.
        pixels: The most that a picture may have.

    Raises:
        SessionError: It is no session, or damaged.
        PictureError: Its original can't be read, or the picture has too many pixels.
    """
    from overpaint.errors import SessionError
    from overpaint.picture import PictureLimits, current_limits, limited
    from overpaint.session import Session

    working_on("the session", "session")
    try:
        with (
            limited(PictureLimits(pixels=pixels or current_limits().pixels)),
            Session.open(path) as session,
        ):
            if len(session.actions) > _MOST_ACTIONS or len(session.steps) > _MOST_STEPS:
                message = f"it has more than {_MOST_ACTIONS:,} actions, or more than {_MOST_STEPS:,} steps"
                raise SessionError(message, code="session-large")
            session.check()
            current_limits().check_pixels(*session.canvas.size)
            session.log()
            for step in session.steps:
                session.shown(step.number)
                session.paint(step.number)
            assert session.picture.size == session.canvas.size
            original = session.head.original
            if session.original.size != original.box.size:
                raise SessionError("its original has another size than it says", code="session-damaged")
            return SessionFacts(original.name, original.width, original.height)
    except SessionError as error:
        raise error.__class__(
            str(error).replace(path, "the file"), code=error.code, field="session", hint=error.hint
        ) from None
