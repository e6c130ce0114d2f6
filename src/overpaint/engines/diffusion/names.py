"""Names of samplers and schedulers, as other programs write them, brought to one name each."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
"""Samplers: canonical name and title for people."""

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
"""Schedulers: canonical name and title for people."""

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

_SIMILAR_SAMPLERS = {
    "dpmppsde": "dpmpp_2m_sde",
    "dpmpp3msde": "dpmpp_2m_sde",
    "dpmpp2msdeheun": "dpmpp_2m_sde",
    "dpmpp2sa": "dpm2_a",
    "dpmpp2sancestral": "dpm2_a",
    "dpmsolversde": "dpmpp_2m_sde",
    "dpmsolversinglestep": "dpm2",
    "dpmfast": "dpmpp_2m",
    "dpmadaptive": "dpmpp_2m",
    "deis": "dpmpp_2m",
    "deismultistep": "dpmpp_2m",
    "ddpm": "euler_a",
    "heunpp2": "heun",
    "restart": "heun",
    "ddimcfgpp": "ddim",
    "eulercfgpp": "euler",
    "euleracfgpp": "euler_a",
    "eulerancestralcfgpp": "euler_a",
    "ipndm": "lms",
}
"""Samplers of other programs that are not available here, and the nearest one that is."""

_SIMILAR_SCHEDULERS = {
    "polyexponential": "exponential",
    "kloptimal": "karras",
    "alignyoursteps": "karras",
    "ays": "karras",
    "ddim": "sgm_uniform",
    "ddimuniform": "sgm_uniform",
    "turbo": "sgm_uniform",
    "linearquadratic": "simple",
}
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
"""The schedulers that "Automatic" stands for, where it is not "normal": AUTOMATIC1111's table, and for LCM and TCD the
spacing that they were distilled with."""


@dataclass(frozen=True, slots=True)
class SamplerChoice:
    """A sampler, and the scheduler that a request names with it.

    Attributes:
        sampler: Canonical name.
        scheduler: Canonical name, or None when it was left open.
    """

    sampler: str
    scheduler: str | None = None

    @property
    def usual(self) -> str:
        """The named scheduler, or else the sampler's usual one."""
        return self.scheduler or USUAL_SCHEDULERS.get(self.sampler, "normal")


def parse_sampler(name: str, scheduler: str | None = None) -> SamplerChoice:
    """The sampler of a name such as "DPM++ 2M", "Euler a", "k_euler_ancestral" or, fused, "DPM++ 2M Karras".

    Args:
        name: As people write it; case, spaces, hyphens and underscores do not matter.
        scheduler: As people write it; it wins over a fused one. "Automatic" leaves it open.

    Raises:
        RequestError: No available sampler or scheduler has the name.
    """
    plain, fused = _plain(name), None
    if plain not in _SAMPLERS | _SIMILAR_SAMPLERS.keys():
        for ending in sorted(_SCHEDULERS, key=len, reverse=True):
            base = plain.removesuffix(ending)
            if base != plain and base in _SAMPLERS | _SIMILAR_SAMPLERS.keys():
                plain, fused = base, _SCHEDULERS[ending]
                break
    if plain not in _SAMPLERS:
        similar = _SIMILAR_SAMPLERS.get(plain)
        title = "" if similar is None else f"{SAMPLER_TITLES[similar]} {SCHEDULER_TITLES.get(fused or '', '')}".strip()
        raise _unknown("sampler", name, title, SAMPLER_TITLES)
    return SamplerChoice(_SAMPLERS[plain], parse_scheduler(scheduler) or fused)


def parse_scheduler(name: str | None) -> str | None:
    """The scheduler of a name such as "Karras" or "SGM Uniform"; None for None or "Automatic".

    Raises:
        RequestError: No available scheduler has the name.
    """
    plain = _plain(name or "")
    if plain in _AUTOMATIC:
        return None
    if plain not in _SCHEDULERS:
        similar = SCHEDULER_TITLES.get(_SIMILAR_SCHEDULERS.get(plain, ""), "")
        raise _unknown("scheduler", str(name), similar, SCHEDULER_TITLES)
    return _SCHEDULERS[plain]


def _plain(name: str) -> str:
    """Lower case letters and digits; "++" is "pp"; the prefixes "k_" and "sample_" and the suffix "Scheduler" go."""
    lower = name.strip().lower().replace("++", "pp")
    lower = re.sub(r"^(sample[ _-]|k[ _-])+", "", lower)
    return re.sub(r"[^a-z0-9]", "", lower).removesuffix("scheduler")


def _with_aliases(titles: Mapping[str, str], aliases: Mapping[str, str]) -> dict[str, str]:
    """Canonical names by plain ones."""
    return {_plain(one): name for name, title in titles.items() for one in (name, title)} | dict(aliases)


_SAMPLERS = _with_aliases(SAMPLER_TITLES, _SAMPLER_ALIASES)
_SCHEDULERS = _with_aliases(SCHEDULER_TITLES, _SCHEDULER_ALIASES)


def _unknown(field: str, name: str, similar: str, titles: Mapping[str, str]) -> RequestError:
    """The error for a name of another program with a `similar` one here, or for an unknown name ("")."""
    available = ", ".join(titles.values())
    if similar:
        return RequestError(
            f"the {{field}} {name!r} is not available",
            code="sampler-unavailable",
            field=field,
            value=name,
            hint=f"the nearest is {similar!r} (available are {available})",
        )
    near = did_you_mean(name.lower(), [title.lower() for title in titles.values()])
    for title in titles.values():
        near = near.replace(f"{title.lower()!r}", f"{title!r}")
    return RequestError(
        f"no {{field}} is called {name!r}{near}",
        code="sampler-unknown",
        field=field,
        value=name,
        hint=f"available are {available}",
    )
