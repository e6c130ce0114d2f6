"""Prompts over the steps: upstream's schedules, alternatives and AND; what is written and what each step reads."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from overpaint.errors import RequestError
from overpaint.prompt import Prompt, PromptSchedule, Span, escape, parse, prompt_schedule, schedules_in, texts_over


def until(text: str, steps: int = 10, done: int = 0) -> list[tuple[int, str]]:
    """(step, text): each text until its step, as the vectors have it."""
    found = texts_over(text, steps, done=done)
    ends = [*(first for first, _ in found[1:]), steps]
    return [(end, one) for end, (_, one) in zip(ends, found, strict=True)]


def at(text: str, step: int, steps: int = 10) -> str:
    return [one for first, one in texts_over(text, steps) if first <= step][-1]


# The numbers are those of the vectors in the description. Those that upstream's own tests have are of the same form, in
# other words.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("old [oak:3]", [(3, "old "), (10, "old oak")], id="22"),
        pytest.param("old [oak: 3]", [(3, "old "), (10, "old oak")], id="22 with a space"),
        pytest.param("old [[[oak]]:2]", [(2, "old "), (10, "old [[oak]]")], id="23"),
        pytest.param("[(oak:2):3]", [(3, ""), (10, "(oak:2)")], id="24"),
        pytest.param("old [oak : elm : 1] now", [(1, "old oak  now"), (10, "old  elm  now")], id="25"),
        pytest.param("t[o:[i:a:2]:1]n", [(1, "ton"), (2, "tin"), (10, "tan")], id="26"),
        pytest.param("old [oak", [(10, "old [oak")], id="27"),
        pytest.param("old [oak:.5] now", [(5, "old  now"), (10, "old oak now")], id="28"),
        pytest.param("((oak][:elm:ash [fir:3]", [(3, "((oak][:elm:ash "), (10, "((oak][:elm:ash fir")], id="29"),
        pytest.param("[oak::0.5]", [(5, "oak"), (10, "")], id="33"),
        pytest.param("[oak:elm:1]", [(1, "oak"), (10, "elm")], id="34: one step"),
        pytest.param("[oak:elm:1.0]", [(10, "oak")], id="34: all steps"),
        pytest.param("[oak:elm:0]", [(10, "elm")], id="35: none"),
        pytest.param("[oak:elm:-1]", [(10, "elm")], id="35: less than none"),
        pytest.param("[oak:elm:0.05]", [(10, "elm")], id="35: less than a step"),
        pytest.param("[oak:elm:20]", [(10, "oak")], id="35: more than all"),
        pytest.param("[oak:elm]", [(10, "[oak:elm]")], id="37: no number"),
        pytest.param("[oak:elm:ash:0.5]", [(10, "[oak:elm:ash:0.5]")], id="37: three texts"),
        pytest.param("[(oak|elm):ash:0.5]", [(10, "[(oak|elm):ash:0.5]")], id="37: a bar in round brackets"),
        pytest.param(
            "[young oak: old elm: 0.5], (deep moss:0.5)",
            [(5, "young oak, (deep moss:0.5)"), (10, " old elm, (deep moss:0.5)")],
            id="38",
        ),
    ],
)
def test_schedules_are_upstreams(text, expected):
    assert until(text) == expected


@pytest.mark.parametrize(
    ("text", "period"),
    [
        pytest.param("[oak|(elm:1.1)]", ["oak", "(elm:1.1)"], id="30"),
        pytest.param("[un|]seen", ["unseen", "seen"], id="31"),
        pytest.param("[un|||]seen", ["unseen", "seen", "seen", "seen"], id="32"),
        pytest.param("[[oak|elm]|ash]", ["oak", "ash"], id="nested: the inner one counts all steps"),
    ],
)
def test_alternatives_are_upstreams(text, period):
    assert [at(text, step) for step in range(10)] == list(itertools.islice(itertools.cycle(period), 10))


def test_vector_36_an_alternative_within_a_schedule():
    assert [at("[[oak|elm]:ash:4]", step) for step in range(10)] == ["oak", "elm", "oak", "elm", *["ash"] * 6]


def test_vector_39_a_second_pass_counts_from_the_firsts_start():
    """A share beyond 1 lies in the second pass, and a number counts the first's steps too."""
    assert until("old [oak:.5] now", done=10) == [(10, "old oak now")]
    assert until("old [oak:1.5] now", done=10) == [(5, "old  now"), (10, "old oak now")]
    assert until("old [oak:13] now", done=10) == [(3, "old  now"), (10, "old oak now")]


