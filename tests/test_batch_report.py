"""The report is a view of the ledger: every row is in it, nothing in a row can break it, and it needs nothing else."""

from __future__ import annotations

import base64
import csv
import importlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batches import BOX, Bench, photo, photos
from overpaint.audit import AuditLog, entries
from overpaint.batch import LogWitness
from overpaint.batch.report import FORMS, rows_in_report, write
from overpaint.batch.report.table import COLUMNS
from overpaint.batch.thumbnails import ThumbnailStore
from overpaint.engines import Painted
from overpaint.geometry import Size
from overpaint.ledger import Ledger
from overpaint.picture import encode, format_of_path
from stand_ins import StandIn
from test_untouched import picture_of


def parts(page: Path) -> dict[str, Any]:
    """The values that the page carries: what is told of all, rows, and the thumbnails of each row."""
    text = page.read_text(encoding="utf-8")
    found = dict(re.findall(r'<script type="application/json" id="([\w-]+)">(.*?)</script>', text, re.DOTALL))
    pictures = [json.loads(found[f"pictures-{n}"]) for n in range(len(found) - 2)]
    return {
        "about": json.loads(found["about"]),
        "rows": json.loads(found["data"]),
        "pictures": [three for part in pictures for three in part],
    }


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    photos(tmp_path, 3)
    return Bench(tmp_path)


def tables(**more: object) -> list[dict[str, object]]:
    return [{"image": f"p{n:03}.png", "box": BOX, **more} for n in range(3)]


def test_every_row_is_in_the_report_with_its_thumbnails_or_its_reason(bench):
    ended = bench.run([*tables(), {"image": "gone.png", "box": BOX}], report=True)
    found = parts(bench.out / "report.html")
    assert [row["state"] for row in found["rows"]] == ["done"] * 3 + ["failed"]
    assert "gone.png doesn't exist" in found["rows"][3]["reason"]
    assert found["about"]["head"] == ended.head
    for three in found["pictures"][:3]:
        before, mask, after = map(base64.b64decode, three)
        assert (before[:3], mask[:4], after[:3]) == (b"\xff\xd8\xff", b"\x89PNG", b"\xff\xd8\xff")
        assert before != after
    assert found["pictures"][3] == 0
    row = found["rows"][0]
    assert {"seam", "shift", "changed", "reach", "timings", "settings", "seed", "sha256"} <= row.keys()
    assert row["timings"].keys() >= {"open", "prepare", "wait", "paint", "finish", "save"}


def test_it_shows_what_earlier_runs_did_and_is_written_anew_when_something_was_done(bench):
    bench.run(tables()[:2], report=True)
    bench.run(tables(), report=True)
    found = parts(bench.out / "report.html")
    assert len(found["rows"]) == 3
    assert all(found["pictures"])


def test_a_bad_row_has_its_own_line_whatever_the_ids_of_the_others_are(bench):
    given = [
        {"id": "row 2", "image": "p000.png", "box": BOX},
        {"image": "gone.png", "box": BOX},
        {"image": "p001.png", "box": BOX},
        {"id": "p001.remove.png", "image": "gone too.png", "box": BOX},
    ]
    for _ in range(2):
        ended = bench.run(given, report=True)
        assert (ended.done + ended.unchanged, ended.failed, ended.left) == (2, 2, 0)
        assert [row["state"] for row in parts(bench.out / "report.html")["rows"]] == ["done", "failed"] * 2


def test_it_is_not_written_again_when_it_would_say_the_same(bench):
    given = [*tables(), {"image": "gone.png", "box": BOX}]
    bench.run(given, report=True)
    before = (bench.out / "report.html").stat().st_mtime_ns
    bench.run(given, report=True)
    assert (bench.out / "report.html").stat().st_mtime_ns == before
    bench.run([*tables(), {"image": "also gone.png", "box": BOX}], report=True)
    assert parts(bench.out / "report.html")["rows"][3]["reason"].endswith("also gone.png doesn't exist")


