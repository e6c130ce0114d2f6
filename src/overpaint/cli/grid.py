"""`overpaint grid`: one edit with one to three settings varied, on one labelled sheet."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from overpaint.doors.controls import control_files
from overpaint.doors.outputs import check_writable_all
from overpaint.doors.requests import read_request, request_of
from overpaint.errors import Cancelled, OverpaintError, RequestError
from overpaint.files import write_file
from overpaint.request import INTENTS, Intent

from . import fields
from .edit import inputs_of, studio_of
from .messages import DONE, FAILED, complain, in_json, in_line, note_line
from .options import (
    OUT,
    REQUEST,
    WHERE_UNSET,
    AnyInsert,
    AsJson,
    Debug,
    Input,
    Overwrite,
    Quiet,
    Run,
    Where,
    switch,
)
from .progress import bar
from .streams import as_written, check_one_reader, opened, paths
from .texts import counted, print_json, visible

if TYPE_CHECKING:
    from overpaint.geometry import Box
    from overpaint.studio import Edited, EditFailure, GridAxis, GridCell, Tile

MANY = 100
"""A grid of more results than this is painted after a question, or with --yes."""

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
            help="A setting or an option of the engine with its values: steps=10,20,30, seed=1-4; in quotes "
            "'strength=0.4-1 (+0.2)' (by a step), 'steps=10-50 \\[5]' (so many). Or prompt:cat=cat,dog (words of the "
            "prompt), prompt_order=red,big, lora:NAME=0.5,1, control:canny=0.5,1, preset=none,fast. One to three "
            "times: across, down, over blocks.",
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
    yes: Annotated[bool, switch("--yes", f"Paint more than {MANY} results without a question.", OUT)] = False,
    json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """Vary one to three settings of an edit, and show all results on one labelled sheet.

    All cells have one seed, unless it is varied. A cell that fails says why, and the others are made.

    [dim]$[/] overpaint grid park.jpg --mask bench.png --prompt "a bench" --vary steps=10,20 --vary seed=1-4
    [dim]$[/] overpaint grid photo.jpg --box 120,80,260,310 --intent remove --vary engine=exemplar,telea

    Args:
        intent: What the edit is for.
        request: A request as JSON or TOML; options given here come before it.
        output: The sheet, a PNG or a JPEG.
    """
    from overpaint.studio import EditFailure, axis_of, check_axes

    axes = [axis_of(text) for text in vary]
    count = check_axes(axes)
    if run.variations != 1:
        raise RequestError("a grid has one result a cell: give --vary seed=1-4 in place of --variations")
    base = None if request is None else read_request(Path(request))
    wanted = request_of(intent or ("replace" if base is None else None), fields.settings(how), run.option, base)
    if wanted.rule.grows_canvas and wanted.margins is None:
        raise RequestError("a grid can't extend a picture; use 'overpaint expand'")
    beside = (picture, run.sketch, put_in.insert, put_in.insert_mask, *control_files(run.controls))
    check_one_reader((*beside, *place.mask, *run.mask_files))
    shown = opened(picture)
    sheet = _Sheet(picture, _target(picture, output), axes, overwrite=overwrite)
    used = [*paths((*beside, *place.files, *run.mask_files))]
    check_writable_all([("output", sheet.path)], overwrite=overwrite, inputs=used)
    if count > MANY and not yes and not _confirmed(count, by_person=not json):
        return complain("nothing was painted", FAILED, debug=False)
    say = not (quiet or json)
    with studio_of(run) as studio, bar(quiet=not say) as progress:
        inputs = inputs_of(shown, wanted, run, put_in, places=place)
        monitor = progress.monitor_of(count)
        cells = studio.grid(inputs.picture, inputs.request, axes=axes, monitor=monitor, **inputs.rest)
        if say:
            print(visible(f"{counted(count, 'result')} to paint: {_extent(axes)}"), file=sys.stderr, flush=True)
        progress.say("painting")
        try:
            for cell, found in cells:
                sheet.add(cell, found if isinstance(found, EditFailure) else inputs.noted(found))
                progress.done += 1
        except (KeyboardInterrupt, Cancelled):
            if sheet.tiles:
                sheet.write()
                sheet.report(json=json, quiet=quiet)
            raise
    sheet.write()
    sheet.report(json=json, quiet=quiet)
    return FAILED if sheet.errors else DONE


grid.__annotations__["how"] = _SETTINGS  # for the parser; a type checker can't know a class that is made


@dataclass(slots=True)
class _Sheet:
    """The sheet as it is filled: a tile for each cell, and what is said of it.

    Attributes:
        picture: The argument that names the picture.
        path: Where the sheet goes.
        axes: What varies.
        overwrite: Whether an existing file is replaced.
        box: The part of the picture that all tiles show, that of the first result.
        tiles: The tiles by place.
        cells: A table for programs for each.
        errors, doubts: The message of each cell that failed, and of each that is doubtful, by its labels.
        notes: All notes, each once.
        digests: Those of the results' pixels, by place.
        reaches: How far from the mask each result was changed.
        changed: Pixels beyond that which changed, of all results.
        seed: The seed of all, where it counts and is not varied.
    """

    picture: str
    path: Path
    axes: Sequence[GridAxis]
    overwrite: bool
    box: Box | None = None
    tiles: dict[tuple[int, ...], Tile] = field(default_factory=dict)
    cells: list[dict[str, Any]] = field(default_factory=list)
    errors: dict[str, OverpaintError] = field(default_factory=dict)
    doubts: dict[str, str] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    digests: dict[tuple[int, ...], str] = field(default_factory=dict)
    reaches: list[int] = field(default_factory=list)
    changed: int = 0
    seed: int | None = None
    began: float = field(default_factory=time.perf_counter)

    def add(self, cell: GridCell, found: Edited | EditFailure) -> None:
        """Take one cell's result."""
        from overpaint.studio import EditFailure, Tile, failed_tile, part_of, part_to_show, tile_room

        chosen = list(zip(self.axes, cell.place, strict=True))
        values = {axis.name: axis.values[at] for axis, at in chosen}
        name = ", ".join(axis.label(axis.values[at]).replace(": ", " ", 1) for axis, at in chosen)
        if isinstance(found, EditFailure):
            self.errors[name] = found.error
            self.tiles[cell.place] = failed_tile(str(found.error), next(iter(self.tiles.values()), None))
            self.cells.append({"values": values, **in_json(found.error)})
            return
        self.box = self.box or part_to_show(found)  # of the first, so that all cells can be compared
        self.tiles[cell.place] = Tile(part_of(found, self.box, tile_room(self.axes)), "")
        changed = found.changed_beyond_reach
        self.changed += changed
        self.reaches.append(found.reach)
        self.digests[cell.place] = found.pixels_sha256
        self.notes |= dict.fromkeys(found.notes)
        if found.doubt:
            self.doubts[name] = found.doubt
        if "seed" not in values:
            self.seed = found.bare_resolved.seed
        said = {"reach": found.reach, "changed_beyond_reach": changed, "doubt": found.doubt or None}
        self.cells.append({"values": values, "request": found.request.to_mapping(), **said, "notes": [*found.notes]})

    @property
    def places(self) -> list[tuple[int, ...]]:
        """All places, painted or not."""
        return list(itertools.product(*(range(len(axis.values)) for axis in self.axes)))

    def write(self) -> None:
        """Write the sheet; cells that were not painted say so."""
        from overpaint.picture import encode, format_of_path
        from overpaint.studio import failed_tile, grid_sheet

        like = next(iter(self.tiles.values()))
        drawn = grid_sheet(
            self.axes, {at: self.tiles.get(at) or failed_tile("not painted", like) for at in self.places}
        )
        format = format_of_path(self.path)
        data = encode(drawn, format, quality=92 if format == "jpeg" else None).data
        write_file(self.path, data, overwrite=self.overwrite)

    def report(self, *, json: bool, quiet: bool) -> None:
        """Print what was made, for programs or for people."""
        seconds = time.perf_counter() - self.began
        if json:
            table = {"input": as_written(self.picture), "output": str(self.path), "cells": self.cells}
            print_json({**table, "notes": [*self._idle()], "seconds": round(seconds, 3)}, one_line=True)
            return
        for message, names in _gathered({name: in_line(error) for name, error in self.errors.items()}).items():
            complain(f"{_several(names)}: {message}", FAILED, debug=False)
        if quiet:
            return
        print(visible(f"{self.path}: {self._counts()} in {seconds:.1f} s{self._rest()}"))
        for note in (*self.notes, *self._idle()):
            print(note_line(note), file=sys.stderr)
        for doubt, names in _gathered(self.doubts).items():
            print(note_line(f"{_several(names)}: {doubt}"), file=sys.stderr)
        if lacking := self._lacking():
            print(
                note_line(f"no font here has all letters of {lacking!r}, which has others in the sheet"),
                file=sys.stderr,
            )

    def _counts(self) -> str:
        """How many results there are, and how many are not."""
        left = len(self.places) - len(self.cells)
        said = counted(len(self.cells) - len(self.errors), "result")
        said += f", {len(self.errors)} failed" if self.errors else ""
        return said + (f", {left} not painted" if left else "")

    def _rest(self) -> str:
        """What holds of all results: seed, reach, and what changed beyond it."""
        said = "" if self.seed is None else f"; seed {self.seed}"
        if not self.reaches:
            return said
        low, high = min(self.reaches), max(self.reaches)
        beyond = "every other pixel unchanged" if not self.changed else f"{self.changed:,} other pixels changed"
        return f"{said}; reach {low if low == high else f'{low} to {high}'} px; {beyond}"

    def _idle(self) -> Iterator[str]:
        """Notes on settings that make no difference to any result."""
        for number, axis in enumerate(self.axes):
            apart: dict[tuple[int, ...], list[str]] = {}
            for place, digest in self.digests.items():
                apart.setdefault((*place[:number], *place[number + 1 :]), []).append(digest)
            if max(map(len, apart.values()), default=0) > 1 and all(len(set(one)) == 1 for one in apart.values()):
                yield f"{axis.name} makes no difference to the results"

    def _lacking(self) -> str:
        """A label that the fonts of this machine can't show."""
        from overpaint.studio.lettering import undrawable

        labels = (axis.label(value) for axis in self.axes for value in axis.values)
        return next(filter(undrawable, labels), "")


