"""The diffusion engine: canvases that came while others run join them in the same calls of the network."""

from __future__ import annotations

import hashlib
import json
import queue
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import torch
from pydantic import BaseModel

from overpaint.engines.base import Canvas, EngineCard, Monitor, Painted, ThreadedEngine
from overpaint.engines.loading import collector_paused
from overpaint.engines.weight_store import WeightStore
from overpaint.errors import EngineError, OverpaintError
from overpaint.frame import Context, SizeRules
from overpaint.models import ModelError, ModelRef, digest, family_of, read_hints
from overpaint.request import Sampling, UsedModel

from .canvas_latents import Prepared, prepare
from .devices import NARROW, device_of, memory_left, usual_dtype
from .families import Family
from .loop import advance
from .networks import Budget, Networks, Set
from .options import CARD, DiffusionOptions
from .preview import Preview
from .sample import Sample
from .settings import Asked, asked_of, check_names, text_settings
from .used import UNKNOWN, used_models
from .usual import usual_of
from .values import Conditioning, NotFiniteError

AT_ONCE = 16
"""Canvases in flight; more wait."""

ROWS_OF_512 = {"cpu": 8, "cuda": 32}
"""Rows of 512 x 512 pixels that one call may have, by device: what bounds its memory. Elsewhere as on a CPU."""


def card_of(ref: ModelRef) -> EngineCard:
    """The card of a model; its configuration is looked at, and no weight is loaded.

    Raises:
        ModelError: It is no checkpoint, or can't be read.
    """
    kind = ref.kind
    if kind.what != "checkpoint" or kind.family is None:
        raise ModelError(f"{ref.name} is no checkpoint but a {kind.title}")
    hints = read_hints(ref.path)
    usual = usual_of(ref)
    family: Family = family_of(kind.family)
    native = hints.native or family.native_size(ref)
    decides: list[Any] = [digest(ref.path), kind.prediction, kind.lcm, ref.variant]
    decides += [digest(one) for one in ref.further_files]
    return replace(
        CARD,
        title=f"{ref.name}: {family.title}{', made for inpainting' if kind.inpainting else ''}",
        sizes=SizeRules(
            native=native,
            multiple=family.multiple,
            minimum=hints.minimum or 1,
            # Far beyond the size that it was trained at, a network repeats its subject.
            maximum_area=hints.maximum**2 if hints.maximum is not None else native * native * 9 // 4,
            maximum_aspect=2.0,
        ),
        # Half the hole's side all round, as Krita's plugin has it (spec/canvas-and-masks.md 1.3): a whole side more
        # than doubles the pixels, and with them the time of every step.
        context=Context(ratio=0.5, minimum=64, maximum=512),
        edge="narrow" if usual.edge == "narrow" else "diffusion",
        usual=usual,
        licence=ref.licence or UNKNOWN,
        digest=hashlib.sha256(json.dumps(decides).encode()).hexdigest(),
    )


