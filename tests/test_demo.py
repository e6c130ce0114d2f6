"""The program of `make demo`: everything that it shows needs no model."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

import overpaint
from overpaint import api

DEMO = Path(__file__).parents[1] / "examples" / "demo.py"


def test_the_demo_shows_three_edits_that_need_no_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, without_pocket: None
) -> None:
    with overpaint.Studio(model="not-here") as studio:  # the shared one keeps its model for later tests
        monkeypatch.setattr(api, "_studio", lambda: studio)
        runpy.run_path(str(DEMO))["main"](tmp_path)
    said = capsys.readouterr().out
    assert all(f"with        {engine} in" in said for engine in ("exemplar", "recolor", "backdrop"))
    assert said.count(", no pixels of the written file differ") == 3
    assert len(list(tmp_path.glob("*-mask-*.png"))) == 3

    def around(name: str, x: int, y: int) -> list[int]:
        pixels = overpaint.open(tmp_path / name).samples[y - 4 : y + 5, x - 4 : x + 5]
        return [round(float(one)) for one in np.median(pixels, axis=(0, 1))]

    red, green, blue = around("rocket.remove.jpg", 448, 300)
    assert red < green < blue, "the evening sky, and no lattice of steel"
    red, _, blue = around("astronaut.recolor.png", 100, 330)
    assert blue > red + 80, "the suit"
    assert around("astronaut.recolor.png", 220, 60) == around("astronaut.png", 220, 60), "the hair"
    assert around("coffee.background.png", 550, 60) == [255, 255, 255], "the table"
