"""Replies that are files of the disk, as they are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from fastapi import Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

_WHOLE = 1 << 20
"""Bytes of a file that is sent in one piece. A larger one goes in parts: a client that reads slowly holds no more."""

_PART = 256 << 10


def file_reply(file: BinaryIO, media: str, headers: Mapping[str, str]) -> Response:
    """A reply with all of an open file, which it closes.

    Args:
        file: The file.
        media: Its media type.
        headers: Further headers.
    """
    size = os.fstat(file.fileno()).st_size
    if size <= _WHOLE:
        with file:
            return Response(file.read(), media_type=media, headers=dict(headers))
    return StoredFile(file, media, {**headers, "content-length": str(size)})


class StoredFile(StreamingResponse):
    """A file that is read as fast as its client takes it, and closed also where that leaves."""

    def __init__(self, file: BinaryIO, media: str, headers: Mapping[str, str]) -> None:
        """`headers` are all but the media type."""
        super().__init__(_parts(file), media_type=media, headers=headers)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


def _parts(file: BinaryIO) -> Iterator[bytes]:
    while part := file.read(_PART):
        yield part
