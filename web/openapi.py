"""The description of the native API as JSON, on standard output: what web/src/api/schema.d.ts is made from."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path


def description() -> str:
    """The description without the version of the program, which changes no type; the same text for the same API."""
    from overpaint.server import Server, ServerSettings

    with tempfile.TemporaryDirectory() as folder:
        found = Server(ServerSettings(data=Path(folder))).inner.openapi()
    native = {path: one for path, one in found["paths"].items() if path.startswith("/overpaint/")}
    return json.dumps({**found, "info": {"title": "Overpaint", "version": "1"}, "paths": native}, sort_keys=True)


if __name__ == "__main__":
    sys.stdout.write(description())
