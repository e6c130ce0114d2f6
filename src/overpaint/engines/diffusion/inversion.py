"""Textual inversions: learnt vectors in place of a word of a prompt (Gal et al. 2022, arXiv 2208.01618).

They are values of their own: tokenizer and text encoder stay as they are (see `text`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from overpaint.models import ModelError
from overpaint.prompt.chunks import CHUNK

from .weights import read_tensors

UNNAMED = ""
"""The slot of vectors in a file that names no encoder: models with one encoder take them."""


@dataclass(frozen=True, eq=False)
class Inversion:
    """A word and its vectors.

    Attributes:
        name: The word in prompts.
        vectors: (n, width) float32 for each encoder, by slot: "clip_l" and "clip_g" for SDXL, else one without a name.
            n is the same for all.
    """

    name: str
    vectors: Mapping[str, torch.Tensor]

    def __post_init__(self) -> None:
        counts = {len(rows) for rows in self.vectors.values()}
        if not self.name.strip():
            raise ModelError(f"{self.name!r} can't be the name of a textual inversion: it is no word")
        if len(counts) != 1 or not 1 <= self.count <= CHUNK:
            raise ModelError(
                f"the textual inversion {self.name!r} has {sorted(counts)} vectors for its encoders; "
                f"right would be one number from 1 to {CHUNK}"
            )
        for slot, rows in self.vectors.items():
            if rows.ndim != 2 or not torch.isfinite(rows).all():
                raise ModelError(
                    f"the textual inversion {self.name!r} has {tuple(rows.shape)} numbers for {slot or 'its encoder'}, "
                    "or numbers that are not finite; right would be (number, width) finite ones"
                )

    @property
    def count(self) -> int:
        """The number of its vectors: it takes as many places of a chunk."""
        return len(next(iter(self.vectors.values())))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of slots, shapes and numbers; not of the name."""
        whole = hashlib.sha256()
        for slot in sorted(self.vectors):
            rows = self.vectors[slot].detach().to("cpu", torch.float32).contiguous()
            whole.update(f"{slot} {tuple(rows.shape)}\n".encode())
            whole.update(rows.numpy().tobytes())
        return whole.hexdigest()


def load_inversion(path: str | Path, name: str | None = None, *, allow_pickle: bool = False) -> Inversion:
    """Read a textual inversion from a file.

    Understood: `emb_params` (kohya), `clip_l` and `clip_g` (SDXL), one vector under its word (diffusers), and
    AUTOMATIC1111's dictionary with `string_to_param`; in a .safetensors file, or in a pickle (.pt, .bin), from which
    nothing but numbers is loaded.

    Args:
        path: The file.
        name: The word; left out, the file's stem, or the word that a diffusers file has.
        allow_pickle: Whether a pickle may be read at all.

    Raises:
        ModelError: Not such a file, damaged, or a pickle that was not allowed.
    """
    path = Path(path)
    held = read_tensors(path, allow_pickle=allow_pickle)
    plain = [one for key, one in held.items() if key == "emb_params" or key.startswith("string_to_param.")]
    word = None
    if "clip_l" in held and "clip_g" in held:
        vectors = {slot: held[slot] for slot in ("clip_l", "clip_g")}
    elif len(plain) == 1:
        vectors = {UNNAMED: plain[0]}
    elif len(held) == 1:
        ((word, vector),) = held.items()
        vectors = {UNNAMED: vector}
    else:
        raise ModelError(
            f"{path.name} is not a textual inversion: it holds {', '.join(sorted(held)[:6]) or 'nothing'}; "
            "right would be emb_params, clip_l and clip_g, string_to_param, or one vector under its word"
        )
    return Inversion(name or word or path.stem, {slot: _rows(one, path) for slot, one in vectors.items()})


def _rows(value: torch.Tensor, path: Path) -> torch.Tensor:
    """(n, width) float32 of a vector or of several."""
    if not value.is_floating_point() or value.ndim not in (1, 2):
        raise ModelError(
            f"{path.name} holds {value.dtype} {tuple(value.shape)} where a textual inversion has (number, width) floats"
        )
    rows = value.detach().to("cpu", torch.float32)
    return rows.reshape(-1, rows.shape[-1]).clone()
