"""Memory of the diffusion engine: autoencoders in strips give what the whole gives, in less memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from overpaint import models
from overpaint.engines.diffusion import loader, networks
from overpaint.engines.diffusion.diffusers_networks import VAE
from overpaint.engines.diffusion.memory_count import peak_bytes
from overpaint.engines.diffusion.networks import Networks
from overpaint.engines.diffusion.vae_strips import StripVae, TinyStripVae, in_strips, strip_bytes
from overpaint.engines.diffusion.values import LoadedModel
from overpaint.models import ModelRef


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
