"""Sessions in an audit log: a line for each action, tampering is found, and what was painted is painted once more."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overpaint import Mask, Session, Studio
from overpaint.audit import AuditKey, AuditLog, Secret, SessionAudit, entries, replay_session, verify
from overpaint.cli import main
from overpaint.engines import SizeRules
from overpaint.errors import OutputError, SessionError
from overpaint.geometry import Box, Size
from overpaint.picture import encode
from overpaint.request import EditRequest, raster_tables
from overpaint.studio import pixel_digest
from stand_ins import DIFFUSION, noise
from test_untouched import picture_of

SIZE = Size(64, 48)
LOG = Path("audit.jsonl")


@pytest.fixture(scope="module")
def studio() -> Any:
    with Studio() as made:
        made.add_engine(noise())
        made.add_engine(noise(replace(DIFFUSION, name="prompted", sizes=SizeRules())))
        yield made


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photo.png").write_bytes(encode(picture_of(SIZE, "rgb", 8), "png").data)


def paint(session: Session, *box: int, **more: Any) -> None:
    given = {"engine": "stand-in", "seed": 1, "grow": 1.0, "feather": 2.0, **more}
    session.edit(mask=Mask.box(SIZE, Box(*box)), **given)


def recorder(**more: Any) -> SessionAudit:
    return SessionAudit(AuditLog(LOG), **more)


def opened(studio: Studio | None = None, **more: Any) -> Session:
    return Session.open("s.overpaint", studio=studio, recorder=recorder(**more))


@pytest.fixture
def audited(studio: Studio) -> Path:
    """A session of four actions, the log that has them, and a file that it was exported to."""
    with Session.create("photo.png", "s.overpaint", studio=studio, recorder=recorder()) as session:
        paint(session, 5, 5, 20, 20, variations=2)
        paint(session, 15, 10, 40, 30, seed=5)
        session.hide(1)
        session.undo()
        finished = session.flatten()
        session.recorder.exported(session, finished, finished.save("out.png"))
    return LOG


def actions(log: Path = LOG) -> list[dict[str, Any]]:
    return [json.loads(one.text) for one in entries(log, sessions=True) if one.of_session]


def faults(**more: Any) -> list[str]:
    return [str(one) for one in verify(LOG, **more).faults]


def test_each_action_is_a_line_with_its_digests(audited):
    found = actions()
    assert [one["action"]["do"] for one in found] == ["new", "edit", "edit", "show", "undo"]
    assert [one["session"]["number"] for one in found] == [0, 1, 2, 3, 4]
    assert {one["session"]["place"] for one in found} == {"s.overpaint"}
    with Session.open("s.overpaint", read_only=True) as session:
        assert [one["session"]["entry"] for one in found] == [session.id, *(one.sha256 for one in session.actions)]
        for one, done in zip(found[1:], session.actions, strict=True):
            assert one["result"] == pixel_digest(session.picture_at(done.after))
        takes = [digest for done in session.actions for digest in done.takes]
        first = dict(session.takes(session.actions[0]))[takes[0]]
        assert found[1]["painted"][0]["request"] == first.record.resolved.digest
    painted = [take for one in found for take in one.get("painted", ())]
    assert [one["take"] for one in painted] == takes
    assert len({one["paint"] for one in painted}) == 3
    assert found[0]["input"]["sha256"] == hashlib.sha256(Path("photo.png").read_bytes()).hexdigest()
    verdict = verify(audited, inputs=True, strict=True)
    assert (verdict.whole, verdict.records, verdict.outputs) == (True, 6, 2), verdict.faults


def test_one_log_has_several_sessions_and_single_edits(audited, capsys):
    assert main(["remove", "photo.png", "--box", "1,1,9,9", "--engine", "blur", "--audit", str(LOG), "-q"]) == 0
    assert main(["session", "new", "photo.png", "-o", "other.overpaint", "--audit", str(LOG), "-q"]) == 0
    verdict = verify(LOG, strict=True)
    assert (verdict.whole, verdict.records) == (True, 8)


def test_a_copy_goes_on_as_a_session_of_its_own(audited, studio):
    shutil.copy("s.overpaint", "copy.overpaint")
    with Session.open("copy.overpaint", studio=studio, recorder=recorder()) as copy:
        copy.opacity(1, 0.5)
    with opened(studio) as session:
        session.hide(2)
    assert verify(LOG).whole
    with Session.open("copy.overpaint", recorder=recorder()), opened(studio):
        assert len(LOG.read_bytes().splitlines()) == 6 + 6 + 1, "nothing is recorded twice"


def test_two_sessions_of_one_picture_are_two(studio):
    with Session.create("photo.png", "a.overpaint") as one, Session.create("photo.png", "b.overpaint") as other:
        assert one.id != other.id


# ── Tampering ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def older(studio: Studio) -> None:
    """The session as it was two actions before."""
    shutil.copy("s.overpaint", "new.overpaint")
    with zipfile.ZipFile("new.overpaint") as archive, zipfile.ZipFile("s.overpaint", "w") as copy:
        for name in archive.namelist():
            if name not in ("journal/00000003.json", "journal/00000004.json"):
                copy.writestr(name, archive.read(name))


def another_action(studio: Studio) -> None:
    """The third action, changed, with a journal that follows."""
    with zipfile.ZipFile("s.overpaint") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    third = json.loads(files["journal/00000003.json"])
    third["action"]["step"] = 2
    files["journal/00000003.json"] = json.dumps(third).encode()
    fourth = json.loads(files["journal/00000004.json"])
    fourth["previous"] = hashlib.sha256(files["journal/00000003.json"]).hexdigest()
    files["journal/00000004.json"] = json.dumps(fourth).encode()
    with zipfile.ZipFile("s.overpaint", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def another_session(studio: Studio) -> None:
    Path("s.overpaint").unlink()
    with Session.create("out.png", "s.overpaint", studio=studio):
        pass


def another_blob(studio: Studio) -> None:
    with Session.open("s.overpaint", studio=studio) as session:
        (_, take), *_ = session.takes(session.actions[0])
        name = f"blobs/{take.patches[0].samples.sha256}"
    with zipfile.ZipFile("s.overpaint") as archive:
        files = {one: archive.read(one) for one in archive.namelist()}
    files[name] = bytes(len(files[name]))
    with zipfile.ZipFile("s.overpaint", "w") as archive:
        for one, data in files.items():
            archive.writestr(one, data)


def a_line_gone(studio: Studio) -> None:
    lines = LOG.read_bytes().splitlines(keepends=True)
    LOG.write_bytes(b"".join(lines[:2] + lines[3:]))


def a_line_changed(studio: Studio) -> None:
    LOG.write_bytes(LOG.read_bytes().replace(b'"do":"show"', b'"do":"sh0w"'))


def the_end_gone(studio: Studio) -> None:
    LOG.write_bytes(b"".join(LOG.read_bytes().splitlines(keepends=True)[:-1]))


TAMPERING: dict[str, tuple[Callable[[Studio], None], str, bool]] = {
    "an older copy": (older, "has no longer its action 3: it was changed, or is an older copy", True),
    "a changed action": (another_action, "has no longer its action 3: it was changed, or is an older copy", True),
    "another session": (another_session, "was replaced by another one", False),
    "changed paint": (another_blob, "it has another digest", False),
    "a line is gone": (a_line_gone, "line 3 is missing", True),
    "a line is changed": (a_line_changed, "it was changed: its content does not have its hash", True),
    "the end is gone": (the_end_gone, "the last line is missing", True),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_tampering_is_found_and_nothing_is_appended_over_it(what, audited, studio):
    tamper, fault, refused = TAMPERING[what]
    tamper(studio)
    assert fault in "; ".join(faults())
    lines = len(LOG.read_bytes().splitlines())
    if refused:
        with pytest.raises(OutputError) as caught:
            opened(studio)
        assert caught.value.code == "audit-fault"
        assert len(LOG.read_bytes().splitlines()) == lines


UNDONE = ["the paint", "the take", "the mask", "a raster of its request"]


@pytest.mark.parametrize(("deleted", "folder"), [(False, True), (True, False)], ids=["changed", "deleted"])
@pytest.mark.parametrize("what", UNDONE)
def test_what_was_undone_is_compared_too(what, deleted, folder, studio):
    """Though no undo, redo, pick or branch leads to it any more."""
    wide = Size(320, 240)
    noise_values = 0.5 + 0.5 * np.random.default_rng(1).random(wide.shape, dtype=np.float32)
    noise_values[:8] = 0
    noisy = Mask(noise_values)  # too much for a code within the request
    small = what != "a raster of its request"
    source = picture_of(SIZE if small else wide, "rgb", 8)
    with Session.create(source, "s.overpaint", studio=studio, recorder=recorder(), folder=folder) as session:
        session.edit(mask=Mask.box(SIZE, Box(5, 5, 20, 20)) if small else noisy, engine="stand-in", seed=1)
        ((digest, take),) = session.takes(session.actions[0])
        session.mask(1, Mask.box(session.size, Box(8, 8, 12, 12)))
        set_mask = session.actions[1].action.mask.values.sha256
        for _ in range(2):
            session.undo()
        session.edit(mask=Mask.box(session.size, Box(30, 10, 40, 30)), engine="blur")
        assert not session.can_redo
        found = {"the paint": take.patches[0].samples.sha256, "the take": digest, "the mask": set_mask}.get(what)
    assert verify(LOG, strict=True).whole
    found = found or raster_in(take)
    tamper_with("s.overpaint", f"blobs/{found}", deleted=deleted)
    said = "; ".join(faults())
    assert f"the session is damaged, in blobs/{found}" in said
    assert ("it is missing" if deleted else "it has another digest") in said


def raster_in(take: Any) -> str | None:
    (table,) = raster_tables(take.record.request.to_mapping())
    return None if table.get("data") else table["sha256"]


def inverted(data: bytes) -> bytes:
    return bytes(255 - one for one in data)


def tamper_with(session: str, name: str, *, deleted: bool) -> None:
    path = Path(session)
    if path.is_dir():
        data = (path / name).read_bytes()
        (path / name).unlink() if deleted else (path / name).write_bytes(inverted(data))
        return
    with zipfile.ZipFile(path) as archive:
        files = {one: archive.read(one) for one in archive.namelist()}
    files[name] = inverted(files[name])
    with zipfile.ZipFile(path, "w") as archive:
        for one, data in files.items():
            if one != name or not deleted:
                archive.writestr(one, data)


def test_what_compact_dropped_is_no_fault(studio):
    """Paint and masks that nothing leads to: of a mask alone too, of which the journal has the entry."""
    with Session.create("photo.png", "s.overpaint", studio=studio, recorder=recorder()) as session:
        paint(session, 5, 5, 20, 20)
        session.mask(1, Mask.box(SIZE, Box(8, 8, 12, 12)))
        session.undo()
        session.mask(1, Mask.box(SIZE, Box(7, 7, 9, 9)))
        assert session.compact().takes == 0
        assert session.actions[-1].action.do == "compact", "or nothing says why the first mask is gone"
        entries = len(session.actions)
        session.compact()
        assert len(session.actions) == entries
        name = f"blobs/{session.actions[3].action.mask.values.sha256}"
        session.undo()
        session.opacity(1, 0.5)
    assert verify(LOG, strict=True).whole
    tamper_with("s.overpaint", name, deleted=True)
    assert f"in {name}: it is missing" in "; ".join(faults()), "the mask that showed when it was compacted"


def test_an_older_copy_is_gone_on_with_when_told_and_stays_a_fault(audited, studio):
    older(studio)
    with opened(studio, accept=True) as session:
        paint(session, 30, 30, 50, 45)
    assert any("gone on with over a fault" in one and "no longer its action 3" in one for one in faults())
    with opened(studio) as session:
        session.hide(1)
    assert [one["session"]["number"] for one in actions()] == [0, 1, 2, 3, 4, 3, 4]


def test_what_was_done_without_the_log_is_a_note_and_is_recorded_late(audited, studio):
    with Session.open("s.overpaint", studio=studio) as session:
        session.opacity(2, 0.5)
    verdict = verify(LOG)
    assert verdict.whole
    assert verdict.notes == ("the session s.overpaint has 1 action that the log does not have",)
    with opened(studio) as session:
        session.hide(2)
    assert [one.get("late", False) for one in actions()] == [False] * 5 + [True, False]
    assert verify(LOG).notes == ("line 7: of the session s.overpaint, 1 action was recorded later than done",)
    assert faults(strict=True)


def test_a_session_that_is_not_there_or_in_use_is_a_note(audited, studio):
    with Session.open("s.overpaint", studio=studio):
        assert "is in use, and was not compared" in verify(LOG).notes[0]
    Path("s.overpaint").rename("moved.overpaint")
    assert "the session s.overpaint is not where it was" in verify(LOG).notes[0]


def test_compacting_is_recorded_and_breaks_nothing(audited, studio):
    with opened(studio) as session:
        session.undo()
        paint(session, 1, 1, 9, 9)
        assert session.compact().takes == 1
    assert actions()[-1]["action"]["do"] == "compact"
    assert verify(LOG, strict=True).whole
    with Session.open("s.overpaint", studio=studio) as session:
        found = list(replay_session(session))
    assert [one.outcome for one in found] == ["same", "same", "not compared", "same"]
    assert "was dropped" in found[2].reason
    Path("late.jsonl").unlink(missing_ok=True)
    late = SessionAudit(AuditLog("late.jsonl"))
    with Session.open("s.overpaint", studio=studio, recorder=late):
        pass
    assert [one.get("result") is None for one in actions(Path("late.jsonl"))].count(True) == 3, "dropped paint showed"


def test_a_signed_log_takes_actions_with_its_key_alone(tmp_path, studio):
    key = AuditKey.make(tmp_path / "k.key")
    log = AuditLog(LOG, key=key)
    with Session.create("photo.png", "s.overpaint", studio=studio) as session:
        paint(session, 5, 5, 20, 20)
        for number in range(100):
            session.opacity(1, number / 100)
    with Session.open("s.overpaint", recorder=SessionAudit(log)):
        pass
    public = AuditKey.read(tmp_path / "k.key.pub")
    assert verify(LOG, keys=[public]).whole
    assert b'"kind":"checkpoint"' in LOG.read_bytes()
    with pytest.raises(OutputError, match="signed, and there is no key"):
        opened(studio)
    assert "is signed by another key" in str(faults(keys=[AuditKey.make(tmp_path / "other.key")]))


def test_private_mode_keeps_prompts_out_of_the_log(studio, capsys):
    secret = Secret.beside(LOG, make=True)
    with Session.create("photo.png", "s.overpaint", studio=studio, recorder=recorder(secret=secret)) as session:
        paint(session, 5, 5, 20, 20, prompt="a purple unicorn", intent="add")
        paint(session, 15, 10, 40, 30, prompt="a green donkey", intent="add")
        finished = session.flatten()
        session.recorder.exported(session, finished, finished.save("out.png", record="none"))
    assert b"unicorn" not in LOG.read_bytes()
    assert b"donkey" not in LOG.read_bytes()
    found = actions()[1]["painted"][0]
    assert found["hidden"]["prompt"].startswith("hmac-sha256:")
    assert found.get("request") is None, "a plain digest could be found by trying prompts"
    id = next(one.link.id for one in entries(LOG, sessions=True) if one.link.n == 2)
    assert main(["audit", "show", id, "--prompt", "a purple unicorn"]) == 0
    assert "was the prompt" in capsys.readouterr().out
    assert main(["audit", "show", id, "--prompt", "a green donkey"]) == 1


# ── What a record says, beside what a replay finds ────────────────────────────────────────────────────────────────────


def forge(change: Callable[[dict[str, Any]], None], path: str = "s.overpaint") -> None:
    """Change the take of the first action, with digests and a journal that follow."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    first = json.loads(files["journal/00000001.json"])
    (digest,) = first["action"]["takes"]
    take = json.loads(files.pop(f"blobs/{digest}"))
    change(take)
    data = json.dumps(take, ensure_ascii=False).encode()
    digest = hashlib.sha256(data).hexdigest()
    files[f"blobs/{digest}"] = data
    first["action"]["takes"] = [digest]
    files["journal/00000001.json"] = json.dumps(first).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def setting(value: Any, *at: str) -> Callable[[dict[str, Any]], None]:
    def change(take: dict[str, Any]) -> None:
        for name in at[:-1]:
            take = take[int(name)] if isinstance(take, list) else take[name]
        take[at[-1]] = value

    return change


