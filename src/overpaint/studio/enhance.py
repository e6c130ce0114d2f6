"""Pictures made better as a whole, as results with a record: enlarged, or with their faces restored.

Their record is that of an edit whose engine is one of `record.ENHANCERS`: `options` has the settings of this module,
`models` the networks, and `earlier` the record of the picture that was enhanced, where it has one.
"""

from __future__ import annotations

import os
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import version as version_of
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import numpy as np
from pydantic import Field

from overpaint.engines import Monitor
from overpaint.errors import ModelError
from overpaint.geometry import Box, Size
from overpaint.models import ModelRef, digest
from overpaint.picture import Picture
from overpaint.record import (
    FACES,
    TEACHES,
    UPSCALER,
    EditStatement,
    Record,
    SourceType,
    read_record,
    type_of_edit,
    version,
)
from overpaint.request import EditRequest, Execution, ResolvedRequest, UsedModel, picture_blob
from overpaint.restore import (
    AUTOMATIC,
    CASCADE,
    WITH_FIDELITY,
    FaceChoice,
    FaceRestorer,
    choose_faces,
    enlarge,
    enlarged_size,
    face_restorer,
    first_face_network,
    load_upscaler,
    none_here,
    restore_faces,
)
from overpaint.restore.enlarge import left_out
from overpaint.restore.networks import SpandrelUpscaler
from overpaint.values import Value, digest_of

from .execution import versions
from .network_source import ANY_NETWORK, NetworkSource
from .saving import FinishedPicture, SavableResult
from .written import pixel_digest

EnhanceVerb: TypeAlias = Literal["enlarge", "restore"]
"""What is done to a picture as a whole; also the word in the name of its file."""

_LICENCE = "Apache-2.0"

_NO_FACE = "no face was found: the picture is as it was"
_BETTER = "download yunet, which finds turned and small faces too"

_MOST_ORIGINS = 32
"""Records of earlier edits that a record takes over."""


@dataclass(frozen=True, slots=True, eq=False)
class Enhancement:
    """What was done to a picture.

    Attributes:
        picture: The result's pixels.
        done: What was done, for people: "enlarged 2 times to 800x600 (self-taught)".
        facts: The same for programs.
        notes: For people.
    """

    picture: Picture
    done: str
    facts: Mapping[str, Any]
    notes: tuple[str, ...] = ()


class EnhanceSettings(Value):
    """What is done to a whole picture."""

    verb: ClassVar[EnhanceVerb]

    @abstractmethod
    def size_of(self, size: Size) -> Size:
        """The size that a picture of this size gets. RequestError where the settings don't go with it."""

    @abstractmethod
    def ready(self, source: NetworkSource = ANY_NETWORK) -> Enhancer:
        """With the networks loaded.

        Raises:
            ModelError: One is not here, damaged, of another kind, or may not be used.
            MissingExtraError: A package is not installed.
            EngineError: The device does not exist.
        """


class EnlargeSettings(EnhanceSettings):
    """How a picture is enlarged."""

    verb: ClassVar[EnhanceVerb] = "enlarge"

    scale: float | None = Field(
        default=None, description="how many times as wide and as high, more than 1, up to 16; left out with a size: 2"
    )
    width: int | None = Field(default=None, description="as wide as this in pixels, the proportions kept")
    height: int | None = Field(default=None, description="as high as this in pixels, the proportions kept")
    model: Annotated[str, Field(max_length=1000)] | None = Field(
        default=None, description="a network that enlarges; left out, filters that the picture teaches itself"
    )

    def size_of(self, size: Size) -> Size:
        """See `EnhanceSettings`."""
        return enlarged_size(size, scale=self.scale, width=self.width, height=self.height)

    def ready(self, source: NetworkSource = ANY_NETWORK) -> Enhancer:
        """See `EnhanceSettings`."""
        upscaler: SpandrelUpscaler | None = None
        models: tuple[UsedModel, ...] = ()
        if self.model is not None:
            upscaler, models = source.loaded(("upscaler", self.model), partial(_loaded_upscaler, self.model, source))

        def work(picture: Picture, monitor: Monitor) -> Enhancement:
            sides = {"scale": self.scale, "width": self.width, "height": self.height}
            made = enlarge(picture, upscaler=upscaler, monitor=monitor, **sides)  # type: ignore[arg-type]
            done = f"enlarged {made.scale:.3g} times to {made.picture.size} ({made.by})"
            return Enhancement(made.picture, done, {"scale": made.scale, "by": made.by}, made.notes)

        names: dict[str, Any] = {} if upscaler is None else {"model": upscaler.name}
        if (self.scale, self.width, self.height) == (None, None, None):
            names["scale"] = 2.0
        filled = self.model_copy(update=names)
        if upscaler is None:
            return Enhancer(self, filled, TEACHES, (), _execution("cpu"), work)
        return Enhancer(self, filled, UPSCALER, models, _execution(upscaler.device, "spandrel"), work)


