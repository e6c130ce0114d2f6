"""Families of models, found by name through the entry points of the group `overpaint.families`.

A package adds a family by declaring `name = "module:OBJECT"` there. The object derives from the diffusion engine's
`Family`; this room uses no more of it than `FamilyFiles`.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from overpaint.errors import ModelError, did_you_mean

if TYPE_CHECKING:
    from .headers import TensorTable
    from .values import Kind

GROUP = "overpaint.families"
_DATA = Path(__file__).parent / "data"


class FamilyFiles(Protocol):
    """The files of a family.

    Attributes:
        name: Stable name: "sdxl".
        title: Name for people: "SDXL".
        text_width: Width of the text states that its networks read, which shows a LoRA's family; None: it shows none.
    """

    name: str
    title: str
    text_width: int | None

    def recognise(self, path: Path, table: TensorTable | None) -> Kind | None:
        """The kind of a file (with its table of tensors) or folder (None), if it belongs to this family."""


_registered: dict[str, Any] = {}


@cache
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def register_family(family: FamilyFiles) -> None:
    """Add a family, or replace one, for this process."""
    _registered[family.name] = family


def family_names() -> tuple[str, ...]:
    """Every family's name, sorted; nothing is loaded."""
    return tuple(sorted(_entries().keys() | _registered))


def family_of(name: str) -> Any:
    """The family of a name.

    Raises:
        ModelError: There is none of this name.
    """
    if name in _registered:
        return _registered[name]
    try:
        return _entries()[name].load()
    except KeyError:
        raise ModelError(
            f"no family of models is called {name!r}{did_you_mean(name, family_names())}",
            code="family-unknown",
            value=name,
            hint=f"one of {', '.join(family_names())}",
        ) from None


def family_title(name: str) -> str:
    """A family's name for people."""
    return str(family_of(name).title)


def family_of_width(width: int) -> str | None:
    """The name of the family whose networks read text states of this width."""
    return next((name for name in family_names() if family_of(name).text_width == width), None)


def config_folder(family: str) -> Path:
    """The folder of a family's published configurations, in diffusers' layout; "taesd": that of the tiny VAE.

    They are package data, for single files, which have no configuration.
    """
    return _DATA / family


def recognised(path: Path, table: TensorTable | None) -> Kind | None:
    """The kind of a file or folder that a family knows as its own."""
    for name in family_names():
        kind: Kind | None = family_of(name).recognise(path, table)
        if kind is not None:
            return kind
    return None
