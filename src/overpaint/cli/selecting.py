"""`overpaint mask select` and `overpaint mask selectors`: masks by meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Group, Parameter

from overpaint.doors.places import Channel, Places, selections
from overpaint.doors.selector_tables import selector_table, selector_tables
from overpaint.errors import RequestError

from .hinting import NotPoints, Pick, Points, SelectBoxes, SelectNames, SelectOptions, SelectTexts
from .maskfiles import check_output, describe
from .options import HOW, OUT, WHERE, WRITTEN_UNSET, AsJson, Debug, Input, Written, argument, flattened, switch
from .streams import STDIO, check_one_reader, opened, write_output
from .texts import print_json, print_line, print_rows


@flattened(WHERE)
@dataclass(frozen=True, slots=True)
class HintedPlaces(Places):
    """What is to be found."""

    mask: Annotated[tuple[str, ...], Parameter(parse=False)] = ()
    box: Annotated[tuple[str, ...], Parameter(parse=False)] = ()
    ellipse: Annotated[tuple[str, ...], Parameter(parse=False)] = ()
    polygon: Annotated[tuple[str, ...], Parameter(parse=False)] = ()
    mask_channel: Annotated[Channel, Parameter(parse=False)] = "auto"
    mask_label: Annotated[str | None, Parameter(parse=False)] = None
    mask_picture: Annotated[str | None, Parameter(parse=False)] = None
    mask_resize: Annotated[bool, Parameter(parse=False)] = False
    invert: Annotated[bool, Parameter(parse=False)] = False
    blurred: Annotated[tuple[float, float] | None, Parameter(parse=False)] = None
    select: SelectNames = ()
    select_text: SelectTexts = ()
    point: Points = ()
    not_point: NotPoints = ()
    select_box: SelectBoxes = ()
    select_option: SelectOptions = ()
    pick: Pick = None


HINTED_UNSET = HintedPlaces()


def select(
    picture: Input,
    /,
    *,
    hinted: HintedPlaces = HINTED_UNSET,
    output: Annotated[
        str, argument(("--output", "-o"), "The mask, as .png or .tif; - writes a PNG to standard output.", OUT, "OUT")
    ],
    allow_pickle: Annotated[
        bool, switch("--allow-pickle", "A network may be a pickle (.pth): its weights alone are read.", HOW)
    ] = False,
    written: Written = WRITTEN_UNSET,
) -> int:
    """Find something in a picture by points, boxes, colours, or what it is.

    [dim]$[/] overpaint mask select photo.jpg --point 420,310 -o thing.png
    [dim]$[/] overpaint mask select photo.jpg --select faces --pick 0 -o face.png
    [dim]$[/] overpaint mask select photo.jpg --select-text "the red car" -o car.png
    """
    from overpaint.picture import encode, format_of_path
    from overpaint.select import hints_of, network_access, picked
    from overpaint.select import select as selections_in

    check_one_reader((picture,))
    check_output(output, written.overwrite)
    shown = opened(picture)
    parts = selections(hinted, shown.size)
    names = tuple(dict.fromkeys(part.selector for part in parts))
    if len(names) != 1:
        raise _not_one(names)
    with network_access(paths=True, allow_pickle=allow_pickle):
        found = [one for part in parts for one in selections_in(shown, part.selector, hints_of(part))]
    mask = picked(found, names[0], hinted.pick)
    format = "png" if output == STDIO else format_of_path(output)
    write_output(output, encode(mask.to_picture(), format).data, overwrite=written.overwrite)
    listed = [{"score": round(one.score, 3), "label": one.label, "bounds": list(one.mask.bounds)} for one in found]
    describe(mask, output, written, selector=names[0], selections=listed)
    if output != STDIO and len(found) > 1 and not (written.json or written.quiet):
        for number, one in enumerate(found):
            print_line(f"  {number}: {one.label or 'selection'} within {one.mask.bounds}")
    return 0


def _not_one(names: tuple[str, ...]) -> RequestError:
    """The error where nothing says what to find, or several selectors would have to."""
    if not names:
        hint = "set point, set select_box, set select_text or set select"
        return RequestError("nothing says what to find", field="select", hint=hint)
    many = "{field} takes one selector here, not " + " and ".join(names)
    return RequestError(many, field="select", hint="'overpaint mask combine' joins the masks of several")


def selectors(
    name: Annotated[str | None, Parameter(group=Group("Selector", sort_key=0))] = None,
    /,
    *,
    json: AsJson = False,
    debug: Debug = False,
) -> int:
    """List what finds things in pictures, and the hints and options that each takes.

    [dim]$[/] overpaint mask selectors
    [dim]$[/] overpaint mask selectors colour
    [dim]$[/] overpaint mask selectors classes

    Args:
        name: Show only this one, with its options.
    """
    if name is not None:
        from overpaint.select import selector_card

        selector_card(name)  # an unknown one is refused
    tables = selector_tables() if name is None else [selector_table(name)]
    if json:
        print_json(tables)
    elif name is None:
        rows = [("selector", "takes", "finds")]
        rows += [(one["name"], _takes(one), _found(one)) for one in tables]
        print_rows(rows, header=True)
    else:
        print_rows(_details(tables[0]))
    return 0


def _takes(table: dict[str, Any]) -> str:
    return ", ".join(table.get("takes", ())) or "-"


def _found(table: dict[str, Any]) -> str:
    """What a selector finds, or why it can't be used now."""
    if not table["usable"]:
        return f"can't be used: {table['fault']}"
    return str(table["title"]) if table["here"] else f"{table['title']}; its network is not here"


def _details(table: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = [("selector", table["name"]), ("finds", table["title"]), ("takes", _takes(table))]
    if table["needs"]:
        rows.append(("needs", " or ".join(table["needs"])))
    for option in table["options"]:
        parts = (option["help"], option["range"], f"left out: {option['default']}")
        rows.append((f"--select-option {option['name']}=", "; ".join(part for part in parts if part)))
    rows += [("where nothing is found", table["tip"]), ("licence", table["licence"])]
    if not table["here"]:
        rows.append(("can't be used", "its network is not here: see 'overpaint models list --all'"))
    if table["words"]:
        rows.append(("words", ", ".join(table["words"])))
    return [*rows, *(("reference", reference) for reference in table["references"])]
