"""The C2PA library, set up so that it opens no connection but to a time-stamping authority that the user names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from overpaint.errors import MissingExtraError

MIME_TYPES = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "tiff": "image/tiff",
    "avif": "image/avif",
    "heif": "image/heic",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "jpeg2000": "image/jp2",
}
"""By format, as in `Source.format`. The library looks for manifests in all but BMP and JPEG 2000."""


def library() -> Any:
    """The package c2pa (c2pa-python). MissingExtraError where it can't be loaded."""
    try:
        import c2pa
    except (ImportError, OSError, RuntimeError):  # RuntimeError: without its shared library
        raise MissingExtraError.of("signing and verifying C2PA manifests", "c2pa") from None
    return c2pa


def context(*, anchors: str = "", thumbnails: bool = False, timestamp: str = "") -> Any:
    """Settings of the library.

    Args:
        anchors: Certificates in PEM that are trusted; none where it is "".
        thumbnails: Whether small pictures are made of what is signed.
        timestamp: The address of a time-stamping authority, the only one that may be connected to.
    """
    host = urlsplit(timestamp).hostname
    hosts: Sequence[str] = () if host is None else (host,)
    settings: dict[str, Any] = {
        "core": {"allowed_network_hosts": list(hosts)},
        "verify": {"verify_trust": True, "ocsp_fetch": False, "remote_manifest_fetch": False},
        "builder": {"thumbnail": {"enabled": thumbnails}},
    }
    if anchors:
        settings["trust"] = {"trust_anchors": anchors}
    return library().Context.from_dict(settings)
