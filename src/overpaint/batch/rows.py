"""A row: one edit of many, from a manifest or a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from overpaint.doors.places import Places
from overpaint.errors import InputError, RequestError
from overpaint.other_names import suggest_setting
from overpaint.request import EditRequest

TEXTS = ("id", "image", "after", "output", "format", "sketch", "mask_channel", "mask_label", "mask_picture")
SHAPES = ("mask", "box", "ellipse", "polygon")
FLAGS = ("invert", "mask_resize")
OWN = (*TEXTS, *SHAPES, *FLAGS, "quality")
"""Fields of a row that are not the request's, or may be written in more ways than there."""

REQUEST = tuple(name for name in EditRequest.model_fields if name not in ("schema_", "image", "mask", "sketch"))
"""Fields of the request that a row may have, written as in a request."""

DEFAULTS: Mapping[str, Any] = {"intent": "remove", "exact": True}
"""Settings that neither a row nor the defaults of the batch give. Exact: results do not depend on speed or order."""

_CHANNELS = ("auto", "luminance", "alpha", "transparent")


@dataclass(frozen=True, slots=True)
class RowDefaults:
    """Settings of every row that does not give its own.

    Attributes:
        settings: Fields of the request by name.
        places: Where to repaint.
        sketch: A file of strokes to lay over each picture.
        format, quality: How the results are saved.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    places: Places = field(default_factory=Places)
    sketch: str | None = None
    format: str | None = None
    quality: int | None = None


@dataclass(frozen=True, slots=True)
class EditRow:
    """One edit.

    Attributes:
        number: Its line or entry, from 1.
        image: The picture's file; None for a row that continues from another row's result.
        request: The request, without the seed.
        settings: A text that is equal for rows with equal requests.
        places: Where to repaint, unless the request has the mask.
        seed: As given; None for one that follows from the row.
        id: Its id; None where it has none.
        after: Id of the row whose result it continues from.
        sketch: A file of strokes.
        output: The result's file in the folder of results; None for a name by the template.
        format, quality: How the result is saved.
        folder: The picture's folder within the folder that was read ("" or "sub/"), which the result keeps.
    """

    number: int
    image: str | None
    request: EditRequest
    settings: str
    places: Places = field(default_factory=Places)
    seed: int | None = None
    id: str | None = None
    after: str | None = None
    sketch: str | None = None
    output: str | None = None
    format: str | None = None
    quality: int | None = None
    folder: str = ""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that can't be done; it does not stop the others.

    Attributes:
        number: Its line or entry, from 1.
        reason: What is wrong with it, and what would be right.
        id: Its id, if that could be read.
        image: Its picture, likewise.
    """

    number: int
    reason: str
    id: str | None = None
    image: str | None = None


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row before it is checked: a table of settings, or a problem where there is none."""

    number: int
    table: Mapping[str, Any] | None = None
    problem: str = ""
    folder: str = ""


class Reader:
    """Checks rows. Requests that are equal but for the seed are checked and kept once."""

    def __init__(self, defaults: RowDefaults) -> None:
        self._defaults = defaults
        self._requests: dict[str, EditRequest] = {}

    def read(self, raw: RawRow) -> EditRow | BadRow:
        """The row, or what is wrong with it."""
        if raw.table is None:
            return BadRow(raw.number, raw.problem)
        table = {name: _whole(value) for name, value in raw.table.items() if value is not None}
        try:
            return self._row(raw, table)
        except InputError as error:
            id, image = table.get("id"), table.get("image")
            id = str(id) if isinstance(id, str | int) else None
            return BadRow(raw.number, str(error), id, image if isinstance(image, str) else None)

    def _row(self, raw: RawRow, table: dict[str, Any]) -> EditRow:
        _refuse_unknown(table)
        own = {name: _text(table[name], name) for name in TEXTS if name in table}
        if ("image" in own) == ("after" in own):
            which = "both" if "image" in own else "neither"
            raise RequestError(f"a row has an image, or another row that it comes after; this one has {which}")
        places, spec = _places(table, own, self._defaults.places)
        settings = {**DEFAULTS, **self._defaults.settings, **{name: table[name] for name in REQUEST if name in table}}
        settings |= {"mask": spec} if spec is not None else {}
        seed = _integer(settings.pop("seed", None), "seed", -1, (1 << 63) - 1)
        key = json.dumps(settings, sort_keys=True, default=str)
        if key not in self._requests:
            self._requests[key] = EditRequest.from_mapping(settings)
        return EditRow(
            number=raw.number,
            image=own.get("image"),
            request=self._requests[key],
            settings=key,
            places=places,
            seed=None if seed == -1 else seed,
            id=own.get("id"),
            after=own.get("after"),
            sketch=own.get("sketch", self._defaults.sketch),
            output=own.get("output"),
            format=own.get("format", self._defaults.format),
            quality=_integer(table.get("quality", self._defaults.quality), "quality", 1, 100),
            folder=raw.folder,
        )


def _whole(value: Any) -> Any:
    """A whole number that was written as a float (7.0), as tables write a column with empty cells, as an int."""
    if isinstance(value, list):
        return [_whole(one) for one in value]
    exact = isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53
    return int(value) if exact else value


def _refuse_unknown(table: Mapping[str, Any]) -> None:
    for name in table:
        if name not in OWN and name not in REQUEST:
            hint = suggest_setting(name, [*OWN, *REQUEST])
            raise RequestError(f"unknown field {name!r}{hint}")


def _text(value: Any, name: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and name in ("id", "after"):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise RequestError(f"{name} must be text, not {value!r:.80}")
    if "\0" in value:
        raise RequestError(f"{name} must not contain a NUL")
    return value


def _integer(value: Any, name: str, least: int, most: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise RequestError(f"{name} must be a whole number between {least} and {most}, not {value!r:.80}")
    return value


def _places(table: Mapping[str, Any], own: Mapping[str, str], default: Places) -> tuple[Places, Any]:
    """Where the row repaints; and the mask in a request's form, None where it is not written in that form."""
    flags = {name: table.get(name, getattr(default, name)) for name in FLAGS}
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise RequestError(f"{{field}} must be true or false, not {flag!r:.80}", field=name, value=flag)
    channel: Any = own.get("mask_channel", default.mask_channel)
    if channel not in _CHANNELS:
        raise RequestError(f"mask_channel must be one of {', '.join(_CHANNELS)}, not {channel!r}")
    label, picture = own.get("mask_label", default.mask_label), own.get("mask_picture", default.mask_picture)
    common = replace(default, **flags, mask_channel=channel, mask_label=label, mask_picture=picture)
    mask = table.get("mask")
    if isinstance(mask, Mapping):
        if any(name in table for name in ("box", "ellipse", "polygon")):
            raise RequestError("the mask is in a request's form: put boxes, ellipses and polygons into its parts")
        return Places(), mask
    if not any(name in table for name in SHAPES):
        return common, None
    files = [] if mask is None else mask if isinstance(mask, list) else [mask]
    own_places = replace(
        common,
        mask=tuple(_text(one, "mask") for one in files),
        box=_shapes(table.get("box"), "box"),
        ellipse=_shapes(table.get("ellipse"), "ellipse"),
        polygon=_shapes(table.get("polygon"), "polygon"),
    )
    return own_places, None


def _shapes(value: Any, name: str) -> tuple[str, ...]:
    """Shapes as text, of "10%,10%,20%,20%" or [10, 10, 20, 20] (polygon: "10,10 20,10 20,20" or a list of points), or
    a list of these."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,) if name == "polygon" else tuple(part for part in value.split(";") if part.strip())
    if not isinstance(value, list) or not value:
        form = "points x,y x,y x,y" if name == "polygon" else "left,top,right,bottom"
        raise RequestError(f"{name} must be {form}, not {value!r:.80}")
    if name != "polygon" and all(map(_is_number, value)):
        return (_joined(value),)
    if name == "polygon" and all(isinstance(p, list) and len(p) == 2 and all(map(_is_number, p)) for p in value):
        return (" ".join(map(_joined, value)),)
    return tuple(part for one in value for part in _shapes(one, name))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _joined(numbers: list[Any]) -> str:
    return ",".join(f"{number!r}" for number in numbers)
