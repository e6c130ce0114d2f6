"""The contract of an engine: canvases in, pixels out.

An engine owns its worker threads and its device; only they call the network or the algorithm. A simple engine derives
from `ThreadedEngine` and writes `paint_one`; one that paints many canvases at a time writes `submit` itself.
"""

from __future__ import annotations

import atexit
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Protocol, runtime_checkable
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, JsonValue

from overpaint.errors import Cancelled, EngineError, OverpaintError
from overpaint.frame import Context, EngineEdge, SizeRules
from overpaint.geometry import Size
from overpaint.request import ENGINE_SETTINGS, Control, PaintsFrom, Sampling, UsedModel, Usual

from .canvas_turns import CanvasTurns
from .monitor import Monitor as Monitor
from .monitor import Pixels as Pixels
from .weight_store import WeightStore

ColourSpace = Literal["encoded", "srgb"]


class EngineOptions(BaseModel):
    """Base of the options that an engine has of its own; itself those of an engine that has none."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@dataclass(frozen=True, slots=True)
class EngineCard:
    """What an engine can do, and what it takes.

    Attributes:
        name: Its name in requests: "exemplar".
        title: One line for people.
        paints_from: "surroundings" continues what surrounds the hole; "prompt" paints the content of a prompt;
            "settings" what its own options and the picture to put in say.
        samples: Whether it takes denoising steps from noise.
        accepts: Names of the request's settings that it acts on (see `ENGINE_SETTINGS`): "prompt", "strength", "seed".
        edge: The edge that it needs around a mask: "pixel" and "narrow" a few pixels, "diffusion" one that follows the
            region's size and the strength, "matte" a band in which the engine itself blends old and new.
        elsewhere: Whether it runs on another machine, which the picture is sent to.
        sizes: Its size rules.
        context: The surroundings that it needs to see.
        colour_space: "encoded": the picture's own values; "srgb": sRGB, through the picture's profile.
        options: A strict pydantic model of the engine's own options.
        variation_options: Options of variations that a request leaves open, which the seed alone would hardly change.
        dialects: Names of the dialects that it follows, of one that accepts the setting `dialect`.
        counts_on: Two options, of which the first counts on in variations, in place of the seed, where the second is
            not 0; () for none.
        mixes_by: The option that lets a soft mask mix old and new, and does little with a hard one; "" for none.
        usual: The settings that it is usually used with, where a request leaves them open.
        words: The things that it paints recognisably, in singular or plural, and colours; None: too many to list.
        intents: What it does well enough to be used where nobody named it; None: everything.
        licence: Of code and weights, an SPDX expression where there is one; "unknown" where none is stated.
        digest: Digest of weights and version; results of equal digests are comparable.
        references: Papers that it follows.
    """

    name: str
    title: str
    paints_from: PaintsFrom = "surroundings"
    samples: bool = False
    accepts: frozenset[str] = frozenset()
    edge: EngineEdge = "pixel"
    elsewhere: bool = False
    sizes: SizeRules = field(default_factory=SizeRules)
    context: Context = field(default_factory=Context)
    colour_space: ColourSpace = "encoded"
    options: type[BaseModel] = EngineOptions
    variation_options: Mapping[str, JsonValue] = field(default_factory=dict)
    dialects: frozenset[str] = frozenset()
    counts_on: tuple[str, ...] = ()
    mixes_by: str = ""
    usual: Usual = field(default_factory=Usual)
    words: frozenset[str] | None = None
    intents: frozenset[str] | None = None
    licence: str = "Apache-2.0"
    digest: str = ""
    references: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = sorted(self.accepts.difference(ENGINE_SETTINGS))
        if unknown:
            raise ValueError(f"the card of {self.name!r} accepts {', '.join(unknown)}, which no request has")
        if self.paints_from == "prompt" and "prompt" not in self.accepts:
            raise ValueError(f"the card of {self.name!r} paints from a prompt, and must accept one")

    def uses(self, setting: str) -> bool:
        """Whether a setting of the request has an effect with this engine.

        That is one that it accepts. The working size, added detail and what it must not copy concern every engine that
        has a size of its own.
        """
        has_size = self.sizes.native is not None or self.sizes.maximum_area is not None
        return setting in self.accepts or (has_size and setting in ("size", "detail", "avoid"))


@dataclass(frozen=True, slots=True, eq=False)
class ControlImage:
    """A control as an engine gets it: its settings, and its map, cut and resized like the canvas.

    Attributes:
        control: Kind, weight, range of steps, mode, model and options.
        pixels: (H, W, 3) float32 in [0, 1], the canvas's size: the map; of the kind "inpaint" the picture, in which the
            engine marks the hole; of the kind "reference" a picture of a size of its own.
    """

    control: Control
    pixels: Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """The input of an engine: one picture at working size.

    Attributes:
        pixels: (H, W, 3) float32 in [0, 1] in the card's colour space, with the old pixels in the hole.
        mask: (H, W) float32 in [0, 1], the denoise mask: > 0 is the hole, 1 may change entirely.
        seed: 0 to 2**63 - 1.
        usable: (H, W) bool: pixels that may be copied. False beyond the picture's border and where it is transparent,
            as the colour there is filled in, and where the request avoids the picture. None: all are usable.
        sampling: Prompt, strength, steps ...; None for an engine that accepts none of them.
        controls: Control images, for an engine that accepts them.
        options: The engine's own options, checked against the card.
        marked: (H, W) float32 in [0, 1], the mask as it was given, without the edge that `mask` has; None: as `mask`.
        opacity: (H, W) float32 in [0, 1], the picture's alpha; None: opaque.
        insert: (h, w, 4) float32 in [0, 1], the picture to put in, sRGB and alpha, at its own size.
        prompt_masks: (H, W) float32 in [0, 1] each, where the regional prompts of `sampling` hold, in their order.
    """

    pixels: Pixels
    mask: NDArray[np.float32]
    seed: int = 0
    usable: NDArray[np.bool_] | None = None
    sampling: Sampling | None = None
    controls: tuple[ControlImage, ...] = ()
    options: BaseModel = field(default_factory=EngineOptions)
    marked: NDArray[np.float32] | None = None
    opacity: NDArray[np.float32] | None = None
    insert: Pixels | None = None
    prompt_masks: tuple[NDArray[np.float32], ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.float32:
            raise ValueError(f"pixels must be float32 (H, W, 3), not {self.pixels.dtype} {self.pixels.shape}")
        if self.mask.shape != self.pixels.shape[:2] or self.mask.dtype != np.float32:
            raise ValueError(
                f"the mask must be float32 {self.pixels.shape[:2]}, not {self.mask.dtype} {self.mask.shape}"
            )

        if any(one.shape != self.mask.shape or one.dtype != np.float32 for one in self.prompt_masks):
            raise ValueError(f"the masks of regional prompts must be float32 {self.mask.shape}")
        texts = () if self.sampling is None else self.sampling.regional_prompts
        if len(texts) != len(self.prompt_masks):
            raise ValueError(f"{len(texts)} regional prompts have {len(self.prompt_masks)} masks")

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return Size(self.pixels.shape[1], self.pixels.shape[0])

    @property
    def hole(self) -> NDArray[np.bool_]:
        """(H, W) bool: the pixels to repaint."""
        return self.mask > 0

    @property
    def known(self) -> NDArray[np.bool_]:
        """(H, W) bool: pixels that stay, and may be copied."""
        return ~self.hole if self.usable is None else ~self.hole & self.usable

    @property
    def avoided(self) -> NDArray[np.bool_]:
        """(H, W) bool: pixels that stay and show the picture, but may not be copied."""
        stays = ~(self.hole | self.known)
        return stays if self.opacity is None else stays & (self.opacity > 0)


@dataclass(frozen=True, slots=True, eq=False)
class Painted:
    """The output of an engine.

    Attributes:
        pixels: (H, W, 3) float32, the canvas's size and colour space; outside the hole it may hold anything.
        evidence: The engine's own unblended estimate of the whole canvas, or None when it has none. `finish` corrects
            the hole by its errors on known pixels. An engine that keeps the known pixels leaves it out, since pasted
            pixels have no errors.
        notes: For people: parts of the settings that the engine could not use. They become the edit's notes.
        effect: (H, W) float32 in [0, 1], where the engine changed things beyond the hole (shadows, reflections), 1 =
            changed; None when nothing. It is pasted where the request allows it (`follow_effects`).
        opacity: (H, W) float32 in [0, 1], the result's alpha where the engine painted; None: it follows the request.
        match: Mean difference between the patches of the fill and their sources, in its worst part, on the scale of
            colours 0 to 1, from an engine that copies patches. It becomes a part of the result's quality.
        share: (H, W) float32 in [0, 1], how much of each painted pixel is pasted, from an engine that decides about
            that (soft inpainting); None: all of it. It narrows the composite mask, and never widens it.
    """

    pixels: Pixels
    evidence: Pixels | None = None
    notes: tuple[str, ...] = ()
    effect: NDArray[np.float32] | None = None
    opacity: NDArray[np.float32] | None = None
    match: float | None = None
    share: NDArray[np.float32] | None = None


@runtime_checkable
class Engine(Protocol):
    """An engine."""

    @property
    def card(self) -> EngineCard:
        """Its card."""

    def models(self, sampling: Sampling | None, options: BaseModel) -> tuple[UsedModel, ...]:
        """The files of weights that a canvas with this sampling and these options needs."""

    def controlled(self, controls: Sequence[Control]) -> tuple[tuple[Control, ...], tuple[UsedModel, ...]]:
        """The controls with every network named that reads them, so that a replay takes the same ones; and these.

        They are the controls of a request, where the card accepts any.
        """

    def submit(self, canvas: Canvas, monitor: Monitor) -> Future[Painted]:
        """Start to paint. The future fails with Cancelled, EngineError or the engine's own error."""

    def close(self) -> None:
        """Release thread, device and weights. Waiting canvases are cancelled."""


