"""`overpaint provenance`: what a file says of its origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from overpaint.errors import OutputError, RequestError

from .messages import DONE, UNCOMPARED
from .options import PICTURE, AsJson, Debug, Input, MaxPixels, verb_group
from .provenance_verify import make_test_certificate, verify
from .streams import as_written, opened
from .texts import print_json, print_rows

if TYPE_CHECKING:
    from overpaint.picture import Picture
    from overpaint.record import FoundRecord, Record, StatedOrigin

_HOW = Group("How", sort_key=1)
_LONGEST = 300  # characters of a text that is printed; JSON has all

app = verb_group(
    "provenance",
    "What a picture says of its origin, to any program that reads it.",
    "provenance show photo.remove.jpg",
    "provenance verify photo.remove.jpg --anchor anchor.pem",
    "provenance detect photo.remove.png",
)

app.command(verify, sort_key=1)
app.command(make_test_certificate, sort_key=4)


@app.command(sort_key=0)
def show(
    picture: Input,
    /,
    *,
    max_pixels: Annotated[MaxPixels, Parameter(group=PICTURE)] = None,
    json: AsJson = False,
    debug: Debug = False,
) -> int:
    """What a file says: where its pixels came from (IPTC's source type in XMP), how it was made, what that means.

    Anyone can write and remove these statements. Only a signature can be verified: 'overpaint provenance verify'.

    [dim]$[/] overpaint provenance show photo.remove.jpg
    """
    from overpaint.record import read_record, stated_origin

    seen = opened(picture)
    stated, found = stated_origin(seen.metadata), read_record(seen)
    if json:
        print_json(_mapping(picture, seen, stated, found))
    else:
        print_rows(_lines(picture, seen, stated, found))
    return 0


@app.command(sort_key=2)
def detect(
    picture: Input,
    /,
    *,
    watermark: Annotated[
        str | None, Parameter(group=_HOW, metavar="NAME", show_default="all that are installed")
    ] = None,
    max_pixels: Annotated[MaxPixels, Parameter(group=PICTURE)] = None,
    json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Look for imperceptible marks in the pixels. Exit status 0 when one is found, 3 when none is: no proof.

    [dim]$[/] overpaint provenance detect photo.remove.png

    Args:
        watermark: Look for this one alone.
    """
    from overpaint.record import watermark_names

    names = watermark_names() if watermark is None else (watermark,)
    if not names:
        raise RequestError(
            "no watermark is installed to look for, and none comes with Overpaint",
            code="watermark-unknown",
            hint="docs/provenance.md says how a package brings one",
        )
    seen = opened(picture)
    results = [_detected(seen, name) for name in names]
    if json:
        print_json({"file": as_written(picture), "watermarks": results})
    else:
        print_rows([("file", as_written(picture)), *((one["name"], _result(one)) for one in results)])
    return DONE if any(one["found"] for one in results) else UNCOMPARED


def _detected(picture: Picture, name: str) -> dict[str, Any]:
    """What the detector of one watermark says; a detector that fails does not keep the others from looking."""
    from overpaint.record import found_watermark

    try:
        found = found_watermark(picture, name)
    except OutputError as error:
        return {"name": name, "found": False, "payload": None, "confidence": None, "error": str(error)}
    return {
        "name": name,
        "found": found is not None,
        "payload": None if found is None else found.payload.hex(),
        "confidence": None if found is None else round(found.confidence, 4),
        "error": None,
    }


def _result(one: dict[str, Any]) -> str:
    if one["error"]:
        return str(one["error"])
    if not one["found"]:
        return "not found, which proves nothing: marks get lost when a picture is resized or compressed"
    payload = bytes.fromhex(one["payload"])
    text = payload.decode("utf-8", "replace")
    holds = f"; it holds {text if text.isprintable() else one['payload']}" if payload else ""
    return f"found, confidence {one['confidence']:.2f}{holds}"


def _mapping(name: str, picture: Picture, stated: StatedOrigin, found: FoundRecord | None) -> dict[str, Any]:
    made = None if found is None else found.record
    return {
        "file": as_written(name),
        "source_type": None if stated.source_type is None else str(stated.source_type),
        "meaning": None if stated.term is None else stated.term.meaning,
        "generative": None if stated.term is None else stated.term.generative,
        "original_source_type": stated.original_type or None,
        "ai_system": stated.system or None,
        "ai_system_version": stated.version or None,
        "ai_prompt": stated.prompt or None,
        "made_by": None if found is None else found.tool,
        "record_place": None if found is None else found.place,
        "edits": [_edit(one) for one in _edits(made)],
        "marks": None if made is None or made.marks is None else made.marks.to_mapping(),
        "c2pa": {"in_words": (manifest := _manifest(picture))[0], "manifest": manifest[1]},
        "in_words": _in_words(picture, stated),
    }


def _edit(record: Record) -> dict[str, Any]:
    from overpaint.record import type_of_record

    return {
        "intent": record.request.intent,
        "engine": record.resolved.engine,
        "source_type": type_of_record(record).value,
        "boxes": [list(one.box) for one in record.regions],
    }


def _edits(record: Record | None) -> tuple[Record, ...]:
    return () if record is None else record.edits


def _manifest(picture: Picture) -> tuple[str, dict[str, Any] | None]:
    """The C2PA manifest in words, and as plain values where it can be read."""
    from overpaint.errors import MissingExtraError
    from overpaint.picture.c2pa_store import holds_manifest

    data, format = picture.source.data, picture.source.format
    if data is None or not holds_manifest(data, format):
        return "no manifest in the file", None
    try:
        from overpaint.record.c2pa import read_manifest

        report = read_manifest(data, format)
    except MissingExtraError as error:
        return f"a manifest, which can't be read here: {error}", None
    if report is None:
        return "a manifest, which can't be read", None
    terms = dict.fromkeys(one.source_type for one in report.actions if one.source_type)
    said = f"; its actions: {', '.join(terms)}" if terms else ""
    return f"{report.summary}{said} ('overpaint provenance verify' says more)", report.to_mapping()


def _lines(name: str, picture: Picture, stated: StatedOrigin, found: FoundRecord | None) -> list[tuple[str, str]]:
    term = stated.term
    meaning = "" if term is None else f" ({term.meaning})"
    lines = [
        ("file", as_written(name)),
        ("source type", f"{stated.source_type}{meaning}" if stated.source_type else "none in XMP"),
    ]
    texts = (
        ("original said", stated.original_type),
        ("AI system", stated.system),
        ("version", stated.version),
        *(("AI prompt", one) for one in stated.prompt.splitlines()),
    )
    lines += [(name, text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...") for name, text in texts if text]
    lines.append(("record", "none" if found is None else f"{found.tool} ({found.place})"))
    made = None if found is None else found.record
    for one in _edits(made):
        edit = _edit(one)
        boxes = " ".join(",".join(map(str, box)) for box in edit["boxes"])
        lines.append(("edit", f"{edit['intent']} with {edit['engine']}: {edit['source_type']}; in {boxes}"))
    marks = None if made is None else made.marks
    if marks is not None and marks.watermark is not None:
        where = "the whole picture" if marks.watermark.area == "whole" else "the edited part"
        lines.append(("watermark", f"{marks.watermark.name} in {where}, by the record ('overpaint provenance detect')"))
    if marks is not None and marks.provenance == "none":
        lines.append(("provenance", "was switched off when the file was written"))
    lines.append(("C2PA", _manifest(picture)[0]))
    return [*lines, ("in words", _in_words(picture, stated))]


def _in_words(picture: Picture, stated: StatedOrigin) -> str:
    """What the statements mean, without a claim that they are true."""
    from overpaint.record import generator_of, said_types

    if stated.term is not None and stated.term.generative:
        return "the file says that generative AI made it or a part of it"
    if stated.system or stated.version or stated.prompt:
        return "its XMP names an AI system or a prompt for one, but has no source type of generative AI"
    if (tool := generator_of(picture.metadata)) is not None:
        return f"it has generation parameters of {tool}, which paints with generative AI; XMP does not say so"
    if any(one.generative for one in said_types(picture)):
        return "the file says in its record or manifest that generative AI made it or a part of it; its XMP does not"
    if stated.source_type is None:
        return "the file does not say where its pixels came from; that is no proof of anything"
    return "the file says that no generative AI took part, or does not speak of any; that is no proof"
