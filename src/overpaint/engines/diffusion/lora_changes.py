"""The change that a LoRA makes to one layer of a network.

    W' = W + w (alpha / r) B A          Hu et al. 2021 (arXiv 2106.09685), equation 3; w is the strength

Variants: rsLoRA scales by alpha / sqrt(r) (Kalajdzievski 2023, arXiv 2312.03732); LoHa is an elementwise product of two
such changes (Hyeon-Woo et al. 2021, arXiv 2108.06098); LoKr a Kronecker product (Yeh et al. 2023, arXiv 2309.14859);
DoRA learns the norm of W + B A apart (Liu et al. 2024, arXiv 2402.09353); IA3 scales rows or columns (Liu et al. 2022,
arXiv 2205.05638). Plain differences of weights, biases and norms are added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from overpaint.models import ModelError

from .lora_names import Part
from .weights import Tensors

LATENTS = 4
"""Input channels of a network that was not made for inpainting."""

BIASES = frozenset({"diff_b", "up_bias"})
"""Factors of a change of a layer's bias."""


@dataclass(frozen=True, eq=False, slots=True)
class LoraLayer:
    """The change of one layer.

    Attributes:
        part: The part of the model.
        name: The layer's name in the file, with "_" for ".".
        tensors: The factors by name: "down" (A), "up" (B), "diff", ... (see `lora_names`).
        alpha: The numerator of the scale; None: the rank, so that the scale is 1.
        stabilised: Whether the scale is alpha / sqrt(rank) (rsLoRA) in place of alpha / rank.
    """

    part: Part
    name: str
    tensors: Tensors
    alpha: float | None = None
    stabilised: bool = False

    def scale(self, rank: int | None) -> float:
        """The factor of the change; 1 where it has no rank."""
        if rank is None or (self.alpha is None and not self.stabilised):
            return 1.0
        alpha = float(rank) if self.alpha is None else self.alpha
        return float(alpha / (rank**0.5 if self.stabilised else rank))


def change(layer: LoraLayer, weight: torch.Tensor, strength: float, ranks: int | None = None) -> torch.Tensor:
    """A layer's weight with the change in it, float32, of the weight's shape.

    Args:
        layer: The change.
        weight: The weight that is changed, of any type.
        strength: The factor of the change.
        ranks: See `LoraUse`.

    Raises:
        ModelError: Factors that are missing, or of other sizes than the weight.
    """
    base = weight.to(torch.float32)
    try:
        held = {factor: one.to(base.device, torch.float32) for factor, one in layer.tensors.items()}
        part = base[:, :LATENTS] if of_latents(layer, base) else base
        if "ia3" in held:
            delta = part * _along(held["ia3"], part, 1 if held["on_input"] else 0)
        else:
            delta, rank = _delta(held, ranks)
            delta = _shaped(delta * layer.scale(rank), part)
            if "magnitude" in held or "output_magnitude" in held:
                delta = _decomposed(part + delta, held) - part
    except (KeyError, IndexError, RuntimeError, ZeroDivisionError) as error:
        raise _other_sizes(layer, weight) from error
    if part is not base:
        delta = torch.nn.functional.pad(delta, (0, 0, 0, 0, 0, base.shape[1] - LATENTS))
    return base + strength * delta


def of_latents(layer: LoraLayer, weight: torch.Tensor) -> bool:
    """Whether the change is of a four-channel network's first convolution, and the weight that of a nine-channel one.

    Nine-channel networks were made from four-channel ones: the latents come first, then mask and masked picture. So the
    change acts on the first four, as in AUTOMATIC1111 (KohakuBlueleaf/a1111-sd-webui-lycoris, pull request 40).
    """
    if weight.ndim != 4 or weight.shape[1] != 9 or layer.tensors.keys() <= BIASES:
        return False
    if "ia3" in layer.tensors:
        return bool(layer.tensors["on_input"]) and layer.tensors["ia3"].numel() == LATENTS
    return bool(_delta(layer.tensors, None)[0].numel() * weight.shape[1] == weight.numel() * LATENTS)