@dataclass(frozen=True, slots=True)
class ModelSetup:
    """A model, and how an engine is to run it.

    Attributes:
        model: Its name or path.
        options: The engine's own options, checked.
        device: "auto", "cpu", "cuda", "mps".
        threads: Threads that may be used on a CPU; None: the library's own choice.
        allow_pickle: Whether its file may be a pickle.
        weights: Where its networks are held, with those of other engines; None: in a store of its own.
        paths: Whether models may be named by their paths; False for names that come from outside.
    """

    model: str
    options: BaseModel
    device: str = "auto"
    threads: int | None = None
    allow_pickle: bool = False
    weights: WeightStore | None = None
    paths: bool = True


class ModelEngineFactory(Protocol):
    """Makes engines that each run one model. Its card accepts "model", and describes all of them."""

    @property
    def card(self) -> EngineCard:
        """The card of an engine whose model is not known yet."""

    @property
    def loading_options(self) -> tuple[str, ...]:
        """Names of the options that decide what is loaded: models that differ in them need engines of their own."""

    def open(self, setup: ModelSetup) -> Engine:
        """An engine for a model. Raises ModelError, EngineError; weights may be loaded later, by the first canvas."""


def paint(engine: Engine, canvases: Sequence[Canvas], monitors: Sequence[Monitor] | None = None) -> list[Painted]:
    """Submit every canvas and wait for all; an error (or an interrupt) cancels the others before it is raised.

    Args:
        engine: The engine.
        canvases: The canvases.
        monitors: One for each canvas; silent ones when left out.
    """
    monitors = [Monitor() for _ in canvases] if monitors is None else list(monitors)
    (painted,) = paint_groups(engine, [canvases], [monitors])
    return painted


