"""Sample sheets: pictures side by side in one PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

_GAP, _LINE = 2, 14
_WHITE, _INK = (255, 255, 255), (0, 0, 0)

Pixels = NDArray[np.uint8]


def to_bytes(pictures: Tensor) -> Pixels:
    """(n, h, w, 3) uint8 of (n, 3, h, w) in [-1, 1]."""
    scaled = ((pictures.float().clamp(-1, 1) + 1) * 127.5).round().byte()
    pixels: Pixels = scaled.permute(0, 2, 3, 1).cpu().numpy()
    return pixels


def draw(path: Path, rows: Sequence[Tensor], captions: Sequence[str] = ()) -> None:
    """Write rows of equally many pictures (n, 3, h, w) in [-1, 1], a caption under each column."""
    pixels = [to_bytes(row) for row in rows]
    n, height, width = pixels[0].shape[:3]
    below = len(rows) * (height + _GAP)
    sheet = Image.new("RGB", (n * (width + _GAP), below + (_LINE if captions else 0)), _WHITE)
    for down, row in enumerate(pixels):
        for across, picture in enumerate(row):
            sheet.paste(Image.fromarray(picture), (across * (width + _GAP), down * (height + _GAP)))
    pen = ImageDraw.Draw(sheet)
    for across, caption in enumerate(captions):
        pen.text((across * (width + _GAP), below), _fitted(caption, width), fill=_INK)
    _save(sheet, path)


def page(path: Path, rows: Sequence[tuple[str, Sequence[Pixels]]]) -> None:
    """Write titled rows of pictures (h, w, 3), the title above its row."""
    height, width = rows[0][1][0].shape[:2]
    most = max(len(pictures) for _, pictures in rows)
    step = height + _LINE + _GAP
    sheet = Image.new("RGB", (most * (width + _GAP), len(rows) * step), _WHITE)
    pen = ImageDraw.Draw(sheet)
    for down, (title, pictures) in enumerate(rows):
        pen.text((0, down * step), _fitted(title, most * width), fill=_INK)
        for across, picture in enumerate(pictures):
            sheet.paste(Image.fromarray(picture), (across * (width + _GAP), down * step + _LINE))
    _save(sheet, path)


def _fitted(text: str, width: int) -> str:
    return text[: width // 6].encode("latin-1", "replace").decode("latin-1")


def _save(sheet: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
