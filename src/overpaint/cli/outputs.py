"""Where results go: names, and the checks that come before any work, so that no work is lost to a bad name."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from overpaint.errors import OutputError, RequestError

from .options import Out
from .values import STDIO

if TYPE_CHECKING:
    from overpaint.picture import Picture


@dataclass(frozen=True, slots=True)
class Plan:
    """Where one result and its companions go.

    Attributes:
        path: The picture; None for standard output.
        format: Its format.
        compare: The before / mask / after picture, if asked for.
        layers: The layered file, if asked for.
        sidecar: The record's own file, if it is to have one.
    """

    path: Path | None
    format: str
    compare: Path | None = None
    layers: Path | None = None
    sidecar: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file that will be written."""
        every = (self.path, self.compare, self.layers, self.sidecar)
        return tuple(path for path in every if path is not None)


def check_options(out: Out, variations: int) -> None:
    """Raise RequestError for what can't be meant, before anything is read."""
    if variations < 1:
        raise RequestError(f"--variations must be at least 1, not {variations}")
    if out.quality is not None and not 1 <= out.quality <= 100:
        raise RequestError(f"--quality must be between 1 and 100, not {out.quality}")
    if out.private and out.audit is None:
        raise RequestError("--private is about the audit log: give --audit PATH too (--record none embeds nothing)")
    if out.private and out.record == "sidecar":
        raise RequestError("--private keeps any record away from the picture: leave out --record sidecar")
    if out.output != STDIO:
        return
    if sys.stdout.isatty():
        raise RequestError("standard output is a terminal, which can't show a picture: give -o a file name, or a pipe")
    if variations > 1:
        raise RequestError("standard output takes one picture: give -o a file name for --variations")
    if out.json:
        raise RequestError("--json and -o - both want standard output: give -o a file name")
    if out.audit is not None:
        raise RequestError("an audit log needs a file to tell of: give -o a file name")
    if out.record == "sidecar":
        raise RequestError("a picture on standard output has no place for a sidecar: use --record embed or none")


def plans(picture: Picture, intent: str, out: Out, variations: int = 1) -> list[Plan]:
    """One plan for each variation. Raises RequestError or OutputError for names and formats that can't be meant."""
    path, format = _target(picture, intent, out)
    compare, layers = _companion(out.compare, "--compare"), _layers(out)
    return [_plan(path, format, compare, layers, out, index, variations) for index in range(1, variations + 1)]


def sheet_path(plans: Sequence[Plan], out: Out) -> Path | None:
    """Where the contact sheet of several variations goes; None where there is to be none. It is a PNG or a JPEG."""
    first = plans[0].path
    if len(plans) < 2 or out.sheet is False or first is None:
        return None
    ending = first.suffix if plans[0].format == "jpeg" else ".png"
    return first.with_name(f"{first.stem.removesuffix('-1')}-sheet{ending}")


def _plan(
    path: Path | None, format: str, compare: Path | None, layers: Path | None, out: Out, index: int, count: int
) -> Plan:
    from overpaint.record import sidecar_path

    own = _numbered(path, index, count)
    return Plan(
        own,
        format,
        _numbered(compare, index, count),
        _numbered(layers, index, count),
        sidecar_path(own) if own is not None and out.record == "sidecar" else None,
    )


def _numbered(path: Path | None, index: int, count: int) -> Path | None:
    return path if path is None or count == 1 else path.with_name(f"{path.stem}-{index}{path.suffix}")


def _target(picture: Picture, intent: str, out: Out) -> tuple[Path | None, str]:
    from overpaint.picture import format_named

    format = None if out.format is None else format_named(out.format)
    if out.output == STDIO:
        return None, format or own_format(picture)
    if out.output is not None:
        return Path(out.output), format or format_of(Path(out.output), "--output")
    if picture.source.path is None:
        raise RequestError("the picture comes from standard input: say where the result goes with -o")
    format = format or own_format(picture)
    return beside(picture.source.path, intent, format), format


def own_format(picture: Picture) -> str:
    """The picture's own format where it can be written, PNG otherwise."""
    from overpaint.picture import formats

    own = picture.source.format
    return own if own is not None and own in formats() and own != "heif" else "png"


def beside(source: Path, intent: str, format: str) -> Path:
    """NAME.INTENT.EXT next to the picture, with its own ending where that is one of the format's."""
    from overpaint.picture import extension_of, format_of_path

    ending = extension_of(format)
    with contextlib.suppress(OutputError):
        if format_of_path(source) == format:
            ending = source.suffix
    return source.with_name(f"{source.stem}.{intent}{ending}")


def format_of(path: Path, option: str) -> str:
    """The format that the name asks for. Raises OutputError when the ending says nothing."""
    from overpaint.picture import format_of_path

    try:
        return format_of_path(path)
    except OutputError as error:
        raise OutputError(f"{option}: {error}") from None


def _companion(name: str | None, option: str) -> Path | None:
    if name is None:
        return None
    if name == STDIO:
        raise RequestError(f"{option} needs a file name: standard output is for the result")
    format_of(Path(name), option)
    return Path(name)


def _layers(out: Out) -> Path | None:
    if out.layers is None:
        return None
    if Path(out.layers).suffix.lower() != ".psd":
        raise OutputError(f"--layers {out.layers}: the name must end in .psd")
    return Path(out.layers)


def check_kind(picture: Picture, format: str, quality: int | None) -> None:
    """Find out on a corner of the picture whether the format can hold its kind. Raises OutputError."""
    from overpaint.picture import Picture, encode

    alpha = None if picture.alpha is None else picture.alpha[:8, :8]
    encode(Picture(picture.samples[:8, :8], alpha, picture.colour), format, quality=quality)


def check(paths: Iterable[Path], *, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Find out before any work whether every file can be written. Raises OutputError; leaves no trace."""
    read = frozenset(path.resolve() for path in inputs)
    seen: set[Path] = set()
    for path in paths:
        resolved = path.resolve()
        if resolved in seen:
            raise OutputError(f"two results would go to the same file: {path}")
        if resolved in read and not overwrite:
            raise OutputError(f"{path} is what is read: choose another name, or give --overwrite")
        seen.add(resolved)
        _check_one(path, overwrite)


def _check_one(path: Path, overwrite: bool) -> None:
    from overpaint.files import check_writable

    check_writable(path, overwrite=overwrite)
    try:
        # permission bits alone say little about administrators, quotas and read-only mounts
        with contextlib.closing(tempfile.TemporaryFile(dir=path.parent)):
            pass
    except OSError as error:
        raise OutputError(f"can't write {path}: {path.parent} takes no new files ({error.strerror})") from None
