"""The verbs that change a whole picture: from options to files, one picture after another."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from overpaint.doors.outputs import check_format, check_marking, check_result_size, check_writable_all
from overpaint.errors import Cancelled, OverpaintError, RequestError

from . import outputs
from .audited import log_of, secret_of
from .messages import check_words, failed, in_json, note_line
from .options import RUN, AllowPickle, DeviceName, MaxPixels, flattened
from .progress import bar
from .result_options import ResultOut
from .streams import STDIO, as_written, check_one_reader, opened, paths, write_bytes
from .texts import print_json, visible

if TYPE_CHECKING:
    from overpaint.studio import Enhanced, Enhancer, NetworkSource, Saved


@flattened(RUN)
@dataclass(frozen=True, slots=True)
class WholeRun:
    """Where networks compute, and which may be read."""

    device: DeviceName = "auto"
    allow_pickle: AllowPickle = False
    max_pixels: MaxPixels = None

    @property
    def source(self) -> NetworkSource:
        """Where networks come from and compute."""
        from overpaint.studio import NetworkSource

        return NetworkSource(allow_pickle=self.allow_pickle, device=self.device)


WHOLE_RUN = WholeRun()

EnhanceRecorder: TypeAlias = "Callable[[Enhanced, Saved], object]"
"""Appends a record to an audit log. Raises OutputError; the picture is kept."""


@dataclass(frozen=True, slots=True)
class _Whole:
    """A call of such a verb.

    Attributes:
        by: What changes pictures.
        out: Where results go.
        record: Records them in an audit log; None for none.
        several: Whether there is more than one picture.
    """

    by: Enhancer
    out: ResultOut
    record: EnhanceRecorder | None
    several: bool


def work_on(pictures: tuple[str, ...], verb: str, ready: Callable[[], Enhancer], out: ResultOut) -> int:
    """Make, save and report the result of each picture.

    Args:
        pictures: The pictures, `STDIO` for standard input.
        verb: The verb's name.
        ready: Loads what changes pictures, once the options are found to go together.
        out: Where results go.

    Returns:
        0, or the exit status of the first picture that failed; the others are done all the same.
    """
    if not pictures:
        raise RequestError(f"{verb} needs a picture")
    check_words(pictures)
    outputs.check_options(out, 1, len(pictures))
    check_one_reader(pictures)
    record = _recorder(out)
    if out.private:
        out = replace(out, record="none")
    call = _Whole(ready(), out, record, len(pictures) > 1)
    status = 0
    written: set[Path] = set()
    for source in pictures:
        try:
            _work_on_one(source, call, written)
        except Cancelled:
            raise
        except (OverpaintError, MemoryError) as caught:
            message = f"{as_written(source)}: not enough memory for this picture"
            error = caught if isinstance(caught, OverpaintError) else OverpaintError(message, code="memory-short")
            if out.json:
                print_json({"input": as_written(source)} | in_json(error), one_line=True, finite=True)
            own = failed(error, as_written(source) if call.several else "", debug=out.debug)
            status = status or own
    return status


def _recorder(out: ResultOut) -> EnhanceRecorder | None:
    """Appends to the audit log that is asked for; None for none. Raises as `log_of`."""
    log = log_of(out.audited)
    if log is None:
        return None
    from overpaint.audit import edit_record

    secret = secret_of(out.audited, log)
    return lambda made, saved: log.append(edit_record(made, saved, folder=log.path.parent, secret=secret))


def _work_on_one(source: str, call: _Whole, written: set[Path]) -> None:
    out, settings = call.out, call.by.settings
    began = time.perf_counter()
    with bar(quiet=out.quiet) as shown:
        picture = opened(source)
        target = outputs.target(picture, settings.verb, out)
        check_format(picture, target.format, out.quality)
        check_marking(outputs.marking_of(out), picture.colour)
        check_result_size(target, settings.size_of(picture.size), picture.colour)
        if target.path is not None and (call.several or outputs.is_folder(out.output)):
            with contextlib.suppress(OSError):  # the check says why
                target.path.parent.mkdir(exist_ok=True)
        check_writable_all(target.files, overwrite=out.overwrite, inputs=paths((source,)), taken=written)
        shown.say(f"{settings.verb}: working")
        made = call.by.enhance(picture, shown.monitor())
        shown.say("saving")
        how: dict[str, Any] = {"quality": out.quality, "record": out.record, "marking": outputs.marking_of(out)}
        if target.path is None:
            rendered = made.render(target.format, **how)
            write_bytes(rendered.data)
            saved = rendered.saved(Path("-"))
        else:
            saved = made.save(target.path, format=target.format, overwrite=out.overwrite, **how)
        if call.record is not None:
            call.record(made, saved)
    _report(source, call, made, saved, time.perf_counter() - began)


def _report(source: str, call: _Whole, made: Enhanced, saved: Saved, seconds: float) -> None:
    """Print what was done: a line for people, an object for programs."""
    out = call.out
    to_stream = out.output == STDIO
    name = "standard output" if to_stream else str(saved.path)
    notes = list(dict.fromkeys((*made.notes, *saved.notes)))
    if out.json:
        table: dict[str, Any] = {"input": as_written(source), "output": name, "size": list(made.picture.size)}
        table |= {**made.made.facts, "format": saved.format, "fidelity": saved.fidelity}
        table |= {"sidecar": None if saved.sidecar is None else str(saved.sidecar), "marks": saved.marks.to_mapping()}
        table |= {"sha256": saved.sha256, "bytes": saved.size, "seconds": round(seconds, 3), "notes": notes}
        print_json(table, one_line=True, finite=True)
        return
    if out.quiet or (to_stream and not sys.stderr.isatty()):
        return
    print(visible(f"{name}: {made.made.done} in {seconds:.1f} s"), file=sys.stderr if to_stream else sys.stdout)
    for note in notes:
        print(note_line(f"{as_written(source)}: {note}" if call.several else note), file=sys.stderr, flush=True)