class DiffusionEngine(ThreadedEngine):
    """One checkpoint. Its worker thread takes all canvases in flight through the steps together."""

    def __init__(
        self,
        ref: ModelRef,
        *,
        device: str = "auto",
        dtype: torch.dtype | None = None,
        threads: int | None = None,
        budget: Budget | None = None,
        weights: WeightStore | None = None,
    ) -> None:
        """Look at the model; its weights are loaded by the first canvas.

        Args:
            ref: From `overpaint.models.find`.
            device: "auto", "cpu", "cuda", "cuda:1", "mps".
            dtype: What networks calculate in; None: the device's usual.
            threads: Of torch on a CPU; None: one for a narrow network, as torch has it for others. A narrow network's
                layers take less time than threads that wait for each other: beside one busy program a whole
                command took 52 seconds with two threads, and 6.6 with one.
            budget: Of what is kept; None: the usual.
            weights: Where networks are held; engines with one store have one device. None: in a store of its own.

        Raises:
            ModelError: It is no checkpoint, or can't be read.
            EngineError: The device is not there.
        """
        super().__init__()
        self.card = card_of(ref)
        self._family: Family = family_of(ref.kind.family or "")
        self.device = device_of(device)
        self.dtype = dtype or usual_dtype(self.device, self._family.width(ref))
        self._ref = ref
        narrow = self.device.type == "cpu" and self._family.width(ref) < NARROW
        self.threads = 1 if threads is None and narrow else threads
        self._budget = budget or Budget()
        self._weights = weights or WeightStore()
        self._networks: Networks | None = None
        self._painting: list[Future[Painted]] = []
        self._ending = False

    def models(self, sampling: Sampling | None, options: BaseModel) -> tuple[UsedModel, ...]:
        """The checkpoint, another VAE, and the LoRAs and textual inversions that the prompts name.

        What can be known to go wrong without the weights is told here, before they are loaded.

        Raises:
            RequestError: A prompt that can't be read; a sampler, scheduler or dialect that is not there.
            ModelError: A LoRA that is not here, is none, or was made for another family.
        """
        sampling = sampling or Sampling()
        _, dialect = check_names(sampling)
        emphasis = options.emphasis if isinstance(options, DiffusionOptions) else "original"
        text = text_settings(sampling.clip_skip, emphasis, self._family, dialect)
        return used_models(self._ref, sampling.prompt, sampling.negative_prompt, text)

    def submit(self, canvas: Canvas, monitor: Monitor) -> Future[Painted]:
        """Queue one canvas. The first one's caller imports what networks are made of, as it can be interrupted."""
        with collector_paused():
            self._family.import_networks()
        return super().submit(canvas, monitor)

    def close(self) -> None:
        """Finish what is in flight, cancel what waits, end the thread and let the weights go."""
        super().close()
        self._networks = None
        self._weights.forget(self)

    def release_weights(self) -> bool:
        """Release the weights, unless a canvas is painted with them; the next canvas loads them again."""
        if self._networks is None or not all(one.done() for one in self._painting):
            return False
        self._networks = None
        return True

    def _work(self) -> None:
        if self.threads is not None:
            torch.set_num_threads(self.threads)  # for this thread's own parallel work
        flights: list[_Flight] = []
        while not self._ending or flights:
            flights += self._admitted(len(flights))
            try:
                advance([one.sample for one in flights], rows_at_once=self._rows(flights))
            except Exception as error:
                for one in flights:
                    one.sample.fail(error)
            flights = [one for one in flights if not self._landed(one)]

    def _admitted(self, running: int) -> list[_Flight]:
        """Canvases that wait, made ready; waits for one itself where none is running."""
        begun: list[_Flight] = []
        while not self._ending and running + len(begun) < AT_ONCE:
            try:
                job = self._jobs.get(block=running + len(begun) == 0)
            except queue.Empty:
                break
            if job is None:
                self._ending = True
                break
            canvas, monitor, future = job
            self._painting = [*(one for one in self._painting if not one.done()), future]
            if self._closed:
                future.cancel()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                flight = self._begun(canvas, monitor, future)
            except Exception as error:
                future.set_exception(_failure(error, canvas))
            else:
                begun += [] if flight is None else [flight]
        return begun

    def _begun(self, canvas: Canvas, monitor: Monitor, future: Future[Painted]) -> _Flight | None:
        """A canvas made ready for the loop; None where it is painted already."""
        monitor.check()
        networks = self._networks or self._load(monitor)
        self._weights.use(self)
        if canvas.size.width % networks.multiple or canvas.size.height % networks.multiple:
            raise EngineError(f"a canvas of {canvas.size} has sides that are no multiples of {networks.multiple}")
        asked = asked_of(canvas, networks.loaded.family, networks.loaded.scheduler_config)
        if asked.plan.schedule().steps == 0:
            monitor.progress(1, 1)
            future.set_result(Painted(canvas.pixels.copy()))
            return None
        chosen = networks.set_for(asked)
        texts = networks.conditionings(chosen, asked, canvas.size)
        return _Flight(networks, canvas, monitor, future, asked, chosen, texts)

    def _load(self, monitor: Monitor) -> Networks:
        """Load the networks, where there is memory for them."""
        monitor.loading(self._ref.name)
        with self._weights.loading():
            needed = self._family.weight_bytes(self._ref, self.dtype, self._weights.holds)
            self._weights.make_room(needed, self._ref.name, lambda: memory_left(self.device))
            loaded = self._family.load(self._ref, self.dtype)
            networks = self._networks = Networks(loaded, self._ref, self.device, self._budget)
        return networks

    def _landed(self, flight: _Flight) -> bool:
        """Whether a flight has ended, well or not; those that have not show what they have so far."""
        if not flight.future.running():
            return True
        try:
            if not flight.sample.done:
                flight.show()
                return False
            if isinstance(flight.sample.error, NotFiniteError) and flight.networks.half and not flight.wide:
                flight.begin(wide=True)
                return False
            flight.future.set_result(flight.painted())
        except Exception as error:
            flight.future.set_exception(_failure(error, flight.canvas))
        return True

    def _rows(self, flights: list[_Flight]) -> int:
        area = max((one.canvas.size.area for one in flights), default=1)
        return max(2, ROWS_OF_512.get(self.device.type, ROWS_OF_512["cpu"]) * 512 * 512 // area)


@dataclass(eq=False)
class _Flight:
    """A canvas on its way through the steps."""

    networks: Networks
    canvas: Canvas
    monitor: Monitor
    future: Future[Painted]
    asked: Asked
    chosen: Set
    texts: tuple[Conditioning, Conditioning]

    def __post_init__(self) -> None:
        self._preview: Preview | None = None
        self.begin()

    def begin(self, *, wide: bool = False) -> None:
        """From the first step; `wide` in single precision."""
        self.wide = wide
        self._shown = 0
        loaded = self.networks.loaded
        prepared = prepare(
            self.canvas,
            self.asked,
            loaded.family.extra_input if loaded.inpainting else None,
            self.networks.encode,
            self.monitor,
        )
        if self.monitor.wants_previews:
            self._preview = self._preview or _preview(prepared, self.canvas)
        self.sample = Sample(
            self.networks.denoiser(self.chosen, exact=self.asked.exact, wide=wide),
            self.asked.plan,
            prepared.latents,
            positive=self.texts[0],
            negative=self.texts[1],
            noise=prepared.noise,
            guidance=self.asked.guidance,
            monitor=self.monitor,
        )

    def show(self) -> None:
        """A preview of the latest step, once."""
        estimate = self.sample.estimate
        if self._preview is not None and estimate is not None and self.sample.step > self._shown:
            self._shown = self.sample.step
            self.monitor.preview(self._preview(estimate))

    def painted(self) -> Painted:
        """The finished picture. Nothing of the original was pasted into it, so that it is its own evidence."""
        latents = self.sample.result()
        self.monitor.check()
        pixels = self.networks.decode(latents)
        return Painted(pixels, evidence=pixels, notes=self.chosen.notes)


def _preview(prepared: Prepared, canvas: Canvas) -> Preview | None:
    return None if prepared.shown is None else Preview(*prepared.shown, canvas.mask)


def _failure(error: Exception, canvas: Canvas) -> Exception:
    """What the one who waits is told: errors of the house as they are, others with the canvas that they came with."""
    if isinstance(error, EngineError) and isinstance(error.__cause__, (MemoryError, RuntimeError)):
        error = _memory(error.__cause__, canvas) or error
    if isinstance(error, OverpaintError):
        return error
    failure = _memory(error, canvas) or EngineError(f"diffusion failed on a {canvas.size} canvas: {error}")
    failure.__cause__ = error
    return failure


def _memory(error: BaseException, canvas: Canvas) -> EngineError | None:
    short = isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in str(error)
    return EngineError(f"diffusion ran out of memory on a {canvas.size} canvas; paint a smaller one") if short else None
