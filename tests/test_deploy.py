"""The files that people run a server with: what they call is there, and they are as careful as the page says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from overpaint.cli.serve import data_folder

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "deploy.md").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
UNIT = ROOT / "deploy" / "overpaint.service"
INSTRUCTIONS = {
    "FROM", "ARG", "ENV", "WORKDIR", "RUN", "COPY", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK",
    "ENTRYPOINT", "CMD",
}  # fmt: skip


def dockerfile() -> list[tuple[str, str]]:
    """Its instructions, each on one line."""
    text = re.sub(r"(?m)^\s*#.*\n", "", (ROOT / "Dockerfile").read_text())
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


@cache
def options_of(verb: tuple[str, ...]) -> set[str]:
    """The options that a verb says it has."""
    words = [sys.executable, "-m", "overpaint", *verb, "--help"]
    found = subprocess.run(words, capture_output=True, text=True, timeout=60, env={**os.environ, "COLUMNS": "200"})
    assert found.returncode == 0, (verb, found.stderr)
    return set(re.findall(r"--[a-z][a-z-]*", found.stdout))


def check_command(words: list[str]) -> None:
    """Every word of a command of ours that is a verb or an option exists."""
    verb = tuple(words[:2] if words[0] in ("keys", "models") else words[:1])
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert options <= options_of(verb), (words, options - options_of(verb))


def commands() -> list[list[str]]:
    """The commands of Overpaint in all these files, without its name."""
    found = [shlex.split(value.replace('", "', '" "').strip("[]")) for name, value in dockerfile() if name == "CMD"]
    found += [yaml.safe_load(value) for value in re.findall(r"command: (\[.*\])", PAGE)]
    found.append(shlex.split(re.findall(r"^ExecStart=(.*)$", UNIT.read_text(), re.MULTILINE)[0])[1:])
    for line in re.findall(r"^[$#] (.*)$|`(docker compose run [^`]*)`", PAGE, re.MULTILINE):
        words = shlex.split("".join(line))
        at = [index for index, word in enumerate(words) if word == "overpaint" or word.endswith("/bin/overpaint")]
        if at and words[at[-1] + 1 :] and not words[0].startswith(("useradd", "install", "systemctl", "journalctl")):
            found.append(words[at[-1] + 1 :])
    found += [shlex.split(line) for line in re.findall(r"`overpaint ([^`]*)`", PAGE)]
    return found


def test_every_command_and_option_exists():
    found = commands()
    assert {words[0] for words in found} >= {"serve", "keys", "models", "doctor"}
    assert len(found) >= 9
    for words in found:
        check_command(words)
    named = set(re.findall(r"`(--[a-z-]+)[` ]", PAGE)) - {"--build-arg", "--profile"}
    assert named <= options_of(("serve",)) | options_of(("keys", "add"))


def test_the_image_is_built_with_care():
    """What hadolint asks for, as far as it is about this file."""
    steps = dockerfile()
    assert {name for name, _ in steps} <= INSTRUCTIONS
    stages = [re.match(r"(\S+) AS (\S+)", value) for name, value in steps if name == "FROM"]
    assert all(stages)
    names = [stage[2] for stage in stages if stage]
    assert names == ["build", "cpu", "cuda"]
    known: set[str] = set()
    for stage in stages:
        assert stage is not None
        assert stage[1] in known or re.search(r":[\w.${}-]+$", stage[1])  # a version, and not the latest
        assert not stage[1].endswith(":latest")
        known.add(stage[2])
    runs = [value for name, value in steps if name == "RUN"]
    assert not [run for run in runs if re.search(r"\bsudo\b|\bcd \b|apt-get|curl|wget", run)]
    assert all("-c constraints.txt" in run for run in runs if "pip install" in run)
    assert "PIP_NO_CACHE_DIR=1" in " ".join(value for name, value in steps if name == "ENV")
    last = dict(steps)
    assert last["USER"].isdigit()  # so that Kubernetes can tell that it is not root
    assert int(last["USER"]) > 0
    assert "/overpaint/v1/health" in last["HEALTHCHECK"]
    assert last["VOLUME"] == "/data"
    for name in ("ENTRYPOINT", "CMD"):
        assert last[name].startswith('["')  # without a shell, so that signals arrive
    assert last["STOPSIGNAL"] == "SIGTERM"


def test_what_the_image_copies_is_there_and_is_sent_to_the_build():
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name, value in dockerfile():
        if name == "COPY" and not value.startswith("--from"):
            for source in value.split()[:-1]:
                assert (ROOT / source).exists()
                assert any(fnmatch(source.removeprefix("./"), one) for one in kept), source


def test_the_check_of_health_works(tmp_path):
    """The command of HEALTHCHECK, with the port of a server that runs."""
    from servers import running

    (value,) = [value for name, value in dockerfile() if name == "HEALTHCHECK"]
    code = shlex.split(value.partition("CMD ")[2].strip("[]").replace('", "', '" "'))
    with running(tmp_path) as server:
        script = code[2].replace("http://127.0.0.1:7860", server.url)
        assert subprocess.run([sys.executable, "-c", script], timeout=30).returncode == 0
    assert subprocess.run([sys.executable, "-c", script], timeout=30, capture_output=True).returncode != 0


def test_compose_lets_nobody_in_from_outside_and_gives_few_rights():
    targets = {value.split(" AS ")[1] for name, value in dockerfile() if name == "FROM"}
    assert set(COMPOSE) == {"services", "volumes"}
    for service in COMPOSE["services"].values():
        assert service["build"]["target"] in targets
        assert all(port.startswith("127.0.0.1:") and port.endswith(":7860") for port in service["ports"])
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert [volume.split(":")[0] for volume in service["volumes"]] == list(COMPOSE["volumes"])
        assert service["volumes"][0].endswith(":/data")
        assert "/tmp" in service["tmpfs"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_the_unit_is_valid_and_hardened(tmp_path):
    there = tmp_path / "overpaint.service"
    there.write_text(UNIT.read_text().replace("/opt/overpaint/bin/overpaint", sys.executable))
    checked = subprocess.run(["systemd-analyze", "verify", str(there)], capture_output=True, text=True, timeout=60)
    assert "overpaint.service" not in checked.stderr + checked.stdout, checked.stderr
    words = ["systemd-analyze", "security", "--offline=true", "--threshold=25", str(there)]
    scored = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert scored.returncode == 0, scored.stdout[-300:]


def test_proxies_do_what_the_page_asks_of_them():
    nginx, caddy = ((ROOT / "deploy" / name).read_text() for name in ("nginx.conf", "Caddyfile"))
    assert nginx.count("{") == nginx.count("}")
    for part in ("proxy_buffering off", "Host $host", "client_max_body_size 256m", "X-Forwarded-Proto $scheme"):
        assert part in nginx
    for part in ("flush_interval -1", "max_size 256MB", "reverse_proxy 127.0.0.1:7860"):
        assert part in caddy
    assert "add_header" not in nginx


def test_make_serve_serves():
    made = subprocess.run(["make", "-n", "serve", "ARGS=--port 0"], cwd=ROOT, capture_output=True, text=True)
    assert made.stdout.splitlines()[-1].endswith("bin/overpaint serve --port 0")


def test_the_page_leads_to_files_that_are_there():
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link


def test_the_data_are_in_overpaints_own_folder_and_old_data_stay_in_use(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("OVERPAINT_HOME", raising=False)
    old = tmp_path / "data" / "overpaint" / "server"
    if sys.platform == "linux":
        assert data_folder() == old
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path / "home"))
    assert data_folder() == tmp_path / "home" / "server"
    old.mkdir(parents=True)
    assert data_folder() == tmp_path / "home" / "server", "an empty folder is none that is in use"
    (old / "jobs.sqlite").touch()
    assert data_folder() == old
    (tmp_path / "home" / "server").mkdir(parents=True)
    assert data_folder() == tmp_path / "home" / "server"
