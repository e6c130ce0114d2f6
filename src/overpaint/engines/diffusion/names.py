"""Names of samplers and schedulers, as other programs write them, brought to one name each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from overpaint.errors import RequestError, did_you_mean


@dataclass(frozen=True, slots=True)
class SamplingName:
    """The names of a sampler or scheduler.

    Attributes:
        title: Name for people.
        aliases: Other names of the same, as `_plain` gives them.
        similar: Samplers or schedulers of other programs that are not available here, and to which this is the nearest.
        usual: Of a sampler: the scheduler that "Automatic" stands for, from AUTOMATIC1111's table; for LCM and TCD the
            spacing that they were distilled with.
    """

    title: str
    aliases: tuple[str, ...] = ()
    similar: tuple[str, ...] = ()
    usual: str = "normal"


SAMPLER_NAMES: Mapping[str, SamplingName] = MappingProxyType(
    {
        "euler": SamplingName("Euler", ("eulerdiscrete",), ("eulercfgpp",)),
        "euler_a": SamplingName(
            "Euler a", ("eulerancestral", "eulerancestraldiscrete"), ("ddpm", "euleracfgpp", "eulerancestralcfgpp")
        ),
        "heun": SamplingName("Heun", ("heundiscrete",), ("heunpp2", "restart")),
        "lms": SamplingName("LMS", ("lmsdiscrete",), ("ipndm",)),
        "dpm2": SamplingName("DPM2", ("kdpm2", "kdpm2discrete"), ("dpmsolversinglestep",), "karras"),
        "dpm2_a": SamplingName(
            "DPM2 a",
            ("dpm2ancestral", "kdpm2a", "kdpm2ancestral", "kdpm2ancestraldiscrete"),
            ("dpmpp2sa", "dpmpp2sancestral"),
            "karras",
        ),
        "dpmpp_2m": SamplingName(
            "DPM++ 2M", ("dpmsolvermultistep",), ("dpmfast", "dpmadaptive", "deis", "deismultistep"), "karras"
        ),
        "dpmpp_2m_sde": SamplingName(
            "DPM++ 2M SDE", (), ("dpmppsde", "dpmpp3msde", "dpmpp2msdeheun", "dpmsolversde"), "exponential"
        ),
        "ddim": SamplingName("DDIM", (), ("ddimcfgpp",)),
        "pndm": SamplingName("PNDM", ("plms",)),
        "unipc": SamplingName("UniPC", ("unipcmultistep", "unipcbh2")),
        "lcm": SamplingName("LCM", usual="sgm_uniform"),
        "tcd": SamplingName("TCD", usual="sgm_uniform"),
    }
)
"""Samplers by canonical name."""

SCHEDULER_NAMES: Mapping[str, SamplingName] = MappingProxyType(
    {
        "normal": SamplingName("Normal", ("uniform",)),
        "karras": SamplingName("Karras", (), ("kloptimal", "alignyoursteps", "ays")),
        "exponential": SamplingName("Exponential", (), ("polyexponential",)),
        "sgm_uniform": SamplingName("SGM Uniform", ("sgm", "trailing"), ("ddim", "ddimuniform", "turbo")),
        "simple": SamplingName("Simple", (), ("linearquadratic",)),
        "beta": SamplingName("Beta"),
    }
)
"""Schedulers by canonical name."""

_AUTOMATIC = ("", "automatic", "auto", "default")


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
        return self.scheduler or SAMPLER_NAMES[self.sampler].usual


def parse_sampler(name: str, scheduler: str | None = None, *, nearest: bool = False) -> SamplerChoice:
    """The sampler of a name such as "DPM++ 2M", "Euler a", "k_euler_ancestral" or, fused, "DPM++ 2M Karras".

    Args:
        name: As people write it; case, spaces, hyphens and underscores do not matter.
        scheduler: As people write it; it wins over a fused one. "Automatic" leaves it open.
        nearest: Whether the nearest one stands for one of another program that is not available.

    Raises:
        RequestError: No available sampler or scheduler has the name.
    """
    plain, fused = _plain(name), None
    if plain not in _SAMPLERS | _SIMILAR_SAMPLERS:
        for ending in sorted(_SCHEDULERS, key=len, reverse=True):
            base = plain.removesuffix(ending)
            if base != plain and base in _SAMPLERS | _SIMILAR_SAMPLERS:
                plain, fused = base, _SCHEDULERS[ending]
                break
    if plain not in _SAMPLERS:
        similar = _SIMILAR_SAMPLERS.get(plain)
        if similar and nearest:
            return SamplerChoice(similar, parse_scheduler(scheduler, nearest=True) or fused)
        titles = [SAMPLER_NAMES[similar].title] if similar else []
        titles += [SCHEDULER_NAMES[fused].title] if similar and fused else []
        raise _unknown("sampler", name, " ".join(titles), SAMPLER_NAMES)
    return SamplerChoice(_SAMPLERS[plain], parse_scheduler(scheduler, nearest=nearest) or fused)


def parse_scheduler(name: str | None, *, nearest: bool = False) -> str | None:
    """The scheduler of a name such as "Karras" or "SGM Uniform"; None for None or "Automatic".

    With `nearest` the nearest one stands for one of another program that is not available.

    Raises:
        RequestError: No available scheduler has the name.
    """
    plain = _plain(name or "")
    if plain in _AUTOMATIC:
        return None
    if plain not in _SCHEDULERS:
        similar = _SIMILAR_SCHEDULERS.get(plain)
        if similar and nearest:
            return similar
        raise _unknown("scheduler", str(name), SCHEDULER_NAMES[similar].title if similar else "", SCHEDULER_NAMES)
    return _SCHEDULERS[plain]


def _plain(name: str) -> str:
    """Lower case letters and digits; "++" is "pp"; the prefixes "k_" and "sample_" and the suffix "Scheduler" go."""
    lower = name.strip().lower().replace("++", "pp")
    lower = re.sub(r"^(sample[ _-]|k[ _-])+", "", lower)
    return re.sub(r"[^a-z0-9]", "", lower).removesuffix("scheduler")


def _by_plain(names: Mapping[str, SamplingName]) -> tuple[dict[str, str], dict[str, str]]:
    """Canonical names by plain ones; and the nearest canonical names of what is not available."""
    own = {_plain(one): name for name, row in names.items() for one in (name, row.title, *row.aliases)}
    return own, {one: name for name, row in names.items() for one in row.similar}


_SAMPLERS, _SIMILAR_SAMPLERS = _by_plain(SAMPLER_NAMES)
_SCHEDULERS, _SIMILAR_SCHEDULERS = _by_plain(SCHEDULER_NAMES)


def _unknown(field: str, name: str, similar: str, names: Mapping[str, SamplingName]) -> RequestError:
    """The error for a name of another program with a `similar` one here, or for an unknown name ("")."""
    titles = [row.title for row in names.values()]
    available = f"available are {', '.join(titles)}"
    if similar:
        return RequestError(
            f"the {{field}} {name!r} is not available",
            code="sampler-unavailable",
            field=field,
            value=name,
            hint=f"the nearest is {similar!r} ({available})",
        )
    near = did_you_mean(name.lower(), [title.lower() for title in titles])
    for title in titles:
        near = near.replace(f"{title.lower()!r}", f"{title!r}")
    return RequestError(
        f"no {{field}} is called {name!r}{near}", code="sampler-unknown", field=field, value=name, hint=available
    )
