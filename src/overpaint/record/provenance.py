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

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, Protocol

from overpaint.geometry import Box, Size
from overpaint.picture import Metadata, Picture, Source
from overpaint.picture.c2pa_store import holds_manifest
from overpaint.picture.xmp import is_extensible, read_values, with_properties, with_property
from overpaint.request import ResolvedRequest

from ._embed import NAMESPACE
from ._found import own_record
from ._marks import ProvenanceMode
from ._record import Record, RegionRecord
from .source_type import SourceType, joined_types, source_type_named
from .watermarks import WatermarkChoice

IPTC_EXTENSION = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
"""Namespace of IPTC's extension schema."""

_TYPE = "DigitalSourceType"
_SYSTEM, _VERSION, _PROMPT = "AISystemUsed", "AISystemVersionUsed", "AIPromptInformation"
_ORIGINAL_TYPE = "source_type_original"
_TYPE_URI = re.compile(rb"digitalsourcetype/([A-Za-z]{3,60})")
_LONGEST_IN_JPEG = 65_000  # bytes of XMP that one JPEG segment holds, with some to spare


@dataclass(frozen=True, slots=True)
class EditStatement:
    """One edit of a picture.

    Attributes:
        source_type: What it makes of a photograph.
        intent: "remove", "replace", ...
        engine: The engine that painted.
        models: The checkpoints that it used, without folders; empty for none, and in private mode.
        boxes: Where anything changed: left, top, right, bottom in pixels of the result.
        overpaint: The version that painted.
        prompt: The prompt, where it may be published; "" otherwise.
    """

    source_type: SourceType
    intent: str
    engine: str
    models: tuple[str, ...] = ()
    boxes: tuple[Box, ...] = ()
    overpaint: str = ""
    prompt: str = ""

    @classmethod
    def of(
        cls, source_type: SourceType, resolved: ResolvedRequest, regions: Iterable[RegionRecord], overpaint: str
    ) -> EditStatement:
        """Everything that a statement on an edit can have.

        Other weights than checkpoints, such as a LoRA, are named by words of the prompt, and are left out.
        """
        return cls(
            source_type=source_type,
            intent=resolved.intent,
            engine=resolved.engine,
            models=tuple(PurePath(one.name).name for one in resolved.models if one.role == "checkpoint"),
            boxes=tuple(Box(*one.box) for one in regions),
            overpaint=overpaint,
            prompt=resolved.prompt or "",
        )

    @classmethod
    def of_records(cls, records: Iterable[Record]) -> tuple[EditStatement, ...]:
        """Everything that a statement on these edits can have."""
        return tuple(cls.of(type_of_record(one), one.resolved, one.regions, one.overpaint) for one in records)

    def told(self, marking: Marking) -> EditStatement:
        """What of it a file may tell."""
        models = () if marking.private else self.models
        tells = marking.mode == "prompt" and not marking.private
        return replace(self, models=models, prompt=self.prompt if tells else "")


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
    """

    edits: tuple[EditStatement, ...]
    source_type: SourceType
    declared: SourceType | str | None
    size: Size
    original: Source
    private: bool = False
    watermark: WatermarkChoice | None = None


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
    edits = tuple(one.told(marking) for one in edits)
    joined = joined_types((*said_types(picture), *(one.source_type for one in edits)))
    assert joined is not None
    return Provenance(
        edits, joined, declared_type(picture.metadata), picture.size, picture.source, marking.private, marking.watermark
    )


def type_of_record(record: Record) -> SourceType:
    """What the edit of a record makes of a photograph; of an older record, by the weights that it used."""
    learned = SourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA if record.resolved.models else SourceType.HUMAN_EDITS
    return source_type_named(record.source_type) or learned


def said_types(picture: Picture) -> tuple[SourceType, ...]:
    """All terms that a picture's file has: in XMP, in C2PA manifests, and in a record of ours.

    Manifests are searched for the URIs of terms, whether they are sound or not.
    """
    declared = declared_type(picture.metadata)
    found = [] if not isinstance(declared, SourceType) else [declared]
    data = picture.source.data
    if data is not None and holds_manifest(data, picture.source.format):
        terms = (source_type_named(one[1].decode("ascii")) for one in _TYPE_URI.finditer(data))
        found += [term for term in terms if term is not None]
    record = own_record(picture.metadata)
    if record is not None:
        found += [type_of_record(one) for one in (*(record.earlier or ()), record)]
    return tuple(dict.fromkeys(found))


def declared_type(metadata: Metadata) -> SourceType | str | None:
    """What a file's XMP says of its origin: the strongest of the terms, else a text that is none; None for nothing.

    A packet that can't be parsed is searched for the URI of a term.
    """
    xmp = metadata.xmp
    if not xmp:
        return None
    texts = [text for text in read_values(xmp, (IPTC_EXTENSION, _TYPE))[0] if text]
    if not texts and not is_extensible(xmp):
        texts = [found[1].decode("ascii") for found in _TYPE_URI.finditer(xmp.replace(b"\0", b""))]
    known = [term for text in texts if (term := source_type_named(text)) is not None]
    return joined_types(known) or next(iter(texts), None)


@dataclass(frozen=True, slots=True)
class StatedOrigin:
    """What a file's XMP says of its origin; "" for what it leaves open.

    Attributes:
        source_type: A term, or a text that is none; None for nothing.
        original_type: What the original said before an edit of ours.
        system: The AI systems that took part.
        version: Their versions.
        prompt: The prompts.
    """

    source_type: SourceType | str | None
    original_type: str = ""
    system: str = ""
    version: str = ""
    prompt: str = ""

    @property
    def term(self) -> SourceType | None:
        """The source type, where it is a term of the vocabulary."""
        return self.source_type if isinstance(self.source_type, SourceType) else None


def stated_origin(metadata: Metadata) -> StatedOrigin:
    """What a file's XMP says of its origin, by any program."""
    names = ((NAMESPACE, _ORIGINAL_TYPE), *((IPTC_EXTENSION, name) for name in (_SYSTEM, _VERSION, _PROMPT)))
    return StatedOrigin(declared_type(metadata), *("; ".join(texts) for texts in read_values(metadata.xmp, *names)))


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
    if marking.mode == "none":
        notes = () if declared is None or kept else (_still_said(declared),)
        return MarkedMetadata(metadata, _text(declared), notes)
    if metadata.xmp and not is_extensible(metadata.xmp):
        return _stated_alone(metadata, provenance, marking, "can't be read")
    whole = _stated(metadata.xmp, provenance, marking, change_type=not kept)
    if format == "jpeg" and _bare_length(whole or b"") > _LONGEST_IN_JPEG:
        return _stated_alone(metadata, provenance, marking, "is too large for a JPEG file")
    return MarkedMetadata(replace(metadata, xmp=whole), _text(declared if kept else provenance.source_type))


