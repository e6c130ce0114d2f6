"""Pruning a folder of results: files of rows that have left the list, and what killed runs left, are removed.

Only a file is removed that the ledger, and the audit log where one is kept, prove to have been written by this batch,
that no row of the list owns, may own or reads (`claims`), and that still has the digest that was written.

The order makes a crash harmless. The audit log says which files are removed; then they are; then the ledger forgets
their rows. The next prune finds in the ledger what is left, and does not announce it again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from overpaint.audit import AuditRecord, LoggedOutput, LogNote, RemovedFile, logged_outputs, place_of
from overpaint.bounded import call_in_time
from overpaint.errors import RecordError, RequestError
from overpaint.ledger import LedgerEntry
from overpaint.record import sidecar_path
from overpaint.studio import Studio

from .claims import ListClaims
from .removal import FoundFile, names_in, read_result, remove_empty_folders, remove_result
from .report import tidy
from .results import hidden_beside
from .rows import BadRow, EditRow
from .run import BatchSession, Options, session_of
from .status import details_in, listed_rows, status_of
from .store import ASIDE, Place, name_of_result, part_of
from .task import TaskResult

T = TypeVar("T")

_TOGETHER = 500  # rows that are announced in one line of the log
_HIDDEN = re.compile(r"\.(?P<name>.*)\.[0-9a-f]{16}\.part", re.DOTALL)


@dataclass(frozen=True, slots=True)
class PrunableFile:
    """A file that belongs to no row of the list.

    Attributes:
        path: Its name in the folder of results.
        kind: "result", "sidecar", or "unfinished" for a hidden file of a run that was killed.
        bytes: Its size.
        sha256: Its digest; "" of an unfinished file.
    """

    path: str
    kind: str
    bytes: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file of a row that is not in the list, or may not be, and is kept; and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune removes, or would remove.

    Attributes:
        dry_run: Whether nothing was removed.
        files: The files.
        kept: Files that are kept, with the reason; also those that could not be removed.
        rows: Ids of the rows that the ledger forgets.
        thumbnails: Number of rows whose thumbnails are removed.
        bytes: Of all files.
        failed: Number of files that could not be removed.
    """

    dry_run: bool
    files: tuple[PrunableFile, ...] = ()
    kept: tuple[KeptFile, ...] = ()
    rows: tuple[str, ...] = ()
    thumbnails: int = 0
    bytes: int = 0
    failed: int = 0


def prune(rows: Iterable[EditRow | BadRow], options: Options, studio: Studio, *, dry_run: bool = True) -> Pruned:
    """Remove the files of rows that have left the list, with their sidecars and thumbnails, and hidden files of runs
    that were killed.

    Args:
        rows: The list as it is now.
        options: Of the runs; `where` and `limit` have no meaning here.
        studio: Knows the engines; it paints nothing.
        dry_run: Whether to remove nothing, and only find what would be.

    Raises:
        RequestError: There is no ledger; a filter or a limit is set; or as `run` does.
        OutputError, LedgerError: As `run` does: the log is at fault, or another run uses the folder.
    """
    for name, given in (("where", options.where), ("limit", options.limit)):
        if given is not None:
            raise RequestError("a prune looks at all rows: leave out {field}", field=name, value=str(given))
    if not options.folders.ledger.exists():
        message = f"there is no ledger at {options.folders.ledger}: nothing shows which files a batch has written"
        raise RequestError(message, field="output", value=str(options.folders.out))
    read = list(rows)
    with session_of(replace(options, accept_fault=options.accept_fault and not dry_run)) as session:
        pruner = _Pruner(session, dry_run)
        pruner.find_unfinished()
        if not dry_run:
            tidy(options.folders.reports)
            session.publisher.recover()
        planned = session.plan(read, studio)
        listed = listed_rows(planned, session.ledger, private=options.private)
        status = status_of(planned, session.ledger.entries(), session.files, options.folders.out)
        there = status.unchanged | status.in_review
        pruner.find_results(ListClaims.of(read, planned, there, session.options.rules))
        pruner.remove()
        if not dry_run:
            session.report(listed)
        return pruner.pruned()


@dataclass(frozen=True, slots=True)
class _LeftRow:
    """A row that has left the list: its files that go, and whether all do, so that the ledger can forget it."""

    id: str
    files: tuple[tuple[PrunableFile, FoundFile], ...]
    whole: bool


