"""Batch: thousands of edits, resumable and provable. A manifest or a folder in; results, a report and an audit out."""

from __future__ import annotations

from .crew import Crew, Threads
from .estimate import Estimate
from .events import Began, Done, Ended, Event, Failed, Unchanged
from .home import Home
from .manifest import FolderRows, read_folders, read_manifest, read_text
from .plan import Item, Plan, Rules, plan, seed_of
from .rows import BadRow, Found, Reader, Row, Shared
from .run import Options, Preview, preview, run, write_report
from .store import Address, Place
from .task import How, Made, Task, Thumbnails
from .where import Filter
from .work import Worker

__all__ = [
    "Address",
    "BadRow",
    "Began",
    "Crew",
    "Done",
    "Ended",
    "Estimate",
    "Event",
    "Failed",
    "Filter",
    "FolderRows",
    "Found",
    "Home",
    "How",
    "Item",
    "Made",
    "Options",
    "Place",
    "Plan",
    "Preview",
    "Reader",
    "Row",
    "Rules",
    "Shared",
    "Task",
    "Threads",
    "Thumbnails",
    "Unchanged",
    "Worker",
    "plan",
    "preview",
    "read_folders",
    "read_manifest",
    "read_text",
    "run",
    "seed_of",
    "write_report",
]
