"""A signer's certificates and private key, read from PEM files and checked."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overpaint.errors import CredentialsError, MissingExtraError
from overpaint.record.key_files import is_private, read_key_file

CERTIFICATE, KEY, TIMESTAMP, ANCHOR = "c2pa_cert", "c2pa_key", "c2pa_timestamp", "anchor"
"""Fields of errors."""


@dataclass(frozen=True, slots=True)
class SigningCredentials:
    """What a manifest is signed with.

    Attributes:
        chain: Certificates in PEM, the signer's first.
        key: The private key: PKCS #8 in PEM, without a password.
        algorithm: Of the signature, as C2PA names it: "es256", "ps256", "ed25519", ...
        signer: Whom the certificate names.
        expires: When it expires.
    """

    chain: bytes
    key: bytes = field(repr=False)
    algorithm: str
    signer: str
    expires: datetime.datetime

    @classmethod
    def read(cls, certificate: Path, key: Path) -> SigningCredentials:
        """Read and check the files.

        Raises:
            CredentialsError: One can't be read or is of another kind; others may read the private key ("key-open"); the
                key is not the certificate's ("credentials-mismatch"); a certificate has expired, or is not valid yet
                ("credentials-expired").
            MissingExtraError: The extra `c2pa` is not installed.
        """
        x509, forms = cryptography()
        chain = certificates(certificate, CERTIFICATE)
        private = _private_key(key, forms)
        _check_pair(private, chain, certificate, key)
        now = datetime.datetime.now(datetime.UTC)
        for one in chain:
            _check_dates(one, certificate, now)
        pem, plain = forms.Encoding.PEM, forms.NoEncryption()
        return cls(
            chain=b"".join(one.public_bytes(pem) for one in chain),
            key=private.private_bytes(pem, forms.PrivateFormat.PKCS8, plain),
            algorithm=_algorithm(private, key),
            signer=_name(chain[0], x509),
            expires=chain[0].not_valid_after_utc,
        )


def cryptography() -> tuple[Any, Any]:
    """The modules of certificates and of files of keys. MissingExtraError without them."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
    except ImportError:
        raise MissingExtraError.of("signing and verifying C2PA manifests", "c2pa") from None
    return x509, serialization


def certificates(path: Path, field: str) -> list[Any]:
    """The certificates in a file. CredentialsError where there is none."""
    x509, _ = cryptography()
    data = read_key_file(path, field)
    try:
        found: list[Any] = x509.load_pem_x509_certificates(data)
    except Exception as error:  # the library's errors have no common base
        message = f"{path} has no certificate in PEM that can be read: {error}"
        raise CredentialsError(message, field=field, value=str(path)) from None
    return found


def anchors_of(paths: Iterable[Path]) -> str:
    """The certificates of files as one text in PEM. CredentialsError where one has none."""
    _, forms = cryptography()
    found = [one for path in paths for one in certificates(path, ANCHOR)]
    return "".join(one.public_bytes(forms.Encoding.PEM).decode("ascii") for one in found)


def _private_key(path: Path, forms: Any) -> Any:
    data = read_key_file(path, KEY)
    if not is_private(data):
        raise CredentialsError(f"{path} has no private key in PEM", field=KEY, value=str(path))
    if b"ENCRYPTED" in data:
        raise CredentialsError(
            f"the private key {path} has a password, which nobody is asked for",
            field=KEY,
            value=str(path),
            hint="store it without one, in a file that only you can read: openssl pkey -in FILE -out NEW",
        )
    try:
        return forms.load_pem_private_key(data, password=None)
    except Exception as error:
        message = f"the private key {path} can't be read: {error}"
        raise CredentialsError(message, field=KEY, value=str(path)) from None


def _check_pair(private: Any, chain: list[Any], certificate: Path, key: Path) -> None:
    """Raise CredentialsError unless the key is that of the first certificate."""
    public = private.public_key()
    places = [number for number, one in enumerate(chain, 1) if _public(one) == public]
    if places and places[0] == 1:
        return
    message = f"the private key {key} is not that of the certificate {certificate}"
    if places:
        message = f"the private key {key} is that of the certificate number {places[0]} in {certificate}"
    raise CredentialsError(
        message,
        code="credentials-mismatch",
        field=KEY,
        value=str(key),
        hint="the signer's certificate comes first, then those that vouch for it" if places else "",
    )


def _public(certificate: Any) -> Any:
    try:
        return certificate.public_key()
    except Exception:  # a key of a kind that the library does not know
        return None


def _check_dates(certificate: Any, path: Path, now: datetime.datetime) -> None:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if start <= now <= end:
        return
    words = f"has expired on {end:%Y-%m-%d}" if now > end else f"is not valid before {start:%Y-%m-%d %H:%M} UTC"
    raise CredentialsError(
        f"a certificate in {path} {words}",
        code="credentials-expired",
        field=CERTIFICATE,
        value=str(path),
        hint="have it renewed" if now > end else "check the clock of this machine",
    )


def _algorithm(private: Any, path: Path) -> str:
    """The algorithm of signatures with a key (C2PA 2.2, 13.2.1)."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size >= 2048:
        return "ps256"
    curve = private.curve.name if isinstance(private, ec.EllipticCurvePrivateKey) else ""
    found = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}.get(curve)
    if found is None:
        raise CredentialsError(
            f"the private key {path} is of a kind that C2PA does not use",
            field=KEY,
            value=str(path),
            hint="it takes P-256, P-384, P-521, Ed25519 and RSA of 2048 bits or more",
        )
    return found


def _name(certificate: Any, x509: Any) -> str:
    """Organisation and name of a certificate's subject."""
    subject = certificate.subject
    parts = [
        str(one.value)
        for kind in (x509.NameOID.ORGANIZATION_NAME, x509.NameOID.COMMON_NAME)
        for one in subject.get_attributes_for_oid(kind)[:1]
    ]
    return ", ".join(dict.fromkeys(parts)) or subject.rfc4514_string()
