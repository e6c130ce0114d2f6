"""Both texts as chunks of tokens with weights, ready to be encoded. No network runs here."""

from __future__ import annotations

import hashlib
import itertools
import json
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from overpaint.errors import RequestError, concerning
from overpaint.prompt.chunks import BACKTRACK, Chunk, PromptTokenizer, chunked, padded
from overpaint.prompt.grammar import Prompt, listed, literal, parse
from overpaint.prompt.networks import Network, split_networks
from overpaint.prompt.schedule import PromptSchedule, prompt_schedule, schedules_in
from overpaint.request import Sampling

from .inversion import Inversion

if TYPE_CHECKING:
    from .text import ClipEncoders

Emphasis = Literal["original", "no_norm", "ignore", "none"]
"""The effect of weights: multiply and restore the mean; multiply; none; none, and brackets are characters."""


@dataclass(frozen=True, slots=True)
class TextSettings:
    """How texts are read and encoded.

    Attributes:
        clip_skip: The hidden state that is read, from the last: 1 is the last, 2 the one before it. SDXL was trained
            with 2, and takes 1 as 2. None: as the model was trained.
        emphasis: The effect of weights.
        plain: Whether a text is taken as it is written, up to one chunk, and `clip_skip` acts on the prompt alone.
        steps: The steps that schedules in a prompt divide.
        delay: Steps for which a text stays beyond the one at which its schedule ends it.
    """

    clip_skip: int | None = None
    emphasis: Emphasis = "original"
    plain: bool = False
    steps: int = 1
    delay: int = 0


