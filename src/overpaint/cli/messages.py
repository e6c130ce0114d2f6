"""Errors and notes in one line each, in terms of the command line."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import fields as fields_of
from pathlib import Path
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
from overpaint.errors import InputError, OverpaintError, RequestError, did_you_mean

from . import INTERRUPTED
from .streams import as_written
from .texts import visible

_POINT = re.compile(r"[-+]?\d[\d.]*(px|%)?(,[-+]?\d[\d.]*(px|%)?)*,?")
_ONE_WORD = "a shape is one word: --box 10,20,30,40 with commas, --polygon '10,20 30,20 30,40' in quotes"

DONE, FAILED, BAD_INPUT, UNCOMPARED, BROKEN_PIPE, TERMINATED = 0, 1, 2, 3, 141, 143


HINTS: dict[str, str] = json.loads(Path(__file__).with_name("hints.json").read_text(encoding="utf-8"))
"""What the command line advises, by the code of the error, with the error's value for {value}. A hint for one value is
"CODE:VALUE", one for a verb that has other options "CODE@VERB".
"""

_OF_ANY_INTENT = ("edit", "session edit", "session rerun")
"""Verbs without options of their own for one intent: an engine's options are given as --option NAME=VALUE."""

_LONGEST_SHOWN = 40  # characters of a value that a suggestion repeats

_verb: ContextVar[str] = ContextVar("the verb that runs", default="")

_OF_ONE_VERB = frozenset(("size", "stroke", "width", "head", "request", "variant", "picture", "vary"))
_SIDES = {f"margins[{n}]": f"--{side}" for n, side in enumerate(("left", "top", "right", "bottom"))}
_OTHERWISE = {"image": "PICTURE", "options": "--option", "insert": "--with", "insert_mask": "--with-mask", **_SIDES}
_OTHERWISE |= {"regional_prompts": "--region-prompt", "controls": "--control"}
_OTHERWISE |= {"points": "--point", "not_points": "--not-point", "boxes": "--select-box", "text": "--select-text"}


def option_of(field: str) -> str:
    """The option of a field or argument; the field itself where there is none."""
    from .batch_options import Machine, Results, Rows, Which
    from .fields import names, option_name
    from .options import Bounds, Run, Where
    from .result_options import Out, Signing
    from .serve import Capacity, Listening

    if field in _OTHERWISE:
        return _OTHERWISE[field]
    kinds = (Where, Bounds, Run, Out, Signing, Rows, Machine, Which, Results, Listening, Capacity)
    shared = {one.name for kind in kinds for one in fields_of(kind)}
    return option_name(field) if field in names() or field in shared | _OF_ONE_VERB else field


@contextlib.contextmanager
def about_verb(words: Sequence[str]) -> Iterator[None]:
    """Within the context, hints are for the verb that these arguments begin with."""
    name = " ".join(words[:2]) if words[:1] in (["session"], ["audit"]) else " ".join(words[:1])
    token = _verb.set("edit" if name in _OF_ANY_INTENT else name)
    try:
        yield
    finally:
        _verb.reset(token)


def hints() -> dict[str, str]:
    """The hints by code, or by code and value, for the verb that runs; "download" for what can be downloaded."""
    general = {key: hint for key, hint in HINTS.items() if "@" not in key}
    own = (key.split("@") for key in HINTS if "@" in key)
    general["download"] = HINTS["model-not-downloaded"]
    return general | {code: HINTS[f"{code}@{verb}"] for code, verb in own if verb == _verb.get()}


def in_line(error: OverpaintError) -> str:
    """An error as one line in terms of the command line."""
    return error_line(error, option_of, hints())


def note_line(note: str) -> str:
    """A note as one line in terms of the command line: "the setting model" becomes "--model", and a
    conversion or a download the command that does it. Control characters are written out.
    """

    def option(found: re.Match[str]) -> str:
        name = option_of(found[1])
        return found[0] if name == found[1] else name

    note = re.sub(r"\bconvert (\S+) to safetensors\b", r"run 'overpaint models convert \1'", note)
    note = re.sub(r"\bdownload (\S+), which", r"run 'overpaint models get \1', which", note)
    return visible("note: " + re.sub(r"\bthe setting ([a-z_]+)\b", option, note))


def in_json(error: OverpaintError) -> dict[str, Any]:
    """An error as `--json` writes it."""
    return {"error": error_values(error, option_of, hints())}


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
        print(visible(f"overpaint: {' '.join(message.split())}"), file=sys.stderr, flush=True)
    return status


def usage(error: CycloptsError) -> str:
    """One line that says what is wrong with the arguments, and what would be right."""
    chain = " ".join(error.command_chain or ())
    see = f" (see 'overpaint {chain} --help')" if chain else " (see 'overpaint --help')"
    match error:
        case UnknownOptionError():
            return _unknown_option(error, chain) + see
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
            split = f"; {_ONE_WORD}" if all(map(_is_point, error.unused_tokens or ())) else see
            return f"{chain} takes no further argument: {words!r}{split}"
    return " ".join(str(error).split()) + see


def check_words(pictures: Sequence[str]) -> None:
    """Raise RequestError where one is no picture, but a number or a point of a shape that was written as several
    words.
    """
    for name in pictures:
        if _is_point(name) and not Path(name).exists():
            raise RequestError(f"{name!r} is no picture", code="usage-invalid", value=name, hint=_ONE_WORD)


