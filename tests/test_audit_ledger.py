"""The ledger of a batch as a witness of its log: through kills, other writers, other places; and the commands."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from batches import BOX, Bench, photos
from overpaint.audit import AuditLog, Verdict, _log, read_head, verify
from overpaint.batch import LogWitness, ledger_at
from overpaint.cli import main
from overpaint.errors import OutputError
from overpaint.ledger import Ledger


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    photos(tmp_path, 4)
    return Bench(tmp_path)


def rows(count: int) -> list[dict[str, Any]]:
    return [{"image": f"p{n:03}.png", "box": BOX, "seed": n} for n in range(count)]


def verdict(bench: Bench, log: Path | None = None, state: Path | None = None, **more: Any) -> Verdict:
    log = log or bench.out / "audit.jsonl"
    ledger = ledger_at(state or bench.out)
    assert ledger is not None
    return verify(log, witness=lambda: LogWitness.reading(ledger, log).full_witness(log), **more)


class Killed(BaseException):
    pass


def killed(*_: object, **__: object) -> Any:
    raise Killed


@pytest.mark.parametrize(
    ("owner", "step"),
    [(_log, "_write"), (LogWitness, "advance"), (_log, "write_head"), (Ledger, "done")],
    ids=["before the line", "before the ledger knows it", "before the head", "before the row is done"],
)
def test_a_run_that_is_killed_at_any_step_leaves_a_log_that_is_whole(bench, monkeypatch, owner, step):
    bench.run(rows(2))
    with monkeypatch.context() as patched:
        patched.setattr(owner, step, killed)
        with pytest.raises(Killed):
            bench.run(rows(4))
    assert verdict(bench).faults == ()
    assert bench.run(rows(4)).failed == 0
    found = verdict(bench, strict=True)
    assert (found.faults, found.records, found.outputs) == ((), 4, 4)


def test_what_is_done_to_the_log_during_a_run_ends_it(bench):
    def cut(event: object) -> None:
        log = bench.out / "audit.jsonl"
        if type(event).__name__ == "Done" and log.stat().st_size:
            log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))

    bench.events = type("Cutting", (list,), {"append": lambda self, event: (list.append(self, event), cut(event))})()
    ended = bench.run(rows(4), ahead=1)
    assert "is not whole, and nothing is appended to it: line 1: the last line is missing" in ended.stopped
    with pytest.raises(OutputError, match="the last line is missing"):
        bench.run(rows(4))


def test_the_folder_may_be_moved(bench, tmp_path):
    bench.run(rows(2))
    moved = Path(shutil.move(bench.out, tmp_path / "moved"))
    ledger = ledger_at(moved)
    assert ledger is not None
    log = moved / "audit.jsonl"
    found = verify(log, witness=lambda: LogWitness.reading(ledger, log).full_witness(log), strict=True)
    assert (found.faults, found.ledger) == ((), "ledger.sqlite")


def test_a_log_that_several_batches_share_has_lines_of_others(tmp_path):
    log = tmp_path / "all.jsonl"
    benches = []
    for name in ("a", "b", "a"):
        photos(tmp_path / name, 3)
        one = Bench(tmp_path / name)
        one.run(rows(3 if one.out.exists() else 2), audit=log)
        benches.append(one)
    for one in benches:
        found = verdict(one, log)
        assert (found.faults, found.records) == ((), 5)
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    assert any("ledger.sqlite counts 5" in str(fault) for fault in verdict(benches[0], log).faults)


def test_a_row_done_again_has_two_records_and_the_last_counts(bench):
    bench.run(rows(2))
    (bench.out / "p000.remove.png").unlink()
    bench.run(rows(2))
    found = verdict(bench, strict=True)
    assert (found.faults, found.records, found.outputs) == ((), 3, 2)


def test_a_result_that_the_ledger_has_otherwise_is_a_fault(bench):
    bench.run(rows(2))
    with Ledger(bench.out / ".overpaint" / "ledger.sqlite") as ledger, ledger._transaction() as run:
        run("UPDATE job SET result = ? WHERE spec = 'p000.remove.png'", ("0" * 64,))
    assert any("has another digest of its output p000.remove.png" in str(fault) for fault in verdict(bench).faults)


def test_results_that_were_made_without_a_log_are_told(bench):
    bench.run(rows(1), audit=None)
    bench.run(rows(2))
    found = verdict(bench)
    assert found.whole
    assert "ledger.sqlite has the result p000.remove.png, of which the log has no record" in found.notes
    assert "p000.remove.png is not in the log" in found.notes


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    noisy = np.random.default_rng(7).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Path("photos").mkdir()
    for name in ("a", "b"):
        Image.fromarray(noisy).save(f"photos/{name}.png")
        noisy = noisy[::-1]
    Image.fromarray(np.pad(np.full((20, 20), 255, np.uint8), 20)[:, :60]).resize((80, 60)).save("mask.png")
    return tmp_path


BATCH = ["batch", "--images", "photos", "--masks", "mask.png", "--engine", "telea", "-q", "-o", "out"]
EDIT = ["remove", "photos/a.png", "--mask", "mask.png", "--engine", "telea", "-q", "-o"]


@pytest.mark.usefixtures("work")
class TestCommands:
    def said(self, capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
        capsys.readouterr()
        assert main(list(words)) == status
        out = capsys.readouterr()
        return out.out + out.err

    def test_an_edit_appends_to_a_batch_s_own_log_and_its_ledger_knows(self, capsys):
        main(BATCH)
        assert main([*EDIT, "out/more.png", "--audit", "out/audit.jsonl"]) == 0
        said = self.said(capsys, "audit", "verify", "out", "--strict", "--inputs")
        assert "is whole: 3 records, 3 outputs as written, ledger.sqlite agrees; head 3:" in said
        assert main(BATCH) == 0

    def test_a_fault_is_said_before_anything_is_painted_and_can_be_gone_on_over(self, capsys):
        main(BATCH)
        log = Path("out/audit.jsonl")
        log.write_bytes(log.read_bytes().splitlines(keepends=True)[0])
        Path("out/audit.head").unlink()
        Path("out/a.remove.png").unlink()
        for words in ([*BATCH, "--json"], [*BATCH, "--dry-run"], [*EDIT, "new.png", "--audit", "out/audit.jsonl"]):
            said = self.said(capsys, *words, status=1)
            assert "audit.head is missing" in said
            assert "--accept-fault goes on, and is recorded" in said
        assert not Path("new.png").exists()
        assert not Path("out/a.remove.png").exists()
        assert main([*BATCH, "--accept-fault"]) == 0
        said = self.said(capsys, "audit", "verify", "out", status=1)
        assert "line 2: a note in the log says that it was gone on with over a fault, by" in said
        assert main([*EDIT, "new.png", "--audit", "out/audit.jsonl"]) == 0

    def test_keys_from_the_making_to_the_verifying(self, capsys):
        pytest.importorskip("cryptography")
        assert "k signs, k.pub verifies: " in self.said(capsys, "audit", "keygen", "k")
        assert main([*BATCH, "--audit-key", "k"]) == 0
        said = self.said(capsys, "audit", "verify", "out", "--key", "k.pub")
        assert said.rstrip().endswith("...")
        assert "; signed by " in said
        assert "which was not checked" in self.said(capsys, "audit", "verify", "out")
        assert "there is no key to sign" in self.said(capsys, *BATCH, status=1)
        main(["audit", "keygen", "l"])
        said = self.said(capsys, "audit", "verify", "out", "--key", "l.pub", "--json", status=1)
        assert "it is signed by another key" in json.loads(said)["faults"][0]["text"]
        assert main([*EDIT, "more.png", "--audit", "own.jsonl", "--audit-key", "k"]) == 0
        assert main(["audit", "verify", "own.jsonl", "--key", "k.pub", "--strict"]) == 0
        said = self.said(capsys, "audit", "verify", "own.jsonl", "--key", "k", status=2)
        assert "--key takes the public key, and k is the private one: anyone who has it can forge the log" in said
        assert "is a public one" in self.said(capsys, *BATCH, "--audit-key", "k.pub", status=1)

    def test_a_ledger_elsewhere_is_named(self, capsys):
        assert main([*BATCH, "--state", "state"]) == 0
        assert "ledger.sqlite agrees" in self.said(capsys, "audit", "verify", "out"), "the folder notes where it is"
        Path("out/.overpaint/state").unlink()
        assert "agrees" not in self.said(capsys, "audit", "verify", "out")
        assert "ledger.sqlite agrees" in self.said(capsys, "audit", "verify", "out", "--against", "state", "--strict")
        log = Path("out/audit.jsonl")
        log.write_bytes(b"")
        Path("out/audit.head").unlink()
        assert main(["audit", "verify", "out"]) == 0, "nothing is left that knows of it"
        said = self.said(capsys, "audit", "verify", "out", "--against", "state/ledger.sqlite", status=1)
        assert "the last 2 lines are missing: ledger.sqlite counts 2" in said
        assert "there is no ledger" in self.said(capsys, "audit", "verify", "out", "--against", "photos", status=2)
        main([*EDIT, "more.png", "--audit", "own.jsonl"])
        said = self.said(capsys, "audit", "verify", "own.jsonl", "--against", "state", status=2)
        assert "does not know own.jsonl" in said

    @pytest.mark.parametrize("where", ["out/audit.jsonl", "link.jsonl", "out/../out/audit.jsonl"])
    @pytest.mark.parametrize("state", [[], ["--state", "state"]], ids=["beside", "elsewhere"])
    def test_the_log_of_another_batch_is_refused_before_anything_is_painted(self, capsys, where, state):
        assert main([*BATCH, *state]) == 0
        Path("link.jsonl").symlink_to("out/audit.jsonl")
        files = (Path("out/audit.jsonl"), Path("out/audit.head"))
        before = [file.read_bytes() for file in files]
        other = [*(word if word != "out" else "other" for word in BATCH), "--audit", where]
        for words in (other, [*other, "--accept-fault"], [*other, "--dry-run"]):
            said = self.said(capsys, *words, status=1)
            assert "that of another batch" in said
            assert str(Path(state[1] if state else "out/.overpaint").absolute() / "ledger.sqlite") in said
            assert "other/.overpaint/ledger.sqlite" in said or "link.jsonl is a link to" in said
        assert [file.read_bytes() for file in files] == before
        assert not list(Path("other").glob("*.png"))
        assert main(["audit", "verify", "out", "--strict"]) == 0

    def test_a_link_to_the_log_of_a_batch_takes_no_line(self, capsys):
        assert main(BATCH) == 0
        Path("link.jsonl").symlink_to("out/audit.jsonl")
        next(iter(Path("out").glob("*.png"))).unlink()
        assert "is a link to" in self.said(capsys, *BATCH, "--audit", "link.jsonl", status=1)
        assert "is a link to" in self.said(capsys, *EDIT, "more.png", "--audit", "link.jsonl", status=1)
        assert not Path("more.png").exists()
        assert main([*BATCH, "--audit", "out/../out/audit.jsonl"]) == 0, "its own log by another path"
        assert main(["audit", "verify", "out", "--strict"]) == 0

    def test_an_edit_tells_a_ledger_that_is_elsewhere(self, capsys):
        assert main([*BATCH, "--state", "state"]) == 0
        assert main([*EDIT, "out/more.png", "--audit", "out/audit.jsonl"]) == 0
        assert main(["audit", "verify", "out", "--strict"]) == 0
        assert main([*BATCH, "--state", "state"]) == 0

    def test_an_end_that_was_taken_out_of_the_ledger_does_not_hide_a_cut_tail(self, capsys):
        assert main(BATCH) == 0
        log, head = Path("out/audit.jsonl"), Path("out/audit.head")
        for lines in ("cut", "gone"):
            with sqlite3.connect("out/.overpaint/ledger.sqlite") as database:
                database.execute("DELETE FROM log_end")
            database.close()
            if lines == "cut":
                log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
            else:
                log.unlink()
            head.unlink(missing_ok=True)
            said = self.said(capsys, "audit", "verify", "out", status=1)
            assert "ledger.sqlite has results up to line 2" in said
            Path("out/p0.remove.png").unlink(missing_ok=True)
            assert "and nothing is appended to it" in self.said(capsys, *BATCH, status=1)

    def test_results_without_a_log_do_not_stop_the_first_one(self, capsys):
        assert main([*BATCH, "--audit", "none"]) == 0
        next(iter(Path("out").glob("*.png"))).unlink()
        assert main(BATCH) == 0
        assert main(["audit", "verify", "out"]) == 0

    @pytest.mark.skipif(os.name != "posix", reason="modes say little")
    def test_a_private_key_that_others_may_read_is_refused(self, capsys):
        assert main(["audit", "keygen", "k"]) == 0
        for mode in (0o644, 0o666, 0o640, 0o604):
            Path("k").chmod(mode)
            said = self.said(capsys, *BATCH, "--audit-key", "k", status=2)
            assert f"the private key k has the mode {mode:04o}" in said
            assert "chmod 600" in said
            assert not Path("out").exists()
        Path("k").chmod(0o400)
        assert main([*BATCH, "--audit-key", "k"]) == 0
        Path("k.pub").chmod(0o666)
        assert main(["audit", "verify", "out", "--key", "k.pub"]) == 0

    def test_a_pair_of_keys_replaces_nothing_and_says_what_it_can_not_write(self, capsys):
        assert main(["audit", "keygen", "k"]) == 0
        assert "k exists already" in self.said(capsys, "audit", "keygen", "k", status=1)
        Path("k").unlink()
        assert "k.pub exists already" in self.said(capsys, "audit", "keygen", "k", status=1)
        assert not Path("k").exists()
        assert "no/k" in self.said(capsys, "audit", "keygen", "no/k", status=1)
        assert "is a folder" in self.said(capsys, "audit", "keygen", ".", status=1)

    def test_a_head_from_elsewhere_is_its_count_and_its_hash(self, capsys):
        assert main(BATCH) == 0
        head = read_head(Path("out/audit.jsonl"))
        assert main(["audit", "verify", "out", "--head", str(head)]) == 0
        assert main(["audit", "verify", "out", "--head", head.hash]) == 0
        for count in (0, 1, 3):
            said = self.said(capsys, "audit", "verify", "out", "--head", f"{count}:{head.hash}", status=1)
            assert f"never had the head {count}:" in said

    @pytest.mark.parametrize(
        ("words", "option"),
        [
            ([*EDIT, "x.png", "--audit-key", "k"], "--audit-key"),
            ([*EDIT, "x.png", "--accept-fault"], "--accept-fault"),
            ([*BATCH, "--audit", "none", "--accept-fault"], "--accept-fault"),
        ],
    )
    def test_options_of_a_log_need_one(self, capsys, words, option):
        assert f"{option} is about the audit log" in self.said(capsys, *words, status=2)
        assert not Path("x.png").exists()

    def test_many_notes_are_counted(self, capsys):
        main(BATCH)
        for n in range(30):
            Path(f"out/x{n:02}.png").write_bytes(b"")
        said = self.said(capsys, "audit", "verify", "out")
        assert said.count("is not in the log") == 20
        assert "and 10 more notes" in said
        assert len(json.loads(self.said(capsys, "audit", "verify", "out", "--json"))["notes"]) == 30


def test_a_log_says_what_it_is_asked_only_once(bench, monkeypatch):
    """A run of many rows does not read its log again for each."""
    sizes: list[int] = []
    read = AuditLog._read
    monkeypatch.setattr(AuditLog, "_read", lambda self, file: (sizes.append(self._chain.size), read(self, file))[1])
    bench.run(rows(4))
    assert sorted(sizes) == sizes
    assert sizes[-1] > 0
