"""Files of sessions: torn ones are mended, hostile ones refused, and one process has them at a time."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from forks import Forked, run_forked
from overpaint import Mask, Session, Studio
from overpaint.errors import OutputError, SessionError
from overpaint.geometry import Box, Size
from overpaint.picture import encode
from overpaint.session import is_session
from overpaint.studio import pixel_digest
from stand_ins import noise
from test_untouched import picture_of

SIZE = Size(64, 48)
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session with two steps and a mask."""
    folder = tmp_path_factory.mktemp("made")
    photo = folder / "photo.png"
    photo.write_bytes(encode(picture_of(SIZE, "rgb", 8), "png").data)
    with Studio() as studio:
        studio.add_engine(noise())
        with Session.create(photo, folder / "s.overpaint", studio=studio) as session:
            for seed, box in enumerate((Box(5, 5, 20, 20), Box(15, 10, 40, 30))):
                session.edit(mask=Mask.box(SIZE, box), engine="stand-in", seed=seed, grow=1.0, feather=2.0)
            session.mask(1, Mask.box(SIZE, (5, 5, 9, 9)))
    return folder / "s.overpaint"


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made, tmp_path / "s.overpaint"))


def files_of(path: Path) -> Files:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def looked_at(path: Path) -> tuple[str, int]:
    """Everything that a session is read for."""
    with Session.open(path) as session:
        assert len(session.steps) <= 2
        count = len(session.log())
        session.layered()
        session.rerun_stale if not session.steps else session.request(session.steps[0].number)
        return pixel_digest(session.picture), count


class TestForm:
    def test_unzipped_it_is_the_session_as_a_folder(self, path, tmp_path):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            archive.extractall(tmp_path / "folder")
        assert looked_at(tmp_path / "folder") == looked_at(path)

    def test_a_folder_that_another_program_has_packed_is_a_session(self, made, tmp_path):
        """With entries for its folders, and its lock, as `zip -r` writes them; the first change gives it our form."""
        target = tmp_path / "s.overpaint"
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in ("journal/", "blobs/", "lock"):
                archive.writestr(name, b"")
            for name, data in files_of(made).items():
                archive.writestr(name, data)
        assert is_session(target)
        assert looked_at(target) == looked_at(made)
        with Session.open(target) as session:
            session.opacity(1, 0.5)
            picture = pixel_digest(session.picture)
            session.check()
        with zipfile.ZipFile(target) as archive:
            assert archive.namelist()[0] == "session.json"
            assert not [name for name in archive.namelist() if name.endswith(("/", "lock"))]
            directory = archive.start_dir
        with target.open("r+b") as file:
            file.truncate(directory)
        with Session.open(target) as session:
            assert session.torn
            assert pixel_digest(session.picture) == picture

    def test_the_folder_itself_packed_is_refused_with_what_to_do(self, made, tmp_path):
        files = {f"photo/{name}": data for name, data in files_of(made).items()}
        with pytest.raises(SessionError, match="pack what is in that folder, and not the folder itself"):
            Session.open(written(tmp_path / "s", {"photo/": b"", **files}))

    def test_every_blob_has_the_digest_that_is_its_name(self, path):
        blobs = {name: data for name, data in files_of(path).items() if name.startswith("blobs/")}
        assert len(blobs) > 6
        assert all(hashlib.sha256(data).hexdigest() == name.removeprefix("blobs/") for name, data in blobs.items())

    def test_a_small_action_adds_little_to_a_large_file(self, tmp_path):
        pixels = np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), np.uint8)
        with Session.create(pixels, tmp_path / "s.overpaint") as session:
            session.edit(mask=Mask.box(session.picture.size, (5, 5, 50, 50)), engine="blur")
            before = session.path.read_bytes()
            began = time.process_time()
            session.hide(1)
            took = time.process_time() - began
            after = session.path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(before)) as archive:
            directory = archive.start_dir
        assert len(before) > 8_000_000
        assert after[:directory] == before[:directory], "what was there is not written again"
        assert len(after) - len(before) < 2000
        assert took < 0.5

    def test_an_existing_file_or_full_folder_is_not_replaced(self, path, made, tmp_path):
        for folder in (False, True):
            with pytest.raises(OutputError, match="exists"):
                Session.create(made.with_name("photo.png"), path, folder=folder)
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "a").touch()
        with pytest.raises(OutputError, match="exists"):
            Session.create(made.with_name("photo.png"), tmp_path / "full", folder=True)

    def test_a_read_only_file_can_be_looked_at(self, path):
        path.chmod(0o444)
        with Session.open(path, read_only=True) as session:
            assert len(session.steps) == 2


