"""What a file says of its origin, by any program. All of it are claims: anyone can write and remove them.

A claim of the original can make the statement on a result stronger, never weaker. So all claims are read, wherever they
stand, and the strongest counts: two of one file that contradict each other give the one that names generative AI.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from overpaint.picture import Metadata, Picture
from overpaint.picture.c2pa_store import holds_manifest
from overpaint.picture.xmp import IPTC_EXTENSION, is_extensible, read_values

from ._embed import NAMESPACE
from ._found import generator_of, own_record
from ._record import Record
from .source_type import SourceType, joined_types, source_type_named

TYPE = (IPTC_EXTENSION, "DigitalSourceType")
SYSTEM, VERSION, PROMPT = TEXTS = tuple(
    (IPTC_EXTENSION, name) for name in ("AISystemUsed", "AISystemVersionUsed", "AIPromptInformation")
)
"""Properties that a file has where generative AI took part."""
ORIGINAL_TYPE = (NAMESPACE, "source_type_original")

_PROMPT_WRITER = (IPTC_EXTENSION, "AIPromptWriterName")
_TYPE_URI = re.compile(rb"digitalsourcetype/([A-Za-z]{3,60})")
_ANY_TEXT = re.compile(rb"AISystemUsed|AISystemVersionUsed|AIPrompt")
_LEAST = SourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA
"""What is certain of a picture that names generative AI, and not how much of it that made."""


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
    """What a file's XMP says of its origin, in all of its packets."""
    names = (ORIGINAL_TYPE, *TEXTS)
    found = [read_values(packet, *names) for packet in _packets(metadata)]
    texts = ("; ".join(dict.fromkeys(text for one in found for text in one[index])) for index in range(len(names)))
    return StatedOrigin(declared_type(metadata), *texts)


def declared_type(metadata: Metadata) -> SourceType | str | None:
    """What a file's XMP says of its origin: the strongest of the terms, else a text that is none; None for nothing.

    A packet that can't be parsed is searched for the URI of a term.
    """
    texts = [text for packet in _packets(metadata) for text in _types(packet)]
    known = [term for text in texts if (term := source_type_named(text)) is not None]
    return joined_types(known) or next(iter(texts), None)


def said_types(picture: Picture) -> tuple[SourceType, ...]:
    """All terms that a picture's file has: in XMP, in C2PA manifests, and in a record of ours. And where it says that
    generative AI took part without a term, by a system in its XMP or by the parameters of a tool, the least such term.

    Manifests are searched for the URIs of terms, whether they are sound or not.
    """
    declared = declared_type(picture.metadata)
    found = [] if not isinstance(declared, SourceType) else [declared]
    data = picture.source.data
    if data is not None and holds_manifest(data, picture.source.format):
        terms = (source_type_named(one[1].decode("ascii")) for one in _TYPE_URI.finditer(data))
        found += [term for term in terms if term is not None]
    if (record := own_record(picture.metadata)) is not None:
        found += [type_of_record(one) for one in record.edits]
    if _names_a_system(picture.metadata) or generator_of(picture.metadata) is not None:
        found.append(_LEAST)
    return tuple(dict.fromkeys(found))


def type_of_record(record: Record) -> SourceType:
    """What the edit of a record makes of a photograph, with what it was painted from."""
    own, source = type_of_painter(record), source_type_named(record.painted_from)
    return own if source is None else joined_types([source, own]) or own


def type_of_painter(record: Record) -> SourceType:
    """What the engine of a record makes of a photograph. A record that names weights, a sampler, or an engine that
    paints from a prompt is one of generative AI, whatever its source type says; those of older versions have none. An
    edit is at least one by a human: no source type of a record takes that back.
    """
    made = record.resolved
    weights = any(one.role != "selector" for one in made.models)
    learned = weights or made.sampler is not None or made.paints_from == "prompt"
    named = source_type_named(record.source_type)
    said = [SourceType.HUMAN_EDITS, *([named] if named else []), *([_LEAST] if learned else [])]
    return joined_types(said) or _LEAST


def _packets(metadata: Metadata) -> tuple[bytes, ...]:
    """All packets of XMP, the one that is kept first."""
    return (*((metadata.xmp,) if metadata.xmp else ()), *metadata.further_xmp)


def _types(packet: bytes) -> list[str]:
    """The source types of a packet as it has them."""
    texts = [text for text in read_values(packet, TYPE)[0] if text]
    if texts or is_extensible(packet):
        return texts
    return [found[1].decode("ascii") for found in _TYPE_URI.finditer(packet.replace(b"\0", b""))]


def _names_a_system(metadata: Metadata) -> bool:
    """Whether XMP names an AI system or a prompt for one, with a source type or without."""
    for packet in _packets(metadata):
        if any(text.strip() for texts in read_values(packet, *TEXTS, _PROMPT_WRITER) for text in texts):
            return True
        if not is_extensible(packet) and _ANY_TEXT.search(packet.replace(b"\0", b"")):
            return True
    return False
