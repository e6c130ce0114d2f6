"""The audit log: one line an edit, appended under a lock."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from overpaint.errors import OutputError, concerning
from overpaint.files import check_folder, check_writable, not_written
from overpaint.locks import locked

from ._chain import Chain
from ._head import HeadFile, read_head, write_head
from ._inspect import SIGNED, Evidence, Inspection, accepted, inspect
from ._key import AuditKey
from ._line import ChainHead, id_of, line_of
from ._note import LogCheckpoint, LogNote
from ._witness import LogLedger

_OPEN = os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe would be waited for
_FIELD = "audit"  # of every error about the log's files
_SIGNED_EVERY = 100  # lines between two checkpoints


class LoggedRecord(Protocol):
    """What becomes a line: the record of an edit, or of an action of a session."""

    def to_json(self) -> str:
        """Canonical JSON."""


class AuditLog:
    """An audit log to append to. Safe for threads and processes; appended records survive a power cut.

    A log that is at fault takes no line: a cut tail or a forged line would otherwise be covered by what follows. A
    process that is killed can leave part of a line, or lines that the head announces and does not count yet. The next
    append cuts off the one and counts the others, and adds a note on it.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, key: AuditKey | None = None, ledger: LogLedger | None = None
    ) -> None:
        """Nothing is opened or made yet.

        Args:
            path: The log.
            key: Signs the head, and a checkpoint every 100 lines.
            ledger: Keeps the end of the chain too, and is asked for it before every append.

        Raises:
            OutputError: The name is that of a head, or the key is a public one.
        """
        self.path = Path(path)
        if self.path.suffix == ".head":
            message = f"{self.path}: a log's name can't end in .head, which its head's does; use .jsonl"
            raise OutputError(message, field=_FIELD, value=str(path))
        if key is not None and not key.signs:
            message = f"the key {key.public[:12]}... is a public one, which signs nothing"
            raise OutputError(message, field="audit_key", hint="give the private one")
        self._key, self._ledger = key, ledger
        self._mutex = threading.Lock()
        self._file = (0, 0)
        self._chain = Chain()
        self._checked = 0

    def check(self) -> None:
        """Check, before any work, whether appending is possible. Changes nothing.

        Raises:
            OutputError: The folder is missing, it or the log can't be written to, or the log is at fault
                ("audit-fault").
        """
        with concerning(_FIELD):
            check_writable(self.path, overwrite=True)
            check_folder(self.path.parent)
        with self._mutex, _errors(self.path):
            if self._is_new():
                return
            if not os.access(self.path, os.W_OK):
                message = f"can't write the audit log {self.path}: it is read-only"
                raise OutputError(message, field=_FIELD, value=str(self.path))
            with self._locked(os.O_RDONLY) as descriptor:
                self._read(descriptor)
                self._refuse_faults(self._inspection())

    def accept_faults(self, *more: str) -> tuple[str, ...]:
        """Go on over the faults that the log has now: a note with them and with the operator is appended. To `verify`
        they stay faults.

        Args:
            *more: Faults that the caller has found in what the log names.

        Returns:
            The faults that were not accepted before.
        """
        with self._mutex, _errors(self.path), self._locked() as descriptor:
            self._read(descriptor)
            known = accepted(self._chain)
            new = (*self._new_faults(self._inspection()), *(one for one in more if one not in known))
            if new:
                text = f"the log was at fault, and the operator went on: {new[0]}"
                text += "" if len(new) == 1 else f", and {len(new) - 1} more"
                self._append(descriptor, [], [LogNote.of("accepted", text, new)])
            return new

    def refuse(self, faults: Sequence[str]) -> None:
        """Raise OutputError for faults of what the log names, unless an operator has gone on over them."""
        if faults:
            with self._mutex, _errors(self.path), self._locked(os.O_RDONLY) as descriptor:
                self._read(descriptor)
                known = accepted(self._chain)
                self._refuse(tuple(one for one in faults if one not in known))

    def append(self, *records: LoggedRecord) -> ChainHead:
        """Append records that are not in the log yet, one line each, and flush them to the disk together.

        Returns:
            The end of the chain.

        Raises:
            OutputError: The log can't be written, or is at fault ("audit-fault"); it is then unchanged.
        """
        texts = [record.to_json() for record in records]
        with self._mutex, _errors(self.path), contextlib.ExitStack() as stack:
            self._is_new()  # before there is a file
            descriptor = stack.enter_context(self._locked())
            self._read(descriptor)
            found = self._inspection(frozenset(map(id_of, texts)))
            self._refuse_faults(found)
            return self._append(descriptor, texts, [LogNote.of(*repair) for repair in found.repairs])

    def note(self, note: LogNote) -> ChainHead:
        """Append a note on files of the log, and flush it to the disk. Raises as `append`."""
        with self._mutex, _errors(self.path), contextlib.ExitStack() as stack:
            self._is_new()
            descriptor = stack.enter_context(self._locked())
            self._read(descriptor)
            found = self._inspection()
            self._refuse_faults(found)
            return self._append(descriptor, [], [*(LogNote.of(*repair) for repair in found.repairs), note])

    @property
    def head(self) -> ChainHead:
        """The end of the chain, from the file beside it; count 0 when there is none."""
        return read_head(self.path) or ChainHead()

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def _locked(self, mode: int = os.O_RDWR | os.O_CREAT) -> Iterator[int]:
        """The log, open and locked. Opened each time, as it may have been moved."""
        while True:
            descriptor = os.open(self.path, mode | _OPEN, 0o666)
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    message = f"the audit log {self.path} is no regular file"
                    raise OutputError(message, field=_FIELD, value=str(self.path))
                with locked(descriptor):
                    if _same_file(descriptor, self.path):
                        yield descriptor
                        return
            finally:
                os.close(descriptor)

    def _is_new(self) -> bool:
        """Whether there is no log. OutputError where there was one."""
        if self.path.exists():
            return False
        self._start_again()
        self._refuse_faults(self._inspection())
        return True

    def _start_again(self) -> None:
        self._chain, self._checked = Chain(), 0

    def _read(self, descriptor: int) -> None:
        """Read what others appended."""
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != self._file or status.st_size < self._chain.size:
            self._start_again()
            self._file = (status.st_dev, status.st_ino)
        with open(descriptor, "rb", closefd=False) as file:
            self._chain.read(file, status.st_size)

    def _inspection(self, wanted: frozenset[str] = frozenset()) -> Inspection:
        """The chain compared with its head, the ledger and the key."""
        keys = () if self._key is None else (self._key,)
        witness = None if self._ledger is None else self._ledger.witness()
        since = self._checked
        evidence = Evidence.beside(self.path, witness, keys, wanted=wanted, since=since, appending=True)
        return inspect(self._chain, evidence)

    def _new_faults(self, found: Inspection) -> tuple[str, ...]:
        """The faults that no operator has gone on over."""
        old = accepted(self._chain) if found.faults else frozenset()
        return tuple(text for text in map(str, found.faults) if text not in old)

    def _refuse_faults(self, found: Inspection) -> None:
        new = self._new_faults(found)
        if len(new) == 1 and self._key is None and new[0].endswith(SIGNED):
            raise OutputError(
                f"the audit log {self.path} is signed, and there is no key to sign what is appended",
                code="audit-key-missing",
                field="audit_key",
                value=str(self.path),
                hint="set audit_key to the key file that signs it; or set accept_fault, which is recorded",
            )
        self._refuse(new)
        self._checked = len(self._chain.lines)

    def _refuse(self, new: tuple[str, ...]) -> None:
        if new:
            more = "" if len(new) == 1 else f" (and {len(new) - 1} more)"
            raise OutputError(
                f"the audit log {self.path} is not whole, and nothing is appended to it: {new[0]}{more}",
                code="audit-fault",
                field=_FIELD,
                value=str(self.path),
                hint="verify it; or set accept_fault, which is recorded",
            )

    # ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _append(self, descriptor: int, texts: Iterable[str], notes: list[LogNote]) -> ChainHead:
        chain = self._chain
        if chain.torn:
            size = os.fstat(descriptor).st_size - chain.size
            digest = hashlib.sha256(chain.torn).hexdigest()
            cut = f"{size} bytes of an unfinished line {len(chain.lines) + 1} were cut off; SHA-256 {digest}"
            notes = [LogNote.of("torn", cut), *notes]
            os.ftruncate(descriptor, chain.size)
        fresh = dict.fromkeys(text for text in texts if not chain.has(id_of(text)))
        lines, head = [], chain.end
        for text in (*(note.to_json() for note in notes), *fresh):
            lines.append(line_of(text, head))
            head = lines[-1][1]
        if lines and self._key is not None and head.count // _SIGNED_EVERY > chain.end.count // _SIGNED_EVERY:
            lines.append(line_of(LogCheckpoint.of(head, self._key).to_json(), head))
            head = lines[-1][1]
        if lines:
            if (
                self._ledger is None or self._key is not None or not fresh
            ):  # a ledger knows which edits were about to be
                announced = tuple(end.hash for _, end in lines)
                write_head(self.path, HeadFile.of(chain.end, announced, self._key), flush_name=True)
            _write(descriptor, b"".join(line for line, _ in lines), chain.size)
            self._read(descriptor)
        if head.count:
            if self._ledger is not None:
                self._ledger.advance(head)
            write_head(self.path, HeadFile.of(head, key=self._key))
        self._checked = len(chain.lines)
        return head


def _write(descriptor: int, data: bytes, end: int) -> None:
    """Append the data and flush it to the disk, or leave the file as it was."""
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, end)
        raise


def _same_file(descriptor: int, path: Path) -> bool:
    """Whether the path still names the open file, which may have been moved during the wait for its lock."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        with concerning(_FIELD):
            raise not_written(path, error, "the audit log ") from error
