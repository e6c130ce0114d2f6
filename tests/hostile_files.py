"""Small files that are hostile to parsers: pictures, masks and annotations, lists of edits; the bytes by name.

They claim much more than they hold, are nested without end, refer to themselves, or are of another kind than their
names say.
"""

from __future__ import annotations

import base64
import functools
import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from PIL import Image

from overpaint.picture import png as png_reader


class MadeFiles(Mapping[str, bytes]):
    """Files by name, each made when it is asked for: all of them take seconds and many megabytes."""

    def __init__(self, makers: Mapping[str, Callable[[], bytes]]) -> None:
        self._makers = makers

    def __getitem__(self, name: str) -> bytes:
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def _saved(format: str, size: tuple[int, int] = (40, 30), **options: object) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


# ── pictures ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _png(*others: tuple[bytes, bytes], size: tuple[int, int] = (40, 30), pixels: bytes | None = None) -> bytes:
    """Grey, 8 bits, with further chunks before the pixels."""
    head = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(30 * 41)) if pixels is None else pixels
    parts = [(b"IHDR", head), *others, (b"IDAT", body), (b"IEND", b"")]
    return png_reader.SIGNATURE + b"".join(png_reader.chunk(*part) for part in parts)


@functools.cache
def _inflating(megabytes: int) -> bytes:
    """What inflates to so many megabytes."""
    deflate = zlib.compressobj(9)
    return b"".join([*(deflate.compress(bytes(1 << 20)) for _ in range(megabytes)), deflate.flush()])


def _xmp(text: bytes) -> tuple[bytes, bytes]:
    return b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(text)


def _text(keyword: bytes, text: bytes) -> tuple[bytes, bytes]:
    return b"zTXt", keyword + b"\0\0" + zlib.compress(text)


def _directory(*tags: tuple[int, int, int, int], then: int = 0) -> bytes:
    """A TIFF directory at 8 with tags (number, type, count, value or offset)."""
    body = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + body + struct.pack("<I", then)


def _tiff(width: int = 40, height: int = 30, then: int = 0, tail: bytes = b"", **tags: tuple[int, int, int]) -> bytes:
    """Grey, 8 bits, one strip at 500; further tags as t259=(type, count, value)."""
    own = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 273: (4, 1, 500)}
    own |= {277: (3, 1, 1), 278: (4, 1, height), 279: (4, 1, width * height)}
    own |= {int(name[1:]): value for name, value in tags.items()}
    head = _directory(*((number, *value) for number, value in own.items()), then=then)
    return head.ljust(500, b"\0") + (tail or bytes(1200))


_TILES = {"t322": (4, 1, 1), "t323": (4, 1, 1), "t324": (4, 9, 500), "t325": (4, 9, 500)}
_LOOP = _directory((0x8769, 4, 1, 8), (0x8825, 4, 1, 8), (0x14A, 4, 1, 8), then=8)
_WIDE = _directory(*((n + 1, 7, 65_000, 8) for n in range(5000)), then=8)


def _jpeg(*segments: tuple[int, bytes]) -> bytes:
    data = _saved("JPEG")
    parts = (b"\xff" + bytes([kind]) + struct.pack(">H", len(body) + 2) + body for kind, body in segments)
    return data[:2] + b"".join(parts) + data[2:]


def _jpeg_of(height: int, width: int) -> bytes:
    data = _saved("JPEG", (16, 16))
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def _riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _canvas(width: int, height: int, flags: int = 0) -> tuple[bytes, bytes]:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", struct.pack("<I", flags) + sides


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


def _avif_of(width: int, height: int) -> bytes:
    data = bytearray(_saved("AVIF"))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", width, height)
    return bytes(data)


def _nested_boxes() -> bytes:
    body = b""
    for _ in range(3000):
        body = _box(b"iprp", body)
    return _box(b"ftyp", b"avif\0\0\0\0avifmif1") + _box(b"meta", bytes(4) + body)


def _gif(width: int, height: int, body: bytes) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0\0\0\0\xff\xff\xff" + body + b";"


_FRAME = b",\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0"


