"""The selectors that are installed, as plain values: for the command line's JSON and for the server."""

from __future__ import annotations

from typing import Any

from overpaint.errors import OverpaintError

from .engine_tables import options_of

_OF_CARD = ("name", "title", "several", "tip", "licence", "digest")


def selector_tables() -> list[dict[str, Any]]:
    """Every installed selector; those too that can't be used, or whose network is not `here`."""
    from overpaint.select import selector_names

    return [selector_table(name) for name in selector_names()]


def selector_table(name: str) -> dict[str, Any]:
    """One selector; a class of things, such as "sky", is one too."""
    from overpaint.select import is_here, selector

    try:
        found = selector(name)
    except OverpaintError as error:
        return {"name": name, "usable": False, "fault": error.worded(hint="")}
    card = found.card
    return {
        **{one: getattr(card, one) for one in _OF_CARD},
        "usable": True,
        "here": is_here(found),
        "takes": sorted(card.takes),
        "needs": sorted(card.needs),
        "options": options_of(card.options),
        "references": list(card.references),
        "words": list(card.words),
    }
