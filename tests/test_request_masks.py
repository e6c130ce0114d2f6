"""Rasters and masks in a request: named by digest, inline when small, checked before anything is allocated."""

from __future__ import annotations

import base64
import hashlib
import time
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from overpaint.errors import MaskError, RequestError
from overpaint.geometry import Size
from overpaint.mask import Mask, without_noise
from overpaint.picture import Picture
from overpaint.request import (
    INLINE_LIMIT,
    AlphaPart,
    Blob,
    BoxPart,
    EditRequest,
    EllipsePart,
    FullPart,
    MaskSpec,
    PolygonPart,
    RasterPart,
    StrokesPart,
    blob_array,
    blob_of,
    picture_blob,
)
from overpaint.studio import mask_of, spec_of

SIZE = Size(60, 40)


@settings(deadline=None, max_examples=150)
@given(
    hnp.arrays(
        np.uint8,
        st.tuples(*[st.integers(1, 40)] * 2) | st.tuples(*[st.integers(1, 9)] * 2, st.integers(1, 5)),
        elements=st.sampled_from([0, 255]) | st.integers(0, 255),
    )
)  # fmt: skip
def test_a_small_raster_is_carried_within_and_comes_back_the_same(raster):
    blob = blob_of(raster)
    assert blob.data is not None
    back = blob_array(Blob(**blob.to_mapping()))
    assert back.dtype == np.uint8
    assert np.array_equal(back.reshape(raster.shape), raster)
    assert blob.sha256 == hashlib.sha256(raster.tobytes()).hexdigest()


def test_a_photo_sized_hard_mask_is_inline_and_noise_is_not():
    mask = np.zeros((2160, 3840), np.uint8)
    rows, columns = np.ogrid[:2160, :3840]
    mask[(rows - 1000) ** 2 + (columns - 2000) ** 2 < 600**2] = 255
    assert len(blob_of(mask).data) < 4000
    noise = np.random.default_rng(0).integers(0, 256, (600, 600), np.uint8)
    blob = blob_of(noise)
    assert blob.data is None
    assert np.array_equal(blob_array(blob, {blob.sha256: noise}), noise)
    with pytest.raises(RequestError, match="neither inline nor among the inputs"):
        blob_array(blob, {})


def test_an_input_must_be_what_its_digest_says():
    raster = np.zeros((30, 20), np.uint8)
    blob = blob_of(raster)
    with pytest.raises(RequestError, match="has the digest"):
        blob_array(blob, {blob.sha256: raster + 1})
    with pytest.raises(RequestError, match="has the shape"):
        blob_array(blob, {blob.sha256: raster.T})
    with pytest.raises(RequestError, match="is float64, not 8-bit"):
        blob_array(blob, {blob.sha256: raster.astype(float)})


def _blob(code: bytes | str, width: int = 8, height: int = 4) -> Blob:
    """A blob of zeros with this code, or the code of these bytes."""
    text = code if isinstance(code, str) else "o2:" + base64.b64encode(zlib.compress(code)).decode()
    return Blob(sha256=hashlib.sha256(bytes(32)).hexdigest(), width=width, height=height, data=text)


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        (_blob("o2:!!!"), "damaged"),
        (_blob("o2:" + base64.b64encode(b"no zlib").decode()), "damaged"),
        (_blob("o2:" + base64.b64encode(zlib.compress(b"\x20\0\0\0\0")[:-4]).decode()), "cut short"),
        (_blob("o9:AAAA"), "an unknown code"),
        (_blob("o1:AAAA"), "an unknown code"),
        (_blob(b""), "do not add up"),
        (_blob(b"\x1f\0\0\0\0"), "do not add up"),
        (_blob(b"\x21\0\0\0\0"), "do not add up"),
        (_blob(b"\x10\0\x10" + bytes(12)), "do not add up"),
        (_blob(b"\x20\0\0\0\0\0"), "2 bytes of values for 1 runs"),
        (_blob(b"\xff\xff\xff\xff\0"), "do not add up"),
        (_blob(b"\xff" * 7 + b"\x21\0\0"), "do not add up"),  # 2**32 + 32 in all
        (_blob(b"\x20\0\0\0\x01"), "has the digest"),
        (_blob(bytes(10_000_000)), "longer than its size allows"),
        (_blob(b"\xff\xff\xff\xff\0", width=1 << 20, height=1 << 20), "may have 268435456 pixels at most"),
    ],
)
def test_a_damaged_or_hostile_code_is_one_clear_error(blob, message):
    begun = time.perf_counter()
    with pytest.raises(RequestError, match=message):
        blob_array(blob)
    assert time.perf_counter() - begun < 1


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=60), st.integers(1, 50), st.integers(1, 50))
def test_no_code_whatever_breaks_the_reader(code, width, height):
    try:
        raster = blob_array(_blob(code, width, height))
    except RequestError:
        return
    assert raster.shape == (height, width)


def test_a_code_beyond_the_limit_is_refused_before_it_is_read():
    with pytest.raises(RequestError, match=f"data must have at most {INLINE_LIMIT} characters"):
        _blob("o2:" + "A" * INLINE_LIMIT)


def test_the_digest_of_a_request_does_not_depend_on_inline_rasters():
    raster = np.eye(40, 60, dtype=np.uint8) * 255
    digests = {
        EditRequest.of("remove", mask=MaskSpec(parts=[RasterPart(raster=blob_of(raster, inline=inline))])).digest
        for inline in (True, False)
    }
    assert len(digests) == 1


