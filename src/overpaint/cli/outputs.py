"""Where results of the command line go: its names, and the checks of its options."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from overpaint.doors.names import check_placeholders, filled, has_placeholder, without_controls
from overpaint.doors.outputs import Target, check_marking
from overpaint.errors import OutputError, RequestError, concerning

from .audited import check_audited
from .signing import check_signing, seal_of
from .streams import STDIO

if TYPE_CHECKING:
    from overpaint.picture import Picture
    from overpaint.record import Marking

    from .batch_options import Results
    from .options import Out

PLACEHOLDERS = ("name", "intent", "ext")


def check_options(out: Out, variations: int, pictures: int) -> None:
    """Raise RequestError for options that don't go together, before anything is read."""
    check_least("variations", variations, 1)
    check_quality(out.quality)
    check_audited(out.audited)
    check_marks(out)
    if out.private and out.record == "sidecar":
        message = "--private keeps any record away from the picture: leave out --record sidecar"
        raise RequestError(message, field="record", value=out.record)
    for field, name in (("output", out.output), ("compare", out.compare), ("layers", out.layers)):
        if name is not None:
            with concerning(field):
                check_placeholders(name, PLACEHOLDERS)
        if pictures > 1:
            _check_several(field, name)
    if out.sheet and variations == 1:
        message = "--sheet shows variations side by side, and there is one: give --variations N too"
        raise RequestError(message, field="sheet", value=True)
    if out.output != STDIO:
        return
    if sys.stdout.isatty():
        message = "standard output is a terminal, which can't show a picture: give -o a file name, or a pipe"
        raise RequestError(message, field="output")
    if variations > 1 or pictures > 1:
        raise RequestError("standard output takes one picture: give -o a file name for several", field="output")
    if out.json:
        raise RequestError("--json and -o - both want standard output: give -o a file name", field="output")
    if out.audited.audit is not None:
        raise RequestError("an audit log needs a file: give -o a file name", field="output")
    if out.record == "sidecar":
        message = "a picture on standard output has no place for a sidecar: use --record embed or none"
        raise RequestError(message, field="record", value=out.record)


def check_least(field: str, value: float | None, least: float) -> None:
    """Raise RequestError for a value of an option that is too small."""
    if value is not None and value < least:
        raise RequestError(f"{{field}} must be at least {least}, not {value}", field=field, value=value)


def check_quality(quality: int | None) -> None:
    """Raise RequestError for a quality that is none."""
    if quality is not None and not 1 <= quality <= 100:
        raise RequestError(f"{{field}} must be between 1 and 100, not {quality}", field="quality", value=quality)


def marking_of(options: Out | Results) -> Marking:
    """How a file is marked, by the options that say so."""
    from overpaint.record import Marking, WatermarkChoice

    payload = (options.watermark_payload or "").encode()
    chosen = options.watermark
    watermark = None if chosen is None else WatermarkChoice(chosen, options.watermark_area, payload)
    seal = seal_of(options.signing)
    return Marking(mode=options.provenance, private=options.private, watermark=watermark, seal=seal)


def check_marks(options: Out | Results) -> None:
    """Raise RequestError where the prompt is to be told and kept secret, or options belong to no watermark."""
    if options.private and options.provenance == "prompt":
        message = "--private keeps the prompt away from the picture: leave out --provenance prompt"
        raise RequestError(message, field="provenance", value=options.provenance)
    for field, given in (
        ("watermark_area", options.watermark_area != "patch"),
        ("watermark_payload", options.watermark_payload is not None),
    ):
        if given and options.watermark is None:
            raise RequestError("{field} is about a watermark: give --watermark NAME too", field=field)
    if options.watermark is not None:
        check_marking(marking_of(options))
    check_signing(options.signing)


def target(picture: Picture, intent: str, out: Out, *, alpha: bool = False) -> Target:
    """Where a picture's result and its companions go; `alpha`: whether the edit makes a part of it transparent.

    Raises:
        RequestError, OutputError: A name or a format can't be used.
    """
    from overpaint.picture import extension_for, format_of_result

    source = picture.source.path or Path("picture")
    own = picture.source.format
    if picture.source.path is None and out.output is None:
        raise RequestError("the picture comes from standard input: say where the result goes with -o", field="output")
    format = format_of_result(own, out.format, alpha=alpha)
    values = {"name": source.stem, "intent": intent, "ext": extension_for(format, source)}
    path = compare = layers = None
    if out.output is None or is_folder(out.output):
        folder = source.parent if out.output is None else Path(out.output)
        path = folder / without_controls(f"{source.stem}.{intent}{values['ext']}")
    elif out.output != STDIO:
        path = _named(out.output, values, "output")
        format = _format_of(path, "output", out.format)
    if out.compare is not None:
        compare = _named(out.compare, values, "compare")
        _format_of(compare, "compare")
    if out.layers is not None:
        layers = _named(out.layers, values, "layers")
        if layers.suffix.lower() != ".psd":
            raise OutputError(f"--layers {layers}: the name must end in .psd", field="layers", value=str(layers))
    return Target(path, format, compare, layers, sidecar=out.record == "sidecar")


def is_folder(name: str | None) -> bool:
    """Whether -o names a folder: one that is there, a name that ends in a slash, or a new one without extension."""
    if name is None or name == STDIO or "{" in name:
        return False
    path = Path(name)
    return path.is_dir() or name.endswith(("/", "\\")) or not (path.suffix or path.exists())


def _named(name: str, values: dict[str, str], field: str) -> Path:
    """A name from an option, its placeholders filled."""
    if name == STDIO:
        raise RequestError(f"--{field} needs a file name: standard output is for the result", field=field)
    return Path(filled(name, values))


def _check_several(field: str, name: str | None) -> None:
    """Raise RequestError where a name is one file, and several pictures have results."""
    if name is None or name == STDIO or has_placeholder(name, "name") or (field == "output" and is_folder(name)):
        return
    raise RequestError(
        f"{{field}} {name} is one file, and there are several pictures",
        code="output-single",
        field=field,
        value=name,
        hint="name a folder, or write {name} in it" if field == "output" else "write {name} in it",
    )


def _format_of(path: Path, field: str, wanted: str | None = None) -> str:
    from overpaint.errors import UnknownFormatError
    from overpaint.picture import format_for_path

    try:
        if wanted is not None:
            return format_for_path(path, wanted)
        with concerning(field):
            return format_for_path(path, None)
    except UnknownFormatError as error:
        raise error.within(f"--{field}") from None
