"""CLIP's picture encoder (Radford et al. 2021), a Vision Transformer (Dosovitskiy et al. 2021, arXiv 2010.11929).

The picture is cut into patches; a state for each and one for the whole picture pass through layers as the text
encoder has (see `clip`), without its causal order. Names and defaults are those of transformers' CLIPVisionConfig.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from overpaint.engines.monitor import Pixels
from overpaint.models import ModelError

from .clip import ClipLayer, Count, EncoderSizes

MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of the colours that CLIP was trained on, by channel."""

_LONGEST = 100
"""The longest picture that is resized as a whole, in times of its shorter side."""

_KNOWN: Mapping[int, tuple[int, str]] = {
    768: (12, "quick_gelu"),
    1024: (16, "quick_gelu"),
    1280: (16, "gelu"),
    1664: (16, "gelu"),
}
"""Heads and nonlinearity of published encoders by their width (ViT-B, ViT-L, ViT-H, ViT-bigG)."""


class ClipVisionConfig(EncoderSizes):
    """Sizes of a picture encoder.

    Attributes:
        image_size: Side of the square pictures that it takes, in pixels.
        patch_size: Side of a patch.
    """

    encoder: ClassVar[str] = "picture encoder"

    hidden_size: Count = 768
    intermediate_size: Count = 3072
    num_attention_heads: Count = 12
    image_size: Count = 224
    patch_size: Count = 32

    @property
    def patches(self) -> int:
        """Number of patches of a picture."""
        return int((self.image_size // self.patch_size) ** 2)

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, torch.Tensor], title: str) -> ClipVisionConfig:
        """The sizes of an encoder in a file without configuration.

        Raises:
            ModelError: Tensors are missing, or its width is not that of a published one.
        """
        try:
            patch, places = (
                tensors["embeddings.patch_embedding.weight"],
                tensors["embeddings.position_embedding.weight"],
            )
            inner, projection = tensors["encoder.layers.0.mlp.fc1.weight"], tensors["visual_projection.weight"]
        except KeyError as error:
            raise ModelError(f"{title} lacks {error.args[0]}: the file is incomplete") from error
        width, side = int(patch.shape[0]), int(patch.shape[-1])
        if width not in _KNOWN:
            raise ModelError(
                f"{title} has states of {width} numbers, and no published encoder has",
                code="image-encoder-other",
                value=width,
                hint="give its folder, with config.json",
            )
        heads, activation = _KNOWN[width]
        layers = {name.split(".")[2] for name in tensors if name.startswith("encoder.layers.")}
        return cls.read(
            {
                "hidden_size": width,
                "intermediate_size": int(inner.shape[0]),
                "num_hidden_layers": len(layers),
                "num_attention_heads": heads,
                "hidden_act": activation,
                "projection_dim": int(projection.shape[0]),
                "image_size": side * round((len(places) - 1) ** 0.5),
                "patch_size": side,
            }
        )


@dataclass(frozen=True, slots=True, eq=False)
class VisionStates:
    """The output of the encoder for pictures.

    Attributes:
        embeds: (N, P): one projected state for each picture.
        states: (N, 1 + patches, D): the states before the last layer; the first is that of the whole picture.
    """

    embeds: torch.Tensor
    states: torch.Tensor


class ClipVision(nn.Module):  # type: ignore[misc]
    """The picture encoder. Called with pictures (N, 3, S, S), normalised as `clip_pixels` does."""

    def __init__(self, config: ClipVisionConfig) -> None:
        """Build the network; its weights must be loaded before use."""
        super().__init__()
        self.config = config
        self.embeddings = _Patches(config)
        self.pre_layrnorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)  # as it was published
        layers = nn.ModuleList(ClipLayer(config, causal=False) for _ in range(config.num_hidden_layers))
        self.encoder = nn.ModuleDict({"layers": layers})
        self.post_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.visual_projection = nn.Linear(config.hidden_size, config.projection_dim, bias=False)

    def forward(self, pixels: torch.Tensor) -> VisionStates:
        """Encode pictures (N, 3, S, S)."""
        x = before = self.pre_layrnorm(self.embeddings(pixels))
        for layer in self.encoder["layers"]:
            before, x = x, layer(x)
        return VisionStates(self.visual_projection(self.post_layernorm(x[:, 0])), before)

    @property
    def device(self) -> torch.device:
        """The device of its weights."""
        return self.post_layernorm.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The type of its weights."""
        return self.post_layernorm.weight.dtype


class _Patches(nn.Module):  # type: ignore[misc]
    def __init__(self, config: ClipVisionConfig) -> None:
        super().__init__()
        width, side = config.hidden_size, config.patch_size
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.patch_embedding = nn.Conv2d(3, width, side, stride=side, bias=False)
        # without random numbers, as in the text encoder
        self.position_embedding = nn.Embedding.from_pretrained(torch.empty(config.patches + 1, width), freeze=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        whole = self.class_embedding.expand(len(pixels), 1, -1)
        embedded: torch.Tensor = torch.cat([whole, patches], dim=1) + self.position_embedding.weight
        return embedded


def clip_pixels(pixels: Pixels, side: int) -> torch.Tensor:
    """A picture (H, W, 3) in [0, 1] of any size as the encoder takes it, (1, 3, side, side) float32.

    As transformers' CLIPImageProcessor: the shorter side is resized to `side` by Pillow's bicubic filter in 8 bits, the
    middle is cut out, and each channel is normalised.
    """
    from PIL import Image

    eight = Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8), "RGB")
    shorter = min(eight.size)
    if max(eight.size) > _LONGEST * shorter:  # of which the middle alone counts
        left, top = (max(0, one - _LONGEST * shorter) // 2 for one in eight.size)
        eight = eight.crop((left, top, eight.width - left, eight.height - top))
    width, height = (side if one == shorter else int(side * one / shorter) for one in eight.size)
    left, top = (width - side) // 2, (height - side) // 2
    resized = eight.resize((width, height), Image.Resampling.BICUBIC).crop((left, top, left + side, top + side))
    x = torch.from_numpy(np.array(resized, np.float32)).permute(2, 0, 1)[None] / 255
    mean, deviation = (torch.tensor(one)[:, None, None] for one in (MEAN, DEVIATION))
    return (x - mean) / deviation


def read_clip_vision(config: Mapping[str, Any] | None, tensors: Mapping[str, torch.Tensor], title: str) -> ClipVision:
    """An encoder on the meta device, by its configuration or, where it has none, by the sizes of its tensors."""
    sizes = ClipVisionConfig.of_tensors(tensors, title) if config is None else ClipVisionConfig.read(config)
    with torch.device("meta"):
        return ClipVision(sizes)
