"""A batch does what is missing or has changed, and nothing else; bad rows cost no good ones."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from batches import BOX, Bench, photo, photos, pixels
from overpaint import Mask, Studio
from overpaint.audit import entries, verify
from overpaint.batch import Began, Done, Failed, Filter, TaskResult, Unchanged, run, seed_of
from overpaint.batch.files import Files
from overpaint.batch.results import PublishError, ResultPublisher, hidden_beside
from overpaint.engines import Painted
from overpaint.errors import EngineError, LedgerError, OutputError, PictureError, RequestError, WorkerLostError
from overpaint.geometry import Box, Size
from overpaint.ledger import Job, Ledger
from overpaint.picture import open_picture
from overpaint.record import read_record, sidecar_path
from overpaint.studio import _studio
from stand_ins import StandIn, flat, noise


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    photos(tmp_path, 4)
    return Bench(tmp_path)


def rows(count: int = 4, **more: object) -> list[dict[str, object]]:
    return [{"image": f"p{n:03}.png", "box": BOX, **more} for n in range(count)]


def test_every_row_has_its_result_and_its_line_in_the_audit(bench):
    ended = bench.run(rows())
    assert (ended.done, ended.failed, ended.left) == (4, 0, 0)
    assert bench.names() == {f"p{n:03}.remove.png" for n in range(4)}
    assert bench.strays() == []
    verdict = verify(bench.out / "audit.jsonl")
    assert (verdict.whole, verdict.records, verdict.outputs) == (True, 4, 4)
    assert str(verdict.head) == ended.head


def test_a_result_is_what_edit_makes_with_the_rows_seed(bench):
    bench.run(rows(1, id="first"))
    with Studio() as studio:
        studio.add_engine(noise())
        mask = Mask.box(Size(40, 30), Box(8, 6, 20, 16))
        edited = studio.edit(
            bench.folder / "p000.png",
            mask=mask,
            intent="remove",
            engine="stand-in",
            seed=seed_of(0, "first"),
            exact=True,
        )
    assert np.array_equal(pixels(bench.out / "p000.remove.png"), edited.picture.samples)
    record = read_record(open_picture(bench.out / "p000.remove.png")).record
    assert record is not None
    assert record.resolved.seed == seed_of(0, "first")
    assert record.request.exact


def test_notes_on_masks_are_in_results_and_records(bench):
    """One file alone, and one beside a shape: a mask with labels 0 and 2."""
    labels = np.zeros((30, 40), np.uint8)
    labels[6:16, 8:20] = 2
    Image.fromarray(labels).save(bench.folder / "labels.png")
    bench.run([{"image": "p000.png", "mask": "labels.png"}, {"image": "p001.png", "mask": "labels.png", "box": BOX}])
    for name in ("p000", "p001"):
        record = read_record(open_picture(bench.out / f"{name}.remove.png")).record
        assert record is not None
        assert "taken as labels" in record.notes[0]


def test_a_second_run_does_nothing_and_decodes_nothing(bench, monkeypatch):
    bench.run(rows())
    before = {path: path.stat().st_mtime_ns for path in bench.out.glob("*.png")}
    monkeypatch.setattr("overpaint.batch.worker.read_edit", None)
    ended = bench.run(rows())
    assert (ended.done, ended.unchanged) == (0, 4)
    assert {path: path.stat().st_mtime_ns for path in bench.out.glob("*.png")} == before


@pytest.mark.parametrize(
    "change",
    [
        lambda bench: (bench.out / "p001.remove.png").unlink(),
        lambda bench: photo(bench.out / "p001.remove.png", seed=99),
        lambda bench: photo(bench.folder / "p001.png", seed=77),
    ],
    ids=["deleted", "changed", "another picture"],
)
def test_only_missing_or_changed_results_are_made_again(bench, change):
    bench.run(rows())
    change(bench)
    ended = bench.run(rows())
    assert (ended.done, ended.unchanged) == (1, 3)
    assert [event.id for event in bench.events_of(Done)] == ["p001.remove.png"]
    assert bench.run(rows()).unchanged == 4


def test_a_row_with_other_settings_is_another_row_and_its_old_result_is_replaced(bench):
    bench.run(rows())
    old = pixels(bench.out / "p002.remove.png")
    changed = rows()
    changed[2]["seed"] = 5
    ended = bench.run(changed)
    assert (ended.done, ended.unchanged) == (1, 3)
    assert not np.array_equal(pixels(bench.out / "p002.remove.png"), old)


@pytest.mark.parametrize("change", [{"rules": {"record": "none"}}, {"rules": {"seed": 1}}])
def test_save_options_and_the_batch_seed_are_inputs_of_a_row(bench, change):
    bench.run(rows())
    assert bench.run(rows(), **change).done == 4


def test_a_touched_file_with_the_same_bytes_is_the_same(bench):
    bench.run(rows())
    for path in (bench.folder / "p001.png", bench.out / "p001.remove.png"):
        os.utime(path, ns=(1, 1))
    assert bench.run(rows()).unchanged == 4


def test_a_result_is_a_picture_for_the_next_batch(bench):
    bench.run(rows(1))
    ended = bench.run([{"image": "out/p000.remove.png", "box": BOX, "output": "second.png"}])
    assert (ended.done, ended.failed) == (1, 0)


def test_seeds_belong_to_rows_and_not_to_their_place(bench):
    bench.run(rows())
    alone = Bench(bench.folder / "again")
    shutil.copy(bench.folder / "p003.png", photo(alone.folder / "p003.png"))
    alone.run([{"image": "p003.png", "box": BOX}])
    assert np.array_equal(pixels(alone.out / "p003.remove.png"), pixels(bench.out / "p003.remove.png"))


def test_results_do_not_depend_on_how_many_are_on_their_way_nor_on_their_speed(bench):
    bench.run(rows(), ahead=1)
    one = {name: pixels(bench.out / name) for name in bench.names()}
    slow = np.random.default_rng(3)

    def paint(canvas, monitor):
        time.sleep(float(slow.random()) * 0.03)
        return Painted(np.random.default_rng(canvas.seed).random(canvas.pixels.shape, dtype=np.float32))

    other = Bench(bench.folder, engine=lambda: StandIn(paint))
    shutil.rmtree(bench.out)
    other.run(rows(), ahead=8)
    assert {name: pixels(other.out / name).tobytes() for name in other.names()} == {
        name: samples.tobytes() for name, samples in one.items()
    }


def test_reading_painting_and_writing_overlap(bench):
    """While the engine is at work on one canvas, others wait for it."""
    waiting = []
    gate = threading.Event()

    def paint(canvas, monitor):
        until = time.monotonic() + 20
        while not gate.is_set() and engine._jobs.qsize() < 2 and time.monotonic() < until:
            time.sleep(0.005)
        waiting.append(engine._jobs.qsize())
        gate.set()
        return Painted(canvas.pixels)

    engine = StandIn(paint)
    Bench(bench.folder, engine=lambda: engine).run(rows(), ahead=4)
    assert waiting[0] >= 2


# ── chains ────────────────────────────────────────────────────────────────────────────────────────────────────────────

CHAIN = [
    {"id": "c", "after": "b", "box": "2,2,9,9"},
    {"id": "a", "image": "p000.png", "box": BOX},
    {"id": "b", "after": "a", "box": "25,10,35,20"},
]


def test_chained_rows_go_on_from_the_result_before_whatever_their_order(bench):
    ended = bench.run(CHAIN)
    assert ended.done == 3
    assert [event.id for event in bench.events_of(Done)] == ["a", "b", "c"]
    original, last = pixels(bench.folder / "p000.png"), pixels(bench.out / "p000.remove.remove.remove.png")
    changed = (original != last).any(axis=2)
    for left, top, right, bottom in ((8, 6, 20, 16), (25, 10, 35, 20), (2, 2, 9, 9)):
        assert changed[top:bottom, left:right].mean() > 0.9
    assert bench.run(CHAIN).unchanged == 3


def test_a_chain_is_done_again_from_where_it_came_out_otherwise(bench):
    bench.run(CHAIN)
    (bench.out / "p000.remove.png").unlink()
    ended = bench.run(CHAIN)
    assert (ended.done, ended.unchanged) == (1, 2), "the first came out as before, so that the others still hold"
    assert [event.id for event in bench.events_of(Unchanged)] == ["b", "c"]
    photo(bench.folder / "p000.png", seed=50)
    assert bench.run(CHAIN).done == 3


def test_a_chained_row_whose_base_has_changed_since_is_done_again_and_is_not_taken_for_done(bench):
    def other(canvas, monitor):
        return Painted(np.zeros_like(canvas.pixels))

    bench.run(CHAIN)
    (bench.out / "p000.remove.png").unlink()
    Bench(bench.folder, engine=lambda: StandIn(other)).run(CHAIN, limit=1)  # the first alone, and otherwise
    before = bench.preview(CHAIN)
    assert (before.unchanged, [item.id for item in before.to_do]) == (1, ["b", "c"])
    assert bench.run(CHAIN).done == 2
    assert bench.run(CHAIN).unchanged == 3


def test_a_chain_breaks_where_a_row_fails_and_goes_on_later(bench):
    def paint(canvas, monitor):
        raise EngineError("no")

    broken = Bench(bench.folder, engine=lambda: StandIn(paint))
    ended = broken.run(CHAIN, retries=0)
    assert (ended.done, ended.failed) == (0, 3)
    reasons = {event.id: event.reason for event in broken.events_of(Failed)}
    assert reasons["b"] == "the row before it, 'a', failed"
    assert bench.run(CHAIN).done == 3


def test_chains_without_a_beginning_are_refused_row_by_row(bench):
    ended = bench.run(
        [
            {"id": "x", "after": "y", "box": BOX},
            {"id": "y", "after": "x", "box": BOX},
            {"after": "nowhere", "box": BOX},
            *rows(1),
        ]
    )
    assert (ended.done, ended.failed) == (1, 3)
    reasons = [event.reason for event in bench.events_of(Failed)]
    assert "circle" in reasons[0]
    assert "no row has that id" in reasons[2]


# ── bad input ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_bad_rows_are_reported_with_reasons_and_the_others_are_done(bench):
    Image.fromarray(np.pad(np.full((4, 4), 255, np.uint8), 3)).save(bench.folder / "m.png")
    (bench.folder / "text.png").write_text("this is no picture")
    bad = {
        "not json": "not JSON",
        '["a", "list"]': "must be a table of settings",
        '{"image": "p000.png", "bx": "1,1,2,2"}': "unknown field 'bx'; did you mean 'box'?",
        '{"image": "p000.png", "strenth": 1}': "did you mean 'strength'?",
        '{"image": "p000.png", "strenght": 1}': "did you mean 'strength'?",
        '{"image": "gone.png", "box": "1,1,5,5"}': "gone.png doesn't exist",
        '{"image": "text.png", "box": "1,1,5,5"}': "is no picture of a known format",
        '{"image": "p000.png", "mask": "m.png", "output": "x.png"}': "10x10",
        '{"image": "p000.png", "mask": "none.png"}': "the mask",
        '{"image": "p000.png", "box": "1,1,1", "output": "y.png"}': "has 3",
        '{"image": "p000.png", "output": "z.png"}': "needs a mask",
        '{"image": "p000.png", "steps": 0, "box": "1,1,5,5"}': "steps must be",
        '{"image": "p000.png", "engine": "exemplr", "box": "1,1,5,5"}': "did you mean 'exemplar'?",
        '{"image": "p000.png", "box": "1,1,5,5", "output": "../out.png"}': "within the folder",
        '{"image": "p000.png", "box": "1,1,5,5", "output": "out.gif"}': "gif",
        '{"image": "p000.png", "box": "1,1,5,5", "seed": 1.5}': "seed must be",
        '{"box": "1,1,5,5"}': "neither",
    }
    ended = bench.run([*bad, *rows()])
    assert (ended.done, ended.failed) == (4, len(bad))
    reasons = {event.row: event.reason for event in bench.events_of(Failed)}
    for number, (row, says) in enumerate(bad.items(), 1):
        assert says in reasons[number], row
    assert verify(bench.out / "audit.jsonl").records == 4
    with Ledger(bench.out / ".overpaint" / "ledger.sqlite") as ledger:
        assert ledger.counts()["failed"] == len(bad)
    assert bench.run(rows()).failed == 0
    with Ledger(bench.out / ".overpaint" / "ledger.sqlite") as ledger:
        assert ledger.counts()["failed"] == 0, "rows that are not in the list any more are forgotten"


def test_a_result_outlives_its_row_that_has_become_bad(bench):
    named = [{**row, "id": str(n)} for n, row in enumerate(rows(2))]
    bench.run(named)
    (bench.folder / "p001.png").rename(bench.folder / "away.png")
    ended = bench.run(named)
    assert (ended.unchanged, ended.failed) == (1, 1)
    (bench.folder / "away.png").rename(bench.folder / "p001.png")
    assert bench.run(named).unchanged == 2


def test_two_rows_that_would_write_one_file_are_refused_before_anything_is_done(bench):
    with pytest.raises(RequestError, match=r"the rows 1 and 3 would both write p000.remove.png: give one"):
        bench.run([*rows(2), rows(1)[0]])
    assert bench.names() == set()
    with pytest.raises(RequestError, match="the rows 1 and 2 have the same id 'same'"):
        bench.run(rows(2, id="same"))
    assert bench.run([*rows(2), {**rows(1)[0], "output": "again.png"}]).done == 3


def test_a_result_never_replaces_an_input_or_a_file_of_another_origin(bench):
    photo(bench.out / "a.png")
    with pytest.raises(RequestError, match=r"row 2 would replace .*a.png, which row 1 reads"):
        bench.run([{"image": "out/a.png", "box": BOX, "output": "b.png"}, {**rows(1)[0], "output": "a.png"}])
    stranger = (bench.out / "p001.remove.png", b"not ours")
    stranger[0].write_bytes(stranger[1])
    ended = bench.run(rows())
    assert (ended.done, ended.failed) == (3, 1)
    assert "no result of this batch; set overwrite" in bench.events_of(Failed)[0].reason
    assert stranger[0].read_bytes() == stranger[1]
    assert bench.run(rows(), rules={"overwrite": True}).done == 1


@pytest.mark.parametrize("what", ["mask", "avoid", "sketch", "insert", "linked"])
def test_a_result_never_replaces_a_file_that_a_row_reads(bench, what):
    """Masks and other files as well as pictures, and through links of files and of folders."""
    photo(bench.out / "a.png")
    if what == "linked":
        (bench.folder / "link").symlink_to(bench.out)
        reads = {"image": "link/a.png", "box": BOX, "output": "b.png"}
    else:
        reads = {**rows(1)[0], what: "out/a.png"}
        reads |= {"intent": "add", "engine": "cutout"} if what == "insert" else {}
    before = (bench.out / "a.png").read_bytes()
    with pytest.raises(RequestError, match=r"row 2 would replace .*a.png, which row 1 reads"):
        bench.run([reads, {**rows(2)[1], "output": "a.png"}], rules={"overwrite": True})
    assert (bench.out / "a.png").read_bytes() == before


def test_a_picture_that_is_replaced_during_the_run_is_not_taken_for_the_one_that_was_planned(bench):
    def paint(canvas, monitor):
        photo(bench.folder / "p003.png", seed=1234)
        return Painted(canvas.pixels * 0)

    changing = Bench(bench.folder, engine=lambda: StandIn(paint))
    ended = changing.run(rows(), ahead=1)
    assert (ended.done, ended.failed) == (3, 1)
    assert "p003.png was replaced during the run" in changing.events_of(Failed)[0].reason
    assert changing.run(rows()).done == 1
    verdict = verify(bench.out / "audit.jsonl")
    assert (verdict.whole, verdict.records) == (True, 4)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="administrators may write anywhere")
def test_a_folder_that_can_not_be_written_to_is_found_out_before_any_work(bench):
    bench.out.mkdir()
    bench.out.chmod(0o500)
    with pytest.raises(OutputError, match="can't write to the folder"):
        bench.run(rows())


def test_a_folder_that_can_not_be_made_costs_its_own_rows_alone(bench):
    bench.out.mkdir()
    (bench.out / "taken").write_text("a file")
    tables = [*rows(2), {"image": "p002.png", "box": BOX, "output": "taken/x.png"}]
    ended = bench.run(tables, retries=0)
    assert (ended.done, ended.failed) == (2, 1)
    assert bench.events_of(Failed)[0].reason.startswith("can't make the folder ")


def test_a_file_as_the_folder_of_results_is_reported(bench):
    bench.out.write_text("a file")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        bench.run(rows())


def test_two_runs_on_one_folder_at_a_time_are_refused(bench):
    folders = bench.options().folders
    folders.make()
    with (
        folders.exclusive(),
        pytest.raises(LedgerError, match=rf"another run is at work on .*out \(process {os.getpid()}\)"),
    ):
        bench.run(rows())
    assert bench.run(rows()).done == 4


# ── retries, choosing, stopping ───────────────────────────────────────────────────────────────────────────────────────


def failing(times: int, what: type[Exception] = RuntimeError) -> StandIn:
    """Fails so many times, then paints."""
    left = [times]

    def paint(canvas, monitor):
        if left[0] > 0:
            left[0] -= 1
            raise what("a bad moment")
        return Painted(canvas.pixels)

    return StandIn(paint)


def test_what_failed_for_a_moment_is_tried_again(bench):
    shaky = Bench(bench.folder, engine=lambda: failing(2))
    ended = shaky.run(rows(), retries=1, ahead=1)
    assert (ended.done, ended.failed) == (4, 0)
    assert [event.again for event in shaky.events_of(Failed)] == [True, True]
    with Ledger(bench.out / ".overpaint" / "ledger.sqlite") as ledger:
        assert sorted(entry.attempts for entry in ledger.entries()) == [1, 1, 2, 2]


def test_what_fails_as_often_as_it_may_has_failed_and_the_next_run_tries_it_again(bench):
    shaky = Bench(bench.folder, engine=lambda: failing(2))
    assert shaky.run(rows(1), retries=1).failed == 1
    assert "a bad moment" in shaky.events_of(Failed)[-1].reason
    assert bench.run(rows(1)).done == 1


def test_a_chained_row_that_no_longer_holds_is_tried_no_more_often_than_another(bench):
    bench.run(CHAIN)
    (bench.out / "p000.remove.png").unlink()
    tried = []

    def paint(canvas, monitor):
        tried.append(canvas)
        if len(tried) == 1:
            return Painted(np.zeros_like(canvas.pixels))
        raise (EngineError if len(tried) < 9 else PictureError)("no")  # a bad input ends what would go on for ever

    ended = Bench(bench.folder, engine=lambda: StandIn(paint)).run(CHAIN, retries=1)
    assert (ended.done, ended.failed, len(tried)) == (1, 2, 3)


def test_a_bad_input_is_not_tried_again(bench):
    Image.fromarray(np.pad(np.full((4, 4), 255, np.uint8), 3)).save(bench.folder / "m.png")
    bench.run([{"image": "p000.png", "mask": "m.png"}], retries=5)
    assert [event.again for event in bench.events_of(Failed)] == [False]


def test_fail_fast_ends_the_run_and_keeps_results(bench):
    Image.fromarray(np.pad(np.full((4, 4), 255, np.uint8), 3)).save(bench.folder / "m.png")
    ended = bench.run([*rows(1), {"image": "p001.png", "mask": "m.png"}, *rows()[2:]], fail_fast=True, ahead=1)
    assert (ended.done, ended.failed, ended.left) == (1, 1, 2)
    assert "10x10" in ended.stopped


def test_limit_does_so_many_and_the_next_run_the_rest(bench):
    assert bench.run(rows(), limit=3).done == 3
    began = bench.events_of(Began)[0]
    assert (began.to_do, began.left) == (3, 1)
    assert bench.run(rows(), limit=3).done == 1


def test_a_preview_says_what_would_be_done_and_writes_no_result(bench):
    bench.run(rows(2))
    found = bench.preview([*rows(), {"image": "gone.png", "box": BOX}])
    assert [item.id for item in found.to_do] == ["p002.remove.png", "p003.remove.png"]
    assert (found.unchanged, len(found.plan.bad)) == (2, 1)
    assert found.estimate.seconds is not None
    assert found.estimate.basis == "from 2 edits that were done before"
    assert bench.names() == {"p000.remove.png", "p001.remove.png"}


def test_an_estimate_knows_the_model_that_rows_are_painted_with_by_default(bench, monkeypatch):
    choose = _studio.choose
    monkeypatch.setattr(_studio, "choose", lambda *arguments: replace(choose(*arguments), model="usual"))
    bench.run(rows(2))
    assert bench.preview(rows()).estimate.basis == "from 2 edits that were done before"
    assert len(bench.preview(rows(), where=Filter.of('model == "usual"')).to_do) == 2


def test_where_nothing_was_done_before_an_edit_is_tried_and_thrown_away(bench):
    def paint(canvas, monitor):
        time.sleep(0.05)
        return Painted(canvas.pixels)

    slow = Bench(bench.folder, engine=lambda: StandIn(paint))
    found = slow.preview(rows())
    assert found.estimate.seconds is not None
    assert found.estimate.seconds >= 4 * 0.05
    assert "tried and discarded" in found.estimate.basis
    assert bench.names() == set()
    assert bench.strays() == []
    assert bench.run(rows()).done == 4


def test_an_interrupt_keeps_results_and_the_next_run_continues(bench):
    def tell_then_interrupt(event):
        bench.events.append(event)
        if isinstance(event, Done):
            raise KeyboardInterrupt

    with Studio() as studio:
        studio.add_engine(flat())
        with pytest.raises(KeyboardInterrupt):
            run(bench.rows(rows()), bench.options(ahead=1), studio, on_event=tell_then_interrupt)
    assert bench.strays() == []
    with Ledger(bench.out / ".overpaint" / "ledger.sqlite") as ledger:
        counts = ledger.counts()
        assert counts["done"] >= 1
        assert counts["leased"] == counts["finished"] == 0
        before = counts["done"]
    ended = bench.run(rows())
    assert (ended.done, ended.unchanged) == (4 - before, before)
    assert verify(bench.out / "audit.jsonl").records == 4


def test_private_mode_keeps_prompts_out_of_everything(bench):
    secret = "a very private bench"

    def paint(canvas, monitor):
        return Painted(canvas.pixels, notes=(f"prompt: left out as a comment: {secret}",))

    learned = Bench(bench.folder, engine=lambda: StandIn(paint))
    learned.run(rows(prompt=secret), private=True, rules={"record": "none"}, report=True)
    for path in bench.out.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
    (record, *_) = (entry.record for entry in entries(bench.out / "audit.jsonl"))
    assert record.edit.notes[-1] == "the engine's notes are left out, as they may quote the prompt"
    assert verify(bench.out / "audit.jsonl").whole
    assert read_record(open_picture(bench.out / "p000.remove.png")) is None


def test_a_record_beside_the_result_is_written_with_it(bench):
    bench.run(rows(1), rules={"record": "sidecar"})
    assert len(list(bench.out.glob("p000.remove*.json"))) == 1
    assert bench.run(rows(1), rules={"record": "sidecar"}).unchanged == 1


def test_a_record_that_cannot_be_written_fails_its_row_and_no_other(bench):
    beside = sidecar_path(bench.out / "p000.remove.png")
    beside.mkdir(parents=True)
    ended = bench.run(rows(2), rules={"record": "sidecar"}, retries=0)
    assert (ended.done, ended.failed, ended.stopped) == (1, 1, "")
    (failed,) = bench.events_of(Failed)
    assert beside.name in failed.reason
    assert bench.names() == {"p001.remove.png"}, "a picture without its record would stand in the way of the next run"
    beside.rmdir()
    assert bench.run(rows(2), rules={"record": "sidecar"}).done == 1
    assert beside.is_file()


def test_without_an_audit_none_is_written(bench):
    assert bench.run(rows(), audit=None).head == ""
    assert not (bench.out / "audit.jsonl").exists()


def test_a_row_whose_worker_is_lost_is_begun_anew_and_given_up_when_it_loses_every_one(bench):
    lost = Bench(bench.folder, engine=lambda: failing(2, WorkerLostError))
    assert lost.run(rows(1), retries=0).done == 1
    with Ledger(bench.out / ".overpaint" / "ledger.sqlite") as ledger:
        assert ledger.entries()[0].attempts == 3
    deadly = Bench(bench.folder, engine=lambda: failing(99, WorkerLostError))
    assert deadly.run([{**rows(1)[0], "seed": 1}], retries=0).failed == 1
    assert [event.again for event in deadly.events_of(Failed)] == [True, True, False]


def test_a_worker_that_outlives_its_killed_driver_leaves_nothing_behind(bench):
    photos(bench.folder, 2)
    rows = [{"image": f"p{n:03}.png", "box": BOX} for n in range(2)]
    bench.run(rows, limit=0)
    with Ledger(bench.options().folders.state / "ledger.sqlite") as ledger:
        lease = ledger.claim("a driver that is killed", 60.0)
    assert lease is not None
    late = bench.out / f".p000.remove.png.{lease.token}.part"

    def tell(event):
        if isinstance(event, Began):
            late.write_bytes(b"written by a worker that did not know yet")

    with Studio() as studio:
        studio.add_engine(noise())
        assert run(bench.rows(rows), bench.options(), studio, on_event=tell).done == 2
    assert not late.exists()
    assert bench.names() == {"p000.remove.png", "p001.remove.png"}


def test_fail_fast_does_not_begin_when_a_row_is_bad(bench):
    ended = bench.run(["nonsense", *rows()], fail_fast=True)
    assert (ended.done, ended.failed, ended.left) == (0, 1, 4)
    assert ended.stopped.startswith("row 1: ")


def test_a_machine_that_slept_has_not_lost_what_it_was_at_work_on(bench, monkeypatch):
    """Time jumps by an hour while an edit is painted, and other rows are claimed after that."""
    jump = [0.0]
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump[0])
    monkeypatch.setattr(Ledger.__init__, "__kwdefaults__", {"clock": lambda: real() + jump[0], "read_only": False})

    def paint(canvas, monitor):
        jump[0] += 3600
        time.sleep(0.05)
        return Painted(canvas.pixels)

    ended = Bench(bench.folder, engine=lambda: StandIn(paint)).run(rows(), retries=0, ahead=2)
    assert (ended.done, ended.failed) == (4, 0)


def test_a_finished_row_whose_file_is_gone_is_not_counted_as_done(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger, Files(tmp_path / "files.sqlite") as files:
        publisher = ResultPublisher(tmp_path, ledger, files, audit=None)
        ledger.add([Job("a", "key", "a.png")])
        lease = ledger.claim("me", 60)
        assert lease is not None
        with pytest.raises(PublishError, match="gone"):
            publisher.publish(lease, TaskResult("0" * 64, replaces=False, record="", sidecar=None, details={}))
        assert ledger.entries()[0].state == "waiting"
        lease = ledger.claim("me", 60)
        assert lease is not None
        ledger.finish(lease, "0" * 64, TaskResult("0" * 64, False, "", None, {}).to_json())
        assert publisher.recover() == []


@pytest.mark.skipif(sys.platform == "win32", reason="names are another thing there")
def test_a_result_that_may_replace_takes_the_name_without_a_look_at_what_has_it(tmp_path):
    """That may be large, or far away, or without an end."""
    with Ledger(tmp_path / "ledger.sqlite") as ledger, Files(tmp_path / "files.sqlite") as files:
        publisher = ResultPublisher(tmp_path, ledger, files, audit=None)
        ledger.add([Job("a", "key", "a.png")])
        lease = ledger.claim("me", 60)
        hidden = hidden_beside(tmp_path / "a.png", lease.token)
        for path in (hidden, tmp_path / "a.png"):
            path.write_bytes(b"a result")
        number = hidden.stat().st_ino
        sha256 = hashlib.sha256(b"a result").hexdigest()
        publisher.publish(lease, TaskResult(sha256, replaces=True, record="", sidecar=None, details={}))
        assert (tmp_path / "a.png").stat().st_ino == number
        assert ledger.entry("a").state == "done"
