"""Masks on their way out: the checks before, the file, and what is said of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overpaint.errors import OutputError

from . import outputs
from .values import STDIO, shown

if TYPE_CHECKING:
    from overpaint.mask import Mask

_LOSSY = ("jpeg", "heif")
"""Formats that blur a mask's edge."""


def check_output(output: str, overwrite: bool, inputs: tuple[str, ...] = ()) -> None:
    """Find out before any work whether a mask can be written there. Raises OutputError."""
    if output == STDIO:
        return
    if outputs.format_of(Path(output), "--output") in _LOSSY:
        raise OutputError(f"--output {output}: this format would blur the mask's edge; use .png, .tif or .webp")
    read = [Path(name) for name in inputs if name != STDIO]
    outputs.check([Path(output)], overwrite=overwrite, inputs=read)


def write(mask: Mask, output: str, overwrite: bool, *, as_json: bool, quiet: bool) -> int:
    """Write a mask as a grey picture and say in a line what it marks."""
    from overpaint.files import write_file
    from overpaint.picture import encode

    format = "png" if output == STDIO else outputs.format_of(Path(output), "--output")
    data = encode(mask.to_picture(), format).data
    if output == STDIO:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return 0
    write_file(Path(output), data, overwrite=overwrite)
    tell(mask, output, as_json=as_json, quiet=quiet)
    return 0


def tell(mask: Mask, output: str, *, as_json: bool, quiet: bool, **more: Any) -> None:
    """Say what a mask marks: a line for people, or an object for programs."""
    import json

    parts = len(mask.components())
    if as_json:
        told = {
            "output": shown(output),
            "size": list(mask.size),
            "bounds": None if mask.is_empty else list(mask.bounds),
            "area": round(mask.area, 3),
            "fraction": round(mask.fraction, 6),
            "parts": parts,
            "hard": mask.hard,
            **more,
        }
        print(json.dumps(told, ensure_ascii=False))
    elif not quiet:
        marked = "nothing marked" if mask.is_empty else f"{mask.fraction:.1%} marked within {mask.bounds}"
        pieces = f"{parts} part" if parts == 1 else f"{parts} parts"
        print(f"{shown(output)}: {mask.size}, {marked}, {pieces}{'' if mask.hard else ', soft edge'}")
