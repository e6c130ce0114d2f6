"""Importing large libraries without Python's collector walking through all that was imported before."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """No search for garbage meanwhile; for imports, which make hundreds of thousands of objects and hardly any of it.

    The collector would start over and over, and walk through all of them each time: an eighth of the processor time of
    torch, diffusers and transformers together. Whoever has switched it off finds it off afterwards.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
