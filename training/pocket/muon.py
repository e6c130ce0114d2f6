"""Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/): steps of equal size in every direction of a
weight matrix, for hidden layers; AdamW for vectors, and for the first and last layers.

The gradient's momentum G = U S V' is replaced by about U V', by five Newton-Schulz iterations, and scaled by 0.2 times
the root of the matrix's longer side, so that its entries are as large as AdamW's and both share a rate (Liu et al.
2025, "Muon is scalable for LLM training", arXiv 2502.16982, section 2.2). A convolution is a matrix of
(out, in x height x width).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from .precision import fast_dtype

_A, _B, _C = 3.4445, -4.7750, 2.0315
"""Coefficients of a x + b x^3 + c x^5, which brings every singular value to about 1 (Jordan et al. 2024)."""


def orthogonalised(matrices: Tensor, rounds: int = 5) -> Tensor:
    """(n, r, c) float32, every singular value brought to about 1 (0.7 to 1.2); works in bfloat16 where that is fast."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if tall else matrices).to(fast_dtype(matrices.device))
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    for _ in range(rounds):
        square = torch.bmm(x, x.mT)
        mixed = torch.baddbmm(square, square, square, beta=_B, alpha=_C)
        x = torch.baddbmm(x, mixed, x, beta=_A)
    return (x.mT if tall else x).float()


class Muon(torch.optim.Optimizer):  # type: ignore[misc]
    """Muon's steps; every weight must have 2 dimensions or more."""

    def __init__(self, weights: Iterable[Tensor], *, lr: float, momentum: float = 0.95, weight_decay: float = 0.01):
        """Optimise these weights."""
        super().__init__(list(weights), {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: Any = None) -> None:
        """One step along the orthogonalised momentum (Nesterov's)."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not weights:
                continue
            gradients = [weight.grad for weight in weights]
            for weight in weights:
                if "momentum" not in self.state[weight]:
                    self.state[weight]["momentum"] = torch.zeros_like(weight.grad)
            moments = [self.state[weight]["momentum"] for weight in weights]
            torch._foreach_lerp_(moments, gradients, 1 - group["momentum"])
            by_shape: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = defaultdict(list)
            directions = torch._foreach_lerp(gradients, moments, group["momentum"])
            for weight, ahead in zip(weights, directions, strict=True):
                matrix = ahead.reshape(len(weight), -1)
                by_shape[tuple(matrix.shape)].append((weight, matrix))
            torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
            for (rows, columns), members in by_shape.items():
                made = orthogonalised(torch.stack([matrix for _, matrix in members]))
                made *= -group["lr"] * 0.2 * max(rows, columns) ** 0.5
                changed = [weight for weight, _ in members]
                torch._foreach_add_(changed, [part.view_as(weight) for part, weight in zip(made, changed, strict=True)])


class CombinedOptimiser:
    """Several optimisers, such as Muon and AdamW, with the interface of one."""

    def __init__(self, *optimisers: torch.optim.Optimizer) -> None:
        """Combine optimisers that share no weight."""
        self._all = optimisers

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all optimisers."""
        return [group for one in self._all for group in one.param_groups]

    def zero_grad(self) -> None:
        """Clear all gradients."""
        for one in self._all:
            one.zero_grad()

    def step(self) -> None:
        """One step of each optimiser."""
        for one in self._all:
            one.step()

    def state_dict(self) -> dict[str, Any]:
        """The state of each optimiser, by its class name."""
        return {type(one).__name__: one.state_dict() for one in self._all}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state; KeyError when it belongs to other optimisers."""
        for one in self._all:
            one.load_state_dict(state[type(one).__name__])
