"""A batch that is killed loses the edits in flight and nothing else; with nothing to do it takes seconds."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from batches import Bench, photo, pixels
from forks import Forked, run_forked
from overpaint.audit import verify
from overpaint.batch.clashes import OwnFiles
from overpaint.batch.files import Files
from overpaint.batch.status import job_of
from overpaint.ledger import Ledger

ROWS, KILLS, AHEAD = 200, 5, 6
BATCH = [sys.executable, "-m", "overpaint", "batch", "edits.jsonl", "-o", "out", "--engine", "telea"]


def folder_of(tmp_path: Path, count: int) -> Path:
    """A folder with a list of so many rows: pictures, and a chain now and then."""
    rng = np.random.default_rng(5)
    rows = []
    for n in range(count):
        pixels = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"p{n:03}.png")
        if n % 10 == 9:
            rows.append({"id": f"r{n}", "after": f"r{n - 1}", "box": "2,2,8,8", "output": f"r{n}.png"})
        else:
            rows.append({"id": f"r{n}", "image": f"p{n:03}.png", "box": "10,8,20,16", "output": f"r{n}.png"})
    (tmp_path / "edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def start(folder: Path, *more: str) -> Forked:
    return Forked([*BATCH, *more], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def killed_when(process: Forked, events: int, delay: float) -> None:
    """SIGKILL, a moment after so many rows were done."""
    assert process.stdout is not None
    seen = 0
    while seen < events and process.stdout.readline():
        seen += 1
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is another thing there")
def test_killed_five_times_two_hundred_rows_have_each_one_result_and_nothing_is_left_behind(tmp_path):
    folder = folder_of(tmp_path, ROWS)
    chance = random.Random(11)
    for _ in range(KILLS):
        killed_when(start(folder, "--no-report"), chance.randint(8, 30), chance.random() * 0.08)
    last = start(folder)
    out, err = last.communicate(timeout=300)
    assert last.returncode == 0, err
    ended = json.loads(out.splitlines()[-1])
    assert ended["done"] + ended["unchanged"] == ROWS

    results = sorted(path.name for path in (folder / "out").iterdir() if path.is_file())
    own = ["audit.head", "audit.jsonl", "report.csv", "report.html"]
    assert results == sorted([*own, *(f"r{n}.png" for n in range(ROWS))]), "each result once, and no stray file"
    verdict = verify(folder / "out" / "audit.jsonl")
    assert (verdict.whole, verdict.records, verdict.outputs) == (True, ROWS, ROWS), verdict.faults
    with Ledger(folder / "out" / ".overpaint" / "ledger.sqlite") as ledger:
        entries = ledger.entries()
    assert {entry.state for entry in entries} == {"done"}
    begun = sum(entry.attempts for entry in entries)
    assert ROWS <= begun <= ROWS + KILLS * AHEAD, "nothing was painted twice but what was in flight"

    calm = tmp_path / "calm"
    calm.mkdir()
    run_forked([*BATCH, "--no-report"], cwd=folder_of(calm, ROWS), stdout=subprocess.DEVNULL, check=True)
    for n in range(0, ROWS, 7):
        assert np.array_equal(pixels(folder / "out" / f"r{n}.png"), pixels(calm / "out" / f"r{n}.png"))


_DIE_AT = """
import os, signal, sys
from overpaint.batch import results, store
from overpaint.ledger import Ledger
from overpaint.audit import AuditLog

def dying(do):
    def then_die(*given, **more):
        if BEFORE:
            os.kill(os.getpid(), signal.SIGKILL)
        do(*given, **more)
        os.kill(os.getpid(), signal.SIGKILL)
    return then_die

BEFORE = sys.argv[2] == "before"
match sys.argv[1]:
    case "finish": Ledger.finish = dying(Ledger.finish)
    case "name": results.publish = dying(results.publish)
    case "audit": AuditLog.append = dying(AuditLog.append)
    case "done": Ledger.done = dying(Ledger.done)
    case "report":
        publish = store.publish_file
        at_report = dying(publish)
        store.publish_file = lambda hidden, target, **how: (
            at_report if target.name == "report.html" else publish
        )(hidden, target, **how)
