"""Records: how a picture was made, written into it and read back.

A `Record` is written into the file (`embed`) or beside it (`sidecar_path`); `read_record` reads ours and those of other
tools. `provenance` is what a file says of its origin to programs that know nothing of Overpaint.
"""

from __future__ import annotations

from ._claims import StatedOrigin, declared_type, said_types, stated_origin, type_of_record
from ._embed import NAMESPACE, SIDECAR_SUFFIX, embed, sidecar_path, strip
from ._foreign import option_value
from ._found import generator_of, read_record
from ._marks import MarksRecord, ProvenanceMode, WatermarkRecord
from ._record import ENHANCERS, FACES, TEACHES, UPSCALER, FoundRecord, Record, RegionRecord, StoredRecord, version
from .controlnet import (
    CONTROL_MODES,
    CONTROL_MODULES,
    ControlModule,
    ReadControls,
    control_module,
    network_name,
    read_controls,
    usual_module,
)
from .infotext import Infotext, infotext, parse_infotext
from .provenance import (
    EditStatement,
    Marking,
    Provenance,
    Seal,
    SealedFile,
    declaring,
    in_one_packet,
    provenance_of,
    with_statement,
)
from .source_type import SourceType, joined_types, source_type_named, type_of_edit
from .watermarks import FoundWatermark, Watermark, WatermarkChoice, found_watermark, watermark_names

__all__ = [  # noqa: RUF022 - in plain alphabetical order, as a test of the house has it
    "CONTROL_MODES",
    "CONTROL_MODULES",
    "ControlModule",
    "ENHANCERS",
    "EditStatement",
    "FACES",
    "FoundRecord",
    "FoundWatermark",
    "Infotext",
    "Marking",
    "MarksRecord",
    "NAMESPACE",
    "Provenance",
    "ProvenanceMode",
    "ReadControls",
    "Record",
    "RegionRecord",
    "SIDECAR_SUFFIX",
    "Seal",
    "SealedFile",
    "SourceType",
    "StatedOrigin",
    "StoredRecord",
    "TEACHES",
    "UPSCALER",
    "Watermark",
    "WatermarkChoice",
    "WatermarkRecord",
    "control_module",
    "declared_type",
    "declaring",
    "embed",
    "found_watermark",
    "generator_of",
    "in_one_packet",
    "infotext",
    "joined_types",
    "network_name",
    "option_value",
    "parse_infotext",
    "provenance_of",
    "read_controls",
    "read_record",
    "said_types",
    "sidecar_path",
    "source_type_named",
    "stated_origin",
    "strip",
    "type_of_edit",
    "type_of_record",
    "usual_module",
    "version",
    "watermark_names",
    "with_statement",
]