@pytest.mark.parametrize("name", ["report.html", "report.csv"])
@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-20], lambda data: b"x" + data[1:], None])
def test_a_file_of_it_that_is_gone_or_damaged_is_written_again(bench, name, damage):
    bench.run(tables(), report=True)
    path = bench.out / name
    before = path.read_bytes()
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(before))
    bench.run(tables(), report=True)
    found = path.read_bytes()
    assert len(found) == len(before)
    if name == "report.html":
        assert len(parts(path)["rows"]) == 3
    else:
        assert found == before


def test_the_end_of_the_audit_s_chain_in_it_is_always_the_last(bench):
    ended = bench.run(tables(), report=True)
    log = AuditLog(bench.out / "audit.jsonl", ledger=LogWitness.beside(bench.out / "audit.jsonl"))
    (record, *_) = (entry.record for entry in entries(log.path))
    head = log.append(record.model_copy(update={"attempt": 2}))
    again = bench.run(tables(), report=True)
    assert again.unchanged == 3
    assert parts(bench.out / "report.html")["about"]["head"] == again.head == str(head) != ended.head


def test_the_figures_of_a_run_are_rounded(bench):
    ended = bench.run(tables())
    assert ended.painting == round(ended.painting, 3) > 0


def test_the_table_has_the_same_rows(bench):
    bench.run([*tables(prompt="=1+1"), "nonsense"], report=True)
    with (bench.out / "report.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [row["state"] for row in rows] == ["done"] * 3 + ["failed"]
    assert rows[0]["prompt"] == "'=1+1", "a spreadsheet must not take a prompt for a formula"
    assert rows[0]["width"] == "40"
    assert rows[3]["reason"]


@pytest.mark.parametrize(
    ("name", "separator", "decimal", "begin"),
    [
        ("plain", ",", ".", "row,listed"),
        ("excel", ",", ".", "\ufeffrow,listed"),
        ("excel-de", ";", ",", "\ufeffrow;listed"),
    ],
)
def test_the_table_is_one_that_excel_reads_in_its_language(bench, name, separator, decimal, begin):
    mistaken = ["1-2", "3/4", "1.5", "007", "12345678901234567", "MARCH1", "5. Mai", "1e5"]
    ids = [*mistaken, "=1+1", "-x", "'q", "7", "a;b", "\u00fc"]
    rows = [{"image": f"p00{n % 3}.png", "box": BOX, "id": id, "output": f"{n}.png"} for n, id in enumerate(ids)]
    bench.run(rows, report=True, report_form=FORMS[name])
    path = bench.out / "report.csv"
    text = path.read_text(encoding="utf-8")
    assert text.startswith(begin)
    found = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), delimiter=separator))
    assert {decimal in row["seconds"] for row in found} == {True}
    marked = {"=1+1", "-x"} | (set() if name == "plain" else set(mistaken))
    assert [row["id"] for row in found] == [f"'{id}" if id in marked else id for id in ids]
    assert rows_in_report(path) == {id: number for number, id in enumerate(ids, 1)}, "a review finds them again"
    with Ledger(bench.out / ".overpaint" / "ledger.sqlite") as ledger, ThumbnailStore(bench.folder / "t") as thumbnails:
        path.write_text(begin if name == "plain" else text, encoding="utf-8")
        write(ledger, thumbnails, bench.out, listed={id: number for number, id in enumerate(ids, 1)})
    assert path.read_text(encoding="utf-8") == text, "a review keeps the form"


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]
        self.scripts += tag == "script" and ("type", "application/json") not in attrs


def test_nothing_in_a_row_ends_the_script_and_the_page_asks_for_nothing(bench):
    nasty = "</script><script>alert(1)</script><!-- \u2028 ]]> ${1} `"
    bench.run(tables(prompt=nasty)[:1], report=True)
    page = bench.out / "report.html"
    text = page.read_text(encoding="utf-8")
    assert text.count("</script>") == 4, "what is told, the rows, their thumbnails, and the one script"
    assert parts(page)["rows"][0]["prompt"] == nasty
    parser = _Page()
    parser.feed(page.read_text(encoding="utf-8"))
    assert parser.scripts == 1
    assert parser.links == []
    assert "default-src 'none'" in page.read_text(encoding="utf-8")


