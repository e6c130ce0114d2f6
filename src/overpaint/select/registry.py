"""The selectors that are installed: those that come with the library, and those of the group `overpaint.selectors`.

A package adds a selector by declaring `name = "module:Class"` in that group of entry points; the class has a `card` and
takes no arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import cast

from overpaint.errors import EngineError, RequestError, did_you_mean

from .base import Selector, SelectorCard
from .class_names import class_named, class_names

GROUP = "overpaint.selectors"

_OWN: Mapping[str, str] = MappingProxyType(
    {
        "background": "subject:Background",
        "classes": "classes:Classes",
        "clipseg": "clipseg:ClipSeg",
        "colour": "colour:ColourWand",
        "edges": "edges:Edges",
        "faces": "faces:Faces",
        "grabcut": "grabcut:GrabCut",
        "grounding": "grounding:Grounding",
        "lines": "scratches:Wires",
        "sam": "sam:Sam",
        "sam3": "sam:SamByWords",
        "scratches": "scratches:Scratches",
        "spots": "spots:Spots",
        "subject": "subject:Subject",
        "text": "text:Text",
    }
)
"""Module and class of the selectors in this package."""

_OTHER_SPELLINGS: Mapping[str, str] = MappingProxyType({"color": "colour"})
"""Names that mean a selector of this package."""


@cache
def _others() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def package_selectors() -> tuple[str, ...]:
    """The names of selectors that other packages bring, sorted; nothing is loaded."""
    return tuple(sorted(_others()))


def selector_names() -> tuple[str, ...]:
    """Every selector's name, sorted; nothing is loaded. Each of `class_names` can be used as one too."""
    return tuple(sorted({*_OWN, *_others()}))


@cache
def selector(name: str) -> Selector:
    """The selector of this name; one for the whole process.

    Raises:
        RequestError: There is none.
        EngineError: It can't be loaded.
    """
    if name in _OTHER_SPELLINGS and name not in _others():
        return selector(_OTHER_SPELLINGS[name])
    if name in _OWN:
        module, _, kind = _OWN[name].partition(":")
        return cast(Selector, getattr(import_module(f"{__package__}.{module}"), kind)())
    if name not in _others():
        if (one := class_named(name)) is not None:
            from .classes import OneClass

            return OneClass(one)
        names = selector_names()
        meant = did_you_mean(name, (*names, *class_names()))
        raise RequestError(
            f"no selector is called {name[:80]!r} (there are {', '.join(names)}, and classes of things: sky, person "
            f"...){meant}",
            code="selector-unknown",
            field="select",
            value=name[:80],
        )
    entry = _others()[name]
    try:
        return cast(Selector, entry.load()())
    except Exception as error:
        raise EngineError(f"the selector {name!r} ({entry.value}) can't be loaded: {error}") from error


def selector_card(name: str) -> SelectorCard:
    """The card of the selector with this name. Raises as `selector` does."""
    return selector(name).card
