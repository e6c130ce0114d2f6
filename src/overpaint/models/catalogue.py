"""Published models by short names: checkpoints, LoRAs, VAEs, erasers, selectors, upscalers and other networks.

Licences and sizes are those of the models' cards at the time of writing; what `get` downloads brings its own card.
Sizes are of the files that `get` takes (the half-precision set where there is one).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .families import family_title
from .values import Kind, What


@dataclass(frozen=True, slots=True)
class ReleasedFile:
    """A file of a release on GitHub.

    Attributes:
        path: Tag and name in Sanster/models, where IOPaint has its erasers from: "add_big_lama/big-lama.pt"; of another
            repository its whole address.
        md5: Its MD5, the only digest that IOPaint publishes of its files.
        sha256: Its SHA-256, of files whose MD5 is not known.
    """

    path: str
    md5: str = ""
    sha256: str = ""

    @property
    def name(self) -> str:
        """Its file name."""
        return self.path.rpartition("/")[2]

    def address(self, mirror: str = "") -> str:
        """Where it is; `mirror` is the address of a copy of Sanster/models' releases."""
        return self.path if "://" in self.path else f"{mirror.rstrip('/') or RELEASES}/{self.path}"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A model of the catalogue.

    Attributes:
        name: Short name.
        hub: Name on the hub: OWNER/NAME, or OWNER/NAME/FILE; "" for a model that comes as `files`.
        what: Checkpoint, LoRA, VAE, eraser, selector ... (see `Kind.what`).
        family: Name of the architecture; "" for what is no diffusion model.
        channels: Input channels: 9 for an inpainting checkpoint, 4 for a base one, 0 for anything else.
        licence: The licence in its card.
        gigabytes: Size of the download.
        about: One line.
        lcm: Whether it is a latent consistency model.
        network: Its network's name, of an eraser, a selector, an upscaler and what is for faces.
        files: The files of a model that is not on the hub, the one that it is named by first.
        terms: Address of its licence's text, where that must be accepted before use; "" where none need be.
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
    network: str = ""
    files: tuple[ReleasedFile, ...] = ()
    terms: str = ""

    @property
    def source(self) -> str:
        """Where it comes from, as an address."""
        return f"https://huggingface.co/{self.hub}" if self.hub else self.files[0].address()

    @property
    def place(self) -> str:
        """The site and repository that it comes from: "github.com/OWNER/NAME"."""
        return "/".join(self.source.partition("://")[2].split("/")[:3])

    @property
    def title(self) -> str:
        """Family and kind, as people call them."""
        if self.network:
            return Kind(self.what, "safetensors", network=self.network).named
        kind = {"checkpoint": "inpainting" if self.channels == 9 else "base", "vae": "VAE", "tiny-vae": "tiny VAE"}
        kind |= {"controlnet": "ControlNet", "ip-adapter": "IP-Adapter"}
        return f"{family_title(self.family)} {'LCM ' if self.lcm else ''}{kind.get(self.what, 'LoRA')}"


RELEASES = "https://github.com/Sanster/models/releases/download"
"""Where IOPaint has its erasers' files from."""

_DATA = Path(__file__).parent / "data"

LICENCES: Mapping[str, str] = json.loads((_DATA / "licences.json").read_text(encoding="utf-8"))
"""Names of licences, by their identifiers in model cards of the hub."""


def _rows(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((_DATA / name).read_text(encoding="utf-8"))
    return found


def _network(row: dict[str, Any]) -> CatalogueEntry:
    files = tuple(ReleasedFile(**one) for one in row.get("files", ()))
    return CatalogueEntry(**{"hub": "", "what": "eraser", "family": "", "channels": 0, **row, "files": files})


ERASERS = tuple(_network(row) for row in _rows("erasers.json"))
"""Erasers with a short name, the ones to prefer first."""

OTHER_NETWORKS = tuple(_network(row) for row in _rows("networks.json"))
"""Selectors, upscalers and networks for faces with a short name, of each kind the ones to prefer first."""

CATALOGUE = (*(CatalogueEntry(**row) for row in _rows("catalogue.json")), *ERASERS, *OTHER_NETWORKS)
"""Models with a short name; any other model of the hub is known by its full one."""

_BY_NAME = {one.name: one for one in CATALOGUE} | {one.hub.lower(): one for one in CATALOGUE if one.hub}


def listed(name: str) -> CatalogueEntry | None:
    """The entry of a short or full name, or None."""
    return _BY_NAME.get(name.lower())


def released(file_name: str) -> tuple[CatalogueEntry, ReleasedFile] | None:
    """The entry that a file of this name belongs to, and the file; its ending may be that of a converted one."""
    for row in (*ERASERS, *OTHER_NETWORKS):
        for file in row.files:
            if file_name in (file.name, f"{file.name.rpartition('.')[0]}.safetensors"):
                return row, file
    return None
