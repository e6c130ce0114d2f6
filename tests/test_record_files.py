"""A record goes into every format and comes back from it; other tools' records are read as far as they are plain."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overpaint.errors import RecordError
from overpaint.picture import Metadata, Picture, encode, open_picture
from overpaint.picture.exif import user_comment, with_user_comment
from overpaint.picture.xmp import read_property, with_property
from overpaint.record import NAMESPACE, FoundRecord, Record, _foreign, embed, infotext, read_record, sidecar_path, strip
from overpaint.request import BoxPart, EditRequest, MaskSpec, RasterPart, blob_of
from test_record_infotext import record

PIXELS = np.random.default_rng(3).integers(0, 256, (24, 32, 3), np.uint8)
FORMATS = ["png", "jpeg", "webp", "tiff", "avif"]


def picture(**metadata) -> Picture:
    return Picture(PIXELS, metadata=Metadata(**metadata))


def saved(picture: Picture, made: Record, format: str) -> bytes:
    return encode(replace(picture, metadata=embed(picture.metadata, made, format)), format).data


def text_of(**text) -> FoundRecord:
    found = read_record(picture(text=text))
    assert found is not None
    return found


def test_a_record_is_the_same_there_and_back():
    mask = np.zeros((30, 40), np.uint8)
    mask[5:20, 5:20] = 255
    made = record(mask=MaskSpec(parts=[RasterPart(raster=blob_of(mask)), BoxPart(box=(1, 1, 5, 5))]))
    text = made.to_json()
    assert Record.from_json(text) == made
    assert text.count('"data"') == 1, "a raster is written once, though request and resolved request both name it"
    assert Record.from_mapping(made.to_mapping()).resolved.digest == made.resolved.digest


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_carries_the_record_and_gives_it_back(format):
    made = record(prompt="a bench: \"old\", grün ☂\nsecond line", options={"radius": 3})  # fmt: skip
    found = read_record(saved(picture(), made, format))
    assert found.tool == "Overpaint"
    assert found.record == made.model_copy(update={"timings": {}})
    assert found.prompt == made.request.prompt
    assert found.settings["seed"] == 7
    assert found.settings["strength"] == 0.85
    assert found.place == ("PNG text" if format == "png" else "XMP")


@pytest.mark.parametrize("format", FORMATS)
def test_infotext_stands_where_other_tools_look_for_it(format):
    written = open_picture(saved(picture(), made := record(), format)).metadata
    match format:
        case "png":
            assert written.text["parameters"] == infotext(made)
        case "tiff":
            assert read_property(written.xmp, NAMESPACE, "parameters") == infotext(made)
        case _:
            assert user_comment(written.exif) == infotext(made)


@pytest.mark.parametrize("format", FORMATS)
def test_equal_edits_give_equal_files(format):
    one = record()
    other = one.model_copy(update={"timings": {"paint": 9.0}})
    assert saved(picture(), one, format) == saved(picture(), other, format)


@pytest.mark.parametrize("format", FORMATS)
def test_embedding_twice_is_embedding_once_and_stripping_undoes_it(format):
    first, second = record(seed=1), record(prompt="another")
    once = embed(Metadata(), second, format)
    twice = embed(embed(Metadata(), first, format), second, format)
    found = read_record(Picture(PIXELS, metadata=twice))
    assert found == read_record(Picture(PIXELS, metadata=once))
    assert found.record.request.prompt == "another"
    assert read_record(Picture(PIXELS, metadata=strip(twice))) is None


@pytest.mark.parametrize("format", ["png", "tiff"])
def test_a_file_of_another_format_holds_no_record_of_the_edit_before(format):
    second = record(seed=2)
    after = embed(embed(Metadata(), record(seed=1, prompt="the one before"), "jpeg"), second, format)
    assert not user_comment(after.exif)
    data = encode(Picture(PIXELS, metadata=after), format).data
    assert b"the one before" not in data
    assert read_record(data).record.request.seed == 2


@pytest.mark.parametrize("format", ["png", "jpeg"])
def test_parameters_of_another_tool_are_replaced_and_kept_as_the_original(format):
    theirs = "a castle\nSteps: 20, Sampler: Euler a, Seed: 5, Size: 512x512, Version: v1.10.1"
    before = (
        Metadata(text={"parameters": theirs}) if format == "png" else Metadata(exif=with_user_comment(None, theirs))
    )
    after = embed(embed(before, record(), format), record(prompt="b"), format)
    assert read_record(Picture(PIXELS, metadata=after)).prompt == "b"
    if format == "png":
        assert after.text["parameters_original"] == theirs
    else:
        assert read_property(after.xmp, NAMESPACE, "parameters_original") == theirs
    restored = read_record(Picture(PIXELS, metadata=strip(after)))
    assert (restored.tool, restored.prompt, restored.settings["steps"]) == ("AUTOMATIC1111", "a castle", 20)


OLD = "Steps: 25, Sampler: Euler a, CFG scale: 7, Seed: 11, Size: 512x768, Model: some"


@pytest.mark.parametrize(
    "theirs",
    [
        f"a cat\nNegative prompt: dog\n{OLD}\nTemplate: a {{cat|dog}}",
        f"{{red|blue}} car\n{OLD}",
        json.dumps({"prompt": "a cat", "guidance_scale": 4.0, "seed": 5, "base_model": "jugger"}),
    ],
)
def test_an_older_generation_text_in_a_jpeg_is_replaced_and_kept_as_the_original(theirs):
    after = embed(Metadata(exif=with_user_comment(None, theirs)), made := record(), "jpeg")
    assert user_comment(after.exif) == infotext(made)
    assert read_property(after.xmp, NAMESPACE, "parameters_original") == theirs
    assert user_comment(strip(after).exif) == theirs


def test_a_prompt_that_begins_with_a_brace_is_infotext_and_no_json():
    found = text_of(parameters=f"{{red|blue}} car, {{{{masterpiece}}}}\nNegative prompt: dog\n{OLD}")
    assert (found.tool, found.prompt) == ("AUTOMATIC1111", "{red|blue} car, {{masterpiece}}")
    assert (found.negative_prompt, found.settings["seed"]) == ("dog", 11)


def test_an_infotext_of_ours_whose_record_had_no_room_is_removed_too():
    alone = Metadata(exif=with_user_comment(None, infotext(record())))
    assert user_comment(strip(alone).exif) is None
    in_xmp = Metadata(xmp=with_property(None, NAMESPACE, "parameters", infotext(record())))
    assert read_property(strip(in_xmp).xmp, NAMESPACE, "parameters") in (None, "")


@pytest.mark.parametrize(
    "comment", ["Grandmother's garden, 1984", "Camera: Leica, Lens: 50mm, Film: Portra", '{"album": 3}']
)
def test_a_persons_own_comment_and_other_metadata_stay(comment):
    before = Metadata(
        exif=with_user_comment(None, comment),
        xmp=with_property(None, "http://example.org/", "rating", "5"),
        text={"Title": "Garden"},
        dpi=(300, 300),
    )
    after = embed(before, record(), "jpeg")
    assert user_comment(after.exif) == comment
    assert read_property(after.xmp, "http://example.org/", "rating") == "5"
    assert after.dpi == (300, 300)
    assert read_record(Picture(PIXELS, metadata=after)).record is not None
    assert embed(before, record(), "png").text["Title"] == "Garden"


def test_a_record_too_large_for_a_jpeg_names_its_mask_by_digest():
    mask = np.random.default_rng(0).integers(0, 256, (180, 180), np.uint8)
    made = record(mask=MaskSpec(parts=[RasterPart(raster=blob_of(mask))]))
    assert len(made.to_json()) > 40_000
    heavy = made.model_copy(update={"notes": ("x" * 30_000,)})
    metadata = embed(Metadata(), heavy, "jpeg")
    assert len(metadata.xmp) < 65_000
    found = read_record(encode(Picture(PIXELS, metadata=metadata), "jpeg").data)
    assert found.record.request.digest == heavy.request.digest
    assert found.record.request.mask.parts[0].raster.data is None
    assert "named by its digest" in found.record.notes[-1]
    assert read_record(saved(picture(), heavy, "png")).record.request == heavy.request


def test_a_prompt_too_long_for_a_jpeg_s_exif_still_saves():
    made = record(prompt="ж" * 32_000)
    data = saved(picture(), made, "jpeg")
    assert open_picture(data).samples.shape == PIXELS.shape


def test_a_sidecar_is_found_beside_the_file_and_by_its_own_name(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(encode(picture(), "jpeg").data)
    assert read_record(path) is None
    assert sidecar_path(path).name == "photo.jpg.overpaint.json"
    made = record()
    sidecar_path(path).write_text(made.to_json(), encoding="utf-8")
    for source in (path, str(path), sidecar_path(path), open_picture(path)):
        found = read_record(source)
        assert (found.place, found.record) == ("sidecar", made)
    path.write_bytes(saved(picture(), record(prompt="within"), "jpeg"))
    assert read_record(path).prompt == "within"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '{"request": 3}', '{"request": {"seed": 1.5}}', '{"schema": 9, "request": {}}', "[" * 90_000],
)  # fmt: skip
def test_a_damaged_record_is_reported_and_never_a_crash(text, tmp_path):
    with pytest.raises(RecordError):
        Record.from_json(text)
    path = tmp_path / "a.png.overpaint.json"
    path.write_text(text)
    with pytest.raises(RecordError, match=r"a\.png\.overpaint\.json: "):
        read_record(path)
    (tmp_path / "a.png").write_bytes(encode(picture(text={"overpaint": text, "parameters": "a\nSeed: 1, Steps: 2, B: 3"}), "png").data)  # fmt: skip  # noqa: E501
    found = read_record(tmp_path / "a.png")
    assert found.prompt == "a"
    assert len(found.notes) == 2
    assert text == "" or read_record(picture(text={"overpaint": text})).notes


def test_a_request_inside_a_record_of_an_older_schema_would_be_upgraded():
    mapping = record().to_mapping()
    mapping["request"]["schema"] = 0
    with pytest.raises(RecordError, match="schema must be 1, not 0"):
        Record.from_mapping(mapping)
    assert Record.from_mapping(record().to_mapping() | {"request": EditRequest().to_mapping()}).request == EditRequest()


def test_a_picture_that_says_nothing_gives_nothing():
    assert read_record(picture()) is None
    assert read_record(picture(text={"Title": "Garden"}, exif=with_user_comment(None, "my comment"))) is None
    assert read_record(encode(picture(), "png").data) is None


COMFY = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 42, "steps": 20, "cfg": 8.0, "sampler_name": "euler",
          "scheduler": "karras", "denoise": 0.6, "model": ["10", 0], "positive": ["12", 0], "negative": ["12", 1],
          "latent_image": ["5", 0]}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15-inpainting.safetensors"}},
    "5": {"class_type": "VAEEncodeForInpaint", "inputs": {"pixels": ["1", 0]}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": ["11", 0], "clip": ["4", 1]}},
    "10": {"class_type": "LoraLoader", "inputs": {"lora_name": "x", "model": ["4", 0], "clip": ["4", 1]}},
    "11": {"class_type": "PrimitiveString", "inputs": {"value": "blurry"}},
    "12": {"class_type": "ControlNetApplyAdvanced", "inputs": {"positive": ["6", 0], "negative": ["7", 0]}},
    "20": {"class_type": "KSampler", "inputs": {"seed": 1, "steps": 3, "latent_image": ["3", 0], "positive": ["6", 0]}},
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0]}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "a"}},
}  # fmt: skip


def test_comfyui_is_read_through_its_links():
    found = text_of(prompt=json.dumps(COMFY), workflow="{}")
    assert (found.tool, found.prompt, found.negative_prompt) == ("ComfyUI", "a cat", "blurry")
    assert found.settings == {
        "seed": 42, "steps": 20, "guidance_scale": 8.0, "sampler": "euler", "scheduler": "karras", "strength": 0.6,
        "model": "sd15-inpainting.safetensors",
    }  # fmt: skip


def test_comfyui_s_custom_samplers_keep_their_settings_in_nodes_of_their_own():
    graph = {
        "1": {"class_type": "SamplerCustomAdvanced", "inputs": {"noise": ["2", 0], "guider": ["3", 0], "sampler": ["4", 0], "sigmas": ["5", 0], "latent_image": ["9", 0]}},  # noqa: E501
        "2": {"class_type": "RandomNoise", "inputs": {"noise_seed": 99}},
        "3": {"class_type": "BasicGuider", "inputs": {"conditioning": ["6", 0], "model": ["7", 0]}},
        "4": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
        "5": {"class_type": "BasicScheduler", "inputs": {"scheduler": "simple", "steps": 28, "denoise": 1.0}},
        "6": {"class_type": "CLIPTextEncodeFlux", "inputs": {"clip_l": "short", "t5xxl": "a long text"}},
        "7": {"class_type": "UNETLoader", "inputs": {"unet_name": "flux1-fill-dev.safetensors"}},
        "9": {"class_type": "InpaintModelConditioning", "inputs": {}},
        "10": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
    }  # fmt: skip
    found = text_of(prompt=json.dumps(graph))
    assert found.prompt == "a long text"
    assert (found.settings["seed"], found.settings["steps"], found.settings["sampler"]) == (99, 28, "euler")
    assert found.settings["model"] == "flux1-fill-dev.safetensors"


def test_comfyui_s_workflow_alone_is_named_and_not_guessed():
    found = text_of(workflow='{"nodes": []}')
    assert (found.tool, dict(found.settings)) == ("ComfyUI", {})
    assert "only the editor's workflow" in found.notes[0]


GRAPH = st.dictionaries(
    st.sampled_from("12345"),
    st.fixed_dictionaries(
        {"class_type": st.sampled_from(["KSampler", "SaveImage", "CLIPTextEncode", "LoraLoader"])},
        optional={
            "inputs": st.dictionaries(
                st.sampled_from(["positive", "negative", "text", "latent_image", "seed", "model", "guider", "images"]),
                st.tuples(st.sampled_from("12345"), st.just(0)).map(list) | st.text(max_size=3) | st.none(),
            )
        },
    ),
)  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(GRAPH)
def test_no_graph_whatever_breaks_the_reader_not_even_a_circle(graph):
    read_record(picture(text={"prompt": json.dumps(graph)}))


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from(["prompt", "parameters", "invokeai_metadata", "sd-metadata", "Comment", "overpaint", "workflow"]),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["image", "prompt", "model", "sui_image_params", "request", "inputs", "name", "seed", "uc"]
                ),
                inner,
            )
        ),
        max_leaves=10,
    ),
)
def test_no_json_whatever_breaks_the_reader(key, value):
    read_record(picture(text={key: json.dumps(value), "Software": "NovelAI"}))


def test_invokeai_is_read():
    meta = {
        "generation_mode": "inpaint", "positive_prompt": "a bench", "negative_prompt": "blurry", "seed": 3, "steps": 30,
        "cfg_scale": 7.5, "scheduler": "dpmpp_2m_k", "strength": 0.7, "model": {"name": "dreamshaper", "base": "sd-1"},
    }  # fmt: skip
    found = text_of(invokeai_metadata=json.dumps(meta), invokeai_graph="{}")
    assert (found.tool, found.prompt, found.negative_prompt) == ("InvokeAI", "a bench", "blurry")
    assert (found.settings["sampler"], found.settings["model"]) == ("dpmpp_2m_k", "dreamshaper")
    assert (found.settings["guidance_scale"], found.settings["strength"]) == (7.5, 0.7)
    old = {"model_weights": "sd-1.5", "image": {"prompt": [{"prompt": "a bench", "weight": 1}], "steps": 9, "seed": 4}}
    found = text_of(**{"sd-metadata": json.dumps(old)})
    assert (found.prompt, found.settings) == ("a bench", {"model": "sd-1.5", "steps": 9, "seed": 4})


def test_novelai_fooocus_and_swarmui_are_read():
    comment = {"steps": 28, "sampler": "k_euler", "seed": 11, "scale": 5.0, "uc": "lowres", "strength": 0.7}
    found = text_of(Software="NovelAI", Description="1girl", Comment=json.dumps(comment))
    assert (found.tool, found.prompt, found.negative_prompt) == ("NovelAI", "1girl", "lowres")
    assert (found.settings["guidance_scale"], found.settings["seed"]) == (5.0, 11)
    fooocus = {"prompt": "a cat", "negative_prompt": "", "guidance_scale": 4.0, "seed": "123", "base_model": "jugger"}
    found = text_of(parameters=json.dumps(fooocus), fooocus_scheme="fooocus")
    assert (found.tool, found.settings["seed"], found.settings["model"]) == ("Fooocus", 123, "jugger")
    swarm = {"sui_image_params": {"prompt": "a dog", "negativeprompt": "x", "cfgscale": 7, "seed": 5, "model": "m"}}
    found = text_of(parameters=json.dumps(swarm))
    assert (found.tool, found.negative_prompt, found.settings["guidance_scale"]) == ("SwarmUI", "x", 7)


@pytest.mark.parametrize("comment", ["ASCII", "UNICODE ☂"])
def test_automatic1111_is_read_from_a_jpeg(comment):
    text = f"{comment}\nNegative prompt: n\nSteps: 20, Sampler: Euler, CFG scale: 7.0, Seed: 5, Inpaint area: Only masked, Masked content: latent noise, Version: f2.0.1v1.10.1"  # noqa: E501
    data = encode(picture(exif=with_user_comment(None, text)), "jpeg").data
    found = read_record(data)
    assert (found.tool, found.place, found.prompt) == ("Forge", "EXIF", comment)
    assert found.settings["guidance_scale"] == 7.0
    assert (found.settings["area"], found.settings["masked_content"]) == ("masked", "latent_noise")


def test_comfyui_is_read_from_a_webp():
    from PIL import Image

    exif = Image.Exif()
    exif[0x010F] = "workflow:{}"
    exif[0x0110] = "prompt:" + json.dumps(COMFY)
    found = read_record(picture(exif=exif.tobytes().removeprefix(b"Exif\0\0")))
    assert (found.tool, found.prompt, found.settings["seed"]) == ("ComfyUI", "a cat", 42)


def test_the_page_on_records_names_the_tools_that_are_read_and_the_places_that_are_written():
    page = (Path(__file__).parents[1] / "docs" / "records.md").read_text(encoding="utf-8")
    source = Path(_foreign.__file__).read_text(encoding="utf-8")
    tools = {"AUTOMATIC1111", "Forge", "SD.Next", "Fooocus", "ComfyUI", "InvokeAI", "NovelAI", "SwarmUI"}
    assert set(re.findall(r'FoundRecord\(\s*"([\w.]+)"', source)) <= tools
    assert all(tool in page and f'"{tool}"' in source for tool in tools)
    assert all(f"`{name}`" in page for name in (NAMESPACE, "overpaint", "parameters", "record", "parameters_original"))


def test_the_settings_of_our_own_record_can_be_requested_again():
    found = read_record(saved(picture(), record(intent="expand", margins=(1, 2, 3, 4), mask=None), "png"))
    again = EditRequest.of(prompt=found.prompt, **found.settings)
    assert (again.intent, again.margins, again.seed, again.steps) == ("expand", (1, 2, 3, 4), 7, 25)