def _stated_alone(metadata: Metadata, provenance: Provenance, marking: Marking, why: str) -> MarkedMetadata:
    """The statement in a packet of its own, in place of the original's."""
    xmp = _stated(None, provenance, marking, change_type=True)
    note = f"the original's XMP ({len(metadata.xmp or b''):,} bytes) {why}, and is left out"
    return MarkedMetadata(replace(metadata, xmp=xmp), provenance.source_type, (note,))


def _says_enough(declared: SourceType | str, made: SourceType) -> bool:
    """Whether what the original says holds for the result too."""
    return declared == made if isinstance(declared, SourceType) else not made.generative


def _still_said(declared: SourceType | str) -> str:
    return f"no provenance is written: the file still says {_text(declared)}, as its original did"


def _text(declared: SourceType | str | None) -> str:
    return "" if declared is None else str(declared)[:200]


def _stated(xmp: bytes | None, provenance: Provenance, marking: Marking, *, change_type: bool) -> bytes | None:
    """The packet with all properties."""
    names = ((NAMESPACE, _ORIGINAL_TYPE), *((IPTC_EXTENSION, name) for name in (_SYSTEM, _VERSION, _PROMPT)))
    original, *rest = read_values(xmp, *names)
    earlier = {name: "; ".join(texts) for (_, name), texts in zip(names[1:], rest, strict=True)}
    values = {_TYPE: provenance.source_type.uri} if change_type else {}
    for name, text, between in _texts(provenance, marking):
        if text not in (there := values.get(name, earlier[name])):
            values[name] = f"{there}{between}{text}" if there else text
    if change_type and provenance.declared is not None and not original:
        xmp = with_property(xmp, NAMESPACE, _ORIGINAL_TYPE, _text(provenance.declared))
    if not values:
        return xmp
    return with_properties(xmp, IPTC_EXTENSION, values, prefix="Iptc4xmpExt", nested=False)


def _texts(provenance: Provenance, marking: Marking) -> Iterator[tuple[str, str, str]]:
    """Name, text, and what separates it from a text that is there already, of the further properties."""
    if marking.private:
        return
    edits = [one for one in provenance.edits if one.source_type.generative]
    for system in dict.fromkeys(_system(one) for one in edits):
        yield _SYSTEM, system, "; "
    for version in dict.fromkeys(one.overpaint for one in edits):
        yield _VERSION, f"Overpaint {version}", "; "
    for prompt in dict.fromkeys(one.prompt for one in edits if one.prompt):
        yield _PROMPT, prompt, "\n"


def _system(edit: EditStatement) -> str:
    return f"Overpaint, engine {edit.engine}" + (f", {' + '.join(edit.models)}" if edit.models else "")


def _bare_length(xmp: bytes) -> int:
    """Bytes of a packet without the white space that writers append, which is left out where it does not fit."""
    body, mark, end = xmp.rpartition(b"<?xpacket end=")
    return len(body.rstrip()) + 1 + len(mark + end) if mark else len(xmp)
