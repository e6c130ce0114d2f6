"""On what an edit ran: device, threads, and the versions of the libraries that calculate."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from overpaint.engines import Engine
from overpaint.request import Execution, ResolvedRequest

_PACKAGES = ("overpaint", "numpy", "opencv-python-headless", "pillow", "scikit-image", "torch")


def execution_of(resolved: ResolvedRequest, engine: Engine, threads: int | None) -> Execution:
    """The execution of an edit.

    Args:
        resolved: The edit.
        engine: What painted it. One with a device has attributes `device`, `dtype` and `threads`.
        threads: The studio's limit.
    """
    return Execution(
        device=str(getattr(engine, "device", "cpu")),
        dtype=str(getattr(engine, "dtype", "float32")).removeprefix("torch."),
        threads=getattr(engine, "threads", None) or threads or os.cpu_count() or 1,
        exact=resolved.exact,
        versions=dict(_versions()),
    )


@cache
def _versions() -> dict[str, str]:
    """Versions by package; read once, as each is a file that is parsed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
