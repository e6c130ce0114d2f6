"""The program of `make demo`: remove a lightning tower from a photograph; with a model, replace coffee by soup.

The photographs come with scikit-image: a launch of a Falcon 9 by SpaceX (in the public domain), and an espresso by
Rachel Michetti, courtesy of Pikolo Espresso Bar (CC0). The first is filled from its surroundings. The second is
painted by the embedded model, if the package has it.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

import overpaint
from overpaint import Mask

# The tower to the right of the rocket and the two lamps at its foot, in pixels of the photograph.
TOWER = [(441, 119), (453, 119), (456, 188), (461, 190), (484, 427), (420, 427), (418, 372), (437, 350), (439, 190)]


# The coffee in the cup.
COFFEE = (203, 94, 371, 195)


def main(folder: Path) -> None:
    """Write both results and a comparison of each into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rocket = overpaint.open(_photo("rocket.jpg", folder))
    tower = Mask.polygon(rocket.size, TOWER)
    _show("Removed", overpaint.remove(rocket, tower, seed=1), folder / "before-mask-after.png")

    if overpaint.Studio().model is None:
        return
    coffee = overpaint.open(_photo("coffee.png", folder))
    drink = Mask.ellipse(coffee.size, COFFEE)
    soup = overpaint.edit(coffee, mask=drink, intent="replace", prompt="green soup", seed=1)
    _show("Replaced", soup, folder / "coffee-mask-soup.png")
    print(f"Replaced by a prompt: {soup.request.prompt!r}.", *soup.notes)


def _photo(name: str, folder: Path) -> Path:
    photo = folder / name
    photo.write_bytes((files("skimage.data") / name).read_bytes())
    return photo


def _show(did: str, edited: overpaint.Edited, comparison: Path) -> None:
    saved = edited.save(overwrite=True)
    overpaint.save(edited.comparison(), comparison, overwrite=True)
    seconds = sum(edited.timings.values())
    painter = edited.resolved.model or edited.resolved.engine
    print(f"{did} {edited.mask.area:.0f} pixels of a {edited.picture.size} photo with {painter} in {seconds:.1f} s.")
    print(f"  photo       {edited.original.source.path}")
    print(f"  result      {saved.path}")
    print(f"  comparison  {comparison}")
    print(f"Beyond {saved.reach} pixels from the mask, {saved.changed or 'no'} pixels of the written file differ.")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
