"""Sessions: an original and its ordered edits, kept in one file or folder, which can be taken apart again."""

from ._again import PaintedAgain
from ._compact import Compacted
from ._contents import OpenOriginal
from ._journal import SessionAction, action_text
from ._paint_layer import PaintLayer
from ._plan import PaintedTake, StepPlan
from ._recorder import ActionRecorder
from ._repair import Repaired, repair
from ._session import Session
from ._steps import SessionEvent, Step
from ._store import is_session
from ._values import Take

__all__ = [
    "ActionRecorder",
    "Compacted",
    "OpenOriginal",
    "PaintLayer",
    "PaintedAgain",
    "PaintedTake",
    "Repaired",
    "Session",
    "SessionAction",
    "SessionEvent",
    "Step",
    "StepPlan",
    "Take",
    "action_text",
    "is_session",
    "repair",
]
