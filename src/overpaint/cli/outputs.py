"""Where results of the command line go: its names, and the checks of its options."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from overpaint.doors.names import check_placeholders, filled, has_placeholder, without_controls
from overpaint.doors.outputs import Target, check_marking
from overpaint.errors import FormatError, RequestError, concerning

from .audited import check_audited
from .result_options import Out
from .signing import check_signing, seal_of
from .streams import STDIO

if TYPE_CHECKING:
    from overpaint.picture import Picture
    from overpaint.record import Marking

    from .batch_options import Results
    from .result_options import ResultOut

PLACEHOLDERS = ("name", "intent", "ext")


def check_options(out: ResultOut, variations: int, pictures: int) -> None:
    """Raise RequestError for options that don't go together, before anything is read."""
    check_least("variations", variations, 1)
    check_quality(out.quality)
    check_audited(out.audited)
    check_marks(out)
    if out.private and out.record == "sidecar":
        message = "--private keeps any record away from the picture: leave out --record sidecar"
        raise RequestError(message, field="record", value=out.record)
    for field, name in {"output": out.output, **out.companions}.items():
        if name is not None:
            with concerning(field):
                check_placeholders(name, PLACEHOLDERS)
        if pictures > 1:
            _check_several(field, name)
    if isinstance(out, Out) and out.sheet and variations == 1:
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


def marking_of(options: ResultOut | Results) -> Marking:
    """How a file is marked, by the options that say so."""
    from overpaint.record import Marking, WatermarkChoice

    payload = (options.watermark_payload or "").encode()
    chosen = options.watermark
    watermark = None if chosen is None else WatermarkChoice(chosen, options.watermark_area, payload)
    seal = seal_of(options.signing)
    return Marking(mode=options.provenance, private=options.private, watermark=watermark, seal=seal)


def check_marks(options: ResultOut | Results) -> None:
    """Raise RequestError where a private edit would publish its prompt, or options belong to no watermark."""
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


def target(picture: Picture, intent: str, out: ResultOut, *, alpha: bool = False) -> Target:
    """Where a picture's result and its companions go; `alpha`: whether the edit makes a part of it transparent.

    Raises:
        RequestError, OutputError: A name or a format can't be used.
    """
    from overpaint.picture import extension_for, format_of_result

    source = _source(picture, out)
    format = format_of_result(picture.source.format, out.format, alpha=alpha)
    values = {"name": source.stem, "intent": intent, "ext": extension_for(format, source)}
    path = _place(source, values, out)
    if path is not None and out.output is not None and not is_folder(out.output):
        format = _format_of(path, "output", out.format)
    return _with_companions(path, format, values, out)


def layered_target(picture: Picture, intent: str, out: Out, format: str) -> Target:
    """Where a picture's layered file, which is its result, and the companions go; see `layered_result`.

    Raises:
        RequestError, OutputError: A name can't be used, or the file can't hold the picture.
    """
    from overpaint.layers import check_layered

    source = _source(picture, out)
    values = {"name": source.stem, "intent": intent, "ext": f".{format}"}
    with concerning("output"):
        check_layered(format, picture.size, picture.colour)
    return _with_companions(_place(source, values, out), format, values, out)


def layered_result(out: Out) -> str | None:
    """The format of a result that is a layered file: "psd", "psb" or "ora"; None for a flat one.

    Raises:
        FormatError: The format is another one than the name says.
    """
    from overpaint.layers import LAYERED_EXTENSIONS

    suffix = "" if out.output in (None, STDIO) or is_folder(out.output) else Path(out.output or "").suffix.lower()
    wanted = f".{out.format.lower().lstrip('.')}" if out.format else ""
    found = next((one for one in (wanted, suffix) if one in LAYERED_EXTENSIONS), None)
    if found is None:
        return None
    if wanted and suffix and wanted != suffix:
        message = f"{{field}} {out.format}: the name {Path(out.output or '').name} says {suffix[1:]}"
        hint = "leave one of them out, or let them agree"
        raise FormatError(message, field="format", value=out.format, hint=hint)
    if out.quality is not None:
        message = f"{{field}} {out.quality} is for formats that lose, and a layered file is always exact"
        raise FormatError(message, code="quality-unused", field="quality", value=out.quality, hint="leave it out")
    for field, given in (("watermark", out.watermark), ("c2pa_cert", out.signing.c2pa_cert)):
        if given is not None:
            message = "{field} is for flat pictures: layers get no watermark, and their files are not signed"
            raise RequestError(message, field=field, value=given, hint="leave it out, or export a flat picture")
    return found[1:]


def _source(picture: Picture, out: ResultOut) -> Path:
    """The name that results follow."""
    if picture.source.path is None and out.output is None:
        raise RequestError("the picture comes from standard input: say where the result goes with -o", field="output")
    return picture.source.path or Path("picture")


def _place(source: Path, values: dict[str, str], out: ResultOut) -> Path | None:
    """Where the result goes; None: to standard output."""
    if out.output is None or is_folder(out.output):
        folder = source.parent if out.output is None else Path(out.output)
        return folder / without_controls(f"{source.stem}.{values['intent']}{values['ext']}")
    return None if out.output == STDIO else _named(out.output, values, "output")


def _with_companions(path: Path | None, format: str, values: dict[str, str], out: ResultOut) -> Target:
    from overpaint.layers import layered_format

    beside = {field: _named(name, values, field) for field, name in out.companions.items() if name is not None}
    if "compare" in beside:
        _format_of(beside["compare"], "compare")
    if "layers" in beside:
        layered_format(beside["layers"])
    return Target(path, format, **beside, sidecar=out.record == "sidecar")


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
