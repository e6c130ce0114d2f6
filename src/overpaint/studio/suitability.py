"""Whether a model that nobody named does the edit well, and what in a prompt it can't paint.

A small model does few things. Its card says for what it may be used unasked (`intents`), and which things it paints so
that they are recognised (`words`); a card that says neither is of a model that takes any prompt.
"""

from __future__ import annotations

from collections.abc import Sequence

from overpaint.engines import EngineCard
from overpaint.errors import RequestError
from overpaint.prompt import negated_things, things_in, unknown_things
from overpaint.request import EditRequest, IntentRule


def refuse_unsuited(request: EditRequest, rule: IntentRule, card: EngineCard, model: str) -> None:
    """Refuse an edit that the model which nobody named does not do well. Cards without limits pass.

    Args:
        request: The request; it names no model.
        rule: Its intent's rule.
        card: The model's card.
        model: The model's name.

    Raises:
        RequestError: The intent is none of the card's, or the model paints nothing of what the prompt names.
    """
    otherwise = "" if rule.engine is None else f", or use the engine {rule.engine!r}, which needs no model"
    tried = f"model={model!r} tries that one all the same"
    if card.intents is not None and request.intent not in card.intents:
        raise RequestError(
            f"{request.intent} needs a larger model than {model}, the one that is used when none is named",
            code="model-needed",
            field="model",
            value=request.intent,
            hint=f"name a checkpoint{otherwise}; {tried}",
        )
    beyond = _beyond(request, card)
    if beyond and set(beyond) == set(things_in(_said(request), card.words or frozenset())):
        raise RequestError(
            f"{model}, the model that is used when none is named, does not paint {_either(beyond)} recognisably",
            code="prompt-beyond-model",
            field="prompt",
            value=request.prompt,
            hint=f"name a larger checkpoint as the model{otherwise}; {tried}",
        )


def notes_before(request: EditRequest, card: EngineCard, model: str | None) -> tuple[str, ...]:
    """What a person should know before the painting begins.

    That is which things in the prompt the model can't paint, and which ones the prompt wants left out. Models follow
    nouns, not negations.
    """
    painter, notes = model or card.name, []
    if beyond := _beyond(request, card):
        notes.append(
            f"{painter} does not paint {_either(beyond)} recognisably; the setting model names a larger checkpoint"
        )
    negated = negated_things(_said(request), card.words or frozenset())
    if negated and card.paints_from == "prompt":
        instead = "; the setting negative_prompt takes what to leave out" if card.uses("negative_prompt") else ""
        notes.append(f"{painter} may paint {_either(negated)} because the prompt names it{instead}")
    return tuple(notes)


def _beyond(request: EditRequest, card: EngineCard) -> tuple[str, ...]:
    """What the request's prompts name and the card's words lack."""
    return () if card.words is None else unknown_things(_said(request), card.words)


def _said(request: EditRequest) -> str:
    """The prompt, and those of regions."""
    return ".\n".join((request.prompt or "", *(one.prompt for one in request.regional_prompts or ())))


def _either(things: Sequence[str]) -> str:
    """'vase', 'vase or cat', 'vase, cat or dog'."""
    return " or ".join(part for part in (", ".join(things[:-1]), things[-1]) if part)
