"""What docs/audit.md says of each kind of tampering is what happens: now, in the next batch, and with a key."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from batches import BOX, Bench, photo
from overpaint.audit import AuditKey, ChainHead, Verdict, head_path, verify
from overpaint.audit._head import HeadFile, write_head
from overpaint.audit._line import line_of, record_text
from overpaint.batch import LogWitness, ledger_at
from overpaint.errors import OutputError
from overpaint.ledger import Ledger

PAGE = Path(__file__).parents[1] / "docs" / "audit.md"
ROWS = 4


def tables(count: int) -> list[dict[str, Any]]:
    """Rows whose pictures lie in the folder of results, so that the whole can be copied."""
    return [{"image": f"out/in/p{n}.png", "box": BOX, "seed": n} for n in range(count)]


@dataclass(frozen=True)
class Place:
    """A copy of a batch's folder, to be tampered with."""

    folder: Path
    key: AuditKey | None

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def log(self) -> Path:
        return self.out / "audit.jsonl"

    @property
    def state(self) -> Path:
        return self.out / ".overpaint"

    @property
    def lines(self) -> list[bytes]:
        return self.log.read_bytes().splitlines(keepends=True)

    def keep(self, lines: list[bytes]) -> None:
        self.log.write_bytes(b"".join(lines))

    def head(self, end: ChainHead) -> None:
        write_head(self.log, HeadFile(end))

    def records(self) -> list[str]:
        return [record_text(line.rstrip(b"\n")).decode() for line in self.lines]

    def chain(self, records: list[str]) -> ChainHead:
        """Make the log anew with these records, every hash right, and a head that goes with it."""
        end, lines = ChainHead(), []
        for record in records:
            line, end = line_of(record, end)
            lines.append(line)
        self.keep(lines)
        self.head(end)
        return end

    def verify(self, *, keys: bool = False, **more: Any) -> Verdict:
        ledger = ledger_at(self.out)
        asked = None if ledger is None else lambda: LogWitness.reading(ledger, self.log).full_witness(self.log)
        found = [self.key] if keys and self.key is not None else []
        return verify(self.log, witness=asked, keys=found, **more)

    def next_batch(self, count: int = ROWS + 1, **options: Any) -> None:
        photos_in(self.folder, count)
        Bench(self.folder).run(tables(count), audit_key=self.key, **options)


def photos_in(folder: Path, count: int, seed: int = 0) -> None:
    for n in range(count):
        path = folder / "out" / "in" / f"p{n}.png"
        if not path.exists():
            photo(path, seed=seed + n)


def made(folder: Path, key: AuditKey | None) -> Path:
    """A folder with a batch of four rows, before/ as it was after three."""
    place = Place(folder, key)
    place.next_batch(ROWS - 1)
    shutil.copytree(place.out, folder / "before")
    place.next_batch(ROWS)
    return folder


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, tuple[Path, AuditKey | None]]:
    pytest.importorskip("cryptography")
    folder = tmp_path_factory.mktemp("made")
    key = AuditKey.make(folder / "batch.key")
    return {False: (made(folder / "plain", None), None), True: (made(folder / "signed", key), key)}


@pytest.fixture
def place(templates: dict[bool, tuple[Path, AuditKey | None]], tmp_path: Path) -> Callable[[bool], Place]:
    def copied(signed: bool) -> Place:
        template, key = templates[signed]
        return Place(Path(shutil.copytree(template, tmp_path / f"signed-{signed}")), key)

    return copied


def altered(record: str) -> str:
    """A record that tells of another seed."""
    return re.sub(r'"seed":\d+', '"seed":77', record)


def change_a_byte(place: Place) -> None:
    place.log.write_bytes(place.log.read_bytes().replace(b'"attempt":1', b'"attempt":2', 1))


