"""The client and connections that are lost: one upload, one painting, and a wait that goes on."""

from __future__ import annotations

import contextlib
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cutting import relay
from forks import Forked
from overpaint import Client, Mask, Studio
from overpaint.client import OpenConnectionWarning, WaitLimits, address_of
from overpaint.errors import CredentialsError, RequestError, ServerError, ServerUnreachableError
from overpaint.geometry import Size
from servers import running
from stand_ins import waiting

ROOT = Path(__file__).parents[1]
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
MASK = Mask.box(Size(50, 40), (10, 10, 20, 20))
GIVEN = {"mask": MASK, "intent": "remove", "engine": "telea"}
SOON = WaitLimits(reply=20, lost=20, busy=20)


def test_an_equal_picture_is_sent_once(tmp_path):
    with Studio() as studio, running(tmp_path, studio) as server, relay(server.url) as way:
        with Client(way.url) as client:
            for grow in range(3):
                client.remove(PIXELS, MASK, engine="telea", grow=grow)
            assert way.count("POST /pictures") == 1
        with Client(way.url) as client:  # a new program, which asks whether it is there
            client.remove(PIXELS, MASK, engine="telea")
        assert way.count("POST /pictures") == 1


def test_a_picture_that_was_removed_meanwhile_is_sent_again(tmp_path):
    with Studio() as studio, running(tmp_path, studio) as server, relay(server.url) as way, Client(way.url) as client:
        client.remove(PIXELS, MASK, engine="telea")
        client._client._calls._known  # noqa: B018 - it believes that the server has it
        with Client(server.url) as other:
            other.delete_picture(client.upload(PIXELS).id)
        client.remove(PIXELS, MASK, engine="telea", grow=3)
        assert way.count("POST /pictures") == 2


def test_a_lost_reply_paints_nothing_twice(tmp_path):
    with Studio() as studio, running(tmp_path, studio) as server, relay(server.url) as way:
        with Client(way.url, limits=SOON) as client:
            way.lose = {"POST /pictures": 1, "POST /edits": 2}
            job = client.submit(PIXELS, **GIVEN)
            assert way.count("POST /edits") == 3
            assert job.wait().state == "done"
        with Client(server.url) as other:
            assert [one.id for one in other.jobs()] == [job.id]
            assert len(other.pictures()) == 2  # the picture and the result


def test_what_is_not_safe_is_not_sent_again(tmp_path):
    with (
        Studio() as studio,
        running(tmp_path, studio) as server,
        relay(server.url) as way,
        Client(way.url, limits=SOON) as client,
    ):
        job = client.submit(PIXELS, mask=Mask.full(Size(50, 40)), intent="remove", engine="telea")
        assert job.wait().state == "failed"
        way.lose = {f"POST /edits/{job.id}/retry": 1}
        with pytest.raises(ServerUnreachableError):
            job.retry()
        assert way.count(f"POST /edits/{job.id}/retry") == 1


def test_events_go_on_after_a_cut_without_repeats(tmp_path):
    gate, started = threading.Event(), threading.Event()
    with Studio() as studio, running(tmp_path, studio) as server, relay(server.url) as way:
        studio.add_engine(waiting(gate, started))
        with Client(way.url, limits=SOON) as client:
            job = client.submit(PIXELS, mask=MASK, intent="remove", engine="stand-in")
            way.cut_after = [700, 900]
            threading.Timer(1.0, gate.set).start()
            numbers = []
            for event in job.events():
                numbers.append(event.number)
                last = event.kind
            assert last == "done"
            assert numbers == sorted(set(numbers))
            assert way.count(f"GET /edits/{job.id}/events") == 3


