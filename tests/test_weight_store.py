"""Weights in memory: one network for all engines that need it, one budget, and a refusal where memory is short."""

from __future__ import annotations

import gc
import json
import threading

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.checkpoints import TINY
from tests.test_diffusion_engine import checkpoint
from tests.test_diffusion_loader import found, saved, weight_bytes

from overpaint import Mask, Monitor, Studio, models
from overpaint.engines import weight_store
from overpaint.engines.base import Canvas, Painted, paint
from overpaint.engines.diffusion import loader, weight_files
from overpaint.engines.diffusion.engine import DiffusionEngine
from overpaint.engines.diffusion.weights import read_tensors
from overpaint.engines.weight_store import WeightStore, available_memory, total_memory
from overpaint.errors import EngineError
from overpaint.geometry import Size
from overpaint.models import ModelError
from overpaint.picture import from_array
from overpaint.request import Sampling

SIDE = 64


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two checkpoints with one text encoder and one VAE, and another VAE."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OVERPAINT_HOME", str(home / "overpaint"))
        patch.setenv("HF_HUB_CACHE", str(home / "hub"))
        first, second, other = checkpoint(home / "first", 4), checkpoint(home / "second", 4), checkpoint(home / "o", 9)
        change(second / "unet")
        yield {"first": first, "second": second, "vae": other / "vae"}


def change(folder):
    """Other weights in a component."""
    (file,) = folder.glob("*.safetensors")
    save_file({name: one + 0.01 for name, one in load_file(file).items()}, file, {"format": "pt"})


@pytest.fixture
def engine(folders):
    """Makes engines, and closes them."""
    made = []

    def make(name: str, store: WeightStore, **options):
        made.append(DiffusionEngine(models.find(str(folders[name]), **options), device="cpu", threads=1, weights=store))
        return made[-1]

    yield make
    for one in made:
        one.close()


def canvas(**settings) -> Canvas:
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[16:40, 24:48] = 1
    pixels = np.random.default_rng(0).random((SIDE, SIDE, 3), np.float32)
    return Canvas(pixels, mask, 1, sampling=Sampling(prompt="a cat", **{"steps": 2, **settings}))


def painted(engine: DiffusionEngine, monitor: Monitor | None = None) -> Painted:
    return paint(engine, [canvas()], [monitor or Monitor()])[0]


def test_two_options_on_one_checkpoint_load_one_unet(engine, folders):
    store = WeightStore()
    plain, other = engine("first", store), engine("first", store, vae=str(folders["vae"]))
    one, two = painted(plain), painted(other)
    assert not np.array_equal(one.pixels, two.pixels)
    assert plain._networks.loaded.network is other._networks.loaded.network
    assert plain._networks.loaded.vae is not other._networks.loaded.vae
    assert store.bytes == weight_bytes(plain._networks.loaded) + sum(
        weight.numel() * weight.element_size() for weight in other._networks.loaded.vae.parameters()
    )


def test_checkpoints_share_a_text_encoder_and_a_vae_that_are_equal(engine):
    store = WeightStore()
    first, second = engine("first", store), engine("second", store)
    painted(first), painted(second)
    one, two = first._networks.loaded, second._networks.loaded
    assert one.network is not two.network
    assert (one.vae, one.text_encoders) == (two.vae, two.text_encoders)


def test_single_files_share_networks_too(tmp_path):
    path, other = (saved(tmp_path, TINY["sd1"], f"{seed}.safetensors", seed=seed) for seed in (1, 2))
    tensors = load_file(other)
    text = {name: one for name, one in load_file(path).items() if name.startswith("cond_stage_model.")}
    save_file({**tensors, **text}, other)
    store, dtype = WeightStore(), torch.float32
    with store.loading():
        plain, with_vae, second = (
            loader.load(ref, dtype)
            for ref in (
                found(path, TINY["sd1"]),
                found(path, TINY["sd1"], vae=str(other)),
                found(other, TINY["sd1"]),
            )
        )
    assert plain.network is with_vae.network
    assert plain.vae is not with_vae.vae
    assert second.network is not plain.network
    assert (second.vae, second.text_encoders) == (with_vae.vae, plain.text_encoders)
    del plain, with_vae, second
    gc.collect()
    assert store.bytes == 0


