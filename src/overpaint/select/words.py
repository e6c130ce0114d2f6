"""Which selector is meant where none is named: for words the best that is here, else that of outlines."""

from __future__ import annotations

from overpaint.errors import ModelError, OverpaintError

from .base import Selector, SelectorHints
from .registry import package_selectors, selector

CLICKED, CLICKED_BEST = "grabcut", "sam"
"""Selectors for points, boxes and rough masks: the one that is always there, and the one where its network is here."""

BEST = ("sam3", "grounding", "clipseg")
"""Selectors that understand words, the best first; those of other packages come after them."""


def selector_for(hints: SelectorHints) -> str:
    """The name of the selector that hints without one mean.

    Raises:
        ModelError: They have words, and nothing that understands words is here ("words-need-model").
    """
    if not hints.text:
        return CLICKED_BEST if _usable(CLICKED_BEST) else CLICKED
    found = best_of_words()
    if found is None:
        raise ModelError(
            "to find something by words a network is needed, and none is here",
            code="words-need-model",
            field="text",
            value="clipseg",
            hint="lettering is found by the selector 'text', and other things by points or a box",
        )
    return found


def best_of_words() -> str | None:
    """The name of the selector that understands words best, of those that can be used now; None where there is none."""
    return next((name for name in (*BEST, *package_selectors()) if _understands(name)), None)


def _understands(name: str) -> bool:
    """Whether a selector begins from words alone, and can be used now."""
    return _usable(name) and "text" in selector(name).card.needs


def _usable(name: str) -> bool:
    try:
        return is_here(selector(name))
    except (OverpaintError, ImportError):  # its package is not installed
        return False


def is_here(one: Selector) -> bool:
    """Whether a selector can be used now: one with a network may say that the network is not on this machine."""
    return bool(getattr(one, "here", True))