class RestoreSettings(EnhanceSettings):
    """How faces are restored."""

    verb: ClassVar[EnhanceVerb] = "restore"

    model: Annotated[str, Field(max_length=1000)] | None = Field(
        default=None, description="a network that restores faces; left out, the one that is here"
    )
    weight: float = Field(default=1.0, ge=0, le=1, description="0 leaves faces as they are, 1 takes the network's")
    fidelity: float | None = Field(
        default=None, ge=0, le=1, description="of CodeFormer alone: 0 restores the most, 1 keeps the most of the face"
    )
    detector: Annotated[str, Field(max_length=1000)] | None = Field(
        default=None, description="a network that finds faces (YuNet); left out, the one that is here; none: a cascade"
    )

    def size_of(self, size: Size) -> Size:
        """See `EnhanceSettings`."""
        return size

    def chosen(self, source: NetworkSource = ANY_NETWORK) -> FaceChoice:
        """What restores faces; nothing is loaded yet. Raises as `ready`, and RequestError where no network is here."""
        chosen = choose_faces(
            self.model or AUTOMATIC,
            partial(_restorer, source),
            weight=self.weight,
            fidelity=self.fidelity,
            detector=self.detector,
            paths=source.paths,
        )
        if chosen.restorer is None:
            raise none_here()
        return chosen

    def ready(self, source: NetworkSource = ANY_NETWORK) -> Enhancer:
        """See `EnhanceSettings`."""
        from overpaint.engines.diffusion.devices import device_of

        device, chosen = device_of(source.device), self.chosen(source)
        restorer = chosen.restorer
        assert restorer is not None

        def work(picture: Picture, monitor: Monitor) -> Enhancement:
            made = restore_faces(picture, restorer, settings=chosen.settings, monitor=monitor)
            count = f"{made.faces} face{'' if made.faces == 1 else 's'}"
            facts = {"faces": made.faces, "by": restorer.title, "weight": self.weight}
            notes = (*chosen.notes, *made.notes)
            if not made.faces and chosen.active:
                notes += (_NO_FACE if chosen.settings.detector or self.detector else f"{_NO_FACE}; {_BETTER}",)
            return Enhancement(made.picture, f"restored {count} ({restorer.title})", facts, notes)

        used = {one.role: one.name for one in chosen.models}
        filled = self.model_copy(
            update={
                "model": restorer.title,
                "detector": used.get("face-detector", CASCADE),
                "fidelity": chosen.settings.fidelity if restorer.network in WITH_FIDELITY else None,
            }
        )
        return Enhancer(self, filled, FACES, chosen.models, _execution(str(device), "spandrel"), work)


