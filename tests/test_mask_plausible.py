"""One check for every mask: certain faults are corrected and noted, likely ones noted, photographs refused."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from overpaint.errors import MaskError
from overpaint.mask import Mask, covers_most, plausible
from overpaint.mask.overlay import overlay_colours, tinted
from overpaint.picture import from_array, open_picture
from overpaint.picture.open import indexed_pixels
from overpaint.request import MaskSpec, RasterPart, blob_of
from overpaint.studio import Studio, mask_of, spec_of
from stand_ins import LEARNED, noise

W, H, S = 120, 90, 8
SIZE = (W, H)
rng = np.random.default_rng(1)


def of_bytes(levels: np.ndarray) -> Mask:
    """The mask of 8-bit levels, without the check of those that come in."""
    return Mask(levels.astype(np.float32) / np.float32(255))


def disc(radius: float) -> Image.Image:
    big = Image.new("L", (W * S, H * S), 0)
    ImageDraw.Draw(big).ellipse([(c + sign * radius) * S for sign in (-1, 1) for c in (60, 45)], fill=255)
    return big.resize(SIZE, Image.Resampling.BOX)


BRUSH = disc(22)
"""What a paint program writes: an antialiased edge."""
HARD8 = BRUSH.point(lambda v: 255 if v > 127 else 0)
LEVELS = np.asarray(HARD8)
HARD = of_bytes(LEVELS)
y, x = np.mgrid[0:H, 0:W]
PHOTO = Image.fromarray(
    np.clip(np.stack([80 + x, 60 + y * 1.2, 150 - x * 0.5], -1) + rng.integers(-3, 4, (H, W, 1)), 0, 255).astype("u1")
)


def png(image: Any, **options: Any) -> bytes:
    if isinstance(image, np.ndarray):
        return cv2.imencode(".png", image)[1].tobytes()
    buffer = io.BytesIO()
    image.save(buffer, options.pop("format", "png"), **options)
    return buffer.getvalue()


def with_alpha(image: Image.Image, alpha: Image.Image) -> Image.Image:
    image = image.copy()
    image.putalpha(alpha)
    return image


INVERSE = Image.eval(HARD8, lambda v: 255 - v)


def on_black(colour: tuple[int, int, int], share: Image.Image = HARD8) -> Image.Image:
    return Image.composite(Image.new("RGB", SIZE, colour), Image.new("RGB", SIZE), share)


def of_labels(*colours: tuple[int, int, int]) -> Image.Image:
    drawn = Image.new("RGB", SIZE)
    for k, colour in enumerate(colours):
        stripe = Image.new("L", SIZE)
        ImageDraw.Draw(stripe).rectangle((0, k * 90 // len(colours), W, (k + 1) * 90 // len(colours) - 1), fill=255)
        drawn.paste(colour, mask=Image.fromarray(np.minimum(np.asarray(stripe), LEVELS)))
    return drawn


def palette(index: int, colour: tuple[int, int, int]) -> Image.Image:
    image = Image.fromarray(np.where(LEVELS > 0, index, 0).astype("u1"), "P")
    image.putpalette([0] * 3 * index + list(colour) + [0] * 3 * (255 - index))
    return image


premultiplied = np.dstack([np.asarray(BRUSH)] * 3 + [np.asarray(BRUSH)])

CORRECTED: dict[str, tuple[bytes, str]] = {
    "a copy of the photo with the hole erased": (png(with_alpha(PHOTO, INVERSE)), "OpenAI's form"),
    "the same in grey": (png(with_alpha(PHOTO.convert("L"), INVERSE)), "OpenAI's form"),
    "the same as WebP": (png(with_alpha(PHOTO, INVERSE), format="webp", lossless=True, exact=True), "OpenAI's form"),
    "16 bits that hold 0 and 255": (png(LEVELS.astype("u2")), "16 bits and no level above 255"),
    "16 bits that hold 0 and 4095": (png(LEVELS.astype("u2") // 255 * 4095), "no level above 4095"),
    **{
        f"16 bits that hold 0 and {top}": (png(LEVELS.astype("u2") // 255 * top), f"no level above {top}")
        for top in (1023, 16383, 32767, 32768)
    },
    "labels 0 and 1": (png(LEVELS // 255), "levels 0, 1, taken as labels"),
    "labels 0 and 2": (png(LEVELS // 255 * 2), "levels 0, 2, taken as labels"),
    "labels 0, 1 and 5": (png(np.where(x < 60, 1, 5).astype("u1") * (LEVELS > 0)), "levels 0, 1, 5, taken as labels"),
    "16-bit labels": (png((LEVELS // 255).astype("u2")), "levels 0, 1, taken as labels"),
    "a label with a border of 255": (
        png(np.where(HARD.shrink(3).core, 15, LEVELS)),
        "levels 0, 15, 255, taken as labels",
    ),
    "a label of 1 with a border of 255": (png(np.where(HARD.shrink(3).core, 1, LEVELS)), "levels 0, 1, 255, taken as"),
    "16 to 235": (png((LEVELS / 255 * 219 + 16).astype("u1")), "video range"),
    "16 to 235 in 16 bits": (png(((LEVELS / 255 * 219 + 16) * 256).astype("u2")), "video range"),
    "16 to 235 as JPEG": (
        png(Image.fromarray((LEVELS / 255 * 219 + 16).astype("u1")), format="jpeg", quality=92),
        "video range",
    ),
    "red on black": (png(on_black((255, 0, 0))), "one colour (255,0,0) on black"),
    "a dark blue on black": (png(on_black((0, 0, 128))), "one colour (0,0,128) on black"),
    "red on black as JPEG": (png(on_black((255, 0, 0)), format="jpeg", quality=90), "one colour"),
    "a palette with label 1 in dark red": (png(palette(1, (128, 0, 0))), "one colour (128,0,0) on black"),
    "labels in colours": (png(of_labels((128, 0, 0), (0, 128, 0), (64, 0, 128))), "several colours on black"),
    "white strokes, premultiplied": (png(Image.fromarray(premultiplied, "RGBA")), "multiplied by its alpha"),
}


@pytest.mark.parametrize("kind", CORRECTED)
def test_certain_faults_are_corrected_and_noted(kind: str) -> None:
    data, note = CORRECTED[kind]
    mask = Mask.from_file(data, SIZE)
    wrong = np.mean(mask.core != HARD.core)
    assert wrong == 0 if "JPEG" not in kind else wrong < 0.01
    assert mask.values[HARD.shrink(8).core].min() == 1
    assert not mask.values[~HARD.grow(12).core].any()
    assert len(mask.notes) == 1
    assert note in mask.notes[0]


PLAIN = {
    "bilevel": png(HARD8.convert("1")),
    "grey": png(HARD8),
    "antialiased": png(BRUSH),
    "grey and opaque alpha": png(HARD8.convert("LA")),
    "blue strokes on a transparent layer": png(with_alpha(Image.new("RGB", SIZE, (0, 0, 255)), HARD8)),
    "white strokes on a transparent layer": png(with_alpha(Image.new("RGB", SIZE, (255, 255, 255)), HARD8)),
    "254 in place of 255": png(np.minimum(LEVELS, 254)),
    "1 in place of 0": png(np.maximum(LEVELS, 1)),
    "16 bits": png(LEVELS.astype("u2") * 257),
    "JPEG": png(HARD8, format="jpeg", quality=60),
    "a JPEG that was saved as PNG": png(Image.open(io.BytesIO(png(HARD8, format="jpeg", quality=90)))),
    "a float TIFF": png(Image.fromarray((LEVELS / 255).astype("f4")), format="tiff"),
    "feathered": png(HARD8.filter(ImageFilter.GaussianBlur(4))),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_correct_masks_pass_without_a_note(kind: str) -> None:
    mask = Mask.from_file(PLAIN[kind], SIZE)
    assert mask.notes == ()
    assert np.mean(mask.core != HARD.core) < 0.01
    assert mask.values[HARD.shrink(12).core].min() == 1
    assert not mask.values[~HARD.grow(16).core].any()
    assert mask.hard == (kind != "feathered")
    assert plausible(mask) is mask


@pytest.mark.parametrize("density", [0.0001, 0.02, 0.6])
def test_noise_of_1_to_3_levels_marks_nothing(density: float) -> None:
    noise = (rng.random((H, W)) < density) * rng.integers(1, 4, (H, W))
    for clean in (LEVELS, np.asarray(HARD8.filter(ImageFilter.GaussianBlur(4)))):
        wanted = Mask.from_array(clean)
        noisy = np.where(clean == 0, noise, clean).astype("u1")
        for read in (
            Mask.from_file(png(noisy)),
            Mask.from_array(noisy),
            Mask.from_array(noisy.astype("u2") * 257),
            Mask.from_array(noisy / np.float32(255)),
            plausible(of_bytes(noisy)),
            mask_of(MaskSpec(parts=[RasterPart(raster=blob_of(noisy))]), wanted.size),
        ):
            assert np.array_equal(read.values, wanted.values)
            assert read.bounds == wanted.bounds


@pytest.mark.parametrize("quality", [40, 61, 70, 92])
def test_ringing_that_was_saved_without_loss_is_no_label(quality: int) -> None:
    """At 61 and 70 the decoded levels are few, and fill flat blocks."""
    for box in ((8, 8, 70, 60), (13, 21, 100, 77), (30, 5, 91, 44)):
        drawn = Image.new("L", SIZE)
        ImageDraw.Draw(drawn).rectangle(box, fill=255)
        mask = Mask.from_array(np.asarray(Image.open(io.BytesIO(png(drawn, format="jpeg", quality=quality)))))
        assert mask.notes == ()
        assert np.mean(mask.core != (np.asarray(drawn) > 0)) < 0.01


def test_an_opaque_photograph_is_refused_with_the_right_way() -> None:
    for data in (png(PHOTO), png(PHOTO, format="jpeg"), png(with_alpha(PHOTO, Image.new("L", SIZE, 254)))):
        with pytest.raises(MaskError, match=r"is a photograph.*white where.*transparent there") as caught:
            Mask.from_file(data)
        assert caught.value.code == "mask-is-photo"
    assert Mask.from_file(png(PHOTO), channel="luminance").values.max() > 0.4, "unless it is wanted"


def test_likely_faults_are_noted() -> None:
    (note,) = Mask.from_file(png(PHOTO.convert("L"))).notes
    assert "levels, and most of it is neither 0 nor 1" in note
    (note,) = Mask.from_file(png(LEVELS // 255 * 100)).notes
    assert "the largest value of the mask is 0.39, below one half" in note
    two = np.where(x < 60, 38, 64).astype("u1") * (LEVELS > 0)
    (note,) = Mask.from_array(two).notes
    assert note.endswith("if all of it is meant, apply a threshold of 0.14 to the mask")
    assert Mask.from_array(two).threshold(0.14).equals(HARD)
    (note,) = Mask.from_array(np.where(x < 60, 64, 255).astype("u1") * (LEVELS > 0)).notes
    assert "a flat part of the mask has the value 0.25, below one half" in note
    for colour in ((255, 0, 0), (0, 0, 255)):
        faint = Mask.from_file(png(with_alpha(Image.new("RGB", SIZE, colour), HARD8.point(lambda v: v and 120))))
        assert faint.values.max() == np.float32(120 / 255)
        assert "the largest value of the mask is 0.47" in faint.notes[0]
    assert "86%" in covers_most(Mask.from_file(png(INVERSE)))
    assert covers_most(HARD) == ""


def test_derived_masks_keep_the_notes() -> None:
    one, other = Mask.from_array(LEVELS // 255), Mask.from_array(LEVELS.astype("u2"))
    assert len((one | other).notes) == 2
    assert (one & one).notes == one.grow(3).feather(2).invert().threshold().notes == one.notes


def test_floats_of_0_and_255_are_a_known_scale() -> None:
    mask = Mask.from_array(LEVELS.astype(float))
    assert mask.equals(HARD)
    assert "255 was taken as repaint" in mask.notes[0]


def a_brush(radius: int, feather: float) -> Mask:
    return Mask.ellipse((200, 200), (100 - radius, 100 - radius, 100 + radius, 100 + radius)).feather(feather)


FAINT = {f"{radius} px, {feather} soft": a_brush(radius, feather) for radius, feather in ((10, 20), (10, 40), (10, 60))}
MEANT = {
    **FAINT,
    "flat and faint": Mask(HARD.values * np.float32(20 / 255)),
    "hardly there": Mask(HARD.values * np.float32(2 / 255)),
    "20 faint levels": of_bytes(np.where((y >= 15) & (y < 75), x // 12 + 10 * (y >= 45) + 1, 0)),
    "two faint levels and full ones": of_bytes(np.where(x < 60, 15, LEVELS) * (LEVELS > 0)),
    "a faint part apart from an antialiased one": of_bytes(np.where(x < 20, 20, np.asarray(BRUSH))),
    "from 16 to 235": of_bytes(np.round(np.asarray(HARD8.filter(ImageFilter.GaussianBlur(4))) / 255 * 219 + 16)),
}


@pytest.mark.parametrize("kind", MEANT)
def test_the_values_of_a_mask_are_what_its_maker_meant(kind: str) -> None:
    """In an edit, in its record, and when that is replayed: no labels, no other scale, never refused."""
    mask = MEANT[kind]
    picture = from_array(np.random.default_rng(0).integers(0, 256, (*mask.size.shape, 3), np.uint8))
    studio = Studio()
    studio.add_engine(noise(LEARNED))
    edited = studio.edit(picture, mask=mask, engine="stand-in", intent="custom", prompt="sand", seed=1)
    assert np.abs(edited.mask.values - mask.values).max() <= 3.5 / 255, "but for noise"
    assert not any("labels" in note or "range" in note for note in edited.notes)
    (spec, rasters) = spec_of(edited.mask)
    assert mask_of(spec, mask.size, inputs=rasters).equals(edited.mask)
    again = studio.edit(picture, edited.request)
    assert np.array_equal(again.picture.samples, edited.picture.samples)
    assert again.request.digest == edited.request.digest


@pytest.mark.parametrize("kind", FAINT)
def test_a_faint_soft_brush_is_no_label_in_a_file_or_an_array(kind: str) -> None:
    values = FAINT[kind].values
    wanted = np.where(values < 3.5 / 255, 0, values)
    for levels in (FAINT[kind].to_bytes8(), (values * 65535 + 0.5).astype(np.uint16)):
        for mask in (Mask.from_array(levels), Mask.from_file(png(levels))):
            assert np.abs(mask.values - wanted).max() <= 0.6 / 255
            assert any("below one half" in note for note in mask.notes)
            assert not any("labels" in note for note in mask.notes)


def test_many_levels_of_16_bits_are_no_labels() -> None:
    soft = np.asarray(HARD8.filter(ImageFilter.GaussianBlur(4))) / 255
    for top in (300, 2000, 5000):
        mask = Mask.from_array((soft * top).astype(np.uint16))
        assert mask.values.max() == (0 if top == 300 else np.float32(np.float32(top) / np.float32(65535)))
        assert not any("labels" in note for note in mask.notes)


@pytest.mark.parametrize("high", [32, 100, 254])
def test_8_bits_in_16_keep_their_scale(high: int) -> None:
    mask = Mask.from_array(LEVELS.astype(np.uint16) // 255 * high)
    assert mask.values.max() == (np.float32(high) / np.float32(255) if high < 254 else 1)
    assert f"16 bits and no level above {high}: 255 was taken as repaint" in mask.notes[0]


def test_noise_alone_is_no_label() -> None:
    for most in (3, 7, 20):
        noise = (rng.random((H, W)) < 0.5) * rng.integers(1, most + 1, (H, W))
        mask = Mask.from_array(noise.astype(np.uint8))
        assert mask.values.max() <= most / 255
        assert not any("labels" in note for note in mask.notes)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_a_few_labels_are_recognised_in_any_arrangement(count: int) -> None:
    draw = np.random.default_rng(count)
    apart, tiled = np.zeros((H, W), np.uint8), draw.permutation(np.arange(100) % (count + 1)).reshape(10, 10)
    for label in np.repeat(np.arange(1, count + 1), 3):
        left, top = draw.integers(0, 80, 2)
        apart[top : top + 6, left : left + draw.integers(4, 20)] = label
    stripes = ((x // 14) * (y > 45)).clip(0, count).astype(np.uint8)
    for levels in (apart, tiled.repeat(9, axis=0).repeat(12, axis=1).astype(np.uint8), stripes):
        mask = Mask.from_array(levels)
        assert np.array_equal(mask.values, (levels > 0).astype(np.float32))
        assert "taken as labels" in mask.notes[0]


def test_labels_in_the_raster_of_a_request_are_recognised_unless_it_says_otherwise() -> None:
    """As in all versions. A raster of many small levels, which a file may not have, is of values, too."""
    labels = blob_of(LEVELS // 255 * 2)
    read = mask_of(MaskSpec(parts=[RasterPart(raster=labels)]), HARD.size)
    assert read.equals(HARD)
    assert "levels 0, 2, taken as labels" in read.notes[0]
    meant = mask_of(MaskSpec(parts=[RasterPart(raster=labels, levels="values")]), HARD.size)
    assert meant.values.max() == np.float32(2 / 255)
    many = MaskSpec(parts=[RasterPart(raster=blob_of(IDS))])
    assert np.array_equal(mask_of(many, HARD.size).values, of_bytes(np.where(IDS < 4, 0, IDS)).values)
    for mask in (HARD, of_bytes(np.asarray(HARD8.filter(ImageFilter.GaussianBlur(4))))):
        spec, _ = spec_of(mask)
        assert "levels" not in spec.to_mapping()["parts"][0], "a request is written as it always was"


def test_a_faint_rim_of_transparency_counts_and_faint_specks_do_not() -> None:
    soft = np.asarray(disc(30).filter(ImageFilter.GaussianBlur(5)))
    alpha = soft.copy()
    alpha[3, 3] = alpha[45, 60] - 2 if soft[45, 60] == 255 else 253
    cut = np.dstack([np.asarray(PHOTO), soft])
    assert np.array_equal(Mask.from_alpha(from_array(cut)).support, soft < 255)
    cut[45, 60, 3] = 253
    assert np.array_equal(Mask.from_alpha(from_array(cut)).support, soft < 255)


def test_a_mask_file_that_is_nowhere_more_than_a_fifth_opaque_is_read() -> None:
    photo = np.asarray(PHOTO)
    layer = np.dstack([photo, np.minimum(LEVELS, 40)])
    assert Mask.from_file(png(Image.fromarray(layer, "RGBA")), SIZE).notes


@pytest.mark.parametrize("sigma", [1.6, 3, 12])
def test_a_mask_is_hard_when_its_ramps_are_narrow(sigma: float) -> None:
    assert Mask.from_file(png(BRUSH)).hard
    assert Mask.from_file(png(BRUSH.resize((W * 2, H * 2), Image.Resampling.BICUBIC))).hard
    line = Mask.strokes((60, 60), [[(5, 9), (55, 47)]], 1, antialias=True)
    assert line.hard, "a thin line is all edge"
    assert not of_bytes(np.asarray(HARD8.filter(ImageFilter.GaussianBlur(sigma)))).hard
    assert not Mask(np.full((30, 30), 0.5, np.float32)).hard


@pytest.mark.parametrize("colour", [(235, 45, 60), (200, 30, 40), (40, 110, 255), (40, 200, 70), (255, 255, 255)])
def test_an_overlay_stands_out_from_the_picture_at_the_mask(colour: tuple[int, int, int]) -> None:
    pixels = np.full((H, W, 3), 128, np.uint8)
    pixels[HARD.core] = colour
    colours = overlay_colours(pixels, HARD, 3)
    assert len({one.name for one in colours}) == 3
    assert np.abs(np.subtract(colours[0].rgb, colour, dtype=int)).max() > 90
    shown = tinted(pixels, HARD, colours[0], 0.6)
    assert np.abs(shown.astype(int) - pixels)[HARD.core].max(axis=1).min() > 50
    assert np.array_equal(shown[~HARD.core], pixels[~HARD.core])


@pytest.mark.parametrize("opacity", [150, 200, 240])
def test_a_brush_below_full_opacity_has_a_hard_edge(opacity: int) -> None:
    mask = of_bytes(np.rint(np.asarray(BRUSH, np.float32) / 255 * opacity).astype(np.uint8))
    assert mask.hard
    soft = np.rint(np.asarray(HARD8.filter(ImageFilter.GaussianBlur(6)), np.float32) / 255 * opacity).astype(np.uint8)
    assert not of_bytes(soft).hard
    wide = np.tile(np.linspace(0, opacity, 900).astype(np.uint8), (40, 1))
    assert not of_bytes(wide).hard, "equal levels beside each other are part of a wide ramp"


def test_a_faint_part_is_not_hard() -> None:
    y, x = np.mgrid[0:64, 0:96]
    faint = 0.09 * np.exp(-((x - 80) ** 2 + (y - 30) ** 2) / 40)
    assert not of_bytes(np.rint(255 * faint).astype(np.uint8)).hard


def test_a_background_that_is_not_black_is_noted() -> None:
    soft = HARD8.filter(ImageFilter.GaussianBlur(6))
    for levels, background in ((np.asarray(BRUSH), 30), (np.asarray(soft), 5)):
        found = Mask.from_array(np.maximum(levels, background)).notes
        assert any("that should stay must be black" in note for note in found)


IDS = np.where((y >= 15) & (y < 75), x // 12 + 10 * (y >= 45) + 1, 0).astype(np.uint8)
"""20 class ids in flat areas; 0 elsewhere."""


def indexed(ids: np.ndarray, colours: Any) -> bytes:
    image = Image.fromarray(ids, "L")
    image.putpalette(np.asarray(colours, np.uint8).ravel().tolist())
    return png(image)


RAINBOW = np.random.default_rng(7).integers(40, 256, (256, 3))
RAINBOW[0] = 0
GREYS = np.arange(256)[:, None].repeat(3, axis=1)
DARK_REDS = np.zeros((256, 3), int)
DARK_REDS[1:, 0] = 255 - np.arange(255)


@pytest.mark.parametrize(
    ("ids", "colours"),
    [(IDS, RAINBOW), (IDS, GREYS), (IDS * 5, RAINBOW), (np.where(IDS == 3, 255, IDS), RAINBOW), (IDS, DARK_REDS)],
    ids=["any colours", "greys of their index", "large ids", "void", "one hue"],
)
def test_the_indices_of_an_indexed_picture_are_labels(ids: np.ndarray, colours: np.ndarray) -> None:
    mask = Mask.from_file(indexed(ids.astype(np.uint8), colours))
    assert np.array_equal(mask.values, (ids > 0).astype(np.float32))
    assert mask.notes == (
        "the mask is an indexed picture, and its 21 indices were taken as labels: every label but 0 is repainted",
    )


def chunk(kind: bytes, body: bytes, check: int = 0) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) ^ check)


def with_chunks(data: bytes, *chunks: bytes) -> bytes:
    """A PNG file with more chunks behind its header."""
    return data[:33] + b"".join(chunks) + data[33:]


ONE_SIDED = np.where(x > 30, IDS, 0).astype(np.uint8)
LABELLED = indexed(ONE_SIDED, RAINBOW)
TILTED = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 274, 3, 1, 6, 0, 0)  # EXIF: orientation 6
UPRIGHT = TILTED.replace(struct.pack("<H", 6), struct.pack("<H", 1), 1)
XMP_TURNED = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="3"/></rdf:RDF></x:xmpmeta>'
)
DAMAGED = {
    "a wrong checksum": (chunk(b"tEXt", b"Comment\0hello", check=1),),
    "an unknown compression": (chunk(b"zTXt", b"Comment\0\7xx"),),
    "no EXIF block": (chunk(b"eXIf", b"xx"),),
    "much text in one chunk": (chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(3_000_000))),),
    "much text in many chunks": tuple(chunk(b"tEXt", b"k%d\0" % i + b"a" * 60_000) for i in range(1200)),
    **{
        f"an empty {kind.decode()}": (chunk(kind, b""),)
        for kind in (b"gAMA", b"cHRM", b"pHYs", b"sRGB", b"acTL", b"fcTL")
    },
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_labels_are_read_from_whatever_file_can_be_opened(kind: str) -> None:
    data = with_chunks(LABELLED, *DAMAGED[kind])
    assert tuple(open_picture(data).size) == SIZE
    assert np.array_equal(Mask.from_file(data).values, (ONE_SIDED > 0).astype(np.float32))


TURNED = {
    "EXIF": with_chunks(LABELLED, chunk(b"eXIf", TILTED)),
    "EXIF twice": with_chunks(LABELLED, chunk(b"eXIf", UPRIGHT), chunk(b"eXIf", TILTED)),
    "damaged EXIF": with_chunks(LABELLED, chunk(b"eXIf", TILTED[:-6])),
    "a raw profile": with_chunks(
        LABELLED,
        chunk(
            b"tEXt", b"Raw profile type APP1\0\nexif\n%8d\n" % 32 + b"Exif\0\0".hex().encode() + TILTED.hex().encode()
        ),
    ),
    "XMP": with_chunks(LABELLED, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP_TURNED)),
    **{
        f"TIFF {turn} and XMP": png(
            Image.open(io.BytesIO(LABELLED)), format="tiff", tiffinfo={274: turn, 700: XMP_TURNED}
        )
        for turn in (1, 3, 6, 8)
    },
    "GIF": png(Image.open(io.BytesIO(LABELLED)), format="gif"),
    "BMP": png(Image.open(io.BytesIO(LABELLED)), format="bmp"),
}


@pytest.mark.parametrize("kind", TURNED)
def test_labels_are_turned_as_the_picture_of_their_file_is(kind: str) -> None:
    picture, mask = open_picture(TURNED[kind]), Mask.from_file(TURNED[kind])
    assert "indices were taken as labels" in mask.notes[0]
    assert np.array_equal(mask.support, picture.samples.any(axis=2)), "0 is black, and no other label is"
    found = indexed_pixels(picture)
    assert found is not None
    assert np.array_equal(found.palette[found.indices], picture.samples)
    if kind in ("EXIF", "a raw profile", "TIFF 6 and XMP", "TIFF 8 and XMP"):
        assert tuple(picture.size) == (H, W)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_indices_of_any_depth_are_labels(bits: int) -> None:
    ids = IDS & ((1 << bits) - 1)
    image = Image.open(io.BytesIO(indexed(ids, RAINBOW)))
    data = png(image, bits=bits)
    assert data[24] == bits
    assert np.array_equal(Mask.from_file(data).values, (ids > 0).astype(np.float32))


@pytest.mark.parametrize("black", [(1, 1, 1), (0, 0, 31), (16, 16, 16)])
def test_index_0_may_be_nearly_black(black: tuple[int, int, int]) -> None:
    colours = RAINBOW.copy()
    colours[0] = black
    assert np.array_equal(Mask.from_file(indexed(IDS, colours)).values, (IDS > 0).astype(np.float32))


def test_an_indexed_drawing_counts_by_its_colours() -> None:
    red = Image.merge("RGB", (BRUSH, BRUSH.point(lambda _: 0), BRUSH.point(lambda _: 0)))
    for image in (BRUSH.convert("P"), BRUSH.quantize(16), red.quantize(16)):
        mask = Mask.from_file(png(image))
        assert np.abs(mask.values - np.asarray(BRUSH) / np.float32(255)).max() < 0.1
        assert not any("indexed" in note for note in mask.notes)
    with pytest.raises(MaskError, match="photograph"):
        Mask.from_file(png(PHOTO.quantize(200)))


def test_labels_that_can_t_be_told_are_named() -> None:
    colours = RAINBOW.copy()
    colours[0] = (10, 200, 30)
    with pytest.raises(MaskError, match=r"indexed picture of 21 colours whose index 0 is not black"):
        Mask.from_file(indexed(IDS, colours))
    for given in (lambda: Mask.from_array(IDS), lambda: Mask.from_file(png(Image.fromarray(IDS)))):
        with pytest.raises(MaskError, match="21 levels, none above 20: labels, or a mask that is too faint") as caught:
            given()
        assert caught.value.hint.startswith("save labels as an indexed picture whose index 0 is black")
