"""A picture in layers, as values; the pixels of a layer are read when they are written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias
from unicodedata import category

import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box
from overpaint.picture import CodePoints, Colour, Picture, Samples
from overpaint.picture import icc as profiles
from overpaint.record import (
    EditStatement,
    Marking,
    MarksRecord,
    Record,
    embed,
    provenance_of,
    strip,
    with_statement,
)
from overpaint.record.provenance import MarkedMetadata

MOST_TITLE = 60
"""Characters of a title that are the edit's prompt."""

MOST_UNITS = 255
"""Units of UTF-16 in a layer's name, as Photoshop has it."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerPixels:
    """What a layer has in it.

    Attributes:
        samples: (h, w, C) of the picture's dtype: the whole paint, as it is below its mask too.
        mask: (h, w) float32 in [0, 1]: where the layer shows.
    """

    samples: Samples
    mask: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Painted pixels above the picture, unblended, so that a retoucher can soften or widen their edge.

    Attributes:
        name: For people, in any script.
        box: Where, in pixels of the picture; it may go beyond its border.
        read: Gives the pixels, over `box`. Called for each file that is written, so that they need not be in memory.
        opacity: Of the whole layer, 0 to 1.
        visible: Whether it shows.
    """

    name: str
    box: Box
    read: Callable[[], LayerPixels]
    opacity: float = 1.0
    visible: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class LayerGroup:
    """Layers that belong together.

    Attributes:
        name: For people, in any script.
        members: From below to above.
        visible: Whether any of them shows.
    """

    name: str
    members: tuple[LayerNode, ...]
    visible: bool = True


LayerNode: TypeAlias = Layer | LayerGroup


@dataclass(frozen=True, eq=False)
class LayeredPicture:
    """A picture in layers.

    The layers mix colours alone. Where the result has transparency, that lies over all of them as one mask, so that
    they give the result's colours and its transparency exactly, whatever an edit did to either.

    Attributes:
        base: The lowest layer: the original with its margins. Its own transparency does not count.
        layers: Above it, from below to above.
        merged: The result.
        record: How it was made, for the file's metadata; None leaves it out, and an earlier one too.
        edits: Statements on the edits that made the result, in their order; an empty list leaves them out.
        marking: What the file says of its origin. It is not signed, and its layers have no watermark.
    """

    base: Picture
    layers: tuple[LayerNode, ...]
    merged: Picture
    record: Record | None = None
    edits: tuple[EditStatement, ...] = ()
    marking: Marking = Marking()  # noqa: RUF009 - it is frozen

    @cached_property
    def transparency(self) -> Samples | None:
        """(H, W) the result's alpha; None where it is opaque throughout."""
        alpha = self.merged.alpha
        return None if alpha is None or alpha.min() == self.merged.maximum else alpha

    def metadata(self, format: str) -> MarkedMetadata:
        """The result's metadata for a file of this format, with its origin and the record.

        Where no colour is stated and the picture has 16 bits, they say that it is sRGB: Krita takes such files for
        linear light, or asks.
        """
        own = self.merged.metadata
        points, colour = own.code_points, self.merged.colour
        unstated = own.icc is None and (points is None or points.is_srgb)
        if unstated and self.merged.depth == 16 and colour is not Colour.CMYK:
            srgb = CodePoints(1, 13).profile
            assert srgb is not None
            own = replace(own, icc=profiles.encoded(srgb.grey if colour is Colour.GREY else srgb, "sRGB"))
        stated = MarkedMetadata(own, "")
        if self.edits:
            origin = provenance_of(self.edits, self.merged, self.marking)
            stated = with_statement(own, origin, self.marking, format)
        if self.record is None:
            return replace(stated, metadata=strip(stated.metadata))
        marks = MarksRecord(provenance=self.marking.mode, source_type=stated.source_type)
        record = self.record.model_copy(update={"marks": marks})
        return replace(stated, metadata=embed(stated.metadata, record, format))

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write a layered file, whole or not at all; its extension (.psd, .psb or .ora) gives the format.

        Raises:
            OutputError: The file exists, its name has another extension, or its format can't hold the picture.
        """
        from ._files import prepare_layers

        prepare_layers(self, path, overwrite=overwrite).publish()
        return Path(path)

    def encode(self, format: str) -> bytes:
        """The bytes of a layered file: "psd", "psb" or "ora". Raises OutputError where it can't hold the picture."""
        from ._files import encode_layers

        return encode_layers(self, format)


def layers_of(nodes: tuple[LayerNode, ...]) -> Iterator[Layer]:
    """All layers, also those in groups, from below to above."""
    for node in nodes:
        if isinstance(node, LayerGroup):
            yield from layers_of(node.members)
        else:
            yield node


def plain_name(name: str) -> str:
    """A name as both formats hold it: on one line, at most 255 units of UTF-16, nothing that XML has no place for."""
    kept = "".join(" " if one.isspace() or category(one) == "Cc" else one for one in name).strip()
    wide = "".join("\ufffd" if category(one) == "Cs" or one in "\ufffe\uffff" else one for one in kept)
    return wide.encode("utf-16-be")[: 2 * MOST_UNITS].decode("utf-16-be", "ignore") or "Layer"


def title_of(intent: str, prompt: str) -> str:
    """An edit's name for people: "Replace: a red ball"."""
    short = prompt if len(prompt) <= MOST_TITLE else f"{prompt[: MOST_TITLE - 1].rstrip()}…"
    return f"{intent.capitalize()}: {short}" if short.strip() else intent.capitalize()
