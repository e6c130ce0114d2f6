"""The card of an engine as plain values, and back, for an engine on another machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from pydantic import ConfigDict

from overpaint.frame import Context, SizeRules
from overpaint.request import ENGINE_SETTINGS, Usual

from .base import EngineCard, EngineOptions


class ServedOptions(EngineOptions):
    """The options of an engine on another machine, which has checked them."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)


def card_table(card: EngineCard) -> dict[str, Any]:
    """JSON values of a card, without its options."""
    found: dict[str, Any] = {}
    for one in fields(EngineCard):
        value = getattr(card, one.name)
        if one.name == "options":
            continue
        if isinstance(value, frozenset):
            value = sorted(value)
        elif isinstance(value, Context | SizeRules):
            value = asdict(value)
        elif isinstance(value, Usual):
            value = value.to_mapping()
        elif isinstance(value, Mapping):
            value = dict(value)
        found[one.name] = list(value) if isinstance(value, tuple) else value
    return found


def card_from(table: Mapping[str, Any]) -> EngineCard:
    """The card that `card_table` has written. It takes any options, as its engine's own machine has checked them.

    Raises:
        ValueError, TypeError, KeyError: It has another form.
    """
    known = {one.name for one in fields(EngineCard)}
    sets = {name: None if table[name] is None else frozenset(table[name]) for name in ("words", "intents")}
    return EngineCard(
        **{
            **{name: value for name, value in table.items() if name in known},
            **sets,
            "dialects": frozenset(table.get("dialects", ())),
            "counts_on": tuple(table.get("counts_on", ())),
            "accepts": frozenset(table["accepts"]) & frozenset(ENGINE_SETTINGS),
            "sizes": SizeRules(**table["sizes"]),
            "context": Context(**table["context"]),
            "usual": Usual(**table["usual"]),
            "references": tuple(table["references"]),
            "options": ServedOptions,
        }
    )
