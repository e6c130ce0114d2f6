"""What can be opened is, as other decoders do it, and anything else is one clear error."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import time
import tracemalloc
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

import overpaint
from overpaint import Mask
from overpaint.errors import MissingExtraError, PictureError
from overpaint.picture import (
    PictureLimits,
    encode,
    format_of_result,
    from_array,
    open_picture,
    to_pil,
)

PHOTOS = Path(__file__).parents[2] / "shared" / "photos" / "eval" / "images"
SMALL = from_array(np.random.default_rng(0).integers(0, 256, (21, 34, 3), dtype=np.uint8))


# --- opening ------------------------------------------------------------------------------------------------------


def test_a_picture_is_opened_from_a_path_bytes_and_a_file(tmp_path: Path) -> None:
    data = encode(SMALL, "png").data
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with path.open("rb") as file:
        found = [open_picture(path), open_picture(str(path)), open_picture(data), open_picture(file)]
    for picture in found:
        np.testing.assert_array_equal(picture.samples, SMALL.samples)
        assert picture.source.data == data
    assert [p.source.path for p in found] == [path, path, None, None]
    assert len({p.source.sha256 for p in found}) == 1


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "really-a.jpg"
    path.write_bytes(encode(SMALL, "png").data)
    assert open_picture(path).source.format == "png"


def others() -> dict[str, tuple[bytes, str]]:
    def pillow(format: str) -> bytes:
        out = io.BytesIO()
        Image.new("RGB", (4, 4)).save(out, format)
        return out.getvalue()

    return {
        "empty": (b"", "empty"),
        "pdf": (pillow("PDF"), "PDF"),
        "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n", "PostScript"),
        "psd": (b"8BPS\0\1" + bytes(40), "Photoshop"),
        "words": (b"BM is how this text begins, and it goes on for a while\n", "text"),
        "svg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        "html": (b"<!DOCTYPE html><html></html>", "web page"),
        "text": (b"just some words\n", "text"),
        "noise": (bytes(range(255, 0, -1)), "isn't a picture"),
        "film": (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(30), "film"),
    }


@pytest.mark.parametrize("kind", others())
def test_other_files_are_named_and_so_is_what_would_be_right(kind: str, tmp_path: Path) -> None:
    data, words = others()[kind]
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    with pytest.raises(PictureError) as caught:
        open_picture(path)
    message = str(caught.value)
    assert str(path) in message
    assert words in message
    assert "PNG, JPEG, WebP, TIFF, AVIF" in message


def test_missing_files_folders_and_odd_sources(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"nowhere\.png doesn't exist"):
        open_picture(tmp_path / "nowhere.png")
    with pytest.raises(PictureError, match="is a folder"):
        open_picture(tmp_path)
    with pytest.raises(PictureError, match="binary mode"):
        open_picture(io.StringIO("text"))  # type: ignore[arg-type]
    with pytest.raises(PictureError, match="not int"):
        open_picture(3)  # type: ignore[arg-type]
    with pytest.raises(PictureError, match="can't be read"):
        open_picture("a\0b.png")


def animated(format: str) -> bytes:
    frames = [Image.new("RGB", (8, 8), (i * 80, 0, 0)) for i in range(3)]
    out = io.BytesIO()
    frames[0].save(out, format, save_all=True, append_images=frames[1:], duration=100)
    return out.getvalue()


@pytest.mark.parametrize("format", ["PNG", "WEBP", "AVIF", "GIF"])
def test_animated_pictures_are_refused(format: str) -> None:
    with pytest.raises(PictureError, match="animated"):
        open_picture(animated(format))


def by_pillow(mode: str, format: str, **how: object) -> tuple[bytes, np.ndarray]:
    """A file of noise, and the pixels that Pillow finds in it."""
    noise = np.random.default_rng(1).integers(0, 256, (33, 47, 4), dtype=np.uint8)
    image = Image.frombytes("RGBA", (47, 33), noise.tobytes())
    image = image if mode == "RGBA" else image.convert("RGB").convert(mode)
    if mode == "LA":
        image.putalpha(Image.fromarray(noise[..., 3]))
    out = io.BytesIO()
    image.save(out, format, **how)
    found = Image.open(io.BytesIO(out.getvalue()))
    return out.getvalue(), np.asarray(found.convert({"1": "L", "P": "RGB"}.get(found.mode, found.mode)))


@pytest.mark.parametrize(
    ("mode", "format", "how"),
    [
        *((mode, "BMP", {}) for mode in ("1", "L", "P", "RGB", "RGBA")),
        *((mode, "GIF", {}) for mode in ("1", "L", "P", "RGB")),
        *((mode, "JPEG2000", how) for mode in ("L", "LA", "RGB", "RGBA") for how in ({}, {"no_jp2": True})),
    ],
)
def test_bmp_still_gif_and_jpeg_2000_are_read_and_kept_as_png(
    mode: str, format: str, how: dict[str, object], tmp_path: Path
) -> None:
    data, wanted = by_pillow(mode, format, **how)
    picture = open_picture(data)
    assert picture.source.format == format.lower()
    np.testing.assert_array_equal(np.asarray(to_pil(picture)), wanted)
    assert format_of_result(picture.source.format) == "png"
    path = tmp_path / f"photo.{format.lower()}"
    path.write_bytes(data)
    mask = Mask.box(picture.size, (4, 4, 12, 12))
    assert overpaint.remove(path, mask, engine="telea").save().path == tmp_path / "photo.remove.png"


@pytest.mark.parametrize(("shape", "depth"), [((64, 80, 3), 16), ((64, 80), 16), ((64, 80, 3), 12), ((64, 80), 12)])
def test_deep_jpeg_2000_files_keep_their_bits(shape: tuple[int, ...], depth: int) -> None:
    values = np.random.default_rng(1).integers(0, 1 << depth, shape).astype(np.uint16)
    centred = values if depth == 16 else values + np.uint16(32768 - 2048)  # samples are coded around their middle
    settings = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]
    data = bytearray(cv2.imencode(".jp2", centred[..., ::-1] if values.ndim == 3 else centred, settings)[1].tobytes())
    sizes = data.index(b"\xff\x4f\xff\x51") + 42
    for i in range(1 if values.ndim == 2 else 3):
        data[sizes + 3 * i] = depth - 1
    data[data.index(b"ihdr") + 14] = depth - 1
    picture = open_picture(bytes(data))
    assert picture.depth == 16
    wanted = values if depth == 16 else values << 4 | values >> 8
    np.testing.assert_array_equal(picture.samples.squeeze(), wanted)


def test_transparency_and_comments_of_a_gif_file_stay() -> None:
    image = Image.new("P", (6, 4), 1)
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putpixel((2, 1), 2)
    out = io.BytesIO()
    image.save(out, "GIF", transparency=2, comment=b"a note")
    picture = open_picture(out.getvalue())
    assert picture.alpha is not None
    assert picture.alpha[1, 2] == 0
    assert (picture.alpha == 0).sum() == 1
    assert dict(picture.metadata.text) == {"Comment": "a note"}


def test_profiles_and_xmp_of_jpeg_2000_and_bmp_files_are_read() -> None:
    plain, _ = by_pillow("RGB", "JPEG2000")
    box = lambda kind, body: struct.pack(">I4s", 8 + len(body), kind) + body  # noqa: E731
    at = plain.index(b"colr") - 4
    size = int.from_bytes(plain[at : at + 4], "big")
    profile = b"\0" * 36 + b"acsp" + bytes(100)
    jp2h = plain.index(b"jp2h")
    colour = box(b"colr", b"\2\0\0" + profile)
    whole = bytearray(plain[:at] + colour + plain[at + size :])
    whole[jp2h - 4 : jp2h] = (int.from_bytes(plain[jp2h - 4 : jp2h], "big") + len(colour) - size).to_bytes(4, "big")
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
    whole += box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + packet)
    found = open_picture(bytes(whole)).metadata
    assert (found.icc, found.xmp) == (profile, packet)
    plain, _ = by_pillow("RGB", "BMP")
    header = struct.pack("<I", 124) + plain[18:54] + bytes(16) + b"DEBM" + bytes(52)
    header += struct.pack("<II", len(plain) - 54 + 124, len(profile)) + bytes(4)
    v5 = bytearray(plain[:14] + header + plain[54:] + profile)
    v5[10:14] = struct.pack("<I", 14 + 124)
    assert open_picture(bytes(v5)).metadata.icc == profile


def test_heic_is_read_with_the_extra_and_the_extra_is_named_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("pillow_heif")
    ramp = from_array(np.repeat(np.arange(64, dtype=np.uint8)[None, :, None] * 3, 48, 0).repeat(3, 2))
    encoded = encode(ramp, "heif")
    assert encoded.fidelity == "re-encoded"
    found = open_picture(encoded.data)
    assert found.source.format == "heif"
    assert np.abs(found.samples.astype(int) - ramp.samples).mean() < 2
    path = tmp_path / "photo.heic"
    path.write_bytes(encoded.data)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MissingExtraError, match=r"photo\.heic: .*overpaint\[heif\]"):
        open_picture(path)
    with pytest.raises(MissingExtraError):
        encode(ramp, "heif")


# --- limits and hostile files -------------------------------------------------------------------------------------


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def claims(width: int, height: int) -> dict[str, bytes]:
    """Small files that claim to be of a size."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    png = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    out = io.BytesIO()
    Image.new("RGB", (16, 16)).save(out, "JPEG")
    jpeg = out.getvalue()
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg = jpeg[:at] + struct.pack(">HH", min(height, 65535), min(width, 65535)) + jpeg[at + 4 :]
    out = io.BytesIO()
    tifffile.imwrite(out, np.zeros((4, 4, 3), np.uint8), photometric="rgb", metadata=None)
    tiff = bytearray(out.getvalue())
    for tag, value in ((256, width), (257, height), (278, height)):
        at = tiff.index(struct.pack("<H", tag), 8)
        tiff[at + 2 : at + 12] = struct.pack("<HII", 4, 1, value)
    out = io.BytesIO()
    Image.new("RGB", (16, 16)).save(out, "BMP")
    bmp = out.getvalue()[:18] + struct.pack("<ii", width, height) + out.getvalue()[26:]
    out = io.BytesIO()
    Image.new("P", (16, 16)).save(out, "GIF")
    gif = out.getvalue()[:6] + struct.pack("<HH", min(width, 65535), min(height, 65535)) + out.getvalue()[10:]
    out = io.BytesIO()
    Image.new("RGB", (16, 16)).save(out, "JPEG2000")
    at = out.getvalue().index(b"\xff\x4f\xff\x51") + 8
    jpeg2000 = out.getvalue()[:at] + struct.pack(">II", width, height) + out.getvalue()[at + 8 :]
    return {"png": png, "jpeg": jpeg, "tiff": bytes(tiff), "bmp": bmp, "gif": gif, "jpeg2000": jpeg2000}


