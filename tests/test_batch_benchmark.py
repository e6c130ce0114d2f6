"""The benchmark of batches runs, and its figures are those of what it ran."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import batch
from benchmarks.dataset import KINDS
from PIL import Image

from batches import photo


def test_both_ways_are_measured_and_the_engine_is_busier_in_a_batch(tmp_path: Path) -> None:
    for n in range(3):
        photo(tmp_path / "photos" / "eval" / "images" / f"{n}.jpg", seed=n, size=(64, 48))
    page = tmp_path / "page.md"
    page.write_text("<!-- batch -->\n<!-- end of batch -->\n")
    words = ["--count", "8", "--engines", "stand-in", "--cost", "0.2", "--shared", str(tmp_path)]
    assert batch.main([*words, "--out", str(tmp_path / "out"), "--page", str(page)]) == 0
    plain, ours = json.loads((tmp_path / "out" / "results.json").read_text())["results"]
    assert (plain["count"], ours["count"]) == (8, 8)
    for one in (plain, ours):
        assert one["engine_seconds"] >= 8 * 0.2
        assert 0 < one["busy"] <= 1
        assert one["seconds"] >= one["engine_seconds"]
    assert "| stand-in | batch |" in page.read_text()


def test_a_batch_is_measured_beside_a_loop_of_opencv(tmp_path: Path) -> None:
    folder = tmp_path / "photos" / "eval"
    photo(folder / "images" / "000.jpg", seed=1, size=(64, 48))
    (folder / "index.jsonl").write_text(json.dumps({"id": "000", "image": "images/000.jpg", "caption": ""}))
    mask = Image.new("L", (64, 48))
    mask.paste(255, (20, 16, 40, 32))
    (folder / "masks").mkdir()
    for kind in KINDS:
        mask.save(folder / "masks" / f"000_{kind}.png")
    page = tmp_path / "page.md"
    page.write_text("<!-- batch-cost -->\n<!-- end of batch-cost -->\n")
    words = ["--engines", "telea", "--rounds", "1", "--shared", str(tmp_path)]
    assert batch.main([*words, "--out", str(tmp_path / "out"), "--page", str(page)]) == 0
    loop, ours = json.loads((tmp_path / "out" / "results.json").read_text())["costs"]
    for one in (loop, ours):
        assert one["count"] == len(KINDS)
        assert one["cpu"] > 0
        assert one["peak"] > 1e6
    assert "| batch |" in page.read_text()


def test_without_photos_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert batch.main(["--shared", str(tmp_path)]) == 2
    assert "no photos" in capsys.readouterr().err


def test_busy_is_the_share_of_the_time_between_first_and_last() -> None:
    clock = batch.EngineClock([(0.0, 1.0), (2.0, 3.0), (3.0, 4.0)])
    assert clock.engine_seconds == 3.0
    assert clock.busy == 0.75
    assert batch.EngineClock().busy == 0.0
