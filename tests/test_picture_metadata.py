"""Metadata survive every format that can hold them, and show nothing any more of what an edit removes."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from defusedxml import ElementTree
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, TiffImagePlugin

from overpaint.geometry import Size
from overpaint.picture import Metadata, Picture, encode, exif, from_array, from_pil, iptc, open_picture, xmp
from overpaint.picture.ifd import TagBlock
from overpaint.picture.orient import displayed, stored

FORMATS = ("png", "jpeg", "webp", "tiff", "avif")
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
JPEG = io.BytesIO()
Image.new("RGB", (16, 16), (200, 30, 30)).save(JPEG, "JPEG")
THUMBNAIL = JPEG.getvalue()
XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/png"><dc:creator>Müller &amp; Co</dc:creator>'
    '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
).encode()


def exif_block(order: str = ">", orientation: int = 6, thumbnail: bytes = THUMBNAIL, note: bytes = b"") -> bytes:
    """A camera's block: IFD0 with make and orientation, Exif IFD with a maker note, IFD1 with a thumbnail."""
    p = lambda form, *v: struct.pack(order + form, *v)  # noqa: E731
    note = note or b"Maker\0offsets\0" + bytes(range(1, 60))
    ifd0, sub = 8, 8 + 2 + 4 * 12 + 4
    make_at = sub + 2 + 2 * 12 + 4
    note_at = make_at + 12
    ifd1 = note_at + len(note) + len(note) % 2
    thumb_at = ifd1 + 2 + 3 * 12 + 4
    out = (b"MM\0*" if order == ">" else b"II*\0") + p("I", ifd0)
    out += p("H", 4) + p("HHII", 0x010F, 2, 12, make_at) + p("HHIHH", 0x0112, 3, 1, orientation, 0)
    out += p("HHIHH", 0x0128, 3, 1, 2, 0) + p("HHII", 0x8769, 4, 1, sub) + p("I", ifd1)
    out += p("H", 2) + p("HHII", 0x927C, 7, len(note), note_at) + p("HHIHH", 0xA001, 3, 1, 1, 0) + p("I", 0)
    out += b"Example Inc\0" + note + b"\0" * (len(note) % 2)
    out += p("H", 3) + p("HHIHH", 0x0103, 3, 1, 6, 0) + p("HHII", 0x0201, 4, 1, thumb_at)
    out += p("HHII", 0x0202, 4, 1, len(thumbnail)) + p("I", 0)
    assert len(out) == thumb_at
    return out + thumbnail


def with_metadata(alpha: bool = False) -> Picture:
    values = np.random.default_rng(0).integers(0, 256, (12, 20, 4 if alpha else 3), dtype=np.uint8)
    block, _ = exif.sanitised(exif_block(orientation=1))
    resources = iptc.from_records(b"\x1c\x02\x78\0\x05hello")
    metadata = Metadata(icc=ICC, exif=block, xmp=XMP, iptc=resources, dpi=(300.0, 240.0), text={"Title": "A title"})
    picture = from_array(values)
    return Picture(picture.samples, picture.alpha, picture.colour, metadata)


@pytest.mark.parametrize("format", FORMATS)
def test_metadata_survive(format: str) -> None:
    picture = with_metadata()
    encoded = encode(picture, format)
    found = open_picture(encoded.data).metadata
    assert found.icc == picture.metadata.icc
    assert found.xmp == picture.metadata.xmp
    if format != "tiff":  # which has directories of its own
        assert found.exif == picture.metadata.exif
    if format in ("png", "jpeg", "tiff"):
        assert found.iptc == picture.metadata.iptc
        assert found.dpi == pytest.approx((300, 240), abs=0.02)
    else:
        assert any("IPTC left out" in note for note in encoded.notes)
    assert (found.text == {"Title": "A title"}) == (format == "png")
    assert any("text left out: Title;" in note for note in encoded.notes) == (format != "png")


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_file_keeps_what_exif_tells_and_keeps_it_again(order: str) -> None:
    block, _ = exif.sanitised(exif_block(order, 1))
    picture = from_array(np.zeros((4, 4, 3), np.uint16))
    picture = Picture(picture.samples, None, picture.colour, Metadata(exif=block))
    once = open_picture(encode(picture, "tiff").data)
    tags = Image.Exif()
    tags.load(once.metadata.exif)
    assert tags[0x010F] == "Example Inc"
    inner = tags.get_ifd(0x8769)
    assert inner[0x927C] == b"Maker\0offsets\0" + bytes(range(1, 60))
    assert inner[0xA001] == 1
    assert open_picture(encode(once, "tiff").data).metadata.exif == once.metadata.exif
    assert Image.open(io.BytesIO(encode(once, "tiff").data)).getexif()[0x010F] == "Example Inc"


