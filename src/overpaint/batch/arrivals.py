"""Files that arrive in a folder: what is there, and which of it is not being written any more.

The folder is read again and again (`os.scandir`) and not watched by inotify or its like: these say nothing of network
shares that another machine writes to, and nothing of a copy that has stalled, which needs a second look anyway.

A file has settled when its size and times have stayed equal from one look to another that is an interval later. One
that lacks the end of its format (`has_its_end`) is waited for much longer, as its transfer may have stalled. One that
was renamed into place is whole at once: it had a temporary name before, or its name is younger than its content; and it
does not lack its end.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from overpaint.picture.whole import has_its_end

PATIENCE = 30  # intervals that a file without its end is waited for
_TEMPORARY = (".tmp", ".temp", ".part", ".partial", ".crdownload", ".download", ".filepart", ".opdownload", ".swp")


def is_temporary(name: str) -> bool:
    """Whether a name is one that programs give to files that they are writing, or hides a file."""
    return name.startswith((".", "~")) or name.endswith("~") or name.lower().endswith(_TEMPORARY)


@dataclass(frozen=True, slots=True)
class FileMark:
    """What tells that a file was changed: size, times in nanoseconds, device and inode (0 where there is none)."""

    size: int
    modified: int
    changed: int
    device: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileMark:
        """Of a file's status."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_dev, status.st_ino)

    @property
    def content(self) -> tuple[int, int, int]:
        """What changes with the content; a rename or other permissions change only `changed`."""
        return (self.size, self.modified, self.inode)


@dataclass(slots=True)
class FolderListing:
    """A folder and those in it at one moment.

    Attributes:
        files: Regular files by path, but for temporary ones.
        temporary: Marks of the temporary ones.
        odd: Pipes, devices and the like.
        unread: Folders that could not be read, and why.
    """

    files: dict[str, FileMark] = field(default_factory=dict)
    temporary: list[FileMark] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)


def list_folder(root: Path, leave_out: Collection[Path], before: FolderListing) -> FolderListing:
    """List a folder. Hidden folders and links to folders are not entered, nor `leave_out`; nor are links to files in
    there followed. Files of folders that can't be read now are as they were before.
    """
    found = FolderListing()
    left_out = {os.path.realpath(folder) for folder in leave_out}
    marks = {(status.st_dev, status.st_ino) for folder in leave_out if (status := _status(folder)) is not None}
    folders = [str(root)]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if not entry.name.startswith(".") and _id_of(entry) not in marks:
                            folders.append(entry.path)
                    else:
                        _take(entry, found, left_out)
        except OSError as error:
            if folder != str(root) and isinstance(error, FileNotFoundError):
                continue
            found.unread[folder] = error.strerror or str(error)
            within = os.path.join(folder, "")  # noqa: PTH118 - texts, for every file
            found.files |= {path: mark for path, mark in before.files.items() if path.startswith(within)}
    return found


def _take(entry: os.DirEntry[str], found: FolderListing, left_out: Collection[str]) -> None:
    try:
        status = entry.stat()
    except OSError:  # a broken link, or gone meanwhile
        return
    if stat.S_ISDIR(status.st_mode):
        return
    if entry.is_symlink() and any(Path(os.path.realpath(entry.path)).is_relative_to(one) for one in left_out):
        return
    if is_temporary(entry.name):
        found.temporary.append(FileMark.of(status))
    elif stat.S_ISREG(status.st_mode):
        found.files[entry.path] = FileMark.of(status)
    else:
        found.odd.append(entry.path)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _id_of(entry: os.DirEntry[str]) -> tuple[int, int] | None:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    return (status.st_dev, status.st_ino)


@dataclass(slots=True)
class Settling:
    """Tells which files of one listing after another have settled.

    Attributes:
        interval: Seconds for which a file must stay equal.
        clock: Gives seconds; monotonic.
        settled: Files that have, by path.
        unsettled: Those that have not.
    """

    interval: float
    clock: Callable[[], float]
    settled: dict[str, FileMark] = field(default_factory=dict)
    unsettled: set[str] = field(default_factory=set)
    _since: dict[str, tuple[FileMark, float]] = field(default_factory=dict)
    _temporary: set[tuple[int, int]] = field(default_factory=set)

    def see(self, listing: FolderListing) -> None:
        """Take a new listing."""
        now = self.clock()
        since: dict[str, tuple[FileMark, float]] = {}
        settled: dict[str, FileMark] = {}
        for path, mark in listing.files.items():
            if self.settled.get(path) == mark or self._same_content(path, mark):
                settled[path] = mark
                continue
            first = self._since.get(path)
            since[path] = first if first is not None and first[0] == mark else (mark, now)
            if self._is_settled(path, mark, now - since[path][1]):
                settled[path] = mark
                del since[path]
        self.settled, self._since, self.unsettled = settled, since, set(since)
        self._temporary = {(mark.device, mark.inode) for mark in listing.temporary if mark.inode}

    def _same_content(self, path: str, mark: FileMark) -> bool:
        before = self.settled.get(path)
        return before is not None and before.content == mark.content

    def _is_settled(self, path: str, mark: FileMark, seconds: float) -> bool:
        renamed = bool(mark.inode) and (mark.device, mark.inode) in self._temporary
        if seconds < self.interval and not renamed and mark.changed <= mark.modified:
            return False
        try:
            ended = has_its_end(Path(path))
        except OSError:  # its row says so, should that last
            return seconds >= PATIENCE * self.interval
        if seconds < self.interval and not renamed:  # its name or its times were set after its content
            return ended is True
        return ended is not False or seconds >= PATIENCE * self.interval


def changed_paths(before: dict[str, FileMark], after: dict[str, FileMark]) -> Iterator[str]:
    """Paths that are new or have another content."""
    for path, mark in after.items():
        known = before.get(path)
        if known is None or known.content != mark.content:
            yield path
