"""What is to be encoded: both texts as chunks of tokens with weights, equally many. Pure: no network runs here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import torch

from overpaint.errors import RequestError
from overpaint.models import ModelError
from overpaint.prompt.chunks import BACKTRACK, CHUNK, Chunk, PromptTokenizer, chunked, padded
from overpaint.prompt.grammar import Prompt, literal, parse

from .inversion import UNNAMED, Inversion

if TYPE_CHECKING:  # Hugging Face's tokenizers, which only come with a model's weights
    from .clip import ClipText
    from .clip_tokens import ClipTokens
    from .families.unet import UNetFamily

Emphasis = Literal["original", "no_norm", "ignore", "none"]
"""What weights do: multiply and restore the mean; multiply; nothing; nothing, and brackets are characters."""


@dataclass(frozen=True, slots=True)
class TextSettings:
    """How texts are read and encoded.

    Attributes:
        clip_skip: The hidden state that is read, from the last: 1 is the last, 2 the one before it; SDXL was made for 2
            and takes 1 as 2. None: as the model was made.
        emphasis: What weights do.
        plain: Whether a text is taken as it is written, up to one chunk, and `clip_skip` acts on the prompt alone.
    """

    clip_skip: int | None = None
    emphasis: Emphasis = "original"
    plain: bool = False


@dataclass(frozen=True, eq=False)
class TextEncoder:
    """A text encoder and its tokenizer.

    Attributes:
        model: With its weights.
        vocabulary: Its tokenizer.
        slot: The name of its vectors in a textual inversion that has several: "clip_l", "clip_g".
    """

    model: ClipText
    vocabulary: PromptTokenizer
    slot: str = UNNAMED

    @property
    def layers(self) -> int:
        """How many hidden states it has, beyond the embeddings."""
        return self.model.config.num_hidden_layers

    @property
    def width(self) -> int:
        """How many numbers a token's state has."""
        return self.model.config.hidden_size


@dataclass(frozen=True, eq=False)
class TextSide:
    """The text encoders of a model.

    Attributes:
        encoders: One or several; their states are joined.
        digest: Of their weights, LoRAs included.
        layer: The hidden state that the network was made for, from the last, which is 1.
        normed: Whether the encoder's final layer norm follows.
        pooled: Whether the last encoder's projected state is used as well.
        zero_negative: Whether a negative prompt that says nothing is zeros instead of an encoded nothing, as SDXL was
            trained (`force_zeros_for_empty_prompt`).
    """

    encoders: tuple[TextEncoder, ...]
    digest: str
    layer: int = 1
    normed: bool = True
    pooled: bool = False
    zero_negative: bool = False


