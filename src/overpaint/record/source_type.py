"""Where a picture's pixels came from, in the terms of IPTC's vocabulary "Digital Source Type".

The terms and what they mean: IPTC NewsCodes, http://cv.iptc.org/newscodes/digitalsourcetype/, as of 23 October 2024
(CC BY 4.0). Each is a URI; `Iptc4xmpExt:DigitalSourceType` in XMP holds it, and so does `digitalSourceType` in C2PA.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

_VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_TERM = re.compile(r"(?:https?://cv\.iptc\.org/newscodes/digitalsourcetype/|digsrctype:)?([A-Za-z]+)/?")


class SourceType(StrEnum):
    """A term of the vocabulary. The order is that of `joined_types`: the first ones, up to `ALGORITHMICALLY_ENHANCED`,
    say where one picture came from; then come edits and syntheses, composites, and what names generative AI.
    """

    DIGITAL_CAPTURE = "digitalCapture"
    COMPUTATIONAL_CAPTURE = "computationalCapture"
    NEGATIVE_FILM = "negativeFilm"
    POSITIVE_FILM = "positiveFilm"
    PRINT = "print"
    SCREEN_CAPTURE = "screenCapture"
    SOFTWARE_IMAGE = "softwareImage"  # retired in 2022
    DIGITAL_ART = "digitalArt"  # retired in 2024
    DIGITAL_CREATION = "digitalCreation"
    DATA_DRIVEN_MEDIA = "dataDrivenMedia"
    MINOR_HUMAN_EDITS = "minorHumanEdits"  # retired in 2024
    ALGORITHMICALLY_ENHANCED = "algorithmicallyEnhanced"
    HUMAN_EDITS = "humanEdits"
    ALGORITHMIC_MEDIA = "algorithmicMedia"
    VIRTUAL_RECORDING = "virtualRecording"
    COMPOSITE_CAPTURE = "compositeCapture"
    COMPOSITE = "composite"
    COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA = "compositeWithTrainedAlgorithmicMedia"
    COMPOSITE_SYNTHETIC = "compositeSynthetic"
    TRAINED_ALGORITHMIC_MEDIA = "trainedAlgorithmicMedia"

    @property
    def uri(self) -> str:
        """The term as files hold it."""
        return _VOCABULARY + self.value

    @property
    def generative(self) -> bool:
        """Whether it says that generative AI made the picture or a part of it."""
        return self in _GENERATIVE

    @property
    def meaning(self) -> str:
        """IPTC's name of the term."""
        return _MEANINGS[self]


_GENERATIVE = (
    SourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA,
    SourceType.COMPOSITE_SYNTHETIC,
    SourceType.TRAINED_ALGORITHMIC_MEDIA,
)
_MEANINGS = {
    SourceType.DIGITAL_CAPTURE: "digital capture sampled from real life",
    SourceType.COMPUTATIONAL_CAPTURE: "multi-frame computational capture sampled from real life",
    SourceType.NEGATIVE_FILM: "digitised from a transparent negative",
    SourceType.POSITIVE_FILM: "digitised from a transparent positive",
    SourceType.PRINT: "digitised from a non-transparent medium",
    SourceType.SCREEN_CAPTURE: "screen capture",
    SourceType.SOFTWARE_IMAGE: "created by software (a retired term)",
    SourceType.DIGITAL_ART: "digital art (a retired term)",
    SourceType.DIGITAL_CREATION: "digital creation",
    SourceType.DATA_DRIVEN_MEDIA: "data-driven media",
    SourceType.MINOR_HUMAN_EDITS: "original media with minor human edits (a retired term)",
    SourceType.ALGORITHMICALLY_ENHANCED: "algorithmically altered media",
    SourceType.HUMAN_EDITS: "human-edited media",
    SourceType.COMPOSITE_CAPTURE: "composite of captured elements",
    SourceType.ALGORITHMIC_MEDIA: "pure algorithmic media",
    SourceType.COMPOSITE: "composite of elements",
    SourceType.VIRTUAL_RECORDING: "virtual event recording",
    SourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA: "edited using generative AI",
    SourceType.COMPOSITE_SYNTHETIC: "composite including generative AI elements",
    SourceType.TRAINED_ALGORITHMIC_MEDIA: "created using generative AI",
}
_STRENGTH = {one: max(0, index - 11) for index, one in enumerate(SourceType)}
"""0 for the first terms, then in the order of the enumeration."""


def source_type_named(text: str | None) -> SourceType | None:
    """The term that a text names by URI, by code ("digsrctype:TERM") or by itself; None where it is none of them."""
    found = _TERM.fullmatch((text or "").strip())
    try:
        return None if found is None else SourceType(found[1])
    except ValueError:
        return None


def type_of_edit(*, learned: bool, puts_in: bool, generative: bool = False) -> SourceType:
    """What an edit makes of a photograph.

    - A learned engine, here or elsewhere: `compositeWithTrainedAlgorithmicMedia`, IPTC's "Augmentation, correction or
      enhancement using a Generative AI model, such as with inpainting or outpainting operations".
    - Another picture put in without one: `compositeSynthetic`, "Mix or composite of several elements, at least one of
      which is Generative AI", where that picture says that generative AI took part in it; else `composite`, "Mix or
      composite of several elements, any of which may or may not be generative AI", as silence proves nothing.
    - Everything else: `humanEdits`, "Augmentation, correction or enhancement by one or more humans using non-generative
      tools". Not `algorithmicallyEnhanced`, whose changes are "without changing the main content": a person chooses
      what goes, and that may be the main content.

    Args:
        learned: Whether the engine's pixels come from a network that was trained on pictures.
        puts_in: Whether the edit puts another picture in.
        generative: Whether that picture says that generative AI made it or a part of it.
    """
    if learned:
        return SourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA
    if puts_in:
        return SourceType.COMPOSITE_SYNTHETIC if generative else SourceType.COMPOSITE
    return SourceType.HUMAN_EDITS


def joined_types(types: Iterable[SourceType]) -> SourceType | None:
    """One statement for all that was said of a picture and done to it, which hides no generative AI; None for nothing.

    Of two the one counts that is later in the order of `SourceType`; of two of the first ones, the later edit's. An
    edit with generative AI and a composite of several pictures are together `compositeSynthetic`: "Mix or composite of
    several elements, at least one of which is Generative AI".

    Args:
        types: What the original said, then the edits in their order.
    """
    joined: SourceType | None = None
    for one in types:
        joined = one if joined is None else _joined(joined, one)
    return joined


def _joined(earlier: SourceType, later: SourceType) -> SourceType:
    edited = SourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA
    if edited in (earlier, later) and {earlier, later} & {SourceType.COMPOSITE, SourceType.COMPOSITE_CAPTURE}:
        return SourceType.COMPOSITE_SYNTHETIC
    return later if _STRENGTH[later] > _STRENGTH[earlier] or not _STRENGTH[earlier] else earlier