def test_a_shared_network_paints_for_two_engines_at_once_what_it_paints_for_one(engine, folders):
    store = WeightStore()
    plain, other = engine("first", store), engine("first", store, vae=str(folders["vae"]))
    alone = [painted(plain).pixels, painted(other).pixels]
    futures = [one.submit(canvas(), Monitor()) for one in (plain, other) for _ in range(3)]
    for index, future in enumerate(futures):
        np.testing.assert_allclose(future.result(60).pixels, alone[index // 3], atol=1e-3)


def test_the_engine_that_was_used_least_recently_releases_its_weights_and_loads_them_again(engine):
    store = WeightStore(budget=1)
    first, second = engine("first", store), engine("second", store)
    before = painted(first)
    painted(second)
    assert first._networks is None
    assert store.bytes == weight_bytes(second._networks.loaded)
    assert np.array_equal(painted(first).pixels, before.pixels)
    assert second._networks is None


def test_an_engine_that_paints_keeps_its_weights(engine):
    store = WeightStore(budget=1)
    first, second = engine("first", store), engine("second", store)
    started, go_on = threading.Event(), threading.Event()

    def wait(step: int, steps: int) -> None:
        started.set()
        assert go_on.wait(60)

    future = first.submit(canvas(), Monitor(on_progress=wait))
    assert started.wait(60)
    painted(second)
    assert first._networks is not None
    go_on.set()
    future.result(60)


def test_too_little_memory_is_an_error_with_both_figures_and_the_engine_goes_on(engine, monkeypatch):
    store = WeightStore()
    first = engine("first", store)
    monkeypatch.setattr("overpaint.engines.diffusion.engine.memory_left", lambda device: 100_000)
    with pytest.raises(
        EngineError, match=r"needs 0\.\d MB of memory for its weights, and 0\.1 MB are available"
    ) as failed:
        painted(first)
    assert (failed.value.code, failed.value.field) == ("memory-short", "model")
    monkeypatch.setattr("overpaint.engines.diffusion.engine.memory_left", lambda device: None)
    painted(first)


@pytest.mark.parametrize("options", [{}, {"vae": "vae"}])
def test_the_estimate_is_what_the_weights_take(engine, folders, options):
    given = {name: str(folders[value]) for name, value in options.items()}
    one = engine("first", WeightStore(), **given)
    estimate = one._family.weight_bytes(one._ref, one.dtype, lambda source: False)
    painted(one)
    loaded = one._networks.loaded
    named = (loaded.network, *loaded.text_encoders, *([] if options else [loaded.vae]))
    exact = sum(weight.numel() * weight.element_size() for network in named for weight in network.parameters())
    assert exact <= estimate < 1.02 * exact  # files may hold a few numbers more, such as positions


def test_engines_paint_and_close_while_another_loads_its_model():
    store, holder = WeightStore(), object()
    loads, ends = threading.Event(), threading.Event()

    def load() -> None:
        with store.loading():
            loads.set()
            ends.wait(20)

    def others() -> None:
        store.use(holder)
        store.forget(holder)

    loading, other = threading.Thread(target=load), threading.Thread(target=others)
    loading.start()
    assert loads.wait(20)
    other.start()
    other.join(5)
    waits = other.is_alive()
    ends.set()
    loading.join()
    other.join()
    assert not waits


@pytest.mark.parametrize("listed", [["a"], {"x": "../a.safetensors"}, {}])
def test_a_damaged_list_of_shards_is_the_models_fault(listed, tmp_path):
    file = tmp_path / "model.safetensors.index.json"
    file.write_text(json.dumps({"weight_map": listed}))
    for reads in (read_tensors, weight_files._shapes):
        with pytest.raises(ModelError, match="lists no shards beside it"):
            reads(file)


def test_memory_is_unknown_where_the_system_does_not_tell_it(monkeypatch):
    assert total_memory() is None or total_memory() > 2**28
    left = available_memory()
    assert left is None or left > 0
    monkeypatch.setattr(weight_store, "Path", lambda *parts: weight_store.os.devnull and _Nothing())
    assert available_memory() is None


class _Nothing:
    def read_text(self, encoding: str) -> str:
        raise OSError("no such file")


def test_loading_is_reported_before_the_first_step(engine):
    events = []
    monitor = Monitor(on_progress=lambda step, steps: events.append(step), on_loading=events.append)
    first = engine("first", WeightStore())
    painted(first, monitor)
    painted(first, monitor)
    assert [one for one in events if isinstance(one, str)] == [events[0]]


def test_the_data_type_tells_networks_apart(folders):
    store = WeightStore()
    ref = models.find(str(folders["first"]))
    made = [DiffusionEngine(ref, device="cpu", dtype=dtype, weights=store) for dtype in (torch.float32, torch.bfloat16)]
    try:
        for one in made:
            painted(one)
        assert [one._networks.loaded.network.dtype for one in made] == [torch.float32, torch.bfloat16]
    finally:
        for one in made:
            one.close()


def test_a_studio_has_one_store_and_its_budget(folders):
    photo = from_array((np.random.default_rng(0).random((SIDE, SIDE, 3)) * 255).astype(np.uint8))
    given = {"mask": Mask.full(Size(SIDE, SIDE)), "intent": "replace", "prompt": "a cat", "steps": 1, "seed": 1}
    with Studio(device="cpu", threads=1, weight_budget=1) as studio:
        engines = []
        for options in ({}, {"vae": str(folders["vae"])}):
            studio.edit(photo, model=str(folders["first"]), options=options, **given)
            engines.append(studio.engine("diffusion", str(folders["first"]), options))
        assert [one._networks is not None for one in engines] == [False, True]
