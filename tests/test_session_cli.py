"""`overpaint session`: what each verb does, prints and refuses."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from overpaint import Session
from overpaint.cli import main
from overpaint.geometry import Size
from overpaint.picture import encode, open_picture
from overpaint.record import read_record
from test_untouched import picture_of

SIZE = Size(120, 90)
BLUR = ["--engine", "blur"]
FIRST, SECOND = ["--box", "10,10,40,40"], ["--box", "30,30,60,60"]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photo.png").write_bytes(encode(picture_of(SIZE, "rgb", 8), "png").data)
    assert main(["session", "new", "photo.png", "-q"]) == 0


def run(*words: str, status: int = 0) -> None:
    assert main(["session", words[0], "photo.overpaint", *words[1:]]) == status


def test_new_is_named_after_the_picture_and_replaces_nothing(capsys):
    assert main(["session", "new", "photo.png"]) == 1
    assert "photo.overpaint exists already" in capsys.readouterr().err
    assert main(["session", "new", "photo.png", "-o", "work", "--folder"]) == 0
    assert Path("work/session.json").is_file()
    assert "work: a session of photo.png, 120x90" in capsys.readouterr().out


def test_a_session_with_one_edit_exports_what_the_verb_writes():
    run("edit", "remove", *FIRST, *BLUR)
    run("export", "-o", "session.png")
    assert main(["remove", "photo.png", *FIRST, *BLUR, "-o", "verb.png"]) == 0
    assert Path("session.png").read_bytes() == Path("verb.png").read_bytes()


def test_the_state_is_an_object_for_programs(capsys):
    run("edit", "remove", *FIRST, *BLUR, "--json")
    said = json.loads(capsys.readouterr().out)
    assert (said["session"], said["branch"], said["can_undo"], said["can_redo"]) == (
        "photo.overpaint", "main", True, False,
    )  # fmt: skip
    (step,) = said["steps"]
    assert (step["number"], step["intent"], step["engine"], step["stale"]) == (1, "remove", "blur", False)
    assert step["box"][0] <= 10 < 40 <= step["box"][2]
    run("undo", "--json")
    assert json.loads(capsys.readouterr().out)["can_redo"] is True
    run("log", "--json")
    assert [one["holds"] for one in json.loads(capsys.readouterr().out)] == [False, True]


def test_stale_steps_are_told_and_painted_again(capsys):
    run("edit", "remove", *FIRST, *BLUR)
    run("edit", "remove", *SECOND, *BLUR)
    run("rerun", "1", "--engine", "telea")
    assert "step 2 is stale, as what was seen below has changed" in capsys.readouterr().out
    run("show")
    assert "take 2 of 2" in (shown := capsys.readouterr().out)
    assert "stale: what it saw below has changed" in shown
    run("rerun", "--stale")
    assert "painted again: 2" in capsys.readouterr().out
    run("rerun", "--stale")
    assert "no step is stale" in capsys.readouterr().out


def test_a_step_is_painted_again_elsewhere():
    run("edit", "remove", *FIRST, *BLUR)
    run("rerun", "1", "--box", "70,50,90,80")
    with Session.open("photo.overpaint") as session:
        before, now = open_picture("photo.png").samples, session.picture.samples
    assert (before[:45, :60] == now[:45, :60]).all()
    assert not (before[50:80, 70:90] == now[50:80, 70:90]).all()


def test_masks_of_every_form_paint_the_original_back():
    run("edit", "remove", *FIRST, *BLUR)
    mask = np.zeros((90, 120), np.uint8)
    mask[:, :20] = 255
    Image.fromarray(mask).save("m.png")
    run("mask", "1", "--mask", "m.png", "--box", "30,30,40,40")
    with Session.open("photo.overpaint") as session:
        now, before = session.picture.samples, session.original.samples
        assert (now[:, :20] == before[:, :20]).all()
        assert (now[30:40, 30:40] == before[30:40, 30:40]).all()
        assert not (now[10:30, 20:30] == before[10:30, 20:30]).all()
    run("mask", "1", "--reset")
    with Session.open("photo.overpaint") as session:
        assert not session.step(1).masked


def test_options_of_the_verbs_that_paint_hold(capsys):
    Path("r.toml").write_text('intent = "remove"\nengine = "blur"\n')
    run("edit", "--request", "r.toml", "--box", "10%,10%,30%,30%", "--grow", "4")
    run("edit", "expand", "--left", "10%", "--engine", "blur")
    run("edit", "recolor", *SECOND, "--option", "to=navy")
    with Session.open("photo.overpaint") as session:
        assert [step.intent for step in session.steps] == ["remove", "expand", "recolor"]
        assert session.request(1).grow == 4
        assert session.picture.size == Size(132, 90)
    run("edit", "remove", *FIRST, "--left", "5", status=2)
    assert "expand alone" in capsys.readouterr().err


def test_another_engine_leaves_the_options_of_the_first_behind():
    run("edit", "remove", *FIRST, "--engine", "exemplar", "-n", "2", "--seed", "4")
    run("rerun", "1", *BLUR)
    with Session.open("photo.overpaint") as session:
        assert (session.step(1).engine, session.step(1).takes) == ("blur", 3)


def test_variations_are_takes(capsys):
    run("edit", "remove", *FIRST, "--engine", "exemplar", "-n", "2", "--seed", "4")
    assert "take 1 of 2" in capsys.readouterr().out
    run("pick", "1", "2")
    with Session.open("photo.overpaint") as session:
        assert session.step(1).seed == 5


def test_export_writes_companions_and_replaces_nothing(capsys):
    run("edit", "remove", *FIRST, *BLUR)
    capsys.readouterr()
    run("export", "--layers", "l.psd", "--compare", "c.png", "--json")
    said = json.loads(capsys.readouterr().out)
    assert (said["output"], said["layers"], said["compare"]) == ("photo.edited.png", "l.psd", "c.png")
    assert said["changed_beyond_reach"] == 0
    run("export", status=1)
    assert "photo.edited.png exists already" in capsys.readouterr().err
    run("export", "-o", "photo.overpaint", "--format", "png", "--overwrite", status=1)
    assert "is the session itself" in capsys.readouterr().err
    with Session.open("photo.overpaint") as session:
        assert session.steps, "the session is not replaced by its picture"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["hide", "3"], "there is no step 3 here; the steps are 1"),
        (["undo", "5"], "5 actions can't be undone, only 1"),
        (["redo"], "there is nothing to redo"),
        (["pick", "1", "2"], "step 1 has no take 2: it has 1"),
        (["opacity", "1", "7"], "opacity must be between 0 and 1, not 7.0"),
        (["reorder", "1", "2"], "there is no place 2 in a stack of 1"),
        (["rerun"], "either a STEP or --stale"),
        (["rerun", "--stale", "--grow", "3"], "leave out the settings"),
        (["edit", "remove", *SECOND, "--preset", "quick"], "must be one of fast"),
        (["mask", "1"], "needs either places"),
        (["edit", "remove"], "remove needs a mask"),
        (["edit", "nonsense", "--box", "1,1,9,9"], "nonsense"),
    ],
)
def test_a_mistake_is_one_clear_line_and_changes_nothing(words, message, capsys):
    run("edit", "remove", *FIRST, *BLUR)
    before = Path("photo.overpaint").read_bytes()
    capsys.readouterr()
    run(*words, status=2)
    err = capsys.readouterr().err
    assert message in err
    assert len(err.strip().splitlines()) == 1
    if words != ["undo", "5"]:
        assert Path("photo.overpaint").read_bytes() == before


def test_what_is_no_session_is_said_and_left_as_it_is(capsys):
    before = Path("photo.png").read_bytes()
    assert main(["session", "show", "photo.png"]) == 2
    assert "photo.png is no session" in capsys.readouterr().err
    assert main(["session", "show", "nowhere.overpaint"]) == 2
    assert "nowhere.overpaint doesn't exist" in capsys.readouterr().err
    assert Path("photo.png").read_bytes() == before


def test_what_a_session_from_elsewhere_holds_does_not_move_the_terminal(capsys, tmp_path):
    """The names in a session may be anyone's: control characters and those that turn the text are written out."""
    run("edit", "remove", *FIRST, *BLUR)
    with zipfile.ZipFile("photo.overpaint") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    head = json.loads(files["session.json"])
    head["original"]["name"] = "\u202egnp.exe"
    files["session.json"] = json.dumps(head).encode()
    entry = json.loads(files["journal/00000001.json"])
    (old,) = entry["action"]["takes"]
    take = json.loads(files[f"blobs/{old}"])
    take["record"]["resolved"]["engine"] = "\x1b[31mevil\x07"
    data = json.dumps(take).encode()
    new = hashlib.sha256(data).hexdigest()
    files[f"blobs/{new}"] = data
    entry["action"]["takes"], entry["previous"] = [new], hashlib.sha256(files["session.json"]).hexdigest()
    files["journal/00000001.json"] = json.dumps(entry).encode()
    with zipfile.ZipFile("photo.overpaint", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    capsys.readouterr()
    run("show")
    run("log")
    run("hide", "1")
    said = capsys.readouterr().out
    assert "\\x1b[31mevil" in said
    assert all(one.isprintable() or one == "\n" for one in said)


def test_a_branch_has_a_name_that_can_be_read(capsys):
    for name in (" ", "a\tb", "\u202eabc", ""):
        run("branch", name, status=2)
        assert "one line of text" in capsys.readouterr().err


def test_the_log_says_in_which_branch_that_is_which_is_not_here(capsys):
    run("edit", "remove", *FIRST, *BLUR)
    run("branch", "bold")
    run("edit", "remove", *SECOND, *BLUR)
    run("branch", "later")
    run("branch", "main")
    run("hide", "1")
    run("undo")
    capsys.readouterr()
    run("log", "--json")
    events = {one["number"]: one for one in json.loads(capsys.readouterr().out)}
    assert [(n, events[n]["holds"], events[n]["elsewhere"]) for n in (1, 3, 6)] == [
        (1, True, ["bold", "later"]),
        (3, False, ["bold", "later"]),
        (6, False, []),
    ]
    run("log")
    rows = capsys.readouterr().out.splitlines()
    assert rows[3].endswith("in branches bold, later")
    assert rows[6].endswith("undone")
    assert sum("undone" in row for row in rows) == 1
    run("compact", "--drop-branches")
    capsys.readouterr()
    run("log")
    assert capsys.readouterr().out.splitlines()[3].endswith("in branch bold, which was dropped")


def test_undo_says_what_and_a_change_to_a_hidden_step_says_that_it_does_not_show(capsys):
    run("edit", "remove", *FIRST, *BLUR)
    run("edit", "remove", *SECOND, *BLUR)
    run("hide", "1")
    assert "'overpaint session rerun photo.overpaint --stale'" in capsys.readouterr().out
    run("opacity", "1", "0.5")
    assert "an opacity of 50%; the step itself is hidden" in capsys.readouterr().out
    run("undo", "2")
    assert "undone: step 1: opacity 50%, step 1 hidden; 2 steps now" in capsys.readouterr().out
    run("redo")
    assert "done again: step 1 hidden; 2 steps now" in capsys.readouterr().out
    run("opacity", "2", "0.5")
    assert "itself" not in capsys.readouterr().out


def test_a_stale_step_is_noted_by_the_verb_that_makes_it_so(capsys):
    run("edit", "remove", *FIRST, *BLUR)
    run("edit", "remove", *SECOND, *BLUR)
    run("hide", "1")
    assert "step 2 is stale" in capsys.readouterr().out
    run("opacity", "2", "0.5")
    assert "stale" not in capsys.readouterr().out
    run("undo", "2")
    assert "stale" not in capsys.readouterr().out
    run("redo", "2")
    assert "step 2 is stale" in capsys.readouterr().out
    run("show")
    assert "stale" in capsys.readouterr().out


def test_a_note_is_printed_once(capsys):
    run("edit", "replace", *FIRST, "--prompt", "a zeppelin", "--model", "pocket", "--steps", "1")
    assert capsys.readouterr().err.count("does not paint") == 1


def test_an_opacity_may_be_a_percentage(capsys):
    run("edit", "remove", *FIRST, *BLUR)
    run("opacity", "1", "60%")
    with Session.open("photo.overpaint", read_only=True) as session:
        assert session.steps[0].opacity == 0.6
    for text in ("60 per cent", "%", "x"):
        run("opacity", "1", text, status=2)
        assert "OPACITY takes a number from 0 to 1 or a percentage" in capsys.readouterr().err


def test_a_step_that_is_painted_back_wholly_is_none_in_an_export(capsys):
    """As one of opacity 0 is none: the picture is the original."""
    run("edit", "remove", *FIRST, *BLUR)
    run("mask", "1", "--box", "0,0,120,90")
    capsys.readouterr()
    run("export", "-o", "back.png")
    assert "back.png: 0 steps of photo.overpaint; the original, every pixel unchanged" in capsys.readouterr().out
    assert Path("back.png").read_bytes() == Path("photo.png").read_bytes()
    run("edit", "remove", *SECOND, *BLUR)
    run("export", "-o", "one.png")
    assert "one.png: 1 step of" in capsys.readouterr().out
    assert read_record("one.png").record.earlier is None
    run("export", "-o", "l.psd", "--record", "sidecar")
    assert "1 step of" in capsys.readouterr().out


def test_show_has_the_box_of_each_step(capsys):
    run("edit", "remove", *FIRST, *BLUR)
    capsys.readouterr()
    run("show")
    with Session.open("photo.overpaint", read_only=True) as session:
        assert ",".join(map(str, session.steps[0].box)) in capsys.readouterr().out


def test_a_record_of_ours_is_no_text_that_is_left_out(capsys):
    run("edit", "remove", *FIRST, *BLUR)
    run("export", "-o", "first.png")
    assert main(["remove", "first.png", *SECOND, *BLUR, "-o", "second.webp"]) == 0
    assert "left out" not in capsys.readouterr().err
    assert read_record("second.webp").record is not None


def test_a_file_whose_end_is_missing_is_told_once(capsys):
    run("edit", "remove", *FIRST, *BLUR)
    run("hide", "1")
    Path("photo.overpaint").write_bytes(Path("photo.overpaint").read_bytes()[:-900])
    capsys.readouterr()
    run("show")
    assert "the end of photo.overpaint was missing" in capsys.readouterr().err
    run("show")
    assert capsys.readouterr().err == ""


def test_more_than_there_is_is_neither_undone_nor_done_again(capsys):
    run("edit", "remove", *FIRST, *BLUR)
    run("edit", "remove", *SECOND, *BLUR)
    run("undo", "3", status=2)
    assert "3 actions can't be undone, only 2" in capsys.readouterr().err
    run("undo", "2")
    run("redo", "5", status=2)
    assert "only 2" in capsys.readouterr().err
    run("redo", "2")
    with Session.open("photo.overpaint") as session:
        assert (len(session.steps), session.undo_count, session.redo_count) == (2, 2, 0)


def test_without_a_step_an_export_is_the_original(capsys):
    run("export", "-o", "none.png")
    assert "none.png: 0 steps of photo.overpaint; the original, every pixel unchanged" in capsys.readouterr().out
    assert Path("none.png").read_bytes() == Path("photo.png").read_bytes()
    run("edit", "remove", *FIRST, *BLUR)
    run("hide", "1")
    run("export", "-o", "hidden.png", "--record", "sidecar", "--compare", "c.png", "--layers", "l.psd")
    assert Path("hidden.png").read_bytes() == Path("photo.png").read_bytes()
    assert not list(Path().glob("hidden*.json")), "nothing was made that could be recorded"
    run("export", "-o", "other.tif")
    assert np.array_equal(np.asarray(Image.open("other.tif")), np.asarray(Image.open("photo.png")))
    run("export", "-o", "l.ora", "--record", "sidecar")
    capsys.readouterr()
    run("export", "-o", "log.png", "--audit", "audit.jsonl", status=2)
    assert "there is no edit to record" in capsys.readouterr().err
    assert not Path("log.png").exists()


def test_a_jpeg_without_a_step_is_exported_byte_for_byte():
    Path("p.jpg").write_bytes(encode(picture_of(SIZE, "rgb", 8), "jpeg", quality=60).data)
    assert main(["session", "new", "p.jpg", "-q"]) == 0
    assert main(["session", "export", "p.overpaint", "-q"]) == 0
    assert Path("p.edited.jpg").read_bytes() == Path("p.jpg").read_bytes()


def test_an_export_never_replaces_the_session(capsys):
    """Whatever its options say, and by whatever name: no advice leads there."""
    run("edit", "remove", *FIRST, *BLUR)
    Path("linked.png").symlink_to("photo.overpaint")
    assert main(["session", "new", "photo.png", "-o", "folder", "--folder", "-q"]) == 0
    before = Path("photo.overpaint").read_bytes()
    capsys.readouterr()
    for words in (
        ["photo.overpaint", "-o", "photo.overpaint"],
        ["photo.overpaint", "-o", "photo.overpaint", "--format", "png"],
        ["photo.overpaint", "-o", "linked.png"],
        ["photo.overpaint", "-o", "a.png", "--layers", "photo.overpaint"],
        ["photo.overpaint", "-o", "a.png", "--compare", "linked.png"],
        ["folder", "-o", "folder/a.png"],
    ):
        for more in ([], ["--overwrite"]):
            assert main(["session", "export", *words, *more]) == 1
            said = capsys.readouterr().err
            assert "is the session itself, and an export does not replace it" in said
            assert "--overwrite" not in said
    assert Path("photo.overpaint").read_bytes() == before


def test_show_has_the_size_that_the_picture_has_now(capsys):
    run("edit", "expand", "--left", "30", "--engine", "telea")
    run("show")
    assert "photo.png, 120x90, now 150x90; 1 step" in capsys.readouterr().out
    run("show", "--json")
    said = json.loads(capsys.readouterr().out)
    assert (said["size"], said["original"]["size"]) == ([150, 90], [120, 90])
    run("hide", "1")
    run("show")
    assert "photo.png, 120x90; 1 step" in capsys.readouterr().out


def test_two_photos_of_one_name_do_not_share_a_session(capsys):
    Path("photo.jpg").write_bytes(encode(picture_of(SIZE, "rgb", 8), "jpeg").data)
    before = Path("photo.overpaint").read_bytes()
    assert main(["session", "new", "photo.jpg"]) == 1
    said = capsys.readouterr().err
    assert "photo.overpaint exists already; name another one with --output" in said, "--overwrite is no option here"
    assert Path("photo.overpaint").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["recolor", "--to", "red"],
            "--to is for expand alone, and this is recolor; here it is --option to=",
        ),
        (["recolor"], "give --option to=COLOUR"),
        (["recolor", "--tone", "keep"], "unknown option --tone: here it is --option tone=VALUE"),
        (["background", "--color", "white"], "unknown option --color: here it is --option colour=VALUE"),
        (["background"], "--option colour=white"),
        (["remove", "--left", "9"], "--left is for expand alone, and this is remove"),
        (["remove", "-o", "x.png"], "'overpaint session export' writes pictures and layers"),
        (["remove", "--layers", "x.psd"], "'overpaint session export' writes pictures and layers"),
    ],
)
def test_hints_name_what_a_session_s_verb_has(words, message, capsys):
    run("edit", words[0], *FIRST, *words[1:], status=2)
    assert message in capsys.readouterr().err


