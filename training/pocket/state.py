"""Paths of the files of all stages, in one folder outside the repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class State:
    """The folder; each stage has its own files."""

    root: Path

    @property
    def photos(self) -> Path:
        """Prepared photos and objects."""
        return self.root / "photos"

    @property
    def tokenizer(self) -> Path:
        """vocab.json and merges.txt."""
        return self.root / "tokenizer"

    @property
    def backbone(self) -> Path:
        """The converted network of the perceptual loss."""
        return self.root / "backbone.safetensors"

    @property
    def sheets(self) -> Path:
        """Sample sheets drawn in training."""
        return self.root / "sheets"

    @property
    def scale(self) -> Path:
        """The factor on latents in the denoiser's training."""
        return self.root / "latents.json"

    def saved(self, stage: str) -> Path:
        """A stage's state."""
        return self.root / f"{stage}.pt"

    def log(self, stage: str) -> Path:
        """A stage's figures, one JSON object a line."""
        return self.root / f"{stage}.jsonl"
