"""Time of detail in a large hole, by setting of `detail`.

    python -m benchmarks.large_hole
    python -m benchmarks.large_hole --megapixels 1 --autoencoder src/overpaint/pocket/checkpoint

A mosaic of the evaluation photos at their scale gives a picture of 12 megapixels. The engine of `benchmarks.detail`
returns the content of a square hole in its middle at `--native` pixels a side: reduced, or through a checkpoint's
autoencoder, which loses texture. The result is the time of the step `finish` (correction, detail, pasting), wall time
and time of all cores; the minimum of `--repeats`.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.detail import DetailLoss, IdentityEngine
from benchmarks.networks import SHARED
from overpaint.mask import Mask
from overpaint.picture import from_array
from overpaint.request import EditRequest
from overpaint.studio import Studio

WIDTH, HEIGHT = 4000, 3000
MEGAPIXELS = (0.01, 2.25)
"""Range of the hole's area, so that the picture has at least as much around it."""
WAYS = ("none", "full", "surroundings")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 on success, 2 on wrong input."""
    wanted = parser().parse_args(argv)
    cv2.setNumThreads(1)
    for name, least, most in (("megapixels", *MEGAPIXELS), ("repeats", 1, 1000), ("native", 64, 2048)):
        if not least <= (value := getattr(wanted, name)) <= most:
            print(
                f"benchmarks.large_hole: --{name} is {value}, and must be between {least} and {most}", file=sys.stderr
            )
            return 2
    side = round(math.sqrt(wanted.megapixels * 1e6))
    simulated = DetailLoss("reduced", 0.0, in_evidence=False)
    if wanted.autoencoder is not None:
        simulated = DetailLoss("autoencoder", 0.0, in_evidence=True, folder=wanted.autoencoder)
    try:
        picture = from_array(mosaic(wanted.shared / "photos" / "eval" / "images"))
        engine = IdentityEngine(simulated, wanted.native)
    except OSError as error:
        print(f"benchmarks.large_hole: {error}", file=sys.stderr)
        return 2
    left, top = (WIDTH - side) // 2, (HEIGHT - side) // 2
    mask = Mask.box(picture.size, (left, top, left + side, top + side))
    print("| detail | clock s | CPU s | trusted |\n|---|---:|---:|---:|")
    with Studio() as studio:
        studio.add_engine(engine)
        for way in WAYS:
            request = EditRequest.of("remove", engine="identity", seed=0, detail=way, grow=2, feather=3)
            prepared = studio.prepare(picture, request, mask=mask)
            painted = studio.paint(prepared)
            clock, processor, share = [], [], 0.0
            for _ in range(wanted.repeats):
                began = time.perf_counter(), time.process_time()
                share = studio.finish(prepared, painted).regions[0].detail
                clock.append(time.perf_counter() - began[0])
                processor.append(time.process_time() - began[1])
            print(f"| {way} | {min(clock):.2f} | {min(processor):.2f} | {share:.2f} |", flush=True)
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.large_hole", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    add = made.add_argument
    add("--megapixels", type=float, default=2.0, metavar="N", help="of the hole (default: 2)")
    add("--native", type=int, default=256, metavar="N", help="side of the engine's canvas in pixels (default: 256)")
    add("--autoencoder", type=Path, metavar="FOLDER", help="through this checkpoint folder's autoencoder")
    add("--repeats", type=int, default=3, metavar="N", help="runs of each, of which the fastest counts (default: 3)")
    add("--shared", type=Path, default=SHARED, help="the folder with photos/eval")
    return made


def mosaic(folder: Path) -> NDArray[np.uint8]:
    """(HEIGHT, WIDTH, 3): photos in rows, cut at the borders. Raises FileNotFoundError where there are none."""
    paths = sorted(folder.glob("*.jpg"))
    if not paths:
        raise FileNotFoundError(f"no photos at {folder}")
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    top = number = 0
    while top < HEIGHT:
        left, lowest = 0, HEIGHT
        while left < WIDTH:
            with Image.open(paths[number % len(paths)]) as image:
                photo = np.asarray(image.convert("RGB"))[: HEIGHT - top, : WIDTH - left]
            picture[top : top + photo.shape[0], left : left + photo.shape[1]] = photo
            lowest = min(lowest, top + photo.shape[0])
            left, number = left + photo.shape[1], number + 1
        top = lowest
    return picture


if __name__ == "__main__":
    sys.exit(main())
