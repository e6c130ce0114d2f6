"""The models on this machine, in the store, the hub's cache and further folders: find, add, remove."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from overpaint import pocket
from overpaint.errors import MissingExtraError, ModelError, OutputError, did_you_mean

from .catalogue import CATALOGUE, ERASERS, LICENCES, OTHER_NETWORKS, listed, released
from .detect import detect, require, tiny_vae_halves, weights_in
from .pickles import pickle_not_allowed
from .places import (
    ENDINGS,
    download_name,
    file_name,
    further_folders,
    hub_names,
    hub_parts,
    hub_snapshot,
    models_in,
    store_folder,
    torch_checkpoints,
)
from .terms import check_terms
from .values import Kind, ModelRef, Prediction
from .verify import check, digest, forget, known_digest, size_of

Origin = Literal["embedded", "store", "hub", "folder", "path"]


@dataclass(frozen=True, slots=True)
class ModelNote:
    """The record that is written when a model is added to the store.

    Attributes:
        source: Its name on the hub with the revision, or its path.
        licence: Its licence; "" where it is unknown.
        sha256: Its digest at that time.
    """

    source: str = ""
    licence: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model on this machine.

    Attributes:
        name: Its name in requests.
        path: Its file or folder.
        origin: "embedded": part of the package; "store": Overpaint's store; "hub": Hugging Face's cache; "folder": a
            folder of OVERPAINT_MODEL_PATH; "path": named by its path.
        size: Size in bytes.
        kind: Its kind; None when it can't be read.
        fault: Why it can't be read.
        licence: Its licence; "" where it is unknown.
        sha256: Its digest, if it is known without reading gigabytes.
        note: The record of its addition to the store.
        accepted: The day on which its licence was accepted, of a model that was found to be used; else "".
    """

    name: str
    path: Path
    origin: Origin
    size: int
    kind: Kind | None = None
    fault: str = ""
    licence: str = ""
    sha256: str | None = None
    note: ModelNote = ModelNote()
    accepted: str = ""


def entries(wanted: Callable[[str], bool] = lambda name: True) -> tuple[ModelEntry, ...]:
    """All models on this machine, damaged ones included: the embedded one first, then the store's.

    Args:
        wanted: Whether a model of this name counts; files of others are not opened.
    """
    return tuple(_entry(name, path, origin) for name, path, origin in located() if wanted(name))


def entry(name: str, *, paths: bool = True) -> ModelEntry:
    """The model of this name. Raises as `find` does, except for a damaged one, whose entry has its fault."""
    return _entry(*locate(name, paths=paths))


def find(
    name: str,
    *,
    paths: bool = True,
    prediction: Prediction | None = None,
    vae: str | None = None,
    base: str | None = None,
    variant: str | None = None,
    config: str | os.PathLike[str] | None = None,
    allow_pickle: bool = False,
) -> ModelRef:
    """The checkpoint of this name, ready to be loaded. Nothing is downloaded.

    Args:
        name: Of the store or the catalogue, OWNER/NAME of the hub (if its cache or the store has it), or a path.
        paths: Whether a path is taken at all; False for names that come from outside, as over a network.
        prediction: What its network predicts, where detection is wrong.
        vae: Another VAE to use instead of its own, named in the same ways.
        base: A checkpoint of its family, named in the same ways, that has the VAE and text encoders which a file with a
            U-Net alone lacks.
        variant: Of a folder: "fp16", or "fp32" (or "") for the plain weights (see `ModelRef`).
        config: A folder of configurations of a single file's networks (see `ModelRef`); a path, so that `paths` must be
            true.
        allow_pickle: Whether a pickle may be read, weights only.

    Raises:
        ModelError: There is none; it is damaged; of no known family; without this variant; a pickle that was not
            allowed; or its licence must be accepted first.
    """
    if config is not None and not paths:
        message = f"the configurations {str(config)!r} are a path, and names from outside can't be paths"
        raise ModelError(message, field="config", value=str(config))
    found, path, origin = locate(name, paths=paths)
    kind = detect(path)
    _allowed(kind, path, allow_pickle)
    lacks = set(kind.lacks) - ({"vae"} if vae else set()) - ({"vae", "text"} if base else set())
    if kind.what == "unet" and kind.lacks and not lacks:
        kind = replace(kind, what="checkpoint")
    require(kind, found)
    licence = known_licence(found, path, origin)
    accepted = "" if origin == "embedded" else check_terms(found, licence, listed(found))
    if prediction is not None:
        kind = replace(kind, prediction=prediction, because="set by the user")
    ref = ModelRef(
        found,
        path,
        kind,
        variant=None if variant is None else _variant(variant, path, found),
        config=None if config is None else _config(Path(config), path),
        allow_pickle=allow_pickle,
        licence=licence,
        accepted=accepted,
    )
    if base is not None:
        ref = replace(ref, base=_base_of(ref, base, paths=paths))
    return ref if vae is None else _with_vae(ref, vae, paths=paths)


