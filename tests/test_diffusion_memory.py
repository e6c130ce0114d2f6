"""Memory of the diffusion engine: strips, turns on a device and weights in eight bits, with their bytes counted."""

from __future__ import annotations

import copy
import gc
import json
import weakref
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
import torch

from overpaint import models
from overpaint.engines.base import Canvas, paint
from overpaint.engines.diffusion import loader, memory_report, networks
from overpaint.engines.diffusion.caches import bytes_of
from overpaint.engines.diffusion.clip import ClipText
from overpaint.engines.diffusion.devices import memory_left
from overpaint.engines.diffusion.diffusers_networks import UNET, VAE, clip_config
from overpaint.engines.diffusion.engine import DiffusionEngine
from overpaint.engines.diffusion.families.unet import UNetFamily
from overpaint.engines.diffusion.fp8_weights import with_fp8_weights
from overpaint.engines.diffusion.lora import LoraUse, Merged, lora_from
from overpaint.engines.diffusion.memory_count import peak_bytes
from overpaint.engines.diffusion.memory_plan import MemoryPlan, counted_bytes, counted_in_fp8, plan_of
from overpaint.engines.diffusion.network_call import NetworkCall
from overpaint.engines.diffusion.networks import Networks, PromptNetworks
from overpaint.engines.diffusion.options import DiffusionOptions
from overpaint.engines.diffusion.placement import Placement, beside, bring, device_of
from overpaint.engines.diffusion.text_plan import CanvasTexts, TextSettings
from overpaint.engines.diffusion.vae_strips import StripVae, TinyStripVae, in_strips, strip_bytes
from overpaint.engines.diffusion.values import LoadedModel, NetworkInput
from overpaint.geometry import Size
from overpaint.models import ModelRef
from overpaint.request import Sampling


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def pocket() -> tuple[LoadedModel, ModelRef]:
    ref = models.find("pocket")
    return loader.load(ref), ref


def autoencoder(*widths: int, groups: int = 4, **further: Any) -> Any:
    return VAE(
        block_out_channels=widths,
        norm_num_groups=groups,
        layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        latent_channels=4,
        **further,
    ).eval()


@pytest.fixture(scope="module")
def vae() -> Any:
    torch.manual_seed(0)
    return autoencoder(8, 16, 16, 16).requires_grad_(False).to(memory_format=torch.channels_last)


@pytest.mark.parametrize("cells", [(24, 16), (17, 23)])
def test_a_vae_in_strips_gives_what_the_whole_gives(vae: Any, cells: tuple[int, int]) -> None:
    torch.manual_seed(1)
    # One side is bright, so that statistics of a part are others than those of the whole.
    x = torch.rand(1, 3, 8 * cells[0], 8 * cells[1]) + torch.linspace(-2, 1, 8 * cells[0])[:, None]
    strips = StripVae(vae, strip=1 << 14)
    with torch.inference_mode():
        whole, parts = vae.encode(x).latent_dist, strips.encode(x).latent_dist
        z = whole.mean
        picture, painted = vae.decode(z).sample, strips.decode(z).sample
    assert (parts.mean - whole.mean).abs().max() < 1e-4 * whole.mean.std()
    assert (parts.std - whole.std).abs().max() < 1e-4
    assert (painted - picture).abs().max() * 127.5 < 0.05


def test_a_vae_in_strips_takes_about_half_the_memory(vae: Any) -> None:
    with torch.device("meta"):
        published = autoencoder(128, 256, 512, 512, groups=32).half()
        z = torch.empty(1, 4, 64, 64, dtype=torch.half)
    whole = peak_bytes(lambda: published.decode(z))
    strips = peak_bytes(lambda: StripVae(published, strip=16 << 20).decode(z))
    assert strips < 0.7 * whole
    assert strip_bytes(published, 512 * 512) <= strips <= strip_bytes(published, 512 * 512) + 5 * (16 << 20)
    # On a CPU, with numbers: the same count.
    z = torch.randn(1, 4, 24, 24)
    assert peak_bytes(lambda: StripVae(vae, strip=1 << 14).decode(z)) < 0.65 * peak_bytes(lambda: vae.decode(z))


