"""Starting up: quick, light, and one clear line when the arguments are wrong."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from batches import BOX, photo
from forks import run_forked
from overpaint.cli import main
from overpaint.cli.run import VERBS

HEAVY = ("numpy", "torch", "cv2", "PIL", "scipy", "skimage", "diffusers", "transformers")
_PROBE = (
    "import json, sys\n"
    "from overpaint.cli import main\n"
    "status = main(sys.argv[1:])\n"
    f"print(json.dumps([status, [name for name in {HEAVY!r} if name in sys.modules]]), file=sys.stderr)\n"
)


@pytest.mark.parametrize("words", [["--help"], ["remove", "--help"], ["mask", "make", "--help"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", _PROBE, *words], capture_output=True, text=True, check=True)
    status, loaded = json.loads(done.stderr.splitlines()[-1])
    assert status == 0
    assert loaded == []
    assert "Usage: overpaint" in done.stdout


_LEAST = """
from cyclopts import App

app = App(name="least", help="What a command line of this library takes at the least.", help_format="rich")
for name in "abcdefghijklmnop":
    app.command("least:nothing", name=name, help="Does nothing, and is not imported.")
app(["--help"], exit_on_error=False, result_action="return_value")
"""


def test_help_takes_little_more_than_its_library() -> None:
    # Processor time, as the wall clock tells of a busy machine; beside the least that the library takes, as a slow
    # machine needs longer for both. Where that is 0.24 seconds, these are the 300 ms that a help may take.
    def taken(*words: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    ours, least = [], []
    for _ in range(6):
        least.append(taken("-c", _LEAST))
        ours.append(taken("-m", "overpaint", "--help"))
        if min(ours) < 1.25 * min(least):
            return
    raise AssertionError(f"overpaint --help took {min(ours):.3f} s, the least of its library {min(least):.3f} s")


@pytest.mark.parametrize(("call", "frozen"), [("main()", True), ("main(sys.argv[1:])", False)])
def test_only_a_process_of_its_own_ends_without_a_search_for_garbage(call: str, frozen: bool) -> None:
    # what is registered first is called last: after whatever `main` wants done on the way out
    watch = "import atexit, gc, sys; atexit.register(lambda: print(gc.get_freeze_count()))"
    code = f"{watch}; from overpaint.cli import main; {call}"
    done = subprocess.run([sys.executable, "-c", code, "--version"], capture_output=True, text=True, check=True)
    assert (int(done.stdout.splitlines()[-1]) > 1000) is frozen


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"overpaint {version('overpaint')}"


def test_without_a_verb_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    for verb in VERBS:
        assert verb.name in shown


@pytest.mark.parametrize("name", [verb.name for verb in VERBS])
def test_every_verb_explains_itself_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert f"$ overpaint {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["inpaint", "a.png"], "there is no verb 'inpaint'; did you mean 'replace'?"),
        (["remvoe", "a.png"], "did you mean 'remove'?"),
        (["outpaint", "a.png"], "did you mean 'expand'?"),
        (["frobnicate"], "there are add, audit, background"),
        (["photo.jpg"], "overpaint remove photo.jpg --mask mask.png"),
        (
            ["mask", "grow"],
            "there is no verb 'grow' (there are combine, convert, make, preview, refine, resize, select, selectors)",
        ),
        (["remove", "a.png", "--denoising-strength", "0.5"], "--denoising-strength; did you mean '--strength'?"),
        (["remove", "a.png", "--cfg-scale=7"], "did you mean '--guidance-scale'?"),
        (["remove", "a.png", "--num_inference_steps", "7"], "did you mean '--steps'?"),
        (["remove", "a.png", "--mask-blur-x", "7"], "did you mean '--mask-blur'?"),
        (["remove", "a.png", "--inpaint-full-res-padding", "7"], "did you mean '--padding'?"),
        (["remove", "a.png", "--inpainting-fill", "1"], "did you mean '--masked-content'?"),
        (["remove", "a.png", "--mask_image", "7"], "did you mean '--mask'?"),
        (["remove", "a.png", "--inpainting-mask-invert"], "did you mean '--invert'?"),
        (["remove", "a.png", "--fether", "7"], "did you mean '--feather'?"),
        (
            ["replace", "a.png", "--subseed-strength", "0.3"],
            "--subseed-strength: it is an option of a checkpoint: --option subseed_strength=0.3 (see",
        ),
        (["edit", "a.png", "--soft-inpainting"], "a checkpoint: --option soft_inpainting=true (see"),
        (["remove", "a.png", "--eta=1"], "a checkpoint: --option eta=1 (see"),
        (["remove", "a.png", "--vae"], "a checkpoint: --option vae=VALUE (see"),
        (["remove", "a.png", "--patch", "7"], "the engine 'exemplar': --option patch=7 (see"),
        (["replace", "a.png", "--lora", "b"], "--lora; right would be --prompt '..., <lora:NAME:1>' (see"),
        (["replace", "a.png", "--only-masked"], "right would be --area masked (see"),
        (["replace", "a.png", "--controlnet", "canny"], "right would be --control KIND[=MAP] (see"),
        (["replace", "a.png", "--ip-adapter=b.png"], "right would be --control reference=PICTURE (see"),
        (["replace", "a.png", "--name", "b"], "unknown option --name (see"),
        (["info", "a.png", "--lora", "b"], "unknown option --lora (see"),
        (["remove", "--image", "a.png"], "the picture is given without an option"),
        (["remove", "a.png", "--out", "b.png"], "did you mean '--output'?"),
        (["expand", "a.png", "--mask", "b.png"], "unknown option --mask"),
        (["remove", "a.png", "-x"], "unknown option -x"),
        (["remove"], "remove needs a picture"),
        (["mask", "refine", "a.png"], "mask refine needs --output"),
        (["info", "a.png", "b.png"], "info takes no further argument: 'b.png'"),
        (["remove", "a.png", "--box"], "--box needs a value"),
        (["remove", "a.png", "--steps", "many"], "--steps takes a whole number, not 'many'"),
        (["remove", "a.png", "--strength", "full"], "--strength takes a number, not 'full'"),
        (["remove", "a.png", "--area", "hole"], "--area must be one of masked, whole, not 'hole'"),
        (["remove", "a.png", "--seed", "1", "--seed", "2"], "--seed is given twice"),
        (["remove", "a.png", "--device", "gpu"], "--device must be one of auto, cpu, cuda, mps, not 'gpu'"),
    ],
)
def test_wrong_arguments_are_one_line_that_says_what_would_be_right(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("overpaint: ")
    assert err.count("\n") == 1
    assert says in err


def test_completion_knows_verbs_and_options() -> None:
    from overpaint.cli.run import application

    script = application().generate_completion(shell="bash")
    assert "remove" in script
    assert "--feather" in script


def _run_with_encoding(encoding: str, folder: Path, *words: str) -> tuple[int, bytes, bytes]:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = run_forked([sys.executable, "-m", "overpaint", *words], cwd=folder, env=environment, capture_output=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_json_is_utf8_or_ascii_whatever_the_encoding_of_the_terminal(encoding: str, tmp_path: Path) -> None:
    photo(tmp_path / "ré.png")
    for name in ("ré", "日本"):
        row = {"id": name, "image": "ré.png", "box": BOX, "engine": "telea", "output": f"{name}.png"}
        (tmp_path / "e.jsonl").write_text(json.dumps(row))
        status, out, err = _run_with_encoding(encoding, tmp_path, "batch", "e.jsonl", "-o", "out")
        assert (status, err) == (0, b"")
        events = [json.loads(line) for line in out.decode().splitlines()]
        assert [event["event"] for event in events] == ["began", "done", "ended"]
        assert events[1]["id"] == name
    words = ["remove", "ré.png", "--box", BOX, "--engine", "telea", "-o", "ré-2.png"]
    for expected in (0, 1):  # done; then an error, as the file is there
        status, out, _ = _run_with_encoding(encoding, tmp_path, *words, "--json")
        assert status == expected
        assert "ré-2.png" in json.dumps(json.loads(out.decode()), ensure_ascii=False)


def test_messages_escape_what_the_encoding_of_the_terminal_lacks(tmp_path: Path) -> None:
    photo(tmp_path / "日本.png")
    words = ["remove", "日本.png", "--box", BOX, "--engine", "telea", "-o", "日本-2.png"]
    status, out, err = _run_with_encoding("ascii", tmp_path, *words)
    assert (status, err) == (0, b"")
    assert rb"\u65e5\u672c-2.png" in out
    assert _run_with_encoding("cp1252", tmp_path, "info", "日本.png")[0] == 0
    assert _run_with_encoding("ascii", tmp_path, "doctor")[2] == b""
    assert _run_with_encoding("ascii", tmp_path, "models", "list", "--all")[2] == b""


def test_json_of_finite_numbers_refuses_others() -> None:
    from overpaint.cli.texts import print_json

    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json({"seam": float("nan")}, one_line=True, finite=True)
