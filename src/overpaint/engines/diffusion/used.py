"""The files of weights that a result depends on: checkpoint, base, VAE, and those that the prompts name."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from overpaint.errors import RequestError, concerning
from overpaint.models import (
    ModelEntry,
    ModelError,
    ModelRef,
    digest,
    entries,
    family_of,
    family_title,
    find_lora,
    with_accepted,
)
from overpaint.prompt import Network, Prompt
from overpaint.prompt.chunks import names_in, occurs, words_of
from overpaint.request import ModelRole, Sampling, UsedModel

from .inversion import Inversion, load_inversion
from .text_plan import TEXTS, CanvasTexts, TextSettings, unread

UNKNOWN = "unknown"
"""The licence of a file that does not name one."""


def digest_of(ref: ModelRef) -> str:
    """SHA-256 of everything that a model's results depend on: its files, and how they are read."""
    kind = ref.kind
    decides: list[Any] = [digest(ref.path), kind.prediction, kind.lcm, ref.variant]
    decides += [None if one is None else digest(one) for one in (ref.vae, ref.config)]
    decides += [digest(one) for one in ref.further_files if one not in (ref.vae, ref.config)]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()


def used_models(ref: ModelRef, sampling: Sampling, text: TextSettings) -> tuple[UsedModel, ...]:
    """The files by role, each once. Missing or unsuitable ones are errors before any weight is loaded.

    Args:
        ref: The checkpoint.
        sampling: Has the texts, with their tags.
        text: How they are read.

    Raises:
        RequestError: A prompt that can't be read, or tags that can't be used.
        ModelError: A LoRA that is missing, of another kind, or for another family.
    """
    found: list[tuple[ModelRole, str, Path, str, str]] = [
        ("checkpoint", one.name, one.path, one.licence, one.accepted) for one in (ref, ref.base) if one is not None
    ]
    if ref.vae is not None:
        found.append(("vae", ref.vae_name, ref.vae, ref.vae_licence, ref.vae_accepted))
    given = CanvasTexts.read(sampling, text)
    found += [("lora", one.name, one.path, one.licence, one.accepted) for one in loras_of(given, ref)]
    texts = given.texts
    embeddings, _ = embeddings_of(texts, ref)
    if text.plain and embeddings:
        inversions = inversions_of(embeddings, texts, ref)
        beyond = unread([*texts[0], *texts[1]], family_of(ref.kind.family or "").tokenizers(ref), inversions, text)
        embeddings = [one for one in embeddings if one.name not in beyond]
    found += [("embedding", one.name, one.path, one.licence, one.accepted) for one in embeddings]
    return tuple(
        UsedModel(role=role, name=name, sha256=digest(path), licence=licence or UNKNOWN, accepted=accepted or None)
        for role, name, path, licence, accepted in dict.fromkeys(found)
    )


def used_control(ref: ModelRef) -> UsedModel:
    """A network that reads controls as records name it: a ControlNet, an IP-Adapter, or its picture encoder."""
    licence, accepted = ref.licence or UNKNOWN, ref.accepted or None
    role = cast(ModelRole, ref.kind.what)
    return UsedModel(role=role, name=ref.name, sha256=digest(ref.path), licence=licence, accepted=accepted)


def loras_of(texts: CanvasTexts, ref: ModelRef) -> list[ModelEntry]:
    """The LoRAs of the prompts' tags, one for each tag.

    Raises:
        RequestError: A tag in the negative prompt, or one of a hypernetwork.
        ModelError: A LoRA that is missing, of another kind, or for another family.
    """
    for one in texts.forbidden:
        raise RequestError(
            f"<{one.kind}:...> belongs in the prompt, not in the negative prompt",
            field="negative_prompt",
            value=one.name,
        )
    for one in texts.networks:
        if one.kind == "hypernet":
            raise RequestError(
                f"<hypernet:{one.name}> in the prompt: hypernetworks can't be used, LoRAs can",
                field="prompt",
                value=one.name,
            )
    with concerning(TEXTS[0]):
        return [_lora_of(one, ref) for one in texts.networks]


def _lora_of(network: Network, ref: ModelRef) -> ModelEntry:
    """The LoRA of a tag. Raises ModelError when it is missing, of another kind, or for another family."""
    try:
        entry = find_lora(network.name, allow_pickle=ref.allow_pickle)
    except ModelError as error:
        raise error.within(f"<{network.kind}:{network.name}> in the prompt") from error
    assert entry.kind is not None
    made, here = entry.kind.family, ref.kind.family
    if made is not None and here is not None and made != here:
        raise ModelError(
            f"the LoRA {entry.name!r} was made for {family_title(made)}, and {ref.name} is {family_title(here)}"
        )
    return entry


def embeddings_of(texts: Sequence[Sequence[Prompt]], ref: ModelRef) -> tuple[list[ModelEntry], list[str]]:
    """Textual inversions on this machine whose names occur in parsed texts as words of their own.

    Args:
        texts: The texts that the prompt has over the steps, and the negative prompt's.
        ref: The checkpoint.

    Returns:
        Those that this model takes, and a note for each other one, whose name stays text.
    """
    taken: list[ModelEntry] = []
    notes: list[str] = []
    text = words_of(itertools.chain.from_iterable(texts))
    if not text.strip():
        return taken, notes
    assert ref.kind.family is not None
    wanted = family_of(ref.kind.family).embedding_widths(ref)
    for entry in entries(lambda name: occurs(name, text)):
        kind = entry.kind
        if kind is None:
            notes.append(f"the model {entry.name!r}, which the prompt names, can't be read; its name stays text")
        elif kind.what != "embedding":
            continue
        elif kind.vectors != wanted:
            notes.append(
                f"the textual inversion {entry.name!r} was made for another kind of model; its name stays text"
            )
        elif kind.form == "pickle" and not ref.allow_pickle:
            notes.append(
                f"the textual inversion {entry.name!r} is a pickle; its name stays text, unless the setting "
                "allow_pickle lets it be read"
            )
        else:
            try:
                taken.append(with_accepted(entry))
            except ModelError as error:
                notes.append(f"the textual inversion {entry.name!r}: its name stays text, as {error}")
    used = names_in(text, [one.name for one in taken])  # "foo" has no place in "foo-bar" where that is taken
    return [one for one in taken if one.name in used], notes


def inversions_of(
    embeddings: Sequence[ModelEntry], texts: Sequence[Sequence[Prompt]], ref: ModelRef
) -> tuple[Inversion, ...]:
    """The words and vectors of textual inversions, read from their files. Texts are those of `embeddings_of`.

    Raises:
        ModelError: A file can't be read as one; its field is that of the text that has the word.
    """
    found = []
    for one in embeddings:
        with concerning(TEXTS[0] if occurs(one.name, words_of(texts[0])) else TEXTS[1]):
            found.append(load_inversion(one.path, one.name, allow_pickle=ref.allow_pickle))
    return tuple(found)
