"""The layers of a U-Net before its first cross-attention, run once for rows that are equal there.

Guidance needs two rows for one picture, with the prompt and with the negative prompt (Ho and Salimans 2022, arXiv
2207.12598). Up to the first cross-attention they are equal: the first residual blocks, and the first self-attention,
which is the most expensive of all at the largest size.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import torch


def repeats(*rows: torch.Tensor | None) -> tuple[list[int], list[int]] | None:
    """Indices of rows that differ from the row before, and for every row its index among those; None without repeats.

    Args:
        rows: Tensors of (B, ...), all of which must be equal for a row to be a repeat.
    """
    given = [one for one in rows if one is not None]
    same = torch.ones(len(given[0]) - 1, dtype=torch.bool, device=given[0].device)
    for one in given:
        same &= (one[1:] == one[:-1]).reshape(len(same), -1).all(1)
    repeated = [False, *same.tolist()]
    if not any(repeated):
        return None
    first = [index for index, again in enumerate(repeated) if not again]
    return first, [count - 1 for count in accumulate(not again for again in repeated)]


@contextmanager
def once(layers: tuple[torch.nn.Module, ...], first: list[int], back: list[int]) -> Iterator[None]:
    """While it is active, `layers` run for the rows `first` alone, and `back` spreads their output to all rows."""
    count = len(back)

    def narrow(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return tuple(_rows(one, first, count) for one in args), {k: _rows(v, first, count) for k, v in kwargs.items()}

    def widen(module: torch.nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        return output[back]

    hooks = [layer.register_forward_pre_hook(narrow, with_kwargs=True) for layer in layers]
    hooks += [layer.register_forward_hook(widen) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _rows(value: Any, which: list[int], count: int) -> Any:
    """Those rows of a tensor of `count` rows; anything else as it is."""
    return value[which] if isinstance(value, torch.Tensor) and value.dim() and len(value) == count else value
