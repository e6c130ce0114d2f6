r"""The schedule of a prompt: its text at each step, and the parts that AND joins.

    [a:b:0.5]   a for the first half of the steps, then b; [a:b:5]: a for 5 steps. A number with a point is a share
    [a::5]      a for 5 steps, then nothing         [:b:5], [b:5]   nothing for 5 steps, then b
    [a|b|c]     a, b, c, a, ... one at each step; one that is empty is nothing
    a AND b     two texts, each with a row of its own in the network's calls; "a :1.2 AND b :0.5" weighs them

All of them nest, in each other and in brackets that weigh. The rules are AUTOMATIC1111's (spec/inpaint-settings.md 2).
Differences: 5 steps are 5 (there, and in the dialect webui, 6); a share is one of the steps that run, whatever the
strength (in the dialect webui of all steps); AND within brackets joins too, and both texts keep the brackets' weights.

Square brackets that hold a bar or end in a number, and are none of these, weigh like any other; a note names them. So
does one for a schedule of which a text is used at no step.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from overpaint.errors import RequestError

from .grammar import MOST_NESTED, Prompt, PromptPart, around_place, check_length, listed, read_parts, without_comments
from .networks import Network, split_networks, unreadable

MOST_RENDERED = 3_000_000
"""The most characters of a prompt's texts over all steps, which bounds the time that reading takes."""


@dataclass(frozen=True, slots=True)
class PromptSchedule:
    """A prompt over the steps.

    Attributes:
        entries: (step, parts) in ascending order of steps: each holds from its step on, and the first step is 0.
            Neighbours differ. There is at least one part, and one without AND.
        networks: The networks that its tags name, for all steps.
        notes: For people: what was left out, is not read as it is written, or has no effect.
    """

    entries: tuple[tuple[int, tuple[PromptPart, ...]], ...] = ((0, (PromptPart(Prompt()),)),)
    networks: tuple[Network, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, prompt: Prompt) -> PromptSchedule:
        """The same prompt at every step."""
        return cls(((0, (PromptPart(replace(prompt, networks=(), notes=())),)),), prompt.networks, prompt.notes)

    def at(self, step: int) -> tuple[PromptPart, ...]:
        """The parts at a step, from 0."""
        return [parts for first, parts in self.entries if first <= step][-1]

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """All different texts."""
        return tuple(dict.fromkeys(part.prompt for _, parts in self.entries for part in parts))


def prompt_schedule(text: str, steps: int, *, done: int = 0, conjunctions: bool = True) -> PromptSchedule:
    """Read a prompt for so many steps.

    Args:
        text: As written.
        steps: The steps that run (in AUTOMATIC1111's dialect: the steps of its page).
        done: Steps of an earlier pass, of as many steps as its own count: numbers and shares count from its start.
        conjunctions: Whether AND joins texts; a negative prompt takes it for a word.

    Raises:
        RequestError: Too long, nested or weighted, or too many texts; a tag that can't be read.
    """
    check_length(text)
    plain, comments = without_comments(text)
    plain, networks = split_networks(plain)
    notes = [f"left out as a comment: {listed(comments)}"] if comments else []
    tree = _Tree(plain)
    if tree.unread:
        notes.append(f"no schedule, so that its brackets only weigh: {listed(tree.unread)}")
    if unused := tree.unused(steps, done):
        notes.append(f"a text is used at none of {steps} steps: {listed(unused)}")
    if not conjunctions and "AND" in tree.found:
        notes.append("AND joins texts in the prompt alone, and is a word here")
    entries: list[tuple[int, tuple[PromptPart, ...]]] = []
    for step, one in tree.texts(steps, done):
        parts = read_parts(one, conjunctions=conjunctions)
        if not entries or entries[-1][1] != parts:
            entries.append((step, parts))
    return PromptSchedule(tuple(entries), networks, tuple(notes))


