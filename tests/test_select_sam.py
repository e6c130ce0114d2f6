"""Networks of the SAM family: their masks are those of transformers' own models and processors, from any file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil
from transformers.models.sam.processing_sam import SamProcessor

import sam_networks
from overpaint.cli.messages import in_line
from overpaint.errors import ModelError, OverpaintError
from overpaint.geometry import Box, Size
from overpaint.mask import Mask
from overpaint.models import accept, licence_terms
from overpaint.picture import Picture, from_array
from overpaint.select import HintPoint, SelectorHints, networks, select, selected
from overpaint.select.cache import shared
from overpaint.select.networks import network_access
from overpaint.select.sam import masks_of_boxes, transformers_networks
from overpaint.select.sam.prepare import HALF, SamPicture
from sam_networks import SIDE, photo

PADDED, SQUARE = SamPicture(SIDE), SamPicture(SIDE, False)
FAMILY = tuple(sam_networks.SETTINGS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Any]]:
    """A folder and the model in it, of each network."""
    made = {}
    for name in FAMILY:
        folder = tmp_path_factory.mktemp("networks") / name
        made[name] = folder, sam_networks.saved(name, folder)
    return made


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A store of its own, in which SAM 3's licence is accepted, and paths that may be named."""
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    accept(licence_terms("sam3"))
    with network_access(paths=True):
        yield tmp_path / "home" / "models"
    networks.release()
    shared.clear()


def picture() -> Picture:
    return from_array(photo())


def hints(folder: Path, *points: tuple[float, float], **more: Any) -> SelectorHints:
    inside = more.pop("inside", (True,) * len(points))
    marked = tuple(HintPoint(*at, inside=one) for at, one in zip(points, inside, strict=True))
    return SelectorHints(points=marked, options={"model": str(folder), "refine": False}, **more)


def own_inputs(name: str, pixels: np.ndarray, **places: Any) -> dict[str, torch.Tensor]:
    """The inputs of transformers' own processor; for the networks whose processor wants torchvision by its formula."""
    height, width = pixels.shape[:2]
    if name in ("sam", "sam-hq"):
        square = {"height": SIDE, "width": SIDE}
        processor = SamProcessor(SamImageProcessorPil(size={"longest_edge": SIDE}, pad_size=square))
        found = processor(Image.fromarray(pixels), return_tensors="pt", **places)
        kept = ("pixel_values", *places)
        return {key: one.float() if one.is_floating_point() else one for key, one in found.items() if key in kept}
    half = name == "sam3"
    resized = np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32) / 255
    mean, deviation = ((0.5,) * 3,) * 2 if half else ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    values = ((resized - mean) / deviation).astype(np.float32).transpose(2, 0, 1)
    found = {"pixel_values": torch.from_numpy(values)[None]}
    scale = torch.tensor([SIDE / width, SIDE / height])
    for key, one in places.items():
        value = torch.tensor(one)
        found[key] = (
            value if key == "input_labels" else (value.reshape(*value.shape[:-1], -1, 2) * scale).reshape(value.shape)
        )
    return found


def at_size(name: str, logits: torch.Tensor, size: Size) -> np.ndarray:
    """Masks as transformers' processors give them."""
    if name in ("sam", "sam-hq"):
        scale = SIDE / max(size)
        height, width = (int(side * scale + 0.5) for side in size.shape)
        logits = torch.nn.functional.interpolate(logits, (SIDE, SIDE), mode="bilinear")[..., :height, :width]
    return (torch.nn.functional.interpolate(logits, size.shape, mode="bilinear") > 0)[0].numpy()


def pixel(x: float, y: float, size: Size, square: bool) -> list[float]:
    """A place as the number of a pixel, which networks add half a pixel of their own input to."""
    scale = (SIDE / size.width, SIDE / size.height) if square else (SIDE / max(size),) * 2
    return [x - 0.5 / scale[0], y - 0.5 / scale[1]]