@contextlib.contextmanager
def alone(folder: Path, seconds: float, port: int) -> Iterator[Forked]:
    command = [sys.executable, str(ROOT / "tests" / "server_alone.py"), str(folder), str(seconds), "2", str(port)]
    made = Forked(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert made.stdout is not None
    try:
        assert made.stdout.readline().startswith("http://")
        yield made
    finally:
        made.kill()
        made.wait()
        made.stdout.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def test_a_killed_server_that_comes_back_finishes_what_is_waited_for(tmp_path):
    port = free_port()
    outcomes: list[str] = []
    with Client(f"http://127.0.0.1:{port}", limits=WaitLimits(lost=120)) as client:
        with alone(tmp_path, 1.5, port) as first:
            jobs = [
                client.submit(PIXELS, mask=MASK, intent="replace", model="pocket", prompt=f"thing {number}")
                for number in range(3)
            ]
            wait = [threading.Thread(target=lambda job=job: outcomes.append(job.wait().state)) for job in jobs]
            for thread in wait:
                thread.start()
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
            assert outcomes == []
        with alone(tmp_path, 0.2, port):
            for thread in wait:
                thread.join(120)
            assert outcomes == ["done"] * 3
            done = (tmp_path / "done.txt").read_text().splitlines()
            assert sorted(done) == [f"local thing {number}" for number in range(3)]


def test_a_server_that_stays_away_is_given_up(tmp_path):
    port = free_port()
    with Client(f"http://127.0.0.1:{port}", limits=WaitLimits(lost=0.5)) as client:
        with pytest.raises(ServerUnreachableError) as found:  # one that never answered is not waited for
            client.health()
        assert "is it running" in found.value.hint
        with alone(tmp_path, 30, port):
            job = client.submit(PIXELS, mask=MASK, intent="replace", model="pocket", prompt="thing")
        with pytest.raises(ServerUnreachableError) as found:
            job.wait()
        assert found.value.code == "server-unreachable"


class _Foreign(http.server.BaseHTTPRequestHandler):
    """Another program's server, which redirects some paths."""

    visits: list[str]
    target = ""

    def do_GET(self) -> None:
        self.visits.append(f"{self.path} {self.headers.get('authorization')}")
        if self.target:
            self.send_response(307)
            self.send_header("location", self.target + self.path)
        else:
            self.send_response(200 if "health" in self.path else 404)
        body = b"<h1>welcome</h1>"
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@contextlib.contextmanager
def foreign(target: str = "") -> Iterator[tuple[str, list[str]]]:
    handler = type("_Handler", (_Foreign,), {"visits": [], "target": target})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.visits
    finally:
        server.shutdown()
        server.server_close()


def test_another_programs_server_is_named_as_such():
    with foreign() as (url, _), Client(url) as client:
        for call in (client.health, client.pictures):
            with pytest.raises(ServerError) as found:
                call()
            assert found.value.code == "server-foreign"


def test_no_redirect_is_followed_so_that_a_key_stays_where_it_belongs():
    with foreign() as (other, seen), foreign(other) as (url, _), Client(url, "op-secret") as client:
        with pytest.raises(ServerError) as found:
            client.pictures()
        assert found.value.code == "server-redirects"
        assert seen == []
        assert "op-secret" not in str(found.value)


@pytest.mark.parametrize(
    "url", ["", "paint.example.com", "ftp://host", "http://me:pw@host", "http://host/?a=1", "http://", "http://h:99999"]
)
def test_what_is_no_address_of_a_server_is_refused(url, monkeypatch):
    monkeypatch.delenv("OVERPAINT_SERVER", raising=False)
    with pytest.raises(RequestError) as found:
        address_of(url)
    assert (found.value.code, found.value.field) == ("server-url", "server")
    assert "pw" not in str(found.value)


def test_where_the_key_comes_from(tmp_path, monkeypatch):
    path = tmp_path / "key"
    path.write_text("op-file\n")
    path.chmod(0o600)
    monkeypatch.setenv("OVERPAINT_SERVER", "http://localhost:1/")
    assert address_of().url == "http://localhost:1"
    assert address_of().key is None
    monkeypatch.setenv("OVERPAINT_KEY_FILE", str(path))
    assert address_of().key == "op-file"
    monkeypatch.setenv("OVERPAINT_KEY", "op-variable")
    assert address_of().key == "op-variable"
    assert address_of(key_file=path).key == "op-file"
    assert address_of(key="op-given", key_file=path).key == "op-given"
    path.chmod(0o644)
    with pytest.raises(CredentialsError) as found:
        address_of(key_file=path)
    assert found.value.code == "key-open"
    for text in ("", "two words", "a\nb", "\xff"):
        path.chmod(0o600)
        path.write_text(text, "latin-1")
        with pytest.raises(CredentialsError) as found:
            address_of(key_file=path)
        assert "two words" not in str(found.value)
    with pytest.raises(CredentialsError):
        address_of(key="line\nbreak")


def test_a_key_that_goes_unencrypted_over_a_network_gives_a_warning():
    with pytest.warns(OpenConnectionWarning):
        address_of("http://paint.example.com", "op-key")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for url, key in (
            ("https://paint.example.com", "k"),
            ("http://[::1]:1", "k"),
            ("http://paint.example.com", None),
        ):
            address_of(url, key)
