"""From a finished edit to a take and its arrays, and back to patches that can be composited again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overpaint.composite import lay
from overpaint.errors import PictureError, SessionError
from overpaint.geometry import Box, Margins
from overpaint.mask import Mask
from overpaint.picture import Picture, Samples, current_limits
from overpaint.record import joined_types, type_of_record
from overpaint.request import EditRequest, raster_tables
from overpaint.request._blob import raster_bytes
from overpaint.studio import Edited, PaintedRegion

from ._history import StepState
from ._store import blob_name
from ._values import SeenStep, StoredArray, StoredMask, StoredPatch, Take

Files = list[tuple[str, bytes]]
ReadArray = Callable[[StoredArray], NDArray[Any]]
"""The array of a stored one; raises SessionError where it is missing or damaged."""


@dataclass(frozen=True, slots=True, eq=False)
class StepPatch:
    """One region of a step as it shows: its weight has the step's mask and opacity in it.

    Attributes:
        box: In pixels of the composite.
        patch: (h, w, C) float32.
        weight: (h, w) float32.
        opacity: (h, w) float32; None where it follows from the request.
    """

    box: Box
    patch: NDArray[np.float32]
    weight: NDArray[np.float32]
    opacity: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True, eq=False)
class Composite:
    """A picture, and where it lies: its box in pixels of the original, from that one's upper left corner."""

    picture: Picture
    canvas: Box


PaintedStep = tuple[StepState, Take]
"""A step and its take that shows."""


def take_of(edited: Edited, below: Composite, steps: Iterable[PaintedStep]) -> tuple[Take, Files]:
    """A finished edit as a take, and its arrays as files.

    Args:
        edited: The edit.
        below: What it was made on.
        steps: The steps that show in that, from below to above.
    """
    files: Files = []

    def stored(array: NDArray[Any]) -> StoredArray:
        value, data = StoredArray.of(array)
        files.append((blob_name(value.sha256), data))
        return value

    placed = edited.placed
    canvas = edited.picture.size.box.shift(below.canvas.left - placed.left, below.canvas.top - placed.top)
    within = edited.mask.bounds
    values = edited.mask.values[within.slices]
    marked = np.where(values > 0, np.maximum(np.rint(values * 255), 1), 0).astype(np.uint8)
    steps = list(steps)
    record = edited.record
    saw = seen(record.request, [Box(*one.frame) for one in record.regions], canvas, map(LowerStep.of, steps))
    take = Take(
        record=record.model_copy(update={"painted_from": _origin_of(saw, steps)}),
        canvas=tuple(canvas),
        saw=saw,
        marked=StoredMask(box=tuple(within.shift(canvas.left, canvas.top)), values=stored(marked)),
        patches=tuple(_stored_patch(one, edited.picture, canvas, stored) for one in edited.regions),
    )
    files += _rasters(edited)
    return take, files


def _origin_of(saw: Iterable[SeenStep], steps: Iterable[PaintedStep]) -> str:
    """The joined source type of the steps that were seen, and of what these were painted from; "" for none.

    It is kept in the take: the steps may be hidden, painted again or dropped later, and the paint stays.
    """
    numbers = {one.step for one in saw}
    joined = joined_types(type_of_record(take.record) for state, take in steps if state.number in numbers)
    return "" if joined is None else joined.value


def _stored_patch(
    region: PaintedRegion, picture: Picture, canvas: Box, stored: Callable[[NDArray[Any]], StoredArray]
) -> StoredPatch:
    band = _band(region.weight)
    return StoredPatch(
        box=tuple(region.box.shift(canvas.left, canvas.top)),
        samples=stored(np.clip(np.rint(region.patch), 0, picture.maximum).astype(picture.samples.dtype)),
        exact=stored(region.patch[band]) if band.any() else None,
        weight=stored(region.weight),
        opacity=None if region.opacity is None else stored(region.opacity.astype(np.float32)),
    )


