"""Records: how a picture was made, written into it and read back.

A `Record` is written into the file (`embed`) or beside it (`sidecar_path`); `read_record` reads ours and those of other
tools.
"""

from __future__ import annotations

from ._embed import NAMESPACE, SIDECAR_SUFFIX, embed, sidecar_path, strip
from ._found import read_record
from ._record import FoundRecord, Record, RegionRecord, StoredRecord, version
from .infotext import Infotext, infotext, parse_infotext

__all__ = [  # noqa: RUF022 - in plain alphabetical order, as a test of the house has it
    "FoundRecord",
    "Infotext",
    "NAMESPACE",
    "Record",
    "RegionRecord",
    "SIDECAR_SUFFIX",
    "StoredRecord",
    "embed",
    "infotext",
    "parse_infotext",
    "read_record",
    "sidecar_path",
    "strip",
    "version",
]
