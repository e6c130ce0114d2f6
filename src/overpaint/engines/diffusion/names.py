"""Names of samplers and schedulers, as other programs write them, brought to one name each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from overpaint.errors import RequestError, did_you_mean

Trait = Literal["eta", "noise", "churn", "negative", "own_levels", "two_calls"]
"""Of samplers: "eta": renews a share eta of the noise; "noise": adds noise on the way; "churn": can add noise before
a step; "negative": keeps the negative prompt's noise (CFG++), with a guidance scale of 0 to 1; "own_levels": spaces its
levels itself, between the schedule's first and its last above 0; "two_calls": a step has two calls of the network.
"""

_RENEWS: frozenset[Trait] = frozenset({"eta", "noise"})
_CHURNS: frozenset[Trait] = frozenset({"churn"})
_TWICE: frozenset[Trait] = frozenset({"two_calls"})


@dataclass(frozen=True, slots=True)
class SamplingName:
    """The names of a sampler or scheduler.

    Attributes:
        title: Name for people.
        aliases: Other names of the same, as `_plain` gives them.
        similar: Samplers or schedulers of other programs that are not available here, and to which this is the nearest.
        usual: Of a sampler: the scheduler that "Automatic" stands for, from AUTOMATIC1111's table; for LCM and TCD the
            spacing that they were distilled with.
        discards: Of a sampler: whether its levels are those of one step more without the last one above 0, as in
            AUTOMATIC1111: the step from there to 0 would be too short for a second derivative.
        traits: Of a sampler: what sets it apart.
        rho: Of a scheduler: its exponent unless given; None: it has none.
    """

    title: str
    aliases: tuple[str, ...] = ()
    similar: tuple[str, ...] = ()
    usual: str = "normal"
    discards: bool = False
    traits: frozenset[Trait] = frozenset()
    rho: float | None = None


SAMPLER_NAMES: Mapping[str, SamplingName] = MappingProxyType(
    {
        "euler": SamplingName("Euler", ("eulerdiscrete",), traits=_CHURNS),
        "euler_a": SamplingName("Euler a", ("eulerancestral", "eulerancestraldiscrete"), ("ddpm",), traits=_RENEWS),
        "heun": SamplingName("Heun", ("heundiscrete",), ("heunpp2",), traits=_CHURNS | _TWICE),
        "lms": SamplingName("LMS", ("lmsdiscrete",), ("ipndm",)),
        "dpm2": SamplingName(
            "DPM2",
            ("kdpm2", "kdpm2discrete"),
            ("dpmsolversinglestep",),
            "karras",
            discards=True,
            traits=_CHURNS | _TWICE,
        ),
        "dpm2_a": SamplingName(
            "DPM2 a",
            ("dpm2ancestral", "kdpm2a", "kdpm2ancestral", "kdpm2ancestraldiscrete"),
            usual="karras",
            discards=True,
            traits=_RENEWS | _TWICE,
        ),
        "dpmpp_2m": SamplingName("DPM++ 2M", ("dpmsolvermultistep",), ("deis", "deismultistep"), "karras"),
        "dpmpp_2m_sde": SamplingName("DPM++ 2M SDE", ("dpmpp2msdegpu",), usual="exponential", traits=_RENEWS),
        "dpmpp_2m_sde_heun": SamplingName(
            "DPM++ 2M SDE Heun", ("dpmpp2msdeheungpu",), usual="exponential", traits=_RENEWS
        ),
        "dpmpp_3m_sde": SamplingName(
            "DPM++ 3M SDE", ("dpmpp3msdegpu",), usual="exponential", discards=True, traits=_RENEWS
        ),
        "dpmpp_sde": SamplingName(
            "DPM++ SDE", ("dpmppsdegpu", "dpmsolversde"), usual="karras", traits=_RENEWS | _TWICE
        ),
        "dpmpp_2s_a": SamplingName("DPM++ 2S a", ("dpmpp2sancestral",), usual="karras", traits=_RENEWS | _TWICE),
        "dpm_fast": SamplingName("DPM fast", traits=_RENEWS | {"own_levels"}),
        "dpm_adaptive": SamplingName("DPM adaptive", traits=_RENEWS | {"own_levels"}),
        "restart": SamplingName("Restart", usual="karras", traits=_TWICE | {"noise"}),
        "ddim": SamplingName("DDIM", traits=_RENEWS),
        "ddim_cfg_pp": SamplingName("DDIM CFG++", traits=_RENEWS | {"negative"}),
        "euler_cfg_pp": SamplingName(
            "Euler CFG++", (), ("euleracfgpp", "eulerancestralcfgpp"), traits=frozenset({"negative"})
        ),
        "pndm": SamplingName("PLMS"),
        "unipc": SamplingName("UniPC", ("unipcmultistep", "unipcbh2")),
        "lcm": SamplingName("LCM", usual="sgm_uniform", traits=frozenset({"noise"})),
        "tcd": SamplingName("TCD", usual="sgm_uniform", traits=_RENEWS),
    }
)
"""Samplers by canonical name."""

SCHEDULER_NAMES: Mapping[str, SamplingName] = MappingProxyType(
    {
        "normal": SamplingName("Normal", ("uniform",)),
        "karras": SamplingName("Karras", rho=7.0),
        "exponential": SamplingName("Exponential"),
        "polyexponential": SamplingName("Polyexponential", rho=1.0),
        "sgm_uniform": SamplingName("SGM Uniform", ("sgm", "trailing")),
        "kl_optimal": SamplingName("KL Optimal"),
        "align_your_steps": SamplingName("Align Your Steps", ("ays",)),
        "simple": SamplingName("Simple", (), ("linearquadratic",)),
        "ddim_uniform": SamplingName("DDIM Uniform", ("ddim",)),
        "turbo": SamplingName("Turbo", ("sdturbo",)),
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
    def traits(self) -> frozenset[Trait]:
        """What sets the sampler apart."""
        return SAMPLER_NAMES[self.sampler].traits

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
