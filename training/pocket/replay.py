"""A training step's gradients as one CUDA graph: without it, small networks wait for Python to launch their kernels.

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
    """Calls a function that sets gradients of weights; on a GPU it records one graph for each shape of the inputs.

    The function may use the device alone: it must return no value to Python and draw no random numbers.
    """

    def __init__(self, gradients: Callable[..., Figures], weights: Iterable[Tensor], *, record: bool) -> None:
        """Nothing is recorded yet.

        Args:
            gradients: Takes tensors, sets `.grad` of the weights by `backward`, returns figures.
            weights: The weights. No other code may set their gradients between calls.
            record: Whether to record graphs; False on a CPU.
        """
        self._gradients, self._weights, self._record = gradients, list(weights), record
        self._calls: dict[object, int] = {}
        self._recorded: dict[object, _RecordedGraph] = {}

    def __call__(self, *given: Tensor, kind: object = None) -> Figures:
        """Gradients and figures for these tensors; `kind` selects a variant of the function and is passed to it.

        The figures of a recorded call are overwritten by the next.
        """
        key = (kind, *(tuple(x.shape) for x in given))
        if not self._record:
            return self._run(given, kind)
        if key in self._recorded:
            return self._recorded[key](given)
        self._calls[key] = self._calls.get(key, 0) + 1
        if self._calls[key] <= _WARM_UP:
            return self._run_on_side_stream(given, kind)
        self._recorded[key] = _RecordedGraph(lambda *x: self._run(x, kind), given, self._weights)
        return self._recorded[key](given)

    def _run(self, given: tuple[Tensor, ...], kind: object) -> Figures:
        for weight in self._weights:
            weight.grad = None
        return self._gradients(*given) if kind is None else self._gradients(*given, kind=kind)

    def _run_on_side_stream(self, given: tuple[Tensor, ...], kind: object) -> Figures:
        """A run on a side stream: CUDA requires such runs before it records a graph."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            figures = self._run(given, kind)
        torch.cuda.current_stream().wait_stream(stream)
        return figures


class _RecordedGraph:
    """The graph for one shape."""

    def __init__(self, gradients: Callable[..., Figures], given: tuple[Tensor, ...], weights: list[Tensor]) -> None:
        self._given = [x.clone() for x in given]
        self._weights = weights
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._figures = gradients(*self._given)
        self._found = [weight.grad for weight in weights]  # in the graph's memory, which each replay overwrites

    def __call__(self, given: tuple[Tensor, ...]) -> Figures:
        for own, x in zip(self._given, given, strict=True):
            own.copy_(x)
        self._graph.replay()
        for weight, found in zip(
            self._weights, self._found, strict=True
        ):  # a graph of another shape may have run since
            weight.grad = found
        return self._figures