@dataclass(frozen=True, slots=True, eq=False)
class Enhancer:
    """Settings with their networks, ready for pictures.

    Attributes:
        asked: The settings as they were given.
        settings: The same with what was left open filled in, and the names by which the networks are found.
        engine: One of `record.ENHANCERS`.
        models: The networks.
        execution: On what it runs.
        work: Does it.
    """

    asked: EnhanceSettings
    settings: EnhanceSettings
    engine: str
    models: tuple[UsedModel, ...]
    execution: Execution
    work: Callable[[Picture, Monitor], Enhancement]

    @property
    def source_type(self) -> SourceType:
        """What it makes of a photograph, in IPTC's terms."""
        return type_of_edit(learned=True, puts_in=False) if self.models else SourceType.ALGORITHMICALLY_ENHANCED

    def enhance(self, picture: Picture, monitor: Monitor | None = None) -> Enhanced:
        """What becomes of a picture.

        Raises:
            RequestError: The settings don't go with this picture.
            PictureError: The result would have too many pixels.
            ModelError: A network can't be used.
            Cancelled: The monitor was cancelled.
        """
        began = time.perf_counter()
        made = self.work(picture, monitor or Monitor())
        seconds: dict[str, float] = {self.settings.verb: round(time.perf_counter() - began, 6)}
        return Enhanced(self, picture, made, seconds)


@dataclass(frozen=True, eq=False)
class Enhanced(SavableResult):
    """A picture that was enlarged, or whose faces were restored.

    Attributes:
        by: What made it.
        original: The picture as opened.
        made: What was done to it.
        timings: Seconds by step.
    """

    by: Enhancer
    original: Picture
    made: Enhancement
    timings: Mapping[str, float]

    @cached_property
    def picture(self) -> Picture:
        """The result, with all that the original is beside its pixels."""
        return self.original.with_pixels(self.made.picture.samples, self.made.picture.alpha)

    @property
    def notes(self) -> tuple[str, ...]:
        """For people. The record of an earlier edit is not left out here: it is taken over."""
        gone = left_out(self.original)
        return tuple(one for one in self.made.notes if one not in gone)

    @property
    def notes_without_prompt(self) -> tuple[str, ...]:
        """The notes for private mode; they quote no prompt."""
        return self.notes

    @property
    def licence(self) -> str:
        """Of what stands for the engine: Overpaint's own code. Networks have licences of their own."""
        return _LICENCE

    @property
    def execution(self) -> Execution:
        """On what it ran."""
        return self.by.execution

    @cached_property
    def request(self) -> EditRequest:
        """What was asked for, as a request; networks by their names, as a path is nobody else's business."""
        given = self.by.asked.to_mapping().keys()
        options = {name: value for name, value in self.by.settings.to_mapping().items() if name in given}
        return EditRequest.of("custom", engine=self.by.engine, options=options)

    @cached_property
    def resolved(self) -> ResolvedRequest:
        """The same with every default filled in, and the picture named by its digest."""
        return ResolvedRequest(
            intent="custom",
            image=picture_blob(self.original),
            engine=self.by.engine,
            engine_digest=digest_of([self.by.engine, version()]),
            paints_from="settings",
            models=self.by.models,
            options=self.by.settings.to_mapping(),
            area="whole",
            context="whole",
            edge="none",
            strict=False,
            alpha="keep",
            colour_match=False,
            seam=False,
            exact=True,
            inverts_mask=False,
            dialect="native",
        )

    @cached_property
    def pixels_sha256(self) -> str:
        """Digest of the result's pixels."""
        return pixel_digest(self.picture)

    @cached_property
    def record(self) -> Record:
        """How the result was made, and the record of how the original was, as values that are written into files."""
        source = self.original.source
        return Record(
            request=self.request,
            resolved=self.resolved,
            execution=self.execution,
            size=tuple(self.picture.size),
            input_sha256=source.sha256,
            input_size=tuple(self.original.size),
            input_name=source.path.name if source.path else None,
            pixels_sha256=self.pixels_sha256,
            timings=dict(self.timings),
            notes=self.notes,
            source_type=self.source_type,
            earlier=_origin(self.original),
        )

    @property
    def source_type(self) -> SourceType:
        """What it makes of a photograph: a network that changed nothing is not in the result."""
        same = np.array_equal(self.picture.samples, self.original.samples)
        return SourceType.ALGORITHMICALLY_ENHANCED if same else self.by.source_type

    def repeating(self, earlier: Record) -> Enhanced:
        """The same: nothing of an earlier record decides about it."""
        return self

    @property
    def finished(self) -> FinishedPicture:
        """The result as it is written into files."""
        return finished_enhancement(self.original, self.picture, lambda: self.record, self.by.settings.verb)


