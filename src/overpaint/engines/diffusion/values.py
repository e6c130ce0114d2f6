"""Values that the parts of the diffusion engine pass to each other.

All latents are in the variance-exploding form of Karras et al. 2022 (arXiv 2206.00364): at noise level sigma,
x = x0 + sigma * noise, for every network. The variance-preserving latent of DDPM and DDIM is x / sqrt(1 + sigma^2); the
denoiser converts.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import torch

from overpaint.errors import EngineError
from overpaint.models import Prediction

if TYPE_CHECKING:
    from .controls import RowControl
    from .deep_features import RowFeatures
    from .families import Family


class NotFiniteError(EngineError):
    """A network gave NaN or infinity. Often half precision overflowed, and single precision helps."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A model, ready to be used: in evaluation mode, without gradients.

    Attributes:
        family: How it is used.
        network: The network that predicts.
        vae: The autoencoder, called as diffusers' are.
        text_encoders: As the family's text encoding takes them.
        tokenizers: One for each.
        scheduler_config: The training schedule, as diffusers' schedulers take it.
        prediction: What the network's output stands for.
        digest: Text that differs where results may: of weights, another VAE, settings of loading.
        inpainting: Whether it takes further input (`Family.extra_input`).
        empty_is_zeros: Whether an empty negative prompt is zeros instead of an encoded empty text.
    """

    family: Family
    network: Any
    vae: Any
    text_encoders: tuple[Any, ...]
    tokenizers: tuple[Any, ...]
    scheduler_config: Mapping[str, Any]
    prediction: Prediction
    digest: str
    inpainting: bool = False
    empty_is_zeros: bool = False

    @property
    def networks(self) -> tuple[Any, ...]:
        """All its networks."""
        return self.network, self.vae, *self.text_encoders


@dataclass(frozen=True, slots=True, eq=False)
class Conditioning:
    """The conditions of one or several rows of a network call: tensors by name, of (B, ...) each.

    "context", (B, T, D) states of the text encoders, is always there. Other names are a family's own: "pooled", (B, P),
    one vector for the whole text; sizes; masks of tokens.

    Attributes:
        tensors: By name; B is 1 for one picture.
    """

    tensors: Mapping[str, torch.Tensor]

    @property
    def context(self) -> torch.Tensor:
        """(B, T, D) states of the text encoders."""
        return self.tensors["context"]

    @property
    def shapes(self) -> tuple[Hashable, ...]:
        """The shapes without the batch: rows with equal ones may share a call."""
        return tuple((name, tuple(one.shape[1:])) for name, one in self.tensors.items())

    def same(self, other: Conditioning) -> bool:
        """Whether both consist of the same tensor objects, as two equal texts do: each is encoded once."""
        here, there = self.tensors, other.tensors
        return here.keys() == there.keys() and all(one is there[name] for name, one in here.items())

    def joined(self, further: Mapping[str, torch.Tensor]) -> Conditioning:
        """The same with further tensors."""
        return Conditioning({**self.tensors, **further})

    def map(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Conditioning:
        """The same with the function applied to every tensor."""
        return Conditioning({name: function(one) for name, one in self.tensors.items()})

    @staticmethod
    def stack(rows: Sequence[Conditioning]) -> Conditioning:
        """The rows as one batch. Their names and shapes must be equal."""
        return Conditioning({name: torch.cat([row.tensors[name] for row in rows]) for name in rows[0].tensors})


@dataclass(frozen=True, slots=True, eq=False)
class NetworkInput:
    """The input of one network call, of B rows.

    Attributes:
        x: (B, C, h, w) float32 at noise level `sigma`; for the network itself in its type, scaled as in training.
        sigma: (B,) float32 noise levels.
        t: (B,) float32 training times, from 0.
        conditioning: B rows.
        extra: (B, E, h, w) further input (`Family.extra_input`), or None.
        guidance: (B,) float32 guidance scales, for a network that embeds them, or None.
        controls: The controls of each of the B rows; () where no row has any.
        residuals: What ControlNets add, (B, ...) each: to the network's skip connections in their order, and last to
            its middle. They are made of `controls`, right before the network is called.
        features: Deep features of the B rows, of one depth, all set or all empty (then the call sets them); () where
            none are kept.
    """

    x: torch.Tensor
    sigma: torch.Tensor
    t: torch.Tensor
    conditioning: Conditioning
    extra: torch.Tensor | None = None
    guidance: torch.Tensor | None = None
    controls: tuple[tuple[RowControl, ...], ...] = ()
    residuals: tuple[torch.Tensor, ...] = ()
    features: Sequence[RowFeatures] = ()

    def rows(self, which: Sequence[int]) -> NetworkInput:
        """Some rows, without further input, guidance and controls."""
        if len(which) == len(self.x) and list(which) == list(range(len(self.x))):
            return NetworkInput(self.x, self.sigma, self.t, self.conditioning)
        taken = list(which)
        conditioning = self.conditioning.map(lambda one: one[taken])
        return NetworkInput(self.x[taken], self.sigma[taken], self.t[taken], conditioning)


@dataclass(frozen=True, slots=True, eq=False)
class SampleLatents:
    """A picture as the loop takes it, all float32 on the network's device.

    Attributes:
        content: (1, C, h, w) scaled latents to start from, the masked content in place.
        mask: (1, 1, h, w) in [0, 1]; 1 is repainted.
        extra: (1, E, h, w) extra input of the network (`Family.extra_input`), or None.
    """

    content: torch.Tensor
    mask: torch.Tensor
    extra: torch.Tensor | None = None


Weight: TypeAlias = float | torch.Tensor
"""One number for all cells, or a map (1, 1, h, w) float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """The parts of one prompt, or of prompts that hold in regions (see `mixing`).

    Attributes:
        parts: (weight, conditioning); a weight is not 0 everywhere.
        total: The sum of the weights where that is known better than from them; None: it is added up.
    """

    parts: tuple[tuple[Weight, Conditioning], ...]
    total: Weight | None = None

    @classmethod
    def of(cls, one: Conditioning | Mixture) -> Mixture:
        """A conditioning as the only part."""
        return one if isinstance(one, Mixture) else cls(((1.0, one),))

    @property
    def weight(self) -> Weight:
        """The sum of the weights."""
        return sum(weight for weight, _ in self.parts) if self.total is None else self.total

    def same(self, other: Mixture) -> bool:
        """Whether both are one conditioning alone, and the same (see `Conditioning.same`)."""
        return len(self.parts) == len(other.parts) == 1 and self.parts[0][1].same(other.parts[0][1])