def both(value: Any, name: str) -> Callable[[dict[str, Any]], None]:
    def change(take: dict[str, Any]) -> None:
        setting(value, "record", "request", name)(take)
        setting(value, "record", "resolved", name)(take)

    return change


OTHER_MASK = {"parts": [{"kind": "box", "box": [6, 5, 20, 20]}]}
FORGED: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "the prompt that was asked": (
        setting("a cat", "record", "request", "prompt"),
        "its prompt is a red balloon, and its own request gives a cat",
    ),
    "the prompt that was used": (
        setting("a cat", "record", "resolved", "prompt"),
        "its prompt is a cat, and its own request gives a red balloon",
    ),
    "the seed": (setting(5, "record", "request", "seed"), "its seed is 7, and its own request gives 5"),
    "the mask that was asked": (setting(OTHER_MASK, "record", "request", "mask"), "its mask is"),
    "both masks": (both(OTHER_MASK, "mask"), "it marks another place to repaint than its request does"),
    "the engine's digest": (setting("e" * 9, "record", "resolved", "engine_digest"), "eeeeeeeee as the digest of the"),
    "another model": (
        setting([{"role": "lora", "name": "x", "sha256": "0" * 64}], "record", "resolved", "models"),
        "as the models, and the replay []",
    ),
    "the picture below": (
        setting("0" * 64, "record", "resolved", "image", "sha256"),
        "has 000000000000... as the digest of the picture that it was painted on",
    ),
    "the input's name": (setting("holiday.jpg", "record", "input_name"), "holiday.jpg as the name of the input"),
    "the input's digest": (setting("0" * 64, "record", "input_sha256"), "as the digest of the input file"),
    "the mask's digest": (setting("0" * 64, "record", "mask_sha256"), "as the digest of the mask"),
    "the result's digest": (setting("0" * 64, "record", "pixels_sha256"), "as the digest of the result's pixels"),
    "the origin": (setting("humanEdits", "record", "source_type"), "has humanEdits as the source type"),
    "what it was painted from": (
        setting("trainedAlgorithmicMedia", "record", "painted_from"),
        "has trainedAlgorithmicMedia as the source type of what it was painted from",
    ),
    "the reach": (setting(0, "record", "reach"), "has 0 as the reach"),
    "a region's seed": (setting(1, "record", "regions", "0", "seed"), "its record has other regions"),
    "where it marks": (setting([5, 5, 21, 20], "marked", "box"), ""),
    "what it saw": (setting([{"step": 1, "paint": "0" * 64}], "saw"), "it says that its engine saw the steps 1"),
}


