"""Imperceptible marks come with other packages: within the painted patch, or everywhere where that is chosen."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from overpaint import Mask, Studio
from overpaint.audit import replay
from overpaint.cli import main
from overpaint.errors import OutputError, RequestError
from overpaint.geometry import Box, Size
from overpaint.picture import encode, open_picture
from overpaint.record import FoundWatermark, Marking, WatermarkChoice, read_record, watermark_names, watermarks
from test_untouched import picture_of

SIZE = Size(96, 64)
BOX = Box(20, 16, 76, 44)
MASK = Mask.box(SIZE, BOX)
START = 0b1011010011100101


class Parity:
    """Writes START, the payload's length and the payload into the lowest bits of a row of the mask."""

    capacity = 2

    def embed(self, pixels: np.ndarray, mask: np.ndarray, payload: bytes) -> np.ndarray:
        bits = [int(bit) for bit in f"{START:016b}{len(payload):08b}" + "".join(f"{one:08b}" for one in payload)]
        rows = [row for row in range(len(mask)) if mask[row, 24 : 24 + len(bits)].all()]
        levels = np.rint(pixels * 255)
        place = np.ix_(rows, range(24, 24 + len(bits)))
        levels[place] = levels[place] // 2 * 2 + np.array(bits)[:, None]
        levels[0, 0] = 255 - levels[0, 0]  # beyond any mask of these tests: it must be thrown away
        return np.float32(levels / 255)

    def detect(self, pixels: np.ndarray) -> FoundWatermark | None:
        lowest = np.rint(pixels[..., 0] * 255).astype(int) & 1
        for row in lowest:
            text = "".join(map(str, row[24:]))
            if text.startswith(f"{START:016b}"):
                length = int(text[16:24], 2)
                return FoundWatermark(bytes(int(text[24 + 8 * k : 32 + 8 * k], 2) for k in range(length)), 0.9)
        return None