def forged_tail(place: Place, *, head: bool) -> None:
    line, end = line_of(altered(place.records()[0]), ChainHead(ROWS, json.loads(place.lines[-1])["hash"]))
    place.keep([*place.lines, line])
    if head:
        place.head(end)


def cut_tail(place: Place, head: str) -> None:
    place.keep(place.lines[:-1])
    if head == "gone":
        head_path(place.log).unlink()
    elif head == "empty":
        head_path(place.log).write_bytes(b"")
    elif head == "written":
        place.head(ChainHead(ROWS - 1, json.loads(place.lines[-1])["hash"]))


def anew(place: Place, *, ledger: str = "left") -> None:
    records = place.records()
    end = place.chain([records[0], altered(records[1]), *records[2:]])
    if ledger == "gone":
        shutil.rmtree(place.state)
    elif ledger == "written":
        with Ledger(place.state / "ledger.sqlite") as open_ledger:
            open_ledger.keep_log_end("audit.jsonl", end.count, end.hash)


def of_another_batch(place: Place, *names: str) -> None:
    other = place.folder / "other"
    photos_in(other, 2, seed=70)
    Bench(other).run(tables(2))
    for name in names:
        shutil.copy(other / "out" / name, place.out / name)


def rolled_back(place: Place, *, outputs: bool = False) -> None:
    before = place.folder / "before"
    if outputs:
        shutil.rmtree(place.out)
        shutil.copytree(before, place.out)
        return
    shutil.rmtree(place.state)
    shutil.copytree(before / ".overpaint", place.state)
    for name in ("audit.jsonl", "audit.head"):
        shutil.copy(before / name, place.out / name)


def swap_outputs(place: Place) -> None:
    first, second = sorted(place.out.glob("p*.png"))[:2]
    first.rename(place.out / "x")
    second.rename(first)
    (place.out / "x").rename(second)


def link_an_output(place: Place) -> None:
    output = sorted(place.out.glob("p*.png"))[0]
    output.rename(place.folder / "elsewhere.png")
    output.symlink_to(place.folder / "elsewhere.png")


def log_as_link(place: Place) -> None:
    place.log.rename(place.folder / "away.jsonl")
    place.log.symlink_to(place.folder / "away.jsonl")


def log_as_pipe(place: Place) -> None:
    place.log.unlink()
    os.mkfifo(place.log)


TAMPERING: dict[str, Callable[[Place], object]] = {
    "one byte of a line is changed": change_a_byte,
    "a line is taken out": lambda place: place.keep([*place.lines[:1], *place.lines[2:]]),
    "two lines are swapped": lambda place: place.keep([place.lines[0], place.lines[2], place.lines[1], place.lines[3]]),
    "a line is there twice": lambda place: place.keep([*place.lines, place.lines[1]]),
    "a line is put at the end": lambda place: forged_tail(place, head=False),
    "a line is put at the end, and the head goes with it": lambda place: forged_tail(place, head=True),
    "the last line is cut off": lambda place: cut_tail(place, "left"),
    "the last line is cut off, the head deleted": lambda place: cut_tail(place, "gone"),
    "the last line is cut off, the head emptied": lambda place: cut_tail(place, "empty"),
    "the last line is cut off, and the head goes with it": lambda place: cut_tail(place, "written"),
    "a record is changed, all lines chained anew, and the head goes with it": anew,
    "the same, and the ledger is deleted": lambda place: anew(place, ledger="gone"),
    "the same, and the ledger goes with it": lambda place: anew(place, ledger="written"),
    "the log is emptied, the head deleted": lambda place: (place.keep([]), head_path(place.log).unlink()),
    "log and head are deleted": lambda place: (place.log.unlink(), head_path(place.log).unlink()),
    "the head is that of another run": lambda place: of_another_batch(place, "audit.head"),
    "log and head are those of another folder": lambda place: of_another_batch(place, "audit.jsonl", "audit.head"),
    "the head is emptied": lambda place: head_path(place.log).write_bytes(b""),
    "the head is deleted": lambda place: head_path(place.log).unlink(),
    "the ledger is an older one": lambda place: (
        shutil.rmtree(place.state),
        shutil.copytree(place.folder / "before" / ".overpaint", place.state),
    ),
    "log, head and ledger are older ones": rolled_back,
    "the whole folder is an older one": lambda place: rolled_back(place, outputs=True),
    "the log is a pipe": log_as_pipe,
    "the log is a link": log_as_link,
    "a result is changed": lambda place: shutil.copy(place.out / "in" / "p0.png", place.out / "p0.remove.png"),
    "two results are swapped": swap_outputs,
    "a result is deleted": lambda place: (place.out / "p0.remove.png").unlink(),
    "a result is a link": link_an_output,
    "a picture is put into the folder": lambda place: shutil.copy(place.out / "in" / "p0.png", place.out / "more.png"),
    "an input is replaced": lambda place: shutil.copy(place.out / "in" / "p1.png", place.out / "in" / "p0.png"),
}


