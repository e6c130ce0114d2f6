"""Outputs that can't be: names that rows share, files that are read or not the batch's own, links that lead outside."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from overpaint.doors.names import folded
from overpaint.errors import OutputError, RequestError

from .rows import BadRow
from .store import ASIDE, Address, Place, aside_of, at, check_inside, is_there

if TYPE_CHECKING:
    from .plan import PlannedEdit, Rules


_LOSES_SIGNATURE = "the result of an earlier run was signed; the new one, which replaces it, is not"


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """Results of earlier runs, which may be written again.

    Attributes:
        named: Those under their own names.
        aside: Those that were set aside for review.
        signed: Those of either that have a signed manifest.
    """

    named: set[Place] = field(default_factory=set)
    aside: set[Place] = field(default_factory=set)
    signed: set[Place] = field(default_factory=set)

    def __iter__(self) -> Iterator[Place]:
        yield from self.named
        yield from self.aside


def refuse_same_outputs(items: Iterable[PlannedEdit], out: Place) -> None:
    """Raise RequestError when two rows would write one file."""
    seen: dict[str, PlannedEdit] = {}
    for item in items:
        one = seen.setdefault(str(item.output), item)
        if one is not item:
            raise RequestError(
                f"the rows {one.row.number} and {item.row.number} would both write {item.output.relative_to(out)}: "
                "give one of them an output of its own, or all of them ids and the name '{name}.{id}{ext}'"
            )


def refuse_outputs_that_are_read(items: Iterable[PlannedEdit], base: Path) -> None:
    """Raise RequestError when a row would replace a file that a row reads, on this file system or another one, also
    through links. Files in rows are relative to `base`.
    """
    real = _RealPlaces()
    read: dict[str, int] = {}
    for item in items:
        places = [at(base, name) for name, _ in item.beside]
        for place in places if item.after is not None else (item.image, *places):
            read.setdefault(real.of(place), item.row.number)
    for item in items:
        number = read.get(real.of(item.output))
        if number is not None:
            raise RequestError(
                f"row {item.row.number} would replace {item.output}, which row {number} reads: choose another folder "
                "or name, or let one row come after the other"
            )


def usable_outputs(items: Iterable[PlannedEdit], own: OwnFiles, rules: Rules) -> tuple[list[PlannedEdit], list[BadRow]]:
    """Rows whose output can be written, and the others: their output is an existing file that is not a result of this
    batch, a link leads it out of the folder, its name differs from that of an earlier row by case or by the form of
    accents alone, so that many file systems take both for one, a doubtful result would take another row's place, or a
    result that is not signed that of a signed one.
    """
    ready: list[PlannedEdit] = []
    refused: list[BadRow] = []
    names: dict[str, PlannedEdit] = {}
    folders: dict[Place, OutputError | None] = {}
    for item in items:
        mine, aside = item.output in own.named, aside_of(rules.out, item.output)
        first = names.setdefault(folded(str(item.output)), item)
        error = _clash(item, first, rules.out) if first is not item else _led_outside(item.output, rules.out, folders)
        error = error or _set_aside_error(item.output, aside, own, rules)
        for place in (item.output, aside) if rules.gate else (item.output,):
            # a link in the place of a result is not what was written, and its target is another's
            known = (mine if place is item.output else aside in own.aside) and not _is_link(place)
            if error is None and not known and not rules.overwrite and is_there(place):
                error = _no_result(place)
        signed = [place for place in (item.output, aside) if place in own.signed and rules.marking.seal is None]
        if error is None and signed and not rules.overwrite and is_there(signed[0]):
            error = _loses_signature(signed[0])
        if error is None:
            replaces, was_aside = mine or rules.overwrite, aside in own.aside
            notes = (*item.notes, _LOSES_SIGNATURE) if signed else item.notes
            ready.append(replace(item, replaces=replaces, was_named=mine, was_aside=was_aside, notes=notes))
        else:
            refused.append(BadRow(item.row.number, error, item.row.id, item.row.image))
    return ready, refused


def _no_result(place: Place) -> OutputError:
    return OutputError(
        f"{place} exists already and is no result of this batch",
        code="output-exists",
        field="output",
        value=str(place),
        hint="set overwrite to replace it",
    )


def _loses_signature(place: Place) -> OutputError:
    return OutputError(
        f"{place} was signed by an earlier run, and this one would replace it with a result that is not signed",
        code="output-signed",
        field="output",
        value=str(place),
        hint="set c2pa_cert and c2pa_key to sign again, or overwrite to replace it",
    )


def _set_aside_error(output: Place, aside: Place, own: OwnFiles, rules: Rules) -> OutputError | None:
    """The error where an output is in the place of a doubtful result, or the row's own doubtful one would be in the
    place of a result.
    """
    reserved = rules.gate and output.is_relative_to(rules.out / ASIDE)
    if reserved or (output in own.aside and output not in own.named):
        return _reserved(output.relative_to(rules.out).as_posix())
    if rules.gate and aside in own.named and aside not in own.aside:
        return OutputError(
            f"if it is doubtful its result goes to {aside}, which is the result of another row",
            code="output-reserved",
            field="output",
            value=str(aside),
            hint="choose another name for one of them",
        )
    return None


def _reserved(name: str) -> OutputError:
    return OutputError(
        f"its output {name} is in the folder {ASIDE}, which is for doubtful results",
        code="output-reserved",
        field="output",
        value=name,
        hint="choose another name",
    )


def _clash(item: PlannedEdit, first: PlannedEdit, out: Place) -> OutputError:
    name, other = item.output.relative_to(out).as_posix(), first.output.relative_to(out).as_posix()
    return OutputError(
        f"its output {name} differs from {other} of row {first.row.number} only by case or by the form of accents: "
        "many file systems take both for one",
        code="output-twice",
        field="output",
        value=name,
        hint="give one of them an output of its own",
    )


def _led_outside(output: Place, out: Place, folders: dict[Place, OutputError | None]) -> OutputError | None:
    """The error where a link leads an output out of the folder of results; each folder is looked at once."""
    for place in (output.parent, *((output,) if _is_link(output) else ())):
        if place not in folders:
            try:
                check_inside(place, out)
                folders[place] = None
            except OutputError as error:
                folders[place] = error
        if (found := folders[place]) is not None:
            return found
    return None


def _is_link(place: Place | str) -> bool:
    return os.path.islink(place)  # noqa: PTH114 - an address is no link


class _RealPlaces:
    """The names of places without links, in one case and one form of accents. Each folder is looked up once."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def of(self, place: Place) -> str:
        """The name. A link at the end is followed too."""
        if isinstance(place, Address):
            return folded(str(place))
        folder, name = os.path.split(os.path.abspath(place))  # noqa: PTH100 - for every file of every row
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        found = os.path.join(self._folders[folder], name)  # noqa: PTH118
        return folded(os.path.realpath(found) if _is_link(found) else found)
