"""What a client of AUTOMATIC1111 may choose as its checkpoint: models, and engines that need none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from overpaint.models import ModelEntry, digest, entries
from overpaint.server.native.catalogue import Kept
from overpaint.studio import Studio
from overpaint.studio.choose import SURROUNDINGS_ENGINE


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What paints, as AUTOMATIC1111's clients choose it.

    Attributes:
        name: Its name here.
        engine: The engine, for one that needs no model; None for a model, which `name` names.
        sha256: The digest of a model, where it is known.
    """

    name: str
    engine: str | None = None
    sha256: str | None = None

    @property
    def shown(self) -> str:
        """The name that clients see: without the folders of one that is named by its path."""
        return PurePath(self.name).name

    @property
    def title(self) -> str:
        """The title that options have: "NAME [HASH]"."""
        return f"{self.shown} [{self.sha256[:10]}]" if self.sha256 else self.shown

    def is_called(self, text: str) -> bool:
        """Whether a client's text means this one: its title, its name with or without an ending, or its hash."""
        wanted = text.strip().lower()
        bare = wanted.rpartition(" [")[0] or wanted
        names = {self.title.lower(), self.shown.lower()}
        names |= {f"{self.shown.lower()}{ending}" for ending in (".safetensors", ".ckpt")}
        by_hash = bool(self.sha256) and len(wanted) >= 8 and str(self.sha256).startswith(wanted)
        return wanted in names or bare in names or by_hash


def _engines() -> list[Checkpoint]:
    """Engines that continue the surroundings, the best one first."""
    from overpaint.doors.engine_tables import engine_tables

    found = [
        table["name"]
        for table in engine_tables()
        if table["usable"] and table["paints_from"] == "surroundings" and table["name"] != "extend"
    ]
    return [
        Checkpoint(name, engine=name) for name in sorted(found, key=lambda name: (name != SURROUNDINGS_ENGINE, name))
    ]


def _digest(entry: ModelEntry) -> str | None:
    """The digest, where it is known or soon made."""
    return entry.sha256 or (digest(entry.path) if entry.origin == "embedded" else None)


@dataclass(frozen=True, slots=True)
class Models:
    """The models of the machine.

    Attributes:
        checkpoints: What may be chosen, in the order of the list.
        loras, embeddings, vaes: Names.
    """

    checkpoints: tuple[Checkpoint, ...]
    loras: tuple[str, ...]
    embeddings: tuple[ModelEntry, ...]
    vaes: tuple[str, ...]

    def named(self, text: str) -> Checkpoint | None:
        """What a client's text means; None where it means nothing that is here."""
        return next((one for one in self.checkpoints if one.is_called(text)), None)


def _read() -> Models:
    whole = entries()

    def of(*kinds: str) -> list[ModelEntry]:
        return [one for one in whole if one.kind is not None and one.kind.what in kinds]

    models = [Checkpoint(one.name, sha256=_digest(one)) for one in of("checkpoint")]
    return Models(
        checkpoints=(*models, *_engines()),
        loras=tuple(one.name for one in of("lora")),
        embeddings=tuple(of("embedding")),
        vaes=tuple(one.name for one in of("vae", "tiny-vae")),
    )


models = Kept(_read, 10.0)
"""The models of the machine, from memory."""


def default(studio: Studio, known: Sequence[Checkpoint]) -> Checkpoint:
    """What paints where nobody has chosen."""
    if studio.model is None:
        return next(one for one in known if one.engine == SURROUNDINGS_ENGINE)
    return next((one for one in known if one.engine is None and one.name == studio.model), Checkpoint(studio.model))