@pytest.mark.parametrize("format", FORMATS)
def test_other_readers_find_profile_and_xmp(format: str) -> None:
    image = Image.open(io.BytesIO(encode(with_metadata(), format).data))
    image.load()
    assert image.info["icc_profile"] == ICC
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or image.tag_v2[700]
    assert "Müller" in (packet.decode() if isinstance(packet, bytes) else packet)
    if format != "avif":
        assert image.getexif()[0x010F] == "Example Inc"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_orientation_is_applied_once_in_every_format(format: str, orientation: int) -> None:
    values = np.zeros((16, 32), np.uint8)
    values[:8, :8], values[:8, 8:] = 255, 128
    tags = Image.Exif()
    tags[0x0112] = orientation
    out = io.BytesIO()
    how = {"lossless": True} if format == "WEBP" else {"quality": 100} if format != "PNG" else {}
    Image.fromarray(values).convert("RGB").save(out, format, exif=tags, **how)
    picture = open_picture(out.getvalue())
    wanted = displayed(values, orientation)
    assert np.abs(picture.samples[..., 0].astype(int) - wanted).max() <= 8
    assert picture.source.orientation == orientation
    assert exif.orientation_of(picture.metadata.exif) == 1
    again = open_picture(encode(picture, "png").data)
    np.testing.assert_array_equal(again.samples, picture.samples)
    assert again.source.orientation == 1


ORIENTED = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"{}</rdf:Description></rdf:RDF></x:xmpmeta>'
)


@pytest.mark.parametrize("form", [' tiff:Orientation="{}">', "><tiff:Orientation> {} </tiff:Orientation>"])
@pytest.mark.parametrize("quality", [None, 90])
@pytest.mark.parametrize("format", FORMATS)
def test_exif_and_xmp_of_a_saved_file_agree_on_its_orientation(format: str, quality: int | None, form: str) -> None:
    if quality is not None and format in ("png", "tiff"):
        pytest.skip("no quality")
    tags = Image.Exif()
    tags[0x0112] = 6
    packet = ORIENTED.format(form.format(6)).encode()
    out = io.BytesIO()
    Image.new("RGB", (32, 24)).save(out, "JPEG", exif=tags, xmp=packet)
    data = encode(open_picture(out.getvalue()), format, quality=quality).data
    stored = Image.open(io.BytesIO(data))
    by_xmp = ElementTree.fromstring(stored.info.get("xmp") or stored.info.get("XML:com.adobe.xmp"))
    place = "{http://ns.adobe.com/tiff/1.0/}Orientation"
    found = [e.get(place) or e.findtext(place) for e in by_xmp.iter() if e.get(place) or e.find(place) is not None]
    kept = format == "jpeg" and quality is None  # blocks carried over stay as they were stored
    assert [stored.getexif().get(0x0112, 1), *(int(text) for text in found)] == ([6, 6] if kept else [1, 1])
    assert open_picture(data).size == Size(24, 32)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_agrees_with_pillow_and_has_a_way_back(orientation: int) -> None:
    values = np.arange(6, dtype=np.uint8).reshape(2, 3)
    tags = Image.Exif()
    tags[0x0112] = orientation
    out = io.BytesIO()
    Image.fromarray(values).save(out, "PNG", exif=tags)
    from PIL import ImageOps

    np.testing.assert_array_equal(
        displayed(values, orientation), np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(out.getvalue()))))
    )
    np.testing.assert_array_equal(stored(displayed(values, orientation), orientation), values)


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_keeps_every_byte_but_orientation_and_thumbnail(order: str) -> None:
    block = exif_block(order)
    found, orientation = exif.sanitised(b"Exif\0\0" + block)
    assert orientation == 6
    assert len(found) == len(block)
    different = [i for i in range(len(block)) if block[i] != found[i]]
    entry = block.index(struct.pack(order + "HHI", 0x0112, 3, 1)) + 8
    link = 8 + 2 + 4 * 12
    thumbnail = block.index(THUMBNAIL)
    assert set(different) <= {entry, entry + 1, *range(link, link + 4), *range(thumbnail, len(block))}
    assert b"\xff\xd8\xff" not in found
    assert exif.orientation_of(found) == 1
    assert exif.sanitised(found) == (found, 1)


