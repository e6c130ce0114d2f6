"""From a request to a resolved one: open settings follow from the intent and the engine's card."""

from __future__ import annotations

from typing import Any

from overpaint.engines import EngineCard
from overpaint.errors import RequestError
from overpaint.frame import POLICIES, REACH_LIMIT, FramePolicy
from overpaint.prompt import split_networks
from overpaint.request import (
    ENGINE_SETTINGS,
    SAMPLING_SETTINGS,
    DetailRule,
    EditRequest,
    IntentRule,
    ResolvedRequest,
    Usual,
    intents,
    usual_of_lora,
)

GENERAL = Usual(
    steps=intents.STEPS,
    guidance_scale=intents.GUIDANCE_SCALE,
    guidance_rescale=0.0,
    sampler=intents.SAMPLER,
    scheduler=intents.SCHEDULER,
    clip_skip=1,
    background_prompt=intents.BACKGROUND_PROMPT,
)
"""The settings of models that have no usual ones of their own."""

BEYOND_MASK = ("mask_blur", "grow", "feather", "reach_limit", "follow_effects")
"""Settings of what changes beyond the mask, which have no effect in a strict request."""


def policy_for(request: EditRequest, card: EngineCard) -> FramePolicy:
    """The frame policy of the request's dialect; the native one with an engine that has no dialects."""
    return POLICIES[(request.dialect or "native") if card.uses("dialect") else "native"]


def resolve(
    request: EditRequest, card: EngineCard, *, seed: int, rule: IntentRule | None = None, model: str | None = None
) -> ResolvedRequest:
    """Fill in what the request left open.

    Settings that the engine does not accept, or that another setting rules out, stay None: a record claims nothing that
    had no effect, and equal pixels have equal digests.

    Args:
        request: The request; what its preset sets is filled in already.
        card: Of the engine that paints.
        seed: The seed to paint with.
        rule: The intent's rule, where it has been looked up.
        model: The checkpoint, where the request names none.

    Raises:
        RequestError: The intent needs a prompt and there is none.
    """
    rule = rule or request.rule
    policy = policy_for(request, card)
    unused = {name for name in ENGINE_SETTINGS if not card.uses(name)} | policy.ignores
    defaults = _defaults(request, card, rule, policy)
    filled = {**defaults, **request.settings(), "prompt": _prompt(request, card, rule, model)}
    unused |= set(BEYOND_MASK) if filled["strict"] else set()
    unused |= {"padding"} if filled["area"] == "whole" else set()
    used = {name: value for name, value in filled.items() if name not in unused}
    return ResolvedRequest(
        **{
            "dialect": "native",
            **used,
            "engine": card.name,
            "engine_digest": card.digest,
            "paints_from": card.paints_from,
            "model": model or request.model,
            # A sketch lies over the picture that every engine gets.
            "sketch": request.sketch,
            "context": rule.context,
            "edge": _edge(rule.edge, card),
            "inverts_mask": rule.inverts_mask,
            "seed": seed if card.uses("seed") else None,
            # Alone or beside others, an engine without sampling paints the same.
            "exact": filled["exact"] and bool(card.samples or card.accepts & SAMPLING_SETTINGS),
        }
    )


def _defaults(request: EditRequest, card: EngineCard, rule: IntentRule, policy: FramePolicy) -> dict[str, Any]:
    """The values of settings that the request leaves open, by intent, dialect, the model's usual ones, or for all."""
    named = Usual(sampler=request.sampler, scheduler=request.scheduler)
    _, few = few_step_lora(request, card) or ("", Usual())
    usual = named.over(few).over(card.usual).over(GENERAL)
    return {
        # A given padding limits the context, so that the whole picture is not the default then.
        "area": "whole" if rule.context == "whole" and request.padding is None else "masked",
        "strict": False,
        # The limit applies to automatic edges; a given edge has the reach that it says.
        "reach_limit": REACH_LIMIT if request.grow is request.feather is None else None,
        "follow_effects": False,
        "alpha": rule.alpha,
        "colour_match": policy.corrects,
        "seam": policy.corrects,
        "detail": _detail(request, rule.detail, card) if policy.adds_detail else "none",
        "exact": False,
        "strength": rule.strength,
        "masked_content": rule.masked_content,
        "guidance_interval": (0.0, 1.0),
        **usual.model_dump(include=set(SAMPLING_SETTINGS)),
        **policy.defaults,
    }


def few_step_lora(request: EditRequest, card: EngineCard) -> tuple[str, Usual] | None:
    """The first LoRA of the prompt that was distilled to few steps, by its name, and the settings that it needs.

    In the native dialect alone: the others follow tools that leave such settings to their user.
    """
    if card.paints_from != "prompt" or request.dialect not in (None, "native"):
        return None
    try:
        _, networks = split_networks(request.prompt or "")
    except RequestError:  # the engine says what is wrong
        return None
    for one in networks:
        if one.kind == "lora" and one.unet != 0 and (usual := usual_of_lora(one.name)) is not None:
            return one.name, usual
    return None


def _edge(rule: intents.EdgeRule, card: EngineCard) -> intents.EdgeRule:
    """The intent's edge; where that follows the region's size, an engine that needs less has a narrow one."""
    return "narrow" if rule == "scaled" and card.edge != "diffusion" else rule


def _detail(request: EditRequest, rule: DetailRule, card: EngineCard) -> Any:
    """How good a match detail needs, by the intent. Without a prompt a model may have its own rule for "full"."""
    return (card.usual.detail or rule) if rule == "full" and not (request.prompt or "").strip() else rule


def _prompt(request: EditRequest, card: EngineCard, rule: IntentRule, model: str | None) -> str:
    prompt = request.prompt or ""
    if prompt.strip() or card.paints_from != "prompt":
        return prompt
    if rule.prompt == "required" and not request.regional_prompts:
        raise RequestError(
            f"{request.intent!r} with {model or request.model or card.name} needs a {{field}}: say what to paint there",
            code="prompt-missing",
            field="prompt",
            hint=""
            if rule.engine is None
            else f"without a model: set insert, or options of the engine {rule.engine!r}",
        )
    return (card.usual.over(GENERAL).background_prompt or "") if rule.prompt == "background" else ""
