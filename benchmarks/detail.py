"""Effect of the step `detail`, with an engine of perfect structure and missing detail.

    python -m benchmarks.detail
    python -m benchmarks.detail --native 96 --limit 12 --kinds box
    python -m benchmarks.detail --autoencoder src/overpaint/pocket/checkpoint --limit 20

No weights are needed: the engine returns the original content of the hole at a working size of `--native` pixels a
side, so that the patch has the photo's structure without finer detail. There are three kinds of loss: reduction alone;
reduction and blur, as by an autoencoder; the same with the blur in the evidence over the whole canvas. A fourth, with
`--autoencoder`, is encoding and decoding by that checkpoint's autoencoder, with its edge around the mask: the loss by a
model's autoencoder, separate from its denoiser. Each patch is measured enlarged (`none`), with detail at certain
matches (`careful`), at likely matches (`full`), and made of the surroundings throughout where the engine loses texture
(`surroundings`).

Gradient energy and kernel distance are those of `benchmarks.fill`. The untouched photo has 1 and 0.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from benchmarks import page, report
from benchmarks.classifier import Classifier
from benchmarks.dataset import Case, LoadedCase, cases, hole_box
from benchmarks.kernel import Interval, bootstrap, draw_weights, kernel_statistic, pair_matrix, paired_bootstrap
from benchmarks.metrics import gradient_energy_ratio
from benchmarks.networks import SHARED
from overpaint.engines import Canvas, EngineCard, Monitor, Painted, SizeRules, ThreadedEngine
from overpaint.mask import Mask
from overpaint.models.hints import read_hints
from overpaint.picture import from_array
from overpaint.request import Usual
from overpaint.studio import Studio

OUT = Path("bench-out") / "detail"
WAYS: tuple[Literal["none", "careful", "full", "surroundings"], ...] = ("none", "careful", "full", "surroundings")
CROP = 240
"""Side in pixels of the crops on the sheet, at the photo's scale."""


@dataclass(frozen=True, slots=True)
class DetailLoss:
    """A loss of detail by the engine.

    Attributes:
        name: Name in the table.
        blur: Sigma of a Gaussian in its own pixels; 0 for none.
        in_evidence: Whether the evidence has the same loss.
        folder: Checkpoint folder whose autoencoder encodes and decodes the canvas.
    """

    name: str
    blur: float
    in_evidence: bool
    folder: Path | None = None


DETAIL_LOSSES = (
    DetailLoss("reduced", 0.0, in_evidence=False),
    DetailLoss("softer", 0.8, in_evidence=False),
    DetailLoss("softer-shown", 0.8, in_evidence=True),
)


class IdentityEngine(ThreadedEngine):
    """Returns the original content of the canvas, with a simulated loss of detail."""

    def __init__(self, simulated: DetailLoss, native: int) -> None:
        """`native`: sides of its largest square canvas."""
        super().__init__()
        self.card = EngineCard(
            name="identity",
            title="returns the original content",
            edge="diffusion",
            sizes=SizeRules(native=native, multiple=8, maximum_area=native * native),
            usual=Usual() if simulated.folder is None else read_hints(simulated.folder).usual,
        )
        self._simulated = simulated
        self._coder = None if simulated.folder is None else _autoencoder(simulated.folder)

    def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
        """Nearly equal to the canvas: an exactly equal result counts as unpainted."""
        blur = self._simulated.blur
        seen = cv2.GaussianBlur(canvas.pixels, (0, 0), blur) if blur else canvas.pixels
        if self._coder is not None:
            seen = _reconstructed(self._coder, seen)
        painted = (seen * np.float32(0.9999)).astype(np.float32)
        return Painted(painted, evidence=painted if self._simulated.in_evidence else None)


def _autoencoder(folder: Path) -> Any:
    """The tiny autoencoder of a checkpoint folder."""
    from diffusers import AutoencoderTiny

    return AutoencoderTiny.from_pretrained(folder / "vae", local_files_only=True).eval()


