"""Every result says in XMP where its pixels came from; what the original said of itself is never weakened or lost."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import shutil
import subprocess
import time
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import overpaint
from overpaint import Mask, Studio
from overpaint.audit import replay
from overpaint.cli import main
from overpaint.engines import EngineCard
from overpaint.geometry import Box, Size
from overpaint.picture import Metadata, Picture, encode, from_array, open_picture
from overpaint.picture.xmp import read_property, read_values, sanitised, with_property
from overpaint.record import (
    EditStatement,
    Marking,
    Record,
    SourceType,
    declared_type,
    joined_types,
    provenance_of,
    read_record,
    source_type_named,
    stated_origin,
    type_of_edit,
    type_of_record,
    with_statement,
)
from overpaint.record.provenance import IPTC_EXTENSION
from overpaint.request import UsedModel
from overpaint.values import digest_of
from stand_ins import flat, noise
from test_record_infotext import record
from test_untouched import picture_of

SIZE = Size(96, 64)
MASK = Mask.box(SIZE, Box(30, 20, 50, 40))
FORMATS = {"png": "png", "jpeg": "jpg", "webp": "webp", "tiff": "tif", "avif": "avif"}
LEARNED = "compositeWithTrainedAlgorithmicMedia"
LEARNED_CARD = EngineCard(name="stand-in", title="", samples=True, accepts=frozenset({"seed"}))
WEIGHTS = UsedModel(role="checkpoint", name="/home/someone/models/toy.safetensors", sha256="0" * 64)

types = st.sampled_from(SourceType)


def packet(body: str, attributes: str = "") -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:I="{IPTC_EXTENSION}" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"{attributes}>{body}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


def saying(term: SourceType | str) -> bytes:
    return packet(f"<I:DigitalSourceType>{getattr(term, 'uri', term)}</I:DigitalSourceType>")


def classical() -> Record:
    """The record of an edit without generative AI."""
    return record(EngineCard(name="telea", title=""), "telea", intent="remove", prompt=None)


def learned(**changes: object) -> Record:
    made = record(prompt="a bench")
    return made.model_copy(update={"source_type": LEARNED, **changes})


USUAL = Marking()


def marked(xmp: bytes | None, made: Record, marking: Marking = USUAL, format: str = "png"):
    metadata = Metadata(xmp=xmp)
    picture = Picture(np.zeros((4, 4, 3), np.uint8), metadata=metadata)
    return with_statement(metadata, provenance_of(EditStatement.of_records([made]), picture, marking), marking, format)


def as_before_painted_from(path: Path) -> None:
    """Change a session's takes to what an older version wrote: their records do not say what was seen."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    looks: dict[str, str] = {}
    previous = hashlib.sha256(files["session.json"]).hexdigest()
    for name in sorted(name for name in files if name.startswith("journal/")):
        entry = json.loads(files[name])
        entry["previous"] = previous
        for place, digest in enumerate(entry["action"].get("takes", [])):
            take = json.loads(files.pop(f"blobs/{digest}"))
            take["record"].pop("painted_from", None)
            for seen in take["saw"]:
                seen["paint"] = looks[seen["paint"]]
            data = json.dumps(take).encode()
            new = hashlib.sha256(data).hexdigest()
            files[f"blobs/{new}"] = data
            entry["action"]["takes"][place] = new
            looks[digest_of([digest, 1.0, None])] = digest_of([new, 1.0, None])
        files[name] = json.dumps(entry).encode()
        previous = hashlib.sha256(files[name]).hexdigest()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


