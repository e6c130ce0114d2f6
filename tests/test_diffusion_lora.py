"""LoRAs are merged as their formulas say, under every trainer's names, and the base never changes."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import checkpoints
from checkpoints import TINY
from overpaint.engines.diffusion import loader, lora, lora_names
from overpaint.engines.diffusion.caches import ByteCache
from overpaint.engines.diffusion.families.unet import SD1, SD2
from overpaint.engines.diffusion.loader import CheckpointNetworks as Parts
from overpaint.engines.diffusion.lora import LoraUse, merge, read_lora
from overpaint.models import Kind, ModelError, ModelRef

torch.set_num_threads(1)
G = torch.Generator().manual_seed(7)


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Parts]:
    made = {}
    for family, plan in TINY.items():
        config = checkpoints.small_config(plan, tmp_path_factory.mktemp(family))
        kind = Kind("checkpoint", "safetensors", family=plan.family, channels=4, prediction="epsilon")
        ref = ModelRef(family, Path("a.safetensors"), kind, config=config)
        made[family] = loader.networks(ref, checkpoints.tensors(checkpoints.layout(plan)))
    return made


def rand(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=G) / 4


def merged(parts: Parts, path: Path, unet: float = 1.0, text: float = 1.0, **more: Any) -> lora.Merged:
    uses = [LoraUse(read_lora(path), unet, text, **more)]
    family = dataclasses.replace(SD1, name=uses[0].lora.family or "sd1")
    return merge(parts.unet, parts.text_encoders, "base", uses, family)


def weight(network: Any, place: str) -> torch.Tensor:
    return network.get_submodule(place).weight


Q = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
CONV = "down_blocks.0.resnets.0.conv1"
TE = "encoder.layers.0.self_attn.q_proj"


@pytest.mark.parametrize("style", ["kohya", "diffusers", "peft", "processor", "dotted"])
def test_every_trainer_s_names_give_the_same_weights(style: str, parts: dict[str, Parts], tmp_path: Path) -> None:
    base = parts["sd1"]
    down, up, text_down, text_up = rand(4, 16), rand(16, 4), rand(3, 32), rand(32, 3)
    name = {
        "kohya": ("lora_unet_" + Q.replace(".", "_"), ".lora_down.weight", ".lora_up.weight"),
        "diffusers": (f"unet.{Q}", ".lora.down.weight", ".lora.up.weight"),
        "peft": (f"base_model.model.{Q}", ".lora_A.default.weight", ".lora_B.default.weight"),
        "processor": (f"unet.{Q.removesuffix('.to_q')}.processor.to_q_lora", ".down.weight", ".up.weight"),
        "dotted": (f"unet.{Q}", ".lora_A.weight", ".lora_B.weight"),
    }[style]
    text = {
        "kohya": ("lora_te_text_model_" + TE.replace(".", "_"), ".lora_down.weight", ".lora_up.weight"),
        "diffusers": (
            f"text_encoder.text_model.{TE}",
            ".lora_linear_layer.down.weight",
            ".lora_linear_layer.up.weight",
        ),
    }.get(style, (f"text_encoder.text_model.{TE}", ".lora_A.weight", ".lora_B.weight"))
    held = {name[0] + name[1]: down, name[0] + name[2]: up, text[0] + text[1]: text_down, text[0] + text[2]: text_up}
    save_file(held, tmp_path / "a.safetensors")
    found = merged(base, tmp_path / "a.safetensors", 0.5, 0.25)
    torch.testing.assert_close(weight(found.unet, Q), weight(base.unet, Q) + 0.5 * up @ down)
    text_ = found.text_encoders[0]
    torch.testing.assert_close(weight(text_, TE), weight(base.text_encoders[0], TE) + 0.25 * text_up @ text_down)
    assert found.notes == ()


def test_each_layer_has_its_own_alpha(parts: dict[str, Parts], tmp_path: Path) -> None:
    """Where diffusers 0.42 mis-scales text encoders: alphas that differ between their layers."""
    base = parts["sd1"]
    held, expected = {}, {}
    for n, alpha in ((0, 1.0), (1, 8.0)):
        for one in ("q_proj", "out_proj"):
            place = f"encoder.layers.{n}.self_attn.{one}"
            down, up = rand(4, 32), rand(32, 4)
            key = "lora_te_text_model_" + place.replace(".", "_")
            held |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
            held[f"{key}.alpha"] = torch.tensor(alpha)
            expected[place] = weight(base.text_encoders[0], place) + 2.0 * alpha / 4 * up @ down
    save_file(held, tmp_path / "a.safetensors")
    found = merged(base, tmp_path / "a.safetensors", text=2.0)
    for place, one in expected.items():
        torch.testing.assert_close(weight(found.text_encoders[0], place), one)
    assert found.unet is base.unet, "what nothing changes is the base's own"


def test_convolutions_and_their_tucker_form(parts: dict[str, Parts], tmp_path: Path) -> None:
    base = parts["sd1"]
    key = "lora_unet_" + CONV.replace(".", "_")
    plain = weight(base.unet, CONV)
    down, up = rand(3, 16, 3, 3), rand(16, 3, 1, 1)
    save_file({f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}, tmp_path / "a.safetensors")
    x = rand(1, 16, 5, 5)
    conv = torch.nn.functional.conv2d
    got = conv(x, weight(merged(base, tmp_path / "a.safetensors").unet, CONV), padding=1)
    torch.testing.assert_close(
        got, conv(x, plain, padding=1) + conv(conv(x, down, padding=1), up), atol=1e-5, rtol=1e-5
    )
    down, mid = rand(3, 16, 1, 1), rand(3, 3, 3, 3)
    held = {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up, f"{key}.lora_mid.weight": mid}
    save_file(held | {f"{key}.alpha": torch.tensor(6.0)}, tmp_path / "b.safetensors")
    got = conv(x, weight(merged(base, tmp_path / "b.safetensors").unet, CONV), padding=1)
    delta = conv(conv(conv(x, down), mid, padding=1), up)
    torch.testing.assert_close(got, conv(x, plain, padding=1) + 2 * delta, atol=1e-5, rtol=1e-5)


def test_a_projection_that_is_a_convolution_takes_a_linear_s_change(parts: dict[str, Parts], tmp_path: Path) -> None:
    place = "down_blocks.0.attentions.0.proj_in"
    key, down, up = "lora_unet_" + place.replace(".", "_"), rand(2, 16), rand(16, 2)
    save_file({f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}, tmp_path / "a.safetensors")
    found = merged(parts["sd1"], tmp_path / "a.safetensors")
    expected = weight(parts["sd1"].unet, place) + (up @ down)[:, :, None, None]
    torch.testing.assert_close(weight(found.unet, place), expected)


def test_loha_and_lokr(parts: dict[str, Parts], tmp_path: Path) -> None:
    base = weight(parts["sd1"].unet, Q)
    key = "lora_unet_" + Q.replace(".", "_")
    a, b, c, d = rand(16, 3), rand(3, 16), rand(16, 3), rand(3, 16)
    held = {"hada_w1_a": a, "hada_w1_b": b, "hada_w2_a": c, "hada_w2_b": d, "alpha": torch.tensor(6.0)}
    save_file({f"{key}.{slot}": one for slot, one in held.items()}, tmp_path / "loha.safetensors")
    assert read_lora(tmp_path / "loha.safetensors").layers[0].alpha == 6
    got = weight(merged(parts["sd1"], tmp_path / "loha.safetensors").unet, Q)
    torch.testing.assert_close(got, base + 2 * (a @ b) * (c @ d))
    one, left, right = rand(4, 2), rand(4, 2), rand(2, 8)
    held = {"lokr_w1": one, "lokr_w2_a": left, "lokr_w2_b": right, "alpha": torch.tensor(1.0)}
    save_file({f"{key}.{slot}": part for slot, part in held.items()}, tmp_path / "lokr.safetensors")
    got = weight(merged(parts["sd1"], tmp_path / "lokr.safetensors").unet, Q)
    x = rand(16)
    blocks = torch.einsum("ai,bj,ij->ab", one, left @ right, x.reshape(2, 8)).reshape(-1)
    torch.testing.assert_close(got @ x, base @ x + 0.5 * blocks, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_dora_keeps_the_learnt_lengths(parts: dict[str, Parts], tmp_path: Path, strength: float) -> None:
    base = weight(parts["sd1"].unet, Q)
    key = "lora_unet_" + Q.replace(".", "_")
    down, up = rand(2, 16), rand(16, 2)
    turned = base + up @ down
    for name, magnitude, dim in (("out", rand(16, 1).abs(), 1), ("in", rand(1, 16).abs(), 0)):
        held = {"lora_down.weight": down, "lora_up.weight": up, "dora_scale": magnitude}
        save_file({f"{key}.{slot}": one for slot, one in held.items()}, tmp_path / f"{name}.safetensors")
        got = weight(merged(parts["sd1"], tmp_path / f"{name}.safetensors", strength).unet, Q)
        whole = turned / turned.norm(dim=dim, keepdim=True) * magnitude
        torch.testing.assert_close(got, base + strength * (whole - base))
        if strength == 1:
            torch.testing.assert_close(got.norm(dim=dim, keepdim=True), magnitude)


def test_peft_s_alpha_is_read_from_the_header(parts: dict[str, Parts], tmp_path: Path) -> None:
    down, up = rand(4, 16), rand(16, 4)
    held = {f"unet.{Q}.lora_A.weight": down, f"unet.{Q}.lora_B.weight": up}
    about = {"lora_adapter_metadata": json.dumps({"unet.r": 4, "unet.lora_alpha": 8})}
    save_file(held, tmp_path / "a.safetensors", metadata=about)
    got = weight(merged(parts["sd1"], tmp_path / "a.safetensors").unet, Q)
    torch.testing.assert_close(got, weight(parts["sd1"].unet, Q) + 2 * up @ down)


def test_the_rank_setting_keeps_the_first_ranks(parts: dict[str, Parts], tmp_path: Path) -> None:
    key, down, up = "lora_unet_" + Q.replace(".", "_"), rand(4, 16), rand(16, 4)
    save_file({f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}, tmp_path / "a.safetensors")
    got = weight(merged(parts["sd1"], tmp_path / "a.safetensors", ranks=2).unet, Q)
    torch.testing.assert_close(got, weight(parts["sd1"].unet, Q) + up[:, :2] @ down[:2])


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_the_original_release_s_names_lead_to_the_same_layers(family: str, parts: dict[str, Parts]) -> None:
    """By diffusers' own converter: each original tensor is put where our table says."""
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

    shapes = {n: s for n, s in checkpoints.unet(TINY[family]).items() if n.endswith(".weight") and len(s) >= 2}
    marked = {name: torch.tensor(-1.0) for name in checkpoints.unet(TINY[family])}
    marked |= {name: torch.tensor(float(n)) for n, name in enumerate(shapes)}
    unet = parts[family].unet
    placed = convert_ldm_unet_checkpoint(marked, config=unet.config)
    where = {int(one): name.removesuffix(".weight") for name, one in placed.items() if one >= 0}
    table = lora_names.layer_names(unet, "unet", SD1)
    for n, name in enumerate(shapes):
        key = name.removeprefix("model.diffusion_model.").removesuffix(".weight").replace(".", "_")
        assert table[key] == where[n]


