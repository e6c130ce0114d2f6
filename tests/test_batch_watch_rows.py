"""The rows of a watched folder: who has a name is the same after a restart, none is lost or counted wrongly."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from batches import Bench, photo
from overpaint.batch import Began, Departed, Done, Ended, Failed, Idle, Postponed
from overpaint.batch.arrivals import PATIENCE, FileMark, FolderListing, Settling
from overpaint.batch.metrics import RunCounts
from stand_ins import waiting
from watched import INTERVAL, Watching, mask_at


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def _older(path: Path) -> Path:
    """Make a file one that is taken at the first look: its name is younger than its content."""
    os.utime(path, (time.time() - 60, time.time() - 60))
    return path


@pytest.mark.parametrize("first", ["a", "A"])
def test_of_names_that_differ_by_case_the_one_with_a_result_has_it_after_a_restart(bench: Bench, first: str) -> None:
    second = first.swapcase()
    with Watching(bench, idle=0.5) as watching:
        photo(watching.incoming / f"{first}.png", seed=1)
        watching.wait_for(watching.done)
        photo(watching.incoming / f"{second}.png", seed=2)
        watching.wait_for(lambda: watching.of(Failed))
    before = {path.name: path.read_bytes() for path in bench.out.glob("*.png")}
    _older(watching.incoming / f"{second}.png")  # and the one with the result is seen after it
    with Watching(bench, idle=0.2) as again:
        again.wait_for(lambda: again.of(Failed))
    assert again.ended is not None
    assert (again.ended.unchanged, again.ended.failed, again.ended.done) == (1, 1, 0)
    assert f"its output {second}.remove.png" in again.of(Failed)[0].reason
    assert {path.name: path.read_bytes() for path in bench.out.glob("*.png")} == before
    assert set(before) == {f"{first}.remove.png"}


def test_a_name_is_free_for_another_picture_when_the_one_that_had_it_is_gone(bench: Bench) -> None:
    photo(bench.folder / "in" / "a.png", seed=1)
    with Watching(bench, idle=0.2):
        pass
    (bench.folder / "in" / "a.png").unlink()
    photo(bench.folder / "in" / "A.png", seed=1)
    with Watching(bench, idle=0.2) as again:
        pass
    assert again.done() == ["A.remove.png"]


def test_a_mask_that_is_there_is_never_said_to_be_missing(bench: Bench) -> None:
    with Watching(bench, masks=True, idle=0.3) as watching:
        photo(watching.incoming / "a.png", seed=1)
        mask_at(bench.folder / "masks" / "a.png")
        watching.wait_for(watching.done)
    _older(watching.incoming / "a.png")
    mask_at(bench.folder / "masks" / "a.png").touch()  # it is whole only at the second look
    with Watching(bench, masks=True, idle=0.8) as again:
        again.wait_for(lambda: again.of(Idle))
        mask_at(bench.folder / "masks" / "a.png").touch()
    assert again.of(Postponed) == []
    assert again.of(Began)[0].unchanged == 1


def test_the_end_waits_for_a_mask_that_is_being_written(bench: Bench) -> None:
    path = mask_at(bench.folder / "masks" / "a.png")
    data = path.read_bytes()
    path.write_bytes(data[:50])
    _older(photo(bench.folder / "in" / "a.png", seed=1))
    with Watching(bench, masks=True, idle=0.1) as watching:
        time.sleep(4 * INTERVAL)
        path.write_bytes(data)
    assert (watching.done(), watching.of(Postponed)) == (["a.remove.png"], [])


def test_one_mask_for_all_that_is_gone_is_told(bench: Bench) -> None:
    watching = Watching(bench, masks=True, idle=0.4)
    one = mask_at(bench.folder / "one.png")
    watching.watched = type(watching.watched)(watching.incoming, one, INTERVAL, 0.4)
    with watching:
        one.unlink()
        photo(watching.incoming / "a.png", seed=1)
        watching.wait_for(lambda: watching.of(Postponed))
        assert watching.of(Postponed)[0].reason == f"its mask {one} is gone"
        mask_at(one)
        watching.wait_for(watching.done)


def test_rows_that_were_done_and_have_left_are_counted_as_done(bench: Bench) -> None:
    counts = RunCounts()
    with Watching(bench, idle=0.5) as watching:
        for number in range(3):
            photo(watching.incoming / f"{number}.png", seed=number)
            watching.wait_for(lambda: len(watching.done()) == number + 1)  # noqa: B023
            (watching.incoming / f"{number}.png").unlink()
        photo(watching.incoming / "stays.png")
        watching.wait_for(lambda: len(watching.of(Departed)) == 3 and len(watching.done()) == 4)
    ended = watching.ended
    assert ended is not None
    assert (ended.done, ended.departed, ended.left, ended.failed) == (4, 3, 0, 0)
    assert (watching.of(Idle)[-1].rows, watching.of(Idle)[-1].done) == (1, 1)
    for event in watching.events:
        if not isinstance(event, Idle | Ended):  # the counts are right without these too
            counts.show(event)
    assert counts.rows == {"done": 1, "needs-review": 0, "failed": 0, "unchanged": 0, "waiting": 0}


def test_a_picture_that_is_replaced_while_it_waits_for_its_turn_is_done_as_it_is_now(tmp_path: Path) -> None:
    gate, started = threading.Event(), threading.Event()
    bench = Bench(tmp_path, engine=lambda: waiting(gate, started))
    for number in range(4):
        photo(tmp_path / "in" / f"{number}.png", seed=number)
    with Watching(bench, idle=1.0, ahead=1) as watching:
        assert started.wait(20)
        photo(watching.incoming / "3.png", seed=9)
        time.sleep(3 * INTERVAL)
        photo(watching.incoming / "3.png", seed=10)
        photo(watching.incoming / "0.png", seed=11)
        time.sleep(3 * INTERVAL)
        gate.set()
    assert watching.ended is not None
    assert [one.reason for one in watching.of(Failed)] == []
    assert (watching.ended.done, watching.ended.failed, watching.ended.left) == (4, 0, 0)


def test_a_file_that_can_not_be_looked_at_for_a_moment_is_not_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    of, failed = FileMark.of, list[int]()

    def once(status: os.stat_result) -> FileMark:
        if sys._getframe(1).f_code.co_name == "_is_current" and not failed:
            failed.append(1)
            raise OSError("the share does not answer")
        return of(status)

    monkeypatch.setattr(FileMark, "of", once)
    photo(bench.folder / "in" / "a.png", seed=1)
    with Watching(bench, idle=1.0) as watching:
        pass
    assert failed
    assert watching.done() == ["a.remove.png"]


def test_a_picture_that_goes_and_comes_back_while_it_is_at_work_does_not_fail(tmp_path: Path) -> None:
    gate, started = threading.Event(), threading.Event()
    bench = Bench(tmp_path, engine=lambda: waiting(gate, started))
    path = photo(tmp_path / "in" / "a.png", seed=1)
    with Watching(bench, idle=0.6) as watching:
        assert started.wait(20)
        path.rename(tmp_path / "away.png")
        watching.wait_for(lambda: watching.of(Departed))
        (tmp_path / "away.png").rename(path)
        time.sleep(3 * INTERVAL)
        gate.set()
    assert [one.reason for one in watching.of(Failed)] == []
    assert watching.ended is not None
    assert (watching.ended.left, watching.ended.failed) == (0, 0)
    assert len(watching.of(Done)) in (1, 2)


def test_a_file_that_can_not_be_read_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError

    monkeypatch.setattr("overpaint.batch.arrivals.has_its_end", refuse)
    now, mark = 0.0, FileMark(5, 1, 1, 1, 1)
    settling = Settling(1.0, lambda: now)
    for now in (0.0, 1.0, PATIENCE - 1.0):  # noqa: B007 - the clock reads it
        settling.see(FolderListing({"a.png": mark}))
        assert settling.unsettled == {"a.png"}
    now = float(PATIENCE)
    settling.see(FolderListing({"a.png": mark}))
    assert list(settling.settled) == ["a.png"]


def test_nothing_is_kept_of_pictures_that_are_gone(bench: Bench) -> None:
    names = [f"{number}.png" for number in range(5)]
    with Watching(bench, idle=1.5, masks=True) as watching:
        for name in names:
            photo(watching.incoming / name)
            (watching.incoming / f"{name}.txt").write_text("x")
        watching.wait_for(lambda: len(watching.of(Postponed)) == 5)
        for name in names:
            (watching.incoming / name).unlink()
        time.sleep(3 * INTERVAL)
        photo(watching.incoming / names[0])
        watching.wait_for(lambda: len(watching.of(Postponed)) == 6)
        mask_at(bench.folder / "masks" / names[0])
        watching.wait_for(watching.done)
        (watching.incoming / names[0]).unlink()
        watching.wait_for(lambda: watching.of(Departed))
    from overpaint.batch.files import Files

    with Files(bench.out / ".overpaint" / "files.sqlite") as files:
        assert not [path for path in files._known if Path(path).parent == watching.incoming]
