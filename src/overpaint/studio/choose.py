"""The one choice of what paints: from a request to an engine, its card and its checked options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from overpaint import pocket
from overpaint.engines import Engine, EngineCard
from overpaint.errors import RequestError, some_names
from overpaint.other_names import SETTING_ALIASES, suggest_setting
from overpaint.request import EditRequest, IntentRule
from overpaint.validation import reason_of

from .engine_pool import MODEL_ENGINE as MODEL_ENGINE
from .engine_pool import EnginePool
from .presets import preset_settings
from .suitability import notes_before, refuse_unsuited

SURROUNDINGS_ENGINE = "exemplar"
"""The engine of intents that continue the surroundings and have none of their own, where the request names none."""

_NO_CHOICE = (None, pocket.NAME)  # the models that nobody had to name


@dataclass(frozen=True, slots=True, eq=False)
class Painter:
    """What paints an edit.

    Attributes:
        engine: The engine.
        card: Its card.
        options: Its own options, checked.
        model: The model that it runs; None where it runs none.
        notes: What a person should know before it begins.
        filled: Fields of the request that its preset filled in, with their values.
    """

    engine: Engine
    card: EngineCard
    options: BaseModel
    model: str | None = None
    notes: tuple[str, ...] = ()
    filled: Mapping[str, Any] = field(default_factory=dict)

    def asked(self, request: EditRequest) -> EditRequest:
        """The request with what its preset fills in; without a preset as it is."""
        return request.merged(**self.filled) if self.filled else request


def choose(request: EditRequest, rule: IntentRule, pool: EnginePool, default_model: str | None) -> Painter:
    """The painter of a request: the engine or model that it names, else the one that its intent prefers.

    Args:
        request: The request.
        rule: Its intent's rule.
        pool: Where engines come from.
        default_model: The model where an intent paints from a prompt, or an engine runs models, and none is named.

    Raises:
        UnknownEngineError: No engine has the name.
        RequestError: The engine runs no models, its options don't suit, or a model is needed, none is named, and the
            one that comes with the package does not do the intent well or paints nothing that the prompt names.
        ModelError: The model can't be used.
    """
    name, model = _names(request, rule, pool, default_model)
    options = checked_options(pool.card(name), request.options)
    engine = pool.get(name, model, options)
    if request.model is None and model == pocket.NAME:
        refuse_unsuited(request, rule, engine.card, model)
    notes = notes_before(request, engine.card, model)
    notes += _eraser_notes(request, rule, pool, name, model)
    preset = preset_settings(request, engine.card, model, files=model is None or pool.takes_files(model))
    if preset is None:
        return Painter(engine, engine.card, options, model, notes)
    options = checked_options(engine.card, request.merged(**preset.changes).options)
    engine = pool.get(name, model, options)  # another VAE is another engine
    return Painter(engine, engine.card, options, model, (*notes, preset.note), preset.changes)


def _eraser_notes(
    request: EditRequest, rule: IntentRule, pool: EnginePool, name: str, model: str | None
) -> tuple[str, ...]:
    """A note where an eraser was chosen that nobody named, or one is here that can't be used as it is."""
    if request.model is not None or request.engine is not None or rule.engine is not None:
        return ()
    if _runs_erasers(pool.card(name)):
        return (
            f"the eraser {model} fills the hole, as it is on this machine; the setting engine "
            f"{SURROUNDINGS_ENGINE} does without a model",
        )
    if rule.prefers == "surroundings" and (waiting := pool.waiting_eraser()) is not None:
        return (
            f"the eraser {waiting} is on this machine as a program, which does not run unless it is named and allowed; "
            f"to have it used, convert {waiting} to safetensors",
        )
    return ()


def _names(
    request: EditRequest, rule: IntentRule, pool: EnginePool, default_model: str | None
) -> tuple[str, str | None]:
    """The engine's name, and the model's where it runs one."""
    name = request.engine
    if request.model is not None:
        name = name or pool.engine_of(request.model)
        if "model" not in pool.card(name).accepts:
            raise RequestError(
                f"the engine {name!r} loads no checkpoints, so that the model {request.model!r} can't be used with it",
                code="engine-without-models",
                field="engine",
                value=name,
                hint=f"right would be engine={MODEL_ENGINE!r}, or no engine",
            )
        return name, request.model
    if name is not None and not pool.has(name) and _runs_erasers(pool.card(name)):
        return name, _eraser(request, pool, default_model)
    if name is None and rule.prefers == "surroundings":
        # what an eraser would not use, the request has for the engine without a model
        plain = rule.engine is None and not request.options and request.avoid is None
        if plain and (eraser := pool.eraser(default_model)) is not None:
            return pool.engine_of(eraser), eraser
        return rule.engine or SURROUNDINGS_ENGINE, None
    if name is None and rule.engine is not None and _without_model(request, rule, default_model):
        return rule.engine, None
    if name is not None and (pool.has(name) or "model" not in pool.card(name).accepts):
        return name, None
    if default_model is None:
        raise RequestError(
            f"{request.intent} paints from a prompt, which needs a model, and none was named",
            code="model-needed",
            field="model",
            value=request.intent,
            hint=f"name a model, or an engine that continues the surroundings, such as {SURROUNDINGS_ENGINE!r}",
        )
    return name or pool.engine_of(default_model), default_model


