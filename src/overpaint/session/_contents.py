"""What the blobs of a session hold: the original, takes, arrays. Everything is checked against its digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from overpaint.errors import RecordError
from overpaint.picture import Colour, Picture, current_limits, encode, open_picture
from overpaint.request import EditRequest, raster_tables
from overpaint.studio.inserts import Pictured, picture_of

from ._access import damaged
from ._origins import SeenTakes
from ._store import HEAD, Store, blob_name
from ._values import OriginalFile, StoredArray, Take

_TAKE_LIMIT = 8 << 20  # bytes of one take without its arrays

OpenOriginal = Callable[[bytes, str], Picture]
"""Decodes the original's file, given with its SHA-256. Raises PictureError where that can't be done."""


def opened(data: bytes, sha256: str) -> Picture:
    """The original, decoded here."""
    return open_picture(data)


def original_of(picture: Pictured) -> tuple[OriginalFile, bytes]:
    """The file that a session begins with; pixels that are no file become one. Raises PictureError."""
    opened = picture_of(picture)
    if opened.source.data is None:
        opened = open_picture(encode(opened, "tiff" if opened.colour is Colour.CMYK else "png").data)
    data, digest, named = opened.source.data, opened.source.sha256, opened.source.path
    assert data is not None
    assert digest is not None
    name = "" if named is None else "".join(c if c.isprintable() and c not in "/\\" else "_" for c in named.name)
    size = opened.size
    return OriginalFile(sha256=digest, size=len(data), name=name, width=size.width, height=size.height), data


def begun_from(picture: Pictured) -> Path | None:
    """The file that a picture was read from; None for pixels and bytes."""
    if isinstance(picture, str | os.PathLike):
        return Path(picture)
    return picture.source.path if isinstance(picture, Picture) else None


class SessionContents:
    """Reads a session's blobs. Takes are kept; arrays and the original are read each time."""

    def __init__(self, store: Store, opener: OpenOriginal = opened) -> None:
        self._store = store
        self._opener = opener
        self._takes: dict[str, Take] = {}
        self.seen: SeenTakes | None = None
        """Where takes of older versions find what their engines saw; None: their records are as they are."""

    def original(self, stored: OriginalFile, path: Path | None) -> Picture:
        """The original as its file has it; `path` is where that is said to be.

        Raises:
            SessionError: Its file is missing or another.
            PictureError: It can't be decoded.
        """
        picture = self._opener(self.original_file(stored), stored.sha256)
        if picture.size != stored.box.size:
            raise damaged(HEAD, f"it says {stored.box.size} of an original that has {picture.size}")
        return replace(picture, source=replace(picture.source, path=path))

    def original_file(self, stored: OriginalFile) -> bytes:
        """The original's file. Raises SessionError where it is missing or another."""
        return self._blob(stored.sha256, min(stored.size, current_limits().bytes))

    def take(self, digest: str) -> Take:
        """A take. Raises SessionError where it is missing or damaged."""
        if digest not in self._takes:
            take = self._read_take(digest)
            if self.seen is not None and take.saw and not take.record.painted_from:
                origin = self.seen.origin_of(take, self._read_take).value
                record = take.record.model_copy(update={"painted_from": origin})
                take = take.model_copy(update={"record": record})
            self._takes[digest] = take
        return self._takes[digest]

    def _read_take(self, digest: str) -> Take:
        try:
            return Take.from_json(self._blob(digest, _TAKE_LIMIT))
        except RecordError as error:
            raise damaged(blob_name(digest), str(error)) from None

    def forget(self) -> None:
        """Keep no take in memory."""
        self._takes.clear()

    def takes(self, digests: Iterable[str], dropped: Collection[str]) -> dict[int, Take]:
        """The takes of a step by their numbers, from 1, without those that were dropped. Errors as for `take`."""
        return {number: self.take(one) for number, one in enumerate(digests, start=1) if one not in dropped}

    def array(self, stored: StoredArray) -> NDArray[Any]:
        """An array. Raises SessionError where it is missing or damaged."""
        data = self._blob(stored.sha256, stored.nbytes)
        if len(data) != stored.nbytes:
            raise damaged(blob_name(stored.sha256), f"it has {len(data):,} bytes, not {stored.nbytes:,}")
        return stored.array(data)

    def blobs_of(self, digest: str) -> list[str]:
        """The names of the files that a take needs, itself the last. SessionError where it is missing or damaged."""
        take = self.take(digest)
        arrays: list[StoredArray | None] = [take.marked.values]
        for patch in take.patches:
            arrays += [patch.samples, patch.exact, patch.weight, patch.opacity]
        return [*(blob_name(one.sha256) for one in arrays if one is not None), blob_name(digest)]

    def rasters_of(self, digest: str, *, missing: bool = False) -> list[str]:
        """The names of the rasters that the request of a take names by digest, and that are here, or `missing` too.
        Errors likewise.
        """
        request = self.take(digest).record.request.model_copy(update={"image": None})  # the picture below is painted on
        tables = raster_tables(request.to_mapping())
        names = (blob_name(table["sha256"]) for table in tables if table.get("data") is None)
        return [name for name in names if missing or self._store.has(name)]

    def blob(self, name: str) -> bytes:
        """A blob's bytes by its name. Raises SessionError where it is missing or damaged."""
        return self._blob(name.removeprefix("blobs/"), current_limits().bytes)

    def check(self, name: str) -> None:
        """Read a blob. Raises SessionError where it is missing or damaged."""
        self.blob(name)

    def rasters(self, request: EditRequest) -> dict[str, NDArray[Any]]:
        """The rasters that a request names by digest and that are here."""
        found = {}
        for table in raster_tables(request.to_mapping()):
            if table.get("data") is None and self._store.has(blob_name(table["sha256"])):
                shape = (table["height"], table["width"], table["channels"])
                described = {"sha256": table["sha256"], "dtype": f"uint{table['depth']}", "shape": shape}
                found[table["sha256"]] = self.array(StoredArray(**described))
        return found

    def _blob(self, digest: str, most: int) -> bytes:
        data = self._store.read(blob_name(digest), most)
        if hashlib.sha256(data).hexdigest() != digest:
            raise damaged(blob_name(digest), "it has another digest")
        return data