@pytest.mark.parametrize("name", FAMILY)
def test_masks_are_those_of_transformers_own_model_and_processor(folders, name):
    folder, model = folders[name]
    pixels = photo()
    size, square = Size(120, 90), name in ("sam2", "edgetam", "sam3")
    points = [pixel(50, 40, size, square), pixel(90.5, 20.25, size, square)]
    corners = [*pixel(20, 10, size, square), *pixel(100, 80, size, square)]
    asked = {
        "one": ({"input_points": [[points[:1]]], "input_labels": [[[1]]]}, hints(folder, (50, 40))),
        "two": (
            {"input_points": [[points]], "input_labels": [[[1, 0]]]},
            hints(folder, (50, 40), (90.5, 20.25), inside=(True, False)),
        ),
        "box": ({"input_boxes": [[corners]]}, hints(folder, boxes=(Box(20, 10, 100, 80),))),
    }
    for what, (places, given_hints) in asked.items():
        inputs = own_inputs(name, pixels, **places)
        if "input_points" in inputs and inputs["input_points"].ndim == 3:
            inputs["input_points"], inputs["input_labels"] = inputs["input_points"][None], inputs["input_labels"][None]
        with torch.inference_mode():
            own = model(**inputs, multimask_output=what == "one")
        order = own.iou_scores[0, 0].argsort(descending=True)
        wanted = at_size(name, own.pred_masks[0, 0][order][None], size)
        found = select(picture(), "sam", given_hints)
        assert len(found) == (3 if what == "one" else 1)
        for mask, one, score in zip(wanted, found, own.iou_scores[0, 0][order].clamp(0, 1), strict=True):
            assert (mask != one.mask.core).mean() < 0.01, what
            assert one.score == pytest.approx(float(score), abs=0.02)
        assert 0.03 < found[0].mask.fraction < 0.97


@settings(max_examples=20)
@given(width=st.integers(1, 200), height=st.integers(1, 200))
def test_pictures_are_prepared_as_pillow_and_transformers_prepare_them(width, height):
    pixels = np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, 3), np.uint8)
    colours, size = pixels.astype(np.float32) / 255, Size(width, height)
    square = {"height": SIDE, "width": SIDE}
    processor = SamImageProcessorPil(size={"longest_edge": SIDE}, pad_size=square)
    content = PADDED.content(size)
    if min(processor._get_preprocess_shape((height, width), SIDE)) > 0:  # Pillow makes no picture without a row
        own = processor(Image.fromarray(pixels), return_tensors="np")["pixel_values"]
        assert content.shape == processor._get_preprocess_shape((height, width), SIDE)
        assert np.abs(PADDED.input_of(colours, size).numpy() - own).max() < 1.1 / 255 / 0.224
    resized = np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BILINEAR)) / 255
    own = ((resized - 0.5) / 0.5).transpose(2, 0, 1)[None]
    assert np.abs(SamPicture(SIDE, False, HALF, HALF).input_of(colours, size).numpy() - own).max() < 1.1 / 255 / 0.5


@pytest.mark.parametrize("takes", [PADDED, SQUARE])
@pytest.mark.parametrize("size", [Size(120, 90), Size(31, 77), Size(300, 40)])
def test_a_mask_comes_back_from_where_it_was_put(takes, size):
    down, across = np.mgrid[: size.height, : size.width] + 0.5
    mask = (across > size.width / 3) & (down < size.height * 0.6)
    logits = takes.mask_input(mask, SIDE)[0, 0]
    back = takes.mask_of(logits, size)
    step = max(size) / SIDE
    near = (np.abs(across - size.width / 3) < 1.5 * step + 1) | (np.abs(down - size.height * 0.6) < 1.5 * step + 1)
    assert np.array_equal(back[~near], mask[~near])


def test_a_further_click_runs_the_decoder_alone(folders, monkeypatch):
    folder, model = folders["sam2"]
    looked: list[int] = []
    own = type(model).get_image_embeddings
    monkeypatch.setattr(type(model), "get_image_embeddings", lambda *a, **k: looked.append(1) or own(*a, **k))
    for x in (20, 50, 80):
        select(picture(), "sam", hints(folder, (x, 40)))
    assert len(looked) == 1
    changed = photo()
    changed[0, 0] ^= 1
    select(from_array(changed), "sam", hints(folder, (20, 40)))
    assert len(looked) == 2