def test_a_page_for_many_rows_takes_small_thumbnails_and_says_what_it_leaves_out(bench, monkeypatch):
    bench.run(tables(), report=True)
    large = parts(bench.out / "report.html")["pictures"]
    module = importlib.import_module("overpaint.batch.report.page")
    monkeypatch.setattr(module, "LARGE_BUDGET", 10)
    (bench.out / "report.html").unlink()
    bench.run(tables(), report=True)
    small = parts(bench.out / "report.html")["pictures"]
    assert sum(map(len, small[0])) <= sum(map(len, large[0]))
    monkeypatch.setattr(module, "BUDGET", sum(map(len, small[0])) * 3 // 2)
    (bench.out / "report.html").unlink()
    bench.run(tables(), report=True)
    found = parts(bench.out / "report.html")
    assert [bool(three) for three in found["pictures"]] == [True, False, False]
    assert found["about"]["left_out"] == 2


def test_thumbnails_show_the_place_of_the_edit_and_not_the_whole_of_a_large_picture(tmp_path):
    bench = Bench(tmp_path)
    photo(tmp_path / "large.png", size=(900, 600))
    bench.run([{"image": "large.png", "box": "400,300,430,330"}], report=True)
    three = parts(bench.out / "report.html")["pictures"][0]
    import cv2

    shape = cv2.imdecode(np.frombuffer(base64.b64decode(three[0]), np.uint8), cv2.IMREAD_COLOR).shape
    assert shape == (78, 78, 3)


def test_what_a_lossy_format_changed_is_a_warning_that_was_measured_on_the_file(bench):
    bench.run(tables(format="jpeg", quality=60), report=True)
    found = parts(bench.out / "report.html")["rows"]
    assert found[0]["changed"] > 0
    assert any("beyond the reach changed" in text for text in found[0]["warnings"])


def test_a_visible_edge_is_a_warning(tmp_path):
    bench = Bench(tmp_path, engine=lambda: StandIn(lambda canvas, _: Painted(np.zeros_like(canvas.pixels))))
    from PIL import Image

    Image.new("RGB", (60, 60), (200, 200, 200)).save(tmp_path / "flat.png")
    bench.run([{"image": "flat.png", "box": "20,20,40,40", "grow": 0, "feather": 0}], report=True)
    row = parts(bench.out / "report.html")["rows"][0]
    assert row["seam"] > 20
    assert row["warnings"][0].startswith("the result is doubtful: a seam shows at its edge")


def test_a_ledger_without_thumbnails_still_has_a_report(bench):
    bench.run(tables(), report=False)
    bench.run(tables(), report=True)
    found = parts(bench.out / "report.html")
    assert len(found["rows"]) == 3
    assert found["pictures"] == [0, 0, 0]
    with Ledger(bench.out / ".overpaint" / "ledger.sqlite") as ledger:
        assert ledger.counts()["done"] == 3


@pytest.mark.parametrize(
    ("mode", "depth", "name"),
    [
        ("grey", 8, "a.png"),
        ("grey+alpha", 16, "a.png"),
        ("rgb", 16, "a.tif"),
        ("rgb+alpha", 8, "a.webp"),
        ("cmyk", 8, "a.tif"),
        ("rgb", 8, "a.avif"),
    ],
)
def test_pictures_of_every_kind_have_thumbnails_and_figures(tmp_path, mode, depth, name):
    bench = Bench(tmp_path)
    (tmp_path / name).write_bytes(encode(picture_of(Size(60, 40), mode, depth), format_of_path(name)).data)
    tables = [
        {"image": name, "box": "10,10,30,25"},
        {"image": name, "intent": "expand", "margins": [8, 0, 12, 0]},
    ]
    ended = bench.run(tables, report=True)
    assert (ended.done, ended.failed) == (2, 0), bench.events
    found = parts(bench.out / "report.html")
    for row, three in zip(found["rows"], found["pictures"], strict=True):
        assert three
        assert row["seam"] > 0
        assert row["size"] == ([60, 40] if row["intent"] == "remove" else [80, 40])
