"""Conversion to an engine's colours and back: exact where nothing changed, right where something did, in full depth."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from overpaint.errors import PictureError
from overpaint.picture import Colour, Metadata, Picture, icc
from overpaint.picture.colour import converter_for

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
D50 = (0.9642, 1.0, 0.8249)
# Columns: red, green, blue under D50 (Display P3 and Adobe RGB by their published profiles, ROMM by ISO 22028-2).
PRIMARIES = {
    "p3": ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)),
    "adobe": ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)),
    "romm": ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491)),
}


def fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))


def gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256)) + b"\0\0"


def table(values: np.ndarray) -> bytes:
    return (
        b"curv\0\0\0\0" + struct.pack(f">I{values.size}H", values.size, *values.tolist()) + bytes(values.size % 2 * 2)
    )


def parametric(kind: int, *values: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + b"".join(map(fixed, values))


SRGB_CURVE = parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
LINEAR_CURVE = b"curv\0\0\0\0" + struct.pack(">I", 0)
CURVES = {
    "gamma-1.8": gamma(1.8),
    "gamma-2.2": gamma(563 / 256),
    "linear": LINEAR_CURVE,
    "srgb": SRGB_CURVE,
    "para-0": parametric(0, 2.2),
    "para-1": parametric(1, 2.2, 1.05, -0.05),
    "para-2": parametric(2, 2.2, 1.03, -0.05, 0.01),
    "para-4": parametric(4, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.0, 0.0),
    "table": table(np.rint(np.linspace(0, 1, 257) ** 2.0 * 65535).astype(int)),
    "flat-table": table(np.maximum(np.linspace(0, 65535, 64).astype(int) - 3000, 0) * 65535 // 62535),
}


def profile(primaries: str = "p3", curve: bytes = SRGB_CURVE, version: int = 4, space: bytes = b"RGB ") -> bytes:
    """A matrix or grey profile by the ICC's specification: header, tag table, tags."""
    words = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    if version == 4:
        words = b"mluc\0\0\0\0" + struct.pack(">IIHHII", 1, 12, 0x656E, 0x5553, 8, 28) + "test".encode("utf-16-be")
    tags = {b"desc": words, b"cprt": words if version == 4 else b"text\0\0\0\0none\0", b"wtpt": xyz(D50)}
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), PRIMARIES[primaries], strict=True):
            tags[name] = xyz(column)
            tags[name[:1] + b"TRC"] = curve
    body, entries, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        padded = value + bytes(-len(value) % 4)
        entries += name + struct.pack(">II", at, len(value))
        body, at = body + padded, at + len(padded)
    head = struct.pack(">I4sI4s4s4s", at, b"test", version << 24, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + b"".join(map(fixed, D50))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + entries + body


def picture(samples: np.ndarray, colour: Colour = Colour.RGB, icc: bytes | None = None) -> Picture:
    return Picture(samples, None, colour, Metadata(icc=icc))


def cube(step: int = 17, top: int = 255) -> np.ndarray:
    """Every combination of some values of three channels, (n, n * n, 3) uint8."""
    values = np.arange(0, top + 1, step, dtype=np.uint8)
    return np.stack(np.meshgrid(values, values, values, indexing="ij"), -1).reshape(values.size, -1, 3)


def by_little_cms(values: np.ndarray, source: bytes, target: bytes, mode: str = "RGB", out: str = "RGB") -> np.ndarray:
    profiles = [ImageCms.ImageCmsProfile(io.BytesIO(p)) for p in (source, target)]
    image = Image.fromarray(values.squeeze())
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    flags = ImageCms.Flags.NOOPTIMIZE  # optimised, it loses up to three levels by itself
    return np.asarray(ImageCms.profileToProfile(image, *profiles, renderingIntent=intent, outputMode=out, flags=flags))


@pytest.mark.parametrize("version", [2, 4])
@pytest.mark.parametrize(("name", "curve"), [("p3", "srgb"), ("adobe", "gamma-2.2"), ("romm", "gamma-1.8")])
def test_the_usual_wide_profiles_agree_with_little_cms(name: str, curve: str, version: int) -> None:
    made = profile(name, CURVES[curve], version)
    values = cube()
    canvas = converter_for(picture(values, icc=made), "srgb").to_canvas(values)
    wanted = by_little_cms(values, made, SRGB)
    assert np.abs(np.rint(canvas * 255) - wanted).max() <= 1


@pytest.mark.parametrize("curve", CURVES)
def test_every_kind_of_curve_agrees_with_little_cms_and_is_turned_round(curve: str) -> None:
    made = profile("p3", CURVES[curve])
    values = cube(51)
    converter = converter_for(picture(values, icc=made), "srgb")
    wanted = by_little_cms(values, made, SRGB).astype(int)
    assert np.abs(np.rint(converter.to_canvas(values) * 255) - wanted).max() <= 2
    # The way back, of colours inside both gamuts.
    parsed = icc.parsed(made)
    assert parsed is not None
    inside = np.random.default_rng(0).uniform(0.3, 0.7, (50, 50, 3)).astype(np.float32)
    np.testing.assert_allclose(parsed.to_srgb(parsed.from_srgb(inside)), inside, atol=2e-4)


def test_srgb_itself_is_left_as_it_is() -> None:
    values = cube(15)
    canvas = converter_for(picture(values, icc=SRGB), "srgb").to_canvas(values)
    np.testing.assert_array_equal(canvas, values.astype(np.float32) / np.float32(255))
    parsed = icc.parsed(SRGB)
    assert parsed is not None
    assert parsed.is_srgb
    np.testing.assert_allclose(parsed.to_srgb(canvas), canvas, atol=2e-3)
    others = [icc.parsed(profile(name, curve)) for name in PRIMARIES for curve in CURVES.values()]
    assert not any(other.is_srgb for other in others if other is not None)


def test_grey_profiles_agree_with_little_cms() -> None:
    made = profile(curve=gamma(1.8), space=b"GRAY")
    values = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    converter = converter_for(picture(values, Colour.GREY, made), "srgb")
    canvas = converter.to_canvas(values)
    wanted = by_little_cms(values, made, SRGB)
    assert np.abs(np.rint(canvas * 255) - wanted).max() <= 1
    painted = np.clip(canvas + 0.3, 0, 1)
    back = converter.to_samples(values, canvas, painted)
    again = converter.to_canvas(np.rint(back).clip(0, 255).astype(np.uint8))
    assert np.abs(again - painted)[canvas.max(axis=2) < 0.7].max() < 0.01


KINDS = {
    "plain grey": (Colour.GREY, None),
    "plain rgb": (Colour.RGB, None),
    "plain cmyk": (Colour.CMYK, None),
    "p3": (Colour.RGB, profile("p3")),
    "romm": (Colour.RGB, profile("romm", gamma(1.8))),
    "grey 1.8": (Colour.GREY, profile(curve=gamma(1.8), space=b"GRAY")),
    "a profile for other colours": (Colour.GREY, SRGB),
    "no profile at all": (Colour.RGB, b"garbage" * 40),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("space", ["encoded", "srgb"])
@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 2**32 - 1), deep=st.booleans())
def test_what_was_not_painted_comes_back_exactly(kind: str, space: str, seed: int, deep: bool) -> None:
    colour, made = KINDS[kind]
    rng = np.random.default_rng(seed)
    dtype = np.uint16 if deep else np.uint8
    top = np.iinfo(dtype).max
    values = rng.integers(0, top + 1, (9, 7, colour.samples)).astype(dtype)
    converter = converter_for(picture(values, colour, made), space)
    canvas = converter.to_canvas(values)
    assert canvas.dtype == np.float32
    assert canvas.shape == (9, 7, 3)
    assert canvas.min() >= 0
    assert canvas.max() <= 1
    painted = canvas.copy()
    changed = rng.random((9, 7)) < 0.5
    painted[changed] = rng.random((int(changed.sum()), 3))
    back = converter.to_samples(values, canvas, painted)
    assert back.shape == values.shape
    np.testing.assert_array_equal(back[~changed], values[~changed])
    # A canvas that was handed on in two halves, one of them unchanged, is the same.
    np.testing.assert_array_equal(converter.to_samples(values, canvas, canvas), values)


