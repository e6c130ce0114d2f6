"""`overpaint engines`: the engines that are installed, and their options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from overpaint.errors import EngineError, OverpaintError

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
        found, fault = card(name), _fault(name)
        if json:
            print_json([_mapping(name, found, fault)])
        else:
            _details(found, fault)
        return 0
    faults = {one: _fault(one) for one in names()}
    cards = {one: _card(one) for one in faults}
    if json:
        print_json([_mapping(one, found, faults[one]) for one, found in cards.items()])
    else:
        _table(cards, faults)
    return 0


def _card(name: str) -> EngineCard | None:
    """The card; None where the engine can't be loaded."""
    from overpaint.engines import card

    try:
        return card(name)
    except EngineError:
        return None


def _fault(name: str) -> str:
    """Why the engine can't be used here: it can't be loaded, or an extra is missing; "" where it can."""
    from overpaint.engines import usable_card

    try:
        usable_card(name)
    except OverpaintError as error:
        return error.worded(hint="")
    except Exception as error:  # packages may raise anything
        return str(error) or type(error).__name__
    return ""


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


def _mapping(name: str, card: EngineCard | None, fault: str) -> dict[str, Any]:
    usable: dict[str, Any] = {"usable": False, "fault": fault} if fault else {"usable": True}
    if card is None:
        return {"name": name, **usable}
    return {
        **{one: getattr(card, one) for one in _OF_CARD},
        **usable,
        "accepts": sorted(card.accepts),
        "native": card.sizes.native,
        "multiple": card.sizes.multiple,
        "options": options_of(card.options),
        "references": list(card.references),
    }


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