@pytest.mark.parametrize("format", ["png", "jpeg", "tiff", "bmp", "gif", "jpeg2000"])
def test_too_many_pixels_are_refused_before_decoding(format: str) -> None:
    started = time.perf_counter()
    tracemalloc.start()
    with pytest.raises(PictureError, match=r"60000x60000 is 3,600,000,000 pixels; at most 200,000,000"):
        open_picture(claims(60000, 60000)[format])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50e6
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("format", ["png", "tiff", "bmp"])
def test_headers_that_promise_more_than_the_file_has_are_found_before_anything_is_allocated(format: str) -> None:
    tracemalloc.start()
    with pytest.raises(PictureError, match="truncated"):
        open_picture(claims(12000, 12000)[format])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50e6


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "tiff", "avif"])
def test_limits_hold_in_every_format(format: str, tmp_path: Path) -> None:
    data = encode(SMALL, format).data
    assert open_picture(data, limits=PictureLimits(pixels=21 * 34, bytes=len(data))).size == SMALL.size
    with pytest.raises(PictureError, match=r"34x21 is 714 pixels; at most 713"):
        open_picture(data, limits=PictureLimits(pixels=713))
    path = tmp_path / "a"
    path.write_bytes(data)
    for source in (data, path, io.BytesIO(data)):
        with pytest.raises(PictureError, match=r"bytes; at most|has .* bytes"):
            open_picture(source, limits=PictureLimits(bytes=len(data) - 1))