def _reconstructed(coder: Any, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """A canvas (H, W, 3) in [0, 1] encoded and decoded."""
    import torch

    with torch.no_grad():
        given = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] * 2 - 1
        made = coder.decode(coder.encode(given).latents).sample.clamp(-1, 1)
    decoded: NDArray[np.float32] = ((made[0].permute(1, 2, 0) + 1) / 2).numpy()
    return decoded


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: medians and means over all cases.

    Attributes:
        ratio: Median ratio of the gradient energy to the photo's.
        error: Median of the absolute logarithm of that.
        kernel: Kernel distance.
        against: Kernel distance minus that of the same patches without detail; None for the latter.
        seconds: Processor time of a whole edit.
        share: Mean trust in the matches.
    """

    simulated: str
    way: str
    ratio: float
    error: float
    kernel: Interval
    against: Interval | None
    seconds: float
    share: float


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 on success, 2 on wrong input."""
    wanted = parser().parse_args(argv)
    console = report.console()
    cv2.setNumThreads(1)
    try:
        if wanted.page is not None:
            page.section_marks(wanted.page, "detail")
        work = cases(wanted.shared / "photos" / "eval", kinds=wanted.kinds.split(","), limit=wanted.limit)
        net = Classifier(wanted.shared / "nets" / Classifier.file, store=wanted.out / "features")
        if len({case.photo for case in work}) < 2:
            raise ValueError("at least two photos are needed for a comparison")
        ways = list(DETAIL_LOSSES)
        if wanted.autoencoder is not None:
            if not (wanted.autoencoder / "vae" / "config.json").is_file():
                raise ValueError(f"there is no autoencoder in {wanted.autoencoder}: vae/config.json is missing")
            ways.append(DetailLoss("autoencoder", 0.0, in_evidence=True, folder=wanted.autoencoder))
    except (OSError, ImportError, ValueError) as error:
        print(f"benchmarks.detail: {error}", file=sys.stderr)
        return 2
    photos = np.array([case.photo for case in work])
    originals = np.stack([net.features([_evaluated_crop(case.load())])[0] for case in work])
    found: list[Row] = []
    crops: dict[str, list[NDArray[np.uint8]]] = {case.key: [] for case in work}
    for simulated in ways:
        found += _measured(simulated, wanted.native, work, net, originals, photos, crops)
    lines = table(found)
    wanted.out.mkdir(parents=True, exist_ok=True)
    (wanted.out / "table.md").write_text(lines, "utf-8")
    _sheets(work, crops, wanted.out / "sheets")
    console.print(lines, markup=False)
    console.print(f"Table in {wanted.out / 'table.md'}; crops at the photos' own scale in {wanted.out / 'sheets'}")
    if wanted.page is not None:
        page.replace_section(
            wanted.page, "detail", f"{page.measured_with(report.machine(), _command(wanted))}\n\n{lines}"
        )
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.detail", description=(__doc__ or "").split("\n")[0])
    add = made.add_argument
    add("--native", type=int, default=192, metavar="N", help="side of the engine's canvas in pixels (default: 192)")
    add("--autoencoder", type=Path, metavar="FOLDER", help="measure this checkpoint folder's autoencoder too")
    add("--limit", type=int, metavar="N", help="only the first N photos")
    add("--kinds", default="box,object", help="kinds of masks, separated by commas (default: box,object)")
    add("--out", type=Path, default=OUT, help=f"where the table, crops and features are kept (default: {OUT})")
    add("--shared", type=Path, default=SHARED, help="the folder with photos/eval and nets")
    add("--page", type=Path, metavar="FILE", help="put the table into this page, such as docs/benchmarks.md")
    return made


def _command(wanted: argparse.Namespace) -> str:
    words = ["python", "-m", "benchmarks.detail"]
    words += ["--native", str(wanted.native)] if wanted.native != 192 else []
    words += ["--autoencoder", str(wanted.autoencoder)] if wanted.autoencoder else []
    words += ["--limit", str(wanted.limit)] if wanted.limit else []
    words += ["--kinds", wanted.kinds] if wanted.kinds != "box,object" else []
    return shlex.join(words)


