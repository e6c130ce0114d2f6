"""Regional prompts: their masks from whatever they are given as, in the scene, and what had no effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import InputError, RequestError
from overpaint.mask import Mask
from overpaint.request import EditRequest, MaskSpec, RegionalPrompt

from .masks import drawn_mask, spec_of

if TYPE_CHECKING:
    from .canvases import RegionCanvas
    from .inputs import InputRasters
    from .scene import EditScene


def about_region(error: InputError, number: int) -> InputError:
    """The error of a mask as that of a regional prompt; `number` counts from 1."""
    found = error.within(f"regional prompt {number}")
    found.field = "regional_prompts"
    return found


def are_settings(given: Any) -> bool:
    """Whether regional prompts are written as a request has them, with no mask as pixels or a file."""
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        return True  # the request refuses it
    tables = (one for one in given if isinstance(one, Mapping))
    return all(isinstance(one.get("mask"), MaskSpec | Mapping | None) for one in tables)


def regional_prompts_of(
    given: Sequence[RegionalPrompt | Mapping[str, Any]], read: Callable[[Any], Mask]
) -> tuple[tuple[RegionalPrompt, ...], dict[str, NDArray[Any]]]:
    """Regional prompts as a request has them, and the rasters of their masks that are too large for it.

    Args:
        given: Each as in a request, or with a mask that `read` takes.
        read: From what stands for a mask to a mask of the picture's size.

    Raises:
        MaskError: A mask can't be read, or has another size than the picture.
        RequestError: A setting is unknown or out of range.
    """
    found: list[RegionalPrompt] = []
    rasters: dict[str, NDArray[Any]] = {}
    for number, one in enumerate(given, start=1):
        try:
            if isinstance(one, RegionalPrompt):
                found.append(one)
                continue
            if not isinstance(one, Mapping):
                raise RequestError(f"must be a table with prompt and mask, not {type(one).__name__}")
            table = dict(one)
            if not isinstance(table.get("mask"), MaskSpec | Mapping | None):
                table["mask"], carried = spec_of(read(table["mask"]))
                rasters |= carried
            found.append(RegionalPrompt(**table))
        except InputError as error:
            raise about_region(error, number) from None
    return tuple(found), rasters


def prompt_masks_of(request: EditRequest, rasters: InputRasters) -> tuple[Mask, ...]:
    """Where each regional prompt holds in the picture as opened; a mask may be empty.

    Raises:
        MaskError: A mask has another size than the picture.
        RequestError: A raster is not there.
    """
    found = []
    for number, one in enumerate(request.regional_prompts or (), start=1):
        try:
            found.append(drawn_mask(one.mask, rasters.picture.size, inputs=rasters.by_digest, picture=rasters.picture))
        except InputError as error:
            raise about_region(error, number) from None
    return tuple(found)


def region_notes(scene: EditScene, canvases: Sequence[RegionCanvas]) -> Iterator[str]:
    """Notes on masks of regional prompts, and on prompts that no painted pixel follows."""
    for number, mask in enumerate(scene.prompt_masks, start=1):
        name = f"regional prompt {number}"
        yield from (f"{name}: {note}" for note in mask.notes)
        if mask.bounds.empty:
            yield f"{name}: its mask is empty, and it had no effect"
        elif not any((one.canvas.prompt_masks[number - 1][one.canvas.hole] > 0).any() for one in canvases):
            yield f"{name}: its mask lies beyond what is repainted, and it had no effect there"


def extended_prompt_mask(mask: Mask, widths: tuple[tuple[int, int], ...]) -> Mask:
    """The mask of a regional prompt in a picture with margins: what touches the old border goes on beyond it."""
    return Mask(np.pad(mask.values, widths, mode="edge"), mask.notes)
