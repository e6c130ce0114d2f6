"""Enlarging without a model, beside Lanczos' filter: photos reduced to half their size, and enlarged again.

    python -m benchmarks.enlarge
    python -m benchmarks.enlarge --limit 10

For each way of reducing, the mean peak signal-to-noise ratio in dB over the photos, and the similarity of structure
(SSIM), both against the photo; and on how many photos the ratio is higher than that of Lanczos' filter.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track
from skimage.metrics import structural_similarity

from benchmarks.metrics import luma, psnr
from benchmarks.networks import SHARED
from overpaint.picture import from_array
from overpaint.restore import enlarge

WAYS = {
    "area means": Image.Resampling.BOX,
    "bicubic": Image.Resampling.BICUBIC,
    "Lanczos": Image.Resampling.LANCZOS,
}
BORDER = 8
"""Pixels at the border that do not count: there is nothing beyond them to enlarge from."""


def scores(made: NDArray[np.uint8], photo: NDArray[np.uint8]) -> tuple[float, float]:
    """PSNR in dB and SSIM within the border."""
    counted = np.zeros(photo.shape[:2], bool)
    counted[BORDER:-BORDER, BORDER:-BORDER] = True
    similarity = float(structural_similarity(luma(made), luma(photo), data_range=255.0))
    return psnr(made, photo, counted), similarity


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=SHARED / "photos" / "eval" / "images")
    parser.add_argument("--limit", type=int, default=None)
    options = parser.parse_args()
    files = sorted(options.photos.glob("*.jpg"))[: options.limit]
    print("| Reduced by | Lanczos | Overpaint | Better on |\n|---|---|---|---|")
    for name, way in WAYS.items():
        rows = []
        for file in track(files, description=name, transient=True):
            with Image.open(file) as opened:
                photo = np.asarray(opened.convert("RGB"))
            photo = photo[: photo.shape[0] // 2 * 2, : photo.shape[1] // 2 * 2]
            size = (photo.shape[1], photo.shape[0])
            half = Image.fromarray(photo).resize((size[0] // 2, size[1] // 2), way)
            plain = np.asarray(half.resize(size, Image.Resampling.LANCZOS))
            made = np.asarray(enlarge(from_array(np.asarray(half))).picture.samples, np.uint8)
            rows.append((*scores(plain, photo), *scores(made, photo)))
        table = np.asarray(rows)
        means = table.mean(axis=0)
        better = int((table[:, 2] > table[:, 0]).sum())
        one, other = (f"{means[at]:.2f} dB, SSIM {means[at + 1]:.4f}" for at in (0, 2))
        print(f"| {name} | {one} | {other} | {better} of {len(rows)} |", flush=True)


if __name__ == "__main__":
    main()
