"""Options about results: where they go, how they are marked, and the evidence of what was done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from .options import FORMATS, OUT, AsJson, Debug, Overwrite, Quality, Quiet, argument, flattened, switch

RecordPlace = Literal["embed", "sidecar", "none"]
ProvenanceKind = Literal["embed", "prompt", "none"]
Area = Literal["patch", "whole"]

Provenance = Annotated[
    ProvenanceKind,
    argument(
        "--provenance",
        "What the file says of its origin in XMP: where its pixels came from, that and the prompt, or nothing.",
        OUT,
    ),
]
WatermarkName = Annotated[
    str | None,
    argument(
        "--watermark", "Put this imperceptible mark into the pixels; a package of another has to bring it.", OUT, "NAME"
    ),
]
WatermarkPlace = Annotated[
    Area,
    argument(
        "--watermark-area",
        "Where it may change pixels: where the edit did, or in the whole picture, which then differs everywhere.",
        OUT,
    ),
]
WatermarkText = Annotated[str | None, argument("--watermark-payload", "What it holds.", OUT, "TEXT")]
AuditKeyFile = Annotated[
    str | None,
    argument(
        "--audit-key", "Sign the audit log with this private key ('overpaint audit keygen' makes one).", OUT, "FILE"
    ),
]
AcceptFault = Annotated[
    bool,
    switch("--accept-fault", "Append to an audit log that is at fault; that, and who did it, is recorded in it.", OUT),
]


@flattened(OUT)
@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs results. The extra `c2pa` is needed."""

    c2pa_cert: Annotated[
        str | None,
        argument(
            "--c2pa-cert",
            "Sign with a C2PA manifest: the signer's certificate, then those that vouch for it ('overpaint provenance "
            "make-test-certificate' makes one for trying it out).",
            OUT,
            "FILE.pem",
        ),
    ] = None
    c2pa_key: Annotated[
        str | None, argument("--c2pa-key", "Its private key, in a file that only you can read.", OUT, "FILE.pem")
    ] = None
    c2pa_timestamp: Annotated[
        str | None,
        argument("--c2pa-timestamp", "Ask this time-stamping authority to certify when it was signed.", OUT, "URL"),
    ] = None
    c2pa_thumbnails: Annotated[
        bool,
        switch("--c2pa-thumbnails", "Put small pictures of the result and of the original into the manifest.", OUT),
    ] = False


SIGNING_UNSET = Signing()


@flattened(OUT)
@dataclass(frozen=True, slots=True)
class Audited:
    """Where evidence of what is done is kept.

    Attributes:
        audit: Also append a record to this audit log ('overpaint audit verify PATH' checks it).
        private: Keep prompts out of the audit log, but for their hashes, and any record out of the picture.
    """

    audit: Annotated[str | None, Parameter(metavar="PATH")] = None
    audit_key: AuditKeyFile = None
    accept_fault: AcceptFault = False
    private: bool = False


AUDITED_UNSET = Audited()


@flattened(OUT)
@dataclass(frozen=True, slots=True)
class ResultOut:
    """Where results go, and what they say of how they were made.

    Attributes:
        record: How the picture was made: within the file, beside it, or nowhere.
    """

    output: Annotated[
        str | None,
        Parameter(
            alias="-o",
            help="The result; - writes it to standard output. A name without extension is a folder. For several: that, "
            "or a name with {name}. Left out: NAME.VERB.EXT beside the picture.",
            metavar="OUT",
        ),
    ] = None
    overwrite: Overwrite = False
    format: Annotated[
        str | None, Parameter(help=f"{FORMATS}. Left out: by the name of OUT, else as the picture.", metavar="NAME")
    ] = None
    quality: Quality = None
    record: RecordPlace = "embed"
    provenance: Provenance = "embed"
    watermark: WatermarkName = None
    watermark_area: WatermarkPlace = "patch"
    watermark_payload: WatermarkText = None
    signing: Signing = SIGNING_UNSET
    audited: Audited = AUDITED_UNSET
    json: AsJson = False
    quiet: Quiet = False
    debug: Debug = False

    @property
    def private(self) -> bool:
        """Whether prompts are kept out of every file."""
        return self.audited.private

    @property
    def companions(self) -> dict[str, str | None]:
        """The names of files that are written beside a result, by their options."""
        return {}


@flattened(OUT)
@dataclass(frozen=True, slots=True)
class Out(ResultOut):
    """The same for verbs that paint, and what is written beside results.

    Attributes:
        compare: Also before, mask and after side by side.
        layers: Also a layered file (PSD, PSB or OpenRaster): original, patch and mask.
    """

    compare: Annotated[str | None, Parameter(metavar="OUT.png")] = None
    sheet: Annotated[
        bool | None,
        Parameter(
            help="With --variations, also a contact sheet NAME-sheet with the seed under each; --no-sheet makes none.",
            negative="--no-sheet",
            show_default="yes, for 2 or more",
        ),
    ] = None
    layers: Annotated[str | None, Parameter(metavar="OUT.psd")] = None

    @property
    def companions(self) -> dict[str, str | None]:
        """See `ResultOut`."""
        return {"compare": self.compare, "layers": self.layers}


RESULT_OUT = ResultOut()