def paint_groups(
    engine: Engine, groups: Sequence[Sequence[Canvas]], monitors: Sequence[Sequence[Monitor]]
) -> Iterator[list[Painted]]:
    """Submit every canvas of every group at once, and yield the groups in their order as they are done.

    An engine that paints many canvases at a time paints them together. An error, an interrupt, or closing the iterator
    cancels the others.

    Args:
        engine: The engine.
        groups: The canvases, by edit.
        monitors: One for each canvas.

    Raises:
        EngineError: The engine failed, or was closed meanwhile.
        Cancelled: A monitor was cancelled.
    """
    futures: list[list[Future[Painted]]] = []
    try:
        # An interrupt within `submit` may leave a canvas running whose future is in no list; its monitor ends it.
        for canvases, own in zip(groups, monitors, strict=True):
            futures.append([])
            for canvas, monitor in zip(canvases, own, strict=True):
                futures[-1].append(engine.submit(canvas, monitor))
        for group in futures:
            yield [future.result() for future in group]
    except BaseException as error:
        stopped = any(monitor.cancelled for own in monitors for monitor in own)
        for monitor in (one for own in monitors for one in own):
            monitor.cancel()
        for future in (one for group in futures for one in group):
            future.cancel()
        if isinstance(error, CancelledError):  # the engine was closed meanwhile
            message = f"the engine {engine.card.name!r} was closed; nothing was painted"
            raise (Cancelled(message) if stopped else EngineError(message)) from error
        raise


