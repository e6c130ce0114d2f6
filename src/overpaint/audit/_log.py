"""The audit log: one line an edit, appended under a lock."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from overpaint.errors import OutputError, RecordError, RequestError
from overpaint.values import canonical_json, parse_json

from ._line import GENESIS, Head, head_bytes, head_path, id_of, line_of, link_of, read_head
from ._lock import locked
from ._note import Note
from ._record import AuditRecord

_BINARY = getattr(os, "O_BINARY", 0)


class AuditLog:
    """An audit log that is written to. Safe for threads and processes; what was appended survives a power cut.

    The log is written and never read to decide: an append looks at the ids of lines, to leave out a record that is
    there already, and at the end of the chain, to go on from it. It does not verify; `overpaint.audit.verify` does.

    A process that is killed can leave half a line, or a line that the head does not know of yet. The next append cuts
    the one and counts the other, and says so in a note of its own.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Nothing is opened or made yet.

        Raises:
            OutputError: The path can't be a log's.
        """
        self.path = Path(path)
        if self.path.suffix == ".head":
            raise OutputError(f"{self.path}: a log's name can't end in .head, which its head's does; use .jsonl")
        self._guard = threading.Lock()
        self._seen = _Seen()

    def check(self) -> None:
        """Find out, before any work, whether appending is possible. Leaves no trace.

        Raises:
            OutputError: The folder is missing, or it or the log can't be written to.
        """
        folder = self.path.parent
        if self.path.is_dir():
            raise OutputError(f"{self.path} is a folder; give the name of a file for the audit log")
        if not folder.is_dir():
            raise OutputError(f"can't write the audit log {self.path}: the folder {folder} doesn't exist")
        target = self.path if self.path.exists() else folder
        if not os.access(target, os.W_OK) or not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(f"can't write the audit log {self.path}: {target} is read-only")

    def append(self, *records: AuditRecord | str) -> Head:
        """Write records that are not there yet, each as one line, durably; several cost one flush to the disk.

        Args:
            *records: Records, or their JSON as `AuditRecord.to_json` gave it.

        Returns:
            The end of the chain.

        Raises:
            OutputError: The log can't be written; it then ends where it ended before.
            RecordError: Something is no record.
        """
        texts = [record.to_json() if isinstance(record, AuditRecord) else _canonical(record) for record in records]
        with self._guard, _errors(self.path), self._held() as descriptor:
            return self._append(descriptor, texts)

    @property
    def head(self) -> Head:
        """The end of the chain as the file beside it says; count 0 when there is none."""
        return read_head(self.path) or Head()

    @contextlib.contextmanager
    def _held(self) -> Iterator[int]:
        """The log, open and ours alone. Opened anew each time: it may have been moved away since."""
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _BINARY, 0o666)
            try:
                with locked(descriptor):
                    if _same_file(descriptor, self.path):
                        yield descriptor
                        return
            finally:
                os.close(descriptor)

    def _append(self, descriptor: int, texts: list[str]) -> Head:
        wanted = {id_of(text): text for text in texts}
        torn = self._seen.catch_up(descriptor)
        notes = [] if torn is None else [_torn(torn, self._seen)]
        notes += self._against_head(frozenset(wanted))
        fresh = [note.to_json() for note in notes] + [text for id, text in wanted.items() if not self._seen.has(id)]
        head = Head(self._seen.count, self._seen.last)
        if fresh:
            lines, links = [], []
            for text in fresh:
                line, link = line_of(text, head.count + 1, head.hash)
                head = Head(link.n, link.hash)
                lines.append(line)
                links.append(link.id)
            _write(descriptor, b"".join(lines), self._seen.end)
            self._seen.add(links, sum(map(len, lines)), head)
        if head.count and self._head_or_none() != head:
            self._write_head(head)
        return head

    def _against_head(self, wanted: frozenset[str]) -> list[Note]:
        """What the head says of the lines that are there, where it says something else."""
        seen = self._seen
        notes = [Note.of("unreadable", f"line {seen.count} was no line of an audit log")] if seen.broken else []
        try:
            head = read_head(self.path)
        except RecordError as error:
            return [*notes, Note.of("unreadable", str(error))]
        known = head or Head()
        if known.count > seen.count:
            gone = known.count - seen.count
            lines = "1 line was" if gone == 1 else f"{gone} lines were"
            return [*notes, Note.of("lost", f"{lines} gone from the end: the head was {known}")]
        if known.count == seen.count:
            same = known.hash == seen.last or seen.broken
            return notes if same else [*notes, Note.of("replaced", f"the last line was another: the head was {known}")]
        # An append that was interrupted between line and head is finished by the same append, and needs no note.
        if seen.ids_after(known.count) <= wanted:
            return notes
        if head is None:
            return [*notes, Note.of("headless", f"there was no head beside {seen.count} lines")]
        return [*notes, Note.of("uncovered", f"there were {seen.count} lines, and the head was {known}")]

    def _head_or_none(self) -> Head | None:
        with contextlib.suppress(RecordError):
            return read_head(self.path)
        return None

    def _write_head(self, head: Head) -> None:
        # Not flushed on its own, which would double the cost of an append: the lines are, and a head that a power cut
        # took back is behind by lines that the next append counts. The name is fixed, for the lock is held.
        target = head_path(self.path)
        hidden = target.with_name(f".{target.name}.tmp")
        hidden.write_bytes(head_bytes(head))
        hidden.replace(target)


class _Seen:
    """How far a log was read: the ids of its lines and the end of its chain."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.file: tuple[int, int] = (0, 0)
        self.end = 0
        self.last = GENESIS
        self.broken = False
        self._ids: dict[bytes, None] = {}
        self._order: list[bytes] = []

    @property
    def count(self) -> int:
        """Lines, readable or not."""
        return len(self._order)

    def has(self, id: str) -> bool:
        """Whether a record is there."""
        return bytes.fromhex(id) in self._ids

    def ids_after(self, count: int) -> frozenset[str]:
        """The ids of the lines after the first `count`; an unreadable line has the id ""."""
        return frozenset(id.hex() for id in self._order[count:])

    def catch_up(self, descriptor: int) -> bytes | None:
        """Look at what others appended. What is no whole line at the end is cut off and returned."""
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != self.file or status.st_size < self.end:
            self._clear()
            self.file = (status.st_dev, status.st_ino)
        if status.st_size == self.end:
            return None
        with open(descriptor, "rb", closefd=False) as file:
            file.seek(self.end)
            for line in file:
                if not line.endswith(b"\n"):
                    os.ftruncate(descriptor, self.end)
                    return line
                self._take(line)
        return None

    def _take(self, line: bytes) -> None:
        link = link_of(line)
        self.broken = link is None
        # After a line that can't be read the chain goes on from its bytes, so that there is something to go on from.
        self.last = hashlib.sha256(line).hexdigest() if link is None else link.hash
        self.end += len(line)
        self._note(b"" if link is None else bytes.fromhex(link.id))

    def add(self, ids: list[str], size: int, head: Head) -> None:
        """Count lines that were just written."""
        for id in ids:
            self._note(bytes.fromhex(id))
        self.end += size
        self.last = head.hash
        self.broken = False

    def _note(self, id: bytes) -> None:
        self._order.append(id)
        self._ids[id] = None


def _torn(cut: bytes, seen: _Seen) -> Note:
    digest = hashlib.sha256(cut).hexdigest()
    return Note.of("torn", f"{len(cut)} bytes of an unfinished line {seen.count + 1} were cut off; SHA-256 {digest}")


def _canonical(text: str) -> str:
    """A record's JSON in the one spelling that is chained."""
    try:
        value = parse_json(text, "the audit record")
    except RequestError as error:
        raise RecordError(str(error)) from None
    if not isinstance(value, dict) or value.get("kind") != "edit":
        raise RecordError('this is no record for an audit log: its kind is not "edit"')
    return canonical_json(value)


def _write(descriptor: int, data: bytes, end: int) -> None:
    """Append all of it and flush it to the disk, or leave the file as it was."""
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
    """Whether the name still leads to the file that was opened; it may have been moved while we waited."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reasons = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}
        reason = reasons.get(error.errno or 0, error.strerror or str(error))
        raise OutputError(f"can't write the audit log {path}: {reason}") from error
