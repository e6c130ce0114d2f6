r"""The grammar of prompts: AUTOMATIC1111's, from its description, with its faults mended.

    (x)         x counts 1.1 times          (x:1.3)    x counts 1.3 times; a sign and spaces around are allowed
    [x]         x counts 1 / 1.1 times      \( \[ \:   the character itself; \ before any other one likewise
    BREAK       closes a chunk              # ...      a comment, to the end of the line
    <lora:...>  see `networks`              [a:b:0.5], [a|b], a AND b      see `schedule`

Brackets nest and multiply; unclosed ones last to the end, and a closing one without an opening one is text. Round and
square brackets are matched separately, so they may cross. Comments are removed first, then tags; then the schedule
gives the text of a step, which is read here.

Differences from upstream, each a fault there: a weight that is not a number, `(x:1.2.3)`, is text instead of a crash;
BREAK works inside brackets too; a backslash also escapes `:`, `#`, `<` and the words BREAK and AND; a comment begins at
a line's start or after white space and is no colour (`#D14233`), and it is reported; each weight is computed from its
whole nesting, so that `([x])` counts exactly 1; excessive nesting, weights and lengths are refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby

from .networks import Network, split_networks, unreadable

MOST_CHARACTERS = 100_000
MOST_NESTED = 100
MOST_WEIGHT = 1000.0
MOST_PARTS = 32
EMPHASIS = 1.1


@dataclass(frozen=True, slots=True)
class Span:
    """Words of equal weight. `text` is as written, spaces included; `weight` is 1 for plain words."""

    text: str
    weight: float = 1.0


Section = tuple[Span, ...]
"""The text between two BREAKs: spans, of which neighbours differ in weight and none is empty."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A parsed prompt: one text.

    Attributes:
        sections: At least one; a BREAK is between each two.
        networks: The networks that its tags name.
        notes: For people: comments that were left out.
    """

    sections: tuple[Section, ...] = ((),)
    networks: tuple[Network, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether it has no BREAK, and no text but spaces."""
        return len(self.sections) == 1 and not any(span.text.strip() for span in self.sections[0])


@dataclass(frozen=True, slots=True)
class PromptPart:
    """One of the texts that AND joins. `prompt` has neither networks nor notes."""

    prompt: Prompt
    weight: float = 1.0


def parse(text: str, *, weighted: bool = True) -> Prompt:
    """Parse a prompt without a schedule, in time linear in its length. AND is a word.

    Args:
        text: As written.
        weighted: False: brackets, backslashes and BREAK are text (upstream's emphasis "None"); comments and tags are
            removed all the same.

    Raises:
        RequestError: Too long, nested or weighted; a tag that can't be read.
    """
    check_length(text)
    plain, comments = without_comments(text)
    plain, networks = split_networks(plain)
    notes = (f"left out as a comment: {listed(comments)}",) if comments else ()
    return Prompt(read_weights(plain) if weighted else literal(plain).sections, networks, notes)


def literal(text: str) -> Prompt:
    """The prompt of a program without a grammar: every character is text.

    Raises:
        RequestError: Too long.
    """
    check_length(text)
    return Prompt(((Span(text),) if text else (),))


def escape(text: str) -> str:
    r"""The text in a form that `parse` gives back: a backslash before each character with a meaning."""
    return _MEANING.sub(r"\\\g<0>", text)


def without_comments(text: str) -> tuple[str, list[str]]:
    """The text without its comments, whose lines end as before; and the comments."""
    return _COMMENT.sub("", text), _COMMENT.findall(text)


def listed(pieces: Iterable[str]) -> str:
    """Up to three different pieces, each at most 40 characters."""
    different = list(dict.fromkeys(pieces))
    shown = [one if len(one) <= _LONGEST_SHOWN else one[: _LONGEST_SHOWN - 3] + "..." for one in different[:3]]
    return ", ".join(shown) + (f" and {len(different) - 3} more" if len(different) > 3 else "")


def read_weights(text: str) -> tuple[Section, ...]:
    """Parse brackets, weights, escapes and BREAKs; AND is a word. Comments, tags and schedules were removed.

    Raises:
        RequestError: Brackets nested more than 100 deep, or a weight beyond 1000.
    """
    return read_parts(text, conjunctions=False)[0].prompt.sections