@dataclass(frozen=True, eq=False)
class TextJob:
    """Everything that a text's states depend on.

    Attributes:
        encoders: Digest of the encoders.
        chunks: For each encoder, equally many.
        ids: For each encoder and chunk, the ids of its tokens (77 for CLIP).
        layer: The hidden state that is read, from the last.
        normed: Whether the final layer norm follows.
        emphasis: The effect of weights; "ignore" where all are 1.
        zero: Whether its states are zeros.
        inversions: Textual inversions in the text, by name.
    """

    encoders: str
    chunks: tuple[tuple[Chunk, ...], ...]
    ids: tuple[tuple[tuple[int, ...], ...], ...]
    layer: int
    normed: bool
    emphasis: Emphasis
    zero: bool = False
    inversions: Mapping[str, Inversion] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """SHA-256 of everything that the states depend on: equal keys mean equal states."""
        weighted = self.emphasis in ("original", "no_norm")
        content = {
            "side": self.encoders,
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


TEXTS = ("prompt", "negative_prompt")
"""The fields of the two texts, in the order in which they are given everywhere."""

REGIONAL = "regional_prompts"
"""The field of the texts of regions."""


def read(text: str, settings: TextSettings = TextSettings(), field: str = TEXTS[0]) -> Prompt:
    """Read one text, which has no schedule, by the settings' grammar; `field` is the request's that has it.

    Raises:
        RequestError: A prompt that can't be read.
    """
    if not settings.plain:
        with concerning(field):
            return parse(text, weighted=settings.emphasis != "none")
    networks: tuple[Network, ...] = ()
    with suppress(RequestError):  # no tag then, but text like all the rest
        _, networks = split_networks(text)
    syntax = [f"<{one.kind}:{one.name}:...>" for one in networks]
    syntax += schedules_in(text)
    with concerning(field):
        return replace(literal(text), notes=(f"encoded as plain words: {listed(syntax)}",) if syntax else ())


def read_schedule(
    text: str, settings: TextSettings, field: str = TEXTS[0], *, negative: bool = False
) -> PromptSchedule:
    """Read a prompt over the settings' steps; `field` is the request's that has it. AND joins in no negative prompt.

    Raises:
        RequestError: A prompt that can't be read.
    """
    if settings.plain or settings.emphasis == "none":
        return PromptSchedule.of(read(text, settings, field))
    with concerning(field):
        return prompt_schedule(text, settings.steps, conjunctions=not negative)


@dataclass(frozen=True, slots=True)
class CanvasTexts:
    """Every text of a canvas over the steps.

    Attributes:
        prompts: The prompt, and then those of regions.
        negatives: The negative prompt of each; None where none was given. A region without one of its own has the
            first.
    """

    prompts: tuple[PromptSchedule, ...]
    negatives: tuple[PromptSchedule | None, ...]

    @classmethod
    def read(cls, sampling: Sampling, settings: TextSettings) -> CanvasTexts:
        """Read the texts of a request.

        Raises:
            RequestError: A text that can't be read.
        """
        opposite = sampling.negative_prompt
        negative = None if opposite is None else read_schedule(opposite, settings, TEXTS[1], negative=True)
        prompts, negatives = [read_schedule(sampling.prompt, settings)], [negative]
        for one in sampling.regional_prompts:
            prompts.append(read_schedule(one.prompt, settings, REGIONAL))
            own = one.negative_prompt
            negatives.append(negative if own is None else read_schedule(own, settings, REGIONAL, negative=True))
        return cls(tuple(prompts), tuple(negatives))

    @property
    def changes(self) -> tuple[int, ...]:
        """The steps from which on a text is another one; the first is 0."""
        given = (one for one in (*self.prompts, *self.negatives) if one is not None)
        return tuple(sorted({step for one in given for step, _ in one.entries}))

    @property
    def networks(self) -> tuple[Network, ...]:
        """The networks that the tags of all prompts name; a tag of the prompt that a region repeats counts once."""
        found = [*self.prompts[0].networks]
        for one in self.prompts[1:]:
            found += [network for network in one.networks if network not in found]
        return tuple(found)

    @property
    def forbidden(self) -> tuple[Network, ...]:
        """The networks that tags of negative prompts name."""
        return tuple(network for one in self.negatives if one is not None for network in one.networks)

    @property
    def texts(self) -> tuple[tuple[Prompt, ...], tuple[Prompt, ...]]:
        """All different texts of the prompts, and of the negative prompts."""
        negatives = (one or PromptSchedule() for one in self.negatives)
        return tuple(
            tuple(dict.fromkeys(text for one in side for text in one.prompts)) for side in (self.prompts, negatives)
        )  # type: ignore[return-value]

    @property
    def named(self) -> dict[str, PromptSchedule]:
        """Each text that was given by its name for people."""
        found = {"prompt": self.prompts[0]}
        if self.negatives[0] is not None:
            found["negative prompt"] = self.negatives[0]
        for number, (prompt, negative) in enumerate(zip(self.prompts[1:], self.negatives[1:], strict=True), start=1):
            found[f"regional prompt {number}"] = prompt
            if negative is not None and negative is not self.negatives[0]:
                found[f"negative prompt of regional prompt {number}"] = negative
        return found

    @property
    def notes(self) -> tuple[str, ...]:
        """Parts of the texts that were not used, and tags that reach beyond their region, for people."""
        unused = tuple(f"{name}: {note}" for name, text in self.named.items() for note in text.notes)
        return unused + tuple(
            f"regional prompt {number}: the networks that its tags name act on the whole picture"
            for number, one in enumerate(self.prompts[1:], start=1)
            if one.networks
        )


def plan_texts(
    encoders: ClipEncoders,
    prompt: Prompt,
    negative: Prompt | None = None,
    settings: TextSettings = TextSettings(),
    inversions: Sequence[Inversion] = (),
) -> tuple[TextJob, TextJob]:
    """See `families.TextEncoding.plan`. The shorter text is filled up with empty chunks.

    Raises:
        RequestError: clip_skip beyond the encoder's layers, a text of too many chunks, two textual inversions of one
            name.
        ModelError: A textual inversion in a text was made for another kind of model.
    """
    known = {inversion.name: inversion for inversion in inversions}
    taken: set[str] = set()
    for inversion in inversions:
        if inversion.name.lower() in taken:
            message = f"two textual inversions have the name {inversion.name!r}; right would be one"
            raise RequestError(message, field=TEXTS[0], value=inversion.name)
        taken.add(inversion.name.lower())
    texts = prompt, negative or Prompt()
    parted = _parted_texts(texts, [one.tokenizer for one in encoders.parts], inversions, settings)
    most = max(len(part) for parts in parted for part in parts)
    chunks, opposite = (tuple(padded(part, most) for part in parts) for parts in parted)
    zero = encoders.zero_negative and (negative is None or (negative.empty and not settings.plain))
    return (
        _job(encoders, chunks, settings, known, is_negative=False),
        _job(encoders, opposite, settings, known, is_negative=True, zero=zero),
    )


def unread_words(
    text: Prompt, tokenizers: Sequence[PromptTokenizer], inversions: Sequence[Inversion], settings: TextSettings
) -> str:
    """A note that names the words of a text beyond the part that is read, for people; "" where all are read.

    A word that is read in part counts as not read. The arguments are those of `unread`, for one text.
    """
    words = [word for section in text.sections for span in section for word in span.text.split()]

    def is_cut(count: int) -> bool:
        """Whether the first words, so many, are more than is read."""
        first = literal(" ".join(words[:count]))
        return any(len(chunks) > 1 for chunks in _chunks(first, tokenizers, inversions, settings))

    if not settings.plain or not is_cut(len(words)):
        return ""
    read = bisect_left(range(len(words)), True, key=lambda index: is_cut(index + 1))
    return f"{len(words) - read} of its {len(words)} words were not read, from {words[read][:40]!r} on"


def unread(
    texts: Sequence[Prompt],
    tokenizers: Sequence[PromptTokenizer],
    inversions: Sequence[Inversion],
    settings: TextSettings,
) -> list[str]:
    """Names of textual inversions that the texts hold, but only beyond what is read of them.

    Args:
        texts: Prompt and negative prompt.
        tokenizers: Of the model's text encoders.
        inversions: Those whose names occur in the texts.
        settings: How the texts are read.
    """
    if not settings.plain:
        return []
    read = _vector_names(itertools.chain.from_iterable(_parted_texts(texts, tokenizers, inversions, settings)))
    return [inversion.name for inversion in inversions if inversion.name not in read]


def _parted_texts(
    texts: Sequence[Prompt],
    tokenizers: Sequence[PromptTokenizer],
    inversions: Sequence[Inversion],
    settings: TextSettings,
) -> list[list[tuple[Chunk, ...]]]:
    """The chunks of both texts that are read, for each encoder."""
    most = 1 if settings.plain else None
    found = []
    for number, text in enumerate(texts):
        with concerning(TEXTS[min(number, 1)]):
            found.append([chunks[:most] for chunks in _chunks(text, tokenizers, inversions, settings)])
    return found


def _chunks(
    text: Prompt, tokenizers: Sequence[PromptTokenizer], inversions: Sequence[Inversion], settings: TextSettings
) -> list[tuple[Chunk, ...]]:
    """All chunks of a text, for each encoder."""
    counts = {inversion.name: inversion.count for inversion in inversions}
    backtrack = 0 if settings.plain else BACKTRACK
    return [chunked(text, one, vectors=counts, backtrack=backtrack) for one in tokenizers]


def _vector_names(parts: Iterable[tuple[Chunk, ...]]) -> set[str]:
    return {vector.name for part in parts for chunk in part for _, vector in chunk.vectors}


def _job(
    encoders: ClipEncoders,
    chunks: tuple[tuple[Chunk, ...], ...],
    settings: TextSettings,
    inversions: Mapping[str, Inversion],
    *,
    is_negative: bool,
    zero: bool = False,
) -> TextJob:
    used = _vector_names(chunks)
    with concerning(TEXTS[is_negative]):
        for name in used:
            for encoder in encoders.parts:
                encoders.vectors_of(inversions[name], encoder)
    weighted = any(token.weight != 1 for part in chunks for chunk in part for token in chunk.tokens)
    return TextJob(
        encoders=encoders.digest,
        chunks=chunks,
        ids=tuple(
            tuple(chunk.ids(encoder.tokenizer) for chunk in part)
            for encoder, part in zip(encoders.parts, chunks, strict=True)
        ),
        layer=_layer(encoders, settings, is_negative),
        normed=encoders.family.text_norm,
        emphasis=settings.emphasis if weighted else "ignore",
        zero=zero,
        inversions={name: inversions[name] for name in sorted(used)},
    )


def _layer(encoders: ClipEncoders, settings: TextSettings, is_negative: bool) -> int:
    """The hidden state that is read, from the last."""
    wanted = None if settings.plain and is_negative else settings.clip_skip
    layer = max(encoders.family.text_layer, wanted or 1)
    most = min(encoder.model.config.num_hidden_layers for encoder in encoders.parts)
    if not 1 <= layer <= most:
        raise RequestError(
            f"{{field}} is {settings.clip_skip}, but the text encoder has {most} layers",
            field="clip_skip",
            value=settings.clip_skip,
            hint=f"right would be at most {most}",
        )
    return layer