def _base_of(ref: ModelRef, name: str, *, paths: bool) -> ModelRef:
    if not ref.kind.lacks:
        raise ModelError(
            f"{ref.name} has all parts of a checkpoint: it takes none from a base", field="base", value=name
        )
    try:
        base = find(name, paths=paths, allow_pickle=ref.allow_pickle)
    except ModelError as error:
        raise error.within("the base") from error
    if base.kind.family != ref.kind.family:
        raise ModelError(
            f"the base {base.name} is another family's than {ref.name}: {base.kind.title}", field="base", value=name
        )
    return base if base.path.is_dir() else replace(base, config=ref.config)


def _allowed(kind: Kind, path: Path, allow_pickle: bool) -> None:
    if kind.form == "pickle" and not allow_pickle:
        raise pickle_not_allowed(path)


def _variant(name: str, path: Path, found: str) -> str:
    """The variant as the files call it; the plain weights are those without a name, which are fp32 by custom."""
    if not path.is_dir():
        raise ModelError(f"{found} is a single file, which has no variant {name!r}: leave the variant out")
    sets = weights_in(path / "unet")
    if name in sets:
        return name
    if name in ("", "fp32") and "" in sets:
        return ""
    there = ", ".join(sorted(one or "fp32" for one in sets)) or "none"
    raise ModelError(f"{found} has no variant {name!r} here (there are: {there})")


def _config(folder: Path, path: Path) -> Path:
    if path.is_dir():
        raise ModelError(f"{path.name} is a folder, which has configurations of its own: leave {str(folder)!r} out")
    folder = folder.expanduser()
    if not (folder / "unet" / "config.json").is_file():
        raise ModelError(f"{folder} is no folder of configurations: it has no unet/config.json")
    return folder


def _with_vae(ref: ModelRef, name: str, *, paths: bool) -> ModelRef:
    try:
        found, path, origin = locate(name, paths=paths)
    except ModelError as error:
        raise error.within("the VAE") from error
    kind = detect(path)
    if kind.what not in ("vae", "tiny-vae", "checkpoint"):
        raise ModelError(f"{found} is not a VAE but {kind.described}")
    _allowed(kind, path, ref.allow_pickle)
    licence = known_licence(found, path, origin)
    accepted = "" if origin == "embedded" else check_terms(found, licence, listed(found))
    encoder = None
    if kind.what == "tiny-vae" and kind.layout == "ldm":
        encoder, path = tiny_vae_halves(path)
    return replace(ref, vae=path, vae_encoder=encoder, vae_name=found, vae_licence=licence, vae_accepted=accepted)


def known_licence(name: str, path: Path, origin: Origin) -> str:
    """The licence in its note, its card or the catalogue; "" where it is unknown."""
    row = listed(name.replace("--", "/", 1)) or (known[0] if (known := released(path.name)) else None)
    noted = _note(path).licence if origin == "store" else ""
    return noted or licence_of(path) or (row.licence if row is not None else "")


def find_lora(name: str, *, allow_pickle: bool = False) -> ModelEntry:
    """A LoRA by its name, as prompts call it.

    Raises:
        ModelError: There is none, it is something else, a pickle that is not allowed, or its licence must be accepted
            first.
    """
    try:
        found = entry(name, paths=False)
    except ModelError as error:
        if error.code != "model-unknown" and ((row := listed(name)) is None or row.what == "lora"):
            raise
        raise _no_lora(name) from None
    if found.kind is None:
        raise ModelError(found.fault)
    if found.kind.what != "lora":
        raise ModelError(f"{found.name} is not a LoRA but {found.kind.described}")
    _allowed(found.kind, found.path, allow_pickle)
    return with_accepted(found)


def _no_lora(name: str) -> ModelError:
    """The error for a name that no LoRA has; it names the nearest of those that are here or can be downloaded."""
    near = entries(lambda known: bool(did_you_mean(name, [known])))  # files of other names are not opened
    loras = [one.name for one in near if one.kind is not None and one.kind.what == "lora"]
    hint = did_you_mean(name, loras + [row.name for row in CATALOGUE if row.what == "lora"])
    return ModelError(f"no LoRA is called {name!r}{hint}", code="model-unknown", field="model", value=name)


def with_accepted(found: ModelEntry) -> ModelEntry:
    """A model with the day on which its licence was accepted. Raises ModelError where it must be, and was not."""
    return replace(found, accepted=check_terms(found.name, found.licence, listed(found.name)))


