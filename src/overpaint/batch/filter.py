"""The filter of rows: an expression over their fields. It is compiled here and never run as Python code.

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
from overpaint.ledger import LedgerEntry

from .plan import PlannedEdit
from .rows import REQUEST

_MOST = 2000  # characters; a deeper tree would use up the stack
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
"""Names that an expression may use, of the row, the ledger and the request. A field that was left open is None;
engine and model are those that paint."""

_Function = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Filter:
    """A compiled expression."""

    function: _Function

    @classmethod
    def of(cls, text: str) -> Filter:
        """Compile an expression.

        Raises:
            RequestError: It is not an expression, or names something that rows don't have.
        """
        if len(text) > _MOST:
            raise _refused(f"{{field}} is {len(text)} characters long; {_MOST} are enough", text)
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            reason = error.msg if isinstance(error, SyntaxError) else str(error)
            raise _refused(f"{{field}} {text!r} is no expression: {reason}", text) from None
        return cls(_compiled(tree, text))

    def matches(self, item: PlannedEdit, entry: LedgerEntry | None = None) -> bool:
        """Whether the expression is true of a row. A comparison with an open field is false."""
        try:
            return bool(self.function(_fields(item, entry)))
        except TypeError:  # the length of a number, say
            return False


def _fields(item: PlannedEdit, entry: LedgerEntry | None) -> Mapping[str, Any]:
    return {
        **{name: getattr(item.request, name) for name in REQUEST},
        "engine": item.engine,
        "model": item.model,
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


def _compiled(node: ast.expr, text: str) -> _Function:
    """A function from a row's fields to the value of a node."""
    match node:
        case ast.BoolOp(op=op, values=values):
            parts = [_compiled(value, text) for value in values]
            combined = all if isinstance(op, ast.And) else any
            return lambda fields: combined(part(fields) for part in parts)
        case ast.UnaryOp(op=ast.Not() | ast.USub() as sign, operand=operand):
            part, function = _compiled(operand, text), operator.not_ if isinstance(sign, ast.Not) else operator.neg
            return lambda fields: function(part(fields))
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARE for op in ops):
            parts = [_compiled(value, text) for value in (left, *others)]
            pairs = list(zip(ops, parts, parts[1:], strict=False))
            return lambda fields: all(_compare(op, one(fields), other(fields)) for op, one, other in pairs)
        case ast.Name(id=name):
            if name not in FIELDS:
                raise _refused(f"{{field}}: rows have no field {name!r}{did_you_mean(name, FIELDS)}", text)
            return operator.itemgetter(name)
        case ast.Constant(value=None | bool() | int() | float() | str() as constant):
            return lambda _: constant
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            parts = [_compiled(element, text) for element in elements]
            return lambda fields: [part(fields) for part in parts]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            if len(arguments) != (2 if name == "like" else 1):
                takes = "a field and a pattern" if name == "like" else "one field"
                raise _refused(f"{{field}}: {name}() takes {takes}", text)
            parts = [_compiled(argument, text) for argument in arguments]
            return lambda fields: _FUNCTIONS[name](*(part(fields) for part in parts))
        case ast.Call(func=ast.Name(id=name)):
            known = ", ".join(f"{one}()" for one in _FUNCTIONS)
            raise _refused(f"{{field}}: there is no {name}(); there are {known}", text)
    part_of = ast.get_source_segment(text.strip(), node) or text
    raise _refused(
        f"{{field}}: {part_of!r} is not understood; an expression compares fields (==, !=, <, <=, >, >=, in) and "
        "joins them with and, or, not",
        text,
    )


def _refused(message: str, text: str) -> RequestError:
    return RequestError(message, code="filter-invalid", field="where", value=text)


def _compare(op: ast.cmpop, one: Any, other: Any) -> bool:
    try:
        return bool(_COMPARE[type(op)](one, other))
    except TypeError:  # text with a number, or with an open field
        return False
