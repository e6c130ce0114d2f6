"""Pictures made better as a whole: larger, and with faces restored."""

from __future__ import annotations

from .enlarge import LARGEST_SCALE, EnlargedPicture, Upscaler, enlarge, enlarged_size, memory_of
from .face_choice import CASCADE, FaceChoice, choose_faces, none_here
from .face_networks import AUTOMATIC, WITH_FIDELITY, FaceRestorer, face_restorer, first_face_network
from .faces import FaceSettings, RestoredFaces, restore_faces, restored_patches
from .networks import found_network, load_upscaler

__all__ = [
    "AUTOMATIC",
    "CASCADE",
    "LARGEST_SCALE",
    "WITH_FIDELITY",
    "EnlargedPicture",
    "FaceChoice",
    "FaceRestorer",
    "FaceSettings",
    "RestoredFaces",
    "Upscaler",
    "choose_faces",
    "enlarge",
    "enlarged_size",
    "face_restorer",
    "first_face_network",
    "found_network",
    "load_upscaler",
    "memory_of",
    "none_here",
    "restore_faces",
    "restored_patches",
]