def test_sdxl_s_two_text_encoders_are_distinguished(parts: dict[str, Parts], tmp_path: Path) -> None:
    base = parts["sdxl"]
    held, expected = {}, []
    for number in (1, 2):
        down, up = rand(2, 32), rand(32, 2)
        key = f"lora_te{number}_text_model_" + TE.replace(".", "_")
        held |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
        expected.append(up @ down)
    save_file(held, tmp_path / "a.safetensors")
    assert read_lora(tmp_path / "a.safetensors").family == "sdxl"
    found = merged(base, tmp_path / "a.safetensors")
    for network, before, one in zip(found.text_encoders, base.text_encoders, expected, strict=True):
        torch.testing.assert_close(weight(network, TE), weight(before, TE) + one)


def test_the_base_is_left_as_it_is_and_its_weights_are_shared(parts: dict[str, Parts], tmp_path: Path) -> None:
    base = parts["sd1"].unet
    before = {name: one.clone() for name, one in base.state_dict().items()}
    key = "lora_unet_" + Q.replace(".", "_")
    save_file(
        {f"{key}.lora_down.weight": rand(2, 16), f"{key}.lora_up.weight": rand(16, 2)}, tmp_path / "a.safetensors"
    )
    found = merged(parts["sd1"], tmp_path / "a.safetensors")
    assert all(torch.equal(one, before[name]) for name, one in base.state_dict().items())
    moved = [n for n, one in found.unet.state_dict().items() if one.data_ptr() != base.state_dict()[n].data_ptr()]
    assert moved == [f"{Q}.weight"]
    assert found.bytes == 16 * 16 * 4
    context = rand(1, 4, 32)
    with torch.inference_mode():
        x = rand(1, 4, 8, 8)
        assert not torch.equal(found.unet(x, 3, context).sample, base(x, 3, context).sample)


