"""Where a batch keeps its results and its state."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from overpaint.errors import BatchBusyError, OutputError, RequestError, concerning
from overpaint.files import check_folder, not_written, opened_regular

from .credentials import check_no_credentials
from .store import Address, Place

FOLDER, LEDGER = ".overpaint", "ledger.sqlite"
_ELSEWHERE = "state"  # in the folder of results, the file that names the folder of the state where that is another


@dataclass(frozen=True, slots=True)
class BatchFolders:
    """The folder of results, and the folder of the batch's state.

    Attributes:
        out: Results, report and audit log; only the results where it is an address of an object store.
        state: ledger.sqlite, files.sqlite (their digests), thumbnails.sqlite and a lock; on a local disk.
    """

    out: Place
    state: Path

    @classmethod
    def at(cls, out: Place, state: Path | None = None) -> BatchFolders:
        """The folders for results in `out`, with the state inside it unless `state` names another folder.

        Raises:
            RequestError: The results go to an object store, which can't hold the state; or its address has credentials.
        """
        check_no_credentials(str(out), "output")
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
    def reports(self) -> Path:
        """The folder of report and audit log: that of the results where it is local, else that of the state."""
        return self.out if isinstance(self.out, Path) else self.state

    @property
    def ledger(self) -> Path:
        """The file of the ledger."""
        return self.state / LEDGER

    def _field(self, folder: Path) -> str:
        """The setting that a folder follows from: the state may lie within the results."""
        return "output" if isinstance(self.out, Path) and folder.is_relative_to(self.out) else "state"

    def make(self) -> None:
        """Make the folders, and check that they can be written to.

        Raises:
            OutputError: They can't.
        """
        if isinstance(self.out, Address):
            probe = self.out / f".{secrets.token_hex(6)}.part"
            try:
                probe.write_bytes(b"")
                probe.unlink()
            except OSError as error:
                message = f"can't write to {self.out}: {error.strerror or error}"
                raise OutputError(message, field="output", value=str(self.out)) from None
        for folder in dict.fromkeys((self.reports, self.state)):
            with concerning(self._field(folder)):
                check_folder(folder)

    def name_state(self) -> None:
        """Note in the folder of results where the state is, for those that find only the results."""
        if not isinstance(self.out, Path) or self.state == self.out / FOLDER:
            return
        with contextlib.suppress(OSError):  # a read-only mount, say: the note is a help and no more
            (self.out / FOLDER / _ELSEWHERE).write_bytes(os.fsencode(self.state) + b"\n")

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other runs out of these folders inside, or until this process dies.

        Raises:
            BatchBusyError: Another run uses them.
        """
        own = self.out / FOLDER if isinstance(self.out, Path) else self.state
        with contextlib.ExitStack() as locks:
            # a run with its state elsewhere writes into the same folder
            for folder in dict.fromkeys((self.state, own)):
                locks.enter_context(self._locked(folder))
            yield

    @contextlib.contextmanager
    def _locked(self, folder: Path) -> Iterator[None]:
        from filelock import FileLock, Timeout

        lock = FileLock(folder / "lock", timeout=0)
        note = folder / "run.pid"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
            note.write_text(f"{os.getpid()}\n", encoding="ascii")
        except Timeout:
            who = ""
            with contextlib.suppress(OSError, ValueError):
                who = f" (process {note.read_text(encoding='ascii').strip()})"
            message = f"another run is at work on {self.out}{who}: wait for its end, or stop it"
            raise BatchBusyError(message, field=self._field(folder), value=str(folder)) from None
        except NotImplementedError:  # a network share without locks; that of the state, on a local disk, holds
            if folder == self.state:
                raise
        except OSError as error:
            lock.release()
            with concerning(self._field(folder)):
                raise not_written(note, error) from error
        try:
            yield
        finally:
            lock.release()


def ledger_elsewhere(results: Path) -> Path | None:
    """The ledger of a batch whose state is not in the folder of its results; None where none is noted or there."""
    try:
        with opened_regular(results / FOLDER / _ELSEWHERE) as file:
            path = Path(os.fsdecode(file.read(4096).strip())) / LEDGER
        return path if path.is_absolute() and path.is_file() else None
    except (OSError, ValueError):
        return None
