"""A session's picture in layers: the original, and above it each step with its mask, its takes as a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from overpaint.composite import AlphaRule, paste_alpha, set_alpha, share_of
from overpaint.geometry import Box
from overpaint.layers import Layer, LayeredPicture, LayerGroup, LayerNode, LayerPixels, title_of
from overpaint.picture import Picture, Samples
from overpaint.record import EditStatement, Marking
from overpaint.studio import pixel_digest
from overpaint.studio.written import RecordMode

from ._export import record_of, showing
from ._history import StepState
from ._paint import (
    Composite,
    PaintedStep,
    ReadArray,
    composite,
    extended,
    grown_by,
    opacity_of,
    padded,
    samples_of,
    weight_of,
)
from ._values import StoredPatch, Take


@dataclass(frozen=True, slots=True)
class StepTakes:
    """A step of the stack, and all that was painted for it and is still there, by the numbers of the takes."""

    state: StepState
    takes: Mapping[int, Take]

    @property
    def picked(self) -> Take:
        """The take that shows."""
        return self.takes[self.state.picked]

    @property
    def shows(self) -> bool:
        """Whether the step has a part in the picture."""
        return self.state.visible and self.state.opacity > 0


def layered(
    original: Picture,
    shown: Composite,
    stack: Sequence[StepTakes],
    read: ReadArray,
    *,
    record: RecordMode,
    marking: Marking,
) -> LayeredPicture:
    """The original with a layer, or a group, for each step above it; the pixels are read when they are written.

    Args:
        original: The picture that the session begins with.
        shown: The present picture.
        stack: All steps, hidden ones too, from below to above.
        read: Reads arrays.
        record: Whether the record, and prompts in the layers' names, are embedded.
        marking: What the file says of its origin.
    """
    embedded = record == "embed"
    canvas, stage = original.size.box, _Stage(original, shown, read)
    nodes = []
    for step in stack:
        if step.shows:
            canvas = grown_by(canvas, step.picked)
        here = canvas if step.shows else shown.canvas
        if (node := _node(step, stage, here, embedded)) is not None:
            nodes.append(node)
        if step.shows:
            stage.paste(step, here)
    steps = [(step.state, step.picked) for step in stack if step.shows]
    stated = showing(steps, read) if embedded else []
    made = record_of(shown, stated, partial(pixel_digest, shown.picture)) if stated else None
    # hidden layers are in the file too, and a retoucher may show them
    edits = EditStatement.of_records([take.record for step in stack for take in step.takes.values()])
    base = _base(original, shown.canvas, steps, read)
    return LayeredPicture(base, tuple(nodes), shown.picture, made, edits, marking)


def _base(original: Picture, canvas: Box, steps: Sequence[PaintedStep], read: ReadArray) -> Picture:
    """The original on a canvas that steps made larger. Margins are what each of them had below it: where the step is
    translucent or masked, that shows.
    """
    samples, at = original.samples, original.size.box
    if at == canvas:
        return original
    for place, (_, take) in enumerate(steps):
        grown = grown_by(at, take)
        if grown == at:
            continue
        below = composite(original, steps[:place], read).picture
        wide, _ = padded(below.samples, None, at, grown)
        wide[at.shift(-grown.left, -grown.top).slices] = samples
        samples, at = wide, grown
    alpha = extended(original, canvas).alpha
    return original.with_pixels(samples, alpha)


class _Stage:
    """What all layers of a session share: the picture's kind, and the alpha that lies below the next of them."""

    def __init__(self, original: Picture, shown: Composite, read: ReadArray) -> None:
        self.original = original
        self.canvas = shown.canvas
        self.read = read
        self._alpha: Samples | None = None
        if original.alpha is not None:
            alpha = extended(original, shown.canvas).alpha
            assert alpha is not None
            self._alpha = alpha.copy()

    def paste(self, step: StepTakes, canvas: Box) -> None:
        """Change the alpha as a step that shows does."""
        patches, rule = step.picked.patches, step.picked.record.resolved.alpha
        opaque = all(patch.opacity is None for patch in patches)
        if self._alpha is None and opaque:
            return
        if self._alpha is None:
            # Opaque so far; margins that later steps add are transparent.
            self._alpha = np.zeros(self.canvas.size.shape, self.original.samples.dtype)
            self._alpha[canvas.shift(-self.canvas.left, -self.canvas.top).slices] = self.original.maximum
        if opaque and rule == "keep":
            return
        for patch in patches:
            here, inner = _places(patch, canvas)
            if here.empty:
                continue
            weight = weight_of(patch, step.state, self.read)[inner]
            at = here.shift(-self.canvas.left, -self.canvas.top)
            opacity = opacity_of(patch, self.read)
            if opacity is not None:
                set_alpha(self._alpha, opacity[inner], weight, at)
            else:
                paste_alpha(self._alpha, weight, at, rule)

    def alpha_at(self, here: Box) -> Samples | None:
        """(h, w) the alpha of a part; None where it is opaque."""
        if self._alpha is None:
            return None
        part = self._alpha[here.shift(-self.canvas.left, -self.canvas.top).slices]
        return None if part.min() == self.original.maximum else part.copy()


