"""Signing a finished file."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from overpaint.errors import CredentialsError, OutputError
from overpaint.picture import Source, open_picture
from overpaint.picture.c2pa_store import holds_manifest, without_manifest
from overpaint.picture.png import SIGNATURE, chunk
from overpaint.record.provenance import Provenance, SealedFile

from ._credentials import CERTIFICATE, TIMESTAMP, SigningCredentials
from ._definition import definition, parent
from ._library import MIME_TYPES, context, library
from ._report import ManifestReport, preview_labels, read_manifest, reason_of

_BYTES_KEPT = ("png", "jpeg", "webp")  # a manifest is put between other parts, which stay as they are


@dataclass(frozen=True, slots=True)
class ManifestSeal:
    """Signs results with a C2PA manifest. It names the files of certificate and key, and reads them for each result: no
    key is kept or sent to another process.

    Attributes:
        certificate: The signer's certificate, then those that vouch for it (PEM).
        key: Its private key (PEM), which only its owner can read.
        timestamp: The address of a time-stamping authority (RFC 3161), which is sent a digest of each manifest; "" for
            none: then a signature counts as long as the certificate is valid.
        thumbnails: Whether the manifest has small pictures of the result and of the original, and keeps those that the
            original's manifests have. Never in private mode.
    """

    certificate: Path
    key: Path
    timestamp: str = ""
    thumbnails: bool = False

    @property
    def kind(self) -> str:
        """ "c2pa", with what is in the manifest beside what is always there."""
        extras = (("time stamp", bool(self.timestamp)), ("thumbnails", self.thumbnails))
        return " with ".join(["c2pa", *(name for name, there in extras if there)])

    def check(self) -> None:
        """Find out before any painting whether signing will work; nothing is sent anywhere.

        Raises:
            CredentialsError: The files can't be used; see `SigningCredentials.read`. A trial signature tests what C2PA
                asks of certificates.
            MissingExtraError: The extra `c2pa` is not installed.
        """
        c2pa = library()
        credentials = SigningCredentials.read(self.certificate, self.key)
        trial = _trial()
        try:
            signed = _signed(_TRIAL, "png", _builder(context(), trial), credentials, "")[0]
            report = read_manifest(signed, "png")
        except c2pa.C2paError as error:
            raise self._unfit(reason_of(error)) from None
        if report is None or report.state == "invalid":
            raise self._unfit("; ".join(report.problems) if report else "the trial signature can't be read")

    def seal(self, data: bytes, format: str, provenance: Provenance) -> SealedFile:
        """The file with a signed manifest, its pixels and all else as they are.

        Args:
            data: The finished file.
            format: Its format.
            provenance: What the manifest says.

        Raises:
            OutputError: It can't be signed, or something else than the manifest would change ("manifest-failed").
            CredentialsError, MissingExtraError: As for `check`.
        """
        if format not in MIME_TYPES or format in ("bmp", "jpeg2000"):
            raise _failed(f"no manifest can be put into a {format} file")
        credentials = SigningCredentials.read(self.certificate, self.key)
        thumbnails = self.thumbnails and not provenance.private
        notes: list[str] = []
        c2pa = library()
        try:
            builder = self._with_original(provenance, format, thumbnails, notes)
            signed, manifest = _signed(data, format, builder, credentials, self.timestamp)
        except c2pa.C2paError as error:
            stamps = bool(self.timestamp) and "http" in str(error).lower()
            what = f"{self.timestamp} gave no time stamp" if stamps else "the result can't be signed"
            raise _failed(f"{what}: {reason_of(error)}", TIMESTAMP if stamps else CERTIFICATE) from None
        _check_unchanged(data, signed, format)
        report = read_manifest(signed, format)
        if report is None or report.state == "invalid":
            raise _failed(f"the signed result is not valid: {'; '.join(report.problems) if report else 'no manifest'}")
        notes += _of_original(report)
        return SealedFile(signed, hashlib.sha256(manifest).hexdigest(), credentials.signer, tuple(notes))

    def _with_original(self, provenance: Provenance, format: str, thumbnails: bool, notes: list[str]) -> Any:
        """The builder of a manifest, with the original and its own manifests."""
        c2pa, original = library(), provenance.original
        how = context(thumbnails=thumbnails, timestamp=self.timestamp)
        kind = MIME_TYPES.get(original.format or "")
        if original.data is not None and kind is not None:
            redacted = () if thumbnails else _previews(original)
            try:
                builder = _builder(how, definition(provenance, format, redacted))
                builder.add_ingredient(parent(provenance), kind, io.BytesIO(original.data))
            except c2pa.C2paError as error:
                if holds_manifest(original.data, original.format):
                    reason = reason_of(error)
                    notes.append(f"the original's own manifest can't be read, and is not in the chain: {reason}")
            else:
                if redacted:
                    one = len(redacted) == 1
                    what = "a preview" if one else f"{len(redacted)} previews"
                    why = "which shows it unedited, is" if one else "which show it unedited, are"
                    notes.append(f"{what} in the original's manifests, {why} left out")
                return builder
        return _builder(how, {**definition(provenance, format), "ingredients": [parent(provenance)]})

    def _unfit(self, reason: str) -> CredentialsError:
        return CredentialsError(
            f"the certificate {self.certificate} can't sign manifests: {reason}",
            code="credentials-unfit",
            field=CERTIFICATE,
            value=str(self.certificate),
            hint="C2PA asks for a signing certificate that another one vouches for: docs/provenance.md says more",
        )


def _trial() -> dict[str, Any]:
    """A manifest that says nothing but that a picture was made."""
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation"
    created = {"action": "c2pa.created", "digitalSourceType": source}
    return {
        "claim_version": 2,
        "claim_generator_info": [{"name": "Overpaint"}],
        "format": "image/png",
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}],
    }


_TRIAL = b"".join(
    (
        SIGNATURE,
        chunk(b"IHDR", bytes((0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0))),
        chunk(b"IDAT", bytes.fromhex("789c636000000002000148afa471")),
        chunk(b"IEND", b""),
    )
)
"""A PNG of one black pixel."""


def _builder(how: Any, manifest: dict[str, Any]) -> Any:
    return library().Builder(manifest, context=how)


def _signed(
    data: bytes, format: str, builder: Any, credentials: SigningCredentials, timestamp: str
) -> tuple[bytes, bytes]:
    """The signed file, and the manifest store in it."""
    c2pa = library()
    info = c2pa.C2paSignerInfo(credentials.algorithm, credentials.chain, credentials.key, timestamp or None)
    with c2pa.Signer.from_info(info) as signer:
        out = io.BytesIO()
        manifest: bytes = builder.sign(signer, MIME_TYPES[format], io.BytesIO(data), out)
        return out.getvalue(), manifest


def _check_unchanged(data: bytes, signed: bytes, format: str) -> None:
    """Raise OutputError where signing changed anything but the manifest: a byte, or where parts of a file move, a pixel
    or a part of the metadata.
    """
    if format in _BYTES_KEPT:
        same = without_manifest(signed, format) == data
    else:
        before, after = open_picture(data), open_picture(signed)
        same = (
            np.array_equal(before.interleaved(), after.interleaved())
            and before.mode == after.mode
            and before.metadata == after.metadata
        )
    if not same:
        raise _failed("signing changed more of the file than its manifest")


def _previews(original: Source) -> tuple[str, ...]:
    """The previews in the manifests of an original."""
    assert original.data is not None
    if not holds_manifest(original.data, original.format):
        return ()
    return preview_labels(original.data, original.format or "")


def _of_original(report: ManifestReport) -> Iterator[str]:
    """Notes where the original's own manifest was not valid, or not there."""
    for one in report.ingredients:
        if one.problems:
            yield f"the original's own manifest was not valid when it was opened: {'; '.join(one.problems)}"
        if one.address:
            yield f"the original's own manifest lies at {one.address[:200]}: it is not fetched, and not in the chain"


def _failed(message: str, field: str = CERTIFICATE) -> OutputError:
    return OutputError(message, code="manifest-failed", field=field)