def _measured(
    simulated: DetailLoss,
    native: int,
    work: Sequence[Case],
    net: Classifier,
    originals: NDArray[np.float32],
    photos: NDArray[np.str_],
    crops: dict[str, list[NDArray[np.uint8]]],
) -> list[Row]:
    weights = draw_weights(len(set(photos)))
    rows: list[Row] = []
    statistics = {}
    with Studio() as studio:
        studio.add_engine(IdentityEngine(simulated, native))
        for way in WAYS:
            ratios, features, seconds, shares = [], [], [], []
            for case in track(work, f"{simulated.name}, {way}", transient=True):
                loaded = case.load()
                began = time.process_time()
                edited = studio.edit(
                    from_array(loaded.pixels),
                    mask=Mask.from_array(loaded.hole),
                    intent="remove",
                    engine="identity",
                    detail=way,
                    seed=0,
                )
                seconds.append(time.process_time() - began)
                shares.append(np.mean([region.detail for region in edited.regions]))
                filled = LoadedCase(np.asarray(edited.picture.samples, np.uint8), loaded.hole, loaded.crop)
                ratios.append(gradient_energy_ratio(filled.pixels, loaded.pixels, loaded.hole))
                features.append(net.features([_evaluated_crop(filled)])[0])
                if simulated.name == "reduced" or way in ("full", "surroundings"):
                    crops[case.key].append(_crop(filled))
            statistics[way] = kernel_statistic(pair_matrix(np.stack(features), originals, photos))
            rows.append(
                Row(
                    simulated.name,
                    way,
                    float(np.median(ratios)),
                    float(np.median(np.abs(np.log(ratios)))),
                    bootstrap(statistics[way], weights),
                    None if way == "none" else paired_bootstrap(statistics[way], statistics["none"], weights),
                    float(np.mean(seconds)),
                    float(np.mean(shares)),
                )
            )
    return rows


def table(rows: Sequence[Row]) -> str:
    """In markdown; distances in thousandths."""
    lines = [
        "| patch | detail | gradient ratio | gradient error | kernel distance | minus none | trusted | CPU s |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        against = "" if row.against is None else _thousandths(row.against, "+")
        cells = [row.simulated, row.way, f"{row.ratio:.2f}", f"{row.error:.2f}", _thousandths(row.kernel), against]
        lines.append(f"| {' | '.join([*cells, f'{row.share:.2f}', f'{row.seconds:.2f}'])} |")
    return "\n".join(lines) + "\n"


def _thousandths(interval: Interval, sign: str = "") -> str:
    value, low, high = (round(1e3 * x, 2) + 0.0 for x in (interval.value, interval.low, interval.high))
    return f"{value:{sign}.2f} [{low:{sign}.2f}, {high:{sign}.2f}]"


def _evaluated_crop(loaded: LoadedCase) -> NDArray[np.uint8]:
    return np.ascontiguousarray(loaded.pixels[loaded.crop.slices])


def _crop(loaded: LoadedCase) -> NDArray[np.uint8]:
    """A crop of CROP pixels a side about the middle of the hole, smaller at the photo's borders."""
    box = hole_box(loaded.hole)
    top = max(0, (box.top + box.bottom - CROP) // 2)
    left = max(0, (box.left + box.right - CROP) // 2)
    return loaded.pixels[top : top + CROP, left : left + CROP]


def _sheets(work: Sequence[Case], crops: dict[str, list[NDArray[np.uint8]]], folder: Path) -> None:
    """One picture for each case: all methods of `reduced`, the last two of the other losses, the photo."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in work:
        row = [*crops[case.key], _crop(case.load())]
        Image.fromarray(np.concatenate(row, axis=1)).save(folder / f"{case.key}.png", compress_level=1)


if __name__ == "__main__":
    sys.exit(main())
