"""Colour that a file states without an ICC profile stays, is used, and is never lost without a note."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

import overpaint
from overpaint import Mask
from overpaint.geometry import Size
from overpaint.picture import CodePoints, Colour, Metadata, Picture, encode, from_array, icc, open_picture, profile_name
from overpaint.picture.code_points import _TRANSFERS
from overpaint.picture.colour import converter_for
from overpaint.picture.profile import SRGB_TO_XYZ, matrix_of
from test_picture_colour import PRIMARIES, SRGB, cube, gamma, profile

P3, PQ, HLG = CodePoints(12, 13, 0), CodePoints(9, 16, 0), CodePoints(9, 18, 0)
VALUES = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def picture(points: CodePoints | None, values: np.ndarray = VALUES, colour: Colour = Colour.RGB) -> Picture:
    return Picture(values, None, colour, Metadata(code_points=points))


def png(*chunks: tuple[bytes, bytes], values: np.ndarray = VALUES) -> bytes:
    plain = encode(from_array(values), "png").data
    added = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return plain[:33] + added + plain[33:]


def avif(primaries: int, transfer: int, depth: int = 8, quality: int = 90) -> bytes:
    """A file by OpenCV with its nclx box set."""
    values = VALUES if depth == 8 else VALUES.astype(np.uint16) << (depth - 8)
    settings = [cv2.IMWRITE_AVIF_QUALITY, quality, cv2.IMWRITE_AVIF_DEPTH, depth]
    data = bytearray(cv2.imencode(".avif", values, settings)[1].tobytes())
    at = data.index(b"colrnclx") + 8
    data[at : at + 4] = struct.pack(">2H", primaries, transfer)
    return bytes(data)


def nclx(data: bytes) -> tuple[int, int]:
    at = data.index(b"colrnclx") + 8
    return struct.unpack(">2H", data[at : at + 4])


# --- the formulas -------------------------------------------------------------------------------------------------

# Columns under D50 as published with the ICC's and Adobe's profiles.
BT_2020 = ((0.67346, 0.27904, -0.00193), (0.16567, 0.67535, 0.03000), (0.12505, 0.04561, 0.79685))


@pytest.mark.parametrize(("code", "columns"), [(12, PRIMARIES["p3"]), (9, BT_2020)])
def test_primaries_give_the_published_matrices(code: int, columns: tuple[tuple[float, ...], ...]) -> None:
    made = CodePoints(code, 13).profile
    assert made is not None
    np.testing.assert_allclose(SRGB_TO_XYZ @ made.matrix, np.array(columns).T, atol=6e-4)


def test_bt_709_primaries_and_srgb_transfer_are_srgb() -> None:
    assert CodePoints(1, 13).is_srgb
    assert CodePoints(2, 2).is_srgb
    assert not any(points.is_srgb for points in (CodePoints(1, 1), P3, PQ, HLG, CodePoints(1, 8)))


@pytest.mark.parametrize("transfer", _TRANSFERS)
def test_every_transfer_has_its_way_back(transfer: int) -> None:
    curve = _TRANSFERS[transfer][1]
    light = np.linspace(0, 1, 1001, dtype=np.float32)
    encoded = curve.encoded(light)
    assert (np.diff(encoded) > 0).all()
    np.testing.assert_allclose(curve.linear(encoded), light, atol=2e-5)


@pytest.mark.parametrize(
    ("transfer", "light", "wanted"),
    [
        (1, 0.18, 0.4090),  # 1.099 x 0.18^0.45 - 0.099
        (1, 0.01, 0.045),
        (8, 0.3, 0.3),
        (16, 1.0, 0.5807),  # BT.2408: 203 cd/m² is 58 % PQ
        (16, 100 / 203, 0.5081),  # and 100 cd/m² 51 %
        (18, 1.0, 0.75),  # and diffuse white 75 % HLG
        (17, 0.5, (0.5 * 48 / 52.37) ** (1 / 2.6)),
    ],
)
def test_curves_agree_with_the_standards_numbers(transfer: int, light: float, wanted: float) -> None:
    assert _TRANSFERS[transfer][1].encoded(np.array([light], np.float32))[0] == pytest.approx(wanted, abs=5e-4)


def test_primaries_without_an_area_give_no_profile() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        matrix_of((0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.31, 0.33))
    assert CodePoints(chromaticities=(0.0,) * 8).profile is None
    assert converter_for(picture(CodePoints(chromaticities=(0.0,) * 8)), "srgb").to_canvas(VALUES).max() <= 1


# --- engines ------------------------------------------------------------------------------------------------------


def test_display_p3_is_shown_to_engines_as_with_its_icc_profile() -> None:
    values = cube()
    by_codes = converter_for(picture(P3, values), "srgb").to_canvas(values)
    by_profile = converter_for(Picture(values, metadata=Metadata(icc=profile("p3"))), "srgb").to_canvas(values)
    assert np.abs(by_codes - by_profile).max() * 255 < 0.6
    assert np.abs(by_codes - values / 255).max() * 255 > 20


def test_hdr_pictures_show_diffuse_white_as_white_and_keep_brighter_values() -> None:
    ramp = np.linspace(0, 65535, 48).astype(np.uint16).reshape(1, -1, 1).repeat(3, 2)
    for points, white in ((PQ, 0.5807), (HLG, 0.75)):
        converter = converter_for(picture(points, ramp), "srgb")
        canvas = converter.to_canvas(ramp)
        assert (canvas[0, ramp[0, :, 0] > white * 65535 + 300] > 0.9999).all()
        assert (canvas[0, ramp[0, :, 0] < white * 65535 - 3000] < 0.98).all()
        np.testing.assert_array_equal(converter.to_samples(ramp, canvas, canvas), ramp)
        painted = np.full_like(canvas, 0.5)
        again = converter.to_canvas(np.rint(converter.to_samples(ramp, canvas, painted)).astype(np.uint16))
        assert np.abs(again - 0.5)[canvas.max(axis=2) < 0.7].max() < 0.02


def test_a_gamma_of_a_png_file_is_used_and_named() -> None:
    opened = open_picture(png((b"gAMA", struct.pack(">I", 100_000))))
    canvas = converter_for(opened, "srgb").to_canvas(np.full((1, 1, 3), 128, np.uint8))
    light = 128 / 255
    assert canvas[0, 0, 0] == pytest.approx(1.055 * light ** (1 / 2.4) - 0.055, abs=1e-4)
    assert profile_name(opened.metadata) == "BT.709 primaries, gamma 1 transfer"


@pytest.mark.parametrize(
    "chunks",
    [
        [(b"gAMA", struct.pack(">I", 45455))],  # what sRGB files have beside or in place of sRGB
        [(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100_000))],
        [(b"cICP", bytes((1, 13, 0, 1))), (b"gAMA", struct.pack(">I", 100_000))],
    ],
)
def test_png_chunks_count_in_the_order_of_the_standard(chunks: list[tuple[bytes, bytes]]) -> None:
    opened = open_picture(png(*chunks))
    assert profile_name(opened.metadata) == "sRGB"
    np.testing.assert_array_equal(converter_for(opened, "srgb").to_canvas(VALUES), VALUES / np.float32(255))
    assert not encode(opened, "webp").notes
    assert open_picture(encode(opened, "webp").data).metadata.icc is None


def test_code_points_count_before_a_png_files_icc_profile() -> None:
    opened = open_picture(png((b"iCCP", b"x\0\0" + zlib.compress(SRGB)), (b"cICP", bytes((12, 13, 0, 1)))))
    assert profile_name(opened.metadata) == "Display P3"
    again = open_picture(encode(opened, "png").data).metadata
    assert (again.icc, again.code_points) == (opened.metadata.icc, opened.metadata.code_points)
    encoded = encode(opened, "jpeg")
    assert open_picture(encoded.data).metadata.icc == SRGB
    assert any("the ICC profile stays" in note for note in encoded.notes)


def test_an_icc_profile_counts_before_the_gamma_and_primaries_of_a_png_file() -> None:
    places = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    loose = ((b"gAMA", struct.pack(">I", 100_000)), (b"cHRM", places))
    plain, both = open_picture(png(*loose)), open_picture(png((b"iCCP", b"x\0\0" + zlib.compress(SRGB)), *loose))
    assert plain.metadata.code_points is not None
    assert (both.metadata.code_points, both.metadata.icc) == (None, SRGB)
    np.testing.assert_array_equal(converter_for(both, "srgb").to_canvas(VALUES), VALUES / np.float32(255))


# --- saving -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("quality", [None, 80])
def test_an_avif_file_keeps_its_code_points(depth: int, quality: int | None) -> None:
    opened = open_picture(avif(12, 13, depth))
    assert opened.metadata.code_points is not None
    assert profile_name(opened.metadata) == "Display P3"
    encoded = encode(opened, "avif", quality=quality)
    assert nclx(encoded.data) == (12, 13)
    again = open_picture(encoded.data)
    assert again.metadata.code_points is not None
    if quality is None:
        np.testing.assert_array_equal(again.samples, opened.samples)
        assert encoded.notes == ()


def test_code_points_go_from_avif_to_png_and_back() -> None:
    opened = open_picture(avif(9, 16, 10))
    as_png = encode(opened, "png").data
    assert png_chunk_of(as_png, b"cICP") == bytes((9, 16, 0, 1))
    back = encode(open_picture(as_png), "avif")
    assert nclx(back.data) == (9, 16)


def png_chunk_of(data: bytes, kind: bytes) -> bytes:
    at = data.index(kind)
    return data[at + 4 : at + 4 + int.from_bytes(data[at - 4 : at], "big")]


def test_every_colour_chunk_of_a_png_file_stays_in_png() -> None:
    chunks = [
        (b"cICP", bytes((9, 16, 0, 1))),
        (b"mDCV", bytes(range(24))),
        (b"cLLI", bytes(range(8))),
        (b"gAMA", struct.pack(">I", 45455)),
        (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
    ]
    encoded = encode(open_picture(png(*chunks)), "png")
    for kind, body in chunks:
        assert png_chunk_of(encoded.data, kind) == body
    assert encoded.notes == ()
    other = encode(open_picture(png(*chunks)), "avif")
    assert "mastering display and light levels left out: AVIF files get none" in other.notes


@pytest.mark.parametrize("format", ["jpeg", "webp", "tiff"])
@pytest.mark.parametrize("points", [P3, PQ, HLG, CodePoints(1, 1), CodePoints(gamma=1 / 1.8)], ids=lambda p: p.name)
def test_formats_without_code_points_get_a_profile_that_means_the_same(format: str, points: CodePoints) -> None:
    encoded = encode(picture(points), format)
    assert f"colour written as an ICC profile ({points.name}): {format.upper()} has no place for code points" in (
        encoded.notes
    )
    again = open_picture(encoded.data)
    assert profile_name(again.metadata) == points.name
    values = cube()
    canvas = converter_for(picture(points), "srgb").to_canvas(values)
    assert np.abs(converter_for(again, "srgb").to_canvas(values) - canvas).max() * 255 < 0.6
    values = cube(top=136 if points.transfer in (16, 18) else 255)  # others cut off what is brighter than white
    canvas = converter_for(picture(points), "srgb").to_canvas(values)
    made = ImageCms.ImageCmsProfile(io.BytesIO(again.metadata.icc or b""))
    srgb = ImageCms.ImageCmsProfile(io.BytesIO(SRGB))
    intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.NOOPTIMIZE
    by_others = ImageCms.profileToProfile(Image.fromarray(values), made, srgb, renderingIntent=intent, flags=flags)
    assert np.abs(np.asarray(by_others) - canvas * 255).max() < 3


def test_colour_that_nothing_can_carry_is_named_in_a_note() -> None:
    encoded = encode(picture(CodePoints(9, 9)), "webp")
    assert encoded.notes == (
        "colour left out (BT.2020 primaries, number 9 transfer): WEBP has no place for code points,"
        " nor a profile for these",
    )
    assert png_chunk_of(encode(picture(CodePoints(9, 9)), "png").data, b"cICP") == bytes((9, 9, 0, 1))


def test_samples_of_a_narrow_range_are_not_taken_for_others() -> None:
    opened = open_picture(png((b"cICP", bytes((1, 13, 0, 0)))))
    np.testing.assert_array_equal(converter_for(opened, "srgb").to_canvas(VALUES), VALUES / np.float32(255))
    for format in ("webp", "avif"):
        assert "colour left out (BT.709 primaries, sRGB transfer)" in encode(opened, format).notes[0]


def test_code_points_beyond_a_byte_are_no_code_points() -> None:
    opened = open_picture(avif(300, 13))
    assert opened.metadata.code_points is None
    assert encode(opened, "png").notes == ()


def test_heif_carries_code_points() -> None:
    pytest.importorskip("pillow_heif")
    opened = open_picture(encode(picture(P3), "heif").data)
    assert opened.metadata.code_points is not None
    assert profile_name(opened.metadata) == "Display P3"


GREY = np.arange(0, 256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("format", ["webp", "avif", "png", "tiff", "heif", "jpeg"])
def test_a_grey_profile_never_lands_on_an_rgb_file(format: str, alpha: bool) -> None:
    if format == "heif":
        pytest.importorskip("pillow_heif")
    if format == "jpeg" and alpha:
        pytest.skip("JPEG has no alpha")
    values = np.dstack([GREY, GREY]) if alpha else GREY
    grey = from_array(values, icc=profile(curve=gamma(1.8), space=b"GRAY"))
    again = open_picture(encode(grey, format).data)
    assert icc.colour_space(again.metadata.icc) == ("GRAY" if again.colour is Colour.GREY else "RGB")
    wanted = converter_for(grey, "srgb").to_canvas(grey.samples)
    lossy = {"jpeg": 0.05, "heif": 0.05}.get(format, 1e-3)
    assert np.abs(converter_for(again, "srgb").to_canvas(again.samples) - wanted).max() < lossy


def test_a_grey_picture_with_code_points_gets_a_grey_profile() -> None:
    grey = picture(CodePoints(gamma=1 / 1.8), GREY[..., np.newaxis], Colour.GREY)
    assert icc.colour_space(open_picture(encode(grey, "jpeg").data).metadata.icc) == "GRAY"
    assert icc.colour_space(open_picture(encode(grey, "webp").data).metadata.icc) == "RGB"


@pytest.mark.parametrize("name", ["out.webp", "out.jpg"])
def test_an_edit_saved_with_its_record_has_the_profile_too(name: str, tmp_path: Path) -> None:
    edited = overpaint.remove(picture(P3), Mask.box(Size(32, 24), (4, 4, 9, 9)), engine="telea")
    saved = edited.save(tmp_path / name)
    assert any("colour written as an ICC profile (Display P3)" in note for note in saved.notes)
    assert profile_name(open_picture(saved.path).metadata) == "Display P3"


@settings(deadline=None, max_examples=60)
@given(
    gamma=st.none() | st.integers(1, 2**32 - 1),
    places=st.none() | st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 100_000), min_size=8, max_size=8),
)
def test_absurd_gammas_and_primaries_still_give_colours(gamma: int | None, places: list[int] | None) -> None:
    chunks = [] if gamma is None else [(b"gAMA", struct.pack(">I", gamma))]
    chunks += [] if places is None else [(b"cHRM", struct.pack(">8I", *places))]
    opened = open_picture(png(*chunks))
    converter = converter_for(opened, "srgb")
    canvas = converter.to_canvas(VALUES)
    assert ((canvas >= 0) & (canvas <= 1)).all()
    assert np.isfinite(converter.to_samples(VALUES, canvas, 1 - canvas)).all()
    for format in ("webp", "avif", "tiff"):
        again = open_picture(encode(opened, format).data)
        np.testing.assert_array_equal(again.samples, VALUES)