def located() -> Iterator[tuple[str, Path, Origin]]:
    """(name, path, origin) of every model on this machine; none is opened."""
    seen: set[str] = set()
    if (own := pocket.folder()) is not None:
        seen.add(pocket.NAME)  # no file of this name in the store can take its place
        yield pocket.NAME, own, "embedded"
    folders: list[tuple[Path, Origin]] = [(store_folder(), "store"), *((one, "folder") for one in further_folders())]
    for folder, origin in folders:
        for name, path in models_in(folder):
            if name not in seen:
                seen.add(name)
                yield name, path, origin
    for row in (*ERASERS, *OTHER_NETWORKS):  # where IOPaint keeps them
        if row.files and (file := torch_checkpoints() / row.files[0].name).is_file() and row.name not in seen:
            yield row.name, file, "folder"
    for name in hub_names():
        snapshot = hub_snapshot(name)
        if snapshot is not None and name not in seen and _has_weights(snapshot):
            yield name, snapshot, "hub"


def is_model_name(name: str) -> bool:
    """Whether a model is called so, here or in the catalogue; no file is opened."""
    return listed(name) is not None or any(found == name for found, _, _ in located())


def _has_weights(path: Path) -> bool:
    return path.is_file() or any(one.suffix in ENDINGS for one in path.rglob("*"))


def locate(name: str, *, paths: bool) -> tuple[str, Path, Origin]:
    """Where the model of this name is."""
    if paths and (os.sep in name or "/" in name or name.endswith(ENDINGS) or name.startswith(("~", "."))):
        path = Path(name).expanduser()
        with contextlib.suppress(OSError, ValueError):
            if path.exists():
                return path.name, path.absolute(), "path"
    row = listed(name)
    wanted = {name, row.hub or row.name, row.name} if row is not None else {name}
    wanted |= {kept for one in tuple(wanted) if (kept := download_name(one))}
    here = list(located())
    for found, path, origin in here:
        if wanted & {found, path.name}:
            return found, path, origin
    if row is not None and row.files:  # by the published name of its file, or of its converted form
        for _, path, origin in here:
            if (known := released(path.name)) is not None and known == (row, row.files[0]):
                return row.name, path, origin
    snapshot = hub_snapshot(row.hub if row is not None and row.hub else name)
    if snapshot is not None and _has_weights(snapshot):
        return name, snapshot, "hub"
    raise _missing(name, [one[0] for one in here], paths=paths)


def _missing(name: str, here: list[str], *, paths: bool) -> ModelError:
    """The error for a name that no model here has; its value is the name by which it can be downloaded, if it can."""
    row = listed(name)
    if row is not None or (hub_parts(name) is not None and not name.endswith(ENDINGS)):
        size = "" if row is None else f"; the download has {row.gigabytes:g} GB"
        return ModelError(
            f"the model {name} is not here, but can be downloaded{size}",
            code="model-not-downloaded",
            field="model",
            value=name if row is None else row.name,
        )
    if paths and ("/" in name or name.endswith(ENDINGS)):
        message = f"there is no file {name}"
    else:
        message = f"no model is called {name!r}{did_you_mean(name, [*here, *(one.name for one in CATALOGUE)])}"
    return ModelError(message, code="model-unknown", field="model", value=name)


def _entry(name: str, path: Path, origin: Origin) -> ModelEntry:
    note = _note(path) if origin == "store" else ModelNote()
    licence = known_licence(name, path, origin)
    try:
        size = size_of(path)
    except OSError as error:
        return ModelEntry(name, path, origin, 0, None, f"can't read {path}: {error.strerror or error}", licence)
    plain = ModelEntry(name, path, origin, size, None, "", licence, known_digest(path), note)
    try:
        return replace(plain, kind=detect(path))
    except (ModelError, MissingExtraError) as error:
        return replace(plain, fault=str(error))


def licence_of(path: Path) -> str:
    """The licence in a model's card (README.md or MODEL_CARD.md in its folder); "" where there is none."""
    import yaml

    card = next((one for name in ("README.md", "MODEL_CARD.md") if (one := path / name).is_file()), None)
    if card is None:
        return ""
    front = re.match(r"---\s*\n(.*?)\n---", card.read_text(encoding="utf-8", errors="replace")[:20_000], re.DOTALL)
    try:
        values = yaml.safe_load(front[1]) if front else None
    except (yaml.YAMLError, ValueError, RecursionError):  # a date that is none, brackets within brackets
        values = None
    if not isinstance(values, dict):
        return ""
    licence = str(values.get("license") or "")
    named = str(values.get("license_name") or "") if licence == "other" else ""
    return named or LICENCES.get(licence.lower(), licence)


def _notes() -> Path:
    return store_folder() / ".notes"


