"""`overpaint engines`: the engines that are installed, and their options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from overpaint.errors import EngineError

from .options import AsJson, Debug
from .texts import print_json, print_rows

if TYPE_CHECKING:
    from pydantic import BaseModel

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
        found = card(name)
        if json:
            print_json([_mapping(name, found)])
        else:
            _details(found)
        return 0
    cards = {one: _card_or_fault(one) for one in names()}
    if json:
        print_json([_mapping(one, found) for one, found in cards.items()])
    else:
        _table(cards)
    return 0


def _card_or_fault(name: str) -> EngineCard | str:
    """The card, or why the engine can't be loaded."""
    from overpaint.engines import card

    try:
        return card(name)
    except EngineError as error:
        return str(error)


def options_of(model: type[BaseModel]) -> list[dict[str, Any]]:
    """The options of one engine, from their model."""
    properties: dict[str, dict[str, Any]] = model.model_json_schema().get("properties", {})
    return [
        {
            "name": name,
            "default": about.get("default"),
            "range": _range(about),
            "help": str(about.get("description", "")),
        }
        for name, about in properties.items()
    ]


def _range(about: dict[str, Any]) -> str:
    for part in about.get("anyOf", ()):
        if part.get("type") != "null":
            return _range(part)
    if "enum" in about:
        return ", ".join(map(str, about["enum"]))
    low, high = about.get("minimum", about.get("exclusiveMinimum")), about.get("maximum")
    if low is None:
        return "" if high is None else f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"


_OF_CARD = ("name", "title", "paints_from", "samples", "edge", "elsewhere", "colour_space", "licence", "digest")


def _mapping(name: str, card: EngineCard | str) -> dict[str, Any]:
    if isinstance(card, str):
        return {"name": name, "usable": False, "fault": card}
    return {
        **{one: getattr(card, one) for one in _OF_CARD},
        "usable": True,
        "accepts": sorted(card.accepts),
        "native": card.sizes.native,
        "multiple": card.sizes.multiple,
        "options": options_of(card.options),
        "references": list(card.references),
    }


def _table(cards: Mapping[str, EngineCard | str]) -> None:
    rows = [("engine", "paints from", "what it does")]
    for name, card in cards.items():
        if isinstance(card, str):
            rows.append((name, "-", f"can't be used: {card}"))
        else:
            rows.append((name, _source(card), card.title))
    print_rows(rows, header=True)
    print("\n'overpaint engines NAME' says more.")
    print("For --model NAME, 'overpaint models list --all' shows the checkpoints that there are.")


def _size(card: EngineCard) -> str:
    if card.sizes.native is not None:
        return f"best at {card.sizes.native} px"
    return "its model's" if "model" in card.accepts else "any"


def _source(card: EngineCard) -> str:
    return f"{card.paints_from}, elsewhere" if card.elsewhere else card.paints_from


def _details(card: EngineCard) -> None:
    from overpaint.request import ENGINE_SETTINGS

    rows = [
        ("engine", card.name),
        ("does", card.title),
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
