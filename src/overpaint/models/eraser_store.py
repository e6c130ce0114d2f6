"""The erasers on this machine: the one of a name, the one to use where none is named, and their safe form."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from overpaint.errors import ModelError, OverpaintError

from .catalogue import ERASERS, released
from .detect import detect
from .erasers import FIRST_OF, eraser_folder, parts_of, row_of
from .networks import NETWORKS
from .pickles import load_pickle, pickle_not_allowed
from .places import ENDINGS, file_name, store_folder
from .store import (
    ModelEntry,
    ModelNote,
    Origin,
    entries,
    entry,
    find,
    known_licence,
    locate,
    located,
    write_note,
    writing,
)
from .terms import LicenceTerms, check_terms, terms_of
from .torchscript import is_torchscript, load_script_tensors
from .values import NETWORK_TITLES, Kind, ModelRef, What
from .verify import digest

CONVERTED = ("lama", "migan", "mat", "osor")
"""Erasers whose weights alone are enough: others exist as programs only."""

_WRAPPERS = ("params_ema.", "params.", "state_dict.")
"""What training programs put before the names of all tensors; the first that is there counts."""

EXTRA_OF = {"onnx": ("onnxruntime", "onnx"), "mat": ("spandrel_extra_arches", "restore")}
"""(package, extra) that a form or a network of erasers needs."""

_MOST_HEADER = 1 << 26
_REMOVAL_BASE = "sdxl-inpainting"


def find_eraser(name: str, *, base: str | None = None, paths: bool = True, allow_pickle: bool = False) -> ModelRef:
    """The eraser of this name, ready to be loaded. Nothing is downloaded, and no code is run.

    Args:
        name: Of the store or the catalogue, OWNER/NAME of the hub (if its cache or the store has it), or a path.
        base: Of OSOR, the checkpoint that it works with, named in the same ways; None: one that is here.
        paths: Whether a path is taken at all; False for names that come from outside, as over a network.
        allow_pickle: Whether a pickle may be read (weights only), and a TorchScript program run.

    Raises:
        ModelError: There is none; it is damaged; of another kind; a part of it is missing; a pickle or TorchScript that
            was not allowed; or its licence must be accepted first.
    """
    found, path, origin = locate(name, paths=paths)
    kind = detect(path)
    if kind.what != "eraser":
        raise ModelError(
            f"{found} is not an eraser but {kind.described}" if kind.what != "other" else f"{found} is {kind.title}",
            code="model-not-eraser",
            field="model",
            value=found,
        )
    parts = parts_of(path, kind)
    row = row_of(path, kind)
    licence = known_licence(found, path, origin) or (row.licence if row is not None else "")
    day = check_terms(found, licence, row)
    if kind.form == "torchscript" and not allow_pickle:
        raise torchscript_not_allowed(path, kind, str(path) if origin == "path" else found)
    if kind.form == "pickle" and not allow_pickle:
        raise pickle_not_allowed(path)
    ref = ModelRef(found, path, kind, allow_pickle=allow_pickle, licence=licence, parts=parts, accepted=day)
    if kind.network == "osor":
        return replace(ref, base=removal_base(base, paths=paths, allow_pickle=allow_pickle))
    if base is not None:
        raise ModelError(f"{found} works without a checkpoint: it takes no base", field="base", value=base)
    return ref


def removal_base(name: str | None = None, *, paths: bool = True, allow_pickle: bool = False) -> ModelRef:
    """The SDXL inpainting checkpoint that OSOR works with.

    Args:
        name: As for `find_eraser`; None: the published one that OSOR was trained on, else another one that is here.
        paths, allow_pickle: As for `find_eraser`.

    Raises:
        ModelError: None is here; it is of another kind; and all that `find` raises.
    """
    if name is None:
        with contextlib.suppress(OverpaintError):
            return find(_REMOVAL_BASE, paths=False, allow_pickle=allow_pickle)
        name = next((one.name for one in entries() if _suits_removal(one.kind)), None)
    if name is None:
        raise ModelError(
            "OSOR works with an SDXL inpainting checkpoint, and none is on this machine",
            code="model-incomplete",
            field="base",
            hint=f"name one as the option base; {_REMOVAL_BASE!r} can be downloaded",
        )
    try:
        base = find(name, paths=paths, allow_pickle=allow_pickle)
    except ModelError as error:
        raise error.within("the base") from error
    if not _suits_removal(base.kind):
        raise ModelError(
            f"OSOR works with an SDXL inpainting checkpoint, and {base.name} is {base.kind.described}",
            field="base",
            value=name,
        )
    return base


def _suits_removal(kind: Kind | None) -> bool:
    return kind is not None and kind.what == "checkpoint" and kind.family == "sdxl" and kind.inpainting


def torchscript_not_allowed(path: Path, kind: Kind, value: str) -> ModelError:
    """The error for a TorchScript program that the user did not allow; `value` is what names it."""
    message = f"{path.name} is a TorchScript program: it holds code, which runs when it is used"
    allowed = "if you trust its source, set allow_pickle"
    if kind.network not in CONVERTED:
        return ModelError(
            message,
            code="torchscript-only",
            field="allow_pickle",
            value=value,
            hint=f"{NETWORK_TITLES[kind.network]} exists as a program only: {allowed}",
        )
    return ModelError(
        message,
        code="torchscript-refused",
        field="allow_pickle",
        value=value,
        hint=f"convert it once to safetensors, which runs none of its code; or, {allowed}",
    )


def is_eraser(name: str, *, paths: bool = True) -> bool:
    """Whether a model of this name is here and is an eraser; checkpoints are not read through for it."""
    with contextlib.suppress(OverpaintError, OSError):
        path = locate(name, paths=paths)[1]
        return may_be_eraser(path) and detect(path).what == "eraser"
    return False


def default_eraser() -> str | None:
    """The eraser where none is named: one that is here and needs no further permission; None where there is none.

    Of several, the first by the catalogue's order of networks.
    """
    best: tuple[int, str] | None = None
    order = [row.network for row in ERASERS]
    for name, path, origin in located():
        rank = _rank(name, path, origin, order)
        if rank is not None and (best is None or rank < best[0]):
            best = rank, name
    return None if best is None else best[1]


def ready_eraser(found: ModelEntry) -> str | None:
    """The name of an eraser that can be used as it is, of the catalogue where it has one; None for other models."""
    rank = _rank(found.name, found.path, found.origin, [row.network for row in ERASERS])
    if rank is None:
        return None
    known = released(found.path.name)
    return found.name if known is None else known[0].name


def _rank(name: str, path: Path, origin: Origin, order: list[str]) -> int | None:
    """Where an eraser stands among others; None for other models, and for one that can't be used as it is."""
    try:
        if path.is_dir() or not may_be_eraser(path) or (kind := detect(path)).what != "eraser":
            return None
        if kind.form not in ("safetensors", "onnx") or missing_extra(kind):
            return None
        check_terms(name, known_licence(name, path, origin), row_of(path, kind))
        if kind.network == "osor":
            removal_base()
    except (OverpaintError, OSError):
        return None
    drawn = 1 if "anime" in name.lower() else 0  # it was trained on drawings
    return 4 * order.index(kind.network) + 2 * drawn + (kind.form == "onnx")