def read_parts(text: str, *, conjunctions: bool = True) -> tuple[PromptPart, ...]:
    """The texts that AND joins, with their weights; one without AND. Equal texts are one, with the sum of weights.

    A weight follows its text: "a :1.2 AND b". Brackets that are open at an AND weigh the text after it too.

    Raises:
        RequestError: See `read_weights`; more than 32 texts.
    """
    parts = [_PartRead()]
    opened: dict[str, list[_Bracket]] = {"(": [], "[": []}
    around: tuple[_Bracket, ...] = ()
    for match in _TOKEN.finditer(text):
        kind, whole = match.lastgroup, match[0]
        same = opened["[" if whole in "[]" else "("]
        if kind == "open":
            if len(same) == MOST_NESTED:
                raise unreadable(
                    f"more than {MOST_NESTED} brackets are open at character {match.start() + 1} of {{field}}",
                    around_place(text, match.start()),
                    f"a bracket that is meant as a character is written as \\{whole}",
                )
            same.append(_Bracket(whole))
        elif kind in ("close", "weight") and same:
            same.pop().weight = float(match["weight"]) if kind == "weight" else None
        elif kind == "share" and conjunctions and not around and (len(parts) > 1 or match.end() < len(text)):
            parts[-1].weight = _limited(float(match["share"]), text[max(0, match.start() - 40) : match.start()])
            continue
        else:
            single = [match["escaped"] if kind == "escaped" else whole]
            for piece in _divided(text, match.start(), match.end(), conjunctions) if kind == "run" else single:
                if piece is _Mark.BREAK:
                    parts[-1].sections.append([])
                elif piece is _Mark.AND:
                    if len(parts) == MOST_PARTS:
                        raise unreadable(
                            f"{{field}} joins more than {MOST_PARTS} texts with AND", MOST_PARTS + 1, "use fewer"
                        )
                    parts.append(_PartRead())
                elif piece:
                    parts[-1].sections[-1].append((piece, around))
            continue
        around = (*opened["("], *opened["["])
    weights: dict[Prompt, float] = {}
    for one in parts:
        prompt = one.prompt()
        weights[prompt] = weights.get(prompt, 0.0) + (1.0 if one.weight is None else one.weight)
    return tuple(PromptPart(prompt, weight) for prompt, weight in weights.items())


@dataclass(slots=True)
class _PartRead:
    """A text that is being read: its sections of pieces with the brackets around them, and its weight."""

    sections: list[list[tuple[str, tuple[_Bracket, ...]]]] = field(default_factory=lambda: [[]])
    weight: float | None = None  # where it is written

    def prompt(self) -> Prompt:
        """It as a prompt; the spaces between a text and its weight are neither's."""
        if self.weight is not None and (last := self.sections[-1]):
            last[-1] = (last[-1][0].rstrip(), last[-1][1])
        return Prompt(
            tuple(_joined([span for one in section for span in _weighted(*one)]) for section in self.sections)
        )


def _joined(spans: list[Span]) -> Section:
    """The spans of a section; neighbours of equal weight become one."""
    groups = groupby(spans, lambda span: span.weight)
    return tuple(Span("".join(span.text for span in equal), weight) for weight, equal in groups)


@dataclass(slots=True)
class _Bracket:
    kind: str  # "(" or "["
    weight: float | None = None  # from the closing bracket, when it has one


class _Mark(Enum):
    BREAK = "BREAK"
    AND = "AND"


_COMMENT = re.compile(r"(?<!\S)#(?!(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})(?!\w))[^\n]*+")
_LONGEST_SHOWN = 40
_MEANING = re.compile(r"[\\()\[\]:|<#]|\b(?:BREAK|AND)\b")
_MARKS = {False: re.compile(r"\bBREAK\b"), True: re.compile(r"\b(?:BREAK|AND)\b")}
# Possessive quantifiers (++), so that nothing is tried twice: linear for any text.
_NUMBER = r"[+-]?(?:\d++(?:\.\d*+)?|\.\d++)"
_TOKEN = re.compile(
    r"\\(?P<escaped>.?)"
    r"|(?P<open>[(\[])"
    r"|(?P<close>[)\]])"
    rf"|:\s*+(?P<weight>{_NUMBER})\s*+\)"
    rf"|:\s*+(?P<share>{_NUMBER})\s*+(?=\bAND\b|\Z)"
    r"|(?P<run>[^\\()\[\]:]++)"
    r"|:",
    re.DOTALL,
)


def _divided(text: str, start: int, end: int, conjunctions: bool) -> Iterator[str | _Mark]:
    """A run of text divided at its BREAKs, without the spaces around them, and at its ANDs."""
    done, broken = start, False
    for match in _MARKS[conjunctions].finditer(text, start, end):
        part, mark = text[done : match.start()], _Mark(match[0])
        part = part.lstrip() if broken else part
        broken = mark is _Mark.BREAK
        yield part.rstrip() if broken else part
        yield mark
        done = match.end()
    yield text[done:end].lstrip() if broken else text[done:end]


def _weighted(text: str, around: tuple[_Bracket, ...]) -> list[Span]:
    """The span of a piece of text within brackets; none where it is empty."""
    depth = sum(1 if one.kind == "(" else -1 for one in around if one.weight is None)
    weight = math.prod((one.weight for one in around if one.weight is not None), start=1.0) * EMPHASIS**depth
    return [Span(text, _limited(weight, text))] if text else []


def _limited(weight: float, text: str) -> float:
    """The weight of a text, which may not be huge."""
    if not abs(weight) <= MOST_WEIGHT:
        raise unreadable(
            f"a part of {{field}} would count {weight:.4g} times",
            text[:40],
            f"weights lie between -{MOST_WEIGHT:g} and {MOST_WEIGHT:g}, and useful ones between 0 and 2",
        )
    return weight


def check_length(text: str) -> None:
    """Raises RequestError where a text is too long to be read."""
    if len(text) > MOST_CHARACTERS:
        raise unreadable(f"{{field}} has {len(text)} characters", len(text), f"at most {MOST_CHARACTERS} are read")


def around_place(text: str, place: int) -> str:
    """A piece of a text around a place, for an error."""
    return text[max(0, place - 10) : place + 20]
