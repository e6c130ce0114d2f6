"""What clients of other programs can name as a model: checkpoints, erasers, and engines that need none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi.concurrency import run_in_threadpool

from overpaint.studio import Studio


@dataclass(frozen=True, slots=True)
class NamedModel:
    """Something that paints, by the name that a client gives it.

    Attributes:
        name: The name.
        title: What it is, for people.
        settings: Of a request, which choose it.
        prompted: Whether it paints from a prompt; else it continues the surroundings.
        sha256: Of a checkpoint, where it is known.
    """

    name: str
    title: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    prompted: bool = True
    sha256: str | None = None


async def named_models(studio: Studio) -> list[NamedModel]:
    """All of them, the one that is used where none is named first."""
    return sorted(await run_in_threadpool(all_models), key=lambda one: one.name != studio.model)


async def model_named(studio: Studio, name: str) -> NamedModel:
    """The one of this name; the first for a name that nothing here has, as clients send names of their own services."""
    known = await named_models(studio)
    return next((one for one in known if one.name == name), known[0])


def control_networks() -> list[str]:
    """The names of the ControlNets of this machine."""
    from overpaint.models import entries

    return sorted(one.name for one in entries() if one.kind is not None and one.kind.what == "controlnet")


def adapter_networks() -> list[str]:
    """The names of the IP-Adapters of this machine."""
    from overpaint.models import entries

    return sorted(one.name for one in entries() if one.kind is not None and one.kind.what == "ip-adapter")


def read_by(network: str) -> str | None:
    """The kind of control images that a ControlNet reads, by its name; None where that does not say."""
    from overpaint.models import CONTROL_KINDS
    from overpaint.models.controls import reads

    return next((kind for kind in CONTROL_KINDS if reads(network, kind)), None)


def all_models() -> list[NamedModel]:
    """The models of this machine, and behind them the engines."""
    from overpaint.doors.engine_tables import engine_tables
    from overpaint.models import entries
    from overpaint.models.eraser_store import ready_eraser

    here = [entry for entry in entries() if entry.kind is not None]
    found = [
        NamedModel(entry.name, entry.kind.title, {"model": entry.name}, sha256=entry.sha256)
        for entry in here
        if entry.kind is not None and entry.kind.what == "checkpoint"
    ]
    found += [
        NamedModel(name, entry.kind.title, {"model": entry.name}, prompted=False, sha256=entry.sha256)
        for entry in here
        if entry.kind is not None and (name := ready_eraser(entry)) is not None
    ]
    return found + [
        NamedModel(table["name"], table["title"], {"engine": table["name"]}, prompted=False)
        for table in engine_tables()
        if table["usable"] and table["paints_from"] == "surroundings" and "model" not in table["accepts"]
    ]
