"""Sessions on a server: their files, those that are open, work on them, and what a screen shows of them."""

from __future__ import annotations

from .exports import ExportedFile, exported, flattened
from .originals import OriginalCache
from .pool import SessionPool
from .screen import ScreenPart, on_screen
from .status import SessionStatus, StepStatus, shown_digest
from .store import SessionStore, StoredSession
from .work import SessionWorker, TaskWorkers

__all__ = [
    "ExportedFile",
    "OriginalCache",
    "ScreenPart",
    "SessionPool",
    "SessionStatus",
    "SessionStore",
    "SessionWorker",
    "StepStatus",
    "StoredSession",
    "TaskWorkers",
    "exported",
    "flattened",
    "on_screen",
    "shown_digest",
]
