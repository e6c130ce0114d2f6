"""From settings and options to a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from overpaint.errors import RequestError
from overpaint.request import EditRequest

from . import forms


def settings_of(intent: str | None, settings: Mapping[str, Any], options: Iterable[str] = ()) -> dict[str, Any]:
    """Settings of a request, with the intent and the engine's own options (KEY=VALUE each) where these are given.

    Raises:
        RequestError: An option is not written as it should be, or given twice.
    """
    given = dict(settings)
    pairs = [forms.key_value(text, "option") for text in options]
    own = dict(pairs)
    for name in own:
        values = [value for key, value in pairs if key == name]
        if len(values) > 1:
            raise RequestError(f"{{field}} {name} is given twice", field="option", value=values)
    if own:
        given["options"] = own
    if intent is not None:
        given["intent"] = intent
    return given


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
