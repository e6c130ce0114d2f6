"""Masks from arrays, pictures and files of any kind, and back to a file."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from overpaint.errors import MaskError, OutputError
from overpaint.geometry import Size
from overpaint.mask import Mask
from overpaint.mask.formats import to_coco_rle, to_labelme
from overpaint.picture import from_array, open_picture

SIZE = (24, 18)
HARD = Mask.ellipse(SIZE, (4, 3, 20, 15))
GRADIENT = np.linspace(0, 255, 24 * 18).astype(np.uint8).reshape(18, 24)
GRADIENT[GRADIENT < 4], GRADIENT[GRADIENT > 251] = 0, 255  # below and above, levels are noise
SOFT = Mask(GRADIENT.astype(np.float32) / np.float32(255))
grey = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=20)


def of_bytes(levels: np.ndarray) -> Mask:
    """The mask of 8-bit levels, without the check of those that come in."""
    return Mask(levels.astype(np.float32) / np.float32(255))


def encoded(image: Image.Image, format: str = "png", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


# Arrays


@given(grey.flatmap(lambda shape: arrays(np.uint8, shape)))
@settings(deadline=None, max_examples=60)
def test_bytes_come_back_the_same(levels: np.ndarray) -> None:
    mask = of_bytes(levels)
    assert np.array_equal(mask.to_bytes8(), levels)
    assert np.array_equal(mask.core, levels >= 128)
    if levels.max() == 255:  # of others the scale may be another
        read = Mask.from_array(levels)
        assert np.array_equal(read.core, mask.core)
        assert np.array_equal(read.values[(levels > 25) & (levels < 230)], mask.values[(levels > 25) & (levels < 230)])


@given(st.lists(st.floats(0, 1, width=32), min_size=1))
@settings(deadline=None, max_examples=100)
def test_eight_bits_keep_the_core(values: list[float]) -> None:
    mask = Mask(np.array([[*values, 0.5, np.nextafter(np.float32(0.5), np.float32(0))]], dtype=np.float32))
    assert np.array_equal(of_bytes(mask.to_bytes8()).core, mask.core)
    assert np.abs(of_bytes(mask.to_bytes8()).values - mask.values).max() <= 0.5001 / 255


def test_arrays_of_all_kinds_mean_the_same() -> None:
    core = HARD.core
    for array in (
        core,
        core * np.uint8(255),
        core * np.uint16(65535),
        core.astype(np.float16),
        core.astype(float),
        core * 255,
        core * 1,
    ):
        assert Mask.from_array(array).equals(HARD)
        assert Mask.from_array(array[:, :, None]).equals(HARD)
    assert Mask.from_array(core[::-1, ::-1][::-1, ::-1]).equals(HARD)
    assert Mask.from_array(core.tolist()).equals(HARD)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((4, 5, 3), np.uint8), r"\(H, W\), not \(4, 5, 3\)"),
        (np.zeros(7), r"not \(7,\)"),
        (np.zeros((0, 5)), "at least one pixel"),
        (np.array([[0, np.nan]]), "NaN"),
        (np.array([[0, 1.5]]), r"0..1, not 0..1.5"),
        (np.array([[-0.25, 1]]), r"not -0.25..1"),
        (np.array([[0, np.inf]]), "inf"),
        (np.array([[0, 256]]), "int64"),
        (np.array([[-1, 1]]), "int64"),
        (np.array([[0, 1j]]), "complex"),
        (np.array([["a"]]), "not <U1"),
    ],
)
def test_arrays_that_are_no_masks_are_errors_with_what_was_found(array: Any, says: str) -> None:
    with pytest.raises(MaskError, match=says):
        Mask.from_array(array)


def test_a_mask_does_not_change_with_the_array_that_it_came_from() -> None:
    array = np.zeros((4, 5), np.float32)
    mask = Mask.from_array(array)
    array[:] = 1
    assert mask.is_empty


# Alpha


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_transparent_part_is_what_to_repaint(dtype: Any) -> None:
    most = np.iinfo(dtype).max
    pixels = np.full((18, 24, 4), most // 3, dtype)
    pixels[:, :, 3] = np.where(HARD.core, 0, most)
    assert Mask.from_alpha(from_array(pixels)).equals(HARD)


def test_a_picture_without_alpha_has_no_transparent_part() -> None:
    with pytest.raises(MaskError, match=r"rgb 8-bit.*no alpha"):
        Mask.from_alpha(from_array(np.zeros((4, 5, 3), np.uint8)))


# Picture files

HARD8 = Image.fromarray(HARD.to_bytes8())
RED = Image.new("RGB", SIZE, (255, 40, 40))
LAYER = RED.copy()
LAYER.putalpha(HARD8)
HARD_FILES = {
    "grey": encoded(HARD8),
    "bilevel": encoded(HARD8.convert("1")),
    "palette": encoded(HARD8.convert("P")),
    "rgb": encoded(HARD8.convert("RGB")),
    "opaque rgba": encoded(HARD8.convert("RGBA")),
    "grey and opaque alpha": encoded(HARD8.convert("LA")),
    "16-bit": cv2.imencode(".png", HARD.core * np.uint16(65535))[1].tobytes(),
    "red strokes on a transparent layer": encoded(LAYER),
    "white strokes with alpha": encoded(Image.merge("LA", (Image.new("L", SIZE, 255), HARD8))),
    "jpeg": encoded(HARD8, "jpeg", quality=95),
    "rgb jpeg": encoded(HARD8.convert("RGB"), "jpeg", quality=95, subsampling=0),
    "webp": encoded(HARD8.convert("RGB"), "webp", lossless=True),
    "tiff": encoded(HARD8, "tiff"),
    "cmyk": encoded(HARD8.convert("RGB").convert("CMYK"), "tiff"),
}


@pytest.mark.parametrize("kind", HARD_FILES)
def test_masks_are_read_from_files_of_any_mode(kind: str, tmp_path: Path) -> None:
    data = HARD_FILES[kind]
    read = Mask.from_file(data, SIZE)
    if "jpeg" in kind:
        assert np.array_equal(read.core, HARD.core)
        far = ~HARD.grow(4).core
        assert (read.values[far] == 0).all()  # snapped: what the encoding left around is gone
        assert (read.values[HARD.shrink(3).core] == 1).all()
    else:
        assert read.equals(HARD)
    (tmp_path / "mask").write_bytes(data)
    with (tmp_path / "mask").open("rb") as file:
        assert Mask.from_file(file).equals(read)
    assert Mask.from_file(tmp_path / "mask").equals(read)
    assert Mask.from_file(str(tmp_path / "mask")).equals(read)


def test_soft_masks_keep_their_depth() -> None:
    assert Mask.from_file(encoded(Image.fromarray(SOFT.to_bytes8()))).equals(SOFT)
    fine = np.linspace(0, 65535, 24 * 18).astype(np.uint16).reshape(18, 24)
    read = Mask.from_file(cv2.imencode(".png", fine)[1].tobytes())
    inner = (fine > 4 * 257) & (fine < 251 * 257)
    assert np.allclose(read.values[inner], fine[inner] / 65535, atol=1e-7)


def test_colour_counts_by_its_luminance() -> None:
    pixels = np.zeros((1, 4, 3), np.uint8)
    pixels[0, :3] = np.eye(3) * 255
    pixels[0, 3] = 255
    read = Mask.from_file(encoded(Image.fromarray(pixels)))
    assert np.allclose(read.values, [[0.299, 0.587, 0.114, 1]], atol=0.5 / 255)


def test_alpha_of_a_mask_file_means_what_channel_says() -> None:
    holed = Image.new("RGBA", SIZE, (90, 200, 30, 255))  # a picture with a hole in it, as OpenAI's API wants it
    holed.putalpha(Image.fromarray((~HARD).to_bytes8()))
    assert Mask.from_file(encoded(holed), channel="transparent").equals(HARD)
    assert Mask.from_file(encoded(holed), channel="alpha").equals(~HARD)
    black = Image.new("RGBA", SIZE)
    black.putalpha(HARD8)
    with pytest.raises(MaskError, match=r"black.*'transparent'.*'alpha'"):
        Mask.from_file(encoded(black))
    assert Mask.from_file(encoded(black), channel="alpha").equals(HARD)
    varied = np.zeros((18, 24, 4), np.uint8)
    varied[:, :, :3] = HARD.to_bytes8()[:, :, None]
    varied[:, :12, 3] = 255
    assert Mask.from_file(encoded(Image.fromarray(varied))).equals(HARD & Mask.box(SIZE, (0, 0, 12, 18)))
    assert Mask.from_file(encoded(LAYER), channel="luminance").values.max() == pytest.approx(0.41, abs=0.01)
    with pytest.raises(MaskError, match="'red'"):
        Mask.from_file(encoded(LAYER), channel="red")  # type: ignore[arg-type]


def test_orientation_is_applied() -> None:
    turned = HARD8.transpose(Image.Transpose.ROTATE_90)  # stored so; orientation 6 turns it back
    exif = Image.Exif()
    exif[0x0112] = 6
    assert Mask.from_file(encoded(turned, exif=exif.tobytes()), SIZE).equals(HARD)


def test_documents_are_read_through_the_same_door(tmp_path: Path) -> None:
    (tmp_path / "mask.json").write_text(to_labelme(HARD, label="cup"))
    assert Mask.from_file(tmp_path / "mask.json", SIZE, label="cup").equals(HARD)
    assert Mask.from_file(json.dumps(to_coco_rle(HARD)).encode(), SIZE).equals(HARD)
    with pytest.raises(MaskError, match="no label 'cap'; did you mean 'cup'"):
        Mask.from_file(tmp_path / "mask.json", label="cap")
    with pytest.raises(MaskError, match="this is a picture"):
        Mask.from_file(HARD_FILES["grey"], label="cup")


@pytest.mark.parametrize("data", [HARD_FILES["grey"], to_labelme(HARD).encode()])
def test_a_file_of_another_size_is_refused(data: bytes) -> None:
    with pytest.raises(MaskError, match="24x18, but the picture is 18x24; width and height are swapped"):
        Mask.from_file(data, (18, 24))
    with pytest.raises(MaskError, match=r"24x18, but the picture is 25x18; their sides are not in proportion"):
        Mask.from_file(data, (25, 18))


def test_a_mask_in_proportion_is_resized_where_that_is_wanted() -> None:
    """Hard: nearest pixels, so that it stays hard. Soft: averages, or linear interpolation."""
    hard, soft = encoded(HARD8), encoded(Image.fromarray(SOFT.to_bytes8()))
    with pytest.raises(MaskError, match=r"24x18, but the picture is 48x36; its sides are in proportion: set resize to"):
        Mask.from_file(hard, (48, 36))
    with pytest.raises(MaskError, match=r"in proportion: Mask.resize gives it that size"):
        HARD.resize((48, 36)).union(HARD)
    large = Mask.from_file(hard, (48, 36), resize=True)
    assert np.array_equal(large.values, HARD.values.repeat(2, axis=0).repeat(2, axis=1))
    assert Mask.from_file(hard, (25, 19), resize=True).size == Size(25, 19), "the size is rounded"
    assert large.resize((24, 18)).equals(HARD)
    small = Mask.from_file(soft, (12, 9), resize=True)
    assert np.allclose(small.values, SOFT.values.reshape(9, 2, 12, 2).mean(axis=(1, 3)), atol=1e-6)
    assert not Mask.from_file(soft, (48, 36), resize=True).hard
    with pytest.raises(MaskError, match=r"25x18; their sides are not in proportion, so that the mask can't be resized"):
        Mask.from_file(hard, (25, 18), resize=True)
    with pytest.raises(MaskError, match="swapped"):
        Mask.from_file(hard, (18, 24), resize=True)
    assert Mask.from_file(json.dumps(to_coco_rle(HARD)).encode(), (48, 36), resize=True).equals(large)


def test_files_that_are_no_masks_are_errors_with_their_name(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match=r"none\.png can't be read: No such file"):
        Mask.from_file(tmp_path / "none.png")
    with pytest.raises(MaskError, match="can't be read"):
        Mask.from_file(tmp_path)
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(MaskError, match=r"empty\.png can't be used as a mask: the file is empty"):
        Mask.from_file(tmp_path / "empty.png")
    (tmp_path / "cut.png").write_bytes(HARD_FILES["grey"][:60])
    with pytest.raises(MaskError, match=r"cut\.png can't be used as a mask"):
        Mask.from_file(tmp_path / "cut.png")
    with pytest.raises(MaskError, match="can't be used as a mask: this is"):
        Mask.from_file(b"hello")
    with pytest.raises(MaskError, match=r"not ndarray.*from_array"):
        Mask.from_file(HARD.core)  # type: ignore[arg-type]
    with pytest.raises(MaskError, match="binary mode"):
        Mask.from_file(io.StringIO("text"))  # type: ignore[arg-type]


# Saving


@pytest.mark.parametrize("mask", [HARD, SOFT, Mask.empty(SIZE), Mask.full((1, 1))])
def test_saved_masks_come_back(mask: Mask, tmp_path: Path) -> None:
    mask.save(tmp_path / "mask.png")
    assert Mask.from_file(tmp_path / "mask.png").equals(mask)
    assert open_picture(tmp_path / "mask.png").mode == "grey 8-bit"


def test_an_existing_file_is_kept_without_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    HARD.save(path)
    with pytest.raises(OutputError, match=r"mask\.png"):
        Mask.empty(SIZE).save(path)
    assert Mask.from_file(path).equals(HARD)
    Mask.full(SIZE).save(path, overwrite=True)
    assert Mask.from_file(path).equals(Mask.full(SIZE))


@pytest.mark.parametrize("given", ["x", None, [1, 2], 10**400])
def test_another_thing_than_a_number_is_a_mask_error(given: Any) -> None:
    for method in (HARD.feather, HARD.threshold, HARD.grow, HARD.shrink, HARD.remove_specks):
        with pytest.raises(MaskError, match="must be a number"):
            method(given)


def test_a_mask_says_what_it_is() -> None:
    assert repr(Mask.box((20, 10), (0, 0, 10, 5))) == "<Mask 20x10, 25.0% in 0,0,10,5>"
    assert "soft" in repr(SOFT)
