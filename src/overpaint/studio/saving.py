"""A finished picture written into files: its format, its record, and what is measured of every other pixel."""

from __future__ import annotations

import hashlib
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import OutputError
from overpaint.files import check_writable, write_file
from overpaint.frame import reach_of
from overpaint.mask import Mask
from overpaint.picture import (
    EncodedPicture,
    Metadata,
    Picture,
    encode,
    extension_for,
    format_for_path,
    format_of_result,
    open_picture,
)
from overpaint.picture.c2pa_store import holds_manifest, manifest_address
from overpaint.record import (
    EditStatement,
    Marking,
    MarksRecord,
    Record,
    WatermarkChoice,
    embed,
    provenance_of,
    sidecar_path,
    strip,
    with_statement,
)
from overpaint.record.watermarks import with_watermark

from .compare import comparison
from .regions_in_file import in_file
from .watermarking import watermark_notes
from .written import RecordMode, Rendered, Saved, difference_of, pixel_digest, record_in


class SavableResult(ABC):
    """A result that can be written into files."""

    __slots__ = ()

    @property
    @abstractmethod
    def finished(self) -> FinishedPicture:
        """The result as it is written."""

    def default_path(self, format: str | None = None) -> Path:
        """NAME.SUFFIX.EXT beside the original, in its own format (PNG where that can't be written).

        Raises:
            OutputError: The picture did not come from a file.
        """
        done = self.finished
        source = done.picture.source
        if source.path is None:
            raise OutputError("the picture did not come from a file, so there is no name to follow: give a path")
        written = format_of_result(source.format, format, alpha=done.picture.alpha is not None)
        return source.path.with_name(f"{source.path.stem}.{done.suffix}{extension_for(written, source.path)}")

    def save(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        format: str | None = None,
        quality: int | None = None,
        overwrite: bool = False,
        record: RecordMode = "embed",
        marking: Marking = Marking(),  # noqa: B008 - it is frozen
    ) -> Saved:
        """Write the result; whole or not at all.

        Args:
            path: Where; its extension gives the format. Left out: `default_path`.
            format: The format, where the extension names none.
            quality: 1 to 100 for the formats that lose.
            overwrite: Whether an existing file may be replaced.
            record: "embed" writes how it was made into the file, "sidecar" beside it, "none" nowhere.
            marking: What the file says of its origin.

        Raises:
            OutputError: The file exists, its folder does not, or its format can't hold the picture.
        """
        target = Path(path) if path is not None else self.default_path(format)
        format = format_for_path(target, format)
        sidecar = sidecar_path(target) if record == "sidecar" else None
        for file in (target, sidecar):
            if file is not None:
                check_writable(file, overwrite=overwrite)
        rendered = self.render(format, quality=quality, record=record, marking=marking)
        write_file(target, rendered.data, overwrite=overwrite)
        if sidecar is not None:
            made = rendered.record(self.finished.record())
            write_file(sidecar, made.to_json().encode(), overwrite=overwrite)
        return rendered.saved(target, sidecar)

    def render(
        self,
        format: str | None = None,
        *,
        quality: int | None = None,
        record: RecordMode = "embed",
        verify: bool = False,
        marking: Marking = Marking(),  # noqa: B008 - it is frozen
    ) -> Rendered:
        """The picture as a file's bytes, and what a reader of them finds; nothing is written.

        Args:
            format: "png", "jpeg", "webp", "tiff" or "avif"; the original's own when left out, PNG where
                that can't hold the result's alpha.
            quality: 1 to 100 for the formats that lose; left out, the least loss that the format is used with.
            record: Whether the record goes into the file. Where it does not, an earlier record is removed as well: it
                describes another edit, with its prompt.
            verify: Whether a lossless file is decoded and compared as well. Lossy ones always are.
            marking: What the file says of its origin, and who signs it. What its original says stays, whatever this is.
        """
        done = self.finished if marking.watermark is None else self.finished.watermarked(marking.watermark)
        own, wanted = done.picture.source.format, format
        format = format_of_result(own, wanted, alpha=done.picture.alpha is not None)

        reached, reach = None, done.reach
        origin = provenance_of(done.edits, done.picture, marking)
        stated = with_statement(done.picture.metadata, origin, marking, format)
        chosen = None if marking.watermark is None else marking.watermark.record
        marks = MarksRecord(provenance=marking.mode, source_type=stated.source_type, watermark=chosen)

        def annotate(touched: NDArray[np.bool_] | None) -> Metadata:
            nonlocal reached, reach
            if record != "embed":
                return strip(stated.metadata)
            reached, reach = touched, done.reach_at(touched)
            return embed(stated.metadata, record_in(done.record(), reach, quality, marks), format)

        touched = None if done.everywhere else done.touched
        encoded = encode(done.picture, format, quality=quality, touched=touched, annotate=annotate)
        if encoded.touched is not reached:
            reach = done.reach_at(encoded.touched)
        data, notes = encoded.data, (*stated.notes, *encoded.notes)
        if marking.seal is not None:
            coded = encoded.touched if encoded.fidelity == "blocks" else None
            # the last of all: it signs every byte
            sealed = marking.seal.seal(data, encoded.format, in_file(origin, coded))
            data, notes = sealed.data, (*notes, *sealed.notes)
            signature = {"signer": sealed.signer, "manifest_sha256": sealed.manifest_sha256}
            marks = marks.model_copy(update=signature)
        changed = largest = 0
        depth = done.picture.depth
        if encoded.fidelity == "lossless" and not verify and marking.watermark is None:
            # PNG and TIFF give every picture back in its own form; others may turn grey to RGB or drop an opaque alpha.
            own_form = encoded.format in ("png", "tiff")
            pixels = done.pixels_sha256() if own_form else pixel_digest(open_picture(data))
        else:
            written = open_picture(data)
            difference = difference_of(written, done.base)
            reached = None if done.everywhere else encoded.touched
            difference[done.touched if reached is None else done.touched | reached] = 0
            changed, largest = int(np.count_nonzero(difference)), int(difference.max())
            pixels, depth = pixel_digest(written), written.depth
            if marking.watermark is not None:
                notes = (*notes, *watermark_notes(written, marking.watermark, changed, largest))
        return Rendered(
            data=data,
            format=encoded.format,
            fidelity="watermarked" if done.everywhere else encoded.fidelity,
            reach=reach,
            quality=quality,
            changed=changed,
            largest=largest,
            depth=depth,
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            pixels_sha256=pixels,
            marks=marks,
            notes=(
                *notes,
                *_manifest_lost(done.picture, marking),
                *_stored_otherwise(done.picture, encoded),
                *_in_another_format(own, wanted, encoded.format),
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FinishedPicture(SavableResult):
    """The result of one edit or of several, ready to be written.

    Attributes:
        picture: The result; its source is the original's.
        base: What it must equal wherever it was not touched: the original with its margins.
        touched: (H, W) bool: everything that may differ from `base`.
        marked: (H, W) bool: everything that a mask marked.
        reach: The largest distance in pixels from `marked` to a touched pixel.
        suffix: The word in the name of a file that is not named: NAME.SUFFIX.EXT.
        record: How it was made, put together when it is needed.
        edits: Statements on the edits that made it, in their order.
        pixels_sha256: Digest of the result's pixels, calculated when it is needed.
        everywhere: Whether a watermark may have changed pixels that are not touched.
    """

    picture: Picture
    base: Picture
    touched: NDArray[np.bool_]
    marked: NDArray[np.bool_]
    reach: int
    suffix: str
    record: Callable[[], Record]
    edits: tuple[EditStatement, ...]
    pixels_sha256: Callable[[], str]
    everywhere: bool = False

    @property
    def finished(self) -> FinishedPicture:
        """Itself."""
        return self

    def watermarked(self, choice: WatermarkChoice) -> FinishedPicture:
        """The picture with a watermark, within what the edits touched or everywhere; its record names its own pixels.

        Raises:
            RequestError, OutputError: The watermark can't be made.
        """
        whole = choice.area == "whole"
        picture = with_watermark(self.picture, choice, np.ones_like(self.touched) if whole else self.touched)
        digest = cache(partial(pixel_digest, picture))

        def record() -> Record:
            return self.record().model_copy(update={"pixels_sha256": digest()})

        return replace(self, picture=picture, everywhere=whole, record=cache(record), pixels_sha256=digest)

    def comparison(self) -> Picture:
        """Before, mask and after side by side, 8-bit RGB."""
        return comparison(self.base, Mask(self.marked.astype(np.float32)), self.picture)

    def reach_at(self, touched: NDArray[np.bool_] | None) -> int:
        """The reach of a file whose pixels may differ at `touched` (H, W bool) too; None: nowhere else. A watermark
        that may be everywhere does not count.
        """
        return self.reach if touched is None or self.everywhere else reach_of(self.touched | touched, self.marked)


def _manifest_lost(picture: Picture, marking: Marking) -> tuple[str, ...]:
    """A note where the original is signed and the result is not: the signature is that of other pixels."""
    data = picture.source.data
    if marking.seal is not None or data is None:
        return ()
    if holds_manifest(data, picture.source.format):
        return (
            "the original's C2PA manifest is left out: it signs the original's pixels, and the result is not signed",
        )
    if address := manifest_address(picture.metadata):
        return (f"the file still names {address[:200]} for a C2PA manifest, which signs the original's pixels",)
    return ()


def _in_another_format(own: str | None, wanted: str | None, written: str) -> tuple[str, ...]:
    """A note where nobody named a format, and the result has another than its picture; else none."""
    if wanted is not None or own in (None, written):
        return ()
    why = "it has transparency" if own == "jpeg" else f"{'HEIC' if own == 'heif' else str(own).upper()} is only read"
    return (f"the result is {written.upper()}: {why}",)


def _stored_otherwise(picture: Picture, encoded: EncodedPicture) -> tuple[str, ...]:
    """A note where a file stores a picture in another way than its original's file, which is larger for it."""
    source = picture.source
    if encoded.fidelity == "lossless" and re.search(r"bilevel|palette|\b[124]-bit", source.mode):
        return (f"saved as {picture.mode}: {source.mode}, as the original has it, has no room for new colours",)
    if encoded.fidelity == "lossless" and encoded.format == source.format and not source.lossless and source.data:
        larger = len(encoded.data) / len(source.data)
        return (
            f"saved without loss, {larger:.1f} times as large as the original, which is lossy: the setting quality "
            "makes it smaller",
        )
    return ()