def test_previews_inside_maker_notes_are_blanked_and_the_rest_of_the_note_stays() -> None:
    note = b"Maker\0" + b"\x11" * 20 + THUMBNAIL + b"\x22" * 20
    found, _ = exif.sanitised(exif_block(note=note))
    assert b"\xff\xd8\xff" not in found
    assert b"\x11" * 20 + bytes(len(THUMBNAIL)) + b"\x22" * 20 in found
    cut = b"Maker\0" + b"\x11" * 20 + THUMBNAIL[:300]  # its end is missing: the rest of the note goes
    found, _ = exif.sanitised(exif_block(note=cut))
    assert b"\xff\xd8\xff" not in found
    assert b"\x11" * 20 + bytes(300) in found


def test_a_directory_within_the_header_of_exif_is_none() -> None:
    assert exif.sanitised(b"MM\0*\0\0\0\4\0\0") == (None, 1)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_damaged_exif_never_raises_and_cleaning_is_done_once(data: st.DataObject) -> None:
    block = bytearray(exif_block(data.draw(st.sampled_from("<>"))))
    for _ in range(data.draw(st.integers(0, 6))):
        block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    broken = bytes(block[: data.draw(st.integers(0, len(block)))])
    found, orientation = exif.sanitised(broken)
    assert 1 <= orientation <= 8
    if found is not None:
        assert exif.sanitised(found) == (found, 1)
        assert exif.user_comment(exif.with_user_comment(found, "fine")) == "fine"


COMMENTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=200)


@settings(deadline=None, max_examples=80)
@given(COMMENTS, COMMENTS, st.sampled_from("<>"))
def test_a_comment_is_read_back_and_leaves_the_rest_alone(first: str, second: str, order: str) -> None:
    block, _ = exif.sanitised(exif_block(order))
    once = exif.with_user_comment(block, first)
    assert exif.with_user_comment(once, first) == once
    twice = exif.with_user_comment(once, second)
    assert len(twice) <= len(block) + len(second.encode("utf-16-be")) + 10 + 80
    for found, text in ((once, first), (twice, second)):
        assert exif.user_comment(found) == text
        tags = Image.Exif()
        tags.load(found)
        assert tags[0x010F] == "Example Inc"
        assert tags.get_ifd(0x8769)[0x927C] == b"Maker\0offsets\0" + bytes(range(1, 60))
        note = block.index(b"Maker\0offsets")
        assert found[note : note + 74] == block[note : note + 74]


@pytest.mark.parametrize(
    "text",
    ["parameters\nSteps: 20, Sampler: Euler a", "Grüße, ñandú", "夕焼けの海", "一", "Привет 🌊 emoji", "a" * 100_000],
)
def test_comments_of_every_script_come_back(text: str) -> None:
    block = exif.with_user_comment(None, text)
    assert exif.user_comment(block) == text
    tags = Image.Exif()
    tags.load(block)
    assert tags.get_ifd(0x8769)[0x9286][:8] in (b"ASCII\0\0\0", b"UNICODE\0")
    replaced = exif.with_user_comment(block, "short")
    assert exif.user_comment(replaced) == "short"
    assert len(replaced) < 100  # the earlier text is gone, not only unlinked


def test_a_lone_surrogate_does_not_stop_a_comment() -> None:
    assert exif.user_comment(exif.with_user_comment(None, "bad \ud800 half")) == "bad ? half"


