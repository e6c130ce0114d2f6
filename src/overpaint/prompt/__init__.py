"""Prompts: what to paint, in words.

`parse` reads AUTOMATIC1111's grammar (weights, BREAK, comments, network tags), `chunked` divides a prompt into the
chunks of a text encoder. `scene_prompt` adds words for the picture's light and lens, which `scene_of` measures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .chunks import Chunk, PromptTokenizer, Token, Vector, chunked, padded
from .grammar import Prompt, Span, escape, literal, parse
from .networks import Network, split_networks
from .scene import MeasuredScene, scene_of, scene_prompt

if TYPE_CHECKING:
    from ._camera import Camera
    from ._light import Light

__all__ = [
    "Camera",
    "Chunk",
    "Light",
    "MeasuredScene",
    "Network",
    "Prompt",
    "PromptTokenizer",
    "Span",
    "Token",
    "Vector",
    "chunked",
    "escape",
    "literal",
    "padded",
    "parse",
    "scene_of",
    "scene_prompt",
    "split_networks",
]


def __getattr__(name: str) -> Any:
    # these modules load NumPy and OpenCV
    if name == "Camera":
        from ._camera import Camera

        return Camera
    if name == "Light":
        from ._light import Light

        return Light
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
