"""Writing masks: the checks before, the file, and its description."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from overpaint.doors.outputs import check_writable_all
from overpaint.errors import OutputError

from .options import Written
from .streams import STDIO, as_written, paths, write_output
from .texts import print_json, print_line

if TYPE_CHECKING:
    from overpaint.mask import Mask

_LOSSY = ("jpeg", "heif")
"""Formats that blur a mask's edge."""


def check_output(output: str, overwrite: bool, inputs: tuple[str, ...] = ()) -> None:
    """Find out before any work whether a mask can be written there. Raises OutputError."""
    if output == STDIO:
        return
    from overpaint.picture import format_of_path

    if format_of_path(output) in _LOSSY:
        raise OutputError(
            f"{{field}} {output}: this format would blur the mask's edge; use .png, .tif or .webp",
            code="mask-format",
            field="output",
            value=output,
        )
    check_writable_all([("output", Path(output))], overwrite=overwrite, inputs=paths(inputs))


def write(mask: Mask, output: str, written: Written) -> int:
    """Write a mask as a grey picture, and print what it marks."""
    from overpaint.picture import encode, format_of_path

    format = "png" if output == STDIO else format_of_path(output)
    write_output(output, encode(mask.to_picture(), format).data, overwrite=written.overwrite)
    describe(mask, output, written)
    return 0


def describe(mask: Mask, output: str, written: Written, **more: Any) -> None:
    """Print what a mask marks, unless it is on standard output: a line for people, or an object for programs."""
    if output == STDIO:
        return
    parts = len(mask.components())
    if written.json:
        table = {
            "output": as_written(output),
            "size": list(mask.size),
            "bounds": None if mask.is_empty else list(mask.bounds),
            "area": round(mask.area, 3),
            "fraction": round(mask.fraction, 6),
            "parts": parts,
            "hard": mask.hard,
            "notes": list(mask.notes),
            **more,
        }
        print_json(table, one_line=True)
    elif not written.quiet:
        marked = "nothing marked" if mask.is_empty else f"{mask.fraction:.1%} marked within {mask.bounds}"
        pieces = f"{parts} part" if parts == 1 else f"{parts} parts"
        print_line(f"{as_written(output)}: {mask.size}, {marked}, {pieces}{'' if mask.hard else ', soft edge'}")
        for note in mask.notes:
            print_line(f"note: {note}", error=True)
