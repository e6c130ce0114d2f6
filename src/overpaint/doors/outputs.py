"""Where results and their companions go, and the checks that come before any work, so that no work is lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from overpaint.errors import OutputError, concerning
from overpaint.files import check_folder, check_writable, exists_already
from overpaint.geometry import Size

from .names import numbered

if TYPE_CHECKING:
    from overpaint.picture import Colour, Picture
    from overpaint.record import Marking


OutputFile: TypeAlias = tuple[str, Path]
"""A file that will be written, after the field that names it or that it follows from."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where one result and its companions go.

    Attributes:
        path: The picture; None where it is no file.
        format: Its format.
        compare: The picture of before, mask and after.
        layers: The layered file.
        sidecar: Whether the record has a file of its own.
    """

    path: Path | None
    format: str
    compare: Path | None = None
    layers: Path | None = None
    sidecar: bool = False

    @property
    def files(self) -> tuple[OutputFile, ...]:
        """Every file that will be written."""
        from overpaint.record import sidecar_path

        sidecar = sidecar_path(self.path) if self.sidecar and self.path is not None else None
        named = (("output", self.path), ("compare", self.compare), ("layers", self.layers), ("output", sidecar))
        return tuple((field, path) for field, path in named if path is not None)

    def variations(self, count: int) -> Iterator[Target]:
        """One target for each of `count` variations, with NAME-1, NAME-2, ..."""
        named = {"path": self.path, "compare": self.compare, "layers": self.layers}
        files: dict[str, Any] = {name: path for name, path in named.items() if path is not None}
        for index in range(1, count + 1):
            yield replace(self, **{name: numbered(path, index, count) for name, path in files.items()})

    @property
    def sheet(self) -> Path | None:
        """The contact sheet of several variations, a PNG or a JPEG."""
        if self.path is None:
            return None
        return self.path.with_name(f"{self.path.stem}-sheet{self.path.suffix if self.format == 'jpeg' else '.png'}")


def check_format(picture: Picture, format: str, quality: int | None, *, alpha: bool = False) -> None:
    """Find out on a corner of the picture whether the format can hold its kind. Raises OutputError.

    Args:
        picture: The picture.
        format: The result's format.
        quality: The quality that is asked for.
        alpha: Whether the edit makes a part of the picture transparent.
    """
    from overpaint.picture import Picture, encode

    corner = picture.samples[:8, :8]
    shown = None if picture.alpha is None else picture.alpha[:8, :8]
    if shown is None and alpha:
        shown = corner.reshape(*corner.shape[:2], -1)[..., 0]  # any values
    encode(Picture(corner, shown, picture.colour), format, quality=quality)


def check_marking(marking: Marking, colour: Colour | None = None) -> None:
    """Find out whether the watermark can be made, in a picture of this colour. Raises RequestError, OutputError."""
    if marking.watermark is not None:
        marking.watermark.check(colour)


def check_result_size(target: Target, size: Size, colour: Colour) -> None:
    """Raise OutputError where a result of this size is too large for its format, or a layered file can't hold it."""
    from overpaint.layers import check_layered, layered_format
    from overpaint.picture import check_size

    check_size(size, target.format)
    if target.layers is not None:
        check_layered(layered_format(target.layers), size, colour)


def check_writable_all(
    files: Iterable[OutputFile], *, overwrite: bool, inputs: Iterable[Path] = (), taken: set[Path] | None = None
) -> None:
    """Find out before any work whether every file can be written; leaves no trace.

    Args:
        files: The files.
        overwrite: Whether files that exist may be replaced.
        inputs: Files that are read, and would be lost.
        taken: Files that other results go to; `files` are added to them.

    Raises:
        OutputError: One can't be written, exists already, is an input, or is named twice; its field is the file's.
    """
    read = frozenset(path.resolve() for path in inputs)
    taken = set() if taken is None else taken
    for field, path in files:
        resolved = path.resolve()
        with concerning(field):
            if resolved in taken:
                message = f"two results would go to the same file: {path}"
                raise OutputError(message, code="output-twice", value=str(path))
            if resolved in read and not overwrite:
                raise exists_already(path, "is an input, which would be replaced")
            taken.add(resolved)
            check_writable(path, overwrite=overwrite)
            check_folder(path.parent)