def texts_over(text: str, steps: int, *, done: int = 0) -> tuple[tuple[int, str], ...]:
    """(step, text) in ascending order: the text of a prompt from each step on, with its weights, escapes and ANDs.

    Arguments and errors are those of `prompt_schedule`; comments and tags were removed. Neighbours differ.
    """
    return tuple(_Tree(text).texts(steps, done))


def schedules_in(text: str) -> tuple[str, ...]:
    """The schedules, alternatives and ANDs in a text, as written, for a note that they are not read."""
    with suppress(RequestError):  # brackets nested too deep are text too
        return tuple(_Tree(text).found)
    return ()


@dataclass(frozen=True, slots=True)
class _Switch:
    """`[before:after:when]`: one text before a step, and one from it on."""

    before: _Nodes
    after: _Nodes
    number: str
    written: str

    def first(self, steps: int, done: int) -> int:
        """The first step of the text after."""
        if "." in self.number:
            share = float(self.number) - (1 if done else 0)
            return int(min(max(share, 0.0), 1.0) * steps + 1e-9)
        return int(min(max(float(self.number) - done, 0.0), float(steps)))


@dataclass(frozen=True, slots=True)
class _Alternatives:
    """`[a|b|c]`: one text after another."""

    texts: tuple[_Nodes, ...]
    written: str


_Node: TypeAlias = "str | _Switch | _Alternatives"
_Nodes: TypeAlias = "tuple[_Node, ...]"


@dataclass(slots=True)
class _Open:
    """A bracket that is open: its fields so far, and the colons and bars between them."""

    bracket: str
    start: int
    fields: list[list[_Node]] = field(default_factory=lambda: [[]])
    marks: list[str] = field(default_factory=list)
    barred: bool = False
    """Whether it can't be a schedule: it has a bracket without its other one, or a bar in round brackets."""

    def flat(self, end: str) -> Iterator[_Node]:
        """It as text."""
        yield self.bracket
        for part, mark in itertools.zip_longest(self.fields, self.marks, fillvalue=""):
            yield from part
            yield str(mark)
        yield end


_PIECE = re.compile(r"\\.?|[()\[\]:|]|[^\\()\[\]:|]++", re.DOTALL)
_NUMBER = re.compile(r"\s*+([+-]?(?:\d++(?:\.\d*+)?|\.\d++))\s*+", re.ASCII)
_SCHEDULED = re.compile(r":\s*+[+-]?[\d.]++\s*+\]\Z")
_OPENING = {")": "(", "]": "["}
_AND = re.compile(r"\\.?|(?P<and>\bAND\b)", re.DOTALL)


