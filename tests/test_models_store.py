"""The store: what is here is found by its names, comes in whole or not at all, and nothing leads out of it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import pickle
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import checkpoints
from checkpoints import TINY
from overpaint import models
from overpaint.cli.messages import in_line
from overpaint.engines.diffusion.text_plan import TEXTS, TextSettings, read
from overpaint.engines.diffusion.used import embeddings_of
from overpaint.errors import OutputError
from overpaint.models import (
    CATALOGUE,
    DownloadError,
    ModelError,
    licence_terms,
    pickles,
    store_folder,
    torchscript,
)
from overpaint.models.download import Listing, Remote, choose
from overpaint.models.places import file_name, hub_cache, hub_parts, hub_snapshot
from overpaint.models.store import licence_of
from overpaint.models.vocabulary import START


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, without_pocket: None) -> Path:
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("OVERPAINT_HOME", str(folder))
    monkeypatch.setenv("HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.delenv("OVERPAINT_MODEL_PATH", raising=False)
    return folder


def vae(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(checkpoints.tensors(checkpoints.vae(8), seed=seed), path)
    return path


def checkpoint(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    held = {name: torch.zeros(shape, dtype=torch.float16) for name, shape in checkpoints.unet(TINY["sd1"]).items()}
    held |= {"first_stage_model.x": torch.zeros(1), "cond_stage_model.x": torch.zeros(1)}
    save_file(held, path)
    return path


# ---- in and out ----


@pytest.mark.parametrize("link", [False, True])
def test_a_model_comes_in_and_goes_again(link: bool, tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "my model (1).safetensors")
    sent: list[int] = []
    entry = models.add(source, link=link, licence="MIT", on_bytes=sent.append)
    assert entry.name == "my-model-1"
    assert entry.path == store_folder() / "my-model-1.safetensors"
    assert entry.path.is_symlink() == link
    assert (entry.licence, entry.origin, entry.size) == ("MIT", "store", source.stat().st_size)
    assert entry.sha256 == hashlib.sha256(source.read_bytes()).hexdigest() == entry.note.sha256
    assert sum(sent) >= source.stat().st_size
    assert [one.name for one in models.entries()] == [entry.name]
    assert models.find(entry.name, paths=False).path == entry.path
    with pytest.raises(OutputError, match="already has"):
        models.add(source)
    assert models.remove(entry.name).name == entry.name
    assert models.entries() == ()
    assert source.exists(), "what a link leads to is left alone"
    assert [one.name for one in store_folder().iterdir()] == [".notes"]
    assert list((store_folder() / ".notes").iterdir()) == []


def test_a_folder_comes_in_whole(tmp_path: Path) -> None:
    folder = checkpoints.small_config(TINY["sdxl"], tmp_path / "a-model")
    (folder / "README.md").write_text("---\nlicense: openrail++\ntags: [x]\n---\n# A model\n")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x").write_text("not ours")
    entry = models.add(folder, "someone/a-model")
    assert entry.name == "someone/a-model"
    assert entry.path == store_folder() / "someone--a-model"
    assert entry.licence == "CreativeML Open RAIL++-M"
    assert not (entry.path / ".cache").exists()
    assert models.find("someone/a-model").kind.family == "sdxl"
    assert models.verify("someone/a-model")[1] == ()


def test_an_interrupted_copy_leaves_nothing(tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "a.safetensors")

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        models.add(source, on_bytes=stop)
    assert list(store_folder().iterdir()) == []


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="not a checkpoint of a known kind"):
        models.add(tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="there is no file"):
        models.add(tmp_path / "b.safetensors")


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../b",
        "/etc/passwd",
        "a/b/c",
        "..",
        ".hidden",
        "a\\b",
        "C:x",
        "x" * 200,
        "",
        "a b",
        "é",
        "a/.b",
        "a\0b",
        "a--b/c",
    ],
)
def test_no_name_leads_out_of_the_store(name: str, tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "a.safetensors")
    if hub_parts(name) is None or name.count("/") > 1:
        with pytest.raises(ModelError, match="can't be a model's name"):
            file_name(name)
        with pytest.raises(ModelError, match="can't be a model's name"):
            models.add(source, name)
    with pytest.raises(ModelError):
        models.find(name, paths=False)
    with pytest.raises(ModelError):
        models.remove(name)


def test_a_folder_of_configurations_is_a_path_and_never_comes_from_outside(tmp_path: Path) -> None:
    entry = models.add(checkpoint(tmp_path / "a.safetensors"))
    (tmp_path / "configs" / "unet").mkdir(parents=True)
    (tmp_path / "configs" / "unet" / "config.json").write_text("{}")
    assert models.find(entry.name, config=tmp_path / "configs").config == tmp_path / "configs"
    with pytest.raises(ModelError, match="are a path") as caught:
        models.find(entry.name, paths=False, config=tmp_path / "configs")
    assert (caught.value.field, caught.value.value) == ("config", str(tmp_path / "configs"))


def test_names_from_outside_are_never_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = checkpoint(tmp_path / "a.safetensors")
    monkeypatch.chdir(tmp_path)
    for name in (str(source), "./a.safetensors", "a.safetensors", "../" + tmp_path.name + "/a.safetensors"):
        assert models.find(name).path.samefile(source)
        with pytest.raises(ModelError):
            models.find(name, paths=False)


# ---- finding ----


def cached(name: str, files: dict[str, bytes], commit: str = "c" * 40, ref: bool = True) -> Path:
    root = hub_cache() / ("models--" + name.replace("/", "--"))
    for file, data in files.items():
        path = root / "snapshots" / commit / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    if ref:
        (root / "refs").mkdir(exist_ok=True)
        (root / "refs" / "main").write_text(commit)
    return root / "snapshots" / commit


def test_the_hub_s_cache_is_looked_into(tmp_path: Path) -> None:
    data = checkpoint(tmp_path / "a.safetensors").read_bytes()
    snapshot = cached("someone/one-file", {"model.safetensors": data})
    assert models.find("someone/one-file").path == snapshot / "model.safetensors"
    assert models.find("someone/one-file/model.safetensors").path == snapshot / "model.safetensors"
    old = cached("someone/no-ref", {"model.safetensors": data}, commit="d" * 40, ref=False)
    assert hub_snapshot("someone/no-ref") == old / "model.safetensors"
    cached("someone/tokenizer-only", {"tokenizer/vocab.json": b"{}"})
    with pytest.raises(ModelError, match="someone/tokenizer-only is not here, but can be downloaded"):
        models.find("someone/tokenizer-only")
    names = {one.name: one.origin for one in models.entries()}
    assert names == {"someone/one-file": "hub", "someone/no-ref": "hub"}
    with pytest.raises(ModelError, match="not in the store but in Hugging Face's cache"):
        models.remove("someone/one-file")
    (hub_cache() / "models--someone--one-file" / "refs" / "main").write_text("../../../../etc")
    assert hub_snapshot("someone/one-file") == snapshot / "model.safetensors"


def test_a_short_name_leads_to_what_the_cache_has(tmp_path: Path) -> None:
    row = CATALOGUE[0]
    folder = checkpoints.small_config(TINY["sd1"], tmp_path / "x")
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.json")}
    snapshot = cached(row.hub, files | {"unet/diffusion_pytorch_model.safetensors": vae(tmp_path / "v").read_bytes()})
    assert models.find(row.name).path == models.find(row.hub).path == snapshot
    assert models.entry(row.name).licence == row.licence


def test_further_folders_are_read_and_never_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = checkpoint(tmp_path / "one" / "good.safetensors")
    two = vae(tmp_path / "two" / "good.vae.safetensors")
    monkeypatch.setenv("OVERPAINT_MODEL_PATH", f"{one.parent}{os.pathsep}{two.parent}")
    assert models.find("good", vae="good.vae").vae == two
    assert [(entry.name, entry.origin) for entry in models.entries()] == [("good", "folder"), ("good.vae", "folder")]
    with pytest.raises(ModelError, match="it was left alone"):
        models.remove("good")


def test_names_that_differ_in_the_ending_alone_keep_it(tmp_path: Path) -> None:
    vae(store_folder() / "a.safetensors")
    torch.save({"state_dict": {"first_stage_model.encoder.conv_in.weight": torch.zeros(1)}}, store_folder() / "a.ckpt")
    assert {one.name for one in models.entries()} == {"a.ckpt", "a.safetensors"}
    assert models.entry("a.ckpt").path.suffix == ".ckpt"


def test_a_damaged_model_is_listed_with_its_fault() -> None:
    path = vae(store_folder() / "a.safetensors")
    path.write_bytes(path.read_bytes()[:-10])
    entry = models.entry("a")
    assert entry.kind is None
    assert "cut short" in entry.fault
    assert "cut short" in models.verify("a")[1][0]


def zipped(path: Path, pickled: bytes, *patches: tuple[bytes, int, int]) -> None:
    """A zip file in the form of torch's, with bytes of its headers changed: (signature, offset, value)."""
    import zipfile

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", pickled)
        archive.writestr("a/constants.pkl", b"")
    data = bytearray(path.read_bytes())
    for signature, offset, value in patches:
        for found in re.finditer(re.escape(signature), bytes(data)):
            data[found.start() + offset] = value
    path.write_bytes(data)


LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"

ENDLESS = b"\x80\x02c__torch__\nM\n)\x81q\x00}q\x01(X\x01\x00\x00\x00xh\x00X\x01\x00\x00\x00yh\x00ub."
"""A program's object that has itself as its parts x and y."""


def test_hostile_files_are_listed_with_their_fault_and_stop_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else is here is used as before: every edit looks through these files for an eraser."""
    from erasers import lama_file

    folder = store_folder()
    lama_file(folder / "zz-good.safetensors")
    zipped(folder / "endless.pt", ENDLESS)
    for module in (torchscript, pickles):
        monkeypatch.setattr(module, "MOST_PICKLE", 1 << 16)
    large = pickle.dumps({"x": bytes(1 << 17)})
    zipped(folder / "bomb.pt", large)
    zipped(folder / "bomb-of-weights.pth", large, (LOCAL, 33, 98), (CENTRAL, 49, 98))  # no "constants.pkl"
    zipped(folder / "method.pth", b"x", (LOCAL, 8, 77), (CENTRAL, 10, 77))
    zipped(folder / "name.pt", b"x", (CENTRAL, 9, 8), (CENTRAL, 46, 0xFF))
    zipped(folder / "version.pt", b"x", (CENTRAL, 6, 99))
    zipped(folder / "locked.pt", b"x", (LOCAL, 6, 1), (CENTRAL, 8, 1))
    os.mkfifo(folder / "pipe.safetensors")
    began = time.perf_counter()
    assert models.default_eraser() == "zz-good"
    found = {one.name: one.fault for one in models.entries()}
    assert time.perf_counter() - began < 10, "the endless one ends"
    assert found.pop("zz-good") == ""
    assert len(found) == 7, "a pipe is no model"
    assert all("damaged" in fault or "no checkpoint of torch" in fault for fault in found.values()), found


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("sd15-inpainting", "can be downloaded; the download has 2.1 GB"),
        ("someone/thing", "the model someone/thing is not here, but can be downloaded"),
        ("sd15-inpaintng", "did you mean 'sd15-inpainting'"),
        ("zzzz", "no model is called 'zzzz'"),
        ("./nothing.safetensors", "there is no file"),
    ],
)
def test_a_missing_model_is_reported(name: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        models.find(name)


def test_a_part_is_found_for_a_prompt(tmp_path: Path) -> None:
    key = "lora_unet_down_blocks_0_attentions_0_proj_in"
    (store_folder()).mkdir(parents=True)
    save_file(
        {f"{key}.lora_down.weight": torch.zeros(1, 4), f"{key}.lora_up.weight": torch.zeros(4, 1)},
        store_folder() / "style.safetensors",
    )
    assert models.find_lora("style").path.name == "style.safetensors"
    save_file({"emb_params": torch.zeros(2, 768)}, store_folder() / "word.safetensors")
    with pytest.raises(ModelError, match="is not a LoRA but a"):
        models.find_lora("word")
    save_file({"emb_params": torch.zeros(2, 768)}, store_folder() / "style2.safetensors")
    for wrong, says in (
        ("stile", "no LoRA is called 'stile'; did you mean 'style'"),
        ("lcm-lora-sd1", "no LoRA is called 'lcm-lora-sd1'; did you mean 'lcm-lora-sd15'"),
        ("stylo2", "no LoRA is called 'stylo2'; did you mean 'style'"),
        ("pokket", "no LoRA is called 'pokket'$"),
        ("sd15", "no LoRA is called 'sd15'$"),
    ):
        with pytest.raises(ModelError, match=says):
            models.find_lora(wrong)


def test_every_part_of_a_model_is_behind_the_licence_gate(tmp_path: Path) -> None:
    """A VAE, a LoRA or a textual inversion that is non-commercial is used once that is accepted; the day is kept."""
    checkpoint(tmp_path / "base.safetensors")
    key = "lora_unet_down_blocks_0_attentions_0_proj_in"
    lora = {f"{key}.lora_down.weight": torch.zeros(1, 4), f"{key}.lora_up.weight": torch.zeros(4, 1)}
    save_file(lora, tmp_path / "style.safetensors")
    save_file({"emb_params": torch.zeros(2, 768)}, tmp_path / "mywrd.safetensors")
    for path in (vae(tmp_path / "smooth.safetensors"), tmp_path / "style.safetensors", tmp_path / "mywrd.safetensors"):
        models.add(path, licence="CC-BY-NC-4.0")
    base = models.add(tmp_path / "base.safetensors").name
    for use in (lambda: models.find(base, vae="smooth"), lambda: models.find_lora("style")):
        with pytest.raises(ModelError) as caught:
            use()
        assert caught.value.code == "licence-not-accepted"
    ref, texts = models.find(base), ((read("a mywrd", TextSettings(), TEXTS[0]),),)
    taken, (note,) = embeddings_of(texts, ref)
    assert taken == []
    assert "mywrd has a licence that must be accepted first" in note
    days = {name: models.accept(found) for name in ("smooth", "style", "mywrd") if (found := licence_terms(name))}
    assert models.find(base, vae="smooth").vae_accepted == days["smooth"]
    assert models.find_lora("style").accepted == days["style"]
    assert [one.accepted for one in embeddings_of(texts, ref)[0]] == [days["mywrd"]]


# ---- digests ----


def test_a_digest_is_computed_once_and_again_when_the_file_changed(tmp_path: Path) -> None:
    path = vae(tmp_path / "a.safetensors")
    assert models.known_digest(path) is None
    read: list[int] = []
    first = models.digest(path, read.append)
    assert first == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sum(read) == path.stat().st_size
    assert models.digest(path, read.append) == models.known_digest(path) == first
    assert sum(read) == path.stat().st_size, "the second time nothing was read"
    vae(path, seed=1)
    assert models.known_digest(path) is None
    assert models.digest(path) != first


def test_a_folder_s_digest_is_of_its_files_and_their_names(tmp_path: Path) -> None:
    folder = checkpoints.small_config(TINY["sd1"], tmp_path / "x")
    first = models.digest(folder)
    (folder / "README.md").write_text("a page about it")
    (folder / ".hidden").write_text("x")
    assert models.digest(folder) == first
    (folder / "unet" / "config.json").rename(folder / "unet" / "other.json")
    assert models.digest(folder) != first


def test_verify_notices_a_changed_file_even_with_its_old_times(tmp_path: Path) -> None:
    entry = models.add(vae(tmp_path / "a.safetensors"))
    about = entry.path.stat()
    data = bytearray(entry.path.read_bytes())
    data[-1] ^= 1
    with entry.path.open("r+b") as file:
        file.write(data)
    os.utime(entry.path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert models.known_digest(entry.path) == entry.sha256, "the list of digests can't know"
    _, faults = models.verify("a")
    assert len(faults) == 1
    assert "it has changed" in faults[0]


def test_digests_work_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path / "file"))
    path = vae(tmp_path / "a.safetensors")
    assert models.digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(OutputError, match="can't write"):
        models.add(path)


# ---- downloads ----


class Stand:
    """Stands in for the hub: a folder, which can lose its line after some files or send wrong bytes."""

    def __init__(self, folder: Path, *, stop_after: int = 99, garble: str = "") -> None:
        self.folder, self.stop_after, self.garble = folder, stop_after, garble
        self.sent: list[str] = []

    def listing(self, repository: str) -> Listing:
        files = [one for one in sorted(self.folder.rglob("*")) if one.is_file()]
        return Listing(
            "abc123",
            tuple(
                Remote(
                    one.relative_to(self.folder).as_posix(),
                    one.stat().st_size,
                    hashlib.sha256(one.read_bytes()).hexdigest() if one.suffix == ".safetensors" else None,
                )
                for one in files
            ),
            "creativeml-openrail-m",
        )

    def fetch(self, repository: str, revision: str, file: Remote, folder: Path) -> None:
        if len(self.sent) >= self.stop_after:
            raise DownloadError("the line is cut")
        self.sent.append(file.path)
        data = (self.folder / file.path).read_bytes()
        if file.path == self.garble:
            data = bytes(len(data))
        (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.path).write_bytes(data)


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    folder = checkpoints.small_config(TINY["sd1"], tmp_path / "remote")
    for part in ("unet", "vae", "safety_checker"):
        vae(folder / part / "diffusion_pytorch_model.safetensors")
        vae(folder / part / "diffusion_pytorch_model.fp16.safetensors", seed=1)
        (folder / part / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x02")
    vae(folder / "text_encoder" / "model.safetensors")
    vae(folder / "whole.safetensors")
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer" / "merges.txt").write_text("a b\n")
    return folder


def test_get_downloads_only_the_needed_files(remote: Path) -> None:
    told: list[tuple[str, int, int]] = []
    hub = Stand(remote)
    entry = models.get("someone/a-model", hub=hub, on_file=lambda *line: told.append(line))
    weights = [name for name in hub.sent if name.endswith(".safetensors")]
    assert weights == [
        "text_encoder/model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "vae/diffusion_pytorch_model.fp16.safetensors",
    ]
    assert not any(name.endswith(".bin") or "safety" in name for name in hub.sent)
    assert {"model_index.json", "tokenizer/merges.txt", "unet/config.json"} <= set(hub.sent)
    assert (entry.name, entry.origin, entry.licence) == ("someone/a-model", "store", "CreativeML OpenRAIL-M")
    assert entry.note.source == "someone/a-model@abc123"
    assert told[-1][1] == told[-1][2] > 0
    assert models.verify(entry.name)[1] == ()
    with pytest.raises(OutputError, match="is here already"):
        models.get("someone/a-model", hub=hub)


def test_get_goes_on_where_it_was_cut_off(remote: Path) -> None:
    first = Stand(remote, stop_after=3)
    with pytest.raises(DownloadError, match="the line is cut"):
        models.get("someone/a-model", hub=first)
    assert models.entries() == (), "half a model is not listed"
    second = Stand(remote)
    models.get("someone/a-model", hub=second)
    assert not set(first.sent) & set(second.sent)
    assert [one.name for one in store_folder().iterdir() if "partial" in one.name] == []


def test_get_refuses_files_that_differ_from_the_hub_s(remote: Path) -> None:
    hub = Stand(remote, garble="vae/diffusion_pytorch_model.fp16.safetensors")
    with pytest.raises(DownloadError, match="did not arrive as the hub has it"):
        models.get("someone/a-model", hub=hub)
    assert models.entries() == ()


def test_get_one_file_of_a_repository(remote: Path) -> None:
    entry = models.get("someone/a-model/whole.safetensors", hub=Stand(remote))
    assert entry.path.name == "someone--a-model--whole.safetensors"
    with pytest.raises(ModelError, match="has no file"):
        models.get("someone/a-model/nothing.safetensors", hub=Stand(remote))
    with pytest.raises(ModelError, match=r"is a pickle.*set allow_pickle"):
        models.get("someone/a-model/unet/diffusion_pytorch_model.bin", hub=Stand(remote))


def test_a_repository_of_one_file_is_that_file(tmp_path: Path) -> None:
    """As LoRAs are published: weights under a general name, a page, pictures."""
    key = "lora_unet_down_blocks_0_attentions_0_proj_in"
    held = {f"{key}.lora_down.weight": torch.zeros(1, 4), f"{key}.lora_up.weight": torch.zeros(4, 1)}
    (tmp_path / "remote").mkdir()
    save_file(held, tmp_path / "remote" / "pytorch_lora_weights.safetensors")
    (tmp_path / "remote" / "README.md").write_text("---\nlicense: openrail++\n---\n")
    entry = models.get("lcm-lora-sd15", hub=Stand(tmp_path / "remote"))
    assert entry.path.name == "latent-consistency--lcm-lora-sdv1-5.safetensors"
    assert (entry.name, entry.licence) == ("latent-consistency/lcm-lora-sdv1-5", "CreativeML Open RAIL++-M")
    assert models.find_lora("lcm-lora-sd15").path == models.find_lora(entry.name).path == entry.path
    assert [one.name for one in store_folder().iterdir() if one.name.startswith(".") and one.name != ".notes"] == []
    assert models.remove(entry.name).path == entry.path


class Pages(BaseHTTPRequestHandler):
    """The hub's own interface, as huggingface_hub speaks to it, for one repository in a folder."""

    folder: Path
    asked: list[tuple[str, str | None]]

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        path = self.path.split("?")[0]
        if path.startswith("/api/models/"):
            files = [one for one in sorted(self.folder.rglob("*")) if one.is_file()]
            self.send(
                json.dumps({"id": "x/y", "sha": "a" * 40, "siblings": [self.about(one) for one in files]}).encode()
            )
            return
        file = self.folder / path.split(f"/{'a' * 40}/")[-1]
        data = file.read_bytes()
        start = int((self.headers.get("Range") or "bytes=0-").split("=")[1].split("-")[0])
        if body:
            type(self).asked.append((file.name, self.headers.get("Range")))
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", "a" * 40)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if body:
            self.wfile.write(data[start:])

    def about(self, file: Path) -> dict[str, Any]:
        data = file.read_bytes()
        found: dict[str, Any] = {"rfilename": file.relative_to(self.folder).as_posix(), "size": len(data)}
        if file.suffix == ".safetensors":
            found["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 1}
        return found

    def send(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


def test_the_hub_s_own_interface_is_spoken(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from overpaint.models.download import HuggingFace

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)

    class Mine(Pages):
        folder, asked = remote, []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Mine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        hub = HuggingFace(endpoint=f"http://127.0.0.1:{server.server_address[1]}")
        entry = models.get("someone/a-model", hub=hub)
        assert entry.note.source == f"someone/a-model@{'a' * 40}"
        assert entry.kind is not None
        assert (entry.kind.what, entry.kind.family) == ("checkpoint", "sd1")
        assert not (entry.path / ".cache").exists()
        assert "diffusion_pytorch_model.fp16.safetensors" in [name for name, _ in Mine.asked]
        with pytest.raises(DownloadError, match="can't reach the hub"):
            models.get("someone/a-model/whole.safetensors", hub=HuggingFace(endpoint="http://127.0.0.1:9"))
    finally:
        server.shutdown()
        server.server_close()


def test_a_hub_can_not_write_outside(remote: Path) -> None:
    class Evil(Stand):
        def listing(self, repository: str) -> Listing:
            return Listing("abc", (Remote("../evil.json", 2), *super().listing(repository).files))

    with pytest.raises(DownloadError, match="outside the model's folder"):
        models.get("someone/a-model", hub=Evil(remote))


def test_choosing_among_a_repository_s_files() -> None:
    def names(*files: str, **how: Any) -> list[str]:
        return [one.path for one in choose([Remote(name, 1) for name in files], **how)]

    assert names("a.safetensors", "README.md", "b.png") == ["README.md", "a.safetensors"]
    assert names("unet/diffusion_pytorch_model.bin", "model_index.json", pickles=True) == [
        "model_index.json",
        "unet/diffusion_pytorch_model.bin",
    ]
    with pytest.raises(ModelError, match="as pickles only"):
        names("unet/diffusion_pytorch_model.bin", "model_index.json")
    with pytest.raises(ModelError, match="no weights"):
        names("README.md")
    shards = ["diffusion_pytorch_model-00001-of-00002.safetensors", "diffusion_pytorch_model.safetensors.index.json"]
    assert names(*shards, "config.json") == ["config.json", *shards]
    half = [
        "diffusion_pytorch_model.fp16-00001-of-00002.safetensors",
        "diffusion_pytorch_model.safetensors.index.fp16.json",
    ]
    assert names(*shards, *half, "config.json") == ["config.json", *half]
    both = ["unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.safetensors"]
    assert names("model_index.json", *both, variant="") == ["model_index.json", both[1]]
    assert names("model_index.json", *both) == ["model_index.json", both[0]]


def test_without_a_network_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(DownloadError) as caught:
        models.get("taesd")
    said = str(caught.value)
    assert (caught.value.code, caught.value.value) == ("hub-unreachable", "madebyollin/taesd")
    assert "download it on a machine with a network" in said
    assert "hf download madebyollin/taesd" in in_line(caught.value)
    assert "overpaint models add FOLDER" in in_line(caught.value)
    assert "\n" not in said
    assert models.entries() == ()
    with pytest.raises(ModelError, match="is neither a name of the hub"):
        models.get("no name")


# ---- the catalogue ----


def test_the_catalogue_is_in_order() -> None:
    names = [one.name for one in CATALOGUE]
    assert len(set(names)) == len(names)
    assert len({one.source for one in CATALOGUE}) == len(CATALOGUE)
    for one in CATALOGUE:
        assert (hub_parts(one.hub) is not None) != bool(one.files), "on the hub, or as files"
        assert one.channels in ((4, 9) if one.what == "checkpoint" else (0,))
        assert one.licence
        assert one.gigabytes > 0
        assert models.listed(one.name) is models.listed(one.hub or one.name) is one
        assert all(re.fullmatch(r"[0-9a-f]{32}|[0-9a-f]{64}", file.md5 or file.sha256) for file in one.files)
    assert {one.family for one in CATALOGUE if one.channels == 9} == {"sd1", "sd2", "sdxl"}


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: creativeml-openrail-m\n---\n", "CreativeML OpenRAIL-M"),
        ("---\nlicense: other\nlicense_name: faipl-1.0-sd\n---\n", "faipl-1.0-sd"),
        ("---\nlicense: bsd\n---\n", "bsd"),
        ("no front matter\nlicense: mit\n", ""),
    ],
)
def test_a_card_s_licence(card: str, licence: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(card)
    assert licence_of(tmp_path) == licence


# ---- CLIP's vocabulary ----


@pytest.fixture(scope="module")
def merges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.write_vocabulary(tmp_path_factory.mktemp("v") / "bpe_simple_vocab_16e6.txt.gz")


def test_tokens_follow_from_merges(merges: Path) -> None:
    found = models.read_vocabulary(merges)
    assert len(found.tokens) == 49_408
    assert len(found.merges) == 48_894
    assert (found.tokens[START], found.tokens["<|endoftext|>"]) == (49_406, 49_407)
    assert (found.tokens["!"], found.tokens["a"], found.tokens["!</w>"]) == (0, 64, 256)
    lines = gzip.decompress(merges.read_bytes()).decode().splitlines()
    assert found.merges[0] == tuple(lines[1].split())


def test_every_form_of_a_vocabulary_gives_the_same(merges: Path, tmp_path: Path) -> None:
    from transformers import CLIPTokenizer

    found = models.read_vocabulary(merges)
    CLIPTokenizer(vocab=dict(found.tokens), merges=list(found.merges)).save_pretrained(tmp_path / "new")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "vocab.json").write_text(json.dumps(dict(found.tokens)))
    text = "\n".join(["#version: 0.2", *(" ".join(pair) for pair in found.merges)])
    (tmp_path / "old" / "merges.txt").write_text(text)
    for folder in ("new", "old"):
        other = models.read_vocabulary(tmp_path / folder)
        assert (dict(other.tokens), other.merges) == (dict(found.tokens), found.merges)


