"""Colour words computed from pixels, since captions seldom name colours."""

from __future__ import annotations

import torch
from torch import Tensor

WORDS = ("black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "beige")
_BLACK, _WHITE, _GREY, _RED, _ORANGE, _YELLOW, _GREEN, _BLUE, _PURPLE, _PINK, _BROWN, _BEIGE = range(len(WORDS))
_HUES = ((15, _RED), (42, _ORANGE), (70, _YELLOW), (165, _GREEN), (255, _BLUE), (292, _PURPLE), (345, _PINK))
"""Upper ends in degrees; hues above the last one are red."""

_WEIGHTS = (0.9, 0.9, 0.6, 1.6, 1.5, 1.5, 1.3, 1.3, 1.6, 1.6, 1.1, 0.9)
"""Weight of each colour's share: people name the more saturated one."""

_SECOND_SHARE, _SECOND_OF_FIRST = 0.2, 0.5


def names(pictures: Tensor) -> Tensor:
    """Index into WORDS of every pixel, by hue, saturation and value.

    Args:
        pictures: (n, 3, h, w) float, [0, 1].

    Returns:
        (n, h, w) int64.
    """
    red, green, blue = pictures.unbind(1)
    value, least = pictures.amax(1), pictures.amin(1)
    chroma = value - least
    safe = chroma.clamp_min(1e-6)
    sixth = torch.where(
        value == red,
        ((green - blue) / safe) % 6,
        torch.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    hue, saturation = sixth * 60, chroma / value.clamp_min(1e-6)
    found = torch.full_like(hue, _RED, dtype=torch.int64)
    for end, word in reversed(_HUES):
        found = torch.where(hue < end, word, found)
    warm = (hue >= 12) & (hue < 55)
    found = torch.where(warm & (value < 0.62), _BROWN, found)
    found = torch.where((hue >= 15) & (hue < 65) & (saturation < 0.35) & (value >= 0.62), _BEIGE, found)
    found = torch.where(((hue < 15) | (hue >= 330)) & (saturation < 0.5) & (value > 0.7), _PINK, found)
    dull = (saturation < 0.14) | (chroma < 0.06)
    found = torch.where(dull, _GREY, found)
    found = torch.where(dull & (value > 0.8), _WHITE, found)
    return torch.where((value < 0.16) | (dull & (value < 0.25)), _BLACK, found)


def words(pictures: Tensor, holes: Tensor) -> list[list[str]]:
    """One or two colour words for each hole, the one of largest weight first; none for an empty hole.

    Args:
        pictures: (n, 3, h, w) float, [0, 1].
        holes: (n, 1, h, w) bool.
    """
    named = names(pictures).flatten(1)
    shares = torch.zeros(len(named), len(WORDS), device=named.device)
    shares.scatter_add_(1, named, holes.flatten(1).float())
    shares = shares / shares.sum(1, keepdim=True).clamp_min(1)
    weighted = shares * torch.tensor(_WEIGHTS, device=shares.device)
    best, which = weighted.topk(2, dim=1)
    own = shares.gather(1, which)
    two = (own[:, 1] >= _SECOND_SHARE) & (best[:, 1] >= _SECOND_OF_FIRST * best[:, 0])
    rows = zip(which.tolist(), two.tolist(), (best[:, 0] > 0).tolist(), strict=True)
    return [[WORDS[k] for k in pair[: 1 + second]] if there else [] for pair, second, there in rows]
