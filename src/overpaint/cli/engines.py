"""`overpaint engines`: the engines that are installed, and their options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from overpaint.errors import EngineError

from .options import AsJson, Debug
from .texts import print_json, print_rows

if TYPE_CHECKING:
    from pydantic import BaseModel

    from overpaint.engines import EngineCard


@dataclass(frozen=True, slots=True)
class EngineEntry:
    """One engine: its card, or why it can't be loaded."""

    name: str
    card: EngineCard | None = None
    fault: str = ""


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

    entries = [_entry(one) for one in names()] if name is None else [EngineEntry(name, card(name))]
    if json:
        print_json([_mapping(entry) for entry in entries])
    elif name is None:
        _table(entries)
    else:
        _details(entries[0])
    return 0


def _entry(name: str) -> EngineEntry:
    from overpaint.engines import card

    try:
        return EngineEntry(name, card(name))
    except EngineError as error:
        return EngineEntry(name, fault=str(error))


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


def _mapping(entry: EngineEntry) -> dict[str, Any]:
    if entry.card is None:
        return {"name": entry.name, "usable": False, "fault": entry.fault}
    card = entry.card
    return {
        "name": card.name,
        "usable": True,
        "title": card.title,
        "paints_from": card.paints_from,
        "samples": card.samples,
        "accepts": sorted(card.accepts),
        "edge": card.edge,
        "elsewhere": card.elsewhere,
        "colour_space": card.colour_space,
        "native": card.sizes.native,
        "multiple": card.sizes.multiple,
        "options": options_of(card.options),
        "licence": card.licence,
        "digest": card.digest,
        "references": list(card.references),
    }


def _table(entries: list[EngineEntry]) -> None:
    rows = [("engine", "paints from", "what it does")]
    for entry in entries:
        card = entry.card
        if card is None:
            rows.append((entry.name, "-", f"can't be used: {entry.fault}"))
        else:
            rows.append((entry.name, _source(card), card.title))
    print_rows(rows, header=True)
    print("\n'overpaint engines NAME' says more.")
    print("For --model NAME, 'overpaint models list --all' shows the checkpoints that there are.")


def _size(card: EngineCard) -> str:
    if card.sizes.native is not None:
        return f"best at {card.sizes.native} px"
    return "its model's" if "model" in card.accepts else "any"


def _source(card: EngineCard) -> str:
    return f"{card.paints_from}, elsewhere" if card.elsewhere else card.paints_from


def _details(entry: EngineEntry) -> None:
    from overpaint.request import ENGINE_SETTINGS

    card = entry.card
    assert card is not None
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
