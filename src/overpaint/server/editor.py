"""The editor at /: a page, its script and its style, built from /web and read from the package once."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from .described import PREFIX

router = APIRouter(include_in_schema=False)

FILES = {
    "index.html": "text/html; charset=utf-8",
    "editor.js": "text/javascript; charset=utf-8",
    "panels.js": "text/javascript; charset=utf-8",
    "de.js": "text/javascript; charset=utf-8",
    "worker.js": "text/javascript; charset=utf-8",
    "editor.css": "text/css; charset=utf-8",
}
"""What a browser may ask for, and its media type."""

PATHS = tuple(f"/{name}" for name in FILES if name != "index.html")
"""Paths that need no key, as they tell nothing of the server; the page asks for one where the API does."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""No inline script or style, no eval, and no other site (Content Security Policy Level 3, W3C)."""

_MISSING = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>Overpaint</title>
<h1>Overpaint</h1>
<p>The server runs, and its editor was not built: <code>npm ci && npm run build</code> in the folder <code>web</code>
builds it. The API is described at <a href="/docs">/docs</a>, and for programs at
<a href="{PREFIX}/openapi.json">{PREFIX}/openapi.json</a>.</p>
</html>
"""


@dataclass(frozen=True, slots=True)
class EditorFile:
    """A file of the editor.

    Attributes:
        data: Its bytes.
        packed: The same by gzip.
        etag: By its content.
        media: Its media type.
    """

    data: bytes
    packed: bytes
    etag: str
    media: str


def page(request: Request) -> Response:
    """The editor's page; where it was not built, one that says so."""
    return _reply(request, "index.html") or HTMLResponse(_MISSING)


for path in PATHS:

    @router.get(path)
    async def file(request: Request) -> Response:
        """A file of the editor."""
        return _reply(request, request.url.path[1:]) or Response(status_code=404)


def _reply(request: Request, name: str) -> Response | None:
    """The reply with a file; None where it was not built. A browser asks each time, and is answered 304."""
    found = _file(name)
    if found is None:
        return None
    headers = {
        "etag": found.etag,
        "cache-control": "no-cache",
        "content-security-policy": POLICY,
        "vary": "accept-encoding",
    }
    sent = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if found.etag in sent:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.packed, media_type=found.media, headers={**headers, "content-encoding": "gzip"})
    return Response(found.data, media_type=found.media, headers=headers)


@cache
def _file(name: str) -> EditorFile | None:
    place = files("overpaint") / "web" / name
    if not place.is_file():
        return None
    data = place.read_bytes()
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    return EditorFile(data, gzip.compress(data, 9, mtime=0), etag, FILES[name])