def _is_point(word: str) -> bool:
    return _POINT.fullmatch(word) is not None


def _unknown_option(error: UnknownOptionError, chain: str) -> str:
    from overpaint.other_names import OPTION_ALIASES, OPTION_USES, SETTING_ALIASES, suggest_setting

    name = (error.token.keyword or error.token.value).split("=", 1)[0]
    there = [argument for argument in error.argument_collection if argument.parse]
    known = {name for argument in there for name in argument.names if name.startswith("--")}
    plain = name.lower().strip("-").replace("_", "-")
    meant = OPTION_ALIASES.get(plain, f"--{plain}")
    if chain in _OF_ANY_INTENT and meant not in known and (instead := _instead(plain, meant, chain)):
        return f"unknown option {name}: {instead}"
    if meant in ("--server", "--key-file") and meant not in known and chain.startswith("session "):
        return f"unknown option {name}: nothing is painted here; 'session edit' and 'session rerun' paint on a server"
    if meant == "PICTURE":
        return f"unknown option {name}: the picture is given without an option"
    if meant not in known and plain in OPTION_USES and OPTION_USES[plain].split()[0] in known:
        return f"unknown option {name}; right would be {OPTION_USES[plain]}"
    if meant not in known:
        meant = _named(SETTING_ALIASES.get(plain.replace("-", "_"), ""))
    if meant not in known and "--option" in known and (whose := _of_engine(plain, _value_after(error, name))):
        return f"unknown option {name}: it is an option of {whose}"
    if meant not in known:  # near misses are found
        setting = re.search("'(.*)'", suggest_setting(plain, [option.strip("-").replace("-", "_") for option in known]))
        meant = _named(setting[1]) if setting else ""
    return f"unknown option {name}" + (f"; did you mean {meant!r}?" if meant in known else "")


def _named(setting: str) -> str:
    return "--" + setting.removeprefix("mask.").replace("_", "-")


def _value_after(error: UnknownOptionError, name: str) -> str:
    """The value that was given with an unknown option; "" for none."""
    words = [str(word) for word in error.root_input_tokens or []]
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word.partition("=")[0] == name:
            value = word.partition("=")[2] or ("" if after.startswith("-") else after)
            return "" if len(value) > _LONGEST_SHOWN or not value.isprintable() else value
    return ""


def _of_engine(plain: str, value: str) -> str:
    """Which engine has an option of this name, and how it is given: that of checkpoints before others; "" for none."""
    from overpaint.doors.engine_tables import card_or_none
    from overpaint.engines import names
    from overpaint.studio.choose import MODEL_ENGINE

    for engine in (MODEL_ENGINE, *names()):
        card = card_or_none(engine)
        for option, about in card.options.model_fields.items() if card is not None else ():
            if option.replace("_", "-") == plain:
                whose = "a checkpoint" if engine == MODEL_ENGINE else f"the engine {engine!r}"
                known = "true" if about.annotation is bool else value or "VALUE"
                return f"{whose}: --option {option}={known}"
    return ""


def _instead(plain: str, meant: str, chain: str) -> str:
    """What a verb for any intent has in place of an option of another verb; "" for nothing."""
    from overpaint.engines import card

    for engine in ("recolor", "backdrop"):
        for option in card(engine).options.model_fields:
            if option.replace("_", "-") in (plain, {"color": "colour"}.get(plain)):
                return f"here it is --option {option}=VALUE"
    if chain.startswith("session") and meant.lstrip("-").replace("-", "_") in _written_by_export():
        return "a session is kept in its own file; 'overpaint session export' writes pictures and layers"
    return ""


def _written_by_export() -> frozenset[str]:
    from .result_options import Out

    return frozenset(one.name for one in fields_of(Out)) | {"o"}


def _unknown_verb(error: UnknownCommandError, chain: str) -> str:
    from overpaint.other_names import VERB_ALIASES

    word = (error.unused_tokens or [""])[0]
    known = sorted(verb for verb in error.app or () if not verb.startswith("-"))
    if not chain and ("." in word or "/" in word):
        return f"{word!r} is no verb; for example: overpaint remove {word} --mask mask.png"
    if chain == "session" and ("." in word or "/" in word):
        return f"{word!r} is no verb of a session; for example: overpaint session show {word}"
    meant = VERB_ALIASES.get(word.lower())
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


def _verb_meant(error: MissingArgumentError) -> str:
    """The verb that a first word may stand for, where a group of verbs takes a file too."""
    length = len(error.command_chain or ())
    word = next(iter((error.root_input_tokens or [])[length:]), "-")
    known = [verb for app in error.app or () if not (verb := str(app)).startswith("-")]
    return "" if word.startswith("-") or Path(word).exists() else did_you_mean(word, known)


def _missing(error: MissingArgumentError, chain: str) -> str:
    assert error.argument is not None
    argument = error.argument
    name = error.keyword or next((token.keyword for token in argument.tokens if token.keyword), None)
    if name:
        return f"{name} needs a value"
    if argument.name.startswith("-"):
        return f"{chain} needs {argument.name}{_verb_meant(error)}"
    return f"{chain} needs a {argument.name.lower()}"
