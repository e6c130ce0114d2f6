"""Downloads models from Hugging Face's hub, only when the user names one.

The files that a model needs are chosen from the repository's list. Each is fetched into a hidden folder of the store
(complete ones are not fetched again) and checked against the hub's digest; then the folder gets its name in one step.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from overpaint.errors import DownloadError, ModelError, OutputError

from .catalogue import LICENCES, listed
from .detect import detect
from .eraser_store import keeps_weights, write_safetensors
from .pickles import pickle_not_allowed
from .places import ENDINGS, file_name, hub_parts, store_folder
from .releases import get_released
from .store import ModelEntry, ModelNote, discard, entry, licence_of, write_note, writing
from .terms import check_terms
from .verify import digest

_UNUSED = ("safety_checker", "vae_1_0", "feature_extractor", "image_encoder", "onnx", "openvino", "flax", "coreml")


@dataclass(frozen=True, slots=True)
class Remote:
    """One file of a repository: its path, size in bytes, and SHA-256 where the hub has it (large files)."""

    path: str
    size: int
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository: its revision, its files, its licence as the hub calls it."""

    revision: str
    files: tuple[Remote, ...]
    licence: str = ""


def choose(files: Iterable[Remote], *, variant: str | None = None, pickles: bool = False) -> tuple[Remote, ...]:
    """The files of a repository that a model needs: one set of weights for each part, configurations, its card.

    Args:
        files: All that it has.
        variant: "fp16" or "" for the plain weights; None: half precision where every part has it.
        pickles: Whether weights may be pickles where there is no other form.

    Raises:
        ModelError: It has no weights of the wanted form.
    """
    kept = [one for one in files if PurePosixPath(one.path).parts[0] not in _UNUSED]
    pipeline = any(one.path == "model_index.json" for one in kept)
    weights = [one for one in kept if _weighs(one.path) and ("/" in one.path) == pipeline]
    folders: dict[PurePosixPath, list[Remote]] = {}
    for one in weights:
        folders.setdefault(PurePosixPath(one.path).parent, []).append(one)
    chosen = [one for inside in folders.values() for one in _set_of(inside, variant, pickles=pickles)]
    if not any(one.path.endswith(ENDINGS) for one in chosen):
        if weights:
            message = "this repository has weights as pickles only, which can hold code"
            raise pickle_not_allowed(weights[0].path, message)
        raise ModelError("this repository has no weights")
    texts = [one for one in kept if _text(one.path) and not _weighs(one.path)]
    return tuple(sorted({*chosen, *texts}, key=lambda one: one.path))


def _weighs(path: str) -> bool:
    """Whether a file is of weights, or lists the shards that are."""
    return path.endswith(ENDINGS) or re.search(r"\.index(\.\w+)?\.json$", path) is not None


def _text(path: str) -> bool:
    parts = PurePosixPath(path).parts
    name = parts[-1].lower()
    return len(parts) <= 2 and (
        name.endswith((".json", ".yaml")) or name in ("merges.txt", "readme.md") or "license" in name
    )


def _set_of(files: list[Remote], variant: str | None, *, pickles: bool) -> list[Remote]:
    """One set of weights out of a folder's: safetensors before pickles, the variant if there is one."""
    safe = [one for one in files if ".safetensors" in one.path]
    pool = safe or (files if pickles else [])
    half = [one for one in pool if re.search(r"[.-]fp16[.-]", one.path)]
    plain = [one for one in pool if not re.search(r"\.(fp16|non_ema|ema)\.", one.path) and one not in half]
    if variant == "":
        found = plain
    elif variant is not None:
        found = [one for one in pool if re.search(rf"[.-]{re.escape(variant)}[.-]", one.path)] or plain
    else:
        found = half or plain
    names = {PurePosixPath(one.path).name for one in found}
    for family in (r"diffusion_pytorch_model", r"(pytorch_)?model"):
        own = [one for one in found if re.match(family + r"[.-]", PurePosixPath(one.path).name)]
        if own:
            return own
    return found if len(names) <= 1 else [max(found, key=lambda one: one.size)]


def get(
    name: str,
    *,
    variant: str | None = None,
    allow_pickle: bool = False,
    hub: HuggingFace | None = None,
    on_file: Callable[[str, int, int], None] | None = None,
) -> ModelEntry:
    """Download a model into the store, unless it is there.

    Args:
        name: Of the catalogue, or OWNER/NAME (or OWNER/NAME/FILE) of the hub.
        variant: See `choose`.
        allow_pickle: See `choose`.
        hub: The hub; None: Hugging Face's.
        on_file: Called before each file with its name, the bytes downloaded so far, and the bytes of all files.

    Raises:
        ModelError: No such name; nothing in it that can be used; a licence that must be accepted first.
        DownloadError: The hub can't be reached, refuses, or sent other bytes than it announced.
        OutputError: The store can't be written to, or has it already.
    """
    row = listed(name)
    if row is not None and row.files:
        return get_released(row, allow_pickle=allow_pickle, on_file=on_file)
    parts = hub_parts(row.hub if row is not None else name)
    if parts is None:
        raise ModelError(
            f"{name!r} is neither a name of the hub (OWNER/NAME) nor of the catalogue",
            code="model-unknown",
            field="model",
            value=name,
        )
    if row is not None:
        check_terms(row.name, row.licence, row)
    owner, repository, file = parts
    safe = file.endswith((".safetensors", ".gguf", ".onnx"))
    converted = bool(file) and not safe and row is not None and keeps_weights(row.what, row.network)
    whole = f"{owner}/{repository}"
    source = hub or HuggingFace()
    with _wanted(file):
        listing = source.listing(whole)
    if file:
        chosen = tuple(one for one in listing.files if one.path == file)
        if not chosen:
            raise ModelError(f"{whole} has no file {file}")
        if not safe and not converted and not allow_pickle:
            raise pickle_not_allowed(file)
    else:
        chosen = choose(listing.files, variant=variant, pickles=allow_pickle)
    stem, alone = file_name(whole), file or _alone(chosen)
    target = store_folder() / (f"{row.name}.safetensors" if row and converted else _target_name(stem, file, alone))
    if target.exists():
        raise OutputError(
            f"the model {whole} is here already ({target})",
            code="model-exists",
            field="model",
            value=whole,
            hint="remove it first",
        )
    partial = store_folder() / f".{stem}.partial"
    with writing(partial):
        partial.mkdir(parents=True, exist_ok=True)
        with _wanted(file):
            _fetch_all(source, whole, listing.revision, chosen, partial, on_file)
        fetched = partial / alone if alone else partial
        kind = detect(fetched)
        if kind.what == "other":
            raise ModelError(f"{whole} is not a model that can be used here: {kind.because or 'of no known kind'}")
        discard(partial / ".cache")
        licence = licence_of(partial) or (row.licence if row is not None and converted else "")
        licence = licence or LICENCES.get(listing.licence, listing.licence) or (row.licence if row is not None else "")
        note = ModelNote(f"{whole}@{listing.revision}", licence, "")
        if converted:  # none of the code that a pickle may hold is run
            write_safetensors(fetched, kind, target, note)
        else:
            fetched.rename(target)
            write_note(target, replace(note, sha256=digest(target)))
        if alone:
            discard(partial)
    return entry(target.name, paths=False)


