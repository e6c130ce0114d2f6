"""Many clients at once, and a server that is killed: nothing accepted is lost, and nothing ends twice."""

from __future__ import annotations

import asyncio
import collections
import io
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import numpy as np
import pytest
from PIL import Image

from forks import Forked
from overpaint.server import PREFIX, new_key

ALONE = Path(__file__).with_name("server_alone.py")


def started(folder: Path, seconds: float, lanes: int = 8) -> tuple[Forked, str]:
    words = [sys.executable, str(ALONE), str(folder), str(seconds), str(lanes)]
    process = Forked(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip() + PREFIX


def photo() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(out, "PNG")
    return out.getvalue()


def task(picture: str, number: int) -> dict[str, object]:
    return {"picture": picture, "request": {"prompt": f"job {number}"}, "marks": {"box": ["1,1,5,5"]}}


def memory(process: Forked) -> int:
    """Resident bytes."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def test_a_server_that_is_killed_again_and_again_ends_each_accepted_job_once(tmp_path):
    accepted: list[str] = []
    number = 0
    for kill in range(1, 4):
        process, url = started(tmp_path, 0.01)
        with httpx2.Client(base_url=url, trust_env=False, timeout=30) as client:
            id = client.post("/pictures", content=photo()).json()["id"]
            until = time.monotonic() + 0.6
            while time.monotonic() < until or len(accepted) < 10 * kill:  # a busy machine takes longer
                number += 1
                reply = client.post("/edits", json=task(id, number))
                if reply.status_code == 202:
                    accepted.append(reply.json()["id"])
            process.send_signal(signal.SIGKILL)
            process.communicate()
    assert len(accepted) > 20
    process, url = started(tmp_path, 0.0)
    try:
        with httpx2.Client(base_url=url, trust_env=False, timeout=30) as client:
            over = time.monotonic() + 60
            while (counts := client.get("/state").json()["jobs"])["queued"] + counts["running"]:
                assert time.monotonic() < over
                time.sleep(0.05)
            for id in accepted:
                job = client.get(f"/edits/{id}").json()
                assert job["state"] == "done"
                assert len(job["results"]) == 1
            assert counts["done"] >= len(accepted)
    finally:
        process.terminate()
        process.communicate()
    assert process.returncode == 0
    done = collections.Counter((tmp_path / "done.txt").read_text().splitlines())
    # A job that a kill cut off before its end was written is begun anew; one whose end was written never is.
    assert sum(count > 1 for count in done.values()) <= 3 * 8


def test_a_second_signal_ends_a_server_at_once_and_its_jobs_go_on_at_the_next_start(tmp_path):
    process, url = started(tmp_path, 60.0)
    with httpx2.Client(base_url=url, trust_env=False, timeout=60) as client:
        id = client.post("/pictures", content=photo()).json()["id"]
        jobs = [client.post("/edits", json=task(id, number)).json()["id"] for number in range(3)]
    process.send_signal(signal.SIGTERM)
    time.sleep(1.0)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(4) == 128 + signal.SIGTERM  # in order it would take 15 seconds
    process.communicate()
    process, url = started(tmp_path, 0.0)
    try:
        with httpx2.Client(base_url=url, trust_env=False, timeout=60) as client:
            over = time.monotonic() + 60
            while {client.get(f"/edits/{job}").json()["state"] for job in jobs} != {"done"}:
                assert time.monotonic() < over
                time.sleep(0.05)
    finally:
        process.terminate()
        process.communicate()
    assert len((tmp_path / "done.txt").read_text().splitlines()) == 3


@pytest.mark.slow
def test_two_thousand_jobs_of_64_clients(tmp_path):
    """At least 90 % of the engine's own throughput, nothing lost or doubled, and memory that stays flat."""
    each, count, clients = 0.02, 2000, 64
    keys = [new_key(tmp_path / "keys.txt", f"client{number}") for number in range(clients)]
    secure = ssl.create_default_context()  # each client would make its own while the others wait
    process, url = started(tmp_path, each)

    async def one(number: int, key: str) -> list[str]:
        headers = {"authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(
            base_url=url, headers=headers, trust_env=False, timeout=120, verify=secure
        ) as client:
            picture = (await client.post("/pictures", content=photo())).json()["id"]
            found = []
            for job in range(number, count, clients):
                reply = await client.post("/edits", json=task(picture, job))
                assert reply.status_code == 202, reply.text
                found.append(reply.json()["id"])
            while (jobs := (await client.get("/state")).json()["jobs"])["queued"] + jobs["running"]:
                await asyncio.sleep(1)
            assert jobs["done"] == len(found)
            return found

    async def all() -> list[list[str]]:
        return await asyncio.gather(*(one(number, key) for number, key in enumerate(keys)))

    try:
        before, began = memory(process), time.monotonic()
        found = asyncio.run(all())
        seconds = time.monotonic() - began
        grown = memory(process) - before
    finally:
        process.terminate()
        process.communicate()
    done = (tmp_path / "done.txt").read_text().splitlines()
    print(f"{count / seconds:.1f} jobs a second of {1 / each:.1f}, memory +{grown / 1e6:.0f} MB")
    assert len({id for ids in found for id in ids}) == count
    assert len(done) == len(set(done)) == count
    assert grown < 200e6