from overpaint.cli import main
sys.exit(main(sys.argv[3:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is another thing there")
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", ["finish", "name", "audit", "done"])
def test_killed_at_each_step_of_settling_the_next_run_completes_the_remaining_steps(tmp_path, step, moment):
    folder = folder_of(tmp_path, 3)
    words = [sys.executable, "-c", _DIE_AT, step, moment, *BATCH[3:], "--no-report", "--ahead", "1"]
    assert run_forked(words, cwd=folder, capture_output=True).returncode == -signal.SIGKILL
    again = run_forked([*BATCH, "--no-report"], cwd=folder, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    began, ended = (json.loads(again.stdout.splitlines()[at]) for at in (0, -1))
    painted_before = (step, moment) != ("finish", "before")
    assert began["completed"] == (1 if painted_before and (step, moment) != ("done", "after") else 0)
    assert ended["done"] == (2 if painted_before else 3), "what was painted is not painted again"
    names = {path.name for path in (folder / "out").iterdir() if path.is_file()}
    assert names == {"r0.png", "r1.png", "r2.png", "audit.jsonl", "audit.head"}
    verdict = verify(folder / "out" / "audit.jsonl")
    assert (verdict.whole, verdict.records) == (True, 3), verdict.faults


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is another thing there")
def test_killed_while_the_report_is_written_the_next_run_leaves_nothing_of_it_behind(tmp_path):
    folder = folder_of(tmp_path, 2)
    words = [sys.executable, "-c", _DIE_AT, "report", "before", *BATCH[3:]]
    assert run_forked(words, cwd=folder, capture_output=True).returncode == -signal.SIGKILL
    assert (folder / "out" / ".report.html.part").exists()
    again = run_forked([*BATCH], cwd=folder, capture_output=True, text=True)
    assert json.loads(again.stdout.splitlines()[-1])["unchanged"] == 2
    assert (folder / "out" / "report.html").exists()
    assert not list((folder / "out").glob(".*.part"))


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_cleanly_and_finished_results_stay(tmp_path, number, status):
    folder = folder_of(tmp_path, 120)
    process = start(folder)
    assert process.stdout is not None
    for _ in range(12):
        process.stdout.readline()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert err.count("\n") == 1
    ended = json.loads(out.splitlines()[-1])
    assert (ended["event"], ended["interrupted"]) == ("ended", True)
    assert ended["done"] >= 11
    names = {path.name for path in (folder / "out").iterdir() if path.is_file()}
    assert len([name for name in names if name.endswith(".png")]) == ended["done"]
    assert not [name for name in names if name.startswith(".")]
    assert (folder / "out" / "report.html").exists()
    assert verify(folder / "out" / "audit.jsonl").records == ended["done"]


def test_thousands_of_rows_with_nothing_to_do_load_no_network_and_open_no_picture(tmp_path):
    """The ledger is written here as a run would leave it; that the two agree is what other tests show on small ones."""
    count = 2_000
    bench = Bench(tmp_path)
    photo(tmp_path / "p.png")
    tables = [
        {"image": "p.png", "box": f"{n % 20},5,30,20", "output": f"{n}.png", "engine": "telea"} for n in range(count)
    ]
    (tmp_path / "edits.jsonl").write_text("\n".join(map(json.dumps, tables)))
    options = bench.options()
    options.folders.make()
    planned = bench.preview(tables[:1]).plan  # makes the state's files
    assert len(planned.items) == 1
    from overpaint import Studio
    from overpaint.batch import plan

    for n in range(count):
        (bench.out / f"{n}.png").write_bytes(b"%d" % n)
    state = options.folders.state
    with Studio() as studio, Files(state / "files.sqlite") as files, Ledger(state / "ledger.sqlite") as ledger:
        own = OwnFiles({bench.out / f"{n}.png" for n in range(count)})
        items = plan(bench.rows(tables), options.rules, studio, files, own).items
        ledger.add(job_of(item, bench.out) for item in items)
        with ledger._transaction() as execute:
            for item in items:
                digest = files.known(item.output).sha256
                execute("UPDATE job SET state = 'done', result = ? WHERE id = ?", (digest, item.id))
        assert ledger.entries()[0].spec == "0.png"
    code = (
        "import sys, overpaint.batch.worker as work; work.open_picture = None; from overpaint.cli import main; "
        "status = main(sys.argv[1:]); assert 'torch' not in sys.modules; sys.exit(status)"
    )
    words = ["batch", "edits.jsonl", "-o", "out", "--no-report", "--json"]
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    assert done.returncode == 0, done.stderr
    ended = json.loads(done.stdout.splitlines()[-1])
    assert (ended["done"], ended["unchanged"]) == (0, count)
    print(f"{count} rows with nothing to do: {seconds:.1f} s")
