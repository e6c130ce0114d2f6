"""`overpaint info`: what a picture is, and how it was made."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from .options import PICTURE, AsJson, Debug, Input, MaxPixels
from .streams import as_written, opened
from .texts import print_json, print_rows

if TYPE_CHECKING:
    from overpaint.picture import Picture
    from overpaint.record import FoundRecord, Record


def info(
    picture: Input,
    /,
    *,
    max_pixels: Annotated[MaxPixels, Parameter(group=PICTURE)] = None,
    json: AsJson = False,
    debug: Debug = False,
) -> int:
    """What a picture is, and how it was made: the record within the file or beside it, ours or another tool's.

    [dim]$[/] overpaint info photo.remove.jpg
    """
    from overpaint.record import read_record

    seen = opened(picture)
    found = read_record(seen)
    if json:
        print_json({**mapping(picture, seen), "record": _record(found)})
    else:
        unknown = [("made by", "no record of how this picture was made")]
        print_rows([*_lines(picture, seen), *(unknown if found is None else _told(found))])
    return 0


def mapping(name: str, picture: Picture) -> dict[str, Any]:
    """What a picture is, as plain values."""
    from overpaint.picture import profile_name

    source, metadata = picture.source, picture.metadata
    blocks = {name: getattr(metadata, name) for name in ("icc", "exif", "xmp", "iptc")}
    return {
        "file": as_written(name),
        "format": source.format,
        "bytes": None if source.data is None else len(source.data),
        "sha256": source.sha256,
        "width": picture.size.width,
        "height": picture.size.height,
        "mode": source.mode or picture.mode,
        "colour": str(picture.colour),
        "depth": picture.depth,
        "alpha": picture.alpha is not None,
        "orientation": source.orientation,
        "lossless": source.lossless,
        "profile": profile_name(metadata),
        "dpi": None if metadata.dpi is None else [round(value, 2) for value in metadata.dpi],
        "metadata": {name: len(block) for name, block in blocks.items() if block is not None},
        "text": {key: len(text) for key, text in metadata.text.items()},
    }


def _record(found: FoundRecord | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {**asdict(replace(found, record=None)), "record": found.record and found.record.to_mapping()}


def _lines(name: str, picture: Picture) -> list[tuple[str, str]]:
    about = mapping(name, picture)
    size = "" if about["bytes"] is None else f", {about['bytes']:,} bytes"
    kept = "" if about["lossless"] else ", lossy"
    turned = "" if about["orientation"] == 1 else f", turned as its orientation {about['orientation']} says"
    lines = [
        ("file", f"{about['file']}: {about['format']}{kept}{size}"),
        ("size", f"{picture.size}{turned}"),
        ("mode", about["mode"]),
        ("profile", about["profile"] or ("none, so taken for sRGB" if about["colour"] == "rgb" else "none")),
    ]
    if about["dpi"]:
        lines.append(("dpi", " x ".join(f"{value:.4g}" for value in about["dpi"])))
    kinds = [f"{kind} ({count:,} bytes)" for kind, count in about["metadata"].items()]
    texts = [f"text {key!r} ({count:,} characters)" for key, count in about["text"].items()]
    lines.append(("metadata", ", ".join(kinds + texts) or "none"))
    return lines


def _told(found: FoundRecord) -> list[tuple[str, str]]:
    lines = [("made by", f"{found.tool} (record: {found.place})")]
    if found.record is not None:
        record = found.record
        painter = record.resolved.model or record.resolved.engine
        lines += [("earlier edit", _done(one, one.resolved.engine)) for one in record.earlier or ()]
        if record.enhanced:  # no mask, region or intent has a meaning here
            options = {name: value for name, value in record.resolved.options.items() if value is not None}
            lines.append(("edit", _done(record, painter)))
            return [*lines, *((name, _shown("", value)) for name, value in options.items())]
        lines.append(("edit", f"{_done(record, painter)}; reach {record.reach} px"))
        lines.append(("regions", str(len(record.regions))))
        if record.doubt:
            lines.append(("doubt", record.doubt))
    if found.prompt:
        lines.append(("prompt", found.prompt))
    if found.negative_prompt:
        lines.append(("not wanted", found.negative_prompt))
    ours = found.record is not None
    lines += [
        (str(key), _shown(str(key) if ours or isinstance(value, list) else "", value))
        for key, value in found.settings.items()
    ]
    lines += [("note", note) for note in found.notes]
    return lines


def _done(record: Record, painter: str) -> str:
    """What an edit did, in a few words: "remove with telea", "enlarged 2 times to 800x600 (self-taught)"."""
    from overpaint.record import FACES

    if not record.enhanced:
        return f"{record.request.intent} with {painter}"
    resolved = record.resolved
    by = resolved.models[0].name if resolved.models else resolved.engine
    if resolved.engine == FACES:
        return f"faces restored by {by}"
    scale: Any = resolved.options.get("scale")
    if scale is None and record.input_size is not None:
        scale = max(record.size) / max(record.input_size)
    times = "" if scale is None else f" {scale:.3g} times"
    return f"enlarged{times} to {record.size[0]}x{record.size[1]} ({by})"


def _shown(key: str, value: Any) -> str:
    """A setting in one short line: masks by their parts, and pictures by their sizes and digests."""
    if key == "avoid":
        return _marked(value)
    if key == "regional_prompts":
        return "; ".join(f"{one['prompt']} ({_marked(one['mask'])})" for one in value)
    if key == "controls":
        return "; ".join(map(_control, value))
    if key == "insert":
        return f"a picture of {value['width']}x{value['height']}, {value['sha256'][:12]}..."
    return value if isinstance(value, str) else json_module.dumps(value, default=str)


def _control(table: dict[str, Any]) -> str:
    """A control: its kind, what its map is or is made of, and the settings that are not the usual ones."""
    image = table.get("image")
    source = "the edited picture"
    if image is not None:
        source = f"a picture of {image['width']}x{image['height']}, {image['sha256'][:12]}..."
    made = image is None or table.get("preprocess")
    usual = {"weight": 1.0, "start": 0.0, "end": 1.0, "mode": "balanced"}
    names = ("model", *usual, *table["options"])
    given = {**table, **table["options"]}
    told = [f"{name} {given[name]}" for name in names if given.get(name) not in (None, usual.get(name))]
    return ", ".join([f"{table['kind']} {'made of' if made else 'as'} {source}", *told])


def _marked(mask: dict[str, Any]) -> str:
    """The parts of a mask."""
    parts = ", ".join(f"{part['kind']} {_numbers(part)}".strip() for part in mask["parts"])
    return f"all but {parts}" if mask.get("invert") else parts


def _numbers(part: dict[str, Any]) -> str:
    """The numbers of a part of a mask as the command line takes them; "" for a raster."""
    points = part.get("points", [])
    return ",".join(map(str, part["box"])) if "box" in part else " ".join(f"{x:g},{y:g}" for x, y in points)
