"""The extension set cuts sides off photos, whose truth is known, and every contender extends what is left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks import fill
from benchmarks.contenders import contenders, start
from benchmarks.extension import CUT, MIRROR, ExtensionCase, extensions
from benchmarks.networks import SHARED
from PIL import Image

PHOTOS = SHARED / "photos" / "eval"
needs_photos = pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photos are not here")


@pytest.fixture(params=CUT, ids="-".join)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> ExtensionCase:
    pixels = np.random.default_rng(0).integers(60, 200, (80, 100, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return ExtensionCase("000", "extend", tmp_path / "a.png", tmp_path / "none.png", "noise", request.param)


def test_a_fifth_of_the_photo_is_cut_off_on_its_sides_and_nothing_of_it_is_seen(case):
    loaded = case.load()
    assert loaded.hole.mean() == pytest.approx(0.2 * len(case.sides))
    assert np.array_equal(loaded.pixels[~loaded.hole], loaded.truth[~loaded.hole])
    assert (loaded.pixels[loaded.hole] != loaded.truth[loaded.hole]).mean() > 0.9
    border = {"left": loaded.hole[:, 0], "top": loaded.hole[0], "right": loaded.hole[:, -1], "bottom": loaded.hole[-1]}
    for side in case.sides:
        assert border[side].all()
    assert loaded.margins is not None
    assert sum(side > 0 for side in loaded.margins) == len(case.sides)


@pytest.mark.parametrize("engine", [MIRROR, "telea"])
def test_a_contender_extends_what_is_left(case, engine):
    (contender, _), _ = contenders([engine])
    runner, loaded = start(contender), case.load()
    filled = runner.fill(case, loaded)
    runner.close()
    assert filled.shape == loaded.truth.shape
    inside = np.zeros_like(loaded.hole)
    inside[30:50, 40:60] = True
    assert np.array_equal(filled[inside], loaded.truth[inside])
    assert not np.array_equal(filled[loaded.hole], loaded.truth[loaded.hole])
    if engine == MIRROR and case.sides == ("right",):
        assert np.array_equal(filled[:, 80:], filled[:, 79:59:-1])


@needs_photos
def test_extensions_are_judged_against_the_whole_photo(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    assert [case.sides for case in extensions(PHOTOS, limit=6)] == [*CUT, CUT[0]]
    with pytest.raises(ValueError, match="extend"):
        extensions(PHOTOS, kinds=("extend", "box"))
    asked = ["--kinds", "extend", "--engines", "mirror,telea", "--limit", "2", "--out", str(tmp_path)]
    assert fill.main([*asked, "--focus", "mirror"]) == 0
    table = (tmp_path / "table.md").read_text("utf-8")
    assert next(line for line in table.splitlines() if line.startswith("| untouched")).count("0.00 [0.00, 0.00]") == 2
    assert fill.main(["--kinds", "extend,box", "--limit", "2", "--out", str(tmp_path)]) == 2
