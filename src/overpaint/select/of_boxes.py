"""Masks of things in boxes: by a network of the SAM family where one is here, else by GrabCut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from overpaint.geometry import Box
from overpaint.mask import Mask
from overpaint.models import ModelRef
from overpaint.picture import Picture
from overpaint.request import UsedModel

from .base import SelectorHints
from .grabcut import GrabCut
from .prepare import title_of, used_network
from .sam import default_network, masks_of_boxes, sam_network

CUT = "grabcut"


class MaskMaker(Protocol):
    """Makes masks of boxes.

    Attributes:
        title: For notes.
    """

    title: str

    def masks(self, picture: Picture, boxes: Sequence[Box]) -> list[Mask]:
        """The mask of the thing in each box, in their order; an empty one where there is none."""

    def models(self) -> tuple[UsedModel, ...]:
        """The networks that it runs."""


class CutMasks:
    """By colours and edges."""

    title = "GrabCut"

    def masks(self, picture: Picture, boxes: Sequence[Box]) -> list[Mask]:
        """As `MaskMaker`."""
        found = []
        for box in boxes:
            made = GrabCut().select(picture, SelectorHints(boxes=(box,)))
            found.append(made[0].mask if made else Mask.empty(picture.size))
        return found

    def models(self) -> tuple[UsedModel, ...]:
        """None."""
        return ()


class SamMasks:
    """By a network of the SAM family."""

    def __init__(self, ref: ModelRef) -> None:
        """`ref` is the network."""
        self._ref, self.title = ref, title_of(ref)

    def masks(self, picture: Picture, boxes: Sequence[Box]) -> list[Mask]:
        """As `MaskMaker`."""
        return [one.mask for one in masks_of_boxes(picture, boxes, self._ref.name)] if boxes else []

    def models(self) -> tuple[UsedModel, ...]:
        """The network."""
        return (used_network(self._ref),)


def maker_of(name: str) -> MaskMaker:
    """What makes masks of boxes.

    Args:
        name: "grabcut", or a network's name; "": the best network that is here, else GrabCut.

    Raises:
        ModelError: A network of this name is not here, is none of the SAM family, or may not be used.
    """
    if name == CUT or not (name or default_network()):
        return CutMasks()
    return SamMasks(sam_network(name))