def test_several_add_up_and_zero_is_nothing(parts: dict[str, Parts], tmp_path: Path) -> None:
    base = parts["sd1"]
    key, uses, total = "lora_unet_" + Q.replace(".", "_"), [], weight(base.unet, Q)
    for n, strength in enumerate((1.0, -0.5, 0.0)):
        down, up = rand(2, 16), rand(16, 2)
        path = tmp_path / f"{n}.safetensors"
        save_file({f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}, path)
        uses.append(LoraUse(read_lora(path), strength))
        total = total + strength * up @ down
    found = merge(base.unet, base.text_encoders, "base", uses)
    torch.testing.assert_close(weight(found.unet, Q), total)
    assert found.unet_digest == merge(base.unet, base.text_encoders, "base", uses[:2]).unet_digest != "base"
    assert found.text_digest != "base"
    nothing = merge(base.unet, base.text_encoders, "base", [dataclasses.replace(uses[0], unet=0.0, text=0.0)])
    assert nothing.unet is base.unet
    assert (nothing.unet_digest, nothing.text_digest) == ("base", "base")


def test_half_precision_is_merged_in_single(parts: dict[str, Parts]) -> None:
    layer = lora.LoraLayer("unet", "x", {"down": rand(2, 16).half(), "up": rand(16, 2).half()}, 1.0)
    half = rand(16, 16).half()
    got = lora.change(layer, half, 0.3)
    assert got.dtype == torch.float32
    up, down = layer.tensors["up"].float(), layer.tensors["down"].float()
    torch.testing.assert_close(got, half.float() + 0.3 * 0.5 * up @ down)


