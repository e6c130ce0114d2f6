"""Signing in as web UIs of Gradio have it: a form at /login, whose cookie goes with every request after it.

Bots and scripts that were written for a web UI with Gradio's sign-in send it. The password is the key; any name will
do.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from overpaint.server.browser import COOKIE
from overpaint.server.native.callers import services_of

router = APIRouter(include_in_schema=False)

PATHS = ("/login", "/login/", "/internal/ping")
"""Paths that need no key."""

_LARGEST = 64 << 10


@router.post("/login")
@router.post("/login/")
async def login(request: Request) -> Response:
    """Take a key as the password, and give a cookie for it. Without keys everybody is signed in."""
    services = services_of(request)
    if services.keys is None:
        return JSONResponse({"success": True})
    async with request.form(max_files=0, max_fields=8, max_part_size=_LARGEST) as form:
        password = form.get("password")
    caller = services.keys.caller(password) if isinstance(password, str) else None
    if caller is None:
        return JSONResponse({"detail": "Incorrect credentials."}, 400)
    found = JSONResponse({"success": True})
    cookie = services.tokens.cookie(services.tokens.token(caller))
    assert cookie is not None  # the token is new
    secure = request.url.scheme == "https"
    found.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", secure=secure)
    return found


@router.get("/internal/ping")
async def ping() -> dict[str, str]:
    """That the server answers."""
    return {}
