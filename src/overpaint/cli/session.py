"""`overpaint session`: edits of one picture that can be taken apart again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from overpaint.doors.inputs import mask_from
from overpaint.doors.outputs import check_writable_all
from overpaint.doors.places import mask_at
from overpaint.errors import RequestError, SessionError, concerning

from . import outputs
from .audited import session_audit
from .options import (
    HOW,
    OUT,
    PRINTED_UNSET,
    WHERE,
    WHERE_UNSET,
    Input,
    KeyFile,
    MaxPixels,
    Printed,
    Where,
    argument,
    verb_group,
)
from .result_options import AUDITED_UNSET, Audited
from .served import check_server
from .session_export import export
from .session_paint import edit, rerun
from .session_shown import SESSION, SessionPath, opened_session, print_session, session_mapping
from .streams import as_written, check_one_reader, load, opened, paths
from .texts import counted, print_json, print_line, print_rows, size_of, visible

if TYPE_CHECKING:
    from overpaint.session import Session, Step

app = verb_group(
    "session",
    "Edits of one picture, kept so that each can be undone, hidden, painted again or laid out as a layer.",
    "session new photo.jpg",
    "session edit photo.overpaint remove --box 120,80,260,310",
    "session undo photo.overpaint",
    "session export photo.overpaint -o clean.jpg",
)

StepNumber = Annotated[int, argument("STEP", "The number of the step, as 'session show' has it.", SESSION)]
Count = Annotated[int, argument("COUNT", "How many.", SESSION)]

app.command(edit, sort_key=1)
app.command(rerun, sort_key=9)
app.command(export, sort_key=13)


@app.command(sort_key=0)
def new(
    picture: Input,
    /,
    *,
    output: Annotated[str | None, Parameter(alias="-o", group=OUT, metavar="OUT")] = None,
    folder: Annotated[bool, Parameter(group=OUT, negative=())] = False,
    max_pixels: Annotated[MaxPixels, Parameter(group=OUT)] = None,
    server: Annotated[
        str | None,
        argument("--server", "Ask this server first whether it will paint the session's edits.", OUT, "URL"),
    ] = None,
    key_file: Annotated[KeyFile, Parameter(group=OUT)] = None,
    audited: Audited = AUDITED_UNSET,
    printed: Printed = PRINTED_UNSET,
) -> int:
    """Begin a session: the picture's file is kept in it as it is.

    [dim]$[/] overpaint session new photo.jpg
    [dim]$[/] overpaint session new photo.jpg -o work/photo.overpaint

    Args:
        output: The session. Left out: NAME.overpaint beside the picture.
        folder: Keep it as a folder with the same files, in place of one file.
    """
    from overpaint.session import Session

    check_server(server, key_file)
    source = opened(picture)
    if output is None and source.source.path is None:
        raise RequestError("the picture comes from standard input: say where the session goes with -o", field="output")
    target = Path(picture).with_suffix(".overpaint") if output is None else Path(output)
    check_writable_all([("output", target)] if not folder else [], overwrite=False)
    recorder = session_audit(audited)
    with concerning("output"), Session.create(source, target, folder=folder, recorder=recorder) as session:
        print_session(session, printed, f"{target}: a session of {as_written(picture)}, {source.size}")
    return 0


@app.command(sort_key=2)
def log(session: SessionPath, /, *, printed: Printed = PRINTED_UNSET) -> int:
    """Everything that was done, also what was undone since, or is in another branch.

    [dim]$[/] overpaint session log photo.overpaint
    """
    with opened_session(session, read_only=True) as found:
        events = found.log()
        if printed.json:
            print_json([asdict(event) for event in events])
        elif not printed.quiet:
            header = ("", "time (UTC)", "branch", "what", "")
            rows = [
                (
                    str(one.number),
                    visible(one.time[:19].replace("T", " ")),
                    visible(one.branch),
                    visible(one.text),
                    visible(one.fate),
                )
                for one in events
            ]
            print_rows([header, *rows], header=True)
    return 0


@app.command(sort_key=3)
def show(session: SessionPath, /, *, printed: Printed = PRINTED_UNSET) -> int:
    """The steps as they are now, the uppermost first, each with its box in pixels of the original.

    [dim]$[/] overpaint session show photo.overpaint
    """
    with opened_session(session, read_only=True) as found:
        steps = found.steps
        if printed.json:
            print_json(session_mapping(found))
        elif not printed.quiet:
            original = found.head.original
            grown = f", now {found.size}" if found.size != original.box.size else ""
            size = f"{original.box.size}{grown}"
            several = f", one of {len(found.branches)}: {', '.join(found.branches)}" if len(found.branches) > 1 else ""
            what = f"{original.name or 'a picture'}, {size}; {counted(len(steps), 'step')}, branch {found.branch}"
            print_line(f"{session}: {what}{several}")
            print_rows([_row(one) for one in reversed(steps)])
    return 0


@app.command(sort_key=4)
def undo(
    session: SessionPath, count: Count = 1, /, *, audited: Audited = AUDITED_UNSET, printed: Printed = PRINTED_UNSET
) -> int:
    """Go back to before the last action, or the last COUNT.

    [dim]$[/] overpaint session undo photo.overpaint
    """

    def act(found: Session) -> str:
        return _told(found.undo_text, found.undo)

    return _repeated(session, count, audited, printed, "undone", act, lambda found: found.undo_count)


@app.command(sort_key=5)
def redo(
    session: SessionPath, count: Count = 1, /, *, audited: Audited = AUDITED_UNSET, printed: Printed = PRINTED_UNSET
) -> int:
    """Go forward again to what was undone last.

    [dim]$[/] overpaint session redo photo.overpaint
    """

    def act(found: Session) -> str:
        return _told(found.redo_text, found.redo)

    return _repeated(session, count, audited, printed, "done again", act, lambda found: found.redo_count)


@app.command(sort_key=6)
def hide(
    session: SessionPath,
    step: StepNumber,
    /,
    *,
    show: Annotated[bool, Parameter(group=HOW, negative=())] = False,
    audited: Audited = AUDITED_UNSET,
    printed: Printed = PRINTED_UNSET,
) -> int:
    """Let a step not show, or show again.

    [dim]$[/] overpaint session hide photo.overpaint 1
    [dim]$[/] overpaint session hide photo.overpaint 1 --show

    Args:
        show: Let it show again.
    """
    with opened_session(session, audited=audited) as found:
        if show:
            found.show(step)
        else:
            found.hide(step)
        print_session(found, printed, f"{session}: step {step} {'shows' if show else 'is hidden'}")
    return 0


@app.command(sort_key=7)
def opacity(
    session: SessionPath,
    step: StepNumber,
    value: Annotated[str, argument("OPACITY", "0 hides the step, 1 or 100% is as it was painted.", SESSION)],
    /,
    *,
    audited: Audited = AUDITED_UNSET,
    printed: Printed = PRINTED_UNSET,
) -> int:
    """Let what is below a step show through.

    [dim]$[/] overpaint session opacity photo.overpaint 1 0.6
    """
    share = _share(value)
    with opened_session(session, audited=audited) as found:
        found.opacity(step, share)
        print_session(found, printed, f"{session}: step {step} has an opacity of {share:.0%}{_unseen(found, step)}")
    return 0


@app.command(sort_key=8)
def pick(
    session: SessionPath,
    step: StepNumber,
    take: Annotated[int, argument("TAKE", "The number of the take, from 1.", SESSION)],
    /,
    *,
    audited: Audited = AUDITED_UNSET,
    printed: Printed = PRINTED_UNSET,
) -> int:
    """Let another take of a step show: of its variations, or of the times that it was painted again.

    [dim]$[/] overpaint session pick photo.overpaint 1 1
    """
    with opened_session(session, audited=audited) as found:
        found.pick(step, take)
        print_session(found, printed, f"{session}: step {step} has its take {take}{_unseen(found, step)}")
    return 0


@app.command(sort_key=10)
def mask(
    session: SessionPath,
    step: StepNumber,
    /,
    *,
    place: Where = WHERE_UNSET,
    feather: Annotated[float, Parameter(group=WHERE, metavar="PX")] = 0.0,
    show: Annotated[bool, Parameter(group=HOW, negative=())] = False,
    reset: Annotated[bool, Parameter(group=HOW, negative=())] = False,
    audited: Audited = AUDITED_UNSET,
    printed: Printed = PRINTED_UNSET,
) -> int:
    """Paint back what is below a step, in the places that are marked here.

    [dim]$[/] overpaint session mask photo.overpaint 1 --box 120,80,150,120
    [dim]$[/] overpaint session mask photo.overpaint 1 --box 120,80,130,90 --show

    Args:
        feather: Soften the edge of these places: sigma of a Gaussian.
        show: Let the step show again there.
        reset: Let the step show everywhere again.
    """
    if reset == place.named:
        raise RequestError("session mask needs either places (--mask, --box, --point, --select ...) or --reset")
    check_one_reader(place.mask)
    with opened_session(session, audited=audited, masks=paths(place.files)) as found:
        drawn = None
        if not reset:
            picture = found.picture
            read = partial(_mask_of, about=picture)
            at = mask_at(place, picture.size, read)
            assert at is not None
            with concerning("feather"):
                drawn = at.drawn(picture.size, picture).feather(feather)
        found.mask(step, drawn, show=show)
        what = "shows everywhere" if drawn is None else "shows again there" if show else "is hidden there"
        print_session(found, printed, f"{session}: step {step} {what}{_unseen(found, step)}")
    return 0


@app.command(sort_key=11)
def branch(
    session: SessionPath,
    name: Annotated[str | None, argument("NAME", "The branch; a new one begins here.", SESSION)] = None,
    /,
    *,
    audited: Audited = AUDITED_UNSET,
    printed: Printed = PRINTED_UNSET,
) -> int:
    """Go on in another branch, or begin one; without a name, list them.

    [dim]$[/] overpaint session branch photo.overpaint bolder
    [dim]$[/] overpaint session branch photo.overpaint
    """
    with opened_session(session, read_only=name is None, audited=audited) as found:
        if name is None:
            if printed.json:
                print_json(session_mapping(found))
            elif not printed.quiet:
                print_rows([(visible(one), "here" if one == found.branch else "") for one in found.branches])
            return 0
        known = name in found.branches
        if known:
            found.switch(name)
        else:
            found.new_branch(name)
        print_session(found, printed, f"{session}: {'in' if known else 'new'} branch {name}")
    return 0


@app.command(sort_key=12)
def reorder(
    session: SessionPath,
    step: StepNumber,
    to: Annotated[int, argument("PLACE", "Its new place in the stack, 1 being the lowest.", SESSION)],
    /,
    *,
    audited: Audited = AUDITED_UNSET,
    printed: Printed = PRINTED_UNSET,
) -> int:
    """Move a step to another place in the stack. Nothing is painted again.

    [dim]$[/] overpaint session reorder photo.overpaint 2 1
    """
    with opened_session(session, audited=audited) as found:
        found.move(step, to)
        print_session(found, printed, f"{session}: step {step} is in place {to}")
    return 0


@app.command(sort_key=15)
def repair(
    session: SessionPath,
    /,
    *,
    output: Annotated[str | None, Parameter(alias="-o", group=OUT, metavar="OUT")] = None,
    folder: Annotated[bool, Parameter(group=OUT, negative=())] = False,
    printed: Printed = PRINTED_UNSET,
) -> int:
    """Put all that is whole in a damaged session into a new one, and say what was lost. The damaged one stays.

    [dim]$[/] overpaint session repair photo.overpaint

    Args:
        output: The new session. Left out: NAME.repaired.overpaint beside the damaged one.
        folder: Keep it as a folder, in place of one file.
    """
    from overpaint.session import repair

    path = Path(session)
    target = path.with_name(f"{path.stem}.repaired.overpaint") if output is None else Path(output)
    with concerning("output"):
        done = repair(path, target, folder=folder)
    if printed.json:
        print_json({"session": session, "output": str(target), "actions": done.actions, "lost": list(done.lost)})
    elif not printed.quiet:
        said = f"{counted(done.actions, 'action')} kept, {counted(len(done.lost), 'thing')} lost"
        print_line(f"{target}: {said if done.lost else 'nothing is lost'}")
        for one in done.lost:
            print_line(f"lost: {one}")
    return 0


@app.command(sort_key=14)
def compact(
    session: SessionPath,
    /,
    *,
    drop_takes: Annotated[bool, Parameter(group=HOW, negative=())] = False,
    drop_branches: Annotated[bool, Parameter(group=HOW, negative=())] = False,
    drop_undo: Annotated[bool, Parameter(group=HOW, negative=())] = False,
    audited: Audited = AUDITED_UNSET,
    printed: Printed = PRINTED_UNSET,
) -> int:
    """Make the session smaller. What it drops without further options, no undo, redo, pick or branch leads to.

    [dim]$[/] overpaint session compact photo.overpaint
    [dim]$[/] overpaint session compact photo.overpaint --drop-takes --drop-undo

    The picture stays as it is.

    Args:
        drop_takes: Also drop takes that show nowhere, and could be picked.
        drop_branches: Also drop the branches but the present one.
        drop_undo: Also drop what can be undone or done again.
    """
    with opened_session(session, audited=audited) as found:
        done = found.compact(takes=drop_takes, branches=drop_branches, undo=drop_undo)
        if printed.json:
            print_json({"session": session, **asdict(done), "branches": list(done.branches)})
        elif not printed.quiet:
            what = [counted(done.takes, "take")] if done.takes else []
            what += [f"the branch {name}" for name in done.branches] + (["what could be undone"] if done.undo else [])
            said = f"{', '.join(what) or 'unneeded files'} dropped" if done.after < done.before else "nothing to drop"
            if what and done.after >= done.before:
                said = f"{', '.join(what)} dropped"
            print_line(f"{session}: {said}; {size_of(done.before)} before, {size_of(done.after)} now")
    return 0


def _repeated(
    session: str,
    count: int,
    audited: Audited,
    printed: Printed,
    what: str,
    act: Callable[[Session], str],
    most: Callable[[Session], int],
) -> int:
    """Undo or do again; `act` says what, `most` how often it can be done. All or nothing."""
    outputs.check_least("count", count, 1)
    with opened_session(session, audited=audited) as found:
        if count > most(found) > 0:
            raise SessionError(f"{count} actions can't be {what}, only {most(found)}", field="count", value=count)
        done = [act(found) for _ in range(count)]
        said = f"{', '.join(done)}; {counted(len(found.steps), 'step')} now"
        print_session(found, printed, f"{session}: {what}: {said}")
    return 0


def _share(text: str) -> float:
    """0.6 or 60%. Raises RequestError."""
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        message = f"OPACITY takes a number from 0 to 1 or a percentage, not {text!r}"
        raise RequestError(message, field="opacity", value=text) from None


def _told(text: str, act: Callable[[], None]) -> str:
    act()
    return text


def _unseen(session: Session, step: int) -> str:
    """A word on a step that was changed and does not show."""
    return "" if session.step(step).visible else "; the step itself is hidden"


def _mask_of(name: str, how: Any, *, about: Any) -> Any:
    return mask_from(load(name), about.size, how, about=about)


def _row(step: Step) -> tuple[str, ...]:
    box = ",".join(map(str, step.box))
    return f"step {step.number}", step.intent, visible(step.engine), box, _state(step)


def _state(step: Step) -> str:
    """How a step is, in words."""
    words = []
    if not step.visible:
        words.append("hidden")
    if step.opacity != 1:
        words.append(f"opacity {step.opacity:.0%}")
    if step.masked:
        words.append("hidden in part by a mask")
    if step.takes > 1:
        words.append(f"take {step.take} of {step.takes}")
    if step.stale:
        words.append("stale: what it saw below has changed")
    return ", ".join(words)