@pytest.mark.parametrize(
    "factors",
    [
        {"down": rand(2, 4, 3, 3), "up": rand(16, 2, 1, 1)},
        {"diff": rand(16, 4, 3, 3)},
        {"down": rand(2, 4, 3, 3), "up": rand(16, 2, 1, 1), "magnitude": rand(16).abs()},
        {"ia3": rand(4), "on_input": torch.tensor(True)},
    ],
    ids=["lora", "full", "dora", "ia3"],
)
def test_a_base_model_s_change_of_the_first_convolution_acts_on_the_latents(factors: dict[str, torch.Tensor]) -> None:
    """A nine-channel network begins as a four-channel one that ignores the rest: with a LoRA both stay equal."""
    layer = lora.LoraLayer("unet", "conv_in", factors)
    four, x = rand(16, 4, 3, 3), rand(1, 9, 6, 6)
    nine = torch.cat([four, torch.zeros(16, 5, 3, 3)], dim=1)
    got = torch.nn.functional.conv2d(x, lora.change(layer, nine, 0.7))
    expected = torch.nn.functional.conv2d(x[:, :4], lora.change(layer, four, 0.7))
    torch.testing.assert_close(got, expected)
    assert not torch.allclose(expected, torch.nn.functional.conv2d(x[:, :4], four)), "it has an effect"


def test_a_change_of_the_first_convolution_is_noted_where_the_network_has_more_channels(
    parts: dict[str, Parts], tmp_path: Path
) -> None:
    save_file({f"{kohya('conv_in')}.diff": rand(16, 4, 3, 3)}, tmp_path / "a.safetensors")
    base = copy.deepcopy(parts["sd1"].unet)
    base.conv_in = torch.nn.Conv2d(9, 16, 3, padding=1)
    use = lora.LoraUse(read_lora(tmp_path / "a.safetensors"))
    found = lora.merge(base, (), "digest", [use])
    assert found.notes == (
        "the LoRA 'a' was made for a network of 4 channels: its change of the first convolution "
        "(conv_in) acts on the 4 of 9 channels that hold the latents",
    )
    assert torch.equal(found.unet.conv_in.weight[:, 4:], base.conv_in.weight[:, 4:])
    own = lora.lora_from({f"{kohya('conv_in')}.diff": rand(16, 9, 3, 3)}, "own", "0" * 64)
    assert lora.merge(base, (), "digest", [lora.LoraUse(own)]).notes == ()


# ---- every tensor of a file counts ----


def kohya(module: str) -> str:
    return "lora_unet_" + module.replace(".", "_")


ORIGINAL_NORM = "diffusion_model.output_blocks.0.0.in_layers.0.w_norm"


def test_norms_biases_and_plain_differences_are_added(parts: dict[str, Parts], tmp_path: Path) -> None:
    base = parts["sd1"].unet
    resnet, out = "down_blocks.0.resnets.0", "conv_norm_out"
    held = {
        f"{kohya(resnet)}_norm1.w_norm": rand(16),
        f"{kohya(resnet)}_norm1.b_norm": rand(16),
        f"{kohya(out)}.w_norm": rand(16),
        f"{kohya(out)}.b_norm": rand(16),
        f"{kohya('conv_in')}.diff": rand(16, 4, 3, 3),
        f"{kohya('conv_in')}.diff_b": rand(16),
        ORIGINAL_NORM: rand(64),
    }
    save_file(held, tmp_path / "a.safetensors")
    assert read_lora(tmp_path / "a.safetensors").unknown == ()
    found = merged(parts["sd1"], tmp_path / "a.safetensors", 0.5)
    assert found.notes == ()
    for module, layer in ((f"{resnet}.norm1", f"{kohya(resnet)}_norm1"), (out, kohya(out))):
        before, after = base.get_submodule(module), found.unet.get_submodule(module)
        torch.testing.assert_close(after.weight, before.weight + 0.5 * held[f"{layer}.w_norm"])
        torch.testing.assert_close(after.bias, before.bias + 0.5 * held[f"{layer}.b_norm"])
    torch.testing.assert_close(found.unet.conv_in.weight, base.conv_in.weight + 0.5 * held[f"{kohya('conv_in')}.diff"])
    torch.testing.assert_close(found.unet.conv_in.bias, base.conv_in.bias + 0.5 * held[f"{kohya('conv_in')}.diff_b"])
    norm = "up_blocks.0.resnets.0.norm1"
    torch.testing.assert_close(
        weight(found.unet, norm),
        weight(base, norm) + 0.5 * held[ORIGINAL_NORM],
    )
    assert found.bytes == 4 * sum(one.numel() for one in held.values())
    counted = lora.changed_bytes([tmp_path / "a.safetensors"] * 2, base, parts["sd1"].text_encoders, SD1)
    assert counted == found.bytes, "by the header alone, and each weight once"


