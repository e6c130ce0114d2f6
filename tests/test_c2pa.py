"""Signed manifests: trusted by an anchor, invalid after a byte, with the chain of what was edited; no connection."""

from __future__ import annotations

import http.server
import io
import json
import pickle
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("cryptography")
c2pa = pytest.importorskip("c2pa")

from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: E402

from credentials import DAY, PEM, Root, write_key  # noqa: E402
from overpaint.errors import CredentialsError, MissingExtraError, OutputError  # noqa: E402
from overpaint.geometry import Box  # noqa: E402
from overpaint.picture import Metadata, Picture, encode, from_array, open_picture  # noqa: E402
from overpaint.picture.c2pa_store import holds_manifest, without_manifest  # noqa: E402
from overpaint.picture.xmp import with_property  # noqa: E402
from overpaint.record import EditStatement, Provenance, SourceType, WatermarkChoice  # noqa: E402
from overpaint.record.c2pa import (  # noqa: E402
    ManifestSeal,
    anchors_of,
    make_test_certificate,
    read_manifest,
)
from overpaint.record.c2pa._library import MIME_TYPES  # noqa: E402

FORMATS = ("png", "jpeg", "webp", "tiff", "avif")
LEARNED = SourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA
EDIT = EditStatement(LEARNED, "replace", "diffusion", ("a-model",), (Box(4, 5, 20, 17), Box(25, 1, 30, 9)), "9.9")


@pytest.fixture(scope="module")
def root() -> Root:
    return Root.make()


@pytest.fixture(scope="module")
def made(root: Root, tmp_path_factory: pytest.TempPathFactory) -> tuple[ManifestSeal, str]:
    """Something that signs, and the anchor that vouches for it."""
    chain, key, anchor = root.write(tmp_path_factory.mktemp("certificate"))
    return ManifestSeal(chain, key), anchors_of([anchor])


@pytest.fixture(scope="module")
def seal(made: tuple[ManifestSeal, str]) -> ManifestSeal:
    return made[0]


@pytest.fixture(scope="module")
def anchor(made: tuple[ManifestSeal, str]) -> str:
    return made[1]


def photo(**metadata: Any) -> Picture:
    pixels = np.random.default_rng(1).integers(0, 256, (24, 36, 3), np.uint8)
    return replace(from_array(pixels), metadata=Metadata(**metadata))


def opened(data: bytes, name: str = "holiday.png") -> Picture:
    """As if it came from a file of this name."""
    picture = open_picture(data)
    return replace(picture, source=replace(picture.source, path=Path(name)))


def origin(original: Picture, *edits: EditStatement, private: bool = False) -> Provenance:
    return Provenance(edits or (EDIT,), LEARNED, None, original.size, original.source, private)


@pytest.fixture(scope="module")
def signed(seal: ManifestSeal) -> dict[str, bytes]:
    """A signed file of each format."""
    return {one: seal.seal(encode(photo(), one).data, one, origin(ORIGINAL)).data for one in FORMATS}


ELSEWHERE = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="ADDRESS"/>'
    "</rdf:RDF></x:xmpmeta>"
)
ORIGINAL = opened(encode(photo(), "png").data)


