"""Dialects: the exact arithmetic of Overpaint or of another program. One object each, found by name."""

from __future__ import annotations

from overpaint.errors import RequestError

from .base import Dialect
from .diffusers import DIFFUSERS
from .native import NATIVE
from .webui import WEBUI

DIALECTS: dict[str, Dialect] = {one.name: one for one in (NATIVE, DIFFUSERS, WEBUI)}

__all__ = ["DIALECTS", "DIFFUSERS", "NATIVE", "WEBUI", "Dialect", "dialect_of"]


def dialect_of(name: str, supported: tuple[str, ...] = tuple(DIALECTS)) -> Dialect:
    """The dialect of a name.

    Args:
        name: As in requests.
        supported: Names of those that the model's family can be sampled in.

    Raises:
        RequestError: It is not available, or not for this family.
    """
    if name not in DIALECTS or name not in supported:
        raise RequestError(
            f"the {{field}} {name!r} is not available{' for this model' if name in DIALECTS else ' yet'}",
            code="dialect-unavailable",
            field="dialect",
            value=name,
            hint=f"right would be {' or '.join(supported)}",
        )
    return DIALECTS[name]
