"""Running an edit again from its record, and comparing the results."""

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
        pixels: Number of pixels that differ.
        of: Number of all pixels.
        largest: The largest difference of a sample, in levels of the deeper picture.
        box: The box around the differing pixels.
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
        edited: The new result.
        equal: Whether its pixels have the recorded digest.
        difference: From the earlier result, where that was given and differs.
        notes: What has changed since (versions, device, engine), and what could not be compared.
    """

    edited: Edited
    equal: bool
    difference: Difference | None = None
    notes: tuple[str, ...] = ()


def request_again(resolved: ResolvedRequest) -> EditRequest:
    """The request with every setting given: it resolves to `resolved` again, even when defaults have changed."""
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
        studio: It paints.
        record: The edit's record.
        picture: The input.
        inputs: Rasters that the request names by digest only.
        prompts: "prompt" and "negative_prompt" where the record has only their hashes.
        made: The earlier result, to compare with.
        monitor: Progress and cancellation.

    Raises:
        RecordError: The picture is not the input, or the record does not name its input or result.
        OverpaintError: As `Studio.edit`.
    """
    notes = [*_require_input(record, picture)]
    request = request_again(record.resolved).merged(**(prompts or {}))
    edited = studio.edit(picture, request, inputs=inputs, monitor=monitor)
    notes += _changes(record, edited)
    if record.pixels_sha256 is None:
        raise RecordError("the record has no digest of the result, so nothing can be compared")
    equal = edited.pixels_sha256 == record.pixels_sha256
    apart = None
    if equal:
        notes += _compare_kept(made, edited.picture)
    elif made is None:
        notes.append("the earlier result was not given, so the difference is not known")
    else:
        if pixel_digest(made) != record.pixels_sha256:
            notes.append("the earlier result is compared as it was saved: its format is lossy, or it was changed")
        if made.size == edited.picture.size:
            apart = difference(made, edited.picture)
        else:
            notes.append(f"the new result is {edited.picture.size}, the earlier one {made.size}")
    return Replayed(edited, equal, apart, tuple(notes))


def _require_input(record: Record, picture: Picture) -> list[str]:
    """Raise RecordError unless this is the picture that was edited."""
    wanted = record.resolved.image
    if wanted is None:
        raise RecordError("the record has no digest of its input's pixels")
    if picture_blob(picture).sha256 != wanted.sha256:
        name = record.input_name or "the input"
        raise RecordError(
            f"this {picture.size} picture is not what was edited: {name}, {wanted.size}, with pixels "
            f"{wanted.sha256[:12]}..."
        )
    if record.input_sha256 not in (None, picture.source.sha256):
        return ["the input file differs from the recorded one, with equal pixels"]
    return []


def _compare_kept(made: Picture | None, true: Picture) -> list[str]:
    """A note when the file given as the earlier result has other pixels than the recorded ones."""
    if made is None or not made.source.lossless or pixel_digest(made) == pixel_digest(true):
        return []
    apart = difference(made, true) if made.size == true.size else f"its size is {made.size}, not {true.size}"
    return [] if apart is None else [f"the picture given is not the recorded result: {apart}"]


def _changes(record: Record, edited: Edited) -> list[str]:
    """What has changed since the edit, in words."""
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
        notes.append(f"the engine {edited.resolved.engine} has changed, in version or weights")
    then_used = {one.sha256 for one in record.resolved.models}
    notes += [
        f"the {one.role} {one.name} has changed"
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
    return Difference(count, differing.size, int(apart.max()), Box.around(differing))


def _levels(picture: Picture, channels: int, depth: int) -> NDArray[np.int32]:
    """(H, W, channels + 1) int32: samples and alpha, on the scale of `depth` bits."""
    height, width = picture.size.shape
    levels = np.empty((height, width, channels + 1), np.int32)
    levels[..., :channels] = picture.samples
    levels[..., channels] = picture.maximum if picture.alpha is None else picture.alpha
    return levels * np.int32(257) if picture.depth < depth else levels
