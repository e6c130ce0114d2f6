"""The things that a prompt names: few false alarms is the promise."""

from __future__ import annotations

import pytest

from overpaint.prompt import negated_things, things_in, unknown_things

KNOWN = frozenset({"flower", "daisy", "strawberry", "shirt", "pants", "building", "field", "sky", "red", "white"})


@pytest.mark.parametrize(
    ("prompt", "things"),
    [
        ("a red flower", ["flower"]),
        ("two fluffy white dogs running in a field of flowers", ["dogs", "field", "flowers"]),
        ("a man eating soup", ["man", "soup"]),
        ("a car parked beside a cat's basket", ["car", "basket"]),
        ("a photo of a golden retriever, soft light, highly detailed, 8k", ["retriever"]),
        ("(a rose:1.3) <lora:flowers:0.8> BREAK a lamp", ["rose", "lamp"]),
        ("something red", ["red"]),
        ("fluffy, soft, beautiful", []),
        ("background scenery", []),
        ("", []),
    ],
)
def test_a_phrase_is_about_its_last_noun(prompt, things):
    assert list(things_in(prompt, KNOWN)) == things


@pytest.mark.parametrize(
    "prompt",
    [
        "flowers", "daisies", "three strawberries", "a T-shirt", "a polo-shirt", "a pant", "RED", "a building",
        "a tall building at night, photorealistic, 8k", "a wonderful flower, in the style of a photograph",
        "red, white", "an iridescent flower", "the sky in the evening",
    ],
)  # fmt: skip
def test_plurals_adjectives_and_words_of_style_are_no_alarm(prompt):
    assert unknown_things(prompt, KNOWN) == ()


@pytest.mark.parametrize(
    ("prompt", "unknown"),
    [
        ("a red ball", ("ball",)),
        ("a dog, a cat and a dog", ("dog", "cat")),
        ("a flower in a vase", ("vase",)),
        ("eine rote Blume", ("blume",)),
        ("красный цветок", ("цветок",)),
    ],
)
def test_what_is_not_among_the_words_is_found(prompt, unknown):
    assert unknown_things(prompt, KNOWN) == unknown


def test_words_of_a_scene_are_no_things():
    added = (
        "flash photography, dim light, hard light, warm light, backlit, light from the right, top-down aerial view, "
        "20mm ultra wide-angle lens, 50mm standard lens, 200mm telephoto lens, shallow depth of field, film grain, "
        "slightly out of focus, muted colours, vivid colours, consistent lighting, matching perspective"
    )
    assert things_in(added) == ()


@pytest.mark.parametrize(
    ("prompt", "left_out"),
    [
        ("a meadow, no flower", ("flower",)),
        ("a beach without people or cars, no text", ("people", "cars", "text")),
        ("a wall without any flowers and a red door", ("flowers",)),
        ("no dogs nor cats in a field", ("dogs", "cats")),
        ("without the white building", ("building",)),
        ("a flower", ()),
        ("no", ()),
        ("nothing", ()),
        ("a nose, a snowy field", ()),
    ],
)
def test_what_a_prompt_wants_left_out_is_found(prompt, left_out):
    assert negated_things(prompt, KNOWN) == left_out


def test_a_comment_names_no_thing():
    assert things_in("a dog # without a cat\non a \\# sofa") == ("dog", "sofa")
    assert negated_things("a dog # without a cat") == ()
