"""Layered files: PSD and PSB as psd-tools and Pillow read them, OpenRaster as its specification says."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from psd_tools import PSDImage
from psd_tools.constants import BlendMode, Resource, Tag

from layered import composed_ora, composed_psd, largest_difference, layered_of, layered_pictures, parts_of_ora
from overpaint.errors import FormatError, OutputError, UnknownFormatError
from overpaint.geometry import Box, Size
from overpaint.layers import Layer, LayeredPicture, LayerGroup, LayerPixels, _psd, check_layered, layers_of
from overpaint.layers._packbits import packed_rows
from overpaint.layers._values import plain_name
from overpaint.picture import Colour, Metadata, Picture, open_picture
from test_picture_colour import profile
from test_untouched import picture_of

SIZE = Size(61, 37)
BOXES = [Box(3, 4, 30, 20), Box(20, 10, 61, 37), Box(0, 0, 9, 37)]
RGB = ("rgb", "rgb+alpha", "grey", "grey+alpha")


def stored(picture: Picture, samples: np.ndarray) -> np.ndarray:
    """Samples as psd-tools gives them: in CMYK the largest value is no ink."""
    return picture.maximum - samples if picture.colour is Colour.CMYK else samples


def unpacked(data: bytes) -> bytes:
    """PackBits as TIFF 6.0 describes its reading."""
    found, at = b"", 0
    while at < len(data):
        head = data[at]
        assert head != 128, "a header without a meaning"
        if head < 128:
            found += data[at + 1 : at + 2 + head]
            at += 2 + head
        else:
            found += data[at + 1 : at + 2] * (257 - head)
            at += 2
    return found


class TestPackBits:
    @settings(max_examples=60, deadline=None)
    @given(st.integers(1, 400), st.integers(1, 5), st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3, 256]))
    def test_any_rows_are_unpacked_again(self, width, count, seed, levels):
        rng = np.random.default_rng(seed)
        rows = rng.integers(0, levels, (count, width)).astype(np.uint8)
        rows = np.repeat(rows, rng.integers(1, 200), axis=1)[:, :width] if rng.random() < 0.5 else rows
        lengths, packed = packed_rows(np.ascontiguousarray(rows))
        assert int(lengths.sum()) == len(packed)
        ends = np.cumsum(lengths)
        for row, start, end in zip(rows, ends - lengths, ends, strict=True):
            assert unpacked(packed[start:end]) == row.tobytes()

    def test_runs_are_short_and_noise_hardly_grows(self):
        assert len(packed_rows(np.zeros((10, 6000), np.uint8))[1]) < 1000
        noise = np.random.default_rng(0).integers(0, 256, (10, 6000)).astype(np.uint8)
        assert len(packed_rows(noise)[1]) < 1.01 * noise.size


class TestPSD:
    @settings(max_examples=25, deadline=None)
    @given(layered_pictures(), st.sampled_from(["psd", "psb"]))
    def test_psd_tools_reads_what_was_meant(self, layered, format):
        base, merged = layered.base, layered.merged
        document = PSDImage.open(io.BytesIO(layered.encode(format)))
        assert (document.width, document.height, document.depth) == (*base.size, base.depth)
        assert document.version == (1 if format == "psd" else 2)
        content = list(document)
        if layered.transparency is not None:
            (whole,) = content
            assert (whole.name, whole.blend_mode, whole.mask.bbox) == ("Picture", BlendMode.NORMAL, (0, 0, *base.size))
            assert np.array_equal(np.rint(whole.numpy("mask")[..., 0] * base.maximum), merged.alpha)
            content = list(whole)
        original, *content = content
        assert original.name == "Original"
        assert np.array_equal(np.rint(original.numpy("color") * base.maximum), stored(base, base.samples))
        self.check(content, layered.layers, base)

    def check(self, found: list[Any], nodes: Any, base: Picture) -> None:
        assert len(found) == len(nodes)
        for one, node in zip(found, nodes, strict=True):
            assert one.tagged_blocks.get_data(Tag.UNICODE_LAYER_NAME) == plain_name(node.name)
            assert one.visible == node.visible
            if isinstance(node, LayerGroup):
                assert one.is_group()
                assert one.blend_mode == BlendMode.PASS_THROUGH
                self.check(list(one), node.members, base)
                continue
            pixels = node.read()
            assert (one.bbox, one.mask.bbox) == (tuple(node.box), tuple(node.box))
            assert (one.opacity, one.blend_mode) == (round(node.opacity * 255), BlendMode.NORMAL)
            assert one.mask.background_color == 0, "hidden beyond the mask's rectangle"
            most = np.float32(base.maximum)
            assert np.array_equal(np.rint(one.numpy("mask")[..., 0] * most), np.rint(pixels.mask * most))
            assert np.array_equal(np.rint(one.numpy("color") * most), stored(base, pixels.samples)), "whole, unmasked"

    @pytest.mark.parametrize("mode", ["grey", "grey+alpha", "rgb", "rgb+alpha", "cmyk", "cmyk+alpha"])
    def test_pillow_reads_the_result_with_inks_positive(self, mode):
        layered = layered_of(picture_of(SIZE, mode, 8), BOXES)
        merged = layered.merged
        with Image.open(io.BytesIO(layered.encode("psd"))) as image:
            assert image.mode == {"grey": "L", "cmyk": "CMYK"}.get(
                mode.split("+")[0], "RGBA" if "alpha" in mode else "RGB"
            )
            found = np.asarray(image).reshape(*SIZE.shape, -1)
        opaque = np.full(SIZE.shape, True) if merged.alpha is None else merged.alpha == 255
        assert np.array_equal(found[opaque][:, : merged.colour.samples], merged.samples[opaque])

    @pytest.mark.parametrize("depth", [8, 16])
    @pytest.mark.parametrize("mode", ["grey", "rgb", "rgb+alpha", "cmyk"])
    def test_psd_tools_reads_the_result_with_inks_positive(self, mode, depth):
        layered = layered_of(picture_of(SIZE, mode, depth), BOXES)
        merged = layered.merged
        document = PSDImage.open(io.BytesIO(layered.encode("psd")))
        found = np.rint(document.numpy("color") * merged.maximum)
        opaque = np.full(SIZE.shape, True) if merged.alpha is None else merged.alpha == merged.maximum
        assert np.array_equal(found[opaque], stored(merged, merged.samples)[opaque])
        if merged.alpha is not None:
            assert np.array_equal(np.rint(document.numpy("shape")[..., 0] * merged.maximum), merged.alpha)

    def test_the_old_form_of_a_name_is_what_mac_roman_has_of_it(self):
        base = picture_of(SIZE, "rgb", 8)
        layer = layered_of(base, BOXES[:1]).layers[0]
        data = LayeredPicture(base, (replace(layer, name="1 Größe 日本 🎈"),), base).encode("psd")
        assert b"\x0c1 Gr\x9a\xa7e ?? ?\0\0\0" in data, "filled up to a multiple of 4"
        assert "1 Größe 日本 🎈".encode("utf-16-be") in data

    @pytest.mark.parametrize("depth", [8, 16])
    def test_metadata_are_image_resources(self, depth):
        iptc = struct.pack(">4sH2xI", b"8BIM", 1028, 4) + b"\x1c\x02\x00\x00"
        thumbs = struct.pack(">4sH2xI", b"8BIM", 1050, 4) + b"slic"
        metadata = Metadata(
            icc=profile(),
            exif=b"MM\0*\0\0\0\x08\0\0\0\0\0\0",
            xmp=b"<x:xmpmeta/>",
            iptc=iptc + thumbs,
            dpi=(300.0, 150.5),
        )
        base = replace(picture_of(SIZE, "rgb", depth), metadata=metadata)
        resources = PSDImage.open(io.BytesIO(layered_of(base, BOXES).encode("psd"))).image_resources
        assert resources.get_data(Resource.ICC_PROFILE) == metadata.icc
        assert resources.get_data(Resource.EXIF_DATA_1) == metadata.exif
        assert resources.get_data(Resource.XMP_METADATA) == metadata.xmp
        assert resources.get_data(Resource.IPTC_NAA) == b"\x1c\x02\x00\x00"
        assert Resource.SLICES not in resources, "of layers that are not there any more"
        resolution = resources.get_data(Resource.RESOLUTION_INFO)
        assert (resolution.horizontal / 65536, resolution.vertical / 65536) == (300.0, 150.5)
        assert resources.get_data(Resource.VERSION_INFO).has_composite

    def test_16_bits_without_a_profile_are_said_to_be_srgb(self):
        for mode, depth, profiled in (("rgb", 16, True), ("grey", 16, True), ("cmyk", 16, False), ("rgb", 8, False)):
            data = layered_of(picture_of(SIZE, mode, depth), BOXES).encode("psd")
            assert (Resource.ICC_PROFILE in PSDImage.open(io.BytesIO(data)).image_resources) == profiled

    @pytest.mark.parametrize(
        ("format", "size", "hint"),
        [("psd", Size(30_001, 5), "name it .psb, which holds more, or .ora"), ("psb", Size(5, 300_001), "use PNG")],
    )
    def test_a_picture_that_is_too_large_is_refused_with_what_holds_it(self, format, size, hint):
        with pytest.raises(OutputError, match=f"a {format.upper()} file can't hold {size}") as caught:
            check_layered(format, size, Colour.RGB)
        assert (caught.value.code, caught.value.field, caught.value.hint) == ("output-too-large", "layers", hint)

    def test_a_side_of_more_than_30_000_pixels_goes_into_a_psb(self):
        layered = layered_of(picture_of(Size(30_001, 3), "rgb", 8), [Box(29_900, 0, 30_001, 3)])
        document = PSDImage.open(io.BytesIO(layered.encode("psb")))
        assert document.width == 30_001
        assert np.array_equal(document[1].numpy("color") * 255, layered.layers[0].read().samples)

    def test_a_file_that_grows_too_long_is_refused_and_leaves_nothing(self, monkeypatch, tmp_path):
        monkeypatch.setattr(_psd, "LARGEST_PSD", 20_000)
        layered = layered_of(picture_of(SIZE, "rgb", 8), BOXES)
        with pytest.raises(OutputError, match=r"more than the 2 GB that a PSD file holds; name it \.psb"):
            layered.save(tmp_path / "l.psd")
        assert list(tmp_path.iterdir()) == []
        layered.save(tmp_path / "l.psb")


class TestOpenRaster:
    @settings(max_examples=20, deadline=None)
    @given(layered_pictures(modes=RGB))
    def test_its_list_has_every_layer_and_its_files_their_pixels(self, layered):
        archive, image = parts_of_ora(layered.encode("ora"))
        assert archive.testzip() is None
        assert (int(image.get("w")), int(image.get("h"))) == tuple(layered.base.size)
        found = list(image.find("stack"))
        if layered.transparency is not None:
            erased, *found = found
            assert (erased.get("name"), erased.get("composite-op")) == ("Transparency", "svg:dst-out")
        *found, original = found
        assert original.get("name") == "Original"
        assert np.array_equal(open_picture(archive.read(original.get("src"))).samples, layered.base.samples)
        self.check(archive, found, layered.layers, layered.base)
        merged = open_picture(archive.read("mergedimage.png"))
        assert np.array_equal(merged.samples, layered.merged.samples)
        assert (merged.alpha is None) == (layered.merged.alpha is None)

    def check(self, archive: Any, found: list[Any], nodes: Any, base: Picture) -> None:
        assert len(found) == len(nodes)
        for one, node in zip(reversed(found), nodes, strict=True):
            assert one.get("name") == plain_name(node.name)
            assert one.get("visibility") == ("visible" if node.visible else "hidden")
            if isinstance(node, LayerGroup):
                assert one.tag == "stack"
                self.check(archive, list(one), node.members, base)
                continue
            pixels, layer = node.read(), open_picture(archive.read(one.get("src")))
            assert (int(one.get("x")), int(one.get("y")), float(one.get("opacity"))) == (
                node.box.left,
                node.box.top,
                node.opacity,
            )
            assert layer.depth == base.depth
            assert np.array_equal(layer.alpha, np.rint(pixels.mask * np.float32(base.maximum)))
            assert np.array_equal(layer.samples, pixels.samples), "the whole paint, below an alpha of 0 too"

    def test_its_parts_are_what_the_format_asks_for(self):
        base = replace(
            picture_of(Size(700, 300), "rgb", 16),
            metadata=Metadata(dpi=(300.0, 150.0), exif=b"MM\0*\0\0\0\x08\0\0\0\0\0\0"),
        )
        data = layered_of(base, BOXES).encode("ora")
        assert data[30:54] == b"mimetypeimage/openraster", "the first entry, not compressed"
        archive, image = parts_of_ora(data)
        assert (image.get("version"), image.get("xres"), image.get("yres")) == ("0.0.5", "300", "150")
        assert open_picture(archive.read("mergedimage.png")).metadata.exif is not None
        thumbnail = open_picture(archive.read("Thumbnails/thumbnail.png"))
        assert (thumbnail.size, thumbnail.depth) == (Size(256, 110), 8)
        own = open_picture(archive.read("data/layer0001.png"))
        assert own.metadata.icc is not None
        assert own.metadata.exif is None

    def test_inks_are_refused_with_what_holds_them(self):
        with pytest.raises(FormatError, match="OpenRaster can't hold CMYK") as caught:
            layered_of(picture_of(SIZE, "cmyk", 8), BOXES).encode("ora")
        assert (caught.value.field, caught.value.hint) == ("layers", "name it .psd")


class TestFlattened:
    """The layers, composited by a program that reads them, are the result."""

    @pytest.mark.parametrize("depth", [8, 16])
    @pytest.mark.parametrize("mode", ["grey", "rgb", "rgb+alpha", "cmyk"])
    def test_hard_masks_give_the_very_pixels(self, mode, depth):
        layered = layered_of(picture_of(SIZE, mode, depth), BOXES, soft=False)
        assert largest_difference(composed_psd(layered.encode("psd")), layered.merged) == 0
        if mode != "cmyk":
            assert largest_difference(composed_ora(layered.encode("ora")), layered.merged) == 0

    @settings(max_examples=15, deadline=None)
    @given(layered_pictures())
    def test_soft_masks_and_opacities_differ_by_rounding_alone(self, layered):
        """By the mask, 1/2 level; the opacity, 1/2; and the result's own rounding of each layer, 1/2."""
        bound = 1.5 * sum(1 for one in layers_of(layered.layers) if one.visible) + 0.5
        assert largest_difference(composed_psd(layered.encode("psd")), layered.merged) <= bound
        if layered.merged.colour is not Colour.CMYK:
            assert largest_difference(composed_ora(layered.encode("ora")), layered.merged) <= bound


