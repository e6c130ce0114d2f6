"""How many values the JSON of a request may have."""

from __future__ import annotations

import logging

from starlette.exceptions import HTTPException

log = logging.getLogger("overpaint.server")

_MOST = 1_000_000
"""Values of a body of JSON. Reading more would hold up all other replies, and take much more memory than its bytes."""


def check_values(count: int) -> None:
    """Raise HTTPException (413) where a body has so many commas that it has more values than are read."""
    if count > _MOST:
        log.warning("refused a body of more than %d values", _MOST)
        raise HTTPException(413, f"the JSON of the request has more than {_MOST:,} values")
