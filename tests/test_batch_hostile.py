"""No file, however hostile, costs a batch more than its own row, or keeps it from ending when it is told to."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import stat
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import forks
from batches import Bench, photo, photos
from overpaint.batch import Done, Failed, RowLimits, manifest, read_folders, read_text
from overpaint.bounded import pool
from overpaint.cli import main
from overpaint.errors import EngineError, RequestError
from overpaint.picture import open_picture
from overpaint.picture import png as png_reader
from stand_ins import StandIn, waiting

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there are no bounded processes")
BOX = "8,6,20,16"
GOOD = 8


def _png(width: int, height: int, colour: int, depth: int, rows: bytes, *others: tuple[bytes, bytes]) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", head), *others, (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return png_reader.SIGNATURE + b"".join(png_reader.chunk(*part) for part in parts)


def huge_palette() -> bytes:
    """14000x14000 in 24 kB."""
    return _png(14000, 14000, 3, 1, bytes(14000 * 1751), (b"PLTE", b"\0\0\0\xff\xff\xff"))


def tiny_jpeg_of_180_megapixels() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), "grey").save(buffer, "JPEG")
    data = buffer.getvalue()
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", 30000, 6000) + data[at + 4 :]


def damaged_jpeg() -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG", quality=90)
    data = buffer.getvalue()
    return data[: len(data) * 2 // 3] + b"\xff\xd9"


def raw_profile() -> bytes:
    """A raw profile that is half a megabyte of blanks; a regular expression for its digits takes minutes."""
    text = b"\nexif\n 10\n" + b" " * 500_000 + b"g"
    return _png(40, 30, 0, 8, bytes(30 * 41), (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text)))


def xmp_of_many_pieces() -> bytes:
    body = b"<![CDATA[aaaa]]><a:c/>" * 300_000
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:a="q"><a:b>' + body + b"</a:b></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    return _png(40, 30, 0, 8, bytes(30 * 41), (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet)))


def palette_of_many_chunks() -> bytes:
    """A palette whose pixels come a byte a chunk."""
    rng = np.random.default_rng(2)
    pixels = zlib.compress(rng.integers(0, 4, (600, 1001), np.uint8).tobytes(), 0)
    head = struct.pack(">IIBBBBB", 1000, 600, 8, 3, 0, 0, 0)
    parts = [(b"IHDR", head), (b"PLTE", bytes(12)), *((b"IDAT", bytes([one])) for one in pixels), (b"IEND", b"")]
    return png_reader.SIGNATURE + b"".join(png_reader.chunk(*part) for part in parts)


def cvat_of_huge_masks() -> bytes:
    mask = '<mask label="x" rle="0, 190000000" left="0" top="0" width="19000" height="10000"/>'
    return f'<annotations><image name="i" width="40" height="30">{mask * 200}</image></annotations>'.encode()


def labelme_of_many_shapes() -> bytes:
    shapes = [
        {"label": "x", "shape_type": "polygon", "points": [[n % 3000, 5], [n % 3000 + 4, 5], [n % 3000 + 2, 15]]}
        for n in range(20_000)
    ]
    return json.dumps({"shapes": shapes, "imageWidth": 4000, "imageHeight": 3000}).encode()


def coco_of_huge_runs() -> bytes:
    size = {"size": [14000, 14000], "counts": [14000 * 14000]}
    one = [{"id": n, "image_id": 1, "category_id": 1, "segmentation": size} for n in range(1000)]
    image = {"id": 1, "width": 40, "height": 30, "file_name": "a"}
    return json.dumps({"images": [image], "annotations": one, "categories": [{"id": 1, "name": "x"}]}).encode()


def labelme_of_a_bomb() -> bytes:
    shape = {"label": "x", "shape_type": "mask", "points": [[0, 0], [39, 29]]}
    shape["mask"] = base64.b64encode(huge_palette()).decode()
    return json.dumps({"shapes": [shape] * 50, "imageWidth": 40, "imageHeight": 30}).encode()


PICTURES: dict[str, tuple[Callable[[], bytes], str]] = {
    "huge1.png": (huge_palette, "14000x14000 is 196,000,000 pixels"),
    "huge2.png": (huge_palette, "at most 50,000,000 are allowed"),
    "huge3.png": (huge_palette, "at most 50,000,000 are allowed"),
    "tiny.jpg": (tiny_jpeg_of_180_megapixels, "6000x30000"),
    "text.png": (lambda: b"not a picture", "no picture"),
    "empty.png": (lambda: b"", "no picture"),
}
MASKS: dict[str, tuple[Callable[[], bytes], str]] = {
    "huge.png": (huge_palette, "196,000,000 pixels"),
    "tiny.jpg": (tiny_jpeg_of_180_megapixels, "180,000,000 pixels"),
    "cvat.xml": (cvat_of_huge_masks, "19000x10000"),
    "coco.json": (coco_of_huge_runs, "14000x14000"),
    "bomb.json": (labelme_of_a_bomb, "196,000,000 pixels"),
    "deep.json": (lambda: b"[" * 100_000, "not readable as JSON"),
    "deep.xml": (lambda: b"<a>" * 100_000, "not readable as XML"),
}


def _write(folder: Path, files: dict[str, tuple[Callable[[], bytes], str]]) -> None:
    folder.mkdir()
    for name, (make, _) in files.items():
        (folder / name).write_bytes(make())


def test_eight_good_photos_are_done_and_each_hostile_file_is_named(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    _write(tmp_path / "pictures", PICTURES)
    _write(tmp_path / "masks", MASKS)
    os.mkfifo(tmp_path / "pictures" / "pipe.png")
    os.mkfifo(tmp_path / "masks" / "pipe.png")
    (tmp_path / "masks" / "device.png").symlink_to("/dev/zero")
    good = [{"image": str(path), "box": BOX, "id": f"good {n}"} for n, path in enumerate(photos(tmp_path / "i", GOOD))]
    bad = [{"image": f"pictures/{name}", "box": BOX, "id": name} for name in [*PICTURES, "pipe.png"]]
    bad += [
        {"image": "i/p000.png", "mask": f"masks/{name}", "id": f"mask {name}", "output": f"m-{name}.png"}
        for name in [*MASKS, "pipe.png"]
    ]
    bad += [{"image": "i/p000.png", "mask": "masks/device.png", "id": "mask device", "output": "d.png"}]
    lines = [json.dumps(row) for pair in zip(bad, good, strict=False) for row in pair]
    lines += [json.dumps(row) for row in bad[GOOD:]]
    lines += ['{"image":"\\ud800.png","box":"1,1,5,5"}', f'{{"image":"a.png","box":{"[" * 5000}']
    (tmp_path / "edits.jsonl").write_text("\n".join(lines))
    began = time.monotonic()
    assert main(["batch", "edits.jsonl", "-o", "out", "--engine", "telea", "--max-pixels", "50000000"]) == 1
    assert time.monotonic() - began < 120
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    done = {event["id"] for event in events if event["event"] == "done"}
    assert done == {row["id"] for row in good}
    reasons = {event["id"]: event["reason"] for event in events if event["event"] == "failed"}
    assert len(reasons) == len(bad) + 2
    for name, (_, said) in PICTURES.items():
        assert name in reasons[name]
        assert said in reasons[name]
    for name, (_, said) in MASKS.items():
        assert name in reasons[f"mask {name}"]
        assert said in reasons[f"mask {name}"]
    for name in ("pipe.png", "mask pipe.png", "mask device"):
        assert "no regular file" in reasons[name]


@pytest.mark.parametrize("make", [raw_profile, xmp_of_many_pieces, palette_of_many_chunks])
def test_no_parser_takes_longer_than_the_file_is_long(tmp_path: Path, make: Callable[[], bytes]):
    bench = Bench(tmp_path)
    (tmp_path / "a.png").write_bytes(make())
    began = time.process_time()
    assert bench.run([{"image": "a.png", "box": BOX, "mask_channel": "auto"}]).done == 1
    assert time.process_time() - began < 20


def test_annotations_with_tens_of_thousands_of_shapes_are_drawn(tmp_path: Path):
    from overpaint import Mask

    began = time.process_time()
    mask = Mask.from_file(labelme_of_many_shapes())
    assert time.process_time() - began < 30
    assert mask.core[5:15, :3000].mean() > 0.4


def test_a_damaged_jpeg_is_a_warning_of_its_row_and_an_error_with_strict(tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(damaged_jpeg())
    bench = Bench(tmp_path)
    assert bench.run([{"image": "a.jpg", "box": BOX}]).done == 1
    (done,) = bench.events_of(Done)
    assert "premature end of data segment" in done.warnings[0]
    assert bench.run([{"image": "a.jpg", "box": BOX, "strict": True}]).failed == 1
    (failed,) = bench.events_of(Failed)
    assert "premature end of data segment" in failed.reason


def test_a_whole_jpeg_has_no_faults(tmp_path: Path):
    for mode in ("L", "RGB", "CMYK"):
        Image.new(mode, (40, 30)).save(tmp_path / "a.jpg")
        assert open_picture(tmp_path / "a.jpg").source.faults == ()


HANG = b"hang here"
SITE = f"""
import ctypes, zlib
real = zlib.crc32
def crc32(data, *more):
    while {HANG!r} in bytes(data[:40]):
        ctypes.PyDLL(None).sleep(3600)  # with the interpreter's lock, and without a load on the machine
    return real(data, *more)
