"""One server for one folder: two would do each other's jobs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from overpaint.errors import OutputError
from overpaint.locks import try_lock


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder. OutputError where another server holds it, or it can't be written to."""
    try:
        descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise OutputError(f"the folder {folder} can't be written to: {error.strerror}", field="data") from error
    try:
        if not try_lock(descriptor):
            raise OutputError(
                f"another server uses the folder {folder}",
                code="data-in-use",
                field="data",
                value=str(folder),
                hint="stop that one, or set data, another folder",
            )
        yield
    finally:
        os.close(descriptor)
