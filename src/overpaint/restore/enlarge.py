"""A picture at a larger size: its colours by filters that it teaches, or by a network; alpha by Lanczos' filter.

All that a picture is beside its pixels stays: depth, colour model, profile, EXIF, dpi. A record of an earlier edit does
not, as it describes the picture before.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from overpaint.engines import Monitor
from overpaint.engines.weight_store import available_memory
from overpaint.errors import EngineError, RequestError
from overpaint.exemplar.blas import one_thread
from overpaint.geometry import Box, Size
from overpaint.picture import Picture, Samples, current_limits
from overpaint.picture.colour import converter_for
from overpaint.picture.hidden import edge_extended
from overpaint.record import (
    TEACHES,
    UPSCALER,
    EditStatement,
    Marking,
    SourceType,
    declaring,
    provenance_of,
    strip,
    type_of_edit,
    version,
    with_statement,
)

from .self_taught import Plane, doubled, lanczos, taught_by

LARGEST_SCALE = 16.0
"""How many times as wide a picture may become."""


_BYTES_MADE, _BYTES_BETWEEN = 45, 30
"""Bytes of memory for each pixel of the result, and of the picture that it is reduced from: measured with 8-bit RGB."""


class Upscaler(Protocol):
    """A network that enlarges.

    Attributes:
        name: Its file, without folders and extension.
        scale: How many times as wide it makes a picture.
    """

    name: str
    scale: int

    def __call__(self, colours: Plane, on_tile: Callable[[int, int], None]) -> Plane:
        """The picture enlarged, (scale H, scale W, 3) float32.

        Args:
            colours: (H, W, 3) float32 in [0, 1], sRGB.
            on_tile: To be called after each tile with its number and the number of tiles; may raise to stop.
        """


@dataclass(frozen=True, slots=True, eq=False)
class EnlargedPicture:
    """A picture at a larger size.

    Attributes:
        picture: The result; its source is the original's.
        scale: How many times as wide it is.
        by: What enlarged it: a network's name, or `TEACHES`.
        notes: For people.
    """

    picture: Picture
    scale: float
    by: str
    notes: tuple[str, ...] = ()


def enlarged_size(
    size: Size, *, scale: float | None = None, width: int | None = None, height: int | None = None
) -> Size:
    """The size that a picture gets: so many times as large, or as large as fits into a width and a height.

    Args:
        size: The picture's.
        scale: 1 to `LARGEST_SCALE`. Left out with the others: 2.
        width, height: In pixels; the proportions stay.

    Raises:
        RequestError: A value is out of range, both a scale and a side are given, or the picture would not get larger.
    """
    if scale is not None and (width is not None or height is not None):
        field = "width" if width is not None else "height"
        message = "{field} and a scale are two answers to one question"
        raise RequestError(message, field=field, value=width or height, hint="leave one of them out")
    for field, side in (("width", width), ("height", height)):
        if side is not None and side < 1:
            raise RequestError(f"{{field}} must be at least 1 pixel, not {side}", field=field, value=side)
    if width is None and height is None:
        scale = 2.0 if scale is None else scale
        if not 1 < scale <= LARGEST_SCALE:
            message = f"{{field}} must be more than 1 and at most {LARGEST_SCALE:g}, not {scale:g}"
            raise RequestError(message, field="scale", value=scale)
    else:
        field = "width" if height is None or (width and width / size.width < height / size.height) else "height"
        side, own = (width, size.width) if field == "width" else (height, size.height)
        assert side is not None
        scale = side / own
        if not 1 < scale <= LARGEST_SCALE:
            message = f"{{field}} {side} is {scale:.3g} times that of the picture, {own}"
            hint = f"give more than {own} and at most {own * LARGEST_SCALE:.0f}"
            raise RequestError(message, field=field, value=side, hint=hint)
    return Size(max(1, round(size.width * scale)), max(1, round(size.height * scale)))


def enlarge(
    picture: Picture,
    *,
    scale: float | None = None,
    width: int | None = None,
    height: int | None = None,
    upscaler: Upscaler | None = None,
    monitor: Monitor | None = None,
) -> EnlargedPicture:
    """Enlarge a picture.

    Args:
        picture: The picture.
        scale, width, height: See `enlarged_size`.
        upscaler: The network; None: filters that the picture teaches.
        monitor: Progress and cancellation.

    Raises:
        RequestError: See `enlarged_size`.
        PictureError: The result would have too many pixels.
        EngineError: There is not enough memory, or the network gave pixels that are not finite numbers.
        Cancelled: The monitor was cancelled.
    """
    monitor = monitor or Monitor()
    to = enlarged_size(picture.size, scale=scale, width=width, height=height)
    current_limits().check_pixels(to.width, to.height)
    _check_memory(picture.size, to, upscaler)
    samples, notes = picture.samples, []
    if picture.alpha is not None:
        samples = edge_extended(samples, picture.alpha == 0)
    if upscaler is None:
        colours, taught = _by_itself(_share(samples, picture.maximum), to, monitor)
        if not taught:
            notes.append("the picture is too small to teach anything: it was enlarged by Lanczos' filter")
        made = _samples(colours, picture)
    else:
        made = _by_network(picture, samples, to, upscaler, monitor)
    alpha = None
    if picture.alpha is not None:
        plane = lanczos(_share(picture.alpha, picture.maximum)[..., None], (to.width, to.height))
        alpha = _samples(plane, picture)[..., 0]
    notes += left_out(picture)
    by, engine, models = (TEACHES, TEACHES, ()) if upscaler is None else (upscaler.name, UPSCALER, (upscaler.name,))
    result = stating(picture.with_pixels(made, alpha), "enlarge", engine, models)
    return EnlargedPicture(result, to.width / picture.size.width, by, tuple(notes))


def memory_of(size: Size, to: Size, times: int = 2) -> int:
    """Bytes of memory that it takes to enlarge a picture.

    What enlarges makes a picture whole times as large, of which a smaller result is a reduction: ten times as many
    pixels, it may be.

    Args:
        size: The picture's.
        to: The result's.
        times: How many times as wide each run makes a picture: a network's scale, or 2 without one.
    """
    between = size.area * int(times ** (2 * _runs(size, to, times)))
    return _BYTES_MADE * to.area + _BYTES_BETWEEN * between


def _runs(size: Size, to: Size, times: int) -> int:
    """How often a picture is made so many times as wide until it has a size, or more."""
    return max(1, math.ceil(math.log(to.width / size.width) / math.log(times) - 1e-9))


def _check_memory(size: Size, to: Size, upscaler: Upscaler | None) -> None:
    """Raise EngineError where there is less memory than it takes: the system would end the whole program."""
    wanted, left = memory_of(size, to, 2 if upscaler is None else upscaler.scale), available_memory()
    if left is not None and wanted > left:
        raise EngineError(
            f"to enlarge the picture to {to} takes about {wanted / 1e9:.1f} GB of memory, and {left / 1e9:.1f} GB are "
            "left",
            code="memory-short",
        )


def resized(colours: Plane, to: Size) -> Plane:
    """(h, w, C) float32 in [0, 1] at another size, by Lanczos' filter."""
    if colours.shape[:2] == to.shape:
        return colours
    return np.clip(lanczos(colours, (to.width, to.height)), 0, 1)


