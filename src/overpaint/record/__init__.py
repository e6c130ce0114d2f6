"""How a picture was made, written into it and read back.

A `Record` goes into the file (`embed`) or beside it (`sidecar_path`); `read_record` finds ours and what other tools
wrote.
"""

from __future__ import annotations

from ._embed import NAMESPACE, embed, sidecar_path, strip
from ._found import Found, read_record
from ._record import Record, RegionRecord, version
from .infotext import Infotext, infotext, parse_infotext

__all__ = [  # noqa: RUF022 - in plain alphabetical order, as a test of the house has it
    "Found",
    "Infotext",
    "NAMESPACE",
    "Record",
    "RegionRecord",
    "embed",
    "infotext",
    "parse_infotext",
    "read_record",
    "sidecar_path",
    "strip",
    "version",
]