def _bmp(width: int, height: int, bits: int = 24, colours: int = 0, start: int = 54) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 0, 0, 0, 0, colours, 0)
    return b"BM" + struct.pack("<IHHI", 4054, 0, 0, start) + head + bytes(4000)


def _jpeg2000_of(width: int, height: int, *tile: int) -> bytes:
    data = bytearray(_saved("JPEG2000"))
    at = data.index(b"\xff\x51")
    data[at + 6 : at + 14] = struct.pack(">II", width, height)
    if tile:
        data[at + 22 : at + 30] = struct.pack(">II", *tile)
    return bytes(data)


LARGEST = _png(size=(0x7FFFFFFF, 0x7FFFFFFF))
"""A small PNG that claims the largest sides of its format."""


def pictures() -> Mapping[str, bytes]:
    """Files that are given as pictures. Some can be edited all the same: what is hostile is beside their pixels."""
    many = 60_000
    return MadeFiles(
        {
            "texts.png": lambda: _png(*((b"tEXt", b"K%d\0x" % n) for n in range(many))),
            "inflating.png": lambda: _png((b"zTXt", b"Comment\0\0" + _inflating(80))),
            "profile.png": lambda: _png((b"iCCP", b"icc\0\0" + _inflating(80))),
            "tail.png": lambda: _png(pixels=_inflating(80)),
            "no data.png": lambda: _png(*[(b"IDAT", b"")] * many),
            "longest.png": lambda: png_reader.SIGNATURE + b"\x7f\xff\xff\xffIHDR",
            "largest.png": lambda: LARGEST,
            "animated.png": lambda: _png((b"acTL", struct.pack(">II", 0xFFFFFFFF, 0))),
            "loop.png": lambda: _png((b"eXIf", _LOOP)),
            "wide.png": lambda: _png((b"eXIf", _WIDE)),
            "deep.png": lambda: _png(_xmp(b"<a>" * 200_000)),
            "entities.png": lambda: _png(_xmp(_ENTITIES)),
            "brackets.png": lambda: _png(_xmp(b"<" * 2_000_000)),
            "parameters.png": lambda: _png(_text(b"parameters", b"a\nSteps: 20, " + b'Lora hashes: "' * 50_000)),
            "brackets of a prompt.png": lambda: _png(_text(b"parameters", b"(" * 500_000 + b"\nSteps: 1")),
            "workflow.png": lambda: _png(_text(b"workflow", b"[" * 500_000)),
            "record.png": lambda: _png(_text(b"overpaint", b'{"a":' * 100_000)),
            "loop.jpg": lambda: _jpeg((0xE1, b"Exif\0\0" + _LOOP)),
            "wide.jpg": lambda: _jpeg((0xE1, b"Exif\0\0" + _WIDE)),
            "comments.jpg": lambda: _jpeg(*[(0xFE, b"x")] * many),
            "profiles.jpg": lambda: _jpeg(*[(0xE2, b"ICC_PROFILE\0\x01\xff" + bytes(6000))] * 255),
            "resources.jpg": lambda: _jpeg((0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\0" * 5000)),
            "pictures.jpg": lambda: _saved("JPEG") * 2000,
            "marks.jpg": lambda: b"\xff\xd8" + b"\xff" * 5_000_000,
            "no height.jpg": lambda: _jpeg_of(0, 40),
            "180 megapixels.jpg": lambda: _jpeg_of(30_000, 6_000),
            "arithmetic.jpg": lambda: _saved("JPEG").replace(b"\xff\xc0", b"\xff\xc9"),
            "loop.tif": lambda: _tiff(then=8),
            "largest.tif": lambda: _tiff(0x7FFFFFFF, 0xFFFF, t279=(4, 1, 9)),
            "strips.tif": lambda: _tiff(t273=(4, 0xFFFFFFFF, 500), t279=(4, 0xFFFFFFFF, 500)),
            "tiles.tif": lambda: _tiff(
                4000, 4000, t322=(4, 1, 1), t323=(4, 1, 1), t324=(4, 9, 500), t325=(4, 9, 500), t279=(4, 1, 9)
            ),
            "inflating.tif": lambda: _tiff(t259=(3, 1, 8), t279=(4, 1, 100_000), tail=_inflating(80)),
            "tags.tif": lambda: _tiff(t700=(1, 0xFFFFFFF0, 500), t34675=(7, 0xFFFFFFF0, 500)),
            "directories.tif": lambda: _tiff(t330=(4, 5000, 500), tail=struct.pack("<I", 8) * 5000),
            "canvas.webp": lambda: _riff(_canvas(1 << 24, 1 << 24), (b"VP8L", _saved("WEBP", lossless=True)[20:])),
            "frames.webp": lambda: _riff(_canvas(40, 30, 2), (b"ANIM", bytes(6)), *[(b"ANMF", bytes(16))] * many),
            "chunks.webp": lambda: _riff(*[(b"XXXX", b"")] * many, (b"VP8L", _saved("WEBP", lossless=True)[20:])),
            "largest.avif": lambda: _avif_of(65_535, 65_535),
            "nested.avif": lambda: _nested_boxes(),
            "cut.avif": lambda: _saved("AVIF")[:300],
            "canvas.gif": lambda: _gif(65_535, 65_535, _FRAME),
            "frame.gif": lambda: _gif(1, 1, b",\0\0\0\0" + b"\xff" * 4 + b"\0\x02\x02\x44\x01\0"),
            "frames.gif": lambda: _gif(40, 30, _FRAME * many),
            "comments.gif": lambda: _gif(40, 30, b"!\xfe\x01A\0" * many + _FRAME),
            "largest.bmp": lambda: _bmp(0x7FFFFFFF, 0x7FFFFFFF),
            "colours.bmp": lambda: _bmp(40, 30, 8, 0x7FFFFFFF),
            "start.bmp": lambda: _bmp(40, 30, start=0xFFFFFFF0),
            "largest.jp2": lambda: _jpeg2000_of(0xFFFFFFFF, 0xFFFFFFFF),
            "tiles.jp2": lambda: _jpeg2000_of(6000, 6000, 1, 1),
            "photoshop.png": lambda: b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 30_000, 30_000, 8, 3),
            "drawing.png": lambda: b"<svg xmlns='http://www.w3.org/2000/svg' width='1e9' height='1e9'/>",
            "archive.png": lambda: _archive(),
            "zeros.png": lambda: bytes(1_000_000),
            "empty.png": lambda: b"",
        }
    )


# ── masks and annotations ─────────────────────────────────────────────────────────────────────────────────────────

_ENTITIES = b'<!DOCTYPE a [<!ENTITY a "xxxxxxxxxx">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
)
_ENTITIES += b"]><annotations>&j;</annotations>"


