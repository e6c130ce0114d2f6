"""The things that a prompt names, and which of them are not among the few that a small model paints.

English puts the noun last in a phrase: "a fluffy red dog" is about a dog. A prompt is divided into phrases at commas,
prepositions and verb forms, and the last word of each phrase is the thing that it names. Adjectives are never looked
up, so that an unknown one is no false alarm, nor are words of style, light and camera, which name no thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from .grammar import without_comments


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ASIDE = re.compile(r"<[^<>]*>|\bdepth of field\b", re.IGNORECASE)
"""Tags of networks, and a word of photography that looks like a thing."""

_PART = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|[^\s]")

_BETWEEN = _words(
    """a about above across against along amid among an and are around as at background be behind below beneath beside
    between beyond but by for from full has have her his in inside instead into is its like made my near next nor of off
    on onto or our out outside over per that the their this through to toward towards under up which while who with
    within without your"""
)
"""Words between phrases: articles, prepositions, conjunctions, pronouns."""

_NEGATIONS = _words("no without")
"""Words that say that the next phrase's thing should not be there."""

_STYLE = _words(
    """angle bokeh color colors colour colours depth detail details focus grain lens light lighting perspective
    photography quality rendering resolution shade shadow shadows style tone tones view"""
)
"""Nouns of style, light and camera: a phrase that ends in one is about no thing ("telephoto lens", "film grain")."""

_NO_THING = _words(
    """add aerial any art artwork autumn backlit beautiful big blurry bright broken calm clean clear close-up closeup
    cold colorful colourful consistent cool crisp cute dark day deep dim draw dry elegant empty evening fancy flat
    fluffy foreground fresh front fuzzy good great hard hd heavy high huge image large left little long loose low
    lush macro masterpiece middle modern morning new nice night noon not nothing object old one open paint pale
    pattern photo photograph picture piece plain pretty real rich right ripe rough round scene scenery shallow sharp
    shiny short shot side simple single small smooth soft some something spring square summer sunny tall texture
    thick thin thing things three tiny top two uhd velvety very vivid warm wet wide winter young"""
)
"""Plain adjectives, which may stand alone in a list, and words for a picture as a whole or for a part of it."""

_NO_NOUN = re.compile(r".{3,}(?:ed|ing|ly|ous|ful|less|ish|able|istic|matic|graphic|est)")
"""Endings of verb forms and adjectives, of words that are not short."""


def _plain(prompt: str) -> str:
    """A prompt without comments, and with commas for what is no part of a phrase."""
    return _ASIDE.sub(",", without_comments(prompt)[0])


def things_in(prompt: str, words: Set[str] = frozenset()) -> tuple[str, ...]:
    """The things that a prompt names, lower case, each once: "a fluffy dog in a field" names "dog" and "field".

    Args:
        prompt: A prompt, with its tags and weights.
        words: Known things, which are things whatever their ending ("building").
    """
    found = (_thing(phrase, words) for phrase in _phrases(_plain(prompt), words))
    return tuple(dict.fromkeys(one for one in found if one))


def unknown_things(prompt: str, words: Set[str]) -> tuple[str, ...]:
    """The things in a prompt that are not among these words, in singular or plural."""
    return tuple(thing for thing in things_in(prompt, words) if not _known(thing, words))


def negated_things(prompt: str, words: Set[str] = frozenset()) -> tuple[str, ...]:
    """The things that a prompt wants left out: "a beach without people or cars, no text" names people, cars and text.

    "or" and "nor" go on with what is left out; every other word between phrases ends it. Arguments as for `things_in`.
    """
    found: list[str] = []
    phrase: list[str] = []
    negated = False
    for part in (*_PART.findall(_plain(prompt)), "."):
        word = part.lower()
        if word in _NEGATIONS or word in _BETWEEN or not part[0].isalpha():
            thing = _thing(phrase, words)
            if negated and thing:
                found.append(thing)
            negated = word in _NEGATIONS or (negated and (word in ("or", "nor") or not phrase))
            phrase = []
        else:
            phrase.append(word)
    return tuple(dict.fromkeys(found))


def _phrases(prompt: str, words: Set[str]) -> Iterator[list[str]]:
    """Words between two that divide phrases; a verb form divides after the first: "a dog running home"."""
    phrase: list[str] = []
    for part in _PART.findall(prompt):
        word = part.lower().replace("’", "'").removesuffix("'s")
        verb = bool(phrase) and word.endswith("ing") and _NO_NOUN.fullmatch(word) and not _known(word, words)
        if word in _BETWEEN or verb or not part[0].isalpha() or part == "BREAK":
            yield phrase
            phrase = []
        else:
            phrase.append(word)
    yield phrase


def _thing(phrase: list[str], words: Set[str]) -> str:
    """The last word that may be a noun; "" where there is none."""
    for word in reversed(phrase):
        if _known(word, words):
            return word
        if word in _STYLE:
            return ""
        if len(word) > 1 and word not in _NO_THING and not _NO_NOUN.fullmatch(word):
            return word
    return ""


def _known(word: str, words: Set[str]) -> bool:
    last = word.rsplit("-", 1)[-1]
    return any(not words.isdisjoint(_numbers(one)) for one in (word, last))


def _numbers(word: str) -> set[str]:
    """A word, and what may be its singular or its plural."""
    forms = {word, word + "s", word.removesuffix("s"), word.removesuffix("es")}
    if word.endswith("ies"):
        forms.add(word[:-3] + "y")
    return forms
