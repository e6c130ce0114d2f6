"""The engine of one eraser."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel
from torch import Tensor

from overpaint.engines.base import Canvas, Monitor, Painted, ThreadedEngine
from overpaint.engines.diffusion.devices import device_of, memory_left
from overpaint.engines.diffusion.text_plan import TextSettings
from overpaint.engines.diffusion.used import digest_of, used_models
from overpaint.engines.weight_store import WeightStore, shared_network
from overpaint.errors import EngineError
from overpaint.models import ModelRef, digest
from overpaint.models.verify import size_of
from overpaint.request import Sampling, UsedModel

from .cards import card_of, needs_of
from .load import base_bytes, base_dtype, load_network
from .network import EraserNetwork, erased, shown


class EraserEngine(ThreadedEngine):
    """One eraser. It sees the hole as what is to be filled, however soft its edge."""

    def __init__(
        self, ref: ModelRef, *, device: str = "auto", threads: int | None = None, weights: WeightStore | None = None
    ) -> None:
        """Read what the model is; its weights are loaded for the first canvas.

        Args:
            ref: From `overpaint.models.find_eraser`.
            device: "auto", "cpu", "cuda", "cuda:1", "mps".
            threads: torch's threads on a CPU; None: torch's default.
            weights: Store that holds the networks, for engines on one device. None: a store of its own.

        Raises:
            ModelError: The file can't be read.
            EngineError: The device does not exist.
        """
        super().__init__()
        self._files = {name: digest(path) for name, path in ref.parts.items()}
        decides = [*self._files.values(), *([] if ref.base is None else [digest_of(ref.base)])]
        self.card = card_of(ref, hashlib.sha256("\n".join(decides).encode()).hexdigest())
        self.device = device_of(device)
        # LaMa's spectrum of a large picture overflows in half precision
        self.dtype = torch.float32 if ref.base is None else base_dtype(ref.base, self.device)
        self.threads = threads
        self._ref, self._needs = ref, needs_of(ref)
        self._weights = weights or WeightStore()
        self._network: EraserNetwork | None = None
        self._painting = False

    def models(self, sampling: Sampling | None, options: BaseModel) -> tuple[UsedModel, ...]:
        """Its files."""
        licence, accepted = self._ref.licence or "unknown", self._ref.accepted or None
        names = [self._ref.name, *list(self._files)[1:]]
        own = tuple(
            UsedModel(role="eraser", name=name, sha256=sha256, licence=licence, accepted=accepted)
            for name, sha256 in zip(names, self._files.values(), strict=True)
        )
        return (
            own if self._ref.base is None else own + used_models(self._ref.base, Sampling(), TextSettings(plain=True))
        )

    def close(self) -> None:
        """Finish the current canvas, cancel those that wait, end the thread, release the weights."""
        super().close()
        self._network = None
        self._weights.forget(self)

    def release_weights(self) -> bool:
        """Release the weights, unless a canvas is painted with them; the next canvas loads them again."""
        if self._network is None or self._painting:
            return False
        self._network = None
        return True

    def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
        """Fill the hole of one canvas."""
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        self._painting = True
        try:
            network = self._network or self._load(monitor)
            self._weights.use(self)
            monitor.progress(0, 1)
            with torch.inference_mode():
                pixels, marked = shown(canvas)
                picture = _tensor(pixels.transpose(2, 0, 1)).to(self.device)
                hole = _tensor(marked[None]).to(self.device)
                found = erased(network, picture, hole, self._needs, seed=canvas.seed, on_step=monitor.progress)
            pixels, effect = _pixels(found), None
            if found.shape[1] > 3:
                effect = np.asarray(found[0, 3].clamp(0, 1).cpu().numpy(), np.float32)
        except (torch.OutOfMemoryError, MemoryError) as error:
            message = f"{self._ref.name} ran out of memory on a {canvas.size} canvas; paint a smaller one"
            raise EngineError(message) from error
        finally:
            self._painting = False
        evidence = evidence_of(canvas, pixels, effect) if network.sees_whole else None
        return Painted(pixels, evidence=evidence, effect=effect)

    def _load(self, monitor: Monitor) -> EraserNetwork:
        """Load the network, where there is memory for it."""
        monitor.loading(self._ref.name)
        size = sum(size_of(path) for path in self._ref.parts.values())
        base = 0 if self._ref.base is None else base_bytes(self._ref.base, self.dtype, self._weights.holds)
        with self._weights.loading():
            self._weights.make_room(size + base, self._ref.name, lambda: memory_left(self.device))
            self._network = shared_network(
                lambda: (self.card.digest, "eraser"),
                lambda: load_network(self._ref, self.device, self.threads),
                lambda _: size,
            )
        return self._network


def evidence_of(canvas: Canvas, pixels: NDArray[np.float32], effect: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """(H, W, 3): the network's estimate, as `Painted.evidence`. A change outside the hole on purpose is no error.

    Args:
        canvas: Its canvas.
        pixels: (H, W, 3), the estimate.
        effect: (H, W) in [0, 1], the share of each pixel that is new; None: nothing outside the hole is.
    """
    if effect is None:
        return pixels
    changed = np.where(canvas.hole, np.float32(0), effect)[..., None]
    return np.asarray(pixels + changed * (canvas.pixels - pixels), np.float32)


def _tensor(image: NDArray[np.float32]) -> Tensor:
    """(C, H, W) as (1, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(image))[None]


def _pixels(found: Tensor) -> NDArray[np.float32]:
    """(1, 3 or more, H, W) as (H, W, 3) in [0, 1]."""
    image = found[0, :3].clamp(0, 1).permute(1, 2, 0).contiguous().cpu().numpy()
    return np.asarray(image, dtype=np.float32)
