"""A hand that is drawn with a few line segments guides the hand that a model paints.

    python examples/hand.py hand.png MODEL [CONTROLNET]

A raised hand is added to the portrait of Eileen Collins (NASA, in the public domain; it comes with scikit-image). The
model paints from the prompt; the ControlNet for lineart, the one that is here unless another is named, keeps five
fingers where the lines are. The lines are written too, as hand-lines.png.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import overpaint
from overpaint import Mask

PLACE = (360, 180, 500, 400)
"""Left, top, right and bottom of the hand in the photograph, which has 512x512 pixels."""

# From the wrist round thumb and fingers back to the wrist; x and y as shares of the place.
# fmt: off
OUTLINE = (
    (0.30, 1.00), (0.28, 0.75), (0.10, 0.55), (0.05, 0.42), (0.12, 0.38), (0.27, 0.52),
    (0.25, 0.15), (0.30, 0.08), (0.36, 0.14), (0.40, 0.42),
    (0.43, 0.05), (0.49, 0.00), (0.55, 0.06), (0.55, 0.42),
    (0.60, 0.10), (0.66, 0.06), (0.71, 0.13), (0.69, 0.46),
    (0.75, 0.25), (0.81, 0.22), (0.85, 0.29), (0.80, 0.60), (0.74, 0.80), (0.72, 1.00),
)
# fmt: on


def drawing(size: overpaint.Size) -> np.ndarray:
    """(H, W) uint8: the outline of the hand in its place, dark on white paper, as it would be drawn by hand."""
    left, top, right, bottom = PLACE
    points = [(left + x * (right - left), top + y * (bottom - top)) for x, y in OUTLINE]
    paper = Image.new("L", tuple(size), 255)
    ImageDraw.Draw(paper).line(points, fill=0, width=3, joint="curve")
    return np.asarray(paper)


def main(out: Path, model: str, controlnet: str | None = None, **settings: object) -> overpaint.Edited:
    """Paint the hand, and write it and its lines. `settings`: further ones of the edit, such as its seed."""
    picture = overpaint.open(Path(str(files("skimage.data") / "astronaut.png")))
    lines = drawing(picture.size)
    Image.fromarray(lines).save(out.with_name(f"{out.stem}-lines.png"))
    with overpaint.Studio() as studio:
        edited = studio.edit(
            picture,
            intent="add",
            mask=Mask.box(picture.size, PLACE).grow(8),
            prompt="a raised hand with five fingers, photograph",
            model=model,
            **{
                "seed": 1,
                "controls": [{"kind": "lineart", "image": lines, "model": controlnet, "weight": 0.9, "end": 0.8}],
                **settings,
            },
        )
    edited.save(out, overwrite=True)
    return edited


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("python examples/hand.py OUT.png MODEL [CONTROLNET]")
    print("; ".join(main(Path(sys.argv[1]), *sys.argv[2:]).notes))