FLOOD = zlib.compress(bytes(80 << 20))


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_metadata_that_inflate_to_a_flood_are_refused(kind: bytes) -> None:
    body = {b"zTXt": b"Comment\0\0", b"iTXt": b"Comment\0\1\0\0\0", b"iCCP": b"icc\0\0"}[kind] + FLOOD
    data = encode(SMALL, "png").data
    with pytest.raises(PictureError, match="inflate to more than"):
        open_picture(data[:33] + chunk(kind, body) + data[33:])


def test_hundreds_of_megapixels_within_the_limit_need_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    picture = from_array(np.zeros((9500, 10000), np.uint8))  # beyond the size at which Pillow warns
    assert open_picture(encode(picture, "jpeg").data).size == picture.size
    assert not recwarn.list


def test_a_strip_outside_the_file_is_reported() -> None:
    out = io.BytesIO()
    tifffile.imwrite(out, np.zeros((4, 4, 3), np.uint8), photometric="rgb", metadata=None)
    data = bytearray(out.getvalue())
    at = data.index(struct.pack("<HH", 273, 4))
    data[at + 8 : at + 12] = struct.pack("<I", 1 << 30)
    with pytest.raises(PictureError, match="outside the file"):
        open_picture(bytes(data))


def test_directories_that_lead_in_circles_end() -> None:
    entry = struct.pack("<HHII", 256, 4, 1, 4)
    looping = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + entry + struct.pack("<I", 8)
    with pytest.raises(PictureError):
        open_picture(looping + bytes(64))


