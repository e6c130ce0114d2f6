"""pydantic's validation errors as one SettingError, which names the field, the value and the values that are right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, NoReturn, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from overpaint.errors import RequestError, suggest, with_field

_MOST_PROBLEMS = 8  # in one error; a longer message is not read


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a request.

    Attributes:
        field: Its field: "strength", "mask.parts[0].box"; "" for the request as a whole.
        value: The value that was given; None when it is missing.
        sentence: What is wrong and what would be right, with {field} in the place of the field's name.
    """

    field: str
    value: object
    sentence: str

    def worded(self, name_of: Callable[[str], str] = str) -> str:
        """The sentence with a door's name of the field."""
        return with_field(self.sentence, self.field, name_of)


class SettingError(RequestError):
    """Settings are unknown or have values that they can't take. `problems` has each of them."""

    code = "setting-invalid"

    def __init__(self, problems: Iterable[Problem]) -> None:
        """The message joins the sentences of all problems."""
        self.problems = tuple(problems)
        first = self.problems[0] if self.problems else Problem("", None, "")
        super().__init__(self._text(str), field=first.field, value=first.value)

    def _text(self, name_of: Callable[[str], str]) -> str:
        return "; ".join(dict.fromkeys(problem.worded(name_of) for problem in self.problems))


def raise_readable(error: ValidationError, model: type[BaseModel]) -> NoReturn:
    """Raise pydantic's error about `model` as one SettingError in our own words."""
    problems = [problem for detail in error.errors(include_url=False) for problem in _problems(detail, model)]
    raise SettingError(problems[:_MOST_PROBLEMS]) from None


def reason_of(detail: ErrorDetails, model: type[BaseModel]) -> str:
    """What one of pydantic's details about `model` says, as a clause that does not name the field."""
    sentence = next(_problems(detail, model)).sentence
    return sentence.replace("{field} must", "it must", 1)


def shown(value: object) -> str:
    """A value for a message: whole when short, cut when long."""
    text = repr(value) if not isinstance(value, bytes | bytearray) else f"{len(value)} bytes"
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"


def expected_of(model: type[BaseModel], name: str) -> str:
    """The values of the field `name` in words ("a number between 0 and 1"); empty when its type has no words."""
    field = _field(model, name)
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    kind = names.get(bare_type(field.annotation), "") if field is not None else ""
    return f"{kind} {range_of(model, name)}".strip() if kind else ""


def range_of(model: type[BaseModel], name: str) -> str:
    """The range of the field `name`: "between 0 and 1", "of at least 0"; or an empty string."""
    field = _field(model, name)
    rules = field.metadata if field is not None else ()
    bounds = {key: getattr(rule, key) for rule in rules for key in ("ge", "le", "gt") if hasattr(rule, key)}
    low, high, above = bounds.get("ge"), bounds.get("le"), bounds.get("gt")
    if above is not None and high is not None:
        return f"more than {above} and at most {high}"
    if low is not None and high is not None:
        return f"between {low} and {high}" if low != high else f"that is {low}"
    if low is not None:
        return f"of at least {low}"
    return f"of at most {high}" if high is not None else ""


def _field(model: type[BaseModel], name: str) -> Any:
    """The field of that name or alias."""
    return next((field for own, field in model.model_fields.items() if name in (own, field.alias)), None)


