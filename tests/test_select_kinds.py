"""What selectors find by themselves, and the lasso that clings: on drawn things of which the right mask is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from overpaint.errors import MaskError
from overpaint.geometry import Box
from overpaint.picture import Picture, from_array
from overpaint.select import HintPoint, SelectorHints, select, selected


def plain(height: int = 240, width: int = 320) -> np.ndarray:
    """A sky: a gradient with the noise of a sensor."""
    down = np.linspace(0, 1, height)[:, None, None]
    pixels = np.array([120, 160, 220]) * (1 - down) + np.array([190, 205, 235]) * down + np.zeros((height, width, 1))
    return pixels + np.random.default_rng(3).normal(0, 1.5, (height, width, 3))


def picture(pixels: np.ndarray) -> Picture:
    return from_array(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def drawn(shape: tuple[int, ...], *lines: list[tuple[float, float]], thickness: int = 1) -> np.ndarray:
    """(H, W) in [0, 1]: antialiased lines."""
    values = np.zeros(shape[:2], np.uint8)
    for line in lines:
        cv2.polylines(values, [np.int32(np.array(line) * 16)], False, 255, thickness, cv2.LINE_AA, 4)
    return values / 255


def found_and_wrong(found: np.ndarray, wanted: np.ndarray, near: int = 3) -> tuple[float, float]:
    """The share of what is wanted that is found, and the share of the picture that is marked away from it."""
    rim = cv2.dilate(wanted.astype(np.uint8), np.ones((2 * near + 1, 2 * near + 1), np.uint8)) > 0
    return float((found & wanted).sum() / wanted.sum()), float((found & ~rim).mean())


WIRES = ([(0, 40), (160, 70), (320, 60)], [(0, 90.5), (320, 130.5)])


@pytest.mark.parametrize("turns", [0, 1])
def test_wires_before_the_sky_are_found_and_nothing_else(turns):
    lines = drawn((240, 320), *WIRES)
    pixels = np.rot90(plain() * (1 - 0.7 * lines[..., None]), turns)
    found = selected(picture(pixels), "lines").core
    right, wrong = found_and_wrong(found, np.rot90(lines > 0.4, turns))
    assert right > 0.97
    assert wrong < 0.002


def test_wires_are_found_again_in_a_picture_twice_as_large():
    lines = drawn((480, 640), *[[(2 * x, 2 * y) for x, y in line] for line in WIRES], thickness=2)
    right, wrong = found_and_wrong(
        selected(picture(plain(480, 640) * (1 - 0.7 * lines[..., None])), "lines").core, lines > 0.4
    )
    assert (right > 0.97, wrong < 0.002) == (True, True)


@pytest.mark.parametrize("shade", ["light", "dark"])
def test_scratches_are_found_by_their_shade(shade):
    sign = 1 if shade == "light" else -1
    lines = drawn((240, 320), [(30, 20), (60, 130), (70, 220)], [(150, 60), (290, 80)])
    pixels = plain() * 0.6 + 40 + sign * 60 * lines[..., None]
    found = selected(picture(pixels), "scratches").core
    right, wrong = found_and_wrong(found, lines > 0.4)
    assert right > 0.95
    assert wrong < 0.003
    other = "dark" if shade == "light" else "light"
    with pytest.raises(MaskError, match="found nothing"):
        select(picture(pixels), "scratches", SelectorHints(options={"shade": other, "dust": False}))


def test_dust_is_found_with_scratches_and_left_out_on_request():
    pixels = plain() * 0.6
    wanted = np.zeros((240, 320), bool)
    for row, column in ((30, 40), (100, 250), (200, 120)):
        wanted[row : row + 2, column : column + 2] = True
    pixels[wanted] += 90
    right, wrong = found_and_wrong(selected(picture(pixels), "scratches").core, wanted)
    assert (right, wrong < 0.002) == (1, True)
    with pytest.raises(MaskError, match="raise the sensitivity"):
        select(picture(pixels), "scratches", SelectorHints(options={"dust": False}))


def test_boxes_say_where_to_look():
    lines = drawn((240, 320), *WIRES)
    pixels = picture(plain() * (1 - 0.7 * lines[..., None]))
    found = selected(pixels, "lines", SelectorHints(boxes=(Box(0, 0, 100, 240),)))
    assert found.bounds.right <= 100
    assert not found.is_empty


SPOTS = ((60, 70, 3.0), (200, 60, 2.0), (150, 180, 3.5), (260, 200, 2.5))


@pytest.mark.parametrize(("shade", "turns"), [("dark", 0), ("light", 0), ("dark", 3)])
def test_spots_are_found_with_their_size(shade, turns):
    pixels = plain()
    down, across = np.mgrid[:240, :320]
    wanted = np.zeros((240, 320), bool)
    for x, y, radius in SPOTS:
        inside = np.clip(radius + 0.5 - np.hypot(across - x, down - y), 0, 1)
        pixels += (-30 if shade == "dark" else 30) * inside[..., None]
        wanted |= inside > 0.5
    found = selected(picture(np.rot90(pixels, turns)), "spots").core
    right, wrong = found_and_wrong(found, np.rot90(wanted, turns))
    assert (right > 0.97, wrong) == (True, 0)
    count, _ = cv2.connectedComponents(found.astype(np.uint8))
    assert count - 1 == len(SPOTS)
    other = "light" if shade == "dark" else "dark"
    with pytest.raises(MaskError, match="found nothing"):
        select(picture(pixels), "spots", SelectorHints(options={"shade": other}))


def test_spots_larger_than_the_largest_are_none():
    pixels = plain()
    cv2.circle(pixels, (160, 120), 25, (40, 40, 40), cv2.FILLED)
    with pytest.raises(MaskError, match="found nothing"):
        select(picture(pixels), "spots")


@pytest.mark.parametrize("name", ["lines", "scratches", "spots", "faces", "subject", "background"])
@pytest.mark.parametrize("size", [(1, 1), (5, 300), (90, 120)])
def test_nothing_is_found_in_a_plain_picture(name, size):
    with pytest.raises(MaskError) as caught:
        select(from_array(np.full((*size, 3), 128, np.uint8)), name)
    assert caught.value.code == "nothing-selected"


def thing() -> tuple[Picture, np.ndarray]:
    """An orange thing with a green part before the sky, and where it is."""
    wanted = np.zeros((240, 320), np.uint8)
    cv2.ellipse(wanted, (150, 140), (55, 70), 10, 0, 360, 1, cv2.FILLED)
    pixels = plain()
    pixels[wanted > 0] = (215, 120, 40)
    pixels[150:165, 120:180] = (40, 130, 60)
    pixels += np.random.default_rng(5).normal(0, 3, pixels.shape)
    return picture(pixels), wanted > 0


def overlap(found: np.ndarray, wanted: np.ndarray) -> float:
    return float((found & wanted).sum() / (found | wanted).sum())


def test_the_subject_is_what_differs_from_the_border_and_the_background_all_else():
    seen, wanted = thing()
    (subject,), (background,) = select(seen, "subject"), select(seen, "background")
    assert overlap(subject.mask.core, wanted) > 0.97
    assert np.array_equal(background.mask.core, ~subject.mask.core)
    assert (subject.label, background.label, subject.score > 0.5) == ("subject", "background", True)


def test_a_lasso_clings_to_the_edge():
    seen, wanted = thing()
    line, _ = cv2.findContours(wanted.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = line[0][:, 0]
    corners = outline[:: len(outline) // 7][:7] + np.random.default_rng(1).integers(-2, 3, (7, 2))
    points = tuple(HintPoint(*map(float, one)) for one in corners)
    polygon = np.zeros(wanted.shape, np.uint8)
    cv2.fillPoly(polygon, [corners.astype(np.int32)], 1)
    found = selected(seen, "edges", SelectorHints(points=points)).core
    assert overlap(found, wanted) > 0.97 > overlap(polygon > 0, wanted)


def test_a_lasso_of_two_points_encloses_nothing():
    with pytest.raises(MaskError, match="three points or more"):
        select(thing()[0], "edges", SelectorHints(points=(HintPoint(10, 10), HintPoint(90, 90))))


@pytest.fixture(scope="module")
def person() -> Picture:
    from skimage import data

    return from_array(np.ascontiguousarray(data.astronaut()[:400, :400]))


def test_a_face_that_looks_at_the_camera_is_found(person):
    (face,) = select(person, "faces")
    assert face.label == "face"
    left, top, right, bottom = face.mask.bounds
    assert left < 205 < 245 < right  # the eyes
    assert top < 115 < 165 < bottom  # eyes and mouth
    assert face.mask.fraction < 0.12
    with pytest.raises(MaskError, match="upright faces"):
        select(person, "faces", SelectorHints(boxes=(Box(0, 300, 100, 400),)))
