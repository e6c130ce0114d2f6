"""The report as one self-contained page: style, script and thumbnails are in it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from typing import Any, Literal

from overpaint.batch.thumbnails import ThumbnailStore

from .view import ReportRow

LARGE_BUDGET = 24 << 20
"""Most bytes of large thumbnails in a page; a batch that needs more gets small ones."""

BUDGET = 80 << 20
"""Most bytes of thumbnails in a page; beyond that, rows without a warning get none."""

CHUNK = 48
"""Rows whose thumbnails are read together, when the first of them is shown."""

_PARTS = {"/*style*/": "page.css", "/*script*/": "page.js"}


def page(rows: Sequence[ReportRow], thumbnails: ThumbnailStore, name: str, head: str) -> bytes:
    """The page as UTF-8.

    Args:
        rows: Its rows.
        thumbnails: Their thumbnails. Where there is no room for all, those of rows with warnings come first, then the
            others in their order until the page is full; the page says how many are left out.
        name: Name of the batch.
        head: The end of the audit log's chain.
    """
    pictures, left_out = _pictures(rows, thumbnails)
    about = {
        "name": name,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "head": head,
        "left_out": left_out,
        "chunk": CHUNK,
    }
    text = _asset("page.html")
    for mark, asset in _PARTS.items():
        text = text.replace(mark, _asset(asset))
    before, _, after = text.partition("<!--data-->")
    parts = [before, _data("about", about), _data("data", rows)]
    chunks = enumerate(range(0, len(pictures), CHUNK))
    parts += [_data(f"pictures-{number}", pictures[start : start + CHUNK]) for number, start in chunks]
    return "\n".join((*parts, after)).encode()


def _data(name: str, value: Any) -> str:
    """A value in the page, as data that its script reads when needed: thumbnails cost nothing before they are shown."""
    return f'<script type="application/json" id="{name}">{_json(value)}</script>'


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """JSON that can be put into a page: nothing in it ends its element."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _pictures(rows: Sequence[ReportRow], thumbnails: ThumbnailStore) -> tuple[list[list[str] | int], int]:
    """Before, mask and after of each row in base64, 0 for none; and how many rows were left out."""
    sizes = thumbnails.bytes("large")
    done = [index for index, row in enumerate(rows) if row["state"] in ("done", "needs-review") and row["id"] in sizes]
    size: Literal["large", "small"] = "large"
    if sum(_in_base64(sizes[rows[index]["id"]]) for index in done) > LARGE_BUDGET:
        size, sizes = "small", thumbnails.bytes("small")
    found: list[list[str] | int] = [0] * len(rows)
    used = left_out = 0
    for index in sorted(done, key=lambda index: not rows[index].get("warnings")):
        id = rows[index]["id"]
        three = thumbnails.get(id, size) if used + _in_base64(sizes[id]) <= BUDGET else None
        if three is None:
            left_out += 1
            continue
        used += _in_base64(sizes[id])
        found[index] = [b64encode(one).decode("ascii") for one in three]
    return found, left_out


def _in_base64(count: int) -> int:
    return count * 4 // 3
