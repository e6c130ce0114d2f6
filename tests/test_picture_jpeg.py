"""JPEG to JPEG: what an edit doesn't reach decodes to exactly what it was, in every kind of JPEG file."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from skimage import data

from overpaint.errors import PictureError
from overpaint.picture import Colour, Picture, encode, exif, open_picture
from overpaint.picture.jpeg_segments import JpegFrame, JpegSegment, joined, parsed, quantisation_tables, segments
from overpaint.picture.orient import displayed

jpeglib = pytest.importorskip("jpeglib")

PHOTO = data.astronaut()[40:168, 150:310]
SIZES = ((1, 1), (17, 9), (61, 45), (100, 3), (64, 48))
PLACES = st.tuples(st.integers(0, 60), st.integers(0, 44), st.integers(1, 40), st.integers(1, 40))


def by_pillow(size: tuple[int, int], mode: str = "RGB", **how: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(PHOTO[: size[1], : size[0]]).convert(mode).save(out, "JPEG", **{"quality": 88, **how})
    return out.getvalue()


def by_opencv(size: tuple[int, int], *settings: int) -> bytes:
    return cv2.imencode(".jpg", PHOTO[: size[1], : size[0], ::-1], list(settings))[1].tobytes()


def ycck(size: tuple[int, int]) -> bytes:
    """A CMYK file whose Adobe segment says that the first three inks are to be transformed."""
    plain = by_pillow(size, "CMYK")
    at = plain.index(b"Adobe") + 11
    return plain[:at] + b"\2" + plain[at + 1 :]


def arithmetic(size: tuple[int, int], folder: str) -> bytes:
    with open(f"{folder}/a.jpg", "wb") as file:  # noqa: PTH123
        file.write(by_pillow(size, subsampling=2))
    with jpeglib.version("turbo210"):
        image = jpeglib.read_dct(f"{folder}/a.jpg")
        image.load()
        image.markers = None
        image.write_dct(f"{folder}/b.jpg", flags=["+ARITH_CODE"])
    with open(f"{folder}/b.jpg", "rb") as file:  # noqa: PTH123
        return file.read()


KINDS: dict[str, Callable[[tuple[int, int]], bytes]] = {
    **{
        f"{name}{'-progressive' * progressive}": lambda size, s=number, p=progressive: by_pillow(
            size, subsampling=s, progressive=p
        )
        for number, name in enumerate(("4:4:4", "4:2:2", "4:2:0"))
        for progressive in (False, True)
    },
    "4:1:1": lambda size: by_opencv(size, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411),
    "4:4:0": lambda size: by_opencv(size, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440),
    "restarts": lambda size: by_opencv(size, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    "grey": lambda size: by_pillow(size, "L"),
    "grey-progressive": lambda size: by_pillow(size, "L", progressive=True),
    "rgb": lambda size: by_pillow(size, keep_rgb=True),
    "cmyk": lambda size: by_pillow(size, "CMYK"),
    "cmyk-progressive": lambda size: by_pillow(size, "CMYK", progressive=True),
    "ycck": ycck,
    "low-quality": lambda size: by_pillow(size, quality=5),
    "lossy-tables": lambda size: by_pillow(size, qtables=[[1] * 64, [255] * 64]),
}


def frame_of(parts: list[JpegSegment]) -> JpegFrame:
    return parsed(joined(parts)).frame


def component_tables(parts: list[JpegSegment]) -> list[list[int]]:
    """The quantisation table of each component."""
    tables = quantisation_tables(parts)
    return [tables[c.table] for c in frame_of(parts).components]


def edited(data: bytes, place: tuple[int, int, int, int], seed: int = 0) -> tuple[Picture, Picture, np.ndarray]:
    """The file opened, with noise painted over a place (left, top, width, height), and where that is."""
    picture = open_picture(data)
    touched = np.zeros(picture.size.shape, bool)
    left, top, width, height = place
    touched[top : top + height, left : left + width] = True
    samples = picture.samples.copy()
    samples[touched] = np.random.default_rng(seed).integers(0, 256, samples[touched].shape)
    return picture, picture.with_pixels(samples, None), touched


def opencv_decode(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=6)
@given(size=st.sampled_from(SIZES), place=PLACES)
def test_untouched_pixels_decode_to_what_they_were(kind: str, size: tuple[int, int], place: tuple[int, ...]) -> None:
    file = KINDS[kind](size)
    original, picture, touched = edited(file, place)
    encoded = encode(picture, "jpeg", touched=touched)
    assert encoded.fidelity == "blocks"
    outside = ~encoded.touched
    found = open_picture(encoded.data)
    assert np.array_equal(found.samples[outside], original.samples[outside])
    if original.colour is not Colour.CMYK:
        assert np.array_equal(opencv_decode(encoded.data)[outside], opencv_decode(file)[outside])
    assert (encoded.touched | ~touched).all()


@pytest.mark.parametrize("kind", KINDS)
def test_tables_sampling_and_progression_stay(kind: str) -> None:
    file = KINDS[kind]((61, 45))
    _, picture, touched = edited(file, (8, 8, 20, 20))
    before, after = (list(segments(d)) for d in (file, encode(picture, "jpeg", touched=touched).data))
    assert frame_of(before).sampling == frame_of(after).sampling
    assert quantisation_tables(before) == quantisation_tables(after)
    if "cmyk" not in kind:
        assert frame_of(before).progressive == frame_of(after).progressive


@pytest.mark.parametrize("kind", KINDS)
def test_the_touched_area_is_rounded_up_to_mcus_and_a_pixel_of_interpolation(kind: str) -> None:
    file = KINDS[kind]((128, 96))
    _, picture, touched = edited(file, (40, 41, 2, 2))
    encoded = encode(picture, "jpeg", touched=touched)
    horizontal, vertical = parsed(file).frame.largest
    horizontal, vertical = (1, 1) if kind.startswith("grey") else (horizontal, vertical)
    across, down = encoded.touched.any(axis=0).sum(), encoded.touched.any(axis=1).sum()
    spill = {1: 0, 2: 2, 4: 4}
    assert across <= 8 * horizontal + spill[horizontal]
    assert down <= 8 * vertical + spill[vertical]


def test_without_the_pixel_of_interpolation_the_claim_would_be_wrong() -> None:
    file = by_pillow((128, 96), subsampling=2)
    original, picture, touched = edited(file, (32, 32, 16, 16))
    encoded = encode(picture, "jpeg", touched=touched)
    differs = (open_picture(encoded.data).samples != original.samples).any(axis=2)
    assert differs[31, 32:48].any()
    assert not differs[:31].any()


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("low-quality", "lossy-tables")])
def test_new_blocks_show_what_was_painted(kind: str) -> None:
    picture = open_picture(KINDS[kind]((128, 96)))
    touched = np.zeros((96, 128), bool)
    touched[16:64, 16:96] = True
    samples = picture.samples.copy()
    y, x = np.mgrid[0:48, 0:80]
    for channel in range(samples.shape[2]):
        samples[16:64, 16:96, channel] = 60 + channel * 30 + x // 2 + y // 2
    found = open_picture(encode(picture.with_pixels(samples, None), "jpeg", touched=touched).data)
    error = np.abs(found.samples[touched].astype(int) - samples[touched])
    assert error.mean() < 3


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_own_transform_agrees_with_libjpeg(subsampling: int) -> None:
    # All blocks new: the file should be as near to the picture as the one that Pillow makes with the same tables.
    values = np.ascontiguousarray(PHOTO[:96, :128])
    file = by_pillow((128, 96), subsampling=subsampling)
    picture = open_picture(file).with_pixels(values, None)
    encoded = encode(picture, "jpeg", touched=np.ones((96, 128), bool))
    ours = np.abs(open_picture(encoded.data).samples.astype(int) - values).mean()
    theirs = np.abs(open_picture(file).samples.astype(int) - values).mean()
    assert encoded.fidelity == "blocks"
    assert ours <= theirs * 1.02


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("subsampling", [0, 2])
def test_turned_files_keep_their_orientation_and_show_the_edit_where_it_was_made(
    orientation: int, subsampling: int
) -> None:
    tags = Image.Exif()
    tags[0x0112] = orientation
    file = by_pillow((61, 45), subsampling=subsampling, exif=tags.tobytes())
    original, picture, touched = edited(file, (3, 20, 11, 14))
    encoded = encode(picture, "jpeg", touched=touched)
    found = open_picture(encoded.data)
    assert encoded.fidelity == "blocks"
    assert found.source.orientation == orientation
    assert found.size == original.size
    assert np.array_equal(found.samples[~encoded.touched], original.samples[~encoded.touched])
    assert not np.array_equal(found.samples[touched], original.samples[touched])
    assert np.array_equal(displayed(np.asarray(Image.open(io.BytesIO(encoded.data))), orientation), found.samples)


def test_a_picture_that_lost_its_exif_still_shows_the_right_way_up() -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    picture = open_picture(by_pillow((61, 45), exif=tags.tobytes()))
    bare = Picture(picture.samples, None, picture.colour, source=picture.source)
    found = open_picture(encode(bare, "jpeg", touched=np.zeros(picture.size.shape, bool)).data)
    assert np.array_equal(found.samples, picture.samples)


def test_what_changed_is_found_when_nobody_says_it() -> None:
    original, picture, touched = edited(by_pillow((61, 45), subsampling=2), (10, 10, 9, 9))
    encoded = encode(picture, "jpeg")
    assert encoded.fidelity == "blocks"
    assert np.array_equal(encoded.touched, encode(picture, "jpeg", touched=touched).touched)
    assert not encode(original, "jpeg").touched.any()


def test_metadata_are_written_with_carried_blocks() -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    _, picture, touched = edited(by_pillow((61, 45), icc_profile=icc, dpi=(300, 300)), (4, 4, 4, 4))
    noted = exif.with_user_comment(None, "how it was made")
    metadata = type(picture.metadata)(icc=icc, exif=noted, xmp=b"<x/>", dpi=(300.0, 300.0))
    made = Picture(picture.samples, None, picture.colour, metadata, picture.source)
    found = open_picture(encode(made, "jpeg", touched=touched).data).metadata
    assert (found.icc, found.exif, found.xmp, found.dpi) == (icc, noted, b"<x/>", (300.0, 300.0))


def test_arithmetic_coding_is_carried_over(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = arithmetic((61, 45), str(tmp_path_factory.mktemp("arithmetic")))
    original, picture, touched = edited(file, (10, 10, 9, 9))
    encoded = encode(picture, "jpeg", touched=touched)
    assert encoded.fidelity == "blocks"
    assert np.array_equal(open_picture(encoded.data).samples[~encoded.touched], original.samples[~encoded.touched])


# --- coded anew ---------------------------------------------------------------------------------------------------


def test_a_quality_asks_for_new_coding() -> None:
    _, picture, touched = edited(by_pillow((61, 45)), (4, 4, 4, 4))
    encoded = encode(picture, "jpeg", quality=80, touched=touched)
    assert (encoded.fidelity, encoded.touched) == ("re-encoded", None)
    assert encoded.notes == ("re-encoded as JPEG quality 80",)


@pytest.mark.parametrize("orientation", [1, 6])
def test_another_size_is_coded_anew_with_the_tables_and_sampling_of_the_original(orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    file = by_pillow((61, 45), subsampling=2, quality=70, exif=exif)
    picture = open_picture(file)
    larger = picture.with_pixels(np.pad(picture.samples, ((0, 8), (0, 8), (0, 0))), None)
    encoded = encode(larger, "jpeg")
    assert (encoded.fidelity, encoded.notes) == ("re-encoded", ("re-encoded as JPEG with the tables of the original",))
    before, after = (list(segments(d)) for d in (file, encoded.data))
    assert component_tables(before) == component_tables(after)
    assert parsed(encoded.data).frame.sampling == "4:2:0"
    assert open_picture(encoded.data).size == larger.size


def test_a_block_that_was_reached_and_not_changed_keeps_its_coefficients() -> None:
    picture = open_picture(by_pillow((64, 48), quality=20))
    touched = np.zeros(picture.size.shape, bool)
    touched[:32] = True
    samples = picture.samples.copy()
    samples[:8, :8] ^= 64
    found = encode(picture.with_pixels(samples, None), "jpeg", touched=touched)
    assert found.fidelity == "blocks"
    assert found.touched.any()
    assert not found.touched[:, 18:].any()  # one unit of 4:2:0, and what its colours are interpolated into
    assert np.array_equal(open_picture(found.data).samples[:, 18:], picture.samples[:, 18:])


@pytest.mark.parametrize("kind", KINDS)
def test_without_jpeglib_the_file_is_coded_anew_with_its_own_tables(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = KINDS[kind]((61, 45))
    _, picture, touched = edited(file, (4, 4, 4, 4))
    monkeypatch.setitem(sys.modules, "jpeglib", None)
    encoded = encode(picture, "jpeg", touched=touched)
    assert encoded.fidelity == "re-encoded"
    assert any("overpaint[jpeg]" in note for note in encoded.notes)
    before, after = (list(segments(d)) for d in (file, encoded.data))
    assert component_tables(before) == component_tables(after)
    if kind.startswith(("4:4:4", "4:2")):
        assert frame_of(before).sampling == frame_of(after).sampling
        assert frame_of(before).progressive == frame_of(after).progressive
    found = open_picture(encoded.data)
    assert found.colour is picture.colour
    if kind not in ("low-quality", "lossy-tables"):
        assert np.abs(found.samples.astype(int) - picture.samples)[~touched].mean() < 12


def test_a_progressive_file_that_stops_early_is_coded_anew() -> None:
    parts = list(segments(by_pillow((128, 96), progressive=True)))
    last = max(i for i, part in enumerate(parts) if part.marker == 0xDA)
    file = b"\xff\xd8" + b"".join(bytes(p) for p in parts[:last]) + b"\xff\xd9"
    _, picture, touched = edited(file, (4, 4, 4, 4))
    encoded = encode(picture, "jpeg", touched=touched)
    assert encoded.fidelity == "re-encoded"
    assert any("damaged or incomplete" in note for note in encoded.notes)


def test_cmyk_is_ink_on_paper_and_stays_so() -> None:
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[..., 3] = 200
    out = io.BytesIO()
    Image.frombytes("CMYK", (16, 16), inks.tobytes()).save(out, "JPEG", quality=95)
    picture = open_picture(out.getvalue())
    assert picture.colour is Colour.CMYK
    assert np.abs(picture.samples.astype(int) - inks).max() <= 3
    for file in (encode(picture, "jpeg").data, encode(picture, "jpeg", quality=95).data, encode(picture, "tiff").data):
        assert np.abs(open_picture(file).samples.astype(int) - inks).max() <= 4


def test_a_file_of_very_many_scans_is_refused_before_it_is_decoded() -> None:
    """Each of them takes a decoder through all of the picture, and has a few bytes."""
    data = by_pillow((640, 480), progressive=True)
    last = bytes(list(segments(data))[-1])
    assert open_picture(data[:-2] + last * 20 + data[-2:]).size == open_picture(data).size
    with pytest.raises(PictureError, match="scans; at most 500"):
        open_picture(data[:-2] + last * 3000 + data[-2:])
