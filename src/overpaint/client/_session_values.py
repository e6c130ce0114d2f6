"""What a server says of a session, and the files that it makes of one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from overpaint.audit import ChainHead, head_bytes, head_path
from overpaint.errors import FormatError, SessionError, UnknownFormatError
from overpaint.files import opened_regular, write_file
from overpaint.geometry import Box, Size
from overpaint.layers import layered_format
from overpaint.picture import format_of, format_of_path
from overpaint.session import Step

from ._values import ServerAnswer, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionListing(ServerAnswer):
    """What a list of sessions says of one.

    Attributes:
        id: Its name on the server.
        name: Its name for people.
        created: Seconds since 1970.
        width, height: Of the original, in pixels.
        audited: Whether it has an audit log.
    """

    id: str
    name: str
    created: float
    width: int
    height: int
    audited: bool = False

    @property
    def size(self) -> Size:
        """Width and height of the original in pixels."""
        return Size(self.width, self.height)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSnapshot(ServerAnswer):
    """How a session is, or was when it was last asked for.

    Attributes:
        id: Its name on the server.
        name: Its name for people.
        created: Seconds since 1970.
        version: Grows with each change.
        canvas: The present picture's box in pixels of the original.
        original: The SHA-256 of the original's file.
        picture: A digest that changes with the present picture.
        branch: The present branch.
        branches: All branches.
        undo_count, undo_text: How often something can be undone, and what is undone next; "" for nothing.
        redo_count, redo_text: The same of what can be done again.
        steps: From below to above.
        bytes: Of its file.
        torn: Whether the file's end was lost by a crash, and the rest is whole.
        audited: Whether it has an audit log.
        jobs: The ids of its jobs that wait or run.
    """

    id: str
    name: str
    created: float
    version: int
    canvas: Box
    original: str
    picture: str
    branch: str
    branches: tuple[str, ...]
    undo_count: int
    undo_text: str
    redo_count: int
    redo_text: str
    steps: tuple[Step, ...]
    bytes: int
    torn: bool = False
    audited: bool = False
    jobs: tuple[str, ...] = ()

    @property
    def size(self) -> Size:
        """Width and height of the present picture in pixels."""
        return self.canvas.size

    @classmethod
    def _parts(cls, table: Any) -> dict[str, Any]:
        found = plain(table)
        left, top, undo, redo = found["left"], found["top"], found["undo"], found["redo"]
        return {
            **found,
            "canvas": Box(left, top, left + found["width"], top + found["height"]),
            "undo_count": undo["count"],
            "undo_text": undo["text"],
            "redo_count": redo["count"],
            "redo_text": redo["text"],
            "steps": tuple(_step(one) for one in found["steps"]),
        }


def _step(table: Mapping[str, Any]) -> Step:
    found = plain(table)
    known = {name: found[name] for name in Step.__dataclass_fields__}
    return Step(**{**known, "box": Box(*known["box"]), "aside": tuple(known["aside"])})


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A file that a server made of a session.

    Attributes:
        data: Its bytes.
        format: "png", "jpeg", "psd", ...; "overpaint" for a whole session, "jsonl" for an audit log.
        notes: For people: what the file can't hold, say.
        head: Of an audit log, the end of its chain; None for other files.
    """

    data: bytes
    format: str
    notes: tuple[str, ...] = ()
    head: ChainHead | None = None

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the file, whole or not at all; an audit log with its head beside it. Returns its path.

        Raises:
            FormatError: The name's extension says another format of pictures.
            OutputError: The file exists, or can't be written.
        """
        said = _format_said(path)
        if said not in ("", self.format):
            raise FormatError(
                f"the file is {self.format}, and the name {Path(path).name} says {said}",
                field="output",
                value=str(path),
                hint=f"export it with format {said!r}, or give another name",
            )
        write_file(path, self.data, overwrite=overwrite)
        if self.head is not None:
            write_file(head_path(Path(path)), head_bytes(self.head), overwrite=overwrite)
        return Path(path)


def _format_said(path: str | os.PathLike[str]) -> str:
    """The format of pictures that a name says; "" for none."""
    for of_name in (format_of_path, layered_format):
        try:
            return of_name(path)
        except UnknownFormatError:
            continue
    return ""


def session_file(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a session's file. Raises SessionError where it can't be read."""
    try:
        with opened_regular(path) as file:
            return file.read()
    except OSError as error:
        message = f"{path} can't be read: {error.strerror or error}"
        raise SessionError(message, field="session", value=str(path)) from None


def audit_file(data: bytes, headers: Mapping[str, str]) -> ServedFile:
    """An audit log with the end of its chain. ValueError or KeyError where the headers don't say that."""
    count, _, digest = headers["overpaint-audit-head"].partition(":")
    return ServedFile(data, "jsonl", head=ChainHead(int(count), digest))


def exported_file(data: bytes, format: str | None, headers: Mapping[str, str]) -> ServedFile:
    """A file as it came, in the format that was asked for; where none was, in that of its bytes."""
    noted = unquote(headers.get("x-overpaint-note", ""))
    return ServedFile(data, format or format_of(data) or "", tuple(one for one in noted.split("; ") if one))
