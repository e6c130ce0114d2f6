"""Where faces are in a picture, and where eyes, nose and mouth lie in them.

YuNet (Wu, Peng and Yu, "YuNet: a tiny millisecond-level face detector", Machine Intelligence Research 20, 2023) finds
faces and five places in each, turned faces too. Without its file a cascade of local binary patterns finds upright faces
that look at the camera, and no places: Viola and Jones, "Rapid object detection using a boosted cascade of simple
features", CVPR 2001; Liao et al., "Learning multi-scale block local binary patterns for face recognition", ICB 2007.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.errors import ModelError
from overpaint.geometry import Box
from overpaint.models import ModelRef, digest, find_network, networks_here

from .cache import shared
from .seen import Floats, SeenPicture

_SIDES = (320, 1280)
"""Longer sides of the pictures that YuNet sees: it was trained on faces of 10 to 300 pixels."""

_SURE = 0.8
"""Score of YuNet from which a face counts: in 52 photos all 27 places from here on are faces, two of them drawn."""

_SIDE = 800
"""Longer side that the cascade sees at the most."""

_NEIGHBOURS = 6
"""Places nearby that must look like a face to the cascade too."""

_NEIGHBOURS_AGAIN, _AROUND, _CLOSER = 8, 0.35, 160
"""Of its second look: those places, the surroundings as a share of the face, and the pixels of the longer side."""

_SAME = 0.3
"""Share of the union that two boxes have in common from which they are one face."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """A face.

    Attributes:
        box: Left, top, right, bottom, in pixels of the picture; may reach beyond it.
        places: (5, 2) float32, x and y of eyes, nose and corners of the mouth, left to right in the picture; None where
            they are not known.
        score: How sure the detector is, 0 to 1.
    """

    box: tuple[float, float, float, float]
    places: NDArray[np.float32] | None = None
    score: float = 1.0

    @property
    def side(self) -> float:
        """The longer side of its box, in pixels."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])


def detector_here() -> ModelRef | None:
    """YuNet on this machine; None where there is none that may be used."""
    here = networks_here("face-detector")
    return find_network(here[0].name, "face-detector") if here else None


def find_faces(
    seen: SeenPicture, detector: Path | None, *, smallest: float = 4.0, windows: Sequence[Box] = ()
) -> tuple[FoundFace, ...]:
    """The faces in a picture, the largest first.

    Args:
        seen: The picture.
        detector: YuNet's file; None: the cascade finds faces.
        smallest: The smallest face, in per cent of the longer side of the picture, or of the window that it is in.
        windows: Parts of the picture that are looked at on their own too, in which smaller faces are found.

    Raises:
        ModelError: The detector's file can't be read, or is another network.
    """
    found: list[FoundFace] = []
    for box in (seen.size.box, *windows):
        key = (seen.digest, "faces", "" if detector is None else digest(detector), smallest, tuple(box))
        make: Callable[[], tuple[FoundFace, ...]] = partial(_in_part, seen, box, detector, smallest)
        in_part = shared.get(key, make, _bytes)
        found += in_part
    return tuple(sorted(_apart(found), key=lambda one: -one.side))


def _bytes(found: tuple[FoundFace, ...]) -> int:
    return 100 + 200 * len(found)


def _in_part(seen: SeenPicture, box: Box, detector: Path | None, smallest: float) -> tuple[FoundFace, ...]:
    """The faces in a part of the picture."""
    part = None if box == seen.size.box else box
    found: list[FoundFace] = []
    for side in (_SIDE,) if detector is None else _SIDES:
        colours, scale = seen.part(part, side), seen.scale_to(side, part)
        faces = _by_cascade(colours, smallest) if detector is None else _by_yunet(colours, detector)
        found += (_placed(one, scale, box) for one in faces)
        if scale == 1:
            break
    return tuple(_apart(one for one in found if one.side * 100 >= smallest * max(box.size)))


