"""Imperceptible marks in pixels. Overpaint brings none: they are found by the entry points of the group
`overpaint.marks`.

A package adds one by declaring `name = "module:Class"` there; the class takes no arguments and is a `Watermark`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import OutputError, RequestError, did_you_mean
from overpaint.picture import Colour, Picture, Samples

from ._marks import WatermarkRecord

GROUP = "overpaint.marks"

WatermarkArea = Literal["patch", "whole"]
"""Where a watermark may change pixels: where an edit did, or everywhere."""


@dataclass(frozen=True, slots=True)
class FoundWatermark:
    """A watermark that was found.

    Attributes:
        payload: What it holds.
        confidence: How sure that is, 0 to 1.
    """

    payload: bytes = b""
    confidence: float = 1.0


class Watermark(Protocol):
    """An imperceptible mark."""

    capacity: int
    """Bytes of payload that it holds at most; 0 where it has none."""

    def embed(self, pixels: NDArray[np.float32], mask: NDArray[np.bool_], payload: bytes) -> NDArray[np.float32]:
        """The pixels with the mark. Equal arguments give equal results, so that an edit can be replayed.

        Args:
            pixels: (H, W, 3) float32 in [0, 1], the picture's own encoded values.
            mask: (H, W): where pixels may change. Changes elsewhere are thrown away.
            payload: At most `capacity` bytes.
        """

    def detect(self, pixels: NDArray[np.float32]) -> FoundWatermark | None:
        """The mark in (H, W, 3) float32 pixels; None where there is none."""


@dataclass(frozen=True, slots=True)
class WatermarkChoice:
    """A watermark that a file gets.

    Attributes:
        name: Its name.
        area: Where it may change pixels. "whole" gives up that pixels beyond the edit are as they were.
        payload: What it holds.
    """

    name: str
    area: WatermarkArea = "patch"
    payload: bytes = b""

    @classmethod
    def of_record(cls, record: WatermarkRecord) -> WatermarkChoice:
        """That of a file, by its record."""
        return cls(record.name, record.area, bytes.fromhex(record.payload))

    @property
    def record(self) -> WatermarkRecord:
        """As a record has it."""
        return WatermarkRecord(name=self.name, area=self.area, payload=self.payload.hex())

    def check(self, colour: Colour | None = None) -> None:
        """Find out before any work whether it can be made.

        Args:
            colour: The picture's colour, where that is known.

        Raises:
            RequestError: There is no watermark of this name, or it holds less.
            OutputError: It can't be loaded, or the picture is CMYK.
        """
        capacity = watermark(self.name).capacity
        if len(self.payload) > capacity:
            raise RequestError(
                f"{{field}} has {len(self.payload)} bytes, and the watermark {self.name} holds {capacity}",
                code="watermark-payload",
                field="watermark_payload",
                value=len(self.payload),
            )
        if colour is Colour.CMYK:
            message = f"the watermark {self.name} can't be put into a CMYK picture"
            raise OutputError(message, code="watermark-colour", field="watermark", value=self.name)


@cache
def _entries() -> Mapping[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def watermark_names() -> tuple[str, ...]:
    """Every watermark's name, sorted; nothing is loaded."""
    return tuple(sorted(_entries()))


@cache
def watermark(name: str) -> Watermark:
    """The watermark of this name.

    Raises:
        RequestError: There is none.
        OutputError: It can't be loaded.
    """
    names = watermark_names()
    if name not in names:
        known = f"installed: {', '.join(names)}" if names else "none is installed, and none comes with Overpaint"
        raise RequestError(
            f"no watermark is called {name!r} ({known}){did_you_mean(name, names)}",
            code="watermark-unknown",
            field="watermark",
            value=name,
        )
    entry = _entries()[name]
    try:
        return cast("Watermark", entry.load()())
    except Exception as error:
        raise _failed(name, f"({entry.value}) can't be loaded: {error}") from error


def with_watermark(picture: Picture, choice: WatermarkChoice, mask: NDArray[np.bool_]) -> Picture:
    """The picture with a watermark; pixels beyond the mask, and alpha, stay.

    Args:
        picture: Grey or RGB.
        choice: The watermark.
        mask: (H, W): where it may change pixels.

    Raises:
        RequestError, OutputError: As `WatermarkChoice.check`, or it failed.
    """
    choice.check(picture.colour)
    pixels = _levels(picture)
    try:
        made = np.asarray(watermark(choice.name).embed(pixels.copy(), mask.copy(), choice.payload), np.float32)
    except Exception as error:
        raise _failed(choice.name, f"failed: {type(error).__name__}: {error}") from error
    if made.shape != pixels.shape or not np.isfinite(made[mask]).all():
        raise _failed(choice.name, f"gave no pixels of the picture's shape {pixels.shape}")
    change = made - pixels
    if picture.colour is Colour.GREY:
        change = change.mean(axis=2, keepdims=True)
    samples = picture.samples.copy()
    values = samples[mask] + np.rint(change[mask] * picture.maximum)
    samples[mask] = np.clip(values, 0, picture.maximum).astype(samples.dtype)
    return picture.with_pixels(samples, picture.alpha)


def found_watermark(picture: Picture, name: str) -> FoundWatermark | None:
    """What a watermark's own detector finds in a picture; None for nothing, and in CMYK pictures.

    Raises:
        RequestError, OutputError: There is none of this name, or it failed.
    """
    mark = watermark(name)
    if picture.colour is Colour.CMYK:
        return None
    try:
        found = mark.detect(_levels(picture))
    except Exception as error:
        raise _failed(name, f"failed: {type(error).__name__}: {error}") from error
    return found


def _levels(picture: Picture) -> NDArray[np.float32]:
    """(H, W, 3) float32 in [0, 1]."""
    samples: Samples = picture.samples
    values = samples.astype(np.float32) / np.float32(picture.maximum)
    return np.repeat(values, 3, axis=2) if picture.colour is Colour.GREY else values


def _failed(name: str, what: str) -> OutputError:
    return OutputError(f"the watermark {name} {what}", code="watermark-failed", field="watermark", value=name)
