"""Reference pictures through the engine and the studio: from a request to a picture, its notes and its record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import adapters
from overpaint import Mask, Studio, models
from overpaint.engines.base import Canvas, ControlImage, paint
from overpaint.engines.diffusion.engine import DiffusionEngine
from overpaint.engines.packed import canvas_arrays, pack_canvas
from overpaint.engines.weight_store import WeightStore
from overpaint.errors import RequestError
from overpaint.geometry import Box, Size
from overpaint.models import ModelError
from overpaint.request import Blob, Control
from test_diffusion_engine import canvas_of, checkpoint, levels, painted, photo

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")  # in diffusers, under NumPy 2

NAME = "tiny-reference"
_FACTORS = {"down": (4, 16), "up": (16, 4)}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkpoint; beside the store an adapter, and an encoder in the store."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OVERPAINT_HOME", str(home / "overpaint"))
        patch.setenv("HF_HUB_CACHE", str(home / "hub"))
        store = home / "overpaint" / "models"
        store.mkdir(parents=True)
        model = checkpoint(home / "sd1-9", 9)
        from diffusers import UNet2DConditionModel

        widths = adapters.widths_of(UNet2DConditionModel.from_pretrained(model / "unet"))
        save_file(adapters.adapter(widths, 16), store / f"{NAME}.safetensors")
        adapters.encoder(store / "tiny-encoder")
        yield model


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[DiffusionEngine]:
    held = DiffusionEngine(models.find(str(folder)), device="cpu", dtype=torch.float32)
    yield held
    held.close()


def pixels(seed: int, height: int = 50, width: int = 30) -> np.ndarray:
    return (np.random.default_rng(seed).integers(0, 256, (height, width, 3)) / 255).astype(np.float32)


def after(canvas: Canvas, *shown: np.ndarray, **settings: Any) -> Canvas:
    """The canvas with reference pictures."""
    blob = Blob(sha256="0" * 64, width=1, height=1)
    controls = tuple(ControlImage(Control(kind="reference", image=blob, model=NAME, **settings), one) for one in shown)
    return replace(canvas, controls=controls)


def test_a_reference_changes_the_picture_and_no_neighbour(engine: DiffusionEngine) -> None:
    lot = [canvas_of(), after(canvas_of(), pixels(1)), after(canvas_of(), pixels(2), pixels(1), weight=0.6)]
    plain, one, two = (each.pixels for each in paint(engine, lot))
    assert levels(painted(engine, lot[0]), plain) < 0.01
    assert levels(painted(engine, lot[1]), one) < 0.01
    assert min(levels(plain, one), levels(one, two)) > 0.3
    halves = [painted(engine, after(canvas_of(), pixels(1), **less)) for less in ({"weight": 0.5}, {"end": 0.5})]
    assert min(levels(half, other) for half in halves for other in (plain, one)) > 0.1


def test_a_lora_and_a_reference_act_together(engine: DiffusionEngine, folder: Path) -> None:
    """The adapter's layers are put into the network that has the LoRA in it."""
    layer = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
    draw = torch.Generator().manual_seed(1)
    held = {f"{layer}.lora_{side}.weight": torch.randn(shape, generator=draw) for side, shape in _FACTORS.items()}
    save_file(held, models.store_folder() / "tiny-change.safetensors")
    prompts = ("a cat", "a cat <lora:tiny-change:1>")
    lot = [canvas_of(prompt=one) for one in prompts] + [after(canvas_of(prompt=one), pixels(1)) for one in prompts]
    pictures = [one.pixels for one in paint(engine, lot)]
    for number, one in enumerate(pictures):
        assert all(levels(one, other) > 0.1 for other in pictures[:number]), number


def test_networks_are_loaded_once_and_pictures_encoded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from overpaint.engines.diffusion import loader, networks

    counts = {"load": 0, "encode": 0}
    load, encode = loader.load_adapter, networks.encoded_tokens

    def counted(name: str, work: Any) -> Any:
        def call(*args: Any) -> Any:
            counts[name] += 1
            return work(*args)

        return call

    monkeypatch.setattr(loader, "load_adapter", counted("load", load))
    monkeypatch.setattr(networks, "encoded_tokens", counted("encode", encode))
    store = WeightStore()
    engine = DiffusionEngine(models.find(str(folder)), device="cpu", dtype=torch.float32, weights=store)
    try:
        painted(engine, canvas_of(steps=1))
        before = store.bytes
        for number in range(2):
            paint(engine, [after(canvas_of(number, steps=1), pixels(1), pixels(1))])
        assert counts == {"load": 1, "encode": 1}
        held = engine._networks.guides.get(models.find_reference("sd1", NAME))
        parts = (held.layers, held.projection, held.encoder)
        assert store.bytes - before == sum(one.numel() * 4 for part in parts for one in part.parameters())
    finally:
        engine.close()


