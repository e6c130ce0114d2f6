"""The selector "grounding": all things that words mean, one selection each.

Grounding DINO finds boxes by words (Liu et al., "Grounding DINO: Marrying DINO with grounded pre-training for open-set
object detection", ECCV 2024); a network of the SAM family makes a mask of each box, or, where none is here, GrabCut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from overpaint.geometry import Box, Size
from overpaint.mask import Mask
from overpaint.models import ModelRef
from overpaint.picture import Picture
from overpaint.request import UsedModel

from .base import Selection, SelectorCard, SelectorHints, SelectorOptions
from .cache import shared
from .networks import held, loaded_folder, network_digest, transformers_class
from .of_boxes import maker_of
from .prepare import InputForm, is_usable, network_for, title_of, used_network
from .seen import SeenPicture
from .tokens import tokens_of

NETWORKS = ("grounding-dino",)

FORM = InputForm(size=None, shortest=800, longest=1333)
"""How the published network takes pictures, unless its folder says otherwise."""

SAME = 0.8
"""Boxes with this share of their union in common are one thing, found twice."""

MOST = 64
"""Things that are found at the most."""


class GroundingOptions(SelectorOptions):
    """Which networks, and how sure they must be."""

    model: str = Field(default="", max_length=1024, description="the network's name; left out, the first that is here")
    masks: str = Field(
        default="",
        max_length=1024,
        description="what makes masks of boxes: a network of the SAM family, or grabcut; left out, the best one here",
    )
    least: float = Field(default=0.35, ge=0.01, lt=1, description="how sure the network must be of a thing")


@dataclass(frozen=True, slots=True)
class FoundBox:
    """A thing that was found.

    Attributes:
        box: Around it, in pixels of the picture.
        score: How sure the network is, 0 to 1.
    """

    box: Box
    score: float


class Grounding:
    """All things that words mean."""

    card = SelectorCard(
        name="grounding",
        title="all things that words mean, one selection each (Grounding DINO, with SAM or GrabCut)",
        takes=frozenset({"text", "boxes"}),
        needs=frozenset({"text"}),
        several=True,
        options=GroundingOptions,
        tip="lower the option least, or name it in other words",
        licence="that of its networks",
        digest="grounding-1",
        without={"masks": "grabcut"},
        references=("Liu et al., Grounding DINO, ECCV 2024",),
    )

    @property
    def here(self) -> bool:
        """Whether a network is on this machine that needs no further permission."""
        return is_usable(NETWORKS, "transformers")

    def models(self, hints: SelectorHints) -> tuple[UsedModel, ...]:
        """As `NetworkSelector`."""
        return (used_network(_ref(hints)), *maker_of(_options(hints).masks).models())

    def select(self, picture: Picture, hints: SelectorHints) -> list[Selection]:
        """A mask for each thing, the surest first; in boxes, those whose middle is within."""
        options, ref = _options(hints), _ref(hints)
        maker = maker_of(options.masks)
        seen = SeenPicture.of(picture)
        digest = network_digest(ref.path)
        network = held((digest, "grounding"), lambda: GroundingNetwork.load(ref))
        key = (seen.digest, digest, hints.text, options.least)
        found = shared.get(key, lambda: network.boxes(seen, hints.text, options.least), lambda made: 200 * len(made))
        kept = [one for one in found if not hints.boxes or any(_middle_in(one.box, box) for box in hints.boxes)]
        masks = maker.masks(picture, [one.box for one in kept])
        note = f"found by {title_of(ref)}, masks by {maker.title}"
        return [
            Selection(Mask(mask.values, (note,)), one.score, hints.text)
            for one, mask in zip(kept, masks, strict=True)
            if mask.core.any()
        ]


def _options(hints: SelectorHints) -> GroundingOptions:
    return GroundingOptions.model_validate(dict(hints.options))


def _ref(hints: SelectorHints) -> ModelRef:
    name = _options(hints).model
    return network_for(NETWORKS, name, purpose="the selector 'grounding'", suggested="grounding-dino-tiny")


def _middle_in(one: Box, box: Box) -> bool:
    across, down = (one.left + one.right) / 2, (one.top + one.bottom) / 2
    return box.left <= across < box.right and box.top <= down < box.bottom


@dataclass(frozen=True, slots=True, eq=False)
class GroundingNetwork:
    """The network of a folder.

    Attributes:
        model: transformers' GroundingDinoForObjectDetection.
        tokenizer: Of its texts.
        form: How it takes pictures.
    """

    model: Any
    tokenizer: Any
    form: InputForm

    @classmethod
    def load(cls, ref: ModelRef) -> GroundingNetwork:
        """From a folder. Raises ModelError where a file is missing or damaged."""
        kind = transformers_class("grounding_dino.modeling_grounding_dino", "GroundingDinoForObjectDetection", ref.name)
        tokenizer = tokens_of(ref, "bert.tokenization_bert", "BertTokenizer", ("vocab.txt",))
        return cls(loaded_folder(kind, ref), tokenizer, FORM.read(ref.path))

    def boxes(self, seen: SeenPicture, text: str, least: float) -> tuple[FoundBox, ...]:
        """Boxes around what a text means, the surest first, each thing once."""
        import torch

        read = self.tokenizer([phrase(text)], return_tensors="pt", truncation=True, max_length=self._most)
        picture = self.form.tensor(seen)
        with torch.inference_mode():
            given = self.model(
                pixel_values=picture,
                pixel_mask=torch.ones(picture.shape[0], *picture.shape[2:], dtype=torch.long),
                input_ids=read["input_ids"],
                token_type_ids=read.get("token_type_ids", torch.zeros_like(read["input_ids"])),
                attention_mask=read["attention_mask"],
            )
        scores = given.logits[0].sigmoid().amax(dim=-1)
        sure = (scores > least).nonzero().flatten()
        order = sure[scores[sure].argsort(descending=True, stable=True)]
        return each_once([(given.pred_boxes[0, at].tolist(), float(scores[at])) for at in order], seen.size)

    @property
    def _most(self) -> int:
        """Tokens of a text that it takes."""
        return int(self.model.config.max_text_len)


def phrase(text: str) -> str:
    """Words as the network was trained on them: small letters, and a full stop at the end."""
    return f"{' '.join(text.casefold().split()).rstrip('.')}."


def each_once(found: Sequence[tuple[Sequence[float], float]], size: Size) -> tuple[FoundBox, ...]:
    """Boxes in pixels, of those as a network gives them, without those that are a surer one again.

    Args:
        found: Middle, width and height as shares of the picture, and the score; the surest first.
        size: Of the picture.
    """
    kept: list[FoundBox] = []
    for (across, down, width, height), score in found:
        left, right = (across - width / 2) * size.width, (across + width / 2) * size.width
        top, bottom = (down - height / 2) * size.height, (down + height / 2) * size.height
        box = Box(int(left), int(top), int(right + 0.999), int(bottom + 0.999)).intersect(size.box)
        if not box.empty and all(_common(box, one.box) < SAME for one in kept):
            kept.append(FoundBox(box, score))
        if len(kept) == MOST:
            break
    return tuple(kept)


def _common(one: Box, other: Box) -> float:
    both = one.intersect(other).area
    return both / (one.area + other.area - both)
