"""Where the stages leave their work: one folder outside the repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class State:
    """The folder; each stage has its own part."""

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
        """The network whose features say what is alike to the eye."""
        return self.root / "backbone.safetensors"

    @property
    def sheets(self) -> Path:
        """Samples on the way."""
        return self.root / "sheets"

    @property
    def scale(self) -> Path:
        """The factor on latents that the denoiser is trained with."""
        return self.root / "latents.json"

    def saved(self, stage: str) -> Path:
        """A stage's state."""
        return self.root / f"{stage}.pt"

    def log(self, stage: str) -> Path:
        """A stage's figures, one JSON object a line."""
        return self.root / f"{stage}.jsonl"
