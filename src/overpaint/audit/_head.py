"""The head beside a log, NAME.head beside NAME.jsonl: a chain alone does not show that its end was cut off.

    {"count":N,"hash":H,"key":K,"made":T,"next":[H,...],"signature":S}

N is the number of the last line and H its hash. `next` announces lines that are about to be appended, by their hashes:
so a line that an interrupted append has left can be told from one that was put in. With a key, the rest is signed.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from overpaint.errors import InputError, RecordError
from overpaint.files import flush_folder, opened_regular, write_hidden_file
from overpaint.values import canonical_json, parse_json

from ._key import AuditKey
from ._line import ChainHead
from ._note import now

_MOST = 1 << 20  # bytes that are read of a head


@dataclass(frozen=True, slots=True)
class HeadFile:
    """What a head's file says.

    Attributes:
        end: The end of the chain.
        next: Hashes of the lines that are being appended.
        made: Time of the signature in UTC; "" without one.
        key: The public key of the signature; "" without one.
        signature: Of all the rest; "" for none.
    """

    end: ChainHead
    next: tuple[str, ...] = ()
    made: str = ""
    key: str = ""
    signature: str = ""

    @classmethod
    def of(cls, end: ChainHead, next: tuple[str, ...] = (), key: AuditKey | None = None) -> HeadFile:
        """A head, signed where there is a key."""
        if key is None:
            return cls(end, next)
        made = now()
        return cls(end, next, made, key.public, key.sign(_signed(end, next, made)))

    def is_signed_by(self, key: AuditKey) -> bool:
        """Whether the signature is this key's."""
        return key.checks(self.signature, _signed(self.end, self.next, self.made))

    def to_bytes(self) -> bytes:
        """The file's content: canonical JSON, without what is empty."""
        table = {**_table(self.end, self.next, self.made), "key": self.key, "signature": self.signature}
        kept = {name: value for name, value in table.items() if value or name == "count"}
        return canonical_json(kept).encode() + b"\n"


def _table(end: ChainHead, next: tuple[str, ...], made: str) -> dict[str, object]:
    return {"count": end.count, "hash": end.hash, "next": list(next), "made": made}


def _signed(end: ChainHead, next: tuple[str, ...], made: str) -> dict[str, object]:
    """What the signature is of; `what` keeps a checkpoint's from being taken for it."""
    return {"what": "end of an audit log", **_table(end, next, made)}


def head_bytes(end: ChainHead) -> bytes:
    """The content of a head's file, without a signature."""
    return HeadFile.of(end).to_bytes()


def head_path(log: Path) -> Path:
    """NAME.head beside NAME.jsonl."""
    return log.with_suffix(".head")


def read_head(log: Path) -> ChainHead | None:
    """The end of the chain by the head beside a log; None when there is no head, or an empty one.

    Raises:
        RecordError: The file is not a head.
    """
    head, fault = head_file(log)
    if head is None and "changed" in fault:
        raise RecordError(fault)
    return None if head is None else head.end


def head_file(log: Path) -> tuple[HeadFile | None, str]:
    """The head beside a log; or None, and in words why there is none."""
    path = head_path(log)
    try:
        with opened_regular(path) as file:
            data = file.read(_MOST)
    except FileNotFoundError:
        return None, f"{path.name} is missing"
    except OSError as error:
        return None, f"{path.name} was changed: it can't be read: {error.strerror or error}"
    if not data.strip(b"\0"):  # as a power cut can leave a file that was not flushed
        return None, f"{path.name} is empty"
    try:
        return _parsed(data), ""
    except (ValueError, TypeError, KeyError, AttributeError):
        form = '{"count":N,"hash":"..."}'
        return None, f"{path.name} was changed: a head is {form}, and this is {data[:80]!r}"


def _parsed(data: bytes) -> HeadFile:
    try:
        value = parse_json(data, "a head")
    except InputError as error:
        raise ValueError from error
    texts = [value.get(name, "") for name in ("made", "key", "signature")]
    head = HeadFile(ChainHead(value["count"], value["hash"]), tuple(value.get("next", ())), *texts)
    hashes = (head.end.hash, *head.next)
    if type(head.end.count) is not int or not all(re.fullmatch("[0-9a-f]{64}", one) for one in hashes):
        raise ValueError
    if head.to_bytes() != data:
        raise ValueError
    return head


def write_head(log: Path, head: HeadFile, *, flush_name: bool = False) -> None:
    """Write the head beside a log, flushed to the disk, so that a power cut leaves this head or the one before.

    Args:
        log: The log, whose lock is held: the hidden file has one name.
        head: The new head.
        flush_name: Whether the file's new name is flushed as well: of two heads the later one then survives.

    Raises:
        OSError, OutputError: It can't be written.
    """
    target = head_path(log)
    hidden = target.with_name(f".{target.name}.tmp")
    hidden.unlink(missing_ok=True)
    write_hidden_file(hidden, head.to_bytes(), target)
    os.replace(hidden, target)  # noqa: PTH105 - the head itself, where a link has its name
    if flush_name:
        flush_folder(target.parent)
