"""A prune removes the files of rows that have left the list, and no others: not those of rows that are bad for now, not
those that a person has changed, nothing that the ledger and the log do not prove.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batches import BOX, Bench, photo, photos
from forks import Forked, run_forked
from overpaint import Studio
from overpaint.audit import verify
from overpaint.batch import BatchFolders, Pruned, prune, review
from overpaint.cli.run import run as command
from overpaint.errors import LedgerError, OutputError, RequestError
from overpaint.ledger import Ledger
from stand_ins import by_seed

Tables = list[Any]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    photos(tmp_path, 4)
    return Bench(tmp_path)


def _tables(*numbers: int, **more: Any) -> Tables:
    return [{"image": f"p{n:03}.png", "box": BOX, "id": f"r{n}", **more} for n in numbers or range(4)]


def _prune(bench: Bench, tables: Tables, *, yes: bool = True, **changes: Any) -> Pruned:
    with Studio() as studio:
        studio.add_engine(bench.engine())
        return prune(bench.rows(tables), bench.options(**changes), studio, dry_run=not yes)


def _verdict(bench: Bench) -> Any:
    from overpaint.batch import LogWitness

    log, path = bench.out / "audit.jsonl", bench.out / ".overpaint" / "ledger.sqlite"
    witness = LogWitness.reading(path, log)
    return verify(log, inputs=True, witness=lambda: witness.full_witness(log))


def _paths(pruned: Pruned) -> list[str]:
    return [file.path for file in pruned.files]


def test_results_of_rows_that_left_go_and_verify_does_not_miss_them(bench: Bench) -> None:
    bench.run(_tables(), report=True, rules={"record": "sidecar"})
    how: dict[str, Any] = {"report": True, "rules": {"record": "sidecar"}}
    found = _prune(bench, _tables(1, 3), yes=False, **how)
    gone = [f"p{n:03}.remove.png{end}" for n in (0, 2) for end in ("", ".overpaint.json")]
    assert (found.dry_run, _paths(found), found.rows, found.thumbnails) == (True, gone, ("r0", "r2"), 2)
    assert found.bytes == sum((bench.out / name).stat().st_size for name in gone)
    assert all((bench.out / name).exists() for name in gone), "a dry run removes nothing"
    done = _prune(bench, _tables(1, 3), **{**how, "rules": dict(how["rules"])})
    assert (_paths(done), done.rows, done.kept, done.thumbnails) == (gone, ("r0", "r2"), (), 2)
    assert bench.names() == {"p001.remove.png", "p003.remove.png"}
    verdict = _verdict(bench)
    assert (verdict.whole, verdict.notes, verdict.records, verdict.outputs) == (True, (), 4, 2)
    assert "no longer" not in (bench.out / "report.csv").read_text()
    assert (bench.out / "report.csv").read_text().count("\n") == 3
    last = json.loads((bench.out / "audit.jsonl").read_text().splitlines()[-1])["record"]
    assert (last["kind"], last["what"], [one["place"] for one in last["files"]]) == ("note", "pruned", gone)
    assert last["who"]["uid"] == os.getuid()
    again = bench.run(_tables(), rules={"record": "sidecar"})
    assert (again.done, again.unchanged) == (2, 2), "rows that come back are done again"
    assert (_verdict(bench).whole, _verdict(bench).notes) == (True, ())


@pytest.mark.parametrize("private", [False, True])
def test_a_file_that_was_changed_is_kept_and_named(bench: Bench, private: bool) -> None:
    how: dict[str, Any] = {"private": True} if private else {}
    bench.run(_tables(), **how)
    photo(bench.out / "p000.remove.png", seed=9)
    found = _prune(bench, _tables(3), **how)
    assert _paths(found) == ["p001.remove.png", "p002.remove.png"]
    assert [(one.path, one.reason) for one in found.kept] == [
        ("p000.remove.png", "it was changed since it was written")
    ]
    assert [one.path for one in _prune(bench, _tables(3), **how).kept] == ["p000.remove.png"], "and the next time"


BAD_FOR_NOW: dict[str, Any] = {
    "its picture is missing": {"image": "moved.png", "id": "r0", "box": BOX},
    "its mask is missing": {"image": "p000.png", "mask": "none.png"},
    "a setting is wrong": {"image": "p000.png", "box": BOX, "strength": 7},
    "a field is unknown": {"image": "p000.png", "boxx": BOX},
    "its id can't be read": {"image": "moved.png", "id": {"a": 1}, "box": BOX},
    "its output can't be read": {"image": "moved.png", "output": 5, "box": BOX},
    "the engine is unknown": {"image": "p000.png", "box": BOX, "engine": "none-such"},
    "it can't be read at all": '{"image": "p000.png", ',
    "it comes after no row": {"after": "none", "box": BOX},
    "the address is not allowed": {"image": "s3://bucket/p000.png", "box": BOX},
}


@pytest.mark.parametrize("why", BAD_FOR_NOW)
@pytest.mark.parametrize("ids", [True, False])
def test_the_result_of_a_row_that_is_bad_for_now_is_kept(bench: Bench, why: str, ids: bool) -> None:
    tables = _tables(0, 1)
    bad = BAD_FOR_NOW[why]
    if ids and isinstance(bad, dict):
        bad = {"id": "r0", **bad}
    if not ids:
        for table in tables:
            del table["id"]
        if why == "its picture is missing":
            bad = {name: value for name, value in bad.items() if name != "id"}
            bad["image"] = "p000.png"
            (bench.folder / "kept.png").write_bytes((bench.folder / "p000.png").read_bytes())
    bench.run(tables)
    if why == "its picture is missing" and not ids:
        (bench.folder / "p000.png").unlink()
    before = (bench.out / "p000.remove.png").read_bytes()
    found = _prune(bench, [bad, tables[1]])
    assert "p000.remove.png" not in _paths(found)
    assert (bench.out / "p000.remove.png").read_bytes() == before
    bench.run([bad, tables[1]])  # as a bad row is noted in the ledger
    _prune(bench, [bad, tables[1]])
    assert (bench.out / "p000.remove.png").read_bytes() == before
    if why == "its picture is missing" and not ids:
        (bench.folder / "kept.png").rename(bench.folder / "p000.png")
    if not (bench.folder / "p000.png").exists():
        return
    assert bench.run(tables).failed == 0


def test_a_forgotten_option_costs_no_result(bench: Bench) -> None:
    """With another name or intent the rows would have other results: those that are there stay until they are done."""
    tables = [{"image": f"p{n:03}.png", "box": BOX} for n in range(3)]
    bench.run(tables, rules={"name": "{name}-clean{ext}"})
    found = _prune(bench, tables)
    assert (found.files, len(found.kept)) == ((), 3)
    assert "edits the same picture, and is not done yet" in found.kept[0].reason
    bench.run(tables)
    assert len(_prune(bench, tables).files) == 3, "the same rows have their results under other names now"
    assert bench.names() == {f"p{n:03}.remove.png" for n in range(3)}


def test_what_a_row_reads_is_kept(bench: Bench) -> None:
    bench.run(_tables(0, 1))
    tables = [*_tables(1), {"image": "out/p000.remove.png", "box": "1,1,9,9", "id": "on"}]
    bench.run(tables)
    found = _prune(bench, tables)
    assert (found.files, [one.reason for one in found.kept]) == ((), ["row 2 reads it"])


def test_a_row_that_changed_failed_and_left_is_still_known(bench: Bench) -> None:
    bench.run(_tables(0, 1))
    bench.run([{**_tables(0)[0], "image": "none.png"}, *_tables(1)])
    bench.run(_tables(1))
    assert _paths(_prune(bench, _tables(1))) == ["p000.remove.png"]


def test_without_the_logs_record_nothing_goes(bench: Bench) -> None:
    bench.run(_tables(0, 1), audit=None)
    bench.run(_tables(1, 2, 3))
    found = _prune(bench, _tables(1, 3))
    assert _paths(found) == ["p002.remove.png"]
    assert [(one.path, one.reason) for one in found.kept] == [("p000.remove.png", "the audit log has no record of it")]
    assert _paths(_prune(bench, _tables(1, 3), audit=None)) == ["p000.remove.png"], "the ledger is enough without a log"


def test_a_log_at_fault_and_a_missing_ledger_refuse(bench: Bench) -> None:
    bench.run(_tables())
    log = bench.out / "audit.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"attempt":1', b'"attempt":2', 1))
    with pytest.raises(OutputError, match="is not whole"):
        _prune(bench, _tables(1))
    (bench.out / ".overpaint" / "ledger.sqlite").unlink()
    with pytest.raises(RequestError, match="there is no ledger"):
        _prune(bench, _tables(1))
    assert len(bench.names()) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="links need a permission there")
def test_no_link_is_followed_and_nothing_outside_is_touched(bench: Bench) -> None:
    tables = [{**one, "output": f"sub/{one['id']}.png"} for one in _tables()]
    bench.run(tables)
    away = bench.folder / "away"
    (bench.out / "sub").rename(away)
    (bench.out / "sub").symlink_to(away)
    found = _prune(bench, [{"image": "p003.png", "box": BOX, "id": "other"}])
    assert (found.files, found.rows) == ((), ())
    assert len(list(away.iterdir())) == 4
    (bench.out / "sub").unlink()
    away.rename(bench.out / "sub")
    target = bench.folder / "target.png"
    (bench.out / "sub" / "r0.png").rename(target)
    (bench.out / "sub" / "r0.png").symlink_to(target)
    bench.run([{"image": "p003.png", "box": BOX, "id": "other"}])
    found = _prune(bench, [{"image": "p003.png", "box": BOX, "id": "other"}])
    assert _paths(found) == ["sub/r1.png", "sub/r2.png", "sub/r3.png"]
    assert target.exists()
    assert (bench.out / "sub" / "r0.png").is_symlink()


def test_emptied_folders_go_and_others_stay(bench: Bench) -> None:
    tables = [{**one, "output": f"{one['id']}/deep/a.png"} for one in _tables()]
    bench.run(tables)
    (bench.out / "r1" / "mine.txt").write_text("kept")
    _prune(bench, tables[3:])
    assert sorted(path.relative_to(bench.out).as_posix() for path in bench.out.rglob("*") if path.is_dir()) == [
        ".overpaint", "r1", "r3", "r3/deep"
    ]  # fmt: skip


def test_leftovers_of_killed_runs_go_and_files_like_them_stay(bench: Bench) -> None:
    bench.run(_tables())
    hidden = [".p000.remove.png.0123456789abcdef.part", ".p001.remove.png.overpaint.json.part"]
    mine = [".p000.remove.png.part", ".other.png.0123456789abcdef.part", ".p000.remove.png.0123.part", "p9.png.part"]
    for name in (*hidden, *mine):
        (bench.out / name).write_bytes(b"half")
    found = _prune(bench, _tables())
    assert (sorted(_paths(found)), {file.kind for file in found.files}) == (sorted(hidden), {"unfinished"})
    assert bench.strays() == sorted(mine)
    assert len(bench.names()) == 4


def test_a_running_batch_keeps_a_prune_out_and_filters_are_refused(bench: Bench) -> None:
    bench.run(_tables())
    with bench.options().folders.exclusive(), pytest.raises(LedgerError, match="another run is at work"):
        _prune(bench, _tables(1))
    with pytest.raises(RequestError, match="looks at all rows"):
        _prune(bench, _tables(1), limit=1)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_kept_is_exactly_what_the_list_owns_or_may_own_or_a_person_changed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    bench = Bench(tmp_path_factory.mktemp("prune"))
    photos(bench.folder, 6)
    ids = data.draw(st.booleans())

    def row(n: int) -> dict[str, Any]:
        return {"image": f"p{n:03}.png", "box": BOX, **({"id": f"r{n}"} if ids else {})}

    before = data.draw(st.sets(st.integers(0, 5), min_size=1))
    after = data.draw(st.dictionaries(st.integers(0, 5), st.sampled_from(["good", "bad"]), min_size=1))
    changed = data.draw(st.sets(st.sampled_from(sorted(before))))
    deleted = data.draw(st.sets(st.sampled_from(sorted(before))))
    bench.run([row(n) for n in sorted(before)])
    (bench.out / "mine.png").write_bytes(b"a person's")
    for n in changed - deleted:
        photo(bench.out / f"p{n:03}.remove.png", seed=90 + n)
    for n in deleted:
        (bench.out / f"p{n:03}.remove.png").unlink()
    tables = [row(n) if how == "good" else {**row(n), "strength": 9} for n, how in sorted(after.items())]
    there = bench.names()
    if all(how == "bad" for how in after.values()):
        tables.append({"image": "p000.png", "box": BOX, "output": "another.png"})
    _prune(bench, tables)
    keep = {n for n in before - deleted if n in after or n in changed}
    if "another.png" in str(tables) and 0 in before - deleted:
        keep.add(0)  # its picture is edited by a row that is not done
    assert bench.names() == {f"p{n:03}.remove.png" for n in keep} | {"mine.png"}
    assert bench.names() <= there
    bench.run(tables)
    verdict = _verdict(bench)
    assert verdict.whole or changed


# ── killed ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_PRUNE = """
import os, signal, sys
import overpaint.batch.prune
from overpaint.ledger import Ledger
from overpaint.audit import AuditLog
step, _, side = sys.argv[1].rpartition("-")
left = int(sys.argv[2])
def dying(run):
    def wrapped(*args, **named):
        global left
        left -= 1
        if side == "before" and left == 0: os.kill(os.getpid(), signal.SIGKILL)
        found = run(*args, **named)
        if left == 0: os.kill(os.getpid(), signal.SIGKILL)
        return found
    return wrapped