def test_a_vocabulary_beside_the_checkpoint_comes_before_the_package_s(merges: Path, tmp_path: Path) -> None:
    beside = tmp_path / "models" / "a.safetensors"
    beside.parent.mkdir()
    own = models.find_vocabulary(beside)
    assert own == models.find_vocabulary()
    (beside.parent / "vocab.json").write_text("{}")
    assert models.find_vocabulary(beside).source == own.source, "a damaged one is no vocabulary"
    (beside.parent / "tokenizer").mkdir()
    for folder in (beside.parent / "tokenizer", beside.parent):
        (beside.parent / "vocab.json").unlink(missing_ok=True)
        (folder / merges.name).write_bytes(merges.read_bytes())
        assert models.find_vocabulary(beside).source == folder / merges.name


def test_the_package_s_vocabulary_is_clip_s() -> None:
    """Known ids of CLIP's published vocabulary, and transformers' own tokenizer over the same tokens and merges."""
    from transformers import CLIPTokenizer

    from overpaint.engines.diffusion.clip_tokens import clip_tokenizer

    found = models.find_vocabulary()
    assert len(found.tokens) == 49_408
    assert (found.tokens["a</w>"], found.tokens["photo</w>"], found.tokens["cat</w>"]) == (320, 1125, 2368)
    ours = clip_tokenizer(found)
    assert ours.tokenise("a photo of a cat") == [320, 1125, 539, 320, 2368]
    theirs = CLIPTokenizer(vocab=dict(found.tokens), merges=list(found.merges))
    texts = (
        "A photo of a cat, 4k!! isn't it?", "   spaces\tand\nlines ", "naïve café 東京 🐈 ½", "1234 a1b2", "",
        "trending on artstation, (masterpiece:1.2), by greg rutkowski", "<|endoftext|> ~`@#$%^&*()_+-={}[]|\\:;",
    )  # fmt: skip
    for text in texts[:-1]:
        assert ours.tokenise(text) == theirs(text)["input_ids"][1:-1], text
    assert found.tokens["<|endoftext|>"] not in ours.tokenise(texts[-1]), "a mark in a prompt is text"


@pytest.mark.parametrize(
    ("name", "data"),
    [("vocab.json", b"{"), ("vocab.json", b"[]"), ("tokenizer.json", b"{}"), ("bpe_simple_vocab_16e6.txt.gz", b"x")],
)
def test_a_damaged_vocabulary_is_reported(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    (tmp_path / "merges.txt").write_text("a b\n")
    with pytest.raises(ModelError):
        models.read_vocabulary(tmp_path / name)


def test_nothing_heavy_is_loaded_by_importing_the_room() -> None:
    import subprocess
    import sys

    heavy = ("torch", "diffusers", "transformers", "numpy", "huggingface_hub")
    code = f"import sys, overpaint.models; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
