"""Sessions: an original and its ordered edits, kept in one file or folder, which can be taken apart again."""

from ._compact import Compacted
from ._session import Session
from ._steps import SessionEvent, Step

__all__ = ["Compacted", "Session", "SessionEvent", "Step"]
