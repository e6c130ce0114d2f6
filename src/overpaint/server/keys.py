"""API keys: who a request is from, and what it may do.

A key is 32 random bytes, so that its SHA-256 in the file of keys gives nothing away and needs no slow hash. The file
has a line for each key: its name, what it may do, and the hash.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from overpaint.errors import RequestError
from overpaint.files import write_file

Scope = Literal["read", "edit", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""read: see one's own pictures and jobs; edit: make and delete them; admin: see figures of the whole server as well."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_KEY = "op-"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a request is from.

    Attributes:
        name: The key's name; pictures and jobs belong to it.
        scopes: What it may do.
    """

    name: str
    scopes: frozenset[Scope]


LOCAL = Caller("local", frozenset(SCOPES))
"""The user of this machine, where a server has no keys."""


class ApiKeys:
    """The keys of a server."""

    def __init__(self, callers: Mapping[str, Caller]) -> None:
        """`callers` by the hexadecimal SHA-256 of their keys."""
        self._callers = dict(callers)

    @classmethod
    def read(cls, path: Path) -> ApiKeys:
        """The keys of a file. RequestError names its line that can't be used."""
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise RequestError(
                f"{path} can't be read: {reason}",
                field="key_file",
                value=str(path),
                hint="the verb 'keys add' makes it" if not path.exists() else "",
            ) from None
        found: dict[str, Caller] = {}
        for number, line in enumerate(lines, 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            try:
                name, scopes, digest = words
                if not _NAME.fullmatch(name) or not re.fullmatch("[0-9a-f]{64}", digest):
                    raise ValueError
                chosen = frozenset(one for one in SCOPES if one in scopes.split(","))
                if len(chosen) != len(scopes.split(",")):
                    raise ValueError
            except ValueError:
                raise RequestError(
                    f"{path}, line {number}: a key is written as NAME SCOPES HASH",
                    field="key_file",
                    hint=f"the scopes are {', '.join(SCOPES)}, with commas and without spaces",
                ) from None
            found[digest] = Caller(name, chosen)
        if not found:
            raise RequestError(f"{path} has no keys", field="key_file", value=str(path))
        return cls(found)

    @property
    def callers(self) -> list[Caller]:
        """Whose keys there are, in the order of the file."""
        return list(self._callers.values())

    def caller(self, key: str) -> Caller | None:
        """Whose key it is. Every hash is compared, each in constant time."""
        digest, found = _digest(key), None
        for known, caller in self._callers.items():
            if hmac.compare_digest(known, digest):
                found = caller
        return found


def new_key(path: Path, name: str, scopes: tuple[Scope, ...] = ("read", "edit")) -> str:
    """Make a key, add its hash to a file, and return it: it is written nowhere else.

    Raises:
        RequestError: The name can't be used or is taken, or the file can't be read.
        OutputError: The file can't be written.
    """
    if not _NAME.fullmatch(name):
        raise RequestError(
            f"{name!r} can't be the name of a key",
            field="name",
            value=name,
            hint="use up to 64 letters, digits, dots, hyphens and underscores",
        )
    before = path.read_text("utf-8") if path.exists() else ""
    if before.strip() and name in {one.name for one in ApiKeys.read(path).callers}:
        raise RequestError(f"there is a key {name!r} in {path} already", field="name", value=name)
    key = _KEY + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    text = before if before.endswith("\n") or not before else before + "\n"
    line = f"{name} {','.join(scopes)} {_digest(key)}\n"
    write_file(path, (text + line).encode(), overwrite=True, permissions=0o600)
    return key


def key_in(authorization: str | None, header: str | None) -> str | None:
    """The key of a request: `Authorization: Bearer KEY`, Basic authentication with the key as the password, or the
    header X-API-Key. None where there is none; an empty header counts as none, as some clients always send one.
    """
    if header and header.strip():
        return header.strip()
    scheme, _, rest = (authorization or "").strip().partition(" ")
    if scheme.lower() == "bearer" and rest.strip():
        return rest.strip()
    if scheme.lower() == "basic" and rest.strip():
        try:
            _, _, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return password
    return rest.strip() or scheme or None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
