"""Features of crops from an image classifier, for the kernel distance.

The network is MobileNet-EdgeTPU (8-bit, MLCommons mobile models, Apache-2.0), which is not part of the project. The
feature is its pooled penultimate layer, 1280 numbers: the last convolution's 7x7 map (`MobilenetEdgeTPU/Conv_1`),
dequantised and averaged here in float. The network's own `AvgPool` tensor is the same average rounded to 8 bits in
steps of 0.17, too coarse for what a small hole changes; its logits know names of things, and little of texture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SHARED = Path(__file__).resolve().parents[2] / "shared"
NET = SHARED / "nets" / "mobilenet_edgetpu_224_1.0_uint8.tflite"
LAYER = "MobilenetEdgeTPU/Conv_1/Conv2D"
FEATURE = "Conv_1 7x7x1280, dequantised, mean over space (pooled penultimate layer); crop bicubic to 224x224"

Features = NDArray[np.float32]


class Classifier:
    """The network, with an optional cache of features on disk, keyed by the digest of the crop."""

    def __init__(self, path: Path = NET, *, store: Path | None = None, threads: int = 1) -> None:
        """Open the network; FileNotFoundError without the file, ImportError without ai-edge-litert."""
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        if not path.is_file():
            raise FileNotFoundError(
                f"no classifier at {path}: it is not part of the project; set its folder with --shared DIR"
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
            d for d in self._net.get_tensor_details() if LAYER in d["name"] and tuple(d["shape"]) == (1, 7, 7, 1280)
        )
        self._salt = hashlib.sha256(path.read_bytes() + FEATURE.encode()).digest()
        self._store = store
        if store is not None:
            store.mkdir(parents=True, exist_ok=True)

    def features(self, crops: Iterable[NDArray[np.uint8]]) -> Features:
        """(n, 1280) float32 of crops (h, w, 3) uint8 of any size."""
        rows = [self._kept(np.ascontiguousarray(crop)) for crop in crops]
        return np.stack(rows) if rows else np.empty((0, 1280), np.float32)

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
        """Features of a crop, resized with antialiasing (Parmar et al. 2022, "On aliased resizing") to a square."""
        _, height, width, _ = (int(side) for side in self._input["shape"])
        small = Image.fromarray(crop).resize((width, height), Image.Resampling.BICUBIC)
        self._net.set_tensor(self._input["index"], np.asarray(small, np.uint8)[None])
        self._net.invoke()
        scale, zero = self._layer["quantization"]
        values = self._net.get_tensor(self._layer["index"])[0].astype(np.float32)
        pooled: Features = ((values - zero) * scale).mean(axis=(0, 1), dtype=np.float32)
        return pooled


@cache
def _shared_classifier() -> Classifier:
    return Classifier()


def features(crops: Iterable[NDArray[np.uint8]]) -> Features:
    """(n, 1280) float32 of crops (h, w, 3) uint8, by the classifier in the folder beside the project."""
    return _shared_classifier().features(crops)


def cosine_distance(one: Features, other: Features) -> NDArray[np.float64]:
    """(n,) 1 - cosine between features row by row: 0 for equal crops."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    distance: NDArray[np.float64] = 1 - (a * b).sum(axis=1) / np.maximum(norms, 1e-12)
    return distance
