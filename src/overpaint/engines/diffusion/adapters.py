"""Reference pictures: IP-Adapters, which let a network's cross-attention read a picture beside the text.

Decoupled cross-attention (Ye et al. 2023, arXiv 2308.06721, equation 5): with the query q of a layer, its keys and
values of the text, and an adapter's own keys k' and values v' of a picture's tokens,

    attention(q, k, v) + w attention(q, k', v')

Several pictures add up. The network itself stays as it is: one with adapters is a copy that shares all its weights.
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from overpaint.engines.base import ControlImage
from overpaint.errors import RequestError
from overpaint.models import ModelError
from overpaint.request import Control

from .clip_vision import ClipVision, clip_pixels
from .controls import acts_at
from .copies import shared_copy
from .values import Conditioning

_TOKENS, _WEIGHTS = "picture tokens ", "picture weights"
"""Names of conditions: the tokens (B, T, D) of each picture, and (B, N) the weights of all N."""


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """An IP-Adapter, ready to be used.

    Attributes:
        name: For errors.
        layers: Its layers for a network's cross-attention, in the network's order.
        projection: From what the encoder gives to a picture's tokens.
        encoder: The picture encoder.
        states: Whether it reads the states of the patches, rather than one vector for the whole picture.
        key: Digest of its weights, those of the encoder, and their type: equal keys give equal results.
    """

    name: str
    layers: AdapterLayers
    projection: Any
    encoder: ClipVision
    states: bool
    key: Hashable

    @property
    def networks(self) -> tuple[Any, ...]:
        """All its networks."""
        return self.layers, self.projection, self.encoder

    def widened(self) -> Adapter:
        """The same with encoder and projection in single precision."""
        encoder, projection = (copy.deepcopy(one).float() for one in (self.encoder, self.projection))
        return replace(self, encoder=encoder, projection=projection)


class AdapterLayers(nn.Module):  # type: ignore[misc]
    """The layers of an adapter: keys and values of a picture's tokens, one pair for each cross-attention."""

    def __init__(self, tensors: Mapping[int, tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Build layers of these weights' shapes: (width, D) of keys and of values, by number."""
        super().__init__()
        self.keys = nn.ModuleList(_linear(key) for key, _ in tensors.values())
        self.values = nn.ModuleList(_linear(value) for _, value in tensors.values())


def _linear(weight: torch.Tensor) -> nn.Linear:
    if weight.ndim != 2:
        raise ModelError("an IP-Adapter's layers are matrices")
    return nn.Linear(weight.shape[1], weight.shape[0], bias=False)


class PicturedAttention(nn.Module):  # type: ignore[misc]
    """The attention processor of a cross-attention of diffusers' that reads pictures beside the text.

    The states that it is given are those of the text, or (text, [tokens of each picture], weights (B, N)).
    """

    def __init__(self, plain: Any, keys: Sequence[nn.Module], values: Sequence[nn.Module]) -> None:
        """Take the layer's own processor, which is used without pictures, and layers for each picture."""
        super().__init__()
        self.plain = plain
        self.picture_keys, self.picture_values = nn.ModuleList(keys), nn.ModuleList(values)

    def forward(self, attn: Any, hidden_states: torch.Tensor, encoder_hidden_states: Any = None, **more: Any) -> Any:
        """What the layer gives for queries from (B, P, W) `hidden_states`."""
        if not isinstance(encoder_hidden_states, tuple):
            return self.plain(attn, hidden_states, encoder_hidden_states=encoder_hidden_states, **more)
        text, pictures, weights = encoder_hidden_states
        query = _heads(attn, attn.to_q(hidden_states))
        attended = _attention(attn, query, attn.to_k(text), attn.to_v(text))
        own = zip(pictures, self.picture_keys, self.picture_values, weights.split(1, dim=1), strict=True)
        for tokens, key, value, weight in own:
            attended = attended + weight[..., None] * _attention(attn, query, key(tokens), value(tokens))
        for layer in attn.to_out:
            attended = layer(attended)
        return attended


def _heads(attn: Any, x: torch.Tensor) -> torch.Tensor:
    """(B, T, W) as (B, heads, T, W / heads)."""
    return x.unflatten(2, (attn.heads, -1)).transpose(1, 2)


def _attention(attn: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """(B, P, W) of queries by heads, and keys and values (B, T, W)."""
    found = functional.scaled_dot_product_attention(query, _heads(attn, key), _heads(attn, value))
    return found.transpose(1, 2).flatten(2)


def adapted(network: Any, adapters: Sequence[Adapter]) -> Any:
    """A copy of a U-Net of diffusers' that reads pictures, one through each adapter; its own weights are shared.

    Raises:
        ModelError: An adapter was made for a network of other sizes.
    """
    other = shared_copy(network)
    names = [name.removesuffix(".processor") for name in other.attn_processors if not name.endswith("attn1.processor")]
    places = [other.get_submodule(name) for name in names]
    for one in adapters:
        wanted = [tuple(place.to_k.weight.shape) for place in places]
        if wanted != [tuple(layer.weight.shape) for layer in one.layers.keys]:
            raise ModelError(
                f"the IP-Adapter {one.name} was made for a network of other sizes than the checkpoint's",
                code="control-sizes",
                field="controls",
                value=one.name,
                hint="name one that was made for this checkpoint, or another checkpoint",
            )
    for number, place in enumerate(places):
        keys, values = ([getattr(one.layers, side)[number] for one in adapters] for side in ("keys", "values"))
        place.processor = PicturedAttention(place.processor, keys, values)
    return other


# ---- a picture's conditions


@dataclass(frozen=True, slots=True, eq=False)
class ReferencePicture:
    """A reference picture of a sample.

    Attributes:
        tokens: (1, T, D) float32, the picture as the network reads it.
        negative: (1, T, D) float32, what the negative prompt's rows read in its place: the tokens of no picture.
        control: Its weight, and the part of the steps in which it acts.
    """

    tokens: torch.Tensor
    negative: torch.Tensor
    control: Control


class ReferencePictures:
    """The reference pictures of a sample, over its steps. Equal conditions of two steps are the same tensors."""

    def __init__(self, pictures: Sequence[ReferencePicture]) -> None:
        """One for each adapter of the network, in its order."""
        self._pictures = tuple(pictures)
        self._made: dict[tuple[float, ...], torch.Tensor] = {}

    def act_at(self, step: int, steps: int) -> bool:
        """Whether any acts at step `step` of `steps`, from 0."""
        return any(self._weights(step, steps))

    def joined(self, text: Conditioning, step: int, steps: int, *, negative: bool) -> Conditioning:
        """The conditions of a row at a step: those of the text, and of the pictures where one acts."""
        weights = self._weights(step, steps)
        if not any(weights):
            return text
        if weights not in self._made:
            self._made[weights] = torch.tensor([weights], device=text.context.device)
        tokens = (one.negative if negative else one.tokens for one in self._pictures)
        return with_pictures(text, list(tokens), self._made[weights])

    def _weights(self, step: int, steps: int) -> tuple[float, ...]:
        controls = [one.control for one in self._pictures]
        return tuple(one.weight if acts_at(one, step, steps) else 0.0 for one in controls)


def with_pictures(text: Conditioning, tokens: Sequence[torch.Tensor], weights: torch.Tensor) -> Conditioning:
    """The conditions of B rows, with the tokens (B, T, D) of each of N pictures, and their weights (B, N)."""
    named = {f"{_TOKENS}{number}": one for number, one in enumerate(tokens)}
    return text.joined({**named, _WEIGHTS: weights})


def picture_states(conditioning: Conditioning) -> tuple[list[torch.Tensor], torch.Tensor] | None:
    """The tokens of each picture, and the weights (B, N); None where no picture acts."""
    weights = conditioning.tensors.get(_WEIGHTS)
    if weights is None:
        return None
    return [conditioning.tensors[f"{_TOKENS}{number}"] for number in range(weights.shape[1])], weights


def without_pictures(conditioning: Conditioning) -> Iterator[tuple[str, torch.Tensor]]:
    """The conditions by name, without those of pictures."""
    for name, one in conditioning.tensors.items():
        if name != _WEIGHTS and not name.startswith(_TOKENS):
            yield name, one


def encoded_tokens(adapter: Adapter, image: ControlImage) -> tuple[torch.Tensor, torch.Tensor]:
    """The tokens of a picture and those of none, (1, T, D) float32 each; not finite where half precision overflowed.

    As in diffusers: none is zeros in place of a picture's one vector, and the states of a picture of zeros.
    """
    encoder = adapter.encoder
    x = clip_pixels(image.pixels, encoder.config.image_size).to(encoder.device, encoder.dtype)
    with torch.inference_mode():
        return tokens_of_pixels(adapter, x)


def tokens_of_pixels(adapter: Adapter, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """As `encoded_tokens`, of a picture as the encoder takes it."""
    found = adapter.encoder(x)
    if adapter.states:
        shown, none = found.states, adapter.encoder(torch.zeros_like(x)).states
    else:
        shown, none = found.embeds, torch.zeros_like(found.embeds)
    return adapter.projection(shown).float(), adapter.projection(none).float()


def encoder_option(control: Control) -> str | None:
    """The picture encoder that a control names; None where it leaves it open.

    Raises:
        RequestError: It has another option.
    """
    for strange in sorted(set(control.options) - {"encoder"}):
        message = f"a control of the kind {control.kind!r} has no option {strange!r}: it has 'encoder'"
        raise RequestError(message, code="control-option", field="controls", value=strange)
    name = control.options.get("encoder")
    if not isinstance(name, str | None):
        message = f"the option 'encoder' of the control {control.kind!r} takes a name, not {name!r:.80}"
        raise RequestError(message, code="control-option", field="controls", value="encoder")
    return name


def picture_notes(controls: Sequence[Control]) -> Iterator[str]:
    """Notes on settings of reference pictures that have no effect."""
    for one in controls:
        if one.mode != "balanced":
            yield f"the control {one.kind} has no mode: {one.mode} had no effect"
        if one.inside is not None:
            yield f"the control {one.kind} shows a picture of its own, not the edited one: inside had no effect"
