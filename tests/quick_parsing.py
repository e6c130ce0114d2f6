"""Command lines that one process parses again and again, as tests do: what follows from a verb is found once.

The parser looks at all options of a verb anew for each command line, and checks each default against its type: 70 ms,
which a user pays once. Nothing here depends on the words of a command line, and its own values are checked each time.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from cyclopts import UNSET, App
from cyclopts.argument import Argument, ArgumentCollection

_assemble = App.assemble_argument_collection
_convert_and_validate = Argument.convert_and_validate
_known: dict[tuple[Any, ...], ArgumentCollection] = {}
_valid: dict[int, Any] = {}  # fields whose default was checked; they are held, so that no other gets their identity


def install() -> None:
    """From here on `App` in this process does so."""
    App.assemble_argument_collection = _assembled  # type: ignore[method-assign]
    Argument.convert_and_validate = _converted_and_validated  # type: ignore[method-assign]


def _assembled(self: App, **how: Any) -> ArgumentCollection:
    """The options of an app, none of them given."""
    if how:  # for the help
        return _assemble(self, **how)
    stack = self.app_stack.default_parameter
    key = (self.default_command, stack, tuple(self.help_flags), tuple(self.version_flags))
    if key not in _known:
        _known[key] = _assemble(self)
    return _fresh(_known[key], {})


def _fresh(options: ArgumentCollection, copies: dict[int, Argument]) -> ArgumentCollection:
    """The same options, which take values of their own; one that is in several places stays one."""

    def one(option: Argument) -> Argument:
        if id(option) not in copies:
            copies[id(option)] = made = copy(option)
            made.tokens = []
            made.children = _fresh(option.children, copies)
        return copies[id(option)]

    return ArgumentCollection(map(one, options))


def _converted_and_validated(self: Argument, converter: Any = None) -> Any:
    """The value of an option; a default is checked where it is met first."""
    field = self.field_info
    if id(field) in _valid:
        value = self.convert(converter=converter)
        if value is not UNSET:
            self.validate(value)
        return value
    value = _convert_and_validate(self, converter)
    if value is UNSET:
        _valid[id(field)] = field
    return value
