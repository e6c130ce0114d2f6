"""The progress of a batch: a bar on a terminal, one JSON object a line elsewhere."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TextIO

from overpaint.batch import (
    Arrived,
    BadRow,
    BatchPreview,
    Began,
    Decided,
    Done,
    Doubted,
    Ended,
    Event,
    Failed,
    LeftOut,
    Options,
    Postponed,
    Ready,
    Starting,
    Unchanged,
    Watching,
    reason_of,
)

from .progress import progress_of
from .texts import counted, duration, now, print_json, print_line, visible

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_WORDS = {
    "set overwrite to replace it": "--overwrite replaces it",
    "adopt them to make the ledger again": "'overpaint batch adopt' makes the ledger again",
    "with the setting gate": "with --gate",
}
_MOST_SHOWN = 20  # rows of a dry run, and failures; the report has all


class Display:
    """Shows the events of a run. This one shows nothing; failures are in the report and in the exit status."""

    def __init__(self) -> None:
        self.run = secrets.token_hex(8)
        """A code of the run, which its events have."""

    def show(self, event: Event) -> None:
        """Show an event."""

    def preview(self, preview: BatchPreview, options: Options) -> None:
        """Show what would be done."""


@contextmanager
def shown(*, json: bool, quiet: bool) -> Iterator[Display]:
    """The display for this terminal, or for none."""
    if json or (not quiet and not sys.stdout.isatty()):
        lines = Lines(sys.stdout)
        # Standard output has our lines only: a cluster prints messages about its nodes there.
        with redirect_stdout(sys.stderr):
            yield lines
        return
    if quiet:
        yield Display()
        return
    from rich.progress import MofNCompleteColumn, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rate]}")
    with progress_of(30, MofNCompleteColumn(), rate, TimeRemainingColumn()) as progress:
        yield BatchBar(progress)


class Lines(Display):
    """One JSON object a line on standard output."""

    def __init__(self, out: TextIO) -> None:
        super().__init__()
        self._out = out

    def show(self, event: Event) -> None:
        """Print an event as one line."""
        if isinstance(event, Failed):
            event = replace(event, reason=_in_options(event.reason))
        elif isinstance(event, Began):
            event = replace(event, notes=tuple(map(_in_options, event.notes)))
        self._print({"event": type(event).__name__.lower(), **asdict(event)})

    def preview(self, preview: BatchPreview, options: Options) -> None:
        """Print one line for each row, then one for all."""
        for bad in preview.plan.bad:
            self._print({"event": "bad", "id": bad.name, "row": bad.number, "reason": _reason(bad, options)})
        for item in preview.to_do:
            name = item.output.relative_to(options.folders.out).as_posix()
            self._print(
                {"event": "would", "id": item.id, "row": item.row.number, "engine": item.engine, "output": name}
            )
        self._print(
            {
                "event": "preview",
                "rows": len(preview.plan.items) + len(preview.plan.bad),
                "to_do": len(preview.to_do),
                "unchanged": preview.unchanged,
                "left": preview.left,
                "bad": len(preview.plan.bad),
                "in_review": preview.in_review,
                "seconds": None if preview.estimate.seconds is None else round(preview.estimate.seconds, 3),
                "basis": preview.estimate.basis,
                "notes": [_in_options(note) for note in preview.notes],
            }
        )

    def _print(self, table: dict[str, Any]) -> None:
        table = {**table, "time": now(), "run": self.run}
        print_json(table, one_line=True, file=self._out)


class BatchBar(Display):
    """A bar with rate and time left, failures above it, and a summary at the end."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._task: TaskID | None = None
        self._planning = progress.add_task("reading the files", total=None, rate="")
        self._failed = self._doubted = self._total = 0
        self._watching = False
        self._alike: list[Failed] = []  # rows of a list that could not be started, one after another for one reason

    def show(self, event: Event) -> None:
        """Move the bar, print a failure, or sum up."""
        if self._alike and not (isinstance(event, Failed) and _alike(self._alike[0], event)):
            self._print_failed(_names_of([_name_of(one.row, one.image, one.id) for one in self._alike]), self._alike[0])
            self._alike = []
        match event:
            case Began():
                self._progress.remove_task(self._planning)
                self._total = event.to_do
                self._task = self._progress.add_task("editing", total=self._total, rate="")
                for note in event.notes:
                    self._print(f"note: {_in_options(note)}")
                if event.unchanged:
                    self._print(f"{counted(event.unchanged, 'edit')} done before")
                if event.in_review:
                    self._print(f"{counted(event.in_review, 'edit')} to be reviewed since earlier runs")
                if event.completed:
                    self._print(f"{counted(event.completed, 'edit')} completed, which an interrupted run had painted")
            case Watching():
                self._watching = True
                self._print(f"watching {event.folder}; Ctrl-C ends it")
            case Starting():
                where = counted(event.nodes, "node")
                self._print(f"starting {counted(event.workers, 'worker')} on {where}")
            case Ready():
                kept = f", {event.reused} kept by an earlier run" if event.reused else ""
                self._print(f"{counted(event.workers, 'worker')} ready in {event.seconds:.1f} s{kept}")
            case Arrived():
                self._total += 1
                if self._task is not None:
                    self._progress.update(self._task, total=self._total)
            case Postponed():
                self._print(f"{event.image} waits: {event.reason}")
            case LeftOut():
                self._print(f"left out, as no pictures: {', '.join(event.files[:_MOST_SHOWN])}")
            case Done() | Unchanged():
                self._advance()
            case Doubted():
                self._doubted += 1
                if self._doubted <= _MOST_SHOWN:
                    name = _name_of(event.row, event.image, event.id)
                    self._print(f"{name} needs a review: {', '.join(event.doubts)}; it is {event.aside}")
                self._advance()
            case Decided():
                self._print(f"{event.verdict} in a review: {event.output}")
            case Failed():
                if event.begun or self._watching:
                    self._print_failed(_name_of(event.row, event.image, event.id), event)
                else:
                    self._alike.append(event)
                if event.begun and not event.again:
                    self._advance()
            case Ended():
                self._progress.stop()
                for line in _summary(event):
                    print_line(line)

    def preview(self, preview: BatchPreview, options: Options) -> None:
        """Print the first rows, those that can't be done, and the estimated time."""
        self._progress.stop()
        for note in preview.notes:
            print_line(f"note: {_in_options(note)}")
        alike: dict[str, list[str]] = {}
        for bad in preview.plan.bad:
            alike.setdefault(_reason(bad, options), []).append(_name_of(bad.number, bad.image, bad.name))
        for reason, names in list(alike.items())[:_MOST_SHOWN]:
            print_line(f"{_names_of(names)} can't be done: {reason}")
        if len(alike) > _MOST_SHOWN:
            print_line(f"... and {len(alike) - _MOST_SHOWN} more reasons (--json has all)")
        for item in preview.to_do[:_MOST_SHOWN]:
            output = item.output.relative_to(options.folders.out).as_posix()
            name = _name_of(item.row.number, item.row.image, item.row.id or f"row {item.row.number}")
            print_line(f"{name}: {item.request.intent} with {item.engine} -> {output}")
        if len(preview.to_do) > _MOST_SHOWN:
            print_line(f"... and {len(preview.to_do) - _MOST_SHOWN} more")
        seconds = preview.estimate.seconds
        about = "in an unknown time" if seconds is None else f"in about {duration(seconds)}"
        review = f", {preview.in_review} to be reviewed" if preview.in_review else ""
        print_line(
            f"{counted(len(preview.to_do), 'edit')} would be done {about} ({preview.estimate.basis}); "
            f"{preview.unchanged} done before, {len(preview.plan.bad)} that can't be done{review}"
        )

    def _print_failed(self, names: str, event: Failed) -> None:
        self._failed += 1
        if self._failed <= _MOST_SHOWN:
            self._print(f"{names}: {_in_options(event.reason)}{' (tried again)' if event.again else ''}")

    def _advance(self) -> None:
        if self._task is None:
            return
        self._progress.advance(self._task)
        task = next(task for task in self._progress.tasks if task.id == self._task)
        if task.speed:
            rate = f"{task.speed:.1f}/s" if task.speed >= 1 else f"{60 * task.speed:.1f}/min"
            self._progress.update(self._task, rate=rate)

    def _print(self, text: str) -> None:
        self._progress.console.print(visible(text), markup=False, highlight=False)


