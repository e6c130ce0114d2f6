"""The one mechanism behind every verb that paints: from options to a request, and from its result to files."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overpaint.errors import RequestError
from overpaint.places import Placed
from overpaint.request import EditRequest

from . import outputs, report
from .evidence import Evidence
from .options import Bounds, Out, Run, Where
from .outputs import Plan
from .progress import Bar, bar
from .values import STDIO, key_value
from .where import margins, opened, place

if TYPE_CHECKING:
    from overpaint.picture import Picture
    from overpaint.studio import Edited, Saved, Studio, Tile


@dataclass(frozen=True, slots=True)
class Job:
    """One call of a verb that paints.

    Attributes:
        source: The picture, `STDIO` for standard input.
        request: What is asked, as far as it can be said before the picture is known.
        where: Places in the picture.
        bounds: How far it grows, for intents that make it larger.
        run: Sketch, the engine's options, variations, device.
        out: Where the result goes.
    """

    source: str
    request: EditRequest
    where: Where = field(default_factory=Where)
    bounds: Bounds | None = None
    run: Run = field(default_factory=Run)
    out: Out = field(default_factory=Out)


def do(job: Job) -> int:
    """Paint, save and tell. What can be known to go wrong is found out before any painting."""
    began = time.perf_counter()
    outputs.check_options(job.out, job.run.variations)
    if job.out.private:
        job = replace(job, out=replace(job.out, record="none"))
    evidence = None if job.out.audit is None else Evidence.opened(job.out.audit, _masks_read(job), job.out.private)
    _one_reader_of_standard_input(job)
    told: list[dict[str, Any]] = []
    lines: list[str] = []
    tiles: list[Tile] = []
    drawn: Path | None = None
    try:
        with bar(quiet=job.out.quiet) as shown:
            picture = opened(job.source)
            plans = outputs.plans(picture, job.request.intent, job.out, job.run.variations)
            outputs.check_kind(picture, plans[0].format, job.out.quality)
            sheet = outputs.sheet_path(plans, job.out)
            files = [path for plan in plans for path in plan.paths] + ([] if sheet is None else [sheet])
            outputs.check(files, overwrite=job.out.overwrite, inputs=_files_read(job))
            for edited, plan in zip(_painted(job, picture, shown), plans, strict=True):
                shown.say("saving")
                saved, extras = _save(edited, plan, job.out)
                seconds = time.perf_counter() - began
                told.append(report.mapping(job.source, edited, saved, extras, seconds))
                name = "standard output" if plan.path is None else str(plan.path)
                lines.append(report.line(edited, name, saved, seconds))
                if evidence is not None and saved is not None:
                    evidence.add(edited, saved)
                if sheet is not None:
                    from overpaint.studio import tile_of

                    tiles.append(tile_of(edited, len(tiles) + 1))
                began = time.perf_counter()
                shown.say("painting")
            if sheet is not None:
                drawn = _draw(tiles, sheet, job.out)
    finally:
        if told:  # when a later variation fails, those before it are there all the same
            _tell(job, told, lines, drawn)
    return 0


def _painted(job: Job, picture: Picture, shown: Bar) -> Iterator[Edited]:
    """Every variation: the first with the seed asked for, the next with seed + 1, ..."""
    known: dict[str, Any] = {}
    found = _place(job, picture)
    if found is not None:
        known["mask"] = found.spec
    if job.bounds is not None and not (job.bounds.unset and job.request.margins is not None):
        known["margins"] = tuple(margins(job.bounds, picture.size))
    sketch = _sketch(job.run, picture)
    request = job.request.merged(**known)
    if job.run.scene:
        request = request.merged(prompt=_scene(request, picture, found))
    inputs = None if found is None else found.inputs
    with _studio(job.run) as studio:
        count = job.run.variations
        shown.say("painting" if count == 1 else f"painting {count} variations")
        yield from studio.variations(
            picture, request, count=count, sketch=sketch, inputs=inputs, monitor=shown.monitor()
        )


def _scene(request: EditRequest, picture: Picture, found: Placed | None) -> str:
    """The prompt with what the picture around the mask says of its light and lens."""
    from overpaint.prompt import scene_prompt
    from overpaint.request import mask_of

    spec = request.mask
    inputs = None if found is None else found.inputs
    mask = None if spec is None else mask_of(spec, picture.size, inputs=inputs, picture=picture)
    return scene_prompt(request.prompt or "", picture, mask)


def _studio(run: Run) -> Studio:
    from overpaint.studio import Studio

    if run.threads is not None and run.threads < 1:
        raise RequestError(f"--threads must be at least 1, not {run.threads}")
    if run.device in ("cuda", "mps"):
        _require_device(run.device)
    return Studio(device=run.device, threads=run.threads, allow_pickle=run.allow_pickle)


def _require_device(name: str) -> None:
    import torch

    here = torch.cuda.is_available() if name == "cuda" else torch.backends.mps.is_available()
    if not here:
        raise RequestError(f"--device {name}: this machine has none that torch can use ('overpaint doctor' says more)")


def _place(job: Job, picture: Picture) -> Placed | None:
    """The place that options name, or None to leave it to the request, the sketch or the margins."""
    if job.where.named and job.request.mask is not None:
        raise RequestError("the request file has a mask already: leave out --mask, --box, --ellipse and --polygon")
    found = place(job.where, picture.size)
    if found is None and job.request.mask is None and job.bounds is None and job.run.sketch is None:
        raise RequestError(
            f"say which part of the {picture.size} picture: --mask FILE, --box L,T,R,B, --ellipse or --polygon "
            "(--mask full takes all of it)"
        )
    return found


def _sketch(run: Run, picture: Picture) -> Any:
    """(H, W, 4) uint8 strokes, or None."""
    if run.sketch is None:
        return None
    import numpy as np

    from overpaint.picture import to_pil

    drawn = opened(run.sketch)
    if drawn.alpha is None:
        raise RequestError(
            f"--sketch {run.sketch} has no transparency, and would hide the whole picture: use a PNG with alpha"
        )
    if drawn.size != picture.size:
        swapped = "; width and height are swapped" if drawn.size == picture.size.swapped else ""
        raise RequestError(f"the sketch is {drawn.size}, but the picture is {picture.size}{swapped}")
    return np.asarray(to_pil(drawn).convert("RGBA"))


def _one_reader_of_standard_input(job: Job) -> None:
    readers = [source for source in (job.source, *job.where.mask, job.run.sketch) if source == STDIO]
    if len(readers) > 1:
        raise RequestError("standard input (-) can be read once: give the others as files")


def _files_read(job: Job) -> list[Path]:
    sketch = () if job.run.sketch is None else (job.run.sketch,)
    return [Path(source) for source in (job.source, *sketch) if source != STDIO] + _masks_read(job)


def _masks_read(job: Job) -> list[Path]:
    return [Path(source) for source in job.where.mask if source not in (STDIO, "alpha", "full")]


def _save(edited: Edited, plan: Plan, out: Out) -> tuple[Saved | None, dict[str, Path]]:
    """Write the picture, then what goes beside it: a fault in an extra never costs the picture."""
    saved = None
    if plan.path is None:
        sys.stdout.buffer.write(edited.encode(plan.format, quality=out.quality, record=out.record).data)
        sys.stdout.buffer.flush()
    else:
        saved = edited.save(
            plan.path, format=plan.format, quality=out.quality, overwrite=out.overwrite, record=out.record
        )
    extras: dict[str, Path] = {}
    if plan.compare is not None:
        from overpaint.files import write_file
        from overpaint.picture import encode

        comparison = encode(edited.comparison(), outputs.format_of(plan.compare, "--compare"))
        write_file(plan.compare, comparison.data, overwrite=out.overwrite)
        extras["compare"] = plan.compare
    if plan.layers is not None:
        edited.save_layers(plan.layers, overwrite=out.overwrite)
        extras["layers"] = plan.layers
    return saved, extras


def _draw(tiles: list[Tile], path: Path, out: Out) -> Path:
    """Write the contact sheet."""
    from overpaint.files import write_file
    from overpaint.picture import encode
    from overpaint.studio import sheet_of

    format = outputs.format_of(path, "--sheet")
    data = encode(sheet_of(tiles), format, quality=92 if format == "jpeg" else None).data
    write_file(path, data, overwrite=out.overwrite)
    return path


def _tell(job: Job, told: list[dict[str, Any]], lines: list[str], sheet: Path | None) -> None:
    if job.out.json:
        several = {"variations": told, **({} if sheet is None else {"sheet": str(sheet)})}
        whole: Mapping[str, Any] = told[0] if job.run.variations == 1 else several
        print(json.dumps(whole, ensure_ascii=False, allow_nan=False))
        return
    if job.out.quiet:
        return
    stream = sys.stderr if job.out.output == STDIO else sys.stdout
    if stream is sys.stderr and not stream.isatty():
        return
    if sheet is not None:
        lines = [*lines, f"{sheet}: all {len(told)}, with their seeds"]
    for text in lines:
        print(text, file=stream)
    for note in dict.fromkeys(note for one in told for note in one["notes"]):
        print(f"note: {note}", file=sys.stderr)


def request_of(intent: Any, settings: Mapping[str, Any], run: Run, base: EditRequest | None = None) -> EditRequest:
    """The request of options, laid over one from a file where there is one. Raises RequestError."""
    given = dict(settings)
    if run.option:
        own = dict(key_value(text, "--option") for text in run.option)
        given["options"] = {**((base.options if base is not None else None) or {}), **own}
    if base is None:
        return EditRequest.of(intent, **given)
    return base.merged(**({"intent": intent} if intent is not None else {}), **given)
