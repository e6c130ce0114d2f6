"""`overpaint session export`: the present picture of a session as files."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from overpaint.doors.outputs import Target, check_format, check_marking, check_result_size, check_writable_all
from overpaint.errors import OutputError, RequestError, concerning
from overpaint.files import write_file

from . import outputs, report
from .edit import companions, save
from .messages import note_line
from .options import OUT, PRINTED_UNSET, Overwrite, Printed, Quality
from .result_options import (
    AUDITED_UNSET,
    SIGNING_UNSET,
    Audited,
    Out,
    Provenance,
    RecordPlace,
    Signing,
    WatermarkName,
    WatermarkPlace,
    WatermarkText,
)
from .session_shown import SessionPath, opened_session
from .streams import STDIO, write_bytes
from .texts import counted, print_json, visible

if TYPE_CHECKING:
    from overpaint.session import Session


def export(
    session: SessionPath,
    /,
    *,
    output: Annotated[str | None, Parameter(alias="-o", group=OUT, metavar="OUT")] = None,
    overwrite: Overwrite = False,
    format: Annotated[str | None, Parameter(group=OUT, metavar="NAME")] = None,
    quality: Quality = None,
    compare: Annotated[str | None, Parameter(group=OUT, metavar="OUT.png")] = None,
    layers: Annotated[str | None, Parameter(group=OUT, metavar="OUT.psd")] = None,
    record: Annotated[RecordPlace, Parameter(group=OUT)] = "embed",
    provenance: Provenance = "embed",
    watermark: WatermarkName = None,
    watermark_area: WatermarkPlace = "patch",
    watermark_payload: WatermarkText = None,
    signing: Signing = SIGNING_UNSET,
    audited: Audited = AUDITED_UNSET,
    printed: Printed = PRINTED_UNSET,
) -> int:
    """Write the present picture as a file with the record of its edits, or as layers.

    [dim]$[/] overpaint session export photo.overpaint -o clean.jpg
    [dim]$[/] overpaint session export photo.overpaint -o clean.psd
    [dim]$[/] overpaint session export photo.overpaint -o clean.png --layers clean.ora

    Args:
        output: The picture; - writes it to standard output. OUT.psd, OUT.psb or OUT.ora is a layered file: the
            original, and each step with its mask. Left out: NAME.edited.EXT beside the session.
        format: png, jpeg, webp, tiff, avif, psd, psb or ora. Left out: by the name of OUT, else as the original.
        compare: Also before, mask and after side by side.
        layers: Also a layered file (PSD, PSB or OpenRaster).
        record: How the picture was made: within the file, beside it, or nowhere.
    """
    out = Out(
        output=output, overwrite=overwrite, format=format, quality=quality, compare=compare, layers=layers,
        record=record, provenance=provenance, watermark=watermark, watermark_area=watermark_area,
        watermark_payload=watermark_payload, signing=signing, audited=audited, json=printed.json, quiet=printed.quiet,
        debug=printed.debug,
    )  # fmt: skip
    outputs.check_options(out, 1, 1)
    layered_as = outputs.layered_result(out)
    if layered_as is not None and audited.audit is not None:
        message = "{field} is about flat pictures: name one as the result, and the layered file with --layers"
        raise RequestError(message, field="audit", value=audited.audit)
    if audited.private:
        out = replace(out, record="none")
    _check_kept(session, out)
    with opened_session(session, read_only=True, audited=audited) as found:
        picture = found.picture
        if picture.source.path is None and output is None:
            raise RequestError("the original has no name to follow: say where the result goes with -o", field="output")
        if layered_as is None:
            target = outputs.target(picture, "edited", out, alpha=picture.alpha is not None)
            check_format(picture, target.format, quality)
            check_marking(outputs.marking_of(out), picture.colour)
            check_result_size(target, picture.size, picture.colour)
        else:
            target = outputs.layered_target(picture, "edited", out, layered_as)
        check_writable_all(target.files, overwrite=overwrite)
        table, line, count = (_flat if layered_as is None else _layered)(found, target, out)
        if printed.json:
            print_json({"session": session, **table})
        elif not printed.quiet:
            name = "standard output" if output == STDIO else str(target.path)
            steps = counted(count, "step")
            print(visible(f"{name}: {steps} of {session}; {line}"), file=sys.stderr if output == STDIO else sys.stdout)
            for note in table["notes"]:
                print(note_line(note), file=sys.stderr)
    return 0


def _check_kept(session: str, out: Out) -> None:
    """Raise OutputError where a file would be written over the session, or into its folder."""
    kept = Path(session)
    for field, name in (("output", out.output), ("compare", out.compare), ("layers", out.layers)):
        if name not in (None, STDIO) and (_is_same(Path(name), kept) or kept.resolve() in Path(name).resolve().parents):
            message = f"{{field}} {name} is the session itself, and an export does not replace it"
            hint = "choose another name"
            raise OutputError(message, code="output-session", field=field, value=name, hint=hint)


def _is_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, by a link too."""
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # one is not there
        return False


