"""Time of an edit with a checkpoint of Stable Diffusion 1.5's size, compared with diffusers' pipeline.

    python -m benchmarks.diffusion
    python -m benchmarks.diffusion --steps 2 --precision float32
    python -m benchmarks.diffusion --jobs photo,crop
    python -m benchmarks.diffusion choices

With `choices` it shows what single choices (guidance interval, deep features, back ends, few steps) save: see
benchmarks/diffusion_choices.py, which has options of its own.
The weights are random, since times do not depend on their values. All methods of a job run in one process with the
same weights, steps, guidance, threads and precision. A run's time is split into seconds a step and a fixed part
(encoding, decoding, pasting, text) by the times at which steps end; both give the seconds of 20 steps.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import diffusion_choices, page, report
from benchmarks.diffusion_jobs import JOBS, Methods, unknown_jobs
from benchmarks.diffusion_model import FAMILIES, write_checkpoint
from benchmarks.diffusion_times import STEPS, RunTimes

OUT = Path("bench-out") / "diffusion"
HEADINGS = ("job", "way", "canvas", "s a step", "once, s", "{steps} steps, s", "times ours", "peak GB")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 on success, 2 for an unknown job."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["choices"]:
        return diffusion_choices.main(given[1:])
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diffusion", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--jobs", help=f"by name, separated by commas: {', '.join(JOBS)}")
    parser.add_argument("--family", choices=FAMILIES, default="sd1", help="of the checkpoint (default: sd1)")
    parser.add_argument(
        "--steps", type=int, default=3, help="steps that are run; the others are extrapolated (default: 3)"
    )
    parser.add_argument("--reckon", type=int, default=STEPS, help=f"steps of the extrapolated time (default: {STEPS})")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each method; the minimum counts (default: 1)")
    parser.add_argument("--precision", choices=("bfloat16", "float16", "float32"), help="default: the device's usual")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--threads", type=int, help="threads of torch (default: torch's default)")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results go (default: {OUT})")
    parser.add_argument("--page", type=Path, metavar="FILE", help="put the table into this page (docs/benchmarks.md)")
    wanted = parser.parse_args(given)
    names = (
        wanted.jobs.split(",") if wanted.jobs else [name for name, job in JOBS.items() if wanted.family in job.families]
    )
    if bad := unknown_jobs(names):
        print(f"benchmarks.diffusion: no job {', '.join(bad)}; there are: {', '.join(JOBS)}", file=sys.stderr)
        return 2
    if wanted.steps < 2:
        print(
            f"benchmarks.diffusion: --steps {wanted.steps}: a step is timed between two ends; 2 or more",
            file=sys.stderr,
        )
        return 2
    if wanted.page is not None:
        page.section_marks(wanted.page, "diffusion")
    results: list[dict[str, Any]] = []
    console = report.console()
    with tempfile.TemporaryDirectory() as folder:
        with console.status("writing random weights ..."):
            checkpoint = write_checkpoint(Path(folder) / "random", wanted.family)
        ways = Methods(checkpoint, wanted.family, wanted.device, wanted.precision, wanted.threads, wanted.steps)
        console.print(ways.setting, highlight=False)
        for name in names:
            job = JOBS[name]
            found: dict[str, RunTimes] = {}
            for _ in range(wanted.rounds):
                for way in job.ways:
                    with console.status(f"{job.title}: {way} ..."):
                        timed = ways.run(job, way)
                    console.print(
                        f"{job.title}: {way}: {timed.canvas}, {timed.step:.2f} s a step, {timed.once:.2f} s once"
                    )
                    found[way] = timed if way not in found else found[way].minimum(timed)
            ours = found[job.ways[0]]
            for way, timed in found.items():
                ratio = timed.total(wanted.reckon) / ours.total(wanted.reckon)
                whole = f"{timed.total(wanted.reckon):.1f} s for {wanted.reckon} steps"
                console.print(f"{job.title}: {way}: {whole}, times ours {ratio:.2f}", highlight=False)
            results.append({"job": name, "title": job.title, "times": {way: asdict(one) for way, one in found.items()}})
        setting = ways.setting
    table = _write(wanted.out, results, wanted.reckon, setting)
    if wanted.page is not None:
        said = page.measured_with(report.machine(), "python -m benchmarks.diffusion")
        page.replace_section(wanted.page, "diffusion", f"{said} {setting}\n\n{table}")
    console.print(f"Figures in {wanted.out / 'results.json'} and {wanted.out / 'table.md'}")
    return 0


def _write(out: Path, results: Sequence[dict[str, Any]], reckon: int, setting: str) -> str:
    out.mkdir(parents=True, exist_ok=True)
    made = {"made": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "machine": report.machine(), "setting": setting}
    (out / "results.json").write_text(json.dumps({**made, "jobs": results}, indent=1), "utf-8")
    lines = ["| " + " | ".join(HEADINGS).format(steps=reckon) + " |", "|---|---|---|" + "---:|" * 5]
    for result in results:
        times = {way: RunTimes(**one) for way, one in result["times"].items()}
        ours = next(iter(times.values()))
        for way, one in times.items():
            cells = [
                result["title"] if one is ours else "",
                way,
                one.canvas,
                f"{one.step:.2f}",
                f"{one.once:.2f}",
                f"{one.total(reckon):.1f}",
                "" if one is ours else f"{one.total(reckon) / ours.total(reckon):.2f}",
                "" if one.peak is None else f"{one.peak:.1f}",
            ]
            lines.append("| " + " | ".join(cells) + " |")
    table = "\n".join(lines) + "\n"
    (out / "table.md").write_text(table, "utf-8")
    return table


if __name__ == "__main__":
    sys.exit(main())