@functools.cache
def _archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"<row>" * 2_000_000)
    return buffer.getvalue()


def _cvat(inner: str, width: object = 40, height: object = 30) -> bytes:
    return f'<annotations><image name="i" width="{width}" height="{height}">{inner}</image></annotations>'.encode()


def _coco(segmentation: object, count: int = 1, width: object = 40, height: object = 30) -> bytes:
    one = {"image_id": 1, "category_id": 1, "segmentation": segmentation}
    image = {"id": 1, "width": width, "height": height, "file_name": "a"}
    return json.dumps({"images": [image], "annotations": [{"id": n, **one} for n in range(count)]}).encode()


def _labelme(shape: dict[str, object], width: object = 40, height: object = 30) -> bytes:
    return json.dumps({"shapes": [{"label": "x", **shape}], "imageWidth": width, "imageHeight": height}).encode()


def masks() -> Mapping[str, bytes]:
    """Files that are given as masks of a picture of 40x30; none can be one."""
    deep = "[" * 900 + "]" * 900
    bomb = base64.b64encode(_png(size=(14_000, 14_000))).decode()
    square = [[0, 0], [39, 29]]
    return MadeFiles(
        {
            "entities.xml": lambda: _ENTITIES,
            "outside.xml": lambda: (
                b'<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotations>&a;</annotations>'
            ),
            "deep.xml": lambda: b"<a>" * 200_000,
            "names.xml": lambda: b"<annotations " + b" ".join(b'a%d="x"' % n for n in range(60_000)) + b"/>",
            "spaces.xml": lambda: (
                b"<annotations " + b" ".join(b'xmlns:a%d="x%d"' % (n, n) for n in range(20_000)) + b"/>"
            ),
            "open.xml": lambda: b"<annotations a='" + b"x" * 5_000_000,
            "comments.xml": lambda: b"<annotations>" + b"<!-- -->" * 200_000 + b"</annotations>",
            "NUL.xml": lambda: b"<annotations>\0</annotations>",
            "large mask.xml": lambda: _cvat(
                '<mask label="x" rle="0, 190000000" left="0" top="0" width="19000" height="10000"/>'
            ),
            "runs.xml": lambda: _cvat(
                f'<mask label="x" rle="{"0," * 500_000}" left="0" top="0" width="20" height="10"/>'
            ),
            "digits.xml": lambda: _cvat(
                f'<mask label="x" rle="{"9" * 500_000}" left="0" top="0" width="20" height="10"/>'
            ),
            "ellipse.xml": lambda: _cvat('<ellipse label="x" cx="1e308" cy="nan" rx="1e308" ry="inf"/>'),
            "size.xml": lambda: _cvat("", "9" * 5000, "1e999"),
            "deep.json": lambda: b"[" * 200_000,
            "deep tables.json": lambda: b'{"a":' * 200_000,
            "deep polygon.json": lambda: _coco(0).replace(b'"segmentation": 0', b'"segmentation": ' + deep.encode()),
            "numbers.json": lambda: _coco([[float("nan"), 0, float("inf"), 0, 9, 9]]),
            "digits.json": lambda: b'{"annotations": ' + b"9" * 1_000_000 + b"}",
            "kinds.json": lambda: _coco([["x", "y", None, True, {}, []]]),
            "text runs.json": lambda: _coco({"size": [30, 40], "counts": "o" * 1_000_000}),
            "no runs.json": lambda: _coco({"size": [30, 40], "counts": [0] * 500_000}),
            "large runs.json": lambda: _coco({"size": [14_000, 14_000], "counts": [14_000 * 14_000]}, 1000),
            "half a character.json": lambda: _coco({"size": [30, 40], "counts": "\ud800"}),
            "negative.json": lambda: _coco({"size": [-30, -40], "counts": [1200]}),
            "large.json": lambda: _coco([], 1, 10**18, 10**18),
            "keys.json": lambda: b"{" + b",".join(b'"k%d\\n":1' % n for n in range(60_000)) + b"}",
            "long key.json": lambda: json.dumps({"k" * 2_000_000: 1}).encode(),
            "none.json": lambda: b'{"annotations": null, "images": null}',
            "UTF-16.json": lambda: '{"annotations": []}'.encode("utf-16"),
            "bomb.json": lambda: _labelme({"shape_type": "mask", "points": square, "mask": bomb}),
            "circle.json": lambda: _labelme({"shape_type": "circle", "points": [[1e308, 1e308], [-1e308, 0]]}),
            "kind.json": lambda: _labelme({"shape_type": {"a": []}, "points": [[0, 0], [9, 0], [9, 9]]}),
            "text points.json": lambda: _labelme({"points": "0" * 2_000_000}),
            "huge.json": lambda: _labelme({"points": square}, -40, 1e308),
            "archive.zip": lambda: _archive(),
            "array.npy": lambda: (
                b"\x93NUMPY\x01\0v\0" + b"{'descr': '<f8', 'shape': (999999, 999999), }".ljust(117) + b"\n"
            ),
            "NaN.tif": lambda: _tiff(
                t258=(3, 1, 32), t339=(3, 1, 3), t279=(4, 1, 4800), tail=np.full(1200, np.nan, "<f4").tobytes()
            ),
            "largest.tif": lambda: _tiff(0x7FFFFFFF, 0xFFFF, t279=(4, 1, 9)),
            "loop.webp": lambda: _riff(_canvas(1 << 24, 1 << 24)),
            "empty.png": lambda: b"",
        }
    )


