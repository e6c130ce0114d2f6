"""Faces: by YuNet where its file is here, else by the cascade that comes with scikit-image."""

from __future__ import annotations

from pydantic import Field

from overpaint.mask import Mask
from overpaint.models import ModelRef
from overpaint.picture import Picture
from overpaint.request import UsedModel

from .base import Selection, SelectorCard, SelectorHints, SelectorOptions
from .face_search import FoundFace, detector_here, find_faces
from .networks import named_network
from .prepare import used_network
from .seen import SeenPicture

CASCADE = "cascade"
"""In place of a detector's name."""

_BY_CASCADE, _BY_YUNET = 0.12, 0.06
"""How far a face goes above and below the box of each detector, as a share of its height."""


class FaceOptions(SelectorOptions):
    """Which faces count."""

    model: str = Field(
        default="",
        max_length=1024,
        description="the detector: YuNet by its name, or cascade, which needs none; left out, YuNet where it is here",
    )
    smallest: float = Field(default=4.0, ge=1, le=100, description="the smallest face, in per cent of the longer side")


class Faces:
    """Faces; without YuNet upright ones that look at the camera."""

    card = SelectorCard(
        name="faces",
        title="faces, one selection each; without YuNet those that look at the camera",
        takes=frozenset({"boxes"}),
        several=True,
        options=FaceOptions,
        tip="it finds upright faces from the front, with YuNet turned ones too: mark others with a box and grabcut",
        licence="Apache-2.0 AND BSD-3-Clause",
        digest="faces-2",
        without={"model": CASCADE},
        references=(
            "Wu, Peng and Yu, YuNet: a tiny millisecond-level face detector, Machine Intelligence Research 20, 2023",
            "Viola and Jones, Rapid object detection using a boosted cascade of simple features, CVPR 2001",
            "Liao et al., Learning multi-scale block local binary patterns for face recognition, ICB 2007",
        ),
    )

    def models(self, hints: SelectorHints) -> tuple[UsedModel, ...]:
        """As `NetworkSelector`."""
        ref = _detector(FaceOptions.model_validate(dict(hints.options)).model)
        return () if ref is None else (used_network(ref, "face-detector"),)

    def select(self, picture: Picture, hints: SelectorHints) -> list[Selection]:
        """An ellipse for each face, the largest first; in boxes, those whose middle is within."""
        options = FaceOptions.model_validate(dict(hints.options))
        seen = SeenPicture.of(picture)
        detector = _detector(options.model)
        found = find_faces(seen, None if detector is None else detector.path, smallest=options.smallest)
        return [
            Selection(Mask.ellipse(seen.size, list(_outline(face))), score=face.score, label="face")
            for face in found
            if not hints.boxes or any(_middle_in(face, tuple(box)) for box in hints.boxes)
        ]


def _detector(name: str) -> ModelRef | None:
    """The detector of a name; None: the cascade. Raises ModelError where it is not here."""
    if name == CASCADE:
        return None
    return named_network(name, "face-detector") if name else detector_here()


def _outline(face: FoundFace) -> tuple[float, float, float, float]:
    """The box of the ellipse around a face."""
    left, top, right, bottom = face.box
    more = (_BY_CASCADE if face.places is None else _BY_YUNET) * (bottom - top)
    return left, top - more, right, bottom + more


def _middle_in(face: FoundFace, box: tuple[int, ...]) -> bool:
    across, down = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
    return box[0] <= across < box[2] and box[1] <= down < box[3]
