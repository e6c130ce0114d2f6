"""Lettering that is found and read: date stamps, watermarks, in any colour and place. Needs the extra `text`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from overpaint.cli import main
from overpaint.errors import MaskError
from overpaint.geometry import Box
from overpaint.picture import Picture, from_array, open_picture
from overpaint.select import SelectorHints, select, selected
from overpaint.select import text as reading
from overpaint.select.text import TextLine

pytest.importorskip("rapidocr", reason="the extra text is not installed")
pytest.importorskip("onnxruntime", reason="the extra text is not installed")


def stamped(
    image: Image.Image, text: str, place: tuple[int, int], size: int, colour: tuple[int, int, int]
) -> np.ndarray:
    """(H, W) bool: the pixels of the letters that are drawn into an image."""
    before = np.asarray(image).copy()
    ImageDraw.Draw(image).text(place, text, fill=colour, font=ImageFont.load_default(size))
    return (np.asarray(image) != before).any(axis=2)


@pytest.fixture(scope="module")
def letters() -> tuple[Picture, np.ndarray, np.ndarray]:
    from skimage import data

    image = Image.fromarray(data.coffee()[:360, :520])
    date = stamped(image, "12.08.2003", (380, 320), 22, (255, 150, 40))
    name = stamped(image, "Jane Doe", (20, 16), 20, (230, 230, 230))
    return from_array(np.asarray(image)), date, name


def test_each_line_is_a_selection_with_what_it_says(letters):
    picture, date, name = letters
    found = {one.label: one.mask.core for one in select(picture, "text")}
    assert set(found) == {"12.08.2003", "Jane Doe"}
    for text, drawn in (("12.08.2003", date), ("Jane Doe", name)):
        assert (found[text] & drawn).sum() == drawn.sum()
        assert found[text].sum() < 6 * drawn.sum()


@pytest.mark.parametrize(
    "hints",
    [
        SelectorHints(text="jane"),
        SelectorHints(options={"containing": "DOE"}),
        SelectorHints(boxes=(Box(0, 0, 260, 180),)),
    ],
)
def test_lines_are_chosen_by_what_they_say_and_where_they_are(letters, hints):
    picture, _, name = letters
    (found,) = select(picture, "text", hints)
    assert (found.label, (found.mask.core & name).sum()) == ("Jane Doe", name.sum())


def test_dates_alone_are_taken_on_request(letters):
    picture, date, _ = letters
    (found,) = select(picture, "text", SelectorHints(options={"kind": "date"}))
    assert (found.label, (found.mask.core & date).sum()) == ("12.08.2003", date.sum())


@pytest.mark.parametrize(("gap", "joined"), [(60, True), (400, False)])
def test_pieces_of_a_date_around_what_was_not_read_are_one(monkeypatch, gap, joined):
    def piece(text: str, left: int) -> TextLine:
        return TextLine(((left, 20), (left + 60, 20), (left + 60, 50), (left, 50)), text, 0.9)

    monkeypatch.setattr(reading, "_read", lambda pixels: [piece("31.", 10), piece("1999", 70 + gap), piece("Joe", 700)])
    picture = from_array(np.random.default_rng(gap).integers(0, 255, (80, 800, 3), np.uint8))
    if not joined:
        with pytest.raises(MaskError, match="found nothing"):
            select(picture, "text", SelectorHints(options={"kind": "date"}))
        return
    (found,) = select(picture, "text", SelectorHints(options={"kind": "date"}))
    assert found.label == "31. 1999"
    assert found.mask.core[20:50, 10:190].all()
    assert not found.mask.core[:, 690:].any()


def test_a_text_that_is_not_there_is_not_found(letters):
    with pytest.raises(MaskError, match="found nothing"):
        select(letters[0], "text", SelectorHints(text="nobody"))


@pytest.mark.slow
def test_a_small_line_in_a_large_picture_is_found_once_where_tiles_meet():
    image = Image.new("RGB", (2600, 1500), (90, 110, 140))
    drawn = stamped(image, "IMG 4711 SAMPLE", (1180, 700), 20, (190, 200, 210))
    (found,) = select(from_array(np.asarray(image)), "text")
    assert (found.mask.core & drawn).sum() == drawn.sum()


@pytest.mark.slow
def test_one_line_cleans_a_folder_of_date_stamps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    from skimage import data

    monkeypatch.chdir(tmp_path)
    photos = [data.coffee(), data.chelsea(), data.astronaut(), data.rocket()]
    colours = [(255, 150, 40), (255, 60, 40), (250, 250, 240), (255, 230, 60), (120, 230, 255)]
    texts = ["12.08.2003", "'98 6 14", "2001/05/27 14:03", "03-11-1999", "24 12 2004"]
    (tmp_path / "in").mkdir()
    drawn = {}
    for number in range(20):
        photo = np.asarray(photos[number % 4])[10 * (number // 4) :, 15 * (number // 4) :][:300, :400]
        image = Image.fromarray(np.ascontiguousarray(photo))
        size = 14 + 3 * (number % 5)
        place = [(image.width - 11 * size, image.height - 2 * size), (10, image.height - 2 * size), (12, 10)][
            number % 3
        ]
        drawn[number] = stamped(image, texts[number % 5], (max(5, place[0]), place[1]), size, colours[(number * 3) % 5])
        image.save(tmp_path / "in" / f"{number:02}.png")
    words = ["batch", "--images", "in", "--select", "text", "--select-option", "least=0.3"]
    main([*words, "--engine", "telea", "--strict", "-o", "out", "--json"])
    capsys.readouterr()
    cleaned = 0
    for number, letters in drawn.items():
        result = tmp_path / "out" / f"{number:02}.remove.png"
        if not result.exists():
            continue
        before, after = (open_picture(path).samples for path in (tmp_path / "in" / f"{number:02}.png", result))
        changed = (before != after).any(axis=2)
        around = Box.around(letters).pad(12).intersect(Box(0, 0, letters.shape[1], letters.shape[0]))
        beyond = changed.copy()
        beyond[around.slices] = False
        cleaned += bool((changed & letters).sum() > 0.9 * letters.sum()) and bool(beyond.mean() <= 0.01)
    assert cleaned >= 19, json.dumps(cleaned)


def test_the_union_of_lines_is_a_mask(letters):
    picture, date, name = letters
    assert (selected(picture, "text").core & (date | name)).sum() == (date | name).sum()