@contextlib.contextmanager
def _wanted(file: str) -> Iterator[None]:
    """Where the hub can't be reached, the error's value has the single file that is wanted: "OWNER/NAME FILE"."""
    try:
        yield
    except DownloadError as error:
        if file and error.code == "hub-unreachable":
            error.value = f"{error.value} {file}"
        raise


def _alone(chosen: tuple[Remote, ...]) -> str:
    """The one file of weights of a repository that has no configuration beside it, as LoRAs have none; else ""."""
    weights = [one.path for one in chosen if one.path.endswith(ENDINGS)]
    configured = any(one.path in ("config.json", "model_index.json", "adapter_config.json") for one in chosen)
    return weights[0] if len(weights) == 1 and not configured else ""


def _target_name(stem: str, file: str, alone: str) -> str:
    """The name of a download in the store: a folder, the only file of a repository, or one of several."""
    if not alone:
        return stem
    path = PurePosixPath(alone)
    return f"{stem}--{path.name}" if file else f"{stem}{path.suffix}"


def _fetch_all(
    hub: HuggingFace,
    repository: str,
    revision: str,
    files: tuple[Remote, ...],
    folder: Path,
    on_file: Callable[[str, int, int], None] | None,
) -> None:
    done, whole = 0, sum(one.size for one in files)
    for one in files:
        place = folder / one.path
        if folder.resolve() not in place.resolve().parents:
            raise DownloadError(f"the hub named a file outside the model's folder: {one.path!r}")
        if on_file is not None:
            on_file(one.path, done, whole)
        if not _complete(place, one):
            hub.fetch(repository, revision, one, folder)
            if not _complete(place, one):
                place.unlink(missing_ok=True)
                raise DownloadError(f"{one.path} of {repository} did not arrive as the hub has it; run the same again")
        done += one.size
    if on_file is not None:
        on_file("", done, whole)


def _complete(place: Path, file: Remote) -> bool:
    if not place.is_file() or place.stat().st_size != file.size:
        return False
    if file.sha256 is None:
        return True
    with place.open("rb") as reading:
        return hashlib.file_digest(reading, "sha256").hexdigest() == file.sha256


@dataclass(frozen=True, slots=True)
class HuggingFace:
    """The hub itself, through huggingface_hub.

    Attributes:
        progress: Whether bars are shown on standard error.
        endpoint: Address of a mirror; None: HF_ENDPOINT, else huggingface.co.
    """

    progress: bool = False
    endpoint: str | None = None

    def listing(self, repository: str) -> Listing:
        """The files of a repository."""
        from huggingface_hub import HfApi

        try:
            about = HfApi(endpoint=self.endpoint).model_info(repository, files_metadata=True, timeout=20)
        except Exception as error:
            raise _unreachable(repository, error) from error
        files = tuple(
            Remote(str(one.rfilename), int(one.size or 0), one.lfs.sha256 if one.lfs is not None else None)
            for one in about.siblings or ()
        )
        card: Any = about.card_data or {}
        return Listing(str(about.sha), files, str(card.get("license") or ""))

    def fetch(self, repository: str, revision: str, file: Remote, folder: Path) -> None:
        """Write a file to its path within a folder; a partial download continues."""
        from huggingface_hub import hf_hub_download
        from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars

        (enable_progress_bars if self.progress else disable_progress_bars)()
        try:
            hf_hub_download(repository, file.path, revision=revision, local_dir=folder, endpoint=self.endpoint)
        except Exception as error:
            raise _unreachable(repository, error) from error


def _unreachable(repository: str, error: Exception) -> DownloadError:
    name = type(error).__name__
    if "Gated" in name:
        return DownloadError(f"{repository} asks you to accept its licence: do so on its page, then 'hf auth login'")
    if "RepositoryNotFound" in name:
        return DownloadError(f"the hub has no {repository} (or it is private: 'hf auth login')")
    return DownloadError(
        f"can't reach the hub ({name})",
        code="hub-unreachable",
        value=repository,
        hint="download it on a machine with a network, bring its folder here, and add the folder to the models; an "
        "interrupted download continues where it stopped",
    )
