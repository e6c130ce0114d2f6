"""A row: one edit of many, from a manifest or a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo

from overpaint.doors.controls import ControlInput, control_files, control_input, control_table
from overpaint.doors.places import OF_FILES, SELECTING, SHAPES, Channel, Places, RegionPlaces
from overpaint.errors import InputError, OverpaintError, RequestError
from overpaint.request import INTENTS, MOST_REGIONS, MOST_SEED, EditRequest, RegionText
from overpaint.values import Value

from .content import check_table
from .credentials import check_no_credentials
from .reasons import ROW, unexpected

FILES = frozenset(("image", "mask", "avoid", "sketch", "insert", "controls"))
"""Fields that name files."""
_FORMS = {"polygon": "points x,y x,y x,y", "point": "x,y", "not_point": "x,y"}
_LONGEST_TEXT = 4096  # characters of a path, an id, a label


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError(f"must be text without a NUL, not {value!r:.80}")
    if len(value) > _LONGEST_TEXT:
        raise ValueError(f"must have at most {_LONGEST_TEXT:,} characters, not {len(value):,}")
    return value


def _file(value: Any) -> str:
    check_no_credentials(_text(value), "image")
    return str(value)


def _check_files(value: Any, field: str) -> None:
    """Raise RequestError where a row names a file by an address with credentials."""
    for one in value if isinstance(value, list) else [value]:
        named = one.get("image") if isinstance(one, Mapping) and field == "controls" else one
        if isinstance(named, str):
            check_no_credentials(named.partition("=")[2] if named is one and field == "controls" else named, field)


def _id(value: Any) -> str:
    return _text(str(value) if type(value) is int else value)


def _masks(value: Any) -> Mapping[str, Any] | tuple[str, ...]:
    """Mask files, of one or a list of them; or a mask in a request's form."""
    return value if isinstance(value, Mapping) else tuple(map(_text, value if isinstance(value, list) else [value]))


def _texts(value: Any) -> tuple[str, ...]:
    """Words, of text with ; between them or a list."""
    listed = value if isinstance(value, list) else str(value).split(";") if isinstance(value, str) else [value]
    return tuple(_text(one).strip() for one in listed)


def _controls(value: Any) -> tuple[ControlInput, ...]:
    """Controls, of text with ; between them or a list of texts and tables; a table's image may be a file."""
    listed = value if isinstance(value, list) else value.split(";") if isinstance(value, str) else [value]
    return tuple(
        control_table(one, "controls") if isinstance(one, Mapping) else control_input(_text(one).strip(), "controls")
        for one in listed
    )


def _shapes(value: Any, about: ValidationInfo) -> tuple[str, ...]:
    """Shapes as text, of "10%,10%,20%,20%" or [10, 10, 20, "20%"] (polygon: "10,10 20,10 20,20" or a list of points),
    or a list of these."""
    polygon = about.field_name == "polygon"
    if isinstance(value, str):
        return (value,) if polygon else tuple(part for part in value.split(";") if part.strip())
    if not isinstance(value, list) or not value:
        form = _FORMS.get(about.field_name or "", "left,top,right,bottom")
        raise ValueError(f"must be {form}, not {value!r:.80}")
    if not polygon and len(value) > 1 and all(map(_is_length, value)):
        return (_joined(value),)
    if polygon and all(isinstance(point, list) and len(point) == 2 and all(map(_is_length, point)) for point in value):
        return (" ".join(map(_joined, value)),)
    return tuple(part for one in value for part in _shapes(one, about))