owner, name = {
    "remove": (sys.modules["overpaint.batch.prune"], "remove_result"), "note": (AuditLog, "note"),
    "forget": (Ledger, "forget"), "again": (Ledger, "again"),
}[step]
setattr(owner, name, dying(getattr(owner, name)))
from overpaint.cli.run import run
sys.exit(run(["batch", "prune", "edits.jsonl", "-o", "out", "--yes", "--json", *sys.argv[3:]]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is another thing there")
@pytest.mark.parametrize(
    "when", ["again-after", "note-before", "note-after", "remove-after", "forget-before", "forget-after"]
)
def test_a_prune_that_is_killed_is_finished_by_the_next(tmp_path: Path, when: str, monkeypatch) -> None:
    photos(tmp_path, 5)
    monkeypatch.chdir(tmp_path)
    rows = [{"image": f"p{n:03}.png", "box": BOX, "engine": "telea"} for n in range(5)]
    Path("edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert command(["batch", "edits.jsonl", "-o", "out", "--quiet"]) == 0
    kept = hashlib.sha256(Path("out/p004.remove.png").read_bytes()).hexdigest()
    Path("edits.jsonl").write_text(json.dumps(rows[4]))
    script = [sys.executable, "-c", _PRUNE, when]
    count = "2" if when == "remove-after" else "1"
    killed = run_forked([*script, count], capture_output=True, text=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    bench = Bench(tmp_path)
    assert _verdict(bench).whole, _verdict(bench).faults
    last = run_forked([*script, "0"], capture_output=True, text=True, timeout=120)
    assert last.returncode == 0, last.stderr
    assert bench.names() == {"p004.remove.png"}
    assert hashlib.sha256(Path("out/p004.remove.png").read_bytes()).hexdigest() == kept
    verdict = _verdict(bench)
    assert (verdict.whole, verdict.notes, verdict.outputs) == (True, (), 1)
    with Ledger(bench.out / ".overpaint" / "ledger.sqlite") as ledger:
        assert [entry.id for entry in ledger.entries()] == ["p004.remove.png"]
    lines = Path("out/audit.jsonl").read_text().splitlines()
    assert sum('"what":"pruned"' in line for line in lines) == 1, "announced once"


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is another thing there")
def test_a_row_that_comes_back_after_a_killed_prune_is_done_again(tmp_path: Path, monkeypatch) -> None:
    photos(tmp_path, 2)
    monkeypatch.chdir(tmp_path)
    rows = [{"image": f"p{n:03}.png", "box": BOX, "engine": "telea"} for n in range(2)]
    text = "\n".join(map(json.dumps, rows))
    Path("edits.jsonl").write_text(text)
    assert command(["batch", "edits.jsonl", "-o", "out", "--quiet"]) == 0
    Path("edits.jsonl").write_text(json.dumps(rows[1]))
    run_forked([sys.executable, "-c", _PRUNE, "note-after", "1"], capture_output=True, timeout=120)
    notes = _verdict(Bench(tmp_path)).notes
    assert "p000.remove.png was pruned, and the file is still there" in " ".join(notes)
    Path("edits.jsonl").write_text(text)
    assert command(["batch", "edits.jsonl", "-o", "out", "--quiet"]) == 0
    verdict = _verdict(Bench(tmp_path))
    assert (verdict.whole, verdict.notes, verdict.outputs) == (True, (), 2)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is another thing there")
def test_what_a_killed_run_painted_of_rows_that_left_goes(tmp_path: Path, monkeypatch) -> None:
    photos(tmp_path, 30)
    monkeypatch.chdir(tmp_path)
    rows = [{"image": f"p{n:03}.png", "box": BOX, "engine": "telea"} for n in range(30)]
    Path("edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
    batch = [sys.executable, "-m", "overpaint", "batch", "edits.jsonl", "-o", "out"]
    process = Forked(batch, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(8):
        process.stdout.readline()
    time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    Path("edits.jsonl").write_text(json.dumps(rows[0]))
    assert command(["batch", "prune", "edits.jsonl", "-o", "out", "--quiet"]) == 0
    before = sorted(path.name for path in Path("out").iterdir())
    assert len(before) > 4, "a dry run"
    assert command(["batch", "prune", "edits.jsonl", "-o", "out", "--yes", "--quiet"]) == 0
    left = sorted(path.name for path in Path("out").iterdir() if path.name != ".overpaint")
    assert left == ["audit.head", "audit.jsonl", "p000.remove.png", "report.csv", "report.html"]
    verdict = _verdict(Bench(tmp_path))
    assert (verdict.whole, verdict.outputs) == (True, 1)


def test_the_command_lists_then_removes(bench: Bench, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(bench.folder)
    rows = [{"image": f"p{n:03}.png", "box": BOX, "engine": "telea"} for n in range(4)]
    Path("edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert command(["batch", "edits.jsonl", "-o", "out", "--quiet"]) == 0
    Path("edits.jsonl").write_text("\n".join(map(json.dumps, rows[:2])))
    photo(bench.out / "p003.remove.png", seed=4)
    assert command(["batch", "prune", "edits.jsonl", "-o", "out"]) == 0
    text = capsys.readouterr().out
    assert "would remove p002.remove.png (result, " in text
    assert "kept p003.remove.png: it was changed" in text
    assert "--yes removes them" in text
    assert len(bench.names()) == 4
    assert command(["batch", "prune", "edits.jsonl", "-o", "out", "--yes", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert [file["path"] for file in table["files"]] == ["p002.remove.png"]
    assert (table["dry_run"], table["rows"], table["failed"]) == (False, ["p002.remove.png"], 0)
    assert command(["batch", "prune", "edits.jsonl", "-o", "out", "--yes", "--dry-run"]) == 2


# ── results in review ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def gated(tmp_path: Path) -> Bench:
    """Odd seeds paint white, which is doubtful."""
    photos(tmp_path, 4)
    return Bench(tmp_path, engine=by_seed)


GATE: dict[str, Any] = {"rules": {"gate": True, "record": "sidecar"}}


def _gated(seed: int = 1, *numbers: int) -> Tables:
    return [{**one, "seed": seed} for one in _tables(*numbers)]


def _how(**rules: Any) -> dict[str, Any]:
    return {"rules": {**GATE["rules"], **rules}}


def _files(bench: Bench) -> dict[str, bytes]:
    found = (path for path in bench.out.rglob("*") if path.is_file() and ".overpaint" not in path.parts)
    return {
        path.relative_to(bench.out).as_posix(): path.read_bytes() for path in found if not path.name.startswith("audit")
    }


def test_results_in_review_of_listed_rows_are_not_touched(gated: Bench) -> None:
    gated.run(_gated(), **_how())
    review(BatchFolders.at(gated.out), gated.out / "audit.jsonl", "accepted", ["r0"])
    review(BatchFolders.at(gated.out), gated.out / "audit.jsonl", "rejected", ["r1"])
    before = _files(gated)
    assert len(before) == 6
    for how in (_how(), _how(gate=False)):
        found = _prune(gated, _gated(), **how)
        assert (found.files, found.kept, found.rows, found.failed) == ((), (), (), 0)
        assert _files(gated) == before
    assert (_verdict(gated).faults, _verdict(gated).notes) == ((), ())


def test_those_of_rows_that_left_go_as_they_were_written_and_a_retouched_one_stays(gated: Bench) -> None:
    gated.run(_gated(), **_how())
    review(BatchFolders.at(gated.out), gated.out / "audit.jsonl", "accepted", ["r0"])
    review(BatchFolders.at(gated.out), gated.out / "audit.jsonl", "rejected", ["r1"])
    aside = "needs-review/p002.remove.png"
    data = (gated.out / aside).read_bytes()
    photo(gated.out / aside, seed=9)
    found = _prune(gated, _gated(1, 3), **_how())
    assert _paths(found) == ["p000.remove.png", "p000.remove.png.overpaint.json"]
    assert [(one.path, one.reason) for one in found.kept] == [
        (aside, "it was changed since it was written"),
        (f"{aside}.overpaint.json", "its picture is kept"),
    ]
    (gated.out / aside).write_bytes(data)
    found = _prune(gated, _gated(1, 3), **_how())
    assert _paths(found) == [aside, f"{aside}.overpaint.json"]
    assert set(_files(gated)) == {f"needs-review/p003.remove.png{end}" for end in ("", ".overpaint.json")}
    assert (_verdict(gated).faults, _verdict(gated).notes) == ((), ())


def test_one_that_was_to_be_painted_again_and_left_goes(gated: Bench) -> None:
    """The run that was to paint it with other settings did nothing of it, so nothing took its place."""
    gated.run(_gated(1, 0, 1), **_how())
    with Ledger(gated.out / ".overpaint" / "ledger.sqlite") as ledger:
        ledger.again(["r0"])
    gated.run(_gated(1, 1), **_how())
    found = _prune(gated, _gated(1, 1), **_how())
    aside = "needs-review/p000.remove.png"
    assert (_paths(found), found.rows) == ([aside, f"{aside}.overpaint.json"], ("r0",))
    assert (_verdict(gated).faults, _verdict(gated).notes) == ((), ())


def test_one_that_a_row_reads_is_kept(gated: Bench) -> None:
    gated.run(_gated(1, 0, 1), **_how())
    tables = [*_gated(1, 1), {"image": "out/needs-review/p000.remove.png", "box": "1,1,9,9", "id": "on", "seed": 2}]
    gated.run(tables, **_how())
    found = _prune(gated, tables, **_how())
    assert (found.files, [one.reason for one in found.kept]) == ((), ["row 2 reads it"])


def test_a_row_that_is_in_review_is_one_that_is_done(gated: Bench) -> None:
    gated.run([{**_gated(1, 0)[0], "output": "old.png"}], **_how())
    tables = [{**_gated(1, 0)[0], "id": "again"}]
    gated.run(tables, **_how())
    assert _paths(_prune(gated, tables, **_how()))[0] == "needs-review/old.png"


@pytest.mark.parametrize("field", ["image", "mask", "sketch", "insert", "avoid"])
def test_what_a_row_reads_that_is_bad_for_now_is_kept(bench: Bench, field: str) -> None:
    bench.run(_tables(0, 1))
    name = "out/p000.remove.png"
    bad = {"image": "p002.png", "box": BOX, field: [name] if field in ("mask", "avoid") else name, "strength": 7}
    found = _prune(bench, [*_tables(1), {**bad, "output": "z.png"}])
    assert (found.files, [one.reason for one in found.kept]) == ((), ["row 2 reads it"])
