"""Controls: images that guide a picture through a ControlNet, and what that adds to the main network.

A ControlNet (Zhang et al. 2023, arXiv 2302.05543) is a copy of a U-Net's first half that sees an image beside x. Its
outputs are added to the U-Net's skip connections, and to its middle. Several controls of one picture add up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from overpaint.engines.base import ControlImage
from overpaint.models import CONTROL_KINDS


@dataclass(frozen=True, slots=True, eq=False)
class ControlNetwork:
    """A ControlNet, ready to be used.

    Attributes:
        network: In evaluation mode, without gradients.
        key: Digest of its weights and their type: equal keys give equal outputs.
        kinds: Of a union ControlNet, how many kinds of control images it knows; 0 for others.
        pooled: Whether each of its outputs is replaced by its mean over the picture, as in ControlNets that take a
            picture's content without its layout (shuffle).
    """

    network: Any
    key: Hashable
    kinds: int = 0
    pooled: bool = False

    @property
    def networks(self) -> tuple[Any, ...]:
        """Its network alone, as `Adapter.networks` has several."""
        return (self.network,)


@dataclass(frozen=True, slots=True, eq=False)
class RowControl:
    """A control image as it acts on one row of a network call.

    Attributes:
        network: The ControlNet that reads it.
        hint: (1, 3, H, W) float32, the image as the ControlNet takes it.
        weight: Factor of the ControlNet's outputs.
        fades: Whether the outputs for the network's outer layers count less than those for its inner ones.
        number: Of its kind, for a union ControlNet.
    """

    network: ControlNetwork
    hint: torch.Tensor
    weight: float = 1.0
    fades: bool = False
    number: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class SampleControl:
    """A control of one picture.

    Attributes:
        row: As it acts on a row.
        start: The share of the steps before which it does not act, 0 to 1.
        end: The share of the steps after which it does not act.
        prompt_only: Whether it acts on the prompt's rows alone, so that guidance moves the picture towards it.
    """

    row: RowControl
    start: float = 0.0
    end: float = 1.0
    prompt_only: bool = False

    def acts_at(self, step: int, steps: int) -> bool:
        """Whether step `step` of `steps`, from 0, lies wholly in its part."""
        return self.row.weight != 0 and acts_at(self, step, steps)


class Lasting(Protocol):
    """What acts in a part of the steps, from a share `start` of them to a share `end`."""

    @property
    def start(self) -> float:
        """The share of the steps before which it does not act, 0 to 1."""

    @property
    def end(self) -> float:
        """The share of the steps after which it does not act."""


def acts_at(one: Lasting, step: int, steps: int) -> bool:
    """Whether step `step` of `steps`, from 0, lies wholly in its part."""
    return step / steps >= one.start and (step + 1) / steps <= one.end


Outputs = tuple[torch.Tensor, ...]
"""Of a ControlNet, (B, C, h, w) each: for the skip connections in their order, and for the middle."""


def residuals(
    controls: Sequence[Sequence[RowControl]],
    call: Callable[[ControlNetwork, Sequence[int], Sequence[RowControl]], Outputs],
) -> Outputs:
    """What the controls of a call's rows add to the main network.

    Each ControlNet is called once for all rows that it acts on. A row's controls add up in its own order, so that no
    other row changes its bits.

    Args:
        controls: Of each row; at least one row has one.
        call: Calls a ControlNet for these rows, with a control for each.
    """
    places = [
        (row, own[place])
        for place in range(max(map(len, controls)))  # equal rows of one picture stay neighbours
        for row, own in enumerate(controls)
        if place < len(own)
    ]
    groups: dict[Hashable, list[tuple[int, RowControl]]] = defaultdict(list)
    for row, control in places:
        groups[control.network.key].append((row, control))
    made: dict[tuple[int, RowControl], Outputs] = {}
    for group in groups.values():
        outputs = call(group[0][1].network, [row for row, _ in group], [control for _, control in group])
        for number, (row, control) in enumerate(group):
            made[row, control] = weighted(tuple(one[number : number + 1] for one in outputs), control)
    nothing = tuple(torch.zeros_like(one) for one in next(iter(made.values())))
    of_rows = [_sum([made[row, control] for control in own]) or nothing for row, own in enumerate(controls)]
    return tuple(torch.cat(layer) for layer in zip(*of_rows, strict=True))


def weighted(outputs: Outputs, control: RowControl) -> Outputs:
    """A row's outputs times the control's weight.

    Those of a fading control count from a tenth at the outermost layer to all at the middle, in equal ratios: each is
    0.825 times the next one in Stable Diffusion 1, which has thirteen.
    """
    last = len(outputs) - 1
    shares = [10 ** (number / last - 1) if control.fades and last else 1.0 for number in range(len(outputs))]
    if control.network.pooled:
        outputs = tuple(one.mean(dim=(2, 3), keepdim=True).expand_as(one) for one in outputs)
    return tuple(one * (control.weight * share) for one, share in zip(outputs, shares, strict=True))


def _sum(added: Sequence[Outputs]) -> Outputs:
    """The sums by layer; () of nothing."""
    found = added[0] if added else ()
    for one in added[1:]:
        found = tuple(here + there for here, there in zip(found, one, strict=True))
    return found


def sample_control(
    image: ControlImage, network: ControlNetwork, hole: NDArray[np.bool_], device: torch.device
) -> SampleControl:
    """A canvas's control for the loop.

    Args:
        image: The control image with its settings.
        network: The ControlNet that reads it.
        hole: (H, W), true where the canvas is repainted.
        device: Of the network.
    """
    control = image.control
    kind = CONTROL_KINDS.get(control.kind)
    row = RowControl(
        network,
        hint_of(image, hole, union=network.kinds > 0).to(device),
        control.weight,
        fades=control.mode != "balanced",
        number=(kind.number if kind is not None else None) or 0,
    )
    # a network that takes content without layout was trained for the prompt's side alone
    return SampleControl(row, control.start, control.end, control.mode == "control" or network.pooled)


def hint_of(image: ControlImage, hole: NDArray[np.bool_], *, union: bool) -> torch.Tensor:
    """A control image as its ControlNet takes it, (1, 3, H, W) float32: from 0 to 1.

    Of the kind "inpaint", pixels in the hole are -1, as in ControlNet 1.1; union ones were trained with black.
    """
    pixels = image.pixels
    if image.control.kind == "inpaint":
        pixels = np.where(hole[..., None], np.float32(0.0 if union else -1.0), pixels)
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]


def unused(controls: Sequence[ControlImage], steps: int) -> tuple[str, ...]:
    """A note for each control that acts at none of so many steps."""
    found = []
    for one in (image.control for image in controls):
        acting = [step for step in range(steps) if acts_at(one, step, steps)]
        if one.weight == 0:
            found.append(f"the control {one.kind} had no effect: its weight is 0")
        elif not acting:
            found.append(
                f"the control {one.kind} had no effect: none of the {steps} steps lies between {one.start:g} and "
                f"{one.end:g}"
            )
    return tuple(found)
