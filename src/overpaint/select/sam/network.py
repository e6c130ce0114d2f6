"""What all networks of the SAM family do: a costly look at a picture, then a cheap answer to each prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from overpaint.geometry import Size

from .prepare import SamPicture, SamPrompt


@dataclass(frozen=True, slots=True, eq=False)
class SamAnswer:
    """Masks that a network gives for one prompt, the surest first.

    Attributes:
        masks: (N, h, w) float32 tensor; above 0 is inside. They cover the network's whole input.
        scores: Of each, the network's estimate of its IoU (of a text: how sure it is), 0 to 1.
    """

    masks: Any
    scores: tuple[float, ...]


class SamNetwork(Protocol):
    """A network that selects by prompts.

    Attributes:
        takes: How it takes pictures.
        reads_text: Whether it finds things by a text.
    """

    takes: SamPicture
    reads_text: bool

    def embedding(self, picture: Any) -> Any:
        """What it sees in a picture, a (1, 3, side, side) tensor: tensors, or arrays, in a list or alone."""

    def answer(self, embedding: Any, prompt: SamPrompt, size: Size) -> SamAnswer:
        """Masks of what a prompt means in a picture of this size. Up to three for an ambiguous one, else one."""

    def found(self, picture: Any, text: str) -> SamAnswer:
        """Masks of all that a text means in a picture, as for `embedding`; only where `reads_text`."""


def in_order(masks: Any, scores: Any) -> SamAnswer:
    """An answer from (N, h, w) masks and (N,) scores of a network, the surest first."""
    order = scores.float().argsort(descending=True, stable=True)
    values = tuple(min(1.0, max(0.0, float(one))) for one in scores[order])
    return SamAnswer(masks[order].float(), values)


def bytes_of(embedding: Any) -> int:
    """Bytes of an embedding."""
    if isinstance(embedding, list | tuple):
        return sum(map(bytes_of, embedding))
    return int(embedding.nbytes)
