"""Where results go: names, and the checks that come before any work, so that no work is lost to a bad name."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from overpaint.errors import OutputError, RequestError, did_you_mean

from .options import Out
from .values import STDIO

SUFFIXES = {
    "png": "png",
    "jpg": "jpeg",
    "jpeg": "jpeg",
    "jpe": "jpeg",
    "webp": "webp",
    "tif": "tiff",
    "tiff": "tiff",
    "avif": "avif",
}
"""The format that a file name's ending asks for."""

_ENDINGS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif", "avif": ".avif"}


@dataclass(frozen=True, slots=True)
class Plan:
    """Where one result and its companions go.

    Attributes:
        path: The picture; None for standard output.
        format: Its format; None to keep the input's.
        compare: The before / mask / after picture, if asked for.
        layers: The layered file, if asked for.
    """

    path: Path | None
    format: str | None
    compare: Path | None = None
    layers: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file that will be written."""
        return tuple(path for path in (self.path, self.compare, self.layers) if path is not None)


def plans(source: str, verb: str, out: Out, variations: int = 1) -> list[Plan]:
    """One plan for each variation. Raises RequestError for settings that don't go together."""
    if variations < 1:
        raise RequestError(f"--variations must be at least 1, not {variations}")
    if out.quality is not None and not 1 <= out.quality <= 100:
        raise RequestError(f"--quality must be between 1 and 100, not {out.quality}")
    format = _format(out)
    if out.output == STDIO and variations > 1:
        raise RequestError("standard output takes one picture: give -o a file name for --variations")
    if out.output == STDIO and out.json:
        raise RequestError("--json and -o - both want standard output: give -o a file name")
    if out.output == STDIO and out.record == "sidecar":
        raise RequestError("a picture on standard output has no place for a sidecar: use --record embed or none")
    path = _path(source, verb, out, format)
    compare = None if out.compare is None else Path(out.compare)
    layers = None if out.layers is None else Path(out.layers)
    return [
        Plan(
            None if path is None else _numbered(path, index, variations),
            format,
            None if compare is None else _numbered(compare, index, variations),
            None if layers is None else _numbered(layers, index, variations),
        )
        for index in range(1, variations + 1)
    ]


def _format(out: Out) -> str | None:
    if out.format is not None:
        wanted = out.format.lower().lstrip(".")
        if wanted not in SUFFIXES:
            known = sorted(set(SUFFIXES.values()))
            raise RequestError(
                f"--format {out.format!r} is not one that can be written{did_you_mean(wanted, known)} "
                f"(there are {', '.join(known)})"
            )
        return SUFFIXES[wanted]
    if out.output is None or out.output == STDIO:
        return None
    return format_of(Path(out.output), "--output")


def format_of(path: Path, option: str) -> str:
    """The format that the name asks for. Raises OutputError when the ending says nothing."""
    ending = path.suffix.lower().lstrip(".")
    if ending not in SUFFIXES:
        what = f"ends in {path.suffix!r}" if ending else "has no ending"
        raise OutputError(f"{option} {path} {what}: use one of {', '.join('.' + end for end in SUFFIXES)}, or --format")
    return SUFFIXES[ending]


def _path(source: str, verb: str, out: Out, format: str | None) -> Path | None:
    if out.output == STDIO:
        return None
    if out.output is not None:
        return Path(out.output)
    if source == STDIO:
        raise RequestError("the picture comes from standard input: say where the result goes with -o")
    return beside(Path(source), verb, format)


def beside(source: Path, verb: str, format: str | None) -> Path:
    """NAME.VERB.EXT next to the picture, with the ending of another format where one is asked for."""
    ending = source.suffix.lower().lstrip(".")
    if format is None and ending not in SUFFIXES:
        # HEIF and its like can be read but not written; the studio saves them as PNG
        return source.with_name(f"{source.stem}.{verb}.png")
    if format is not None and SUFFIXES.get(ending) != format:
        return source.with_name(f"{source.stem}.{verb}{_ENDINGS[format]}")
    return source.with_name(f"{source.stem}.{verb}{source.suffix}")


def _numbered(path: Path, index: int, count: int) -> Path:
    return path if count == 1 else path.with_name(f"{path.stem}-{index}{path.suffix}")


def check(paths: Iterable[Path], *, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Find out before any work whether every file can be written. Raises OutputError; leaves no trace."""
    seen: dict[Path, Path] = {path.resolve(): path for path in inputs}
    read = frozenset(seen)
    for path in paths:
        resolved = path.resolve()
        if resolved in seen and resolved not in read:
            raise OutputError(f"two results would go to the same file: {path}")
        if resolved in read and not overwrite:
            raise OutputError(f"{path} is the picture itself: choose another name, or give --overwrite")
        seen[resolved] = path
        _check_one(path, overwrite)


def _check_one(path: Path, overwrite: bool) -> None:
    folder = path.parent
    if path.is_dir():
        raise OutputError(f"{path} is a folder: give a file name")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already: choose another name with -o, or give --overwrite")
    if not folder.exists():
        raise OutputError(f"can't write {path}: there is no folder {folder}")
    if not folder.is_dir():
        raise OutputError(f"can't write {path}: {folder} is not a folder")
    try:
        # permission bits alone say little about root, quotas and read-only mounts
        with contextlib.closing(tempfile.TemporaryFile(dir=folder)):
            pass
    except OSError as error:
        raise OutputError(f"can't write {path}: {folder} takes no new files ({error.strerror})") from None
