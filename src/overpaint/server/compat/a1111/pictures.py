"""Work on the pictures of a call. These functions run in a process of their own, as nobody vouches for the files.

A mask of AUTOMATIC1111 is white where to repaint; one with transparent parts marks what is more than half opaque. It is
inverted, then blurred, then resized with the picture (spec: inpaint settings 1).
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from overpaint.bounded import working_on
from overpaint.geometry import Size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from overpaint.mask import Mask
    from overpaint.picture import Picture

    Plane: TypeAlias = "NDArray[np.float32]"

EnlargingFilter: TypeAlias = Literal["nearest", "lanczos"]

COVER = 1
"""The number of the resize mode that cuts at the sides (see `RESIZE_MODES`)."""


_SIDES = re.compile(r"(\d+)x(\d+)")


@dataclass(frozen=True, slots=True)
class MaskReading:
    """What is done to a mask.

    Attributes:
        invert: Whether black is repainted.
        blur: Sigmas of a Gaussian, across and down.
        webui: Whether the edit itself blurs the mask of a picture that keeps its size, and one that marks nothing
            stands for none, as in AUTOMATIC1111.
    """

    invert: bool = False
    blur: tuple[float, float] = (0.0, 0.0)
    webui: bool = False


@dataclass(frozen=True, slots=True)
class ReadyInputs:
    """Picture and mask as they are edited.

    Attributes:
        size: Of both.
        picture: The file; None: the one that was sent.
        mask: The file of the mask, which marks what stays where it is inverted; None where none was sent, or where one
            that marks nothing stands for none.
        notes: On the mask.
        blurred: Whether the mask has been blurred.
    """

    size: Size
    picture: bytes | None = None
    mask: bytes | None = None
    notes: tuple[str, ...] = ()
    blurred: bool = True


def ready_inputs(
    picture: bytes,
    mask: bytes | None,
    reading: MaskReading,
    to: Size | None,
    mode: int,
    pixels: int | None,
    unmasked: Size | None = None,
) -> ReadyInputs:
    """Read a picture and its mask, and resize both where a size is given.

    Args:
        picture: The file.
        mask: The file of the mask; None for none.
        reading: What is done to it.
        to: The size of both; None: the picture's own.
        mode: How they get it, a number of `RESIZE_MODES`.
        pixels: The most pixels that the picture may have.
        unmasked: The size where a mask that marks nothing stands for none; None: the picture's own.

    Raises:
        PictureError, MaskError: One can't be read, or the mask has other proportions than the picture.
    """
    import numpy as np

    from overpaint.frame import RESIZE_MODES, fitted
    from overpaint.mask import Mask
    from overpaint.picture import current_limits, encode

    with _limited(pixels):
        found = _opened(picture, "init_images")
        keeps = to is None or to == found.size
        later = keeps and reading.webui
        marked = (
            None if mask is None else _mask(mask, found.size, replace(reading, blur=(0.0, 0.0)) if later else reading)
        )
        if marked is not None and reading.webui and marked.bounds.empty:
            whole = ready_inputs(picture, None, reading, unmasked, mode, pixels)
            return replace(whole, notes=("the mask marks nothing: the whole picture was painted, as without a mask",))
        if to is None or keeps:
            drawn = None if marked is None else _file_of(marked, reading)
            return ReadyInputs(found.size, None, drawn, () if marked is None else marked.notes, not later)
        current_limits().check_pixels(to.width, to.height)
        resized = encode(_resized(found, to, mode), "png").data
        if marked is None:
            return ReadyInputs(to, resized)
        if reading.webui:
            values = fitted(marked.to_bytes8(), to, RESIZE_MODES[mode]).astype(np.float32) / np.float32(255)
        else:  # Lanczos would mark a faint ring around the mask
            values = fitted(marked.values, to, RESIZE_MODES[mode], "linear")
        return ReadyInputs(to, resized, _file_of(Mask(values.clip(0, 1)), reading), marked.notes)


def _file_of(mask: Mask, reading: MaskReading) -> bytes:
    """A PNG of a mask, as the client has it: one that is inverted marks what stays."""
    from overpaint.picture import encode, from_array

    levels = mask.to_bytes8()
    return encode(from_array(255 - levels if reading.invert else levels), "png").data


def guiding_picture(picture: bytes, to: Size, mode: int, pixels: int | None) -> bytes:
    """A PNG of a control's image at the size of the picture that it guides. PictureError where it can't be read."""
    from overpaint.picture import current_limits, encode

    with _limited(pixels):
        current_limits().check_pixels(to.width, to.height)
        return encode(_resized(_opened(picture, "image"), to, mode), "png").data


def reference_picture(picture: bytes, pixels: int | None) -> bytes:
    """A PNG of a picture, of its own size. PictureError where it can't be read."""
    from overpaint.picture import encode

    with _limited(pixels):
        return encode(_opened(picture, "image"), "png").data


