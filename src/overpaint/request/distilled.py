"""The usual settings of models and LoRAs that were distilled to few steps, by their names.

* Lightning (Lin et al. 2024, arXiv 2402.13929): Euler with trailing timesteps, no guidance, as many steps as its name
  says. Turbo (Sauer et al. 2023, arXiv 2311.17042): 1 to 4 steps, no guidance.
* LCM-LoRA (Luo et al. 2023, arXiv 2311.05556): the sampler LCM, 2 to 8 steps, guidance 1 to 2.
* Hyper-SD (Ren et al. 2024, arXiv 2404.13686): DDIM with trailing timesteps, no guidance but for those whose name has
  "CFG", as many steps as its name says; TCD for those of one step, which take more as well.
"""

from __future__ import annotations

import re

from ._models import Usual

_STEPS = re.compile(r"(?<!\d)(\d{1,2})[-_ ]?steps?(?![a-z])")

_MODELS = {
    "lightning": Usual(steps=8, guidance_scale=1.0, sampler="Euler", scheduler="SGM Uniform"),
    "turbo": Usual(steps=4, guidance_scale=1.0, sampler="Euler a", scheduler="SGM Uniform"),
}
_LORAS = {
    "lcm": Usual(steps=4, guidance_scale=1.0, sampler="LCM"),
    "hyper": Usual(steps=8, guidance_scale=1.0, sampler="DDIM", scheduler="SGM Uniform"),
    "lightning": Usual(steps=4, guidance_scale=1.0, sampler="Euler", scheduler="SGM Uniform"),
    "turbo": _MODELS["turbo"],
}


def usual_of_model(name: str) -> Usual | None:
    """Those of a checkpoint of this name; None for one that is not known to be distilled."""
    return _named(name.lower(), _MODELS)


def usual_of_lora(name: str) -> Usual | None:
    """Those that a LoRA of this name needs; None for an ordinary one."""
    name = name.lower()
    found = _named(name, _LORAS)
    if found is None or not _word("hyper", name):
        return found
    if found.steps == 1:
        return Usual(steps=1, guidance_scale=1.0, sampler="TCD")
    return found.model_copy(update={"guidance_scale": 5.0}) if _word("cfg", name) else found


def _word(word: str, name: str) -> bool:
    return re.search(rf"(?<![a-z]){word}(?![a-z])", name) is not None


def _named(name: str, known: dict[str, Usual]) -> Usual | None:
    usual = next((usual for word, usual in known.items() if _word(word, name)), None)
    steps = _STEPS.search(name)
    if usual is None or steps is None:
        return usual
    return Usual(steps=max(1, int(steps[1]))).over(usual)
