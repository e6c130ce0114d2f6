"""Which fills are called doubtful, against judgements by eye.

    python -m benchmarks.gate --paint         # makes the fills; sheets/judge-*.png show them without any figure
    python -m benchmarks.gate                 # table, and sheets of what is found, missed and wrongly called doubtful
    python -m benchmarks.gate --measure       # the same after a change of the measures: fills are measured anew

The photos are those of `benchmarks.fill`, reduced to 640 pixels. Besides their masks there is the kind "smooth": an
ellipse at the smoothest place of each photo, where a fill without texture is right. Fills go through `Studio.edit`.
Judgements are in gate_verdicts.json, by fill and kind of mask: the number of the photo and g (can be delivered), n
(nearly) or b (bad). Photos at even places of the list are for setting limits, the others for measuring them.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks import page
from benchmarks.dataset import Case, LoadedCase, cases, context_box
from benchmarks.networks import SHARED
from benchmarks.report import machine
from overpaint import Studio
from overpaint.finish.quality import FillMeasures, measured, seen_around
from overpaint.studio import Edited

OUT = Path("bench-out") / "gate"
VERDICTS = Path(__file__).with_name("gate_verdicts.json")
LONG_SIDE = 640
"""Photos are reduced to this."""

SEEN = 1.8
"""Ratio of the shown crop's sides to the mask box's sides."""

SMOOTH = "smooth"
"""The kind of mask that is an ellipse at the smoothest place."""

ELLIPSE = (0.28, 0.22)
"""Its width and height, of the photo's."""

FILLS: Mapping[str, tuple[tuple[str, ...], Mapping[str, str]]] = {
    "telea": (("object", "brush", SMOOTH), {"engine": "telea"}),
    "navier-stokes": (("object", "brush", SMOOTH), {"engine": "navier-stokes"}),
    "exemplar": (("object", "brush", SMOOTH), {"engine": "exemplar"}),
    "pocket": (("object",), {"model": "pocket"}),
    "pocket, replace": (("object",), {"model": "pocket", "intent": "replace", "prompt": "{caption}"}),
}
"""Kinds of masks and settings, by the name of the fill."""

CELL, COLUMNS, PER_SHEET = (252, 210), 3, 18
TINT = np.array([255.0, 0.0, 160.0])


