"""The photos to train on: plain tars of NNN.jpg and NNN.json, without excluded licences."""

from __future__ import annotations

import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PhotoRecord:
    """The metadata of one photo.

    Attributes:
        caption: Description of the whole photo.
        labels: Kinds of objects in it, the most specific first.
        source: The repository that it comes from.
        licence: The licence as that repository states it.
        boxes: (left, top, right, bottom) in pixels and label of objects in it.
    """

    caption: str
    labels: tuple[str, ...]
    source: str
    licence: str
    boxes: tuple[tuple[int, int, int, int, str], ...] = ()

    @classmethod
    def of(cls, row: dict[str, Any]) -> PhotoRecord:
        """A record from the JSON beside a photo, or from `mapping`."""
        boxes = tuple((int(a), int(b), int(c), int(d), str(label)) for a, b, c, d, label in row.get("boxes") or ())
        labels = tuple(dict.fromkeys(str(label) for label in row["labels"]))
        return cls(str(row["caption"]), labels, str(row["source"]), str(row["licence"]), boxes)

    def mapping(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """One photo in memory: (H, W, 3) uint8 sRGB, and its record."""

    pixels: Pixels
    record: PhotoRecord


@dataclass(frozen=True, slots=True, eq=False)
class PhotoFile:
    """One encoded photo in a tar: its place for messages, its bytes, and its record."""

    where: str
    encoded: bytes
    record: PhotoRecord

    def photo(self) -> Photo:
        """The decoded photo; ValueError when a side is below 8 pixels."""
        with Image.open(io.BytesIO(self.encoded)) as image:
            pixels = np.asarray(image.convert("RGB"))
        if min(pixels.shape[:2]) < 8:
            raise ValueError(f"{self.where} is only {pixels.shape[1]}x{pixels.shape[0]}")
        return Photo(pixels, self.record)


def allowed(licence: str, without: Sequence[str]) -> bool:
    """Whether the licence's name contains none of the marks, in any letter case."""
    return not any(mark.lower() in licence.lower() for mark in without)


def read(folder: Path, *, without: Sequence[str] = (), limit: int | None = None) -> Iterator[PhotoFile]:
    """All photos of the tars in a folder, in order; at most `limit`.

    Raises:
        FileNotFoundError: No tars there.
        ValueError: A photo without its JSON, or JSON without its photo.
    """
    tars = sorted(folder.glob("*.tar"))
    if not tars:
        raise FileNotFoundError(f"no photos: there is no *.tar in {folder}")
    count = 0
    for path in tars:
        for name, jpeg, row in _pairs(path):
            record = PhotoRecord.of(row)
            if not allowed(record.licence, without):
                continue
            if limit is not None and count >= limit:
                return
            count += 1
            yield PhotoFile(f"{path}: {name}", jpeg, record)


def count(folder: Path) -> int:
    """Number of photos in the tars of a folder, of all licences."""
    found = 0
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            found += sum(name.endswith(".jpg") for name in tar.getnames())
    return found


def _pairs(path: Path) -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    waiting: dict[str, dict[str, bytes]] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            stem, _, kind = member.name.rpartition(".")
            file = tar.extractfile(member)
            if file is None or kind not in ("jpg", "json"):
                continue
            pair = waiting.setdefault(stem, {})
            pair[kind] = file.read()
            if len(pair) == 2:
                del waiting[stem]
                yield stem, pair["jpg"], json.loads(pair["json"])
    if waiting:
        raise ValueError(f"{path}: {next(iter(waiting))} lacks its photo or its JSON")


def credits(records: Sequence[PhotoRecord]) -> list[tuple[str, str, int]]:
    """(source, licence, photos), most photos first, for the model card."""
    counted = Counter((record.source, record.licence) for record in records)
    return [(*key, count) for key, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))]
