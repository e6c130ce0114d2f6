"""The picture of a session as a file: flat, with the record of its edits, or in layers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from overpaint.audit import SessionAudit
from overpaint.files import not_written
from overpaint.layers import check_layered, layers_notes, write_layers
from overpaint.picture import encode, format_of_result
from overpaint.server.decoding import PictureFacts
from overpaint.server.tasks import OutputSettings
from overpaint.session import Session
from overpaint.studio import FinishedPicture, Rendered

from .pool import SessionPool


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file that was made to be sent.

    Attributes:
        path: Where; its sender removes it.
        format: "png", "psd", ...
        notes: For people.
    """

    path: Path
    format: str
    notes: tuple[str, ...] = ()


def exported(pool: SessionPool, owner: str, id: str, wanted: OutputSettings) -> ExportedFile:
    """Write the present picture into a file of the server's own.

    Raises:
        OutputError: The format can't hold the picture, or the disk is full.
        SessionError: The session is damaged.
    """
    path = pool.store.scratch()
    try:
        if wanted.layers is not None:
            return _layered(pool, owner, id, wanted, path)
        data, format, notes = _flat(pool, owner, id, wanted)
        path.write_bytes(data)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise not_written(path, error) from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return ExportedFile(path, format, notes)


def flattened(pool: SessionPool, owner: str, id: str, wanted: OutputSettings) -> tuple[bytes, PictureFacts]:
    """The present picture as the file of a stored picture, and what is known of it. Errors as for `exported`."""
    data, format, notes = _flat(pool, owner, id, wanted)
    picture = pool.read(owner, id, lambda session: session.picture)
    facts = PictureFacts(
        id=hashlib.sha256(data).hexdigest(),
        format=format,
        width=picture.size.width,
        height=picture.size.height,
        mode=picture.mode,
        bytes=len(data),
        transparent=picture.alpha is not None and bool((picture.alpha < picture.maximum).any()),
        notes=notes,
    )
    return data, facts


def _flat(pool: SessionPool, owner: str, id: str, wanted: OutputSettings) -> tuple[bytes, str, tuple[str, ...]]:
    """The bytes of a flat file, its format, and notes. Only what was read of the session is needed while it is made."""

    def read(session: Session) -> FinishedPicture | None:
        return session.flatten() if any(step.visible and step.opacity > 0 for step in session.steps) else None

    finished = pool.read(owner, id, read)
    if finished is None:
        return _untouched(pool, owner, id, wanted)
    record = "none" if wanted.private else wanted.record
    rendered = finished.render(wanted.format, quality=wanted.quality, record=record, marking=wanted.marking)
    pool.read(owner, id, lambda session: _audited(session, finished, rendered))
    return rendered.data, rendered.format, rendered.notes


def _audited(session: Session, finished: FinishedPicture, rendered: Rendered) -> None:
    if isinstance(session.recorder, SessionAudit):
        name = session.path.with_name(f"export.{rendered.format}")
        session.recorder.exported(session, finished, rendered.saved(name))


def _untouched(pool: SessionPool, owner: str, id: str, wanted: OutputSettings) -> tuple[bytes, str, tuple[str, ...]]:
    """The original where no step shows: its own file, unless another format or quality is asked for."""
    original = pool.read(owner, id, lambda session: session.original)
    own = original.source.format
    format = format_of_result(own, wanted.format, alpha=original.alpha is not None)
    note = ("no step shows: it is the original",)
    if format == own and wanted.quality is None and original.source.data is not None:
        return original.source.data, format, note
    return encode(original, format, quality=wanted.quality).data, format, note


def _layered(pool: SessionPool, owner: str, id: str, wanted: OutputSettings, path: Path) -> ExportedFile:
    """A layered file. Its layers are read while it is written, so that the session is held."""
    assert wanted.layers is not None
    format = wanted.layers

    def written(session: Session) -> tuple[str, ...]:
        layered = session.layered(record="none" if wanted.private else wanted.record, marking=wanted.marking)
        check_layered(format, layered.merged.size, layered.merged.colour)
        with path.open("xb") as file:
            write_layers(layered, format, file)
        return layers_notes(layered, format)

    return ExportedFile(path, format, pool.read(owner, id, written))
