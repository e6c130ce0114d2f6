"""LoRAs: small changes of a network's weights, merged into a copy of it. The network itself stays as it is.

    W' = W + w (alpha / r) B A          Hu et al. 2021 (arXiv 2106.09685), equation 3; w is the strength asked for

LoHa: a product of two such, element by element (Hyeon-Woo et al. 2021, arXiv 2108.06098). LoKr: a Kronecker product
(Yeh et al. 2023, arXiv 2309.14859). DoRA: the norm of W + B A is learnt apart (Liu et al. 2024, arXiv 2402.09353).
Names of kohya's trainers, of diffusers and of peft are understood.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from overpaint.models import FAMILIES, Family, ModelError, detect, digest, read_json, read_table

from .lora_names import Part, layer_names, place_of
from .weights import Tensors, read_tensors

_TEXTS: tuple[Part, ...] = ("text", "text_2")


@dataclass(frozen=True, eq=False, slots=True)
class Layer:
    """The change of one layer.

    Attributes:
        part: Of the model.
        name: The layer's, with "_" for ".", as the file has it.
        tensors: The factors by what they are: "down" (A), "up" (B), "alpha", ...
        alpha: What scales it, over the rank; None: the rank itself, so that the scale is 1.
    """

    part: Part
    name: str
    tensors: Tensors
    alpha: float | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Lora:
    """A file of changes.

    Attributes:
        name: As prompts call it.
        digest: SHA-256 of the file.
        layers: What it changes.
        family: What it was made for, where that can be told.
    """

    name: str
    digest: str
    layers: tuple[Layer, ...]
    family: Family | None = None


@dataclass(frozen=True, slots=True)
class LoraUse:
    """A LoRA with the strengths that it is asked for with.

    Attributes:
        lora: Which.
        unet: In the U-Net; any number, 0 is nothing.
        text: In the text encoders.
        ranks: Only the first so many; None: all.
    """

    lora: Lora
    unet: float = 1.0
    text: float = 1.0
    ranks: int | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Merged:
    """A model's networks with a set of LoRAs in them; they share every weight that no LoRA changes with the base.

    Attributes:
        unet: The base's own where nothing in it changes.
        text_encoders: Likewise.
        unet_digest: Of the U-Net with its LoRAs: what groups rows of one network.
        text_digest: Of the text encoders with theirs.
        bytes: What the changed weights take.
        skipped: Layers that the model does not have.
    """

    unet: Any
    text_encoders: tuple[Any, ...]
    unet_digest: str
    text_digest: str
    bytes: int = 0
    skipped: tuple[str, ...] = ()


def read_lora(path: Path, name: str | None = None, *, allow_pickle: bool = False) -> Lora:
    """Read a LoRA from a file, or from a folder as peft writes it.

    Raises:
        ModelError: Not a LoRA; of a kind that is not understood (OFT, GLoRA, IA3); damaged; a pickle not allowed.
    """
    file, settings = path, {}
    if path.is_dir():
        settings = read_json(path / "adapter_config.json")
        file = path / "adapter_model.safetensors"
    kind = detect(file)
    called = name or path.stem
    if kind.what != "lora":
        raise ModelError(f"{called} is no LoRA but a {kind.title}")
    if kind.method not in ("lora", "loha", "lokr", "dora"):
        raise ModelError(f"{called} is of the kind {kind.method.upper()}; LoRA, LoCon, LoHa, LoKr and DoRA can be used")
    settings = settings or _peft(read_table(file).metadata)
    return Lora(
        called, digest(file), _layers(read_tensors(file, allow_pickle=allow_pickle), settings, called), kind.family
    )


def _peft(metadata: Mapping[str, str]) -> dict[str, Any]:
    try:
        held = json.loads(metadata.get("lora_adapter_metadata", "{}"))
    except ValueError:
        return {}
    return held if isinstance(held, dict) else {}


def _layers(tensors: Tensors, settings: Mapping[str, Any], name: str) -> tuple[Layer, ...]:
    grouped: dict[tuple[Part, str], dict[str, torch.Tensor]] = {}
    for key, one in tensors.items():
        found = place_of(key)
        if found is not None:
            part, base, slot = found
            grouped.setdefault((part, base), {})[slot] = one
    layers = []
    for (part, base), held in grouped.items():
        alpha = held.pop("alpha", None)
        scale = float(alpha) if alpha is not None else _alpha(settings, part, base)
        if held:
            layers.append(Layer(part, base, held, scale))
    if not layers:
        raise ModelError(f"{name} has no layers by names that are known, as {next(iter(tensors), 'none')!r}")
    return tuple(layers)


def _alpha(settings: Mapping[str, Any], part: Part, base: str) -> float | None:
    """What peft keeps beside the weights: one alpha for all, and others for the layers of some names."""
    prefix = {"unet": "unet.", "text": "text_encoder.", "text_2": "text_encoder_2."}[part]
    for start in (prefix, ""):
        pattern = settings.get(f"{start}alpha_pattern") or {}
        for name, one in pattern.items() if isinstance(pattern, dict) else ():
            if base.endswith(str(name).replace(".", "_").lstrip("^")):
                return float(one)
        if (alpha := settings.get(f"{start}lora_alpha")) is not None:
            return float(alpha)
    return None


def change(layer: Layer, weight: torch.Tensor, strength: float, ranks: int | None = None) -> torch.Tensor:
    """A layer's weight with the change in it, float32, of the weight's shape.

    Args:
        layer: The change.
        weight: What it is made to, of any type.
        strength: How much of it.
        ranks: See `LoraUse`.

    Raises:
        ModelError: Factors that are missing, or of other sizes than the weight.
    """
    base = weight.to(torch.float32)
    try:
        delta, rank = _delta({slot: one.to(base.device, torch.float32) for slot, one in layer.tensors.items()}, ranks)
        scale = 1.0 if layer.alpha is None or rank is None else layer.alpha / rank
        delta = _shaped(delta * scale, base)
        if "magnitude" in layer.tensors:
            delta = _decomposed(base + delta, layer.tensors["magnitude"].to(base)) - base
    except (KeyError, RuntimeError) as error:
        raise ModelError(
            f"the layer {layer.name} was made for a network of other sizes: it does not go with {tuple(weight.shape)}"
        ) from error
    return base + strength * delta


def _delta(held: Mapping[str, torch.Tensor], ranks: int | None) -> tuple[torch.Tensor, int | None]:
    """The change before it is scaled, and its rank; None where there is no rank to scale by."""
    if "diff" in held:
        return held["diff"], None
    if "w1_a" in held:
        return _loha(held, "1") * _loha(held, "2"), held["w1_b"].shape[0]
    if "k1" in held or "k1_a" in held:
        return _lokr(held)
    down, up = held["down"], held["up"]
    rank = down.shape[0]
    down, up = down[:ranks], up[:, :ranks]
    if "mid" in held:  # LoCon's three convolutions in a row: 1x1, k x k, 1x1
        mid = held["mid"][:ranks, :ranks]
        return torch.einsum("oa,abkl,bi->oikl", up.flatten(1), mid, down.flatten(1)), rank
    return (up.flatten(1) @ down.flatten(1)).reshape(up.shape[0], *down.shape[1:]), rank


def _loha(held: Mapping[str, torch.Tensor], number: str) -> torch.Tensor:
    left, right = held[f"w{number}_a"], held[f"w{number}_b"]
    core = held.get(f"t{number}")
    return left @ right if core is None else torch.einsum("abkl,ao,bi->oikl", core, left, right)


def _lokr(held: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, int | None]:
    rank = None
    factors = []
    for number in ("1", "2"):
        whole = held.get(f"k{number}")
        if whole is None:
            left, right = held[f"k{number}_a"], held[f"k{number}_b"]
            core = held.get("kt2") if number == "2" else None
            rank = right.shape[0]
            whole = left @ right if core is None else torch.einsum("abkl,ao,bi->oikl", core, left, right)
        factors.append(whole)
    one, two = factors
    return torch.kron(one.reshape(*one.shape, *(1,) * (two.ndim - one.ndim)), two), rank


def _shaped(delta: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """A 1x1 convolution is a linear, and back. A base model's first layer changes an inpainting model's own part of it.

    Nine-channel networks were made from four-channel ones: the latents come first, mask and masked picture after.
    """
    if delta.numel() == weight.numel() and delta.shape[0] == weight.shape[0]:
        return delta.reshape(weight.shape)
    if delta.ndim == 4 and weight.ndim == 4 and (delta.shape[1], weight.shape[1]) == (4, 9):
        return torch.nn.functional.pad(delta, (0, 0, 0, 0, 0, 5))
    raise RuntimeError("sizes")


def _decomposed(merged: torch.Tensor, magnitude: torch.Tensor) -> torch.Tensor:
    """DoRA: the direction of the merged weight, at the learnt length of each output (peft) or input (LyCORIS)."""
    flat = merged.flatten(1) if magnitude.shape[0] == merged.shape[0] or magnitude.ndim == 1 else None
    if flat is not None:
        length = flat.norm(dim=1)
        return merged * (magnitude.flatten() / length).reshape(-1, *(1,) * (merged.ndim - 1))
    length = merged.transpose(0, 1).flatten(1).norm(dim=1)
    return merged * (magnitude.flatten() / length).reshape(1, -1, *(1,) * (merged.ndim - 2))


def merge(
    unet: Any, text_encoders: Sequence[Any], base_digest: str, uses: Sequence[LoraUse], family: Family | None = None
) -> Merged:
    """The networks with these LoRAs in them, in the order given. The given networks are left as they are.

    Args:
        unet: UNet2DConditionModel.
        text_encoders: CLIP text models, one or two.
        base_digest: Of the model.
        uses: What to merge.
        family: The model's: a LoRA that was made for another is an error.

    Raises:
        ModelError: A LoRA for another family, for other sizes, or without a single layer of this model.
    """
    networks: dict[Part, Any] = {"unet": unet}
    networks.update(zip(_TEXTS, text_encoders, strict=False))
    tables: dict[Part, dict[str, str]] = {part: layer_names(one, part) for part, one in networks.items()}
    changed: dict[Part, dict[str, torch.Tensor]] = {part: {} for part in networks}
    skipped: list[str] = []
    for use in uses:
        if family is not None and use.lora.family not in (None, family):
            assert use.lora.family is not None
            made, here = FAMILIES[use.lora.family], FAMILIES[family]
            raise ModelError(f"the LoRA {use.lora.name!r} was made for {made}, and this model is {here}")
        known = 0
        for layer in use.lora.layers:
            place = tables.get(layer.part, {}).get(layer.name)
            if place is None:
                skipped.append(f"{use.lora.name}: {layer.name}")
                continue
            known += 1
            strength = use.unet if layer.part == "unet" else use.text
            if strength == 0:
                continue
            before = changed[layer.part].get(place)
            before = networks[layer.part].get_submodule(place).weight if before is None else before
            try:
                changed[layer.part][place] = change(layer, before, strength, use.ranks)
            except ModelError as error:
                raise ModelError(f"the LoRA {use.lora.name!r} does not go with this model: {error}") from error
        if not known:
            raise ModelError(
                f"the LoRA {use.lora.name!r} was made for another model: this one has none of its "
                f"{len(use.lora.layers)} layers ({use.lora.layers[0].name}, ...)"
            )
    copies: dict[Part, Any] = {part: _with(networks[part], weights) for part, weights in changed.items()}
    size = sum(
        networks[part].get_submodule(place).weight.element_size() * one.numel()
        for part, weights in changed.items()
        for place, one in weights.items()
    )
    return Merged(
        copies["unet"],
        tuple(copies[part] for part in _TEXTS if part in copies),
        set_digest(base_digest, uses, "unet"),
        set_digest(base_digest, uses, "text"),
        size,
        tuple(skipped),
    )


def set_digest(base_digest: str, uses: Sequence[LoraUse], part: Literal["unet", "text"]) -> str:
    """What a network with a set of LoRAs is known by: the base's own digest where none of them changes it."""
    own = [(use.lora.digest, getattr(use, part), use.ranks) for use in uses if getattr(use, part) != 0]
    return base_digest if not own else hashlib.sha256(json.dumps([base_digest, part, own]).encode()).hexdigest()


