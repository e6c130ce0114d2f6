"""Sessions: an original and its ordered edits, kept in one file or folder, which can be taken apart again."""

from ._again import PaintedAgain
from ._compact import Compacted
from ._journal import SessionAction, action_text
from ._recorder import ActionRecorder
from ._session import Session
from ._steps import SessionEvent, Step
from ._store import is_session
from ._values import Take

__all__ = [
    "ActionRecorder",
    "Compacted",
    "PaintedAgain",
    "Session",
    "SessionAction",
    "SessionEvent",
    "Step",
    "Take",
    "action_text",
    "is_session",
]
