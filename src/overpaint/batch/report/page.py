"""The report as one page that needs nothing else: style, script and thumbnails are within it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from typing import Any, Literal

from overpaint.batch.small import Shelf

from .view import Line

LARGE_BUDGET = 24 << 20
"""Bytes of large thumbnails that a page may hold; a batch that needs more gets small ones."""

BUDGET = 80 << 20
"""Bytes of thumbnails that a page may hold at all; beyond that, rows without a warning go without."""

_PARTS = {"/*style*/": "page.css", "/*script*/": "page.js"}


def page(lines: Sequence[Line], shelf: Shelf, name: str, head: str) -> bytes:
    """The page as UTF-8.

    Args:
        lines: Its rows.
        shelf: Their thumbnails. Of a batch too large for all, those of rows with warnings come first, then the others
            in their order until the page is full; the page says how many are left out.
        name: Of the batch.
        head: The end of the audit log's chain.
    """
    pictures, left_out = _pictures(lines, shelf)
    about = {
        "name": name,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "head": head,
        "left_out": left_out,
    }
    text = _asset("page.html")
    for mark, asset in _PARTS.items():
        text = text.replace(mark, _asset(asset))
    before, _, rest = text.partition("/*data*/")
    data = {"ABOUT": about, "ROWS": [_row(line) for line in lines], "PICTURES": pictures}
    script = "".join(f"const {name}={_json(value)};" for name, value in data.items())
    return b"".join((before.encode(), script.encode(), rest.encode()))


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """JSON that can stand within a script: no end tag, and no line end that scripts know and JSON does not."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _row(line: Line) -> dict[str, Any]:
    return {
        **line.told,
        "row": line.row,
        "id": line.id,
        "state": line.state,
        "attempts": line.attempts,
        "output": line.output,
        "sha256": line.sha256,
        "reason": line.reason,
        "updated": round(line.updated),
    }


def _pictures(lines: Sequence[Line], shelf: Shelf) -> tuple[list[list[str] | int], int]:
    """Before, mask and after of each row in base64, 0 for none; and how many were left out."""
    done = [index for index, line in enumerate(lines) if line.state == "done"]
    size = _size([lines[index].id for index in done], shelf)
    found: list[list[str] | int] = [0] * len(lines)
    used = left_out = 0
    for index in sorted(done, key=lambda index: not lines[index].told.get("warnings")):
        three = shelf.get(lines[index].id, size)
        if three is None:
            continue
        used += sum(map(len, three)) * 4 // 3
        if used > BUDGET:
            left_out += 1
            continue
        found[index] = [b64encode(one).decode("ascii") for one in three]
    return found, left_out


def _size(ids: Sequence[str], shelf: Shelf) -> Literal["large", "small"]:
    total = 0
    for id in ids:
        three = shelf.get(id, "large")
        total += 0 if three is None else sum(map(len, three)) * 4 // 3
        if total > LARGE_BUDGET:
            return "small"
    return "large"
