"""What stands before every endpoint: pages of other sites, other host names, keys, and clients that are slow."""

from __future__ import annotations

import base64
import http.client
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import httpx2
import pytest

from overpaint.cli.serve import Api
from overpaint.errors import OutputError, RequestError
from overpaint.server import PREFIX, ApiKeys, Server, ServerSettings, new_key, serve
from overpaint.server.browser import BrowserTokens
from overpaint.server.keys import LOCAL, key_in, remove_key
from overpaint.server.settings import APIS
from servers import Running, running


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server without keys."""
    folder = tmp_path_factory.mktemp("open")
    with running(folder, origins=("https://paint.example",), hosts=("Studio.Local",), slowest_body=0.5) as found:
        yield found


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    """A server with a key."""
    folder = tmp_path_factory.mktemp("keyed")
    key = new_key(folder / "keys.txt", "ann")
    with running(folder / "data", keys=folder / "keys.txt") as found:
        yield found, key


def asked(server: Running, method: str = "GET", path: str = "/state", **headers: str) -> httpx2.Response:
    with server.client() as client:
        return client.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:7860", "studio.local", "[::1]:80"])
def test_a_host_of_the_server_is_answered(open_server, host):
    assert asked(open_server, host=host).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "evil.example#127.0.0.1", "a b", ""]
)
def test_another_host_is_refused(open_server, host):
    found = asked(open_server, host=host)
    assert found.status_code == 400


def test_two_host_headers_are_refused(open_server):
    port = int(open_server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        request = f"GET {PREFIX}/state HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        assert b" 400 " in connection.recv(1000).split(b"\r\n")[0] + b" "


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_pages_of_other_sites_change_nothing(open_server, method, headers):
    assert asked(open_server, method, "/pictures", **headers).status_code == 403


def test_pages_of_other_sites_read_nothing_but_may_link_here(open_server):
    assert asked(open_server, origin="https://evil.example").status_code == 403
    assert asked(open_server, sec_fetch_site="cross-site", sec_fetch_mode="no-cors").status_code == 403
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert httpx2.get(open_server.url + "/", headers=headers, trust_env=False).status_code == 200


def test_our_own_page_and_one_that_is_allowed_may(open_server):
    own = open_server.url
    assert asked(open_server, origin=own, sec_fetch_site="same-origin").status_code == 200
    found = asked(open_server, origin="https://paint.example", sec_fetch_site="cross-site")
    assert found.status_code == 200
    assert found.headers["access-control-allow-origin"] == "https://paint.example"
    assert "access-control-allow-origin" not in asked(open_server, origin=own).headers


def test_a_preflight_is_answered_for_allowed_pages_only(open_server):
    wanted = {"access_control_request_method": "POST", "access_control_request_headers": "content-type"}
    assert asked(open_server, "OPTIONS", "/edits", origin="https://paint.example", **wanted).status_code == 204
    refused = asked(open_server, "OPTIONS", "/edits", origin="https://evil.example", **wanted)
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers


def test_every_reply_forbids_sniffing_framing_and_foreign_code(open_server):
    for path in ("/state", "/nothing/here"):
        headers = asked(open_server, path=path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "server" not in headers


def test_a_body_that_comes_too_slowly_is_refused_and_others_are_answered(open_server):
    host, _, port = open_server.url.removeprefix("http://").partition(":")
    slow = http.client.HTTPConnection(host, int(port), timeout=20)
    slow.putrequest("POST", f"{PREFIX}/pictures")
    slow.putheader("content-length", "100000")
    slow.endheaders()
    slow.send(b"x" * 10)
    began = time.monotonic()
    assert asked(open_server).status_code == 200
    assert slow.getresponse().status == 408
    assert time.monotonic() - began < 15
    slow.close()


def test_without_a_key_nothing_but_health_is_answered(keyed):
    server, key = keyed
    assert asked(server).status_code == 401
    assert asked(server, authorization="").status_code == 401
    assert asked(server, authorization="Bearer wrong").status_code == 401
    assert asked(server, path="/openapi.json").status_code == 401
    assert asked(server, path="/health").status_code == 200
    basic = base64.b64encode(f"anybody:{key}".encode()).decode()
    for headers in ({"authorization": f"Bearer {key}"}, {"authorization": f"Basic {basic}"}, {"x_api_key": key}):
        assert asked(server, **headers).status_code == 200


def test_a_browser_gets_in_by_a_link_that_works_once(keyed):
    server, _ = keyed
    with httpx2.Client(base_url=server.url, trust_env=False) as browser:
        assert browser.get(f"{PREFIX}/state").status_code == 401
        entered = browser.get(f"/?token={server.token}")
        assert entered.status_code == 303
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert browser.get(f"{PREFIX}/state").status_code == 200
    with httpx2.Client(base_url=server.url, trust_env=False) as other:
        assert other.get(f"/?token={server.token}").status_code == 403
        assert other.get(f"{PREFIX}/state", headers={"cookie": "overpaint=guess"}).status_code == 401


def test_a_token_ends_after_a_while():
    now = [0.0]
    tokens = BrowserTokens(lambda: now[0])
    old = tokens.token(LOCAL)
    now[0] = 601.0
    assert tokens.cookie(old) is None
    cookie = tokens.cookie(tokens.token(LOCAL))
    assert tokens.caller(f"overpaint={cookie}") is LOCAL
    assert tokens.caller("overpaint=") is None


def test_other_machines_are_let_in_with_keys_only(tmp_path):
    with pytest.raises(RequestError, match="lets other machines in") as caught:
        ServerSettings(data=tmp_path, host="0.0.0.0")
    assert "key_file" in caught.value.hint
    ServerSettings(data=tmp_path, host="0.0.0.0", keys=tmp_path / "keys.txt")
    for host in ("127.0.0.1", "localhost", "::1", "127.0.0.9"):
        ServerSettings(data=tmp_path, host=host)


@pytest.mark.parametrize("origin", ["*", "https://*.example", "example.com", "https://a.example/", "file:///etc"])
def test_an_origin_is_one_origin(tmp_path, origin):
    with pytest.raises(RequestError, match="no origin"):
        ServerSettings(data=tmp_path, origins=(origin,))


class TestKeys:
    def test_the_file_has_no_key_and_is_for_its_owner_alone(self, tmp_path):
        path = tmp_path / "keys.txt"
        keys = [new_key(path, "ann"), new_key(path, "bob", ("read",))]
        text = path.read_text()
        assert not any(key in text or key[3:] in text for key in keys)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        read = ApiKeys.read(path)
        assert [read.caller(key).name for key in keys] == ["ann", "bob"]
        assert read.caller(keys[1]).scopes == {"read"}
        assert read.caller("op-") is None

    @pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 65, "-a"])
    def test_a_name_is_a_word(self, tmp_path, name):
        with pytest.raises(RequestError):
            new_key(tmp_path / "keys.txt", name)

    def test_a_name_is_given_once(self, tmp_path):
        new_key(tmp_path / "keys.txt", "ann")
        with pytest.raises(RequestError, match="already"):
            new_key(tmp_path / "keys.txt", "ann")

    @pytest.mark.parametrize("text", ["", "ann read", "ann fly " + "0" * 64, "ann read nohash", "a b c d"])
    def test_a_file_that_can_not_be_used_names_its_line(self, tmp_path, text):
        (tmp_path / "keys.txt").write_text(f"# keys\n{text}\n")
        with pytest.raises(RequestError, match=r"line 2|no keys"):
            ApiKeys.read(tmp_path / "keys.txt")

    @pytest.mark.parametrize(
        ("authorization", "header", "key"),
        [
            (None, None, None),
            ("", None, None),
            (" ", " ", None),
            ("Bearer k", None, "k"),
            ("bearer  k ", None, "k"),
            ("Basic !!", None, ""),
            ("Basic " + base64.b64encode(b"user:k:k").decode(), None, "k:k"),
            (None, "k", "k"),
            ("k", None, "k"),
        ],
    )
    def test_a_key_comes_in_any_of_the_usual_headers(self, authorization, header, key):
        assert key_in(authorization, header) == key


class TestRunning:
    def test_every_api_that_can_be_chosen_is_known(self, tmp_path):
        assert set(get_args(Api)) == set(APIS)
        with pytest.raises(RequestError, match="no API"):
            ServerSettings(data=tmp_path, apis=frozenset({"comfy"}))

    def test_two_servers_do_not_share_a_folder(self, open_server):
        with pytest.raises(OutputError, match="another server uses the folder"):
            serve(Server(ServerSettings(data=open_server.server.settings.data, port=0)))

    def test_a_port_that_is_taken_is_named(self, open_server, tmp_path):
        port = int(open_server.url.rpartition(":")[2])
        with pytest.raises(OutputError, match=str(port)):
            serve(Server(ServerSettings(data=tmp_path, port=port)))

    def test_the_command_says_where_it_is_and_stops_in_order(self, tmp_path):
        words = [sys.executable, "-m", "overpaint", "serve", "--port", "0", "--data", str(tmp_path / "data")]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        line = process.stdout.readline()
        url = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
        assert httpx2.get(f"{url}{PREFIX}/health", trust_env=False).json()["status"] == "ok"
        process.terminate()
        _, said = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "stopped" in said

    def test_the_command_refuses_to_let_others_in_without_keys(self, tmp_path):
        words = [sys.executable, "-m", "overpaint", "serve", "--host", "0.0.0.0", "--data", str(tmp_path / "data")]
        found = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert found.returncode == 2
        assert "--key-file" in found.stderr
        assert not Path(tmp_path / "data").exists()


def test_a_key_that_is_removed_works_no_longer_on_a_running_server(tmp_path, caplog):
    path = tmp_path / "keys.txt"
    ann, bob = new_key(path, "ann"), new_key(path, "bob")
    path.write_text("# of the studio\n" + path.read_text())
    with running(tmp_path / "data", keys=path) as server, server.client(ann) as first, server.client(bob) as second:
        form = {"username": "x", "password": ann}
        browser = httpx2.Client(base_url=server.url, trust_env=False, timeout=30)
        assert browser.post("/login", data=form).status_code == 200
        assert browser.get("/sdapi/v1/options").status_code == 200
        assert (first.get("/state").status_code, second.get("/state").status_code) == (200, 200)
        remove_key(path, "ann")
        assert path.read_text().startswith("# of the studio\nbob ")
        until(lambda: first.get("/state").status_code == 401)
        assert browser.get("/sdapi/v1/options").status_code == 401, "the cookie of a removed key"
        assert second.get("/state").status_code == 200
        with server.client(new_key(path, "ann")) as again:
            until(lambda: again.get("/state").status_code == 200)
        assert first.get("/state").status_code == 401
        with pytest.raises(RequestError, match="no key 'eve'"):
            remove_key(path, "eve")
        kept = path.read_bytes()
        path.write_text("not a line of keys")
        until(lambda: second.get("/state").status_code == 401)
        assert "no key holds" in caplog.text
        path.write_bytes(kept)
        until(lambda: second.get("/state").status_code == 200)
        for name in ("ann", "bob"):
            remove_key(path, name)
        until(lambda: second.get("/state").status_code == 401)
        assert new_key(path, "bob")
        browser.close()


def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    over = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < over
        time.sleep(0.05)
