"""The studio: engines that are kept at hand, and one door, `edit`."""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from overpaint import engines, pocket
from overpaint.engines import Engine, EngineCard, Monitor, paint
from overpaint.engines.loading import collector_paused
from overpaint.errors import RequestError
from overpaint.mask import Mask
from overpaint.picture import Picture, open_picture
from overpaint.request import (
    EditRequest,
    Execution,
    ResolvedRequest,
    draw_seed,
    intent_rule,
)

from ._edited import Edited
from .asked import Inputs, asked, controls_of, engine_options, naming, staged, strokes_of
from .many import Edit, EditFailure, Pictured, many
from .progress import Shared
from .resolve import resolve
from .steps import Clock, PaintedSheets, Prepared, finish, sheets_of
from .variations import variations

Device = Literal["auto", "cpu", "cuda", "mps"]

WEIGHTLESS_DEFAULT = "exemplar"
"""The engine of intents that need no prompt, until a learned one is chosen."""

CHECKPOINTS = "diffusion"
"""The engine that a request for a model gets."""


@dataclass(frozen=True, slots=True)
class _Painter:
    """Who paints a request: an engine, with a checkpoint where it takes one."""

    engine: str
    model: str | None
    card: EngineCard


class Studio:
    """Engines at hand, and one door. Thread-safe; a context manager that gives the engines up at its end."""

    def __init__(
        self,
        *,
        device: Device = "auto",
        threads: int | None = None,
        allow_pickle: bool = False,
        model: str | None = None,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            device: Where learned engines run; "auto" takes a GPU when there is one.
            threads: Threads that an engine may use on a CPU; None leaves it to the libraries.
            allow_pickle: Whether a checkpoint may be a pickle (.ckpt): its weights alone are read, and no code is run.
            model: The checkpoint of prompted intents that name none. Left out, what the environment's OVERPAINT_MODEL
                names, else the embedded one, "pocket".
        """
        self.device = device
        self.model = model or os.environ.get("OVERPAINT_MODEL") or (pocket.NAME if pocket.folder() else None)
        self.allow_pickle = allow_pickle
        self.threads = threads
        self._engines: dict[str, Engine] = {}
        self._making: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give up every engine. The studio can be used again afterwards; engines then load anew."""
        with self._lock:
            making = list(self._making.values())
        for made in making:
            made.wait()
        with self._lock:
            held, self._engines = self._engines, {}
        for engine in held.values():
            engine.close()

    def engine(self, name: str, model: str | None = None, options: Mapping[str, Any] | None = None) -> Engine:
        """The engine of this name, made when it is first asked for; with a model, the one that paints with it.

        Looking at a large model takes a while, and keeps no one waiting who asks for another.

        Args:
            name: The engine's.
            model: A checkpoint.
            options: Of a request; those that decide what is loaded (another VAE, say) make an engine of its own.

        Raises:
            UnknownEngineError: There is none of this name.
            RequestError: Options that do not suit.
            ModelError: The model is not here, damaged or no checkpoint. Its weights are loaded when it paints.
        """
        loading = _loading(options) if model is not None else {}
        key = name if model is None else json.dumps([name, model, loading])
        while True:
            with self._lock:
                if key in self._engines:
                    return self._engines[key]
                made = self._making.get(key)
                if made is None:
                    made = self._making[key] = threading.Event()
                    break
            made.wait()  # if that failed, it is tried again here, and fails in this thread's own name
        try:
            engine = engines.create(name) if model is None else self._painter(model, loading)
            with self._lock:
                # One that was added meanwhile under this name was asked for in so many words.
                held = self._engines.setdefault(key, engine)
        finally:
            with self._lock:
                del self._making[key]
            made.set()
        if held is not engine:
            engine.close()
        return held

    def _painter(self, model: str, loading: Mapping[str, Any]) -> Engine:
        from overpaint.models import find

        ref = find(model, allow_pickle=self.allow_pickle, **loading)
        with collector_paused():
            from overpaint.engines.diffusion.engine import DiffusionEngine  # loads torch

        return DiffusionEngine(ref, device=self.device, threads=self.threads)

    def add_engine(self, engine: Engine) -> None:
        """Use this engine under its card's name, without an entry point. The studio closes it."""
        with self._lock:
            before = self._engines.get(engine.card.name)
            self._engines[engine.card.name] = engine
        if before is not None:
            before.close()

    def card(self, name: str) -> EngineCard:
        """The card of an engine that was added or is registered. Raises UnknownEngineError; loads no weights."""
        with self._lock:
            held = self._engines.get(name)
        return held.card if held is not None else engines.card(name)

    def edit(
        self,
        picture: Pictured,
        request: EditRequest | None = None,
        *,
        mask: Mask | None = None,
        sketch: NDArray[np.uint8] | None = None,
        inputs: Inputs | None = None,
        monitor: Monitor | None = None,
        **settings: Any,
    ) -> Edited:
        """Repaint the masked part of a picture.

        Args:
            picture: A picture, its path, its bytes or an open file.
            request: What is asked; `settings` are laid over it.
            mask: Where to repaint, 1 = repaint, of the picture's size; instead of a mask in the request.
            sketch: (H, W, 4) uint8 RGBA strokes, of the picture's size, laid over it before painting; where there is
                no mask, they are the mask too.
            inputs: Rasters that the request names by digest.
            monitor: Progress, previews and cancellation.
            **settings: Fields of EditRequest: intent, prompt, engine, grow, feather, seed ...

        Raises:
            PictureError, MaskError, RequestError, UnknownEngineError: What came in can't be used; nothing was painted.
            EngineError: The engine failed.
            Cancelled: The monitor was told to stop.
        """
        prepared = self.prepare(picture, request, mask=mask, sketch=sketch, inputs=inputs, **settings)
        return finish(prepared, self.paint(prepared, monitor), monitor)

    def resolved(self, request: EditRequest, *, seed: int) -> ResolvedRequest:
        """The request with every default filled in, before any picture is opened: what a plan needs to know.

        Args:
            request: What is asked; its rasters stay as they are.
            seed: The seed to paint with where the request leaves it open.

        Raises:
            RequestError, UnknownEngineError, ModelError: It can't be painted, whatever the picture.
        """
        painter = self._painter_of(request)
        options = engine_options(painter.card, request.options)
        drawn = seed if request.seed in (None, -1) else draw_seed(request.seed)
        return self._resolved(request, painter, options, drawn)

    def prepare(
        self,
        picture: Pictured,
        request: EditRequest | None = None,
        *,
        mask: Mask | None = None,
        sketch: NDArray[np.uint8] | None = None,
        inputs: Inputs | None = None,
        **settings: Any,
    ) -> Prepared:
        """The first of the three steps of `edit`: all that comes before the engine. Arguments and errors as there."""
        clock = Clock()
        opened = picture if isinstance(picture, Picture) else open_picture(picture)
        clock.lap("open")
        request, rasters = asked(opened, request, mask, sketch, inputs, settings)
        painter = self._painter_of(request)
        card, options = painter.card, engine_options(painter.card, request.options)
        resolved = self._resolved(naming(request, opened), painter, options, draw_seed(request.seed))
        scene = staged(opened, request, intent_rule(request.intent), rasters)
        strokes = strokes_of(request, rasters, scene)
        controls = controls_of(request, card, rasters, scene)
        sheets = sheets_of(scene, request, resolved, card, options, strokes, controls)
        clock.lap("prepare")
        return Prepared(opened, request, resolved, card, scene, sheets, clock.laps)

    def paint(self, prepared: Prepared, monitor: Monitor | None = None) -> PaintedSheets:
        """The second step: the engine paints. Several threads may do this at once, and the engine gets all they have.

        Raises:
            EngineError: The engine failed.
            Cancelled: The monitor was told to stop.
        """
        monitor = monitor or Monitor()
        monitor.check()
        engine = self.engine(prepared.resolved.engine, prepared.resolved.model, prepared.request.options)
        shared = Shared(monitor, len(prepared.sheets))
        asked_at = time.perf_counter()
        painted = paint(engine, [sheet.canvas for sheet in prepared.sheets], shared.parts)
        done = time.perf_counter()
        monitor.check()
        began = min((part.began for part in shared.parts if part.began is not None), default=asked_at)
        return PaintedSheets(
            tuple(painted),
            self._execution(prepared.resolved, engine),
            {"wait": round(began - asked_at, 6), "paint": round(done - began, 6)},
        )

    def finish(self, prepared: Prepared, painted: PaintedSheets) -> Edited:
        """The third step: what was painted is corrected, pasted and measured."""
        return finish(prepared, painted)

    def variations(
        self,
        picture: Pictured,
        request: EditRequest | None = None,
        *,
        count: int,
        mask: Mask | None = None,
        sketch: NDArray[np.uint8] | None = None,
        inputs: Inputs | None = None,
        monitor: Monitor | None = None,
        **settings: Any,
    ) -> Iterator[Edited]:
        """One edit in several variations: with its seed, seed + 1, ..., in that order.

        The engine gets all of them at once; one that paints many canvases at a time paints them together. Each is what
        `edit` gives with its seed. Leaving the iterator early calls the rest off.

        Args:
            count: How many.
            monitor: Its progress is that of all together.
            picture, request, mask, sketch, inputs, **settings: As for `edit`.

        Raises:
            RequestError: A count below 1; and all that `edit` raises: at once for what came in, and later from the
                iterator for the engine's own.
        """
        if count < 1:
            raise RequestError(f"the number of variations must be at least 1, not {count}")
        prepared = self.prepare(picture, request, mask=mask, sketch=sketch, inputs=inputs, **settings)
        engine = self.engine(prepared.resolved.engine, prepared.resolved.model, prepared.request.options)
        return variations(
            prepared, count, engine, lambda one: self._execution(one.resolved, engine), monitor or Monitor()
        )

    def edit_many(
        self,
        edits: Iterable[Edit | tuple[Pictured, Mask] | Pictured],
        request: EditRequest | None = None,
        *,
        ahead: int = 4,
        **settings: Any,
    ) -> Iterator[Edited | EditFailure]:
        """Do many edits, in their order; a bad one is an EditFailure and the others go on.

        Reading, painting and pasting of up to `ahead` edits overlap; results do not depend on it.

        Args:
            edits: Edits, or (picture, mask) pairs, or pictures for intents that need no mask.
            request: What is asked of all, unless an edit has its own.
            ahead: How many are in flight at once.
            **settings: Fields of EditRequest, laid over every edit's own request and under its own settings.
        """
        return many(self.edit, edits, request, ahead, settings)

    def _painter_of(self, request: EditRequest) -> _Painter:
        """Who paints: the request's word, else the studio's model where a prompt decides, else the weightless one."""
        if request.model is not None:
            if request.engine not in (None, CHECKPOINTS):
                raise RequestError(
                    f"the engine {request.engine!r} loads no checkpoints, so that the model {request.model!r} can't be "
                    f"used with it; right would be the engine {CHECKPOINTS!r}, or none"
                )
            return self._with(request.model, request)
        if request.engine is not None and (request.engine != CHECKPOINTS or self._added(CHECKPOINTS)):
            return _Painter(request.engine, None, self.card(request.engine))
        if request.engine is None and intent_rule(request.intent).prefers == "surroundings":
            return _Painter(WEIGHTLESS_DEFAULT, None, self.card(WEIGHTLESS_DEFAULT))
        if self.model is not None:
            return self._with(self.model, request)
        raise RequestError(
            f"{request.intent} paints from a prompt, which needs a model, and none was named",
            code="model-needed",
            field="model",
            hint=f"name a model, or an engine that continues the surroundings, such as {WEIGHTLESS_DEFAULT!r}",
        )

    def _with(self, model: str, request: EditRequest) -> _Painter:
        return _Painter(CHECKPOINTS, model, self.engine(CHECKPOINTS, model, request.options).card)

    def _added(self, name: str) -> bool:
        with self._lock:
            return name in self._engines

    def _resolved(self, request: EditRequest, painter: _Painter, options: BaseModel, seed: int) -> ResolvedRequest:
        card = painter.card
        resolved = resolve(request, card, seed=seed, model=painter.model)
        engine = self.engine(painter.engine, painter.model, request.options)
        return resolved.model_copy(update={"models": engine.models(resolved.sampling, options)})

    def _execution(self, resolved: ResolvedRequest, engine: Engine) -> Execution:
        return Execution(
            # Engines with a device say which one they chose; the others know nothing but the CPU.
            device=str(getattr(engine, "device", "cpu")),
            dtype=str(getattr(engine, "dtype", "float32")).removeprefix("torch."),
            threads=getattr(engine, "threads", None) or self.threads or os.cpu_count() or 1,
            exact=bool(resolved.exact),
            versions=_versions(),
        )


def _loading(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """The options that decide what is loaded, checked."""
    from overpaint.engines.diffusion.options import CARD, LOADING

    checked = engine_options(CARD, options)
    given = {name: getattr(checked, name) for name in LOADING}
    return {name: value for name, value in given.items() if value is not None}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("overpaint", "numpy", "opencv-python-headless", "pillow", "scikit-image", "torch"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
