"""A U-Net of diffusers' UNet2DConditionModel, layer by layer, so that the outer layers can run without the deep ones.

Each layer on the way in leaves its output for one layer on the way out: the first for the last, and so on. The outer
layers are the first ones on the way in with those that take their outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_INWARD = frozenset({"DownBlock2D", "CrossAttnDownBlock2D"})
_OUTWARD = frozenset({"UpBlock2D", "CrossAttnUpBlock2D"})
_MIDDLE = frozenset({"UNetMidBlock2DCrossAttn", "UNetMidBlock2D", "NoneType"})


@dataclass(frozen=True, slots=True, eq=False)
class UNetLayer:
    """One layer: a residual block with its attention, or what halves the sides.

    Attributes:
        block: The residual block, or what halves the sides.
        attention: What follows it, or None.
        timed: Whether the block takes the time embedding.
        widen: What doubles the sides afterwards; () for none.
    """

    block: Any
    attention: Any = None
    timed: bool = True
    widen: tuple[Any, ...] = ()

    def __call__(self, hidden: torch.Tensor, time: torch.Tensor, context: Any) -> torch.Tensor:
        """The output for (B, C, h, w), before the sides are doubled."""
        hidden = self.block(hidden, time) if self.timed else self.block(hidden)
        if self.attention is not None:
            hidden = self.attention(hidden, encoder_hidden_states=context, return_dict=False)[0]
        return hidden


def layer_count(network: Any) -> int:
    """The layers on the way in, the first convolution among them; 0 where the network has other parts than SD's."""
    config = getattr(network, "config", None)
    kinds = (("down_blocks", _INWARD), ("up_blocks", _OUTWARD))
    if config is None or any(
        {type(one).__name__ for one in getattr(network, name, ())} - known for name, known in kinds
    ):
        return 0
    if type(getattr(network, "mid_block", None)).__name__ not in _MIDDLE:
        return 0
    plain = not config.get("center_input_sample") and config.get("addition_embed_type") in (None, "text_time")
    if not plain or config.get("class_embed_type") or config.get("num_class_embeds"):
        return 0
    count = 1 + sum(1 for _ in _inward(network))
    return count if count == sum(1 for _ in _outward(network)) else 0


def _inward(network: Any) -> Iterator[UNetLayer]:
    """The layers on the way in after the first convolution."""
    for block in network.down_blocks:
        attentions = getattr(block, "attentions", None) or [None] * len(block.resnets)
        yield from (UNetLayer(*pair) for pair in zip(block.resnets, attentions, strict=True))
        yield from (UNetLayer(one, timed=False) for one in block.downsamplers or ())


def _outward(network: Any) -> Iterator[UNetLayer]:
    """The layers on the way out."""
    for block in network.up_blocks:
        attentions = getattr(block, "attentions", None) or [None] * len(block.resnets)
        last = len(block.resnets) - 1
        for number, (resnet, attention) in enumerate(zip(block.resnets, attentions, strict=True)):
            yield UNetLayer(resnet, attention, widen=tuple(block.upsamplers or ()) if number == last else ())


def outer_layers(
    network: Any,
    x: torch.Tensor,
    t: torch.Tensor,
    context: Any,
    *,
    depth: int,
    deep: torch.Tensor | None = None,
    guided: torch.Tensor | None = None,
    added: Mapping[str, torch.Tensor] | None = None,
    residuals: Sequence[torch.Tensor] = (),
) -> tuple[torch.Tensor, torch.Tensor]:
    """The network's output from its outer layers and the deep features. It is called as the network itself is.

    Args:
        network: One with a `layer_count`.
        x: (B, C, h, w).
        t: (B,) training times.
        context: (B, T, D) states of the text, or what a network with adapters takes for them.
        depth: How many layers on the way in are outer ones, from 1 to `layer_count` - 1.
        deep: Deep features of an earlier call; None: all layers run.
        guided: Embedded guidance scales, or None.
        added: Further conditions, by diffusers' names.
        residuals: What ControlNets add, as `NetworkInput.residuals` has it; () for nothing.

    Returns:
        (B, C, h, w), and the deep features: the input of the outer layers on the way out. With all layers the output
        has the bits of a plain call.
    """
    import torch

    time = network.time_embedding(network.get_time_embed(sample=x, timestep=t), guided)
    further = network.get_aug_embed(emb=time, encoder_hidden_states=context, added_cond_kwargs=added)
    time = time if further is None else time + further
    time = time if network.time_embed_act is None else network.time_embed_act(time)
    context = network.process_encoder_hidden_states(encoder_hidden_states=context, added_cond_kwargs=added)

    hidden = network.conv_in(x)
    left = [hidden]
    inward, outward = list(_inward(network)), list(_outward(network))
    for layer in inward if deep is None else inward[: depth - 1]:
        hidden = layer(hidden, time, context)
        left.append(hidden)
    if deep is None and network.mid_block is not None:
        attends = getattr(network.mid_block, "has_cross_attention", False)
        hidden = network.mid_block(hidden, time, **({"encoder_hidden_states": context} if attends else {}))
    elif deep is not None:
        hidden = deep

    if residuals:
        left = [one + more for one, more in zip(left, residuals, strict=False)]
        hidden = hidden + residuals[-1] if deep is None else hidden

    # Sides that are no multiples come out too large where they are doubled: then the size is that of what was left.
    uneven = any(side % 2**network.num_upsamplers for side in x.shape[-2:])
    for layer in outward[len(outward) - len(left) :]:
        if len(left) == depth:
            deep = hidden
        hidden = layer(torch.cat([hidden, left.pop()], dim=1), time, context)
        for widen in layer.widen:
            hidden = widen(hidden, left[-1].shape[2:] if uneven and left else None)
    assert deep is not None, "a depth below the number of layers leaves deep ones"
    if network.conv_norm_out:
        hidden = network.conv_act(network.conv_norm_out(hidden))
    return network.conv_out(hidden), deep
