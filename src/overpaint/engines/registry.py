"""Which engines there are. They are found through the entry points of the group `overpaint.engines`.

A package adds an engine by declaring `name = "module:Class"` there; the class has a `card` and takes no arguments.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from overpaint.errors import EngineError, UnknownEngineError, did_you_mean

from .base import Engine, EngineCard

GROUP = "overpaint.engines"


@cache
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def names() -> tuple[str, ...]:
    """Every engine's name, sorted; nothing is loaded."""
    return tuple(sorted(_entries()))


@cache
def _load(name: str) -> Any:
    try:
        entry = _entries()[name]
    except KeyError:
        raise UnknownEngineError(
            f"no engine is called {name!r} (there are {', '.join(names())}){did_you_mean(name, names())}"
        ) from None
    try:
        return entry.load()
    except Exception as error:
        raise EngineError(f"the engine {name!r} ({entry.value}) can't be loaded: {error}") from error


def card(name: str) -> EngineCard:
    """The card of the engine with this name. Raises UnknownEngineError, or EngineError when it can't be loaded."""
    found: EngineCard = _load(name).card
    return found


def create(name: str) -> Engine:
    """A new engine; whoever creates it closes it. Raises as `card` does."""
    engine: Engine = _load(name)()
    return engine
