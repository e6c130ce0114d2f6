"""Faces restored by a network that knows faces: found, turned into its frame, restored, and laid back softly.

The frame is that of FFHQ at 512 pixels, as GFPGAN and RestoreFormer were trained (the five places are facexlib's).
YuNet gives the places in a face; the cascade gives a box alone, and they are taken to be where the frame has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.engines import Monitor
from overpaint.engines.spandrel_import import normalised, torchvision_stood_in
from overpaint.errors import MissingExtraError, ModelError, RequestError
from overpaint.mask import Mask
from overpaint.picture import Picture
from overpaint.picture.colour import converter_for
from overpaint.select import SelectorHints, select

from .enlarge import left_out, stating
from .networks import model_file, model_tensors
from .self_taught import Plane

SIDE = 512
TEMPLATE = np.array(
    [[192.98, 239.95], [318.90, 240.19], [256.63, 314.02], [201.26, 371.41], [313.09, 371.15]], np.float32
)
"""Eyes, nose and corners of the mouth in the frame, left to right in the picture."""

_BOX = (110.0, 120.0, 402.0, 412.0)
"""Where a cascade's box lies in the frame."""

_SURE = 0.8  # of YuNet


@dataclass(frozen=True, slots=True, eq=False)
class RestoredFaces:
    """A picture with its faces restored.

    Attributes:
        picture: The result.
        faces: How many faces were restored.
        notes: For people.
    """

    picture: Picture
    faces: int
    notes: tuple[str, ...] = ()


class FaceNetwork:
    """A network of spandrel's that restores a face in its frame."""

    def __init__(self, name: str, descriptor: Any) -> None:
        self.name, self._descriptor = name, descriptor

    def __call__(self, face: Plane) -> Plane:
        """The face restored, both (512, 512, 3) float32 in [0, 1]."""
        import torch

        image = torch.from_numpy(np.ascontiguousarray(face.transpose(2, 0, 1))[None]).to(self._descriptor.device)
        with torch.inference_mode():
            made = self._descriptor(image)
        return np.ascontiguousarray(made[0].float().clamp(0, 1).cpu().numpy().transpose(1, 2, 0))


def load_face_network(name: str, *, allow_pickle: bool = False, device: str = "auto") -> FaceNetwork:
    """A network that restores faces: GFPGAN or RestoreFormer. Nothing is downloaded.

    Raises:
        ModelError: There is none of this name, it is damaged, or it restores no faces.
        MissingExtraError: spandrel is not installed.
    """
    from overpaint.engines.diffusion.devices import device_of

    path = model_file(name, "network for faces")
    with torchvision_stood_in():
        try:
            from spandrel import ModelLoader, architectures
        except ImportError as error:
            raise MissingExtraError.of(f"the network {path.stem}", "restore") from error
    former = architectures.RestoreFormer
    if former.tv_normalize is None:  # imported elsewhere, with a stand-in that can't be called
        former.tv_normalize = normalised
    try:
        tensors = model_tensors(path, allow_pickle=allow_pickle)
        descriptor = ModelLoader(device_of(device)).load_from_state_dict(tensors)
    except ModelError:
        raise
    except Exception as error:  # any tensors may be in the file
        raise ModelError(
            f"{path.name} is no network for faces that spandrel knows", field="model", value=name
        ) from error
    kind = descriptor.architecture.name
    if kind not in ("GFPGAN", "RestoreFormer"):
        raise ModelError(f"{path.name} is a network of {kind}, which restores no faces", field="model", value=name)
    descriptor.float().eval()
    return FaceNetwork(path.stem, descriptor)


