"""What GIMP and Krita of Debian make of layered files, as they are installed: `apt-get install gimp krita xvfb`.

GIMP 2.10 works without a screen; Krita 5.1 exports on a virtual one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overpaint import Mask, Session
from overpaint.geometry import Box, Size
from overpaint.picture import Picture, encode, from_array, open_picture

SIZE = Size(200, 140)

pytestmark = pytest.mark.slow


@pytest.fixture
def exported(tmp_path: Path, request: pytest.FixtureRequest) -> Picture:
    """A photo-like picture, with soft transparency where asked, in three steps; written as out.psd and out.ora."""
    y, x = np.mgrid[: SIZE.height, : SIZE.width]
    waves = [127 + 90 * np.sin(x / period + y / 17) for period in (11, 7, 23)]
    pixels = np.rint(np.dstack(waves)).astype(np.uint8)
    if request.param == "alpha":
        far = np.hypot(x / SIZE.width - 0.5, y / SIZE.height - 0.5)
        pixels = np.dstack([pixels, np.rint(np.clip(2.4 - 4 * far, 0, 1) * 255).astype(np.uint8)])
    photo = tmp_path / "photo.png"
    photo.write_bytes(encode(from_array(pixels), "png").data)
    with Session.create(photo, tmp_path / "s.overpaint") as session:
        session.edit(mask=Mask.box(SIZE, Box(20, 20, 80, 70)), intent="remove", engine="telea")
        session.edit(mask=Mask.ellipse(SIZE, Box(60, 40, 150, 110)), intent="remove", engine="blur", feather=6.0)
        session.edit(mask=Mask.box(SIZE, Box(120, 10, 180, 60)), intent="remove", engine="telea")
        session.opacity(2, 0.6)
        session.mask(1, Mask.box(SIZE, Box(20, 20, 40, 70)))
        session.hide(3)
        for name in ("out.psd", "out.ora"):
            session.layered().save(tmp_path / name)
        return session.picture


BOTH = pytest.mark.parametrize("exported", ["opaque", "alpha"], indirect=True)


def largest(found: Picture, wanted: Picture) -> int:
    """In levels of 8 bits: of the alpha, and of the colours where more than a trace of them shows."""
    shows = np.ones(SIZE.shape, bool) if wanted.alpha is None else wanted.alpha > 8
    apart = np.abs(found.samples.astype(int) - wanted.samples)[shows].max()
    own = np.full(SIZE.shape, 255) if wanted.alpha is None else wanted.alpha.astype(int)
    other = np.full(SIZE.shape, 255) if found.alpha is None else found.alpha.astype(int)
    return int(max(apart, np.abs(own - other).max()))


def needed(*programs: str) -> None:
    for one in programs:
        if shutil.which(one) is None:
            pytest.skip(f"{one} is not installed")


@BOTH
def test_krita_exports_both_files_to_the_flattened_picture(exported, tmp_path):
    needed("krita", "xvfb-run")
    environment = {**os.environ, "HOME": str(tmp_path)}
    for name in ("out.ora", "out.psd"):
        words = ["xvfb-run", "-a", "krita", "--export", "--export-filename", "krita.png", name]
        subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, check=True, timeout=300)
        assert largest(open_picture(tmp_path / "krita.png"), exported) <= 1, name
        (tmp_path / "krita.png").unlink()


SCRIPT = """
(define (said id)
  (gimp-message (string-append "LAYER [" (car (gimp-item-get-name id)) "] "
    (if (= 1 (car (gimp-item-is-group id))) "group" "layer")
    (if (= -1 (car (gimp-layer-get-mask id))) " bare " " masked ")
    (if (= 1 (car (gimp-item-get-visible id))) "shown " "hidden ")
    (number->string (round (car (gimp-layer-get-opacity id))))))
  (if (= 1 (car (gimp-item-is-group id)))
    (for-each said (vector->list (cadr (gimp-item-get-children id))))))
(let ((image (car (gimp-file-load RUN-NONINTERACTIVE "out.psd" "out.psd"))))
  (for-each said (vector->list (cadr (gimp-image-get-layers image))))
  (gimp-image-merge-visible-layers image CLIP-TO-IMAGE)
  (file-png-save RUN-NONINTERACTIVE image (car (gimp-image-get-active-layer image))
    "gimp.png" "gimp.png" 0 9 0 0 0 0 0))
(gimp-quit 0)
"""


@BOTH
def test_gimp_opens_the_psd_with_its_layers_and_masks(exported, tmp_path):
    needed("gimp")
    found = subprocess.run(
        ["gimp", "-i", "-d", "-f", "-b", "-"],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
        input=SCRIPT,
        capture_output=True,
        text=True,
        check=True,
        timeout=400,
    )
    layers: list[Any] = re.findall(r"LAYER \[(.*)\] (\w+) (\w+) (\w+) (\d+)", found.stdout + found.stderr)
    steps = [
        ("3 Remove", "layer", "masked", "hidden", "100"),
        ("2 Remove", "layer", "masked", "shown", "60"),
        ("1 Remove", "layer", "masked", "shown", "100"),
        ("Original", "layer", "bare", "shown", "100"),
    ]
    whole = [] if exported.alpha is None else [("Picture", "group", "masked", "shown", "100")]
    assert layers == whole + steps
    assert largest(open_picture(tmp_path / "gimp.png"), exported) <= 1
