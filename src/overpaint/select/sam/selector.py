"""The selectors "sam", for things at points or in boxes by a network of the SAM family, and "sam3", for words.

What a network sees in a picture is kept by the picture's content and the network's, so that a further click only runs
its decoder. A mask is made at a quarter of the network's input, and its edge is moved to the picture's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec

import numpy as np
from pydantic import Field

from overpaint.errors import MissingExtraError, RequestError
from overpaint.geometry import Box
from overpaint.mask import Mask
from overpaint.models import ModelRef
from overpaint.picture import Picture
from overpaint.request import UsedModel
from overpaint.select.base import Selection, SelectorCard, SelectorHints, SelectorOptions
from overpaint.select.cache import shared
from overpaint.select.prepare import edged, used_network
from overpaint.select.seen import SeenPicture

from .load import default_network, loaded, sam_network
from .network import SamAnswer, SamNetwork, bytes_of
from .prepare import Flags, SamPrompt, prompts_of

SAM3 = "Carion et al., SAM 3: Segment Anything with Concepts, 2025"

FINER = 2
"""The picture is reduced by averages to so many times the network's input, before it is scaled to it."""

REACH = 1.25
"""How far an edge may be moved, as a share of the side of a cell of the network's mask; at least 2 pixels."""


class SamOptions(SelectorOptions):
    """Which network selects, and how."""

    model: str = Field(
        default="",
        max_length=4096,
        description="the network's name, as the list of models has it; left out, the best one that is here",
    )
    refine: bool = Field(default=True, description="move the edge of a mask to the picture's own")


class Sam:
    """Things at points or in boxes, by a network of the SAM family."""

    card = SelectorCard(
        name="sam",
        title="the thing at a point or in a box, by a network (SAM, HQ-SAM, SAM 2.1, EdgeTAM, SAM 3)",
        takes=frozenset({"points", "boxes", "mask"}),
        needs=frozenset({"points", "boxes", "mask"}),
        several=True,
        options=SamOptions,
        tip="set a further point on it, or draw a box around it",
        licence="that of its network",
        digest="sam-1",
        references=(
            "Kirillov et al., Segment Anything, ICCV 2023",
            "Ke et al., Segment Anything in High Quality, NeurIPS 2023",
            "Ravi et al., SAM 2: Segment Anything in Images and Videos, ICLR 2025",
            "Zhou et al., EdgeTAM: On-Device Track Anything Model, CVPR 2025",
            SAM3,
        ),
    )

    def __init__(self) -> None:
        """Nothing is loaded yet.

        Raises:
            MissingExtraError: Neither transformers nor ONNX Runtime is installed.
        """
        if find_spec("transformers") is None and find_spec("onnxruntime") is None:
            raise MissingExtraError.of("the selector 'sam'", "select")

    @property
    def here(self) -> bool:
        """Whether a network is on this machine that needs no further permission."""
        return default_network() is not None

    def select(self, picture: Picture, hints: SelectorHints) -> list[Selection]:
        """One mask for each box; without a box one.

        A single point may mean a thing, a part of it or a group: what is less sure is given as alternatives.
        """
        options = SamOptions.model_validate(dict(hints.options))
        ref = sam_network(options.model)
        work = SamWork.on(picture, ref, refine=options.refine)
        boxes = [box.intersect(picture.size.box) for box in hints.boxes]
        prompts = prompts_of(hints.points, boxes, None if hints.mask is None else np.asarray(hints.mask.core))
        found = [one for prompt in prompts for one in work.of_prompt(prompt)]
        return found if len(prompts) == 1 else sorted(found, key=lambda one: -one.score)

    def models(self, hints: SelectorHints) -> tuple[UsedModel, ...]:
        """The network that these hints are given to. Raises as `select` does."""
        return (used_network(sam_network(SamOptions.model_validate(dict(hints.options)).model)),)


