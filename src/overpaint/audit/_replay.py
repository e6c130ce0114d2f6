"""Running an edit again from its record, and comparing the results."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from overpaint.engines import Monitor
from overpaint.errors import OverpaintError, RecordError
from overpaint.geometry import Box
from overpaint.picture import Picture, encode, open_picture
from overpaint.picture.c2pa_store import holds_manifest, without_manifest
from overpaint.record import Record, WatermarkChoice
from overpaint.request import EditRequest, ResolvedRequest, picture_blob
from overpaint.studio import Edited, Enhanced, FinishedPicture, NetworkSource, Studio, enhancer_of

from ._surplus import surplus

Comparison = Literal["same", "different", "not compared"]


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
class FileComparison:
    """A file beside what is written into one now. Attributes as of `Replayed`."""

    file: Comparison = "not compared"
    difference: Difference | None = None
    reason: str = ""
    surplus: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Replayed:
    """An edit that was run again.

    Attributes:
        edited: The new result.
        equal: Whether its pixels have the recorded digest.
        file: Whether the earlier result's file holds what the new result is in that file's format.
        difference: From the earlier result, where that was given and has other pixels.
        reason: Why the file is not the same, or was not compared.
        surplus: What the file holds beside equal pixels: a thumbnail, or data behind the picture's end.
        notes: What has changed since (versions, device, engine).
    """

    edited: Edited | Enhanced
    equal: bool
    file: Comparison
    difference: Difference | None = None
    reason: str = ""
    surplus: str = ""
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> Comparison:
        """All in one: "same" only where the same was painted and the file was compared and holds it and no more."""
        if not self.equal:
            return "different"
        return "not compared" if self.surplus else self.file


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
    format: str | None = None,
    network: str | None = None,
    networks: NetworkSource | None = None,
    monitor: Monitor | None = None,
) -> Replayed:
    """Run an edit again.

    Args:
        studio: It paints.
        record: The edit's record.
        picture: The input.
        inputs: Rasters that the request names by digest only.
        prompts: "prompt" and "negative_prompt" where the record has only their hashes.
        made: The earlier result as its file holds it, to compare with.
        format: The format that it was written in; that of its file when left out.
        network: Of an enhancement: the name or path of its network, where it is not found by the recorded name.
        networks: Of an enhancement: where networks may come from; None: from paths and the store, no pickles.
        monitor: Progress and cancellation.

    Raises:
        RecordError: The picture is not the input, or the record does not name its input or result.
        OverpaintError: As `Studio.edit`.
    """
    if record.earlier and not record.enhanced:
        raise RecordError(
            f"the picture was made by {len(record.earlier) + 1} edits of a session, which can't be run again from its "
            "record alone: replay the session, or name the log that has the picture"
        )
    notes = [*_require_input(record, picture)]
    edited: Edited | Enhanced
    if record.enhanced:
        edited = enhancer_of(record, networks or NetworkSource(), network).enhance(picture, monitor)
    else:
        request = request_again(record.resolved).merged(**(prompts or {}))
        edited = studio.edit(picture, request, inputs=inputs, monitor=monitor).repeating(record)
    done = edited.finished
    if record.marks is not None and record.marks.watermark is not None:
        done = done.watermarked(WatermarkChoice.of_record(record.marks.watermark))
    notes += changes_since(record, edited)
    if record.pixels_sha256 is None:
        raise RecordError("the record has no digest of the result, so nothing can be compared")
    found = file_comparison(done, made, format, record)
    equal = done.pixels_sha256() == record.pixels_sha256
    return Replayed(
        edited, equal, found.file, found.difference, found.reason, found.surplus, notes=(*notes, *found.notes)
    )


def file_comparison(done: FinishedPicture, made: Picture | None, format: str | None, record: Record) -> FileComparison:
    """Whether a file holds what a result is once it is written in the file's format, how it differs, and why.

    What was carried over in a JPEG is carried over again, and what was encoded is encoded again, so that both decode to
    equal pixels; so does every other format, lossy or not, with the same quality. It is written with the file's own
    metadata, so that an untouched file has equal bytes. A signed manifest in the file is left out of account.
    """
    unknown = FileComparison()
    if made is None:
        return replace(unknown, reason="it was not given")
    format, kept = format or made.source.format, made.metadata
    data, signed = made.source.data, ""
    if data is not None and holds_manifest(data, made.source.format):
        data = without_manifest(data, made.source.format)
        signed = "the file has a signed manifest, which is not compared"
    try:
        rendered = None
        if format is not None:
            touched = None if done.everywhere else done.touched
            rendered = encode(done.picture, format, quality=record.quality, touched=touched, annotate=lambda _: kept)
            if rendered.data == data:
                return replace(unknown, file="same", notes=(signed,) if signed else ())
        true = done.picture if rendered is None else open_picture(rendered.data)
    except OverpaintError as error:
        return replace(unknown, reason=f"it can't be encoded here: {error}")
    reason, apart = "", None
    if made.size != true.size:
        reason = f"it is {made.size}, not {true.size}"
    elif made.colour != true.colour and "cmyk" in (made.colour, true.colour):
        reason = f"it is {made.mode}, not {true.mode}"
    elif (apart := difference(made, true)) is not None:
        reason = str(apart)
    elif (made.metadata.icc, made.metadata.code_points) != (true.metadata.icc, true.metadata.code_points):
        reason = "its pixels are equal, and its colour profile is another"
    more = ""
    if not reason and rendered is not None and data is not None:
        further, more = surplus(data, made.source.format, rendered.data)
        if further:
            said = f"its pixels are equal, and it holds {further}, which a viewer may show"
            return replace(unknown, file="different", reason=said)
    if not reason:
        own = made.source.format == format and not more
        notes = (signed or "the file has other bytes than are written now, with equal pixels",) if own else ()
        return replace(unknown, file="same", surplus=more, notes=notes)
    if rendered is not None and rendered.format == "jpeg" and rendered.fidelity != "blocks":
        if not importlib.util.find_spec("jpeglib"):
            return replace(unknown, reason="its JPEG blocks can't be carried over here (extra 'jpeg')")
        if done.picture.source.sha256 != record.input_sha256:
            return replace(unknown, reason="its JPEG blocks can't be carried over from another file with equal pixels")
    return replace(unknown, file="different", difference=apart, reason=reason)


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


def changes_since(record: Record, edited: Edited | Enhanced) -> list[str]:
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
