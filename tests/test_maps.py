"""Control maps: drawings, planes and skeletons that are made of a picture, with and without networks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import map_networks
from overpaint.errors import ModelError, RequestError
from overpaint.geometry import Size
from overpaint.maps import KINDS, is_dark_on_light, make_map
from overpaint.maps.depth import depth_map
from overpaint.maps.hidden import continued
from overpaint.maps.networks import PictureForm
from overpaint.maps.pose import LIMBS, PersonPose, pose_of, skeleton_map
from overpaint.models import find_network
from overpaint.request import DRAWN_KINDS
from overpaint.select.networks import network_access, release

DRAWN = sorted(DRAWN_KINDS)


def scene(height: int = 160, width: int = 200, noise: float = 0.03) -> np.ndarray:
    """A dark box and a light disc on a grey ground, with noise as photographs have it."""
    pixels = np.full((height, width, 3), 0.5, np.float32)
    pixels[30:110, 20:80] = (0.1, 0.2, 0.4)
    cv2.circle(pixels, (140, 80), 36, (0.95, 0.9, 0.6), -1)
    rng = np.random.default_rng(4)
    return np.clip(pixels + rng.normal(0, noise, pixels.shape), 0, 1).astype(np.float32)


def outline(distance: int) -> np.ndarray:
    """(H, W) bool: places within so many pixels of the outlines of the scene's things."""
    drawn = np.zeros((160, 200), np.uint8)
    cv2.rectangle(drawn, (20, 30), (79, 109), 255, 1)
    cv2.circle(drawn, (140, 80), 36, 255, 1)
    return np.asarray(cv2.dilate(drawn, np.ones((2 * distance + 1,) * 2, np.uint8))) > 0


@pytest.mark.parametrize("kind", DRAWN)
def test_drawn_maps_show_outlines_and_nothing_of_noise(kind):
    """Bright on black; nearly every outline is drawn, and nothing far from one."""
    made = make_map(kind, scene(), {})
    assert made.shape == (160, 200, 3)
    assert made.dtype == np.float32
    assert made.min() == 0
    assert made.max() <= 1
    assert (made[..., 0] == made[..., 1]).all()
    bright = made[..., 0] > 0.25
    assert not (bright & ~outline(7)).any()
    near = np.asarray(cv2.dilate(bright.astype(np.uint8), np.ones((7, 7), np.uint8))) > 0
    assert near[outline(0)].mean() > 0.93
    assert not make_map(kind, np.full((64, 64, 3), 0.3, np.float32), {}).any()


def test_drawn_maps_differ_in_how_thick_and_how_soft_they_are():
    made = {kind: make_map(kind, scene(), {})[..., 0] for kind in DRAWN}
    assert set(np.unique(made["canny"])) == {0, 1}
    share = {kind: float((one > 0.25).mean()) for kind, one in made.items()}
    assert share["canny"] <= share["lineart"] < share["softedge"]
    assert share["lineart"] < share["scribble"]
    soft = made["softedge"]
    assert np.mean((soft > 0.05) & (soft < 0.6)) / np.mean(soft > 0.05) > 0.2


def test_a_thin_dark_line_is_one_line_in_a_drawing():
    pixels = np.full((100, 100, 3), 0.9, np.float32)
    pixels[:, 49:52] = 0.1
    row = make_map("lineart", pixels, {})[50, :, 0] > 0.3
    assert np.flatnonzero(np.diff(row.astype(int)) == 1).size == 1
    assert row[50]


@pytest.mark.parametrize(("kind", "weak", "strong"), [
    ("canny", {"low": 150, "high": 250}, {"low": 10, "high": 30}),
    ("lineart", {"detail": 0.0}, {"detail": 1.0}),
    ("softedge", {"detail": 0.0}, {"detail": 1.0}),
    ("scribble", {"thickness": 2}, {"thickness": 9}),
])  # fmt: skip
def test_options_change_how_much_is_drawn(kind, weak, strong):
    pixels = scene(noise=0)
    pixels[10:150, 90:92] += 0.06  # a faint line
    pixels[120:, :90] += 0.06  # a faint edge
    less, more = (make_map(kind, pixels, options).mean() for options in (weak, strong))
    assert 0 < less < more


