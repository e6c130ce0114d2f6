"""A certificate of one's own for trying signatures out, which no public verifier trusts."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overpaint.files import check_folder, check_writable, write_file

from ._credentials import cryptography

ORGANISATION = "Overpaint test, trusted by nobody"
_DAYS = 365


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """The files of a test certificate.

    Attributes:
        certificate: The signer's certificate and the root's.
        key: The private key.
        anchor: The root's certificate, which a verifier takes for an anchor.
        expires: When they expire.
    """

    certificate: Path
    key: Path
    anchor: Path
    expires: datetime.datetime


def make_test_certificate(folder: Path) -> CertificateFiles:
    """Make a certificate for signing manifests and a root that vouches for it, with ECDSA keys (P-256).

    It has the extensions that C2PA asks for (C2PA 2.2, 14.5.1). The root's key is kept nowhere, so that it can issue
    nothing else.

    Args:
        folder: Where the files go; made where it is missing.

    Raises:
        OutputError: A file exists, or can't be written.
        MissingExtraError: The extra `c2pa` is not installed.
    """
    x509, forms = cryptography()
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    check_folder(folder)
    start = datetime.datetime.now(datetime.UTC).replace(microsecond=0) - datetime.timedelta(minutes=5)
    end = start + datetime.timedelta(days=_DAYS)
    found = CertificateFiles(folder / "test-chain.pem", folder / "test-key.pem", folder / "test-anchor.pem", end)
    for path in (found.certificate, found.key, found.anchor):
        check_writable(path)

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, name = _name(x509, "Test root"), _name(x509, "Test signer")
    root_id = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    root = _unsigned(x509, root_name, root_name, root_key, start, end)
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    root = root.add_extension(_uses(x509, "key_cert_sign", "crl_sign"), critical=True)
    root = root.add_extension(root_id, critical=False)
    leaf = _unsigned(x509, name, root_name, key, start, end)
    leaf = leaf.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    leaf = leaf.add_extension(_uses(x509, "digital_signature"), critical=True)
    leaf = leaf.add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    leaf = leaf.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    leaf = leaf.add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(root_id), critical=False)
    pem, plain = forms.Encoding.PEM, forms.NoEncryption()
    anchor = root.sign(root_key, hashes.SHA256()).public_bytes(pem)
    chain = leaf.sign(root_key, hashes.SHA256()).public_bytes(pem) + anchor
    write_file(found.key, key.private_bytes(pem, forms.PrivateFormat.PKCS8, plain), permissions=0o600)
    write_file(found.certificate, chain)
    write_file(found.anchor, anchor)
    return found


def _name(x509: Any, common: str) -> Any:
    oid = x509.NameOID
    return x509.Name(
        [x509.NameAttribute(oid.ORGANIZATION_NAME, ORGANISATION), x509.NameAttribute(oid.COMMON_NAME, common)]
    )


def _unsigned(x509: Any, name: Any, issuer: Any, key: Any, start: datetime.datetime, end: datetime.datetime) -> Any:
    made = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
    return made.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)


def _uses(x509: Any, *allowed: str) -> Any:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: name in allowed for name in names})
