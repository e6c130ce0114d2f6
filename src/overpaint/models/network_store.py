"""The networks on this machine for selections, faces, enlarging and maps: the one of a name, and all usable ones."""

from __future__ import annotations

from pathlib import Path

from overpaint.errors import MissingExtraError, ModelError

from .catalogue import OTHER_NETWORKS, CatalogueEntry, listed
from .erasers import row_of
from .pickles import pickle_not_allowed
from .store import ModelEntry, entries, known_licence, locate
from .terms import check_terms
from .values import Kind, ModelRef, What

_TASKS: dict[What, str] = {
    "selector": "a selector",
    "faces": "a network that restores faces",
    "face-detector": "a detector of faces",
    "upscaler": "an upscaler",
    "mapper": "a maker of control maps",
    "image-encoder": "a picture encoder",
}


def find_network(name: str, what: What, *, paths: bool = True, allow_pickle: bool = False) -> ModelRef:
    """The network of this name and task, ready to be loaded. Nothing is downloaded.

    Args:
        name: Of the store or the catalogue, OWNER/NAME of the hub (if its cache or the store has it), or a path.
        what: Its task: "selector", "faces", "face-detector", "upscaler", "mapper" or "image-encoder". An
            upscaler may be of a layout that is not known here: its loader decides.
        paths: Whether a path is taken at all; False for names that come from outside, as over a network.
        allow_pickle: Whether a pickle may be read, weights only.

    Raises:
        ModelError: There is none (codes "model-unknown", "model-not-downloaded"); it is damaged; it has another task
            ("model-other-task"); it is a pickle that was not allowed; or its licence must be accepted first
            ("licence-not-accepted").
    """
    from .detect import detect

    found, path, origin = locate(name, paths=paths)
    kind = detect(path)
    unknown = what == "upscaler" and kind.what == "other" and kind.form in ("safetensors", "pickle")
    if kind.what != what and not unknown:
        raise ModelError(
            f"{found} is not {_TASKS[what]}: it is {kind.described}",
            code="model-other-task",
            field="model",
            value=found,
        )
    if kind.form == "pickle" and not allow_pickle:
        raise pickle_not_allowed(path)
    licence = known_licence(found, path, origin)
    day = check_terms(found, licence, _row_of(found, path, kind))
    return ModelRef(found, path, kind, allow_pickle=allow_pickle, licence=licence, accepted=day)


def networks_here(what: What) -> tuple[ModelEntry, ...]:
    """The networks with this task that are here and can be used as they are, the ones to prefer first.

    Pickles and networks whose licence was not accepted are left out. The order is that of the catalogue.
    """
    order = [row.network for row in OTHER_NETWORKS if row.what == what]
    found = [one for one in entries() if one.kind is not None and one.kind.what == what and _usable(one)]
    return tuple(sorted(found, key=lambda one: _rank(one, order)))


def _rank(found: ModelEntry, order: list[str]) -> tuple[int, int, str]:
    names = [row.name for row in OTHER_NETWORKS]
    network = "" if found.kind is None else found.kind.network
    row = None if found.kind is None else _row_of(found.name, found.path, found.kind)
    return (
        order.index(network) if network in order else len(order),
        names.index(row.name) if row is not None and row.name in names else len(names),
        found.name,
    )


def _usable(found: ModelEntry) -> bool:
    if found.kind is None or found.kind.form not in ("safetensors", "onnx", "folder"):
        return False
    try:
        check_terms(found.name, found.licence, _row_of(found.name, found.path, found.kind))
    except (ModelError, MissingExtraError):
        return False
    return True


def _row_of(name: str, path: Path, kind: Kind) -> CatalogueEntry | None:
    return listed(name) or row_of(path, kind)
