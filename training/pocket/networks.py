"""The networks, built from diffusers' and transformers' own classes, so that the result is an ordinary checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderTiny, DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from .config import Autoencoder, Denoiser, Networks, Noise, Text

MAX_PARAMETERS = 14_000_000
"""Parameters of all networks together."""


def autoencoder(settings: Autoencoder) -> Any:
    """AutoencoderTiny; its decoder bounds latents to 3 tanh(z / 3) itself."""
    widths = (settings.width,) * 4
    return AutoencoderTiny(
        latent_channels=settings.latent_channels,
        encoder_block_out_channels=widths,
        decoder_block_out_channels=widths,
        num_encoder_blocks=settings.encoder_blocks,
        num_decoder_blocks=settings.decoder_blocks,
    )


def initialise(net: Any, pictures: Tensor) -> None:
    """Set initial weights of an autoencoder so that it learns from the first step.

    At PyTorch's initial weights, latents begin with a deviation of 0.03, far below their noise. Here residual branches
    begin at 0 (Zhang, Dauphin and Ma 2019, "Fixup initialization") and the last layers are scaled on `pictures`
    (n, 3, h, w) in [-1, 1], so that latents have mean 0 and deviation 1 a channel (after Mishkin and Matas 2016,
    "All you need is a good init"), and the decoder's output is mid-grey with some contrast.
    """
    for layer in (*net.encoder.layers, *net.decoder.layers):
        inner = [part for part in layer.modules() if isinstance(part, nn.Conv2d)]
        for conv in inner:
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)
        if len(inner) > 1:
            nn.init.zeros_(inner[-1].weight)
    with torch.no_grad():
        latents, last = net.encoder(pictures), net.encoder.layers[-1]
        last.weight /= latents.std((0, 2, 3)).clamp_min(1e-6).view(-1, 1, 1, 1)
        last.bias -= net.encoder(pictures).mean((0, 2, 3))
        made, last = net.decoder(net.encoder(pictures)), net.decoder.layers[-1]
        last.weight *= 0.3 / made.std().clamp_min(1e-6)
        last.bias += 0.5 - (net.decoder(net.encoder(pictures)).mean((0, 2, 3)) + 1) / 2


def denoiser(settings: Networks) -> Any:
    """UNet2DConditionModel of latents, mask and masked latents; its last layer begins at 0."""
    own: Denoiser = settings.denoiser
    latents, levels = settings.autoencoder.latent_channels, len(own.channels)
    net = UNet2DConditionModel(
        sample_size=settings.size // 8,
        in_channels=2 * latents + 1,
        out_channels=latents,
        block_out_channels=own.channels,
        layers_per_block=own.layers,
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * (levels - 1),
        up_block_types=("CrossAttnUpBlock2D",) * (levels - 1) + ("UpBlock2D",),
        attention_head_dim=own.heads,  # diffusers' name for the number of heads
        cross_attention_dim=settings.text.width,
        norm_num_groups=own.groups,
    )
    nn.init.zeros_(net.conv_out.weight)
    nn.init.zeros_(net.conv_out.bias)
    return net


def text_encoder(settings: Text, vocabulary: int) -> Any:
    """CLIPTextModel; the last two tokens of the vocabulary are the marks of begin and end."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=settings.width,
            intermediate_size=3 * settings.width,
            num_hidden_layers=settings.layers,
            num_attention_heads=settings.heads,
            max_position_embeddings=settings.length,
            projection_dim=settings.width,
            bos_token_id=vocabulary - 2,
            eos_token_id=vocabulary - 1,
            pad_token_id=vocabulary - 1,
        )
    )


def scheduler(settings: Noise) -> Any:
    """DDIM over the noise that the denoiser is trained on; other samplers read the same file."""
    return DDIMScheduler(
        num_train_timesteps=settings.steps,
        beta_start=settings.beta_start,
        beta_end=settings.beta_end,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
        timestep_spacing="trailing",
    )


def parameters(*nets: Any) -> int:
    """Number of parameters of networks together."""
    return sum(p.numel() for net in nets for p in net.parameters())


@dataclass(frozen=True, slots=True)
class Models:
    """The networks of the denoiser's stage.

    Attributes:
        encoder: The autoencoder, frozen.
        denoiser: The network that is trained.
        text: The text encoder, trained with it.
        scale: Factor on latents between autoencoder and denoiser.
    """

    encoder: Any
    denoiser: Any
    text: Any
    scale: float

    def encode(self, pictures: Tensor) -> Tensor:
        """Scaled latents (n, c, h / 8, w / 8) float32 of pictures (n, 3, h, w) in [-1, 1]; no gradient."""
        with torch.no_grad():
            return self.encoder.encode(pictures).latents.float() * self.scale

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures in [-1, 1] of scaled latents; no gradient."""
        with torch.no_grad():
            return self.encoder.decode(latents / self.scale).sample.float().clamp(-1, 1)