# ── lists of edits ────────────────────────────────────────────────────────────────────────────────────────────────


def lists() -> Mapping[str, bytes]:
    """Files that are given as a list of edits and can't be read as one at all."""
    merged = "".join(f"- &a{n + 1}\n  <<: [{','.join([f'*a{n}'] * 9)}]\n  prompt: x\n" for n in range(15))
    return MadeFiles(
        {
            "deep.json": lambda: b"[" * 500_000,
            "number.json": lambda: b"9" * 500_000,
            "table.json": lambda: b'{"a": 1}',
            "deep.yaml": lambda: b"- " + b"[" * 100_000,
            "deep tables.yaml": lambda: b"{a: " * 50_000,
            "deep rows.yaml": lambda: b"- " * 50_000 + b"a",
            "merged.yaml": lambda: b"- &a0 {image: p000.png}\n" + merged.encode(),
            "digits.yaml": lambda: b"- {seed: " + b"9" * 500_000 + b"}",
            "documents.yaml": lambda: b"--- []\n" * 10_000,
            "code.yaml": lambda: b"- !!python/object/apply:os.system ['exit 1']",
            "keys.yaml": lambda: b"- {? [a, b] : c}",
            "quotes.yaml": lambda: b'"' + b"\n" * 1_000_000,
            "text.yaml": lambda: b"a " * 1_000_000,
            "binary.csv": lambda: bytes(range(256)),
            "blank.csv": lambda: b"\n" * 1_000_000,
            "columns.csv": lambda: b"," * 100_000 + b"\n",
            "same names.csv": lambda: b"a,a,a\n1,2,3\n",
            "open.csv": lambda: b'image,box\n"' + b"x\n" * 500_000,
            "long.csv": lambda: b'image,box\n"' + b"x" * 17_000_000 + b'"',
            "page.csv": lambda: b"<html></html>",
            "workbook.csv": lambda: _archive(),
            "workbook.xlsx": lambda: _archive(),
            "packed.jsonl": lambda: gzip.compress(bytes(1_000_000)),
            "latin.jsonl": lambda: '{"image": "caf\u00e9.png"}'.encode("latin-1"),
            "no rows.jsonl": lambda: b"\n" * 100_000,
        }
    )


