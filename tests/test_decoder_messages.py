"""What libpng, libtiff and Pillow print of a file is a warning of its row or its picture, or nothing."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from batches import BOX, Bench, photos
from forks import run_forked
from overpaint.batch import Done, Failed
from overpaint.bounded import printed, prints_caught
from overpaint.cli import main
from overpaint.picture import open_picture
from overpaint.picture import png as png_reader
from overpaint.picture.messages import PRINTED, damage_in

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there are no bounded processes")
FAX = "Fax4Decode: Bad code word"


def damaged_fax() -> bytes:
    """A bilevel TIFF file some rows of which are lost; libtiff prints so, and Pillow says nothing."""
    dots = np.random.default_rng(3).integers(0, 2, (30, 40)).astype(bool)
    buffer = io.BytesIO()
    Image.fromarray(dots).save(buffer, "TIFF", compression="group4")
    with Image.open(buffer) as image:
        start = image.tag_v2[273][0]
    data = bytearray(buffer.getvalue())
    data[start + 40 : start + 46] = b"\xff" * 6
    return bytes(data)


def tag_beyond_the_file() -> bytes:
    """A bilevel TIFF file with a tag of a length that Pillow warns of; its pixels are whole."""
    buffer = io.BytesIO()
    Image.new("1", (40, 30), 1).save(buffer, "TIFF", software="x" * 20)
    data = buffer.getvalue()
    at = data.index(struct.pack("<HH", 305, 2))
    return data[: at + 4] + struct.pack("<I", 1 << 20) + data[at + 8 :]


def checksum_of_pixels() -> bytes:
    """A PNG file whose stream of pixels ends with a wrong checksum: an error."""
    rows = zlib.compress(bytes(30 * 41))
    head = struct.pack(">IIBBBBB", 40, 30, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", rows[:-4] + b"\1\2\3\4"), (b"IEND", b"")]
    return png_reader.SIGNATURE + b"".join(png_reader.chunk(*part) for part in parts)


FILES = {"fax.tif": damaged_fax, "tag.tif": tag_beyond_the_file, "sum.png": checksum_of_pixels}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, make in FILES.items():
        (tmp_path / name).write_bytes(make())
    photos(tmp_path, 1)
    return tmp_path


def _command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    run = [sys.executable, "-m", "overpaint", *words]
    return run_forked(run, cwd=folder, capture_output=True, text=True, timeout=120)


def test_a_batch_has_warnings_of_its_rows_and_prints_nothing(folder: Path):
    rows = [{"id": name, "image": name, "box": BOX, "format": "png"} for name in FILES]
    rows.append({"id": "mask", "image": "p000.png", "mask": "fax.tif"})
    (folder / "edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = _command(folder, "batch", "edits.jsonl", "-o", "out", "--engine", "telea")
    assert found.stderr == ""
    events = {one["id"]: one for one in map(json.loads, found.stdout.splitlines()) if "id" in one}
    assert {name: one["event"] for name, one in events.items()} == {
        "fax.tif": "done", "tag.tif": "done", "sum.png": "failed", "mask": "done",
    }  # fmt: skip
    assert "a part of the picture may be lost (Bad code word" in " ".join(events["fax.tif"]["warnings"])
    assert not [one for one in events["tag.tif"]["warnings"] if "damaged" in one]
    assert "the mask: the file is damaged" in " ".join(events["mask"]["details"]["notes"])


def test_damage_that_is_only_printed_fails_a_strict_row(folder: Path):
    bench = Bench(folder)
    assert bench.run([{"image": "fax.tif", "box": BOX, "strict": True, "format": "png"}]).failed == 1
    assert "Bad code word" in bench.events_of(Failed)[0].reason
    assert bench.run([{"image": "tag.tif", "box": BOX, "strict": True, "format": "png"}]).done == 1
    assert len(bench.events_of(Done)) == 1


@pytest.mark.parametrize(
    ("words", "status", "noted"),
    [
        (["remove", "fax.tif", "--box", BOX, "--engine", "telea", "-o", "a.png"], 0, True),
        (["remove", "tag.tif", "--box", BOX, "--engine", "telea", "-o", "b.png"], 0, False),
        (["remove", "p000.png", "--mask", "fax.tif", "--engine", "telea", "-o", "c.png"], 0, True),
        (["remove", "sum.png", "--box", BOX, "--engine", "telea", "-o", "d.png"], 2, False),
        (["mask", "convert", "tag.tif", "-o", "m.png"], 0, False),
        (["info", "fax.tif"], 0, False),
    ],
    ids=lambda given: " ".join(given[:2]) if isinstance(given, list) else "",
)
def test_a_single_verb_prints_its_own_lines_only(folder: Path, words: list[str], status: int, noted: bool):
    found = _command(folder, *words)
    assert found.returncode == status, found.stderr
    for raw in (FAX, "libpng", "TIFF", "UserWarning", "site-packages"):
        assert raw not in found.stderr
    assert ("(Bad code word" in found.stdout + found.stderr) is noted


def test_a_library_s_user_keeps_the_standard_error(folder: Path, capfd):
    """Its other threads and programs may use it meanwhile."""
    open_picture(folder / "fax.tif")
    assert FAX in capfd.readouterr().err
    assert open_picture(folder / "fax.tif").source.faults == ()


def test_what_others_write_meanwhile_is_passed_on(capfd):
    with prints_caught(shared=True), printed(PRINTED) as lines:
        other = threading.Thread(target=os.write, args=(2, b"a line of another thread\n"))
        other.start()
        other.join()
        os.write(2, b"libpng warning: IDAT: incorrect data check\n")
    assert lines == ["libpng warning: IDAT: incorrect data check"]
    assert capfd.readouterr().err == "a line of another thread\n"


def test_no_text_of_a_file_is_quoted():
    said = damage_in(['TIFFFillStrip: strip of "a secret text" has \x1b[31m too few bytes'])
    assert said == ("the file is damaged, and a part of the picture may be lost (strip of ... has [31m too few bytes)",)
    assert damage_in(['TIFFFetchNormalTag: ASCII value for tag "a secret text" has a NUL']) == ()
    assert damage_in(["libpng warning: iCCP: known incorrect sRGB profile"]) == ()


def test_the_command_line_in_this_process_gives_the_descriptor_back(folder: Path, monkeypatch, capfd):
    monkeypatch.chdir(folder)
    assert main(["remove", "fax.tif", "--box", BOX, "--engine", "telea", "-o", "a.png"]) == 0
    os.write(2, b"here again\n")
    assert capfd.readouterr().err.endswith("here again\n")
