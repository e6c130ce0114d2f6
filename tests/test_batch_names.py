"""Names of results: forms that file systems merge, control characters, links; Excel's lists; two states."""

from __future__ import annotations

import csv
import errno
import json
import os
import threading
import unicodedata
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from batches import BOX, Bench, photo, photos
from overpaint.batch import (
    BatchFolders,
    Began,
    Failed,
    Reader,
    RowDefaults,
    read_folders,
    read_manifest,
    read_text,
)
from overpaint.batch.store import Address, check_allowed
from overpaint.cli.run import run as command
from overpaint.cli.texts import visible
from overpaint.doors.names import filled, inside, is_for_windows
from overpaint.errors import LedgerError, OverpaintError, RequestError

ACCENT = "caf\u00e9.png"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    photos(tmp_path, 3)
    return Bench(tmp_path)


def _row(number: int = 0, **settings: Any) -> dict[str, Any]:
    return {"image": f"p{number:03}.png", "box": BOX, **settings}


@pytest.mark.parametrize(
    ("one", "other"),
    [("A.png", "a.png"), (ACCENT, unicodedata.normalize("NFD", ACCENT)), ("stra\u00dfe.png", "STRASSE.png")],
)
def test_names_that_a_file_system_would_merge_are_refused(bench: Bench, one: str, other: str) -> None:
    ended = bench.run([_row(0, output=one), _row(1, output=other), _row(2, output="c.png")])
    (failed,) = bench.events_of(Failed)
    assert (ended.done, ended.failed, failed.row) == (2, 1, 2)
    assert "only by case or by the form of accents" in failed.reason
    assert bench.names() == {one, "c.png"}


def test_a_result_may_not_differ_from_a_picture_that_is_read_by_case_alone(bench: Bench) -> None:
    with pytest.raises(RequestError, match="which row 2 reads"):
        bench.run([_row(0, output="P001.PNG"), _row(1)], rules={"out": bench.folder, "overwrite": True})


def test_masks_are_found_whatever_the_case_of_their_names_but_an_equal_name_goes_before(tmp_path: Path) -> None:
    photo(tmp_path / "in" / "one.png")
    photo(tmp_path / "in" / "two.png")
    for name in ("ONE.png", "two.png", "TWO.png"):
        photo(tmp_path / "masks" / name)
    rows = read_folders(tmp_path / "in", tmp_path / "masks").rows
    assert [Path((row.table or {}).get("mask", "")).name for row in rows] == ["ONE.png", "two.png"]


@pytest.mark.parametrize("sign", ["\n", "\x1b", "\x7f", "\x9b", "\u202e", "\u2028", "\u200b"])
def test_no_control_character_reaches_a_name(bench: Bench, sign: str) -> None:
    with pytest.raises(RequestError, match="control character"):
        inside(f"a{sign}b.png")
    for place in ("name", "folder", "id", "ext"):
        assert filled(f"{{{place}}}", {place: f"a{sign}b"}) == "a_b"
    photo(bench.folder / f"in{sign}" / f"x{sign}y.png")
    bench.run([{"image": f"in{sign}/x{sign}y.png", "box": BOX}])
    assert bench.names() == {"x_y.remove.png"}
    assert sign not in visible(f"row 1: a{sign}b")


def test_joiners_of_emoji_and_scripts_stay_in_names() -> None:
    assert inside("\U0001f469\u200d\U0001f680.png") == "\U0001f469\u200d\U0001f680.png"


def test_a_linked_folder_within_the_results_does_not_lead_outside(bench: Bench) -> None:
    outside = bench.folder / "elsewhere"
    outside.mkdir()
    bench.out.mkdir()
    (bench.out / "sub").symlink_to(outside)
    (bench.out / "own").mkdir()
    (bench.out / "inner").symlink_to(bench.out / "own")
    ended = bench.run([_row(0, output="sub/a.png"), _row(1, output="sub/deep/b.png"), _row(2, output="inner/c.png")])
    assert (ended.done, ended.failed) == (1, 2)
    assert all("out of the folder of results" in failed.reason for failed in bench.events_of(Failed))
    assert not list(outside.iterdir())
    assert (bench.out / "own" / "c.png").exists()


