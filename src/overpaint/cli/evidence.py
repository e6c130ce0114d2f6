"""The audit log that a verb adds to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from overpaint.audit import AuditLog, MaskFile, Secret
    from overpaint.studio import Edited, Saved


@dataclass(frozen=True, slots=True)
class Evidence:
    """A log, and the parts that all records of one call share.

    Attributes:
        log: The log.
        masks: The files that the mask is read from.
        secret: The key of private mode, or None.
    """

    log: AuditLog
    masks: tuple[MaskFile, ...]
    secret: Secret | None

    @classmethod
    def opened(cls, path: str, masks: Sequence[Path], private: bool) -> Evidence:
        """Open a log before any painting. Raises OutputError or MaskError."""
        from overpaint.audit import AuditLog, Secret, mask_file

        log = AuditLog(path)
        log.check()
        known = tuple(mask_file(mask, log.path.parent) for mask in masks)
        return cls(log, known, Secret.beside(log.path, make=True) if private else None)

    def add(self, edited: Edited, saved: Saved) -> None:
        """Append the record of an edit. Raises OutputError; the picture is kept."""
        from overpaint.audit import edit_record

        self.log.append(edit_record(edited, saved, masks=self.masks, folder=self.log.path.parent, secret=self.secret))
