"""A disk that is full: uploads, jobs and sessions are refused as such, nothing is half-written, the server goes on."""

from __future__ import annotations

import base64
import contextlib
import errno
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from overpaint import Session, files
from overpaint.picture import encode, from_array
from servers import Running, running
from test_server_native import ended, photo, upload
from test_server_sessions import begun, edited

FULL = [errno.ENOSPC, errno.EDQUOT]
EDIT = {"request": {"intent": "remove", "engine": "telea"}, "marks": {"box": ["10,10,24,24"]}}


def noisy(seed: int, side: int = 160) -> bytes:
    """A file that is large for its size."""
    return encode(from_array(np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)), "png").data


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True, check=False
        )
        mounted = done.returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("a file system can't be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@contextlib.contextmanager
def full(folder: Path) -> Iterator[None]:
    """All of the disk is taken meanwhile."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    try:
        yield
    finally:
        ballast.unlink()


def refused(reply: httpx2.Response, server: Running) -> dict[str, Any]:
    """The error of a reply that says that the disk is full, and names no path."""
    assert (reply.status_code, reply.json()["error"]["code"]) == (507, "disk-full"), reply.text
    assert str(server.server.settings.data) not in reply.text
    return dict(reply.json()["error"])


def names(folder: Path) -> list[str]:
    """All files of a server but its ledger and logs."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(folder)) for path in found if "jobs.sqlite" not in path.name)


def test_a_disk_that_is_really_full_is_named_and_the_server_goes_on(small_disk, caplog):
    data = small_disk / "data"
    with running(data) as server, server.client() as client:
        picture = upload(client, photo())
        id = begun(client, 1)["id"]
        before = edited(client, id)
        kept = names(data)
        with full(small_disk):
            refused(client.post("/pictures", content=noisy(1)), server)
            refused(client.post("/sessions", json={"picture": picture}), server)
            for seed in range(3):  # the first ones may still fit into the last block of its file
                mask = np.random.default_rng(seed).integers(0, 256, (48, 64), np.uint8)
                reply = client.put(f"/sessions/{id}/steps/1/mask", content=encode(from_array(mask), "png").data)
                before = before if reply.status_code == 507 else reply.json()
            refused(reply, server)
            assert client.get(f"/sessions/{id}").json() == before
            refused(client.get(f"/sessions/{id}/file"), server)
            refused(client.post(f"/sessions/{id}/flatten", json={"format": "tiff"}), server)
            whole = client.post("/sessions/file", content=bytes(200_000))
            refused(whole, server)
            job = client.post("/edits", json={"picture": picture, **EDIT})
            if job.status_code == 202:  # what the ledger had room for ends as such
                done = ended(client, job.json()["id"])
                assert (done["state"], done["error"]["code"]) == ("failed", "disk-full")
                assert str(data) not in json.dumps(done)
            else:
                refused(job, server)
            body = {"image": base64.b64encode(noisy(2)).decode(), "mask": base64.b64encode(noisy(3)).decode()}
            other = httpx2.post(f"{server.url}/api/v1/inpaint", json=body, timeout=60, trust_env=False)
            assert other.status_code == 507
            assert "disk is full" in other.json()["detail"]
            assert client.get("/health").json()["status"] == "ok"
            assert client.get(f"/pictures/{picture}").status_code == 200
            assert names(data) == kept
        assert any("disk is full" in record.message for record in caplog.records)
        assert client.get(f"/sessions/{id}").json() == before
        assert client.patch(f"/sessions/{id}/steps/1", json={"opacity": 0.5}).json()["version"] == before["version"] + 1
        assert edited(client, id, "30,8,44,20")["version"] == before["version"] + 2
        again = ended(client, client.post("/edits", json={"picture": picture, **EDIT}).json()["id"])
        assert again["state"] == "done"
        upload(client, noisy(1))
    with running(data) as server, server.client() as client:
        assert client.get(f"/sessions/{id}").json()["version"] == before["version"] + 2
        assert len(client.get("/sessions").json()) == 1
    (file,) = data.glob("sessions/*/*.overpaint")
    with Session.open(file) as session:
        session.check()


def test_an_edit_of_a_session_that_finds_no_room_adds_nothing(small_disk):
    """Its paint has no room, but its ledger has: the disk is filled while the job waits."""
    with running(small_disk / "data", lanes=1) as server, server.client() as client:
        id = begun(client, 1)["id"]
        before = edited(client, id)
        body = {**EDIT, "marks": {"box": ["2,2,60,44"]}}
        with full(small_disk):
            for _ in range(20):
                job = client.post(f"/sessions/{id}/edits", json=body, params={"repeat": "new"})
                if job.status_code == 202:
                    done = ended(client, job.json()["id"])
                    assert (done["state"], done["error"]["code"]) == ("failed", "disk-full")
                else:
                    refused(job, server)
        assert client.get(f"/sessions/{id}").json() == before
        assert edited(client, id, "30,8,44,20")["version"] == 2


@pytest.mark.parametrize("number", FULL)
def test_a_quota_is_a_full_disk_and_nothing_is_left_of_a_picture(tmp_path, monkeypatch, number):
    real = files.NewFile.__init__

    def refusing(self: files.NewFile, target: Path, permissions: int = 0o666) -> None:
        if target.suffix == ".json":
            raise OSError(number, os.strerror(number))
        real(self, target, permissions)

    with running(tmp_path) as server, server.client() as client:
        picture = upload(client, photo(1))
        kept = names(tmp_path)
        monkeypatch.setattr(files.NewFile, "__init__", refusing)
        error = refused(client.post("/pictures", content=photo(2)), server)
        assert error["hint"]
        refused(client.post("/sessions", json={"picture": picture}), server)
        assert names(tmp_path) == kept
        monkeypatch.undo()
        assert client.post("/pictures", content=photo(2)).status_code == 201


def test_a_ledger_that_can_t_be_written_says_when_to_come_again(tmp_path, monkeypatch):
    from overpaint.errors import LedgerError
    from overpaint.ledger import Ledger

    with running(tmp_path) as server, server.client() as client:
        picture = upload(client, photo())

        def busy(*_: Any) -> None:
            raise LedgerError("the ledger can't be used: another process held it for 30 s")

        monkeypatch.setattr(Ledger, "add", busy)
        reply = client.post("/edits", json={"picture": picture, **EDIT})
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "ledger-failed")
        assert int(reply.headers["retry-after"]) >= 1
        monkeypatch.undo()
        assert client.post("/edits", json={"picture": picture, **EDIT}).status_code == 202


def test_a_read_only_disk_is_the_server_s_own_fault_and_names_no_path(tmp_path, monkeypatch):
    def refusing(self: files.NewFile, target: Path, permissions: int = 0o666) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with running(tmp_path) as server, server.client() as client:
        monkeypatch.setattr(files.NewFile, "__init__", refusing)
        reply = client.post("/pictures", content=photo())
        assert reply.status_code == 500
        assert str(tmp_path) not in reply.text
        monkeypatch.undo()
        assert client.post("/pictures", content=photo()).status_code == 201
