"""The function behind every verb that paints: from options to requests, and from results to files."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from overpaint.doors.controls import control_files
from overpaint.doors.inputs import EditInputs, collect
from overpaint.doors.outputs import Target, check_format, check_marking, check_result_size, check_writable_all
from overpaint.errors import Cancelled, OverpaintError, RequestError, concerning
from overpaint.files import write_file
from overpaint.request import EditRequest

from . import outputs, report
from .audited import log_of, mask_files, secret_of
from .messages import check_words, failed, in_json, note_line
from .options import NO_INSERT, Bounds, NoInsert, Run, Where
from .progress import bar
from .result_options import Out
from .served import studio_for
from .streams import STDIO, as_written, check_one_reader, load, opened, paths, write_bytes
from .texts import print_json, visible

if TYPE_CHECKING:
    from overpaint.engines import Monitor
    from overpaint.layers import LayeredPicture
    from overpaint.picture import Picture
    from overpaint.studio import Edited, FinishedPicture, Saved, Studio, Tile

Recorder: TypeAlias = "Callable[[Edited, Saved], object]"
"""Appends the record of an edit to an audit log. Raises OutputError; the picture is kept."""


@dataclass(frozen=True, slots=True)
class PaintCall:
    """One call of a verb that paints.

    Attributes:
        pictures: The pictures, `STDIO` for standard input.
        request: The request, as far as it is known without a picture.
        where: Places in the pictures; None for an intent that extends them.
        bounds: How far a picture is extended; None for other intents.
        run: Sketch, the engine's options, variations, device.
        out: Where results go.
        put_in: The picture to put in.
    """

    pictures: tuple[str, ...]
    request: EditRequest
    where: Where | None = None
    bounds: Bounds | None = None
    run: Run = field(default_factory=Run)
    out: Out = field(default_factory=Out)
    put_in: NoInsert = NO_INSERT

    @property
    def several(self) -> bool:
        """Whether there is more than one picture."""
        return len(self.pictures) > 1

    @property
    def inserts(self) -> tuple[str | None, str | None]:
        """The files of the picture to put in and of its mask."""
        return self.put_in.insert, self.put_in.insert_mask

    @property
    def mask_files(self) -> list[Path]:
        """The files that masks are read from."""
        return paths((*(() if self.where is None else self.where.files), *self.run.mask_files))


@dataclass(slots=True)
class _Results:
    """The results of one picture: a table for programs and a line for people for each variation, the seconds until the
    last was saved, and the notes that were printed before the painting.
    """

    source: str
    tables: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    seconds: float = 0.0
    sheet: Path | None = None
    said: list[str] = field(default_factory=list)


def paint(call: PaintCall) -> int:
    """Paint, save and report. Errors are found before any painting, as far as they can be.

    Returns:
        0, or the exit status of the first picture that failed; the others are done all the same.
    """
    if not call.pictures:
        raise RequestError(f"{call.request.intent} needs a picture")
    check_words(call.pictures)
    outputs.check_options(call.out, call.run.variations, len(call.pictures))
    if call.out.private:
        call = replace(call, out=replace(call.out, record="none"))
    masks = call.where.mask if call.where is not None else ()
    guides = control_files(call.run.controls)
    check_one_reader((*call.pictures, *masks, *call.run.mask_files, call.run.sketch, *call.inserts, *guides))
    record = _recorder(call)
    status = 0
    written: set[Path] = set()
    with studio_of(call.run) as studio:
        if call.several and not call.run.scene:
            studio.resolved(call.request, seed=0)  # an unknown engine is one error, not one for each picture
        for source in call.pictures:
            results = _Results(source)
            error = None
            try:
                _paint_picture(call, studio, results, record, written)
            except Cancelled:
                raise
            except OverpaintError as caught:
                error = caught
            except MemoryError:
                error = OverpaintError(f"{as_written(source)}: not enough memory for this picture", code="memory-short")
            _report(call, results, error)
            if error is not None:
                name = as_written(source) if call.several else ""
                own = failed(error, name, debug=call.out.debug)
                status = status or own
    return status


def _recorder(call: PaintCall) -> Recorder | None:
    """Appends to the audit log that is asked for; None for none.

    Raises:
        OutputError, MaskError, RecordError, CredentialsError: The log can't be written, or is at fault; a mask or the
            key can't be read.
    """
    log = log_of(call.out.audited)
    if log is None:
        return None
    from overpaint.audit import edit_record

    how: dict[str, Any] = {"masks": mask_files(log, call.mask_files), "secret": secret_of(call.out.audited, log)}
    return lambda edited, saved: log.append(edit_record(edited, saved, folder=log.path.parent, **how))


def _paint_picture(
    call: PaintCall, studio: Studio, results: _Results, record: Recorder | None, written: set[Path]
) -> None:
    """Paint and save every variation of one picture."""
    began = time.perf_counter()
    tiles: list[Tile] = []
    with bar(quiet=call.out.quiet) as shown:
        picture = opened(results.source)
        target = outputs.target(picture, call.request.intent, call.out, alpha=call.request.clears)
        check_format(picture, target.format, call.out.quality, alpha=call.request.clears)
        check_marking(outputs.marking_of(call.out), picture.colour)
        targets = list(target.variations(call.run.variations))
        sheet = target.sheet if len(targets) > 1 and call.out.sheet is not False else None
        _check_files(call, targets, sheet, results.source, written)
        inputs = inputs_of(picture, call.request, call.run, call.put_in, places=call.where, extension=call.bounds)
        check_result_size(target, inputs.size, picture.colour)
        monitor = shown.monitor(lambda note: _say(call, results, note))
        shown.say("painting" if call.run.variations == 1 else f"painting {call.run.variations} variations")
        for edited, one in zip(_variations(studio, inputs, call.run, monitor), targets, strict=True):
            shown.say("saving")
            layers = partial(edited.layered, record=call.out.record, marking=outputs.marking_of(call.out))
            saved, extras = save(edited.finished, one, call.out, compare=edited.comparison, layers=layers)
            results.seconds = time.perf_counter() - began
            seconds = results.seconds if len(targets) == 1 else None  # variations are painted together
            table = report.mapping(results.source, edited, saved, extras, seconds)
            results.tables.append(table)
            name = "standard output" if one.path is None else str(one.path)
            results.lines.append(report.line(edited, name, saved, seconds))
            if record is not None:
                record(edited, saved)
            if sheet is not None:
                from overpaint.studio import make_tile

                tiles.append(make_tile(edited, len(tiles) + 1))
            shown.say("painting")
        if sheet is not None:
            results.sheet = _draw(tiles, sheet, call.out)


def inputs_of(
    picture: Picture,
    request: EditRequest,
    run: Run,
    put_in: NoInsert,
    *,
    places: Where | None = None,
    extension: Bounds | None = None,
) -> EditInputs:
    """The inputs of an edit from all options that name places and files; errors as of `collect`."""
    return collect(
        picture,
        request,
        load,
        places=places,
        avoid=run.avoided,
        regions=run.regions,
        sketch=run.sketch,
        insert=put_in.insert,
        insert_mask=put_in.insert_mask,
        controls=run.controls,
        extension=extension,
        scene=run.scene,
        written=as_written,
    )


def _check_files(call: PaintCall, targets: list[Target], sheet: Path | None, source: str, written: set[Path]) -> None:
    """Check that all files of a picture can be written, and make the folder that -o names."""
    files = [*(file for target in targets for file in target.files), *([] if sheet is None else [("output", sheet)])]
    if targets[0].path is not None and (call.several or outputs.is_folder(call.out.output)):
        with contextlib.suppress(OSError):  # the check says why
            targets[0].path.parent.mkdir(exist_ok=True)
    beside = (source, call.run.sketch, *call.inserts, *control_files(call.run.controls))
    inputs = [*paths(beside), *call.mask_files]
    check_writable_all(files, overwrite=call.out.overwrite, inputs=inputs, taken=written)


def _variations(studio: Studio, inputs: EditInputs, run: Run, monitor: Monitor) -> Iterator[Edited]:
    """Every variation: the first with the request's seed, the next with seed + 1, ..."""
    edits = studio.variations(inputs.picture, inputs.request, count=run.variations, monitor=monitor, **inputs.rest)
    return map(inputs.noted, edits)