def test_vector_40_many_schedules_in_one_prompt():
    text = "a valley, [river:road:0.25] and [a barn:a chapel:0.75][ at dusk::0.6][: at night:0.25] [rough:fine:0.5]"
    found = until(text, 100)
    assert [end for end, _ in found] == [25, 50, 60, 75, 100]
    assert found[0][1] == "a valley, river and a barn at dusk rough"
    assert found[2][1] == "a valley, road and a barn at dusk at night fine"
    assert found[-1][1] == "a valley, road and a chapel at night fine"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("a :1.2 AND b : 0.8 ", [("a", 1.2), (" b", 0.8)], id="41"),
        pytest.param("sAND castle", [("sAND castle", 1)], id="41: within a word"),
        ("a AND b", [("a ", 1), (" b", 1)]),
        ("a AND b AND c:-.5", [("a ", 1), (" b ", 1), (" c", -0.5)]),
        ("a:0.5 AND", [("a", 0.5), ("", 1)]),
        (r"a \AND b:2", [("a AND b:2", 1)]),
        ("a:1.2", [("a:1.2", 1)]),
        ("a:1.2.3 AND b", [("a:1.2.3 ", 1), (" b", 1)]),
        (r"a\:2 AND b", [("a:2 ", 1), (" b", 1)]),
        ("a:2 x AND b", [("a:2 x ", 1), (" b", 1)]),
        ("(a:2 AND b", [("a:2 ", 1.1), (" b", 1.1)]),
    ],
)
def test_and_joins_texts_with_weights(text, parts):
    """A weight of brackets shows in the spans; the weight of a text is its own."""
    found = prompt_schedule(text, 10).at(0)
    read = ["".join(span.text for span in part.prompt.sections[0]) for part in found]
    assert read == [one for one, _ in parts]
    if text.startswith("("):
        assert [part.prompt.sections[0][0].weight for part in found] == pytest.approx([one for _, one in parts])
    else:
        assert [part.weight for part in found] == [one for _, one in parts]


def test_and_within_brackets_joins_too_and_within_a_schedule():
    first, second = prompt_schedule("(a AND b:1.3)", 10).at(0)
    assert (first.prompt.sections, second.prompt.sections) == (((Span("a ", 1.3),),), ((Span(" b", 1.3),),))
    found = prompt_schedule("[a AND b:c:0.5] AND d:2", 10)
    assert [(step, len(parts)) for step, parts in found.entries] == [(0, 3), (5, 2)]
    assert found.at(9)[1].weight == 2


def test_equal_texts_are_one_with_the_sum_of_their_weights():
    parts = prompt_schedule("x:0.25 AND BREAK AND BREAK", 10).at(0)
    assert [one.weight for one in parts] == [0.25, 2]


def test_a_negative_prompt_takes_and_for_a_word():
    (part,) = prompt_schedule("a AND b:2", 10, conjunctions=False).at(0)
    assert part.prompt.sections == ((Span("a AND b:2"),),)


def test_break_and_weights_are_read_at_each_step():
    found = prompt_schedule("(x [BREAK:1] y:1.3)", 2)
    assert found.at(0)[0].prompt.sections == ((Span("x  y", 1.3),),)
    assert found.at(1)[0].prompt.sections == ((Span("x", 1.3),), (Span("y", 1.3),))


def test_tags_and_comments_are_no_part_of_a_schedule():
    found = prompt_schedule("[oak <lora:a:0.5>:elm:1] # [a:b:1]", 2)
    assert [network.name for network in found.networks] == ["a"]
    assert [parts[0].prompt.sections[0][0].text for _, parts in found.entries] == ["oak  ", "elm "]
    assert found.notes == ("left out as a comment: # [a:b:1]",)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("[oak:elm:ash:0.5]", "no schedule, so that its brackets only weigh: [oak:elm:ash:0.5]"),
        ("[(oak|elm):ash:0.5]", "no schedule, so that its brackets only weigh: [(oak|elm):ash:0.5]"),
        ("[oak|elm:0.5]", "no schedule, so that its brackets only weigh: [oak|elm:0.5]"),
        ("[(oak:elm:0.5]", "no schedule, so that its brackets only weigh: [(oak:elm:0.5]"),
        ("a [b:30] c", "a text is used at none of 10 steps: [b:30]"),
        ("[a:b:0.05]", "a text is used at none of 10 steps: [a:b:0.05]"),
        ("[" + "|".join("abcdefghijk") + "]", "a text is used at none of 10 steps: [a|b|c|d|e|f|g|h|i|j|k]"),
        ("[" + "x" * 60 + ":99]", "a text is used at none of 10 steps: [" + "x" * 36 + "..."),
    ],
)
def test_what_has_no_effect_is_named_in_a_note(text, note):
    assert prompt_schedule(text, 10).notes == (note,)


@pytest.mark.parametrize(
    "text",
    [
        "(word:1.2)", "[word]", "[a:b]", "[[a]]", "a|b", "(a|b)", r"\[a|b\]", r"[a\|b]", r"\AND", "AND1 sand and",
        "a BREAK b", "<lora:a:0.5>", "12:30", "]a|b[", "a:0.5]", "[a|b]", "[a:b:0.5]", "[:9]", "a AND b:2",
    ],
)  # fmt: skip
def test_what_is_read_as_written_gets_no_note(text):
    assert prompt_schedule(text, 10).notes == ()


