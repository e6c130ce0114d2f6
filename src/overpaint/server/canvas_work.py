"""The painting of one canvas for a studio elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from overpaint.bounded import MemoryBudget, MemoryShare
from overpaint.engines import Canvas, ControlImage, Monitor, paint
from overpaint.engines.packed import canvas_arrays, pack_painted, unpacked_size
from overpaint.errors import RequestError
from overpaint.picture import current_limits
from overpaint.request import SAMPLING_SETTINGS, EditRequest, Sampling
from overpaint.studio import Studio
from overpaint.studio.choose import checked_options
from overpaint.studio.execution import execution_of

from .canvases import CanvasStore
from .settings import ServerSettings
from .tasks import CanvasSettings, CanvasTask
from .work import Results, failures_as_errors

_MEMORY = 5
"""Bytes that painting a canvas takes for each that it has: a sample becomes several."""


class CanvasWorker:
    """Does tasks of canvases with a studio's engines. Thread-safe."""

    def __init__(self, studio: Studio, canvases: CanvasStore, settings: ServerSettings, budget: MemoryBudget) -> None:
        """The caller closes the studio; all jobs share the budget of memory."""
        self._studio = studio
        self._canvases = canvases
        self._settings = settings
        self._budget = budget

    def check(self, task: CanvasTask) -> tuple[str, ...]:
        """See `TaskWorker`."""
        CanvasWork(self._studio, task)
        return ()

    def do(
        self,
        owner: str,
        task: CanvasTask,
        monitor: Monitor,
        on_result: Callable[[dict[str, Any]], None],
        *,
        temporary: bool = False,
    ) -> Results:
        """See `TaskWorker`."""
        with failures_as_errors(), MemoryShare(self._budget) as share:
            data = self._canvases.data(owner, task.canvas)
            share.grow(_MEMORY * unpacked_size(data), monitor.check)
            began = time.perf_counter()
            made = CanvasWork(self._studio, task).painted(data, monitor, self._settings.most_pixels)
            seconds = round(time.perf_counter() - began, 6)
        id = self._canvases.keep(owner, made, result=True)
        found = {"canvas": id, "bytes": len(made), "timings": {"paint": seconds}}
        on_result(found)
        return [found]


class CanvasWork:
    """One canvas with its engine."""

    def __init__(self, studio: Studio, task: CanvasTask) -> None:
        """The engine is made where it is not there yet; its weights are loaded by the first canvas.

        Raises:
            RequestError, UnknownEngineError, ModelError: The settings can't be used, whatever the canvas.
        """
        self._settings = task.settings
        self._threads = studio.threads
        self._engine = studio.engine(task.settings.engine, task.settings.model, task.settings.options)
        self._options = checked_options(self._engine.card, task.settings.options)
        self._sampling = sampling_of(task.settings)

    def painted(self, data: bytes, monitor: Monitor, pixels: int | None) -> bytes:
        """The painted canvas for the canvas of these bytes, of at most so many pixels.

        Raises:
            RequestError: It is damaged, or not what the settings are for.
            EngineError, Cancelled: As of the engine.
        """
        arrays, images = canvas_arrays(data, most=pixels or current_limits().pixels)
        controls = self._settings.controls
        if len(images) != len(controls):
            message = f"the canvas has {len(images)} control images, and the settings {len(controls)} controls"
            raise RequestError(message, field="controls", value=len(controls))
        for one, image in zip(controls, images, strict=True):
            if not one.shows_itself and image.shape != arrays["pixels"].shape:
                message = f"the control image of the kind {one.kind!r} has the shape {image.shape}, not the canvas's"
                raise RequestError(message, field="controls", value=one.kind)
        texts = () if self._sampling is None else self._sampling.regional_prompts
        if len(arrays["prompt_masks"]) != len(texts):
            message = (
                f"the canvas has {len(arrays['prompt_masks'])} masks of regional prompts, and the settings {len(texts)}"
            )
            raise RequestError(message, field="regional_prompts", value=len(texts))
        canvas = Canvas(
            **arrays,
            seed=self._settings.seed,
            sampling=self._sampling,
            controls=tuple(ControlImage(one, image) for one, image in zip(controls, images, strict=True)),
            options=self._options,
        )
        (made,) = paint(self._engine, [canvas], [monitor])
        exact = self._sampling is not None and self._sampling.exact
        execution = execution_of(self._engine, self._threads, exact=exact)
        return pack_painted(made, {"execution": execution.to_mapping()})


def sampling_of(settings: CanvasSettings) -> Sampling | None:
    """What the engine is given of the settings of sampling, whose ranges were checked as those of a request."""
    asked = settings.sampling
    if asked is None and not settings.regional_prompts:
        return None
    asked = asked or EditRequest()
    given: dict[str, Any] = {name: getattr(asked, name) for name in (*SAMPLING_SETTINGS, "exact")}
    given["regional_prompts"] = settings.regional_prompts
    return Sampling(**{name: value for name, value in given.items() if value is not None})
