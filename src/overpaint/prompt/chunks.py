"""Chunks: a text encoder of 77 places takes 75 tokens at a time, between its begin and end marks.

A smaller encoder has fewer places and takes fewer tokens.

A longer prompt is divided into several chunks, whose states are joined. The rules are AUTOMATIC1111's: BREAK ends a
chunk; when a chunk overflows and its last comma is among its last 20 tokens, the tokens after the comma move to the
next chunk, so that a phrase stays whole. The vectors of a textual inversion stay together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from overpaint.errors import RequestError

from .grammar import Prompt, Section

CHUNK = 75
BACKTRACK = 20
MOST_CHUNKS = 32


@dataclass(frozen=True, slots=True)
class PromptTokenizer:
    """A tokenizer, as far as chunks need it.

    Attributes:
        tokenise: From text to token ids, without marks and without a limit.
        bos: Id of the begin mark.
        eos: Id of the end mark.
        pad: Id of the padding after the end mark: the end mark again, or 0 for SD 2.x and SDXL's second encoder.
        room: Tokens of a chunk between its marks: the encoder's places less two.
    """

    tokenise: Callable[[str], Sequence[int]]
    bos: int
    eos: int
    pad: int
    room: int = CHUNK

    @property
    def comma(self) -> int | None:
        """Id of a comma; None when a comma is not one token."""
        ids = self.tokenise(",")
        return ids[0] if len(ids) == 1 else None


@dataclass(frozen=True, slots=True)
class Vector:
    """A vector of a textual inversion that replaces a token's: its name, and the vector's index."""

    name: str
    index: int


@dataclass(frozen=True, slots=True)
class Token:
    """One place of a chunk. `id` is the begin mark's where a vector replaces the token's."""

    id: int
    weight: float = 1.0
    vector: Vector | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """At most `room` tokens, without marks."""

    tokens: tuple[Token, ...] = ()
    room: int = CHUNK

    def ids(self, vocabulary: PromptTokenizer) -> tuple[int, ...]:
        """77 ids: begin mark, tokens, end mark, padding."""
        fill = (vocabulary.pad,) * (self.room - len(self.tokens))
        return (vocabulary.bos, *(token.id for token in self.tokens), vocabulary.eos, *fill)

    @property
    def weights(self) -> tuple[float, ...]:
        """77 weights; marks and padding count 1."""
        return (1.0, *(token.weight for token in self.tokens), *(1.0,) * (self.room + 1 - len(self.tokens)))

    @property
    def vectors(self) -> tuple[tuple[int, Vector], ...]:
        """Places among the 77 that take a vector, and the vectors."""
        return tuple((place, token.vector) for place, token in enumerate(self.tokens, 1) if token.vector is not None)


def chunked(
    prompt: Prompt,
    vocabulary: PromptTokenizer,
    *,
    vectors: Mapping[str, int] | None = None,
    backtrack: int = BACKTRACK,
    most: int = MOST_CHUNKS,
) -> tuple[Chunk, ...]:
    """Divide a prompt into chunks, at least one. All tokens stay, in their order.

    Args:
        prompt: As read.
        vocabulary: The encoder's tokenizer.
        vectors: Names of textual inversions and their numbers of vectors (at most 75). A name is found as a whole word,
            in any case; the longest name first.
        backtrack: Tokens before the end of a full chunk among which a comma ends it; 0: none.
        most: The most chunks.

    Raises:
        RequestError: More chunks than `most`; a textual inversion longer than a chunk or without a name.
    """
    vectors, room = vectors or {}, vocabulary.room
    for name, count in vectors.items():
        if not name.strip():
            message = f"{name!r} is no name for a textual inversion"
            raise RequestError(message, field="prompt", value=name, hint="it needs a word")
        if not 1 <= count <= room:
            message = f"the textual inversion {name!r} has {count} vectors"
            raise RequestError(message, field="prompt", value=name, hint=f"1 to {room} fit into a chunk")
    names = _names_in(prompt, vectors)
    comma = vocabulary.comma
    chunks: list[Chunk] = []
    for number, section in enumerate(prompt.sections):
        parts = _parted(_units(section, vocabulary, vectors, names), comma, backtrack, room)
        # A BREAK ends a chunk even when that is empty; the end of the prompt does not.
        keep_empty = number + 1 < len(prompt.sections)
        for part in parts:
            if part or keep_empty or not chunks:
                chunks.append(Chunk(tuple(part), room))
            if len(chunks) > most:
                message = f"{{field}} has more than {most * room} tokens ({most} chunks)"
                raise RequestError(message, field="prompt", hint="shorten it")
    return tuple(chunks)


def padded(chunks: Sequence[Chunk], count: int) -> tuple[Chunk, ...]:
    """The chunks, followed by empty ones up to `count`."""
    return (*chunks, *(Chunk(room=chunks[0].room),) * (count - len(chunks)))


def _parted(units: Iterator[tuple[Token, ...]], comma: int | None, backtrack: int, room: int) -> Iterator[list[Token]]:
    """The tokens of a section in lists of at most `room`; units stay whole. Gives at least one list."""
    current: list[Token] = []
    last_comma: int | None = None
    for unit in units:
        is_comma = unit[0].vector is None and unit[0].id == comma
        if len(current) == room and not is_comma and last_comma is not None and room - last_comma <= backtrack:
            yield current[: last_comma + 1]
            current, last_comma = current[last_comma + 1 :], None
        if len(current) + len(unit) > room:
            yield current
            current, last_comma = [], None
        if is_comma:
            last_comma = len(current)
        current.extend(unit)
    yield current


def _units(
    section: Section, vocabulary: PromptTokenizer, vectors: Mapping[str, int], names: _Names | None
) -> Iterator[tuple[Token, ...]]:
    """Units that stay whole: single tokens, and all vectors of a textual inversion."""
    for span in section:
        for part, name in names.split(span.text) if names else [(span.text, None)]:
            for token in vocabulary.tokenise(part) if part else ():
                yield (Token(token, span.weight),)
            if name is not None:
                yield tuple(Token(vocabulary.bos, span.weight, Vector(name, i)) for i in range(vectors[name]))


def _names_in(prompt: Prompt, vectors: Mapping[str, int]) -> _Names | None:
    """Names that may be in the prompt: there can be thousands, and a pattern of all would be slow."""
    text = words_of([prompt])
    found = [name for name in vectors if occurs(name, text)]
    return _Names(found) if found else None


def words_of(prompts: Iterable[Prompt]) -> str:
    """The words of prompts without their syntax, a line for each span: no name of a textual inversion crosses two."""
    return "\n".join(span.text for prompt in prompts for section in prompt.sections for span in section)


def names_in(text: str, names: Sequence[str]) -> set[str]:
    """The names of textual inversions that `chunked` finds in `words_of` prompts."""
    return {name for _, name in _Names(names).split(text) if name is not None} if names else set()


def occurs(name: str, text: str) -> bool:
    """Whether a name occurs in a text as words of its own, in capitals or not: never within a word."""
    return name.lower() in text.lower() and re.search(_alone(name), text, re.IGNORECASE) is not None


class _Names:
    """Finds names in a text: the longest first, in any case, never within a word."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted(names, key=len, reverse=True)
        self._pattern = re.compile("|".join(f"({_alone(name)})" for name in self._names), re.IGNORECASE)

    def split(self, text: str) -> Iterator[tuple[str, str | None]]:
        """The text before each name, and the name; at the end the rest, and None."""
        done = 0
        for match in self._pattern.finditer(text):
            yield text[done : match.start()], self._names[(match.lastindex or 1) - 1]
            done = match.end()
        yield text[done:], None


def _alone(name: str) -> str:
    """The pattern of a name as a whole word: no letter or digit beside an end that is one."""
    before = r"(?<!\w)" if re.match(r"\w", name) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", name) else ""
    return before + re.escape(name) + after
