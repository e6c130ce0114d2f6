"""Command lines that are parsed quickly in tests mean what they mean to users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from cyclopts import App, CycloptsError, Parameter
from pydantic import Field

import quick_parsing


@Parameter(name="*")
@dataclass(frozen=True)
class Lines:
    width: Annotated[int, Field(gt=0)] = 1
    marks: tuple[str, ...] = ()


def draw(name: str, *, lines: Lines = Lines(), twice: bool = False) -> tuple[Any, ...]:
    return name, lines.width, lines.marks, twice


def wrong(*, width: Annotated[int, Field(gt=0)] = -1) -> int:
    return width


def parsed(words: str, does: Any = draw) -> Any:
    app = App(exit_on_error=False, print_error=False, result_action="return_value")
    app.default(does)
    return app(words)


def test_a_command_line_takes_nothing_from_those_before_it() -> None:
    assert parsed("a --width 3 --marks x --marks y --twice") == ("a", 3, ("x", "y"), True)
    assert parsed("b") == ("b", 1, (), False)
    assert parsed("c --marks z") == ("c", 1, ("z",), False)
    assert parsed("d --no-twice --width 2") == ("d", 2, (), False)


@pytest.mark.parametrize(("words", "says"), [("a --width 0", "greater than 0"), ("a --width b", "int"), ("", "name")])
def test_values_are_checked_each_time(words: str, says: str) -> None:
    for _ in range(2):
        assert parsed("a --width 1") == ("a", 1, (), False)
        with pytest.raises(CycloptsError, match=says):
            parsed(words)


def test_a_default_that_is_not_allowed_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(CycloptsError, match="greater than 0"):
            parsed("", wrong)


def test_what_a_function_takes_is_looked_at_once() -> None:
    parsed("a")
    before = len(quick_parsing._known)
    parsed("a --width 2")
    assert len(quick_parsing._known) == before
