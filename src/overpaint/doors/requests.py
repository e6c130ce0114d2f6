"""From settings and options to a request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from overpaint.errors import RequestError
from overpaint.request import EditRequest
from overpaint.validation import bare_type

from . import forms
from .engine_tables import card_or_none

_NUMBER = re.compile(r"[-+]?(\d{1,20}\.?\d{0,20}|\.\d{1,20})")
_TRUTH = {**dict.fromkeys(("true", "yes", "on", "1"), True), **dict.fromkeys(("false", "no", "off", "0"), False)}


def settings_of(intent: str | None, settings: Mapping[str, Any], options: Iterable[str] = ()) -> dict[str, Any]:
    """Settings of a request, with the intent and the engine's own options (KEY=VALUE each) where these are given.

    Raises:
        RequestError: An option is not written as it should be, or given twice.
    """
    given = dict(settings)
    pairs = [forms.key_value(text, "option") for text in options]
    own = {name: option_value(name, value) for name, value in pairs}
    for name in own:
        values = [value for key, value in pairs if key == name]
        if len(values) > 1:
            raise RequestError(f"{{field}} {name} is given twice", field="option", value=values)
    if own:
        given["options"] = own
    if intent is not None:
        given["intent"] = intent
    return given


def option_value(name: str, value: object) -> object:
    """The value of an engine's option from what was written: yes, on and 1 are true where it is true or false, and a
    word of its choices may have capitals. Any other value stays, for the engine to check.
    """
    if not isinstance(value, str | int):
        return value
    from overpaint.engines import names

    tables = [card.options.model_fields for card in map(card_or_none, names()) if card is not None]
    kinds = [bare_type(table[name].annotation) for table in tables if name in table]
    if len(set(kinds)) != 1:
        return value
    word = str(value).strip().lower()
    if kinds[0] is bool:
        return _TRUTH.get(word, value)
    if kinds[0] is float and isinstance(value, str) and _NUMBER.fullmatch(word):  # JSON has no .5 and no 1.
        return float(word)
    choices = get_args(kinds[0]) if get_origin(kinds[0]) is Literal else ()
    return next((one for one in choices if str(one).lower() == word), value)


def request_of(
    intent: str | None, settings: Mapping[str, Any], options: Iterable[str] = (), base: EditRequest | None = None
) -> EditRequest:
    """A request from what was given, as in `settings_of`, over `base` where there is one, whose intent
    holds unless another is given.

    Raises:
        RequestError: A setting is unknown or has a value that it can't take.
    """
    given = settings_of(intent, settings, options)
    if base is None:
        return EditRequest.of(**given)
    if "options" in given:
        given["options"] = {**(base.options or {}), **given["options"]}
    return base.merged(**given)


def read_request(path: Path) -> EditRequest:
    """The request of a JSON or TOML file. Raises RequestError, which names the file."""
    ending = path.suffix.lower()
    if ending not in (".json", ".toml"):
        raise RequestError(f"{path}: the name of a request's file must end in .json or .toml", field="request")
    try:
        text = path.read_text(encoding="utf-8")
        return EditRequest.from_json(text) if ending == ".json" else EditRequest.from_toml(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise RequestError(f"{path} can't be read: {reason}", field="request", value=str(path)) from None
    except RequestError as error:
        raise error.within(str(path)) from None
