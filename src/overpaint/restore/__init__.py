"""Pictures made better as a whole: larger, and with faces restored."""

from __future__ import annotations

from .enlarge import LARGEST_SCALE, EnlargedPicture, Upscaler, enlarge, enlarged_size
from .faces import FaceNetwork, RestoredFaces, load_face_network, restore_faces
from .networks import found_network, load_upscaler

__all__ = [
    "LARGEST_SCALE",
    "EnlargedPicture",
    "FaceNetwork",
    "RestoredFaces",
    "Upscaler",
    "enlarge",
    "enlarged_size",
    "found_network",
    "load_face_network",
    "load_upscaler",
    "restore_faces",
]
