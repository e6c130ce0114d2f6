"""Signed results on the command line: edits, batches, sessions; verifying them; what is refused before any painting."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cryptography")
pytest.importorskip("c2pa")

from batches import photo, photos
from credentials import DAY, Root
from overpaint.cli import main
from overpaint.picture import format_of, open_picture
from overpaint.picture.c2pa_store import holds_manifest
from overpaint.record import declared_type
from overpaint.record.c2pa import ManifestReport, anchors_of, read_manifest

SIGNED = ("--c2pa-cert", "c/chain.pem", "--c2pa-key", "c/key.pem")
ANCHOR = ("--anchor", "c/anchor.pem")
EDIT = ("--box", "8,6,20,16", "--engine", "telea")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a photo and a certificate."""
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "photo.png")
    Root.make().write(tmp_path / "c")
    return tmp_path


def report(file: str | Path) -> ManifestReport:
    data = Path(file).read_bytes()
    found = read_manifest(data, format_of(data), anchors=anchors_of([Path("c/anchor.pem")]))
    assert found is not None
    return found


def said(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def listing() -> list[str]:
    return sorted(str(path) for path in Path().rglob("*"))


class TestVerify:
    def test_each_state_has_its_exit_status_and_words(self, capsys):
        assert main(["remove", "photo.png", *EDIT, *SIGNED, "-o", "out.png"]) == 0
        assert "signed by Test house, signer" in capsys.readouterr().out
        for words, status, state in (
            (["out.png", *ANCHOR], 0, "trusted"),
            (["out.png"], 3, "untrusted"),
            (["photo.png", *ANCHOR], 4, "unsigned"),
        ):
            assert main(["provenance", "verify", *words, "--json"]) == status
            assert said(capsys)["state"] == state
        changed = bytearray(Path("out.png").read_bytes())
        changed[-40] ^= 1
        Path("changed.png").write_bytes(changed)
        assert main(["provenance", "verify", "changed.png", *ANCHOR]) == 1
        assert "the file was changed after it was signed" in " ".join(capsys.readouterr().out.split())
        assert main(["provenance", "verify", "changed.png", "-q"]) == 1
        assert capsys.readouterr().out == ""

    @pytest.mark.parametrize(
        "words",
        [
            ["nothing.png"],
            ["photo.png", "--anchor", "photo.png"],
            ["c"],
            ["archive.zip"],
            ["notes.txt"],
            ["empty.png"],
            ["half.png"],
            ["half.jpg"],
            ["half.webp"],
            ["half.avif"],
            ["photo.psd"],
        ],
    )
    def test_what_can_not_be_read_is_bad_input(self, words, capsys):
        with zipfile.ZipFile("archive.zip", "w") as archive:
            archive.write("photo.png")
        Path("notes.txt").write_text("no picture")
        Path("empty.png").touch()
        for format in ("png", "jpg", "webp", "avif"):
            if f"half.{format}" in words:
                assert main(["remove", "photo.png", *EDIT, "-o", f"whole.{format}"]) == 0
                Path(f"half.{format}").write_bytes(Path(f"whole.{format}").read_bytes()[:-100])
        capsys.readouterr()
        Path("photo.psd").write_bytes(b"8BPS" + bytes(100))
        assert main(["provenance", "verify", *words]) == 2
        assert main(["provenance", "verify", *words, "--json"]) == 2
        assert capsys.readouterr().err.count("\n") == 2

    def test_a_manifest_that_can_not_be_looked_at_is_not_called_invalid(self, capsys, monkeypatch):
        assert main(["remove", "photo.png", *EDIT, *SIGNED, "-o", "out.png"]) == 0
        monkeypatch.setitem(sys.modules, "c2pa", None)
        for words in ([], ["--json"]):
            assert main(["provenance", "verify", "out.png", *words]) == 2
        assert "pip install 'overpaint[c2pa]'" in capsys.readouterr().err
        assert main(["provenance", "show", "out.png"]) == 0
        assert "a manifest, which can't be read here" in " ".join(capsys.readouterr().out.split())

    def test_a_certificate_for_tests_says_that_nobody_trusts_it(self, capsys):
        assert main(["provenance", "make-test-certificate", "new"]) == 0
        assert "no public verifier trusts it" in capsys.readouterr().err
        new = ["--c2pa-cert", "new/test-chain.pem", "--c2pa-key", "new/test-key.pem"]
        assert main(["remove", "photo.png", *EDIT, *new, "-o", "out.webp"]) == 0
        assert main(["provenance", "verify", "out.webp", "--anchor", "new/test-anchor.pem"]) == 0
        assert main(["provenance", "make-test-certificate", "new"]) == 1  # it would take a key's place
        assert "exists already" in capsys.readouterr().err


class TestEdits:
    @pytest.mark.parametrize("name", ["out.png", "out.jpg", "out.webp", "out.tif", "out.avif"])
    def test_results_of_every_format_are_signed(self, name):
        assert main(["remove", "photo.png", *EDIT, *SIGNED, "-o", name]) == 0
        found = report(name)
        assert found.state == "trusted"
        assert found.ingredients[0].title == "photo.png"
        (edited,) = (one for one in found.actions if one.action == "c2pa.edited")
        assert edited.source_type == "humanEdits"
        assert open_picture(name).size == open_picture("photo.png").size

    @pytest.mark.parametrize("claim", ["Extended XMP", "AUTOMATIC1111, PNG", "GIF"])
    def test_the_manifest_says_what_the_original_claims_of_generative_ai(self, claim):
        from test_origin_claims import AI_INPUTS

        Path("in").write_bytes(AI_INPUTS[claim])
        assert main(["remove", "in", *EDIT, *SIGNED, "-o", "out.png"]) == 0
        opened, edited, *_ = report("out.png").actions
        assert (opened.action, edited.action, edited.source_type) == ("c2pa.opened", "c2pa.edited", "humanEdits")
        assert opened.source_type == declared_type(open_picture("out.png").metadata)
        assert main(["remove", "photo.png", *EDIT, *SIGNED, "-o", "plain.png"]) == 0
        assert report("plain.png").actions[0].source_type == ""

    def test_the_box_of_a_jpeg_has_all_blocks_that_were_coded_again(self):
        pytest.importorskip("jpeglib")
        photo(Path("photo.jpg"), size=(96, 80))
        assert main(["remove", "photo.jpg", "--box", "40,36,44,40", "--engine", "telea", "--strict", *SIGNED]) == 0
        (edited,) = (one for one in report("photo.remove.jpg").actions if one.action == "c2pa.edited")
        ((left, top, right, bottom),) = edited.boxes
        before, after = open_picture("photo.jpg").samples, open_picture("photo.remove.jpg").samples
        rows, columns = (before != after).any(2).nonzero()
        assert left <= columns.min() < columns.max() < right
        assert top <= rows.min() < rows.max() < bottom
        assert (left, top, right, bottom) != (40, 36, 44, 40)

    def test_a_chain_the_log_and_the_replay_of_signed_results(self, capsys):
        assert main(["remove", "photo.png", *EDIT, *SIGNED, "-o", "one.png", "--audit", "audit.jsonl"]) == 0
        second = ["remove", "one.png", "--box", "24,16,34,26", "--engine", "telea", "-o", "two.jpg"]
        assert main([*second, *SIGNED, "--audit", "audit.jsonl"]) == 0
        found = report("two.jpg")
        assert (found.state, found.chain, found.ingredients[0].title) == ("trusted", 2, "one.png")
        assert [one.action for one in found.actions] == ["c2pa.opened", "c2pa.edited", "c2pa.converted"]
        assert main(["audit", "verify", "audit.jsonl", "--inputs", "--strict"]) == 0
        capsys.readouterr()
        for name in ("one.png", "two.jpg"):
            assert main(["replay", name, "--json"]) == 0
            table = said(capsys)
            assert any("signed manifest, which is not compared" in note for note in table["notes"])
        changed = bytearray(Path("one.png").read_bytes())
        changed[-1:] = changed[-1:] + b"more"
        Path("one.png").write_bytes(changed)
        assert main(["audit", "verify", "audit.jsonl"]) == 1

    def test_an_original_whose_manifest_can_not_be_kept_is_told(self, capsys):
        assert main(["remove", "photo.png", *EDIT, *SIGNED, "-o", "one.png"]) == 0
        capsys.readouterr()
        assert main(["remove", "one.png", "--box", "24,16,34,26", "--engine", "telea", "-o", "two.png"]) == 0
        assert "the original's C2PA manifest is left out" in capsys.readouterr().err
        assert not holds_manifest(Path("two.png").read_bytes(), "png")

    def test_private_mode_signs_without_names(self):
        words = ["remove", "photo.png", *EDIT, *SIGNED, "--c2pa-thumbnails", "--prompt", "the old tree"]
        assert main([*words, "-o", "out.png", "--private", "--audit", "audit.jsonl"]) == 0
        data = Path("out.png").read_bytes()
        assert report("out.png").state == "trusted"
        for secret in (b"the old tree", b"photo.png", b"thumbnail"):
            assert secret not in data
        assert main([*words, "-o", "shown.png"]) == 0
        assert b"c2pa.thumbnail" in Path("shown.png").read_bytes()

    def test_standard_output_has_the_signed_file(self, capfdbinary):
        assert main(["remove", "photo.png", *EDIT, *SIGNED, "-o", "-", "--format", "png"]) == 0
        data = capfdbinary.readouterr().out
        assert holds_manifest(data, "png")


class TestRefusals:
    @pytest.mark.parametrize(
        ("words", "status", "message"),
        [
            (SIGNED[:2], 2, "--c2pa-cert needs --c2pa-key too"),
            (SIGNED[2:], 2, "--c2pa-key needs --c2pa-cert too"),
            (["--c2pa-timestamp", "http://localhost:9/"], 2, "--c2pa-timestamp is about signing"),
            (["--c2pa-thumbnails"], 2, "--c2pa-thumbnails is about signing"),
            ([*SIGNED, "--c2pa-timestamp", "example.org"], 2, "--c2pa-timestamp takes an address"),
            (["--c2pa-cert", "none.pem", "--c2pa-key", "c/key.pem"], 2, "none.pem can't be read"),
            (["--c2pa-cert", "photo.png", "--c2pa-key", "c/key.pem"], 2, "has no certificate in PEM"),
            (["--c2pa-cert", "c/chain.pem", "--c2pa-key", "other/key.pem"], 2, "is not that of the certificate"),
            (["--c2pa-cert", "old/chain.pem", "--c2pa-key", "old/key.pem"], 2, "has expired on"),
            ([*SIGNED, "-o", "/proc/self/out.png"], 1, "can't write /proc/self/out.png"),
        ],
    )
    def test_what_can_not_be_done_is_one_line_before_any_painting(self, words, status, message, capsys, monkeypatch):
        from overpaint.studio import Studio

        def painted(*_: object, **__: object) -> None:
            raise AssertionError("painted")

        Root.make().write(Path("other"))
        Root.make().write(Path("old"), start=-2 * DAY, end=-DAY)
        monkeypatch.setattr(Studio, "prepare", painted)
        before = listing()
        assert main(["remove", "photo.png", *EDIT, *words]) == status
        err = capsys.readouterr().err
        assert message in err
        assert err.count("\n") == 1
        assert listing() == before

    def test_without_the_extra_there_is_one_error_before_any_painting(self, capsys, monkeypatch):
        from overpaint.studio import Studio

        monkeypatch.setattr(Studio, "prepare", lambda *_, **__: pytest.fail("painted"))
        monkeypatch.setitem(sys.modules, "c2pa", None)
        calls = (
            (["remove", "photo.png", *EDIT, *SIGNED], 1),
            (["batch", "--images", ".", *EDIT, "-o", "out", *SIGNED], 1),
            (["provenance", "verify", "photo.png"], 2),  # 1 would say that the picture was verified and is not valid
        )
        for words, status in calls:
            before = listing()
            assert main([*words]) == status
            err = capsys.readouterr().err
            assert "overpaint[c2pa]" in err
            assert err.count("\n") == 1
            assert listing() == before

    def test_a_result_that_can_not_be_signed_leaves_no_file(self, capsys):
        before = listing()
        words = ["remove", "photo.png", *EDIT, *SIGNED, "--c2pa-timestamp", "http://127.0.0.1:9/stamp"]
        assert main(words) == 1
        assert "http://127.0.0.1:9/stamp gave no time stamp" in capsys.readouterr().err
        assert listing() == before


class TestManyAndSessions:
    def test_a_batch_signs_every_row_and_does_unsigned_ones_again(self, folder, capsys):
        photos(folder / "in", 2)
        batch = ["batch", "--images", "in", *EDIT, "-o", "out"]
        assert main(batch) == 0
        assert main([*batch, *SIGNED]) == 0
        results = sorted(Path("out").glob("*.remove.png"))
        assert len(results) == 2
        assert [report(one).state for one in results] == ["trusted", "trusted"]
        assert main(["audit", "verify", "out", "--strict"]) == 0
        before = [one.read_bytes() for one in results]
        capsys.readouterr()
        assert main([*batch, *SIGNED]) == 0  # all are done
        assert [one.read_bytes() for one in results] == before
        assert main(["replay", str(results[0]), "--json"]) == 0

    def test_a_batch_without_a_certificate_does_not_replace_signed_results_in_silence(self, folder, capsys):
        photos(folder / "in", 2)
        batch = ["batch", "--images", "in", *EDIT, "-o", "out"]
        assert main([*batch, *SIGNED]) == 0
        signed = {one: one.read_bytes() for one in Path("out").glob("*.remove.png")}
        photos(folder / "in", 3)  # one more
        capsys.readouterr()
        assert main([*batch, "--dry-run"]) == 1
        assert "set c2pa_cert and c2pa_key to sign again, or overwrite to replace it" in capsys.readouterr().out
        assert main(batch) == 1
        told = capsys.readouterr().out
        assert told.count("was signed by an earlier run, and this one would replace it") == 2
        assert {one: one.read_bytes() for one in signed} == signed
        results = sorted(Path("out").glob("*.remove.png"))
        assert len(results) == 3, "the row that was not signed is done all the same"
        assert main([*batch, *SIGNED]) == 0, "only that row is painted again"
        assert {one: one.read_bytes() for one in signed} == signed
        assert [report(one).state for one in results] == ["trusted"] * 3
        capsys.readouterr()
        assert main([*batch, "--overwrite"]) == 0
        assert "an earlier run was signed; the new one, which replaces it, is not" in capsys.readouterr().out
        assert not any(holds_manifest(one.read_bytes(), "png") for one in results)
        results[0].unlink()
        assert main(batch) == 0, "what is not signed, or not there any more, is in nobody's way"

    def test_a_row_whose_key_is_gone_fails_and_the_run_says_why(self, folder, capsys, monkeypatch):
        from overpaint.record.c2pa import ManifestSeal

        photos(folder / "in", 1)
        check = ManifestSeal.check

        def checked_then_lost(seal: ManifestSeal) -> None:
            check(seal)
            seal.key.unlink()

        monkeypatch.setattr(ManifestSeal, "check", checked_then_lost)
        assert main(["batch", "--images", "in", *EDIT, "-o", "out", *SIGNED]) == 1
        assert "key.pem can't be read" in capsys.readouterr().out
        assert list(Path("out").glob("*.png")) == []

    def test_a_session_signs_its_export_with_an_action_for_each_step(self):
        assert main(["session", "new", "photo.png"]) == 0
        edit = ["session", "edit", "photo.overpaint"]
        assert main([*edit, "remove", *EDIT]) == 0
        assert main([*edit, "expand", "--left", "10", "--engine", "extend"]) == 0
        assert main(["session", "export", "photo.overpaint", *SIGNED, "-o", "out.png"]) == 0
        found = report("out.png")
        assert found.state == "trusted"
        first, second = (one for one in found.actions if one.action == "c2pa.edited")
        assert first.description.startswith("remove")
        assert second.description.startswith("expand")
        ((left, top, right, bottom),) = first.boxes
        assert left <= 18 < 30 <= right  # moved by the ten new columns
        assert left >= 10
        assert top <= 6 < 16 <= bottom
        assert second.boxes[0][:2] == (0, 0)
