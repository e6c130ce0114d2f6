"""Whatever happens to a batch with a gate and between its runs, each row of the list is counted once."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batches import BOX, Bench, photo
from overpaint.batch import BatchFolders, Filter, review
from overpaint.batch.metrics import RunCounts
from overpaint.engines import Canvas, Monitor, Painted
from stand_ins import StandIn

STEPS = [
    *["run"] * 5,
    "accepted",
    "rejected",
    "no picture",
    "picture",
    "seed",
    "doubtful file",
    "result",
    "row",
    "flaky",
]


class Life:
    """A batch and what happens to it, from a seed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random, self.folder, self.flaky = random.Random(seed), folder, 0.0
        self.bench = Bench(folder, engine=lambda: StandIn(self._paint))
        for number in range(5):
            photo(folder / f"p{number}.png", number)
        self.rows: dict[int, dict[str, Any]] = {number: self._row(number) for number in range(5)}
        self.rows[5] = {"after": "r1", "box": "30,20,38,28", "id": "r5", "seed": 1}
        self.rows[6] = {"after": "r5", "box": "2,2,6,6", "id": "r6", "seed": 2}

    def _row(self, number: int) -> dict[str, Any]:
        return {"image": f"p{number}.png", "box": BOX, "id": f"r{number}", "seed": number % 3}

    def _paint(self, canvas: Canvas, _: Monitor) -> Painted:
        if self.random.random() < self.flaky:
            raise RuntimeError("flaky")
        if canvas.seed % 2 == 0:
            return Painted(canvas.pixels.copy())
        return Painted(np.full_like(canvas.pixels, 1.0 if canvas.seed % 4 == 1 else 0.9))

    def step(self, what: str) -> None:
        """Let one thing happen."""
        choose, out = self.random, self.bench.out
        picture = self.folder / f"p{choose.randrange(5)}.png"
        if what == "run":
            self.run()
        elif what in ("accepted", "rejected") and (out / ".overpaint").exists():
            folders, log = BatchFolders.at(out), out / "audit.jsonl"
            if left := review(folders, log).left:
                review(folders, log, what, [choose.choice(left).id])  # type: ignore[arg-type]
        elif what == "no picture":
            picture.unlink(missing_ok=True)
        elif what == "picture":
            photo(picture, choose.randrange(3))
        elif what == "seed":
            number = choose.choice(sorted(self.rows))
            self.rows[number] = {**self.rows[number], "seed": choose.randrange(4)}
        elif what == "doubtful file":
            for path in sorted((out / "needs-review").rglob("*.png"))[:1]:
                path.write_bytes(b"changed")
        elif what == "result":
            for path in sorted(out.glob("*.png"))[:1]:
                path.unlink()
        elif what == "row":
            number = choose.randrange(5)
            if self.rows.pop(number, None) is None:
                self.rows[number] = self._row(number)
        elif what == "flaky":
            self.flaky = choose.choice([0.0, 0.0, 0.4])

    def run(self) -> None:
        """Run the batch, and compare its counts with the list, the metrics and the report."""
        rows, choose = [self.rows[number] for number in sorted(self.rows)], self.random
        gate = choose.random() < 0.8
        settings: dict[str, Any] = {"rules": {"gate": gate}, "report": True, "retries": choose.choice([0, 1])}
        settings["gate_retries"] = choose.choice([0, 0, 1]) if gate else 0
        settings["limit"] = choose.randrange(3) if choose.random() < 0.2 else None
        settings["where"] = Filter.of("row > 2") if choose.random() < 0.2 else None
        ended = self.bench.run(rows, **settings)
        counts = (ended.done, ended.unchanged, ended.failed, ended.in_review, ended.left)
        assert sum(counts) == len(rows)
        assert min(counts) >= 0
        metrics = RunCounts()
        for event in self.bench.events:
            metrics.show(event)
        assert sum(metrics.rows.values()) == len(rows)
        with (self.bench.out / "report.csv").open(encoding="utf-8") as file:
            listed = [row["state"] for row in csv.DictReader(file) if row["listed"] == "yes"]
        assert len(listed) == len(rows)
        if not ended.left:  # a row that is left has the state of an earlier run
            assert (listed.count("needs-review"), listed.count("failed")) == (ended.in_review, ended.failed)


@pytest.mark.parametrize(
    "seed", [pytest.param(1), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 20))]
)
def test_each_row_is_counted_once(tmp_path: Path, seed: int) -> None:
    life = Life(tmp_path, seed)
    for _ in range(12 if seed == 1 else 40):
        life.step(life.random.choice(STEPS))
    life.run()