def test_a_vae_of_unknown_layers_is_not_taken_apart() -> None:
    odd = VAE(block_out_channels=(8,), norm_num_groups=4, up_block_types=("AttnUpDecoderBlock2D",))
    assert in_strips(odd) is None


def test_a_tiny_vae_in_strips_gives_what_the_whole_gives(pocket: tuple[LoadedModel, ModelRef]) -> None:
    tiny = pocket[0].vae
    strips = TinyStripVae(tiny, cells=8)
    x = torch.rand(1, 3, 384, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        latents = tiny.encode(x).latents
        assert (strips.encode(x).latents - latents).abs().max() < 1e-4
        assert (strips.decode(latents).sample - tiny.decode(latents).sample).abs().max() * 127.5 < 0.05


def test_large_pictures_are_decoded_in_strips(
    pocket: tuple[LoadedModel, ModelRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Networks(*pocket, torch.device("cpu"))
    latents = torch.randn(1, 4, 80, 8, generator=torch.Generator().manual_seed(0))
    whole = held.decode(latents)
    monkeypatch.setattr(networks, "TILED_ABOVE", 64 * 64)
    called: list[torch.Tensor] = []
    decode = TinyStripVae.decode

    def noted(self: TinyStripVae, z: torch.Tensor) -> Any:
        called.append(z)
        return decode(self, z)

    monkeypatch.setattr(TinyStripVae, "decode", noted)
    assert np.abs(held.decode(latents) - whole).max() * 255 < 0.1
    assert called


def published(family: str, *, fp8: bool = False) -> LoadedModel:
    """A model of published sizes in half precision, on torch's meta device: shapes without memory."""
    one: UNetFamily = models.family_of(family)
    folder = models.config_folder(family)
    config, vae_config = (json.loads((folder / part / "config.json").read_text()) for part in ("unet", "vae"))
    with torch.device("meta"):
        unet, vae = UNET.from_config({**config, "in_channels": 9}).half(), VAE.from_config(vae_config)
        texts = tuple(ClipText(clip_config(folder / part.folder), projection=part.projection) for part in one.texts)
    # SDXL's VAE does not work in half precision.
    vae = vae if vae_config.get("force_upcast") else vae.half()
    network = with_fp8_weights(unet) if fp8 else unet
    return LoadedModel(one, network, vae, tuple(text.half() for text in texts), (), {}, "epsilon", family)


GB = 10**9


@pytest.mark.parametrize(("family", "side", "device"), [("sd1", 512, 4 * GB), ("sdxl", 1024, 8 * GB)])
def test_published_models_fit_small_gpus(family: str, side: int, device: int) -> None:
    plan = plan_of(published(family), Size(side, side), device)
    assert plan.counted is not None
    assert plan.counted.peak(plan.memory) < 0.9 * device
    assert plan.rows(side * side) >= 2  # prompt and negative prompt in one call
    assert plan.counted.rows(plan.memory, device // 4, area=side * side) < plan.rows(side * side)


def test_what_fits_is_told_without_loading_and_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_report, "memory_left", lambda device: 24 * GB)
    found = memory_report.fits((), torch.device("cuda"))
    ways = {free: [replace(one, free=free * GB).best for one in found] for free in (24, 8, 4, 1)}
    assert [one.title for one in found] == ["Stable Diffusion 1.x inpainting", "SDXL inpainting"]
    assert ways[24] == [("whole", False), ("whole", False)]
    assert ways[8] == [("whole", False), ("model", False)]
    assert ways[4] == [("whole", False), ("block", False)]
    assert ways[1] == [("block", False), None]
    model = published("sd1")
    assert found[0].plain == plan_of(model, found[0].size, GB).counted


def given(loaded: LoadedModel, rows: int = 2) -> NetworkInput:
    """A call of the network on 96x96 pixels, with random numbers."""
    example = loaded.family.example_input(loaded.network, Size(96, 96), rows)
    assert example is not None
    draw = torch.Generator().manual_seed(0)

    def random(one: torch.Tensor) -> torch.Tensor:
        return torch.randn(one.shape, generator=draw)

    times = torch.full((rows,), 500.0)
    extra = None if example.extra is None else random(example.extra)
    return NetworkInput(random(example.x), torch.ones(rows), times, example.conditioning.map(random), extra)


def output(network: Any, loaded: LoadedModel) -> torch.Tensor:
    return NetworkCall(loaded.family, network)(given(loaded))


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).norm() / other.norm())


def test_counted_bytes_are_those_of_a_call(pocket: tuple[LoadedModel, ModelRef]) -> None:
    loaded, _ = pocket
    counted = counted_bytes(loaded.family, loaded.network, loaded.vae, loaded.text_encoders, Size(96, 96))
    assert counted is not None
    call = given(loaded)
    taken = peak_bytes(lambda: loaded.family.predict(loaded.network, call))
    assert counted.network.call + counted.network.row == pytest.approx(taken, rel=0.1)
    assert counted.network.weights == bytes_of(*loaded.network.parameters())
    assert counted.peak("block") < counted.peak("model") < counted.peak("whole")
    ways = [counted.choice(int(1.2 * counted.peak(way))) for way in ("whole", "model", "block")]
    assert ways == ["whole", "model", "block"]


def test_weights_in_eight_bits_take_half_and_are_near_bf16(pocket: tuple[LoadedModel, ModelRef]) -> None:
    loaded, _ = pocket
    half = copy.deepcopy(loaded.network).bfloat16()
    small = with_fp8_weights(half)
    sizes = [bytes_of(*one.parameters(), *one.buffers()) for one in (small, half)]
    assert sizes[0] < 0.56 * sizes[1]
    kept = [one.weight for one in (small.conv_in, small.conv_out, small.time_embedding.linear_1, small.conv_norm_out)]
    assert {one.dtype for one in kept} == {torch.bfloat16}
    assert small.conv_in.weight is half.conv_in.weight
    assert 0 < apart(output(small, loaded), output(half, loaded)) < 0.03


def test_bytes_in_eight_bits_follow_from_those_in_sixteen(pocket: tuple[LoadedModel, ModelRef]) -> None:
    loaded, _ = pocket
    half = copy.deepcopy(loaded.network).bfloat16()
    parts = loaded.vae, loaded.text_encoders, Size(192, 192)
    plain = counted_bytes(loaded.family, half, *parts)
    exact = counted_bytes(loaded.family, with_fp8_weights(half), *parts)
    assert plain is not None
    assert exact is not None
    found = counted_in_fp8(plain, half)
    assert (found.network.weights, found.network.blocks) == (exact.network.weights, exact.network.blocks)
    for memory in ("whole", "model", "block"):
        assert found.peak(memory) == pytest.approx(exact.peak(memory), rel=0.03)


def test_loras_are_merged_before_weights_go_to_eight_bits(pocket: tuple[LoadedModel, ModelRef]) -> None:
    loaded, ref = pocket
    name = "mid_block.attentions.0.transformer_blocks.0.ff.net.2"
    layer = loaded.network.get_submodule(name)
    draw = torch.Generator().manual_seed(0)
    down, up = torch.randn(1, layer.in_features, generator=draw), torch.randn(layer.out_features, 1, generator=draw)
    up *= 0.02 * layer.weight.std()  # far below the steps of the type
    key = "lora_unet_" + name.replace(".", "_")
    lora = lora_from({f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}, "small", "0" * 64)
    in_fp8 = replace(loaded, network=with_fp8_weights(loaded.network))
    held = Networks(in_fp8, ref, torch.device("cpu"), original=lambda: loaded.network)
    merged = held.merged([LoraUse(lora)]).unet.get_submodule(name)
    change = (merged.wide_weight(down) - layer.weight).flatten()
    wanted = (up @ down).flatten()
    assert float(change @ wanted / (wanted @ wanted)) == pytest.approx(1, abs=0.15)
    assert held.merged([LoraUse(lora, unet=0)]).unet is in_fp8.network


@pytest.mark.parametrize("turns", ["model", "block"])
def test_networks_that_take_turns_paint_the_same(
    pocket: tuple[LoadedModel, ModelRef], turns: Literal["model", "block"]
) -> None:
    loaded, ref = pocket
    cpu = torch.device("cpu")  # stands for a device: weights are copied to it all the same
    placement = Placement(cpu, turns)
    pixels = np.random.default_rng(0).random((128, 128, 3), dtype=np.float32)
    mask = np.zeros((128, 128), np.float32)
    mask[32:96, 32:96] = 1
    canvas = Canvas(pixels, mask, 1, sampling=Sampling(prompt="a red rose", steps=2))
    pictures = []
    for held in (Networks(loaded, ref, cpu), Networks(loaded, ref, cpu, placement=placement)):
        engine = DiffusionEngine(ref, device="cpu")
        engine._networks = held
        pictures.append(paint(engine, [canvas])[0].pixels)
        engine.close()
    assert np.abs(pictures[1] - pictures[0]).max() * 255 < 0.1
    assert placement.bytes == bytes_of(*loaded.vae.parameters(), *loaded.vae.buffers())  # the last one called

    half = replace(loaded, network=copy.deepcopy(loaded.network).bfloat16())
    texts = CanvasTexts.read(Sampling(), TextSettings())
    chosen = PromptNetworks(Merged(half.network, half.text_encoders, "unet", "text"), texts)
    for wide in (False, True):  # a repetition in single precision takes turns, too
        turn, whole = (
            Networks(half, ref, cpu, placement=one).denoiser(chosen, exact=False, wide=wide).output(given(loaded))
            for one in (placement, None)
        )
        assert apart(turn, whole) < (1e-4 if wide else 0.02)


def test_a_call_that_fails_leaves_no_block_on_the_device(pocket: tuple[LoadedModel, ModelRef]) -> None:
    loaded, _ = pocket
    placement = Placement(torch.device("cpu"), "block")
    twin = placement.twin(loaded.network, "network")
    output(twin, loaded)
    before = placement.bytes
    assert before < 0.2 * bytes_of(*loaded.network.parameters())
    twin.mid_block.resnets[0].conv2.forward = lambda x: 1 / 0
    with pytest.raises(ZeroDivisionError):
        output(twin, loaded)
    assert placement.bytes == before
    ended = weakref.ref(twin)
    del twin, placement
    gc.collect()
    assert ended() is None  # its network is still in use elsewhere


def test_networks_of_one_stage_leave_where_there_is_no_room_for_both(pocket: tuple[LoadedModel, ModelRef]) -> None:
    loaded, _ = pocket
    other = copy.copy(loaded.network)
    size = bytes_of(*loaded.network.parameters(), *loaded.network.buffers())
    for capacity, held in ((None, 2), (2 * size, 2), (int(1.5 * size), 1)):
        placement = Placement(torch.device("cpu"), "model", capacity)
        first, second = (placement.twin(one, "network") for one in (loaded.network, other))
        bring(first)
        bring(second)
        assert placement.bytes == held * size
        assert beside(first, other) is second
    assert placement.twin(loaded.network, "network") is first
    small = Placement(torch.device("cpu"), "model", size // 2)  # a network that does not fit goes by blocks
    output(twin := small.twin(loaded.network, "network"), loaded)
    assert small.bytes < size // 4
    assert device_of(twin) == torch.device("cpu")


def test_memory_that_torch_holds_without_use_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"mem_get_info": (100, 1000), "memory_reserved": 50, "memory_allocated": 20}
    for name, value in given.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    assert memory_left(torch.device("cuda")) == 130


def test_rows_of_a_call_follow_from_free_memory(pocket: tuple[LoadedModel, ModelRef]) -> None:
    loaded, ref = pocket
    engine = DiffusionEngine(ref, device="cpu")
    counted = counted_bytes(loaded.family, loaded.network, loaded.vae, loaded.text_encoders, Size(192, 192))
    assert counted is not None
    runs: Any = [SimpleNamespace(canvas=SimpleNamespace(size=Size(384, 384)))]
    for rows in (1, 3):
        free = (counted.network.weights + 4 * (rows + 0.5) * counted.network.row) / 0.9  # four times the area
        engine._plan = MemoryPlan("model", int(free), counted)
        assert engine._rows(runs) == rows
    engine.close()


def test_options_of_memory_without_an_effect_are_noted(pocket: tuple[LoadedModel, ModelRef]) -> None:
    held = Networks(*pocket, torch.device("cpu"))
    assert held.notes_of(DiffusionOptions(memory="auto")) == ()
    assert "no effect on a CPU" in held.notes_of(DiffusionOptions(memory="block"))[0]
