"""What a manifest says of a result: the claim and its actions (C2PA 2.2, 10.3 and 18.14), as the library takes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from overpaint.geometry import Box
from overpaint.record import version
from overpaint.record.provenance import EditStatement, Provenance

from ._library import MIME_TYPES

PARENT = "original"
"""The label by which actions name the original while a manifest is made."""

PREVIEW = "overpaint.preview"
"""The reason of a redaction: a preview shows the picture as it was."""


def definition(provenance: Provenance, format: str, redacted: Sequence[str] = ()) -> dict[str, Any]:
    """The manifest of a result.

    Its actions: the original was opened; previews in its manifests were left out; it was edited, once for each edit; it
    got a watermark; it was converted, where the format is another one.

    Args:
        provenance: The origin of the result.
        format: Its format.
        redacted: The assertions of earlier manifests that are left out, by their URI.
    """
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    opened: dict[str, Any] = {"action": "c2pa.opened", "parameters": {"ingredientIds": [PARENT]}}
    if provenance.claimed is not None and provenance.claimed.generative:
        # its own manifest, where it has one, may not say so, and readers of C2PA do not look into XMP
        opened |= {"digitalSourceType": provenance.claimed.uri, "description": "as the original's metadata say"}
    actions: list[dict[str, Any]] = [opened]
    actions += [{"action": "c2pa.redacted", "reason": PREVIEW, "parameters": {"redacted": uri}} for uri in redacted]
    actions += [_edited(one, private=provenance.private) for one in provenance.edits]
    if mark := provenance.watermark:
        where = "in the whole picture" if mark.area == "whole" else "where the edits changed pixels"
        # not c2pa.watermarked, which asks for the mark's value and an algorithm of C2PA's own list
        actions.append({"action": "c2pa.edited", "description": f"watermark {mark.name}, {where}"})
    if provenance.original.format not in (None, format):
        actions.append({"action": "c2pa.converted"})
    for one in actions:
        one["when"] = now
    return {
        "claim_version": 2,
        "claim_generator_info": [{"name": "Overpaint", "version": version()}],
        "format": MIME_TYPES[format],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}],
        **({"redactions": list(redacted)} if redacted else {}),
    }


def parent(provenance: Provenance) -> dict[str, Any]:
    """The ingredient that a result was made of. In private mode the name of its file is left out."""
    path = provenance.original.path
    named = {} if path is None or provenance.private else {"title": path.name}
    return {**named, "relationship": "parentOf", "label": PARENT}


def _edited(edit: EditStatement, *, private: bool) -> dict[str, Any]:
    changes = [{"region": [_region(box)]} for box in edit.boxes]
    return {
        "action": "c2pa.edited",
        "digitalSourceType": edit.source_type.uri,
        "softwareAgent": {"name": "Overpaint", "version": edit.overpaint or version()},
        "description": "; ".join(_words(edit, private=private)),
        **({"changes": changes} if changes else {}),
    }


def _words(edit: EditStatement, *, private: bool) -> Iterator[str]:
    yield f"{edit.intent}, engine {edit.engine}"
    if edit.models and not private:
        yield f"model {', '.join(edit.models)}"
    if edit.prompt and not private:
        yield f"prompt {edit.prompt!r}"


def _region(box: Box) -> dict[str, Any]:
    """A rectangle in pixels (C2PA 2.2, 18.2: regions of interest)."""
    return {
        "type": "spatial",
        "shape": {
            "type": "rectangle",
            "unit": "pixel",
            "origin": {"x": float(box.left), "y": float(box.top)},
            "width": float(box.width),
            "height": float(box.height),
        },
    }
