"""What a session's files hold, as values: the session, the entries of its journal, and painted steps."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from overpaint.errors import RequestError
from overpaint.geometry import Box, Size
from overpaint.record import Record, StoredRecord, version
from overpaint.record._record import BoxValues, Digest
from overpaint.values import Listed, Value

MOST_COVERS = 8
"""So many times the area of a picture the regions of one edit have together at most: they are painted in 8 groups."""

Number = Annotated[int, Field(ge=1, le=1_000_000)]
Text = Annotated[str, Field(max_length=255)]


class StoredArray(Value):
    """An array, kept as its bytes (row-major, low byte first) under their SHA-256."""

    sha256: Digest
    dtype: Literal["uint8", "uint16", "float32"]
    shape: Annotated[Listed[tuple[Annotated[int, Field(ge=1, le=1 << 20)], ...]], Field(min_length=1, max_length=3)]

    @property
    def nbytes(self) -> int:
        """How many bytes it has."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def array(self, data: bytes) -> NDArray[Any]:
        """The array of its bytes."""
        return (
            np.frombuffer(data, np.dtype(self.dtype).newbyteorder("<"))
            .astype(self.dtype, copy=False)
            .reshape(self.shape)
        )

    @classmethod
    def of(cls, array: NDArray[Any]) -> tuple[StoredArray, bytes]:
        """The value for an array, and its bytes."""
        data = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        digest = hashlib.sha256(data).hexdigest()
        return cls.model_validate({"sha256": digest, "dtype": array.dtype.name, "shape": array.shape}), data


class StoredMask(Value):
    """A mask over a box: (h, w) uint8, 255 = 1. Boxes are in pixels of the original, from its upper left corner; where
    the picture has grown they go beyond it, to the left and above in negative numbers.
    """

    box: BoxValues
    values: StoredArray

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _check_array(self.values, "uint8", _shape(self.box))
        return self


class StoredPatch(Value):
    """One painted region of a take.

    Attributes:
        box: Where.
        samples: (h, w, C), the paint in the picture's depth, rounded.
        exact: (n, C) float32, the paint before rounding, of the n pixels whose weight lies between 0 and 1, by rows;
            None where there is none. Where the weight is 1, the rounded paint is what the composite has. In
            sessions of older versions it may go beyond the samples' range; it is clipped when it is read.
        weight: (h, w) float32, the composite mask.
        opacity: (h, w) float32, the paint's own alpha; None where it follows from the request.
    """

    box: BoxValues
    samples: StoredArray
    exact: StoredArray | None = None
    weight: StoredArray
    opacity: StoredArray | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        height, width = _shape(self.box)
        channels = self.samples.shape[-1]
        if channels not in (1, 3, 4) or self.samples.dtype == "float32":
            raise RequestError("its paint is of no kind that a picture has")
        _check_array(self.samples, self.samples.dtype, (height, width, channels))
        _check_array(self.weight, "float32", (height, width))
        if self.opacity is not None:
            _check_array(self.opacity, "float32", (height, width))
        if self.exact is not None:
            count = self.exact.shape[0]
            _check_array(self.exact, "float32", (min(count, height * width), channels))
        return self


def _shape(box: tuple[int, ...]) -> tuple[int, int]:
    """(height, width) of a box, which has an area."""
    left, top, right, bottom = box
    if right <= left or bottom <= top:
        raise RequestError(f"the box {left},{top},{right},{bottom} has no area")
    return bottom - top, right - left


def _check_array(stored: StoredArray, dtype: str, shape: tuple[int, ...]) -> None:
    """Raise RequestError unless an array has this type and shape."""
    if (stored.dtype, tuple(stored.shape)) != (dtype, shape):
        raise RequestError(f"an array of {stored.dtype} {tuple(stored.shape)} is in the place of {dtype} {shape}")


class SeenStep(Value):
    """A step that an engine saw below the one that it painted."""

    step: Number
    paint: Digest


class SessionFile(StoredRecord):
    """A file of a session that is JSON."""

    def to_bytes(self) -> bytes:
        """JSON in UTF-8."""
        return json.dumps(self.to_mapping(), ensure_ascii=False).encode()


