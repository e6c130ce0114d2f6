"""The plan of a batch: for each row its id, the path of its result, and a key that tells whether it is done.

Nothing is decoded here. A row's key is the digest of its resolved request, its input files and how it is saved; a row
that continues from another has that row's key in place of its picture's digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from overpaint.doors.controls import ControlInput, control_files
from overpaint.doors.names import DEFAULT_TEMPLATE, check_template, filled, inside, is_for_windows
from overpaint.doors.places import WORDS, Places, RegionPlaces, selections
from overpaint.errors import (
    InputError,
    OverpaintError,
    PictureError,
    RequestError,
    concerning,
    did_you_mean,
)
from overpaint.record import Marking
from overpaint.request import EditRequest, MaskSpec, ResolvedRequest
from overpaint.values import digest_of

from .clashes import OwnFiles, refuse_outputs_that_are_read, refuse_same_outputs, usable_outputs
from .files import Known
from .reasons import unexpected
from .rows import BadRow, EditRow
from .store import Address, Place, at, check_allowed

if TYPE_CHECKING:
    from overpaint.studio import Studio

    from .files import Files

RecordMode = Literal["embed", "sidecar", "none"]

_ROWS_NAMED = 3
"""Rows that a note names by number; more are counted."""

_MOST_COMPARED = 200
"""Ids that an unknown one is compared with."""

_NOT_FOR_WINDOWS = (
    "the output can't be copied to Windows: a name there is not that of a device (CON, PRN, AUX, NUL, COM1, LPT1, ..., "
    'also with an extension), does not end in a dot or a blank, and has none of \\ : * ? " < > |'
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for the whole batch.

    Attributes:
        out: The folder of results.
        base: The folder that paths in rows are relative to.
        name: The template of results' names.
        seed: From this follow the seeds that rows leave open.
        record: Where the record of a result goes.
        marking: What a result's file says of its origin.
        overwrite: Whether a file that is not a result of this batch may be replaced.
        gate: Whether doubtful results are set aside for review, in a folder of their own.
        allow: The beginnings of addresses that rows may name: "s3://bucket/folder/", "gs://". None is, by default.
        key: In private mode the key of the rows' keys, which else would tell whether a guess of a prompt is right.
    """

    out: Place
    base: Path
    name: str = DEFAULT_TEMPLATE
    seed: int = 0
    record: RecordMode = "embed"
    marking: Marking = Marking()  # noqa: RUF009 - it is frozen
    overwrite: bool = False
    gate: bool = False
    allow: tuple[str, ...] = ()
    key: bytes | None = field(default=None, repr=False)

    def key_of(self, table: Mapping[str, Any]) -> str:
        """A row's key: the digest of all that its result depends on."""
        digest = digest_of(table)
        return digest if self.key is None else hmac.new(self.key, digest.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class PlannedEdit:
    """A row that can be done.

    Attributes:
        row: The row.
        id: Its own id, else its output.
        key: Digest of all that its result depends on.
        image: The picture's path; for a chained row that of the result that it continues from.
        image_sha256: Its digest; "" for a chained row.
        masks: Files of masks, of what is avoided and of regional prompts, and their digests.
        sketch: The file of strokes and its digest.
        insert: The file of the picture to put in and its digest.
        controls: Files of controls' images, and their digests.
        request: The request, with its seed.
        engine: The engine that paints.
        model: The model that it runs; None where it runs none.
        output: The result's path.
        after: The id of the row that it continues from.
        replaces: Whether a file at the output's path may be replaced.
        was_named: Whether an earlier result of the row has its name, and may lie there.
        was_aside: Whether an earlier result of the row was set aside for review, and may lie there.
        notes: What a person should know before it is painted.
    """

    row: EditRow
    id: str
    key: str
    image: Place
    image_sha256: str
    masks: tuple[tuple[str, str], ...]
    sketch: tuple[str, str] | None
    request: EditRequest
    engine: str
    model: str | None
    output: Place
    after: str | None = None
    insert: tuple[str, str] | None = None
    controls: tuple[tuple[str, str], ...] = ()
    replaces: bool = False
    was_named: bool = False
    was_aside: bool = False
    notes: tuple[str, ...] = ()

    def places(self, base: Path) -> Places:
        """Where to repaint, with absolute paths of mask files."""
        return _absolute(self.row.places, base)

    def avoided(self, base: Path) -> Places:
        """What must not be copied, likewise."""
        return _absolute(Places(mask=self.row.avoid), base)

    def regions(self, base: Path) -> tuple[RegionPlaces, ...]:
        """Regional prompts, likewise."""
        return tuple(replace(one, places=_absolute(one.places, base)) for one in self.row.regions)

    def guided(self, base: Path) -> tuple[ControlInput, ...]:
        """What guides the engine, likewise."""
        return tuple(one if one.file is None else one.named(str(at(base, one.file))) for one in self.row.controls)

    @property
    def beside(self) -> tuple[tuple[str, str], ...]:
        """All files that are read beside the picture, and their digests."""
        alone = (one for one in (self.sketch, self.insert) if one is not None)
        return (*self.masks, *alone, *self.controls)


def _controls_key(controls: Iterable[ControlInput], files: Iterable[tuple[str, str]]) -> list[Any]:
    """What results depend on of their controls: settings, and digests of files."""
    digests = dict(files)
    return [[dict(one.settings), None if one.file is None else digests[one.file]] for one in controls]


def _absolute(places: Places, base: Path) -> Places:
    files = frozenset(places.files)
    return replace(places, mask=tuple(str(at(base, name)) if name in files else name for name in places.mask))


def _content_of(region: RegionPlaces, digests: Mapping[str, str]) -> dict[str, Any]:
    """What a result depends on of a regional prompt."""
    place = {"box": region.places.box, "mask": [digests.get(name, name) for name in region.places.mask]}
    return {**region.text.to_mapping(), **place}


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """Rows that can be done, each after the one that it continues from, and rows that can't."""

    items: tuple[PlannedEdit, ...]
    bad: tuple[BadRow, ...] = ()


def plan(
    rows: Iterable[EditRow | BadRow], rules: Rules, studio: Studio, files: Files, own: OwnFiles | None = None
) -> BatchPlan:
    """Plan a batch. `own` are results of earlier runs, which may be written again.

    Raises:
        RequestError: Two rows have one id or would write one file, or a result would replace an input.
        RequestError, MaskError: In no row anything says what is painted.
    """
    with concerning("name"):
        check_template(rules.name)
    planner = _Planner(rules, studio, files, own or OwnFiles())
    read = list(rows)
    _refuse_same_ids((row.id, row.number) for row in read)
    items: list[PlannedEdit] = []
    bad = [row for row in read if isinstance(row, BadRow)]
    known: dict[str, PlannedEdit] = {}
    ids = {row.id for row in read if row.id is not None}
    edits = [row for row in read if isinstance(row, EditRow)]
    planner.look(edits)
    for row in _in_order(edits):
        try:
            before = None
            if row.after is not None:
                before = known.get(row.after)
                if before is None:
                    raise RequestError(_no_such(row.after, ids), field="after", value=row.after)
            item = planner.item(row, before)
        except OverpaintError as error:
            if planner.without_place == len(read):
                raise
            bad.append(BadRow(row.number, error, row.id, row.image))
            continue
        except Exception as error:  # one row does not cost the others
            bad.append(BadRow(row.number, unexpected(error), row.id, row.image))
            continue
        items.append(item)
        if row.id is not None:
            known[row.id] = item
    refuse_same_outputs(items, rules.out)
    _refuse_same_ids((item.id, item.row.number) for item in items)
    refuse_outputs_that_are_read(items, rules.base)
    ready, refused = usable_outputs(items, planner.own, rules)
    return BatchPlan(tuple(ready), tuple(sorted([*bad, *refused], key=lambda row: row.number)))


def seed_of(batch: int, id: str) -> int:
    """The seed of a row that has none: 32 bits of SHA-256 over the batch's seed and the row's id."""
    return int.from_bytes(hashlib.sha256(f"{batch}\0{id}".encode()).digest()[:4], "big")


@dataclass(frozen=True, slots=True)
class _Resolved:
    """What a plan needs of a resolved request: engine, model, digest, and notes on it."""

    engine: str
    model: str | None
    digest: str
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Planner:
    rules: Rules
    studio: Studio
    files: Files
    own: OwnFiles
    without_place: int = 0
    _found: Mapping[Place, Known | Exception] = field(default_factory=dict)
    _resolved: dict[str, _Resolved | InputError] = field(default_factory=dict)

    def look(self, rows: Iterable[EditRow]) -> None:
        """Look at all files that rows name, at once."""
        places: dict[Place, None] = {}
        for row in rows:
            image = None if row.after is not None else row.image
            masks = (*row.places.files, *Places(mask=row.avoid).files, *row.region_files)
            for name in (image, *masks, row.sketch, row.insert, *control_files(row.controls)):
                if name is not None:
                    with contextlib.suppress(InputError):  # one that is not allowed; it is refused with its row
                        places[self._at(name, "")] = None
        self._found = self.files.look(places)

    def item(self, row: EditRow, before: PlannedEdit | None) -> PlannedEdit:
        """The plan of one row. Raises OverpaintError for one that can't be done."""
        image = before.output if before is not None else self._at(row.image or "", "image")
        known = None if before is not None else self._known(image, "image")
        if known is not None and not known.kind:
            raise PictureError(f"{image} is no picture of a known format", field="image", value=str(image))
        self._check_place(row)
        resolved = self._resolve(row)
        output = self._output(row, image, known, resolved.engine)
        id = row.id or output.relative_to(self.rules.out).as_posix()
        seed = row.seed if row.seed is not None else seed_of(self.rules.seed, id)
        masks = self._files(row.places.files)
        with concerning("avoid"):
            avoided = self._files(Places(mask=row.avoid).files)
        with concerning("regional_prompts"):
            regional = self._files(row.region_files)
        found = dict(avoided + regional)
        sketch, insert = self._file(row.sketch, "sketch"), self._file(row.insert, "insert")
        guiding = tuple(self._of(name, "controls") for name in control_files(row.controls))
        words = [name for name in row.places.mask if name in WORDS]
        key = self.rules.key_of(
            {
                "request": resolved.digest,
                "seed": seed,
                "image": {"after": before.key} if before is not None else known.sha256 if known is not None else "",
                "places": {**asdict(row.places), "mask": words},
                "masks": [digest for _, digest in masks],
                "sketch": sketch[1] if sketch is not None else None,
                **({"insert": insert[1]} if insert is not None else {}),
                **({"avoid": [found.get(name, name) for name in row.avoid]} if row.avoid else {}),
                **({"regions": [_content_of(one, found) for one in row.regions]} if row.regions else {}),
                **({"controls": _controls_key(row.controls, guiding)} if row.controls else {}),
                "saved": {
                    "name": output.suffix.lower(),
                    "quality": row.quality,
                    "record": self.rules.record,
                    **self.rules.marking.unusual,
                },
            }
        )
        return PlannedEdit(
            row=row,
            id=id,
            key=key,
            image=image,
            image_sha256=known.sha256 if known is not None else "",
            masks=masks + avoided + regional,
            sketch=sketch,
            insert=insert,
            controls=guiding,
            request=row.request.model_copy(update={"seed": seed}),
            engine=resolved.engine,
            model=resolved.model,
            output=output,
            after=before.id if before is not None else None,
            notes=(*resolved.notes, *self._notes_on(output)),
        )

    def _notes_on(self, output: Place) -> tuple[str, ...]:
        if isinstance(output, Address) or is_for_windows(output.relative_to(self.rules.out).as_posix()):
            return ()
        return (_NOT_FOR_WINDOWS,)

    def _files(self, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """Mask files and their digests."""
        return tuple((name, self._known(self._at(name, "mask"), "mask").sha256) for name in names)

    def _at(self, name: str, what: str) -> Place:
        """The place that a row names. RequestError for an address that is not allowed."""
        with concerning(what):
            check_allowed(name, self.rules.allow)
        return at(self.rules.base, name)

    def _check_place(self, row: EditRow) -> None:
        """Refuse a row in which nothing says what is painted; this needs no picture."""
        from overpaint.studio.scene import check_place

        request = row.request
        masked = row.places.named or (row.sketch, request.sketch, request.mask) != (None, None, None)
        try:
            check_place(request, request.rule, masked=masked)
        except InputError:
            self.without_place += 1
            raise

    def _file(self, name: str | None, what: str) -> tuple[str, str] | None:
        """A file that a row names and its digest."""
        return None if name is None else self._of(name, what)

    def _of(self, name: str, what: str) -> tuple[str, str]:
        return name, self._known(self._at(name, what), what).sha256

    def _known(self, path: Place, what: str) -> Known:
        match self._found[path]:
            case Known() as known:
                return known
            case OverpaintError() as error:
                raise error
            case FileNotFoundError():
                message = f"the {what} {path} doesn't exist"
            case OSError() as error:
                message = f"the {what} {path} can't be read: {error.strerror or error}"
            case error:
                message = f"the {what} {path} can't be read: {error}"
        raise PictureError(message, field=what, value=str(path))

    def _resolve(self, row: EditRow) -> _Resolved:
        """The resolved request with seed 0; found once for rows with equal settings and selectors."""
        selects = _selects(row)
        texts = [one.text for one in row.regions]
        key = f"{row.settings}\0{selects}\0{texts}"
        if key not in self._resolved:
            try:
                request = row.request
                if texts:  # their places do not count here
                    anywhere = {"parts": [{"kind": "full"}]}
                    regional = [{**one.to_mapping(), "mask": anywhere} for one in texts]
                    request = request.merged(regional_prompts=regional)
                found, notes = self._found_for(request, selects), self.studio.notes_before(request)
                self._resolved[key] = _Resolved(found.engine, found.model, found.digest, notes)
            except InputError as error:
                self._resolved[key] = error
        outcome = self._resolved[key]
        if isinstance(outcome, InputError):
            raise outcome
        return outcome

    def _found_for(self, request: EditRequest, selects: Places) -> ResolvedRequest:
        """The resolved request, with the networks that select its mask, as the result depends on them too.

        Where these can't be told, a row with it fails when it is done, which says why.
        """
        if request.mask is None:
            with contextlib.suppress(OverpaintError):
                if parts := selections(selects, None):
                    return self.studio.resolved(request.merged(mask=MaskSpec(parts=tuple(parts))), seed=0)
        return self.studio.resolved(request, seed=0)

    def _output(self, row: EditRow, image: Place, known: Known | None, engine: str) -> Place:
        from overpaint.picture import extension_for, format_for_path, format_of_path, format_of_result

        if row.output is not None:
            path = self.rules.out / inside(row.output)
            format_for_path(path, row.format)
            return path
        own = format_of_path(image) if known is None else known.kind
        format = format_of_result(own, row.format, alpha=row.request.clears)
        values = {
            "folder": row.folder,
            "name": image.stem,
            "intent": row.request.intent,
            "engine": engine,
            "id": row.id or str(row.number),
            "row": str(row.number),
            "ext": extension_for(format, image),
        }
        return self.rules.out / inside(filled(self.rules.name, values))


def _selects(row: EditRow) -> Places:
    """What of a row's places decides about the networks that select: where its points and boxes are does not."""
    own = row.places
    pointed = ("0,0",) if own.point or own.select_box else ()
    return Places(select=own.select, select_text=own.select_text, select_option=own.select_option, point=pointed)


def _in_order(rows: list[EditRow]) -> Iterator[EditRow]:
    """Rows ordered so that each comes after the one that it continues from, unless they form a circle."""
    by_id = {row.id: row for row in rows if row.id is not None}
    seen: set[int] = set()
    for row in rows:
        chain = [row] if row.number not in seen else []
        while chain:
            seen.add(chain[-1].number)
            before = by_id.get(chain[-1].after or "")
            if before is None or before.number in seen:
                break
            chain.append(before)
        yield from reversed(chain)


def _no_such(name: str, ids: Collection[str]) -> str:
    if name not in ids:
        near = did_you_mean(name, ids) if len(ids) <= _MOST_COMPARED else ""  # for every such row
        return f"it comes after {name!r:.200}, and no row has that id{near}"
    return f"it comes after {name!r}, which can't be done itself, or the rows form a circle"


def _refuse_same_ids(ids: Iterable[tuple[str | None, int]]) -> None:
    seen: dict[str, int] = {}
    for id, number in ids:
        if id is not None and seen.setdefault(id, number) != number:
            raise RequestError(f"the rows {seen[id]} and {number} have the same id {id!r}")


def describe(item: PlannedEdit) -> Mapping[str, Any]:
    """What the report says of a row before it is done."""
    return {
        "row": item.row.number,
        "image": item.row.image,
        "after": item.after,
        "intent": item.request.intent,
        "engine": item.engine,
        "model": item.model,
        "seed": item.request.seed,
    }


def notes_on(items: Iterable[PlannedEdit]) -> tuple[str, ...]:
    """The notes of planned rows, each once, with the first of the rows that it is about."""
    rows: dict[str, list[int]] = {}
    for item in items:
        for note in item.notes:
            rows.setdefault(note, []).append(item.row.number)
    return tuple(f"{_rows_named(numbers)}: {note}" for note, numbers in rows.items())


def _rows_named(numbers: list[int]) -> str:
    first = ", ".join(map(str, numbers[:_ROWS_NAMED]))
    more = f" and {len(numbers) - _ROWS_NAMED} more" if len(numbers) > _ROWS_NAMED else ""
    return f"row{'s' if len(numbers) > 1 else ''} {first}{more}"