class TestTheVocabulary:
    def test_terms_are_known_by_uri_code_and_name(self):
        for term in SourceType:
            for text in (term.uri, term.uri.replace("http:", "https:"), f"digsrctype:{term}", str(term), f" {term} "):
                assert source_type_named(text) is term
            assert term.meaning
        for text in (None, "", "else", "http://example.org/humanEdits", "http://c2pa.org/digitalsourcetype/empty"):
            assert source_type_named(text) is None

    def test_learned_engines_say_generative_ai_and_no_other_does(self):
        assert [str(type_of_edit(learned=True, puts_in=put)) for put in (False, True)] == [LEARNED] * 2
        assert not type_of_edit(learned=False, puts_in=False).generative
        assert not type_of_edit(learned=False, puts_in=True).generative

    def test_a_joint_statement_hides_no_generative_ai_whenever_it_is_joined(self):
        for said in itertools.product(SourceType, repeat=3):
            joined = joined_types(said)
            assert joined is not None
            assert joined.generative == any(one.generative for one in said)
            if SourceType.TRAINED_ALGORITHMIC_MEDIA in said:
                assert joined is SourceType.TRAINED_ALGORITHMIC_MEDIA
            assert joined_types([joined, *said]) is joined, "edits that are told twice change nothing"
            early = joined_types(said[:2])
            assert early is not None
            assert joined_types([early, said[2]]) is joined, "nor does a file between them"

    def test_examples(self):
        capture, made = SourceType.DIGITAL_CAPTURE, SourceType(LEARNED)
        assert joined_types([]) is None
        assert joined_types([capture, SourceType.HUMAN_EDITS]) is SourceType.HUMAN_EDITS
        assert joined_types([capture, made, SourceType.HUMAN_EDITS]) is made
        assert joined_types([made, SourceType.COMPOSITE]) is SourceType.COMPOSITE_SYNTHETIC
        assert joined_types([SourceType.VIRTUAL_RECORDING, SourceType.HUMAN_EDITS]) is SourceType.VIRTUAL_RECORDING


