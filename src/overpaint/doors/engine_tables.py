"""The engines that are installed, as plain values: for the command line's JSON and for the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from overpaint.errors import EngineError, OverpaintError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from overpaint.engines import EngineCard


def engine_tables() -> list[dict[str, Any]]:
    """Every installed engine, those that can't be used too."""
    from overpaint.engines import names

    return [engine_table(name, card_or_none(name), fault_of(name)) for name in names()]


def card_or_none(name: str) -> EngineCard | None:
    """The card; None where the engine can't be loaded."""
    from overpaint.engines import card

    try:
        return card(name)
    except EngineError:
        return None


def fault_of(name: str) -> str:
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


def engine_table(name: str, card: EngineCard | None, fault: str) -> dict[str, Any]:
    """One engine; `card` is None where it can't be loaded, `fault` says why it can't be used."""
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