def samples_of_all_formats() -> dict[str, bytes]:
    """Small valid files of every kind that has a way of its own through the readers."""
    found = {f: encode(SMALL, f).data for f in ("png", "jpeg", "webp", "tiff", "avif")}
    found["png16"] = encode(from_array(SMALL.samples.astype(np.uint16) * 257), "png").data
    found["webp-lossy"] = encode(SMALL, "webp", quality=50).data
    found["avif-lossy"] = encode(SMALL, "avif", quality=50).data
    for name, how in (("lzw", "tiff_lzw"), ("packbits", "packbits"), ("tiff-jpeg", "jpeg")):
        out = io.BytesIO()
        Image.fromarray(SMALL.samples).save(out, "TIFF", compression=how)
        found[name] = out.getvalue()
    out = io.BytesIO()
    Image.fromarray(SMALL.samples).convert("P").save(out, "PNG", transparency=3)
    found["palette"] = out.getvalue()
    out = io.BytesIO()
    Image.fromarray(SMALL.samples).save(out, "JPEG", progressive=True, subsampling=2, dpi=(300, 300))
    found["progressive"] = out.getvalue()
    for name in ("BMP", "GIF", "JPEG2000"):
        out = io.BytesIO()
        Image.fromarray(SMALL.samples).save(out, name)
        found[name.lower()] = out.getvalue()
    tiled = io.BytesIO()
    values = np.zeros((40, 40, 4), np.uint16)
    tifffile.imwrite(tiled, values, photometric="rgb", tile=(16, 16), compression="zlib", metadata=None, bigtiff=True)
    found["bigtiff"] = tiled.getvalue()
    return found


VALID = samples_of_all_formats()


@pytest.mark.parametrize("kind", VALID)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_damaged_files_are_a_picture_or_one_clear_error(kind: str, data: st.DataObject) -> None:
    file = bytearray(VALID[kind])
    for _ in range(data.draw(st.integers(0, 4))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(file)))
    broken = bytes(file[:cut] if data.draw(st.booleans()) else file)
    try:
        picture = open_picture(broken, limits=PictureLimits(pixels=1_000_000))
    except PictureError as error:
        message = str(error)
    else:
        message = "the picture: opened" if picture.size.area <= 1_000_000 else "too large"
    assert message.startswith("the picture: ")
    assert "\n" not in message


