"""What a log says of outputs: the digests that were written at a place, and whether a batch has removed the file."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overpaint.errors import InputError
from overpaint.values import parse_json

from ._find import lines_of
from ._line import computed_hash, link_of, record_text


@dataclass(slots=True)
class LoggedOutput:
    """An output by its lines.

    Attributes:
        digests: Of every file that was written there.
        last: The last record of an edit, as text.
        pruned: Digests of files that the log says were removed since that record.
    """

    digests: set[str] = field(default_factory=set)
    last: bytes = b""
    pruned: set[str] = field(default_factory=set)


def logged_outputs(log: Path, places: Collection[str]) -> dict[str, LoggedOutput]:
    """What a log says of these places, by place; lines whose hash is wrong say nothing.

    Raises:
        RecordError: The log can't be read.
    """
    found: dict[str, LoggedOutput] = {}
    for line in lines_of(log):
        bare = line.rstrip(b"\n")
        link = link_of(bare)
        if link is None or computed_hash(bare) != link.hash:
            continue
        text = record_text(bare)
        try:
            _take(parse_json(text, "a record"), text, places, found)
        except (InputError, TypeError, KeyError, AttributeError):
            continue
    return found


def _take(table: Any, text: bytes, places: Collection[str], found: dict[str, LoggedOutput]) -> None:
    if table["kind"] == "edit" and table["output"]["place"] in places:
        known = found.setdefault(table["output"]["place"], LoggedOutput())
        known.digests.add(table["output"]["sha256"])
        known.last = text
        known.pruned.clear()
    elif table["kind"] == "note" and table["what"] == "pruned":
        for one in table.get("files", ()):
            if one["place"] in places:
                found.setdefault(one["place"], LoggedOutput()).pruned.add(one["sha256"])
