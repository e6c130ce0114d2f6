"""The audit log: one chained line an edit, whatever is interrupted; and nothing can be done to it unnamed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import typing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forks import Forked
from overpaint import Mask, Studio
from overpaint.audit import (
    AuditLog,
    AuditRecord,
    ChainHead,
    LogNote,
    Operator,
    _chain,
    edit_record,
    entries,
    find,
    head_path,
    read_head,
    verify,
)
from overpaint.audit._head import HeadFile, write_head
from overpaint.audit._line import line_of, link_of
from overpaint.errors import OutputError, RecordError
from overpaint.geometry import Box, Size
from overpaint.locks import locked
from overpaint.picture import Metadata, Picture, encode, open_picture
from overpaint.values import canonical_json
from stand_ins import noise
from test_untouched import picture_of

SIZE = Size(48, 32)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> AuditRecord:
    """The record of a real edit; others are made from it by its attempt."""
    folder = tmp_path_factory.mktemp("one")
    photo = folder / "photo.png"
    photo.write_bytes(encode(picture_of(SIZE, "rgb", 8), "png").data)
    with Studio() as studio:
        studio.add_engine(noise())
        edited = studio.edit(photo, mask=Mask.box(SIZE, Box(9, 9, 20, 20)), engine="stand-in", seed=3)
    return edit_record(edited, edited.save(folder / "out.png"), folder=folder)


def nth(one: AuditRecord, n: int) -> AuditRecord:
    return one.model_copy(update={"attempt": n})


@pytest.fixture
def log(tmp_path: Path, one: AuditRecord) -> Path:
    """A log of six records whose outputs are elsewhere."""
    path = tmp_path / "audit.jsonl"
    AuditLog(path).append(*(nth(one, n) for n in range(1, 7)))
    return path


def bared(picture: Picture) -> Picture:
    """The pixels without what the file says beside them."""
    return replace(picture, metadata=Metadata())


def lines(log: Path) -> list[bytes]:
    return log.read_bytes().splitlines(keepends=True)


def first_fault(log: Path) -> str:
    verdict = verify(log)
    assert not verdict.whole
    return str(verdict.faults[0])


class TestAppending:
    def test_each_line_is_canonical_json_and_holds_the_hash_of_the_one_before(self, log):
        before = "0" * 64
        for n, line in enumerate(lines(log), 1):
            value = json.loads(line)
            assert line.decode() == canonical_json(value) + "\n"
            assert (value["n"], value["prev"]) == (n, before)
            before = value["hash"]
        assert read_head(log) == ChainHead(6, before)
        assert verify(log).whole

    def test_a_record_comes_back_as_it_was_written(self, log, one):
        written = [entry.record for entry in entries(log)]
        assert [record.attempt for record in written] == [1, 2, 3, 4, 5, 6]
        assert written[0].to_mapping() == nth(one, 1).to_mapping()
        assert written[0].id == nth(one, 1).id
        assert AuditRecord.from_json(nth(one, 1).to_json()).edit.resolved == one.edit.resolved

    def test_a_record_is_there_once_however_often_it_is_appended(self, log, one):
        before = log.read_bytes()
        assert AuditLog(log).append(nth(one, 3), nth(one, 3)) == read_head(log)
        assert log.read_bytes() == before

    def test_a_record_kept_as_text_is_the_same_record(self, tmp_path, one):
        loose = json.dumps(json.loads(one.to_json()), indent=3)
        log = AuditLog(tmp_path / "a.jsonl")
        log.append(AuditRecord.from_json(loose))
        assert log.append(one).count == 1
        assert find(log.path, one.id).record.id == one.id

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"kind":"note"}', '{"kind":"edit","kind":"edit"}'])
    def test_an_invalid_record_is_refused_and_nothing_is_written(self, tmp_path, one, text):
        log = AuditLog(tmp_path / "a.jsonl")
        with pytest.raises(RecordError):
            log.append(one, AuditRecord.from_json(text))
        assert not log.path.exists()

    def test_an_append_reads_only_new_lines(self, log, one, monkeypatch):
        seen: list[bytes] = []
        monkeypatch.setattr(_chain, "link_of", lambda line: seen.append(line) or link_of(line))
        writer = AuditLog(log)
        writer.append(nth(one, 7))
        assert len(seen) == 7
        writer.append(nth(one, 8))
        assert len(seen) == 8
        AuditLog(log).append(nth(one, 9))
        seen.clear()
        writer.append(nth(one, 10))
        assert len(seen) == 2
        assert verify(log).head.count == 10

    def test_a_log_that_was_moved_away_is_begun_anew(self, log, one):
        writer = AuditLog(log)
        writer.append(nth(one, 7))
        old = log.rename(log.with_name("old.jsonl"))
        head_path(log).rename(head_path(old))
        assert writer.append(nth(one, 7)).count == 1
        assert verify(log).whole
        assert verify(old).head.count == 7

    def test_where_nothing_can_be_written_it_says_so_before_the_work(self, tmp_path):
        with pytest.raises(OutputError, match="doesn't exist"):
            AuditLog(tmp_path / "nowhere" / "audit.jsonl").check()
        with pytest.raises(OutputError, match="is a folder"):
            AuditLog(tmp_path).check()
        with pytest.raises(OutputError, match=r"\.jsonl"):
            AuditLog(tmp_path / "audit.head")

    def test_a_folder_that_takes_no_new_files_is_found_before_the_work_and_is_the_audit_s(self, tmp_path):
        """Permission bits do not say so: here nobody may make a file."""
        places = [tmp_path / "nowhere" / "a.jsonl", tmp_path]
        for place in [*places, *([Path("/proc/a.jsonl")] if sys.platform == "linux" else [])]:
            with pytest.raises(OutputError) as caught:
                AuditLog(place).check()
            assert caught.value.field == "audit"
            assert caught.value.value
            with pytest.raises(OutputError) as caught:
                AuditLog(place).append()
            assert caught.value.field == "audit"
        AuditLog(tmp_path / "a.jsonl").check()
        assert list(tmp_path.iterdir()) == [], "it leaves no trace"

    def test_a_full_disk_leaves_the_log_as_it_was(self, log, one, monkeypatch):
        before = log.read_bytes()
        write = os.write

        def half(descriptor: int, data: memoryview) -> int:
            if len(data) < 1000:
                raise OSError(28, "No space left on device")
            return write(descriptor, bytes(data[: len(data) // 2]))

        writer = AuditLog(log)
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", half)
            with pytest.raises(OutputError, match="the disk is full"):
                writer.append(nth(one, 7))
        assert log.read_bytes() == before
        assert writer.append(nth(one, 7)).count == 7
        assert verify(log).whole


def change_a_byte(log: Path, at: int) -> None:
    data = bytearray(log.read_bytes())
    data[at] ^= 1
    log.write_bytes(data)


def rewrite(log: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    log.write_bytes(b"".join(change(lines(log))))


class TestTampering:
    """Each thing that can be done to a log, and the words that name it."""

    def test_one_byte_of_a_line(self, log):
        change_a_byte(log, len(b"".join(lines(log)[:3])) + 900)
        assert first_fault(log).startswith("line 4: it was changed: its content does not have its hash")

    @pytest.mark.parametrize(("n", "named"), [(1, "line 1 is missing: this is line 2"), (4, "line 4 is missing")])
    def test_a_missing_line(self, log, n, named):
        rewrite(log, lambda all: all[: n - 1] + all[n:])
        assert first_fault(log).startswith(f"line {n}: {named}")

    def test_several_missing_lines(self, log):
        rewrite(log, lambda all: all[:1] + all[4:])
        assert first_fault(log).startswith("line 2: lines 2 to 4 are missing: this is line 5")

    @pytest.mark.parametrize(("count", "named"), [(1, "the last line is missing"), (3, "the last 3 lines are missing")])
    def test_missing_last_lines(self, log, count, named):
        rewrite(log, lambda all: all[:-count])
        assert first_fault(log) == f"line {7 - count}: {named}: audit.head counts 6"

    def test_two_swapped_lines(self, log):
        rewrite(log, lambda all: [*all[:2], all[3], all[2], *all[4:]])
        assert first_fault(log).startswith("line 3: it is line 4, which was line 3's successor: lines were swapped")

    def test_a_line_a_second_time(self, log):
        rewrite(log, lambda all: [*all, all[2]])
        assert first_fault(log).startswith("line 7: it is line 3, in another place or a second time")

    @pytest.mark.parametrize("n", [3, 7])
    def test_a_line_made_by_hand_with_a_right_hash_and_a_wrong_predecessor(self, log, one, n):
        made, _ = line_of(nth(one, 99).to_json(), ChainHead(n - 1, "1" * 64))
        rewrite(log, lambda all: [*all[: n - 1], made, *all[n - 1 :]])
        assert first_fault(log).startswith(f"line {n}: it does not follow the line before")

    def test_a_line_made_by_hand_that_fits_the_chain(self, log, one):
        made, _ = line_of(nth(one, 99).to_json(), read_head(log))
        rewrite(log, lambda all: [*all, made])
        assert first_fault(log).startswith("line 7: audit.head counts only 6 lines")

    def test_another_last_line(self, log, one):
        made, _ = line_of(nth(one, 99).to_json(), ChainHead(5, link_of(lines(log)[4]).hash))
        rewrite(log, lambda all: [*all[:5], made])
        assert first_fault(log).startswith("line 6: it is another line than the last one of audit.head")

    def test_a_missing_head(self, log):
        head_path(log).unlink()
        assert first_fault(log) == "audit.head is missing: whether lines are gone from the end can't be known"

    def test_a_changed_head(self, log):
        head_path(log).write_text('{"count":5}')
        assert "audit.head was changed" in first_fault(log)

    def test_a_missing_log(self, log):
        log.unlink()
        assert first_fault(log) == "the log is gone: audit.head counts 6 lines"

    def test_tail_and_head_together_are_given_away_by_a_head_known_from_elsewhere(self, log, one, tmp_path):
        known = str(read_head(log))
        assert verify(log, expected=known).whole
        shorter = AuditLog(tmp_path / "shorter.jsonl")
        shorter.append(*(nth(one, n) for n in range(1, 5)))
        assert verify(shorter.path).whole
        verdict = verify(shorter.path, expected=known)
        assert str(verdict.faults[0]) == f"the chain never had the head {known} that was expected"

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            (lambda picture: encode(picture_of(SIZE, "rgb", 8, seed=9), "png").data, "it has other pixels"),
            (
                lambda picture: encode(bared(picture), "png").data,
                "its pixels are equal, its metadata are not",
            ),
            (lambda picture: b"no picture", "it is no picture any more"),
        ],
    )
    def test_a_changed_output(self, tmp_path, change, named):
        log = made_in(tmp_path)
        assert verify(log).outputs == 1
        output = tmp_path / "out.png"
        output.write_bytes(change(open_picture(output)))
        assert first_fault(log).startswith(f"line 1: its output out.png was changed since: {named}")
        assert verify(log, files=False).whole

    def test_an_output_that_was_moved_is_a_note_and_one_made_anew_is_compared_with_its_last_record(self, tmp_path):
        log = made_in(tmp_path)
        made_in(tmp_path, seed=8)
        assert verify(log).whole
        assert verify(log).outputs == 1
        (tmp_path / "out.png").unlink()
        verdict = verify(log)
        assert verdict.whole
        assert "line 2: its output out.png is not where it was" in verdict.notes

    @settings(max_examples=150, deadline=None)
    @given(data=st.data())
    def test_no_byte_can_be_changed_unnamed(self, tmp_path_factory, one, data):
        log = _small(tmp_path_factory, one)
        target = data.draw(st.sampled_from([log, head_path(log)]))
        whole = target.read_bytes()
        at = data.draw(st.integers(0, len(whole) - 1))
        byte = data.draw(st.integers(0, 255).filter(lambda value: value != whole[at]))
        target.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
        try:
            assert not verify(log).whole
        finally:
            target.write_bytes(whole)
        assert verify(log).whole

    @settings(max_examples=60, deadline=None)
    @given(data=st.data())
    def test_no_line_can_be_taken_out_put_twice_or_moved_unnamed(self, tmp_path_factory, one, data):
        log = _small(tmp_path_factory, one)
        whole = log.read_bytes()
        order = data.draw(st.lists(st.integers(0, 2), max_size=5).filter(lambda order: order != [0, 1, 2]))
        cut = data.draw(st.integers(0, 3))
        all = lines(log)
        log.write_bytes(b"".join(all[n] for n in order)[: -cut or None])
        try:
            assert not verify(log).whole
        finally:
            log.write_bytes(whole)


def made_in(folder: Path, seed: int = 3) -> Path:
    """A log with the record of an edit whose output lies beside it."""
    photo = folder / "photo.png"
    photo.write_bytes(encode(picture_of(SIZE, "rgb", 8), "png").data)
    with Studio() as studio:
        studio.add_engine(noise())
        edited = studio.edit(photo, mask=Mask.box(SIZE, Box(9, 9, 20, 20)), engine="stand-in", seed=seed)
    saved = edited.save(folder / "out.png", overwrite=True)
    log = folder / "audit.jsonl"
    AuditLog(log).append(edit_record(edited, saved, folder=folder))
    return log


def _small(factory: pytest.TempPathFactory, one: AuditRecord, made: dict[str, Path] = {}) -> Path:  # noqa: B006
    """A log of three records, kept for all examples of a property."""
    if one.id not in made:
        made[one.id] = factory.mktemp("small") / "audit.jsonl"
        AuditLog(made[one.id]).append(*(nth(one, n) for n in range(1, 4)))
    return made[one.id]


class TestInterruptions:
    def test_a_torn_line_is_cut_and_noted(self, log, one):
        whole = log.read_bytes()
        log.write_bytes(whole + line_of(nth(one, 7).to_json(), read_head(log))[0][:100])
        assert "an append was interrupted" in first_fault(log)
        assert AuditLog(log).append(nth(one, 7)).count == 8
        assert log.read_bytes().startswith(whole)
        verdict = verify(log)
        assert verdict.whole
        assert verdict.records == 7
        assert verdict.notes[0].startswith("line 7: 100 bytes of an unfinished line 7 were cut off; SHA-256 ")

    def test_an_append_that_was_interrupted_before_the_head_is_finished_by_the_same_append(self, log, one):
        before = head_path(log).read_bytes()
        AuditLog(log).append(nth(one, 7))
        head_path(log).write_bytes(before)
        assert "counts only" in first_fault(log)
        AuditLog(log).append(nth(one, 7))
        verdict = verify(log, files=False)
        assert (verdict.whole, verdict.records, verdict.notes) == (True, 7, ())

    def test_the_first_append_of_all_may_be_interrupted_too(self, log, one):
        head_path(log).unlink()
        rewrite(log, lambda all: all[:1])
        AuditLog(log).append(nth(one, 1))
        verdict = verify(log, files=False)
        assert (verdict.whole, verdict.notes) == (True, ())

    def test_lines_that_the_head_announces_are_counted_and_noted_by_another_append(self, log, one):
        before = read_head(log)
        after = AuditLog(log).append(nth(one, 7))
        write_head(log, HeadFile(before, (after.hash, "a" * 64)))  # of two lines the first was written
        verdict = verify(log, files=False)
        assert verdict.whole
        assert verdict.notes[0].startswith("there were 7 lines, and the head was 6:")
        AuditLog(log).append(nth(one, 8))
        verdict = verify(log)
        assert verdict.whole
        assert verdict.notes[0].startswith("line 8: there were 7 lines, and the head was 6:")

    @pytest.mark.parametrize("announced", [(), ("b" * 64,)])
    def test_lines_that_the_head_does_not_announce_are_not_taken(self, log, one, announced):
        before = read_head(log)
        AuditLog(log).append(nth(one, 7))
        write_head(log, HeadFile(before, announced))
        assert first_fault(log).startswith("line 7: audit.head counts only 6 lines and announces no more")
        with pytest.raises(OutputError, match=r"line 7: .* counts only 6 lines"):
            AuditLog(log).append(nth(one, 8))

    def test_a_head_is_on_the_disk_before_and_after_its_lines(self, log, one, monkeypatch):
        """A power cut leaves one head or the other, and never an empty file."""
        flushed: list[str] = []
        sync = os.fsync

        def noted(descriptor: int) -> None:
            flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", noted)
        AuditLog(log).append(nth(one, 7))
        assert flushed == [".audit.head.tmp", log.parent.name, "audit.jsonl", ".audit.head.tmp"]

    HARMS: typing.ClassVar = {
        "the last two lines are cut off": lambda log: rewrite(log, lambda all: all[:-2]),
        "the last line is another": lambda log: rewrite(log, lambda all: [*all[:-1], all[0]]),
        "the log is gone": lambda log: log.unlink(),
        "the log is emptied": lambda log: log.write_bytes(b""),
        "the head is gone": lambda log: head_path(log).unlink(),
        "the head is empty": lambda log: head_path(log).write_bytes(b""),
        "the head is scribbled on": lambda log: head_path(log).write_bytes(b"{}"),
        "a scribbled line": lambda log: log.write_bytes(log.read_bytes() + b"scribble\n"),
        "a byte in the middle": lambda log: change_a_byte(log, 4000),
    }

    @pytest.mark.parametrize("harm", list(HARMS))
    def test_nothing_is_appended_over_a_fault_unless_it_is_accepted_and_it_stays_a_fault(self, log, one, harm):
        self.HARMS[harm](log)
        fault = first_fault(log).removeprefix("the log is gone: ")
        before = {path: path.read_bytes() for path in log.parent.iterdir()}
        for refused in (lambda: AuditLog(log).append(nth(one, 7)), AuditLog(log).check):
            with pytest.raises(OutputError, match="is not whole, and nothing is appended to it") as caught:
                refused()
            assert caught.value.code == "audit-fault"
        assert {path: path.read_bytes() for path in log.parent.iterdir()} == before
        assert AuditLog(log).accept_faults()
        assert AuditLog(log).accept_faults() == ()
        for n in (7, 8):
            AuditLog(log).append(nth(one, n))
            faults = [str(fault) for fault in verify(log, files=False).faults]
            told = next(text for text in faults if "a note in the log says that it was gone on with" in text)
            assert fault.partition(": ")[2].partition(" ")[0] in told
            assert Operator.here().words in told
        assert [entry.record.attempt for entry in list(entries(log))[-2:]] == [7, 8]

    def test_a_second_fault_must_be_accepted_too(self, log, one):
        change_a_byte(log, 4000)
        AuditLog(log).accept_faults()
        AuditLog(log).append(nth(one, 7))
        rewrite(log, lambda all: all[:-1])
        with pytest.raises(OutputError, match="the last line is missing"):
            AuditLog(log).append(nth(one, 7))

    def test_a_note_that_is_at_fault_itself_accepts_nothing(self, log, one):
        change_a_byte(log, 4000)
        faults = tuple(map(str, verify(log).faults))
        forged, _ = line_of(LogNote.of("accepted", "no matter", faults).to_json(), ChainHead(6, "1" * 64))
        rewrite(log, lambda all: [*all, forged])
        write_head(log, HeadFile(ChainHead(7, link_of(forged).hash)))
        with pytest.raises(OutputError, match="is not whole"):
            AuditLog(log).append(nth(one, 8))


APPENDER = """
import sys
from pathlib import Path
from overpaint.audit import AuditLog, AuditRecord
log, record, first, last = sys.argv[1:]
one = AuditRecord.from_json(Path(record).read_bytes())
writer = AuditLog(log)
print("ready", flush=True)
sys.stdin.readline()
for n in range(int(first), int(last)):
    writer.append(one.model_copy(update={"attempt": n}))
    print(n, flush=True)
