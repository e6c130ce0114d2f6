"""Several texts at once: the estimate of a prompt whose parts AND joins, and of prompts that hold in regions.

With the estimate u of the negative prompt and those c_i of the parts, guidance wants x = u + s sum w_i (c_i - u)
(composable diffusion, Liu et al. 2022, arXiv 2206.01714). With W = sum w_i and the mean c = sum w_i c_i / W that is
u + s W (c - u): the guidance of one text, with another scale. So every kind of guidance sees the mean and that scale,
and where guidance does not act the mean alone is enough.

Where W is not above 0 there is no mean: then c = u + sum w_i (c_i - u), and the scale stays.

Regions: region r with the mask m_r in [0, 1] and the weight v_r has the share a_r = v_r m_r / sum_q v_q m_q of a cell,
where q = 0 is the prompt itself, with v_0 = 1 in what the regions leave: m_0 = max(0, 1 - sum m_r). The masks are means
over a cell's pixels; such a mean of estimates is MultiDiffusion's (Bar-Tal et al. 2023, arXiv 2302.08113). With the
parts w_rk of each region's own text a cell wants x = u + s sum_r a_r sum_k w_rk (c_rk - u): the formula above, with
the map a_r w_rk in place of w_i, and W a map too. Shares add up to 1, so that W is 1 wherever no text has weights of
its own. Negative prompts of regions are mixed by the shares alone: u = sum_r a_r u_r.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from overpaint.prompt import Prompt

from .text_plan import CanvasTexts
from .values import Conditioning, Mixture, Weight

_NOTHING = 1e-4
"""Masks come with 8 bits; what is nearer to 0 or 1 is rounding of their resizing."""


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
        negative: The negative prompt, or those of regions.
        sides: Whether guidance takes the prompt's estimate and the negative prompt's.
        apart: Whether more than the text sets the prompt's rows apart from the negative prompt's, as a control that
            acts on the prompt alone does. Then equal texts have rows of their own.
    """

    mixture: Mixture
    negative: Mixture
    sides: tuple[bool, bool]
    apart: bool = False

    @property
    def rows(self) -> tuple[TextRow, ...]:
        """What the network is called with: each text once."""
        different: list[TextRow] = []
        wanted = self.mixture.parts if self.sides[0] else ()
        against = self.negative.parts if self._takes_negative else ()
        for one in (*(TextRow(text) for _, text in wanted), *(TextRow(text, True) for _, text in against)):
            if not any(self._same(one, other) for other in different):
                different.append(one)
        return tuple(different)

    def estimates(self, given: Sequence[torch.Tensor]) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """The estimates of prompt and negative prompt for guidance, from those of `rows`; None for one not needed."""
        rows = self.rows

        def mean(mixture: Mixture, negative: torch.Tensor | None = None, *, against: bool) -> torch.Tensor:
            parts = []
            for weight, text in mixture.parts:
                wanted = TextRow(text, against)
                found = (estimate for row, estimate in zip(rows, given, strict=True) if self._same(row, wanted))
                parts.append((weight, next(found)))
            return mixed(parts, mixture.weight, negative)

        negative = mean(self.negative, against=True) if self._takes_negative else None
        positive = mean(self.mixture, negative, against=False) if self.sides[0] else None
        return positive, negative if self.sides[1] else None

    def _same(self, one: TextRow, other: TextRow) -> bool:
        return one.text.same(other.text) and (one.negative == other.negative or not self.apart)

    @property
    def _takes_negative(self) -> bool:
        return self.sides[1] or not has_mean(self.mixture.weight)


def has_mean(total: Weight) -> bool:
    """Whether weights with this sum give a mean in every cell."""
    return bool((total > 0).all()) if isinstance(total, torch.Tensor) else total > 0


def scale_factor(total: Weight) -> Weight:
    """The factor of the guidance scale for weights with this sum: W where there is a mean, else 1."""
    if isinstance(total, torch.Tensor):
        return torch.where(total > 0, total, torch.ones_like(total))
    return total if total > 0 else 1.0