class SamByWords:
    """All things that a text means, by SAM 3."""

    card = SelectorCard(
        name="sam3",
        title="all things that a text means, one selection each, by SAM 3",
        takes=frozenset({"text", "boxes"}),
        needs=frozenset({"text"}),
        several=True,
        options=SamOptions,
        tip="use a short noun phrase, or a more usual word",
        licence="SAM License",
        digest="sam3-1",
        references=(SAM3,),
    )

    def __init__(self) -> None:
        """Nothing is loaded yet.

        Raises:
            MissingExtraError: transformers is not installed.
        """
        if find_spec("transformers") is None:
            raise MissingExtraError.of("the selector 'sam3'", "select")

    @property
    def here(self) -> bool:
        """Whether SAM 3 is on this machine, and its licence was accepted."""
        return default_network(("sam3",)) is not None

    def select(self, picture: Picture, hints: SelectorHints) -> list[Selection]:
        """One mask for each thing; with boxes those that lie mostly in one of them."""
        options = SamOptions.model_validate(dict(hints.options))
        work = SamWork.on(picture, sam_network(options.model, ("sam3",)), refine=options.refine)
        found = work.of_text(hints.text)
        return [one for one in found if not hints.boxes or any(_mostly_in(one.mask, box) for box in hints.boxes)]

    def models(self, hints: SelectorHints) -> tuple[UsedModel, ...]:
        """The network that these hints are given to. Raises as `select` does."""
        return (used_network(sam_network(SamOptions.model_validate(dict(hints.options)).model, ("sam3",))),)


@dataclass(frozen=True, slots=True, eq=False)
class SamWork:
    """A network that selects in one picture.

    Attributes:
        seen: The picture.
        network: The network.
        digest: Its digest.
        name: Its name.
        refine: Whether edges are moved to the picture's own.
    """

    seen: SeenPicture
    network: SamNetwork
    digest: str
    name: str
    refine: bool = True

    @classmethod
    def on(cls, picture: Picture, ref: ModelRef, *, refine: bool = True) -> SamWork:
        """The network of a reference, loaded, and this picture."""
        network, digest = loaded(ref)
        return cls(SeenPicture.of(picture), network, digest, ref.name, refine)

    def of_prompt(self, prompt: SamPrompt) -> list[Selection]:
        """What a prompt means, the surest first; those beyond the first are alternatives to it."""
        key = (self.seen.digest, self.digest)
        embedding = shared.get(key, lambda: self.network.embedding(self._input()), bytes_of)
        found = self._selections(self.network.answer(embedding, prompt, self.seen.size))
        return [replace(one, alternative=number > 0) for number, one in enumerate(found)]

    def of_text(self, text: str) -> list[Selection]:
        """All that a text means, the surest first."""
        if not self.network.reads_text:
            message = f"{self.name} takes no text: it is a network for points and boxes alone"
            raise RequestError(message, code="hint-refused", field="text", value=text)
        return self._selections(self.network.found(self._input(), text), text)

    def _input(self) -> object:
        size = self.seen.size
        return self.network.takes.input_of(self.seen.part(size.box, FINER * self.network.takes.side), size)

    def _selections(self, answer: SamAnswer, label: str = "") -> list[Selection]:
        found = []
        for logits, score in zip(answer.masks, answer.scores, strict=True):
            marked = self.network.takes.mask_of(logits, self.seen.size)
            if self.refine:
                marked = self._edged(marked, max(self.seen.size) / max(logits.shape))
            if marked.any():
                mask = Mask(marked.astype(np.float32)).with_notes((f"found by the network {self.name}",))
                found.append(Selection(mask, score, label))
        return found

    def _edged(self, marked: Flags, cell: float) -> Flags:
        """A mask with the picture's own edges; `cell` is the side of a cell of the network's mask in pixels."""
        return edged(self.seen, marked, cell, REACH)


def _mostly_in(mask: Mask, box: Box) -> bool:
    core = np.asarray(mask.core)
    return bool(2 * core[box.intersect(mask.size.box).slices].sum() >= core.sum())


def masks_of_boxes(picture: Picture, boxes: Sequence[Box], model: str = "", *, refine: bool = True) -> list[Selection]:
    """The thing in each box, one selection a box and in their order. A box with nothing in it has an empty mask.

    Args:
        picture: The picture.
        boxes: Around the things, in pixels; what of one is beyond the picture is left out.
        model: The network's name, as of the selector's option; "": the best one that is here.
        refine: Whether the edges are moved to the picture's own.

    Raises:
        ModelError: There is no network (see `sam_network`).
    """
    work = SamWork.on(picture, sam_network(model), refine=refine)
    found = []
    for box in boxes:
        one = work.of_prompt(SamPrompt(box=box.intersect(picture.size.box)))
        found.append(one[0] if one else Selection(Mask.empty(picture.size), 0.0))
    return found
