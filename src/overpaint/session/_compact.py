"""Making a session smaller: which paint nothing leads to any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ._contents import SessionContents
from ._history import History
from ._store import blob_name
from ._values import Action, AddStep, AddTakes, DropPaint, SetMask


@dataclass(frozen=True, slots=True)
class Compacted:
    """How much smaller a session became.

    Attributes:
        before, after: Bytes of its files.
        takes: How many takes were dropped.
        branches: The branches that were dropped.
        undo: Whether what could be undone, or done again, was dropped.
    """

    before: int
    after: int
    takes: int
    branches: tuple[str, ...]
    undo: bool


def what_to_drop(history: History, *, takes: bool, branches: bool, undo: bool) -> DropPaint:
    """What is dropped of a session: the paint that no undo, redo, pick or branch leads to.

    Args:
        history: The session's, which stays as it is.
        takes: Whether takes go too that could be picked, but show in no state that is left.
        branches: Whether the branches but the present one go too.
        undo: Whether all but the present state of each branch goes too.
    """
    gone = tuple(name for name in history.branches if branches and name != history.current)
    left = _left(history, DropPaint(branches=gone))
    ends = undo and any(one.undone or (left.parent_of(one.at) is not None) for one in left.branches.values())
    left = _left(history, DropPaint(branches=gone, undo=ends))
    needed = _needed(left, picked=takes)
    every = dict.fromkeys(one for state in history.states for step in state.stack for one in step.takes)
    unneeded = tuple(one for one in every if one not in needed and one not in history.dropped)
    return DropPaint(takes=unneeded, branches=gone, undo=ends)


def blobs_left(history: History, dropped: DropPaint, contents: SessionContents, original: str) -> set[str]:
    """The names of the blobs that are needed once this is dropped.

    Raises:
        SessionError: A take that is needed is missing or damaged.
    """
    left = _left(history, dropped)
    gone = history.dropped | set(dropped.takes)
    names = {blob_name(original)}
    for state in left.reachable():
        names.update(blob_name(step.mask.values.sha256) for step in state.stack if step.mask is not None)
    for digest in _needed(left, picked=False) - gone:
        names.update(contents.blobs_of(digest), contents.rasters_of(digest))
    return names


def masks_of(actions: Iterable[Action]) -> set[str]:
    """The names of the blobs of all masks that these actions set."""
    found = (action.mask for action in actions if isinstance(action, SetMask) and action.mask is not None)
    return {blob_name(mask.values.sha256) for mask in found}


def blobs_kept(actions: Iterable[Action], contents: SessionContents, original: str, *, rasters: bool) -> set[str]:
    """The names of the blobs that a session has by its journal: what any action has painted or set and no `DropPaint`
    has dropped, also where it was undone and nothing leads to it any more.

    Args:
        actions: All, in their order.
        contents: Reads the takes.
        original: The digest of the original's file.
        rasters: Whether the rasters that requests name are among them. Otherwise those that are there.

    Raises:
        SessionError: A take is missing or damaged.
    """
    history, masks, takes = History(), set[str](), set[str]()
    for action in actions:
        history.take(history.plan(action))
        if isinstance(action, DropPaint):  # it drops every mask that no state shows, and names none of them
            shown = (step.mask for state in history.reachable() for step in state.stack)
            masks &= {blob_name(mask.values.sha256) for mask in shown if mask is not None}
        elif isinstance(action, AddStep | AddTakes):
            takes.update(action.takes)
        masks |= masks_of([action])
    names = {blob_name(original), *masks}
    for digest in takes - history.dropped:
        names.update(contents.blobs_of(digest), contents.rasters_of(digest, missing=rasters))
    return names


def _left(history: History, dropped: DropPaint) -> History:
    plan = history.plan(dropped)
    return replace(history, branches=plan.branches, roots=history.roots | plan.roots)


def _needed(left: History, *, picked: bool) -> set[str]:
    """The takes of the states that are left: those that show, or all that can be picked."""
    steps = [step for state in left.reachable() for step in state.stack]
    return {step.take for step in steps} if picked else {take for step in steps for take in step.takes}
