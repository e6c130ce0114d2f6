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
    import cv2
    import numpy as np
    from PIL import Image

    from overpaint.picture import open_picture
    from overpaint.picture.colour import converter_for

    working_on("the picture", "picture")
    with _limited(pixels):
        picture = open_picture(data)
    scale = min(1.0, side / max(picture.size))
    size = tuple(max(1, round(length * scale)) for length in picture.size)

    def reduced(samples: Any) -> Any:
        small = cv2.resize(samples, size, interpolation=cv2.INTER_AREA)
        return small[..., np.newaxis] if small.ndim == 2 else small

    colours = converter_for(picture, "srgb").to_canvas(reduced(picture.samples))
    if picture.alpha is not None:
        colours = np.dstack([colours, reduced(picture.alpha) / np.float32(picture.maximum)])
    out = io.BytesIO()
    Image.fromarray(np.rint(np.clip(colours, 0, 1) * 255).astype(np.uint8)).save(out, "WEBP", quality=80)
    return out.getvalue()


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
