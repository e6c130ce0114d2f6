"""The page at /docs: it describes every endpoint and sends requests, in a browser, and loads nothing from elsewhere."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from overpaint.server import new_key
from overpaint.studio import Studio
from servers import Running, running

PAGES = Path(__file__).parents[1] / "src" / "overpaint" / "server" / "pages"


class Browser:
    """Chromium, by its driver (WebDriver, W3C)."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL)
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
        self._until(self._ready)
        options = {"args": ["--headless=new", "--no-sandbox", "--window-size=1300,1000"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        made = self.client.post("/session", json={"capabilities": {"alwaysMatch": wanted}}).json()
        self.session = f"/session/{made['value']['sessionId']}"

    def _ready(self) -> bool:
        try:
            return bool(self.client.get("/status").json()["value"]["ready"])
        except httpx2.HTTPError:
            return False

    def open(self, address: str) -> None:
        self.client.post(f"{self.session}/url", json={"url": address})

    def run(self, script: str) -> Any:
        found = self.client.post(f"{self.session}/execute/sync", json={"script": script, "args": []}).json()["value"]
        assert not (isinstance(found, dict) and "stacktrace" in found), found
        return found

    def until(self, script: str) -> Any:
        """The value of a script, once it is true."""
        return self._until(lambda: self.run(f"return {script}"))

    @staticmethod
    def _until(check: Any) -> Any:
        over = time.monotonic() + 30
        while not (found := check()):
            assert time.monotonic() < over
            time.sleep(0.1)
        return found

    def complaints(self) -> list[str]:
        return [
            one["message"]
            for one in self.client.post(f"{self.session}/se/log", json={"type": "browser"}).json()["value"]
        ]

    def close(self) -> None:
        self.client.delete(self.session)
        self.client.close()
        self.driver.terminate()
        self.driver.wait(10)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    folder = tmp_path_factory.mktemp("docs")
    key = new_key(folder / "keys.txt", "ann")
    with Studio() as studio, running(folder / "data", studio, keys=folder / "keys.txt") as found:
        yield found, key


def test_the_page_names_no_other_place(server):
    for path in PAGES.iterdir():
        assert not re.search(r"https?:|//[a-z]+\.", re.sub(r"(?m)^\s*//.*$|///.*$", "", path.read_text())), path
    for path in ("/docs", "/docs/page.js"):  # without a key: they tell nothing
        reply = httpx2.get(server[0].url + path, trust_env=False)
        assert reply.status_code == 200
        assert "default-src 'self'" in reply.headers["content-security-policy"]
    assert httpx2.get(f"{server[0].url}/docs", trust_env=False).headers["content-type"].startswith("text/html")


@pytest.mark.skipif(shutil.which("chromedriver") is None, reason="Chromium's driver is not here")
def test_a_browser_shows_every_endpoint_and_sends_a_request(server):
    running_server, key = server
    browser = Browser()
    try:
        browser.open(f"{running_server.url}/docs")
        browser.until("!document.getElementById('key').hidden")
        browser.run(f"""
            const form = document.getElementById('key');
            form.elements.key.value = {key!r};
            form.requestSubmit();
        """)
        shown = set(browser.until("[...document.querySelectorAll('details.endpoint')].map((one) => one.id)"))
        described = running_server.server.inner.openapi()["paths"]
        assert shown == {one["operationId"] for path in described.values() for one in path.values()}
        browser.run("for (const one of document.querySelectorAll('details.endpoint')) one.open = true")
        browser.until("document.querySelector('#edits-create textarea')")
        body = browser.run("return document.querySelector('#edits-create textarea').value")
        assert '"picture": "ID"' in body
        assert "strength" not in browser.run("return document.getElementById('edits-create').innerText")
        browser.run("for (const one of document.querySelectorAll('#edits-create details.schema')) one.open = true")
        assert "strength" in browser.until("document.getElementById('edits-create').innerText")
        browser.run("document.querySelector('#state form').requestSubmit()")
        text = browser.until("(document.querySelector('#state pre') || {}).innerText")
        assert '"lanes"' in text
        refused = "document.querySelector('#edits-create .reply')"
        browser.run("document.querySelector('#edits-create form').requestSubmit()")
        assert "setting-invalid" in browser.until(f"{refused}.innerText.includes('code') && {refused}.innerText")
        unexpected = [one for one in browser.complaints() if "401" not in one and "422" not in one]
        assert unexpected == []
    finally:
        browser.close()
