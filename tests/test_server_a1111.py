"""AUTOMATIC1111's API over real HTTP: what its clients send, step by step, and what each insists on."""

from __future__ import annotations

import asyncio
import base64
import copy
import io
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from PIL.PngImagePlugin import PngInfo

import overpaint
from overpaint.errors import MaskError, ModelError, RequestError
from overpaint.frame import fitted
from overpaint.frame.webui import blurred_levels
from overpaint.geometry import Margins, Size
from overpaint.maps import KINDS
from overpaint.record import CONTROL_MODULES, read_record
from overpaint.request import PICTURE_KINDS, EditRequest
from overpaint.server import new_key
from overpaint.server.compat.a1111.bodies import PictureBody, TextBody
from overpaint.server.compat.a1111.controlnet import units_of
from overpaint.server.compat.a1111.dialect import softening
from overpaint.server.compat.a1111.outpainting import outpainting
from overpaint.server.compat.a1111.pictures import MaskReading, ready_inputs
from overpaint.server.compat.a1111.refusals import ControlUnitError
from overpaint.server.compat.a1111.translate import Sampled, overruled_scripts, sampled
from overpaint.server.compat.calls import Call
from overpaint.server.native.catalogue import Kept
from overpaint.studio import Studio
from servers import Running, running

SIZE = (64, 48)
BOX = (20, 15, 40, 30)
CLIENTS = Path(__file__).resolve().parents[3] / "shared" / "clients" / "a1111.json"
"""Requests of clients as they were read in their sources; too long to be kept here."""


def photo(seed: int = 0, size: tuple[int, int] = SIZE) -> Image.Image:
    """A picture with soft structure and noise."""
    noise = np.random.default_rng(seed).normal(0, 12, (size[1], size[0], 3))
    ramp = np.linspace(40, 200, size[0])[None, :, None]
    return Image.fromarray(np.clip(ramp + noise, 0, 255).astype(np.uint8))


def drawn(box: tuple[int, int, int, int] = BOX, size: tuple[int, int] = SIZE, mode: str = "L") -> Image.Image:
    mask = Image.new("L", size, 0)
    mask.paste(255, box)
    return mask.convert(mode)


def b64(image: Image.Image, url: bool = False, format: str = "PNG") -> str:
    out = io.BytesIO()
    image.save(out, format)
    text = base64.b64encode(out.getvalue()).decode()
    return f"data:image/{format.lower()};base64,{text}" if url else text


def opened(text: str) -> Image.Image:
    """A picture of a reply: bare base64."""
    assert not text.startswith("data:")
    return Image.open(io.BytesIO(base64.b64decode(text, validate=True)))


def changed(before: Image.Image, after: Image.Image) -> np.ndarray[Any, Any]:
    """(H, W) bool: where two pictures differ."""
    return np.any(np.asarray(before.convert("RGB")) != np.asarray(after.convert("RGB")), axis=2)


def beyond(box: tuple[int, int, int, int], pixels: int, size: tuple[int, int] = SIZE) -> np.ndarray[Any, Any]:
    """(H, W) bool: farther from a box than so many pixels."""
    far = np.ones(size[::-1], bool)
    left, top, right, bottom = box
    far[max(0, top - pixels) : bottom + pixels, max(0, left - pixels) : right + pixels] = False
    return far


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    path = tmp_path_factory.mktemp("keys") / "keys.txt"
    return {"ann": new_key(path, "ann"), "bob": new_key(path, "bob"), "": str(path)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, str]) -> Iterator[Running]:
    with (
        Studio(threads=1) as studio,
        running(tmp_path_factory.mktemp("data") / "server", studio, keys=Path(keys[""])) as found,
    ):
        yield found


@pytest.fixture
def client_of(server: Running, keys: dict[str, str]) -> Iterator[Callable[..., httpx2.Client]]:
    made: list[httpx2.Client] = []

    def client(name: str = "ann") -> httpx2.Client:
        # As AUTOMATIC1111's users sign in: by Basic authentication.
        made.append(httpx2.Client(base_url=server.url, auth=("user", keys[name]), timeout=60, trust_env=False))
        return made[-1]

    yield client
    for one in made:
        one.close()


@pytest.fixture
def ann(client_of: Callable[..., httpx2.Client]) -> Iterator[httpx2.Client]:
    client = client_of("ann")
    yield client
    client.post("/sdapi/v1/options", json={"sd_model_checkpoint": "pocket", "sd_vae": "Automatic"})


def inpainted(client: httpx2.Client, checkpoint: str = "telea", **more: Any) -> dict[str, Any]:
    """The reply to img2img."""
    body = {
        "init_images": [b64(photo())],
        "mask": b64(drawn()),
        "override_settings": {"sd_model_checkpoint": checkpoint},
        **more,
    }
    found = client.post("/sdapi/v1/img2img", json=body)
    assert found.status_code == 200, found.text
    return dict(found.json())


def info_of(reply: Mapping[str, Any]) -> dict[str, Any]:
    assert isinstance(reply["info"], str)
    return dict(json.loads(reply["info"]))


# ── clients, step by step ─────────────────────────────────────────────────────────────────────────────────────────────


def _names(rows: Any, key: str = "name") -> None:
    assert isinstance(rows, list)
    assert rows
    assert all(isinstance(row[key], str) for row in rows)


def _options(found: Any) -> None:
    assert isinstance(found["sd_model_checkpoint"], str)
    assert found["sd_model_checkpoint"]
    assert found["inpainting_mask_weight"] == 1.0
    assert found["sd_vae"] == "Automatic"
    assert found["samples_format"] == "png"
    assert "forge_preset" not in found


def _models(found: Any) -> None:
    _names(found, "title")
    _names(found, "model_name")
    assert all("sha256" in row for row in found)


def _upscalers(found: Any) -> None:
    _names(found)
    assert found[1]["name"] != "None"


def _images(body: Mapping[str, Any], found: Any) -> None:
    count = int(body.get("batch_size", 1)) * int(body.get("n_iter", 1))
    assert len(found["images"]) == count
    whole = body.get("mask") is None or not body.get("inpaint_full_res", True)
    asked = (int(body["width"]), int(body["height"]))
    assert {opened(one).size for one in found["images"]} == {asked if whole else SIZE}
    assert opened(found["images"][0]).format == "PNG"
    info = info_of(found)
    assert len(info["all_seeds"]) == len(info["infotexts"]) == len(info["all_prompts"]) == count
    assert all(isinstance(seed, int) for seed in info["all_seeds"])
    assert (found["parameters"]["width"], found["parameters"]["height"]) == asked
    assert found["parameters"]["init_images"] is None
    assert found["parameters"]["mask"] is None


def _progress(found: Any) -> None:
    assert found["progress"] == 0.0
    assert found["state"]["job_count"] == 0
    assert found["current_image"] is None


def _krita_config(found: Any) -> None:
    lists = ("upscalers", "samplers", "samplers_img2img", "face_restorers", "sd_models", "sd_vaes")
    assert all(found[name] for name in (*lists, "scripts_txt2img", "scripts_img2img"))
    assert "sample_path" in found


def _krita_outputs(found: Any) -> None:
    (output,) = map(opened, found["outputs"])
    assert (output.size, output.mode) == (SIZE, "RGBA")
    assert np.array_equal(np.asarray(output.getchannel("A")), np.asarray(drawn()))
    assert isinstance(found["info"], str)


def _png_info(found: Any) -> None:
    last = found["info"].strip().splitlines()[-1]
    assert last.split("Seed: ")[1].split(" ")[0][:-1].isdigit()


def _expanded(found: Any) -> None:
    assert opened(found["mask"]).size == SIZE


def _enlarged(found: Any) -> None:
    assert opened(found["image"]).size == (2 * SIZE[0], 2 * SIZE[1])


def _scripts(found: Any) -> None:
    assert isinstance(found["txt2img"], list)
    assert isinstance(found["img2img"], list)
    assert "controlnet" in found["img2img"]
    assert not {"adetailer", "animatediff", "controlnet m2m"} & set(found["txt2img"] + found["img2img"])


NEEDS: dict[str, Callable[[Any], None]] = {
    "GET /sdapi/v1/options": _options,
    "GET /sdapi/auto-photoshop-sd/heartbeat": lambda found: _equal(found, {"heartbeat": True}),
    "GET /sdapi/auto-photoshop-sd/vae/list": lambda found: _equal(found[:2], ["Automatic", "None"]),
    "GET /sdapi/v1/samplers": _names,
    "GET /sdapi/v1/schedulers": _names,
    "GET /sdapi/v1/upscalers": _upscalers,
    "GET /sdapi/v1/latent-upscale-modes": _names,
    "GET /sdapi/v1/sd-models": _models,
    "GET /sdapi/v1/sd-vae": lambda found: _equal(found, []),
    "GET /sdapi/v1/loras": lambda found: _equal(found, []),
    "GET /sdapi/v1/prompt-styles": lambda found: _equal(found, []),
    "GET /sdapi/v1/embeddings": lambda found: _equal(found["loaded"], {}),
    "GET /sdapi/v1/scripts": _scripts,
    "GET /sdapi/v1/progress": _progress,
    "GET /sdapi/v1/cmd-flags": lambda found: _equal(found["api"], True),
    "GET /sdapi/v1/memory": lambda found: _equal(found["ram"]["total"] > 0, True),
    "GET /sdapi/interpause/config": _krita_config,
    "POST /sdapi/interpause/img2img": _krita_outputs,
    "POST /sdapi/v1/options": lambda found: _equal(found, None),
    "POST /sdapi/v1/interrupt": lambda found: _equal(found, {}),
    "POST /sdapi/v1/skip": lambda found: _equal(found, None),
    "POST /sdapi/v1/png-info": _png_info,
    "POST /sdapi/v1/extra-single-image": _enlarged,
    "POST /sdapi/auto-photoshop-sd/mask/expansion/": _expanded,
}
"""What each step's reply must have, by method and path."""


