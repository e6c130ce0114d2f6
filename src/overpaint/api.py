"""The common tasks as single functions, on a studio that the process shares."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Unpack, cast

from .engines import Monitor
from .errors import RequestError
from .files import write_file
from .geometry import Box
from .mask import Mask
from .picture import Picture, encode, format_for_path, open_picture
from .request import EditRequest
from .select import HintPoint, Selection, SelectorHints, network_access, select, selector_for
from .studio import Edit, Edited, EditFailure, Studio
from .studio.controls import ControlLike
from .studio.controls import control_map as made_map
from .studio.inputs import EditArguments, MaskLike, as_mask
from .studio.inserts import Pictured, picture_of


@cache
def _studio() -> Studio:
    studio = Studio()
    atexit.register(studio.close)
    return studio


def open(source: str | os.PathLike[str] | bytes | BinaryIO) -> Picture:
    """Open a picture of 8 or 16 bits: PNG, JPEG, WebP, TIFF, AVIF, BMP, a still GIF or JPEG 2000; HEIC with the extra
    `heif`.

    Raises:
        PictureError: It can't be read; the message has the reason and what would be right.
    """
    return open_picture(source)


def save(
    picture: Picture,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    quality: int | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a picture; whole or not at all. (`Edited.save` writes a result with its record.)

    Args:
        picture: What to write.
        path: Where; its extension gives the format.
        format: "png", "jpeg", "webp", "tiff" or "avif", where the extension does not name it.
        quality: 1 to 100, for lossy formats.
        overwrite: Whether an existing file may be replaced.

    Raises:
        OutputError: The file exists, can't be written, or its format can't hold the picture.
    """
    target = Path(path)
    encoded = encode(picture, format_for_path(target, format), quality=quality)
    write_file(target, encoded.data, overwrite=overwrite)
    return target


def edit(
    picture: Pictured,
    request: EditRequest | None = None,
    *,
    monitor: Monitor | None = None,
    **given: Unpack[EditArguments],
) -> Edited:
    """Repaint the masked part of a picture. See `Studio.edit`, which this calls on a shared studio.

        overpaint.edit("photo.jpg", mask=mask, intent="replace", prompt="a red flower", strength=0.85)

    Args:
        picture: A picture, an array, a PIL image, or a file: its path, its bytes or open.
        request: The request; settings given beside it override its fields.
        monitor: Progress and cancellation.
        **given: `mask`, where to repaint, 1 = repaint: a Mask, an array, a PIL image, or a mask file; `sketch`,
            `insert`, `avoid`, `inputs`; and settings by name: intent, prompt, engine ...
    """
    return _studio().edit(picture, request, monitor=monitor, **given)


def variations(
    picture: Pictured,
    request: EditRequest | None = None,
    *,
    count: int,
    monitor: Monitor | None = None,
    **given: Unpack[EditArguments],
) -> Iterator[Edited]:
    """One edit with `count` seeds, one after another. See `Studio.variations`."""
    return _studio().variations(picture, request, count=count, monitor=monitor, **given)


def edit_many(
    edits: Iterable[Edit | tuple[Pictured, MaskLike] | Pictured],
    request: EditRequest | None = None,
    **given: Unpack[EditArguments],
) -> Iterator[Edited | EditFailure]:
    """Make many edits, in their order; one that fails gives an EditFailure. See `Studio.edit_many`."""
    return _studio().edit_many(edits, request, **given)


def remove(picture: Pictured, mask: MaskLike, **settings: Any) -> Edited:
    """Remove the masked object from the picture.

    Args:
        picture: A picture, an array, a PIL image, or a file: its path, its bytes or open.
        mask: What to remove, 1 = repaint.
        **settings: Fields of EditRequest: engine, grow, feather, seed ...
    """
    return edit(picture, **removal(mask, settings))


def recolor(picture: Pictured, mask: MaskLike, to: str, **settings: Any) -> Edited:
    """Give the masked object another colour; its shading, highlights and texture stay.

    Args:
        picture: A picture, an array, a PIL image, or a file: its path, its bytes or open.
        mask: The object, 1 = repaint.
        to: The colour: "navy", "dark green", "#1e66d0".
        **settings: Fields of EditRequest: options (only, tone, tolerance), grow ...
    """
    return edit(picture, **recolouring(mask, to, settings))


def expand(
    picture: Pictured, *, left: int = 0, top: int = 0, right: int = 0, bottom: int = 0, **settings: Any
) -> Edited:
    """Extend the picture beyond its borders.

    Args:
        picture: A picture, an array, a PIL image, or a file: its path, its bytes or open.
        left, top, right, bottom: Pixels to add on each side.
        **settings: Fields of EditRequest.
    """
    return edit(picture, **extension((left, top, right, bottom), settings))