def _runs_erasers(card: EngineCard) -> bool:
    """Whether an engine runs models that continue the surroundings."""
    return "model" in card.accepts and card.paints_from == "surroundings"


def _eraser(request: EditRequest, pool: EnginePool, default_model: str | None) -> str:
    """The eraser for an engine that was named without one."""
    found = pool.eraser(default_model)
    if found is None:
        raise RequestError(
            f"the engine {request.engine!r} needs an eraser, and none is on this machine",
            code="model-needed",
            field="model",
            value=request.engine,
            hint="name one as the model; 'lama' can be downloaded",
        )
    return found


def _without_model(request: EditRequest, rule: IntentRule, default_model: str | None) -> bool:
    """Whether the intent's own engine paints: options alone say what, or a picture, or no better model is there.

    Where nothing says what and nobody chose a model, the engine's error names what is missing.
    """
    asked = bool((request.prompt or "").strip() or request.regional_prompts)
    if request.insert is not None or (request.options and not asked):
        return True
    return default_model in _NO_CHOICE and (rule.prefers == "settings" or not asked)


def exact_unless_given(request: EditRequest) -> EditRequest:
    """The request of several variations, which are exact unless it says otherwise: each can be replayed alone."""
    return request.merged(exact=True) if request.exact is None else request


def for_variations(
    request: EditRequest, painter: Painter, choose_again: Callable[[EditRequest], Painter]
) -> tuple[EditRequest, Painter]:
    """Request and painter of several variations of one edit.

    What continues the surroundings and has no seed, as most erasers, paints the same each time: where nobody named it,
    the engine of the surroundings that has one paints. They are exact (see `exact_unless_given`), and have the options
    that the engine's card gives for variations.

    Args:
        request: The request.
        painter: What would paint one of them.
        choose_again: Chooses the painter of another request.

    Raises:
        RequestError: The engine does not use a seed, so that all would be equal.
    """
    chosen = request.engine is None and request.model is None and request.rule.prefers == "surroundings"
    if chosen and request.rule.engine is None and not painter.card.uses("seed"):
        request = request.merged(engine=SURROUNDINGS_ENGINE)
        painter = choose_again(request)
    card = painter.card
    if not card.uses("seed"):
        raise RequestError(
            f"{card.name} does not use a seed, so that its variations would be equal",
            code="variations-equal",
            field="engine",
            value=card.name,
            hint="paint one, or choose another engine",
        )
    options = {**card.variation_options, **(request.options or {})}
    painter = replace(painter, options=checked_options(card, options))
    return exact_unless_given(request).merged(options=options or None), painter


def checked_options(card: EngineCard, options: Mapping[str, Any] | None) -> BaseModel:
    """The engine's own options, checked against its card. RequestError names the first that does not suit."""
    try:
        return card.options.model_validate(dict(options or {}))
    except ValidationError as error:
        first, known = error.errors()[0], card.options.model_fields
        reason = reason_of(first, card.options)
        if not first["loc"]:
            message = f"the options of the engine {card.name!r} don't go together: {reason}"
            raise RequestError(message, field="options", value=dict(options or {})) from None
        name, value = ".".join(map(str, first["loc"])), first["input"]
        problem = f"the option {name}={value!r} does not suit the engine {card.name!r}: {reason}"
        if first["type"] == "extra_forbidden":
            near = suggest_setting(name, (*known, *EditRequest.model_fields))
            near = "" if SETTING_ALIASES.get(name) == "options" else near  # it is one already, of another engine
            near = f"; {name} is a setting of its own, beside the options" if name in EditRequest.model_fields else near
            problem, value = f"the engine {card.name!r} has no option {name!r}{near}", name
        message = f"{problem}; its options: {some_names(known, name) or 'none'}"
        raise RequestError(message, field="options", value=value) from None
