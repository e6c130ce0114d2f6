"""The gallery's pictures and jobs, as jobs.json holds them.

A picture is a file of a package, named by its SHA-256. It is reduced to at most `longest_side` pixels; a drawing with
transparency is laid on white. Masks are in pixels of the reduced picture. A job's request is one of the product's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from overpaint import EditRequest
from overpaint.mask import Mask
from overpaint.picture import Picture, open_picture
from overpaint.studio.masks import mask_of

FILE = Path(__file__).with_name("jobs.json")
KINDS = {"remove": "Removals", "expand": "Extensions", "recolor": "Recolourings", "background": "Backgrounds"}
"""Titles by intent, in the order of the page."""


@dataclass(frozen=True, slots=True)
class PackedPicture:
    """A picture that a package carries.

    Attributes:
        registry: "debian" or "pypi".
        path: Of the file in the unpacked package.
        sha256: Of that file.
        size: Width and height after reduction.
        title, credit, licence: As the package states them; the licence as an SPDX identifier, or "public domain".
        drawing: Whether it is a drawing or painting, no photograph.
    """

    registry: str
    package: str
    version: str
    path: str
    sha256: str
    size: tuple[int, int]
    title: str
    credit: str
    licence: str
    drawing: bool = False

    def file(self, pictures: Path) -> Path:
        """Where `benchmarks.gallery.fetch` puts it."""
        return pictures / self.package / self.path

    def read(self, pictures: Path) -> Image.Image:
        """The reduced picture. Raises FileNotFoundError, and ValueError when the file is another one."""
        file = self.file(pictures)
        if hashlib.sha256(file.read_bytes()).hexdigest() != self.sha256:
            raise ValueError(f"{file} is not the file of {self.package} {self.version}")
        with Image.open(file) as image:
            found = image.convert("RGBA" if image.mode != "RGB" else "RGB")
        if self.drawing and found.mode == "RGBA":
            found = Image.alpha_composite(Image.new("RGBA", found.size, "white"), found).convert("RGB")
        return found if found.size == self.size else found.resize(self.size, Image.Resampling.LANCZOS)


@dataclass(frozen=True, slots=True)
class Job:
    """One edit.

    Attributes:
        name: Unique.
        picture: Name of its picture.
        what: What is to be done, for people; of a removal also whether the object's shadow is masked.
        settings: Of the request: intent, mask, margins, options.
        insert: Name of the picture to put in.
    """

    name: str
    picture: str
    what: str
    settings: Mapping[str, Any]
    insert: str | None = None

    @property
    def intent(self) -> str:
        """Its kind."""
        return str(self.settings["intent"])

    def request(self, engine: str | None = None) -> EditRequest:
        """The request, with an engine in place of the intent's default. Raises RequestError."""
        return EditRequest.from_json(json.dumps({**self.settings, **({"engine": engine} if engine else {})}))

    def mask(self, picture: Picture) -> Mask | None:
        """What the request masks; None for an extension."""
        spec = self.request().mask
        return None if spec is None else mask_of(spec, picture.size, picture=picture)


@cache
def load(path: Path = FILE) -> tuple[dict[str, PackedPicture], list[Job]]:
    """The pictures by name, and the jobs in their order."""
    table = json.loads(path.read_text("utf-8"))
    pictures = {
        name: PackedPicture(**{**entry, "size": tuple(entry["size"])}) for name, entry in table["pictures"].items()
    }
    jobs = [
        Job(entry["name"], entry["picture"], entry["what"], entry["request"], entry.get("insert"))
        for entry in table["jobs"]
    ]
    return pictures, jobs


def prepared(name: str, pictures: Path, folder: Path) -> Path:
    """The reduced picture as a PNG file in `folder`, made when it is not there. Raises as `PackedPicture.read`."""
    target = folder / f"{name}.png"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        load()[0][name].read(pictures).save(target)
    return target


def opened(name: str, pictures: Path, folder: Path) -> Picture:
    """The reduced picture, opened by the product."""
    return open_picture(prepared(name, pictures, folder))