def bare_type(annotation: Any) -> Any:
    """A field's type without Annotated and without None; a union of several types stays."""
    if get_origin(annotation) is Annotated:
        return bare_type(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        return bare_type(members[0]) if len(members) == 1 else annotation
    return annotation


def _problems(detail: ErrorDetails, model: type[BaseModel]) -> Iterator[Problem]:
    """One of pydantic's details as problems; a nested value brings its own SettingError."""
    field, inner = _path(detail["loc"]), detail.get("ctx", {}).get("error")
    if isinstance(inner, SettingError):
        for problem in inner.problems:
            yield Problem(_joined(field, problem.field), problem.value, problem.sentence)
    elif inner is not None:
        # our own checks say "must ..." of their field, or a whole sentence
        sentence = str(inner)
        value = detail["input"] if field else None  # that of the whole is no value to show
        yield Problem(field, value, f"{{field}} {sentence}" if sentence.startswith("must ") else sentence)
    else:
        value = None if detail["type"] == "missing" else detail["input"]
        yield Problem(field, value, _sentence(detail, model))


def _joined(outer: str, inner: str) -> str:
    return f"{outer}.{inner}" if outer and inner and not inner.startswith("[") else outer + inner


def _path(loc: tuple[int | str, ...]) -> str:
    """("parts", 0, "box") as "parts[0]": what follows an index is the tag of a union, not a field."""
    text = ""
    loc = loc[:2] if loc[:1] == ("options",) else loc  # beyond that pydantic names types, not keys
    for index, step in enumerate(loc):
        if isinstance(step, int):
            text += f"[{step}]"
        elif not (index and isinstance(loc[index - 1], int)):
            text = _joined(text, step)
    return text


def _sentence(detail: ErrorDetails, model: type[BaseModel]) -> str:
    """The sentence for one of pydantic's error types."""
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    direct = len(detail["loc"]) == 1  # then the field is one of the model's own, and its range is known
    name = str(detail["loc"][-1]) if detail["loc"] else ""
    span = range_of(model, name).removeprefix("of ") if direct else ""
    match kind:
        case "extra_forbidden":
            near = suggest(name, _names(model), getattr(model, "setting_aliases", {}))
            return f"unknown setting '{{field}}'{near}"
        case "missing":
            return "{field} is missing"
        case "literal_error":
            known = context["expected"]
            values = [part.strip().strip("'") for part in known.replace(" or ", ", ").split(",")]
            return f"{{field}} must be {known}, not {shown(value)}{_suggest_value(model, name, value, values)}"
        case "finite_number":
            return f"{{field}} must be a {'' if span else 'finite '}number {span}".rstrip() + f", not {shown(value)}"
        case "greater_than_equal" | "less_than_equal" | "greater_than" | "less_than":
            return f"{{field}} must be {span or _bound(context)}, not {shown(value)}"
        case "multiple_of":
            return f"{{field}} must be a multiple of {context['multiple_of']}, not {shown(value)}"
        case "string_too_long":
            return f"{{field}} must have at most {context['max_length']} characters, not {len(str(value))}"
        case "too_short" | "too_long":
            bound = f"at least {context['min_length']}" if kind == "too_short" else f"at most {context['max_length']}"
            return f"{{field}} must have {bound} entries, not {context['actual_length']}"
        case "union_tag_invalid":
            return f"{{field}}: kind must be one of {context['expected_tags']}, not {shown(context['tag'])}"
        case "union_tag_not_found":
            return f"{{field}} must be a table with a kind (kind = 'box', say), not {shown(value)}"
        case "string_pattern_mismatch":
            return f"{{field}} must match {context['pattern']}, not {shown(value)}"
        case _:
            expected = expected_of(model, name) if direct else ""
            return f"{{field}} must be {expected or _TYPES.get(kind, detail['msg'])}, not {shown(value)}"


_TYPES = {
    **dict.fromkeys(("int_type", "int_from_float"), "a whole number"),
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "string_unicode": "Unicode text",
    "tuple_type": "a list",
    **dict.fromkeys(("mapping_type", "dict_type", "model_type", "model_attributes_type"), "a table of settings"),
    "invalid-json-value": "a JSON value",
    "recursion_depth_exceeded": "nested less deeply",
}


def _bound(context: dict[str, Any]) -> str:
    """The bound that the value violates."""
    words = {"ge": "at least", "le": "at most", "gt": "more than", "lt": "less than"}
    return next(f"{words[key]} {float(bound):.10g}" for key, bound in context.items() if key in words)


def _suggest_value(model: type[BaseModel], name: str, value: object, known: list[str]) -> str:
    aliases = getattr(model, "value_aliases", {}).get(name, {})
    return suggest(str(value), known, aliases) if not isinstance(value, bool) else ""


def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]
