"""Masks by meaning: a thing that a person points at or boxes, what has a colour, the subject, faces, scratches.

A selector has a card, and gives selections: masks with a score and a label. `select` finds one by its name, and checks
the hints before and the masks after.
"""

from __future__ import annotations

from ._run import check_hints, check_places, hints_of, options_of, picked, select, selected, used_networks
from .base import HintKind, HintPoint, Selection, Selector, SelectorCard, SelectorHints, SelectorOptions
from .class_names import class_names
from .networks import network_access
from .registry import selector, selector_card, selector_names
from .words import is_here, selector_for

__all__ = [
    "HintKind",
    "HintPoint",
    "Selection",
    "Selector",
    "SelectorCard",
    "SelectorHints",
    "SelectorOptions",
    "check_hints",
    "check_places",
    "class_names",
    "hints_of",
    "is_here",
    "network_access",
    "options_of",
    "picked",
    "select",
    "selected",
    "selector",
    "selector_card",
    "selector_for",
    "selector_names",
    "used_networks",
]