def _alike(one: Failed, other: Failed) -> bool:
    """Whether neither of two rows could be started, for one reason."""
    return not one.begun and not other.begun and one.reason == other.reason


def _name_of(number: int, image: str | None, id: str) -> str:
    """A row for people: the name of its picture, its number, and its id where that is another word."""
    name = PurePath(image or "").name
    if not name:
        return f"row {number}" if id == f"row {number}" else f"row {number} ({id})"
    known = PurePath(name).stem in id or id == f"row {number}"
    return f"{name} (row {number}{'' if known else f', {id}'})"


def _names_of(names: list[str]) -> str:
    """Rows for people, where they fail alike."""
    return names[0] if len(names) == 1 else f"{names[0]} and {counted(len(names) - 1, 'more row')}"


def _reason(bad: BadRow, options: Options) -> str:
    return _in_options(reason_of(bad.error, private=options.private))


def _in_options(reason: str) -> str:
    """A row's failure, or a note, in terms of the command line."""
    for said, here in _WORDS.items():
        reason = reason.replace(said, here)
    return reason


def _summary(ended: Ended) -> Iterator[str]:
    word = "interrupted" if ended.interrupted else "stopped" if ended.stopped else "done"
    rest = [f"{ended.unchanged} done before"] if ended.unchanged else []
    rest += [f"{ended.failed} failed (see the report)"] if ended.failed else []
    rest += [f"{ended.in_review} to be reviewed (overpaint batch review)"] if ended.in_review else []
    rest += [f"{ended.left} left to do"] if ended.left else []
    done = f"{counted(ended.done, 'edit')} in {duration(ended.seconds)}"
    if ended.doubtful:
        done += f", {ended.doubtful} of them doubtful (see the report; --gate sets such aside)"
    if ended.warned > ended.doubtful:
        done += f", {ended.warned - ended.doubtful} with another warning (see the report)"
    yield f"{word}: {done}" + "".join(f"; {part}" for part in rest)
    if ended.stopped:
        yield f"stopped because of {ended.stopped}"
