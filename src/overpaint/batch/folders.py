"""Where a batch keeps its results and its state."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from overpaint.errors import LedgerError, OutputError, RequestError

from .store import Address, Place

FOLDER = ".overpaint"


@dataclass(frozen=True, slots=True)
class BatchFolders:
    """The folder of results, and beside them (or elsewhere) the folder of the batch's state.

    Attributes:
        out: Results, report, audit log; of an address the results alone.
        state: Ledger, digests of files, thumbnails; on a local disk, which `out` need not be.
    """

    out: Place
    state: Path

    @classmethod
    def at(cls, out: Place, state: Path | None = None) -> BatchFolders:
        """The home in `out`, with its state within unless it is to be elsewhere.

        Raises:
            RequestError: The results go to an object store, which can't hold the state.
        """
        if isinstance(out, Path):
            return cls(out.absolute(), (state or out / FOLDER).absolute())
        if state is None:
            raise RequestError(
                f"{out} can't hold a batch's state",
                code="state-folder-needed",
                field="state",
                value=str(out),
                hint="name a folder of this machine for the state",
            )
        return cls(out, state.absolute())

    @property
    def papers(self) -> Path:
        """Where the report and the audit log are: beside the results, or with the state when those are far away."""
        return self.out if isinstance(self.out, Path) else self.state

    @property
    def ledger(self) -> Path:
        """What is to run, ran and failed."""
        return self.state / "ledger.sqlite"

    @property
    def files(self) -> Path:
        """Digests of files that were read before."""
        return self.state / "files.sqlite"

    @property
    def thumbnails(self) -> Path:
        """Small pictures for the report."""
        return self.state / "thumbnails.sqlite"

    def make(self) -> None:
        """Make the folders, and find out whether they can be written to.

        Raises:
            OutputError: They can't.
        """
        if isinstance(self.out, Address):
            _try(self.out / f".{secrets.token_hex(6)}.part")
        for folder in dict.fromkeys((self.papers, self.state)):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                # permission bits alone say little about administrators, quotas and read-only mounts
                with contextlib.closing(tempfile.TemporaryFile(dir=folder)):
                    pass
            except OSError as error:
                raise OutputError(f"can't write to the folder {folder}: {error.strerror or error}") from None

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other runs out of here for as long as this lasts, or until this process dies.

        Raises:
            LedgerError: Another run is at work here.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.state / "lock", timeout=0)
        note = self.state / "run.pid"
        try:
            lock.acquire()
            note.write_text(f"{os.getpid()}\n", encoding="ascii")
        except Timeout:
            pid = ""
            with contextlib.suppress(OSError):
                pid = f" (process {note.read_text(encoding='ascii').strip()})"
            raise LedgerError(f"another run is at work on {self.out}{pid}: wait for its end, or stop it") from None
        except OSError as error:
            lock.release()
            reason = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror
            raise OutputError(f"can't write to the folder {self.state}: {reason or error}") from error
        try:
            yield
        finally:
            lock.release()


def _try(place: Address) -> None:
    """Put an object there and remove it, so that a store that takes none is found out before any work."""
    try:
        place.write_bytes(b"")
        place.unlink()
    except OSError as error:
        raise OutputError(f"can't write to {place.parent}: {error.strerror or error}") from None