class TestTorn:
    """A process that is killed while it saves leaves the state before or after, at every byte."""

    @pytest.fixture
    def torn(self, path: Path) -> tuple[bytes, bytes, int, tuple[str, int], tuple[str, int]]:
        before, first = path.read_bytes(), looked_at(path)
        with Session.open(path) as session:
            session.mask(2, Mask.box(SIZE, (15, 10, 22, 30)))
        with zipfile.ZipFile(io.BytesIO(before)) as archive:
            return before, path.read_bytes(), archive.start_dir, first, looked_at(path)

    def test_cut_off_anywhere_it_is_the_state_before_or_after(self, torn, tmp_path):
        _, after, start, first, second = torn
        found = []
        for length in range(start, len(after) + 1, 7):
            path = tmp_path / f"{length}.overpaint"
            path.write_bytes(after[:length])
            found.append(looked_at(path))
        assert set(found) == {first, second}
        assert found == sorted(found, key=lambda one: one[1]), "whole once it is written"

    def test_with_the_old_end_still_behind_what_is_new(self, torn, tmp_path):
        before, after, start, first, second = torn
        found = set()
        for length in range(start, len(after), 5):
            path = tmp_path / "half.overpaint"
            path.write_bytes(after[:length] + before[length:])
            found.add(looked_at(path))
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None, "mended, other programs read it again"
        assert found == {first, second}

    def test_work_goes_on_after_it(self, torn, tmp_path):
        _, after, start, _, _ = torn
        path = tmp_path / "cut.overpaint"
        path.write_bytes(after[: start + 40])
        with Session.open(path) as session:
            session.hide(1)
        with Session.open(path) as session:
            assert [step.visible for step in session.steps] == [False, True]

    def test_a_file_of_another_kind_is_left_as_it_is(self, tmp_path):
        data = written(tmp_path / "other.zip", {"a.txt": b"text", "b.txt": b"more"}).read_bytes()
        for content in (data, data[:-10], data + b"\0", b"", b"text", encode(picture_of(SIZE, "rgb", 8), "png").data):
            (tmp_path / "other.zip").write_bytes(content)
            with pytest.raises(SessionError):
                Session.open(tmp_path / "other.zip")
            assert (tmp_path / "other.zip").read_bytes() == content

    @pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
    def test_killed_while_saving_it_loses_at_most_the_last_action(self, folder, made, tmp_path):
        path = tmp_path / "s.overpaint"
        with Session.create(made.with_name("photo.png"), path, folder=folder) as session:
            session.edit(mask=Mask.box(SIZE, (5, 5, 20, 20)), engine="blur")
        code = f"""
            import sys
            from overpaint import Mask, Session
            session = Session.open({str(path)!r})
            for number in range(100_000):
                session.mask(1, Mask.ellipse((64, 48), (5, 5, 8 + number % 40, 9 + number % 30)))
                session.opacity(1, number % 100 / 100)
                print(len(session.log()), flush=True)
        """
        chance = random.Random(4)
        count = 0
        for _ in range(3):
            words = [sys.executable, "-c", textwrap.dedent(code)]
            with Forked(words, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                first = process.stdout.readline()
                time.sleep(chance.uniform(0.02, 0.3))
                process.send_signal(signal.SIGKILL)
                said = [int(line) for line in (first + process.stdout.read()).split()]
            with Session.open(path) as session:
                entries = len(session.log())
                _ = session.picture
            assert entries >= max([count, *said]), "all that it said was done"
            assert entries <= max([count, *said]) + 2
            count = entries
        assert count > 10


class TestPackedAgain:
    """Another program may have unpacked a session and packed it again, its files in another order."""

    @pytest.fixture
    def packed(self, made: Path, tmp_path: Path) -> Path:
        files = files_of(made)
        return written(tmp_path / "s.overpaint", {name: files[name] for name in sorted(files)})

    def test_it_is_still_a_session_and_a_torn_one_is_mended(self, packed, made):
        assert is_session(packed)
        assert looked_at(packed) == looked_at(made)
        data = packed.read_bytes()
        packed.write_bytes(data[:-100])
        assert looked_at(packed) == looked_at(made)

    def test_compacted_it_has_its_first_file_first(self, packed):
        with Session.open(packed) as session:
            session.undo()
            session.compact(undo=True)
        with zipfile.ZipFile(packed) as archive:
            assert archive.namelist()[0] == "session.json"

    def test_other_files_are_no_sessions(self, made, tmp_path):
        written(tmp_path / "other.zip", {"a.txt": b"x"})
        for path in (made.with_name("photo.png"), tmp_path / "other.zip", tmp_path, tmp_path / "nothing"):
            assert not is_session(path)


class TestLock:
    @pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
    def test_another_process_is_told_that_it_is_in_use(self, folder, made, tmp_path):
        path = tmp_path / "s.overpaint"
        code = f"from overpaint import Session; Session.open({str(path)!r})"
        with Session.create(made.with_name("photo.png"), path, folder=folder):
            other = run_forked([sys.executable, "-c", code], capture_output=True, text=True, check=False)
            assert "is in use: the session is open already, here or in another process" in other.stderr
            with pytest.raises(SessionError, match="in use") as caught:
                Session.open(path)
            assert caught.value.code == "session-in-use"
        assert run_forked([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
class TestMoved:
    """A session that is moved while it is open leaves what takes its name alone."""

    @staticmethod
    def begun(made: Path, path: Path, folder: bool) -> Session:
        """A session with paint that compaction drops."""
        session = Session.create(made.with_name("photo.png"), path, folder=folder)
        session.edit(mask=Mask.box(SIZE, (5, 5, 20, 20)), engine="blur")
        session.undo()
        session.edit(mask=Mask.box(SIZE, (20, 20, 30, 30)), engine="blur")
        return session

    @staticmethod
    def content(path: Path) -> Files:
        files = path.rglob("*") if path.is_dir() else [path]
        return {str(file.relative_to(path)): file.read_bytes() for file in files if file.is_file()}

    @staticmethod
    def refused(session: Session, path: Path, change: Callable[[Session], object]) -> None:
        with pytest.raises(SessionError, match="moved, replaced or deleted while it was open") as caught:
            change(session)
        assert (caught.value.code, caught.value.value) == ("session-missing", str(path))
        assert str(path) in str(caught.value)
        assert "open it again" in caught.value.hint

    def test_another_one_in_its_place_is_not_written_to(self, folder, made, tmp_path):
        path, moved, other = (tmp_path / f"{name}.overpaint" for name in "abc")
        self.begun(made, other, folder).close()
        with self.begun(made, path, folder) as session:
            path.rename(moved)
            other.rename(path)
            before = self.content(path), self.content(moved)
            self.refused(session, path, Session.compact)
            if folder:  # a file is open, and grows where it is now
                self.refused(session, path, lambda one: one.hide(2))
                self.refused(session, path, lambda one: one.edit(mask=Mask.box(SIZE, (1, 1, 9, 9)), engine="blur"))
            assert (self.content(path), self.content(moved)) == before
            assert sorted(one.name for one in tmp_path.iterdir()) == [path.name, moved.name]
        assert looked_at(path)[1] == looked_at(moved)[1]
        with Session.open(moved) as session:
            session.compact()
            session.hide(2)

    def test_nothing_is_made_where_none_is_any_more(self, folder, made, tmp_path):
        path, moved = tmp_path / "a.overpaint", tmp_path / "b.overpaint"
        with self.begun(made, path, folder) as session:
            path.rename(moved)
            self.refused(session, path, Session.compact)
            if folder:
                self.refused(session, path, lambda one: one.hide(2))
            else:
                session.hide(2)
            assert [one.name for one in tmp_path.iterdir()] == [moved.name]
            moved.rename(path)
            session.compact()
        assert looked_at(path)[1] > 3

    def test_one_that_was_deleted_takes_no_action(self, folder, made, tmp_path):
        path = tmp_path / "a.overpaint"
        with self.begun(made, path, folder) as session:
            shutil.rmtree(path) if folder else path.unlink()
            self.refused(session, path, lambda one: one.hide(2))
            assert not path.exists()

    def test_a_relative_path_is_of_the_folder_where_it_was_opened(self, folder, made, tmp_path, monkeypatch):
        first, second = tmp_path / "1", tmp_path / "2"
        first.mkdir()
        second.mkdir()
        monkeypatch.chdir(first)
        with self.begun(made, Path("a.overpaint"), folder) as session:
            monkeypatch.chdir(second)
            session.compact()
            session.hide(2)
            assert session.place == first / "a.overpaint"
        assert not [*second.iterdir()]
        with Session.open(first / "a.overpaint") as session:
            assert not session.steps[0].visible


def test_a_file_that_is_moved_while_it_is_compacted_does_not_replace_another(made, tmp_path, monkeypatch):
    path, moved, other = (tmp_path / f"{name}.overpaint" for name in "abc")
    TestMoved.begun(made, other, folder=False).close()
    kept = other.read_bytes()
    flush, seen = os.fsync, []

    def move(descriptor: int) -> None:
        flush(descriptor)
        if not seen:
            seen.append(path.rename(moved))
            other.rename(path)

    with TestMoved.begun(made, path, folder=False) as session:
        monkeypatch.setattr(os, "fsync", move)
        TestMoved.refused(session, path, Session.compact)
    assert seen
    assert path.read_bytes() == kept
    assert sorted(one.name for one in tmp_path.iterdir()) == [path.name, moved.name]


def _with(files: Files, **changed: Any) -> Files:
    """The files, of which the session's first one has other values."""
    return {**files, "session.json": json.dumps({**json.loads(files["session.json"]), **changed}).encode()}


def _journal(files: Files, change: Callable[[dict[str, Any]], Any]) -> Files:
    """The files with another last entry in the journal."""
    name = max(name for name in files if name.startswith("journal/"))
    entry = json.loads(files[name])
    change(entry)
    return {**files, name: json.dumps(entry).encode()}


def _take(files: Files, change: Callable[[dict[str, Any]], Any]) -> Files:
    """The files with another first take, whose digest is right, and a journal that follows."""
    first = json.loads(files["journal/00000001.json"])
    old = first["action"]["takes"][0]
    take = json.loads(files[f"blobs/{old}"])
    change(take)
    data = json.dumps(take).encode()
    new = hashlib.sha256(data).hexdigest()
    found = {**files, f"blobs/{new}": data}
    previous = hashlib.sha256(files["session.json"]).hexdigest()
    for name in sorted(name for name in files if name.startswith("journal/")):
        entry = json.loads(files[name].replace(old.encode(), new.encode()))
        found[name] = json.dumps({**entry, "previous": previous}).encode()
        previous = hashlib.sha256(found[name]).hexdigest()
    return found


def _blob(data: bytes) -> tuple[str, str]:
    digest = hashlib.sha256(data).hexdigest()
    return f"blobs/{digest}", digest


def _bad_weight(value: float) -> Callable[[Files], Files]:
    def change(files: Files) -> Files:
        added: Files = {}

        def other(take: dict[str, Any]) -> None:
            weight = take["patches"][0]["weight"]
            data = np.full(weight["shape"], value, "<f4").tobytes()
            name, weight["sha256"] = _blob(data)
            added[name] = data

        return {**_take(files, other), **added}

    return change


def _patch(**values: Any) -> Callable[[Files], Files]:
    def change(take: dict[str, Any]) -> None:
        take["patches"][0].update(values)

    return lambda files: _take(files, change)


def _original(files: Files, **changed: Any) -> Files:
    """The files, of which the session's first one says something else of its original."""
    return _with(files, original={**json.loads(files["session.json"])["original"], **changed})


def _relinked(files: Files) -> Files:
    """The files with a journal that follows from the session's first one."""
    return _take(files, lambda take: None)


HOSTILE: dict[str, Callable[[Files], Files]] = {
    "a path above": lambda files: {**files, "../evil": b"x"},
    "a path above, deeper": lambda files: {**files, "blobs/../../evil": b"x"},
    "an absolute path": lambda files: {**files, "/tmp/evil": b"x"},
    "a path of Windows": lambda files: {**files, "blobs\\..\\evil": b"x"},
    "another name": lambda files: {**files, "blobs/readme.txt": b"x"},
    "no first file": lambda files: {name: data for name, data in files.items() if name != "session.json"},
    "a newer schema": lambda files: _with(files, schema=2),
    "another format": lambda files: _with(files, format="other"),
    "an unknown field": lambda files: _with(files, more=1),
    "no JSON": lambda files: {**files, "session.json": b"{"},
    "JSON nested deeply": lambda files: {**files, "session.json": b"[" * 50_000},
    "a name that is a path": lambda files: _with(
        files, original={**json.loads(files["session.json"])["original"], "name": "../../evil.png"}
    ),
    "an absurd original": lambda files: _with(
        files, original={**json.loads(files["session.json"])["original"], "width": 1 << 40}
    ),
    "a newer journal": lambda files: _journal(files, lambda entry: entry.update(schema=9)),
    "an unknown action": lambda files: _journal(files, lambda entry: entry["action"].update(do="run")),
    "an action on no step": lambda files: _journal(files, lambda entry: entry["action"].update(step=99)),
    "an entry out of order": lambda files: _journal(files, lambda entry: entry.update(number=7)),
    "an entry that does not follow": lambda files: _journal(files, lambda entry: entry.update(previous="0" * 64)),
    "a journal with a gap": lambda files: {n: d for n, d in files.items() if n != "journal/00000002.json"},
    "an absurd mask": lambda files: _journal(
        files, lambda entry: entry["action"]["mask"]["values"].update(shape=[1 << 30, 1 << 30])
    ),
    "a large mask": lambda files: _journal(
        files, lambda entry: entry["action"]["mask"].update(box=[0, 0, 1 << 20, 1 << 20])
    ),
    "a missing blob": lambda files: {
        name: data for name, data in files.items() if data[:1] == b"{" or name[:5] != "blobs"
    },
    "another original": lambda files: {
        name: b"x" * len(data) if data.startswith(b"\x89PNG") else data for name, data in files.items()
    },
    "paint beyond its place": _patch(box=[0, 0, 9, 9]),
    "an absurd place": _patch(box=[0, 0, 1 << 40, 1 << 40]),
    "a place inside out": _patch(box=[30, 30, 5, 5]),
    "weights that are no numbers": _bad_weight(float("nan")),
    "weights beyond 1": _bad_weight(7.0),
    "weights below 0": _bad_weight(-1.0),
    "paint beyond its canvas": _patch(box=[55, 5, 76, 26]),
    "paint of another shape": lambda files: _take(
        files, lambda take: take["patches"][0]["samples"].update(shape=[1 << 20, 1 << 20, 3])
    ),
    "paint with seven channels": lambda files: _take(
        files, lambda take: take["patches"][0]["samples"].update(shape=[*take["patches"][0]["samples"]["shape"][:2], 7])
    ),
    "a weight of another shape": lambda files: _take(
        files, lambda take: take["patches"][0]["weight"].update(shape=[1 << 20])
    ),
    "more exact paint than there are pixels": lambda files: _take(
        files, lambda take: take["patches"][0]["exact"].update(shape=[1 << 20, 3])
    ),
    "the same paint a thousand times": lambda files: _take(
        files, lambda take: take.update(patches=take["patches"] * 1000)
    ),
    "a place to repaint without an area": lambda files: _take(
        files, lambda take: take["marked"].update(box=[9, 9, 9, 9])
    ),
    "another size than its record's": lambda files: _take(files, lambda take: take["record"].update(size=[640, 480])),
    "a canvas that this session never had": lambda files: _take(
        files, lambda take: (take.update(canvas=[0, 0, 14_000, 14_000]), take["record"].update(size=[14_000, 14_000]))
    ),
    "margins that leave no picture": lambda files: _take(
        files, lambda take: take["record"]["resolved"].update(intent="expand", margins=[64, 0, 0, 0])
    ),
    "an original of another size": lambda files: _relinked(_original(files, width=SIZE.width + 1)),
    "an original with fewer bytes": lambda files: _relinked(_original(files, size=10)),
    "an original with more bytes": lambda files: _relinked(_original(files, size=1 << 29)),
    "an original of more pixels than any picture": lambda files: _relinked(
        _original(files, width=1 << 20, height=1 << 20)
    ),
    "an absurd canvas": lambda files: _take(
        files,
        lambda take: (
            take.update(canvas=[-(1 << 30), 0, 64, 48]),
            take["record"]["resolved"].update(intent="expand", margins=[9, 0, 0, 0]),
        ),
    ),
}


class TestHostile:
    @pytest.mark.parametrize("what", [name for name in HOSTILE if name not in ("another original", "a large mask")])
    def test_it_is_seen_when_the_session_is_opened(self, what, made, tmp_path):
        """Before a picture is put together, and before anything of its size is allocated."""
        if what.startswith("weights"):
            pytest.skip("what an array holds is seen when it is read")
        with pytest.raises(SessionError):
            Session.open(written(tmp_path / "s", HOSTILE[what](files_of(made))), read_only=True)

    @pytest.mark.parametrize("what", HOSTILE)
    @pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
    def test_it_is_refused_in_one_clear_error(self, what, folder, made, tmp_path):
        files = HOSTILE[what](files_of(made))
        target = tmp_path / "in" / "s.overpaint"
        target.parent.mkdir()
        if folder:
            for name, data in files.items():
                place = target / name
                if target in Path(os.path.normpath(place)).parents and "readme" not in name and "\\" not in name:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(data)
            if files.keys() - files_of(made).keys() and what.startswith(("a path", "an absolute", "another name")):
                pytest.skip("a folder has no such names")
        else:
            written(target, files)
        with pytest.raises(SessionError) as caught:
            looked_at(target)
        assert 10 < len(str(caught.value)) < 600
        assert [one.name for one in tmp_path.iterdir()] == ["in"]
        assert [one.name for one in (tmp_path / "in").iterdir()] == ["s.overpaint"]

    @pytest.mark.parametrize("format", ["png", "jpeg", "tiff", "avif", "gif"])
    def test_a_forged_size_is_refused_when_it_is_opened_whatever_format_the_original_has(self, format, tmp_path):
        """Of formats too whose header is not read without decoding."""
        pixels = picture_of(SIZE, "rgb", 8)
        if format == "gif":
            Image.fromarray(pixels.samples).save(tmp_path / "a.gif")
        else:
            (tmp_path / "a.gif").write_bytes(encode(pixels, format).data)
        with Session.create((tmp_path / "a.gif").read_bytes(), tmp_path / "s.overpaint") as session:
            assert session.size == SIZE
        files = files_of(tmp_path / "s.overpaint")
        for field, value in (("width", SIZE.width + 1), ("height", 20_000), ("width", 1 << 20)):
            forged = written(tmp_path / "forged", _original(dict(files), **{field: value}))
            with pytest.raises(SessionError, match=r"it says \d+x\d+ of an original that has") as caught:
                Session.open(forged, read_only=True)
            assert caught.value.code == "session-damaged"

    def test_a_name_that_is_there_twice(self, made, tmp_path):
        files = files_of(made)
        with zipfile.ZipFile(tmp_path / "s", "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr("session.json", files["session.json"])
        with pytest.raises(SessionError, match="twice"):
            Session.open(tmp_path / "s")

    def test_a_link_in_a_zip(self, made, tmp_path):
        with zipfile.ZipFile(tmp_path / "s", "w") as archive:
            for name, data in files_of(made).items():
                info = zipfile.ZipInfo(name)
                info.external_attr = (stat.S_IFLNK | 0o777) << 16 if name.startswith("blobs/") else 0
                archive.writestr(info, data)
        with pytest.raises(SessionError, match="no regular file"):
            Session.open(tmp_path / "s")

    def test_a_link_in_a_folder(self, made, tmp_path):
        with zipfile.ZipFile(made) as archive:
            archive.extractall(tmp_path / "s")
        secret = tmp_path / "secret"
        first = next(one for one in (tmp_path / "s" / "blobs").iterdir() if one.read_bytes()[:4] == b"\x89PNG")
        first.rename(secret)
        first.symlink_to(secret)
        with pytest.raises(SessionError, match="a link"):
            looked_at(tmp_path / "s")
        (tmp_path / "s" / "journal").rename(tmp_path / "j")
        (tmp_path / "s" / "journal").symlink_to(tmp_path / "j")
        with pytest.raises(SessionError, match="no session"):
            Session.open(tmp_path / "s")

    def test_what_is_no_file(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        for name in ("pipe", "nothing", "a\0b"):
            with pytest.raises(SessionError):
                Session.open(tmp_path / name)
        (tmp_path / "folder").mkdir()
        with pytest.raises(SessionError, match="no session"):
            Session.open(tmp_path / "folder")
        assert list((tmp_path / "folder").iterdir()) == []

    @pytest.mark.parametrize("lying", [False, True])
    def test_a_bomb_is_not_inflated(self, lying, made, tmp_path):
        """A blob of 300 MB of zeros takes less than one; what an array should have is known before it is read."""
        with zipfile.ZipFile(tmp_path / "s", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, data in files_of(made).items():
                if name.startswith("blobs/") and data[:1] not in (b"{", b"\x89"):
                    with archive.open(name, "w", force_zip64=False) as file:
                        for _ in range(300):
                            file.write(bytes(1 << 20))
                    if lying:
                        archive.getinfo(name).file_size = len(data)
                else:
                    archive.writestr(name, data)
        code = f"""
            import resource
            from overpaint import Session
            from overpaint.errors import SessionError
            session = Session.open({str(tmp_path / "s")!r})
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            try:
                session.picture
            except SessionError as error:
                print(error)
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
        """
        found = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
        )
        assert found.returncode == 0, found.stderr
        assert "the session is damaged" in found.stdout

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6), st.booleans())
    def test_bytes_changed_anywhere_give_a_session_or_one_error(self, made, tmp_path, changes, cut):
        data = bytearray(made.read_bytes())
        for place, value in changes:
            data[min(int(place * len(data)), len(data) - 1)] = value
        (tmp_path / "s").write_bytes(data[: int(changes[0][0] * len(data))] if cut else data)
        try:
            looked_at(tmp_path / "s")
        except SessionError as error:
            assert str(error)  # noqa: PT017 - both outcomes are right


@pytest.mark.slow
def test_fifty_edits_of_a_photo_of_24_megapixels_take_less_than_a_gigabyte(tmp_path):
    code = f"""
        import resource
        import cv2
        import numpy as np
        from overpaint import Mask, Session
        from overpaint.picture import encode, from_array
        small = np.random.default_rng(0).integers(0, 256, (500, 750, 3), np.uint8)
        photo = from_array(cv2.resize(small, (6000, 4000), interpolation=cv2.INTER_CUBIC))
        open({str(tmp_path / "photo.jpg")!r}, "wb").write(encode(photo, "jpeg", quality=90).data)
        del photo
        with Session.create({str(tmp_path / "photo.jpg")!r}, {str(tmp_path / "s.overpaint")!r}) as session:
            for n in range(50):
                x, y = 100 * n, 70 * n
                mask = Mask.ellipse((6000, 4000), (x, y, x + 300, y + 250))
                session.edit(mask=mask, engine="telea", intent="remove")
            session.undo()
            session.flatten().save({str(tmp_path / "out.jpg")!r})
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """
    words = [sys.executable, "-c", textwrap.dedent(code)]
    found = subprocess.run(words, capture_output=True, text=True, check=True)
    assert int(found.stdout) < 1_000_000, "KiB"