@pytest.fixture
def one_edit(studio: Studio) -> bytes:
    with Session.create("photo.png", "s.overpaint", studio=studio) as session:
        mask = {"parts": [{"kind": "box", "box": [5, 5, 20, 20]}]}
        asked = {"engine": "prompted", "prompt": "a red balloon", "seed": 7, "intent": "add", "mask": mask}
        session.edit(EditRequest.of(**asked))
    return Path("s.overpaint").read_bytes()


def replayed(studio: Studio, **more: Any) -> Any:
    with Session.open("s.overpaint", studio=studio, read_only=True) as session:
        (found,) = replay_session(session, **more)
    return found


def test_a_record_that_says_something_else_than_its_replay_is_named_in_words(one_edit, studio):
    found = replayed(studio)
    assert (found.outcome, found.contradictions) == ("same", ())
    for what, (change, said) in FORGED.items():
        Path("s.overpaint").write_bytes(one_edit)
        forge(change)
        if not said:  # what does not fit together is no session
            with pytest.raises(SessionError):
                Session.open("s.overpaint", read_only=True)
            continue
        found = replayed(studio)
        assert found.outcome == "different", what
        assert said in found.reason, (what, found.reason)
        assert found.contradictions, what


def test_a_record_that_can_not_be_painted_again_is_said_and_the_rest_is_compared(studio):
    with Session.create("photo.png", "s.overpaint", studio=studio) as session:
        paint(session, 5, 5, 20, 20)
    forge(setting(OTHER_MASK, "record", "request", "mask"))  # it has the code of the mask, for both requests
    with Session.open("s.overpaint", studio=studio) as session:
        paint(session, 30, 10, 40, 30)
        first, second = replay_session(session)
    assert (first.outcome, second.outcome) == ("not compared", "same")
    assert "its record can't be painted again: the 64x48 mask" in first.reason


