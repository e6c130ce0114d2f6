"""Small pictures of a result for the report: made from an edit, and kept from one run to the next."""

from __future__ import annotations

import contextlib
import io
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from overpaint.geometry import Box
from overpaint.picture import Picture, to_pil
from overpaint.studio import Edited

from .files import open_database
from .task import Three, Thumbnails

if TYPE_CHECKING:
    from PIL.Image import Image

THUMBNAILS = "thumbnails.sqlite"
"""Name of the file."""

LARGE, SMALL = 320, 112  # longest side in pixels
_QUALITY = {LARGE: 78, SMALL: 65}
_TABLE = """
CREATE TABLE IF NOT EXISTS thumbnail (
    id TEXT PRIMARY KEY, before BLOB, mask BLOB, after BLOB, before_small BLOB, mask_small BLOB, after_small BLOB
) STRICT
"""


def thumbnails_of(edited: Edited) -> Thumbnails:
    """The area of the edit before, its mask, and after; the whole picture where the edit takes most of it."""
    from PIL import Image

    bounds, size = edited.mask.bounds, edited.picture.size
    window = bounds.pad(max(24, max(bounds.width, bounds.height) // 2)).intersect(size.box)
    if window.area > 0.6 * size.box.area:
        window = size.box
    mask = Image.fromarray((edited.mask.values[window.slices] * 255).astype(np.uint8))
    images = (_image(edited.base, window), mask, _image(edited.picture, window))

    large, small = (tuple(_encoded(image, side) for image in images) for side in (LARGE, SMALL))
    return Thumbnails(large, small)


def _image(picture: Picture, window: Box) -> Image:
    """The window as RGB, at most LARGE a side, transparency over a light grey."""
    from PIL import Image

    samples = np.ascontiguousarray(picture.samples[window.slices])
    alpha = None if picture.alpha is None else np.ascontiguousarray(picture.alpha[window.slices])
    image = to_pil(Picture(samples, alpha, picture.colour))
    image.thumbnail((LARGE, LARGE), Image.Resampling.BOX, reducing_gap=None)
    if image.mode in ("RGBA", "LA", "PA"):
        image = Image.alpha_composite(Image.new("RGBA", image.size, (224, 224, 224, 255)), image.convert("RGBA"))
    return image.convert("RGB")


def _encoded(image: Image, side: int) -> bytes:
    """A picture as JPEG, a mask as PNG, at most `side` pixels a side."""
    from PIL import Image

    small, out = image.copy(), io.BytesIO()
    small.thumbnail((side, side), Image.Resampling.BOX)
    if small.mode == "L":
        # Four levels are enough for a thumbnail, and cost a fraction of 256.
        small.point([round(value / 85) * 85 for value in range(256)]).save(out, "PNG")
    else:
        small.save(out, "JPEG", quality=_QUALITY[side])
    return out.getvalue()


class ThumbnailStore(contextlib.AbstractContextManager["ThumbnailStore"]):
    """Thumbnails by the id of their row, in one file. For one thread."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it."""
        self._database = open_database(path, "PRAGMA journal_mode = WAL", "PRAGMA synchronous = OFF", _TABLE)

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def put(self, id: str, thumbnails: Thumbnails) -> None:
        """Keep a row's thumbnails instead of earlier ones. On a full disk they are lost, and nothing else."""
        with contextlib.suppress(sqlite3.OperationalError):
            self._database.execute(
                "INSERT OR REPLACE INTO thumbnail VALUES (?, ?, ?, ?, ?, ?, ?)",
                (id, *thumbnails.large, *thumbnails.small),
            )

    def remove(self, ids: Iterable[str]) -> int:
        """Remove the thumbnails of rows. Returns of how many there were some."""
        before = self._database.total_changes
        self._database.executemany("DELETE FROM thumbnail WHERE id = ?", [(id,) for id in ids])
        return self._database.total_changes - before

    def get(self, id: str, size: Literal["large", "small"]) -> Three | None:
        """A row's thumbnails before, mask and after, or None."""
        columns = "before, mask, after" if size == "large" else "before_small, mask_small, after_small"
        found: Three | None = self._database.execute(f"SELECT {columns} FROM thumbnail WHERE id = ?", (id,)).fetchone()
        return found

    def bytes(self, size: Literal["large", "small"]) -> dict[str, int]:
        """Bytes of each row's three thumbnails together."""
        end = "" if size == "large" else "_small"
        rows = self._database.execute(
            f"SELECT id, length(before{end}) + length(mask{end}) + length(after{end}) FROM thumbnail"
        )
        return dict(rows.fetchall())