class TestSigning:
    @pytest.mark.parametrize("format", FORMATS)
    def test_a_signed_file_is_trusted_by_an_anchor_unknown_without_and_invalid_after_a_byte(self, format, seal, anchor):
        data = encode(photo(), format).data
        sealed = seal.seal(data, format, origin(ORIGINAL))
        assert sealed.notes == ()
        assert sealed.signer == "Test house, signer"
        trusted = read_manifest(sealed.data, format, anchors=anchor)
        assert trusted is not None
        assert (trusted.state, trusted.problems) == ("trusted", ())
        unknown = read_manifest(sealed.data, format)
        assert unknown is not None
        assert (unknown.state, unknown.codes) == ("untrusted", ("signingCredential.untrusted",))
        changed = bytearray(sealed.data)
        changed[sealed.data.index(data[-40:-20]) + 7] ^= 1  # in the picture
        invalid = read_manifest(bytes(changed), format, anchors=anchor)
        assert invalid is not None
        assert (invalid.state, invalid.problems) == ("invalid", ("the file was changed after it was signed",))

    @pytest.mark.parametrize("format", FORMATS)
    def test_signing_changes_nothing_but_the_manifest(self, format, seal):
        xmp = with_property(None, "http://purl.org/dc/elements/1.1/", "source", "kept")
        picture = photo(xmp=xmp, dpi=(300.0, 300.0), text={"Author": "somebody"})
        data = encode(picture, format).data
        signed = seal.seal(data, format, origin(ORIGINAL)).data
        before, after = open_picture(data), open_picture(signed)
        assert np.array_equal(before.samples, after.samples)
        assert before.metadata == after.metadata
        assert holds_manifest(signed, format)
        if format in ("png", "jpeg", "webp"):
            assert without_manifest(signed, format) == data

    @pytest.mark.parametrize("shape", [(24, 36), (24, 36, 3)])
    @pytest.mark.parametrize("xmp", [None, b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'])
    def test_a_signed_avif_of_twelve_bits_can_be_read(self, shape, xmp, seal):
        deep = np.random.default_rng(2).integers(0, 4096, shape, np.uint16) * 16
        data = encode(replace(from_array(deep.astype(np.uint16)), metadata=Metadata(xmp=xmp)), "avif").data
        signed = seal.seal(data, "avif", origin(ORIGINAL)).data
        assert np.array_equal(open_picture(signed).samples, open_picture(data).samples)

    def test_a_change_beside_the_manifest_would_be_found(self, seal, monkeypatch):
        from overpaint.record.c2pa import _seal

        def careless(data: bytes, *_: Any) -> tuple[bytes, bytes]:
            return encode(from_array(np.zeros((24, 36, 3), np.uint8)), format).data, b""

        monkeypatch.setattr(_seal, "_signed", careless)
        for format in FORMATS:
            with pytest.raises(OutputError, match="changed more of the file"):
                seal.seal(encode(photo(), format).data, format, origin(ORIGINAL))

    def test_the_manifest_says_what_was_done(self, seal, anchor):
        grey = EditStatement(SourceType.HUMAN_EDITS, "remove", "exemplar", (), (Box(0, 0, 3, 4),), "9.8")
        data = encode(photo(), "webp").data
        report = read_manifest(seal.seal(data, "webp", origin(ORIGINAL, grey, EDIT)).data, "webp", anchors=anchor)
        assert report is not None
        opening, first, second, converted = report.actions
        assert (opening.action, converted.action) == ("c2pa.opened", "c2pa.converted")
        assert first.action == second.action == "c2pa.edited"
        assert (first.source_type, first.agent, first.boxes) == ("humanEdits", "Overpaint 9.8", ((0, 0, 3, 4),))
        assert second.source_type == "compositeWithTrainedAlgorithmicMedia"
        assert second.boxes == ((4, 5, 20, 17), (25, 1, 30, 9))
        assert second.description == "replace, engine diffusion; model a-model"
        assert all(one.when.startswith("20") for one in report.actions)
        assert report.generator.startswith("Overpaint ")
        (parent,) = report.ingredients
        assert (parent.title, parent.relationship, parent.manifest) == ("holiday.png", "parentOf", "")
        text = str(report.lines()) + json.dumps(report.to_mapping())
        assert "Test house, signer" in text
        assert "holiday.png" in text

    @pytest.mark.parametrize(("area", "words"), [("patch", "where the edits"), ("whole", "in the whole picture")])
    def test_a_watermark_is_an_action_too(self, area, words, seal, anchor):
        marked = replace(origin(ORIGINAL), watermark=WatermarkChoice("some-mark", area, b"secret"))
        signed = seal.seal(encode(photo(), "png").data, "png", marked).data
        report = read_manifest(signed, "png", anchors=anchor)
        assert report is not None
        assert report.actions[2].description.startswith(f"watermark some-mark, {words}")
        assert b"secret" not in signed

    @pytest.mark.parametrize("format", ["bmp", "gif", "jpeg2000"])
    def test_an_original_of_any_format_is_the_parent(self, format, seal, anchor):
        from PIL import Image

        out = io.BytesIO()
        Image.fromarray(np.asarray(photo().samples)).save(out, format)
        made = opened(out.getvalue(), f"old.{format}")
        report = read_manifest(seal.seal(encode(made, "png").data, "png", origin(made)).data, "png", anchors=anchor)
        assert report is not None
        assert (report.state, report.ingredients[0].title) == ("trusted", f"old.{format}")

    def test_a_picture_made_in_memory_is_signed_too(self, seal, anchor):
        sealed = seal.seal(encode(photo(), "png").data, "png", origin(photo()))
        report = read_manifest(sealed.data, "png", anchors=anchor)
        assert report is not None
        assert (report.state, report.ingredients[0].title) == ("trusted", "")

    @settings(max_examples=25)
    @given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
    def test_any_bit_of_the_picture_that_changes_is_found(self, at, bit, signed, anchor):
        sealed = signed["png"]
        start = sealed.index(b"IDAT") - 4  # behind the manifest, which has filling that signatures leave out
        changed = bytearray(sealed)
        changed[start + int(at * (len(sealed) - start))] ^= 1 << bit
        report = read_manifest(bytes(changed), "png", anchors=anchor)
        assert report is None or report.state == "invalid"


class TestChains:
    def test_an_edit_of_a_signed_result_has_a_chain_of_two(self, seal, anchor):
        first = opened(seal.seal(encode(photo(), "png").data, "png", origin(ORIGINAL)).data, "first.png")
        for format in FORMATS:
            sealed = seal.seal(encode(photo(), format).data, format, origin(first))
            report = read_manifest(sealed.data, format, anchors=anchor)
            assert report is not None
            assert (report.state, report.chain, sealed.notes) == ("trusted", 2, ())
            (parent,) = report.ingredients
            assert parent.title == "first.png"
            assert parent.manifest
            assert parent.problems == ()

    def test_an_original_that_was_changed_after_its_signature_is_told(self, seal, anchor):
        first = bytearray(seal.seal(encode(photo(), "webp").data, "webp", origin(ORIGINAL)).data)
        first[60] ^= 1
        changed = replace(ORIGINAL, source=replace(ORIGINAL.source, data=bytes(first), format="webp"))
        sealed = seal.seal(encode(photo(), "png").data, "png", origin(changed))
        assert sealed.notes == (
            "the original's own manifest was not valid when it was opened: the file was changed after it was signed",
        )
        report = read_manifest(sealed.data, "png", anchors=anchor)
        assert report is not None
        assert report.ingredients[0].problems == ("the file was changed after it was signed",)

    def test_a_manifest_of_the_original_that_is_damaged_throughout_is_told(self, seal, anchor):
        data = seal.seal(encode(photo(), "png").data, "png", origin(ORIGINAL)).data
        broken = data.replace(b"c2pa.assertions", b"c2pa.assertionX")
        changed = replace(ORIGINAL, source=replace(ORIGINAL.source, data=broken))
        sealed = seal.seal(encode(photo(), "png").data, "png", origin(changed))
        report = read_manifest(sealed.data, "png", anchors=anchor)
        assert report is not None
        assert report.state == "trusted"
        assert "the original's own manifest" in sealed.notes[0]

    def test_previews_in_the_original_are_left_out_and_its_chain_stays_sound(self, seal, anchor):
        shown = replace(seal, thumbnails=True)
        first = opened(shown.seal(encode(photo(), "jpeg").data, "jpeg", origin(ORIGINAL)).data, "first.jpg")
        assert previews(first.source.data or b"", "jpeg") == 2
        sealed = seal.seal(encode(photo(), "png").data, "png", origin(first))
        assert previews(sealed.data, "png") == 0
        assert "2 previews" in sealed.notes[0]
        report = read_manifest(sealed.data, "png", anchors=anchor)
        assert report is not None
        assert (report.state, report.chain) == ("trusted", 2)
        assert [one.action for one in report.actions].count("c2pa.redacted") == 2
        kept = shown.seal(encode(photo(), "png").data, "png", origin(first)).data
        assert previews(kept, "png") == 4


def previews(data: bytes, format: str) -> int:
    """Pictures within the manifests of a file."""
    with c2pa.Reader(MIME_TYPES[format], io.BytesIO(data)) as reader:
        manifests = json.loads(reader.detailed_json())["manifests"].values()
    return sum(name.startswith("c2pa.thumbnail") for one in manifests for name in one["assertion_store"])


class TestPrivacy:
    def test_private_mode_has_no_prompt_model_name_or_picture(self, seal):
        told = replace(EDIT, prompt="a secret garden")
        shown = replace(seal, thumbnails=True)
        data = encode(photo(), "png").data
        plain = EditStatement(SourceType.HUMAN_EDITS, "remove", "exemplar")
        first = opened(shown.seal(data, "png", origin(photo(), plain)).data)  # what it says itself stays, but previews
        private = shown.seal(data, "png", origin(first, told, private=True)).data
        for word in (b"secret garden", b"a-model", b"holiday"):
            assert word not in private
            assert word in shown.seal(data, "png", origin(ORIGINAL, told)).data
        assert previews(private, "png") == 0

    def test_no_key_leaves_its_file(self, seal):
        secret = seal.key.read_bytes()
        body = b"".join(secret.splitlines()[1:-1])
        assert body not in pickle.dumps(seal)
        assert body not in seal.seal(encode(photo(), "png").data, "png", origin(ORIGINAL)).data
        from overpaint.record.c2pa import SigningCredentials

        assert body.decode()[:20] not in repr(SigningCredentials.read(seal.certificate, seal.key))


class TestConnections:
    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
        """The address of a server, and what is asked of it."""
        asked: list[str] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_error(404)

            do_POST = do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            yield f"http://127.0.0.1:{server.server_port}", asked
            server.shutdown()
            thread.join()

    def test_signing_and_verifying_connect_to_nothing(self, calls, root, tmp_path, monkeypatch):
        address, asked = calls
        chain, key, anchor = root.write(tmp_path / "c", ocsp=f"{address}/ocsp")
        xmp = ELSEWHERE.replace("ADDRESS", f"{address}/manifest.c2pa").encode()
        remote = encode(photo(xmp=xmp), "png").data

        def refused(*_: object) -> None:
            raise AssertionError("a connection")

        with monkeypatch.context() as blocked:
            blocked.setattr(socket.socket, "connect", refused)
            own = ManifestSeal(chain, key)
            own.check()
            sealed = own.seal(remote, "png", origin(opened(remote)))
            report = read_manifest(sealed.data, "png", anchors=anchors_of([anchor]))
            assert report is not None
            assert report.state == "trusted"
            assert report.ingredients[0].address == f"{address}/manifest.c2pa"
            assert "is not fetched, and not in the chain" in sealed.notes[0]
            elsewhere = read_manifest(remote, "png")
            assert elsewhere is not None
            assert (elsewhere.state, elsewhere.address) == ("elsewhere", f"{address}/manifest.c2pa")
        assert asked == []
        with pytest.raises(c2pa.C2paError):  # the library by itself would ask
            c2pa.Reader("image/png", io.BytesIO(remote))
        assert asked == ["/manifest.c2pa"]

    def test_a_time_stamping_authority_that_does_not_answer_is_named(self, calls, seal):
        address, asked = calls
        stamping = replace(seal, timestamp=f"{address}/stamp")
        stamping.check()
        assert asked == []
        with pytest.raises(OutputError, match=f"{address}/stamp gave no time stamp") as caught:
            stamping.seal(encode(photo(), "png").data, "png", origin(ORIGINAL))
        assert (caught.value.code, caught.value.field) == ("manifest-failed", "c2pa_timestamp")
        assert asked == ["/stamp"]


class TestTimestamps:
    @pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl, which plays the authority")
    def test_an_authority_certifies_when_it_was_signed(self, seal, anchor, tmp_path):
        authority = Root.make()
        chain, key, _ = authority.write(tmp_path / "tsa", purpose=x509.ExtendedKeyUsageOID.TIME_STAMPING)
        (tmp_path / "serial").write_text("01")
        (tmp_path / "tsa.cnf").write_text(
            f"[tsa]\ndefault_tsa = one\n[one]\nserial = {tmp_path}/serial\nsigner_cert = {chain}\nsigner_key = {key}\n"
            "signer_digest = sha256\ndefault_policy = 1.2.3\ndigests = sha256\ness_cert_id_alg = sha256\n"
        )

        class Authority(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                (tmp_path / "query").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
                words = ["openssl", "ts", "-reply", "-config", f"{tmp_path}/tsa.cnf", "-queryfile", f"{tmp_path}/query"]
                made = subprocess.run(words, capture_output=True, check=True).stdout
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.end_headers()
                self.wfile.write(made)

            def log_message(self, *_: object) -> None:
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Authority) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            stamping = replace(seal, timestamp=f"http://127.0.0.1:{server.server_port}/")
            signed = stamping.seal(encode(photo(), "png").data, "png", origin(ORIGINAL)).data
            server.shutdown()
            thread.join()
        report = read_manifest(signed, "png", anchors=anchor + authority.certificate.public_bytes(PEM).decode())
        assert report is not None
        assert report.state == "trusted"
        assert report.stamped.startswith("20")
        assert len((tmp_path / "query").read_bytes()) < 100  # a digest


class TestCredentials:
    def test_keys_of_every_kind_sign(self, root, tmp_path):
        keys = (
            ec.generate_private_key(ec.SECP384R1()),
            ec.generate_private_key(ec.SECP521R1()),
            ed25519.Ed25519PrivateKey.generate(),
            rsa.generate_private_key(65537, 2048),
        )
        for number, key in enumerate(keys):
            chain, private, _ = root.write(tmp_path / str(number), key)
            ManifestSeal(chain, private).check()

    def test_a_test_certificate_signs_and_its_anchor_vouches_for_it(self, tmp_path):
        files = make_test_certificate(tmp_path / "new" / "folder")
        assert files.key.stat().st_mode & 0o077 == 0
        own = ManifestSeal(files.certificate, files.key)
        own.check()
        sealed = own.seal(encode(photo(), "png").data, "png", origin(ORIGINAL))
        report = read_manifest(sealed.data, "png", anchors=anchors_of([files.anchor]))
        assert report is not None
        assert report.state == "trusted"
        assert "trusted by nobody" in report.signer
        with pytest.raises(OutputError, match="exists already"):
            make_test_certificate(files.key.parent)

    @pytest.mark.parametrize(
        ("fault", "code", "words"),
        [
            ("none", "credentials-invalid", "chain.pem can't be read"),
            ("folder", "credentials-invalid", "no regular file"),
            ("text", "credentials-invalid", "no certificate in PEM"),
            ("no-key", "credentials-invalid", "no private key"),
            ("bad-key", "credentials-invalid", "key .*key.pem can't be read"),
            ("password", "credentials-invalid", "has a password"),
            ("open", "key-open", "others may read"),
            ("other", "credentials-mismatch", "not that of the certificate"),
            ("order", "credentials-mismatch", "number 2"),
            ("expired", "credentials-expired", "has expired on"),
            ("early", "credentials-expired", "not valid before"),
            ("curve", "credentials-invalid", "kind that C2PA does not use"),
            ("purpose", "credentials-unfit", "can't sign manifests"),
            ("alone", "credentials-unfit", "self-signed"),
        ],
    )
    def test_what_can_not_sign_is_one_error_that_names_the_file(self, fault, code, words, root, tmp_path):
        how: dict[str, Any] = {
            "expired": {"start": -2 * DAY, "end": -DAY},
            "early": {"start": DAY, "end": 2 * DAY},
            "curve": {"key": ec.generate_private_key(ec.SECP256K1())},
            "purpose": {"purpose": x509.ExtendedKeyUsageOID.CODE_SIGNING},
        }.get(fault, {})
        chain, key, anchor = root.write(tmp_path / "c", **how)
        if fault == "none":
            chain.unlink()
        elif fault == "folder":
            chain = tmp_path
        elif fault == "text":
            chain.write_text("no certificate")
        elif fault == "no-key":
            key.write_bytes(anchor.read_bytes())
        elif fault == "bad-key":
            key.write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
        elif fault == "password":
            write_key(key, ec.generate_private_key(ec.SECP256R1()), b"secret")
        elif fault == "open":
            key.chmod(0o640)
        elif fault == "other":
            write_key(key, ec.generate_private_key(ec.SECP256R1()))
        elif fault == "order":
            one = chain.read_bytes()[: -len(anchor.read_bytes())]
            chain.write_bytes(anchor.read_bytes() + one)
        elif fault == "alone":
            chain.write_bytes(root.certificate.public_bytes(PEM))
            write_key(key, root.key)
        with pytest.raises(CredentialsError, match=words) as caught:
            ManifestSeal(chain, key).check()
        assert caught.value.code == code
        assert caught.value.field in ("c2pa_cert", "c2pa_key")
        assert str(caught.value.value) in (str(chain), str(key))

    def test_without_the_library_the_extra_is_named(self, seal, monkeypatch):
        monkeypatch.setitem(sys.modules, "c2pa", None)
        for call in (seal.check, lambda: read_manifest(b"", "png"), lambda: seal.seal(b"", "png", origin(ORIGINAL))):
            with pytest.raises(MissingExtraError, match=r"overpaint\[c2pa\]"):
                call()


class TestReading:
    @pytest.mark.parametrize("format", [*FORMATS, "gif", "bmp", None])
    def test_a_file_without_a_manifest_has_no_report(self, format):
        data = encode(photo(), format).data if format in FORMATS else b"GIF89a" + bytes(20)
        assert read_manifest(data, format) is None

    def test_a_manifest_that_expired_says_so(self, root, tmp_path, monkeypatch):
        from overpaint.record.c2pa import _report

        faults = [{"code": "signingCredential.untrusted"}, {"code": "signingCredential.expired"}]
        assert _report._problems(faults) == (
            "the certificate has expired, and no time stamp says that it was signed before",
        )

    @settings(max_examples=40)
    @given(data=st.data())
    def test_a_damaged_manifest_is_reported_and_raises_nothing(self, data, signed, anchor):
        start = signed["jpeg"].index(b"jumb")
        changed = bytearray(signed["jpeg"])
        for at in data.draw(st.lists(st.integers(start, start + 3000), min_size=1, max_size=4)):
            changed[at] ^= data.draw(st.integers(1, 255))
        report = read_manifest(bytes(changed), "jpeg", anchors=anchor)
        assert report is None or report.state in ("invalid", "trusted", "elsewhere", "untrusted")
        assert report is None or report.state != "invalid" or report.problems
