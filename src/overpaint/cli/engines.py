"""`overpaint engines`: the engines that are installed, and their options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from overpaint.doors.engine_tables import card_or_none, engine_table, fault_of, options_of

from .options import AsJson, Debug
from .texts import print_json, print_rows

if TYPE_CHECKING:
    from overpaint.engines import EngineCard


def engines(
    name: Annotated[str | None, Parameter(group=Group("Engine", sort_key=0))] = None,
    /,
    *,
    json: AsJson = False,
    debug: Debug = False,
) -> int:
    """List the installed engines: those without weights, the one for checkpoints, and those of other packages.

    [dim]$[/] overpaint engines
    [dim]$[/] overpaint engines exemplar

    Args:
        name: Show only this engine, with its options.
    """
    from overpaint.engines import card, names

    if name is not None:
        found, fault = card(name), fault_of(name)
        if json:
            print_json([engine_table(name, found, fault)])
        else:
            _details(found, fault)
        return 0
    faults = {one: fault_of(one) for one in names()}
    cards = {one: card_or_none(one) for one in faults}
    if json:
        print_json([engine_table(one, found, faults[one]) for one, found in cards.items()])
    else:
        _table(cards, faults)
    return 0


def _table(cards: Mapping[str, EngineCard | None], faults: Mapping[str, str]) -> None:
    rows = [("engine", "paints from", "what it does")]
    for name, card in cards.items():
        fault = f"can't be used: {faults[name]}" if faults[name] else ""
        title = "" if card is None else card.title
        rows.append((name, "-" if card is None else _source(card), "; ".join(filter(None, (fault, title)))))
    print_rows(rows, header=True)
    print("\n'overpaint engines NAME' says more.")
    print("For --model NAME, 'overpaint models list --all' shows the checkpoints that there are.")


def _size(card: EngineCard) -> str:
    if card.sizes.native is not None:
        return f"best at {card.sizes.native} px"
    return "its model's" if "model" in card.accepts else "any"


def _source(card: EngineCard) -> str:
    return f"{card.paints_from}, elsewhere" if card.elsewhere else card.paints_from


def _details(card: EngineCard, fault: str) -> None:
    from overpaint.request import ENGINE_SETTINGS

    rows = [
        ("engine", card.name),
        ("does", card.title),
        *([("can't be used", fault)] if fault else []),
        ("paints from", _source(card)),
        ("settings", ", ".join(name for name in ENGINE_SETTINGS if card.uses(name)) or "none"),
        ("size", _size(card)),
        ("licence", card.licence),
    ]
    for option in options_of(card.options):
        default = "automatic" if option["default"] is None else option["default"]
        parts = (" ".join(option["help"].split()), option["range"], f"left out: {default}")
        rows.append((f"--option {option['name']}=", "; ".join(part for part in parts if part)))
    rows.extend(("reference", reference) for reference in card.references)
    print_rows(rows)