def _node(step: StepTakes, stage: _Stage, canvas: Box, prompts: bool) -> LayerNode | None:
    """A step: one layer, or a group of its takes or regions."""
    state = step.state
    name = f"{state.number} {_title(step.picked, prompts)}"
    if len(step.takes) == 1:
        return _take(step.picked, state, stage, canvas, name, visible=state.visible)
    members = []
    several = len({_painter(take) for take in step.takes.values()}) > 1
    for number, take in step.takes.items():
        seed = take.record.resolved.seed
        named = f"Take {number}, {_painter(take)}" if several or seed is None else f"Take {number}"
        named = named if seed is None else f"{named}, seed {seed}"
        node = _take(take, state, stage, canvas, named, visible=number == state.picked)
        members += [] if node is None else [node]
    return LayerGroup(name, tuple(members), state.visible) if members else None


def _take(take: Take, state: StepState, stage: _Stage, canvas: Box, name: str, *, visible: bool) -> LayerNode | None:
    """One take: a layer, or a group of its regions; None where it has none."""
    several = len(take.patches) > 1
    rule = take.record.resolved.alpha
    layers = []
    for number, patch in enumerate(take.patches, start=1):
        named = f"Region {number}" if several else name
        layers.append(_layer(patch, state, stage, canvas, rule, named, visible=visible or several))
    if not layers:
        return None
    return LayerGroup(name, tuple(layers), visible) if several else layers[0]


def _layer(
    stored: StoredPatch, state: StepState, stage: _Stage, canvas: Box, rule: AlphaRule, name: str, *, visible: bool
) -> Layer:
    """One region, with all its paint: what lies beyond the picture, as that of a step that extends it and is hidden, is
    there for those who make the picture larger. Where the alpha below it makes its share of the colour depend on the
    opacity, its mask has both.

    Args:
        stored: The region.
        state: Its step.
        stage: The whole picture.
        canvas: Where the picture lies on which it is laid. What steps above add to that does not show its paint.
        rule: What it does to alpha.
        name: For people.
        visible: Whether it shows.
    """
    box, shown, arrays = Box(*stored.box), stage.canvas, stage.read
    (here, inner), (_, of_shown) = _places(stored, canvas), _places(stored, shown)
    alpha = None if here.empty else stage.alpha_at(here)
    mixed = alpha is not None and rule == "cover"

    def read() -> LayerPixels:
        weight = weight_of(stored, state, arrays, opacity=state.opacity if mixed else 1.0)
        laid = weight[inner] if alpha is None else share_of(weight[inner], alpha, rule)
        mask: NDArray[np.float32] = laid
        if here != box:
            mask = weight.copy()
            mask[of_shown] = 0
            mask[inner] = laid
        return LayerPixels(samples_of(stored, stage.original, arrays), mask)

    return Layer(name, box.shift(-shown.left, -shown.top), read, 1.0 if mixed else state.opacity, visible)


def _places(patch: StoredPatch, canvas: Box) -> tuple[Box, tuple[slice, slice]]:
    """Where a region lies on a canvas, and that part of its arrays."""
    box = Box(*patch.box)
    here = box.intersect(canvas)
    return here, here.shift(-box.left, -box.top).slices


def _painter(take: Take) -> str:
    """The model or the engine, without folders."""
    resolved = take.record.resolved
    return PurePath(resolved.model or resolved.engine).name


def _title(take: Take, prompts: bool) -> str:
    record = take.record
    prompt = (record.resolved.prompt or record.request.prompt or "") if prompts else ""
    return title_of(record.resolved.intent, prompt)
