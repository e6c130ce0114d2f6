"""A result says how it looks beside its surroundings, and in one line where a fill is doubtful."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import overpaint
from overpaint import Mask, Studio
from overpaint.cli import main
from overpaint.engines import EngineCard, Painted
from overpaint.finish.quality import (
    BORDER_LIMIT,
    FOREIGN_LIMIT,
    SEAM_LIMIT,
    STRUCTURE_LIMIT,
    FillMeasures,
    measured,
    seam_score,
    seen_around,
)
from overpaint.geometry import Size
from overpaint.picture import from_array
from overpaint.record import read_record
from stand_ins import StandIn

SIZE = Size(200, 180)
HOLE = (60, 50, 140, 130)
Levels = NDArray[np.float32]


def texture(seed: int = 1, spread: float = 14.0) -> Levels:
    """(180, 200) of rough texture about a mean of 128."""
    return np.random.default_rng(seed).normal(128, spread, (180, 200)).astype(np.float32)


def weight() -> Levels:
    return Mask.box(SIZE, HOLE).values


def filled(inside: Levels | float, outside: Levels | None = None) -> Levels:
    """A texture with something else in the hole."""
    left, top, right, bottom = HOLE
    levels = texture() if outside is None else outside.copy()
    levels[top:bottom, left:right] = inside[top:bottom, left:right] if isinstance(inside, np.ndarray) else inside
    return levels


def debris() -> Levels:
    """Texture with black pieces in it."""
    levels = texture(2)
    for x, y in ((80, 70), (105, 90), (85, 108)):
        cv2.rectangle(levels, (x, y), (x + 16, y + 12), 10.0, -1)
    return levels


class TestMeasures:
    def test_a_fill_that_goes_on_is_not_doubtful(self) -> None:
        found = measured(filled(texture(2)), weight())
        assert 0.9 < found.seam < 1.1
        assert found.flatness < 0.1
        assert 0.5 < found.structure < 0.9
        assert found.doubts() == ()

    def test_a_surface_goes_on(self) -> None:
        slope = np.linspace(60, 180, 200, dtype=np.float32)[None, :].repeat(180, axis=0)
        assert measured(slope, weight()).doubts() == ()

    def test_pieces_of_something_else_are_structure(self) -> None:
        good, bad = measured(filled(texture(2)), weight()), measured(filled(debris()), weight())
        assert bad.structure > 1.5 * good.structure
        assert bad.doubts() == ("structure", "foreign")

    def test_a_smooth_blend_of_another_colour_is_foreign_and_nothing_else(self) -> None:
        rows, columns = np.mgrid[:180, :200].astype(np.float32)
        blob = 30 * np.exp(-((rows - 90) ** 2 + (columns - 100) ** 2) / 800)
        found = measured(filled(texture(2, 6.0) + blob, texture(1, 6.0)), weight())
        assert found.foreign > FOREIGN_LIMIT
        assert found.doubts() == ("foreign",)
        assert measured(filled(texture(2)), weight()).foreign < 0.01

    def test_what_is_foreign_is_the_same_in_every_depth_and_number_of_channels(self) -> None:
        grey = np.rint(filled(debris())).clip(0, 255).astype(np.uint8)
        colours, deep = np.repeat(grey[..., None], 3, axis=2), grey.astype(np.uint16) * 257
        found = measured(grey, weight())
        assert measured(colours, weight()).foreign == pytest.approx(found.foreign, abs=0.01)
        assert measured(np.repeat(grey[..., None], 4, axis=2), weight()).foreign == pytest.approx(
            found.foreign, abs=0.01
        )
        assert measured(deep, weight(), maximum=65535).foreign == pytest.approx(found.foreign, abs=0.01)

    def test_a_flat_sheet_in_a_texture_is_flat(self) -> None:
        found = measured(filled(128.0), weight())
        assert found.flatness > 0.9
        assert found.doubts() == ("flatness",)

    def test_a_step_at_the_edge_is_a_seam(self) -> None:
        found = measured(filled(texture(2) + np.float32(60)), weight())
        assert found.seam > SEAM_LIMIT
        assert found.doubts(continued=False) == ("seam",)

    def test_what_does_not_continue_its_surroundings_is_judged_by_its_seam_alone(self) -> None:
        assert measured(filled(debris()), weight()).doubts(continued=False) == ()

    def test_a_small_hole_has_a_seam_and_nothing_else(self) -> None:
        speck = Mask.box(SIZE, (80, 70, 120, 110)).values
        levels = texture()
        levels[70:110, 80:120] = 128
        assert measured(levels, speck) == FillMeasures(seam=measured(levels, speck).seam)
        assert measured(levels, speck, 0.0123456).match == 0.0123

    def test_a_large_picture_gives_about_what_a_small_one_gives(self) -> None:
        smooth = cv2.GaussianBlur(filled(debris()), (0, 0), 2.0)
        large, hole = (cv2.resize(array, None, fx=4, fy=4) for array in (smooth, weight()))
        assert measured(large, hole).structure == pytest.approx(measured(smooth, weight()).structure, rel=0.25)

    def test_nothing_is_known_around(self) -> None:
        assert measured(texture(), np.ones((180, 200), np.float32)) == FillMeasures()

    def test_the_window_grows_with_the_hole(self) -> None:
        assert seen_around(weight()) == 28
        assert seen_around(np.ones((1000, 1000), np.float32)) == 258

    def test_the_worst_of_several(self) -> None:
        one, other = FillMeasures(1.2, 0.5, 0.3, None), FillMeasures(1.1, 0.7, 0.4, 0.05)
        assert FillMeasures.worst([one, other]) == FillMeasures(1.2, 0.7, 0.4, 0.05)
        assert FillMeasures.worst([]) == FillMeasures()


def test_a_seam_is_scored_where_one_shows_and_not_in_texture() -> None:
    rng = np.random.default_rng(1)
    rough = rng.normal(128, 8, (80, 80)).astype(np.float32)
    touched = np.zeros((80, 80), bool)
    touched[20:60, 20:60] = True
    assert 0.8 < seam_score(rough, touched) < 1.2
    stepped = rough + np.float32(30) * touched
    assert seam_score(stepped, touched) > SEAM_LIMIT
    assert seam_score(np.full((80, 80), 9, np.float32), touched) == 1.0
    assert seam_score(rough, np.ones((80, 80), bool)) == 1.0


def edit(inside: Levels | float, card: EngineCard | None = None, **settings: Any) -> overpaint.Edited:
    """An edit of a texture by an engine that paints these levels in the hole."""
    result = np.repeat(filled(inside)[..., None] / np.float32(255), 3, axis=2)
    card = card or EngineCard(name="stand-in", title="paints a result", accepts=frozenset({"seed"}))
    engine = StandIn(lambda canvas, _: Painted(np.ascontiguousarray(result), match=0.05), card)
    picture = from_array(np.repeat(np.rint(texture())[..., None], 3, axis=2).clip(0, 255).astype(np.uint8))
    with Studio() as studio:
        studio.add_engine(engine)
        settings = {"intent": "remove", "area": "whole", "strict": True, "seed": 3, **settings}
        return studio.edit(picture, mask=Mask.box(SIZE, HOLE), engine="stand-in", **settings)


def test_an_extension_that_breaks_the_border_is_doubtful() -> None:
    """Sky over sea, beyond whose right border only sky is painted, or the same."""
    levels = np.full((90, 160, 3), 200, np.uint8)
    levels[45:] = 60
    picture, verdicts = from_array(levels), []
    for below in (200, 60):
        result = np.pad(levels, ((0, 0), (0, 40), (0, 0)), mode="edge").astype(np.float32) / 255
        result[45:, 160:] = below / 255
        card = EngineCard(name="stand-in", title="paints a result", accepts=frozenset({"seed"}))
        with Studio() as studio:
            studio.add_engine(StandIn(lambda canvas, _, result=result: Painted(result), card))
            verdicts.append(
                studio.edit(picture, intent="expand", area="whole", margins=(0, 0, 40, 0), engine="stand-in")
            )
    broken, whole = verdicts
    assert broken.quality.border > BORDER_LIMIT
    assert "what is new does not go on with the picture's border" in broken.doubt
    assert "a smaller margin" in broken.doubt
    assert whole.quality.border < 0.01
    assert whole.doubt == ""


class TestResults:
    def test_a_doubtful_one_has_one_line_with_what_to_try(self) -> None:
        edited = edit(debris())
        assert edited.quality.structure > STRUCTURE_LIMIT
        assert edited.quality == edited.regions[0].quality
        assert edited.doubt.startswith("the result is doubtful: it has stronger edges than its surroundings")
        assert edited.doubt.endswith(
            "try another seed, a mask that covers all of the object and its shadow, or a model"
        )
        assert edited.notes == ()

    def test_what_the_engine_does_not_use_is_not_advised(self) -> None:
        card = EngineCard(name="stand-in", title="paints a result", accepts=frozenset({"avoid"}))
        assert "seed" not in edit(debris(), card).doubt
        assert "try the setting avoid for what was copied and does not belong, a mask" in edit(debris(), card).doubt

    def test_a_good_one_has_none(self) -> None:
        edited = edit(cv2.GaussianBlur(texture(2), (0, 0), 0.5))
        assert edited.doubt == ""
        assert edited.notes == ()

    def test_an_engine_that_paints_by_its_settings_is_not_judged(self) -> None:
        card = EngineCard(name="stand-in", title="paints a result", paints_from="settings")
        assert edit(debris() + np.float32(70), card).doubt == ""

    def test_the_record_has_the_measures_and_the_line(self, tmp_path: Path) -> None:
        edited = edit(debris())
        edited.save(tmp_path / "out.png")
        found = read_record(tmp_path / "out.png")
        assert found is not None
        assert found.record is not None
        quality = found.record.regions[0].quality
        assert quality == {
            "seam": edited.quality.seam,
            "flatness": edited.quality.flatness,
            "structure": edited.quality.structure,
            "match": 0.05,
            "foreign": edited.quality.foreign,
            "border": 0.0,
        }
        assert found.record.doubt == edited.doubt

    def test_an_engine_that_copies_patches_tells_its_match(self) -> None:
        picture = from_array(np.repeat(np.rint(texture())[..., None], 3, axis=2).clip(0, 255).astype(np.uint8))
        edited = overpaint.remove(picture, Mask.box(SIZE, (90, 80, 120, 110)), seed=1)
        assert edited.quality.match is not None
        assert 0 < edited.quality.match < 0.5


def test_the_command_and_a_batch_tell_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.repeat(np.rint(texture())[..., None], 3, axis=2).clip(0, 255).astype(np.uint8)).save("photo.png")
    call = ["remove", "photo.png", "--box", "60,50,140,130", "--engine", "blur"]
    assert main([*call, "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["quality"].keys() == {"seam", "flatness", "structure", "match", "foreign", "border"}
    assert table["quality"]["flatness"] > 0.85
    assert table["doubt"].startswith("the result is doubtful: it is flat")
    assert main([*call, "-o", "other.png"]) == 0
    assert "note: the result is doubtful: it is flat" in capsys.readouterr().err
    Path("rows.jsonl").write_text(json.dumps({"image": "photo.png", "box": "60,50,140,130", "engine": "blur"}))
    assert main(["batch", "rows.jsonl", "-o", "out", "-q"]) == 0
    assert "doubtful" in Path("out/report.csv").read_text()