@dataclass(frozen=True, slots=True)
class GateFill:
    """One fill.

    Attributes:
        folder: Of the fills of this name.
        case: The photo and the mask.
        setting: Whether it is for setting limits.
    """

    folder: Path
    case: Case
    setting: bool

    def load(self) -> LoadedCase:
        """The photo, reduced, with its hole, and the crop that is shown."""
        with Image.open(self.case.image) as image:
            photo = image.convert("RGB")
        photo.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
        pixels = np.asarray(photo)
        if self.case.kind == SMOOTH:
            hole = smooth_hole(pixels)
        else:
            with Image.open(self.case.mask) as mask:
                hole = np.asarray(mask.convert("L").resize(photo.size, Image.Resampling.NEAREST)) > 127
        return LoadedCase(pixels, hole, context_box(hole, SEEN))

    @property
    def table(self) -> Path:
        """What was measured, as JSON; written last."""
        return self.folder / f"{self.case.key}.json"

    def file(self, what: str) -> Path:
        """A picture of the fill: "shown", "0.samples", "0.weight"."""
        return self.folder / f"{self.case.key}.{what}.png"

    def keep(self, crop: NDArray[np.uint8], edited: Edited) -> None:
        """Write what is shown, what was measured, and what it was measured on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        samples, size = edited.picture.samples, edited.picture.size
        for number, region in enumerate(edited.regions):
            window = region.box.pad(seen_around(region.weight)).intersect(size.box)
            weight = np.zeros(window.size.shape, np.float32)
            weight[region.box.shift(-window.left, -window.top).slices] = region.weight
            Image.fromarray(samples[window.slices]).save(self.file(f"{number}.samples"))
            Image.fromarray(np.ceil(weight * 255).astype(np.uint8)).save(self.file(f"{number}.weight"))
        Image.fromarray(crop).save(self.file("shown"))
        found = {
            "continued": edited.bare_request.intent == "remove",
            "regions": [asdict(one.quality) for one in edited.regions],
        }
        self.table.write_text(json.dumps(found), "utf-8")

    def measure(self) -> None:
        """Measure it anew."""
        found = json.loads(self.table.read_text("utf-8"))
        for number, region in enumerate(found["regions"]):
            with Image.open(self.file(f"{number}.samples")) as samples, Image.open(self.file(f"{number}.weight")) as w:
                weight = np.asarray(w, np.float32) / np.float32(255)
                found["regions"][number] = asdict(measured(np.asarray(samples), weight, region["match"]))
        self.table.write_text(json.dumps(found), "utf-8")

    def doubts(self) -> tuple[str, ...]:
        """The measures that make it doubtful."""
        found = json.loads(self.table.read_text("utf-8"))
        worst = FillMeasures.worst(FillMeasures(**one) for one in found["regions"])
        return worst.doubts(continued=found["continued"])


def smooth_hole(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(H, W) bool: an ellipse whose place, with some room around it, has the smallest steps of all in the picture."""
    import cv2

    height, width = pixels.shape[:2]
    levels = pixels.mean(axis=2, dtype=np.float32)
    steps = np.hypot(cv2.Sobel(levels, cv2.CV_32F, 1, 0), cv2.Sobel(levels, cv2.CV_32F, 0, 1))
    across, down = round(ELLIPSE[0] * width), round(ELLIPSE[1] * height)
    room = (int(1.5 * across), int(1.5 * down))
    mean = cv2.blur(steps, room)
    inside = mean[room[1] // 2 : height - room[1] // 2, room[0] // 2 : width - room[0] // 2]
    row, column = np.unravel_index(int(np.argmin(inside)), inside.shape)
    hole = np.zeros((height, width), np.uint8)
    centre = (int(column) + room[0] // 2, int(row) + room[1] // 2)
    cv2.ellipse(hole, centre, (across // 2, down // 2), 0, 0, 360, 1, -1)
    return hole > 0


def fills(out: Path, name: str, photos: Path) -> list[GateFill]:
    """All fills of a name, photo by photo."""
    kinds = FILLS[name][0]
    plain = cases(photos, kinds=[kind for kind in kinds if kind != SMOOTH] or ["object"])
    numbers = {photo: number for number, photo in enumerate(dict.fromkeys(case.photo for case in plain))}
    found = [case for case in plain if case.kind in kinds]
    if SMOOTH in kinds:
        one = {case.photo: case for case in plain}.values()
        found += [Case(case.photo, SMOOTH, case.image, case.mask, case.caption) for case in one]
    return [GateFill(out / name, case, numbers[case.photo] % 2 == 0) for case in found]


def paint(all_of: Sequence[GateFill], settings: Mapping[str, str]) -> None:
    """Make the fills that are not there yet."""
    with Studio(threads=1) as studio:
        for fill in all_of:
            if fill.table.exists():
                continue
            loaded = fill.load()
            given: dict[str, Any] = {"intent": "remove", "seed": 1}
            given |= {key: value.format(caption=fill.case.caption) for key, value in settings.items()}
            edited = studio.edit(loaded.pixels, mask=loaded.hole, **given)
            fill.keep(edited.picture.samples[loaded.crop.slices], edited)
            print(fill.table, flush=True)


def verdicts(file: Path = VERDICTS) -> dict[tuple[str, str], str]:
    """Judgements by name of the fill and key of the case: "g", "n" or "b"."""
    found: dict[str, dict[str, str]] = json.loads(file.read_text("utf-8"))
    return {
        (name, f"{photo}_{kind}"): verdict
        for name, kinds in found.items()
        for kind, text in kinds.items()
        for photo, verdict in re.findall(r"(\d+)([gnb])", text)
    }


@dataclass(frozen=True, slots=True)
class JudgedFill:
    """A fill, what was judged and what was measured."""

    fill: GateFill
    verdict: str
    doubts: tuple[str, ...]

    @property
    def group(self) -> str:
        """ "found", "missed", "false" (a good one that is called doubtful) or "" for a good one without a doubt."""
        if self.verdict == "g":
            return "false" if self.doubts else ""
        return "found" if self.doubts else "missed"


def table(name: str, judged: Sequence[JudgedFill]) -> Iterator[str]:
    """Lines of the table for the fills of a name: each half by itself."""
    for setting in (True, False):
        half = [one for one in judged if one.fill.setting is setting]
        bad = [one for one in half if one.verdict != "g"]
        worst = [one for one in half if one.verdict == "b"]
        good = [one for one in half if one.verdict == "g"]
        called = [one for one in half if one.doubts]
        right = [one for one in called if one.verdict != "g"]
        cells = (
            name,
            "setting" if setting else "measuring",
            f"{len(bad)} of {len(half)}",
            str(len(called)),
            _share(len(right), len(called)),
            _share(len(right), len(bad)),
            _share(sum(bool(one.doubts) for one in worst), len(worst)),
            f"{sum(bool(one.doubts) for one in good)} of {len(good)}",
        )
        yield f"| {' | '.join(cells)} |"


HEAD = (
    "| fills | half | bad (not or nearly) | called doubtful | rightly | bad ones found | of those that are not nearly "
    "| good ones called so |\n|---|---|---:|---:|---:|---:|---:|---:|"
)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.0%})" if whole else "-"


def sheets(folder: Path, name: str, shown: Sequence[tuple[GateFill, str]]) -> None:
    """Write pages with hole and fill side by side, and a text over each."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{name}-[0-9]*.png"):
        old.unlink()
    font = ImageFont.load_default(13)
    width, height = CELL
    for first in range(0, len(shown), PER_SHEET):
        part = shown[first : first + PER_SHEET]
        size = (COLUMNS * (2 * width + 14), -(-len(part) // COLUMNS) * (height + 20))
        sheet = Image.new("RGB", size, (255, 255, 255))
        draw = ImageDraw.Draw(sheet)
        for place, (fill, text) in enumerate(part):
            left, top = place % COLUMNS * (2 * width + 14), place // COLUMNS * (height + 20)
            loaded = fill.load()
            crop, hole = loaded.pixels[loaded.crop.slices], loaded.hole[loaded.crop.slices][..., None]
            before = np.where(hole, 0.45 * crop + 0.55 * TINT, crop).astype(np.uint8)
            with Image.open(fill.file("shown")) as after:
                for offset, picture in ((0, Image.fromarray(before)), (width + 4, after)):
                    picture.thumbnail(CELL, Image.Resampling.LANCZOS)
                    sheet.paste(picture, (left + offset, top + 17))
            draw.text((left + 2, top + 1), text, (0, 0, 0), font)
        sheet.save(folder / f"{name}-{first // PER_SHEET + 1}.png")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0, or 2 where there are no photos."""
    wanted = parser().parse_args(argv)
    photos = wanted.shared / "photos" / "eval"
    known = verdicts()
    lines = [HEAD]
    for name in wanted.fills:
        try:
            all_of = [one for one in fills(wanted.out, name, photos) if one.case.kind in wanted.kinds]
        except FileNotFoundError as error:
            print(error, file=sys.stderr)
            return 2
        if wanted.paint:
            paint(all_of, FILLS[name][1])
        made = [one for one in all_of if one.table.exists()]
        if wanted.measure:
            for one in made:
                one.measure()
        if wanted.paint:
            for half, setting in (("setting", True), ("measuring", False)):
                blind = [(one, one.case.key) for one in made if one.setting is setting]
                sheets(wanted.out / "sheets", f"judge-{name}-{half}", blind)
            continue
        judged = [
            JudgedFill(one, known[name, one.case.key], one.doubts()) for one in made if (name, one.case.key) in known
        ]
        lines += table(name, judged) if judged else ()
        for group in ("found", "missed", "false"):
            shown = [
                (one.fill, f"{one.fill.case.key} {one.verdict} {' '.join(one.doubts)}")
                for one in judged
                if one.group == group
            ]
            sheets(wanted.out / "sheets", f"{name}-{group}", shown)
    if not wanted.paint:
        print("\n".join(lines))
        if wanted.page is not None:
            text = "\n".join([page.measured_with(machine(), "python -m benchmarks.gate"), "", *lines])
            page.replace_section(wanted.page, "gate", text)
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=(__doc__ or "").partition("\n")[0])
    found.add_argument("--paint", action="store_true", help="make the fills, and sheets without figures to judge")
    found.add_argument("--measure", action="store_true", help="measure the fills anew")
    found.add_argument("--fills", type=lambda text: text.split(";"), default=list(FILLS), help="names, with ; between")
    found.add_argument("--kinds", type=lambda text: text.split(","), default=["object", "brush", SMOOTH])
    found.add_argument("--out", type=Path, default=OUT)
    found.add_argument("--shared", type=Path, default=SHARED, help="the folder with photos/eval")
    found.add_argument("--page", type=Path, help="put the table into this page of the documentation")
    return found


if __name__ == "__main__":
    sys.exit(main())