@dataclass(slots=True)
class _Pruner:
    session: BatchSession
    dry_run: bool
    unfinished: list[tuple[PrunableFile, FoundFile]] = field(default_factory=list)
    left: list[_LeftRow] = field(default_factory=list)
    kept: list[KeptFile] = field(default_factory=list)
    gone: list[PrunableFile] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    thumbnails: int = 0
    failed: int = 0
    _logged: Mapping[str, LoggedOutput] = field(default_factory=dict)
    _late: int = 0

    # ── finding ───────────────────────────────────────────────────────────────────────────────────────────────────

    def find_unfinished(self) -> None:
        """Find hidden files that runs have left: of the form of this batch's, for a result that the ledger knows. Those
        of finished rows are left to `recover`, which gives them their names.
        """
        out = self.session.options.folders.out
        if not isinstance(out, Path):
            return  # a store can't be listed without fetching all names; `recover` removes what the ledger names
        entries = [entry for entry in self.session.ledger.entries() if entry.spec]
        finished = {
            hidden_beside(out / entry.spec, entry.token).relative_to(out).as_posix()
            for entry in entries
            if entry.state == "finished"
        }
        places = [PurePosixPath(entry.spec) for entry in entries]
        results = {(place.parent, place.name[:40]) for place in places}
        places += [ASIDE / place for place in places]
        sidecars = {place.with_name(part_of(sidecar_path(Path(place.name))).name) for place in places}
        for folder in dict.fromkeys(place.parent for place in places):
            for name in self._names_in(folder):
                found, place = _HIDDEN.fullmatch(name), folder / name
                ours = place in sidecars or (found is not None and (folder, found["name"]) in results)
                if ours and str(place) not in finished:
                    self._take_unfinished(str(place))

    def _take_unfinished(self, path: str) -> None:
        try:
            found = self._in_time(read_result, path)
        except OSError:
            return
        self.unfinished.append((PrunableFile(path, "unfinished", found.bytes), found))

    def find_results(self, claims: ListClaims) -> None:
        """Find the files of rows that have left the list."""
        known = [one for one in self.session.ledger.entries() if one.spec and not claims.owns(one)]
        entries = [(one, lying) for one in known if (lying := _lying(one)).result]
        log, folder = self.session.options.audit, self._log_folder
        if log is not None and folder is not None:
            names = [name for _, lying in entries for name in (lying.spec, _sidecar(lying.spec))]
            places = {place_of(str(self._at(name)), folder) for name in names}
            try:
                self._logged = logged_outputs(log, places)
            except RecordError:  # there is no log: it proves nothing
                self._logged = {}
        for entry, lying in entries:
            if need := claims.need(entry):
                if self._read(lying.spec) is not None:
                    self.kept.append(KeptFile(lying.spec, need))
            elif entry.state == "finished":
                self._take_finished(entry)
            else:
                self._take(lying)

    def _take(self, entry: LedgerEntry) -> None:
        files, whole = [], True
        for path, kind in ((entry.spec, "result"), (_sidecar(entry.spec), "sidecar")):
            try:
                found = self._in_time(read_result, path)
            except FileNotFoundError:
                continue
            except OSError as error:
                self.kept.append(KeptFile(path, f"it can't be read: {error.strerror or error}"))
                whole = False
                continue
            reason = self._doubt(entry, found) if kind == "result" else self._doubt_of_sidecar(entry, found)
            if reason or not whole:  # the record of a picture that is kept is kept too
                self.kept.append(KeptFile(path, reason or "its picture is kept"))
                whole = False
            else:
                files.append((PrunableFile(path, kind, found.bytes, found.sha256), found))
        self.left.append(_LeftRow(entry.id, tuple(files), whole))

    def _take_finished(self, entry: LedgerEntry) -> None:
        """A row that an interrupted run has painted; found by a dry run only, as nothing has been recovered."""
        out = self.session.options.folders.out
        hidden = hidden_beside(out / entry.spec, entry.token).relative_to(out).as_posix()
        found = self._read(hidden)
        if found is None:  # it has its name already, or is in review
            aside = replace(entry, spec=f"{ASIDE}/{entry.spec}")
            self._take(entry if self._read(aside.spec) is None else aside)
        elif found.sha256 == entry.result:
            file = PrunableFile(hidden, "unfinished", found.bytes)
            self.left.append(_LeftRow(entry.id, ((file, found),), True))

    def _doubt(self, entry: LedgerEntry, found: FoundFile) -> str:
        """Why a file is not proven to be the result that was written; "" where it is."""
        if found.sha256 != entry.result:
            return "it was changed since it was written"
        if self.session.options.audit is None:
            return ""
        logged = self._logged_of(entry)
        if logged is None or found.sha256 not in logged.digests | logged.pruned:
            pending = entry.line or ""  # its line is not written yet
            return "" if entry.state == "finished" and pending else "the audit log has no record of it"
        return ""

    def _doubt_of_sidecar(self, entry: LedgerEntry, found: FoundFile) -> str:
        known = json.loads(entry.detail or "{}").get("sidecar_sha256")
        if known is None and entry.state == "finished":
            known = TaskResult.from_json(entry.line or "{}").details.get("sidecar_sha256")
        if known == found.sha256:
            return ""
        if known is None and (logged := self._logged_of(entry)) is not None and logged.last:
            text = AuditRecord.from_json(logged.last).edit.to_json()
            if hashlib.sha256(text.encode()).hexdigest() == found.sha256:
                return ""
        return "it was changed since it was written" if known else "nothing shows that it is as it was written"

    def _names_in(self, folder: PurePosixPath) -> list[str]:
        try:
            return self._in_time(names_in, folder)
        except TimeoutError:  # what is in it is left to the next prune
            return []

    def _in_time(self, look: Callable[[Any, Any], T], name: Any) -> T:
        """A look at a file or folder of the results. TimeoutError where it hangs: each leaves less time to the others,
        as they are likely to be on one mount.
        """
        seconds = max(self.session.options.limits.reading / (1 + self._late), 1.0)
        try:
            return call_in_time(look, self.session.options.folders.out, name, seconds=seconds)
        except TimeoutError:
            self._late += 1
            raise

    def _read(self, path: str) -> FoundFile | None:
        try:
            return self._in_time(read_result, path)
        except OSError:
            return None

    def _at(self, name: str) -> Place:
        return self.session.options.folders.out / name

    @property
    def _log_folder(self) -> Path | None:
        log = self.session.options.audit
        return None if log is None else log.parent

    def _logged_of(self, entry: LedgerEntry) -> LoggedOutput | None:
        return self._logged.get(place_of(str(self._at(entry.spec)), self._log_folder))

    # ── removing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def remove(self) -> None:
        """Remove what was found; a dry run counts it."""
        if self.dry_run:
            self.gone = [file for file, _ in self.unfinished]
            self.gone += [file for row in self.left for file, _ in row.files]
            self.forgotten = [row.id for row in self.left if row.whole]
            small = self.session.thumbnails.bytes("small")
            self.thumbnails = sum(id in small for id in self.forgotten)
            return
        count = sum(self._remove(file, found) for file, found in self.unfinished)
        for start in range(0, len(self.left), _TOGETHER):
            rows = self.left[start : start + _TOGETHER]
            # one that comes back to the list is painted anew, whether its file was removed or only announced
            self.session.ledger.again(row.id for row in rows)
            self._announce(rows, count)
            count = 0
            whole = [row.id for row in rows if self._remove_all(row) and row.whole]
            self.session.ledger.forget(whole)
            self.thumbnails += self.session.thumbnails.remove(whole)
            self.forgotten += whole
        if isinstance(out := self.session.options.folders.out, Path):
            remove_empty_folders(out, (file.path for file in self.gone))

    def _remove_all(self, row: _LeftRow) -> bool:
        """Remove a row's files. Returns whether all are gone."""
        removed = [self._remove(file, found) for file, found in row.files]
        return all(removed)

    def _announce(self, rows: Iterable[_LeftRow], unfinished: int) -> None:
        """Note in the audit log what goes, but for what an interrupted prune has noted."""
        audit, files = self.session.publisher.audit, list(self._to_announce(rows))
        if audit is None or not files:
            return
        count = "1 file" if len(files) == 1 else f"{len(files)} files"
        text = f"{count} of rows that had left the list {'was' if len(files) == 1 else 'were'} removed"
        text += f", and {unfinished} unfinished ones" if unfinished else ""
        audit.note(LogNote.of("pruned", text, files=tuple(files)))

    def _to_announce(self, rows: Iterable[_LeftRow]) -> Iterator[RemovedFile]:
        for row in rows:
            for file, found in row.files:
                place = place_of(str(self._at(file.path)), self._log_folder)
                logged = self._logged.get(place)
                if logged is None or found.sha256 not in logged.pruned:
                    yield RemovedFile(place=place, sha256=found.sha256)

    def _remove(self, file: PrunableFile, found: FoundFile) -> bool:
        try:
            remove_result(self.session.options.folders.out, file.path, found)
        except OSError as error:
            self.kept.append(KeptFile(file.path, f"it can't be removed: {error.strerror or error}"))
            self.failed += 1
            return False
        self.gone.append(file)
        return True

    def pruned(self) -> Pruned:
        """All together."""
        size = sum(file.bytes for file in self.gone)
        return Pruned(
            self.dry_run,
            tuple(self.gone),
            tuple(sorted(self.kept, key=lambda one: one.path)),
            tuple(self.forgotten),
            self.thumbnails,
            size,
            self.failed,
        )


def _lying(entry: LedgerEntry) -> LedgerEntry:
    """An entry with the path where its file lies now, and with that file's digest."""
    aside = details_in(entry).get("aside")
    if not entry.result and isinstance(aside, str):  # it was set aside, and was to be painted again
        return replace(entry, spec=f"{ASIDE}/{entry.spec}", result=aside)
    return replace(entry, spec=name_of_result(entry))


def _sidecar(name: str) -> str:
    """The name of a result's sidecar."""
    return str(PurePosixPath(name).with_name(sidecar_path(PurePosixPath(name).name).name))
