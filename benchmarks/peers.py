"""Other fillers that people have, to compare with. Each is run as its own documentation shows, on the whole photo.

They are no part of the project. One that is missing is told in words, with what installs it, and left out.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from overpaint.errors import EngineError

Pixels8 = NDArray[np.uint8]
Hole = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Peer:
    """A filler of another project.

    Attributes:
        about: What it is.
        install: What installs it.
        version: Its version; None where it is not installed.
        fill: The photo (H, W, 3) uint8 with its hole (H, W) filled.
    """

    about: str
    install: str
    version: Callable[[], str | None]
    fill: Callable[[Pixels8, Hole], Pixels8]


def _package(name: str) -> Callable[[], str | None]:
    def installed() -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    return installed


def _pypatchmatch(pixels: Pixels8, hole: Hole) -> Pixels8:
    """PatchMatch with patches of radius 3, as the package's examples have; its default of 15 takes minutes."""
    from patchmatch import patch_match

    patch_match.set_random_seed(0)
    return np.asarray(patch_match.inpaint(pixels, hole, patch_size=3), np.uint8)


def _patchmatch_cython(pixels: Pixels8, hole: Hole) -> Pixels8:
    """Its fill over a pyramid, all settings left out."""
    from patchmatch_cython import inpaint_pyramid

    return np.asarray(inpaint_pyramid(pixels, hole, seed=0), np.uint8)


def _gmic_version() -> str | None:
    program = shutil.which("gmic")
    if program is None:
        return None
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return (said.stdout or said.stderr).strip() or "unknown"


def _gmic(pixels: Pixels8, hole: Hole) -> Pixels8:
    """`inpaint_matchpatch` with its usual settings. A process for each photo, so that its start is in the time."""
    with tempfile.TemporaryDirectory() as folder:
        photo, mask, filled = (Path(folder) / name for name in ("photo.ppm", "mask.pgm", "filled.ppm"))
        Image.fromarray(pixels).save(photo)
        Image.fromarray(hole.astype(np.uint8) * np.uint8(255)).save(mask)
        # Rounded, since it blends in float and cuts decimals off when it writes.
        steps = ["inpaint_matchpatch[0]", "[1]", "round[0]", "1", "cut[0]", "0,255", "output[0]", str(filled)]
        command = ["gmic", str(photo), str(mask), *steps]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not filled.is_file():
            raise EngineError(f"gmic ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        with Image.open(filled) as image:
            return np.asarray(image.convert("RGB"))


PEERS = {
    "pypatchmatch": Peer(
        "PatchMatch by pypatchmatch", "pip install pypatchmatch", _package("pypatchmatch"), _pypatchmatch
    ),
    "patchmatch-cython": Peer(
        "PatchMatch by patchmatch-cython",
        "pip install patchmatch-cython",
        _package("patchmatch-cython"),
        _patchmatch_cython,
    ),
    "gmic": Peer("G'MIC's inpaint_matchpatch", "apt-get install gmic", _gmic_version, _gmic),
}
"""By the names that they have as engines of the benchmark."""

GROUP = "peers"
"""Name of all of them together."""


def missing(name: str) -> str:
    """A line for the report: this peer is not here, and what installs it."""
    peer = PEERS[name]
    return f"{name} ({peer.about}): not installed; {peer.install}"
