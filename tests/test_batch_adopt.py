"""A lost ledger is made again from the audit log and the files, and takes nothing that the log does not prove."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from batches import BOX, Bench, photo, photos
from overpaint import Studio
from overpaint.audit import verify
from overpaint.batch import Adopted, Began, adopt
from overpaint.cli.run import run as command
from overpaint.errors import RequestError


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    photos(tmp_path, 3)
    return Bench(tmp_path)


def _tables() -> list[dict[str, Any]]:
    return [{"image": f"p{n:03}.png", "box": BOX, "id": f"r{n}"} for n in range(3)]


def _adopt(bench: Bench, tables: list[dict[str, Any]], **changes: Any) -> Adopted:
    with Studio() as studio:
        studio.add_engine(bench.engine())
        return adopt(bench.rows(tables), bench.options(**changes), studio)


def _lose(bench: Bench) -> None:
    shutil.rmtree(bench.out / ".overpaint")


@pytest.mark.parametrize("private", [False, True])
def test_a_lost_ledger_is_made_again_and_nothing_is_painted_again(bench: Bench, private: bool) -> None:
    how: dict[str, Any] = {"private": private, "rules": {"record": "none" if private else "embed"}}
    tables = [*({**one, "prompt": "a word"} for one in _tables()), {"after": "r0", "id": "c", "box": "1,1,9,9"}]
    bench.run(tables, **how)
    before = {name: (bench.out / name).read_bytes() for name in bench.names()}
    _lose(bench)
    assert bench.run(tables, **{**how, "rules": dict(how["rules"])}).failed, "without adopting they are in the way"
    _lose(bench)
    found = _adopt(bench, tables, **{**how, "rules": dict(how["rules"])})
    assert (found.adopted, found.left) == (("r0", "r1", "r2", "c"), ())
    ended = bench.run(tables, **how)
    assert (ended.unchanged, ended.done, ended.failed) == (4, 0, 0)
    assert {name: (bench.out / name).read_bytes() for name in bench.names()} == before
    assert verify(bench.out / "audit.jsonl").whole


def test_only_what_the_log_proves_is_adopted(bench: Bench) -> None:
    bench.run(_tables())
    _lose(bench)
    photo(bench.out / "p000.remove.png", seed=77)  # a forged result
    photo(bench.folder / "p001.png", seed=78)  # another picture
    tables = _tables()
    tables[2]["box"] = "9,6,20,16"  # another place
    found = _adopt(bench, tables)
    assert found.adopted == ()
    assert [number for number, _ in found.left] == [1, 2, 3]
    assert [reason.partition(" ")[0] for _, reason in found.left] == ["its", "it", "it"]


@pytest.mark.parametrize("change", [{"seed": 5}, {"record": "none"}])
def test_other_settings_are_not_adopted(bench: Bench, change: dict[str, Any]) -> None:
    bench.run(_tables())
    _lose(bench)
    assert len(_adopt(bench, _tables(), rules=change).left) == 3


def test_a_result_of_a_quality_that_is_not_asked_for_any_more_is_not_adopted(bench: Bench) -> None:
    tables = [{**_tables()[0], "format": "jpeg", "quality": 30}]
    bench.run(tables)
    _lose(bench)
    del tables[0]["quality"]
    assert len(_adopt(bench, tables).left) == 1


def test_a_file_that_the_log_does_not_name_is_not_adopted_and_a_missing_one_is_no_matter(bench: Bench) -> None:
    bench.run(_tables()[:1])
    _lose(bench)
    photo(bench.out / "p001.remove.png", seed=5)
    found = _adopt(bench, _tables())
    assert found.adopted == ("r0",)
    assert found.left == ((2, "the audit log does not name its file"),)


def test_without_a_log_nothing_is_adopted(bench: Bench) -> None:
    with pytest.raises(RequestError, match="there is none"):
        _adopt(bench, _tables())


def test_the_command_adopts(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(bench.folder)
    rows = [{"image": f"p{n:03}.png", "box": BOX, "engine": "telea"} for n in range(2)]
    Path("edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert command(["batch", "edits.jsonl", "-o", "out"]) == 0
    _lose(bench)
    capsys.readouterr()
    assert command(["batch", "adopt", "edits.jsonl", "-o", "out"]) == 0
    assert "adopted: 2 results of 2 rows" in capsys.readouterr().out
    assert command(["batch", "edits.jsonl", "-o", "out", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["unchanged"] == 2
    assert all(event["time"] and event["run"] == events[0]["run"] for event in events)


@pytest.mark.parametrize(("before", "after"), [(30, None), (None, 30), (30, 40)])
def test_a_result_that_was_saved_in_another_quality_is_not_adopted(
    bench: Bench, before: int | None, after: int | None
) -> None:
    def table(quality: int | None) -> dict[str, Any]:
        return {**_tables()[0], "output": "a.jpg", **({} if quality is None else {"quality": quality})}

    bench.run([table(before)])
    _lose(bench)
    ((number, reason),) = _adopt(bench, [table(after)]).left
    assert number == 1
    assert "another quality" in reason
    assert bench.run([table(after)], rules={"overwrite": True}).done == 1
    _lose(bench)
    assert _adopt(bench, [table(after)]).adopted == ("r0",)


def test_a_run_after_the_ledger_was_lost_says_once_how_it_is_made_again(bench: Bench) -> None:
    bench.run(_tables())
    photo(bench.out / "x.png")
    _lose(bench)
    for _ in range(2):
        assert bench.run([*_tables(), {**_tables()[0], "output": "x.png", "id": "x"}]).failed == 4
        [note] = bench.events_of(Began)[0].notes
        assert note.startswith("3 files that are there are results by the audit log")
        assert "adopt them to make the ledger again" in note
    _adopt(bench, _tables())
    assert bench.run(_tables()).unchanged == 3
    assert bench.events_of(Began)[0].notes == ()
