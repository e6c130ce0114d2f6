"""What a server counts, and the limits of what it keeps and holds in memory."""

from __future__ import annotations

import io
import threading
import time

import httpx2
import numpy as np
from PIL import Image

from servers import running


def png(seed: int = 0, side: int = 64) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)).save(out, "PNG")
    return out.getvalue()


def figures(client: httpx2.Client) -> dict[str, float]:
    lines = client.get("/metrics").text.splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_jobs_and_replies_are_counted(tmp_path):
    with running(tmp_path) as server, server.client() as client:
        picture = client.post("/pictures", content=png()).json()["id"]
        task = {"picture": picture, "request": {"intent": "remove", "engine": "telea"}, "marks": {"box": ["9,9,20,20"]}}
        job = client.post("/edits", json=task).json()["id"]
        while client.get(f"/edits/{job}").json()["state"] in ("queued", "running"):
            time.sleep(0.02)
        client.get("/pictures/" + "0" * 64)
        found = figures(client)
        stored = sum(path.stat().st_size for path in (tmp_path / "pictures").glob("*/*") if path.suffix != ".json")
        assert found['overpaint_jobs{state="done"}'] == 1
        assert found['overpaint_jobs_ended_total{state="done"}'] == 1
        assert found["overpaint_job_wait_seconds_count"] == found["overpaint_job_work_seconds_count"] == 1
        assert found['overpaint_job_work_seconds_bucket{le="+Inf"}'] == 1
        assert 0 < found["overpaint_job_work_seconds_sum"] < 60
        assert found['overpaint_replies_total{status="4xx"}'] == 1
        assert found['overpaint_replies_total{status="2xx"}'] >= 3
        assert found["overpaint_pictures_bytes"] == stored > 0
        assert found["process_resident_memory_bytes"] > 1e7
        client.delete(f"/pictures/{picture}")
        assert figures(client)["overpaint_pictures_bytes"] == stored - len(png())


def test_a_client_that_has_stored_its_share_may_upload_no_more_and_its_results_are_kept(tmp_path):
    with running(tmp_path, client_bytes=len(png()) + 100) as server, server.client() as client:
        picture = client.post("/pictures", content=png()).json()["id"]
        refused = client.post("/pictures", content=png(1))
        assert (refused.status_code, refused.json()["error"]["code"]) == (507, "storage-full")
        assert client.post("/pictures", content=png()).status_code == 201, "the same picture takes no more room"
        task = {"picture": picture, "request": {"intent": "remove", "engine": "telea"}, "marks": {"box": ["9,9,20,20"]}}
        job = client.post("/edits", json=task).json()["id"]
        while (now := client.get(f"/edits/{job}").json())["state"] in ("queued", "running"):
            time.sleep(0.02)
        assert now["state"] == "done", now
        result = now["results"][0]["picture"]
        assert client.get(f"/pictures/{result}/file").status_code == 200
        for one in (picture, result):
            assert client.delete(f"/pictures/{one}").status_code == 204
        assert client.post("/pictures", content=png(1)).status_code == 201
    with running(tmp_path, client_bytes=len(png()) + 100) as server, server.client() as client:
        assert client.post("/pictures", content=png(2)).status_code == 507, "what is stored counts after a restart"


def test_bodies_that_would_fill_the_memory_together_are_refused_and_later_ones_are_not(tmp_path):
    with running(tmp_path, all_bodies=3 << 20, slowest_body=2.0) as server, server.client() as client:
        half = threading.Event()

        def slowly():
            yield bytes(2 << 20)
            half.set()
            time.sleep(1.0)
            yield b"end"

        def first() -> None:
            with server.client() as other:
                assert other.post("/pictures", content=slowly()).status_code == 422

        thread = threading.Thread(target=first)
        thread.start()
        assert half.wait(10)
        time.sleep(0.3)
        refused = client.post("/pictures", content=bytes(2 << 20))
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "server-busy")
        assert int(refused.headers["retry-after"]) > 0
        thread.join()
        assert client.post("/pictures", content=bytes(2 << 20)).status_code == 422, "the memory is free again"
