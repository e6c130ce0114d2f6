"""The result of an edit, and how it is saved."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import OutputError
from overpaint.files import check_writable, write_file
from overpaint.finish.quality import FillMeasures
from overpaint.frame import Edge, reach_of
from overpaint.geometry import Box, Size
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
from overpaint.record import Record, RegionRecord, embed, sidecar_path, strip
from overpaint.request import EditRequest, Execution, ResolvedRequest

from .compare import comparison
from .inputs import InputRasters
from .layers import encode_layers
from .written import RecordMode, Rendered, Saved, difference_of, pixel_digest


@dataclass(frozen=True, slots=True, eq=False)
class PaintedRegion:
    """One region of a result.

    Attributes:
        box: Where anything changed, in pixels of the result.
        frame: What the engine saw; it may stick out of the picture.
        working: The size that it saw it at.
        edge: Its (widest) edge.
        parts: Connected parts of the mask in it.
        seed: The seed that it was painted with.
        patch: (h, w, C) float32 over `box`, the painted pixels in units of the picture's samples, unblended.
        weight: (h, w) float32 over `box`, the composite mask.
        shift: Mean colour correction by channel, on the scale 0 to 1.
        detail: How far the detail added to it could be trusted, 0 (none was added) to 1.
        opacity: (h, w) float32 over `box`, the alpha that the engine gave; None where it follows the request.
        quality: How it looks beside its surroundings.
    """

    box: Box
    frame: Box
    working: Size
    edge: Edge
    parts: int
    seed: int
    patch: NDArray[np.float32]
    weight: NDArray[np.float32]
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    detail: float = 0.0
    opacity: NDArray[np.float32] | None = None
    quality: FillMeasures = field(default_factory=FillMeasures)

    @property
    def record(self) -> RegionRecord:
        """The region as a record has it, without pixels."""
        return RegionRecord(
            box=tuple(self.box),
            frame=tuple(self.frame),
            working=tuple(self.working),
            grow=self.edge.grow,
            feather=self.edge.feather,
            seed=self.seed,
            detail=round(self.detail, 3),
            quality={name: round(value, 4) for name, value in asdict(self.quality).items() if value is not None},
        )


@dataclass(frozen=True, eq=False)
class Edited:
    """A finished edit.

    Attributes:
        picture: The result.
        base: The picture that was painted on: the original with its margins.
        placed: Where the original lies in the result.
        mask: Where it was repainted, of the result's size; after the inversion that some intents make.
        rasters: The picture as opened, and the mask and sketch that were given as values.
        bare_request: The request without those; see `request`.
        bare_resolved: The same with every default filled in; see `resolved`.
        execution: Device, threads and versions of libraries.
        regions: What was painted, region by region.
        reach: The largest distance in pixels from the mask to a pixel that changed.
        timings: Seconds by step.
        notes: For people: assumptions, and settings without effect.
        engine_notes: Those of them that the engine gave or its card led to, which may quote the prompt.
        doubt: One line on why a fill is doubtful and what may do better; "" where nothing was found.
        licence: Of the engine and its weights, from the engine's card; "unknown" where none is stated.
    """

    picture: Picture
    base: Picture
    placed: Box
    mask: Mask
    rasters: InputRasters
    bare_request: EditRequest
    bare_resolved: ResolvedRequest
    execution: Execution
    regions: tuple[PaintedRegion, ...]
    reach: int
    timings: Mapping[str, float]
    notes: tuple[str, ...] = ()
    engine_notes: tuple[str, ...] = ()
    doubt: str = ""
    licence: str = ""

    @property
    def original(self) -> Picture:
        """The picture as opened."""
        return self.rasters.picture

    @cached_property
    def request(self) -> EditRequest:
        """The request as it is written: with the mask and the sketch that were given as values."""
        return self.bare_request.model_copy(update=self.rasters.coded)

    @cached_property
    def resolved(self) -> ResolvedRequest:
        """The request with every default filled in, its rasters coded, and the picture named by its digest."""
        return self.bare_resolved.model_copy(update={**self.rasters.coded, "image": self.rasters.image})

    @property
    def notes_without_prompt(self) -> tuple[str, ...]:
        """The notes for private mode: one stands for all of the engine's."""
        left_out = ("the engine's notes are left out, as they may quote the prompt",) if self.engine_notes else ()
        return (*(note for note in self.notes if note not in self.engine_notes), *left_out)

    @property
    def quality(self) -> FillMeasures:
        """How the regions look beside their surroundings: the worst of each measure."""
        return FillMeasures.worst(region.quality for region in self.regions)

    @cached_property
    def pixels_sha256(self) -> str:
        """Digest of the result's pixels."""
        return pixel_digest(self.picture)

    @cached_property
    def touched(self) -> NDArray[np.bool_]:
        """(H, W) bool of the result's size: everything that may differ from `base`."""
        touched = np.zeros(self.picture.size.shape, bool)
        for region in self.regions:
            touched[region.box.slices] |= region.weight > 0
        return touched

    @property
    def record(self) -> Record:
        """How the result was made, as a value that is written into files and read back."""
        return Record(
            request=self.request,
            resolved=self.resolved,
            execution=self.execution,
            regions=tuple(region.record for region in self.regions),
            size=tuple(self.picture.size),
            reach=self.reach,
            input_sha256=self.original.source.sha256,
            input_size=tuple(self.original.size),
            mask_sha256=hashlib.sha256(self.mask.to_bytes8().data).hexdigest(),
            input_name=self.original.source.path.name if self.original.source.path else None,
            pixels_sha256=self.pixels_sha256,
            timings=dict(self.timings),
            notes=self.notes,
            doubt=self.doubt,
        )

    def record_of(self, reach: int, quality: int | None = None) -> Record:
        """The record of a file with this reach (in a JPEG file it is rounded up to blocks) and quality."""
        return self.record.model_copy(update={"reach": reach, "quality": quality})

    def default_path(self, format: str | None = None) -> Path:
        """NAME.INTENT.EXT beside the input, in the input's own format (PNG where that can't be written).

        Raises:
            OutputError: The picture did not come from a file.
        """
        source = self.original.source
        if source.path is None:
            raise OutputError("the picture did not come from a file, so there is no name to follow: give a path")
        extension = extension_for(
            format_of_result(source.format, format, alpha=self.picture.alpha is not None), source.path
        )
        return source.path.with_name(f"{source.path.stem}.{self.bare_request.intent}{extension}")

    def save(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        format: str | None = None,
        quality: int | None = None,
        overwrite: bool = False,
        record: RecordMode = "embed",
    ) -> Saved:
        """Write the result; whole or not at all.

        Args:
            path: Where; its extension gives the format. Left out: `default_path`.
            format: The format, where the extension names none.
            quality: 1 to 100 for the formats that lose.
            overwrite: Whether an existing file may be replaced.
            record: "embed" writes how it was made into the file, "sidecar" beside it, "none" nowhere.

        Raises:
            OutputError: The file exists, its folder does not, or its format can't hold the picture.
        """
        target = Path(path) if path is not None else self.default_path(format)
        format = format_for_path(target, format)
        sidecar = sidecar_path(target) if record == "sidecar" else None
        for file in (target, sidecar):
            if file is not None:
                check_writable(file, overwrite=overwrite)
        rendered = self.render(format, quality=quality, record=record)
        write_file(target, rendered.data, overwrite=overwrite)
        if sidecar is not None:
            write_file(sidecar, self.record_of(rendered.reach, quality).to_json().encode(), overwrite=overwrite)
        return rendered.saved(target, sidecar)

    def render(
        self,
        format: str | None = None,
        *,
        quality: int | None = None,
        record: RecordMode = "embed",
        verify: bool = False,
    ) -> Rendered:
        """The result as a file's bytes, and what a reader of them finds; nothing is written.

        Args:
            format: "png", "jpeg", "webp", "tiff" or "avif"; the input's own when left out, PNG where
                that can't hold the result's alpha.
            quality: 1 to 100 for the formats that lose; left out, the least loss that the format is used with.
            record: Whether the record goes into the file. Where it does not, an earlier record is removed as well: it
                describes another edit, with its prompt.
            verify: Whether a lossless file is decoded and compared as well. Lossy ones always are.
        """
        format = format_of_result(self.original.source.format, format, alpha=self.picture.alpha is not None)

        def annotate(touched: NDArray[np.bool_] | None) -> Metadata:
            if record != "embed":
                return strip(self.picture.metadata)
            return embed(self.picture.metadata, self.record_of(self._reach(touched), quality), format)

        encoded = encode(self.picture, format, quality=quality, touched=self.touched, annotate=annotate)
        reach = self._reach(encoded.touched)
        changed = largest = 0
        depth = self.picture.depth
        if encoded.fidelity == "lossless" and not verify:
            # PNG and TIFF give every picture back in its own form; others may turn grey to RGB or drop an opaque alpha.
            own_form = encoded.format in ("png", "tiff")
            pixels = self.pixels_sha256 if own_form else pixel_digest(open_picture(encoded.data))
        else:
            written = open_picture(encoded.data)
            difference = difference_of(written, self.base)
            difference[self.touched if encoded.touched is None else self.touched | encoded.touched] = 0
            changed, largest = int(np.count_nonzero(difference)), int(difference.max())
            pixels, depth = pixel_digest(written), written.depth
        return Rendered(
            data=encoded.data,
            format=encoded.format,
            fidelity=encoded.fidelity,
            reach=reach,
            quality=quality,
            changed=changed,
            largest=largest,
            depth=depth,
            size=len(encoded.data),
            sha256=hashlib.sha256(encoded.data).hexdigest(),
            pixels_sha256=pixels,
            notes=(*encoded.notes, *_stored_otherwise(self.picture, encoded)),
        )

    def _reach(self, touched: NDArray[np.bool_] | None) -> int:
        """The reach of a file whose pixels may differ at `touched` (H, W) too; None: nowhere else."""
        return self.reach if touched is None else reach_of(self.touched | touched, self.mask.support)

    def comparison(self) -> Picture:
        """Before, mask and after side by side, 8-bit RGB."""
        return comparison(self.base, self.mask, self.picture)

    def save_layers(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the layers of `encode_layers` to a file, named .psd.

        Raises:
            OutputError: The file exists, or the picture is larger than the format allows (30,000 pixels a side).
        """
        target = Path(path)
        check_writable(target, overwrite=overwrite)
        write_file(target, self.encode_layers(), overwrite=overwrite)
        return target

    def encode_layers(self) -> bytes:
        """A PSD with the original below and each painted region above it, its composite mask as layer mask."""
        return encode_layers(self)


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
