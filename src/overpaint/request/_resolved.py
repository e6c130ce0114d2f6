"""The request with every default filled in: what is painted, cached, resumed and replayed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from overpaint.errors import RequestError
from overpaint.values import Listed, Value, as_mapping, digest_of, parse_json

from ._blob import Blob
from ._edit import MOST_SEED, Area, Dialect, EditRequest, without_codes
from ._models import UsedModel, Usual
from ._parts import MaskSpec
from .intents import (
    BACKGROUND_PROMPT,
    GUIDANCE_SCALE,
    REACH_LIMIT,
    SAMPLER,
    SCHEDULER,
    STEPS,
    AlphaRule,
    ContextRule,
    DetailRule,
    EdgeRule,
    Intent,
    MaskedContent,
)

EngineKind = Literal["pixel", "learned", "remote"]


class ResolvedRequest(Value):
    """What is painted. None means automatic, by the region (padding, grow, feather), no limit, or not used.

    Attributes:
        engine: Its name.
        engine_digest: What makes two results of it comparable: weights and version.
        kind: "pixel", "learned" or "remote".
        models: Every file of weights that has a part in it: the checkpoint, another VAE, LoRAs, textual inversions.
        edge: How grow and feather follow where they are None (see `intents`).
        context: How the padding follows where it is None.
        detail: How good a match added detail needs (see `intents`); None where none is added, as by older versions.
        seed: As drawn.

    The others are those of EditRequest.
    """

    schema_: Annotated[int, Field(alias="schema", ge=1, le=1)] = 1
    intent: Intent
    engine: str
    engine_digest: str
    kind: EngineKind
    model: str | None = None
    models: Listed[tuple[UsedModel, ...]] = ()
    options: Mapping[str, JsonValue] = {}

    image: Blob | None = None
    mask: MaskSpec | None = None
    sketch: Blob | None = None
    margins: Listed[tuple[int, int, int, int]] | None = None

    area: Area
    context: ContextRule
    padding: int | None = None
    edge: EdgeRule
    grow: float | None = None
    feather: float | None = None
    strict: bool
    reach_limit: int | None = None
    alpha: AlphaRule
    colour_match: bool
    seam: bool
    detail: DetailRule | None = None
    exact: bool
    inverts_mask: bool
    seed: Annotated[int, Field(ge=0, le=MOST_SEED)]
    dialect: Dialect

    prompt: str | None = None
    negative_prompt: str | None = None
    strength: float | None = None
    masked_content: MaskedContent | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    guidance_rescale: float | None = None
    guidance_interval: Listed[tuple[float, float]] | None = None
    sampler: str | None = None
    scheduler: str | None = None
    clip_skip: int | None = None

    @property
    def detail_asked(self) -> Literal["surroundings", "full", "careful", "none"] | None:
        """What a request must say of detail to be resolved to this again; versions that knew no detail added none."""
        return None if self.kind == "pixel" else self.detail or "none"

    @property
    def digest(self) -> str:
        """SHA-256 of everything that the pixels follow from, but for the machine."""
        mapping = self.to_mapping()
        mapping["models"] = [{name: model[name] for name in ("role", "sha256")} for model in mapping["models"]]
        return digest_of(without_codes(mapping))

    def settings(self) -> dict[str, Any]:
        """The settings by name, as plain values, for an engine's canvas; rasters and options are left out."""
        left_out = {"schema_", "image", "mask", "sketch", "options", "models", "engine_digest"}
        return {name: getattr(self, name) for name in type(self).model_fields if name not in left_out}

    def to_json(self, *, indent: int | None = 2) -> str:
        """JSON text."""
        return json.dumps(self.to_mapping(), ensure_ascii=False, indent=indent)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> ResolvedRequest:
        """From the table that `to_mapping` gives."""
        return cls(**as_mapping(mapping, "the resolved request"))

    @classmethod
    def from_json(cls, text: str | bytes) -> ResolvedRequest:
        """From the text that `to_json` gives."""
        return cls.from_mapping(as_mapping(parse_json(text, "the resolved request"), "the resolved request"))

    def __hash__(self) -> int:
        return hash(self.digest)


class Execution(Value):
    """Where and how it ran: what the pixels may further depend on, in their last bits.

    Attributes:
        device: "cpu", "cuda:0 NVIDIA H200", "mps".
        dtype: What the networks calculated in: "float32", "bfloat16"; "" for none.
        threads: Threads of one worker.
        exact: Whether exact mode was on.
        versions: Of the packages that calculate, by name.
    """

    device: str = "cpu"
    dtype: str = ""
    threads: Annotated[int, Field(ge=1)] = 1
    exact: bool = False
    versions: Mapping[str, str] = {}


def draw_seed(seed: int | None = None) -> int:
    """The seed to paint with: a fresh one for None and -1, below 2**32, which every other tool can take."""
    return secrets.randbelow(1 << 32) if seed is None or seed == -1 else seed