class Take(SessionFile):
    """One painting of a step.

    Attributes:
        record: How it was made.
        canvas: The picture that it was painted on, with its margins.
        saw: The steps below that its engine saw, as they were.
        marked: Where it was to repaint.
        patches: What was painted.
    """

    title = "painted step"

    record: Record
    canvas: BoxValues
    saw: Listed[tuple[SeenStep, ...]] = ()
    marked: StoredMask
    patches: Annotated[Listed[tuple[StoredPatch, ...]], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        height, width = _shape(self.canvas)
        canvas = Box(*self.canvas)
        if tuple(self.record.size) != (width, height):
            raise RequestError(f"its canvas is {canvas.size}, and its record says {Size(*self.record.size)}")
        margins = self.record.resolved.margins or (0, 0, 0, 0)
        if min(margins) < 0 or margins[0] + margins[2] >= width or margins[1] + margins[3] >= height:
            raise RequestError(f"its canvas of {canvas.size} has no room for its margins")
        for box in (self.marked.box, *(patch.box for patch in self.patches)):
            if not canvas.contains(Box(*box)):
                raise RequestError(f"the box {','.join(map(str, box))} lies beyond its canvas")
        if sum(Box(*patch.box).area for patch in self.patches) > MOST_COVERS * canvas.area:
            raise RequestError("its patches cover its canvas more often than an edit can paint it")
        return self

    def to_mapping(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**super().to_mapping(), "record": self.record.to_mapping()}

    @classmethod
    def _completed(cls, mapping: Mapping[str, Any]) -> Mapping[str, Any]:
        record = mapping.get("record")
        return {**mapping, "record": Record.from_mapping(record)} if isinstance(record, Mapping) else mapping

    @property
    def grows(self) -> bool:
        """Whether it makes the picture larger."""
        return bool(self.record.resolved.margins)

    @property
    def place(self) -> Box:
        """Its canvas."""
        return Box(*self.canvas)

    @property
    def box(self) -> Box:
        """The box around all that it may change."""
        found = Box(0, 0, 0, 0)
        for patch in self.patches:
            found = found.union(Box(*patch.box))
        return found


def _plain_name(name: str) -> str:
    if name in (".", ".."):
        raise RequestError(f"{name!r} is no file's name")
    return name


class OriginalFile(Value):
    """The picture that a session begins with.

    Attributes:
        sha256: Digest of its file.
        size: Bytes of its file.
        name: The file's name without its folder; "" for none.
        width, height: Pixels, as displayed.
    """

    sha256: Digest
    size: Annotated[int, Field(ge=1)]
    name: Annotated[str, Field(max_length=255, pattern=r"^[^/\\\x00-\x1f\x7f]*$"), AfterValidator(_plain_name)] = ""
    width: Annotated[int, Field(ge=1, le=1 << 20)]
    height: Annotated[int, Field(ge=1, le=1 << 20)]

    @property
    def box(self) -> Box:
        """The picture's box."""
        return Box(0, 0, self.width, self.height)


class SessionHead(SessionFile):
    """The first file of a session.

    Attributes:
        format: Always "overpaint-session".
        overpaint: The version that made it.
        created: When, in UTC (ISO 8601).
        original: The picture that it begins with.
    """

    title = "session"

    format: Literal["overpaint-session"] = "overpaint-session"
    overpaint: Text = Field(default_factory=version)
    created: Text
    original: OriginalFile


class AddStep(Value):
    """A new step on top, with its takes."""

    do: Literal["edit"] = "edit"
    step: Number
    takes: Annotated[Listed[tuple[Digest, ...]], Field(min_length=1, max_length=1000)]


class AddTakes(Value):
    """A step was painted again; the first of the new takes is picked."""

    do: Literal["rerun"] = "rerun"
    step: Number
    takes: Annotated[Listed[tuple[Digest, ...]], Field(min_length=1, max_length=1000)]


class PickTake(Value):
    """Another take of a step shows. They count from 1."""

    do: Literal["pick"] = "pick"
    step: Number
    take: Number


class PutAside(Value):
    """These takes of a step, and no others, are put aside: they stay, and lists of results leave them out."""

    do: Literal["aside"] = "aside"
    step: Number
    takes: Annotated[Listed[tuple[Number, ...]], Field(max_length=10_000)] = ()


class ShowStep(Value):
    """A step is shown or hidden."""

    do: Literal["show"] = "show"
    step: Number
    visible: bool


class SetOpacity(Value):
    """The opacity of a step, 0 to 1."""

    do: Literal["opacity"] = "opacity"
    step: Number
    opacity: Annotated[float, Field(ge=0, le=1)]


class SetMask(Value):
    """Where a step shows: 1 = shown; beyond the mask's box it is. Without a mask it shows everywhere."""

    do: Literal["mask"] = "mask"
    step: Number
    mask: StoredMask | None = None


class MoveStep(Value):
    """A step goes to another place in the stack, 1 being the lowest. Nothing is painted again."""

    do: Literal["move"] = "move"
    step: Number
    to: Number


class Undo(Value):
    """Back to the state before."""

    do: Literal["undo"] = "undo"


class Redo(Value):
    """Forward to the state that was undone last."""

    do: Literal["redo"] = "redo"


def _branch_name(name: str) -> str:
    if not name.strip() or name != name.strip() or not name.isprintable():
        raise RequestError(f"must be one line of text without blanks at its ends, not {name!r}")
    return name


class NewBranch(Value):
    """A new branch, from where the present one is."""

    do: Literal["branch"] = "branch"
    name: Annotated[str, Field(max_length=100), AfterValidator(_branch_name)]


class SwitchBranch(Value):
    """Another branch goes on."""

    do: Literal["switch"] = "switch"
    name: Text


class DropPaint(Value):
    """What nothing leads to any more was dropped, to make the session smaller.

    Attributes:
        takes: The takes whose paint is gone, by digest.
        branches: The branches that are gone.
        undo: Whether nothing before can be undone, nor done again.
    """

    do: Literal["compact"] = "compact"
    takes: Listed[tuple[Digest, ...]] = ()
    branches: Listed[tuple[Text, ...]] = ()
    undo: bool = False


class LostAction(Value):
    """In place of an action that was lost with a part of the session's files; what it did is not known.

    Attributes:
        last_step: The highest number that a step has had, where steps were lost; None otherwise.
    """

    do: Literal["lost"] = "lost"
    last_step: Number | None = None


Action = (
    AddStep
    | AddTakes
    | PickTake
    | PutAside
    | ShowStep
    | SetOpacity
    | SetMask
    | MoveStep
    | Undo
    | Redo
    | NewBranch
    | SwitchBranch
    | DropPaint
    | LostAction
)
"""What is done to a session. The journal has all of them, and its state follows from them."""


class JournalEntry(SessionFile):
    """One action.

    Attributes:
        number: From 1.
        previous: SHA-256 of the entry before, of the session's first file for the first entry.
        time: When, in UTC (ISO 8601).
        action: What was done.
    """

    title = "journal entry"

    number: Number
    previous: Digest
    time: Text
    action: Annotated[Action, Field(discriminator="do")]