class ThreadedEngine:
    """An engine with a worker thread, which paints one canvas after another in their order.

    Attributes:
        card: Its card.
        threads: Threads that it may use for one canvas on a CPU; None: its own choice.
        reentrant: Whether `paint_one` may be called for a canvas while it paints another. Then each canvas has a
            thread, and they take turns, so that a short one does not wait for a long one to end. An engine whose
            network or library serves one caller at a time says False.
    """

    card: EngineCard
    threads: int | None = None
    reentrant = False

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Canvas, Monitor, Future[Painted]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pending: WeakKeyDictionary[Future[Painted], Monitor] = WeakKeyDictionary()
        self._closed = False

    def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
        """Paint one canvas, on the worker thread. Call `monitor.progress` at least once a step."""
        raise NotImplementedError

    def models(self, sampling: Sampling | None, options: BaseModel) -> tuple[UsedModel, ...]:
        """No files; an engine with weights overrides this."""
        return ()

    def controlled(self, controls: Sequence[Control]) -> tuple[tuple[Control, ...], tuple[UsedModel, ...]]:
        """As they are; an engine with networks that read controls overrides this."""
        return tuple(controls), ()

    def submit(self, canvas: Canvas, monitor: Monitor) -> Future[Painted]:
        """Queue one canvas."""
        future: Future[Painted] = Future()
        with self._lock:
            if self._closed:
                raise EngineError(f"the engine {self.card.name!r} is closed")
            if self._thread is not None and self._thread.ident is not None and not self._thread.is_alive():
                self._renew()  # this process was forked, without its threads
            self._jobs.put((canvas, monitor, future))
            self._pending[future] = monitor
            if self._thread is None:
                # The interpreter ends daemon threads wherever they are; one that is inside torch aborts the process.
                atexit.register(self._stop)
                self._thread = threading.Thread(target=self._run, name=f"overpaint-{self.card.name}", daemon=True)
            if self._thread.ident is None:  # not started; also after an interrupt just before the start
                self._thread.start()
        return future

    def close(self) -> None:
        """Finish the current canvas, cancel those that wait, end the thread."""
        with self._lock:
            self._closed = True
            thread = self._thread
            self._jobs.put(None)
        atexit.unregister(self._stop)
        # A thread that an interrupt kept from starting can't be joined.
        if thread is not None and thread.ident is not None and thread is not threading.current_thread():
            thread.join()

    def _stop(self) -> None:
        """At the interpreter's exit: cancel every canvas, and close."""
        for monitor in list(self._pending.values()):
            monitor.cancel()
        self.close()

    def _renew(self) -> None:
        """Let the next canvas start another thread. Needs the lock."""
        atexit.unregister(self._stop)
        self._jobs, self._thread = queue.SimpleQueue(), None

    def _run(self) -> None:
        """The thread: where its work can't go on, every canvas fails, so that no caller waits for ever."""
        try:
            self._work()
        except BaseException as error:
            failure = EngineError(f"the worker thread of {self.card.name} has ended: {error}")
            failure.__cause__ = error
            with self._lock:
                self._renew()
                for future in list(self._pending):
                    if not future.done():
                        future.set_exception(failure)

    def _begins(self, future: Future[Painted]) -> bool:
        """Whether the work on this future begins; not where it was cancelled, or the engine closed."""
        if self._closed:
            future.cancel()
        return future.set_running_or_notify_cancel()

    def _work(self) -> None:
        if self.reentrant:
            self._work_in_turns()
            return
        while (job := self._jobs.get()) is not None:
            self._finish(*job)
            del job  # while it waits for the next one, the thread holds no pixels

    def _work_in_turns(self) -> None:
        turns = CanvasTurns(self.card.name)
        while True:
            try:
                job = self._jobs.get(timeout=turns.look())
            except queue.Empty:
                continue
            if job is None:
                break
            turns.add(job[1], partial(self._finish, *job))
            del job
        turns.close()

    def _finish(self, canvas: Canvas, monitor: Monitor, future: Future[Painted]) -> None:
        """Paint one canvas, and set the result or the error of its future."""
        if not self._begins(future):
            return
        try:
            monitor.check()
            future.set_result(_checked(self.paint_one(canvas, monitor), canvas, self.card.name))
        except OverpaintError as error:
            future.set_exception(error)
        except MemoryError:
            future.set_exception(EngineError(f"{self.card.name} ran out of memory on a {canvas.size} canvas"))
        except Exception as error:
            failure = EngineError(f"{self.card.name} failed on a {canvas.size} canvas: {error}")
            failure.__cause__ = error
            future.set_exception(failure)


def _checked(painted: Painted, canvas: Canvas, name: str) -> Painted:
    """The result, if it is a picture of the canvas's size without NaN in the hole."""
    for label, pixels in (("pixels", painted.pixels), ("evidence", painted.evidence)):
        if pixels is None:
            continue
        if pixels.shape != canvas.pixels.shape:
            raise EngineError(f"{name} gave {label} of shape {pixels.shape} for a canvas of {canvas.pixels.shape}")
        if not np.isfinite(pixels[canvas.hole]).all():
            raise EngineError(f"{name} gave {label} that are not finite numbers")
    for label, share in (("effect", painted.effect), ("opacity", painted.opacity), ("share", painted.share)):
        if share is None:
            continue
        if share.shape != canvas.mask.shape:
            raise EngineError(f"{name} gave {label} of shape {share.shape} for a canvas of {canvas.mask.shape}")
        if not ((share >= 0) & (share <= 1)).all():  # NaN is not within
            raise EngineError(f"{name} gave {label} that is not within 0 and 1")
    if painted.effect is not None and not np.isfinite(painted.pixels[painted.effect > 0]).all():
        raise EngineError(f"{name} gave pixels that are not finite numbers where its effect is")
    return painted