def resolve(
    request: EditRequest,
    *,
    engine: str,
    engine_digest: str,
    kind: EngineKind,
    seed: int,
    takes_prompt: bool | None = None,
    usual: Usual | None = None,
) -> ResolvedRequest:
    """Fill in what the request left open.

    Sampling settings stay None for an engine that does not sample, so that a record claims nothing that was not done,
    and equal pixels have equal digests.

    Args:
        request: What was asked.
        engine: The name of the engine that paints.
        engine_digest: Its card's digest.
        kind: Its card's kind.
        seed: As drawn (see `draw_seed`).
        takes_prompt: Its card's word on prompts; left out, all but pixel engines take one.
        usual: Its card's usual settings.

    Raises:
        RequestError: The intent needs a prompt and there is none.
    """
    rule = request.rule
    takes_prompt = kind != "pixel" if takes_prompt is None else takes_prompt
    return ResolvedRequest(
        intent=request.intent,
        engine=engine,
        engine_digest=engine_digest,
        kind=kind,
        model=request.model,
        options=request.options or {},
        image=request.image,
        mask=request.mask,
        sketch=request.sketch,
        margins=request.margins,
        # A padding that was given says how far to look, which leaves "the whole picture" without a meaning.
        area=_or(request.area, "whole" if rule.context == "whole" and request.padding is None else "masked"),
        context=rule.context,
        padding=request.padding,
        edge=_edge(rule.edge, kind, usual or Usual()),
        grow=request.grow,
        feather=request.feather,
        strict=_or(request.strict, False),
        # Who gives the edge asks for its reach; the limit is for what is chosen automatically.
        reach_limit=_or(request.reach_limit, REACH_LIMIT if request.grow is request.feather is None else None),
        alpha=_or(request.alpha, rule.alpha),
        colour_match=_or(request.colour_match, True),
        seam=_or(request.seam, True),
        detail=_detail(request, kind, usual or Usual()),
        exact=_or(request.exact, False),
        inverts_mask=rule.inverts_mask,
        seed=seed,
        dialect=_or(request.dialect, "native"),
        **(_prompts(request, engine, usual or Usual()) if takes_prompt else {}),
        **(_sampling(request, usual or Usual()) if kind == "learned" else {}),
    )


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _edge(rule: EdgeRule, kind: EngineKind, usual: Usual) -> EdgeRule:
    """An edge that keeps a contour is the intent's business; one that follows the region's size may be the model's."""
    return _first(usual.edge, rule) if kind == "learned" and rule == "scaled" else rule


def _detail(request: EditRequest, kind: EngineKind, usual: Usual) -> DetailRule | None:
    """None wherever no detail is added: pixel engines paint at full size, and dialects follow tools that add none.

    Where nobody says what is to be painted, the model may have its own way of what an intent has as "full".
    """
    if kind == "pixel" or request.detail == "none":
        return None
    if request.detail is None and request.dialect in ("diffusers", "webui"):
        return None
    if request.detail is not None:
        return request.detail
    rule = request.rule.detail
    return _first(usual.detail, rule) if rule == "full" and not (request.prompt or "").strip() else rule


def _prompts(request: EditRequest, engine: str, usual: Usual) -> dict[str, Any]:
    prompt = request.prompt or ""
    if not prompt.strip():
        if request.rule.prompt == "required":
            raise RequestError(f"{request.intent!r} with {engine} needs a prompt: say what is to be painted there")
        prompt = _first(usual.background_prompt, BACKGROUND_PROMPT) if request.rule.prompt == "background" else ""
    return {"prompt": prompt, "negative_prompt": request.negative_prompt or ""}


def _sampling(request: EditRequest, usual: Usual) -> dict[str, Any]:
    return {
        "strength": _or(request.strength, request.rule.strength),
        "masked_content": _or(request.masked_content, request.rule.masked_content),
        "steps": _first(request.steps, usual.steps, STEPS),
        "guidance_scale": _first(request.guidance_scale, usual.guidance_scale, GUIDANCE_SCALE),
        "guidance_rescale": _first(request.guidance_rescale, usual.guidance_rescale, 0.0),
        "guidance_interval": _or(request.guidance_interval, (0.0, 1.0)),
        "sampler": _first(request.sampler, usual.sampler, SAMPLER),
        "scheduler": _scheduler(request, usual),
        "clip_skip": _first(request.clip_skip, usual.clip_skip, 1),
    }


def _scheduler(request: EditRequest, usual: Usual) -> str | None:
    """A sampler that was named keeps the scheduler that goes with it ("DPM++ 2M Exponential", PNDM's own)."""
    if request.scheduler is not None or request.sampler is not None:
        return request.scheduler
    return usual.scheduler if usual.sampler is not None else _or(usual.scheduler, SCHEDULER)


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)
