"""The audit log that a verb adds to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from overpaint.studio import Edited, Saved

Recorder: TypeAlias = "Callable[[Edited, Saved], object]"
"""Appends the record of an edit to a log. Raises OutputError; the picture is kept."""


def recorder(path: str, masks: Sequence[Path], private: bool) -> Recorder:
    """Open a log before any painting.

    Args:
        path: The log.
        masks: The files that the mask is read from.
        private: Whether prompts are hashed with the log's key.

    Raises:
        OutputError, MaskError: The log can't be written, or a mask can't be read.
    """
    from overpaint.audit import AuditLog, Secret, edit_record, mask_file

    log = AuditLog(path)
    log.check()
    folder = log.path.parent
    known = [mask_file(mask, folder) for mask in masks]
    secret = Secret.beside(log.path, make=True) if private else None
    return lambda edited, saved: log.append(edit_record(edited, saved, masks=known, folder=folder, secret=secret))