def mapped_picture(picture: bytes, side: int, kind: str, options: dict[str, float], pixels: int | None) -> bytes:
    """A PNG of the map of a picture (see `map_picture`), of a kind that needs no network."""
    from overpaint.picture import encode
    from overpaint.studio.controls import control_map

    return encode(control_map(map_picture(picture, side, pixels), {"kind": kind, "options": options}), "png").data


def map_picture(picture: bytes, side: int, pixels: int | None) -> bytes:
    """A PNG of a picture whose shorter side is so long, for its map. PictureError where it can't be read.

    The longer side has at most twice as many pixels.
    """
    from overpaint.picture import current_limits, encode

    with _limited(pixels):
        found = _opened(picture, "image")
        scale = min(side / min(found.size), 2 * side / max(found.size))
        to = Size(max(1, round(found.size.width * scale)), max(1, round(found.size.height * scale)))
        current_limits().check_pixels(to.width, to.height)
        return encode(_resized(found, to, 0), "png").data


def blank(size: Size, pixels: int | None) -> bytes:
    """A grey PNG. PictureError where it would have too many pixels."""
    import numpy as np

    from overpaint.picture import current_limits, encode, from_array

    with _limited(pixels):
        current_limits().check_pixels(size.width, size.height)
        return encode(from_array(np.full((*size.shape, 3), 128, np.uint8)), "png").data


def enlarged_size(picture: bytes, factor: float | None, to: Size, crop: bool, pixels: int | None) -> tuple[Size, float]:
    """The size that a picture gets, and how many times as large it then is at the least.

    Args:
        picture: The file.
        factor: How many times as large; None: `to` counts.
        to: The new size.
        crop: With `to`: whether what does not fit its proportions is cut off; otherwise the picture fits into it.
        pixels: The most pixels that it may have.

    Raises:
        PictureError: It can't be read, or would have too many pixels.
    """
    from overpaint.picture import current_limits

    with _limited(pixels):
        width, height = _opened(picture, "image").size
        if factor is None and not crop:
            factor = min(to.width / width, to.height / height)
        if factor is not None:
            to = Size(max(1, round(width * factor)), max(1, round(height * factor)))
        current_limits().check_pixels(to.width, to.height)
        return to, max(to.width / width, to.height / height)


def enlarged(
    picture: bytes, factor: float | None, to: Size, crop: bool, filter: EnlargingFilter, pixels: int | None
) -> bytes:
    """A PNG of another size; "nearest" repeats pixels. Arguments and errors as of `enlarged_size`."""
    from overpaint.picture import encode

    size, _ = enlarged_size(picture, factor, to, crop, pixels)
    with _limited(pixels):
        found = _opened(picture, "image")
        return encode(_resized(found, size, COVER, nearest=filter == "nearest"), "png").data


def blended(one: bytes, other: bytes, share: float, pixels: int | None) -> bytes:
    """A PNG of two pictures of one size and kind: so much of the other, the rest of the one."""
    import numpy as np

    from overpaint.picture import encode

    def mixed(below: Any, above: Any) -> Any:
        return np.rint(below + (above.astype(np.float32) - below) * np.float32(share)).astype(below.dtype)

    with _limited(pixels):
        below, above = _opened(one, "image"), _opened(other, "image")
        alpha = None if below.alpha is None or above.alpha is None else mixed(below.alpha, above.alpha)
        return encode(below.with_pixels(mixed(below.samples, above.samples), alpha), "png").data


def expanded_mask(mask: bytes, times: int, blur: float, pixels: int | None) -> bytes:
    """A mask grown by a pixel in all eight directions so many times, then blurred; its outermost pixels stay.

    That is Pillow's `MaxFilter(3)` as many times, and `GaussianBlur`. PictureError where it can't be read.
    """
    import cv2
    import numpy as np
    from PIL import Image, ImageFilter

    from overpaint.picture import to_pil

    with _limited(pixels):
        given = to_pil(_opened(mask, "mask"))
    levels = np.asarray(given)
    side = 2 * min(times, max(levels.shape[:2])) + 1  # the maximum over a square is one of the maxima of its rows
    grown = cv2.dilate(cv2.dilate(levels, np.ones((1, side), np.uint8)), np.ones((side, 1), np.uint8))
    made = Image.fromarray(grown, given.mode)
    if blur > 0:
        made = made.filter(ImageFilter.GaussianBlur(blur))
    if min(given.size) > 2:
        inner = made.crop((1, 1, given.width - 1, given.height - 1))
        made = given.copy()
        made.paste(inner, (1, 1))
    return _png(made)


def cut_out(picture: bytes, mask: bytes, invert: bool, pixels: int | None) -> bytes:
    """A PNG of a result that is opaque where its mask, or with `invert` the rest, is, and transparent elsewhere."""
    from PIL import Image

    from overpaint.picture import to_pil

    with _limited(pixels):
        made = _opened(picture, "image")
        marked = _mask(mask, made.size, MaskReading(invert))
    colours = to_pil(made).convert("RGB")
    colours.putalpha(Image.fromarray(marked.to_bytes8()))
    return _png(colours)


