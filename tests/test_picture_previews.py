"""Previews of the original, which would show what was removed, are dropped from texts of every kind."""

from __future__ import annotations

import base64
import io
import textwrap
import time
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from overpaint.picture import open_picture, xmp
from overpaint.picture.hidden_pictures import holds_picture


def _jpeg() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (9, 80, 200)).save(out, "JPEG")
    return out.getvalue()


def _preview_texts() -> dict[str, str]:
    """Texts that hold a preview, by the way that it is held."""
    plain = base64.b64encode(_jpeg()).decode()
    return {
        "base64": plain,
        "in lines": "&#xA;".join(textwrap.wrap(plain, 76)),
        "as an address": f"data:image/jpeg;base64,{plain}",
        "after words": f"preview of a camera {plain}",
        "after a header": base64.b64encode(b"VENDOR 12" + _jpeg()).decode(),
        "for addresses": base64.urlsafe_b64encode(_jpeg()).decode(),
        "hexadecimal": _jpeg().hex(),
        "WebP": base64.b64encode(b"RIFF\x99\0\0\0WEBPVP8 " + bytes(90)).decode(),
    }


@pytest.mark.parametrize("how", _preview_texts())
@pytest.mark.parametrize("shape", ["element", "attribute", "list", "struct"])
def test_previews_in_the_xmp_of_any_vendor_are_dropped_and_the_rest_stays(how: str, shape: str) -> None:
    text = _preview_texts()[how]
    inner = {
        "element": f"<v:Extra>{text}</v:Extra>",
        "attribute": "",
        "list": f"<v:Extra><rdf:Bag><rdf:li>a</rdf:li><rdf:li>{text}</rdf:li></rdf:Bag></v:Extra>",
        "struct": f'<v:Extra rdf:parseType="Resource"><v:data>{text}</v:data></v:Extra>',
    }[shape]
    attribute = f' v:extra="{text}"' if shape == "attribute" else ""
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:v="http://vendor.example/"{attribute}>'
        f"<v:Title>a harbour at dawn</v:Title>{inner}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()
    clean = xmp.sanitised(packet)
    assert clean is not None
    assert b"a harbour at dawn" in clean
    assert text.encode()[:60] not in clean


def test_a_vendors_preview_in_an_unknown_code_is_dropped_by_its_name() -> None:
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:v="http://vendor.example/" v:HasPreview="True">'
        f"<v:PreviewData>{'Zq~' * 300}</v:PreviewData></rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()
    clean = xmp.sanitised(packet) or b""
    assert b"Zq~" not in clean
    assert b"HasPreview" in clean


@pytest.mark.parametrize("how", _preview_texts())
def test_previews_in_the_texts_of_png_and_comments_of_jpeg_are_dropped(how: str, tmp_path: Path) -> None:
    text = _preview_texts()[how].replace("&#xA;", "\n")
    info = PngInfo()
    info.add_text("Title", "a harbour at dawn")
    info.add_text("vendor:thing", text, zip=True)
    info.add_itxt("vendor:other", text)
    picture = Image.new("RGB", (40, 30))
    picture.save(tmp_path / "a.png", pnginfo=info)
    assert dict(open_picture(tmp_path / "a.png").metadata.text) == {"Title": "a harbour at dawn"}
    picture.save(tmp_path / "a.jpg", comment=text.encode())
    assert not open_picture(tmp_path / "a.jpg").metadata.text


def test_a_long_text_costs_little_time_and_stays() -> None:
    began = time.perf_counter()
    for text in (b"word " * 400_000, b"a" * 2_000_000, b"abcdef0123456789 " * 100_000, b" " * 2_000_000 + b"a"):
        assert not holds_picture(text)
    assert time.perf_counter() - began < 20