def test_a_picture_is_named_by_its_pixels_whatever_their_byte_order():
    samples = np.arange(24, dtype=np.uint16).reshape(2, 4, 3) * 1000
    alpha = np.full((2, 4), 65535, np.uint16)
    blob = picture_blob(Picture(samples, alpha))
    assert (blob.width, blob.height, blob.channels, blob.depth, blob.data) == (4, 2, 4, 16, None)
    joined = np.concatenate([samples, alpha[..., None]], axis=2)
    assert blob.sha256 == hashlib.sha256(joined.astype(">u2").astype("<u2").tobytes()).hexdigest()
    assert blob.sha256 != picture_blob(Picture(samples)).sha256


def test_parts_are_joined_in_their_order():
    spec = MaskSpec(
        parts=[
            BoxPart(box=(5, 5, 30, 30)),
            EllipsePart(box=(10, 10, 20, 20), op="subtract"),
            PolygonPart(points=[(40, 5), (55, 5), (55, 20)]),
            StrokesPart(strokes=[[(35, 35), (55, 35)]], width=4),
            FullPart(op="intersect"),
        ]
    )
    expected = (
        Mask.box(SIZE, (5, 5, 30, 30))
        .subtract(Mask.ellipse(SIZE, (10, 10, 20, 20)))
        .union(Mask.polygon(SIZE, [(40, 5), (55, 5), (55, 20)]))
        .union(Mask.strokes(SIZE, [[(35, 35), (55, 35)]], 4))
    )
    assert np.array_equal(mask_of(spec, SIZE).values, expected.values)
    inverted = MaskSpec(parts=spec.parts, invert=True)
    assert np.array_equal(mask_of(inverted, SIZE).values, expected.invert().values)


def test_a_feathered_box_is_the_tutorials_feathered_box():
    spec = MaskSpec(parts=[BoxPart(box=(20, 10, 40, 30), feather=4)])
    feathered = without_noise(Mask.box(SIZE, (20, 10, 40, 30), feather=4))
    assert np.array_equal(mask_of(spec, SIZE).values, feathered.values)


@settings(deadline=None, max_examples=60)
@given(hnp.arrays(np.float32, (7, 9), elements=st.sampled_from([0, 1]) | st.floats(0.125, 0.875, width=32)))
def test_a_mask_keeps_its_core_through_a_request(values):
    mask = Mask(values.copy())
    spec, inputs = spec_of(mask)
    assert inputs == {}
    request = EditRequest.from_json(EditRequest.of("remove", mask=spec).to_json())
    if not mask.to_bytes8().any():
        with pytest.raises(MaskError, match="the mask is empty"):
            mask_of(request.mask, mask.size)
        return
    back = mask_of(request.mask, mask.size)
    assert np.array_equal(back.core, mask.core)
    assert np.abs(back.values - values).max() <= 0.5 / 255 + 1e-6


def test_a_mask_too_large_for_the_request_travels_beside_it():
    values = np.random.default_rng(1).random((500, 500), np.float32)
    spec, inputs = spec_of(Mask(values))
    assert spec.parts[0].raster.data is None
    back = mask_of(spec, Size(500, 500), inputs=inputs)
    assert np.array_equal(back.core, values >= 0.5)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"parts": [{"kind": "box", "box": [70, 50, 90, 60]}]}, "the box 70,50,90,60 has no pixel"),
        ({"parts": [{"kind": "polygon", "points": [[90, 0], [99, 0], [99, 9]]}]}, "the polygon .* has no pixel"),
        ({"parts": [{"kind": "full"}], "invert": True}, "cover the whole 60x40 picture, and it is inverted"),
        (
            {"parts": [{"kind": "box", "box": [0, 0, 9, 9]}, {"kind": "full", "op": "subtract"}]},
            "leave nothing of one another",
        ),
        ({"parts": [{"kind": "raster", "raster": blob_of(np.zeros((40, 60), np.uint8))}]}, "no pixel is marked"),
        (
            {"parts": [{"kind": "raster", "raster": blob_of(np.full((60, 40), 255, np.uint8))}]},
            "the mask is 40x60, but the picture is 60x40; width and height are swapped",
        ),
        ({"parts": [{"kind": "raster", "raster": blob_of(np.full((9, 9), 255, np.uint8))}]}, "the mask is 9x9, but"),
        ({"parts": [{"kind": "alpha"}]}, "the picture has no alpha"),
    ],
)  # fmt: skip
def test_a_mask_without_a_meaning_is_one_clear_error(spec, message):
    with pytest.raises(MaskError, match=message):
        mask_of(MaskSpec(**spec), SIZE, picture=Picture(np.zeros((40, 60, 3), np.uint8)))


def test_the_pictures_transparency_can_be_the_mask():
    alpha = np.full((40, 60), 255, np.uint8)
    alpha[10:20, 10:20] = 0
    picture = Picture(np.zeros((40, 60, 3), np.uint8), alpha)
    mask = mask_of(MaskSpec(parts=[AlphaPart()]), SIZE, picture=picture)
    assert np.array_equal(mask.core, alpha == 0)


def test_a_raster_part_takes_a_mask_and_nothing_else():
    with pytest.raises(RequestError, match="raster must have depth 8 and channels 1, not 8 and 4"):
        RasterPart(raster=blob_of(np.zeros((4, 4, 4), np.uint8)))
