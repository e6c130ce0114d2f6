"""Where a server is, and the key for it: from arguments, the environment, or a file."""

from __future__ import annotations

import ipaddress
import os
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from overpaint.errors import CredentialsError, RequestError
from overpaint.files import opened_regular

SERVER_VARIABLE, KEY_VARIABLE, KEY_FILE_VARIABLE = "OVERPAINT_SERVER", "OVERPAINT_KEY", "OVERPAINT_KEY_FILE"
"""Environment variables with the URL of a server, the key for it, and the file of the key."""

_LONGEST = 4096  # bytes of a file with a key


class OpenConnectionWarning(UserWarning):
    """A key and pictures go to another machine without encryption."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server is.

    Attributes:
        url: Its URL without a slash at the end: "http://127.0.0.1:7860".
        key: The key for it; None where it needs none. It is not printed.
    """

    url: str
    key: str | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """The host's name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def is_local(self) -> bool:
        """Whether it is this machine."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def open(self) -> bool:
        """Whether a key would go over a network without encryption."""
        return self.key is not None and self.url.startswith("http://") and not self.is_local


def address_of(
    url: str | None = None, key: str | None = None, key_file: str | os.PathLike[str] | None = None
) -> ServerAddress:
    """The address of a server.

    Args:
        url: Its URL; left out, that of OVERPAINT_SERVER.
        key: The key; left out, that of `key_file`, of OVERPAINT_KEY, or of the file that OVERPAINT_KEY_FILE names.
        key_file: A file with the key, which nobody else may read.

    Raises:
        RequestError: There is no URL, or it is none of a server.
        CredentialsError: The key can't be read, or can't be one.
    """
    given = url or os.environ.get(SERVER_VARIABLE) or ""
    found = ServerAddress(_checked_url(given), _key(key, key_file))
    if found.open:
        warnings.warn(
            f"the key for {found.host} and all pictures go to it without encryption: use an https URL or a tunnel",
            OpenConnectionWarning,
            stacklevel=3,
        )
    return found


def _checked_url(url: str) -> str:
    if not url:
        raise _no_url("no server is named", url, f"set server, or the environment variable {SERVER_VARIABLE}")
    example = "write it as http://HOST:PORT"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _no_url("{field} is no URL", None, example) from None
    if parts.username is not None or parts.password is not None:
        raise _no_url("{field} has a user's name or a password in it", None, "give the key by itself")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise _no_url(f"{{field}} {url!r} is no URL of a server", url, example)
    if parts.query or parts.fragment:
        raise _no_url("{field} has a query or a fragment in it", None, f"{example}, and nothing behind it")
    return url.rstrip("/")


def _no_url(message: str, value: str | None, hint: str) -> RequestError:
    return RequestError(message, code="server-url", field="server", value=value, hint=hint)


def _key(key: str | None, file: str | os.PathLike[str] | None) -> str | None:
    if key is None and file is not None:
        return _key_in(Path(file))
    if key is None:
        key = os.environ.get(KEY_VARIABLE) or None
    if key is None and (named := os.environ.get(KEY_FILE_VARIABLE)):
        return _key_in(Path(named))
    if key is not None and not re.fullmatch(r"[\x21-\x7e]{1,1024}", key):
        raise CredentialsError("the key has characters that no key has", field="key")
    return key


def _key_in(path: Path) -> str:
    """The key in a file: its only line that is no comment."""
    try:
        with opened_regular(path) as file:
            data, mode = file.read(_LONGEST + 1), os.fstat(file.fileno()).st_mode
        text = data.decode()
    except OSError as error:
        raise _no_key(path, f"can't be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise _no_key(path, "is not UTF-8 text") from None
    if os.name == "posix" and mode & 0o077:
        raise CredentialsError(
            f"the key file {path} has the mode {mode & 0o777:04o}, so that others may read it",
            code="key-open",
            field="key_file",
            value=str(path),
            hint="close it: chmod 600",
        )
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if len(data) > _LONGEST or len(lines) != 1 or not re.fullmatch(r"[\x21-\x7e]{1,1024}", lines[0]):
        raise _no_key(path, "does not hold one key on one line")
    return lines[0]


def _no_key(path: Path, why: str) -> CredentialsError:
    return CredentialsError(f"the key file {path} {why}", field="key_file", value=str(path))
