"""The engines that are installed. They are found through the entry points of the group `overpaint.engines`.

A package adds an engine by declaring `name = "module:Class"` there; the class has a `card` and takes no arguments. An
engine that runs models declares a factory: an object whose card accepts "model" (see `ModelEngineFactory`).
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from overpaint.errors import EngineError, RequestError, UnknownEngineError, did_you_mean

from .base import Engine, EngineCard, ModelSetup

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
            f"no engine is called {name!r} (there are {', '.join(names())}){did_you_mean(name, names())}",
            field="engine",
            value=name,
        ) from None
    try:
        return entry.load()
    except Exception as error:
        raise EngineError(f"the engine {name!r} ({entry.value}) can't be loaded: {error}") from error


def card(name: str) -> EngineCard:
    """The card of the engine with this name. Raises UnknownEngineError, or EngineError when it can't be loaded."""
    return cast("EngineCard", _load(name).card)


def usable_card(name: str) -> EngineCard:
    """The card of an engine that can paint here: one that runs no models is made, and closed again.

    Raises as `card` does, and what the engine raises where something is missing, such as MissingExtraError.
    """
    found = card(name)
    if "model" not in found.accepts:
        create(name).close()
    return found


def loading_options(name: str) -> tuple[str, ...]:
    """The options of this engine that decide what it loads; empty for one without models. Raises as `card` does."""
    return tuple(getattr(_load(name), "loading_options", ()))


def file_options(name: str) -> tuple[str, ...]:
    """Those of them that may name further files; all of them, where the engine does not say which."""
    return tuple(getattr(_load(name), "file_options", loading_options(name)))


def create(name: str, setup: ModelSetup | None = None) -> Engine:
    """A new engine, which the caller closes. Raises as `card` does, and what a factory raises.

    Args:
        name: The engine's.
        setup: The model to run, for an engine whose card accepts "model".
    """
    made = _load(name)
    if setup is None and "model" in made.card.accepts:
        raise RequestError(f"the engine {name!r} needs a model to run", code="model-needed", field="model")
    return cast("Engine", made() if setup is None else made.open(setup))
