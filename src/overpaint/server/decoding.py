"""What the server learns of a picture that somebody sent, and the small picture that it shows of one.

These functions run in a process of their own (`overpaint.bounded`): nobody vouches for the file.
"""

from __future__ import annotations

import base64
import io
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from overpaint.bounded import working_on
from overpaint.errors import RequestError
from overpaint.geometry import Size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from overpaint.picture import Picture


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What is known of a stored picture.

    Attributes:
        id: The SHA-256 of its file, by which its owner names it.
        format: "png", "jpeg", ...
        width, height: In pixels, as it is shown.
        mode: Its channels and bits: "rgb 8-bit".
        bytes: The file's size.
        transparent: Whether a part of it is transparent.
        notes: For people: what is damaged, say.
    """

    id: str
    format: str
    width: int
    height: int
    mode: str
    bytes: int
    transparent: bool = False
    notes: tuple[str, ...] = ()


def facts_of(data: bytes, id: str, pixels: int | None) -> PictureFacts:
    """Open a picture. PictureError where that can't be done, or it has more pixels than it may."""
    from overpaint.picture import open_picture

    working_on("the picture", "picture")
    with _limited(pixels):
        picture = open_picture(data)
    return PictureFacts(
        id=id,
        format=picture.source.format or "png",
        width=picture.size.width,
        height=picture.size.height,
        mode=picture.source.mode or picture.mode,
        bytes=len(data),
        transparent=picture.alpha is not None and bool((picture.alpha < picture.maximum).any()),
        notes=tuple(picture.source.faults),
    )


def thumbnail_of(data: bytes, side: int, pixels: int | None) -> bytes:
    """A WebP of at most `side` pixels across, in sRGB, with its transparency."""
    import numpy as np
    from PIL import Image

    picture = _opened(data, pixels)
    scale = min(1.0, side / max(picture.size))
    colours = _reduced(picture, Size(*(max(1, round(length * scale)) for length in picture.size)))
    out = io.BytesIO()
    Image.fromarray(np.rint(colours * 255).astype(np.uint8)).save(out, "WEBP", quality=80)
    return out.getvalue()


def map_of(data: bytes, kind: str, pixels: int | None) -> bytes:
    """A PNG of the map that a control of a kind makes of a picture, without a network."""
    from overpaint.picture import encode
    from overpaint.studio.controls import control_map

    with _limited(pixels):
        return encode(control_map(data, kind), "png").data


def displayed_size_of(data: bytes, pixels: int | None) -> tuple[int, int]:
    """Width and height of a picture as it is shown, from its header where that is enough. PictureError for none."""
    from overpaint.picture import current_limits, open_picture
    from overpaint.picture.header import displayed_size

    working_on("the picture", "picture")
    with _limited(pixels):
        size = displayed_size(data, current_limits()) or open_picture(data).size
    return size.width, size.height


LARGEST_THUMBNAIL = 2048


def jpeg_thumbnail_of(data: bytes, width: int, height: int, pixels: int | None) -> tuple[bytes, int, int]:
    """A JPEG of a picture in its proportions, on white, with its width and height.

    Args:
        data: The file.
        width: In pixels; 0: `height` counts; both 0: 256.
        height: In pixels.
        pixels: The most pixels that the picture may have.

    Raises:
        PictureError: It can't be read.
        RequestError: The thumbnail would be larger than `LARGEST_THUMBNAIL`.
    """
    import numpy as np
    from PIL import Image

    picture = _opened(data, pixels)
    scale = width / picture.size.width if width or not height else height / picture.size.height
    scale = scale or 256 / picture.size.width
    size = Size(*(max(1, round(length * scale)) for length in picture.size))
    if max(size) > LARGEST_THUMBNAIL:
        raise RequestError(f"a thumbnail has at most {LARGEST_THUMBNAIL} pixels across", field="width", value=width)
    colours = _reduced(picture, size)
    if colours.shape[2] == 4:
        opacity = colours[..., -1:]
        colours = colours[..., :-1] * opacity + (1 - opacity)
    out = io.BytesIO()
    Image.fromarray(np.rint(colours * 255).astype(np.uint8)).save(out, "JPEG", quality=85)
    return out.getvalue(), size.width, size.height


def _opened(data: bytes, pixels: int | None) -> Picture:
    from overpaint.picture import open_picture

    working_on("the picture", "picture")
    with _limited(pixels):
        return open_picture(data)


def _reduced(picture: Picture, size: Size) -> NDArray[np.float32]:
    """(h, w, 3) or, with opacity, (h, w, 4) float32 in [0, 1]: the picture in sRGB, in another size."""
    import cv2
    import numpy as np

    from overpaint.picture.colour import converter_for

    def reduced(samples: Any) -> Any:
        small = cv2.resize(samples, tuple(size), interpolation=cv2.INTER_AREA)
        return small[..., np.newaxis] if small.ndim == 2 else small

    colours = converter_for(picture, "srgb").to_canvas(reduced(picture.samples))
    if picture.alpha is not None:
        colours = np.dstack([colours, reduced(picture.alpha) / np.float32(picture.maximum)])
    return np.asarray(np.clip(colours, 0, 1), np.float32)


def levels_of(data: bytes, pixels: int | None) -> NDArray[np.uint8]:
    """(H, W) uint8, the luminance of a picture, whatever its transparency: a mask as other programs have it."""
    from overpaint.picture import open_picture, to_pil

    working_on("the mask", "mask")
    with _limited(pixels):
        picture = open_picture(data)
    import numpy as np

    return np.asarray(to_pil(picture).convert("RGB").convert("L"))


def prompts_of(data: bytes, pixels: int | None) -> tuple[str, str]:
    """The prompt and the negative prompt that a picture says it was made with; "" for none."""
    from overpaint.picture import open_picture
    from overpaint.record import read_record

    working_on("the picture", "picture")
    with _limited(pixels):
        found = read_record(open_picture(data))
    if found is None:
        return "", ""
    return found.prompt, found.negative_prompt


def check_canvas(data: bytes, pixels: int | None) -> None:
    """Unpack a canvas. RequestError where it is damaged, or has more pixels than it may."""
    from overpaint.engines.packed import canvas_arrays
    from overpaint.picture import current_limits

    working_on("the canvas", "canvas")
    canvas_arrays(data, most=pixels or current_limits().pixels)


def _limited(pixels: int | None) -> AbstractContextManager[None]:
    from overpaint.picture import PictureLimits, current_limits, limited

    return limited(PictureLimits(pixels=pixels or current_limits().pixels))


def small_picture(pixels: NDArray[np.float32], side: int = 256) -> str:
    """Pixels (h, w, 3) in [0, 1] as a data URL of a WebP of at most `side` pixels across, for a preview."""
    import cv2
    import numpy as np

    scale = min(1.0, side / max(pixels.shape[:2]))
    size = tuple(max(1, round(length * scale)) for length in pixels.shape[1::-1])
    small = cv2.resize(np.clip(pixels, 0, 1), size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".webp", np.rint(small[..., ::-1] * 255).astype(np.uint8), [cv2.IMWRITE_WEBP_QUALITY, 70])
    return "data:image/webp;base64," + base64.b64encode(data.tobytes()).decode()


def decoded(data: bytes, pixels: int | None) -> Picture:
    """A picture without its file, which the caller has."""
    from overpaint.picture import open_picture

    working_on("the picture", "picture")
    with _limited(pixels):
        picture = open_picture(data)
    return replace(picture, source=replace(picture.source, data=None))
