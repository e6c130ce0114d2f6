"""The studio: engines that are kept at hand, and one door, `edit`."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from overpaint import engines
from overpaint.composite import paste, paste_alpha
from overpaint.engines import Engine, EngineCard, Monitor, Painted, paint
from overpaint.errors import RequestError
from overpaint.frame import Framing, Region, plan, reach_of
from overpaint.mask import Mask
from overpaint.picture import Picture, open_picture
from overpaint.request import (
    EditRequest,
    Execution,
    IntentRule,
    ResolvedRequest,
    draw_seed,
    intent_rule,
    resolve,
)

from ._edited import Edited, PaintedRegion
from .asked import Inputs, asked, engine_options, naming, notes_of, staged, strokes_of
from .canvases import Sheet, sheet
from .many import Edit, EditFailure, Pictured, many
from .progress import Shared
from .stage import Stage

Device = Literal["auto", "cpu", "cuda", "mps"]

WEIGHTLESS_DEFAULT = "exemplar"
"""The engine of intents that need no prompt, until a learned one is chosen."""

CHECKPOINTS = "diffusion"
"""The engine that a request for a model gets."""


class Studio:
    """Engines at hand, and one door. Thread-safe; a context manager that gives the engines up at its end."""

    def __init__(self, *, device: Device = "auto", threads: int | None = None, allow_pickle: bool = False) -> None:
        """Nothing is loaded yet.

        Args:
            device: Where learned engines run; "auto" takes a GPU when there is one.
            threads: Threads that an engine may use on a CPU; None leaves it to the libraries.
            allow_pickle: Whether a checkpoint may be a pickle (.ckpt): its weights alone are read, and no code is run.
        """
        self.device = device
        self.allow_pickle = allow_pickle
        self.threads = threads
        self._engines: dict[str, Engine] = {}
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
            held, self._engines = self._engines, {}
        for engine in held.values():
            engine.close()

    def engine(self, name: str, model: str | None = None) -> Engine:
        """The engine of this name, made when it is first asked for; with a model, the one that paints with it.

        Raises:
            UnknownEngineError: There is none of this name.
            ModelError: The model is not here, damaged or no checkpoint. Its weights are loaded when it paints.
        """
        key = name if model is None else f"{name} {model}"
        with self._lock:
            if key not in self._engines:
                self._engines[key] = engines.create(name) if model is None else self._painter(model)
            return self._engines[key]

    def _painter(self, model: str) -> Engine:
        from overpaint.models import find

        ref = find(model, allow_pickle=self.allow_pickle)
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
        clock = _Clock()
        monitor = monitor or Monitor()
        opened = picture if isinstance(picture, Picture) else open_picture(picture)
        clock.lap("open")
        request, rasters = asked(opened, request, mask, sketch, inputs, settings)
        rule = intent_rule(request.intent)
        name, card = self._engine_for(request, rule)
        resolved = resolve(
            naming(request, opened),
            engine=name,
            engine_digest=card.digest,
            kind=card.kind,
            seed=draw_seed(request.seed),
            takes_prompt=card.takes_prompt,
        )
        options = engine_options(card, request.options)
        scene = staged(opened, request, rule, rasters)
        strokes = strokes_of(request, rasters, scene)
        regions = _plan(scene, request, resolved, rule, card)
        values = resolved.settings()
        sheets = [
            sheet(scene, region, card, seed=_nth(resolved.seed, k), settings=values, options=options, sketch=strokes)
            for k, region in enumerate(regions)
        ]
        clock.lap("prepare")
        monitor.check()
        engine = self.engine(name, request.model)
        painted = paint(engine, [one.canvas for one in sheets], Shared(monitor, len(sheets)).parts)
        clock.lap("paint")
        monitor.check()
        result, done = _assemble(scene, sheets, painted, resolved)
        clock.lap("finish")
        edited = Edited(
            picture=result,
            original=opened,
            stage=scene.picture,
            placed=scene.original,
            mask=scene.mask,
            request=request,
            resolved=resolved,
            execution=self._execution(resolved, engine),
            regions=done,
            reach=max(_reach(region, scene.mask) for region in regions),
            timings=clock.laps,
            notes=notes_of(request, card, strokes is not None),
            licence=card.licence,
        )
        clock.lap("measure")
        return edited

    def edit_many(
        self,
        edits: Iterable[Edit | tuple[Pictured, Mask] | Pictured],
        request: EditRequest | None = None,
        *,
        ahead: int = 2,
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

    def _engine_for(self, request: EditRequest, rule: IntentRule) -> tuple[str, EngineCard]:
        if request.model is not None:
            if request.engine not in (None, CHECKPOINTS):
                raise RequestError(
                    f"the engine {request.engine!r} loads no checkpoints, so that the model {request.model!r} can't be "
                    f"used with it; right would be engine={CHECKPOINTS!r}, or no engine"
                )
            return CHECKPOINTS, self.engine(CHECKPOINTS, request.model).card
        if request.engine is not None:
            return request.engine, self.card(request.engine)
        if rule.prefers == "pixel":
            return WEIGHTLESS_DEFAULT, self.card(WEIGHTLESS_DEFAULT)
        raise RequestError(
            f"{request.intent} paints what a prompt says, which needs a model, and none was given "
            "('overpaint models list --all' shows what there is). "
            f"An engine that continues the surroundings instead can be named: engine={WEIGHTLESS_DEFAULT!r}"
        )

    def _execution(self, resolved: ResolvedRequest, engine: Engine) -> Execution:
        return Execution(
            # Engines with a device say which one they chose; the others know nothing but the CPU.
            device=str(getattr(engine, "device", "cpu")),
            dtype=str(getattr(engine, "dtype", "float32")).removeprefix("torch."),
            threads=self.threads or os.cpu_count() or 1,
            exact=bool(resolved.exact),
            versions=_versions(),
        )


class _Clock:
    """Seconds by step."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(now - self._last, 6)
        self._last = now