def test_settings_without_effect_are_named_in_notes(engine: DiffusionEngine) -> None:
    def notes(**settings: Any) -> tuple[str, ...]:
        return paint(engine, [after(canvas_of(steps=2), pixels(1), **settings)])[0].notes

    assert notes() == ()
    assert notes(weight=0.0) == ("the control reference had no effect: its weight is 0",)
    assert notes(mode="control") == ("the control reference has no mode: control had no effect",)
    assert notes(inside=True) == (
        "the control reference shows a picture of its own, not the edited one: inside had no effect",
    )


def test_an_encoder_that_overflows_half_precision_works_in_single(folder: Path, engine: DiffusionEngine) -> None:
    canvas, half = (
        after(canvas_of(steps=1), pixels(3)),
        DiffusionEngine(models.find(str(folder)), device="cpu", dtype=torch.float16),
    )
    reached = []

    def overflow(_: object, __: object, out: torch.Tensor) -> torch.Tensor:
        reached.append(out.dtype)
        return out * np.inf if out.dtype == torch.float16 else out

    refs = models.find_reference("sd1", NAME)
    try:
        for one in (engine, half):
            painted(one, after(canvas_of(steps=1), pixels(2)))
        expected = engine._networks.picture(engine._networks.guides.get(refs), canvas.controls[0])
        held = half._networks.guides.get(refs)
        held.encoder.post_layernorm.register_forward_hook(overflow)
        (made,) = paint(half, [canvas])
        assert np.isfinite(made.pixels).all()
        assert any(note.startswith("the picture encoder gave numbers") for note in made.notes)
        found = half._networks.picture(held, canvas.controls[0])
    finally:
        half.close()
    assert {torch.float16, torch.float32} == set(reached)
    assert (found.tokens - expected.tokens).abs().max() < 0.02


def test_a_record_names_adapter_and_encoder_so_that_a_replay_takes_the_same_ones(folder: Path) -> None:
    size, shown = Size(96, 80), np.random.default_rng(1).integers(0, 256, (33, 61, 3), np.uint8)
    ask: dict[str, Any] = {"mask": Mask.box(size, Box(30, 20, 60, 50)), "intent": "replace", "prompt": "a dog"}
    ask |= {"model": str(folder), "steps": 2, "seed": 1}
    guide = {"kind": "reference", "image": shown, "model": NAME, "weight": 0.8}
    with Studio(device="cpu") as studio:
        plain = studio.edit(photo(size), **ask)
        edited = studio.edit(photo(size), controls=[guide], **ask)
        (control,) = edited.record.request.controls
        assert (control.model, dict(control.options)) == (NAME, {"encoder": "tiny-encoder"})
        used = {one.role: one for one in edited.resolved.models}
        assert set(used) == {"checkpoint", "ip-adapter", "image-encoder"}
        refs = models.find_reference("sd1", NAME)
        assert used["ip-adapter"].sha256 == models.digest(refs.adapter.path)
        assert used["image-encoder"].sha256 == models.digest(refs.encoder.path)
        assert not np.array_equal(edited.picture.samples, plain.picture.samples)
        found = studio.edit(photo(size), controls=[guide | {"model": None}], **ask)
        assert np.array_equal(found.picture.samples, edited.picture.samples), "the one here of its sizes is found"
        again = studio.edit(photo(size), edited.request)
        assert np.array_equal(again.picture.samples, edited.picture.samples)
        for change, code in (
            ({"options": {"strength": 1}}, "control-option"),
            ({"options": {"encoder": 1}}, "control-option"),
            ({"options": {"encoder": "nothing"}}, "model-unknown"),
        ):
            with pytest.raises((ModelError, RequestError)) as caught:
                studio.edit(photo(size), controls=[guide | change], **ask)
            assert caught.value.code == code


def test_a_large_reference_is_reduced_and_one_with_margins_is_not_extended(folder: Path) -> None:
    from overpaint.geometry import Margins
    from overpaint.request import EditRequest
    from overpaint.studio.controls import controls_of, scene_controls

    controls, rasters = controls_of([{"kind": "reference", "image": np.zeros((1500, 3000, 3), np.uint8)}])
    (one,) = scene_controls(EditRequest(intent="replace", controls=controls), Size(40, 30), rasters)
    assert one.image is not None
    assert one.image.shape[:2] == (1024, 2048)
    assert one.extended(Margins(1, 2, 3, 4)) is one


def test_a_canvas_for_a_server_carries_a_reference_of_any_size() -> None:
    canvas = after(canvas_of(), pixels(1))
    _, (image,) = canvas_arrays(pack_canvas(canvas))
    assert np.array_equal(image, canvas.controls[0].pixels)