def test_equal_takes_are_painted_once_and_each_is_said(one_edit, studio):
    """As a session of a thousand equal takes would cost a thousand paintings."""
    with zipfile.ZipFile("s.overpaint") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    first = json.loads(files["journal/00000001.json"])
    first["action"]["takes"] *= 50
    files["journal/00000001.json"] = json.dumps(first).encode()
    with zipfile.ZipFile("s.overpaint", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    engine = studio.engine("prompted")
    before = len(engine.canvases)
    with Session.open("s.overpaint", studio=studio, read_only=True) as session:
        found = list(replay_session(session))
    assert [(one.take, one.outcome) for one in found] == [(number, "same") for number in range(1, 51)]
    assert len(engine.canvases) - before == 1


def test_the_command_says_where_a_record_says_otherwise(capsys):
    run("session", "new", "photo.png", "-q")
    run("session", "edit", "photo.overpaint", "remove", *FIRST, "-q")
    run("replay", "photo.overpaint")
    forge(setting("holiday.jpg", "record", "input_name"), "photo.overpaint")
    capsys.readouterr()
    run("replay", "photo.overpaint", status=1)
    said = capsys.readouterr().out
    assert "step 1, take 1: the same came out, BUT ITS RECORD SAYS OTHERWISE: its record has holiday.jpg" in said
    run("replay", "photo.overpaint", "--json", status=1)
    (take,) = json.loads(capsys.readouterr().out)["takes"]
    assert (take["painted"], take["outcome"], len(take["contradictions"])) == (True, "different", 1)


def test_what_no_replay_can_know_is_not_compared(one_edit, studio):
    for change in (
        setting({}, "record", "timings"),
        setting(["a note"], "record", "notes"),
        setting("0.0.1", "record", "overpaint"),
    ):
        forge(change)
    found = replayed(studio)
    assert found.outcome == "same"
    assert any(one.startswith("overpaint was 0.0.1") for one in found.notes)


# ── The command line ──────────────────────────────────────────────────────────────────────────────────────────────────

FIRST, SECOND = ["--box", "5,5,25,25", "--engine", "blur"], ["--box", "15,15,45,40", "--engine", "telea"]


def run(*words: str, status: int = 0) -> None:
    assert main([*words]) == status


def session(verb: str, *words: str, status: int = 0) -> None:
    run("session", verb, "photo.overpaint", *words, "--audit", str(LOG), status=status)


@pytest.fixture
def verbs(capsys: pytest.CaptureFixture[str]) -> None:
    run("session", "new", "photo.png", "--audit", str(LOG))
    session("edit", "remove", *FIRST)
    session("edit", "remove", *SECOND)
    session("rerun", "1", "--grow", "4")
    session("pick", "1", "1")
    session("hide", "2")
    session("undo")
    session("redo")
    session("hide", "2", "--show")
    session("opacity", "1", "0.5")
    session("mask", "1", "--box", "5,5,9,9")
    session("reorder", "2", "1")
    session("branch", "other")
    session("export", "-o", "out.png")
    session("compact", "--drop-takes", "--drop-undo")
    capsys.readouterr()


def test_every_verb_appends_its_action(verbs, capsys):
    found = [one["action"]["do"] for one in actions()]
    assert found == [
        "new", "edit", "edit", "rerun", "pick", "show", "undo", "redo", "show", "opacity", "mask", "move", "branch",
        "compact",
    ]  # fmt: skip
    run("audit", "verify", str(LOG), "--strict")
    assert "is whole: 15 records, 2 outputs as written" in capsys.readouterr().out
    run("audit", "export", str(LOG), "--to", "prov")
    assert "out.png" in capsys.readouterr().out


def test_show_tells_of_a_session_an_action_and_an_export(verbs, capsys):
    run("audit", "show", "photo.overpaint")
    said = capsys.readouterr().out
    assert "begun with photo.png" in said
    assert "step 1: remove with blur" in said
    assert "exported to out.png" in said
    run("audit", "show", "photo.overpaint", "--json")
    id = json.loads(capsys.readouterr().out)["records"][1]["id"]
    run("audit", "show", id)
    said = capsys.readouterr().out
    assert "photo.overpaint, action 1, branch main" in said
    assert "remove with blur" in said
    run("audit", "show", "out.png")
    assert "photo.overpaint, action 12" in capsys.readouterr().out


def test_replay_paints_a_session_an_action_and_an_export_once_more(verbs, capsys):
    run("replay", "photo.overpaint", status=3)
    said = capsys.readouterr().out
    assert "step 2, take 1: the same came out, every sample equal" in said
    assert "NOT COMPARED: the paint of step 1 was dropped" in said, "by compact --drop-takes"
    run("replay", "out.png")
    assert "the same 64x48 picture came out of the session, every pixel equal" in capsys.readouterr().out
    run("audit", "show", "photo.overpaint", "--json")
    id = json.loads(capsys.readouterr().out)["records"][2]["id"]
    run("replay", id)
    assert "step 2, take 1: the same" in capsys.readouterr().out
    picture = Path("out.png").read_bytes()
    Path("out.png").write_bytes(Path("photo.png").read_bytes())
    run("replay", "out.png", status=2)
    Path("out.png").write_bytes(picture)
    Path("photo.overpaint").unlink()
    run("replay", "out.png", status=2)
    assert "photo.overpaint doesn't exist" in capsys.readouterr().err


def replaced_in_png(data: bytes, old: bytes, new: bytes) -> bytes:
    """A PNG in whose texts something is replaced, with lengths and checksums that follow."""
    found, at = data[:8], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        body = data[at + 4 : at + 8 + length]
        if body[1:4] in (b"EXt", b"TXt"):
            body = body.replace(old, new)
        found += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    assert found != data, old
    return found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            b'"engine": "telea"',
            b'"engine": "telea", "prompt": "a cat"',
            "the record within the file has another request prompt than the log",
        ),
        (b'"grow": 4.0', b'"grow": 5.0', "the record within the file has another earlier request grow than the log"),
        (b"digitalsourcetype/humanEdits", b"digitalsourcetype/digitalCapture", "the file says that it is digitalCap"),
    ],
)
def test_the_record_within_an_exported_picture_is_compared_with_the_log(old, new, said, capsys):
    run("session", "new", "photo.png", "--audit", str(LOG), "-q")
    session("edit", "remove", *FIRST, "--grow", "4", "-q")
    session("edit", "remove", *SECOND, "-q")
    session("export", "-o", "out.png", "-q")
    run("replay", "out.png")
    Path("out.png").write_bytes(replaced_in_png(Path("out.png").read_bytes(), old, new))
    capsys.readouterr()
    run("replay", "out.png", "--audit", str(LOG), status=1)
    assert f"out.png: BUT {said}" in capsys.readouterr().out