def _flat(found: Session, target: Target, out: Out) -> tuple[dict[str, Any], str, int]:
    """Write the flattened picture. Returns a report for programs, a line for people, and how many steps show."""
    from overpaint.audit import SessionAudit

    finished = found.flatten()
    if found.recorder is not None and not finished.edits:
        finished.record()  # which says that there is none
    layers = partial(found.layered, record=out.record, marking=outputs.marking_of(out))
    saved, extras = save(finished, target, out, compare=finished.comparison, layers=layers)
    if isinstance(found.recorder, SessionAudit):
        found.recorder.exported(found, finished, saved)
    table = {
        "output": str(saved.path),
        "format": saved.format,
        "sidecar": None if saved.sidecar is None else str(saved.sidecar),
        **{name: str(path) for name, path in extras.items()},
        "size": list(found.picture.size),
        "reach": saved.reach,
        "fidelity": saved.fidelity,
        "changed_beyond_reach": saved.changed,
        "largest_change_beyond_reach": saved.largest,
        "sha256": saved.sha256,
        "bytes": saved.size,
        "marks": saved.marks.to_mapping(),
        "notes": list(saved.notes),
    }
    if not finished.edits and saved.fidelity == "lossless":
        return table, "the original, every pixel unchanged", 0
    return table, report.rest(saved, found.picture.source.format == saved.format), len(finished.edits)


def _layered(found: Session, target: Target, out: Out) -> tuple[dict[str, Any], str, int]:
    """Write the layers as the result. Returns a report for programs, a line for people, and how many steps show."""
    from overpaint.files import digest_of_path
    from overpaint.layers import layers_notes, layers_of, prepare_layers
    from overpaint.record import sidecar_path

    layers = partial(found.layered, record=out.record, marking=outputs.marking_of(out))
    layered = layers()
    sidecar = sidecar_path(target.path) if target.sidecar and target.path is not None else None
    finished = found.flatten()
    sidecar = sidecar if finished.edits else None
    record = None if sidecar is None else finished.record()
    with companions(target, out, compare=finished.comparison, layers=layers) as publish:
        if target.path is None:
            data = layered.encode(target.format)
            write_bytes(data)
            size, digest = len(data), hashlib.sha256(data).hexdigest()
        else:
            with concerning("output"):
                prepare_layers(layered, target.path, overwrite=out.overwrite).publish()
            size, digest = target.path.stat().st_size, digest_of_path(target.path)
        if sidecar is not None and record is not None:
            write_file(sidecar, record.to_json().encode(), overwrite=out.overwrite)
        extras = publish()
    count = sum(1 for _ in layers_of(layered.layers))
    table = {
        "output": str(target.path or STDIO),
        "format": target.format,
        "sidecar": None if sidecar is None else str(sidecar),
        **{name: str(path) for name, path in extras.items()},
        "size": list(found.picture.size),
        "layer_count": count,
        "sha256": digest,
        "bytes": size,
        "notes": list(layers_notes(layered, target.format)),
    }
    return table, f"{counted(count, 'layer')} above the original", len(finished.edits)
