"""A server whose edits are done on a Ray cluster: a worker that is killed costs no job, and none is doubled."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from overpaint.batch.cluster import ClusterOptions, RayExecutor
from overpaint.batch.connect import connected
from overpaint.engines import Canvas, Monitor, Painted
from overpaint.studio import Studio
from servers import Running, running
from stand_ins import StandIn
from test_server_native import photo

TESTS = Path(__file__).parent
STEPS = 10


def stepping(seconds: float) -> Studio:
    """A studio whose engine takes its time, with previews, and paints noise from the seed; seed 13 takes for ever."""

    def paint(canvas: Canvas, monitor: Monitor) -> Painted:
        step = 0
        while step < STEPS or canvas.seed == 13:
            time.sleep(seconds / STEPS)
            step = min(step + 1, STEPS if canvas.seed != 13 else 5)
            monitor.progress(step, STEPS)
            monitor.preview(canvas.pixels)
        return Painted(np.random.default_rng(canvas.seed).random(canvas.pixels.shape, dtype=np.float32))

    studio = Studio(threads=1)
    studio.add_engine(StandIn(paint))
    return studio


@pytest.fixture(scope="module")
def executor() -> Iterator[RayExecutor]:
    pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patched:
        paths = [str(TESTS), str(TESTS.parent / "src"), os.environ.get("PYTHONPATH", "")]
        patched.setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))
        with connected("local:2"), RayExecutor(partial(stepping, 0.1), ClusterOptions(gpus=False)) as made:
            yield made


@pytest.fixture
def server(tmp_path: Path, executor: RayExecutor) -> Iterator[Running]:
    with stepping(0.0) as studio, running(tmp_path, studio, executor=executor) as found:
        yield found


def asked(api: httpx2.Client, picture: str, seed: int) -> str:
    task = {
        "picture": picture,
        "request": {"intent": "custom", "engine": "stand-in", "seed": seed},
        "marks": {"box": ["10,10,30,30"]},
    }
    return str(api.post("/edits", json=task).raise_for_status().json()["id"])


def until_ended(api: httpx2.Client, job: str) -> dict[str, Any]:
    over = time.monotonic() + 120
    while (found := api.get(f"/edits/{job}").json())["state"] in ("queued", "running"):
        assert time.monotonic() < over, found
        time.sleep(0.05)
    return dict(found)


def processes(executor: RayExecutor) -> set[int]:
    return {one.info.process for one in list(executor._handles) if one.info is not None}


def test_a_worker_that_is_killed_costs_no_job_and_none_is_doubled(server, executor):
    with server.client() as api:
        id = api.post("/pictures", content=photo()).json()["id"]
        first = until_ended(api, asked(api, id, 1))  # workers are there
        assert first["state"] == "done", first
        jobs = [asked(api, id, 100 + number) for number in range(24)]
        while sum(api.get(f"/edits/{job}").json()["state"] == "done" for job in jobs) < 3:
            time.sleep(0.02)
        before = processes(executor)
        lost = min(before)
        os.kill(lost, signal.SIGKILL)
        ended = [until_ended(api, job) for job in jobs]
        assert [job["state"] for job in ended] == ["done"] * len(jobs)
        assert [len(job["results"]) for job in ended] == [1] * len(jobs)
        results = {job["results"][0]["picture"] for job in ended}
        assert len(results) == len(jobs)
        kept = {one["id"] for one in api.get("/pictures", params={"limit": 1000}).json()}
        assert kept == {id, first["results"][0]["picture"], *results}
        assert lost not in processes(executor)


def test_progress_and_previews_come_through(server):
    with server.client() as api:
        id = api.post("/pictures", content=photo()).json()["id"]
        job = asked(api, id, 13)
        with contextlib.suppress(httpx2.ReadTimeout), api.stream("GET", f"/edits/{job}/events") as lines:
            seen = set()
            for line in lines.iter_lines():
                if line.startswith("event: "):
                    seen.add(line.removeprefix("event: "))
                if {"progress", "preview"} <= seen:
                    break
        assert {"progress", "preview"} <= seen
        assert api.get(f"/edits/{job}").json()["steps"] == STEPS
        began = time.monotonic()
        api.post(f"/edits/{job}/cancel")
        assert until_ended(api, job)["state"] == "cancelled"
        assert time.monotonic() - began < 20
        assert until_ended(api, asked(api, id, 2))["state"] == "done"


def test_what_a_worker_refuses_is_the_jobs_error(server):
    with server.client() as api:
        id = api.post("/pictures", content=photo()).json()["id"]
        task = {
            "picture": id,
            "request": {"intent": "custom", "engine": "stand-in"},
            "marks": {"box": ["1000,1000,1010,1010"]},
        }
        job = until_ended(api, api.post("/edits", json=task).raise_for_status().json()["id"])
        assert job["state"] == "failed"
        assert job["error"]["code"].startswith("mask")
        assert job["error"]["message"]