def _band(weight: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where old and new are blended, so that the composite depends on the paint before rounding."""
    return np.asarray((weight > 0) & (weight < 1))


def _rasters(edited: Edited) -> Iterator[tuple[str, bytes]]:
    """The rasters that the request names by digest, as files."""
    given = edited.rasters
    beside = {
        "mask": None if given.mask is None else given.mask.to_bytes8(),
        "sketch": given.sketch,
    }
    request = edited.request.to_mapping()
    for field, part in request.items():
        for table in raster_tables([part]):
            if table.get("data") is not None or field == "image":
                continue
            raster = given.by_digest.get(table["sha256"])
            raster = beside.get(field) if raster is None else raster
            if raster is not None:
                yield blob_name(table["sha256"]), raster_bytes(np.asarray(raster))


@dataclass(frozen=True, slots=True)
class LowerStep:
    """A step below another: what that one keeps of it where it sees it, and where it is."""

    step: SeenStep
    boxes: tuple[Box, ...]

    @classmethod
    def of(cls, painted: PaintedStep) -> LowerStep:
        """A step that shows."""
        state, take = painted
        return cls(SeenStep(step=state.number, paint=state.paint), tuple(Box(*patch.box) for patch in take.patches))


def seen(request: EditRequest, frames: Iterable[Box], canvas: Box, steps: Iterable[LowerStep]) -> tuple[SeenStep, ...]:
    """The steps that an engine sees through these frames, which are in pixels of the canvas.

    A mask of the picture's own transparency, or of what is selected in it, sees all.
    """
    within = [frame.shift(canvas.left, canvas.top) for frame in frames]
    if any(spec.of_pixels for spec in request.masks):
        within = [canvas]
    return tuple(
        one.step for one in steps if any(not frame.intersect(box).empty for frame in within for box in one.boxes)
    )


def painted_on(take: Take) -> Box:
    """The canvas that a take was painted on, before it made that larger."""
    left, top, right, bottom = take.record.resolved.margins or (0, 0, 0, 0)
    return take.place.pad(Margins(-left, -top, -right, -bottom))


def composite(original: Picture, steps: Iterable[PaintedStep], read: ReadArray) -> Composite:
    """The original with these steps laid over it, from below to above, in the way and the order of their edits.

    Raises:
        SessionError: A step's files are missing, damaged, or do not fit the picture.
    """
    steps = list(steps)
    if not steps:
        return Composite(original, original.size.box)
    canvas = original.size.box
    samples: Samples = original.samples.copy()
    alpha: Samples | None = None if original.alpha is None else original.alpha.copy()
    for state, take in steps:
        if (grown := grown_by(canvas, take)) != canvas:
            samples, alpha = padded(samples, alpha, canvas, grown)
            canvas = grown
        patches = (patch_of(one, state, original, canvas, read) for one in take.patches)
        alpha = lay(samples, alpha, [one for one in patches if one is not None], take.record.resolved.alpha)
    return Composite(original.with_pixels(samples, alpha), canvas)


def grown_by(canvas: Box, take: Take) -> Box:
    """The canvas with a step on it that may make it larger. Raises SessionError where it would be absurdly large."""
    if not take.grows:
        return canvas
    grown = canvas.union(take.place)
    check_size_of(grown)
    return grown


def padded(samples: Samples, alpha: Samples | None, canvas: Box, grown: Box) -> tuple[Samples, Samples | None]:
    """Samples and alpha of a larger canvas; new pixels repeat the old edge, and are transparent if there is alpha."""
    left, top, right, bottom = grown.overhang(canvas)
    widths = ((top, bottom), (left, right))
    wide = np.pad(samples, (*widths, (0, 0)), mode="edge")
    return wide, None if alpha is None else np.pad(alpha, widths)


def cropped(values: NDArray[np.uint8], box: Box, canvas: Box) -> NDArray[np.uint8]:
    """(H, W) values over a canvas, of which a box is known; 0 elsewhere."""
    found = np.zeros(canvas.size.shape, np.uint8)
    here = box.intersect(canvas)
    if not here.empty:
        found[here.shift(-canvas.left, -canvas.top).slices] = values[here.shift(-box.left, -box.top).slices]
    return found


def extended(picture: Picture, canvas: Box) -> Picture:
    """The original on a larger canvas."""
    if canvas == picture.size.box:
        return picture
    return picture.with_pixels(*padded(picture.samples, picture.alpha, picture.size.box, canvas))


def patch_of(
    stored: StoredPatch, state: StepState, original: Picture, canvas: Box, read: ReadArray
) -> StepPatch | None:
    """A region of a step as it shows on a canvas; None where nothing of it lies on it.

    Args:
        stored: The region.
        state: Its step, whose mask and opacity count.
        original: The picture, whose kind of samples it has.
        canvas: Where the composite lies.
        read: Reads arrays.
    """
    box = Box(*stored.box)
    weight = weight_of(stored, state, read)
    patch = samples_of(stored, original, read).astype(np.float32)
    if stored.exact is not None:
        band = _band(read(stored.weight))
        _check(stored.exact, "float32", (int(np.count_nonzero(band)), original.colour.samples))
        exact = read(stored.exact)
        if not np.isfinite(exact).all():
            raise _misfit("paint that is no number")
        patch[band] = np.clip(exact, 0, original.maximum)  # as the layers have it
    opacity = opacity_of(stored, read)
    here = box.intersect(canvas)
    if here.empty:
        return None
    inner = here.shift(-box.left, -box.top).slices
    return StepPatch(
        here.shift(-canvas.left, -canvas.top),
        patch[inner],
        weight[inner],
        None if opacity is None else opacity[inner],
    )


def samples_of(stored: StoredPatch, original: Picture, read: ReadArray) -> Samples:
    """(h, w, C) of the picture's dtype: the paint of a region, rounded."""
    box = Box(*stored.box)
    check_size_of(box)
    _check(stored.samples, original.samples.dtype.name, (*box.size.shape, original.colour.samples))
    samples: Samples = read(stored.samples)
    return samples


def opacity_of(stored: StoredPatch, read: ReadArray) -> NDArray[np.float32] | None:
    """(h, w) float32: the alpha of a region's paint; None where it follows from the request."""
    if stored.opacity is None:
        return None
    _check(stored.opacity, "float32", Box(*stored.box).size.shape)
    return _share(read(stored.opacity))


def weight_of(
    stored: StoredPatch, state: StepState, read: ReadArray, *, opacity: float | None = None
) -> NDArray[np.float32]:
    """(h, w) float32: the composite mask of a region under its step's mask and opacity."""
    box = Box(*stored.box)
    check_size_of(box)
    _check(stored.weight, "float32", box.size.shape)
    weight = _share(read(stored.weight))
    if state.mask is not None:
        weight = weight * (shown(state.mask, box, read).astype(np.float32) / np.float32(255))
    share = state.opacity if opacity is None else opacity
    return weight if share == 1 else weight * np.float32(share)


def shown(mask: StoredMask, box: Box, read: ReadArray) -> NDArray[np.uint8]:
    """(h, w) uint8 over the box: where a step shows; 255 beyond its mask's box."""
    own = Box(*mask.box)
    check_size_of(own)
    _check(mask.values, "uint8", own.size.shape)
    found = np.full(box.size.shape, 255, np.uint8)
    both = own.intersect(box)
    if not both.empty:
        found[both.shift(-box.left, -box.top).slices] = read(mask.values)[both.shift(-own.left, -own.top).slices]
    return found


def masked(
    before: StoredMask | None, drawn: Mask, canvas: Box, *, show: bool, read: ReadArray
) -> tuple[StoredMask, bytes] | None:
    """Where a step shows once a part of it is painted back, and the bytes of that; None: everywhere.

    Args:
        before: Where it shows now.
        drawn: 1 = painted back, or with `show` painted in again; over the canvas, not empty.
        canvas: Where the picture lies.
        show: Whether the step is painted in again.
        read: Reads arrays.
    """
    box = drawn.bounds.shift(canvas.left, canvas.top)
    if before is not None:
        box = box.union(Box(*before.box))
    values = np.full(box.size.shape, 255, np.uint8) if before is None else shown(before, box, read)
    inner = box.intersect(canvas)
    marked = drawn.to_bytes8()[inner.shift(-canvas.left, -canvas.top).slices]
    part = values[inner.shift(-box.left, -box.top).slices]
    np.copyto(part, np.maximum(part, marked) if show else np.minimum(part, 255 - marked))
    if values.min() == 255:
        return None
    stored, data = StoredArray.of(values)
    return StoredMask(box=tuple(box), values=stored), data


def marks(take: Take, canvas: Box, into: NDArray[np.bool_], read: ReadArray) -> None:
    """Mark, in (H, W) bool over the canvas, what a take was to repaint."""
    box = Box(*take.marked.box)
    if not box.intersect(canvas).empty:
        into |= cropped(read(take.marked.values), box, canvas) > 0


def without_file(picture: Picture) -> Picture:
    """A picture that is no longer what its file holds."""
    return replace(picture, source=replace(picture.source, data=None, sha256=None))


def _share(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values, which must lie in [0, 1]."""
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise _misfit("shares beyond 0 to 1")
    return values


def _check(stored: StoredArray, dtype: str, shape: tuple[int, ...]) -> None:
    """Raise SessionError unless an array has this type and shape, before a byte of it is read."""
    if (stored.dtype, tuple(stored.shape)) != (dtype, shape):
        raise _misfit(f"an array of {stored.dtype} {tuple(stored.shape)} in the place of {dtype} {shape}")


def check_size_of(box: Box) -> None:
    """Raise SessionError for a box that is empty or larger than any picture may be."""
    try:
        current_limits().check_pixels(*box.size)
    except PictureError as error:
        raise SessionError(f"the session is damaged: {error}", code="session-damaged") from None


def _misfit(what: str) -> SessionError:
    return SessionError(f"the session is damaged: a step has {what}", code="session-damaged")
