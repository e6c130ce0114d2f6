"""Batch: thousands of edits, resumable and provable. A manifest or a folder in; results, a report and an audit out."""

from __future__ import annotations

from .adopt import Adopted, adopt
from .estimate import Estimate
from .events import (
    Arrived,
    Began,
    Decided,
    Departed,
    Done,
    Doubted,
    Ended,
    Event,
    Failed,
    Idle,
    LeftOut,
    Postponed,
    Ready,
    Starting,
    Unchanged,
    Watching,
)
from .evidence import LogWitness, ledger_at
from .executor import Executor
from .filter import Filter
from .folders import BatchFolders
from .incoming import WatchedFolder
from .manifest import FolderRows, read_folders, read_manifest, read_text
from .plan import BatchPlan, PlannedEdit, Rules, plan, seed_of
from .prune import KeptFile, PrunableFile, Pruned, prune
from .reasons import reason_of
from .review import InReview, Reviewed, review
from .rows import BadRow, EditRow, RawRow, Reader, RowDefaults
from .run import BatchPreview, Options, preview, run
from .status import files_of_runs
from .store import Address, Place
from .task import RowLimits, Task, TaskResult
from .watch import watch

__all__ = [
    "Address",
    "Adopted",
    "Arrived",
    "BadRow",
    "BatchFolders",
    "BatchPlan",
    "BatchPreview",
    "Began",
    "Decided",
    "Departed",
    "Done",
    "Doubted",
    "EditRow",
    "Ended",
    "Estimate",
    "Event",
    "Executor",
    "Failed",
    "Filter",
    "FolderRows",
    "Idle",
    "InReview",
    "KeptFile",
    "LeftOut",
    "LogWitness",
    "Options",
    "Place",
    "PlannedEdit",
    "Postponed",
    "PrunableFile",
    "Pruned",
    "RawRow",
    "Reader",
    "Ready",
    "Reviewed",
    "RowDefaults",
    "RowLimits",
    "Rules",
    "Starting",
    "Task",
    "TaskResult",
    "Unchanged",
    "WatchedFolder",
    "Watching",
    "adopt",
    "files_of_runs",
    "ledger_at",
    "plan",
    "preview",
    "prune",
    "read_folders",
    "read_manifest",
    "read_text",
    "reason_of",
    "review",
    "run",
    "seed_of",
    "watch",
]