@pytest.mark.parametrize("kind", [*DRAWN, "tile"])
def test_the_content_of_a_hole_leaves_no_trace_in_a_map(kind):
    """Maps with a hole are equal whatever is in it, away from its rim."""
    hole = np.zeros((160, 200), bool)
    hole[20:120, 10:90] = True  # the box, and its outline
    made = make_map(kind, scene(), {}, hole)
    if kind in DRAWN:
        assert not made[hole].any()
        assert made[:, 100:].any()
    else:
        assert np.allclose(made[hole], 0.5, atol=0.08)
        assert np.array_equal(made[~hole], scene()[~hole])
    assert make_map(kind, scene(), {})[hole].std() > 0.05


def test_a_tile_can_be_coarser():
    made = make_map("tile", scene(), {"down": 8})
    assert make_map("tile", scene(), {}) == pytest.approx(scene())
    assert made.shape == scene().shape
    assert np.abs(np.diff(made, axis=1)).mean() < np.abs(np.diff(scene(), axis=1)).mean() / 4


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1 << 30))
def test_a_plane_is_continued_within_the_range_of_what_is_known(height, width, seed):
    rng = np.random.default_rng(seed)
    plane, hole = rng.random((height, width), np.float32), rng.random((height, width)) < 0.7
    found = continued(plane, hole)
    assert np.array_equal(found[~hole], plane[~hole])
    if hole.any() and not hole.all():
        known = plane[~hole]
        assert found.min() >= known.min() - 1e-5
        assert found.max() <= known.max() + 1e-5


@pytest.mark.parametrize("size", [(40, 57), (64, 48)])
def test_every_kind_without_a_network_takes_every_size(size):
    pixels = np.random.default_rng(0).random((*size, 3), np.float32)
    for name, kind in KINDS.items():
        if not kind.networks:
            made = make_map(name, pixels, {}, np.zeros(size, bool))
            assert (made.shape, made.dtype) == ((*size, 3), np.float32)
            assert 0 <= made.min() <= made.max() <= 1


def test_drawings_by_hand_are_told_from_maps():
    drawing = np.full((50, 50), 255, np.uint8)
    cv2.line(drawing, (5, 5), (40, 30), 0, 3)
    assert is_dark_on_light(drawing)
    assert not is_dark_on_light(255 - drawing)
    assert is_dark_on_light(np.repeat(drawing[..., None], 3, axis=2))


def test_what_does_not_suit_a_kind_is_refused_with_what_would():
    pixels = np.zeros((8, 8, 3), np.float32)
    with pytest.raises(RequestError, match="no map of the kind 'cany' is made here; did you mean 'canny'") as caught:
        make_map("cany", pixels, {})
    assert caught.value.code == "control-kind-unknown"
    with pytest.raises(RequestError, match=r"'canny' has no option 'lo'.*its map: low, high") as caught:
        make_map("canny", pixels, {"lo": 3})
    assert caught.value.code == "control-option"
    with pytest.raises(RequestError, match=r"detail=3 does not suit the control 'lineart': it must be"):
        make_map("lineart", pixels, {"detail": 3})