def test_a_result_that_was_replaced_by_a_link_does_not_lead_outside(bench: Bench) -> None:
    bench.run([_row(output="a.png")])
    victim = photo(bench.folder / "victim.png", seed=9)
    before = victim.read_bytes()
    (bench.out / "a.png").unlink()
    (bench.out / "a.png").symlink_to(victim)
    assert bench.run([_row(output="a.png")]).failed == 1
    assert victim.read_bytes() == before


def test_a_folder_that_becomes_a_link_during_the_run_does_not_lead_outside(bench: Bench) -> None:
    outside = bench.folder / "elsewhere"
    outside.mkdir()

    def swap(number: int) -> None:
        (bench.out / "sub").symlink_to(outside)

    tables = [_row(0, output="sub/a.png")]
    options = bench.options()
    from overpaint import Studio
    from overpaint.batch import Began, run

    with Studio() as studio:
        studio.add_engine(bench.engine())
        ended = run(bench.rows(tables), options, studio, on_event=lambda e: swap(0) if isinstance(e, Began) else None)
    assert (ended.done, ended.failed) == (0, 1)
    assert not list(outside.iterdir())


def test_two_runs_on_one_folder_with_different_states_see_each_other(bench: Bench, tmp_path: Path) -> None:
    here = BatchFolders.at(bench.out)
    there = BatchFolders.at(bench.out, tmp_path / "state")
    here.make()
    there.make()
    for one, other in ((here, there), (there, here), (there, BatchFolders.at(bench.out, tmp_path / "third"))):
        other.make()
        with one.exclusive(), pytest.raises(LedgerError, match="another run is at work on"), other.exclusive():
            pass
    with there.exclusive():
        pass


def test_the_report_marks_rows_that_have_left_the_list(bench: Bench) -> None:
    bench.run([_row(0), _row(1)], report=True)
    bench.run([_row(1)], report=True)
    with (bench.out / "report.csv").open(encoding="utf-8") as file:
        rows = [(row["row"], row["listed"], row["output"]) for row in csv.DictReader(file)]
    assert rows == [("1", "yes", "p001.remove.png"), ("", "no", "p000.remove.png")]
    page = (bench.out / "report.html").read_text(encoding="utf-8")
    assert page.count('"listed":false') == 1
    bench.run([_row(0), _row(1)], report=True)
    assert '"listed":false' not in (bench.out / "report.html").read_text(encoding="utf-8")


def _read(path: Path, data: bytes) -> Any:
    path.write_bytes(data)
    (row,) = [Reader(RowDefaults()).read(raw) for raw in read_manifest(path)]
    return row


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("first", ["", "sep=;\r\n", '"sep=;"\r\n'])
def test_the_csv_files_of_excel_are_read(tmp_path: Path, coding: str, first: str) -> None:
    text = f"{first}image;box;seed;strength;prompt;;\r\np\u00e4.png;1,2,30,40;7.0;0,75;a, b;;\r\n;;;;;;\r\n"
    row = _read(tmp_path / "a.csv", text.encode(coding))
    assert (row.image, row.seed, row.places.box) == ("p\u00e4.png", 7, ("1,2,30,40",))
    assert (row.request.strength, row.request.prompt) == (0.75, "a, b")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("first", ["", "sep=;{0}", "sep=;{0}{0}{0}", '"sep=;";;{0}', "{0}{0}", ";;{0}"])
