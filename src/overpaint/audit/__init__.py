"""Audit: hash-chained evidence of every edit. Written while work is done, and never read to decide anything.

`AuditLog(path).append(edit_record(edited, saved))` writes one line; `verify` names the first fault of a log, `find`
finds the record of a picture, `replay` runs it again, `to_prov` and `to_csv` give it to other tools.
"""

from __future__ import annotations

from ._export import to_csv, to_prov
from ._find import Entry, entries, find, log_at
from ._line import Head, head_path, read_head
from ._log import AuditLog
from ._note import Note
from ._record import AuditRecord, InputFile, MaskFile, ModelUsed, OutputFile, Who, edit_record, mask_file
from ._replay import Difference, Replayed, difference, replay, request_again
from ._secret import Secret
from ._verify import Fault, Verdict, verify

__all__ = [
    "AuditLog",
    "AuditRecord",
    "Difference",
    "Entry",
    "Fault",
    "Head",
    "InputFile",
    "MaskFile",
    "ModelUsed",
    "Note",
    "OutputFile",
    "Replayed",
    "Secret",
    "Verdict",
    "Who",
    "difference",
    "edit_record",
    "entries",
    "find",
    "head_path",
    "log_at",
    "mask_file",
    "read_head",
    "replay",
    "request_again",
    "to_csv",
    "to_prov",
    "verify",
]
