"""Untouched means untouched: the decoded output file equals the decoded input beyond the stated reach.

Every engine, colour mode, depth, size and kind of mask; judged on the written file, not before encoding.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

import erasers
import overpaint
from overpaint import Mask, Studio, engines
from overpaint.errors import MaskError
from overpaint.geometry import Box, Size
from overpaint.picture import Colour, Metadata, Picture, encode, open_picture
from stand_ins import LEARNED, noise

NEEDED = {
    "backdrop": {"options": {"colour": "teal"}},
    "recolor": {"options": {"to": "teal"}},
    "diffusion": {"model": "pocket", "steps": 1},
    "cutout": {"insert": np.pad(np.full((9, 5, 4), 200, np.uint8), ((1, 1), (1, 1), (0, 0)))},
}
"""What engines that paint from settings alone are given, and the model that is not used unasked for a removal."""

MODES = ("grey", "grey+alpha", "rgb", "rgb+alpha", "cmyk")


def picture_of(size: Size, mode: str, depth: int, seed: int = 0) -> Picture:
    """A smooth picture with some texture, alpha with wholly transparent parts where the mode has it."""
    rng = np.random.default_rng(seed)
    dtype, top = (np.uint8, 255) if depth == 8 else (np.uint16, 65535)
    colour = Colour(mode.split("+")[0])
    rows, columns = np.mgrid[: size.height, : size.width]
    smooth = np.stack([np.sin(rows / (9 + k) + columns / 13) * 0.3 + 0.5 for k in range(colour.samples)], axis=2)
    samples = np.clip(smooth + rng.normal(0, 0.05, smooth.shape), 0, 1)
    alpha = None
    if mode.endswith("alpha"):
        alpha = (np.clip(np.sin(columns / 5.0) + 0.6, 0, 1) * top).round().astype(dtype)
    return Picture((samples * top).round().astype(dtype), alpha, colour, Metadata())


@st.composite
def masks(draw: st.DrawFn, size: Size) -> Mask:
    kind = draw(st.sampled_from(["box", "line", "full", "soft", "border", "specks", "pixel"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = np.zeros(size.shape, np.float32)
    if kind == "full":
        values[:] = 1
    elif kind == "box":
        left, top = int(rng.integers(size.width)), int(rng.integers(size.height))
        values[top : top + int(rng.integers(1, 20)), left : left + int(rng.integers(1, 20))] = 1
    elif kind == "line":
        for offset in range(max(size)):
            x, y = offset * size.width // max(size), offset * size.height // max(size)
            values[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = 1
    elif kind == "soft":
        values = np.clip(ndimage.gaussian_filter(rng.random(size.shape), 3) * 6 - 2.5, 0, 1).astype(np.float32)
    elif kind == "border":
        values[:3, :] = 1
        values[:, -2:] = 1
    elif kind == "specks":
        values[rng.random(size.shape) > 0.99] = 1
    if not values.any():
        values[size.height // 2, size.width // 2] = 1
    return Mask(values)


def beyond(mask: Mask, reach: int) -> np.ndarray:
    """(H, W) bool: farther than `reach` pixels from every pixel of the mask; computed apart from the product's code."""
    return ndimage.distance_transform_edt(~mask.support) > reach + 1e-6


def assert_untouched(before: Picture, after: Picture, mask: Mask, reach: int) -> None:
    outside = beyond(mask, reach)
    assert np.array_equal(after.samples[outside], before.samples[outside])
    assert (before.alpha is None) == (after.alpha is None)
    if before.alpha is not None:
        assert np.array_equal(after.alpha[outside], before.alpha[outside])


