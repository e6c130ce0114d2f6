"""Sessions of a server that is killed: an edit lands once, or not at all and then once after the restart."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from forks import Forked
from overpaint import Mask, Session
from overpaint.server import PREFIX
from overpaint.server.sessions.landing import Landing, landed_by, note_landing
from servers import running
from test_server_native import photo, upload


@contextlib.contextmanager
def alone(folder: Path, seconds: float = 0.0, ending: str = "") -> Iterator[tuple[Forked, httpx2.Client]]:
    """A server in a process of its own, which is killed at the end."""
    script = str(Path(__file__).with_name("session_server_alone.py"))
    command = [sys.executable, script, str(folder), str(seconds), ending]
    process = Forked(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "no_proxy": "*"})
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


def begun_three_times(folder: Path, job: str) -> None:
    """As a ledger is whose server was killed while it did the job for the third time."""
    with contextlib.closing(sqlite3.connect(folder / "jobs.sqlite", isolation_level=None)) as database:
        changed = database.execute(
            "UPDATE job SET state = 'leased', attempts = 3, token = 't', owner = 'server', until = 1e12, "
            "result = NULL, line = NULL, detail = NULL WHERE id = ?",
            (job,),
        )
        assert changed.rowcount == 1


def test_a_job_that_is_given_up_is_done_where_its_step_was_written(tmp_path):
    named = {"idempotency-key": "mine"}
    body = {"request": {"intent": "remove", "engine": "telea"}, "marks": {"box": ["8,8,20,20"]}}
    with running(tmp_path) as server, server.client() as client:
        id = client.post("/sessions", json={"picture": upload(client, photo())}).json()["id"]
        written = client.post(f"/sessions/{id}/edits", json=body, headers=named).json()["id"]
        until(lambda: state(client, written) == "done")
        lost = ask(client, id, "30,8,44,20")
        until(lambda: state(client, lost) == "done")
        client.patch(f"/sessions/{id}/steps/1", json={"visible": False})
        painted = [client.get(f"/edits/{job}").json()["results"][0] for job in (written, lost)]
        client.post(f"/sessions/{id}/undo", json={"count": 2})  # the second step, before it is forgotten below
    (noted,) = (tmp_path / "sessions").glob("*/*.landed.json")
    kept = [one for one in json.loads(noted.read_bytes()) if one["job"] == written]
    noted.write_text(json.dumps(kept))
    for job in (written, lost):
        begun_three_times(tmp_path, job)
    with running(tmp_path) as server, server.client() as client:
        found = client.get(f"/edits/{written}").json()
        assert (found["state"], found["error"]) == ("done", None)
        assert [(one["step"], one["take"]) for one in found["results"]] == [(painted[0]["step"], painted[0]["take"])]
        given_up = client.get(f"/edits/{lost}").json()
        assert (given_up["state"], given_up["error"]["code"], given_up["results"]) == ("failed", "worker-lost", [])
        again = client.post(f"/sessions/{id}/edits", json=body, headers=named)
        assert again.json()["id"] == written, "the same request is not painted a second time"
        assert len(client.get(f"/sessions/{id}").json()["steps"]) == 1


def test_stale_steps_that_were_given_up_are_done_where_none_is_stale_any_more(tmp_path):
    with running(tmp_path) as server, server.client() as client:
        id = client.post("/sessions", json={"picture": upload(client, photo())}).json()["id"]
        for box in ("8,8,20,20", "14,14,30,30", "24,24,38,38"):
            job = ask(client, id, box)
            until(lambda job=job: state(client, job) == "done")
        client.patch(f"/sessions/{id}/steps/1", json={"visible": False})
        again = client.post(f"/sessions/{id}/rerun").json()["id"]
        until(lambda: state(client, again) == "done")
        steps = [one["step"] for one in client.get(f"/edits/{again}").json()["results"]]
        assert steps
    begun_three_times(tmp_path, again)
    with running(tmp_path) as server, server.client() as client:
        found = client.get(f"/edits/{again}").json()
        assert (found["state"], [one["step"] for one in found["results"]]) == ("done", steps)
        client.patch(f"/sessions/{id}/steps/1", json={"visible": True})  # some are stale again
    begun_three_times(tmp_path, again)
    with running(tmp_path) as server, server.client() as client:
        found = client.get(f"/edits/{again}").json()
        assert (found["state"], found["error"]["code"]) == ("failed", "worker-lost")
        assert [one["step"] for one in found["results"]] == steps, "what it did is not hidden"


@pytest.mark.slow
def test_a_server_that_ends_after_each_step_is_written_gives_up_no_job(tmp_path):
    """Killed twice before the step is written, and once between that and the end of the job."""
    job = id = ""
    for ending in ("before", "before", "after"):
        with alone(tmp_path, 0.0, ending) as (server, client):
            if not id:
                id = client.post("/sessions", json={"picture": upload(client, photo())}).json()["id"]
                job = ask(client, id, "8,8,20,20")
                (tmp_path / "go").touch()
            assert server.wait(60) == 9
    with alone(tmp_path) as (_, client):
        found = client.get(f"/edits/{job}").json()
        assert (found["state"], found["attempts"], [one["step"] for one in found["results"]]) == ("done", 3, [1])
        assert len(client.get(f"/sessions/{id}").json()["steps"]) == 1
