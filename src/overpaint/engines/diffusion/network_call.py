"""The one place that calls a network. All that changes how a call is computed belongs here, around `Family.predict`:

the network's type and device, exactness, layers that rows share, and, as they come, control networks, kept features and
other back ends. Samples and samplers see none of it.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import torch

from overpaint.engines.weight_store import call_lock

from .batch_invariance import RowByRow
from .families import Family
from .first_layers import once, repeats
from .values import NetworkInput


class NetworkCall:
    """A network, called for the rows of one or several pictures. It works in its own type; the output is float32."""

    def __init__(self, family: Family, network: torch.nn.Module, *, exact: bool = False) -> None:
        """Take a network.

        Args:
            family: How it is called.
            network: In evaluation mode, on its device.
            exact: Whether a row has the same bits in any batch. Then bf16 on one CPU thread is batched with `RowByRow`;
                other types and devices, and more threads, take one row a call.
        """
        parameter = next(network.parameters())
        self._family = family
        self._network = network
        self._dtype: torch.dtype = parameter.dtype
        self._device: torch.device = parameter.device
        self._exact = exact
        # Not in single precision: there a row's bits depend on the batch, and a picture would change by more than 1e-5
        # with its neighbours.
        half = self._dtype in (torch.bfloat16, torch.float16)
        self._first = family.text_free_layers(network) if half else ()

    @property
    def rows_at_once(self) -> int | None:
        """The most rows that a call may have without changing results, None for no limit.

        One in exact mode, unless type, device and threads allow more.
        """
        batched = self._dtype == torch.bfloat16 and self._device.type == "cpu" and torch.get_num_threads() == 1
        return 1 if self._exact and not batched else None

    def __call__(self, given: NetworkInput) -> torch.Tensor:
        """What the network gives, (B, C', h, w) float32, for an x that is scaled as in training."""
        compared = (given.x, given.extra, given.sigma, given.t, given.guidance)
        same = repeats(*compared) if self._first and len(given.x) > 1 else None
        shared = once(self._first, *same) if same else nullcontext()
        with call_lock(self._network), torch.inference_mode(), RowByRow() if self._exact else nullcontext(), shared:
            return self._family.predict(self._network, self._own_type(given)).to(torch.float32)

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
