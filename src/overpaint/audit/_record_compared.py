"""A record of a session's edit beside what came out when it was painted once more: where it says something else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from overpaint.picture import Picture
from overpaint.record import (
    Marking,
    MarksRecord,
    Record,
    RegionRecord,
    declared_type,
    provenance_of,
    version,
    with_statement,
)
from overpaint.request import PRIVATE_SETTINGS, ResolvedRequest, raster_tables
from overpaint.session import PaintedAgain
from overpaint.studio import FinishedPicture

from ._record import AuditRecord

_LONGEST = 60  # characters of a value in a message
_QUALITY = 0.01  # measures of quality that are this close count as equal: libraries sum in other orders
_FIELDS = (
    "size",
    "reach",
    "input_sha256",
    "input_name",
    "input_size",
    "mask_sha256",
    "pixels_sha256",
    "source_type",
    "painted_from",
    "quality",
    "marks",
    "earlier",
)
_OF_FILE = frozenset({"marks", "quality", "reach", "painted_from"})
"""What a record says of the file that has it, and what older versions did not record."""
_BESIDE = frozenset({"timings", "signer", "manifest_sha256"})
"""What the record within a file does not have: timings never, of a signed file what its signing gave."""
_PRIVATE = frozenset({*PRIVATE_SETTINGS, "models", "notes"})
"""What a record in a log of private mode has left out or in another way."""
_WORDS = {
    "image": "digest of the picture that it was painted on",
    "input_sha256": "digest of the input file",
    "input_name": "name of the input",
    "input_size": "size of the input",
    "mask_sha256": "digest of the mask",
    "pixels_sha256": "digest of the result's pixels",
    "painted_from": "source type of what it was painted from",
    "engine_digest": "digest of the engine",
    "models": "models",
}


def contradictions(again: PaintedAgain) -> tuple[str, ...]:
    """Where the record of a take says something else than its replay, each in words.

    Compared are the request with what it resolves to, that with what the replay resolved, and what is said of input,
    mask, result, regions and origin, and where the take was to repaint and what it saw. Not compared are times, notes,
    and on what it ran, which no replay can know.

    Args:
        again: A take that was painted once more, whether the same came out or not.
    """
    found = [*_of_request(again), *_of_resolved(again)]
    if again.equal:  # or all that follows from the pixels differs
        found += _of_result(again)
    found += _of_places(again)
    return tuple(dict.fromkeys(found))


def export_contradictions(
    logged: AuditRecord, finished: FinishedPicture, file: Picture | None, within: Record | None
) -> tuple[str, ...]:
    """Where an exported picture's record says something else than its session, or the file than its record, in words.

    Args:
        logged: The record in the log.
        finished: What the session gives, with the watermark that the record has.
        file: The file; None where it can't be read.
        within: The record within the file; None where it has none.
    """
    said = logged.edit
    private = _PRIVATE if logged.hidden else frozenset[str]()
    found = [
        f"the record in the log has another {name} than the session"
        for name in _differences(said, finished.record(), _OF_FILE | private)
    ]
    marks = said.marks or MarksRecord()
    marking = Marking(mode=marks.provenance)
    origin = provenance_of(finished.edits, finished.picture, marking)
    stated = with_statement(finished.picture.metadata, origin, marking, logged.output.format)
    if marks.source_type != stated.source_type:
        found.append(
            f"its marks say {_short(marks.source_type)} in the log, and the session gives {_short(stated.source_type)}"
        )
    declared = None if file is None else declared_type(file.metadata)
    if file is not None and (declared or "") != marks.source_type:
        found.append(f"the file says that it is {_short(declared)}, and the log {_short(marks.source_type)}")
    if within is not None:
        unlike = _differences(within, said, _BESIDE | private)
        found += [f"the record within the file has another {name} than the log" for name in unlike]
    return tuple(found)


def _differences(said: Record, true: Record, without: frozenset[str]) -> Iterator[str]:
    """The names of what two records have in another way, as "resolved prompt"; fields of these names are left out."""
    one, other = (_without_codes(record.to_mapping()) for record in (said, true))
    return _differing(one, other, without, "")


def _of_request(again: PaintedAgain) -> Iterator[str]:
    """What the request gives beside what it is said to have resolved to."""
    record = again.take.record
    if again.requested is None:
        yield f"its request can't be painted: {again.unresolved}"
        return
    said, true = _table(record.resolved), _table(again.requested)
    same_version = record.overpaint == version()
    given = record.request.settings()
    for name in sorted({*said, *true} - {"image", "models", "engine_digest"}):
        # what a request leaves open follows from defaults, which another version may have in another way
        if (same_version or name in given) and said.get(name) != true.get(name):
            yield f"its {_words(name)} is {_short(said.get(name))}, and its own request gives {_short(true.get(name))}"


def _of_resolved(again: PaintedAgain) -> Iterator[str]:
    """What it is said to have resolved to beside what the replay did."""
    said, true = _table(again.take.record.resolved), _table(again.again.record.resolved)
    for name in sorted({*said, *true}):
        if said.get(name) != true.get(name):
            yield _otherwise(name, said.get(name), true.get(name))


def _of_result(again: PaintedAgain) -> Iterator[str]:
    record, true = again.take.record, again.again.record
    for name in _FIELDS:
        one, other = getattr(record, name), getattr(true, name)
        if name == "painted_from" and not one:
            continue  # of an older version; a session's export states what the steps below say themselves
        if name == "source_type" and not one:
            continue
        if one != other:
            yield _otherwise(name, one, other)
    if bool(record.doubt) != bool(true.doubt):
        yield _otherwise("doubt", record.doubt, true.doubt)
    if not _same_regions(record.regions, true.regions):
        yield "its record has other regions than were painted"


def _of_places(again: PaintedAgain) -> Iterator[str]:
    said, true = again.take, again.again
    if said.marked != true.marked:
        yield "it marks another place to repaint than its request does"
    if said.saw != true.saw:
        numbers = [", ".join(str(one.step) for one in take.saw) or "none" for take in (said, true)]
        yield f"it says that its engine saw the steps {numbers[0]}, and below it were {numbers[1]} then"


def _same_regions(one: tuple[RegionRecord, ...], other: tuple[RegionRecord, ...]) -> bool:
    return len(one) == len(other) and all(map(_same_region, one, other))


def _same_region(one: RegionRecord, other: RegionRecord) -> bool:
    if one.model_copy(update={"quality": {}}) != other.model_copy(update={"quality": {}}):
        return False
    if one.quality.keys() != other.quality.keys():
        return False
    return all(abs(value - other.quality[name]) <= _QUALITY for name, value in one.quality.items())


def _otherwise(name: str, said: Any, true: Any) -> str:
    return f"its record has {_short(said)} as the {_words(name)}, and the replay {_short(true)}"


def _words(name: str) -> str:
    return _WORDS.get(name, name.replace("_", " "))


def _short(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, Mapping) and "sha256" in value:
        value = value["sha256"]
    if isinstance(value, str) and len(value) == 64:
        return f"{value[:12]}..."
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _table(resolved: ResolvedRequest) -> dict[str, Any]:
    return _without_codes(resolved.to_mapping())


def _without_codes(table: dict[str, Any]) -> dict[str, Any]:
    """The same with rasters by their digests alone: one form of a code is as good as another."""
    for raster in raster_tables(table):
        raster.pop("data", None)
    return table


def _differing(one: Any, other: Any, without: frozenset[str], at: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other} - without):
            yield from _differing(one.get(name), other.get(name), without, f"{at} {_words(name)}".strip())
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        found = (name for pair in zip(one, other, strict=True) for name in _differing(*pair, without, at))
        yield from dict.fromkeys(found)
    elif one != other:
        yield at
