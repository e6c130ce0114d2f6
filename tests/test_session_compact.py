"""Compacting a session: what nothing leads to is dropped, and nothing else; killed meanwhile, nothing is lost."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from overpaint import Mask, Session, Studio
from overpaint.cli import main
from overpaint.errors import OutputError, SessionError
from overpaint.geometry import Box, Size
from overpaint.picture import encode
from overpaint.studio import pixel_digest
from stand_ins import noise
from test_untouched import picture_of

SIZE = Size(64, 48)
FORMS = pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])


@pytest.fixture(scope="module")
def studio() -> Any:
    with Studio() as made:
        made.add_engine(noise())
        yield made


def paint(session: Session, *box: int, **more: Any) -> None:
    session.edit(mask=Mask.box(SIZE, Box(*box)), engine="stand-in", **{"seed": 1, "grow": 1.0, "feather": 2.0, **more})


@pytest.fixture
def session(studio: Studio, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    """Three takes of step 1 of which the last is shown, an edit that was undone for another one, and a branch."""
    photo = tmp_path / "photo.png"
    photo.write_bytes(encode(picture_of(SIZE, "rgb", 8), "png").data)
    folder = getattr(request, "param", False)
    with Session.create(photo, tmp_path / "s.overpaint", folder=folder, studio=studio) as made:
        paint(made, 5, 5, 20, 20, variations=3)
        made.pick(1, 3)
        paint(made, 30, 5, 60, 40, seed=8)
        made.mask(2, Mask.box(SIZE, (30, 5, 40, 20)))
        made.undo()
        made.undo()
        paint(made, 15, 10, 40, 30, seed=9)
        made.mask(3, Mask.box(SIZE, (15, 10, 20, 20)))
        made.new_branch("other")
        paint(made, 2, 2, 9, 9, seed=10)
        made.switch("main")
        made.undo()
        yield made


BOTH = pytest.mark.parametrize("session", [False, True], ids=["file", "folder"], indirect=True)


def walk(session: Session) -> dict[str, list[str]]:
    """The pictures that undo and redo lead to, by branch, the session being left as it was."""
    here = session.branch
    found = {}
    for name in session.branches:
        if name != session.branch:
            session.switch(name)
        pictures, steps = [pixel_digest(session.picture)], 0
        while session.can_undo:
            session.undo()
            pictures.append(pixel_digest(session.picture))
            steps += 1
        for _ in range(steps):
            session.redo()
        more = 0
        while session.can_redo:
            session.redo()
            pictures.append(pixel_digest(session.picture))
            more += 1
        for _ in range(more):
            session.undo()
        found[name] = pictures
    if session.branch != here:
        session.switch(here)
    return found


def again(session: Session) -> Session:
    session.close()
    return Session.open(session.path, studio=session._studio)


@BOTH
def test_it_drops_what_nothing_leads_to_and_nothing_else(session):
    before, log = walk(session), [one.text for one in session.log()]
    done = session.compact()
    assert done.after < done.before == done.before
    assert (done.takes, done.branches, done.undo) == (1, (), False), "the edit that was undone for another one"
    with again(session) as found:
        assert walk(found) == before
        said = [one.text for one in found.log()][: len(log)]
        assert [one for one in said if one not in log] == ["step 2: dropped"]
        for take in (1, 2, 3):
            found.pick(1, take)
            _ = found.picture
        found.rerun(1, seed=77)


@BOTH
def test_a_second_time_there_is_nothing_to_drop(session):
    session.compact()
    entries = len(session.log())
    done = session.compact()
    assert (done.before, done.takes) == (done.after, 0)
    assert len(session.log()) == entries


@BOTH
def test_takes_branches_and_undo_go_when_asked(session):
    now = pixel_digest(session.picture)
    session.redo()
    with_mask = pixel_digest(session.picture)
    session.undo()
    done = session.compact(takes=True)
    assert done.takes == 2, "take 2 of step 1 shows nowhere, take 1 did before it was picked"
    with pytest.raises(SessionError, match="take 2 of step 1 was dropped"):
        session.pick(1, 2)
    session.pick(1, 1)
    session.undo()
    done = session.compact(branches=True)
    assert (done.branches, session.branches) == (("other",), ("main",))
    with pytest.raises(SessionError, match="no branch 'other'"):
        session.switch("other")
    session.redo()
    assert pixel_digest(session.picture) != with_mask, "the take 1 is picked again"
    session.undo()
    done = session.compact(undo=True)
    assert done.undo
    assert not session.can_undo
    assert not session.can_redo
    with again(session) as found:
        assert pixel_digest(found.picture) == now
        with pytest.raises(SessionError, match="nothing to undo: what was before was dropped"):
            found.undo()
        with pytest.raises(SessionError, match="nothing to redo"):
            found.redo()
        found.hide(3)
        found.undo()
        assert not found.can_undo
        assert pixel_digest(found.picture) == now


def test_files_that_an_interruption_left_go(session):
    name = "blobs/" + "ab" * 32
    session._store.add([(name, b"left over" * 1000)])
    assert session._store.has(name)
    session.compact()
    assert not session._store.has(name)
    with zipfile.ZipFile(session.path) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "session.json"


def test_the_file_keeps_its_name_its_permissions_and_its_lock(session, tmp_path):
    session.close()
    session.path.chmod(0o600)
    (tmp_path / "link").symlink_to(session.path)
    with Session.open(tmp_path / "link", studio=session._studio) as found:
        found.compact()
        with pytest.raises(SessionError, match="in use"):
            Session.open(session.path)
    assert (tmp_path / "link").is_symlink()
    assert session.path.stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link", "photo.png", "s.overpaint"]


def test_a_damaged_file_that_stays_is_not_compacted_away(session):
    wanted = session._contents.take(session._state.stack[0].take).patches[0].weight.sha256
    session.close()
    with zipfile.ZipFile(session.path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files[f"blobs/{wanted}"] = b"x" * len(files[f"blobs/{wanted}"])
    with zipfile.ZipFile(session.path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    before = session.path.read_bytes()
    with Session.open(session.path) as found, pytest.raises(SessionError, match="another digest"):
        found.compact()
    assert session.path.read_bytes() == before


def child_of(work: Callable[[Callable[[str], None]], None]) -> tuple[int, int]:
    """A copy of this process that does the work: its id, and where what it says can be read."""
    reads, writes = os.pipe()
    process = os.fork()
    if process:
        os.close(writes)
        return process, reads
    try:
        work(lambda text: os.write(writes, text.encode()) and None)
        os._exit(0)
    except BaseException as error:
        os.write(writes, repr(error).encode())
        os._exit(1)


@FORMS
def test_on_a_full_disk_nothing_is_lost(folder, session, tmp_path):
    """The limit of a file's size stands for the disk's: writing fails in the middle, and goes on when there is room."""
    with zipfile.ZipFile(session.path) as archive:
        archive.extractall(tmp_path / "folder")
    path = tmp_path / "folder" if folder else session.path
    before = walk(session)
    session.close()

    def work(say: Callable[[str], None]) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
        with Session.open(path) as found:
            count = len(found.log())
            acts = (lambda: found.mask(1, Mask.box(SIZE, (5, 5, 9, 9))), found.compact)
            limits = [60, 60] if folder else [path.stat().st_size + 100, path.stat().st_size // 2]
            for limit, act in zip(limits, acts, strict=True):
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, unlimited[1]))
                with pytest.raises(OutputError, match="File too large"):
                    act()
                assert len(found.log()) == count, "the session goes on as it was"
                found._cached = None
                _ = found.picture
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
            found.hide(1)

    process, said = child_of(work)
    assert os.waitpid(process, 0)[1] == 0, os.read(said, 1000)
    os.close(said)
    with Session.open(path) as found:
        assert not found.step(1).visible
        found.undo()
        after = walk(found)
        assert after["other"] == before["other"]
        assert after["main"][:-1] == before["main"][:-1], "but for what could be done again"
        assert found.compact().takes == 1


@FORMS
def test_killed_meanwhile_nothing_is_lost(folder, session, tmp_path):
    with zipfile.ZipFile(session.path) as archive:
        archive.extractall(tmp_path / "folder")
    before = walk(session)
    session.close()
    source = tmp_path / "folder" if folder else session.path
    chance, took = random.Random(5), 0.5
    ends = []
    for number in range(8):
        path = tmp_path / f"copy{number}"
        shutil.copytree(source, path) if folder else shutil.copy(source, path)

        def work(say: Callable[[str], None], path: Path = path) -> None:
            found = Session.open(path)
            say("opened")
            began = time.monotonic()
            found.compact()
            say(f" {time.monotonic() - began}")

        process, said = child_of(work)
        assert os.read(said, 6) == b"opened"
        # within the shortest that was seen: the first is slower, as it loads what later ones have
        time.sleep(0.5 if number < 2 else chance.uniform(0, 0.8 * took))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        ends.append(bool(text := os.read(said, 100)))
        took = min(took, float(text)) if text else took
        os.close(said)
        with Session.open(path) as found:
            assert walk(found) == before
    assert not all(ends), "some were killed within it"
    assert not list(tmp_path.glob(".*.tmp")), "what was left is taken away when the session is opened"


def _forged(**values: Any) -> Callable[[Session], None]:
    def do(session: Session) -> None:
        from overpaint.session._values import DropPaint

        given = {name: value(session) if callable(value) else value for name, value in values.items()}
        session._do(DropPaint(**given))

    return do


@pytest.mark.parametrize(
    "forged",
    [
        _forged(takes=lambda session: (session._state.stack[0].take,)),
        _forged(branches=("main",)),
        _forged(branches=("nowhere",)),
    ],
    ids=["what shows", "the present branch", "no branch"],
)
def test_an_entry_that_drops_what_is_needed_is_refused(forged, session):
    before = session.path.read_bytes()
    with pytest.raises(SessionError):
        forged(session)
    assert session.path.read_bytes() == before


def test_read_only_and_closed_sessions_are_not_changed(session):
    session.close()
    with Session.open(session.path, read_only=True) as found:
        for act in (found.compact, lambda: found.hide(1)):
            with pytest.raises(SessionError, match="opened to be read only"):
                act()
    for act in (found.compact, lambda: found.hide(1), lambda: found.picture):
        with pytest.raises(SessionError, match="is closed"):
            act()


def test_the_verb_says_what_went(session, monkeypatch, capsys, tmp_path):
    session.close()
    monkeypatch.chdir(tmp_path)
    assert main(["session", "compact", "s.overpaint"]) == 0
    assert "s.overpaint: 1 take dropped; " in (said := capsys.readouterr().out)
    assert " before, " in said
    assert main(["session", "compact", "s.overpaint"]) == 0
    assert "nothing to drop" in capsys.readouterr().out
    assert main(["session", "compact", "s.overpaint", "--drop-takes", "--drop-branches", "--drop-undo", "--json"]) == 0
    said = capsys.readouterr().out
    assert '"branches": [\n    "other"\n  ]' in said
    assert main(["session", "undo", "s.overpaint"]) == 2
    assert "what was before was dropped" in capsys.readouterr().err
    with pytest.raises(OutputError):
        Session.create("photo.png", "s.overpaint")
