"""Erasers beside IOPaint's: the same TorchScript programs in its classes and in Overpaint's engine, pixel by pixel.

    python -m benchmarks.erasers
    python -m benchmarks.erasers --erasers lama,zits

Published weights are not needed: the programs are small random networks with the published inputs and outputs
(`benchmarks.eraser_programs`). IOPaint 1.6.0 is installed into an environment of its own in the folder of results, with
the packages of this one for what it imports. Sizes are those where IOPaint has no known fault: below 800 pixels,
where it neither crops nor resizes.

The figures are differences inside the mask, in levels of 255. IOPaint cuts fractions of a level off where Overpaint
rounds, so that one level is no difference.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from benchmarks.eraser_peer import CLASSES, SEED
from benchmarks.eraser_programs import save_programs
from overpaint import Mask, Studio
from overpaint.geometry import Size
from overpaint.picture import Colour, Metadata, Picture

OUT = Path("bench-out") / "erasers"
VERSION = "1.6.0"

SIZES = {
    "lama": (Size(256, 256), Size(251, 197), Size(512, 384)),
    "anime-lama": (Size(256, 256), Size(251, 197)),
    "migan": (Size(512, 512),),
    "ldm": (Size(256, 256), Size(250, 190)),
    "zits": (Size(256, 256), Size(512, 512), Size(320, 320)),
    "manga": (Size(256, 256), Size(250, 190)),
}
"""Of MI-GAN the one that IOPaint does not resize; ZITS takes squares."""


@dataclass(frozen=True, slots=True)
class EraserAgreement:
    """How far two programs agree inside the mask.

    Attributes:
        eraser: Its name.
        size: The picture's.
        largest: The largest difference of a value, in levels of 255.
        beyond: The share of values that differ by more than one level.
        changed: The mean change from the old pixels, in levels: what there is to agree about.
    """

    eraser: str
    size: str
    largest: int
    beyond: float
    changed: float


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 where all agree to one level, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--erasers", default=",".join(SIZES), help="names, joined by commas")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of results, and of IOPaint's environment")
    wanted = parser.parse_args(argv)
    out: Path = wanted.out.absolute()
    python = peer_environment(out / f"iopaint-{VERSION}")
    found = []
    console = report.console()
    for name in wanted.erasers.split(","):
        for size in SIZES[name]:
            one = compare(name, size, python, out)
            found.append(one)
            console.print(
                f"{one.eraser:<11} {one.size:<9} largest difference {one.largest} of 255, "
                f"{one.beyond:.4%} of values beyond 1; mean change {one.changed:.1f}"
            )
    (out / "results.json").write_text(json.dumps([asdict(one) for one in found], indent=2) + "\n", encoding="utf-8")
    return 0 if all(one.largest <= 1 for one in found) else 1


def peer_environment(folder: Path) -> Path:
    """The interpreter of an environment with IOPaint, which is made where it is missing."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "-q", "--no-deps", f"iopaint=={VERSION}", "loguru"]
        subprocess.run(install, check=True)
        where = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
        packages = subprocess.run(where, check=True, capture_output=True, text=True).stdout.strip()
        Path(packages, "torch_of_the_other.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        (folder / "ready").touch()
    return python


def compare(name: str, size: Size, python: Path, out: Path) -> EraserAgreement:
    """Run both programs on one picture."""
    home = out / "torch"
    programs = home / "hub" / "checkpoints"
    save_programs(programs, name)
    image, marked = picture_and_hole(size)
    given, made = out / "given.npz", out / "made.npz"
    np.savez(given, image=image, mask=marked)
    script = str(Path(__file__).with_name("eraser_peer.py"))
    environment = {**os.environ, "TORCH_HOME": str(home), "PYTHONPATH": ""}
    done = subprocess.run(
        [str(python), "-P", script, name, str(given), str(made)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"IOPaint's {CLASSES[name][1]} failed on {size}: {done.stderr.strip().splitlines()[-1]}")
    theirs, ours = np.load(made)["image"], erased(programs, name, image, marked)
    hole = marked > 0
    difference = np.abs(theirs[hole].astype(int) - ours[hole].astype(int))
    changed = float(np.abs(image[hole].astype(int) - ours[hole].astype(int)).mean())
    return EraserAgreement(name, str(size), int(difference.max()), float((difference > 1).mean()), changed)


def picture_and_hole(size: Size, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(H, W, 3) a picture with edges, and (H, W) a hole of two shapes, 255 inside."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size.height, : size.width]
    waves = [np.sin(rows / (17 + k) + columns / 23) * 0.3 + 0.5 for k in range(3)]
    image = np.stack(waves, axis=2) + 0.2 * ((rows + 2 * columns) % 64 < 32)[..., None]
    image = image + rng.normal(0, 0.02, image.shape)
    marked = np.zeros(size.shape, np.uint8)
    marked[size.height // 4 : size.height // 2, size.width // 5 : size.width // 2] = 255
    distance = (rows - 0.7 * size.height) ** 2 + (columns - 0.7 * size.width) ** 2
    marked[distance < (0.13 * size.height) ** 2] = 255
    return (np.clip(image, 0, 1) * 255).round().astype(np.uint8), marked


def erased(programs: Path, name: str, image: NDArray[np.uint8], marked: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Overpaint's result of the whole picture, with the mask's own edge and without corrections."""
    first = next(iter(programs_of(name)))
    with Studio(device="cpu", allow_pickle=True) as studio:
        edited = studio.edit(
            Picture(image, None, Colour("rgb"), Metadata()),
            mask=Mask((marked > 0).astype(np.float32)),
            model=str(programs / first),
            intent="remove",
            area="whole",
            grow=0,
            feather=0,
            detail="none",
            colour_match=False,
            seam=False,
            seed=SEED,
        )
    return np.asarray(edited.picture.samples, np.uint8)


def programs_of(name: str) -> Sequence[str]:
    """The file names of an eraser's programs."""
    from benchmarks.eraser_programs import PROGRAMS

    return list(PROGRAMS[name])


if __name__ == "__main__":
    sys.exit(main())