def test_options_about_the_log_need_a_log(capsys):
    run("session", "new", "photo.png", "-q")
    for option in (["--private"], ["--accept-fault"], ["--audit-key", "k.key"]):
        run("session", "undo", "photo.overpaint", *option, status=2)
        assert "is about the audit log: give --audit PATH too" in capsys.readouterr().err


def test_mask_files_are_named_and_compared(capsys):
    run("mask", "make", "photo.png", "--box", "5,5,20,20", "-o", "m.png", "-q")
    run("session", "new", "photo.png", "--audit", str(LOG), "-q")
    session("edit", "remove", "--mask", "m.png", "--engine", "blur")
    assert actions()[-1]["masks"][0]["place"] == "m.png"
    run("mask", "make", "photo.png", "--box", "5,5,21,21", "-o", "m.png", "--overwrite", "-q")
    assert "its mask m.png was replaced since" in str(faults(inputs=True))


def test_the_original_is_named_and_compared(audited, studio):
    assert actions()[0]["input"]["place"] == "photo.png"
    assert verify(LOG, inputs=True).whole
    Path("photo.png").write_bytes(encode(picture_of(SIZE, "rgb", 8, 5), "png").data)
    assert faults() == []
    assert "its original photo.png was replaced since" in str(faults(inputs=True))
    Path("photo.png").unlink()
    assert "line 1: its original photo.png is not where it was" in verify(LOG, inputs=True).notes


