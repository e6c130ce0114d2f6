"""Networks that restore faces, by spandrel's architectures (extra restore): GFPGAN, RestoreFormer and CodeFormer.

All three take and give colours in [-1, 1]. GFPGAN can draw noise for each picture. Here it takes the noise that is
stored beside its weights, so that its result is the same each time.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from overpaint.engines.spandrel_import import torchvision_stood_in
from overpaint.engines.weight_store import WeightStore
from overpaint.errors import EngineError, MissingExtraError, ModelError
from overpaint.models import NETWORK_TITLES, ModelRef, digest, networks_here
from overpaint.models.verify import size_of
from overpaint.request import UsedModel

from .face_frame import Plane
from .networks import found_network, model_tensors

AUTOMATIC = "auto"
"""In place of a network's name: the first that is here and may be used."""

FIDELITY = 0.5
"""Of CodeFormer, where it is left open; its authors' choice for photos."""

WITH_FIDELITY = ("codeformer",)
"""Networks that have this option."""

_PACKAGES = {"codeformer": "spandrel_extra_arches"}
"""The package of a network's architecture, where it is not spandrel."""


class FaceNetwork:
    """A network that restores a face in its frame.

    Attributes:
        network: "gfpgan", "restoreformer" or "codeformer".
    """

    def __init__(self, network: str, module: Any, device: Any) -> None:
        """`module` is torch's, on the device."""
        self.network, self._module, self._device = network, module, device

    def __call__(self, face: Plane, fidelity: float = FIDELITY) -> Plane:
        """The face restored, both (512, 512, 3) float32 in [0, 1].

        Args:
            face: The face.
            fidelity: Of CodeFormer, 0 to 1: 0 restores the most, 1 keeps the most of the face.
        """
        import torch

        more: dict[str, Any] = {}
        if self.network == "gfpgan":
            more = {"return_rgb": False, "randomize_noise": False}
        elif self.network == "codeformer":
            more = {"weight": fidelity}
        image = torch.from_numpy(np.ascontiguousarray(face.transpose(2, 0, 1))[None]).to(self._device)
        with torch.inference_mode():
            made = self._module(image * 2 - 1, **more)[0]
        colours = (made[0].float().clamp(-1, 1) + 1) / 2
        return np.ascontiguousarray(colours.cpu().numpy().transpose(1, 2, 0))


class FaceRestorer:
    """One network that restores faces, loaded when it is first needed. Thread-safe: one face at a time.

    Attributes:
        name: The network's, in requests.
        title: The same for people: a file's name without its folders.
        network: Which it is: "gfpgan", "restoreformer" or "codeformer".
    """

    def __init__(
        self,
        name: str,
        network: str,
        load: Callable[[], FaceNetwork],
        *,
        models: tuple[UsedModel, ...] = (),
        size: int = 0,
        threads: int | None = None,
        weights: WeightStore | None = None,
    ) -> None:
        """Nothing is loaded.

        Args:
            name, network: See the class.
            load: Loads the network.
            models: Its file.
            size: Bytes of its weights.
            threads: torch's threads on a CPU; None: torch's default.
            weights: Store within whose budget it is held; None: it is held.
        """
        self.name, self.network, self.models = name, network, models
        self.title = models[0].name if models else name
        self._load, self._size, self._threads, self._weights = load, size, threads, weights
        self._lock = threading.Lock()
        self._held: FaceNetwork | None = None

    def __call__(self, face: Plane, fidelity: float = FIDELITY) -> Plane:
        """As `FaceNetwork`.

        Raises:
            ModelError: The file is damaged, or of another layout.
            MissingExtraError: spandrel is not installed.
            EngineError: There is not enough memory.
        """
        import torch

        with self._lock:
            if self._threads is not None:
                torch.set_num_threads(self._threads)
            try:
                network = self._held or self._loaded()
                if self._weights is not None:
                    self._weights.use(self)
                return network(face, fidelity)
            except (torch.OutOfMemoryError, MemoryError) as error:
                raise EngineError(
                    f"{self.title} ran out of memory", code="memory-short", field="restore_faces"
                ) from error

    def release_weights(self) -> bool:
        """Release the weights, unless a face is restored with them."""
        if self._held is None or not self._lock.acquire(blocking=False):
            return False
        try:
            self._held = None
            return True
        finally:
            self._lock.release()

    def close(self) -> None:
        """Release the weights."""
        with self._lock:
            self._held = None
        if self._weights is not None:
            self._weights.forget(self)

    def _loaded(self) -> FaceNetwork:
        if self._weights is None:
            self._held = self._load()
            return self._held
        from overpaint.engines.weight_store import available_memory

        self._weights.make_room(self._size, self.title, available_memory)
        self._held = self._load()
        return self._held


