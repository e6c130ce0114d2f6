"""What people call samplers and schedulers, brought to one name each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from overpaint.errors import RequestError, did_you_mean

SAMPLER_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "euler": "Euler",
        "euler_a": "Euler a",
        "heun": "Heun",
        "lms": "LMS",
        "dpm2": "DPM2",
        "dpm2_a": "DPM2 a",
        "dpmpp_2m": "DPM++ 2M",
        "dpmpp_2m_sde": "DPM++ 2M SDE",
        "ddim": "DDIM",
        "pndm": "PNDM",
        "unipc": "UniPC",
        "lcm": "LCM",
        "tcd": "TCD",
    }
)
"""Samplers: canonical name and the title that people know."""

SCHEDULER_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "normal": "Normal",
        "karras": "Karras",
        "exponential": "Exponential",
        "sgm_uniform": "SGM Uniform",
        "simple": "Simple",
        "beta": "Beta",
    }
)
"""Schedulers: canonical name and the title that people know."""

_SAMPLER_ALIASES = {
    "eulerancestral": "euler_a",
    "eulerdiscrete": "euler",
    "eulerancestraldiscrete": "euler_a",
    "heundiscrete": "heun",
    "lmsdiscrete": "lms",
    "kdpm2": "dpm2",
    "kdpm2discrete": "dpm2",
    "dpm2ancestral": "dpm2_a",
    "kdpm2a": "dpm2_a",
    "kdpm2ancestral": "dpm2_a",
    "kdpm2ancestraldiscrete": "dpm2_a",
    "dpmpp2m": "dpmpp_2m",
    "dpmsolvermultistep": "dpmpp_2m",
    "dpmpp2msde": "dpmpp_2m_sde",
    "plms": "pndm",
    "unipcmultistep": "unipc",
    "unipcbh2": "unipc",
}
_SCHEDULER_ALIASES = {"uniform": "normal", "sgm": "sgm_uniform", "trailing": "sgm_uniform"}
_AUTOMATIC = ("", "automatic", "auto", "default")

USUAL_SCHEDULERS: Mapping[str, str] = MappingProxyType(
    {
        "dpm2": "karras",
        "dpm2_a": "karras",
        "dpmpp_2m": "karras",
        "dpmpp_2m_sde": "exponential",
        "lcm": "sgm_uniform",
        "tcd": "sgm_uniform",
    }
)
"""What "Automatic" stands for, where it is not "normal": AUTOMATIC1111's table, and for LCM and TCD the spacing that
they were distilled with."""


@dataclass(frozen=True, slots=True)
class SamplerChoice:
    """A sampler, and the scheduler that was asked for with it.

    Attributes:
        sampler: Canonical name.
        scheduler: Canonical name, or None when it was left open.
    """

    sampler: str
    scheduler: str | None = None

    @property
    def usual(self) -> str:
        """The scheduler asked for, or else the sampler's usual one."""
        return self.scheduler or USUAL_SCHEDULERS.get(self.sampler, "normal")


def parse_sampler(name: str, scheduler: str | None = None) -> SamplerChoice:
    """The sampler of a name such as "DPM++ 2M", "Euler a", "k_euler_ancestral" or, fused, "DPM++ 2M Karras".

    Args:
        name: As people write it; case, spaces, hyphens and underscores do not matter.
        scheduler: As people write it; it wins over a fused one. "Automatic" leaves it open.

    Raises:
        RequestError: when no sampler or scheduler has the name.
    """
    plain = _plain(name)
    fused = None
    found = _samplers().get(plain)
    if found is None:
        for ending, canonical in sorted(_schedulers().items(), key=lambda item: -len(item[0])):
            if plain.endswith(ending) and plain.removesuffix(ending) in _samplers():
                found, fused = _samplers()[plain.removesuffix(ending)], canonical
                break
    if found is None:
        raise _unknown("sampler", name, SAMPLER_TITLES.values())
    return SamplerChoice(found, parse_scheduler(scheduler) or fused)


def parse_scheduler(name: str | None) -> str | None:
    """The scheduler of a name such as "Karras" or "SGM Uniform"; None for None or "Automatic".

    Raises:
        RequestError: when none has the name.
    """
    if name is None or _plain(name) in _AUTOMATIC:
        return None
    found = _schedulers().get(_plain(name))
    if found is None:
        raise _unknown("scheduler", name, SCHEDULER_TITLES.values())
    return found


def _plain(name: str) -> str:
    """Lower case letters and digits; "++" is "pp"; the prefixes "k_" and "sample_" and the suffix "Scheduler" go."""
    lower = name.strip().lower().replace("++", "pp")
    lower = re.sub(r"^(sample[ _-]|k[ _-])+", "", lower)
    return re.sub(r"[^a-z0-9]", "", lower).removesuffix("scheduler")


def _samplers() -> dict[str, str]:
    own = {_plain(key): key for key in SAMPLER_TITLES} | {_plain(title): key for key, title in SAMPLER_TITLES.items()}
    return own | _SAMPLER_ALIASES


def _schedulers() -> dict[str, str]:
    return {_plain(key): key for key in SCHEDULER_TITLES} | _SCHEDULER_ALIASES


def _unknown(what: str, name: str, titles: Iterable[str]) -> RequestError:
    titles = list(titles)
    near = did_you_mean(name.lower(), [title.lower() for title in titles])
    for title in titles:
        near = near.replace(f"{title.lower()!r}", f"{title!r}")
    return RequestError(f"no {what} is called {name!r}{near} (there are {', '.join(titles)})")
