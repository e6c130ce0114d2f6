"""The record of one edit as evidence: input, settings, models, operator and output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from overpaint.errors import MaskError
from overpaint.files import digest_in_time
from overpaint.record import Record, StoredRecord
from overpaint.request import ResolvedRequest, UsedModel
from overpaint.studio import Edited, Enhanced, Saved, pixel_digest
from overpaint.values import Listed, Value, canonical_json

from ._line import id_of
from ._note import now
from ._operator import Operator
from ._secret import Secret

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class InputFile(Value):
    """The picture that was edited.

    Attributes:
        place: Its path, relative to the log's folder with forward slashes when it lies within, or its address.
        sha256: Digest of the file; None for a picture that came from memory.
        pixels_sha256: Digest of its pixels, as an output's: it links the edits of a chain.
    """

    place: str | None = None
    sha256: Digest | None = None
    pixels_sha256: Digest


class MaskFile(Value):
    """A file that a mask was read from: its place, as an input's, and its digest."""

    place: str
    sha256: Digest


class OutputFile(Value):
    """The file that was written. Attributes as of `overpaint.studio.Saved`."""

    place: str
    format: str
    sha256: Digest
    bytes: Annotated[int, Field(ge=0)]
    pixels_sha256: Digest
    fidelity: str
    reach: Annotated[int, Field(ge=0)]
    changed: Annotated[int, Field(ge=0)]
    largest: Annotated[int, Field(ge=0)]


class ModelUsed(Value):
    """An engine, or a file of weights that it used: a checkpoint, an eraser, another VAE, a LoRA.

    Attributes:
        name: As in the request.
        digest: Digest of an engine's card, or SHA-256 of a file; "" where it is not known.
        licence: Its licence; "" where it is not known.
        accepted: The day on which the user accepted that licence; None where none need be accepted.
    """

    name: str
    digest: str = ""
    licence: str = ""
    accepted: str | None = None


class Review(Value):
    """What a person decided on a result that had been set aside as doubtful.

    Attributes:
        verdict: "accepted": the file has its own name now. "rejected": it was removed.
        made: Time in UTC.
        who: The operator.
    """

    verdict: Literal["accepted", "rejected"]
    made: str
    who: Operator

    @classmethod
    def of(cls, verdict: Literal["accepted", "rejected"]) -> Review:
        """A review by the user of this process, with the present time."""
        return cls(verdict=verdict, made=now(), who=Operator.here())


NOTES_GONE = ("the notes are left out, as they may quote the prompt",)


def as_record(value: Any) -> Any:
    """A record's table as the record; anything else as it is."""
    return Record.from_mapping(value) if isinstance(value, Mapping) else value


class SessionPlace(Value):
    """An action of a session.

    Attributes:
        place: The session's path, as an input's.
        id: Digest of its first file, which names the original by its digest.
        number: The action's, from 1; 0 is the beginning.
        entry: Digest of its entry in the session's journal, each of which names the one before: it stands for all that
            the session was then.
    """

    place: str
    id: Digest
    number: Annotated[int, Field(ge=0)]
    entry: Digest


class AuditRecord(StoredRecord):
    """One edit.

    Attributes:
        kind: "edit".
        made: Time of its end, in UTC.
        edit: Its record: request, resolved request, execution, regions, digests of pixels, timings. In private mode
            without prompts.
        input, output: The files.
        masks: Files that the mask was read from.
        models: The engine, and every file of weights that it used, with their licences.
        who: The operator.
        attempt: Number of the attempt, from 1.
        hidden: In private mode the keyed hashes of the texts that are private, by setting (see `Secret`).
        variation: What a batch added to the row's seed, as results with smaller ones were doubtful or rejected.
        removed: Places of earlier outputs that this one takes the place of, and that are gone.
        review: Of a record that repeats the one of a doubtful result: what a person decided on it.
        session: Of a file that a session was exported to: the session, and its last action.
    """

    title = "audit record"

    kind: Literal["edit"] = "edit"
    made: str
    edit: Annotated[Record, BeforeValidator(as_record)]
    input: InputFile
    masks: Listed[tuple[MaskFile, ...]] = ()
    output: OutputFile
    models: Listed[tuple[ModelUsed, ...]]
    who: Operator = Field(default_factory=Operator)
    attempt: Annotated[int, Field(ge=1)] = 1
    hidden: Mapping[str, str] = {}
    variation: Annotated[int, Field(ge=0)] = 0
    removed: Listed[tuple[str, ...]] = ()
    review: Review | None = None
    session: SessionPlace | None = None

    @property
    def id(self) -> str:
        """The record's id: half of the digest of its JSON."""
        return id_of(self.to_json())

    @property
    def began(self) -> str:
        """Time of its start, by its timings."""
        seconds = sum(self.edit.timings.values())
        start = datetime.fromisoformat(self.made).astimezone(UTC) - timedelta(seconds=seconds)
        return start.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def to_mapping(self) -> dict[str, Any]:
        """Plain JSON values. A raster that is inline in the request is written only once."""
        found = {**super().to_mapping(), "edit": self.edit.to_mapping()}
        for name in ("variation", "removed"):
            if not getattr(self, name):
                found.pop(name, None)
        return found

    def reviewed(self, review: Review, place: str | None = None) -> AuditRecord:
        """The record with a review: of an accepted result with its new place, of a rejected one without."""
        output = self.output if place is None else self.output.model_copy(update={"place": place})
        return self.model_copy(update={"output": output, "removed": (self.output.place,), "review": review})

    def to_json(self) -> str:
        """Canonical JSON, as in the log."""
        return canonical_json(self.to_mapping())