"""


def appender(log: Path, record: Path, first: int, last: int) -> Forked:
    return Forked(
        [sys.executable, "-c", APPENDER, str(log), str(record), str(first), str(last)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def begin(*processes: Forked) -> None:
    """Let them append, once all are there."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


class TestProcesses:
    def test_several_append_at_once_and_the_chain_holds(self, tmp_path, one):
        record = tmp_path / "one.json"
        record.write_text(one.to_json())
        log = tmp_path / "audit.jsonl"
        processes = [appender(log, record, 1 + 20 * k, 31 + 20 * k) for k in range(3)]  # each shares ten with the next
        begin(*processes)
        for process in processes:
            process.communicate()
            assert process.returncode == 0
        verdict = verify(log, files=False)
        assert (verdict.whole, verdict.records, verdict.notes) == (True, 70, ())
        assert {entry.record.attempt for entry in entries(log)} == set(range(1, 71))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["audit.head", "audit.jsonl", "one.json"]

    def test_threads_with_logs_of_their_own_exclude_one_another(self, tmp_path, one):
        path = tmp_path / "audit.jsonl"
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: AuditLog(path).append(nth(one, n)), range(1, 41)))
        assert verify(path).records == 40

    def test_one_that_is_killed_costs_at_most_the_record_it_was_writing(self, tmp_path, one):
        record = tmp_path / "one.json"
        record.write_text(one.to_json())
        log = tmp_path / "audit.jsonl"
        done = 0
        chance = random.Random(5)
        for _ in range(3):
            process = appender(log, record, done + 1, 10_000)
            begin(process)
            time.sleep(chance.uniform(0.02, 0.15))
            process.send_signal(signal.SIGKILL)
            told = process.communicate()[0].split()
            done += len(told)
        writer = AuditLog(log)
        for n in range(1, done + 2):
            writer.append(nth(one, n))
        verdict = verify(log)
        assert verdict.whole
        assert sorted(entry.record.attempt for entry in entries(log)) == list(range(1, done + 2))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["audit.head", "audit.jsonl", "one.json"]

    def test_a_lock_is_waited_for(self, tmp_path, one):
        path = tmp_path / "audit.jsonl"
        AuditLog(path).append(nth(one, 1))
        with ThreadPoolExecutor(1) as pool, path.open("rb+") as file:
            with locked(file.fileno()):
                waiting = pool.submit(AuditLog(path).append, nth(one, 2))
                time.sleep(0.05)
                assert not waiting.done()
            assert waiting.result(timeout=10).count == 2


