"""Running an edit again from its record, and saying whether the same came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overpaint.engines import Monitor
from overpaint.errors import RecordError
from overpaint.geometry import Box
from overpaint.picture import Picture
from overpaint.record import Record
from overpaint.request import EditRequest, ResolvedRequest, picture_blob
from overpaint.studio import Edited, Studio, pixel_digest


@dataclass(frozen=True, slots=True)
class Difference:
    """How two pictures of one size differ.

    Attributes:
        pixels: How many pixels differ.
        of: How many there are.
        largest: The largest difference of a sample, in levels of the deeper picture.
        box: Where all of them lie.
    """

    pixels: int
    of: int
    largest: int
    box: Box

    def __str__(self) -> str:
        levels = "1 level" if self.largest == 1 else f"{self.largest} levels"
        left, top, right, bottom = self.box
        return f"{self.pixels:,} of {self.of:,} pixels differ, by up to {levels}, within {left},{top},{right},{bottom}"


@dataclass(frozen=True, slots=True)
class Replayed:
    """An edit that was run again.

    Attributes:
        edited: What came out now.
        equal: Whether every pixel is what the record says.
        difference: From the picture that was made then, where that was at hand and is another.
        notes: What is another than then: versions, device, the engine; and what could not be compared.
    """

    edited: Edited
    equal: bool
    difference: Difference | None = None
    notes: tuple[str, ...] = ()


def request_again(resolved: ResolvedRequest) -> EditRequest:
    """The request that leaves nothing open: resolved, it gives `resolved` again, whatever defaults have become."""
    return EditRequest.of(**resolved.settings())


def replay(
    studio: Studio,
    record: Record,
    picture: Picture,
    *,
    inputs: Mapping[str, NDArray[Any]] | None = None,
    prompts: Mapping[str, str] | None = None,
    made: Picture | None = None,
    monitor: Monitor | None = None,
) -> Replayed:
    """Run an edit again.

    Args:
        studio: Where it is painted.
        record: How it was made.
        picture: The input of then.
        inputs: Rasters that the request names by digest and does not carry.
        prompts: "prompt" and "negative_prompt" where the record keeps them only as hashes.
        made: What came out then, to say how it differs.
        monitor: Progress and cancellation.

    Raises:
        RecordError: The picture is not the input, or the record does not say whether it is.
        OverpaintError: As `Studio.edit`.
    """
    notes = [*_checked(record, picture)]
    request = request_again(record.resolved).merged(**(prompts or {}))
    edited = studio.edit(picture, request, inputs=inputs, monitor=monitor)
    notes += _changes(record, edited)
    if record.pixels_sha256 is None:
        raise RecordError("the record does not say what came out, so that nothing can be compared")
    if edited.pixels_sha256 == record.pixels_sha256:
        return Replayed(edited, True, None, (*notes, *_touched(made, edited.picture)))
    if made is None:
        return Replayed(edited, False, None, (*notes, "what came out then is not here: give it to see the difference"))
    if pixel_digest(made) != record.pixels_sha256:
        notes.append("the picture of then is compared as it was saved: its format lost something, or it was changed")
    if made.size != edited.picture.size:
        return Replayed(edited, False, None, (*notes, f"it is {edited.picture.size} now and {made.size} then"))
    return Replayed(edited, False, difference(made, edited.picture), tuple(notes))


def _checked(record: Record, picture: Picture) -> list[str]:
    """Raise RecordError unless this is the picture that was edited."""
    wanted = record.resolved.image
    if wanted is None:
        raise RecordError("the record does not name the pixels that it began with")
    if picture_blob(picture).sha256 != wanted.sha256:
        name = record.input_name or "the input"
        raise RecordError(
            f"this {picture.size} picture is not what was edited: {name}, {wanted.size}, with pixels "
            f"{wanted.sha256[:12]}..."
        )
    if record.input_sha256 not in (None, picture.source.sha256):
        return ["the input file is another than then, with the same pixels"]
    return []


def _touched(made: Picture | None, true: Picture) -> list[str]:
    """Whether what is kept as the result is another picture than the one that is now known to have come out."""
    if made is None or not made.source.lossless or pixel_digest(made) == pixel_digest(true):
        return []
    apart = difference(made, true) if made.size == true.size else f"it is {made.size} and not {true.size}"
    return [] if apart is None else [f"the picture given is not what was made then: {apart}"]


def _changes(record: Record, edited: Edited) -> list[str]:
    """What is another than then, in words."""
    notes = []
    before, after = record.execution, edited.execution
    for name in sorted({*before.versions, *after.versions}):
        then, now = before.versions.get(name), after.versions.get(name)
        if then != now:
            notes.append(f"{name} was {then or 'not there'} and is {now or 'not there'}")
    for name in ("device", "dtype", "threads"):
        then, now = getattr(before, name), getattr(after, name)
        if then != now:
            notes.append(f"{name} was {then} and is {now}")
    if record.resolved.engine_digest != edited.resolved.engine_digest:
        notes.append(f"the engine {edited.resolved.engine} is another than then, in version or weights")
    then_used = {one.sha256 for one in record.resolved.models}
    notes += [
        f"the {one.role} {one.name} is another than then"
        for one in edited.resolved.models
        if one.role != "checkpoint" and one.sha256 not in then_used
    ]
    return notes


def difference(one: Picture, other: Picture) -> Difference | None:
    """How two pictures of one size differ; None when no pixel does.

    Grey counts as three equal channels and a missing alpha as opaque; of two depths the shallower is scaled up.

    Raises:
        RecordError: Their sizes differ, or one is CMYK and the other is not.
    """
    if one.size != other.size or (one.colour != other.colour and "cmyk" in (one.colour, other.colour)):
        raise RecordError(f"{one.size} {one.mode} and {other.size} {other.mode} can't be compared")
    channels = 4 if one.colour == "cmyk" else 3
    depth = max(one.depth, other.depth)
    apart = np.abs(_levels(one, channels, depth) - _levels(other, channels, depth)).max(axis=2)
    differing = apart > 0
    count = int(np.count_nonzero(differing))
    if count == 0:
        return None
    rows, columns = np.flatnonzero(differing.any(axis=1)), np.flatnonzero(differing.any(axis=0))
    box = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return Difference(count, differing.size, int(apart.max()), box)


def _levels(picture: Picture, channels: int, depth: int) -> NDArray[np.int32]:
    """(H, W, channels + 1) int32: samples and alpha, on the scale of `depth` bits."""
    height, width = picture.size.shape
    levels = np.empty((height, width, channels + 1), np.int32)
    levels[..., :channels] = picture.samples
    levels[..., channels] = picture.maximum if picture.alpha is None else picture.alpha
    return levels * np.int32(257) if picture.depth < depth else levels
