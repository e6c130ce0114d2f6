"""An autoencoder that works in strips of rows: the result of the whole computation in a fraction of its memory.

Tiles that are decoded apart each normalise by their own mean and variance, which shifts their colours. Here every layer
is finished for the whole picture before the next one begins, so that a group norm has the statistics of the whole
picture, and a convolution sees the rows beside its strip. What is calculated in between exists for one strip at a time.
The result differs from the whole computation by rounding alone.

The layers are those of diffusers' AutoencoderKL: an encoder or decoder of residual blocks with one attention layer at
its lowest resolution, which takes a part of its queries at a time. Tiny autoencoders (AutoencoderTiny) have no norms:
their strips take as many further rows as their convolutions see.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

STRIP_BYTES = 16 << 20
"""Bytes of one strip of features in single precision."""

SCORE_BYTES = 256 << 20
"""Bytes of the attention scores of one part of the queries, where the device's attention keeps them at all."""

Before = Callable[[torch.Tensor], torch.Tensor]
After = Callable[[torch.Tensor, int], torch.Tensor]


@dataclass(frozen=True, slots=True)
class LatentMoments:
    """Mean and deviation of encoded latents, (1, C, h, w)."""

    mean: torch.Tensor
    std: torch.Tensor


@dataclass(frozen=True, slots=True)
class EncodedStrips:
    """What `StripVae.encode` gives, by diffusers' names."""

    latent_dist: LatentMoments


@dataclass(frozen=True, slots=True)
class TinyLatents:
    """What `TinyStripVae.encode` gives, by diffusers' names: (1, C, h, w)."""

    latents: torch.Tensor


@dataclass(frozen=True, slots=True)
class DecodedStrips:
    """What `StripVae.decode` gives, by diffusers' names: (1, 3, H, W) in [-1, 1]."""

    sample: torch.Tensor


def in_strips(vae: Any, *, keep: torch.device | None = None) -> StripVae | TinyStripVae | None:
    """The autoencoder, called as before, in strips; None for one of unknown layers. `keep`: see `StripVae`."""
    if type(vae).__name__ == "AutoencoderTiny":
        return TinyStripVae(vae)
    return StripVae(vae, keep=keep) if _has_known_layers(vae) else None


def _has_known_layers(vae: Any) -> bool:
    config = getattr(vae, "config", None)
    if config is None or not (hasattr(vae, "encoder") and hasattr(vae, "decoder")):
        return False
    known = {"down_block_types": {"DownEncoderBlock2D"}, "up_block_types": {"UpDecoderBlock2D"}}
    if any(set(config.get(name) or ["none"]) != kinds for name, kinds in known.items()):
        return False
    return all(
        block.time_emb_proj is None and block.output_scale_factor == 1 and block.norm1.affine and block.norm2.affine
        for part in (vae.encoder, vae.decoder)
        for block in part.modules()
        if hasattr(block, "conv1") and hasattr(block, "norm1")
    )


def strip_bytes(vae: Any, area: int) -> int:
    """Bytes that `StripVae` keeps for a picture of `area` pixels: the features of a layer and of the one after it.

    The most are those of the last level of the decoder, which enter it with the channels of the level before. A tiny
    autoencoder keeps its strips alone.
    """
    if "block_out_channels" not in vae.config or type(vae).__name__ == "AutoencoderTiny":
        return 0
    first, second = (vae.config["block_out_channels"] * 2)[:2]
    return int((first + second) * area * vae.decoder.conv_in.weight.element_size())


