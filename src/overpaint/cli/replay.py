"""`overpaint replay`: run an edit again from its record."""

from __future__ import annotations

import contextlib
import glob
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from overpaint.doors.inputs import insert_from, mask_from, sketch_from
from overpaint.doors.reading import readers
from overpaint.errors import OverpaintError, RecordError, RequestError
from overpaint.files import READING, check_writable, digest_in_time, is_file
from overpaint.request import blob_of

from .audit import LogOption, What, entry, logs_with, lost_log, session_log
from .messages import DONE, FAILED, UNCOMPARED
from .options import OUT, RUN, WRITTEN_UNSET, AllowPickle, Device, Written
from .progress import bar
from .session_evidence import replay_of_export, replay_of_session
from .streams import check_one_reader, load, opened
from .texts import print_json, visible

if TYPE_CHECKING:
    from overpaint.audit import AuditRecord, Replayed
    from overpaint.geometry import Size
    from overpaint.picture import Picture
    from overpaint.record import Record

_GIVEN = Group("Given", sort_key=1, help="Inputs that the record names, but does not contain.")
_LONGEST = 200  # characters of a recorded name that a message gives


def replay(
    what: What,
    /,
    *,
    audit: LogOption = None,
    image: Annotated[str | None, Parameter(group=_GIVEN, metavar="FILE")] = None,
    mask: Annotated[tuple[str, ...], Parameter(group=_GIVEN, metavar="FILE")] = (),
    sketch: Annotated[str | None, Parameter(group=_GIVEN, metavar="FILE")] = None,
    control: Annotated[tuple[str, ...], Parameter(group=_GIVEN, metavar="FILE")] = (),
    insert: Annotated[str | None, Parameter(name="--with", group=_GIVEN, metavar="FILE")] = None,
    insert_mask: Annotated[str | None, Parameter(name="--with-mask", group=_GIVEN, metavar="FILE")] = None,
    prompt: Annotated[str | None, Parameter(group=_GIVEN, metavar="TEXT")] = None,
    negative_prompt: Annotated[str | None, Parameter(group=_GIVEN, metavar="TEXT")] = None,
    model: Annotated[str | None, Parameter(group=_GIVEN, metavar="NAME|FILE", show_default="by name")] = None,
    allow_pickle: AllowPickle = False,
    device: Annotated[Device, Parameter(group=RUN, metavar="NAME")] = "auto",
    output: Annotated[str | None, Parameter(alias="-o", group=OUT, metavar="OUT")] = None,
    written: Written = WRITTEN_UNSET,
) -> int:
    """Run an edit again, from its record in a log or in the picture itself, and say whether the file holds the same.

    Exit status 1 when it does not; 3 when the file could not be compared, or a log that lies with it does not know it.

    [dim]$[/] overpaint replay out/bench.remove.png
    [dim]$[/] overpaint replay 5f0c93 --audit out --image moved/bench.jpg

    Args:
        image: The picture that was edited, if it was moved.
        mask: A mask, or what was avoided, that was too large for the record, if it was moved. May be given again.
        sketch: The sketch, if it was moved.
        control: The image of a control that was too large for the record. May be given again.
        insert: The picture that was put in.
        insert_mask: The mask of that picture, where there was one.
        prompt: The prompt of a private record.
        negative_prompt: The negative prompt of a private record.
        model: The network of an enlargement or of restored faces, if it is no longer found by its name.
        device: Where engines with weights compute.
        output: Also keep what came out now.
    """
    from overpaint.audit import replay as again
    from overpaint.record import Marking, MarksRecord, WatermarkChoice
    from overpaint.studio import NetworkSource, Studio

    check_one_reader((image, *mask, sketch, *control))
    done = _of_session(what, audit, device, written)
    if done is not None:
        return done
    known = _known(what, audit)
    if output is not None:
        check_writable(output, overwrite=written.overwrite)
    picture = _picture(known, image)
    prompts = _prompts(known, {"prompt": prompt, "negative_prompt": negative_prompt})
    inputs = _inputs(known, picture, mask, sketch, control)
    inputs |= _put_in(known, insert, insert_mask, picture.size)
    execution = known.record.execution
    with (
        bar(quiet=written.quiet) as shown,
        Studio(
            device="cpu" if device == "auto" and execution.device == "cpu" else device, threads=execution.threads
        ) as studio,
    ):
        shown.say("painting")
        made, unread = _made(known)
        replayed = again(
            studio,
            known.record,
            picture,
            inputs=inputs,
            prompts=prompts,
            made=made,
            format=None if known.audit is None else known.audit.output.format,
            network=model,
            networks=NetworkSource(allow_pickle=allow_pickle, device=device),
            monitor=shown.monitor(),
        )
    replayed = replace(replayed, reason=unread or replayed.reason)
    if known.audit is not None and made is not None and made.source.sha256 != known.audit.output.sha256:
        equal = ", with equal pixels" if replayed.file == "same" else ""
        other = f"the file has other bytes than the log has of it{equal}"
        replayed = replace(replayed, notes=(*replayed.notes, other))
    if known.named:
        replayed = replace(replayed, notes=(*replayed.notes, f"the log has this content as {known.named}"))
    saved = None
    if output is not None:
        marks = known.record.marks or MarksRecord()
        mark = None if marks.watermark is None else WatermarkChoice.of_record(marks.watermark)
        private = known.audit is not None and bool(known.audit.hidden)
        marking = Marking(mode=marks.provenance, private=private, watermark=mark)
        saved = replayed.edited.save(output, overwrite=written.overwrite, marking=marking)
    if written.json:
        print_json({**mapping(replayed), "doubt": known.doubt or None, "output": saved and str(saved.path)})
    elif not written.quiet:
        doubt = f"{known.doubt}; by that record, " if known.doubt else ""
        print(visible(f"{what}: {doubt}{outcome(replayed)}"))
        for note in replayed.notes:
            print(visible(f"note: {note}"))
    if replayed.outcome == "different":
        return FAILED
    return DONE if replayed.outcome == "same" and not known.doubt else UNCOMPARED