def finished_enhancement(
    original: Picture, picture: Picture, record: Callable[[], Record], verb: EnhanceVerb
) -> FinishedPicture:
    """An enhanced picture as it is written into files.

    Args:
        original: The picture as opened.
        picture: The result, with all that the original is beside its pixels.
        record: How it was made.
        verb: What was done.
    """
    larger = picture.size != original.size
    touched = np.ones(picture.size.shape, bool) if larger else (picture.samples != original.samples).any(axis=2)

    def statement() -> EditStatement:
        made = record()
        return EditStatement(
            source_type=SourceType(made.source_type),
            intent=verb,
            engine=made.resolved.engine,
            models=tuple(one.name for one in made.resolved.models),
            boxes=(Box.around(touched),) if touched.any() else (),
            overpaint=made.overpaint,
        )

    return FinishedPicture(
        picture=picture,
        base=picture if larger else original,
        touched=touched,
        marked=touched,
        reach=0,
        suffix=verb,
        record=record,
        edits=(statement(),),
        pixels_sha256=lambda: record().pixels_sha256 or pixel_digest(picture),
    )


def enhancer_of(record: Record, source: NetworkSource = ANY_NETWORK, model: str | None = None) -> Enhancer:
    """What the record of a picture that was enhanced names, ready to do it again.

    Args:
        record: The record.
        source: Where networks may come from.
        model: The name or path of the network, where it is no longer found by the recorded name.

    Raises:
        RequestError: The record's options can't be read.
        ModelError: The network is not here by the recorded name (code "network-missing"); and as
            `EnhanceSettings.ready`.
        MissingExtraError, EngineError: See `EnhanceSettings.ready`.
    """
    kind: type[EnhanceSettings] = RestoreSettings if record.resolved.engine == FACES else EnlargeSettings
    options: dict[str, Any] = dict(record.resolved.options)
    settings = kind(**options)
    if model is not None:
        settings = settings.model_copy(update={"model": model})
    try:
        return settings.ready(source)
    except ModelError as error:
        recorded = options.get("model")
        if model is not None or error.code != "model-unknown" or error.value != recorded:
            raise
        raise ModelError(
            f"the network {recorded}, which the record names, is not here",
            code="network-missing",
            field="model",
            value=recorded,
            hint="give its file as the model",
        ) from error


def _origin(picture: Picture) -> tuple[Record, ...] | None:
    """The record of how a picture was made, as `earlier` has it; None for none, and for a chain that grew too long."""
    found = read_record(picture)
    if found is None or found.record is None or len(found.record.edits) > _MOST_ORIGINS:
        return None
    return (found.record,)


def _loaded_upscaler(name: str, source: NetworkSource) -> tuple[SpandrelUpscaler, tuple[UsedModel, ...]]:
    network = load_upscaler(name, paths=source.paths, allow_pickle=source.allow_pickle, device=source.device)
    return network, (_used(network.ref, "upscaler"),)


def _restorer(source: NetworkSource, name: str) -> FaceRestorer | None:
    """What restores faces; for `AUTOMATIC` None where none is here. Its licence is looked at each time."""
    named = first_face_network() if name == AUTOMATIC else name
    if named is None:
        return None
    made = face_restorer(named, paths=source.paths, allow_pickle=source.allow_pickle, device=source.device)
    return source.loaded(("faces", named, made.models[0].sha256), lambda: made)


def _used(ref: ModelRef, role: Literal["upscaler"]) -> UsedModel:
    return UsedModel(
        role=role,
        name=ref.name,
        sha256=digest(ref.path),
        licence=ref.licence or "unknown",
        accepted=ref.accepted or None,
    )


def _execution(device: str, *packages: str) -> Execution:
    further = {name: version_of(name) for name in packages}
    return Execution(
        device=device,
        dtype="float32",
        threads=os.cpu_count() or 1,
        exact=True,
        versions={**versions(), **further},
    )
