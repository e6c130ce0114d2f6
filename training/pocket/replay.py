"""A training step's gradients as one CUDA graph: small networks else wait for Python to launch their kernels.

On an H100 the denoiser's compiled kernels are busy for 49 ms of a step of 768 rows that takes 108 ms, the autoencoder's
for 47 of 96 (profiled, beside other work). A graph is launched as a whole (https://pytorch.org/docs/stable/notes/cuda.html,
"CUDA Graphs").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

Figures = Mapping[str, Tensor]

_WARM_UP = 3
"""Calls of one shape before it is recorded: in the first ones libraries choose and compile their kernels."""


class Replay:
    """A function that leaves gradients on weights; on a GPU it is recorded for each shape of what it is given.

    It has to begin and end with the device alone: no value may come back to Python, nothing may be drawn by chance.
    """

    def __init__(self, gradients: Callable[..., Figures], weights: Iterable[Tensor], *, record: bool) -> None:
        """Nothing is recorded yet.

        Args:
            gradients: Given tensors; sets `.grad` of the weights by `backward`, returns figures.
            weights: Whose gradients it sets. Nothing else may set them, or to None, between calls.
            record: Whether to record at all: not on a CPU.
        """
        self._gradients, self._weights, self._record = gradients, list(weights), record
        self._calls: dict[object, int] = {}
        self._recorded: dict[object, _Recorded] = {}

    def __call__(self, *given: Tensor, kind: object = None) -> Figures:
        """Gradients and figures for these tensors; `kind` says in which of several ways, and goes on to the function.

        The figures of a recorded call are overwritten by the next.
        """
        key = (kind, *(tuple(x.shape) for x in given))
        if not self._record:
            return self._plain(given, kind)
        if key in self._recorded:
            return self._recorded[key](given)
        self._calls[key] = self._calls.get(key, 0) + 1
        if self._calls[key] <= _WARM_UP:
            return self._aside(given, kind)
        self._recorded[key] = _Recorded(lambda *x: self._plain(x, kind), given, self._weights)
        return self._recorded[key](given)

    def _plain(self, given: tuple[Tensor, ...], kind: object) -> Figures:
        for weight in self._weights:
            weight.grad = None
        return self._gradients(*given) if kind is None else self._gradients(*given, kind=kind)

    def _aside(self, given: tuple[Tensor, ...], kind: object) -> Figures:
        """On a stream of its own, as recording wants what it is to record to have run."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            figures = self._plain(given, kind)
        torch.cuda.current_stream().wait_stream(stream)
        return figures


class _Recorded:
    """One shape's graph."""

    def __init__(self, gradients: Callable[..., Figures], given: tuple[Tensor, ...], weights: list[Tensor]) -> None:
        self._given = [x.clone() for x in given]
        self._weights = weights
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._figures = gradients(*self._given)
        self._found = [weight.grad for weight in weights]  # in the graph's own memory: each replay writes there

    def __call__(self, given: tuple[Tensor, ...]) -> Figures:
        for own, x in zip(self._given, given, strict=True):
            own.copy_(x)
        self._graph.replay()
        for weight, found in zip(self._weights, self._found, strict=True):  # another shape's call may have been between
            weight.grad = found
        return self._figures