class _Tree:
    """A text with its schedules and alternatives, read in time linear in its length (nesting is bounded)."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.unread: list[str] = []
        self._switches: list[_Switch] = []
        self._alternatives: list[_Alternatives] = []
        self._opened: Counter[str] = Counter()  # how many brackets of each kind are open
        self._nodes = self._read()

    @property
    def found(self) -> list[str]:
        """Schedules, alternatives and ANDs, as written."""
        ands = [match["and"] for match in _AND.finditer(self._text) if match["and"]]
        written = [one.written for one in self._switches] + [one.written for one in self._alternatives]
        return written + ands

    def texts(self, steps: int, done: int) -> Iterator[tuple[int, str]]:
        """(step, text) where the text changes.

        Raises:
            RequestError: All texts together are too long.
        """
        changes = {0, *(first for one in self._switches if (first := one.first(steps, done)) < steps)}
        rendered, last = 0, None
        for step in range(max(steps, 1)) if self._alternatives else sorted(changes):
            pieces = list(_rendered(self._nodes, step, steps, done))  # one for each schedule too, as each takes time
            one = "".join(pieces)
            rendered += len(one) + 10 * len(pieces)
            if rendered > MOST_RENDERED:
                raise unreadable(
                    f"{{field}} changes too often: its texts have more than {MOST_RENDERED} characters",
                    len(self._text),
                    "shorten it, or take fewer schedules or steps",
                )
            if one != last:
                yield step, one
            last = one

    def unused(self, steps: int, done: int) -> list[str]:
        """Schedules with a text that is used at no step."""
        found = []
        for switch in self._switches:
            first = switch.first(steps, done)
            if (first == 0 and switch.before) or (first >= steps and switch.after):
                found.append(switch.written)
        return found + [one.written for one in self._alternatives if len(one.texts) > steps]

    def _read(self) -> _Nodes:
        stack = [_Open("", 0)]
        for match in _PIECE.finditer(self._text):
            piece, top = match[0], stack[-1]
            if piece in ("(", "["):
                self._check_depth(piece, match.start())
                self._opened[piece] += 1
                stack.append(_Open(piece, match.start()))
            elif piece in (":", "|"):
                top.marks.append(piece)
                top.fields.append([])
            elif piece in (")", "]") and self._opened[_OPENING[piece]]:
                self._close(stack, piece, match.end())
            else:
                top.fields[-1].append(piece)
        while len(stack) > 1:
            self._flatten(stack, "")
        return tuple(itertools.islice(stack[0].flat(""), 1, None))

    def _close(self, stack: list[_Open], piece: str, end: int) -> None:
        """Close a bracket."""
        if piece == ")" and stack[-1].bracket == "[":  # brackets that cross
            stack[-1].barred = True
            stack[-1].fields[-1].append(piece)
            return
        while piece == "]" and stack[-1].bracket == "(":  # a round one without its other one
            self._flatten(stack, "")
            stack[-1].barred = True
        top = stack[-1]
        node = self._node(top, end) if piece == "]" else None
        if node is None:
            self._flatten(stack, piece)
        else:
            self._opened[stack.pop().bracket] -= 1
            stack[-1].fields[-1].append(node)

    def _node(self, top: _Open, end: int) -> _Switch | _Alternatives | None:
        """What square brackets are; None: they only weigh."""
        marks, written = set(top.marks), self._text[top.start : end]
        last = "".join(one if isinstance(one, str) else "]" for one in top.fields[-1])
        number = _NUMBER.fullmatch(last)
        if not top.barred and marks == {"|"}:
            self._alternatives.append(_Alternatives(tuple(map(tuple, top.fields)), written))
            return self._alternatives[-1]
        if not top.barred and marks == {":"} and len(top.marks) <= 2 and number:
            before = tuple(top.fields[0]) if len(top.marks) == 2 else ()
            self._switches.append(_Switch(before, tuple(top.fields[-2]), number[1], written))
            return self._switches[-1]
        if "|" in marks or _SCHEDULED.search(written[-40:]):
            self.unread.append(written)
        return None

    def _flatten(self, stack: list[_Open], end: str) -> None:
        """Take the last open bracket for text."""
        top = stack.pop()
        self._opened[top.bracket] -= 1
        stack[-1].fields[-1].extend(one for one in top.flat(end) if one != "")
        if top.bracket == "(" and ("|" in top.marks or top.barred):
            stack[-1].barred = True

    def _check_depth(self, piece: str, place: int) -> None:
        if self._opened[piece] < MOST_NESTED:
            return
        raise unreadable(
            f"more than {MOST_NESTED} brackets are open at character {place + 1} of {{field}}",
            around_place(self._text, place),
            f"a bracket that is meant as a character is written as \\{piece}",
        )


def _rendered(nodes: _Nodes, step: int, steps: int, done: int) -> Iterator[str]:
    """The pieces of the text at a step."""
    for node in nodes:
        if isinstance(node, str):
            yield node
            continue
        if isinstance(node, _Switch):
            chosen = node.before if step < node.first(steps, done) else node.after
        else:
            chosen = node.texts[step % len(node.texts)]
        yield ""
        yield from _rendered(chosen, step, steps, done)
