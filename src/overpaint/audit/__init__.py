"""Audit: hash-chained evidence of every edit. It is written, and never read to decide anything.

`AuditLog(path).append(edit_record(edited, saved))` writes one line; `verify` names the first fault of a log, `find`
finds the record of a picture, `replay` runs it again, `to_prov` and `to_csv` export a log.
"""

from __future__ import annotations

from ._chain import Fault
from ._export import spreadsheet_safe, to_csv, to_prov
from ._find import LogEntry, entries, find, log_at
from ._head import head_bytes, head_path, read_head
from ._key import AuditKey
from ._line import ChainHead, id_of
from ._log import AuditLog
from ._note import LogCheckpoint, LogNote, RemovedFile
from ._operator import Operator
from ._outputs import LoggedOutput, logged_outputs
from ._record import (
    AuditRecord,
    InputFile,
    MaskFile,
    ModelUsed,
    OutputFile,
    Review,
    SessionPlace,
    edit_record,
    mask_file,
    place_of,
)
from ._record_compared import export_contradictions
from ._replay import Difference, FileComparison, Replayed, difference, file_comparison, replay, request_again
from ._secret import Secret
from ._session import SessionAudit, logged_actions, logged_takes, session_faults
from ._session_record import LoggedTake, SessionRecord
from ._session_replay import ReplayedTake, replay_session
from ._verify import Verdict, verify
from ._witness import LogLedger, Witness

__all__ = [
    "AuditKey",
    "AuditLog",
    "AuditRecord",
    "ChainHead",
    "Difference",
    "Fault",
    "FileComparison",
    "InputFile",
    "LogCheckpoint",
    "LogEntry",
    "LogLedger",
    "LogNote",
    "LoggedOutput",
    "LoggedTake",
    "MaskFile",
    "ModelUsed",
    "Operator",
    "OutputFile",
    "RemovedFile",
    "Replayed",
    "ReplayedTake",
    "Review",
    "Secret",
    "SessionAudit",
    "SessionPlace",
    "SessionRecord",
    "Verdict",
    "Witness",
    "difference",
    "edit_record",
    "entries",
    "export_contradictions",
    "file_comparison",
    "find",
    "head_bytes",
    "head_path",
    "id_of",
    "log_at",
    "logged_actions",
    "logged_outputs",
    "logged_takes",
    "mask_file",
    "place_of",
    "read_head",
    "replay",
    "replay_session",
    "request_again",
    "session_faults",
    "spreadsheet_safe",
    "to_csv",
    "to_prov",
    "verify",
]
