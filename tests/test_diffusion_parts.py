"""Checkpoints in parts: a file without its VAE, a U-Net alone in every form, a tiny VAE in its original two files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import checkpoints
from checkpoints import TINY
from overpaint import models
from overpaint.engines.diffusion import diffusers_networks, loader
from overpaint.engines.diffusion.values import LoadedModel
from overpaint.models import ModelError
from test_diffusion_loader import as_folder
from test_models_forms import write_gguf

PLAN = TINY["sd1"]
VAE, UNET = "first_stage_model.", "model.diffusion_model."


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.small_config(PLAN, tmp_path_factory.mktemp("plan") / "config")


@pytest.fixture(scope="module")
def whole() -> dict[str, torch.Tensor]:
    return checkpoints.tensors(checkpoints.layout(PLAN))


def load(path: Path, config: Path | None, **how: Any) -> LoadedModel:
    return loader.load(models.find(str(path), config=config, **how))


@pytest.fixture(scope="module")
def loaded(
    whole: dict[str, Any], config: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LoadedModel, Path, LoadedModel]:
    """The whole checkpoint as it is loaded; another checkpoint's file, and what is loaded from that."""
    folder = tmp_path_factory.mktemp("loaded")
    base = saved(folder / "base.safetensors", checkpoints.tensors(checkpoints.layout(PLAN), seed=5))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OVERPAINT_HOME", str(folder / "home"))
        return load(saved(folder / "whole.safetensors", whole), config), base, load(base, config)


def same(one: torch.nn.Module, other: torch.nn.Module, error: float = 0.0) -> bool:
    left, right = one.state_dict(), other.state_dict()
    return left.keys() == right.keys() and all((left[n] - right[n]).abs().max() <= error for n in left)


def equal(a: LoadedModel, b: LoadedModel) -> bool:
    texts = zip(a.text_encoders, b.text_encoders, strict=True)
    return same(a.network, b.network) and same(a.vae, b.vae) and all(same(x, y) for x, y in texts)


def saved(path: Path, tensors: dict[str, torch.Tensor]) -> Path:
    save_file(tensors, path)
    return path


def test_a_file_without_its_vae_takes_another(whole: dict[str, Any], config: Path, tmp_path: Path) -> None:
    path = saved(tmp_path / "whole.safetensors", whole)
    bare = saved(tmp_path / "bare.safetensors", {n: one for n, one in whole.items() if not n.startswith(VAE)})
    vae = saved(tmp_path / "vae.safetensors", {n: one for n, one in whole.items() if n.startswith(VAE)})
    assert models.detect(bare).title == "Stable Diffusion 1.x U-Net without VAE, fp32"
    with pytest.raises(ModelError, match=r"not a checkpoint but a .* without VAE.*; name one as vae") as caught:
        models.find(str(bare), config=config)
    assert (caught.value.code, caught.value.field) == ("model-incomplete", "vae")
    expected = load(path, config)
    for how in ({"vae": str(vae)}, {"base": str(path)}):
        assert equal(load(bare, config, **how), expected)


@pytest.mark.parametrize("form", ["prefix", "bare", "diffusers", "fp8", "gguf"])
@pytest.mark.parametrize("layout", ["file", "folder"])
def test_a_unet_alone_takes_the_rest_from_a_base(
    form: str,
    layout: str,
    whole: dict[str, Any],
    config: Path,
    loaded: tuple[LoadedModel, Path, LoadedModel],
    tmp_path: Path,
) -> None:
    expected, base, base_model = loaded
    if layout == "folder":
        base = as_folder(base_model, config, tmp_path / "base")
    unet = {n: one for n, one in whole.items() if n.startswith(UNET)}
    bare = {n.removeprefix(UNET): one for n, one in unet.items()}
    path, error = tmp_path / "unet.safetensors", 0.0
    match form:
        case "prefix":
            save_file(unet, path)
        case "bare":
            save_file(bare, path)
        case "diffusers":
            save_file(expected.network.state_dict(), path)
        case "fp8":
            error = 0.2
            held = {UNET + "scaled_fp8": torch.zeros(2).to(torch.float8_e4m3fn)}
            for name, one in unet.items():
                small = name.endswith(".weight") and one.ndim == 2
                held[name] = (one / 0.25).to(torch.float8_e4m3fn) if small else one
                if small:
                    held[name.removesuffix(".weight") + ".scale_weight"] = torch.tensor(0.25)
            save_file(held, path)
        case "gguf":
            path, error = write_gguf(tmp_path / "unet.gguf", bare), 0.03
    assert models.detect(path).lacks == ("vae", "text")
    with pytest.raises(ModelError, match=r"without VAE and text encoder.*; name a checkpoint .* as base"):
        models.find(str(path), config=config)
    found = load(path, None if layout == "folder" else config, base=str(base))
    assert same(found.network, expected.network, error)
    assert same(found.vae, base_model.vae)
    assert same(found.text_encoders[0], base_model.text_encoders[0])
    assert found.digest not in (expected.digest, base_model.digest)
    assert found.tokenizers[0].tokenise("a cat") == base_model.tokenizers[0].tokenise("a cat")


