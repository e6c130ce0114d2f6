"""Recolouring by the command line and in batches."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from overpaint.cli import main
from overpaint.record import read_record
from test_recolor import BODIES, ball, disc, lch, turned


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OVERPAINT_MODEL", raising=False)
    Image.fromarray(np.rint(ball(BODIES["red"]) * 255).astype(np.uint8)).save("ball.png")
    Image.fromarray(np.uint8(255 * (disc() > 0.5))).save("mask.png")
    Image.new("RGBA", (12, 12)).save("clear.png")
    Image.new("RGB", (12, 12), (30, 102, 208)).save("swatch.png")


def pixels(name: str) -> np.ndarray:
    return np.asarray(Image.open(name).convert("RGB"))


def hue(name: str) -> float:
    return float(lch(pixels(name)[60, 80][None] / np.float32(255))[0, 2])


def test_the_new_colour_is_an_option_a_prompt_or_a_picture(capsys):
    for number, words in enumerate((["--to", "#1e66d0"], ["--prompt", "a blue ball"], ["--with", "swatch.png"])):
        assert main(["recolor", "ball.png", "--mask", "mask.png", *words, "-o", f"{number}.png", "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["engine"], said["model"], said["changed_beyond_reach"]) == ("recolor", None, 0)
        assert turned(hue(f"{number}.png"), 258) < 8
    assert np.abs(pixels("0.png").astype(int) - pixels("2.png")).max() <= 2


def test_the_line_says_recoloured_and_the_record_has_the_colour(capsys):
    assert main(["recolor", "ball.png", "--mask", "mask.png", "--to", "navy"]) == 0
    assert "recoloured 1 region" in capsys.readouterr().out
    found = read_record("ball.recolor.png")
    assert found is not None
    assert dict(found.record.resolved.options) == {"to": "navy"}
    assert main(["replay", "ball.recolor.png"]) == 0
    assert "every pixel equal" in capsys.readouterr().out


def test_the_tone_and_the_colour_that_changes_are_options():
    words = ["recolor", "ball.png", "--mask", "mask.png", "--to", "#101c50", "--only", "red"]
    assert main([*words, "-o", "match.png"]) == main([*words, "--tone", "keep", "-o", "keep.png"]) == 0
    assert pixels("keep.png")[60, 80].sum() > pixels("match.png")[60, 80].sum() + 100


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--prompt", "a fast ball"], "names no new colour; "),
        ([], "there is no new colour; "),
        (["--to", "blurple"], "'blurple' is no colour: right would be a word (dark green), #1e66d0"),
        (["--to", "1e66d0"], "'1e66d0' is no colour: right would be #1e66d0, or a word"),
        (["--to", "x" * 5000], "xxx...' is no colour"),
        (["--prompt", "not blue"], "the prompt 'not blue' names no new colour; "),
        (["--to", "navy", "--option", "to=red"], "--to and --option to have two values"),
        (["--option", "to=red", "--option", "to=blue"], "--option to is given twice"),
        (["--to", "navy", "--with-mask", "mask.png"], "--with-mask marks the object in a picture to put in"),
        (["--with", "clear.png"], "give --with, a picture that is opaque"),
        (["--to", "navy", "--insert", "clear.png"], "unknown option --insert; did you mean '--invert'?"),
        (["--to", "navy", "--only", "green"], "the mask has nothing of the colour 'green'"),
        (["--to", "navy", "-n", "3"], "recolor does not use a seed"),
        (
            ["--to", "navy", "--model", "pocket"],
            "--to is for the engine recolor, which runs no model: leave out --model",
        ),
    ],
)
def test_an_error_says_what_would_be_right(words, said, capsys):
    assert main(["recolor", "ball.png", "--mask", "mask.png", *words]) == 2
    assert said in capsys.readouterr().err
    assert not Path("ball.recolor.png").exists()


def test_a_batch_takes_colours_prompts_and_pictures(capsys):
    rows = [
        {"image": "ball.png", "mask": "mask.png", "intent": "recolor", "options": {"to": "#1e66d0"}, "output": "a.png"},
        {"image": "ball.png", "mask": "mask.png", "intent": "recolor", "prompt": "a blue ball", "output": "b.png"},
        {"image": "ball.png", "mask": "mask.png", "intent": "recolor", "insert": "swatch.png", "output": "c.png"},
        {"image": "ball.png", "mask": "mask.png", "intent": "recolor", "prompt": "a fast ball", "output": "d.png"},
    ]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert main(["batch", "rows.jsonl", "-o", "out"]) != 0, "a row names no colour"
    assert all(turned(hue(f"out/{name}.png"), 258) < 8 for name in "abc")
    assert not Path("out/d.png").exists()
