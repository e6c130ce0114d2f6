"""Which files of weights a result is made with: the checkpoint, another VAE, and what the prompt names."""

from __future__ import annotations

from collections.abc import Iterator

from overpaint.models import Entry, ModelError, ModelRef, digest, entries, family_title, find_part
from overpaint.prompt import Network
from overpaint.request import ModelRole, UsedModel

from .text_plan import TextSettings, read

UNKNOWN = "unknown"
"""A licence that nobody says."""


def used_models(ref: ModelRef, prompt: str, negative: str, text: TextSettings) -> tuple[UsedModel, ...]:
    """The files by role, each once. What is not here, or is for another family, is told before anything is loaded.

    Args:
        ref: The checkpoint.
        prompt: With its tags.
        negative: What is not to be painted.
        text: How the two are read.

    Raises:
        RequestError: A prompt that can't be read.
        ModelError: A LoRA that is not here, is none, or was made for another family.
    """
    found = [UsedModel(role="checkpoint", name=ref.name, sha256=digest(ref.path), licence=ref.licence or UNKNOWN)]
    if ref.vae is not None:
        licence = ref.vae_licence or UNKNOWN
        found.append(UsedModel(role="vae", name=ref.vae_name, sha256=digest(ref.vae), licence=licence))
    networks = read(prompt, text).networks
    found += [_used("lora", lora_of(one, ref)) for one in networks if one.kind == "lora"]
    found += [_used("embedding", one) for one in _words(f"{prompt}\n{negative}", ref)]
    return tuple(dict.fromkeys(found))


def _used(role: ModelRole, entry: Entry) -> UsedModel:
    return UsedModel(role=role, name=entry.name, sha256=digest(entry.path), licence=entry.licence or UNKNOWN)


def lora_of(network: Network, ref: ModelRef) -> Entry:
    """The LoRA of a tag. Raises ModelError when it is not here, is none, or was made for another family."""
    try:
        entry = find_part(network.name, "lora")
    except ModelError as error:
        raise ModelError(f"<lora:{network.name}> in the prompt: {error}") from error
    assert entry.kind is not None
    made, here = entry.kind.family, ref.kind.family
    if made is not None and here is not None and made != here:
        raise ModelError(
            f"the LoRA {entry.name!r} was made for {family_title(made)}, and {ref.name} is {family_title(here)}"
        )
    return entry


def _words(text: str, ref: ModelRef) -> Iterator[Entry]:
    """Textual inversions of the store that may stand for a word of the text, and are not for another family."""
    lower = text.lower()
    if not lower.strip():
        return
    for entry in entries():
        kind = entry.kind
        if kind is None or kind.what != "embedding" or kind.family not in (None, ref.kind.family):
            continue
        if entry.name.lower() in lower:
            yield entry