@pytest.fixture(scope="module")
def studio():
    with Studio() as studio:
        yield studio


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("depth", [8, 16])
@given(data=st.data())
@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_written_file_equals_the_input_beyond_the_reach(data, mode, depth, tmp_path_factory):
    size = Size(data.draw(st.integers(1, 70), "width"), data.draw(st.integers(1, 60), "height"))
    source = picture_of(size, mode, depth)
    kind = "tiff" if mode == "cmyk" else data.draw(st.sampled_from(["png", "tiff"]))
    opened = open_picture(encode(source, kind).data)
    assert opened.mode == source.mode
    mask = data.draw(masks(size))
    intent = data.draw(st.sampled_from(["remove", "refine", "background", "add"]))
    extras = data.draw(
        st.sampled_from([{}, {"strict": True}, {"grow": 4.0, "feather": 7.5}, {"padding": 0}, {"area": "whole"}])
    )
    if intent == "background" and (mask.values > 0.9).all():  # no background is left, levels near 1 being 1
        intent = "remove"
    with Studio() as studio:
        card = data.draw(st.sampled_from([None, LEARNED]))
        studio.add_engine(noise(card))
        try:
            edited = studio.edit(opened, mask=mask, intent=intent, engine="stand-in", prompt="x", seed=3, **extras)
        except MaskError:
            if card is None:  # nothing is left that an engine which continues the surroundings could copy from
                return
            raise
    path = tmp_path_factory.mktemp("out") / f"out.{kind}"
    saved = edited.save(path)
    written = open_picture(path)
    assert saved.fidelity == "lossless"
    assert (saved.changed, saved.largest) == (0, 0)
    assert_untouched(opened, written, edited.mask, saved.reach)
    if extras.get("strict"):
        assert saved.reach == 0
    # The core is painted anew entirely: the two pictures are unrelated there, so a kept pixel is all but impossible.
    core = edited.mask.core
    if core.sum() > 200 and intent != "background":
        same = (written.samples[core] == opened.samples[core]).all(axis=1).mean()
        assert same < 0.2


