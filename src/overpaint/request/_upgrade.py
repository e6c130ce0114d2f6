"""Requests and resolved requests of older schemas, brought up to the current one, one version at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overpaint.values import Upgrade

SCHEMA = 1
"""The version that is written."""

UPGRADES: Mapping[int, Upgrade] = {}
"""By version: the function that makes a request of the next version. Schema 1 is the first, so there is none yet."""

RESOLVED_SCHEMA = 2
"""The version of resolved requests that is written."""


def _without_kind(table: dict[str, Any]) -> dict[str, Any]:
    """Schema 2 has `paints_from` in place of `kind`; "narrow" edges and detail of "none" are explicit."""
    pixel = table.pop("kind", "pixel") == "pixel"
    table["paints_from"] = "surroundings" if pixel else "prompt"
    if pixel and table.get("edge") == "scaled":
        table["edge"] = "narrow"
    if not pixel:
        table["detail"] = table.get("detail") or "none"
    return table


RESOLVED_UPGRADES: Mapping[int, Upgrade] = {1: _without_kind}