class TestTheStatementInXmp:
    @given(
        xmp=st.none() | types.map(saying),
        title=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20),
        generative=st.booleans(),
    )
    def test_what_the_original_says_stays_or_becomes_stronger_and_everything_else_stays(self, xmp, title, generative):
        dc = "http://purl.org/dc/elements/1.1/"
        xmp = with_property(xmp, dc, "title", title, prefix="dc")
        before = declared_type(Metadata(xmp=xmp))
        made = learned() if generative else classical()
        once = marked(xmp, made).metadata
        assert read_property(once.xmp, dc, "title") == read_property(xmp, dc, "title")
        after = declared_type(once)
        own = SourceType(LEARNED) if generative else SourceType.HUMAN_EDITS
        assert after is joined_types([one for one in (before, own) if one is not None])
        assert len(read_values(once.xmp, (IPTC_EXTENSION, "DigitalSourceType"))[0]) == 1
        origin = stated_origin(once)
        assert origin.original_type == ("" if before in (None, after) else before)
        assert bool(origin.system) == generative
        assert marked(once.xmp, made).metadata.xmp == once.xmp, "a second time changes nothing"

    @pytest.mark.parametrize(
        "xmp",
        [
            packet("", f' I:DigitalSourceType="{SourceType.TRAINED_ALGORITHMIC_MEDIA.uri}"'),
            packet(f'<I:DigitalSourceType rdf:resource="{SourceType.TRAINED_ALGORITHMIC_MEDIA.uri}"/>'),
            packet(
                "<I:DigitalSourceType><rdf:Bag><rdf:li>digitalCapture</rdf:li>"
                "<rdf:li>trainedAlgorithmicMedia</rdf:li></rdf:Bag></I:DigitalSourceType>"
            ),
            saying(SourceType.TRAINED_ALGORITHMIC_MEDIA).decode().encode("utf-16"),
        ],
        ids=["attribute", "reference", "list", "utf-16"],
    )
    def test_it_is_read_in_every_form_that_a_packet_may_give_it(self, xmp):
        assert declared_type(Metadata(xmp=xmp)) is SourceType.TRAINED_ALGORITHMIC_MEDIA
        for made in (classical(), learned()):
            assert declared_type(marked(xmp, made).metadata) is SourceType.TRAINED_ALGORITHMIC_MEDIA

    @pytest.mark.parametrize(
        "body",
        [
            "<I:DigitalSourceType rdf:resource='URI'/><dc:creator>me</dc:creator>",
            "<I:DigitalSourceType rdf:resource='URI'/><dc:creator xmlns:dc='http://purl.org/dc/elements/1.1/'>me"
            "</dc:creator>",
            "<xmpMM:A rdf:resource='x'/><xmpMM:B><rdf:Seq><rdf:li>b</rdf:li></rdf:Seq></xmpMM:B>"
            "<dc:creator>me</dc:creator>"
            "<I:DigitalSourceType rdf:resource='URI'/><xmpMM:C rdf:parseType='Resource'><xmpMM:d>e</xmpMM:d></xmpMM:C>",
            "<I:DigitalSourceType rdf:resource='URI' /> <dc:creator>me</dc:creator>",
            "<xmpMM:History/><I:DigitalSourceType rdf:resource='URI'/><dc:creator>me</dc:creator><dc:title/>",
            "<dc:creator>me</dc:creator><I:DigitalSourceType rdf:resource='URI'/>",
            "<dc:title xml:lang='a>b'/><I:DigitalSourceType>URI</I:DigitalSourceType><dc:creator>me</dc:creator>",
        ],
    )
    def test_an_empty_element_costs_nothing_beside_it(self, body):
        dc, own = "http://purl.org/dc/elements/1.1/", {True: SourceType(LEARNED), False: SourceType.HUMAN_EDITS}
        for before in (SourceType.DIGITAL_CAPTURE, SourceType.TRAINED_ALGORITHMIC_MEDIA):
            xmp = packet(body.replace("URI", before.uri))
            for generative in (True, False):
                found = marked(xmp, learned() if generative else classical()).metadata
                assert declared_type(found) is joined_types([before, own[generative]])
                assert read_property(found.xmp, dc, "creator") == "me"
                assert read_property(sanitised(found.xmp), dc, "creator") == "me"

    def test_an_ingredients_statement_is_not_the_pictures_and_stays(self):
        inner = f"<I:DigitalSourceType>{SourceType.TRAINED_ALGORITHMIC_MEDIA.uri}</I:DigitalSourceType>"
        bag = f'<rdf:Bag><rdf:li rdf:parseType="Resource">{inner}</rdf:li></rdf:Bag>'
        xmp = packet(f"<xmpMM:Ingredients>{bag}</xmpMM:Ingredients>")
        assert declared_type(Metadata(xmp=xmp)) is None
        made = marked(xmp, classical()).metadata
        assert declared_type(made) is SourceType.HUMAN_EDITS
        assert inner.encode() in made.xmp

    def test_a_statement_that_is_no_term_stays_unless_generative_ai_took_part(self):
        other = saying("http://c2pa.org/digitalsourcetype/empty")
        assert marked(other, classical()).source_type == "http://c2pa.org/digitalsourcetype/empty"
        origin = stated_origin(marked(other, learned()).metadata)
        assert origin.term is not None
        assert origin.term.generative
        assert origin.original_type == "http://c2pa.org/digitalsourcetype/empty"

    def test_systems_and_prompts_are_added_to_those_of_the_original(self):
        xmp = packet("<I:AISystemUsed>Other</I:AISystemUsed><I:AIPromptInformation>a cat</I:AIPromptInformation>")
        resolved = learned().resolved.model_copy(update={"models": (WEIGHTS,), "prompt": "a bench"})
        made = learned(resolved=resolved)
        plain = stated_origin(marked(xmp, made).metadata)
        engine = made.resolved.engine
        assert plain.system == f"Other; Overpaint, engine {engine}, toy.safetensors", "names of folders are left out"
        assert plain.prompt == "a cat"
        assert stated_origin(marked(xmp, made, Marking(mode="prompt")).metadata).prompt == "a cat\na bench"

    def test_private_mode_tells_the_source_type_alone(self):
        made = learned(resolved=learned().resolved.model_copy(update={"models": (WEIGHTS,)}))
        for mode in ("embed", "prompt"):
            found = marked(None, made, Marking(mode=mode, private=True)).metadata
            assert stated_origin(found) == stated_origin(Metadata(xmp=saying(LEARNED)))
            assert b"toy" not in found.xmp
            assert b"bench" not in found.xmp

    def test_switched_off_it_adds_nothing_removes_nothing_and_says_what_is_no_longer_true(self):
        off = Marking(mode="none")
        assert marked(None, learned(), off).metadata.xmp is None
        found = marked(saying(SourceType.DIGITAL_CAPTURE), learned(), off)
        assert found.metadata.xmp == saying(SourceType.DIGITAL_CAPTURE)
        assert found.notes == ("no provenance is written: the file still says digitalCapture, as its original did",)
        assert not marked(saying(SourceType.TRAINED_ALGORITHMIC_MEDIA), learned(), off).notes


BOMB = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "&%c;&%c;&%c;&%c;">' % (98 + i, *[97 + i] * 4) for i in range(20))
    + b"]><x:xmpmeta xmlns:x='adobe:ns:meta/'>&u;</x:xmpmeta>"
)
HOSTILE = {
    "entities": BOMB,
    "broken": b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF",
    "not XML": bytes(range(1, 256)) * 9,
    "no RDF": b"<a/>",
    "deep": b"<a>" * 30_000,
    "many attributes": b"<a " + b" ".join(b'b%d="c"' % i for i in range(100_000)) + b"/>",
    "huge": b"<a>" + b"x" * (9 << 20) + b"</a>",
}


