"""Manifest stores of C2PA are found in files, and taken out of those that keep every other byte."""

from __future__ import annotations

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from overpaint.picture import encode, from_array
from overpaint.picture.c2pa_store import holds_manifest, manifest_address, without_manifest
from overpaint.picture.png import chunk
from overpaint.picture.xmp import with_property

STORE = bytes.fromhex("6a756d64") + b"c2pa" + bytes(range(256)) * 300  # a JUMBF description box, 77 kB


def plain(format: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    return encode(from_array(pixels), format).data


def with_store(data: bytes, format: str, store: bytes = STORE) -> bytes:
    """A file with something where a manifest store is."""
    if format == "png":
        return data[:33] + chunk(b"caBX", store) + data[33:]
    if format == "webp":
        part = b"C2PA" + struct.pack("<I", len(store)) + store + b"\0" * (len(store) % 2)
        return data[:4] + struct.pack("<I", len(data) - 8 + len(part)) + data[8:] + part
    if format == "jpeg":
        parts = b""
        head = struct.pack(">I", len(store) + 8) + b"jumb"
        body = struct.pack(">I", len(store)) + store  # length of the description box, its type, its content
        for number, at in enumerate(range(0, len(body), 60_000), 1):
            one = b"JP" + struct.pack(">HI", 0x211, number) + head + body[at : at + 60_000]
            parts += struct.pack(">BBH", 0xFF, 0xEB, len(one) + 2) + one
        return data[:2] + parts + data[2:]
    if format == "avif":
        body = bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + store
        return data + struct.pack(">I", len(body) + 8) + b"uuid" + body
    image, out = Image.open(io.BytesIO(data)), io.BytesIO()
    tags = Image.Exif()
    tags[52545] = store
    image.save(out, "TIFF", tiffinfo=tags)
    return out.getvalue()


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "tiff", "avif"])
def test_a_store_is_found_where_there_is_one(format):
    data = plain(format)
    assert not holds_manifest(data, format)
    assert holds_manifest(with_store(data, format), format)


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("length", [len(STORE), len(STORE) - 1])
def test_without_its_store_a_file_has_every_other_byte(format, length):
    data = plain(format)
    assert without_manifest(with_store(data, format, STORE[:length]), format) == data
    assert without_manifest(data, format) == data


def test_other_boxes_of_a_jpeg_file_are_no_manifest():
    data = plain("jpeg")
    other = with_store(data, "jpeg", STORE.replace(b"c2pa", b"json", 1))
    assert not holds_manifest(other, "jpeg")
    assert without_manifest(other, "jpeg") == other


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "tiff", "avif", "gif", "bmp", None])
def test_damaged_files_raise_nothing(format):
    whole = with_store(plain(format), format) if format in ("png", "jpeg", "webp", "tiff", "avif") else b"GIF89a" * 9
    for end in range(0, min(len(whole), 200), 7):
        assert isinstance(holds_manifest(whole[:end], format), bool)
        assert isinstance(without_manifest(whole[:end], format), bytes)


def test_the_address_of_a_manifest_is_read_from_xmp():
    picture = from_array(np.zeros((2, 2, 3), np.uint8))
    assert manifest_address(picture.metadata) == ""
    packet = with_property(None, "http://purl.org/dc/terms/", "provenance", "https://example.org/m.c2pa")
    assert manifest_address(replace(picture.metadata, xmp=packet)) == "https://example.org/m.c2pa"
