"""Notes on an edit, for people: settings without effect, automatic choices, and doubts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from overpaint import pocket
from overpaint.engines import Canvas, EngineCard, Painted
from overpaint.finish.quality import FillMeasures
from overpaint.mask import Mask
from overpaint.picture import Samples
from overpaint.request import ENGINE_SETTINGS, EditRequest, ResolvedRequest

from ._edited import PaintedRegion
from .choose import Painter
from .resolve import BEYOND_MASK, few_step_lora, policy_for

LITTLE_KNOWN = 0.2
"""An engine that continues the surroundings has little to copy from where less than this share of a picture stays."""

_MUCH = 0.02
"""An effect beyond the mask is worth a note from this share of the mask's own area on."""

_DOUBTS = {
    "seam": "a seam shows at its edge",
    "structure": "it has stronger edges than its surroundings, as where lines break or pieces of objects were copied",
    "foreign": "parts of it look like nothing around it",
    "border": "what is new does not go on with the picture's border",
    "flatness": "it is flat where its surroundings have texture",
}


def notes_of(request: EditRequest, painter: Painter, mask: Mask, *, sketch: bool, grey: bool) -> tuple[str, ...]:
    """The notes of a request.

    Args:
        request: The request.
        painter: What painted it.
        mask: Where it was painted.
        sketch: Whether there was a sketch, in the request or beside it.
        grey: Whether the picture has one channel.
    """
    notes = []
    card = painter.card
    if painter.model == pocket.NAME and request.model is None:
        notes.append(
            f"painted by {pocket.NAME}, the small model that comes with Overpaint, whose shapes are simple and soft; "
            "the setting model names a larger one"
        )
    given = {name for name in ENGINE_SETTINGS if _given(request, name)} | ({"sketch"} if sketch else set())
    # A seed is drawn for every edit, and may be given to every engine.
    ignored = [name for name in ENGINE_SETTINGS if name in given - {"seed"} and not card.uses(name)]
    if ignored:
        why = ": it continues the surroundings" if card.paints_from == "surroundings" else ""
        notes.append(f"{card.name} does not use {', '.join(ignored)}{why}")
    if (few := few_step_lora(request, card)) is not None:
        name, usual = few
        filled = usual.model_dump(exclude_none=True).items()
        if made := [f"{one} {value}" for one, value in filled if getattr(request, one) is None and card.uses(one)]:
            notes.append(f"the LoRA {name!r} was made for few steps, by its name, which sets {', '.join(made)}")
    policy = policy_for(request, card)
    if elsewhere := sorted(name for name in policy.ignores if getattr(request, name) not in (None, False)):
        notes.append(f"{' and '.join(elsewhere)} had no effect in the dialect {policy.dialect}")
    ignored += elsewhere
    # The dialect webui blurs a hard mask, and a given feather is meant to be mixed.
    mixes = policy.dialect == "native" and getattr(painter.options, card.mixes_by or "mixes_by", False)
    if mixes and mask.hard and not request.feather:
        notes.append(
            f"the mask is hard, so that {card.mixes_by} does little: it mixes old and new where a mask is soft, as one "
            "with feather is"
        )
    beyond = [name for name in BEYOND_MASK if request.strict and getattr(request, name) and name not in ignored]
    if beyond:
        notes.append(f"strict ends at the mask, so that {' and '.join(beyond)} had no effect")
    if request.area == "whole" and request.padding is not None:
        notes.append("the engine saw the whole picture (area), so that padding had no effect")
    share = float(np.mean(mask.support))
    if card.paints_from == "surroundings" and share > 1 - LITTLE_KNOWN:
        notes.append(
            f"{card.name}, which continues the surroundings, has little to copy from: {1 - share:.0%} of the picture "
            "stays; a model paints from a prompt instead"
        )
    if grey and request.intent == "recolor":
        notes.append("the picture is grey and stays so: of the new colour only the lightness shows; make it RGB first")
    native = card.sizes.native
    if request.size is not None and native is not None and request.size < native:
        notes.append(
            f"painted at size {request.size}, below the {native} that {painter.model or card.name} works best at, "
            "which is faster and coarser"
        )
    return tuple(notes)


def doubts_of(request: EditRequest, card: EngineCard, quality: FillMeasures) -> tuple[str, ...]:
    """The measures that make a fill doubtful, as `FillMeasures.doubts`.

    The limits were found on holes that were filled from their surroundings. New colours and objects have edges of
    their own, and an extension has surroundings on one side only: there its seam and border are judged.
    """
    continued = request.margins is None and (card.paints_from == "surroundings" or request.intent == "remove")
    return () if card.paints_from == "settings" else quality.doubts(continued=continued)


def doubt_in_words(request: EditRequest, card: EngineCard, found: tuple[str, ...]) -> str:
    """One line on why a fill is doubtful, by `doubts_of`, and what may do better; "" where it is not."""
    if not found:
        return ""
    avoids = card.uses("avoid") and not {"structure", "foreign"}.isdisjoint(found)
    tries = [
        *(["another seed"] if card.uses("seed") else []),
        *(["the setting avoid for what was copied and does not belong"] if avoids else []),
        *(["a mask that covers all of the object and its shadow"] if request.margins is None else ["a smaller margin"]),
        "a model" if card.paints_from == "surroundings" else "another model",
    ]
    reasons = " and ".join(_DOUBTS[name] for name in found)
    return f"the result is doubtful: {reasons}; try {', '.join(tries[:-1])}, or {tries[-1]}"


def transparency_note(
    resolved: ResolvedRequest, mask: Mask, alpha: Samples | None, regions: Sequence[PaintedRegion]
) -> tuple[str, ...]:
    """A note where most of what was painted can't be seen, as the picture is transparent there and stays so.

    Args:
        resolved: The request.
        mask: Where it was painted.
        alpha: Of the result; None where it has none.
        regions: What was painted; an engine may have given it an opacity of its own.
    """
    if alpha is None or resolved.alpha != "keep" or any(region.opacity is not None for region in regions):
        return ()
    hidden = float(np.mean(alpha[mask.core] == 0)) if mask.core.any() else 0.0
    if hidden < 0.5:
        return ()
    part = "what was painted" if hidden == 1 else f"{hidden:.0%} of what was painted"
    return (f"{part} is transparent, as the picture was there; 'cover' for the setting alpha shows it",)


def opacity_note(request: EditRequest, card: EngineCard, regions: Sequence[PaintedRegion]) -> tuple[str, ...]:
    """A note where alpha was to be kept, and the engine has given the result an alpha of its own."""
    if request.alpha != "keep" or all(region.opacity is None for region in regions):
        return ()
    return (f"{card.name} gives the result an alpha of its own, so that alpha had no effect",)


def effect_note(request: EditRequest, painter: Painter, painted: Sequence[tuple[Canvas, Painted]]) -> tuple[str, ...]:
    """A note where the engine changed much beyond the mask, and nobody decided whether that is pasted."""
    if request.strict or request.follow_effects is not None or not painter.card.uses("follow_effects"):
        return ()
    for canvas, one in painted:
        if one.effect is not None and int(((one.effect > 0.5) & ~canvas.hole).sum()) > _MUCH * int(canvas.hole.sum()):
            return (
                f"{painter.model or painter.card.name} also changed what lies beyond the mask (shadows, reflections), "
                "which stays as it was: the setting follow_effects pastes it",
            )
    return ()


def _given(request: EditRequest, name: str) -> bool:
    value = getattr(request, name)
    return bool(value.strip()) if isinstance(value, str) else value is not None and value is not False
