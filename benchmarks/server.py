"""The server under load: what it costs beside an engine, how soon it answers, and what sharing of steps brings.

    python -m benchmarks.server
    python -m benchmarks.server --full --parts load
    python -m benchmarks.server --page docs/benchmarks.md

- load: small jobs of 64 clients, with a stand-in that sleeps 20 ms a job in the place of an engine: jobs a second
  against the stand-in alone, processor time of the server a job, memory; and one client alone, who waits for each job.
- polls: seconds of GETs while the patch-based fill and the embedded model paint, and before.
- trace: the embedded model with Poisson arrivals of mixed steps and sizes, all that have arrived in one loop, and one
  job at a time.

Clients run on the same machine. `--full` takes 2,000 jobs for the load, a fill of 12 megapixels, and a longer trace.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from PIL import Image

from benchmarks.page import measured_with, replace_section, section_marks
from benchmarks.report import machine
from benchmarks.server_process import LANES, ServerProcess, SleepingEngine, started
from overpaint.engines import Monitor
from overpaint.request import EditRequest
from overpaint.server import new_key
from overpaint.server.tasks import EditTask

EACH = 0.02
CLIENTS = 64
OUT = Path("bench-out/server")


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """Of the load.

    Attributes:
        jobs: How many.
        own: Jobs a second of the stand-in alone, called by as many threads as there are lanes.
        served: Jobs a second of the server.
        processor: Milliseconds of the server's processor time a job.
        grown: Bytes by which the server's memory has grown.
        alone: Milliseconds by which a job of one client alone takes longer than in the stand-in, median.
    """

    jobs: int
    own: float
    served: float
    processor: float
    grown: int
    alone: float


@dataclass(frozen=True, slots=True)
class PollFigures:
    """Milliseconds of GETs of a job's state: idle, and while engines paint."""

    when: str
    polls: int
    p50: float
    p95: float
    p99: float
    largest: float


