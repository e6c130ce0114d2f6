"""The verbs that paint. They differ by intent alone, so they are made from one table."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from overpaint.doors.requests import read_request, request_of
from overpaint.errors import RequestError
from overpaint.request import INTENTS, Intent

from . import fields
from .edit import PaintCall, paint
from .options import REQUEST, Bounds, Inputs, Out, Run, Where
from .texts import help_text

_FLAT = Parameter(name="*")
_WHERE, _BOUNDS, _RUN, _OUT = Where(), Bounds(), Run(), Out()


@dataclass(frozen=True, slots=True)
class _Verb:
    """How a verb is shown.

    Attributes:
        name: Of the verb and of its intent.
        about: What it does, in a sentence or two.
        examples: Command lines.
    """

    name: Intent
    about: str
    examples: tuple[str, ...]

    @property
    def doc(self) -> str:
        """The verb's help text, in Rich markup."""
        return help_text(self.about, self.examples)


def _parameter(name: str, hint: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    kind = inspect.Parameter.VAR_POSITIONAL if name == "pictures" else inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=hint)


def _command(verb: _Verb) -> Callable[..., int]:
    """The function behind a verb. Its signature is made here, for the options follow from the request's model."""
    rule = INTENTS[verb.name]
    settings = fields.options(rule)
    nowhere: Where | Bounds = _BOUNDS if rule.grows_canvas else _WHERE

    # the parser passes on what was given alone, so that what was not needs a default here too
    def command(
        *pictures: str, place: Where | Bounds = nowhere, how: Any = None, run: Run = _RUN, out: Out = _OUT
    ) -> int:
        request = request_of(verb.name, fields.settings(how), run.option)
        where, bounds = (None, place) if isinstance(place, Bounds) else (place, None)
        return paint(PaintCall(pictures, request, where, bounds, run, out))

    parameters = [
        _parameter("pictures", Inputs),
        _parameter("place", Annotated[type(nowhere), _FLAT], nowhere),
        _parameter("how", Annotated[settings, _FLAT], settings()),
        _parameter("run", Annotated[Run, _FLAT], _RUN),
        _parameter("out", Annotated[Out, _FLAT], _OUT),
    ]
    return _signed(command, verb.name, verb.doc, parameters)


def _signed(
    command: Callable[..., int], name: str, doc: str, parameters: list[inspect.Parameter]
) -> Callable[..., int]:
    command.__name__, command.__doc__ = name, doc
    command.__annotations__ = {}
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return command


remove = _command(
    _Verb(
        "remove",
        "Take an object away and show what was behind it. The mask marks the object; a little more than its outline "
        "is better than less.",
        (
            "remove street.jpg --box 120,80,260,310",
            "remove street.jpg --mask person.png --compare before-after.png",
        ),
    )
)
replace = _command(
    _Verb(
        "replace",
        "Put what a prompt describes in an object's place. The mask marks the object.",
        ('replace park.jpg --mask bench.png --prompt "a wooden bench" --model NAME',),
    )
)
recolor = _command(
    _Verb(
        "recolor",
        "Give an object other colours and keep its shape. The mask marks the object, closely.",
        ('recolor car.jpg --mask car.png --prompt "a dark green car" --model NAME',),
    )
)
background = _command(
    _Verb(
        "background",
        "Repaint all but the subject. The mask marks the [b]subject[/], which stays as it is; "
        "--mask alpha takes a cut-out's own transparency.",
        (
            'background portrait.png --mask person.png --prompt "a library, evening light" --model NAME',
            'background cutout.png --mask alpha --prompt "a beach at noon" --model NAME',
        ),
    )
)
refine = _command(
    _Verb(
        "refine",
        "Work a part over: better detail and texture, the same content.",
        ("refine scan.tif --box 20%,20%,60%,70% --strength 0.3 --model NAME",),
    )
)
add = _command(
    _Verb(
        "add",
        "Paint something new into a place. The mask marks the place.",
        ('add field.jpg --ellipse 300,200,420,330 --prompt "a red kite" --model NAME',),
    )
)
expand = _command(
    _Verb(
        "expand",
        "Continue the picture beyond its edges. What is there stays as it is.",
        (
            "expand photo.jpg --left 20% --right 20%",
            "expand photo.jpg --aspect 16:9 -o wide.png",
            "expand photo.jpg --to 1920x1080 --anchor bottom",
        ),
    )
)


def _edit(
    *pictures: str,
    intent: Intent | None = None,
    request: str | None = None,
    place: Where = _WHERE,
    how: Any = None,
    run: Run = _RUN,
    out: Out = _OUT,
) -> int:
    base = None if request is None else read_request(Path(request))
    wanted = request_of(intent or ("custom" if base is None else None), fields.settings(how), run.option, base)
    if wanted.rule.grows_canvas and wanted.margins is None:
        raise RequestError("use 'overpaint expand' to continue a picture beyond its edges")
    extends = wanted.margins is not None and not place.named and wanted.mask is None
    return paint(PaintCall(pictures, wanted, place, Bounds() if extends else None, run, out))


def _edit_parameters() -> list[inspect.Parameter]:
    settings = fields.options(INTENTS["custom"])
    intent = Parameter(
        name="--intent", help="What the edit is for.", group=REQUEST, show_default="custom, or the request file's"
    )
    file = Parameter(
        name="--request",
        metavar="FILE",
        help="A request as JSON or TOML; options given here come before it.",
        group=REQUEST,
    )
    return [
        _parameter("pictures", Inputs),
        _parameter("intent", Annotated[Intent | None, intent], None),
        _parameter("request", Annotated[str | None, file], None),
        _parameter("place", Annotated[Where, _FLAT], _WHERE),
        _parameter("how", Annotated[settings, _FLAT], settings()),
        _parameter("run", Annotated[Run, _FLAT], _RUN),
        _parameter("out", Annotated[Out, _FLAT], _OUT),
    ]


edit = _signed(
    _edit,
    "edit",
    help_text(
        "Any other change: with settings of your own, or as a request file says.",
        (
            "edit photo.jpg --mask mask.png --engine telea --grow 4 --feather 2",
            "edit photo.jpg --request same-as-last-time.toml --seed 7",
        ),
    ),
    _edit_parameters(),
)
