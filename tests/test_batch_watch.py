"""A folder that keeps being filled: pictures are done as they arrive, whole and once; a stop or a kill loses none."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from PIL import Image

from batches import BOX, Bench, photo, photos
from forks import Forked
from overpaint import Studio
from overpaint.audit import verify
from overpaint.batch import (
    Arrived,
    Began,
    Departed,
    Failed,
    Idle,
    LeftOut,
    Postponed,
    watch,
)
from overpaint.batch.arrivals import PATIENCE, FolderListing, Settling, list_folder
from overpaint.cli.run import run as command
from overpaint.errors import RequestError
from overpaint.picture.whole import has_its_end
from watched import INTERVAL, Watching, mask_at

# ── when a file is whole ──────────────────────────────────────────────────────────────────────────────────────────────


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Looks:
    """Looks at a folder, an interval apart."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, Clock()
        self.settling, self.listing = Settling(1.0, self.clock), FolderListing()

    def look(self, after: float = 1.0) -> list[str]:
        """Names of settled files after a time."""
        self.clock.now += after
        self.listing = list_folder(self.folder, (), self.listing)
        self.settling.see(self.listing)
        return sorted(Path(path).relative_to(self.folder).as_posix() for path in self.settling.settled)


def _jpeg() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((300, 200), 60).convert("RGB").save(file, "JPEG")
    return file.getvalue()


def _written(path: Path, data: bytes, mode: str = "wb") -> None:
    """Write as a program does that writes in place."""
    with path.open(mode) as file:
        file.write(data)


