"""The journal: reading it back to the state that it leads to, and its entries in words."""

from __future__ import annotations

import hashlib
import re

from overpaint.errors import OverpaintError

from ._history import History
from ._store import Store, damaged, journal_name
from ._values import (
    Action,
    AddStep,
    AddTakes,
    DropPaint,
    JournalEntry,
    MoveStep,
    NewBranch,
    PickTake,
    SetMask,
    SetOpacity,
    ShowStep,
    SwitchBranch,
)

JOURNAL_LIMIT = 1 << 20
"""Most bytes of one entry."""

_ALL = 256 << 20  # bytes of all entries

DatedEntries = list[tuple[JournalEntry, str]]
"""The entries in their order, each with the branch that it was done on."""


def read_journal(store: Store, first: str) -> tuple[DatedEntries, History, str]:
    """All entries, what they make, and the digest of the last.

    Args:
        store: The session's files.
        first: The digest that the first entry names as the one before.

    Raises:
        SessionError: An entry is missing, can't be read, or does not follow from the one before.
    """
    history, previous, total = History(), first, 0
    entries: DatedEntries = []
    count = sum(1 for name in store.names if re.fullmatch(r"journal/\d{8}\.json", name))
    for number in range(1, count + 1):
        name = journal_name(number)
        data = store.read(name, JOURNAL_LIMIT)
        total += len(data)
        if total > _ALL:
            raise damaged("the journal", f"it has more than {_ALL:,} bytes")
        try:
            entry = JournalEntry.from_json(data)
            if (entry.number, entry.previous) != (number, previous):
                raise damaged(name, "it does not follow from the entry before")
            branch = history.current
            history.take(history.plan(entry.action))
        except OverpaintError as error:
            raise error if error.code == "session-damaged" else damaged(name, str(error)) from None
        previous = hashlib.sha256(data).hexdigest()
        entries.append((entry, branch))
    return entries, history, previous


def entry_text(action: Action) -> str:
    """An action in words."""
    match action:
        case AddStep():
            return f"step {action.step}{_several(action.takes)}"
        case AddTakes():
            return f"step {action.step} painted again{_several(action.takes)}"
        case PickTake():
            return f"step {action.step}: take {action.take} picked"
        case ShowStep():
            return f"step {action.step} {'shown' if action.visible else 'hidden'}"
        case SetOpacity():
            return f"step {action.step}: opacity {action.opacity:.0%}"
        case SetMask():
            return f"step {action.step}: {'shown everywhere' if action.mask is None else 'mask changed'}"
        case MoveStep():
            return f"step {action.step} moved to place {action.to}"
        case NewBranch():
            return f"branch {action.name}"
        case SwitchBranch():
            return f"went on in branch {action.name}"
        case DropPaint():
            return "compacted"
    return action.do


def _several(takes: tuple[str, ...]) -> str:
    return f", {len(takes)} takes" if len(takes) > 1 else ""
