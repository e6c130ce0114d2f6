"""A new session of all that is whole in a damaged one, and what was lost in words."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from overpaint.errors import InputError, SessionError
from overpaint.files import check_writable, publish_file

from ._contents import SessionContents
from ._history import History
from ._journal import JOURNAL_LIMIT, entry_text
from ._store import HEAD, Store, blob_name, create_store, journal_name, open_store
from ._values import (
    Action,
    AddStep,
    AddTakes,
    DropPaint,
    JournalEntry,
    LostAction,
    PickTake,
    SessionHead,
    SetMask,
)

_ENTRY = re.compile(r"journal/(\d{8})\.json")
_MOST_LOST = 1000  # actions in one gap that get an entry each


@dataclass(frozen=True, slots=True)
class Repaired:
    """What became of a damaged session.

    Attributes:
        path: The new session.
        actions: How many actions it has from the damaged one.
        lost: What was lost, each in words.
    """

    path: Path
    actions: int
    lost: tuple[str, ...]


def repair(path: str | os.PathLike[str], target: str | os.PathLike[str], *, folder: bool = False) -> Repaired:
    """Make a new session of all that is whole in a damaged one, which stays.

    An action that was lost has an entry in its place that does nothing, so that steps keep their numbers. An edit whose
    entry was lost and whose paint is whole is put back in its place. Actions on what was lost are lost too.

    Args:
        path: The damaged session.
        target: The new one; it must not exist.
        folder: Whether that is a folder.

    Raises:
        SessionError: The session's first file or the original is lost, without which paint has no place; or it is no
            session, or in use.
        OutputError: The new session exists, or can't be written.
    """
    source, made = Path(path), Path(target)
    check_writable(made)
    store = open_store(source, read_only=True)
    hidden = made.with_name(f".{made.name[:100]}.repaired.tmp")
    try:
        data = store.read(HEAD, 1 << 16)
        head = SessionHead.from_json(data)
        contents = SessionContents(store)
        original = contents.original_file(head.original)
        found = _salvaged(store, contents, hashlib.sha256(data).hexdigest())
        _remove(hidden)
        create_store(hidden, [(HEAD, data), (blob_name(head.original.sha256), original)], folder=folder)
        new = open_store(hidden)
        try:
            new.add(found.files())
        finally:
            new.close()
        if folder:
            hidden.rename(made)
        else:
            publish_file(hidden, made)
    except InputError as error:
        raise error.within(str(source)) from None
    finally:
        store.close()
        _remove(hidden)
    return Repaired(made, found.actions, tuple(found.lost))


def _salvaged(store: Store, contents: SessionContents, first: str) -> _Salvage:
    """All that is whole; `first` is the digest of the session's first file."""
    found = _Salvage(store, contents, first)
    found.collect(compacted=True)
    if found.shows_dropped:  # what was dropped by an action shows again, as one before it is lost
        found = _Salvage(store, contents, first)
        found.collect(compacted=False)
    return found


def _remove(hidden: Path) -> None:
    if hidden.is_dir():
        shutil.rmtree(hidden)
    hidden.unlink(missing_ok=True)


