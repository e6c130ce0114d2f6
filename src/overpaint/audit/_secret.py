"""Private mode: prompts are kept as keyed hashes, which can be compared with a text only by the key's owner."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from overpaint.errors import OutputError, RecordError
from overpaint.files import write_file

_BYTES = 32
_PREFIX = "hmac-sha256:"


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """The key ("salt") of a log's private texts. It is kept beside the log, in NAME.salt, and never in it.

    A plain hash of a prompt can be found by trying prompts; without the key that is not possible (HMAC, RFC 2104).
    Without the key nobody can prove the texts either.
    """

    key: bytes

    @classmethod
    def beside(cls, log: Path, *, make: bool = False) -> Secret:
        """The key beside a log.

        Args:
            log: The log's path.
            make: Whether to make one where there is none; only its owner can read the file.

        Raises:
            RecordError: There is none, or it is damaged.
            OutputError: It can't be written.
        """
        path = log.with_suffix(".salt")
        if make:
            _make(path)
        try:
            key = bytes.fromhex(path.read_text(encoding="ascii"))
        except FileNotFoundError:
            raise RecordError(f"there is no {path}: without the log's salt, a prompt can't be compared") from None
        except (OSError, ValueError):
            raise RecordError(f"{path} can't be read, or is not a salt: {2 * _BYTES} hexadecimal digits") from None
        if len(key) != _BYTES:
            raise RecordError(f"{path} is not a salt: it has {len(key)} bytes, not {_BYTES}")
        return cls(key)

    def hash(self, text: str) -> str:
        """ "hmac-sha256:" and the keyed hash of a text (UTF-8, composed, without blanks at its ends)."""
        plain = unicodedata.normalize("NFC", text.strip()).encode()
        return _PREFIX + hmac.new(self.key, plain, hashlib.sha256).hexdigest()

    def matches(self, text: str, hashed: str) -> bool:
        """Whether `hashed` is the hash of this text."""
        return hmac.compare_digest(self.hash(text), hashed)


def _make(path: Path) -> None:
    """Make a key where there is none. Of several processes at once one wins; no file is seen half written."""
    try:
        write_file(path, secrets.token_hex(_BYTES).encode(), permissions=0o600)
    except OutputError:
        if not path.exists():
            raise
