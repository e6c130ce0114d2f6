"""A batch with an audit log that is killed at any moments does every row once, and leaves nothing half written."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from batches import photo, pixels
from overpaint.audit import verify
from overpaint.ledger import Ledger

ROWS, KILLS = 60, 25
BATCH = ["-m", "overpaint", "batch", "edits.jsonl", "-o", "out", "--audit", "out/audit.jsonl", "--engine", "exemplar"]
OWN = {"audit.jsonl", "audit.head", "report.html", "report.csv"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = []
    for n in range(ROWS):
        photo(tmp_path / f"p{n:02}.png", n, (96, 72))
        place = {"after": f"r{n - 1}"} if n % 10 == 9 else {"image": f"p{n:02}.png"}
        rows.append({"id": f"r{n}", "box": "20,15,50,45", "output": f"r{n:02}.png", **place})
    (tmp_path / "edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def _start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *BATCH], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _killed(process: subprocess.Popen[str], chance: random.Random) -> None:
    """SIGKILL at a moment by chance: while it starts, or soon after one of its events."""
    assert process.stdout is not None
    if chance.random() < 0.2:
        time.sleep(chance.uniform(0, 3))
    else:
        for _ in range(chance.randint(1, 7)):
            process.stdout.readline()
        time.sleep(chance.choice([0, chance.uniform(0, 0.02), chance.uniform(0, 0.5)]))
    process.kill()
    process.communicate()


def _results(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "out").glob("*.png"))


def _check_meanwhile(folder: Path) -> None:
    """After a kill: what has a name is whole, and the log is whole, or what is missing is named with the reason."""
    for name in _results(folder):
        assert pixels(folder / "out" / name).shape == (72, 96, 3)
    log = folder / "out" / "audit.jsonl"
    if log.exists():
        verdict = verify(log)
        assert verdict.whole or all(map(str, verdict.faults)), verdict


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is another thing there")
def test_killed_at_twenty_five_moments_by_chance_every_row_is_done_once(folder: Path):
    """KILL_SEED sets the moments."""
    seed = int(os.environ.get("KILL_SEED", "1"))
    chance = random.Random(seed)
    for _ in range(KILLS):
        _killed(_start(folder), chance)
        _check_meanwhile(folder)
    last = _start(folder)
    out, err = last.communicate(timeout=600)
    assert last.returncode == 0, (seed, err)
    ended = json.loads(out.splitlines()[-1])
    assert (ended["done"] + ended["unchanged"], ended["failed"], ended["left"]) == (ROWS, 0, 0)

    assert _results(folder) == [f"r{n:02}.png" for n in range(ROWS)]
    assert {path.name for path in (folder / "out").iterdir() if path.is_file()} - set(_results(folder)) == OWN
    hidden = [path for path in (folder / "out" / ".overpaint").rglob("*") if path.suffix in (".part", ".tmp")]
    assert hidden == []
    verdict = verify(folder / "out" / "audit.jsonl")
    assert (verdict.whole, verdict.records, verdict.outputs) == (True, ROWS, ROWS), (seed, verdict.faults)
    with (folder / "out" / "report.csv").open(encoding="utf-8") as file:
        listed = [(row["id"], row["state"]) for row in csv.DictReader(file)]
    assert sorted(listed) == sorted((f"r{n}", "done") for n in range(ROWS)), "each once"
    with Ledger(folder / "out" / ".overpaint" / "ledger.sqlite") as ledger:
        assert sorted(entry.id for entry in ledger.entries("done")) == sorted(f"r{n}" for n in range(ROWS))
    before = {name: (folder / "out" / name).stat().st_mtime_ns for name in _results(folder)}
    assert json.loads(_start(folder).communicate(timeout=600)[0].splitlines()[-1])["unchanged"] == ROWS
    assert {name: (folder / "out" / name).stat().st_mtime_ns for name in _results(folder)} == before
