"""OpenAI's API for pictures, with its own SDK and with the forms that other clients send."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import openai
import pytest
from PIL import Image

from overpaint.engines import Canvas, EngineCard, Monitor, Painted, ThreadedEngine
from overpaint.geometry import Size
from overpaint.picture import open_picture
from overpaint.server import new_key
from overpaint.studio import Studio
from servers import Running, running

CLIENTS = Path(__file__).parents[2] / "shared" / "clients" / "openai.json"
SIZE = (64, 48)
HOLE = (slice(10, 26), slice(12, 30))


class Gate(ThreadedEngine):
    """Paints grey once the test lets it, and shows a preview before."""

    card = EngineCard(name="gate", title="a stand-in", paints_from="surroundings", accepts=frozenset({"seed"}))

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()
        self.open.set()
        self.begun = 0

    def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
        self.begun += 1
        monitor.preview(canvas.pixels)
        while not self.open.wait(0.01):
            monitor.check()
        return Painted(np.full_like(canvas.pixels, 0.5))


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, gate: Gate) -> Iterator[Running]:
    with Studio() as studio:
        studio.add_engine(gate)
        with running(tmp_path_factory.mktemp("openai"), studio) as found:
            yield found


@pytest.fixture
def client(server: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as found:
        yield found


def photo() -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    return png(Image.fromarray(pixels))


def mask(*, alpha: bool = True) -> bytes:
    """Repaint the hole: transparent there, or white without transparency."""
    values = np.full((SIZE[1], SIZE[0]), 255 if alpha else 0, np.uint8)
    values[HOLE] = 0 if alpha else 255
    if not alpha:
        return png(Image.fromarray(values))
    return png(Image.fromarray(np.dstack([np.zeros((*values.shape, 3), np.uint8), values])))


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def assert_only_the_hole_changed(result: bytes) -> None:
    before, after = open_picture(photo()).samples, open_picture(result).samples
    far = np.ones(before.shape[:2], bool)
    far[2:34, 4:38] = False
    assert np.array_equal(before[far], after[far])
    inner = (slice(14, 22), slice(16, 26))
    assert not np.array_equal(before[inner], after[inner])


def test_the_sdk_edits_what_is_transparent_in_the_mask(client):
    found = client.images.edit(image=photo(), mask=mask(), prompt="nothing", model="telea")
    assert_only_the_hole_changed(base64.b64decode(found.data[0].b64_json))
    assert found.size == "64x48"
    assert found.output_format == "png"


def test_the_sdk_without_waiting_edits_several_at_once(server):
    async def several() -> list[Any]:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
            stream = await client.images.edit(
                image=photo(), mask=mask(), prompt="x", model="telea", stream=True, partial_images=1
            )
            events = [event async for event in stream]
            forms = ("b64_json", "url")
            edits = [
                client.images.edit(image=photo(), mask=mask(), prompt="x", model="telea", response_format=form)
                for form in forms
            ]
            return [events[-1], *await asyncio.gather(*edits)]

    streamed, plain, addressed = asyncio.run(several())
    assert streamed.type == "image_edit.completed"
    assert_only_the_hole_changed(base64.b64decode(streamed.b64_json))
    assert plain.data[0].url is None
    head, _, text = addressed.data[0].url.partition(",")
    assert head == "data:image/png;base64"
    assert text == plain.data[0].b64_json


def test_a_mask_without_transparency_is_read_as_white_and_the_reply_says_so(client):
    raw = client.images.with_raw_response.edit(image=photo(), mask=mask(alpha=False), prompt="x", model="telea")
    assert "white was repainted" in raw.headers["x-overpaint-note"]
    assert_only_the_hole_changed(base64.b64decode(raw.parse().data[0].b64_json))


def test_several_results_have_seeds_of_their_own_and_own_settings_are_taken(client):
    extra = {"seed": 7, "native": {"grow": 3, "options": {}}}
    found = client.images.edit(
        image=[photo(), photo()], mask=mask(), prompt="x", model="exemplar", n=2, output_format="webp", extra_body=extra
    )
    assert [one.seed for one in found.data] == [7, 8]
    assert Image.open(io.BytesIO(base64.b64decode(found.data[0].b64_json))).format == "WEBP"


def test_a_stream_shows_the_picture_forming_and_then_the_results(client):
    stream = client.images.edit(
        image=photo(), mask=mask(), prompt="x", model="gate-less", stream=True, partial_images=2,
        extra_body={"native": {"engine": "gate", "intent": "remove"}},
    )  # fmt: skip
    events = list(stream)
    assert [event.type for event in events][-1] == "image_edit.completed"
    partial = [event for event in events if event.type == "image_edit.partial_image"]
    assert all(Image.open(io.BytesIO(base64.b64decode(event.b64_json))).format == "PNG" for event in partial)
    assert events[-1].usage.total_tokens == 0
    assert_only_the_hole_changed(base64.b64decode(events[-1].b64_json))


def test_a_stream_that_is_left_stops_its_job(server, client, gate):
    gate.open.clear()
    try:
        stream = client.images.edit(
            image=photo(), mask=mask(), prompt="left", model="gate-less", stream=True, partial_images=2,
            extra_body={"native": {"engine": "gate", "intent": "remove"}},
        )  # fmt: skip
        next(iter(stream))
        stream.close()
        over = time.monotonic() + 60
        with server.client() as native:
            while any(native.get("/state").json()["jobs"][state] for state in ("queued", "running")):
                assert time.monotonic() < over, "the job goes on without anybody who waits for it"
                time.sleep(0.02)
    finally:
        gate.open.set()


def test_errors_have_the_form_that_the_sdk_reads(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.edit(image=b"no picture", mask=mask(), prompt="x", model="telea")
    assert caught.value.type == "invalid_request_error"
    with pytest.raises(openai.BadRequestError, match="10x10"):
        client.images.edit(image=photo(), mask=png(Image.new("RGBA", (10, 10))), prompt="x", model="telea")
    with pytest.raises(openai.BadRequestError, match="output_format"):
        client.images.edit(image=photo(), mask=mask(), prompt="x", model="telea", output_format="gif")
    with pytest.raises(openai.BadRequestError, match="edits pictures"):
        client.images.generate(prompt="a fox")
    with (
        pytest.raises(openai.BadRequestError, match="variations"),
        pytest.warns(DeprecationWarning, match="deprecated"),
    ):
        client.images.create_variation(image=photo())
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")


def test_what_can_be_named_as_a_model_is_listed(client):
    names = [one.id for one in client.models.list()]
    assert {"exemplar", "telea"} <= set(names)
    assert client.models.retrieve("exemplar").id == "exemplar"


def test_a_repeat_waits_for_the_running_edit_and_both_get_its_result(server, gate):
    gate.open.clear()
    before = gate.begun
    results: list[httpx2.Response] = []
    form = {"prompt": "x", "native[engine]": "gate", "native[intent]": "remove", "n": "1"}
    files = [("image", ("upload", photo())), ("mask", ("upload", mask()))]

    def ask() -> None:
        url = f"{server.url}/v1/images/edits"
        results.append(httpx2.post(url, data=form, files=files, timeout=60, trust_env=False))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    queue = server.server.inner.state.services.queue
    while [job.waiting for job in queue.all("local")] != [3]:
        time.sleep(0.01)
    gate.open.set()
    for thread in threads:
        thread.join()
    assert [one.status_code for one in results] == [200] * 3
    assert len({one.json()["data"][0]["b64_json"] for one in results}) == 1
    assert gate.begun == before + 1
    assert stored(server) == []


def test_a_client_that_leaves_stops_its_edit_and_leaves_nothing(server, gate):
    gate.open.clear()
    body = {
        "images": [{"image_url": url(photo())}],
        "mask": {"image_url": url(mask())},
        "prompt": "x",
        "native": {"engine": "gate", "intent": "remove"},
    }
    with pytest.raises(httpx2.TimeoutException):
        httpx2.post(f"{server.url}/v1/images/edits", json=body, timeout=0.5, trust_env=False)
    with server.client() as native:
        while (jobs := native.get("/state").json()["jobs"])["queued"] + jobs["running"]:
            time.sleep(0.02)
    gate.open.set()
    while stored(server):
        time.sleep(0.02)


def stored(server: Running) -> list[Path]:
    return [path for path in (server.server.settings.data / "pictures").rglob("*") if path.is_file()]


def url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "body",
    [
        {"images": [{"image_url": url(photo())}], "mask": {"image_url": url(mask())}},
        {"image": {"url": url(photo()), "type": "image_url"}, "mask": url(mask())},
        {"images": [url(photo())], "mask": {"image_url": {"url": url(mask())}}, "n": 1.0, "stream": "false"},
    ],
)
def test_the_json_forms_are_read(server, body):
    reply = httpx2.post(
        f"{server.url}/v1/images/edits", json={"prompt": "x", "model": "telea", **body}, trust_env=False
    )
    assert reply.status_code == 200, reply.text
    assert_only_the_hole_changed(base64.b64decode(reply.json()["data"][0]["b64_json"]))


@pytest.mark.parametrize("address", ["http://127.0.0.1/secret.png", "https://example.com/a.png", "file:///etc/passwd"])
def test_no_address_is_fetched(server, address):
    body = {"images": [{"image_url": address}], "prompt": "x"}
    reply = httpx2.post(f"{server.url}/v1/images/edits", json=body, trust_env=False)
    assert reply.status_code == 400
    assert "error" in reply.json()


def test_a_transparent_picture_is_its_own_mask_and_one_without_is_edited_as_a_whole(server):
    values = np.array(Image.open(io.BytesIO(photo())).convert("RGBA"))
    values[..., 3][HOLE] = 0
    for data in (png(Image.fromarray(values)), photo()):
        files = {"image": ("a.png", data)}
        form = {"prompt": "a red flower", "model": "pocket", "quality": "low", "native[steps]": "1"}
        reply = httpx2.post(f"{server.url}/v1/images/edits", data=form, files=files, trust_env=False, timeout=60)
        assert reply.status_code == 200, reply.text


def test_keys_are_asked_for(tmp_path):
    key = new_key(tmp_path / "keys.txt", "ann")
    with running(tmp_path / "data", keys=tmp_path / "keys.txt") as found:
        other = openai.OpenAI(base_url=f"{found.url}/v1", api_key="wrong", max_retries=0)
        with other, pytest.raises(openai.AuthenticationError):
            other.models.list()
        with openai.OpenAI(base_url=f"{found.url}/v1", api_key=key, max_retries=0) as ours:
            assert list(ours.models.list())


def test_it_is_not_there_where_it_is_not_chosen(tmp_path):
    with running(tmp_path, apis=frozenset()) as found:
        assert httpx2.get(f"{found.url}/v1/models", trust_env=False).status_code == 404


@pytest.mark.skipif(not CLIENTS.exists(), reason="the requests of real clients are not here")
def test_requests_of_real_clients_are_answered(server):
    for case in json.loads(CLIENTS.read_text()):
        if "form" not in case:
            continue
        there = {"@photo": photo(), "@mask_alpha": mask()}
        files = [(name, (file, there[content], kind)) for name, file, kind, content in case["files"]]
        fields: dict[str, Any] = {}
        for name, value in case["form"]:
            fields.setdefault(name, []).append(value)
        fields["native[steps]"] = "1"
        reply = httpx2.request(
            case["method"], server.url + case["path"], data=fields, files=files, headers=case.get("headers"),
            timeout=120, trust_env=False,
        )  # fmt: skip
        assert reply.status_code == 200, (case["client"], reply.text)
        found = reply.json()
        assert isinstance(found["created"], int)
        count = int(fields.get("n", ["1"])[0])
        assert len(found["data"]) == count
        assert open_picture(base64.b64decode(found["data"][0]["b64_json"])).size == Size(*SIZE)