def waiting_eraser() -> str | None:
    """The first eraser here that can be converted to safetensors and was not; None where there is none."""
    for name, path, _ in located():
        with contextlib.suppress(OverpaintError, OSError):
            if path.is_file() and is_torchscript(path) and (kind := detect(path)).network in CONVERTED:
                return name if kind.what == "eraser" else None
    return None


def missing_extra(kind: Kind) -> str | None:
    """The extra that an eraser needs and that is not installed."""
    for key in (kind.form, kind.network):
        if key in EXTRA_OF and importlib.util.find_spec(EXTRA_OF[key][0]) is None:
            return EXTRA_OF[key][1]
    return None


def may_be_eraser(path: Path) -> bool:
    """Whether a file or folder is worth a look, by a few bytes of it. Raises OSError."""
    if path.is_dir():
        return eraser_folder(path) is not None
    if path.suffix == ".onnx" or is_torchscript(path):
        return True
    with path.open("rb") as file:
        start = file.read(9)
        if start[8:] == b"{":
            file.seek(8)
            names = file.read(min(int.from_bytes(start[:8], "little"), _MOST_HEADER))
        elif start[:4] == b"PK\x03\x04":
            names = _pickled_names(path)
        else:
            return False
    return any(first.encode() in names for first in FIRST_OF.values())


def _pickled_names(path: Path) -> bytes:
    with contextlib.suppress(Exception), zipfile.ZipFile(path) as archive:  # any bytes may be in the file
        inside = next((one for one in archive.namelist() if one.endswith("data.pkl")), None)
        if inside is not None:
            with archive.open(inside) as reading:
                return reading.read(_MOST_HEADER)
    return b""


def keeps_weights(what: What, network: str) -> bool:
    """Whether a network is kept as its weights alone, and needs no program."""
    return network in CONVERTED or what in NETWORKS