def test_a_file_of_differences_alone_is_a_lora(parts: dict[str, Parts], tmp_path: Path) -> None:
    diff = rand(16, 16)
    save_file({f"diffusion_model.{Q}.diff": diff}, tmp_path / "a.safetensors")
    assert read_lora(tmp_path / "a.safetensors").family is None
    got = weight(merged(parts["sd1"], tmp_path / "a.safetensors", -2.0).unet, Q)
    torch.testing.assert_close(got, weight(parts["sd1"].unet, Q) - 2 * diff)


@pytest.mark.parametrize(
    ("unet", "text"),
    [
        (f"diffusion_model.{Q}", f"text_encoders.clip_l.transformer.text_model.{TE}"),
        ("diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_q", f"clip_l.transformer.text_model.{TE}"),
        ("lycoris_" + Q.replace(".", "_"), "lora_te1_text_model_" + TE.replace(".", "_")),
        ("lycoris_unet_" + Q.replace(".", "_"), "lycoris_te_text_model_" + TE.replace(".", "_")),
    ],
)
def test_prefixes_of_comfyui_and_lycoris(unet: str, text: str, parts: dict[str, Parts], tmp_path: Path) -> None:
    base = parts["sd1"]
    down, up, text_down, text_up = rand(4, 16), rand(16, 4), rand(3, 32), rand(32, 3)
    held = {f"{unet}.lora_down.weight": down, f"{unet}.lora_up.weight": up}
    held |= {f"{text}.lora_down.weight": text_down, f"{text}.lora_up.weight": text_up}
    save_file(held, tmp_path / "a.safetensors")
    found = merged(base, tmp_path / "a.safetensors")
    assert found.notes == ()
    torch.testing.assert_close(weight(found.unet, Q), weight(base.unet, Q) + up @ down)
    (encoder,) = found.text_encoders
    torch.testing.assert_close(weight(encoder, TE), weight(base.text_encoders[0], TE) + text_up @ text_down)


def test_comfyui_s_second_text_encoder(parts: dict[str, Parts], tmp_path: Path) -> None:
    base = parts["sdxl"].text_encoders[1]
    down, up = rand(3, 32), rand(32, 3)
    key = f"text_encoders.clip_g.transformer.text_model.{TE}"
    save_file({f"{key}.lora_A.weight": down, f"{key}.lora_B.weight": up}, tmp_path / "a.safetensors")
    assert read_lora(tmp_path / "a.safetensors").family == "sdxl"
    found = merged(parts["sdxl"], tmp_path / "a.safetensors").text_encoders[1]
    torch.testing.assert_close(weight(found, TE), weight(base, TE) + up @ down)


@pytest.mark.parametrize("where", ["header", "folder"])
def test_rslora_is_scaled_by_the_root_of_the_rank(where: str, parts: dict[str, Parts], tmp_path: Path) -> None:
    down, up = rand(16, 16), rand(16, 16)
    held = {f"unet.{Q}.lora_A.weight": down, f"unet.{Q}.lora_B.weight": up}
    path = tmp_path / "a.safetensors"
    if where == "header":
        about = {"unet.r": 16, "unet.lora_alpha": 8, "unet.use_rslora": True}
        save_file(held, path, metadata={"lora_adapter_metadata": json.dumps(about)})
    else:
        path = tmp_path
        save_file(held, path / "adapter_model.safetensors")
        (path / "adapter_config.json").write_text(json.dumps({"r": 16, "lora_alpha": 8, "use_rslora": True}))
    got = weight(merged(parts["sd1"], path).unet, Q)
    torch.testing.assert_close(got, weight(parts["sd1"].unet, Q) + 8 / 4 * up @ down)


