"""Erasers as ONNX files, run by ONNX Runtime (extra onnx).

Two forms are known: LaMa as Carve/LaMa-ONNX and OpenCV's zoo have it (float32; picture in [0, 1], hole 1; the result in
[0, 255]) and MI-GAN's pipeline (uint8; picture, and 255 where it is known; the result a picture).

All take RGB. OpenCV's zoo has Carve's file (models/inpainting_lama/README.md there), whose weights are LaMa's, trained
on RGB; the zoo's own demo gives it OpenCV's BGR without a change of order, which these weights have not seen.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overpaint.errors import MissingExtraError, ModelError
from overpaint.models import ModelRef
from overpaint.models.onnx_graph import read_graph

from .network import EraserNetwork, OnStep


class OnnxEraser:
    """A graph that takes a picture and a hole, by ONNX Runtime on the CPU.

    Attributes:
        session: ONNX Runtime's.
        names: Of the two inputs.
        whole: Whether pictures are of whole numbers, as MI-GAN's pipeline takes them.
    """

    sees_whole = False

    def __init__(self, session: Any, names: tuple[str, str], whole: bool) -> None:
        self.session, self.names, self.whole = session, names, whole

    def __call__(self, picture: Tensor, hole: Tensor, seed: int, on_step: OnStep) -> Tensor:
        """As `EraserNetwork`."""
        image, marked = picture.cpu().numpy(), hole.cpu().numpy()
        if self.whole:
            given: tuple[NDArray[Any], NDArray[Any]] = (
                (image * 255).round().astype(np.uint8),
                ((1 - marked) * 255).astype(np.uint8),
            )
        else:
            given = image, marked
        try:
            found = self.session.run(None, dict(zip(self.names, given, strict=True)))[0]
        except Exception as error:  # what a graph does is its own
            raise ModelError(f"the ONNX file does not run on this picture: {str(error).splitlines()[0]}") from error
        on_step(1, 1)
        if found.shape != image.shape:
            raise ModelError(f"the ONNX file gave {found.shape} for a picture of {image.shape}")
        return torch.from_numpy(scaled(found.astype(np.float32), image, marked)).to(picture.device)


def scaled(found: NDArray[np.float32], image: NDArray[np.float32], marked: NDArray[np.float32]) -> NDArray[np.float32]:
    """A result in [0, 1]: of one in [0, 255] a 255th. Which it is, what is known of the picture shows.

    Args:
        found: (1, 3, H, W) as the graph gave it.
        image: (1, 3, H, W) in [0, 1], its input.
        marked: (1, 1, H, W), 1 in the hole.
    """
    known = np.broadcast_to(marked == 0, found.shape)
    if not known.any() or not (image[known] > 0).any():
        return np.asarray(found / 255 if found.max() > 2 else found, np.float32)
    error = [float(np.abs(found[known] / scale - image[known]).mean()) for scale in (1, 255)]
    return np.asarray(found if error[0] <= error[1] else found / 255, np.float32)


def onnx_network(ref: ModelRef, threads: int | None) -> EraserNetwork:
    """The network of an ONNX file.

    Raises:
        ModelError: The file is damaged, or has operators that ONNX Runtime does not know.
        MissingExtraError: ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError.of(f"{ref.name}, an ONNX file,", "onnx") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 3  # errors; it would print warnings on standard error
    graph = read_graph(ref.path)
    try:
        session = onnxruntime.InferenceSession(str(ref.path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # any bytes may be in the file
        raise ModelError(f"{ref.path.name} can't be run: {str(error).splitlines()[0]}") from error
    picture, hole = graph.inputs
    return OnnxEraser(session, (picture.name, hole.name), picture.dtype == "uint8")
