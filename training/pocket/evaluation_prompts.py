"""The twenty prompts of `evaluate`, and the measure of colour in their fills."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

REFERENCE_COLOURS = {
    "red": (200, 30, 30),
    "orange": (240, 140, 20),
    "yellow": (240, 215, 40),
    "green": (70, 150, 50),
    "blue": (50, 90, 190),
    "purple": (130, 50, 160),
    "pink": (240, 140, 180),
}
"""Words with a hue, and an sRGB colour of that name."""

_NEAR, _STEP = 20.0, 3.0
"""Degrees."""


@dataclass(frozen=True, slots=True)
class EvaluationPrompt:
    """One prompt.

    Attributes:
        prompt: The text.
        colour: The word in it that names a hue, or "".
        classes: Outputs of the classifier (1001, 0 is background) whose score the noun should raise; empty for a noun
            that it does not know.
    """

    prompt: str
    colour: str = ""
    classes: tuple[int, ...] = ()


EVALUATION_PROMPTS = (
    EvaluationPrompt("a red flower", "red"),
    EvaluationPrompt("a yellow sunflower", "yellow", (986,)),
    EvaluationPrompt("a white daisy", "", (986,)),
    EvaluationPrompt("a pink rose", "pink"),
    EvaluationPrompt("a purple tulip", "purple"),
    EvaluationPrompt("a blue jacket", "blue", (475, 569, 842, 870)),
    EvaluationPrompt("a red dress", "red", (579, 602, 656, 690)),
    EvaluationPrompt("a black t-shirt", "", (611,)),
    EvaluationPrompt("blue pants", "blue", (609,)),
    EvaluationPrompt("a green apple", "green", (949,)),
    EvaluationPrompt("an orange", "orange", (951,)),
    EvaluationPrompt("a yellow banana", "yellow", (955,)),
    EvaluationPrompt("a yellow lemon", "yellow", (952,)),
    EvaluationPrompt("a red tomato", "red"),
    EvaluationPrompt("a bowl of soup", "", (810, 926, 927)),
    EvaluationPrompt("a meat dish on a plate", "", (924, 963, 965)),
    EvaluationPrompt("blue water", "blue", (976, 978, 979)),
    EvaluationPrompt("white snow", "", (971,)),
    EvaluationPrompt("green grass", "green"),
    EvaluationPrompt("blue sky", "blue"),
)


def mean_colour(pixels: Pixels, hole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(3,) mean L, a, b (CIE Lab, D65) in the hole of a picture (H, W, 3)."""
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    mean: NDArray[np.float64] = lab[hole].mean(0, dtype=np.float64)
    return mean


def hue_error(mean: NDArray[np.float64], word: str) -> float:
    """Degrees, 0 to 180, between the hue of a mean colour and the word's; 180 for a colour without hue."""
    example = np.full((1, 1, 3), REFERENCE_COLOURS[word], np.uint8)
    wanted = mean_colour(example, np.ones((1, 1), np.bool_))
    if np.hypot(mean[1], mean[2]) < 2:
        return 180.0
    turn = np.degrees(np.arctan2(mean[2], mean[1]) - np.arctan2(wanted[2], wanted[1]))
    return float(abs((turn + 180) % 360 - 180))


def hue_improved(prompted: NDArray[np.float64], plain: NDArray[np.float64], word: str) -> bool:
    """Whether the word brought the hole's mean colour nearer to its hue by 3 degrees, or kept it.

    The second case: the hue is within 20 degrees, and its chroma is no less than without the word.
    """
    now, before = hue_error(prompted, word), hue_error(plain, word)
    no_duller = np.hypot(prompted[1], prompted[2]) >= np.hypot(plain[1], plain[2])
    return now <= before - _STEP or bool(now <= _NEAR and no_duller)