def test_folders_of_equal_weights_and_other_settings_have_other_digests(tmp_path: Path) -> None:
    """The digest is the key under which networks and encoded texts are kept."""
    digests = []
    for alpha in (8, 16):
        path = tmp_path / str(alpha)
        path.mkdir()
        held = {f"unet.{Q}.lora_A.weight": torch.ones(4, 16), f"unet.{Q}.lora_B.weight": torch.ones(16, 4)}
        save_file(held, path / "adapter_model.safetensors")
        (path / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": alpha}))
        digests.append(lora.set_digest("base", [LoraUse(read_lora(path))], "unet"))
    assert digests[0] != digests[1]


@pytest.mark.parametrize("kind", ["LOHA", "LOKR"])
def test_peft_s_settings_scale_loha_and_lokr(kind: str, parts: dict[str, Parts], tmp_path: Path) -> None:
    """The numbers of peft 0.21: alpha / r of its settings, whatever rank the tensors have."""
    base = weight(parts["sd1"].unet, Q)
    if kind == "LOHA":
        held = {f"hada_{n}": rand(16, 4) if n.endswith("a") else rand(4, 16) for n in ("w1_a", "w1_b", "w2_a", "w2_b")}
        delta = (held["hada_w1_a"] @ held["hada_w1_b"]) * (held["hada_w2_a"] @ held["hada_w2_b"])
    else:
        held = {"lokr_w1": rand(4, 4), "lokr_w2": rand(4, 4)}
        delta = torch.kron(held["lokr_w1"], held["lokr_w2"])
    save_file({f"base_model.model.{Q}.{n}": one for n, one in held.items()}, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": kind, "r": 4, "alpha": 6}))
    got = weight(merged(parts["sd1"], tmp_path).unet, Q)
    torch.testing.assert_close(got, base + 1.5 * delta)


def test_the_bias_of_a_peft_factor_is_scaled_as_the_factor_is(parts: dict[str, Parts], tmp_path: Path) -> None:
    place = "time_embedding.linear_1"
    base = parts["sd1"].unet.get_submodule(place)
    down, up, bias = rand(2, 16), rand(64, 2), rand(64)
    key = f"unet.{place}"
    held = {f"{key}.lora_A.weight": down, f"{key}.lora_B.weight": up, f"{key}.lora_B.bias": bias}
    save_file(held | {f"{key}.alpha": torch.tensor(6.0)}, tmp_path / "a.safetensors")
    found = merged(parts["sd1"], tmp_path / "a.safetensors", 0.5).unet.get_submodule(place)
    torch.testing.assert_close(found.weight, base.weight + 0.5 * 3 * up @ down)
    torch.testing.assert_close(found.bias, base.bias + 0.5 * 3 * bias)


def test_lokr_and_loha_with_a_core(parts: dict[str, Parts], tmp_path: Path) -> None:
    base, key = weight(parts["sd1"].unet, CONV), kohya(CONV)
    one, core, left, right = rand(4, 2), rand(3, 3, 3, 3), rand(3, 4), rand(3, 8)
    held = {"lokr_w1": one, "lokr_t2": core, "lokr_w2_a": left, "lokr_w2_b": right, "alpha": torch.tensor(1.5)}
    save_file({f"{key}.{slot}": part for slot, part in held.items()}, tmp_path / "lokr.safetensors")
    got = weight(merged(parts["sd1"], tmp_path / "lokr.safetensors").unet, CONV) - base
    small = torch.stack([sum(core[a, b] * left[a, o] * right[b, i] for a in range(3) for b in range(3))
                         for o in range(4) for i in range(8)]).reshape(4, 8, 3, 3)  # fmt: skip
    expected = torch.stack([torch.cat([one[p, q] * small for q in range(2)], 1) for p in range(4)]).flatten(0, 1)
    torch.testing.assert_close(got, 0.5 * expected, atol=1e-5, rtol=1e-5)
    held = {f"hada_{n}": rand(3, 16) for n in ("w1_a", "w1_b", "w2_a", "w2_b")}
    held |= {f"hada_t{n}": rand(3, 3, 3, 3) for n in (1, 2)}
    save_file({f"{key}.{slot}": part for slot, part in held.items()}, tmp_path / "loha.safetensors")
    got = weight(merged(parts["sd1"], tmp_path / "loha.safetensors").unet, CONV) - base
    halves = [
        sum(held[f"hada_t{n}"][a, b][None, None] * held[f"hada_w{n}_a"][a][:, None, None, None]
            * held[f"hada_w{n}_b"][b][None, :, None, None] for a in range(3) for b in range(3))
        for n in (1, 2)
    ]  # fmt: skip
    torch.testing.assert_close(got, halves[0] * halves[1], atol=1e-5, rtol=1e-5)


def test_ia3_scales_outputs_or_inputs(parts: dict[str, Parts], tmp_path: Path) -> None:
    base, key, vector = weight(parts["sd1"].unet, Q), kohya(Q), rand(16)
    for on_input in (False, True):
        held = {f"{key}.weight": vector, f"{key}.on_input": torch.tensor(on_input)}
        save_file(held, tmp_path / "a.safetensors")
        got = weight(merged(parts["sd1"], tmp_path / "a.safetensors", 0.5).unet, Q)
        scale = 1 + 0.5 * (vector[None, :] if on_input else vector[:, None])
        torch.testing.assert_close(got, base * scale)


def test_peft_s_magnitudes_of_a_convolution_are_of_its_outputs(parts: dict[str, Parts], tmp_path: Path) -> None:
    """peft keeps them as (1, outputs, 1, 1), LyCORIS those of inputs as (1, inputs, 1, 1)."""
    base, down, up, magnitude = weight(parts["sd1"].unet, CONV), rand(2, 16, 3, 3), rand(16, 2, 1, 1), rand(16).abs()
    turned = base + (up.flatten(1) @ down.flatten(1)).reshape(base.shape)
    for slot, dims in (("lora_magnitude_vector.weight", (1, 2, 3)), ("dora_scale", (0, 2, 3))):
        key = f"unet.{CONV}"
        held = {
            f"{key}.lora_A.weight": down,
            f"{key}.lora_B.weight": up,
            f"{key}.{slot}": magnitude[None, :, None, None],
        }
        save_file(held, tmp_path / "a.safetensors")
        got = weight(merged(parts["sd1"], tmp_path / "a.safetensors").unet, CONV)
        norms = [one.square().sum(dims, keepdim=True).sqrt() for one in (got, turned)]
        torch.testing.assert_close(norms[0].flatten(), magnitude)
        torch.testing.assert_close(got / norms[0], turned / norms[1], atol=1e-4, rtol=1e-4)


def test_what_has_no_place_is_counted_and_named(parts: dict[str, Parts], tmp_path: Path) -> None:
    def layer(name: str) -> dict[str, torch.Tensor]:
        return {f"lora_unet_{name}.lora_down.weight": rand(2, 16), f"lora_unet_{name}.lora_up.weight": rand(16, 2)}

    known = layer(Q.replace(".", "_")) | layer(Q.replace(".", "_").replace("to_q", "to_k"))
    save_file(known | layer("nowhere"), tmp_path / "few.safetensors")
    (note,) = merged(parts["sd1"], tmp_path / "few.safetensors").notes
    assert note == "1 of the 3 layers of the LoRA 'few' have no place in this model and had no effect (nowhere)"
    save_file(known | layer("no\x00\nwhere"), tmp_path / "few.safetensors")
    (note,) = merged(parts["sd1"], tmp_path / "few.safetensors").notes
    assert note.isprintable()
    most = {key: one for n in range(9) for key, one in layer(f"nowhere_{n}").items()}
    save_file(known | most, tmp_path / "most.safetensors")
    (note,) = merged(parts["sd1"], tmp_path / "most.safetensors").notes
    assert "was made for another model: 9 of its 11 layers" in note
    assert "nowhere_0, nowhere_1, nowhere_2, ..." in note
    odd = {"bundle_emb.word.string_to_param.*": rand(2, 32), f"{kohya(Q)}.diff_b": rand(16)}
    save_file(known | odd, tmp_path / "odd.safetensors")
    (note,) = merged(parts["sd1"], tmp_path / "odd.safetensors").notes
    assert "bundle_emb.word" in note
    assert f"{Q.replace('.', '_')}.bias" in note, "a layer without a bias"


# ---- what does not fit is said in one line ----


def real(tmp_path: Path, width: int) -> Path:
    """A LoRA whose cross-attention reads text of this width."""
    key = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
    held = {f"{key}.lora_down.weight": rand(2, width), f"{key}.lora_up.weight": rand(640, 2)}
    save_file(held, tmp_path / f"{width}.safetensors")
    return tmp_path / f"{width}.safetensors"


@pytest.mark.parametrize(("width", "made"), [(768, "sd1"), (1024, "sd2"), (2048, "sdxl")])
def test_a_lora_for_another_family_is_reported(width: int, made: str, parts: dict[str, Parts], tmp_path: Path) -> None:
    found = read_lora(real(tmp_path, width))
    assert found.family == made
    other: Any = "sd2" if made == "sd1" else "sd1"
    base = parts[other]
    with pytest.raises(ModelError, match=r"was made for S.*, and this model is Stable Diffusion"):
        merge(base.unet, base.text_encoders, "base", [LoraUse(found)], family={"sd1": SD1, "sd2": SD2}[other])


def test_a_lora_of_other_sizes_is_reported(parts: dict[str, Parts], tmp_path: Path) -> None:
    base = parts["sd1"]
    with pytest.raises(ModelError, match=r"does not go with this model: the layer down_blocks_1.*other sizes"):
        merge(base.unet, base.text_encoders, "base", [LoraUse(read_lora(real(tmp_path, 768)))])


def test_a_lora_without_a_layer_of_this_model_is_reported(parts: dict[str, Parts], tmp_path: Path) -> None:
    save_file(
        {
            "lora_unet_double_blocks_0.lora_down.weight": rand(2, 4),
            "lora_unet_double_blocks_0.lora_up.weight": rand(4, 2),
        },
        tmp_path / "a.safetensors",
    )
    with pytest.raises(ModelError, match="none of its 1 layers"):
        merged(parts["sd1"], tmp_path / "a.safetensors")


def test_kinds_that_are_not_understood_are_named(tmp_path: Path) -> None:
    save_file({"lora_unet_x.oft_blocks": rand(2, 4, 4)}, tmp_path / "oft.safetensors")
    with pytest.raises(ModelError, match="of the kind OFT"):
        read_lora(tmp_path / "oft.safetensors")
    save_file(checkpoints.tensors(checkpoints.vae(8)), tmp_path / "vae.safetensors")
    with pytest.raises(ModelError, match="is not a LoRA but a VAE"):
        read_lora(tmp_path / "vae.safetensors")


# ---- the cache ----


def test_the_cache_keeps_what_fits_and_drops_the_least_used() -> None:
    cache, made = ByteCache(100, lambda one: one.bytes), []

    def make(size: int) -> lora.Merged:
        made.append(size)
        return lora.Merged(None, (), "", "", size)

    def key(base: str, name: str, strength: float = 1.0) -> str:
        return lora.set_digest(base, [LoraUse(lora.Lora(name, name, ()), strength)], "unet")

    first = cache.get(key("base", "a"), lambda: make(60))
    assert cache.get(key("base", "a"), lambda: make(60)) is first
    cache.get(key("base", "a", 0.5), lambda: make(30))
    cache.get(key("other", "a"), lambda: make(10))
    assert (made, cache.bytes) == ([60, 30, 10], 100)
    cache.get(key("base", "a"), lambda: make(60))
    cache.get(key("base", "b"), lambda: make(20))
    assert cache.bytes == 90, "the one at half strength went, being the least recently used"
    cache.get(key("base", "c"), lambda: make(101))
    assert cache.bytes == 101, "the last one is kept, whatever its size"
    cache.get(key("base", "d"), lambda: make(10) if cache.bytes == 0 else pytest.fail("it goes before others are made"))
    assert cache.bytes == 10


_DOWN, _UP = torch.ones(4, 16), torch.ones(16, 4)
_KEY = "lora_unet_" + Q.replace(".", "_")
_PAIR = {f"{_KEY}.lora_down.weight": _DOWN, f"{_KEY}.lora_up.weight": _UP}


@pytest.mark.parametrize(
    "factors",
    [
        {"lora_down.weight": torch.tensor(1.0), "lora_up.weight": torch.tensor(1.0)},
        {"lora_down.weight": _DOWN[0], "lora_up.weight": _UP[:, 0]},
        {"lora_down.weight": torch.zeros(0, 16), "lora_up.weight": torch.zeros(16, 0), "alpha": torch.tensor(1.0)},
        {"lora_down.weight": _DOWN},
        {"alpha": torch.tensor([1.0, 2.0])},
        {"alpha": torch.tensor(float("nan"))},
        {"lora_up.weight": _UP * float("nan")},
        {"lora_up.weight": _UP * float("inf")},
    ],
)
def test_odd_factors_are_an_error_that_names_file_and_layer(
    factors: dict[str, torch.Tensor], parts: dict[str, Parts], tmp_path: Path
) -> None:
    held = {f"{_KEY}.{name}": one.contiguous() for name, one in factors.items()}
    save_file(held if "lora_down.weight" in factors else {**_PAIR, **held}, tmp_path / "odd.safetensors")
    with pytest.raises(ModelError, match=r"odd.*down_blocks_0_attentions_0.*to_q"):
        merged(parts["sd1"], tmp_path / "odd.safetensors")


@pytest.mark.parametrize(
    "settings",
    [
        '{"unet.lora_alpha": "four"}',
        '{"unet.lora_alpha": [4]}',
        '{"unet.lora_alpha": NaN}',
        json.dumps({"unet.alpha_pattern": {Q: None}}),
    ],
)
def test_odd_settings_are_an_error_that_names_file_and_layer(settings: str, tmp_path: Path) -> None:
    held = {f"unet.{Q}.lora_A.weight": _DOWN, f"unet.{Q}.lora_B.weight": _UP}
    save_file(held, tmp_path / "odd.safetensors", {"lora_adapter_metadata": settings})
    with pytest.raises(ModelError, match=r"odd is damaged: the scale of the layer down_blocks_0.*finite number"):
        read_lora(tmp_path / "odd.safetensors")


def test_settings_of_another_form_count_as_what_they_say(parts: dict[str, Parts], tmp_path: Path) -> None:
    held = {f"unet.{Q}.lora_A.weight": _DOWN, f"unet.{Q}.lora_B.weight": _UP}
    for settings in ('{"unet.use_rslora": "false"}', "[" * 100_000):
        save_file(held, tmp_path / "a.safetensors", {"lora_adapter_metadata": settings})
        (layer,) = read_lora(tmp_path / "a.safetensors").layers
        assert (layer.alpha, layer.stabilised) == (None, False)
    odd = {f"{_KEY}.{name}": torch.ones(16, 4) for name in ("hada_w1_a", "hada_w2_a")}
    odd |= {f"{_KEY}.{name}": torch.ones(4, 16) for name in ("hada_w1_b", "hada_w2_b")}
    save_file(odd, tmp_path / "loha.safetensors", {"lora_adapter_metadata": '{"peft_type": "LOHA", "r": "x"}'})
    with pytest.raises(ModelError, match="loha is damaged: the scale of the layer"):
        read_lora(tmp_path / "loha.safetensors")


def test_parts_without_effect_are_noted(parts: dict[str, Parts], tmp_path: Path) -> None:
    base = parts["sd1"]
    save_file({**_PAIR, f"{_KEY}.alpha": torch.tensor(0.0)}, tmp_path / "none.safetensors")
    found = merged(base, tmp_path / "none.safetensors")
    assert "1 layers of the LoRA 'none' have an alpha of 0 and no effect" in found.notes[0]
    save_file({**_PAIR, f"{_KEY}.diff": torch.ones(16, 16)}, tmp_path / "both.safetensors")
    found = merged(base, tmp_path / "both.safetensors")
    torch.testing.assert_close(weight(found.unet, Q), weight(base.unet, Q) + 1)
    assert "had no effect" in found.notes[0]