def test_the_folder_of_a_unet_takes_the_rest_from_a_base(whole: dict[str, Any], config: Path, tmp_path: Path) -> None:
    expected = load(saved(tmp_path / "whole.safetensors", whole), config)
    expected.network.save_pretrained(tmp_path / "unet")
    base = as_folder(expected, config, tmp_path / "base")
    found = load(tmp_path / "unet", None, base=str(base))
    assert equal(found, expected)


def test_a_base_must_be_of_the_family_and_be_needed(whole: dict[str, Any], config: Path, tmp_path: Path) -> None:
    path = saved(tmp_path / "whole.safetensors", whole)
    unet = saved(tmp_path / "unet.safetensors", {n: one for n, one in whole.items() if n.startswith(UNET)})
    other = saved(tmp_path / "other.safetensors", checkpoints.tensors(checkpoints.layout(TINY["sdxl"])))
    with pytest.raises(ModelError, match=r"another family's than unet.safetensors: SDXL"):
        models.find(str(unet), base=str(other))
    with pytest.raises(ModelError, match="has all parts of a checkpoint"):
        models.find(str(path), base=str(path))
    with pytest.raises(ModelError, match="the base: no model is called 'nowhere'"):
        models.find(str(unet), base="nowhere")


# ---- tiny VAEs ----


def two_files(tiny: Any, folder: Path, ending: str = "pth") -> tuple[Path, Path]:
    """The original release's two files of a tiny VAE: the decoder's layers are counted from its clamp."""
    halves: dict[str, dict[str, torch.Tensor]] = {"encoder": {}, "decoder": {}}
    for name, one in tiny.state_dict().items():
        half, _, number, rest = name.split(".", 3)
        halves[half][f"{int(number) + (half == 'decoder')}.{rest}"] = one
    for half, tensors in halves.items():
        torch.save(tensors, folder / f"taesd_{half}.{ending}")
    return folder / f"taesd_encoder.{ending}", folder / f"taesd_decoder.{ending}"


def test_the_original_two_files_of_a_tiny_vae(whole: dict[str, Any], config: Path, tmp_path: Path) -> None:
    from diffusers import AutoencoderTiny

    tiny = AutoencoderTiny()
    encoder, decoder = two_files(tiny, tmp_path)
    path = saved(tmp_path / "whole.safetensors", whole)
    with pytest.raises(ModelError, match="is a pickle"):
        models.find(str(path), config=config, vae=str(decoder))
    for file in (encoder, decoder):
        assert models.detect(file).what == "tiny-vae"
        ref = models.find(str(path), config=config, vae=str(file), allow_pickle=True)
        loaded = loader.load(ref)
        assert type(loaded.vae).__name__ == "AutoencoderTiny"
        assert same(loaded.vae, tiny)
    encoder.unlink()
    with pytest.raises(ModelError, match="is one half of a tiny VAE, and the other is not beside it"):
        models.find(str(path), config=config, vae=str(decoder), allow_pickle=True)


PUBLISHED = Path(__file__).parents[2] / "shared" / "nets" / "taef2_encoder.pth"


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="needs the published network")
def test_the_names_of_a_published_tiny_encoder() -> None:
    from diffusers.models.autoencoders.vae import EncoderTiny

    held = loader.read_tensors(PUBLISHED, allow_pickle=True)
    assert models.detect(PUBLISHED).title.startswith("a tiny VAE of 32 latent")
    named = diffusers_networks.tiny_vae_names(held, {})
    network = EncoderTiny(3, 32, (1, 3, 3, 3), (64, 64, 64, 64), "relu")
    plain = {name.removeprefix("encoder."): one for name, one in named.items() if ".pool." not in name}  # FLUX.2's own
    network.load_state_dict(plain, strict=True)