def _equal(found: Any, wanted: Any) -> None:
    assert found == wanted


def _filled(value: Any, result: str) -> Any:
    """A body with its pictures in the place of "@b64 photo" and the like; small and with few steps, so that it is
    soon done.
    """
    pictures = {"photo": photo(), "mask": drawn(), "rgbmask": drawn(mode="RGB")}
    if isinstance(value, dict):
        small = {"steps": 0.05, "width": 0.25, "height": 0.25}
        return {
            name: type(one)(max(1, one * small[name])) if name in small else _filled(one, result)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [_filled(one, result) for one in value]
    if isinstance(value, str) and value.startswith("@"):
        kind, _, name = value[1:].partition(" ")
        text = result if name == "result" else b64(pictures[name])
        return f"data:image/png;base64,{text}" if kind == "url" else text
    return value


def replay(client: httpx2.Client, steps: list[dict[str, Any]]) -> None:
    """Walk through a client's steps, and check each reply."""
    result = b64(photo())
    for step in steps:
        body = _filled(step["body"], result)
        content = None if body is None else json.dumps(body).encode()
        found = client.request(step["method"], step["path"], headers=step["headers"], content=content)
        where = f"{step['method']} {step['path'].partition('?')[0]}"
        if "/controlnet/" in where:
            assert (found.status_code, isinstance(found.json(), dict)) == (200, True)
        elif where == "GET /":
            assert found.status_code == 200
        elif where == "POST /sdapi/v1/txt2img":  # the embedded model makes none, which the reply says
            assert found.status_code == 422
            assert "repaints parts of a picture" in found.json()["detail"]
        else:
            assert found.status_code == 200, (where, found.text)
            if where == "POST /sdapi/v1/img2img":
                _images(body, found.json())
                result = found.json()["images"][0]
            else:
                NEEDS[where](found.json())


STEPS: list[dict[str, Any]] = [
    {"method": method, "path": path, "headers": {}, "body": body}
    for method, path, body in (
        *((where.split()[0], where.split()[1], None) for where in NEEDS if where.startswith("GET")),
        ("GET", "/sdapi/v1/options?", None),
        ("GET", "/sdapi/v1/progress?skip_current_image=false", None),
        (
            "POST",
            "/sdapi/v1/img2img?",
            {
                "init_images": ["@url photo"],
                "mask": "@b64 rgbmask",
                "prompt": "a red rose",
                "seed": "-1",
                "sampler_index": "Euler a",
                "steps": 20.0,
                "width": 512.0,
                "height": 384.0,
                "inpaint_full_res": 0,
                "inpainting_mask_invert": 0,
                "styles": None,
                "s_tmax": 0,
                "alwayson_scripts": {},
                "surprise": {"left": 0},
            },
        ),
        ("POST", "/sdapi/v1/png-info", {"image": "@url result"}),
        ("POST", "/sdapi/auto-photoshop-sd/mask/expansion/", {"mask": "@b64 mask", "mask_expansion": 4, "blur": 0}),
        ("POST", "/sdapi/v1/extra-single-image", {"image": "@b64 photo", "upscaling_resize": 2, "upscaler_1": "x"}),
        ("POST", "/sdapi/v1/options", {"inpainting_mask_weight": 1.0}),
        ("POST", "/sdapi/v1/options", {"sd_model_checkpoint": "m"}),
        ("POST", "/sdapi/interpause/img2img", {"src_img": "@b64 photo", "mask_img": "@b64 mask", "sd_model": "telea"}),
        ("POST", "/sdapi/v1/txt2img", {"prompt": "a fox", "steps": 50}),
        ("POST", "/sdapi/v1/interrupt", None),
        ("POST", "/sdapi/v1/skip", None),
    )
]
"""What most clients send."""


def test_the_usual_steps_of_clients(ann):
    replay(ann, STEPS)


@pytest.mark.skipif(not CLIENTS.is_file(), reason="the file of clients' requests is not here")
def test_every_step_of_each_client(ann):
    for client in json.loads(CLIENTS.read_bytes()):
        replay(ann, client["steps"])
        ann.post("/sdapi/v1/options", json={"sd_model_checkpoint": "pocket"})


# ── what is painted ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("checkpoint", ["pocket", "exemplar", "telea"])
def test_nothing_changes_beyond_the_mask_and_its_blur(ann, checkpoint):
    for blur, reach in ((0, 0), (2, 5)):
        reply = inpainted(ann, checkpoint, prompt="a red rose", steps=1, mask_blur=blur)
        moved = changed(photo(), opened(reply["images"][0]))
        assert not moved[beyond(BOX, reach)].any()
        assert moved[~beyond(BOX, 0)].mean() > 0.9


def test_a_result_has_the_size_that_clients_check(ann):
    masked = inpainted(ann, width=100, height=100, inpaint_full_res=True)
    assert opened(masked["images"][0]).size == SIZE
    for mode in range(4):
        whole = inpainted(ann, width=101, height=77, inpaint_full_res=False, resize_mode=mode)
        assert opened(whole["images"][0]).size == (101, 77)
    same = inpainted(ann, width=SIZE[0], height=SIZE[1], inpaint_full_res=False, mask_blur=0)
    assert not changed(photo(), opened(same["images"][0]))[beyond(BOX, 0)].any()


def test_black_is_repainted_where_the_mask_is_inverted(ann):
    inverted = Image.eval(drawn(), lambda level: 255 - level)
    for text in (1, True, "1"):
        reply = inpainted(ann, mask=b64(inverted), inpainting_mask_invert=text, mask_blur=0)
        assert not changed(photo(), opened(reply["images"][0]))[beyond(BOX, 0)].any()


def test_what_a_client_leaves_out_is_as_in_automatic1111(ann):
    """Trap 6: blur 4, masked content "fill", only masked."""
    reply = inpainted(ann, "pocket", steps=1)
    given = reply["parameters"]
    assert (given["inpainting_fill"], given["inpaint_full_res"], given["denoising_strength"]) == (0, True, 0.75)
    assert "Masked content: fill" in info_of(reply)["infotexts"][0]
    assert "Inpaint area: Only masked" in info_of(reply)["infotexts"][0]
    moved = changed(photo(), opened(reply["images"][0]))
    assert not moved[beyond(BOX, 10)].any()
    assert moved[beyond(BOX, 2)].any()


def test_variations_have_the_seeds_after_the_first(ann):
    reply = inpainted(ann, "exemplar", seed="7", batch_size=2, n_iter=1)
    assert info_of(reply)["all_seeds"] == [7, 8]
    assert len(reply["images"]) == 2
    assert "Seed: 8, " in info_of(reply)["infotexts"][1]
    alike = inpainted(ann, "telea", batch_size="2", n_iter=2.0)
    assert len(set(alike["images"])) == 1
    assert len(alike["images"]) == len(info_of(alike)["all_seeds"]) == 4
    assert "does not depend on a seed" in " ".join(info_of(alike)["notes"])


def test_pictures_come_back_only_where_they_are_wanted(ann):
    reply = inpainted(ann, send_images=False, include_init_images=True)
    assert reply["images"] == []
    assert reply["parameters"]["init_images"] == [b64(photo())]
    assert reply["parameters"]["mask"] == b64(drawn())


def test_sampler_name_counts_before_sampler_index(ann):
    """Trap 4."""
    both = inpainted(ann, "pocket", steps=1, sampler_index="Euler", sampler_name="DPM++ 2M Karras")
    assert "Sampler: DPM++ 2M, Schedule type: Karras" in info_of(both)["infotexts"][0]
    index = inpainted(ann, "pocket", steps=1, sampler_index="LMS", scheduler="exponential")
    assert "Sampler: LMS, Schedule type: Exponential" in info_of(index)["infotexts"][0]
    stochastic = inpainted(ann, "pocket", steps=1, sampler_name="DPM++ SDE Karras")
    assert "Sampler: DPM++ SDE, Schedule type: Karras" in info_of(stochastic)["infotexts"][0]
    near = inpainted(ann, "pocket", steps=1, sampler_name="DEIS Karras")
    assert "the sampler 'DEIS Karras' is not available: DPM++ 2M was used" in info_of(near)["notes"]


def test_settings_of_samplers_act(ann):
    def painted(**settings):
        reply = inpainted(ann, "pocket", steps=3, seed=4, sampler_name="Euler", **settings)
        return reply["images"][0], [one for one in info_of(reply)["notes"] if "effect" in one]

    plain, quiet = painted(s_churn=0, s_tmax=0, s_noise=1.0, eta=1.0, s_min_uncond=None)
    assert quiet == []
    for changed_one in ({"s_churn": 20}, {"s_churn": 20, "s_noise": 1.05}, {"s_min_uncond": 20.0}):
        picture, notes = painted(**changed_one)
        assert notes == []
        assert picture != plain, changed_one
    _, notes = painted(eta=0.5, s_noise=1.1)
    assert any("eta has no effect with Euler" in one for one in notes)
    assert any("s_noise has no effect with Euler" in one for one in notes)


EVERY_SETTING = {
    "prompt": "a red rose, [dark|bright]",
    "negative_prompt": "blurred: yes",
    "steps": 3,
    "cfg_scale": 5.5,
    "sampler_name": "Euler a",
    "scheduler": "karras",
    "seed": 77,
    "subseed": 9,
    "subseed_strength": 0.4,
    "seed_resize_from_w": 64,
    "seed_resize_from_h": 96,
    "eta": 0.8,
    "s_noise": 1.02,
    "s_min_uncond": 0.5,
    "initial_noise_multiplier": 1.05,
    "inpainting_fill": 2,
    "mask_blur_x": 3,
    "mask_blur_y": 2,
    "inpaint_full_res_padding": 6,
    "width": 128,
    "height": 96,
    "denoising_strength": 0.6,
    "alwayson_scripts": {"soft inpainting": {"args": [True, 1.2, "0.6", 5, 0.1, 0.4, 3]}},
    "override_settings": {
        "sd_model_checkpoint": "pocket",
        "inpainting_mask_weight": 0.5,
        "img2img_color_correction": True,
        "img2img_fix_steps": True,
        "img2img_extra_noise": 0.05,
        "randn_source": "NV",
        "eta_noise_seed_delta": 31337,
        "skip_early_cond": 0.1,
        "s_min_uncond_all": True,
    },
}
"""Of img2img, each with a value that changes something."""


def test_a_picture_s_infotext_reproduces_its_settings_and_its_pixels(ann):
    reply = inpainted(ann, **EVERY_SETTING)
    assert info_of(reply)["notes"] == []
    made = opened(reply["images"][0])
    written = PngInfo()
    written.add_text("parameters", info_of(reply)["infotexts"][0])
    alone = io.BytesIO()
    photo().save(alone, "PNG", pnginfo=written)
    found = read_record(alone.getvalue())
    assert found is not None
    names = set(EditRequest.model_fields)
    settings = {name: value for name, value in found.settings.items() if name in names - {"engine"}}
    request = EditRequest.of(**settings, prompt=found.prompt, negative_prompt=found.negative_prompt)
    own = read_record(base64.b64decode(reply["images"][0])).record.request
    assert request.merged(mask=None) == own.merged(mask=None, scheduler="Karras")
    with Studio(threads=1) as studio:
        again = studio.edit(np.asarray(photo()), request, mask=drawn())
    assert np.array_equal(again.picture.samples, np.asarray(made))
    text = {"infotext": info_of(reply)["infotexts"][0]}
    said = ann.post("/sdapi/v1/img2img", json={"init_images": [b64(photo())], "mask": b64(drawn()), **text}).json()
    assert info_of(said)["notes"] == []
    assert not changed(opened(said["images"][0]), made).any(), "the text alone, sent as the field infotext"
    further = info_of(reply)["extra_generation_params"]
    assert further.items() >= {
        "Mask blur": "3 2", "Inpaint area": "Only masked", "Masked area padding": 6, "Masked content": "latent noise",
        "Soft inpainting enabled": True, "Soft inpainting schedule bias": 1.2, "Noise multiplier": 1.05,
    }.items()  # fmt: skip
    assert not further.keys() & {"Steps", "Sampler", "Seed", "Size", "Model", "Denoising strength", "RNG", "Version"}
    for key, value in {
        "Variation seed": "9", "Seed resize from": "64x96", "Eta": "0.8", "Sigma noise": "1.02", "NGMS": "0.5",
        "Noise multiplier": "1.05", "Extra noise": "0.05", "RNG": "NV", "ENSD": "31337", "Skip Early CFG": "0.1",
        "Conditional mask weight": "0.5", "Size": "128x96", "Masked area padding": "6",
        "Masked content": "latent noise", "Soft inpainting enabled": "True", "Soft inpainting schedule bias": "1.2",
        "Soft inpainting transition contrast boost": "5", "Soft inpainting difference contrast": "3",
    }.items():  # fmt: skip
        assert f"{key}: {value}, " in info_of(reply)["infotexts"][0], key


@pytest.mark.parametrize("full_res", [True, False])
def test_infotext_has_blur_and_mode_of_the_mask_as_the_client_sent_them(ann, full_res):
    """Also where the mask was blurred and resized before the edit; an inverted one gives the same pixels."""
    whole = {"width": 96, "height": 60, "inpaint_full_res": full_res, "mask_blur_x": 3, "mask_blur_y": 2, "steps": 1}
    settings = {**whole, "seed": 4, "prompt": "a rose", "inpainting_fill": 1}
    plain = inpainted(ann, "pocket", **settings)
    inverted = Image.eval(drawn(), lambda level: 255 - level)
    turned = inpainted(ann, "pocket", **settings, mask=b64(inverted), inpainting_mask_invert=1)
    assert not changed(opened(plain["images"][0]), opened(turned["images"][0])).any()
    texts = [info_of(one)["infotexts"][0] for one in (plain, turned)]
    assert all("Mask blur: 3 2, " in text and "Size: 96x60, " in text for text in texts)
    assert ["Mask mode: Inpaint not masked, " in text for text in texts] == [False, True]
    without = inpainted(ann, "pocket", **settings, mask=None)
    assert "Mask blur" not in info_of(without)["infotexts"][0]
    assert "Mask blur: 4, " in info_of(inpainted(ann, "telea", inpaint_full_res=full_res))["infotexts"][0]
    alone = {"init_images": [b64(photo())], "mask": b64(inverted), "infotext": texts[1]}
    said = ann.post("/sdapi/v1/img2img", json=alone).json()
    assert not changed(opened(said["images"][0]), opened(turned["images"][0])).any()
    again = read_record(base64.b64decode(turned["images"][0])).record
    with Studio(threads=1) as studio:
        start = np.asarray(photo().resize((96, 60), Image.Resampling.LANCZOS)) if not full_res else np.asarray(photo())
        replayed = studio.edit(start, again.request)
    assert replayed.record.mask_sha256 == again.mask_sha256


OF_AUTOMATIC1111 = (
    "a rose\nNegative prompt: bad\nSteps: 12, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 5, "
    "Size: 512x768, Model hash: abcdef1234, Model: v1-5, Variation seed: 3, Variation seed strength: 0.1, Seed resize "
    "from: 64x96, Denoising strength: 0.6, Conditional mask weight: 0.5, Clip skip: 2, ENSD: 31337, {mask}, "
    'ControlNet 0: "Module: canny, Model: control_canny [d14c016b], Weight: 0.8, Threshold A: 90, Threshold B: 180, '
    'Control Mode: My prompt is more important", Hires upscale: 2, Version: v1.10.1'
)
"""As AUTOMATIC1111 1.10 writes it; only settings of the mask are open."""


def test_infotext_stands_in_for_fields_that_are_left_out():
    masked = "Mask mode: Inpaint not masked, Mask blur: 6, Inpaint area: Only masked, Masked area padding: 48, "
    masked += "Masked content: latent noise, Soft inpainting enabled: True, Soft inpainting schedule bias: 1.2"
    body = PictureBody.read({"infotext": OF_AUTOMATIC1111.format(mask=masked)})
    found = {name: getattr(body, name) for name in body.model_fields_set - {"infotext", "alwayson_scripts"}}
    assert found == {
        "prompt": "a rose", "negative_prompt": "bad", "steps": 12, "sampler_name": "DPM++ 2M", "scheduler": "Karras",
        "cfg_scale": 6.5, "seed": 5, "width": 512, "height": 768, "subseed": 3, "subseed_strength": 0.1,
        "seed_resize_from_w": 64, "seed_resize_from_h": 96, "denoising_strength": 0.6, "mask_blur": 6,
        "inpainting_mask_invert": True, "inpaint_full_res": True, "inpaint_full_res_padding": 48, "inpainting_fill": 2,
        "override_settings": {
            "sd_model_checkpoint": "v1-5", "CLIP_stop_at_last_layers": 2, "inpainting_mask_weight": 0.5,
            "eta_noise_seed_delta": 31337, "randn_source": "GPU",
        },
    }  # fmt: skip
    assert softening(body.alwayson_scripts, []) == {"soft_inpainting": True, "soft_bias": 1.2}
    (unit,) = units_of(body.alwayson_scripts, ["control_canny"])
    control = unit.control(None)
    assert (control.kind, control.model, control.weight, control.mode) == ("canny", "control_canny", 0.8, "prompt")
    assert dict(control.options) == {"low": 90, "high": 180}
    assert "infotext: Hires upscale has no effect" in body.said.notes
    assert any("ControlNet 0 was guided by a picture that is not in this text" in one for one in body.said.notes)
    text = TextBody.read({"infotext": OF_AUTOMATIC1111.format(mask=masked)})
    assert (text.steps, text.strange) == (12, [])
    assert "infotext: Masked content has no effect" in text.said.notes
    own = {"seed": 9, "sampler_index": "Euler", "mask_blur_x": 1, "prompt": "", "override_settings": {"sd_vae": "a"}}
    own |= {"alwayson_scripts": {"ControlNet": {"args": []}, "Seed": {"args": [8]}, "Sampler": {"args": [7]}}}
    body = PictureBody.read({"infotext": OF_AUTOMATIC1111.format(mask="RNG: CPU"), **own})
    assert (body.seed, body.steps, body.sampler, body.scheduler, body.prompt) == (9, 7, "Euler", None, "")
    assert (body.mask_blur, body.inpaint_full_res, body.inpainting_fill) == (None, False, 1), "as absent ones mean"
    assert body.inpaint_full_res_padding == 32
    assert (body.override_settings["sd_vae"], body.override_settings["randn_source"]) == ("a", "CPU")
    assert units_of(body.alwayson_scripts, []) == []


def test_what_of_infotext_can_not_be_taken_is_named(ann):
    """A value that can't be read is left out: a field of that value would fail the call."""
    text = (
        OF_AUTOMATIC1111.format(mask="Masked content: sand, Seed: many").replace("DPM++ 2M", "Odd").replace("12", "x")
    )
    info = info_of(inpainted(ann, "telea", infotext=text))
    assert {
        "infotext: steps can't be 'x', and was left out", "infotext: seed can't be 'many', and was left out",
        "infotext: sampler_name can't be 'Odd', and was left out", "infotext: the masked content 'sand' is not known",
    } <= set(info["notes"])  # fmt: skip
    assert any(one.startswith("infotext: its controls were left out: ") for one in info["notes"])
    assert PictureBody.read({"infotext": "a rose, " * 10**5}).said.notes == ["infotext: it is too long to be read"]
    by_engine = inpainted(ann, "telea", inpainting_fill=1)
    again = {"init_images": [b64(photo())], "mask": b64(drawn()), "infotext": info_of(by_engine)["infotexts"][0]}
    same = ann.post("/sdapi/v1/img2img", json=again).json()
    assert not changed(opened(same["images"][0]), opened(by_engine["images"][0])).any()


def test_what_of_infotext_is_out_of_its_range_is_named_and_the_rest_acts(ann):
    """Ranges are those of the request, of the engine and of pictures: each refuses its own."""
    text = (
        "a rose\nSteps: 999999999, Sampler: Euler, CFG scale: 6.5, Seed: 5, Size: 32768x32768, Denoising strength: -5, "
    )
    text += "Seed resize from: 99999x99999, ENSD: -7, Mask blur: 2, Soft inpainting enabled: True, "
    text += "Soft inpainting schedule bias: nan"
    info = info_of(inpainted(ann, "pocket", infotext=text, steps=1))
    assert not any("steps" in one for one in info["notes"]), "it was sent"
    body = {"init_images": [b64(photo())], "mask": b64(drawn()), "width": 64, "height": 64, "infotext": text}
    body["override_settings"] = {"sd_model_checkpoint": "pocket"}
    found = ann.post("/sdapi/v1/img2img", json={**body, "denoising_strength": 0.4})
    assert found.status_code == 200, found.text
    info = info_of(found.json())
    left_out = {"steps": "999999999", "seed_resize_from_w": "99999", "eta_noise_seed_delta": "-7"}
    assert {f"infotext: {name} can't be {value!r}, and was left out" for name, value in left_out.items()} <= {
        *info["notes"]
    }
    assert any(one.startswith("infotext: soft inpainting can't be taken: ") for one in info["notes"])
    assert "CFG scale: 6.5, Seed: 5, " in info["infotexts"][0]
    assert info["prompt"] == "a rose"
    refused = ann.post("/sdapi/v1/img2img", json={**body, "denoising_strength": 2})
    assert refused.status_code == 422, "what a client sent itself is refused as ever"
    assert "strength" in refused.json()["detail"]


def test_an_error_takes_out_of_infotext_what_it_is_about():
    masked = OF_AUTOMATIC1111.format(mask="Mask mode: Inpaint not masked")
    body = PictureBody.read({"infotext": masked, "cfg_scale": 12})
    family = ModelError("for another family", code="control-family", field="controls", value="control_canny")
    left = body.without(family)
    assert (left.alwayson_scripts, left.steps, left.said.notes[-1]) == (
        {}, 12, "infotext: its controls can't be taken: for another family",
    )  # fmt: skip
    assert body.without(RequestError("too many", field="cfg_scale", value=12)) is None, "it was sent"
    text = TextBody.read({"infotext": OF_AUTOMATIC1111.format(mask="RNG: CPU"), "alwayson_scripts": {"Seed": []}})
    left = text.without(ControlUnitError("no picture", field="alwayson_scripts"))
    assert left.alwayson_scripts == {"Seed": []}
    assert body.without(MaskError("the mask is empty")) is None, "no setting of the text is out of its range"
    left = body.without(RequestError("too many", field="steps", value=12))
    assert (left.steps, left.cfg_scale, left.subseed) == (50, 12, 3)
    left = body.without(RequestError("they do not go together"))
    assert (left.steps, left.override_settings, left.prompt) == (50, {}, "a rose")
    left = left.without(RequestError("they do not go together"))
    assert (left.prompt, left.inpainting_mask_invert) == ("", True)
    assert left.without(RequestError("they do not go together")) is None


def test_a_blur_that_is_out_of_its_range_is_named(ann):
    notes = info_of(inpainted(ann, "pocket", steps=1, mask_blur=99999999))["notes"]
    assert "mask_blur can't be 99999999: 1024 was taken" in notes
    assert PictureBody.read({"mask_blur_x": -3}).blur_notes == ["mask_blur_x can't be -3: 0 was taken"]
    assert PictureBody.read({"mask_blur": 8}).blur_notes == []


def test_the_name_of_an_unknown_script_is_cut(ann):
    body = {"init_images": [b64(photo())], "alwayson_scripts": {"x" * 100_000: {"args": [True]}}}
    found = ann.post("/sdapi/v1/img2img", json=body)
    assert found.status_code == 422
    assert "Always on script 'xxx" in found.json()["detail"]
    assert len(found.text) < 1000


def test_variations_of_a_variation_keep_the_seed(ann):
    reply = inpainted(ann, "pocket", steps=1, seed=7, subseed=20, subseed_strength=0.5, batch_size=2, prompt="a rose")
    info = info_of(reply)
    assert (info["all_seeds"], info["all_subseeds"], info["subseed_strength"]) == ([7, 7], [20, 21], 0.5)
    assert "Variation seed: 21, " in info["infotexts"][1]
    assert reply["images"][0] != reply["images"][1]
    alone = inpainted(ann, "pocket", steps=1, seed=7, subseed=21, subseed_strength=0.5, prompt="a rose")
    assert not changed(opened(alone["images"][0]), opened(reply["images"][1])).any()


def test_a_mask_that_marks_nothing_stands_for_none_as_in_automatic1111(ann):
    settings = {"prompt": "a rose", "steps": 1, "width": 64, "height": 64, "seed": 3, "mask_blur": 2}
    blank = inpainted(ann, "pocket", mask=b64(drawn((0, 0, 0, 0))), **settings)
    without = inpainted(ann, "pocket", mask=None, **settings)
    assert opened(blank["images"][0]).size == (64, 64)
    assert not changed(opened(blank["images"][0]), opened(without["images"][0])).any()
    assert info_of(blank)["notes"][0].startswith("the mask marks nothing: the whole picture was painted")


def test_settings_that_can_not_be_followed_are_named(ann):
    override = {"sd_model_checkpoint": "pocket", "randn_source": "GPU", "eta_noise_seed_delta": "many"}
    reply = inpainted(ann, steps=1, inpainting_fill=2, batch_size=2, n_iter=2, override_settings=override)
    notes = " ".join(info_of(reply)["notes"])
    assert "randn_source GPU: the numbers are those of a GPU of NVIDIA" in notes
    assert "the setting eta_noise_seed_delta can't be read" in notes
    assert "beyond the first batch latent noise has each picture's own seed" in notes
    one = inpainted(ann, "pocket", steps=1, inpainting_fill=2, n_iter=2, seed=5)
    assert [opened(text).text["parameters"].count('"content_seed\\": 5') for text in one["images"]] == [1, 1]


def test_the_samplers_of_automatic1111_are_listed_by_its_names_and_read_by_both_names(ann):
    known = "DPM++ 2M, DPM++ SDE, DPM++ 2M SDE, DPM++ 2M SDE Heun, DPM++ 3M SDE, DPM++ 2S a, DPM fast, DPM adaptive, "
    known += "Restart, Euler a, Euler, LMS, Heun, DPM2, DPM2 a, DDIM, DDIM CFG++, PLMS, UniPC, LCM"
    rows = ann.get("/sdapi/v1/samplers").json()
    assert set(known.split(", ")) <= {one["name"] for one in rows}
    for one in rows:
        for name in (one["name"], *one["aliases"]):
            assert sampled(name, None).sampler == one["name"]
    assert sampled("PNDM", None) == sampled("PLMS", None) == Sampled("PLMS")


def test_schedulers_have_their_exponents_and_the_names_that_automatic1111_has(ann):
    rows = ann.get("/sdapi/v1/schedulers").json()
    names = {name for one in rows for name in (one["name"], *(one["aliases"] or ()))}
    known = "automatic uniform karras exponential polyexponential sgm_uniform kl_optimal align_your_steps simple normal"
    assert {*known.split(), "ddim", "beta"} <= names
    for one in rows[1:]:
        for name in (one["name"], one["label"], *(one["aliases"] or ())):
            assert sampled("Euler", name).scheduler == sampled("Euler", one["label"]).scheduler
    rhos = {one["name"]: one["default_rho"] for one in rows}
    assert (rhos["karras"], rhos["polyexponential"], rhos["automatic"], rhos["kl_optimal"]) == (7.0, 1.0, -1.0, -1.0)


def test_without_a_prompt_and_a_choice_the_surroundings_are_continued(client_of):
    bob = client_of("bob")
    reply = inpainted(bob, "", prompt=" ")
    assert info_of(reply)["sd_model_name"] == "exemplar"
    assert "Engine: exemplar" in info_of(reply)["infotexts"][0]
    assert info_of(inpainted(bob, "", prompt="a rose", steps=1))["sd_model_name"] == "pocket"


def test_a_checkpoint_that_is_not_there_is_named_in_the_notes(ann):
    assert ann.post("/sdapi/v1/options", json={"sd_model_checkpoint": "gone.safetensors [0123456789]"}).json() is None
    assert ann.get("/sdapi/v1/options").json()["sd_model_checkpoint"].startswith("pocket")
    notes = info_of(inpainted(ann, "", prompt="a rose", steps=1))["notes"]
    assert "the checkpoint 'gone.safetensors [0123456789]' is not on this server: pocket was used" in notes


def test_settings_that_have_no_effect_are_named(ann):
    notes = info_of(
        inpainted(
            ann,
            restore_faces=True,
            subseed_strength=0.5,
            styles=["a"],
            override_settings={"sd_model_checkpoint": "telea", "img2img_color_correction": True, "odd": 1, "a\nb": 1},
        )
    )["notes"]
    for name in ("restore_faces", "subseed_strength", "styles", "override_settings.odd"):
        assert f"{name} has no effect" in notes
    assert "override_settings.img2img_color_correction has no effect" in notes
    assert "override_settings.a\\nb has no effect" in notes  # a line of the log stays one line
    quiet = info_of(inpainted(ann, restore_faces=0, s_tmax=0, s_noise=1, eta=1.0, initial_noise_multiplier=1))["notes"]
    assert not [note for note in quiet if "has no effect" in note]


def test_fields_that_nobody_knows_are_named(ann):
    """A note names a mistyped field, and the call is done; fields that change no picture get no note."""
    quiet = {"do_not_save_grid": True, "comments": {}, "hr_scale": 2, "image_cfg_scale": 1.5, "latent_mask": None}
    odd = {"mask_blurr": 8, "a\nb": 1, **{f"odd{number}": number for number in range(9)}}
    notes = [one for one in info_of(inpainted(ann, **quiet, **odd))["notes"] if "fields" in one or "API" in one]
    assert notes[0] == "mask_blurr is no setting of this API and has no effect; did you mean 'mask_blur'?"
    assert notes[1] == "a\\nb is no setting of this API and has no effect"
    assert notes[8:] == ["further fields without effect: odd6, odd7, odd8"]


def test_an_outpainting_script_extends_the_picture(ann):
    """Trap 20."""
    reply = inpainted(ann, "", script_name="Outpainting MK2", script_args=[None, 8, 8, ["left"], 1.0, 0.05])
    after = opened(reply["images"][0])
    assert after.size == (SIZE[0] + 8, SIZE[1])
    assert not changed(photo().crop((8, 0, *SIZE)), after.crop((16, 0, SIZE[0] + 8, SIZE[1]))).any()


def test_a_whole_picture_is_edited_without_a_mask(ann):
    reply = inpainted(ann, "pocket", mask=None, prompt="a rose", steps=1, width=96, height=80)
    assert opened(reply["images"][0]).size == (96, 80)
    refused = ann.post(
        "/sdapi/v1/img2img", json={"init_images": [b64(photo())], "override_settings": {"sd_model_checkpoint": "telea"}}
    )
    assert refused.status_code == 422
    assert "the mask leaves none to copy from" in refused.json()["detail"]


def test_pictures_of_every_form_are_read(ann):
    """JPEG, another mode, data URLs, line breaks; a mask that is opaque where to repaint."""
    layer = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    layer.paste((255, 255, 255, 255), BOX)
    for image, mask in (
        (b64(photo(), url=True, format="JPEG"), b64(drawn(mode="RGB"), url=True)),
        (b64(photo().convert("RGBA")), b64(layer)),
        ("\n".join(b64(photo().convert("L"))[at : at + 60] for at in range(0, 9000, 60)), b64(drawn(mode="1"))),
    ):
        reply = inpainted(ann, init_images=[image], mask=mask, mask_blur=0)
        before = Image.open(io.BytesIO(base64.b64decode("".join(image.rpartition(",")[2].split()))))
        moved = changed(before, opened(reply["images"][0]))
        assert not moved[beyond(BOX, 0)].any()
        assert moved.any()


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"sampler_name": "nobody"}, 404, "Sampler not found"),
        ({"init_images": []}, 404, "Init image not found"),
        ({"init_images": None}, 404, "Init image not found"),
        ({"init_images": ["http://127.0.0.1/a.png"]}, 422, "base64"),
        ({"init_images": ["AAAA"]}, 422, "init_images"),
        ({"mask": "AAAA"}, 422, "mask"),
        (
            {"mask": b64(drawn((0, 0, 0, 0))), "override_settings": {"sd_model_checkpoint": "telea"}},
            422,
            "the mask is empty",
        ),
        ({"mask": b64(drawn(size=(50, 50)))}, 422, "50x50"),
        ({"script_name": "X/Y/Z plot"}, 422, "Script 'X/Y/Z plot' not found"),
        ({"script_name": "outpainting mk2", "script_args": ["", "many"]}, 422, "pixels to expand"),
        ({"alwayson_scripts": {"ADetailer": {"args": [{"ad_model": "x"}]}}}, 422, "'ADetailer' not found"),
        (
            {"alwayson_scripts": {"ControlNet": {"args": [{"enabled": True}]}}},
            422,
            "neither a preprocessor nor a model",
        ),
        ({"alwayson_scripts": {"controlnet": {"args": [{"module": "cany"}]}}}, 422, "did you mean 'canny'"),
        ({"alwayson_scripts": {"controlnet": {"args": [{"module": "reference_only"}]}}}, 422, "is not here"),
        ({"alwayson_scripts": {"controlnet": {"args": [{"module": "dept"}]}}}, 422, "there are depth, depth_zoe"),
        (
            {"alwayson_scripts": {"controlnet": {"args": [{"module": "canny", "model": "x"}]}}},
            422,
            "'x' is not on",
        ),
        ({"alwayson_scripts": {"controlnet": {"args": [{"module": "canny", "control_mode": 7}]}}}, 422, "control_mode"),
        ({"alwayson_scripts": {"controlnet": {"args": [{"module": "canny", "image": "AAAA"}]}}}, 422, "image"),
        ({"width": 0}, 422, "width"),
        ({"batch_size": 99}, 422, "batch_size"),
        ({"steps": "many"}, 422, "steps"),
        ({"denoising_strength": 2}, 422, "strength"),
        ({"override_settings": 3}, 422, "override_settings"),
    ],
)
def test_what_can_not_be_done_is_told_in_automatic1111s_form(ann, change, status, words):
    body = {"init_images": [b64(photo())], "mask": b64(drawn()), **change}
    found = ann.post("/sdapi/v1/img2img", json=body)
    assert found.status_code == status, found.text
    error = found.json()
    assert set(error) == {"error", "detail", "body", "errors"}
    assert words in error["detail"]
    assert ann.get("/sdapi/v1/progress").json()["state"]["job_count"] == 0