def test_little_endian_comments_by_other_writers_are_read() -> None:
    block = exif.with_user_comment(None, "höhe")
    other = block.replace("höhe".encode("utf-16-be"), "höhe".encode("utf-16-le"))
    assert exif.user_comment(other) == "höhe"


@pytest.mark.parametrize("block", [None, b"", b"garbage", exif_block()])
def test_an_orientation_can_be_put_into_any_block(block: bytes | None) -> None:
    clean = exif.sanitised(block)[0] if block else None
    found = exif.with_orientation(clean, 8)
    assert exif.orientation_of(found) == 8
    assert exif.orientation_of(exif.with_orientation(found, 1)) == 1


def test_an_added_tag_leaves_the_link_to_the_next_directory() -> None:
    """A block that was not cleaned, without an orientation: IFD0 is written anew, and IFD1 is still found."""
    order = ">"
    block = exif_block(order).replace(
        struct.pack(order + "HHI", 0x0112, 3, 1), struct.pack(order + "HHI", 0x0113, 3, 1)
    )
    found = exif.with_orientation(block, 3)
    assert exif.orientation_of(found) == 3
    _, thumbnail = TagBlock(found).chain(TagBlock(found).first)
    assert set(thumbnail.entries) == {0x0103, 0x0201, 0x0202}


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def pixels_per_metre(across: int) -> bytes:
    return chunk(b"pHYs", struct.pack(">IIB", across, across, 1))


def png_with(*chunks: bytes) -> Picture:
    plain = encode(from_array(np.zeros((2, 4), np.uint8)), "png").data
    return open_picture(plain[:33] + b"".join(chunks) + plain[33:])


@pytest.mark.parametrize("length", [0, 1, 8, 10])
def test_a_resolution_of_another_length_is_left_out(length: int) -> None:
    damaged = chunk(b"pHYs", struct.pack(">IIB", 5000, 5000, 1).ljust(length, b"\1")[:length])
    assert png_with(damaged).metadata.dpi is None
    assert png_with(damaged, pixels_per_metre(10_000)).metadata.dpi == (254, 254)


def test_the_first_of_equal_png_chunks_counts() -> None:
    assert png_with(pixels_per_metre(10_000), pixels_per_metre(5000)).metadata.dpi == (254, 254)
    upright, turned = (exif_block("<", orientation) for orientation in (1, 6))
    assert png_with(chunk(b"eXIf", turned), chunk(b"eXIf", upright)).source.orientation == 6
    assert png_with(chunk(b"eXIf", upright), chunk(b"eXIf", turned)).source.orientation == 1


def test_the_first_of_equal_webp_chunks_counts() -> None:
    out = io.BytesIO()
    Image.new("RGB", (4, 2)).save(out, "WEBP", exif=exif_block("<", 6), lossless=True)
    block = exif_block("<", 3)
    more = b"EXIF" + struct.pack("<I", len(block)) + block + b"\0" * (len(block) % 2)
    data = bytearray(out.getvalue() + more)
    struct.pack_into("<I", data, 4, len(data) - 8)
    assert open_picture(bytes(data)).source.orientation == 6


@pytest.mark.parametrize("stray", [b"\xff\x01", b"\xff\x00", b"\xff\xd0", b"\xff\xff"])
def test_markers_without_a_length_between_the_segments_of_a_jpeg_file_are_passed_over(stray: bytes) -> None:
    out = io.BytesIO()
    values = np.arange(128, dtype=np.uint8).reshape(8, 16)
    Image.fromarray(values).save(out, "JPEG", exif=b"Exif\0\0" + exif_block("<", 6))
    data = out.getvalue()
    assert data[2:4] == b"\xff\xe0"
    behind = 4 + struct.unpack_from(">H", data, 4)[0]
    picture = open_picture(data[:behind] + stray + data[behind:])
    assert picture.source.orientation == 6
    np.testing.assert_array_equal(picture.samples, open_picture(data).samples)


# --- XMP and IPTC -------------------------------------------------------------------------------------------------

