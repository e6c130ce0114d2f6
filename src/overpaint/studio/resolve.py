"""From a request to a resolved one: open settings follow from the intent and the engine's card."""

from __future__ import annotations

from typing import Any

from overpaint.engines import EngineCard
from overpaint.errors import RequestError
from overpaint.request import (
    SAMPLING_SETTINGS,
    DetailRule,
    EditRequest,
    IntentRule,
    ResolvedRequest,
    Usual,
)
from overpaint.request.intents import (
    BACKGROUND_PROMPT,
    GUIDANCE_SCALE,
    REACH_LIMIT,
    SAMPLER,
    SCHEDULER,
    STEPS,
    EdgeRule,
)


def resolve(
    request: EditRequest, card: EngineCard, *, seed: int, rule: IntentRule | None = None, model: str | None = None
) -> ResolvedRequest:
    """Fill in what the request left open.

    Settings that the engine does not accept stay None: a record claims nothing that had no effect, and equal pixels
    have equal digests.

    Args:
        request: The request.
        card: Of the engine that paints.
        seed: The seed to paint with.
        rule: The intent's rule, where it has been looked up.
        model: The checkpoint, where the request names none.

    Raises:
        RequestError: The intent needs a prompt and there is none.
    """
    rule = rule or request.rule
    accepted = _sampling(request, card, rule)
    dialect = accepted.pop("dialect", None)
    return ResolvedRequest(
        intent=request.intent,
        engine=card.name,
        engine_digest=card.digest,
        paints_from=card.paints_from,
        model=model or request.model,
        options=request.options or {},
        image=request.image,
        mask=request.mask,
        sketch=request.sketch,
        controls=request.controls if card.uses("controls") else None,
        margins=request.margins,
        size=request.size if card.uses("size") else None,
        # A given padding limits the context, so that the whole picture is not the default then.
        area=_or(request.area, "whole" if rule.context == "whole" and request.padding is None else "masked"),
        context=rule.context,
        padding=request.padding,
        edge=_edge(rule.edge, card),
        grow=request.grow,
        feather=request.feather,
        strict=_or(request.strict, False),
        # The limit applies to automatic edges; a given edge has the reach that it says.
        reach_limit=_or(request.reach_limit, REACH_LIMIT if request.grow is request.feather is None else None),
        follow_effects=_or(request.follow_effects, False) if card.uses("follow_effects") else None,
        alpha=_or(request.alpha, rule.alpha),
        colour_match=_or(request.colour_match, True),
        seam=_or(request.seam, True),
        detail=_detail(request, rule.detail, card),
        exact=_or(request.exact, False),
        inverts_mask=rule.inverts_mask,
        seed=seed,
        dialect=_or(dialect, "native"),
        **accepted,
    )


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _edge(rule: EdgeRule, card: EngineCard) -> EdgeRule:
    """The intent's edge; where that follows the region's size, an engine that needs less has a narrow one."""
    return "narrow" if rule == "scaled" and card.edge != "diffusion" else rule


def _detail(request: EditRequest, rule: DetailRule, card: EngineCard) -> Any:
    """How good a match detail needs; None for an engine at the picture's size, which loses none.

    The dialects follow tools that add none. Without a prompt a model may have its own rule in place of "full".
    """
    if not card.uses("detail"):
        return None
    if request.detail is not None:
        return request.detail
    if request.dialect not in (None, "native"):
        return "none"
    return _first(card.usual.detail, rule) if rule == "full" and not (request.prompt or "").strip() else rule


def _prompt(request: EditRequest, card: EngineCard, rule: IntentRule) -> str:
    prompt = request.prompt or ""
    if prompt.strip() or card.paints_from != "prompt":
        return prompt
    if rule.prompt == "required":
        raise RequestError(
            f"{request.intent!r} with {card.name} needs a prompt: say what to paint there",
            code="prompt-missing",
            field="prompt",
        )
    return _first(card.usual.background_prompt, BACKGROUND_PROMPT) if rule.prompt == "background" else ""


def _sampling(request: EditRequest, card: EngineCard, rule: IntentRule) -> dict[str, Any]:
    """The settings of sampling that the engine accepts, all filled in."""
    usual = card.usual
    found = {
        "prompt": _prompt(request, card, rule),
        "negative_prompt": request.negative_prompt,
        "strength": _or(request.strength, rule.strength),
        "masked_content": _or(request.masked_content, rule.masked_content),
        "steps": _first(request.steps, usual.steps, STEPS),
        "guidance_scale": _first(request.guidance_scale, usual.guidance_scale, GUIDANCE_SCALE),
        "guidance_rescale": _first(request.guidance_rescale, usual.guidance_rescale, 0.0),
        "guidance_interval": _or(request.guidance_interval, (0.0, 1.0)),
        "sampler": _first(request.sampler, usual.sampler, SAMPLER),
        "scheduler": _scheduler(request, usual),
        "clip_skip": _first(request.clip_skip, usual.clip_skip, 1),
        "dialect": _or(request.dialect, "native"),
    }
    return {name: value for name, value in found.items() if name in SAMPLING_SETTINGS & card.accepts}


def _scheduler(request: EditRequest, usual: Usual) -> str | None:
    """A sampler that was named keeps the scheduler that goes with it ("DPM++ 2M Exponential", PNDM's own)."""
    if request.scheduler is not None or request.sampler is not None:
        return request.scheduler
    return usual.scheduler if usual.sampler is not None else _or(usual.scheduler, SCHEDULER)


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)