def test_words_that_clients_look_for(ann, server):
    """Trap 18: an unknown sampler is told apart from an API that is off."""
    body = {"init_images": [b64(photo())], "sampler_index": "nobody"}
    assert ann.post("/sdapi/v1/img2img", json=body).json()["detail"] == "Sampler not found"
    assert ann.get("/sdapi/v1/nothing").json()["detail"] == "Not Found"
    found = ann.post("/sdapi/v1/interrogate", json={"image": b64(photo()), "model": "clip"})
    assert found.status_code == 501
    assert "describes pictures" in found.json()["detail"]
    assert ann.post("/sdapi/v1/img2img", content=b"{").status_code == 422
    refused = httpx2.get(f"{server.url}/sdapi/v1/options", trust_env=False)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Basic")
    assert refused.json()["detail"]


def test_soft_inpainting_is_left_out_by_an_engine_that_does_not_sample(ann):
    for name, arguments in (
        ("soft inpainting", [True, 1, 0.5, 4, 0, 0.5, 2]),
        ("Soft Inpainting", [{"Soft inpainting": True}]),
    ):
        notes = info_of(inpainted(ann, alwayson_scripts={name: {"args": arguments}}))["notes"]
        assert "soft inpainting is not available: the blur of the mask is its edge" in notes