@pytest.mark.parametrize("name", engines.names())
@pytest.mark.parametrize(
    ("mode", "depth", "size"),
    [
        ("rgb", 8, (61, 43)),
        ("rgb", 16, (40, 57)),
        ("grey", 8, (33, 20)),
        ("rgb+alpha", 8, (48, 31)),
        ("cmyk", 8, (30, 41)),
        ("rgb", 8, (1, 1)),
        ("rgb", 8, (1, 40)),
        ("grey+alpha", 16, (5, 3)),
    ],
)
def test_every_engine_leaves_the_rest_alone(studio, name, mode, depth, size, tmp_path):
    if name == "patchmatch":
        pytest.importorskip("patchmatch", reason="pypatchmatch is not installed (extra patchmatch)")
    needed = NEEDED.get(name, {})
    if name == "erase":
        needed = {"model": str(erasers.lama_file(tmp_path / "lama.safetensors"))}
    size = Size(*size)
    picture = open_picture(encode(picture_of(size, mode, depth), "tiff").data)
    shapes = [
        Mask.full(size),
        Mask.box(size, Box(0, 0, max(1, size.width // 3), max(1, size.height // 2))),
        Mask.box(size, Box(size.width // 2, size.height // 2, size.width // 2 + 1, size.height // 2 + 1)),
    ]
    if min(size) > 15:
        shapes.append(Mask.ellipse(size, Box(6, 4, 25, 18)).feather(3))
        shapes.append(Mask.strokes(size, [[(2, 2), (size.width - 3, size.height - 3)]], width=3))
    for number, mask in enumerate(shapes):
        if mask.core.all() and engines.card(name).paints_from == "surroundings":
            with pytest.raises(MaskError, match="none to copy from"):
                studio.edit(picture, mask=mask, intent="remove", engine=name, **needed)
            continue
        edited = studio.edit(picture, mask=mask, intent="remove", engine=name, seed=5, **needed)
        path = tmp_path / f"{number}.tiff"
        saved = edited.save(path)
        assert_untouched(picture, open_picture(path), mask, saved.reach)
        assert np.isfinite(edited.regions[0].patch).all()


def _jpeg(size: tuple[int, int], subsampling: int, quality: int = 88, **extra: object) -> bytes:
    buffer = io.BytesIO()
    array = picture_of(Size(*size), "rgb", 8).samples
    Image.fromarray(np.ascontiguousarray(array)).save(buffer, "JPEG", quality=quality, subsampling=subsampling, **extra)
    return buffer.getvalue()


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("size", [(160, 120), (97, 75)])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_stays_equal_beyond_the_reach_which_is_rounded_up_to_blocks(subsampling, size, progressive, tmp_path):
    source = tmp_path / "in.jpg"
    source.write_bytes(_jpeg(size, subsampling, progressive=progressive))
    picture = overpaint.open(source)
    mask = Mask.box(picture.size, Box(30, 30, 52, 47))
    edited = overpaint.remove(picture, mask, engine="telea")
    saved = edited.save()
    assert saved.path == tmp_path / "in.remove.jpg"
    assert saved.fidelity == "blocks"
    assert edited.reach <= saved.reach <= edited.reach + 40
    assert saved.changed == 0
    written = overpaint.open(saved.path)
    assert_untouched(picture, written, mask, saved.reach)
    assert not np.array_equal(written.samples, picture.samples)


@pytest.mark.parametrize("orientation", [3, 6, 8, 5])
def test_a_turned_jpeg_is_edited_as_it_is_seen(orientation, tmp_path):
    exif = Image.Exif()
    exif[274] = orientation
    source = tmp_path / "in.jpg"
    source.write_bytes(_jpeg((120, 80), 2, exif=exif.tobytes()))
    picture = overpaint.open(source)
    assert picture.size == (Size(80, 120) if orientation >= 5 else Size(120, 80))
    mask = Mask.box(picture.size, Box(20, 30, 40, 45))
    saved = overpaint.remove(picture, mask, engine="telea").save()
    written = overpaint.open(saved.path)
    assert written.size == picture.size
    assert saved.fidelity == "blocks"
    assert_untouched(picture, written, mask, saved.reach)


def test_a_lossy_save_says_so_and_counts_what_changed(tmp_path):
    picture = open_picture(encode(picture_of(Size(90, 70), "rgb", 8), "png").data)
    mask = Mask.box(picture.size, Box(20, 20, 40, 40))
    edited = overpaint.remove(picture, mask, engine="blur")
    saved = edited.save(tmp_path / "out.jpg", quality=60)
    written = open_picture(tmp_path / "out.jpg")
    different = (written.samples != picture.samples).any(axis=2) & ~edited.touched
    assert saved.fidelity == "re-encoded"
    assert saved.changed == int(different.sum()) > 0
    assert saved.largest > 0


@pytest.mark.parametrize("mode", ["grey", "grey+alpha", "rgb+alpha"])
@pytest.mark.parametrize(("name", "quality"), [("webp", 80), ("webp", None), ("avif", 70), ("avif", None)])
def test_formats_that_give_grey_back_as_colour_are_measured_all_the_same(mode, name, quality, tmp_path):
    picture = open_picture(encode(picture_of(Size(40, 30), mode, 8), "png").data)
    edited = overpaint.remove(picture, Mask.box(picture.size, Box(10, 10, 20, 20)), engine="blur")
    saved = edited.save(tmp_path / f"out.{name}", quality=quality)
    assert (saved.fidelity, saved.changed > 0) == (("lossless", False) if quality is None else ("re-encoded", True))


@pytest.mark.parametrize("margins", [(10, 0, 0, 0), (0, 7, 9, 0), (5, 5, 5, 5)])
@pytest.mark.parametrize("mode", ["rgb", "rgb+alpha", "grey"])
def test_expanding_keeps_the_original_but_for_the_reach(margins, mode, tmp_path):
    picture = open_picture(encode(picture_of(Size(50, 40), mode, 8), "png").data)
    left, top, right, bottom = margins
    edited = overpaint.expand(picture, left=left, top=top, right=right, bottom=bottom, seed=1)
    saved = edited.save(tmp_path / "out.png")
    written = open_picture(saved.path)
    assert written.size == Size(50 + left + right, 40 + top + bottom)
    inner = written.samples[top : top + 40, left : left + 50]
    outside = beyond(edited.mask, saved.reach)[top : top + 40, left : left + 50]
    assert np.array_equal(inner[outside], picture.samples[outside])
    if mode == "rgb+alpha":
        added = edited.mask.core
        assert (written.alpha[added] == 255).all(), "what was added is seen"
        assert np.array_equal(written.alpha[top : top + 40, left : left + 50][outside], picture.alpha[outside])


PHOTOS = Path(__file__).parents[2] / "shared" / "photos" / "eval"


@pytest.mark.skipif(not PHOTOS.exists(), reason="the evaluation photographs are not here")
@pytest.mark.parametrize("number", ["000", "034", "142"])
@pytest.mark.parametrize("kind", ["brush", "object"])
def test_real_photographs(number, kind, tmp_path):
    picture = overpaint.open(PHOTOS / "images" / f"{number}.jpg")
    mask = Mask.from_file(PHOTOS / "masks" / f"{number}_{kind}.png", size=picture.size)
    saved = overpaint.remove(picture, mask, engine="telea").save(tmp_path / "out.jpg")
    assert saved.fidelity == "blocks"
    assert_untouched(picture, overpaint.open(saved.path), mask, saved.reach)