class TestFiles:
    def test_the_name_says_the_format(self, tmp_path):
        layered = layered_of(picture_of(SIZE, "rgb", 8), BOXES)
        for name, start in (("a.psd", b"8BPS\0\1"), ("b.PSB", b"8BPS\0\2"), ("c.ora", b"PK\3\4")):
            assert layered.save(tmp_path / name) == tmp_path / name
            assert (tmp_path / name).read_bytes().startswith(start)
        with pytest.raises(UnknownFormatError, match=r"must end in \.psd, \.psb or \.ora"):
            layered.save(tmp_path / "d.png")
        with pytest.raises(OutputError, match="exists already"):
            layered.save(tmp_path / "a.psd")
        layered.save(tmp_path / "a.psd", overwrite=True)

    @pytest.mark.parametrize("format", ["psd", "ora"])
    def test_a_fault_half_way_leaves_the_old_file_and_nothing_else(self, format, tmp_path):
        def fail() -> LayerPixels:
            raise KeyboardInterrupt

        base = picture_of(SIZE, "rgb", 8)
        path = tmp_path / f"l.{format}"
        path.write_bytes(b"old")
        with pytest.raises(KeyboardInterrupt):
            LayeredPicture(base, (Layer("x", BOXES[0], fail),), base).save(path, overwrite=True)
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize("format", ["psd", "ora"])
    def test_one_layer_at_a_time_is_read(self, format):
        """So that fifty edits of a large photo do not have to be in memory together."""
        alive, most = set(), 0

        class Counted(np.ndarray):
            def __del__(self) -> None:
                alive.discard(id(self))

        def read() -> LayerPixels:
            nonlocal most
            samples = np.zeros((*BOXES[0].size.shape, 3), np.uint8).view(Counted)
            alive.add(id(samples))
            most = max(most, len(alive))
            return LayerPixels(samples, np.ones(BOXES[0].size.shape, np.float32))

        base = picture_of(SIZE, "rgb", 8)
        LayeredPicture(base, tuple(Layer(str(n), BOXES[0], read) for n in range(9)), base).encode(format)
        assert most <= 2