def test_a_bot_signs_in_by_a_form_and_its_cookie_lasts(server, keys):
    """As Gradio has it, and aiyabot sends it."""
    with httpx2.Client(base_url=server.url, timeout=60, trust_env=False) as bot:
        assert bot.get("/sdapi/v1/options").status_code == 401
        assert bot.get("/internal/ping").json() == {}
        for form in ({"username": "a", "password": "op-guess"}, {"username": "a"}, {}):
            refused = bot.post("/login", data=form)
            assert (refused.status_code, refused.json()) == (400, {"detail": "Incorrect credentials."})
            assert "set-cookie" not in refused.headers
        entered = bot.post("/login", data={"username": "any", "password": keys["bob"]})
        assert (entered.status_code, entered.json()) == (200, {"success": True})
        assert "httponly" in entered.headers["set-cookie"].lower()
        assert keys["bob"] not in entered.headers["set-cookie"]
        assert bot.get("/sdapi/v1/cmd-flags").status_code == 200
        assert inpainted(bot)["images"]
        other = bot.post("/login", data={"password": keys["ann"]}, headers={"origin": "https://evil.example"})
        assert other.status_code == 403


def test_switched_off_extensions_are_left_alone(ann):
    scripts = {
        "ControlNet": {"args": [{"enabled": False, "image": None}]},
        "soft inpainting": {"args": [False, 1, 0.5]},
    }
    notes = info_of(inpainted(ann, alwayson_scripts=scripts))["notes"]
    assert "the extension 'ControlNet' is switched off" in notes