@pytest.mark.parametrize("kind", ["plain rgb", "p3", "romm"])
def test_painted_colours_come_back_as_painted_in_sixteen_bits(kind: str) -> None:
    colour, made = KINDS[kind]
    rng = np.random.default_rng(1)
    values = rng.integers(30000, 34000, (20, 20, 3)).astype(np.uint16)
    converter = converter_for(picture(values, colour, made), "srgb")
    canvas = converter.to_canvas(values)
    painted = np.clip(canvas + rng.uniform(-0.2, 0.2, canvas.shape), 0.1, 0.9).astype(np.float32)
    back = converter.to_samples(values, canvas, painted)
    again = converter.to_canvas(np.rint(back).astype(np.uint16))
    assert np.abs(again - painted).max() < 4e-4  # a tenth of a level of 8 bits


def test_a_small_change_is_a_small_change_in_full_depth() -> None:
    values = np.full((4, 4, 3), 30001, np.uint16)
    converter = converter_for(picture(values, icc=profile("p3")), "srgb")
    canvas = converter.to_canvas(values)
    back = converter.to_samples(values, canvas, canvas + np.float32(1e-4))
    assert (np.abs(back - values) < 20).all()
    assert (back > values).all()


@pytest.mark.parametrize(("made", "colour"), [(profile("romm", gamma(1.8)), Colour.RGB), (None, Colour.CMYK)])
def test_no_trace_of_a_colour_that_srgb_cannot_hold_is_left_where_something_else_was_painted(
    made: bytes | None, colour: Colour
) -> None:
    strong = [[[0, 255, 0]]] if colour is Colour.RGB else [[[150, 128, 128, 255]]]
    values = np.array(strong, np.uint8).repeat(8, 0).repeat(8, 1)
    converter = converter_for(picture(values, colour, made), "srgb")
    canvas = converter.to_canvas(values)
    painted = np.full_like(canvas, 0.75)
    again = converter.to_canvas(np.rint(converter.to_samples(values, canvas, painted)).clip(0, 255).astype(np.uint8))
    assert np.abs(again - painted).max() < 0.01


