"""A studio on this machine whose engines are those of a server."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import Any, NoReturn

from pydantic import BaseModel

from overpaint.engines import Canvas, Engine, EngineCard, Monitor, Painted
from overpaint.engines.card_table import ServedOptions
from overpaint.errors import RequestError
from overpaint.request import Control, EditRequest, Execution, IntentRule, Sampling, UsedModel
from overpaint.studio import Painter, Studio

from ._canvases import CanvasCalls, ServedPainter
from ._loop import LoopThread

_KNOWN = 256
"""Answers on what paints a request that are kept."""


class RemoteEngine:
    """An engine of a server. What it gives is what the engine gives there.

    Attributes:
        card: Its card.
        execution: On what it has painted last; None before.
    """

    def __init__(self, painter: ServedPainter, calls: CanvasCalls, loop: LoopThread) -> None:
        """Made by a studio."""
        self.card: EngineCard = painter.card
        self.execution: Execution | None = None
        self._painter = painter
        self._calls = calls
        self._loop = loop

    def models(self, sampling: Sampling | None, options: BaseModel) -> tuple[UsedModel, ...]:
        """The files of weights that it uses there."""
        return self._painter.models

    def controlled(self, controls: Sequence[Control]) -> tuple[tuple[Control, ...], tuple[UsedModel, ...]]:
        """As they are: the server chooses what reads them."""
        return tuple(controls), ()

    def submit(self, canvas: Canvas, monitor: Monitor) -> Future[Painted]:
        """Have a canvas painted; cancelling the future, or the monitor, cancels it there."""
        return self._loop.start(self._painted(canvas, monitor))

    async def _painted(self, canvas: Canvas, monitor: Monitor) -> Painted:
        painted, self.execution = await self._calls.paint(self._painter.engine, self._painter.model, canvas, monitor)
        return painted

    def close(self) -> None:
        """Nothing is held here."""


class RemoteStudio(Studio):
    """A studio whose canvases a server paints. Everything else of an edit, from the mask to the finished file, is done
    here, so that only what the engine sees leaves this machine, and every result has all its parts.

    Made by `Client.studio`. Thread-safe.
    """

    def __init__(self, calls: CanvasCalls, loop: LoopThread, on_close: Callable[[], None] = lambda: None) -> None:
        """`calls` and `loop` are of a client, which `on_close` may close."""
        super().__init__()
        self.model = None
        self._on_close = on_close
        self._calls = calls
        self._loop = loop
        self._known: OrderedDict[str, Painter] = OrderedDict()
        self._lock = Lock()

    def close(self) -> None:
        """Stop what is being painted."""
        try:
            self._loop.run(self._calls.stop())
        finally:
            super().close()
            self._on_close()

    def painter(self, request: EditRequest, rule: IntentRule | None = None) -> Painter:
        """What the server would paint a request with; it knows the rule itself. Raises as its studio does."""
        key = json.dumps({**request.to_mapping(), "image": None, "mask": None, "avoid": None, "sketch": None})
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        found = self._loop.run(self._calls.painter(request))
        engine = RemoteEngine(found, self._calls, self._loop)
        made = Painter(engine, found.card, ServedOptions(**found.options), found.model, found.notes, found.filled)
        with self._lock:
            self._known[key] = made
            while len(self._known) > _KNOWN:
                self._known.popitem(last=False)
        return made

    def engine(self, name: str, model: str | None = None, options: Mapping[str, Any] | None = None) -> Engine:
        """The server's engine of this name. Raises as its studio does."""
        return self.painter(EditRequest.of("custom", engine=name, model=model, options=options)).engine

    def add_engine(self, engine: Engine) -> NoReturn:
        """Engines are added to the server. Raises RequestError."""
        raise RequestError(
            f"the engine {engine.card.name!r} is on this machine, and this studio has those of a server",
            field="engine",
            value=engine.card.name,
        )
