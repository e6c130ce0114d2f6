"""Sessions of a server that is killed: an edit lands once, or not at all and then once after the restart."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from overpaint import Mask, Session
from overpaint.server import PREFIX
from overpaint.server.sessions.landing import Landing, landed_by, note_landing
from test_server_native import photo, upload


@contextlib.contextmanager
def alone(folder: Path, seconds: float = 0.0) -> Iterator[tuple[subprocess.Popen[str], httpx2.Client]]:
    """A server in a process of its own, which is killed at the end."""
    command = [sys.executable, str(Path(__file__).with_name("session_server_alone.py")), str(folder), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "no_proxy": "*"})
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, "the server did not start"
        with httpx2.Client(base_url=url + PREFIX, timeout=30.0, trust_env=False) as client:
            yield process, client
    finally:
        process.kill()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


def until(holds: Any, seconds: float = 60.0) -> None:
    over = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < over
        time.sleep(0.01)


def ask(client: httpx2.Client, id: str, box: str) -> str:
    body = {"request": {"intent": "remove", "engine": "telea"}, "marks": {"box": [box]}}
    found = client.post(f"/sessions/{id}/edits", json=body)
    assert found.status_code == 202, found.text
    return str(found.json()["id"])


def state(client: httpx2.Client, job: str) -> str:
    return str(client.get(f"/edits/{job}").json()["state"])


@pytest.mark.slow
def test_an_edit_that_runs_when_the_server_is_killed_is_there_once_after_the_restart(tmp_path):
    with alone(tmp_path, 30.0) as (server, client):
        id = client.post("/sessions", json={"picture": upload(client, photo())}).json()["id"]
        first, second = ask(client, id, "8,8,20,20"), ask(client, id, "30,8,44,20")
        until(lambda: (tmp_path / "painted.txt").exists())
        assert state(client, second) == "queued"  # the edits of one session are done one after the other
        began = time.monotonic()
        found = client.get(f"/sessions/{id}").json()
        assert (found["version"], sorted(found["jobs"])) == (0, sorted([first, second]))
        assert time.monotonic() - began < 2
        server.send_signal(signal.SIGKILL)
    with alone(tmp_path) as (_, client):
        until(lambda: [state(client, job) for job in (first, second)] == ["done", "done"])
        found = client.get(f"/sessions/{id}").json()
        assert [step["number"] for step in found["steps"]] == [1, 2]
        assert client.get(f"/edits/{first}").json()["results"][0]["step"] == 1


@pytest.mark.slow
def test_killed_at_any_moment_no_edit_is_there_twice_and_none_is_missing(tmp_path):
    chance = random.Random(7)
    jobs: list[str] = []
    id = ""
    for round in range(3):
        with alone(tmp_path, 0.05) as (server, client):
            if not id:
                id = client.post("/sessions", json={"picture": upload(client, photo())}).json()["id"]
            for number in range(4):
                left = 2 + 3 * (4 * round + number)
                with contextlib.suppress(httpx2.HTTPError):
                    jobs.append(ask(client, id, f"{left},{4 + number},{left + 3},{9 + number}"))
            time.sleep(chance.uniform(0.0, 1.5))
            server.send_signal(signal.SIGKILL)
    with alone(tmp_path) as (_, client):
        until(lambda: {state(client, job) for job in jobs} <= {"done", "failed"}, 120)
        found = {job: client.get(f"/edits/{job}").json() for job in jobs}
        done = [one for one in found.values() if one["state"] == "done"]
        # One that was begun three times, each time in a server that was killed, is given up.
        given_up = [one["error"]["code"] for one in found.values() if one["state"] == "failed"]
        assert set(given_up) <= {"worker-lost"}
        steps = client.get(f"/sessions/{id}").json()["steps"]
        boxes = [tuple(step["box"]) for step in steps]
        assert len(set(boxes)) == len(boxes)
        assert len(done) <= len(steps) <= len(jobs)
        assert {one["results"][0]["step"] for one in done} <= {step["number"] for step in steps}
        (file,) = (tmp_path / "data" / "sessions").glob("*/*.overpaint")
        copy = tmp_path / "copy.overpaint"
        copy.write_bytes(file.read_bytes())
    with Session.open(copy) as session:
        session.check()
        assert len(session.steps) == len(steps)


def test_a_job_finds_what_it_has_written_and_nothing_else(tmp_path):
    path, noted = tmp_path / "a.overpaint", tmp_path / "a.landed.json"
    with Session.create(photo(), path) as session:
        plan = session.plan_edit()
        mask = Mask.box(session.picture.size, (10, 10, 20, 20))
        (painted,) = plan.paint(session._studio_of(), mask=mask, intent="remove", engine="telea")
        session.keep(painted)
        note_landing(noted, Landing("j1", len(session.actions), (painted.sha256,)))
        assert landed_by(noted, "j1", session) == []  # the server ended before it was written
        session.land(plan, [painted.sha256])
        assert [action.number for action in landed_by(noted, "j1", session)] == [1]
        assert landed_by(noted, "j2", session) == []
        session.undo()
        assert [action.number for action in landed_by(noted, "j1", session)] == [1]
        noted.write_bytes(b"{ cut off")
        assert landed_by(noted, "j1", session) == []
