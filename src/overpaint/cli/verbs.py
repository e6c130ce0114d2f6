"""The verbs that paint. They differ by intent only, and are made by one function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from overpaint.doors.requests import read_request, request_of
from overpaint.errors import RequestError
from overpaint.request import INTENTS, Intent

from . import fields
from .edit import PaintCall, paint
from .options import (
    NO_INSERT,
    REQUEST,
    WHERE_UNSET,
    AnyInsert,
    Bounds,
    Inputs,
    NewBackground,
    NewColour,
    NewObject,
    NoInsert,
    Run,
    Where,
)
from .result_options import Out
from .texts import help_text

_BOUNDS, _RUN, _OUT, _ANY_INSERT = Bounds(), Run(), Out(), AnyInsert()


def _command(name: Intent, about: str, *examples: str, own: NoInsert = NO_INSERT) -> Callable[..., int]:
    """The function of a verb, whose options follow from the request's model.

    Args:
        name: The verb and its intent.
        about: What it does, in a sentence or two.
        examples: Command lines.
        own: Options of this verb alone, for its engine without a model; here as where none is given.
    """
    rule = INTENTS[name]
    settings = fields.options(rule)
    unset = settings()
    nowhere: Where | Bounds = _BOUNDS if rule.grows_canvas else WHERE_UNSET

    def command(
        *pictures: Inputs,
        place: Where | Bounds = nowhere,
        put_in: NoInsert = own,
        how: Any = unset,
        run: Run = _RUN,
        out: Out = _OUT,
    ) -> int:
        request = request_of(name, fields.settings(how), run.option)
        if put_in.options and request.model is not None:
            given = ", ".join(map(fields.option_name, put_in.options))
            raise RequestError(f"{given} is for the engine {rule.engine}, which runs no model: leave out --model")
        if (put_in.options or put_in.insert) and request.model is None:
            others = request.options or {}
            if twice := sorted(name for name, value in put_in.options.items() if others.get(name, value) != value):
                message = f"{fields.option_name(twice[0])} and {{field}} {twice[0]} have two values"
                raise RequestError(message, field="options", value=others[twice[0]], hint="give one of them")
            options = {**put_in.options, **others}
            request = request.merged(options=options or None, engine=request.engine or rule.engine)
        where, bounds = (None, place) if isinstance(place, Bounds) else (place, None)
        return paint(PaintCall(pictures, request, where, bounds, run, out, put_in))

    command.__name__, command.__doc__ = name, help_text(about, examples)
    command.__annotations__ |= {"place": type(nowhere), "put_in": type(own), "how": settings}
    return command


_MAKERS: Mapping[str, Callable[[], Callable[..., int]]] = {
    "remove": partial(
        _command,
        "remove",
        "Take an object away and show what was behind it. The mask marks the object; a little more than its outline "
        "is better than less.",
        "remove street.jpg --box 120,80,260,310",
        "remove street.jpg --mask person.png --compare before-after.png",
    ),
    "replace": partial(
        _command,
        "replace",
        "Put what a prompt describes in an object's place. The mask marks the object.",
        'replace park.jpg --mask bench.png --prompt "a wooden bench" --model NAME',
    ),
    "recolor": partial(
        _command,
        "recolor",
        "Give an object another colour and keep its shape, shading and texture. The mask marks the object, closely.",
        'recolor car.jpg --mask car.png --to "#1e66d0"',
        'recolor car.jpg --mask car.png --prompt "a dark green car"',
        "recolor shirt.jpg --mask shirt.png --with swatch.png",
        'recolor chair.jpg --mask chair.png --prompt "a chair with stripes" --model NAME',
        own=NewColour(),
    ),
    "background": partial(
        _command,
        "background",
        "Repaint all but the subject. The mask marks the [b]subject[/], which stays as it is; "
        "--mask alpha takes a cut-out's own transparency.",
        "background shoe.jpg --mask shoe.png --color white --shadow 0.6",
        "background portrait.jpg --mask person.png --blur 24",
        "background portrait.jpg --mask person.png --with beach.jpg",
        'background cutout.png --mask alpha --prompt "a beach at noon" --model NAME',
        own=NewBackground(),
    ),
    "refine": partial(
        _command,
        "refine",
        "Work a part over: better detail and texture, the same content.",
        "refine scan.tif --box 20%,20%,60%,70% --strength 0.3 --model NAME",
    ),
    "add": partial(
        _command,
        "add",
        "Put something new into a place: what a prompt describes, or an object of your own. The mask marks the place.",
        "add table.jpg --box 300,200,420,330 --with mug.png",
        'add field.jpg --ellipse 300,200,420,330 --prompt "a red kite" --model NAME',
        own=NewObject(),
    ),
    "expand": partial(
        _command,
        "expand",
        "Continue the picture beyond its edges. What is there stays as it is.",
        "expand photo.jpg --left 20% --right 20%",
        "expand photo.jpg --aspect 16:9 -o wide.png",
        "expand photo.jpg --to 1920x1080 --anchor bottom",
    ),
}


def __getattr__(name: str) -> Callable[..., int]:
    """The function of a verb, which is made when the verb is used: all of them would add 40 ms to every command."""
    if name not in _MAKERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = globals()[name] = _MAKERS[name]()
    return made


_SETTINGS = fields.options(INTENTS["custom"])
_UNSET = _SETTINGS()


def edit(
    *pictures: Inputs,
    intent: Annotated[Intent | None, Parameter(group=REQUEST, show_default="custom, or the request file's")] = None,
    request: Annotated[str | None, Parameter(group=REQUEST, metavar="FILE")] = None,
    place: Where = WHERE_UNSET,
    put_in: AnyInsert = _ANY_INSERT,
    how: Any = _UNSET,
    run: Run = _RUN,
    out: Out = _OUT,
) -> int:
    """Any other change: with settings of your own, or as a request file says.

    [dim]$[/] overpaint edit photo.jpg --mask mask.png --engine telea --grow 4 --feather 2
    [dim]$[/] overpaint edit photo.jpg --request same-as-last-time.toml --seed 7

    Args:
        intent: What the edit is for.
        request: A request as JSON or TOML; options given here come before it.
    """
    base = None if request is None else read_request(Path(request))
    wanted = request_of(intent or ("custom" if base is None else None), fields.settings(how), run.option, base)
    if wanted.rule.grows_canvas and wanted.margins is None:
        raise RequestError("use 'overpaint expand' to continue a picture beyond its edges")
    return paint(PaintCall(pictures, wanted, place, None, run, out, put_in))


edit.__annotations__["how"] = _SETTINGS  # for the parser; a type checker can't know a class that is made
