"""Pictures and results in object stores: by address, for the same rules as in folders."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from batches import BOX, Bench, photo
from overpaint.audit import entries, verify
from overpaint.batch import Address
from overpaint.batch.store import at, is_address
from overpaint.cli import main
from overpaint.errors import LedgerError, OutputError, RequestError
from overpaint.picture import open_picture


class TestAddresses:
    def test_a_path_s_arithmetic_keeps_the_address(self):
        place = Address("s3://bucket/summer/a.b.png")
        assert str(place) == os.fspath(place) == place.as_posix() == "s3://bucket/summer/a.b.png"
        assert (place.name, place.stem, place.suffix) == ("a.b.png", "a.b", ".png")
        assert str(place.parent) == "s3://bucket/summer"
        assert str(place.with_name("c.jpg")) == "s3://bucket/summer/c.jpg"
        assert str(Address("s3://bucket") / "winter" / "d.png") == "s3://bucket/winter/d.png"
        assert place.relative_to(Address("s3://bucket")).as_posix() == "summer/a.b.png"
        assert str(Address("file:///data/a.png")) == "file:///data/a.png"
        assert pickle.loads(pickle.dumps(place)) == place

    def test_names_are_distinguished(self):
        assert [is_address(name) for name in ("s3://a/b", "memory://a", "abfs+x://a")] == [True] * 3
        assert [is_address(name) for name in ("a/b", "C:\\a", "c://a", "", "a:b", "://a")] == [False] * 6
        assert at(Path("/data"), "a.png") == Path("/data/a.png")
        assert at(Path("/data"), "s3://a/b.png") == Address("s3://a/b.png")

    def test_an_address_that_cannot_be_opened_is_reported(self):
        with pytest.raises(RequestError, match=r"nosuch://a/b\.png can't be opened"):
            Address("nosuch://a/b.png").exists()

    def test_errors_of_a_store_are_those_of_files(self):
        with pytest.raises(FileNotFoundError):
            Address("memory://nowhere/a.png").read_bytes()
        Address("memory://nowhere/a.png").unlink(missing_ok=True)
        with pytest.raises(FileNotFoundError):
            Address("memory://nowhere/a.png").unlink()

    def test_the_marks_of_an_object_change_with_it(self):
        place = Address("memory://marks/a.bin")
        place.write_bytes(b"one")
        before = place.marks()
        assert place.marks() == before
        place.write_bytes(b"two")
        assert place.marks() != before


@pytest.fixture
def store() -> Iterator[Any]:
    """An object store in memory, empty before and after."""
    memory = fsspec.filesystem("memory")
    memory.rm("/", recursive=True) if memory.ls("/") else None
    yield memory
    memory.store.clear()


@pytest.fixture
def bench(tmp_path: Path, store: Any) -> Bench:
    """A bench whose results go into the store."""

    class Far(Bench):
        @property
        def out(self) -> Any:
            return Address("memory://results/batch")

        @property
        def state(self) -> Path:
            return self.folder / "state"

    return Far(tmp_path)


@pytest.fixture
def rows(tmp_path: Path, store: Any) -> list[dict[str, Any]]:
    """Three rows, whose pictures and one of whose masks are objects."""
    made = []
    for n in range(3):
        store.pipe_file(f"/in/{n}.png", photo(tmp_path / f"{n}.png", seed=n).read_bytes())
        made.append({"image": f"memory://in/{n}.png", "box": BOX})
    mask = np.zeros((30, 40), np.uint8)
    mask[6:16, 8:20] = 255
    from PIL import Image

    Image.fromarray(mask).save(tmp_path / "mask.png")
    store.pipe_file("/in/mask.png", (tmp_path / "mask.png").read_bytes())
    made[2] = {"image": "memory://in/2.png", "mask": "memory://in/mask.png"}
    return made


def results(store: Any) -> dict[str, bytes]:
    return {path.rpartition("/")[2]: store.cat_file(path) for path in store.find("/results")}


class TestBatches:
    def test_inputs_are_fetched_and_results_put(self, bench, rows, store, tmp_path):
        assert bench.run(rows).done == 3
        far = results(store)
        assert sorted(far) == ["0.remove.png", "1.remove.png", "2.remove.png"]
        near = Bench(tmp_path / "near")
        (tmp_path / "near").mkdir()
        assert near.run([{"image": str(tmp_path / f"{n}.png"), "box": BOX, "seed": 7} for n in range(2)]).done == 2
        assert bench.run([{**row, "seed": 7} for row in rows]).done == 3
        for n in range(2):
            one, other = open_picture(results(store)[f"{n}.remove.png"]), open_picture(near.out / f"{n}.remove.png")
            assert np.array_equal(one.samples, other.samples)

    def test_the_audit_names_addresses_and_lies_with_the_state(self, bench, rows, tmp_path):
        bench.run(rows)
        log = tmp_path / "state" / "audit.jsonl"
        assert verify(log).whole
        assert verify(log).notes == ("3 outputs are addresses and were not fetched",)
        records = [entry.record for entry in entries(log)]
        assert {record.input.place for record in records} == {row["image"] for row in rows}
        assert {record.output.place for record in records} == {
            f"memory://results/batch/{n}.remove.png" for n in range(3)
        }
        assert [mask.place for record in records for mask in record.masks] == ["memory://in/mask.png"]

    def test_a_store_that_is_out_of_reach_ends_the_run_and_the_next_one_publishes(self, bench, rows, monkeypatch):
        with monkeypatch.context() as patched:
            patched.setattr(Address, "exists", lambda place: (_ for _ in ()).throw(OSError("no route")))
            assert bench.run(rows[:1], rules={"overwrite": True}).stopped.endswith("no route")
        assert bench.run(rows[:1]).unchanged == 1

    def test_a_rerun_makes_missing_or_changed_results(self, bench, rows, store, tmp_path):
        bench.run(rows)
        assert bench.run(rows).unchanged == 3
        store.pipe_file("/in/0.png", photo(tmp_path / "other.png", seed=77).read_bytes())
        store.rm_file("/results/batch/1.remove.png")
        ended = bench.run(rows)
        assert (ended.done, ended.unchanged) == (2, 1)
        assert len(results(store)) == 3

    def test_a_result_that_someone_changed_is_made_anew(self, bench, rows, store):
        bench.run(rows)
        before = results(store)
        store.pipe_file("/results/batch/0.remove.png", b"something else")
        assert bench.run(rows).done == 1
        assert results(store) == before

    def test_an_object_that_is_no_result_is_not_replaced(self, bench, rows, store):
        store.pipe_file("/results/batch/0.remove.png", b"someone's")
        ended = bench.run(rows)
        assert (ended.done, ended.failed) == (2, 1)
        assert results(store)["0.remove.png"] == b"someone's"
        assert bench.run(rows, rules={"overwrite": True}).done == 1

    def test_one_row_goes_on_from_another_s_object(self, bench, store, tmp_path):
        store.pipe_file("/in/0.png", photo(tmp_path / "0.png").read_bytes())
        rows = [
            {"id": "one", "image": "memory://in/0.png", "box": BOX},
            {"id": "two", "after": "one", "box": "22,6,34,16", "output": "two.png"},
        ]
        assert bench.run(rows).done == 2
        assert bench.run(rows).unchanged == 2

    def test_a_missing_object_is_a_failure_of_its_row(self, bench, rows):
        ended = bench.run([*rows, {"image": "memory://in/none.png", "box": BOX}])
        assert (ended.done, ended.failed) == (3, 1)

    def test_an_object_that_is_replaced_during_the_run_fails_its_row_and_no_other(self, bench, rows, store, tmp_path):
        other = photo(tmp_path / "other.png", seed=77).read_bytes()

        def replaced(event: Any) -> None:
            if type(event).__name__ == "Began":
                store.pipe_file("/in/1.png", other)

        bench.events = type("Events", (list,), {"append": lambda self, event: replaced(event)})()
        assert bench.run(rows).failed == 1
        assert len(results(store)) == 2

    def test_a_store_that_takes_nothing_ends_the_run_before_it_begins(self, bench, rows, monkeypatch):
        monkeypatch.setattr(Address, "write_bytes", lambda self, data: (_ for _ in ()).throw(PermissionError(13, "no")))
        with pytest.raises(OutputError, match=r"can't write to memory://results/batch: no"):
            bench.run(rows)

    def test_a_result_interrupted_between_upload_and_rename_is_completed(self, bench, rows, store, monkeypatch):
        from overpaint.batch import results as publishing

        publish, calls = publishing.publish, []

        def stopped(*given: Any, **more: Any) -> None:
            calls.append(given)
            if len(calls) == 2:
                raise LedgerError("the machine stops here")
            publish(*given, **more)

        with monkeypatch.context() as patched:
            patched.setattr(publishing, "publish", stopped)
            with pytest.raises(LedgerError, match="stops here"):
                bench.run(rows)
        ended = bench.run(rows)
        assert ended.done + ended.unchanged == 3
        assert sorted(results(store)) == ["0.remove.png", "1.remove.png", "2.remove.png"]


class TestCommand:
    def test_results_far_away_need_a_folder_for_the_state(self, tmp_path, capsys, monkeypatch):
        monkeypatch.chdir(tmp_path)
        photo(tmp_path / "a.png")
        Path("edits.jsonl").write_text(json.dumps({"image": "a.png", "box": BOX, "engine": "telea"}))
        words = ["batch", "edits.jsonl", "-o", f"file://{tmp_path}/far"]
        assert main(words) == 2
        assert "give a folder of this machine with --state DIR" in capsys.readouterr().err
        assert main([*words, "--state", "state"]) == 0
        assert [path.name for path in (tmp_path / "far").iterdir()] == ["a.remove.png"]
        assert {"report.html", "report.csv", "audit.jsonl", "ledger.sqlite"} <= {
            path.name for path in (tmp_path / "state").iterdir()
        }
        assert main([*words, "--state", "state"]) == 0
        last = [json.loads(line) for line in capsys.readouterr().out.splitlines()][-1]
        assert (last["done"], last["unchanged"]) == (0, 1)