def _placed(face: FoundFace, scale: float, box: Box) -> FoundFace:
    """A face that was found in a reduced part, in pixels of the picture."""
    left, top, right, bottom = (edge / scale for edge in face.box)
    places = None if face.places is None else _moved(face.places, scale, box)
    moved = (left + box.left, top + box.top, right + box.left, bottom + box.top)
    return FoundFace(moved, places, face.score)


def _moved(places: NDArray[np.float32], scale: float, box: Box) -> NDArray[np.float32]:
    return places * np.float32(1 / scale) + np.array([box.left, box.top], np.float32)


def _apart(found: Iterable[FoundFace]) -> Iterator[FoundFace]:
    """Each face once, as the detector is surest of it."""
    kept: list[FoundFace] = []
    for one in sorted(found, key=lambda face: -face.score):
        if all(_common(one.box, other.box) < _SAME for other in kept):
            kept.append(one)
            yield one


def _common(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    across = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    down = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return across * down / max(areas - across * down, 1e-6)


def _by_yunet(colours: Floats, detector: Path) -> list[FoundFace]:
    height, width = colours.shape[:2]
    pixels = np.ascontiguousarray(np.rint(colours[..., ::-1] * 255).astype(np.uint8))
    with _opencv_silent():
        try:
            finder = cv2.FaceDetectorYN.create(str(detector), "", (width, height), _SURE)
            _, rows = finder.detect(pixels)
        except cv2.error as error:
            message = f"{detector.name} is no face detector of YuNet's"
            raise ModelError(message, field="detector", value=detector.name) from error
    return [
        FoundFace(
            (float(row[0]), float(row[1]), float(row[0] + row[2]), float(row[1] + row[3])),
            np.asarray(row[4:14], np.float32).reshape(5, 2),
            float(row[14]),
        )
        for row in ([] if rows is None else rows)
    ]


def _by_cascade(colours: Floats, smallest: float) -> list[FoundFace]:
    height, width = colours.shape[:2]
    least = max(24, round(smallest * max(height, width) / 100))
    if min(height, width) <= least:
        return []
    pixels = np.ascontiguousarray(np.rint(colours * 255).astype(np.uint8))
    found = _cascade().detect_multi_scale(
        img=pixels,
        scale_factor=1.15,
        step_ratio=1,
        min_size=(least, least),
        max_size=(min(height, width), min(height, width)),
        min_neighbor_number=_NEIGHBOURS,
    )
    squares = [(int(one["c"]), int(one["r"]), int(one["width"])) for one in found]
    faces = (FoundFace((left, top, left + side, top + side)) for left, top, side in squares)
    return [one for one in faces if _still_a_face(pixels, one)]


def _still_a_face(pixels: NDArray[np.uint8], face: FoundFace) -> bool:
    """Whether the cascade finds a face by a second look too, closer and at finer steps, and in the mirrored picture.

    On 52 photos this left 2 of 8 false faces, and all of 8 true ones.
    """
    height, width = pixels.shape[:2]
    around = _AROUND * face.side
    left, top = max(0, int(face.box[0] - around)), max(0, int(face.box[1] - around))
    part = pixels[top : min(height, int(face.box[3] + around)), left : min(width, int(face.box[2] + around))]
    scale = _CLOSER / max(part.shape[:2])
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    part = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    least = int(0.7 * face.side * scale)
    return all(
        _cascade().detect_multi_scale(
            img=np.ascontiguousarray(one),
            scale_factor=1.08,
            step_ratio=1,
            min_size=(least, least),
            max_size=(min(size), min(size)),
            min_neighbor_number=_NEIGHBOURS_AGAIN,
        )
        for one in (part, part[:, ::-1])
    )


@cache
def _cascade() -> Any:
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    return Cascade(lbp_frontal_face_cascade_filename())


_log_lock = threading.Lock()


@contextmanager
def _opencv_silent() -> Iterator[None]:
    """Within the context OpenCV prints no warning: its graph engine has one for every network that is loaded."""
    log = cv2.utils.logging
    with _log_lock:
        before = log.setLogLevel(log.LOG_LEVEL_ERROR)
        try:
            yield
        finally:
            log.setLogLevel(before)
