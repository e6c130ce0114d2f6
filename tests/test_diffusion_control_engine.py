"""Controls through the engine and the studio: from a request's control to a picture, its notes and its record."""

from __future__ import annotations

import runpy
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import checkpoints
from checkpoints import REAL
from overpaint import Mask, Monitor, Studio, models
from overpaint.engines.base import Canvas, ControlImage, paint
from overpaint.engines.diffusion import engine as engine_module
from overpaint.engines.diffusion import loader
from overpaint.engines.diffusion.controls import hint_of
from overpaint.engines.diffusion.dialects import dialect_of
from overpaint.engines.diffusion.engine import DiffusionEngine
from overpaint.engines.diffusion.families.unet import SD1
from overpaint.engines.weight_store import WeightStore
from overpaint.errors import EngineError
from overpaint.geometry import Box, Size
from overpaint.models import ModelError
from overpaint.request import Control, blob_of
from test_diffusion_engine import SIDE, canvas_of, checkpoint, levels, painted, photo, pipeline, pixels_of
from test_models_detect import header_only

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")  # in diffusers, under NumPy 2


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def controlnet(folder: Path, seed: int) -> Path:
    """A small ControlNet for the small checkpoint of SD 1, with random weights."""
    from diffusers import ControlNetModel

    torch.manual_seed(seed)
    network = ControlNetModel(
        block_out_channels=(8, 16),
        norm_num_groups=4,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=2,
        conditioning_embedding_out_channels=(4, 4, 8, 8),
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
        network.controlnet_cond_embedding.conv_out.weight.mul_(20)  # what it sees counts as much as x
    network.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Path]]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OVERPAINT_HOME", str(home / "overpaint"))
        patch.setenv("HF_HUB_CACHE", str(home / "hub"))
        for number, name in enumerate(("tiny-canny", "tiny-depth", "tiny-inpaint", "tiny-lineart")):
            (home / "overpaint" / "models").mkdir(parents=True, exist_ok=True)
            controlnet(home / "overpaint" / "models" / name, number)
        yield {channels: checkpoint(home / f"sd1-{channels}", channels) for channels in (4, 9)}


@pytest.fixture(scope="module")
def engines(folders: dict[int, Path]) -> Iterator[dict[int, DiffusionEngine]]:
    held = {
        channels: DiffusionEngine(models.find(str(folder)), device="cpu", dtype=torch.float32)
        for channels, folder in folders.items()
    }
    yield held
    for engine in held.values():
        engine.close()


@pytest.fixture(params=[4, 9])
def engine(request: pytest.FixtureRequest, engines: dict[int, DiffusionEngine]) -> DiffusionEngine:
    return engines[request.param]


def guided(canvas: Canvas, *kinds: str, shown: int = 5, **settings: Any) -> Canvas:
    """The canvas with controls of these kinds."""
    pixels = pixels_of(shown)
    image = blob_of((pixels * 255).astype(np.uint8))
    controls = tuple(ControlImage(Control(kind=kind, image=image, **settings), pixels) for kind in kinds)
    return replace(canvas, controls=controls)


def test_controls_guide_a_picture_and_two_more_than_one(engine):
    lot = [canvas_of(), guided(canvas_of(), "canny"), guided(canvas_of(), "canny", "depth")]
    plain, one, two = (each.pixels for each in paint(engine, lot))
    assert levels(painted(engine, lot[1]), one) < 0.1, "alone as beside others"
    assert min(levels(one, plain), levels(two, one)) > 1


def test_each_setting_of_a_control_counts(engines):
    def of(shown: int = 5, **settings: Any) -> Canvas:
        return guided(canvas_of(steps=2), "canny", shown=shown, **settings)

    webui = guided(canvas_of(steps=2, dialect="webui"), "canny")
    assert levels(painted(engines[4], webui), painted(engines[4], replace(webui, controls=()))) > 1
    changes = ({"weight": 0.5}, {"end": 0.5}, {"mode": "prompt"}, {"mode": "control"}, {"model": "tiny-depth"})
    lot = [of(), canvas_of(steps=2), of(6), *(of(**settings) for settings in changes)]
    pictures = [each.pixels for each in paint(engines[4], lot)]
    for number, one in enumerate(pictures):
        assert all(levels(one, other) > 0.3 for other in pictures[:number]), number


