"""The state of a batch belongs to one folder of results: another one's files are never taken for its results."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from batches import BOX, Bench, photos
from overpaint.batch import BatchFolders
from overpaint.errors import OutputError


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    photos(tmp_path, 2)
    return Bench(tmp_path)


ROWS = [{"image": f"p{number:03}.png", "box": BOX} for number in range(2)]


def _run(bench: Bench, out: Path, state: Path | None, rows: list[dict[str, Any]] = ROWS, **changes: Any) -> Any:
    return bench.run(rows, folders=BatchFolders.at(out, state), rules={"out": out}, audit=None, **changes)


@pytest.mark.parametrize("within", [False, True])
def test_a_state_is_refused_for_another_folder_whose_files_stay(bench: Bench, tmp_path: Path, within: bool) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    state = one / ".overpaint" if within else tmp_path / "state"
    _run(bench, one, state)
    other.mkdir()
    foreign = other / "p000.remove.png"
    foreign.write_bytes(b"of somebody else")
    for changes in ({}, {"private": True}):
        with pytest.raises(OutputError, match=f"belongs to the results in {one}, not to those in {other}") as error:
            _run(bench, other, state, **changes)
        assert (error.value.code, error.value.field) == ("state-of-another", "state")
    assert foreign.read_bytes() == b"of somebody else"
    assert bench.events == []
    assert _run(bench, one, state).unchanged == 2


@pytest.mark.parametrize("moved", ["out with its state in it", "out", "state", "both", "state out of it", "by a link"])
def test_what_is_moved_is_known_again(bench: Bench, tmp_path: Path, moved: str) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    out, state = here / "out", here / "out" / ".overpaint" if "of it" in moved or "in it" in moved else here / "state"
    _run(bench, out, state)
    there.mkdir()
    if moved == "both":
        there.rmdir()
        here.rename(there)
        out, state = there / "out", there / "state"
    elif moved == "by a link":
        (there / "link").symlink_to(out)
        out = there / "link"
    elif moved.startswith("out"):
        out = out.rename(there / "out")
        state = out / ".overpaint" if "in it" in moved else state
    else:
        state = state.rename(there / "state")
    for _ in range(2):
        ended = _run(bench, out, state)
        assert (ended.unchanged, ended.done, ended.failed) == (2, 0, 0)


def test_a_copy_is_another_folder(bench: Bench, tmp_path: Path) -> None:
    one, other, state = tmp_path / "one", tmp_path / "other", tmp_path / "state"
    _run(bench, one, state)
    shutil.copytree(one, other)
    with pytest.raises(OutputError, match="belongs to the results in"):
        _run(bench, other, state)
    with pytest.raises(OutputError, match="belongs to the results in"):
        bench.preview(ROWS, folders=BatchFolders.at(other, state), rules={"out": other}, audit=None)


def test_a_state_without_results_is_free(bench: Bench, tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert _run(bench, tmp_path / "one", state, limit=0).left == 2
    assert _run(bench, tmp_path / "other", state).done == 2


def test_the_state_of_an_object_store_is_for_its_address_alone(bench: Bench, tmp_path: Path) -> None:
    from overpaint.batch.store import Address

    state, bucket = tmp_path / "state", Address(f"memory://{tmp_path.name}")
    assert _run(bench, bucket, state).done == 2  # type: ignore[arg-type]
    assert _run(bench, bucket, state).unchanged == 2  # type: ignore[arg-type]
    for other in (bucket / "deeper", tmp_path / "out"):
        with pytest.raises(OutputError, match="belongs to the results in memory://"):
            _run(bench, other, state)  # type: ignore[arg-type]
