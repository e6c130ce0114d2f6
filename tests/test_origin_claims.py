"""What a picture claims of its origin is seen wherever it stands, and makes a result's label stronger, never weaker."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import overpaint
from overpaint import Mask, Studio
from overpaint.cli import main
from overpaint.doors.inputs import insert_from
from overpaint.geometry import Box, Size
from overpaint.picture import Metadata, Picture, encode, from_array, open_picture
from overpaint.picture.xmp import with_property
from overpaint.record import (
    Marking,
    Record,
    SourceType,
    declared_type,
    embed,
    joined_types,
    said_types,
    stated_origin,
    type_of_record,
)
from overpaint.server.compat.a1111.pictures import ready_inputs
from overpaint.session import Session
from test_provenance import LEARNED, WEIGHTS, classical, learned, packet, saying
from test_untouched import picture_of

SIZE = Size(96, 64)
MASK = Mask.box(SIZE, Box(30, 20, 50, 40))
TRAINED = SourceType.TRAINED_ALGORITHMIC_MEDIA
SYSTEM = "<I:AISystemUsed>Imagined 4</I:AISystemUsed>"
INFOTEXT = "a red car\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 96x64"
DC = "http://purl.org/dc/elements/1.1/"


def photo(format: str = "png", **metadata: object) -> bytes:
    return encode(replace(picture_of(SIZE, "rgb", 8), metadata=Metadata(**metadata)), format).data  # type: ignore[arg-type]


def with_segments(jpeg: bytes, *bodies: bytes) -> bytes:
    """A JPEG file with further APP1 segments at its beginning."""
    return jpeg[:2] + b"".join(struct.pack(">2sH", b"\xff\xe1", len(one) + 2) + one for one in bodies) + jpeg[2:]


def extended(jpeg: bytes, xmp: bytes, step: int = 65_400) -> bytes:
    """A JPEG file with Extended XMP (XMP, part 3, 1.1.3.1) of the packet, its last part first."""
    guid = hashlib.md5(xmp).hexdigest().upper().encode()
    head = b"http://ns.adobe.com/xmp/extension/\0" + guid + struct.pack(">I", len(xmp))
    main = packet("", f' xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="{guid.decode()}"')
    parts = [head + struct.pack(">I", at) + xmp[at : at + step] for at in range(0, len(xmp), step)]
    return with_segments(jpeg, b"http://ns.adobe.com/xap/1.0/\0" + main, *reversed(parts))


def gif(xmp: bytes) -> bytes:
    """A GIF file with XMP in an application extension, as Adobe writes it."""
    out = io.BytesIO()
    Image.fromarray(picture_of(SIZE, "rgb", 8).samples).quantize(16).save(out, "GIF")
    trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    return out.getvalue()[:-1] + b"\x21\xff\x0bXMP DataXMP" + xmp + trailer + b";"


def png_text(**texts: str) -> bytes:
    out, info = io.BytesIO(), PngInfo()
    for name, text in texts.items():
        info.add_text(name, text)
    Image.fromarray(picture_of(SIZE, "rgb", 8).samples).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def commented(text: str, format: str = "JPEG") -> bytes:
    """A file with a text in EXIF's UserComment, as AUTOMATIC1111 writes it into JPEG and WebP files."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + text.encode("utf-16-be")
    out = io.BytesIO()
    Image.fromarray(picture_of(SIZE, "rgb", 8).samples).save(out, format, exif=exif)
    return out.getvalue()


