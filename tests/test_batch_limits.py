"""A row that takes more memory or time than it may fails alone, also with several workers; it is not called damaged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from batches import photo, photos
from test_batch_hostile import BOX, SITE, _never

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there are no bounded processes")
GOOD = 6
WORKERS = [
    pytest.param([], id="threads"),
    pytest.param(["--ray", "local:2"], id="ray", marks=pytest.mark.slow),
]


def _run(folder: Path, bad: list[dict[str, Any]], *words: str, path: str = "") -> list[dict[str, Any]]:
    """The events of a run of these rows among good ones, which are all done."""
    good = [{"image": str(file), "box": BOX, "id": file.stem} for file in photos(folder / "good", GOOD)]
    rows = [*good[:2], *bad, *good[2:]]
    (folder / "edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
    command = [sys.executable, "-m", "overpaint", "batch", "edits.jsonl", "-o", "out", "--engine", "telea", *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [path, *sys.path]))}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200)
    assert run.returncode == 1, run.stderr
    events = [json.loads(line) for line in run.stdout.splitlines()]
    assert {event["id"] for event in events if event["event"] == "done"} == {row["id"] for row in good}
    assert (events[-1]["failed"], events[-1]["left"]) == (len(bad), 0)
    assert not [file for file in folder.rglob("*") if file.suffix in (".part", ".tmp")]
    return [event for event in events if event["event"] == "failed"]


@pytest.mark.parametrize("words", WORKERS)
def test_a_row_that_needs_more_memory_than_it_may_take_fails_alone_and_says_so(tmp_path: Path, words: list[str]):
    photo(tmp_path / "small.png")
    photo(tmp_path / "large.png", size=(3200, 2400))
    with (tmp_path / "fat.json").open("w") as file:  # small as a picture: only reading it tells what it takes
        file.write('{"imageWidth": 40, "imageHeight": 30, "shapes": [], "imageData": "')
        for _ in range(100):
            file.write("A" * 1_000_000)
        file.write('"}')
    bad = [
        {"image": "large.png", "box": BOX, "id": "large"},
        {"image": "small.png", "mask": "fat.json", "id": "fat"},
    ]
    failed = _run(tmp_path, bad, "--row-memory", "150M", "--retries", "0", *words)
    (large,) = [event for event in failed if event["id"] == "large"]
    assert "large.png: it needs about 0.184 GB of memory, and a row may take 0.1" in large["reason"]
    first, second = [event for event in failed if event["id"] == "fat"]
    assert (first["again"], second["again"]) == (True, False), "it is tried again, alone"
    for event in (first, second):
        assert "fat.json: there was not enough memory to read it, of which it may take 0.1" in event["reason"]
        assert "damaged" not in event["reason"]


@pytest.mark.slow
@pytest.mark.parametrize("words", WORKERS)
def test_a_row_that_is_read_for_too_long_fails_alone_and_says_so(tmp_path: Path, words: list[str]):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SITE)
    bad = [{"image": str(_never(tmp_path / f"slow{n}.png")), "box": BOX, "id": f"slow{n}"} for n in range(3)]
    failed = _run(tmp_path, bad, "--row-timeout", "25", *words, path=str(tmp_path / "site"))
    assert {event["id"] for event in failed} == {"slow0", "slow1", "slow2"}
    for event in failed:
        assert f"{event['id']}.png: it took longer than 25 seconds to read" in event["reason"]
        assert not event["again"]
