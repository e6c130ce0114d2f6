"""The studio: engines that are kept open, and one way to edit."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal, Self, Unpack

from overpaint import pocket
from overpaint.engines import Engine, EngineCard, Monitor
from overpaint.errors import OverpaintError, PictureError, RequestError
from overpaint.frame import Region
from overpaint.request import EditRequest, IntentRule, ResolvedRequest, UsedModel, draw_seed
from overpaint.restore import FaceChoice, choose_faces
from overpaint.select import network_access

from ._edited import Edited
from .choose import Painter, checked_options, choose, exact_unless_given, for_variations
from .controls import settled_controls
from .engine_pool import EnginePool
from .enhance import Enhanced, EnhanceSettings
from .grid import GridCell, grid_cells, painting_order
from .grid_axes import GridAxis
from .inputs import EditArguments, MaskLike, gather, split
from .inserts import Pictured, picture_of
from .many import Edit, EditFailure, many
from .masks import settled
from .network_source import NetworkShelf, NetworkSource
from .resolve import resolve
from .scene import check_place, make_scene
from .steps import (
    Clock,
    PaintedCanvases,
    PreparedEdit,
    check_known,
    finish,
    make_canvases,
    paint_edits,
    planned_regions,
)

Device = Literal["auto", "cpu", "cuda", "mps"]


class Studio:
    """Engines that are kept open, and one way to edit. Thread-safe; as a context manager it closes them at its end."""

    def __init__(
        self,
        *,
        device: Device = "auto",
        threads: int | None = None,
        allow_pickle: bool = False,
        model: str | None = None,
        weight_budget: int | None = None,
        model_paths: bool = True,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            device: Where engines with weights run; "auto" takes a GPU when there is one.
            threads: Threads that an engine may use on a CPU; None: the libraries' own choice.
            allow_pickle: Whether a checkpoint may be a pickle (.ckpt): its weights alone are read, and no code is run.
            model: The checkpoint of prompted intents that name none. Left out, what the environment's OVERPAINT_MODEL
                names, else the embedded one, "pocket".
            weight_budget: Bytes that the weights of all models may take together; beyond it those used least recently
                are released, and loaded again when they are needed. None: half of the machine's memory.
            model_paths: Whether requests may name models by their paths. A server's may not; `model` may be a path even
                so.

        Raises:
            RequestError: Threads below 1.
        """
        if threads is not None and threads < 1:
            raise RequestError(f"{{field}} must be at least 1, not {threads}", field="threads", value=threads)
        self.device = device
        self.networks = NetworkSource(paths=model_paths, allow_pickle=allow_pickle, device=device, shelf=NetworkShelf())
        self.model = model or os.environ.get("OVERPAINT_MODEL") or (pocket.NAME if pocket.folder() else None)
        self.threads = threads
        self._networks = partial(network_access, paths=model_paths, allow_pickle=allow_pickle)
        self._pool = EnginePool(
            device=device,
            threads=threads,
            allow_pickle=allow_pickle,
            weight_budget=weight_budget,
            paths=model_paths,
            own_model=self.model,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every engine. The studio can be used again afterwards; engines then load anew."""
        self._pool.close()
        if self.networks.shelf is not None:
            self.networks.shelf.clear()

    def engine(self, name: str, model: str | None = None, options: Mapping[str, Any] | None = None) -> Engine:
        """The engine of this name, made when it is first needed; with a model, the one that runs it.

        Args:
            name: The engine's.
            model: A checkpoint.
            options: Of a request; those that decide what is loaded (another VAE, say) make an engine of its own.

        Raises:
            UnknownEngineError: There is none of this name.
            RequestError: Options that do not suit.
            ModelError: The model is not here, damaged or no checkpoint. Its weights are loaded when it paints.
        """
        return self._pool.get(name, model, checked_options(self._pool.card(name), options))

    def add_engine(self, engine: Engine) -> None:
        """Use this engine under its card's name, without an entry point. The studio closes it."""
        self._pool.add(engine)

    def enhance(self, picture: Pictured, settings: EnhanceSettings, monitor: Monitor | None = None) -> Enhanced:
        """Enlarge a picture, or restore its faces. Networks stay in memory for the next one.

        Args:
            picture: A picture, an array, a PIL image, or a file: its path, its bytes or open.
            settings: `EnlargeSettings` or `RestoreSettings`.
            monitor: Progress and cancellation.

        Raises:
            PictureError: It can't be read, or the result would have too many pixels.
            RequestError: The settings don't go with it.
            ModelError, MissingExtraError, EngineError: A network can't be used.
            Cancelled: The monitor was cancelled.
        """
        return settings.ready(self.networks).enhance(picture_of(picture), monitor)

    def edit(
        self,
        picture: Pictured,
        request: EditRequest | None = None,
        *,
        monitor: Monitor | None = None,
        **given: Unpack[EditArguments],
    ) -> Edited:
        """Repaint the masked part of a picture.

        Args:
            picture: A picture, an array, a PIL image, or a file: its path, its bytes or open.
            request: The request; settings given beside it override its fields.
            mask: Where to repaint, 1 = repaint, of the picture's size; instead of a mask in the request. An array,
                a PIL image or a mask file as well as a Mask.
            sketch: (H, W, 4) uint8 RGBA strokes, of the picture's size, laid over it before painting; where there is
                no mask, they are the mask too.
            insert: The picture to put in, of any size: the new background, or with alpha the object to add;
                a picture and a mask, which marks the object in it, as well.
            avoid: Pixels that must not be copied, 1 = avoided, of the picture's size: anything that `mask` may be.
            inputs: Rasters that the request names by digest.
            controls: What guides an engine that accepts it: kinds ("canny") whose maps are made from the picture, or
                tables of a control's settings, whose image may be anything that a picture may be.
            monitor: Progress, previews and cancellation.
            **given: Those rasters, and fields of the request: intent, prompt, engine, grow, feather, seed ...

        Raises:
            PictureError, MaskError, RequestError, UnknownEngineError: What came in can't be used; nothing was painted.
            EngineError: The engine failed.
            Cancelled: The monitor was cancelled.
        """
        prepared = self.prepare(picture, request, **given)
        return finish(prepared, self.paint(prepared, monitor), monitor)

    def resolved(self, request: EditRequest, *, seed: int) -> ResolvedRequest:
        """The request with every default filled in, before any picture is opened, for plans.

        Args:
            request: The request; its rasters stay as they are.
            seed: The seed to paint with where the request leaves it open.

        Raises:
            RequestError, UnknownEngineError, ModelError: It can't be painted, whatever the picture.
        """
        rule = request.rule
        painter, faces = self.painter(request, rule), self._faces(request)
        request = painter.asked(request)
        given = seed if request.seed in (None, -1) else draw_seed(request.seed)
        with self._networks():
            return _resolved(*_settled(request, rule, painter), rule, painter, faces, given)

    def check(self, request: EditRequest, *, masked: bool, count: int = 1) -> tuple[str, ...]:
        """Refuse what can't be painted, whatever the picture, before it is opened.

        Args:
            request: The request.
            masked: Whether a mask or a sketch is given beside the request.
            count: How many variations are asked for.

        Returns:
            Those of `notes_before`.

        Raises:
            RequestError, UnknownEngineError, ModelError, MaskError: It can't be painted: nothing says where, say, or
                its variations would be equal.
        """
        rule = request.rule
        if count > 1:
            request = exact_unless_given(request)
        painter, faces = self.painter(request, rule), self._faces(request)
        request = painter.asked(request)
        with self._networks():
            _resolved(*_settled(request, rule, painter), rule, painter, faces, 0)
        check_place(request, rule, masked=masked or request.mask is not None or request.sketch is not None)
        if count > 1:
            for_variations(request, painter, self.painter)
        return (*painter.notes, *faces.notes)

    def notes_before(self, request: EditRequest) -> tuple[str, ...]:
        """What a person should know before the request is painted: things in its prompt that the model can't paint.

        `edit` tells its monitor the same.

        Raises:
            RequestError, UnknownEngineError, ModelError: It can't be painted, whatever the picture.
        """
        return (*self.painter(request).notes, *self._faces(request).notes)

    def card_for(self, request: EditRequest) -> EngineCard:
        """The card of the engine that would paint a request. Raises as `notes_before`."""
        return self.painter(request).card

    def painter(self, request: EditRequest, rule: IntentRule | None = None) -> Painter:
        """What would paint a request: engine, model and options, chosen once for an edit. Raises as `notes_before`.

        A studio that paints elsewhere has another way to find it; everything else of an edit is the same.

        Args:
            request: The request.
            rule: The rule of its intent, where it has been looked up.
        """
        return choose(request, rule or request.rule, self._pool, self.model)

    def _faces(self, request: EditRequest) -> FaceChoice:
        """What restores faces; it is on this machine, whatever paints elsewhere. Raises as `choose_faces`."""
        weight, fidelity = request.face_weight, request.face_fidelity
        return choose_faces(request.restore_faces, self._pool.faces, weight=weight, fidelity=fidelity)

    def prepare(
        self,
        picture: Pictured,
        request: EditRequest | None = None,
        *,
        count: int = 1,
        **given: Unpack[EditArguments],
    ) -> PreparedEdit:
        """The first of the three steps of `edit`: everything before the engine.

        Args:
            count: How many variations are to be painted; this is the first of them.
            picture, request, **given: As for `edit`, errors as well.
        """
        clock = Clock()
        opened = picture_of(picture)
        clock.lap("open")
        request, rasters = gather(opened, request, given)
        if request.strict and opened.source.faults:
            raise PictureError(opened.source.faults[0], code="picture-damaged", field="image")
        rule = request.rule
        if count > 1:
            request = exact_unless_given(request)
        painter = self.painter(request, rule)
        request = painter.asked(request)
        if count > 1:
            request, painter = for_variations(request, painter, self.painter)
        faces = self._faces(request)
        with self._networks():
            request, used = _settled(request, rule, painter)
            resolved = _resolved(request, used, rule, painter, faces, draw_seed(request.seed))
            scene = make_scene(request, rasters, rule, painter.card)
            canvases = make_canvases(scene, resolved, painter)
        check_known(scene, canvases, painter.card)
        clock.lap("prepare")
        return PreparedEdit(rasters, request, resolved, painter, scene, canvases, clock.laps, faces)

    def regions(
        self, picture: Pictured, request: EditRequest | None = None, **given: Unpack[EditArguments]
    ) -> tuple[Region, ...]:
        """What an edit would see and may change, without painting: a region for each frame, in pixels of the result.

        Args:
            picture, request, **given: As for `edit`, errors as well.
        """
        opened = picture_of(picture)
        request, rasters = gather(opened, request, given)
        rule = request.rule
        painter = self.painter(request, rule)
        request = painter.asked(request)
        with self._networks():
            request, used = _settled(request, rule, painter)
            resolved = _resolved(request, used, rule, painter, FaceChoice(), draw_seed(request.seed))
            return planned_regions(make_scene(request, rasters, rule, painter.card), resolved, painter.card)

    def paint(self, prepared: PreparedEdit, monitor: Monitor | None = None) -> PaintedCanvases:
        """The second step: the engine paints. Several threads may call this at once; the engine gets all canvases.

        Raises:
            EngineError: The engine failed.
            Cancelled: The monitor was cancelled.
        """
        (painted,) = paint_edits([prepared], monitor or Monitor(), self.threads)
        return painted

    def finish(self, prepared: PreparedEdit, painted: PaintedCanvases) -> Edited:
        """The third step: the painted pixels are corrected, pasted and measured."""
        return finish(prepared, painted)

    def variations(
        self,
        picture: Pictured,
        request: EditRequest | None = None,
        *,
        count: int,
        monitor: Monitor | None = None,
        **given: Unpack[EditArguments],
    ) -> Iterator[Edited]:
        """One edit in several variations: with its seed, seed + 1, ..., in that order.

        The engine gets all of them at once; one that paints many canvases at a time paints them together. Each is what
        `edit` gives with its own `request`. Several are exact unless the request says otherwise, so that each can be
        replayed alone, and have the engine's options for variations. Leaving the iterator early cancels the rest.

        Args:
            count: How many.
            monitor: Its progress is that of all together.
            picture, request, **given: As for `edit`.

        Raises:
            RequestError: A count below 1, or several of an engine without seeds; and all that `edit` raises: at once
                for what came in, and later from the iterator for the engine's own.
        """
        if count < 1:
            raise RequestError(f"the number of variations must be at least 1, not {count}")
        prepared = self.prepare(picture, request, count=count, **given)
        return self._finished([prepared.variation(number) for number in range(count)], monitor or Monitor())

    def _finished(self, edits: list[PreparedEdit], monitor: Monitor) -> Iterator[Edited]:
        for prepared, painted in zip(edits, paint_edits(edits, monitor, self.threads), strict=True):
            yield finish(prepared, painted, monitor)

    def edit_many(
        self,
        edits: Iterable[Edit | tuple[Pictured, MaskLike] | Pictured],
        request: EditRequest | None = None,
        *,
        ahead: int = 4,
        **given: Unpack[EditArguments],
    ) -> Iterator[Edited | EditFailure]:
        """Make many edits, in their order; one that fails gives an EditFailure, and the others go on.

        Reading, painting and pasting of up to `ahead` edits overlap; results do not depend on it.

        Args:
            edits: Edits, or (picture, mask) pairs, or pictures for intents that need no mask.
            request: The request of all edits that have none of their own.
            ahead: How many are in flight at once.
            **given: As for `edit`. Settings override those of the request; an edit's own settings override them.
        """
        return many(self.edit, edits, request, ahead, given)

    def grid(
        self,
        picture: Pictured,
        request: EditRequest | None = None,
        *,
        axes: Sequence[GridAxis],
        ahead: int = 8,
        monitor: Monitor | None = None,
        **given: Unpack[EditArguments],
    ) -> Iterator[tuple[GridCell, Edited | EditFailure]]:
        """One edit with one to three settings varied, cell by cell (see `grid_cells`), those of one model together.

        A cell that fails gives an EditFailure, and the others go on. `grid_sheet` draws them all.

        Args:
            axes: The settings with their values.
            ahead: How many cells are in flight at once.
            monitor: Its progress is that of all cells together.
            picture, request, **given: As for `edit`.

        Raises:
            OverpaintError: Settings or values that can't be varied; the first cell's, where none can be painted.
        """
        rasters, settings = split(given)
        base = request.merged(**settings) if request is not None else EditRequest.of(**settings)
        cells = painting_order(grid_cells(base, axes, seed=draw_seed(base.seed)))
        wrong = []
        for cell in cells:  # a name that is wrong in every cell is one error, before any is painted
            try:
                self.resolved(cell.request, seed=0)
                break
            except OverpaintError as error:
                wrong.append(error)
        if len(wrong) == len(cells):
            raise wrong[0]
        opened = picture_of(picture)
        edits = (Edit(opened, request=cell.request) for cell in cells)
        made = many(self.edit, edits, None, ahead, rasters, watched=monitor, count=len(cells))
        return zip(cells, made, strict=True)


def _settled(request: EditRequest, rule: IntentRule, painter: Painter) -> tuple[EditRequest, tuple[UsedModel, ...]]:
    """The request with every network of its selectors, maps and controls named, and these networks."""
    request, selecting = settled(request)
    request, mapping = settled_controls(request, rule, painter.card)
    if not request.controls or not painter.card.uses("controls"):
        return request, (*selecting, *mapping)
    controls, controlling = painter.engine.controlled(request.controls)
    return request.model_copy(update={"controls": controls}), (*controlling, *selecting, *mapping)


def _resolved(
    request: EditRequest,
    seeing: tuple[UsedModel, ...],
    rule: IntentRule,
    painter: Painter,
    faces: FaceChoice,
    seed: int,
) -> ResolvedRequest:
    """The request with every default filled in, and with the weights that its engine, its selectors and its maps use,
    and those for faces.
    """
    resolved = resolve(request, painter.card, seed=seed, rule=rule, model=painter.model)
    used = painter.engine.models(resolved.sampling, painter.options)
    return faces.resolved(resolved.model_copy(update={"models": (*used, *seeing)}))
