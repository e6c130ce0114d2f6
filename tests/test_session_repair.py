"""Repairing a damaged session: what is whole before and behind the damage is kept, and what was lost is said."""

from __future__ import annotations

import json
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overpaint import Mask, Session, Studio
from overpaint.cli import main
from overpaint.errors import OutputError, SessionError
from overpaint.geometry import Box, Size
from overpaint.picture import encode
from overpaint.session import Repaired, repair
from overpaint.studio import pixel_digest
from stand_ins import noise
from test_untouched import picture_of

SIZE = Size(96, 72)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five steps: 1; 2 with three takes, of which the third shows; 3, hidden; 4, painted again and masked; 5, after an
    edit that was undone.
    """
    folder = tmp_path_factory.mktemp("whole")
    (folder / "photo.png").write_bytes(encode(picture_of(SIZE, "rgb", 8), "png").data)
    with Studio() as studio:
        studio.add_engine(noise())
        with Session.create(folder / "photo.png", folder / "s.overpaint", studio=studio) as session:
            settings: dict[str, Any] = {"engine": "stand-in", "grow": 1.0, "feather": 2.0}
            for number, box in enumerate(((2, 2, 20, 20), (24, 2, 44, 20), (48, 2, 68, 20), (2, 30, 30, 60))):
                mask = Mask.box(SIZE, Box(*box))
                session.edit(mask=mask, seed=number, variations=3 if number == 1 else 1, **settings)
            session.pick(2, 3)
            session.hide(3)
            session.rerun(4, seed=44)
            session.mask(4, Mask.box(SIZE, (2, 30, 9, 60)))
            session.edit(mask=Mask.box(SIZE, (60, 30, 90, 40)), seed=9, **settings)
            session.undo()
            session.edit(mask=Mask.box(SIZE, (60, 50, 90, 70)), seed=10, **settings)
    return folder / "s.overpaint"


ACTIONS = 11


def places(path: Path) -> dict[str, tuple[int, int]]:
    """Where the bytes of each file lie in the zip."""
    found = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            start = info.header_offset + 30 + len(info.filename)
            found[info.filename] = start, start + info.compress_size
    return found


def end_of_files(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return archive.start_dir


def damaged(whole: Path, path: Path, start: int, end: int, *, torn: bool) -> Path:
    """A copy with other bytes there; `torn`: its directory is missing too."""
    data = bytearray(whole.read_bytes()[: end_of_files(whole) if torn else None])
    data[start:end] = random.Random(start).randbytes(end - start)
    path.write_bytes(data)
    return path


def repaired(path: Path) -> tuple[Repaired, Session]:
    done = repair(path, path.with_name("new.overpaint"))
    return done, Session.open(done.path)


def by_step(session: Session) -> dict[int, tuple[str, ...]]:
    """The takes of the steps that a session has."""
    return {step.number: step.takes for step in session.actions[-1].after.stack}


def test_where_nothing_is_lost_the_new_session_is_the_same(whole, tmp_path):
    done = repair(whole, tmp_path / "new.overpaint")
    assert (done.actions, done.lost) == (ACTIONS, ())
    with Session.open(whole) as old, Session.open(done.path) as new:
        assert new.id == old.id
        assert [one.sha256 for one in new.actions] == [one.sha256 for one in old.actions]
        assert pixel_digest(new.picture) == pixel_digest(old.picture)


@pytest.mark.parametrize("torn", [False, True], ids=["directory", "no directory"])
def test_a_lost_entry_of_an_edit_loses_nothing_of_it(whole, tmp_path, torn):
    """The edit is put back by its paint, which lies before its entry."""
    for number, takes in ((1, 1), (2, 3), (3, 1)):
        path = damaged(whole, tmp_path / f"{number}", *places(whole)[f"journal/{number:08}.json"], torn=torn)
        with pytest.raises(SessionError) as caught:
            Session.open(path)
        assert caught.value.code == "session-damaged"
        done, session = repaired(path)
        with session, Session.open(whole) as old:
            assert done.lost == ()
            assert by_step(session) == by_step(old)
            assert len(by_step(session)[number]) == takes
            assert pixel_digest(session.picture) == pixel_digest(old.picture)
        done.path.unlink()


def test_a_lost_entry_of_a_rerun_is_found_by_what_it_was_to_repaint(whole, tmp_path):
    path = damaged(whole, tmp_path / "s", *places(whole)["journal/00000007.json"], torn=False)
    done, session = repaired(path)
    with session, Session.open(whole) as old:
        assert done.lost == ()
        assert by_step(session) == by_step(old)
        assert session.step(4).take == 2


def test_a_lost_action_without_paint_is_named_and_the_rest_stays(whole, tmp_path):
    path = damaged(whole, tmp_path / "s", *places(whole)["journal/00000006.json"], torn=True)
    done, session = repaired(path)
    with session:
        assert done.lost == ("action 6",)
        assert done.actions == ACTIONS - 1
        assert [(step.number, step.visible) for step in session.steps] == [
            (1, True),
            (2, True),
            (3, True),
            (4, True),
            (6, True),
        ]
        assert "lost with a part of the session" in [one.text for one in session.log()]
        session.undo()
        session.hide(1)
    with Session.open(done.path) as again:
        assert len(again.log()) == ACTIONS + 2


def paint_of(path: Path, number: int, take: int = 0) -> tuple[int, int]:
    """Where the samples of a take of an action lie."""
    with Session.open(path, read_only=True) as session:
        _, found = session.takes(session.actions[number - 1])[take]
        assert found is not None
        return places(path)[f"blobs/{found.patches[0].samples.sha256}"]


def test_lost_paint_loses_its_step_alone(whole, tmp_path):
    path = damaged(whole, tmp_path / "s", *paint_of(whole, 3), torn=False)
    done, session = repaired(path)
    with session:
        assert done.lost == (
            "the paint of step 3 (action 3, 'step 3')",
            "action 6, 'step 3 hidden', which is about what was lost",
        )
        assert [step.number for step in session.steps] == [1, 2, 4, 6]
        assert pixel_digest(session.picture)


def test_a_lost_take_loses_no_other_and_their_numbers_close_up(whole, tmp_path):
    path = damaged(whole, tmp_path / "s", *paint_of(whole, 2, take=1), torn=False)
    done, session = repaired(path)
    with session, Session.open(whole) as old:
        assert done.lost == ("1 of the takes of step 2 (action 2, 'step 2, 3 takes')",)
        assert (session.step(2).take, session.step(2).takes) == (2, 2), "the third is picked, which is the second now"
        assert pixel_digest(session.picture) == pixel_digest(old.picture)


@pytest.mark.parametrize("torn", [False, True], ids=["directory", "no directory"])
def test_damage_anywhere_loses_what_it_hit_and_nothing_else(whole, tmp_path, torn):
    """Every take whose files were not hit is there; nothing is wrong that is not named."""
    where = places(whole)
    with Session.open(whole) as session:
        original = f"blobs/{session.head.original.sha256}"
        needed = {
            step.number: [[f"blobs/{digest}", *_arrays(session, digest)] for digest in step.takes]
            for step in session.actions[-1].after.stack
        }
    first = max(where[name][1] for name in ("session.json", original))
    chance = random.Random(3)
    for trial in range(40):
        start = chance.randrange(first, end_of_files(whole) - 10)
        end = min(start + chance.choice((1, 40, 700, 4096)), end_of_files(whole))
        path = damaged(whole, tmp_path / f"{trial}", start, end, torn=torn)
        hit = {name for name, (begin, stop) in where.items() if begin - 30 - len(name) < end and start < stop}
        done, session = repaired(path)
        with session:
            assert pixel_digest(session.picture)
            here = by_step(session)
            for number, takes in needed.items():
                safe = {takes_[0][6:] for takes_ in takes if hit.isdisjoint(takes_)}
                if number == 6 and not hit.isdisjoint({"journal/00000011.json"}):
                    continue  # the last entry: that there was one is not known
                assert safe <= set(here.get(number, ())), (number, done.lost, hit)
            assert done.lost or hit.isdisjoint(_journal_without_paint()), (hit, done)
        done.path.unlink()


def _journal_without_paint() -> set[str]:
    return {f"journal/{number:08}.json" for number in (5, 6, 8, 10)}


def _arrays(session: Session, digest: str) -> list[str]:
    for action in session.actions:
        for one, take in session.takes(action):
            if one == digest and take is not None:
                arrays = [take.marked.values]
                for patch in take.patches:
                    arrays += [one for one in (patch.samples, patch.exact, patch.weight) if one is not None]
                return [f"blobs/{array.sha256}" for array in arrays]
    raise AssertionError(digest)


def test_a_torn_middle_is_not_cut_off_with_all_that_lies_behind_it(whole, tmp_path):
    """A file without its directory gets one for all that is whole, before and behind the damage."""
    path = damaged(whole, tmp_path / "s", *paint_of(whole, 9), torn=True)  # of the edit that was undone
    before = path.read_bytes()
    with Session.open(path) as session, Session.open(whole) as old:
        assert path.read_bytes()[: len(before)] == before, "a directory was added, and nothing cut off"
        assert pixel_digest(session.picture) == pixel_digest(old.picture)
    done, session = repaired(path)
    with session:
        assert done.lost[0].startswith("the paint of step 5 (action 9")


def test_a_session_that_was_compacted_is_repaired(whole, tmp_path):
    path = tmp_path / "s.overpaint"
    path.write_bytes(whole.read_bytes())
    with Session.open(path) as session:
        session.compact(takes=True, undo=True)
        expected = pixel_digest(session.picture)
    done, session = repaired(path)
    with session:
        assert done.lost == ()
        assert pixel_digest(session.picture) == expected
    done.path.unlink()
    entry = damaged(
        path, tmp_path / "t.overpaint", *places(path)["journal/00000010.json"], torn=False
    )  # undo of step 5
    done, session = repaired(entry)
    with session:
        assert "action 10" in done.lost
        assert pixel_digest(session.picture) == expected


def test_a_folder_is_repaired_into_a_file_and_back(whole, tmp_path):
    with zipfile.ZipFile(whole) as archive:
        archive.extractall(tmp_path / "folder")
    (tmp_path / "folder" / "journal" / "00000003.json").write_bytes(b"{")
    done = repair(tmp_path / "folder", tmp_path / "new", folder=True)
    assert done.lost == ()
    with Session.open(done.path) as session, Session.open(whole) as old:
        assert pixel_digest(session.picture) == pixel_digest(old.picture)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["folder", "new"]


def test_without_the_original_nothing_can_be_put_together(whole, tmp_path):
    with Session.open(whole) as session:
        name = f"blobs/{session.head.original.sha256}"
    path = damaged(whole, tmp_path / "s", *places(whole)[name], torn=False)
    with pytest.raises(SessionError, match="damaged"):
        repair(path, tmp_path / "new")
    assert [one.name for one in tmp_path.iterdir()] == ["s"]
    (tmp_path / "there").write_bytes(b"x")
    with pytest.raises(OutputError, match="exists"):
        repair(whole, tmp_path / "there")


def test_the_verb_says_what_was_lost(whole, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    damaged(whole, tmp_path / "s.overpaint", *paint_of(whole, 3), torn=False)
    assert main(["session", "hide", "s.overpaint", "3", "--show", "-q"]) == 0
    assert main(["session", "export", "s.overpaint", "-o", "out.png"]) == 2
    said = capsys.readouterr().err
    assert "the session is damaged, in blobs/" in said
    assert "'overpaint session repair SESSION' puts all that is whole into a new session" in said
    assert main(["session", "repair", "s.overpaint"]) == 0
    said = capsys.readouterr().out
    assert "s.repaired.overpaint: 9 actions kept, 3 things lost" in said
    assert "lost: the paint of step 3 (action 3, 'step 3')" in said
    assert main(["session", "repair", "s.overpaint", "--json"]) == 1
    assert "exists already" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert main(["session", "repair", "s.overpaint", "-o", "other.overpaint", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["actions"] == 9
    assert main(["session", "export", "other.overpaint", "-o", "out.png", "-q"]) == 0
    with Session.open("other.overpaint") as session:
        assert np.array_equal(session.picture.samples.shape[:2], SIZE.shape)