def test_one_point_gives_alternatives_of_which_the_surest_counts(folders):
    folder, _ = folders["sam"]
    found = select(picture(), "sam", hints(folder, (50, 40)))
    assert [one.alternative for one in found] == [False, True, True]
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for pick, wanted in ((None, found[0]), (1, found[1])):
        assert np.array_equal(selected(picture(), "sam", hints(folder, (50, 40)), pick).core, wanted.mask.core)


def test_each_box_gives_one_selection_and_a_point_belongs_to_its_box(folders):
    folder, _ = folders["sam2"]
    boxes = (Box(5, 5, 50, 60), Box(60, 20, 119, 85))
    both = select(picture(), "sam", hints(folder, boxes=boxes))
    alone = [select(picture(), "sam", hints(folder, boxes=(box,)))[0] for box in boxes]
    assert sorted(one.score for one in both) == sorted(one.score for one in alone)
    assert not any(one.alternative for one in both)
    united = selected(picture(), "sam", hints(folder, boxes=boxes)).core
    assert np.array_equal(united, alone[0].mask.core | alone[1].mask.core)
    ordered = masks_of_boxes(picture(), boxes, str(folder), refine=False)
    assert [one.score for one in ordered] == [one.score for one in alone]
    with_point = select(picture(), "sam", hints(folder, (20, 30), boxes=boxes))
    pointed = select(picture(), "sam", hints(folder, (20, 30), boxes=boxes[:1]))[0]
    assert {one.score for one in with_point} == {pointed.score, alone[1].score}


@pytest.mark.parametrize("name", FAMILY)
def test_an_earlier_selection_says_more(folders, name):
    folder, _ = folders[name]
    rough = np.zeros((90, 120), bool)
    rough[20:70, 30:80] = True
    plain = selected(picture(), "sam", hints(folder, (50, 40)))
    more = selected(picture(), "sam", hints(folder, (50, 40), mask=Mask(rough.astype(np.float32))))
    assert not np.array_equal(plain.core, more.core)
    assert selected(picture(), "sam", hints(folder, mask=Mask(rough.astype(np.float32)))).core.any()


def test_edges_are_the_picture_s_own(folders):
    """The network's mask is random here; where a cut is refined, it follows the nearby edge of the picture."""
    from overpaint.select.sam.selector import SamWork

    pixels = np.full((200, 300, 3), 230, np.uint8)
    pixels[:, 103:] = (40, 60, 200)
    rough = np.zeros((200, 300), bool)
    rough[:, 106:] = True
    work = SamWork.on(from_array(pixels), networks.named_network(str(folders["sam"][0])))
    assert np.array_equal(work._edged(rough, 6.0), np.broadcast_to(np.arange(300) >= 103, (200, 300)))


def test_networks_that_are_here_are_found_by_name_and_the_best_one_without(folders, store):
    from overpaint.models import add

    for name in ("sam", "sam2"):
        add(folders[name][0], f"my-{name}", licence="Apache-2.0")
    with network_access(paths=False):
        asked = SelectorHints(points=(HintPoint(50, 40),), options={"refine": False})
        best = selected(picture(), "sam", asked).core
        named = selected(
            picture(), "sam", SelectorHints(points=asked.points, options={"model": "my-sam2", "refine": False})
        )
        assert np.array_equal(best, named.core)
        with pytest.raises(ModelError) as caught:
            select(picture(), "sam", hints(folders["sam"][0], (50, 40)))
    assert caught.value.code == "model-unknown"


def test_without_a_network_the_error_names_one_to_get():
    with pytest.raises(ModelError, match="can be downloaded") as caught:
        select(picture(), "sam", SelectorHints(points=(HintPoint(5, 5),)))
    assert (caught.value.code, caught.value.value) == ("model-not-downloaded", "sam2.1-tiny")
    assert in_line(caught.value).count("download") == 1  # the command, and not the advice to find one


def test_a_licence_of_its_own_must_be_accepted(folders, tmp_path, monkeypatch):
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path / "other"))
    with pytest.raises(ModelError) as caught:
        select(picture(), "sam", hints(folders["sam3"][0], (50, 40)))
    assert caught.value.code == "licence-not-accepted"


