"""Bodies that are forms, as Lama Cleaner's clients and some scripts of IOPaint's send them."""

from __future__ import annotations

import base64
import re
from typing import Any

from fastapi import Request

from overpaint.errors import RequestError
from overpaint.server.compat.calls import json_table
from overpaint.server.native.callers import services_of

_MOST_FILES, _MOST_FIELDS = 4, 200


async def form_table(request: Request) -> dict[str, Any]:
    """The fields of an edit by IOPaint's names; files become base64, so that there is one way on."""
    found: dict[str, Any] = {}
    for name, value in (await form_fields(request)).items():
        snake = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
        found[snake] = base64.b64encode(value).decode() if isinstance(value, bytes) else value
    return found


async def form_fields(request: Request) -> dict[str, Any]:
    """The fields of a form: text, or the bytes of a file. A body that is JSON is taken as well."""
    kind = request.headers.get("content-type", "").lower()
    if kind.startswith("application/json"):
        return await json_table(request)
    if not kind.startswith(("multipart/form-data", "application/x-www-form-urlencoded")):
        raise RequestError("the body should be a form with files")
    most = services_of(request).settings.largest_body
    form = await request.form(max_files=_MOST_FILES, max_fields=_MOST_FIELDS, max_part_size=most)
    try:
        return {
            name: value if isinstance(value, str) else await value.read() for name, value in form.multi_items()
        }  # fmt: skip
    finally:
        await form.close()
