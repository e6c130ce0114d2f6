"""Folders of models on this machine: the store, further folders, and the Hugging Face cache."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from overpaint.errors import ModelError

ENDINGS = (".safetensors", ".ckpt", ".pt", ".pth", ".jit", ".bin", ".gguf", ".onnx")
"""Of files of weights."""

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._+-]{0,94}[A-Za-z0-9_+-])?"
_NAME = re.compile(_PART)
_HUB_NAME = re.compile(rf"({_PART})/({_PART})((?:/{_PART})*)")


def home() -> Path:
    """Overpaint's own folder: OVERPAINT_HOME, or the platform's place for an application's data."""
    if given := os.environ.get("OVERPAINT_HOME"):
        return Path(given).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "overpaint"
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "overpaint"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "overpaint"


def store_folder() -> Path:
    """The folder of the models that were downloaded or added."""
    return home() / "models"


def further_folders() -> tuple[Path, ...]:
    """Folders of other programs to look in as well (never written to): OVERPAINT_MODEL_PATH, separated as PATH is."""
    given = os.environ.get("OVERPAINT_MODEL_PATH", "")
    return tuple(Path(one).expanduser().absolute() for one in given.split(os.pathsep) if one)


def hub_cache() -> Path:
    """Where Hugging Face's programs keep what they downloaded."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if given := os.environ.get(variable):
            return Path(given).expanduser()
    if given := os.environ.get("HF_HOME"):
        return Path(given).expanduser() / "hub"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface" / "hub"


def torch_checkpoints() -> Path:
    """The folder that torch's hub, and IOPaint with it, downloads weights into."""
    given = os.environ.get("TORCH_HOME")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (Path(given).expanduser() if given else cache / "torch") / "hub" / "checkpoints"


def hub_parts(name: str) -> tuple[str, str, str] | None:
    """(owner, repository, file within it or "") of a name on the hub, or None when it can't be one."""
    found = _HUB_NAME.fullmatch(name)
    if found is None or ".." in name or "--" in found[1]:
        return None
    return found[1], found[2], found[3].lstrip("/")


def download_name(name: str) -> str:
    """The file in the store that OWNER/NAME/FILE of the hub is downloaded to; "" for any other name."""
    parts = hub_parts(name)
    if parts is None or not parts[2]:
        return ""
    return f"{file_name(f'{parts[0]}/{parts[1]}')}--{PurePosixPath(parts[2]).name}"


def hub_snapshot(name: str) -> Path | None:
    """The snapshot's folder, or the named file, that the cache has of a name on the hub; else None."""
    parts = hub_parts(name)
    if parts is None:
        return None
    owner, repository, file = parts
    root = hub_cache() / f"models--{owner}--{repository}"
    snapshots = root / "snapshots"
    try:
        commit = (root / "refs" / "main").read_text(encoding="utf-8").strip()
        folder = snapshots / commit
        if not re.fullmatch(r"[0-9a-fA-F]{7,64}", commit) or not folder.is_dir():
            raise FileNotFoundError
    except OSError:
        kept = [one for one in snapshots.iterdir() if one.is_dir()] if snapshots.is_dir() else []
        if not kept:
            return None
        folder = max(kept, key=lambda one: one.stat().st_mtime)
    if file:
        return folder / file if (folder / file).is_file() else None
    files = [one for one in folder.iterdir() if one.suffix in ENDINGS and one.is_file()]
    whole = (folder / "model_index.json").is_file() or (folder / "config.json").is_file()
    return files[0] if len(files) == 1 and not whole else folder


def hub_names() -> tuple[str, ...]:
    """Names of all models in the cache, sorted."""
    root = hub_cache()
    if not root.is_dir():
        return ()
    found = (one.name.split("--") for one in root.iterdir() if one.name.startswith("models--") and one.is_dir())
    return tuple(sorted(f"{parts[1]}/{'--'.join(parts[2:])}" for parts in found if len(parts) >= 3))


def file_name(name: str) -> str:
    """The file name of a model in the store: NAME, or OWNER--NAME.

    Raises:
        ModelError: The name could be a path out of the store.
    """
    if _NAME.fullmatch(name) and ".." not in name:
        return name
    parts = hub_parts(name)
    if parts is not None and not parts[2]:
        return f"{parts[0]}--{parts[1]}"
    raise ModelError(f"{name!r} can't be a model's name: letters, digits, '-', '_', '.' and '+', at most OWNER/NAME")


def models_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """Names and paths of a folder's models. Where two files differ in their ending only, names keep the ending."""
    try:
        paths = [one for one in sorted(folder.iterdir()) if not one.name.startswith(".")]
    except OSError:
        return
    kept = [one for one in paths if one.is_dir() or (one.suffix in ENDINGS and not _waits(one))]
    stems = [one.stem if one.suffix in ENDINGS else one.name for one in kept]
    for path, stem in zip(kept, stems, strict=True):
        name = stem if stems.count(stem) == 1 else path.name
        yield name.replace("--", "/", 1), path


def _waits(path: Path) -> bool:
    """Whether to open it may wait for ever, as a pipe or a device does."""
    with contextlib.suppress(OSError):
        return not stat.S_ISREG(path.stat().st_mode)
    return False