def test_hints_that_do_not_suit_are_refused(folders):
    folder, _ = folders["sam2"]
    for asked, code in (
        (hints(folder, (500, 40)), "hint-outside"),
        (hints(folder), "hint-missing"),
        (hints(folder, text="the disc"), "hint-refused"),
        (SelectorHints(points=(HintPoint(5, 5),), options={"modle": "x"}), "selector-option"),
    ):
        with pytest.raises(OverpaintError) as caught:
            select(picture(), "sam", asked)
        assert caught.value.code == code


@pytest.mark.parametrize("what", ["cut", "other", "lost"])
def test_damaged_folders_are_refused_in_words(folders, tmp_path, what):
    import shutil

    from safetensors.torch import load_file, save_file

    folder = tmp_path / "damaged"
    shutil.copytree(folders["sam2"][0], folder)
    weights = folder / "model.safetensors"
    if what == "cut":
        weights.write_bytes(weights.read_bytes()[:-1000])
    elif what == "other":
        shutil.copy(folders["sam"][0] / "model.safetensors", weights)
    else:
        tensors = load_file(weights)
        del tensors["mask_decoder.iou_token.weight"]
        save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(ModelError) as caught:
        select(picture(), "sam", hints(folder, (50, 40)))
    assert re.search("damaged|cut short", str(caught.value))
    assert "\n" not in str(caught.value)


def test_an_edit_at_a_point_uses_what_is_here_says_so_and_is_replayed_with_it(folders, tmp_path, monkeypatch, capsys):
    import shutil

    from overpaint.cli import main
    from overpaint.models import add
    from overpaint.record import read_record

    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo()).save("photo.png")
    add(folders["sam2"][0], "mine", licence="Apache-2.0")
    words = ["remove", "photo.png", "--point", "50,40", "--engine", "telea"]
    assert main([*words, "-o", "out.png"]) == 0
    assert "found by the network mine" in "".join(capsys.readouterr())
    resolved = read_record("out.png").record.resolved
    (part,) = resolved.mask.parts
    assert (part.selector, part.options["model"]) == ("sam", "mine")
    (used,) = resolved.models
    assert (used.role, used.name, used.licence, len(used.sha256)) == ("selector", "mine", "Apache-2.0", 64)
    assert main(["replay", "out.png", "--image", "photo.png"]) == 0
    assert main([*words, "--select", "grabcut", "-o", "cut.png"]) == 0
    assert read_record("cut.png").record.resolved.models == ()
    capsys.readouterr()
    home = tmp_path / "home" / "models" / "mine"
    shutil.rmtree(home)
    assert main(["replay", "out.png", "--image", "photo.png"]) == 2
    assert "no model is called 'mine'" in capsys.readouterr().err
    shutil.copytree(folders["sam"][0], home)
    assert main(["replay", "out.png", "--image", "photo.png"]) != 0
    assert "the selector mine has changed" in "".join(capsys.readouterr())


