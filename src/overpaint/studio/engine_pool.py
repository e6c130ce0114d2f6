"""The engines that a studio keeps: made when first needed, closed with the studio."""

from __future__ import annotations

import json
import threading
from functools import partial

from pydantic import BaseModel

from overpaint import engines, pocket
from overpaint.engines import Engine, EngineCard, ModelSetup, ThreadedEngine
from overpaint.engines.registry import file_options, loading_options
from overpaint.engines.weight_store import WeightStore
from overpaint.errors import UnknownEngineError
from overpaint.models import default_eraser, is_eraser, is_model_name, waiting_eraser
from overpaint.restore import AUTOMATIC, FaceRestorer, face_restorer, first_face_network

MODEL_ENGINE = "diffusion"
"""The engine of a checkpoint, where a request names none."""

ERASER_ENGINE = "erase"
"""The engine of an eraser, where a request names none."""


class EnginePool:
    """Engines by name, and by model where they run one. Thread-safe."""

    def __init__(
        self,
        *,
        device: str,
        threads: int | None,
        allow_pickle: bool,
        weight_budget: int | None = None,
        paths: bool = True,
        own_model: str | None = None,
    ) -> None:
        """Arguments as of `Studio`; `own_model` is its own, which may be a path in any case."""
        self._paths, self._own_model = paths, own_model
        weights = WeightStore(weight_budget)
        self._restorer_of = partial(
            face_restorer, paths=paths, allow_pickle=allow_pickle, device=device, threads=threads, weights=weights
        )
        self._restorers: dict[str, FaceRestorer] = {}
        self._setup = partial(ModelSetup, device=device, threads=threads, allow_pickle=allow_pickle, weights=weights)
        self._threads = threads
        self._engines: dict[str, Engine] = {}
        self._opening: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close every engine. The pool can be used again afterwards."""
        with self._lock:
            opening = list(self._opening.values())
        for lock in opening:
            with lock:  # an engine that is being opened is closed as well
                pass
        with self._lock:
            held, self._engines = self._engines, {}
            restorers, self._restorers = self._restorers, {}
        for engine in held.values():
            engine.close()
        for restorer in restorers.values():
            restorer.close()

    def add(self, engine: Engine) -> None:
        """Keep this engine under its card's name; one that had the name is closed."""
        with self._lock:
            before = self._engines.get(engine.card.name)
            self._engines[engine.card.name] = engine
        if before is not None:
            before.close()

    def has(self, name: str) -> bool:
        """Whether an engine without a model is kept under this name: one that was added, or made already."""
        with self._lock:
            return name in self._engines

    def card(self, name: str) -> EngineCard:
        """The card of an engine that is kept or installed. Raises UnknownEngineError; loads no weights."""
        with self._lock:
            held = self._engines.get(name)
        if held is not None:
            return held.card
        try:
            return engines.card(name)
        except UnknownEngineError as error:
            if not is_model_name(name):
                raise
            raise UnknownEngineError(
                f"{name!r} is a model, and no engine",
                code="engine-is-model",
                field="engine",
                value=name,
                hint=f"right would be model={name!r}, and no engine",
            ) from error

    def engine_of(self, model: str) -> str:
        """The engine that runs a model: that of erasers, or that of checkpoints, for all others too."""
        if model == pocket.NAME:
            return MODEL_ENGINE
        erases = is_eraser(model, paths=self._paths or model == self._own_model)
        return ERASER_ENGINE if erases else MODEL_ENGINE

    def takes_files(self, model: str) -> bool:
        """Whether options may name further files beside a model; not beside one that only the studio may name, as its
        path.
        """
        return self._paths or is_model_name(model)

    def eraser(self, model: str | None) -> str | None:
        """The eraser to use where none is named: the studio's own model if it is one, else one that is here."""
        if model is not None and self.engine_of(model) == ERASER_ENGINE:
            return model
        return default_eraser()

    def waiting_eraser(self) -> str | None:
        """An eraser that is here, and would be used were it converted; None for names from outside, who can't do so."""
        return waiting_eraser() if self._paths else None

    def faces(self, name: str) -> FaceRestorer | None:
        """What restores faces by the network of this name; None for `AUTOMATIC` where none is here that may be used.

        Raises:
            ModelError: There is none of this name, or it may not be used.
            MissingExtraError: spandrel is not installed.
        """
        named = first_face_network() if name == AUTOMATIC else name
        if named is None:
            return None
        made = self._restorer_of(named)  # its licence is looked at each time
        with self._lock:
            held = self._restorers.get(named)
            if held is None or held.models != made.models:
                held = self._restorers[named] = made
        return held

    def get(self, name: str, model: str | None, options: BaseModel) -> Engine:
        """The engine of this name; with a model, the one that runs it.

        Opening a large model takes a while, and does not block callers that need another engine.

        Args:
            name: The engine's.
            model: The model's name or path, for an engine that runs models.
            options: The engine's own, checked; those that decide what is loaded make an engine of its own.

        Raises:
            UnknownEngineError: There is none of this name.
            ModelError: The model is not here, damaged, or of another kind.
        """
        setup = None
        key = name
        if model is not None:
            loading = [getattr(options, one) for one in loading_options(name)]
            further = any(getattr(options, one) for one in file_options(name))
            own = model == self._own_model and not further
            setup = self._setup(model, options, paths=self._paths or own)
            key = json.dumps([name, model, loading])
        with self._lock:
            opening = self._opening.setdefault(key, threading.Lock())
        with opening:
            with self._lock:
                held = self._engines.get(key)
            if held is None:
                engine = engines.create(name, setup)
                if setup is None and isinstance(engine, ThreadedEngine):
                    engine.threads = self._threads
                with self._lock:
                    held = self._engines.setdefault(key, engine)  # an engine added at the same time comes first
                if held is not engine:
                    engine.close()
        return held
