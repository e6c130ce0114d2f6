"""With a gate a doubtful result is set aside, and nobody takes it for a finished one until a person has accepted it."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from rich.progress import Progress

from batches import BOX, Bench, photo, pixels
from forks import run_forked
from overpaint import Studio
from overpaint.audit import Operator, entries, find, verify
from overpaint.batch import (
    BatchFolders,
    Began,
    Done,
    Doubted,
    Ended,
    Event,
    LogWitness,
    Reader,
    Reviewed,
    RowDefaults,
    RowLimits,
    WatchedFolder,
    adopt,
    ledger_at,
    review,
    run,
    watch,
)
from overpaint.batch.metrics import MetricsFile, RunCounts
from overpaint.cli import main
from overpaint.cli.batch_shown import BatchBar
from overpaint.doors.places import Places
from overpaint.engines import Canvas, EngineCard, Monitor, Painted
from overpaint.errors import OutputError, RequestError
from overpaint.ledger import Ledger
from stand_ins import StandIn, by_seed

GATE: dict[str, Any] = {"rules": {"gate": True}}
GOOD: dict[str, Any] = {"image": "p.png", "box": BOX, "id": "good", "seed": 10}
BAD: dict[str, Any] = {"image": "q.png", "box": BOX, "id": "bad", "seed": 1}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    photo(tmp_path / "p.png", 1)
    photo(tmp_path / "q.png", 2)
    return Bench(tmp_path, engine=by_seed)


def gated(bench: Bench, *tables: dict[str, Any], **changes: Any) -> Any:
    return bench.run(tables or (GOOD, BAD), **{**GATE, **changes})


def reviewed(bench: Bench, *args: Any, **settings: Any) -> Reviewed:
    return review(BatchFolders.at(bench.out, bench.state), bench.out / "audit.jsonl", *args, **settings)


def state_of(bench: Bench, id: str) -> str:
    with Ledger(bench.out / ".overpaint" / "ledger.sqlite") as ledger:
        entry = ledger.entry(id)
        assert entry is not None
        return entry.state


def assert_whole(bench: Bench) -> None:
    """The log is whole, and has every file, and no note on any."""
    log = bench.out / "audit.jsonl"
    path = ledger_at(bench.out)
    assert path is not None
    witness = LogWitness.reading(path, log)
    verdict = verify(log, witness=lambda: witness.full_witness(log))
    assert (verdict.faults, verdict.notes) == ((), ())


ASIDE, NAMED = "needs-review/q.remove.png", "q.remove.png"


def test_a_doubtful_result_is_set_aside_and_the_others_are_done(bench: Bench) -> None:
    ended = gated(bench)
    assert (ended.done, ended.in_review, ended.failed, ended.left) == (1, 1, 0, 0)
    assert bench.names() == {"p.remove.png"}
    assert (bench.out / ASIDE).is_file()
    [event] = bench.events_of(Doubted)
    assert (event.id, event.output, event.aside, event.doubts) == ("bad", NAMED, ASIDE, ("seam",))
    assert event.details["seam"] > 2
    assert "doubtful" in event.warnings[0]
    assert [one.id for one in bench.events_of(Done)] == ["good"]
    assert state_of(bench, "bad") == "needs-review"
    assert_whole(bench)


def test_without_a_gate_it_is_done_with_a_warning(bench: Bench) -> None:
    ended = bench.run([BAD])
    assert (ended.done, ended.in_review) == (1, 0)
    assert bench.events_of(Done)[0].details["doubts"] == ["seam"]


def test_the_next_run_paints_it_again_only_when_it_is_gone_or_changed(bench: Bench) -> None:
    gated(bench)
    for changes in (GATE, {}):  # a gate that is left out accepts nothing
        ended = bench.run([GOOD, BAD], **changes)
        assert (ended.done, ended.unchanged, ended.in_review) == (0, 1, 1)
        assert bench.events_of(Began)[0].in_review == 1
    (bench.out / ASIDE).unlink()
    assert gated(bench).in_review == 1
    assert len(bench.events_of(Doubted)) == 1
    assert gated(bench, GOOD, {**BAD, "seed": 2}).done == 1
    assert not (bench.out / ASIDE).exists()
    assert (bench.out / NAMED).is_file()
    assert_whole(bench)


def test_a_doubtful_result_takes_an_earlier_one_out_of_the_folder(bench: Bench) -> None:
    gated(bench, {**BAD, "seed": 2})
    assert gated(bench, BAD).in_review == 1
    assert bench.names() == set()
    assert_whole(bench)


def test_an_accepted_result_gets_its_name_and_the_log_says_by_whom(bench: Bench) -> None:
    gated(bench)
    data = (bench.out / ASIDE).read_bytes()
    found = reviewed(bench, "accepted", ["bad"])
    assert ([one.id for one in found.taken], found.refused, found.left) == (["bad"], (), ())
    assert (bench.out / NAMED).read_bytes() == data
    assert not (bench.out / ASIDE).exists()
    record = find(bench.out / "audit.jsonl", str(bench.out / NAMED)).record
    assert record.output.place == NAMED
    assert record.review is not None
    assert (record.review.verdict, record.review.who) == ("accepted", Operator.here())
    assert record.review.made >= record.made
    assert_whole(bench)
    ended = gated(bench)
    assert (ended.unchanged, ended.done, ended.in_review) == (2, 0, 0)


def test_a_rejected_result_is_removed_and_painted_again_with_the_next_seed(bench: Bench) -> None:
    gated(bench)
    reviewed(bench, "rejected", [NAMED])
    assert not (bench.out / ASIDE).exists()
    assert state_of(bench, "bad") == "failed"
    last = list(entries(bench.out / "audit.jsonl"))[-1].record
    assert last.review is not None
    assert last.review.verdict == "rejected"
    assert_whole(bench)
    assert gated(bench).done == 1
    assert bench.events_of(Done)[0].details["seed"] == 2
    made = find(bench.out / "audit.jsonl", str(bench.out / NAMED)).record
    assert made.edit.resolved.seed == 2
    assert gated(bench).unchanged == 2
    (bench.out / NAMED).unlink()
    gated(bench)
    assert bench.events_of(Done)[0].details["seed"] == 2, "the seed that was not rejected"
    assert_whole(bench)


def test_other_settings_begin_with_the_rows_own_seed(bench: Bench) -> None:
    gated(bench)
    reviewed(bench, "rejected", None)
    gated(bench, GOOD, {**BAD, "seed": 3})
    assert bench.events_of(Doubted)[0].details["seed"] == 3


def test_a_row_that_fails_after_a_rejection_keeps_its_place_among_the_seeds(bench: Bench) -> None:
    gated(bench, BAD)
    reviewed(bench, "rejected", None)
    bench.engine = lambda: StandIn(lambda canvas, _: (_ for _ in ()).throw(RuntimeError("broken")))
    assert gated(bench, BAD, retries=0).failed == 1
    bench.engine = by_seed
    gated(bench, BAD)
    assert bench.events_of(Done)[0].details["seed"] == 2


def test_retries_keep_the_first_without_a_doubt_or_the_least_doubtful(bench: Bench) -> None:
    assert gated(bench, BAD, gate_retries=3).done == 1
    [event] = bench.events_of(Done)
    assert (event.details["seed"], event.details["tried"]) == (2, 2)

    def always(canvas: Canvas, _: Monitor) -> Painted:
        return Painted(np.full_like(canvas.pixels, 0.9 if canvas.seed == 6 else 1.0))

    bench.engine = lambda: StandIn(always)
    assert gated(bench, {**BAD, "seed": 5}, gate_retries=2).in_review == 1
    [event] = bench.events_of(Doubted)
    assert (event.details["seed"], event.details["tried"]) == (6, 3)
    assert_whole(bench)


@pytest.mark.parametrize("fault", ["fails", "takes too long"])
def test_a_retry_that_fails_or_takes_too_long_costs_no_earlier_result(bench: Bench, fault: str) -> None:
    def paint(canvas: Canvas, monitor: Monitor) -> Painted:
        if canvas.seed == 6 and fault == "fails":
            raise RuntimeError("no memory for it")
        while canvas.seed == 6:
            time.sleep(0.02)
            monitor.progress(1, 2)  # raises when it is cancelled
        return Painted(np.ones_like(canvas.pixels))

    bench.engine = lambda: StandIn(paint)
    limits = RowLimits(seconds=0.4)
    ended = gated(bench, {**BAD, "seed": 5}, gate_retries=2, limits=limits)
    assert (ended.in_review, ended.failed) == (1, 0)
    [event] = bench.events_of(Doubted)
    assert (event.details["seed"], event.details["tried"]) == (5, 1 if fault == "fails" else 3)
    assert_whole(bench)


def test_more_retries_are_made_up_for_and_no_more_than_those(bench: Bench) -> None:
    gated(bench, BAD)
    assert gated(bench, BAD, gate_retries=1).done == 1
    assert gated(bench, BAD, gate_retries=1).unchanged == 1


def test_an_engine_without_a_seed_is_not_asked_again(bench: Bench) -> None:
    card = EngineCard(name="stand-in", title="", accepts=frozenset())
    engines: list[StandIn] = []

    def make() -> StandIn:
        engines.append(StandIn(lambda canvas, _: Painted(np.ones_like(canvas.pixels)), card))
        return engines[-1]

    bench.engine = make
    assert gated(bench, BAD, gate_retries=5).in_review == 1
    assert len(engines[-1].canvases) == 1
    assert gated(bench, BAD, gate_retries=5).in_review == 1


def test_a_row_after_a_doubtful_one_waits_until_it_is_accepted(bench: Bench) -> None:
    after = {"after": "bad", "box": "25,18,36,26", "id": "next", "output": "next.png", "seed": 10}
    ended = gated(bench, BAD, after)
    assert (ended.in_review, ended.done, ended.left, ended.failed) == (1, 0, 1, 0)
    reviewed(bench, "accepted", None)
    assert gated(bench, BAD, after).done == 1
    assert_whole(bench)


def test_what_lies_under_its_name_by_then_is_not_replaced(bench: Bench) -> None:
    gated(bench)
    (bench.out / NAMED).write_bytes(b"retouched by hand")
    found = reviewed(bench, "accepted", None)
    assert found.refused[0][0] == "bad"
    assert "exists" in found.refused[0][1]
    assert [one.id for one in found.left] == ["bad"]
    assert (bench.out / NAMED).read_bytes() == b"retouched by hand"
    assert (bench.out / ASIDE).is_file()
    (bench.out / NAMED).unlink()
    assert not reviewed(bench, "accepted", None).left
    assert_whole(bench)


def test_files_of_others_in_the_folder_are_not_replaced(bench: Bench) -> None:
    other = photo(bench.out / ASIDE, 7).read_bytes()
    assert gated(bench, BAD).failed == 1
    assert bench.run([{**BAD, "seed": 2}]).done == 1
    assert (bench.out / ASIDE).read_bytes() == other
    assert gated(bench, {**GOOD, "output": "needs-review/x.png"}).failed == 1


def test_a_link_does_not_lead_it_out_of_the_folder(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    bench.out.mkdir()
    (bench.out / "needs-review").symlink_to(tmp_path / "elsewhere")
    assert gated(bench, BAD, retries=0).failed == 1
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("verdict", ["accepted", "rejected"])
@pytest.mark.parametrize("how", ["edited", "link", "pipe"])
def test_a_file_that_is_not_the_one_that_was_written_is_neither_accepted_nor_removed(
    bench: Bench, verdict: Literal["accepted", "rejected"], how: str
) -> None:
    gated(bench)
    aside = bench.out / ASIDE
    kept = aside.rename(bench.folder / "kept.png")
    match how:
        case "edited":
            photo(aside, seed=9)
        case "link":
            aside.symlink_to(kept)  # the right content, and another file
        case _:
            os.mkfifo(aside)
    found = reviewed(bench, verdict, ["bad"])
    assert [id for id, _ in found.refused] == ["bad"]
    assert [one.id for one in found.left] == ["bad"]
    assert os.path.lexists(aside)
    assert not (bench.out / NAMED).exists()
    assert (state_of(bench, "bad"), state_of(bench, "good")) == ("needs-review", "done")
    aside.unlink()
    kept.rename(aside)
    assert [one.id for one in reviewed(bench, verdict, ["bad"]).taken] == ["bad"]
    assert_whole(bench)


def test_another_rows_result_in_the_place_for_doubtful_ones_is_not_replaced(bench: Bench) -> None:
    other = {**GOOD, "output": ASIDE}
    bench.run([other])
    before = (bench.out / ASIDE).read_bytes()
    for overwrite in (False, True):
        ended = bench.run([BAD, other], rules={"gate": True, "overwrite": overwrite})
        assert (ended.failed, ended.done, ended.in_review) == (2, 0, 0)
        assert (bench.out / ASIDE).read_bytes() == before
    assert bench.run([{**BAD, "seed": 2}, other]).done == 1
    assert_whole(bench)


def test_a_result_does_not_replace_one_in_review_of_another_row(bench: Bench) -> None:
    gated(bench, BAD)
    before = (bench.out / ASIDE).read_bytes()
    assert bench.run([BAD, {**GOOD, "output": ASIDE}]).failed == 1
    assert (bench.out / ASIDE).read_bytes() == before


def test_a_file_of_others_that_may_be_replaced_stays_while_nothing_replaces_it(bench: Bench) -> None:
    other = photo(bench.out / NAMED, seed=7).read_bytes()
    assert gated(bench, BAD, rules={"gate": True, "overwrite": True}).in_review == 1
    assert (bench.out / NAMED).read_bytes() == other


@pytest.mark.parametrize("step", ["_rename", "_remove"])
def test_a_killed_run_or_review_is_completed(bench: Bench, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    from overpaint.batch.results import ResultPublisher

    real = getattr(ResultPublisher, step)

    def dies(self: ResultPublisher, *args: Any, **more: Any) -> None:
        real(self, *args, **more)
        raise SystemExit

    gated(bench, {**BAD, "seed": 2})
    with monkeypatch.context() as patch:
        patch.setattr(ResultPublisher, step, dies)
        with pytest.raises(SystemExit):
            gated(bench, BAD)
    assert gated(bench, BAD).in_review == 1
    assert not bench.events_of(Doubted), "it was painted"
    with monkeypatch.context() as patch:
        patch.setattr(ResultPublisher, step, dies)
        with pytest.raises(SystemExit):
            reviewed(bench, "accepted", None)
    assert gated(bench, BAD).unchanged == 1
    assert bench.names() == {NAMED}
    assert sum(1 for one in entries(bench.out / "audit.jsonl") if one.record.review) == 1
    assert_whole(bench)


def test_a_sidecar_goes_with_its_result(bench: Bench) -> None:
    gated(bench, BAD, rules={"gate": True, "record": "sidecar"})
    assert [path.name for path in (bench.out / "needs-review").iterdir() if path.suffix == ".json"]
    reviewed(bench, "accepted", None)
    assert not list((bench.out / "needs-review").iterdir())
    assert len(list(bench.out.glob("*.json"))) == 1
    assert_whole(bench)


def test_the_report_says_so_and_follows_the_review(bench: Bench) -> None:
    gated(bench, report=True)

    def rows() -> dict[str, dict[str, str]]:
        return {row["id"]: row for row in csv.DictReader(io.StringIO((bench.out / "report.csv").read_text()))}

    row = rows()["bad"]
    assert (row["state"], row["output"], row["doubts"]) == ("needs-review", ASIDE, "seam")
    assert float(row["seam_score"]) > 2
    assert row["sha256"]
    assert rows()["good"]["doubts"] == ""
    assert '"needs-review"' in (bench.out / "report.html").read_text()
    bench.run([BAD], report=True)
    reviewed(bench, "accepted", None)
    row = rows()["bad"]
    assert (row["state"], row["output"], row["listed"], row["row"]) == ("done", NAMED, "yes", "1")
    assert rows()["good"]["listed"] == "no"


def test_the_metrics_count_it(bench: Bench, tmp_path: Path) -> None:
    counts = RunCounts()
    file = MetricsFile(tmp_path / "batch.prom", counts)

    def show(event: Event) -> None:
        counts.show(event)
        file.show(event)

    with Studio() as studio:
        studio.add_engine(by_seed())
        run(bench.rows([GOOD, BAD]), bench.options(**GATE), studio, on_event=show)
    assert 'overpaint_batch_rows{state="needs-review"} 1' in (tmp_path / "batch.prom").read_text()
    assert 'overpaint_batch_rows{state="waiting"} 0' in (tmp_path / "batch.prom").read_text()


def test_in_private_mode_neither_the_ledger_nor_a_review_has_the_prompt(bench: Bench) -> None:
    how = {"private": True, "rules": {"gate": True, "record": "none"}}
    bench.run([{**BAD, "prompt": "SECRETWORD"}], **how)
    reviewed(bench, "rejected", None)
    bench.run([{**BAD, "prompt": "SECRETWORD", "seed": 5}], **how)
    reviewed(bench, "accepted", None)
    for path in bench.out.rglob("*"):
        if path.is_file():
            assert b"SECRETWORD" not in path.read_bytes(), path
            assert path.stat().st_mode & 0o077 == 0, path
    assert_whole(bench)


def test_a_review_of_what_is_not_to_be_reviewed_is_refused(bench: Bench) -> None:
    with pytest.raises(RequestError, match="no ledger"):
        reviewed(bench)
    gated(bench)
    with pytest.raises(RequestError, match="no result 'good' needs a review"):
        reviewed(bench, "accepted", ["good"])
    log = bench.out / "audit.jsonl"
    log.write_bytes(log.read_bytes()[:-20])
    with Ledger(bench.out / ".overpaint" / "ledger.sqlite"):
        pass
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(lines[0].replace(b'"attempt":1', b'"attempt":2'))
    with pytest.raises(OutputError, match="not whole"):
        reviewed(bench, "accepted", ["bad"])
    assert state_of(bench, "bad") == "needs-review"


def test_an_accepted_result_is_adopted_after_the_ledger_was_lost(bench: Bench) -> None:
    import shutil

    gated(bench, BAD)
    reviewed(bench, "accepted", None)
    shutil.rmtree(bench.out / ".overpaint")
    with Studio() as studio:
        studio.add_engine(by_seed())
        found = adopt(bench.rows([BAD]), bench.options(**GATE), studio)
    assert found.adopted == ("bad",)


@pytest.mark.parametrize("record", ["embed", "sidecar"])
def test_results_in_review_are_adopted_as_such(bench: Bench, record: str) -> None:
    import shutil

    rows = [GOOD, BAD, {**BAD, "id": "next", "image": "p.png", "output": "next.png"}]
    how = {"rules": {"gate": True, "record": record}}
    gated(bench, *rows, **how)
    reviewed(bench, "rejected", ["bad"])
    bench.run([GOOD, {**BAD, "seed": 5}, rows[2]], rules=dict(how["rules"]))  # in review with another seed
    before = sorted(path for path in bench.out.rglob("*.png"))
    assert len(before) == 3
    shutil.rmtree(bench.out / ".overpaint")
    with Studio() as studio:
        studio.add_engine(by_seed())
        found = adopt(bench.rows(rows), bench.options(rules=dict(how["rules"])), studio)
        assert (found.adopted, found.in_review) == (("good",), ("next",))
        assert found.left == ((2, "it was made with other settings, another mask, or another engine"),)
        again = adopt(bench.rows([*rows[::2], {**BAD, "seed": 5}]), bench.options(rules=dict(how["rules"])), studio)
        assert (again.known, again.in_review, again.left) == (2, ("bad",), ())
    ended = bench.run([GOOD, {**BAD, "seed": 5}, rows[2]], rules=dict(how["rules"]))
    assert (ended.unchanged, ended.in_review, ended.done, ended.failed) == (1, 2, 0, 0)
    assert "doubtful" in reviewed(bench).left[0].doubt
    assert [one.id for one in reviewed(bench, "accepted", ["next"]).taken] == ["next"]
    assert [one.id for one in reviewed(bench, "rejected", ["bad"]).taken] == ["bad"]
    assert bench.names() == {"next.png", "p.remove.png"}
    assert len(list(bench.out.rglob("*.overpaint.json"))) == (2 if record == "sidecar" else 0)
    assert gated(bench, GOOD, {**BAD, "seed": 5}, rows[2], rules=dict(how["rules"])).done == 1
    assert bench.events_of(Done)[0].details["seed"] == 6, "the one after the seed that was rejected"
    assert_whole(bench)


def test_results_with_a_later_seed_than_the_rows_are_adopted(bench: Bench) -> None:
    import shutil

    retried, kept = {**BAD, "id": "retried", "output": "r.png"}, {**BAD, "seed": 7, "id": "kept", "output": "k.png"}
    rows = [BAD, retried, kept]
    gated(bench, BAD, kept)
    reviewed(bench, "rejected", None)
    bench.engine = lambda: StandIn(lambda canvas, _: Painted(np.full_like(canvas.pixels, 0.9)))
    gated(bench, BAD, kept)
    reviewed(bench, "accepted", None)
    bench.engine = by_seed
    assert gated(bench, *rows, gate_retries=1).done == 1
    before = {path: path.read_bytes() for path in bench.out.glob("*.png")}
    shutil.rmtree(bench.out / ".overpaint")
    with Studio() as studio:
        studio.add_engine(by_seed())
        found = adopt(bench.rows(rows), bench.options(rules={"gate": True}), studio)
    assert (found.adopted, found.in_review, found.left) == (("bad", "retried", "kept"), (), ())
    assert gated(bench, *rows, gate_retries=1).unchanged == 3
    assert {path: path.read_bytes() for path in bench.out.glob("*.png")} == before
    assert_whole(bench)


def test_the_command_ends_with_3_and_the_review_is_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rough = np.random.default_rng(1).normal(128, 14, (180, 200, 1)).clip(0, 255).astype(np.uint8)
    Image.fromarray(np.repeat(rough, 3, axis=2)).save("photo.png")
    Path("rows.jsonl").write_text(json.dumps({"image": "photo.png", "box": "60,50,140,130", "engine": "blur"}))
    assert main(["batch", "rows.jsonl", "-o", "out", "--gate-retries", "1"]) == 2
    assert "--gate-retries goes with --gate" in capsys.readouterr().err
    assert main(["batch", "rows.jsonl", "-o", "out", "--gate"]) == 3
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    doubted = next(line for line in lines if line["event"] == "doubted")
    assert doubted["doubts"] == ["flatness"]
    assert doubted["aside"] == "needs-review/photo.remove.png"
    assert lines[-1]["in_review"] == 1
    assert main(["batch", "review", "out"]) == 0
    assert "needs-review/photo.remove.png: flatness " in capsys.readouterr().out
    assert main(["batch", "review", "out", "--accept"]) == 2
    capsys.readouterr()
    assert main(["batch", "review", "out", "--reject", "--all"]) == 0
    assert "its engine uses no seed" in capsys.readouterr().out
    assert main(["batch", "rows.jsonl", "-o", "out", "--gate", "-q"]) == 3
    assert main(["batch", "review", "out", "photo.remove.png", "--accept", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["taken"][0]["output"] == "photo.remove.png"
    assert main(["batch", "rows.jsonl", "-o", "out", "--gate", "-q"]) == 0
    assert pixels(Path("out/photo.remove.png")).shape == (180, 200, 3)


def test_a_watched_folder_has_a_gate(bench: Bench, tmp_path: Path) -> None:
    photo(tmp_path / "incoming" / "q.png", 2)
    for _ in range(2):  # the second time it is there already
        bench.events.clear()
        with Studio() as studio:
            studio.add_engine(by_seed())
            settings = {"intent": "remove", "engine": "stand-in", "seed": 1}
            reader = Reader(RowDefaults(settings=settings, places=Places(box=(BOX,))))
            watched = WatchedFolder(tmp_path / "incoming", None, 0.05, 0.0)
            ended = watch(watched, reader, bench.options(**GATE), studio, on_event=bench.events.append)
        assert (ended.in_review, ended.done, ended.failed, ended.left) == (1, 0, 0, 0)
    assert not bench.events_of(Doubted)
    assert (bench.out / ASIDE).is_file()
    assert_whole(bench)


_DIE_WITH_A_GATE = """
import os, signal, sys
from overpaint.audit import AuditLog
from overpaint.batch import results
from overpaint.batch.results import ResultPublisher
from overpaint.ledger import Ledger

