"""What restores faces, chosen before any work: the network, how it is used, and what finds the faces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version as version_of
from typing import Any

from overpaint.errors import RequestError
from overpaint.models import NETWORK_TITLES, ModelRef, digest
from overpaint.request import Execution, ResolvedRequest, UsedModel
from overpaint.select.face_search import detector_here

from .face_networks import AUTOMATIC, WITH_FIDELITY, FaceRestorer
from .faces import FaceSettings
from .networks import found_network

CASCADE = "none"
"""In place of a detector's name: the cascade finds faces."""

_NONE_HERE = "no network for faces is on this machine that may be used"
_MORE = "gfpgan and restoreformer can be downloaded"


@dataclass(frozen=True, slots=True, eq=False)
class FaceChoice:
    """What restores faces.

    Attributes:
        restorer: The network; None: no face is restored.
        settings: How.
        models: The files of the network, and of YuNet where it finds the faces.
        notes: For people, before any work.
    """

    restorer: FaceRestorer | None = None
    settings: FaceSettings = FaceSettings()  # noqa: RUF009 - it is frozen
    models: tuple[UsedModel, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def active(self) -> bool:
        """Whether any face can change."""
        return self.restorer is not None and self.settings.weight > 0

    def resolved(self, resolved: ResolvedRequest) -> ResolvedRequest:
        """The request with these settings filled in, or left out where they have no effect."""
        filled: dict[str, Any] = dict.fromkeys(("restore_faces", "face_weight", "face_fidelity"))
        if self.restorer is not None and self.active:
            filled |= {"restore_faces": self.restorer.name, "face_weight": self.settings.weight}
            if self.restorer.network in WITH_FIDELITY:
                filled["face_fidelity"] = self.settings.fidelity
            filled["models"] = (*resolved.models, *self.models)
        return resolved.model_copy(update=filled)

    def execution(self, execution: Execution) -> Execution:
        """The execution of an edit, with the version of what restored faces."""
        if not self.active:
            return execution
        versions = {**execution.versions, "spandrel": version_of("spandrel")}
        return execution.model_copy(update={"versions": versions})


def choose_faces(
    name: str | None,
    restorer_of: Callable[[str], FaceRestorer | None],
    *,
    weight: float | None = None,
    fidelity: float | None = None,
    detector: str | None = None,
    paths: bool = True,
) -> FaceChoice:
    """What restores faces by settings of a person.

    Args:
        name: The network's; `AUTOMATIC`: one that is here; None: no face is restored.
        restorer_of: Gives what restores faces by a network's name; None for `AUTOMATIC` where there is none.
        weight, fidelity: See `FaceSettings`; None: as there.
        detector: The name of YuNet's file; None: the one that is here; `CASCADE`.
        paths: Whether the detector's name may be a path.

    Raises:
        RequestError: A number is out of its range.
        ModelError: A network that is named is not here, or may not be used.
        MissingExtraError: spandrel is not installed.
    """
    settings = FaceSettings(1.0 if weight is None else weight)
    settings = settings if fidelity is None else replace(settings, fidelity=fidelity)
    if name is None:
        given = {"face_weight": weight, "face_fidelity": fidelity}
        unused = " and ".join(one for one, value in given.items() if value is not None)
        return FaceChoice(notes=(f"without restore_faces {unused} had no effect",) if unused else ())
    restorer = restorer_of(name)
    if restorer is None:
        return FaceChoice(notes=(f"{_NONE_HERE}, so that restore_faces had no effect; {_MORE}",))
    if settings.weight == 0:
        return FaceChoice(restorer, settings, notes=("a weight of 0 leaves faces as they are",))
    notes = []
    if name == AUTOMATIC:
        notes.append(f"faces are restored by {restorer.title}, as it is on this machine")
    if fidelity is not None and restorer.network not in WITH_FIDELITY:
        notes.append(f"{NETWORK_TITLES[restorer.network]} does not use face_fidelity")
    if (finder := _detector(detector, paths=paths)) is None:
        return FaceChoice(restorer, settings, restorer.models, tuple(notes))
    settings = replace(settings, detector=finder.path)
    return FaceChoice(restorer, settings, (*restorer.models, _used(finder)), tuple(notes))


def none_here() -> RequestError:
    """The error where a network for faces is needed, none is named and none is here."""
    return RequestError(_NONE_HERE, code="model-needed", field="model", value="restore", hint=f"name one; {_MORE}")


def _detector(name: str | None, *, paths: bool) -> ModelRef | None:
    if name is None:
        return detector_here()
    return None if name == CASCADE else found_network(name, "face-detector", paths=paths)


def _used(detector: ModelRef) -> UsedModel:
    return UsedModel(
        role="face-detector",
        name=detector.name,
        sha256=digest(detector.path),
        licence=detector.licence or "unknown",
        accepted=detector.accepted or None,
    )
