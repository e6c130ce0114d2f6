"""A prompt that knows its scene: each word stands for something measured, and there is none where nothing is clear."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from overpaint.errors import MaskError
from overpaint.mask import Mask
from overpaint.picture import Colour, Metadata, Picture, open_picture
from overpaint.picture.xmp import with_property
from overpaint.prompt import scene_of, scene_prompt

SIZE = (240, 160)
PHOTOS = Path(__file__).parents[2] / "shared" / "photos" / "eval"


def scene(seed=0, low=0.05, high=0.8) -> np.ndarray:
    """Patches of many muted colours in linear light, (160, 240, 3): neither warm nor cool, lit evenly."""
    random = np.random.default_rng(seed)
    grey = random.uniform(low, high, (8, 12, 1))
    tint = np.exp(random.normal(0, 0.12, (8, 12, 3)))
    return np.kron(grey * tint, np.ones((20, 20, 1)))


def photo(linear: np.ndarray, noise: float = 0.0, depth: int = 8, **metadata) -> Picture:
    """Linear light as an sRGB picture, with some grain in levels of 255."""
    linear = np.clip(linear, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    encoded = encoded + np.random.default_rng(5).normal(0, noise / 255, encoded.shape)
    top = (1 << depth) - 1
    samples = np.clip(np.round(encoded * top), 0, top).astype(np.uint8 if depth == 8 else np.uint16)
    return Picture(samples, metadata=Metadata(**metadata))


MASK = Mask.box(SIZE, (100, 60, 140, 100))
measured_prompt = partial(scene_prompt, general=False)


def words(picture: Picture, mask: Mask | None = MASK) -> set[str]:
    found = scene_of(picture, mask)
    return {*found.lighting, *found.perspective, *found.style}


def test_an_even_neutral_scene_leaves_the_prompt_alone():
    assert measured_prompt("a bench", photo(scene()), MASK) == "a bench"


@pytest.mark.parametrize("depth", [8, 16])
def test_the_colour_of_the_light_is_described(depth):
    warm = scene() * [1.2, 1.0, 0.6]
    cool = scene() * [0.6, 1.0, 1.2]
    assert measured_prompt("a bench", photo(warm, depth=depth), MASK) == "a bench, warm light"
    assert measured_prompt("a bench", photo(cool, depth=depth), MASK) == "a bench, cool light"
    assert scene_of(photo(warm), MASK).light.warmth > 0.3


def test_a_coloured_thing_is_no_coloured_light():
    picture = scene()
    picture[:, 60:180] = [0.6, 0.2, 0.05]
    assert "warm light" not in words(photo(picture))
    assert "warm light" not in words(photo(np.broadcast_to([0.6, 0.1, 0.02], (160, 240, 3))))


def test_what_the_mask_covers_has_no_say():
    picture = scene()
    covered = picture.copy()
    covered[60:100, 100:140] = [1.0, 0.2, 0.0]
    one, other = scene_of(photo(picture), MASK), scene_of(photo(covered), MASK)
    assert one == other


def test_transparent_pixels_have_no_say():
    picture, hidden = photo(scene()), photo(scene() * [1.2, 1.0, 0.6])
    alpha = np.full((160, 240), 255, np.uint8)
    alpha[:, 120:] = 0
    joined = hidden.samples.copy()
    joined[:, :120] = picture.samples[:, :120]
    assert "warm light" not in words(Picture(joined, alpha), None)


def test_dim_and_bright_soft_and_hard_light_are_described():
    assert "dim light" in words(photo(scene() * 0.08))
    bright = words(photo(scene(low=0.55, high=0.9)))
    assert {"bright light", "soft light"} <= bright
    hard = np.clip(scene(low=0.3, high=0.6), 0, 1)
    hard[:, 40:90] *= 0.008
    hard[:60, 140:220] = 0.99
    assert "hard light" in words(photo(hard))
    assert "soft light" not in words(photo(hard))


def test_the_side_of_the_light_is_described():
    slope = 2 ** np.linspace(-2.2, 2.2, 240)[None, :, None]
    from_right = scene(low=0.15, high=0.22) * slope
    assert "light from the right" in words(photo(from_right))
    assert "light from the left" in words(photo(from_right[:, ::-1]))


def test_a_subject_before_a_bright_window_is_backlit():
    picture = scene(low=0.005, high=0.02)
    picture[:50] = 0.98
    assert "backlit" in words(photo(picture))


def test_focus_is_measured_around_the_mask():
    import cv2

    random = np.random.default_rng(1)
    texture = np.kron(random.uniform(0.05, 0.8, (320, 480, 1)), np.ones((2, 2, 3))).astype(np.float32)
    soft = cv2.GaussianBlur(texture, (0, 0), 4)
    mixed = texture.copy()
    mixed[160:560, 240:760] = np.clip((soft[160:560, 240:760] - 0.42) * 4 + 0.42, 0, 1)
    mask = Mask.box((960, 640), (440, 300, 520, 380))
    found = scene_of(photo(mixed), mask)
    assert found.perspective in (("slightly out of focus",), ("out of focus",))
    assert found.sharpness < 0.25
    assert scene_of(photo(texture), mask).perspective == ()


def test_grain_is_measured_in_levels():
    flat = np.broadcast_to([0.3, 0.3, 0.3], (160, 240, 3))
    assert scene_of(photo(flat), MASK).grain == pytest.approx(0, abs=0.1)
    for noise in (4, 8):
        measured = scene_of(photo(flat, noise), MASK).grain
        # the weighted sum of three channels has less grain than each of them
        assert measured == pytest.approx(noise * np.sqrt(0.2126**2 + 0.7152**2 + 0.0722**2), rel=0.2)
    assert "film grain" in words(photo(flat, 8))
    assert "film grain" not in measured_prompt("a", photo(flat, 8), MASK)
    assert "film grain" in measured_prompt("a", photo(flat, 8), MASK, style=True)


def test_colour_is_described_as_style():
    grey = photo(scene().mean(axis=2, keepdims=True) * np.ones(3))
    assert "black and white photo" in words(grey)
    only = Picture(grey.samples[..., :1], colour=Colour.GREY)
    assert "black and white photo" in words(only)


def exif(**tags: tuple[int, int, tuple[int, ...]]) -> bytes:
    """A little-endian EXIF block with these tags in the EXIF directory: name=(tag, type, numbers)."""
    entries, heap = b"", b""
    start = 26 + 2 + 12 * len(tags) + 4
    for tag, kind, numbers in sorted(tags.values()):
        packed = struct.pack(f"<{len(numbers)}{'H' if kind == 3 else 'I'}", *numbers)
        count = len(numbers) // 2 if kind == 5 else len(numbers)
        if len(packed) <= 4:
            value = packed.ljust(4, b"\0")
        else:
            value, heap = struct.pack("<I", start + len(heap)), heap + packed
        entries += struct.pack("<HHI", tag, kind, count) + value
    head = b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHII", 0x8769, 4, 1, 26) + bytes(4)
    return head + struct.pack("<H", len(tags)) + entries + bytes(4) + heap


def lens(focal: int, number: float, film: int | None = None, **more) -> Metadata:
    tags = {"focal": (0x920A, 5, (focal * 10, 10)), "number": (0x829D, 5, (round(number * 10), 10))}
    if film is not None:
        tags["film"] = (0xA405, 3, (film,))
    return Metadata(exif=exif(**tags, **more))


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (lens(24, 8, 24), ("24mm wide-angle lens", "deep depth of field")),
        (lens(85, 1.8, 85), ("85mm telephoto lens", "shallow depth of field")),
        (lens(50, 5.6, 50), ("50mm standard lens",)),
        (lens(5, 1.8, 26), ("26mm wide-angle lens", "deep depth of field")),
        (lens(16, 4, 16), ("16mm ultra wide-angle lens",)),
        (lens(200, 5.6), ("shallow depth of field",)),
        (
            lens(31, 5.6, width=(0xA002, 4, (6000,)), plane=(0xA20E, 5, (6_486_486, 1000)), unit=(0xA210, 3, (2,))),
            ("47mm standard lens",),
        ),
        (Metadata(), ()),
        (Metadata(exif=b"II*\0broken"), ()),
        (lens(0, 0, 0), ()),
        (Metadata(xmp=with_property(None, "http://www.dji.com/drone-dji/1.0/", "GimbalPitchDegree", "-88.2")), ("top-down aerial view",)),  # noqa: E501
        (Metadata(xmp=with_property(None, "http://www.dji.com/drone-dji/1.0/", "GimbalPitchDegree", "-35")), ("aerial view",)),  # noqa: E501
    ],
)  # fmt: skip
def test_the_lens_follows_the_camera_s_metadata(metadata, expected):
    assert scene_of(replace(photo(scene()), metadata=metadata), MASK).perspective == expected


def test_flash_and_a_very_long_exposure_are_described():
    flash = exif(flash=(0x9209, 3, (1,)))
    assert "flash photography" in words(photo(scene(), exif=flash))
    night = exif(number=(0x829D, 5, (28, 10)), time=(0x829A, 5, (1, 1)), speed=(0x8827, 3, (400,)))
    found = scene_of(photo(scene(), exif=night), MASK)
    assert found.camera.exposure_value == pytest.approx(np.log2(2.8**2) - 2)
    assert "dim light" in found.lighting


WARM = photo(scene() * [1.2, 1.0, 0.6])


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a bench", "a bench, warm light"),
        ("a bench, ", "a bench, warm light"),
        ("", "warm light"),
        ("  ", "warm light"),
        ("a (bench:1.2) \\(old\\) <lora:x:1>", "a (bench:1.2) \\(old\\) <lora:x:1>, warm light"),
        ("a bench in (warm light:1.2)", "a bench in (warm light:1.2)"),
        ("a bench in Warm Light", "a bench in Warm Light"),
        ("a bench on a cold morning", "a bench on a cold morning"),
        ("a swarm of bees", "a swarm of bees, warm light"),
        ("a bench, soft light", "a bench, soft light, warm light"),
    ],
)
def test_words_follow_a_comma_and_what_the_prompt_says_itself_is_left_to_it(prompt, expected):
    assert measured_prompt(prompt, WARM, MASK) == expected
    assert measured_prompt(expected, WARM, MASK) == expected


def test_an_unclear_scene_gets_the_tutorials_words():
    even, warm = photo(scene()), WARM
    assert scene_prompt("a bench", even, MASK) == "a bench, consistent lighting, matching perspective"
    assert scene_prompt("a bench", warm, MASK) == "a bench, warm light, matching perspective"
    assert scene_prompt("a bench", even, MASK, lighting=False) == "a bench, matching perspective"
    assert scene_prompt("a bench at night, wide-angle shot", even, MASK) == "a bench at night, wide-angle shot"
    once = scene_prompt("a bench", even, MASK)
    assert scene_prompt(once, even, MASK) == once


def test_each_kind_of_words_can_be_left_out():
    picture = replace(WARM, metadata=lens(85, 1.8, 85))
    assert measured_prompt("a", picture, MASK, perspective=False) == "a, warm light"
    assert measured_prompt("a", picture, MASK, lighting=False) == "a, 85mm telephoto lens, shallow depth of field"
    assert measured_prompt("a", picture, MASK, lighting=False, perspective=False) == "a"


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 2), (17, 16)])
@pytest.mark.parametrize("colour", list(Colour))
@pytest.mark.parametrize("masked", [False, True])
def test_every_size_and_kind_of_picture_can_be_described(size, colour, masked):
    samples = np.random.default_rng(0).integers(0, 256, (size[1], size[0], colour.samples), np.uint8)
    mask = Mask.full(size) if masked else None
    found = scene_of(Picture(samples, colour=colour), mask)
    assert (found.light is None) == (masked or size == (1, 1))


def test_a_mask_of_another_size_is_an_error():
    with pytest.raises(MaskError):
        measured_prompt("a", WARM, Mask.box((160, 240), (1, 1, 9, 9)))


def test_importing_the_room_loads_no_heavy_library():
    code = "import sys, overpaint.prompt; print([m for m in ('numpy', 'PIL', 'cv2', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photos are not here")
def test_real_photos_are_described_as_people_see_them():
    expected = {
        "000": {"cool light"},  # a washroom under a bluish lamp
        "016": {"hard light", "backlit"},  # people in the shade of a bridge before a glaring river
        "024": {"warm light"},  # a mirror under a light bulb
        "032": {"soft light"},  # stone steps in the shade
        "081": {"light from the left"},  # a river, the low sun on the left
        "115": {"hard light"},  # a car in the sun
        "020": set(), "025": set(), "031": set(), "144": set(),  # blue skies and red fruit are no coloured light
    }  # fmt: skip
    index = {row["id"]: row for row in map(json.loads, (PHOTOS / "index.jsonl").read_text().splitlines())}
    for name, lighting in expected.items():
        picture = open_picture(PHOTOS / index[name]["image"])
        mask = Mask.from_file(PHOTOS / "masks" / f"{name}_box.png")
        assert set(scene_of(picture, mask).lighting) == lighting, name