def edit_record(
    edited: Edited | Enhanced,
    saved: Saved,
    *,
    attempt: int = 1,
    masks: Sequence[MaskFile] = (),
    who: Operator | None = None,
    folder: Path | None = None,
    source: str | None = None,
    target: str | None = None,
    variation: int = 0,
    removed: Sequence[str] = (),
    secret: Secret | None = None,
) -> AuditRecord:
    """The record of a finished edit.

    Args:
        edited: The edit.
        saved: The file that it was saved to; it may be written later.
        attempt: Number of the attempt, from 1.
        masks: Files that the mask was read from.
        who: The operator; the user of this process when left out.
        folder: The log's folder; files within it are named relative to it, so that it may be moved.
        source, target: Paths or addresses of input and output, where `edited` and `saved` do not have them.
        variation: What was added to the seed that was asked for.
        removed: Paths or addresses of earlier outputs that the file takes the place of.
        secret: Private mode: prompts are replaced by hashes under this key.
    """
    original = edited.original
    path = source or original.source.path
    raster = None if edited.resolved.image is None else edited.resolved.image.sha256
    record = saved.record(edited.record)
    record, hidden = (record, {}) if secret is None else without_prompts(record, secret, edited.notes_without_prompt)
    return AuditRecord(
        made=now(),
        edit=record,
        input=InputFile(
            place=None if path is None else place_of(path, folder),
            sha256=original.source.sha256,
            pixels_sha256=pixel_digest(original, raster),
        ),
        masks=tuple(masks),
        output=output_file(saved, folder, target),
        models=models_used(record.resolved, edited.licence),
        who=Operator.here() if who is None else who,
        attempt=attempt,
        hidden=hidden,
        variation=variation,
        removed=tuple(place_of(one, folder) for one in removed),
    )


def place_of(path: Path | str, folder: Path | None = None) -> str:
    """A path for a record: relative with forward slashes when it is within `folder`, else absolute; or an address."""
    if "://" in str(path):
        return str(path)
    whole = Path(path).absolute()
    if folder is not None and whole.is_relative_to(folder.absolute()):
        return whole.relative_to(folder.absolute()).as_posix()
    return str(whole)


def file_at(place: str, folder: Path) -> Path | None:
    """The path of a place; None for an address."""
    return None if "://" in place else folder / place


def mask_file(path: Path, folder: Path | None = None) -> MaskFile:
    """A mask's file and its digest. Raises MaskError when it can't be read."""
    try:
        digest = digest_in_time(path)
    except OSError as error:
        raise MaskError(f"the mask {path} can't be read: {error.strerror or error}") from None
    return MaskFile(place=place_of(path, folder), sha256=digest)


def output_file(saved: Saved, folder: Path | None, target: str | None = None) -> OutputFile:
    """A file that was written; `target` is its path or address where it is written later."""
    return OutputFile(
        place=place_of(target or saved.path, folder),
        bytes=saved.size,
        **{name: getattr(saved, name) for name in OutputFile.model_fields.keys() - {"place", "bytes"}},
    )


def models_used(resolved: ResolvedRequest, licence: str) -> tuple[ModelUsed, ...]:
    """The engine with its licence, and the files of weights that it used."""
    engine = ModelUsed(name=resolved.engine, digest=resolved.engine_digest, licence=_known(licence))
    used = resolved.models
    files = (
        ModelUsed(name=one.name, digest=one.sha256, licence=_known(one.licence), accepted=one.accepted) for one in used
    )
    return (engine, *files)


def _known(licence: str) -> str:
    return "" if licence == "unknown" else licence


def _without_names(used: Iterable[UsedModel]) -> tuple[UsedModel, ...]:
    """The models; those that a prompt names are called by their role, as the name is a word of the prompt."""
    prompted = ("lora", "embedding")
    return tuple(one.model_copy(update={"name": one.role}) if one.role in prompted else one for one in used)


def without_prompts(record: Record, secret: Secret, notes: tuple[str, ...]) -> tuple[Record, dict[str, str]]:
    """The record with these notes and without the request's prompts, and the hashes of those. The intents' own prompts
    are not secret. The records before it have no prompts and no notes.
    """
    texts = record.request.private_texts
    gone = dict.fromkeys(texts)
    resolved = record.resolved.model_copy(update={**gone, "models": _without_names(record.resolved.models)})
    before = (without_prompts(one, secret, NOTES_GONE if one.notes else ())[0] for one in record.earlier or ())
    own = {"request": record.request.merged(**gone), "resolved": resolved, "notes": notes}
    bare = record.model_copy(update={**own, "earlier": tuple(before) or None})
    return bare, {name: secret.hash(text) for name, text in texts.items()}
