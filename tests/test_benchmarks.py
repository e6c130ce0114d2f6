"""The benchmarks measure what they say: known values, unbiased distances, honest intervals, results that are kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks import detail, diffusion, edits, fill, large_hole, pixels
from benchmarks.clock import compare_times
from benchmarks.contenders import Contender, contenders, variant
from benchmarks.dataset import context_box
from benchmarks.diffusion_jobs import JOBS, picture
from benchmarks.diffusion_times import RunTimes, Stopwatch
from benchmarks.fingerprint import reached
from benchmarks.kernel import (
    bootstrap,
    cubic_kernel,
    draw_weights,
    kernel_statistic,
    kid,
    mean_statistic,
    median_statistic,
    pair_matrix,
    paired_bootstrap,
    paired_kid,
)
from benchmarks.metrics import PSNR_CEILING, gradient_energy_ratio, psnr, ssim
from benchmarks.page import replace_section
from benchmarks.pixel_tasks import OURS, all_tasks, photo, true_gaussian
from benchmarks.report import HEADINGS

from overpaint import pocket
from overpaint.errors import RequestError, UnknownEngineError
from overpaint.geometry import Box, Size

SHARED = Path(__file__).resolve().parents[2] / "shared"
HOLE = np.zeros((40, 50), bool)
HOLE[10:30, 12:40] = True


def flat(value: int) -> np.ndarray:
    return np.full((40, 50, 3), value, np.uint8)


def noise(seed: int = 0, spread: float = 30.0) -> np.ndarray:
    grey = np.random.default_rng(seed).normal(128, spread, (40, 50, 1)).clip(0, 255)
    return np.repeat(grey, 3, axis=2).astype(np.uint8)


def test_psnr_of_a_known_error() -> None:
    assert psnr(flat(110), flat(100), HOLE) == pytest.approx(20 * np.log10(255 / 10))


def test_psnr_looks_at_the_hole_alone() -> None:
    other = flat(100)
    other[~HOLE] = 250
    assert psnr(other, flat(100), HOLE) == PSNR_CEILING


def test_ssim_of_flat_pictures_is_the_luminance_term() -> None:
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    assert ssim(flat(150), flat(100), HOLE) == pytest.approx(expected, abs=1e-6)


def test_ssim_of_equal_pictures_is_one_and_of_unrelated_ones_is_near_zero() -> None:
    assert ssim(noise(), noise(), HOLE) == pytest.approx(1)
    assert abs(ssim(noise(1), noise(2), HOLE)) < 0.15


def test_ssim_takes_pictures_smaller_than_its_window() -> None:
    tiny = np.ones((3, 4), bool)
    assert ssim(flat(9)[:3, :4], flat(9)[:3, :4], tiny) == pytest.approx(1)


def test_half_the_contrast_is_a_quarter_of_the_gradient_energy() -> None:
    sharp = noise(spread=40)
    soft = (128 + (sharp.astype(float) - 128) / 2).astype(np.uint8)
    assert gradient_energy_ratio(soft, sharp, HOLE) == pytest.approx(0.25, rel=0.02)


def test_a_seam_is_no_detail() -> None:
    framed = flat(100)
    framed[HOLE] = 200
    assert gradient_energy_ratio(framed, flat(100), HOLE) == 1


def test_different_sizes_and_empty_holes_are_errors() -> None:
    with pytest.raises(ValueError, match="sizes differ"):
        psnr(flat(1)[:-1], flat(1), HOLE)
    with pytest.raises(ValueError, match="empty"):
        psnr(flat(1), flat(1), np.zeros_like(HOLE))


def test_the_textbook_distance_is_its_formula() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(4, 3))
    k = lambda a, b: (a @ b / 3 + 1) ** 3  # noqa: E731
    within_x = np.mean([k(x[i], x[j]) for i in range(5) for j in range(5) if i != j])
    within_y = np.mean([k(y[i], y[j]) for i in range(4) for j in range(4) if i != j])
    across = np.mean([k(a, b) for a in x for b in y])
    assert kid(x, y) == pytest.approx(within_x + within_y - 2 * across)


def test_the_paired_distance_never_compares_a_photo_with_itself() -> None:
    rng = np.random.default_rng(1)
    x, y, groups = rng.normal(size=(6, 3)), rng.normal(size=(6, 3)), np.array(["b", "a", "b", "c", "a", "c"])
    xx, yy, xy = cubic_kernel(x, x), cubic_kernel(y, y), cubic_kernel(x, y)
    pairs = [(i, j) for i in range(6) for j in range(6) if groups[i] != groups[j]]
    expected = np.mean([xx[i, j] + yy[i, j] - xy[i, j] - xy[j, i] for i, j in pairs])
    assert paired_kid(x, y, groups) == pytest.approx(expected)


def test_a_set_has_no_paired_distance_to_itself_where_the_textbook_goes_below_zero() -> None:
    x = np.random.default_rng(2).normal(size=(20, 4))
    assert paired_kid(x, x) == pytest.approx(0, abs=1e-12)
    assert kid(x, x) < -0.01


def test_distances_grow_with_a_shift() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=(60, 5))
    x = y + rng.normal(scale=0.3, size=y.shape)
    for distance in (kid, paired_kid):
        values = [distance(x + shift, y) for shift in (0.2, 0.4, 0.8, 1.6)]
        assert values == sorted(values)
        assert values[1] > 0


def test_paired_sets_bias_the_textbook_distance_and_not_ours() -> None:
    rng = np.random.default_rng(4)
    draws = []
    for _ in range(300):
        y = rng.normal(size=(8, 2))
        x = y + 0.5  # the same photos, shifted: as dependent as can be
        draws.append((paired_kid(x, y), kid(x, y)))
    ours, textbook = np.mean(draws, axis=0)
    error = np.std(draws, axis=0) / np.sqrt(len(draws))
    y, x = rng.normal(size=(3000, 2)), rng.normal(size=(3000, 2)) + 0.5
    truth = kid(x, y)
    assert abs(ours - truth) < 4 * error[0] + 0.1
    assert textbook < truth - 4 * error[1]


def test_single_photos_and_unequal_rows_are_errors() -> None:
    x = np.zeros((4, 2))
    with pytest.raises(ValueError, match="two photos"):
        pair_matrix(x, x, np.zeros(4))
    with pytest.raises(ValueError, match="match"):
        pair_matrix(x, x[:3], np.arange(4))


def test_nineteen_of_twenty_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(5)
    weights = draw_weights(40, 400)
    held = {"mean": 0, "kernel": 0}
    big = rng.normal(size=(3000, 2))
    truth = kid(big + 0.7, rng.normal(size=(3000, 2)))
    for _ in range(100):
        y = rng.normal(size=(40, 2))
        x = y + 0.7 + rng.normal(scale=0.1, size=y.shape)
        mean = bootstrap(mean_statistic(x[:, 0]), weights)
        kernel = bootstrap(kernel_statistic(pair_matrix(x, y, np.arange(40))), weights)
        held["mean"] += mean.low <= 0.7 <= mean.high
        held["kernel"] += kernel.low <= truth <= kernel.high
    assert held["mean"] >= 86
    assert held["kernel"] >= 83


def test_a_weighted_statistic_is_the_statistic_of_the_photos_drawn() -> None:
    rng = np.random.default_rng(6)
    values = rng.normal(size=(12, 3))
    values[2, 1] = np.nan
    for weight in draw_weights(12, 20, seed=1):
        drawn = np.repeat(values, weight.astype(int), axis=0)
        drawn = drawn[np.isfinite(drawn)]
        assert mean_statistic(values)(weight[None])[0] == pytest.approx(drawn.mean())
        assert median_statistic(values)(weight[None])[0] == np.quantile(drawn, 0.5, method="inverted_cdf")


def test_a_paired_difference_is_surer_than_its_sides() -> None:
    rng = np.random.default_rng(7)
    common = rng.normal(scale=3, size=50)
    one, other = common + rng.normal(scale=0.1, size=50), common + 0.5
    weights = draw_weights(50, 1000)
    difference = paired_bootstrap(mean_statistic(one), mean_statistic(other), weights)
    assert difference.high < 0
    assert difference.excludes_zero
    alone = bootstrap(mean_statistic(one), weights)
    assert difference.high - difference.low < (alone.high - alone.low) / 10


def test_the_evaluated_crop_is_one_and_a_half_times_the_box() -> None:
    hole = np.zeros((100, 200), bool)
    hole[40:60, 100:140] = True
    assert context_box(hole) == Box(90, 35, 150, 65)
    hole[:, :] = True
    assert context_box(hole) == Box(0, 0, 200, 100)


def test_a_variant_is_an_engine_with_settings_and_options() -> None:
    found = variant("wide=telea options.radius=9 strength=0.5 prompt={caption}", direct=True)
    assert found == Contender("wide", "telea", {"strength": 0.5, "prompt": "{caption}"}, {"radius": 9}, True)


@pytest.mark.parametrize("text", ["telea", "a/b=telea", "wide=telea radius"])
def test_an_invalid_variant_is_an_error(text: str) -> None:
    with pytest.raises(RequestError, match=r"LABEL=ENGINE|key=value"):
        variant(text)


def test_unknown_engines_and_repeated_labels_are_errors() -> None:
    with pytest.raises(UnknownEngineError, match="telea"):
        contenders(["telaa"])
    with pytest.raises(RequestError, match="telea"):
        contenders(["telea"], ["telea=blur"])
    with pytest.raises(RequestError, match=r"far.*radius"):
        contenders(["telea"], ["far=telea options.radius=900"])


def test_fills_are_kept_by_what_they_depend_on() -> None:
    plain = Contender("a", "telea", direct=True)
    assert plain.fingerprint() == Contender("b", "telea", direct=True).fingerprint()
    assert plain.fingerprint() != Contender("a", "telea", options={"radius": 9.0}, direct=True).fingerprint()
    assert plain.fingerprint() != Contender("a", "blur", direct=True).fingerprint()
    names = {path.name for path in reached(["overpaint.engines.classical"])}
    assert {"classical.py", "base.py", "geometry.py", "__init__.py"} <= names
    assert "_studio.py" not in names


def test_tables_are_put_between_their_marks_and_nothing_else_changes(tmp_path: Path) -> None:
    written = tmp_path / "page.md"
    written.write_text("before\n<!-- fill -->\nold\n<!-- end of fill -->\nafter\n", "utf-8")
    for text in ("first", "second"):
        replace_section(written, "fill", text)
    assert written.read_text("utf-8") == "before\n<!-- fill -->\n\nsecond\n\n<!-- end of fill -->\nafter\n"
    with pytest.raises(ValueError, match="marks"):
        replace_section(written, "pixels", "new")


def test_the_page_has_a_place_for_each_table() -> None:
    text = (Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md").read_text("utf-8")
    assert all(
        text.count(f"<!-- {mark}{name} -->") == 1
        for name in ("fill", "removal", "detail", "pixels", "diffusion", "diffusion-choices")
        for mark in ("", "end of ")
    )
    assert all(f"`{heading}`" in text for heading in HEADINGS[1:] if "{focus}" not in heading)


def test_comparisons_run_every_side_equally_often_in_alternation() -> None:
    order: list[str] = []
    times = compare_times({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 3)
    assert order == ["a", "b", "a", "b", "b", "a", "a", "b"]
    assert set(times) == {"a", "b"}
    assert times["a"].least <= times["a"].median


def test_the_picture_that_pixels_are_timed_on_is_wide_and_no_flat_colour() -> None:
    wide = photo(Size(1500, 700))
    assert wide.shape == (700, 1500, 3)
    assert all(wide[y : y + 100, x : x + 100].std() > 1 for y in (0, 600) for x in (0, 1400))


def test_the_reference_gaussian_of_feathers_is_the_error_function() -> None:
    from scipy.special import erf

    step = np.zeros((5, 200), bool)
    step[:, 100:] = True
    x = np.arange(200) - 99.5
    expected = 0.5 * (1 + erf(x / (8 * np.sqrt(2))))
    assert np.abs(true_gaussian(step, 8.0)[2] - expected).max() < 2e-3


def test_pixels_names_its_tasks_when_one_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert pixels.main(["--tasks", "feather"]) == 2
    said = capsys.readouterr().err
    assert all(name in said for name in all_tasks())


def test_every_ratio_is_another_way_over_ours() -> None:
    times = compare_times({OURS: lambda: sum(range(20_000)), "plain": lambda: sum(range(200_000))}, 3)
    ours, plain = pixels.rows("sum", times, "a note")
    assert (ours[0], ours[-1], ours[5]) == ("sum", "a note", "")
    assert 3 < float(plain[5]) < 40


def test_without_the_photos_fill_says_one_thing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fill.main(["--shared", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "--shared" in said.err
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not (SHARED / "photos" / "eval").is_dir(), reason="the photos are not here")
def test_fill_compares_engines_and_keeps_what_it_made(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    asked = ["--direct", "--engines", "telea,blur", "--focus", "telea", "--limit", "2", "--kinds", "object"]
    asked += ["--out", str(tmp_path)]
    assert fill.main(asked) == 0
    results = json.loads((tmp_path / "results.json").read_text("utf-8"))
    values = {label: v["values"]["kernel_distance"]["value"] for label, v in results["verdicts"]["overall"].items()}
    assert list(values) == ["telea", "blur", "untouched"]
    assert values["untouched"] == pytest.approx(0, abs=1e-9)
    assert min(values["telea"], values["blur"]) > 0
    assert set(results["fills"]["blur"]) == {"000_object", "001_object"}
    assert (tmp_path / "sheets" / "object-01.png").is_file()
    assert "| telea |" in (tmp_path / "table.md").read_text("utf-8")

    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob("fills/*/*/*.png")}
    assert len(made) == 6
    assert fill.main([*asked, "--no-sheets"]) == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("fills/*/*/*.png")} == made


# --- diffusion


def test_a_run_is_taken_apart_at_the_ends_of_its_steps():
    now = iter([0.0, 5.0, 7.0, 9.0, 12.0]).__next__  # begin, three ends of steps, end of all
    watch = Stopwatch(now)
    for _ in range(3):
        watch.tick()
    timed = watch.timed("512x512", 3)
    assert (timed.step, timed.once) == (2.0, 6.0)
    assert timed.total(20) == 46.0
    assert timed.minimum(RunTimes("512x512", 1.0, 8.0)) == RunTimes("512x512", 1.0, 6.0)


def test_jobs_of_diffusion_are_named_and_begin_with_ours(capsys):
    assert all(job.ways[0] == "overpaint" for job in JOBS.values())
    assert diffusion.main(["--jobs", "photo,phto"]) == 2
    assert "no job phto" in capsys.readouterr().err
    assert diffusion.main(["--steps", "1"]) == 2


def test_pictures_of_diffusion_differ_so_that_no_cache_helps():
    assert not np.array_equal(picture(64, 1), picture(64, 2))
    assert np.array_equal(picture(64, 1), picture(64, 1))


def test_without_the_photos_detail_says_one_thing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert detail.main(["--shared", str(tmp_path)]) == 2
    assert "no photos at" in capsys.readouterr().err


@pytest.mark.skipif(not (SHARED / "photos" / "eval").is_dir(), reason="the photos are not here")
def test_detail_says_where_there_is_no_autoencoder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ai_edge_litert")
    assert detail.main(["--autoencoder", str(tmp_path), "--out", str(tmp_path), "--limit", "2"]) == 2
    assert f"there is no autoencoder in {tmp_path}" in capsys.readouterr().err


def test_whole_edits_have_the_holes_that_their_bars_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for job, share in (("small", 0.1), ("large", 2e6 / 12e6)):
        left, top, right, bottom = edits.JOBS[job].box
        width, height = edits.JOBS[job].size
        assert (right - left) * (bottom - top) / (width * height) == pytest.approx(share, rel=0.01)
        assert left > 0 < top < bottom < height
        assert right < width
    assert edits.main(["--shared", str(tmp_path)]) == 2
    assert "no photo" in capsys.readouterr().err
    assert edits.main(["--jobs", "huge"]) == 2
    assert "no job huge" in capsys.readouterr().err


def test_a_large_hole_needs_a_size_in_range_and_photos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for given, shown in (("9", "9.0"), ("-1", "-1.0"), ("nan", "nan")):
        assert large_hole.main([f"--megapixels={given}"]) == 2
        assert f"--megapixels is {shown}, and must be between 0.01 and 2.25" in capsys.readouterr().err
    assert large_hole.main(["--repeats", "0"]) == 2
    assert "--repeats is 0, and must be between 1 and" in capsys.readouterr().err
    assert large_hole.main(["--shared", str(tmp_path)]) == 2
    assert f"no photos at {tmp_path}" in capsys.readouterr().err


@pytest.mark.skipif(not (SHARED / "photos" / "eval").is_dir(), reason="the photos are not here")
def test_a_large_hole_is_timed_by_ways_of_detail(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--megapixels", "0.05", "--repeats", "1", "--native", "64", "--autoencoder", str(pocket.folder())]
    assert large_hole.main(given) == 0
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0] for row in rows] == list(large_hole.WAYS)
    assert float(rows[0][3]) == 0 < float(rows[1][3])
    assert all(float(row[1]) > 0 for row in rows)


@pytest.mark.skipif(not (SHARED / "photos" / "eval").is_dir(), reason="the photos are not here")
def test_detail_measures_every_way_of_every_patch(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    page = tmp_path / "page.md"
    page.write_text("<!-- detail -->\n<!-- end of detail -->\n")
    given = ["--limit", "2", "--kinds", "box", "--out", str(tmp_path), "--page", str(page)]
    assert detail.main([*given, "--autoencoder", str(pocket.folder())]) == 0
    rows = [line.split(" | ") for line in page.read_text().splitlines() if line.startswith("| ")][1:]
    assert [(row[0].strip("| "), row[1]) for row in rows] == [
        (name, way) for name in [*(one.name for one in detail.DETAIL_LOSSES), "autoencoder"] for way in detail.WAYS
    ]
    assert float(rows[12][2]) < float(rows[0][2]), "an autoencoder loses detail"
    for simulated in (rows[:4], rows[4:8], rows[8:12], rows[12:]):
        none, careful, full, surroundings = (float(row[2]) for row in simulated)
        assert none <= careful < full
        assert (full != surroundings) == ("autoencoder" in simulated[0][0]), "only there texture is lost"
    assert len(list((tmp_path / "sheets").glob("*.png"))) == 2