def selections(
    picture: Pictured,
    selector: str | None = None,
    *,
    points: Sequence[tuple[float, float]] = (),
    not_points: Sequence[tuple[float, float]] = (),
    text: str = "",
    boxes: Sequence[Box | tuple[int, int, int, int]] = (),
    mask: Mask | None = None,
    allow_pickle: bool = False,
    **options: Any,
) -> list[Selection]:
    """What a selector finds in a picture, the surest first: masks with a score and a label.

        face, *others = overpaint.selections("photo.jpg", "faces")
        thing = overpaint.selections("photo.jpg", points=[(420, 310)])[0].mask
        cars = overpaint.selections("photo.jpg", text="the red car")

    Args:
        picture: A picture, an array, a PIL image, or a file: its path, its bytes or open.
        selector: "grabcut" (the thing at points or in boxes), "colour", "edges", "subject", "background", "faces",
            "scratches", "lines", "spots" ...; `overpaint.select.selector_names()` has all. Left out, it follows from
            the hints: with words the one that understands them best of those that are here, else "sam" where a network
            for it is here, else "grabcut".
        points: (x, y) each, in pixels, on what is meant.
        not_points: Likewise, on what is not.
        text: What is meant, in words: "the red car".
        boxes: (left, top, right, bottom) each, around what is meant.
        mask: A rough mask that is refined.
        allow_pickle: Whether a selector's network may be a pickle (.pth); no code in it is run.
        **options: The selector's own: tolerance, contiguous, sensitivity ...

    Raises:
        RequestError: There is no such selector, or a hint or an option does not suit it.
        MaskError: It found nothing ("nothing-selected").
        ModelError: Its network is not here.
    """
    marked = [*(HintPoint(*at) for at in points), *(HintPoint(*at, inside=False) for at in not_points)]
    around = tuple(one if isinstance(one, Box) else Box(*one) for one in boxes)
    hints = SelectorHints(points=tuple(marked), boxes=around, text=text, mask=mask, options=options)
    with network_access(paths=True, allow_pickle=allow_pickle):
        return select(picture_of(picture), selector or selector_for(hints), hints)


def control_map(
    picture: Pictured,
    control: ControlLike,
    *,
    mask: MaskLike | None = None,
    size: int | None = None,
    allow_pickle: bool = False,
) -> Picture:
    """The map that a control makes of a picture, as it would guide a model.

        overpaint.save(overpaint.control_map("photo.jpg", "canny", size=512), "edges.png")
        overpaint.control_map("photo.jpg", {"kind": "lineart", "options": {"detail": 0.8}})

    Args:
        picture: A picture, an array, a PIL image, or a file: its path, its bytes or open.
        control: Its kind or its settings; it has no image.
        mask: What it covers is left out of the map, unless the control's `inside` is true.
        size: The working size, as the side of a square; None: the picture's own size.
        allow_pickle: Whether a network that makes it may be a pickle; no code in it is run.

    Raises:
        PictureError, MaskError, RequestError: What came in can't be used.
        ModelError, MissingExtraError, EngineError: A network that makes it is not here, or can't be used.
    """
    with network_access(paths=True, allow_pickle=allow_pickle):
        return made_map(picture, control, mask=None if mask is None else as_mask(mask), size=size)


def enlarge(
    picture: Pictured,
    *,
    scale: float | None = None,
    width: int | None = None,
    height: int | None = None,
    model: str | None = None,
    allow_pickle: bool = False,
    monitor: Monitor | None = None,
) -> Picture:
    """Enlarge a picture by filters that it teaches itself, or by a network; depth, alpha, profile, EXIF and dpi stay.

    Args:
        picture: A picture, an array, a PIL image, or a file: its path, its bytes or open.
        scale: How many times as wide and as high, more than 1, up to 16. Left out with the others: 2.
        width, height: In pixels, in place of a scale: as large as fits into them, the proportions kept.
        model: A network that enlarges: the path of its file, or its name in the store; the extra `restore` is needed.
        allow_pickle: Whether that may be a pickle (.pth); no code in it is run.
        monitor: Progress and cancellation.

    Raises:
        RequestError: The picture would not get larger, or more than 16 times as large.
        ModelError: The network's file is missing, damaged, no upscaler, or a pickle that is not allowed.
        PictureError: It can't be read, or the result would have too many pixels.
    """
    from .restore import enlarge as enlarged  # needs OpenCV
    from .restore import load_upscaler

    upscaler = None if model is None else load_upscaler(model, allow_pickle=allow_pickle)
    opened = picture_of(picture)
    return enlarged(opened, scale=scale, width=width, height=height, upscaler=upscaler, monitor=monitor).picture


def removal(mask: MaskLike, settings: Mapping[str, Any]) -> EditArguments:
    """The arguments of the edit that `remove` makes."""
    return cast(EditArguments, {**_with(settings, "remove", intent="remove"), "mask": mask})


def recolouring(mask: MaskLike, to: str, settings: Mapping[str, Any]) -> EditArguments:
    """The arguments of the edit that `recolor` makes."""
    others = {name: value for name, value in settings.items() if name != "options"}
    own = _with(others, "recolor", intent="recolor", engine="recolor")
    options = _with(dict(settings.get("options") or {}), "recolor", to=to)
    return cast(EditArguments, {**own, "mask": mask, "options": options})


def extension(margins: tuple[int, int, int, int], settings: Mapping[str, Any]) -> EditArguments:
    """The arguments of the edit that `expand` makes; the margins are left, top, right and bottom."""
    return cast(EditArguments, _with(settings, "expand", intent="expand", margins=margins))


def _with(settings: Mapping[str, Any], task: str, **own: Any) -> dict[str, Any]:
    """The settings with those that the task gives itself.

    Raises:
        RequestError: One of those is given another value beside it.
    """
    for name, value in own.items():
        if name in settings and settings[name] != value:
            raise RequestError(
                f"{task} gives {{field}} itself, {value!r}, and {settings[name]!r} is given beside it",
                field=name,
                value=settings[name],
                hint="leave it out, or call edit",
            )
    return {**settings, **own}
