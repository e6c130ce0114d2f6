"""A short job is done while a long one of the same engine is painted, and both have the pixels that they have alone."""

from __future__ import annotations

import io
import time
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from overpaint import Mask
from overpaint.picture import open_picture
from overpaint.studio import Studio
from servers import running

SMALL = ((160, 120), 30)
Scene = tuple[tuple[int, int], int]
"""Width and height of a picture, and the side of the hole in its middle."""


def photo(size: tuple[int, int]) -> bytes:
    """A picture with some texture."""
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    waves = np.stack([np.sin(columns / 9 + rows / 23), np.cos(rows / 7), np.sin((rows + columns) / 31)], 2)
    noise = np.random.default_rng(0).integers(-9, 9, (size[1] // 4 + 1, size[0] // 4 + 1, 1))
    noise = noise.repeat(4, 0).repeat(4, 1)[: size[1], : size[0]]
    out = io.BytesIO()
    Image.fromarray((waves * 80 + 128 + noise).astype(np.uint8)).save(out, "PNG", compress_level=1)
    return out.getvalue()


def box(scene: Scene) -> tuple[int, int, int, int]:
    (width, height), side = scene
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def asked(api: httpx2.Client, scene: Scene) -> str:
    id = api.post("/pictures", content=photo(scene[0])).raise_for_status().json()["id"]
    request = {"intent": "remove", "engine": "exemplar", "seed": 1}
    task = {"picture": id, "request": request, "marks": {"box": [",".join(map(str, box(scene)))]}}
    return str(api.post("/edits", json=task).raise_for_status().json()["id"])


def ended(api: httpx2.Client, job: str) -> dict[str, Any]:
    while (found := api.get(f"/edits/{job}").json())["state"] in ("queued", "running"):
        time.sleep(0.02)
    assert found["state"] == "done", found
    return dict(found)


def pixels(api: httpx2.Client, job: dict[str, Any]) -> np.ndarray:
    return open_picture(api.get(f"/pictures/{job['results'][0]['picture']}/file").content).samples


def alone(scene: Scene) -> np.ndarray:
    with Studio() as studio:
        picture = open_picture(photo(scene[0]))
        edited = studio.edit(picture, mask=Mask.box(scene[0], box(scene)), intent="remove", engine="exemplar", seed=1)
        return edited.picture.samples


@pytest.mark.parametrize(
    "large", [((640, 480), 224), pytest.param(((4000, 3000), 1414), marks=pytest.mark.slow, id="12 megapixels")]
)
def test_a_short_job_is_done_while_a_long_one_is_painted(tmp_path, large):
    # The first job has its lane to itself for the time `long`, so that one client takes not all of them.
    with running(tmp_path, lanes=2, long=0.2) as server, server.client() as api:
        ended(api, asked(api, SMALL))  # all that is loaded once is there
        began = time.monotonic()
        long = asked(api, large)
        while api.get(f"/edits/{long}").json()["steps"] == 0:
            time.sleep(0.01)
        began_short = time.monotonic()
        short = ended(api, asked(api, SMALL))
        seconds = time.monotonic() - began_short
        between = api.get(f"/edits/{long}").json()
        assert between["state"] == "running"
        finished = ended(api, long)
        print(
            f"short {seconds:.2f} s, long {time.monotonic() - began:.2f} s, at step {between['step']} when short ended"
        )
        assert np.array_equal(pixels(api, short), alone(SMALL))
        assert np.array_equal(pixels(api, finished), alone(large))
