"""Prompts: what to paint, in words.

`prompt_schedule` reads AUTOMATIC1111's grammar: for each step the texts and their weights; `parse` reads one text
without a schedule. `chunked` divides a text into the chunks of a text encoder. `scene_prompt` adds words for the
picture's light and lens, which `scene_of` measures. `things_in` and `unknown_things` find what a prompt is about, for a
model that paints few things; `negated_things` finds what it wants left out.
"""

from __future__ import annotations

from .chunks import Chunk, PromptTokenizer, Token, Vector, chunked, padded
from .grammar import Prompt, PromptPart, Span, escape, literal, parse
from .networks import Network, split_networks
from .scene import Camera, Light, MeasuredScene, scene_of, scene_prompt
from .schedule import PromptSchedule, prompt_schedule, schedules_in, texts_over
from .subjects import negated_things, things_in, unknown_things

__all__ = [
    "Camera",
    "Chunk",
    "Light",
    "MeasuredScene",
    "Network",
    "Prompt",
    "PromptPart",
    "PromptSchedule",
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
    "prompt_schedule",
    "scene_of",
    "scene_prompt",
    "schedules_in",
    "split_networks",
    "texts_over",
    "things_in",
    "unknown_things",
]