SCRIPTS_OF_THE_PAGE = {
    "API payload": {"args": []},
    "Comments": {"args": []},
    "Extra options": {"args": []},
    "Hypertile": {"args": []},
    "Refiner": {"args": [False, "", 0.8]},
    "Sampler": {"args": [3, "Euler a", "Karras"]},
    "Seed": {"args": [5, True, 9, 0.4, 64, 96]},
    "Soft Inpainting": {"args": [False, 1, 0.5, 4, 0, 0.5, 2]},
}
"""As AUTOMATIC1111's page sends them, by the extension that shows its requests."""


def test_sampler_and_seed_of_the_page_s_scripts_stand_in_for_fields_that_are_left_out():
    read = PictureBody.read
    body = read({"alwayson_scripts": SCRIPTS_OF_THE_PAGE, "scheduler": None})
    assert (body.steps, body.sampler_name, body.scheduler, body.seed) == (3, "Euler a", "Karras", 5)
    assert (body.subseed, body.subseed_strength, body.seed_resize_from_w, body.seed_resize_from_h) == (9, 0.4, 64, 96)
    assert overruled_scripts(body) == []
    own = read({"alwayson_scripts": SCRIPTS_OF_THE_PAGE, "steps": 20, "sampler_index": "Heun", "seed": "5"})
    assert (own.steps, own.sampler, own.scheduler) == (20, "Heun", None)
    assert overruled_scripts(own) == [
        "steps 20 counts, and not the 3 of alwayson_scripts",
        "sampler_name Heun counts, and not the Euler a of alwayson_scripts",
    ]
    plain = read({"alwayson_scripts": {"seed": {"args": [5, False, 9, 0.4, 64, 96]}, "Sampler": None}})
    assert (plain.seed, plain.subseed, plain.subseed_strength, plain.seed_resize_from_w) == (5, -1, 0.0, -1)


