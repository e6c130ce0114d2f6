"""Many edits in their order, several in flight at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from overpaint.engines import Monitor
from overpaint.errors import Cancelled, EngineError, OverpaintError, RequestError
from overpaint.request import EditRequest

from .inputs import InsertLike, MaskLike
from .inserts import Pictured
from .progress import LinkedMonitor, SharedProgress

Result = TypeVar("Result")

_BESIDE = ("mask", "sketch", "insert")
"""What an Edit has in attributes of its own, and what all edits may be given in common."""

_OWN = ("picture", "request", "monitor")
"""Arguments of an edit that no settings can give."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One of many edits: a picture and what to do with it.

    Attributes:
        picture: A picture, an array, a PIL image, or a file: its path, its bytes or open.
        mask: Where to repaint, unless the request has a mask.
        request: The request; `settings` change it.
        sketch: Strokes to lay over the picture before painting, (H, W, 4) uint8.
        insert: The picture to put in.
        settings: Fields of EditRequest by name, and what is avoided (`avoid`).
    """

    picture: Pictured
    mask: MaskLike | None = None
    request: EditRequest | None = None
    sketch: NDArray[np.uint8] | None = None
    insert: InsertLike | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EditFailure:
    """One of many edits that failed; the others went on.

    Attributes:
        edit: The edit.
        error: The reason.
    """

    edit: Edit
    error: OverpaintError


def many(
    edit: Callable[..., Result],
    edits: Iterable[Edit | tuple[Pictured, MaskLike] | Pictured],
    request: EditRequest | None,
    ahead: int,
    settings: Mapping[str, Any],
    *,
    watched: Monitor | None = None,
    count: int = 0,
) -> Iterator[Result | EditFailure]:
    """See `Studio.edit_many`, whose `edit` is called for each.

    Args:
        watched: Is told of the progress of all together, of which there are `count`; cancelling it cancels them.
        edit, edits, request, ahead, settings: As there.
    """
    waiting: list[tuple[Edit, Future[Result]]] = []
    monitor = Monitor() if watched is None else LinkedMonitor(watched, watched.progress)
    parts = iter(SharedProgress(monitor, count).parts)
    pool = ThreadPoolExecutor(max(1, ahead), thread_name_prefix="overpaint-edit")

    try:
        for one in map(_as_edit, edits):
            own = next(parts, None) or LinkedMonitor(monitor)
            future = pool.submit(_made, edit, one, request, settings, own)
            waiting.append((one, future))
            if len(waiting) >= max(1, ahead):
                done = _outcome(*waiting.pop(0))
                yield done
        while waiting:
            done = _outcome(*waiting.pop(0))
            yield done
    finally:
        # Reached early when the caller stops iterating or is interrupted: edits in flight are cancelled.
        monitor.cancel()
        pool.shutdown(wait=True, cancel_futures=True)


def _made(
    edit: Callable[..., Result], one: Edit, request: EditRequest | None, settings: Mapping[str, Any], monitor: Monitor
) -> Result:
    """One of the edits.

    Raises:
        RequestError: Its settings name what they can't give, or give a second time what the edit has.
    """
    beside = {name: value for name in _BESIDE if (value := getattr(one, name)) is not None}
    for name in (*settings, *one.settings):
        if name in _OWN:
            message = f"{{field}} is no setting: each edit has a {name} of its own"
            raise RequestError(message, field=name, hint="" if name == "monitor" else f"set it in the Edit: {name}=")
    for name in one.settings:
        if name in beside:
            raise RequestError("{field} is given twice: in the edit, and in its settings", field=name)
    try:
        return edit(one.picture, one.request or request, monitor=monitor, **{**settings, **one.settings, **beside})
    finally:
        with contextlib.suppress(Cancelled):
            monitor.progress(1, 1)  # an engine need not report its last step, or any


def _as_edit(item: Edit | tuple[Pictured, MaskLike] | Pictured) -> Edit:
    if isinstance(item, Edit):
        return item
    if isinstance(item, tuple):
        picture, mask = item
        return Edit(picture, mask)
    return Edit(item)


def _outcome(edit: Edit, future: Future[Result]) -> Result | EditFailure:
    try:
        return future.result()
    except Cancelled:
        raise
    except OverpaintError as error:
        return EditFailure(edit, error)
    except Exception as error:  # a programming error: the other pictures must not be lost by it
        failure = EngineError(f"the edit failed unexpectedly: {type(error).__name__}: {error}")
        failure.__cause__ = error
        return EditFailure(edit, failure)
