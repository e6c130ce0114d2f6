"""The marks of a file, as its record has them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from overpaint.values import Value

ProvenanceMode = Literal["embed", "prompt", "none"]
"""What a file says of its origin: where its pixels came from, that and the prompt, or nothing."""


class WatermarkRecord(Value):
    """An imperceptible mark.

    Attributes:
        name: Its name.
        area: "patch": it changed pixels only where the edit did. "whole": it may have changed every pixel.
        payload: What it holds, in hexadecimal.
    """

    name: str
    area: Literal["patch", "whole"] = "patch"
    payload: Annotated[str, Field(pattern="^([0-9a-f]{2})*$")] = ""


class MarksRecord(Value):
    """The marks of a file.

    Attributes:
        provenance: What its XMP was to say.
        source_type: What its XMP says, by this edit or from the original: a term of `SourceType`, or a text that is
            none; "" for nothing.
        watermark: The imperceptible mark that it got; None for none.
        signer: Whose certificate its C2PA manifest has; "" where it is not signed, and in the record within the file,
            which is signed too.
        manifest_sha256: Digest of the manifest; None likewise.
    """

    provenance: ProvenanceMode = "embed"
    source_type: Annotated[str, Field(max_length=200)] = ""
    watermark: WatermarkRecord | None = None
    signer: str = ""
    manifest_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
