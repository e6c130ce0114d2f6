"""One way to select: hints are checked against card and picture, and what a selector gives is checked too."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, JsonValue, ValidationError

from overpaint.bounded import is_shortage
from overpaint.errors import EngineError, MaskError, OverpaintError, RequestError, did_you_mean, some_names
from overpaint.geometry import Box, Size
from overpaint.mask import Mask
from overpaint.picture import Picture
from overpaint.request import SelectHints, UsedModel
from overpaint.validation import reason_of

from .base import HintKind, HintPoint, NetworkSelector, Selection, SelectorCard, SelectorHints
from .registry import selector

MOST_HINTS = 1000
"""Points, and boxes, that one selection takes."""

_WORDS: Mapping[HintKind, str] = {"points": "points", "boxes": "boxes", "text": "a text", "mask": "a mask"}


def select(picture: Picture, name: str, hints: SelectorHints | None = None) -> list[Selection]:
    """What the hints mean in a picture, the surest first.

    Args:
        picture: The picture.
        name: The selector's name: "grabcut", "colour".
        hints: Points, boxes and the selector's own options.

    Returns:
        At least one selection, none of them empty.

    Raises:
        RequestError: There is no such selector, it does not take or lacks a hint, or a hint is outside of the picture.
        MaskError: It found nothing ("nothing-selected"), or the mask to refine has another size.
        EngineError: The selector can't be loaded, or failed.
    """
    found = selector(name)
    hints = hints or SelectorHints()
    check_hints(found.card, hints, picture.size)
    try:
        selections = found.select(picture, hints)
    except OverpaintError:
        raise
    except Exception as error:
        if is_shortage(error):
            raise EngineError(
                f"the selector {name!r} ran out of memory on a {picture.size} picture", code="memory-short"
            ) from None
        if not isinstance(found, NetworkSelector):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise EngineError(f"the selector {name!r} failed on a {picture.size} picture: {reason}") from error
    for one in selections:
        if one.mask.size != picture.size or not np.isfinite(one.mask.values).all():
            raise EngineError(f"the selector {name!r} gave a mask of {one.mask.size} for a picture of {picture.size}")
    kept = [one for one in selections if one.mask.core.any()]
    if not kept:
        raise MaskError(
            f"the selector {name!r} found nothing in the picture",
            code="nothing-selected",
            field="select",
            value=name,
            hint=found.card.tip,
        )
    return kept


def selected(picture: Picture, name: str, hints: SelectorHints | None = None, pick: int | None = None) -> Mask:
    """The union of what a selector finds, or one selection of it.

    Args:
        picture, name, hints: As for `select`, errors as well.
        pick: The number of a selection, from 0; None: all but alternatives.

    Raises:
        RequestError: There are fewer selections.
    """
    return picked(select(picture, name, hints), name, pick)


def picked(found: Sequence[Selection], name: str, pick: int | None = None) -> Mask:
    """The union of what the selector of this name found, or one selection of it. Raises as `selected` does."""
    if pick is not None:
        if pick >= len(found):
            some = "one selection" if len(found) == 1 else f"{len(found)} selections"
            raise RequestError(
                f"{{field}} {pick} is not there: {name!r} gave {some}, counted from 0",
                code="selection-missing",
                field="pick",
                value=pick,
            )
        return found[pick].mask
    mask = found[0].mask
    for one in found[1:]:
        if not one.alternative:
            mask = mask.union(one.mask)
    return mask


def used_networks(name: str, hints: SelectorHints) -> tuple[UsedModel, ...]:
    """The networks that a selector runs for these hints; () for one without any.

    Raises:
        RequestError: There is no such selector.
        ModelError: A network is not here, or may not be used.
    """
    found = selector(name)
    return found.models(hints) if isinstance(found, NetworkSelector) else ()


def check_hints(card: SelectorCard, hints: SelectorHints, size: Size) -> None:
    """Refuse hints that do not suit a selector or a picture. Raises as `select` does."""
    for kind in hints.given:
        if kind not in card.takes:
            raise RequestError(
                f"the selector {card.name!r} takes no {kind.removesuffix('s') if kind != 'boxes' else 'box'}",
                code="hint-refused",
                field=kind,
                value=card.name,
                hint=f"it takes {_listed(card.takes)}" if card.takes else "it takes no hints",
            )
    if hints.text and not hints.text.strip():
        raise RequestError("{field} has no word in it", field="text", value=hints.text[:80])
    lacking = card.needs and not card.needs.intersection(hints.given)
    if lacking or (hints.given == ("points",) and "points" in card.needs and not hints.inside):
        of_it = ", one of them on what is meant" if hints.points else ""
        raise RequestError(
            f"the selector {card.name!r} needs {_listed(card.needs, ' or ')}{of_it}",
            code="hint-missing",
            field=sorted(card.needs, reverse=True)[0],
            value=card.name,
            hint="",
        )
    check_places(hints, size)
    options_of(card, hints.options)


def check_places(hints: SelectorHints, size: Size) -> None:
    """Refuse points and boxes that are not in a picture of this size, and a mask of another size."""
    for kind, count in (("points", len(hints.points)), ("boxes", len(hints.boxes))):
        if count > MOST_HINTS:
            raise RequestError(f"{{field}} should be at most {MOST_HINTS}", field=kind, value=count)
    for point in hints.points:
        within = math.isfinite(point.x) and math.isfinite(point.y)
        if not (within and 0 <= point.x <= size.width and 0 <= point.y <= size.height):
            raise RequestError(
                f"{{field}}: {point.x:g},{point.y:g} is outside of the picture of {size}",
                code="hint-outside",
                field="points",
                value=f"{point.x:g},{point.y:g}",
            )
    for box in hints.boxes:
        if box.intersect(size.box).empty:
            raise RequestError(
                f"{{field}}: {box} is outside of the picture of {size}",
                code="hint-outside",
                field="boxes",
                value=str(box),
            )
    if hints.mask is not None:
        hints.mask.require_size(size)


def options_of(card: SelectorCard, options: Mapping[str, JsonValue]) -> BaseModel:
    """A selector's own options, checked against its card. RequestError names the first that does not suit."""
    given: dict[str, Any] = dict(options)
    try:
        return card.options.model_validate(given)
    except ValidationError as error:
        first, known = error.errors()[0], card.options.model_fields
        name, value = ".".join(map(str, first["loc"])), first["input"]
        problem = f"the option {name}={value!r} does not suit the selector {card.name!r}: "
        problem += reason_of(first, card.options)
        if first["type"] == "extra_forbidden":
            problem, value = f"the selector {card.name!r} has no option {name!r}{did_you_mean(name, known)}", name
        message = f"{problem}; its options: {some_names(known, name) or 'none'}"
        raise RequestError(message, code="selector-option", field="select_option", value=value) from None


def hints_of(asked: SelectHints, mask: Mask | None = None) -> SelectorHints:
    """The hints of a request's selection, with a mask that is refined."""
    points = ((at, inside) for inside, all_of in ((True, asked.points), (False, asked.not_points)) for at in all_of)
    return SelectorHints(
        points=tuple(HintPoint(*at, inside) for at, inside in points),
        boxes=tuple(Box(*one) for one in asked.boxes),
        text=asked.text or "",
        mask=mask,
        options=asked.options or {},
    )


def _listed(kinds: Iterable[HintKind], join: str = " and ") -> str:
    return join.join(_WORDS[kind] for kind in sorted(kinds, reverse=True))
