"""Small batches for tests: pictures on disk, rows, and a run with a stand-in engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from overpaint import Studio
from overpaint.batch import (
    BatchFolders,
    EditRow,
    Ended,
    Event,
    Options,
    Reader,
    RowDefaults,
    Rules,
    preview,
    read_text,
    run,
)
from overpaint.batch.run import BatchPreview
from overpaint.engines import Engine
from stand_ins import noise

BOX = "8,6,20,16"


def photo(path: Path, seed: int = 0, size: tuple[int, int] = (40, 30)) -> Path:
    """Write a picture of noise on a ramp, from a seed."""
    rng = np.random.default_rng(seed)
    smooth = np.linspace(0, 200, size[0], dtype=np.uint8)[None, :, None]
    pixels = smooth + rng.integers(0, 56, (size[1], size[0], 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def photos(folder: Path, count: int) -> list[Path]:
    """Write `count` pictures."""
    return [photo(folder / f"p{n:03}.png", seed=n) for n in range(count)]


@dataclass
class Bench:
    """A folder with pictures, and runs of batches in it."""

    folder: Path
    engine: Callable[[], Engine] = noise
    events: list[Event] = field(default_factory=list)

    @property
    def out(self) -> Path:
        """Folder of the results."""
        return self.folder / "out"

    @property
    def state(self) -> Path | None:
        """Folder of the ledger; None: with the results."""
        return None

    def rows(self, tables: Iterable[Mapping[str, Any]], **shared: Any) -> list[EditRow]:
        """Rows of tables; the default engine is the stand-in."""
        settings = {"intent": "remove", "engine": "stand-in", "exact": True, **shared}
        reader = Reader(RowDefaults(settings=settings))
        text = "\n".join(table if isinstance(table, str) else json.dumps(table) for table in tables)
        return [reader.read(found) for found in read_text(text, "jsonl", "the rows")]  # type: ignore[misc]

    def options(self, **changes: Any) -> Options:
        """Options of the run."""
        rules = Rules(out=self.out, base=self.folder, allow=("memory://",))
        if "rules" in changes:
            rules = replace(rules, **changes.pop("rules"))
        folders = BatchFolders.at(self.out, self.state)
        plain = Options(folders, rules, audit=folders.reports / "audit.jsonl", report=False)
        return replace(plain, **changes)

    def run(self, tables: Iterable[Mapping[str, Any]], **changes: Any) -> Ended:
        """Run a batch and record its events."""
        self.events.clear()
        with Studio() as studio:
            studio.add_engine(self.engine())
            return run(self.rows(tables), self.options(**changes), studio, on_event=self.events.append)

    def preview(self, tables: Iterable[Mapping[str, Any]], **changes: Any) -> BatchPreview:
        """The preview of the batch."""
        with Studio() as studio:
            studio.add_engine(self.engine())
            return preview(self.rows(tables), self.options(**changes), studio)

    def names(self) -> set[str]:
        """Names of results, without hidden files and the batch's own files."""
        return {path.name for path in self.out.iterdir() if path.suffix in (".png", ".jpg") and path.name[0] != "."}

    def strays(self) -> list[str]:
        """Files that must not remain after a run."""
        own = {"report.html", "report.csv", "audit.jsonl", "audit.head", "audit.salt", ".overpaint"}
        return sorted(
            path.relative_to(self.out).as_posix()
            for path in self.out.rglob("*")
            if path.name not in own and path.is_file() and path.suffix not in (".png", ".jpg", ".json")
            if path.parent.name != ".overpaint"
        )

    def events_of(self, kind: type) -> list[Any]:
        """Events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


def pixels(path: Path) -> np.ndarray[Any, Any]:
    """(H, W, C) of a file."""
    with Image.open(path) as image:
        return np.asarray(image)
