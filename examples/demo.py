"""The program of `make demo`: three edits of photographs that need no model.

A lightning tower is removed from the photograph of a launch, the orange suit of an astronaut becomes blue, and a cup
gets a white background with a shadow. The photographs come with scikit-image: a Falcon 9 by SpaceX and Eileen Collins
by NASA (in the public domain), and an espresso by Rachel Michetti, courtesy of Pikolo Espresso Bar (CC0).
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

import overpaint
from overpaint import Mask

# Outlines in pixels of the photographs: the tower to the right of the rocket and the two lamps at its foot; the suit
# up to the collar and the helmet; the cup with its saucer and spoon.
# fmt: off
TOWER = [(441, 119), (453, 119), (456, 188), (461, 190), (484, 427), (420, 427), (418, 372), (437, 350), (439, 190)]

SUIT = [
    (112, 208), (86, 232), (64, 248), (50, 273), (41, 298), (34, 316), (27, 337), (26, 376), (20, 394), (21, 423),
    (23, 451), (30, 487), (39, 512), (282, 512), (280, 473), (282, 451), (291, 416), (307, 387), (321, 369), (339, 359),
    (362, 350), (364, 344), (361, 319), (352, 284), (343, 266), (332, 251), (318, 241), (305, 235), (303, 248),
    (302, 262), (286, 280), (264, 292), (243, 294), (214, 291), (186, 280), (161, 264), (139, 248), (125, 226),
    (116, 212),
]

CUP = [
    (182, 71), (160, 80), (139, 92), (119, 111), (100, 136), (85, 169), (79, 192), (77, 215), (80, 241), (91, 272),
    (106, 297), (127, 322), (152, 347), (179, 364), (213, 379), (252, 388), (290, 390), (328, 387), (367, 377),
    (401, 360), (428, 337), (457, 305), (470, 276), (478, 241), (479, 215), (476, 192), (468, 169), (457, 149),
    (439, 128), (424, 115), (418, 107), (423, 78), (411, 68), (397, 72), (386, 57), (367, 42), (344, 30), (317, 21),
    (290, 18), (267, 19), (244, 25), (221, 35), (202, 48), (188, 61),
]
# fmt: on


def main(folder: Path) -> None:
    """Write three results and a comparison of each into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rocket, tower = _photo("rocket.jpg", folder, TOWER)
    _show("Removed", overpaint.remove(rocket, tower, seed=1), folder / "tower-mask-gone.png")

    astronaut, suit = _photo("astronaut.png", folder, SUIT)
    blue = overpaint.edit(astronaut, mask=suit, intent="recolor", options={"to": "blue"})
    _show("Recoloured", blue, folder / "orange-mask-blue.png")

    coffee, cup = _photo("coffee.png", folder, CUP)
    white = overpaint.edit(coffee, mask=cup, intent="background", options={"colour": "white", "shadow": 0.6})
    _show("Replaced the background:", white, folder / "table-mask-white.png")


def _photo(name: str, folder: Path, outline: list[tuple[int, int]]) -> tuple[overpaint.Picture, Mask]:
    photo = folder / name
    photo.write_bytes((files("skimage.data") / name).read_bytes())
    picture = overpaint.open(photo)
    return picture, Mask.polygon(picture.size, outline)


def _show(did: str, edited: overpaint.Edited, comparison: Path) -> None:
    saved = edited.save(overwrite=True)
    overpaint.save(edited.comparison(), comparison, overwrite=True)
    seconds = sum(edited.timings.values())
    print(f"{did} {edited.mask.area:.0f} pixels of a {edited.picture.size} photo")
    print(f"  with        {edited.resolved.engine} in {seconds:.1f} s")
    print(f"  photo       {edited.original.source.path}")
    print(f"  result      {saved.path}")
    print(f"  comparison  {comparison}")
    print(f"  beyond {saved.reach} pixels from the mask, {saved.changed or 'no'} pixels of the written file differ")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
