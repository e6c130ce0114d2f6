"""The embedded model: a small text-guided inpainting checkpoint that comes with the package.

It is an ordinary diffusers folder, `checkpoint/`, with a card (MODEL_CARD.md); training/pocket made it. This package
says where it is; it is found, verified and loaded as every other model.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["FOLDER", "NAME", "folder"]

NAME = "pocket"
"""The model's name."""

FOLDER = Path(__file__).with_name("checkpoint")


def folder() -> Path | None:
    """The checkpoint's folder; None in a package that was built without weights."""
    return FOLDER if (FOLDER / "model_index.json").is_file() else None
