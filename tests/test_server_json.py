"""Bodies of JSON that no careful client sends: each gets a reply that says what is wrong, at every door."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from overpaint.server import PREFIX
from servers import Running, running

HALF = '"\\ud800"'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("data")) as found:
        yield found


def post(server: Running, path: str, body: str, kind: str = "application/json") -> httpx2.Response:
    with httpx2.Client(base_url=server.url, timeout=60.0, trust_env=False) as client:
        return client.post(path, content=body.encode(), headers={"content-type": kind})


PICTURE = f'"picture": "{"0" * 64}"'


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{PREFIX}/edits", f'{{{PICTURE}, "request": {{"intent": "remove", "prompt": {HALF}}}}}'),
        (f"{PREFIX}/edits", f'{{{PICTURE}, "request": {{"intent": {HALF}}}}}'),
        (f"{PREFIX}/edits", f'{{{PICTURE}, "request": {{"intent": "remove", {HALF}: 1}}}}'),
        (f"{PREFIX}/edits", f'{{{PICTURE}, "request": {{"intent": "remove", "strength": NaN}}}}'),
        (f"{PREFIX}/edits", f'{{{PICTURE}, "request": {{"intent": "remove"}}, "count": Infinity}}'),
        (f"{PREFIX}/sessions", f'{{{PICTURE}, "name": {HALF}}}'),
        ("/sdapi/v1/img2img", f'{{"init_images": ["x"], "prompt": {HALF}}}'),
        ("/sdapi/v1/img2img", f'{{"init_images": ["x"], "sampler_name": {HALF}}}'),
        ("/sdapi/v1/img2img", f'{{"init_images": ["x"], "alwayson_scripts": {{{HALF}: {{"args": [true]}}}}}}'),
        ("/sdapi/v1/options", f'{{"sd_vae": {HALF}}}'),
        ("/v1/images/edits", f'{{"image": "x", "prompt": {HALF}}}'),
        ("/api/v1/inpaint", f'{{"image": "x", "prompt": {HALF}}}'),
    ],
)
def test_what_is_no_text_or_no_number_is_refused_in_words(server, path, body):
    reply = post(server, path, body)
    assert reply.status_code in (400, 422), reply.text
    assert reply.json()
    with httpx2.Client(base_url=server.url, trust_env=False) as client:
        assert client.get("/sdapi/v1/options").status_code == 200  # nothing of it was kept


def test_an_escaped_pair_is_a_letter(server):
    assert post(server, "/sdapi/v1/options", '{"sd_vae": "\\ud83d\\ude00"}').status_code == 200


@pytest.mark.parametrize("path", [f"{PREFIX}/edits", "/sdapi/v1/img2img", "/v1/images/edits", "/api/v1/inpaint"])
def test_a_body_of_very_many_values_is_refused_before_it_is_read(server, path):
    reply = post(server, path, "[" + "{}," * 1_000_001 + "{}]")
    assert reply.status_code == 413
    assert "1,000,000 values" in reply.text
