"""Sheets of before and after, for the page and for a judge who does not know the engines."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.gallery.jobs import KINDS, Job
from benchmarks.gallery.results import JobResult, ResultFolder
from overpaint.mask import Mask
from overpaint.picture import open_picture

WIDTH, BLIND_WIDTH, GAP, FOOT = 1120, 1560, 8, 24
ROWS = 4
SHARES = {2: (1.0, 1.0), 3: (0.7, 1.15, 1.15)}
"""Widths of the panels of the page, by their number."""
SAME = (1.0, 1.0, 1.0)
"""Widths of the panels of blind sheets: every result is as large as the others."""
INK, PAPER = (20, 20, 20), (250, 250, 250)
OUTLINE = (255, 0, 160)

Picture = Image.Image
CropBox = tuple[int, int, int, int]


def page_sheets(
    jobs: Sequence[Job], chosen: Mapping[str, JobResult], found: ResultFolder, pictures: Path, folder: Path
) -> dict[str, list[Path]]:
    """Sheets of four jobs each, KIND-01.jpg ..., by intent: whole picture with the mask's outline, before, after."""
    _emptied(folder)
    written: dict[str, list[Path]] = {}
    for intent in KINDS:
        some = [(number, job) for number, job in enumerate(jobs, 1) if job.intent == intent and job.name in chosen]
        for first in range(0, len(some), ROWS):
            rows = []
            for number, job in some[first : first + ROWS]:
                panels = _panels(job, [chosen[job.name]], found, pictures)
                rows.append(_row(panels, f"{number}. {job.name}: {job.what}", 300, SHARES[len(panels)]))
            path = folder / f"{intent}-{first // ROWS + 1:02}.jpg"
            _stacked(rows).save(path, quality=78, optimize=True)
            written.setdefault(intent, []).append(path)
    return written


def blind_sheets(jobs: Sequence[Job], found: ResultFolder, pictures: Path, out: Path, seed: int) -> Path:
    """One sheet for each job in out/blind, in a random order and without names; returns the key, a file in `out`.

    The judge writes blind/judged.json: {"001": {"A": ["deliverable", "why"], "B": ["nearly", "why"], ...}, ...}.
    """
    folder = out / "blind"
    _emptied(folder)
    draw = random.Random(seed)
    order = [job for job in jobs if any(not result.error for result in found.of(job))]
    draw.shuffle(order)
    key: dict[str, dict[str, str]] = {}
    for number, job in enumerate(order, 1):
        results = [result for result in found.of(job) if not result.error]
        draw.shuffle(results)
        letters = [chr(ord("A") + n) for n in range(len(results))]
        panels = _panels(job, results, found, pictures)
        known = len(panels) - len(results)
        title = f"{number:03}. {job.intent}: {job.what}. Left to right: the picture"
        title += f"{', before' if known > 1 else ''}, {', '.join(letters)}"
        lines = [panels] if len(panels) <= len(SAME) else [panels[:known], *_lines(panels[known:])]
        rows = [_row(line, title if line is lines[-1] else "", 560, SAME, BLIND_WIDTH) for line in lines]
        _stacked(rows).save(folder / f"{number:03}.jpg", quality=90)
        key[f"{number:03}"] = {
            "job": job.name,
            **{letter: r.engine for letter, r in zip(letters, results, strict=True)},
        }
    path = out / "blind-key.json"
    path.write_text(json.dumps(key, indent=1), "utf-8")
    return path


def _emptied(folder: Path) -> None:
    """Make the folder, and remove the sheets of an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.jpg"):
        old.unlink()


def _panels(job: Job, results: Sequence[JobResult], found: ResultFolder, pictures: Path) -> list[Picture]:
    """The picture with the mask's outline, then crops before and after; or whole pictures where all changes."""
    before = _flat(found.before(job, pictures))
    afters = [_flat(found.after(result)) for result in results]
    mask = None
    if job.intent != "expand":
        mask = job.mask(open_picture(_png(found.before(job, pictures))))
    whole = before if mask is None else _outlined(before, mask)
    if mask is None or job.intent == "background":
        return [whole, *afters]
    box = _around(mask, before.size)
    return [whole, *(image.crop(box) for image in (before, *afters))]


def _png(image: Picture) -> bytes:
    with io.BytesIO() as file:
        image.save(file, "PNG")
        return file.getvalue()


def _flat(image: Picture) -> Picture:
    """RGB; transparency over a checkerboard."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    y, x = np.mgrid[: image.height, : image.width] // 12
    board = np.where((x + y) % 2, 255, 215).astype(np.uint8)
    ground = Image.fromarray(np.dstack([board] * 3)).convert("RGBA")
    return Image.alpha_composite(ground, image).convert("RGB")


def _outlined(image: Picture, mask: Mask) -> Picture:
    """The picture with the border of its mask in a colour that is rare in pictures."""
    core = (mask.values >= 0.5).astype(np.uint8)
    side = 2 * max(1, round(max(image.size) / 400)) + 1
    edge = cv2.morphologyEx(core, cv2.MORPH_GRADIENT, np.ones((side, side), np.uint8)) > 0
    pixels = np.asarray(image).copy()
    pixels[edge] = OUTLINE
    return Image.fromarray(pixels)


def _around(mask: Mask, size: tuple[int, int], least: int = 160, ratio: float = 4 / 3) -> CropBox:
    """A box of 4:3 around the mask with a margin of 30 % of its sides, inside the picture as far as this can be."""
    left, top, right, bottom = mask.bounds
    width, height = max(1.6 * (right - left), least * ratio), max(1.6 * (bottom - top), least)
    width, height = min(max(width, height * ratio), size[0]), min(max(height, width / ratio), size[1])
    x = min(max(0.0, (left + right - width) / 2), size[0] - width)
    y = min(max(0.0, (top + bottom - height) / 2), size[1] - height)
    return round(x), round(y), round(x + width), round(y + height)


def _row(images: Sequence[Picture], title: str, height: int, shares: Sequence[float], width: int = WIDTH) -> Picture:
    """Pictures side by side, at most `height` high and as wide as their shares of the row, with a title below."""
    room = (width - GAP * (len(shares) + 1)) / sum(shares)
    cells = [round(share * room) for share in shares[: len(images)]]
    scales = [min(cell / i.width, height / i.height) for i, cell in zip(images, cells, strict=True)]
    sizes = [(max(1, round(i.width * s)), max(1, round(i.height * s))) for i, s in zip(images, scales, strict=True)]
    row = Image.new("RGB", (width, max(size[1] for size in sizes) + GAP + (FOOT if title else 0)), PAPER)
    left = GAP
    for image, size, cell in zip(images, sizes, cells, strict=True):
        row.paste(image.resize(size, Image.Resampling.LANCZOS), (left, GAP))
        left += cell + GAP
    if title:
        ImageDraw.Draw(row).text((GAP, row.height - FOOT + 3), title, INK, ImageFont.load_default(15))
    return row


def _lines(images: Sequence[Picture]) -> list[Sequence[Picture]]:
    return [images[first : first + len(SAME)] for first in range(0, len(images), len(SAME))]


def _stacked(rows: Sequence[Picture]) -> Picture:
    sheet = Image.new("RGB", (rows[0].width, sum(row.height for row in rows)), PAPER)
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet
