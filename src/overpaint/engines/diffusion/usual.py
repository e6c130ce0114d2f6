"""The usual settings of a checkpoint: those of its `overpaint.json`, or those that its kind was distilled for.

* Latent consistency models (Luo et al. 2023, arXiv 2310.04378): their own sampler, "1 to 8 steps" on the first one's
  card. Where the guidance scale is an input of the network, 8, that card's own; where guidance was distilled into the
  weights, between 1 and 2 (LCM-LoRA's card, arXiv 2311.05556).
* SDXL Lightning (Lin et al. 2024, arXiv 2402.13929): Euler with trailing timesteps, no guidance, as many steps as its
  name says. SD and SDXL Turbo (Sauer et al. 2023, arXiv 2311.17042): 1 to 4 steps, no guidance.
* Models of zero terminal SNR (Lin et al. 2024, arXiv 2305.08891): trailing timesteps, guidance rescaled by 0.7.
"""

from __future__ import annotations

import re

from overpaint.errors import RequestError
from overpaint.models import ModelError, ModelRef, family_of, read_hints
from overpaint.request import Usual

from .families import Family
from .names import parse_sampler

_DISTILLED = (
    (r"lightning", Usual(steps=8, guidance_scale=1.0, sampler="Euler", scheduler="SGM Uniform")),
    (r"turbo", Usual(steps=4, guidance_scale=1.0, sampler="Euler a", scheduler="SGM Uniform")),
)
_STEPS = re.compile(r"(?<!\d)(\d{1,2})[-_ ]?steps?(?![a-z])")


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


def usual_of_kind(ref: ModelRef) -> Usual:
    """The usual settings of a checkpoint with a U-Net, by its kind and name."""
    if ref.kind.lcm:
        return Usual(steps=8, guidance_scale=8.0 if ref.kind.embeds_guidance else 1.5, sampler="LCM")
    names = f"{ref.name} {ref.path.name}".lower()
    for pattern, usual in _DISTILLED:
        if re.search(rf"(?<![a-z]){pattern}(?![a-z])", names):
            steps = _STEPS.search(names)
            return usual if steps is None else Usual(steps=max(1, int(steps[1]))).over(usual)
    if ref.kind.prediction == "v" and ref.kind.zero_snr:
        return Usual(guidance_rescale=0.7, scheduler="SGM Uniform")
    return Usual()
