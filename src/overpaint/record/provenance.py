"""What a file says of its origin: values, and the statement in XMP that every file gets unless it is switched off.

XMP properties (IPTC Photo Metadata Standard 2025.1, IPTC Extension 1.9):

    Iptc4xmpExt:DigitalSourceType      URI of a term: see `source_type`
    Iptc4xmpExt:AISystemUsed           of generative AI: Overpaint, its engine, the model
    Iptc4xmpExt:AISystemVersionUsed    the version of Overpaint
    Iptc4xmpExt:AIPromptInformation    the prompt, where that is asked for
    overpaint:source_type_original     what the original said in place of the first one, where that was changed

What the original says of itself is never removed: a stronger statement stays, and texts are added to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, Protocol

from overpaint.geometry import Box, Size
from overpaint.picture import Metadata, Picture, Source
from overpaint.picture.xmp import IPTC_EXTENSION, is_extensible, read_values, with_properties, with_property
from overpaint.request import ResolvedRequest

from ._claims import (
    ORIGINAL_TYPE,
    PROMPT,
    SYSTEM,
    TEXTS,
    TYPE,
    VERSION,
    declared_type,
    said_types,
    stated_origin,
    type_of_painter,
    type_of_record,
)
from ._marks import ProvenanceMode
from ._record import Record, RegionRecord
from .source_type import SourceType, joined_types
from .watermarks import WatermarkChoice

_LONGEST_IN_JPEG = 65_000  # bytes of XMP that one JPEG segment holds, with some to spare
_LONGEST_TEXT = 2000  # characters of a statement that a packet of our own takes over


_NAMED = ("checkpoint", "faces")
"""Roles of models that a statement names."""


@dataclass(frozen=True, slots=True)
class EditStatement:
    """One edit of a picture.

    Attributes:
        source_type: What it makes of a photograph, with what it was painted from.
        intent: "remove", "replace", ...
        engine: The engine that painted.
        models: The checkpoints that it used, without folders; empty for none, and in private mode.
        boxes: Where anything changed: left, top, right, bottom in pixels of the result.
        overpaint: The version that painted.
        prompt: The prompt, where it may be published; "" otherwise.
        derived: Whether generative AI made only what it was painted from: its own engine is no AI system.
    """

    source_type: SourceType
    intent: str
    engine: str
    models: tuple[str, ...] = ()
    boxes: tuple[Box, ...] = ()
    overpaint: str = ""
    prompt: str = ""
    derived: bool = False

    @classmethod
    def of(
        cls, source_type: SourceType, resolved: ResolvedRequest, regions: Iterable[RegionRecord], overpaint: str
    ) -> EditStatement:
        """Everything that a statement on an edit can have.

        Other weights than checkpoints and networks for faces are left out: a LoRA is named by words of the prompt.
        """
        return cls(
            source_type=source_type,
            intent=resolved.intent,
            engine=resolved.engine,
            models=tuple(PurePath(one.name).name for one in resolved.models if one.role in _NAMED),
            boxes=tuple(Box(*one.box) for one in regions),
            overpaint=overpaint,
            prompt=resolved.prompt or "",
        )

    @classmethod
    def of_records(cls, records: Iterable[Record]) -> tuple[EditStatement, ...]:
        """Everything that a statement on these edits can have."""
        return tuple(map(cls._of_record, records))

    @classmethod
    def _of_record(cls, record: Record) -> EditStatement:
        joined = type_of_record(record)
        made = cls.of(joined, record.resolved, record.regions, record.overpaint)
        return replace(made, derived=joined.generative and not type_of_painter(record).generative)

    def published(self, marking: Marking) -> EditStatement:
        """The part of it that a file may have."""
        models = () if marking.private else self.models
        has_prompt = marking.mode == "prompt" and not marking.private
        return replace(self, models=models, prompt=self.prompt if has_prompt else "")


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of a picture.

    Attributes:
        edits: The edits that made it, in their order.
        source_type: The original and all edits together.
        declared: What the original's XMP says: a term, or a text that is none; None where it says nothing.
        size: Its size.
        original: The file that was edited.
        private: Whether it must say nothing of prompts, models and names of files.
        watermark: The watermark that was put into its pixels; None for none.
        claimed: All that the original's file says of its origin together; None where it says nothing.
    """

    edits: tuple[EditStatement, ...]
    source_type: SourceType
    declared: SourceType | str | None
    size: Size
    original: Source
    private: bool = False
    watermark: WatermarkChoice | None = None
    claimed: SourceType | None = None


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A file with a signed manifest.

    Attributes:
        data: The file.
        manifest_sha256: Digest of the manifest.
        signer: Whose certificate it is.
        notes: For people.
    """

    data: bytes
    manifest_sha256: str
    signer: str
    notes: tuple[str, ...] = ()


class Seal(Protocol):
    """Signs finished files. It is sent to other processes: a small value that names its key, and does not hold it."""

    @property
    def kind(self) -> str:
        """What its files differ in from those of other seals, apart from the signer; plain text."""

    def seal(self, data: bytes, format: str, provenance: Provenance) -> SealedFile:
        """The file with a signed manifest, and all else as it is. Raises OverpaintError."""


@dataclass(frozen=True, slots=True)
class Marking:
    """How a file is marked.

    Attributes:
        mode: What its XMP says.
        private: Private mode: XMP has the source type alone.
        watermark: The imperceptible mark that its pixels get; None: none.
        seal: Signs the file, as the last of all; None: it is not signed.
    """

    mode: ProvenanceMode = "embed"
    private: bool = False
    watermark: WatermarkChoice | None = None
    seal: Seal | None = None

    @property
    def unusual(self) -> dict[str, Any]:
        """The values that differ from the defaults, as plain values; private mode is not among them."""
        found: dict[str, Any] = {} if self.mode == "embed" else {"provenance": self.mode}
        if self.watermark is not None:
            found["watermark"] = self.watermark.record.to_mapping()
        if self.seal is not None:
            found["seal"] = self.seal.kind
        return found


@dataclass(frozen=True, slots=True)
class MarkedMetadata:
    """Metadata with a statement of the origin.

    Attributes:
        metadata: The metadata.
        source_type: The term that its XMP has; "" for none.
        notes: For people.
    """

    metadata: Metadata
    source_type: str
    notes: tuple[str, ...] = ()


def provenance_of(edits: Iterable[EditStatement], picture: Picture, marking: Marking) -> Provenance:
    """The origin of a result.

    Args:
        edits: The edits that made it, in their order; at least one.
        picture: The result, with source and metadata of the original.
        marking: How much may be published.
    """
    edits = tuple(one.published(marking) for one in edits)
    claimed = said_types(picture)
    joined = joined_types((*claimed, *(one.source_type for one in edits)))
    assert joined is not None
    return Provenance(
        edits=edits,
        source_type=joined,
        declared=declared_type(picture.metadata),
        size=picture.size,
        original=picture.source,
        private=marking.private,
        watermark=marking.watermark,
        claimed=joined_types(claimed),
    )


def with_statement(metadata: Metadata, provenance: Provenance, marking: Marking, format: str) -> MarkedMetadata:
    """The metadata with the statement of the origin, as the marking asks for it.

    The original's statement stays where it says as much or more; and where it is no term of the vocabulary, unless
    generative AI took part. Where the original's XMP can't be added to, a packet of our own takes its place, with a
    note.

    Args:
        metadata: The original's.
        provenance: The origin.
        marking: What is written.
        format: The format of the file.
    """
    declared = provenance.declared
    kept = declared is not None and _says_enough(declared, provenance.source_type)
    one = in_one_packet(metadata)
    if marking.mode == "none":
        notes = () if declared is None or kept else (_still_said(declared),)
        return MarkedMetadata(one, _text(declared), notes)
    xmp, why = one.xmp, "can't be read"
    if not xmp or is_extensible(xmp):
        xmp, why = _stated(xmp, provenance, marking, change_type=not kept), ""
        if format == "jpeg" and _bare_length(xmp or b"") > _LONGEST_IN_JPEG:
            why = "is too large for a JPEG file"
    if why:  # a packet of our own takes its place
        xmp = _stated(_carried(metadata, None), provenance, marking, change_type=not kept)
        why = f"the original's XMP ({len(metadata.xmp or b''):,} bytes) {why}, and is left out"
    source_type = _text(declared if kept else provenance.source_type)
    return MarkedMetadata(replace(one, xmp=xmp), source_type, (why,) if why else ())


def in_one_packet(metadata: Metadata) -> Metadata:
    """The metadata without further packets of XMP; what these say of the origin is in the one that is written. One that
    can't be read is left as it is.
    """
    xmp = metadata.xmp
    if metadata.further_xmp and (not xmp or is_extensible(xmp)):
        xmp = _carried(metadata, xmp)
    return replace(metadata, xmp=xmp, further_xmp=())


def declaring(picture: Picture) -> Picture:
    """The picture with all that its file says of generative AI in its XMP, for a file that is made of it before it is
    edited: manifest and further packets are not in that.
    """
    metadata, said = in_one_packet(picture.metadata), joined_types(said_types(picture))
    if said is not None and said.generative and declared_type(metadata) is not said:
        xmp = with_properties(metadata.xmp, IPTC_EXTENSION, {TYPE[1]: said.uri}, prefix="Iptc4xmpExt", nested=False)
        metadata = replace(metadata, xmp=xmp)
    return replace(picture, metadata=metadata)


def _carried(metadata: Metadata, onto: bytes | None) -> bytes | None:
    """A packet with what the original's packets say of its origin, those that are not kept too."""
    said, there = stated_origin(metadata), stated_origin(Metadata(xmp=onto))
    declared = said.source_type.uri if isinstance(said.source_type, SourceType) else _text(said.source_type)
    texts = zip(
        TEXTS, (said.system, said.version, said.prompt), (there.system, there.version, there.prompt), strict=True
    )
    values = {name: text[:_LONGEST_TEXT] for (_, name), text, own in texts if text != own}
    if declared and said.source_type != there.source_type:
        values[TYPE[1]] = declared
    if said.original_type != there.original_type:
        onto = with_property(onto, *ORIGINAL_TYPE, said.original_type[:_LONGEST_TEXT])
    return with_properties(onto, IPTC_EXTENSION, values, prefix="Iptc4xmpExt", nested=False) if values else onto


