"""Training prompts for a hole: the photo's caption, the object's name, likely labels at that height, colours."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from . import colours
from .photos import PhotoRecord

ABOVE = frozenset({"sky"})
BELOW = frozenset({"water", "sea", "grass", "ground", "road", "field", "floor", "sand", "snow", "lakeside", "plant"})
VOCABULARY = """
    a an the of and with in on photo picture close-up small large big bright dark light flower rose tulip daisy
    sunflower dandelion fruit apple orange banana lemon lime pear peach plum kiwi mango melon tomato potato carrot
    pepper cucumber cabbage mushroom onion garlic bread cake pizza soup salad plate bowl cup glass bottle shirt
    t-shirt dress jacket hat skirt shoes shorts pants hoodie water sea lake river snow grass sky clouds sand beach
    forest tree trees mountain mountains field road car wall building window door stone wood leaves green blue red
    yellow white black grey gray brown pink purple beige background nothing empty texture
""".split()  # noqa: SIM905 - a list of 130 words would be a page
"""Common prompt words that captions may lack."""

RECOGNISED = ("flower", "rose", "tulip", "daisy", "sunflower", "dandelion", "pants", "bowl", "soup", "salad")
"""Things that the shipped weights paint so that a viewer knows them. Judge anew by eye with other weights."""

UNCOUNTABLE = frozenset(
    {"clothing", "plastic", "metal", "glass", "paper", "cardboard", "food", "bread", "rice", "tofu", "juice"}
)
"""Nouns without "a"."""

BACKGROUND = "background"
"""Prompt of a hole that continues its surroundings, as after the removal of an object."""

_WORD_REPEATS = 20
"""Repetitions of each of these words in the corpus."""

_ARTICLE = re.compile(r"^[aeiou]", re.IGNORECASE)


def article(noun: str) -> str:
    """ "a red rose", "an apple"; no article before uncountable nouns and plurals."""
    last = noun.split()[-1]
    if last in UNCOUNTABLE or (last.endswith("s") and not last.endswith("ss")):
        return noun
    return f"{'an' if _ARTICLE.match(noun) else 'a'} {noun}"


def object_phrase(nouns: tuple[str, ...], tones: list[str], draw: np.random.Generator) -> str:
    """An object's phrase: "a red flower", "rose", "a photo of a yellow and white daisy"."""
    noun = str(nouns[0] if draw.random() < 0.6 else draw.choice(nouns))
    if tones and draw.random() < 0.8:
        colour = " and ".join(tones) if draw.random() < 0.25 else tones[0]
        noun = f"{colour} {noun}"
    chance = draw.random()
    if chance < 0.25:
        return noun
    return article(noun) if chance < 0.8 else f"a photo of {article(noun)}"


def region_phrase(record: PhotoRecord, middle: float, tones: list[str], draw: np.random.Generator) -> str:
    """A phrase for a hole somewhere in a photo.

    Args:
        record: The photo's record.
        middle: The hole's centre of mass from the top, 0 to 1.
        tones: Colour words of the hole, from `colours.words`.
        draw: Random source.
    """
    likely = ABOVE if middle < 0.4 else BELOW if middle > 0.6 else frozenset()
    there = [label for label in record.labels if label in likely]
    colour = tones[0] if tones and draw.random() < 0.6 else ""
    if there and draw.random() < 0.6:
        return f"{colour} {draw.choice(there)}".strip()
    if colour and draw.random() < 0.2:
        return colour if draw.random() < 0.5 else f"something {colour}"
    return f"{colour}, {record.caption}" if colour else record.caption


def corpus(records: Sequence[PhotoRecord]) -> list[str]:
    """Texts from which the vocabulary is learned: all captions and labels, and common prompt words."""
    captions = [record.caption for record in records] + [" ".join(record.labels) for record in records]
    return captions + [*VOCABULARY, *colours.WORDS] * _WORD_REPEATS