def _by_itself(colours: Plane, to: Size, monitor: Monitor) -> tuple[Plane, bool]:
    """The colours at a larger size, by as many doublings as are needed; whether the picture taught anything."""
    with one_thread():
        taught = taught_by(colours)
        steps = _runs(Size(colours.shape[1], colours.shape[0]), to, 2)
        for step in range(steps):
            colours = doubled(colours, taught, monitor.check)
            monitor.progress(step + 1, steps)
        return resized(colours, to), taught is not None


def _by_network(picture: Picture, samples: Samples, to: Size, upscaler: Upscaler, monitor: Monitor) -> Samples:
    """The samples at a larger size. What the network changes is brought back into the picture's own colours."""
    converter = converter_for(picture, "srgb")
    canvas = converter.to_canvas(samples)
    for _ in range(_runs(picture.size, to, upscaler.scale)):

        def on_tile(tile: int, tiles: int) -> None:
            monitor.check()
            monitor.progress(tile, tiles)

        canvas = np.clip(upscaler(canvas, on_tile), 0, 1)
        if not np.isfinite(canvas).all():
            raise EngineError(
                f"{upscaler.name} gave pixels that are not finite numbers", field="model", value=upscaler.name
            )
    canvas = resized(canvas, to)
    plain = _samples(resized(_share(samples, picture.maximum), to), picture)
    return _rounded(converter.to_samples(plain, converter.to_canvas(plain), canvas), picture)


def _share(samples: Samples, maximum: int) -> Plane:
    return samples.astype(np.float32) / np.float32(maximum)


def _samples(share: Plane, picture: Picture) -> Samples:
    return _rounded(share * np.float32(picture.maximum), picture)


def _rounded(values: NDArray[np.float32], picture: Picture) -> Samples:
    clipped: Samples = np.rint(np.clip(values, 0, picture.maximum)).astype(picture.samples.dtype)
    return clipped


def left_out(picture: Picture) -> list[str]:
    """What is to be noted where the picture holds a record that its result does not."""
    if strip(picture.metadata) == picture.metadata:
        return []
    return ["the record of an earlier edit is left out of the result: it describes the picture before"]


def stating(picture: Picture, intent: str, engine: str, models: tuple[str, ...]) -> Picture:
    """The picture, whose metadata say what was done to it, and no more how it was made before that."""
    statement = EditStatement(
        source_type=type_of_edit(learned=True, puts_in=False) if models else SourceType.ALGORITHMICALLY_ENHANCED,
        intent=intent,
        engine=engine,
        models=models,
        boxes=(Box(0, 0, *picture.size),),
        overpaint=version(),
    )
    declared = declaring(picture)
    marking = Marking()
    origin = provenance_of((statement,), declared, marking)
    stated = with_statement(strip(declared.metadata), origin, marking, picture.source.format or "png")
    return replace(declared, metadata=stated.metadata)
