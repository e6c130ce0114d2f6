"""What a lossless file holds comes back exactly, whatever the depth, colours and size."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from overpaint.errors import OutputError, PictureError
from overpaint.picture import Colour, Metadata, Picture, encode, from_array, from_pil, open_picture, to_pil

PIXELS = ((1, 1), (1, 7), (9, 17), (64, 48))
MANY = settings(deadline=None, max_examples=25)


@st.composite
def pictures(draw: st.DrawFn, depths: tuple[int, ...] = (8, 16), cmyk: bool = False) -> Picture:
    """Pictures of random samples; extreme values are as frequent as all others together."""
    dtype = np.uint8 if draw(st.sampled_from(depths)) == 8 else np.uint16
    height, width = draw(st.integers(1, 33)), draw(st.integers(1, 33))
    colour = draw(st.sampled_from([Colour.GREY, Colour.RGB] + [Colour.CMYK] * cmyk))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    top = np.iinfo(dtype).max
    samples = rng.integers(0, top + 1, (height, width, colour.samples)).astype(dtype)
    samples = np.where(rng.random(samples.shape) < 0.5, rng.choice([0, 1, top], samples.shape), samples).astype(dtype)
    alpha = rng.choice([0, 1, top // 2, top], (height, width)).astype(dtype) if draw(st.booleans()) else None
    return Picture(samples, alpha, colour)


def assert_equal(found: Picture, wanted: Picture) -> None:
    assert found.colour is wanted.colour
    assert found.depth == wanted.depth
    np.testing.assert_array_equal(found.samples, wanted.samples)
    assert (found.alpha is None) == (wanted.alpha is None)
    if wanted.alpha is not None:
        np.testing.assert_array_equal(found.alpha, wanted.alpha)


@MANY
@given(pictures())
def test_png_is_exact(picture: Picture) -> None:
    encoded = encode(picture, "png")
    assert encoded.fidelity == "lossless"
    assert_equal(open_picture(encoded.data), picture)


@MANY
@given(pictures(cmyk=True))
def test_tiff_is_exact(picture: Picture) -> None:
    encoded = encode(picture, "tiff")
    assert encoded.fidelity == "lossless"
    assert_equal(open_picture(encoded.data), picture)


@MANY
@given(pictures(depths=(8,)), st.sampled_from(["webp", "avif"]))
def test_webp_and_avif_are_exact_without_a_quality_even_under_transparent_pixels(picture: Picture, format: str) -> None:
    encoded = encode(picture, format)
    found = open_picture(encoded.data)
    assert encoded.fidelity == "lossless"
    samples = np.broadcast_to(picture.samples, found.samples.shape)
    np.testing.assert_array_equal(found.samples, samples)
    if picture.alpha is not None and (picture.alpha.min() < 255 or found.alpha is not None):
        np.testing.assert_array_equal(found.alpha, picture.alpha)


@settings(deadline=None, max_examples=8)
@given(pictures(depths=(16,)), st.sampled_from([10, 12]))
def test_a_deep_avif_file_comes_back_with_its_own_bits(picture: Picture, depth: int) -> None:
    # What 10 or 12 bits can hold, as reading such a file gives it.
    def coarse(values: np.ndarray) -> np.ndarray:
        short = values >> (16 - depth)
        return (short << (16 - depth) | short >> (2 * depth - 16)).astype(np.uint16)

    alpha = None if picture.alpha is None else coarse(picture.alpha)
    settings = [cv2.IMWRITE_AVIF_QUALITY, 100, cv2.IMWRITE_AVIF_DEPTH, depth]
    plain = np.broadcast_to(coarse(picture.samples), (*picture.size.shape, 3))[..., ::-1]
    planes = plain if alpha is None else np.dstack([plain, alpha])
    data = cv2.imencode(".avif", np.ascontiguousarray(planes >> (16 - depth)), settings)[1].tobytes()
    opened = open_picture(data)
    assert opened.depth == 16
    np.testing.assert_array_equal(opened.samples, plain[..., ::-1])
    again = encode(opened, "avif")
    assert again.fidelity == "lossless"
    assert_equal(open_picture(again.data), opened)


def test_sixteen_bits_beyond_avif_are_noted() -> None:
    picture = from_array(np.arange(256, dtype=np.uint16).reshape(16, 16) * 257 + 5)
    encoded = encode(picture, "avif")
    assert encoded.fidelity == "re-encoded"
    assert encoded.notes == ("reduced to 12 bits: AVIF can't hold 16",)
    error = np.abs(open_picture(encoded.data).samples.astype(int) - picture.samples.astype(int))
    assert error.max() <= 9


@pytest.mark.parametrize("format", ["jpeg", "webp"])
def test_sixteen_bits_in_an_eight_bit_format_are_rounded_and_noted(format: str) -> None:
    picture = from_array(np.full((8, 8, 3), 65535 // 2 + 300, np.uint16))
    encoded = encode(picture, format)
    assert encoded.fidelity == "re-encoded"
    assert "reduced to 8 bits" in encoded.notes[0]
    assert abs(int(open_picture(encoded.data).samples[0, 0, 0]) - round(picture.samples[0, 0, 0] / 257)) <= 1


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 2), (5, 7, 3), (5, 7, 4)])
def test_arrays_become_pictures_by_their_channels(shape: tuple[int, ...]) -> None:
    values = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    picture = from_array(values)
    channels = 1 if len(shape) == 2 else shape[2]
    assert picture.colour is (Colour.GREY if channels < 3 else Colour.RGB)
    assert (picture.alpha is not None) == (channels in (2, 4))
    deep = from_array(values / 255)
    assert deep.depth == 16
    np.testing.assert_array_equal(deep.samples, picture.samples.astype(np.uint16) * 257)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((2, 2, 5), np.uint8), "(2, 2, 5)"),
        (np.zeros(4, np.uint8), "(4,)"),
        (np.zeros((2, 2), np.int32), "int32"),
        (np.full((2, 2), 1.5), r"in [0, 1]"),
        (np.full((2, 2), np.nan), r"in [0, 1]"),
        (np.zeros((0, 2), np.uint8), "at least one pixel"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(values: np.ndarray, words: str) -> None:
    with pytest.raises(PictureError) as caught:
        from_array(values)
    assert words in str(caught.value)


def test_pictures_cannot_be_written_to_and_do_not_share_the_array_that_they_were_made_of() -> None:
    values = np.zeros((4, 4, 3), np.uint8)
    picture = from_array(values)
    with pytest.raises(ValueError, match="read-only"):
        picture.samples[0, 0, 0] = 1
    values[:] = 9
    assert picture.samples.max() == 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_pillow_images_go_both_ways(mode: str) -> None:
    ramp = Image.fromarray(np.arange(120, dtype=np.uint8).reshape(10, 12))
    image = ramp.convert("I;16") if mode == "I;16" else ramp.convert("RGB").convert(mode)
    picture = from_pil(image)
    if mode == "I;16":
        assert picture.depth == 16
        return
    shown = image.convert({"1": "L", "P": "RGB"}.get(mode, mode))
    assert np.array_equal(np.asarray(to_pil(picture)), np.asarray(shown))


# --- PNG files by others ------------------------------------------------------------------------------------------


def png_file(width: int, height: int, depth: int, colour: int, rows: bytes, extra: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize(("depth", "byte", "values"), [(1, 0b10100000, [255, 0, 255]), (2, 0b00011000, [0, 85, 170])])
def test_few_bits_of_grey_are_spread_to_eight(depth: int, byte: int, values: list[int]) -> None:
    picture = open_picture(png_file(3, 1, depth, 0, bytes([0, byte])))
    assert picture.samples.ravel().tolist() == values
    assert picture.mode == "grey 8-bit"


def test_palettes_come_as_rgb_with_their_transparency() -> None:
    image = Image.new("P", (4, 2))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.putdata([0, 1, 2, 0, 1, 2, 0, 1])
    out = io.BytesIO()
    image.save(out, "PNG", transparency=bytes([255, 0, 128]))
    picture = open_picture(out.getvalue())
    np.testing.assert_array_equal(np.dstack([picture.samples, picture.alpha]), np.asarray(image_rgba(out.getvalue())))
    assert picture.source.mode.startswith("palette")
    assert_equal(open_picture(encode(picture, "png").data), picture)


def image_rgba(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGBA")


@pytest.mark.parametrize("depth", [8, 16])
def test_a_transparent_colour_in_a_png_file_becomes_alpha(depth: int) -> None:
    key = (7, 8, 9)
    dtype = ">u2" if depth == 16 else "u1"
    colours = np.array([[key, (7, 8, 10), key]], dtype)
    extra = png_chunk(b"tRNS", struct.pack(">3H", *key))
    picture = open_picture(png_file(3, 1, depth, 2, b"\0" + colours.tobytes(), extra))
    assert (picture.alpha > 0).tolist() == [[False, True, False]]
    assert picture.alpha.max() == picture.maximum
    assert picture.samples[0, 0].tolist() == list(key)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1"])
def test_png_pixels_are_those_that_pillow_decodes(mode: str) -> None:
    rng = np.random.default_rng(3)
    image = Image.fromarray(rng.integers(0, 256, (19, 23, 3), dtype=np.uint8)).convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(rng.integers(0, 256, (19, 23), dtype=np.uint8)))
    out = io.BytesIO()
    image.save(out, "PNG")
    picture = open_picture(out.getvalue())
    shown = image.convert({"1": "L", "P": "RGB"}.get(mode, mode))
    np.testing.assert_array_equal(np.asarray(to_pil(picture)), np.asarray(shown))


def test_colour_chunks_of_a_png_file_stay() -> None:
    extra = png_chunk(b"gAMA", struct.pack(">I", 45455)) + png_chunk(b"cICP", bytes([9, 16, 0, 1]))
    data = encode(open_picture(png_file(1, 1, 8, 0, b"\0\5", extra)), "png").data
    assert data.count(png_chunk(b"gAMA", struct.pack(">I", 45455))) == 1
    assert data.count(png_chunk(b"cICP", bytes([9, 16, 0, 1]))) == 1


# --- TIFF files by others -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"byteorder": ">"},
        {"planarconfig": "separate"},
        {"compression": "zlib", "predictor": True},
        {"compression": "zlib", "predictor": True, "planarconfig": "separate", "byteorder": ">"},
        {"tile": (16, 32)},
        {"tile": (16, 16), "compression": "zlib", "planarconfig": "separate"},
        {"rowsperstrip": 3, "compression": "zlib"},
        {"bigtiff": True},
    ],
    ids=lambda how: "-".join(f"{k}" for k in how) or "plain",
)
def test_tiff_layouts_that_tifffile_writes(depth: int, how: dict[str, object]) -> None:
    rng = np.random.default_rng(depth)
    values = rng.integers(0, 1 << depth, (37, 29, 3)).astype(np.uint8 if depth == 8 else np.uint16)
    stored = np.ascontiguousarray(values.transpose(2, 0, 1)) if how.get("planarconfig") == "separate" else values
    out = io.BytesIO()
    tifffile.imwrite(out, stored, photometric="rgb", metadata=None, **how)
    picture = open_picture(out.getvalue())
    np.testing.assert_array_equal(picture.samples, values)
    assert picture.depth == depth


@pytest.mark.parametrize(("description", "kept"), [(None, None), ("A tower", "A tower")])
def test_tifffiles_own_description_of_the_stored_array_is_not_passed_on(description: str | None, kept: str) -> None:
    out = io.BytesIO()
    tifffile.imwrite(
        out, np.zeros((3, 16, 24), np.uint8), photometric="rgb", planarconfig="separate", description=description
    )
    with tifffile.TiffFile(io.BytesIO(encode(open_picture(out.getvalue()), "tiff").data)) as file:
        tag = file.pages.first.tags.get("ImageDescription")
        assert (tag and tag.value) == kept


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "raw"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "I;16"])
def test_tiff_compressions_that_libtiff_writes(compression: str, mode: str) -> None:
    rng = np.random.default_rng(5)
    ramp = (np.arange(31 * 23) % 251).reshape(31, 23)
    if mode == "I;16":
        values = (ramp * 250 + rng.integers(0, 3, ramp.shape)).astype(np.uint16)
    else:
        values = np.repeat(ramp[..., np.newaxis], len(mode), 2).squeeze().astype(np.uint8)
    cmyk = mode == "CMYK"
    image = Image.frombytes("CMYK", (23, 31), values.tobytes()) if cmyk else Image.fromarray(values)
    out = io.BytesIO()
    image.save(out, "TIFF", compression=compression)
    picture = open_picture(out.getvalue())
    channels = [picture.samples] if picture.alpha is None else [picture.samples, picture.alpha[..., np.newaxis]]
    np.testing.assert_array_equal(np.concatenate(channels, axis=2).squeeze(), values)


@pytest.mark.parametrize("predictor", [1, 2])
def test_sixteen_bit_lzw_as_scanners_write_it(predictor: int) -> None:
    values = np.random.default_rng(1).integers(0, 65536, (40, 33, 3)).astype(np.uint16)
    settings = [cv2.IMWRITE_TIFF_COMPRESSION, 5, cv2.IMWRITE_TIFF_PREDICTOR, predictor]
    data = cv2.imencode(".tiff", values[..., ::-1], settings)[1].tobytes()
    picture = open_picture(data)
    np.testing.assert_array_equal(picture.samples, values)


def test_white_is_zero_and_associated_alpha_are_turned_round() -> None:
    grey = np.array([[0, 100, 255]], np.uint8)
    out = io.BytesIO()
    tifffile.imwrite(out, grey, photometric="miniswhite", metadata=None)
    assert open_picture(out.getvalue()).samples.ravel().tolist() == [255, 155, 0]
    straight = np.array([[[200, 100, 50], [10, 20, 30]]], np.uint8)
    alpha = np.array([[128, 0]], np.uint8)
    multiplied = np.rint(straight * (alpha[..., None] / 255)).astype(np.uint8)
    out = io.BytesIO()
    both = np.dstack([multiplied, alpha])
    tifffile.imwrite(out, both, photometric="rgb", extrasamples=["assocalpha"], metadata=None)
    picture = open_picture(out.getvalue())
    assert np.abs(picture.samples[0, 0].astype(int) - straight[0, 0]).max() <= 1
    assert picture.samples[0, 1].tolist() == [0, 0, 0]
    assert_equal(open_picture(encode(picture, "tiff").data), picture)


@pytest.mark.parametrize("compression", ["group4", "raw"])
def test_bilevel_and_palette_tiff_files_become_eight_bits(compression: str) -> None:
    image = Image.fromarray(np.arange(80).reshape(8, 10) % 3 == 0)
    out = io.BytesIO()
    image.save(out, "TIFF", compression=compression)
    picture = open_picture(out.getvalue())
    np.testing.assert_array_equal(picture.samples[..., 0], np.asarray(image) * np.uint8(255))
    out = io.BytesIO()
    palette = Image.fromarray(np.arange(80, dtype=np.uint8).reshape(8, 10)).convert("RGB").quantize(7)
    palette.save(out, "TIFF")
    np.testing.assert_array_equal(open_picture(out.getvalue()).samples, np.asarray(palette.convert("RGB")))


@pytest.mark.parametrize(
    ("values", "how", "words"),
    [
        (np.zeros((4, 4), np.float32), {}, "32 bits (floats)"),
        (np.zeros((4, 4), np.uint32), {}, "32 bits (whole numbers)"),
        (np.zeros((4, 4), np.int16), {}, "16 bits (signed integers)"),
        (np.zeros((3, 4, 4), np.uint8), {"photometric": "minisblack"}, "3 pages"),
        (np.zeros((4, 4, 5), np.uint8), {"photometric": "rgb", "planarconfig": "contig"}, "extra channel"),
        (np.zeros((4, 4, 3), np.uint8), {"photometric": "cielab"}, "photometric kind 8"),
    ],
)
def test_tiff_files_that_would_lose_something_are_refused(values: np.ndarray, how: dict[str, str], words: str) -> None:
    out = io.BytesIO()
    tifffile.imwrite(out, values, metadata=None, **how)
    with pytest.raises(PictureError) as caught:
        open_picture(out.getvalue())
    assert words in str(caught.value)


def test_further_directories_that_are_previews_do_not_count_as_pages() -> None:
    values = np.random.default_rng(2).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        writer.write(values, photometric="rgb", metadata=None)
        writer.write(values[::4, ::4], photometric="rgb", metadata=None, subfiletype=1)
    np.testing.assert_array_equal(open_picture(out.getvalue()).samples, values)


# --- what a format can't hold -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("picture", "format", "quality", "words"),
    [
        (from_array(np.zeros((2, 2, 4), np.uint8)), "jpeg", None, "transparency; use PNG"),
        (Picture(np.zeros((2, 2, 4), np.uint8), None, Colour.CMYK), "png", None, "CMYK; use TIFF or JPEG"),
        (Picture(np.zeros((2, 2, 4), np.uint8), None, Colour.CMYK), "webp", None, "CMYK"),
        (from_array(np.zeros((1, 16384), np.uint8)), "webp", None, "16383"),
        (from_array(np.zeros((1, 65501), np.uint8)), "jpeg", None, "65500"),
        (from_array(np.zeros((2, 2), np.uint8)), "gif", None, "'gif'"),
        (from_array(np.zeros((2, 2), np.uint8)), "jpge", None, "did you mean 'jpeg'"),
        (from_array(np.zeros((2, 2), np.uint8)), "jpeg", 0, "1 to 100, not 0"),
        (from_array(np.zeros((2, 2), np.uint8)), "jpeg", 101, "not 101"),
        (from_array(np.zeros((2, 2), np.uint8)), "png", 90, "quality 90 is for formats that lose"),
    ],
)
def test_what_a_format_cannot_hold_is_one_clear_error(
    picture: Picture, format: str, quality: int | None, words: str
) -> None:
    with pytest.raises(OutputError) as caught:
        encode(picture, format, quality=quality)
    assert words in str(caught.value)


def test_metadata_default_to_nothing() -> None:
    assert open_picture(encode(from_array(np.zeros((2, 2), np.uint8)), "png").data).metadata == Metadata()
