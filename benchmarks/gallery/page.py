"""The generated parts of docs/gallery.md: figures, sheets and tables by kind, and the credits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.gallery import judgements
from benchmarks.gallery.jobs import KINDS, Job, PackedPicture
from benchmarks.gallery.judgements import VERDICTS, Judgement
from benchmarks.gallery.results import JobResult


def results_text(
    jobs: Sequence[Job],
    chosen: Mapping[str, JobResult],
    verdicts: Sequence[Judgement],
    sheets: Mapping[str, Sequence[Path]],
    page: Path,
) -> str:
    """Markdown: how many results could be delivered, then each kind's sheets and table."""
    parts = [_summary(jobs, chosen, verdicts)]
    for intent, title in KINDS.items():
        parts.append(f"## {title}")
        parts += [
            f"![{title}, sheet {number}]({sheet.relative_to(page.parent).as_posix()})"
            for number, sheet in enumerate(sheets.get(intent, ()), 1)
        ]
        rows = [
            _line(number, job, chosen.get(job.name), verdicts)
            for number, job in enumerate(jobs, 1)
            if job.intent == intent
        ]
        parts.append(
            "| # | Job | What | Settings | Engine | s | Judged |\n|---:|---|---|---|---|---:|---|\n" + "\n".join(rows)
        )
    return "\n\n".join(parts)


def credits_text(pictures: Mapping[str, PackedPicture]) -> str:
    """Markdown: every picture's author, licence and package."""
    rows = [
        f"| {name} | {picture.title} | {picture.credit} | {picture.licence} | {picture.package} {picture.version} | "
        f"`{picture.path}` |"
        for name, picture in pictures.items()
    ]
    return "| Picture | Title | By | Licence | Package | File |\n|---|---|---|---|---|---|\n" + "\n".join(rows)


def _summary(jobs: Sequence[Job], chosen: Mapping[str, JobResult], verdicts: Sequence[Judgement]) -> str:
    lines = [f"| | jobs | {' | '.join(VERDICTS)} | not judged | no result |", f"|---|{'---:|' * (len(VERDICTS) + 3)}"]
    for intent, title in KINDS.items():
        some = [chosen.get(job.name) for job in jobs if job.intent == intent]
        done = [result for result in some if result is not None and not result.error]
        said = Counter(one.verdict if (one := judgements.of(result, verdicts)) else "" for result in done)
        counts = [len(some), *(said[verdict] for verdict in VERDICTS), said[""], len(some) - len(done)]
        lines.append(f"| {title} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines)


def _line(number: int, job: Job, result: JobResult | None, verdicts: Sequence[Judgement]) -> str:
    settings = [
        f"{name} {value}"
        for name, value in (*job.settings.items(), *job.settings.get("options", {}).items())
        if name not in ("intent", "mask", "options")
    ]
    if job.insert:
        settings.append(f"insert {job.insert}")
    head = f"| {number} | {job.name} | {job.what} | {', '.join(settings).replace('|', ' ')} |"
    if result is None or result.error:
        return f"{head} - | - | no result: {'not run' if result is None else ' '.join(result.error.split())} |"
    one = judgements.of(result, verdicts)
    said = "not judged" if one is None else f"**{one.verdict}**: {one.why}"
    return f"{head} {result.engine} | {result.seconds:.1f} | {said} |"