class TestFinding:
    def test_by_the_file_by_its_pixels_and_by_the_beginning_of_the_id(self, tmp_path):
        log = made_in(tmp_path)
        found = find(log, str(tmp_path / "out.png"))
        assert found.whole
        assert found.record.edit.request.seed == 3
        bare = tmp_path / "bare.png"
        bare.write_bytes(encode(bared(open_picture(tmp_path / "out.png")), "png").data)
        assert find(log, str(bare)).link == found.link
        assert find(log, found.link.id[:6]).link == found.link

    def test_of_several_with_one_output_the_last(self, tmp_path):
        log = made_in(tmp_path)
        made_in(tmp_path, seed=3)
        assert find(log, str(tmp_path / "out.png")).link.n == 2

    def test_missing_files_are_reported(self, tmp_path, log):
        photo = tmp_path / "photo.png"
        photo.write_bytes(encode(picture_of(SIZE, "grey", 8), "png").data)
        with pytest.raises(RecordError, match=r"no record of .*: neither of the file nor of its pixels"):
            find(log, str(photo))
        with pytest.raises(RecordError, match="no record whose id begins with 000000"):
            find(log, "000000")
        with pytest.raises(RecordError, match=r"there is no file .*, and a record's id is"):
            find(log, "photo.tif")

    def test_a_line_that_was_changed_is_found_and_called_so(self, log, one):
        record = nth(one, 2)
        log.write_bytes(log.read_bytes().replace(b'"attempt":2,', b'"attempt":9,'))
        assert not find(log, record.id).whole


def test_a_note_of_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="what"):
        LogNote.of("nonsense", "?")  # type: ignore[arg-type]
