"""AUTOMATIC1111's API (spec: clients 1, inpaint settings 6), for the programs that speak it.

`bodies` says what is read, `translate` what a native edit makes of it, `painting` does a call, `lists` tells what there
is. `callers` has what is remembered of each caller.
"""

from __future__ import annotations

from fastapi import APIRouter

from . import controlnet_paths, edits, krita, lists, photoshop, scripts, signing_in
from .refusals import error_body

__all__ = ["AUTHENTICATION", "OPEN_PATHS", "PREFIXES", "error_body", "router"]

PREFIXES = ("/sdapi/", "/controlnet/")
"""The beginnings of the paths of this API."""

AUTHENTICATION = "Basic"
"""How its clients sign in: with the key as the password."""

OPEN_PATHS = signing_in.PATHS

router = APIRouter()
for part in (edits, lists, controlnet_paths, photoshop, krita, scripts, signing_in):
    router.routes.extend(part.router.routes)
