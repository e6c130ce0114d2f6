"""`overpaint session edit` and `rerun`: the verbs of a session that paint."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from overpaint.doors.controls import control_files
from overpaint.doors.requests import read_request, request_of
from overpaint.errors import RequestError
from overpaint.request import INTENTS, EditRequest, Intent

from . import fields, outputs
from .edit import inputs_of
from .messages import note_line
from .options import HOW, PRINTED_UNSET, REQUEST, WHERE_UNSET, AnyInsert, Bounds, Printed, Run, Where, argument
from .progress import bar
from .result_options import AUDITED_UNSET, Audited
from .session_shown import SESSION, SessionPath, opened_session, print_session
from .streams import check_one_reader, paths

if TYPE_CHECKING:
    from overpaint.doors.inputs import EditInputs
    from overpaint.picture import Picture
    from overpaint.session import Step

_RUN, _INSERT, _BOUNDS = Run(), AnyInsert(), Bounds()
_SETTINGS = fields.options(INTENTS["custom"])
_UNSET = _SETTINGS()


def edit(
    session: SessionPath,
    intent: Annotated[
        Intent | None, argument("INTENT", "What the edit is for; custom, or the request file's.", SESSION)
    ] = None,
    /,
    *,
    request: Annotated[str | None, Parameter(group=REQUEST, metavar="FILE")] = None,
    place: Where = WHERE_UNSET,
    bounds: Bounds = _BOUNDS,
    put_in: AnyInsert = _INSERT,
    how: Any = _UNSET,
    run: Run = _RUN,
    audited: Audited = AUDITED_UNSET,
    printed: Printed = PRINTED_UNSET,
) -> int:
    """Make an edit of the present picture, as a new step on top. The options are those of 'overpaint edit'.

    [dim]$[/] overpaint session edit photo.overpaint remove --box 120,80,260,310
    [dim]$[/] overpaint session edit photo.overpaint recolor --mask car.png --option to=navy
    [dim]$[/] overpaint session edit photo.overpaint expand --left 20%

    With --variations the step has several takes; 'overpaint session pick' chooses among them.

    Args:
        request: A request as JSON or TOML; options given here come before it.
    """
    base = None if request is None else read_request(Path(request))
    wanted = request_of(intent or ("custom" if base is None else None), fields.settings(how), run.option, base)
    if wanted.intent == "add" and put_in.insert is not None and wanted.model is None and wanted.engine is None:
        wanted = wanted.merged(engine=wanted.rule.engine)
    _check_readers(place, put_in, run)
    masks = paths((*place.files, *run.mask_files))
    with opened_session(session, run=run, audited=audited, masks=masks) as found, bar(quiet=printed.quiet) as shown:
        inputs = _inputs(found.picture, wanted, place, bounds, put_in, run)
        shown.say("painting")
        said: set[str] = set()
        step = found.edit(
            inputs.request,
            **inputs.rest,
            variations=run.variations,
            notes=inputs.notes,
            monitor=shown.monitor(partial(_say, printed, said)),
        )
        print_session(found, printed, f"{session}: {_made(step)}", _without(said, step))
    return 0


def rerun(
    session: SessionPath,
    step: Annotated[int | None, argument("STEP", "The number of the step; with --stale none.", SESSION)] = None,
    /,
    *,
    stale: Annotated[bool, Parameter(group=HOW, negative=())] = False,
    place: Where = WHERE_UNSET,
    put_in: AnyInsert = _INSERT,
    how: Any = _UNSET,
    run: Run = _RUN,
    audited: Audited = AUDITED_UNSET,
    printed: Printed = PRINTED_UNSET,
) -> int:
    """Paint a step again on what is below it now, with its own settings and seed and what is given here.

    [dim]$[/] overpaint session rerun photo.overpaint 1 --seed -1
    [dim]$[/] overpaint session rerun photo.overpaint --stale

    Later steps that saw it are stale then, as 'session show' says; --stale paints these again.

    Args:
        stale: Every step that shows and is stale, from below to above, as it is.
    """
    if stale == (step is not None):
        raise RequestError("session rerun needs either a STEP or --stale")
    if stale and run.control:
        raise RequestError("--stale paints steps again as they are: leave out --control")
    given = request_of(None, fields.settings(how), run.option)
    if stale and (place.named or put_in.insert or run.sketch or given != EditRequest()):
        raise RequestError("--stale paints steps again as they are: leave out the settings")
    _check_readers(place, put_in, run)
    masks = paths((*place.files, *run.mask_files))
    with opened_session(session, run=run, audited=audited, masks=masks) as found, bar(quiet=printed.quiet) as shown:
        said: set[str] = set()
        monitor = shown.monitor(partial(_say, printed, said))
        shown.say("painting")
        if step is None:
            done = found.rerun_stale(monitor=monitor)
            about = ", ".join(str(one.number) for one in done)
            print_session(
                found,
                printed,
                f"{session}: {f'painted again: {about}' if done else 'no step is stale'}",
                *(_without(said, one) for one in done),
            )
            return 0
        wanted = request_of(None, fields.settings(how), run.option, found.request(step))
        changes: dict[str, Any] = {"mask": None} if place.named else {}
        changes |= {"avoid": None} if run.avoided.named else {}
        changes |= {"regional_prompts": None} if run.region_prompt else {}
        changes |= {"insert": None} if put_in.insert else {}
        changes |= {"sketch": None} if run.sketch else {}
        inputs = _inputs(found.below(step), wanted.merged(**changes), place, _BOUNDS, put_in, run)
        painted = found.rerun(
            step, inputs.request, **inputs.rest, variations=run.variations, notes=inputs.notes, monitor=monitor
        )
        print_session(found, printed, f"{session}: {_made(painted)}", _without(said, painted))
    return 0


edit.__annotations__["how"] = _SETTINGS  # for the parser; a type checker can't know a class that is made
rerun.__annotations__["how"] = _SETTINGS


def _check_readers(place: Where, put_in: AnyInsert, run: Run) -> None:
    outputs.check_least("variations", run.variations, 1)
    guides = control_files(run.controls)
    check_one_reader((*place.mask, *run.mask_files, run.sketch, put_in.insert, put_in.insert_mask, *guides))


def _inputs(
    picture: Picture, request: EditRequest, place: Where, bounds: Bounds, put_in: AnyInsert, run: Run
) -> EditInputs:
    """What a request names, read for the session's picture."""
    grows = request.rule.grows_canvas
    if not grows and not bounds.unset:
        given = next(name for name in ("to", "aspect", "left", "top", "right", "bottom") if getattr(bounds, name))
        message = f"{{field}} is for expand alone, and this is {request.intent}"
        hint = "here it is --option to=COLOUR" if (request.intent, given) == ("recolor", "to") else ""
        raise RequestError(message, field=given, value=getattr(bounds, given), hint=hint)
    if put_in.insert is not None and request.model is None and request.engine is None:
        request = request.merged(engine=request.rule.engine)
    return inputs_of(picture, request, run, put_in, places=place, extension=bounds if grows else None)


def _say(printed: Printed, said: set[str], note: str) -> None:
    """Print a note while it is painted; `said` gets it."""
    said.add(note)
    if not (printed.json or printed.quiet):
        print(note_line(note), file=sys.stderr, flush=True)


def _without(said: set[str], step: Step) -> Step:
    """The step without the notes that were printed already."""
    return replace(step, notes=tuple(note for note in step.notes if note not in said))


def _made(step: Step) -> str:
    takes = f"; take {step.take} of {step.takes}" if step.takes > 1 else ""
    return f"step {step.number}, {step.intent} with {step.engine}, {step.box.size} px{takes}"
