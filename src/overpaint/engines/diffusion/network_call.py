"""The one place that calls a network. All that changes how a call is computed belongs here, around `Family.predict`:

the network's type, device and place in memory, exactness, layers that rows share, what ControlNets add, kept deep
features, and other back ends. Samples and samplers see none of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from overpaint.engines.weight_store import call_lock

from .back_ends import BackEnd, Found, Stage, unheard
from .batch_invariance import RowByRow
from .controls import ControlNetwork, Outputs, RowControl, residuals
from .families import Family
from .first_layers import once, repeats
from .placement import beside, bring, device_of
from .values import NetworkInput


class NetworkCall:
    """A network, called for the rows of one or several pictures. It works in its own type; the output is float32."""

    def __init__(
        self, family: Family, network: torch.nn.Module, *, exact: bool = False, back_end: BackEnd | None = None
    ) -> None:
        """Take a network.

        Args:
            family: How it is called.
            network: In evaluation mode, on its device.
            exact: Whether a row has the same bits in any batch. Then bf16 on one CPU thread is batched with `RowByRow`;
                other types and devices, and more threads, take one row a call.
            back_end: What runs it in place of PyTorch's own steps; never in exact mode.
        """
        assert back_end is None or not exact, "a back end's rows may depend on the batch"
        self._family = family
        self._network = network
        self._dtype: torch.dtype = next(network.parameters()).dtype
        self._device: torch.device = device_of(network)
        self._exact = exact
        self._back_end = back_end
        # Not in single precision: there a row's bits depend on the batch, and a picture would change by more than 1e-5
        # with its neighbours.
        self._shares = self._dtype in (torch.bfloat16, torch.float16)
        self._first = self._first_layers(network)
        self.layers = family.layer_count(network)
        """See `Family.layer_count`."""

    @property
    def rows_at_once(self) -> int | None:
        """The most rows that a call may have without changing results, None for no limit.

        One in exact mode, unless type, device and threads allow more.
        """
        batched = self._dtype == torch.bfloat16 and self._device.type == "cpu" and torch.get_num_threads() == 1
        return 1 if self._exact and not batched else None

    def __call__(self, given: NetworkInput, stage: Stage = unheard) -> torch.Tensor:
        """What the network gives, (B, C', h, w) float32, for an x that is scaled as in training.

        `stage` gets a text about what takes long.
        """
        own = self._own_type(given)
        if any(given.controls):
            own = replace(own, residuals=residuals(given.controls, partial(self._control, own)))
        found = None
        depth = own.features[0].depth if own.features else 0
        kept = [row.deep for row in own.features if row.deep is not None]
        deep = torch.cat(kept) if kept else None
        if self._back_end is not None:
            with call_lock(self._network), torch.inference_mode():
                found = self._back_end(own, depth, deep, stage)
        if found is None:
            shared = given.x, given.extra, given.sigma, given.t, given.guidance
            with self._calling(self._network, self._first, *shared):
                found = self._as_usual(own, depth, deep)
        output, made = found
        if made is not None and deep is None:
            for row, one in zip(own.features, made.split(1), strict=True):
                row.deep = one.clone()  # a part of the batch's memory would hold all of it
        return output.to(torch.float32)

    def _as_usual(self, given: NetworkInput, depth: int, deep: torch.Tensor | None) -> Found:
        """All of the network, or with a depth its outer layers with deep features (see `BackEnd`)."""
        if not depth:
            return self._family.predict(self._network, given), None
        return self._family.predict_outer(self._network, given, depth, deep)

    def _control(
        self, given: NetworkInput, network: ControlNetwork, rows: Sequence[int], controls: Sequence[RowControl]
    ) -> Outputs:
        """The outputs of a ControlNet for some rows."""
        own, hints = given.rows(rows), self._own(torch.cat([one.hint for one in controls]))
        network = replace(network, network=beside(self._network, network.network))
        with self._calling(network.network, self._first_layers(network.network), own.x, own.sigma, own.t, hints):
            return self._family.control(network, own, hints, [one.number for one in controls])

    def _first_layers(self, network: Any) -> tuple[torch.nn.Module, ...]:
        return self._family.text_free_layers(network) if self._shares else ()

    @contextmanager
    def _calling(
        self, network: Any, first: tuple[torch.nn.Module, ...], x: torch.Tensor, *others: torch.Tensor | None
    ) -> Iterator[None]:
        """Around the call of a network for rows, which are equal up to the text where `x` and `others` are."""
        same = repeats(x, *others) if first and len(x) > 1 else None
        shared = once(first, *same) if same else nullcontext()
        with call_lock(network), torch.inference_mode(), RowByRow() if self._exact else nullcontext(), shared:
            bring(network)
            yield

    def _own_type(self, given: NetworkInput) -> NetworkInput:
        return replace(
            given,
            x=self._own(given.x),
            conditioning=given.conditioning.map(self._own),
            extra=None if given.extra is None else self._own(given.extra),
        )

    def _own(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor on the network's device, and in its type unless it holds integers or flags."""
        return tensor.to(self._device, self._dtype if tensor.is_floating_point() else tensor.dtype)