NAMESPACE = "https://example.org/ns/1.0/"


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300), st.sampled_from([None, XMP, b"<broken"]))
def test_a_property_is_read_back_and_setting_it_again_replaces_it(value: str, packet: bytes | None) -> None:
    legal = all(ord(c) not in (0xFFFE, 0xFFFF) for c in value)
    once = xmp.with_property(packet, NAMESPACE, "record", value)
    if legal:
        assert xmp.read_property(once, NAMESPACE, "record") == value
    assert xmp.with_property(once, NAMESPACE, "record", value) == once
    other = xmp.with_property(once, NAMESPACE, "record", "other")
    assert xmp.read_property(other, NAMESPACE, "record") == "other"
    if packet == XMP:
        assert xmp.read_property(other, "http://purl.org/dc/elements/1.1/", "creator") == "Müller & Co"
        assert xmp.read_property(other, "http://purl.org/dc/elements/1.1/", "format") == "image/png"
        assert XMP[: XMP.index(b"</rdf:RDF>")] == other[: XMP.index(b"</rdf:RDF>")]


def test_line_breaks_and_tabs_survive_in_a_property() -> None:
    text = "a\n\tb\r\n\"quoted\" <tag> & 'more' ]]> "
    assert xmp.read_property(xmp.with_property(None, NAMESPACE, "x", text), NAMESPACE, "x") == text


def test_pictures_and_gain_maps_are_cut_out_of_xmp_and_nothing_else() -> None:
    picture = "/9j/4AAQSkZJRg" * 30
    kept = "<dc:creator>Someone</dc:creator>"
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:xmpGImg="http://ns.adobe.com/xap/1.0/g/img/"'
        ' xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
        ' xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" xmlns:GImage="http://ns.google.com/photos/1.0/image/"'
        ' hdrgm:Version="1.0" tiff:Orientation="6" GCamera:MotionPhoto="1" xmp:CreatorTool="Phone">'
        "<xmp:Thumbnails><rdf:Alt><rdf:li rdf:parseType='Resource'>"
        f"<xmpGImg:image>{picture}</xmpGImg:image></rdf:li></rdf:Alt></xmp:Thumbnails>"
        f"<GImage:Data>{picture}</GImage:Data>{kept}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()
    found = xmp.sanitised(packet)
    for gone in (b"/9j/", b"hdrgm:Version", b"MotionPhoto=", b'Orientation="6"'):
        assert gone not in found
    assert kept.encode() in found
    assert xmp.read_property(found, "http://ns.adobe.com/xap/1.0/", "CreatorTool") == "Phone"
    assert xmp.read_property(found, "http://ns.adobe.com/tiff/1.0/", "Orientation") == "1"
    assert xmp.sanitised(found) == found


@pytest.mark.parametrize(
    ("packet", "kept"),
    [
        (b"<a><b></a>", True),
        (b"<a>/9j/4AAQ", False),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', True),
        (b"\xff\xfe<\0a\0/\0>\0", True),
        (b"   ", False),
    ],
)
def test_xmp_that_cannot_be_parsed_stays_unless_it_may_hold_a_picture(packet: bytes, kept: bool) -> None:
    assert xmp.sanitised(packet) == (packet if kept else None)
    assert xmp.read_property(packet, "", "b") is None


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60), st.integers(0, len(XMP)))
def test_damaged_xmp_never_raises(noise: bytes, at: int) -> None:
    broken = XMP[:at] + noise + XMP[at + len(noise) :]
    found = xmp.sanitised(broken)
    assert found is None or xmp.sanitised(found) == found
    assert xmp.read_property(xmp.with_property(broken, NAMESPACE, "x", "y"), NAMESPACE, "x") == "y"


def test_entity_bombs_are_not_expanded() -> None:
    lines = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12))
    bomb = f'<!DOCTYPE a [<!ENTITY e0 "x">{lines}]><a>&e11;</a>'.encode()
    assert xmp.read_property(bomb, "", "a") is None


def test_photoshop_thumbnails_are_dropped_and_other_resources_stay() -> None:
    caption = iptc.from_records(b"\x1c\x02\x78\0\x05hello")

    def resource(number: int, body: bytes) -> bytes:
        return struct.pack(">4sH2xI", b"8BIM", number, len(body)) + body + b"\0" * (len(body) % 2)

    block = resource(1036, bytes(28) + THUMBNAIL) + caption + resource(1033, THUMBNAIL) + resource(1005, bytes(16))
    assert iptc.without_thumbnails(block) == caption + resource(1005, bytes(16))
    assert iptc.without_thumbnails(resource(1036, THUMBNAIL)) is None
    assert iptc.without_thumbnails(block[:-3]) is None


