"""The state of a batch belongs to one folder of results: with another one its files would be taken for results."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from overpaint.errors import OutputError
from overpaint.files import digest_in_time
from overpaint.ledger import Ledger

from .folders import BatchFolders
from .store import Address, is_address, name_of_result

_RESULTS = "results"  # the folder of results in the ledger; relative to the state where that lies within it
_MOST = 16  # results that are looked for, to tell whether a folder was moved


def bind_state(folders: BatchFolders, ledger: Ledger) -> None:
    """Keep in the ledger which folder of results it belongs to.

    A folder that was moved, alone or with its state, is known by its results: some lie there as they were written, and
    none lies in the earlier place. A ledger without results may be used for any folder.

    Raises:
        OutputError: It belongs to another folder ("state-of-another").
    """
    known, here = ledger.kept(_RESULTS), _name_of(folders)
    if known == here:
        return
    if known is not None and not _is_same(folders, known):
        found = [(name_of_result(entry), entry.result) for entry in ledger.entries() if entry.spec and entry.result]
        if found and not _was_moved(folders, known, found[:_MOST]):
            raise _of_another(folders, known)
    ledger.keep(_RESULTS, here)


def _name_of(folders: BatchFolders) -> str:
    """The folder of results as the ledger keeps it, so that it can be moved with a state that lies within."""
    if isinstance(folders.out, Address):
        return str(folders.out)
    out, state = folders.out.resolve(), folders.state.resolve()
    return os.path.relpath(out, state) if state.is_relative_to(out) else str(out)


def _place_of(folders: BatchFolders, known: str) -> Path:
    return (folders.state.resolve() / known).resolve()


def _is_same(folders: BatchFolders, known: str) -> bool:
    if isinstance(folders.out, Address) or is_address(known):
        return False
    with contextlib.suppress(OSError):
        return _place_of(folders, known).samefile(folders.out)
    return False


def _was_moved(folders: BatchFolders, known: str, results: Sequence[tuple[str, str]]) -> bool:
    """Whether the folder of results was at the known place, and is here now. `results`: some names and digests."""
    if isinstance(folders.out, Address) or is_address(known):
        return False
    before = _place_of(folders, known)
    if any((before / name).exists() for name, _ in results):
        return False
    return any(_has_digest(folders.out / name, digest) for name, digest in results)


def _has_digest(path: Path, digest: str) -> bool:
    try:
        return digest_in_time(path) == digest
    except OSError:
        return False


def _of_another(folders: BatchFolders, known: str) -> OutputError:
    own = known if isinstance(folders.out, Address) or is_address(known) else _place_of(folders, known)
    return OutputError(
        f"the state in {folders.state} belongs to the results in {own}, not to those in {folders.out}",
        code="state-of-another",
        field="state",
        value=str(folders.state),
        hint="name another folder for this one's state",
    )
