"""RepViT, the encoder of EdgeTAM: a convolutional network that is built like a small vision transformer.

Wang, Chen, Lin, Han and Ding, "RepViT: Revisiting Mobile CNN From ViT Perspective", CVPR 2024 (arXiv 2307.09283),
section 3 and figure 4. Each block first mixes places, by a depthwise convolution with two parallel branches, then
channels, by two pointwise convolutions. Modules are named so that the tensors of published weights fit, whose layout is
that of timm's RepViT-M1 with its stages as features.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

WIDTHS, DEPTHS = (48, 96, 192, 384), (2, 2, 14, 2)
"""Channels and blocks of each stage of RepViT-M1."""

EXPANSION = 2
"""How many times the channels there are between the two pointwise convolutions of a block."""


def normed(channels: int, width: int, side: int = 1, step: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution whose output is normalised over batches."""
    convolution = nn.Conv2d(channels, width, side, step, side // 2, groups=groups, bias=False)
    return nn.Sequential(OrderedDict(c=convolution, bn=nn.BatchNorm2d(width)))


class RepVitStem(nn.Module):  # type: ignore[misc]
    """The first two convolutions: a quarter of the picture's size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.act1, self.conv2 = normed(3, width // 2, 3, 2), nn.GELU(), normed(width // 2, width, 3, 2)

    def forward(self, picture: Tensor) -> Tensor:
        """(B, width, H / 4, W / 4)."""
        return self.conv2(self.act1(self.conv1(picture)))


class PlaceMixer(nn.Module):  # type: ignore[misc]
    """A depthwise 3 x 3 convolution, a depthwise 1 x 1 convolution and the input, added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv, self.conv1 = normed(width, width, 3, groups=width), normed(width, width, groups=width)

    def forward(self, seen: Tensor) -> Tensor:
        """Of the input's shape."""
        return self.conv(seen) + self.conv1(seen) + seen


class ChannelMixer(nn.Module):  # type: ignore[misc]
    """Two pointwise convolutions; their result is to be added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = EXPANSION * width
        self.conv1, self.act, self.conv2 = normed(width, inner), nn.GELU(), normed(inner, width)

    def forward(self, seen: Tensor) -> Tensor:
        """Of the input's shape."""
        return self.conv2(self.act(self.conv1(seen)))


class ChannelGate(nn.Module):  # type: ignore[misc]
    """Weights of the channels by their means: Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = max(8, int(width / 4 + 4) // 8 * 8)  # a quarter, rounded to a multiple of 8
        self.fc1, self.fc2 = nn.Conv2d(width, inner, 1), nn.Conv2d(inner, width, 1)

    def forward(self, seen: Tensor) -> Tensor:
        """Of the input's shape."""
        means = seen.mean((2, 3), keepdim=True)
        return seen * self.fc2(self.fc1(means).relu()).sigmoid()


class RepVitBlock(nn.Module):  # type: ignore[misc]
    """Places are mixed, then channels."""

    def __init__(self, width: int, *, gated: bool) -> None:
        super().__init__()
        self.token_mixer, self.channel_mixer = PlaceMixer(width), ChannelMixer(width)
        self.se = ChannelGate(width) if gated else nn.Identity()

    def forward(self, seen: Tensor) -> Tensor:
        """Of the input's shape."""
        mixed = self.se(self.token_mixer(seen))
        return mixed + self.channel_mixer(mixed)


class Halving(nn.Module):  # type: ignore[misc]
    """The step between two stages: half the size, other channels."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.pre_block = RepVitBlock(channels, gated=False)
        self.spatial_downsample = normed(channels, channels, 3, 2, groups=channels)
        self.channel_downsample = normed(channels, width)
        self.ffn = ChannelMixer(width)

    def forward(self, seen: Tensor) -> Tensor:
        """(B, width, H / 2, W / 2)."""
        halved = self.channel_downsample(self.spatial_downsample(self.pre_block(seen)))
        return halved + self.ffn(halved)


class RepVitStage(nn.Module):  # type: ignore[misc]
    """Blocks of one size, of which every second one gates its channels, the first one too."""

    def __init__(self, channels: int, width: int, depth: int, *, halving: bool) -> None:
        super().__init__()
        self.downsample = Halving(channels, width) if halving else nn.Identity()
        self.blocks = nn.Sequential(*(RepVitBlock(width, gated=number % 2 == 0) for number in range(depth)))

    def forward(self, seen: Tensor) -> Tensor:
        """(B, width, h, w)."""
        return self.blocks(self.downsample(seen))


class RepVit(nn.Module):  # type: ignore[misc]
    """All stages of it, whose results are what is seen of a picture at several sizes."""

    def __init__(self, widths: Sequence[int] = WIDTHS, depths: Sequence[int] = DEPTHS) -> None:
        """`widths` and `depths` are channels and blocks of each stage."""
        super().__init__()
        self.stem = RepVitStem(widths[0])
        before = (widths[0], *widths[:-1])
        self._names = [f"stages_{number}" for number in range(len(widths))]
        for number, name in enumerate(self._names):
            stage = RepVitStage(before[number], widths[number], depths[number], halving=number > 0)
            self.add_module(name, stage)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """(B, width, H / step, W / step) of each stage, whose steps are 4, 8, 16 ... pixels, of (B, 3, H, W)."""
        seen, found = self.stem(picture), []
        for name in self._names:
            seen = getattr(self, name)(seen)
            found.append(seen)
        return found