def photo(width: int, height: int) -> bytes:
    """A PNG with some texture."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = np.stack([np.sin(columns / 9 + rows / 23), np.cos(rows / 7), np.sin((rows + columns) / 31)], 2)
    out = io.BytesIO()
    Image.fromarray((waves * 90 + 128).astype(np.uint8)).save(out, "PNG", compress_level=1)
    return out.getvalue()


def own_throughput(jobs: int) -> float:
    """Jobs a second of the stand-in without a server."""
    from concurrent.futures import ThreadPoolExecutor

    engine = SleepingEngine(EACH)
    task = EditTask(picture="0" * 64, request=EditRequest())
    began = time.perf_counter()
    with ThreadPoolExecutor(LANES) as pool:
        for _ in range(jobs):
            pool.submit(engine.do, "x", task, Monitor(), lambda _: None)
    return jobs / (time.perf_counter() - began)


def load(jobs: int) -> LoadFigures:
    """See the module."""
    with tempfile.TemporaryDirectory() as folder:
        keys = [new_key(Path(folder) / "keys.txt", f"client{number}") for number in range(CLIENTS)]
        with started(Path(folder), EACH) as server:
            alone = _alone(server, keys[0])
            memory, processor = server.memory, server.processor
            seconds = asyncio.run(_many(server, keys, jobs))
            processor, grown = server.processor - processor, server.memory - memory
    return LoadFigures(jobs, own_throughput(min(jobs, 300)), jobs / seconds, 1e3 * processor / jobs, grown, alone)


async def _many(server: ServerProcess, keys: Sequence[str], jobs: int) -> float:
    """Seconds from the first upload to the end of the last job."""
    picture = photo(8, 8)
    secure = ssl.create_default_context()  # for all: each client would make its own, which is not the server's work

    async def client(api: httpx2.AsyncClient, number: int) -> float:
        id = (await api.post("/pictures", content=picture)).json()["id"]
        for job in range(number, jobs, CLIENTS):
            (await api.post("/edits", json=_small(id, job))).raise_for_status()
        while (counts := (await api.get("/state")).json()["jobs"])["queued"] + counts["running"]:
            await asyncio.sleep(1)
        (newest,) = (await api.get("/edits", params={"limit": 1})).json()
        return float(newest["updated"])

    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                httpx2.AsyncClient(
                    base_url=server.url,
                    headers={"authorization": f"Bearer {key}"},
                    trust_env=False,
                    timeout=120,
                    verify=secure,
                )
            )
            for key in keys
        ]
        began = time.time()
        return max(await asyncio.gather(*(client(api, number) for number, api in enumerate(clients)))) - began


def _alone(server: ServerProcess, key: str, jobs: int = 40) -> float:
    taken = []
    headers = {"authorization": f"Bearer {key}"}
    with httpx2.Client(base_url=server.url, headers=headers, trust_env=False, timeout=60) as api:
        picture = api.post("/pictures", content=photo(8, 8)).json()["id"]
        for number in range(jobs):
            began = time.perf_counter()
            job = api.post("/edits", json=_small(picture, 10**6 + number)).raise_for_status().json()["id"]
            with api.stream("GET", f"/edits/{job}/events") as lines:
                # To the end, which follows at once: a stream that is left closes its connection.
                assert "event: done" in list(lines.iter_lines())
            taken.append(time.perf_counter() - began)
    return 1e3 * (statistics.median(taken) - EACH)


def _small(picture: str, number: int) -> dict[str, Any]:
    return {"picture": picture, "request": {"prompt": f"job {number}"}, "marks": {"box": ["1,1,5,5"]}}


def polls(width: int, height: int, most: float) -> list[PollFigures]:
    """See the module; for `most` seconds at most while engines paint."""
    with tempfile.TemporaryDirectory() as folder, started(Path(folder)) as server:
        with httpx2.Client(base_url=server.url, trust_env=False, timeout=60) as api:
            picture = api.post("/pictures", content=photo(width, height)).raise_for_status().json()["id"]
            small = api.post("/pictures", content=photo(256, 256)).raise_for_status().json()["id"]
            fill = {"intent": "remove", "engine": "exemplar"}
            warm = _ask(api, small, fill, "30%,30%,60%,60%")
            while api.get(f"/edits/{warm}").json()["state"] in ("queued", "running"):
                time.sleep(0.1)
            found = [_polled(api, [warm], "idle", 3.0)]
            model = {"intent": "replace", "prompt": "a red ball", "model": "pocket", "steps": 60}
            jobs = [_ask(api, picture, fill, "30%,30%,65%,65%"), _ask(api, small, model, "30%,30%,60%,60%")]
            found.append(_polled(api, jobs, "while a fill and a model paint", most, painting=True))
            for job in jobs:
                api.post(f"/edits/{job}/cancel")
        return found


def _ask(api: httpx2.Client, picture: str, request: dict[str, Any], box: str) -> str:
    task = {"picture": picture, "request": {**request, "seed": 1}, "marks": {"box": [box]}}
    return str(api.post("/edits", json=task).raise_for_status().json()["id"])


def _polled(
    api: httpx2.Client, jobs: Sequence[str], when: str, seconds: float, *, painting: bool = False
) -> PollFigures:
    taken: list[float] = []
    over = time.perf_counter() + seconds
    running = True
    while time.perf_counter() < over and running:
        running = not painting
        for job in jobs:
            began = time.perf_counter()
            reply = api.get(f"/edits/{job}")
            taken.append(1e3 * (time.perf_counter() - began))
            running = running or reply.json()["state"] in ("queued", "running")
        time.sleep(0.02)
    p50, p95, p99 = (float(np.percentile(taken, share)) for share in (50, 95, 99))
    return PollFigures(when, len(taken), p50, p95, p99, max(taken))


def traced(jobs: int) -> list[dict[str, Any]]:
    """The figures of both ways, on the same arrivals."""
    found: list[dict[str, Any]] = []
    spacing: list[str] = []
    for way in ("single", "shared"):
        words = [sys.executable, "-m", "benchmarks.server_trace", way, str(jobs), *spacing]
        found.append(json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout))
        spacing = [str(found[0]["spacing"])]
    return found


def tables(results: dict[str, Any]) -> str:
    """The figures in markdown."""
    lines: list[str] = []
    if "load" in results:
        one = results["load"]
        lines += [
            "| jobs of 64 clients | the stand-in alone, jobs/s | served, jobs/s | share | server's CPU ms a job | "
            "memory | one client alone, ms a job more |",
            "|---:|---:|---:|---:|---:|---:|---:|",
            f"| {one['jobs']} | {one['own']:.1f} | {one['served']:.1f} | {one['served'] / one['own']:.1%} | "
            f"{one['processor']:.1f} | {one['grown'] / 1e6:+.0f} MB | {one['alone']:.1f} |",
            "",
        ]
    if "polls" in results:
        lines += ["| GET of a job | polls | p50 ms | p95 ms | p99 ms | largest ms |", "|---|---:|---:|---:|---:|---:|"]
        lines += [
            f"| {one['when']} | {one['polls']} | {one['p50']:.1f} | {one['p95']:.1f} | {one['p99']:.1f} | "
            f"{one['largest']:.1f} |"
            for one in results["polls"]
        ]
        lines.append("")
    if "trace" in results:
        ways = {"single": "one job at a time", "shared": "all in one loop"}
        lines += [
            "| trace | jobs | jobs/s | p50 s | p95 s | p99 s | peak memory |",
            "|---|---:|---:|---:|---:|---:|---:|",
        ]
        lines += [
            f"| {ways[one['way']]} | {one['jobs']} | {one['throughput']:.2f} | {one['p50']:.2f} | {one['p95']:.2f} | "
            f"{one['p99']:.2f} | {one['memory'] / 1e6:.0f} MB |"
            for one in results["trace"]
        ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 on success, 2 on wrong input."""
    wanted = parser().parse_args(argv)
    unknown = sorted(set(wanted.parts) - {"load", "polls", "trace"})
    if unknown:
        print(f"benchmarks.server: no part {', '.join(unknown)}", file=sys.stderr)
        return 2
    if wanted.page is not None:
        section_marks(wanted.page, "server")
    results: dict[str, Any] = {}
    if "load" in wanted.parts:
        results["load"] = asdict(load(2000 if wanted.full else 640))
    if "polls" in wanted.parts:
        size = (4000, 3000) if wanted.full else (2000, 1500)
        results["polls"] = [asdict(one) for one in polls(*size, 60.0 if wanted.full else 15.0)]
    if "trace" in wanted.parts:
        results["trace"] = traced(80 if wanted.full else 24)
    text = tables(results)
    print(text)
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "results.json").write_text(json.dumps({"machine": machine(), **results}, indent=1), "utf-8")
    (OUT / "table.md").write_text(text, "utf-8")
    if wanted.page is not None:
        line = measured_with(machine(), " ".join(["python -m benchmarks.server", *(["--full"] if wanted.full else [])]))
        replace_section(wanted.page, "server", f"{line}\n\n{text}")
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.server", description=(__doc__ or "").partition("\n")[0])
    add = made.add_argument
    add("--parts", type=lambda text: text.split(","), default=["load", "polls", "trace"], help="load,polls,trace")
    add("--full", action="store_true", help="2,000 jobs, a fill of 12 megapixels, a longer trace")
    add("--page", type=Path, metavar="FILE", help="insert the tables into this page, between its marks")
    return made


if __name__ == "__main__":
    sys.exit(main())
