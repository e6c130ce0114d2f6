"""The audit log: one line an edit, appended under a lock."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from overpaint.errors import OutputError, RecordError, concerning
from overpaint.files import check_folder, check_writable, not_written

from ._line import GENESIS, ChainHead, head_bytes, head_path, id_of, line_of, link_of, read_head
from ._lock import locked
from ._note import LogNote
from ._record import AuditRecord

_BINARY = getattr(os, "O_BINARY", 0)
_FIELD = "audit"  # of every error about the log's files


class AuditLog:
    """An audit log to append to. Safe for threads and processes; appended records survive a power cut.

    An append reads the ids of lines, to skip a record that is present already, and the end of the chain, to continue
    it. It does not verify; `overpaint.audit.verify` does.

    A process that is killed can leave part of a line, or a line that the head does not count yet. The next append cuts
    off the one and counts the other, and adds a note on it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Nothing is opened or made yet.

        Raises:
            OutputError: The name is that of a head.
        """
        self.path = Path(path)
        if self.path.suffix == ".head":
            message = f"{self.path}: a log's name can't end in .head, which its head's does; use .jsonl"
            raise OutputError(message, field=_FIELD, value=str(path))
        self._mutex = threading.Lock()
        self._index = _Index()

    def check(self) -> None:
        """Check, before any work, whether appending is possible: the log, and new files beside it. Changes nothing.

        Raises:
            OutputError: The folder is missing, or it or the log can't be written to.
        """
        with concerning(_FIELD):
            check_writable(self.path, overwrite=True)
            check_folder(self.path.parent)
            if self.path.exists() and not os.access(self.path, os.W_OK):
                raise OutputError(f"can't write the audit log {self.path}: it is read-only", value=str(self.path))

    def append(self, *records: AuditRecord) -> ChainHead:
        """Append records that are not in the log yet, one line each, and flush them to the disk together.

        Returns:
            The end of the chain.

        Raises:
            OutputError: The log can't be written; it is then unchanged.
        """
        with self._mutex, _errors(self.path), self._locked() as descriptor:
            return self._append(descriptor, [record.to_json() for record in records])

    @property
    def head(self) -> ChainHead:
        """The end of the chain, from the file beside it; count 0 when there is none."""
        return read_head(self.path) or ChainHead()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """The log, open and locked. Opened each time, as it may have been moved."""
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _BINARY, 0o666)
            try:
                with locked(descriptor):
                    if _same_file(descriptor, self.path):
                        yield descriptor
                        return
            finally:
                os.close(descriptor)

    def _append(self, descriptor: int, texts: list[str]) -> ChainHead:
        wanted = {id_of(text): text for text in texts}
        torn = self._index.update(descriptor)
        notes = []
        if torn is not None:
            cut = f"{len(torn)} bytes of an unfinished line {self._index.count + 1} were cut off"
            notes.append(LogNote.of("torn", f"{cut}; SHA-256 {hashlib.sha256(torn).hexdigest()}"))
        notes += self._notes_on_head(frozenset(wanted))
        fresh = [note.to_json() for note in notes] + [text for id, text in wanted.items() if not self._index.has(id)]
        head = ChainHead(self._index.count, self._index.last)
        if fresh:
            lines = []
            for text in fresh:
                line, head = line_of(text, head)
                lines.append(line)
            _write(descriptor, b"".join(lines), self._index.end)
            for text, line in zip(fresh, lines, strict=True):
                self._index.add(id_of(text), len(line), head.hash)
        if head.count:
            self._write_head(head)
        return head

    def _notes_on_head(self, wanted: frozenset[str]) -> list[LogNote]:
        """Notes on how the head differs from the lines."""
        seen = self._index
        notes = [LogNote.of("unreadable", f"line {seen.count} was not a line of an audit log")] if seen.broken else []
        try:
            head = read_head(self.path)
        except RecordError as error:
            return [*notes, LogNote.of("unreadable", str(error))]
        known = head or ChainHead()
        if known.count > seen.count:
            gone = known.count - seen.count
            lines = "1 line was" if gone == 1 else f"{gone} lines were"
            notes.append(LogNote.of("lost", f"{lines} gone from the end: the head was {known}"))
        elif known.count == seen.count:
            if known.hash != seen.last and not seen.broken:
                notes.append(LogNote.of("replaced", f"the last line was another: the head was {known}"))
        # An append that was interrupted before the head is completed by repeating it, and needs no note.
        elif not seen.ids_after(known.count) <= wanted:
            text = f"there was no head beside {seen.count} lines"
            uncovered = LogNote.of("uncovered", f"there were {seen.count} lines, and the head was {known}")
            notes.append(LogNote.of("headless", text) if head is None else uncovered)
        return notes

    def _write_head(self, head: ChainHead) -> None:
        # Not flushed, which would double the cost of an append: the lines are, and the next append counts those that a
        # head is behind by after a power cut. The hidden file has one name, as the lock is held.
        target = head_path(self.path)
        hidden = target.with_name(f".{target.name}.tmp")
        hidden.write_bytes(head_bytes(head))
        hidden.replace(target)


class _Index:
    """The part of a log that was read: ids of its lines, and the end of its chain."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self.file: tuple[int, int] = (0, 0)
        self.end = 0
        self.last = GENESIS
        self.broken = False
        self._ids: dict[bytes, None] = {}
        self._order: list[bytes] = []

    @property
    def count(self) -> int:
        """Number of lines, readable or not."""
        return len(self._order)

    def has(self, id: str) -> bool:
        """Whether the log has a record."""
        return bytes.fromhex(id) in self._ids

    def ids_after(self, count: int) -> frozenset[str]:
        """Ids of the lines after the first `count`; "" for an unreadable line."""
        return frozenset(id.hex() for id in self._order[count:])

    def update(self, descriptor: int) -> bytes | None:
        """Read what others appended. An incomplete line at the end is cut off and returned."""
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != self.file or status.st_size < self.end:
            self._reset()
            self.file = (status.st_dev, status.st_ino)
        if status.st_size == self.end:
            return None
        with open(descriptor, "rb", closefd=False) as file:
            file.seek(self.end)
            for line in file:
                if not line.endswith(b"\n"):
                    os.ftruncate(descriptor, self.end)
                    return line
                link = link_of(line)
                if link is None:  # the chain continues from the digest of its bytes
                    self.add("", len(line), hashlib.sha256(line).hexdigest(), broken=True)
                else:
                    self.add(link.id, len(line), link.hash)
        return None

    def add(self, id: str, size: int, last: str, *, broken: bool = False) -> None:
        """Count a line of `size` bytes, after which the chain continues from the hash `last`."""
        self._order.append(bytes.fromhex(id))
        self._ids[self._order[-1]] = None
        self.end += size
        self.last = last
        self.broken = broken


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
