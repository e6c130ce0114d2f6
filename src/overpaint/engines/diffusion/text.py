"""From a prompt to a network's conditioning: CLIP's hidden states, with the weights of the prompt.

    prompt = read(text, settings)                    the grammar, or plain text
    positive, negative = encoders.plan(prompt, ...)  tokens in chunks, equally many for both texts
    encoders.encode(positive)                        runs the network; may be cached under positive.key

A chunk is encoded by itself, so that its states do not depend on other chunks. Its weights multiply the last states;
with the emphasis "original" the mean of the chunk is then restored. (AUTOMATIC1111 restores it over the chunks of all
pictures in a batch, so that a picture depends on its neighbours there.)

A textual inversion replaces the embeddings of its tokens while its chunk is encoded, and at no other time.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from overpaint.models import ModelError
from overpaint.prompt.chunks import PromptTokenizer

from .clip import ClipText
from .inversion import UNNAMED, Inversion
from .text_plan import Emphasis, TextJob, plan_texts
from .values import Conditioning

if TYPE_CHECKING:
    from .families.unet import UNetFamily


@dataclass(frozen=True, eq=False)
class ClipEncoder:
    """One text encoder and its tokenizer.

    Attributes:
        model: With its weights.
        tokenizer: As chunks need it.
        slot: Name of its vectors in a textual inversion for several encoders: "clip_l", "clip_g".
    """

    model: ClipText
    tokenizer: PromptTokenizer
    slot: str = UNNAMED

    @property
    def width(self) -> int:
        """Size of a token's state."""
        return self.model.config.hidden_size


@dataclass(frozen=True, eq=False)
class ClipEncoders:
    """The text encoders of a model (`families.TextEncoding`).

    Attributes:
        family: The model's.
        parts: One or several; their states are joined.
        digest: Of their weights, LoRAs included.
        zero_negative: Whether an empty negative prompt is zeros instead of an encoded empty text, as SDXL was trained
            (`force_zeros_for_empty_prompt`).
    """

    family: UNetFamily
    parts: tuple[ClipEncoder, ...]
    digest: str
    zero_negative: bool = False
    plan = plan_texts
    """See `plan_texts`, whose first argument is this."""

    @classmethod
    def of(
        cls,
        family: UNetFamily,
        models: Sequence[ClipText],
        tokenizers: Sequence[PromptTokenizer],
        digest: str,
        *,
        zero_negative: bool = False,
    ) -> ClipEncoders:
        """The text encoders of a model, with a tokenizer each, one for each of `family.texts`."""
        parts = tuple(map(ClipEncoder, models, tokenizers, (text.slot for text in family.texts)))
        return cls(family, parts, digest, zero_negative)

    @property
    def pooled(self) -> bool:
        """Whether the last encoder's projected state is used as well."""
        return self.family.texts[-1].projection

    def encode(self, job: TextJob) -> Conditioning:
        """Run the text encoders.

        Args:
            job: Planned for these encoders.

        Returns:
            context (1, 77 n, D) for n chunks, in the encoder's type and on its device; pooled (1, P) for SDXL.
        """
        if job.encoders != self.digest:
            raise ValueError("the text was planned for other encoders")
        if job.zero:
            return self._zeros(len(job.chunks[0]))
        joined, pooled = [], None
        with torch.no_grad():
            for encoder, chunks, ids in zip(self.parts, job.chunks, job.ids, strict=True):
                vectors = {name: self.vectors_of(inversion, encoder) for name, inversion in job.inversions.items()}
                parts = []
                for number, (chunk, row) in enumerate(zip(chunks, ids, strict=True)):
                    rows = {place: vectors[vector.name][vector.index] for place, vector in chunk.vectors}
                    states, embeds = _states(encoder.model, row, rows, job.layer, job.normed)
                    parts.append(emphasised(states, chunk.weights, job.emphasis))
                    if number == 0 and encoder is self.parts[-1]:
                        pooled = embeds
                joined.append(torch.cat(parts, dim=1))
            context = torch.cat(joined, dim=-1)
        return self._conditioning(context, pooled)

    def vectors_of(self, inversion: Inversion, encoder: ClipEncoder) -> torch.Tensor:
        """The vectors of a textual inversion for one of the encoders.

        Raises:
            ModelError: The inversion was made for another kind of model.
        """
        fitting = inversion.vectors.get(encoder.slot) if len(inversion.vectors) == len(self.parts) else None
        if fitting is None or fitting.shape[1] != encoder.width:
            widths = {slot or "clip": rows.shape[1] for slot, rows in inversion.vectors.items()}
            wanted = {one.slot or "clip": one.width for one in self.parts}
            raise ModelError(
                f"the textual inversion {inversion.name!r} was made for another kind of model: its vectors are "
                f"{widths} wide, and this model takes {wanted}"
            )
        return fitting

    def widened(self) -> ClipEncoders | None:
        """Copies in single precision; None where they are in it already."""
        if all(one.model.dtype == torch.float32 for one in self.parts):
            return None
        return replace(self, parts=tuple(replace(one, model=copy.deepcopy(one.model).float()) for one in self.parts))

    def _zeros(self, chunks: int) -> Conditioning:
        """SDXL's conditioning on an empty negative prompt."""
        last = self.parts[-1]
        shape = (1, chunks * (last.tokenizer.room + 2), sum(one.width for one in self.parts))
        context = torch.zeros(shape, dtype=last.model.dtype, device=last.model.device)
        return self._conditioning(context, context.new_zeros((1, last.model.config.projection_dim)))

    def _conditioning(self, context: torch.Tensor, pooled: torch.Tensor | None) -> Conditioning:
        states = Conditioning({"context": context})
        return states.joined({"pooled": pooled}) if self.pooled and pooled is not None else states


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


def _states(
    model: ClipText, ids: Sequence[int], rows: Mapping[int, torch.Tensor], layer: int, normed: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """A hidden state (1, 77, D) of one chunk, and the projected state (1, P) of an encoder that has it.

    `rows` has the vectors of textual inversions by place.
    """
    found = model(torch.tensor([list(ids)], dtype=torch.long, device=model.device), rows)
    if normed and layer == 1:
        states = found.last_hidden_state
    else:
        states = found.hidden_states[-layer]
        if normed:
            states = model.final_layer_norm(states)
    return states, found.text_embeds