# By networks.


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with small random networks that make maps."""
    home = tmp_path_factory.mktemp("maps")
    map_networks.depth_anything_folder(home / "models" / "small-depth")
    map_networks.dpt_folder(home / "models" / "old-depth")
    map_networks.vitpose_folder(home / "models" / "small-pose")
    yield home
    release()


@pytest.fixture
def store(networks: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OVERPAINT_HOME", str(networks))
    return networks / "models"


@pytest.mark.parametrize(
    ("name", "kind"), [("small-depth", "DepthAnythingForDepthEstimation"), ("old-depth", "DPTForDepthEstimation")]
)
def test_depth_is_that_of_transformers_own_call(store, name, kind):
    """Ours differs by the rounding to 8 bits in the resizing that Pillow does."""
    import torch
    import transformers
    from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil

    image = np.rint(scene()[:60, :90] * 255).astype(np.uint8)
    pixels, ref = image.astype(np.float32) / 255, find_network(name, "mapper")
    own = depth_map(pixels, ref)
    seen = DPTImageProcessorPil.from_pretrained(store / name)(images=image, return_tensors="pt")
    network = getattr(transformers, kind).from_pretrained(store / name).eval()
    prepared = PictureForm(999).read(ref).tensor(pixels, Size(*seen["pixel_values"].shape[:1:-1]))
    assert (prepared - seen["pixel_values"]).abs().max() < 2.1 / 255 / 0.22
    with torch.inference_mode():
        found = network(**seen).predicted_depth[None]
        theirs = torch.nn.functional.interpolate(found, (60, 90), mode="bicubic", align_corners=False)[0, 0].numpy()
    assert own.shape == theirs.shape == (60, 90)
    assert np.abs(own - theirs).mean() < 0.01 * np.ptp(theirs)
    assert np.abs(own - theirs).max() < 0.1 * np.ptp(theirs)


def test_a_depth_map_has_the_whole_range_and_no_trace_of_a_hole(store):
    pixels, hole = scene(), np.zeros((160, 200), bool)
    hole[40:100, 40:150] = True
    plain, hidden = (make_map("depth", pixels, {"network": "small-depth"}, one) for one in (None, hole))
    assert (plain.min(), plain.max()) == (0, 1)
    assert plain.shape == (160, 200, 3)
    assert not np.allclose(plain[hole], hidden[hole], atol=0.02)


def test_distances_become_nearness(tmp_path, monkeypatch):
    """A metric network gives distances, of which the nearest is the brightest."""
    map_networks.depth_anything_folder(tmp_path / "models" / "metric", "metric")
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path))
    import torch
    from transformers import DepthAnythingForDepthEstimation

    ref, pixels = find_network("metric", "mapper"), scene()[:56, :56].copy()
    form = PictureForm(56).read(ref)
    network = DepthAnythingForDepthEstimation.from_pretrained(ref.path).eval()
    with torch.inference_mode():
        seen = form.tensor(pixels, Size(56, 56))
        distance = network(pixel_values=seen).predicted_depth[0].numpy()
    near = depth_map(pixels, ref)
    assert near.ravel()[distance.argmin()] == near.max()


def test_a_pose_is_that_of_transformers_own_call(store):
    """The whole picture is the person's box; theirs is 1.25 times as large, so that ours is framed likewise."""
    import torch
    from transformers import VitPoseForPoseEstimation
    from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil

    pixels = scene()[:64, :48].copy()
    own = pose_of(pixels, find_network("small-pose", "mapper"), least=-9)
    network = VitPoseForPoseEstimation.from_pretrained(store / "small-pose").eval()
    with torch.inference_mode():
        found = network(pixel_values=PictureForm(48).tensor(pixels, Size(48, 64)))
    processor = VitPoseImageProcessorPil.from_pretrained(store / "small-pose")
    (people,) = processor.post_process_pose_estimation(found, boxes=[[[4.8, 6.4, 38.4, 51.2]]])
    theirs = people[0]["keypoints"].numpy()
    assert own.seen.all()
    # of COCO: nose, right shoulder, left wrist, right ankle; both are within half a cell of the heat's planes
    for ours, coco in ((0, 0), (2, 6), (7, 9), (10, 16)):
        assert np.abs(own.places[ours] - theirs[coco]).max() < 3.5
    assert own.places[1] == pytest.approx((own.places[2] + own.places[5]) / 2)


def test_a_skeleton_has_the_colours_of_its_limbs_and_lacks_what_is_not_seen():
    places = np.array([[30 + 9 * (n % 6), 20 + 14 * (n // 6)] for n in range(18)], np.float32)
    whole = PersonPose(places, np.ones(18, bool))
    drawn = np.rint(skeleton_map((whole,), Size(120, 80)) * 255).astype(int)
    assert tuple(drawn[20, 30]) == (255, 0, 0)  # the nose
    assert tuple(drawn[20, 39]) == (255, 85, 0)  # the neck
    assert len(LIMBS) == 17
    hole = np.zeros((80, 120), bool)
    hole[15:25, 25:35] = True
    without = skeleton_map((whole.outside(hole),), Size(120, 80))
    assert not without[20, 30].any()
    assert not skeleton_map((PersonPose(places, np.zeros(18, bool)),), Size(120, 80)).any()


def test_networks_of_maps_are_found_by_their_task(store, tmp_path, monkeypatch):
    assert make_map("openpose", scene(), {"least": 0.01}).shape == (160, 200, 3)
    with pytest.raises(ModelError, match="is made by ViTPose, and small-depth is a maker of control maps") as caught:
        make_map("openpose", scene(), {"network": "small-depth"})
    assert caught.value.code == "model-other-task"
    with network_access(paths=False), pytest.raises(ModelError):
        make_map("depth", scene(), {"network": str(store / "small-depth")})
    map_networks.vitpose_folder(tmp_path / "models" / "hands", joints=21)
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="hands finds 21 joints, and not the 17 of COCO"):
        make_map("openpose", scene(), {})
    with pytest.raises(ModelError, match=r"Depth Anything or DPT.*none is here") as caught:
        make_map("depth", scene(), {})
    assert (caught.value.code, caught.value.value) == ("model-not-downloaded", "depth-anything-v2-small")