@pytest.mark.parametrize("xmp", HOSTILE.values(), ids=HOSTILE)
def test_hostile_xmp_costs_a_note_and_no_more(xmp):
    began = time.process_time()
    found = marked(xmp, learned())
    assert time.process_time() - began < 3
    assert found.source_type == LEARNED
    assert declared_type(found.metadata) == LEARNED
    assert found.notes == (f"the original's XMP ({len(xmp):,} bytes) can't be read, and is left out",)


def test_xmp_that_leaves_a_jpeg_no_room_gives_way_to_the_statement():
    large = with_property(None, "http://purl.org/dc/elements/1.1/", "title", "x" * 64_800, prefix="dc")
    assert not marked(large, learned(), format="png").notes
    found = marked(large, learned(), format="jpeg")
    assert found.notes == (f"the original's XMP ({len(large):,} bytes) is too large for a JPEG file, and is left out",)
    file = encode(Picture(np.zeros((8, 8, 3), np.uint8), metadata=found.metadata), "jpeg")
    assert declared_type(open_picture(file.data).metadata) == LEARNED
    padded = large.replace(b"x" * 64_800, b"x" * 60_000).replace(b"<?xpacket end=", b" " * 5_000 + b"<?xpacket end=")
    assert not marked(padded, learned(), format="jpeg").notes, "white space gives way first"


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    """The same photograph edited with a stand-in for a learned engine, in every format."""
    folder = tmp_path_factory.mktemp("formats")
    picture = picture_of(SIZE, "rgb", 8)
    picture = replace(picture, metadata=Metadata(xmp=saying(SourceType.DIGITAL_CAPTURE)))
    card = EngineCard(name="stand-in", title="", samples=True, accepts=frozenset({"seed"}))
    found = {}
    with Studio() as studio:
        studio.add_engine(noise(card))
        for format, extension in FORMATS.items():
            (folder / f"in.{extension}").write_bytes(encode(picture, format).data)
            edited = studio.edit(folder / f"in.{extension}", mask=MASK, engine="stand-in", intent="replace", seed=1)
            found[format] = edited.save(folder / f"out.{extension}").path
    return found


class TestFiles:
    @pytest.mark.parametrize("format", FORMATS)
    def test_our_own_reader_finds_the_statement_and_the_record_of_it(self, files, format):
        metadata = open_picture(files[format]).metadata
        assert stated_origin(metadata).original_type == "digitalCapture"
        assert declared_type(metadata) == LEARNED
        found = read_record(files[format])
        assert found is not None
        assert found.record.marks.source_type == found.record.source_type == LEARNED

    def test_pillow_finds_it(self, files):
        for path in files.values():
            with Image.open(path) as image:
                raw = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or image.tag_v2[700]
            assert LEARNED in (raw if isinstance(raw, str) else raw.decode())

    def test_exiftool_finds_it(self, files):
        if shutil.which("exiftool") is None:
            pytest.skip("exiftool is not installed (Debian: libimage-exiftool-perl)")
        command = ["exiftool", "-json", "-XMP-iptcExt:all", *map(str, files.values())]
        told = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
        assert len(told) == len(FORMATS)
        for one in told:
            assert one["DigitalSourceType"] == SourceType(LEARNED).uri
            assert one["AISystemUsed"] == "Overpaint, engine stand-in"


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    path.write_bytes(encode(picture_of(SIZE, "rgb", 8), "png").data)
    return path


def test_the_engines_that_come_without_weights_say_human_edits_and_a_picture_put_in_says_composite(photo):
    edited = overpaint.remove(photo, MASK, engine="telea")
    assert edited.source_type is SourceType.HUMAN_EDITS
    thing = np.pad(np.full((9, 5, 4), 200, np.uint8), ((1, 1), (1, 1), (0, 0)))
    with Studio() as studio:
        put = studio.edit(photo, mask=MASK, engine="cutout", intent="add", insert=thing)
        said = replace(from_array(thing), metadata=Metadata(xmp=saying(SourceType.TRAINED_ALGORITHMIC_MEDIA)))
        made = studio.edit(photo, mask=MASK, engine="cutout", intent="add", insert=said)
        swatch = studio.edit(photo, mask=MASK, engine="recolor", intent="recolor", insert=thing)
    assert put.source_type is SourceType.COMPOSITE
    assert made.source_type is SourceType.COMPOSITE_SYNTHETIC, "it says of itself that generative AI made it"
    assert swatch.source_type is SourceType.HUMAN_EDITS, "it lends its colour alone"


