"""`models get lama`: what comes over HTTP is whole, is kept in its safe form, and goes on where it stopped."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

import erasers
from overpaint import models
from overpaint.cli import main
from overpaint.errors import DownloadError, ModelError, OutputError
from overpaint.models import catalogue, find_eraser
from overpaint.models.catalogue import ReleasedFile
from test_eraser_networks import onnx_file
from test_models_store import Stand


@dataclass
class Site:
    """A server of files: what it has, what it was asked for, and after how many bytes it hangs up, once."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    hangs_up_after: int | None = None


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            found.asked.append(f"{self.path} {self.headers.get('Range', '')}".strip())
            data = found.files.get(self.path.lstrip("/"))
            if data is None:
                self.send_error(404)
                return
            start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
            if start and start >= len(data):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            if found.hangs_up_after is not None:
                data, found.hangs_up_after = data[: start + found.hangs_up_after], None
                self.close_connection = True
            self.wfile.write(data[start:])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.address = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _mirror(model_home: Path, monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    monkeypatch.setenv("OVERPAINT_RELEASES", site.address)


def publish(site: Site, monkeypatch: pytest.MonkeyPatch, name: str, files: dict[str, bytes]) -> None:
    """Have the site hold files under the catalogue's paths of this eraser, with their digests."""
    row = models.listed(name)
    assert row is not None
    held = tuple(
        ReleasedFile(one.path, hashlib.md5(files[one.name]).hexdigest()) for one in row.files if one.name in files
    )
    site.files |= {one.path: files[one.name] for one in held}
    changed = replace(row, files=held)
    monkeypatch.setitem(catalogue._BY_NAME, name, changed)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """big-lama.pt."""
    return erasers.lama_program(tmp_path_factory.mktemp("lama") / "big-lama.pt").read_bytes()


def test_lama_comes_as_safetensors_and_none_of_its_code_runs(
    site: Site, program: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    publish(site, monkeypatch, "lama", {"big-lama.pt": program})

    def runs(*_: object, **__: object) -> None:
        raise AssertionError("its code was loaded")

    monkeypatch.setattr(torch.jit, "load", runs)
    assert main(["models", "get", "lama"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("downloaded lama: eraser (LaMa), fp32, ")
    assert "licence Apache-2.0" in out
    assert "big-lama.pt" in err
    found = models.entry("lama")
    assert (found.path.name, found.note.source) == ("lama.safetensors", f"{site.address}/add_big_lama/big-lama.pt")
    assert find_eraser("lama").kind.network == "lama"
    assert [one.name for one in models.store_folder().iterdir() if "partial" in one.name] == []
    assert models.verify("lama")[1] == ()
    with pytest.raises(OutputError, match="is here already"):
        models.get("lama")


def test_an_interrupted_download_goes_on_where_it_stopped(site: Site, program: bytes, monkeypatch: pytest.MonkeyPatch):
    publish(site, monkeypatch, "lama", {"big-lama.pt": program})
    site.hangs_up_after = 5000
    with pytest.raises(DownloadError, match="the connection ended"):
        models.get("lama")
    assert models.entries(lambda name: name == "lama") == ()
    models.get("lama")
    assert site.asked == ["/add_big_lama/big-lama.pt", "/add_big_lama/big-lama.pt bytes=5000-"]


def test_other_bytes_than_were_published_are_refused(site: Site, program: bytes, monkeypatch: pytest.MonkeyPatch):
    publish(site, monkeypatch, "lama", {"big-lama.pt": program})
    site.files["add_big_lama/big-lama.pt"] = program[:-1] + b"x"
    with pytest.raises(DownloadError, match="MD5 differs"):
        models.get("lama")
    assert not (models.store_folder() / "lama.safetensors").exists()


def test_what_is_not_there_is_one_line(site: Site, capsys: pytest.CaptureFixture[str]):
    assert main(["models", "get", "lama"]) == 1
    err = capsys.readouterr().err
    assert f"can't download {site.address}/add_big_lama/big-lama.pt (status 404)" in err
    assert main(["models", "get", "zits"]) == 2
    assert "--allow-pickle" in capsys.readouterr().err
    assert site.asked == ["/add_big_lama/big-lama.pt"], "what can't be used is not downloaded"


def test_an_eraser_in_several_files_comes_as_a_folder_where_its_programs_are_allowed(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    erasers.save_programs(tmp_path / "published", "ldm")
    publish(site, monkeypatch, "ldm", {one.name: one.read_bytes() for one in (tmp_path / "published").iterdir()})
    found = models.get("ldm", allow_pickle=True)
    assert (found.name, found.licence, found.path.is_dir()) == ("ldm", "MIT", True)
    assert found.kind is not None
    assert found.kind.title == "eraser (LDM), TorchScript"
    assert len(find_eraser("ldm", allow_pickle=True).parts) == 3
    with pytest.raises(ModelError, match="TorchScript program"):
        find_eraser("ldm")
    models.remove("ldm")
    assert not found.path.exists()


def test_a_file_of_the_hub_is_found_by_the_name_that_it_was_downloaded_by(tmp_path: Path):
    (tmp_path / "remote").mkdir()
    inputs = [("image", "float32", [1, 3, 512, 512]), ("mask", "float32", [1, 1, 512, 512])]
    onnx_file(tmp_path / "remote" / "lama_fp32.onnx", inputs)
    models.get("lama-onnx", hub=Stand(tmp_path / "remote"))
    for name in ("lama-onnx", "Carve/LaMa-ONNX/lama_fp32.onnx"):
        assert find_eraser(name).path.name == "Carve--LaMa-ONNX--lama_fp32.onnx"
    models.remove("lama-onnx")
    assert models.entries(lambda name: "lama" in name) == ()


def test_a_pickle_of_the_hub_comes_as_safetensors_where_its_network_is_known(tmp_path: Path):
    held = {
        "unet.conv_out.weight": torch.zeros(5, 4, 3, 3),
        "unet.conv_out.bias": torch.zeros(5),
        "unet.mid.to_q.lora_A.default.weight": torch.zeros(2, 4),
        "unet.mid.to_q.lora_B.default.weight": torch.zeros(4, 2),
    }
    place = tmp_path / "remote" / "osor-sdxlinpainting" / "weights" / "sdxlinpainting_phase2.pth"
    place.parent.mkdir(parents=True)
    torch.save(held, place)
    found = models.get("osor", hub=Stand(tmp_path / "remote"))
    assert (found.name, found.path.name, found.licence) == ("osor", "osor.safetensors", "CreativeML Open RAIL++-M")
    assert found.note.source == "QinmingZhou/OSOR@abc123"
    assert [one.name for one in models.store_folder().iterdir() if "partial" in one.name] == []
    assert models.verify("osor")[1] == ()


def test_a_licence_is_accepted_before_anything_is_downloaded(site: Site, capsys: pytest.CaptureFixture[str]):
    assert main(["models", "get", "mat"]) == 2
    err = capsys.readouterr().err
    assert "CC BY-NC 4.0" in err
    assert "'overpaint models accept mat'" in err
    assert main(["models", "get", "segformer-b0-ade"]) == 2  # a folder of the hub, for which a site would be asked
    assert "'overpaint models accept segformer-b0-ade'" in capsys.readouterr().err
    assert site.asked == []
    with pytest.raises(ModelError) as caught:
        models.get("fcf")
    assert caught.value.code == "licence-not-accepted"
