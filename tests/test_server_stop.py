"""What clients hear when a server stops: a call gets its result, or that it has to be sent again."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from overpaint.studio import Studio
from servers import Running, running
from test_server_openai import Gate, mask, photo, url


def call(server: Running, prompt: str, **more: object) -> httpx2.Response:
    body = {
        "images": [{"image_url": url(photo())}],
        "mask": {"image_url": url(mask())},
        "prompt": prompt,
        "native": {"engine": "gate", "intent": "remove"},
        **more,
    }
    return httpx2.post(f"{server.url}/v1/images/edits", json=body, timeout=60, trust_env=False)


def stopped(
    folder: Path, calls: int, opens: float | None, stream: bool = False, **settings: object
) -> tuple[list[httpx2.Response], Gate, float]:
    """The replies to calls while which a server is stopped, its engine, and how long it took to end.

    Args:
        folder: Its data.
        calls: How many there are.
        opens: Seconds from the stop until the engine goes on; None for never.
        stream: Whether the calls are of streams.
        **settings: The server's.
    """
    gate = Gate()
    gate.open.clear()
    with Studio() as studio, ThreadPoolExecutor(8) as pool:
        studio.add_engine(gate)
        with running(folder, studio, **settings) as server:
            replies: list[Future[httpx2.Response]] = []
            for number in range(calls):
                replies.append(pool.submit(call, server, str(number), stream=stream))
                queue = server.server.inner.state.services.queue
                over = time.monotonic() + 30
                while sum(queue.counts().values()) <= number:
                    assert time.monotonic() < over
                    time.sleep(0.01)
            while not gate.begun:
                time.sleep(0.01)
            began = time.monotonic()
            if opens is not None:
                threading.Timer(opens, gate.open.set).start()
            server.stop()
            found = [reply.result() for reply in replies]
        return found, gate, time.monotonic() - began


def test_a_call_whose_edit_is_painted_gets_its_result(tmp_path):
    (reply,), gate, seconds = stopped(tmp_path, 1, opens=2.5, grace=60.0)
    assert reply.status_code == 200, reply.text
    assert reply.json()["data"][0]["b64_json"]
    assert gate.begun == 1
    assert 2.5 < seconds < 40


def test_a_call_whose_edit_waits_hears_at_once_that_it_has_to_be_sent_again(tmp_path):
    (first, second), gate, _ = stopped(tmp_path, 2, opens=1.5, grace=60.0, lanes=1, long=60.0)
    assert first.status_code == 200
    assert (second.status_code, second.json()["error"]["code"]) == (503, "server-stopping")
    assert int(second.headers["retry-after"]) >= 1
    assert gate.begun == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_whose_edit_is_not_done_in_time_hears_so_and_it_is_not_done_later(tmp_path, stream):
    (reply,), _, seconds = stopped(tmp_path, 1, opens=None, stream=stream, grace=1.0)
    assert "server-stopping" in reply.text
    assert reply.status_code == (200 if stream else 503)
    assert seconds < 25
    with running(tmp_path) as server, server.client() as client:
        assert client.get("/edits").json() == []
    assert not [path for path in (tmp_path / "pictures").rglob("*") if path.is_file()]