@pytest.mark.parametrize(
    "card",
    [
        EngineCard(name="stand-in", title="", samples=True),
        EngineCard(name="stand-in", title="", paints_from="prompt", accepts=frozenset({"prompt"})),
        EngineCard(name="stand-in", title="", elsewhere=True),
        EngineCard(name="stand-in", title=""),
    ],
    ids=["samples", "prompt", "elsewhere", "weights"],
)
def test_an_engine_is_learned_by_its_capabilities_or_its_weights(photo, card):
    engine = flat(card=card)
    if not (card.samples or card.elsewhere or card.paints_from == "prompt"):
        engine.models = lambda sampling, options: (WEIGHTS,)  # type: ignore[method-assign]
    with Studio() as studio:
        studio.add_engine(engine)
        edited = studio.edit(photo, mask=MASK, engine="stand-in", intent="custom", prompt="a bench")
    assert edited.record.source_type == LEARNED


def test_what_a_manifest_or_an_earlier_record_of_the_original_says_counts_as_well(photo):
    """A manifest is left out where the result is not signed: its statement goes on in XMP."""
    data = photo.read_bytes()
    body = b"jumb...digitalSourceTypexG" + SourceType.TRAINED_ALGORITHMIC_MEDIA.uri.encode() + b"..."
    chunk = len(body).to_bytes(4, "big") + b"caBX" + body
    signed = data[:33] + chunk + zlib.crc32(chunk[4:]).to_bytes(4, "big") + data[33:]
    with Studio() as studio:
        edited = studio.edit(signed, mask=MASK, engine="telea", intent="remove")
        studio.add_engine(noise(EngineCard(name="stand-in", title="", samples=True, accepts=frozenset({"seed"}))))
        first = studio.edit(photo, mask=MASK, engine="stand-in", intent="replace", seed=1)
        again = studio.edit(first.render("png", marking=Marking(mode="none")).data, mask=MASK, engine="telea")
    rendered = edited.render("png")
    assert declared_type(open_picture(rendered.data).metadata) is SourceType.TRAINED_ALGORITHMIC_MEDIA
    assert any("C2PA manifest" in note for note in rendered.notes)
    assert again.render("png").marks.source_type == LEARNED