def studio_of(run: Run) -> Studio:
    """The studio that the options of a run ask for."""
    outputs.check_least("threads", run.threads, 1)
    if run.device in ("cuda", "mps"):
        import torch

        if not (torch.cuda.is_available() if run.device == "cuda" else torch.backends.mps.is_available()):
            raise RequestError(
                f"--device {run.device}: this machine has none that torch can use ('overpaint doctor' says more)",
                code="device-missing",
                field="device",
                value=run.device,
            )
    return studio_for(run)


def save(
    finished: FinishedPicture,
    target: Target,
    out: Out,
    *,
    compare: Callable[[], Picture],
    layers: Callable[[], LayeredPicture],
) -> tuple[Saved, dict[str, Path]]:
    """Write a picture and its companions; these are made first, so that a fault leaves no file in a retry's way.

    Args:
        finished: The picture.
        target: Where it and its companions go.
        out: How.
        compare: Makes the picture of before, mask and after.
        layers: Makes the layers.
    """
    how: dict[str, Any] = {"quality": out.quality, "record": out.record, "marking": outputs.marking_of(out)}
    layers = cache(layers)
    notes: tuple[str, ...] = ()
    if target.layers is not None:
        notes = tuple(f"{target.layers.name}: {note}" for note in _layers_notes(layers(), target.layers, out))
    with companions(target, out, compare=compare, layers=layers) as publish:
        if target.path is None:
            rendered = finished.render(target.format, **how)
            write_bytes(rendered.data)
            saved = rendered.saved(Path("-"))
        else:
            saved = finished.save(target.path, format=target.format, overwrite=out.overwrite, **how)
        return replace(saved, notes=(*saved.notes, *notes)), publish()


