"""Which results in a ledger belong to no row of a list: not to those that can be done, and to none that may be able to
be done another day.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from overpaint.doors.controls import control_files
from overpaint.doors.names import folded, inside, pattern_of
from overpaint.errors import OverpaintError
from overpaint.ledger import LedgerEntry

from .plan import BatchPlan, PlannedEdit, Rules
from .rows import BadRow, EditRow
from .store import ASIDE, at

_Source = tuple[str, str]
"""What a row edits: ("image", its place), or ("after", the id of a row)."""


@dataclass(frozen=True, slots=True)
class _PossibleResults:
    """The results that a row may have which can't be done now.

    Attributes:
        number: The row's.
        names: What its output's name matches; None: any name.
        id: Its id.
        source: What it edits.
    """

    number: int
    names: re.Pattern[str] | None
    id: str | None
    source: _Source | None

    @classmethod
    def of(cls, bad: BadRow, row: EditRow | None, rules: Rules) -> _PossibleResults:
        """Of a row that can't be done, as far as it could be read."""
        if row is None and bad.nameless:
            return cls(bad.number, None, bad.id, None)
        output, image = (bad.output, bad.image) if row is None else (row.output, row.image)
        if output is not None:
            try:
                names = re.compile(re.escape(folded(inside(output))))
            except OverpaintError:
                return cls(bad.number, None, bad.id, None)
        else:
            values: dict[str, str | None] = {
                "folder": bad.folder if row is None else row.folder,
                "name": None if image is None else at(rules.base, image).stem,
                "intent": None if row is None else str(row.request.intent),
                "id": bad.id or str(bad.number),
                "row": str(bad.number),
            }
            names = pattern_of(rules.name, values)
        after = None if row is None else row.after
        return cls(bad.number, names, bad.id, _source(rules, image, after))

    def may_be(self, entry: LedgerEntry, source: _Source | None) -> bool:
        """Whether a result may be the row's."""
        if self.names is None or (self.source is not None and self.source == source):
            return True
        return entry.id == self.id or self.names.fullmatch(folded(entry.spec)) is not None


@dataclass(frozen=True, slots=True)
class ListClaims:
    """What the rows of a list own or need.

    Attributes:
        rules: Of the batch.
        ids: Of rows that can be done.
        outputs: Their results' names, as file systems compare them.
        bad: The possible results of the others.
        undone: The numbers of rows whose result is not there yet, by what they edit.
        read: The numbers of rows by the files that they read.
    """

    rules: Rules
    ids: frozenset[str]
    outputs: frozenset[str]
    bad: tuple[_PossibleResults, ...]
    undone: Mapping[_Source, int]
    read: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls, rows: Iterable[EditRow | BadRow], planned: BatchPlan, done: Collection[str], rules: Rules
    ) -> ListClaims:
        """Of a list and its plan; `done` are the ids of rows whose results are there."""
        by_number = {row.number: row for row in rows if isinstance(row, EditRow)}
        items = planned.items
        return cls(
            rules=rules,
            ids=frozenset(item.id for item in items),
            outputs=frozenset(folded(_name(item, rules)) for item in items),
            bad=tuple(_PossibleResults.of(row, by_number.get(row.number), rules) for row in planned.bad),
            undone={
                source: item.row.number
                for item in items
                if item.id not in done and (source := _source(rules, item.row.image, item.after)) is not None
            },
            read={
                **{name: bad.number for bad in planned.bad for name in _paths(bad.names, rules)},
                **{name: row.number for row in by_number.values() for name in _files(row, rules)},
            },
        )

    def owns(self, entry: LedgerEntry) -> bool:
        """Whether a result is that of a row that can be done."""
        return entry.id in self.ids or folded(entry.spec) in self.outputs

    def need(self, entry: LedgerEntry) -> str:
        """Why a result that no row owns is kept all the same; "" where nothing needs it."""
        source = _source_of(entry, self.rules)
        for one in self.bad:
            if one.may_be(entry, source):
                return f"row {one.number} can't be done now, and this may be its result"
        if source is None and self.undone:
            return f"row {next(iter(self.undone.values()))} is not done yet, and this may be its earlier result"
        if source is not None and source in self.undone:
            return f"row {self.undone[source]} edits the same picture, and is not done yet"
        for name in (entry.spec, f"{ASIDE}/{entry.spec}"):
            reader = self.read.get(_folded_path(str(self.rules.out / name)))
            if reader is not None:
                return f"row {reader} reads it"
        return ""


def _name(item: PlannedEdit, rules: Rules) -> str:
    return item.output.relative_to(rules.out).as_posix()


def _source(rules: Rules, image: str | None, after: str | None) -> _Source | None:
    if after is not None:
        return ("after", after)
    return None if image is None else ("image", _folded_path(str(at(rules.base, image))))


def _source_of(entry: LedgerEntry, rules: Rules) -> _Source | None:
    """What the row of a result edited, as the ledger has it; None where it does not say."""
    detail: Any = json.loads(entry.detail) if entry.detail else {}
    return _source(rules, detail.get("image"), detail.get("after"))


def _files(row: EditRow, rules: Rules) -> Iterator[str]:
    beside = (*row.places.files, *row.avoid, *row.region_files, *control_files(row.controls))
    names = (row.image, row.sketch, row.insert, *beside)
    return _paths((name for name in names if name is not None), rules)


def _paths(names: Iterable[str], rules: Rules) -> Iterator[str]:
    for name in names:
        with contextlib.suppress(ValueError):  # a word that no file can have as its name
            yield _folded_path(str(at(rules.base, name)))


def _folded_path(path: str) -> str:
    return folded(path if "://" in path else PurePosixPath(os.path.realpath(path)).as_posix())
