"""The options of an audit log, and the log that they ask for: the same for single edits and for sessions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from overpaint.errors import RequestError

from .result_options import Audited

if TYPE_CHECKING:
    from overpaint.audit import AuditLog, MaskFile, Secret, SessionAudit


def check_audited(audited: Audited) -> None:
    """Raise RequestError for options about the log without a log."""
    if audited.audit is not None:
        return
    if audited.private:
        message = "--private is about the audit log: give --audit PATH too (--record none embeds nothing)"
        raise RequestError(message, field="private", value=True)
    for field, given in (("audit_key", audited.audit_key), ("accept_fault", audited.accept_fault)):
        if given:
            raise RequestError("{field} is about the audit log: give --audit PATH too", field=field, value=given)


def log_of(audited: Audited) -> AuditLog | None:
    """The log, which takes lines, or None where none is asked for.

    Raises:
        OutputError, CredentialsError: It can't be written, or is at fault; the key can't be read.
    """
    if audited.audit is None:
        return None
    from overpaint.audit import AuditLog
    from overpaint.batch import LogWitness

    from .audit import key_of

    path = Path(audited.audit)
    log = AuditLog(path, key=key_of(audited.audit_key), ledger=LogWitness.beside(path))
    if audited.accept_fault:
        log.accept_faults()
    log.check()
    return log


def mask_files(log: AuditLog, files: Iterable[Path]) -> list[MaskFile]:
    """The mask files of an edit as its record has them. Raises MaskError for one that can't be read."""
    from overpaint.audit import mask_file

    return [mask_file(file, log.path.parent) for file in files]


def secret_of(audited: Audited, log: AuditLog) -> Secret | None:
    """What hashes prompts in private mode: the log's salt, made where there is none."""
    from overpaint.audit import Secret

    return Secret.beside(log.path, make=True) if audited.private else None


def session_audit(audited: Audited, masks: Iterable[Path] = ()) -> SessionAudit | None:
    """What records the actions of a session; None where no log is asked for. Raises as `log_of` and `mask_files`."""
    check_audited(audited)
    log = log_of(audited)
    if log is None:
        return None
    from overpaint.audit import SessionAudit

    return SessionAudit(log, masks=mask_files(log, masks), secret=secret_of(audited, log), accept=audited.accept_fault)