def mixed(
    parts: Sequence[tuple[Weight, torch.Tensor]], total: Weight, negative: torch.Tensor | None = None
) -> torch.Tensor:
    """The estimate c of a prompt from those of its parts, (1, C, h, w) each, with their weights.

    Args:
        parts: (weight, estimate), any number.
        total: The sum of the weights.
        negative: The negative prompt's estimate u; needed where the weights do not add up to more than 0.
    """
    if has_mean(total):
        if len(parts) == 1:
            return parts[0][1]
        return torch.stack([weight / total * estimate for weight, estimate in parts]).sum(dim=0)
    assert negative is not None, "without a mean the negative prompt's estimate is needed"
    away = negative + sum((weight * (estimate - negative) for weight, estimate in parts), torch.zeros_like(negative))
    if not isinstance(total, torch.Tensor):
        return away
    # c = u + sum w_i (c_i - u) / W is the mean as well; the map has both kinds of cells.
    return torch.where(total > 0, negative + (away - negative) / scale_factor(total), away)


def shares(masks: Sequence[torch.Tensor], weights: Sequence[float], height: int, width: int) -> tuple[Weight, ...]:
    """The share a_r of each region in each cell, that of the prompt itself first: 1 where it has all, 0 where nothing.

    Args:
        masks: (H, W) each, in [0, 1].
        weights: One for each, above 0.
        height: Of the latents, in cells.
        width: Of the latents, in cells.

    Returns:
        A number where all cells are equal, else (1, 1, height, width) float64 on the CPU. They add up to 1.
    """
    if not masks:
        return (1.0,)
    given = torch.stack([one.to("cpu", torch.float64) for one in masks])
    given = torch.cat([1 - given.sum(dim=0, keepdim=True), given])
    given = torch.where(given < _NOTHING, 0.0, torch.where(given > 1 - _NOTHING, 1.0, given))
    cells = torch.nn.functional.adaptive_avg_pool2d(given[:, None], (height, width))
    cells = cells * torch.tensor([1.0, *weights], dtype=torch.float64)[:, None, None, None]
    return tuple(settled(one[None]) for one in cells / cells.sum(dim=0))


def mixtures(
    texts: CanvasTexts,
    divided: Sequence[Weight],
    step: int,
    pair: Callable[[Prompt, Prompt | None], tuple[Conditioning, Conditioning]],
    device: torch.device,
) -> tuple[Mixture, Mixture]:
    """The prompts and the negative prompts of one step, with their weights in each cell.

    Args:
        texts: The prompt and those of regions.
        divided: The share of each.
        step: From 0.
        pair: The conditioning of a text and of its negative prompt, filled up to one length. Equal texts give one
            object.
        device: Of the maps.
    """
    weights: dict[Conditioning, Weight] = {}
    opposites: dict[Prompt | None, list[Conditioning]] = {}
    portions: dict[Prompt | None, Weight] = {}
    sums: list[tuple[Weight, float]] = []
    for share, prompt, negative in zip(divided, texts.prompts, texts.negatives, strict=True):
        if not isinstance(share, torch.Tensor) and share == 0:
            continue
        parts = prompt.at(step)
        opposite = None if negative is None else negative.at(step)[0].prompt
        portions[opposite] = portions.get(opposite, 0.0) + share
        sums.append((share, sum(part.weight for part in parts)))
        for part in parts:
            one, other = pair(part.prompt, opposite)
            weights[one] = weights.get(one, 0.0) + share * part.weight
            opposites.setdefault(opposite, []).append(other)
    against: dict[Conditioning, Weight] = {}
    for opposite, found in opposites.items():
        # The longest serves all parts.
        one = max(found, key=lambda each: each.context.shape[1])
        against[one] = against.get(one, 0.0) + portions[opposite]
    regional = len(texts.prompts) > 1
    total = _total(sums, device) if regional else None
    return _mixture(weights, total, device), _mixture(against, 1.0 if regional else None, device)


def _mixture(weights: Mapping[Conditioning, Weight], total: Weight | None, device: torch.device) -> Mixture:
    parts = ((settled(weight), one) for one, weight in weights.items())
    return Mixture(
        tuple(
            (weight.to(device, torch.float32) if isinstance(weight, torch.Tensor) else weight, one)
            for weight, one in parts
            if isinstance(weight, torch.Tensor) or weight != 0
        ),
        total,
    )


def _total(sums: Sequence[tuple[Weight, float]], device: torch.device) -> Weight:
    """The sum of all weights: of texts with equal sums these, as the shares add up to 1."""
    if len({one for _, one in sums}) == 1:
        return sums[0][1]
    found = settled(sum(share * one for share, one in sums))
    return found.to(device, torch.float32) if isinstance(found, torch.Tensor) else found


def settled(weight: Weight) -> Weight:
    """A map whose cells are all equal as that number."""
    if not isinstance(weight, torch.Tensor):
        return weight
    low, high = weight.aminmax()
    return float(high) if high - low < 1e-12 else weight
