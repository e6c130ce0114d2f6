"""The loop that every door uses: one network call for the rows of all pictures that may share it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence

import torch

from overpaint.errors import Cancelled

from .sample import NetworkRow, Sample
from .values import Conditioning


def advance(samples: Iterable[Sample], *, rows_at_once: int | None = None) -> list[Sample]:
    """Ask the network once for every sample, and take each to its next question.

    Rows (a sample's prompt and its negative) share a call when network with LoRA set and weights, latent size, token
    length and the shapes of added conditions are equal. What a sample gets does not depend on its neighbours; one that
    fails or is called off leaves, and the others go on. New samples may be added between calls.

    Args:
        samples: Samples in any order; finished ones are passed over.
        rows_at_once: The most rows of one call, where memory bounds it; a network's own limit holds too.

    Returns:
        Those of the samples that are not done yet.
    """
    waiting = [sample for sample in samples if not sample.done]
    for sample in waiting:
        try:
            sample.monitor.check()
        except Cancelled as cancelled:
            sample.fail(cancelled)
    asked: list[tuple[Sample, NetworkRow]] = [(sample, row) for sample in waiting for row in sample.rows()]
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index, (sample, row) in enumerate(asked):
        groups[sample.denoiser.key, row.shapes].append(index)

    answers: dict[int, torch.Tensor] = {}
    for indices in groups.values():
        limit = _smaller(rows_at_once, asked[indices[0]][0].denoiser.rows_at_once) or len(indices)
        for begin in range(0, len(indices), limit):
            part = indices[begin : begin + limit]
            answers.update(_answered(part, asked))

    estimates: dict[Sample, list[torch.Tensor]] = defaultdict(list)
    for index, (sample, _) in enumerate(asked):
        if index in answers:
            estimates[sample].append(answers[index])
    for sample, given in estimates.items():
        if not sample.done:
            sample.receive(given)
    return [sample for sample in waiting if not sample.done]


def run(samples: Iterable[Sample], *, rows_at_once: int | None = None) -> None:
    """Advance the samples until all are done; each holds its own result or error."""
    waiting = list(samples)
    while waiting:
        waiting = advance(waiting, rows_at_once=rows_at_once)


def _answered(indices: Sequence[int], asked: Sequence[tuple[Sample, NetworkRow]]) -> dict[int, torch.Tensor]:
    """The estimates for some rows, by index. When a shared call fails, each sample is asked alone, and fails alone."""
    alive = [index for index in indices if not asked[index][0].done]
    if not alive:
        return {}
    try:
        estimates = _call([asked[index] for index in alive])
    except Exception as error:
        owners = {asked[index][0] for index in alive}
        if len(owners) == 1:
            owners.pop().fail(error)
            return {}
        answers: dict[int, torch.Tensor] = {}
        for owner in dict.fromkeys(asked[index][0] for index in alive):
            answers.update(_answered([index for index in alive if asked[index][0] is owner], asked))
        return answers
    return dict(zip(alive, estimates, strict=True))


def _call(asked: Sequence[tuple[Sample, NetworkRow]]) -> tuple[torch.Tensor, ...]:
    """One call of the network for rows that may share it; (1, C, h, w) for each."""
    denoiser = asked[0][0].denoiser
    rows = [row for _, row in asked]
    x = torch.cat([row.query.x for row in rows])

    def column(values: list[float]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float32, device=x.device)

    extras = [row.extra for row in rows if row.extra is not None]
    scales = [row.guidance for row in rows if row.guidance is not None]
    estimate = denoiser(
        x,
        column([row.query.sigma for row in rows]),
        column([row.query.t for row in rows]),
        Conditioning.stack([row.conditioning for row in rows]),
        torch.cat(extras) if extras else None,
        column(scales) if scales else None,
    )
    return tuple(estimate.split(1))


def _smaller(first: int | None, second: int | None) -> int | None:
    limits = [limit for limit in (first, second) if limit is not None]
    return min(limits) if limits else None