def _of_session(what: str, audit: str | None, device: Device, written: Written) -> int | None:
    """Replay a session, one action of it, or a picture that it was exported to; None where it is none of these."""
    from overpaint.session import is_session

    path = Path(what)
    if is_session(path):
        log, unlogged = None, ""
        try:
            log = session_log(path, audit)
        except RecordError as error:
            if audit is not None:
                raise
            unlogged = str(error)
        return replay_of_session(path, log, None, device=device, written=written, unlogged=unlogged)
    try:
        found = entry(what, audit)
    except RecordError:
        return None
    if found.of_session:
        place = found.action.session
        return replay_of_session(
            found.log.parent / place.place, found.log, place.number, device=device, written=written
        )
    if found.record.session is None:
        return None
    return replay_of_export(what, found, path if is_file(path) else None, device=device, written=written)


@dataclass(frozen=True, slots=True)
class _Known:
    """An edit's record, and where the files that it names may be.

    Attributes:
        record: The record.
        folder: The folder that relative places start from.
        audit: The log's record, where it came from a log.
        made: The picture, where one was named.
        log: The log.
        doubt: Why the record is no evidence, in words; "" where nothing speaks against it.
        named: The place that the log has for the picture, where that is another one; "" otherwise.
    """

    record: Record
    folder: Path
    audit: AuditRecord | None = None
    made: Path | None = None
    log: Path | None = None
    doubt: str = ""
    named: str = ""

    @property
    def input_name(self) -> str | None:
        """The input's file name. Only the last part of a path counts: a picture's record must not lead elsewhere."""
        return Path(self.record.input_name or "").name or None

    def file(self, place: str | None) -> Path | None:
        """The file at a place of the record; None when it is missing."""
        if place is None or "://" in place:
            return None
        path = self.folder / place
        return path if is_file(path) else None

    def is_result(self, path: Path) -> bool:
        """Whether a file is the edit's result, and no longer its input."""
        result = self.made or (None if self.audit is None else self.file(self.audit.output.place))
        return result is not None and path.samefile(result) and _digest(path) != self.record.input_sha256