def said(verdict: Verdict) -> str:
    texts = [*map(str, verdict.faults), *(f"note: {note}" for note in verdict.notes)]
    return " // ".join(texts) or "whole"


def page() -> dict[str, tuple[str, str, str]]:
    """The table of the page: what each kind of tampering leads to."""
    table = PAGE.read_text(encoding="utf-8").split("<!-- tampering -->", 1)[1].split("<!-- end -->", 1)[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", table, re.MULTILINE)
    return {row[0]: (row[1], row[2], row[3]) for row in rows[1:]}


ROWS_OF_THE_PAGE = page()


def says(cell: str, verdict: Verdict) -> None:
    """Assert that a verdict says what a cell has, where ... stands for anything."""
    for part in cell.split("; "):
        if part == "whole":
            assert said(verdict) == "whole"
        else:
            assert re.search(re.escape(part).replace(r"\.\.\.", ".*"), said(verdict)), (part, said(verdict))
    assert verdict.whole == all(part == "whole" or part.startswith("note: ") for part in cell.split("; "))


def test_the_page_has_every_kind_and_no_other():
    assert list(ROWS_OF_THE_PAGE) == list(TAMPERING)


@pytest.mark.parametrize("kind", list(TAMPERING))
def test_tampering_is_named_now_in_the_next_batch_and_with_a_key(kind, place):
    now, then, with_key = ROWS_OF_THE_PAGE[kind]
    plain, signed = place(False), place(True)
    for one in (plain, signed):
        TAMPERING[kind](one)
    says(now, plain.verify(inputs=True))
    says(with_key, signed.verify(inputs=True, keys=True))
    strict = plain.verify(inputs=True, strict=True)
    assert strict.whole == (now == "whole")
    assert not strict.notes
    if then.startswith("refused"):
        before = sorted(plain.out.glob("*.png"))
        with pytest.raises(OutputError) as caught:
            plain.next_batch()
        assert caught.value.code == ("output-refused" if "pipe" in kind else "audit-fault")
        assert sorted(plain.out.glob("*.png")) == before
        if "pipe" not in kind:
            plain.next_batch(accept_fault=True)
            plain.next_batch()
            says("a note in the log says that it was gone on with over a fault, by ...", plain.verify())
    else:
        plain.next_batch()
        says(then.removeprefix("goes on: "), plain.verify(inputs=True))


@pytest.mark.parametrize("kind", [kind for kind, (now, _, key) in ROWS_OF_THE_PAGE.items() if "whole" in (now, key)])
def test_what_neither_ledger_nor_key_can_tell_a_head_that_is_kept_elsewhere_tells(kind, place):
    for one in (place(False), place(True)):
        head = json.loads(head_path(one.log).read_bytes())
        TAMPERING[kind](one)
        verdict = one.verify(expected=f"{head['count']}:{head['hash']}")
        assert "the chain never had the head" in said(verdict)