def infotext_of(picture: bytes, pixels: int | None) -> tuple[str, dict[str, str]]:
    """How a picture was made, in AUTOMATIC1111's words, and its settings by key; "" where it does not say.

    The settings are those of its own reader: with both prompts, and each "256x128" as two numbers.

    PictureError where it can't be read.
    """
    from overpaint.record import infotext, parse_infotext, read_record

    with _limited(pixels):
        opened = _opened(picture, "image")
    text = opened.metadata.text.get("parameters", "")
    if not text:
        found = read_record(opened)
        if found is None:
            return "", {}
        record = getattr(found, "record", None)
        text = infotext(record) if record is not None else found.raw
    info = parse_infotext(text)
    said = {"Prompt": info.prompt, "Negative prompt": info.negative_prompt}
    for key, value in info.settings.items():
        sides = _SIDES.fullmatch(value)
        said |= {key: value} if sides is None else {f"{key}-1": sides[1], f"{key}-2": sides[2]}
    return text, said


def _mask(data: bytes, size: Size, reading: MaskReading) -> Mask:
    import numpy as np

    from overpaint.frame.webui import blurred_levels
    from overpaint.mask import Mask

    drawn = _opened(data, "mask")
    of_alpha = drawn.alpha is not None and bool((drawn.alpha < drawn.maximum).any())
    mask = Mask.from_file(data, size, channel="alpha" if of_alpha else "auto", resize=True)
    if of_alpha:
        mask = mask.threshold(128.5 / 255).with_notes(
            [*mask.notes, "the mask has transparent parts: what is opaque is repainted"]
        )
    if reading.invert:
        mask = mask.invert()
    if not any(reading.blur) or mask.bounds.empty:
        return mask
    if reading.webui:
        levels = blurred_levels(mask.to_bytes8(), reading.blur)
        return Mask(levels.astype(np.float32) / np.float32(255), mask.notes)
    # A thin mask stays whole within the blur, or what is to be replaced would show through.
    return Mask(np.maximum(mask.values, _blurred(mask.values, *reading.blur)), mask.notes)


def _blurred(values: Plane, across: float, down: float) -> Plane:
    """A Gaussian of these sigmas, whose kernel ends at 2.5 sigma, as AUTOMATIC1111 has it."""
    import cv2
    import numpy as np

    from overpaint.frame.webui import kernel_size

    made = values
    for sigma, turned in ((across, False), (down, True)):
        if sigma > 0:
            length = kernel_size(sigma)
            kernel = (1, length) if turned else (length, 1)
            made = cv2.GaussianBlur(made, kernel, sigmaX=sigma, sigmaY=sigma)
    levels = np.rint(made * np.float32(255)) / np.float32(255)
    return np.asarray(np.clip(levels, 0, 1), np.float32)


def _resized(picture: Picture, to: Size, mode: int, *, nearest: bool = False) -> Picture:
    """The picture in another size, in its own depth. Transparent pixels lend no colour to others."""
    import numpy as np

    from overpaint.frame import RESIZE_MODES, fitted
    from overpaint.record import declaring

    picture = declaring(picture)
    top, kind = np.float32(picture.maximum), picture.samples.dtype

    def plane(values: Any) -> Any:
        plain = np.asarray(values, np.float32)
        return fitted(plain, to, RESIZE_MODES[mode], "nearest" if nearest else "lanczos")

    def rounded(values: Any) -> Any:
        return np.rint(np.clip(values, 0, top)).astype(kind)

    if picture.alpha is None:
        return picture.with_pixels(rounded(_planes(picture.samples, plane)), None)
    opacity = picture.alpha.astype(np.float32) / top
    alpha = np.clip(plane(opacity), 0, 1)
    colours = _planes(picture.samples * opacity[..., None], plane) / np.maximum(alpha, np.float32(1e-6))[..., None]
    return picture.with_pixels(rounded(colours), rounded(alpha * top))


def _planes(samples: Any, plane: Callable[[Any], Any]) -> Any:
    import numpy as np

    return np.dstack([plane(samples[..., index]) for index in range(samples.shape[2])])


def _opened(data: bytes, field: str) -> Picture:
    from overpaint.errors import PictureError
    from overpaint.picture import open_picture

    working_on(field, field)
    try:
        return open_picture(data)
    except PictureError as error:
        error.field = error.field or field
        raise error.within(field) from None


@contextlib.contextmanager
def _limited(pixels: int | None) -> Iterator[None]:
    from overpaint.picture import PictureLimits, current_limits, limited

    with limited(PictureLimits(pixels=pixels or current_limits().pixels)):
        yield


def _png(image: Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