def _nth(seed: int, k: int) -> int:
    return (seed + k) % (1 << 63)


def _plan(
    scene: Stage, request: EditRequest, resolved: ResolvedRequest, rule: IntentRule, card: EngineCard
) -> tuple[Region, ...]:
    factor = {"near": 0.5, "wide": 1.0, "whole": 1.0}[rule.context]
    strict = bool(request.strict)
    return plan(
        scene.mask,
        learned=card.kind != "pixel",
        sizes=card.sizes,
        framing=Framing(resolved.area, request.padding, card.context.scaled(factor)),
        rule=rule.edge,
        strength=1.0 if resolved.strength is None else resolved.strength,
        grow=0.0 if strict else request.grow,
        feather=0.0 if strict else request.feather,
        limit=resolved.reach_limit,
    )


def _assemble(
    scene: Stage, sheets: list[Sheet], painted: list[Painted], resolved: ResolvedRequest
) -> tuple[Picture, tuple[PaintedRegion, ...]]:
    """Paste every region into a copy of the stage."""
    samples = scene.picture.samples.copy()
    alpha = None if scene.picture.alpha is None else scene.picture.alpha.copy()
    done = []
    for one, result in zip(sheets, painted, strict=True):
        region = one.region
        patch, corrected = one.patch(result, colour_match=resolved.colour_match, seam=resolved.seam)
        paste(samples, patch, region.masks.composite, region.box, scene.picture.alpha)
        if alpha is not None:
            paste_alpha(alpha, region.masks.composite, region.box, resolved.alpha)
        done.append(
            PaintedRegion(
                box=region.box,
                frame=region.frame.box,
                working=region.frame.working,
                edge=region.edge,
                parts=region.parts,
                seed=one.canvas.seed,
                patch=patch,
                weight=region.masks.composite,
                shift=corrected.shift,
            )
        )
    return scene.picture.with_pixels(samples, alpha), tuple(done)


def _reach(region: Region, mask: Mask) -> int:
    return reach_of(region.masks.composite > 0, mask.values[region.box.slices] > 0)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("overpaint", "numpy", "opencv-python-headless", "pillow", "scikit-image", "torch"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