def _is_length(value: Any) -> bool:
    """Whether this is one length: 10, "10", "10px" or "10%"."""
    if isinstance(value, str):
        return re.fullmatch(r"\s*[-+]?\d*\.?\d+\s*(px|%)?\s*", value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _joined(lengths: list[Any]) -> str:
    return ",".join(str(length).strip() for length in lengths)


Text = Annotated[str, BeforeValidator(_text)]
Id = Annotated[str, BeforeValidator(_id)]
Shapes = Annotated[tuple[str, ...], BeforeValidator(_shapes)]


class RegionFields(RegionText):
    """A regional prompt of a row: its mask is files, or in a request's form; a box is a mask too."""

    mask: Annotated[Any, BeforeValidator(_masks)] = None
    box: Shapes | None = None

    @property
    def is_setting(self) -> bool:
        """Whether it is in a request's form."""
        return isinstance(self.mask, Mapping)

    @property
    def region(self) -> RegionPlaces:
        """The same with its place."""
        return RegionPlaces(self.text, Places(mask=self.mask or (), box=self.box or ()))


def _regions(value: Any) -> Any:
    """Regional prompts, each a table or PLACE=TEXT, of one or a list of them."""
    listed = value if isinstance(value, list | tuple) else [value]
    return tuple(_region(one) if isinstance(one, str) else one for one in listed)


def _region(written: str) -> dict[str, Any]:
    found = RegionPlaces.of(written)
    places = {"box": list(found.places.box)} if found.places.box else {"mask": list(found.places.mask)}
    return {**found.text.to_mapping(), **places}


class RowFields(Value):
    """Fields of a row that are not the request's, or may be written in more ways than there (see `EditRow`)."""

    id: Id | None = None
    image: Text | None = None
    after: Id | None = None
    output: Text | None = None
    format: Text | None = None
    quality: Annotated[int, Field(ge=1, le=100)] | None = None
    seed: Annotated[int, Field(ge=-1, le=MOST_SEED)] | None = None
    sketch: Text | None = None
    insert: Text | None = None
    controls: Annotated[Any, BeforeValidator(_controls)] = None
    mask: Annotated[Any, BeforeValidator(_masks)] = None
    avoid: Annotated[Any, BeforeValidator(_masks)] = None
    regional_prompts: Annotated[
        tuple[RegionFields, ...] | None, Field(max_length=MOST_REGIONS), BeforeValidator(_regions)
    ] = None
    box: Shapes | None = None
    ellipse: Shapes | None = None
    polygon: Shapes | None = None
    mask_channel: Channel | None = None
    mask_label: Text | None = None
    mask_picture: Text | None = None
    mask_resize: bool | None = None
    invert: bool | None = None
    select: Annotated[tuple[str, ...], BeforeValidator(_texts)] | None = None
    select_text: Annotated[tuple[str, ...], BeforeValidator(_texts)] | None = None
    point: Shapes | None = None
    not_point: Shapes | None = None
    select_box: Shapes | None = None
    select_option: Annotated[tuple[str, ...], BeforeValidator(_texts)] | None = None
    pick: Annotated[int, Field(ge=0)] | None = None

    def given(self, *names: str) -> dict[str, Any]:
        """Those of these fields that are given."""
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def places(self, default: Places) -> Places:
        """Where the row repaints, unless its mask is in a request's form."""
        shapes, how = self.given(*SHAPES), self.given(*OF_FILES, "invert", "pick")
        if isinstance(self.mask, Mapping):
            if len(shapes) > 1:
                message = "the mask is in a request's form: put shapes and what is selected into its parts"
                raise RequestError(message, field="mask")
            lost = [name for name, value in how.items() if value != getattr(Places(), name)]
            if lost:
                message = f"the mask is in a request's form, beside which {', '.join(lost)} has no meaning"
                raise RequestError(message, field=lost[0])
            return Places()
        if shapes:
            of_all = default.pick if shapes.keys() & set(SELECTING) else None  # a mask has no selections
            shapes = dict.fromkeys(SHAPES, ()) | {"pick": of_all} | shapes
        return replace(default, **(shapes | how))


OWN = tuple(RowFields.model_fields)

REQUEST = tuple(name for name in EditRequest.model_fields if name not in ("schema_", "regional_prompts", *FILES))
"""Fields of the request that a row may have, written as in a request."""

DEFAULTS: Mapping[str, Any] = {"intent": "remove", "exact": True}
"""Settings that neither a row nor the defaults of the batch give. Exact: results do not depend on speed or order."""


@dataclass(frozen=True, slots=True)
class RowDefaults:
    """Settings of every row that does not give its own.

    Attributes:
        settings: Fields of the request by name.
        places: Where to repaint.
        sketch: A file of strokes to lay over each picture.
        insert: A picture to put in, for all.
        controls: What guides the engine, for all.
        regions: Regional prompts with their places, for all.
        format, quality: How the results are saved.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    places: Places = field(default_factory=Places)
    sketch: str | None = None
    insert: str | None = None
    controls: tuple[ControlInput, ...] = ()
    regions: tuple[RegionPlaces, ...] = ()
    format: str | None = None
    quality: int | None = None


@dataclass(frozen=True, slots=True)
class EditRow:
    """One edit.

    Attributes:
        number: Its line or entry, from 1.
        request: The request, without the seed.
        settings: A text that is equal for rows with equal requests.
        image: The picture's file; None for a row that continues from another row's result.
        places: Where to repaint, unless the request has the mask.
        avoid: Mask files of what must not be copied, unless the request has them.
        regions: Regional prompts with their places, unless the request has them.
        seed: As given; None for one that follows from the row.
        id: Its id; None where it has none.
        after: Id of the row whose result it continues from.
        sketch: A file of strokes.
        insert: A picture to put in.
        controls: What guides the engine.
        output: The result's file in the folder of results; None for a name by the template.
        format, quality: How the result is saved.
        folder: The picture's folder within the folder that was read ("" or "sub/"), which the result keeps.
    """

    number: int
    request: EditRequest
    settings: str
    image: str | None = None
    places: Places = field(default_factory=Places)
    avoid: tuple[str, ...] = ()
    regions: tuple[RegionPlaces, ...] = ()
    seed: int | None = None
    id: str | None = None
    after: str | None = None
    sketch: str | None = None
    insert: str | None = None
    controls: tuple[ControlInput, ...] = ()
    output: str | None = None
    format: str | None = None
    quality: int | None = None
    folder: str = ""

    @property
    def region_files(self) -> tuple[str, ...]:
        """The mask files of its regional prompts."""
        return tuple(file for one in self.regions for file in one.places.files)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that can't be done; it does not stop the others.

    Attributes:
        number: Its line or entry, from 1.
        error: What is wrong with it, and what would be right.
        id: Its id, if that could be read.
        image: Its picture, likewise.
        output: Its result's file, likewise.
        folder: As of an `EditRow`.
        names: Words in it, and in the defaults, that may name files that it reads.
        nameless: Whether it has an id or an output that can't be read, or nothing that can: its result can have any
            name.
    """

    number: int
    error: OverpaintError
    id: str | None = None
    image: str | None = None
    output: str | None = None
    folder: str = ""
    nameless: bool = False
    names: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its id, or its number where it has none that can be read."""
        return self.id or f"row {self.number}"

    @property
    def reason(self) -> str:
        """What is wrong with it, in words; they may quote the row."""
        return str(self.error)


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row before it is checked: a table of settings, or the error where there is none, and the picture if known."""

    number: int
    table: Mapping[str, Any] | None = None
    error: OverpaintError = field(default_factory=lambda: RequestError("it has no settings", field=ROW))
    folder: str = ""
    image: str | None = None


class Reader:
    """Checks rows. Requests that are equal but for the seed are checked and kept once."""

    def __init__(self, defaults: RowDefaults) -> None:
        self._defaults = defaults
        self._requests: dict[str, EditRequest] = {}

    def read(self, raw: RawRow) -> EditRow | BadRow:
        """The row, or what is wrong with it, whatever it holds."""
        if raw.table is None:
            nameless = raw.image is None
            return BadRow(raw.number, raw.error, image=raw.image, folder=raw.folder, nameless=nameless)
        try:
            check_table(raw.table, {*OWN, *REQUEST})
            for name in FILES & raw.table.keys():
                _check_files(raw.table[name], name)
            return self._row(raw, {name: _whole(value) for name, value in raw.table.items() if value is not None})
        except InputError as error:
            found = error
        except Exception as error:  # one row does not cost the others
            found = unexpected(error)
        given = {name: value for name, value in raw.table.items() if value is not None}
        id, image, output = (
            _readable(given.get(name), read) for name, read in (("id", _id), ("image", _file), ("output", _text))
        )
        unread = ("id" in given and id is None) or ("output" in given and output is None)
        nameless, names = unread or not (id or image or output), (*_words(given), *self._shared_files())
        return BadRow(raw.number, found, id, image, output, raw.folder, nameless, names)

    def _shared_files(self) -> Iterator[str]:
        shared = self._defaults
        yield from (
            *shared.places.files,
            *control_files(shared.controls),
            *(file for one in shared.regions for file in one.places.files),
            *(name for name in (shared.sketch, shared.insert) if name is not None),
        )

    def _row(self, raw: RawRow, table: dict[str, Any]) -> EditRow:
        shared = self._defaults
        settings = {**DEFAULTS, **shared.settings, **{name: table[name] for name in REQUEST if name in table}}
        names = ("sketch", "insert", "format", "quality")
        given = {**{name: getattr(shared, name) for name in names}, **table}
        given["seed"] = settings.pop("seed", None)
        own = RowFields(**{name: given[name] for name in OWN if name in given and given[name] is not None})
        if (own.image is None) == (own.after is None):
            which = "neither" if own.image is None else "both"
            message = f"a row has an image, or another row that it comes after; this one has {which}"
            raise RequestError(message, field="image")
        settings |= {name: value for name in ("mask", "avoid") if isinstance(value := getattr(own, name), Mapping)}
        regions = shared.regions
        if own.regional_prompts is not None:
            regions = tuple(one.region for one in own.regional_prompts if not one.is_setting)
            if len(regions) < len(own.regional_prompts):
                settings["regional_prompts"] = table["regional_prompts"]
        if own.insert is not None and not (settings.get("engine") or settings.get("model")):
            rule = INTENTS.get(str(settings["intent"]))  # as the studio chooses where a picture to put in is given
            settings["engine"] = None if rule is None else rule.engine
        controls = shared.controls if own.controls is None else own.controls
        if controls and not control_files(controls):  # they are a part of the request alone
            settings["controls"], controls = [dict(one.settings) for one in controls], ()
        key = json.dumps(settings, sort_keys=True, default=str)
        if key not in self._requests:
            self._requests[key] = EditRequest.from_mapping(settings)
        return EditRow(
            number=raw.number,
            request=self._requests[key],
            settings=key,
            places=own.places(shared.places),
            avoid=own.avoid if isinstance(own.avoid, tuple) else (),
            regions=() if "regional_prompts" in settings else regions,
            controls=controls,
            seed=None if own.seed == -1 else own.seed,
            **own.given("id", "image", "after", "sketch", "insert", "output", "format", "quality"),
            folder=raw.folder,
        )


def _words(value: Any, deep: int = 8) -> Iterator[str]:
    """All text in a value that is no longer than a path may be."""
    if isinstance(value, str):
        yield from (value,) if len(value) <= _LONGEST_TEXT else ()
    elif deep and isinstance(value, Mapping | list):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _words(one, deep - 1)


def _readable(value: Any, read: Callable[[Any], str]) -> str | None:
    """A value of a row that can't be done, if that one can be read."""
    try:
        check_table({"value": value}, {"value"})
        return read(value)
    except ValueError:
        return None


def _whole(value: Any) -> Any:
    """A whole number that was written as a float (7.0), as tables write a column with empty cells, as an int."""
    if isinstance(value, list):
        return [_whole(one) for one in value]
    exact = isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53
    return int(value) if exact else value