def lut(inputs: int, outputs: int, grid: int, nodes: np.ndarray) -> bytes:
    """lut8Type (ICC.1, 10.11) with straight curves: nodes (grid ** inputs, outputs) in [0, 1], first input slowest."""
    straight = bytes(range(256))
    unit = b"".join(map(fixed, np.eye(3).ravel().tolist()))
    head = b"mft1\0\0\0\0" + bytes((inputs, outputs, grid, 0)) + unit
    table = np.rint(nodes.clip(0, 1) * 255).astype(np.uint8).tobytes()
    return head + straight * inputs + table + straight * outputs


def cmyk_profile() -> bytes:
    """Naive inks as look-up tables: lightness and the two colour axes of Lab, and the way back."""
    corners = np.stack(np.meshgrid(*[[0.0, 1.0]] * 4, indexing="ij"), -1).reshape(-1, 4)
    light = (1 - corners[:, :3]) * (1 - corners[:, 3:])
    r, g, b = light.T
    lab = np.stack([(r + g + b) / 3, 128 / 255 + (r - g) / 4, 128 / 255 + ((r + g) / 2 - b) / 4], -1)
    steps = np.linspace(0, 1, 17)
    nodes = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    difference, yellow = (nodes[:, 1] - 128 / 255) * 4, (nodes[:, 2] - 128 / 255) * 4
    blue = nodes[:, 0] - yellow * 2 / 3
    red = blue + yellow + difference / 2
    light = np.stack([red, red - difference, blue], -1).clip(0, 1)
    key = 1 - light.max(axis=1, keepdims=True)
    inks = np.concatenate([1 - light - key, key], -1)
    made = bytearray(profile(version=2))
    tags = {b"A2B0": lut(4, 3, 2, lab), b"B2A0": lut(3, 4, 17, inks), b"wtpt": xyz(D50), b"cprt": b"text\0\0\0\0none"}
    tags |= {b"A2B1": tags[b"A2B0"], b"B2A1": tags[b"B2A0"]}
    entries, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        entries += name + struct.pack(">II", at + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    made[12:24] = b"prtrCMYKLab "
    whole = bytes(made[4:128]) + struct.pack(">I", len(tags)) + entries + body
    return struct.pack(">I", len(whole) + 4) + whole


def test_cmyk_profiles_go_through_little_cms_and_leave_what_was_not_painted() -> None:
    made = cmyk_profile()
    assert icc.parsed(made) is None
    assert icc.colour_space(made) == "CMYK"
    inks = np.random.default_rng(0).integers(0, 256, (12, 10, 4), dtype=np.uint8)
    converter = converter_for(picture(inks, Colour.CMYK, made), "srgb")
    canvas = converter.to_canvas(inks)
    profiles = [ImageCms.ImageCmsProfile(io.BytesIO(p)) for p in (made, SRGB)]
    image = Image.frombytes("CMYK", (10, 12), inks.tobytes())
    intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
    wanted = ImageCms.profileToProfile(image, *profiles, renderingIntent=intent, outputMode="RGB", flags=flags)
    assert np.abs(canvas * 255 - np.asarray(wanted)).max() <= 2
    naive = converter_for(picture(inks, Colour.CMYK), "srgb").to_canvas(inks)
    assert np.abs(canvas - naive).max() > 0.05  # so that the profile was used at all
    painted = canvas.copy()
    painted[3:6] = 0.6
    back = converter.to_samples(inks, canvas, painted)
    np.testing.assert_array_equal(np.delete(back, slice(3, 6), 0), np.delete(inks, slice(3, 6), 0))
    again = converter.to_canvas(np.rint(back).clip(0, 255).astype(np.uint8))
    # Deep saturated inks come from a coarse table: a few levels.
    assert np.abs(again - painted)[3:6].mean() < 0.04


def test_an_rgb_profile_without_matrix_or_tables_is_as_good_as_none() -> None:
    made = profile("p3")
    at = made.index(b"rXYZ")
    broken = made[:at] + b"xxxx" + made[at + 4 :]
    assert icc.parsed(broken) is None
    values = cube(85)
    converter = converter_for(picture(values, icc=broken), "srgb")
    np.testing.assert_array_equal(
        converter.to_samples(values, converter.to_canvas(values), converter.to_canvas(values)), values
    )


def test_cmyk_without_a_profile_is_ink_on_paper() -> None:
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255], [0, 255, 255, 0]]], np.uint8)
    canvas = converter_for(picture(inks, Colour.CMYK), "encoded").to_canvas(inks)
    assert canvas[0].tolist() == [[1, 1, 1], [0, 1, 1], [0, 0, 0], [1, 0, 0]]