def _says_enough(declared: SourceType | str, made: SourceType) -> bool:
    """Whether what the original says holds for the result too."""
    return declared == made if isinstance(declared, SourceType) else not made.generative


def _still_said(declared: SourceType | str) -> str:
    return f"no provenance is written: the file still says {_text(declared)}, as its original did"


def _text(declared: SourceType | str | None) -> str:
    return "" if declared is None else str(declared)[:200]


def _stated(xmp: bytes | None, provenance: Provenance, marking: Marking, *, change_type: bool) -> bytes | None:
    """The packet with all properties."""
    original, *rest = read_values(xmp, ORIGINAL_TYPE, *TEXTS)
    earlier = {name: "; ".join(texts) for (_, name), texts in zip(TEXTS, rest, strict=True)}
    values = {TYPE[1]: provenance.source_type.uri} if change_type else {}
    for name, text, between in _texts(provenance, marking):
        if text not in (there := values.get(name, earlier[name])):
            values[name] = f"{there}{between}{text}" if there else text
    if change_type and provenance.declared is not None and not original:
        xmp = with_property(xmp, *ORIGINAL_TYPE, _text(provenance.declared))
    if not values:
        return xmp
    return with_properties(xmp, IPTC_EXTENSION, values, prefix="Iptc4xmpExt", nested=False)


def _texts(provenance: Provenance, marking: Marking) -> Iterator[tuple[str, str, str]]:
    """Name, text, and what separates it from a text that is there already, of the further properties."""
    if marking.private:
        return
    edits = [one for one in provenance.edits if one.source_type.generative and not one.derived]
    for system in dict.fromkeys(_system(one) for one in edits):
        yield SYSTEM[1], system, "; "
    for version in dict.fromkeys(one.overpaint for one in edits):
        yield VERSION[1], f"Overpaint {version}", "; "
    for prompt in dict.fromkeys(one.prompt for one in edits if one.prompt):
        yield PROMPT[1], prompt, "\n"


def _system(edit: EditStatement) -> str:
    return f"Overpaint, engine {edit.engine}" + (f", {' + '.join(edit.models)}" if edit.models else "")


def _bare_length(xmp: bytes) -> int:
    """Bytes of a packet without the white space that writers append, which is left out where it does not fit."""
    body, mark, end = xmp.rpartition(b"<?xpacket end=")
    return len(body.rstrip()) + 1 + len(mark + end) if mark else len(xmp)