class Failing(Parity):
    """Its detector has a fault."""

    def embed(self, pixels: np.ndarray, mask: np.ndarray, payload: bytes) -> np.ndarray:
        return pixels[:3]

    def detect(self, pixels: np.ndarray) -> FoundWatermark | None:
        raise ZeroDivisionError("a fault")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The marks as an installed package declares them."""
    folder = tmp_path / "toy_marks-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-marks\nVersion: 1\n")
    entries = f"[{watermarks.GROUP}]\nparity = {__name__}:Parity\nfailing = {__name__}:Failing\n"
    (folder / "entry_points.txt").write_text(entries)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for cached in (watermarks._entries, watermarks.watermark):
        cached.cache_clear()
    yield
    for cached in (watermarks._entries, watermarks.watermark):
        cached.cache_clear()


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    path.write_bytes(encode(picture_of(SIZE, "rgb", 8), "png").data)
    return path


def edit(photo: Path):
    with Studio() as studio:
        return studio.edit(photo, mask=MASK, engine="telea", intent="remove")


PATCH = Marking(watermark=WatermarkChoice("parity", payload=b"op"))
WHOLE = Marking(watermark=WatermarkChoice("parity", "whole", b"op"))


def test_none_comes_with_overpaint_and_none_is_used_unasked(photo):
    assert watermark_names() == ()
    assert edit(photo).render("png").marks.watermark is None
    with pytest.raises(RequestError, match="none is installed"):
        WatermarkChoice("parity").check()


def test_within_the_patch_every_other_pixel_is_as_it_was_and_the_file_holds_the_mark(installed, photo):
    edited = edit(photo)
    rendered = edited.render("png", marking=PATCH)
    made, before = open_picture(rendered.data).samples, open_picture(photo).samples
    assert np.array_equal(made[~edited.touched], before[~edited.touched])
    assert (made[edited.touched] != edited.picture.samples[edited.touched]).any()
    assert (rendered.fidelity, rendered.reach, rendered.changed) == ("lossless", edited.reach, 0)
    assert watermarks.found_watermark(open_picture(rendered.data), "parity") == FoundWatermark(b"op", 0.9)
    assert not rendered.notes
    record = read_record(rendered.data).record
    assert record.marks.watermark.to_mapping() == {"name": "parity", "area": "patch", "payload": b"op".hex()}
    assert record.pixels_sha256 == rendered.pixels_sha256 != edited.pixels_sha256


def test_in_the_whole_picture_the_file_is_labelled_and_says_how_many_pixels_differ(installed, photo):
    edited = edit(photo)
    rendered = edited.render("png", marking=WHOLE)
    made, before = open_picture(rendered.data).samples.astype(int), open_picture(photo).samples
    apart = np.abs(made - before).max(axis=2)[~edited.touched]
    assert (rendered.fidelity, rendered.reach) == ("watermarked", edited.reach)
    assert (rendered.changed, rendered.largest) == (np.count_nonzero(apart), apart.max())
    assert rendered.changed > 0
    assert rendered.notes == (
        f"the watermark parity is in the whole picture: {rendered.changed:,} pixels that the edit did not touch "
        f"differ from the original's by up to {rendered.largest} levels",
    )


def test_a_jpeg_keeps_its_blocks_and_a_mark_that_does_not_survive_is_told(installed, photo, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(encode(picture_of(SIZE, "rgb", 8), "jpeg").data)
    rendered = edit(tmp_path / "photo.jpg").render("jpeg", marking=PATCH)
    assert (rendered.fidelity, rendered.changed) == ("blocks", 0)
    assert "the watermark parity did not survive in this file: its own detector does not find it" in rendered.notes


def test_grey_and_16_bit_pictures_take_it_and_cmyk_is_refused(installed):
    for mode, depth in (("grey", 8), ("rgb+alpha", 16)):
        picture = picture_of(SIZE, mode, depth)
        marked = watermarks.with_watermark(picture, PATCH.watermark, MASK.support)
        assert (marked.samples != picture.samples).any()
        assert np.array_equal(marked.samples[~MASK.support], picture.samples[~MASK.support])
    with pytest.raises(OutputError, match="can't be put into a CMYK picture"):
        watermarks.with_watermark(picture_of(SIZE, "cmyk", 8), PATCH.watermark, MASK.support)


def test_a_replay_makes_the_mark_again(installed, photo):
    with Studio() as studio:
        for marking in (PATCH, WHOLE):
            made = open_picture(edit(photo).render("png", marking=marking).data)
            assert replay(studio, read_record(made).record, open_picture(photo), made=made).outcome == "same"


def test_faults_of_a_mark_are_errors_that_name_it(installed, photo):
    with pytest.raises(RequestError, match="has 3 bytes, and the watermark parity holds 2"):
        WatermarkChoice("parity", payload=b"abc").check()
    with pytest.raises(RequestError, match="did you mean 'parity'"):
        WatermarkChoice("parety").check()
    with pytest.raises(OutputError, match="the watermark failing gave no pixels of the picture's shape"):
        edit(photo).render("png", marking=Marking(watermark=WatermarkChoice("failing")))


def test_the_command_line_puts_it_in_and_finds_it(installed, photo, tmp_path, capsys):
    out = tmp_path / "out.png"
    command = ["remove", str(photo), "--box", ",".join(map(str, BOX)), "--engine", "telea", "-o", str(out), "--json"]
    assert main([*command, "--watermark-payload", "op"]) == 2
    assert main([*command, "--watermark", "parity", "--watermark-payload", "too long"]) == 2
    assert not out.exists()
    capsys.readouterr()
    assert main([*command, "--watermark", "parity", "--watermark-payload", "op"]) == 0
    assert json.loads(capsys.readouterr().out)["marks"]["watermark"]["name"] == "parity"
    assert main(["provenance", "detect", str(out)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "found, confidence 0.90; it holds op" in shown
    assert "failed: ZeroDivisionError: a fault" in shown
    assert main(["provenance", "show", str(out)]) == 0
    assert "parity in the edited part, by the record" in capsys.readouterr().out
    assert main([*command[:-1], "--overwrite", "--watermark", "parity", "--watermark-area", "whole"]) == 0
    assert "; the watermark parity changed " in capsys.readouterr().out
    assert main(["provenance", "detect", str(photo), "--watermark", "parity", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["watermarks"][0]["found"] is False
