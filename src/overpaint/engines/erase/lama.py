"""LaMa's generator: a residual network of fast Fourier convolutions.

Suvorov et al., Resolution-robust large mask inpainting with Fourier convolutions, WACV 2022 (section 2, fig. 2), after
Chi, Jiang, Mu, Fast Fourier convolution, NeurIPS 2020 (fig. 2). A layer has two branches: a local one of ordinary
convolutions, and a global one that convolves the picture's spectrum, so that every pixel sees the whole picture.

The modules have the names of the published weights, from which their sizes are read: `model.1` is the first layer,
then those that halve the picture, residual blocks, those that double it, and a last convolution. Numbers in between are
layers without weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from overpaint.errors import ModelError

from .filling import filled_network

_EPSILON = 1e-5  # torch's default for batch normalisation, with which the weights were trained


@dataclass(frozen=True, slots=True)
class LamaSizes:
    """Sizes of a generator.

    Attributes:
        channels: Of the first layer.
        halvings: How many layers halve the picture.
        blocks: Residual blocks.
        local: Of the channels within the blocks, those of the local branch; the others are the global branch's.
        inputs: Input channels: picture and mask.
    """

    channels: int
    halvings: int
    blocks: int
    local: int
    inputs: int = 4


class SpectrumConvolution(nn.Module):  # type: ignore[misc]
    """A 1x1 convolution of the spectrum: real and imaginary parts are channels of their own."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_layer = nn.Conv2d(2 * channels, 2 * channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(2 * channels, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H, W)."""
        batch, channels, height, width = x.shape
        spectrum = torch.fft.rfftn(x, dim=(-2, -1), norm="ortho")
        # channel 2c is the real part of c, channel 2c + 1 the imaginary one
        parts = torch.view_as_real(spectrum).movedim(-1, 2).reshape(batch, 2 * channels, height, -1)
        parts = functional.relu(self.bn(self.conv_layer(parts)))
        parts = parts.reshape(batch, channels, 2, height, -1).movedim(2, -1).contiguous()
        return torch.fft.irfftn(torch.view_as_complex(parts), s=(height, width), dim=(-2, -1), norm="ortho")


class GlobalToGlobal(nn.Module):  # type: ignore[misc]
    """From the global branch to itself: half the channels, their spectrum convolved and added, all channels again."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        half = out // 2
        self.conv1 = nn.Sequential(nn.Conv2d(into, half, 1, bias=False), nn.BatchNorm2d(half, eps=_EPSILON), nn.ReLU())
        self.fu = SpectrumConvolution(half)
        self.conv2 = nn.Conv2d(half, out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H, W)."""
        x = self.conv1(x)
        found: Tensor = self.conv2(x + self.fu(x))
        return found


def _convolution(into: int, out: int, kernel: int, stride: int, padding: int) -> nn.Conv2d:
    return nn.Conv2d(into, out, kernel, stride, padding, bias=False, padding_mode="reflect")


