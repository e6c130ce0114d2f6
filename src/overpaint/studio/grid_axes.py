"""The axes of a grid: settings that vary, from text to the requests of each value."""

from __future__ import annotations

import csv
import itertools
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal, get_origin

from overpaint.errors import RequestError
from overpaint.models.places import ENDINGS
from overpaint.request import KIND_ALIASES, Control, EditRequest, draw_seed, settings_reference
from overpaint.validation import bare_type

MOST_CELLS = 400

_APART = (
    *("schema", "image", "mask", "avoid", "sketch", "insert", "controls", "margins", "options", "intent"),
    "regional_prompts",
)
"""Fields of a request that are no single value, or that decide about the verb."""

_TEXTS = ("prompt", "negative_prompt")

_NUMBER = r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?"  # what is longer is no range
_SPAN = re.compile(
    rf"(?P<low>{_NUMBER})\s*(?P<mark>-|\.\.)\s*(?P<high>{_NUMBER})"
    rf"(?:\s*:\s*(?P<step>{_NUMBER})|\s*\(\s*\+?(?P<by>{_NUMBER})\s*\)|\s*\[\s*(?P<count>[0-9]{{1,30}})\s*\])?"
)
_PAIR = re.compile(rf"({_NUMBER})\s*[,x]\s*({_NUMBER})")
_MOST_ORDERED = 5


@dataclass(frozen=True, slots=True)
class GridAxis:
    """A setting of a grid, with its values.

    Attributes:
        name: One of

            * a field of the request, or an option of the engine;
            * "prompt:WORDS" or "negative_prompt:WORDS": words of the prompt that each value replaces;
            * "prompt_order": each value is some words of the prompt in another order, as a tuple;
            * "lora:NAME": the weight of a LoRA that the prompt names;
            * "control:KIND" or "control:KIND:SETTING": the weight, or another setting, of the controls of a kind;
            * "preset": a preset, or "none".
        values: At least one, all different.
    """

    name: str
    values: tuple[Any, ...]

    def label(self, value: Any) -> str:
        """What stands beside a row or column: the setting and its value; of a file its stem."""
        head, _, rest = self.name.partition(":")
        shown = _shown(value)
        if [_shown(one) for one in self.values].count(shown) > 1:  # files of one name in two folders
            shown = str(value)
        if not rest:
            return f"{_plain(self.name)}: {shown}"
        if head in _TEXTS:
            return f"{_plain(head)}: {value}" if value else f"{_plain(head)}: without {rest!r}"
        if head == "lora":
            return f"{_stem(rest)}: {shown}"
        if head == "control":
            kind, _, setting = rest.partition(":")
            return f"{kind} {_plain(setting or 'weight')}: {shown}"
        return f"{_plain(self.name)}: {shown}"

    def changed(self, request: EditRequest, value: Any) -> EditRequest:
        """The request with this value.

        Raises:
            RequestError: The setting can't be varied, or has no such value; the prompt lacks the words or the LoRA, the
                request the control.
        """
        head, _, rest = self.name.partition(":")
        if rest and head in _TEXTS:
            return request.merged(**{head: _replaced(getattr(request, head), rest, str(value), self.name)})
        if rest and head == "lora":
            return request.merged(prompt=_weighted(request.prompt, rest, value, self.name))
        if rest and head == "control":
            return _controlled(request, rest, value, self.name)
        if self.name == "prompt_order":
            return request.merged(prompt=_reordered(request.prompt, value, self.name))
        if self.name == "preset":
            return request.merged(preset=None if value == "none" else value)
        if self.name in _APART:
            raise RequestError(
                f"{{field}} {self.name!r} is no single value, and can't be varied",
                field="vary",
                value=self.name,
                hint=f"right would be {', '.join(variable_settings())}, or an option of the engine",
            )
        if self.name in EditRequest.model_fields:
            return request.merged(**{self.name: value})
        return request.merged(options={**(request.options or {}), self.name: value})


def variable_settings() -> list[str]:
    """The fields of a request that a grid can vary."""
    return [one.name for one in settings_reference() if one.name not in _APART]


