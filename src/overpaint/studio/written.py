"""A result as a file: its bytes before they are written, and what a reader of the file finds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import numpy as np

from overpaint.errors import OutputError
from overpaint.picture import Picture, Samples
from overpaint.record import MarksRecord, Record
from overpaint.request import picture_blob

RecordMode = Literal["embed", "sidecar", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """What a reader of a file finds.

    Attributes:
        format: "png", "jpeg", ...
        fidelity: "lossless": every sample beyond the reach equals the original's. "blocks": so does every sample of
            the decoded file beyond the reach, which was rounded up to JPEG blocks. "re-encoded": the format's own loss
            touched the whole picture; `changed` and `largest` say how much. "watermarked": so did a watermark.
        reach: Pixels beyond the mask at which nothing is changed any more, in this file.
        quality: The quality that was asked for; None for the format's least loss.
        changed: Pixels of the decoded file that differ from the original though the edit did not touch them: all that
            lie beyond the reach, and those within it that happened to be left alone.
        largest: The largest such difference, in levels of the file.
        depth: Bits of a sample that a reader of the file finds.
        size: Bytes.
        sha256: The file's digest.
        pixels_sha256: Digest of the pixels that a reader of the file finds.
        marks: What it says of its origin.
        notes: For people.
    """

    format: str
    fidelity: str
    reach: int
    quality: int | None
    changed: int
    largest: int
    depth: int
    size: int
    sha256: str
    pixels_sha256: str
    marks: MarksRecord
    notes: tuple[str, ...] = ()

    def record(self, made: Record) -> Record:
        """The record of how its picture was made, as that of this file."""
        return record_in(made, self.reach, self.quality, self.marks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved(FileReport):
    """A file that was written: its path, and the sidecar with the record where there is one."""

    path: Path
    sidecar: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rendered(FileReport):
    """A result as the bytes of a file, before they are written."""

    data: bytes

    def saved(self, path: Path, sidecar: Path | None = None) -> Saved:
        """The same, once the bytes are written to `path`."""
        facts = {field.name: getattr(self, field.name) for field in fields(FileReport)}
        return Saved(path=path, sidecar=sidecar, **facts)


def record_in(record: Record, reach: int, quality: int | None, marks: MarksRecord) -> Record:
    """A record as that of a file: in a JPEG file the reach is rounded up to blocks."""
    return record.model_copy(update={"reach": reach, "quality": quality, "marks": marks})


def pixel_digest(picture: Picture, raster: str | None = None) -> str:
    """A digest of samples and alpha with their size and kind: equal for equal pixels, whatever file they came in.

    SHA-256 of "MODE WxH RASTER", where MODE is as in "rgb+alpha 8-bit" and RASTER the digest that a request names the
    picture by.

    Args:
        picture: The picture.
        raster: That digest, where it is known.
    """
    raster = picture_blob(picture).sha256 if raster is None else raster
    return hashlib.sha256(f"{picture.mode} {picture.size} {raster}".encode()).hexdigest()


def difference_of(one: Picture, other: Picture) -> Samples:
    """(H, W) largest difference of any sample, alpha included, in levels of `one`.

    A format may give grey back as three equal channels, or leave out an alpha that is opaque throughout.
    """
    channels = {one.samples.shape[2], other.samples.shape[2]}
    if one.size != other.size or (len(channels) == 2 and 1 not in channels):
        raise OutputError(f"the written file decodes to {one.size} {one.mode}, not {other.size} {other.mode}")
    deeper = other.depth - one.depth
    apart = _apart(one.samples, other.samples, deeper)
    difference: Samples = apart[..., 0]
    for channel in range(1, apart.shape[2]):  # several times as fast as `max` over the last axis
        difference = np.maximum(difference, apart[..., channel])
    if one.alpha is not None or other.alpha is not None:
        difference = np.maximum(difference, _apart(_alpha(one), _alpha(other), deeper))
    return difference


def _alpha(picture: Picture) -> Samples:
    if picture.alpha is not None:
        return picture.alpha
    return np.full(picture.size.shape, picture.maximum, picture.samples.dtype)


def _apart(one: Samples, other: Samples, deeper: int) -> Samples:
    """|one - other| without leaving unsigned integers; `other` first brought to the depth of `one`."""
    if deeper > 0:
        other = (other >> deeper).astype(one.dtype)
    return np.asarray(np.maximum(one, other) - np.minimum(one, other), one.dtype)
