"""MI-GAN's generator: an encoder and a decoder of separable convolutions, for small devices.

Sargsyan, Navasardyan, Xu, Shi, MI-GAN: a simple baseline for image inpainting on mobile devices, ICCV 2023 (section 3).
The decoder adds at each size what the encoder had there, and a fixed noise of trained strength. Pictures are halved and
doubled through the binomial filter (1, 3, 3, 1), as in StyleGAN 2 (Karras et al., CVPR 2020).

The modules have the names of the published weights, from which their sizes are read: `encoder.b512` to `encoder.b4`,
`synthesis.b4` to `synthesis.b512`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from overpaint.errors import ModelError

from .filling import filled_network

_SLOPE, _GAIN, _LIMIT = 0.2, math.sqrt(2), 256.0


def _activated(x: Tensor) -> Tensor:
    """A leaky rectifier that keeps the variance, within limits."""
    return (functional.leaky_relu(x, _SLOPE) * _GAIN).clamp(-_LIMIT, _LIMIT)


def _per_channel(channels: int, kernel: int, **options: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, kernel, groups=channels, bias=False, **options)


class MiganHalving(nn.Module):  # type: ignore[misc]
    """Half the size, through a filter whose weights are in the file."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.filter = _per_channel(channels, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H/2, W/2)."""
        found: Tensor = self.filter(x)
        return found


class MiganDoubling(nn.Module):  # type: ignore[misc]
    """Twice the size: zeros in between, then a filter whose weights are in the file.

    Files hold the places of the zeros too, as a transposed convolution's weights or as a grid: they are constants.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.filter = _per_channel(channels, 4)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, 2H, 2W)."""
        batch, channels, height, width = x.shape
        wide = x.new_zeros(batch, channels, 2 * height, 2 * width)
        wide[..., ::2, ::2] = x
        found: Tensor = self.filter(functional.pad(wide, (2, 1, 2, 1)))
        return found


class MiganConvolution(nn.Module):  # type: ignore[misc]
    """A convolution within each channel, then one across channels, which may halve or double the size.

    Args:
        into, out: Channels.
        scale: "same", "half" or "double".
        noise: The side of the noise that is added; 0: none.
    """

    def __init__(self, into: int, out: int, scale: str = "same", noise: int = 0) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(into, into, 3, padding=1, groups=into)
        self.conv2 = nn.Conv2d(into, out, 1, bias=False)
        self.scale, self.noise = scale, noise
        if scale == "half":
            self.downsample = MiganHalving(into)
        elif scale == "double":
            self.upsample = MiganDoubling(out)
        if noise:
            self.register_buffer("noise_const", torch.zeros(noise, noise))
            self.noise_strength = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H', W')."""
        x = _activated(self.conv1(x))
        x = self.conv2(self.downsample(x) if self.scale == "half" else x)
        x = self.upsample(x) if self.scale == "double" else x
        return _activated(x + self.noise_const * self.noise_strength if self.noise else x)


class MiganEncoderBlock(nn.Module):  # type: ignore[misc]
    """Two convolutions, of which the second halves the size; the first block also takes picture and hole in."""

    def __init__(self, into: int, out: int, *, first: bool, last: bool) -> None:
        super().__init__()
        if first:
            self.fromrgb = nn.Conv2d(4, into, 1)
        self.conv1 = MiganConvolution(into, into)
        self.conv2 = MiganConvolution(into, out, "same" if last else "half")
        self.first = first

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What goes on, and what the decoder gets at this size."""
        kept = self.conv1(_activated(self.fromrgb(x)) if self.first else x)
        return self.conv2(kept), kept


class MiganDecoderBlock(nn.Module):  # type: ignore[misc]
    """Two convolutions, of which the first doubles the size, and the picture at this size."""

    def __init__(self, into: int, out: int, side: int, *, first: bool) -> None:
        super().__init__()
        self.conv1 = MiganConvolution(into, out, "same" if first else "double", 0 if first else side)
        self.conv2 = MiganConvolution(out, out, "same", 0 if first else side)
        self.torgb = nn.Conv2d(out, 3, 1)
        if not first:
            self.upsample = MiganDoubling(3)

    def forward(self, x: Tensor, kept: Tensor, picture: Tensor | None) -> tuple[Tensor, Tensor]:
        """What goes on, and the picture so far."""
        x = self.conv2(self.conv1(x) + kept)
        own = self.torgb(x)
        return x, own if picture is None else self.upsample(picture) + own


class MiganGenerator(nn.Module):  # type: ignore[misc]
    """The generator, for squares of one side.

    Args:
        channels: Of each side: {512: 64, 256: 128, ... 4: 512}.
    """

    def __init__(self, channels: Mapping[int, int]) -> None:
        super().__init__()
        self.sides = sorted(channels, reverse=True)
        self.encoder, self.synthesis = nn.Module(), nn.Module()
        for side in self.sides:
            last = side == self.sides[-1]
            out = channels[side] if last else channels[side // 2]
            block = MiganEncoderBlock(channels[side], out, first=side == self.sides[0], last=last)
            self.encoder.add_module(f"b{side}", block)
            into = channels[side] if last else channels[side // 2]
            self.synthesis.add_module(f"b{side}", MiganDecoderBlock(into, channels[side], side, first=last))

    def forward(self, picture: Tensor, hole: Tensor) -> Tensor:
        """The whole picture as the network sees it, about in [0, 1].

        Args:
            picture: (B, 3, S, S) in [0, 1].
            hole: (B, 1, S, S): 1 in the hole, else 0.
        """
        x: Tensor = torch.cat((0.5 - hole, (2 * picture - 1) * (1 - hole)), dim=1)
        kept = {}
        for side in self.sides:
            x, kept[side] = self.encoder.get_submodule(f"b{side}")(x)
        found: Tensor | None = None
        for side in reversed(self.sides):
            x, found = self.synthesis.get_submodule(f"b{side}")(x, kept[side], found)
        assert found is not None
        return (found + 1) / 2


def migan_of(tensors: Mapping[str, Tensor]) -> MiganGenerator:
    """A generator with these weights, by their published names, ready to be used.

    Raises:
        ModelError: Tensors are missing, or have other shapes than MI-GAN's.
    """
    pattern = re.compile(r"encoder\.b(\d+)\.conv1\.conv1\.weight")
    channels = {int(found[1]): one.shape[0] for name, one in tensors.items() if (found := pattern.fullmatch(name))}
    if not channels or sorted(channels) != [4 << step for step in range(len(channels))]:
        raise ModelError("its tensors are not those of MI-GAN's generator")
    with torch.device("meta"):
        generator = MiganGenerator(channels)
    constants = ("upsample.insert_zeros.weight", "upsample.filter_const")
    filled_network(generator, {name: one for name, one in tensors.items() if not name.endswith(constants)}, "MI-GAN")
    return generator
