"""What a client of AUTOMATIC1111 may choose as its checkpoint: models, and engines that need none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from overpaint.models import NETWORK_TITLES, ModelEntry, digest, entries, networks_here
from overpaint.server.compat.models import NamedModel, all_models
from overpaint.studio import Studio
from overpaint.studio.choose import SURROUNDINGS_ENGINE

_ENDINGS = (".safetensors", ".ckpt")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What paints, as AUTOMATIC1111's clients choose it.

    Attributes:
        name: Its name here.
        engine: The engine, for one that needs no model; None for a model, which `name` names.
        sha256: The digest of a model, where it is known.
        prompted: Whether it paints from a prompt; else it continues the surroundings, as an eraser does.
    """

    name: str
    engine: str | None = None
    sha256: str | None = None
    prompted: bool = True

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
        name = self.shown.lower()
        by_hash = len(wanted) >= 8 and (self.sha256 or "").startswith(wanted)
        bare = wanted.rpartition(" [")[0] or wanted
        return by_hash or wanted == self.title.lower() or bare in (name, *(f"{name}{ending}" for ending in _ENDINGS))


@dataclass(frozen=True, slots=True)
class FaceModel:
    """A network that restores faces.

    Attributes:
        name: Its name here.
        network: Which it is: "gfpgan".
    """

    name: str
    network: str

    @property
    def title(self) -> str:
        """As AUTOMATIC1111 calls it: "GFPGAN"."""
        return NETWORK_TITLES[self.network]

    def is_called(self, text: str) -> bool:
        """Whether a client's text means this one."""
        return text.lower() in (self.name.lower(), self.title.lower())


@dataclass(frozen=True, slots=True)
class Models:
    """The models of the machine.

    Attributes:
        checkpoints: What may be chosen, in the order of the list.
        loras, vaes: Names.
        faces: What restores faces and may be used, the one to prefer first.
        embeddings: Textual inversions.
    """

    checkpoints: tuple[Checkpoint, ...]
    loras: tuple[str, ...]
    embeddings: tuple[ModelEntry, ...]
    vaes: tuple[str, ...]
    faces: tuple[FaceModel, ...] = ()

    def named(self, text: str) -> Checkpoint | None:
        """What a client's text means; None where it means nothing that is here."""
        return next((one for one in self.checkpoints if one.is_called(text)), None)

    def default(self, studio: Studio) -> Checkpoint:
        """What paints where nobody has chosen."""
        wanted = studio.model or SURROUNDINGS_ENGINE
        return next((one for one in self.checkpoints if one.name == wanted), Checkpoint(wanted))


def read_models() -> Models:
    """The models that there are now."""
    whole = entries()

    def of(*kinds: str) -> list[ModelEntry]:
        return [one for one in whole if one.kind is not None and one.kind.what in kinds]

    # The embedded model is small; digests of others are known once somebody has verified them.
    embedded = {one.name: digest(one.path) for one in whole if one.origin == "embedded"}
    listed = [one for one in all_models() if one.name != "extend"]
    # Models first, and of the engines the one that does best.
    listed.sort(key=lambda one: (not one.prompted, not one.prompted and one.name != SURROUNDINGS_ENGINE))
    return Models(
        checkpoints=tuple(_checkpoint(one, embedded.get(one.name)) for one in listed),
        loras=tuple(one.name for one in of("lora")),
        embeddings=tuple(of("embedding")),
        vaes=tuple(one.name for one in of("vae", "tiny-vae")),
        faces=tuple(FaceModel(one.name, one.kind.network) for one in networks_here("faces") if one.kind is not None),
    )


def _checkpoint(painter: NamedModel, sha256: str | None) -> Checkpoint:
    return Checkpoint(painter.name, painter.settings.get("engine"), painter.sha256 or sha256, painter.prompted)
