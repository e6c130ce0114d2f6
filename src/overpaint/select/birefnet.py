"""The subject of a picture, by a network that cuts out what a picture is of: BiRefNet, as an ONNX file (extra onnx).

Zheng et al., "Bilateral reference for high-resolution dichotomous image segmentation", CAAI AIR 2024. Its folders on
the hub hold code of their own, which is never run; exports of it to ONNX hold none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import MissingExtraError, ModelError
from overpaint.geometry import Size
from overpaint.models import ModelRef
from overpaint.models.onnx_graph import read_graph

from .cache import shared
from .networks import held, network_digest
from .prepare import InputForm, at_size, is_usable, network_for
from .seen import SeenPicture

NETWORKS = ("birefnet",)

SIDE = 1024
"""The sides of its input, where the file leaves them open."""


def is_here() -> bool:
    """Whether such a network is on this machine, needs no further permission, and can run."""
    return is_usable(NETWORKS, "onnxruntime")


def subject_network(name: str) -> ModelRef:
    """The network of this name, or the first one that is here. Raises ModelError as `network_for`."""
    return network_for(NETWORKS, name, purpose="a cut-out of the subject", suggested="birefnet-lite")


def coverage(seen: SeenPicture, ref: ModelRef) -> NDArray[np.float32]:
    """(H, W) float32 in [0, 1]: how far each pixel of a picture is of its subject.

    Raises:
        ModelError: The file is damaged, or gives something else.
        MissingExtraError: ONNX Runtime is not installed.
    """
    digest = network_digest(ref.path)
    network = held((digest, "birefnet"), lambda: CutOutNetwork.load(ref))
    small = shared.get((seen.digest, digest, "subject"), lambda: network.coverage(seen), lambda made: int(made.nbytes))
    import torch

    return np.asarray(at_size(torch.from_numpy(small), seen.size).numpy(), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class CutOutNetwork:
    """The network of a file.

    Attributes:
        session: ONNX Runtime's.
        name: The model's.
        takes: The name of its input.
        half: Whether that is in half precision.
        form: How it takes pictures.
    """

    session: Any
    name: str
    takes: str
    half: bool
    form: InputForm

    @classmethod
    def load(cls, ref: ModelRef) -> CutOutNetwork:
        """From a file. Raises as `coverage`."""
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError.of(f"{ref.name}, an ONNX file,", "onnx") from error
        (port,) = read_graph(ref.path).inputs
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors; it would print warnings on standard error
        try:
            session = onnxruntime.InferenceSession(str(ref.path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # any bytes may be in the file
            raise ModelError(f"{ref.path.name} can't be run: {str(error).splitlines()[0]}") from error
        height, width = (side if isinstance(side, int) else SIDE for side in port.shape[2:])
        return cls(session, ref.name, port.name, port.dtype == "float16", InputForm(size=Size(width, height)))

    def coverage(self, seen: SeenPicture) -> NDArray[np.float32]:
        """(h, w) float32 in [0, 1] over the whole picture."""
        given = self.form.tensor(seen).numpy().astype(np.float16 if self.half else np.float32)
        try:
            found = self.session.run(None, {self.takes: given})[0]
        except Exception as error:  # what a graph does is its own
            raise ModelError(f"{self.name} does not run: {str(error).splitlines()[0]}") from error
        plane = np.asarray(found, np.float32).reshape(found.shape[-2:]) if found.size and found.ndim >= 2 else None
        if plane is None or not np.isfinite(plane).all():
            raise ModelError(f"{self.name} gave no mask", field="model", value=self.name)
        if plane.min() < 0 or plane.max() > 1:  # logits: some exports end before the sigmoid
            plane = np.asarray(1 / (1 + np.exp(-plane.clip(-60, 60))), np.float32)
        return plane