def test_scripts_of_automatic1111_are_served_and_listed(ann):
    reply = inpainted(ann, "pocket", alwayson_scripts=SCRIPTS_OF_THE_PAGE, prompt="a rose")
    info = info_of(reply)
    assert "Steps: 3, Sampler: Euler a, Schedule type: Karras, " in info["infotexts"][0]
    assert (info["all_seeds"], info["all_subseeds"]) == ([5], [9])
    assert not [one for one in info["notes"] if "script" in one]
    active = {"Refiner": {"args": [True, "xl", 0.8]}, "Never OOM Integrated": [True, False], "Comments": ["#"]}
    notes = info_of(inpainted(ann, alwayson_scripts=active))["notes"]
    assert "the script Refiner has no effect: one checkpoint takes all steps" in notes
    assert [one.partition(" has no")[0] for one in notes if "has no effect:" in one][:2] == [
        "the script 'Comments'",
        "the script 'Never OOM Integrated'",
    ]
    listed = ann.get("/sdapi/v1/scripts").json()
    assert {"sampler", "seed", "refiner", "comments", "extra options"} <= set(listed["txt2img"])
    assert "soft inpainting" in listed["img2img"]
    rows = ann.get("/sdapi/v1/script-info").json()
    assert {one["name"] for one in rows if one["is_img2img"]} == {*listed["img2img"]} - {"controlnet"}
    assert {one["name"] for one in rows if not one["is_img2img"]} == {*listed["txt2img"]} - {"controlnet"}
    sampler = next(one for one in rows if one["name"] == "sampler")
    assert "Euler a" in sampler["args"][1]["choices"]
    assert sampler["is_alwayson"]


# ── ControlNet ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_units_of_controlnet_become_controls():
    """As clients send them: numbers as text, modes as numbers or words, a model with its digest, old keys."""
    models = ["control_v11p_sd15_canny", "hub/control_v11p_sd15_lineart", "controlnet-union-sdxl"]
    units = [
        {"module": "canny", "model": "control_v11p_sd15_canny [d14c016b]", "threshold_a": 50, "threshold_b": "120"},
        {
            "module": "None",
            "model": "control_v11p_sd15_lineart",
            "input_image": "A",
            "control_mode": 2,
            "weight": "0.5",
        },
        {"module": "depth_midas", "image": {"image": "B", "mask": "C"}, "resize_mode": "Just Resize", "low_vram": True},
        {"module": "none", "model": "controlnet-union-sdxl", "union_control_type": "OpenPose", "image": "D"},
        {"module": "softedge_hed", "guidance_start": 0.1, "guidance_end": 0.6, "processor_res": 640, "surprise": 1},
        {"enabled": False, "module": "nobody"},
    ]
    found = units_of({"ControlNet": {"args": [*units, None, "x"]}}, models)
    settings = [one.control(None if one.picture is None else "0" * 64) for one in found]
    assert [one.kind for one in settings] == ["canny", "lineart", "depth", "openpose", "softedge"]
    assert [one.model for one in settings] == [models[0], models[1], None, models[2], None]
    assert (settings[0].options, settings[0].inside) == ({"low": 50, "high": 120}, True)
    assert (settings[1].mode, settings[1].weight, settings[1].preprocess) == ("control", 0.5, None)
    assert (settings[2].preprocess, found[2].picture, found[2].resize) == (True, "B", 0)
    assert (settings[4].start, settings[4].end) == (0.1, 0.6)
    assert [one.picture for one in found] == [None, "A", "B", "D", None]
    notes = " ".join(found[2].notes + found[4].notes)
    assert "depth_midas is Overpaint's own depth" in notes
    assert "processor_res has no effect" in notes
    assert "surprise has no effect" in notes
    assert found[0].notes == found[1].notes == ()
    assert units_of({"controlnet": [units[0]], "other": [units[1]]}, models) == found[:1]
    assert {one.kind for one in CONTROL_MODULES.values()} <= {None, *KINDS, *PICTURE_KINDS}


def test_a_unit_of_an_ip_adapter_becomes_a_reference_picture_of_its_own_size(ann, monkeypatch):
    models = ["ip-adapter-plus_sd15"]
    sent = [{"module": "ip-adapter-auto", "image": "A", "weight": 0.6}]
    sent += [{"module": "none", "model": "ip-adapter-plus_sd15 [c817b455]", "image": "B"}]
    found = units_of({"controlnet": {"args": sent}}, models)
    settings = [one.control("0" * 64) for one in found]
    assert [(one.kind, one.model, one.weight) for one in settings] == [
        ("reference", None, 0.6),
        ("reference", "ip-adapter-plus_sd15", 1.0),
    ]
    assert [(one.preprocess, one.inside) for one in settings] == [(None, None)] * 2
    assert [one.resize for one in found] == [None, None]
    with pytest.raises(ControlUnitError, match=r"there are ip-adapter-auto, ip-adapter_clip_\w+, .* and \d+ others"):
        units_of({"controlnet": {"args": [{"module": "reference_only", "image": "A"}]}}, models)
    with pytest.raises(ControlUnitError, match="no image to paint after"):
        units_of({"controlnet": {"args": [{"module": "ip-adapter_clip_h"}]}}, models)
    asked: list[Any] = []
    begin, add = Call.begin, Call.add
    monkeypatch.setattr(Call, "begin", lambda self, task, **more: asked.append(task) or begin(self, task, **more))
    sizes: list[tuple[int, int]] = []

    def adding(self: Call, data: bytes) -> Any:
        sizes.append(Image.open(io.BytesIO(data)).size)
        return add(self, data)

    monkeypatch.setattr(Call, "add", adding)
    unit = {"module": "ip-adapter_clip_sd15", "image": b64(drawn(size=(52, 32)))}
    inpainted(ann, alwayson_scripts={"controlnet": {"args": [unit]}})
    assert asked[0].controls[0].kind == "reference"
    assert (52, 32) in sizes


def test_a_unit_guides_an_edit_by_its_picture_at_the_size_of_the_edited_one(ann, monkeypatch):
    """The job gets controls with stored images; an engine that takes none says so in the reply."""
    asked: list[Any] = []
    begin = Call.begin
    monkeypatch.setattr(Call, "begin", lambda self, task, **more: asked.append(task) or begin(self, task, **more))
    image = b64(drawn(size=(32, 32)))
    units = [{"module": "scribble_xdog", "image": image, "weight": 0.7}, {"module": "canny", "pixel_perfect": True}]
    reply = inpainted(ann, alwayson_scripts={"controlnet": {"args": units}})
    first, second = asked[0].controls
    assert (first.kind, first.weight, first.preprocess, first.image is not None) == ("scribble", 0.7, True, True)
    assert (second.kind, second.image, second.inside) == ("canny", None, True)
    notes = info_of(reply)["notes"]
    assert any("scribble_xdog is Overpaint's own scribble" in note for note in notes)
    assert any("telea does not use controls" in note for note in notes)
    found = ann.post("/sdapi/v1/txt2img", json={"alwayson_scripts": {"controlnet": {"args": [{"module": "canny"}]}}})
    assert (found.status_code, "there is none" in found.json()["detail"]) == (422, True)