def test_encoded_values_are_the_samples_themselves() -> None:
    values = np.arange(48, dtype=np.uint16).reshape(4, 4, 3) * 1365
    converter = converter_for(picture(values, icc=profile("romm")), "encoded")
    canvas = converter.to_canvas(values)
    np.testing.assert_allclose(canvas * 65535, values, atol=0.01)
    grey = np.full((2, 2, 1), 100, np.uint8)
    converter = converter_for(picture(grey, Colour.GREY), "encoded")
    canvas = converter.to_canvas(grey)
    painted = canvas + np.array([0.0, 0.1, 0.2], np.float32)
    np.testing.assert_allclose(converter.to_samples(grey, canvas, painted), 100 + 25.5, atol=0.01)


def test_another_space_is_refused() -> None:
    with pytest.raises(PictureError, match="'lab'"):
        converter_for(picture(np.zeros((1, 1, 3), np.uint8)), "lab")  # type: ignore[arg-type]


@settings(deadline=None, max_examples=80)
@given(st.data())
def test_damaged_profiles_never_raise(data: st.DataObject) -> None:
    made = bytearray(profile("p3", CURVES[data.draw(st.sampled_from(sorted(CURVES)))]))
    for _ in range(data.draw(st.integers(0, 5))):
        made[data.draw(st.integers(0, len(made) - 1))] = data.draw(st.integers(0, 255))
    broken = bytes(made[: data.draw(st.integers(0, len(made)))])
    values = np.full((2, 2, 3), 90, np.uint8)
    converter = converter_for(picture(values, icc=broken), "srgb")
    canvas = converter.to_canvas(values)
    assert np.isfinite(canvas).all()
    assert np.isfinite(converter.to_samples(values, canvas, canvas * np.float32(0.9))).all()