def test_a_file_that_grows_is_not_taken_before_it_stands_still(tmp_path: Path) -> None:
    looks, data = Looks(tmp_path), _jpeg()
    for start in range(0, len(data), len(data) // 4 + 1):
        _written(tmp_path / "a.jpg", data[start : start + len(data) // 4 + 1], "ab")
        assert looks.look() == []
    assert looks.look(0.5) == []
    assert looks.look(0.5) == ["a.jpg"]


@pytest.mark.parametrize("part", [0.3, 0.99])
def test_a_transfer_that_stalled_is_waited_for_long(tmp_path: Path, part: float) -> None:
    looks, data = Looks(tmp_path), _jpeg()
    _written(tmp_path / "a.jpg", data[: int(len(data) * part)])
    assert [looks.look() for _ in range(PATIENCE)] == [[]] * PATIENCE
    _written(tmp_path / "a.jpg", data)
    assert (looks.look(), looks.look()) == ([], ["a.jpg"])
    _written(tmp_path / "b.jpg", data[:500])
    assert looks.look() == ["a.jpg"]
    assert looks.look(PATIENCE) == ["a.jpg", "b.jpg"], "in the end it is taken as it is"


def test_a_file_that_is_renamed_into_place_is_taken_at_once(tmp_path: Path) -> None:
    looks = Looks(tmp_path)
    _written(tmp_path / "a.jpg.part", _jpeg()[:900])
    assert looks.look() == []
    _written(tmp_path / "a.jpg.part", _jpeg())
    (tmp_path / "a.jpg.part").rename(tmp_path / "a.jpg")
    assert looks.look(0.01) == ["a.jpg"]
    other = tmp_path.parent / f"{tmp_path.name}-else.jpg"
    _written(other, _jpeg())
    time.sleep(0.05)  # a rename changes the time of the name, which has steps
    other.rename(tmp_path / "b.jpg")
    assert looks.look(0.01) == ["a.jpg", "b.jpg"], "from elsewhere too: its name is younger than its content"


def test_a_part_that_is_renamed_is_no_proof(tmp_path: Path) -> None:
    looks = Looks(tmp_path)
    _written(tmp_path / "a.tmp", _jpeg()[:900])
    looks.look()
    time.sleep(0.05)
    (tmp_path / "a.tmp").rename(tmp_path / "a.jpg")
    assert (looks.look(0.01), looks.look()) == ([], [])


def test_temporary_names_links_and_hidden_folders_are_not_listed(tmp_path: Path) -> None:
    for name in ("a.jpg.part", "b.tmp", ".c.jpg", "~d.jpg", "e.jpg~", "f.JPG.crdownload", "ok.jpg"):
        _written(tmp_path / name, _jpeg())
    away = tmp_path.parent / f"{tmp_path.name}-away"
    (tmp_path / ".git").mkdir()
    away.mkdir()
    for folder in (tmp_path / ".git", away):
        _written(folder / "g.jpg", _jpeg())
    (tmp_path / "linked").symlink_to(away)
    (tmp_path / "link.jpg").symlink_to(away / "g.jpg")
    (tmp_path / "broken.jpg").symlink_to(away / "none.jpg")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
    looks = Looks(tmp_path)
    looks.look()
    assert looks.look() == ["link.jpg", "ok.jpg"]
    assert [Path(path).name for path in looks.listing.odd] == (["pipe.jpg"] if hasattr(os, "mkfifo") else [])


def test_a_folder_that_can_not_be_read_for_a_while_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    _written(tmp_path / "in" / "sub" / "a.jpg", _jpeg())
    looks = Looks(tmp_path / "in")
    looks.look()
    assert looks.look() == ["sub/a.jpg"]
    (tmp_path / "in").rename(tmp_path / "gone")
    assert looks.look() == ["sub/a.jpg"]
    assert list(looks.listing.unread) == [str(tmp_path / "in")]
    (tmp_path / "gone").rename(tmp_path / "in")
    assert looks.look() == ["sub/a.jpg"]
    assert not looks.listing.unread


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_the_end_of_a_picture_is_known_by_its_format(tmp_path: Path, format: str) -> None:
    path, file = tmp_path / "a", io.BytesIO()
    Image.effect_noise((90, 70), 60).convert("RGB").save(file, format)
    data = file.getvalue()
    path.write_bytes(data)
    assert has_its_end(path) is (None if format == "TIFF" else True)
    for part in (0.1, 0.5, 0.95):
        path.write_bytes(data[: int(len(data) * part)])
        assert has_its_end(path) is (None if format == "TIFF" else False)
    path.write_bytes(bytes(len(data)))
    assert has_its_end(path) is False, "room that was made for a file and not filled"


# ── a run ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_pictures_are_done_as_they_arrive_and_a_run_of_the_folder_finds_all_done(bench: Bench) -> None:
    photo(bench.folder / "in" / "first.png", seed=1)
    with Watching(bench, report=True) as watching:
        watching.wait_for(lambda: watching.done() == ["first.remove.png"])
        photo(bench.folder / "in" / "second.png", seed=2)
        photo(bench.folder / "in" / "sub" / "third.png", seed=3)
        watching.wait_for(lambda: len(watching.done()) == 3)
        watching.wait_for(lambda: (bench.out / "report.csv").read_text().count(",done,") == 3)
    assert (watching.of(Began)[0].to_do, len(watching.of(Arrived))) == (1, 2)
    ended = watching.ended
    assert ended is not None
    assert (ended.done, ended.failed, ended.left, ended.interrupted) == (3, 0, 0, False)
    assert watching.of(Idle)[-1].done == 3
    assert (bench.out / "sub" / "third.remove.png").exists()
    verdict = verify(bench.out / "audit.jsonl")
    assert (verdict.whole, verdict.records) == (True, 3)
    with Watching(bench, idle=0.2) as again:
        pass
    assert again.ended is not None
    assert (again.ended.unchanged, again.ended.done, again.done()) == (3, 0, [])


def test_a_mask_may_come_before_or_after_its_picture(bench: Bench) -> None:
    with Watching(bench, masks=True) as watching:
        photo(watching.incoming / "late.png", seed=1)
        watching.wait_for(lambda: watching.of(Postponed))
        assert "it has no mask" in watching.of(Postponed)[0].reason
        mask_at(bench.folder / "masks" / "early.png")
        time.sleep(3 * INTERVAL)
        photo(watching.incoming / "early.png", seed=2)
        watching.wait_for(lambda: watching.done() == ["early.remove.png"])
        mask_at(bench.folder / "masks" / "late_mask.png")
        watching.wait_for(lambda: len(watching.done()) == 2)
        photo(watching.incoming / "never.png", seed=2)
        watching.wait_for(lambda: len(watching.of(Postponed)) == 2)
    assert watching.of(Failed) == []
    assert watching.ended is not None
    assert (watching.ended.done, watching.ended.failed) == (2, 0)


def test_a_replaced_picture_or_mask_is_done_again_and_a_touched_one_is_not(bench: Bench) -> None:
    with Watching(bench, masks=True, idle=4.0) as watching:
        mask_at(bench.folder / "masks" / "a.png")
        photo(watching.incoming / "a.png", seed=1)
        watching.wait_for(lambda: len(watching.done()) == 1)
        before = (bench.out / "a.remove.png").read_bytes()
        os.utime(watching.incoming / "a.png")
        time.sleep(4 * INTERVAL)
        assert len(watching.done()) == 1
        photo(watching.incoming / "a.png", seed=2)
        watching.wait_for(lambda: len(watching.done()) == 2)
        assert (bench.out / "a.remove.png").read_bytes() != before
        Image.new("L", (40, 30), 0).save(bench.folder / "masks" / "a.png")
        image = Image.new("L", (40, 30))
        image.paste(255, (1, 1, 9, 9))
        image.save(bench.folder / "masks" / "a.png")
        watching.wait_for(lambda: len(watching.done()) == 3)
    assert watching.of(Arrived)[-1].again
    assert watching.ended is not None
    assert (watching.ended.done, watching.ended.left) == (1, 0)


def test_a_picture_that_leaves_takes_its_row_off_the_list_and_keeps_its_result(bench: Bench) -> None:
    with Watching(bench, report=True) as watching:
        for name in ("a", "b"):
            photo(watching.incoming / f"{name}.png", seed=1)
        watching.wait_for(lambda: len(watching.done()) == 2)
        (watching.incoming / "a.png").unlink()
        (watching.incoming / "b.png").rename(watching.incoming / "c.png")
        watching.wait_for(lambda: len(watching.of(Departed)) == 2 and len(watching.done()) == 3)
    assert {Path(one.image).name for one in watching.of(Departed)} == {"a.png", "b.png"}
    assert bench.names() == {"a.remove.png", "b.remove.png", "c.remove.png"}
    table = (bench.out / "report.csv").read_text()
    assert (table.count("\n"), table.count(",no,")) == (4, 2)


def test_what_is_no_picture_is_told_once_and_a_damaged_one_fails_until_it_is_replaced(bench: Bench) -> None:
    with Watching(bench) as watching:
        (watching.incoming / "notes.txt").write_text("x")
        (watching.incoming / "x.jpg.part").write_text("x")
        data = photo(bench.folder / "whole.png", seed=1).read_bytes()
        # the end is there, what is before it is not
        (watching.incoming / "a.png").write_bytes(data[:200] + bytes(400) + data[-12:])
        watching.wait_for(lambda: watching.of(Failed))
        time.sleep(3 * INTERVAL)
        assert len(watching.of(Failed)) == 1
        (watching.incoming / "a.png").write_bytes(data)
        watching.wait_for(lambda: watching.done() == ["a.remove.png"])
    assert [[Path(name).name for name in event.files] for event in watching.of(LeftOut)] == [["notes.txt"]]
    assert watching.ended is not None
    assert (watching.ended.done, watching.ended.failed) == (1, 0)


def test_two_pictures_with_one_result_are_one_row_and_one_failure(bench: Bench) -> None:
    photo(bench.folder / "in" / "a.png", seed=1)
    with Watching(bench, rules={"name": "{name}.png.{ext}"[:6] + "{ext}"}, settings={}) as watching:
        watching.wait_for(lambda: len(watching.done()) == 1)
        photo(watching.incoming / "sub" / "a.png", seed=2)
        watching.wait_for(lambda: watching.of(Failed))
    assert "its output a.png is that of" in watching.of(Failed)[0].reason
    assert watching.ended is not None
    assert (watching.ended.done, watching.ended.failed) == (1, 1)


def test_results_within_the_watched_folder_are_not_edited_again(bench: Bench, tmp_path: Path) -> None:
    inner = Bench(tmp_path / "in")
    (tmp_path / "in").mkdir()
    photo(tmp_path / "in" / "a.png", seed=1)
    watching = Watching(bench)
    watching.options = inner.options()
    (tmp_path / "in" / "link.png").symlink_to(tmp_path / "in" / "out" / "a.remove.png")
    with watching:
        watching.wait_for(lambda: len(watching.done()) == 1)
    assert inner.names() == {"a.remove.png"}


@pytest.mark.parametrize(
    ("out", "name", "match"),
    [("in", "{name}{ext}", "into the folder that is watched"), ("out", "{row}{ext}", "lasting numbers")],
)
def test_what_can_not_be_watched_is_refused(bench: Bench, out: str, name: str, match: str) -> None:
    from dataclasses import replace

    from overpaint.batch import BatchFolders

    watching = Watching(bench, rules={"name": name, "out": bench.folder / out})
    options = replace(watching.options, folders=BatchFolders.at(bench.folder / out))
    with Studio() as studio, pytest.raises(RequestError, match=match):
        watch(watching.watched, watching.reader, options, studio)


def test_a_limit_and_a_filter_hold(bench: Bench) -> None:
    from overpaint.batch import Filter

    photos(bench.folder / "in", 5)
    with Watching(bench, idle=None, limit=2, where=Filter.of('not like(image, "*p000*")')) as watching:  # type: ignore[arg-type]
        pass
    assert sorted(watching.done()) == ["p001.remove.png", "p002.remove.png"]


def test_a_burst_is_done_once_each(bench: Bench) -> None:
    with Watching(bench, idle=2.0) as watching:
        source = photo(bench.folder / "one.png", seed=1).read_bytes()
        for n in range(100):
            (watching.incoming / f"b{n:03}.png").write_bytes(source)
        watching.wait_for(lambda: len(watching.done()) == 100, 240)
    assert len(set(watching.done())) == 100
    assert verify(bench.out / "audit.jsonl").records == 100


# ── the command ───────────────────────────────────────────────────────────────────────────────────────────────────────

WATCH = [sys.executable, "-m", "overpaint", "batch", "watch", "in", "--box", BOX, "--engine", "telea", "-o", "out"]


class Process:
    """A watching process whose events are read."""

    started: ClassVar[list[Forked]] = []

    def __init__(self, folder: Path, *more: str, interval: float = INTERVAL) -> None:
        (folder / "in").mkdir(exist_ok=True)
        words = [*WATCH, "--interval", str(interval), "--json", *more]
        self.process = Forked(
            words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self.events: list[dict[str, Any]] = []
        self.started.append(self.process)

    def until(self, *names: str) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] in names:
                return self.events[-1]
        raise AssertionError(self.process.stderr and self.process.stderr.read())

    def end(self, number: int) -> tuple[int, float]:
        began = time.monotonic()
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=60)
        self.events += [json.loads(line) for line in out.splitlines()]
        return self.process.returncode, time.monotonic() - began


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    while Process.started:
        process = Process.started.pop()
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_promptly_with_report_and_ledger_whole(folder: Path, number: int, status: int) -> None:
    process = Process(folder, "--metrics", "run.prom")
    process.until("began")
    photos(folder / "in", 3)
    for _ in range(3):
        process.until("done")
    process.until("idle")
    until = time.monotonic() + 10
    while 'overpaint_batch_rows{state="done"} 3' not in (folder / "run.prom").read_text():
        assert time.monotonic() < until, (folder / "run.prom").read_text()
    code, seconds = process.end(number)
    assert (code, process.events[-1]["event"], process.events[-1]["interrupted"]) == (status, "ended", True)
    assert process.events[-1]["done"] == 3
    assert seconds < 8
    assert (folder / "out" / "report.csv").read_text().count(",done,") == 3
    assert verify(folder / "out" / "audit.jsonl").whole


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is another thing there")
def test_killed_again_and_again_while_it_is_filled_each_picture_is_done_and_none_twice(folder: Path) -> None:
    source = photo(folder / "one.png", seed=1).read_bytes()
    (folder / "in").mkdir()
    for round in range(3):
        for n in range(12):
            (folder / "in" / f"r{round}-{n:02}.png").write_bytes(source)
        process = Process(folder, "--no-report")
        for _ in range(5):
            process.until("done")
        os.killpg(process.process.pid, signal.SIGKILL)
        process.process.communicate()
    last = Process(folder, "--idle-exit", "0.5")
    began = last.until("began")
    ended = last.until("ended")
    last.process.communicate(timeout=60)
    assert last.process.returncode == 0
    assert ended["done"] + ended["unchanged"] + began["completed"] >= 36
    names = sorted(path.name for path in (folder / "out").glob("*.png"))
    assert names == sorted(f"r{round}-{n:02}.remove.png" for round in range(3) for n in range(12))
    verdict = verify(folder / "out" / "audit.jsonl")
    assert (verdict.whole, verdict.records) == (True, 36), verdict.faults
    hidden = [path.name for path in (folder / "out").iterdir() if path.name.startswith(".")]
    assert hidden == [".overpaint"]


@pytest.mark.skipif(sys.platform == "win32", reason="locks are another thing there")
def test_one_run_at_a_time_and_no_dry_run(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    process = Process(folder)
    process.until("began")
    monkeypatch.chdir(folder)
    photo(folder / "a.png")
    (folder / "edits.jsonl").write_text(json.dumps({"image": "a.png", "box": BOX}))
    assert command(["batch", "edits.jsonl", "-o", "out"]) != 0
    assert command(["batch", "prune", "edits.jsonl", "-o", "out"]) != 0
    assert "another run is at work" in capfd.readouterr().err
    process.end(signal.SIGTERM)
    assert command(["batch", "watch", "in", "--box", BOX, "-o", "out", "--dry-run"]) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="times of processes are another thing there")
def test_waiting_costs_little(folder: Path) -> None:
    source = photo(folder / "one.png", seed=1).read_bytes()
    (folder / "in").mkdir()
    for n in range(500):
        (folder / "in" / f"x{n}.txt").write_bytes(source)
    process = Process(folder, interval=0.2)
    process.until("idle")

    def seconds() -> float:
        fields = Path(f"/proc/{process.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    if not Path("/proc/self/stat").exists():
        pytest.skip("no /proc")
    began, at = seconds(), time.monotonic()
    time.sleep(4)
    used, passed = seconds() - began, time.monotonic() - at
    process.end(signal.SIGTERM)
    assert used / passed < 0.1, "500 files, five looks a second"


@pytest.mark.parametrize("verb", ["adopt", "prune", "watch"])
def test_every_option_that_a_verb_of_batch_has_for_itself_is_on_its_page(verb: str) -> None:
    from overpaint.cli.run import application

    page = (Path(__file__).parents[1] / "docs" / "batch.md").read_text()
    batch = application("batch")["batch"]

    def options(app: Any) -> set[str]:
        arguments = app.assemble_argument_collection(default_parameter=application().default_parameter)
        return {name for one in arguments for name in one.names if not name.startswith("--no-")}

    own = options(batch[verb]) - options(batch)
    assert [name for name in own if f"`{name}" not in page and f" {name}" not in page] == []
    assert f"overpaint batch {verb}" in page
