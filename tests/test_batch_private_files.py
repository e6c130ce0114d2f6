"""A private batch: keys that confirm no guess, files for their owner alone, no thumbnails, no quotes."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from batches import BOX, Bench, photos
from overpaint import Studio
from overpaint.batch import plan, reason_of
from overpaint.batch.files import Files
from overpaint.errors import RequestError
from overpaint.ledger import Ledger
from overpaint.validation import Problem, SettingError

SECRET = "zebrasecret"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    photos(tmp_path, 2)
    return Bench(tmp_path)


def _keys(bench: Bench) -> dict[str, str]:
    with Ledger(bench.out / ".overpaint" / "ledger.sqlite") as ledger:
        return {entry.id: entry.key for entry in ledger.entries()}


def test_a_guess_of_a_prompt_can_not_be_confirmed_from_the_ledger(bench: Bench, tmp_path: Path) -> None:
    table = {"image": "p000.png", "box": BOX, "prompt": SECRET, "seed": 1}
    bench.run([table], private=True, rules={"record": "none"})
    (kept,) = _keys(bench).values()
    options = bench.options(rules={"record": "none", "overwrite": True})
    with Studio() as studio, Files(tmp_path / "guess.sqlite") as files:
        studio.add_engine(bench.engine())
        (guess,) = plan(bench.rows([table]), options.rules, studio, files).items
    assert kept != guess.key
    # with the run's salt the rows are known again
    assert bench.run([table], private=True, rules={"record": "none"}).unchanged == 1
    (bench.out / "audit.salt").unlink()
    assert bench.run([table], private=True, rules={"record": "none"}).done == 1
    assert [*_keys(bench).values()] != [kept]


def test_every_file_of_a_private_batch_is_for_its_owner_alone_those_of_earlier_runs_too(bench: Bench) -> None:
    tables = [{"image": f"p{n:03}.png", "box": BOX} for n in range(2)]
    bench.run(tables, report=True)
    assert (bench.out / "report.html").stat().st_mode & 0o044
    bench.run(tables[:1], private=True, rules={"record": "none"}, report=True)
    for path in (*bench.out.rglob("*"), *(bench.out / ".overpaint").iterdir()):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    assert not (bench.out / "report.html").stat().st_mode & 0o077


def test_the_permissions_of_files_made_after_a_private_batch_are_as_before(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "before").touch()
    bench.run([{"image": "p000.png", "box": BOX}], private=True, rules={"record": "none"})
    (tmp_path / "after").touch()
    assert (tmp_path / "after").stat().st_mode == (tmp_path / "before").stat().st_mode


def test_a_private_batch_keeps_no_thumbnails_unless_asked_and_removes_earlier_ones(bench: Bench) -> None:
    tables = [{"image": f"p{n:03}.png", "box": BOX} for n in range(2)]
    page, private = bench.out / "report.html", {"private": True, "rules": {"record": "none"}, "report": True}
    bench.run(tables, **private, thumbnails=True)
    assert b'"/9j/' in page.read_bytes()
    assert bench.run(tables, **private).unchanged == 2
    assert b'"/9j/' not in page.read_bytes()
    assert not any(b"\xff\xd8\xff" in path.read_bytes() for path in (bench.out / ".overpaint").iterdir())


@pytest.mark.parametrize(
    "table",
    [
        {"steps": SECRET},
        {"strength": [SECRET, 1]},
        {"model": SECRET},
        {"engine": SECRET},
        {"engine": f'it\'s "{SECRET}" here'},
        {"mask": {"parts": [{"kind": SECRET}]}},
        {"options": {"radius": SECRET}},
        {"format": SECRET},
        {"intent": SECRET},
        {"area": SECRET * 40},
    ],
)
def test_no_reason_quotes_a_value_of_a_row_whatever_cell_it_is_in(bench: Bench, table: dict[str, object]) -> None:
    bench.run([{"image": "p000.png", "box": BOX, **table}], private=True, rules={"record": "none"}, report=True)
    assert SECRET not in repr(bench.events)
    for path in bench.out.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def test_a_reason_says_what_would_be_right_without_the_value() -> None:
    problem = Problem("steps", SECRET, "{field} must be a whole number between 1 and 1000, not 'zebrasecret'")
    assert (
        reason_of(SettingError([problem]), private=True) == "steps must be a whole number between 1 and 1000, not ..."
    )
    bare = RequestError(f"there is no {SECRET}", field="steps", value=SECRET)
    assert reason_of(bare, private=True) == "refused: request-invalid in steps"
    named = RequestError("the image 'a.png' doesn't exist", field="image", value="a.png")
    assert reason_of(named, private=True) == "the image 'a.png' doesn't exist"


def test_hostile_rows_of_a_private_batch_leave_no_word(bench: Bench) -> None:
    words = ("ZEBRASECRET", "NEGSECRET", "PROJECTSECRET", "EMBSECRET", "promt")
    lines = [
        {"id": "a", "prompt": "ZEBRASECRET launch phone", "negative_prompt": "NEGSECRET"},
        {"id": "b", "prompt": "ZEBRASECRET <lora:PROJECTSECRET:0.8>", "intent": "replace"},
        {"id": "c", "prompt": "ZEBRASECRET (broken:((", "intent": "replace"},
        {"id": "d", "prompt": "ZEBRASECRET red", "steps": "ZEBRASECRET"},
        {"id": "e", "promt": "ZEBRASECRET red"},
        {"id": "f", "prompt": ["ZEBRASECRET"]},
        {"id": "g", "prompt": "ZEBRASECRET embedding:EMBSECRET", "intent": "replace"},
    ]
    tables = [json.dumps({"image": "p000.png", "box": BOX, "output": f"{line['id']}.png", **line}) for line in lines]
    bench.run(tables, private=True, rules={"record": "none"}, report=True)  # type: ignore[arg-type]
    assert not any(word in repr(bench.events) for word in words)
    for path in bench.out.rglob("*"):
        held = path.read_bytes() if path.is_file() else b""
        assert not any(word.encode() in held for word in words), path


def test_prompts_of_rows_of_an_earlier_run_that_left_the_list_are_dropped(bench: Bench) -> None:
    tables = [{"image": f"p{n:03}.png", "box": BOX, "prompt": SECRET} for n in range(2)]
    bench.run(tables, report=True, rules={"record": "none"})
    assert SECRET in (bench.out / "report.csv").read_text()
    bench.run(tables[:1], private=True, report=True, rules={"record": "none"})
    for name in ("report.csv", "report.html"):
        assert SECRET not in (bench.out / name).read_text()
    with Ledger(bench.out / ".overpaint" / "ledger.sqlite") as ledger:
        left = ledger.entry("p001.remove.png")
        assert left is not None
        assert left.result
        assert not any(SECRET in (entry.detail or "") for entry in ledger.entries())
