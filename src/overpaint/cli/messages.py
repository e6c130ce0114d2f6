"""Errors and notes in one line each, in terms of the command line."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Mapping
from dataclasses import fields as fields_of
from typing import Any, Literal, get_args, get_origin

from cyclopts.exceptions import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from overpaint.doors.words import error_line, error_values
from overpaint.errors import InputError, OverpaintError, did_you_mean

from .streams import as_written

DONE, FAILED, BAD_INPUT, INTERRUPTED, BROKEN_PIPE, TERMINATED = 0, 1, 2, 130, 141, 143


def _by_other_name(table: Mapping[str, str]) -> dict[str, str]:
    """Our name for each of the other names, which are listed by ours."""
    return {other: own for own, others in table.items() for other in others.split()}


_OTHER_OPTIONS = _by_other_name(
    {
        "--mask": "inpaint-mask",
        "--invert": "mask-invert inpainting-mask-invert",
        "--box": "rectangle rect region bbox",
        "--ellipse": "circle",
        "--negative-prompt": "neg",
        "--variations": "num-images-per-prompt batch-size batch-count n-iter num-images",
        "--output": "out outfile",
        "--overwrite": "force yes",
        "--layers": "psd",
        "--record": "metadata",
        "--debug": "verbose",
        "PICTURE": "image input init-image",
    }
)
"""Other tools' names of options that are no settings of the request, which has such names for its settings."""

_OTHER_VERBS = _by_other_name(
    {
        "replace": "inpaint swap",
        "remove": "erase delete clean heal fill",
        "recolor": "recolour color",
        "add": "insert",
        "expand": "outpaint extend uncrop",
        "refine": "enhance",
        "edit": "img2img",
        "batch": "run bulk",
        "mask": "masks",
        "info": "metadata",
        "audit": "verify log",
        "replay": "rerun",
        "doctor": "check",
        "--help": "help",
        "--version": "version",
        "models": "model checkpoints download",
    }
)
"""Other words for our verbs."""


HINTS = {
    "mask-missing": "give --mask FILE, --box L,T,R,B, --ellipse or --polygon (--mask full takes all of it)",
    "mask-twice": "leave out --mask, --box, --ellipse and --polygon",
    "extension-mixed": "use one of: --left/--top/--right/--bottom, --to, --aspect",
    "extension-missing": "give --left, --top, --right or --bottom (256 or 20%), --to WxH or --aspect W:H",
    "model-not-downloaded": "'overpaint models get {value}' downloads it",
    "model-unknown": "'overpaint models list --all' shows which there are",
    "model-needed": "--model NAME takes one ('overpaint models list --all' shows which there are); an engine that "
    "continues the surroundings can be named: --engine exemplar",
    "model-exists": "'overpaint models remove {value}' makes room for a new one",
    "hub-unreachable": "on a machine with a network run 'hf download {value} --local-dir FOLDER', bring the folder "
    "here, and 'overpaint models add FOLDER'; an interrupted download continues where it stopped",
    "mask-ambiguous": "choose --mask-channel transparent (OpenAI's form) or --mask-channel alpha (black strokes on "
    "transparency)",
    "state-folder-needed": "give a folder of this machine with --state DIR",
    "engine-unknown": "'overpaint engines' shows which there are",
}
"""What the command line advises, by the code of the error, with the error's value for {value}."""

_OF_ONE_VERB = frozenset(("size", "stroke", "width", "head", "request", "variant", "picture"))
_SIDES = {f"margins[{n}]": f"--{side}" for n, side in enumerate(("left", "top", "right", "bottom"))}
_OTHERWISE = {"image": "PICTURE", "options": "--option", **_SIDES}


def option_of(field: str) -> str:
    """The option of a field or argument; the field itself where there is none."""
    from .batch_options import Machine, Results, Rows, Which
    from .fields import names, option_name
    from .options import Bounds, Out, Run, Where

    shared = {one.name for kind in (Where, Bounds, Run, Out, Rows, Machine, Which, Results) for one in fields_of(kind)}
    return option_name(field) if field in names() or field in shared | _OF_ONE_VERB else _OTHERWISE.get(field, field)


def in_line(error: OverpaintError) -> str:
    """An error as one line in terms of the command line."""
    return error_line(error, option_of, HINTS)


