"""A layered file says where its pixels came from as a flat one does, and what it does not get is said in a note."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from psd_tools import PSDImage
from psd_tools.constants import Resource

from overpaint import Mask, Studio
from overpaint.cli import main
from overpaint.engines import EngineCard
from overpaint.geometry import Box
from overpaint.picture import Metadata, open_picture
from overpaint.record import Marking, SourceType, declared_type, read_record, said_types, stated_origin
from overpaint.session import Session
from stand_ins import noise
from test_origin_claims import AI_INPUTS, MASK, SIZE, photo
from test_provenance import LEARNED

EDIT = ("--box", "30,20,50,40", "--engine", "telea")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("photo.png").write_bytes(photo())
    return tmp_path


def xmp_of(name: str) -> Metadata:
    """The XMP of a layered file: the image resource 1060 of a PSD, that of the merged picture in an OpenRaster file."""
    data = Path(name).read_bytes()
    if name.endswith(".ora"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return open_picture(archive.read("mergedimage.png")).metadata
    return Metadata(xmp=PSDImage.open(io.BytesIO(data)).image_resources.get_data(Resource.XMP_METADATA))


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", ["l.psd", "l.psb", "l.ora"])
class TestTheStatement:
    def test_of_one_edit_and_of_a_session(self, name, capsys):
        for source, expected in (("photo.png", SourceType.HUMAN_EDITS), ("ai.jpg", SourceType(LEARNED))):
            Path("ai.jpg").write_bytes(AI_INPUTS["a system in Extended XMP"])
            assert main(["remove", source, *EDIT, "-o", "flat.png", "--layers", name, "--overwrite"]) == 0
            assert declared_type(xmp_of(name)) is declared_type(open_picture("flat.png").metadata) is expected
            assert main(["session", "new", source, "-o", f"{source}.overpaint"]) == 0
            assert main(["session", "edit", f"{source}.overpaint", "remove", *EDIT]) == 0
            assert main(["session", "export", f"{source}.overpaint", "-o", f"s{name}", "--overwrite"]) == 0
            assert declared_type(xmp_of(f"s{name}")) is expected
            if source == "ai.jpg":
                assert stated_origin(xmp_of(name)).system == "Imagined 4"

    def test_it_can_be_switched_off(self, name):
        words = ["remove", "photo.png", *EDIT, "-o", "flat.png", "--layers", name]
        assert main([*words, "--provenance", "none", "--record", "none"]) == 0
        assert xmp_of(name).xmp is None


def test_a_hidden_layer_counts_as_it_can_be_shown():
    card = EngineCard(name="stand-in", title="", samples=True, accepts=frozenset({"seed"}))
    with Studio() as studio, Session.create("photo.png", "s.overpaint", studio=studio) as session:
        studio.add_engine(noise(card))
        session.edit(mask=MASK, engine="stand-in", intent="replace", seed=1)
        session.hide(1)
        session.edit(mask=Mask.box(SIZE, Box(5, 5, 15, 15)), engine="telea", intent="remove")  # it saw nothing of it
        assert session.flatten().render("png").marks.source_type == "humanEdits"
        session.layered().save("hidden.psd")
    assert declared_type(xmp_of("hidden.psd")) == LEARNED


class TestPaintMadeFromPaint:
    """What a step was painted from counts for it, whatever becomes of the steps below."""

    @pytest.fixture
    def session(self):
        card = EngineCard(name="stand-in", title="", elsewhere=True, accepts=frozenset({"seed"}))
        with Studio() as studio, Session.create("photo.png", "s.overpaint", studio=studio) as session:
            studio.add_engine(noise(card))
            session.edit(mask=MASK, engine="stand-in", intent="replace", seed=1)
            session.edit(mask=MASK, engine="recolor", intent="recolor", options={"to": "teal"})
            yield session

    @pytest.mark.parametrize(
        "change",
        [
            lambda session: session.hide(1),
            lambda session: session.opacity(1, 0),
            lambda session: session.rerun(1, engine="telea", intent="remove"),
            lambda session: (session.rerun(1, engine="telea", intent="remove"), session.compact(takes=True, undo=True)),
        ],
    )
    def test_it_keeps_the_name_when_what_it_saw_is_gone(self, session, change):
        change(session)
        session.flatten().save("flat.png")
        session.layered().save("l.psd")
        flat = open_picture("flat.png").metadata
        assert declared_type(flat) == declared_type(xmp_of("l.psd")) == LEARNED
        assert "recolor" not in (stated_origin(flat).system or ""), "its own engine is no AI system"
        session.flatten().save("bare.png", marking=Marking(mode="none"))
        assert SourceType(LEARNED) in said_types(open_picture("bare.png")), "the record has it too"

    def test_it_goes_on_through_further_steps(self, session):
        session.hide(1)
        session.edit(mask=MASK, engine="telea", intent="remove")
        session.hide(2)
        assert session.flatten().render("png").marks.source_type == LEARNED

    def test_it_ends_when_the_step_is_painted_again_on_other_paint(self, session):
        session.rerun(1, engine="telea", intent="remove")
        session.rerun_stale()
        assert session.flatten().render("png").marks.source_type == "humanEdits"


@pytest.mark.parametrize("name", ["l.psd", "l.ora"])
def test_a_note_says_what_a_layered_file_beside_a_result_does_not_get(name, capsys):
    pytest.importorskip("c2pa")
    from credentials import Root

    Root.make().write(Path("c"))
    signed = ["--c2pa-cert", "c/chain.pem", "--c2pa-key", "c/key.pem"]
    words = ["remove", "photo.png", *EDIT, "--layers", name]
    assert not [note for note in told(capsys, *words, "-o", "a.png")["notes"] if name in note]
    notes = told(capsys, *words, "-o", "b.png", *signed, "--audit", "audit.jsonl", "--overwrite")["notes"]
    assert f"{name}: it is not signed: C2PA manifests are for flat pictures" in notes
    assert f"{name}: it is not in the audit log, which names the flat result" in notes
    assert read_record("b.png").record.marks.source_type == declared_type(xmp_of(name))  # type: ignore[union-attr]
    notes = told(capsys, "remove", "b.png", *EDIT, "--layers", name, "-o", "c.png", "--overwrite")["notes"]
    assert f"{name}: the original's C2PA manifest is left out: it signs the original's pixels" in notes
    assert main(["session", "new", "b.png"]) == 0
    assert main(["session", "edit", "b.overpaint", "remove", *EDIT]) == 0
    notes = told(capsys, "session", "export", "b.overpaint", "-o", f"alone-{name}")["notes"]
    assert "the original's C2PA manifest is left out: it signs the original's pixels" in notes