def test_schedules_are_named_where_they_are_not_read():
    assert schedules_in("a [b|c] [d:[e:f:1]:2] AND x [g]") == ("[e:f:1]", "[d:[e:f:1]:2]", "[b|c]", "AND")
    assert schedules_in(r"\[b|c\] a \AND b [g] [a:b]") == ()
    assert schedules_in("[" * 500) == ()


# --- properties

PIECES = st.sampled_from([*r"ab\()[]:|#.15, ", "\n", "BREAK", " AND ", ":0.5]", ":2]", "[a:b:", "[a|", "(c:1.2)"])
WILD = st.lists(PIECES, max_size=40).map("".join)
WORDS = st.lists(st.sampled_from(["oak", "elm", " ", ",", "(moss:1.2)", "[fern]", r"\["]), max_size=5).map("".join)


@given(st.one_of(WILD, st.text()), st.integers(0, 30))
@settings(deadline=None, max_examples=300)
def test_any_text_is_read_and_steps_are_in_order(text, steps):
    found = texts_over(text, steps)
    firsts = [first for first, _ in found]
    assert firsts[0] == 0
    assert firsts == sorted(set(firsts))
    assert firsts[-1] < max(steps, 1)
    assert all(one != two for (_, one), (_, two) in itertools.pairwise(found))
    try:
        schedule = prompt_schedule(text.replace("<", ""), steps)
    except RequestError:  # a huge weight
        assume(False)
    assert all(parts for _, parts in schedule.entries)
    assert set(schedule.prompts) == {part.prompt for _, parts in schedule.entries for part in parts}


@given(st.one_of(WILD, st.text()), st.integers(1, 9))
@settings(deadline=None, max_examples=300)
def test_escaped_text_is_itself_at_every_step(text, steps):
    assert texts_over(escape(text), steps) == ((0, escape(text)),)
    assert prompt_schedule(escape(text), steps) == PromptSchedule.of(Prompt(((Span(text),) if text else (),)))


@given(WILD)
@settings(deadline=None, max_examples=300)
def test_without_a_schedule_a_prompt_is_the_one_text_that_is_read(text):
    assume(not schedules_in(text) and "AND" not in text)
    try:
        prompt = parse(text)
    except RequestError:
        return
    found = prompt_schedule(text, 7)
    assert found.prompts == (Prompt(prompt.sections),)
    assert len(found.entries) == 1


@given(WORDS, WORDS, WORDS, st.integers(0, 12), st.integers(0, 12))
@settings(deadline=None, max_examples=150)
def test_a_nested_schedule_is_the_composition(one, two, three, outer, inner):
    nested = f"[{one}:[{two}:{three}:{inner}]:{outer}]"
    for step in range(10):
        expected = one if step < outer else two if step < inner else three
        assert at(nested, step) == expected
        assert at(f"x[{one}|[{two}:{three}:{inner}]]", step) == "x" + (
            one if step % 2 == 0 else two if step < inner else three
        )


@given(WORDS, WORDS, st.integers(1, 60), st.floats(0, 1).map(lambda share: round(share, 2)))
@settings(deadline=None, max_examples=150)
def test_a_share_is_one_of_the_steps_that_run(one, two, steps, share):
    """However few run; a share of 100 steps is a whole number, and rounding does not take one away."""
    count = sum(at(f"[{one}x:{two}y:{share:.2f}]", step, steps) == one + "x" for step in range(steps))
    assert count == round(share * 100) * steps // 100


@pytest.mark.parametrize(
    "text",
    [
        "[a|b]" * 20_000, "[a:b:1]" * 14_000, "[a|" * 99 + "x" + "]" * 99, "[a:b:0.5" * 12_000, ")" * 100_000,
        "[" * 99 + ")]" * 50_000, "([" * 99 + "])" * 40_000, "|" * 100_000, ":" * 100_000, "a AND " * 16_000,
        "[x:" + "9" * 90_000 + "]", "[x:" + "9" * 90_000 + ".0]", "(" * 101 + "x", "[x:1]" + "word " * 19_000,
        "[:b:9999]" * 11_000 + "[a|b]", ": 1 AND" * 14_000, "[[[[[a|b]|c]|d]|e]|f]" * 4_000,
    ],
    ids=lambda text: f"{text[:8]!r} of {len(text)}",
)  # fmt: skip
def test_hostile_prompts_take_little_time_and_end_in_one_clear_error_or_none(text):
    began, found = time.process_time(), None
    try:
        prompt_schedule(text, 1000)
    except RequestError as error:
        found = error
    assert found is None or (len(str(found)) < 300 and found.field == "prompt" and found.hint)
    assert time.process_time() - began < 4


def test_too_many_texts_are_refused():
    with pytest.raises(RequestError, match="more than 32 texts with AND"):
        prompt_schedule(" AND ".join(map(str, range(33))), 10)
    with pytest.raises(RequestError, match="changes too often"):
        prompt_schedule("[a|b]" + "x" * 50_000, 1000)
    with pytest.raises(RequestError, match="more than 100 brackets are open at character 101"):
        prompt_schedule("[" * 101, 10)