@dataclass(frozen=True, eq=False)
class TextJob:
    """All that decides about a text's states; a pure value.

    Attributes:
        side: Digest of the encoders.
        chunks: For each encoder, equally many.
        ids: For each encoder and chunk, an id for each of its places (77 of CLIP's).
        layer: Which hidden state is read, from the last.
        normed: Whether the final layer norm follows.
        emphasis: What weights do; "ignore" where all are 1.
        zero: Whether it is zeros.
        inversions: Those that stand in the text, by name.
    """

    side: str
    chunks: tuple[tuple[Chunk, ...], ...]
    ids: tuple[tuple[tuple[int, ...], ...], ...]
    layer: int
    normed: bool
    emphasis: Emphasis
    zero: bool = False
    inversions: Mapping[str, Inversion] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """SHA-256 of what the states follow from: equal keys, equal states."""
        weighted = self.emphasis in ("original", "no_norm")
        content = {
            "side": self.side,
            "layer": self.layer,
            "normed": self.normed,
            "emphasis": self.emphasis,
            "zero": self.zero,
            "ids": self.ids,
            "weights": [[chunk.weights for chunk in chunks] for chunks in self.chunks] if weighted else None,
            "vectors": [
                [[(place, self.inversions[v.name].digest, v.index) for place, v in c.vectors] for c in chunks]
                for chunks in self.chunks
            ],
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class TextPlan:
    """What to encode for the prompt and for the negative one; equally long."""

    positive: TextJob
    negative: TextJob


def text_side(
    family: UNetFamily,
    models: Sequence[ClipText],
    tokenizers: Sequence[ClipTokens],
    digest: str,
    *,
    zero_negative: bool | None = None,
) -> TextSide:
    """The text encoders of a model.

    Args:
        family: The model's.
        models: One for each of `family.texts`.
        tokenizers: One for each.
        digest: Of their weights.
        zero_negative: See `TextSide`; left out, as the family has it.
    """
    encoders = tuple(
        TextEncoder(model, vocabulary_of(tokenizer, model.config.max_position_embeddings), part.slot)
        for model, tokenizer, part in zip(models, tokenizers, family.texts, strict=True)
    )
    return TextSide(
        encoders,
        digest,
        family.text_layer,
        family.text_norm,
        family.texts[-1].projection,
        family.empty_is_zeros if zero_negative is None else zero_negative,
    )


def vocabulary_of(tokens: ClipTokens, places: int = CHUNK + 2) -> PromptTokenizer:
    """A tokenizer as chunks need it, for an encoder of so many places."""
    return PromptTokenizer(tokens.ids, tokens.bos, tokens.eos, tokens.pad, min(places - 2, CHUNK))


def read(text: str, settings: TextSettings = TextSettings()) -> Prompt:
    """Read a prompt by the settings' grammar.

    Raises:
        RequestError: A prompt that can't be read.
    """
    if settings.plain:
        return literal(text)
    return parse(text, weighted=settings.emphasis != "none")


def plan_texts(
    side: TextSide,
    prompt: Prompt,
    negative: Prompt | None = None,
    settings: TextSettings = TextSettings(),
    inversions: Sequence[Inversion] = (),
) -> TextPlan:
    """Tokens, weights and layers of both texts; the shorter one is filled up with empty chunks. No network runs.

    Args:
        side: The model's encoders.
        prompt: What is to be painted.
        negative: What is not; None: nothing, as the model was trained for it.
        settings: How.
        inversions: Textual inversions that may stand in the texts.

    Raises:
        RequestError: clip_skip beyond the encoder's layers, a text of too many chunks, two textual inversions of one
            name.
        ModelError: A textual inversion for another kind of model stands in a text.
    """
    known = {inversion.name: inversion for inversion in inversions}
    taken: set[str] = set()
    for inversion in inversions:
        if inversion.name.lower() in taken:
            raise RequestError(f"two textual inversions have the name {inversion.name!r}; right would be one")
        taken.add(inversion.name.lower())
    positive = _job(side, prompt, settings, known, is_negative=False)
    zero = side.zero_negative and (negative is None or (negative.empty and not settings.plain))
    opposite = _job(side, negative or Prompt(), settings, known, is_negative=True, zero=zero)
    count = max(len(chunks) for job in (positive, opposite) for chunks in job.chunks)
    return TextPlan(_filled(side, positive, count), _filled(side, opposite, count))


def _job(
    side: TextSide,
    prompt: Prompt,
    settings: TextSettings,
    inversions: Mapping[str, Inversion],
    *,
    is_negative: bool,
    zero: bool = False,
) -> TextJob:
    counts = {name: inversion.count for name, inversion in inversions.items()}
    parted = [
        chunked(prompt, encoder.vocabulary, vectors=counts, backtrack=0 if settings.plain else BACKTRACK)
        for encoder in side.encoders
    ]
    count = 1 if settings.plain else max(map(len, parted))
    chunks = tuple(padded(part[:count], count) for part in parted)
    used = {vector.name for part in chunks for chunk in part for _, vector in chunk.vectors}
    for name in used:
        for encoder in side.encoders:
            vectors_for(inversions[name], encoder, side)
    weighted = any(token.weight != 1 for part in chunks for chunk in part for token in chunk.tokens)
    return TextJob(
        side=side.digest,
        chunks=chunks,
        ids=_ids(side, chunks),
        layer=_layer(side, settings, is_negative),
        normed=side.normed,
        emphasis=settings.emphasis if weighted else "ignore",
        zero=zero,
        inversions={name: inversions[name] for name in sorted(used)},
    )


def _filled(side: TextSide, job: TextJob, count: int) -> TextJob:
    """The job with empty chunks up to `count`."""
    chunks = tuple(padded(part, count) for part in job.chunks)
    return replace(job, chunks=chunks, ids=_ids(side, chunks))


def _ids(side: TextSide, chunks: tuple[tuple[Chunk, ...], ...]) -> tuple[tuple[tuple[int, ...], ...], ...]:
    return tuple(
        tuple(chunk.ids(encoder.vocabulary) for chunk in part)
        for encoder, part in zip(side.encoders, chunks, strict=True)
    )


def _layer(side: TextSide, settings: TextSettings, is_negative: bool) -> int:
    """Which hidden state is read, from the last."""
    wanted = None if settings.plain and is_negative else settings.clip_skip
    layer = max(side.layer, wanted or 1)
    most = min(encoder.layers for encoder in side.encoders)
    if not 1 <= layer <= most:
        raise RequestError(
            f"clip_skip is {settings.clip_skip}, but the text encoder has {most} layers; right would be at most {most}"
        )
    return layer


def vectors_for(inversion: Inversion, encoder: TextEncoder, side: TextSide) -> torch.Tensor:
    """The vectors of a textual inversion for one of the model's encoders."""
    fitting = inversion.vectors.get(encoder.slot) if len(inversion.vectors) == len(side.encoders) else None
    if fitting is None or fitting.shape[1] != encoder.width:
        widths = {slot or "clip": rows.shape[1] for slot, rows in inversion.vectors.items()}
        wanted = {e.slot or "clip": e.width for e in side.encoders}
        raise ModelError(
            f"the textual inversion {inversion.name!r} was made for another kind of model: its vectors are "
            f"{widths} wide, and this model takes {wanted}"
        )
    return fitting
