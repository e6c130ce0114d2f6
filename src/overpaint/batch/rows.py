"""A row: one edit of many, as a manifest or a folder says it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from overpaint.doors.places import Places
from overpaint.errors import InputError, RequestError, did_you_mean
from overpaint.request import EditRequest, suggest_setting

TEXTS = ("id", "image", "after", "output", "format", "sketch", "mask_channel", "mask_label", "mask_picture")
SHAPES = ("mask", "box", "ellipse", "polygon")
FLAGS = ("invert", "mask_resize")
OWN = (*TEXTS, *SHAPES, *FLAGS, "quality")
"""Fields of a row that are none of the request's, or are written in more ways than there."""

REQUEST = tuple(name for name in EditRequest.model_fields if name not in ("schema_", "image", "mask", "sketch"))
"""Fields of the request that a row may have as they are."""

DEFAULTS: Mapping[str, Any] = {"intent": "remove", "exact": True}
"""What holds where neither a row nor what is shared says otherwise: results must not depend on speed or order."""

_CHANNELS = ("auto", "luminance", "alpha", "transparent")


@dataclass(frozen=True, slots=True)
class RowDefaults:
    """What holds for every row that does not say otherwise.

    Attributes:
        settings: Fields of the request by name.
        places: Where to repaint.
        sketch: Strokes to lay over each picture: a file.
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
        number: Of its line or entry, from 1.
        image: The picture's file; None for a row that goes on from another one.
        request: What is asked, without the seed.
        settings: Tells rows apart whose requests differ; equal for rows with one request.
        places: Where to repaint, unless the request says so.
        seed: As given; None to let it follow from the row.
        id: What the row is called, if it says so.
        after: The row on whose result it goes on.
        sketch: A file of strokes.
        output: The result's file, within the folder of results, if the row says so.
        format, quality: How the result is saved.
        folder: For a picture that was found in a folder of its own, that folder ("" or "sub/"), which the result keeps.
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
    """A row that can't be done, and why; the others go on.

    Attributes:
        number: Of its line or entry, from 1.
        reason: What is wrong with it, and what would be right.
        id: What it is called, if that much could be read.
        image: Its picture, likewise.
    """

    number: int
    reason: str
    id: str | None = None
    image: str | None = None


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as it was found: a table of settings, or what is wrong instead of one."""

    number: int
    table: Mapping[str, Any] | None = None
    problem: str = ""
    folder: str = ""


