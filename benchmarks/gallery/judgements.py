"""What a judge who did not know the engines said of the results, one line for each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.gallery.jobs import Job
from benchmarks.gallery.results import JobResult, ResultFolder

FILE = Path(__file__).with_name("judgements.json")
VERDICTS = ("deliverable", "nearly", "not")


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict on one result, and why; it holds for the pixels of this digest alone."""

    job: str
    engine: str
    digest: str
    verdict: str
    why: str


def load(path: Path = FILE) -> list[Judgement]:
    """All that were kept."""
    return [Judgement(**entry) for entry in json.loads(path.read_text("utf-8"))] if path.exists() else []


def of(result: JobResult, judgements: Sequence[Judgement]) -> Judgement | None:
    """The one on this very result."""
    return next((one for one in judgements if (one.job, one.digest) == (result.job, result.digest)), None)


def unblinded(
    judged: Mapping[str, Mapping[str, Sequence[str]]],
    key: Mapping[str, Mapping[str, str]],
    jobs: Sequence[Job],
    found: ResultFolder,
) -> list[Judgement]:
    """The judgements of blind sheets, by what the key says. Raises ValueError for other verdicts, KeyError."""
    by_name = {job.name: job for job in jobs}
    made = []
    for sheet, letters in judged.items():
        job = by_name[key[sheet]["job"]]
        results = {result.engine: result for result in found.of(job)}
        for letter, (verdict, why) in letters.items():
            if verdict not in VERDICTS:
                raise ValueError(f"{sheet} {letter}: the verdict is one of {', '.join(VERDICTS)}, not {verdict!r}")
            engine = key[sheet][letter]
            made.append(Judgement(job.name, engine, results[engine].digest, verdict, why))
    return made


def keep(new: Sequence[Judgement], path: Path = FILE) -> None:
    """Add judgements to the file; of one job and engine the last counts."""
    every = {(one.job, one.engine): one for one in (*load(path), *new)}
    lines = ",\n".join(json.dumps(asdict(every[key]), ensure_ascii=False) for key in sorted(every))
    path.write_text(f"[\n{lines}\n]\n", "utf-8")