def second_packet(png: bytes, xmp: bytes) -> bytes:
    """A PNG file with XMP in ImageMagick's form behind the packet that it has."""
    body = b"Raw profile type xmp\0\0" + zlib.compress(b"\nxmp\n%8d\n%b\n" % (len(xmp), xmp.hex().encode()))
    chunk = b"zTXt" + body
    return png[:-12] + struct.pack(">I", len(body)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[-12:]


VALUE = f"<rdf:value>{TRAINED.uri}</rdf:value><dc:source>a qualifier</dc:source>"
AI_INPUTS = {
    "element": photo(xmp=saying(TRAINED)),
    "attribute": photo(xmp=packet("", f' I:DigitalSourceType="{TRAINED.uri}"')),
    "qualified": photo(xmp=packet(f'<I:DigitalSourceType rdf:parseType="Resource">{VALUE}</I:DigitalSourceType>')),
    "qualified in a description": photo(
        xmp=packet(f"<I:DigitalSourceType><rdf:Description>{VALUE}</rdf:Description></I:DigitalSourceType>")
    ),
    "qualified, as attributes": photo(
        xmp=packet(f'<I:DigitalSourceType rdf:value="{TRAINED.uri}" dc:source="a qualifier"/>')
    ),
    "Extended XMP": extended(photo("jpeg"), saying(TRAINED)),
    "Extended XMP in parts": extended(photo("jpeg"), saying(TRAINED).ljust(2000), step=100),
    "Extended XMP beyond what is parsed": extended(photo("jpeg"), saying(TRAINED) + b" " * (9 << 20) + b"<"),
    "a second packet of a JPEG file": with_segments(
        photo("jpeg"), *(b"http://ns.adobe.com/xap/1.0/\0" + one for one in (packet(""), saying(TRAINED)))
    ),
    "a second packet of a PNG file": second_packet(photo(xmp=saying("digitalCapture")), saying(TRAINED)),
    "GIF": gif(saying(TRAINED)),
    "a system alone": photo(xmp=packet(SYSTEM)),
    "a system as an attribute": photo(xmp=packet("", ' I:AISystemUsed="Imagined 4"')),
    "a system beside a camera's term": photo(
        xmp=packet(SYSTEM + "<I:DigitalSourceType>digitalCapture</I:DigitalSourceType>")
    ),
    "a system in a packet that can't be parsed": photo(xmp=packet(SYSTEM)[:-4]),
    "a prompt alone": photo(xmp=packet("<I:AIPromptInformation>a red car</I:AIPromptInformation>")),
    "a system in Extended XMP": extended(photo("jpeg"), packet(SYSTEM)),
    "AUTOMATIC1111, PNG": png_text(parameters=INFOTEXT),
    "AUTOMATIC1111, JPEG": commented(INFOTEXT),
    "AUTOMATIC1111, WebP": commented(INFOTEXT, "WEBP"),
    "ComfyUI": png_text(workflow='{"nodes": []}'),
    "NovelAI": png_text(Software="NovelAI", Description="a red car", Comment='{"steps": 28}'),
}


@pytest.mark.parametrize("data", AI_INPUTS.values(), ids=AI_INPUTS)
@pytest.mark.parametrize("format", ["png", "jpeg"])
def test_a_picture_that_names_generative_ai_keeps_the_name_through_an_edit_without_it(data, format):
    source = open_picture(data)
    rendered = overpaint.remove(source, MASK, engine="telea").render(format)
    said = declared_type(open_picture(rendered.data).metadata)
    expected = TRAINED if TRAINED in said_types(source) else SourceType(LEARNED)
    assert said is expected
    assert rendered.marks.source_type == said


@pytest.mark.parametrize(
    "data",
    [
        photo(),
        png_text(parameters="aperture f/8, tripod"),
        png_text(workflow="steps of the laboratory: a, b, c", Comment="a camera's"),
        commented("a person's own comment"),
        photo(xmp=packet("<I:AISystemUsed> </I:AISystemUsed><I:AIPromptInformation/>")),
        extended(photo("jpeg"), packet("<dc:title>a depth map</dc:title>")),
        gif(saying(SourceType.DIGITAL_CAPTURE)),
    ],
    ids=["plain", "own parameters", "own workflow", "comment", "empty texts", "other Extended XMP", "GIF"],
)
def test_a_picture_that_names_none_gets_no_such_label(data):
    said = overpaint.remove(open_picture(data), MASK, engine="telea").render("png").marks.source_type
    assert said == "humanEdits"


def test_our_own_classical_edits_stay_what_they_are_when_they_are_edited_again():
    """Their infotext has the form of AUTOMATIC1111's."""
    for format in ("png", "jpeg", "webp"):
        data = photo(format)
        for _ in range(2):
            data = overpaint.remove(open_picture(data), MASK, engine="telea").render(format).data
        assert declared_type(open_picture(data).metadata) is SourceType.HUMAN_EDITS


class TestWhatIsNotKeptIsCarriedOver:
    """Extended XMP and second packets are not written: what they say of the origin goes into the one that is."""

    def test_its_systems_stand_beside_our_own(self):
        source = open_picture(extended(photo("jpeg"), packet(SYSTEM)))
        assert stated_origin(source.metadata).system == "Imagined 4"
        with Studio() as studio:
            edited = studio.edit(source, mask=MASK, engine="telea", intent="remove")
        for format in ("jpeg", "png", "avif"):
            found = open_picture(edited.render(format).data).metadata
            assert stated_origin(found).system == "Imagined 4"
            assert not found.further_xmp

    def test_it_is_carried_over_when_provenance_is_switched_off(self):
        source = open_picture(extended(photo("jpeg"), saying(TRAINED)))
        rendered = overpaint.remove(source, MASK, engine="telea").render("jpeg", marking=Marking(mode="none"))
        assert declared_type(open_picture(rendered.data).metadata) is TRAINED
        assert rendered.marks.source_type == TRAINED

    def test_it_is_carried_over_when_a_session_without_a_step_is_exported_in_another_format(self, tmp_path):
        with Session.create(extended(photo("jpeg"), saying(TRAINED)), tmp_path / "s.overpaint") as session:
            for format in ("png", "jpeg"):
                rendered = session.flatten().render(format)
                assert declared_type(open_picture(rendered.data).metadata) is TRAINED
                assert rendered.marks.source_type == TRAINED

    def test_it_is_kept_where_the_rest_is_too_large_for_a_jpeg_file(self):
        large = with_property(packet(SYSTEM), DC, "title", "x" * 64_900, prefix="dc")
        source = open_picture(photo("png", xmp=large))
        rendered = overpaint.remove(source, MASK, engine="telea").render("jpeg")
        assert any("too large for a JPEG file" in note for note in rendered.notes)
        found = stated_origin(open_picture(rendered.data).metadata)
        assert (found.system, found.term) == ("Imagined 4", SourceType(LEARNED))


class TestRecordsOfTheInput:
    """A record within a file is written by anyone: it is believed where it says more, and not where it says less."""

    def said(self, record: Record, xmp: bytes | None = None) -> tuple[SourceType, ...]:
        metadata = embed(Metadata(xmp=xmp), record, "png")
        return said_types(Picture(np.zeros((8, 8, 3), np.uint8), metadata=metadata))

    @given(forged=st.sampled_from([*SourceType, "", "nonsense"]))
    def test_no_forged_source_type_hides_what_else_names_generative_ai(self, forged):
        by_prompt = learned(source_type=str(forged))
        plain = classical()
        by_weights = plain.model_copy(
            update={"resolved": plain.resolved.model_copy(update={"models": (WEIGHTS,)}), "source_type": str(forged)}
        )
        for made in (by_prompt, by_weights):
            assert type_of_record(made).generative
            for after in (made, plain.model_copy(update={"earlier": (made,)})):
                assert joined_types(self.said(after)).generative  # type: ignore[union-attr]
        nested = plain.model_copy(update={"earlier": (plain.model_copy(update={"earlier": (by_weights,)}),)})
        assert joined_types(self.said(nested)).generative  # type: ignore[union-attr]

    @given(forged=st.sampled_from(SourceType), declared=st.sampled_from(SourceType))
    def test_no_forged_record_lowers_what_the_xmp_says(self, forged, declared):
        made = classical().model_copy(update={"source_type": str(forged)})
        joined = joined_types(self.said(made, saying(declared)))
        assert joined is not None
        assert joined.generative >= declared.generative
        assert joined is joined_types([declared, SourceType.HUMAN_EDITS, forged]), "an edit is one by a human at least"


class TestThePicturePutIn:
    """A picture that is put in brings what it claims, by whatever door it comes."""

    @pytest.fixture(params=["Extended XMP", "AUTOMATIC1111, JPEG", "AUTOMATIC1111, PNG", "a system alone"])
    def thing(self, request) -> bytes:
        return AI_INPUTS[request.param]

    def test_in_python_and_by_the_doors_of_files(self, thing):
        picture = from_array(np.full((64, 96, 3), 90, np.uint8))
        with Studio() as studio:
            for put_in in (thing, insert_from(thing, None, SIZE)):
                made = studio.edit(picture, mask=MASK, engine="cutout", intent="add", insert=(put_in, MASK))
                assert made.source_type is SourceType.COMPOSITE_SYNTHETIC

    def test_in_a_session_it_is_not_forgotten_when_the_step_is_painted_again(self, thing, tmp_path):
        picture = from_array(np.full((64, 96, 3), 90, np.uint8))
        with Session.create(picture, tmp_path / "s.overpaint") as session:
            session.edit(mask=MASK, engine="cutout", intent="add", insert=(thing, MASK))
            session.rerun(1, feather=1.0)
            assert session.flatten().render("png").marks.source_type == "compositeSynthetic"
            session.rerun(1, insert=(np.full((20, 20, 3), 200, np.uint8), Mask.box(Size(20, 20), Box(5, 5, 15, 15))))
            assert session.flatten().render("png").marks.source_type == "composite", "another picture is put in"


@pytest.mark.parametrize("data", AI_INPUTS.values(), ids=AI_INPUTS)
def test_a_picture_that_the_server_resizes_before_the_edit_keeps_its_claim(data):
    """As A1111's img2img does where width and height are other ones than the picture's."""
    resized = ready_inputs(data, None, None, Size(48, 32), 0, None).picture  # type: ignore[arg-type]
    assert resized is not None
    expected = joined_types(said_types(open_picture(data)))
    assert joined_types(said_types(open_picture(resized))) is expected


def test_show_says_in_words_where_generative_ai_is_named(tmp_path, capsys):
    for name, words in {
        "a system alone": "its XMP names an AI system or a prompt",
        "AUTOMATIC1111, PNG": "generation parameters of AUTOMATIC1111",
        "Extended XMP": "the file says that generative AI made it or a part of it",
        "GIF": "the file says that generative AI made it or a part of it",
    }.items():
        (tmp_path / "in").write_bytes(AI_INPUTS[name])
        assert main(["provenance", "show", str(tmp_path / "in")]) == 0
        assert words in " ".join(capsys.readouterr().out.split())
