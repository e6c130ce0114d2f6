"""OSOR: one step of SDXL-Inpainting, and an alpha that says what else changed; on a small random checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from overpaint import Mask, Studio, models
from overpaint.cli import main
from overpaint.engines.erase.load import load_network
from overpaint.engines.erase.osor import PROMPT, TIME
from overpaint.errors import ModelError
from overpaint.geometry import Box, Size
from overpaint.models import find_eraser
from test_diffusion_engine import checkpoint
from test_untouched import picture_of

MODULES = (
    "to_k", "to_q", "to_v", "to_out.0", "conv", "conv1", "conv2", "conv_shortcut", "proj_in", "proj_out", "ff.net.2",
    "ff.net.0.proj",
)  # fmt: skip
"""The layers that the published training gives a LoRA, as peft reads these names."""
SIZE = Size(300, 260)
PICTURE = picture_of(SIZE, "rgb", 8)
MASK = Mask.box(SIZE, Box(100, 60, 160, 130))


def trained(base: Path, *, rank: int = 4, alpha: float = 0.0) -> dict[str, torch.Tensor]:
    """What the published training saves: peft's tensors, and a last convolution with one more channel."""
    unet = UNet2DConditionModel.from_pretrained(base / "unet")
    generator = torch.Generator().manual_seed(1)
    found = {}
    for name, one in unet.named_modules():
        if not any(name.endswith(f".{module}") for module in MODULES):
            continue
        out, into, *kernel = one.weight.shape
        down, up = (rank, into, *kernel), (out, rank, *(1 for _ in kernel))
        found[f"unet.{name}.lora_A.default.weight"] = 0.2 * torch.randn(down, generator=generator)
        found[f"unet.{name}.lora_B.default.weight"] = 0.2 * torch.randn(up, generator=generator)
    weight = unet.conv_out.weight.detach()
    head = 0.3 * torch.randn((1, *weight.shape[1:]), generator=generator)
    found["unet.conv_out.weight"] = torch.cat((weight, head))
    found["unet.conv_out.bias"] = torch.cat((unet.conv_out.bias.detach(), torch.tensor([alpha])))
    return found


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small SDXL inpainting checkpoint."""
    return checkpoint(tmp_path_factory.mktemp("sdxl") / "small-xl", 9, "sdxl")


@pytest.fixture(autouse=True)
def _here(model_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model_home)


@pytest.fixture
def osor(base: Path) -> Path:
    """OSOR in the store beside the checkpoint that it works with."""
    store = models.store_folder()
    store.mkdir(parents=True)
    (store / "small-xl").symlink_to(base, target_is_directory=True)
    save_file(trained(base), store / "osor.safetensors")
    return store / "osor.safetensors"


def published(base: Path, picture: torch.Tensor, hole: torch.Tensor, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Picture and alpha by the published program's arithmetic (Zhouqm-Git/osor), in diffusers and transformers."""
    unet = UNet2DConditionModel.from_pretrained(base / "unet").eval()
    held = trained(base)
    for name, one in unet.named_modules():
        down = held.get(f"unet.{name}.lora_A.default.weight")
        if down is not None:
            up = held[f"unet.{name}.lora_B.default.weight"]
            one.weight.data += (up.flatten(1) @ down.flatten(1)).reshape(one.weight.shape)
    unet.conv_out = torch.nn.Conv2d(unet.conv_out.in_channels, 5, 3, padding=1)
    unet.conv_out.weight.data, unet.conv_out.bias.data = held["unet.conv_out.weight"], held["unet.conv_out.bias"]
    vae = AutoencoderKL.from_pretrained(base / "vae").eval()
    scheduler = DDPMScheduler.from_pretrained(base / "scheduler", clip_sample=False)
    texts = CLIPTextModel, CLIPTextModelWithProjection
    states = []
    for ending, kind in zip(("", "_2"), texts, strict=True):
        tokenizer = CLIPTokenizer.from_pretrained(base / f"tokenizer{ending}")
        ids = tokenizer(PROMPT, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
        encoder = kind.from_pretrained(base / f"text_encoder{ending}").eval()
        states.append(encoder(ids, output_hidden_states=True))
    context = torch.cat([one.hidden_states[-2] for one in states], dim=-1)
    height, width = picture.shape[-2:]
    added = {
        "text_embeds": states[1].text_embeds,
        "time_ids": torch.tensor([[height, width, 0, 0, height, width]], dtype=torch.float32),
    }
    generator = torch.Generator().manual_seed(seed)
    z_lq = vae.encode(picture * 2 - 1).latent_dist.sample(generator) * vae.config.scaling_factor
    noise = torch.randn(z_lq.shape, generator=generator)
    time = torch.tensor([TIME])
    z = scheduler.add_noise(z_lq, noise, time)
    mask = torch.nn.functional.max_pool2d(hole, kernel_size=8, stride=8)
    output = unet(torch.cat([z, mask, z_lq], 1), time, encoder_hidden_states=context, added_cond_kwargs=added).sample
    alpha = torch.sigmoid(output[:, 4:])
    clean = scheduler.step(output[:, :4], TIME, z).pred_original_sample
    clean = clean * alpha + z_lq * (1 - alpha)
    image = (vae.decode(clean / vae.config.scaling_factor).sample + 1) / 2
    return image.clamp(0, 1), torch.nn.functional.interpolate(alpha, size=(height, width), mode="bilinear")


def test_a_picture_gets_what_the_published_program_gives_it(base: Path, osor: Path):
    network = load_network(find_eraser("osor"), torch.device("cpu"))
    picture, hole = torch.rand(1, 3, 96, 64, generator=torch.Generator().manual_seed(5)), torch.zeros(1, 1, 96, 64)
    hole[..., 20:50, 13:40] = 1
    with torch.inference_mode():
        found = network(picture, hole, 7, lambda *_: None)
        image, alpha = published(base, picture, hole, 7)
    assert float(alpha.std()) > 0.01, "an alpha that differs from place to place"
    assert (found[:, :3] - image).abs().max() < 1e-4
    assert (found[:, 3:] - alpha).abs().max() < 1e-4


def erased(**given: Any) -> Any:
    with Studio() as studio:
        found = studio.edit(PICTURE, mask=MASK, model="osor", intent="remove", seed=3, detail="none", **given)
    assert np.array_equal(found.picture.samples[~found.touched], PICTURE.samples[~found.touched])
    assert (found.picture.samples[MASK.core] != PICTURE.samples[MASK.core]).any()
    return found


def test_what_it_changed_beyond_the_mask_is_pasted_where_the_request_allows_it_and_recorded(osor: Path):
    plain, followed = erased(), erased(follow_effects=True, reach_limit=40)
    assert plain.reach < 10
    assert any("follow_effects" in note for note in plain.notes), "what else it changed is mentioned"
    assert 20 < followed.reach <= 40
    assert not any("beyond the mask" in note for note in followed.notes)
    assert followed.touched.sum() > 2 * plain.touched.sum()
    resolved = followed.record.resolved
    assert (resolved.follow_effects, resolved.reach_limit) == (True, 40)
    assert [(one.role, one.name) for one in resolved.models] == [("eraser", "osor"), ("checkpoint", "small-xl")]
    assert resolved.models[0].licence == "CreativeML Open RAIL++-M"


def test_its_seed_decides_and_variations_are_its_own(osor: Path):
    one, again = erased().picture.samples, erased().picture.samples
    assert np.array_equal(one, again)
    with Studio() as studio:
        found = [*studio.variations(PICTURE, mask=MASK, model="osor", intent="remove", count=2, seed=3, detail="none")]
    assert np.array_equal(found[0].picture.samples, one)
    assert not np.array_equal(found[1].picture.samples, one)


def test_the_checkpoint_beneath_is_left_as_it_is_and_is_shared(osor: Path, base: Path):
    with Studio() as studio:
        engine = studio.engine("erase", "osor")
        assert engine.card.uses("follow_effects")
        assert engine.card.uses("seed")
        weights = (base / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()
        erased()
    assert (base / "unet" / "diffusion_pytorch_model.safetensors").read_bytes() == weights


def test_without_its_checkpoint_it_says_what_it_needs(base: Path, tmp_path: Path):
    save_file(trained(base), tmp_path / "osor.safetensors")
    with pytest.raises(ModelError, match="works with an SDXL inpainting checkpoint, and none is on") as caught:
        find_eraser("./osor.safetensors")
    assert (caught.value.code, caught.value.field) == ("model-incomplete", "base")
    assert find_eraser("./osor.safetensors", base=str(base)).base is not None
    with pytest.raises(ModelError, match="and pocket is a"):
        find_eraser("./osor.safetensors", base="pocket")
    assert models.default_eraser() is None


def test_the_published_pickle_is_read_without_running_anything_and_converted(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    torch.save(trained(base), tmp_path / "sdxlinpainting_phase2.pth")
    assert models.detect(tmp_path / "sdxlinpainting_phase2.pth").title == "eraser (OSOR), pickle"
    with pytest.raises(ModelError, match="pickle"):
        find_eraser("./sdxlinpainting_phase2.pth", base=str(base))
    assert main(["models", "convert", "./sdxlinpainting_phase2.pth"]) == 0
    assert capsys.readouterr().out.startswith("converted osor: eraser (OSOR), fp32, ")
    assert find_eraser("osor", base=str(base)).kind.form == "safetensors"


@pytest.mark.parametrize("fault", ["narrow", "foreign"])
def test_a_file_that_does_not_go_with_the_checkpoint_is_refused(fault: str, base: Path, osor: Path):
    held = trained(base)
    if fault == "narrow":
        held["unet.conv_out.weight"] = held["unet.conv_out.weight"][:, :4].contiguous()
    else:
        name = next(one for one in held if one.endswith("lora_A.default.weight"))
        held["unet.elsewhere.to_q.lora_A.default.weight"] = held.pop(name)
    save_file(held, osor)
    with Studio() as studio, pytest.raises(ModelError, match=r"osor\.safetensors"):
        studio.edit(PICTURE, mask=MASK, model="osor", intent="remove")


def test_an_ordinary_lora_is_no_eraser(base: Path, tmp_path: Path):
    held = {name: one for name, one in trained(base).items() if "conv_out" not in name}
    save_file(held, tmp_path / "style.safetensors")
    assert models.detect(tmp_path / "style.safetensors").what == "lora"
