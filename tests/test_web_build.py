"""The editor's built files: committed, the same as a build of /web, small, and served with a strict policy."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import runpy
import subprocess
from pathlib import Path

import httpx2
import pytest

from browser import packages
from overpaint.server import editor
from overpaint.server.editor import FILES
from servers import Running, running

ROOT = Path(__file__).parents[1]
WEB = ROOT / "web"
BUILT = ROOT / "src" / "overpaint" / "web"

MOST_BYTES = 70_000
"""Of the first load, after gzip."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("editor")) as found:
        yield found


@pytest.fixture(scope="module", name="packages")
def tools() -> Path:
    """The folder of the tools that build the editor."""
    return packages()


def test_the_built_files_are_those_of_the_source(packages, tmp_path):
    command = ["node", packages / "vite" / "bin" / "vite.js", "build", "--outDir", tmp_path, "--logLevel", "error"]
    subprocess.run(command, cwd=WEB, check=True, capture_output=True, timeout=120)
    built = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_bytes() for path in BUILT.iterdir() if path.is_file()}
    assert built.keys() == committed.keys()
    differing = [name for name in built if built[name] != committed[name]]
    assert differing == [], "run npm run build in web/"


def test_types_and_parts_of_the_editor_hold(packages):
    for tool in ("typescript/bin/tsc", "vitest/vitest.mjs"):
        arguments = ["--noEmit"] if "tsc" in tool else ["run"]
        done = subprocess.run(
            ["node", packages / tool, *arguments], cwd=WEB, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_types_of_the_api_are_those_of_the_server():
    text = runpy.run_path(str(WEB / "openapi.py"))["description"]()
    first = (WEB / "src" / "api" / "schema.d.ts").read_text().partition("\n")[0]
    assert first.split()[-1] == hashlib.sha256(text.encode()).hexdigest(), "run npm run api in web/"


def test_the_lock_file_has_no_addresses_and_versions_are_exact():
    lock = json.loads((WEB / "package-lock.json").read_text())
    assert [name for name, one in lock["packages"].items() if "resolved" in one] == []
    package = json.loads((WEB / "package.json").read_text())
    versions = {**package["dependencies"], **package["devDependencies"]}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", one) for one in versions.values())


def test_the_first_load_is_small():
    first = ["index.html", "editor.js", "editor.css"]
    size = sum(len(gzip.compress((BUILT / name).read_bytes(), 9)) for name in first)
    assert size <= MOST_BYTES
    assert not re.search(r'(?:from|import)\s*"\./', (BUILT / "editor.js").read_text()), "it loads more files at once"


def test_source_files_are_short():
    long = [
        str(path.relative_to(WEB))
        for path in (WEB / "src").rglob("*.ts*")
        if path.name != "schema.d.ts" and len(path.read_text().splitlines()) > 500
    ]
    assert long == []


def test_the_page_loads_its_own_files_only_under_a_strict_policy(server: Running):
    page = httpx2.get(server.url, trust_env=False)
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert {"/editor.js", "/editor.css"} <= set(addresses)
    assert all(one.startswith("/") or one == "data:," for one in addresses)
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|style=", page.text)


def test_the_server_has_every_file_that_was_built():
    assert FILES.keys() == {path.name for path in BUILT.iterdir() if path.is_file()}


def test_where_nothing_was_built_the_page_says_what_to_do(server: Running, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(editor, "_file", lambda name: None)
    page = httpx2.get(server.url, trust_env=False)
    assert page.status_code == 200
    assert "npm ci && npm run build" in page.text
    assert httpx2.get(f"{server.url}/editor.js", trust_env=False).status_code == 404


@pytest.mark.parametrize("name", ["editor.js", "editor.css", "panels.js", "de.js"])
def test_a_file_comes_packed_and_not_twice(server: Running, name: str):
    plain = httpx2.get(f"{server.url}/{name}", headers={"accept-encoding": "identity"}, trust_env=False)
    packed = httpx2.get(f"{server.url}/{name}", trust_env=False)
    assert plain.content == packed.content == (BUILT / name).read_bytes()
    assert packed.headers["content-encoding"] == "gzip"
    again = httpx2.get(f"{server.url}/{name}", headers={"if-none-match": packed.headers["etag"]}, trust_env=False)
    assert (again.status_code, again.content) == (304, b"")
