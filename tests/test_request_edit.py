"""A request is strict and frozen, says what is wrong in one sentence, and is the same in Python, JSON and TOML."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overpaint import other_names
from overpaint.engines import EngineCard
from overpaint.errors import RequestError
from overpaint.geometry import Box, Margins
from overpaint.other_names import OPTION_ALIASES, SETTING_ALIASES, VALUE_ALIASES, VERB_ALIASES, suggest_setting
from overpaint.request import (
    INTENTS,
    BoxPart,
    EditRequest,
    EditSettings,
    EllipsePart,
    MaskSpec,
    PolygonPart,
    ResolvedRequest,
    Usual,
    draw_seed,
    settings_reference,
)
from overpaint.studio import resolve
from overpaint.studio.inputs import GivenRasters
from overpaint.validation import SettingError
from overpaint.values import canonical_json, upgraded
from stand_ins import DIFFUSION, PIXEL

SEEDED = replace(PIXEL, accepts=frozenset({"seed"}))
REMOTE = EngineCard(
    name="e",
    title="",
    paints_from="prompt",
    accepts=frozenset({"prompt", "strength"}),
    edge="diffusion",
    elsewhere=True,
)
MASK = {"parts": [{"kind": "box", "box": [10, 10, 50, 40]}]}

BAD = [
    ({"strength": 2}, "strength must be between 0 and 1, not 2"),
    ({"strength": -0.1}, "strength must be between 0 and 1, not -0.1"),
    ({"strength": float("nan")}, "strength must be a number between 0 and 1, not nan"),
    ({"guidance_scale": float("inf")}, "guidance_scale must be a number between 0 and 100, not inf"),
    ({"strength": "high"}, "strength must be a number between 0 and 1, not 'high'"),
    ({"strength": True}, "strength must be a number between 0 and 1, not True"),
    ({"seed": False}, "seed must be a whole number between -1 and 9223372036854775807, not False"),
    ({"seed": 1.0}, "not 1.0"),
    ({"seed": 1 << 63}, "seed must be between -1 and"),
    ({"steps": 0}, "steps must be between 1 and 1000, not 0"),
    ({"strict": 1}, "strict must be true or false, not 1"),
    ({"padding": 2.5}, "padding must be a whole number between 0 and 65536, not 2.5"),
    ({"prompt": 3}, "prompt must be text, not 3"),
    ({"prompt": "\ud800"}, "prompt must be"),
    ({"prompt": "x" * 40_000}, "prompt must have at most 32000 characters, not 40000"),
    ({"engine": "  "}, "engine must not be blank"),
    ({"intent": "erase"}, "did you mean 'remove'?"),
    ({"intent": "rmove"}, "did you mean 'remove'?"),
    ({"masked_content": 2}, "did you mean 'latent_noise'?"),
    ({"area": "only masked"}, "did you mean 'masked'?"),
    ({"guidance_interval": [0.5, 0.2]}, "guidance_interval must go from the smaller to the larger"),
    ({"guidance_interval": [0.5, 2]}, r"guidance_interval\[1\] must be at most 1, not 2"),
    ({"intent": "expand", "margins": [1, 2, 3]}, r"margins\[3\] is missing"),
    ({"intent": "expand", "margins": [1, 2, 3, -4]}, r"margins\[3\] must be at least 0, not -4"),
    ({"intent": "expand", "margins": [0, 0, 0, 0]}, "margins 0,0,0,0 add nothing"),
    ({"intent": "remove", "margins": [1, 2, 3, 4]}, "use intent 'expand'"),
    ({"options": {"radius": float("nan")}}, "options.radius must be a finite number, not nan"),
    ({"options": {"radius": [None]}}, "options must not hold null"),
    ({"options": 3}, "options must be a table of settings, not 3"),
    ({"mask": 5}, "mask must be a table of settings, not 5"),
    ({"mask": {"parts": []}}, "mask.parts must have at least 1 entries, not 0"),
    ({"mask": {"parts": [{"kind": "box", "box": [10, 10, 10, 40]}]}}, "the box 10,10,10,40 has no area"),
    ({"mask": {"parts": [{"kind": "box", "box": [1, 2, 3]}]}}, r"mask.parts\[0\].box\[3\] is missing"),
    ({"mask": {"parts": [{"kind": "circle"}]}}, r"mask.parts\[0\]: kind must be one of 'box'.*not 'circle'"),
    ({"mask": {"parts": [{}]}}, r"mask.parts\[0\] must be a table with a kind"),
    ({"mask": {"parts": [{"kind": "full", "op": "subtract"}]}}, "the first part can't subtract"),
    ({"mask": {"parts": [{"kind": "full", "box": [1, 2, 3, 4]}]}}, r"unknown setting 'mask.parts\[0\].box'"),
    ({"mask": {**MASK, "inverted": True}}, "unknown setting 'mask.inverted'; did you mean 'invert'?"),
    ({"mask": {"parts": [{"kind": "polygon", "points": [[0, 0], [1, 1]]}]}}, "at least 3 entries, not 2"),
    ({"mask": {"parts": [{"kind": "strokes", "strokes": [[[0, 0]]], "width": 0}]}}, "width must be more than 0"),
    (
        {"sketch": {"sha256": "0" * 64, "width": 4, "height": 4}},
        "sketch must have depth 8 and channels 4, not 8 and 1",
    ),
    ({"sketch": {"sha256": "zz", "width": 4, "height": 4, "channels": 4}}, "sketch.sha256 must match"),
    ({"schema": 2}, "has schema 2, and this version of Overpaint knows 1 at most"),
    ({"schema": 0}, "schema must be 1, not 0"),
    ({"schema": True}, "schema must be a whole number"),
]


@pytest.mark.parametrize(("given_settings", "message"), BAD, ids=lambda value: str(value)[:40])
def test_a_value_that_can_not_be_is_one_clear_error(given_settings, message):
    with pytest.raises(RequestError, match=message):
        EditRequest.from_mapping(given_settings)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("denoising_strength", "strength"),
        ("denoising_stength", "strength"),
        ("cfg_scale", "guidance_scale"),
        ("inpainting_fill", "masked_content"),
        ("sampler_name", "sampler"),
        ("num_inference_steps", "steps"),
        ("mask_feather", "feather"),
        ("mask_blur_x", "mask_blur"),
        ("negative-prompt", "negative_prompt"),
        ("Prompt", "prompt"),
        ("stregth", "strength"),
        ("subseed_strength", "options"),
        ("soft_inpainting", "options"),
    ],
)
def test_an_unknown_key_is_an_error_that_suggests_the_right_name(name, right):
    with pytest.raises(SettingError, match=f"unknown setting '{name}'; did you mean '{right}'?"):
        EditRequest.of(**{name: 1})


def test_an_alias_is_suggested_but_never_obeyed():
    known = {setting.name for setting in settings_reference()}
    assert not known & set(SETTING_ALIASES)
    assert {right.partition(".")[0] for right in SETTING_ALIASES.values()} <= known
    choices = {setting.name: set(setting.choices) for setting in settings_reference()}
    for name, values in VALUE_ALIASES.items():
        assert set(values.values()) <= choices[name]
        assert not set(values) & choices[name]
    assert suggest_setting("q" * 5000, known) == ""


def test_other_programs_names_are_read_from_the_package():
    assert SETTING_ALIASES["cfg_scale"] == "guidance_scale"
    assert VALUE_ALIASES["masked_content"]["2"] == "latent_noise"
    assert OPTION_ALIASES["inpaint-mask"] == "--mask"
    assert VERB_ALIASES["erase"] == "remove"


def test_another_program_name_stands_for_one_of_ours_only():
    tables = json.loads(Path(other_names.__file__).with_suffix(".json").read_text(encoding="utf-8"))
    for table in (tables["settings"], *tables["values"].values(), tables["options"], tables["uses"], tables["verbs"]):
        names = " ".join(table.values()).split()
        assert len(names) == len(set(names))


def test_all_faults_are_reported_together_by_field():
    with pytest.raises(SettingError) as caught:
        EditRequest(strength=3, steps=0, mask={"parts": [{"kind": "box", "box": [0, 0, 9, "x"]}]})
    assert [(problem.field, problem.value) for problem in caught.value.problems] == [
        ("mask.parts[0].box[3]", "x"),
        ("strength", 3),
        ("steps", 0),
    ]
    assert str(caught.value).count(";") == 2


def test_a_long_value_is_cut_in_the_message():
    with pytest.raises(RequestError) as caught:
        EditRequest.of(mask="x" * 10_000)
    assert len(str(caught.value)) < 200


def test_lists_whole_numbers_and_our_own_values_are_taken_from_python():
    request = EditRequest.of(
        "expand",
        strength=1,
        grow=np.float32(2.5),
        seed=np.int64(7),
        margins=Margins(1, 2, 3, 4),
        mask=MaskSpec(parts=[BoxPart(box=Box(1, 2, 3, 4)), EllipsePart(box=[1, 2, 3, 4])]),
        guidance_interval=[0, 0.5],
    )
    assert (request.strength, request.grow, request.seed) == (1.0, 2.5, 7)
    assert request.margins == (1, 2, 3, 4)
    assert request.mask.parts[0].box == (1, 2, 3, 4)


def test_a_request_is_frozen_hashable_and_travels_between_processes():
    request = EditRequest.of("replace", prompt="a bench", options={"radius": 3}, mask=MASK)
    with pytest.raises(Exception, match="frozen"):
        request.prompt = "another"
    assert pickle.loads(pickle.dumps(request)) == request == copy.deepcopy(request)
    assert len({request, EditRequest.from_json(request.to_json())}) == 1


def test_merged_changes_a_copy_and_none_leaves_open_again():
    request = EditRequest.of("replace", prompt="a bench", seed=3, mask=MASK)
    other = request.merged(prompt=None, seed=4)
    assert (other.prompt, other.seed, other.mask) == (None, 4, request.mask)
    assert (request.prompt, request.seed) == ("a bench", 3)
    with pytest.raises(RequestError, match="strength must be between 0 and 1, not 7"):
        request.merged(strength=7)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.booleans() | st.integers(-(1 << 53), 1 << 53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
COORDINATE = st.floats(-1000, 1000)
BOX = st.tuples(*[st.integers(-50, 50)] * 2, *[st.integers(51, 200)] * 2)
SPEC = st.builds(
    lambda first, rest, invert: MaskSpec(parts=(first, *rest), invert=invert),
    st.builds(BoxPart, box=BOX, feather=st.floats(0, 40)),
    st.lists(
        st.builds(EllipsePart, box=BOX, op=st.sampled_from(["add", "subtract", "intersect"]))
        | st.builds(PolygonPart, points=st.lists(st.tuples(COORDINATE, COORDINATE), min_size=3, max_size=5)),
        max_size=3,
    ),
    st.booleans(),
)
FRACTION = st.floats(0, 1)
NAME = TEXT.filter(str.strip)
REQUEST = st.fixed_dictionaries(
    {"intent": st.sampled_from(sorted(INTENTS))},
    optional={
        "mask": SPEC,
        "prompt": TEXT,
        "negative_prompt": TEXT,
        "engine": NAME,
        "sampler": NAME,
        "options": st.dictionaries(TEXT, JSON, max_size=3),
        "padding": st.integers(0, 65536),
        "grow": st.floats(0, 4096),
        "strength": FRACTION,
        "guidance_interval": st.lists(FRACTION, min_size=2, max_size=2).map(sorted),
        "seed": st.integers(-1, (1 << 63) - 1),
        "strict": st.booleans(),
        "masked_content": st.sampled_from(["original", "fill", "exemplar"]),
    },
).map(EditRequest.from_mapping)


@settings(deadline=None, max_examples=120)
@given(REQUEST)
def test_json_and_toml_there_and_back_give_the_same_request(request):
    for back in (EditRequest.from_json(request.to_json()), EditRequest.from_toml(request.to_toml())):
        assert back == request
        assert back.digest == request.digest
    assert EditRequest.from_json(request.to_json(indent=None).encode()) == request
    assert "null" not in EditRequest.of(request.intent).to_json()


def test_a_digest_follows_the_meaning_and_not_the_spelling():
    one = EditRequest.from_json('{"strength": 1, "prompt": "a", "options": {"b": 1.0, "a": null}}')
    other = EditRequest.from_json('{"options": {"b": 1}, "prompt": "a", "strength": 1.0, "seed": null}')
    assert one.digest == other.digest
    assert one.digest != one.merged(strength=0.9).digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the request is not JSON"),
        ("[]", r"must be a table of settings, not \[\]"),
        ("3", "must be a table"),
        ('{"strength": NaN}', "JSON has no NaN"),
        ('{"strength": 1e999}', "strength must be a number between 0 and 1, not inf"),
        ('{"seed": 1, "seed": 2}', "'seed' is given twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"options": {"a": ' + "[" * 600 + "]" * 600 + "}}", "nested|recurs"),
        ('{"seed": ' + "9" * 5000 + "}", "the request is not JSON"),
        (b"\xff\xfe", "the request is not JSON"),
    ],
)
def test_text_that_is_no_request_is_one_clear_error(text, message):
    with pytest.raises(RequestError, match=message):
        EditRequest.from_json(text)


def test_toml_that_is_no_toml_is_one_clear_error():
    with pytest.raises(RequestError, match=r"the request is not TOML: .*line 2"):
        EditRequest.from_toml("seed = 1\nseed = 2\n")
    with pytest.raises(RequestError, match=r"options\.when must be a JSON value"):
        EditRequest.from_toml("[options]\nwhen = 2026-01-01\n")


def test_what_is_none_is_left_open_also_for_an_upgrade():
    steps = {0: lambda table: {**table, "names": sorted(table)}}
    assert upgraded({"schema": 0, "denoise": None, "seed": 1}, steps, current=1) == {
        "schema": 1,
        "seed": 1,
        "names": ["schema", "seed"],
    }
    assert upgraded({"schema": None, "seed": 1}, {}, current=3) == {"schema": 3, "seed": 1}


def test_older_requests_are_upgraded_one_version_at_a_time():
    steps = {
        0: lambda old: {"strength": old["denoise"] / 100},
        1: lambda old: {**old, "colour_match": True},
    }
    assert upgraded({"schema": 0, "denoise": 60}, steps, current=2) == {
        "schema": 2,
        "strength": 0.6,
        "colour_match": True,
    }
    assert upgraded({"strength": 1}, steps, current=2) == {"schema": 2, "strength": 1}


def test_the_canonical_form_is_that_of_rfc_8785():
    # the number examples of RFC 8785, appendix B, and its sorting example (section 3.2.3)
    numbers = {
        "0": -0.0, "5e-324": 5e-324, "1.7976931348623157e+308": 1.7976931348623157e308, "1e+23": 1e23, "1e+21": 1e21,
        "9007199254740992": 9007199254740992.0, "295147905179352830000": 295147905179352830000.0,
        "999999999999999700000": 999999999999999700000.0, "9.999999999999997e+22": 9.999999999999997e22,
        "9.999999999999997e-7": 9.999999999999997e-7, "0.000001": 0.000001, "333333333.3333333": 333333333.3333333,
        "-12.25": -12.25, "100": 100.0, "1e-7": 1e-7, "1.23e-18": 123e-20,
    }  # fmt: skip
    assert {canonical_json(number): number for number in numbers.values()} == numbers
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\x80", "\u00f6"]
    ordered = ["\r", "1", "\x80", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert canonical_json(dict.fromkeys(keys, 1)) == "{" + ",".join(f"{canonical_json(k)}:1" for k in ordered) + "}"
    assert (
        canonical_json({"a": [True, None, 2**63 - 1, 'x"\n\x1f']})
        == '{"a":[true,null,9223372036854775807,"x\\"\\n\\u001f"]}'
    )
    with pytest.raises(RequestError, match="finite"):
        canonical_json([float("inf")])


@settings(deadline=None, max_examples=300)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_canonical_number_reads_back_as_itself(number):
    assert float(canonical_json(number)) == number


@pytest.mark.parametrize("name", sorted(INTENTS))
@pytest.mark.parametrize("card", [PIXEL, DIFFUSION, REMOTE], ids=["pixel", "diffusion", "remote"])
def test_resolving_fills_in_what_was_left_open(name, card):
    rule = INTENTS[name]
    resolved = resolve(EditRequest.of(name, prompt="a cat"), card, seed=5)
    assert resolved.alpha == rule.alpha
    assert resolved.seed == (5 if card is DIFFUSION else None)
    assert resolved.edge == ("narrow" if rule.edge == "scaled" and card.edge == "pixel" else rule.edge)
    assert resolved.inverts_mask == rule.inverts_mask
    assert resolved.strength == (None if card is PIXEL else rule.strength)
    assert resolved.masked_content == (rule.masked_content if card is DIFFUSION else None)
    assert (resolved.steps is None) == (card is not DIFFUSION)
    assert resolved.prompt == (None if card is PIXEL else "a cat")
    assert type(resolved).from_json(resolved.to_json()) == resolved


@pytest.mark.parametrize("name", sorted(INTENTS))
def test_a_model_may_have_a_narrow_edge_where_the_intent_has_a_scaled_one(name):
    rule = INTENTS[name]
    request = EditRequest.of(name, prompt="a cat")

    def edge(wanted):
        return resolve(request, replace(DIFFUSION, edge=wanted), seed=5).edge

    assert edge("narrow") == edge("pixel") == ("narrow" if rule.edge == "scaled" else rule.edge)
    assert edge("diffusion") == rule.edge


def test_given_settings_override_the_intent():
    asked = {"strength": 0.3, "steps": 7, "alpha": "keep", "area": "masked", "reach_limit": 0, "guidance_scale": 0}
    resolved = resolve(EditRequest.of("background", prompt="x", **asked), DIFFUSION, seed=0)
    assert {name: getattr(resolved, name) for name in asked} == asked


def test_the_painting_digest_follows_seed_engine_and_settings_only():
    request = EditRequest.of("remove", seed=-1, steps=9)

    def digest(request=request, card=SEEDED, seed=1):
        return resolve(request, card, seed=seed).digest

    assert digest() == digest()
    assert digest() == digest(request.merged(steps=50, prompt="unheard", seed=1)), "a pixel engine takes no steps"
    assert (
        len({digest(), digest(seed=2), digest(card=replace(SEEDED, digest="new")), digest(request.merged(grow=3))}) == 4
    )
    assert digest(card=DIFFUSION) != digest(request.merged(steps=50), card=DIFFUSION)


def test_an_intent_that_paints_an_object_needs_a_prompt():
    for name in ("replace", "recolor", "background", "add"):
        with pytest.raises(RequestError, match=f"'{name}' with e needs a prompt") as caught:
            resolve(EditRequest.of(name, prompt=" "), DIFFUSION, seed=0)
        assert (caught.value.code, caught.value.field) == ("prompt-missing", "prompt")
        with pytest.raises(RequestError, match=f"'{name}' with small needs a prompt"):
            resolve(EditRequest.of(name), DIFFUSION, seed=0, model="small")
    assert resolve(EditRequest.of("remove"), DIFFUSION, seed=0).prompt == "background scenery"
    for own in ("", "an empty street"):
        card = replace(DIFFUSION, usual=Usual(background_prompt=own))
        assert resolve(EditRequest.of("remove"), card, seed=0).prompt == own, "a model's own phrase"
        assert resolve(EditRequest.of("remove", prompt="grass"), card, seed=0).prompt == "grass"


def test_a_resolved_request_of_schema_1_is_read_and_means_the_same():
    for kind, card in (("pixel", PIXEL), ("learned", DIFFUSION)):
        resolved = resolve(EditRequest.of("remove", detail="none"), card, seed=5)
        old = resolved.to_mapping() | {"schema": 1, "kind": kind, "edge": "scaled"}
        old.pop("detail", None)
        del old["paints_from"]
        assert ResolvedRequest.from_mapping(old) == resolved
    with pytest.raises(RequestError, match="schema 3"):
        ResolvedRequest.from_mapping(resolved.to_mapping() | {"schema": 3})


def test_a_resolved_request_gives_the_request_that_leaves_nothing_open():
    for card in (PIXEL, DIFFUSION, REMOTE):
        resolved = resolve(EditRequest.of("custom", prompt="a cat", steps=9, mask=MASK), card, seed=5)
        again = EditRequest.of(**resolved.settings() | {"engine": None})
        assert resolve(again, card, seed=5) == resolved


def test_a_drawn_seed_can_be_given_again_and_taken_by_other_tools():
    assert draw_seed(7) == 7
    assert draw_seed(0) == 0
    seeds = {draw_seed(None) for _ in range(20)} | {draw_seed(-1) for _ in range(20)}
    assert len(seeds) > 30
    assert all(0 <= seed < 1 << 32 for seed in seeds)


def test_importing_the_room_loads_no_heavy_library():
    code = "import sys, overpaint.request; print([m for m in ('numpy', 'PIL', 'cv2', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_request_does_not_change_with_the_table_that_it_was_made_of():
    options = {"radius": [1, 2], "left open": None}
    request = EditRequest.of(options=options)
    digest = request.digest
    options["radius"].append(3)
    assert request.options == {"radius": [1, 2]}
    assert request.digest == digest
    with pytest.raises(RequestError, match="text must be Unicode"):
        EditRequest.of(options={"a": ["\ud800"]})


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["parts", "kind", "box", "points", "raster", "sha256", "op", "data"]), inner)
    ),
    max_leaves=12,
)
KINDS = st.sampled_from(["box", "ellipse", "polygon", "strokes", "raster", "alpha", "full"])


@settings(deadline=None, max_examples=300)
@given(
    st.dictionaries(st.sampled_from([row.name for row in settings_reference()]) | st.text(max_size=5), ANYTHING)
    | st.fixed_dictionaries(
        {"mask": st.fixed_dictionaries({"parts": st.lists(st.dictionaries(st.just("kind"), KINDS) | ANYTHING)})}
    )
)
def test_nothing_whatever_gets_past_the_request_or_fails_in_another_way(mapping):
    try:
        request = EditRequest.from_mapping(mapping)
    except RequestError as error:
        complaint = str(error)
    else:
        complaint = "none"
        assert EditRequest.from_json(request.to_json()) == request
    assert complaint
    assert "Input should" not in complaint, "pydantic's own words"


@pytest.mark.parametrize("name", ["sketch", "image", "controls[0].image", "mask.parts[0].raster"])
def test_a_path_in_the_place_of_a_raster_is_refused_by_its_field(name: str) -> None:
    fields: dict[str, Any] = {
        "sketch": {"sketch": "a.png"},
        "image": {"image": "a.png"},
        "controls[0].image": {"controls": [{"kind": "canny", "image": "a.png"}]},
        "mask.parts[0].raster": {"mask": {"parts": [{"kind": "raster", "raster": "a.png"}]}},
    }
    with pytest.raises(RequestError, match=r"must be a raster by its digest.*not the file 'a\.png'") as caught:
        EditRequest.of("replace", **fields[name])
    assert (caught.value.field, caught.value.value) == (name, "a.png")


def test_every_setting_is_a_keyword_that_type_checkers_know():
    """EditSettings lists the request's fields once more, for editors: the two must not drift apart."""
    rasters = set(GivenRasters.__annotations__)
    fields = set(EditRequest.model_fields) - {"schema_"}
    assert set(EditSettings.__annotations__) == fields - rasters
    assert rasters - fields == {"inputs"}
    words = {name: _words(hint) for name, hint in get_type_hints(EditSettings).items()}
    assert words == {name: _words(EditRequest.model_fields[name].annotation) for name in words}
    assert words["detail"] == {"surroundings", "full", "careful", "none"}


def _words(hint: Any) -> set[Any]:
    """The values of every Literal within a type."""
    if get_origin(hint) is Literal:
        return set(get_args(hint))
    return set().union(*(_words(one) for one in get_args(hint)))
