"""Watching a folder that keeps being filled: its pictures are rows of one batch, which are done as they arrive."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from overpaint.doors.names import folded
from overpaint.errors import InputError, OutputError
from overpaint.studio import Studio

from .arrivals import FileMark
from .clashes import OwnFiles
from .events import Arrived, Began, Decided, Departed, Done, Doubted, Ended, Event, Failed, Idle, Watching
from .executor import Executor, ThreadExecutor
from .incoming import IncomingPictures, WatchedFolder, shown
from .plan import BatchPlan, PlannedEdit
from .reasons import reason_of
from .report import tidy
from .rows import BadRow, Reader
from .run import BatchSession, Options, concluded, session_of
from .runner import Runner, Tally
from .status import BatchStatus, details_in, enter, forget_unlisted, notes_on_doubtful, own_files, status_of
from .store import aside_of

_PLANNED_TOGETHER = 32  # arrivals that are read between two looks at what has ended
_SHARE = 20  # the folder is listed, and the report written, for at most 1 / 20 of the time
_REPORT = 30.0  # seconds between two reports, while rows are done
_IDLE = 60.0  # seconds between two events that say that nothing is to be done


def watch(
    watched: WatchedFolder,
    reader: Reader,
    options: Options,
    studio: Studio,
    *,
    on_event: Callable[[Event], None] = lambda _: None,
    executor: Executor | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Ended:
    """Do the pictures of a folder as they arrive: through one run of a batch, as `run` does.

    Args:
        watched: The folder.
        reader: Makes a row of a picture and its mask.
        options: Of the run; the folder of results is left out of what is watched.
        studio, on_event, executor: As of `run`.
        clock: Gives seconds; monotonic.

    Raises:
        RequestError: The folder can't be watched; or no row says what is painted.
        OutputError, LedgerError, KeyboardInterrupt: As `run` does.
    """
    watched.check(options)
    began = time.perf_counter()
    with session_of(options) as session:
        tidy(options.folders.reports)
        completed = session.recover()
        own = ThreadExecutor(studio, ahead=options.ahead)
        feed = _Feed(watched, reader, session, studio, on_event, clock)
        runner = Runner(executor or own, session.publisher, session.thumbnails, session.task_options, feed.show)

        def work() -> None:
            feed.begin(completed)
            runner.run(BatchStatus((), frozenset()), (), feed)

        def end(interrupted: bool) -> Ended:
            return session.end(feed.listed, feed.tally(runner.tally), began, interrupted=interrupted)

        return concluded(work, own, end, on_event)


@dataclass(slots=True)
class _WatchedPicture:
    """A picture that is a row.

    Attributes:
        number: The row's.
        marks: What its content and its mask's are known by.
        state: "waiting", "done", "unchanged", "needs-review", "failed", or "left" by a filter.
        id: The row's in the ledger.
        output: Its result's name, as file systems compare it; "" where it has none, or another picture has it.
        warned, doubtful: Whether the result that it got in this run has a warning, and is doubtful.
    """

    number: int
    marks: tuple[object, ...] = ()
    state: str = ""
    id: str = ""
    output: str = ""
    warned: bool = False
    doubtful: bool = False


@dataclass(slots=True)
class _Feed:
    """Gives the runner the pictures of a folder (a `RowSource`), and keeps the list of them."""

    watched: WatchedFolder
    reader: Reader
    session: BatchSession
    studio: Studio
    on_event: Callable[[Event], None]
    clock: Callable[[], float]
    pictures: dict[str, _WatchedPicture] = field(default_factory=dict)
    _by_id: dict[str, str] = field(default_factory=dict)
    _by_output: dict[str, str] = field(default_factory=dict)  # the pictures that have the names of results
    _reserved: dict[str, set[str]] = field(default_factory=dict)  # names of results of pictures before they are rows
    _numbered: int = 0
    _gone: int = 0  # rows that were done, and whose pictures are gone
    _own: OwnFiles = field(default_factory=OwnFiles)
    _due: deque[str] = field(default_factory=deque)
    _items: dict[str, PlannedEdit] = field(default_factory=dict)  # rows to do, by their pictures
    _incoming: IncomingPictures = field(init=False)
    _first_bad: list[tuple[str, BadRow]] = field(default_factory=list)
    _started: bool = False
    _stopped: str = ""  # why it ends early
    _doubtful: set[str] = field(default_factory=set)  # rows that were done before
    _given: int = 0
    _next_look: float = 0.0
    _busy: float = 0.0  # when something last happened
    _idle_told: float | None = None
    _dirty: bool = False
    _next_report: float = 0.0

    def __post_init__(self) -> None:
        folders = self.session.options.folders
        own = [folder for folder in (folders.out, folders.state) if isinstance(folder, Path)]
        self._incoming = IncomingPictures(self.watched, own, self.on_event, self.clock)
        self._own = own_files(self.session.ledger, folders.out)
        self._busy = self.clock()

    # ── the list ──────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def listed(self) -> dict[str, int]:
        """Numbers of the rows by their ids in the ledger."""
        return {one.id: one.number for one in self.pictures.values() if one.id}

    def tally(self, run: Tally) -> Tally:
        """The counts: each row once, though it may have been done more than once. Rows that were done and have left
        the list since are among those that are done.
        """
        rows = [one for one in self.pictures.values() if one.id]
        states, done = [one.state for one in rows], [one for one in rows if one.state == "done"]
        return Tally(
            states.count("done") + self._gone,
            states.count("unchanged"),
            states.count("failed"),
            run.painting,
            run.stopped or self._stopped,
            states.count("needs-review"),
            sum(one.warned for one in done),
            sum(one.doubtful for one in done),
            self._gone,
        )

    def begin(self, completed: int) -> None:
        """Take what is in the folder already, and tell of the beginning."""
        self.on_event(Watching(str(self.watched.images)))
        self._look()
        time.sleep(self.watched.interval)
        self._look()
        self._reserve()
        while self._due:
            self._plan_due()
        forget_unlisted(self.session.ledger, self.listed)
        self.session.files.save()
        states = [one.state for one in self.pictures.values()]
        counts = (
            len(states),
            len(self._items),
            states.count("unchanged"),
            states.count("left"),
            states.count("failed"),
        )
        options = self.session.options
        notes = (*options.notes, *notes_on_doubtful(len(self._doubtful), gate=options.rules.gate))
        self.on_event(Began(*counts, completed, notes, states.count("needs-review")))
        self._started = True
        for path, bad in self._first_bad:
            self._tell_bad(path, bad)

    # ── what the runner asks and tells ────────────────────────────────────────────────────────────────────────────

    @property
    def wait(self) -> float:
        """Seconds until the next look at the folder."""
        return max(0.0, self._next_look - self.clock()) + 0.001

    def take(self, room: int, at_work: Collection[str]) -> Sequence[PlannedEdit] | None:
        """Pictures that have arrived; None when the run is over."""
        now, options = self.clock(), self.session.options
        if now >= self._next_look:
            self._look()
        self._plan_due(at_work)
        left = None if options.limit is None else options.limit - self._given
        if self._stopped or (left is not None and left <= 0):
            return () if at_work else None
        given = self._current(room if left is None else min(room, left), at_work)
        self._given += len(given)
        if at_work or given or self._due or self._items:
            self._busy, self._idle_told = now, None
            self._report(now, _REPORT)
            return given
        return self._rest(now)

    def _current(self, most: int, at_work: Collection[str]) -> list[PlannedEdit]:
        """Rows to do whose files are as they were planned; the next look plans the others again."""
        given: list[PlannedEdit] = []
        for path, item in list(self._items.items()):
            if len(given) >= most:
                break
            del self._items[path]
            if item.id not in at_work and self._is_current(path):  # it is, where its picture went and came back
                given.append(item)
            elif path in self.pictures:
                self.pictures[path].marks = ()
        return given

    def _rest(self, now: float) -> Sequence[PlannedEdit] | None:
        """Nothing is to be done."""
        self._report(now, 0.0)
        if self._incoming.unfinished:
            self._busy = now
        elif self.watched.idle_exit is not None and now - self._busy >= self.watched.idle_exit:
            return None
        if self._idle_told is None or now - self._idle_told >= _IDLE:
            self._idle_told = now
            counts = self.tally(Tally())
            rows = (len(self.pictures), counts.done - counts.departed, counts.unchanged, counts.failed)
            waiting = (self._incoming.unfinished, len(self._incoming.postponed))
            self.on_event(Idle(*rows, *waiting, counts.in_review))
        return ()

    def show(self, event: Event) -> None:
        """Follow the runner's events, and pass them on."""
        path = self._by_id.get(getattr(event, "id", ""))
        picture = None if path is None else self.pictures.get(path)
        if path is not None and picture is not None:
            if isinstance(event, Done):
                picture.state, self._dirty = "done", True
                picture.warned, picture.doubtful = bool(event.warnings), bool(event.details.get("doubts"))
                self._own.named.add(self.session.options.folders.out / event.output)
            elif isinstance(event, Doubted):
                picture.state, self._dirty = "needs-review", True
                self._own.named.discard(self.session.options.folders.out / event.output)
                self._own.aside.add(self.session.options.folders.out / event.aside)
            elif isinstance(event, Decided):
                self._decide(picture, event)
            elif isinstance(event, Failed) and not event.again:
                self._dirty = True
                if self._is_current(path):
                    picture.state = "failed"
                else:  # it was replaced or taken away while it was read: the next look decides
                    picture.marks, event = (), replace(event, again=True)
        elif isinstance(event, Done):  # its picture went while it was done
            self._gone += 1
            self._own.named.add(self.session.options.folders.out / event.output)
        self.on_event(event)

    def _decide(self, picture: _WatchedPicture, event: Decided) -> None:
        self._dirty, self._idle_told = True, None
        out = self.session.options.folders.out
        self._own.aside.discard(aside_of(out, out / event.output))
        if event.verdict == "accepted":
            picture.state, picture.warned, picture.doubtful = "done", False, False
            self._own.named.add(out / event.output)
        else:
            picture.state = "failed"
            if event.seeded:
                picture.marks = ()  # the next look plans it again

    def _report(self, now: float, pause: float) -> None:
        if not self._dirty or now < self._next_report:
            return
        began = time.perf_counter()
        self.session.files.save()
        with contextlib.suppress(OutputError):  # on a full disk, say; the end of the run tells it
            self.session.report(self.listed)
        self._dirty = False
        self._next_report = now + max(pause, _SHARE * (time.perf_counter() - began))

    # ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _look(self) -> None:
        """Look at the folder, and find what has come, was changed, or is gone."""
        began = self.clock()
        self._incoming.look()
        self._depart()
        waiting = set(self._due)
        for path in self._incoming.settled():
            known = self.pictures.get(path)
            if path not in waiting and (known is None or known.marks != self._incoming.marks(path)):
                self._due.append(path)
        ended = self.clock()
        self._next_look = ended + max(self.watched.interval, _SHARE * (ended - began))

    def _depart(self) -> None:
        """Take pictures that are gone off the list."""
        for path in [path for path in dict.fromkeys((*self.pictures, *self._reserved)) if path not in self._incoming]:
            self._release(path)
            self.session.files.forget(Path(path))
            picture = self.pictures.pop(path, None)
            if picture is None:
                continue
            self._gone += picture.state == "done"
            self._drop(picture)
            self._items.pop(path, None)
            self._dirty = True
            self.on_event(Departed(shown(path), picture.number, picture.state))

    def _reserve(self) -> None:
        """Keep the names of results for the pictures that have them already, whatever the order in which they are
        planned.
        """
        out = self.session.options.folders.out
        for entry in self.session.ledger.entries("done", "needs-review"):
            path, output = str(details_in(entry).get("image")), folded(str(out / entry.spec))
            if path in self._incoming and self._by_output.setdefault(output, path) == path:
                self._reserved.setdefault(path, set()).add(output)
        self._due = deque(sorted(self._due, key=lambda path: (path not in self._reserved, path)))

    def _release(self, path: str, keep: str = "") -> None:
        """Let others have the names of a picture's results, but for one."""
        picture = self.pictures.get(path)
        for output in {*self._reserved.pop(path, ()), "" if picture is None else picture.output} - {keep}:
            if self._by_output.get(output) == path:
                del self._by_output[output]

    def _drop(self, picture: _WatchedPicture) -> None:
        """Forget a row in the ledger where it has no result."""
        entry = self.session.ledger.entry(picture.id) if picture.id else None
        if entry is not None and not entry.result:
            self.session.ledger.forget([picture.id])
        self._by_id.pop(picture.id, None)

    def _is_current(self, path: str) -> bool:
        """Whether a picture and its mask are still as they were planned."""
        picture = self.pictures.get(path)
        if picture is None or not picture.marks:
            return False
        own, mask, mark = (*picture.marks, None, None)[:3]
        for name, content in ((path, own), (mask, mark)):
            if isinstance(name, str) and content is not None:
                try:
                    if FileMark.of(Path(name).stat()).content != content:
                        return False
                except OSError:
                    return False
        return True

    # ── planning ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _plan_due(self, at_work: Collection[str] = ()) -> None:
        """Make rows of some of the pictures that are due."""
        paths: list[str] = []
        for _ in range(min(_PLANNED_TOGETHER, len(self._due))):
            path = self._due.popleft()
            known = self.pictures.get(path)
            if known is not None and known.id in at_work:  # the next look finds it again
                continue
            marks = self._incoming.marks(path)
            if marks:
                paths.append(path)
                self._enlist(path, marks)
        if paths:
            self._plan(paths)

    def _enlist(self, path: str, marks: tuple[object, ...]) -> None:
        if path not in self.pictures:
            self._numbered += 1
            self.pictures[path] = _WatchedPicture(self._numbered)
        self.pictures[path].marks = marks

    def _plan(self, paths: list[str]) -> None:
        """Plan pictures together, or each alone where they clash."""
        rows = [self.reader.read(self._incoming.row(self.pictures[path].number, path)) for path in paths]
        try:
            planned = self.session.plan(rows, self.studio, self._own)
        except InputError as error:
            if error.code in ("mask-missing", "margins-missing"):  # by the settings, which all rows have
                raise
            if len(paths) == 1:
                row = BadRow(self.pictures[paths[0]].number, error, None, paths[0])
                self._enter(BatchPlan((), (row,)), {row.number: paths[0]})
                return
            for path in paths:
                self._plan([path])
            return
        by_number = {self.pictures[path].number: path for path in paths}
        bad = list(planned.bad)
        items: list[PlannedEdit] = []
        for item in planned.items:
            path, output = by_number[item.row.number], folded(str(item.output))
            other = self._by_output.setdefault(output, path)
            if other == path:
                items.append(item)
            else:
                bad.append(BadRow(item.row.number, _same_output(item, other), None, item.row.image))
        self._enter(BatchPlan(tuple(items), tuple(bad)), by_number)

    def _enter(self, planned: BatchPlan, by_number: dict[int, str]) -> None:
        session, options = self.session, self.session.options
        out, ledger = options.folders.out, session.ledger
        before = {number: self.pictures[path].id for number, path in by_number.items()}
        listed = enter(planned, ledger, out, options.retries, private=options.private)
        for id, number in listed.items():
            picture = self.pictures[by_number[number]]
            if before[number] not in ("", id):
                self._drop(replace(picture, id=before[number]))
            picture.id = id
            self._by_id[id] = by_number[number]
        entries = {item.id: entry for item in planned.items if (entry := ledger.entry(item.id)) is not None}
        tries = 1 + options.gate_retries
        status = status_of(planned, entries.values(), session.files, out, tries, gate=options.rules.gate)
        if not self._started:
            self._doubtful |= status.doubtful
        for item in planned.items:
            path = by_number[item.row.number]
            picture, again = self.pictures[path], bool(before[item.row.number])
            self._release(path, keep=folded(str(item.output)))
            picture.output = folded(str(item.output))
            if item.id in status.unchanged:
                if picture.state != "done":
                    picture.state = "unchanged"
                continue
            if item.id in status.in_review:
                picture.state = "needs-review"
                continue
            if options.where is not None and not options.where.matches(item, entries.get(item.id)):
                picture.state = "left"
                continue
            ledger.again([item.id], retries=max(0, options.retries))
            state, picture.state = picture.state, "waiting"
            self._items[path] = item
            if self._started:
                mask = None if not item.row.places.files else shown(item.row.places.files[0])
                self.on_event(Arrived(item.id, item.row.number, shown(path), mask, again, state))
        for bad in planned.bad:
            path = by_number[bad.number]
            state, self.pictures[path].state = self.pictures[path].state, "failed"
            if self._started:
                self._tell_bad(path, bad, state)
            else:
                self._first_bad.append((path, bad))
        self._dirty = True

    def _tell_bad(self, path: str, bad: BadRow, state: str = "") -> None:
        reason = reason_of(bad.error, private=self.session.options.private)
        if self.session.options.fail_fast and not self._stopped:
            self._stopped = f"row {bad.number}: {reason}"
        self.on_event(Failed(self.pictures[path].id, bad.number, reason, begun=False, image=shown(path), before=state))


def _same_output(item: PlannedEdit, other: str) -> OutputError:
    return OutputError(
        f"its output {item.output.name} is that of {shown(other)}, or differs only by case or by the form of accents",
        code="output-twice",
        field="output",
        value=str(item.output),
        hint="rename one of the pictures, or keep the extension of the picture in the name",
    )
