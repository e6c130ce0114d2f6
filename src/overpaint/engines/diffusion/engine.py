"""The diffusion engine: canvases that arrive while others are painted join them in the same network calls."""

from __future__ import annotations

import queue
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import torch
from pydantic import BaseModel

from overpaint.engines.base import Canvas, EngineCard, Monitor, Painted, ThreadedEngine
from overpaint.engines.loading import collector_paused
from overpaint.engines.weight_store import WeightStore, shared_network
from overpaint.errors import EngineError, OverpaintError
from overpaint.frame import Context, SizeRules
from overpaint.models import ModelError, ModelRef, ReferenceRefs, family_of, find_control, find_reference, read_hints
from overpaint.request import Control, Sampling, UsedModel

from .adapters import Adapter, encoder_option
from .canvas_run import CanvasRun
from .control_networks import Guide, KeptGuides
from .controls import ControlNetwork
from .copies import network_bytes
from .devices import NARROW, device_of, memory_left, usual_dtype
from .families import Family
from .fp8_weights import with_fp8_weights
from .loop import advance
from .lora import changed_bytes
from .memory_plan import SPARE, MemoryPlan, plan_of
from .networks import Networks
from .openvino_programs import check_openvino
from .options import CARD, DiffusionOptions
from .placement import Placement
from .settings import check_names, paint_settings, text_settings
from .text_plan import CanvasTexts
from .used import UNKNOWN, digest_of, loras_of, used_control, used_models
from .usual import usual_of
from .values import LoadedModel, NotFiniteError

AT_ONCE = 16
"""Canvases that are painted at once; more wait. Up to twice as many are where those of other works hold all places."""

ROWS_OF_512 = {"cpu": 8, "cuda": 32}
"""The most rows of 512 x 512 pixels in one call, by device, which bounds its memory. Other devices have the CPU's."""

_CPU = torch.device("cpu")

_CanvasJob: TypeAlias = tuple[Canvas, Monitor, Future[Painted]]


def card_of(ref: ModelRef) -> EngineCard:
    """The card of a model; reads its configuration, and loads no weights.

    Raises:
        ModelError: It is not a checkpoint, or can't be read.
    """
    kind = ref.kind
    if kind.what != "checkpoint" or kind.family is None:
        raise ModelError(f"{ref.name} is not a checkpoint but {kind.described}")
    hints = read_hints(ref.path)
    usual = usual_of(ref)
    family: Family = family_of(kind.family)
    native = hints.native or family.native_size(ref)
    return replace(
        CARD,
        title=f"{ref.name}: {family.title}{', made for inpainting' if kind.inpainting else ''}",
        sizes=SizeRules(
            native=native,
            multiple=family.multiple,
            minimum=hints.minimum or 1,
            # Far beyond its training size a network repeats its subject.
            maximum_area=hints.maximum**2 if hints.maximum is not None else native * native * 9 // 4,
            maximum_aspect=2.0,
        ),
        # Half the hole's side all round, as in Krita's plugin (spec/canvas-and-masks.md 1.3). A whole side would more
        # than double the pixels, and with them the time of every step.
        context=Context(ratio=0.5, minimum=64, maximum=512),
        dialects=frozenset(family.dialects),
        edge="narrow" if usual.edge == "narrow" else "diffusion",
        usual=usual,
        accepts=CARD.accepts if family.takes_controls else CARD.accepts - {"controls"},
        words=None if hints.words is None else frozenset(hints.words),
        intents=None if hints.intents is None else frozenset(hints.intents),
        licence=ref.licence or UNKNOWN,
        digest=digest_of(ref),
    )