def test_blank_lines_and_every_kind_of_line_end_are_read(end: str, first: str) -> None:
    text = first.format(end) + "image;box;grow" + end + "a.png;1,2,30,40;0,5" + end + end + "b.png;1,2,30,40;" + end
    rows = read_text(text, "csv", "the list")
    assert [row.table for row in rows] == [
        {"image": "a.png", "box": "1,2,30,40", "grow": 0.5},
        {"image": "b.png", "box": "1,2,30,40"},
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_json_lines_have_any_kind_of_line_end(end: str) -> None:
    text = end.join(['{"image": "a.png"}', "", '{"image": "b.png"}', ""])
    assert [(row.number, row.table) for row in read_text(text, "jsonl", "the list")] == [
        (1, {"image": "a.png"}),
        (3, {"image": "b.png"}),
    ]


def test_a_cell_may_be_as_long_as_a_row() -> None:
    polygon = " ".join(f"{n % 40},{n % 30}" for n in range(40_000))
    before = csv.field_size_limit()
    assert len(polygon) > before
    (row,) = read_text(f'image,polygon\na.png,"{polygon}"\n', "csv", "the list")
    assert row.table == {"image": "a.png", "polygon": polygon}
    assert csv.field_size_limit() == before, "which is one for the process"


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.xlsx", b"PK\x03\x04", "save the table as CSV"),
        ("a.csv", b"PK\x03\x04 and more", "save the table as CSV"),
        ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "save the table as CSV"),
        ("a.jsonl", b"\x1f\x8b\x08", "compressed by gzip"),
    ],
)
def test_a_workbook_given_as_a_list_is_named_with_what_to_do(
    tmp_path: Path, capsys, name: str, data: bytes, said
) -> None:
    (tmp_path / name).write_bytes(data)
    assert command(["batch", str(tmp_path / name), "-o", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert name in err
    assert said in err


@pytest.mark.parametrize(
    ("name", "folder", "safe"),
    [
        ("aux", "", "aux_.remove.png"),
        ("NUL.tar", "", "NUL_.tar.remove.png"),
        ("con ", "", "con_.remove.png"),
        ("com1", "lpt9/", "lpt9_/com1_.remove.png"),
        ("a", "b./c /", "b_/c_/a.remove.png"),
        ("falcon", "confer/", "confer/falcon.remove.png"),
        ("com10", "com/", "com/com10.remove.png"),
    ],
)
def test_a_name_from_a_picture_is_one_that_windows_can_have(name: str, folder: str, safe: str) -> None:
    found = filled("{folder}{name}.{intent}{ext}", {"name": name, "folder": folder, "intent": "remove", "ext": ".png"})
    assert found == safe
    assert is_for_windows(found)


def test_a_given_name_that_windows_can_not_have_is_noted_and_refused_there(bench: Bench, monkeypatch) -> None:
    names = ["aux.png", "a?.png", "b./c.png"]
    ended = bench.run([_row(n, output=name) for n, name in enumerate(names)])
    (began,) = bench.events_of(Began)
    (note,) = began.notes
    assert ended.done == 3
    assert note.startswith("rows 1, 2, 3: the output can't be copied to Windows")
    with monkeypatch.context() as windows:
        windows.setattr(os, "name", "nt")
        for name in names:
            with pytest.raises(RequestError, match="can't be a file on Windows"):
                inside(name)


@pytest.mark.parametrize(
    ("name", "said"), [("\u00e4" * 130 + ".png", "255 bytes"), ("d/" * 150 + "a.png", "100 folders")]
)
def test_a_name_that_no_file_system_takes_is_refused_before_anything_is_painted(bench: Bench, name, said) -> None:
    ended = bench.run([_row(0, output=name), _row(1)])
    (failed,) = bench.events_of(Failed)
    assert (ended.done, failed.row, failed.begun) == (1, 1, False)
    assert said in failed.reason


def test_a_whole_number_may_have_a_decimal_comma_and_a_comma_between_cells_is_none(tmp_path: Path) -> None:
    row = _read(tmp_path / "a.csv", b"image\tbox\tseed\np.png\t1,2,30,40\t7,0\n")
    assert row.seed == 7
    bad = _read(tmp_path / "b.csv", b'image,box,strength\np.png,"1,2,30,40","0,75"\n')
    assert isinstance(bad.error, OverpaintError)


def test_a_list_in_utf_16_is_read_in_every_form(tmp_path: Path) -> None:
    table = {"image": "p.png", "box": BOX}
    for name, text in (("a.jsonl", json.dumps(table)), ("a.json", json.dumps([table]))):
        assert _read(tmp_path / name, text.encode("utf-16")).image == "p.png"


@pytest.mark.parametrize(
    ("name", "allow", "ok"),
    [
        ("a/b.png", (), True),
        ("s3://bucket/a.png", (), False),
        ("file:///etc/passwd", (), False),
        ("s3://bucket/a.png", ("s3://bucket/",), True),
        ("S3://bucket/a.png", ("s3://bucket",), True),
        ("s3://bucket-of-others/a.png", ("s3://bucket",), False),
        ("s3://bucket/in/a.png", ("s3://bucket/in/",), True),
        ("s3://bucket/in/../out/a.png", ("s3://bucket/in/",), False),
        ("s3://bucket/in/%2e%2e/out/a.png", ("s3://bucket/in/",), False),
        ("http://host/in/.\t./out/a.png", ("http://host/in/",), False),
        ("http://host/in/.%0a./out/a.png", ("http://host/in/",), False),
        ("s3://bucket/in/\u3000\u00fc b.png", ("s3://bucket/in/",), True),
        ("gs://bucket/a.png", ("s3://bucket/", "gs://"), True),
        ("zip://a.png::s3://others/a.zip", ("zip://", "s3://bucket/"), False),
        ("simplecache::s3://others/a.png", ("s3://bucket/",), False),
    ],
)
def test_rows_may_name_only_addresses_that_are_allowed(name: str, allow: tuple[str, ...], ok: bool) -> None:
    if ok:
        check_allowed(name, allow)
        return
    with pytest.raises(RequestError) as caught:
        check_allowed(name, allow)
    assert caught.value.code == "address-refused"


def test_a_web_server_does_not_lead_to_another_address() -> None:
    pytest.importorskip("aiohttp", reason="no package opens http addresses")
    asked = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302 if self.path == "/in/a.png" else 200)
            self.send_header("Location", "/secret.png")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = Address(f"http://127.0.0.1:{server.server_port}/in/a.png")
        with pytest.raises(OSError, match="redirected to another address"):
            place.read_bytes()
        with pytest.raises(OSError):  # noqa: PT011 - fsspec leaves out the reason
            place.marks()
        server.shutdown()
    assert set(asked) == {"/in/a.png"}


@pytest.mark.parametrize("field", ["image", "mask", "avoid", "sketch", "insert"])
def test_an_address_in_any_cell_fails_its_row_unless_it_is_allowed(bench: Bench, field: str) -> None:
    refused = {**_row(0), "output": "x.png", field: "file:///etc/hostname"}
    ended = bench.run([refused, _row(1)], rules={"allow": ()})
    (failed,) = bench.events_of(Failed)
    assert (ended.done, failed.row) == (1, 1)
    assert "is not allowed" in failed.reason


@pytest.mark.parametrize("field", ["images", "masks"])
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_folder_that_can_not_be_listed_is_an_error_and_its_results_are_not_pruned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], field: str, scheme: str
) -> None:
    """Without the folder its pictures would count as gone from the list, and their results as files of nobody."""
    for name in ("a.png", "sub/b.png", ".hidden/c.png"):
        photo(tmp_path / "images" / name)
        (tmp_path / "masks" / name).parent.mkdir(parents=True, exist_ok=True)
        mask = Image.new("L", (40, 30))
        mask.paste(255, (8, 6, 20, 16))
        mask.save(tmp_path / "masks" / name)
    state = str(tmp_path / "state")
    words = ["--images", scheme + str(tmp_path / "images"), "--masks", scheme + str(tmp_path / "masks")]
    words += ["-o", str(tmp_path / "out"), "--state", state, "--engine", "telea"]
    assert command(["batch", *words]) == 0
    plain = os.scandir

    def refusing(path: Any = ".") -> Any:
        if Path(path).name in ("sub", ".hidden") and field in Path(path).parts:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return plain(path)

    monkeypatch.setattr(os, "scandir", refusing)
    for verb, more in (("prune", ["--yes"]), ("adopt", []), ("", [])):
        capsys.readouterr()
        assert command(["batch", *([verb] if verb else []), *words, *more]) in (1, 2)
        text = capsys.readouterr().err
        assert "can't be listed: Permission denied" in text
        assert scheme or f"{tmp_path / field / 'sub'} can't be listed" in text
    assert (tmp_path / "out" / "sub" / "b.remove.png").exists()
    monkeypatch.undo()
    assert command(["batch", *words]) == 0


@pytest.mark.parametrize("gate", [False, True])
def test_a_result_that_became_a_link_is_not_written_through(bench: Bench, gate: bool) -> None:
    table = {"image": "p000.png", "box": BOX}
    bench.run([table])
    kept = photo(bench.out / "keep.png", seed=9).read_bytes()
    (bench.out / "p000.remove.png").unlink()
    (bench.out / "p000.remove.png").symlink_to("keep.png")
    ended = bench.run([table], rules={"gate": gate})
    assert (ended.done, ended.failed) == (0, 1)
    (failed,) = bench.events_of(Failed)
    assert "p000.remove.png exists already and is no result of this batch" in failed.reason
    assert (bench.out / "keep.png").read_bytes() == kept
    (bench.out / "p000.remove.png").unlink()
    assert bench.run([table]).done == 1
