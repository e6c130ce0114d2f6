"""The description of the native API is true: requests made from it get replies that it allows, and no server error.

schemathesis makes the requests, such as the description allows and such as it forbids. Half of the ids are of pictures
and jobs that are there, so that requests come as far as the work itself.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from overpaint.engines import Monitor
from overpaint.server import PREFIX
from overpaint.server.settings import ServerSettings
from overpaint.server.tasks import EditTask
from overpaint.server.work import StudioWorker, TaskWorker
from overpaint.studio import Studio
from servers import Running, running
from test_server_native import ended, mask, photo, upload

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
QUICK = ("telea", "navier-stokes", "blur")


class Swift(TaskWorker):
    """Paints with quick engines, and gives the picture back in the place of slow ones."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.real: StudioWorker | None = None

    def check(self, task: EditTask) -> tuple[str, ...]:
        assert self.real is not None
        return self.real.check(task)

    def do(
        self,
        owner: str,
        task: EditTask,
        monitor: Monitor,
        on_result: Callable[[dict[str, Any]], None],
        *,
        temporary: bool = False,
    ) -> list[dict[str, Any]]:
        assert self.real is not None
        request = {**task.request.to_mapping(), "engine": QUICK[0], "model": None, "options": {}}
        wanted = {"intent": "remove", **{name: request[name] for name in ("engine", "mask") if request.get(name)}}
        quick = EditTask(**{**task.to_mapping(), "request": wanted, "count": 1})
        return self.real.do(owner, quick, monitor, on_result, temporary=temporary)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Studio(threads=1) as studio:
        worker = Swift(studio)
        with running(tmp_path_factory.mktemp("openapi"), studio, worker, largest_body=1 << 20) as found:
            worker.real = StudioWorker(studio, found.server.inner.state.services.pictures, found.server.settings)
            yield found


@pytest.fixture(scope="module")
def there(server: Running) -> dict[str, list[str]]:
    """The ids of pictures, of jobs that have ended and that wait, and of a session with a step."""
    with server.client() as client:
        pictures = [upload(client, photo()), upload(client, mask()), upload(client, photo(1, (9, 7)))]
        task = {"picture": pictures[0], "request": {"intent": "remove", "engine": "telea"}}
        jobs = [client.post("/edits", json={**task, "marks": {"box": [box]}}).json()["id"] for box in ("1,1,9,9", "x")]
        over = time.monotonic() + 60
        while client.get("/state").json()["jobs"]["queued"]:
            assert time.monotonic() < over
            time.sleep(0.05)
        session = client.post("/sessions", json={"picture": pictures[0]}).json()["id"]
        edit = {"request": task["request"], "marks": {"box": ["1,1,9,9"]}}
        assert ended(client, client.post(f"/sessions/{session}/edits", json=edit).json()["id"])["state"] == "done"
    return {"pictures": pictures, "edits": jobs, "sessions": [session]}


def filled(case: schemathesis.Case, there: dict[str, list[str]], choose: Callable[[list[str]], str]) -> None:
    """Put ids that there are in the place of those that were made up."""
    kind = next(name for name in ("sessions", "edits", "pictures", "") if name in case.path)
    if case.method == "DELETE":
        return
    if isinstance(case.path_parameters, dict) and "step" in case.path_parameters:
        case.path_parameters["step"] = 1
    if isinstance(case.path_parameters, dict) and "id" in case.path_parameters and kind:
        case.path_parameters["id"] = choose(there[kind])
    if isinstance(case.query, dict) and "mask" in case.query:
        case.query["mask"] = choose(there["pictures"])
    if isinstance(case.body, dict | list):
        text = re.sub(r'"[0-9a-f]{64}"', lambda found: f'"{choose(there["pictures"])}"', json.dumps(case.body))
        case.body = json.loads(text)
    if case.path.endswith("/edits") and isinstance(case.body, dict) and isinstance(case.body.get("request"), dict):
        case.body["request"] |= {"intent": "remove", "engine": "telea", "model": None, "options": None}


def asked(server: Running, there: dict[str, list[str]], examples: int) -> dict[str, int]:
    """Ask each endpoint that often in each way. How many replies there were by status."""
    api = schemathesis.openapi.from_dict(server.server.inner.openapi())
    seen: dict[str, int] = {}
    forbidding = {found.ok().label for found in api.get_all_operations()}
    with requests.Session() as session:
        session.trust_env = False
        for found in api.get_all_operations():
            operation = found.ok()
            for mode in GenerationMode:

                @settings(
                    max_examples=examples * (3 if "POST" in operation.label else 1),
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                    phases=[Phase.generate],
                    derandomize=True,
                    database=None,
                )
                @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
                def ask(case: schemathesis.Case, data: st.DataObject) -> None:
                    if not data.draw(st.booleans()):
                        filled(case, there, lambda ids: data.draw(st.sampled_from(ids)))
                    # the events of a session have no end: they are read for so many seconds
                    seconds = 5 if case.path.endswith("/events") else 60
                    reply = case.call(base_url=server.url, session=session, timeout=seconds)
                    seen[str(reply.status_code)] = seen.get(str(reply.status_code), 0) + 1
                    case.validate_response(reply, checks=CHECKS)

                try:
                    ask()
                except Unsatisfiable:  # nothing that is sent there is forbidden
                    assert mode is GenerationMode.NEGATIVE, operation.label
                    forbidding.discard(operation.label)
    assert len(forbidding) >= 15
    return seen


def test_every_reply_is_as_it_is_described(server, there):
    seen = asked(server, there, examples=3)
    assert {"200", "202", "404", "422"} <= set(seen), seen
    assert_goes_on(server)


@pytest.mark.slow
def test_every_reply_is_as_it_is_described_many_times(server, there):
    seen = asked(server, there, examples=40)
    assert {"200", "201", "202", "404", "409", "422"} <= set(seen), seen
    assert_goes_on(server)


def assert_goes_on(server: Running) -> None:
    assert httpx2.get(f"{server.url}{PREFIX}/health", trust_env=False).json()["status"] == "ok"
    with server.client() as client:
        jobs = client.get("/edits", params={"limit": 1000}).json()
        unexpected = [one["error"] for one in jobs if "unexpectedly" in str(one["error"])]
        assert unexpected == []


def test_methods_of_a_path_are_named_where_another_is_used(server):
    reply = httpx2.put(f"{server.url}{PREFIX}/pictures/{'0' * 64}", trust_env=False)
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, HEAD, DELETE")
    assert reply.json()["error"]["code"] == "method-not-allowed"


def test_names_of_endpoints_are_unique_and_errors_are_described(server):
    described = server.server.inner.openapi()
    endpoints = [one for path in described["paths"].values() for one in path.values()]
    names = [one["operationId"] for one in endpoints]
    assert len(set(names)) == len(names)
    assert all("overpaint_v1" not in name for name in names)
    assert all({"4XX", "5XX"} <= one["responses"].keys() for one in endpoints)
    assert "HTTPValidationError" not in described["components"]["schemas"]
    assert all(one["description"] for one in endpoints)


def test_the_description_says_how_to_sign_in_where_there_are_keys(tmp_path: Path):
    from overpaint.server import Server, new_key

    new_key(tmp_path / "keys.txt", "ann")
    keyed = Server(ServerSettings(data=tmp_path, keys=tmp_path / "keys.txt")).inner.openapi()
    assert {"bearer", "basic", "header"} == set(keyed["components"]["securitySchemes"])
    assert keyed["security"]
    assert "security" not in Server(ServerSettings(data=tmp_path)).inner.openapi()
