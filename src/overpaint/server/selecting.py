"""What a client's hints select in a stored picture.

The function runs in a process of its own (`overpaint.bounded`): nobody vouches for the file. That process keeps the
picture, and what a selector made of it, for the next hint.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from overpaint.bounded import working_on
from overpaint.request import SelectHints

from .masking import MadeMask, made_of
from .tasks import PictureId

if TYPE_CHECKING:
    from overpaint.picture import Picture
    from overpaint.select import Selection

MOST_SELECTIONS = 64
"""Selections that one call gives; those beyond are the least sure."""


class SelectionTask(SelectHints):
    """What is to be selected in a picture."""

    selector: Annotated[str, Field(min_length=1, max_length=1024)] | None = Field(
        default=None, description="what finds it; left out, it follows from the hints: by words, else by outlines"
    )
    mask: PictureId | None = Field(default=None, description="a rough mask that is refined, white = selected")


@dataclass(frozen=True, slots=True)
class FoundMask:
    """Something that was found.

    Attributes:
        mask: Where it is.
        score: How sure the selector is, 0 to 1.
        label: What it is; "" where there is nothing to say.
        alternative: Whether it is another meaning of the same hints as the one before.
    """

    mask: MadeMask
    score: float
    label: str
    alternative: bool = False

    @classmethod
    def of(cls, found: Selection) -> FoundMask:
        """What a selector found."""
        return cls(made_of(found.mask, found.mask.notes), found.score, found.label, found.alternative)


def found_masks(task: SelectionTask, data: bytes, rough: bytes | None, pixels: int | None) -> tuple[FoundMask, ...]:
    """What is selected, the surest first.

    Args:
        task: The selector, and the hints.
        data: The picture's file.
        rough: The file of the mask that is refined.
        pixels: The most that a picture may have.

    Raises:
        PictureError, MaskError, RequestError: A file or a hint can't be used, or nothing is found.
    """
    from overpaint.mask import Mask
    from overpaint.picture import PictureLimits, current_limits, limited
    from overpaint.select import hints_of, select, selector_for

    working_on("the picture", "image")
    with limited(PictureLimits(pixels=pixels or current_limits().pixels)):
        picture = _opened(data)
        mask = None if rough is None else Mask.from_file(rough, picture.size, channel="luminance")
    found = select(picture, task.selector or selector_for(hints_of(task)), hints_of(task, mask))[:MOST_SELECTIONS]
    return tuple(map(FoundMask.of, found))


def found_in_picture(
    task: SelectionTask, picture: Picture, rough: bytes | None, pixels: int | None
) -> tuple[FoundMask, ...]:
    """As `found_masks`, in a picture that the server has."""
    import numpy as np

    from overpaint.mask import Mask
    from overpaint.select import hints_of, select, selector_for

    from .decoding import levels_of

    working_on("the picture", "image")
    mask = None
    if rough is not None:
        mask = Mask(levels_of(rough, pixels).astype(np.float32) / np.float32(255))
    hints = hints_of(task, mask)
    found = select(picture, task.selector or selector_for(hints), hints)[:MOST_SELECTIONS]
    return tuple(map(FoundMask.of, found))


def _opened(data: bytes) -> Picture:
    """The picture of a file, which this process keeps."""
    from overpaint.picture import open_picture
    from overpaint.select.cache import shared

    key = ("file", hashlib.sha256(data).hexdigest())
    return shared.get(key, lambda: open_picture(data), lambda made: int(made.samples.nbytes) + len(data))
