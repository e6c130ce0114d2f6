r"""The grammar of prompts: AUTOMATIC1111's, from its description, with its faults mended.

    (x)         x counts 1.1 times          (x:1.3)    x counts 1.3 times; a sign and spaces around are allowed
    [x]         x counts 1 / 1.1 times      \( \[ \:   the character itself; \ before any other one likewise
    BREAK       closes a chunk              # ...      a comment, to the end of the line: a # that stands alone
    <lora:...>  see `networks`

Brackets nest and multiply; unclosed ones last to the end, and a closing one without an opening one is text. Round and
square brackets are matched separately, so they may cross. Comments are removed first, then tags; then the rest is read.

Differences from upstream, each a fault there: a weight that is not a number, `(x:1.2.3)`, is text instead of a crash;
BREAK works inside brackets too; a backslash also escapes `:`, `#`, `<` and the word BREAK; a `#` joined to a word
(`#D14233`) is text, and a comment is reported; each weight is computed from its whole nesting, so that `([x])` counts
exactly 1; excessive nesting, weights and lengths are refused.

Not supported yet: `AND`, and the schedules `[a:b:0.5]` and `[a|b]`. They are encoded as words (the brackets count as
brackets: 1 / 1.1 times), and `Prompt.notes` names them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from .networks import Network, split_networks, unreadable

MOST_CHARACTERS = 100_000
MOST_NESTED = 100
MOST_WEIGHT = 1000.0
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
    """A parsed prompt.

    Attributes:
        sections: At least one; a BREAK is between each two.
        networks: The networks that its tags name.
        notes: For people: comments that were left out, and syntax that is not supported and counts as words.
    """

    sections: tuple[Section, ...] = ((),)
    networks: tuple[Network, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether it has no BREAK, and no text but spaces."""
        return len(self.sections) == 1 and not any(span.text.strip() for span in self.sections[0])


def parse(text: str, *, weighted: bool = True) -> Prompt:
    """Parse a prompt, in time linear in its length.

    Args:
        text: As written.
        weighted: False: brackets, backslashes and BREAK are text (upstream's emphasis "None"); comments and tags are
            removed all the same.

    Raises:
        RequestError: Too long, nested or weighted; a tag that can't be read.
    """
    _check_length(text)
    comments = _COMMENT.findall(text)
    plain, networks = split_networks(_COMMENT.sub("", text))  # the ends of lines stay
    notes = [f"left out as a comment: {_listed(comments)}"] if comments else []
    if unsupported := _unsupported(plain):
        notes.append(
            f"encoded as plain words, for schedules, alternatives and AND are not supported: {_listed(unsupported)}"
        )
    return Prompt(read_weights(plain) if weighted else literal(plain).sections, networks, tuple(notes))


def literal(text: str) -> Prompt:
    """The prompt of a program without a grammar: every character is text.

    Raises:
        RequestError: Too long.
    """
    _check_length(text)
    return Prompt(((Span(text),) if text else (),))


def escape(text: str) -> str:
    r"""The text in a form that `parse` gives back: a backslash before each character with a meaning."""
    return _MEANING.sub(r"\\\g<0>", text)


def _unsupported(text: str) -> list[str]:
    """Schedules (`[a:b:0.5]`, `[a:0.5]`), alternatives (`[a|b]`) and AND in a text, as written."""
    found: list[str] = []
    opened: list[int] = []  # places of open square brackets
    marked: list[bool] = []  # whether a bar or a number that ends a schedule was seen within each
    for match in _SYNTAX.finditer(text):
        kind = match.lastgroup
        if kind == "open":
            opened.append(match.start())
            marked.append(False)
        elif kind == "mark" and opened:
            marked[-1] = True
        elif kind == "close" and opened:
            start = opened.pop()
            if marked.pop():
                found.append(text[start : min(match.end(), start + _LONGEST_SHOWN + 1)])
        elif kind == "and":
            found.append("AND")
    return found


def _listed(pieces: list[str]) -> str:
    """Up to three different pieces, each at most 40 characters."""
    different = list(dict.fromkeys(pieces))
    shown = [one if len(one) <= _LONGEST_SHOWN else one[: _LONGEST_SHOWN - 3] + "..." for one in different[:3]]
    return ", ".join(shown) + (f" and {len(different) - 3} more" if len(different) > 3 else "")


