"""Several texts at once: the estimate of a prompt whose parts AND joins.

With the estimate u of the negative prompt and those c_i of the parts, guidance wants x = u + s sum w_i (c_i - u)
(composable diffusion, Liu et al. 2022, arXiv 2206.01714). With W = sum w_i and the mean c = sum w_i c_i / W that is
u + s W (c - u): the guidance of one text, with another scale. So every kind of guidance sees the mean and that scale,
and where guidance does not act the mean alone is enough.

Where W is not above 0 there is no mean: then c = u + sum w_i (c_i - u), and the scale stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from .values import Conditioning, Mixture


@dataclass(frozen=True, slots=True, eq=False)
class TextRow:
    """A text that the network is called with.

    Attributes:
        text: The text.
        negative: Whether it is the negative prompt.
    """

    text: Conditioning
    negative: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class StepTexts:
    """The texts whose estimates one query needs.

    Attributes:
        mixture: The prompt's parts.
        negative: The negative prompt.
        sides: Whether guidance takes the prompt's estimate and the negative prompt's.
        apart: Whether more than the text sets the prompt's rows apart from the negative prompt's, as a control that
            acts on the prompt alone does. Then equal texts have rows of their own.
    """

    mixture: Mixture
    negative: Conditioning
    sides: tuple[bool, bool]
    apart: bool = False

    @property
    def rows(self) -> tuple[TextRow, ...]:
        """What the network is called with: each text once."""
        different: list[TextRow] = []
        for one in (*self._parts, *([TextRow(self.negative, True)] if self._takes_negative else [])):
            if not any(self._same(one, other) for other in different):
                different.append(one)
        return tuple(different)

    def estimates(self, given: Sequence[torch.Tensor]) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """The estimates of prompt and negative prompt for guidance, from those of `rows`; None for one not needed."""
        rows = self.rows

        def of(one: TextRow) -> torch.Tensor:
            return next(estimate for row, estimate in zip(rows, given, strict=True) if self._same(row, one))

        negative = of(TextRow(self.negative, True)) if self._takes_negative else None
        weighted = [(weight, of(TextRow(one))) for weight, one in self.mixture.parts] if self.sides[0] else []
        positive = mixed(weighted, negative) if self.sides[0] else None
        return positive, negative if self.sides[1] else None

    @property
    def _parts(self) -> tuple[TextRow, ...]:
        return tuple(TextRow(one) for _, one in self.mixture.parts) if self.sides[0] else ()

    def _same(self, one: TextRow, other: TextRow) -> bool:
        return one.text.same(other.text) and (one.negative == other.negative or not self.apart)

    @property
    def _takes_negative(self) -> bool:
        return self.sides[1] or self.mixture.weight <= 0


def mixed(parts: Sequence[tuple[float, torch.Tensor]], negative: torch.Tensor | None) -> torch.Tensor:
    """The estimate c of a prompt from those of its parts, (1, C, h, w) each, with their weights.

    Args:
        parts: (weight, estimate), any number.
        negative: The negative prompt's estimate u; needed where the weights do not add up to more than 0.
    """
    total = sum(weight for weight, _ in parts)
    if len(parts) == 1 and total > 0:
        return parts[0][1]
    if total > 0:
        return torch.stack([weight / total * estimate for weight, estimate in parts]).sum(dim=0)
    assert negative is not None, "without a mean the negative prompt's estimate is needed"
    return negative + sum((weight * (estimate - negative) for weight, estimate in parts), torch.zeros_like(negative))
