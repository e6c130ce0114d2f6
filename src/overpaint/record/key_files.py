"""Files with keys and certificates in PEM (RFC 7468)."""

from __future__ import annotations

import os
from pathlib import Path

from overpaint.errors import CredentialsError
from overpaint.files import opened_regular

_MOST = 1 << 18  # bytes; a chain of certificates has a few thousand


def read_key_file(path: Path, field: str) -> bytes:
    """The content of a file with a key or with certificates.

    A private key that others may read or change is refused, as ssh does; not where a system's modes say little.

    Args:
        path: The file.
        field: The field that names it.

    Raises:
        CredentialsError: It can't be read or is too large; or others may read a private key in it ("key-open").
    """
    try:
        with opened_regular(path) as file:
            data, mode = file.read(_MOST + 1), os.fstat(file.fileno()).st_mode
    except OSError as error:
        message = f"the file {path} can't be read: {error.strerror or error}"
        raise CredentialsError(message, field=field, value=str(path)) from None
    if len(data) > _MOST:
        raise CredentialsError(f"the file {path} is too large for keys or certificates", field=field, value=str(path))
    if is_private(data) and os.name == "posix" and mode & 0o077:
        raise CredentialsError(
            f"the private key {path} has the mode {mode & 0o777:04o}: others may read it, so that its signatures prove "
            "nothing",
            code="key-open",
            field=field,
            value=str(path),
            hint="make a new one, or, where you are sure that nobody has read it, close it: chmod 600",
        )
    return data


def is_private(data: bytes) -> bool:
    """Whether a file in PEM has a private key."""
    return b"PRIVATE KEY" in data