step, moment = sys.argv[1:3]
owner, name = {
    "finish": (Ledger, "finish"), "decide": (Ledger, "decide"), "name": (results, "publish"),
    "remove": (ResultPublisher, "_remove"), "audit": (AuditLog, "append"), "aside": (Ledger, "set_aside"),
    "done": (Ledger, "done"), "reject": (Ledger, "reject"),
}[step]
do = getattr(owner, name)

def dies(*given, **more):
    if moment == "after":
        do(*given, **more)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, dies)
from overpaint.cli import main
sys.exit(main(sys.argv[3:]))
"""


def _doubtful_rows(folder: Path) -> None:
    """Two rows that are doubtful: blurs of a rough surface."""
    for n in range(2):
        rough = np.random.default_rng(n).normal(128, 14, (180, 200, 1)).clip(0, 255).astype(np.uint8)
        Image.fromarray(np.repeat(rough, 3, axis=2)).save(folder / f"p{n}.png")
    rows = ({"image": f"p{n}.png", "box": "60,50,140,130", "engine": "blur"} for n in range(2))
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))


def _results(folder: Path) -> set[str]:
    found = (path for path in (folder / "out").rglob("*") if path.suffix in (".png", ".part"))
    return {path.relative_to(folder / "out").as_posix() for path in found}


def _lines_with_a_review(folder: Path) -> int:
    return sum(1 for one in entries(folder / "out" / "audit.jsonl") if one.record.review)


_GATED = ("batch", "rows.jsonl", "-o", "out", "--gate", "--no-report", "--ahead", "1", "--json")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is another thing there")
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", ["finish", "name", "audit", "aside"])
def test_a_run_with_a_gate_that_is_killed_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: str, moment: str
) -> None:
    _doubtful_rows(tmp_path)
    monkeypatch.chdir(tmp_path)
    words = [sys.executable, "-c", _DIE_WITH_A_GATE, step, moment, *_GATED]
    killed = run_forked(words, capture_output=True, text=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert main([*_GATED]) == 3
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    painted = sum(event["event"] == "doubted" for event in events)
    assert painted == (2 if (step, moment) == ("finish", "before") else 1), "what was painted is not painted again"
    assert events[-1]["in_review"] == 2
    assert _results(tmp_path) == {"needs-review/p0.remove.png", "needs-review/p1.remove.png"}
    assert len(list(entries(tmp_path / "out" / "audit.jsonl"))) == 2
    assert_whole(Bench(tmp_path))


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is another thing there")
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", ["decide", "name", "remove", "audit", "done"])
@pytest.mark.parametrize("next_is", ["run", "review"])
def test_an_acceptance_that_is_killed_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, moment: str, next_is: str
) -> None:
    _doubtful_rows(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main([*_GATED]) == 3
    before = Path("out/needs-review/p0.remove.png").read_bytes()
    accept = ["batch", "review", "out", "--accept", "p0.remove.png"]
    words = [sys.executable, "-c", _DIE_WITH_A_GATE, step, moment, *accept]
    killed = run_forked(words, capture_output=True, text=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert main([*_GATED] if next_is == "run" else ["batch", "review", "out"]) == (3 if next_is == "run" else 0)
    decided = (step, moment) != ("decide", "before")
    place = "p0.remove.png" if decided else "needs-review/p0.remove.png"
    assert _results(tmp_path) == {place, "needs-review/p1.remove.png"}
    assert Path("out", place).read_bytes() == before
    assert _lines_with_a_review(tmp_path) == decided
    assert_whole(Bench(tmp_path))


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is another thing there")
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", ["decide", "audit", "remove", "reject"])
def test_a_rejection_that_is_killed_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, moment: str
) -> None:
    _doubtful_rows(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main([*_GATED]) == 3
    words = [
        sys.executable,
        "-c",
        _DIE_WITH_A_GATE,
        step,
        moment,
        "batch",
        "review",
        "out",
        "--reject",
        "p0.remove.png",
    ]
    killed = run_forked(words, capture_output=True, text=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert main(["batch", "review", "out"]) == 0
    decided = (step, moment) != ("decide", "before")
    assert _results(tmp_path) == {f"needs-review/p{n}.remove.png" for n in ((1,) if decided else (0, 1))}
    assert _lines_with_a_review(tmp_path) == decided
    assert state_of(Bench(tmp_path), "p0.remove.png") == ("failed" if decided else "needs-review")
    assert_whole(Bench(tmp_path))
    assert main([*_GATED]) == 3
    assert len(_results(tmp_path)) == 2
    assert_whole(Bench(tmp_path))


# ── results that were done without a gate ─────────────────────────────────────────────────────────────────────────────


def test_the_end_counts_the_results_that_are_doubtful_or_have_a_warning(bench: Bench) -> None:
    ended = bench.run([GOOD, BAD])
    assert (ended.done, ended.doubtful, ended.warned, ended.in_review) == (2, 1, 1, 0)
    ended = gated(bench, GOOD, {**BAD, "output": "other.png", "id": "other"})
    assert (ended.doubtful, ended.warned, ended.in_review) == (0, 0, 1)


def test_doubtful_results_that_were_done_before_are_named_and_a_gate_sets_them_aside(bench: Bench) -> None:
    bench.run([GOOD, BAD])
    assert bench.events_of(Began)[0].notes == ()
    assert bench.run([GOOD, BAD]).unchanged == 2
    [note] = bench.events_of(Began)[0].notes
    assert note.startswith("1 result that was done before is doubtful")
    ended = gated(bench)
    assert (ended.done, ended.unchanged, ended.in_review) == (0, 1, 1)
    assert "painted again" in bench.events_of(Began)[0].notes[0]
    assert bench.names() == {"p.remove.png"}
    assert (bench.out / ASIDE).is_file()
    assert_whole(bench)


def test_a_gate_does_not_ask_again_about_a_result_that_was_accepted(bench: Bench) -> None:
    gated(bench)
    reviewed(bench, "accepted", ["bad"])
    for changes in ({}, GATE):
        assert bench.run([GOOD, BAD], **changes).unchanged == 2
        assert bench.events_of(Began)[0].notes == ()


def test_rows_after_a_doubtful_result_wait_until_it_is_reviewed(bench: Bench) -> None:
    after = {"after": "bad", "box": "22,6,30,16", "id": "after", "seed": 2}
    assert bench.run([BAD, after]).done == 2
    ended = gated(bench, BAD, after)
    assert (ended.in_review, ended.unchanged, ended.left) == (1, 0, 1)
    reviewed(bench, "accepted", ["bad"])
    ended = gated(bench, BAD, after)
    assert (ended.done, ended.unchanged) == (0, 2), "the row before has the same result"
    assert_whole(bench)


def test_a_watched_folder_with_a_gate_sets_them_aside_too(bench: Bench) -> None:
    folder = bench.folder / "in"
    photo(folder / "q.png", 2)
    reader = Reader(RowDefaults({"intent": "remove", "engine": "stand-in", "seed": 1}, Places(box=(BOX,))))
    ends = []
    for gate in (False, True):
        bench.events.clear()
        with Studio() as studio:
            studio.add_engine(by_seed())
            source = WatchedFolder(folder, None, interval=0.05, idle_exit=0.1)
            options = bench.options(rules={"gate": gate})
            ends.append(watch(source, reader, options, studio, on_event=bench.events.append))
    assert [(one.done, one.doubtful, one.warned, one.in_review) for one in ends] == [(1, 1, 1, 0), (0, 0, 0, 1)]
    assert "painted again" in bench.events_of(Began)[0].notes[0]


def test_the_last_line_on_a_terminal_says_how_many_are_doubtful() -> None:
    ended = Ended(done=7, unchanged=0, failed=0, left=0, seconds=1.0, warned=7, doubtful=6)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        BatchBar(Progress(console=Console(file=io.StringIO()))).show(ended)
    assert said.getvalue() == (
        "done: 7 edits in 1.0 s, 6 of them doubtful (see the report; --gate sets such aside), "
        "1 with another warning (see the report)\n"
    )


# ── the list of a review ──────────────────────────────────────────────────────────────────────────────────────────────


def test_rows_are_chosen_by_number_name_and_pattern(bench: Bench) -> None:
    photo(bench.folder / "Sub" / "IMG_01.png", 3)
    other = {"image": "Sub/IMG_01.png", "box": BOX, "seed": 3, "output": "Sub/IMG_01.remove.png"}
    gated(bench, GOOD, BAD, other, report=True)
    found = reviewed(bench).left
    assert [(one.row, one.output) for one in found] == [(2, NAMED), (3, "Sub/IMG_01.remove.png")], "the worst first"
    assert found[0].excess > found[1].excess > 1
    assert found[0].measures[0] > 2
    for name, says in (("img_01.remove.pn", "did you mean 'IMG_01.remove.png'"), ("z*", "is like"), ("1", "needs a")):
        with pytest.raises(RequestError, match=says):
            reviewed(bench, "accepted", [name])
    assert [one.output for one in reviewed(bench, "accepted", ["IMG_*"]).taken] == ["Sub/IMG_01.remove.png"]
    assert [one.id for one in reviewed(bench, "rejected", ["2", NAMED]).taken] == ["bad"]
    assert_whole(bench)


def test_the_list_has_a_short_line_each_and_the_advice_once(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    gated(bench, BAD, {**BAD, "id": "more", "output": "more.png"})
    assert main(["batch", "review", str(bench.out)]) == 0
    *lines, count, advice = capsys.readouterr().out.splitlines()
    assert [line.partition(": seam ")[0] for line in lines] == ["row 1: " + ASIDE, "row 2: needs-review/more.png"]
    assert all(len(line) < 80 for line in lines)
    assert count.startswith("2 results to be reviewed, the most doubtful first; --accept or --reject takes")
    assert advice.startswith("try ")
