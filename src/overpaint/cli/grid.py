"""`overpaint grid`: one edit with one to three settings varied, on one labelled sheet."""

from __future__ import annotations

import itertools
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from overpaint.doors.controls import control_files
from overpaint.doors.outputs import check_writable_all
from overpaint.doors.requests import read_request, request_of
from overpaint.errors import Cancelled, RequestError
from overpaint.files import write_file
from overpaint.request import INTENTS, Intent

from . import fields
from .edit import inputs_of, preset_applied, studio_of
from .messages import DONE, FAILED, in_json, note_line
from .options import OUT, REQUEST, WHERE_UNSET, AnyInsert, AsJson, Debug, Input, Overwrite, Quiet, Run, Where
from .progress import bar
from .streams import as_written, check_one_reader, opened, paths
from .texts import print_json, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from overpaint.picture import Picture
    from overpaint.studio import GridAxis, Tile

_SETTINGS = fields.options(INTENTS["custom"])
_UNSET, _RUN, _ANY_INSERT = _SETTINGS(), Run(), AnyInsert()


def grid(
    picture: Input,
    /,
    *,
    vary: Annotated[
        tuple[str, ...],
        Parameter(
            group=REQUEST,
            metavar="NAME=VALUES",
            help="A setting or an option of the engine with its values: steps=10,20,30, strength=0.4..1:0.2 (from..to:"
            "step), prompt:cat=cat,dog (words of the prompt). One to three times: across, down, over blocks.",
        ),
    ],
    intent: Annotated[Intent | None, Parameter(group=REQUEST, show_default="replace, or the request file's")] = None,
    request: Annotated[str | None, Parameter(group=REQUEST, metavar="FILE")] = None,
    place: Where = WHERE_UNSET,
    put_in: AnyInsert = _ANY_INSERT,
    how: Any = _UNSET,
    run: Run = _RUN,
    output: Annotated[
        str | None, Parameter(alias="-o", group=OUT, metavar="OUT", show_default="NAME.grid.png beside the picture")
    ] = None,
    overwrite: Overwrite = False,
    json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """Vary one to three settings of an edit, and show all results on one labelled sheet.

    All cells have one seed, unless it is varied. A cell that fails says why, and the others are made.

    [dim]$[/] overpaint grid park.jpg --mask bench.png --prompt "a bench" --vary steps=10,20 --vary seed=1..4
    [dim]$[/] overpaint grid photo.jpg --box 120,80,260,310 --intent remove --vary engine=exemplar,telea

    Args:
        intent: What the edit is for.
        request: A request as JSON or TOML; options given here come before it.
        output: The sheet, a PNG or a JPEG.
    """
    from overpaint.studio import EditFailure, Tile, axis_of, failed_tile, part_of, part_to_show

    axes = [axis_of(text) for text in vary]
    if run.variations != 1:
        raise RequestError("a grid has one result a cell: give --vary seed=1..4 in place of --variations")
    base = None if request is None else read_request(Path(request))
    wanted = request_of(intent or ("replace" if base is None else None), fields.settings(how), run.option, base)
    wanted = preset_applied(wanted, run)
    if wanted.rule.grows_canvas and wanted.margins is None:
        raise RequestError("a grid can't extend a picture; use 'overpaint expand'")
    beside = (picture, run.sketch, put_in.insert, put_in.insert_mask, *control_files(run.controls))
    check_one_reader((*beside, *place.mask, *run.mask_files))
    shown = opened(picture)
    target = _target(picture, output)
    used = [*paths((*beside, *place.files, *run.mask_files))]
    check_writable_all([("output", target)], overwrite=overwrite, inputs=used)
    began = time.perf_counter()
    tiles: dict[tuple[int, ...], Tile] = {}
    cells: list[dict[str, Any]] = []
    failures = 0
    with studio_of(run) as studio, bar(quiet=quiet or json) as progress:
        inputs = inputs_of(shown, wanted, run, put_in, places=place)
        progress.say("painting")
        box = first = None
        count = math.prod(len(axis.values) for axis in axes)
        made = studio.grid(inputs.picture, inputs.request, axes=axes, **inputs.rest)
        for cell, found in _until_stopped(made, lambda: _write_stopped(axes, tiles, target, overwrite)):
            values = {axis.name: axis.values[at] for axis, at in zip(axes, cell.place, strict=True)}
            if isinstance(found, EditFailure):
                failures += 1
                tiles[cell.place] = failed_tile(str(found.error), first)
                cells.append({"values": values, **in_json(found.error)})
            else:
                box = box or part_to_show(found)  # of the first, so that all cells can be compared
                first = tiles[cell.place] = Tile(part_of(found, box), "")
                cells.append({"values": values, "request": found.request.to_mapping(), "notes": list(found.notes)})
            progress.say(f"{len(cells)} of {count} painted")
    _write(_sheet(axes, tiles), target, overwrite)
    seconds = round(time.perf_counter() - began, 3)
    if json:
        print_json(
            {"input": as_written(picture), "output": str(target), "cells": cells, "seconds": seconds}, one_line=True
        )
    elif not quiet:
        said = f"{count} results" if not failures else f"{count - failures} results, {failures} failed"
        print(visible(f"{target}: {said} in {seconds:.1f} s"))
        for message in dict.fromkeys(cell["error"]["message"] for cell in cells if "error" in cell):
            print(note_line(message), file=sys.stderr)
        for note in dict.fromkeys(note for cell in cells for note in cell.get("notes", ())):
            print(note_line(note), file=sys.stderr)
    return FAILED if failures == len(cells) else DONE


grid.__annotations__["how"] = _SETTINGS  # for the parser; a type checker can't know a class that is made


def _target(picture: str, output: str | None) -> Path:
    """The sheet's file.

    Raises:
        RequestError: Its name is of no format that a sheet can have.
    """
    from overpaint.picture import format_of_path

    source = Path("picture.png" if as_written(picture) != picture else picture)
    target = source.with_name(f"{source.stem}.grid.png") if output is None else Path(output)
    if (found := format_of_path(target)) not in ("png", "jpeg"):
        raise RequestError(f"{{field}} {str(target)!r}: a sheet is a PNG or a JPEG, not {found}", field="output")
    return target


def _until_stopped(made: Iterator[Any], stopped: Callable[[], object]) -> Iterator[Any]:
    """The same; an interrupt first has `stopped` called."""
    try:
        yield from made
    except (KeyboardInterrupt, Cancelled):
        stopped()
        raise


def _write_stopped(axes: Sequence[GridAxis], tiles: dict[tuple[int, ...], Tile], path: Path, overwrite: bool) -> None:
    """Write the sheet of what was painted before an interrupt; nothing where that is nothing."""
    from overpaint.studio import failed_tile

    if tiles:
        places = itertools.product(*(range(len(axis.values)) for axis in axes))
        like = next(iter(tiles.values()))
        _write(
            _sheet(axes, {place: tiles.get(place) or failed_tile("not painted", like) for place in places}),
            path,
            overwrite,
        )


def _sheet(axes: Sequence[GridAxis], tiles: Any) -> Picture:
    from overpaint.studio import grid_sheet

    return grid_sheet(axes, tiles)


def _write(sheet: Picture, path: Path, overwrite: bool) -> None:
    from overpaint.picture import encode, format_of_path

    format = format_of_path(path)
    write_file(path, encode(sheet, format, quality=92 if format == "jpeg" else None).data, overwrite=overwrite)