def face_restorer(
    name: str,
    *,
    paths: bool = True,
    allow_pickle: bool = False,
    device: str = "auto",
    threads: int | None = None,
    weights: WeightStore | None = None,
) -> FaceRestorer:
    """What restores faces by the network of this name. Nothing is downloaded, and nothing loaded yet.

    Args:
        name: Of the store or the catalogue, or a path.
        paths: Whether a path is taken at all.
        allow_pickle: Whether a pickle (.pth) may be read; no code in it is run.
        device: "auto", "cpu", "cuda" or "mps".
        threads, weights: See `FaceRestorer`.

    Raises:
        ModelError: There is none of this name, it is damaged or of another kind, a pickle that is not allowed, or its
            licence must be accepted first.
        MissingExtraError: spandrel is not installed.
    """
    ref = found_network(name, "faces", paths=paths, allow_pickle=allow_pickle)
    network = ref.kind.network
    package = _PACKAGES.get(network, "spandrel")
    if importlib.util.find_spec("spandrel") is None or importlib.util.find_spec(package) is None:
        raise MissingExtraError.of(f"{ref.name} ({NETWORK_TITLES[network]})", "restore")
    used = UsedModel(
        role="faces",
        name=ref.name,
        sha256=digest(ref.path),
        licence=ref.licence or "unknown",
        accepted=ref.accepted or None,
    )
    return FaceRestorer(
        name,
        network,
        lambda: load_face_network(ref, device=device),
        models=(used,),
        size=size_of(ref.path),
        threads=threads,
        weights=weights,
    )


def first_face_network() -> str | None:
    """The name of the network for faces to use where none is named; None where none is here that may be used."""
    for one in networks_here("faces"):
        package = _PACKAGES.get("" if one.kind is None else one.kind.network, "spandrel")
        if importlib.util.find_spec("spandrel") and importlib.util.find_spec(package):
            return one.name
    return None


def load_face_network(ref: ModelRef, *, device: str = "auto") -> FaceNetwork:
    """The network of a file.

    Args:
        ref: From `overpaint.models.find_network`.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        ModelError: The file is damaged, or of another layout.
        MissingExtraError: spandrel is not installed.
        EngineError: The device does not exist.
    """
    from overpaint.engines.diffusion.devices import device_of

    where = device_of(device)
    tensors = model_tensors(ref.path, allow_pickle=ref.allow_pickle)
    module = _module(ref.kind.network, tensors, ref.path.name)
    return FaceNetwork(ref.kind.network, module.float().eval().requires_grad_(False).to(where), where)


def _module(network: str, tensors: Mapping[str, Any], file: str) -> Any:
    """The torch module with these weights."""
    with torchvision_stood_in():
        try:
            if network == "gfpgan":
                from spandrel.architectures.GFPGAN import GFPGANArch as Architecture
            elif network == "restoreformer":
                from spandrel.architectures.RestoreFormer import RestoreFormerArch as Architecture
            else:
                from spandrel_extra_arches.architectures.CodeFormer import CodeFormerArch as Architecture
        except ImportError as error:
            raise MissingExtraError.of(NETWORK_TITLES[network], "restore") from error
    try:
        return Architecture().load({name: one.float() for name, one in tensors.items()}).model
    except Exception as error:  # any tensors may be in the file
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"{file}: its tensors are not those of {NETWORK_TITLES[network]}: {reason}", field="model", value=file
        ) from error