def convert(name: str, to: str | None = None, *, paths: bool = True) -> ModelEntry:
    """Make a safetensors file in the store from a pickle or a TorchScript program. No code in it is run.

    Erasers, selectors, upscalers and networks for faces are converted.

    Args:
        name: As for `find_eraser`.
        to: What to call it; None: its name in the catalogue, or that of its file.
        paths: As for `find_eraser`.

    Raises:
        ModelError: There is none; it is another kind of model, safe already, damaged, or exists as a program only.
        OutputError: The store has this name already, or can't be written to.
    """
    found, path, origin = locate(name, paths=paths)
    kind = detect(path)
    if kind.what not in ("eraser", *NETWORKS) or kind.form not in ("pickle", "torchscript"):
        safe = kind.what in ("eraser", *NETWORKS)
        other = "only erasers, selectors, upscalers and networks for faces are converted"
        raise ModelError(
            f"{found} is {kind.title}: {'it needs no conversion' if safe else other}",
            code="model-not-converted",
            field="model",
            value=found,
        )
    row = row_of(path, kind)
    target = free_place(to or (row.name if row is not None else path.stem))
    licence = known_licence(found, path, origin)
    write_safetensors(path, kind, target, ModelNote(str(path), licence, ""))
    return entry(target.name, paths=False)


def free_place(name: str) -> Path:
    """The file of a converted eraser in the store. Raises OutputError where it has one of this name."""
    from overpaint.errors import OutputError

    stem = name
    for ending in ENDINGS:
        stem = stem.removesuffix(ending)
    target = store_folder() / f"{file_name(stem)}.safetensors"
    if target.exists() or target.is_symlink():
        raise OutputError(
            f"the store already has {target.name}: give another name, or remove it first",
            code="model-exists",
            field="name",
            value=stem,
        )
    return target


def write_safetensors(path: Path, kind: Kind, target: Path, note: ModelNote) -> None:
    """Write an eraser's weights as safetensors, whole or not at all, with a note of where they come from.

    Raises:
        ModelError: The weights are not those of a network that is known here.
        OutputError: The file can't be written.
    """
    from safetensors.torch import save

    from overpaint.files import write_file

    held = load_script_tensors(path) if kind.form == "torchscript" else load_pickle(path).tensors
    tensors = network_tensors(held, kind, path)
    about = {"network": kind.network, "source": note.source, "source_sha256": digest(path), "licence": note.licence}
    with writing(target):
        write_file(target, save(tensors, metadata={key: one for key, one in about.items() if one}))
    write_note(target, ModelNote(note.source, note.licence, digest(target)))


def network_tensors(held: Mapping[str, Any], kind: Kind, path: Path) -> dict[str, Any]:
    """The tensors of a network by their published names, without those of its training.

    Raises:
        ModelError: It has no network of a published layout.
    """
    if kind.what in NETWORKS:
        return {name: one.detach().clone().contiguous() for name, one in without_wrapper(held).items()}
    first = FIRST_OF.get(kind.network, "")
    prefix = next((name[: -len(first)] for name in held if first and (f".{name}").endswith(f".{first}")), None)
    if prefix is None:
        raise ModelError(
            f"{path.name} has no weights of {NETWORK_TITLES[kind.network]} by their published names",
            code="model-not-converted",
            field="model",
            value=str(path),
        )
    own = {name.removeprefix(prefix): one for name, one in held.items() if name.startswith(prefix)}
    wanted = {
        "lama": ("model.",),
        "migan": ("encoder.", "synthesis."),
        "mat": ("synthesis.", "mapping."),
        "osor": ("unet.",),
    }
    lead = "generator." if kind.network == "lama" else ""
    return {
        f"{lead}{name}": one.detach().clone().contiguous()
        for name, one in own.items()
        if name.startswith(wanted[kind.network])
    }


def without_wrapper(held: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors by the names that their network has for them, without what a training program put before all names."""
    for prefix in _WRAPPERS:
        if own := {name.removeprefix(prefix): one for name, one in held.items() if name.startswith(prefix)}:
            return own
    return dict(held)


def licence_terms(name: str) -> LicenceTerms | None:
    """The licence that must be accepted before this model is used, whether it is here or in the catalogue only.

    Raises:
        ModelError: No model is called so.
    """
    from .catalogue import listed

    row = listed(name)
    if row is not None:
        return terms_of(row.name, row.licence, row)
    found, path, origin = locate(name, paths=True)
    licence = known_licence(found, path, origin)
    kind = detect(path)
    return terms_of(found, licence, row_of(path, kind) if kind.what in ("eraser", *NETWORKS) else None)


def metadata_of(path: Path) -> dict[str, str]:
    """The metadata in a safetensors file's header; empty where it has none."""
    with contextlib.suppress(OSError, ValueError, AttributeError), path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size <= _MOST_HEADER:
            found = json.loads(file.read(size)).get("__metadata__", {})
            return {str(key): str(one) for key, one in found.items()}
    return {}
