"""IOPaint's API (Lama Cleaner's successor), as its own page and its plug-ins call it, and Lama Cleaner's before it.

Where the mask is lighter than 127 of 255, whatever its transparency, is repainted; every other pixel is kept. The reply
is the picture itself, in the format that it came in, with its seed in X-Seed. IOPaint's settings for high resolution
have no effect: every picture is worked on at full size.
"""

from __future__ import annotations

from fastapi import APIRouter

from . import edits, lama_cleaner, lists, masks, medias, plugins
from .errors import PREFIXES, STATUSES, error_body
from .sockets import include_sockets, sockets_of

__all__ = ["PREFIXES", "STATUSES", "error_body", "include_sockets", "router", "sockets_of"]

router = APIRouter()
for _part in (edits, lists, masks, medias, plugins, lama_cleaner):
    router.routes.extend(_part.router.routes)
