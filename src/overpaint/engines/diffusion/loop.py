"""The sampling loop: one network call for the rows of all pictures that may share it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence

import torch

from overpaint.errors import Cancelled

from .sample import NetworkRow, Sample
from .values import Conditioning, NetworkInput


def advance(samples: Iterable[Sample], *, rows_at_once: int | None = None) -> list[Sample]:
    """Get one estimate of the network for every sample, and take each sample to its next query.

    Rows (of a sample's prompt and negative prompt) share a call when the network with its LoRAs and the shapes of
    latents and conditions are equal. A sample's result does not depend on the others; one that fails or is cancelled
    ends, and the others continue. New samples may be added between calls.

    Args:
        samples: Samples in any order; finished ones are passed over.
        rows_at_once: The most rows of one call, where memory bounds it; a network's own limit holds too.

    Returns:
        The samples that are not done yet.
    """
    waiting = [sample for sample in samples if not sample.done]
    for sample in waiting:
        try:
            sample.monitor.check()
        except Cancelled as cancelled:
            sample.fail(cancelled)
    rows = [(sample, row) for sample in waiting for row in sample.rows()]
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index, (sample, row) in enumerate(rows):
        groups[sample.denoiser.key, row.shapes].append(index)

    found: dict[int, torch.Tensor] = {}
    for indices in groups.values():
        limits = rows_at_once, rows[indices[0]][0].denoiser.rows_at_once, len(indices)
        limit = min(one for one in limits if one is not None)
        for begin in range(0, len(indices), limit):
            found |= _estimates(indices[begin : begin + limit], rows)

    estimates: dict[Sample, list[torch.Tensor]] = defaultdict(list)
    for index in sorted(found):
        estimates[rows[index][0]].append(found[index])
    for sample, given in estimates.items():
        if not sample.done:
            sample.receive(given)
    return [sample for sample in waiting if not sample.done]


def _estimates(indices: Sequence[int], rows: Sequence[tuple[Sample, NetworkRow]]) -> dict[int, torch.Tensor]:
    """The estimates of some rows, by index. When a shared call fails, each sample gets a call of its own."""
    alive = [index for index in indices if not rows[index][0].done]
    if not alive:
        return {}
    try:
        return dict(zip(alive, _call([rows[index] for index in alive]), strict=True))
    except Exception as error:
        owners = list(dict.fromkeys(rows[index][0] for index in alive))
        if len(owners) == 1:
            owners[0].fail(error)
            return {}
        found: dict[int, torch.Tensor] = {}
        for owner in owners:
            found |= _estimates([index for index in alive if rows[index][0] is owner], rows)
        return found


def _call(rows_of: Sequence[tuple[Sample, NetworkRow]]) -> tuple[torch.Tensor, ...]:
    """One call of the network for rows that may share it; (1, C, h, w) for each."""
    denoiser, rows = rows_of[0][0].denoiser, [row for _, row in rows_of]
    x = torch.cat([row.query.x for row in rows])

    def column(values: list[float]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float32, device=x.device)

    extras = [row.extra for row in rows if row.extra is not None]
    scales = [row.guidance for row in rows if row.guidance is not None]
    given = NetworkInput(
        x,
        column([row.query.sigma for row in rows]),
        column([row.query.t for row in rows]),
        Conditioning.stack([row.conditioning for row in rows]),
        torch.cat(extras) if extras else None,
        column(scales) if scales else None,
        tuple(row.controls for row in rows),
        features=[row.features for row in rows if row.features is not None],
    )

    def stage(text: str) -> None:
        for sample in dict.fromkeys(sample for sample, _ in rows_of):
            sample.monitor.stage(text)

    return tuple(denoiser(given, stage).split(1))
