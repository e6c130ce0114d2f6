"""What the server can do: engines, models, selectors, intents, samplers, schedulers. Answered from memory."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from overpaint.request import INTENTS
from overpaint.server.described import native_router

from .callers import Reader

log = logging.getLogger("overpaint.server")

T = TypeVar("T")

router = native_router("catalogue")


class Kept(Generic[T]):
    """A value that is made anew once it is older than so many seconds, while the old one is given. Thread-safe."""

    def __init__(self, make: Callable[[], T], seconds: float = float("inf"), oldest: float = float("inf")) -> None:
        """`oldest`: seconds after which the old value is given no more; callers wait for the new one."""
        self._make = make
        self._seconds, self._oldest = seconds, oldest
        self._lock = threading.Lock()
        self._value: T | None = None
        self._until = 0.0  # that of the value
        self._renewal: asyncio.Future[T] | None = None

    async def get(self) -> T:
        """The value. The first caller waits for it; one that finds it too old has it made anew for the next."""
        value = self._value
        if value is None or time.monotonic() >= self._until - self._seconds + self._oldest:
            return await run_in_threadpool(self._renewed)
        if time.monotonic() >= self._until and (self._renewal is None or self._renewal.done()):
            self._renewal = asyncio.ensure_future(run_in_threadpool(self._renewed))
            self._renewal.add_done_callback(_logged)
        return value

    def forget(self) -> None:
        """Have it made anew by the next caller, who waits for it."""
        with self._lock:
            self._value = None

    def _renewed(self) -> T:
        with self._lock:
            if self._value is None or time.monotonic() >= self._until:
                self._value, self._until = self._make(), time.monotonic() + self._seconds
            return self._value


def kept_by(
    request: Request, name: str, make: Callable[[], T], seconds: float, *, oldest: float = float("inf")
) -> Kept[T]:
    """What the application of a request remembers under this name: of what is on the machine, and so may change."""
    state = request.app.state
    if not hasattr(state, "kept"):  # endpoints are called by one thread
        state.kept = {}
    found: Kept[T] = state.kept.setdefault(name, Kept(make, seconds, oldest))
    return found


def _logged(renewal: asyncio.Future[Any]) -> None:
    if not renewal.cancelled() and (error := renewal.exception()) is not None:
        log.error("a list could not be made anew: %s", error)


class IntentInfo(BaseModel):
    """A purpose of an edit, and the settings that follow from it."""

    name: str
    title: str
    strength: float
    masked_content: str
    prompt: str = Field(description="required or optional; background: scenery where it is empty")
    inverts_mask: bool = Field(description="whether the mask marks what stays")
    grows_canvas: bool
    engine: str | None = Field(description="the engine that does it without a model")


class SamplerInfo(BaseModel):
    """Names of samplers and schedulers."""

    samplers: list[str]
    schedulers: list[str]


def _engines() -> list[dict[str, Any]]:
    from overpaint.doors.engine_tables import engine_tables

    return engine_tables()


def _models() -> list[dict[str, Any]]:
    from overpaint.models import entries

    return [
        {
            "name": entry.name,
            "title": entry.kind.title if entry.kind is not None else f"can't be used: {entry.fault}",
            "what": getattr(entry.kind, "what", "other"),
            "family": getattr(entry.kind, "family", None),
            "usable": entry.kind is not None and entry.kind.what != "other",
            "bytes": entry.size,
            "licence": entry.licence or None,
            "sha256": entry.sha256,
        }
        for entry in entries()
    ]


def _selectors() -> list[dict[str, Any]]:
    from overpaint.doors.selector_tables import selector_tables

    return selector_tables()


def _samplers() -> SamplerInfo:
    from overpaint.engines.diffusion.names import SAMPLER_NAMES, SCHEDULER_NAMES

    return SamplerInfo(
        samplers=[name.title for name in SAMPLER_NAMES.values()],
        schedulers=[name.title for name in SCHEDULER_NAMES.values()],
    )


_known_engines = Kept(_engines)
_known_samplers = Kept(_samplers)


@router.get("/engines")
async def engines(owner: Reader) -> list[dict[str, Any]]:
    """The engines, what each accepts, and its own options."""
    return await _known_engines.get()


@router.get("/models")
async def models(request: Request, owner: Reader) -> list[dict[str, Any]]:
    """The checkpoints and networks on the server."""
    return await kept_by(request, "models", _models, 5.0).get()


@router.get("/intents")
async def intents(owner: Reader) -> list[IntentInfo]:
    """The purposes of edits."""
    names = IntentInfo.model_fields
    return [IntentInfo(**{name: getattr(rule, name) for name in names}) for rule in INTENTS.values()]


@router.get("/samplers")
async def samplers(owner: Reader) -> SamplerInfo:
    """The samplers and schedulers of engines that denoise."""
    return await _known_samplers.get()


@router.get("/selectors")
async def selectors(request: Request, owner: Reader) -> list[dict[str, Any]]:
    """What finds things in pictures: the hints that each selector takes, and its own options."""
    return await kept_by(request, "selectors", _selectors, 5.0).get()