class TestDoors:
    def told(self, capsys, *words: object) -> dict:
        assert main([*map(str, words), "--json"]) == 0
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    def test_a_verb_writes_it_says_so_and_records_when_it_is_switched_off(self, photo, tmp_path, capsys):
        edit = ["remove", photo, "--box", "30,20,50,40", "--engine", "telea", "--audit", tmp_path / "audit.jsonl"]
        on = self.told(capsys, *edit, "-o", tmp_path / "on.png")
        assert on["marks"] == {"provenance": "embed", "source_type": "humanEdits", "signer": ""}
        off = self.told(capsys, *edit, "-o", tmp_path / "off.png", "--provenance", "none")
        assert off["marks"] == {"provenance": "none", "source_type": "", "signer": ""}
        assert open_picture(tmp_path / "off.png").metadata.xmp is None
        found = read_record(tmp_path / "off.png")
        assert found is not None
        assert found.record.marks.provenance == "none"
        lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
        marks = [one["record"]["edit"]["marks"]["provenance"] for one in lines if "edit" in one.get("record", {})]
        assert marks == ["embed", "none"]
        assert main(["provenance", "show", str(tmp_path / "off.png")]) == 0
        assert "was switched off when the file was written" in " ".join(capsys.readouterr().out.split())
        with Studio() as studio:
            for name in ("on", "off"):
                made = open_picture(tmp_path / f"{name}.png")
                assert replay(studio, read_record(made).record, open_picture(photo), made=made).outcome == "same"

    def test_private_mode_takes_no_prompt(self, photo, tmp_path, capsys):
        edit = ["remove", str(photo), "--box", "30,20,50,40", "--engine", "telea", "--private"]
        edit += ["--audit", str(tmp_path / "audit.jsonl"), "-o", str(tmp_path / "out.png")]
        assert main([*edit, "--provenance", "prompt"]) == 2
        assert "leave out --provenance prompt" in capsys.readouterr().err
        assert main(edit) == 0
        metadata = open_picture(tmp_path / "out.png").metadata
        assert stated_origin(metadata) == stated_origin(Metadata(xmp=saying(SourceType.HUMAN_EDITS)))
        assert read_record(tmp_path / "out.png") is None

    def test_show_says_what_a_file_says_in_words(self, files, photo, capsys):
        assert main(["provenance", "show", "--json", str(files["jpeg"])]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["source_type"] == LEARNED
        assert told["generative"] is True
        assert told["original_source_type"] == "digitalCapture"
        assert told["edits"][0]["source_type"] == LEARNED
        assert told["in_words"] == "the file says that generative AI made it or a part of it"
        assert main(["provenance", "show", str(photo)]) == 0
        assert "the file does not say where its pixels came from" in capsys.readouterr().out

    def test_a_session_joins_what_its_edits_say(self, photo, tmp_path):
        from overpaint.session import Session

        with Studio() as studio, Session.create(photo, tmp_path / "s.overpaint", studio=studio) as session:
            studio.add_engine(noise(LEARNED_CARD))
            session.edit(mask=MASK, engine="stand-in", intent="replace", seed=1)
            session.edit(mask=Mask.box(SIZE, Box(5, 5, 15, 15)), engine="telea", intent="remove")
            saved = session.flatten().save(tmp_path / "flat.jpg")
            assert saved.marks.source_type == LEARNED
            session.hide(1)
            assert session.flatten().render("png").marks.source_type == LEARNED, "step 2 was painted from step 1"
            session.rerun(2)
            assert session.flatten().render("png").marks.source_type == "humanEdits"
        assert declared_type(open_picture(tmp_path / "flat.jpg").metadata) == LEARNED

    @pytest.mark.parametrize("dropped", [False, True])
    def test_a_take_of_an_older_version_is_labelled_by_the_steps_that_it_saw(self, dropped, photo, tmp_path):
        """Its record does not say what it was painted from; of what is gone it counts as generative AI."""
        from overpaint.session import Session

        path = tmp_path / "s.overpaint"
        with Studio() as studio, Session.create(photo, path, studio=studio) as session:
            studio.add_engine(noise(LEARNED_CARD))
            below = {"engine": "blur", "intent": "remove"} if dropped else {"engine": "stand-in", "intent": "replace"}
            session.edit(mask=MASK, seed=1, **below)
            session.edit(mask=Mask.box(SIZE, Box(5, 5, 15, 15)), engine="telea", intent="remove")
            session.edit(mask=Mask.box(SIZE, Box(4, 4, 12, 12)), engine="telea", intent="remove")
            session.hide(1)
            session.hide(2)
        as_before_painted_from(path)
        with Session.open(path) as session:
            if dropped:
                assert session.flatten().render("png").marks.source_type == "humanEdits"
                session.rerun(1, grow=5)
                session.compact(takes=True, undo=True)
            assert session.flatten().render("png").marks.source_type == LEARNED
            session.check()
            session.rerun(3)
            assert session.flatten().render("png").marks.source_type == "humanEdits"

    def test_a_batch_marks_its_results_and_its_report_says_how(self, photo, tmp_path):
        (tmp_path / "edits.jsonl").write_text(
            json.dumps({"image": str(photo), "box": "30,20,50,40", "engine": "telea"})
        )
        batch = ["batch", str(tmp_path / "edits.jsonl"), "-o", str(tmp_path / "out"), "--no-thumbnails", "--quiet"]
        for mode, said in (("embed", "humanEdits"), ("none", "")):
            assert main([*batch, "--provenance", mode]) == 0, "other marks are other results: the row is done again"
            metadata = open_picture(tmp_path / "out" / "photo.remove.png").metadata
            assert declared_type(metadata) == (said or None)
            (row,) = csv.DictReader((tmp_path / "out" / "report.csv").read_text().splitlines())
            assert (row["provenance"], row["source_type"]) == (mode, said)


@pytest.mark.parametrize("term", ["digitalCapture", "digitalArt", "minorHumanEdits", "no term", ""])
def test_an_edit_is_never_less_than_one_by_a_human(term):
    made = classical().model_copy(update={"source_type": term})
    assert type_of_record(made) is SourceType.HUMAN_EDITS
    assert type_of_record(made.model_copy(update={"painted_from": term})) is SourceType.HUMAN_EDITS
    assert type_of_record(made.model_copy(update={"painted_from": LEARNED})) is SourceType(LEARNED)
    assert type_of_record(learned(source_type=LEARNED, painted_from=term)) is SourceType(LEARNED)
