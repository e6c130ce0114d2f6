"""The twenty prompts that a checkpoint is asked, and how an answer is told from none."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

EXAMPLES = {
    "red": (200, 30, 30),
    "orange": (240, 140, 20),
    "yellow": (240, 215, 40),
    "green": (70, 150, 50),
    "blue": (50, 90, 190),
    "purple": (130, 50, 160),
    "pink": (240, 140, 180),
}
"""Words with a hue, and a colour that they name."""

_NEAR, _STEP = 20.0, 3.0
"""Degrees."""


@dataclass(frozen=True, slots=True)
class Question:
    """One prompt.

    Attributes:
        prompt: What is asked for.
        colour: The word of it that names a hue, or "".
        classes: Outputs of the classifier (1001, 0 is background) that the noun should raise; none for a noun that
            it doesn't know.
    """

    prompt: str
    colour: str = ""
    classes: tuple[int, ...] = ()


QUESTIONS = (
    Question("a red flower", "red"),
    Question("a yellow sunflower", "yellow", (986,)),
    Question("a white daisy", "", (986,)),
    Question("a pink rose", "pink"),
    Question("a purple tulip", "purple"),
    Question("a blue jacket", "blue", (475, 569, 842, 870)),
    Question("a red dress", "red", (579, 602, 656, 690)),
    Question("a black t-shirt", "", (611,)),
    Question("blue pants", "blue", (609,)),
    Question("a green apple", "green", (949,)),
    Question("an orange", "orange", (951,)),
    Question("a yellow banana", "yellow", (955,)),
    Question("a yellow lemon", "yellow", (952,)),
    Question("a red tomato", "red"),
    Question("a bowl of soup", "", (810, 926, 927)),
    Question("a meat dish on a plate", "", (924, 963, 965)),
    Question("blue water", "blue", (976, 978, 979)),
    Question("white snow", "", (971,)),
    Question("green grass", "green"),
    Question("blue sky", "blue"),
)


def mean_colour(pixels: Pixels, hole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(3,) mean L, a, b (CIE Lab, D65) in the hole of a picture (H, W, 3)."""
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    mean: NDArray[np.float64] = lab[hole].mean(0, dtype=np.float64)
    return mean


def hue_error(mean: NDArray[np.float64], word: str) -> float:
    """Degrees, 0 to 180, between the hue of a mean colour and the word's; 180 for one without any hue."""
    example = np.full((1, 1, 3), EXAMPLES[word], np.uint8)
    wanted = mean_colour(example, np.ones((1, 1), np.bool_))
    if np.hypot(mean[1], mean[2]) < 2:
        return 180.0
    turn = np.degrees(np.arctan2(mean[2], mean[1]) - np.arctan2(wanted[2], wanted[1]))
    return float(abs((turn + 180) % 360 - 180))


def moved(asked: NDArray[np.float64], plain: NDArray[np.float64], word: str) -> bool:
    """Whether the word brought the hole's mean colour nearer to its hue by 3 degrees, or made more of it.

    The second is for a hole that has the hue anyhow: still within 20 degrees, and no less colourful than without it.
    """
    now, before = hue_error(asked, word), hue_error(plain, word)
    livelier = np.hypot(asked[1], asked[2]) >= np.hypot(plain[1], plain[2])
    return now <= before - _STEP or bool(now <= _NEAR and livelier)
