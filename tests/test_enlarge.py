"""Enlarging: more like the photo than by Lanczos' filter, without seams, and with all that a picture has."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

import overpaint
from overpaint.cli import main
from overpaint.errors import Cancelled, EngineError, PictureError, RequestError
from overpaint.geometry import Size
from overpaint.picture import Metadata, Picture, PictureLimits, encode, from_array, limited, open_picture
from overpaint.record import SourceType, declared_type
from overpaint.restore import enlarge, enlarged_size, memory_of, self_taught
from test_untouched import picture_of

PHOTO = np.ascontiguousarray(data.astronaut()[:256, 100:356])


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = (one.astype(np.float64) - other)[8:-8, 8:-8] / 255
    return float(10 * np.log10(1 / np.mean(error * error)))


@pytest.mark.parametrize("reduced_by", [Image.Resampling.BOX, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS])
def test_it_is_nearer_to_the_photo_than_lanczos(reduced_by: Image.Resampling):
    half = Image.fromarray(PHOTO).resize((128, 128), reduced_by)
    plain = np.asarray(half.resize((256, 256), Image.Resampling.LANCZOS))
    assert psnr(overpaint.enlarge(half).samples, PHOTO) > psnr(plain, PHOTO) + 0.15


def test_it_makes_no_difference_in_which_parts_it_is_done(monkeypatch: pytest.MonkeyPatch):
    colours = PHOTO[:100, :120].astype(np.float32) / 255
    taught = self_taught.taught_by(colours)
    whole = self_taught.doubled(colours, taught)
    monkeypatch.setattr(self_taught, "_AT_ONCE", 120 * 7)
    assert np.abs(whole - self_taught.doubled(colours, taught)).max() < 1e-6
    assert np.abs(whole - self_taught.doubled(colours, None)).max() > 0.05, "the filters did nothing"


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("mode", ["grey", "grey+alpha", "rgb", "rgb+alpha", "cmyk"])
def test_every_kind_of_picture_stays_of_its_kind(mode: str, depth: int):
    picture = picture_of(Size(50, 41), mode, depth)
    made = enlarge(picture, scale=1.5).picture
    assert (made.size, made.mode) == (Size(75, 62), picture.mode)
    small = cv2.resize(made.samples.astype(np.float32), (50, 41), interpolation=cv2.INTER_AREA).reshape(41, 50, -1)
    shown = 1.0 if picture.alpha is None else (picture.alpha == picture.maximum)[..., None]
    assert (np.abs(small - picture.samples) * shown).mean() < 0.02 * picture.maximum
    if picture.alpha is not None:
        assert made.alpha is not None
        assert made.alpha.min() == 0
        assert made.alpha.max() == picture.maximum


def test_hidden_colours_do_not_shine_through_at_the_edge_of_alpha():
    samples = np.full((60, 60, 3), 200, np.uint8)
    alpha = np.full((60, 60), 255, np.uint8)
    samples[:, :30], alpha[:, :30] = 0, 0
    made = enlarge(Picture(samples, alpha)).picture
    assert made.alpha is not None
    assert np.abs(made.samples[made.alpha > 0].astype(int) - 200).max() <= 1


def test_16_bits_are_used():
    ramp = np.linspace(20_000, 21_000, 64, dtype=np.uint16)
    made = enlarge(from_array(np.repeat(np.tile(ramp, (40, 1))[..., None], 3, axis=2))).picture
    assert len(np.unique(made.samples)) > 70


def test_profile_exif_and_dpi_stay_and_the_file_says_that_it_was_enlarged(tmp_path: Path):
    profile = overpaint.open(_with_profile(tmp_path)).metadata.icc
    made = overpaint.enlarge(tmp_path / "photo.png", width=150)
    overpaint.save(made, tmp_path / "large.png")
    again = overpaint.open(tmp_path / "large.png")
    assert again.size == Size(150, 150)
    assert again.metadata.icc == profile
    assert again.metadata.dpi == pytest.approx((300, 300), abs=0.1)
    assert b"Ann" in (again.metadata.exif or b"")
    assert declared_type(again.metadata) == SourceType.ALGORITHMICALLY_ENHANCED


def _with_profile(folder: Path) -> Path:
    from PIL import ImageCms

    exif = Image.Exif()
    exif[0x013B] = "Ann"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(PHOTO[:100, :100]).save(folder / "photo.png", icc_profile=profile, exif=exif, dpi=(300, 300))
    return folder / "photo.png"


def test_a_picture_as_a_value_has_no_record_of_an_edit_before(tmp_path: Path):
    picture = from_array(PHOTO[:80, :80])
    mask = overpaint.Mask.box(picture.size, (10, 10, 30, 30))
    path = overpaint.remove(picture, mask, engine="telea").save(tmp_path / "edited.png").path
    assert b"overpaint" in path.read_bytes()
    made = overpaint.enlarge(path)
    assert not any(name.startswith("overpaint") or name == "parameters" for name in made.metadata.text)


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({}, (200, 100)),
        ({"scale": 3.5}, (350, 175)),
        ({"width": 150}, (150, 75)),
        ({"height": 300}, (600, 300)),
        ({"width": 1000, "height": 150}, (300, 150)),
        ({"width": 300, "height": 1000}, (300, 150)),
    ],
)
def test_sizes(asked: dict[str, float], size: tuple[int, int]):
    assert tuple(enlarged_size(Size(100, 50), **asked)) == size  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"scale": 1}, "scale"),
        ({"scale": 17}, "scale"),
        ({"scale": float("nan")}, "scale"),
        ({"width": 0}, "width"),
        ({"width": 90}, "width"),
        ({"height": 4000}, "height"),
        ({"scale": 2, "height": 90}, "height"),
    ],
)
def test_a_size_that_is_none_is_named(asked: dict[str, float], field: str):
    with pytest.raises(RequestError) as caught:
        enlarged_size(Size(100, 50), **asked)  # type: ignore[arg-type]
    assert caught.value.field == field


def test_a_result_too_large_is_refused_before_any_work():
    with limited(PictureLimits(pixels=20_000)), pytest.raises(PictureError, match="pixels"):
        enlarge(from_array(PHOTO[:100, :100]))


def test_more_memory_than_there_is_is_refused_before_any_work(monkeypatch: pytest.MonkeyPatch):
    """A network makes a picture four times as wide first, also for a result that is hardly larger."""
    size, to = Size(2000, 1000), Size(2100, 1050)
    assert memory_of(size, to, 4) > 24 * 8000 * 4000
    assert memory_of(size, to) > 24 * 4000 * 2000
    assert memory_of(size, Size(10_000, 5000), 4) > 24 * 32_000 * 16_000  # two runs

    class Fours:
        name, scale = "fours", 4

        def __call__(self, colours: np.ndarray, on_tile: object) -> np.ndarray:
            raise AssertionError("it is not run")

    monkeypatch.setattr(import_module("overpaint.restore.enlarge"), "available_memory", lambda: 500_000_000)
    blank = from_array(np.zeros((1000, 2000, 3), np.uint8))
    with pytest.raises(EngineError, match=r"takes about 1\.1 GB of memory, and 0\.5 GB are left") as caught:
        enlarge(blank, scale=1.05, upscaler=Fours())
    assert caught.value.code == "memory-short"


def test_a_tiny_picture_is_enlarged_all_the_same():
    made = enlarge(from_array(PHOTO[:1, :3]), scale=16)
    assert made.picture.size == Size(48, 16)
    assert "too small to teach" in made.notes[0]


def test_it_can_be_cancelled():
    monitor = overpaint.Monitor()
    monitor.cancel()
    with pytest.raises(Cancelled):
        enlarge(from_array(PHOTO[:64, :64]), monitor=monitor)


# ---- the command ----


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.png"):
        Image.fromarray(PHOTO[:60, :80]).save(name, quality=92)
    return tmp_path


def test_the_result_lies_beside_its_picture(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["enlarge", "a.jpg", "b.png"]) == 0
    for name in ("a.enlarge.jpg", "b.enlarge.png"):
        assert open_picture(name).size == Size(160, 120)
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("a.enlarge.jpg: enlarged 2 times to 160x120 (self-taught) in ")
    assert main(["enlarge", "a.jpg"]) == 2 or main(["enlarge", "a.jpg"]) == 1
    assert "exists" in capsys.readouterr().err
    assert main(["enlarge", "a.jpg", "--overwrite", "-q"]) == 0


def test_json_has_what_was_done(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["enlarge", "a.jpg", "none.png", "--scale", "1.5", "--json", "-o", "out/"]) == 2
    tables = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (tables[0]["output"], tables[0]["size"], tables[0]["scale"]) == ("out/a.enlarge.jpg", [120, 90], 1.5)
    assert tables[1]["error"]["code"] == "picture-missing"


def test_a_size_is_refused_before_any_file_is_made(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["enlarge", "a.jpg", "--width", "20", "-o", "out.png"]) == 2
    assert "--width 20" in capsys.readouterr().err
    assert not Path("out.png").exists()


def test_a_jpeg_stays_lossy_as_it_was_and_png_holds_the_result_exactly():
    made = enlarge(from_array(PHOTO[:64, :64])).picture
    assert np.array_equal(open_picture(encode(made, "png").data).samples, made.samples)
    assert made.metadata.icc == Metadata().icc
