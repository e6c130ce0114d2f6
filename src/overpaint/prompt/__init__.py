"""Prompts: what to paint, in words.

`parse` reads AUTOMATIC1111's grammar (weights, BREAK, comments, network tags), `chunked` divides a prompt into the
chunks of a text encoder. `scene_prompt` adds words for the picture's light and lens, which `scene_of` measures.
`things_in` and `unknown_things` find what a prompt is about, for a model that paints few things; `negated_things` finds
what it wants left out.
"""

from __future__ import annotations

from .chunks import Chunk, PromptTokenizer, Token, Vector, chunked, padded
from .grammar import Prompt, Span, escape, literal, parse
from .networks import Network, split_networks
from .scene import Camera, Light, MeasuredScene, scene_of, scene_prompt
from .subjects import negated_things, things_in, unknown_things

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
    "negated_things",
    "padded",
    "parse",
    "scene_of",
    "scene_prompt",
    "split_networks",
    "things_in",
    "unknown_things",
]
