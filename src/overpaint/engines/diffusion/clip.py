"""CLIP's text encoder (Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision").

A transformer over the embeddings of tokens and positions; its layers normalise before attention, which is causal (2.4;
after Vaswani et al. 2017 and Radford et al. 2019). Sizes come from a checkpoint's config, with names and defaults of
transformers' CLIPTextConfig; parameters have the names of published files.

transformers has the same network, but its import takes four seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from overpaint.errors import ModelError, RequestError
from overpaint.values import Value

Activation = Literal["quick_gelu", "gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu"]

_ACTIVATIONS: dict[Activation, Callable[[torch.Tensor], torch.Tensor]] = {
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),  # Hendrycks and Gimpel 2016, arXiv 1606.08415, 2
    "gelu": functional.gelu,
    "gelu_new": partial(functional.gelu, approximate="tanh"),
    "gelu_pytorch_tanh": partial(functional.gelu, approximate="tanh"),
    "relu": functional.relu,
    "silu": functional.silu,
}

Count = Annotated[int, Field(ge=1, le=10_000_000)]


class EncoderSizes(Value):
    """Sizes of a text or picture encoder; the defaults hold for keys that a config leaves out.

    Attributes:
        hidden_size: Width of a token's or a patch's state.
        intermediate_size: Width inside a layer's MLP.
        num_hidden_layers: Number of layers.
        num_attention_heads: Number of heads, among which the state is divided.
        hidden_act: The nonlinearity.
        layer_norm_eps: Addend to the variance in norms.
        projection_dim: Width of the projected state, where there is a projection.
    """

    encoder: ClassVar[str] = "encoder"
    """What errors call it."""

    hidden_size: Count = 512
    intermediate_size: Count = 2048
    num_hidden_layers: Annotated[int, Field(ge=1, le=1000)] = 12
    num_attention_heads: Count = 8
    hidden_act: Activation = "quick_gelu"
    layer_norm_eps: Annotated[float, Field(ge=0, lt=1)] = 1e-5
    projection_dim: Count = 512

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Self:
        """The sizes in a checkpoint's config; other keys are ignored.

        Raises:
            ModelError: Sizes out of range or that do not fit together, or an unknown nonlinearity.
        """
        try:
            found = cls(**{name: config[name] for name in cls.model_fields if config.get(name) is not None})
        except RequestError as error:
            raise ModelError(f"the {cls.encoder}'s config is damaged: {error}") from error
        if found.hidden_size % found.num_attention_heads:
            raise ModelError(
                f"the {cls.encoder}'s {found.num_attention_heads} heads can't share {found.hidden_size} numbers: "
                "its config is damaged"
            )
        return found


class ClipConfig(EncoderSizes):
    """Sizes of a text encoder.

    Attributes:
        vocab_size: Number of tokens.
        max_position_embeddings: The most tokens of a row.
        eos_token_id: The end mark, at which a row's projected state is read. Configs from before 2023 have a wrong 2,
            which stands for the highest token of the row.
    """

    encoder: ClassVar[str] = "text encoder"

    vocab_size: Count = 49408
    max_position_embeddings: Count = 77
    eos_token_id: Annotated[int, Field(ge=0, le=10_000_000)] = 49407


@dataclass(frozen=True, slots=True, eq=False)
class ClipStates:
    """The output of the encoder for rows of tokens.

    Attributes:
        hidden_states: (N, T, D) each: the input of the first layer, and the output of every layer.
        last_hidden_state: (N, T, D): the last of them, after the final norm.
        text_embeds: (N, P): the projected state at the end mark; None without a projection.
    """

    hidden_states: tuple[torch.Tensor, ...]
    last_hidden_state: torch.Tensor
    text_embeds: torch.Tensor | None


class ClipText(nn.Module):  # type: ignore[misc]
    """The text encoder. Called with token ids (N, T), T at most its number of positions."""

    def __init__(self, config: ClipConfig, *, projection: bool = False) -> None:
        """Build the network; its weights must be loaded before use.

        Args:
            config: Its sizes.
            projection: Whether a row's state is projected to the space of pictures (SDXL's second encoder).
        """
        super().__init__()
        self.config = config
        self.embeddings = _Embeddings(config)
        layers = nn.ModuleList(ClipLayer(config) for _ in range(config.num_hidden_layers))
        self.encoder = nn.ModuleDict({"layers": layers})
        self.final_layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.text_projection = nn.Linear(config.hidden_size, config.projection_dim, bias=False) if projection else None

    def forward(self, ids: torch.Tensor, vectors: Mapping[int, torch.Tensor] | None = None) -> ClipStates:
        """The states of all layers.

        Args:
            ids: (N, T) tokens.
            vectors: (D,) by place of a row: they replace the embeddings of the tokens there (textual inversions).

        Raises:
            ValueError: A row has more tokens than there are positions.
        """
        x = self.embeddings(ids, vectors or {})
        states = [x]
        for layer in self.encoder["layers"]:
            x = layer(x)
            states.append(x)
        last = self.final_layer_norm(x)
        embeds = None if self.text_projection is None else self.text_projection(self._states_at_end(ids, last))
        return ClipStates(tuple(states), last, embeds)

    def _states_at_end(self, ids: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        """The states (N, D) at each row's first end mark."""
        marks = ids if self.config.eos_token_id == 2 else (ids == self.config.eos_token_id).int()
        return states[torch.arange(len(ids), device=ids.device), marks.argmax(dim=-1)]

    @property
    def device(self) -> torch.device:
        """The device of its weights."""
        return self.final_layer_norm.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The type of its weights."""
        return self.final_layer_norm.weight.dtype


class _Embeddings(nn.Module):  # type: ignore[misc]
    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        # Without random numbers: on the meta device torch would import its whole compiler to make them.
        self.token_embedding, self.position_embedding = (
            nn.Embedding.from_pretrained(torch.empty(count, config.hidden_size), freeze=False)
            for count in (config.vocab_size, config.max_position_embeddings)
        )

    def forward(self, ids: torch.Tensor, vectors: Mapping[int, torch.Tensor]) -> torch.Tensor:
        places = self.position_embedding.weight
        if ids.shape[1] > len(places):
            raise ValueError(f"a row of {ids.shape[1]} tokens for a text encoder of {len(places)} places")
        embedded: torch.Tensor = self.token_embedding(ids)
        for place, vector in vectors.items():
            embedded[:, place] = vector.to(embedded)
        return embedded + places[: ids.shape[1]]


class ClipLayer(nn.Module):  # type: ignore[misc]
    """A layer of an encoder: attention, and an MLP, each after a norm and added to its input (N, T, D)."""

    def __init__(self, config: EncoderSizes, *, causal: bool = True) -> None:
        """Build the layer; `causal`: whether a position sees none after it."""
        super().__init__()
        self.self_attn = _Attention(config, causal)
        self.layer_norm1 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = _Mlp(config)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The states after this layer."""
        x = x + self.self_attn(self.layer_norm1(x))
        changed: torch.Tensor = x + self.mlp(self.layer_norm2(x))
        return changed


class _Attention(nn.Module):  # type: ignore[misc]
    """Self-attention: of every position to all, or where it is causal to itself and to those before it."""

    def __init__(self, config: EncoderSizes, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.heads = config.num_attention_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (
            nn.Linear(config.hidden_size, config.hidden_size) for _ in range(4)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (
            one(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for one in (self.q_proj, self.k_proj, self.v_proj)
        )
        attended = functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        mixed: torch.Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return mixed


class _Mlp(nn.Module):  # type: ignore[misc]
    def __init__(self, config: EncoderSizes) -> None:
        super().__init__()
        self.activation = _ACTIVATIONS[config.hidden_act]
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mapped: torch.Tensor = self.fc2(self.activation(self.fc1(x)))
        return mapped
