"""What a session reports of its actions to a recorder of evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ._session import Session


class ActionRecorder(Protocol):
    """Keeps evidence of what is done to a session, elsewhere than in it."""

    def record(self, session: Session, *, late: bool) -> None:
        """Record the actions of the session that are not recorded yet.

        Args:
            session: The session, its newest action the last.
            late: Whether they were done before it was opened.

        Raises:
            OutputError: They can't be recorded. The session keeps them.
        """