def _known(what: str, audit: str | None) -> _Known:
    """From the log that has it; otherwise from the picture itself."""
    from overpaint.record import read_record

    file = Path(what) if is_file(Path(what)) else None
    try:
        found = entry(what, audit)
    except RecordError as error:
        if file is None or audit is not None:
            raise
        embedded = read_record(file)
        if embedded is None or embedded.record is None:
            raise RecordError(f"{file} has no record of Overpaint's within or beside it, and {error}") from None
        near, lost = next(iter(logs_with(file)), None), lost_log(file)
        doubt = "" if near is None else f"{near} does not know this file, and the record is the one within it"
        if lost is not None:
            doubt = f"{lost}, the log of this batch, is gone or no file, and the record is the one within the picture"
        return _Known(embedded.record, file.parent, made=file, doubt=doubt)
    doubt = "" if found.whole else f"line {found.link.n} of {found.log} was changed since it was written"
    named = "" if file is None or found.is_at(file) else found.record.output.place
    return _Known(found.record.edit, found.log.parent, found.record, file, found.log, doubt, named)


def _picture(known: _Known, image: str | None) -> Picture:
    """The input: as given, where the record says, or by its name beside the picture or nearby."""
    if image is not None:
        return opened(image)
    recorded = None if known.audit is None else known.audit.input.place
    named = (known.file(recorded), known.file(known.input_name))
    here = [path for path in named if path is not None]
    path = next((path for path in here if not known.is_result(path)), None) or _nearby(known)
    if path is None:
        name = (recorded or known.input_name or "the picture that was edited")[:_LONGEST]
        if here:
            raise RecordError(f"{name} was overwritten by the result: give what was edited by --image FILE")
        raise RecordError(f"{name} is not there: give its place by --image")
    return _opened(path)


def _opened(path: Path) -> Picture:
    """The picture at a recorded place, which may be anything by now: it is read in a process of its own.

    Raises:
        OverpaintError: It can't be read, or not in a minute.
    """
    from overpaint.picture import open_picture

    return readers.call(open_picture, str(path), seconds=READING)


def _nearby(known: _Known) -> Path | None:
    """The recorded input, by its digest: in the current folder, the one above the picture's, or one within that."""
    name = known.input_name
    if name is None or known.record.input_sha256 is None:
        return None
    above = known.folder.resolve().parent
    near = [Path(name), above / name]
    with contextlib.suppress(OSError, ValueError):  # no file can have the name
        near += above.glob(f"*/{glob.escape(name)}")
    return next((path for path in near if is_file(path) and _digest(path) == known.record.input_sha256), None)


def _digest(path: Path) -> str:
    """Of a file; "" where it can't be read."""
    try:
        return digest_in_time(path)
    except OSError:
        return ""


def _made(known: _Known) -> tuple[Picture | None, str]:
    """The result of that time, where it can still be read; or why not."""
    from overpaint.record import SIDECAR_SUFFIX

    place = None if known.audit is None else known.audit.output.place
    path = known.made or known.file(place)
    if path is not None and path.name.endswith(SIDECAR_SUFFIX):
        path = path.with_name(path.name.removesuffix(SIDECAR_SUFFIX))
    if path is None or not is_file(path):
        return None, f"{path or place} is not there"
    try:
        return _opened(path), ""
    except OverpaintError as error:
        return None, f"it can't be read: {error}"


def _prompts(known: _Known, given: dict[str, str | None]) -> dict[str, str]:
    """The texts of a private record, checked against their hashes. One that the engine does not use may be left out."""
    from overpaint.audit import Secret
    from overpaint.engines import card

    hidden = {} if known.audit is None else known.audit.hidden
    needless = [name for name, text in given.items() if text is not None and name not in hidden]
    if needless:
        raise RequestError(f"the record has its {needless[0].replace('_', ' ')} or none: leave it out")
    texts: dict[str, str] = {}
    for name, hashed in hidden.items():
        option = f"--{name.replace('_', '-')}"
        text = given.get(name)
        if text is None:
            if not card(known.record.resolved.engine).uses(name):
                continue
            if name not in given:
                raise RecordError(
                    f"the record is private and has only a hash of the {name.replace('_', ' ')}: it can't be run again"
                )
            raise RecordError(
                f"the record is private and has only a hash of the {name.replace('_', ' ')}: give {option}"
            )
        assert known.log is not None
        if not Secret.beside(known.log).matches(text, hashed):
            raise RecordError(f"{option}: the record has the hash of another text")
        texts[name] = text
    return texts


