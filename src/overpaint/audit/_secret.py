"""Private mode: what was asked is kept as a keyed hash, which only who has the key can compare with a guess."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from overpaint.errors import OutputError, RecordError

_BYTES = 32
_PREFIX = "hmac-sha256:"


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """The key ("salt") of a log's private texts. It lies beside the log, in NAME.salt, and never in it.

    A plain hash of a prompt would be found by trying prompts; without the key, trying is no use (HMAC, RFC 2104). Who
    throws the key away makes the texts unprovable as well as unguessable.
    """

    key: bytes

    @classmethod
    def beside(cls, log: Path, *, make: bool = False) -> Secret:
        """The key beside a log.

        Args:
            log: The log's path.
            make: Whether to draw and keep one where there is none; only its owner can read it.

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
            raise RecordError(
                f"there is no {path}: without the salt that the log was written with, a prompt can't be compared"
            ) from None
        except (OSError, ValueError):
            raise RecordError(f"{path} can't be read, or is no salt: {2 * _BYTES} hexadecimal digits") from None
        if len(key) != _BYTES:
            raise RecordError(f"{path} is no salt: {len(key)} bytes and not {_BYTES}")
        return cls(key)

    def hash(self, text: str) -> str:
        """The keyed hash of a text (UTF-8, in composed form, without blanks around it) after "hmac-sha256:"."""
        plain = unicodedata.normalize("NFC", text.strip()).encode()
        return _PREFIX + hmac.new(self.key, plain, hashlib.sha256).hexdigest()

    def matches(self, text: str, hashed: str) -> bool:
        """Whether `hashed` is this text's."""
        return hmac.compare_digest(self.hash(text), hashed)


def _make(path: Path) -> None:
    """A key where there is none. Of several that begin together one wins, and a file is never seen half written."""
    if path.exists():
        return
    hidden = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(secrets.token_hex(_BYTES).encode())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(hidden, path)
        except FileExistsError:
            pass
        except OSError:  # no hard links here
            if not path.exists():
                hidden.replace(path)
    except OSError as error:
        raise OutputError(f"can't write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            hidden.unlink(missing_ok=True)
