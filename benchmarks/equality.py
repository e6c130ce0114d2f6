"""Comparison of the files of edits by two source trees: `python -m benchmarks.equality BASE_SRC`.

Each tree runs in its own process over the same photographs, with fixed seeds and without records. The results
are compared as bytes and as decoded pixels. Engines, intents, masks, formats and settings are varied.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

PHOTOS = "OVERPAINT_EVAL_PHOTOS"
FEW_STEPS = {"model": "pocket", "steps": 4}
SHAPES: Sequence[Mapping[str, Any]] = (
    {"kind": "box", "box": (0.4, 0.4, 0.55, 0.6)},
    {"kind": "ellipse", "box": (0.1, 0.3, 0.35, 0.7)},
    {"kind": "box", "box": (0.0, 0.0, 0.2, 0.15)},
)
EDITS: Sequence[tuple[str, Mapping[str, Any]]] = (
    ("png", {"intent": "remove"}),
    ("jpeg", {"intent": "remove"}),
    ("png", {"intent": "remove", "engine": "telea"}),
    ("jpeg", {"intent": "remove", "engine": "telea"}),
    ("png", {"intent": "remove", "engine": "exemplar", "options": {"quality": "draft"}}),
    ("png", {"intent": "remove", "engine": "exemplar", "grow": 6.0, "feather": 2.0}),
    ("png", {"intent": "remove", "engine": "blur", "strict": True}),
    ("png", {"intent": "remove", "engine": "navier-stokes", "padding": 40}),
    ("png", {"intent": "custom", "engine": "biharmonic"}),
    ("png", {"intent": "expand", "margins": (40, 0, 24, 16)}),
    ("jpeg", {"intent": "expand", "margins": (0, 32, 0, 0), "engine": "blur"}),
    ("png", {"intent": "remove", **FEW_STEPS}),
    ("jpeg", {"intent": "remove", **FEW_STEPS, "detail": "none"}),
    ("png", {"intent": "replace", "prompt": "a red flower", **FEW_STEPS}),
    ("jpeg", {"intent": "replace", "prompt": "a wooden bench", "strength": 0.6, **FEW_STEPS}),
    ("png", {"intent": "background", "prompt": "sand", **FEW_STEPS}),
    ("png", {"intent": "recolor", "prompt": "blue", **FEW_STEPS, "sampler": "Euler a"}),
    ("png", {"intent": "refine", **FEW_STEPS, "guidance_scale": 3.0}),
    ("png", {"intent": "add", "prompt": "a lamp", **FEW_STEPS, "area": "whole"}),
    ("jpeg", {"intent": "expand", "margins": (0, 0, 48, 0), "prompt": "a meadow", **FEW_STEPS}),
)
"""Formats and settings; edit k uses photograph k and shape k, each modulo their number."""


def main() -> int:
    """Compare, and print a table; exit status 1 when any pixels differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path, help="the source tree to compare with (the folder that holds overpaint/)")
    parser.add_argument("--photos", type=Path, default=os.environ.get(PHOTOS), help=f"a folder; else ${PHOTOS}")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of edits")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker is not None:
        for line in _run(given.photos, given.worker, given.only):
            print(json.dumps(line), flush=True)
        return 0
    if given.photos is None:
        parser.error(f"give a folder of photographs with --photos, or in {PHOTOS}")
    here = Path(__file__).parents[1] / "src"
    with tempfile.TemporaryDirectory() as folder:
        found = [_run_tree(tree, Path(folder, name), given) for tree, name in ((given.base, "base"), (here, "now"))]
    return _table(*found)


def _run_tree(tree: Path, out: Path, given: argparse.Namespace) -> dict[str, dict[str, str]]:
    """What each edit gives with a source tree."""
    out.mkdir()
    command = [sys.executable, __file__, str(given.base), "--photos", str(given.photos), "--worker", str(out)]
    command += ["--only", *map(str, given.only)] if given.only else []
    environment = {**os.environ, "PYTHONPATH": str(tree.resolve()), "OMP_NUM_THREADS": "1"}
    text = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {line["edit"]: line for line in map(json.loads, text.splitlines())}


def _table(base: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> int:
    different = 0
    for edit, line in now.items():
        pixels, data = (base[edit][key] == line[key] for key in ("pixels", "bytes"))
        different += not pixels
        print(f"{'equal ' if pixels else 'DIFFER'}  {'equal ' if data else 'differ'}  {edit}")
    print(f"decoded pixels of {len(now) - different} of {len(now)} edits are equal (first column; bytes in the second)")
    return 1 if different else 0


def _run(photos: Path, out: Path, only: Sequence[int] | None) -> Iterator[dict[str, str]]:
    """Make every edit with the source tree on the path."""
    import overpaint

    files = sorted(file for file in photos.rglob("*") if file.suffix.lower() in (".jpg", ".jpeg", ".png"))
    files = [file for file in files if "mask" not in str(file.relative_to(photos))]
    with overpaint.Studio(device="cpu", threads=1) as studio:
        for number, edit in enumerate(EDITS):
            if only and number not in only:
                continue
            format, settings = edit
            file = files[number % len(files)]
            yield _line(f"{number:2d} {file.name} {format} {dict(settings)}", studio, overpaint.open(file), edit, out)
        if not only:
            yield from _demo(studio, out)


def _line(name: str, studio: Any, picture: Any, edit: tuple[str, Mapping[str, Any]], out: Path) -> dict[str, str]:
    format, settings = edit
    mask = None
    if "margins" not in settings:
        mask = _mask(picture.size, SHAPES[len(list(out.iterdir())) % len(SHAPES)])
    edited = studio.edit(picture, mask=mask, seed=7, **settings)
    return _saved(name, edited, out / f"{len(list(out.iterdir()))}.{format}")


def _saved(name: str, edited: Any, path: Path) -> dict[str, str]:
    from overpaint import open as open_picture

    edited.save(path, record="none")
    written = open_picture(path)
    pixels = hashlib.sha256(written.samples.tobytes())
    if written.alpha is not None:
        pixels.update(written.alpha.tobytes())
    return {"edit": name, "pixels": pixels.hexdigest(), "bytes": hashlib.sha256(path.read_bytes()).hexdigest()}


def _mask(size: Any, shape: Mapping[str, Any]) -> Any:
    from overpaint import Mask

    left, top, right, bottom = shape["box"]
    box = tuple(round(share * side) for share, side in zip((left, top, right, bottom), (*size, *size), strict=True))
    return Mask.box(size, box) if shape["kind"] == "box" else Mask.ellipse(size, box)


def _demo(studio: Any, out: Path) -> Iterator[dict[str, str]]:
    """The edits of `make demo`."""
    from importlib.resources import files

    from overpaint import Mask
    from overpaint import open as open_picture

    demo = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "demo.py"))
    rocket = open_picture(files("skimage.data").joinpath("rocket.jpg").read_bytes())
    removed = studio.edit(rocket, mask=Mask.polygon(rocket.size, demo["TOWER"]), intent="remove", seed=1)
    yield _saved("demo: the tower", removed, out / "tower.jpeg")
    coffee = open_picture(files("skimage.data").joinpath("coffee.png").read_bytes())
    drink = Mask.ellipse(coffee.size, demo["COFFEE"])
    soup = studio.edit(coffee, mask=drink, intent="replace", prompt="green soup", seed=1)
    yield _saved("demo: the soup", soup, out / "soup.png")


if __name__ == "__main__":
    sys.exit(main())
