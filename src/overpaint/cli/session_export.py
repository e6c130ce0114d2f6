"""`overpaint session export`: the present picture of a session as files."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from overpaint.doors.outputs import check_format, check_marking, check_result_size, check_writable_all
from overpaint.errors import RequestError, concerning
from overpaint.files import exists_already

from . import outputs, report
from .edit import save
from .messages import note_line
from .options import (
    AUDITED_UNSET,
    OUT,
    PRINTED_UNSET,
    SIGNING_UNSET,
    Audited,
    Out,
    Overwrite,
    Printed,
    Provenance,
    Quality,
    RecordPlace,
    Signing,
    WatermarkName,
    WatermarkPlace,
    WatermarkText,
)
from .session_shown import SessionPath, opened_session
from .streams import STDIO
from .texts import counted, print_json


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
    """Write the present picture as a file, with the record of its edits.

    [dim]$[/] overpaint session export photo.overpaint -o clean.jpg
    [dim]$[/] overpaint session export photo.overpaint -o clean.png --layers clean.psd

    Args:
        output: The picture; - writes it to standard output. Left out: NAME.edited.EXT beside the session.
        format: png, jpeg, webp, tiff or avif. Left out: by the name of OUT, else as the original.
        compare: Also before, mask and after side by side.
        layers: Also a layered file: the original, and each step with its mask.
        record: How the picture was made: within the file, beside it, or nowhere.
    """
    out = Out(
        output=output, overwrite=overwrite, format=format, quality=quality, compare=compare, layers=layers,
        record=record, provenance=provenance, watermark=watermark, watermark_area=watermark_area,
        watermark_payload=watermark_payload, signing=signing, audited=audited, json=printed.json, quiet=printed.quiet,
        debug=printed.debug,
    )  # fmt: skip
    outputs.check_options(out, 1, 1)
    if audited.private:
        out = replace(out, record="none")
    with opened_session(session, read_only=True, audited=audited) as found:
        from overpaint.audit import SessionAudit
        from overpaint.studio.layers import encode_layers

        picture = found.picture
        if picture.source.path is None and output is None:
            raise RequestError("the original has no name to follow: say where the result goes with -o", field="output")
        target = outputs.target(picture, "edited", out, alpha=picture.alpha is not None)
        check_format(picture, target.format, quality)
        check_marking(outputs.marking_of(out), picture.colour)
        check_result_size(target, picture.size)
        whole = Path(session).resolve()
        for field, path in target.files:
            if whole == path.resolve() or whole in path.resolve().parents:
                with concerning(field):
                    raise exists_already(path, "is the session itself, which would be lost")
        check_writable_all(target.files, overwrite=overwrite)
        finished = found.flatten()
        saved, extras = save(
            finished, target, out, compare=finished.comparison, layers=lambda: encode_layers(found.layered())
        )
        if isinstance(found.recorder, SessionAudit):
            found.recorder.exported(found, finished, saved)
        steps = [step for step in found.steps if step.visible]
        if printed.json:
            table = {
                "session": session,
                "output": str(saved.path),
                "format": saved.format,
                "sidecar": None if saved.sidecar is None else str(saved.sidecar),
                **{name: str(path) for name, path in extras.items()},
                "size": list(picture.size),
                "reach": saved.reach,
                "fidelity": saved.fidelity,
                "changed_beyond_reach": saved.changed,
                "largest_change_beyond_reach": saved.largest,
                "sha256": saved.sha256,
                "bytes": saved.size,
                "marks": saved.marks.to_mapping(),
                "notes": list(saved.notes),
            }
            print_json(table)
        elif not printed.quiet:
            stream = sys.stderr if output == STDIO else sys.stdout
            name = "standard output" if output == STDIO else str(saved.path)
            rest = report.rest(saved, picture.source.format == saved.format)
            print(f"{name}: {counted(len(steps), 'step')} of {session}; {rest}", file=stream)
            for note in saved.notes:
                print(note_line(note), file=sys.stderr)
    return 0