def _with(network: Any, weights: Mapping[str, torch.Tensor]) -> Any:
    """A copy of a network that shares all its tensors but these; the network itself if there are none."""
    if not weights:
        return network
    shared = {id(one): one for one in itertools.chain(network.parameters(), network.buffers())}
    other = copy.deepcopy(network, shared)
    for place, one in weights.items():
        layer = other.get_submodule(place)
        layer.weight = torch.nn.Parameter(one.to(layer.weight), requires_grad=False)
    return other


@dataclass(slots=True)
class NetworkCache:
    """Merged networks by what they were made from, within a budget of bytes; the least recently used go first.

    One that is larger than the whole budget is made and not kept. Not for more than one thread.

    Attributes:
        budget: In bytes of changed weights.
    """

    budget: int
    _kept: OrderedDict[str, Merged] = field(default_factory=OrderedDict)

    @property
    def bytes(self) -> int:
        """What is held now."""
        return sum(one.bytes for one in self._kept.values())

    def get(self, base_digest: str, uses: Sequence[LoraUse], make: Callable[[], Merged]) -> Merged:
        """The networks of this base and set; made if they are not here."""
        key = set_digest(base_digest, uses, "unet") + set_digest(base_digest, uses, "text")
        found = self._kept.pop(key, None)
        if found is None:
            found = make()
        if found.bytes <= self.budget:
            self._kept[key] = found
            while self.bytes > self.budget:
                self._kept.popitem(last=False)
        return found

    def clear(self) -> None:
        """Let go of all."""
        self._kept.clear()
