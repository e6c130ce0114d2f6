"""From words to what a network is conditioned on: CLIP's hidden states, with the weights of a prompt.

    prompt = read(text, settings)                   the grammar, or plain text in the dialect of diffusers
    plan = plan_texts(side, prompt, negative, ...)  tokens in chunks; both texts have equally many; pure
    encode(side, plan.positive)                     the network; the result may be kept under plan.positive.key

A chunk is encoded by itself, so that its states never depend on its neighbours. Its weights multiply the last states;
with the emphasis "original" the mean of the chunk is then restored. (Upstream restores it over the chunks of all
pictures in a batch, so that there a picture depends on its neighbours.)

A textual inversion is put in place of its tokens' embeddings while its chunk is encoded, and nowhere else.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

from overpaint.geometry import Size
from overpaint.prompt import Prompt

from .clip import ClipText
from .inversion import Inversion, load_inversion
from .text_plan import (
    Emphasis,
    TextEncoder,
    TextJob,
    TextPlan,
    TextSettings,
    TextSide,
    plan_texts,
    read,
    text_side,
    vectors_for,
    vocabulary_of,
)
from .values import Conditioning

__all__ = [
    "ClipTexts",
    "Emphasis",
    "Inversion",
    "TextEncoder",
    "TextJob",
    "TextPlan",
    "TextSettings",
    "TextSide",
    "emphasised",
    "encode",
    "load_inversion",
    "plan_texts",
    "read",
    "text_side",
    "time_ids_of",
    "vocabulary_of",
]


@dataclass(frozen=True, eq=False)
class ClipTexts:
    """CLIP's encoders as the diffusion engine asks them (`families.TextEncoding`)."""

    side: TextSide

    def plan(
        self, prompt: Prompt, negative: Prompt | None, settings: TextSettings, inversions: Sequence[Inversion]
    ) -> TextPlan:
        """See `plan_texts`."""
        return plan_texts(self.side, prompt, negative, settings, inversions)

    def encode(self, job: TextJob) -> Conditioning:
        """See `encode`."""
        return encode(self.side, job)

    def widened(self) -> ClipTexts | None:
        """Copies in single precision."""
        if all(encoder.model.dtype == torch.float32 for encoder in self.side.encoders):
            return None
        wide = (replace(one, model=copy.deepcopy(one.model).float()) for one in self.side.encoders)
        return ClipTexts(replace(self.side, encoders=tuple(wide)))


def encode(side: TextSide, job: TextJob) -> Conditioning:
    """Run the text encoders.

    Args:
        side: Those that the job was made for.
        job: What to encode.

    Returns:
        context (1, 77 n, D) for n chunks, in the encoder's type and on its device; pooled (1, P) for SDXL.
    """
    if job.side != side.digest:
        raise ValueError("the text was planned for other encoders")
    if job.zero:
        return _zeros(side, len(job.chunks[0]))
    joined, pooled = [], None
    with torch.no_grad():
        for encoder, chunks, ids in zip(side.encoders, job.chunks, job.ids, strict=True):
            vectors = {name: vectors_for(inversion, encoder, side) for name, inversion in job.inversions.items()}
            parts = []
            for number, (chunk, row) in enumerate(zip(chunks, ids, strict=True)):
                rows = {place: vectors[vector.name][vector.index] for place, vector in chunk.vectors}
                states, embeds = _states(encoder.model, row, rows, job.layer, job.normed)
                parts.append(emphasised(states, chunk.weights, job.emphasis))
                if number == 0 and encoder is side.encoders[-1]:
                    pooled = embeds
            joined.append(torch.cat(parts, dim=1))
        context = torch.cat(joined, dim=-1)
    return Conditioning(context, pooled if side.pooled else None)


def emphasised(states: torch.Tensor, weights: Sequence[float], emphasis: Emphasis) -> torch.Tensor:
    """States (1, T, D) times their T weights; with "original" the mean over T and D is then restored."""
    if emphasis not in ("original", "no_norm") or all(weight == 1 for weight in weights):
        return states
    wide = states.float()
    weighted = wide * torch.tensor(weights, dtype=torch.float32, device=states.device)[None, :, None]
    if emphasis == "original":
        ratio = wide.mean() / weighted.mean()
        if torch.isfinite(ratio):
            weighted = weighted * ratio
    return weighted.to(states.dtype)


def time_ids_of(original: Size, target: Size, crop: tuple[int, int] = (0, 0)) -> torch.Tensor:
    """SDXL's micro-conditioning (Podell et al. 2023, arXiv 2307.01952, 2.2).

    Args:
        original: Size of the picture that it should look like a copy of.
        target: Size that is painted.
        crop: Left and top of the part that is painted.

    Returns:
        (1, 6) float32: original height and width, crop top and left, target height and width.
    """
    left, top = crop
    sizes = [original.height, original.width, top, left, target.height, target.width]
    return torch.tensor([sizes], dtype=torch.float32)


def _zeros(side: TextSide, chunks: int) -> Conditioning:
    """What a negative prompt that says nothing is for SDXL."""
    last = side.encoders[-1].model
    width = sum(encoder.width for encoder in side.encoders)
    places = side.encoders[-1].vocabulary.room + 2
    context = torch.zeros((1, chunks * places, width), dtype=last.dtype, device=last.device)
    return Conditioning(context, context.new_zeros((1, last.config.projection_dim)) if side.pooled else None)


def _states(
    model: ClipText, ids: Sequence[int], rows: Mapping[int, torch.Tensor], layer: int, normed: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """A hidden state (1, 77, D) of one chunk, and the projected state (1, P) of an encoder that has it."""
    row = torch.tensor([list(ids)], dtype=torch.long, device=model.device)
    with _in_place(model, row, rows):
        found = model(row)
    if normed and layer == 1:
        states = found.last_hidden_state
    else:
        states = found.hidden_states[-layer]
        if normed:
            states = model.final_layer_norm(states)
    return states, found.text_embeds


@contextmanager
def _in_place(model: ClipText, row: torch.Tensor, rows: Mapping[int, torch.Tensor]) -> Iterator[None]:
    """For one call, give the places of `rows` these embeddings. The table stays, and so do other threads' calls."""
    if not rows:
        yield
        return

    def put(_: Any, given: tuple[torch.Tensor, ...], embeddings: torch.Tensor) -> torch.Tensor | None:
        if given[0].data_ptr() != row.data_ptr():
            return None
        changed = embeddings.clone()
        for place, vector in rows.items():
            changed[0, place] = vector.to(changed)
        return changed

    handle = model.embeddings.token_embedding.register_forward_hook(put)
    try:
        yield
    finally:
        handle.remove()
