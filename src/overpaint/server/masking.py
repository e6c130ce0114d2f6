"""Masks drawn, joined and refined from what a client sent, and shown on their picture.

These functions run in a process of their own (`overpaint.bounded`): nobody vouches for the files.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from overpaint.doors.reading import EditFiles, read_edit
from overpaint.request import EditRequest, MaskSpec
from overpaint.values import Value

from .tasks import Marks, PictureId

if TYPE_CHECKING:
    from overpaint.mask import Mask


class MaskTask(Value):
    """A mask to be made: its parts are joined, then refined in the order of the fields."""

    picture: PictureId = Field(description="the picture that it is for, whose size it has")
    marks: Marks | None = Field(default=None, description="mask pictures and shapes, as for an edit")
    spec: MaskSpec | None = Field(default=None, description="parts that are added, subtracted and intersected in order")
    fill_holes: bool = Field(default=False, description="mark what is enclosed")
    remove_specks: float = Field(default=0, ge=0, le=1e8, description="unmark parts of fewer pixels than this")
    grow: float = Field(default=0, ge=-4096, le=4096, description="pixels outward; negative shrinks")
    feather: float = Field(default=0, ge=0, le=4096, description="radius in pixels of a soft edge")
    threshold: float | None = Field(default=None, ge=0, le=1, description="make it hard: 1 from this value on")


@dataclass(frozen=True, slots=True)
class MadeMask:
    """A mask, and what is to be said of it.

    Attributes:
        png: The file.
        fraction: The share of the picture that is marked.
        bounds: left, top, right, bottom of what is marked.
        hard: Whether its edges are no wider than an antialiased brush's.
        notes: For people.
    """

    png: bytes
    fraction: float
    bounds: tuple[int, int, int, int]
    hard: bool
    notes: tuple[str, ...]


def drawn_mask(files: EditFiles, task: MaskTask) -> MadeMask:
    """Draw the mask of a task, whose files are in `files`.

    Raises:
        PictureError, MaskError, RequestError: A file or a shape can't be used, or nothing is marked.
    """
    from overpaint.errors import MaskError
    from overpaint.studio.masks import mask_of

    inputs, _ = read_edit(files)
    mask = inputs.mask
    if mask is None:
        if inputs.request.mask is None:
            raise MaskError("nothing is marked", hint="set marks, or spec")
        mask = mask_of(inputs.request.mask, inputs.picture.size, inputs=inputs.rasters, picture=inputs.picture)
    notes = (*inputs.notes, *mask.notes)
    if task.fill_holes:
        mask = mask.fill_holes()
    if task.remove_specks:
        mask = mask.remove_specks(task.remove_specks)
    if task.grow:
        mask = mask.grow(task.grow) if task.grow > 0 else mask.shrink(-task.grow)
    if task.feather:
        mask = mask.feather(task.feather)
    if task.threshold is not None:
        mask = mask.threshold(task.threshold)
    return made_of(mask, notes)


def made_of(mask: Mask, notes: Iterable[str] = ()) -> MadeMask:
    """A mask as a file, and what is to be said of it."""
    from overpaint.picture import encode

    left, top, right, bottom = mask.bounds
    return MadeMask(
        png=encode(mask.to_picture(), "png").data,
        fraction=mask.fraction,
        bounds=(left, top, right, bottom),
        hard=mask.hard,
        notes=tuple(dict.fromkeys(notes)),
    )


def files_of(task: MaskTask, contents: dict[str, bytes], pixels: int | None) -> EditFiles:
    """The files of a task for a reader."""
    request = EditRequest() if task.spec is None else EditRequest(mask=task.spec)
    marks = Marks() if task.marks is None else task.marks
    return EditFiles(picture=task.picture, request=request, contents=contents, places=marks.places(), pixels=pixels)


def overlaid(files: EditFiles, share: float, side: int) -> bytes:
    """A WebP of at most `side` pixels across: the picture with its mask laid over it in a colour that stands out."""
    import cv2
    import numpy as np
    from PIL import Image

    from overpaint.mask import Mask
    from overpaint.mask.overlay import overlay_colours, tinted
    from overpaint.picture.colour import converter_for

    inputs, _ = read_edit(files)
    assert inputs.mask is not None  # the only thing that was asked for
    picture = inputs.picture
    scale = min(1.0, side / max(picture.size))
    size = tuple(max(1, round(length * scale)) for length in picture.size)
    small = cv2.resize(picture.samples, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    pixels = np.rint(np.clip(converter_for(picture, "srgb").to_canvas(small), 0, 1) * 255).astype(np.uint8)
    mask = Mask.from_array(cv2.resize(inputs.mask.values, size, interpolation=cv2.INTER_AREA))
    out = io.BytesIO()
    Image.fromarray(tinted(pixels, mask, overlay_colours(pixels, mask)[0], share)).save(out, "WEBP", quality=85)
    return out.getvalue()