RELEASED = (
    (r"^vision_encoder\.backbone\.", "image_encoder.trunk."),
    (r"^vision_encoder\.neck\.convs\.(\d+)\.", r"image_encoder.neck.convs.\1.conv."),
    (r"^vision_encoder\.layers\.", "image_encoder.blocks."),
    (r"^vision_encoder\.", "image_encoder."),
    (r"neck\.conv1\.", "neck.0."),
    (r"neck\.layer_norm1\.", "neck.1."),
    (r"neck\.conv2\.", "neck.2."),
    (r"neck\.layer_norm2\.", "neck.3."),
    (r"patch_embed\.projection", "patch_embed.proj"),
    (
        r"prompt_encoder\.shared_embedding\.positional_embedding",
        "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
    ),
    (r"prompt_encoder\.point_embed\.", "prompt_encoder.point_embeddings."),
    (r"mask_embed\.conv1", "mask_downscaling.0"),
    (r"mask_embed\.layer_norm1", "mask_downscaling.1"),
    (r"mask_embed\.conv2", "mask_downscaling.3"),
    (r"mask_embed\.layer_norm2", "mask_downscaling.4"),
    (r"mask_embed\.conv3", "mask_downscaling.6"),
    (r"upscale_conv1", "output_upscaling.0"),
    (r"upscale_layer_norm", "output_upscaling.1"),
    (r"upscale_conv2", "output_upscaling.3"),
    (r"(mlps\.\d+|iou_prediction_head|hq_mask_mlp|pred_obj_score_head)\.layers\.0", r"\1.layers.1"),
    (r"(mlps\.\d+|iou_prediction_head|hq_mask_mlp|pred_obj_score_head)\.proj_in", r"\1.layers.0"),
    (r"(mlps\.\d+|iou_prediction_head|hq_mask_mlp|pred_obj_score_head)\.proj_out", r"\1.layers.2"),
    (r"mlp\.proj_in", "mlp.layers.0"),
    (r"mlp\.proj_out", "mlp.layers.1"),
    (r"o_proj", "out_proj"),
    (r"layer_norm(\d|_final)", r"norm\1"),
    (r"hq_token", "hf_token"),
    (r"hq_mask_mlp", "hf_mlp"),
    (r"compress_vit_conv1", "compress_vit_feat.0"),
    (r"compress_vit_norm", "compress_vit_feat.1"),
    (r"compress_vit_conv2", "compress_vit_feat.3"),
    (r"encoder_conv1", "embedding_encoder.0"),
    (r"encoder_norm", "embedding_encoder.1"),
    (r"encoder_conv2", "embedding_encoder.3"),
    (r"mask_conv1", "embedding_maskfeature.0"),
    (r"mask_norm", "embedding_maskfeature.1"),
    (r"mask_conv2", "embedding_maskfeature.3"),
    (r"^no_memory_embedding$", "no_mem_embed"),
)
"""transformers' names, and those of the original releases, whose own programs give equal masks."""


def released(model: Any, network: str) -> dict[str, torch.Tensor]:
    """The tensors of a model as its original release has them."""
    found = {}
    for name, value in model.state_dict().items():
        key = name
        for pattern, instead in RELEASED:
            key = re.sub(pattern, instead, key)
        if network == "sam2":
            key = re.sub(r"^(mask_decoder|prompt_encoder)\.", r"sam_\1.", key)
        if key.endswith("point_embeddings.weight"):
            rows = value.split(1)
            found |= {f"sam_prompt_encoder.point_embeddings.{n}.weight": row.clone() for n, row in enumerate(rows)}
        elif not name.startswith("shared_image"):
            found[key] = value
    if network == "sam":
        found |= {"pixel_mean": torch.zeros(3, 1, 1), "pixel_std": torch.ones(3, 1, 1)}
    if network == "sam2":
        found |= {"maskmem_tpos_enc": torch.zeros(7, 1, 1, 8), "memory_encoder.out_proj.weight": torch.zeros(4, 4)}
    return found