def test_the_hint_of_an_inpainting_controlnet_has_a_hole(engines, folders):
    """Against diffusers' pipeline, whose caller makes the hint: the picture, and -1 where it is repainted."""
    import diffusers

    canvas = canvas_of(11)
    parts = pipeline(folders[4], "sd1").components
    network = loader.load_control(models.find_control("inpaint", "sd1"), models.find(str(folders[4]))).network
    oracle = diffusers.ControlNetModel.from_config(dict(network.config))
    oracle.load_state_dict(network.state_dict())
    pipe = diffusers.StableDiffusionControlNetInpaintPipeline(
        **(parts | {"controlnet": oracle.eval()}), requires_safety_checker=False
    )
    pipe.set_progress_bar_config(disable=True)
    hint = np.where(canvas.mask[..., None] >= 0.5, np.float32(-1), canvas.pixels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = pipe(
            "a cat and a dog",
            negative_prompt="dog",
            image=torch.from_numpy(canvas.pixels.transpose(2, 0, 1))[None],
            mask_image=torch.from_numpy(canvas.mask)[None, None],
            control_image=torch.from_numpy(hint.transpose(2, 0, 1))[None],
            controlnet_conditioning_scale=0.8,
            height=SIDE,
            width=SIDE,
            num_inference_steps=6,
            guidance_scale=5.0,
            generator=torch.Generator().manual_seed(11),
            output_type="np",
        ).images[0]
    asked = {"sampler": "DDIM", "strength": 1.0, "steps": 6, "guidance_scale": 5.0, "prompt": "a cat and a dog"}
    asked |= {"negative_prompt": "dog", "dialect": "diffusers", "scheduler": "automatic", "clip_skip": 1}
    got = guided(canvas_of(11, **asked), "inpaint", shown=0, weight=0.8)
    assert np.array_equal(got.controls[0].pixels, canvas.pixels)
    assert levels(painted(engines[4], got), expected) < 0.1


@pytest.mark.parametrize(("dialect", "levels_in"), [("native", 3), ("diffusers", 1), ("webui", 1)])
def test_a_hint_s_hole_is_what_the_dialect_hides_from_inpainting_networks(dialect: str, levels_in: int):
    canvas = canvas_of()
    canvas.mask[:] = np.repeat([0.0, 0.2, 0.4, 0.7], SIDE // 4)[None].astype(np.float32)
    hole = dialect_of(dialect, SD1.dialects).hole(canvas)
    hint = hint_of(guided(canvas, "inpaint").controls[0], hole, union=False)
    assert [bool((part == -1).all()) for part in hint.chunk(4, dim=3)] == [
        number >= 4 - levels_in for number in range(4)
    ]
    assert hint_of(guided(canvas, "inpaint").controls[0], hole, union=True).min() == 0
    assert hint_of(guided(canvas, "canny").controls[0], hole, union=False).min() >= 0


def test_a_control_without_effect_is_named_in_a_note(engines):
    def notes(**settings: Any) -> tuple[str, ...]:
        return paint(engines[4], [guided(canvas_of(), "canny", **settings)])[0].notes

    plain = painted(engines[4], canvas_of())
    assert notes() == ()
    assert notes(weight=0.0) == ("the control canny had no effect: its weight is 0",)
    late = {"start": 0.8, "end": 0.9}
    assert notes(**late) == ("the control canny had no effect: none of the 4 steps lies between 0.8 and 0.9",)
    assert levels(painted(engines[4], guided(canvas_of(), "canny", **late)), plain) < 0.01


def test_a_control_that_can_not_be_read_is_one_error_and_the_engine_goes_on(engines):
    header_only(models.store_folder() / "wide-lineart.safetensors", checkpoints.control(REAL["sd1"]))
    for given, code in (
        (guided(canvas_of(), "tile"), "control-missing"),
        (guided(canvas_of(), "canny", model="tiny-other"), "model-unknown"),
        (guided(canvas_of(), "canny", model="wide-lineart"), "control-sizes"),
    ):
        with pytest.raises(ModelError) as caught:
            painted(engines[4], given)
        assert "can be downloaded" not in caught.value.hint, "nothing that is published fits these small networks"
        assert (caught.value.code, caught.value.field) in ((code, "controls"), (code, "model"))
    assert np.isfinite(painted(engines[4], guided(canvas_of(), "canny"))).all()


def test_a_controlnet_is_loaded_once_and_its_memory_counts(folders, monkeypatch):
    loads: list[str] = []
    load = loader.load_control
    monkeypatch.setattr(loader, "load_control", lambda ref, *more: loads.append(ref.name) or load(ref, *more))
    store = WeightStore()
    engine = DiffusionEngine(models.find(str(folders[4])), device="cpu", dtype=torch.float32, weights=store)
    try:
        painted(engine, canvas_of())
        before = store.bytes
        seen: list[str] = []
        monitor = Monitor(on_loading=seen.append)
        for _ in range(2):
            paint(engine, [guided(canvas_of(), "canny", "canny", "depth")], [monitor])
        assert loads == seen == ["tiny-canny", "tiny-depth"]
        network = engine._networks.guides.get(models.find_control("canny", "sd1")).network
        size = sum(one.numel() * one.element_size() for one in network.parameters())
        assert store.bytes == before + 2 * size
        monkeypatch.setattr(engine_module, "memory_left", lambda device: size // 2)
        with pytest.raises(EngineError, match="tiny-inpaint needs") as caught:
            painted(engine, guided(canvas_of(), "inpaint"))
        assert caught.value.code == "memory-short"
        assert np.isfinite(painted(engine, guided(canvas_of(), "canny"))).all(), "kept: the other one was to make room"
    finally:
        engine.close()


def test_a_controlnet_that_overflows_half_precision_works_in_single(folders, engines):
    expected = painted(engines[9], guided(canvas_of(), "canny"))
    engine = DiffusionEngine(models.find(str(folders[9])), device="cpu", dtype=torch.float16)
    reached = []

    def overflow(_: object, __: object, out: torch.Tensor) -> torch.Tensor:
        reached.append(out.dtype)
        return out * np.inf if out.dtype == torch.float16 else out

    try:
        painted(engine, guided(canvas_of(3), "canny"))
        kept = engine._networks.guides.get(models.find_control("canny", "sd1"))
        kept.network.controlnet_mid_block.register_forward_hook(overflow)
        again = painted(engine, guided(canvas_of(), "canny"))
    finally:
        engine.close()
    assert {torch.float16, torch.float32} == set(reached)
    assert levels(again, expected) < 4


def test_a_record_names_the_controlnet_so_that_a_replay_takes_the_same_one(folders):
    size = Size(96, 80)
    ask = {"mask": Mask.box(size, Box(30, 20, 60, 50)), "intent": "replace", "prompt": "a dog", "steps": 2, "seed": 1}
    lines = np.zeros((80, 96), np.uint8)
    lines[20:50, 40:44] = 255
    with Studio(device="cpu") as studio:
        ask |= {"model": str(folders[4])}
        plain = studio.edit(photo(size), **ask)
        edited = studio.edit(photo(size), controls=[Control(kind="canny", image=blob_of(lines))], **ask)
        (control,) = edited.record.request.controls
        assert control.model == "tiny-canny"
        used = {one.role: one for one in edited.resolved.models}
        assert set(used) == {"checkpoint", "controlnet"}
        ref = models.find_control("canny", "sd1")
        assert (used["controlnet"].name, used["controlnet"].sha256) == ("tiny-canny", models.digest(ref.path))
        assert used["controlnet"].licence == "unknown"
        assert not np.array_equal(edited.picture.samples, plain.picture.samples)
        again = studio.edit(photo(size), edited.request)
        assert np.array_equal(again.picture.samples, edited.picture.samples)
        with pytest.raises(ModelError) as caught:
            studio.edit(photo(size), controls=[Control(kind="tile", image=blob_of(lines))], **ask)
        assert caught.value.code == "control-missing"


def test_the_example_s_hand_is_guided_by_lines_that_are_drawn(folders, tmp_path):
    """examples/hand.py, with random weights: the lines reach the ControlNet for lineart, and move what is painted."""
    example = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "hand.py"))
    quick = {"size": 64, "steps": 2}
    drawn = example["main"](tmp_path / "hand.png", str(folders[4]), "tiny-lineart", **quick)
    paper = np.asarray(Image.open(tmp_path / "hand-lines.png"))
    assert paper.shape == (512, 512)
    assert 0.005 < np.mean(paper < 128) < 0.02
    assert [one.name for one in drawn.resolved.models if one.role == "controlnet"] == ["tiny-lineart"]
    assert any("dark lines on a light ground" in note for note in drawn.notes)
    without = example["main"](tmp_path / "hand.png", str(folders[4]), **quick, controls=None)
    left, top, right, bottom = example["PLACE"]
    one, other = (edit.picture.samples[top:bottom, left:right].astype(float) for edit in (drawn, without))
    assert np.abs(one - other).mean() > 0.5
    made = example["main"](tmp_path / "hand.png", str(folders[4]), **quick, controls=["canny"])
    assert made.resolved.controls[0].model == "tiny-canny"
    assert made.resolved.controls[0].inside is False, "what is in the hole is to go"
