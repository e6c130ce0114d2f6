"""Features of crops from the inner layer of a network in a .tflite file: what the judges of fills have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SHARED = Path(__file__).resolve().parents[2] / "shared"

Features = NDArray[np.float32]


class FeatureNetwork:
    """A network with an optional cache of features on disk, keyed by the digest of the crop.

    Class attributes of a judge:
        file: Name of its file in the folder `nets` beside the project.
        layer: Part of the name of the layer that is read.
        shape: Shape of that layer, (1, h, w, d); the feature is its mean over space, d numbers.
        feature: Description of the feature for reports; a part of the cache's key.
        scale: The feature is multiplied by this.
    """

    file: ClassVar[str]
    layer: ClassVar[str]
    shape: ClassVar[tuple[int, int, int, int]]
    feature: ClassVar[str]
    scale: ClassVar[float] = 1.0

    def __init__(self, path: Path | None = None, *, store: Path | None = None, threads: int = 1) -> None:
        """Open the network; FileNotFoundError without the file, ImportError without ai-edge-litert."""
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        path = SHARED / "nets" / self.file if path is None else path
        if not path.is_file():
            raise FileNotFoundError(
                f"no network at {path}: it is not part of the project; set its folder with --shared DIR"
            )
        self._net: Any = Interpreter(
            model_path=str(path),
            num_threads=threads,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,  # the plain 8-bit kernels
            experimental_preserve_all_tensors=True,  # an inner layer is read
        )
        self._net.allocate_tensors()
        self._input = self._net.get_input_details()[0]
        self._layer = next(
            d for d in self._net.get_tensor_details() if self.layer in d["name"] and tuple(d["shape"]) == self.shape
        )
        self._salt = hashlib.sha256(path.read_bytes() + self.feature.encode()).digest()
        self._store = store
        if store is not None:
            store.mkdir(parents=True, exist_ok=True)

    def features(self, crops: Iterable[NDArray[np.uint8]]) -> Features:
        """(n, d) float32 of crops (h, w, 3) uint8 of any size."""
        rows = [self._kept(np.ascontiguousarray(crop)) for crop in crops]
        return np.stack(rows) if rows else np.empty((0, self.shape[3]), np.float32)

    def _kept(self, crop: NDArray[np.uint8]) -> Features:
        if self._store is None:
            return self._feature(crop)
        digest = hashlib.sha256(self._salt + repr(crop.shape).encode() + crop.tobytes()).hexdigest()
        path = self._store / f"{digest[:32]}.npy"
        if path.is_file():
            kept: Features = np.load(path)
            return kept
        found = self._feature(crop)
        partial = path.with_suffix(".part.npy")
        np.save(partial, found)
        partial.replace(path)
        return found

    def _feature(self, crop: NDArray[np.uint8]) -> Features:
        self._run(crop)
        pooled: Features = self._values(self._layer).mean(axis=(0, 1), dtype=np.float32)
        return pooled * np.float32(self.scale)

    def _run(self, crop: NDArray[np.uint8]) -> None:
        """Run on a crop, resized to the network's size, antialiased (Parmar et al. 2022, "On aliased resizing")."""
        _, height, width, _ = (int(side) for side in self._input["shape"])
        small = np.asarray(Image.fromarray(crop).resize((width, height), Image.Resampling.BICUBIC), np.uint8)
        self._net.set_tensor(self._input["index"], small[None])
        self._net.invoke()

    def _values(self, tensor: Any) -> NDArray[np.float32]:
        """(h, w, d) float32, a tensor dequantised."""
        scale, zero = tensor["quantization"]
        values: NDArray[np.float32] = (self._net.get_tensor(tensor["index"])[0].astype(np.float32) - zero) * scale
        return values


def cosine_distance(one: Features, other: Features) -> NDArray[np.float64]:
    """(n,) 1 - cosine between features row by row: 0 for equal crops."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    distance: NDArray[np.float64] = 1 - (a * b).sum(axis=1) / np.maximum(norms, 1e-12)
    return distance
