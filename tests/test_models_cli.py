"""`overpaint models` on the command line, and docs/models.md, whose table is the catalogue's own.

`python tests/test_models_cli.py` writes that table anew.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import checkpoints
from checkpoints import TINY
from overpaint import models
from overpaint.cli import main
from overpaint.models import CATALOGUE

PAGE = Path(__file__).parents[1] / "docs" / "models.md"
_TABLE = re.compile(r"<!-- catalogue -->\n.*?<!-- end -->", re.DOTALL)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_pocket: None) -> None:
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("OVERPAINT_MODEL_PATH", raising=False)
    monkeypatch.chdir(tmp_path)


def model(name: str) -> str:
    save_file(checkpoints.tensors(checkpoints.vae(8)), name)
    return name


def test_add_list_show_verify_remove(capsys: pytest.CaptureFixture[str]) -> None:
    model("good.vae.safetensors")
    assert main(["models", "add", "good.vae.safetensors", "--licence", "MIT"]) == 0
    assert capsys.readouterr().out.startswith("added good.vae: VAE, fp32, ")
    assert main(["models", "list"]) == 0
    assert re.search(r"good\.vae +VAE, fp32 +[\d.]+ MB +MIT +store +[0-9a-f]{12}", capsys.readouterr().out)
    assert main(["models", "list", "--json", "--all"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in found["models"]] == ["good.vae"]
    assert len(found["catalogue"]) == len(CATALOGUE)
    assert main(["models", "show", "good.vae"]) == 0
    assert "SHA-256" in capsys.readouterr().out
    assert main(["models", "verify"]) == 0
    assert "good.vae: whole, SHA-256 " in capsys.readouterr().out
    path = models.entry("good.vae").path
    path.write_bytes(path.read_bytes()[:-4])
    assert main(["models", "verify"]) == 1
    assert "is cut short" in capsys.readouterr().out
    assert main(["models", "verify", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["whole"] is False
    assert main(["models", "list"]) == 0
    assert "can't be used: good.vae.safetensors is cut short" in capsys.readouterr().out
    assert main(["models", "remove", "good.vae"]) == 0
    assert not path.exists()
    assert main(["models", "list"]) == 0
    assert "No model is here yet" in capsys.readouterr().out


def test_show_has_no_digest_to_compute_of_a_file_that_can_not_be_used(capsys: pytest.CaptureFixture[str]) -> None:
    Path("photo.jpg").write_bytes(b"\xff\xd8\xff\xe0 a picture")
    assert main(["models", "show", "./photo.jpg"]) == 0
    out = capsys.readouterr().out
    assert "can't be used" in out
    assert "SHA-256" not in out


def test_show_prints_properties_and_their_sources(capsys: pytest.CaptureFixture[str]) -> None:
    held = {name: torch.zeros(shape) for name, shape in checkpoints.unet(TINY["sd2"]).items()}
    save_file(held | {"first_stage_model.x": torch.zeros(1), "cond_stage_model.x": torch.zeros(1)}, "v2.safetensors")
    assert main(["models", "show", "./v2.safetensors"]) == 0
    out = capsys.readouterr().out
    assert "Stable Diffusion 2.x checkpoint, fp32, v-prediction" in out
    assert "v (usual for SD 2 models of 768" in out
    save_file(
        {name: torch.zeros(shape) for name, shape in checkpoints.control(TINY["sd1"]).items()}, "a-canny.safetensors"
    )
    assert main(["models", "show", "./a-canny.safetensors"]) == 0
    assert re.search(r"Stable Diffusion 1.x ControlNet, fp32\n.*^reads +canny$", capsys.readouterr().out, re.M | re.S)
    assert main(["models", "show", "sdxl-inpainting"]) == 0
    out = capsys.readouterr().out
    assert "https://huggingface.co/diffusers/stable-diffusion-xl-1.0-inpainting-0.1" in out
    assert "RAIL++-M" in out
    assert main(["models", "show", "sdxl-inpainting", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["channels"] == 9


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["add", "nothing.safetensors"], 2, "there is no file"),
        (["add", "vae.safetensors", "--name", "../x"], 2, "can't be a model's name"),
        (["add", "text.txt"], 2, "neither a .safetensors file"),
        (["show", "sd15-inpaintin"], 2, "did you mean 'sd15-inpainting'?"),
        (["remove", "sd15-inpainting"], 2, "is not here"),
        (["verify", "nothing"], 2, "no model is called 'nothing'"),
        (["get", "no such name"], 2, "is neither a name of the hub (OWNER/NAME) nor of the catalogue"),
        (["frob"], 2, "there is no verb 'frob' (there are accept, add, convert, get, list, remove, show, verify)"),
    ],
)
def test_errors_are_one_line(words: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    model("vae.safetensors")
    Path("text.txt").write_text("some text, which is no model")
    assert main(["models", *words]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("overpaint: ")
    assert err.count("\n") == 1
    assert says in err


def test_get_without_a_network_says_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert main(["models", "get", "sd15-inpainting"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "hf download stable-diffusion-v1-5/stable-diffusion-inpainting" in err
    assert main(["models", "get", "yunet"]) == 1
    err = capsys.readouterr().err
    assert "'hf download opencv/face_detection_yunet face_detection_yunet_2023mar.onnx --local-dir FOLDER'" in err
    assert "FOLDER/FILE" in err


def _place(path: str) -> str:
    """The repository and file of an address of a release, in short."""
    if "://" not in path:
        return f"Sanster/models: {path}"
    repository, _, file = path.removeprefix("https://github.com/").partition("/releases/download/")
    return f"{repository}: {file}"


def filled(page: str) -> str:
    """The page with the catalogue as it is."""
    head = "| Name | From | What it is | Licence | Size |\n|---|---|---|---|---|\n"
    rows = [f"| `{o.name}` | {_from(o)} | {o.title}. {o.about} | {o.licence} | {o.gigabytes:g} GB |" for o in CATALOGUE]
    return _TABLE.sub(lambda _: f"<!-- catalogue -->\n{head}{chr(10).join(rows)}\n<!-- end -->", page)


def _from(row: models.CatalogueEntry) -> str:
    """Its name on the hub, or its files on GitHub."""
    return row.hub or ", ".join(_place(file.path) for file in row.files)


def test_the_page_has_the_catalogue() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert len(_TABLE.findall(page)) == 1
    assert filled(page) == page, "run: python tests/test_models_cli.py"


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
