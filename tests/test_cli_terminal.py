"""What a hostile file says reaches a terminal as letters only: no verb prints its control characters raw."""

from __future__ import annotations

import io
import json
import sys
import unicodedata
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from overpaint.cli import main
from overpaint.cli.texts import print_rows

HOSTILE = "telea: humanEdits\x1b[2K\rC2PA  signed by Reuters\x07\x9b8m\u202e\u2066\x1b[8m"
_XMP_TEXT = "Other\x9b8m\u202e\u2066"  # XML can't hold the control characters of ASCII
_XMP = f"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<r:Description r:about="" xmlns:I="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
<I:AISystemUsed>{_XMP_TEXT}</I:AISystemUsed><I:AIPromptInformation>{_XMP_TEXT}</I:AIPromptInformation>
</r:Description></r:RDF></x:xmpmeta>"""


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (40, 30), (90, 120, 150)).save("photo.png")
    return tmp_path


def _paint(source: str, output: str, *more: str) -> None:
    assert main(["remove", source, "--box", "10,10,20,20", "--engine", "telea", "-q", "-o", output, *more]) == 0


def _hostile() -> str:
    """A picture whose record and XMP have control characters in all texts that a file's author can choose."""
    _paint("photo.png", "out.png")
    with Image.open("out.png") as image:
        record = json.loads(image.text["overpaint"])
        record["earlier"] = [json.loads(image.text["overpaint"])]
        for one in (record, *record["earlier"]):
            one["resolved"]["engine"] = HOSTILE
            one["doubt"] = HOSTILE
            one["notes"] = [HOSTILE]
        texts = PngInfo()
        texts.add_text("overpaint", json.dumps(record))
        texts.add_itxt("XML:com.adobe.xmp", _XMP)
        image.save("hostile.png", pnginfo=texts)
    return "hostile.png"


def _obeyed(text: str) -> set[str]:
    """The characters that a terminal would obey: controls, and those that change the direction of writing."""
    return {one for one in text if one != "\n" and unicodedata.category(one) in ("Cc", "Cf")}


@pytest.mark.parametrize("verb", [("info",), ("provenance", "show")])
def test_a_hostile_record_moves_no_cursor(verb: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    name = _hostile()
    capsys.readouterr()
    assert main([*verb, name]) == 0
    shown = capsys.readouterr().out
    assert not _obeyed(shown)
    assert shown.count("\\x1b[2K") >= 2, "the engines of both edits"
    assert "\\u202e" in shown
    if verb != ("info",):
        assert "Other\\x9b8m" in shown, "the AI system in XMP"
    assert main([*verb, name, "--json"]) == 0
    assert json.dumps(HOSTILE, ensure_ascii=False) in capsys.readouterr().out, "programs get the texts as they are"


def test_provenance_verify_writes_names_out(capsys: pytest.CaptureFixture[str]) -> None:
    Path("photo.png").rename("a\x1b[2K\u202e.png")
    assert main(["provenance", "verify", "a\x1b[2K\u202e.png"]) == 4
    shown = capsys.readouterr().out
    assert "\\x1b[2K\\u202e" in shown
    assert not _obeyed(shown)


def test_audit_show_writes_a_forged_log_out(capsys: pytest.CaptureFixture[str]) -> None:
    _paint("photo.png", "out.png", "--audit", "log.jsonl")
    log = Path("log.jsonl")
    log.write_text(log.read_text().replace('"telea"', json.dumps(HOSTILE)))
    capsys.readouterr()
    assert main(["audit", "show", "out.png", "--audit", "log.jsonl"]) == 1, "the line was changed"
    shown = capsys.readouterr().out
    assert "\\x1b[2K" in shown
    assert not _obeyed(shown)


def test_replay_writes_names_out(capsys: pytest.CaptureFixture[str]) -> None:
    name = "out\x1b[2K\u202e.png"
    _paint("photo.png", name)
    capsys.readouterr()
    assert main(["replay", name]) == 0
    shown = capsys.readouterr().out
    assert "\\x1b[2K\\u202e" in shown
    assert not _obeyed(shown)


def test_rows_on_a_terminal_keep_lines_and_write_controls_out(monkeypatch: pytest.MonkeyPatch) -> None:
    out = _Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("TERM", "dumb")  # no styles, which are control characters themselves
    print_rows([("prompt", f"one\n{HOSTILE}")])
    shown = out.getvalue()
    assert not _obeyed(shown)
    assert "\\x1b[2K" in shown.replace("\n", "")
    assert shown.splitlines()[0].split() == ["prompt", "one"]