def axis_of(text: str) -> GridAxis:
    """An axis from text.

    * `steps=10,20,30`: values, with quotes around one that has a comma, as in CSV: `guidance_interval="0,0.6","0,1"`.
    * `seed=1-4`, `strength=0.4-1 (+0.2)`, `steps=10-50 [5]`: from, to (inclusive), by 1, by a step, or so many values;
      `strength=0.4..1:0.2` is the second too. Settings that are text have none.
    * `prompt:cat=cat,dog`: words of the prompt, and what stands for them.
    * `prompt_order=red,big`: words of the prompt, in every order.
    * `lora:NAME=0.5,1`, `control:canny=0.5,1`, `control:canny:end=0.5,1`, `preset=none,fast`.

    A seed of -1 is drawn here, so that cells can be compared.

    Raises:
        RequestError: It is written in another way, or has a value twice.
    """
    name, mark, given = text.partition("=")
    if not mark or not name.strip() or not given.strip():
        raise _unread(text, "takes NAME=VALUE,VALUE..., not", "for example steps=10,20 or strength=0.4-1 (+0.2)")
    head, colon, rest = name.strip().partition(":")
    head = head.replace("-", "_")
    if head == "control" and colon:
        kind, more, setting = rest.partition(":")
        rest = f"{KIND_ALIASES.get(kind, kind)}{more}{setting.replace('-', '_')}"
    name = f"{head}{colon}{rest}"
    try:
        (parts,) = csv.reader([given], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        raise _unread(text, "can't read", str(error)) from None
    parts = [one.strip() for one in parts]
    if name == "prompt_order":
        if not 1 < len(parts) <= _MOST_ORDERED or not all(parts):
            raise _unread(text, f"takes two to {_MOST_ORDERED} words of the prompt in every order, not", "")
        return _distinct(GridAxis(name, tuple(itertools.permutations(parts))), text)
    kind = _kind_of(head, part=bool(colon))
    values = [value for one in parts for value in ([one] if kind == "text" else _values(one, kind, text))]
    if name == "seed":
        values = [draw_seed(one) if one == -1 else one for one in values]
    return _distinct(GridAxis(name, tuple(values)), text)


_Kind = Literal["text", "word", "whole", "pair", "number"]
"""What a value is: text as it is written, JSON or a word, a whole number or a range of these, two numbers or what any
other is, any of them.
"""


def _kind_of(head: str, *, part: bool) -> _Kind:
    """What the values of a setting are; `part`: of a part of it, such as words of the prompt."""
    if head in _TEXTS:
        return "text"
    field = None if part else EditRequest.model_fields.get(head)
    if field is None:  # an option of an engine
        return "number"
    bare = bare_type(field.annotation)
    if bare in (str, bool) or get_origin(bare) is Literal:
        return "word"
    return "whole" if bare is int else "pair" if get_origin(bare) is tuple else "number"


def _values(text: str, kind: _Kind, given: str) -> Iterator[Any]:
    """A value, or those of a range."""
    if kind == "pair" and (pair := _PAIR.fullmatch(text)) is not None:
        yield tuple(float(one) if "." in one else int(one) for one in pair.groups())
        return
    span = None if kind == "word" else _SPAN.fullmatch(text)
    if span is not None:
        yield from _range(span, given, whole=kind == "whole")
        return
    try:
        yield json.loads(text)
    except (ValueError, RecursionError):
        yield text


def _range(span: re.Match[str], given: str, *, whole: bool) -> Iterator[int | float]:
    """The numbers of a range; `whole`: the setting takes whole ones."""
    low, high = float(span["low"]), float(span["high"])
    if span["count"] is not None:
        count = int(span["count"])
        found = [low + (high - low) * number / max(1, count - 1) for number in range(min(count, MOST_CELLS + 1))]
        found = [math.floor(one + 1e-9) if whole else round(one, 10) for one in found]
    else:
        step = float(span["step"] or span["by"] or 1)
        count = math.floor((high - low) / step + 1e-9) + 1 if step else 0
        found = [round(low + number * step, 10) for number in range(max(0, min(count, MOST_CELLS + 1)))]
    if not 0 < len(found) <= MOST_CELLS:
        raise _unread(given, f"has a range with no value, or with more than {MOST_CELLS}:", "")
    written = "".join(part or "" for part in span.group("low", "high", "step", "by"))
    plain = "." not in written and all(float(one).is_integer() for one in found)
    yield from (int(one) if plain else one for one in found)


def _distinct(axis: GridAxis, text: str) -> GridAxis:
    """The axis, if no value is there twice: its cells would be painted twice."""
    values = [(isinstance(one, bool), one) for one in axis.values]  # True is not 1
    for typed in values:
        if values.count(typed) > 1:
            raise _unread(text, f"has the value {_shown(typed[1])} twice:", "leave one of them out")
    return axis


def _unread(text: str, why: str, hint: str) -> RequestError:
    return RequestError(f"{{field}} {why} {text!r}", field="vary", value=text, hint=hint)


def _replaced(prompt: str | None, words: str, value: str, name: str) -> str:
    """The prompt with a value in the place of some words."""
    if words not in (prompt or ""):
        raise RequestError(
            f"{{field}} {name!r} names words that the {_plain(name.partition(':')[0])} {prompt or ''!r} does not have",
            field="vary",
            value=name,
            hint="right would be prompt:WORDS=WORDS,OTHER WORDS",
        )
    return (prompt or "").replace(words, value)


def _reordered(prompt: str | None, words: tuple[str, ...], name: str) -> str:
    """The prompt with its words at the places of all of them, in this order."""
    text = prompt or ""
    found = sorted((text.find(one), one) for one in words)
    ends = [at + len(one) for at, one in found]
    if found[0][0] < 0 or any(end > at for end, (at, _) in zip(ends, found[1:], strict=False)):
        raise RequestError(
            f"{{field}} {name}: {', '.join(words)} do not all stand in the prompt {text!r}, apart from one another",
            field="vary",
            value=list(words),
        )
    pieces, done = [], 0
    for (at, _), end, word in zip(found, ends, words, strict=True):
        pieces += [text[done:at], word]
        done = end
    return "".join([*pieces, text[done:]])


def _weighted(prompt: str | None, lora: str, value: Any, name: str) -> str:
    """The prompt with another weight in the tags of a LoRA."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RequestError(f"{{field}} {name} takes numbers, not {value!r}", field="vary", value=value)
    tag = re.compile(rf"<(lora|lyco|hypernet):\s*{re.escape(lora)}\s*(?::[^>]*)?>")
    if not tag.search(prompt or ""):
        raise RequestError(
            f"{{field}} {name!r} names a LoRA that the prompt {prompt or ''!r} does not have",
            field="vary",
            value=name,
            hint=f"write <lora:{lora}:1> into the prompt",
        )
    return tag.sub(lambda found: f"<{found[1]}:{lora}:{value}>", prompt or "")


def _controlled(request: EditRequest, rest: str, value: Any, name: str) -> EditRequest:
    """The request with another setting of the controls of a kind."""
    kind, _, setting = rest.partition(":")
    setting = setting or "weight"
    controls = request.controls or ()
    if setting in ("kind", "image") or all(one.kind != kind for one in controls):
        why = f"the edit has no control {kind!r}" if setting not in ("kind", "image") else f"its {setting} can't vary"
        raise RequestError(
            f"{{field}} {name!r}: {why}",
            field="vary",
            value=name,
            hint="right would be control:KIND=WEIGHT,WEIGHT or control:KIND:SETTING=VALUE,VALUE",
        )
    return request.merged(controls=tuple(_set(one, setting, value) if one.kind == kind else one for one in controls))


def _set(control: Control, setting: str, value: Any) -> Control:
    """The control with one setting changed; other names than its own are options of its map, or of the engine."""
    own = dict(control)
    if setting in own:
        return Control(**{**own, setting: value})
    return Control(**{**own, "options": {**control.options, setting: value}})


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: Any) -> str:
    """A value as a label has it."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if value == "":
        return "(empty)"
    return _stem(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _stem(name: str) -> str:
    """The stem of a file of weights; any other text as it is."""
    path = PurePath(name.replace("\\", "/"))
    return path.stem if path.suffix.lower() in ENDINGS else name
