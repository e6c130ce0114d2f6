"""The report as one page that needs nothing else: style, script and thumbnails are within it."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from overpaint.batch.thumbnails import ThumbnailStore
from overpaint.record import version

from .view import ReportRow

LARGE_BUDGET = 24 << 20
"""Bytes of large thumbnails that a page may hold; a batch that needs more gets small ones."""

BUDGET = 80 << 20
"""Bytes of thumbnails that a page may hold at all; beyond that, rows without a warning go without."""

CHUNK = 48
"""Rows whose thumbnails are read together, when the first of them is shown."""

_HEAD = 1 << 16  # bytes of a page that its mark is within

_PARTS = {"/*style*/": "page.css", "/*script*/": "page.js"}


def page(lines: Sequence[ReportRow], thumbnail_store: ThumbnailStore, name: str, head: str) -> bytes:
    """The page as UTF-8.

    Args:
        lines: Its rows.
        shelf: Their thumbnails. Of a batch too large for all, those of rows with warnings come first, then the others
            in their order until the page is full; the page says how many are left out.
        name: Of the batch.
        head: The end of the audit log's chain.
    """
    pictures, left_out = _pictures(lines, thumbnail_store)
    about = {
        "name": name,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "head": head,
        "left_out": left_out,
        "mark": mark_of(lines, head),
        "chunk": CHUNK,
    }
    text = _asset("page.html")
    for mark, asset in _PARTS.items():
        text = text.replace(mark, _asset(asset))
    before, _, after = text.partition("<!--data-->")
    parts = [before, _data("about", about), _data("data", [_row(line) for line in lines])]
    parts += [_data(f"pictures-{n}", part) for n, part in enumerate(batched(pictures, CHUNK))]
    return "\n".join((*parts, after)).encode()


def _data(name: str, value: Any) -> str:
    """A value in the page. It is no script until the page's own one reads it, so that thousands of thumbnails cost
    nothing before they are shown.
    """
    return f'<script type="application/json" id="{name}">{_json(value)}</script>'


def batched(items: Sequence[Any], count: int) -> list[Sequence[Any]]:
    """The items, so many at a time."""
    return [items[start : start + count] for start in range(0, len(items), count)]


def mark_of(lines: Sequence[ReportRow], head: str) -> str:
    """A digest of all that a page tells. When a row's state last changed is left out: a row that can't be begun is
    found so in every run.
    """
    digest = hashlib.sha256(f"{version()} {head}".encode())
    for line in lines:
        digest.update(
            _json([line.id, line.state, line.attempts, line.output, line.sha256, line.reason, line.details]).encode()
        )
    return digest.hexdigest()


def mark_in(page: Path) -> str:
    """The mark of a page that was written before; "" where there is none."""
    try:
        with page.open("rb") as file:
            found = re.search(rb'"mark":"([0-9a-f]{64})"', file.read(_HEAD))
    except OSError:
        return ""
    return found[1].decode() if found is not None else ""


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """JSON that can stand within a page: nothing in it ends the element that it is in."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _row(line: ReportRow) -> dict[str, Any]:
    return {
        **line.details,
        "row": line.row,
        "id": line.id,
        "state": line.state,
        "attempts": line.attempts,
        "output": line.output,
        "sha256": line.sha256,
        "reason": line.reason,
        "updated": round(line.updated),
    }


def _pictures(lines: Sequence[ReportRow], thumbnail_store: ThumbnailStore) -> tuple[list[list[str] | int], int]:
    """Before, mask and after of each row in base64, 0 for none; and how many were left out."""
    sizes = thumbnail_store.bytes("large")
    done = [index for index, line in enumerate(lines) if line.state == "done" and line.id in sizes]
    size: Literal["large", "small"] = "large"
    if sum(_in_base64(sizes[lines[index].id]) for index in done) > LARGE_BUDGET:
        size, sizes = "small", thumbnail_store.bytes("small")
    found: list[list[str] | int] = [0] * len(lines)
    used = left_out = 0
    for index in sorted(done, key=lambda index: not lines[index].details.get("warnings")):
        id = lines[index].id
        three = thumbnail_store.get(id, size) if used + _in_base64(sizes[id]) <= BUDGET else None
        if three is None:
            left_out += 1
            continue
        used += _in_base64(sizes[id])
        found[index] = [b64encode(one).decode("ascii") for one in three]
    return found, left_out


def _in_base64(count: int) -> int:
    return count * 4 // 3