class Reader:
    """Makes rows of what was found. Requests that are equal but for the seed are checked and kept once."""

    def __init__(self, shared: RowDefaults) -> None:
        self._shared = shared
        self._requests: dict[str, EditRequest] = {}

    def read(self, found: RawRow) -> EditRow | BadRow:
        """The row, or what is wrong with it."""
        if found.table is None:
            return BadRow(found.number, found.problem)
        table = {name: _whole(value) for name, value in found.table.items() if value is not None}
        try:
            return self._row(found, table)
        except InputError as error:
            id, image = table.get("id"), table.get("image")
            return BadRow(
                found.number,
                str(error),
                id=str(id) if isinstance(id, str | int) else None,
                image=image if isinstance(image, str) else None,
            )

    def _row(self, found: RawRow, table: dict[str, Any]) -> EditRow:
        _refuse_unknown(table)
        own = {name: _text(table[name], name) for name in TEXTS if name in table}
        if ("image" in own) == ("after" in own):
            which = "both" if "image" in own else "neither"
            raise RequestError(f"a row has an image or goes on after another row; this one has {which}")
        places, spec = _places(table, own, self._shared.places)
        settings = {**DEFAULTS, **self._shared.settings, **{name: table[name] for name in REQUEST if name in table}}
        settings |= {"mask": spec} if spec is not None else {}
        seed = _seed(settings.pop("seed", None))
        key = json.dumps(settings, sort_keys=True, default=str)
        if key not in self._requests:
            self._requests[key] = EditRequest.from_mapping(settings)
        return EditRow(
            number=found.number,
            image=own.get("image"),
            request=self._requests[key],
            settings=key,
            places=places,
            seed=seed,
            id=own.get("id"),
            after=own.get("after"),
            sketch=own.get("sketch", self._shared.sketch),
            output=own.get("output"),
            format=own.get("format", self._shared.format),
            quality=_quality(table.get("quality", self._shared.quality)),
            folder=found.folder,
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
            hint = did_you_mean(name, OWN) or suggest_setting(name, list(REQUEST))
            raise RequestError(f"unknown field {name!r}{hint}")


def _text(value: Any, name: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and name in ("id", "after"):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise RequestError(f"{name} must be text, not {value!r:.80}")
    if "\0" in value:
        raise RequestError(f"{name} must not contain a NUL")
    return value


def _quality(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100:
        raise RequestError(f"quality must be a whole number between 1 and 100, not {value!r:.80}")
    return value


def _seed(value: Any) -> int | None:
    """The seed that was given; None for none and for -1, which both leave it to the row."""
    if value is None or value == -1:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise RequestError(f"seed must be a whole number between -1 and {(1 << 63) - 1}, not {value!r:.80}")
    return value


def _places(table: Mapping[str, Any], own: Mapping[str, str], shared: Places) -> tuple[Places, Any]:
    """Where the row repaints, and the mask as a request has it where it is written so."""
    flags = {name: table.get(name, getattr(shared, name)) for name in FLAGS}
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise RequestError(f"{{field}} must be true or false, not {flag!r:.80}", field=name, value=flag)
    channel: Any = own.get("mask_channel", shared.mask_channel)
    if channel not in _CHANNELS:
        raise RequestError(f"mask_channel must be one of {', '.join(_CHANNELS)}, not {channel!r}")
    how: dict[str, Any] = {
        **flags,
        "mask_channel": channel,
        "mask_label": own.get("mask_label", shared.mask_label),
        "mask_picture": own.get("mask_picture", shared.mask_picture),
    }
    mask = table.get("mask")
    if isinstance(mask, Mapping):
        if any(name in table for name in ("box", "ellipse", "polygon")):
            raise RequestError("the mask is written out already: put boxes, ellipses and polygons into its parts")
        return Places(), mask
    if not any(name in table for name in SHAPES):
        return replace(shared, **how), None
    return (
        Places(
            mask=_strings(mask, "mask"),
            box=_boxes(table.get("box"), "box"),
            ellipse=_boxes(table.get("ellipse"), "ellipse"),
            polygon=_polygons(table.get("polygon")),
            **how,
        ),
        None,
    )


def _strings(value: Any, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    several = value if isinstance(value, list) else [value]
    return tuple(_text(one, name) for one in several)


def _boxes(value: Any, name: str) -> tuple[str, ...]:
    """ "10%,10%,20%,20%", [10, 10, 20, 20], or a list of these."""
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(part for part in value.split(";") if part.strip())
    if not isinstance(value, list) or not value:
        raise RequestError(f"{name} must be left,top,right,bottom, not {value!r:.80}")
    if all(map(_is_number, value)):
        return (_joined(value),)
    return tuple(part for one in value for part in _boxes(one, name))


def _polygons(value: Any) -> tuple[str, ...]:
    """ "10,10 20,10 20,20", [[10, 10], [20, 10], [20, 20]], or a list of these."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not value:
        raise RequestError(f"polygon must be points x,y x,y x,y, not {value!r:.80}")
    if all(isinstance(point, list) and len(point) == 2 and all(map(_is_number, point)) for point in value):
        return (" ".join(map(_joined, value)),)
    return tuple(part for one in value for part in _polygons(one))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _joined(numbers: list[Any]) -> str:
    return ",".join(f"{number!r}" for number in numbers)
