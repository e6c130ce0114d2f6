"""Checkpoints become networks: every published layout at real size, and small ones as diffusers reads them."""

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import checkpoints
from checkpoints import REAL, TINY, Plan
from overpaint import models
from overpaint.engines.diffusion import loader, weights
from overpaint.engines.diffusion.values import LoadedModel
from overpaint.models import Kind, ModelError

FAMILIES = ("sd1", "sd2", "sdxl")


@pytest.fixture(autouse=True)
def _alone(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own, no hub's cache, and no network at all."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("OVERPAINT_HOME", str(home))
    monkeypatch.setenv("HF_HUB_CACHE", str(home / "hub"))

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError(f"the network was asked for: {args}")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    torch.set_num_threads(1)


def saved(folder: Path, plan: Plan, name: str = "model.safetensors", **about: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(checkpoints.tensors(checkpoints.layout(plan), **about), folder / name)
    return folder / name


def found(path: Path, plan: Plan, **settings: Any) -> models.ModelRef:
    config = checkpoints.small_config(plan, path.parent / "config")
    return models.find(str(path), config=config, **settings)


# ---- the published layouts, at their real sizes ----

PARAMETERS = {
    ("sd1", 4): (859_520_964, 83_653_863, (123_060_480,)),
    ("sd1", 9): (859_535_364, 83_653_863, (123_060_480,)),
    ("sd2", 4): (865_910_724, 83_653_863, (340_387_840,)),
    ("sd2", 9): (865_925_124, 83_653_863, (340_387_840,)),
    ("sdxl", 4): (2_567_463_684, 83_653_863, (123_060_480, 694_659_840)),
    ("sdxl", 9): (2_567_478_084, 83_653_863, (123_060_480, 694_659_840)),
}
"""Of U-Net, VAE and text encoders, as they were published (SD 2's text encoder without its last layer)."""


@pytest.mark.parametrize(("family", "channels"), list(PARAMETERS))
def test_every_tensor_of_a_published_checkpoint_has_its_place(family: str, channels: int) -> None:
    plan = dataclasses.replace(REAL[family], channels=channels)
    given = checkpoints.tensors(checkpoints.layout(plan), device="meta")
    kind = Kind("checkpoint", "safetensors", family=plan.family, channels=channels, prediction="epsilon")
    parts = loader.networks(
        models.ModelRef(family, Path("a.safetensors"), kind), given
    )  # raises for one that is missing, or one too many in the U-Net

    def count(network: Any) -> int:
        return sum(one.numel() for one in network.parameters())

    assert (count(parts.unet), count(parts.vae), tuple(map(count, parts.text_encoders))) == PARAMETERS[family, channels]
    used = count(parts.unet) + count(parts.vae) + sum(map(count, parts.text_encoders))
    left = sum(one.numel() for name, one in given.items() if _has_no_place(name, family))
    assert used + left == sum(one.numel() for one in given.values()), "none is left over"
    assert not [name for network in parts.text_encoders for name, _ in network.named_buffers()], "no file would fill it"


def weight_bytes(model: LoadedModel) -> int:
    """Memory that the weights take."""
    networks = (model.network, model.vae, *model.text_encoders)
    return sum(one.numel() * one.element_size() for network in networks for one in network.parameters())


def _has_no_place(name: str, family: str) -> bool:
    """What no network takes: buffers of training; in SD 2 also the text encoder's last layer and projection."""
    if name.endswith(("position_ids", "logit_scale")) or "." not in name or name.startswith("denoiser."):
        return True
    return family == "sd2" and (".resblocks.23." in name or name.endswith("text_projection"))


def test_the_layouts_have_as_many_tensors_as_the_published_files() -> None:
    counts = {family: len(checkpoints.unet(plan)) for family, plan in REAL.items()}
    assert counts == {"sd1": 686, "sd2": 686, "sdxl": 1680}
    assert len(checkpoints.vae(128)) == 248
    assert len(checkpoints.texts(REAL["sd1"])) == 197
    assert sum(map(len, (checkpoints.unet(REAL["sd1"]), checkpoints.vae(128), checkpoints.texts(REAL["sd1"])))) == 1131
    assert len(checkpoints.layout(REAL["sdxl"])) == 2515 + 1


# ---- small ones, against diffusers' own loader ----


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("channels", [4, 9])
def test_a_single_file_is_read_as_diffusers_reads_it(family: str, channels: int, tmp_path: Path) -> None:
    from diffusers import AutoencoderKL, UNet2DConditionModel

    plan = dataclasses.replace(TINY[family], channels=channels)
    path = saved(tmp_path, plan)
    ref = found(path, plan)
    assert (ref.kind.family, ref.kind.channels, ref.kind.inpainting) == (family, channels, channels == 9)
    loaded = loader.load(ref)
    config = {"config": str(tmp_path / "config"), "local_files_only": True}
    oracle = UNet2DConditionModel.from_single_file(str(path), subfolder="unet", low_cpu_mem_usage=False, **config)
    assert _same(loaded.network, oracle)
    oracle = AutoencoderKL.from_single_file(str(path), subfolder="vae", low_cpu_mem_usage=False, **config)
    assert _same(loaded.vae, oracle)
    assert _paints(loaded, plan)


def _same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    left, right = one.state_dict(), other.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def _row(tokens: Any, text: str) -> torch.Tensor:
    """One chunk of ids."""
    ids = [tokens.bos, *tokens.tokenise(text), tokens.eos]
    return torch.tensor([ids + [tokens.pad] * (77 - len(ids))])


def _paints(loaded: LoadedModel, plan: Plan) -> bool:
    """One step from a prompt: text, U-Net, VAE; everything finite and of its shape."""
    states, pooled = [], None
    for tokenizer, encoder in zip(loaded.tokenizers, loaded.text_encoders, strict=True):
        given = encoder(_row(tokenizer, "abcd abce"))
        assert given.last_hidden_state.shape[1] == 77
        states.append(given.hidden_states[-2])
        pooled = given.text_embeds
    added = None
    if pooled is not None:
        added = {"text_embeds": pooled, "time_ids": torch.tensor([[64.0, 64, 0, 0, 64, 64]])}
    with torch.inference_mode():
        latent = loaded.vae.encode(torch.zeros(1, 3, 64, 64)).latent_dist.mode()
        x = torch.randn(1, loaded.network.config.in_channels, 8, 8, generator=torch.Generator().manual_seed(0))
        noise = loaded.network(x, 10, torch.cat(states, dim=-1), added_cond_kwargs=added).sample
        picture = loaded.vae.decode(latent + noise).sample
    return noise.shape == (1, 4, 8, 8) and picture.shape == (1, 3, 64, 64) and bool(torch.isfinite(picture).all())


def test_text_encoders_of_both_layouts_give_the_states_of_their_own_formulas(tmp_path: Path) -> None:
    """OpenCLIP's fused attention and transposed projection, against torch's own transformer."""
    plan = TINY["sdxl"]
    path = saved(tmp_path, plan)
    loaded = loader.load(found(path, plan))
    raw = weights.read_tensors(path)
    width, layers, heads = plan.open_clip or (0, 0, 0)
    prefix = "conditioner.embedders.1.model."
    ids = _row(loaded.tokenizers[1], "abcd")
    x = raw[f"{prefix}token_embedding.weight"][ids] + raw[f"{prefix}positional_embedding"]
    mask = torch.full((77, 77), float("-inf")).triu(1)
    for n in range(layers):
        block = f"{prefix}transformer.resblocks.{n}."
        own = {name.removeprefix(block): one for name, one in raw.items() if name.startswith(block)}
        y = torch.nn.functional.layer_norm(x, (width,), own["ln_1.weight"], own["ln_1.bias"])
        attention = torch.nn.MultiheadAttention(width, heads, batch_first=True)
        attention.load_state_dict({name[5:]: one for name, one in own.items() if name.startswith("attn.")})
        x = x + attention(y, y, y, attn_mask=mask, need_weights=False)[0]
        y = torch.nn.functional.layer_norm(x, (width,), own["ln_2.weight"], own["ln_2.bias"])
        y = torch.nn.functional.gelu(y @ own["mlp.c_fc.weight"].T + own["mlp.c_fc.bias"])
        x = x + y @ own["mlp.c_proj.weight"].T + own["mlp.c_proj.bias"]
    x = torch.nn.functional.layer_norm(x, (width,), raw[f"{prefix}ln_final.weight"], raw[f"{prefix}ln_final.bias"])
    pooled = x[0, ids[0].argmax()] @ raw[f"{prefix}text_projection"]
    given = loaded.text_encoders[1](ids)
    torch.testing.assert_close(given.last_hidden_state, x, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(given.text_embeds[0], pooled, atol=1e-5, rtol=1e-4)


def as_folder(loaded: LoadedModel, config: Path, folder: Path, **how: Any) -> Path:
    """The model in diffusers' layout, written by diffusers and transformers themselves."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    shutil.copytree(config, folder)
    loaded.network.save_pretrained(folder / "unet", **how)
    loaded.vae.save_pretrained(folder / "vae", **how)
    for number, (encoder, tokens) in enumerate(zip(loaded.text_encoders, loaded.tokenizers, strict=True)):
        end = "_2" if number else ""
        settings = CLIPTextConfig.from_pretrained(folder / f"text_encoder{end}")
        model = (CLIPTextModelWithProjection if number else CLIPTextModel)(settings)
        inner = model.text_model if number else model
        weights = encoder.state_dict()
        if number:
            model.text_projection.weight = torch.nn.Parameter(weights.pop("text_projection.weight"))
        inner.load_state_dict(weights)
        model.save_pretrained(folder / f"text_encoder{end}")
        held = models.find_vocabulary()
        pad = next(word for word, id_ in held.tokens.items() if id_ == tokens.pad)
        CLIPTokenizer(vocab=dict(held.tokens), merges=list(held.merges), pad_token=pad).save_pretrained(
            folder / f"tokenizer{end}"
        )
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_and_a_hub_name_give_the_same_networks(family: str, tmp_path: Path) -> None:
    plan = dataclasses.replace(TINY[family], channels=9)
    path = saved(tmp_path, plan)
    single = loader.load(found(path, plan))
    commit = "0123456789abcdef0123456789abcdef01234567"
    root = models.hub_snapshot.__globals__["hub_cache"]() / "models--someone--a-model"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(commit)
    as_folder(single, tmp_path / "config", root / "snapshots" / commit)
    ref = models.find("someone/a-model", paths=False)
    assert (ref.kind.form, ref.kind.family, ref.kind.channels) == ("folder", family, 9)
    loaded = loader.load(ref)
    assert _same(loaded.network, single.network)
    assert _same(loaded.vae, single.vae)
    for one, other in zip(loaded.text_encoders, single.text_encoders, strict=True):
        assert _same(one, other)
    for one, other in zip(loaded.tokenizers, single.tokenizers, strict=True):
        assert one.tokenise("abcd abce") == other.tokenise("abcd abce")
        assert (one.bos, one.eos, one.pad) == (other.bos, other.eos, other.pad)
    assert loaded.digest != single.digest


def test_a_named_variant_of_a_folder_is_loaded(tmp_path: Path) -> None:
    plan = TINY["sd1"]
    single = loader.load(found(saved(tmp_path, plan), plan))
    folder = as_folder(single, tmp_path / "config", tmp_path / "folder")
    half = {name: one.half() for name, one in single.network.state_dict().items()}
    save_file(half, folder / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    plain = loader.load(models.find(str(folder)))
    halved = loader.load(models.find(str(folder), variant="fp16"))
    assert _same(plain.network, single.network)
    assert not _same(halved.network, single.network)
    assert plain.digest != halved.digest
    assert loader.load(models.find(str(folder)), torch.float16).network.dtype == torch.float16
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    assert models.find(str(folder)).kind.precision == "fp16"
    loader.load(models.find(str(folder)))


def test_a_text_encoder_s_config_without_meaning_is_reported_with_its_place(tmp_path: Path) -> None:
    plan = TINY["sd1"]
    single = loader.load(found(saved(tmp_path, plan), plan))
    folder = as_folder(single, tmp_path / "config", tmp_path / "folder")
    place = folder / "text_encoder" / "config.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | {"num_attention_heads": 0}))
    with pytest.raises(ModelError, match=r"folder/text_encoder: .*num_attention_heads must be .*, not 0"):
        loader.load(models.find(str(folder)))


@pytest.mark.parametrize("variant", [None, "fp16"])
def test_weights_in_several_files_are_put_together(variant: str | None, tmp_path: Path) -> None:
    plan = TINY["sd1"]
    single = loader.load(found(saved(tmp_path, plan), plan))
    folder = as_folder(single, tmp_path / "config", tmp_path / "folder")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    single.network.save_pretrained(folder / "unet", max_shard_size="100KB", variant=variant)
    assert len(list((folder / "unet").glob("*-of-*.safetensors"))) > 1
    assert _same(loader.load(models.find(str(folder), variant=variant)).network, single.network)
    index = next((folder / "unet").glob("*.index*.json"))
    index.write_text(index.read_text().replace('"diffusion', '"../diffusion'))
    with pytest.raises(ModelError, match="lists no shards beside it"):
        loader.load(models.find(str(folder), variant=variant))


def test_a_half_precision_file_keeps_or_widens(tmp_path: Path) -> None:
    plan = TINY["sdxl"]
    ref = found(saved(tmp_path, plan, dtype=torch.float16), plan)
    assert ref.kind.precision == "fp16"
    assert loader.load(ref).network.dtype == torch.float32
    half = loader.load(ref, torch.float16)
    assert {one.dtype for one in half.network.parameters()} == {torch.float16}
    assert half.vae.dtype == torch.float32, "SDXL's VAE overflows in float16"
    assert weight_bytes(half) < 2.2 * sum(one.numel() for one in half.network.parameters()) + 4e7


def test_old_names_of_a_vae_s_attention_are_known(tmp_path: Path) -> None:
    plan = TINY["sd1"]
    single = loader.load(found(saved(tmp_path, plan), plan))
    folder = as_folder(single, tmp_path / "config", tmp_path / "folder")
    old = {}
    for name, one in single.vae.state_dict().items():
        for ours, theirs in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
            name = name.replace(f".{ours}.", f".{theirs}.") if ".attentions." in name else name
        old[name] = one
    assert any(".proj_attn." in name for name in old)
    save_file(old, folder / "vae" / "diffusion_pytorch_model.safetensors")
    assert _same(loader.load(models.find(str(folder))).vae, single.vae)


def test_another_vae_takes_the_place_of_its_own(tmp_path: Path) -> None:
    plan = TINY["sd1"]
    path = saved(tmp_path, plan)
    own = loader.load(found(path, plan))
    other = checkpoints.tensors(checkpoints.vae(plan.vae_width), seed=9)
    bare = {name.removeprefix("first_stage_model."): one for name, one in other.items()}
    save_file(bare, tmp_path / "better.vae.safetensors")
    loaded = loader.load(found(path, plan, vae=str(tmp_path / "better.vae.safetensors")))
    assert torch.equal(loaded.vae.decoder.conv_in.weight, other["first_stage_model.decoder.conv_in.weight"])
    assert _same(loaded.network, own.network)
    assert loaded.digest != own.digest
    loaded.vae.save_pretrained(tmp_path / "vae")
    assert _same(loader.load(found(path, plan, vae=str(tmp_path / "vae"))).vae, loaded.vae)
    whole = saved(tmp_path, plan, "whole.safetensors", seed=9)
    loader.load(found(path, plan, vae=str(whole)))


def test_a_tiny_vae_is_a_vae(tmp_path: Path) -> None:
    from diffusers import AutoencoderTiny

    plan = TINY["sd1"]
    tiny = AutoencoderTiny(encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4)
    tiny.save_pretrained(tmp_path / "taesd")
    loaded = loader.load(found(saved(tmp_path, plan), plan, vae=str(tmp_path / "taesd")))
    assert type(loaded.vae).__name__ == "AutoencoderTiny"
    assert _same(loaded.vae, tiny)
    AutoencoderTiny().save_pretrained(tmp_path / "real")
    file = tmp_path / "real" / "diffusion_pytorch_model.safetensors"
    assert models.detect(file).what == "tiny-vae"
    again = loader.load(found(tmp_path / "model.safetensors", plan, vae=str(file)))
    assert type(again.vae).__name__ == "AutoencoderTiny"


def test_lcm_s_guidance_embedding_is_loaded(tmp_path: Path) -> None:
    plan = TINY["sd1"]
    held = checkpoints.tensors(checkpoints.layout(plan))
    held["model.diffusion_model.time_embed.cond_proj.weight"] = torch.randn(plan.width, 24)
    save_file(held, tmp_path / "model.safetensors")
    ref = found(tmp_path / "model.safetensors", plan)
    assert ref.kind.lcm
    unet = loader.load(ref).network
    assert unet.config.time_cond_proj_dim == 24
    assert torch.equal(unet.time_embedding.cond_proj.weight, held["model.diffusion_model.time_embed.cond_proj.weight"])


def test_what_the_network_predicts_reaches_the_schedule(tmp_path: Path) -> None:
    plan = TINY["sd2"]
    path = saved(tmp_path, plan)
    assert loader.load(found(path, plan)).scheduler_config["prediction_type"] == "v_prediction"
    told = loader.load(found(path, plan, prediction="epsilon"))
    assert (told.prediction, told.scheduler_config["prediction_type"]) == ("epsilon", "epsilon")


# ---- pickles ----


def test_a_checkpoint_of_a_training_program_is_read_when_allowed(tmp_path: Path) -> None:
    plan = TINY["sd1"]
    given = checkpoints.tensors(checkpoints.layout(plan))
    path = tmp_path / "model.ckpt"
    checkpoints.write_lightning(path, given)
    with pytest.raises(ModelError, match=r"is a pickle.*set allow_pickle"):
        models.find(str(path))
    with pytest.raises(ModelError, match="pickle"):
        weights.read_tensors(path)
    ref = found(path, plan, allow_pickle=True)
    assert ref.kind.family == "sd1"
    loaded = loader.load(ref)
    assert torch.equal(loaded.network.conv_in.weight, given["model.diffusion_model.input_blocks.0.0.weight"])


# ---- what is wrong is said in one line ----


def test_a_network_of_other_sizes_is_reported(tmp_path: Path) -> None:
    path = saved(tmp_path, TINY["sd1"])
    ref = models.find(str(path))
    with pytest.raises(ModelError, match=r"has other sizes than its configuration: conv_in.bias is \(16,\), and"):
        loader.load(ref)


@pytest.mark.parametrize(
    ("family", "name", "says"),
    [
        ("sd1", "model.diffusion_model.middle_block.1.norm.weight", r"U-Net .*lacks 1 of its \d+ tensors \(mid_block"),
        ("sdxl", "model.diffusion_model.label_emb.0.2.bias", r"lacks label_emb.0.2.bias"),
        ("sd1", "first_stage_model.decoder.norm_out.bias", r"the VAE lacks 1 of its"),
        ("sd1", "first_stage_model.decoder.up.1.block.0.conv1.weight", r"the VAE lacks 1 of its"),
        ("sd2", "cond_stage_model.model.ln_final.weight", r"the text encoder lacks 1 of its"),
    ],
)
def test_a_checkpoint_without_one_of_its_tensors_is_reported(family: str, name: str, says: str, tmp_path: Path) -> None:
    plan = TINY[family]
    held = checkpoints.tensors(checkpoints.layout(plan))
    del held[name]
    save_file(held, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=says):
        loader.load(found(tmp_path / "model.safetensors", plan))


def test_tensors_without_a_place_in_the_unet_are_reported(tmp_path: Path) -> None:
    plan = TINY["sd1"]
    held = checkpoints.tensors(checkpoints.layout(plan))
    held["model.diffusion_model.strange.weight"] = torch.zeros(3)
    save_file(held, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="3 numbers have no place"):
        loader.load(found(tmp_path / "model.safetensors", plan))


def test_a_single_file_brings_no_vocabulary_and_needs_none(tmp_path: Path) -> None:
    plan = TINY["sd1"]
    path = saved(tmp_path, plan)
    loaded = loader.load(models.find(str(path), config=checkpoints.small_config(plan, tmp_path / "config")))
    assert loaded.tokenizers[0].tokenise("a photo of a cat") == [320, 1125, 539, 320, 2368]


def test_a_folder_without_weights_is_reported(tmp_path: Path) -> None:
    checkpoints.small_config(TINY["sd1"], tmp_path / "folder")
    with pytest.raises(ModelError, match="has no weights"):
        loader.load(models.find(str(tmp_path / "folder")))
