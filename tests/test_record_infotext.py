"""Infotext in the form that AUTOMATIC1111 made common: written as it is, read tolerantly."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overpaint.record import Infotext, Record, RegionRecord, infotext, parse_infotext
from overpaint.record._foreign import from_parameters
from overpaint.record.infotext import compose
from overpaint.request import EditRequest, Execution
from overpaint.studio import resolve
from stand_ins import DIFFUSION, PIXEL


def record(card=DIFFUSION, engine="diffusion", **settings) -> Record:
    request = EditRequest.of(**({"intent": "replace", "prompt": "a wooden bench", "seed": 7} | settings))
    resolved = resolve(request, replace(card, name=engine), seed=7)
    region = RegionRecord(
        box=(40, 80, 220, 200), frame=(0, 40, 256, 296), working=(512, 512), grow=6, feather=8.5, seed=7
    )
    return Record(
        overpaint="1.2.3",
        request=request,
        resolved=resolved,
        execution=Execution(versions={"torch": "2.13.0"}),
        regions=(region,),
        size=(640, 480),
        reach=14,
        timings={"paint": 1.25},
        notes=("one", "two"),
    )


def test_infotext_is_written_in_the_order_and_with_the_keys_of_the_form():
    text = infotext(
        record(
            negative_prompt="blurry",
            model="realisticVision:v5, inpainting",
            masked_content="latent_noise",
            padding=32,
            clip_skip=2,
            guidance_scale=7,
        )
    )
    assert text == (
        "a wooden bench\nNegative prompt: blurry\n"
        "Steps: 25, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 7, Size: 512x512, "
        'Model: "realisticVision:v5, inpainting", Denoising strength: 0.85, Clip skip: 2, RNG: CPU, '
        "Inpaint area: Only masked, Masked area padding: 32, Masked content: latent noise, "
        "Intent: replace, Engine: diffusion, Version: overpaint 1.2.3"
    )


def test_settings_of_the_webui_have_its_keys_and_are_read_back():
    options = {
        "vae": "tiny", "subseed": 9, "subseed_strength": 0.5, "seed_resize_from_w": 64, "seed_resize_from_h": 96,
        "inpainting_mask_weight": 0.25, "ensd": 31337, "noise_source": "nv", "s_min_uncond_all": True, "eta": 1.0,
        "guidance_method": "apg", "exact_steps": True,
    }  # fmt: skip
    given = {"dialect": "webui", "mask_blur": (4.0, 2.0), "padding": 8, "working_size": (512, 768), "area": "masked"}
    text = infotext(record(options=options, **given))
    assert text.partition("\n")[2] == (
        "Steps: 25, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 7, Size: 512x768, VAE: tiny, "
        "Variation seed: 9, Variation seed strength: 0.5, Seed resize from: 64x96, Denoising strength: 0.85, "
        "Conditional mask weight: 0.25, ENSD: 31337, RNG: NV, Mask blur: 4 2, Inpaint area: Only masked, "
        "Masked area padding: 8, Eta: 1, NGMS all steps: True, "
        'Options: "{\\"exact_steps\\": true, \\"guidance_method\\": \\"apg\\"}", '
        "Dialect: webui, Intent: replace, Engine: diffusion, Version: overpaint 1.2.3"
    )
    found = from_parameters(text)
    assert found is not None
    assert found.settings["options"] == options
    assert {name: found.settings[name] for name in given} == given
    assert "Mask blur: 4, " in infotext(record(dialect="webui", mask_blur=4))
    assert from_parameters("a\n" + SETTINGS + ", Mask blur: soft").settings["Mask blur"] == "soft"


def test_defaults_are_left_out_and_an_inverted_mask_is_written():
    text = infotext(record(intent="background", area="whole"))
    assert "Masked content" not in text
    assert "Inpaint area" not in text
    assert "Clip skip" not in text
    assert "Mask mode: Inpaint not masked" in text


def test_an_engine_without_sampling_claims_none():
    text = infotext(record(PIXEL, "exemplar", intent="remove", prompt=None))
    assert text == (
        "Size: 512x512, Inpaint area: Only masked, Intent: remove, Engine: exemplar, Version: overpaint 1.2.3"
    )
    assert parse_infotext(text).settings["Engine"] == "exemplar"


LINE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=30).map(str.strip)
PROMPT = (
    st.lists(LINE, max_size=3)
    .map("\n".join)
    .map(str.strip)
    .filter(lambda text: "Negative prompt:" not in text and len(parse_infotext(text).settings) == 0)
)
VALUE = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.integers().map(str)
KEY = st.sampled_from(["Steps", "Sampler", "CFG scale", "Seed", "Size", "Lora hashes", "Masked content", "Version"])


@settings(deadline=None, max_examples=300)
@given(PROMPT, PROMPT, st.dictionaries(KEY, VALUE, min_size=3))
def test_infotext_there_and_back(prompt, negative, values):
    info = parse_infotext(compose(Infotext(prompt, negative, values)))
    assert (info.prompt, info.negative_prompt, dict(info.settings)) == (prompt, negative, values)


@settings(deadline=None, max_examples=300)
@given(st.text())
def test_no_text_whatever_breaks_the_reader(text):
    info = parse_infotext(text)
    assert len(info.settings) == 0 or len(info.settings) >= 3


def test_text_without_three_settings_on_its_last_line_is_all_prompt():
    info = parse_infotext("a cat: the movie, seed: 3")
    assert (info.prompt, dict(info.settings)) == ("a cat: the movie, seed: 3", {})


def test_what_other_writers_put_there_is_read():
    text = (
        "masterpiece, (best quality:1.2)\r\nsecond line\r\nNegative prompt: lowres\r\nbad hands\r\n"
        'Steps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7.0, Seed: 1234, Size: 512x768, Model hash: abc, '
        'Lora hashes: "detail: 123, more: 456", TI: "a \\"b\\"", Civitai resources: [{"type":"lora","w":0.5}], '
        "Denoising strength: 0.75, Mask blur: 4, Version: v1.10.1"
    )  # fmt: skip
    info = parse_infotext(text)
    assert info.prompt == "masterpiece, (best quality:1.2)\nsecond line"
    assert info.negative_prompt == "lowres\nbad hands"
    assert info.settings["Lora hashes"] == "detail: 123, more: 456"
    assert info.settings["TI"] == 'a "b"'
    assert json.loads(info.settings["Civitai resources"]) == [{"type": "lora", "w": 0.5}]
    assert info.settings["Denoising strength"] == "0.75"
    assert info.settings["Version"] == "v1.10.1"


SETTINGS = "Steps: 25, Sampler: Euler a, CFG scale: 7, Seed: 11, Size: 512x768, Model: some"


def test_lines_that_extensions_write_after_the_settings_do_not_hide_them():
    rest = "Template: a {cat|dog}\nNegative Template: {dog|cat}, x: 1, y: 2, z: 3"
    info = parse_infotext(f"a cat\nNegative prompt: dog\n{SETTINGS}\n{rest}")
    assert (info.prompt, info.negative_prompt, info.rest) == ("a cat", "dog", rest)
    assert info.settings["Seed"] == "11"
    assert compose(info) == f"a cat\nNegative prompt: dog\n{SETTINGS}\n{rest}"


@pytest.mark.parametrize(
    "text",
    [
        "Camera: Leica M6, Lens: 50mm, Film: Portra 400",
        "Model: Mustang, Engine: V8, Size: large, Version: 1967",
        "Garden\nWhere: Bern, When: 1984, Who: Anna and Ben",
        "Steps: three, and more words: here",
    ],
)
def test_a_persons_own_list_is_no_generators_settings(text):
    assert parse_infotext(text) == Infotext(text)


def test_a_broken_line_gives_what_it_can():
    info = parse_infotext('p\nSteps: 20, Sampler: "DPM, Seed: 5, , Size: 512x512, Model: ')
    assert dict(info.settings) == {"Steps": "20", "Sampler": '"DPM', "Seed": "5", "Size": "512x512", "Model": ""}


@pytest.mark.parametrize("prompt", ["", "a, b: c", "line\nbreak", '"quoted"', "Größe ☂"])
def test_a_record_s_prompt_comes_back(prompt):
    info = parse_infotext(infotext(record(intent="refine", prompt=prompt or None, negative_prompt="n: o")))
    assert (info.prompt, info.negative_prompt) == (prompt, "n: o")


@pytest.mark.parametrize(
    ("scale", "dialect", "named"),
    [(1.0, "native", False), (0.5, "native", True), (0.5, "diffusers", False), (2.0, "diffusers", True)],
)
def test_a_negative_prompt_without_effect_is_left_out(scale, dialect, named):
    text = infotext(record(negative_prompt="blur", guidance_scale=scale, dialect=dialect))
    assert ("Negative prompt: blur" in text) is named
