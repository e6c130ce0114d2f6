"""Control maps in replies of AUTOMATIC1111's API, with a small checkpoint and its ControlNet, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import numpy as np
import pytest
import torch

from overpaint.studio import Studio
from servers import Running, running
from test_diffusion_control_engine import controlnet
from test_diffusion_engine import checkpoint
from test_server_a1111 import SIZE, b64, changed, drawn, info_of, opened, photo

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")  # in diffusers, under NumPy 2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("home")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OVERPAINT_HOME", str(home))
        patch.setenv("HF_HUB_CACHE", str(home / "hub"))
        (home / "models").mkdir()
        checkpoint(home / "models" / "small", 4)
        controlnet(home / "models" / "tiny-canny", 0)
        with Studio(threads=1, device="cpu") as studio, running(home / "data", studio) as found:
            yield found
    torch.set_num_threads(threads)


def reply(server: Running, *units: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = {
        "init_images": [b64(photo())],
        "mask": b64(drawn()),
        "prompt": "a dog",
        "steps": 1,
        "seed": 3,
        "width": 72,
        "height": 56,
        "alwayson_scripts": {"ControlNet": {"args": list(units)}},
        "override_settings": {"sd_model_checkpoint": "small", **more.pop("override_settings", {})},
        **more,
    }
    found = httpx2.post(f"{server.url}/sdapi/v1/img2img", json=body, timeout=60, trust_env=False)
    assert found.status_code == 200, found.text
    return dict(found.json())


def test_maps_come_behind_the_pictures_and_infotext_names_their_units(server):
    made = {"module": "canny", "weight": 0.8, "threshold_a": 20, "threshold_b": 60, "guidance_end": 0.7}
    given = {"module": "none", "model": "tiny-canny", "image": b64(drawn()), "pixel_perfect": False}
    found = reply(server, made, given, batch_size=2)
    info = info_of(found)
    pictures, maps = [opened(one) for one in found["images"][:2]], [opened(one) for one in found["images"][2:]]
    assert [one.size for one in pictures] == [SIZE] * 2
    assert changed(*pictures).any()
    assert [one.size for one in maps] == [(72, 56)] * 2, "as the model saw them"
    assert set(np.unique(np.asarray(maps[0]))) == {0, 255}
    assert np.asarray(maps[1])[..., 0].max() == 255
    assert {len(info[name]) for name in ("all_seeds", "all_prompts", "infotexts", "all_subseeds")} == {2}
    text = info["infotexts"][0]
    assert 'ControlNet 0: "Module: canny, Model: tiny-canny, Weight: 0.8, ' in text
    assert "Threshold A: 20, Threshold B: 60, Guidance Start: 0, Guidance End: 0.7, " in text
    assert 'ControlNet 1: "Module: none, Model: tiny-canny, Weight: 1, ' in text
    further = info["extra_generation_params"]
    assert further["ControlNet 0"].startswith("Module: canny, Model: tiny-canny, Weight: 0.8, ")
    kept = server.server.settings.data / "pictures"
    assert not [path for path in kept.rglob("*") if path.is_file()], "nothing of a call stays"


def test_infotext_brings_back_units_whose_map_is_made_of_the_edited_picture(server):
    first = reply(server, {"module": "canny", "weight": 0.8, "threshold_a": 20, "threshold_b": 60}, width=64, height=64)
    body = {"init_images": [b64(photo())], "mask": b64(drawn()), "infotext": info_of(first)["infotexts"][0]}
    again = httpx2.post(f"{server.url}/sdapi/v1/img2img", json=body, timeout=60, trust_env=False).json()
    assert len(again["images"]) == 2, "the picture and its map"
    for one, other in zip(again["images"], first["images"], strict=True):
        assert not changed(opened(one), opened(other)).any()


def test_a_client_that_wants_no_maps_gets_none(server):
    canny = {"module": "canny"}
    assert len(reply(server, canny, {**canny, "save_detected_map": False})["images"]) == 2
    assert len(reply(server, canny, override_settings={"control_net_no_detectmap": True})["images"]) == 1
    assert reply(server, canny, send_images=False)["images"] == []
