"""The journal: reading it back to the state that it leads to, and its entries in words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from overpaint.errors import OverpaintError

from ._access import damaged
from ._history import History, SessionState
from ._store import Store, journal_name
from ._values import (
    Action,
    AddStep,
    AddTakes,
    DropPaint,
    JournalEntry,
    LostAction,
    MoveStep,
    NewBranch,
    PickTake,
    PutAside,
    SetMask,
    SetOpacity,
    ShowStep,
    SwitchBranch,
)

JOURNAL_LIMIT = 1 << 20
"""Most bytes of one entry."""

_ALL = 256 << 20  # bytes of all entries


@dataclass(frozen=True, slots=True)
class SessionAction:
    """One action of a session, with the states before and after it.

    Attributes:
        number: From 1.
        sha256: Digest of its entry in the journal, which names the entry before by its digest.
        time: When, in UTC (ISO 8601).
        branch: The branch that it was done on.
        action: What was done.
        before, after: The states.
    """

    number: int
    sha256: str
    time: str
    branch: str
    action: Action
    before: SessionState
    after: SessionState

    @property
    def takes(self) -> tuple[str, ...]:
        """The digests of the takes that it has painted."""
        return self.action.takes if isinstance(self.action, AddStep | AddTakes) else ()

    @property
    def text(self) -> str:
        """It in words."""
        return entry_text(self.action)

    @classmethod
    def done(cls, entry: JournalEntry, data: bytes, history: History) -> SessionAction:
        """The action of an entry with these bytes, which the history then has. SessionError as for `plan`."""
        branch, before = history.current, history.state
        history.take(history.plan(entry.action))
        digest = hashlib.sha256(data).hexdigest()
        return cls(entry.number, digest, entry.time, branch, entry.action, before, history.state)


def read_journal(store: Store, first: str) -> tuple[list[SessionAction], History]:
    """All actions, and what they make.

    Args:
        store: The session's files.
        first: The digest that the first entry names as the one before.

    Raises:
        SessionError: An entry is missing, can't be read, or does not follow from the one before.
    """
    history, previous, total = History(), first, 0
    actions: list[SessionAction] = []
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
            actions.append(SessionAction.done(entry, data, history))
        except OverpaintError as error:
            raise error if error.code == "session-damaged" else damaged(name, str(error)) from None
        previous = actions[-1].sha256
    return actions, history


def entry_text(action: Action) -> str:
    """An action in words."""
    match action:
        case AddStep():
            return f"step {action.step}{_several(action.takes)}"
        case AddTakes():
            return f"step {action.step} painted again{_several(action.takes)}"
        case PickTake():
            return f"step {action.step}: take {action.take} picked"
        case PutAside():
            if not action.takes:
                return f"step {action.step}: all takes brought back"
            return (
                f"step {action.step}: {'take' if len(action.takes) == 1 else 'takes'} {_listed(action.takes)} put aside"
            )
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
        case LostAction():
            return "lost with a part of the session"
    return action.do


def action_text(table: Mapping[str, Any]) -> str:
    """An action in words, from its table as the journal has it; what is no action by its name alone."""
    try:
        return entry_text(_ACTIONS.validate_python(dict(table)))
    except (ValueError, OverpaintError):
        return str(table.get("do", ""))


_ACTIONS: TypeAdapter[Action] = TypeAdapter(Annotated[Action, Field(discriminator="do")])


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))


def _several(takes: tuple[str, ...]) -> str:
    return f", {len(takes)} takes" if len(takes) > 1 else ""
