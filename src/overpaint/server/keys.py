"""API keys: who a request is from, and what it may do.

A key is 32 random bytes, so that its SHA-256 in the file of keys gives nothing away and needs no slow hash. The file
has a line for each key: its name, what it may do, and the hash.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import re
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from overpaint.errors import RequestError
from overpaint.files import write_file

log = logging.getLogger("overpaint.server")

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


_LOOK = 0.5
"""Seconds between two looks whether the file of keys was changed."""


class ApiKeys:
    """The keys of a server. Those of a file are read anew once it was changed. Thread-safe."""

    def __init__(self, callers: Mapping[str, Caller], path: Path | None = None) -> None:
        """`callers` by the hexadecimal SHA-256 of their keys; `path` is the file that they are in."""
        self._callers = dict(callers)
        self._path = path
        self._seen = None if path is None else _version(path)
        self._looked = time.monotonic()
        self._lock = threading.Lock()

    @classmethod
    def read(cls, path: Path) -> ApiKeys:
        """The keys of a file. RequestError names its line that can't be used, and says where it has none."""
        found = _read(path)
        if not found:
            raise RequestError(f"{path} has no keys", field="key_file", value=str(path))
        return cls(found, path)

    @property
    def callers(self) -> list[Caller]:
        """Whose keys there are, in the order of the file."""
        return list(self._callers.values())

    def caller(self, key: str) -> Caller | None:
        """Whose key it is. Every hash is compared, each in constant time."""
        self._renew()
        digest, found = _digest(key), None
        for known, caller in self._callers.items():
            if hmac.compare_digest(known, digest):
                found = caller
        return found

    def has(self, name: str) -> bool:
        """Whether there is a key of this name."""
        self._renew()
        return any(one.name == name for one in self._callers.values())

    def _renew(self) -> None:
        """Read the file again where it was changed. While it can't be read, no key holds: one may have been removed."""
        now = time.monotonic()
        if self._path is None or now - self._looked < _LOOK:
            return
        with self._lock:
            self._looked = now
            seen = _version(self._path)
            if seen is not None and seen == self._seen:
                return
            try:
                callers = _read(self._path)
                log.info("read the keys of %s again: %d", self._path, len(callers))
            except RequestError as error:
                callers = {}
                if seen != self._seen:
                    log.error("no key holds until the file of keys can be read: %s", error)
            self._callers, self._seen = callers, seen


def _version(path: Path) -> tuple[int, int, int] | None:
    """By which a changed file is known; None where it can't be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(path: Path) -> dict[str, Caller]:
    """The callers of a file by the hash of their keys. RequestError names its line that can't be used."""
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
    if before.strip() and name in {one.name for one in _read(path).values()}:
        raise RequestError(f"there is a key {name!r} in {path} already", field="name", value=name)
    key = _KEY + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    text = before if before.endswith("\n") or not before else before + "\n"
    line = f"{name} {','.join(scopes)} {_digest(key)}\n"
    write_file(path, (text + line).encode(), overwrite=True, permissions=0o600)
    return key


def remove_key(path: Path, name: str) -> None:
    """Take a key out of a file; a server that runs with it takes the key no longer.

    Raises:
        RequestError: The file has no key of this name, or can't be read.
        OutputError: The file can't be written.
    """
    known = [one.name for one in _read(path).values()]
    if name not in known:
        hint = f"there are {', '.join(known)}" if known else ""
        raise RequestError(f"there is no key {name!r} in {path}", field="name", value=name, hint=hint)
    lines = path.read_text("utf-8").splitlines(keepends=True)
    left = "".join(line for line in lines if line.split()[:1] != [name])
    write_file(path, left.encode(), overwrite=True, permissions=0o600)


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