def test_the_extension_s_own_paths_list_what_there_is_and_make_maps(ann):
    assert ann.get("/controlnet/version").json() == {"version": 2}
    assert ann.get("/controlnet/settings").json()["control_net_unit_count"] == 10
    assert ann.get("/controlnet/model_list?update=true").json() == {"model_list": []}
    listed = ann.get("/controlnet/module_list?alias_names=true").json()
    assert {"none", "canny", "lineart_realistic", "dw_openpose_full"} <= set(listed["module_list"])
    assert [one["name"] for one in listed["module_detail"]["canny"]["sliders"]] == ["low", "high"]
    types = ann.get("/controlnet/control_types").json()["control_types"]
    assert types["Canny"] == {
        "module_list": ["canny", "none"],
        "model_list": ["None"],
        "default_option": "canny",
        "default_model": "None",
    }
    image = drawn(size=(80, 60), box=(20, 15, 60, 45))
    body = {
        "controlnet_module": "canny",
        "controlnet_input_images": [b64(image, url=True)],
        "controlnet_processor_res": 128,
    }
    found = ann.post("/controlnet/detect", json=body).json()
    (made,) = found["images"]
    assert (opened(made).size, found["info"]) == ((171, 128), "Success")
    assert 0 < np.asarray(opened(made)).mean() < 60
    thin = {**body, "controlnet_input_images": [b64(drawn(size=(6, 900), box=(2, 50, 4, 800)))]}
    (made,) = ann.post("/controlnet/detect", json=thin).json()["images"]
    assert opened(made).size == (2, 256), "the longer side has at most twice as many pixels as asked for"
    with ThreadPoolExecutor(24) as pool:
        floods = [pool.submit(ann.post, "/controlnet/detect", json=body) for _ in range(24)]
        assert ann.get("/sdapi/v1/sd-models").status_code == 200, "calls that wait hold no thread"
        assert {one.result().status_code for one in floods} <= {200, 429}
    for change, words in (
        ({"controlnet_input_images": []}, "No image selected"),
        ({"controlnet_module": "none"}, "makes no map"),
        ({"controlnet_module": "depth"}, "none is here"),
        ({"controlnet_input_images": ["AAAA"]}, "isn't a picture"),
    ):
        refused = ann.post("/controlnet/detect", json={**body, **change})
        assert refused.status_code == 422, refused.text
        assert words in refused.json()["detail"]


# ── what is remembered of a caller ────────────────────────────────────────────────────────────────────────────────────


def test_the_whole_object_of_options_can_be_posted_back(ann, client_of):
    """Trap 12; the choice is the caller's own."""
    whole = ann.get("/sdapi/v1/options").json()
    whole |= {"sd_model_checkpoint": "exemplar", "unknown": {"a": [1]}, "samples_format": "webp"}
    assert ann.post("/sdapi/v1/options", json=whole).json() is None
    after = ann.get("/sdapi/v1/options").json()
    assert (after["sd_model_checkpoint"], after["samples_format"]) == ("exemplar", "webp")
    assert "unknown" not in after
    assert info_of(inpainted(ann, ""))["sd_model_name"] == "exemplar"
    assert client_of("bob").get("/sdapi/v1/options").json()["sd_model_checkpoint"].startswith("pocket")
    kept = {"sd_model_checkpoint": "telea"}
    inpainted(ann, override_settings=kept)
    assert ann.get("/sdapi/v1/options").json()["sd_model_checkpoint"] == "exemplar"
    inpainted(ann, override_settings=kept, override_settings_restore_afterwards=False)
    assert ann.get("/sdapi/v1/options").json()["sd_model_checkpoint"] == "telea"


def test_checkpoints_are_found_by_title_name_and_hash(ann):
    rows = ann.get("/sdapi/v1/sd-models").json()
    pocket = next(row for row in rows if row["model_name"] == "pocket")
    assert pocket["title"] == f"pocket [{pocket['hash']}]"
    assert pocket["sha256"].startswith(pocket["hash"])
    assert [row["title"] for row in rows if row["title"] == "exemplar"]
    assert not [row for row in rows if "/" in row["filename"] + row["title"]]
    for text in (pocket["title"], "pocket", "Pocket.safetensors", pocket["hash"], "pocket [ffffffffff]"):
        ann.post("/sdapi/v1/options", json={"sd_model_checkpoint": "exemplar"})
        ann.post("/sdapi/v1/options", json={"sd_model_checkpoint": text})
        assert ann.get("/sdapi/v1/options").json()["sd_model_checkpoint"] == pocket["title"]


def begun(client: httpx2.Client, **more: Any) -> tuple[threading.Thread, list[httpx2.Response]]:
    """A call that takes long, once it has taken a step."""
    replies: list[httpx2.Response] = []
    body = {
        "init_images": [b64(photo())],
        "mask": b64(drawn()),
        "prompt": "a red rose",
        "steps": 400,
        "override_settings": {"sd_model_checkpoint": "pocket"},
        **more,
    }
    thread = threading.Thread(target=lambda: replies.append(client.post("/sdapi/v1/img2img", json=body)))
    thread.start()
    over = time.monotonic() + 60
    while client.get("/sdapi/v1/progress").json()["state"]["sampling_step"] < 1:
        assert time.monotonic() < over
        assert thread.is_alive(), replies[0].text
        time.sleep(0.02)
    return thread, replies


def test_a_caller_follows_and_stops_its_own_call_alone(ann, client_of):
    bob = client_of("bob")
    thread, replies = begun(client_of("ann"), batch_size=2)
    over = time.monotonic() + 60
    while ann.get("/sdapi/v1/progress").json()["current_image"] is None:
        assert time.monotonic() < over
        time.sleep(0.05)
    mine = ann.get("/sdapi/v1/progress").json()
    assert 0 < mine["progress"] < 1
    assert mine["state"]["job_count"] == 2
    assert 1 <= mine["state"]["sampling_step"] <= mine["state"]["sampling_steps"]
    assert opened(mine["current_image"]).format == "PNG"
    assert ann.get("/sdapi/v1/progress?skip_current_image=true").json()["current_image"] is None
    theirs = bob.get("/sdapi/v1/progress").json()
    assert (theirs["progress"], theirs["state"]["job_count"], theirs["current_image"]) == (0.0, 0, None)
    bob.post("/sdapi/v1/interrupt")
    bob.post("/sdapi/v1/skip")
    step = ann.get("/sdapi/v1/progress").json()["state"]["sampling_step"]
    while ann.get("/sdapi/v1/progress").json()["state"]["sampling_step"] == step:
        assert thread.is_alive()
    slowest = 0.0
    for path in ("options", "sd-models", "samplers", "progress") * 5:  # trap 8
        began = time.perf_counter()
        assert ann.get(f"/sdapi/v1/{path}").status_code == 200
        slowest = max(slowest, time.perf_counter() - began)
    assert slowest < 1.0
    assert ann.post("/sdapi/v1/interrupt").json() == {}
    thread.join(30)
    (reply,) = replies
    assert reply.status_code == 200
    assert reply.json()["images"] == []
    assert info_of(reply.json())["interrupted"] is True
    idle = ann.get("/sdapi/v1/progress").json()  # trap 11
    assert (idle["progress"], idle["state"]["job_count"]) == (0.0, 0)


def test_nothing_of_a_call_stays(server, ann):
    inpainted(ann, "exemplar", batch_size=2)
    folder = server.server.settings.data / "pictures"
    assert not [path for path in folder.rglob("*") if path.is_file()]


# ── small endpoints ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_infotext_is_read_from_every_kind_of_file(ann):
    """Trap 16: the value after "Seed: " has its comma, which the plug-in drops."""
    reply = inpainted(ann, "pocket", steps=1, seed=123, prompt="a red rose", negative_prompt="blurred")
    found = ann.post("/sdapi/v1/png-info", json={"image": reply["images"][0]}).json()
    assert found["info"] == info_of(reply)["infotexts"][0]
    assert found["info"].splitlines()[0] == "a red rose"
    assert "Seed: 123, " in found["info"].splitlines()[-1]
    said = found["parameters"]
    assert (said["Prompt"], said["Negative prompt"], said["Seed"]) == ("a red rose", "blurred", "123")
    assert (said["Size-1"], said["Size-2"], "Size" in said) == ("256", "256", False)
    assert ann.post("/sdapi/v1/png-info", json={"image": b64(photo())}).json()["info"] == ""
    assert ann.post("/sdapi/v1/png-info", json={"image": "AAAA"}).status_code == 422


@pytest.mark.parametrize(("times", "blur", "mode"), [(0, 0, "L"), (4, 0, "RGB"), (3, 2, "L"), (200, 0, "RGBA")])
def test_a_mask_is_expanded_as_the_plug_in_expects(ann, times, blur, mode):
    """Traps 1 and 2: without a mask in the reply the plug-in repaints the whole picture."""
    given = drawn((0, 20, 12, 28), mode=mode)
    reply = ann.post(
        "/sdapi/auto-photoshop-sd/mask/expansion/", json={"mask": b64(given), "mask_expansion": times, "blur": blur}
    ).json()
    wanted = given
    for _ in range(times):
        wanted = wanted.filter(ImageFilter.MaxFilter(3))
    wanted = wanted.filter(ImageFilter.GaussianBlur(blur))
    border = np.ones(SIZE[::-1], bool)
    border[1:-1, 1:-1] = False
    levels = np.where(border[..., None], np.atleast_3d(given), np.atleast_3d(wanted))
    assert np.array_equal(np.atleast_3d(opened(reply["mask"]).convert(mode)), levels)


