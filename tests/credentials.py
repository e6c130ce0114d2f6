"""Certificates and keys of many kinds, as tests of signatures need them."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PEM = serialization.Encoding.PEM
DAY = datetime.timedelta(days=1)
EMAIL = x509.ExtendedKeyUsageOID.EMAIL_PROTECTION
USES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


@dataclass(frozen=True)
class Root:
    """A certificate that vouches for others, and its key."""

    certificate: x509.Certificate
    key: Any

    @classmethod
    def make(cls) -> Root:
        key = ec.generate_private_key(ec.SECP256R1())
        made = unsigned("root", "root", key, -DAY, DAY)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        made = made.add_extension(uses("key_cert_sign", "crl_sign"), critical=True)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        return cls(made.sign(key, hashes.SHA256()), key)

    def issue(
        self,
        key: Any,
        *,
        start: datetime.timedelta = -DAY,
        end: datetime.timedelta = DAY,
        purpose: x509.ObjectIdentifier = EMAIL,
        ocsp: str = "",
    ) -> x509.Certificate:
        """A certificate for signing manifests, unless the purpose is another one."""
        identifier = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        made = unsigned("signer", "root", key, start, end)
        made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        made = made.add_extension(uses("digital_signature"), critical=True)
        made = made.add_extension(x509.ExtendedKeyUsage([purpose]), critical=purpose != EMAIL)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        own = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
        made = made.add_extension(own, critical=False)
        if ocsp:
            at = x509.AccessDescription(x509.AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp))
            made = made.add_extension(x509.AuthorityInformationAccess([at]), critical=False)
        return made.sign(self.key, hashes.SHA256())

    def write(self, folder: Path, key: Any = None, **how: Any) -> tuple[Path, Path, Path]:
        """The files of a chain, of its key and of the root, in a new folder."""
        folder.mkdir(parents=True, exist_ok=True)
        key = key or ec.generate_private_key(ec.SECP256R1())
        chain, private, anchor = folder / "chain.pem", folder / "key.pem", folder / "anchor.pem"
        anchor.write_bytes(self.certificate.public_bytes(PEM))
        chain.write_bytes(self.issue(key, **how).public_bytes(PEM) + anchor.read_bytes())
        write_key(private, key)
        return chain, private, anchor


def write_key(path: Path, key: Any, password: bytes | None = None) -> None:
    """A private key in a file that only its owner can read."""
    coding = serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
    path.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, coding))
    path.chmod(0o600)


def unsigned(
    name: str, issuer: str, key: Any, start: datetime.timedelta, end: datetime.timedelta
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(named(name)).issuer_name(named(issuer)).public_key(key.public_key())
    return made.serial_number(x509.random_serial_number()).not_valid_before(now + start).not_valid_after(now + end)


def named(name: str) -> x509.Name:
    oid = x509.NameOID
    return x509.Name(
        [x509.NameAttribute(oid.ORGANIZATION_NAME, "Test house"), x509.NameAttribute(oid.COMMON_NAME, name)]
    )


def uses(*allowed: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in allowed for name in USES})
