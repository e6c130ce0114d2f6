"""The result of an edit, and how it is saved."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overpaint.composite import share_of
from overpaint.finish.quality import FillMeasures
from overpaint.frame import Edge
from overpaint.geometry import Box, Size
from overpaint.layers import Layer, LayeredPicture, LayerPixels, title_of
from overpaint.mask import Mask
from overpaint.picture import Picture
from overpaint.record import EditStatement, Marking, Record, RegionRecord, SourceType, type_of_record, version
from overpaint.request import EditRequest, Execution, ResolvedRequest

from .compare import comparison
from .inputs import InputRasters
from .saving import FinishedPicture, SavableResult
from .written import RecordMode, difference_of, pixel_digest


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
        patch: (h, w, C) float32 over `box`, the painted pixels in units of the picture's samples and within their
            range, unblended.
        weight: (h, w) float32 over `box`, the composite mask.
        shift: Mean colour correction by channel, on the scale 0 to 1.
        detail: How far the detail added to it could be trusted, 0 (none was added) to 1.
        opacity: (h, w) float32 over `box`, the alpha that the engine gave; None where it follows the request.
        quality: How it looks beside its surroundings.
        maps: (h, w, 3) uint8 of the working size, what guided it: the maps of its controls, in their order.
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
    maps: tuple[NDArray[np.uint8], ...] = ()

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
class Edited(SavableResult):
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
        doubts: Names of the measures in `quality` that make a fill doubtful.
        doubt: One line on why a fill is doubtful and what may do better; "" where nothing was found.
        licence: Of the engine and its weights, from the engine's card; "unknown" where none is stated.
        source_type: What it makes of a photograph, in IPTC's terms.
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
    doubts: tuple[str, ...] = ()
    doubt: str = ""
    licence: str = ""
    source_type: SourceType = SourceType.HUMAN_EDITS

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
    def changed_beyond_reach(self) -> int:
        """Pixels that differ from `base` though the edit did not touch them."""
        return int(np.count_nonzero(difference_of(self.picture, self.base)[~self.touched]))

    @cached_property
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
            source_type=self.source_type,
        )

    @property
    def statement(self) -> EditStatement:
        """The statement on the edit for the result's file."""
        regions = (region.record for region in self.regions)
        return EditStatement.of(self.source_type, self.bare_resolved, regions, version())

    def repeating(self, earlier: Record) -> Edited:
        """The edit as one that was done before. Where both put the same picture in, what its file said of generative AI
        goes on: it is in the earlier record, and not in the pixels that a request names.
        """
        put_in, before = self.bare_resolved.insert, earlier.resolved.insert
        same = put_in is not None and before is not None and put_in.sha256 == before.sha256
        if same and self.source_type is SourceType.COMPOSITE and type_of_record(earlier).generative:
            return replace(self, source_type=SourceType.COMPOSITE_SYNTHETIC)
        return self

    @property
    def finished(self) -> FinishedPicture:
        """The result as it is written into files."""
        return FinishedPicture(
            picture=self.picture,
            base=self.base,
            touched=self.touched,
            marked=self.mask.support,
            reach=self.reach,
            suffix=self.bare_request.intent,
            record=lambda: self.record,
            edits=(self.statement,),
            pixels_sha256=lambda: self.pixels_sha256,
        )

    def comparison(self) -> Picture:
        """Before, mask and after side by side, 8-bit RGB."""
        return comparison(self.base, self.mask, self.picture)

    def layered(
        self,
        *,
        record: RecordMode = "embed",
        marking: Marking = Marking(),  # noqa: B008 - it is frozen
    ) -> LayeredPicture:
        """The original below, and each painted region above it with its composite mask.

        Args:
            record: "embed" has how it was made in the file, and the prompt in the layers' names; the others do not.
            marking: What the file says of its origin. It is not signed, and its layers have no watermark.
        """
        embedded = record == "embed"
        title = title_of(self.bare_request.intent, (self.bare_request.prompt or "") if embedded else "")
        names = [title] if len(self.regions) == 1 else [f"{title} {n}" for n in range(1, len(self.regions) + 1)]
        layers = tuple(self._layer(region, name) for region, name in zip(self.regions, names, strict=True))
        made = self.record if embedded else None
        return LayeredPicture(self.base, layers, self.picture, made, (self.statement,), marking)

    def _layer(self, region: PaintedRegion, name: str) -> Layer:
        def read() -> LayerPixels:
            samples = np.clip(np.rint(region.patch), 0, self.base.maximum).astype(self.base.samples.dtype)
            alpha = self.base.alpha
            rule = self.bare_resolved.alpha
            mask = region.weight if alpha is None else share_of(region.weight, alpha[region.box.slices], rule)
            return LayerPixels(samples, mask)

        return Layer(name, region.box, read)

    def save_layers(
        self, path: str | os.PathLike[str], *, overwrite: bool = False, record: RecordMode = "embed"
    ) -> Path:
        """Write `layered` to a file; its extension (.psd, .psb or .ora) gives the format.

        Raises:
            OutputError: The file exists, its name has another extension, or its format can't hold the picture.
        """
        return self.layered(record=record).save(path, overwrite=overwrite)