class DiffusionEngine(ThreadedEngine):
    """One checkpoint. Its worker thread paints several canvases together, step by step."""

    def __init__(
        self,
        ref: ModelRef,
        *,
        device: str = "auto",
        dtype: torch.dtype | None = None,
        threads: int | None = None,
        weights: WeightStore | None = None,
        memory: Literal["auto", "whole", "model", "block"] = "auto",
        fp8: bool = False,
    ) -> None:
        """Read the model's configuration; its weights are loaded for the first canvas.

        Args:
            ref: From `overpaint.models.find`.
            device: "auto", "cpu", "cuda", "cuda:1", "mps".
            dtype: Type that networks calculate in; None: the device's usual one.
            threads: torch's threads on a CPU; None: one for a narrow network, torch's default for others. Threads wait
                for each other longer than a narrow network's layers run: beside one busy program a whole command took
                52 seconds with two threads, and 6.6 with one.
            weights: Store that holds the networks, for engines on one device. None: a store of its own.
            memory: What is on a GPU at a time (`Placement`); "auto": as its free memory allows. A CPU has all.
            fp8: Whether the weights of the network that predicts are kept in eight bits.

        Raises:
            ModelError: It is not a checkpoint, or can't be read.
            EngineError: The device does not exist.
        """
        super().__init__()
        self.card = card_of(ref)
        self._family: Family = family_of(ref.kind.family or "")
        self.device = device_of(device)
        self.dtype = dtype or usual_dtype(self.device, self._family.width(ref))
        self._ref = ref
        narrow = self.device.type == "cpu" and self._family.width(ref) < NARROW
        self.threads = 1 if threads is None and narrow else threads
        self._weights = weights or WeightStore()
        self._memory = memory
        self._fp8 = fp8
        self._takes_turns = self.device.type != "cpu"
        self._plan: MemoryPlan | None = None
        self._networks: Networks | None = None
        self._painting: list[Future[Painted]] = []
        self._ending = False

    def models(self, sampling: Sampling | None, options: BaseModel) -> tuple[UsedModel, ...]:
        """The checkpoint, another VAE, and the LoRAs and textual inversions that the prompts name.

        Checks everything that can be checked before the weights are loaded.

        Raises:
            RequestError: A prompt that can't be read; a sampler, scheduler or dialect that is not available.
            ModelError: A LoRA that is missing, is not one, or was made for another family.
            MissingExtraError: The back end is not installed.
        """
        sampling = sampling or Sampling()
        choice, dialect = check_names(sampling, self._family)
        given = options if isinstance(options, DiffusionOptions) else DiffusionOptions()
        if given.backend == "openvino":
            check_openvino()
        text = text_settings(sampling, given, choice, dialect)
        return used_models(self._ref, sampling, text)

    def controlled(self, controls: Sequence[Control]) -> tuple[tuple[Control, ...], tuple[UsedModel, ...]]:
        """The controls with the networks named that read them, and these.

        Raises:
            ModelError: As of `find_control` and `find_reference`, and for what does not fit the checkpoint.
            RequestError: A reference picture has an option that is not known.
        """
        named, used = [], list[ModelRef]()
        for one in controls:
            if one.shows_itself:
                refs = self._reference(one)
                options = {"encoder": refs.encoder.name} if refs.named else {}
                named.append(one.model_copy(update={"model": refs.adapter.name, "options": options}))
                used += [refs.adapter, refs.encoder]
            else:
                ref = self._control(one)
                named.append(one.model_copy(update={"model": ref.name}))
                used.append(ref)
        return tuple(named), tuple(dict.fromkeys(map(used_control, used)))

    def _control(self, control: Control) -> ModelRef:
        family, pickles = self._ref.kind.family or "", self._ref.allow_pickle
        published = self._family.published(self._ref)
        ref = find_control(control.kind, family, control.model, allow_pickle=pickles, published=published)
        self._family.check_control(ref, self._ref)
        return ref

    def _reference(self, control: Control) -> ReferenceRefs:
        family, pickles = self._ref.kind.family or "", self._ref.allow_pickle
        published, encoder = self._family.published(self._ref), encoder_option(control)

        def fits(adapter: ModelRef) -> bool:
            try:
                self._family.check_adapter(adapter, self._ref)
            except ModelError:
                return False
            return True

        refs = find_reference(
            family, control.model, encoder, allow_pickle=pickles, published=published, fits_checkpoint=fits
        )
        self._family.check_adapter(refs.adapter, self._ref)
        return refs

    def submit(self, canvas: Canvas, monitor: Monitor) -> Future[Painted]:
        """Queue one canvas. The caller's thread imports the network libraries, as an interrupt can stop it there."""
        with collector_paused():
            self._family.import_networks()
        return super().submit(canvas, monitor)

    def close(self) -> None:
        """Finish canvases that are being painted, cancel those that wait, end the thread, release the weights."""
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
        runs: list[CanvasRun] = []
        waiting: list[_CanvasJob] = []
        while not self._ending or runs or waiting:
            runs += self._start_waiting(runs, waiting)
            try:
                advance([one.sample for one in runs], rows_at_once=self._rows(runs))
            except Exception as error:
                for one in runs:
                    one.sample.fail(error)
            runs = [one for one in runs if not self._ended(one)]
            self._painting = [one.future for one in runs]

    def _start_waiting(self, runs: list[CanvasRun], waiting: list[_CanvasJob]) -> list[CanvasRun]:
        """Start canvases that wait; where none is running, wait for one."""
        started: list[CanvasRun] = []
        while True:
            while not self._ending:
                try:
                    job = self._jobs.get(block=not (runs or started or waiting))
                except queue.Empty:
                    break
                if job is None:
                    self._ending = True
                else:
                    waiting.append(job)
            at_hand = Counter(run.monitor.work for run in (*runs, *started))
            if (job := _next_of(waiting, at_hand)) is None:
                return started
            canvas, monitor, future = job
            if (runs or started) and self._waits(canvas):
                waiting.insert(0, job)
                return started
            self._painting = [*self._painting, future]
            if not self._begins(future):
                continue
            try:
                run = self._start(canvas, monitor, future)
            except Exception as error:
                future.set_exception(_failure(error, canvas))
            else:
                started += [] if run is None else [run]

    def _start(self, canvas: Canvas, monitor: Monitor, future: Future[Painted]) -> CanvasRun | None:
        """Start a canvas; None where there is no step to take."""
        monitor.check()
        networks, found = self._networks_for(canvas, monitor, future)
        multiple = self._family.multiple
        self._weights.use(self)
        if canvas.size.width % multiple or canvas.size.height % multiple:
            raise EngineError(f"a canvas of {canvas.size} has sides that are no multiples of {multiple}")
        settings = paint_settings(canvas, self._family, networks.loaded.scheduler_config)
        if settings.plan.schedule().steps == 0:
            monitor.progress(1, 1)
            guiding = ", controls" if canvas.controls else ""
            nothing = f"strength 0 paints nothing: prompt{guiding}, steps, sampler and guidance had no effect"
            future.set_result(Painted(canvas.pixels.copy(), notes=(nothing,)))
            return None
        found = found or self._guides(networks.guides, canvas, monitor)
        guides = list(zip(canvas.controls, found, strict=True))
        for image, guide in guides:
            self._place(networks.guides, guide, image.control)
        controls = tuple((one, guide) for one, guide in guides if isinstance(guide, ControlNetwork))
        shown = [(one, guide) for one, guide in guides if isinstance(guide, Adapter)]
        prompt_networks = networks.prompt_networks(settings, [adapter for _, adapter in shown])
        texts = networks.conditionings(prompt_networks, settings, canvas)
        pictures = tuple(networks.picture(adapter, one) for one, adapter in shown)
        return CanvasRun(networks, canvas, monitor, future, settings, prompt_networks, texts, controls, pictures)

    def _guide(self, guides: KeptGuides, control: Control, monitor: Monitor) -> Guide:
        """What reads a control, a ControlNet or an IP-Adapter; loaded where it is not in memory and there is memory."""
        ref = self._guide_ref(control)
        with self._weights.loading():
            if ref not in guides:
                name = (ref.adapter if isinstance(ref, ReferenceRefs) else ref).name
                monitor.loading(name)
                self._make_room(guides, guides.needed(ref, self._weights.holds), name, _CPU)
            return guides.get(ref)

    def _guide_ref(self, control: Control) -> ModelRef | ReferenceRefs:
        return self._reference(control) if control.shows_itself else self._control(control)

    def _waits(self, canvas: Canvas) -> bool:
        """Whether a canvas waits until no other is painted, as there is no room for it, or for what reads its controls,
        beside a model that is on the device as a whole: then the networks will take turns.
        """
        networks, plan = self._networks, self._plan
        if networks is None or plan is None or plan.memory != "whole" or self._memory != "auto":
            return False
        try:
            plan = plan.with_changed(self._changed_bytes(canvas, networks.loaded))
            if plan.within(canvas.size.area).memory != plan.memory:
                return True
            refs = [self._guide_ref(one.control) for one in canvas.controls]
        except OverpaintError:
            return False  # `_start` tells
        needed = sum(networks.guides.needed(one, self._weights.holds) for one in refs if one not in networks.guides)
        left = memory_left(self.device)
        return left is not None and needed > left * (1 - SPARE)

    def _changed_bytes(self, canvas: Canvas, loaded: LoadedModel) -> int:
        """Bytes of the weights that the LoRAs of a canvas's prompts change."""
        settings = paint_settings(canvas, self._family, loaded.scheduler_config)
        files = [one.path for one in loras_of(CanvasTexts.read(settings.sampling, settings.text), self._ref)]
        if files and self._fp8:  # the network is made anew
            return network_bytes(loaded.network)
        return changed_bytes(files, loaded.network, loaded.text_encoders, self._family) if files else 0

    def _place(self, guides: KeptGuides, guide: Guide, control: Control) -> None:
        """Take what reads a control to the device, where there is memory for it."""
        home = guides.home
        if away := sum(network_bytes(one) - network_bytes(one, home.type) for one in guide.networks):
            self._make_room(guides, away, control.model or control.kind, home)
            guides.place(guide)

    def _make_room(self, guides: KeptGuides, needed: int, name: str, device: torch.device) -> None:
        guides.make_room(needed, memory_left(device))
        self._weights.make_room(needed, name, lambda: memory_left(device))

    def _networks_for(self, canvas: Canvas, monitor: Monitor, future: Future[Painted]) -> tuple[Networks, list[Guide]]:
        """The networks, loaded where they are not, and placed so that the canvas has memory on the device; what reads
        its controls, where that had to be known.

        Networks that other canvases are painted with stay where they are.
        """
        wanted = list[Guide]()
        if self._networks is None:
            wanted = self._load(canvas, monitor)
        elif self._plan is not None and all(one.done() for one in self._painting if one is not future):
            networks, plan = self._networks, self._plan
            wanted = self._guides(networks.guides, canvas, monitor)
            changed = self._changed_bytes(canvas, networks.loaded)
            if not {one.key for one in wanted} <= plan.guides:
                plan = plan_of(networks.loaded, canvas.size, plan.free, plan.memory, wanted, changed)
            plan = plan.with_changed(changed)
            fitting = plan.within(canvas.size.area) if self._memory == "auto" else plan
            if fitting.memory != plan.memory:
                self._networks = None
                self._put(networks.loaded, networks.guides, fitting)
            elif plan is not self._plan:
                self._keep_within(fitting, networks.loaded, networks.guides)
        assert self._networks is not None
        return self._networks, wanted

    def _guides(self, guides: KeptGuides, canvas: Canvas, monitor: Monitor) -> list[Guide]:
        """What reads each of a canvas's controls."""
        return [self._guide(guides, one.control, monitor) for one in canvas.controls]

    def _load(self, canvas: Canvas, monitor: Monitor) -> list[Guide]:
        """Load the networks for a first canvas, where there is memory for them; as `_networks_for` what reads its
        controls."""
        monitor.loading(self._ref.name)
        with self._weights.loading():
            needed = self._family.weight_bytes(self._ref, self.dtype, self._weights.holds)
            try:
                self._weights.make_room(needed, self._ref.name, lambda: memory_left(self.device))
            except EngineError:
                if not self._takes_turns or self._memory == "whole":
                    raise  # else other engines have released theirs, and networks take turns
            loaded = self._family.load(self._ref, self.dtype)
            if self._fp8:
                key = (f"{loaded.digest} fp8",)
                network = shared_network(lambda: key, lambda: with_fp8_weights(loaded.network), network_bytes)
                loaded = replace(loaded, network=network, digest=key[0])
            guides = KeptGuides(self._family, self._ref, loaded.network.dtype)
            plan, wanted = None, list[Guide]()
            if self._takes_turns:
                free = memory_left(self.device)
                if free is not None:  # what another engine has there already is there for this one, too
                    free += sum(network_bytes(one, self.device.type) for one in loaded.networks)
                wanted = self._guides(guides, canvas, monitor)
                changed = self._changed_bytes(canvas, loaded)
                plan = plan_of(loaded, canvas.size, free, self._memory, wanted, changed)
            self._put(loaded, guides, plan)
        return wanted

    def _put(self, loaded: LoadedModel, guides: KeptGuides, plan: MemoryPlan | None) -> None:
        """Put the networks where the plan says."""
        placement = None
        if plan is not None and plan.memory != "whole":
            placement = Placement(self.device, plan.memory, plan.weights_room)
        self._keep_within(plan, loaded, guides)
        original = self._original if self._fp8 else None
        self._networks = Networks(loaded, self._ref, self.device, placement=placement, original=original, guides=guides)

    def _keep_within(self, plan: MemoryPlan | None, loaded: LoadedModel, guides: KeptGuides) -> None:
        """Keep a plan, and as many ControlNets and IP-Adapters as have room in it beside the model."""
        left = self._weights.budget - sum(map(network_bytes, loaded.networks))
        room = None if plan is None else plan.guides_room
        guides.budget = left if room is None else min(left, room)
        self._plan = plan

    def _original(self) -> Any:
        """The network with its weights as published, read again."""
        with self._weights.loading():
            return self._family.load(self._ref, self.dtype).network

    def _ended(self, run: CanvasRun) -> bool:
        """Set the result of a run that has ended; else show a preview. One without finite numbers starts again."""
        if not run.future.running():
            return True
        try:
            if not run.sample.done:
                run.show_preview()
                return False
            if isinstance(run.sample.error, NotFiniteError) and run.networks.half and not run.wide:
                run.restart(wide=True)
                return False
            run.future.set_result(run.painted())
        except Exception as error:
            run.future.set_exception(_failure(error, run.canvas))
        return True

    def _rows(self, runs: list[CanvasRun]) -> int:
        area = max((one.canvas.size.area for one in runs), default=1)
        most = max(2, ROWS_OF_512.get(self.device.type, ROWS_OF_512["cpu"]) * 512 * 512 // area)
        return most if self._plan is None else min(most, self._plan.rows(area))


def _next_of(waiting: list[_CanvasJob], at_hand: Counter[Monitor]) -> _CanvasJob | None:
    """Take out the canvas to start next: the first of the work that has the fewest, so that one canvas does not wait
    for another's many. None where none waits or has a place.

    Args:
        waiting: In the order in which they came.
        at_hand: How many canvases of each work are painted.
    """
    work = min((job[1].work for job in waiting), key=lambda one: at_hand[one], default=None)
    most = AT_ONCE if work is None or at_hand[work] else 2 * AT_ONCE
    if work is None or at_hand.total() >= most:
        return None
    return waiting.pop(next(number for number, job in enumerate(waiting) if job[1].work is work))


def _failure(error: Exception, canvas: Canvas) -> Exception:
    """The error for the caller: Overpaint's own errors as they are, others with the size of the canvas."""
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