@dataclass(slots=True)
class _Salvage:
    """Goes through a damaged journal, and makes a whole one.

    Attributes:
        store, contents: The damaged session's files.
        previous: Digest of the last entry that was made; at first of the session's first file.
        history: What the entries lead to.
        entries: Those that were made, with the blobs that each needs.
        actions: How many of these are the damaged session's own.
        lost: What was lost, in words.
        numbers: The numbers of a step's takes by those that they had.
        gone: Takes that were dropped on purpose, by an action that is whole.
        shows_dropped: Whether such an action could not be kept.
        whole: The entries of the journal that can be read, by their numbers.
        ahead: The steps that begin with a later painting of theirs, as their first is lost.
    """

    store: Store
    contents: SessionContents
    previous: str
    history: History = field(default_factory=History)
    entries: list[tuple[list[str], bytes]] = field(default_factory=list)
    actions: int = 0
    lost: list[str] = field(default_factory=list)
    numbers: dict[int, list[int | None]] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    shows_dropped: bool = False
    whole: dict[int, tuple[JournalEntry, bytes]] = field(default_factory=dict)
    ahead: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def collect(self, *, compacted: bool) -> None:
        """Go through the journal; `compacted`: what was dropped on purpose is not lost."""
        self.whole = self._whole_entries()
        drops = (entry.action for entry, _ in self.whole.values() if isinstance(entry.action, DropPaint))
        self.gone = frozenset(one for action in drops for one in action.takes) if compacted else frozenset()
        unnamed = self._unnamed_takes([entry for entry, _ in self.whole.values()])
        time = ""
        last = 0
        for number, (entry, data) in self.whole.items():
            if number > last + 1:
                self._fill(last + 1, number, unnamed, time or entry.time)
            self._keep(entry, data)
            last, time = number, entry.time
        for take in (self.contents.take(one) for group in unnamed for one in group.takes):
            resolved = take.record.resolved
            self.lost.append(f"where the paint of an edit belongs: {resolved.intent} with {resolved.engine}")

    def files(self) -> Iterator[tuple[str, bytes]]:
        """The files of the new session behind the original, an action's entry behind what it needs."""
        for number, (blobs, data) in enumerate(self.entries, start=1):
            for name in blobs:
                yield name, self.contents.blob(name)
            yield journal_name(number), data

    def _whole_entries(self) -> dict[int, tuple[JournalEntry, bytes]]:
        """The entries of the journal that can be read, by their numbers."""
        found = {}
        numbers = sorted(int(one[1]) for one in map(_ENTRY.fullmatch, self.store.names) if one)
        for number in numbers:
            try:
                data = self.store.read(journal_name(number), JOURNAL_LIMIT)
                entry = JournalEntry.from_json(data)
            except InputError:
                continue
            if entry.number == number:
                found[number] = entry, data
        return found

    def _unnamed_takes(self, entries: Sequence[JournalEntry]) -> list[_UnnamedTakes]:
        """Whole takes that no entry names, those together that were painted by one action, in the order of the file."""
        named = {one for entry in entries for one in getattr(entry.action, "takes", ())}
        order = {name: place for place, name in enumerate(self.store.names)}
        digests = [one.removeprefix("blobs/") for one in sorted(self.store.blobs(), key=lambda one: order.get(one, 0))]
        found = [one for one in digests if one not in named and self._is_take(one) and self._is_whole(one)]
        groups = groupby(
            found, key=lambda one: self.contents.take(one).record.request.model_copy(update={"seed": None})
        )
        places = ([*group] for _, group in groups)
        return [_UnnamedTakes(tuple(one), order.get(blob_name(one[-1]))) for one in places]

    def _is_take(self, digest: str) -> bool:
        try:
            self.contents.take(digest)
        except InputError:
            return False
        return True

    def _is_whole(self, digest: str) -> bool:
        """Whether a take is there with all its arrays."""
        try:
            for name in self.contents.blobs_of(digest):
                self.contents.check(name)
        except InputError:
            return False
        return True

    def _fill(self, first: int, end: int, unnamed: list[_UnnamedTakes], time: str) -> None:
        """Put entries in the place of those that are missing, from `first` to before `end`."""
        later = (entry.action for number, (entry, _) in self.whole.items() if number >= end)
        following = next((action.step for action in later if isinstance(action, AddStep)), None)
        order = {name: place for place, name in enumerate(self.store.names)}
        here = [one for one in unnamed if one.place is None or one.place < order.get(journal_name(end), 0)]
        gone = min(end - first, _MOST_LOST)
        for group in here:
            step = self.history.last_step + 1
            missing = following is not None and step < following
            again = None if missing else self._step_of(group.takes[0])
            if not gone or not (missing or again):
                continue
            action = AddStep(step=step, takes=group.takes) if missing else AddTakes(step=again or 0, takes=group.takes)
            if self._added(action, time, self._blobs(group.takes)):
                self.numbers.setdefault(action.step, []).extend(self._count(action))
                unnamed.remove(group)
                gone -= 1
        if gone:
            about = f"action {first}" if end - first == 1 else f"{gone} of the actions {first} to {end - 1}"
            steps = range(self.history.last_step + 1, following or 0)
            what = f", step{'s' if len(steps) > 1 else ''} {', '.join(map(str, steps))}" if steps else ""
            self.lost.append(f"{about}{what}")
        for number in range(gone):
            last = (following or 0) - 1 if number == gone - 1 else 0
            self._added(LostAction(last_step=last if last > self.history.last_step else None), time, [])

    def _step_of(self, digest: str) -> int | None:
        """The step that a take without a name is of: one that was to repaint the same."""
        marked = self.contents.take(digest).marked
        for step in self.history.state.stack:
            if any(self.contents.take(one).marked == marked for one in step.takes):
                return step.number
        return None

    def _keep(self, entry: JournalEntry, data: bytes) -> None:
        """Go on with an entry that is whole, as far as what it names is."""
        before = entry.action
        if isinstance(before, AddTakes) and before.step in self.ahead and self._left(before) == self.ahead[before.step]:
            takes = self.ahead.pop(before.step)
            self.numbers[before.step] += [takes.index(one) + 1 if one in takes else None for one in before.takes]
            self.actions += self._added(PickTake(step=before.step, take=1), entry.time, [])
            return
        action, blobs = self._translated(entry)
        if action is None and isinstance(before, AddStep) and (takes := self._painted_later(entry)):
            self._added(AddStep(step=before.step, takes=takes), entry.time, self._blobs(takes))
            self.numbers[before.step], self.ahead[before.step] = [None] * len(before.takes), takes
            return
        if action is not None and self._added(action, entry.time, blobs, data if action == entry.action else None):
            self.actions += 1
            if isinstance(action, AddStep | AddTakes):
                self.numbers.setdefault(action.step, []).extend(self._numbered(entry.action, action))
            return
        if action is not None:
            self.shows_dropped |= isinstance(action, DropPaint)
            self.lost.append(f"action {entry.number}, '{entry_text(entry.action)}', which is about what was lost")
        if isinstance(entry.action, AddStep) and entry.action.step > self.history.last_step:
            self._added(LostAction(last_step=entry.action.step), entry.time, [])
        else:
            self._added(LostAction(), entry.time, [])

    def _left(self, action: AddStep | AddTakes) -> tuple[str, ...]:
        """The takes of an action that are whole, or were dropped on purpose."""
        return tuple(one for one in action.takes if one in self.gone or self._is_whole(one))

    def _painted_later(self, entry: JournalEntry) -> tuple[str, ...]:
        """The first whole takes that the step of an entry was painted again with; empty for none."""
        later = (one.action for number, (one, _) in self.whole.items() if number > entry.number)
        step = entry.action.step if isinstance(entry.action, AddStep) else 0
        again = (self._left(one) for one in later if isinstance(one, AddTakes) and one.step == step)
        return next((takes for takes in again if takes), ())

    def _translated(self, entry: JournalEntry) -> tuple[Action | None, list[str]]:
        """An action without the paint that is lost, and the blobs that it needs; None where nothing is left of it."""
        action = entry.action
        if isinstance(action, AddStep | AddTakes):
            takes = self._left(action)
            if len(takes) < len(action.takes):
                count = len(action.takes) - len(takes)
                of = f"the paint of step {action.step}" if not takes else f"{count} of the takes of step {action.step}"
                self.lost.append(f"{of} (action {entry.number}, '{entry_text(action)}')")
            if not takes:
                return None, []
            return action.model_copy(update={"takes": takes}), self._blobs(takes)
        if isinstance(action, SetMask) and action.mask is not None:
            name = blob_name(action.mask.values.sha256)
            try:
                self.contents.check(name)
            except InputError:
                self.lost.append(f"a mask of step {action.step} (action {entry.number})")
                return None, []
            return action, [name]
        if isinstance(action, PickTake):
            known = self.numbers.get(action.step, [])
            now = known[action.take - 1] if action.take <= len(known) else None
            # 10,000 is the number of no take, so that the history refuses it
            return action.model_copy(update={"take": now or 10_001}), []
        return action, []

    def _numbered(self, before: Action, now: AddStep | AddTakes) -> list[int | None]:
        """The numbers that the takes of an action have now, by their order in it."""
        assert isinstance(before, AddStep | AddTakes)
        first = len([one for one in self.numbers.get(now.step, []) if one is not None])
        kept = iter(range(first + 1, first + len(now.takes) + 1))
        return [next(kept) if one in now.takes else None for one in before.takes]

    def _count(self, action: AddStep | AddTakes) -> list[int | None]:
        return self._numbered(action, action)

    def _blobs(self, takes: Sequence[str]) -> list[str]:
        there = [one for one in takes if self.store.has(blob_name(one))]
        return [name for one in there for name in (*self.contents.rasters_of(one), *self.contents.blobs_of(one))]

    def _added(self, action: Action, time: str, blobs: list[str], data: bytes | None = None) -> bool:
        """Whether an action could be added; `data` is its entry as it was."""
        try:
            self.history.take(self.history.plan(action))
        except SessionError:
            return False
        entry = JournalEntry(number=len(self.entries) + 1, previous=self.previous, time=time, action=action)
        same = data is not None and JournalEntry.from_json(data) == entry
        made = data if data is not None and same else entry.to_bytes()
        self.entries.append((blobs, made))
        self.previous = hashlib.sha256(made).hexdigest()
        return True


@dataclass(frozen=True, slots=True)
class _UnnamedTakes:
    """Takes that were painted by an action whose entry is lost.

    Attributes:
        takes: Their digests.
        place: The place of the last of them in the order of the file; None where there is no such order.
    """

    takes: tuple[str, ...]
    place: int | None
