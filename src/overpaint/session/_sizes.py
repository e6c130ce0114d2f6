"""What a session says of sizes, compared when it is opened, before anything is allocated for it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable

from overpaint.errors import PictureError
from overpaint.picture import current_limits, displayed_size

from ._access import damaged
from ._contents import SessionContents
from ._journal import SessionAction
from ._paint import check_size_of, painted_on
from ._store import HEAD, blob_name
from ._values import LostAction, OriginalFile


def check_sizes(
    original: OriginalFile, actions: Iterable[SessionAction], dropped: Collection[str], contents: SessionContents
) -> None:
    """Compare the sizes of the original and of all takes with one another.

    The original has the size that its file's header says; where that says none, it is decoded. A take was painted on
    the original, or on what takes before it made of it, of which some may be lost in a session that was repaired; its
    patches lie within, as every take is checked for by itself.

    Args:
        original: What is said of it.
        actions: All, in their order.
        dropped: Takes that are gone.
        contents: Reads the files.

    Raises:
        SessionError: Something is missing, damaged, larger than any picture may be, or does not fit.
    """
    _check_original(original, contents)
    actions = tuple(actions)
    box = original.box
    edges = tuple({edge} for edge in box)
    complete = not any(isinstance(one.action, LostAction) for one in actions)
    for digest in (one for action in actions for one in action.takes if one not in dropped):
        take = contents.take(digest)
        below = painted_on(take)
        check_size_of(take.place)
        known_edges = all(edge in known for edge, known in zip(below, edges, strict=True))
        if not below.contains(box) or (complete and not known_edges):
            reason = f"it was painted on a picture of {below.size}, which this session never had"
            raise damaged(blob_name(digest), reason)
        if take.grows:
            for edge, known in zip(take.place, edges, strict=True):
                known.add(edge)


def _check_original(stored: OriginalFile, contents: SessionContents) -> None:
    check_size_of(stored.box)
    data = contents.original_file(stored)
    try:
        found = displayed_size(data, current_limits())
    except PictureError as error:
        raise damaged(blob_name(stored.sha256), str(error)) from None
    if len(data) != stored.size:
        raise damaged(HEAD, f"it says {stored.size:,} bytes of an original that has {len(data):,}")
    if found is None:
        with contextlib.suppress(PictureError):  # one that can't be decoded here is said where its pixels are needed
            contents.original(stored, None)
    elif found != stored.box.size:
        raise damaged(HEAD, f"it says {stored.box.size} of an original that has {found}")
