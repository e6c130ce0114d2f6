"""On what an edit ran: device, threads, and the versions of the libraries that calculate."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from overpaint.engines import Engine
from overpaint.request import Execution

_PACKAGES = ("overpaint", "numpy", "opencv-python-headless", "pillow", "scikit-image", "torch")


def execution_of(engine: Engine, threads: int | None, *, exact: bool) -> Execution:
    """The execution of an edit.

    Args:
        engine: What painted it. One with a device has attributes `device`, `dtype` and `threads`; one elsewhere has
            the `execution` there.
        threads: The studio's limit.
        exact: Whether exact mode was on.
    """
    elsewhere: Execution | None = getattr(engine, "execution", None)
    if elsewhere is not None:
        return elsewhere.model_copy(update={"exact": exact})
    return Execution(
        device=str(getattr(engine, "device", "cpu")),
        dtype=str(getattr(engine, "dtype", "float32")).removeprefix("torch."),
        threads=getattr(engine, "threads", None) or threads or os.cpu_count() or 1,
        exact=exact,
        versions=dict(versions()),
    )


@cache
def versions() -> dict[str, str]:
    """Versions by package; read once, as each is a file that is parsed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