def note_line(note: str) -> str:
    """A note as one line in terms of the command line: "the setting model" becomes "--model"."""

    def option(found: re.Match[str]) -> str:
        name = option_of(found[1])
        return found[0] if name == found[1] else name

    return "note: " + re.sub(r"\bthe setting ([a-z_]+)\b", option, note)


def in_json(error: OverpaintError) -> dict[str, Any]:
    """An error as `--json` writes it."""
    return {"error": error_values(error, option_of, HINTS)}


def failed(error: OverpaintError, name: str = "", *, debug: bool = False) -> int:
    """Print an error on standard error, with the picture that it is about. Returns the exit status."""
    text = in_line(error)
    status = BAD_INPUT if isinstance(error, InputError) else FAILED
    return complain(text if text.startswith(name) else f"{name}: {text}", status, debug)


def complain(message: str, status: int, debug: bool) -> int:
    """Print a message on standard error, after the traceback of the error at hand where `debug` asks for it."""
    if debug and status not in (INTERRUPTED, TERMINATED):
        import traceback

        traceback.print_exc()
    with contextlib.suppress(OSError):
        print(f"overpaint: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return status


def usage(error: CycloptsError) -> str:
    """One line that says what is wrong with the arguments, and what would be right."""
    chain = " ".join(error.command_chain or ())
    see = f" (see 'overpaint {chain} --help')" if chain else " (see 'overpaint --help')"
    match error:
        case UnknownOptionError():
            return _unknown_option(error) + see
        case UnknownCommandError():
            return _unknown_verb(error, chain)
        case CoercionError() if error.token is not None:
            return _wrong_kind(error)
        case MissingArgumentError():
            return _missing(error, chain) + see
        case RepeatArgumentError():
            return f"{error.token.keyword} is given twice"
        case UnusedCliTokensError():
            words = " ".join(as_written(word) for word in error.unused_tokens or ())
            return f"{chain} takes no further argument: {words!r}{see}"
    return " ".join(str(error).split()) + see


def _unknown_option(error: UnknownOptionError) -> str:
    from overpaint.request import suggest_setting

    name = (error.token.keyword or error.token.value).split("=", 1)[0]
    known = {name for argument in error.argument_collection for name in argument.names if name.startswith("--")}
    plain = name.lower().strip("-").replace("_", "-")
    meant = _OTHER_OPTIONS.get(plain, f"--{plain}")
    if meant == "PICTURE":
        return f"unknown option {name}: the picture is given without an option"
    if meant not in known:
        # the request has other tools' names for its settings, and finds near misses
        setting = re.search("'(.*)'", suggest_setting(plain, [option.strip("-").replace("-", "_") for option in known]))
        meant = "--" + setting[1].removeprefix("mask.").replace("_", "-") if setting else ""
    return f"unknown option {name}" + (f"; did you mean {meant!r}?" if meant in known else "")


def _unknown_verb(error: UnknownCommandError, chain: str) -> str:
    word = (error.unused_tokens or [""])[0]
    known = sorted(verb for verb in error.app or () if not verb.startswith("-"))
    if not chain and ("." in word or "/" in word):
        return f"{word!r} is no verb; for example: overpaint remove {word} --mask mask.png"
    meant = _OTHER_VERBS.get(word.lower())
    meant = meant if meant in known or (meant or "").startswith("--") else None
    hint = f"; did you mean {meant!r}?" if meant else did_you_mean(word, known)
    there_are = f" (there are {', '.join(known)})"
    return f"there is no verb {word!r}{hint or there_are}"


def _wrong_kind(error: CoercionError) -> str:
    assert error.token is not None
    argument = error.argument
    name = error.token.keyword or (argument.name.lstrip("-").upper() if argument is not None else "the value")
    value = as_written(error.token.value)
    choices = [str(one) for one in get_args(error.target_type)] if get_origin(error.target_type) is Literal else []
    if choices:
        return f"{name} must be one of {', '.join(choices)}, not {value!r}{did_you_mean(value, choices)}"
    kinds = {int: "a whole number", float: "a number", bool: "true or false"}
    return f"{name} takes {kinds.get(error.target_type or str, 'another kind of value')}, not {value!r}"


def _missing(error: MissingArgumentError, chain: str) -> str:
    assert error.argument is not None
    argument = error.argument
    name = error.keyword or next((token.keyword for token in argument.tokens if token.keyword), None)
    if name:
        return f"{name} needs a value"
    if argument.name.startswith("-"):
        return f"{chain} needs {argument.name}"
    return f"{chain} needs a {argument.name.lower()}"
