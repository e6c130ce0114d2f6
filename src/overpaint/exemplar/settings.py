"""How a hole is filled, and what a fill calls while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FillSettings:
    """How a hole is filled.

    Attributes:
        radius: Of the patches, in pixels: side = 2 radius + 1.
        dims: Principal components kept.
        edges: Weight of gradients beside colours in the comparison of patches (`features`).
        coarse_iterations: Rounds of search and vote at a scale where the target has at most `coarse_target` pixels.
        copied: Rounds there, the last ones, that copy pixels; those before take modes of colours (`vote`).
        iterations: Rounds at other scales, after the analogy.
        finest_iterations: The same at the picture's own scale, where a round costs most.
        coarse_target: First guesses are compared at the finest scale whose target has at most so many pixels.
        probes: Cells of the quantiser that a search covers.
        lattice_above: With more patches than this a search covers every second one in both directions, and coherence
            finds the others' sources.
        most_votes: Pixels times rounds at one scale, without the analogy: huge holes get fewer rounds.
        most_sources: Sources kept: the nearest to the hole.
        closed: The coarsest scale is the first at which the hole is at most so many pixels wide.
        depth: The layers of the first guess start at the first scale at which the hole is at most so many patches wide.
        nearness: Weight of a source's place against its colours: near sources are preferred.
        favour: A coherent source may be further by this factor (kappa).
        rounds: Of coherence.
        decay: A vote weighs decay ** -d at d pixels from the known picture (Wexler's gamma).
        quantile: Of the distances: sigma squared of the weights of votes (Wexler: the 75th percentile).
        shift: Most that a copied patch is made brighter or darker in each channel, to have the mean colour of what it
            replaces: skies and walls continue without steps.
        join: About the most that the fill is corrected at its edge at the end (`joining`): half of a difference of
            this size, less of larger ones. 0: its pieces are not joined either.
        foreign: Weight of the difference of a source from all that touches the hole (`preference`).
        variety: How much results differ by the seed. It chooses the first guess, and the side of the hole whose sources
            are preferred, by so much of a difference in colour; and a match of the layers' guess may be further than
            the best one by this share (Efros and Leung 1999, whose epsilon is 0.1). 0 takes the best of all.
        lines: Whether lines that run into the hole on both sides are drawn through it first (`lines`).
    """

    radius: int = 3
    dims: int = 20
    edges: float = 1.5
    coarse_iterations: int = 8
    copied: int = 3
    iterations: int = 4
    finest_iterations: int = 2
    coarse_target: int = 4000
    probes: int = 3
    lattice_above: int = 10_000
    most_votes: int = 400_000
    most_sources: int = 250_000
    closed: float = 3.0
    depth: float = 4.0
    nearness: float = 0.1
    favour: float = 0.4
    rounds: int = 3
    decay: float = 1.3
    quantile: float = 0.75
    shift: float = 0.08
    join: float = 0.1
    foreign: float = 1.0
    variety: float = 0.0
    lines: bool = False


@dataclass(frozen=True, slots=True)
class FillCallbacks:
    """What a fill calls while it runs.

    Attributes:
        done: After rounds, in the caller's thread, with the fraction of the work done, 0 to 1; may raise to stop.
        check: Often, from all threads of the fill; may raise to stop.
    """

    done: Callable[[float], None] = lambda fraction: None
    check: Callable[[], None] = lambda: None
