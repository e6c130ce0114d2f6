"""Published checkpoints for inpainting, LoRAs and VAEs for them: names on the hub, licences, sizes.

Licences and sizes are those of the models' cards at the time of writing; what `get` downloads brings its own card.
Sizes are of the files that `get` takes (the half-precision set where there is one).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .families import family_title
from .values import What


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A model of the catalogue.

    Attributes:
        name: Short name.
        hub: Name on the hub: OWNER/NAME, or OWNER/NAME/FILE.
        what: Checkpoint, LoRA or VAE (see `Kind.what`).
        family: Name of the architecture.
        channels: Input channels: 9 for an inpainting checkpoint, 4 for a base one, 0 for anything else.
        licence: The licence in its card.
        gigabytes: Size of the download.
        about: One line.
        lcm: Whether it is a latent consistency model.
    """

    name: str
    hub: str
    what: What
    family: str
    channels: int
    licence: str
    gigabytes: float
    about: str
    lcm: bool = False

    @property
    def title(self) -> str:
        """Family and kind, as people call them."""
        kind = {"checkpoint": "inpainting" if self.channels == 9 else "base", "vae": "VAE", "tiny-vae": "tiny VAE"}
        return f"{family_title(self.family)} {'LCM ' if self.lcm else ''}{kind.get(self.what, 'LoRA')}"


_DATA = Path(__file__).parent / "data"

LICENCES: Mapping[str, str] = json.loads((_DATA / "licences.json").read_text(encoding="utf-8"))
"""Names of licences, by their identifiers in model cards of the hub."""

CATALOGUE = tuple(CatalogueEntry(**row) for row in json.loads((_DATA / "catalogue.json").read_text(encoding="utf-8")))
"""Models with a short name; any other model of the hub is known by its full one."""

_BY_NAME = {one.name: one for one in CATALOGUE} | {one.hub.lower(): one for one in CATALOGUE}


def listed(name: str) -> CatalogueEntry | None:
    """The entry of a short or full name, or None."""
    return _BY_NAME.get(name.lower())
