"""Numbered events as server-sent events (HTML Living Standard, 9.2).

Lines are made with FastAPI's own formatter. Its support of endpoints that are generators is not used: it hands each
event through two queues and three tasks, which takes longer than all else between a job's end and its client.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from overpaint.server.events import NumberedEvents

_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
"""Nothing on the way keeps events: no cache, and no buffer of a proxy."""

_STILL_HERE = format_sse_event(comment="still here")

_TEXT = {"type": "string"}

DESCRIBED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/event-stream": {
                "itemSchema": {
                    "type": "object",
                    "properties": {"data": _TEXT, "event": _TEXT, "id": _TEXT},
                }
            }
        }
    }
}
"""The reply in the description of an API (OpenAPI 3.2, 4.14.4)."""


class EventStream(StreamingResponse):
    """The events after a number, None for all that are kept, as they come, until the last one. While there is none, a
    comment comes now and then, so that nothing on the way takes the connection for a dead one.
    """

    media_type = "text/event-stream"

    def __init__(self, events: NumberedEvents[Any], after: int | None) -> None:
        """Nothing is sent yet."""
        super().__init__(_lines(events, -1 if after is None else after), headers=_HEADERS)


async def _lines(events: NumberedEvents[Any], after: int) -> AsyncIterator[bytes]:
    async for event in events.follow(after, released=True):
        if event is None:
            yield _STILL_HERE
        else:
            yield format_sse_event(data_str=json.dumps(event.data), event=event.kind, id=str(event.number))
