"""Faces restored by a network that knows faces: found, turned into its frame, restored, and laid back softly.

What the network changes is laid back, and not what it makes: a face that is larger than the frame keeps its own fine
detail, and gets what the network changes at the frame's size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from overpaint.composite import Patch
from overpaint.engines import Monitor
from overpaint.errors import EngineError, RequestError
from overpaint.geometry import Box
from overpaint.mask import Mask
from overpaint.picture import Picture
from overpaint.picture.colour import ColourConverter, converter_for
from overpaint.picture.hidden import edge_extended
from overpaint.select.face_search import find_faces
from overpaint.select.seen import SeenPicture

from .enlarge import left_out, stating
from .face_frame import FaceTurn, Plane, turns_of
from .face_networks import FIDELITY

_LEAST_SHARE = 0.02
"""A face is restored where at least this share of it can change."""

_LEAST_WINDOW = 128
"""Pixels around a region in which a face may lie that it is a part of."""


class RestoresFace(Protocol):
    """Restores a face in its frame; a `FaceRestorer` is one.

    Attributes:
        name: Its name.
    """

    name: str

    def __call__(self, face: Plane, fidelity: float = FIDELITY) -> Plane:
        """The face restored, both (512, 512, 3) float32 in [0, 1]."""


@dataclass(frozen=True, slots=True)
class FaceSettings:
    """How faces are restored.

    Attributes:
        weight: 0 to 1: 0 leaves faces as they are, 1 takes what the network makes of them.
        fidelity: 0 to 1, of CodeFormer alone: 0 restores the most, 1 keeps the most of the face.
        detector: YuNet's file; None: the cascade finds faces.

    Raises:
        RequestError: A number is out of its range.
    """

    weight: float = 1.0
    fidelity: float = FIDELITY
    detector: Path | None = None

    @property
    def smallest(self) -> float:
        """The smallest face that is looked for, in per cent of the picture; the cascade sees more that is none."""
        return 4.0 if self.detector is None else 1.0

    def __post_init__(self) -> None:
        for field, value in (("weight", self.weight), ("fidelity", self.fidelity)):
            if not 0 <= value <= 1:
                raise RequestError(f"{{field}} must be 0 to 1, not {value}", field=field, value=value)


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


def restore_faces(
    picture: Picture,
    network: RestoresFace,
    *,
    settings: FaceSettings = FaceSettings(),
    mask: Mask | None = None,
    monitor: Monitor | None = None,
) -> RestoredFaces:
    """Restore the faces of a picture.

    Args:
        picture: The picture.
        network: See `face_restorer`.
        settings: How.
        mask: (H, W) where anything may change; None: anywhere. Elsewhere every pixel stays as it is.
        monitor: Progress and cancellation.

    Raises:
        ModelError: The detector's or the network's file can't be read.
        EngineError: The network gave pixels that are not finite numbers.
        Cancelled: The monitor was cancelled.
    """
    monitor = monitor or Monitor()
    converter = converter_for(picture, "srgb")
    found = find_faces(SeenPicture.of(picture), settings.detector, smallest=settings.smallest)
    turns = turns_of(found, picture.size)
    samples, faces = picture.samples.copy(), 0
    for number, turn in enumerate(turns):
        monitor.check()
        shares = np.float32(1) if mask is None else mask.values[turn.box.slices]
        if settings.weight > 0 and np.max(turn.window() * shares) >= _LEAST_SHARE:
            change = _change(picture.with_pixels(samples, picture.alpha), converter, turn, network, settings)
            area = samples[turn.box.slices]
            made = np.rint(np.clip(area + change * np.atleast_3d(shares), 0, picture.maximum))
            samples[turn.box.slices] = made.astype(samples.dtype)
            faces += 1
        monitor.progress(number + 1, len(turns))
    if np.array_equal(samples, picture.samples):
        return RestoredFaces(picture, faces)
    result = picture.with_pixels(samples, picture.alpha)
    return RestoredFaces(
        stating(result, "restore", "faces", (PurePath(network.name).name,)), faces, tuple(left_out(picture))
    )


def restored_patches(
    picture: Picture,
    patches: Sequence[Patch],
    network: RestoresFace,
    settings: FaceSettings,
    monitor: Monitor,
) -> tuple[tuple[NDArray[np.float32], ...], int]:
    """The pixels of patches with faces restored, before they are pasted; and how many faces there were.

    Faces are found on the picture that the patches make; what is restored is what the patches show.

    Args:
        picture: The result of pasting the patches.
        patches: Those patches.
        network, settings: What restores faces, and how.
        monitor: Cancellation.

    Returns:
        (h, w, C) float32 for each patch, and the number of faces.

    Raises:
        ModelError, EngineError, Cancelled: As `restore_faces`.
    """
    made = [patch.patch for patch in patches]
    if settings.weight == 0:
        return tuple(made), 0
    seen, converter = SeenPicture.of(picture), converter_for(picture, "srgb")
    windows = tuple(_windows(picture, patches))
    found = find_faces(seen, settings.detector, smallest=settings.smallest, windows=windows)
    turns = turns_of(found, picture.size)
    faces = 0
    for turn in turns:
        monitor.check()
        window = turn.window()
        within = [one for one, patch in enumerate(patches) if _most_share(window, turn.box, patch) >= _LEAST_SHARE]
        if not within:
            continue
        change = _change(picture, converter, turn, network, settings)
        faces += 1
        for one in within:
            shared = turn.box.intersect(patches[one].box)
            there = shared.shift(-patches[one].box.left, -patches[one].box.top).slices
            changed = made[one].copy()
            changed[there] += change[shared.shift(-turn.box.left, -turn.box.top).slices]
            made[one] = np.clip(changed, 0, picture.maximum)
    return tuple(made), faces


def _windows(picture: Picture, patches: Sequence[Patch]) -> Iterator[Box]:
    """What is looked at around each patch, where it is much smaller than the picture."""
    for patch in patches:
        around = max(_LEAST_WINDOW, max(patch.box.size) // 2)
        window = patch.box.pad(around).intersect(picture.size.box)
        if 2 * max(window.size) <= max(picture.size):
            yield window


def _most_share(window: Plane, box: Box, patch: Patch) -> float:
    """The largest share of a pixel of a face that can change."""
    shared = box.intersect(patch.box)
    if shared.empty:
        return 0.0
    own = window[shared.shift(-box.left, -box.top).slices]
    weight = patch.weight[shared.shift(-patch.box.left, -patch.box.top).slices]
    return float(np.max(own * weight))


def _change(
    picture: Picture, converter: ColourConverter, turn: FaceTurn, network: RestoresFace, settings: FaceSettings
) -> NDArray[np.float32]:
    """(h, w, C) float32 over the box of a face, in units of samples: what is to be added."""
    samples = picture.samples[turn.box.slices]
    hidden = None if picture.alpha is None else picture.alpha[turn.box.slices] == 0
    if hidden is not None and hidden.any():
        samples = edge_extended(samples, hidden)
    before = converter.to_canvas(samples)
    face = turn.framed(before)
    share = turn.window() * np.float32(settings.weight)
    if hidden is not None:
        share = np.where(hidden, np.float32(0), share)
    made = network(face, settings.fidelity)
    if not np.isfinite(made).all():  # not a number times a share of 0 is not 0: pixels beyond a mask would change
        name = PurePath(network.name).name
        raise EngineError(f"{name} gave pixels that are not finite numbers", field="model", value=name)
    after = before + turn.laid_back(made - face) * share[..., None]
    changed = converter.to_samples(samples, before, np.clip(after, 0, 1))
    return np.where(share[..., None] > 0, changed - samples, np.float32(0)).astype(np.float32)
