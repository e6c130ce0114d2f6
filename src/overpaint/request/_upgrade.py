"""Requests and resolved requests of older schemas, brought up to the current one, one version at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from overpaint.errors import RequestError

SCHEMA = 1
"""The version that is written."""

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]

UPGRADES: Mapping[int, Upgrade] = {}
"""By version: the function that makes a request of the next version. Schema 1 is the first, so there is none yet."""

RESOLVED_SCHEMA = 2
"""The version of resolved requests that is written."""


def _without_kind(table: dict[str, Any]) -> dict[str, Any]:
    """Schema 2 has `paints_from` in place of `kind`; "narrow" edges and detail of "none" are explicit."""
    table = dict(table)
    pixel = table.pop("kind", "pixel") == "pixel"
    table["paints_from"] = "surroundings" if pixel else "prompt"
    if pixel and table.get("edge") == "scaled":
        table["edge"] = "narrow"
    if not pixel:
        table["detail"] = table.get("detail") or "none"
    return table


RESOLVED_UPGRADES: Mapping[int, Upgrade] = {1: _without_kind}


def upgraded(
    table: Mapping[str, Any], upgrades: Mapping[int, Upgrade], current: int, what: str = "request"
) -> dict[str, Any]:
    """`table` in the schema `current`. A table without a schema has the current one. `what` names it in errors.

    Raises:
        RequestError: A newer schema, or one from before the first.
    """
    table = dict(table)
    version = current if table.get("schema") is None else table["schema"]
    if isinstance(version, bool) or not isinstance(version, int):
        raise RequestError(f"schema must be a whole number, not {version!r:.80}")
    if version > current:
        raise RequestError(
            f"this {what} has schema {version}, and this version of Overpaint knows {current} at most: update it"
        )
    while version < current:
        if version not in upgrades:
            raise RequestError(f"schema must be {current}, not {version}, which no version has written")
        table = upgrades[version](table)
        version += 1
    return {**table, "schema": current}