@pytest.mark.parametrize(
    "kind", ["png", "jpeg", "webp", "tiff", "lzw", "avif", "png16", "palette", "bmp", "gif", "jpeg2000"]
)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_files_are_refused(kind: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / "cut.bin"
    path.write_bytes(VALID[kind][: int(len(VALID[kind]) * share)])
    with pytest.raises(PictureError, match=r"cut\.bin: .*(truncated|damaged)"):
        open_picture(path)


def test_pixels_that_stop_early_are_not_taken_for_a_picture() -> None:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0))
    for body in (zlib.compress(bytes(65 * 30)), zlib.compress(os.urandom(65 * 64))[:2000]):
        data = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", body) + chunk(b"IEND", b"")
        with pytest.raises(PictureError, match="truncated"):
            open_picture(data)


def test_a_damaged_chunk_that_is_not_needed_is_passed_over() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "hello")
    out = io.BytesIO()
    Image.fromarray(SMALL.samples).save(out, "PNG", pnginfo=info)
    broken = out.getvalue().replace(b"hello", b"jello")
    np.testing.assert_array_equal(open_picture(broken).samples, SMALL.samples)


def test_camera_raw_is_named() -> None:
    out = io.BytesIO()
    tifffile.imwrite(
        out, np.zeros((4, 4, 3), np.uint8), photometric="rgb", extratags=[(50706, 1, 4, b"\1\4\0\0", True)]
    )
    with pytest.raises(PictureError, match="raw file; develop it"):
        open_picture(out.getvalue())


def test_opening_the_room_loads_no_decoder() -> None:
    code = (
        "import sys, overpaint.picture;"
        "print(sorted({'cv2', 'PIL', 'tifffile', 'torch', 'scipy', 'jpeglib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the evaluation photos aren't here")
def test_real_photos_are_opened_as_other_decoders_do_and_saved_unchanged() -> None:
    for path in sorted(PHOTOS.glob("*.jpg"))[::6]:
        picture = open_picture(path)
        np.testing.assert_array_equal(picture.samples, cv2.imread(str(path))[..., ::-1])
        for format in ("png", "tiff", "jpeg"):
            np.testing.assert_array_equal(open_picture(encode(picture, format).data).samples, picture.samples)


@pytest.mark.parametrize("format", ["gif", "tiff", "webp"])
def test_the_limit_of_pixels_is_ours_and_not_that_of_pillow(tmp_path: Path, monkeypatch, format: str) -> None:
    """Pillow refuses pictures of more than 179 million pixels as bombs; they are neither damaged nor too large here."""
    path = tmp_path / f"a.{format}"
    Image.new("1" if format == "tiff" else "P" if format == "gif" else "RGB", (40, 30)).save(
        path, **({"compression": "group4"} if format == "tiff" else {})
    )
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tuple(open_picture(path).size) == (40, 30)
    assert Image.MAX_IMAGE_PIXELS == 100, "which is one for the process"
    with pytest.raises(PictureError, match="at most 1,000 are allowed"):
        open_picture(path, limits=PictureLimits(pixels=1000))


_SHORT = """
import resource, sys
import cv2, numpy, simplejpeg
import PIL.AvifImagePlugin, PIL.Jpeg2KImagePlugin, PIL.WebPImagePlugin
from overpaint.bounded.child import _data
from overpaint.errors import OverpaintError
from overpaint.picture import open_picture
open_picture(sys.argv[2])
resource.setrlimit(resource.RLIMIT_DATA, (_data() + (6 << 20),) * 2)
try:
    open_picture(sys.argv[1])
except OverpaintError as error:
    print(error.code)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("format", ["avif", "webp", "jpeg2000", "png"])
def test_a_want_of_memory_is_not_called_damage_whatever_the_decoder_says(tmp_path: Path, format: str) -> None:
    large, small = tmp_path / f"large.{format}", tmp_path / f"small.{format}"
    Image.new("RGB", (2400, 1600), (90, 120, 30)).save(large, format)
    Image.new("RGB", (40, 30), (90, 120, 30)).save(small, format)
    found = subprocess.run([sys.executable, "-c", _SHORT, large, small], capture_output=True, text=True, check=True)
    assert found.stdout == "memory-short\n"
    large.write_bytes(large.read_bytes()[: large.stat().st_size // 2])
    with pytest.raises(PictureError, match=r"damaged or truncated|is truncated"):
        open_picture(large)
