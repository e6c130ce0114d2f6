"""No row ends a batch, whatever it holds: it is done, or it fails with a reason, and the rows beside it are done."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from batches import BOX, Bench, photo
from overpaint import Studio
from overpaint.batch import BadRow, EditRow, Failed, RawRow, Reader, RowDefaults, read_folders, read_text, run
from overpaint.batch.rows import OWN, REQUEST
from overpaint.ledger import Ledger

UNFORESEEN = "failed unexpectedly"
FIELDS = (*OWN, *REQUEST)


def nested(depth: int, within: Any = 1) -> Any:
    for _ in range(depth):
        within = [within]
    return within


def nested_tables(depth: int) -> Any:
    found: Any = 1
    for _ in range(depth):
        found = {"a": found}
    return found


DEEP = {"deep lists": nested(600), "deeper lists": nested(5000), "deep tables": nested_tables(5000)}
"""Values by names that Hypothesis can print."""

TEXTS = st.text(st.characters(), max_size=12) | st.sampled_from(
    [
        "p0.png",
        "p1.png",
        "/dev/zero",
        "..",
        "a/" * 600,
        "10%,10%,60%,60%",
        "1e999,0,9,9",
        "nan,nan,1,1",
        "s3://",
        "x" * 300,
        f"{10**400},0,5,5",
        "a\0b.png",
        "a\ud800.png",
        ".overpaint/x.png",
        "out.png",
        "NaN",
        "alpha",
        "full",
    ]
)
SINGLE = (
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.sampled_from([1 << 63, -(1 << 64), 10**400, 1e308])
    | TEXTS
)
VALUES = st.recursive(
    SINGLE, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
) | st.sampled_from(["deep lists", "deeper lists", "deep tables"])


def run_beside(folder: Path, tables: list[Any]) -> list[str]:
    """Run rows beside a good one, of which all is expected. Returns the reasons of those that failed."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    bench = Bench(folder)
    reader = Reader(RowDefaults(settings={"intent": "remove", "engine": "stand-in", "exact": True}))
    good = {"image": "p1.png", "box": BOX, "id": "the good one", "output": "the good one.png"}
    rows = [reader.read(RawRow(number, table)) for number, table in enumerate([*tables, good], 1)]
    events: list[Any] = []
    with Studio() as studio:
        studio.add_engine(bench.engine())
        ended = run(rows, bench.options(report=True, retries=0), studio, on_event=events.append)
    assert ended.done + ended.failed == len(rows)
    assert (bench.out / "the good one.png").exists()
    with Ledger(bench.out / ".overpaint" / "ledger.sqlite") as ledger:
        assert len(ledger.entries()) == len(rows)
    json.dumps([str(event) for event in events]).encode()
    return [event.reason for event in events if isinstance(event, Failed)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("rows")
    photo(made / "p0.png")
    photo(made / "p1.png", seed=1)
    return made


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(table=st.dictionaries(st.sampled_from(FIELDS) | TEXTS, VALUES, min_size=1, max_size=3))
@example(table={"output": "a\ud800.png"})
@example(table={"image": "p\ud800.png"})
@example(table={"box": "deep lists"})
@example(table={"polygon": "deeper lists"})
@example(table={"prompt": "deep tables"})
@example(table={"options": "deep tables"})
@example(table={"id": 10**5000})
@example(table={"seed": 10**400})
@example(table={"box": [10**400, 0, 5, 5]})
@example(table={"box": [float("inf"), 0, 5, 5]})
@example(table={"insert": "p1.png", "intent": ["remove"]})
@example(table={"prompt": "a\0b"})
@example(table={"a\ud800": 1})
@example(table={"image": "/dev/zero"})
@example(table={"mask": "deep tables"})
def test_whatever_a_row_holds_the_rows_beside_it_are_done(folder: Path, table: dict[str, Any]) -> None:
    table = {name: DEEP.get(value, value) if isinstance(value, str) else value for name, value in table.items()}
    for reason in run_beside(folder, [{"image": "p0.png", "box": "1,1,9,9", **table}]):
        assert reason
        assert UNFORESEEN not in reason


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_refuses_what_is_nested_too_deeply_is_no_unicode_or_is_too_large(name: str) -> None:
    reader = Reader(RowDefaults())
    endless: list[Any] = []
    endless.append(endless)
    for value in (
        nested(600),
        nested_tables(600),
        endless,
        "a\ud800",
        ["a\ud800"],
        {"a\ud800": 1},
        "a\0",
        1 << 64,
        b"x",
    ):
        row = reader.read(RawRow(1, {"image": "p0.png", "box": BOX, name: value}))
        assert isinstance(row, BadRow)
        assert row.error.field == name
        assert UNFORESEEN not in row.reason


def test_what_yaml_can_say_and_json_can_not_is_a_reason() -> None:
    text = (
        "- {image: a.png, box: [1, 1, 9, 9], prompt: 2024-01-01}\n"
        "- {image: a.png, box: &x [*x]}\n"
        "- {image: a.png, options: {1: 2}}\n"
        "- {image: a.png, box: !!set {a, b}}\n"
        "- {1: a.png}\n"
        "- {image: a.png, box: [1, 1, 9, 9]}\n"
    )
    bomb = "- &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"- &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(9)
    )
    rows = [Reader(RowDefaults()).read(found) for found in read_text(text, "yaml", "the list")]
    assert [isinstance(row, EditRow) for row in rows] == [False] * 5 + [True]
    assert not any(isinstance(row, BadRow) and UNFORESEEN in row.reason for row in rows)
    (last,) = read_text(bomb + "- {image: a.png, options: {many: *j}}\n", "yaml", "the list")[-1:]
    assert "values within" in Reader(RowDefaults()).read(last).reason


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are text there")
def test_a_file_whose_name_is_no_text_costs_its_own_row_alone(tmp_path: Path) -> None:
    photo(tmp_path / "in" / "a.png")
    shutil.copy(tmp_path / "in" / "a.png", os.fsencode(tmp_path / "in") + b"/b\xff.png")
    Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/c\xff.txt")).touch()
    found = read_folders(tmp_path / "in", None)
    rows = [Reader(RowDefaults(settings={"intent": "remove"})).read(raw) for raw in found.rows]
    assert [isinstance(row, EditRow) for row in rows] == [True, False]
    assert "image must be Unicode text" in rows[1].reason
    json.dumps(found.notes, ensure_ascii=False).encode()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
@pytest.mark.parametrize("name", ["image", "mask", "sketch", "insert"])
def test_a_pipe_or_a_device_is_not_read(folder: Path, name: str) -> None:
    with tempfile.TemporaryDirectory() as other:
        os.mkfifo(Path(other) / "pipe.png")
        for path in (str(Path(other) / "pipe.png"), "/dev/zero", other):
            (reason,) = run_beside(folder, [{"image": "p0.png", "box": BOX, name: path}])
            assert "it is no regular file" in reason
            assert reason.startswith(f"the {name} ")
