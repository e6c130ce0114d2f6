"""A review while a run or a watch is at work: the run carries it out, and nothing is lost when it is killed."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batches import BOX, Bench, photo
from overpaint.audit import Review, verify
from overpaint.batch import BatchFolders, Decided, Done, Doubted, Idle, Reviewed, review
from overpaint.batch.metrics import RunCounts
from overpaint.cli import main
from overpaint.engines import Canvas, Monitor, Painted
from overpaint.ledger import Ledger, LeftDecision
from stand_ins import StandIn, by_seed
from watched import Watching

GATE: dict[str, Any] = {"rules": {"gate": True}}
BAD: dict[str, Any] = {"image": "q.png", "box": BOX, "id": "bad", "seed": 1}
SLOW: dict[str, Any] = {"image": "p.png", "box": BOX, "id": "slow", "seed": 10}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    photo(tmp_path / "p.png", 1)
    photo(tmp_path / "q.png", 2)
    return Bench(tmp_path, engine=by_seed)


def _reviewed(bench: Bench, *args: Any, **settings: Any) -> Reviewed:
    return review(BatchFolders.at(bench.out), bench.out / "audit.jsonl", *args, **settings)


def _state(bench: Bench, id: str) -> str | None:
    with Ledger(bench.out / ".overpaint" / "ledger.sqlite") as ledger:
        entry = ledger.entry(id)
        return None if entry is None else entry.state


def _whole(bench: Bench) -> bool:
    return verify(bench.out / "audit.jsonl").whole


@pytest.mark.parametrize("verdict", ["accepted", "rejected"])
def test_a_watch_takes_the_verdict_and_paints_a_rejected_row_again(bench: Bench, verdict: Any) -> None:
    photo(bench.folder / "in" / "q.png", 2)
    counts = RunCounts()
    with Watching(bench, idle=2.5, report=True, settings={"seed": 1}, **GATE) as watching:
        watching.wait_for(lambda: watching.of(Doubted))
        (listed,) = _reviewed(bench).left
        assert (listed.output, listed.row) == ("q.remove.png", 1)
        found = _reviewed(bench, verdict, ["q.remove.png"])
        assert ([one.output for one in found.taken], found.refused, found.left, found.waiting) == (
            ["q.remove.png"],
            (),
            (),
            (),
        )
        if verdict == "rejected":
            watching.wait_for(watching.done)
    ended = watching.ended
    assert ended is not None
    assert (ended.done, ended.failed, ended.in_review, ended.left) == (1, 0, 0, 0)
    assert [(one.verdict, one.row) for one in watching.of(Decided)] == [(verdict, 1)]
    assert bench.names() == {"q.remove.png"}
    assert not list((bench.out / "needs-review").glob("*.png"))
    assert _whole(bench)
    assert (bench.out / "report.csv").read_text().count(",done,") == 1
    for event in watching.events:
        counts.show(event)
    assert counts.rows == {"done": 1, "needs-review": 0, "failed": 0, "unchanged": 0, "waiting": 0}
    with Watching(bench, idle=0.1, settings={"seed": 1}, **GATE) as again:
        again.wait_for(lambda: again.of(Idle) or again.ended)
    assert again.ended is not None
    assert (again.ended.unchanged, again.ended.done) == (1, 0)


class _Waits:
    """An engine that paints its canvas once it may; an odd seed gives a doubtful result."""

    def __init__(self) -> None:
        self.go, self.started = threading.Event(), threading.Event()

    def __call__(self) -> StandIn:
        def paint(canvas: Canvas, monitor: Monitor) -> Painted:
            if canvas.seed == SLOW["seed"]:
                self.started.set()
                assert self.go.wait(60)
            odd = canvas.seed % 2
            return Painted(np.full_like(canvas.pixels, 1.0) if odd else canvas.pixels.copy())

        return StandIn(paint)


def _at_work(bench: Bench, rows: list[dict[str, Any]]) -> tuple[_Waits, threading.Thread, list[Any]]:
    """A run on a thread, which waits within the slow row. It has done all rows before that: it takes one at a time."""
    engine, ended = _Waits(), list[Any]()
    bench.engine = engine
    thread = threading.Thread(target=lambda: ended.append(bench.run(rows, ahead=1, **GATE)))
    thread.start()
    assert engine.started.wait(30)
    return engine, thread, ended


@pytest.mark.parametrize("verdict", ["accepted", "rejected"])
@pytest.mark.parametrize("earlier", [True, False])
def test_a_run_of_a_list_takes_it_and_counts_each_row_once(bench: Bench, verdict: Any, earlier: bool) -> None:
    if earlier:
        bench.run([BAD], **GATE)
    follows = {"after": "bad", "box": "30,20,38,28", "id": "next", "seed": 2}
    engine, thread, ended = _at_work(bench, [BAD, SLOW, follows])
    while _state(bench, "bad") != "needs-review":
        time.sleep(0.02)
    found = _reviewed(bench, verdict, ["bad"])
    engine.go.set()
    thread.join(60)
    assert ([one.id for one in found.taken], found.refused, found.waiting) == (["bad"], (), ())
    (end,) = ended
    accepted = verdict == "accepted"
    followed = accepted and not earlier  # its row waited within this run
    assert (end.done, end.failed, end.in_review) == (1 + accepted + followed, int(not accepted), 0)
    assert end.left == 1 - followed
    assert _state(bench, "bad") == ("done" if accepted else "failed")
    assert _whole(bench)


def test_what_can_not_be_carried_out_is_told_to_who_reviews(bench: Bench) -> None:
    bench.run([BAD], **GATE)
    engine, thread, ended = _at_work(bench, [BAD, SLOW])
    (bench.out / "needs-review" / "q.remove.png").write_bytes(b"changed")
    found = _reviewed(bench, "accepted", ["bad"])
    engine.go.set()
    thread.join(60)
    ((id, why),) = found.refused
    assert (id, found.taken, found.waiting) == ("bad", (), ())
    assert "was changed since it was written" in why
    assert (ended[0].done, ended[0].in_review, ended[0].failed) == (1, 1, 0)
    assert verify(bench.out / "audit.jsonl", files=False).whole
    with Ledger(bench.out / ".overpaint" / "ledger.sqlite") as ledger:
        assert ledger.left_decisions() == []
        first, later = LeftDecision("bad", "0", "first"), LeftDecision("bad", "0", "later")
        ledger.leave_decisions([first])
        ledger.leave_decisions([later])
        ledger.refuse_decision(first, "why")
        assert ledger.left_decisions() == [later], "the last word of a person stays"


def test_a_verdict_outlasts_a_run_that_does_not_take_it(bench: Bench) -> None:
    rows = [BAD, {**BAD, "id": "other", "output": "o.png"}]
    bench.run(rows, **GATE)
    with BatchFolders.at(bench.out).exclusive():  # as one that is stopped
        found = _reviewed(bench, "accepted", ["bad"], patience=0.2)
        assert ([one.id for one in found.waiting], found.taken, found.refused) == (["bad"], (), ())
        assert len(_reviewed(bench).left) == 2
    assert [one.id for one in _reviewed(bench).left] == ["other"], "the next review carries it out"
    assert (_state(bench, "bad"), (bench.out / "q.remove.png").exists()) == ("done", True)
    with Ledger(bench.out / ".overpaint" / "ledger.sqlite") as ledger:
        entry = ledger.entry("other")
        assert entry is not None
        line = json.dumps(Review.of("rejected").to_mapping())
        ledger.leave_decisions([LeftDecision("other", entry.result or "", line), LeftDecision("bad", "0" * 64, line)])
    bench.run(rows, limit=0, **GATE)
    assert (_state(bench, "other"), _state(bench, "bad")) == ("failed", "done"), "and so does the next run"
    assert _whole(bench)


def test_a_run_that_ends_while_a_review_waits_leaves_it_to_the_review(bench: Bench) -> None:
    bench.run([BAD], report=True, **GATE)
    found: list[Reviewed] = []
    with BatchFolders.at(bench.out).exclusive():
        thread = threading.Thread(target=lambda: found.append(_reviewed(bench, "accepted", ["bad"])))
        thread.start()
        time.sleep(0.3)
    thread.join(30)
    assert [one.id for one in found[0].taken] == ["bad"]
    assert _state(bench, "bad") == "done"
    assert (bench.out / "report.csv").read_text().count(",done,") == 1


def test_a_row_that_has_left_the_list_is_said_to_have(bench: Bench, monkeypatch: Any, capsys: Any) -> None:
    bench.run([BAD], report=True, **GATE)
    bench.run([SLOW], report=True, **GATE)
    monkeypatch.chdir(bench.folder)
    assert main(["batch", "review", "out", "bad", "--accept"]) == 0
    said = capsys.readouterr().out
    assert "accepted: q.remove.png; its row is no longer in the list, and 'overpaint batch prune' removes" in said


def test_the_end_does_not_count_a_doubtful_result_that_it_completes_as_done(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from overpaint.audit import AuditLog
    from overpaint.errors import OutputError

    append, calls = AuditLog.append, list[int]()

    def full_once(self: AuditLog, *records: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise OutputError("no room")
        return append(self, *records)

    monkeypatch.setattr(AuditLog, "append", full_once)
    ended = bench.run([BAD], **GATE)
    assert ended.stopped
    assert (ended.done, ended.in_review, ended.failed, ended.left) == (0, 1, 0, 0)
    assert not bench.events_of(Done)