class FourierConvolution(nn.Module):  # type: ignore[misc]
    """The four paths between a local and a global branch; a branch without channels has none."""

    def __init__(
        self, into: tuple[int, int], out: tuple[int, int], kernel: int, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        (local, wide), (to_local, to_wide) = into, out
        self.convl2l = _convolution(local, to_local, kernel, stride, padding)
        if wide:
            self.convg2l = _convolution(wide, to_local, kernel, stride, padding)
        if to_wide:
            self.convl2g = _convolution(local, to_wide, kernel, stride, padding)
        if wide and to_wide:
            self.convg2g = GlobalToGlobal(wide, to_wide)
        self.wide, self.to_wide = wide, to_wide

    def forward(self, local: Tensor, wide: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Both branches to both; None for a branch without channels."""
        to_local, to_wide = self.convl2l(local), self.convl2g(local) if self.to_wide else None
        if wide is not None:
            to_local = to_local + self.convg2l(wide)
            to_wide = None if to_wide is None else to_wide + self.convg2g(wide)
        return to_local, to_wide


class FourierLayer(nn.Module):  # type: ignore[misc]
    """A Fourier convolution, and for each branch a normalisation and a rectifier."""

    def __init__(
        self, into: tuple[int, int], out: tuple[int, int], kernel: int, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        self.ffc = FourierConvolution(into, out, kernel, stride, padding)
        self.bn_l = nn.BatchNorm2d(out[0], eps=_EPSILON)
        if out[1]:
            self.bn_g = nn.BatchNorm2d(out[1], eps=_EPSILON)

    def forward(self, local: Tensor, wide: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Both branches to both."""
        local, wide = self.ffc(local, wide)
        return functional.relu(self.bn_l(local)), None if wide is None else functional.relu(self.bn_g(wide))


class FourierBlock(nn.Module):  # type: ignore[misc]
    """Two layers, and their input added to what they give."""

    def __init__(self, sides: tuple[int, int]) -> None:
        super().__init__()
        self.conv1 = FourierLayer(sides, sides, 3, padding=1)
        self.conv2 = FourierLayer(sides, sides, 3, padding=1)

    def forward(self, local: Tensor, wide: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Both branches to both."""
        to_local, to_wide = self.conv2(*self.conv1(local, wide))
        return local + to_local, None if wide is None else wide + to_wide


class LamaGenerator(nn.Module):  # type: ignore[misc]
    """The generator. Its input is the picture without what is in the hole, and the hole; its output the picture."""

    def __init__(self, sizes: LamaSizes) -> None:
        super().__init__()
        self.sizes = sizes
        first, deep = sizes.channels, sizes.channels << sizes.halvings
        branches = (sizes.local, deep - sizes.local)
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), FourierLayer((sizes.inputs, 0), (first, 0), 7)]
        for step in range(sizes.halvings):
            into, last = first << step, step == sizes.halvings - 1
            layers.append(FourierLayer((into, 0), branches if last else (2 * into, 0), 3, stride=2, padding=1))
        layers += [FourierBlock(branches) for _ in range(sizes.blocks)]
        layers.append(nn.Identity())  # here the branches become one
        for step in range(sizes.halvings):
            into = deep >> step
            up = nn.ConvTranspose2d(into, into // 2, 3, stride=2, padding=1, output_padding=1)
            layers += [up, nn.BatchNorm2d(into // 2, eps=_EPSILON), nn.ReLU()]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(first, 3, 7), nn.Sigmoid()]
        self.model = nn.ModuleList(layers)

    def forward(self, picture: Tensor, hole: Tensor) -> Tensor:
        """The whole picture as the network sees it, outside the hole too.

        Args:
            picture: (B, 3, H, W) in [0, 1]; sides are multiples of 2 ** halvings.
            hole: (B, 1, H, W): 1 in the hole, else 0.
        """
        local, wide = torch.cat((picture * (1 - hole), hole), dim=1), None
        layers = iter(self.model)
        local = next(layers)(local)
        for layer in layers:
            if isinstance(layer, nn.Identity):
                break
            local, wide = layer(local, wide)
        x = local if wide is None else torch.cat((local, wide), dim=1)
        for layer in layers:
            x = layer(x)
        return x


def sizes_of(shapes: Mapping[str, tuple[int, ...]]) -> LamaSizes:
    """The sizes of a generator by the shapes of its tensors.

    Raises:
        ModelError: They are not those of a generator of LaMa.
    """
    try:
        channels, inputs = shapes["model.1.ffc.convl2l.weight"][:2]
        layers = {int(found[1]) for name in shapes if (found := re.match(r"model\.(\d+)\.ffc\.convl2l\.weight", name))}
        blocks = {int(found[1]) for name in shapes if (found := re.match(r"model\.(\d+)\.conv1\.ffc\.", name))}
        local = shapes[f"model.{max(layers)}.ffc.convl2l.weight"][0]
        return LamaSizes(channels, len(layers) - 1, len(blocks), local, inputs)
    except (KeyError, ValueError) as error:
        raise ModelError("its tensors are not those of LaMa's generator") from error


def lama_of(tensors: Mapping[str, Tensor]) -> LamaGenerator:
    """A generator with these weights, by their published names without "generator.", ready to be used.

    Raises:
        ModelError: Tensors are missing, or have other shapes than LaMa's.
    """
    with torch.device("meta"):
        generator = LamaGenerator(sizes_of({name: tuple(one.shape) for name, one in tensors.items()}))
    filled_network(generator, tensors, "LaMa")
    return generator
