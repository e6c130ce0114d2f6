"""The result of an edit that a server made, with the same parts as one that was made here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overpaint.engines import EngineCard
from overpaint.errors import EngineError, ServerError
from overpaint.finish.quality import FillMeasures
from overpaint.geometry import Box
from overpaint.mask import Mask
from overpaint.mask.distance import distance_to
from overpaint.picture import Picture, open_picture
from overpaint.record import EditStatement, Record, RegionRecord, SourceType, read_record
from overpaint.request import EditRequest, Execution, ResolvedRequest
from overpaint.studio import FinishedPicture, pixel_digest
from overpaint.studio.compare import comparison
from overpaint.studio.inputs import InputRasters
from overpaint.studio.saving import SavableResult
from overpaint.studio.scene import make_scene

from ._values import ResultFile


@dataclass(frozen=True, eq=False)
class ServedEdit(SavableResult):
    """A finished edit that a server made.

    It is saved as an `Edited` is: the original's file gives format, metadata and untouched JPEG blocks. What only the
    engine's own machine has, the unblended patches, is not here; `Client.studio` gives an `Edited` with them.

    Attributes:
        picture: The result.
        base: The picture that was painted on: the original with its margins.
        placed: Where the original lies in the result.
        mask: Where it was repainted, of the result's size; after the inversion that some intents make.
        rasters: The picture as opened, and the mask and sketch that were given as values.
        record: How it was made, as the server wrote it down; the input is named by its own file.
        served: What the server says of its file.
        notes: For people: assumptions, and settings without effect.
    """

    picture: Picture
    base: Picture
    placed: Box
    mask: Mask
    rasters: InputRasters
    record: Record
    served: ResultFile
    notes: tuple[str, ...] = ()

    @property
    def original(self) -> Picture:
        """The picture as opened."""
        return self.rasters.picture

    @property
    def request(self) -> EditRequest:
        """The request, with the mask and the sketch that were given as values."""
        return self.record.request

    @property
    def resolved(self) -> ResolvedRequest:
        """The same with every default filled in."""
        return self.record.resolved

    @property
    def execution(self) -> Execution:
        """Device, threads and versions of libraries of the server."""
        return self.record.execution

    @property
    def regions(self) -> tuple[RegionRecord, ...]:
        """What was painted, region by region, without pixels."""
        return self.record.regions

    @property
    def reach(self) -> int:
        """The largest distance in pixels from the mask to a pixel that changed."""
        return self.record.reach

    @property
    def timings(self) -> Mapping[str, float]:
        """Seconds by step, on the server."""
        return self.record.timings

    @property
    def doubt(self) -> str:
        """One line on why a fill is doubtful and what may do better; "" where nothing was found."""
        return self.record.doubt

    @property
    def source_type(self) -> SourceType:
        """What it makes of a photograph, in IPTC's terms."""
        return SourceType(self.record.source_type)

    @property
    def quality(self) -> FillMeasures:
        """How the regions look beside their surroundings: the worst of each measure."""
        return FillMeasures.worst(FillMeasures(**dict(region.quality)) for region in self.regions)

    @cached_property
    def pixels_sha256(self) -> str:
        """Digest of the result's pixels."""
        return pixel_digest(self.picture)

    @cached_property
    def touched(self) -> NDArray[np.bool_]:
        """(H, W) bool of the result's size: everything that differs from `base`."""
        return differs(self.picture, self.base)

    @property
    def finished(self) -> FinishedPicture:
        """The result as it is written into files."""
        return FinishedPicture(
            picture=self.picture,
            base=self.base,
            touched=self.touched,
            marked=self.mask.support,
            reach=self.reach,
            suffix=self.request.intent,
            record=lambda: self.record,
            edits=(EditStatement.of(self.source_type, self.resolved, self.regions, self.record.overpaint),),
            pixels_sha256=lambda: self.pixels_sha256,
        )

    def comparison(self) -> Picture:
        """Before, mask and after side by side, 8-bit RGB."""
        return comparison(self.base, self.mask, self.picture)


def served_edit(data: bytes, served: ResultFile, rasters: InputRasters, request: EditRequest) -> ServedEdit:
    """The result from its file.

    Args:
        data: The file, without loss and with its record.
        served: What the server says of it.
        rasters: The inputs of the edit, as this machine has them.
        request: The request, without those that were given as values.

    Raises:
        ServerError: The file has no record, or another size than the edit gives.
    """
    written = open_picture(data)
    found = read_record(written)
    if found is None or found.record is None:
        raise ServerError("the result holds no record of how it was made", code="result-foreign", value=served.picture)
    made = found.record
    scene = make_scene(request, rasters, made.request.rule, _ANY)
    if written.size != scene.picture.size:
        message = f"the result is {written.size}, and the edit of this picture gives {scene.picture.size}"
        raise ServerError(message, code="result-foreign", value=served.picture)
    picture, notes = _within_reach(written, scene.picture, scene.mask, made.reach)
    masks = () if rasters.mask is None else rasters.mask.notes
    notes = tuple(dict.fromkeys((*made.notes, *masks, *notes)))
    source = rasters.picture.source
    named: dict[str, Any] = {
        "input_sha256": source.sha256,
        "input_name": source.path.name if source.path else None,
        "pixels_sha256": pixel_digest(picture),
        "notes": notes,
        "marks": None,
        "timings": dict(served.timings),
    }
    return ServedEdit(
        picture=picture,
        base=scene.picture,
        placed=scene.original,
        mask=scene.mask,
        rasters=rasters,
        record=made.model_copy(update=named),
        served=served,
        notes=notes,
    )


_ANY = EngineCard(name="any", title="the engine of a server, of which nothing need be known")


def _within_reach(written: Picture, base: Picture, mask: Mask, reach: int) -> tuple[Picture, tuple[str, ...]]:
    """The result as a picture of the original's kind. Where nothing may have changed it has the original's pixels,
    also where the server's decoder gives others than the one on this machine.
    """
    samples, alpha = _as(base, written)
    other = differs(base.with_pixels(samples, alpha), base)
    far = other & ~(distance_to(mask.support, reach) <= reach)
    if not far.any():
        return base.with_pixels(samples, alpha), ()
    samples = np.where(far[..., None], base.samples, samples)
    if alpha is not None and base.alpha is not None:
        alpha = np.where(far, base.alpha, alpha)
    count = int(np.count_nonzero(far))
    note = (
        f"the server decodes this file otherwise than this machine: {count} pixels beyond the reach are the original's"
    )
    return base.with_pixels(samples, alpha), (note,)


def _as(base: Picture, written: Picture) -> tuple[Any, Any]:
    """Samples and alpha of a result in the kind of its original."""
    samples = written.samples
    if samples.shape[2] != base.samples.shape[2] or samples.dtype != base.samples.dtype:
        raise EngineError(f"the result is {written.mode}, and the picture {base.mode}")
    return samples, written.alpha


def differs(one: Picture, other: Picture) -> NDArray[np.bool_]:
    """(H, W) bool: where two pictures of one kind and size have other samples or another alpha."""
    found: NDArray[np.bool_] = (one.samples != other.samples).any(axis=2)
    if one.alpha is not None or other.alpha is not None:
        full = np.full(one.size.shape, one.maximum, one.samples.dtype)
        found |= (full if one.alpha is None else one.alpha) != (full if other.alpha is None else other.alpha)
    return found
