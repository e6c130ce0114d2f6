"""The record of an edit: its request, the resolved request, where it ran, and its result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field

from overpaint.errors import InputError, RecordError, RequestError
from overpaint.request import EditRequest, Execution, ResolvedRequest, raster_tables
from overpaint.values import Listed, Value, as_mapping, parse_json, upgraded

from ._marks import MarksRecord

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
BoxValues = Annotated[Listed[tuple[int, ...]], Field(min_length=4, max_length=4)]
SizeValues = Annotated[Listed[tuple[int, ...]], Field(min_length=2, max_length=2)]


TEACHES, UPSCALER, FACES = ENHANCERS = ("self-taught", "upscaler", "faces")
"""What stands for the engine in the record of a picture that was enhanced as a whole: filters that a picture teaches, a
network that enlarges, one that restores faces.
"""


@cache
def version() -> str:
    """The version of Overpaint that is installed."""
    try:
        return metadata.version("overpaint")
    except metadata.PackageNotFoundError:  # run from a source folder that was never installed
        return "unknown"


class RegionRecord(Value):
    """One region that was painted.

    Attributes:
        box: The box of all changes: left, top, right, bottom in pixels of the result.
        frame: The box that the engine saw; it may extend beyond the picture.
        working: Width and height at which the engine saw it.
        grow, feather: Its edge in pixels of the picture.
        seed: Its seed.
        detail: Confidence of the detail added to it, 0 (none was added) to 1.
        quality: How it looks beside its surroundings: "seam", "flatness", "structure", "match", "foreign", "border".
    """

    box: BoxValues
    frame: BoxValues
    working: SizeValues
    grow: float
    feather: float
    seed: int
    detail: float = 0.0
    quality: Mapping[str, float] = {}


class StoredRecord(Value):
    """A value that is stored as JSON with the version of its form; `title` names it in messages."""

    title: ClassVar[str]

    schema_: Annotated[int, Field(alias="schema", ge=1, le=1)] = 1

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        """From the table that `to_mapping` gives.

        Raises:
            RecordError: It is not such a record, or one of a newer version.
        """
        try:
            return cls(**cls._completed(upgraded(as_mapping(mapping, "it"), {}, 1, cls.title)))
        except RecordError:
            raise
        except (InputError, TypeError, ValueError, RecursionError) as error:
            raise RecordError(f"the {cls.title} can't be read: {error}") from None

    @classmethod
    def _completed(cls, mapping: Mapping[str, Any]) -> Mapping[str, Any]:
        """The table with what `to_mapping` left out."""
        return mapping

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """From the text that `to_json` gives.

        Raises:
            RecordError: It is not JSON, or not such a record.
        """
        try:
            table = parse_json(text, f"the {cls.title}")
        except RequestError as error:
            raise RecordError(str(error)) from None
        return cls.from_mapping(table)


class Record(StoredRecord):
    """How a picture was made.

    Attributes:
        overpaint: The version that made it.
        request: The request.
        resolved: The same with every default filled in.
        execution: Device, precision, threads and versions.
        regions: The regions that were painted.
        size: Width and height of the result.
        reach: Pixels beyond the mask at which nothing is changed any more, in the file that has this record; JPEG
            blocks are counted whole.
        quality: The quality that the file was encoded with; None for the format's least loss.
        input_sha256: Digest of the input file; `resolved.image` has that of its pixels.
        input_name: Its name, without the folder.
        input_size: Its width and height.
        mask_sha256: Digest of the mask in 8 bits, with all its parts joined.
        pixels_sha256: Digest of the result's pixels.
        timings: Seconds by step.
        notes: For people.
        doubt: Why the result is doubtful, and what may do better; "" where nothing was found.
        source_type: What the edit makes of a photograph, a term of `SourceType`; "" in records of older versions.
        painted_from: The term of the steps of a session that its engine saw, joined; "" where it saw none. The
            picture's own origin is not in it.
        marks: The marks of the file that has this record; None where none was written.
        earlier: The records of the edits before this one, of a picture that was made by several; None otherwise. What
            is said of the input is then said of the file that the first of them began with, and the regions of all are
            in pixels of this picture. Of a picture that was enhanced (see `enhanced`), the record that its input had;
            the others describe the enhancement alone.
    """

    title = "record"

    overpaint: str = Field(default_factory=version)
    request: EditRequest
    resolved: ResolvedRequest
    execution: Execution
    regions: Listed[tuple[RegionRecord, ...]] = ()
    size: SizeValues
    reach: Annotated[int, Field(ge=0)] = 0
    quality: Annotated[int, Field(ge=1, le=100)] | None = None
    input_sha256: Digest | None = None
    input_name: str | None = None
    input_size: SizeValues | None = None
    mask_sha256: Digest | None = None
    pixels_sha256: Digest | None = None
    timings: Mapping[str, float] = {}
    notes: Listed[tuple[str, ...]] = ()
    doubt: str = ""
    source_type: Annotated[str, Field(max_length=200)] = ""
    painted_from: Annotated[str, Field(max_length=200)] = ""
    marks: MarksRecord | None = None
    earlier: Listed[tuple[Record, ...]] | None = None

    @property
    def edits(self) -> tuple[Record, ...]:
        """The records of all edits in their order: those before this one, and itself."""
        return (*(edit for one in self.earlier or () for edit in one.edits), self)

    @property
    def enhanced(self) -> bool:
        """Whether the picture was enhanced as a whole: enlarged, or its faces restored."""
        return self.resolved.engine in ENHANCERS

    def to_mapping(self) -> dict[str, Any]:
        """Plain JSON values. A raster that is inline in the request is written only once."""
        mapping = super().to_mapping()
        known = _codes(mapping["request"])
        for raster in raster_tables(mapping["resolved"]):
            if raster["sha256"] in known:
                raster.pop("data", None)
        if self.earlier is not None:
            mapping["earlier"] = [one.to_mapping() for one in self.earlier]
        if not self.source_type:  # a record of an older version keeps its digest
            mapping.pop("source_type", None)
        if not self.painted_from:
            mapping.pop("painted_from", None)
        return mapping

    def to_json(self, *, indent: int | None = 2) -> str:
        """JSON text."""
        return json.dumps(self.to_mapping(), ensure_ascii=False, indent=indent)

    @classmethod
    def _completed(cls, mapping: Mapping[str, Any]) -> Mapping[str, Any]:
        if "request" not in mapping:
            raise RecordError("this is not a record of an edit: it has no request")
        table: dict[str, Any] = json.loads(json.dumps(mapping))
        codes = _codes(table["request"])
        for raster in raster_tables(table.get("resolved")):
            raster.setdefault("data", codes.get(raster["sha256"]))
        if isinstance(earlier := table.get("earlier"), list):
            table["earlier"] = [cls.from_mapping(one) for one in earlier]
        return table


def _codes(value: Any) -> dict[str, str]:
    """Inline codes of rasters by digest."""
    return {raster["sha256"]: raster["data"] for raster in raster_tables(value) if raster.get("data")}


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """What a picture says of how it was made.

    Attributes:
        tool: "Overpaint", "AUTOMATIC1111", "ComfyUI", "InvokeAI", "NovelAI", "Fooocus", "SwarmUI", ...
        raw: The text as written there.
        prompt, negative_prompt: The prompts.
        settings: By our names where we have one (seed, steps, guidance_scale, ...), else by the tool's own; as plain
            JSON values.
        notes: What could not be read, in words.
        place: Where it was found: "sidecar", "PNG text", "EXIF", "XMP"; "file" for a damaged record.
        record: Our own record, when it is one.
    """

    tool: str
    raw: str = ""
    prompt: str = ""
    negative_prompt: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    place: str = ""
    record: Record | None = None
