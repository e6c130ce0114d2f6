"""The originals of sessions, decoded in a process of its own, of which the last ones are kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace

from overpaint.picture import Picture
from overpaint.server.decoding import decoded
from overpaint.server.reading import bounded
from overpaint.server.settings import ServerSettings


class OriginalCache:
    """Decoded originals within a limit of bytes. Thread-safe."""

    def __init__(self, settings: ServerSettings, most: int) -> None:
        """`most`: bytes of pixels that are kept."""
        self._settings = settings
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Picture] = OrderedDict()

    def open(self, data: bytes, sha256: str) -> Picture:
        """The picture of a file with this digest. Errors as for `overpaint.picture.open_picture`, and of the limits."""
        with self._lock:
            if (found := self._kept.get(sha256)) is not None:
                self._kept.move_to_end(sha256)
                return replace(found, source=replace(found.source, data=data))
        picture = bounded(self._settings, decoded, data, self._settings.most_pixels)
        with self._lock:
            self._kept[sha256] = picture
            while self._bytes > self._most:
                self._kept.popitem(last=False)
        return replace(picture, source=replace(picture.source, data=data))

    @property
    def bytes(self) -> int:
        """Bytes of the pixels that are kept."""
        with self._lock:
            return self._bytes

    @property
    def _bytes(self) -> int:
        return sum(bytes_of(picture) for picture in self._kept.values())


def bytes_of(picture: Picture) -> int:
    """Bytes of a picture's pixels."""
    return picture.samples.nbytes + (0 if picture.alpha is None else picture.alpha.nbytes)