def rows() -> list[str]:
    """Lines of a list, as JSON, of rows that can't be done."""
    many = {
        "prompt": "(" * 200_000,
        "negative_prompt": "[a|b:" * 20_000,
        "polygon": " ".join(f"{n % 40},{n % 30}" for n in range(200_000)),
        "mask": {"parts": [{"kind": "full"}] * 20_000},
        "box": "1e308,-1e308,1e999,nan",
        "grow": 10**30,
        "output": "d/" * 1900 + "a.png",
        "seed": "9" * 100_000,
    }
    place = {"image": "p000.png", "box": "8,6,20,16", "intent": "replace", "steps": 1}
    found = [json.dumps({**place, "output": f"{name}.png", name: value}) for name, value in many.items()]
    found.append(json.dumps({"after": "x" * 1_000_000, "box": "8,6,20,16"}))
    names = ("/dev/zero", "/proc/self/mem", "/proc/kmsg", ".", "/", "http://127.0.0.1:9/a.png", "file:///etc/passwd")
    found += [json.dumps({"image": name, "box": "8,6,20,16"}) for name in (*names, "a\n\x1b[31mb.png", "a/" * 30_000)]
    found += ['{"image":"a.png","box":' + "[" * 2000 + "]" * 2000 + "}", '{"image":"a.png","box":' + "[" * 100_000]
    found += ['{"image":"\\ud800.png","box":"1,1,5,5"}', '{"image":"a\\u0000.png","box":"1,1,5,5"}', "\0" * 1000]
    found += ["{" + ",".join(f'"k{n}":1' for n in range(50_000)) + "}", '{"image":"' + "x" * 17_000_000 + '"}']
    return [*found, '{"image":"p000.png","box":"8,6,20,16","seed":' + "9" * 5000 + "}", "[]", "NaN"]
