"""The page at /docs: the native API for people, made in the browser of its own description."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import Response

router = APIRouter(include_in_schema=False)

PATHS = ("/docs", "/docs/page.js")
"""Its paths. They need no key, as they tell nothing of the server; the page asks for one where the API does."""


@router.get("/docs")
async def page() -> Response:
    """The page."""
    return Response(_file("docs.html"), media_type="text/html")


@router.get("/docs/page.js")
async def script() -> Response:
    """What builds the page."""
    return Response(_file("docs.js"), media_type="text/javascript")


@cache
def _file(name: str) -> bytes:
    return (files("overpaint.server") / "pages" / name).read_bytes()