zlib.crc32 = crc32
"""


@pytest.fixture
def hanging_decoder(tmp_path: Path, monkeypatch) -> None:
    """In child processes PNG files with a certain text are never decoded, and nothing else runs meanwhile."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SITE)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(pool, "start", forks.start_reader)
    from overpaint.doors.reading import readers

    readers.close()
    yield
    readers.close()


def _never(path: Path) -> Path:
    path.write_bytes(_png(40, 30, 0, 8, bytes(30 * 41), (b"tEXt", b"Comment\0" + HANG)))
    return path


@pytest.mark.usefixtures("hanging_decoder")
def test_a_decoder_that_hangs_costs_its_row_and_no_other(tmp_path: Path):
    _never(tmp_path / "a.png")
    photos(tmp_path, 3)
    bench = Bench(tmp_path)
    rows = [{"image": name, "box": BOX} for name in ("a.png", "p000.png", "p001.png", "p002.png")]
    ended = bench.run(rows, limits=RowLimits(seconds=8.0))
    assert (ended.done, ended.failed) == (3, 1)
    (failed,) = bench.events_of(Failed)
    assert (failed.row, "longer than 8 seconds to read" in failed.reason) == (1, True)
    assert bench.strays() == []


@pytest.mark.usefixtures("hanging_decoder")
def test_a_run_ends_at_once_while_a_decoder_hangs(tmp_path: Path):
    _never(tmp_path / "a.png")
    photos(tmp_path, 3)
    rows = [{"image": name, "box": BOX} for name in ("p000.png", "p001.png", "p002.png", "a.png")]
    (tmp_path / "edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
    words = [sys.executable, "-m", "overpaint", "batch", "edits.jsonl", "-o", "out", "--engine", "telea"]
    path = os.pathsep.join([str(tmp_path / "site"), *sys.path])
    run = subprocess.Popen(
        words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert run.stdout is not None
    done = 0
    while done < 3:
        done += json.loads(run.stdout.readline())["event"] == "done"
    time.sleep(1.0)
    began = time.monotonic()
    run.send_signal(signal.SIGTERM)
    out, err = run.communicate(timeout=60)
    assert time.monotonic() - began < 15
    assert run.returncode == 143, err
    ended = json.loads(out.splitlines()[-1])
    assert (ended["done"], ended["failed"], ended["left"]) == (3, 0, 1)
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == [f"p00{n}.remove.png" for n in range(3)]


def test_a_row_that_is_painted_for_too_long_fails_and_the_next_is_done(tmp_path: Path):
    photos(tmp_path, 2)
    gate = threading.Event()
    bench = Bench(tmp_path, engine=lambda: waiting(gate, threading.Event()))

    def open_gate() -> None:
        while not bench.events_of(Failed):
            time.sleep(0.05)
        gate.set()

    threading.Thread(target=open_gate, daemon=True).start()
    rows = [{"image": "p000.png", "box": BOX}, {"image": "p001.png", "box": BOX}]
    ended = bench.run(rows, limits=RowLimits(seconds=5.0), retries=0)
    assert (ended.done, ended.failed) == (1, 1)
    assert "painting it took longer than 5 seconds" in bench.events_of(Failed)[0].reason


def test_a_row_may_not_take_more_memory_than_it_is_given(tmp_path: Path):
    photo(tmp_path / "small.png")
    photo(tmp_path / "large.png", size=(1000, 1000))
    bench = Bench(tmp_path)
    rows = [{"image": name, "box": BOX} for name in ("large.png", "small.png")]
    ended = bench.run(rows, limits=RowLimits(memory=20_000_000))
    assert (ended.done, ended.failed) == (1, 1)
    assert "a row may take 0.0" in bench.events_of(Failed)[0].reason.replace("0.02", "0.0")


def test_a_row_that_found_too_little_memory_is_tried_again_alone(tmp_path: Path, monkeypatch):
    from overpaint.batch import worker

    photos(tmp_path, 3)
    written, seen = worker._written, []

    def short(made, task, monitor):
        seen.append((task.item.row.number, task.alone))
        if task.item.row.number == 2 and not task.alone:
            raise MemoryError
        return written(made, task, monitor)

    monkeypatch.setattr(worker, "_written", short)
    bench = Bench(tmp_path)
    ended = bench.run([{"image": f"p00{n}.png", "box": BOX} for n in range(3)], retries=0)
    assert (ended.done, ended.failed) == (3, 0)
    assert [(one.row, one.again) for one in bench.events_of(Failed)] == [(2, True)]
    assert {(2, False), (2, True)} <= set(seen)


def test_no_memory_is_said_once_a_row_alone_has_none(tmp_path: Path):
    photos(tmp_path, 1)

    def paint(canvas, monitor):
        raise EngineError("there is no memory", code="memory-short")

    bench = Bench(tmp_path, engine=lambda: StandIn(paint))
    assert bench.run([{"image": "p000.png", "box": BOX}], retries=0).failed == 1
    assert [one.again for one in bench.events_of(Failed)] == [True, False]


MERGED = "- &a0 {image: p000.png}\n" + "".join(
    f"- &a{n + 1}\n  <<: [{','.join([f'*a{n}'] * 9)}]\n  prompt: x\n" for n in range(15)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [("- " + "[" * 100_000 + "]" * 100_000, "edits.yaml"), (MERGED, "edits.yaml"), ("\x00", "edits.yaml")],
    ids=["deep", "merged", "binary"],
)
def test_a_manifest_that_cant_be_read_ends_with_2_and_costs_nothing(tmp_path, monkeypatch, capsys, text, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(manifest, "_SECONDS", 3.0)
    photos(tmp_path, 1)
    words = ["-o", "out", "--engine", "telea", "--box", BOX]
    (tmp_path / "good.yaml").write_text("- image: p000.png\n")
    assert main(["batch", "good.yaml", *words]) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()}
    (tmp_path / "edits.yaml").write_text(text)
    began = time.monotonic()
    assert main(["batch", "edits.yaml", *words]) == 2
    assert time.monotonic() - began < 60
    assert said in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()} == before


def test_a_manifest_without_an_end_is_refused(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edits.jsonl").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.jsonl")
    for name in ("edits.jsonl", "pipe.jsonl"):
        assert main(["batch", name, "-o", "out"]) == 2
        assert f"{name} is no regular file" in capsys.readouterr().err


def test_references_of_yaml_are_values_of_their_rows():
    rows = read_text("- &a {image: a.png, prompt: x}\n- {<<: *a, prompt: y}\n", "yaml", "the list")
    assert [row.table for row in rows] == [{"image": "a.png", "prompt": "x"}, {"image": "a.png", "prompt": "y"}]
    with pytest.raises(RequestError, match="the list: it is not YAML"):
        read_text("- [", "yaml", "the list")


def test_a_folder_names_its_pipes_links_and_names_that_are_no_text(tmp_path: Path):
    photos(tmp_path / "i", 1)
    os.mkfifo(tmp_path / "i" / "q.png")
    (tmp_path / "i" / "r.png").symlink_to("nowhere")
    with open(os.fsencode(tmp_path / "i") + b"/caf\xe9.png", "wb") as file:  # noqa: PTH123 - bytes
        file.write((tmp_path / "i" / "p000.png").read_bytes())
    bench = Bench(tmp_path)
    listed = read_folders(tmp_path / "i", None)
    ended = bench.run([{**row.table, "box": BOX} for row in listed.rows])
    assert (ended.done, ended.failed) == (1, 3)
    reasons = " ".join(event.reason for event in bench.events_of(Failed))
    for said in ("caf\\udce9.png", "q.png can't be read: it is no regular file", "r.png doesn't exist"):
        assert said in reasons


@pytest.mark.parametrize(
    "words",
    [
        ["info", "a.png"],
        ["remove", "a.png", "--box", BOX, "--engine", "telea"],
        ["remove", "small.png", "--mask", "a.png", "--engine", "telea"],
        ["mask", "refine", "a.png", "-o", "m.png"],
        ["mask", "convert", "a.png", "-o", "m.json"],
        ["mask", "preview", "small.png", "--mask", "a.png", "-o", "p.png"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_no_door_reads_more_pixels_than_it_is_told(tmp_path: Path, monkeypatch, capsys, words: list[str]):
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "a.png")
    photo(tmp_path / "small.png", size=(20, 10))
    assert main([*words, "--max-pixels", "300"]) == 2
    assert "40x30 is 1,200 pixels; at most 300 are allowed" in capsys.readouterr().err


@pytest.mark.usefixtures("hanging_decoder")
@pytest.mark.parametrize("field", ["mask", "avoid", "sketch", "insert"])
def test_what_takes_too_long_is_named_and_not_the_picture(tmp_path: Path, field: str):
    _never(tmp_path / "slow.png")
    photos(tmp_path, 1)
    bench = Bench(tmp_path)
    row = {"image": "p000.png", "box": BOX, field: "slow.png"}
    assert bench.run([row], limits=RowLimits(seconds=2.0)).failed == 1
    (failed,) = bench.events_of(Failed)
    file = tmp_path / "slow.png"
    assert failed.reason == f"the {field} {file}: it took longer than 2 seconds to read"


HUNG = """
import os, time
real = os.open
def wait(path, *rest, **more):
    if "hung" in str(path):
        time.sleep(3600)
    return real(path, *rest, **more)
os.open = wait
"""


@pytest.fixture
def hung_mount(tmp_path: Path, monkeypatch) -> Path:
    """A folder of regular files whose opening never returns, in this process and in others that have its path."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(HUNG)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(pool, "start", forks.start_reader)
    real = os.open

    def wait(path, *rest, **more):
        if "hung" in str(path):
            time.sleep(3600)
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", wait)
    for name in ("a.png", "m.png", "s.png", "n.png", "o.png"):
        photo(tmp_path / "hung" / name)
    return tmp_path / "hung"


def _rows_that_hang() -> list[dict[str, str]]:
    bad: list[dict[str, str]] = [{"image": "hung/a.png", "box": BOX}]
    bad += [{"image": "p000.png", "box": BOX, field: "hung/m.png"} for field in ("sketch", "insert", "avoid")]
    bad.append({"image": "p000.png", "mask": "hung/m.png"})
    return [{**row, "id": f"bad {n}", "output": f"bad{n}.png"} for n, row in enumerate(bad)]


@pytest.mark.usefixtures("hung_mount")
def test_a_regular_file_that_hangs_costs_its_rows_and_no_other(tmp_path: Path):
    photos(tmp_path, 3)
    bench = Bench(tmp_path)
    good = [{"image": f"p00{n}.png", "box": BOX} for n in range(3)]
    began = time.monotonic()
    ended = bench.run([*_rows_that_hang(), *good], limits=RowLimits(seconds=2.0))
    assert time.monotonic() - began < 30
    assert (ended.done, ended.failed) == (3, 5)
    for failed in bench.events_of(Failed):
        assert "seconds to read" in failed.reason
        assert f"{tmp_path}/hung/" in failed.reason


@pytest.mark.usefixtures("hung_mount")
def test_a_run_ends_at_once_while_a_file_of_the_list_hangs(tmp_path: Path):
    photos(tmp_path, 3)
    rows = [*_rows_that_hang(), {"image": "p001.png", "box": BOX}]
    (tmp_path / "edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
    words = [sys.executable, "-m", "overpaint", "batch", "edits.jsonl", "-o", "out", "--engine", "telea"]
    path = os.pathsep.join([str(tmp_path / "site"), *sys.path])
    run = subprocess.Popen(words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE)
    while not (tmp_path / "out" / ".overpaint" / "files.sqlite").exists():
        assert run.poll() is None
        time.sleep(0.05)
    time.sleep(1.0)
    began = time.monotonic()
    run.send_signal(signal.SIGTERM)
    _, err = run.communicate(timeout=30)
    assert time.monotonic() - began < 5
    assert run.returncode == 143, err


def _endless() -> bool:
    """Whether this machine has a regular file whose read waits, and this account may read it."""
    try:
        return stat.S_ISREG(Path("/proc/kmsg").stat().st_mode) and os.access("/proc/kmsg", os.R_OK)
    except OSError:
        return False


@pytest.mark.skipif(not _endless(), reason="/proc/kmsg can't be read")
def test_the_kernel_s_messages_are_no_picture_no_mask_no_result_and_no_manifest(tmp_path: Path, monkeypatch, capsys):
    photos(tmp_path, 2)
    (tmp_path / "kmsg.png").symlink_to("/proc/kmsg")
    bench = Bench(tmp_path)
    rows = [{"image": "p000.png", "box": BOX}, {"image": "p001.png", "box": BOX}]
    assert bench.run(rows, limits=RowLimits(seconds=2.0)).done == 2
    (bench.out / "p001.remove.png").unlink()
    (bench.out / "p001.remove.png").symlink_to("/proc/kmsg")
    rows += [{"image": "kmsg.png", "box": BOX}, {"image": "p000.png", "mask": "kmsg.png", "output": "m.png"}]
    began = time.monotonic()
    ended = bench.run(rows, limits=RowLimits(seconds=2.0))
    assert (ended.done, ended.unchanged, ended.failed) == (0, 1, 3)
    assert time.monotonic() - began < 30
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(manifest, "READING", 2.0)
    (tmp_path / "edits.jsonl").symlink_to("/proc/kmsg")
    assert main(["batch", "edits.jsonl", "-o", "out"]) == 2
    assert "edits.jsonl" in capsys.readouterr().err
    assert main(["audit", "verify", "out", "--inputs"]) == 1
    assert "p001.remove.png" in capsys.readouterr().out
    assert time.monotonic() - began < 60