def _gathered(said: Mapping[str, str]) -> dict[str, list[str]]:
    """The names of the cells by what is said of them."""
    found: dict[str, list[str]] = {}
    for name, text in said.items():
        found.setdefault(text, []).append(name)
    return found


def _several(names: Sequence[str]) -> str:
    """The first of some cells, and how many there are more."""
    return names[0] if len(names) == 1 else f"{names[0]} (and {len(names) - 1} more)"


def _extent(axes: Sequence[GridAxis]) -> str:
    """ "steps x 3, seed x 4": what varies, and how many values it has."""
    return ", ".join(f"{axis.name} x {len(axis.values)}" for axis in axes)


def _confirmed(count: int, *, by_person: bool) -> bool:
    """Whether a person at the terminal wants a large grid.

    Raises:
        RequestError: There is none.
    """
    if not (by_person and sys.stdin.isatty() and sys.stderr.isatty()):
        raise RequestError(
            f"the grid has {count} results, more than {MANY}",
            code="grid-large",
            field="vary",
            value=count,
            hint="--yes paints them all; or vary fewer values",
        )
    print(visible(f"{count} results to paint. Go on? [y/N] "), end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _target(picture: str, output: str | None) -> Path:
    """The sheet's file.

    Raises:
        RequestError: Its name is of no format that a sheet can have; it is standard output, or the picture itself.
    """
    from overpaint.picture import format_of_path

    if output is not None and as_written(output) != output:
        raise RequestError("{field}: a sheet is written to a file, not to standard output", field="output", value="-")
    source = Path("picture.png" if as_written(picture) != picture else picture)
    target = source.with_name(f"{source.stem}.grid.png") if output is None else Path(output)
    if (found := format_of_path(target)) not in ("png", "jpeg"):
        raise RequestError(f"{{field}} {str(target)!r}: a sheet is a PNG or a JPEG, not {found}", field="output")
    if target.resolve() == source.resolve():
        raise RequestError(
            f"{{field}} {str(target)!r} is the picture itself, which a sheet can't stand for", field="output"
        )
    return target