def restore_faces(
    picture: Picture,
    network: FaceNetwork,
    *,
    weight: float = 1.0,
    mask: Mask | None = None,
    detector: Path | None = None,
    monitor: Monitor | None = None,
) -> RestoredFaces:
    """Restore the faces of a picture.

    Args:
        picture: The picture.
        network: See `load_face_network`.
        weight: 0 leaves faces as they are, 1 takes what the network makes of them.
        mask: (H, W) where anything may change; None: anywhere. Elsewhere every pixel stays as it is.
        detector: YuNet's file; None: the cascade finds faces.
        monitor: Progress and cancellation.

    Raises:
        RequestError: The weight is out of range.
        ModelError: The detector's file can't be read.
    """
    if not 0 <= weight <= 1:
        raise RequestError(f"{{field}} must be 0 to 1, not {weight}", field="weight", value=weight)
    monitor = monitor or Monitor()
    converter = converter_for(picture, "srgb")
    before = converter.to_canvas(picture.samples)
    canvas = before.copy()
    turns = face_turns(picture, before, detector)
    for number, turn in enumerate(turns):
        monitor.check()
        face = cv2.warpAffine(canvas, turn, (SIDE, SIDE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        made = network(np.asarray(np.clip(face, 0, 1), np.float32))
        size = (canvas.shape[1], canvas.shape[0])
        back = cv2.warpAffine(made - face, turn, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        share = cv2.warpAffine(_window(), turn, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        if mask is not None:
            share = share * mask.values
        canvas += back * (share * np.float32(weight))[..., None]
        monitor.progress(number + 1, len(turns))
    changed = np.clip(canvas, 0, 1)
    values = converter.to_samples(picture.samples, before, changed)
    samples = np.rint(np.clip(values, 0, picture.maximum)).astype(picture.samples.dtype)
    touched = (changed != before).any(axis=2)[..., None]
    result = picture.with_pixels(np.where(touched, samples, picture.samples), picture.alpha)
    if not touched.any():
        return RestoredFaces(picture, len(turns))
    return RestoredFaces(stating(result, "restore", "faces", (network.name,)), len(turns), tuple(left_out(picture)))


def face_turns(picture: Picture, colours: Plane, detector: Path | None) -> list[NDArray[np.float64]]:
    """For each face the matrix (2, 3) that brings the picture into its frame."""
    if detector is None:
        boxes = [one.mask.bounds for one in _by_cascade(picture)]
        corners = np.array([[_BOX[0], _BOX[1]], [_BOX[2], _BOX[1]], [_BOX[0], _BOX[3]]], np.float32)
        places = [
            (np.array([[b.left, b.top], [b.right, b.top], [b.left, b.top + b.width]], np.float32), corners)
            for b in boxes
        ]
    else:
        places = [(one, TEMPLATE) for one in _by_yunet(colours, detector)]
    found = (cv2.estimateAffinePartial2D(own, frame, method=cv2.LMEDS)[0] for own, frame in places)
    return [np.asarray(one, np.float64) for one in found if one is not None]


def _by_cascade(picture: Picture) -> list[Any]:
    from overpaint.errors import MaskError

    try:
        return list(select(picture, "faces", SelectorHints()))
    except MaskError as error:
        if error.code == "nothing-selected":
            return []
        raise


def _by_yunet(colours: Plane, detector: Path) -> list[NDArray[np.float32]]:
    """(5, 2) places in each face, left to right in the picture."""
    height, width = colours.shape[:2]
    try:
        finder = cv2.FaceDetectorYN.create(str(detector), "", (width, height), _SURE)
        _, rows = finder.detect(np.ascontiguousarray(np.rint(colours[..., ::-1] * 255).astype(np.uint8)))
    except cv2.error as error:
        raise ModelError(f"{detector.name} is no face detector of YuNet's", field="detector") from error
    return [] if rows is None else [np.asarray(row[4:14], np.float32).reshape(5, 2) for row in rows]


def _window() -> Plane:
    """(512, 512) share of what is laid back: 1 within, 0 at the border of the frame."""
    flat = np.zeros((SIDE, SIDE), np.float32)
    cv2.ellipse(flat, (SIDE // 2, 280), (170, 205), 0, 0, 360, 1.0, -1)
    soft = cv2.GaussianBlur(cv2.GaussianBlur(flat, (101, 101), 11), (101, 101), 11)
    soft[:10], soft[-10:], soft[:, :10], soft[:, -10:] = 0, 0, 0, 0
    return np.asarray(soft, np.float32)
