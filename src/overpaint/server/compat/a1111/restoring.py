"""Faces as AUTOMATIC1111's clients have them restored: `restore_faces`, and the options for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .bodies import PaintBody
from .checkpoints import FaceModel, Models

_LEFT_OPEN = ("", "none", "null")


@dataclass(frozen=True, slots=True)
class ChosenFaces:
    """What restores faces.

    Attributes:
        shown: The network as clients know it; "" where no face is restored.
        settings: Of the request.
        notes: What differs from what was asked for.
    """

    shown: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def chosen_faces(body: PaintBody, options: Mapping[str, Any], models: Models) -> ChosenFaces:
    """What a call has faces restored by.

    Args:
        body: Its body, whose `restore_faces` counts more than the options.
        options: The caller's, and those of the call.
        models: The models of the machine.
    """
    wanted = options.get("face_restoration") if body.restore_faces is None else body.restore_faces
    if wanted not in (True, 1, "true", "True"):
        return ChosenFaces()
    if not models.faces:
        note = "no network for faces is on this server that may be used"
        return ChosenFaces(notes=("restore_faces has no effect", note))
    text = str(options.get("face_restoration_model") or "").strip()
    named = next((one for one in models.faces if one.is_called(text)), None)
    found = named or models.faces[0]
    notes: tuple[str, ...] = ()
    if named is None and text.lower() not in _LEFT_OPEN:
        notes = (f"the network for faces {text[:100]!r} is not on this server: {found.title} was used",)
    settings: dict[str, Any] = {"restore_faces": found.name}
    fidelity = options.get("code_former_weight")
    if found.network == "codeformer" and isinstance(fidelity, int | float):
        settings["face_fidelity"] = min(max(float(fidelity), 0.0), 1.0)
    return ChosenFaces(found.title, settings, notes)


def titles(faces: tuple[FaceModel, ...]) -> list[str]:
    """The networks for faces as clients list them."""
    return [one.title for one in faces]
