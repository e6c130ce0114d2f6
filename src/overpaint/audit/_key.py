"""Keys that sign audit logs: Ed25519 (RFC 8032), in the files that OpenSSL writes and reads too (PEM)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overpaint.errors import CredentialsError, MissingExtraError
from overpaint.files import check_writable, write_file
from overpaint.record.key_files import is_private, read_key_file
from overpaint.values import canonical_json


@dataclass(frozen=True, slots=True)
class AuditKey:
    """A pair of keys, or the public one alone, which checks signatures and makes none.

    Attributes:
        public: The public key, 64 hexadecimal digits.
    """

    public: str
    _private: Any = field(default=None, repr=False, compare=False)

    @classmethod
    def make(cls, path: Path) -> AuditKey:
        """Make a pair: the private key in `path`, which its owner alone can read, and the public one in PATH.pub.

        Raises:
            OutputError: One of the files exists, or can't be written.
            MissingExtraError: The extra `audit` is not installed.
        """
        ed25519, forms = _library()
        check_writable(path)  # before: a folder may have no name
        private, beside = ed25519.Ed25519PrivateKey.generate(), path.with_name(path.name + ".pub")
        check_writable(beside)
        coded = private.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
        write_file(path, coded, permissions=0o600)
        public = private.public_key()
        write_file(beside, public.public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo))
        return cls(public.public_bytes_raw().hex(), private)

    @classmethod
    def read(cls, path: Path) -> AuditKey:
        """The key in a file.

        Raises:
            CredentialsError: It can't be read, is no Ed25519 key, or is encrypted; or others may read a private one
                ("key-open").
            MissingExtraError: The extra `audit` is not installed.
        """
        ed25519, forms = _library()
        data = read_key_file(path, "audit_key")
        try:
            if is_private(data):
                private = forms.load_pem_private_key(data, password=None)
                public = private.public_key()
            else:
                public, private = forms.load_pem_public_key(data), None
        except Exception as error:  # the library's errors have no common base
            message = f"{path} is no key without a password in PEM: {error}"
            raise CredentialsError(message, field="audit_key", value=str(path)) from None
        if not isinstance(public, ed25519.Ed25519PublicKey):
            message = f"{path} is a key of another kind than Ed25519"
            raise CredentialsError(message, field="audit_key", value=str(path))
        return cls(public.public_bytes_raw().hex(), private)

    @property
    def signs(self) -> bool:
        """Whether it has its private half."""
        return self._private is not None

    def sign(self, values: Mapping[str, object]) -> str:
        """The signature of a table of values, as canonical JSON: 128 hexadecimal digits."""
        found: bytes = self._private.sign(canonical_json(values).encode())
        return found.hex()

    def checks(self, signature: str, values: Mapping[str, object]) -> bool:
        """Whether a signature is of these values and by this key."""
        from cryptography.exceptions import InvalidSignature

        ed25519, _ = _library()
        if not re.fullmatch("[0-9a-f]{128}", signature):  # one form only, or a signed file could be changed
            return False
        try:
            key = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.public))
            key.verify(bytes.fromhex(signature), canonical_json(values).encode())
        except (InvalidSignature, ValueError):
            return False
        return True


def _library() -> tuple[Any, Any]:
    """The modules of Ed25519 and of files of keys."""
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise MissingExtraError.of("signing an audit log", "audit") from None
    return ed25519, serialization