class StripVae:
    """An autoencoder in strips, called as diffusers' AutoencoderKL is.

    Attributes:
        config: The autoencoder's.
        dtype: The type that it calculates in.
    """

    def __init__(self, vae: Any, *, keep: torch.device | None = None, strip: int = STRIP_BYTES) -> None:
        """Take an autoencoder that `in_strips` knows.

        Args:
            vae: In evaluation mode, on its device.
            keep: Device that the features of a whole layer are kept on; None: the autoencoder's.
            strip: Bytes of one strip of features in single precision.
        """
        self._vae = vae
        weight = vae.decoder.conv_in.weight
        self.config, self.dtype = vae.config, weight.dtype
        self._device: torch.device = weight.device
        self._keep = keep or self._device
        self._strip = strip

    def encode(self, x: torch.Tensor) -> EncodedStrips:
        """The latents of a picture, (1, 3, H, W) in [-1, 1]; sides are multiples of the latent cell."""
        part = self._vae.encoder
        found = self._start(part.conv_in, x)
        for block in part.down_blocks:
            for one in block.resnets:
                found = self._residual(one, found)
            for one in block.downsamplers or ():
                found = self._halved(one.conv, found)
        found = self._finish(part, self._middle(part.mid_block, found))
        mean, logarithm = self._pointwise(self._vae.quant_conv, found).chunk(2, dim=1)
        # The bounds are those of diffusers' DiagonalGaussianDistribution.
        return EncodedStrips(LatentMoments(mean, torch.exp(0.5 * logarithm.clamp(-30.0, 20.0))))

    def decode(self, z: torch.Tensor) -> DecodedStrips:
        """The picture of latents, (1, C, h, w)."""
        part = self._vae.decoder
        found = self._middle(part.mid_block, self._start(part.conv_in, self._pointwise(self._vae.post_quant_conv, z)))
        for block in part.up_blocks:
            for one in block.resnets:
                found = self._residual(one, found)
            for one in block.upsamplers or ():
                found = self._doubled(one.conv, found)
        return DecodedStrips(self._finish(part, found))

    @staticmethod
    def _pointwise(layer: Any, x: torch.Tensor) -> torch.Tensor:
        return x if layer is None else layer(x)

    def _start(self, conv: Any, x: torch.Tensor) -> _Features:
        return self._convolved(conv, _Features(x, self._device))

    def _finish(self, part: Any, x: _Features) -> torch.Tensor:
        found = self._convolved(part.conv_out, x, before=x.normed(part.conv_norm_out))
        return found.tensor.to(self._device)

    def _middle(self, block: Any, x: _Features) -> _Features:
        for number, one in enumerate(block.resnets):
            if number and (attention := block.attentions[number - 1]) is not None:
                x = self._attended(attention, x)
            x = self._residual(one, x)
        return x

    def _residual(self, block: Any, x: _Features) -> _Features:
        """x + f(x), written into x's own memory where its channels suffice."""
        hidden = self._convolved(block.conv1, x, before=x.normed(block.norm1))
        channels, shortcut = block.conv2.out_channels, block.conv_shortcut

        def added(strip: torch.Tensor, top: int) -> torch.Tensor:
            return strip.add_(self._pointwise(shortcut, x.rows(top, top + strip.shape[2])))

        into = _Features(x.tensor[:, :channels], self._device) if channels <= x.tensor.shape[1] else None
        return self._convolved(block.conv2, hidden, before=hidden.normed(block.norm2), after=added, into=into)

    def _attended(self, layer: Any, x: _Features) -> _Features:
        """x + attention(x) over all cells. The lowest resolution has few: only the scores need parts."""
        whole = x.tensor.to(self._device)
        height, width = whole.shape[2:]
        cells = x.normed(layer.group_norm, activated=False)(whole).flatten(2).transpose(1, 2)
        query, key, value = (
            one(cells).unflatten(2, (layer.heads, -1)).transpose(1, 2) for one in (layer.to_q, layer.to_k, layer.to_v)
        )
        many = max(1, SCORE_BYTES // (4 * layer.heads * height * width))
        parts = [F.scaled_dot_product_attention(one, key, value) for one in query.split(many, dim=2)]
        mixed = layer.to_out[0](torch.cat(parts, dim=2).transpose(1, 2).flatten(2))
        out = _Features(x.tensor, self._device)
        out.put(0, mixed.transpose(1, 2).unflatten(2, (height, width)).add_(whole))
        return out

    def _convolved(
        self,
        conv: Any,
        x: _Features,
        *,
        before: Before | None = None,
        after: After | None = None,
        into: _Features | None = None,
    ) -> _Features:
        """A 3x3 convolution with zeros around the picture; `before` and `after` it, functions of single pixels."""

        def strip(top: int, bottom: int) -> torch.Tensor:
            rows = x.padded(top - 1, bottom + 1, before)
            found = F.conv2d(rows, conv.weight, conv.bias, padding=(0, 1))
            return found if after is None else after(found, top)

        height, width = x.tensor.shape[2:]
        return self._made(strip, conv, height, width, into)

    def _doubled(self, conv: Any, x: _Features) -> _Features:
        """Sides are doubled by repeating pixels; a 3x3 convolution follows."""

        def strip(top: int, bottom: int) -> torch.Tensor:
            first, last = (top - 1) // 2, bottom // 2 + 1
            wide = F.interpolate(x.padded(first, last, None), scale_factor=2.0, mode="nearest")
            return F.conv2d(
                wide[:, :, top - 1 - 2 * first :][:, :, : bottom - top + 2], conv.weight, conv.bias, 1, (0, 1)
            )

        height, width = x.tensor.shape[2:]
        return self._made(strip, conv, 2 * height, 2 * width)

    def _halved(self, conv: Any, x: _Features) -> _Features:
        """A 3x3 convolution with stride 2, with zeros to the right and below."""

        def strip(top: int, bottom: int) -> torch.Tensor:
            rows = F.pad(x.padded(2 * top, 2 * bottom + 1, None), (0, 1))
            return F.conv2d(rows, conv.weight, conv.bias, 2)

        height, width = x.tensor.shape[2:]
        return self._made(strip, conv, height // 2, width // 2)

    def _made(
        self,
        strip: Callable[[int, int], torch.Tensor],
        conv: Any,
        height: int,
        width: int,
        into: _Features | None = None,
    ) -> _Features:
        """The output of a convolution, (1, C, height, width), from its strips of rows."""
        if into is None:
            shape = (1, conv.out_channels, height, width)
            # A strip of rows is then one piece of memory.
            empty = torch.empty(shape, dtype=self.dtype, device=self._keep, memory_format=torch.channels_last)
            into = _Features(empty, self._device)
        step = max(8, self._strip // (4 * max(conv.in_channels, conv.out_channels) * width))
        for top in range(0, height, step):
            into.put(top, strip(top, min(top + step, height)))
        return into


class TinyStripVae:
    """A tiny autoencoder in strips, called as diffusers' AutoencoderTiny is.

    Attributes:
        config: The autoencoder's.
        dtype: The type that it calculates in.
    """

    def __init__(self, vae: Any, *, cells: int = 64) -> None:
        """Take an autoencoder, and how many rows of latent cells a strip has."""
        self._vae = vae
        self._cells = cells
        self.config, self.dtype = vae.config, vae.dtype

    def encode(self, x: torch.Tensor) -> TinyLatents:
        """The latents of a picture, (1, 3, H, W) in [-1, 1]."""
        side, seen = self._side, _rows_seen(self._vae.encoder, self._side)
        strips = []
        for top, bottom, first, last in self._strips(x.shape[2] // side, seen):
            strips.append(
                self._vae.encode(x[:, :, first * side : last * side]).latents[:, :, top - first : bottom - first]
            )
        return TinyLatents(torch.cat(strips, dim=2))

    def decode(self, z: torch.Tensor) -> DecodedStrips:
        """The picture of latents, (1, C, h, w)."""
        side, seen = self._side, _rows_seen(self._vae.decoder, 1)
        strips = []
        for top, bottom, first, last in self._strips(z.shape[2], seen):
            found = self._vae.decode(z[:, :, first:last]).sample
            strips.append(found[:, :, (top - first) * side : (bottom - first) * side].clone())
        return DecodedStrips(torch.cat(strips, dim=2))

    @property
    def _side(self) -> int:
        return int(self.config["upsampling_scaling_factor"] ** (len(self.config["decoder_block_out_channels"]) - 1))

    def _strips(self, height: int, seen: int) -> Iterator[tuple[int, int, int, int]]:
        """Of each strip its first row and the one after its last, and those of the rows that it sees."""
        for top in range(0, height, self._cells):
            bottom = min(top + self._cells, height)
            yield top, bottom, max(top - seen, 0), min(bottom + seen, height)


def _rows_seen(part: Any, scale: int) -> int:
    """Rows of cells on each side that an output row depends on; `scale`: rows of the part's input in a cell."""
    seen, rows = 0.0, float(scale)
    for layer in part.modules():
        if isinstance(layer, torch.nn.Conv2d):
            seen += (layer.kernel_size[0] // 2) / rows
            rows /= layer.stride[0]
        elif isinstance(layer, torch.nn.Upsample):
            rows *= 2
    return math.ceil(seen) + 1


class _Features:
    """The features of a whole picture, (1, C, H, W), with mean and squared deviations of each channel."""

    def __init__(self, tensor: torch.Tensor, device: torch.device) -> None:
        """Take the memory that rows are put into; calculations are on `device`."""
        self.tensor = tensor
        self._device = device
        self._count = 0
        self._mean = torch.zeros(tensor.shape[1], device=device)
        self._squares = torch.zeros(tensor.shape[1], device=device)

    def rows(self, first: int, last: int) -> torch.Tensor:
        """Rows on the device that calculates."""
        return self.tensor[:, :, first:last].to(self._device)

    def padded(self, first: int, last: int, before: Before | None) -> torch.Tensor:
        """Rows after the function `before`, with zeros for rows beyond the picture."""
        height = self.tensor.shape[2]
        rows = self.rows(max(first, 0), min(last, height))
        rows = rows if before is None else before(rows)
        return F.pad(rows, (0, 0, max(-first, 0), max(last - height, 0))) if first < 0 or last > height else rows

    def put(self, top: int, strip: torch.Tensor) -> None:
        """Take rows, and add them to the statistics: the pairwise sums of Chan, Golub and LeVeque 1983."""
        self.tensor[:, :, top : top + strip.shape[2]] = strip
        count = strip.shape[2] * strip.shape[3]
        variance, mean = torch.var_mean(strip.float(), dim=(0, 2, 3), correction=0)
        apart, total = mean - self._mean, self._count + count
        self._squares += variance * count + apart**2 * (self._count * count / total)
        self._mean += apart * (count / total)
        self._count = total

    def normed(self, norm: Any, *, activated: bool = True) -> Before:
        """A group norm by the statistics of the whole picture, with its SiLU where it is `activated`."""
        mean = self._mean.unflatten(0, (norm.num_groups, -1))
        middle = mean.mean(1, keepdim=True)
        variance = (self._squares.unflatten(0, (norm.num_groups, -1)) / self._count + (mean - middle) ** 2).mean(1)
        scale = norm.weight.float() * torch.rsqrt(variance + norm.eps).repeat_interleave(mean.shape[1])
        shift = norm.bias.float() - scale * middle.flatten().repeat_interleave(mean.shape[1])

        def apply(rows: torch.Tensor) -> torch.Tensor:
            found = rows.float() * scale[:, None, None] + shift[:, None, None]
            return (F.silu(found, inplace=True) if activated else found).to(rows.dtype)

        return apply