def read_weights(text: str) -> tuple[Section, ...]:
    """Parse brackets, weights, escapes and BREAKs; comments and tags were removed.

    Raises:
        RequestError: Brackets nested more than 100 deep, or a weight beyond 1000.
    """
    sections: list[list[tuple[str, tuple[_Bracket, ...]]]] = [[]]  # pieces of text with the brackets around them
    opened: dict[str, list[_Bracket]] = {"(": [], "[": []}
    around: tuple[_Bracket, ...] = ()
    for match in _TOKEN.finditer(text):
        kind, whole = match.lastgroup, match[0]
        same = opened["[" if whole in "[]" else "("]
        if kind == "open":
            if len(same) == MOST_NESTED:
                raise unreadable(
                    f"more than {MOST_NESTED} brackets are open at character {match.start() + 1} of {{field}}",
                    _around(text, match.start()),
                    f"a bracket that is meant as a character is written as \\{whole}",
                )
            same.append(_Bracket(whole))
        elif kind in ("close", "weight") and same:
            same.pop().weight = float(match["weight"]) if kind == "weight" else None
        else:
            single = [match["escaped"] if kind == "escaped" else whole]
            for piece in _divided(text, match.start(), match.end()) if kind == "run" else single:
                if piece is None:
                    sections.append([])
                else:
                    sections[-1].append((piece, around))
            continue
        around = (*opened["("], *opened["["])
    return tuple(_joined([span for one in section for span in _weighted(*one)]) for section in sections)


def _joined(spans: list[Span]) -> Section:
    """The spans of a section; neighbours of equal weight become one."""
    groups = groupby(spans, lambda span: span.weight)
    return tuple(Span("".join(span.text for span in equal), weight) for weight, equal in groups)


@dataclass(slots=True)
class _Bracket:
    kind: str  # "(" or "["
    weight: float | None = None  # from the closing bracket, when it has one


_COMMENT = re.compile(r"(?<!\S)#(?!\S)[^\n]*+")
_SYNTAX = re.compile(
    r"\\.?|(?P<open>\[)|(?P<close>\])|(?P<mark>\||:\s*+(?:\d++(?:\.\d*+)?|\.\d++)\s*+(?=\]))|(?P<and>\bAND\b)",
    re.DOTALL,
)
_LONGEST_SHOWN = 40
_MEANING = re.compile(r"[\\()\[\]:|<#]|\b(?:BREAK|AND)\b")
_BREAK = re.compile(r"\bBREAK\b")
# Possessive quantifiers (++), so that nothing is tried twice: linear for any text.
_TOKEN = re.compile(
    r"\\(?P<escaped>.?)"
    r"|(?P<open>[(\[])"
    r"|(?P<close>[)\]])"
    r"|:\s*+(?P<weight>[+-]?(?:\d++(?:\.\d*+)?|\.\d++))\s*+\)"
    r"|(?P<run>[^\\()\[\]:]++)"
    r"|:",
    re.DOTALL,
)


def _divided(text: str, start: int, end: int) -> Iterator[str | None]:
    """A run of text divided at its BREAKs (None), without the spaces around them."""
    done = start
    for match in _BREAK.finditer(text, start, end):
        part = text[done : match.start()].rstrip()
        yield part if done == start else part.lstrip()
        yield None
        done = match.end()
    yield text[done:end] if done == start else text[done:end].lstrip()


def _weighted(text: str, around: tuple[_Bracket, ...]) -> list[Span]:
    """The span of a piece of text within brackets; none where it is empty."""
    depth = sum(1 if one.kind == "(" else -1 for one in around if one.weight is None)
    weight = math.prod((one.weight for one in around if one.weight is not None), start=1.0) * EMPHASIS**depth
    if text and not abs(weight) <= MOST_WEIGHT:
        raise unreadable(
            f"a part of {{field}} would count {weight:.4g} times",
            text[:40],
            f"weights lie between -{MOST_WEIGHT:g} and {MOST_WEIGHT:g}, and useful ones between 0 and 2",
        )
    return [Span(text, weight)] if text else []


def _check_length(text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise unreadable(f"{{field}} has {len(text)} characters", len(text), f"at most {MOST_CHARACTERS} are read")


def _around(text: str, place: int) -> str:
    return text[max(0, place - 10) : place + 20]