def change_bias(layer: LoraLayer, bias: torch.Tensor, strength: float) -> torch.Tensor:
    """A layer's bias with the change in it, float32. Arguments and errors are those of `change`."""
    base = bias.to(torch.float32)
    for factor in sorted(BIASES & layer.tensors.keys()):
        delta = layer.tensors[factor].to(base)
        if delta.shape != base.shape:
            raise _other_sizes(layer, bias)
        down = layer.tensors.get("down")
        if factor == "up_bias" and (down is None or not down.ndim or not len(down)):
            raise _other_sizes(layer, bias)
        rank = len(down) if factor == "up_bias" and down is not None else None
        base = base + strength * layer.scale(rank) * delta
    return base


def _other_sizes(layer: LoraLayer, weight: torch.Tensor) -> ModelError:
    return ModelError(
        f"the layer {layer.name} was made for a network of other sizes: it does not go with {tuple(weight.shape)}",
        code="lora-mismatch",
    )


def _delta(held: Mapping[str, torch.Tensor], ranks: int | None) -> tuple[torch.Tensor, int | None]:
    """The change before it is scaled, and its rank; None where there is no rank to scale by."""
    if "diff" in held:
        return held["diff"], None
    if "hada_w1_a" in held:
        return _loha(held, "1") * _loha(held, "2"), held["hada_w1_b"].shape[0]
    if "lokr_w1" in held or "lokr_w1_a" in held:
        return _lokr(held)
    down, up = held["down"], held["up"]
    rank = down.shape[0]
    down, up = down[:ranks], up[:, :ranks]
    if "mid" in held:  # LoCon's three convolutions in a row: 1x1, k x k, 1x1
        mid = held["mid"][:ranks, :ranks]
        return torch.einsum("oa,abkl,bi->oikl", up.flatten(1), mid, down.flatten(1)), rank
    return (up.flatten(1) @ down.flatten(1)).reshape(up.shape[0], *down.shape[1:]), rank


def _loha(held: Mapping[str, torch.Tensor], number: str) -> torch.Tensor:
    return _product(held[f"hada_w{number}_a"], held[f"hada_w{number}_b"], held.get(f"hada_t{number}"))


def _product(left: torch.Tensor, right: torch.Tensor, core: torch.Tensor | None) -> torch.Tensor:
    """A product of two factors, or of a Tucker core with them: (ranks, out), (ranks, in), (ranks, ranks, k, k)."""
    return left @ right if core is None else torch.einsum("abkl,ao,bi->oikl", core, left, right)


def _lokr(held: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, int | None]:
    rank = None
    factors = []
    for number in ("1", "2"):
        whole = held.get(f"lokr_w{number}")
        if whole is None:
            left, right = held[f"lokr_w{number}_a"], held[f"lokr_w{number}_b"]
            rank = right.shape[0]
            whole = _product(left, right, held.get("lokr_t2") if number == "2" else None)
        factors.append(whole.contiguous())  # as torch.kron wants them
    one, two = factors
    return torch.kron(one.reshape(*one.shape, *(1,) * (two.ndim - one.ndim)), two), rank


def _shaped(delta: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The change in the weight's shape: a 1x1 convolution is a linear."""
    if delta.numel() == weight.numel() and delta.shape[0] == weight.shape[0]:
        return delta.reshape(weight.shape)
    raise RuntimeError("other sizes")


def _along(vector: torch.Tensor, weight: torch.Tensor, dim: int) -> torch.Tensor:
    """A vector shaped so that it multiplies the weight along one dimension."""
    if vector.numel() != weight.shape[dim]:
        raise RuntimeError("other sizes")
    return vector.reshape(*(-1 if one == dim else 1 for one in range(weight.ndim)))


def _decomposed(merged: torch.Tensor, held: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """DoRA: the merged weight with a learnt norm of each output (peft, LyCORIS) or of each input (LyCORIS)."""
    magnitude = held["output_magnitude"] if "output_magnitude" in held else held["magnitude"]
    by_output = "output_magnitude" in held or magnitude.ndim == 1 or magnitude.shape[0] == merged.shape[0]
    dim = 0 if by_output else 1
    norm = merged.transpose(0, dim).flatten(1).norm(dim=1)
    return merged * _along(magnitude.flatten() / norm, merged, dim)