def _layers_notes(layered: LayeredPicture, path: Path, out: Out) -> Iterator[str]:
    """What a layered file beside a result leaves out."""
    from overpaint.layers import layered_format, layers_notes

    yield from layers_notes(layered, layered_format(path))
    if out.audited.audit is not None:
        yield "it is not in the audit log, which names the flat result"


@contextlib.contextmanager
def companions(
    target: Target, out: Out, *, compare: Callable[[], Picture], layers: Callable[[], LayeredPicture]
) -> Iterator[Callable[[], dict[str, Path]]]:
    """The companions of a result, written under hidden names; the function gives them their own, and says which.

    Without that call nothing is left of them after the context. Arguments as for `save`.
    """
    from overpaint.files import PreparedFile, prepare_file
    from overpaint.layers import prepare_layers
    from overpaint.picture import encode, format_of_path

    made: dict[str, PreparedFile] = {}
    named = {"compare": target.compare, "layers": target.layers}

    def publish() -> dict[str, Path]:
        for name, file in made.items():
            with concerning(name):
                file.publish()
        return {name: path for name, path in named.items() if path is not None}

    try:
        if target.compare is not None:
            data = encode(compare(), format_of_path(target.compare)).data
            with concerning("compare"):
                made["compare"] = prepare_file(target.compare, lambda file: file.write(data), overwrite=out.overwrite)
        if target.layers is not None:
            with concerning("layers"):
                made["layers"] = prepare_layers(layers(), target.layers, overwrite=out.overwrite)
        yield publish
    finally:
        for file in made.values():
            file.discard()


def _draw(tiles: list[Tile], path: Path, out: Out) -> Path:
    """Write the contact sheet."""
    from overpaint.picture import encode, format_of_path
    from overpaint.studio import arrange_tiles

    format = format_of_path(path)
    data = encode(arrange_tiles(tiles), format, quality=92 if format == "jpeg" else None).data
    write_file(path, data, overwrite=out.overwrite)
    return path


def _report(call: PaintCall, results: _Results, error: OverpaintError | None) -> None:
    """Print the results of one picture. Its notes name it where there are several, and a doubt its variation."""
    if call.out.json:
        table: dict[str, Any] = {"input": as_written(results.source)}
        if call.run.variations > 1:
            table |= {"variations": results.tables, "seconds": round(results.seconds, 3)}
            table |= {} if results.sheet is None else {"sheet": str(results.sheet)}
        elif results.tables:
            table = results.tables[0]
        table |= {} if error is None else in_json(error)
        print_json(table, one_line=True, finite=True)
        return
    stream = sys.stderr if call.out.output == STDIO else sys.stdout
    if _is_silent(call):
        return
    for text in results.lines:
        print(visible(text), file=stream)
    if len(results.lines) > 1:
        print(visible(f"{len(results.lines)} variations in {results.seconds:.1f} s"), file=stream)
    if results.sheet is not None:
        print(visible(f"{results.sheet}: all {len(results.tables)}, with their seeds"), file=stream)
    for note in dict.fromkeys(note for table in results.tables for note in table["notes"]):
        if note not in results.said:
            _say(call, results, note)
    for table in results.tables:
        if table["doubt"]:
            _say(call, results, table["doubt"] if len(results.tables) == 1 else f"{table['output']}: {table['doubt']}")


def _say(call: PaintCall, results: _Results, note: str) -> None:
    """Print a note on standard error, unless notes are for programs or for nobody."""
    if not call.out.json and not _is_silent(call):
        about = f"{as_written(results.source)}: " if call.several else ""
        print(note_line(about + note), file=sys.stderr, flush=True)
        results.said.append(note)


def _is_silent(call: PaintCall) -> bool:
    """Whether notes are left out: with --quiet, or where a program reads the picture from standard output."""
    return call.out.quiet or (call.out.output == STDIO and not sys.stderr.isatty())
