"""What `make demo` runs: take a lightning tower out of a photograph, and show before, mask and after.

The photograph is the one of a Falcon 9 before its launch that comes with scikit-image (SpaceX, public domain, CC0).
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

import overpaint
from overpaint import Mask

# The tower to the right of the rocket and the two lamps at its foot, in pixels of the photograph.
TOWER = [(441, 119), (453, 119), (456, 188), (461, 190), (484, 427), (420, 427), (418, 372), (437, 350), (439, 190)]


def main(folder: Path) -> None:
    """Write the result and a comparison into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    photo = folder / "rocket.jpg"
    photo.write_bytes((files("skimage.data") / "rocket.jpg").read_bytes())

    picture = overpaint.open(photo)
    mask = Mask.polygon(picture.size, TOWER)
    edited = overpaint.remove(picture, mask, seed=1)
    saved = edited.save(overwrite=True)
    comparison = folder / "before-mask-after.png"
    overpaint.save(edited.comparison(), comparison, overwrite=True)

    seconds = sum(edited.timings.values())
    print(f"Removed {mask.area:.0f} pixels of a {picture.size} photo with {edited.resolved.engine} in {seconds:.1f} s.")
    print(f"  photo       {photo}")
    print(f"  result      {saved.path}")
    print(f"  comparison  {comparison}")
    print(f"Beyond {saved.reach} pixels from the mask, {saved.changed or 'no'} pixels of the written file differ.")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
