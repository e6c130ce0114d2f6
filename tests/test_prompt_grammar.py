"""Prompts: AUTOMATIC1111's grammar as its vectors have it, its faults mended; chunks that lose nothing."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overpaint.errors import RequestError
from overpaint.prompt import (
    Network,
    Prompt,
    PromptTokenizer,
    Span,
    chunked,
    escape,
    literal,
    padded,
    parse,
    split_networks,
)

COMMA, BOS, EOS = 1, 1000, 1001
WORDS = re.compile(r"\w+|[^\w\s]+")


def tokenise(text: str) -> list[int]:
    """A token for each word: its number if it is one, 1 for a comma, else something from its letters."""
    found = WORDS.findall(text)
    return [
        COMMA if word == "," else int(word) if re.fullmatch("[0-9]{1,3}", word) else 500 + len(word) for word in found
    ]


VOCABULARY = PromptTokenizer(tokenise, bos=BOS, eos=EOS, pad=EOS)


def weights_of(text: str) -> list[list[tuple[str, float]]]:
    return [[(span.text, span.weight) for span in section] for section in parse(text).sections]


def lengths(prompt: Prompt) -> list[int]:
    return [len(chunk.tokens) for chunk in chunked(prompt, VOCABULARY)]


# The numbers are those of the vectors in the description that the grammar follows.
@pytest.mark.parametrize(
    ("text", "spans"),
    [
        pytest.param("plain words", [("plain words", 1)], id="1"),
        pytest.param("the (tall) tower", [("the ", 1), ("tall", 1.1), (" tower", 1)], id="2"),
        pytest.param("(left open", [("left open", 1.1)], id="3"),
        pytest.param(r"\(as typed\]", [("(as typed]", 1)], id="4"),
        pytest.param("(sea)(shore)", [("seashore", 1.1)], id="5"),
        pytest.param(
            "my (((boat:1.3)) [by] my (quay:0.5), fog, (((gull)))!",
            [
                ("my ", 1), ("boat", 1.573), (" ", 1.1), ("by", 1), (" my ", 1.1),
                ("quay", 0.55), (", fog, ", 1.1), ("gull", 1.4641), ("!", 1.1),
            ],
            id="6",
        ),
        pytest.param("((a))", [("a", 1.21)], id="7"),
        pytest.param("[a]", [("a", 0.90909)], id="8"),
        pytest.param("((a:1.2))", [("a", 1.32)], id="9"),
        pytest.param("(a:b:1.2)", [("a:b", 1.2)], id="10"),
        pytest.param("( a : 1.2)", [(" a ", 1.2)], id="11"),
        pytest.param("[a:1.5]", [("a:1.5", 0.90909)], id="12"),
        pytest.param("(a:1.3", [("a:1.3", 1.1)], id="13"),
        pytest.param("never opened)", [("never opened)", 1)], id="14"),
        pytest.param("(a:-1)", [("a", -1)], id="15"),
        pytest.param("a:1.2", [("a:1.2", 1)], id="16"),
        pytest.param(r"(a\):1.2)", [("a)", 1.2)], id="17"),
        pytest.param(
            "(wet road:0.5), (a row of street lamps: 1.2)",
            [("wet road", 0.5), (", ", 1), ("a row of street lamps", 1.2)],
            id="21",
        ),
    ],
)  # fmt: skip
def test_weights_are_upstreams(text, spans):
    (found,) = weights_of(text)
    assert [span[0] for span in found] == [span[0] for span in spans]
    assert [span[1] for span in found] == pytest.approx([span[1] for span in spans], abs=1e-5)


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        pytest.param("a BREAK b", [[("a", 1)], [("b", 1)]], id="18"),
        pytest.param("a\n BREAK\tBREAK b", [[("a", 1)], [], [("b", 1)]], id="twice"),
        pytest.param("aBREAK BREAKb", [[("aBREAK BREAKb", 1)]], id="in words"),
        pytest.param(r"a \BREAK b", [[("a BREAK b", 1)]], id="escaped"),
        pytest.param("BREAK", [[], []], id="alone"),
    ],
)
def test_break_parts_sections(text, sections):
    assert weights_of(text) == sections


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        # 19: upstream takes the word along and gives it the weight -1.3
        pytest.param("(a BREAK b:1.3)", [[("a", 1.3)], [("b", 1.3)]], id="19: BREAK inside of brackets"),
        # 20: upstream raises ValueError
        pytest.param("(x:1.2.3)", [[("x:1.2.3", 1.1)]], id="20: a weight that is no number"),
        pytest.param("(x:.)", [[("x:.", 1.1)]], id="a weight without a digit"),
        # upstream drops the backslash and takes the weight
        pytest.param(r"(a\:1.2)", [[("a:1.2", 1.1)]], id="an escaped colon"),
        # upstream multiplies in the order of the brackets, and its rounding parts spans of equal weight
        pytest.param("a((([[[b]]])))", [[("ab", 1)]], id="weights that cancel"),
    ],
)
def test_upstreams_faults_are_mended(text, sections):
    assert weights_of(text) == sections


def test_brackets_of_two_kinds_may_cross():
    (found,) = weights_of("(a [b) c] d")
    assert found == [("a ", 1.1), ("b", 1), (" c", pytest.approx(1 / 1.1)), (" d", 1)]


@pytest.mark.parametrize(
    "text", ["castle AND sand:0.5", "x|y", "AND"], ids=["AND", "bar", "alone"]
)  # fmt: skip
def test_and_is_text_where_one_text_is_read(text):
    assert weights_of(text) == [[(text, 1)]]


# 22 to 41 are schedules: test_prompt_schedule.py
@pytest.mark.parametrize("inner", ["a:b:0.5", "a|b", "b:3", "a:b", "a:b:c:0.5"])
def test_schedules_are_bracketed_text_where_one_text_is_read(inner):
    assert weights_of(f"[{inner}]") == [[(inner, pytest.approx(1 / 1.1))]]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param("a # b\nc", "a \nc", id="43"),
        ("# all", ""),
        (r"a \# b", "a # b"),
        ("a # <lora:x> (\nb", "a \nb"),
        (r"a \\ # b", "a \\ "),
        ("a\n#\nb", "a\n\nb"),
        # a colour is text
        ("a flower of #D14233 red on grass", "a flower of #D14233 red on grass"),
        ("#fff and #FFCC00AA\n#eee", "#fff and #FFCC00AA\n#eee"),
        # and so is what follows no white space
        ("C# and F#minor, a#b", "C# and F#minor, a#b"),
        ("#1 of C#\n a cat #2", "\n a cat "),
        ("#cat\nx #fffff y", "\nx "),
        ("\t#cat", "\t"),
    ],
)
def test_a_number_sign_at_a_lines_start_or_after_a_space_begins_a_comment_that_ends_with_its_line(text, left):
    prompt = parse(text)
    assert "".join(span.text for section in prompt.sections for span in section) == left
    assert prompt.networks == ()


def test_a_comment_is_named_in_a_note():
    assert parse("a cat #grey, old\n# thin\nb").notes == ("left out as a comment: #grey, old, # thin",)
    assert parse("a #D14233 cat").notes == ()


def test_vector_42_networks_are_taken_out():
    prompt = parse("cat <lora:a:1:0.5> <lora:b>")
    assert prompt.sections == ((Span("cat  "),),)
    assert prompt.networks == (Network("lora", "a", te=1, unet=0.5), Network("lora", "b", te=1, unet=1))


@pytest.mark.parametrize(
    ("tag", "network"),
    [
        ("<lora:a:0.7>", Network("lora", "a", te=0.7, unet=0.7)),
        ("<lora:my style v1.2:-.5:1:8>", Network("lora", "my style v1.2", te=-0.5, unet=1, dyn=8)),
        ("<lora:a:unet=0.5>", Network("lora", "a", te=1, unet=0.5)),
        ("<lora:a:te=0.5>", Network("lora", "a", te=0.5, unet=0.5)),
        ("<lyco:a:0.5:dyn=4>", Network("lyco", "a", te=0.5, unet=0.5, dyn=4)),
        ("<hypernet:a:0.3>", Network("hypernet", "a", te=0.3, unet=0.3)),
    ],
)
def test_tags_have_strengths_for_text_and_picture(tag, network):
    assert split_networks(f"x{tag}y") == ("xy", (network,))


@pytest.mark.parametrize("text", [r"\<lora:a>", "a < b: c", "<cat-toy>", "<lora:>", "<lora:a", "1 <2: 3"])
def test_text_that_is_no_tag_stays(text):
    assert split_networks(text) == (text, ())


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("<loar:a:1>", "unknown kind 'loar'.*did you mean 'lora'"),
        ("<lora:a:strong>", "'strong' in a tag of prompt is not a number: '<lora:a:strong>'; right would be"),
        ("<lora:a:nan>", "'nan'.*is not a number"),
        ("<lora: :1>", "names no network"),
        ("<lora:a:1:1:0>", "is not a rank"),
        ("<lora:a:1:1:8:9>", "has '9' too much"),
        ("<hypernet:a:1:2>", "has '2' too much"),
        ("<lora:a:size=2>", "has 'size=2' too much"),
        ("<lora:" + "a" * 600 + ">", "has 607 characters"),
        ("<lora:a>" * 101, "more than 100 networks"),
    ],
)
def test_tags_that_cannot_be_read_are_named(tag, message):
    with pytest.raises(RequestError, match=message) as caught:
        parse(f"a cat {tag}")
    assert caught.value.field == "prompt"
    assert caught.value.value == 101 or tag.startswith(str(caught.value.value))
    assert caught.value.hint


WILD = st.lists(st.sampled_from([*r"ab\()[]:|<>#.1, ", "\n", "BREAK", "AND", " BREAK ", "<lora:a>"])).map("".join)


@given(st.one_of(WILD, st.text()))
@settings(deadline=None, max_examples=300)
def test_escaped_text_comes_back(text):
    assert parse(escape(text)) == Prompt(((Span(text),) if text else (),))


@given(WILD, st.floats(-5, 5).map(lambda x: round(x, 3)), st.integers(0, 4), st.integers(0, 4))
@settings(deadline=None, max_examples=200)
def test_weights_multiply(text, weight, rounds, squares):
    inner = escape(text) + "x"
    whole = "(" * rounds + "[" * squares + f"({inner}:{weight})" + "]" * squares + ")" * rounds
    ((span,),) = parse(f"{whole}").sections
    assert span.text == text + "x"
    assert span.weight == pytest.approx(weight * 1.1 ** (rounds - squares))


@given(WILD)
@settings(deadline=None, max_examples=300)
def test_any_prompt_is_read_into_spans_of_differing_weight(text):
    try:
        prompt = parse(text)
    except RequestError:
        return
    for section in prompt.sections:
        assert all(span.text for span in section)
        assert all(one.weight != two.weight for one, two in itertools.pairwise(section))


@given(WILD)
@settings(deadline=None, max_examples=100)
def test_the_literal_reading_keeps_every_character(text):
    assert literal(text).sections == (((Span(text),),) if text else ((),))


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000, "[" * 99_999 + "x", "()" * 50_000, ")" * 100_000, "(a)[b]" * 16_000, " " * 100_000,
        ": " * 50_000, ":" + "1" * 99_999, ":1 " * 33_000, "<a:" * 33_333, "<" * 100_000, "<" + "a" * 99_999,
        "BREAK " * 16_000, "BREAK" * 20_000, "\\" * 100_000, "#" * 100_000, "(" * 60 + "x", "(x:" + "9" * 400 + ")",
        "a," * 1_000_000, "word " * 5_000, "(((x:99):99):99)",
    ],
    ids=lambda text: f"{text[:6]!r} of {len(text)}",
)  # fmt: skip
def test_hostile_prompts_take_no_time_and_end_in_one_clear_error_or_none(text):
    began, complaint = time.process_time(), ""
    try:
        chunked(parse(text), VOCABULARY)
    except RequestError as error:
        complaint = str(error)
    assert len(complaint) < 300
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(" * 101 + "x", "more than 100 brackets are open at character 101"),
        ("(" * 80 + "x", "a part of prompt would count 2048 times: 'x'; weights lie between"),
        ("(x:1001)", "would count 1001 times"),
        ("x" * 100_001, "has 100001 characters"),
    ],
)
def test_absurd_prompts_are_refused(text, message):
    with pytest.raises(RequestError, match=message) as caught:
        parse(text)
    assert caught.value.field == "prompt"
    assert caught.value.hint


# --- chunks


def numbered(count: int, comma: int | None = None) -> Prompt:
    """`count` tokens that are 2, 3, ... with a comma at one index."""
    return literal(" ".join("," if i == comma else str(i + 2) for i in range(count)))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (numbered(0), [0]),
        (numbered(75), [75]),
        (numbered(76), [75, 1]),
        (numbered(80, comma=70), [71, 9]),
        (numbered(80, comma=55), [56, 24]),
        (numbered(80, comma=54), [75, 5]),
        (numbered(80, comma=75), [75, 5]),
        (numbered(80, comma=74), [75, 5]),
        (parse("x BREAK BREAK x"), [1, 0, 1]),
        (parse("x BREAK"), [1]),
        (parse("BREAK x"), [0, 1]),
        (parse("BREAK"), [0]),
    ],
)
def test_chunks_are_upstreams(prompt, expected):
    assert lengths(prompt) == expected


def test_a_chunk_has_marks_and_padding():
    (chunk,) = chunked(parse("2 (3:1.5)"), VOCABULARY)
    assert chunk.ids(VOCABULARY) == (BOS, 2, 3, *[EOS] * 74)
    assert chunk.weights == (1, 1, 1.5, *[1] * 74)
    zero = PromptTokenizer(tokenise, bos=BOS, eos=EOS, pad=0)
    assert chunk.ids(zero) == (BOS, 2, 3, EOS, *[0] * 73)
    (full,) = chunked(numbered(75), VOCABULARY)
    assert len(full.ids(VOCABULARY)) == len(full.weights) == 77
    assert full.ids(VOCABULARY)[-1] == EOS


def test_a_smaller_encoder_has_smaller_chunks():
    small = PromptTokenizer(tokenise, bos=BOS, eos=EOS, pad=EOS, room=6)
    parts = chunked(numbered(14, comma=4), small)
    assert [len(part.tokens) for part in parts] == [5, 6, 3]
    assert {len(part.ids(small)) for part in padded(parts, 5)} == {8}
    assert {len(part.weights) for part in padded(parts, 5)} == {8}
    with pytest.raises(RequestError, match="more than 12 tokens"):
        chunked(numbered(13), small, most=2)


def test_no_backtracking_when_it_is_off():
    chunks = chunked(numbered(80, comma=70), VOCABULARY, backtrack=0)
    assert [len(chunk.tokens) for chunk in chunks] == [75, 5]


def test_short_prompts_are_padded_with_empty_chunks():
    chunks = padded(chunked(numbered(3), VOCABULARY), 3)
    assert [len(chunk.tokens) for chunk in chunks] == [3, 0, 0]
    assert chunks[2].ids(VOCABULARY) == (BOS, *[EOS] * 76)


def test_too_many_chunks_are_refused():
    assert len(chunked(numbered(32 * 75), VOCABULARY)) == 32
    for prompt in (numbered(32 * 75 + 1), parse("x BREAK " * 33)):
        with pytest.raises(RequestError, match=r"more than 2400 tokens \(32 chunks\)"):
            chunked(prompt, VOCABULARY)


SPANS = st.lists(
    st.tuples(
        st.lists(st.one_of(st.just(","), st.integers(2, 400).map(str), st.just("toy")), max_size=60).map(" ".join),
        st.sampled_from([0.5, 1.0, 1.3]),
    ),
    max_size=8,
)


@given(st.lists(SPANS, min_size=1, max_size=3), st.integers(1, 40), st.integers(0, 75))
@settings(deadline=None, max_examples=150)
def test_chunks_never_lose_or_reorder_tokens(sections, count, backtrack):
    prompt = Prompt(tuple(tuple(Span(text, weight) for text, weight in section if text) for section in sections))
    expected: list[tuple[int | str, float]] = []
    for section in prompt.sections:
        for span in section:
            for word in span.text.split():
                expected += (
                    [(f"toy {i}", span.weight) for i in range(count)]
                    if word == "toy"
                    else [(tokenise(word)[0], span.weight)]
                )
    chunks = chunked(prompt, VOCABULARY, vectors={"toy": count}, backtrack=backtrack, most=10_000)
    found = [
        (token.id if token.vector is None else f"{token.vector.name} {token.vector.index}", token.weight)
        for chunk in chunks
        for token in chunk.tokens
    ]
    assert found == expected
    assert all(len(chunk.tokens) <= 75 for chunk in chunks)
    # the vectors of one word are never parted
    for chunk in chunks:
        indices = [token.vector.index for token in chunk.tokens if token.vector is not None]
        assert indices == [*range(count)] * (len(indices) // count)


def test_names_of_textual_inversions_stand_alone_and_the_longest_wins():
    vectors = {"toy": 1, "Toy Car": 2, "<cat-toy>": 1}
    (chunk,) = chunked(literal("a toy car, TOY,<cat-toy> toys ſtoy"), VOCABULARY, vectors=vectors)
    names = [(vector.name, vector.index) for _, vector in chunk.vectors]
    assert names == [("Toy Car", 0), ("Toy Car", 1), ("toy", 0), ("<cat-toy>", 0)]
    assert [place for place, _ in chunk.vectors] == [2, 3, 5, 7]
    assert all(token.id == BOS for token in chunk.tokens if token.vector is not None)


def test_thousands_of_textual_inversions_cost_little():
    began = time.process_time()
    vectors = {f"name{number}": 2 for number in range(5000)}
    chunks = chunked(literal("name name4999 " * 500), VOCABULARY, vectors=vectors)
    assert sum(len(chunk.vectors) for chunk in chunks) == 1000
    assert time.process_time() - began < 1


@pytest.mark.parametrize("vectors", [{"x": 0}, {"x": 76}, {" ": 1}])
def test_impossible_textual_inversions_are_refused(vectors):
    with pytest.raises(RequestError, match="textual inversion"):
        chunked(literal("x"), VOCABULARY, vectors=vectors)


def test_a_phrase_moves_with_its_textual_inversion():
    words = ["2"] * 60 + [",", "toy"] + ["3"] * 20
    chunks = chunked(literal(" ".join(words)), VOCABULARY, vectors={"toy": 5})
    assert [len(chunk.tokens) for chunk in chunks] == [61, 25]
    assert [place for place, _ in chunks[1].vectors] == [1, 2, 3, 4, 5]