@pytest.fixture
def small_hiera(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes that weights of SAM 2 do not show, as the small network of the tests has them."""
    from overpaint.select.sam import checkpoints

    monkeypatch.setitem(checkpoints.HEAD_WIDTHS, 16, 16)
    monkeypatch.setitem(checkpoints.GLOBAL_BLOCKS, (1, 1, 2, 1), (3,))
    monkeypatch.setitem(checkpoints.WINDOWS, (1, 1, 2, 1), (8, 4, 2, 1))
    monkeypatch.setattr(checkpoints, "SAM2_SIDE", SIDE)


@pytest.mark.usefixtures("small_hiera")
@pytest.mark.parametrize("name", ["sam", "sam-hq", "sam2"])
def test_files_of_the_original_releases_select_as_transformers_folders_do(folders, tmp_path, name):
    from safetensors.torch import save_file

    folder, model = folders[name]
    tensors = released(model, name)
    plain, pickled = tmp_path / "plain.safetensors", tmp_path / "pickled.pth"
    save_file({key: one.contiguous() for key, one in tensors.items()}, plain)
    torch.save({"model": tensors} if name == "sam2" else tensors, pickled)
    wanted = [one.mask.core for one in select(picture(), "sam", hints(folder, (50, 40)))]
    with pytest.raises(ModelError) as caught:
        select(picture(), "sam", hints(pickled, (50, 40)))
    assert caught.value.code == "pickle-refused"
    with network_access(paths=True, allow_pickle=True):
        for path in (plain, pickled):
            found = [one.mask.core for one in select(picture(), "sam", hints(path, (50, 40)))]
            assert np.array_equal(found, wanted), path


def test_a_file_of_a_release_that_is_cut_short_is_refused_in_words(folders, tmp_path):
    from safetensors.torch import save_file

    tensors = released(folders["sam"][1], "sam")
    del tensors["image_encoder.neck.2.weight"]
    save_file({key: one.contiguous() for key, one in tensors.items()}, tmp_path / "lost.safetensors")
    with pytest.raises(ModelError, match=r"cut short, or for another network: vision_encoder.neck.conv2.weight"):
        select(picture(), "sam", hints(tmp_path / "lost.safetensors", (50, 40)))
    torch.save(released(folders["sam"][1], "sam"), tmp_path / "cut.pth")
    data = (tmp_path / "cut.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(data[: len(data) // 2])
    with network_access(paths=True, allow_pickle=True), pytest.raises(ModelError, match="cut short or damaged"):
        select(picture(), "sam", hints(tmp_path / "cut.pth", (50, 40)))


def test_a_torchscript_program_and_other_models_are_refused(tmp_path):
    program = torch.jit.trace(torch.nn.Conv2d(3, 3, 1), torch.zeros(1, 3, 4, 4))
    torch.jit.save(program, tmp_path / "program.pt")
    with network_access(paths=True, allow_pickle=True), pytest.raises(ModelError) as caught:
        select(picture(), "sam", hints(tmp_path / "program.pt", (50, 40)))
    assert caught.value.code == "model-other-task"


def test_sam_3_as_it_is_published_takes_points_and_finds_what_words_mean(tmp_path, capfd, monkeypatch):
    whole = sam_networks.saved_sam3(tmp_path / "sam3")
    capfd.readouterr()
    points = select(picture(), "sam", hints(tmp_path / "sam3", (50, 40)))
    assert len(points) >= 1
    values = SamPicture(SIDE, False, HALF, HALF).input_of(photo().astype(np.float32) / 255, Size(120, 90))
    tokens = torch.ones(1, 32, dtype=torch.long)
    tokens[0, :2] = torch.tensor([2, 3])
    known = torch.zeros(1, 32, dtype=torch.long)
    known[0, :2] = 1
    with torch.inference_mode():
        own = whole.detector_model.eval()(pixel_values=values, input_ids=tokens, attention_mask=known)
    scores = (own.pred_logits.sigmoid() * own.presence_logits.sigmoid())[0]
    ordered = scores.sort().values
    gap = int((ordered[1:] - ordered[:-1]).argmax())
    least = float(ordered[gap : gap + 2].mean())
    monkeypatch.setattr(transformers_networks, "LEAST", least)
    sure = own.pred_masks.sigmoid()[:, scores > least]
    masks = torch.nn.functional.interpolate(sure, (90, 120), mode="bilinear")[0].numpy() > 0.5
    asked = SelectorHints(text="red car", options={"model": str(tmp_path / "sam3"), "refine": False})
    found = select(picture(), "sam3", asked)
    assert len(found) == sum(one.any() for one in masks)
    for one in found:
        assert any(np.array_equal(one.mask.core, mask) for mask in masks)
        assert least < one.score < 1
        assert (one.label, one.alternative) == ("red car", False)
    assert capfd.readouterr().err == ""


def test_words_are_for_sam_3_alone(folders):
    asked = SelectorHints(text="red car", options={"model": str(folders["sam2"][0])})
    with pytest.raises(ModelError) as caught:
        select(picture(), "sam3", asked)
    assert caught.value.code == "model-other-task"
    (folder, _) = folders["sam3"]  # the tracker alone
    with pytest.raises(ModelError, match=r"it has no tokenizer\.json"):
        select(picture(), "sam3", SelectorHints(text="red car", options={"model": str(folder)}))