@dataclass(frozen=True, slots=True)
class Timeline:
    """What a text asks for, which may change from step to step.

    Attributes:
        entries: (step, conditioning or mixture) in ascending order of steps: each holds from its step on. The first
            step is 0.
    """

    entries: tuple[tuple[int, Conditioning | Mixture], ...]

    def __post_init__(self) -> None:
        steps = [step for step, _ in self.entries]
        if not steps or steps[0] != 0 or steps != sorted(set(steps)):
            raise ValueError(f"the steps of a timeline must start at 0 and ascend, not {steps}")

    @classmethod
    def of(cls, conditioning: Conditioning | Timeline) -> Timeline:
        """The same conditioning at every step."""
        return conditioning if isinstance(conditioning, Timeline) else cls(((0, conditioning),))

    def at(self, step: int) -> Mixture:
        """What it asks for at `step`."""
        return Mixture.of([one for first, one in self.entries if first <= step][-1])


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A sampler's request for the estimate x0 of a noisy x. It is sent x0, (1, C, h, w).

    Attributes:
        x: (1, C, h, w) float32 at noise level `sigma`.
        sigma: Noise level.
        t: Training time for the network, 0 to T - 1; may be fractional.
        step: Number of the step, from 0. A second-order sampler makes two queries in one step.
    """

    x: torch.Tensor
    sigma: float
    t: float
    step: int


@dataclass(frozen=True, slots=True, eq=False)
class StepResult:
    """A sampler's x after a network call. The sampler is sent x back, blended by the blend rule.

    Attributes:
        x: (1, C, h, w) float32.
        sigma: Noise level of x, which kept latents are brought to.
        step: Number of the step.
        inner: Whether this is inside a second-order step rather than at its end.
    """

    x: torch.Tensor
    sigma: float
    step: int
    inner: bool = False


@dataclass(frozen=True, slots=True)
class NegativeQuery:
    """A sampler's request for the negative prompt's part of the latest estimate. It is sent x0, (1, C, h, w).

    The network is not called again. Where nothing is guided, it is the estimate itself.
    """


SamplerRequest = Query | NegativeQuery | StepResult

SamplerRun = Generator[SamplerRequest, torch.Tensor, None]
"""A running sampler: after each Query or NegativeQuery it is sent x0, after each StepResult it is sent x."""

SamplerPart = Generator[SamplerRequest, torch.Tensor, torch.Tensor]
"""A part of a running sampler, which returns a tensor: `x = yield from part`."""

NoiseLike = Callable[[torch.Tensor], torch.Tensor]
"""Makes standard normal noise of a tensor's shape and device."""