def _note(path: Path) -> ModelNote:
    try:
        value = json.loads((_notes() / f"{path.name}.json").read_text(encoding="utf-8"))
        return ModelNote(*(str(value.get(key, "")) for key in ("source", "licence", "sha256")))
    except (OSError, ValueError, AttributeError):
        return ModelNote()


def write_note(path: Path, note: ModelNote) -> None:
    """Write the note of a model in the store."""
    from overpaint.files import write_file

    _notes().mkdir(parents=True, exist_ok=True)
    data = json.dumps(asdict(note), indent=2, ensure_ascii=False) + "\n"
    write_file(_notes() / f"{path.name}.json", data.encode(), overwrite=True)


def add(
    source: Path,
    name: str | None = None,
    *,
    link: bool = False,
    licence: str = "",
    on_bytes: Callable[[int], None] | None = None,
) -> ModelEntry:
    """Take a file or folder into the store, as a copy, or as a link to where it is.

    Args:
        source: A checkpoint, LoRA, VAE, ...: any known kind.
        name: What to call it; its own name if left out.
        link: Keep it where it is.
        licence: To be written down with it.
        on_bytes: Called with the number of bytes copied or read.

    Raises:
        ModelError: It is not there, damaged or of no known kind, or the name can't be one.
        OutputError: The store has this name, or can't be written to.
    """
    kind = detect(source)
    if kind.what == "other":
        require(kind, source.name)
    target = _free_place(name, source)
    with writing(target):
        if link:
            target.symlink_to(source.resolve(), target_is_directory=source.is_dir())
        else:
            _copy(source, target, on_bytes)
    write_note(target, ModelNote(str(source.resolve()), licence or licence_of(source), digest(target, on_bytes)))
    return entry(target.name, paths=False)


def _free_place(name: str | None, source: Path) -> Path:
    ending = source.suffix if source.is_file() else ""
    if name is None:
        stem = source.stem if source.is_file() else source.name
        name = re.sub(r"-{2,}", "-", re.sub(r"[^A-Za-z0-9._+-]", "-", stem)).strip(".-+_")
    name = file_name(name.removesuffix(ending) if ending else name)
    if name == pocket.NAME:
        raise OutputError(f"{name!r} is the name of the embedded model: give another name")
    target = store_folder() / f"{name}{ending}"
    if target.exists() or target.is_symlink():
        raise OutputError(f"the store already has {target.name}: give another name, or remove it first")
    return target


@contextlib.contextmanager
def writing(target: Path) -> Iterator[None]:
    """Turn a failure to write the store into an OutputError."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OutputError(f"can't write {target}: {error.strerror or error}") from error


def _copy(source: Path, target: Path, on_bytes: Callable[[int], None] | None) -> None:
    """Copy beside the target and rename, so that the store never shows half a model."""
    hidden = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")

    def one(start: str, end: str) -> str:
        with Path(start).open("rb") as reading, Path(end).open("wb") as writing_:
            while chunk := reading.read(1 << 22):
                writing_.write(chunk)
                if on_bytes is not None:
                    on_bytes(len(chunk))
            writing_.flush()
            os.fsync(writing_.fileno())
        return end

    try:
        if source.is_dir():
            shutil.copytree(source, hidden, copy_function=one, ignore=shutil.ignore_patterns(".*"))
        else:
            one(str(source), str(hidden))
        hidden.rename(target)
    finally:
        discard(hidden)


def discard(path: Path) -> None:
    """Delete a file, a link (not its target) or a folder, if it exists."""
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
    elif path.is_dir():
        shutil.rmtree(path)


def remove(name: str) -> ModelEntry:
    """Delete a model of the store; of a linked one the link alone. Other programs' models are left alone.

    Raises:
        ModelError: There is none, or it is not in the store.
        OutputError: It can't be deleted.
    """
    found = entry(name, paths=False)
    if found.origin != "store" or found.path.parent != store_folder():
        if found.origin == "embedded":
            raise ModelError(f"{found.name} is part of Overpaint itself and can't be removed")
        owner = "Hugging Face's cache ('hf cache rm' frees it)" if found.origin == "hub" else str(found.path.parent)
        raise ModelError(f"{found.name} is not in the store but in {owner}; it was left alone")
    with writing(found.path):
        forget(found.path)
        discard(found.path)
        (_notes() / f"{found.path.name}.json").unlink(missing_ok=True)
    return found


def verify(name: str, on_bytes: Callable[[int], None] | None = None) -> tuple[ModelEntry, tuple[str, ...]]:
    """A model and its faults, read anew from the disk."""
    found = entry(name)
    faults = check(found.path, found.note.sha256 or None, on_bytes)
    return replace(found, sha256=known_digest(found.path)), faults