def _inputs(
    known: _Known, picture: Picture, masks: tuple[str, ...], sketch: str | None, controls: tuple[str, ...]
) -> dict[str, Any]:
    """Rasters by digest: the given ones, and the record's mask files that have not changed."""
    recorded = () if known.audit is None else known.audit.masks
    unmoved = [
        str(path) for one in recorded if (path := known.file(one.place)) is not None and _digest(path) == one.sha256
    ]
    rasters: list[Any] = [mask_from(load(source), picture.size).to_bytes8() for source in (*masks, *unmoved)]
    if sketch is not None:
        rasters.append(sketch_from(load(sketch), picture.size, sketch))
    from overpaint.studio.controls import control_raster

    rasters += [control_raster(opened(name)) for name in controls]
    return {blob_of(raster, inline=False).sha256: raster for raster in rasters}


def _put_in(known: _Known, insert: str | None, insert_mask: str | None, place: Size) -> dict[str, Any]:
    """The picture that was put in, by its digest.

    Raises:
        RequestError: It is missing, another one, or the edit put none in.
    """
    from overpaint.engines import card
    from overpaint.studio.inserts import insert_raster

    wanted = known.record.resolved.insert
    if wanted is None or not card(known.record.resolved.engine).uses("insert"):
        if insert is not None or insert_mask is not None:
            raise RequestError("the edit put no picture in: leave {field} out", field="insert", value=insert)
        return {}
    about = f"the {wanted.size} picture that was put in"
    if insert is None and wanted.data is not None:
        return {}
    if insert is None:
        raise RequestError(
            f"{about} is not in the record",
            code="raster-missing",
            field="insert",
            hint="give it with --with FILE, and its mask with --with-mask FILE where there was one",
        )
    put_in = insert_from(load(insert), None if insert_mask is None else load(insert_mask), place)
    raster = insert_raster(put_in, None, place)
    digest = blob_of(raster, inline=False).sha256
    if digest != wanted.sha256:
        masked = "" if insert_mask is None else f" with the mask {insert_mask}"
        raise RequestError(
            f"{insert}{masked} is not {about}",
            field="insert",
            value=insert,
            hint="the same file is needed, and its mask with --with-mask where there was one",
        )
    return {digest: raster}


def outcome(replayed: Replayed) -> str:
    """The result in a line."""
    same = f"the same {replayed.edited.picture.size} picture came out"
    if not replayed.equal and replayed.file == "same":
        return "what came out is what the file holds, and the record has the digest of another picture"
    if not replayed.equal:
        unknown = f"how far it differs is not known, as the file was not compared: {replayed.reason}"
        return f"another picture came out: {unknown if replayed.file == 'not compared' else replayed.reason}"
    if replayed.file == "same":
        more = replayed.surplus and f", BUT THE FILE HOLDS MORE: {replayed.surplus}"
        return f"{same}, every pixel equal{more}"
    if replayed.file == "different":
        return f"the file is not the result, which came out as recorded: {replayed.reason}"
    return f"{same} as recorded, but THE FILE WAS NOT COMPARED: {replayed.reason}"


def mapping(replayed: Replayed) -> dict[str, Any]:
    """The object that `--json` writes."""
    apart = replayed.difference
    return {
        "equal": replayed.outcome == "same",
        "outcome": replayed.outcome,
        "painted_as_recorded": replayed.equal,
        "file": replayed.file,
        "reason": replayed.reason or None,
        "surplus": replayed.surplus or None,
        "difference": apart and asdict(apart),
        "size": list(replayed.edited.picture.size),
        "pixels_sha256": replayed.edited.pixels_sha256,
        "notes": list(replayed.notes),
    }