def test_an_original_without_a_place_is_a_note(studio):
    data = Path("photo.png").read_bytes()
    with Session.create(data, "s.overpaint", studio=studio, recorder=recorder()):
        pass
    assert "place" not in actions()[0]["input"] or actions()[0]["input"]["place"] is None
    assert verify(LOG).notes == ()
    said = "line 1: where the original of the session s.overpaint was is not recorded"
    assert verify(LOG, inputs=True).notes == (said,)


def test_recorded_late_the_original_is_the_file_beside_it_if_that_is_the_one(studio):
    for same in (True, False):
        Path("s.overpaint").unlink(missing_ok=True)
        with Session.create("photo.png", "s.overpaint", studio=studio):
            pass
        if not same:
            Path("photo.png").write_bytes(b"other")
        with opened(studio):
            pass
        assert actions()[-1]["input"].get("place") == ("photo.png" if same else None)


def test_replay_compares_with_a_log_that_knows_the_session(capsys):
    """And not with any that lies there; where none knows it, it says so and what to do."""
    for name, log in (("photo", "private.jsonl"), ("other", str(LOG))):
        run("session", "new", "photo.png", "-o", f"{name}.overpaint", "--audit", log, "-q")
        run("session", "edit", f"{name}.overpaint", "remove", *FIRST, "--audit", log, "-q")
    capsys.readouterr()
    run("replay", "photo.overpaint")
    said = capsys.readouterr().out
    assert "the same came out, every sample equal" in said
    assert "compared with itself alone: audit.jsonl has no record of photo.overpaint: name the log that has" in said
    run("replay", "photo.overpaint", "--audit", "private.jsonl")
    assert "itself alone" not in capsys.readouterr().out
    run("replay", "photo.overpaint", "--audit", str(LOG), status=3)
    said = capsys.readouterr().out
    assert "NOT COMPARED: audit.jsonl does not have it" in said
    assert "note: name another log by --audit; or a verb on photo.overpaint with --audit audit.jsonl" in said
    run("audit", "show", "photo.overpaint", status=2)
    assert "audit.jsonl has no record of photo.overpaint" in capsys.readouterr().err
    Path(LOG).unlink()
    run("replay", "photo.overpaint")
    assert "compared with itself alone: there is no audit.jsonl beside it or here" in capsys.readouterr().out


def test_a_log_that_can_not_be_written_is_said_before_anything_is_done(capsys):
    run("session", "new", "photo.png", "-q")
    before = Path("photo.overpaint").read_bytes()
    run("session", "edit", "photo.overpaint", "remove", *FIRST, "--audit", "nowhere/there/a.head", status=1)
    run("session", "edit", "photo.overpaint", "remove", *FIRST, "--audit", "photo.png/a.jsonl", status=1)
    assert Path("photo.overpaint").read_bytes() == before
