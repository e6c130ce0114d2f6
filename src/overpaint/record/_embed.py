"""Writing a record into a file's metadata, and the name of a file beside it.

    PNG                 text "parameters" (infotext) and text "overpaint" (JSON)
    JPEG, WebP, AVIF    EXIF UserComment (infotext) and XMP overpaint:record (JSON)
    TIFF, PSD           XMP overpaint:parameters and overpaint:record
    OpenRaster          as PNG, in its merged picture

Parameters that another tool wrote are replaced, as they describe the picture before the edit; their text is kept as
"parameters_original". A comment that a person wrote into UserComment stays, and the infotext goes into XMP instead.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from overpaint.picture import Metadata
from overpaint.picture.exif import user_comment, with_user_comment, without_user_comment
from overpaint.picture.xmp import read_property, with_property
from overpaint.request import without_codes

from ._foreign import from_comment
from ._record import Record
from .infotext import infotext, parse_infotext

NAMESPACE = "urn:overpaint:ns:1.0/"
"""Namespace of the XMP properties `record`, `parameters` and `parameters_original`."""

PNG_RECORD = "overpaint"
PARAMETERS = "parameters"
ORIGINAL = "parameters_original"
SIDECAR_SUFFIX = ".overpaint.json"

_XMP_SEGMENT = 65_000  # bytes of XMP that one JPEG segment holds, with some to spare
_EXIF_SEGMENT = 65_000  # and of EXIF


def embed(metadata: Metadata, record: Record, format: str) -> Metadata:
    """The metadata with the record.

    Timings are left out, so that equal edits give equal files; a sidecar has them. In a JPEG, whose metadata must fit
    into 64 KiB, rasters that do not fit are named by their digests only.

    Args:
        metadata: The picture's.
        record: Its record.
        format: "png", "jpeg", "webp", "avif" or "tiff"; "psd", "psb" or "ora".
    """
    format = {"psd": "tiff", "psb": "tiff", "ora": "png"}.get(format, format)
    record = record.model_copy(update={"timings": {}})
    if format in ("png", "tiff"):  # they hold it elsewhere than the other formats, whose place may have an earlier one
        metadata = strip(metadata)
    if format == "png":
        return _in_text(metadata, record)
    metadata = replace(metadata, text=_without_ours(metadata.text))
    return _in_xmp(_in_comment(metadata, record, format), record, format)


def strip(metadata: Metadata) -> Metadata:
    """The metadata without a record of ours; parameters of another tool that it replaced are put back."""
    text = _without_ours(metadata.text)
    xmp, exif = metadata.xmp, metadata.exif
    in_comment = exif is not None and _is_ours(user_comment(exif))
    if in_comment or _property(xmp, "record") or _is_ours(_property(xmp, PARAMETERS)):
        original = _property(xmp, ORIGINAL)
        for name in ("record", PARAMETERS, ORIGINAL):
            if _property(xmp, name):
                xmp = with_property(xmp, NAMESPACE, name, "")
        if in_comment and exif is not None:
            exif = with_user_comment(exif, original) if original else without_user_comment(exif)
    return replace(metadata, text=text, xmp=xmp, exif=exif)


def _without_ours(text: Mapping[str, str]) -> dict[str, str]:
    """A PNG's texts without a record of ours; parameters of another tool that it replaced are put back."""
    left = dict(text)
    if left.pop(PNG_RECORD, None) is not None:
        left.pop(PARAMETERS, None)
        if (original := left.pop(ORIGINAL, None)) is not None:
            left[PARAMETERS] = original
    return left


def sidecar_path(path: str | os.PathLike[str]) -> Path:
    """NAME.EXT.overpaint.json beside NAME.EXT."""
    target = Path(path)
    return target.with_name(target.name + SIDECAR_SUFFIX)


def _in_text(metadata: Metadata, record: Record) -> Metadata:
    earlier = metadata.text.get(PARAMETERS)
    kept = {} if earlier is None or ORIGINAL in metadata.text else {ORIGINAL: earlier}
    ours = {PARAMETERS: infotext(record), PNG_RECORD: record.to_json(indent=None)}
    return replace(metadata, text={**metadata.text, **kept, **ours})


def _in_comment(metadata: Metadata, record: Record, format: str) -> Metadata:
    """The infotext as UserComment, or as an XMP property where the comment is a person's own or has no room for it."""
    text, comment = infotext(record), user_comment(metadata.exif)
    exif = with_user_comment(metadata.exif, text) if format != "tiff" and not _is_personal(comment) else None
    if exif is None or (format == "jpeg" and len(exif) > _EXIF_SEGMENT):
        return replace(metadata, xmp=with_property(metadata.xmp, NAMESPACE, PARAMETERS, text))
    xmp = metadata.xmp
    if comment and not _is_ours(comment) and not _property(xmp, ORIGINAL):
        xmp = with_property(xmp, NAMESPACE, ORIGINAL, comment)
    return replace(metadata, exif=exif, xmp=xmp)


def _in_xmp(metadata: Metadata, record: Record, format: str) -> Metadata:
    candidates = (record, _light(record), *((_alone(_light(record)),) if record.enhanced and record.earlier else ()))
    for candidate in candidates:
        xmp = with_property(metadata.xmp, NAMESPACE, "record", candidate.to_json(indent=None))
        if format != "jpeg" or len(xmp) <= _XMP_SEGMENT:
            return replace(metadata, xmp=xmp)
    return metadata


def _light(record: Record) -> Record:
    """The record without inline rasters; their digests name them."""
    note = "the mask or sketch did not fit into this file's metadata, and is only named by its digest"
    light = Record.from_mapping(without_codes(record.to_mapping()))
    return light.model_copy(update={"notes": (*record.notes, note)})


def _alone(record: Record) -> Record:
    """The record of an enhancement without that of the picture before."""
    note = "the record of the picture before did not fit into this file's metadata, and is left out"
    return record.model_copy(update={"earlier": None, "notes": (*record.notes, note)})


def _property(xmp: bytes | None, name: str) -> str | None:
    return read_property(xmp, NAMESPACE, name) or None


def _is_ours(comment: str | None) -> bool:
    return parse_infotext(comment or "").settings.get("Version", "").startswith("overpaint ")


def _is_personal(comment: str | None) -> bool:
    """Whether a comment is a person's own: no tool's generation parameters."""
    return bool(comment and comment.strip()) and from_comment(comment or "") is None
