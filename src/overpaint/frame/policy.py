"""Frame policies: what a dialect decides about an edit outside of the engine. One object each, found by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from overpaint.mask import Mask
from overpaint.request import ResolvedRequest

from ._frame import Framing
from .edges import EngineEdge
from .regions import Region, plan
from .rules import Context, SizeRules


@dataclass(frozen=True, slots=True)
class FrameNeeds:
    """What an engine needs of frames; the attributes are those of its card.

    Attributes:
        edge: The edge that it needs around a mask.
        sizes: The working sizes that it takes.
        context: The surroundings that it needs to see.
    """

    edge: EngineEdge = "pixel"
    sizes: SizeRules = field(default_factory=SizeRules)
    context: Context = field(default_factory=Context)


class FramePolicy(ABC):
    """A dialect's rules for the regions of an edit, and for what is done to them after the engine.

    Attributes:
        dialect: The name of the dialect, as in requests.
        defaults: Settings of the request that have other values where they are left open.
        ignores: Names of the request's settings that have no effect.
        corrects: Whether colours and seams of what was painted are corrected unless the request says otherwise.
        adds_detail: Whether detail of the surroundings is added unless the request says otherwise.
        share_decides: Whether an engine's own share of the paint takes the composite mask's place within the reach,
            instead of only narrowing it.
    """

    dialect: str
    defaults: Mapping[str, Any] = MappingProxyType({})
    ignores: frozenset[str] = frozenset()
    corrects: bool = True
    adds_detail: bool = True
    share_decides: bool = False

    @abstractmethod
    def regions(self, mask: Mask, resolved: ResolvedRequest, needs: FrameNeeds) -> tuple[Region, ...]:
        """The regions that are painted, each with its frame and its two masks.

        Args:
            mask: Of the picture's size, not empty.
            resolved: The request.
            needs: Those of the engine.
        """


class NativePolicy(FramePolicy):
    """Overpaint's own rules: a region for each part of the mask, with an edge that follows its scale (see `plan`)."""

    dialect = "native"
    ignores = frozenset({"mask_blur", "working_size"})

    def regions(self, mask: Mask, resolved: ResolvedRequest, needs: FrameNeeds) -> tuple[Region, ...]:
        """See `plan`."""
        factor = {"near": 0.5, "wide": 1.0, "whole": 1.0}[resolved.context]
        return plan(
            mask,
            engine=needs.edge,
            sizes=needs.sizes if resolved.size is None else needs.sizes.at(resolved.size),
            framing=Framing(resolved.area, resolved.padding, needs.context.scaled(factor)),
            rule=resolved.edge,
            strength=1.0 if resolved.strength is None else resolved.strength,
            grow=0.0 if resolved.strict else resolved.grow,
            feather=0.0 if resolved.strict else resolved.feather,
            limit=resolved.reach_limit,
        )


class DiffusersPolicy(NativePolicy):
    """The same without added detail: diffusers' pipelines add none."""

    dialect = "diffusers"
    adds_detail = False
