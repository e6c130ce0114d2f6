"""Replies to clients that read slowly: a large one goes in parts, and one that is read too slowly ends."""

from __future__ import annotations

import logging
import time

from starlette.types import Message, Send

log = logging.getLogger("overpaint.server")

_PART = 256 << 10
"""Bytes that are given to a connection at a time: before the next ones it waits for its client."""

_SLOWEST = 16 << 10
"""Bytes a second that a client must read, after the first seconds."""


def read_in_time(send: Send, seconds: float) -> Send:
    """`send` for a reply that must be read at a certain rate; where it is not, the rest of it is left out, and its
    connection ends as one of a reply that is not complete.

    Args:
        send: Of the connection; it waits while its client reads nothing.
        seconds: That a client may keep it waiting, beside what the rate allows.
    """
    sent, waited, late = 0, 0.0, False

    async def sending(message: Message) -> None:
        nonlocal sent, waited, late
        if message["type"] != "http.response.body":
            await send(message)
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        for start in range(0, max(1, len(body)), _PART):
            if late:
                return
            began, part = time.monotonic(), body[start : start + _PART]
            await send({"type": message["type"], "body": part, "more_body": more or start + _PART < len(body)})
            waited += time.monotonic() - began
            sent += len(part)
            if waited > seconds + sent / _SLOWEST:
                late = True
                log.warning("a reply of which %d bytes were read in %.0f s was cut off", sent, waited)

    return sending