@pytest.mark.parametrize("format", FORMATS)
def test_no_preview_of_the_original_is_left_in_a_saved_file(format: str) -> None:
    note = b"Maker\0" + THUMBNAIL
    image = Image.new("RGB", (32, 24), (10, 90, 10))
    out = io.BytesIO()
    second = Image.new("RGB", (32, 24), (200, 30, 30))
    image.save(
        out, "MPO", save_all=True, append_images=[second], exif=b"Exif\0\0" + exif_block(orientation=1, note=note)
    )
    assert out.getvalue().count(b"\xff\xd8\xff") > 3
    data = encode(open_picture(out.getvalue()), format).data
    assert data.count(b"\xff\xd8\xff") == (1 if format == "jpeg" else 0)


def test_raw_profiles_that_imagemagick_writes_are_read() -> None:
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    block = b"Exif\0\0" + exif_block()
    digits = block.hex()
    lines = "\n".join(digits[i : i + 72] for i in range(0, len(digits), 72))
    info.add_text("Raw profile type exif", f"\nexif\n{len(block):8d}\n{lines}\n", zip=True)
    info.add_itxt("Comment", "Grüße aus 東京")
    out = io.BytesIO()
    Image.new("L", (4, 2)).save(out, "PNG", pnginfo=info)
    picture = open_picture(out.getvalue())
    assert picture.source.orientation == 6
    assert (picture.size.width, picture.size.height) == (2, 4)
    assert dict(picture.metadata.text) == {"Comment": "Grüße aus 東京"}


def test_the_comment_of_a_jpeg_file_stays() -> None:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "JPEG", comment="Grüße".encode())
    picture = open_picture(out.getvalue())
    for format in ("jpeg", "png"):
        encoded = encode(picture, format)
        assert dict(open_picture(encoded.data).metadata.text) == {"Comment": "Grüße"}
        assert not any("left out" in note for note in encoded.notes)


def test_large_profiles_and_too_large_blocks_in_jpeg() -> None:
    big = ICC[:128] + bytes(200_000)
    picture = from_array(np.zeros((8, 8, 3), np.uint8))
    metadata = Metadata(icc=big, xmp=XMP.replace(b"Co</dc", b"C" + b"o" * 70_000 + b"</dc"))
    encoded = encode(Picture(picture.samples, None, picture.colour, metadata), "jpeg")
    assert open_picture(encoded.data).metadata.icc == big
    assert Image.open(io.BytesIO(encoded.data)).info["icc_profile"] == big
    assert any("XMP left out" in note for note in encoded.notes)


def test_tiff_tags_of_other_writers() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[274], tags[271], tags[700] = 3, "Scanner", XMP
    out = io.BytesIO()
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(out, "TIFF", tiffinfo=tags, dpi=(200, 100))
    picture = open_picture(out.getvalue())
    assert picture.samples[0, 0, 0] == 11
    assert picture.source.orientation == 3
    assert picture.metadata.dpi == pytest.approx((200, 100))
    assert picture.metadata.xmp == XMP


def test_a_pillow_image_brings_its_metadata() -> None:
    out = io.BytesIO()
    Image.new("RGB", (4, 2)).save(out, "JPEG", exif=b"Exif\0\0" + exif_block(), icc_profile=ICC, dpi=(72, 72))
    picture = from_pil(Image.open(io.BytesIO(out.getvalue())))
    assert (picture.size.width, picture.size.height) == (2, 4)
    assert picture.metadata.icc == ICC
    assert exif.orientation_of(picture.metadata.exif) == 1


def test_exif_of_a_real_file_is_not_needed(tmp_path: Path) -> None:
    path = tmp_path / "plain.png"
    cv2.imwrite(str(path), np.zeros((2, 2, 3), np.uint8))
    assert open_picture(path).metadata == Metadata()
