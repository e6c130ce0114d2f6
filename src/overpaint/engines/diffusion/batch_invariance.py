"""Exact mode on a CPU: a picture gets the same bits alone and in a batch.

Matrix products and convolutions pick their blocking, and with it the order of their sums, by the number of rows. An
operator that does so runs for one picture of the batch at a time; all others take the whole batch. Which ones do so
depends on processor, type and threads. Measured in bf16 on one thread (spec/performance.md 0): with AVX512-BF16 (Zen 4)
linear layers of (B, D) inputs alone, which are the time and size embeddings; with AMX linear layers of any input, from
128 channels on. In float32 linear layers of few rows and convolutions of few pixels too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Operator = Callable[..., torch.Tensor]

BATCHED: Mapping[Operator, tuple[int, int]] = {
    F.linear: (1, 2),
    F.conv2d: (1, 4),
    F.group_norm: (1, 2),
    F.scaled_dot_product_attention: (3, 3),
}
"""Operators with a batch: how many leading arguments have one, and the least number of dimensions with which they do.

What else a network is made of works on single numbers or single tokens.
"""


class RowByRow(TorchFunctionMode):  # type: ignore[misc]
    """While it is active, the operators whose result depends on the batch run for one row of the batch at a time.

    Linear layers of (B, D) inputs always do: a single row is a product of vector and matrix, another algorithm.
    """

    def __torch_function__(
        self, func: Operator, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call `func` once, or once for every row of the batch."""
        kwargs = dict(kwargs or {})
        if func not in BATCHED or not args:
            return func(*args, **kwargs)
        count, dimensions = BATCHED[func]
        x: torch.Tensor = args[0]
        vectors = func is F.linear and x.dim() == 2
        if x.dim() < dimensions or len(x) == 1 or not (vectors or func in batch_dependent(x.dtype)):
            return func(*args, **kwargs)
        mask = kwargs.pop("attn_mask", None)
        masks = mask.split(1) if mask is not None and mask.dim() == x.dim() and len(mask) == len(x) else [mask] * len(x)
        rows = zip(*(one.split(1) for one in args[:count]), strict=True)
        return torch.cat(
            [
                func(*row, *args[count:], **(kwargs if own is None else {**kwargs, "attn_mask": own}))
                for row, own in zip(rows, masks, strict=True)
            ]
        )


def batch_dependent(dtype: torch.dtype) -> frozenset[Operator]:
    """The operators whose result for one row depends on the number of rows, on this CPU and this many threads.

    Each is tried once in a process on random numbers of a U-Net's usual shapes, which takes tens of milliseconds. Few
    shapes prove nothing for all others, so that linear layers on AMX, which are known to depend on it, always count.

    Args:
        dtype: What they calculate in.
    """
    return _tried(dtype, torch.get_num_threads())


@cache
def _tried(dtype: torch.dtype, threads: int) -> frozenset[Operator]:
    known = {F.linear} if dtype == torch.bfloat16 and torch.cpu._is_amx_tile_supported() else set()
    with torch.inference_mode():
        found = {func for func, *given in _trials(dtype) if func not in known and _depends(func, *given)}
    return frozenset(known | found)


def _depends(func: Operator, rows: tuple[torch.Tensor, ...], others: tuple[Any, ...]) -> bool:
    alone = torch.cat([func(*one, *others) for one in zip(*(each.split(1) for each in rows), strict=True)])
    return any(not torch.equal(func(*(each[:n] for each in rows), *others), alone[:n]) for n in (2, 3, len(alone)))


def _trials(dtype: torch.dtype) -> Iterator[tuple[Operator, tuple[torch.Tensor, ...], tuple[Any, ...]]]:
    """Operators with their arguments, those with a batch (of four) apart from the others."""
    draw = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=draw).to(dtype)

    for tokens, inner, outer in ((2, 640, 640), (16, 320, 640), (64, 320, 320), (77, 768, 320)):
        yield F.linear, (random(4, tokens, inner),), (random(outer, inner) / inner**0.5, random(outer))
    for side, inner, kernel in ((4, 320, 3), (8, 320, 3), (16, 128, 3), (16, 320, 1)):
        x, weight = random(4, inner, side, side), random(128, inner, kernel, kernel) / (inner * kernel**2) ** 0.5
        x, weight = (one.contiguous(memory_format=torch.channels_last) for one in (x, weight))
        yield F.conv2d, (x,), (weight, random(128), 1, kernel // 2)
    for tokens, seen, width in ((64, 64, 40), (64, 77, 80)):
        queries, keys, values = random(4, 8, tokens, width), random(4, 8, seen, width), random(4, 8, seen, width)
        yield F.scaled_dot_product_attention, (queries, keys, values), ()
    for side, channels in ((4, 640), (8, 320)):
        x = random(4, channels, side, side).contiguous(memory_format=torch.channels_last)
        yield F.group_norm, (x,), (32, random(channels), random(channels))
