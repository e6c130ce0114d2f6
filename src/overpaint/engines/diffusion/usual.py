"""The usual settings of a checkpoint: those of its `overpaint.json`, or those that its kind was distilled for."""

from __future__ import annotations

from overpaint.errors import RequestError
from overpaint.models import ModelError, ModelRef, family_of, read_hints
from overpaint.request import Usual

from .families import Family
from .names import parse_sampler


def usual_of(ref: ModelRef) -> Usual:
    """The checkpoint's usual settings; None for those that have Overpaint's defaults. No weights are loaded.

    Raises:
        ModelError: Its `overpaint.json` is damaged, or names a sampler or scheduler that is not available.
    """
    hints = read_hints(ref.path).usual
    try:
        parse_sampler(hints.sampler or "Euler", hints.scheduler)
    except RequestError as error:
        raise ModelError(f"overpaint.json of {ref.name}: {error}") from error
    if ref.kind.family is None:
        return hints
    family: Family = family_of(ref.kind.family)
    return hints.over(family.usual(ref))