def test_a_picture_is_enlarged_by_lanczos_and_for_an_upscaler_by_what_it_teaches(ann):
    def enlarged(**body: Any) -> Image.Image:
        reply = ann.post("/sdapi/v1/extra-single-image", json={"image": b64(photo()), **body}).json()
        return opened(reply["image"])

    wanted = photo().resize((128, 96), Image.Resampling.LANCZOS)
    assert np.abs(np.asarray(enlarged(upscaling_resize=2), int) - np.asarray(wanted, int)).mean() < 0.5
    taught = overpaint.enlarge(photo()).samples
    assert np.array_equal(np.asarray(enlarged(upscaling_resize=2, upscaler_1="R-ESRGAN 4x+")), taught)
    assert not np.array_equal(np.asarray(enlarged(upscaling_resize=2)), taught)
    to = {"resize_mode": 1, "upscaling_resize_w": 100, "upscaling_resize_h": 100}
    assert enlarged(**to).size == (100, 100)
    assert enlarged(**to, upscaling_crop=False).size == (100, 75)
    batch = {"imageList": [{"data": b64(photo()), "name": "a.png"}, {"data": b64(drawn(), url=True), "name": "b.png"}]}
    several = ann.post("/sdapi/v1/extra-batch-images", json={**batch, "upscaling_resize": 2}).json()["images"]
    assert [opened(one).size for one in several] == [(128, 96)] * 2
    assert ann.post("/sdapi/v1/extra-batch-images", json={"imageList": []}).status_code == 422
    too_large = {"image": b64(photo()), "upscaling_resize": 1e9}
    assert ann.post("/sdapi/v1/extra-single-image", json=too_large).status_code == 422


def test_every_list_is_there(ann):
    for path in ("hypernetworks", "face-restorers", "realesrgan-models", "sd-modules", "script-info", "prompt-styles"):
        assert isinstance(ann.get(f"/sdapi/v1/{path}").json(), list)
    for name in ("refresh-checkpoints", "unload-checkpoint", "reload-checkpoint"):
        assert ann.post(f"/sdapi/v1/{name}").status_code == 200


def test_an_empty_authorization_counts_as_none(tmp_path):
    """Trap 13, on a server without keys; trap 14: a page of a named origin may use it."""
    with Studio() as studio, running(tmp_path / "data", studio, origins=("https://lite.koboldai.net",)) as server:
        headers = {"authorization": "", "origin": "https://lite.koboldai.net"}
        found = httpx2.get(f"{server.url}/sdapi/v1/options", headers=headers, trust_env=False)
        assert found.status_code == 200
        assert found.headers["access-control-allow-origin"] == "https://lite.koboldai.net"
        assert found.json()["samples_format"] == "png"
        if shutil.which("curl") and shutil.which("jq"):
            _run_the_page(server.url, tmp_path)
        strange = httpx2.get(f"{server.url}/sdapi/v1/options", headers={"origin": "https://a.example"}, trust_env=False)
        assert strange.status_code == 403
    with Studio() as studio, running(tmp_path / "data", studio, apis=frozenset({"openai"})) as server:
        assert httpx2.get(f"{server.url}/sdapi/v1/options", trust_env=False).status_code == 404


@pytest.mark.slow
def test_txt2img_paints_with_a_checkpoint_that_makes_whole_pictures(tmp_path, monkeypatch):
    from test_diffusion_engine import checkpoint

    checkpoint(tmp_path / "models" / "small", 4)
    monkeypatch.setenv("OVERPAINT_MODEL_PATH", str(tmp_path / "models"))
    body = {"prompt": "a fox", "steps": 1, "width": 72, "height": 64, "batch_size": 2, "seed": 5, "enable_hr": True}
    with (
        Studio(threads=1) as studio,
        running(tmp_path / "data", studio) as server,
        httpx2.Client(base_url=server.url, timeout=60, trust_env=False) as client,
    ):
        assert "small" in [row["model_name"] for row in client.get("/sdapi/v1/sd-models").json()]
        client.post("/sdapi/v1/options", json={"sd_model_checkpoint": "small"})
        found = client.post("/sdapi/v1/txt2img", json=body)
    assert found.status_code == 200, found.text
    pictures = [opened(one) for one in found.json()["images"]]
    assert [one.size for one in pictures] == [(72, 64)] * 2
    assert changed(*pictures).any()
    info = info_of(found.json())
    assert info["all_seeds"] == [5, 6]
    assert "Model: small" in info["infotexts"][0]
    assert "enable_hr has no effect" in info["notes"]


def _run_the_page(url: str, folder: Path) -> None:
    """The first command of docs/compat.md works as it is written."""
    page = (Path(__file__).parents[1] / "docs" / "compat.md").read_text()
    script, *_ = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    photo().save(folder / "photo.png")
    drawn().save(folder / "mask.png")
    environment = {**os.environ, "SERVER": url, "no_proxy": "*"}
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=environment, check=True, timeout=120)
    moved = changed(photo(), Image.open(folder / "clean.png"))
    assert moved.any()
    assert not moved[beyond(BOX, 10)].any()


# ── pure parts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _file(image: Image.Image) -> bytes:
    return base64.b64decode(b64(image))


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.integers(0, 2),
    st.booleans(),
)
def test_pictures_and_masks_are_resized_to_exactly_what_was_asked_for(before, after, mode, invert):
    mask = Image.new("L", before, 255)
    found = ready_inputs(_file(photo(size=before)), _file(mask), MaskReading(invert), Size(*after), mode, None)
    assert tuple(found.size) == after
    if before != after:
        assert Image.open(io.BytesIO(found.picture or b"")).size == after
    levels = np.asarray(Image.open(io.BytesIO(found.mask or b"")))
    assert levels.shape == after[::-1]
    assert (levels == 255).all(), "also an inverted mask, which then marks what stays"


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 6), st.integers(0, 20), st.booleans())
def test_a_blurred_mask_keeps_what_was_marked_and_ends_at_two_and_a_half_sigma(sigma, width, across):
    box = (20, 10, 21 + width, 38)
    found = ready_inputs(
        _file(photo()), _file(drawn(box)), MaskReading(False, (sigma, 0) if across else (0, sigma)), None, 0, None
    )
    levels = np.asarray(Image.open(io.BytesIO(found.mask or b"")))
    assert (levels[10:38, 20 : 21 + width] == 255).all()
    reach = int(2.5 * sigma + 0.5)
    grown = (20 - reach, 10, 21 + width + reach, 38) if across else (20, 10 - reach, 21 + width, 38 + reach)
    assert not levels[beyond(grown, 0)].any()


def test_a_mask_that_is_resized_is_blurred_before():
    reading = MaskReading(blur=(3, 2), webui=True)
    found = ready_inputs(_file(photo()), _file(drawn()), reading, Size(100, 60), 0, None)
    levels = fitted(blurred_levels(np.asarray(drawn()), (3, 2)), Size(100, 60), "stretch")
    assert np.abs(np.asarray(Image.open(io.BytesIO(found.mask or b"")), int) - levels).max() <= 1
    kept = ready_inputs(_file(photo()), _file(drawn()), reading, None, 0, None)
    assert (found.blurred, kept.blurred) == (True, False)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(kept.mask or b""))), np.asarray(drawn()))


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*PictureBody.model_fields, "eta", "styles", "other"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=5)
        | st.lists(st.integers(), max_size=2),
    )
)
def test_a_body_is_read_or_its_field_is_named(table):
    from overpaint.errors import RequestError

    try:
        body = PictureBody.read(copy.deepcopy(table))
    except RequestError as found:
        error = found
    else:
        assert body.count >= 1
        assert body.first_seed() >= 0
        assert set(body.ignored) <= set(table)
        return
    assert error.field.split(".")[0] in table


@pytest.mark.parametrize(
    ("name", "arguments", "margins"),
    [
        (None, [], None),
        ("None", [], None),
        ("", [1, 2], None),
        ("Poor man's outpainting", [], (128, 128, 128, 128)),
        ("poor man's outpainting", [64, 8, "fill", ["right"]], (0, 0, 64, 0)),
        ("outpainting mk2", ["", "32", 8, "up", 1.0, 0.05], (0, 32, 0, 0)),
        ("Outpainting mk2", ["", 8.0, 8, [0, 3]], (8, 0, 0, 8)),
    ],
)
def test_arguments_of_the_scripts(name, arguments, margins):
    found = outpainting(name, arguments)
    assert (None if found is None else found.margins) == (None if margins is None else Margins(*margins))


def test_a_list_is_given_while_it_is_made_anew():
    made = iter(range(9))
    kept = Kept(lambda: next(made), 0.0)

    async def several() -> list[int]:
        found = [await kept.get(), await kept.get()]
        over = time.monotonic() + 10
        while (last := await kept.get()) == 0 and time.monotonic() < over:
            await asyncio.sleep(0.005)
        return [*found, last]

    first, second, last = asyncio.run(several())
    assert (first, second) == (0, 0)
    assert last > 0
    kept.forget()
    assert asyncio.run(kept.get()) > last


def test_a_list_that_is_too_old_is_waited_for():
    made = iter(range(9))
    kept = Kept(lambda: next(made), 0.0, oldest=0.2)

    async def twice() -> tuple[int, int]:
        first = await kept.get()
        await asyncio.sleep(0.3)
        return first, await kept.get()

    assert asyncio.run(twice()) == (0, 1)