def test_hints_of_other_verbs_stay_theirs(capsys):
    assert main(["recolor", "photo.png", *FIRST]) == 2
    assert "give --to COLOUR" in capsys.readouterr().err
    assert main(["session", "photo.overpaint"]) == 2
    assert "for example: overpaint session show photo.overpaint" in capsys.readouterr().err


def test_a_step_is_painted_again_without_the_margins_that_it_was_painted_beside(capsys):
    """An expand below is hidden: the mask of a step keeps its place in the original."""
    run("edit", "expand", "--left", "30", "--top", "10", "--engine", "telea")
    run("edit", "remove", "--box", "50,30,80,60", "--engine", "telea")  # 20,20,50,50 in pixels of the original
    run("edit", "remove", "--box", "2,12,20,30", "--engine", "telea")  # in the margin
    run("hide", "1")
    capsys.readouterr()
    run("rerun", "--stale")
    said = capsys.readouterr()
    assert "painted again: 2\n" in said.out
    assert "the mask keeps its place in the picture, which has 120x90 now and had 150x100" in said.err
    assert "step 3 lies beyond the picture now" in said.out
    assert "stale" not in said.out
    assert main(["remove", "photo.png", "--box", "20,20,50,50", "--engine", "telea", "-o", "verb.png"]) == 0
    run("export", "-o", "again.png")
    assert np.array_equal(np.asarray(Image.open("again.png")), np.asarray(Image.open("verb.png")))
    run("rerun", "3", status=2)
    assert "and its mask lies beyond it; show the steps that made it larger, or give --mask" in capsys.readouterr().err
    run("hide", "1", "--show")
    run("rerun", "2")
    run("pick", "2", "1")
    with Session.open("photo.overpaint") as session:
        assert [step.stale for step in session.steps] == [False, False, False]
