"""A filter of rows: an expression over their fields. It is parsed as a tree and never run as code.

intent == "remove" and like(image, "*.jpg")
steps > 20 or state == "failed"
"red" in prompt and not (seed in [1, 2, 3])
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from overpaint.errors import RequestError, did_you_mean
from overpaint.ledger import Entry

from .plan import PlannedEdit
from .rows import REQUEST

_MOST = 2000  # characters: no one writes more, and a deep tree would use up the stack
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, other: one in other,
    ast.NotIn: lambda one, other: one not in other,
}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "like": lambda text, pattern: text is not None and fnmatchcase(str(text), str(pattern)),
    "lower": lambda text: None if text is None else str(text).lower(),
    "len": lambda value: 0 if value is None else len(value),
}
FIELDS = ("id", "row", "image", "name", "output", "after", "state", "attempts", "note", *REQUEST)
"""What an expression may name: of the row, of the ledger, of the request. What was left open is None."""


@dataclass(frozen=True, slots=True)
class Filter:
    """An expression that was found to be sound."""

    text: str
    tree: ast.expr

    @classmethod
    def of(cls, text: str) -> Filter:
        """Read an expression.

        Raises:
            RequestError: It is none, or names something that rows don't have; the message says what.
        """
        if len(text) > _MOST:
            raise _refused(f"{{field}} is {len(text)} characters long; {_MOST} are enough", text)
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            reason = error.msg if isinstance(error, SyntaxError) else str(error)
            raise _refused(f"{{field}} {text!r} is no expression: {reason}", text) from None
        _check(tree, text)
        return cls(text, tree)

    def matches(self, item: PlannedEdit, entry: Entry | None = None) -> bool:
        """Whether a row is meant. A comparison with what was left open is false."""
        try:
            return bool(_value(self.tree, _fields(item, entry)))
        except TypeError:  # the length of a number, say
            return False


def _fields(item: PlannedEdit, entry: Entry | None) -> Mapping[str, Any]:
    return {
        **{name: getattr(item.request, name) for name in REQUEST},
        "engine": item.engine,
        "id": item.id,
        "row": item.row.number,
        "image": item.row.image,
        "name": item.image.stem,
        "output": item.output.name,
        "after": item.after,
        "state": "waiting" if entry is None else entry.state,
        "attempts": 0 if entry is None else entry.attempts,
        "note": None if entry is None else entry.note,
    }


def _check(node: ast.expr, text: str) -> None:
    match node:
        case ast.BoolOp(values=values):
            for value in values:
                _check(value, text)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            _check(operand, text)
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARE for op in ops):
            for value in (left, *others):
                _check(value, text)
        case ast.Name(id=name):
            if name not in FIELDS:
                raise _refused(f"{{field}}: rows have no field {name!r}{did_you_mean(name, FIELDS)}", text)
        case ast.Constant(value=None | bool() | int() | float() | str()):
            pass
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            for element in elements:
                _check(element, text)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            if len(arguments) != (2 if name == "like" else 1):
                takes = "a field and a pattern" if name == "like" else "one field"
                raise _refused(f"{{field}}: {name}() takes {takes}", text)
            for argument in arguments:
                _check(argument, text)
        case ast.Call(func=ast.Name(id=name)):
            known = ", ".join(f"{one}()" for one in _FUNCTIONS)
            raise _refused(f"{{field}}: there is no {name}(); there are {known}", text)
        case _:
            part = ast.get_source_segment(text.strip(), node) or text
            raise _refused(
                f"{{field}}: {part!r} is not understood; an expression compares fields (==, !=, <, <=, >, >=, in) and "
                "joins them with and, or, not",
                text,
            )


def _refused(message: str, text: str) -> RequestError:
    return RequestError(message, code="filter-invalid", field="where", value=text)


def _value(node: ast.expr, fields: Mapping[str, Any]) -> Any:
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_value(value, fields) for value in values)
        case ast.BoolOp(values=values):
            return any(_value(value, fields) for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, fields)
        case ast.UnaryOp(operand=operand):
            return -_value(operand, fields)
        case ast.Compare(left=left, ops=ops, comparators=others):
            values = [_value(value, fields) for value in (left, *others)]
            return all(_compare(op, one, other) for op, one, other in zip(ops, values, values[1:], strict=False))
        case ast.Name(id=name):
            return fields[name]
        case ast.Constant(value=value):
            return value
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [_value(element, fields) for element in elements]
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _FUNCTIONS[name](*(_value(argument, fields) for argument in arguments))
    raise AssertionError(ast.dump(node))  # _check lets nothing else through


def _compare(op: ast.cmpop, one: Any, other: Any) -> bool:
    try:
        return bool(_COMPARE[type(op)](one, other))
    except TypeError:  # text with a number, or something that was left open
        return False
